//! The statements for listings. By name they walk an index; in any other order they look at the whole container.

use lectern_host::order::sort_key;
use lectern_host::ports::{Mark, Named, Slice, Sort};
use lectern_host::records::{ContainerRecord, FileRecord};
use lectern_host::wopi::{ContainerId, FileName};

use super::answers::{all, count};
use super::pool::Pool;
use crate::containers;
use crate::error::Error;

use crate::files;
use crate::listing::{Ordered, containers_by_name, files_by, named};
use crate::names::limit;
use crate::values::values;

const BY_NAME: Ordered = files_by!("JOIN", "n.sort_key, n.name", "n.sort_key DESC, n.name DESC", "($2, $3)", "$4");
const BY_SIZE: Ordered = files_by!(
    "JOIN",
    "f.content_size, n.sort_key, n.name",
    "f.content_size DESC, n.sort_key DESC, n.name DESC",
    "($2, $3, $4)",
    "$5"
);
const BY_TIME: Ordered = files_by!(
    "JOIN",
    "f.modified_at_100ns, n.sort_key, n.name",
    "f.modified_at_100ns DESC, n.sort_key DESC, n.name DESC",
    "($2, $3, $4)",
    "$5"
);
const BY_KIND: Ordered = files_by!(
    "JOIN",
    "n.extension, n.sort_key, n.name",
    "n.extension DESC, n.sort_key DESC, n.name DESC",
    "($2, $3, $4)",
    "$5"
);
const CONTAINERS: Ordered = containers_by_name!("JOIN");

const COUNT: &str = "SELECT count(*) FROM (SELECT 1 FROM names WHERE container_id = $1 LIMIT $2) these";

/// Compared where they are: sending a hundred thousand names to compare them here would take longer than anything else.
const NAMES: &str = "SELECT kind, id FROM (SELECT kind, id, folded FROM names LIMIT $1) these \
     WHERE strpos(folded, $2) > 0 LIMIT $3";

#[cfg(test)]
pub(crate) const BY_NAMES: &[&str] = &[
    BY_NAME.first,
    BY_NAME.next,
    BY_NAME.first_descending,
    BY_NAME.next_descending,
    CONTAINERS.first,
    CONTAINERS.next,
    CONTAINERS.first_descending,
    CONTAINERS.next_descending,
];

#[cfg(test)]
pub(crate) const HOT: &[&str] =
    &[BY_NAME.next, CONTAINERS.next, BY_SIZE.first, BY_SIZE.next, BY_TIME.next_descending, BY_KIND.next, COUNT];

pub(crate) async fn files(pool: &Pool, container: &ContainerId, slice: &Slice) -> Result<Vec<FileRecord>, Error> {
    let Slice { sort, descending, after, limit: at_most } = slice;
    let (container, limit) = (container.as_str(), limit(*at_most));
    let ordered = match sort {
        Sort::Name => &BY_NAME,
        Sort::Size => &BY_SIZE,
        Sort::Time => &BY_TIME,
        Sort::Kind => &BY_KIND,
    };
    let Some(Mark { number, kind, name }) = after else {
        return all(&pool.read(ordered.first(*descending), &values![container, limit]).await?, files::record);
    };
    let (next, key, name) = (ordered.next(*descending), sort_key(name), name.as_str());
    let answer = match sort {
        Sort::Name => pool.read(next, &values![container, key, name, limit]).await?,
        Sort::Size | Sort::Time => pool.read(next, &values![container, *number, key, name, limit]).await?,
        Sort::Kind => pool.read(next, &values![container, kind, key, name, limit]).await?,
    };
    all(&answer, files::record)
}

pub(crate) async fn containers(
    pool: &Pool,
    parent: &ContainerId,
    after: Option<&FileName>,
    descending: bool,
    at_most: usize,
) -> Result<Vec<ContainerRecord>, Error> {
    let (parent, limit) = (parent.as_str(), limit(at_most));
    let answer = match after {
        None => pool.read(CONTAINERS.first(descending), &values![parent, limit]).await?,
        Some(name) => {
            pool.read(CONTAINERS.next(descending), &values![parent, sort_key(name), name.as_str(), limit]).await?
        }
    };
    all(&answer, containers::record)
}

pub(crate) async fn count_in(pool: &Pool, container: &ContainerId, max: usize) -> Result<usize, Error> {
    let found = count(&pool.read(COUNT, &values![container.as_str(), limit(max)]).await?)?;
    Ok(usize::try_from(found).unwrap_or(usize::MAX))
}

pub(crate) async fn named_like(
    pool: &Pool,
    text: &str,
    looked_at_max: usize,
    at_most: usize,
) -> Result<Vec<Named>, Error> {
    all(&pool.read(NAMES, &values![limit(looked_at_max), text, limit(at_most)]).await?, named)
}
