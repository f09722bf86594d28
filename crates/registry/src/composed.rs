//! The statements for contents that are made of pieces of others.

use lectern_host::records::{ContentId, ContentPiece};
use rusqlite::{Connection, params};

use crate::condemned;
use crate::db::prepared;
use crate::error::Error;
use crate::fields::{self, Fields, row};

const ADD: &str = "INSERT INTO composed (content_id, start, size, piece_id, piece_offset) VALUES ($1, $2, $3, $4, $5)";
pub(crate) const PIECES: &str =
    "SELECT piece_id, piece_offset, size FROM composed WHERE content_id = $1 ORDER BY start";
// Every content has one piece that begins at 0.
pub(crate) const IDS: &str =
    "SELECT content_id FROM composed WHERE content_id > $1 AND start = 0 ORDER BY content_id LIMIT $2";
pub(crate) const REMOVE: &str = "DELETE FROM composed WHERE content_id = $1";

pub(crate) fn add(connection: &Connection, id: &ContentId, pieces: &[ContentPiece]) -> Result<(), Error> {
    let mut statement = prepared(connection, ADD)?;
    let mut start = 0_u64;
    for ContentPiece { content, offset, size } in pieces {
        condemned::must_not_be(connection, content)?;
        statement.execute(params![
            id.0.as_slice(),
            start.cast_signed(),
            size.cast_signed(),
            content.0.as_slice(),
            offset.cast_signed(),
        ])?;
        start = start.saturating_add(*size);
    }
    Ok(())
}

pub(crate) fn piece(fields: &mut Fields<'_>) -> fields::Result<ContentPiece> {
    Ok(ContentPiece { content: ContentId(fields.bytes()?), offset: fields.count()?, size: fields.count()? })
}

pub(crate) fn content_id(fields: &mut Fields<'_>) -> fields::Result<ContentId> {
    fields.bytes().map(ContentId)
}

pub(crate) fn pieces(connection: &Connection, id: &ContentId) -> Result<Vec<ContentPiece>, Error> {
    let mut statement = prepared(connection, PIECES)?;
    let pieces = statement.query_map([id.0.as_slice()], row(piece))?;
    Ok(pieces.collect::<Result<_, _>>()?)
}

pub(crate) fn ids(connection: &Connection, after: Option<&ContentId>, limit: usize) -> Result<Vec<ContentId>, Error> {
    let after = after.map_or(&[][..], |id| id.0.as_slice());
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = prepared(connection, IDS)?;
    let ids = statement.query_map(params![after, limit], row(content_id))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

pub(crate) fn remove(connection: &Connection, id: &ContentId) -> Result<(), Error> {
    prepared(connection, REMOVE)?.execute([id.0.as_slice()])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{open_writer, plan};

    #[test]
    fn no_statement_reads_a_whole_table() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_writer(&folder.path().join("lectern.db")).unwrap();
        for sql in [PIECES, IDS, REMOVE] {
            let plan = plan(&connection, sql);
            assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
        }
    }
}
