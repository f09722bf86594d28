//! What happened to one file, as its clients saw it, and whether one lock and one content can explain it.
//!
//! Every client notes when it asked and when it was answered. The effect of a call lies somewhere between the two, so a
//! lock is *certainly* held from the answer that gave it to the question that gave it back, and *possibly* held from the
//! question that gave it to the answer that gave it back. Lock ids are never used twice and every save names the save it
//! was made from; with that, these rules find what must not be:
//!
//! | rule | found by |
//! |---|---|
//! | no two holders | two ids certainly held at one moment |
//! | only a holder saves, renews, gives back | success for an id that cannot have been held within the call |
//! | no lost update | two saves made from the same save; a save made from one that was never accepted |
//! | saves stay in order | a save that was answered before the one it was made from was asked for |
//! | no old content | GetFile gives what had been replaced before it was asked for, or what was not sent yet |
//! | a refusal names the holder | the id cannot have been held within the call, or another one was held throughout |
//! | "free" is true | the file was held from before the call to after it |

use std::collections::HashMap;

/// A lock id.
pub(crate) type Id = String;

/// A save: which one it was made from, and its own number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Link {
    pub(crate) after: u64,
    pub(crate) this: u64,
}

/// What was asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Asked {
    Lock(Id),
    RefreshLock(Id),
    Unlock(Id),
    UnlockAndRelock { old: Id, new: Id },
    PutFile { lock: Id, link: Link },
    GetLock,
    GetFile,
}

/// What was answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Got {
    /// 200.
    Done,
    /// 409 with `X-WOPI-Lock`; `None` if that was empty.
    Refused(Option<Id>),
    /// 200 of GetLock; `None` if the file is free.
    Lock(Option<Id>),
    /// 200 of GetFile: the number of the save.
    Content(u64),
}

/// One call of one client. Times are nanoseconds on one clock.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Call {
    pub(crate) client: usize,
    pub(crate) asked_at: u64,
    pub(crate) answered_at: u64,
    pub(crate) asked: Asked,
    pub(crate) got: Got,
}

/// A stretch of time, both ends included.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: u64,
    to: u64,
}

impl Span {
    fn of(call: &Call) -> Self {
        Self { from: call.asked_at, to: call.answered_at }
    }

    fn covers(self, other: Self) -> bool {
        self.from <= other.from && other.to <= self.to
    }

    fn meets(self, other: Self) -> bool {
        self.from <= other.to && other.from <= self.to
    }
}

/// How long an id was held: `taken` and `given_back` are the calls that did it.
#[derive(Debug)]
struct Tenure<'h> {
    id: &'h Id,
    taken: &'h Call,
    given_back: Option<&'h Call>,
}

impl Tenure<'_> {
    fn possibly(&self) -> Span {
        Span { from: self.taken.asked_at, to: self.given_back.map_or(u64::MAX, |call| call.answered_at) }
    }

    fn certainly(&self) -> Span {
        Span { from: self.taken.answered_at, to: self.given_back.map_or(u64::MAX, |call| call.asked_at) }
    }
}

/// Whether one file can explain the history. It held the save `first` before all of it and `last` after all of it.
///
/// # Errors
///
/// Says the first thing that cannot have happened.
pub(crate) fn check(history: &[Call], first: u64, last: u64) -> Result<(), String> {
    let tenures = tenures(history)?;
    no_two_holders(&tenures)?;
    let locks = Locks { never_free: never_free(&tenures), tenures };
    for call in history {
        locks.explain(call).map_err(|why| format!("{why}: {call:?}"))?;
    }
    saves(history, first, last)
}

fn tenures(history: &[Call]) -> Result<HashMap<&Id, Tenure<'_>>, String> {
    let mut tenures = HashMap::new();
    let successes = || history.iter().filter(|call| call.got == Got::Done);
    for call in successes() {
        let (Asked::Lock(id) | Asked::UnlockAndRelock { new: id, .. }) = &call.asked else { continue };
        if tenures.insert(id, Tenure { id, taken: call, given_back: None }).is_some() {
            return Err(format!("the id was given twice: {call:?}"));
        }
    }
    for call in successes() {
        let (Asked::Unlock(id) | Asked::UnlockAndRelock { old: id, .. }) = &call.asked else { continue };
        let tenure = tenures.get_mut(id).ok_or_else(|| format!("an id that nobody got was given back: {call:?}"))?;
        if tenure.given_back.replace(call).is_some() {
            return Err(format!("the id was given back twice: {call:?}"));
        }
        if call.answered_at < tenure.taken.asked_at {
            return Err(format!("the id was given back before it was asked for: {call:?}"));
        }
    }
    Ok(tenures)
}

fn no_two_holders(tenures: &HashMap<&Id, Tenure<'_>>) -> Result<(), String> {
    let mut held: Vec<_> = tenures.values().map(|tenure| (tenure.certainly(), tenure)).collect();
    held.retain(|(span, _)| span.from < span.to);
    held.sort_by_key(|(span, _)| span.from);
    match held.windows(2).find(|two| two[1].0.from < two[0].0.to) {
        Some(two) => Err(format!("two holders at a time: {:?} and {:?}", two[0].1, two[1].1)),
        None => Ok(()),
    }
}

/// When the file was held for certain, by whomever: an UnlockAndRelock leaves no gap between two ids.
fn never_free(tenures: &HashMap<&Id, Tenure<'_>>) -> Vec<Span> {
    let starts = tenures.values().filter(|tenure| matches!(tenure.taken.asked, Asked::Lock(_)));
    let follow = |start: &Tenure<'_>| {
        let mut end = start;
        // Bounded by the number of ids: each was given once.
        while let Some(Asked::UnlockAndRelock { new, .. }) = end.given_back.map(|call| &call.asked) {
            end = &tenures[new];
        }
        Span { from: start.certainly().from, to: end.certainly().to }
    };
    starts.map(follow).filter(|span| span.from < span.to).collect()
}

struct Locks<'h> {
    tenures: HashMap<&'h Id, Tenure<'h>>,
    never_free: Vec<Span>,
}

impl Locks<'_> {
    fn explain(&self, call: &Call) -> Result<(), String> {
        let span = Span::of(call);
        match (&call.asked, &call.got) {
            (Asked::Lock(_), Got::Done) => Ok(()), // No two holders has looked at it.
            (Asked::RefreshLock(id) | Asked::Unlock(id), Got::Done)
            | (Asked::UnlockAndRelock { old: id, .. } | Asked::PutFile { lock: id, .. }, Got::Done) => {
                self.can_be_the_holder(id, span)
            }
            (Asked::Lock(_), Got::Refused(None)) => Err("a free file was refused".to_owned()),
            (
                Asked::Lock(id)
                | Asked::RefreshLock(id)
                | Asked::Unlock(id)
                | Asked::UnlockAndRelock { old: id, .. }
                | Asked::PutFile { lock: id, .. },
                Got::Refused(current),
            ) => {
                if current.as_ref() == Some(id) {
                    return Err("the holder was refused".to_owned());
                }
                self.can_be_current(current.as_ref(), span)
            }
            (Asked::GetLock, Got::Lock(current)) => self.can_be_current(current.as_ref(), span),
            (Asked::GetFile, Got::Content(_)) => Ok(()),
            _ => Err("an answer that does not belong to the question".to_owned()),
        }
    }

    fn can_be_current(&self, current: Option<&Id>, span: Span) -> Result<(), String> {
        match current {
            Some(id) => self.can_be_the_holder(id, span),
            None if self.never_free.iter().any(|held| held.covers(span)) => {
                Err("the file was never free within the call".to_owned())
            }
            None => Ok(()),
        }
    }

    fn can_be_the_holder(&self, id: &Id, span: Span) -> Result<(), String> {
        match self.tenures.get(id) {
            None => Err(format!("nobody ever got the id {id}")),
            Some(tenure) if !tenure.possibly().meets(span) => Err(format!("the id {id} was not held within the call")),
            Some(_) => {
                let another = self.tenures.values().find(|other| other.id != id && other.certainly().covers(span));
                another.map_or(Ok(()), |other| Err(format!("the id {} was held all the time", other.id)))
            }
        }
    }
}

fn saves(history: &[Call], first: u64, last: u64) -> Result<(), String> {
    let mut made_from = HashMap::new();
    let mut accepted = 0_usize;
    for call in history {
        let (Asked::PutFile { link, .. }, Got::Done) = (&call.asked, &call.got) else { continue };
        accepted += 1;
        if let Some((_, other)) = made_from.insert(link.after, (link.this, call)) {
            return Err(format!("a lost update, both were made from {}: {other:?} and {call:?}", link.after));
        }
    }
    // The chain from the first save: each with the call that made it and the call that replaced it.
    let mut chain = HashMap::from([(first, (None, made_from.get(&first).map(|(_, call)| *call)))]);
    let (mut at, mut asked_latest) = (first, 0);
    while let Some((next, call)) = made_from.get(&at) {
        if call.answered_at < asked_latest {
            return Err(format!("saves changed their order: {call:?}"));
        }
        asked_latest = asked_latest.max(call.asked_at);
        let replaced_by = made_from.get(next).map(|(_, call)| *call);
        if chain.insert(*next, (Some(*call), replaced_by)).is_some() {
            return Err(format!("the number of a save was used twice: {call:?}"));
        }
        at = *next;
    }
    if chain.len() != accepted + 1 {
        let lost = accepted + 1 - chain.len();
        return Err(format!("{lost} saves were answered 200 and are not among those that led to the last one"));
    }
    if at != last {
        return Err(format!("the file holds the save {last}, the last one accepted was {at}"));
    }
    for call in history {
        let Got::Content(number) = &call.got else { continue };
        let Some((made, replaced)) = chain.get(number) else {
            return Err(format!("the content was never accepted: {call:?}"));
        };
        if made.is_some_and(|made| call.answered_at < made.asked_at) {
            return Err(format!("the content had not been sent yet: {call:?}"));
        }
        if replaced.is_some_and(|replaced| replaced.answered_at < call.asked_at) {
            return Err(format!("the content had been replaced: {call:?}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(asked_at: u64, answered_at: u64, asked: Asked, got: Got) -> Call {
        Call { client: 0, asked_at, answered_at, asked, got }
    }

    fn lock(id: &str) -> Asked {
        Asked::Lock(id.to_owned())
    }

    fn unlock(id: &str) -> Asked {
        Asked::Unlock(id.to_owned())
    }

    fn relock(old: &str, new: &str) -> Asked {
        Asked::UnlockAndRelock { old: old.to_owned(), new: new.to_owned() }
    }

    fn put(lock: &str, after: u64, this: u64) -> Asked {
        Asked::PutFile { lock: lock.to_owned(), link: Link { after, this } }
    }

    fn by(id: &str) -> Got {
        Got::Refused(Some(id.to_owned()))
    }

    fn held_by(id: &str) -> Got {
        Got::Lock(Some(id.to_owned()))
    }

    use Got::{Content, Done, Refused};

    /// Two clients, one after the other, each reads and saves under its lock.
    fn good() -> Vec<Call> {
        vec![
            call(0, 10, lock("a"), Done),
            call(5, 15, lock("b"), by("a")),
            call(11, 20, Asked::GetFile, Content(1)),
            call(21, 30, put("a", 1, 2), Done),
            call(22, 28, put("x", 1, 9), by("a")),
            call(31, 40, unlock("a"), Done),
            call(33, 50, lock("c"), Done),
            call(35, 45, Asked::GetLock, Got::Lock(None)),
            call(51, 60, Asked::GetFile, Content(2)),
            call(61, 70, put("c", 2, 3), Done),
            call(71, 80, relock("c", "d"), Done),
            call(81, 90, put("d", 3, 4), Done),
            call(85, 95, Asked::RefreshLock("d".to_owned()), Done),
            call(91, 99, unlock("d"), Done),
            call(100, 110, unlock("e"), Refused(None)),
            call(100, 110, Asked::GetFile, Content(4)),
        ]
    }

    fn verdict(history: &[Call], last: u64) -> String {
        check(history, 1, last).err().unwrap_or_default()
    }

    #[test]
    fn a_history_that_one_file_explains_is_accepted() {
        assert_eq!(check(&good(), 1, 4), Ok(()));
        assert_eq!(check(&[], 1, 1), Ok(()));
    }

    #[test]
    fn a_history_that_no_file_explains_is_refused() {
        for (what, why, calls, last) in [
            (
                "two locks at a time",
                "two holders",
                vec![call(0, 10, lock("a"), Done), call(20, 30, lock("b"), Done)],
                1,
            ),
            (
                "a lock beside one that was swapped in",
                "two holders",
                vec![
                    call(0, 10, lock("a"), Done),
                    call(11, 20, relock("a", "b"), Done),
                    call(30, 40, lock("c"), Done),
                    call(50, 60, unlock("b"), Done),
                ],
                1,
            ),
            (
                "two saves made from one",
                "lost update",
                vec![
                    call(0, 10, lock("a"), Done),
                    call(11, 20, put("a", 1, 2), Done),
                    call(21, 30, put("a", 1, 3), Done),
                ],
                3,
            ),
            (
                "a save made from a refused one",
                "not among those",
                vec![
                    call(0, 10, lock("a"), Done),
                    call(11, 20, put("x", 1, 2), by("a")),
                    call(21, 30, put("a", 2, 3), Done),
                ],
                3,
            ),
            (
                "the last save is gone",
                "the file holds the save 1",
                vec![call(0, 10, lock("a"), Done), call(11, 20, put("a", 1, 2), Done)],
                1,
            ),
            ("a save with an id nobody has", "nobody ever got the id", vec![call(0, 10, put("a", 1, 2), Done)], 2),
            (
                "a save after the lock was given back",
                "was not held within the call",
                vec![call(0, 10, lock("a"), Done), call(11, 20, unlock("a"), Done), call(21, 30, put("a", 1, 2), Done)],
                2,
            ),
            (
                "a save with the id that was swapped out",
                "was not held within the call",
                vec![
                    call(0, 10, lock("a"), Done),
                    call(11, 20, relock("a", "b"), Done),
                    call(21, 30, put("a", 1, 2), Done),
                ],
                2,
            ),
            (
                "a save while another certainly holds",
                "was held all the time",
                vec![
                    call(0, 100, lock("a"), Done),
                    call(1, 2, lock("b"), Done),
                    call(10, 20, put("a", 1, 2), Done),
                    call(50, 60, unlock("b"), Done),
                ],
                2,
            ),
            (
                "a refusal that names a former holder",
                "was not held within the call",
                vec![
                    call(0, 10, lock("a"), Done),
                    call(11, 20, unlock("a"), Done),
                    call(21, 30, lock("b"), Done),
                    call(31, 40, lock("c"), by("a")),
                ],
                1,
            ),
            (
                "a refusal that names a later holder",
                "was not held within the call",
                vec![call(0, 5, unlock("x"), by("a")), call(10, 20, lock("a"), Done)],
                1,
            ),
            (
                "a refusal that names nobody while the file is held",
                "never free",
                vec![call(0, 10, lock("a"), Done), call(11, 20, unlock("b"), Refused(None))],
                1,
            ),
            (
                "a refusal that names nobody while the file changes hands",
                "never free",
                vec![
                    call(0, 10, lock("a"), Done),
                    call(20, 30, relock("a", "b"), Done),
                    call(15, 35, put("x", 1, 2), Refused(None)),
                    call(40, 50, unlock("b"), Done),
                ],
                1,
            ),
            (
                "the holder is refused",
                "the holder was refused",
                vec![call(0, 10, lock("a"), Done), call(11, 20, put("a", 1, 2), by("a"))],
                1,
            ),
            ("a free file refuses a lock", "a free file was refused", vec![call(0, 10, lock("a"), Refused(None))], 1),
            (
                "GetLock names a former holder",
                "was not held within the call",
                vec![
                    call(0, 10, lock("a"), Done),
                    call(11, 20, unlock("a"), Done),
                    call(21, 30, Asked::GetLock, held_by("a")),
                ],
                1,
            ),
            (
                "GetLock misses the holder",
                "never free",
                vec![call(0, 10, lock("a"), Done), call(11, 20, Asked::GetLock, Got::Lock(None))],
                1,
            ),
            (
                "GetFile gives what had been replaced",
                "had been replaced",
                vec![
                    call(0, 10, lock("a"), Done),
                    call(11, 20, put("a", 1, 2), Done),
                    call(21, 30, Asked::GetFile, Content(1)),
                ],
                2,
            ),
            (
                "GetFile gives what was refused",
                "never accepted",
                vec![
                    call(0, 10, lock("a"), Done),
                    call(11, 20, put("x", 1, 9), by("a")),
                    call(21, 30, Asked::GetFile, Content(9)),
                ],
                1,
            ),
            (
                "GetFile gives what comes later",
                "not been sent yet",
                vec![
                    call(0, 10, lock("a"), Done),
                    call(11, 20, Asked::GetFile, Content(2)),
                    call(21, 30, put("a", 1, 2), Done),
                ],
                2,
            ),
            (
                "saves change their order",
                "changed their order",
                vec![
                    call(0, 10, lock("a"), Done),
                    call(11, 20, put("a", 2, 3), Done),
                    call(21, 30, put("a", 1, 2), Done),
                ],
                3,
            ),
            (
                "a lock is given back twice",
                "given back twice",
                vec![call(0, 10, lock("a"), Done), call(11, 20, unlock("a"), Done), call(21, 30, unlock("a"), Done)],
                1,
            ),
            ("a lock nobody has is given back", "nobody got", vec![call(0, 10, unlock("a"), Done)], 1),
        ] {
            let verdict = verdict(&calls, last);
            assert!(verdict.contains(why), "{what}: expected {why:?}, the checker says {verdict:?}");
        }
    }

    #[test]
    fn every_accepted_save_of_a_good_history_is_needed() {
        let history = good();
        let saves = history
            .iter()
            .enumerate()
            .filter(|(_, call)| matches!((&call.asked, &call.got), (Asked::PutFile { .. }, Done)));
        for (at, _) in saves {
            let mut without = history.clone();
            without.remove(at);
            assert!(check(&without, 1, 4).is_err(), "nobody missed {:?}", history[at]);
        }
    }
}
