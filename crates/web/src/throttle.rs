//! How often something may be tried: a burst, then one more try after a while.
//!
//! Keys are what strangers send, so there may be any number of them: they are hashed, with a salt that nobody knows, into
//! a table of a fixed size. Two keys that meet in one place share their tries, which is rare and harmless.
//!
//! Each place holds one number, the moment at which all its tries are back (the *generic cell rate algorithm*).

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use lectern_host::ports::Random;
use lectern_host::records::Timestamp;
use sha2::{Digest, Sha256};

/// How many places the table has; its index is two bytes of a hash.
const PLACES: usize = 1 << 16;

/// Tries of many keys.
pub(crate) struct Throttle {
    salt: [u8; 16],
    /// When all tries of a place are back, in milliseconds since 1970.
    all_back_at: Mutex<Box<[i64]>>,
    again_after: Duration,
    burst: u32,
}

impl std::fmt::Debug for Throttle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Throttle({} tries, one more after {:?})", self.burst, self.again_after)
    }
}

impl Throttle {
    /// `burst` tries at once, and one more after each `again_after`.
    pub(crate) fn new(burst: u32, again_after: Duration, random: &dyn Random) -> Self {
        let mut salt = [0; 16];
        random.fill(&mut salt);
        Self { salt, all_back_at: Mutex::new(vec![0; PLACES].into()), again_after, burst: burst.max(1) }
    }

    /// Takes one try of this key. `Err` says how long to wait for the next one.
    pub(crate) fn take(&self, key: &str, now: Timestamp) -> Result<(), Duration> {
        let one = i64::try_from(self.again_after.as_millis()).unwrap_or(i64::MAX);
        let room = one.saturating_mul(i64::from(self.burst));
        let place = self.place(key);
        let mut table = self.all_back_at.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(all_back_at) = table.get_mut(place) else { return Ok(()) };
        let next = (*all_back_at).max(now.0).saturating_add(one);
        let over = next.saturating_sub(now.0.saturating_add(room));
        if over > 0 {
            return Err(Duration::from_millis(u64::try_from(over).unwrap_or(0)));
        }
        *all_back_at = next;
        Ok(())
    }

    /// Gives all tries of this key back: they were right.
    pub(crate) fn forget(&self, key: &str) {
        let place = self.place(key);
        let mut table = self.all_back_at.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(all_back_at) = table.get_mut(place) {
            *all_back_at = 0;
        }
    }

    fn place(&self, key: &str) -> usize {
        let hash = Sha256::new().chain_update(self.salt).chain_update(key).finalize();
        usize::from(u16::from_be_bytes([hash[0], hash[1]]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Zeros;

    impl Random for Zeros {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(0);
        }
    }

    const START: Timestamp = Timestamp(1_000_000);

    #[test]
    fn after_a_burst_there_is_one_try_after_each_interval() {
        let throttle = Throttle::new(3, Duration::from_secs(30), &Zeros);
        for _ in 0..3 {
            assert_eq!(throttle.take("ada", START), Ok(()));
        }
        assert_eq!(throttle.take("ada", START), Err(Duration::from_secs(30)));
        assert_eq!(throttle.take("bob", START), Ok(()), "others have tries of their own");
        let later = START.plus(Duration::from_millis(29_999));
        assert_eq!(throttle.take("ada", later), Err(Duration::from_millis(1)));
        let later = START.plus(Duration::from_secs(30));
        assert_eq!(throttle.take("ada", later), Ok(()));
        assert!(throttle.take("ada", later).is_err());
        let much_later = START.plus(Duration::from_secs(30_000));
        for _ in 0..3 {
            assert_eq!(throttle.take("ada", much_later), Ok(()), "never more than the burst, never less");
        }
        assert!(throttle.take("ada", much_later).is_err());
    }

    #[test]
    fn a_right_password_gives_the_tries_back() {
        let throttle = Throttle::new(1, Duration::from_secs(30), &Zeros);
        assert_eq!(throttle.take("ada", START), Ok(()));
        throttle.forget("ada");
        assert_eq!(throttle.take("ada", START), Ok(()));
    }
}
