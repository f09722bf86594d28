//! Which names clients may choose, and how a name is made out of one they may not.
//!
//! A folder may hold names that we would not let a client choose; those are served all the same. What we let them
//! choose has to live on every file system and in every office client: Office for iOS breaks on ``\ / : * ? " < > | #
//! { } ^ [ ] ` %`` in a name (protocol/files.md 1.2), Windows reserves device names and cuts trailing dots and spaces.
//!
//! | text | legal | instead |
//! |---|---|---|
//! | `report.docx` | yes | |
//! | `a/b.docx`, `a:b.docx`, `what?.docx` | no | `a-b.docx`, `a-b.docx`, `what-.docx` |
//! | `CON.docx`, `nul` | no | `CON-.docx`, `nul-` |
//! | `.hidden.docx`, `~$x.docx`, `.~lock.x#` | no, not offered | `hidden.docx`, `x.docx`, `lock.x-` |
//! | `~WRL0001.tmp`, `1A2B3C4D.tmp`, `ppt1A2.tmp`, `lu1234ab.tmp` | no, not offered | `WRL0001.tmp`, `1A2B3C4D-.tmp`, `ppt1A2-.tmp`, `lu1234ab-.tmp` |
//! | `Thumbs.db` | no, not offered | `Thumbs-.db` |
//! | `x.docx `, `x.docx.` | no | `x.docx` |
//! | ``, ` `, `..` | no | the default name |
//! | 300 letters | no | cut, extension kept |

use wopi::FileName;

/// The stem of a file for which nobody suggested one.
pub const DEFAULT_STEM: &str = "Document";

/// How many names are tried beside a taken one before giving up.
pub const CANDIDATES_MAX: u32 = 1000;

/// Room kept for ` (999)` behind a stem that is as long as can be.
const COUNTER_BYTES_MAX: usize = 8;

const FORBIDDEN: &[char] = &['/', '\\', ':', '*', '?', '"', '<', '>', '|', '#', '{', '}', '^', '[', ']', '`', '%'];

const RESERVED: &[&str] = &[
    "con", "prn", "aux", "nul", "com0", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9", "lpt0",
    "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// Why a client may not choose a name. As text it is words for a header, ASCII but for the character itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Objection {
    /// A character that some file system or office client cannot live with.
    #[error("the name contains {0}")]
    Character(char),
    /// What hidden and temporary files are called.
    #[error("names of hidden and temporary files cannot be chosen")]
    Unoffered,
    /// A space at the beginning, or a space or dot at the end.
    #[error("the name begins with a space or ends in a space or a dot")]
    Edges,
    /// The name of a device on Windows.
    #[error("the name is reserved on Windows")]
    Reserved,
}

/// Says what is wrong with a name that a client chose; `Ok` if nothing is.
///
/// # Errors
///
/// The first rule it breaks.
pub fn legal(name: &FileName) -> Result<(), Objection> {
    let text = name.as_str();
    if let Some(bad) = text.chars().find(|c| FORBIDDEN.contains(c)) {
        return Err(Objection::Character(bad));
    }
    if is_unoffered(text) {
        return Err(Objection::Unoffered);
    }
    if text.ends_with(['.', ' ']) || text.starts_with(' ') {
        return Err(Objection::Edges);
    }
    if is_reserved(text) {
        return Err(Objection::Reserved);
    }
    Ok(())
}

/// A legal name as near as possible to `text`, which may be anything. `extension` (with its dot, or empty) is what a
/// cut or empty name ends in.
pub fn legalize(text: &str, extension: &str) -> FileName {
    let extension = clean(extension);
    let extension = extension.trim_end_matches(['.', ' ']);
    let extension = if extension.len() > 1 && extension.len() <= 32 { extension } else { "" };
    let cleaned = clean(text);
    let cleaned = cleaned.trim_start_matches(['.', '~', '$', ' ']).trim_end_matches(['.', ' ']);
    let stem = cleaned.strip_suffix(extension).unwrap_or(cleaned).trim_end_matches(['.', ' ']);
    let stem = if stem.chars().all(|c| matches!(c, '-' | '.' | ' ')) { DEFAULT_STEM } else { stem };
    let stem = cut(stem, FileName::BYTES_MAX - extension.len() - COUNTER_BYTES_MAX).trim_end_matches(['.', ' ']);
    let spoilt = is_reserved(stem) || is_unoffered(&format!("{stem}{extension}"));
    let stem = if spoilt { format!("{stem}-") } else { stem.to_owned() };
    // What is left has no separators, is not empty, not only dots and not too long; the default is, too, a name.
    FileName::parse(&format!("{stem}{extension}"))
        .or_else(|_| FileName::parse(DEFAULT_STEM))
        .unwrap_or_else(|_| unreachable!("the default stem is a name"))
}

/// `name` itself, then `stem (2).ext`, `stem (3).ext` and so on.
pub fn candidates(name: &FileName) -> impl Iterator<Item = FileName> + '_ {
    let (stem, extension) = (name.stem(), name.extension());
    let room = FileName::BYTES_MAX.saturating_sub(extension.len() + COUNTER_BYTES_MAX);
    let stem = cut(stem, room);
    std::iter::once(name.clone())
        .chain((2..=CANDIDATES_MAX).filter_map(move |n| FileName::parse(&format!("{stem} ({n}){extension}")).ok()))
}

/// Whether files of this name are hidden or belong to a running office program, so that no client is offered them. A
/// tree does not take such names either, so a name that a client merely suggests must not become one.
pub fn is_unoffered(text: &str) -> bool {
    text.starts_with('.')
        || text.starts_with("~$")
        || ["thumbs.db", "ehthumbs.db", "desktop.ini"].iter().any(|known| text.eq_ignore_ascii_case(known))
        || is_temporary(text)
}

/// What Word, Excel, PowerPoint and LibreOffice write beside the file they save.
fn is_temporary(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let Some(stem) = text.strip_suffix(".tmp") else { return false };
    let hexadecimal = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    let of_libre_office = |rest: &str| rest.len() >= 6 && rest.bytes().all(|b| b.is_ascii_alphanumeric());
    stem.starts_with('~')
        || (stem.len() == 8 && hexadecimal(stem))
        || stem.strip_prefix("ppt").is_some_and(hexadecimal)
        || stem.strip_prefix("lu").is_some_and(of_libre_office)
}

/// Whether programs that keep the file before a save under another name would call that of `original` so.
///
/// | | |
/// |---|---|
/// | `report.txt~`, `report.txt.~3~` | Emacs, Vim, Kate |
/// | `report.txt.bak`, `report.txt.old`, `report.txt.orig` | many |
/// | `report.bak` | LibreOffice, older editors |
pub fn is_backup(name: &FileName, original: &FileName) -> bool {
    if let Some(rest) = name.as_str().strip_prefix(original.as_str()) {
        let numbered = |rest: &str| {
            let digits = rest.strip_prefix(".~").and_then(|rest| rest.strip_suffix('~')).unwrap_or_default();
            !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
        };
        return matches!(rest, "~" | ".bak" | ".old" | ".orig") || numbered(rest);
    }
    name.extension() == ".bak" && name.stem() == original.stem()
}

/// How many bytes the stem of a file may have, so that its extension and a counter still fit (`FileNameMaxLength`,
/// which counts without the extension).
pub fn stem_length_max(name: &FileName) -> usize {
    FileName::BYTES_MAX.saturating_sub(name.extension().len() + COUNTER_BYTES_MAX)
}

/// The extension of a text that may not be a name yet, with its dot; empty if there is none worth keeping. A dot at the
/// beginning hides a file and begins no extension.
pub fn extension_of(text: &str) -> &str {
    match text.rfind('.') {
        Some(at) if at > 0 && at + 1 < text.len() && text.len() - at <= 32 => &text[at..],
        _ => "",
    }
}

fn is_reserved(text: &str) -> bool {
    let stem = text.split('.').next().unwrap_or(text).trim_end();
    RESERVED.iter().any(|reserved| stem.eq_ignore_ascii_case(reserved))
}

fn clean(text: &str) -> String {
    text.chars().map(|c| if FORBIDDEN.contains(&c) || c.is_control() { '-' } else { c }).collect()
}

/// At most `bytes_max` bytes of `text`, whole characters.
fn cut(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_table_of_names() {
        for (text, expected) in [
            ("report.docx", None),
            ("Über uns (2).docx", None),
            ("a.b.c", None),
            ("console.txt", None),
            ("a/b.docx", Some("a-b.docx")),
            ("a:b.docx", Some("a-b.docx")),
            ("what?.docx", Some("what-.docx")),
            ("CON.docx", Some("CON-.docx")),
            ("nul", Some("nul-")),
            (".hidden.docx", Some("hidden.docx")),
            ("~WRL0001.tmp", Some("WRL0001.tmp")),
            ("1A2B3C4D.tmp", Some("1A2B3C4D-.tmp")),
            ("~1A2B3C4D.tmp", Some("1A2B3C4D-.tmp")),
            ("ppt1A2.tmp", Some("ppt1A2-.tmp")),
            ("lu1234ab.tmp", Some("lu1234ab-.tmp")),
            ("Thumbs.db", Some("Thumbs-.db")),
            ("ehthumbs.db", Some("ehthumbs-.db")),
            (".Desktop.ini", Some("Desktop-.ini")),
            ("notes.tmp", None),
            ("12345678.docx", None),
            ("~$x.docx", Some("x.docx")),
            ("x.docx ", Some("x.docx")),
            ("x.docx.", Some("x.docx")),
            ("a\0b.docx", Some("a-b.docx")),
            ("", Some("Document")),
            ("..", Some("Document")),
            ("///", Some("Document")),
            ("/.docx", Some("Document.docx")),
        ] {
            let legal = FileName::parse(text).ok().filter(|name| super::legal(name).is_ok());
            assert_eq!(legal.is_some(), expected.is_none(), "{text:?}");
            let made = legalize(text, extension_of(text));
            assert_eq!(made.as_str(), expected.unwrap_or(text), "{text:?}");
        }
    }

    #[test]
    fn a_long_name_is_cut_and_keeps_its_extension() {
        let made = legalize(&format!("{}.docx", "ä".repeat(300)), ".docx");
        assert!(made.as_str().ends_with("ä.docx") && made.as_str().len() <= FileName::BYTES_MAX);
        assert!(candidates(&made).take(999).all(|name| name.as_str().ends_with(".docx")));
    }

    #[test]
    fn the_table_of_backups() {
        for (name, original, expected) in [
            ("report.txt~", "report.txt", true),
            ("report.txt.~3~", "report.txt", true),
            ("report.txt.bak", "report.txt", true),
            ("report.txt.old", "report.txt", true),
            ("report.txt.orig", "report.txt", true),
            ("report.bak", "report.odt", true),
            ("report.txt", "report.txt", false),
            ("report.txt.~~", "report.txt", false),
            ("report.txt.~x~", "report.txt", false),
            ("report.txt2", "report.txt", false),
            ("report (2).txt", "report.txt", false),
            ("other.txt~", "report.txt", false),
            ("other.bak", "report.txt", false),
            ("report.txt", "report.bak", false),
        ] {
            let [name, original] = [name, original].map(|text| FileName::parse(text).unwrap());
            assert_eq!(is_backup(&name, &original), expected, "{name} {original}");
        }
    }

    #[test]
    fn taken_names_are_counted_on() {
        let name = FileName::parse("a.docx").unwrap();
        let names: Vec<String> = candidates(&name).take(3).map(|name| name.to_string()).collect();
        assert_eq!(names, ["a.docx", "a (2).docx", "a (3).docx"]);
    }

    proptest! {
        #[test]
        fn whatever_is_asked_for_a_legal_name_comes_out(text in any::<String>(), extension in "(\\.[a-z]{1,8})?") {
            let name = legalize(&text, &extension);
            prop_assert!(legal(&name).is_ok(), "{:?}", name);
        }
    }
}
