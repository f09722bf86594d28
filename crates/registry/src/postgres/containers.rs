//! The statements for containers.

use lectern_host::order::{folded, sort_key};
use lectern_host::ports::{Page, ROOT_NAME};
use lectern_host::records::{ContainerRecord, Fingerprint, Revision};
use lectern_host::wopi::{ContainerId, FileName};

use super::answers::{all, count, first, violated};
use super::pool::Pool;
use super::run::{Outcome, Repeat, uncertain_if};
use crate::containers::{BY_ID, BY_INODE, BY_NAME, IN_CONTAINER, ROOT, record};
use crate::error::Error;
use crate::names;
use crate::values::{Value, values};

const CREATE: &str = "WITH made AS (INSERT INTO containers \
     (parent_id, name, revision, created_at, seen_inode, seen_born_ns, id) VALUES ($1, $2, $3, $4, $5, $6, $7) \
     RETURNING id) \
     INSERT INTO names (container_id, name, kind, id, sort_key, extension, folded) \
     SELECT $1, $2, 'container', id, $8, '', $9 FROM made";

/// Makes a root unless there is one.
pub(crate) const ENSURE_ROOT: &str = "INSERT INTO containers (id, name, revision, created_at) \
     SELECT $1::text, $2::text, 1, (extract(epoch FROM now()) * 1000)::bigint \
     WHERE NOT EXISTS (SELECT 1 FROM containers WHERE parent_id IS NULL)";

/// There is one root, and it stays the root. What hangs on `done` happens after it and only with it.
const COMMIT: &str = "WITH was AS (SELECT id, parent_id, name FROM containers WHERE id = $7 AND revision = $8), \
     done AS (UPDATE containers c SET \
     parent_id = $1, name = $2, revision = $3, created_at = $4, seen_inode = $5, seen_born_ns = $6 \
     FROM was WHERE c.id = was.id AND c.revision = $8 AND (was.parent_id IS NULL) = ($1::text IS NULL) \
     RETURNING c.id, was.parent_id, was.name, \
     was.parent_id IS NOT DISTINCT FROM $1 AND was.name = $2 OR was.parent_id IS NULL AS stays), \
     released AS (DELETE FROM names n USING done d \
     WHERE n.container_id = d.parent_id AND n.name = d.name AND NOT d.stays), \
     taken AS (INSERT INTO names (container_id, name, kind, id, sort_key, extension, folded) \
     SELECT $1, $2, 'container', d.id, $9::text, '', $10::text FROM done d WHERE NOT d.stays) \
     SELECT count(*) FROM done";

const REMOVE: &str = "WITH gone AS (DELETE FROM containers \
     WHERE id = $1 AND revision = $2 AND parent_id IS NOT NULL RETURNING id, parent_id, name), \
     n AS (DELETE FROM names USING gone WHERE names.container_id = gone.parent_id AND names.name = gone.name) \
     SELECT count(*) FROM gone";

#[cfg(test)]
pub(crate) const HOT: &[&str] = &[BY_ID, ROOT, BY_NAME, BY_INODE, IN_CONTAINER, CREATE, COMMIT, REMOVE];

pub(crate) async fn by_id(pool: &Pool, id: &ContainerId) -> Result<ContainerRecord, Error> {
    first(&pool.read(BY_ID, &values![id.as_str()]).await?, record)
}

pub(crate) async fn root(pool: &Pool) -> Result<ContainerRecord, Error> {
    first(&pool.read(ROOT, &[]).await?, record)
}

pub(crate) async fn by_name(pool: &Pool, parent: &ContainerId, name: &FileName) -> Result<ContainerRecord, Error> {
    first(&pool.read(BY_NAME, &values![parent.as_str(), name.as_str()]).await?, record)
}

pub(crate) async fn seen_as(pool: &Pool, seen: &Fingerprint) -> Result<Vec<ContainerRecord>, Error> {
    all(&pool.read(BY_INODE, &values![seen.inode.cast_signed(), seen.born_ns]).await?, record)
}

pub(crate) async fn in_container(
    pool: &Pool,
    parent: &ContainerId,
    page: &Page,
) -> Result<Vec<ContainerRecord>, Error> {
    let values = values![parent.as_str(), names::after(page), names::limit(page.limit)];
    all(&pool.read(IN_CONTAINER, &values).await?, record)
}

/// The values of the root that a first start makes.
pub(crate) fn new_root(id: &str) -> [Value<'_>; 2] {
    values![id, ROOT_NAME]
}

fn values_of(record: &ContainerRecord) -> Vec<Value<'_>> {
    let ContainerRecord { id, parent, name, revision, created_at, seen } = record;
    Vec::from(values![
        parent.as_ref().map(ContainerId::as_str),
        name.as_str(),
        revision.0.cast_signed(),
        created_at.0,
        seen.map(|seen| seen.inode.cast_signed()),
        seen.and_then(|seen| seen.born_ns),
        id.as_str(),
    ])
}

/// Adds the record as it is, revision included.
pub(crate) async fn create(pool: &Pool, next: &ContainerRecord) -> Result<(), Error> {
    if next.parent.is_none() {
        return match by_id(pool, &next.id).await {
            Ok(_) => Err(Error::Conflict),
            Err(Error::NotFound) => Err(Error::NameTaken),
            Err(error) => Err(error),
        };
    }
    let mut values = values_of(next);
    values.extend(values![sort_key(&next.name), folded(next.name.as_str())]);
    let Outcome { result, uncertain } = pool.run(CREATE, &values, Repeat::Safely).await;
    match result.map_err(refusal) {
        Ok(_) => Ok(()),
        Err(Error::Conflict) if uncertain => settle(pool, next).await,
        Err(error) => Err(uncertain_if(uncertain, error)),
    }
}

/// Replaces the record at revision `seen`.
pub(crate) async fn commit(pool: &Pool, next: &ContainerRecord, seen: Revision) -> Result<(), Error> {
    let mut values = values_of(next);
    values.extend(values![seen.0.cast_signed(), sort_key(&next.name), folded(next.name.as_str())]);
    let Outcome { result, uncertain } = pool.run(COMMIT, &values, Repeat::Safely).await;
    match result.map_err(refusal) {
        Ok(answer) if count(&answer)? == 1 => return Ok(()),
        Ok(_) => {}
        Err(error) => return Err(uncertain_if(uncertain, error)),
    }
    if uncertain {
        return settle(pool, next).await;
    }
    let now = by_id(pool, &next.id).await?;
    let stays_what_it_is = now.parent.is_none() == next.parent.is_none();
    Err(if now.revision == seen && !stays_what_it_is { Error::NameTaken } else { Error::Conflict })
}

pub(crate) async fn remove(pool: &Pool, id: &ContainerId, seen: Revision) -> Result<(), Error> {
    let values = values![id.as_str(), seen.0.cast_signed()];
    let Outcome { result, uncertain } = pool.run(REMOVE, &values, Repeat::Safely).await;
    match result {
        Ok(answer) if count(&answer)? == 1 => return Ok(()),
        Ok(_) => {}
        Err(error) if violated(&error) == Some("names_in_container") => {
            return Err(uncertain_if(uncertain, Error::NotEmpty));
        }
        Err(error) => return Err(uncertain_if(uncertain, error)),
    }
    match by_id(pool, id).await {
        Ok(now) if now.revision == seen => Err(Error::Refused("the root cannot be removed")),
        Ok(_) => Err(Error::Conflict),
        Err(Error::NotFound) if uncertain => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether an earlier try has done what the last one could not any more.
async fn settle(pool: &Pool, next: &ContainerRecord) -> Result<(), Error> {
    match by_id(pool, &next.id).await {
        Ok(now) if now == *next => Ok(()),
        // Somebody may have changed it after us.
        Ok(now) if now.revision > next.revision => Err(uncertain_if(true, Error::Conflict)),
        Ok(_) => Err(Error::Conflict),
        Err(error) => Err(uncertain_if(true, error)),
    }
}

/// What a broken constraint means.
fn refusal(error: Error) -> Error {
    match violated(&error) {
        Some("containers_once") => Error::Conflict,
        Some("names_once") => Error::NameTaken,
        Some("names_in_container") => Error::NotFound,
        Some(_) | None => error,
    }
}
