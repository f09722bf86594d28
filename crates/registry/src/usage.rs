//! The statement for how much there is.

use lectern_host::ports::{Tally, Usage};
use rusqlite::Connection;

use crate::db::prepared;
use crate::error::Error;
use crate::fields::Fields;

/// Each sum is made a BIGINT: PostgreSQL sums those into numbers without an end.
const USAGE: &str = "SELECT \
     (SELECT count(*) FROM files WHERE deleted_at IS NULL), \
     (SELECT CAST(coalesce(sum(content_size), 0) AS BIGINT) FROM files WHERE deleted_at IS NULL), \
     (SELECT count(*) FROM versions), \
     (SELECT CAST(coalesce(sum(content_size), 0) AS BIGINT) FROM versions), \
     (SELECT count(*) FROM files WHERE deleted_at IS NOT NULL), \
     (SELECT CAST(coalesce(sum(content_size), 0) AS BIGINT) FROM files WHERE deleted_at IS NOT NULL), \
     (SELECT count(*) FROM rescued), \
     (SELECT CAST(coalesce(sum(size), 0) AS BIGINT) FROM rescued)";

pub(crate) fn usage(connection: &Connection) -> Result<Usage, Error> {
    Ok(prepared(connection, USAGE)?.query_row([], |row| {
        let mut fields = Fields::of(row);
        let mut tally = || Ok::<_, rusqlite::Error>(Tally { count: fields.count()?, bytes: fields.count()? });
        Ok(Usage { files: tally()?, versions: tally()?, deleted: tally()?, rescued: tally()? })
    })?)
}
