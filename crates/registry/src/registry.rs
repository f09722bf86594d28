//! [`SqliteRegistry`]: opening, checking, closing, and the port.

mod bin;
mod listing;
mod memos;
mod sharing;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use lectern_host::parts::FileParts;
use lectern_host::ports::{CONTAINER_DEPTH_MAX, FileCommit, Located, Page, Registry, RegistryError, Usage, Visit};
use lectern_host::records::{
    Activity, ContainerRecord, ContentId, ContentPiece, DiscoveryCache, FileRecord, Fingerprint, RescuedSave, Revision,
    Session, SessionId, Timestamp, Upload, UploadPiece, User, VersionEntry,
};
use lectern_host::sharing::{GroupId, Item, LinkId};
use lectern_host::wopi::{ContainerId, FileId, FileName, ItemVersion, UserId};
use rusqlite::Connection;

use crate::cache::{Cache, Change, Checked, Found, GroupsOf, Kept};
use crate::db::{OpenError, open_reader, open_writer, prepared};
use crate::error::Error;
use crate::files::Scope;
use crate::readers::{READERS, Readers};
use crate::writer::{Extent, Writer};
use crate::{composed, condemned, containers, files, history, parts, people, uploads, usage};

type Result<T> = std::result::Result<T, RegistryError>;

/// Who opens a database. There is one server at a time; whoever starts it sees to that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Opener {
    /// The server: keeps records in memory.
    Server,
    /// A command, perhaps beside a running server: keeps nothing in memory, and tells the server's cache what it did.
    Command,
}

/// A registry in an SQLite database.
///
/// Dropping it waits until what was asked is done. For a graceful stop call [`SqliteRegistry::close`] before.
pub struct SqliteRegistry {
    path: PathBuf,
    writer: Writer,
    readers: Readers,
    cache: Option<Arc<Cache>>,
}

/// What [`SqliteRegistry::check`] found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Health {
    /// What SQLite's quick check says is wrong; empty if all is well.
    pub damage: Vec<String>,
    /// Size of the database without its log, in bytes.
    pub size_bytes: u64,
    /// What is free for us on its file system, in bytes.
    pub free_bytes: u64,
}

/// Lines of damage that are worth reading.
const DAMAGE_LINES_MAX: usize = 20;

const QUICK_CHECK: &str = "PRAGMA quick_check";
const TOUCH: &str = "UPDATE meta SET value = value WHERE name = 'outside_epoch'";

impl SqliteRegistry {
    /// Opens the database at `path`, makes it if there is none, and brings its schema up to date. The folder must be
    /// there, on a local file system. Blocks for some milliseconds.
    ///
    /// # Errors
    ///
    /// Says which file, and what is the matter with it.
    pub fn open(path: &Path, who: Opener) -> std::result::Result<Self, OpenError> {
        let failed = |source| OpenError::Sqlite { path: path.to_owned(), source };
        let connection = open_writer(path)?;
        let cache = match who {
            Opener::Server => Some(Arc::new(Cache::new(open_reader(path)?).map_err(failed)?)),
            Opener::Command => None,
        };
        let readers = (0..READERS).map(|_| open_reader(path)).collect::<std::result::Result<_, _>>()?;
        let writer = Writer::start(connection, cache.clone())?;
        Ok(Self { path: path.to_owned(), writer, readers: Readers::new(readers), cache })
    }

    /// Tries what the registry promises: reads the whole database, and writes to it durably.
    ///
    /// # Errors
    ///
    /// If reading or writing failed; damage that SQLite can tell is no error but in the answer.
    pub async fn check(&self) -> Result<Health> {
        self.write(Extent::OneStatement, |connection, _| {
            prepared(connection, TOUCH)?.execute([])?;
            Ok(())
        })
        .await?;
        let damage: Vec<String> = self
            .read(|connection| {
                let mut statement = prepared(connection, QUICK_CHECK)?;
                let lines = statement.query_map([], |row| row.get(0))?.take(DAMAGE_LINES_MAX);
                Ok(lines.collect::<std::result::Result<_, _>>()?)
            })
            .await?;
        let failed = |error: std::io::Error| RegistryError::Failed(error.into());
        let size_bytes = std::fs::metadata(&self.path).map_err(failed)?.len();
        let space = rustix::fs::statvfs(&self.path).map_err(|error| failed(error.into()))?;
        Ok(Health {
            damage: damage.into_iter().filter(|line| line != "ok").collect(),
            size_bytes,
            free_bytes: space.f_bavail.saturating_mul(space.f_frsize),
        })
    }

    /// Finishes what waits, carries the log over into the database, and refuses every change from then on. Again is
    /// success.
    ///
    /// # Errors
    ///
    /// If the log could not be carried over. Nothing is lost then: it is read at the next start.
    pub async fn close(&self) -> Result<()> {
        Ok(self.writer.close().await?)
    }

    pub(crate) async fn write<T, F>(&self, extent: Extent, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&Connection, &mut Vec<Change>) -> std::result::Result<T, Error> + Send + 'static,
    {
        Ok(self.writer.run(extent, work).await?)
    }

    pub(crate) async fn read<T, F>(&self, read: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> std::result::Result<T, Error> + Send + 'static,
    {
        Ok(self.readers.run(read).await?)
    }

    /// Whether the cache may be believed for what is asked from now on.
    fn check_cache(&self) -> Option<Known<'_>> {
        let cache = self.cache.as_deref()?;
        Some(Known { cache, checked: cache.check()? })
    }

    /// A record from the cache, or from the database and then into the cache.
    async fn recall<K: Loads>(&self, key: &K, known: Option<&Known<'_>>) -> Result<Arc<K::Record>> {
        let ticket = match known.map(|known| (known.cache, known.cache.look_up(key, &known.checked))) {
            Some((_, Found::Record(record))) => return Ok(record),
            Some((cache, Found::Ticket(ticket))) => Some((cache, ticket)),
            None => None,
        };
        let wanted = key.clone();
        let loaded = self.read(move |connection| K::load(connection, &wanted)).await.map(Arc::new);
        if let Some((cache, ticket)) = ticket {
            cache.settle(key, ticket, loaded.as_ref().ok());
        }
        loaded
    }

    /// A file and the containers it is in.
    async fn locate(&self, id: &FileId, known: Option<&Known<'_>>) -> Result<Located> {
        let record = self.recall(id, known).await?;
        let mut containers: Vec<Arc<ContainerRecord>> = Vec::new();
        let mut above = Some(record.container.clone());
        while let Some(id) = above.take() {
            if containers.len() == CONTAINER_DEPTH_MAX {
                return Err(Error::Refused("the containers of a file are too deep, or go in a circle").into());
            }
            match self.recall(&id, known).await {
                Ok(container) => {
                    above.clone_from(&container.parent);
                    containers.push(container);
                }
                Err(RegistryError::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Located { record, containers })
    }

    /// Replaces a record, and with it what the file has beside its bytes, if there is anything new of that.
    async fn commit(&self, commit: &FileCommit, parts: Option<FileParts>) -> Result<FileRecord> {
        let seen = commit.record.revision;
        let next = Arc::new(FileRecord { revision: following(seen)?, ..commit.record.clone() });
        // What the record was at that revision need not be looked up: a revision is never used for anything else.
        let before = self.cache.as_ref().and_then(|cache| cache.recollect(&next.id));
        let scope = before
            .filter(|before| before.revision == seen)
            .map_or(Scope::Anything, |before| Scope::between(&before, &next));
        let replaced = commit.replaced.clone();
        let extent = match (scope, &replaced, &parts) {
            (Scope::Lock | Scope::Content, None, None) => Extent::OneStatement,
            (Scope::Anything, ..) | (_, Some(_), _) | (_, _, Some(_)) => Extent::Several,
        };
        let stored = self
            .write(extent, move |connection, changes| {
                files::commit(connection, &next, seen, scope, replaced.as_ref())?;
                if let Some(parts) = &parts {
                    parts::put(connection, &next.id, parts)?;
                }
                changes.push(Change::File(next.clone()));
                Ok(next.clone())
            })
            .await?;
        Ok(Arc::unwrap_or_clone(stored))
    }

    async fn recall_now<K: Loads>(&self, key: &K) -> Result<K::Record> {
        let record = self.recall(key, self.check_cache().as_ref()).await?;
        Ok(Arc::unwrap_or_clone(record))
    }
}

/// The cache, just compared with the database.
struct Known<'c> {
    cache: &'c Cache,
    checked: Checked,
}

/// A key whose records can be loaded.
trait Loads: Kept {
    fn load(connection: &Connection, key: &Self) -> std::result::Result<Self::Record, Error>;
}

macro_rules! loads {
    ($($key:ty: $load:path),+ $(,)?) => {
        $(impl Loads for $key {
            fn load(connection: &Connection, key: &Self) -> std::result::Result<Self::Record, Error> {
                $load(connection, key)
            }
        })+
    };
}

loads! {
    FileId: files::by_id,
    ContainerId: containers::by_id,
    UserId: people::user,
    SessionId: people::session,
    Item: crate::sharing::grants_on,
    LinkId: crate::sharing::link,
    GroupsOf: groups_of,
}

fn groups_of(connection: &Connection, of: &GroupsOf) -> std::result::Result<Vec<GroupId>, Error> {
    crate::sharing::groups_of(connection, &of.0)
}

/// The revision that a commit of `seen` is stored with.
pub(crate) fn following(seen: Revision) -> Result<Revision> {
    seen.0
        .checked_add(1)
        .map(Revision)
        .ok_or_else(|| RegistryError::from(Error::Refused("the revision cannot grow any more")))
}

impl fmt::Display for SqliteRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sqlite {}", self.path.display())
    }
}

impl fmt::Debug for SqliteRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteRegistry").field("path", &self.path).finish_non_exhaustive()
    }
}

#[async_trait]
impl Registry for SqliteRegistry {
    async fn file(&self, id: &FileId) -> Result<FileRecord> {
        self.recall_now(id).await
    }

    async fn file_named(&self, container: &ContainerId, name: &FileName) -> Result<FileRecord> {
        let (container, name) = (container.clone(), name.clone());
        self.read(move |connection| files::by_name(connection, &container, &name)).await
    }

    async fn files_seen_as(&self, seen: &Fingerprint) -> Result<Vec<FileRecord>> {
        let seen = *seen;
        self.read(move |connection| files::seen_as(connection, &seen)).await
    }

    async fn files_in(&self, container: &ContainerId, page: &Page) -> Result<Vec<FileRecord>> {
        let (container, page) = (container.clone(), page.clone());
        self.read(move |connection| files::in_container(connection, &container, &page)).await
    }

    async fn files_pending(&self) -> Result<Vec<FileRecord>> {
        self.read(files::pending_ones).await
    }

    async fn usage(&self) -> Result<Usage> {
        self.read(usage::usage).await
    }

    async fn file_count(&self) -> Result<u64> {
        self.read(files::count).await
    }

    async fn create_file(&self, record: &FileRecord) -> Result<FileRecord> {
        let record = Arc::new(FileRecord { revision: Revision(1), ..record.clone() });
        let stored = self
            .write(Extent::Several, move |connection, changes| {
                files::create(connection, &record)?;
                changes.push(Change::File(record.clone()));
                Ok(record.clone())
            })
            .await?;
        Ok(Arc::unwrap_or_clone(stored))
    }

    async fn create_files(&self, records: &[FileRecord]) -> Result<()> {
        let first = |record: &FileRecord| FileRecord { revision: Revision(1), ..record.clone() };
        let records: Vec<_> = records.iter().map(first).collect();
        // Not into the cache: indexing a folder would push out what people work on.
        self.write(Extent::Several, move |connection, _| {
            records.iter().try_for_each(|record| files::create_if_free(connection, record))
        })
        .await
    }

    async fn commit_file(&self, commit: &FileCommit) -> Result<FileRecord> {
        self.commit(commit, None).await
    }

    async fn parts(&self, file: &FileId) -> Result<FileParts> {
        let file = file.clone();
        self.read(move |connection| parts::of(connection, &file)).await
    }

    async fn commit_parts(&self, commit: &FileCommit, parts: &FileParts) -> Result<FileRecord> {
        self.commit(commit, Some(parts.clone())).await
    }

    async fn prune_parts(&self, before: Timestamp) -> Result<u64> {
        self.write(Extent::Several, move |connection, _| parts::prune(connection, before)).await
    }

    async fn create_upload(&self, upload: &Upload) -> Result<()> {
        let upload = upload.clone();
        self.write(Extent::Several, move |connection, _| uploads::add(connection, &upload)).await
    }

    async fn upload(&self, id: &str) -> Result<Upload> {
        let id = id.to_owned();
        self.read(move |connection| uploads::of(connection, &id)).await
    }

    async fn upload_count(&self, user: &UserId, since: Timestamp) -> Result<u64> {
        let user = user.clone();
        self.read(move |connection| uploads::count(connection, &user, since)).await
    }

    async fn extend_upload(&self, id: &str, received: u64, piece: Option<UploadPiece>, at: Timestamp) -> Result<()> {
        let id = id.to_owned();
        self.write(Extent::Several, move |connection, _| uploads::extend(connection, &id, received, piece, at)).await
    }

    async fn remove_upload(&self, id: &str) -> Result<()> {
        let id = id.to_owned();
        self.write(Extent::Several, move |connection, _| uploads::remove(connection, &id)).await
    }

    async fn prune_uploads(&self, before: Timestamp) -> Result<Vec<ContentId>> {
        self.write(Extent::Several, move |connection, _| uploads::prune(connection, before)).await
    }

    async fn add_composed(&self, id: &ContentId, pieces: &[ContentPiece]) -> Result<()> {
        let (id, pieces) = (*id, pieces.to_vec());
        self.write(Extent::Several, move |connection, _| composed::add(connection, &id, &pieces)).await
    }

    async fn composed(&self, id: &ContentId) -> Result<Vec<ContentPiece>> {
        let id = *id;
        self.read(move |connection| composed::pieces(connection, &id)).await
    }

    async fn composed_ids(&self, after: Option<&ContentId>, limit: usize) -> Result<Vec<ContentId>> {
        let after = after.copied();
        self.read(move |connection| composed::ids(connection, after.as_ref(), limit)).await
    }

    async fn remove_composed(&self, id: &ContentId) -> Result<()> {
        let id = *id;
        self.write(Extent::OneStatement, move |connection, _| composed::remove(connection, &id)).await
    }

    async fn remove_file(&self, id: &FileId, seen: Revision) -> Result<()> {
        let id = id.clone();
        self.write(Extent::Several, move |connection, changes| {
            files::remove(connection, &id, seen)?;
            changes.push(Change::FileGone(id.clone()));
            Ok(())
        })
        .await
    }

    async fn file_and_containers(&self, id: &FileId) -> Result<(FileRecord, Vec<ContainerRecord>)> {
        let Located { record, containers } = self.locate(id, self.check_cache().as_ref()).await?;
        Ok((Arc::unwrap_or_clone(record), containers.into_iter().map(Arc::unwrap_or_clone).collect()))
    }

    async fn versions(&self, file: &FileId) -> Result<Vec<VersionEntry>> {
        let file = file.clone();
        self.read(move |connection| history::versions(connection, &file)).await
    }

    async fn amend_version(&self, entry: &VersionEntry) -> Result<()> {
        let entry = entry.clone();
        self.write(Extent::OneStatement, move |connection, _| history::amend_version(connection, &entry)).await
    }

    async fn remove_versions(&self, file: &FileId, versions: &[ItemVersion]) -> Result<()> {
        let (file, versions) = (file.clone(), versions.to_vec());
        self.write(Extent::Several, move |connection, _| history::remove_versions(connection, &file, &versions)).await
    }

    async fn add_rescued(&self, save: &RescuedSave) -> Result<()> {
        let save = save.clone();
        self.write(Extent::OneStatement, move |connection, _| {
            condemned::must_not_be(connection, &save.content)?;
            history::add_rescued(connection, &save)
        })
        .await
    }

    async fn rescued(&self, user: Option<&UserId>) -> Result<Vec<RescuedSave>> {
        let user = user.cloned();
        self.read(move |connection| history::rescued(connection, user.as_ref())).await
    }

    async fn remove_rescued(&self, contents: &[ContentId]) -> Result<()> {
        let contents = contents.to_vec();
        self.write(Extent::Several, move |connection, _| history::remove_rescued(connection, &contents)).await
    }

    async fn unreferenced(&self, contents: &[ContentId]) -> Result<Vec<ContentId>> {
        let contents = contents.to_vec();
        self.read(move |connection| history::unreferenced(connection, &contents)).await
    }

    async fn condemn(&self, contents: &[ContentId], at: Timestamp) -> Result<Vec<ContentId>> {
        let contents = contents.to_vec();
        self.write(Extent::Several, move |connection, _| condemned::condemn(connection, &contents, at)).await
    }

    async fn prune_condemned(&self, before: Timestamp) -> Result<u64> {
        self.write(Extent::OneStatement, move |connection, _| condemned::prune(connection, before)).await
    }

    async fn files_with_versions(&self, after: Option<&FileId>, limit: usize) -> Result<Vec<FileId>> {
        let after = after.cloned();
        self.read(move |connection| history::files_with_versions(connection, after.as_ref(), limit)).await
    }

    async fn files_deleted_before(&self, at: Timestamp, limit: usize) -> Result<Vec<FileRecord>> {
        self.read(move |connection| files::deleted_before(connection, at, limit)).await
    }

    async fn add_activities(&self, activities: &[Activity]) -> Result<()> {
        let activities = activities.to_vec();
        self.write(Extent::Several, move |connection, _| history::add_activities(connection, &activities)).await
    }

    async fn activities(&self, file: &FileId, limit: usize) -> Result<Vec<Activity>> {
        let file = file.clone();
        self.read(move |connection| history::activities(connection, &file, limit)).await
    }

    async fn root(&self) -> Result<ContainerRecord> {
        self.read(containers::root).await
    }

    async fn container(&self, id: &ContainerId) -> Result<ContainerRecord> {
        self.recall_now(id).await
    }

    async fn container_named(&self, parent: &ContainerId, name: &FileName) -> Result<ContainerRecord> {
        let (parent, name) = (parent.clone(), name.clone());
        self.read(move |connection| containers::by_name(connection, &parent, &name)).await
    }

    async fn containers_seen_as(&self, seen: &Fingerprint) -> Result<Vec<ContainerRecord>> {
        let seen = *seen;
        self.read(move |connection| containers::seen_as(connection, &seen)).await
    }

    async fn containers_in(&self, parent: &ContainerId, page: &Page) -> Result<Vec<ContainerRecord>> {
        let (parent, page) = (parent.clone(), page.clone());
        self.read(move |connection| containers::in_container(connection, &parent, &page)).await
    }

    async fn create_container(&self, record: &ContainerRecord) -> Result<ContainerRecord> {
        let record = Arc::new(ContainerRecord { revision: Revision(1), ..record.clone() });
        let stored = self
            .write(Extent::Several, move |connection, changes| {
                containers::create(connection, &record)?;
                changes.push(Change::Container(record.clone()));
                Ok(record.clone())
            })
            .await?;
        Ok(Arc::unwrap_or_clone(stored))
    }

    async fn commit_container(&self, record: &ContainerRecord) -> Result<ContainerRecord> {
        let seen = record.revision;
        let next = Arc::new(ContainerRecord { revision: following(seen)?, ..record.clone() });
        let stored = self
            .write(Extent::Several, move |connection, changes| {
                containers::commit(connection, &next, seen)?;
                changes.push(Change::Container(next.clone()));
                Ok(next.clone())
            })
            .await?;
        Ok(Arc::unwrap_or_clone(stored))
    }

    async fn remove_container(&self, id: &ContainerId, seen: Revision) -> Result<()> {
        let id = id.clone();
        self.write(Extent::Several, move |connection, changes| {
            containers::remove(connection, &id, seen)?;
            changes.push(Change::ContainerGone(id.clone()));
            Ok(())
        })
        .await
    }

    async fn user(&self, id: &UserId) -> Result<User> {
        self.recall_now(id).await
    }

    async fn user_named(&self, name: &str) -> Result<User> {
        let name = name.to_owned();
        self.read(move |connection| people::user_named(connection, &name)).await
    }

    async fn users(&self) -> Result<Vec<User>> {
        self.read(people::users).await
    }

    async fn create_user(&self, user: &User) -> Result<User> {
        let user = Arc::new(User { revision: Revision(1), ..user.clone() });
        let stored = self
            .write(Extent::Several, move |connection, changes| {
                people::create_user(connection, &user)?;
                changes.push(Change::User(user.clone()));
                Ok(user.clone())
            })
            .await?;
        Ok(Arc::unwrap_or_clone(stored))
    }

    async fn commit_user(&self, user: &User) -> Result<User> {
        let seen = user.revision;
        let next = Arc::new(User { revision: following(seen)?, ..user.clone() });
        let stored = self
            .write(Extent::Several, move |connection, changes| {
                people::commit_user(connection, &next, seen)?;
                changes.push(Change::User(next.clone()));
                Ok(next.clone())
            })
            .await?;
        Ok(Arc::unwrap_or_clone(stored))
    }

    async fn session(&self, id: &SessionId) -> Result<Session> {
        self.recall_now(id).await
    }

    async fn session_and_user(&self, id: &SessionId) -> Result<(Session, Option<User>)> {
        let known = self.check_cache();
        let session = self.recall(id, known.as_ref()).await?;
        let user = match self.recall(&session.user, known.as_ref()).await {
            Ok(user) => Some(Arc::unwrap_or_clone(user)),
            Err(RegistryError::NotFound) => None,
            Err(error) => return Err(error),
        };
        Ok((Arc::unwrap_or_clone(session), user))
    }

    async fn visit(&self, session: &SessionId, file: Option<&FileId>) -> Result<Visit> {
        let known = self.check_cache();
        let known = known.as_ref();
        if let Some(visit) = known.and_then(|known| known.cache.recall_visit(session, file, &known.checked)) {
            return Ok(visit);
        }
        let session = self.recall(session, known).await?;
        let user = match &session.guest {
            Some(_) => None,
            None => match self.recall(&session.user, known).await {
                Ok(user) => Some(user),
                Err(RegistryError::NotFound) => None,
                Err(error) => return Err(error),
            },
        };
        let file = match file {
            None => None,
            Some(id) => match self.locate(id, known).await {
                Ok(located) => Some(located),
                Err(RegistryError::NotFound) => None,
                Err(error) => return Err(error),
            },
        };
        let shares = self.shares(&session, user.as_deref(), file.as_ref(), known).await?;
        Ok(Visit { session, user, file, shares })
    }

    async fn sessions(&self, user: &UserId) -> Result<Vec<Session>> {
        let user = user.clone();
        self.read(move |connection| people::sessions(connection, &user)).await
    }

    async fn create_session(&self, session: &Session) -> Result<()> {
        let session = Arc::new(session.clone());
        self.write(Extent::OneStatement, move |connection, changes| {
            people::create_session(connection, &session)?;
            changes.push(Change::Session(session.clone()));
            Ok(())
        })
        .await
    }

    async fn revoke_session(&self, id: &SessionId, at: Timestamp) -> Result<()> {
        let id = id.clone();
        self.write(Extent::OneStatement, move |connection, changes| {
            people::revoke_session(connection, &id, at)?;
            changes.push(Change::SessionGone(id.clone()));
            Ok(())
        })
        .await
    }

    async fn prune_sessions(&self, before: Timestamp) -> Result<u64> {
        self.write(Extent::OneStatement, move |connection, changes| {
            let pruned = people::prune_sessions(connection, before)?;
            changes.push(Change::SessionsGone);
            Ok(pruned)
        })
        .await
    }

    async fn discovery(&self, client: &str) -> Result<DiscoveryCache> {
        let client = client.to_owned();
        self.read(move |connection| people::discovery(connection, &client)).await
    }

    async fn put_discovery(&self, cache: &DiscoveryCache) -> Result<()> {
        let cache = cache.clone();
        self.write(Extent::OneStatement, move |connection, _| people::put_discovery(connection, &cache)).await
    }
}
