//! Tokens that were opened lately, so that the same one need not be opened again for every request.
//!
//! Opening is arithmetic: it depends on the keys, the token and the resource and on nothing else, so its outcome may be
//! remembered. What can change from one request to the next is asked each time: the key file, the expiry, and, by the
//! host, the session and its user. A token is found here only if all of it is the same, for the resource it was opened
//! for; everything is forgotten when the keys change. Tokens that do not open are not remembered.
//!
//! Who guesses tokens learns nothing from the time a look takes: they are compared only after a hash with random keys
//! was the same.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use lectern_host::ports::{TokenClaims, TokenResource};

use crate::key_file::KeySet;

/// Tokens remembered at most. At some 700 bytes each they take 3 MB.
pub const TOKENS_REMEMBERED_MAX: usize = 4_096;

/// What tokens said.
#[derive(Default)]
pub(crate) struct Opened(Mutex<Halves>);

/// When the young half is full, it becomes the old one, and the old one is forgotten; what is used stays young.
#[derive(Default)]
struct Halves {
    /// With which keys all of these were opened.
    keys: Option<Arc<KeySet>>,
    young: HashMap<String, Claimed>,
    old: HashMap<String, Claimed>,
}

struct Claimed {
    resource: TokenResource,
    claims: TokenClaims,
}

impl Opened {
    /// What the token said when it was opened with these keys for this resource.
    pub(crate) fn recall(&self, keys: &Arc<KeySet>, token: &str, resource: &TokenResource) -> Option<TokenClaims> {
        let mut halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !halves.keys.as_ref().is_some_and(|known| Arc::ptr_eq(known, keys)) {
            return None;
        }
        if let Some((token, claimed)) = halves.old.remove_entry(token) {
            halves.put(token, claimed);
        }
        let claimed = halves.young.get(token).filter(|claimed| claimed.resource == *resource)?;
        Some(claimed.claims.clone())
    }

    /// Remembers what a token said that was opened with these keys.
    pub(crate) fn remember(&self, keys: &Arc<KeySet>, token: &str, resource: &TokenResource, claims: &TokenClaims) {
        let mut halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !halves.keys.as_ref().is_some_and(|known| Arc::ptr_eq(known, keys)) {
            *halves = Halves { keys: Some(Arc::clone(keys)), ..Halves::default() };
        }
        halves.put(token.to_owned(), Claimed { resource: resource.clone(), claims: claims.clone() });
    }
}

impl Halves {
    fn put(&mut self, token: String, claimed: Claimed) {
        if self.young.len() >= TOKENS_REMEMBERED_MAX / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(token, claimed);
    }
}

#[cfg(test)]
mod tests {
    use lectern_host::records::{SessionId, Timestamp};
    use lectern_host::wopi::{FileId, UserId};

    use super::*;
    use crate::testing::Seeded;

    fn claims(session: usize) -> TokenClaims {
        TokenClaims {
            session: SessionId(session.to_string()),
            user: UserId::parse("u").unwrap(),
            may_edit: true,
            client: None,
            expires_at: Timestamp(1),
        }
    }

    fn keys() -> Arc<KeySet> {
        Arc::new(KeySet::fresh(Timestamp(0), &Seeded::new(1)))
    }

    #[test]
    fn a_token_is_recalled_for_its_resource_and_its_keys_only() {
        let (opened, first) = (Opened::default(), keys());
        let file = |id| TokenResource::File(FileId::parse(id).unwrap());
        assert_eq!(opened.recall(&first, "t", &file("a")), None);
        opened.remember(&first, "t", &file("a"), &claims(1));
        assert_eq!(opened.recall(&first, "t", &file("a")), Some(claims(1)));
        assert_eq!(opened.recall(&first, "t", &file("b")), None);
        assert_eq!(opened.recall(&first, "u", &file("a")), None);
        // The same keys read from the file once more are other keys: better once too often.
        let second = keys();
        assert_eq!(opened.recall(&second, "t", &file("a")), None);
        opened.remember(&second, "u", &file("a"), &claims(2));
        assert_eq!(opened.recall(&first, "t", &file("a")), None);
        assert_eq!(opened.recall(&second, "t", &file("a")), None);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_what_is_used_stays() {
        let (opened, keys) = (Opened::default(), keys());
        for number in 0..3 * TOKENS_REMEMBERED_MAX {
            opened.remember(&keys, &number.to_string(), &TokenResource::Ecosystem, &claims(number));
            assert_eq!(opened.recall(&keys, "0", &TokenResource::Ecosystem), Some(claims(0)));
        }
        assert_eq!(opened.recall(&keys, "1", &TokenResource::Ecosystem), None);
        let halves = opened.0.lock().unwrap();
        assert!(halves.young.len() + halves.old.len() <= TOKENS_REMEMBERED_MAX);
    }
}
