//! File names as the protocol may carry them: one path segment, never a path.

use std::fmt;

/// The name of a file or container, extension included: one segment that can stand in a folder.
///
/// * 1 to [`FileName::BYTES_MAX`] bytes of UTF-8
/// * no `/`, no `\`, no control characters
/// * neither `.` nor `..`
///
/// This is what must hold for any name at all. Which names a host lets clients choose is the host's own policy.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileName(String);

/// Why some text cannot be a [`FileName`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NameError {
    /// No text at all.
    Empty,
    /// More than [`FileName::BYTES_MAX`] bytes.
    TooLong,
    /// `.` or `..`.
    Dots,
    /// A path separator or a control character.
    Character(char),
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the name is empty"),
            Self::TooLong => write!(f, "the name is longer than {} bytes", FileName::BYTES_MAX),
            Self::Dots => f.write_str("the name is only dots"),
            Self::Character(c) => write!(f, "the name contains {c:?}"),
        }
    }
}

impl std::error::Error for NameError {}

impl FileName {
    /// Longest name in bytes, the limit of the common file systems.
    pub const BYTES_MAX: usize = 255;

    /// The name that `text` spells.
    ///
    /// # Errors
    ///
    /// Says which rule of the type's description `text` breaks.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if let Some(bad) = text.chars().find(|c| matches!(c, '/' | '\\') || c.is_control()) {
            return Err(NameError::Character(bad));
        }
        if text.len() > Self::BYTES_MAX {
            return Err(NameError::TooLong);
        }
        if text == "." || text == ".." {
            return Err(NameError::Dots);
        }
        Ok(Self(text.to_owned()))
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name without its extension: `report` of `report.docx`, `.hidden` of `.hidden`.
    pub fn stem(&self) -> &str {
        self.split().0
    }

    /// The extension with its dot, `.docx`; empty if there is none.
    pub fn extension(&self) -> &str {
        self.split().1
    }

    fn split(&self) -> (&str, &str) {
        match self.0.rfind('.') {
            Some(at) if at > 0 && at + 1 < self.0.len() => self.0.split_at(at),
            _ => (&self.0, ""),
        }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileName({:?})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_segment() {
        for good in ["a", "a.docx", "Übersicht 2024.docx", "…", "a.b.c", ".hidden", "~$x.docx", &"x".repeat(255)] {
            assert!(FileName::parse(good).is_ok(), "{good:?}");
        }
        for (bad, why) in [
            ("", NameError::Empty),
            (".", NameError::Dots),
            ("..", NameError::Dots),
            ("a/b", NameError::Character('/')),
            ("a\\b", NameError::Character('\\')),
            ("a\0", NameError::Character('\0')),
            (&"x".repeat(256), NameError::TooLong),
        ] {
            assert_eq!(FileName::parse(bad), Err(why), "{bad:?}");
        }
    }

    #[test]
    fn stem_and_extension() {
        for (name, stem, extension) in [
            ("report.docx", "report", ".docx"),
            ("a.b.c", "a.b", ".c"),
            ("README", "README", ""),
            (".hidden", ".hidden", ""),
            ("dot.", "dot.", ""),
        ] {
            let name = FileName::parse(name).unwrap();
            assert_eq!((name.stem(), name.extension()), (stem, extension));
        }
    }
}
