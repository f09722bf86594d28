//! The statements for uploads in several requests, and for contents that are made of pieces of others.

use lectern_host::records::{ContentId, ContentPiece, Timestamp, Upload, UploadPiece};
use lectern_host::wopi::UserId;

use super::answers::{all, condemned, count, first};
use super::pool::Pool;
use super::run::{Outcome, Repeat, uncertain_if};
use crate::composed::{IDS, PIECES as COMPOSED, REMOVE as REMOVE_COMPOSED, content_id, piece as content_piece};
use crate::error::Error;
use crate::fields::{Fields, Result as Valid};
use crate::uploads::{COUNT, EXISTS, EXTEND, piece, upload};
use crate::values::values;

/// A row for each piece, with the upload before it; one without a piece where there is none.
const UPLOAD: &str = "SELECT u.id, u.file_id, u.user_id, u.updated_at, p.start, p.content_id, p.size \
     FROM uploads u LEFT JOIN upload_pieces p ON p.upload_id = u.id WHERE u.id = $1 ORDER BY p.start";
const ADD: &str = "WITH u AS (INSERT INTO uploads (id, file_id, user_id, received, updated_at) \
     VALUES ($1, $2, $3, $4, $5) RETURNING id) \
     INSERT INTO upload_pieces (upload_id, start, size, content_id) \
     SELECT u.id, p.* FROM u, unnest($6::bigint[], $7::bigint[], $8::bytea[]) p";
const ADD_PIECE: &str = "WITH u AS (UPDATE uploads SET received = received + $1, updated_at = $2 \
     WHERE id = $3 AND received = $4 RETURNING id) \
     INSERT INTO upload_pieces (upload_id, start, size, content_id) \
     SELECT u.id, $4::bigint, $1::bigint, $5::bytea FROM u";
const PIECE_AT: &str = "SELECT content_id FROM upload_pieces WHERE upload_id = $1 AND start = $2";
const REMOVE: &str = "WITH p AS (DELETE FROM upload_pieces WHERE upload_id = $1) DELETE FROM uploads WHERE id = $1";
const PRUNE: &str = "WITH old AS (DELETE FROM uploads WHERE updated_at < $1 RETURNING id), \
     p AS (DELETE FROM upload_pieces USING old WHERE upload_id = old.id RETURNING content_id) SELECT content_id FROM p";

const ADD_COMPOSED: &str = "INSERT INTO composed (content_id, start, size, piece_id, piece_offset) \
     SELECT $1::bytea, p.* FROM unnest($2::bigint[], $3::bigint[], $4::bytea[], $5::bigint[]) p";

#[cfg(test)]
pub(crate) const HOT: &[&str] =
    &[UPLOAD, ADD_PIECE, PIECE_AT, REMOVE, PRUNE, COUNT, EXISTS, EXTEND, COMPOSED, IDS, REMOVE_COMPOSED];

pub(crate) async fn add(pool: &Pool, upload: &Upload) -> Result<(), Error> {
    let Upload { id, file, user, updated_at, pieces } = upload;
    let mut received = 0_u64;
    let mut starts = Vec::with_capacity(pieces.len());
    for piece in pieces {
        starts.push(received.cast_signed());
        received = received.saturating_add(piece.size);
    }
    let sizes: Vec<i64> = pieces.iter().map(|piece| piece.size.cast_signed()).collect();
    let contents: Vec<&[u8]> = pieces.iter().map(|piece| piece.content.0.as_slice()).collect();
    let received = received.cast_signed();
    let values = values![id, file.as_str(), user.as_str(), received, updated_at.0, starts, sizes, contents];
    pool.write(ADD, &values).await.map_err(condemned)?;
    Ok(())
}

pub(crate) async fn of(pool: &Pool, id: &str) -> Result<Upload, Error> {
    let answer = pool.read(UPLOAD, &values![id]).await?;
    let mut found = first(&answer, upload)?;
    let with_piece = |fields: &mut Fields<'_>| -> Valid<Option<UploadPiece>> {
        fields.skip(4);
        Ok(if fields.maybe_number()?.is_some() { Some(piece(fields)?) } else { None })
    };
    found.pieces = all(&answer, with_piece)?.into_iter().flatten().collect();
    Ok(found)
}

pub(crate) async fn how_many(pool: &Pool, user: &UserId, since: Timestamp) -> Result<u64, Error> {
    count(&pool.read(COUNT, &values![user.as_str(), since.0]).await?)
}

pub(crate) async fn extend(
    pool: &Pool,
    id: &str,
    received: u64,
    piece: Option<UploadPiece>,
    at: Timestamp,
) -> Result<(), Error> {
    let start = received.cast_signed();
    let Some(UploadPiece { content, size }) = piece else {
        // What only renews can be done twice.
        let answer = pool.write_again(EXTEND, &values![0_i64, at.0, id, start]).await?;
        return if answer.changed == 1 { Ok(()) } else { Err(missed(pool, id).await?) };
    };
    let values = values![size.cast_signed(), at.0, id, start, content.0.as_slice()];
    let Outcome { result, uncertain } = pool.run(ADD_PIECE, &values, Repeat::Safely).await;
    if result.map_err(|error| uncertain_if(uncertain, condemned(error)))?.changed == 1 {
        return Ok(());
    }
    if uncertain {
        let there = pool.read(PIECE_AT, &values![id, start]).await?;
        if first(&there, content_id).is_ok_and(|there| there == content) {
            return Ok(());
        }
    }
    Err(missed(pool, id).await?)
}

/// Why an update found no row.
async fn missed(pool: &Pool, id: &str) -> Result<Error, Error> {
    let there = pool.read(EXISTS, &values![id]).await?;
    Ok(if there.rows.is_empty() { Error::NotFound } else { Error::Conflict })
}

pub(crate) async fn remove(pool: &Pool, id: &str) -> Result<(), Error> {
    pool.write_again(REMOVE, &values![id]).await?;
    Ok(())
}

/// If nobody knows whether it was done, it is not done again: which contents are freed is told once. Those that nobody
/// was told of are found by the sweeper.
pub(crate) async fn prune(pool: &Pool, before: Timestamp) -> Result<Vec<ContentId>, Error> {
    all(&pool.write(PRUNE, &values![before.0]).await?, content_id)
}

pub(crate) async fn add_composed(pool: &Pool, id: &ContentId, pieces: &[ContentPiece]) -> Result<(), Error> {
    let mut start = 0_u64;
    let mut starts = Vec::with_capacity(pieces.len());
    for piece in pieces {
        starts.push(start.cast_signed());
        start = start.saturating_add(piece.size);
    }
    let sizes: Vec<i64> = pieces.iter().map(|piece| piece.size.cast_signed()).collect();
    let contents: Vec<&[u8]> = pieces.iter().map(|piece| piece.content.0.as_slice()).collect();
    let offsets: Vec<i64> = pieces.iter().map(|piece| piece.offset.cast_signed()).collect();
    let values = values![id.0.as_slice(), starts, sizes, contents, offsets];
    pool.write(ADD_COMPOSED, &values).await.map_err(condemned)?;
    Ok(())
}

pub(crate) async fn composed(pool: &Pool, id: &ContentId) -> Result<Vec<ContentPiece>, Error> {
    all(&pool.read(COMPOSED, &values![id.0.as_slice()]).await?, content_piece)
}

pub(crate) async fn composed_ids(
    pool: &Pool,
    after: Option<&ContentId>,
    limit: usize,
) -> Result<Vec<ContentId>, Error> {
    let after = after.map_or(&[][..], |id| id.0.as_slice());
    all(&pool.read(IDS, &values![after, crate::names::limit(limit)]).await?, content_id)
}

pub(crate) async fn remove_composed(pool: &Pool, id: &ContentId) -> Result<(), Error> {
    pool.write_again(REMOVE_COMPOSED, &values![id.0.as_slice()]).await?;
    Ok(())
}
