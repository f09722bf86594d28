//! The client's half: a private key, and the three headers. For tests, tools and clients.

use std::fmt;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::key::BASE64;
use super::{KeyError, PublicKey, preimage, ticks_from_unix_ms};

/// Longest line of base64 in PEM (RFC 7468).
const PEM_LINE_LENGTH: usize = 64;

/// An RSA private key that signs requests. Its `Debug` shows nothing of it.
pub struct SigningKey {
    pair: KeyPair,
    public: PublicKey,
}

impl SigningKey {
    /// A fresh key of 2048 bits.
    ///
    /// # Errors
    ///
    /// [`KeyError::Failed`] if the system has no random bits.
    pub fn generate() -> Result<Self, KeyError> {
        Self::from_pair(KeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyError::Failed)?)
    }

    /// The unencrypted key in PKCS #8 or PKCS #1, DER.
    ///
    /// # Errors
    ///
    /// [`KeyError::NotAPrivateKey`]
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        let pair =
            KeyPair::from_pkcs8(der).or_else(|_| KeyPair::from_der(der)).map_err(|_| KeyError::NotAPrivateKey)?;
        Self::from_pair(pair)
    }

    /// The unencrypted key in the first `PRIVATE KEY` or `RSA PRIVATE KEY` block of a PEM text.
    ///
    /// # Errors
    ///
    /// [`KeyError::NotAPrivateKey`]
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        for label in ["PRIVATE KEY", "RSA PRIVATE KEY"] {
            let block = pem
                .split_once(&format!("-----BEGIN {label}-----"))
                .and_then(|(_, rest)| rest.split_once(&format!("-----END {label}-----")));
            if let Some((base64, _)) = block {
                let compact: String = base64.chars().filter(|c| !c.is_ascii_whitespace()).collect();
                return Self::from_der(&BASE64.decode(compact).map_err(|_| KeyError::NotAPrivateKey)?);
            }
        }
        Err(KeyError::NotAPrivateKey)
    }

    /// The key in PKCS #8, PEM, unencrypted.
    ///
    /// # Errors
    ///
    /// [`KeyError::Failed`]
    pub fn to_pem(&self) -> Result<String, KeyError> {
        let der = self.pair.as_der().map_err(|_| KeyError::Failed)?;
        let base64 = BASE64.encode(der.as_ref());
        let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
        let mut rest = base64.as_str();
        while let Some((line, after)) = rest.split_at_checked(PEM_LINE_LENGTH) {
            pem.push_str(line);
            pem.push('\n');
            rest = after;
        }
        if !rest.is_empty() {
            pem.push_str(rest);
            pem.push('\n');
        }
        pem.push_str("-----END PRIVATE KEY-----\n");
        Ok(pem)
    }

    /// What a discovery document publishes of it.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The signature of `message`, in base64.
    ///
    /// # Errors
    ///
    /// [`KeyError::Failed`]
    pub fn sign(&self, message: &[u8]) -> Result<String, KeyError> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
            .map_err(|_| KeyError::Failed)?;
        Ok(BASE64.encode(signature))
    }

    fn from_pair(pair: KeyPair) -> Result<Self, KeyError> {
        let (modulus, exponent) = integers(pair.public_key().as_ref()).ok_or(KeyError::NotAPrivateKey)?;
        let public = PublicKey::from_integers(modulus, exponent)?;
        Ok(Self { pair, public })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({} bits)", self.public.bits())
    }
}

/// What a client sends with a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProofHeaders {
    /// `X-WOPI-Proof`
    pub proof: String,
    /// `X-WOPI-ProofOld`
    pub proof_old: String,
    /// `X-WOPI-TimeStamp`
    pub timestamp: String,
}

impl ProofHeaders {
    /// The names and values.
    pub fn pairs(&self) -> [(&'static str, &str); 3] {
        [(super::PROOF, &self.proof), (super::PROOF_OLD, &self.proof_old), (super::TIMESTAMP, &self.timestamp)]
    }

    /// Sets the headers, replacing earlier ones.
    pub fn put_into(&self, headers: &mut HeaderMap) {
        for (name, value) in self.pairs() {
            // Base64 and digits are header values, and the names are names.
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                headers.insert(name, value);
            }
        }
    }
}

/// Signs a request as a client does that has a `current` and an `old` key; one that never changed its key gives it twice.
///
/// `url` is the whole URL as it will be sent, `token` the access token, percent-decoded, as most clients take it.
///
/// # Errors
///
/// [`KeyError::Failed`]
pub fn sign(
    current: &SigningKey,
    old: &SigningKey,
    url: &str,
    token: &str,
    now_ms: i64,
) -> Result<ProofHeaders, KeyError> {
    let ticks = ticks_from_unix_ms(now_ms);
    let message = preimage(token, url, ticks);
    Ok(ProofHeaders { proof: current.sign(&message)?, proof_old: old.sign(&message)?, timestamp: ticks.to_string() })
}

/// Modulus and exponent of an `RSAPublicKey` (RFC 8017, A.1.1): a sequence of two integers, in DER.
fn integers(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (sequence, _) = element(der, 0x30)?;
    let (modulus, rest) = element(sequence, 0x02)?;
    let (exponent, _) = element(rest, 0x02)?;
    Some((modulus, exponent))
}

/// The content of the first element, if it has this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..0x80 => (usize::from(first), rest),
        _ => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length =
                digits.iter().try_fold(0_usize, |sum, digit| sum.checked_mul(256)?.checked_add(usize::from(*digit)))?;
            (length, rest)
        }
    };
    (found == tag).then(|| rest.split_at_checked(length)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_pem_and_both_ders() {
        let key = SigningKey::generate().unwrap();
        let pem = key.to_pem().unwrap();
        assert!(pem.lines().all(|line| line.len() <= PEM_LINE_LENGTH));
        assert_eq!(SigningKey::from_pem(&format!("Bag Attributes\n{pem}")).unwrap().public(), key.public());

        let der = key.pair.as_der().unwrap();
        assert_eq!(SigningKey::from_der(der.as_ref()).unwrap().public(), key.public());

        // PKCS #8 is a sequence of version, algorithm, and an octet string that holds PKCS #1.
        let (sequence, _) = element(der.as_ref(), 0x30).unwrap();
        let (_, rest) = element(sequence, 0x02).unwrap();
        let (_, rest) = element(rest, 0x30).unwrap();
        let (pkcs1, _) = element(rest, 0x04).unwrap();
        let pem =
            format!("-----BEGIN RSA PRIVATE KEY-----\r\n{}\r\n-----END RSA PRIVATE KEY-----", BASE64.encode(pkcs1));
        assert_eq!(SigningKey::from_pem(&pem).unwrap().public(), key.public());
    }

    #[test]
    fn what_is_no_private_key_is_refused() {
        for bad in [
            "",
            "-----BEGIN PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----\n%%%\n-----END PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
        ] {
            assert_eq!(SigningKey::from_pem(bad).err(), Some(KeyError::NotAPrivateKey), "{bad:?}");
        }
    }

    #[test]
    fn a_private_key_never_shows() {
        assert_eq!(format!("{:?}", SigningKey::generate().unwrap()), "SigningKey(2048 bits)");
    }
}
