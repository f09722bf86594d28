//! The public half of a proof key, in the forms in which discovery documents carry it.

use std::fmt;

use aws_lc_rs::digest::Digest;
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Standard base64, with or without padding: not every vendor writes it.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// What a CAPI blob of an RSA signature or exchange key begins with: type PUBLICKEYBLOB, version 2, two reserved bytes.
const BLOB_START: [u8; 4] = [0x06, 0x02, 0x00, 0x00];
/// `CALG_RSA_KEYX`, which all known documents name.
const BLOB_ALGORITHM: [u8; 4] = [0x00, 0xa4, 0x00, 0x00];
/// `CALG_RSA_SIGN`, which one may name as well.
const BLOB_ALGORITHM_SIGN: [u8; 4] = [0x00, 0x24, 0x00, 0x00];
/// The magic number of a public key.
const BLOB_MAGIC: [u8; 4] = *b"RSA1";
/// Where the modulus begins.
const BLOB_HEADER_LENGTH: usize = 20;

/// An RSA key that checks signatures, ready to: it was parsed once and keeps what can be computed ahead.
///
/// * [`Self::BITS_MIN`] to [`Self::BITS_MAX`] bits. Samples of real farms have 1024 and 2048.
/// * Two keys are equal if modulus and exponent are.
#[derive(Clone)]
pub struct PublicKey {
    parsed: ParsedPublicKey,
    modulus: Box<[u8]>,
    exponent: Box<[u8]>,
}

/// Why some text is no usable key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyError {
    /// Modulus, exponent or blob is empty.
    Empty,
    /// Not base64, or far too long.
    NotBase64,
    /// Not a CAPI PUBLICKEYBLOB of an RSA key, or cut short.
    NotABlob,
    /// No RSA key of the sizes that are accepted.
    Refused {
        /// Its size.
        bits: usize,
    },
    /// Not an RSA private key in PKCS #8 or PKCS #1, DER or PEM, of at least 2048 bits.
    NotAPrivateKey,
    /// The cryptographic library could not do it.
    Failed,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the proof key is empty"),
            Self::NotBase64 => f.write_str("the proof key is not base64"),
            Self::NotABlob => f.write_str("the proof key is not an RSA PUBLICKEYBLOB"),
            Self::Refused { bits } => write!(
                f,
                "an RSA key of {bits} bits with this exponent cannot be used ({} to {} can)",
                PublicKey::BITS_MIN,
                PublicKey::BITS_MAX
            ),
            Self::NotAPrivateKey => f.write_str("not an unencrypted RSA private key of at least 2048 bits"),
            Self::Failed => f.write_str("the cryptographic library failed"),
        }
    }
}

impl std::error::Error for KeyError {}

impl PublicKey {
    /// Smallest key that is accepted.
    pub const BITS_MIN: usize = 1024;
    /// Largest key that is accepted.
    pub const BITS_MAX: usize = 8192;

    /// Longest exponent: what a CAPI blob has room for. All known keys have 3 or 65537.
    const EXPONENT_BYTES_MAX: usize = 4;

    /// Longest text of a key, in bytes: room for 8192 bits, a blob's header and line breaks.
    const TEXT_LENGTH_MAX: usize = 2048;

    /// The key of a `proof-key` element, from whichever of its attributes is usable.
    ///
    /// Modulus and exponent come first. Office Web Apps 2013 has only the blob, and some releases of ONLYOFFICE write a
    /// modulus that is none.
    ///
    /// # Errors
    ///
    /// If neither is usable: what is wrong with modulus and exponent, or with the blob if they are empty.
    pub fn from_discovery(modulus: &str, exponent: &str, blob: &str) -> Result<Self, KeyError> {
        Self::from_modulus_exponent(modulus, exponent).or_else(|error| {
            Self::from_capi_blob(blob).map_err(|blob_error| if error == KeyError::Empty { blob_error } else { error })
        })
    }

    /// The key with this modulus and exponent: base64 of big-endian integers, leading zero bytes allowed.
    ///
    /// # Errors
    ///
    /// [`KeyError`]
    pub fn from_modulus_exponent(modulus: &str, exponent: &str) -> Result<Self, KeyError> {
        Self::from_integers(&decode(modulus)?, &decode(exponent)?)
    }

    /// The key in a CAPI PUBLICKEYBLOB, in base64: header `06 02 00 00 00 A4 00 00`, `RSA1`, then little-endian the
    /// number of bits, the exponent and the modulus.
    ///
    /// # Errors
    ///
    /// [`KeyError`]
    pub fn from_capi_blob(blob: &str) -> Result<Self, KeyError> {
        let blob = decode(blob)?;
        let (header, modulus) = blob.split_at_checked(BLOB_HEADER_LENGTH).ok_or(KeyError::NotABlob)?;
        let (fields, _) = header.as_chunks::<4>();
        let &[start, algorithm, magic, bits, exponent] = fields else { return Err(KeyError::NotABlob) };
        let bytes = usize::try_from(u32::from_le_bytes(bits)).unwrap_or(usize::MAX).div_ceil(8);
        if start != BLOB_START
            || ![BLOB_ALGORITHM, BLOB_ALGORITHM_SIGN].contains(&algorithm)
            || magic != BLOB_MAGIC
            || modulus.len() < bytes
        {
            return Err(KeyError::NotABlob);
        }
        let mut modulus = modulus[..bytes].to_vec();
        modulus.reverse();
        Self::from_integers(&modulus, &u32::from_le_bytes(exponent).to_be_bytes())
    }

    /// The key with this modulus and exponent, big-endian.
    ///
    /// # Errors
    ///
    /// [`KeyError`]
    pub fn from_integers(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyError> {
        let (n, e) = (without_leading_zeros(modulus), without_leading_zeros(exponent));
        let Some(first) = n.first().filter(|_| !e.is_empty()) else { return Err(KeyError::Empty) };
        let bits = n.len() * 8 - first.leading_zeros() as usize;
        // With the exponent 1 everything would be its own signature, and an even one is not RSA.
        let odd = e.last().is_some_and(|last| last % 2 == 1);
        if e == [1] || !odd || e.len() > Self::EXPONENT_BYTES_MAX || !(Self::BITS_MIN..=Self::BITS_MAX).contains(&bits)
        {
            return Err(KeyError::Refused { bits });
        }
        // The "legacy" in its name is about 1024 bits; for larger keys it is the same algorithm as its siblings.
        let parsed = PublicKeyComponents { n, e }
            .to_parsed_public_key(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY)
            .map_err(|_| KeyError::Refused { bits })?;
        Ok(Self { parsed, modulus: n.into(), exponent: e.into() })
    }

    /// How many bits the modulus has.
    pub fn bits(&self) -> usize {
        self.modulus.len() * 8 - self.modulus.first().map_or(0, |first| first.leading_zeros() as usize)
    }

    /// The `modulus` of a `proof-key` element.
    pub fn modulus_base64(&self) -> String {
        BASE64.encode(&self.modulus)
    }

    /// The `exponent` of a `proof-key` element.
    pub fn exponent_base64(&self) -> String {
        BASE64.encode(&self.exponent)
    }

    /// The `value` of a `proof-key` element.
    pub fn capi_blob_base64(&self) -> String {
        let exponent = self.exponent.iter().fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
        // At most BITS_MAX.
        let bits = u32::try_from(self.bits()).unwrap_or(u32::MAX);
        let mut blob = [BLOB_START, BLOB_ALGORITHM, BLOB_MAGIC, bits.to_le_bytes(), exponent.to_le_bytes()].concat();
        blob.extend(self.modulus.iter().rev());
        BASE64.encode(blob)
    }

    /// Whether `signature` is one of this key for what has this hash.
    pub(super) fn verifies(&self, digest: &Digest, signature: &[u8]) -> bool {
        // A signature is as long as the modulus. Whatever is not costs nothing.
        signature.len() == self.modulus.len() && self.parsed.verify_digest_sig(digest, signature).is_ok()
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.modulus == other.modulus && self.exponent == other.exponent
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} bits)", self.bits())
    }
}

fn without_leading_zeros(integer: &[u8]) -> &[u8] {
    let zeros = integer.iter().take_while(|byte| **byte == 0).count();
    integer.get(zeros..).unwrap_or_default()
}

/// Base64 as it may stand in an attribute: line breaks have become blanks.
fn decode(text: &str) -> Result<Vec<u8>, KeyError> {
    let compact: String =
        text.chars().filter(|c| !c.is_ascii_whitespace()).take(PublicKey::TEXT_LENGTH_MAX + 1).collect();
    if compact.is_empty() {
        return Err(KeyError::Empty);
    }
    if compact.len() > PublicKey::TEXT_LENGTH_MAX {
        return Err(KeyError::NotBase64);
    }
    BASE64.decode(compact).map_err(|_| KeyError::NotBase64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A modulus of the first size that is accepted. It need not be a product of primes to be parsed.
    fn modulus(bits: usize) -> Vec<u8> {
        let mut modulus = vec![0xa5; bits.div_ceil(8)];
        modulus[0] = 1 << ((bits - 1) % 8);
        modulus
    }

    fn base64(bytes: &[u8]) -> String {
        BASE64.encode(bytes)
    }

    #[test]
    fn sizes_at_the_edges() {
        for (bits, accepted) in [(1023, false), (1024, true), (1025, true), (2048, true), (8192, true), (8193, false)] {
            let key = PublicKey::from_integers(&modulus(bits), &[1, 0, 1]);
            assert_eq!(key.map(|key| key.bits()), if accepted { Ok(bits) } else { Err(KeyError::Refused { bits }) });
        }
    }

    #[test]
    fn leading_zeros_blanks_and_missing_padding_make_no_difference() {
        let plain = PublicKey::from_integers(&modulus(2048), &[1, 0, 1]).unwrap();
        let padded = [&[0, 0][..], &modulus(2048)].concat();
        let mut text = base64(&padded).trim_end_matches('=').to_owned();
        text.insert(100, ' ');
        assert_eq!(PublicKey::from_modulus_exponent(&text, " AAEAAQ == ".replace(' ', "").as_str()), Ok(plain.clone()));
        assert_eq!(PublicKey::from_modulus_exponent(&plain.modulus_base64(), "AQAB"), Ok(plain));
    }

    #[test]
    fn a_blob_and_its_integers_are_one_key() {
        let key = PublicKey::from_integers(&modulus(1024), &[3]).unwrap();
        assert_eq!(PublicKey::from_capi_blob(&key.capi_blob_base64()), Ok(key));
    }

    /// | modulus | exponent | blob | |
    /// |---|---|---|---|
    /// | good | good | anything | integers |
    /// | empty | empty | good | blob (Office Web Apps 2013) |
    /// | bad | good | good | blob (ONLYOFFICE) |
    /// | empty | empty | empty | empty |
    /// | bad | good | bad | what is wrong with the integers |
    /// | empty | empty | bad | what is wrong with the blob |
    #[test]
    fn integers_are_preferred_and_the_blob_is_the_way_out() {
        let one = PublicKey::from_integers(&modulus(1024), &[3]).unwrap();
        let two = PublicKey::from_integers(&modulus(2048), &[3]).unwrap();
        let (n, e, blob) = (one.modulus_base64(), one.exponent_base64(), two.capi_blob_base64());
        for (modulus, exponent, value, expected) in [
            (n.as_str(), e.as_str(), blob.as_str(), Ok(one.clone())),
            (&n, &e, "", Ok(one.clone())),
            ("", "", &blob, Ok(two.clone())),
            ("%%", &e, &blob, Ok(two.clone())),
            ("AQAB", &e, &blob, Ok(two.clone())),
            (&n, "AA==", &blob, Ok(two)),
            ("", "", "", Err(KeyError::Empty)),
            ("%%", &e, "AQAB", Err(KeyError::NotBase64)),
            ("", "", "AQAB", Err(KeyError::NotABlob)),
        ] {
            assert_eq!(PublicKey::from_discovery(modulus, exponent, value), expected);
        }
    }

    #[test]
    fn damaged_keys_are_refused() {
        let key = PublicKey::from_integers(&modulus(1024), &[3]).unwrap();
        let blob = BASE64.decode(key.capi_blob_base64()).unwrap();
        for at in [0, 5, 8] {
            let mut bad = blob.clone();
            bad[at] ^= 0xff;
            assert_eq!(PublicKey::from_capi_blob(&base64(&bad)), Err(KeyError::NotABlob));
        }
        assert_eq!(PublicKey::from_capi_blob(&base64(&blob[..blob.len() - 1])), Err(KeyError::NotABlob));
        let mut huge = blob.clone();
        huge[12..16].copy_from_slice(&[0xff; 4]);
        assert_eq!(PublicKey::from_capi_blob(&base64(&huge)), Err(KeyError::NotABlob));
        assert_eq!(PublicKey::from_modulus_exponent(&"A".repeat(1 << 20), "AQAB"), Err(KeyError::NotBase64));
        for exponent in [&[1][..], &[2], &[0, 0], &[1; 5]] {
            assert!(
                PublicKey::from_integers(&modulus(2048), exponent)
                    .is_err_and(|error| { matches!(error, KeyError::Refused { bits: 2048 } | KeyError::Empty) })
            );
        }
    }
}
