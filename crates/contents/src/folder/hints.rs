//! Hints that another program changed something, from the kernel's notifications.
//!
//! Each container is watched by itself instead of the whole root at once: the state directory, which every request
//! writes to, and hidden directories, which may be large (`.git`), would otherwise wake us for nothing. What we changed
//! ourselves is left out ([`super::own`]). Everything here is best effort; the periodic scan is the truth.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Weak};
use std::time::Duration;

use lectern_host::ports::{TreeError, TreePath};
use lectern_host::wopi::FileName;
use notify::event::{AccessKind, AccessMode};
use notify::{Config, ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc::{Sender, channel, error::TrySendError};

use super::Inner;
use super::offered::offered;

/// How many hints may wait to be taken. More become one that says "anywhere".
const HINTS_MAX: usize = 256;
/// How many notifications may wait to be looked at. More become one hint that says "anywhere".
const EVENTS_MAX: usize = 4096;
/// How often the thread looks whether anybody still wants hints.
const IDLE: Duration = Duration::from_secs(1);

/// Starts to watch on a thread of its own: a large folder takes a while.
pub(super) fn watch(inner: &Arc<Inner>) -> tokio::sync::mpsc::Receiver<TreePath> {
    let (hints, taken) = channel(HINTS_MAX);
    let weak = Arc::downgrade(inner);
    let started = std::thread::Builder::new().name("folder-hints".to_owned()).spawn(move || run(&weak, &hints));
    if let Err(error) = started {
        tracing::warn!(%error, "cannot watch the folder; the periodic scan still finds every change");
    }
    taken
}

fn run(inner: &Weak<Inner>, hints: &Sender<TreePath>) {
    let (events, received) = sync_channel(EVENTS_MAX);
    let overflow = Arc::new(AtomicBool::new(false));
    let lost = Arc::clone(&overflow);
    let handler = move |event| {
        if events.try_send(event).is_err() {
            lost.store(true, Ordering::Relaxed);
        }
    };
    let watcher = match RecommendedWatcher::new(handler, Config::default().with_follow_symlinks(false)) {
        Ok(watcher) => watcher,
        Err(error) => {
            tracing::warn!(%error, "cannot watch the folder; the periodic scan still finds every change");
            // The channel stays open: there is a tree, it only never says anything.
            while !hints.is_closed() && inner.strong_count() > 0 {
                std::thread::park_timeout(IDLE);
            }
            return;
        }
    };
    let mut watching = Watching { watcher, watched: BTreeSet::new(), is_short: false, changed: BTreeSet::new() };
    if let Some(inner) = inner.upgrade() {
        watching.add(&inner, &TreePath::root());
    }
    watching.run(inner, hints, &received, &overflow);
}

struct Watching {
    watcher: RecommendedWatcher,
    /// What is watched, to stop when it is moved: the kernel would go on to report it under its old name.
    watched: BTreeSet<PathBuf>,
    /// The kernel gives us no more watches.
    is_short: bool,
    /// Containers to report.
    changed: BTreeSet<TreePath>,
}

impl Watching {
    fn run(
        &mut self,
        inner: &Weak<Inner>,
        hints: &Sender<TreePath>,
        received: &Receiver<notify::Result<Event>>,
        overflow: &AtomicBool,
    ) {
        loop {
            let first = match received.recv_timeout(IDLE) {
                Ok(event) => Some(event),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let Some(inner) = inner.upgrade() else { return };
            // What came in at once becomes one hint for each container.
            for event in first.into_iter().chain(received.try_iter().take(EVENTS_MAX)) {
                self.take(&inner, event);
            }
            if overflow.swap(false, Ordering::Relaxed) {
                self.changed.insert(TreePath::root());
            }
            while let Some(container) = self.changed.pop_first() {
                match hints.try_send(container) {
                    Ok(()) => {}
                    Err(TrySendError::Full(_)) => {
                        // Said as soon as there is room again.
                        self.changed = BTreeSet::from([TreePath::root()]);
                        break;
                    }
                    Err(TrySendError::Closed(_)) => return,
                }
            }
            if hints.is_closed() {
                return;
            }
        }
    }

    fn take(&mut self, inner: &Inner, event: notify::Result<Event>) {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                self.refused(inner, &error);
                return;
            }
        };
        if event.need_rescan() {
            self.changed.insert(TreePath::root());
            return;
        }
        // Opening and reading changes nothing; closing after writing is the end of a change.
        if matches!(event.kind, EventKind::Access(kind) if kind != AccessKind::Close(AccessMode::Write)) {
            return;
        }
        for path in &event.paths {
            self.take_path(inner, path);
        }
    }

    fn take_path(&mut self, inner: &Inner, absolute: &Path) {
        let Some(path) = tree_path(inner, absolute) else { return };
        let Some((container, _)) = path.split() else { return };
        let now = inner.look(&path);
        let is_container = matches!(&now, Ok(Some(entry)) if entry.container);
        if is_container {
            if !self.watched.contains(absolute) {
                self.add(inner, &path);
            }
        } else {
            self.forget(absolute);
        }
        // Once more, because a change of ours may have happened between the look and the question.
        let explained = [now, inner.look(&path)]
            .iter()
            .flatten()
            .any(|now| inner.own.explain(&path, now.as_ref().map(|entry| &entry.fingerprint)));
        if !explained {
            self.changed.insert(container);
        }
    }

    /// Watches the container and all below it.
    fn add(&mut self, inner: &Inner, path: &TreePath) {
        let mut waiting = vec![path.clone()];
        while let Some(path) = waiting.pop() {
            let absolute = inner.root_path.join(path.as_str());
            if self.is_short || !self.watched.insert(absolute.clone()) {
                continue;
            }
            // First watch, then list: what comes between is seen twice, never missed.
            if let Err(error) = self.watcher.watch(&absolute, RecursiveMode::NonRecursive) {
                self.watched.remove(&absolute);
                self.refused(inner, &error);
                continue;
            }
            match inner.list(&path) {
                Ok(entries) => {
                    waiting.extend(entries.iter().filter(|entry| entry.container).map(|entry| path.join(&entry.name)));
                }
                Err(TreeError::NotFound) => self.forget(&absolute),
                Err(error) => tracing::debug!(%error, "cannot watch below a container"),
            }
        }
    }

    /// Stops to watch what stood there and below it.
    fn forget(&mut self, absolute: &Path) {
        while let Some(below) =
            self.watched.range(absolute.to_owned()..).next().filter(|path| path.starts_with(absolute))
        {
            let below = below.clone();
            // Gone already if the directory is.
            let _ = self.watcher.unwatch(&below);
            self.watched.remove(&below);
        }
    }

    fn refused(&mut self, inner: &Inner, error: &notify::Error) {
        let is_limit = match &error.kind {
            ErrorKind::MaxFilesWatch => true,
            // What inotify answers when a user's watches are used up.
            ErrorKind::Io(io) => io.kind() == std::io::ErrorKind::StorageFull,
            _ => false,
        };
        if is_limit && !self.is_short {
            self.is_short = true;
            tracing::warn!(
                folder = %inner.root_path.display(),
                watched = self.watched.len(),
                "the kernel watches no more directories for us (fs.inotify.max_user_watches); \
                 changes elsewhere are found by the periodic scan"
            );
        } else if !is_limit {
            tracing::debug!(%error, "a notification failed; the periodic scan still finds every change");
        }
        self.changed.insert(TreePath::root());
    }
}

/// The path below the root, if every name in it is one that is offered.
fn tree_path(inner: &Inner, absolute: &Path) -> Option<TreePath> {
    let mut path = TreePath::root();
    for name in absolute.strip_prefix(&inner.root_path).ok()?.components() {
        let name: FileName = offered(name.as_os_str().as_encoded_bytes())?;
        path = path.join(&name);
    }
    (!inner.leads_to_state(path.as_str())).then_some(path)
}
