//! What is told of saves beside what became of them, made by hand.

use std::collections::BTreeMap;

use super::aftermath::unlike;
use super::history::{Asked, Call, Got, Id, NEVER, Save};

fn put(save: Save, got: Got, version: Option<u64>) -> Call {
    let answered_at = if got == Got::Perhaps { NEVER } else { 10 };
    let asked = Asked::PutFile { lock: Id::new("a"), save };
    Call { client: 0, node: 0, asked_at: 0, answered_at, asked, got, version, why: None, may_be_renewed: false }
}

fn verdict(calls: &[Call], kept: &[(Save, u64)]) -> String {
    unlike(calls, &BTreeMap::from_iter(kept.iter().copied())).join("\n")
}

#[test]
fn saves_are_where_their_answers_say() {
    let calls = [
        put(2, Got::Done, Some(5)),
        put(3, Got::Perhaps, None),
        put(4, Got::Perhaps, None),
        put(5, Got::Locked(None), None),
        put(6, Got::Stale(5), None),
    ];
    assert_eq!(verdict(&calls, &[(1, 1), (2, 5), (3, 6)]), "");
    for (kept, why) in [
        (&[(1, 1), (3, 6)][..], "lost"),
        (&[(1, 1), (2, 6)], "it is version 6"),
        (&[(1, 1), (2, 5), (5, 6)], "was refused became version 6"),
        (&[(1, 1), (2, 5), (6, 6)], "was refused became version 6"),
        (&[(1, 1), (2, 5), (9, 6)], "saves of other files"),
    ] {
        let told = verdict(&calls, kept);
        assert!(told.contains(why), "expected {why:?}, got {told:?}");
    }
}
