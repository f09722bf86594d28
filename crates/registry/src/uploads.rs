//! The statements for uploads in several requests.

use lectern_host::records::{ContentId, Timestamp, Upload, UploadPiece};
use lectern_host::wopi::UserId;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::condemned;
use crate::db::prepared;
use crate::error::Error;
use crate::fields::{self, Fields, row};

const UPLOAD: &str = "SELECT id, file_id, user_id, updated_at FROM uploads WHERE id = $1";
const PIECES: &str = "SELECT content_id, size FROM upload_pieces WHERE upload_id = $1 ORDER BY start";
pub(crate) const COUNT: &str = "SELECT count(*) FROM uploads WHERE user_id = $1 AND updated_at > $2";
const ADD: &str = "INSERT INTO uploads (id, file_id, user_id, received, updated_at) VALUES ($1, $2, $3, $4, $5)";
const ADD_PIECE: &str = "INSERT INTO upload_pieces (upload_id, start, size, content_id) VALUES ($1, $2, $3, $4)";
pub(crate) const EXTEND: &str =
    "UPDATE uploads SET received = received + $1, updated_at = $2 WHERE id = $3 AND received = $4";
pub(crate) const EXISTS: &str = "SELECT 1 FROM uploads WHERE id = $1";
const REMOVE: &str = "DELETE FROM uploads WHERE id = $1";
const REMOVE_PIECES: &str = "DELETE FROM upload_pieces WHERE upload_id = $1";
const OUTLIVED: &str = "SELECT id FROM uploads WHERE updated_at < $1";

pub(crate) fn add(connection: &Connection, upload: &Upload) -> Result<(), Error> {
    let Upload { id, file, user, updated_at, pieces } = upload;
    let received = upload.received().cast_signed();
    prepared(connection, ADD)?.execute(params![id, file.as_str(), user.as_str(), received, updated_at.0])?;
    let mut start = 0;
    for piece in pieces {
        add_piece(connection, id, start, *piece)?;
        start += piece.size;
    }
    Ok(())
}

fn add_piece(connection: &Connection, id: &str, start: u64, piece: UploadPiece) -> Result<(), Error> {
    let UploadPiece { content, size } = piece;
    condemned::must_not_be(connection, &content)?;
    let mut statement = prepared(connection, ADD_PIECE)?;
    statement.execute(params![id, start.cast_signed(), size.cast_signed(), content.0.as_slice()])?;
    Ok(())
}

/// Without its pieces.
pub(crate) fn upload(fields: &mut Fields<'_>) -> fields::Result<Upload> {
    Ok(Upload {
        id: fields.parsed()?,
        file: fields.parsed()?,
        user: fields.parsed()?,
        updated_at: fields.at()?,
        pieces: Vec::new(),
    })
}

pub(crate) fn piece(fields: &mut Fields<'_>) -> fields::Result<UploadPiece> {
    Ok(UploadPiece { content: ContentId(fields.bytes()?), size: fields.count()? })
}

pub(crate) fn of(connection: &Connection, id: &str) -> Result<Upload, Error> {
    let snapshot = connection.unchecked_transaction()?;
    let upload = prepared(&snapshot, UPLOAD)?.query_row([id], row(upload)).optional()?;
    let upload = upload.ok_or(Error::NotFound)?;
    Ok(Upload { pieces: pieces(&snapshot, id)?, ..upload })
}

fn pieces(connection: &Connection, id: &str) -> Result<Vec<UploadPiece>, Error> {
    let mut statement = prepared(connection, PIECES)?;
    let pieces = statement.query_map([id], row(piece))?;
    Ok(pieces.collect::<Result<_, _>>()?)
}

pub(crate) fn count(connection: &Connection, user: &UserId, since: Timestamp) -> Result<u64, Error> {
    Ok(prepared(connection, COUNT)?.query_row(params![user.as_str(), since.0], row(fields::count))?)
}

pub(crate) fn extend(
    connection: &Connection,
    id: &str,
    received: u64,
    piece: Option<UploadPiece>,
    at: Timestamp,
) -> Result<(), Error> {
    let size = piece.map_or(0, |piece| piece.size);
    let changed =
        prepared(connection, EXTEND)?.execute(params![size.cast_signed(), at.0, id, received.cast_signed()])?;
    if changed == 0 {
        return Err(if prepared(connection, EXISTS)?.exists([id])? { Error::Conflict } else { Error::NotFound });
    }
    match piece {
        Some(piece) => add_piece(connection, id, received, piece),
        None => Ok(()),
    }
}

pub(crate) fn remove(connection: &Connection, id: &str) -> Result<(), Error> {
    prepared(connection, REMOVE_PIECES)?.execute([id])?;
    prepared(connection, REMOVE)?.execute([id])?;
    Ok(())
}

pub(crate) fn prune(connection: &Connection, before: Timestamp) -> Result<Vec<ContentId>, Error> {
    let mut statement = prepared(connection, OUTLIVED)?;
    let ids = statement.query_map([before.0], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
    let mut freed = Vec::new();
    for id in ids {
        freed.extend(pieces(connection, &id)?.into_iter().map(|piece| piece.content));
        remove(connection, &id)?;
    }
    Ok(freed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{open_writer, plan};

    #[test]
    fn no_statement_reads_a_whole_table() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_writer(&folder.path().join("lectern.db")).unwrap();
        for sql in [UPLOAD, PIECES, COUNT, EXTEND, EXISTS, REMOVE, REMOVE_PIECES, OUTLIVED] {
            let plan = plan(&connection, sql);
            assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
        }
    }
}
