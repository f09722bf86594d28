//! Coauth locks (CSPP Plus): many clients hold one file at once, each under an id of its own.
//!
//! The value types of the four operations on them and of the headers that other operations share with them
//! (`protocol` documents: *WOPI coauthoring locks*). What a table of such locks allows is the host's to decide.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::WopiError;
use crate::lock_id::LockId;

/// Text of 1 to `LENGTH_MAX` printable ASCII characters, opaque, compared byte for byte.
macro_rules! opaque {
    ($(#[$about:meta])* $name:ident, $length_max:literal) => {
        $(#[$about])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Longest one, in characters.
            pub const LENGTH_MAX: usize = $length_max;

            /// The value that `text` spells; `None` if it is empty, too long or not printable ASCII.
            pub fn parse(text: &str) -> Option<Self> {
                let printable = text.bytes().all(|b| (0x20..0x7f).contains(&b));
                ((1..=Self::LENGTH_MAX).contains(&text.len()) && printable).then(|| Self(text.to_owned()))
            }

            /// The text as it was sent.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

opaque! {
    /// The id under which a client holds a coauth lock: 1 to 1024 printable ASCII characters, opaque, compared byte for
    /// byte. It is no WOPI lock id, even if both have the same text.
    CoauthLockId, 1024
}

impl fmt::Debug for CoauthLockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CoauthLockId({} bytes)", self.0.len())
    }
}

opaque! {
    /// The version of the table of coauth locks: the host's own text, which clients send back. Never empty.
    CoauthTableVersion, 256
}

impl CoauthTableVersion {
    /// A version made of the hash of what a table shows: its digits in lower case.
    pub fn of_hash(hash: [u8; 16]) -> Self {
        Self(hash.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl fmt::Debug for CoauthTableVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CoauthTableVersion({})", self.0)
    }
}

/// What a coauth lock is good for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CoauthLockType {
    /// Any number of clients may hold one.
    #[default]
    Coauth,
    /// The same, and only its holder may change the document while it exists. At most one client may hold it.
    CoauthExclusive,
}

impl CoauthLockType {
    /// The published word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Coauth => "Coauth",
            Self::CoauthExclusive => "CoauthExclusive",
        }
    }

    /// The type that the word names, whatever its letter case. `None` is a reserved word and no type.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Coauth, Self::CoauthExclusive].into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(text))
    }
}

/// How long a lock is to last: a whole number of seconds from [`Self::SECONDS_MIN`] to [`Self::SECONDS_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LockTimeout(u32);

impl LockTimeout {
    /// Shortest, in seconds.
    pub const SECONDS_MIN: u32 = 60;

    /// Longest, in seconds.
    pub const SECONDS_MAX: u32 = 3600;

    /// The timeout of so many seconds, if that is one.
    pub fn from_seconds(seconds: u64) -> Option<Self> {
        let seconds = u32::try_from(seconds).ok()?;
        (Self::SECONDS_MIN..=Self::SECONDS_MAX).contains(&seconds).then_some(Self(seconds))
    }

    /// As a span of time.
    pub fn duration(self) -> Duration {
        Duration::from_secs(u64::from(self.0))
    }
}

/// Text that a client keeps with its coauth lock, for the others to read. Empty where it gave none.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct CoauthLockMetadata(String);

impl CoauthLockMetadata {
    /// Largest, in bytes. The documents say 4 KB.
    pub const BYTES_MAX: usize = 4096;

    /// The text as metadata, unless it is larger than [`Self::BYTES_MAX`].
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        (text.len() <= Self::BYTES_MAX).then_some(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the client gave none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for CoauthLockMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CoauthLockMetadata({} bytes)", self.0.len())
    }
}

/// What the body of GetCoauthLock or RefreshCoauthLock says of the metadata; `None` if it says nothing, so that the
/// header counts.
///
/// | body | metadata |
/// |---|---|
/// | none, or only white space | the header's |
/// | an object with `CoauthLockMetadata`: text | that text |
/// | an object with `CoauthLockMetadata`: `""` or `null` | empty |
/// | an object without it | the header's |
/// | no object, or the member is something else or too large | 400 |
///
/// # Errors
///
/// [`WopiError::InvalidRequest`] as the table says.
pub fn metadata_in_body(body: &[u8]) -> Result<Option<CoauthLockMetadata>, WopiError> {
    let invalid = || WopiError::InvalidRequest { header: "body" };
    if body.trim_ascii().is_empty() {
        return Ok(None);
    }
    // A sequence would do for a struct, too.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(invalid());
    }
    let MetadataBody { metadata } = serde_json::from_slice(body).map_err(|_| invalid())?;
    metadata.map(|text| CoauthLockMetadata::new(text.unwrap_or_default()).ok_or_else(invalid)).transpose()
}

/// The one member that is looked at; others are skipped without being kept.
#[derive(Deserialize)]
struct MetadataBody {
    /// `None` if it is not there, `Some(None)` if it is `null`.
    #[serde(rename = "CoauthLockMetadata", default, deserialize_with = "given")]
    metadata: Option<Option<String>>,
}

fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// The lock that a client presents with RenameFile or PutChunkedFile: of one kind at most. Sending both is refused while
/// the headers are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PresentedLock {
    /// None.
    #[default]
    None,
    /// `X-WOPI-Lock`
    Wopi(LockId),
    /// `X-WOPI-CoauthLockId`
    Coauth(CoauthLockId),
}

/// What a client says about the WOPI lock it takes or renews, beside its id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LockTerms {
    /// `X-WOPI-LockExpirationTimeout`; `None` for the usual 30 minutes.
    pub timeout: Option<LockTimeout>,
    /// `X-WOPI-LockUserVisible`: others may learn who holds it, until it is renewed.
    pub user_visible: bool,
}

/// What kind of lock stood in the way (`X-WOPI-ConflictingMechanism`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConflictingMechanism {
    /// A WOPI lock.
    WopiLock,
    /// A `CoauthExclusive` lock.
    CoauthExclusiveLock,
    /// Something that is not WOPI's.
    Other,
}

impl ConflictingMechanism {
    /// The published word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WopiLock => "WOPI-Lock",
            Self::CoauthExclusiveLock => "WOPI-CoauthExclusiveLock",
            Self::Other => "Other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_1_to_1024_printable_ascii_characters() {
        assert!(CoauthLockId::parse("").is_none());
        assert!(CoauthLockId::parse("{8f0b6b1e-0000-0000-0000-000000000000} 1").is_some());
        assert!(CoauthLockId::parse(&"a".repeat(1024)).is_some());
        assert!(CoauthLockId::parse(&"a".repeat(1025)).is_none());
        for bad in ["ä", "a\tb", "a\u{7f}"] {
            assert!(CoauthLockId::parse(bad).is_none(), "{bad:?}");
        }
        assert_eq!(format!("{:?}", CoauthLockId::parse("secret")), "Some(CoauthLockId(6 bytes))");
    }

    #[test]
    fn a_version_is_never_empty() {
        assert!(CoauthTableVersion::parse("").is_none());
        assert!(CoauthTableVersion::parse(&"a".repeat(256)).is_some());
        assert!(CoauthTableVersion::parse(&"a".repeat(257)).is_none());
        let version = CoauthTableVersion::of_hash([0x0a; 16]);
        assert_eq!(version.as_str(), "0a".repeat(16));
        assert_eq!(CoauthTableVersion::parse(version.as_str()), Some(version));
    }

    #[test]
    fn none_is_no_type() {
        for kind in [CoauthLockType::Coauth, CoauthLockType::CoauthExclusive] {
            assert_eq!(CoauthLockType::parse(kind.as_str()), Some(kind));
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{}\"", kind.as_str()));
        }
        assert_eq!(CoauthLockType::parse("coauthexclusive"), Some(CoauthLockType::CoauthExclusive));
        for bad in ["None", "", "Exclusive", "Coauth "] {
            assert_eq!(CoauthLockType::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_timeout_has_60_to_3600_seconds() {
        for (seconds, is_one) in
            [(0, false), (59, false), (60, true), (3600, true), (3601, false), ((1 << 32) + 60, false)]
        {
            let timeout = LockTimeout::from_seconds(seconds);
            assert_eq!(timeout.map(LockTimeout::duration), is_one.then(|| Duration::from_secs(seconds)), "{seconds}");
        }
    }

    #[test]
    fn metadata_has_at_most_4096_bytes() {
        assert!(CoauthLockMetadata::new("ä".repeat(2048)).is_some());
        assert!(CoauthLockMetadata::new("ä".repeat(2048) + "a").is_none());
        assert_eq!(format!("{:?}", CoauthLockMetadata::new("ä").unwrap()), "CoauthLockMetadata(2 bytes)");
    }

    #[test]
    fn the_table_of_bodies() {
        let large = |bytes: usize| format!(r#"{{"CoauthLockMetadata":"{}"}}"#, "\\u0061".repeat(bytes)).into_bytes();
        let metadata = |text: &str| Ok(CoauthLockMetadata::new(text));
        let invalid = || Err(WopiError::InvalidRequest { header: "body" });
        for (body, expected) in [
            (&b""[..], Ok(None)),
            (b" \r\n", Ok(None)),
            (br#"{"CoauthLockMetadata":"m \u00e4"}"#, metadata("m ä")),
            (br#" { "Other": 1, "CoauthLockMetadata": "m" } "#, metadata("m")),
            (br#"{"CoauthLockMetadata":""}"#, metadata("")),
            (br#"{"CoauthLockMetadata":null}"#, metadata("")),
            (b"{}", Ok(None)),
            (br#"{"coauthlockmetadata":"m"}"#, Ok(None)),
            (br#"{"CoauthLockMetadata":5}"#, invalid()),
            (br#"{"CoauthLockMetadata":{"a":"b"}}"#, invalid()),
            (br#""m""#, invalid()),
            (b"[]", invalid()),
            (b"metadata", invalid()),
            (b"\xff", invalid()),
            (&large(4096), metadata(&"a".repeat(4096))),
            (&large(4097), invalid()),
        ] {
            let text = String::from_utf8_lossy(body).chars().take(60).collect::<String>();
            assert_eq!(metadata_in_body(body), expected, "{text}");
        }
    }
}
