//! Which names of a folder clients see.

use lectern_host::wopi::FileName;

/// The name as clients see it; `None` if it is not offered.
///
/// | not offered | because |
/// |---|---|
/// | not UTF-8, or no [`FileName`] (`a\b`, control characters) | no client could say it |
/// | `.anything` | hidden: ours (`.lectern`), `.~lock.report.odt#` of LibreOffice, `._x` and `.DS_Store` of macOS, `.goutputstream-…` of GNOME |
/// | `~$report.docx` | the owner file of Microsoft Office |
/// | `~WRL0001.tmp`, `~WRD0000.tmp`, `~DF12.tmp`, any `~….tmp` | what Word writes beside the file it saves |
/// | `1A2B3C4D.tmp` (eight hexadecimal digits) | what Excel writes and then renames |
/// | `ppt1A2.tmp` (`ppt` and hexadecimal digits) | the same of PowerPoint |
/// | `lu1234abc5.tmp` (`lu` and six or more letters and digits) | the same of LibreOffice |
/// | `Thumbs.db`, `ehthumbs.db`, `desktop.ini` | what Windows leaves in folders |
///
/// Letter case does not matter in this table. Other `.tmp` files are people's own and are offered.
pub(super) fn offered(name: &[u8]) -> Option<FileName> {
    let name = FileName::parse(std::str::from_utf8(name).ok()?).ok()?;
    is_shown(name.as_str()).then_some(name)
}

/// Whether a name that is a [`FileName`] is offered.
pub(super) fn is_shown(name: &str) -> bool {
    !(name.starts_with('.') || name.starts_with("~$") || is_temporary(name) || is_of_windows(name))
}

fn is_temporary(name: &str) -> bool {
    if !name.as_bytes().last_chunk::<4>().is_some_and(|end| end.eq_ignore_ascii_case(b".tmp")) {
        return false;
    }
    let name = name.to_ascii_lowercase();
    let Some(stem) = name.strip_suffix(".tmp") else { return false };
    let hexadecimal = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    stem.starts_with('~')
        || (stem.len() == 8 && hexadecimal(stem))
        || stem.strip_prefix("ppt").is_some_and(hexadecimal)
        || stem
            .strip_prefix("lu")
            .is_some_and(|rest| rest.len() >= 6 && rest.bytes().all(|b| b.is_ascii_alphanumeric()))
}

fn is_of_windows(name: &str) -> bool {
    ["thumbs.db", "ehthumbs.db", "desktop.ini"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::offered;

    #[test]
    fn the_table_of_names_that_are_offered() {
        for name in [
            "report.docx",
            "Übersicht 2024.odt",
            "tmp",
            "notes.tmp",
            "~draft.docx",
            "x~",
            "$x",
            "lu.tmp",
            "luise.tmp",
            "12345678.docx",
            "123456789.tmp",
            "ppt.tmp",
            "pptabz.tmp",
            "Thumbs.db.docx",
            "…",
        ] {
            assert_eq!(offered(name.as_bytes()).map(|name| name.to_string()).as_deref(), Some(name));
        }
        for name in [
            "",
            ".",
            "..",
            ".hidden",
            ".lectern",
            ".LECTERN",
            ".~lock.report.odt#",
            "._report.docx",
            ".DS_Store",
            ".goutputstream-ABC",
            "~$report.docx",
            "~WRL0001.tmp",
            "~wrd0000.TMP",
            "~DF12.tmp",
            "1A2B3C4D.tmp",
            "ppt1A2.tmp",
            "lu1234abc5.tmp",
            "Thumbs.db",
            "THUMBS.DB",
            "ehthumbs.db",
            "Desktop.ini",
            "a\\b",
            "a\nb",
            "a/b",
        ] {
            assert_eq!(offered(name.as_bytes()), None, "{name:?}");
        }
        assert_eq!(offered(b"\xff.docx"), None);
    }
}
