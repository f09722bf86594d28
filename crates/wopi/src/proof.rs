//! Proof keys: how a client shows that a request is its own, and how a host checks that.
//!
//! A client signs what it asks (token, URL, time) twice, with its current and its previous key, and publishes both public
//! keys in its discovery document. This is the only check of where a request comes from: the clients publish no list of
//! their addresses. Microsoft's *Verifying that requests originate from Office for the web by using proof keys* is the
//! source of the rules, its eight published cases are in the tests.
//!
//! What is signed:
//!
//! | bytes | content |
//! |---|---|
//! | 4 | length of the token, big-endian |
//! | n | access token, UTF-8 |
//! | 4 | length of the URL, big-endian |
//! | m | the whole URL as the client sent it, upper-cased |
//! | 4 | 8, big-endian |
//! | 8 | the time in ticks, signed, big-endian |
//!
//! with RSA, PKCS #1 v1.5 and SHA-256. Which of the combinations count:
//!
//! | header | key | |
//! |---|---|---|
//! | `X-WOPI-Proof` | current | yes: [`Matched::Current`] |
//! | `X-WOPI-ProofOld` | current | yes, the client has newer keys than we know: [`Matched::ProofOldByCurrent`] |
//! | `X-WOPI-Proof` | old | yes, that machine of the client has not got its new keys yet: [`Matched::ProofByOld`] |
//! | `X-WOPI-ProofOld` | old | **no** |
//!
//! ```
//! use wopi::proof::{self, Matched, ProofKeys, SigningKey};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let key = SigningKey::generate()?;
//! let url = "https://host.example/wopi/files/1?access_token=abc";
//! let now_ms = 1_704_067_200_000;
//! let mut headers = http::HeaderMap::new();
//! proof::sign(&key, &key, url, "abc", now_ms)?.put_into(&mut headers);
//!
//! let keys = ProofKeys { current: key.public().clone(), old: None };
//! assert_eq!(proof::verify(&keys, &headers, &[url], &["abc"], now_ms), Ok(Matched::Current));
//! assert!(proof::verify(&keys, &headers, &[url], &["abd"], now_ms).is_err());
//! # Ok(())
//! # }
//! ```

mod key;
mod rule;
mod signing;
mod ticks;

use std::fmt;
use std::time::Duration;

use aws_lc_rs::digest::{self, Digest};
use base64::Engine as _;
use http::HeaderMap;

pub use key::{KeyError, PublicKey};
pub use rule::ProofRule;
pub use signing::{ProofHeaders, SigningKey, sign};
pub use ticks::{ticks_from_unix_ms, unix_ms_from_ticks};

/// Signature with the client's current key.
const PROOF: &str = "X-WOPI-Proof";
/// Signature with the client's previous key.
const PROOF_OLD: &str = "X-WOPI-ProofOld";
/// When the client signed, in ticks.
const TIMESTAMP: &str = "X-WOPI-TimeStamp";

/// Oldest proof that is accepted: what the documents ask for.
pub const PROOF_AGE_MAX: Duration = Duration::from_secs(20 * 60);

/// How far a client's clock may be ahead of ours. The documents are silent; five minutes is what Kerberos allows.
pub const PROOF_SKEW_MAX: Duration = Duration::from_secs(5 * 60);

/// Most spellings of token and URL that are tried, so that a forged request costs little.
pub const PREIMAGES_MAX: usize = 12;

/// Longest text of a signature, in bytes: RSA with 8192 bits is 1368 bytes of base64.
const SIGNATURE_TEXT_LENGTH_MAX: usize = 2048;

/// The keys of one client. They belong together: replace both at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofKeys {
    /// The key it signs with.
    pub current: PublicKey,
    /// The key it signed with before; a client that never changed its key has none.
    pub old: Option<PublicKey>,
}

/// Which of the accepted combinations of header and key it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Matched {
    /// `X-WOPI-Proof` and the current key: nothing to do.
    Current,
    /// `X-WOPI-ProofOld` and the current key.
    ProofOldByCurrent,
    /// `X-WOPI-Proof` and the old key.
    ProofByOld,
}

impl Matched {
    /// Whether the client and our copy of its discovery document disagree about the keys, so that it is time to fetch the
    /// document again.
    pub fn keys_are_stale(self) -> bool {
        self != Self::Current
    }
}

/// Why a proof was not accepted, for the operator. A client learns only that it was not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProofError {
    /// The header was not sent: the caller does not sign at all.
    Missing {
        /// Which header.
        header: &'static str,
    },
    /// The header was sent more than once or is no signature or time at all.
    Malformed {
        /// Which header.
        header: &'static str,
    },
    /// Signed too long ago.
    TooOld {
        /// How long ago, by our clock.
        age: Duration,
    },
    /// Signed at a time that has not come yet.
    FromTheFuture {
        /// How far ahead, by our clock.
        ahead: Duration,
    },
    /// No accepted signature fits what we computed.
    Mismatch,
    /// There is no key to check with.
    NoKeys,
}

impl ProofError {
    /// Whether newer keys could make a difference. They cannot where a header or a clock is wrong.
    pub fn may_be_stale_keys(self) -> bool {
        matches!(self, Self::Mismatch | Self::NoKeys)
    }
}

impl fmt::Display for ProofError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { header } => write!(f, "the request is not signed: it has no {header}"),
            Self::Malformed { header } => write!(f, "{header} is malformed or was sent more than once"),
            Self::TooOld { age } => write!(
                f,
                "the request was signed {} seconds ago, more than the {} allowed: it is a replay, or one of the clocks is \
                 wrong",
                age.as_secs(),
                PROOF_AGE_MAX.as_secs()
            ),
            Self::FromTheFuture { ahead } => write!(
                f,
                "the request was signed {} seconds in the future, more than the {} allowed: one of the clocks is wrong",
                ahead.as_secs(),
                PROOF_SKEW_MAX.as_secs()
            ),
            Self::Mismatch => f.write_str(
                "no signature fits: the client used another key, or the URL it used is not the one computed here (scheme, \
                 host, port or path behind a proxy)",
            ),
            Self::NoKeys => f.write_str(
                "proofs are required, but no proof key is known: the client's discovery could not be fetched yet, or it \
                 has no usable proof-key",
            ),
        }
    }
}

impl std::error::Error for ProofError {}

/// Checks the three headers against the keys of one client.
///
/// * `url_candidates`: the URLs by which the client may have called us, most likely first, exactly as sent: scheme and
///   host as the client knows them, then the raw request target with its whole query.
/// * `tokens`: the spellings of the access token, most likely first: as it stands in the query, and percent-decoded.
///   Microsoft's published cases sign the first, Microsoft's validator and the other vendors the second.
/// * At most [`PREIMAGES_MAX`] pairs of them are tried.
///
/// # Errors
///
/// Says what the operator should look at.
pub fn verify(
    keys: &ProofKeys,
    headers: &HeaderMap,
    url_candidates: &[&str],
    tokens: &[&str],
    now_ms: i64,
) -> Result<Matched, ProofError> {
    let shown = Shown::parse(headers, now_ms)?;
    let mut digests = Digests::new(url_candidates, tokens, shown.ticks);
    shown.matches(keys, &mut digests).ok_or(shown.why_not())
}

/// The bytes that are signed. `url` is upper-cased here, in ASCII.
pub fn preimage(token: &str, url: &str, ticks: i64) -> Vec<u8> {
    preimage_of(token, &url.to_ascii_uppercase(), ticks)
}

fn preimage_of(token: &str, upper_url: &str, ticks: i64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(token.len() + upper_url.len() + 20);
    for part in [token.as_bytes(), upper_url.as_bytes(), &ticks.to_be_bytes()] {
        // Neither is ever longer than a request may be, far below 4 GiB; a longer one would simply not verify.
        bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

/// What the request shows: signatures that may or may not be any good, and a time that is.
struct Shown {
    proof: Signature,
    proof_old: Signature,
    ticks: i64,
}

/// A header that should carry a signature.
enum Signature {
    Absent,
    Malformed,
    Bytes(Vec<u8>),
}

impl Shown {
    fn parse(headers: &HeaderMap, now_ms: i64) -> Result<Self, ProofError> {
        let ticks = ticks_of(headers)?;
        let behind = i128::from(ticks_from_unix_ms(now_ms)) - i128::from(ticks);
        let behind_us = u64::try_from(behind.unsigned_abs() / 10).unwrap_or(u64::MAX);
        let distance = Duration::from_micros(behind_us);
        if behind > 0 && distance > PROOF_AGE_MAX {
            return Err(ProofError::TooOld { age: distance });
        }
        if behind < 0 && distance > PROOF_SKEW_MAX {
            return Err(ProofError::FromTheFuture { ahead: distance });
        }
        Ok(Self { proof: signature_of(headers, PROOF), proof_old: signature_of(headers, PROOF_OLD), ticks })
    }

    /// Tries the combinations in the order in which they occur, every spelling for each.
    fn matches(&self, keys: &ProofKeys, digests: &mut Digests<'_>) -> Option<Matched> {
        if let Signature::Bytes(proof) = &self.proof
            && digests.any(|digest| keys.current.verifies(digest, proof))
        {
            return Some(Matched::Current);
        }
        // Collabora sends the same signature twice.
        if let Signature::Bytes(proof_old) = &self.proof_old
            && !matches!(&self.proof, Signature::Bytes(proof) if proof == proof_old)
            && digests.any(|digest| keys.current.verifies(digest, proof_old))
        {
            return Some(Matched::ProofOldByCurrent);
        }
        // A client that never changed its key may publish it twice.
        if let Signature::Bytes(proof) = &self.proof
            && let Some(old) = keys.old.as_ref().filter(|old| **old != keys.current)
            && digests.any(|digest| old.verifies(digest, proof))
        {
            return Some(Matched::ProofByOld);
        }
        None
    }

    /// The reason for the operator, when nothing matched.
    fn why_not(&self) -> ProofError {
        match (&self.proof, &self.proof_old) {
            (Signature::Absent, Signature::Absent) => ProofError::Missing { header: PROOF },
            (Signature::Malformed, _) => ProofError::Malformed { header: PROOF },
            (Signature::Absent, Signature::Malformed) => ProofError::Malformed { header: PROOF_OLD },
            (Signature::Bytes(_), _) | (Signature::Absent, Signature::Bytes(_)) => ProofError::Mismatch,
        }
    }
}

/// The only value of a header.
fn only<'a>(headers: &'a HeaderMap, name: &'static str) -> Option<Result<&'a [u8], ProofError>> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    Some(if values.next().is_some() {
        Err(ProofError::Malformed { header: name })
    } else {
        Ok(first.as_bytes().trim_ascii())
    })
}

fn ticks_of(headers: &HeaderMap) -> Result<i64, ProofError> {
    let text = only(headers, TIMESTAMP).ok_or(ProofError::Missing { header: TIMESTAMP })??;
    // `parse` alone would also take a sign.
    if !text.iter().all(u8::is_ascii_digit) {
        return Err(ProofError::Malformed { header: TIMESTAMP });
    }
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(ProofError::Malformed { header: TIMESTAMP })
}

fn signature_of(headers: &HeaderMap, name: &'static str) -> Signature {
    match only(headers, name) {
        None => Signature::Absent,
        Some(Ok([])) => Signature::Absent,
        Some(Ok(text)) if text.len() <= SIGNATURE_TEXT_LENGTH_MAX => {
            key::BASE64.decode(text).map_or(Signature::Malformed, Signature::Bytes)
        }
        Some(_) => Signature::Malformed,
    }
}

/// The hashes of what may have been signed, each computed when it is first needed.
struct Digests<'a> {
    pairs: Vec<(&'a str, String)>,
    ticks: i64,
    computed: Vec<Digest>,
}

impl<'a> Digests<'a> {
    fn new(urls: &[&str], tokens: &[&'a str], ticks: i64) -> Self {
        let mut pairs: Vec<(&'a str, String)> = Vec::with_capacity(1);
        // Upper-casing is that of ASCII in Collabora and Microsoft's clients, that of Unicode in ONLYOFFICE. They agree
        // for every URL that is one.
        for unicode in [false, true] {
            for url in urls.iter().filter(|url| !unicode || !url.is_ascii()) {
                let upper = if unicode { url.to_uppercase() } else { url.to_ascii_uppercase() };
                for token in tokens {
                    if pairs.len() < PREIMAGES_MAX && !pairs.iter().any(|(t, u)| t == token && *u == upper) {
                        pairs.push((token, upper.clone()));
                    }
                }
            }
        }
        Self { pairs, ticks, computed: Vec::with_capacity(1) }
    }

    fn any(&mut self, matches: impl Fn(&Digest) -> bool) -> bool {
        for (at, (token, upper)) in self.pairs.iter().enumerate() {
            if self.computed.len() == at {
                self.computed.push(digest::digest(&digest::SHA256, &preimage_of(token, upper, self.ticks)));
            }
            if self.computed.get(at).is_some_and(&matches) {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests;
