//! The statements for memos and for refused requests.

use lectern_host::ports::Memo;
use lectern_host::records::{RefusedRequest, Revision, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::db::prepared;
use crate::error::Error;
use crate::fields::{self, Fields, row};
use crate::names::limit;

pub(crate) const MEMO: &str = "SELECT value, revision, until FROM memos WHERE name = $1 AND until > $2";
pub(crate) const PUT_NEW: &str = "INSERT INTO memos (name, value, revision, until) VALUES ($1, $2, 1, $3) \
     ON CONFLICT (name) DO UPDATE SET value = excluded.value, revision = memos.revision + 1, until = excluded.until \
     WHERE memos.until <= $4 RETURNING revision";
pub(crate) const PUT_OVER: &str = "UPDATE memos SET value = $1, revision = revision + 1, until = $2 \
     WHERE name = $3 AND revision = $4 AND until > $5 RETURNING revision";
pub(crate) const REMOVE: &str = "UPDATE memos SET value = $1, revision = revision + 1, until = $2 \
     WHERE name = $3 AND revision = $4 AND until > $2";
pub(crate) const PRUNE: &str = "DELETE FROM memos WHERE until < $1";

const ADD_REFUSAL: &str = "INSERT INTO refusals \
     (refused_at, node, status, operation, because, url, correlation_id, request_id) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
pub(crate) const KEEP_REFUSALS: &str =
    "DELETE FROM refusals WHERE id <= (SELECT id FROM refusals ORDER BY id DESC LIMIT 1 OFFSET $1)";
pub(crate) const REFUSALS: &str = "SELECT refused_at, node, status, operation, because, url, correlation_id, request_id \
     FROM refusals ORDER BY id DESC LIMIT $1";

pub(crate) fn read_memo(fields: &mut Fields<'_>) -> fields::Result<Memo> {
    let value = fields.maybe_blob()?.unwrap_or_default().to_vec();
    Ok(Memo { value, revision: Revision(fields.count()?), until: fields.at()? })
}

pub(crate) fn refusal(fields: &mut Fields<'_>) -> fields::Result<RefusedRequest> {
    Ok(RefusedRequest {
        at: fields.at()?,
        node: fields.parsed()?,
        status: u16::try_from(fields.number()?).unwrap_or_default(),
        operation: fields.parsed()?,
        because: fields.parsed()?,
        url: fields.parsed()?,
        correlation_id: fields.parsed()?,
        request_id: fields.parsed()?,
    })
}

pub(crate) fn memo(connection: &Connection, name: &str, now: Timestamp) -> Result<Option<Memo>, Error> {
    let memo = prepared(connection, MEMO)?.query_row(params![name, now.0], row(read_memo)).optional()?;
    Ok(memo)
}

pub(crate) fn put(
    connection: &Connection,
    name: &str,
    seen: Option<Revision>,
    value: &[u8],
    until: Timestamp,
    now: Timestamp,
) -> Result<Revision, Error> {
    let revision = row(|fields| fields.count().map(Revision));
    let put = match seen {
        None => prepared(connection, PUT_NEW)?.query_row(params![name, value, until.0, now.0], revision),
        Some(Revision(seen)) => prepared(connection, PUT_OVER)?
            .query_row(params![value, until.0, name, seen.cast_signed(), now.0], revision),
    };
    put.optional()?.ok_or(Error::Conflict)
}

pub(crate) fn remove(connection: &Connection, name: &str, seen: Revision, now: Timestamp) -> Result<(), Error> {
    let nothing: &[u8] = &[];
    match prepared(connection, REMOVE)?.execute(params![nothing, now.0, name, seen.0.cast_signed()])? {
        0 => Err(Error::Conflict),
        _ => Ok(()),
    }
}

pub(crate) fn prune(connection: &Connection, before: Timestamp) -> Result<u64, Error> {
    Ok(prepared(connection, PRUNE)?.execute([before.0])? as u64)
}

pub(crate) fn add_refusals(connection: &Connection, refused: &[RefusedRequest], kept_max: usize) -> Result<(), Error> {
    let mut statement = prepared(connection, ADD_REFUSAL)?;
    for RefusedRequest { at, node, status, operation, because, url, correlation_id, request_id } in refused {
        statement.execute(params![at.0, node, status, operation, because, url, correlation_id, request_id])?;
    }
    prepared(connection, KEEP_REFUSALS)?.execute([limit(kept_max)])?;
    Ok(())
}

pub(crate) fn refusals(connection: &Connection, at_most: usize) -> Result<Vec<RefusedRequest>, Error> {
    let mut statement = prepared(connection, REFUSALS)?;
    let refusals = statement.query_map([limit(at_most)], row(refusal))?;
    Ok(refusals.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{open_writer, plan};

    #[test]
    fn no_statement_reads_a_whole_table() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_writer(&folder.path().join("lectern.db")).unwrap();
        for sql in [MEMO, PUT_NEW, PUT_OVER, REMOVE, PRUNE] {
            let plan = plan(&connection, sql);
            assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
        }
        // Walked in the order of its key, and no further than it is long, which is bounded.
        for sql in [KEEP_REFUSALS, REFUSALS] {
            assert!(!plan(&connection, sql).contains("TEMP B-TREE"), "{sql}");
        }
    }
}
