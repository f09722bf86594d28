//! What was asked of one file and what was answered, as its clients saw it.
//!
//! Every client notes when it asked and when it was answered. What a call does, it does at one moment between the two;
//! where there was no answer, or only 503, it did it at some moment after the question, or never ([`Got::Perhaps`]).

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

/// A lock id, of either kind, or a name. No two things have the same. It is a number for a text that was seen once: the
/// search compares and copies millions of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Id(u32);

/// Texts and their numbers.
#[derive(Default)]
struct Texts {
    numbers: HashMap<Arc<str>, u32>,
    texts: Vec<Arc<str>>,
}

static TEXTS: LazyLock<Mutex<Texts>> = LazyLock::new(Mutex::default);

impl Id {
    /// The id that has this text.
    pub(crate) fn new(text: &str) -> Self {
        let mut all = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
        let Texts { numbers, texts } = &mut *all;
        if let Some(number) = numbers.get(text) {
            return Self(*number);
        }
        let (number, text) = (u32::try_from(texts.len()).expect("they are few"), Arc::<str>::from(text));
        numbers.insert(Arc::clone(&text), number);
        texts.push(text);
        Self(number)
    }

    /// Its text.
    pub(crate) fn text(self) -> Arc<str> {
        let all = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&all.texts[self.0 as usize])
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

/// The number of a save. No two saves have the same, and each has other bytes.
pub(crate) type Save = u64;

/// The lock that a call shows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) enum Shown {
    Nothing,
    Wopi(Id),
    Coauth(Id),
}

/// What was asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Asked {
    Lock { id: Id, lasts: Duration },
    RefreshLock { id: Id, lasts: Duration },
    Unlock(Id),
    UnlockAndRelock { old: Id, new: Id, lasts: Duration },
    GetLock,
    GetCoauthLock { id: Id, lasts: Duration },
    RefreshCoauthLock { id: Id, lasts: Duration },
    UnlockCoauthLock(Id),
    GetCoauthTable,
    PutFile { lock: Id, save: Save },
    PutChunkedFile { shown: Shown, at: u64, save: Save },
    GetFile,
    RenameFile { shown: Shown, name: Id },
    CheckFileInfo,
}

impl Asked {
    /// Whether it changes nothing, whatever is answered.
    pub(crate) fn only_reads(&self) -> bool {
        matches!(self, Self::GetLock | Self::GetCoauthTable | Self::GetFile | Self::CheckFileInfo)
    }

    /// The lock that it takes or renews, and for how long.
    pub(crate) fn gives(&self) -> Option<(&Id, Duration)> {
        match self {
            Self::Lock { id, lasts }
            | Self::RefreshLock { id, lasts }
            | Self::UnlockAndRelock { new: id, lasts, .. }
            | Self::GetCoauthLock { id, lasts }
            | Self::RefreshCoauthLock { id, lasts } => Some((id, *lasts)),
            _ => None,
        }
    }

    /// The lock without which it cannot be carried out.
    pub(crate) fn needs(&self) -> Option<Id> {
        match self {
            Self::RefreshLock { id, .. } | Self::Unlock(id) | Self::UnlockAndRelock { old: id, .. } => Some(*id),
            Self::PutFile { lock: id, .. } => Some(*id),
            Self::PutChunkedFile { shown: Shown::Wopi(id) | Shown::Coauth(id), .. } => Some(*id),
            Self::RenameFile { shown: Shown::Wopi(id) | Shown::Coauth(id), .. } => Some(*id),
            Self::RefreshCoauthLock { id, .. } | Self::UnlockCoauthLock(id) => Some(*id),
            _ => None,
        }
    }

    /// Whether it does nothing but renew a lock.
    pub(crate) fn only_renews(&self) -> bool {
        matches!(self, Self::RefreshLock { .. } | Self::RefreshCoauthLock { .. })
    }

    /// The save it wants to be the content.
    pub(crate) fn save(&self) -> Option<Save> {
        match self {
            Self::PutFile { save, .. } | Self::PutChunkedFile { save, .. } => Some(*save),
            _ => None,
        }
    }
}

/// What was answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Got {
    /// 200, and nothing more to be said.
    Done,
    /// 409 with the lock that holds the file, or with an empty one.
    Locked(Option<Id>),
    /// 409 without a lock: coauth locks hold it; of an operation on coauth locks, it is not held, or not by them.
    Refused,
    /// 412: the sequence number is another one, this.
    Stale(u64),
    /// 200 of GetLock; `None` if the file is free.
    Lock(Option<Id>),
    /// 200 of an operation on coauth locks, with the table.
    Table(BTreeSet<Id>),
    /// 200 of GetFile.
    Content(Save),
    /// 200 of CheckFileInfo: what it is called.
    Name(Id),
    /// Nothing, or 503.
    Perhaps,
}

/// One call of one client. Times are nanoseconds on one clock; a call that was never answered was answered at the end of
/// all time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Call {
    pub(crate) client: usize,
    pub(crate) node: usize,
    pub(crate) asked_at: u64,
    pub(crate) answered_at: u64,
    pub(crate) asked: Asked,
    pub(crate) got: Got,
    /// `X-WOPI-ItemVersion` or the sequence number of the answer: that of the save, if it was one.
    pub(crate) version: Option<u64>,
    /// Why nothing is known, if nothing is.
    pub(crate) why: Option<String>,
    /// Whether the lock that it gives may be renewed by a call of which nobody knows. The checker finds that out.
    pub(crate) may_be_renewed: bool,
}

/// The end of all time.
pub(crate) const NEVER: u64 = u64::MAX;

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |ns: u64| ns as f64 / 1e6;
        write!(f, "{:>11.3} … ", ms(self.asked_at))?;
        match self.answered_at {
            NEVER => write!(f, "{:>11}", "?")?,
            at => write!(f, "{:>11.3}", ms(at))?,
        }
        write!(f, "  client {:>2} at node {}  {:?} → ", self.client, self.node, self.asked)?;
        match (&self.got, &self.why) {
            (Got::Perhaps, Some(why)) => write!(f, "perhaps ({why})")?,
            (got, _) => write!(f, "{got:?}")?,
        }
        self.version.map_or(Ok(()), |version| write!(f, ", version {version}"))
    }
}

/// What happened to one file.
#[derive(Clone, Debug)]
pub(crate) struct History {
    /// What it is called here.
    pub(crate) file: String,
    /// What is known of it before the first call.
    pub(crate) content: Save,
    pub(crate) name: Id,
    /// In no order.
    pub(crate) calls: Vec<Call>,
    /// Moments at which nothing was on its way, and everything there is to be read had been read since: what nobody noticed
    /// by then never happened.
    pub(crate) quiet: Vec<u64>,
}
