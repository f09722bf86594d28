//! Fuzz targets: for each parser of outside bytes a function that takes any bytes, and panics if something that must
//! hold does not.
//!
//! They are plain functions, so that two can call them: libFuzzer (the workspace in `fuzz/`, by `cargo xtask fuzz`), and
//! an ordinary test that runs each over its saved inputs in `fuzz/corpus/NAME`. Nothing here knows of a fuzzer.
//!
//! | target | the bytes are | what must hold beside "no panic" |
//! |---|---|---|
//! | [`frames`] | a body of frames and how it is cut | cuts do not matter, limits are kept, what is read is written the same |
//! | [`zip`] | a file, or what is found at the ranges of one | chunks add up to the file, ranges are in it, few and bounded |
//! | [`messages`] | a message of incremental transfer | limits are kept, what is read is written and read the same |
//! | [`chunk_ids`] | a chunk and how it is cut | cuts do not matter, an id has one text |
//! | [`requests`] | method, target and headers of a request | refusals have a status of theirs, no token is in a log |
//! | [`utf7`] | a header that carries a name | what is read is written and read the same |
//! | [`discovery`] | a discovery document | limits are kept, URLs are URLs |
//! | [`tokens`] | an access token | only what was sealed opens |

#![allow(clippy::expect_used, reason = "a panic is how a target says what is wrong")]

pub mod chunk_ids;
pub mod discovery;
pub mod frames;
pub mod messages;
pub mod requests;
pub mod tokens;
pub mod utf7;
pub mod zip;

/// Does something with any bytes.
pub type Target = fn(&[u8]);

/// Every target by its name, which is also that of its folder in `fuzz/corpus`.
pub const TARGETS: &[(&str, Target)] = &[
    ("frames", frames::run),
    ("zip", zip::run),
    ("messages", messages::run),
    ("chunk_ids", chunk_ids::run),
    ("requests", requests::run),
    ("utf7", utf7::run),
    ("discovery", discovery::run),
    ("tokens", tokens::run),
];

/// The target of this name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().find(|(known, _)| *known == name).map(|(_, target)| *target)
}

/// The first `N` bytes, which say how to use the others; missing ones are 0.
fn control<const N: usize>(data: &[u8]) -> ([u8; N], &[u8]) {
    let (front, rest) = data.split_at(data.len().min(N));
    let mut control = [0; N];
    control[..front.len()].copy_from_slice(front);
    (control, rest)
}

/// The bytes in pieces as long as `lengths` say, over and over; some may be empty. With no length above 0 there is one
/// piece.
fn pieces<'a>(mut bytes: &'a [u8], lengths: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let whole = lengths.iter().all(|length| *length == 0);
    let mut lengths = lengths.iter().cycle();
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let length = lengths.next().map_or(bytes.len(), |length| usize::from(*length));
        let (piece, rest) = bytes.split_at(if whole { bytes.len() } else { length.min(bytes.len()) });
        bytes = rest;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_put_together_are_the_bytes() {
        for (lengths, expected) in [
            (&[][..], &[&b"abcdef"[..]][..]),
            (&[0, 0], &[b"abcdef"]),
            (&[2, 0], &[b"ab", b"", b"cd", b"", b"ef"]),
            (&[4], &[b"abcd", b"ef"]),
        ] {
            assert_eq!(pieces(b"abcdef", lengths).collect::<Vec<_>>(), expected);
        }
        assert_eq!(control::<4>(b"ab"), ([b'a', b'b', 0, 0], &b""[..]));
    }
}
