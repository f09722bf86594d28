//! Names in containers, taken once, by a file or by a container.

use lectern_host::ports::Page;
use lectern_host::wopi::{ContainerId, FileName};
use rusqlite::Connection;

use crate::db::prepared;
use crate::error::Error;

pub(crate) const FILE: &str = "file";
pub(crate) const CONTAINER: &str = "container";

const CONTAINER_EXISTS: &str = "SELECT 1 FROM containers WHERE id = $1";
const TAKE: &str = "INSERT INTO names (container_id, name, kind, id) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
const RELEASE: &str = "DELETE FROM names WHERE container_id = $1 AND name = $2";
const ANY_IN: &str = "SELECT 1 FROM names WHERE container_id = $1 LIMIT 1";

/// Gives the name to the thing with this id. `NotFound` without the container.
pub(crate) fn take(
    connection: &Connection,
    container: &ContainerId,
    name: &FileName,
    kind: &'static str,
    id: &str,
) -> Result<(), Error> {
    if !prepared(connection, CONTAINER_EXISTS)?.exists([container.as_str()])? {
        return Err(Error::NotFound);
    }
    let taken = prepared(connection, TAKE)?.execute([container.as_str(), name.as_str(), kind, id])?;
    if taken == 0 { Err(Error::NameTaken) } else { Ok(()) }
}

pub(crate) fn release(connection: &Connection, container: &ContainerId, name: &FileName) -> Result<(), Error> {
    prepared(connection, RELEASE)?.execute([container.as_str(), name.as_str()])?;
    Ok(())
}

pub(crate) fn any_in(connection: &Connection, container: &ContainerId) -> Result<bool, Error> {
    Ok(prepared(connection, ANY_IN)?.exists([container.as_str()])?)
}

/// What a page's names are greater than. No name is empty, so the empty text comes before all of them.
pub(crate) fn after(page: &Page) -> &str {
    page.after.as_deref().unwrap_or_default()
}

/// A limit as SQL takes it: a negative one would be none.
pub(crate) fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
