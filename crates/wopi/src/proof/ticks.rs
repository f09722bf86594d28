//! Ticks: 100 ns since 0001-01-01 UTC, in which `X-WOPI-TimeStamp` counts.

/// Ticks in a millisecond.
const PER_MS: i64 = 10_000;

/// Ticks of 1970-01-01.
const UNIX_EPOCH: i64 = 621_355_968_000_000_000;

/// The ticks of a moment given in milliseconds since 1970. Saturates.
pub fn ticks_from_unix_ms(unix_ms: i64) -> i64 {
    unix_ms.saturating_mul(PER_MS).saturating_add(UNIX_EPOCH)
}

/// The moment in milliseconds since 1970, rounded down.
pub fn unix_ms_from_ticks(ticks: i64) -> i64 {
    ticks.saturating_sub(UNIX_EPOCH).div_euclid(PER_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_count_from_the_year_one() {
        assert_eq!(ticks_from_unix_ms(1_704_067_200_000), 638_396_640_000_000_000);
        assert_eq!(ticks_from_unix_ms(-62_135_596_800_000), 0);
        assert_eq!(unix_ms_from_ticks(638_396_640_000_009_999), 1_704_067_200_000);
        assert_eq!(unix_ms_from_ticks(0), -62_135_596_800_000);
    }

    #[test]
    fn extreme_moments_saturate() {
        assert_eq!(ticks_from_unix_ms(i64::MAX), i64::MAX);
        assert_eq!(ticks_from_unix_ms(i64::MIN), i64::MIN + UNIX_EPOCH);
        assert_eq!(unix_ms_from_ticks(i64::MIN), i64::MIN.div_euclid(PER_MS));
    }
}
