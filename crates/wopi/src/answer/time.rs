//! `LastModifiedTime`, to the last digit.
//!
//! Collabora and ONLYOFFICE send the text back as a precondition of the next save, so the same moment must always give
//! the same text: UTC, seven digits of a second, as .NET's round-trip format has it (`2009-06-15T13:45:30.0000000Z`).

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;

static PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(7));

/// 0001-01-01T00:00:00Z, the first moment .NET knows, in units of 100 ns since 1970.
const FIRST: i64 = -621_355_968_000_000_000;

/// The text of a moment given in units of 100 ns since 1970-01-01 UTC. Moments outside the years 1 to 9999 become the
/// nearest one that has a text.
pub fn last_modified_time(hundred_ns_since_1970: i64) -> String {
    let moment = Timestamp::from_nanosecond(i128::from(hundred_ns_since_1970.max(FIRST)) * 100);
    // Only a moment too late is left to fail.
    PRINTER.timestamp_to_string(&moment.unwrap_or(Timestamp::MAX))
}

/// The moment that a text means, in units of 100 ns since 1970-01-01 UTC; `None` if it means none. Any RFC 3339 text is
/// understood, offsets included; digits beyond the seventh are dropped.
pub fn parse_last_modified_time(text: &str) -> Option<i64> {
    let moment: Timestamp = text.parse().ok()?;
    i64::try_from(moment.as_nanosecond().div_euclid(100)).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_moment_and_its_text() {
        for (moment, text) in [
            (0, "1970-01-01T00:00:00.0000000Z"),
            (12_450_735_300_000_000, "2009-06-15T13:45:30.0000000Z"),
            (12_450_735_300_000_001, "2009-06-15T13:45:30.0000001Z"),
            (12_450_735_309_999_999, "2009-06-15T13:45:30.9999999Z"),
            (-1, "1969-12-31T23:59:59.9999999Z"),
            (FIRST, "0001-01-01T00:00:00.0000000Z"),
        ] {
            assert_eq!(last_modified_time(moment), text);
            assert_eq!(parse_last_modified_time(text), Some(moment));
        }
    }

    #[test]
    fn other_spellings_of_a_moment_are_understood() {
        for (text, moment) in [
            ("2009-06-15T13:45:30Z", Some(12_450_735_300_000_000)),
            ("2009-06-15T15:45:30.5+02:00", Some(12_450_735_305_000_000)),
            ("2009-06-15T13:45:30.123456789Z", Some(12_450_735_301_234_567)),
            ("2009-06-15T13:45:30", None),
            ("2017-02-15T13:47:13000000Z", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(parse_last_modified_time(text), moment, "{text}");
        }
    }

    #[test]
    fn a_moment_out_of_bounds_becomes_the_nearest() {
        assert_eq!(last_modified_time(i64::MIN), last_modified_time(FIRST));
        assert!(last_modified_time(i64::MAX).starts_with("9999-12-30T"));
    }

    proptest! {
        #[test]
        fn a_moment_survives_its_text(moment in FIRST..253_400_000_000_000_000) {
            let text = last_modified_time(moment);
            prop_assert_eq!(text.len(), 28);
            prop_assert_eq!(parse_last_modified_time(&text), Some(moment));
        }
    }
}
