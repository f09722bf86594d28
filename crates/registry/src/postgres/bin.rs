//! The statements for the bin.

use lectern_host::ports::BinEntry;
use lectern_host::records::{ContainerRecord, FileRecord, Timestamp};
use lectern_host::sharing::BinId;
use lectern_host::wopi::ContainerId;

use super::answers::{all, count, first};
use super::pool::Pool;
use super::run::{Outcome, Repeat, uncertain_if};
use crate::bin::{AFTER, CONTAINERS, ENTRY, FILES_DELETED_IN, LATEST, container, entry_record};
use crate::error::Error;
use crate::files;
use crate::names::limit;
use crate::sharing::item_columns;
use crate::values::values;

const ADD: &str = "WITH b AS (INSERT INTO bin \
     (id, item_kind, item_id, name, container_id, deleted_by, deleted_at) VALUES ($1, $2, $3, $4, $5, $6, $7) \
     ON CONFLICT DO NOTHING RETURNING id), \
     c AS (INSERT INTO bin_containers (bin_id, number, container_id, parent_id, name, created_at) \
     SELECT b.id, c.number - 1, c.id, c.parent_id, c.name, c.created_at FROM b, \
     unnest($8::text[], $9::text[], $10::text[], $11::bigint[]) WITH ORDINALITY c (id, parent_id, name, created_at, number)) \
     SELECT count(*) FROM b";

const REMOVE: &str = "WITH c AS (DELETE FROM bin_containers WHERE bin_id = $1) DELETE FROM bin WHERE id = $1";

const PRUNE: &str = "WITH old AS (DELETE FROM bin WHERE deleted_at < $1 RETURNING id), \
     c AS (DELETE FROM bin_containers USING old WHERE bin_id = old.id) SELECT count(*) FROM old";

#[cfg(test)]
pub(crate) const HOT: &[&str] = &[ENTRY, LATEST, AFTER, CONTAINERS, FILES_DELETED_IN, ADD, REMOVE, PRUNE];

pub(crate) async fn add(pool: &Pool, entry: &BinEntry, containers: &[ContainerRecord]) -> Result<(), Error> {
    let BinEntry { id, item, name, container, by, at } = entry;
    let (kind, item) = item_columns(item);
    let ids: Vec<_> = containers.iter().map(|record| record.id.as_str()).collect();
    let parents: Vec<_> = containers.iter().map(|record| record.parent.as_ref().map(ContainerId::as_str)).collect();
    let names: Vec<_> = containers.iter().map(|record| record.name.as_str()).collect();
    let times: Vec<_> = containers.iter().map(|record| record.created_at.0).collect();
    let values = values![
        id.as_str(),
        kind,
        item,
        name.as_str(),
        container.as_str(),
        by.as_str(),
        at.0,
        ids,
        parents,
        names,
        times,
    ];
    let Outcome { result, uncertain } = pool.run(ADD, &values, Repeat::Safely).await;
    if count(&result.map_err(|error| uncertain_if(uncertain, error))?)? == 1 {
        return Ok(());
    }
    // An id is given out once, so that a second try finds what the first one added.
    match self::entry(pool, id).await {
        Ok(known) if uncertain && known == *entry => Ok(()),
        _ => Err(uncertain_if(uncertain, Error::Conflict)),
    }
}

pub(crate) async fn list(pool: &Pool, after: Option<&BinEntry>, at_most: usize) -> Result<Vec<BinEntry>, Error> {
    let answer = match after {
        None => pool.read(LATEST, &values![limit(at_most)]).await?,
        Some(after) => pool.read(AFTER, &values![after.at.0, after.id.as_str(), limit(at_most)]).await?,
    };
    all(&answer, entry_record)
}

pub(crate) async fn entry(pool: &Pool, id: &BinId) -> Result<BinEntry, Error> {
    first(&pool.read(ENTRY, &values![id.as_str()]).await?, entry_record)
}

pub(crate) async fn containers(pool: &Pool, id: &BinId) -> Result<Vec<ContainerRecord>, Error> {
    all(&pool.read(CONTAINERS, &values![id.as_str()]).await?, container)
}

pub(crate) async fn files_deleted_in(pool: &Pool, container: &ContainerId) -> Result<Vec<FileRecord>, Error> {
    all(&pool.read(FILES_DELETED_IN, &values![container.as_str()]).await?, files::record)
}

pub(crate) async fn remove(pool: &Pool, id: &BinId) -> Result<(), Error> {
    pool.write_again(REMOVE, &values![id.as_str()]).await?;
    Ok(())
}

pub(crate) async fn prune(pool: &Pool, before: Timestamp) -> Result<u64, Error> {
    count(&pool.write_again(PRUNE, &values![before.0]).await?)
}
