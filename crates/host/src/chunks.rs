//! Incremental file transfer: a file as chunks, so that a change of one part moves only that part.
//!
//! *Reading.* A stream is described by its signature. A stream that a client stored in chunks has the signature it came
//! with; one that came whole is cut by us, and the signature is remembered for a while ([`signatures`]). Only the chunks that are asked for are read, and each is hashed once more
//! while it goes out, so that a client never gets bytes under an id that is not theirs.
//!
//! *Saving.* Chunks of the request go to one content as they come; nothing but their offsets stays in memory. Then each
//! stream is put together from them and from the streams of the file as it stands, in one go into one new content, every
//! chunk checked on the way. What comes out is saved as PutFile saves: the same rules, the same commit, the same notes,
//! one new file in the folder. The decision that commits it checks lock and sequence number again, and streams and
//! properties are part of that commit ([`crate::parts`]).
//!
//! | refused because | status | what stays |
//! |---|---|---|
//! | the lock | 409 | the main stream, as a rescued save, if it can be put together |
//! | the sequence number, before the body is read or when all was put together | 412 | nothing: the client merges and sends again |
//! | frames, message, a chunk that is missing or not what its id says | 400 | nothing |
//! | a stream, or the body, is larger than the host takes | 413 | nothing |
//! | too many streams, properties or chunks | 400 | nothing |
//! | too many large messages are here already ([`framed`]) | 503 | nothing |
//! | anything else, when all was put together | 5xx | the main stream, as a rescued save |
//!
//! Source: *CSPP Plus*, "GetChunkedFile", "PutChunkedFile", "GetChunks".

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http_body_util::BodyExt as _;
use wopi::chunked::{
    ChunkSignature, ChunkedFile, ChunkingScheme, Chunks, ChunksOfStream, GetChunkedFile, GetChunks, Signature,
    StreamId, StreamSignature,
};
use wopi::spooky::SpookyHash;
use wopi::zip::{Cut, ZipCutter};
use wopi::{ChunkId, WopiError};
use wopi_service::{Body, FramedBytes, Refusal};

pub(crate) use self::framed::Room;
use self::framed::{Framed, Message};
pub(crate) use self::signatures::Signatures;
use self::weave::{Lead, MainStream, Piece, Source, Weave};
use crate::caller::Caller;
use crate::errors;
use crate::host::Host;
use crate::parts::FileParts;
use crate::records::FileRecord;
use crate::shelf::READ_ATTEMPTS_MAX;

mod compose;
mod framed;
mod put;
mod signatures;
mod uploads;
mod weave;

/// How many archives' directories are read at once: they may have 16 MiB each.
pub(crate) const DIRECTORIES_AT_ONCE: usize = 2;

/// How much is read at least of an archive whose headers are looked at one after the other.
const READ_AHEAD_BYTES: u64 = 4 << 10;

fn bad(because: impl Into<String>) -> Refusal {
    let reason = because.into();
    Refusal::new(WopiError::InvalidBody { reason: reason.clone() }, reason)
}

/// The number of the state that a record is in (see [`crate::parts`]).
pub(crate) fn sequence_of(record: &FileRecord) -> u64 {
    record.version.0
}

/// One state of a file: the record, what it has beside its bytes, and where the bytes are.
struct State {
    record: FileRecord,
    parts: FileParts,
    main: Source,
    /// Whether a signature was taken from memory.
    recalled: AtomicBool,
}

/// What is to be read of a state.
enum Asked {
    File(GetChunkedFile),
    Ranges(GetChunks),
}

/// A stream of a state.
struct Stream {
    signature: Signature,
    source: Source,
}

impl Host {
    /// GetSequenceNumber.
    pub(crate) async fn sequence_number(&self, by: &Caller) -> Result<u64, Refusal> {
        Ok(sequence_of(&*self.current_of(by).await?))
    }

    /// GetChunkedFile.
    pub(crate) async fn get_chunked_file(&self, by: &Caller, body: Body) -> Result<FramedBytes, Refusal> {
        let Message { json, held } = self.only_message(body).await?;
        let asked = GetChunkedFile::parse(&json).map_err(|error| bad(error.to_string()))?;
        drop(json);
        let answer = self.read_state(by, &Asked::File(asked)).await;
        drop(held);
        answer
    }

    /// GetChunks.
    pub(crate) async fn get_chunks(&self, by: &Caller, body: Body) -> Result<FramedBytes, Refusal> {
        let Message { json, held } = self.only_message(body).await?;
        let asked = GetChunks::parse(&json).map_err(|error| bad(error.to_string()))?;
        drop(json);
        let answer = self.read_state(by, &Asked::Ranges(asked)).await;
        drop(held);
        answer
    }

    async fn only_message(&self, body: Body) -> Result<Message, Refusal> {
        let mut framed = Framed::new(body, self.settings.body_bytes_max);
        let message = framed.message(&self.message_room).await?;
        framed.end().await?;
        Ok(message)
    }

    /// Answers from the current state; again, from a later one, if it is gone before it could be read.
    async fn read_state(&self, by: &Caller, asked: &Asked) -> Result<FramedBytes, Refusal> {
        let mut record = self.current_of(by).await?.into_owned();
        for _ in 0..READ_ATTEMPTS_MAX {
            let state = self.state(record).await?;
            let weave = match asked {
                Asked::File(asked) => self.chunked_file(&state, asked).await?,
                Asked::Ranges(asked) => self.chunk_ranges(&state, asked).await?,
            };
            if let Some(mut weave) = weave
                && weave.prepare().await?
            {
                let State { record, .. } = state;
                return Ok(FramedBytes {
                    body: weave.into_body(),
                    sequence: sequence_of(&record),
                    version: record.version,
                });
            }
            record = self.current(&self.file(&state.record.id).await?).await?;
        }
        Err(Refusal::new(
            WopiError::Busy { retry_after: errors::RETRY_AFTER_SECONDS },
            "the file changed again and again while it was read",
        ))
    }

    /// A record with the parts that belong to it.
    async fn state(&self, record: FileRecord) -> Result<State, Refusal> {
        let mut record = record;
        for _ in 0..READ_ATTEMPTS_MAX {
            let parts = self.ports.registry.parts(&record.id).await;
            let parts = parts.map_err(|e| errors::registry("reading the parts of the file", &e))?;
            if parts.version > record.version {
                // Committed after the record was read.
                record = self.current(&self.file(&record.id).await?).await?;
                continue;
            }
            let tree = match &self.ports.tree {
                Some(tree) => Some((Arc::clone(tree), self.paths_of(&record).await?)),
                None => None,
            };
            let parts = parts.at(record.version, self.now());
            let contents = Arc::clone(&self.ports.contents);
            let signatures = Arc::clone(&self.signatures);
            let main = Source::Main(Arc::new(MainStream { record: record.clone(), contents, tree, signatures }));
            return Ok(State { record, parts, main, recalled: AtomicBool::new(false) });
        }
        Err(Refusal::new(
            WopiError::Busy { retry_after: errors::RETRY_AFTER_SECONDS },
            "the file changed again and again while it was read",
        ))
    }

    /// A stream of a state; one that does not exist has no chunks. `None` if the state is gone.
    async fn stream(&self, state: &State, id: &StreamId) -> Result<Option<Stream>, Refusal> {
        let source = state.main.clone();
        if id.is_main() {
            let signature = match &state.parts.main {
                Some(signature) => Some(signature.clone()),
                None => self.cut_once(state, &source).await?,
            };
            return Ok(signature.map(|signature| Stream { signature, source }));
        }
        Ok(Some(match state.parts.stream(id) {
            Some(stream) => {
                let source = Source::Content(Arc::clone(&self.ports.contents), stream.content);
                Stream { signature: stream.signature.clone(), source }
            }
            None => Stream { signature: Signature::of_nothing(), source },
        }))
    }

    /// What a main stream that came whole is made of: as it is remembered, or found by reading it.
    async fn cut_once(&self, state: &State, source: &Source) -> Result<Option<Signature>, Refusal> {
        let content = &state.record.content;
        if let Some(signature) = self.signatures.recall(&content.id) {
            state.recalled.store(true, Ordering::Relaxed);
            return Ok(Some(signature));
        }
        let signature = self.cut(source, content.size).await?;
        if let Some(signature) = &signature {
            self.signatures.remember(content.id, signature);
        }
        Ok(signature)
    }

    /// Cuts a stream that came whole, and hashes its chunks; `None` if it is gone, or is changed while it is read.
    async fn cut(&self, source: &Source, size: u64) -> Result<Option<Signature>, Refusal> {
        let reading = self.directories.acquire().await;
        let mut cutter = ZipCutter::new(size);
        let mut ahead = (0, Vec::new());
        while let Some(wanted) = cutter.wanted() {
            if let Some(bytes) = within(&ahead, &wanted) {
                cutter.give(bytes);
                continue;
            }
            // The headers of small entries lie close together.
            let end = wanted.end.max(wanted.start.saturating_add(READ_AHEAD_BYTES).min(size));
            let Some(bytes) = gathered(source, wanted.start..end).await? else { return Ok(None) };
            ahead = (wanted.start, bytes);
            cutter.give(within(&ahead, &wanted).unwrap_or_default());
        }
        let cut = cutter.cut();
        drop(reading);
        match cut {
            Cut::FullFile => hashed(source, size, ChunkingScheme::FullFile, vec![size]).await,
            Cut::Zip(lengths) => hashed(source, size, ChunkingScheme::Zip, lengths).await,
        }
    }

    async fn chunked_file(&self, state: &State, asked: &GetChunkedFile) -> Result<Option<Weave>, Refusal> {
        let (mut sources, mut pieces, mut signatures) = (Vec::new(), Vec::new(), Vec::new());
        let mut sent = HashSet::new();
        for filter in &asked.filters {
            let Some(Stream { signature, source }) = self.stream(state, &filter.stream).await? else { return Ok(None) };
            let wanted: HashSet<usize> = signature.wanted(filter.chunks, &filter.known).into_iter().collect();
            for (at, (offset, chunk)) in placed(&signature).enumerate() {
                if wanted.contains(&at) && sent.insert(chunk.id) {
                    let ChunkSignature { id, length } = *chunk;
                    pieces.push(Piece { source: sources.len(), offset, length, id, lead: Lead::Chunk });
                }
            }
            sources.push(source);
            signatures.push(StreamSignature { stream: filter.stream.clone(), signature });
        }
        let properties = asked.properties.iter().filter_map(|name| state.parts.property(name)).cloned().collect();
        let message = json(&ChunkedFile { properties, signatures })?;
        Ok(Some(Weave::framed(&message, sources, pieces)))
    }

    async fn chunk_ranges(&self, state: &State, asked: &GetChunks) -> Result<Option<Weave>, Refusal> {
        let (mut sources, mut pieces, mut found) = (Vec::new(), Vec::new(), Vec::new());
        for (id, ranges) in &asked.filters {
            let Some(Stream { signature, source }) = self.stream(state, id).await? else { return Ok(None) };
            let places: HashMap<ChunkId, (u64, u64)> =
                placed(&signature).map(|(offset, chunk)| (chunk.id, (offset, chunk.length))).collect();
            let (mut chunk_ids, mut listed) = (Vec::new(), HashSet::new());
            for range in ranges {
                // Chunks that are gone, and ranges that begin behind the end, are left out.
                let Some((start, whole)) = places.get(&range.id).filter(|(_, whole)| range.offset <= *whole) else {
                    continue;
                };
                let rest = whole - range.offset;
                let length = range.length.map_or(rest, |length| length.min(rest));
                let lead = Lead::Range { offset: range.offset, last: length == rest };
                let offset = start + range.offset;
                pieces.push(Piece { source: sources.len(), offset, length, id: range.id, lead });
                if listed.insert(range.id) {
                    chunk_ids.push(range.id);
                }
            }
            sources.push(source);
            found.push(ChunksOfStream { stream_id: id.clone(), chunk_ids });
        }
        let message = json(&Chunks { chunk_range_collection: found })?;
        Ok(Some(Weave::framed(&message, sources, pieces)))
    }
}

/// The chunks of a signature with their offsets in the stream. Signatures are bounded, so nothing overflows.
fn placed(signature: &Signature) -> impl Iterator<Item = (u64, &ChunkSignature)> {
    signature.chunks.iter().scan(0u64, |next, chunk| {
        let offset = *next;
        *next = next.saturating_add(chunk.length);
        Some((offset, chunk))
    })
}

fn json(message: &impl serde::Serialize) -> Result<Vec<u8>, Refusal> {
    serde_json::to_vec(message).map_err(|error| Refusal::internal(error.to_string()))
}

/// The part of bytes from some offset on that is in a range, if all of it is there.
fn within<'b>((start, bytes): &'b (u64, Vec<u8>), range: &Range<u64>) -> Option<&'b [u8]> {
    let at = |offset: u64| offset.checked_sub(*start).and_then(|at| usize::try_from(at).ok());
    bytes.get(at(range.start)?..at(range.end)?)
}

/// The bytes of a range, whole; `None` if they are gone, or are changed while they are read.
async fn gathered(source: &Source, range: Range<u64>) -> Result<Option<Vec<u8>>, Refusal> {
    let mut bytes = Vec::with_capacity(usize::try_from(range.end - range.start).unwrap_or(0));
    let Some(mut body) = source.open(range).await? else { return Ok(None) };
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => bytes.extend_from_slice(&frame.into_data().unwrap_or_default()),
            Err(error) => {
                tracing::debug!("a file could not be read to its end: {error}");
                return Ok(None);
            }
        }
    }
    Ok(Some(bytes))
}

/// Hashes the chunks of a stream that has so many bytes; `None` if it is gone, or is changed while it is read.
async fn hashed(
    source: &Source,
    size: u64,
    scheme: ChunkingScheme,
    lengths: Vec<u64>,
) -> Result<Option<Signature>, Refusal> {
    let mut chunks = Vec::with_capacity(lengths.len());
    let mut hash = SpookyHash::new();
    let mut lengths = lengths.into_iter().peekable();
    let Some(mut body) = source.open(0..size).await? else { return Ok(None) };
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Ok(None) };
        let Ok(data) = frame.into_data() else { continue };
        let mut data = &data[..];
        while let Some(length) = lengths.peek()
            && !data.is_empty()
        {
            let missing = usize::try_from(length - hash.length()).unwrap_or(usize::MAX);
            let (now, later) = data.split_at(missing.min(data.len()));
            hash.update(now);
            data = later;
            if hash.length() == *length {
                chunks.push(ChunkSignature { id: hash.chunk_id(), length: *length });
                hash = SpookyHash::new();
                lengths.next();
            }
        }
    }
    // The one chunk of an empty stream has no bytes to come with.
    if size == 0 && lengths.next().is_some() {
        chunks.push(ChunkSignature { id: hash.chunk_id(), length: 0 });
    }
    Ok(lengths.next().is_none().then_some(Signature { scheme, chunks }))
}

#[cfg(test)]
mod tests;
