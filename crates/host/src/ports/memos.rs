//! Small things that all nodes of one installation have to remember together.

use async_trait::async_trait;

use super::RegistryError;
use crate::records::{RefusedRequest, Revision, Timestamp};

/// Longest name of a memo, in bytes.
pub const MEMO_NAME_BYTES_MAX: usize = 200;

/// Largest value of a memo, in bytes.
pub const MEMO_VALUE_BYTES_MAX: usize = 256 << 10;

/// Something remembered under a name until a moment.
#[derive(Clone, PartialEq, Eq)]
pub struct Memo {
    /// What.
    pub value: Vec<u8>,
    /// Counts whatever happens under the name; never used twice for it.
    pub revision: Revision,
    /// Until when. From that millisecond on there is no such memo.
    pub until: Timestamp,
}

/// Tells nothing of the value: keys are among them.
impl std::fmt::Debug for Memo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Memo({} bytes, {:?}, {:?})", self.value.len(), self.revision, self.until)
    }
}

/// The part of a registry that nodes tell one another small things by: who sweeps now, what a sign-in that was begun at one
/// node needs at another, the keys of access tokens where no file holds them; and what they refused.
///
/// * Of two that put under one name what they saw there as the same, exactly one wins; the other gets
///   [`RegistryError::Conflict`].
/// * The moment that counts is the one the caller tells.
#[async_trait]
pub trait Memos: Send + Sync {
    /// What is remembered under this name, if anything is.
    async fn memo(&self, name: &str, now: Timestamp) -> Result<Option<Memo>, RegistryError>;

    /// Remembers a value under this name, in place of what was seen there at this revision; of nothing, if that is `None`.
    /// Returns its revision.
    async fn put_memo(
        &self,
        name: &str,
        seen: Option<Revision>,
        value: &[u8],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Revision, RegistryError>;

    /// Forgets what was seen under this name at this revision. `Conflict` if it is something else, or nothing, by now: of
    /// two that take it away exactly one does.
    async fn remove_memo(&self, name: &str, seen: Revision, now: Timestamp) -> Result<(), RegistryError>;

    /// Gives back the room of memos that ran out before this. Returns how many.
    async fn prune_memos(&self, before: Timestamp) -> Result<u64, RegistryError>;

    /// Remembers refused requests, in this order, and of all that are remembered the last `kept_max`.
    async fn add_refusals(&self, refused: &[RefusedRequest], kept_max: usize) -> Result<(), RegistryError>;

    /// The refused requests, those that were remembered last first, at most `limit`.
    async fn refusals(&self, limit: usize) -> Result<Vec<RefusedRequest>, RegistryError>;
}
