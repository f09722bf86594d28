//! The statements for what files have beside their bytes. They are written with the file's record (`files`).

use lectern_host::parts::FileParts;
use lectern_host::records::Timestamp;
use lectern_host::wopi::FileId;

use super::pool::Pool;
use crate::error::Error;
use crate::fields::{Fields, Result as Valid};
use crate::parts::{PRUNE_PROPERTIES, PRUNE_SIGNATURES, PRUNE_STREAMS, main, property, stream};
use crate::values::values;

/// All of one moment: a row for each stream, for each property, and one for the rest, in columns of their own. The first
/// column says which.
const PARTS: &str = "SELECT 0::bigint, NULL::text, NULL::bytea, NULL::text, NULL::bytea, NULL::bigint, \
     NULL::text, NULL::text, NULL::text, NULL::bigint, p.version, p.main_scheme, p.main_signature \
     FROM parts p WHERE p.file_id = $1 \
     UNION ALL (SELECT 1, s.stream_id, s.content_id, s.scheme, s.signature, s.updated_at, \
     NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM streams s WHERE s.file_id = $1 ORDER BY s.stream_id) \
     UNION ALL (SELECT 2, NULL, NULL, NULL, NULL, NULL, \
     r.name, r.value, r.retention, r.updated_at, NULL, NULL, NULL FROM properties r WHERE r.file_id = $1 \
     ORDER BY r.name)";

const STREAM_COLUMNS: usize = 5;
const PROPERTY_COLUMNS: usize = 4;

#[cfg(test)]
pub(crate) const HOT: &[&str] = &[PARTS];

pub(crate) async fn of(pool: &Pool, file: &FileId) -> Result<FileParts, Error> {
    let answer = pool.read(PARTS, &values![file.as_str()]).await?;
    let mut parts = FileParts::default();
    for row in &answer.rows {
        read(&mut Fields::from(row), &mut parts)?;
    }
    Ok(parts)
}

fn read(fields: &mut Fields<'_>, parts: &mut FileParts) -> Valid<()> {
    match fields.number()? {
        0 => {
            fields.skip(STREAM_COLUMNS + PROPERTY_COLUMNS);
            (parts.version, parts.main) = main(fields)?;
        }
        1 => parts.streams.push(stream(fields)?),
        2 => {
            fields.skip(STREAM_COLUMNS);
            parts.properties.push(property(fields)?);
        }
        _ => return Err(fields.invalid()),
    }
    Ok(())
}

pub(crate) async fn prune(pool: &Pool, before: Timestamp) -> Result<u64, Error> {
    let streams = pool.write_again(PRUNE_STREAMS, &values![before.0]).await?.changed;
    let properties = pool.write_again(PRUNE_PROPERTIES, &values![before.0]).await?.changed;
    pool.write_again(PRUNE_SIGNATURES, &[]).await?;
    Ok(streams + properties)
}
