//! The order in which people look for names, and letters that mean the same to who searches.
//!
//! The protocol compares names byte for byte. People expect `Äpfel` beside `apfel`, and `Band 9` before `Band 10`. So a
//! listing is ordered by a key that is made of the name; a registry stores it beside the name, so that a page of a
//! listing can be read from an index. Two names may have one key; then the names themselves decide.
//!
//! | names, in order | because |
//! |---|---|
//! | `apfel`, `Äpfel`, `Apfelmus` | neither letter case nor accents count |
//! | `Band 9`, `Band 10`, `Band 100` | a run of digits counts as a number |
//! | `Band 07`, `Band 7`, `Band 8` | leading zeros do not count |
//! | `a.txt`, `a (2).txt`, `a b.txt` | the extension comes last |
//! | `Strasse`, `Straße`, `Strauß` | `ß`, `æ`, `œ` are two letters |

use wopi::FileName;

/// Longest run of digits that is written with one digit for its length.
const SHORT_RUN_MAX: usize = 8;

/// What a letter is without its accent, lower case; `None` for what has none. Latin letters only: others keep their own
/// order, which is that of Unicode.
fn plain(letter: char) -> Option<&'static str> {
    Some(match letter {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ā' | 'ă' | 'ą' | 'ǎ' => "a",
        'æ' => "ae",
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => "c",
        'ď' | 'đ' | 'ð' => "d",
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => "e",
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => "g",
        'ĥ' | 'ħ' => "h",
        'ì' | 'í' | 'î' | 'ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' | 'ǐ' => "i",
        'ĵ' => "j",
        'ķ' => "k",
        'ĺ' | 'ļ' | 'ľ' | 'ŀ' | 'ł' => "l",
        'ñ' | 'ń' | 'ņ' | 'ň' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' | 'ō' | 'ŏ' | 'ő' | 'ǒ' => "o",
        'œ' => "oe",
        'ŕ' | 'ŗ' | 'ř' => "r",
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => "s",
        'ß' => "ss",
        'ţ' | 'ť' | 'ŧ' | 'ț' => "t",
        'þ' => "th",
        'ù' | 'ú' | 'û' | 'ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' | 'ǔ' => "u",
        'ŵ' => "w",
        'ý' | 'ÿ' | 'ŷ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        _ => return None,
    })
}

/// Whether the character only puts an accent on the one before: some systems write `ä` as two characters.
fn is_accent(letter: char) -> bool {
    matches!(letter, '\u{300}'..='\u{36f}')
}

/// The text without letter case and accents: what a search compares.
pub fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for letter in text.chars().flat_map(char::to_lowercase).filter(|letter| !is_accent(*letter)) {
        match plain(letter) {
            Some(letters) => folded.push_str(letters),
            None => folded.push(letter),
        }
    }
    folded
}

/// What names are ordered by. Compared byte for byte; never empty.
///
/// A run of digits becomes the number of its digits and the digits, so that longer numbers come later. The extension
/// stands behind a character that no name has, and that comes before all others.
pub fn sort_key(name: &FileName) -> String {
    let mut key = String::with_capacity(name.as_str().len() + 8);
    push_key(&mut key, &folded(name.stem()));
    if !name.extension().is_empty() {
        key.push('\u{1}');
        push_key(&mut key, &folded(name.extension()));
    }
    // A name of nothing but accents.
    if key.is_empty() { name.as_str().to_owned() } else { key }
}

fn push_key(key: &mut String, folded: &str) {
    let mut rest = folded;
    while let Some(letter) = rest.chars().next() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            key.push(letter);
            rest = &rest[letter.len_utf8()..];
            continue;
        }
        let number = rest[..digits].trim_start_matches('0');
        if number.len() <= SHORT_RUN_MAX {
            key.push_str(&number.len().to_string());
        } else {
            // A name has at most 255 bytes, so three digits tell the length of any number.
            key.push_str(&format!("9{:03}", number.len()));
        }
        key.push_str(number);
        rest = &rest[digits..];
    }
}

/// What files are ordered by that are ordered by their kind: the extension in lower case, without its dot.
pub fn kind_key(name: &FileName) -> String {
    name.extension().trim_start_matches('.').to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> FileName {
        FileName::parse(text).unwrap()
    }

    /// The table in the module's description, and what else names have in them.
    #[test]
    fn the_table_of_order() {
        for row in [
            &["apfel", "Äpfel", "Apfelmus"][..],
            &["Band 9", "Band 10", "Band 100"],
            &["Band 07", "Band 7", "Band 8"],
            &["a.txt", "a (2).txt", "a b.txt"],
            &["a", "a.doc", "a.txt", "a-b", "a.b.txt"],
            &["Strasse", "Straße", "Strauß"],
            &["a", "a1", "a2", "a10", "a12345678", "a123456789", "a1234567890", "ab"],
            &["0", "00", "1"],
            &["e\u{301}a", "éb", "Ec"],
            &["1 Anfang", "2 Mitte", "10 Ende", "Anhang"],
            &["Übersicht.docx", "Zebra.docx", "Ωmega.docx"],
        ] {
            let mut names: Vec<FileName> = row.iter().rev().map(|text| name(text)).collect();
            names.sort_by_key(|name| (sort_key(name), name.as_str().to_owned()));
            assert_eq!(names.iter().map(FileName::as_str).collect::<Vec<_>>(), row);
        }
        assert_eq!(sort_key(&name("\u{301}")), "\u{301}");
    }

    #[test]
    fn the_table_of_what_a_search_takes_for_the_same() {
        for (text, same) in [
            ("Äpfel", "apfel"),
            ("A\u{308}pfel", "apfel"),
            ("STRASSE", "strasse"),
            ("Straße", "strasse"),
            ("İstanbul", "istanbul"),
            ("Band 10", "band 10"),
            ("Œuvre", "oeuvre"),
            ("Ελλάς", "ελλάς"),
        ] {
            assert_eq!(folded(text), same, "{text}");
        }
    }

    #[test]
    fn a_kind_is_the_extension_whatever_its_letter_case() {
        for (text, kind) in [("a.DOCX", "docx"), ("a.tar.gz", "gz"), ("README", ""), (".hidden", ""), ("x.ÄÖ", "äö")]
        {
            assert_eq!(kind_key(&name(text)), kind, "{text}");
        }
    }
}
