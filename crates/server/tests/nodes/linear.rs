//! Whether one file can explain a history: whether its calls can be put one after the other, each at a moment between its
//! question and its answer, so that a file that does one thing at a time ([`File::after`]) would have answered the same.
//!
//! This is the search of Wing and Gong, in the order of time (Lowe, *Testing for linearizability*): what is kept is every
//! pair of *how the file may be* and *which of the calls that are on their way it has carried out already*. A question
//! adds a call that is on its way; an answer keeps the pairs in which that call was, or can now be, carried out, perhaps
//! after others. When none is left, the answer cannot have been given.
//!
//! A call without an answer stays on its way for ever, and may be carried out at any later time: a node may be frozen with
//! it, or the line to the database slow. Three things keep their number small. Most of them leave no trace: if nobody ever
//! saw the id of a lock, it does not matter whether the file was held by it ([`relevant`]). At a quiet moment, when all
//! nodes were stopped and the database was done, they end. And a search that grows over [`PAIRS_MAX`] or [`WORK_MAX`] is given up until the
//! next quiet moment, where everything was read and it can begin anew. How often that was is told
//! ([`Explained::undecided`]): nothing is known of that stretch.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::file::File;
use super::history::{Asked, Call, Got, History, Id, NEVER, Save};

/// How many pairs are looked at for one answer, and for all answers between two quiet moments.
const PAIRS_MAX: usize = 100_000;
const WORK_MAX: usize = 2_000_000;

/// How many calls are shown of a history that cannot be explained, at most.
const SHOWN_MAX: usize = 40;

/// How often a shorter history is tried, to show that one, and how many pairs are looked at for each of its answers, and
/// for all of them.
const SHRINK_TRIES_MAX: usize = 200;
const SHRINK_PAIRS_MAX: usize = 2_000;
const SHRINK_WORK_MAX: usize = 50_000;

/// What was found out about a history that can be explained.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Explained {
    /// Calls that were answered.
    pub(crate) answered: usize,
    /// Calls of which nobody knows, and how many of them could matter.
    pub(crate) perhaps: usize,
    pub(crate) relevant: usize,
    /// Most pairs at a time.
    pub(crate) pairs: usize,
    /// The stretches between quiet moments, and how many of them were too much for the search.
    pub(crate) stretches: usize,
    pub(crate) undecided: usize,
}

/// Looks for an explanation.
///
/// # Errors
///
/// What cannot have happened, with the calls around it.
pub(crate) fn check(history: &History) -> Result<Explained, String> {
    check_within(history, PAIRS_MAX)
}

/// The same, with so many pairs at most for one answer.
pub(crate) fn check_within(history: &History, pairs_max: usize) -> Result<Explained, String> {
    let perhaps = |calls: &[Call]| calls.iter().filter(|call| call.got == Got::Perhaps).count();
    let relevant = relevant(&history.calls);
    let search = |calls: &[Call]| {
        let first = File::new(history.content, history.name);
        let known = known_at_quiet(calls, &history.quiet);
        let Searched { pairs, undecided } =
            Search::new(first, calls, &history.quiet, (pairs_max, WORK_MAX)).run(&known)?;
        let (all, relevant) = (perhaps(&history.calls), perhaps(calls));
        let (answered, stretches) = (history.calls.len() - all, history.quiet.len() + 1);
        Ok(Explained { answered, perhaps: all, relevant, pairs, stretches, undecided })
    };
    // What can be explained without calls that left no trace can be explained.
    let left_a_trace = history.calls.iter().zip(relevant).filter(|(_, relevant)| *relevant);
    let calls = without_renewals_in_doubt(left_a_trace.map(|(call, _)| call.clone()).collect());
    search(&calls).or_else(|_| {
        let calls = without_renewals_in_doubt(history.calls.clone());
        search(&calls).map_err(|Stuck { at, certain }| excerpt(history, &calls, at, certain.as_ref()))
    })
}

/// How the file may be, and which calls on their way it has carried out, or never can any more.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Pair {
    file: File,
    done: Done,
}

/// A few numbers, in order.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Done(Vec<usize>);

impl Done {
    fn contains(&self, at: usize) -> bool {
        self.0.binary_search(&at).is_ok()
    }

    fn insert(&mut self, at: usize) {
        if let Err(place) = self.0.binary_search(&at) {
            self.0.insert(place, at);
        }
    }

    /// Whether it was there.
    fn remove(&mut self, at: usize) -> bool {
        self.0.binary_search(&at).map(|place| self.0.remove(place)).is_ok()
    }
}

/// An answer that cannot be explained.
struct Stuck {
    at: usize,
    certain: Option<Certain>,
}

/// A search grew too large.
struct TooMuch;

/// A search that found nothing wrong.
struct Searched {
    /// The most pairs there were at a time.
    pairs: usize,
    /// The stretches that were too much.
    undecided: usize,
}

/// A moment at which there was one pair, and no call was on its way but such as were never answered.
#[derive(Clone)]
struct Certain {
    time: u64,
    file: File,
    /// Those that may still be carried out.
    open: BTreeSet<usize>,
}

enum Moment {
    Asked(usize),
    Answered(usize),
    Quiet,
}

struct Search<'h> {
    first: File,
    calls: &'h [Call],
    quiet: &'h [u64],
    pairs_max: usize,
    work_max: usize,
    /// For each call of which nobody knows the first such call that asked the same.
    first_alike: Vec<usize>,
}

impl<'h> Search<'h> {
    fn new(first: File, calls: &'h [Call], quiet: &'h [u64], (pairs_max, work_max): (usize, usize)) -> Self {
        let mut first_alike: Vec<usize> = (0..calls.len()).collect();
        for at in 0..calls.len() {
            let same = |other: &usize| calls[*other].got == Got::Perhaps && calls[*other].asked == calls[at].asked;
            if calls[at].got == Got::Perhaps {
                first_alike[at] = (0..at).find(same).unwrap_or(at);
            }
        }
        Self { first, calls, quiet, pairs_max, work_max, first_alike }
    }

    /// Looks for an explanation. Where it is too much it goes on with the next of these, which were read at quiet moments.
    fn run(&self, known: &[(u64, File)]) -> Result<Searched, Stuck> {
        let mut pairs = HashSet::from([Pair { file: self.first.clone(), done: Done::default() }]);
        let mut open = BTreeSet::new();
        let mut unanswered = 0_usize;
        let mut certain = None;
        let mut searched = Searched { pairs: 1, undecided: 0 };
        let mut givers = self.givers();
        let (mut skipped_to, mut work) = (0, 0);
        for (time, moment) in self.moments() {
            if time < skipped_to {
                continue;
            }
            if matches!(moment, Moment::Quiet) {
                work = 0;
            }
            match moment {
                Moment::Asked(at) => {
                    open.insert(at);
                    unanswered += usize::from(self.calls[at].got != Got::Perhaps);
                    if self.calls[at].got != Got::Perhaps {
                        pairs = pairs.into_iter().map(|pair| self.with_idle(pair, &[at], time)).collect();
                    }
                }
                Moment::Quiet => {
                    open.retain(|at: &usize| self.calls[*at].got != Got::Perhaps);
                    for givers in givers.values_mut() {
                        givers.retain(|at| self.calls[*at].asked_at > time || self.calls[*at].got != Got::Perhaps);
                    }
                    pairs = pairs.into_iter().map(|pair| pair.within(&open)).collect();
                }
                Moment::Answered(at) => {
                    pairs = match self.answered(at, &open, pairs, &mut work) {
                        Ok(pairs) if pairs.is_empty() => return Err(Stuck { at, certain }),
                        Ok(pairs) => pairs,
                        Err(TooMuch) => {
                            searched.undecided += 1;
                            let Some((quiet, file)) = known.iter().find(|(quiet, _)| *quiet > time) else { break };
                            searched.undecided += self.quiet.iter().filter(|at| (time..*quiet).contains(at)).count();
                            skipped_to = *quiet;
                            open.clear();
                            for givers in givers.values_mut() {
                                givers.retain(|at| self.calls[*at].asked_at > *quiet);
                            }
                            (unanswered, certain) = (0, None);
                            pairs = HashSet::from([Pair { file: file.clone(), done: Done::default() }]);
                            continue;
                        }
                    };
                    open.remove(&at);
                    unanswered -= 1;
                    if let Some(id) = gives(&self.calls[at].asked)
                        && let Some(givers) = givers.get_mut(id)
                    {
                        givers.remove(&at);
                    }
                    pairs = self.without_what_cannot_be(&mut open, &givers, pairs);
                    searched.pairs = searched.pairs.max(pairs.len());
                    if let (0, 1, Some(pair)) = (unanswered, pairs.len(), pairs.iter().next()) {
                        let open = open.iter().copied().filter(|at| !pair.done.contains(*at)).collect();
                        certain = Some(Certain { time, file: pair.file.clone(), open });
                    }
                }
            }
        }
        Ok(searched)
    }

    /// Questions, answers and quiet moments in the order of time. At one moment questions come first: that explains more.
    fn moments(&self) -> Vec<(u64, Moment)> {
        let mut moments = Vec::new();
        for (at, call) in self.calls.iter().enumerate() {
            moments.push(((call.asked_at, 0), Moment::Asked(at)));
            if call.got != Got::Perhaps {
                moments.push(((call.answered_at, 2), Moment::Answered(at)));
            }
        }
        moments.extend(self.quiet.iter().map(|at| ((*at, 1), Moment::Quiet)));
        moments.sort_by_key(|(key, _)| *key);
        moments.into_iter().map(|((time, _), moment)| (time, moment)).collect()
    }

    /// For every lock the calls that may give it.
    fn givers(&self) -> HashMap<&Id, BTreeSet<usize>> {
        let mut givers: HashMap<_, BTreeSet<usize>> = HashMap::new();
        for (at, call) in self.calls.iter().enumerate() {
            if let Some(id) = gives(&call.asked) {
                givers.entry(id).or_default().insert(at);
            }
        }
        givers
    }

    /// The pairs in which this call has been carried out, without it.
    fn answered(
        &self,
        at: usize,
        open: &BTreeSet<usize>,
        pairs: HashSet<Pair>,
        work: &mut usize,
    ) -> Result<HashSet<Pair>, TooMuch> {
        let mut after = HashSet::new();
        let mut seen = HashSet::new();
        let mut to_do = Vec::new();
        let mut add = |mut pair: Pair, to_do: &mut Vec<Pair>| {
            if pair.done.remove(at) {
                after.insert(pair);
            } else if seen.insert(pair.clone()) {
                to_do.push(pair);
            }
            seen.len()
        };
        for pair in pairs {
            add(pair, &mut to_do);
        }
        let (known, in_doubt): (Vec<usize>, Vec<usize>) =
            open.iter().partition(|at| self.calls[**at].got != Got::Perhaps);
        // Of several calls that nobody was told anything of and that ask the same, it may as well be the first.
        let mut alike: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let needed: BTreeSet<Id> = in_doubt.iter().filter_map(|at| self.needed_in_doubt(*at)).collect();
        let locks = in_doubt.iter().any(|at| matches!(self.calls[*at].asked, Asked::Lock { .. }));
        let helps = |at: &usize| {
            let asked = &self.calls[*at].asked;
            let for_another = match asked {
                Asked::UnlockCoauthLock(_) => locks,
                _ => gives(asked).is_some_and(|id| needed.contains(id)),
            };
            for_another || known.iter().any(|by| may_help(asked, &self.calls[*by]))
        };
        for at in in_doubt.into_iter().filter(helps) {
            alike.entry(self.first_alike[at]).or_default().push(at);
        }
        let by = self.calls[at].answered_at;
        while let Some(pair) = to_do.pop() {
            let waits = |at: &&usize| !pair.done.contains(**at);
            let candidates = known.iter().filter(waits).chain(alike.values().filter_map(|all| all.iter().find(waits)));
            for &next in candidates {
                let call = &self.calls[next];
                for file in pair.file.after(call, by) {
                    // What nobody was told and what changed nothing need not have been.
                    if file == pair.file && call.got == Got::Perhaps {
                        continue;
                    }
                    let mut done = pair.done.clone();
                    done.insert(next);
                    *work += 1;
                    let seen = add(self.with_idle(Pair { file, done }, &known, by), &mut to_do);
                    if seen > self.pairs_max || *work > self.work_max {
                        return Err(TooMuch);
                    }
                }
            }
        }
        Ok(after)
    }

    /// The lock that a call of which nobody knows needs to change something that somebody may have read.
    fn needed_in_doubt(&self, at: usize) -> Option<Id> {
        let asked = &self.calls[at].asked;
        matches!(asked, Asked::PutChunkedFile { .. } | Asked::RenameFile { .. }).then(|| asked.needs())?
    }

    /// The pair with those of these calls carried out that change nothing in it. They can be at any later time, too, but
    /// nothing gets possible by waiting.
    fn with_idle(&self, mut pair: Pair, answered: &[usize], by: u64) -> Pair {
        for &at in answered {
            if !pair.done.contains(at) && pair.file.after(&self.calls[at], by).contains(&pair.file) {
                pair.done.insert(at);
            }
        }
        pair
    }

    /// The pairs without calls that can never be carried out any more: they need a lock that does not hold the file and
    /// that nobody can still be given. In the pairs where that is so they count as done, and pairs become the same.
    fn without_what_cannot_be(
        &self,
        open: &mut BTreeSet<usize>,
        givers: &HashMap<&Id, BTreeSet<usize>>,
        pairs: HashSet<Pair>,
    ) -> HashSet<Pair> {
        let needy: Vec<(usize, Id)> = open
            .iter()
            .filter(|at| self.calls[**at].got == Got::Perhaps)
            .filter_map(|at| Some((*at, self.calls[*at].asked.needs()?)))
            .collect();
        let settle = |mut pair: Pair| {
            for (at, id) in &needy {
                let can_come = || givers.get(id).is_some_and(|givers| givers.iter().any(|by| !pair.done.contains(*by)));
                if !pair.done.contains(*at) && !pair.file.may_be_held_by(id) && !can_come() {
                    pair.done.insert(*at);
                }
            }
            pair
        };
        let pairs: HashSet<Pair> = pairs.into_iter().map(settle).collect();
        let is_done =
            |at: &usize| self.calls[*at].got == Got::Perhaps && pairs.iter().all(|pair| pair.done.contains(*at));
        open.retain(|at| !is_done(at));
        pairs.into_iter().map(|pair| pair.within(open)).collect()
    }
}

impl Pair {
    /// The same, if only these calls are on their way.
    fn within(mut self, open: &BTreeSet<usize>) -> Self {
        self.done.0.retain(|at| open.contains(at));
        self
    }
}

/// The lock that a call would give to whoever does not have it.
fn gives(asked: &Asked) -> Option<&Id> {
    asked.gives().filter(|_| !asked.only_renews()).map(|(id, _)| id)
}

/// What the file was at quiet moments, where all of it had been read that can be.
fn known_at_quiet(calls: &[Call], quiet: &[u64]) -> Vec<(u64, File)> {
    let known = |at: &u64| {
        // Whatever was asked before was answered before, or never.
        let before = || calls.iter().filter(|call| call.answered_at <= *at);
        let last = |wanted: fn(&Call) -> bool| before().filter(|call| wanted(call)).max_by_key(|call| call.asked_at);
        let reads: Option<Vec<&Call>> = [
            last(|call| matches!(call.got, Got::Content(_))),
            last(|call| matches!(call.got, Got::Name(_))),
            last(|call| call.asked == Asked::GetLock),
            last(|call| call.asked == Asked::GetCoauthTable),
        ]
        .into_iter()
        .collect();
        let reads = reads?;
        let changed = before().filter(|call| !call.asked.only_reads()).map(|call| call.answered_at).max();
        let is_new = reads.iter().all(|read| changed.is_none_or(|changed| read.asked_at >= changed));
        is_new.then(|| File::read(&reads)).flatten().map(|file| (*at, file))
    };
    quiet.iter().filter_map(known).collect()
}

/// The calls, by the time of their questions. Those that renew a lock and were not answered are left out; instead the lock
/// may hold on, or not: that is the same, and no search.
fn without_renewals_in_doubt(mut calls: Vec<Call>) -> Vec<Call> {
    let in_doubt = |call: &&Call| call.got == Got::Perhaps;
    let renewed: HashSet<Id> =
        calls.iter().filter(in_doubt).filter_map(|call| call.asked.gives()).map(|(id, _)| Id::clone(id)).collect();
    calls.retain(|call| call.got != Got::Perhaps || !call.asked.only_renews());
    for call in &mut calls {
        call.may_be_renewed = call.asked.gives().is_some_and(|(id, _)| renewed.contains(id));
    }
    calls.sort_by_key(|call| call.asked_at);
    calls
}

/// Which calls are likely to matter: those that were answered, and of the others those that somebody may have noticed. What
/// they would have done shows itself: in the lock that a refusal names, the save that is read, or in what another call did
/// that needed it.
fn relevant(calls: &[Call]) -> Vec<bool> {
    let mut ids: HashSet<Id> = HashSet::new();
    let mut saves: HashSet<Save> = HashSet::new();
    for call in calls {
        match &call.got {
            Got::Locked(Some(id)) | Got::Lock(Some(id)) | Got::Name(id) => {
                ids.insert(Id::clone(id));
            }
            Got::Content(save) => {
                saves.insert(*save);
            }
            Got::Table(table) => ids.extend(table.iter().cloned()),
            _ => {}
        }
        if call.got == Got::Done {
            ids.extend(call.asked.needs());
        }
    }
    let mut relevant: Vec<bool> = calls.iter().map(|call| call.got != Got::Perhaps).collect();
    loop {
        let mut more = false;
        for (call, relevant) in calls.iter().zip(&mut relevant) {
            let matters = match &call.asked {
                Asked::Lock { id, .. } | Asked::RefreshLock { id, .. } | Asked::Unlock(id) => ids.contains(id),
                Asked::UnlockAndRelock { old, new, .. } => ids.contains(old) || ids.contains(new),
                Asked::RenameFile { name, .. } => ids.contains(name),
                Asked::PutFile { save, .. } | Asked::PutChunkedFile { save, .. } => saves.contains(save),
                Asked::GetCoauthLock { id, .. } | Asked::RefreshCoauthLock { id, .. } => ids.contains(id),
                Asked::UnlockCoauthLock(id) => ids.contains(id),
                Asked::GetLock | Asked::GetCoauthTable | Asked::GetFile | Asked::CheckFileInfo => false,
            };
            if matters && !*relevant {
                *relevant = true;
                ids.extend(call.asked.needs());
                more = true;
            }
        }
        if !more {
            return relevant;
        }
    }
}

/// Whether a call of which nobody knows may be what an answer needs. If not, it may as well be carried out later. Only for
/// coauth locks, of which there can be many, more is said than "perhaps".
fn may_help(asked: &Asked, known: &Call) -> bool {
    match (asked, &known.got) {
        (Asked::GetCoauthLock { id, .. }, Got::Table(shown)) => shown.contains(id),
        (Asked::GetCoauthLock { id, .. }, Got::Done) => known.asked.needs() == Some(*id),
        (Asked::GetCoauthLock { .. }, got) => *got == Got::Refused,
        (Asked::UnlockCoauthLock(id), Got::Table(shown)) => !shown.contains(id),
        (Asked::UnlockCoauthLock(id), Got::Refused) => known.asked.needs() == Some(*id),
        (Asked::UnlockCoauthLock(_), Got::Content(_) | Got::Name(_) | Got::Stale(_)) => false,
        (Asked::UnlockCoauthLock(_), Got::Done) => known.asked.needs().is_none() || gives(&known.asked).is_some(),
        _ => true,
    }
}

/// Calls that show what is wrong: those up to the answer that cannot be, from the last moment on at which all was certain,
/// without those that only looked or were refused and are not needed for it.
fn excerpt(history: &History, calls: &[Call], at: usize, certain: Option<&Certain>) -> String {
    let wrong = calls[at].clone();
    // What came later cannot have caused it. What was still on its way then may have been carried out.
    let mut kept: Vec<Call> = Vec::new();
    let since = |at: usize, call: &Call| {
        certain.is_none_or(|certain| call.asked_at > certain.time || certain.open.contains(&at))
    };
    for (at, call) in calls.iter().enumerate() {
        if call.asked_at > wrong.answered_at || !since(at, call) {
            continue;
        }
        let mut call = call.clone();
        if call.answered_at > wrong.answered_at && call.got != Got::Perhaps {
            (call.got, call.answered_at, call.version) = (Got::Perhaps, NEVER, None);
            call.why = Some("on its way then".to_owned());
        }
        kept.push(call);
    }
    let first = match certain {
        Some(certain) => certain.file.clone(),
        None => File::new(history.content, history.name),
    };
    let is_wrong = |calls: &[Call]| {
        let search = Search::new(first.clone(), calls, &history.quiet, (SHRINK_PAIRS_MAX, SHRINK_WORK_MAX));
        search.run(&[]).is_err_and(|stuck| calls[stuck.at] == wrong)
    };
    // Without a call that changed nothing, a file that could explain all could still explain the rest. So what cannot be
    // explained without it is wrong by itself.
    let is_idle = |call: &Call| {
        let refused = matches!(call.got, Got::Locked(_) | Got::Refused | Got::Stale(_));
        *call != wrong && (refused || (call.asked.only_reads() && call.got != Got::Perhaps))
    };
    let mut tries = SHRINK_TRIES_MAX;
    let mut length = kept.len();
    while length > 0 && tries > 0 {
        let mut from = 0;
        while from < kept.len() && tries > 0 {
            let part = from..kept.len().min(from + length);
            let in_part = |at: usize| part.contains(&at);
            let fewer = kept.iter().enumerate().filter(|(at, call)| !(in_part(*at) && is_idle(call)));
            let fewer: Vec<Call> = fewer.map(|(_, call)| call.clone()).collect();
            if fewer.len() < kept.len() {
                tries -= 1;
                if is_wrong(&fewer) {
                    kept = fewer;
                }
            }
            from += length;
        }
        length /= 2;
    }
    kept.sort_by_key(|call| (call.answered_at.min(wrong.answered_at), call.asked_at));
    let skipped = kept.len().saturating_sub(SHOWN_MAX);
    let mut text = format!("{}: nothing explains this answer:\n  {wrong}\n", history.file);
    if let Some(certain) = certain {
        text += &format!("at {:.3} ms it was certainly {:?}\n", certain.time as f64 / 1e6, certain.file);
    }
    text += &format!("the last {} of {} calls that lead there, in milliseconds:\n", kept.len() - skipped, kept.len());
    for call in &kept[skipped..] {
        text += &format!("  {call}\n");
    }
    text
}
