//! `Version` and `X-WOPI-ItemVersion`: what changes when the content changes, and never repeats.

use std::fmt;

/// The version of a file as clients see it: CheckFileInfo's `Version` and the header `X-WOPI-ItemVersion`.
///
/// Hosts built on this crate count: the text is a number that only grows, because two saves of identical bytes must
/// still give two versions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct ItemVersion(pub u64);

impl ItemVersion {
    /// The version after the next save.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for ItemVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
