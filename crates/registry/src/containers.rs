//! The statements for containers.

use lectern_host::ports::{Page, ROOT_NAME};
use lectern_host::records::{ContainerRecord, Fingerprint, Revision};
use lectern_host::wopi::{ContainerId, FileName};
use rusqlite::{Connection, params};

use crate::db::prepared;
use crate::error::Error;
use crate::fields::{self, Fields, row};
use crate::names;

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT id, parent_id, name, revision, created_at, seen_inode, seen_born_ns FROM containers ", $rest)
    };
}

pub(crate) const BY_ID: &str = select!("WHERE id = $1");
pub(crate) const ROOT: &str = select!("WHERE parent_id IS NULL");
pub(crate) const BY_NAME: &str = select!("WHERE parent_id = $1 AND name = $2");
pub(crate) const BY_INODE: &str = select!("WHERE seen_inode = $1 AND seen_born_ns IS NOT DISTINCT FROM $2");
pub(crate) const IN_CONTAINER: &str = select!("WHERE parent_id = $1 AND name > $2 ORDER BY name LIMIT $3");
const INSERT: &str = "INSERT INTO containers (parent_id, name, revision, created_at, seen_inode, seen_born_ns, id) \
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING";
const UPDATE: &str = "UPDATE containers SET \
     parent_id = $1, name = $2, revision = $3, created_at = $4, seen_inode = $5, seen_born_ns = $6 WHERE id = $7";
const DELETE: &str = "DELETE FROM containers WHERE id = $1";
const RANDOM: &str = "SELECT randomblob(16), CAST(unixepoch('subsec') * 1000 AS INTEGER)";

pub(crate) fn record(fields: &mut Fields<'_>) -> fields::Result<ContainerRecord> {
    Ok(ContainerRecord {
        id: fields.parsed()?,
        parent: fields.maybe()?,
        name: fields.parsed()?,
        revision: Revision(fields.count()?),
        created_at: fields.at()?,
        seen: fields.container_fingerprint()?,
    })
}

pub(crate) fn by_id(connection: &Connection, id: &ContainerId) -> Result<ContainerRecord, Error> {
    Ok(prepared(connection, BY_ID)?.query_row([id.as_str()], row(record))?)
}

pub(crate) fn root(connection: &Connection) -> Result<ContainerRecord, Error> {
    Ok(prepared(connection, ROOT)?.query_row([], row(record))?)
}

pub(crate) fn by_name(
    connection: &Connection,
    parent: &ContainerId,
    name: &FileName,
) -> Result<ContainerRecord, Error> {
    Ok(prepared(connection, BY_NAME)?.query_row([parent.as_str(), name.as_str()], row(record))?)
}

pub(crate) fn seen_as(connection: &Connection, seen: &Fingerprint) -> Result<Vec<ContainerRecord>, Error> {
    let mut statement = prepared(connection, BY_INODE)?;
    let containers = statement.query_map(params![seen.inode.cast_signed(), seen.born_ns], row(record))?;
    Ok(containers.collect::<Result<_, _>>()?)
}

pub(crate) fn list(
    connection: &Connection,
    sql: &'static str,
    params: impl rusqlite::Params,
) -> Result<Vec<ContainerRecord>, Error> {
    Ok(prepared(connection, sql)?.query_map(params, row(record))?.collect::<Result<_, _>>()?)
}

pub(crate) fn in_container(
    connection: &Connection,
    parent: &ContainerId,
    page: &Page,
) -> Result<Vec<ContainerRecord>, Error> {
    let mut statement = prepared(connection, IN_CONTAINER)?;
    let params = params![parent.as_str(), names::after(page), names::limit(page.limit)];
    Ok(statement.query_map(params, row(record))?.collect::<Result<_, _>>()?)
}

/// Makes the root if there is none. Its id is 128 random bits in lower-case base32, like every other.
pub(crate) fn ensure_root(connection: &Connection) -> Result<(), Error> {
    if prepared(connection, ROOT)?.exists([])? {
        return Ok(());
    }
    let (random, created_at): ([u8; 16], i64) =
        prepared(connection, RANDOM)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let seen: Option<i64> = None;
    prepared(connection, INSERT)?.execute(params![
        Option::<&str>::None,
        ROOT_NAME,
        1,
        created_at,
        seen,
        seen,
        base32(random)
    ])?;
    Ok(())
}

/// RFC 4648 in lower case, without padding.
pub(crate) fn base32(bytes: [u8; 16]) -> String {
    const ALPHABET: [char; 32] = [
        'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v',
        'w', 'x', 'y', 'z', '2', '3', '4', '5', '6', '7',
    ];
    let bits = u128::from_be_bytes(bytes);
    // 25 digits of five bits and one of the three that are left, filled up with zeros.
    let digits = (0..25).map(|at| bits >> (123 - 5 * at)).chain([bits << 2]);
    digits.map(|digit| ALPHABET[(digit & 31) as usize]).collect()
}

/// Adds the record as it is, revision included.
pub(crate) fn create(connection: &Connection, record: &ContainerRecord) -> Result<(), Error> {
    match by_id(connection, &record.id) {
        Err(Error::NotFound) => {}
        Ok(_) => return Err(Error::Conflict),
        Err(error) => return Err(error),
    }
    let Some(parent) = &record.parent else {
        return Err(Error::NameTaken);
    };
    names::take(connection, parent, &record.name, names::CONTAINER, record.id.as_str())?;
    write(connection, INSERT, record)
}

/// Replaces the record at revision `seen`.
pub(crate) fn commit(connection: &Connection, next: &ContainerRecord, seen: Revision) -> Result<(), Error> {
    let before = at_revision(connection, &next.id, seen)?;
    match (&before.parent, &next.parent) {
        (Some(was), Some(is)) if (was, &before.name) != (is, &next.name) => {
            names::release(connection, was, &before.name)?;
            names::take(connection, is, &next.name, names::CONTAINER, next.id.as_str())?;
        }
        (Some(_), Some(_)) | (None, None) => {}
        // There is one root, and it stays the root.
        (Some(_), None) | (None, Some(_)) => return Err(Error::NameTaken),
    }
    write(connection, UPDATE, next)
}

pub(crate) fn remove(connection: &Connection, id: &ContainerId, seen: Revision) -> Result<(), Error> {
    let record = at_revision(connection, id, seen)?;
    let Some(parent) = record.parent else {
        return Err(Error::Refused("the root cannot be removed"));
    };
    if names::any_in(connection, id)? {
        return Err(Error::NotEmpty);
    }
    names::release(connection, &parent, &record.name)?;
    prepared(connection, DELETE)?.execute([id.as_str()])?;
    Ok(())
}

fn at_revision(connection: &Connection, id: &ContainerId, seen: Revision) -> Result<ContainerRecord, Error> {
    let record = by_id(connection, id)?;
    if record.revision == seen { Ok(record) } else { Err(Error::Conflict) }
}

fn write(connection: &Connection, sql: &'static str, record: &ContainerRecord) -> Result<(), Error> {
    let ContainerRecord { id, parent, name, revision, created_at, seen } = record;
    prepared(connection, sql)?.execute(params![
        parent.as_ref().map(ContainerId::as_str),
        name.as_str(),
        revision.0.cast_signed(),
        created_at.0,
        seen.map(|seen| seen.inode.cast_signed()),
        seen.and_then(|seen| seen.born_ns),
        id.as_str(),
    ])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{open_writer, plan};

    #[test]
    fn no_statement_reads_a_whole_table() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_writer(&folder.path().join("lectern.db")).unwrap();
        for sql in [BY_ID, ROOT, BY_NAME, BY_INODE, IN_CONTAINER, UPDATE, DELETE] {
            let plan = plan(&connection, sql);
            assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
        }
    }

    #[test]
    pub(crate) fn base32_is_that_of_rfc_4648_in_lower_case() {
        assert_eq!(base32([0; 16]), "aaaaaaaaaaaaaaaaaaaaaaaaaa");
        assert_eq!(base32([0xFF; 16]), "77777777777777777777777774");
        // Worked out with another implementation: Python's base64.b32encode(b"foobarfoobarfoob").
        assert_eq!(base32(*b"foobarfoobarfoob"), "mzxw6ytbojtg633cmfzgm33pmi");
    }
}
