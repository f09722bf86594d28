//! The rules of WOPI locks: pure functions from the lock held and the request to the lock held afterwards.
//!
//! A lock belongs to the file, not to a user: whoever may write and quotes the right id may renew, swap or release it
//! (protocol documents, *Lock*). Ids are compared byte for byte, with one exception measured with Word: see
//! [`same_lock`].
//!
//! | held            | `Lock(id)`     | `RefreshLock(id)` | `Unlock(id)`   | `UnlockAndRelock(old, new)` | `PutFile(id)`               |
//! |-----------------|----------------|-------------------|----------------|-----------------------------|-----------------------------|
//! | nobody          | held by id     | 409, empty        | 409, empty     | 409, empty                  | 0 bytes: yes; else 409, empty |
//! | id (old)        | renewed        | renewed           | free           | held by new                 | yes                         |
//! | another id      | 409, with it   | 409, with it      | 409, with it   | 409, with it                | 409, with it                |
//! | one that ran out | as nobody     | as nobody         | as nobody      | as nobody                   | as nobody                   |

use std::time::Duration;

use wopi::{LockId, UserId};

use crate::records::{Held, LockState, Timestamp};

/// How long a WOPI lock holds after it was taken or renewed.
pub const LOCK_LIFETIME: Duration = Duration::from_secs(30 * 60);

/// The lock given is not the lock held.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LockMismatch {
    /// The lock held; `None` if the file is free.
    pub current: Option<LockId>,
    /// Why, for people and logs.
    pub reason: String,
}

/// Who takes a lock, to be shown to others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holder {
    /// Whose token was used.
    pub user: UserId,
    /// Through which client.
    pub client: Option<String>,
}

/// The lock that holds at `now`. One that has run out is no lock. The only place that compares times.
pub fn live(state: &LockState, now: Timestamp) -> Option<&Held> {
    match state {
        LockState::Free => None,
        LockState::Wopi(held) => (now < held.expires_at).then_some(held),
    }
}

/// Takes the lock, or renews it.
///
/// # Errors
///
/// [`LockMismatch`] if another lock is held.
pub fn lock(state: &LockState, wanted: LockId, by: Holder, now: Timestamp) -> Result<LockState, LockMismatch> {
    match live(state, now) {
        None => Ok(taken(wanted, now, by, now)),
        Some(held) if same_lock(&held.id, &wanted) => Ok(renewed(held, wanted, now)),
        Some(held) => Err(mismatch(held)),
    }
}

/// Renews the lock.
///
/// # Errors
///
/// [`LockMismatch`] if it is not held.
pub fn refresh(state: &LockState, given: &LockId, now: Timestamp) -> Result<LockState, LockMismatch> {
    let held = expect(state, given, now)?;
    Ok(renewed(held, held.id.clone(), now))
}

/// Lets go of the lock.
///
/// # Errors
///
/// [`LockMismatch`] if it is not held.
pub fn unlock(state: &LockState, given: &LockId, now: Timestamp) -> Result<LockState, LockMismatch> {
    expect(state, given, now).map(|_| LockState::Free)
}

/// Replaces the lock `old` by `new`.
///
/// # Errors
///
/// [`LockMismatch`] if `old` is not held.
pub fn unlock_and_relock(
    state: &LockState,
    old: &LockId,
    new: LockId,
    by: Holder,
    now: Timestamp,
) -> Result<LockState, LockMismatch> {
    let held = expect(state, old, now)?;
    Ok(taken(new, held.since, by, now))
}

/// Whether the lock `given` opens the way to the bytes of a file that is `size` bytes now.
///
/// A file of no bytes that nobody holds may be written without a lock: this is how clients fill new documents.
///
/// # Errors
///
/// [`LockMismatch`] if another lock is held, or if none is and the file has bytes.
pub fn may_write(state: &LockState, given: Option<&LockId>, size: u64, now: Timestamp) -> Result<(), LockMismatch> {
    match (live(state, now), given) {
        (None, _) if size == 0 => Ok(()),
        (None, given) => Err(free(if given.is_some() {
            "the file is not locked; the lock ran out or was released"
        } else {
            "the file is not locked and has content"
        })),
        (Some(held), Some(given)) if same_lock(&held.id, given) => Ok(()),
        (Some(held), _) => Err(mismatch(held)),
    }
}

/// Whether a name may be changed or a file replaced as a whole: nobody holds it, or the caller quotes the lock.
///
/// # Errors
///
/// [`LockMismatch`] if another lock is held.
pub fn may_change(state: &LockState, given: Option<&LockId>, now: Timestamp) -> Result<(), LockMismatch> {
    match (live(state, now), given) {
        (None, _) => Ok(()),
        (Some(held), Some(given)) if same_lock(&held.id, given) => Ok(()),
        (Some(held), _) => Err(mismatch(held)),
    }
}

/// Whether two lock ids are the same lock.
///
/// Byte for byte; and, because Word presents at save or unlock an id that differs from the one it took in members other
/// than `S` (older servers: `L`), two JSON objects with the same non-empty `S` or `L` (protocol/clients.md 9). Ids that
/// are not both such objects never match this way.
pub fn same_lock(held: &LockId, given: &LockId) -> bool {
    held == given || matches!((session_of(held), session_of(given)), (Some(held), Some(given)) if held == given)
}

fn session_of(lock: &LockId) -> Option<(char, String)> {
    if !lock.as_str().starts_with('{') {
        return None;
    }
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(lock.as_str()).ok()?;
    ['S', 'L'].into_iter().find_map(|member| match object.get(member.encode_utf8(&mut [0; 4]) as &str) {
        Some(serde_json::Value::String(text)) if !text.is_empty() => Some((member, text.clone())),
        _ => None,
    })
}

fn expect<'a>(state: &'a LockState, given: &LockId, now: Timestamp) -> Result<&'a Held, LockMismatch> {
    match live(state, now) {
        Some(held) if same_lock(&held.id, given) => Ok(held),
        Some(held) => Err(mismatch(held)),
        None => Err(free("the file is not locked; the lock ran out or was released")),
    }
}

fn taken(id: LockId, since: Timestamp, by: Holder, now: Timestamp) -> LockState {
    LockState::Wopi(Held { id, expires_at: now.plus(LOCK_LIFETIME), since, by: by.user, client: by.client })
}

/// The holder's own spelling of the id is kept up to date: GetLock and conflicts answer with the last one presented.
fn renewed(held: &Held, id: LockId, now: Timestamp) -> LockState {
    LockState::Wopi(Held { id, expires_at: now.plus(LOCK_LIFETIME), ..held.clone() })
}

fn mismatch(held: &Held) -> LockMismatch {
    let client = held.client.as_deref().map_or(String::new(), |client| format!(" through {client}"));
    LockMismatch { current: Some(held.id.clone()), reason: format!("the file is locked by another session{client}") }
}

fn free(reason: &str) -> LockMismatch {
    LockMismatch { current: None, reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(text: &str) -> LockId {
        LockId::parse(text).unwrap()
    }

    fn holder() -> Holder {
        Holder { user: UserId::parse("u1").unwrap(), client: Some("c".into()) }
    }

    const NOW: Timestamp = Timestamp(1_000_000);

    fn held(text: &str) -> LockState {
        lock(&LockState::Free, id(text), holder(), NOW).unwrap()
    }

    fn current(state: &LockState, now: Timestamp) -> Option<&str> {
        live(state, now).map(|held| held.id.as_str())
    }

    /// The table in the module's description: (held, operation) to the lock afterwards, or the 409's `X-WOPI-Lock`.
    #[test]
    fn the_state_table() {
        let later = NOW.plus(LOCK_LIFETIME);
        for (state, at, name) in
            [(LockState::Free, NOW, ""), (held("A"), NOW, "A"), (held("B"), NOW, "B"), (held("A"), later, "")]
        {
            let end = |result: Result<LockState, LockMismatch>| match result {
                Ok(state) => format!("ok {}", current(&state, at).unwrap_or("-")),
                Err(no) => format!("409 {}", no.current.as_ref().map_or("", LockId::as_str)),
            };
            let results = [
                end(lock(&state, id("A"), holder(), at)),
                end(refresh(&state, &id("A"), at)),
                end(unlock(&state, &id("A"), at)),
                end(unlock_and_relock(&state, &id("A"), id("N"), holder(), at)),
                end(may_write(&state, Some(&id("A")), 5, at).map(|()| state.clone())),
                end(may_write(&state, None, 0, at).map(|()| state.clone())),
                end(may_change(&state, Some(&id("A")), at).map(|()| state.clone())),
            ];
            let expected: [&str; 7] = match name {
                "" => ["ok A", "409 ", "409 ", "409 ", "409 ", "ok -", "ok -"],
                "A" => ["ok A", "ok A", "ok -", "ok N", "ok A", "409 A", "ok A"],
                _ => ["409 B", "409 B", "409 B", "409 B", "409 B", "409 B", "409 B"],
            };
            assert_eq!(results, expected, "held {name:?} at {at:?}");
        }
    }

    #[test]
    fn a_lock_runs_out_at_the_exact_millisecond() {
        let state = held("A");
        let end = NOW.plus(LOCK_LIFETIME);
        assert_eq!(current(&state, Timestamp(end.0 - 1)), Some("A"));
        assert_eq!(current(&state, end), None);
    }

    #[test]
    fn renewing_starts_the_half_hour_again_and_keeps_since() {
        let later = NOW.plus(Duration::from_secs(60));
        let LockState::Wopi(renewed) = refresh(&held("A"), &id("A"), later).unwrap() else { panic!() };
        assert_eq!((renewed.since, renewed.expires_at), (NOW, later.plus(LOCK_LIFETIME)));
    }

    #[test]
    fn json_locks_of_word_match_by_their_session_only_if_both_are_json() {
        for (one, other, same) in [
            (r#"{"S":"x","F":4}"#, r#"{"S":"x","F":6,"E":2}"#, true),
            (r#"{"L":"x","F":4}"#, r#"{"L":"x"}"#, true),
            (r#"{"S":"x"}"#, r#"{"S":"y"}"#, false),
            (r#"{"S":"x"}"#, r#"{"L":"x"}"#, false),
            (r#"{"S":""}"#, r#"{"S":"","F":1}"#, false),
            (r#"{"S":1}"#, r#"{"S":1,"F":1}"#, false),
            (r#"{"S":"x"}"#, "x", false),
            ("abc", "ABC", false),
            ("abc", "abc ", false),
        ] {
            assert_eq!(same_lock(&id(one), &id(other)), same, "{one} {other}");
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Lock(u8),
        Refresh(u8),
        Unlock(u8),
        Relock(u8, u8),
        Wait(u16),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..3u8).prop_map(Step::Lock),
            (0..3u8).prop_map(Step::Refresh),
            (0..3u8).prop_map(Step::Unlock),
            (0..3u8, 0..3u8).prop_map(|(old, new)| Step::Relock(old, new)),
            (0..2000u16).prop_map(Step::Wait),
        ]
    }

    proptest! {
        /// Any run of operations agrees with a model that keeps one optional (id, seconds left).
        #[test]
        fn a_random_run_agrees_with_a_small_model(steps in proptest::collection::vec(step(), 1..60)) {
            let name = |n: u8| id(&format!("lock {n}"));
            let (mut state, mut now, mut model) = (LockState::Free, NOW, None::<(u8, i64)>);
            for step in steps {
                let half_hour = 1800;
                let (result, expected) = match step {
                    Step::Wait(seconds) => {
                        now = now.plus(Duration::from_secs(u64::from(seconds)));
                        model = model.map(|(id, left)| (id, left - i64::from(seconds))).filter(|(_, left)| *left > 0);
                        continue;
                    }
                    Step::Lock(n) => (
                        lock(&state, name(n), holder(), now),
                        model.is_none_or(|(id, _)| id == n).then_some(Some((n, half_hour))),
                    ),
                    Step::Refresh(n) => (
                        refresh(&state, &name(n), now),
                        model.is_some_and(|(id, _)| id == n).then_some(Some((n, half_hour))),
                    ),
                    Step::Unlock(n) => (
                        unlock(&state, &name(n), now),
                        model.is_some_and(|(id, _)| id == n).then_some(None),
                    ),
                    Step::Relock(old, new) => (
                        unlock_and_relock(&state, &name(old), name(new), holder(), now),
                        model.is_some_and(|(id, _)| id == old).then_some(Some((new, half_hour))),
                    ),
                };
                match (result, expected) {
                    (Ok(next), Some(expected)) => (state, model) = (next, expected),
                    (Err(no), None) => prop_assert_eq!(no.current, model.map(|(id, _)| name(id))),
                    (result, expected) => prop_assert!(false, "{:?} against {:?}", result, expected),
                }
                let held = live(&state, now).map(|held| held.id.clone());
                prop_assert_eq!(held, model.map(|(id, _)| name(id)));
            }
        }
    }
}
