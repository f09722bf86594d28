//! The statements for the bin.

use lectern_host::ports::BinEntry;
use lectern_host::records::{ContainerRecord, FileRecord, Revision, Timestamp};
use lectern_host::sharing::BinId;
use lectern_host::wopi::ContainerId;
use rusqlite::{Connection, params};

use crate::db::prepared;
use crate::error::Error;
use crate::fields::{self, Fields, row};
use crate::files;
use crate::names::limit;
use crate::sharing::{item, item_columns};

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT id, item_kind, item_id, name, container_id, deleted_by, deleted_at FROM bin ", $rest)
    };
}

pub(crate) const ENTRY: &str = select!("WHERE id = $1");
pub(crate) const LATEST: &str = select!("ORDER BY deleted_at DESC, id DESC LIMIT $1");
pub(crate) const AFTER: &str = select!("WHERE (deleted_at, id) < ($1, $2) ORDER BY deleted_at DESC, id DESC LIMIT $3");
const ADD: &str = "INSERT INTO bin (id, item_kind, item_id, name, container_id, deleted_by, deleted_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
const ADD_CONTAINER: &str = "INSERT INTO bin_containers (bin_id, number, container_id, parent_id, name, created_at) \
     VALUES ($1, $2, $3, $4, $5, $6)";
pub(crate) const CONTAINERS: &str =
    "SELECT container_id, parent_id, name, created_at FROM bin_containers WHERE bin_id = $1 ORDER BY number";
pub(crate) const FILES_DELETED_IN: &str =
    files::select!("FROM files f WHERE f.container_id = $1 AND f.deleted_at IS NOT NULL");
const REMOVE: &str = "DELETE FROM bin WHERE id = $1";
const REMOVE_CONTAINERS: &str = "DELETE FROM bin_containers WHERE bin_id = $1";
const PRUNE: &str = "DELETE FROM bin WHERE deleted_at < $1";
const PRUNE_CONTAINERS: &str = "DELETE FROM bin_containers WHERE bin_id IN (SELECT id FROM bin WHERE deleted_at < $1)";

pub(crate) fn entry_record(fields: &mut Fields<'_>) -> fields::Result<BinEntry> {
    Ok(BinEntry {
        id: fields.parsed()?,
        item: item(fields)?,
        name: fields.parsed()?,
        container: fields.parsed()?,
        by: fields.parsed()?,
        at: fields.at()?,
    })
}

pub(crate) fn container(fields: &mut Fields<'_>) -> fields::Result<ContainerRecord> {
    Ok(ContainerRecord {
        id: fields.parsed()?,
        parent: fields.maybe()?,
        name: fields.parsed()?,
        revision: Revision::default(),
        created_at: fields.at()?,
        seen: None,
    })
}

pub(crate) fn add(connection: &Connection, entry: &BinEntry, containers: &[ContainerRecord]) -> Result<(), Error> {
    let BinEntry { id, item, name, container, by, at } = entry;
    let (kind, item) = item_columns(item);
    let params = params![id.as_str(), kind, item, name.as_str(), container.as_str(), by.as_str(), at.0];
    if prepared(connection, ADD)?.execute(params)? == 0 {
        return Err(Error::Conflict);
    }
    let mut statement = prepared(connection, ADD_CONTAINER)?;
    for (number, record) in (0_i64..).zip(containers) {
        statement.execute(params![
            id.as_str(),
            number,
            record.id.as_str(),
            record.parent.as_ref().map(ContainerId::as_str),
            record.name.as_str(),
            record.created_at.0,
        ])?;
    }
    Ok(())
}

pub(crate) fn list(connection: &Connection, after: Option<&BinEntry>, at_most: usize) -> Result<Vec<BinEntry>, Error> {
    let entries = match after {
        None => prepared(connection, LATEST)?.query_map([limit(at_most)], row(entry_record))?.collect::<Result<_, _>>(),
        Some(after) => prepared(connection, AFTER)?
            .query_map(params![after.at.0, after.id.as_str(), limit(at_most)], row(entry_record))?
            .collect(),
    };
    Ok(entries?)
}

pub(crate) fn entry(connection: &Connection, id: &BinId) -> Result<BinEntry, Error> {
    Ok(prepared(connection, ENTRY)?.query_row([id.as_str()], row(entry_record))?)
}

pub(crate) fn containers(connection: &Connection, id: &BinId) -> Result<Vec<ContainerRecord>, Error> {
    Ok(prepared(connection, CONTAINERS)?.query_map([id.as_str()], row(container))?.collect::<Result<_, _>>()?)
}

pub(crate) fn files_deleted_in(connection: &Connection, container: &ContainerId) -> Result<Vec<FileRecord>, Error> {
    files::list(connection, FILES_DELETED_IN, [container.as_str()])
}

pub(crate) fn remove(connection: &Connection, id: &BinId) -> Result<(), Error> {
    prepared(connection, REMOVE_CONTAINERS)?.execute([id.as_str()])?;
    prepared(connection, REMOVE)?.execute([id.as_str()])?;
    Ok(())
}

pub(crate) fn prune(connection: &Connection, before: Timestamp) -> Result<u64, Error> {
    prepared(connection, PRUNE_CONTAINERS)?.execute([before.0])?;
    Ok(prepared(connection, PRUNE)?.execute([before.0])? as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{open_writer, plan};

    #[test]
    fn no_statement_reads_a_whole_table() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_writer(&folder.path().join("lectern.db")).unwrap();
        for sql in [ENTRY, AFTER, CONTAINERS, FILES_DELETED_IN, REMOVE, REMOVE_CONTAINERS, PRUNE] {
            let plan = plan(&connection, sql);
            assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
        }
        // The index is walked in its order, and no further than the page.
        assert!(!plan(&connection, LATEST).contains("TEMP B-TREE"));
    }
}
