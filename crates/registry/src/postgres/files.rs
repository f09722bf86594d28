//! The statements for files. Each use is one statement; those that PostgreSQL shares with SQLite are in `crate::files`.

use lectern_host::order::{folded, sort_key};
use lectern_host::parts::{AlternateStream, FileParts, StoredProperty};
use lectern_host::ports::Page;
use lectern_host::records::{FileRecord, Fingerprint, Revision, Timestamp, VersionEntry};
use lectern_host::wopi::chunked::{ContentProperty, Retention};
use lectern_host::wopi::{ContainerId, FileId, FileName};

use super::answers::{all, condemned, count, first, violated};
use super::pool::Pool;
use super::run::{Outcome, Repeat, TRIES_MAX, uncertain_if};
use super::trouble::Trouble;
use crate::error::Error;
use crate::fields::{self, Fields};
use crate::files::{
    BY_ID, BY_INODE, BY_NAME, COUNT, DELETED_BEFORE, PENDING, new_columns, record, replaced_columns, select, values_of,
};
use crate::history::version_values;
use crate::names::{self, FILE, extension};
use crate::parts::{DELETE, KEEP, scheme_text, signature_bytes};
use crate::values::{Value, values};

/// Commits of which a file's row has the stamps.
const STAMPS_KEPT: u64 = 8;

const IN_CONTAINER: &str = select!(
    "FROM names n JOIN files f ON f.id = n.id ",
    "WHERE n.container_id = $1 AND n.name > $2 AND n.kind = 'file' ORDER BY n.name LIMIT $3"
);

/// Where a file is, and which commits it has seen.
const LOOK: &str = "SELECT revision, stamps FROM files WHERE id = $1";

const CREATE: &str = concat!(
    "WITH made AS (INSERT INTO files (",
    new_columns!(),
    ", stamps) VALUES (",
    new_columns!(values),
    ", $36) RETURNING id) \
     INSERT INTO names (container_id, name, kind, id, sort_key, extension, folded) \
     SELECT $1, $2, 'file', id, $37, $38, $39 FROM made"
);

/// A deleted file has no name.
const CREATE_DELETED: &str =
    concat!("INSERT INTO files (", new_columns!(), ", stamps) VALUES (", new_columns!(values), ", $36)");

/// Nothing if the name is taken.
const CREATE_IF_FREE: &str = concat!(
    "WITH named AS (INSERT INTO names (container_id, name, kind, id, sort_key, extension, folded) \
     VALUES ($1, $2, 'file', $35, $37, $38, $39) ON CONFLICT DO NOTHING RETURNING id) \
     INSERT INTO files (",
    new_columns!(),
    ", stamps) SELECT ",
    new_columns!(values),
    ", $36 FROM named"
);

macro_rules! update {
    ($from:literal) => {
        concat!(
            "UPDATE files f SET ",
            replaced_columns!(),
            ", stamps = substring($37::bytea || f.stamps FROM 1 FOR 64) ",
            $from
        )
    };
}

/// A lock, a save: the file stays where it is. Finds no row if it does not.
const COMMIT: &str = update!(
    "WHERE f.id = $35 AND f.revision = $36 \
     AND f.container_id = $1 AND f.name = $2 AND f.deleted_at IS NOT DISTINCT FROM $32"
);

/// The same, with the version that it replaces.
const COMMIT_AND_KEEP: &str = concat!(
    "WITH done AS (",
    update!(
        "WHERE f.id = $35 AND f.revision = $36 \
         AND f.container_id = $1 AND f.name = $2 AND f.deleted_at IS NOT DISTINCT FROM $32 RETURNING f.id"
    ),
    ") INSERT INTO versions (content_id, content_size, content_sha256, modified_at_100ns, saved_by, editors, \
     autosave, label, keep, file_id, version) \
     SELECT $38::bytea, $39::bigint, $40::bytea, $41::bigint, $42::text, $43::text, $44::bigint, $45::text, \
     $46::bigint, $47::text, $48::bigint FROM done"
);

/// Whatever else a commit may do: the file moves, is deleted or comes back, and its parts are replaced. `done` has where
/// it was; everything hangs on that, so that it happens after it and only with it.
const COMMIT_ANYTHING: &str = concat!(
    "WITH was AS (SELECT id, container_id, name, deleted_at FROM files WHERE id = $35 AND revision = $36), done AS (",
    update!(
        "FROM was WHERE f.id = was.id AND f.revision = $36 \
         RETURNING f.id, was.container_id, was.name, was.deleted_at, \
         $32::bigint IS NULL AND was.deleted_at IS NULL AND was.container_id = $1 AND was.name = $2 AS stays"
    ),
    "), released AS (DELETE FROM names n USING done d \
     WHERE n.container_id = d.container_id AND n.name = d.name AND d.deleted_at IS NULL AND NOT d.stays), \
     taken AS (INSERT INTO names (container_id, name, kind, id, sort_key, extension, folded) \
     SELECT $1, $2, 'file', d.id, $38::text, $39::text, $40::text FROM done d \
     WHERE $32::bigint IS NULL AND NOT d.stays), \
     kept AS (INSERT INTO versions (content_id, content_size, content_sha256, modified_at_100ns, saved_by, editors, \
     autosave, label, keep, file_id, version) \
     SELECT $41::bytea, $42::bigint, $43::bytea, $44::bigint, $45::text, $46::text, $47::bigint, $48::text, \
     $49::bigint, $50::text, $51::bigint FROM done WHERE $51::bigint IS NOT NULL), \
     put_parts AS (INSERT INTO parts (file_id, version, main_scheme, main_signature) \
     SELECT d.id, $52::bigint, $53::text, $54::bytea FROM done d WHERE $52::bigint IS NOT NULL \
     ON CONFLICT (file_id) DO UPDATE SET version = excluded.version, main_scheme = excluded.main_scheme, \
     main_signature = excluded.main_signature), \
     less_streams AS (DELETE FROM streams s USING done d \
     WHERE s.file_id = d.id AND $52::bigint IS NOT NULL AND s.stream_id <> ALL ($55::text[])), \
     put_streams AS (INSERT INTO streams (file_id, stream_id, content_id, scheme, signature, updated_at) \
     SELECT d.id, s.* FROM done d, \
     unnest($55::text[], $56::bytea[], $57::text[], $58::bytea[], $59::bigint[]) s \
     ON CONFLICT (file_id, stream_id) DO UPDATE SET content_id = excluded.content_id, scheme = excluded.scheme, \
     signature = excluded.signature, updated_at = excluded.updated_at), \
     less_properties AS (DELETE FROM properties p USING done d \
     WHERE p.file_id = d.id AND $52::bigint IS NOT NULL AND p.name <> ALL ($60::text[])), \
     put_properties AS (INSERT INTO properties (file_id, name, value, retention, updated_at) \
     SELECT d.id, p.* FROM done d, unnest($60::text[], $61::text[], $62::text[], $63::bigint[]) p \
     ON CONFLICT (file_id, name) DO UPDATE SET value = excluded.value, retention = excluded.retention, \
     updated_at = excluded.updated_at) \
     SELECT count(*) FROM done"
);

const REMOVE: &str = "WITH gone AS (DELETE FROM files WHERE id = $1 AND revision = $2 \
     RETURNING id, container_id, name, deleted_at), \
     n AS (DELETE FROM names USING gone WHERE names.container_id = gone.container_id AND names.name = gone.name \
     AND gone.deleted_at IS NULL), \
     v AS (DELETE FROM versions USING gone WHERE versions.file_id = gone.id), \
     a AS (DELETE FROM activities USING gone WHERE activities.file_id = gone.id), \
     p AS (DELETE FROM parts USING gone WHERE parts.file_id = gone.id), \
     s AS (DELETE FROM streams USING gone WHERE streams.file_id = gone.id), \
     r AS (DELETE FROM properties USING gone WHERE properties.file_id = gone.id) \
     SELECT count(*) FROM gone";

#[cfg(test)]
pub(crate) const HOT: &[&str] = &[
    BY_ID,
    BY_NAME,
    BY_INODE,
    IN_CONTAINER,
    LOOK,
    CREATE,
    COMMIT,
    COMMIT_AND_KEEP,
    COMMIT_ANYTHING,
    REMOVE,
    PENDING,
    DELETED_BEFORE,
];

/// Eight random bytes by which a commit knows itself again.
pub(crate) type Stamp = [u8; 8];

/// Adds to the record's values what a name is found by.
fn push_keys(values: &mut Vec<Value<'_>>, name: &FileName) {
    values.extend(values![sort_key(name), extension(FILE, name), folded(name.as_str())]);
}

pub(crate) async fn by_id(pool: &Pool, id: &FileId) -> Result<FileRecord, Error> {
    first(&pool.read(BY_ID, &values![id.as_str()]).await?, record)
}

pub(crate) async fn by_name(pool: &Pool, container: &ContainerId, name: &FileName) -> Result<FileRecord, Error> {
    first(&pool.read(BY_NAME, &values![container.as_str(), name.as_str()]).await?, record)
}

pub(crate) async fn seen_as(pool: &Pool, seen: &Fingerprint) -> Result<Vec<FileRecord>, Error> {
    all(&pool.read(BY_INODE, &values![seen.inode.cast_signed(), seen.born_ns]).await?, record)
}

pub(crate) async fn in_container(pool: &Pool, container: &ContainerId, page: &Page) -> Result<Vec<FileRecord>, Error> {
    let values = values![container.as_str(), names::after(page), names::limit(page.limit)];
    all(&pool.read(IN_CONTAINER, &values).await?, record)
}

pub(crate) async fn pending_ones(pool: &Pool) -> Result<Vec<FileRecord>, Error> {
    all(&pool.read(PENDING, &[]).await?, record)
}

pub(crate) async fn deleted_before(pool: &Pool, at: Timestamp, limit: usize) -> Result<Vec<FileRecord>, Error> {
    all(&pool.read(DELETED_BEFORE, &values![at.0, names::limit(limit)]).await?, record)
}

pub(crate) async fn how_many(pool: &Pool) -> Result<u64, Error> {
    first(&pool.read(COUNT, &[]).await?, fields::count)
}

/// Adds the record as it is, revision included.
pub(crate) async fn create(pool: &Pool, next: &FileRecord, stamp: Stamp) -> Result<(), Error> {
    let mut values = Vec::from(values_of(next));
    values.push(stamp.as_slice().into());
    let sql = if next.deleted_at.is_some() {
        CREATE_DELETED
    } else {
        push_keys(&mut values, &next.name);
        CREATE
    };
    let Outcome { result, uncertain } = pool.run(sql, &values, Repeat::Safely).await;
    match result.map_err(refusal) {
        Ok(_) => Ok(()),
        // Perhaps taken by an earlier try of ours.
        Err(Error::Conflict) if uncertain => match look(pool, next, stamp).await? {
            Found::Nothing => Err(uncertain_if(true, Error::Conflict)),
            found => found.outcome(true),
        },
        Err(error) => Err(uncertain_if(uncertain, error)),
    }
}

/// Adds records in one transaction, but those whose name is taken.
pub(crate) async fn create_if_free(pool: &Pool, records: &[FileRecord], stamp: Stamp) -> Result<(), Error> {
    let (mut named, mut deleted) = (Vec::new(), Vec::new());
    for next in records {
        let mut values = Vec::from(values_of(next));
        values.push(stamp.to_vec().into());
        if next.deleted_at.is_some() {
            deleted.push(values);
        } else {
            push_keys(&mut values, &next.name);
            named.push(values);
        }
    }
    let mut tries = 0;
    loop {
        tries += 1;
        let trouble = match create_all(pool, &named, &deleted).await {
            Ok(()) => return Ok(()),
            Err(trouble) => trouble,
        };
        match trouble {
            Trouble::NotSent(_) | Trouble::Undone(_) if tries < TRIES_MAX => {
                tracing::debug!(trouble = ?trouble, tries, "a transaction is tried again");
            }
            Trouble::Unknown(error) => return Err(uncertain_if(true, error)),
            trouble => return Err(refusal(trouble.into_error())),
        }
    }
}

/// Statements that are under way at once.
const UNDER_WAY_MAX: usize = 256;

async fn create_all(pool: &Pool, named: &[Vec<Value<'_>>], deleted: &[Vec<Value<'_>>]) -> Result<(), Trouble> {
    let mut lease = pool.acquire().await?;
    // Until it is committed, whatever ends the connection undoes it.
    let undone = |trouble| match trouble {
        Trouble::Unknown(error) => Trouble::Undone(error),
        trouble => trouble,
    };
    lease.begin().await.map_err(undone)?;
    for (sql, records) in [(CREATE_IF_FREE, named), (CREATE_DELETED, deleted)] {
        for some in records.chunks(UNDER_WAY_MAX) {
            if let Err(trouble) = lease.run_many(sql, some).await {
                // It happened or it did not: the connection is given back only if it did.
                let _ = lease.roll_back().await;
                return Err(undone(trouble));
            }
        }
    }
    lease.commit().await
}

/// Replaces the record at revision `seen` by `next`.
pub(crate) async fn commit(
    pool: &Pool,
    next: &FileRecord,
    seen: Revision,
    replaced: Option<&VersionEntry>,
    parts: Option<&FileParts>,
    stamp: Stamp,
) -> Result<(), Error> {
    let mut values = Vec::from(values_of(next));
    values.extend(values![seen.0.cast_signed(), stamp.as_slice()]);
    let mut uncertain = false;
    if parts.is_none() {
        let known = values.len();
        let sql = match replaced {
            None => COMMIT,
            Some(entry) => {
                values.extend(version_values(entry));
                COMMIT_AND_KEEP
            }
        };
        let outcome = pool.run(sql, &values, Repeat::Safely).await;
        uncertain = outcome.uncertain;
        match outcome.result.map_err(refusal) {
            Ok(answer) if answer.changed == 1 => return Ok(()),
            Ok(_) => {}
            Err(error) => return Err(uncertain_if(uncertain, error)),
        }
        match look(pool, next, stamp).await? {
            // It has to go somewhere else.
            Found::Before => {}
            found => return found.outcome(uncertain),
        }
        values.truncate(known);
    }
    push_keys(&mut values, &next.name);
    match replaced {
        Some(entry) => values.extend(version_values(entry)),
        None => values.extend([const { Value::Null }; 11]),
    }
    push_parts(&mut values, parts);
    let outcome = pool.run(COMMIT_ANYTHING, &values, Repeat::Safely).await;
    uncertain |= outcome.uncertain;
    match outcome.result.map_err(refusal) {
        Ok(answer) if count(&answer)? == 1 => Ok(()),
        Ok(_) => look(pool, next, stamp).await?.outcome(uncertain),
        Err(error) => Err(uncertain_if(uncertain, error)),
    }
}

fn push_parts<'v>(values: &mut Vec<Value<'v>>, parts: Option<&'v FileParts>) {
    let (streams, properties) = parts.map_or((&[][..], &[][..]), |parts| (&parts.streams, &parts.properties));
    let main = parts.and_then(|parts| parts.main.as_ref());
    values.extend(values![
        parts.map(|parts| parts.version.0.cast_signed()),
        main.map(|main| scheme_text(main.scheme)),
        main.map(signature_bytes),
    ]);
    let of = |stream: &'v AlternateStream| (stream.id.as_str(), stream.content.0.as_slice());
    let (ids, contents): (Vec<_>, Vec<_>) = streams.iter().map(of).unzip();
    let schemes: Vec<_> = streams.iter().map(|stream| scheme_text(stream.signature.scheme)).collect();
    let signatures: Vec<_> = streams.iter().map(|stream| signature_bytes(&stream.signature)).collect();
    let updated: Vec<_> = streams.iter().map(|stream| stream.updated_at.0).collect();
    values.extend(values![ids, contents, schemes, signatures, updated]);
    let of = |StoredProperty { property: ContentProperty { name, value, retention }, .. }: &'v StoredProperty| {
        let retention = match retention {
            Retention::KeepOnContentChange => KEEP,
            Retention::DeleteOnContentChange => DELETE,
        };
        (name.as_str(), (value.as_str(), retention))
    };
    let (names, rest): (Vec<_>, Vec<_>) = properties.iter().map(of).unzip();
    let (texts, retentions): (Vec<_>, Vec<_>) = rest.into_iter().unzip();
    let updated: Vec<_> = properties.iter().map(|property| property.updated_at.0).collect();
    values.extend(values![names, texts, retentions, updated]);
}

pub(crate) async fn remove(pool: &Pool, id: &FileId, seen: Revision) -> Result<(), Error> {
    let Outcome { result, uncertain } =
        pool.run(REMOVE, &values![id.as_str(), seen.0.cast_signed()], Repeat::Safely).await;
    if count(&result.map_err(|error| uncertain_if(uncertain, error))?)? == 1 {
        return Ok(());
    }
    match by_id(pool, id).await {
        Ok(_) => Err(Error::Conflict),
        // An earlier try of ours has done it, or somebody else wanted the same.
        Err(Error::NotFound) if uncertain => Ok(()),
        Err(error) => Err(error),
    }
}

/// What a commit that changed nothing finds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Found {
    /// There is no such file.
    Nothing,
    /// The revision that the commit was to replace.
    Before,
    /// The stamp of the commit: an earlier try has done it.
    Ours,
    /// Another commit, and so few since that ours would be known.
    Other,
    /// So many commits that ours, if it was done, would not be known any more.
    Many,
}

impl Found {
    fn outcome(self, uncertain: bool) -> Result<(), Error> {
        match self {
            Self::Ours => Ok(()),
            Self::Nothing => Err(Error::NotFound),
            Self::Many if uncertain => Err(uncertain_if(true, Error::Conflict)),
            Self::Before | Self::Other | Self::Many => Err(Error::Conflict),
        }
    }
}

async fn look(pool: &Pool, next: &FileRecord, stamp: Stamp) -> Result<Found, Error> {
    let seen = |fields: &mut Fields<'_>| Ok((fields.count()?, fields.maybe_blob()?.unwrap_or_default().to_vec()));
    let answer = pool.read(LOOK, &values![next.id.as_str()]).await?;
    let (revision, stamps) = match first(&answer, seen) {
        Ok(row) => row,
        Err(Error::NotFound) => return Ok(Found::Nothing),
        Err(error) => return Err(error),
    };
    let (stamps, _) = stamps.as_chunks::<{ size_of::<Stamp>() }>();
    Ok(if stamps.contains(&stamp) {
        Found::Ours
    } else if revision.checked_add(1) == Some(next.revision.0) {
        Found::Before
    } else if revision.saturating_sub(next.revision.0) < STAMPS_KEPT {
        Found::Other
    } else {
        Found::Many
    })
}

/// What a broken constraint means.
fn refusal(error: Error) -> Error {
    match violated(&error) {
        Some("files_once" | "versions_once") => Error::Conflict,
        Some("names_once") => Error::NameTaken,
        Some("names_in_container") => Error::NotFound,
        Some(_) => error,
        None => condemned(error),
    }
}
