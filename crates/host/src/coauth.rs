//! The rules of coauth locks (CSPP Plus): pure functions from what holds a file and the request to what holds it
//! afterwards, and what coauth locks mean for other operations (protocol documents, *WOPI coauthoring locks* 5).
//!
//! Many clients hold a file at once, each under an id of its own; one of them may hold it exclusively, which lets only
//! this one change the bytes and keeps nobody from taking part. A file is held either by one WOPI lock or by coauth
//! locks. Every lock has an expiry of its own; one that has run out is gone for every purpose.
//!
//! In the tables `A` and `B` are WOPI locks, 1 and 2 are ids of coauth locks, and `2!` is one of type
//! `CoauthExclusive`. A cell says what holds the file afterwards, or how the 409 looks: `L` is `X-WOPI-Lock`, `M` is
//! `X-WOPI-ConflictingMechanism`, `U` is `X-WOPI-ConflictingLockUsername`.
//!
//! Taking a lock:
//!
//! | held | `Lock(A)` | `GetCoauthLock(1)` | `GetCoauthLock(1!)` |
//! |---|---|---|---|
//! | nobody, 0 bytes | `A` | 1 | 1! |
//! | nobody | `A` | 1 | 1! |
//! | `A` | `A` | 409 | 409 |
//! | `B` | 409, L=B | 409 | 409 |
//! | `B`, to be seen | 409, L=B, U=Bert | 409, U=Bert | 409, U=Bert |
//! | 2 | 409 | 1 2 | 1! 2 |
//! | 1 2 | 409 | 1 2 | 1! 2 |
//! | 1! 2 | 409 | 1 2 | 1! 2 |
//! | 1 2! | 409 | 1 2! | 409 |
//! | 2! | 409 | 1 2! | 409 |
//! | `A` that ran out | `A` | 1 | 1! |
//! | 1! 2 that ran out | `A` | 1 | 1! |
//!
//! Releasing, renewing and asking:
//!
//! | held | `UnlockCoauthLock(1)` | `RefreshCoauthLock(1)` | `GetCoauthTable` | `Unlock(A)` | `RefreshLock(A)` | `UnlockAndRelock(A, N)` | `GetLock` |
//! |---|---|---|---|---|---|---|---|
//! | nobody, 0 bytes | 409 | 409 | no rows | 409, L="" | 409, L="" | 409, L="" | empty |
//! | nobody | 409 | 409 | no rows | 409, L="" | 409, L="" | 409, L="" | empty |
//! | `A` | 409 | 409 | 409 | nobody | `A` | `N` | `A` |
//! | `B` | 409 | 409 | 409 | 409, L=B | 409, L=B | 409, L=B | `B` |
//! | `B`, to be seen | 409, U=Bert | 409, U=Bert | 409, U=Bert | 409, L=B, U=Bert | 409, L=B, U=Bert | 409, L=B, U=Bert | `B` |
//! | 2 | 409 | 409 | 2 | 409 | 409 | 409 | 409 |
//! | 1 2 | 2 | 1 2 | 1 2 | 409 | 409 | 409 | 409 |
//! | 1! 2 | 2 | 1! 2 | 1 2 | 409 | 409 | 409 | 409 |
//! | 1 2! | 2! | 1 2! | 1 2 | 409 | 409 | 409 | 409 |
//! | 2! | 409 | 409 | 2 | 409 | 409 | 409 | 409 |
//! | `A` that ran out | 409 | 409 | no rows | 409, L="" | 409, L="" | 409, L="" | empty |
//! | 1! 2 that ran out | 409 | 409 | no rows | 409, L="" | 409, L="" | 409, L="" | empty |
//!
//! RenameFile, by what is presented (a lock of each kind at once is 400 whatever holds the file):
//!
//! | held | RenameFile, no lock | RenameFile, `A` | RenameFile, 1 |
//! |---|---|---|---|
//! | nobody, 0 bytes | yes | yes | yes |
//! | nobody | yes | yes | yes |
//! | `A` | 409, L=A | yes | 409, L=A |
//! | `B` | 409, L=B | 409, L=B | 409, L=B |
//! | `B`, to be seen | 409, L=B, U=Bert | 409, L=B, U=Bert | 409, L=B, U=Bert |
//! | 2 | 409 | 409 | 409 |
//! | 1 2 | 409 | 409 | yes |
//! | 1! 2 | 409 | 409 | yes |
//! | 1 2! | 409 | 409 | yes |
//! | 2! | 409 | 409 | 409 |
//! | `A` that ran out | yes | yes | yes |
//! | 1! 2 that ran out | yes | yes | yes |
//!
//! PutChunkedFile, by what is presented (as above):
//!
//! | held | PutChunkedFile, no lock | PutChunkedFile, `A` | PutChunkedFile, 1 |
//! |---|---|---|---|
//! | nobody, 0 bytes | yes | yes | yes |
//! | nobody | 409, L="" | 409, L="" | 409, L="" |
//! | `A` | 409, L=A, M=WOPI-Lock | yes | 409, L=A, M=WOPI-Lock |
//! | `B` | 409, L=B, M=WOPI-Lock | 409, L=B, M=WOPI-Lock | 409, L=B, M=WOPI-Lock |
//! | `B`, to be seen | 409, L=B, M=WOPI-Lock, U=Bert | 409, L=B, M=WOPI-Lock, U=Bert | 409, L=B, M=WOPI-Lock, U=Bert |
//! | 2 | 409 | 409 | 409 |
//! | 1 2 | 409 | 409 | yes |
//! | 1! 2 | 409, M=WOPI-CoauthExclusiveLock | 409, M=WOPI-CoauthExclusiveLock | yes |
//! | 1 2! | 409, M=WOPI-CoauthExclusiveLock | 409, M=WOPI-CoauthExclusiveLock | 409, M=WOPI-CoauthExclusiveLock |
//! | 2! | 409, M=WOPI-CoauthExclusiveLock | 409, M=WOPI-CoauthExclusiveLock | 409, M=WOPI-CoauthExclusiveLock |
//! | `A` that ran out | 409, L="" | 409, L="" | 409, L="" |
//! | 1! 2 that ran out | 409, L="" | 409, L="" | 409, L="" |
//!
//! Other operations that change a file. They have no header for coauth locks:
//!
//! | held | PutFile, no lock | PutFile, `A` | DeleteFile; being overwritten by PutRelativeFile |
//! |---|---|---|---|
//! | nobody, 0 bytes | yes | yes | yes |
//! | nobody | 409, L="" | 409, L="" | yes |
//! | `A` | 409, L=A | yes | 409, L=A |
//! | `B` | 409, L=B | 409, L=B | 409, L=B |
//! | `B`, to be seen | 409, L=B, U=Bert | 409, L=B, U=Bert | 409, L=B, U=Bert |
//! | 2 | 409 | 409 | 409 |
//! | 1 2 | 409 | 409 | 409 |
//! | 1! 2 | 409 | 409 | 409 |
//! | 1 2! | 409 | 409 | 409 |
//! | 2! | 409 | 409 | 409 |
//! | `A` that ran out | 409, L="" | 409, L="" | yes |
//! | 1! 2 that ran out | 409, L="" | 409, L="" | yes |
//!
//! Everything else that a lock could be thought to concern only reads, and no lock stands in its way.

use aws_lc_rs::digest::{Context, SHA256};
use wopi::UserId;
use wopi::answer::CoauthTableRow;
use wopi::coauth::{CoauthLockId, CoauthLockMetadata, CoauthLockType, CoauthTableVersion, LockTimeout, PresentedLock};
use wopi_service::CoauthAnswer;

use crate::locks::{self, Live, LockMismatch};
use crate::records::{CoauthLock, CoauthTable, LockState, Timestamp};

/// A coauth lock as a client asks for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// Its id.
    pub id: CoauthLockId,
    /// What it is to be good for.
    pub kind: CoauthLockType,
    /// How long.
    pub timeout: LockTimeout,
    /// What is to be kept with it.
    pub metadata: CoauthLockMetadata,
    /// Whose token is used.
    pub by: UserId,
    /// That user's `UserFriendlyName`.
    pub user_name: String,
}

/// Why an operation on coauth locks is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CoauthRefusal {
    /// A WOPI lock holds the file.
    Locked(LockMismatch),
    /// Another id holds it exclusively.
    ExclusiveElsewhere,
    /// No lock has this id, or it has run out.
    NotHeld,
    /// There are [`CoauthTable::LOCKS_MAX`] already. That passes: they run out.
    Full,
}

/// PutChunkedFile meets another lock than it presents.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChunkedMismatch(pub LockMismatch);

/// Takes a coauth lock, renews it, or switches its type. Since when it is held, and by whom it was taken, stays.
///
/// # Errors
///
/// [`CoauthRefusal`], but not [`CoauthRefusal::NotHeld`].
pub fn get_coauth_lock(state: &LockState, wanted: &Wanted, now: Timestamp) -> Result<LockState, CoauthRefusal> {
    let held = coauth_locks(state, now)?;
    let exclusive = |kind| kind == CoauthLockType::CoauthExclusive;
    if exclusive(wanted.kind) && held.iter().any(|lock| exclusive(lock.kind) && lock.id != wanted.id) {
        return Err(CoauthRefusal::ExclusiveElsewhere);
    }
    let earlier = held.iter().find(|lock| lock.id == wanted.id);
    let (since, by, user_name) = match earlier {
        Some(lock) => (lock.since, lock.by.clone(), lock.user_name.clone()),
        None => (now, wanted.by.clone(), wanted.user_name.clone()),
    };
    let next = CoauthLock {
        id: wanted.id.clone(),
        kind: wanted.kind,
        metadata: wanted.metadata.clone(),
        expires_at: now.plus(wanted.timeout.duration()),
        since,
        by,
        user_name,
    };
    let others = held.into_iter().filter(|lock| lock.id != next.id).cloned();
    let table = CoauthTable::new(others.chain([next.clone()]).collect());
    table.map(LockState::Coauth).ok_or(CoauthRefusal::Full)
}

/// Renews a coauth lock. Metadata are replaced unless empty.
///
/// # Errors
///
/// [`CoauthRefusal`] if it is not held.
pub fn refresh_coauth_lock(
    state: &LockState,
    id: &CoauthLockId,
    timeout: LockTimeout,
    metadata: &CoauthLockMetadata,
    now: Timestamp,
) -> Result<LockState, CoauthRefusal> {
    let mut locks: Vec<CoauthLock> = coauth_locks(state, now)?.into_iter().cloned().collect();
    let lock = locks.iter_mut().find(|lock| lock.id == *id).ok_or(CoauthRefusal::NotHeld)?;
    lock.expires_at = now.plus(timeout.duration());
    if !metadata.is_empty() {
        lock.metadata = metadata.clone();
    }
    Ok(state_of(locks))
}

/// Lets go of a coauth lock.
///
/// # Errors
///
/// [`CoauthRefusal`] if it is not held.
pub fn unlock_coauth_lock(state: &LockState, id: &CoauthLockId, now: Timestamp) -> Result<LockState, CoauthRefusal> {
    let held = coauth_locks(state, now)?;
    let others: Vec<CoauthLock> = held.iter().filter(|lock| lock.id != *id).copied().cloned().collect();
    if others.len() == held.len() { Err(CoauthRefusal::NotHeld) } else { Ok(state_of(others)) }
}

/// The table as clients see it; without rows for a client that knows this version already.
///
/// # Errors
///
/// [`CoauthRefusal::Locked`] if a WOPI lock holds the file: the documents list 409 here, though no lock stands in the way
/// of any other reading.
pub fn coauth_table(
    state: &LockState,
    known: Option<&CoauthTableVersion>,
    now: Timestamp,
) -> Result<CoauthAnswer, CoauthRefusal> {
    let locks = coauth_locks(state, now)?;
    let version = version_of(&locks);
    if known == Some(&version) {
        return Ok(CoauthAnswer { version, table: None });
    }
    let row = |lock: &&CoauthLock| CoauthTableRow {
        coauth_lock_id: lock.id.as_str().to_owned(),
        coauth_lock_metadata: lock.metadata.as_str().to_owned(),
        coauth_lock_type: lock.kind,
        user_friendly_name: lock.user_name.clone(),
        coauth_lock_time: lock.since.0,
    };
    let table = wopi::answer::CoauthTable { coauth_table: locks.iter().map(row).collect() };
    Ok(CoauthAnswer { version, table: Some(table) })
}

/// Whether a file may get another name.
///
/// Under coauth locks whoever holds any of them may rename it, also under somebody else's exclusive one: the documents
/// ask for a valid lock only, and a name is no content.
///
/// # Errors
///
/// [`LockMismatch`] if it is held and the lock presented is not it.
pub fn may_rename(state: &LockState, presented: &PresentedLock, now: Timestamp) -> Result<(), LockMismatch> {
    match (locks::live(state, now), presented) {
        (Live::Nobody, _) => Ok(()),
        (Live::Wopi(held), PresentedLock::Wopi(given)) if locks::same_lock(&held.id, given) => Ok(()),
        (Live::Wopi(held), _) => Err(locks::mismatch(held)),
        (Live::Coauth(held), PresentedLock::Coauth(given)) if held.iter().any(|lock| lock.id == *given) => Ok(()),
        (Live::Coauth(held), _) => Err(locks::coauth(&held)),
    }
}

/// Whether PutChunkedFile may go on to the bytes of a file that is `size` bytes now.
///
/// As with PutFile, a file of no bytes that nobody holds may be written without a lock, whatever is presented.
///
/// # Errors
///
/// [`ChunkedMismatch`] if the lock presented is not one that lets its holder write.
pub fn may_write_chunked(
    state: &LockState,
    presented: &PresentedLock,
    size: u64,
    now: Timestamp,
) -> Result<(), ChunkedMismatch> {
    let allowed = match (locks::live(state, now), presented) {
        (Live::Nobody, _) if size == 0 => Ok(()),
        (Live::Nobody, presented) => Err(locks::needed(*presented != PresentedLock::None)),
        (Live::Wopi(held), PresentedLock::Wopi(given)) if locks::same_lock(&held.id, given) => Ok(()),
        (Live::Wopi(held), _) => Err(locks::mismatch(held)),
        (Live::Coauth(held), presented) => {
            let exclusive = held.iter().find(|lock| lock.kind == CoauthLockType::CoauthExclusive);
            let writes = |given: &CoauthLockId| match exclusive {
                Some(lock) => lock.id == *given,
                None => held.iter().any(|lock| lock.id == *given),
            };
            match presented {
                PresentedLock::Coauth(given) if writes(given) => Ok(()),
                _ => Err(locks::coauth(&held)),
            }
        }
    };
    allowed.map_err(ChunkedMismatch)
}

/// The coauth locks that hold; none if nobody holds the file.
fn coauth_locks(state: &LockState, now: Timestamp) -> Result<Vec<&CoauthLock>, CoauthRefusal> {
    match locks::live(state, now) {
        Live::Nobody => Ok(Vec::new()),
        Live::Wopi(held) => Err(CoauthRefusal::Locked(locks::mismatch(held))),
        Live::Coauth(locks) => Ok(locks),
    }
}

/// What holds a file whose coauth locks are these, which were part of a table.
fn state_of(locks: Vec<CoauthLock>) -> LockState {
    CoauthTable::new(locks).map_or(LockState::Free, LockState::Coauth)
}

/// A hash over everything that the rows show, which leaves expiry out. So the version also changes when a lock runs out,
/// and not when one is renewed; and any server computes the same one.
fn version_of(locks: &[&CoauthLock]) -> CoauthTableVersion {
    let mut hash = Context::new(&SHA256);
    for lock in locks {
        for text in [lock.id.as_str(), lock.metadata.as_str(), lock.kind.as_str(), &lock.user_name] {
            // With its length in front, so that no text can pass for the end of one and the beginning of the next.
            hash.update(&(text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        }
        hash.update(&lock.since.0.to_be_bytes());
    }
    // Half of it is enough that two tables never share one.
    let mut half = [0; 16];
    half.iter_mut().zip(hash.finish().as_ref()).for_each(|(to, from)| *to = *from);
    CoauthTableVersion::of_hash(half)
}

#[cfg(test)]
mod tests;
