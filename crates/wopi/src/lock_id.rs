//! Lock ids: opaque text that a client chose and expects back unchanged.

use std::fmt;

/// A WOPI lock id: 1 to 1024 printable ASCII characters, opaque, compared byte for byte.
///
/// Clients put JSON in here and expect it back unchanged; never trim, never parse.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct LockId(String);

impl LockId {
    /// Longest lock id, in characters (`SupportsExtendedLockLength`).
    pub const LENGTH_MAX: usize = 1024;

    /// The lock id that `text` spells; `None` if it is empty, too long or not printable ASCII.
    pub fn parse(text: &str) -> Option<Self> {
        let printable = text.bytes().all(|b| (0x20..0x7f).contains(&b));
        ((1..=Self::LENGTH_MAX).contains(&text.len()) && printable).then(|| Self(text.to_owned()))
    }

    /// The id as the client sent it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for LockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LockId({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_id_has_1_to_1024_printable_ascii_characters() {
        assert!(LockId::parse("").is_none());
        assert!(LockId::parse(r#"{"S":"x","F":4}"#).is_some());
        assert!(LockId::parse(&"a".repeat(LockId::LENGTH_MAX)).is_some());
        assert!(LockId::parse(&"a".repeat(LockId::LENGTH_MAX + 1)).is_none());
        assert!(LockId::parse("ä").is_none());
        assert!(LockId::parse("a\tb").is_none());
    }

    #[test]
    fn debug_tells_the_length_only() {
        assert_eq!(format!("{:?}", LockId::parse("secret")), "Some(LockId(6 bytes))");
    }
}
