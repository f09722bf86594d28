//! Histories made by hand: those that a file explains, and for every rule one that breaks it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::history::{Asked, Call, Got, History, Id, NEVER, Save, Shown};
use super::linear::{check, check_within};

const LASTS: Duration = Duration::from_secs(1800);
const SECOND: u64 = 1_000_000_000;

fn id(text: &str) -> Id {
    Id::new(text)
}

fn call(asked_at: u64, answered_at: u64, asked: Asked, got: Got) -> Call {
    Call { client: 0, node: 0, asked_at, answered_at, asked, got, version: None, why: None, may_be_renewed: false }
}

/// A call of which nobody knows whether it was carried out.
fn perhaps(asked_at: u64, asked: Asked) -> Call {
    call(asked_at, NEVER, asked, Got::Perhaps)
}

fn told(version: u64, call: Call) -> Call {
    Call { version: Some(version), ..call }
}

fn lock(text: &str) -> Asked {
    Asked::Lock { id: id(text), lasts: LASTS }
}

fn refresh(text: &str) -> Asked {
    Asked::RefreshLock { id: id(text), lasts: LASTS }
}

fn unlock(text: &str) -> Asked {
    Asked::Unlock(id(text))
}

fn relock(old: &str, new: &str) -> Asked {
    Asked::UnlockAndRelock { old: id(old), new: id(new), lasts: LASTS }
}

fn put(lock: &str, save: Save) -> Asked {
    Asked::PutFile { lock: id(lock), save }
}

fn put_chunked(shown: Shown, at: u64, save: Save) -> Asked {
    Asked::PutChunkedFile { shown, at, save }
}

fn join(text: &str, seconds: u64) -> Asked {
    Asked::GetCoauthLock { id: id(text), lasts: Duration::from_secs(seconds) }
}

fn leave(text: &str) -> Asked {
    Asked::UnlockCoauthLock(id(text))
}

fn by(text: &str) -> Got {
    Got::Locked(Some(id(text)))
}

fn held_by(text: &str) -> Got {
    Got::Lock(Some(id(text)))
}

fn table(ids: &[&str]) -> Got {
    Got::Table(ids.iter().map(|text| id(text)).collect::<BTreeSet<_>>())
}

fn rename(shown: Shown, name: &str) -> Asked {
    Asked::RenameFile { shown, name: id(name) }
}

fn wopi(text: &str) -> Shown {
    Shown::Wopi(id(text))
}

fn coauth(text: &str) -> Shown {
    Shown::Coauth(id(text))
}

use Got::{Content, Done, Name, Refused, Stale};

/// A file `f` that holds save 1.
fn history(calls: Vec<Call>) -> History {
    History { file: "f".to_owned(), content: 1, name: id("f"), calls, quiet: Vec::new() }
}

fn is_explained(calls: Vec<Call>) -> bool {
    check(&history(calls)).is_ok()
}

#[test]
fn a_history_that_one_file_explains_is_accepted() {
    let good = vec![
        call(0, 10, lock("a"), Done),
        call(5, 15, lock("b"), by("a")),
        call(11, 20, Asked::GetFile, Content(1)),
        told(2, call(21, 30, put("a", 2), Done)),
        call(22, 28, put("x", 9), by("a")),
        told(2, call(25, 35, Asked::GetFile, Content(2))),
        call(31, 40, unlock("a"), Done),
        call(33, 50, lock("c"), Done),
        call(35, 45, Asked::GetLock, Got::Lock(None)),
        told(3, call(61, 70, put("c", 3), Done)),
        call(71, 80, relock("c", "d"), Done),
        told(4, call(81, 90, put_chunked(wopi("d"), 3, 4), Done)),
        call(85, 95, refresh("d"), Done),
        call(91, 92, rename(wopi("d"), "g"), Done),
        call(93, 96, Asked::CheckFileInfo, Name(id("g"))),
        call(97, 99, unlock("d"), Done),
        call(100, 110, unlock("e"), Got::Locked(None)),
        call(111, 115, join("1", 60), table(&["1"])),
        call(112, 116, join("2", 60), table(&["1", "2"])),
        call(117, 118, lock("f"), Refused),
        told(5, call(119, 125, put_chunked(coauth("2"), 4, 5), Done)),
        told(5, call(119, 130, put_chunked(coauth("1"), 4, 6), Stale(5))),
        call(131, 135, leave("1"), Done),
        call(131, 136, Asked::GetCoauthTable, table(&["1", "2"])),
        call(136, 140, leave("2"), Done),
        call(141, 142, Asked::GetFile, Content(5)),
    ];
    let explained = check(&history(good)).unwrap();
    assert_eq!((explained.answered, explained.perhaps), (26, 0));
    assert!(is_explained(vec![]));
}

#[test]
fn what_nobody_knows_may_have_happened_at_any_time_or_never() {
    for (what, calls) in [
        ("never", vec![perhaps(0, lock("a")), call(10, 20, lock("b"), Done)]),
        ("at once", vec![perhaps(0, lock("a")), call(10, 20, lock("b"), by("a"))]),
        (
            "much later, between two others",
            vec![
                perhaps(0, lock("a")),
                call(10, 20, lock("b"), Done),
                call(21, 30, unlock("b"), Done),
                call(31, 40, Asked::GetLock, held_by("a")),
            ],
        ),
        (
            "a save, and the lock was given back by one that nobody knows of either",
            vec![
                call(0, 10, lock("a"), Done),
                perhaps(11, put("a", 2)),
                perhaps(20, unlock("a")),
                call(30, 40, lock("b"), Done),
                call(41, 50, Asked::GetFile, Content(2)),
            ],
        ),
        (
            "a whole chain, of which only the end is seen",
            vec![
                perhaps(0, lock("a")),
                perhaps(1, relock("a", "b")),
                perhaps(2, put("b", 2)),
                perhaps(3, unlock("b")),
                call(30, 40, Asked::GetFile, Content(2)),
                call(41, 50, lock("c"), Done),
            ],
        ),
        (
            "a version that nobody was told",
            vec![
                told(7, call(0, 10, lock("a"), Done)),
                perhaps(11, put("a", 2)),
                told(9, call(20, 30, put("a", 3), Done)),
                told(9, call(31, 40, Asked::GetFile, Content(3))),
            ],
        ),
    ] {
        assert!(is_explained(calls), "{what}");
    }
}

#[test]
fn what_did_not_happen_before_a_quiet_moment_never_does() {
    let calls = vec![perhaps(0, lock("a")), call(10, 20, lock("b"), Done), call(30, 40, unlock("b"), Done)];
    let late = call(50, 60, Asked::GetLock, held_by("a"));
    let mut history = history([calls, vec![late]].concat());
    assert!(check(&history).is_ok());
    history.quiet = vec![35];
    assert!(check(&history).unwrap_err().contains("nothing explains"));
}

#[test]
fn a_lock_runs_out_after_its_time_and_not_before() {
    let after = |seconds: u64, asked: Asked, got: Got| {
        let at = seconds * SECOND;
        is_explained(vec![call(0, 10, join("1", 60), table(&["1"])), call(at, at + 10, asked, got)])
    };
    assert!(after(54, lock("a"), Refused) && !after(54, lock("a"), Done));
    assert!(after(66, lock("a"), Done) && !after(66, lock("a"), Refused));
    assert!(!after(66, put_chunked(coauth("1"), 1, 2), Done));
    // A node that was frozen for a minute with a save may have decided before.
    let frozen = told(2, call(SECOND, 75 * SECOND, put_chunked(coauth("1"), 1, 2), Done));
    let begun = call(0, 10, join("1", 60), table(&["1"]));
    let calls = vec![begun.clone(), frozen.clone(), call(67 * SECOND, 68 * SECOND, Asked::GetFile, Content(1))];
    assert!(is_explained(calls));
    // But not if somebody else was given the file meanwhile.
    let taken = call(67 * SECOND, 68 * SECOND, lock("a"), Done);
    let seen = call(69 * SECOND, 70 * SECOND, Asked::GetFile, Content(1));
    assert!(!is_explained(vec![begun, frozen, taken, seen]));
}

/// `(what it breaks, the calls)`; the last one cannot have been answered so.
fn bad_histories() -> Vec<(&'static str, Vec<Call>)> {
    vec![
        ("two locks at a time", vec![call(0, 10, lock("a"), Done), call(20, 30, lock("b"), Done)]),
        (
            "a lock beside one that was swapped in",
            vec![call(0, 10, lock("a"), Done), call(11, 20, relock("a", "b"), Done), call(30, 40, lock("c"), Done)],
        ),
        (
            "a save by whom gave the lock back",
            vec![call(0, 10, lock("a"), Done), call(11, 20, unlock("a"), Done), call(21, 30, put("a", 2), Done)],
        ),
        (
            "a save over one that was not seen",
            vec![
                call(0, 10, lock("a"), Done),
                told(2, call(11, 20, put("a", 2), Done)),
                told(2, call(21, 30, put("a", 3), Done)),
            ],
        ),
        (
            "a save that got lost",
            vec![
                call(0, 10, lock("a"), Done),
                call(11, 20, put("a", 2), Done),
                call(21, 30, Asked::GetFile, Content(1)),
            ],
        ),
        (
            "a save that was refused and became the content",
            vec![
                call(0, 10, lock("a"), Done),
                call(11, 20, put("x", 9), by("a")),
                call(21, 30, Asked::GetFile, Content(9)),
            ],
        ),
        (
            "a save that came back",
            vec![
                call(0, 10, lock("a"), Done),
                perhaps(11, put("a", 2)),
                call(12, 20, Asked::GetFile, Content(2)),
                call(21, 30, put("a", 3), Done),
                call(31, 40, Asked::GetFile, Content(2)),
            ],
        ),
        (
            "a save that nobody knows of, though its lock was given back before",
            vec![
                call(0, 10, lock("a"), Done),
                call(11, 20, unlock("a"), Done),
                perhaps(21, put("a", 2)),
                call(30, 40, Asked::GetFile, Content(2)),
            ],
        ),
        ("the holder is refused", vec![call(0, 10, lock("a"), Done), call(11, 20, put("a", 2), by("a"))]),
        (
            "a former holder is named",
            vec![
                call(0, 10, lock("a"), Done),
                call(11, 20, unlock("a"), Done),
                call(21, 30, lock("b"), Done),
                call(31, 40, lock("c"), by("a")),
            ],
        ),
        ("a later holder is named", vec![call(10, 20, lock("a"), Done), call(0, 5, unlock("x"), by("a"))]),
        ("free while it is held", vec![call(0, 10, lock("a"), Done), call(11, 20, unlock("b"), Got::Locked(None))]),
        ("a free file refuses a lock", vec![call(0, 10, lock("a"), Got::Locked(None))]),
        (
            "GetLock misses the holder",
            vec![call(0, 10, lock("a"), Done), call(11, 20, Asked::GetLock, Got::Lock(None))],
        ),
        (
            "a lock given back twice",
            vec![call(0, 10, lock("a"), Done), call(11, 20, unlock("a"), Done), call(21, 30, unlock("a"), Done)],
        ),
        (
            "a save in chunks over another one",
            vec![
                told(4, call(0, 10, lock("a"), Done)),
                told(5, call(11, 20, put_chunked(wopi("a"), 4, 2), Done)),
                told(6, call(21, 30, put_chunked(wopi("a"), 4, 3), Done)),
            ],
        ),
        (
            "two coauthors at one number",
            vec![
                told(4, call(0, 10, join("1", 60), table(&["1"]))),
                call(0, 10, join("2", 60), table(&["1", "2"])),
                told(5, call(11, 20, put_chunked(coauth("1"), 4, 2), Done)),
                told(6, call(11, 20, put_chunked(coauth("2"), 4, 3), Done)),
            ],
        ),
        (
            "a number that grew without a save",
            vec![told(4, call(0, 10, lock("a"), Done)), told(5, call(11, 20, Asked::GetFile, Content(1)))],
        ),
        (
            "an old number",
            vec![
                told(4, call(0, 10, lock("a"), Done)),
                told(5, call(11, 20, put("a", 2), Done)),
                told(4, call(21, 30, Asked::GetFile, Content(2))),
            ],
        ),
        (
            "a WOPI lock beside a coauth lock",
            vec![call(0, 10, join("1", 60), table(&["1"])), call(11, 20, lock("a"), Done)],
        ),
        (
            "a coauth lock beside a WOPI lock",
            vec![call(0, 10, lock("a"), Done), call(11, 20, join("1", 60), table(&["1"]))],
        ),
        (
            "a coauthor is missing",
            vec![
                call(0, 10, join("1", 60), table(&["1"])),
                call(11, 20, join("2", 60), table(&["1", "2"])),
                call(21, 30, Asked::GetCoauthTable, table(&["2"])),
            ],
        ),
        (
            "a coauthor who left saves",
            vec![
                told(4, call(0, 10, join("1", 60), table(&["1"]))),
                call(11, 20, join("2", 60), table(&["1", "2"])),
                call(21, 30, leave("1"), Done),
                told(5, call(31, 40, put_chunked(coauth("1"), 4, 2), Done)),
            ],
        ),
        (
            "a name that was given is gone",
            vec![call(0, 10, rename(Shown::Nothing, "g"), Done), call(11, 20, Asked::CheckFileInfo, Name(id("f")))],
        ),
        (
            "a name in spite of a lock",
            vec![call(0, 10, lock("a"), Done), call(11, 20, rename(Shown::Nothing, "g"), Done)],
        ),
    ]
}

#[test]
fn a_history_that_no_file_explains_is_refused_at_the_answer_that_is_wrong() {
    for (what, calls) in bad_histories() {
        let wrong = calls.last().unwrap().clone();
        let why = check(&history(calls)).expect_err(what);
        let shown = why.lines().nth(1).unwrap_or_default();
        // Of two saves at once either may be the wrong one.
        assert!(
            shown.contains(&format!("{:?}", wrong.asked)) || what.contains("two coauthors") || what.contains("later"),
            "{what}: {why}"
        );
    }
}

#[test]
fn a_bad_history_is_refused_among_thousands_of_good_calls_and_shown_without_them() {
    let many = |from: u64, calls: u64| {
        (0..calls).flat_map(move |n| {
            let (at, name) = (from + 100 * n, format!("between {from} {n}"));
            [
                call(at, at + 20, lock(&name), Done),
                call(at + 10, at + 30, lock("never"), by(&name)),
                call(at + 21, at + 40, unlock(&name), Done),
                call(at + 5, at + 60, Asked::GetFile, Content(1)),
            ]
        })
    };
    for (what, bad) in bad_histories() {
        let later = |call: Call| Call {
            asked_at: call.asked_at + 1_000_000,
            answered_at: call.answered_at.saturating_add(1_000_000),
            ..call
        };
        let calls: Vec<Call> = many(0, 500).chain(bad.into_iter().map(later)).collect();
        let why = check(&history(calls)).expect_err(what);
        assert!(!why.contains("never"), "{what}: what only was refused is left out: {why}");
        assert!(why.lines().count() < 50, "{what}: {why}");
    }
}

#[test]
fn coauthors_who_ask_again_and_again_do_not_make_the_search_endless() {
    let mut calls = Vec::new();
    let names: Vec<String> = (0..12).map(|n| format!("coauthor {n}")).collect();
    for (n, name) in names.iter().enumerate() {
        let before: Vec<&str> = names[..=n].iter().map(String::as_str).collect();
        calls.push(call(n as u64, 100 + n as u64, join(name, 60), table(&before)));
    }
    // All want to leave, and none is told whether it did.
    calls.extend((0..20).flat_map(|time| names.iter().map(move |name| perhaps(200 + time, leave(name)))));
    calls.extend((0..12).map(|n| call(300, 400 + n, Asked::GetFile, Content(1))));
    let left: Vec<&str> = names[..3].iter().map(String::as_str).collect();
    calls.push(call(500, 600, Asked::GetCoauthTable, table(&left)));
    calls.push(call(700, 800, lock("a"), Done));
    let explained = check(&history(calls)).unwrap();
    assert!(explained.pairs < 5_000, "{explained:?}");
}

#[test]
fn calls_that_nobody_knows_of_do_not_make_the_search_endless() {
    let mut calls = Vec::new();
    for n in 0..400 {
        let at = 1000 * n;
        let name = format!("known {n}");
        calls.extend((0..5).map(|m| perhaps(at + m, lock(&format!("unknown {n} {m}")))));
        calls.push(call(at + 10, at + 20, lock(&name), Done));
        calls.extend((0..5).map(|m| perhaps(at + 21 + m, put(&name, 10_000 + 10 * n + m))));
        calls.push(call(at + 30, at + 40, put(&name, 10 + n), Done));
        calls.push(call(at + 41, at + 50, Asked::GetFile, Content(10 + n)));
        calls.push(perhaps(at + 51, refresh(&name)));
        calls.push(call(at + 60, at + 70, unlock(&name), Done));
    }
    let explained = check(&history(calls)).unwrap();
    assert_eq!((explained.answered, explained.perhaps), (1600, 4400));
    assert!(explained.pairs < 100, "{explained:?}");
}

/// A history with a stretch that has too many explanations: saves in doubt that may have come in any order.
fn much() -> History {
    let doubtful = 2..=22;
    let mut calls = vec![told(4, call(0, 10, lock("a"), Done))];
    calls.extend(doubtful.clone().map(|save| perhaps(11 + save, put("a", save))));
    calls.extend(doubtful.map(|save| call(100 * save, 100 * save + 10, Asked::GetFile, Content(save))));
    // At a quiet moment all is read.
    for (at, asked, got) in [
        (4000, Asked::GetFile, Content(22)),
        (4020, Asked::CheckFileInfo, Name(id("f"))),
        (4040, Asked::GetLock, held_by("a")),
        (4060, Asked::GetCoauthTable, Refused),
    ] {
        calls.push(told(40, call(at, at + 10, asked, got)));
    }
    History { quiet: vec![4100], ..history(calls) }
}

#[test]
fn what_comes_after_a_stretch_that_was_too_much_is_looked_at_again() {
    let with = |more: Call| {
        let mut history = much();
        history.calls.push(more);
        history
    };
    let explained = check_within(&with(told(41, call(5000, 5010, put("a", 50), Done))), 1_000).unwrap();
    assert_eq!((explained.stretches, explained.undecided), (2, 1));
    for bad in [
        call(5000, 5010, Asked::GetFile, Content(21)),
        call(5000, 5010, Asked::CheckFileInfo, Name(id("g"))),
        call(5000, 5010, unlock("b"), by("c")),
        told(40, call(5000, 5010, put("a", 50), Done)),
    ] {
        let why = check_within(&with(bad.clone()), 1_000).expect_err("nothing explains it");
        assert!(why.contains(&format!("{:?}", bad.asked)), "{why}");
    }
}
