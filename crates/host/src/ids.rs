//! Minting ids: what others see of a file, a container, a user or a session must not be guessable.
//!
//! 128 random bits in lower-case base32 (RFC 4648, no padding): 26 letters and digits. Every client leaves them alone in
//! a URL, `UserId` may have nothing else, and on a file system that ignores letter case two of them never meet.

use wopi::{ContainerId, FileId, UserId};

use crate::ports::Random;
use crate::records::SessionId;

/// Length of a minted id, in characters.
pub const MINTED_LENGTH: usize = 26;

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// An id for a new file.
#[expect(clippy::expect_used, reason = "26 letters and digits are a valid id, and a test says so")]
pub fn new_file_id(random: &dyn Random) -> FileId {
    FileId::parse(&mint(random)).expect("minted text is an id")
}

/// An id for a new container.
#[expect(clippy::expect_used, reason = "26 letters and digits are a valid id, and a test says so")]
pub fn new_container_id(random: &dyn Random) -> ContainerId {
    ContainerId::parse(&mint(random)).expect("minted text is an id")
}

/// An id for a new user.
#[expect(clippy::expect_used, reason = "26 letters and digits are a valid id, and a test says so")]
pub fn new_user_id(random: &dyn Random) -> UserId {
    UserId::parse(&mint(random)).expect("minted text is an id")
}

/// An id for a new session.
pub fn new_session_id(random: &dyn Random) -> SessionId {
    SessionId(mint(random))
}

fn mint(random: &dyn Random) -> String {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    base32(u128::from_be_bytes(bytes))
}

/// 25 characters of five bits, the last of the three that are left.
fn base32(bits: u128) -> String {
    (0..MINTED_LENGTH)
        .map(|at| {
            let shifted = match 123_usize.checked_sub(5 * at) {
                Some(right) => bits >> right,
                None => bits << 2,
            };
            char::from(ALPHABET[usize::from((shifted & 31) as u8)])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Different bytes at every call, always the same ones in a run.
    #[derive(Debug, Default)]
    struct Counting(AtomicU64);

    impl Random for Counting {
        fn fill(&self, buffer: &mut [u8]) {
            for byte in buffer {
                let next = self.0.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                *byte = next.to_be_bytes()[0];
            }
        }
    }

    #[test]
    fn base32_is_that_of_rfc_4648_without_padding() {
        // Python's base64.b32encode, and the ends of the range.
        for (bits, text) in [
            (u128::from_be_bytes(*b"foobarfoobarfoob"), "mzxw6ytbojtg633cmfzgm33pmi"),
            (0, "aaaaaaaaaaaaaaaaaaaaaaaaaa"),
            (u128::MAX, "7777777777777777777777777" /* 25 × 5 bits */),
        ] {
            let spelled = base32(bits);
            assert_eq!(spelled.len(), MINTED_LENGTH);
            assert!(spelled.starts_with(text), "{spelled}");
        }
        assert!(base32(u128::MAX).ends_with('4'), "the last three bits, two zeros behind them: 11100");
    }

    #[test]
    fn minted_ids_are_letters_and_digits_and_never_the_same() {
        let random = Counting::default();
        let mut seen = HashSet::new();
        for _ in 0..100 {
            for id in [
                new_file_id(&random).to_string(),
                new_container_id(&random).to_string(),
                new_user_id(&random).to_string(),
                new_session_id(&random).0,
            ] {
                assert_eq!(id.len(), MINTED_LENGTH);
                assert!(id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()), "{id}");
                assert!(seen.insert(id));
            }
        }
    }
}
