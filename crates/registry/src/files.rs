//! The statements for files.

use std::borrow::Cow;

use lectern_host::ports::Page;
use lectern_host::records::{
    ContentId, FileRecord, Fingerprint, Held, LockState, Pending, Revision, Timestamp, VersionEntry, VersionMark,
};
use lectern_host::wopi::{ContainerId, FileId, FileName, ItemVersion, UserId};
use rusqlite::{Connection, params, params_from_iter};

use crate::db::prepared;
use crate::error::Error;
use crate::fields::{self, Fields, editors_text, row};
use crate::values::{Value, values};
use crate::{coauth, condemned, history, names, parts};

macro_rules! file_columns {
    () => {
        concat!(
            "f.id, f.container_id, f.name, f.revision, f.owner_id, f.created_at, f.version, ",
            "f.content_id, f.content_size, f.content_sha256, f.modified_at_100ns, f.saved_by, f.editors, f.autosave, ",
            "f.lock_id, f.lock_expires_at, f.lock_since, f.lock_by, f.lock_client, ",
            "f.lock_visible_as, f.coauth_locks, ",
            "f.seen_inode, f.seen_born_ns, f.seen_size, f.seen_modified_ns, ",
            "f.pending, f.pending_name, f.pending_content_id, ",
            "f.pending_inode, f.pending_born_ns, f.pending_size, f.pending_modified_ns, f.deleted_at, f.label, f.keep",
        )
    };
}

pub(crate) use file_columns;

macro_rules! select {
    ($($rest:expr),+) => {
        concat!("SELECT ", $crate::files::file_columns!(), " ", $($rest),+)
    };
}

pub(crate) use select;

/// The columns of a new row, and its values.
macro_rules! new_columns {
    () => {
        "container_id, name, revision, owner_id, created_at, version, \
         content_id, content_size, content_sha256, modified_at_100ns, saved_by, editors, autosave, \
         lock_id, lock_expires_at, lock_since, lock_by, lock_client, lock_visible_as, coauth_locks, \
         seen_inode, seen_born_ns, seen_size, seen_modified_ns, \
         pending, pending_name, pending_content_id, pending_inode, pending_born_ns, pending_size, pending_modified_ns, \
         deleted_at, label, keep, id"
    };
    (values) => {
        "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, \
         $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35"
    };
}

pub(crate) use new_columns;

/// What of a row a commit replaces.
macro_rules! replaced_columns {
    () => {
        "container_id = $1, name = $2, revision = $3, owner_id = $4, created_at = $5, version = $6, \
         content_id = $7, content_size = $8, content_sha256 = $9, modified_at_100ns = $10, saved_by = $11, \
         editors = $12, autosave = $13, \
         lock_id = $14, lock_expires_at = $15, lock_since = $16, lock_by = $17, lock_client = $18, \
         lock_visible_as = $19, coauth_locks = $20, \
         seen_inode = $21, seen_born_ns = $22, seen_size = $23, seen_modified_ns = $24, \
         pending = $25, pending_name = $26, pending_content_id = $27, \
         pending_inode = $28, pending_born_ns = $29, pending_size = $30, pending_modified_ns = $31, deleted_at = $32, \
         label = $33, keep = $34"
    };
}

pub(crate) use replaced_columns;

pub(crate) const BY_ID: &str = select!("FROM files f WHERE f.id = $1");
pub(crate) const BY_NAME: &str =
    select!("FROM names n JOIN files f ON f.id = n.id WHERE n.container_id = $1 AND n.name = $2 AND n.kind = 'file'");
pub(crate) const BY_INODE: &str =
    select!("FROM files f WHERE f.seen_inode = $1 AND f.seen_born_ns IS NOT DISTINCT FROM $2 AND f.deleted_at IS NULL");
const IN_CONTAINER: &str = select!(
    "FROM names n CROSS JOIN files f ON f.id = n.id ",
    "WHERE n.container_id = $1 AND n.name > $2 AND n.kind = 'file' ORDER BY n.name LIMIT $3"
);
/// In no order, as the port has it: asked for one, SQLite would go through all files by their ids instead of the index of
/// these few.
pub(crate) const PENDING: &str = select!("FROM files f WHERE f.pending IS NOT NULL");
pub(crate) const DELETED_BEFORE: &str = select!("FROM files f WHERE f.deleted_at < $1 ORDER BY f.deleted_at LIMIT $2");
pub(crate) const COUNT: &str = "SELECT count(*) FROM names WHERE kind = 'file'";
const PLACE: &str = "SELECT container_id, name, deleted_at, revision FROM files WHERE id = $1";
const EXISTS: &str = "SELECT 1 FROM files WHERE id = $1";

const INSERT: &str =
    concat!("INSERT INTO files (", new_columns!(), ") VALUES (", new_columns!(values), ") ON CONFLICT (id) DO NOTHING");

const UPDATE: &str = concat!("UPDATE files SET ", replaced_columns!(), " WHERE id = $35 AND revision = $36");

/// Leaves every index alone.
const UPDATE_LOCK: &str = "UPDATE files SET revision = $1, \
     lock_id = $2, lock_expires_at = $3, lock_since = $4, lock_by = $5, lock_client = $6, \
     lock_visible_as = $7, coauth_locks = $8 \
     WHERE id = $9 AND revision = $10";

const DELETE: &str = "DELETE FROM files WHERE id = $1 AND revision = $2";

const PUBLISH: &str = "publish";
const RENAME: &str = "rename";
const MOVE: &str = "move";
const BIN: &str = "bin";

pub(crate) fn record(fields: &mut Fields<'_>) -> fields::Result<FileRecord> {
    Ok(FileRecord {
        id: fields.parsed()?,
        container: fields.parsed()?,
        name: fields.parsed()?,
        revision: Revision(fields.count()?),
        owner: fields.parsed()?,
        created_at: fields.at()?,
        version: ItemVersion(fields.count()?),
        content: fields.content()?,
        lock: lock(fields)?,
        seen: fields.fingerprint()?,
        pending: pending(fields)?,
        deleted_at: fields.maybe_at()?,
        mark: VersionMark { label: fields.maybe()?, keep: fields.yes()? },
    })
}

/// Seven columns: those of a WOPI lock, and the coauth locks. A file has one kind or none.
fn lock(fields: &mut Fields<'_>) -> fields::Result<LockState> {
    let id = fields.maybe()?;
    let (expires_at, since) = (fields.maybe_at()?, fields.maybe_at()?);
    let (by, client, visible_as) = (fields.maybe()?, fields.maybe()?, fields.maybe()?);
    let coauth = fields.maybe_text()?;
    match (id, expires_at, since, by, coauth) {
        (None, _, _, _, None) => Ok(LockState::Free),
        (None, _, _, _, Some(text)) => match coauth::table(text) {
            Some(table) => Ok(LockState::Coauth(table)),
            None => Err(fields.invalid()),
        },
        (Some(id), Some(expires_at), Some(since), Some(by), None) => {
            Ok(LockState::Wopi(Held { id, expires_at, since, by, client, visible_as }))
        }
        _ => Err(fields.invalid()),
    }
}

/// Seven columns: what, the name before (of a move the container and the name, with a slash, which neither has, between
/// them), the content replaced and what it looked like.
fn pending(fields: &mut Fields<'_>) -> fields::Result<Option<Pending>> {
    let what = fields.maybe_text()?;
    if what == Some(MOVE) {
        let place = fields.text()?.split_once('/');
        let place = place.and_then(|(id, name)| Some((ContainerId::parse(id)?, FileName::parse(name).ok()?)));
        let (container, from) = place.ok_or_else(|| fields.invalid())?;
        fields.maybe_bytes::<16>()?;
        fields.fingerprint()?;
        return Ok(Some(Pending::Move { container, from }));
    }
    let from = fields.maybe()?;
    let content = fields.maybe_bytes()?.map(ContentId);
    let seen = fields.fingerprint()?;
    match (what, from) {
        (None, _) => Ok(None),
        (Some(PUBLISH), _) => Ok(Some(Pending::Publish { replaces: content.zip(seen) })),
        (Some(RENAME), Some(from)) => Ok(Some(Pending::Rename { from })),
        (Some(BIN), _) => Ok(Some(Pending::Bin)),
        _ => Err(fields.invalid()),
    }
}

pub(crate) fn list(
    connection: &Connection,
    sql: &'static str,
    params: impl rusqlite::Params,
) -> Result<Vec<FileRecord>, Error> {
    Ok(prepared(connection, sql)?.query_map(params, row(record))?.collect::<Result<_, _>>()?)
}

pub(crate) fn by_id(connection: &Connection, id: &FileId) -> Result<FileRecord, Error> {
    Ok(prepared(connection, BY_ID)?.query_row([id.as_str()], row(record))?)
}

pub(crate) fn by_name(connection: &Connection, container: &ContainerId, name: &FileName) -> Result<FileRecord, Error> {
    Ok(prepared(connection, BY_NAME)?.query_row([container.as_str(), name.as_str()], row(record))?)
}

pub(crate) fn seen_as(connection: &Connection, seen: &Fingerprint) -> Result<Vec<FileRecord>, Error> {
    list(connection, BY_INODE, params![seen.inode.cast_signed(), seen.born_ns])
}

pub(crate) fn in_container(
    connection: &Connection,
    container: &ContainerId,
    page: &Page,
) -> Result<Vec<FileRecord>, Error> {
    list(connection, IN_CONTAINER, params![container.as_str(), names::after(page), names::limit(page.limit)])
}

pub(crate) fn pending_ones(connection: &Connection) -> Result<Vec<FileRecord>, Error> {
    list(connection, PENDING, [])
}

pub(crate) fn deleted_before(connection: &Connection, at: Timestamp, limit: usize) -> Result<Vec<FileRecord>, Error> {
    list(connection, DELETED_BEFORE, params![at.0, names::limit(limit)])
}

pub(crate) fn count(connection: &Connection) -> Result<u64, Error> {
    Ok(prepared(connection, COUNT)?.query_row([], |row| row.get::<_, i64>(0))?.cast_unsigned())
}

/// Adds the record as it is, revision included.
pub(crate) fn create(connection: &Connection, record: &FileRecord) -> Result<(), Error> {
    condemned::must_not_be(connection, &record.content.id)?;
    if write(connection, INSERT, record, None)? == 0 {
        return Err(Error::Conflict);
    }
    match record.deleted_at {
        None => names::take(connection, &record.container, &record.name, names::FILE, record.id.as_str()),
        Some(_) => Ok(()),
    }
}

/// Adds a record unless its name is taken.
pub(crate) fn create_if_free(connection: &Connection, record: &FileRecord) -> Result<(), Error> {
    condemned::must_not_be(connection, &record.content.id)?;
    // The name comes first here, so that nothing has to be undone when it is taken.
    if record.deleted_at.is_none() {
        match names::take(connection, &record.container, &record.name, names::FILE, record.id.as_str()) {
            Err(Error::NameTaken) => return Ok(()),
            taken => taken?,
        }
    }
    if write(connection, INSERT, record, None)? == 0 { Err(Error::Conflict) } else { Ok(()) }
}

/// How much of a record a commit changes, judged by the record at the revision that the commit replaces.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scope {
    /// Who holds the file, nothing else.
    Lock,
    /// The file keeps its name and its container.
    Content,
    /// Anything: nobody remembers the record before.
    Anything,
}

impl Scope {
    pub(crate) fn between(before: &FileRecord, next: &FileRecord) -> Self {
        let FileRecord {
            id: _,
            container,
            name,
            revision: _,
            owner,
            created_at,
            version,
            content,
            lock: _,
            seen,
            pending,
            deleted_at,
            mark,
        } = before;
        let same_place = *container == next.container && *name == next.name && *deleted_at == next.deleted_at;
        let same_content = *owner == next.owner
            && *created_at == next.created_at
            && *version == next.version
            && *content == next.content
            && *seen == next.seen
            && *pending == next.pending
            && *mark == next.mark;
        match (same_place, same_content) {
            (true, true) => Self::Lock,
            (true, false) => Self::Content,
            (false, _) => Self::Anything,
        }
    }
}

/// Replaces the record at revision `seen`.
pub(crate) fn commit(
    connection: &Connection,
    next: &FileRecord,
    seen: Revision,
    scope: Scope,
    replaced: Option<&VersionEntry>,
) -> Result<(), Error> {
    // The content that is replaced was pointed to until now, so it cannot have been condemned.
    match scope {
        Scope::Lock => write_lock(connection, next, seen)?,
        Scope::Content => {
            condemned::must_not_be(connection, &next.content.id)?;
            rewrite(connection, next, seen)?;
        }
        Scope::Anything => {
            condemned::must_not_be(connection, &next.content.id)?;
            move_and_rewrite(connection, next, seen)?;
        }
    }
    replaced.map_or(Ok(()), |entry| history::add_version(connection, entry))
}

fn write_lock(connection: &Connection, next: &FileRecord, seen: Revision) -> Result<(), Error> {
    let held = held(&next.lock);
    let changed = prepared(connection, UPDATE_LOCK)?.execute(params![
        next.revision.0.cast_signed(),
        held.map(|held| held.id.as_str()),
        held.map(|held| held.expires_at.0),
        held.map(|held| held.since.0),
        held.map(|held| held.by.as_str()),
        held.and_then(|held| held.client.as_deref()),
        held.and_then(|held| held.visible_as.as_deref()),
        coauth_text(&next.lock),
        next.id.as_str(),
        seen.0.cast_signed(),
    ])?;
    if changed == 0 { Err(missed(connection, &next.id)?) } else { Ok(()) }
}

fn rewrite(connection: &Connection, next: &FileRecord, seen: Revision) -> Result<(), Error> {
    if write(connection, UPDATE, next, Some(seen))? == 0 { Err(missed(connection, &next.id)?) } else { Ok(()) }
}

fn move_and_rewrite(connection: &Connection, next: &FileRecord, seen: Revision) -> Result<(), Error> {
    let was = place(connection, &next.id, seen)?;
    rewrite(connection, next, seen)?;
    let is = next.deleted_at.is_none().then(|| (next.container.clone(), next.name.clone()));
    if was == is {
        return Ok(());
    }
    if let Some((container, name)) = was {
        names::release(connection, &container, &name)?;
    }
    match is {
        Some((container, name)) => names::take(connection, &container, &name, names::FILE, next.id.as_str()),
        None => Ok(()),
    }
}

pub(crate) fn remove(connection: &Connection, id: &FileId, seen: Revision) -> Result<(), Error> {
    let place = place(connection, id, seen)?;
    history::remove_all_versions(connection, id)?;
    parts::remove(connection, id)?;
    prepared(connection, DELETE)?.execute(params![id.as_str(), seen.0.cast_signed()])?;
    if let Some((container, name)) = place {
        names::release(connection, &container, &name)?;
    }
    Ok(())
}

/// The name that the file has in a container, if it is at that revision.
fn place(connection: &Connection, id: &FileId, seen: Revision) -> Result<Place, Error> {
    let (place, revision) = prepared(connection, PLACE)?.query_row([id.as_str()], row(named_place))?;
    if revision == seen { Ok(place) } else { Err(Error::Conflict) }
}

pub(crate) type Place = Option<(ContainerId, FileName)>;

/// The columns of [`PLACE`].
pub(crate) fn named_place(fields: &mut Fields<'_>) -> fields::Result<(Place, Revision)> {
    let place = (fields.parsed()?, fields.parsed()?);
    Ok((fields.maybe_at()?.is_none().then_some(place), Revision(fields.count()?)))
}

/// Why an update found no row.
fn missed(connection: &Connection, id: &FileId) -> Result<Error, Error> {
    Ok(if prepared(connection, EXISTS)?.exists([id.as_str()])? { Error::Conflict } else { Error::NotFound })
}

fn held(lock: &LockState) -> Option<&Held> {
    match lock {
        LockState::Free | LockState::Coauth(_) => None,
        LockState::Wopi(held) => Some(held),
    }
}

fn coauth_text(lock: &LockState) -> Option<String> {
    match lock {
        LockState::Free | LockState::Wopi(_) => None,
        LockState::Coauth(table) => Some(coauth::text(table)),
    }
}

/// Runs `INSERT`, or `UPDATE` with the revision it replaces. Returns how many rows that changed.
fn write(
    connection: &Connection,
    sql: &'static str,
    record: &FileRecord,
    seen: Option<Revision>,
) -> Result<usize, Error> {
    let seen = seen.map(|seen| seen.0.cast_signed().into());
    Ok(prepared(connection, sql)?.execute(params_from_iter(values_of(record).into_iter().chain(seen)))?)
}

/// The values of all columns, as [`replaced_columns`] numbers them, and the id.
pub(crate) fn values_of(record: &FileRecord) -> [Value<'_>; 35] {
    let FileRecord {
        id,
        container,
        name,
        revision,
        owner,
        created_at,
        version,
        content,
        lock,
        seen: fingerprint,
        pending,
        deleted_at,
        mark,
    } = record;
    let held = held(lock);
    let (what, from, replaces) = match pending {
        None => (None, None, None),
        Some(Pending::Publish { replaces }) => (Some(PUBLISH), None, replaces.as_ref()),
        Some(Pending::Rename { from }) => (Some(RENAME), Some(Cow::Borrowed(from.as_str())), None),
        Some(Pending::Move { container, from }) => (Some(MOVE), Some(Cow::Owned(format!("{container}/{from}"))), None),
        Some(Pending::Bin) => (Some(BIN), None, None),
    };
    let replaced = replaces.map(|(_, fingerprint)| fingerprint);
    values![
        container.as_str(),
        name.as_str(),
        revision.0.cast_signed(),
        owner.as_str(),
        created_at.0,
        version.0.cast_signed(),
        content.id.0.as_slice(),
        content.size.cast_signed(),
        content.sha256.as_ref().map(<[u8; 32]>::as_slice),
        content.modified_at.0,
        content.saved_by.as_ref().map(UserId::as_str),
        editors_text(&content.editors),
        content.autosave,
        held.map(|held| held.id.as_str()),
        held.map(|held| held.expires_at.0),
        held.map(|held| held.since.0),
        held.map(|held| held.by.as_str()),
        held.and_then(|held| held.client.as_deref()),
        held.and_then(|held| held.visible_as.as_deref()),
        coauth_text(lock),
        fingerprint.map(|seen| seen.inode.cast_signed()),
        fingerprint.and_then(|seen| seen.born_ns),
        fingerprint.map(|seen| seen.size.cast_signed()),
        fingerprint.map(|seen| seen.modified_ns),
        what,
        from,
        replaces.map(|(content, _)| content.0.as_slice()),
        replaced.map(|seen| seen.inode.cast_signed()),
        replaced.and_then(|seen| seen.born_ns),
        replaced.map(|seen| seen.size.cast_signed()),
        replaced.map(|seen| seen.modified_ns),
        deleted_at.map(|at| at.0),
        mark.label.as_deref(),
        mark.keep,
        id.as_str(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{open_writer, plan};

    #[test]
    fn no_statement_reads_a_whole_table() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_writer(&folder.path().join("lectern.db")).unwrap();
        for sql in [BY_ID, BY_NAME, BY_INODE, IN_CONTAINER, PENDING, PLACE, EXISTS, UPDATE, UPDATE_LOCK, DELETE] {
            let plan = plan(&connection, sql);
            assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
        }
    }
}
