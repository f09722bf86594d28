//! The one character that text in PostgreSQL cannot have.
//!
//! `U+0000` comes from outside in a form field or a JSON string, SQLite keeps it, and PostgreSQL refuses it. So it is
//! written as two characters, the first of which Unicode sets aside for use inside a program.

use std::borrow::Cow;

const NUL: char = '\0';
const ESCAPE: char = '\u{FDD0}';
const ESCAPED_NUL: &str = "\u{FDD0}0";
const ESCAPED_ESCAPE: &str = "\u{FDD0}1";

/// The text as PostgreSQL keeps it.
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    if text.contains([NUL, ESCAPE]) {
        Cow::Owned(text.replace(ESCAPE, ESCAPED_ESCAPE).replace(NUL, ESCAPED_NUL))
    } else {
        Cow::Borrowed(text)
    }
}

/// The text that was [`escaped`].
pub(crate) fn unescaped(text: &str) -> Cow<'_, str> {
    if text.contains(ESCAPE) {
        Cow::Owned(text.replace(ESCAPED_NUL, "\0").replace(ESCAPED_ESCAPE, "\u{FDD0}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back_and_none_is_kept_with_a_nul() {
        for text in
            ["", "a", "\0", "a\0b\0", "\u{FDD0}", "\u{FDD0}0", "\0\u{FDD0}1\0", "\u{FDD0}\0", "\u{FDD0}\u{FDD0}1"]
        {
            let kept = escaped(text);
            assert!(!kept.contains('\0'));
            assert_eq!(unescaped(&kept), text, "{text:?}");
        }
    }
}
