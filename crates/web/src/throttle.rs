//! How often something may be tried: a burst, then one more try after a while, at all nodes together.
//!
//! Keys are what strangers send, so there may be any number of them: they are hashed into a fixed number of places. Two keys
//! that meet in one place share their tries, which is rare and harmless.
//!
//! Each place holds one number, the moment at which all its tries are back (the *generic cell rate algorithm*), as a memo
//! that runs out at that moment.

use std::time::Duration;

use lectern_host::Host;
use lectern_host::ports::RegistryError;
use lectern_host::records::Timestamp;

use crate::memo_name::place;

/// Tries of many keys.
#[derive(Clone, Debug)]
pub(crate) struct Throttle {
    what: &'static str,
    again_after: Duration,
    burst: u32,
}

/// When all tries of a place are back, after one more of them; or how long to wait for that one.
fn taken(all_back_at: Timestamp, now: Timestamp, burst: u32, again_after: Duration) -> Result<Timestamp, Duration> {
    let one = i64::try_from(again_after.as_millis()).unwrap_or(i64::MAX);
    let room = one.saturating_mul(i64::from(burst));
    let next = all_back_at.0.max(now.0).saturating_add(one);
    let over = next.saturating_sub(now.0.saturating_add(room));
    if over > 0 { Err(Duration::from_millis(u64::try_from(over).unwrap_or(0))) } else { Ok(Timestamp(next)) }
}

impl Throttle {
    /// `burst` tries at once, and one more after each `again_after`. `what` tells it from other throttles.
    pub(crate) fn new(what: &'static str, burst: u32, again_after: Duration) -> Self {
        Self { what, again_after, burst: burst.max(1) }
    }

    /// Takes one try of this key. `Err` in it says how long to wait for the next one.
    pub(crate) async fn take(&self, host: &Host, key: &str) -> Result<Result<(), Duration>, RegistryError> {
        let place = place(self.what, key);
        let taken = host.update_memo(&place, |memo, now| {
            // What the memo holds is when it ends.
            let all_back_at = memo.map_or(Timestamp(0), |memo| memo.until);
            match taken(all_back_at, now, self.burst, self.again_after) {
                Ok(until) => (Ok(()), Some((Vec::new(), until))),
                Err(wait) => (Err(wait), None),
            }
        });
        match taken.await {
            // Tried at so many places at once: that is too often.
            Err(RegistryError::Conflict) => Ok(Err(self.again_after)),
            taken => taken,
        }
    }

    /// Gives all tries of this key back: they were right.
    pub(crate) async fn forget(&self, host: &Host, key: &str) -> Result<(), RegistryError> {
        let place = place(self.what, key);
        let forgotten = host.update_memo(&place, |memo, now| ((), memo.map(|_| (Vec::new(), now))));
        match forgotten.await {
            // Others took tries meanwhile; theirs are not to be given back.
            Err(RegistryError::Conflict) => Ok(()),
            forgotten => forgotten,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp(1_000_000);

    #[test]
    fn after_a_burst_there_is_one_try_after_each_interval() {
        let mut all_back_at = Timestamp(0);
        let mut take = |now: Timestamp| {
            let next = taken(all_back_at, now, 3, Duration::from_secs(30))?;
            all_back_at = next;
            Ok(())
        };
        for _ in 0..3 {
            assert_eq!(take(START), Ok(()));
        }
        assert_eq!(take(START), Err(Duration::from_secs(30)));
        assert_eq!(take(START.plus(Duration::from_millis(29_999))), Err(Duration::from_millis(1)));
        let later = START.plus(Duration::from_secs(30));
        assert_eq!(take(later), Ok(()));
        assert!(take(later).is_err());
        let much_later = START.plus(Duration::from_secs(30_000));
        for _ in 0..3 {
            assert_eq!(take(much_later), Ok(()), "never more than the burst, never less");
        }
        assert!(take(much_later).is_err());
    }
}
