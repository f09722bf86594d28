//! The statements for what files have beside their bytes.

use lectern_host::parts::{AlternateStream, FileParts, StoredProperty};
use lectern_host::records::{ContentId, Timestamp};
use lectern_host::wopi::chunked::{ChunkSignature, ChunkingScheme, ContentProperty, Retention, Signature, StreamId};
use lectern_host::wopi::{ChunkId, FileId, ItemVersion};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::condemned;
use crate::db::prepared;
use crate::error::Error;
use crate::fields::{self, Fields, row};

const PARTS: &str = "SELECT version, main_scheme, main_signature FROM parts WHERE file_id = $1";
const STREAMS: &str = "SELECT stream_id, content_id, scheme, signature, updated_at FROM streams WHERE file_id = $1 \
     ORDER BY stream_id";
const PROPERTIES: &str = "SELECT name, value, retention, updated_at FROM properties WHERE file_id = $1 ORDER BY name";

const PUT_PARTS: &str = "INSERT INTO parts (file_id, version, main_scheme, main_signature) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (file_id) DO UPDATE SET version = $2, main_scheme = $3, main_signature = $4";
const ADD_STREAM: &str = "INSERT INTO streams (file_id, stream_id, content_id, scheme, signature, updated_at) \
     VALUES ($1, $2, $3, $4, $5, $6)";
const ADD_PROPERTY: &str =
    "INSERT INTO properties (file_id, name, value, retention, updated_at) VALUES ($1, $2, $3, $4, $5)";

const REMOVE_PARTS: &str = "DELETE FROM parts WHERE file_id = $1";
const REMOVE_STREAMS: &str = "DELETE FROM streams WHERE file_id = $1";
const REMOVE_PROPERTIES: &str = "DELETE FROM properties WHERE file_id = $1";

// The sweeper's: they walk over the files that have parts.
macro_rules! outdated {
    ($start:literal, $end:literal) => {
        concat!(
            $start,
            "file_id IN (SELECT p.file_id FROM parts p JOIN files f ON f.id = p.file_id WHERE f.version <> p.version)",
            $end
        )
    };
}
pub(crate) const PRUNE_STREAMS: &str = outdated!("DELETE FROM streams WHERE updated_at < $1 OR ", "");
pub(crate) const PRUNE_PROPERTIES: &str =
    outdated!("DELETE FROM properties WHERE updated_at < $1 OR (retention = 'delete' AND ", ")");
pub(crate) const PRUNE_SIGNATURES: &str =
    outdated!("UPDATE parts SET main_scheme = NULL, main_signature = NULL WHERE main_scheme IS NOT NULL AND ", "");

const FULL_FILE: &str = "FullFile";
const ZIP: &str = "Zip";
pub(crate) const KEEP: &str = "keep";
pub(crate) const DELETE: &str = "delete";

/// Bytes of one chunk in a signature.
const CHUNK_BYTES: usize = 24;

pub(crate) fn scheme_text(scheme: ChunkingScheme) -> &'static str {
    match scheme {
        ChunkingScheme::FullFile => FULL_FILE,
        ChunkingScheme::Zip => ZIP,
    }
}

pub(crate) fn signature_bytes(signature: &Signature) -> Vec<u8> {
    signature.chunks.iter().flat_map(|chunk| chunk.id.0.into_iter().chain(chunk.length.to_be_bytes())).collect()
}

/// Two columns: the scheme, and the chunks. No scheme is no signature.
pub(crate) fn signature(fields: &mut Fields<'_>) -> fields::Result<Option<Signature>> {
    let scheme = match fields.maybe_text()? {
        None => None,
        Some(FULL_FILE) => Some(ChunkingScheme::FullFile),
        Some(ZIP) => Some(ChunkingScheme::Zip),
        Some(_) => return Err(fields.invalid()),
    };
    let bytes = fields.maybe_blob()?.unwrap_or_default();
    let (chunks, rest) = bytes.as_chunks::<CHUNK_BYTES>();
    if !rest.is_empty() {
        return Err(fields.invalid());
    }
    let chunk = |bytes: &[u8; CHUNK_BYTES]| {
        let (mut id, mut length) = ([0; 16], [0; 8]);
        id.copy_from_slice(&bytes[..16]);
        length.copy_from_slice(&bytes[16..]);
        ChunkSignature { id: ChunkId(id), length: u64::from_be_bytes(length) }
    };
    Ok(scheme.map(|scheme| Signature { scheme, chunks: chunks.iter().map(chunk).collect() }))
}

pub(crate) fn stream(fields: &mut Fields<'_>) -> fields::Result<AlternateStream> {
    let id: String = fields.parsed()?;
    let id = StreamId::parse(&id).ok_or_else(|| fields.invalid())?;
    let content = ContentId(fields.bytes()?);
    let signature = signature(fields)?.ok_or_else(|| fields.invalid())?;
    Ok(AlternateStream { id, content, signature, updated_at: fields.at()? })
}

pub(crate) fn property(fields: &mut Fields<'_>) -> fields::Result<StoredProperty> {
    let (name, value) = (fields.parsed()?, fields.parsed()?);
    let retention = match fields.text()? {
        KEEP => Retention::KeepOnContentChange,
        DELETE => Retention::DeleteOnContentChange,
        _ => return Err(fields.invalid()),
    };
    Ok(StoredProperty { property: ContentProperty { name, value, retention }, updated_at: fields.at()? })
}

/// The columns of [`PARTS`].
pub(crate) fn main(fields: &mut Fields<'_>) -> fields::Result<(ItemVersion, Option<Signature>)> {
    Ok((ItemVersion(fields.count()?), signature(fields)?))
}

/// All three of one transaction.
pub(crate) fn of(connection: &Connection, file: &FileId) -> Result<FileParts, Error> {
    let snapshot = connection.unchecked_transaction()?;
    let main = prepared(&snapshot, PARTS)?.query_row([file.as_str()], row(main)).optional()?;
    let Some((version, main)) = main else { return Ok(FileParts::default()) };
    let streams = prepared(&snapshot, STREAMS)?.query_map([file.as_str()], row(stream))?.collect::<Result<_, _>>()?;
    let properties =
        prepared(&snapshot, PROPERTIES)?.query_map([file.as_str()], row(property))?.collect::<Result<_, _>>()?;
    Ok(FileParts { version, main, streams, properties })
}

/// Replaces all of them.
pub(crate) fn put(connection: &Connection, file: &FileId, parts: &FileParts) -> Result<(), Error> {
    let FileParts { version, main, streams, properties } = parts;
    let id = file.as_str();
    for stream in streams {
        condemned::must_not_be(connection, &stream.content)?;
    }
    prepared(connection, REMOVE_STREAMS)?.execute([id])?;
    prepared(connection, REMOVE_PROPERTIES)?.execute([id])?;
    let scheme = main.as_ref().map(|main| scheme_text(main.scheme));
    let chunks = main.as_ref().map(signature_bytes);
    prepared(connection, PUT_PARTS)?.execute(params![id, version.0.cast_signed(), scheme, chunks])?;
    let mut statement = prepared(connection, ADD_STREAM)?;
    for AlternateStream { id: stream, content, signature, updated_at } in streams {
        let (scheme, chunks) = (scheme_text(signature.scheme), signature_bytes(signature));
        statement.execute(params![id, stream.as_str(), content.0.as_slice(), scheme, chunks, updated_at.0])?;
    }
    let mut statement = prepared(connection, ADD_PROPERTY)?;
    for StoredProperty { property: ContentProperty { name, value, retention }, updated_at } in properties {
        let retention = match retention {
            Retention::KeepOnContentChange => KEEP,
            Retention::DeleteOnContentChange => DELETE,
        };
        statement.execute(params![id, name, value, retention, updated_at.0])?;
    }
    Ok(())
}

pub(crate) fn remove(connection: &Connection, file: &FileId) -> Result<(), Error> {
    for sql in [REMOVE_STREAMS, REMOVE_PROPERTIES, REMOVE_PARTS] {
        prepared(connection, sql)?.execute([file.as_str()])?;
    }
    Ok(())
}

pub(crate) fn prune(connection: &Connection, before: Timestamp) -> Result<u64, Error> {
    let streams = prepared(connection, PRUNE_STREAMS)?.execute([before.0])?;
    let properties = prepared(connection, PRUNE_PROPERTIES)?.execute([before.0])?;
    prepared(connection, PRUNE_SIGNATURES)?.execute([])?;
    Ok((streams + properties) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{open_writer, plan};

    #[test]
    fn no_statement_reads_a_whole_table() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_writer(&folder.path().join("lectern.db")).unwrap();
        for sql in [PARTS, STREAMS, PROPERTIES, REMOVE_PARTS, REMOVE_STREAMS, REMOVE_PROPERTIES] {
            let plan = plan(&connection, sql);
            assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
        }
    }
}
