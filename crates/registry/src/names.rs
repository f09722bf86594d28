//! Names in containers, taken once, by a file or by a container.

use lectern_host::order::{kind_key, sort_key};
use lectern_host::ports::Page;
use lectern_host::wopi::{ContainerId, FileName};
use rusqlite::Connection;

use crate::db::prepared;
use crate::error::Error;

pub(crate) const FILE: &str = "file";
pub(crate) const CONTAINER: &str = "container";

const CONTAINER_EXISTS: &str = "SELECT 1 FROM containers WHERE id = $1";
const TAKE: &str = "INSERT INTO names (container_id, name, kind, id, sort_key, extension) \
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
const RELEASE: &str = "DELETE FROM names WHERE container_id = $1 AND name = $2";
const WITHOUT_KEYS: &str = "SELECT container_id, name, kind FROM names WHERE (container_id, name) > ($1, $2) \
     ORDER BY container_id, name LIMIT 1000";
const UPDATE_KEYS: &str = "UPDATE names SET sort_key = $1, extension = $2 WHERE container_id = $3 AND name = $4";
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
    let extension = extension(kind, name);
    let taken = prepared(connection, TAKE)?.execute([
        container.as_str(),
        name.as_str(),
        kind,
        id,
        &sort_key(name),
        &extension,
    ])?;
    if taken == 0 { Err(Error::NameTaken) } else { Ok(()) }
}

/// What a container is called has no extension.
pub(crate) fn extension(kind: &str, name: &FileName) -> String {
    if kind == FILE { kind_key(name) } else { String::new() }
}

/// Makes what listings are ordered by, for the names of a schema that had no such thing. A row that cannot be read is
/// left as it is: it comes first in its listing.
pub(crate) fn make_keys(connection: &Connection) -> rusqlite::Result<()> {
    let mut names = connection.prepare(WITHOUT_KEYS)?;
    let mut update = connection.prepare(UPDATE_KEYS)?;
    let mut after = (String::new(), String::new());
    loop {
        let page: Vec<(String, String, String)> = names
            .query_map([&after.0, &after.1], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<Result<_, _>>()?;
        for (container, text, kind) in &page {
            if let Ok(name) = FileName::parse(text) {
                update.execute([&sort_key(&name), &extension(kind, &name), container, text])?;
            }
        }
        match page.into_iter().next_back() {
            Some((container, name, _)) => after = (container, name),
            None => return Ok(()),
        }
    }
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
