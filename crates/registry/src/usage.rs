//! The statement for how much there is.

use lectern_host::ports::{Tally, Usage};
use rusqlite::Connection;

use crate::db::prepared;
use crate::error::Error;
use crate::fields::{self, Fields, row};

/// Each sum is made a BIGINT: PostgreSQL sums those into numbers without an end.
pub(crate) const USAGE: &str = "SELECT \
     (SELECT count(*) FROM files WHERE deleted_at IS NULL), \
     (SELECT CAST(coalesce(sum(content_size), 0) AS BIGINT) FROM files WHERE deleted_at IS NULL), \
     (SELECT count(*) FROM versions), \
     (SELECT CAST(coalesce(sum(content_size), 0) AS BIGINT) FROM versions), \
     (SELECT count(*) FROM files WHERE deleted_at IS NOT NULL), \
     (SELECT CAST(coalesce(sum(content_size), 0) AS BIGINT) FROM files WHERE deleted_at IS NOT NULL), \
     (SELECT count(*) FROM rescued), \
     (SELECT CAST(coalesce(sum(size), 0) AS BIGINT) FROM rescued)";

pub(crate) fn usage(connection: &Connection) -> Result<Usage, Error> {
    Ok(prepared(connection, USAGE)?.query_row([], row(read_usage))?)
}

pub(crate) fn read_usage(fields: &mut Fields<'_>) -> fields::Result<Usage> {
    let mut tally = || Ok(Tally { count: fields.count()?, bytes: fields.count()? });
    Ok(Usage { files: tally()?, versions: tally()?, deleted: tally()?, rescued: tally()? })
}
