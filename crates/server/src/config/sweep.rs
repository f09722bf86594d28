//! `[sweep]`

use super::section::section;
use super::values::{DAY_MS, Span};

section! {
    /// Removing what nobody needs any more. Of several nodes one does it at a time.
    pub struct Sweep = "sweep" {
        /// How often.
        pub every: Span<1_000, DAY_MS> = const { Span::ms(3_600_000) };
        /// How old bytes must be before it is asked whether anything points to them. A save that takes longer than this is
        /// put off (503) and has to be sent again; nothing else depends on it.
        pub unreferenced_for: Span<0, { 3650 * DAY_MS }> = const { Span::ms(DAY_MS) };
    }
}
