//! Asking a store: within a time, and again where that is safe.
//!
//! Everything that goes through [`Patience::ask`] may be done twice: reading, listing, removing, beginning an upload,
//! sending a part. What writes an object is in [`super::writing`], which looks before it tries again.

use std::future::Future;
use std::time::Duration;

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use tokio::time::Instant;

use super::settings::Patience;
use super::trouble::Trouble;

/// Longest pause before another attempt.
const PAUSE_MAX: Duration = Duration::from_secs(5);

impl Patience {
    /// How long a request may take that sends so many bytes.
    pub(super) fn allowed(&self, bytes: usize) -> Duration {
        let megabytes = u32::try_from(bytes.div_ceil(1 << 20)).unwrap_or(u32::MAX);
        self.answer.saturating_add(self.per_megabyte.saturating_mul(megabytes))
    }

    /// Makes one attempt.
    pub(super) async fn once<T>(
        &self,
        tried: &str,
        allowed: Duration,
        asked: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, Trouble> {
        match tokio::time::timeout(allowed, asked).await {
            Ok(answer) => answer.map_err(|error| Trouble::from_store(tried, error)),
            Err(_) => Err(Trouble::late(tried)),
        }
    }

    /// Asks until there is an answer that another attempt would not change, or patience ends.
    pub(super) async fn ask<T, F>(
        &self,
        tried: &str,
        allowed: Duration,
        mut ask: impl FnMut() -> F,
    ) -> Result<T, Trouble>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        let mut tries = self.tries();
        loop {
            match self.once(tried, allowed, ask()).await {
                Err(trouble) if trouble.is_passing() && tries.again().await => {
                    tracing::debug!(trouble = %cause(&trouble), "asking the store again");
                }
                answer => return answer,
            }
        }
    }

    /// Counts attempts, the first of which begins now.
    pub(super) fn tries(&self) -> Tries {
        Tries { left: self.attempts.saturating_sub(1), pause: self.pause, until: Instant::now() + self.window }
    }
}

/// The attempts that are left.
#[derive(Debug)]
pub(super) struct Tries {
    left: u32,
    pause: Duration,
    until: Instant,
}

impl Tries {
    /// Waits until it is time for another attempt; `false` if there shall be none.
    pub(super) async fn again(&mut self) -> bool {
        // Many clients that were refused together should not come back together.
        let pause = self.pause + self.pause.mul_f64(chance());
        if self.left == 0 || Instant::now() + pause > self.until {
            return false;
        }
        self.left -= 1;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        tokio::time::sleep(pause).await;
        true
    }
}

/// Somewhere from 0 to 1.
fn chance() -> f64 {
    let mut byte = [0];
    // Without chance, all come back together: slower, not wrong.
    let _ = SystemRandom::new().fill(&mut byte);
    f64::from(byte[0]) / 255.0
}

/// A failure and its causes in one line.
pub(super) fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    for _ in 0..8 {
        let Some(error) = cause else { break };
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::super::trouble::Kind;
    use super::*;

    fn patience() -> Patience {
        Patience { attempts: 3, ..Patience::default() }
    }

    fn generic(source: impl Into<lectern_host::BoxError>) -> object_store::Error {
        object_store::Error::Generic { store: "test", source: source.into() }
    }

    fn passing() -> object_store::Error {
        generic(std::io::Error::from(std::io::ErrorKind::TimedOut))
    }

    #[tokio::test(start_paused = true)]
    async fn passing_trouble_is_tried_again_so_often_and_no_more() {
        for (failures, works) in [(0, true), (1, true), (2, true), (3, false)] {
            let (asked, patience) = (Cell::new(0), patience());
            let answer = patience.ask("x", Duration::from_secs(1), || {
                asked.set(asked.get() + 1);
                let answer = if asked.get() > failures { Ok(()) } else { Err(passing()) };
                async { answer }
            });
            assert_eq!(answer.await.is_ok(), works, "{failures}");
            assert_eq!(asked.get(), (failures + 1).min(3));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn lasting_trouble_is_not_tried_again() {
        let asked = Cell::new(0);
        let answer: Result<(), _> = patience()
            .ask("x", Duration::from_secs(1), || {
                asked.set(asked.get() + 1);
                async { Err(generic("no")) }
            })
            .await;
        assert_eq!(answer.unwrap_err().kind, Kind::Lasting);
        assert_eq!(asked.get(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_answer_is_not_waited_for_and_no_attempt_begins_after_the_window() {
        let began = Instant::now();
        let patience = Patience { window: Duration::from_secs(25), ..patience() };
        let answer: Result<(), _> = patience.ask("x", Duration::from_secs(20), std::future::pending).await;
        assert!(answer.unwrap_err().is_passing());
        // Two attempts: the third would begin after more than 40 seconds.
        let took = began.elapsed();
        assert!(took >= Duration::from_secs(40) && took < Duration::from_secs(41), "{took:?}");
    }

    #[test]
    fn more_bytes_may_take_longer() {
        let patience = Patience::default();
        assert_eq!(patience.allowed(0), Duration::from_secs(20));
        assert_eq!(patience.allowed(1), Duration::from_secs(24));
        assert_eq!(patience.allowed(8 << 20), Duration::from_secs(52));
    }
}
