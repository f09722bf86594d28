//! UTF-7 (RFC 2152), for the headers that carry names.
//!
//! WOPI sends `X-WOPI-SuggestedTarget`, `X-WOPI-RelativeTarget`, `X-WOPI-RequestedName` and answers
//! `X-WOPI-ValidRelativeTarget` in it: ASCII stands for itself, `+` begins base64 of UTF-16 in big-endian order without
//! padding, `-` or any other character that is not base64 ends it, and `+-` is a plus sign.
//!
//! Encoding is strict. Decoding never fails: real clients cut names (LibreOffice Online sends `renamed +AP` for
//! `renamed ö`), send raw UTF-8, or forget to encode a plus sign, and a suggested name must not be refused. So
//! [`decode`] gives the best text there is and says how bad it was; the caller decides what to refuse.

/// What a header's text meant, and whether it was well-formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The best text there is.
    pub text: String,
    /// The worst thing that was wrong.
    pub damage: Damage,
}

/// How far a text is from UTF-7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Damage {
    /// Well-formed.
    None,
    /// Well-formed but for its end, where the last character is cut; that character is missing.
    Tail,
    /// Something in the middle: half a surrogate pair, half a character, a raw byte that is not ASCII.
    Broken,
}

impl Decoded {
    /// Whether the text was well-formed.
    pub fn clean(&self) -> bool {
        self.damage == Damage::None
    }
}

/// Characters that stand for themselves (RFC 2152's set D, and space). All others we shift, optional ones too.
fn direct(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '\'' | '(' | ')' | ',' | '-' | '.' | '/' | ':' | '?' | ' ')
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn sextet(byte: u8) -> Option<u32> {
    Some(u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

/// The text in UTF-7: printable ASCII only, whatever the text.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let plain = direct(first);
        let end = rest.find(|c| direct(c) != plain).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        rest = after;
        if plain {
            out.push_str(run);
            continue;
        }
        // A lone plus sign has a short form. Inside a longer run it is a code unit like any other.
        if run == "+" {
            out.push_str("+-");
            continue;
        }
        out.push('+');
        let (mut bits, mut held) = (0u32, 0);
        for unit in run.encode_utf16() {
            (bits, held) = (bits << 16 | u32::from(unit), held + 16);
            while held >= 6 {
                held -= 6;
                out.push(char::from(BASE64[(bits >> held & 63) as usize]));
            }
            bits &= (1 << held) - 1;
        }
        if held > 0 {
            out.push(char::from(BASE64[(bits << (6 - held) & 63) as usize]));
        }
        // Always closed, though it is needed only before base64 characters and `-`: readers that forget are common.
        out.push('-');
    }
    out
}

/// What the text of a header means. Never fails; [`Decoded::damage`] tells how much had to be guessed.
///
/// | sent | text | damage |
/// |---|---|---|
/// | `madeup+AF8-name.docx` | `madeup_name.docx` | none |
/// | `a+-b` | `a+b` | none |
/// | `+2D3eAA-` | `😀` | none |
/// | `+APY` | `ö` | none: the end ends it |
/// | `renamed +AP` | `renamed ` | tail |
/// | `1+1=2` | `1+1=2` | broken: not one whole character, so it never was base64 |
/// | `+2D0-x` | `\u{fffd}x` | broken: half a surrogate pair |
/// | `ö` in UTF-8 or Latin-1 | `ö` | broken |
pub fn decode(sent: impl AsRef<[u8]>) -> Decoded {
    let mut rest = sent.as_ref();
    let mut out = Decoded { text: String::with_capacity(rest.len()), damage: Damage::None };
    while let Some(shift) = rest.iter().position(|&b| b == b'+') {
        out.raw(&rest[..shift]);
        rest = &rest[shift + 1..];
        let length = rest.iter().position(|&b| sextet(b).is_none()).unwrap_or(rest.len());
        let (run, after) = rest.split_at(length);
        let closed = after.first() == Some(&b'-');
        rest = if closed { &after[1..] } else { after };
        if !run.is_empty() {
            out.shifted(run, closed, rest.is_empty());
        } else if closed {
            out.text.push('+');
        } else {
            // A plus sign that shifts nothing: someone forgot to encode it, or the `-` behind it was cut.
            out.text.push('+');
            out.worsen(if rest.is_empty() { Damage::Tail } else { Damage::Broken });
        }
    }
    out.raw(rest);
    out
}

impl Decoded {
    fn worsen(&mut self, damage: Damage) {
        self.damage = self.damage.max(damage);
    }

    /// Characters that stand for themselves. What is not ASCII should not be here: it is read as UTF-8 where it can be,
    /// else as Latin-1, which is what HTTP libraries without UTF-8 make of such text.
    fn raw(&mut self, bytes: &[u8]) {
        for chunk in bytes.utf8_chunks() {
            self.text.push_str(chunk.valid());
            self.text.extend(chunk.invalid().iter().map(|&b| char::from(b)));
        }
        if !bytes.is_ascii() {
            self.worsen(Damage::Broken);
        }
    }

    /// One run of base64. `closed`: a `-` stood behind it; `last`: nothing stands behind that.
    fn shifted(&mut self, run: &[u8], closed: bool, last: bool) {
        let cut = last && !closed;
        let mut units = Vec::with_capacity(run.len() * 6 / 16);
        let (mut bits, mut held) = (0u32, 0);
        for value in run.iter().copied().filter_map(sextet) {
            (bits, held) = (bits << 6 | value, held + 6);
            if held >= 16 {
                held -= 16;
                units.push((bits >> held) as u16);
                bits &= (1 << held) - 1;
            }
        }
        if units.is_empty() && !cut {
            self.text.push('+');
            self.text.extend(run.iter().map(|&b| char::from(b)));
            self.text.extend(closed.then_some('-'));
            self.worsen(Damage::Broken);
            return;
        }
        // Fewer than six bits of zeros fill up the last base64 character; anything else is a piece of a code unit.
        if held >= 6 || bits != 0 {
            self.worsen(if cut { Damage::Tail } else { Damage::Broken });
        }
        let mut characters = char::decode_utf16(units).peekable();
        while let Some(character) = characters.next() {
            match character {
                Ok(character) => self.text.push(character),
                Err(half) if cut && characters.peek().is_none() && half.unpaired_surrogate() < 0xdc00 => {
                    self.worsen(Damage::Tail);
                }
                Err(_) => {
                    self.text.push(char::REPLACEMENT_CHARACTER);
                    self.worsen(Damage::Broken);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Damage::{Broken, None, Tail};
    use super::*;

    #[test]
    fn text_and_utf7() {
        for (text, sent) in [
            ("", ""),
            ("Report 1.docx", "Report 1.docx"),
            ("madeup_name.docx", "madeup+AF8-name.docx"),
            ("ä.docx", "+AOQ-.docx"),
            ("a+b", "a+-b"),
            ("++", "+ACsAKw-"),
            ("😀", "+2D3eAA-"),
            ("日本語", "+ZeVnLIqe-"),
            ("ä-ä", "+AOQ--+AOQ-"),
            ("\r\n", "+AA0ACg-"),
            ("~\\", "+AH4AXA-"),
        ] {
            assert_eq!(encode(text), sent);
            assert_eq!(decode(sent), Decoded { text: text.to_owned(), damage: None });
        }
    }

    #[test]
    fn a_header_is_read_as_well_as_it_can_be() {
        for (sent, text, damage) in [
            // well-formed, but not as we would write it
            ("+APY", "ö", None),
            ("+APY.docx", "ö.docx", None),
            ("a_b{c}=~\\", "a_b{c}=~\\", None),
            ("+ACs-", "+", None),
            // cut at the end
            ("renamed +AP", "renamed ", Tail),
            ("renamed +A", "renamed ", Tail),
            ("a +ZeVnL", "a 日", Tail),
            ("+2D3eA", "", Tail),
            ("x+2D0", "x", Tail),
            ("a+", "a+", Tail),
            // never was base64
            ("1+1=2", "1+1=2", Broken),
            ("a+ b", "a+ b", Broken),
            ("a+x-b", "a+x-b", Broken),
            // broken
            ("+2D0-x", "\u{fffd}x", Broken),
            ("+3gA-", "\u{fffd}", Broken),
            ("+3gA", "\u{fffd}", Broken),
            ("+AOQA-", "ä", Broken),
            ("+AOR-", "ä", Broken),
            ("ö.docx", "ö.docx", Broken),
        ] {
            assert_eq!(decode(sent), Decoded { text: text.to_owned(), damage }, "{sent}");
        }
        assert_eq!(decode(b"\xf6.docx"), Decoded { text: "ö.docx".to_owned(), damage: Broken });
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(text in any::<String>()) {
            let sent = encode(&text);
            prop_assert!(sent.bytes().all(|b| (0x20..0x7f).contains(&b)));
            prop_assert_eq!(decode(&sent), Decoded { text, damage: None });
        }

        #[test]
        fn a_cut_text_gives_the_characters_before_the_cut(text in "[a-z öä日😀_+]{0,12}", cut in 0usize..60) {
            let sent = encode(&text);
            let decoded = decode(&sent[..cut.min(sent.len())]);
            // Of a cut right behind a `+` nobody can tell whether it was to be a plus sign.
            let whole = text.starts_with(&decoded.text);
            let shift = decoded.text.strip_suffix('+').is_some_and(|before| text.starts_with(before));
            prop_assert!(whole || shift && decoded.damage == Tail, "{:?}", decoded);
            prop_assert!(decoded.damage <= Tail);
        }

        #[test]
        fn any_bytes_are_decoded_without_a_panic(sent in any::<Vec<u8>>()) {
            // At most two bytes of text for one of Latin-1, three for two and two thirds of base64.
            prop_assert!(decode(&sent).text.len() <= 2 * sent.len() + 3);
        }

        #[test]
        fn any_run_of_base64_is_decoded_without_a_panic(sent in "[+A-Z0-9/-]{0,40}") {
            prop_assert!(decode(&sent).text.len() <= 2 * sent.len() + 3);
        }
    }
}
