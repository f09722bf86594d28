//! Incremental file transfer: a file as chunks, so that a change of one part moves only that part.
//!
//! *Reading.* A stream is described by its signature. A stream that a client stored in chunks has the signature it came
//! with; one that came whole is cut by us. Only the chunks that are asked for are read, and each is hashed once more
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
//! | anything else, when all was put together | 5xx | the main stream, as a rescued save |
//!
//! Source: *CSPP Plus*, "GetChunkedFile", "PutChunkedFile", "GetChunks".

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use http_body_util::BodyExt as _;
use wopi::chunked::{
    ChunkSignature, ChunkedFile, ChunkingScheme, Chunks, ChunksOfStream, GetChunkedFile, GetChunks, PutChunkedFile,
    Signature, StreamId, StreamSignature,
};
use wopi::coauth::PresentedLock;
use wopi::operation::SaveFacts;
use wopi::spooky::SpookyHash;
use wopi::zip::{Cut, ZipCutter};
use wopi::{ChunkId, WopiError};
use wopi_service::{Body, FramedBytes, PutChunkedFileDone, Refusal};

use self::framed::{Framed, Intake, Offsets, taken};
use self::weave::{Lead, MainStream, Piece, Source, Weave};
use crate::caller::Caller;
use crate::coauth::{self, ChunkedMismatch};
use crate::errors;
use crate::host::{Decided, Host};
use crate::parts::{FileParts, PartsChange};
use crate::records::{ContentId, FileRecord, Pending, Timestamp, Upload};
use crate::saving::{self, Staged};

mod framed;
mod uploads;
mod weave;

/// How often reading a file is tried against saves that go on meanwhile.
const READ_ATTEMPTS_MAX: usize = 8;

fn bad(because: impl Into<String>) -> Refusal {
    let reason = because.into();
    Refusal::new(WopiError::InvalidBody { reason: reason.clone() }, reason)
}

fn may_put(record: &FileRecord, presented: &PresentedLock, now: Timestamp) -> Result<(), ChunkedMismatch> {
    coauth::may_write_chunked(&record.lock, presented, record.content.size, now)
}

/// The number of the state that a record is in (see [`crate::parts`]).
pub(crate) fn sequence_of(record: &FileRecord) -> u64 {
    record.version.0
}

fn is_current(record: &FileRecord, sequence: u64) -> Result<(), Refusal> {
    let current = sequence_of(record);
    if sequence == current {
        return Ok(());
    }
    Err(Refusal::new(
        WopiError::StaleSequence { current },
        format!("the client saw the state {sequence} of the file, it is {current} now"),
    ))
}

/// One state of a file: the record, what it has beside its bytes, and where the bytes are.
struct State {
    record: FileRecord,
    parts: FileParts,
    main: Source,
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

/// What was put together and waits for the decision.
#[derive(Default)]
struct Woven {
    /// The main stream, if it is to be replaced.
    main: Option<Staged>,
    /// The contents of alternate streams.
    streams: Vec<ContentId>,
    change: PartsChange,
}

impl Host {
    // ── reading ──

    /// GetSequenceNumber.
    pub(crate) async fn sequence_number(&self, by: &Caller) -> Result<u64, Refusal> {
        Ok(sequence_of(&self.current(by.file()?).await?))
    }

    /// GetChunkedFile.
    pub(crate) async fn get_chunked_file(&self, by: &Caller, body: Body) -> Result<FramedBytes, Refusal> {
        let message = self.only_message(body).await?;
        let asked = GetChunkedFile::parse(&message).map_err(|error| bad(error.to_string()))?;
        self.read_state(by, &Asked::File(asked)).await
    }

    /// GetChunks.
    pub(crate) async fn get_chunks(&self, by: &Caller, body: Body) -> Result<FramedBytes, Refusal> {
        let message = self.only_message(body).await?;
        let asked = GetChunks::parse(&message).map_err(|error| bad(error.to_string()))?;
        self.read_state(by, &Asked::Ranges(asked)).await
    }

    async fn only_message(&self, body: Body) -> Result<Vec<u8>, Refusal> {
        let mut framed = Framed::new(body, self.settings.body_bytes_max);
        let message = framed.message().await?;
        framed.end().await?;
        Ok(message)
    }

    /// Answers from the current state; again, from a later one, if it is gone before it could be read.
    async fn read_state(&self, by: &Caller, asked: &Asked) -> Result<FramedBytes, Refusal> {
        let mut record = self.current(by.file()?).await?;
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
                Some(tree) => {
                    let container = self.container_path(&record.container).await?;
                    let mut paths = vec![container.join(&record.name)];
                    match &record.pending {
                        Some(Pending::Rename { from }) => paths.push(container.join(from)),
                        Some(Pending::Move { container, from }) => {
                            paths.push(self.container_path(container).await?.join(from));
                        }
                        Some(Pending::Publish { .. } | Pending::Bin) | None => {}
                    }
                    Some((Arc::clone(tree), paths))
                }
                None => None,
            };
            let parts = parts.at(record.version, self.now());
            let contents = Arc::clone(&self.ports.contents);
            let main = Source::Main(Arc::new(MainStream { record: record.clone(), contents, tree }));
            return Ok(State { record, parts, main });
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
                None => cut(&source, state.record.content.size).await?,
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

    // ── saving ──

    /// PutChunkedFile.
    pub(crate) async fn put_chunked_file(
        &self,
        by: &Caller,
        sequence: u64,
        lock: &PresentedLock,
        editors: Vec<String>,
        body: Body,
    ) -> Result<PutChunkedFileDone, Refusal> {
        let (record, _) = self.to_be_saved(&by.file()?.id).await?;
        let refused = may_put(&record, lock, self.now()).map_err(Refusal::from).err();
        if refused.is_none() {
            is_current(&record, sequence)?;
        }
        let seen = refused.is_none().then_some(sequence);
        match (self.take_in(by, record, seen, body).await, refused) {
            (taken, None) => {
                let (woven, upload) = taken?;
                let facts = SaveFacts { editors, ..SaveFacts::default() };
                let done = self.put_woven(by, sequence, lock, &facts, woven).await?;
                if let Some(upload) = upload {
                    self.close_upload(&upload).await;
                }
                Ok(done)
            }
            (Ok((woven, _)), Some(refusal)) => {
                self.keep_refused(by, woven, &refusal).await;
                Err(refusal)
            }
            (Err(_), Some(refusal)) => Err(refusal),
        }
    }

    /// Reads the body of a PutChunkedFile and puts its streams together; over the state that the client has `seen`, or,
    /// if the save is refused anyway, over whichever there is: a chunk is what its id says, wherever it is found.
    async fn take_in(
        &self,
        by: &Caller,
        record: FileRecord,
        seen: Option<u64>,
        body: Body,
    ) -> Result<(Woven, Option<Upload>), Refusal> {
        let mut framed = Framed::new(body, self.settings.body_bytes_max);
        let message = framed.message().await?;
        let message = PutChunkedFile::parse(&message).map_err(|error| bad(error.to_string()))?;
        let upload = match &message.upload_session {
            Some(token) => Some(self.upload_of(by, token).await?),
            None => None,
        };
        let wanted = self.wanted(&message)?;
        let mut sent = Vec::new();
        if let Some(upload) = &upload {
            sent.push(self.read_upload(upload, &wanted).await?);
        }
        let (gathered, offsets) = self.gather(framed, wanted).await?;
        if let Some(id) = gathered {
            sent.push((Source::Content(Arc::clone(&self.ports.contents), id), offsets));
        }
        let woven = self.weave(record, seen, message, sent).await;
        if let Some(gathered) = gathered {
            self.discard(&gathered).await;
        }
        Ok((woven?, upload))
    }

    /// Keeps the main stream of a save that was refused for its author, as a whole file, and nothing else of it.
    async fn keep_refused(&self, by: &Caller, mut woven: Woven, refusal: &Refusal) {
        if let Some(staged) = woven.main.take() {
            self.rescue(by, &staged, refusal).await;
        }
        self.discard_woven(&woven).await;
    }

    /// The chunks that the signatures of a message are made of, with their lengths.
    fn wanted(&self, message: &PutChunkedFile) -> Result<HashMap<ChunkId, u64>, Refusal> {
        let mut wanted = HashMap::new();
        let limit = self.settings.body_bytes_max;
        for StreamSignature { stream, signature } in &message.signatures {
            if signature.size().is_none_or(|size| size > limit) {
                return Err(Refusal::new(
                    WopiError::TooLarge,
                    format!("the stream {stream} is larger than {limit} bytes (limits.body_bytes_max)"),
                ));
            }
            for ChunkSignature { id, length } in &signature.chunks {
                if *wanted.entry(*id).or_insert(*length) != *length {
                    return Err(bad(format!("the chunk {id} has two lengths in the signatures")));
                }
            }
        }
        Ok(wanted)
    }

    /// Puts the wanted chunks of a body into one content; none, if there are no bytes of them.
    async fn gather(
        &self,
        framed: Framed,
        wanted: HashMap<ChunkId, u64>,
    ) -> Result<(Option<ContentId>, Offsets), Refusal> {
        let mut intake = Intake::new(framed, wanted, self.settings.body_bytes_max);
        if !intake.has_bytes().await? {
            return Ok((None, intake.into_offsets()));
        }
        let id = self.new_content_id();
        let (intake, body) = intake.into_body();
        let stored = self.ports.contents.put(&id, body, self.settings.body_bytes_max).await;
        // What is wrong with the chunks says more than that their body failed.
        let offsets = taken(&intake).await?;
        stored.map_err(|e| errors::contents("storing the chunks", &e))?;
        Ok((Some(id), offsets))
    }

    /// Puts the streams of a message together. What was put together so far is removed if that fails.
    async fn weave(
        &self,
        record: FileRecord,
        seen: Option<u64>,
        message: PutChunkedFile,
        sent: Vec<(Source, Offsets)>,
    ) -> Result<Woven, Refusal> {
        let is_current = |record: &FileRecord| seen.map_or(Ok(()), |seen| is_current(record, seen));
        let state = self.state(record).await?;
        is_current(&state.record)?;
        let id = state.record.id.clone();
        let (sources, places) = self.places(&state, &message, sent).await?;
        let mut woven = Woven::default();
        match self.weave_streams(&sources, &places, message, &mut woven).await {
            Ok(()) => Ok(woven),
            Err(refusal) => {
                self.discard_woven(&woven).await;
                // Bytes that were not what they should be any more may be those of another program by now.
                let now = self.current(&self.file(&id).await?).await?;
                is_current(&now)?;
                Err(refusal)
            }
        }
    }

    /// Where the chunks of a message are: in what was sent for it, else in a stream of the file as it stands.
    async fn places(
        &self,
        state: &State,
        message: &PutChunkedFile,
        sent: Vec<(Source, Offsets)>,
    ) -> Result<(Vec<Source>, HashMap<ChunkId, Place>), Refusal> {
        let mut sources = Vec::new();
        let mut places = HashMap::new();
        let mut missing = HashMap::new();
        for chunk in message.signatures.iter().flat_map(|of| &of.signature.chunks) {
            let came = |(source, (_, offsets)): (usize, &(Source, Offsets))| {
                offsets.get(&chunk.id).map(|offset| Place { source, offset: *offset })
            };
            match sent.iter().enumerate().find_map(came) {
                Some(place) => places.insert(chunk.id, place).is_some(),
                // Nothing has to be found for no bytes, but their id has to be theirs.
                None if chunk.length == 0 && chunk.id == ChunkId::of(&[]) => {
                    places.insert(chunk.id, Place { source: 0, offset: 0 }).is_some()
                }
                None => missing.insert(chunk.id, chunk.length).is_some(),
            };
        }
        sources.extend(sent.into_iter().map(|(source, _)| source));
        // The main stream last: if it came whole, it has to be read to know its chunks.
        let streams = state.parts.streams.iter().map(|stream| stream.id.clone()).chain([StreamId::main()]);
        for id in streams {
            if missing.is_empty() {
                break;
            }
            let Some(Stream { signature, source }) = self.stream(state, &id).await? else {
                return Err(Refusal::new(
                    WopiError::Busy { retry_after: errors::RETRY_AFTER_SECONDS },
                    "the file was changed while it was read",
                ));
            };
            for (offset, chunk) in placed(&signature) {
                if missing.get(&chunk.id) == Some(&chunk.length) {
                    missing.remove(&chunk.id);
                    places.insert(chunk.id, Place { source: sources.len(), offset });
                }
            }
            sources.push(source);
        }
        match missing.keys().next() {
            Some(id) => Err(bad(format!("the chunk {id} is neither in the body nor in the file as it stands"))),
            None => Ok((sources, places)),
        }
    }

    async fn weave_streams(
        &self,
        sources: &[Source],
        places: &HashMap<ChunkId, Place>,
        message: PutChunkedFile,
        woven: &mut Woven,
    ) -> Result<(), Refusal> {
        woven.change.properties = message.properties;
        for StreamSignature { stream, signature } in message.signatures {
            if signature.chunks.is_empty() && !stream.is_main() {
                woven.change.streams.push((stream, None));
                continue;
            }
            let piece = |ChunkSignature { id, length }: &ChunkSignature| {
                let place = places.get(id)?;
                Some(Piece {
                    source: place.source,
                    offset: place.offset,
                    length: *length,
                    id: *id,
                    lead: Lead::Nothing,
                })
            };
            let pieces: Option<Vec<Piece>> = signature.chunks.iter().map(piece).collect();
            let Some(pieces) = pieces else { return Err(Refusal::internal("a chunk was lost")) };
            let id = self.new_content_id();
            let body = Weave::new(sources.to_vec(), pieces).into_body();
            let stored = self.ports.contents.put(&id, body, self.settings.body_bytes_max).await;
            let stored = stored.map_err(|error| match error {
                // It is our own body that failed, not the client's.
                crate::ports::ContentsError::Body(_) => {
                    Refusal::internal(format!("putting the stream {stream} together: {}", errors::chain(&error)))
                }
                error => errors::contents("storing a stream", &error),
            })?;
            if stream.is_main() {
                woven.main = Some(Staged { id, stored });
                woven.change.main = Some(signature);
            } else {
                woven.streams.push(id);
                woven.change.streams.push((stream, Some((id, signature))));
            }
        }
        Ok(())
    }

    /// Commits what was put together, and makes the folder show it.
    async fn put_woven(
        &self,
        by: &Caller,
        sequence: u64,
        lock: &PresentedLock,
        facts: &SaveFacts,
        woven: Woven,
    ) -> Result<PutChunkedFileDone, Refusal> {
        match self.commit_woven(by, sequence, lock, facts, &woven).await {
            Ok(record) => {
                let record = match &woven.main {
                    Some(staged) => self.show_saved(record, staged).await,
                    None => record,
                };
                Ok(PutChunkedFileDone { sequence: sequence_of(&record), version: record.version })
            }
            Err(refusal) => {
                if matches!(refusal.error, WopiError::StaleSequence { .. } | WopiError::InvalidBody { .. }) {
                    self.discard_woven(&woven).await;
                } else {
                    self.keep_refused(by, woven, &refusal).await;
                }
                Err(refusal)
            }
        }
    }

    async fn commit_woven(
        &self,
        by: &Caller,
        sequence: u64,
        lock: &PresentedLock,
        facts: &SaveFacts,
        woven: &Woven,
    ) -> Result<FileRecord, Refusal> {
        let id = &by.file()?.id;
        let (record, shown) = self.to_be_saved(id).await?;
        let parts = self.ports.registry.parts(id).await;
        let parts = parts.map_err(|e| errors::registry("reading the parts of the file", &e))?;
        let parts = parts.at(record.version, self.now());
        let (record, ()) = self
            .update_parts_shown(id, Some(&record), |record, now| {
                may_put(record, lock, now)?;
                is_current(record, sequence)?;
                let replaced = match &woven.main {
                    Some(staged) => saving::save(record, staged, facts, &by.user.id, shown, now),
                    None => {
                        record.version = record.version.next();
                        None
                    }
                };
                // Parts change only with the version, so what was read for this one still holds.
                let parts = parts.changed(&woven.change, record.version, now).map_err(|e| bad(e.to_string()))?;
                Ok(Decided { told: (), replaced, parts: Some(parts) })
            })
            .await?;
        Ok(record)
    }

    async fn discard_woven(&self, woven: &Woven) {
        for id in woven.main.iter().map(|staged| &staged.id).chain(&woven.streams) {
            self.discard(id).await;
        }
    }
}

/// Where the bytes of a chunk are.
struct Place {
    source: usize,
    offset: u64,
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

/// Cuts a stream that came whole, and hashes its chunks; `None` if it is gone, or is changed while it is read.
async fn cut(source: &Source, size: u64) -> Result<Option<Signature>, Refusal> {
    let mut cutter = ZipCutter::new(size);
    while let Some(wanted) = cutter.wanted() {
        let Some(body) = source.open(wanted).await? else { return Ok(None) };
        match body.collect().await {
            Ok(bytes) => cutter.give(&bytes.to_bytes()),
            Err(error) => {
                tracing::debug!("a file could not be read to its end: {error}");
                return Ok(None);
            }
        }
    }
    let (scheme, lengths) = match cutter.cut() {
        Cut::FullFile => (ChunkingScheme::FullFile, vec![size]),
        Cut::Zip(lengths) => (ChunkingScheme::Zip, lengths),
    };
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
