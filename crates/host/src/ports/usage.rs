//! How much there is.

/// How many of a kind there are, and how many bytes they have together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// How many.
    pub count: u64,
    /// Their bytes, each counted as long as it is. Where contents share bytes, less is stored.
    pub bytes: u64,
}

/// What a registry knows of, in sums.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Files as they are now, deleted ones aside.
    pub files: Tally,
    /// Versions that were replaced, those of deleted files too.
    pub versions: Tally,
    /// Files that were deleted and are still kept.
    pub deleted: Tally,
    /// Refused saves.
    pub rescued: Tally,
}
