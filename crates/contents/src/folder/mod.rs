//! A directory of the user's as `Contents` and `Tree`: the files in it stay ordinary files.
//!
//! Everything of ours lives in one state directory on the same file system, `.lectern` in the folder unless told
//! otherwise, which nobody but us may enter:
//!
//! | in `contents/` | has |
//! |---|---|
//! | `incoming/ID` | a content that is being put; what a crash leaves there is removed at the next start |
//! | `kept/ID` | a whole, durable content: staged, rescued, or an old version |
//! | `publishing/ID.INODE.BIRTH` | a content on its way into the folder, under the inode it has. After the exchange the *old* file stands there until it gets its own name under `kept`; the inode in the name tells which of the two it is |
//!
//! A content is one file in one place at any time, so that moving it takes no copying and a half-done step is
//! recognised by its inode. `kept` is one flat directory: every save makes one directory durable instead of several.
//!
//! What the folder cannot do: a file with several hard links loses the others when it is saved (they keep the old
//! bytes), and a program that has a file open for writing while it is replaced goes on to write into what is then an old
//! version.

mod ability;
mod beneath;
pub(crate) mod buffers;
mod check;
mod contents;
mod failure;
mod hints;
mod names;
mod naming;
mod offered;
mod own;
mod publishing;
pub(crate) mod reading;
mod status;
#[cfg(test)]
mod tests;
mod tree;
mod writing;

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lectern_host::BoxError;
use lectern_host::ports::{ContentsError, TreeError, TreePath};
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use self::ability::Ability;
use self::beneath::{Beneath, LIST};
use self::buffers::Buffers;
use self::own::OwnChanges;
use self::status::{Status, status_of};

pub use self::check::Finding;

/// Locks for operations on paths. Two paths may share one: that costs a moment, never more.
const PATH_LOCKS: usize = 64;

/// A directory of the user's, served and written to.
#[derive(Clone)]
pub struct Folder {
    inner: Arc<Inner>,
}

/// Why a folder cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// The folder is not there, or is no directory.
    #[error("cannot open the folder {path}")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The state directory, or something in it, cannot be made or opened.
    #[error("cannot use {path} in the state directory")]
    State {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The state directory in the folder is a link: somebody who may write into the folder could lead our files
    /// elsewhere.
    #[error("the state directory {path} is a symbolic link")]
    StateIsLink {
        /// Which.
        path: PathBuf,
    },
    /// Nothing can be renamed from one to the other, so no save could be published.
    #[error("the state directory {state} is not on the same file system and mount as the folder {folder}")]
    OtherFileSystem {
        /// The folder.
        folder: PathBuf,
        /// The state directory.
        state: PathBuf,
    },
    /// The state directory would be served, or the folder would lie in the state directory.
    #[error("the folder {folder} lies in the state directory {state}")]
    FolderInState {
        /// The folder.
        folder: PathBuf,
        /// The state directory.
        state: PathBuf,
    },
}

struct Inner {
    root: Beneath,
    root_path: PathBuf,
    state_path: PathBuf,
    /// The path of the state directory from the root, in lower case, if it is in the folder.
    state_inside: Option<String>,
    /// The state directory's inode, wherever it is.
    state: Status,
    incoming: OwnedFd,
    kept: OwnedFd,
    /// The same directory again, for lookups that do not wait.
    kept_files: Beneath,
    publishing: OwnedFd,
    able: Ability,
    locks: [Mutex<()>; PATH_LOCKS],
    buffers: Arc<Buffers>,
    own: OwnChanges,
    hints_taken: AtomicBool,
    /// Held by whoever came first, so that nobody else takes what we are writing for leftovers.
    _first: Option<OwnedFd>,
}

impl Folder {
    /// The name of the state directory, if it is in the folder.
    pub const STATE_NAME: &str = ".lectern";

    /// Opens the folder, and its state directory, which is made if it is missing; removes what a crash left unfinished.
    ///
    /// # Errors
    ///
    /// Says which of the two cannot be used, and why.
    pub fn open(root: &Path, state: &Path) -> Result<Self, FolderError> {
        let folder_failed = |source: std::io::Error| FolderError::Folder { path: root.to_owned(), source };
        let root_path = root.canonicalize().map_err(folder_failed)?;
        let root_file = open_directory(&root_path).map_err(folder_failed)?;
        let state_path = make_state(state, &root_path)?;
        let state_failed = |name: &str| {
            let path = state_path.join(name);
            move |source| FolderError::State { path, source }
        };
        let state_file = open_directory(&state_path).map_err(state_failed(""))?;
        let state_status = status_of(state_file.as_fd()).map_err(|e| state_failed("")(e.into()))?;
        let root_status = status_of(root_file.as_fd()).map_err(|e| folder_failed(e.into()))?;
        if root_path.starts_with(&state_path) {
            return Err(FolderError::FolderInState { folder: root_path, state: state_path });
        }
        if (root_status.device, root_status.mount) != (state_status.device, state_status.mount) {
            return Err(FolderError::OtherFileSystem { folder: root_path, state: state_path });
        }
        let place = state_path.join("contents");
        let [incoming, kept, publishing] = {
            make_directory(&place).map_err(state_failed("contents"))?;
            let open = |name: &str| {
                make_directory(&place.join(name))?;
                open_directory(&place.join(name))
            };
            [
                open("incoming").map_err(state_failed("contents/incoming"))?,
                open("kept").map_err(state_failed("contents/kept"))?,
                open("publishing").map_err(state_failed("contents/publishing"))?,
            ]
        };
        sync_all(&[place.as_path(), &state_path]).map_err(state_failed(""))?;
        let first = first_here(&place).map_err(state_failed("contents/in-use"))?;
        if first.is_some() {
            remove_leftovers(&incoming).map_err(|e| state_failed("contents/incoming")(e.into()))?;
        } else {
            tracing::info!(state = %state_path.display(), "another process uses the folder; its unfinished saves are left alone");
        }
        let able = Ability::probe(incoming.as_fd(), &format!("probe-{}", std::process::id()))
            .map_err(|e| state_failed("contents/incoming")(e.into()))?;
        if !able.exchange {
            tracing::warn!(folder = %root_path.display(), "the file system cannot exchange two files; what another program writes at the moment of a save may be lost");
        }
        let state_inside = state_path.strip_prefix(&root_path).ok().and_then(Path::to_str).map(str::to_lowercase);
        let kept_again = open_directory(&place.join("kept")).map_err(state_failed("contents/kept"))?;
        Ok(Self {
            inner: Arc::new(Inner {
                root: Beneath::new(root_file),
                root_path,
                state_path,
                state_inside,
                state: state_status,
                incoming,
                kept_files: Beneath::new(kept_again),
                kept,
                publishing,
                able,
                locks: [const { Mutex::new(()) }; PATH_LOCKS],
                buffers: Arc::new(Buffers::default()),
                own: OwnChanges::default(),
                hints_taken: AtomicBool::new(false),
                _first: first,
            }),
        })
    }

    /// The folder, absolute and without links.
    pub fn root(&self) -> &Path {
        &self.inner.root_path
    }

    /// The same folder, as if its file system could do no more than this.
    #[cfg(test)]
    fn with_ability(mut self, able: Ability) -> Self {
        Arc::get_mut(&mut self.inner).expect("nobody else has it yet").able = able;
        self
    }
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "folder {}", self.inner.root_path.display())
    }
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Folder")
            .field("root", &self.inner.root_path)
            .field("state", &self.inner.state_path)
            .field("able", &self.inner.able)
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// A directory of ours, for messages.
    fn place(&self, name: &str) -> String {
        self.state_path.join("contents").join(name).display().to_string()
    }

    /// A directory or file of the user's, for messages.
    fn path(&self, path: &TreePath) -> String {
        self.root_path.join(path.as_str()).display().to_string()
    }

    /// Whether this is our own directory, which nobody is offered.
    fn is_state(&self, status: &Status) -> bool {
        status.is_directory() && status.device == self.state.device && status.is(&self.state.fingerprint)
    }

    /// Keeps others from changing what stands at the path, in this process. Held on blocking threads only.
    fn hold(&self, path: &TreePath) -> MutexGuard<'_, ()> {
        self.lock(stripe(path))
    }

    /// The same for two paths, in one order for everybody.
    fn hold_both(&self, one: &TreePath, other: &TreePath) -> (MutexGuard<'_, ()>, Option<MutexGuard<'_, ()>>) {
        let (one, other) = (stripe(one), stripe(other));
        let first = self.lock(one.min(other));
        (first, (one != other).then(|| self.lock(one.max(other))))
    }

    fn lock(&self, stripe: usize) -> MutexGuard<'_, ()> {
        self.locks[stripe].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stripe(path: &TreePath) -> usize {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    (hasher.finish() % PATH_LOCKS as u64) as usize
}

/// Runs on a thread that may wait for the disk. It fails only if the runtime stops, or if the work panics.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, BoxError> {
    tokio::task::spawn_blocking(work).await.map_err(Into::into)
}

fn contents_stopped(error: BoxError) -> ContentsError {
    ContentsError::Unavailable(error)
}

fn tree_stopped(error: BoxError) -> TreeError {
    TreeError::Unavailable(error)
}

fn open_directory(path: &Path) -> std::io::Result<OwnedFd> {
    Ok(rustix::fs::open(path, LIST, Mode::empty())?)
}

fn make_directory(path: &Path) -> std::io::Result<()> {
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Makes the state directory where it is missing; where it is, without links.
fn make_state(state: &Path, root: &Path) -> Result<PathBuf, FolderError> {
    let failed = |source| FolderError::State { path: state.to_owned(), source };
    make_directory(state).map_err(failed)?;
    let real = state.canonicalize().map_err(failed)?;
    let parent = match state.components().next_back() {
        Some(Component::Normal(_)) => state.parent().filter(|parent| !parent.as_os_str().is_empty()),
        _ => None,
    };
    let parent = parent.unwrap_or(Path::new(".")).canonicalize().map_err(failed)?;
    let is_link = state.symlink_metadata().map_err(failed)?.file_type().is_symlink();
    if is_link && parent.starts_with(root) {
        return Err(FolderError::StateIsLink { path: state.to_owned() });
    }
    Ok(real)
}

/// What we made must be there after a power cut, or a whole save could hang on a directory that is not.
fn sync_all(directories: &[&Path]) -> std::io::Result<()> {
    for directory in directories {
        rustix::fs::fsync(open_directory(directory)?)?;
    }
    Ok(())
}

/// The lock that the first process here holds as long as it lives; `None` if another one has it.
fn first_here(place: &Path) -> std::io::Result<Option<OwnedFd>> {
    // Not for writing: a file open for that would keep the file system from being made read-only.
    let how = OFlags::RDONLY | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = rustix::fs::open(place.join("in-use"), how, Mode::RUSR | Mode::WUSR)?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(other) => Err(other.into()),
    }
}

/// Removes what was never finished: nobody was told of it.
fn remove_leftovers(incoming: &OwnedFd) -> Result<(), Errno> {
    let mut count = 0;
    for entry in rustix::fs::Dir::read_from(incoming)? {
        let entry = entry?;
        if matches!(entry.file_name().to_bytes(), b"." | b"..") {
            continue;
        }
        rustix::fs::unlinkat(incoming, entry.file_name(), AtFlags::empty())?;
        count += 1;
    }
    if count > 0 {
        tracing::info!(count, "removed saves that were never finished");
    }
    Ok(())
}
