//! `[history]`

use super::section::section;
use super::values::{DAY_MS, Span};

section! {
    /// Which versions of a file are kept. A version that has a name, or was marked to be kept, is never thinned out.
    pub struct History = "history" {
        /// Every version younger than this is kept.
        pub every_for: Span<0, { 36_500 * DAY_MS }> = const { Span::ms(30 * DAY_MS) };
        /// Of the older ones, the last of each day is kept until it is this old.
        pub daily_for: Span<0, { 36_500 * DAY_MS }> = const { Span::ms(365 * DAY_MS) };
        /// How long the bytes and the history of a deleted file are kept.
        pub deleted_for: Span<0, { 36_500 * DAY_MS }> = const { Span::ms(30 * DAY_MS) };
    }
}
