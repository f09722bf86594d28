//! The statements for contents that nothing may point to any more.
//!
//! Whoever makes something point to a content asks here first, in the same transaction. One connection writes, so between
//! that question and the end of the transaction nothing is condemned.

use lectern_host::records::{ContentId, Timestamp};
use rusqlite::Connection;

use crate::db::prepared;
use crate::error::Error;
use crate::history;

const CONDEMN: &str = "INSERT INTO condemned (content_id, condemned_at) VALUES ($1, $2) ON CONFLICT DO NOTHING";
const IS_CONDEMNED: &str = "SELECT 1 FROM condemned WHERE content_id = $1";
pub(crate) const PRUNE: &str = "DELETE FROM condemned WHERE condemned_at < $1";

/// Refuses a content that was condemned.
pub(crate) fn must_not_be(connection: &Connection, content: &ContentId) -> Result<(), Error> {
    if prepared(connection, IS_CONDEMNED)?.exists([content.0.as_slice()])? { Err(Error::Condemned) } else { Ok(()) }
}

pub(crate) fn condemn(connection: &Connection, contents: &[ContentId], at: Timestamp) -> Result<Vec<ContentId>, Error> {
    let condemned = history::unreferenced(connection, contents)?;
    let mut statement = prepared(connection, CONDEMN)?;
    for content in &condemned {
        statement.execute(rusqlite::params![content.0.as_slice(), at.0])?;
    }
    Ok(condemned)
}

pub(crate) fn prune(connection: &Connection, before: Timestamp) -> Result<u64, Error> {
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
        for sql in [IS_CONDEMNED, PRUNE] {
            let plan = plan(&connection, sql);
            assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
        }
    }
}
