//! The time and the chance of the machine, for the ports that ask for them. Nothing else in the program looks at a clock
//! of its own or makes random numbers.

use std::time::{SystemTime, UNIX_EPOCH};

use lectern_host::ports::{Clock, Random};
use lectern_host::records::Timestamp;

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // Before 1970 is as good as 1970: nothing here was made before.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// Random bytes from aws-lc, seeded by the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    #[expect(clippy::expect_used, reason = "without randomness every id and key would be guessable: better to stop")]
    fn fill(&self, buffer: &mut [u8]) {
        aws_lc_rs::rand::fill(buffer).expect("the system has randomness");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_counts_milliseconds_since_1970() {
        let (first, second) = (SystemClock.now(), SystemClock.now());
        // 2024-01-01 and 2200-01-01.
        assert!(first.0 > 1_704_067_200_000 && first.0 < 7_258_118_400_000, "{first:?}");
        assert!(first <= second);
    }

    #[test]
    fn random_bytes_fill_the_whole_buffer_and_differ() {
        let (mut one, mut two) = ([0; 32], [0; 32]);
        SystemRandom.fill(&mut one);
        SystemRandom.fill(&mut two);
        assert_ne!(one, two);
        assert!(one[16..].iter().any(|b| *b != 0));
    }
}
