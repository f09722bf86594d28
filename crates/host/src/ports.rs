//! What the rules need from outside: bytes, records, a tree of names, the time, and chance.
//!
//! To add a backend: implement the trait, then run the suite of `lectern-conformance` for it. Its functions are the
//! sentences of the doc comments here.

use std::fmt::{Debug, Display};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use wopi::{ContainerId, FileId, FileName, ItemVersion, UserId};

use crate::parts::FileParts;
use crate::records::{
    Activity, ContainerRecord, ContentId, ContentPiece, DiscoveryCache, FileRecord, Fingerprint, RescuedSave, Revision,
    Session, SessionId, Sha256, Timestamp, Upload, UploadPiece, User, VersionEntry,
};
use crate::sharing::Item;
use crate::{Body, BoxError};

mod bin;
mod listing;
mod memos;
mod sharing;
mod usage;

pub use bin::{Bin, BinEntry};
pub use listing::{Listings, Mark, Named, Slice, Sort};
pub use memos::{MEMO_NAME_BYTES_MAX, MEMO_VALUE_BYTES_MAX, Memo, Memos};
pub use sharing::{Shares, Sharing};
pub use usage::{Tally, Usage};

/// The time. Tests bring their own.
pub trait Clock: Debug + Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// Chance. Tests bring a seeded one.
pub trait Random: Debug + Send + Sync + 'static {
    /// Fills the buffer with bytes that nobody can guess.
    fn fill(&self, buffer: &mut [u8]);
}

// ── Contents ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/// Bytes, written once under an id that is never used again.
///
/// * When `put` returns, the content is durable and whole; when it fails or is dropped, `open` finds nothing.
/// * `put` may be retried only with a new id.
/// * `open` gives exactly the bytes of the range; a range beyond the end is cut.
/// * `remove` of an unknown id is success.
/// * `ids` sees every content once.
#[async_trait]
pub trait Contents: Display + Debug + Send + Sync + 'static {
    /// Streams `body` into a new content, counting and hashing on the way.
    ///
    /// # Errors
    ///
    /// [`ContentsError::TooLarge`] as soon as the body exceeds `size_max`; [`ContentsError::Body`] if the body itself
    /// fails (the client went away). Nothing is left behind then.
    async fn put(&self, id: &ContentId, body: Body, size_max: u64) -> Result<Stored, ContentsError>;

    /// The bytes in `range`.
    ///
    /// # Errors
    ///
    /// [`ContentsError::NotFound`].
    async fn open(&self, id: &ContentId, range: Range<u64>) -> Result<Body, ContentsError>;

    /// Forgets a content.
    async fn remove(&self, id: &ContentId) -> Result<(), ContentsError>;

    /// Every content there is, published files not counted.
    fn ids(&self) -> BoxStream<'_, Result<ContentId, ContentsError>>;

    /// A URL under which whoever has it gets this content from the store itself, for so long; `None` where there is no
    /// such thing.
    ///
    /// # Errors
    ///
    /// If one cannot be made at the moment. Whether there is such a content is not asked.
    async fn direct_url(&self, _id: &ContentId, _lifetime: Duration) -> Result<Option<String>, ContentsError> {
        Ok(None)
    }

    /// Removes what is left of contents whose `put` began before this moment and came to no end because its process died:
    /// nothing that could be opened, but it takes room. How many these were.
    ///
    /// # Errors
    ///
    /// If not all could be removed. The next sweep tries again.
    async fn remove_unfinished(&self, _before: Timestamp) -> Result<u64, ContentsError> {
        Ok(0)
    }
}

/// What `put` stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stored {
    /// How many bytes.
    pub size: u64,
    /// Their hash.
    pub sha256: Sha256,
    /// The staged file, where contents are files that a [`Tree`] can publish.
    pub staged: Option<Fingerprint>,
}

/// Why contents could not be had or kept.
#[derive(Debug, thiserror::Error)]
pub enum ContentsError {
    /// No such content.
    #[error("no such content")]
    NotFound,
    /// The body was larger than allowed.
    #[error("larger than {limit} bytes")]
    TooLarge {
        /// The limit it broke.
        limit: u64,
    },
    /// No space is left.
    #[error("no space left")]
    Full(#[source] BoxError),
    /// The body that was to be stored failed.
    #[error("the body ended early")]
    Body(#[source] BoxError),
    /// Passing trouble; worth another try.
    #[error("contents are not available")]
    Unavailable(#[source] BoxError),
    /// Anything else.
    #[error("contents failed")]
    Failed(#[source] BoxError),
}

// ── Tree ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/// A path below the root of a tree: names joined by `/`; the root is empty.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct TreePath(String);

impl TreePath {
    /// The root.
    pub fn root() -> Self {
        Self::default()
    }

    /// The path of `name` in the container at this path.
    #[must_use]
    pub fn join(&self, name: &FileName) -> Self {
        if self.0.is_empty() { Self(name.as_str().to_owned()) } else { Self(format!("{}/{name}", self.0)) }
    }

    /// The container's path and the name in it; `None` for the root.
    pub fn split(&self) -> Option<(TreePath, &str)> {
        match self.0.rsplit_once('/') {
            Some((parent, name)) => Some((Self(parent.to_owned()), name)),
            None => (!self.0.is_empty()).then(|| (Self::root(), self.0.as_str())),
        }
    }

    /// The names from the root down.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|name| !name.is_empty())
    }

    /// The path as text, relative, without a leading slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Display for TreePath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_empty() { "." } else { &self.0 })
    }
}

impl Debug for TreePath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TreePath({:?})", self.0)
    }
}

/// What stands under a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TreeEntry {
    /// The name.
    pub name: FileName,
    /// Whether it is a container.
    pub container: bool,
    /// How it looks. Size and time of a container are 0.
    pub fingerprint: Fingerprint,
}

/// A folder of ordinary files that other programs may change while we run: the truth for names and bytes.
///
/// * Nothing outside the root is ever opened; a path with a symbolic link in it finds nothing.
/// * `publish`, `rename` and `bin` may be called again after a crash, however far they had come, and end in the same
///   state.
/// * A reader that opened a file keeps reading the bytes it opened.
/// * What was published, renamed or binned is durable only after `settle`; the note in the registry covers the time
///   between.
/// * Hidden files, temporary files of office programs, links, sockets and names that are no [`FileName`] are not there,
///   as far as `list` and `look` tell.
#[async_trait]
pub trait Tree: Display + Debug + Send + Sync + 'static {
    /// What stands at `path` now; `None` if nothing that we offer does. One cheap look, on every CheckFileInfo.
    fn look(&self, path: &TreePath) -> Result<Option<TreeEntry>, TreeError>;

    /// The bytes in `range` of the file at `path`; `None` if what stands there is not `expected` to the last field.
    async fn open(&self, path: &TreePath, expected: &Fingerprint, range: Range<u64>)
    -> Result<Option<Body>, TreeError>;

    /// The hash of the file at `path`; `None` if it is not `expected`, before and after reading.
    async fn hash(&self, path: &TreePath, expected: &Fingerprint) -> Result<Option<Sha256>, TreeError>;

    /// Puts the content `content`, whose staged file is `staged`, under `path`, in one atomic step for every reader.
    ///
    /// With `replaces` the file that stood there is kept as that content, and how it looked is returned: if that is not
    /// what the caller expected, another program had changed it. If nothing stood there any more, it is simply put
    /// there and `None` returned. Mode bits of the old file are kept.
    ///
    /// # Errors
    ///
    /// Without `replaces`: [`TreeError::NameTaken`] if something stands there already; nothing changed then.
    async fn publish(
        &self,
        path: &TreePath,
        content: &ContentId,
        staged: &Fingerprint,
        replaces: Option<&ContentId>,
    ) -> Result<Option<Fingerprint>, TreeError>;

    /// Gives the file `seen` at `from` the path `to`, never over something else.
    ///
    /// # Errors
    ///
    /// [`TreeError::NameTaken`], [`TreeError::NotFound`]; nothing changed then.
    async fn rename(&self, from: &TreePath, to: &TreePath, seen: &Fingerprint) -> Result<(), TreeError>;

    /// Takes the file out of the tree and keeps it as `content`. Nothing there is success.
    async fn bin(&self, path: &TreePath, seen: &Fingerprint, content: &ContentId) -> Result<(), TreeError>;

    /// Makes durable what was published, renamed or binned in these containers.
    async fn settle(&self, containers: &[TreePath]) -> Result<(), TreeError>;

    /// What stands in the container at `path`, in no order.
    async fn list(&self, path: &TreePath) -> Result<Vec<TreeEntry>, TreeError>;

    /// What `list` leaves out in the container at `path`, for people, `limit` names at most; none where everything is offered.
    async fn unoffered(&self, _path: &TreePath, _limit: usize) -> Result<Vec<String>, TreeError> {
        Ok(Vec::new())
    }

    /// Makes a container, durably.
    ///
    /// # Errors
    ///
    /// [`TreeError::NameTaken`].
    async fn create_container(&self, path: &TreePath) -> Result<TreeEntry, TreeError>;

    /// Gives a container another name, durably, never over something else.
    ///
    /// # Errors
    ///
    /// [`TreeError::NameTaken`], [`TreeError::NotFound`].
    async fn rename_container(&self, from: &TreePath, to: &TreePath) -> Result<(), TreeError>;

    /// Removes an empty container, durably.
    ///
    /// # Errors
    ///
    /// [`TreeError::NotEmpty`], also if all that is left in it is not offered to clients.
    async fn remove_container(&self, path: &TreePath) -> Result<(), TreeError>;

    /// Hints: containers in which another program may have changed something. Lossy; the periodic scan is the truth.
    /// An empty path means anywhere. Can be taken once; `None` where nothing watches.
    fn hints(&self) -> Option<tokio::sync::mpsc::Receiver<TreePath>>;
}

/// Why a tree could not do it.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// Nothing stands there, or nothing that we offer.
    #[error("nothing there")]
    NotFound,
    /// Something stands there already.
    #[error("the name is taken")]
    NameTaken,
    /// The container has something in it.
    #[error("not empty")]
    NotEmpty,
    /// The file system refuses the name (too long for it, or characters).
    #[error("the file system refuses the name")]
    NameRefused,
    /// No space is left.
    #[error("no space left")]
    Full(#[source] BoxError),
    /// Passing trouble; worth another try.
    #[error("the folder is not available")]
    Unavailable(#[source] BoxError),
    /// Anything else.
    #[error("the folder failed")]
    Failed(#[source] BoxError),
}

// ── Registry ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/// What the root is called until somebody commits another name.
pub const ROOT_NAME: &str = "documents";

/// Deepest nesting of containers that is followed, so that a damaged registry cannot make anybody walk in circles.
pub const CONTAINER_DEPTH_MAX: usize = 1000;

/// A part of a listing, ordered by name, byte for byte.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    /// Only what comes after this name.
    pub after: Option<String>,
    /// At most so many.
    pub limit: usize,
}

/// One commit of a file: the next record, and what goes with it in the same transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileCommit {
    /// The record as it shall be. Its `revision` is the one that was read; the registry stores the next one.
    pub record: FileRecord,
    /// The version that this commit replaces, for the history.
    pub replaced: Option<VersionEntry>,
}

/// What the registry says of a request at the moment at which it is let in. Shared with the registry's memory, because
/// nearly every request reads the same few records and hardly any changes them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Visit {
    /// The session of its token, revoked and expired ones too.
    pub session: Arc<Session>,
    /// Whose session that is; `None` if the registry has no such user, or if it is a guest's.
    pub user: Option<Arc<User>>,
    /// The file it wants, deleted ones too; `None` if it wants none, or there is no such file.
    pub file: Option<Located>,
    /// What is shared that matters here. Left empty for a user who may change everything anyway
    /// ([`crate::records::Role::edits_everything`]): these are most, and nothing is read in vain.
    pub shares: Shares,
}

/// A file and where it lies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Located {
    /// The file.
    pub record: Arc<FileRecord>,
    /// The containers it is in, from its own up to the root. Ends early where one is gone.
    pub containers: Vec<Arc<ContainerRecord>>,
}

impl Located {
    /// The file and the containers it is in, as things that can be shared.
    pub fn items(&self) -> Vec<Item> {
        let containers = self.containers.iter().map(|container| Item::Container(container.id.clone()));
        std::iter::once(Item::File(self.record.id.clone())).chain(containers).collect()
    }

    /// The path of the file; `None` if a container above it is gone.
    pub fn path(&self) -> Option<TreePath> {
        let (root, below) = self.containers.split_last()?;
        if root.parent.is_some() {
            return None;
        }
        let names = || below.iter().rev().map(|container| &container.name).chain([&self.record.name]);
        let mut path = String::with_capacity(names().map(|name| name.as_str().len() + 1).sum());
        for name in names() {
            if !path.is_empty() {
                path.push('/');
            }
            path.push_str(name.as_str());
        }
        Some(TreePath(path))
    }
}

/// What exists, where it is, who holds it. The only source of truth.
///
/// * A method that changes something has made it durable when it returns.
/// * A record is changed only at the revision at which it was read: exactly one of two commits at one revision wins,
///   the other gets [`RegistryError::Conflict`] and has changed nothing.
/// * What was committed is what the next read sees, in this process and, at the latest with its next request, in any
///   other one on the same database.
/// * A name is taken once in a container, by a file or by a container, however many ask at once
///   ([`RegistryError::NameTaken`]). Names are compared byte for byte. Deleted files have no name.
/// * What was condemned can never again be pointed to ([`RegistryError::Condemned`]): not by a file, a stream, a piece or a
///   rescued save, however the requests of two nodes cross.
#[async_trait]
pub trait Registry: Bin + Listings + Memos + Sharing + Display + Debug + Send + Sync + 'static {
    // files

    /// The file with this id, deleted ones too.
    async fn file(&self, id: &FileId) -> Result<FileRecord, RegistryError>;
    /// The file of this name, not deleted.
    async fn file_named(&self, container: &ContainerId, name: &FileName) -> Result<FileRecord, RegistryError>;
    /// Files, not deleted, whose `seen` has this inode and time of birth.
    async fn files_seen_as(&self, seen: &Fingerprint) -> Result<Vec<FileRecord>, RegistryError>;
    /// Files in a container, not deleted, by name.
    async fn files_in(&self, container: &ContainerId, page: &Page) -> Result<Vec<FileRecord>, RegistryError>;
    /// Files with something pending.
    async fn files_pending(&self) -> Result<Vec<FileRecord>, RegistryError>;
    /// How many files there are, deleted ones not counted.
    async fn file_count(&self) -> Result<u64, RegistryError>;
    /// Adds a file; its revision is stored as 1.
    async fn create_file(&self, record: &FileRecord) -> Result<FileRecord, RegistryError>;
    /// Adds many files in one transaction, for indexing; those whose name is taken are left out.
    async fn create_files(&self, records: &[FileRecord]) -> Result<(), RegistryError>;
    /// Replaces the record read at `commit.record.revision`, with its history. Returns it as stored.
    async fn commit_file(&self, commit: &FileCommit) -> Result<FileRecord, RegistryError>;
    /// Forgets a file, its history and its parts, if the revision is still that.
    async fn remove_file(&self, id: &FileId, seen: Revision) -> Result<(), RegistryError>;

    /// The file with this id and the containers it is in, from its own up to the root: what a path is made of. Ends
    /// early where a container of a deleted file is gone. One look at the registry where it can be.
    async fn file_and_containers(&self, id: &FileId) -> Result<(FileRecord, Vec<ContainerRecord>), RegistryError> {
        let file = self.file(id).await?;
        let mut containers: Vec<ContainerRecord> = Vec::new();
        let mut above = Some(file.container.clone());
        while let Some(id) = above.take() {
            if containers.len() == CONTAINER_DEPTH_MAX {
                return Err(RegistryError::Failed(format!("more than {CONTAINER_DEPTH_MAX} containers deep").into()));
            }
            match self.container(&id).await {
                Ok(container) => {
                    above.clone_from(&container.parent);
                    containers.push(container);
                }
                Err(RegistryError::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok((file, containers))
    }

    /// How much there is, in one statement that looks at everything: for a page, not for requests of clients.
    async fn usage(&self) -> Result<Usage, RegistryError>;

    // what files have beside their bytes

    /// The parts that were committed last, streams and properties by name. Nothing at all, at version 0, where none
    /// ever were; a file that is not known has none either. They may be older than the file, or newer than what was
    /// read of it before.
    async fn parts(&self, file: &FileId) -> Result<FileParts, RegistryError>;
    /// As [`Self::commit_file`], and replaces the parts in the same transaction.
    async fn commit_parts(&self, commit: &FileCommit, parts: &FileParts) -> Result<FileRecord, RegistryError>;
    /// Forgets streams and properties that were updated last before `before`, and what belonged to an older version of
    /// its file: the streams, and the properties that go when content changes. Returns how many of both.
    async fn prune_parts(&self, before: Timestamp) -> Result<u64, RegistryError>;

    // uploads in several requests

    /// Adds an upload, with its pieces.
    async fn create_upload(&self, upload: &Upload) -> Result<(), RegistryError>;
    /// The upload with this id, outlived ones too.
    async fn upload(&self, id: &str) -> Result<Upload, RegistryError>;
    /// How many uploads of a user were updated after `since`.
    async fn upload_count(&self, user: &UserId, since: Timestamp) -> Result<u64, RegistryError>;
    /// Adds a piece behind the `received` bytes that came before it, or, with none, only renews the upload. `Conflict` if
    /// that is not how many came.
    async fn extend_upload(
        &self,
        id: &str,
        received: u64,
        piece: Option<UploadPiece>,
        at: Timestamp,
    ) -> Result<(), RegistryError>;
    /// Forgets an upload; unknown ones too. Its bytes are the caller's, or the sweeper's.
    async fn remove_upload(&self, id: &str) -> Result<(), RegistryError>;
    /// Forgets uploads that were updated last before `before`. Returns the contents of their pieces.
    async fn prune_uploads(&self, before: Timestamp) -> Result<Vec<ContentId>, RegistryError>;

    // contents that are made of pieces of others

    /// Adds a content that is made of these pieces, in their order. What is pointed to by a piece is pointed to.
    async fn add_composed(&self, id: &ContentId, pieces: &[ContentPiece]) -> Result<(), RegistryError>;
    /// The pieces of a content, in their order; none if it is not made of pieces.
    async fn composed(&self, id: &ContentId) -> Result<Vec<ContentPiece>, RegistryError>;
    /// The contents that are made of pieces, in the order of their ids, from `after` on, at most `limit`.
    async fn composed_ids(&self, after: Option<&ContentId>, limit: usize) -> Result<Vec<ContentId>, RegistryError>;
    /// Forgets of which pieces a content is made; again is success.
    async fn remove_composed(&self, id: &ContentId) -> Result<(), RegistryError>;

    // history and rescued saves

    /// The versions that were replaced, latest first.
    async fn versions(&self, file: &FileId) -> Result<Vec<VersionEntry>, RegistryError>;
    /// Replaces what is known of one version (its label, its content's size and hash).
    async fn amend_version(&self, entry: &VersionEntry) -> Result<(), RegistryError>;
    /// Takes versions out of the history; their bytes are the sweeper's.
    async fn remove_versions(&self, file: &FileId, versions: &[ItemVersion]) -> Result<(), RegistryError>;
    /// Keeps a refused save.
    async fn add_rescued(&self, save: &RescuedSave) -> Result<(), RegistryError>;
    /// Refused saves, latest first; of everybody, or of one user.
    async fn rescued(&self, user: Option<&UserId>) -> Result<Vec<RescuedSave>, RegistryError>;
    /// Forgets refused saves; their bytes are the sweeper's.
    async fn remove_rescued(&self, contents: &[ContentId]) -> Result<(), RegistryError>;
    /// Those of `contents` that no file, stream, upload, composed content, version or rescued save points to.
    async fn unreferenced(&self, contents: &[ContentId]) -> Result<Vec<ContentId>, RegistryError>;
    /// Condemns those of these contents that nothing points to, and returns them: their bytes may be removed, now or at any
    /// later time. Who asks again gets them again.
    async fn condemn(&self, contents: &[ContentId], at: Timestamp) -> Result<Vec<ContentId>, RegistryError>;
    /// Forgets that contents were condemned, where that was before this. Returns how many. Nobody may be left who could
    /// still point to one of them.
    async fn prune_condemned(&self, before: Timestamp) -> Result<u64, RegistryError>;
    /// Files that have versions, from `after` on, at most `limit`: the sweeper's walk.
    async fn files_with_versions(&self, after: Option<&FileId>, limit: usize) -> Result<Vec<FileId>, RegistryError>;

    /// Files that were deleted before `at`, at most `limit`.
    async fn files_deleted_before(&self, at: Timestamp, limit: usize) -> Result<Vec<FileRecord>, RegistryError>;
    /// Keeps activities.
    async fn add_activities(&self, activities: &[Activity]) -> Result<(), RegistryError>;
    /// The activities of a file, latest first, at most `limit`.
    async fn activities(&self, file: &FileId, limit: usize) -> Result<Vec<Activity>, RegistryError>;

    // containers

    /// The root; made on the first start, under the name [`ROOT_NAME`].
    async fn root(&self) -> Result<ContainerRecord, RegistryError>;
    /// The container with this id.
    async fn container(&self, id: &ContainerId) -> Result<ContainerRecord, RegistryError>;
    /// The container of this name.
    async fn container_named(&self, parent: &ContainerId, name: &FileName) -> Result<ContainerRecord, RegistryError>;
    /// Containers whose `seen` has this inode and time of birth.
    async fn containers_seen_as(&self, seen: &Fingerprint) -> Result<Vec<ContainerRecord>, RegistryError>;
    /// Containers in a container, by name.
    async fn containers_in(&self, parent: &ContainerId, page: &Page) -> Result<Vec<ContainerRecord>, RegistryError>;
    /// Adds a container; its revision is stored as 1. There is one root: a second one is `NameTaken`.
    async fn create_container(&self, record: &ContainerRecord) -> Result<ContainerRecord, RegistryError>;
    /// Replaces the record read at `record.revision`. Returns it as stored.
    async fn commit_container(&self, record: &ContainerRecord) -> Result<ContainerRecord, RegistryError>;
    /// Forgets an empty container ([`RegistryError::NotEmpty`]), if the revision is still that. Never the root.
    async fn remove_container(&self, id: &ContainerId, seen: Revision) -> Result<(), RegistryError>;

    // people and sessions

    /// The user with this id.
    async fn user(&self, id: &UserId) -> Result<User, RegistryError>;
    /// The user of this name, without regard to ASCII letter case.
    async fn user_named(&self, name: &str) -> Result<User, RegistryError>;
    /// Everybody, by name.
    async fn users(&self) -> Result<Vec<User>, RegistryError>;
    /// Adds a user; `NameTaken` if somebody has that name.
    async fn create_user(&self, user: &User) -> Result<User, RegistryError>;
    /// Replaces the record read at `user.revision`. Returns it as stored.
    async fn commit_user(&self, user: &User) -> Result<User, RegistryError>;
    /// The session with this id, revoked and expired ones too.
    async fn session(&self, id: &SessionId) -> Result<Session, RegistryError>;
    /// The session with this id and its user, `None` if the registry has no such user: what every request asks. One
    /// look at the registry where it can be.
    async fn session_and_user(&self, id: &SessionId) -> Result<(Session, Option<User>), RegistryError> {
        let session = self.session(id).await?;
        match self.user(&session.user).await {
            Ok(user) => Ok((session, Some(user))),
            Err(RegistryError::NotFound) => Ok((session, None)),
            Err(error) => Err(error),
        }
    }
    /// Whose session this is and, with `file`, the file and where it lies: everything that lets one request in. One look
    /// at the registry where it can be. `NotFound` if there is no such session.
    async fn visit(&self, session: &SessionId, file: Option<&FileId>) -> Result<Visit, RegistryError> {
        let (session, user) = self.session_and_user(session).await?;
        let file = match file {
            None => None,
            Some(id) => match self.file_and_containers(id).await {
                Ok((record, containers)) => Some(Located {
                    record: Arc::new(record),
                    containers: containers.into_iter().map(Arc::new).collect(),
                }),
                Err(RegistryError::NotFound) => None,
                Err(error) => return Err(error),
            },
        };
        let mut shares = Shares::default();
        match (&session.guest, &user) {
            (Some(guest), _) => match self.link(&guest.link).await {
                Ok(link) => shares.link = Some(link),
                Err(RegistryError::NotFound) => {}
                Err(error) => return Err(error),
            },
            (None, Some(user)) if !user.role.edits_everything() => {
                shares.groups = self.groups_of(&user.id).await?;
                if let Some(located) = &file {
                    shares.grants = self.grants_on(&located.items()).await?;
                }
            }
            (None, _) => {}
        }
        Ok(Visit { session: Arc::new(session), user: user.map(Arc::new), file, shares })
    }
    /// Sessions of a user, latest first.
    async fn sessions(&self, user: &UserId) -> Result<Vec<Session>, RegistryError>;
    /// Adds a session.
    async fn create_session(&self, session: &Session) -> Result<(), RegistryError>;
    /// Revokes a session; again is success.
    async fn revoke_session(&self, id: &SessionId, at: Timestamp) -> Result<(), RegistryError>;
    /// Forgets sessions that ran out before `before`. Returns how many.
    async fn prune_sessions(&self, before: Timestamp) -> Result<u64, RegistryError>;

    // what else must outlive a start

    /// The cached discovery document of a client.
    async fn discovery(&self, client: &str) -> Result<DiscoveryCache, RegistryError>;
    /// Replaces the cached discovery document of a client.
    async fn put_discovery(&self, cache: &DiscoveryCache) -> Result<(), RegistryError>;
}

/// Why the registry could not do it.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// No such record.
    #[error("no such record")]
    NotFound,
    /// The record was changed since it was read.
    #[error("changed since it was read")]
    Conflict,
    /// The name belongs to something else.
    #[error("the name is taken")]
    NameTaken,
    /// The container has something in it.
    #[error("not empty")]
    NotEmpty,
    /// The content was condemned before anything pointed to it: whoever made it took far too long.
    #[error("its bytes were swept away meanwhile")]
    Condemned,
    /// No space is left.
    #[error("no space left")]
    Full(#[source] BoxError),
    /// Passing trouble; worth another try.
    #[error("the registry is not available")]
    Unavailable(#[source] BoxError),
    /// Anything else.
    #[error("the registry failed")]
    Failed(#[source] BoxError),
}

/// Fetches discovery documents.
#[async_trait]
pub trait DiscoverySource: Debug + Send + Sync + 'static {
    /// The document at `url`, at most [`crate::ports::DISCOVERY_BYTES_MAX`] bytes, no redirects to another origin.
    async fn fetch(&self, url: &str) -> Result<String, BoxError>;
}

/// Largest discovery document that is read, in bytes. Microsoft's own has some 120 KB.
pub const DISCOVERY_BYTES_MAX: usize = 4 << 20;

// ── Access tokens ─────────────────────────────────────────────────────────────────────────────────────────────────────

/// What a token says. The resource it is for is not among the claims: it is bound to the token when it is sealed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TokenClaims {
    /// The session it hangs on.
    pub session: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// Whether it may change anything.
    pub may_edit: bool,
    /// The client it was minted for; `None` for a tool of the operator's, which shows no proofs.
    pub client: Option<String>,
    /// Until when it is good.
    pub expires_at: Timestamp,
}

/// What a token is for. Another file's token is no token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TokenResource {
    /// One file.
    File(FileId),
    /// One container.
    Container(ContainerId),
    /// The ecosystem.
    Ecosystem,
    /// The bootstrapper, where an organisation's OAuth server hands out our tokens.
    Bootstrapper,
    /// The bytes of one file by a URL of its own (`FileUrl`).
    FileUrl(FileId),
}

/// Seals and opens access tokens.
pub trait Tokens: Debug + Send + Sync + 'static {
    /// A token for this resource, URL-safe (letters, digits, `-`, `_`, `.`), at most 400 characters.
    fn seal(&self, claims: &TokenClaims, resource: &TokenResource) -> String;

    /// What the token says. Does not ask whether the session lives.
    ///
    /// # Errors
    ///
    /// Says what is wrong, for the operator; a client learns only 401.
    fn open(&self, token: &str, resource: &TokenResource, now: Timestamp) -> Result<TokenClaims, TokenError>;
}

/// What is wrong with a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TokenError {
    /// There was none.
    #[error("no access token was sent")]
    Missing,
    /// Not one of ours, or damaged, or made for another resource: sealing makes these one case.
    #[error("the access token was not made here for this resource")]
    NotOurs,
    /// The keys could not be read for a while, and none that is known sealed it. Passing trouble: nobody is sent away for it.
    #[error("the keys of the access tokens cannot be read just now")]
    KeysUnavailable,
    /// It ran out.
    #[error("the access token ran out")]
    Expired,
    /// Its session was revoked, ran out or is unknown.
    #[error("the session of the access token was revoked or ran out")]
    Revoked,
    /// Its user is unknown or shut out.
    #[error("the user of the access token is unknown or disabled")]
    UserGone,
}
