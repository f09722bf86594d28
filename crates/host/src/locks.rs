//! The rules of WOPI locks: pure functions from the lock held and the request to the lock held afterwards.
//!
//! A lock belongs to the file, not to a user: whoever may write and quotes the right id may renew, swap or release it
//! (protocol documents, *Lock*). Ids are compared byte for byte, with one exception measured with Word: see
//! [`same_lock`].
//!
//! | held            | `Lock(id)`     | `RefreshLock(id)` | `Unlock(id)`   | `UnlockAndRelock(old, new)` | `GetLock` | `PutFile(id)`               |
//! |-----------------|----------------|-------------------|----------------|-----------------------------|-----------|-----------------------------|
//! | nobody          | held by id     | 409, empty        | 409, empty     | 409, empty                  | empty     | 0 bytes: yes; else 409, empty |
//! | id (old)        | renewed        | renewed           | free           | held by new                 | id        | yes                         |
//! | another id      | 409, with it   | 409, with it      | 409, with it   | 409, with it                | it        | 409, with it                |
//! | one that ran out | as nobody     | as nobody         | as nobody      | as nobody                   | as nobody | as nobody                   |
//! | coauth locks    | 409, without   | 409, without      | 409, without   | 409, without                | 409, without | 409, without             |
//!
//! "Empty", "with it" and "without" say how `X-WOPI-Lock` looks. What coauth locks themselves do is in [`crate::coauth`].

use std::time::Duration;

use wopi::coauth::CoauthLockType;
use wopi::{LockId, UserId};

use crate::records::{CoauthLock, Held, LockState, Timestamp};

/// How long a WOPI lock holds after it was taken or renewed, unless the client asks for another time.
pub const LOCK_LIFETIME: Duration = Duration::from_secs(30 * 60);

/// The lock given is not the lock held.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LockMismatch {
    /// What holds the file.
    pub held: Blocker,
    /// Why, for people and logs.
    pub reason: String,
}

/// What holds a file, as far as whoever is refused may know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Blocker {
    /// Nothing: a lock would have been needed.
    Nothing,
    /// A WOPI lock.
    Wopi {
        /// Its id.
        current: LockId,
        /// Who took it, if he wanted to be seen.
        visible_as: Option<String>,
    },
    /// Coauth locks, none of them exclusive.
    Coauth,
    /// Coauth locks, one of them exclusive.
    CoauthExclusive,
}

/// Who takes a lock, to be shown to others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holder {
    /// Whose token was used.
    pub user: UserId,
    /// Through which client.
    pub client: Option<String>,
}

/// What whoever takes or renews a lock wants of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Terms {
    /// How long it shall hold.
    pub lifetime: Duration,
    /// The name that others may be shown. Only until the lock is renewed: that brings its own terms.
    pub visible_as: Option<String>,
}

impl Default for Terms {
    fn default() -> Self {
        Self { lifetime: LOCK_LIFETIME, visible_as: None }
    }
}

/// What holds a file at some moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Live<'a> {
    /// Nobody, or only what has run out.
    Nobody,
    /// A WOPI lock.
    Wopi(&'a Held),
    /// Coauth locks, in the order of their ids. Never empty.
    Coauth(Vec<&'a CoauthLock>),
}

/// What holds at `now`. A lock that has run out is no lock. The only place that compares times.
pub fn live(state: &LockState, now: Timestamp) -> Live<'_> {
    match state {
        LockState::Wopi(held) if now < held.expires_at => Live::Wopi(held),
        LockState::Free | LockState::Wopi(_) => Live::Nobody,
        LockState::Coauth(table) => {
            let locks: Vec<_> = table.locks().iter().filter(|lock| now < lock.expires_at).collect();
            if locks.is_empty() { Live::Nobody } else { Live::Coauth(locks) }
        }
    }
}

/// Whether anybody holds the file, in whichever way.
pub fn is_held(state: &LockState, now: Timestamp) -> bool {
    live(state, now) != Live::Nobody
}

/// GetLock: the WOPI lock held, if any.
///
/// # Errors
///
/// [`LockMismatch`] if coauth locks hold the file, which cannot be told as a WOPI lock.
pub fn held_lock(state: &LockState, now: Timestamp) -> Result<Option<&LockId>, LockMismatch> {
    match live(state, now) {
        Live::Nobody => Ok(None),
        Live::Wopi(held) => Ok(Some(&held.id)),
        Live::Coauth(locks) => Err(coauth(&locks)),
    }
}

/// Takes the lock, or renews it.
///
/// # Errors
///
/// [`LockMismatch`] if another lock is held.
pub fn lock(
    state: &LockState,
    wanted: LockId,
    by: Holder,
    terms: Terms,
    now: Timestamp,
) -> Result<LockState, LockMismatch> {
    match live(state, now) {
        Live::Nobody => Ok(taken(wanted, now, by, terms, now)),
        Live::Wopi(held) if same_lock(&held.id, &wanted) => Ok(renewed(held, wanted, terms, now)),
        Live::Wopi(held) => Err(mismatch(held)),
        Live::Coauth(locks) => Err(coauth(&locks)),
    }
}

/// Renews the lock.
///
/// # Errors
///
/// [`LockMismatch`] if it is not held.
pub fn refresh(state: &LockState, given: &LockId, terms: Terms, now: Timestamp) -> Result<LockState, LockMismatch> {
    let held = expect(state, given, now)?;
    Ok(renewed(held, held.id.clone(), terms, now))
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
    terms: Terms,
    now: Timestamp,
) -> Result<LockState, LockMismatch> {
    let held = expect(state, old, now)?;
    Ok(taken(new, held.since, by, terms, now))
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
        (Live::Nobody, _) if size == 0 => Ok(()),
        (Live::Nobody, given) => Err(needed(given.is_some())),
        (Live::Wopi(held), Some(given)) if same_lock(&held.id, given) => Ok(()),
        (Live::Wopi(held), _) => Err(mismatch(held)),
        (Live::Coauth(locks), _) => Err(coauth(&locks)),
    }
}

/// Whether a file may be deleted or replaced as a whole: nobody holds it, or the caller quotes the lock.
///
/// # Errors
///
/// [`LockMismatch`] if another lock is held.
pub fn may_change(state: &LockState, given: Option<&LockId>, now: Timestamp) -> Result<(), LockMismatch> {
    match (live(state, now), given) {
        (Live::Nobody, _) => Ok(()),
        (Live::Wopi(held), Some(given)) if same_lock(&held.id, given) => Ok(()),
        (Live::Wopi(held), _) => Err(mismatch(held)),
        (Live::Coauth(locks), _) => Err(coauth(&locks)),
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
        Live::Wopi(held) if same_lock(&held.id, given) => Ok(held),
        Live::Wopi(held) => Err(mismatch(held)),
        Live::Nobody => Err(needed(true)),
        Live::Coauth(locks) => Err(coauth(&locks)),
    }
}

fn taken(id: LockId, since: Timestamp, by: Holder, terms: Terms, now: Timestamp) -> LockState {
    LockState::Wopi(Held {
        id,
        expires_at: now.plus(terms.lifetime),
        since,
        by: by.user,
        client: by.client,
        visible_as: terms.visible_as,
    })
}

/// The holder's own spelling of the id is kept up to date: GetLock and conflicts answer with the last one presented.
fn renewed(held: &Held, id: LockId, terms: Terms, now: Timestamp) -> LockState {
    let (expires_at, visible_as) = (now.plus(terms.lifetime), terms.visible_as);
    LockState::Wopi(Held { id, expires_at, visible_as, ..held.clone() })
}

/// The file is held by a WOPI lock that was not presented.
pub(crate) fn mismatch(held: &Held) -> LockMismatch {
    let client = held.client.as_deref().map_or(String::new(), |client| format!(" through {client}"));
    LockMismatch {
        held: Blocker::Wopi { current: held.id.clone(), visible_as: held.visible_as.clone() },
        reason: format!("the file is locked by another session{client}"),
    }
}

/// The file is held by coauth locks, and none of them was presented that would do.
pub(crate) fn coauth(locks: &[&CoauthLock]) -> LockMismatch {
    let exclusive = locks.iter().any(|lock| lock.kind == CoauthLockType::CoauthExclusive);
    LockMismatch {
        held: if exclusive { Blocker::CoauthExclusive } else { Blocker::Coauth },
        reason: "the file is open for coauthoring".to_owned(),
    }
}

/// The file is free and has content, so a lock would have been needed.
pub(crate) fn needed(presented: bool) -> LockMismatch {
    let reason = if presented {
        "the file is not locked; the lock ran out or was released"
    } else {
        "the file is not locked and has content"
    };
    LockMismatch { held: Blocker::Nothing, reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wopi::coauth::{CoauthLockId, CoauthLockMetadata};

    use super::*;
    use crate::records::CoauthTable;

    fn id(text: &str) -> LockId {
        LockId::parse(text).unwrap()
    }

    fn holder() -> Holder {
        Holder { user: UserId::parse("u1").unwrap(), client: Some("c".into()) }
    }

    const NOW: Timestamp = Timestamp(1_000_000);

    fn held(text: &str) -> LockState {
        lock(&LockState::Free, id(text), holder(), Terms::default(), NOW).unwrap()
    }

    fn coauthored(kind: CoauthLockType) -> LockState {
        let lock = CoauthLock {
            id: CoauthLockId::parse("A").unwrap(),
            kind,
            metadata: CoauthLockMetadata::default(),
            expires_at: NOW.plus(LOCK_LIFETIME),
            since: NOW,
            by: UserId::parse("u1").unwrap(),
            user_name: "Anna".into(),
        };
        LockState::Coauth(CoauthTable::new(vec![lock]).unwrap())
    }

    fn current(state: &LockState, now: Timestamp) -> Option<&str> {
        match live(state, now) {
            Live::Wopi(held) => Some(held.id.as_str()),
            Live::Coauth(_) => Some("coauth"),
            Live::Nobody => None,
        }
    }

    /// What `X-WOPI-Lock` says of a refusal.
    fn told(no: &LockMismatch) -> &str {
        match &no.held {
            Blocker::Nothing => "",
            Blocker::Wopi { current, .. } => current.as_str(),
            Blocker::Coauth | Blocker::CoauthExclusive => "without",
        }
    }

    /// The table in the module's description: (held, operation) to the lock afterwards, or the 409's `X-WOPI-Lock`.
    #[test]
    fn the_state_table() {
        let later = NOW.plus(LOCK_LIFETIME);
        for (state, at, name) in [
            (LockState::Free, NOW, ""),
            (held("A"), NOW, "A"),
            (held("B"), NOW, "B"),
            (held("A"), later, ""),
            (coauthored(CoauthLockType::Coauth), NOW, "coauth"),
            (coauthored(CoauthLockType::CoauthExclusive), NOW, "coauth"),
            (coauthored(CoauthLockType::Coauth), later, ""),
        ] {
            let end = |result: Result<LockState, LockMismatch>| match result {
                Ok(state) => format!("ok {}", current(&state, at).unwrap_or("-")),
                Err(no) => format!("409 {}", told(&no)),
            };
            let results = [
                end(lock(&state, id("A"), holder(), Terms::default(), at)),
                end(refresh(&state, &id("A"), Terms::default(), at)),
                end(unlock(&state, &id("A"), at)),
                end(unlock_and_relock(&state, &id("A"), id("N"), holder(), Terms::default(), at)),
                end(held_lock(&state, at).map(|_| state.clone())),
                end(may_write(&state, Some(&id("A")), 5, at).map(|()| state.clone())),
                end(may_write(&state, None, 0, at).map(|()| state.clone())),
                end(may_change(&state, Some(&id("A")), at).map(|()| state.clone())),
            ];
            let expected: [&str; 8] = match name {
                "" => ["ok A", "409 ", "409 ", "409 ", "ok -", "409 ", "ok -", "ok -"],
                "A" => ["ok A", "ok A", "ok -", "ok N", "ok A", "ok A", "409 A", "ok A"],
                "B" => ["409 B", "409 B", "409 B", "409 B", "ok B", "409 B", "409 B", "409 B"],
                _ => ["409 without"; 8],
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
        let LockState::Wopi(renewed) = refresh(&held("A"), &id("A"), Terms::default(), later).unwrap() else {
            panic!()
        };
        assert_eq!((renewed.since, renewed.expires_at), (NOW, later.plus(LOCK_LIFETIME)));
    }

    #[test]
    fn a_lock_holds_as_long_as_was_asked_for_and_a_renewal_asks_again() {
        let asked = |seconds| Terms { lifetime: Duration::from_secs(seconds), visible_as: None };
        let runs_out = |state: &LockState, after: u64| {
            let end = NOW.plus(Duration::from_secs(after));
            assert!(is_held(state, Timestamp(end.0 - 1)) && !is_held(state, end), "{after}");
        };
        let state = lock(&LockState::Free, id("A"), holder(), asked(60), NOW).unwrap();
        runs_out(&state, 60);
        runs_out(&lock(&state, id("A"), holder(), Terms::default(), NOW).unwrap(), 1800);
        runs_out(&refresh(&state, &id("A"), asked(3600), NOW).unwrap(), 3600);
        runs_out(&unlock_and_relock(&state, &id("A"), id("B"), holder(), asked(90), NOW).unwrap(), 90);
    }

    #[test]
    fn a_holder_is_shown_until_the_lock_is_renewed_without_asking_for_it() {
        let seen = Terms { visible_as: Some("Anna".into()), ..Terms::default() };
        let shown = |state: &LockState| match lock(state, id("other"), holder(), Terms::default(), NOW) {
            Err(LockMismatch { held: Blocker::Wopi { visible_as, .. }, .. }) => visible_as,
            other => panic!("{other:?}"),
        };
        let visible = lock(&LockState::Free, id("A"), holder(), seen.clone(), NOW).unwrap();
        let hidden = held("A");
        assert_eq!((shown(&visible).as_deref(), shown(&hidden)), (Some("Anna"), None));
        for (terms, name) in [(Terms::default(), None), (seen, Some("Anna"))] {
            for state in [&visible, &hidden] {
                for renewed in [
                    lock(state, id("A"), holder(), terms.clone(), NOW),
                    refresh(state, &id("A"), terms.clone(), NOW),
                    unlock_and_relock(state, &id("A"), id("B"), holder(), terms.clone(), NOW),
                ] {
                    assert_eq!(shown(&renewed.unwrap()).as_deref(), name);
                }
            }
        }
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
                        lock(&state, name(n), holder(), Terms::default(), now),
                        model.is_none_or(|(id, _)| id == n).then_some(Some((n, half_hour))),
                    ),
                    Step::Refresh(n) => (
                        refresh(&state, &name(n), Terms::default(), now),
                        model.is_some_and(|(id, _)| id == n).then_some(Some((n, half_hour))),
                    ),
                    Step::Unlock(n) => (
                        unlock(&state, &name(n), now),
                        model.is_some_and(|(id, _)| id == n).then_some(None),
                    ),
                    Step::Relock(old, new) => (
                        unlock_and_relock(&state, &name(old), name(new), holder(), Terms::default(), now),
                        model.is_some_and(|(id, _)| id == old).then_some(Some((new, half_hour))),
                    ),
                };
                match (result, expected) {
                    (Ok(next), Some(expected)) => (state, model) = (next, expected),
                    (Err(no), None) => {
                        prop_assert_eq!(told(&no), model.map_or(String::new(), |(id, _)| format!("lock {id}")));
                    }
                    (result, expected) => prop_assert!(false, "{:?} against {:?}", result, expected),
                }
                let held = model.map(|(id, _)| format!("lock {id}"));
                prop_assert_eq!(current(&state, now), held.as_deref());
            }
        }
    }
}
