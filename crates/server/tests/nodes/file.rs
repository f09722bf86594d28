//! One file as it should be: what each call does to it and how it is answered, if calls came one after the other.
//!
//! A lock runs out at a moment that is known only roughly (it was given somewhere between question and answer), and
//! whether it has is decided with the clock of a node somewhere between question and answer of another call. So one call
//! can have several outcomes, and [`File::after`] gives those that its answer allows.

use super::history::{Asked, Call, Got, Id, NEVER, Save, Shown};

/// By how much clocks may differ, and milliseconds be rounded.
const CLOCKS_DIFFER_MAX: u64 = 100_000_000;

/// Moments at which locks run out are known to so much. That is less than could be known, so that locks which are renewed
/// by several at a time do not run out at as many moments as there are orders.
const EXPIRY_STEP: u64 = 5_000_000_000;

/// When a lock runs out: not before the one, and not after the other.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Expiry {
    from: u64,
    to: u64,
}

impl Expiry {
    /// Of the lock that a call gives.
    fn of(call: &Call) -> Self {
        let Some((_, lasts)) = call.asked.gives() else { return Self { from: NEVER, to: NEVER } };
        let lasts = u64::try_from(lasts.as_nanos()).unwrap_or(NEVER);
        let from = call.asked_at.saturating_add(lasts).saturating_sub(CLOCKS_DIFFER_MAX);
        let to = call.answered_at.saturating_add(lasts).saturating_add(CLOCKS_DIFFER_MAX);
        let from = from - from % EXPIRY_STEP;
        // Somebody may have renewed it whom nobody answered.
        let to = if call.may_be_renewed { NEVER } else { to.saturating_add(EXPIRY_STEP - to % EXPIRY_STEP) };
        Self { from, to }
    }

    /// Whether a lock can be one that holds, and whether it can be one that has run out, at some moment of a call that is
    /// carried out by then.
    fn can_be(self, call: &Call, by: u64) -> (bool, bool) {
        (call.asked_at < self.to, call.answered_at.min(by) >= self.from)
    }
}

/// What holds a file, whether it has run out or not.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Held {
    Free,
    Wopi(Id, Expiry),
    /// By their ids.
    Coauth(Vec<(Id, Expiry)>),
}

/// The version: this one, or one after it that nobody was told.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Version {
    at_least: u64,
    known: bool,
}

impl Version {
    /// What is known after somebody was told the current one.
    fn told(self, version: u64) -> Option<Self> {
        let possible = if self.known { version == self.at_least } else { version > self.at_least };
        possible.then_some(Self { at_least: version, known: true })
    }

    /// After a save that was told this, or nothing.
    fn next(self, told: Option<u64>) -> Option<Self> {
        match told {
            None => Some(Self { known: false, ..self }),
            Some(version) if version > self.at_least => Some(Self { at_least: version, known: true }),
            Some(_) => None,
        }
    }
}

/// One file at one moment.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct File {
    held: Held,
    content: Save,
    name: Id,
    version: Version,
}

impl File {
    /// A file of this content and name that nobody holds.
    pub(crate) fn new(content: Save, name: Id) -> Self {
        Self { held: Held::Free, content, name, version: Version { at_least: 0, known: false } }
    }

    /// What these reads say that the file is, between which nothing changed. When its locks run out is not known.
    pub(crate) fn read(reads: &[&Call]) -> Option<Self> {
        let unknown = Expiry { from: 0, to: NEVER };
        let (mut held, mut content, mut name, mut version) = (Held::Free, None, None, None);
        for read in reads {
            match &read.got {
                Got::Content(save) => content = Some(*save),
                Got::Name(id) => name = Some(*id),
                Got::Lock(Some(id)) => held = Held::Wopi(*id, unknown),
                Got::Table(ids) if !ids.is_empty() => {
                    held = Held::Coauth(ids.iter().map(|id| (*id, unknown)).collect());
                }
                _ => {}
            }
            version = version.max(read.version);
        }
        let version = Version { at_least: version?, known: true };
        Some(Self { held, content: content?, name: name?, version })
    }

    /// What the file can be after this call, if it was this before, and the call was carried out by then and answered as
    /// it was. What was not answered was carried out: otherwise it is as if it had never been.
    pub(crate) fn after(&self, call: &Call, by: u64) -> Vec<Self> {
        self.views(call, by).into_iter().filter_map(|live| self.seen_as(live, call)).collect()
    }

    /// Whether this lock is among what holds the file, unless it has run out.
    pub(crate) fn may_be_held_by(&self, id: &Id) -> bool {
        match &self.held {
            Held::Free => false,
            Held::Wopi(current, _) => current == id,
            Held::Coauth(locks) => has(locks, *id),
        }
    }

    /// What may hold the file at some moment of a call, as its clock is read: of all there could be, those that make a
    /// difference to its answer.
    fn views(&self, call: &Call, by: u64) -> Vec<Held> {
        match &self.held {
            Held::Free => vec![Held::Free],
            Held::Wopi(id, expiry) => {
                let (held, free) = expiry.can_be(call, by);
                let held = held.then_some(Held::Wopi(*id, *expiry));
                held.into_iter().chain(free.then_some(Held::Free)).collect()
            }
            Held::Coauth(locks) => {
                let with = |wanted: &dyn Fn(&Id, (bool, bool)) -> bool| {
                    let kept = locks.iter().filter(|(id, expiry)| wanted(id, expiry.can_be(call, by)));
                    let kept: Vec<_> = kept.copied().collect();
                    if kept.is_empty() { Held::Free } else { Held::Coauth(kept) }
                };
                if let Got::Table(shown) = &call.got {
                    // The table says which of them hold.
                    let taken = match call.asked {
                        Asked::GetCoauthLock { id, .. } => Some(id),
                        _ => None,
                    };
                    let fits = |(id, expiry): &(Id, Expiry)| match expiry.can_be(call, by) {
                        (held, _) if shown.contains(id) => held || taken == Some(*id),
                        (_, gone) => gone,
                    };
                    let view = || with(&|id, (held, _)| held && shown.contains(id));
                    return locks.iter().all(fits).then(view).into_iter().collect();
                }
                // Otherwise it matters whether any holds, and whether that one does that is shown.
                let all = with(&|_, (held, _)| held);
                let fewest = with(&|_, (_, gone)| !gone);
                let without = call.asked.needs().map(|shown| with(&|id, (held, gone)| held && !(gone && *id == shown)));
                let mut views = vec![all];
                for view in [Some(fewest), without].into_iter().flatten() {
                    if !views.contains(&view) {
                        views.push(view);
                    }
                }
                views
            }
        }
    }

    /// The same for one of the views.
    fn seen_as(&self, live: Held, call: &Call) -> Option<Self> {
        use Asked::*;
        let perhaps = call.got == Got::Perhaps;
        let done = perhaps || call.got == Got::Done;
        let mut next = self.clone();
        match &call.asked {
            Lock { id, .. } => match &live {
                Held::Wopi(current, _) if current != id => is(call, &Got::Locked(Some(*current)))?,
                Held::Coauth(_) => is(call, &Got::Refused)?,
                _ if done => next.held = Held::Wopi(*id, Expiry::of(call)),
                _ => return None,
            },
            RefreshLock { id, .. } => match &live {
                Held::Wopi(current, _) if current == id && done => {
                    next.held = Held::Wopi(*id, Expiry::of(call));
                }
                other => refused(call, other, id)?,
            },
            Unlock(id) => match &live {
                Held::Wopi(current, _) if current == id && done => next.held = Held::Free,
                other => refused(call, other, id)?,
            },
            UnlockAndRelock { old, new, .. } => match &live {
                Held::Wopi(current, _) if current == old && done => {
                    next.held = Held::Wopi(*new, Expiry::of(call));
                }
                other => refused(call, other, old)?,
            },
            GetLock => match &live {
                Held::Free => is(call, &Got::Lock(None))?,
                Held::Wopi(id, _) => is(call, &Got::Lock(Some(*id)))?,
                Held::Coauth(_) => is(call, &Got::Refused)?,
            },
            GetCoauthLock { id, .. } => {
                let mut locks = match live {
                    Held::Wopi(..) => return is(call, &Got::Refused).and(Some(next)),
                    Held::Free => Vec::new(),
                    Held::Coauth(locks) => locks,
                };
                put(&mut locks, *id, Expiry::of(call));
                table(call, &locks)?;
                next.held = Held::Coauth(locks);
            }
            RefreshCoauthLock { id, .. } => match live {
                Held::Coauth(mut locks) if has(&locks, *id) => {
                    put(&mut locks, *id, Expiry::of(call));
                    table(call, &locks)?;
                    next.held = Held::Coauth(locks);
                }
                _ => is(call, &Got::Refused)?,
            },
            UnlockCoauthLock(id) => match live {
                Held::Coauth(mut locks) if has(&locks, *id) && done => {
                    locks.retain(|(held, _)| held != id);
                    next.held = if locks.is_empty() { Held::Free } else { Held::Coauth(locks) };
                }
                Held::Coauth(locks) if has(&locks, *id) => return None,
                _ => is(call, &Got::Refused)?,
            },
            GetCoauthTable => match live {
                Held::Wopi(..) => is(call, &Got::Refused)?,
                Held::Free => table(call, &[])?,
                Held::Coauth(locks) => table(call, &locks)?,
            },
            PutFile { lock, save } => match &live {
                Held::Wopi(current, _) if current == lock && done => return next.saved(*save, call),
                other => refused(call, other, lock)?,
            },
            PutChunkedFile { shown, at, save } => {
                let stale = |version: Version| match call.got {
                    Got::Stale(current) if current != *at => version.told(current),
                    _ => None,
                };
                if let Some(version) = stale(self.version) {
                    next.version = version;
                    return Some(next);
                }
                match (&live, shown) {
                    (Held::Wopi(current, _), Shown::Wopi(id)) if current == id => {}
                    (Held::Coauth(locks), Shown::Coauth(id)) if has(locks, *id) => {}
                    (Held::Wopi(current, _), _) => {
                        return is(call, &Got::Locked(Some(*current))).and(Some(next));
                    }
                    (Held::Free, _) => return is(call, &Got::Locked(None)).and(Some(next)),
                    (Held::Coauth(_), _) => return is(call, &Got::Refused).and(Some(next)),
                }
                next.version = next.version.told(*at)?;
                return if done { next.saved(*save, call) } else { None };
            }
            GetFile => is(call, &Got::Content(self.content))?,
            RenameFile { shown, name } => match (&live, shown) {
                (Held::Wopi(current, _), Shown::Wopi(id)) if current != id => {
                    is(call, &Got::Locked(Some(*current)))?;
                }
                (Held::Wopi(current, _), Shown::Nothing | Shown::Coauth(_)) => {
                    is(call, &Got::Locked(Some(*current)))?;
                }
                (Held::Coauth(locks), shown) if !matches!(shown, Shown::Coauth(id) if has(locks, *id)) => {
                    is(call, &Got::Refused)?;
                }
                _ if done => next.name = *name,
                _ => return None,
            },
            CheckFileInfo => is(call, &Got::Name(self.name))?,
        }
        if let Some(version) = call.version {
            next.version = next.version.told(version)?;
        }
        Some(next)
    }

    fn saved(mut self, save: Save, call: &Call) -> Option<Self> {
        self.content = save;
        self.version = self.version.next(call.version)?;
        Some(self)
    }
}

/// Whether a call was answered so.
fn is(call: &Call, got: &Got) -> Option<()> {
    (call.got == *got).then_some(())
}

/// Whether a call that shows a WOPI lock was refused as it must be, if this holds the file.
fn refused(call: &Call, live: &Held, shown: &Id) -> Option<()> {
    match live {
        Held::Free => is(call, &Got::Locked(None)),
        Held::Wopi(current, _) if current != shown => is(call, &Got::Locked(Some(*current))),
        Held::Wopi(..) => None,
        Held::Coauth(_) => is(call, &Got::Refused),
    }
}

/// Whether a call was answered with this table.
fn table(call: &Call, locks: &[(Id, Expiry)]) -> Option<()> {
    match &call.got {
        Got::Perhaps => Some(()),
        Got::Table(shown) => shown.iter().eq(locks.iter().map(|(id, _)| id)).then_some(()),
        _ => None,
    }
}

fn has(locks: &[(Id, Expiry)], id: Id) -> bool {
    locks.iter().any(|(held, _)| *held == id)
}

fn put(locks: &mut Vec<(Id, Expiry)>, id: Id, expiry: Expiry) {
    match locks.binary_search_by_key(&id, |(held, _)| *held) {
        Ok(at) => locks[at].1 = expiry,
        Err(at) => locks.insert(at, (id, expiry)),
    }
}
