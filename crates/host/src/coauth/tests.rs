use std::collections::BTreeMap;
use std::time::Duration;

use http::HeaderMap;
use proptest::prelude::*;
use wopi::{LockId, headers};
use wopi_service::Refusal;

use super::*;
use crate::locks::{Holder, Terms};

const NOW: Timestamp = Timestamp(1_700_000_000_000);

fn id(number: u8) -> CoauthLockId {
    CoauthLockId::parse(&number.to_string()).unwrap()
}

fn wopi_id(text: &str) -> LockId {
    LockId::parse(text).unwrap()
}

fn seconds(seconds: u64) -> LockTimeout {
    LockTimeout::from_seconds(seconds).unwrap()
}

fn metadata(text: &str) -> CoauthLockMetadata {
    CoauthLockMetadata::new(text).unwrap()
}

fn kind(exclusive: bool) -> CoauthLockType {
    if exclusive { CoauthLockType::CoauthExclusive } else { CoauthLockType::Coauth }
}

fn wanted(number: u8, exclusive: bool) -> Wanted {
    Wanted {
        id: id(number),
        kind: kind(exclusive),
        timeout: seconds(60),
        metadata: metadata("m"),
        by: UserId::parse("u1").unwrap(),
        user_name: "Anna".to_owned(),
    }
}

fn holder() -> Holder {
    Holder { user: UserId::parse("u1").unwrap(), client: None }
}

/// Coauth locks as the tables spell them: `1 2!`.
fn coauthored(spelled: &str) -> LockState {
    spelled.split(' ').fold(LockState::Free, |state, word| {
        let number = word.trim_end_matches('!').parse().unwrap();
        get_coauth_lock(&state, &wanted(number, word.ends_with('!')), NOW).unwrap()
    })
}

fn locked(lock: &str, visible_as: Option<&str>) -> LockState {
    let terms = Terms { lifetime: Duration::from_secs(60), visible_as: visible_as.map(str::to_owned) };
    locks::lock(&LockState::Free, wopi_id(lock), holder(), terms, NOW).unwrap()
}

/// The rows of every table: how they are spelled, what holds the file, when, and how large the file is.
fn rows() -> Vec<(&'static str, LockState, Timestamp, u64)> {
    let over = NOW.plus(Duration::from_secs(60));
    let mut rows = vec![
        ("nobody, 0 bytes", LockState::Free, NOW, 0),
        ("nobody", LockState::Free, NOW, 9),
        ("`A`", locked("A", None), NOW, 9),
        ("`B`", locked("B", None), NOW, 9),
        ("`B`, to be seen", locked("B", Some("Bert")), NOW, 9),
    ];
    rows.extend(["2", "1 2", "1! 2", "1 2!", "2!"].map(|spelled| (spelled, coauthored(spelled), NOW, 9)));
    rows.push(("`A` that ran out", locked("A", None), over, 9));
    rows.push(("1! 2 that ran out", coauthored("1! 2"), over, 9));
    rows
}

/// A state as the tables spell it.
fn spelled(state: &LockState, now: Timestamp) -> String {
    match locks::live(state, now) {
        Live::Nobody => "nobody".to_owned(),
        Live::Wopi(held) => format!("`{}`", held.id.as_str()),
        Live::Coauth(locks) => locks
            .iter()
            .map(|lock| {
                let mark = if lock.kind == CoauthLockType::CoauthExclusive { "!" } else { "" };
                format!("{}{mark}", lock.id.as_str())
            })
            .collect::<Vec<_>>()
            .join(" "),
    }
}

/// A refusal as the tables spell it: the status that a client gets, and the headers that matter.
fn refused(refusal: impl Into<Refusal>) -> String {
    let refusal = refusal.into();
    let mut answer = HeaderMap::new();
    refusal.error.write_headers(&mut answer);
    let mut text = refusal.error.status().as_u16().to_string();
    for (letter, name) in
        [('L', headers::LOCK), ('M', headers::CONFLICTING_MECHANISM), ('U', headers::CONFLICTING_LOCK_USERNAME)]
    {
        if let Some(value) = answer.get(name) {
            let value = value.to_str().unwrap();
            text.push_str(&if value.is_empty() { format!(", {letter}=\"\"") } else { format!(", {letter}={value}") });
        }
    }
    text
}

fn end<E: Into<Refusal>>(result: Result<LockState, E>, now: Timestamp) -> String {
    result.map_or_else(refused, |state| spelled(&state, now))
}

fn allowed<E: Into<Refusal>>(result: Result<(), E>) -> String {
    result.map_or_else(refused, |()| "yes".to_owned())
}

/// Compares the table under this header in the module's description with what the rules do.
fn check(header: &str, cells: impl Fn(&LockState, Timestamp, u64) -> Vec<String>) {
    let documented: Vec<&str> = include_str!("../coauth.rs")
        .lines()
        .skip_while(|line| *line != format!("//! {header}"))
        .take_while(|line| line.starts_with("//! |"))
        .skip(2)
        .collect();
    let printed: Vec<String> = rows()
        .iter()
        .map(|(name, state, now, size)| format!("//! | {name} | {} |", cells(state, *now, *size).join(" | ")))
        .collect();
    println!("{header}\n{}", printed.join("\n"));
    assert_eq!(documented, printed);
}

#[test]
fn the_table_of_taking() {
    check("| held | `Lock(A)` | `GetCoauthLock(1)` | `GetCoauthLock(1!)` |", |state, now, _| {
        vec![
            end(locks::lock(state, wopi_id("A"), holder(), Terms::default(), now), now),
            end(get_coauth_lock(state, &wanted(1, false), now), now),
            end(get_coauth_lock(state, &wanted(1, true), now), now),
        ]
    });
}

#[test]
fn the_table_of_releasing_renewing_and_asking() {
    let header = "| held | `UnlockCoauthLock(1)` | `RefreshCoauthLock(1)` | `GetCoauthTable` | `Unlock(A)` | \
                  `RefreshLock(A)` | `UnlockAndRelock(A, N)` | `GetLock` |";
    check(header, |state, now, _| {
        let (a, terms) = (wopi_id("A"), Terms::default);
        vec![
            end(unlock_coauth_lock(state, &id(1), now), now),
            end(refresh_coauth_lock(state, &id(1), seconds(60), &metadata(""), now), now),
            coauth_table(state, None, now).map_or_else(refused, |answer| {
                let rows = answer.table.unwrap().coauth_table;
                if rows.is_empty() {
                    return "no rows".to_owned();
                }
                rows.into_iter().map(|row| row.coauth_lock_id).collect::<Vec<_>>().join(" ")
            }),
            end(locks::unlock(state, &a, now), now),
            end(locks::refresh(state, &a, terms(), now), now),
            end(locks::unlock_and_relock(state, &a, wopi_id("N"), holder(), terms(), now), now),
            locks::held_lock(state, now)
                .map_or_else(refused, |held| held.map_or("empty".to_owned(), |held| format!("`{}`", held.as_str()))),
        ]
    });
}

fn presented() -> [PresentedLock; 3] {
    [PresentedLock::None, PresentedLock::Wopi(wopi_id("A")), PresentedLock::Coauth(id(1))]
}

#[test]
fn the_table_of_rename_file() {
    check("| held | RenameFile, no lock | RenameFile, `A` | RenameFile, 1 |", |state, now, _| {
        presented().iter().map(|presented| allowed(may_rename(state, presented, now))).collect()
    });
}

#[test]
fn the_table_of_put_chunked_file() {
    check("| held | PutChunkedFile, no lock | PutChunkedFile, `A` | PutChunkedFile, 1 |", |state, now, size| {
        presented().iter().map(|presented| allowed(may_write_chunked(state, presented, size, now))).collect()
    });
}

#[test]
fn the_table_of_other_operations() {
    let header = "| held | PutFile, no lock | PutFile, `A` | DeleteFile; being overwritten by PutRelativeFile |";
    check(header, |state, now, size| {
        vec![
            allowed(locks::may_write(state, None, size, now)),
            allowed(locks::may_write(state, Some(&wopi_id("A")), size, now)),
            allowed(locks::may_change(state, None, now)),
        ]
    });
}

#[test]
fn a_coauth_lock_runs_out_at_the_exact_millisecond_for_every_purpose() {
    let end = NOW.plus(Duration::from_secs(60));
    let before = Timestamp(end.0 - 1);
    let state = coauthored("1!");
    let table = |now| coauth_table(&state, None, now).unwrap().table.unwrap().coauth_table.len();
    assert_eq!((table(before), table(end)), (1, 0));
    assert!(refresh_coauth_lock(&state, &id(1), seconds(60), &metadata(""), before).is_ok());
    let gone = refresh_coauth_lock(&state, &id(1), seconds(60), &metadata(""), end);
    assert_eq!(gone, Err(CoauthRefusal::NotHeld));
    assert!(unlock_coauth_lock(&state, &id(1), before).is_ok());
    assert_eq!(unlock_coauth_lock(&state, &id(1), end), Err(CoauthRefusal::NotHeld));
    let other = |now| get_coauth_lock(&state, &wanted(2, true), now).map(|state| spelled(&state, now));
    assert_eq!(other(before), Err(CoauthRefusal::ExclusiveElsewhere));
    assert_eq!(other(end).as_deref(), Ok("2!"));
    assert!(may_write_chunked(&state, &PresentedLock::Coauth(id(1)), 9, before).is_ok());
    assert!(may_write_chunked(&state, &PresentedLock::Coauth(id(1)), 9, end).is_err());
    assert!(may_rename(&state, &PresentedLock::None, before).is_err());
    assert!(may_rename(&state, &PresentedLock::None, end).is_ok());
}

#[test]
fn locks_that_ran_out_are_not_kept_with_those_that_hold() {
    let later = NOW.plus(Duration::from_secs(60));
    let LockState::Coauth(table) = get_coauth_lock(&coauthored("1! 2"), &wanted(3, false), later).unwrap() else {
        panic!()
    };
    assert_eq!(table.locks().len(), 1);
}

#[test]
fn who_took_a_lock_and_when_stays_while_metadata_expiry_and_type_change() {
    let later = NOW.plus(Duration::from_secs(30));
    let other_user = UserId::parse("u2").unwrap();
    let again = Wanted { by: other_user, user_name: "Bert".into(), metadata: metadata("n"), ..wanted(1, true) };
    let LockState::Coauth(table) = get_coauth_lock(&coauthored("1"), &again, later).unwrap() else { panic!() };
    let expected = CoauthLock {
        id: id(1),
        kind: CoauthLockType::CoauthExclusive,
        metadata: metadata("n"),
        expires_at: later.plus(Duration::from_secs(60)),
        since: NOW,
        by: UserId::parse("u1").unwrap(),
        user_name: "Anna".into(),
    };
    assert_eq!(table.locks(), [expected]);
}

#[test]
fn get_sets_metadata_to_nothing_and_refresh_leaves_them() {
    let told = |state: Result<LockState, CoauthRefusal>| {
        let table = coauth_table(&state.unwrap(), None, NOW).unwrap().table.unwrap();
        table.coauth_table[0].coauth_lock_metadata.clone()
    };
    let refresh = |text| refresh_coauth_lock(&coauthored("1"), &id(1), seconds(60), &metadata(text), NOW);
    assert_eq!((told(refresh("")), told(refresh("n"))), ("m".to_owned(), "n".to_owned()));
    let get = |text| get_coauth_lock(&coauthored("1"), &Wanted { metadata: metadata(text), ..wanted(1, false) }, NOW);
    assert_eq!((told(get("")), told(get("n"))), (String::new(), "n".to_owned()));
}

#[test]
fn a_client_that_knows_the_version_gets_no_table() {
    for state in [LockState::Free, coauthored("1 2!")] {
        let answer = coauth_table(&state, None, NOW).unwrap();
        let again = coauth_table(&state, Some(&answer.version), NOW).unwrap();
        assert_eq!(again, CoauthAnswer { version: answer.version.clone(), table: None });
        let other = CoauthTableVersion::parse("other").unwrap();
        assert_eq!(coauth_table(&state, Some(&other), NOW).unwrap(), answer);
    }
}

#[test]
fn the_version_changes_with_every_visible_member_and_not_with_the_expiry() {
    let version = |state: &LockState, now| coauth_table(state, None, now).unwrap().version;
    let state = coauthored("1 2");
    let before = version(&state, NOW);
    let LockState::Coauth(table) = &state else { panic!() };
    let changed = |change: fn(&mut CoauthLock)| {
        let mut locks = table.locks().to_vec();
        change(&mut locks[0]);
        version(&LockState::Coauth(CoauthTable::new(locks).unwrap()), NOW)
    };
    let changes: [fn(&mut CoauthLock); 5] = [
        |lock| lock.id = id(3),
        |lock| lock.kind = CoauthLockType::CoauthExclusive,
        |lock| lock.metadata = metadata("n"),
        |lock| lock.user_name = "Bert".into(),
        |lock| lock.since.0 += 1,
    ];
    for change in changes {
        assert_ne!(changed(change), before);
    }
    assert_eq!(changed(|lock| lock.expires_at.0 += 1), before);
    // What moves from one member to the next is a change, too.
    assert_ne!(changed(|lock| (lock.id, lock.metadata) = (CoauthLockId::parse("1m").unwrap(), metadata(""))), before);
    let over = NOW.plus(Duration::from_secs(60));
    assert_ne!(version(&state, over), before);
    assert_eq!(version(&state, over), version(&LockState::Free, NOW));
}

#[test]
fn there_are_so_many_locks_and_no_more_until_one_is_over() {
    let number = |n: usize| Wanted { id: CoauthLockId::parse(&n.to_string()).unwrap(), ..wanted(0, false) };
    let full =
        (0..CoauthTable::LOCKS_MAX).fold(LockState::Free, |state, n| get_coauth_lock(&state, &number(n), NOW).unwrap());
    let one_more = number(CoauthTable::LOCKS_MAX);
    let no = get_coauth_lock(&full, &one_more, NOW);
    assert_eq!(no, Err(CoauthRefusal::Full));
    assert_eq!(refused(no.unwrap_err()), "503");
    assert!(get_coauth_lock(&full, &number(0), NOW).is_ok());
    let less = unlock_coauth_lock(&full, &id(5), NOW).unwrap();
    assert!(get_coauth_lock(&less, &one_more, NOW).is_ok());
    assert!(get_coauth_lock(&full, &one_more, NOW.plus(Duration::from_secs(60))).is_ok());
}

// ── a random walk ──

#[derive(Clone, Copy, Debug)]
enum Step {
    Get { of: u8, exclusive: bool, seconds: u64, metadata: u8 },
    Refresh { of: u8, seconds: u64, metadata: u8 },
    Unlock { of: u8 },
    WopiLock(u8),
    WopiUnlock(u8),
    Write(Option<u8>),
    Rename(Option<u8>),
    Wait(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let (id, seconds, metadata) = (0..4u8, prop_oneof![Just(60), Just(61), 60..=600u64], 0..3u8);
    prop_oneof![
        4 => (id.clone(), any::<bool>(), seconds.clone(), metadata.clone())
            .prop_map(|(id, exclusive, seconds, metadata)| Step::Get { of: id, exclusive, seconds, metadata }),
        3 => (id.clone(), seconds, metadata).prop_map(|(id, seconds, metadata)| Step::Refresh { of: id, seconds, metadata }),
        2 => id.clone().prop_map(|id| Step::Unlock { of: id }),
        1 => (0..2u8).prop_map(Step::WopiLock),
        1 => (0..2u8).prop_map(Step::WopiUnlock),
        1 => prop::option::of(id.clone()).prop_map(Step::Write),
        1 => prop::option::of(id).prop_map(Step::Rename),
        // Long enough to end locks, and by single milliseconds, to meet their ends exactly.
        3 => prop_oneof![Just(1), Just(59_999), Just(60_000), 0..200_000u32].prop_map(Step::Wait),
    ]
}

/// What the documents say, as shortly as possible: rows with the milliseconds they have left, or a WOPI lock.
#[derive(Clone, Default, Debug)]
struct Model {
    rows: BTreeMap<u8, (bool, i64, u8)>,
    wopi: Option<(u8, i64)>,
}

impl Model {
    /// Whether the step succeeds, and what it does.
    fn take(&mut self, step: Step) -> bool {
        let exclusive = self.rows.iter().find(|(_, row)| row.0).map(|(id, _)| *id);
        match step {
            Step::Get { of: id, exclusive: wants, seconds, metadata } => {
                let may = self.wopi.is_none() && !(wants && exclusive.is_some_and(|holder| holder != id));
                may && {
                    self.rows.insert(id, (wants, seconds as i64 * 1000, metadata));
                    true
                }
            }
            Step::Refresh { of: id, seconds, metadata } => self.rows.get_mut(&id).is_some_and(|row| {
                *row = (row.0, seconds as i64 * 1000, if metadata == 0 { row.2 } else { metadata });
                true
            }),
            Step::Unlock { of: id } => self.rows.remove(&id).is_some(),
            Step::WopiLock(n) => {
                let may = self.rows.is_empty() && self.wopi.is_none_or(|(held, _)| held == n);
                if may {
                    self.wopi = Some((n, 1_800_000));
                }
                may
            }
            Step::WopiUnlock(n) => self.wopi.take_if(|(held, _)| *held == n).is_some(),
            Step::Write(given) => given.is_some_and(|id| exclusive.unwrap_or(id) == id && self.rows.contains_key(&id)),
            Step::Rename(given) => {
                self.wopi.is_none() && (self.rows.is_empty() || given.is_some_and(|id| self.rows.contains_key(&id)))
            }
            Step::Wait(ms) => {
                self.rows.values_mut().for_each(|row| row.1 -= i64::from(ms));
                self.rows.retain(|_, row| row.1 > 0);
                self.wopi = self.wopi.map(|(id, left)| (id, left - i64::from(ms))).filter(|(_, left)| *left > 0);
                true
            }
        }
    }
}

/// The metadata that a number stands for; 0 is none.
fn text(number: u8) -> CoauthLockMetadata {
    metadata(&"m".repeat(number.into()))
}

fn lock_name(number: u8) -> LockId {
    wopi_id(&format!("lock {number}"))
}

/// What the rules make of a step.
fn rules(state: &LockState, step: Step, now: Timestamp) -> Result<LockState, Refusal> {
    let given = |of: Option<u8>| of.map_or(PresentedLock::None, |number| PresentedLock::Coauth(id(number)));
    Ok(match step {
        Step::Get { of, exclusive, seconds: s, metadata } => {
            let wanted = Wanted { timeout: seconds(s), metadata: text(metadata), ..wanted(of, exclusive) };
            get_coauth_lock(state, &wanted, now)?
        }
        Step::Refresh { of, seconds: s, metadata } => {
            refresh_coauth_lock(state, &id(of), seconds(s), &text(metadata), now)?
        }
        Step::Unlock { of } => unlock_coauth_lock(state, &id(of), now)?,
        Step::WopiLock(n) => locks::lock(state, lock_name(n), holder(), Terms::default(), now)?,
        Step::WopiUnlock(n) => locks::unlock(state, &lock_name(n), now)?,
        Step::Write(of) => may_write_chunked(state, &given(of), 9, now).map(|()| state.clone())?,
        Step::Rename(of) => may_rename(state, &given(of), now).map(|()| state.clone())?,
        Step::Wait(_) => state.clone(),
    })
}

proptest! {
    /// Any walk of several holders agrees with the model, step by step, in what is allowed, what holds and what is shown.
    #[test]
    fn a_random_walk_of_several_holders_agrees_with_a_small_model(steps in prop::collection::vec(step(), 1..80)) {
        let (mut state, mut now, mut model) = (LockState::Free, NOW, Model::default());
        let mut seen: Option<(Vec<CoauthTableRow>, CoauthTableVersion)> = None;
        for step in steps {
            if let Step::Wait(ms) = step {
                now = now.plus(Duration::from_millis(ms.into()));
            }
            let next = rules(&state, step, now);
            prop_assert_eq!(next.is_ok(), model.take(step), "{:?} on {:?}", step, state);
            state = next.unwrap_or(state);
            match locks::live(&state, now) {
                Live::Nobody => prop_assert!(model.rows.is_empty() && model.wopi.is_none()),
                Live::Wopi(held) => {
                    let (id, left) = model.wopi.unwrap();
                    prop_assert_eq!((&held.id, held.expires_at.0), (&lock_name(id), now.0 + left));
                    prop_assert!(model.rows.is_empty());
                }
                Live::Coauth(held) => {
                    prop_assert_eq!(model.wopi, None);
                    let rows = held.iter().map(|lock| {
                        (lock.id.clone(), lock.kind, lock.metadata.clone(), lock.expires_at.0 - now.0)
                    });
                    let expected = model.rows.iter().map(|(number, (exclusive, left, metadata))| {
                        (id(*number), kind(*exclusive), text(*metadata), *left)
                    });
                    prop_assert_eq!(rows.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
                }
            }
            if let Ok(answer) = coauth_table(&state, None, now) {
                let (rows, version) = (answer.table.unwrap().coauth_table, answer.version);
                if let Some((before, version_before)) = &seen {
                    prop_assert_eq!(rows == *before, version == *version_before);
                }
                seen = Some((rows, version));
            }
        }
    }
}
