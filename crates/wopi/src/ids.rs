//! Ids of files, containers and users: opaque text that is safe in a URL.
//!
//! A file id "must denote exactly one file, be URL-safe, be the same for all users and survive edit, move and rename"
//! (Microsoft's WOPI documentation, *Key concepts*). ONLYOFFICE uses only this segment as its document key and cuts it
//! at 240 characters, so ours are bounded below that.

use std::fmt;

/// Longest id we accept or mint, in characters.
pub const ID_LENGTH_MAX: usize = 200;

/// Letters, digits and `.`, `_`, `=`, `-`: what every client leaves alone in a path segment.
fn is_id(text: &str) -> bool {
    (1..=ID_LENGTH_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'=' | b'-'))
        && text != "."
        && text != ".."
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// * 1 to [`ID_LENGTH_MAX`] characters of `A–Z a–z 0–9 . _ = -`, case-sensitive, compared byte for byte.
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// The id that `text` spells, or `None` if it cannot be one. Whoever asks answers "not found".
            pub fn parse(text: &str) -> Option<Self> {
                is_id(text).then(|| Self(text.to_owned()))
            }

            /// The id as it stands in a URL.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

id! {
    /// The id of a file, the last segment of its WOPISrc.
    FileId
}
id! {
    /// The id of a container.
    ContainerId
}
id! {
    /// The id of a user, as `UserId` and `OwnerId` carry it. Hosts should keep to letters and digits.
    UserId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_url_safe_text_of_bounded_length() {
        for good in ["1", "abc", "a.b_c=d-e", &"x".repeat(ID_LENGTH_MAX)] {
            assert_eq!(FileId::parse(good).map(|id| id.to_string()).as_deref(), Some(good));
        }
        for bad in ["", ".", "..", "a/b", "a b", "ä", "a%20", "a\0", &"x".repeat(ID_LENGTH_MAX + 1)] {
            assert_eq!(FileId::parse(bad), None, "{bad:?}");
        }
    }
}
