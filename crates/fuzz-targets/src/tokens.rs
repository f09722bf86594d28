//! Access tokens: only what was sealed opens, for the file it was sealed for.

use std::path::Path;
use std::sync::LazyLock;

use lectern_accounts::TokenKeys;
use lectern_host::ports::{Random, TokenClaims, TokenResource, Tokens};
use lectern_host::records::{SessionId, Timestamp};
use lectern_host::wopi::{FileId, UserId};

/// Before the token of the corpus runs out.
const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// The same keys in every run, so that the corpus may hold a token that opens.
#[derive(Debug)]
struct NoRandom;

impl Random for NoRandom {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(7);
    }
}

static KEYS: LazyLock<TokenKeys> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a place for a moment");
    // Keys whose file is gone go on working.
    keys_in(folder.path())
});

fn keys_in(folder: &Path) -> TokenKeys {
    TokenKeys::load_or_create(&folder.join("keys"), NOW, &NoRandom).expect("new keys")
}

fn file(id: &str) -> TokenResource {
    TokenResource::File(FileId::parse(id).expect("an id"))
}

/// What the one token that was ever sealed says.
fn sealed() -> TokenClaims {
    TokenClaims {
        session: SessionId("session".to_owned()),
        user: UserId::parse("alice").expect("an id"),
        may_edit: true,
        client: Some("office".to_owned()),
        expires_at: Timestamp(NOW.0 + 1000),
    }
}

/// The text of a token. What is not UTF-8 never gets so far.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    assert!(KEYS.open(text, &file("other"), NOW).is_err(), "another file's token is no token");
    if let Ok(claims) = KEYS.open(text, &file("file"), NOW) {
        assert_eq!(claims, sealed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_opens_is_among_the_saved_inputs() {
        let saved = include_str!("../../../fuzz/corpus/tokens/sealed");
        let anew = KEYS.seal(&sealed(), &file("file"));
        assert_eq!(KEYS.open(&anew, &file("file"), NOW), Ok(sealed()));
        assert_eq!(KEYS.open(saved, &file("file"), NOW), Ok(sealed()), "if tokens have changed, save {anew}");
    }
}
