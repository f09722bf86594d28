//! What all clients of a campaign share: the clock, the files, what became of every save, and what was wrong.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::RwLock;

use super::common::{Token, sha256};
use super::history::{Call, History, Id, Save};

/// At most so many things that are wrong are kept.
const WRONG_MAX: usize = 50;

/// What makes up a save: enough to know its bytes again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Bytes {
    pub(crate) length: usize,
    pub(crate) sha256: [u8; 32],
}

/// A file that clients work on.
pub(crate) struct Target {
    pub(crate) number: usize,
    /// One of each user.
    pub(crate) tokens: Vec<Token>,
    /// Its first content and name.
    pub(crate) content: Save,
    pub(crate) name: Id,
    calls: Mutex<Vec<Call>>,
}

impl Target {
    /// The token that a client has for it.
    pub(crate) fn token(&self, client: usize) -> &Token {
        &self.tokens[client % self.tokens.len()]
    }

    /// Its id.
    pub(crate) fn id(&self) -> &str {
        self.tokens[0].path().rsplit('/').next().expect("a path has an end")
    }
}

/// A file that PutRelativeFile was asked to make.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) name: String,
    pub(crate) save: Save,
    pub(crate) outcome: Making,
}

/// What became of that.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Making {
    /// 200, with the path and the token of the new file.
    Made { target: String },
    /// 409: there is one.
    Taken,
    /// Nobody knows.
    Perhaps,
}

/// What all clients share.
pub(crate) struct Shared {
    clock: Instant,
    pub(crate) targets: Vec<Target>,
    pub(crate) made: Mutex<Vec<Made>>,
    /// Clients stop when this is set.
    pub(crate) is_over: AtomicBool,
    /// Held by every call on its way, so that somebody can wait until there is none, and keep others from coming.
    pub(crate) calls: RwLock<()>,
    saves: Mutex<HashMap<Save, Bytes>>,
    last_save: AtomicU64,
    /// The locks that some client believes it holds, or is about to.
    claimed: Mutex<HashMap<Id, usize>>,
    quiet: Mutex<Vec<u64>>,
    counts: Mutex<BTreeMap<String, u64>>,
    wrong: Mutex<Vec<String>>,
}

impl Shared {
    pub(crate) fn new() -> Self {
        Self {
            clock: Instant::now(),
            targets: Vec::new(),
            made: Mutex::default(),
            is_over: AtomicBool::new(false),
            calls: RwLock::new(()),
            saves: Mutex::default(),
            last_save: AtomicU64::new(0),
            claimed: Mutex::default(),
            quiet: Mutex::default(),
            counts: Mutex::default(),
            wrong: Mutex::default(),
        }
    }

    /// Nanoseconds since the beginning.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.clock.elapsed().as_nanos()).expect("five hundred years")
    }

    /// A new save: its number stands in its first line, which `make` is given, so that no two saves have the same bytes.
    pub(crate) fn new_save<T>(&self, make: impl FnOnce(Save, &str) -> (T, Vec<u8>)) -> (Save, T, Vec<u8>) {
        let save = self.last_save.fetch_add(1, Ordering::Relaxed) + 1;
        let (made, bytes) = make(save, &format!("save {save}\n"));
        let known = Bytes { length: bytes.len(), sha256: sha256(&bytes) };
        lock(&self.saves).insert(save, known);
        (save, made, bytes)
    }

    /// Which save these bytes are.
    ///
    /// # Errors
    ///
    /// If they are none, or not all of one.
    pub(crate) fn save_of(&self, bytes: &[u8]) -> Result<Save, String> {
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let shown = || String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
        let text = std::str::from_utf8(line).ok().and_then(|line| line.strip_prefix("save "));
        let save = text.and_then(|number| number.parse::<Save>().ok());
        let save = save.ok_or_else(|| format!("{} bytes that are no save of ours: {:?}", bytes.len(), shown()))?;
        let known = lock(&self.saves).get(&save).copied();
        let known = known.ok_or_else(|| format!("nobody ever made save {save}"))?;
        if known.length != bytes.len() {
            return Err(format!("save {save} has {} bytes and not {}", known.length, bytes.len()));
        }
        if known.sha256 != sha256(bytes) {
            return Err(format!("the bytes of save {save} are others"));
        }
        Ok(save)
    }

    /// Adds a file.
    pub(crate) fn add_target(&mut self, tokens: Vec<Token>, content: Save, name: Id) {
        let number = self.targets.len();
        self.targets.push(Target { number, tokens, content, name, calls: Mutex::default() });
    }

    /// Notes a call.
    pub(crate) fn note(&self, target: &Target, call: Call) {
        lock(&target.calls).push(call);
    }

    /// Notes that nothing is on its way.
    pub(crate) fn note_quiet(&self) {
        let now = self.now();
        lock(&self.quiet).push(now);
    }

    /// Says that somebody holds this lock, or is about to.
    pub(crate) fn claim(&self, id: &Id, client: usize) {
        lock(&self.claimed).insert(*id, client);
    }

    /// Says that nobody does any more.
    pub(crate) fn give_up(&self, id: &Id) {
        lock(&self.claimed).remove(id);
    }

    pub(crate) fn is_claimed(&self, id: &Id) -> bool {
        lock(&self.claimed).contains_key(id)
    }

    /// Counts something.
    pub(crate) fn count(&self, what: impl Into<String>) {
        *lock(&self.counts).entry(what.into()).or_default() += 1;
    }

    /// How often all that begins like this was counted.
    pub(crate) fn counted(&self, prefix: &str) -> u64 {
        lock(&self.counts).iter().filter(|(what, _)| what.starts_with(prefix)).map(|(_, count)| count).sum()
    }

    /// What was counted, behind this prefix.
    pub(crate) fn counts(&self, prefix: &str) -> Vec<(String, u64)> {
        let counts = lock(&self.counts);
        counts.iter().filter_map(|(what, count)| Some((what.strip_prefix(prefix)?.to_owned(), *count))).collect()
    }

    /// Notes something that must not be.
    pub(crate) fn is_wrong(&self, what: String) {
        let mut wrong = lock(&self.wrong);
        if wrong.len() < WRONG_MAX {
            wrong.push(what);
        }
    }

    /// What must not have been.
    pub(crate) fn wrong(&self) -> Vec<String> {
        lock(&self.wrong).clone()
    }

    /// What happened to each file.
    pub(crate) fn histories(&self) -> Vec<History> {
        let quiet = lock(&self.quiet).clone();
        let history = |target: &Target| History {
            file: format!("file {}", target.number),
            content: target.content,
            name: target.name,
            calls: lock(&target.calls).clone(),
            quiet: quiet.clone(),
        };
        self.targets.iter().map(history).collect()
    }
}

/// No client leaves anything half done while it has one of these.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Shared by all.
pub(crate) type Everyone = Arc<Shared>;
