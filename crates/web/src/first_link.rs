//! The one-time link of a first start: whoever has it names the first administrator and sets the password.
//!
//! It is printed by `lectern serve` while no administrator has a password. It lives in the memory of that run only, as a
//! hash: it is good for one use and for a day, and a restart makes another one.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lectern_host::ids;
use lectern_host::ports::Random;
use lectern_host::records::Timestamp;
use sha2::{Digest, Sha256};

/// The link that is out, if one is.
#[derive(Default)]
pub(crate) struct FirstLink(Mutex<Option<Out>>);

struct Out {
    hash: [u8; 32],
    expires_at: Timestamp,
}

impl std::fmt::Debug for FirstLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FirstLink(..)")
    }
}

fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret).into()
}

impl FirstLink {
    /// Makes a new secret; an earlier one is none any more.
    pub(crate) fn issue(&self, random: &dyn Random, now: Timestamp, lifetime: Duration) -> String {
        let secret = ids::new_id(random);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Out { hash: hash(&secret), expires_at: now.plus(lifetime) });
        secret
    }

    /// Whether this is the secret that is out.
    pub(crate) fn is_good(&self, secret: &str, now: Timestamp) -> bool {
        let out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Hashes are compared, so the time it takes tells nothing of the secret.
        out.as_ref().is_some_and(|out| out.hash == hash(secret) && now < out.expires_at)
    }

    /// It was used.
    pub(crate) fn spend(&self, secret: &str) {
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if out.as_ref().is_some_and(|out| out.hash == hash(secret)) {
            *out = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Ones;

    impl Random for Ones {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(1);
        }
    }

    #[test]
    fn a_link_is_good_once_and_for_a_while() {
        let link = FirstLink::default();
        assert!(!link.is_good("", Timestamp(0)));
        let secret = link.issue(&Ones, Timestamp(0), Duration::from_millis(10));
        assert!(link.is_good(&secret, Timestamp(9)) && !link.is_good(&secret, Timestamp(10)));
        assert!(!link.is_good("another", Timestamp(0)));
        link.spend("another");
        assert!(link.is_good(&secret, Timestamp(0)));
        link.spend(&secret);
        assert!(!link.is_good(&secret, Timestamp(0)));
    }
}
