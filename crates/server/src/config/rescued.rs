//! `[rescued]`

use super::section::section;
use super::values::{DAY_MS, Size, Span};

section! {
    /// Saves that had to be refused, because somebody else held the file for example. Their bytes are kept a while:
    /// `lectern rescued list` shows them.
    pub struct Rescued = "rescued" {
        /// How long they are kept.
        pub keep_for: Span<0, { 3650 * DAY_MS }> = const { Span::ms(30 * DAY_MS) };
        /// How much room they may take together. The oldest ones go first.
        pub bytes_max: Size<0, { 1 << 50 }> = const { Size::bytes(4 << 30) };
    }
}
