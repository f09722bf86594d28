//! Passwords: Argon2id, on blocking threads, a few at a time.
//!
//! A hash takes tens of milliseconds and 19 MiB on purpose. So it must not run on a thread that serves requests, and not
//! more often at once than the machine can bear: that is what [`Passwords`] is for.

use std::sync::Arc;

use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};
use lectern_host::ports::Random;
use tokio::sync::Semaphore;

/// Memory of one hash, in KiB. With [`PASSES`] and [`LANES`] one of the settings that OWASP's *Password Storage Cheat
/// Sheet* calls equal.
pub const MEMORY_KIB: u32 = 19 * 1024;
/// Passes over that memory.
pub const PASSES: u32 = 2;
/// Lanes of that memory.
pub const LANES: u32 = 1;
/// Shortest password that can be set, in characters.
pub const LENGTH_MIN: usize = 8;
/// Longest password that is looked at, in bytes.
pub const BYTES_MAX: usize = 1024;
/// How many hashes run at once; the others wait. At most four times 19 MiB.
pub const CONCURRENT_MAX: usize = 4;

const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;

/// What stands in for the hash of a user who has none, so that their name takes as long as any other. Nobody knows a
/// password for it: the hash is all zeros.
const DECOY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGhhcyB0aGlzIQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Why a password could not be hashed or checked.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// It is shorter than [`LENGTH_MIN`].
    #[error("the password has fewer than {LENGTH_MIN} characters")]
    TooShort,
    /// It is longer than [`BYTES_MAX`].
    #[error("the password has more than {BYTES_MAX} bytes")]
    TooLong,
    /// What is stored is no hash.
    #[error("the stored password hash is damaged")]
    Damaged,
    /// The hash could not be computed.
    #[error("the password hash could not be computed")]
    Failed,
}

/// Hashes and checks passwords, at most [`CONCURRENT_MAX`] at a time. Clones share that limit.
#[derive(Clone, Debug)]
pub struct Passwords {
    turns: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(CONCURRENT_MAX)) }
    }
}

impl Passwords {
    /// The hash to store for a new password, in PHC form.
    ///
    /// # Errors
    ///
    /// [`PasswordError::TooShort`], [`PasswordError::TooLong`]; says what to tell the person.
    pub async fn hash(&self, password: &str, random: &dyn Random) -> Result<String, PasswordError> {
        if password.chars().count() < LENGTH_MIN {
            return Err(PasswordError::TooShort);
        }
        if password.len() > BYTES_MAX {
            return Err(PasswordError::TooLong);
        }
        let mut salt = [0; SALT_BYTES];
        random.fill(&mut salt);
        let password = password.to_owned();
        self.turn(move || {
            let hash = argon2()?.hash_password_with_salt(password.as_bytes(), &salt);
            hash.map(|hash| hash.to_string()).map_err(|_| PasswordError::Failed)
        })
        .await
    }

    /// Whether `password` is the one that was hashed. `None` (no such user, or one without a password) takes as long as
    /// a wrong password and is one.
    ///
    /// # Errors
    ///
    /// If what is stored is no hash.
    pub async fn matches(&self, password: &str, stored: Option<&str>) -> Result<bool, PasswordError> {
        if password.len() > BYTES_MAX {
            return Ok(false);
        }
        let password = password.to_owned();
        let known = stored.is_some();
        let stored = stored.unwrap_or(DECOY).to_owned();
        self.turn(move || {
            let hash = PasswordHash::new(&stored).map_err(|_| PasswordError::Damaged)?;
            match argon2()?.verify_password(password.as_bytes(), &hash) {
                Ok(()) => Ok(known),
                Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
                Err(_) => Err(PasswordError::Damaged),
            }
        })
        .await
    }

    /// Runs `work` on a blocking thread when its turn comes.
    async fn turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| PasswordError::Failed)?;
        tokio::task::spawn_blocking(move || {
            // Held by the thread: somebody who goes away does not free it while it still works.
            let _turn = turn;
            work()
        })
        .await
        .map_err(|_| PasswordError::Failed)?
    }
}

fn argon2() -> Result<Argon2<'static>, PasswordError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(HASH_BYTES)).map_err(|_| PasswordError::Failed)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Seeded;

    #[tokio::test]
    async fn a_password_matches_its_own_hash_only() {
        let passwords = Passwords::default();
        let random = Seeded::new(1);
        let hash = passwords.hash("correct horse", &random).await.unwrap();
        assert!(hash.starts_with(&format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}$")), "{hash}");
        assert!(passwords.matches("correct horse", Some(&hash)).await.unwrap());
        assert!(!passwords.matches("Correct horse", Some(&hash)).await.unwrap());
        assert!(!passwords.matches("", Some(&hash)).await.unwrap());
        assert_ne!(passwords.hash("correct horse", &random).await.unwrap(), hash, "salted");
    }

    #[tokio::test]
    async fn nobody_has_a_password_that_is_not_stored() {
        let passwords = Passwords::default();
        assert!(!passwords.matches("correct horse", None).await.unwrap());
        assert!(!passwords.matches("", None).await.unwrap());
    }

    #[test]
    fn an_unknown_user_costs_the_same_work() {
        let decoy = PasswordHash::new(DECOY).unwrap();
        let params = Params::try_from(&decoy).unwrap();
        assert_eq!((params.m_cost(), params.t_cost(), params.p_cost()), (MEMORY_KIB, PASSES, LANES));
        assert_eq!(decoy.algorithm, Algorithm::Argon2id.ident());
        assert_eq!(decoy.hash.map(|hash| hash.len()), Some(HASH_BYTES));
        assert_eq!(decoy.salt.map(|salt| salt.len()), Some(SALT_BYTES));
    }

    #[tokio::test]
    async fn a_password_has_bounds() {
        let passwords = Passwords::default();
        let random = Seeded::new(2);
        assert!(matches!(passwords.hash("ünïcöd", &random).await, Err(PasswordError::TooShort)));
        assert!(passwords.hash("ünïcödeé", &random).await.is_ok(), "characters, not bytes");
        let longest = "x".repeat(BYTES_MAX);
        let hash = passwords.hash(&longest, &random).await.unwrap();
        assert!(passwords.matches(&longest, Some(&hash)).await.unwrap());
        let longer = format!("{longest}x");
        assert!(matches!(passwords.hash(&longer, &random).await, Err(PasswordError::TooLong)));
        assert!(!passwords.matches(&longer, Some(&hash)).await.unwrap());
    }

    #[tokio::test]
    async fn a_damaged_hash_is_an_error_and_no_match() {
        let passwords = Passwords::default();
        for stored in ["", "secret", "$argon2id$v=19$m=19456,t=2,p=1$", "$md5$x$y"] {
            let answer = passwords.matches("secret", Some(stored)).await;
            assert!(matches!(answer, Err(PasswordError::Damaged)), "{stored:?}: {answer:?}");
        }
    }

    #[tokio::test]
    async fn more_than_the_limit_wait_for_their_turn() {
        let passwords = Passwords::default();
        let all =
            Arc::clone(&passwords.turns).acquire_many_owned(u32::try_from(CONCURRENT_MAX).unwrap()).await.unwrap();
        let mut waiting = Box::pin(passwords.matches("correct horse", None));
        let first = futures_poll(&mut waiting).await;
        assert!(first.is_none(), "no turn is free");
        drop(all);
        assert!(!waiting.await.unwrap());
        assert_eq!(passwords.turns.available_permits(), CONCURRENT_MAX);
    }

    /// Polls once.
    async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        std::future::poll_fn(|cx| {
            std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(cx) {
                std::task::Poll::Ready(value) => Some(value),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }
}
