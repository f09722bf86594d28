//! The statements for listings. By name they walk an index; in any other order they look at the whole container.

use lectern_host::order::{folded, sort_key};
use lectern_host::ports::{Mark, Named, Slice, Sort};
use lectern_host::records::{ContainerRecord, FileRecord};
use lectern_host::wopi::{ContainerId, FileId, FileName};
use rusqlite::{Connection, params};

use crate::db::prepared;
use crate::error::Error;
use crate::fields::{self, Fields};
use crate::names::{CONTAINER, FILE, limit};
use crate::{containers, files};

/// The statements of one order: from the beginning or after a mark, forwards or backwards.
pub(crate) struct Ordered {
    pub(crate) first: &'static str,
    pub(crate) next: &'static str,
    pub(crate) first_descending: &'static str,
    pub(crate) next_descending: &'static str,
}

/// How names are joined with what they name differs: SQLite is told by `CROSS JOIN` to begin with the names.
macro_rules! files_by {
    ($join:literal, $columns:literal, $descending:literal, $mark:literal, $limit:literal) => {
        $crate::listing::Ordered {
            first: $crate::listing::files_by!(@ $join, "", $columns, "$2"),
            next: $crate::listing::files_by!(@ $join, concat!(" AND (", $columns, ") > ", $mark), $columns, $limit),
            first_descending: $crate::listing::files_by!(@ $join, "", $descending, "$2"),
            next_descending: $crate::listing::files_by!(
                @ $join, concat!(" AND (", $columns, ") < ", $mark), $descending, $limit
            ),
        }
    };
    (@ $join:literal, $after:expr, $order:literal, $limit:literal) => {
        $crate::files::select!(
            "FROM names n ",
            $join,
            " files f ON f.id = n.id WHERE n.container_id = $1 AND n.kind = 'file'",
            $after,
            " ORDER BY ",
            $order,
            " LIMIT ",
            $limit
        )
    };
}

pub(crate) use files_by;

const BY_NAME: Ordered =
    files_by!("CROSS JOIN", "n.sort_key, n.name", "n.sort_key DESC, n.name DESC", "($2, $3)", "$4");
const BY_SIZE: Ordered = files_by!(
    "CROSS JOIN",
    "f.content_size, n.sort_key, n.name",
    "f.content_size DESC, n.sort_key DESC, n.name DESC",
    "($2, $3, $4)",
    "$5"
);
const BY_TIME: Ordered = files_by!(
    "CROSS JOIN",
    "f.modified_at_100ns, n.sort_key, n.name",
    "f.modified_at_100ns DESC, n.sort_key DESC, n.name DESC",
    "($2, $3, $4)",
    "$5"
);
const BY_KIND: Ordered = files_by!(
    "CROSS JOIN",
    "n.extension, n.sort_key, n.name",
    "n.extension DESC, n.sort_key DESC, n.name DESC",
    "($2, $3, $4)",
    "$5"
);

macro_rules! containers_by_name {
    ($join:literal) => {
        $crate::listing::Ordered {
            first: $crate::listing::containers_by_name!(@ $join, "", "n.sort_key, n.name", "$2"),
            next: $crate::listing::containers_by_name!(
                @ $join, " AND (n.sort_key, n.name) > ($2, $3)", "n.sort_key, n.name", "$4"
            ),
            first_descending: $crate::listing::containers_by_name!(@ $join, "", "n.sort_key DESC, n.name DESC", "$2"),
            next_descending: $crate::listing::containers_by_name!(
                @ $join, " AND (n.sort_key, n.name) < ($2, $3)", "n.sort_key DESC, n.name DESC", "$4"
            ),
        }
    };
    (@ $join:literal, $after:literal, $order:literal, $limit:literal) => {
        concat!(
            "SELECT c.id, c.parent_id, c.name, c.revision, c.created_at, c.seen_inode, c.seen_born_ns FROM names n ",
            $join,
            " containers c ON c.id = n.id WHERE n.container_id = $1 AND n.kind = 'container'",
            $after,
            " ORDER BY ",
            $order,
            " LIMIT ",
            $limit
        )
    };
}

pub(crate) use containers_by_name;

const CONTAINERS: Ordered = containers_by_name!("CROSS JOIN");

const COUNT: &str = "SELECT count(*) FROM (SELECT 1 FROM names WHERE container_id = $1 LIMIT $2)";
const NAMES: &str = "SELECT name, kind, id FROM names LIMIT $1";

impl Ordered {
    pub(crate) fn first(&self, descending: bool) -> &'static str {
        if descending { self.first_descending } else { self.first }
    }

    pub(crate) fn next(&self, descending: bool) -> &'static str {
        if descending { self.next_descending } else { self.next }
    }
}

pub(crate) fn files(connection: &Connection, container: &ContainerId, slice: &Slice) -> Result<Vec<FileRecord>, Error> {
    let Slice { sort, descending, after, limit: at_most } = slice;
    let (container, limit) = (container.as_str(), limit(*at_most));
    let ordered = match sort {
        Sort::Name => &BY_NAME,
        Sort::Size => &BY_SIZE,
        Sort::Time => &BY_TIME,
        Sort::Kind => &BY_KIND,
    };
    let Some(Mark { number, kind, name }) = after else {
        return files::list(connection, ordered.first(*descending), params![container, limit]);
    };
    let (next, key, name) = (ordered.next(*descending), sort_key(name), name.as_str());
    match sort {
        Sort::Name => files::list(connection, next, params![container, key, name, limit]),
        Sort::Size | Sort::Time => files::list(connection, next, params![container, number, key, name, limit]),
        Sort::Kind => files::list(connection, next, params![container, kind, key, name, limit]),
    }
}

pub(crate) fn containers(
    connection: &Connection,
    parent: &ContainerId,
    after: Option<&FileName>,
    descending: bool,
    at_most: usize,
) -> Result<Vec<ContainerRecord>, Error> {
    let (parent, limit) = (parent.as_str(), limit(at_most));
    match after {
        None => containers::list(connection, CONTAINERS.first(descending), params![parent, limit]),
        Some(name) => {
            let params = params![parent, sort_key(name), name.as_str(), limit];
            containers::list(connection, CONTAINERS.next(descending), params)
        }
    }
}

pub(crate) fn count(connection: &Connection, container: &ContainerId, max: usize) -> Result<usize, Error> {
    let count: i64 =
        prepared(connection, COUNT)?.query_row(params![container.as_str(), limit(max)], |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

pub(crate) fn named_like(
    connection: &Connection,
    text: &str,
    looked_at_max: usize,
    at_most: usize,
) -> Result<Vec<Named>, Error> {
    let mut statement = prepared(connection, NAMES)?;
    let mut names = statement.query([limit(looked_at_max)])?;
    let mut found = Vec::new();
    while found.len() < at_most
        && let Some(row) = names.next()?
    {
        let mut fields = Fields::from(row);
        if !folded(fields.text()?).contains(text) {
            continue;
        }
        found.push(named(&mut fields)?);
    }
    Ok(found)
}

/// Two columns: what has the name, and its id.
pub(crate) fn named(fields: &mut Fields<'_>) -> fields::Result<Named> {
    match fields.text()? {
        FILE => Ok(Named::File(fields.parsed::<FileId>()?)),
        CONTAINER => Ok(Named::Container(fields.parsed::<ContainerId>()?)),
        _ => Err(fields.invalid()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{open_writer, plan};

    #[test]
    fn a_page_by_name_comes_from_an_index_and_other_orders_stay_in_their_container() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_writer(&folder.path().join("lectern.db")).unwrap();
        for (ordered, sorts) in
            [(BY_NAME, false), (CONTAINERS, false), (BY_SIZE, true), (BY_TIME, true), (BY_KIND, true)]
        {
            for sql in [ordered.first, ordered.next, ordered.first_descending, ordered.next_descending] {
                let plan = plan(&connection, sql);
                assert!(plan.contains("SEARCH n USING"), "{sql}\n{plan}");
                assert_eq!(plan.contains("TEMP B-TREE"), sorts, "{sql}\n{plan}");
            }
        }
        assert!(plan(&connection, COUNT).contains("SEARCH names USING"));
    }
}
