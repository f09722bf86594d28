//! PutChunkedFile: the chunks are taken in, the streams put together, and the whole committed (the table of refusals is
//! in [`super`]).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use wopi::chunked::{ChunkSignature, PutChunkedFile, StreamId, StreamSignature};
use wopi::coauth::PresentedLock;
use wopi::operation::SaveFacts;
use wopi::spooky::SpookyHash;
use wopi::{ChunkId, WopiError};
use wopi_service::{Body, PutChunkedFileDone, Refusal};

use super::framed::{Framed, Intake, Message, Offsets, taken};
use super::weave::{Lead, Piece, Source, Weave};
use super::{State, Stream, bad, placed, sequence_of};
use crate::caller::Caller;
use crate::coauth::{self, ChunkedMismatch};
use crate::errors;
use crate::host::{Decided, Host};
use crate::parts::PartsChange;
use crate::records::{ContentId, FileRecord, Timestamp, Upload};
use crate::saving::{self, Staged};

fn may_put(record: &FileRecord, presented: &PresentedLock, now: Timestamp) -> Result<(), ChunkedMismatch> {
    coauth::may_write_chunked(&record.lock, presented, record.content.size, now)
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

/// What was put together and waits for the decision.
#[derive(Default)]
struct Woven {
    /// The main stream, if it is to be replaced.
    main: Option<Staged>,
    /// The contents of alternate streams.
    streams: Vec<ContentId>,
    /// What came with the request. Not needed any more, unless a stream is made of pieces of it.
    gathered: Option<ContentId>,
    change: PartsChange,
}

impl Host {
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
        let Message { json, held } = framed.message(&self.message_room).await?;
        let message = PutChunkedFile::parse(&json).map_err(|error| bad(error.to_string()))?;
        drop(json);
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
            sent.push((Source::Sent(Arc::clone(&self.ports.contents), id), offsets));
        }
        let woven = self.weave(record, seen, message, sent).await;
        drop(held);
        match woven {
            Ok(woven) => Ok((Woven { gathered, ..woven }, upload)),
            Err(refusal) => {
                self.discard_woven(&Woven { gathered, ..Woven::default() }).await;
                Err(refusal)
            }
        }
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

    /// Puts the streams of a message together; once more, if that fails by a signature that was only remembered.
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
        let refusal = match self.weave_over(&state, &message, &sent).await {
            Ok(woven) => return Ok(woven),
            Err(refusal) => refusal,
        };
        // Bytes that were not what they should be any more may be those of another program by now.
        let now = self.current(&self.file(&state.record.id).await?).await?;
        is_current(&now)?;
        let may_be_wrong = matches!(refusal.error, WopiError::InvalidBody { .. } | WopiError::Internal);
        if !may_be_wrong || !state.recalled.load(Ordering::Relaxed) {
            return Err(refusal);
        }
        tracing::debug!("a save is put together again, over the file as it is: {refusal}");
        self.signatures.forget(&state.record.content.id);
        let state = self.state(now).await?;
        is_current(&state.record)?;
        self.weave_over(&state, &message, &sent).await
    }

    /// Puts the streams of a message together over one state. What was put together so far is removed if that fails.
    async fn weave_over(
        &self,
        state: &State,
        message: &PutChunkedFile,
        sent: &[(Source, Offsets)],
    ) -> Result<Woven, Refusal> {
        let (sources, places) = self.places(state, message, sent).await?;
        let mut woven = Woven::default();
        match self.weave_streams(&sources, &places, message, &mut woven).await {
            Ok(()) => Ok(woven),
            Err(refusal) => {
                self.discard_woven(&woven).await;
                Err(refusal)
            }
        }
    }

    /// Where the chunks of a message are: in what was sent for it, else in a stream of the file as it stands.
    async fn places(
        &self,
        state: &State,
        message: &PutChunkedFile,
        sent: &[(Source, Offsets)],
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
                None if chunk.length == 0 && SpookyHash::new().is_called(chunk.id) => {
                    places.insert(chunk.id, Place { source: 0, offset: 0 }).is_some()
                }
                None => missing.insert(chunk.id, chunk.length).is_some(),
            };
        }
        sources.extend(sent.iter().map(|(source, _)| source.clone()));
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
        message: &PutChunkedFile,
        woven: &mut Woven,
    ) -> Result<(), Refusal> {
        woven.change.properties.clone_from(&message.properties);
        for StreamSignature { stream, signature } in &message.signatures {
            if signature.chunks.is_empty() && !stream.is_main() {
                woven.change.streams.push((stream.clone(), None));
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
            let staged = match self.compose(sources, &pieces).await? {
                Some(staged) => staged,
                None => self.write_woven(stream, sources, pieces).await?,
            };
            if stream.is_main() {
                woven.main = Some(staged);
                woven.change.main = Some(signature.clone());
            } else {
                woven.streams.push(staged.id);
                woven.change.streams.push((stream.clone(), Some((staged.id, signature.clone()))));
            }
        }
        Ok(())
    }

    /// A stream as bytes of its own.
    async fn write_woven(&self, stream: &StreamId, sources: &[Source], pieces: Vec<Piece>) -> Result<Staged, Refusal> {
        let id = self.new_content_id();
        let body = Weave::new(sources.to_vec(), pieces).into_body();
        let stored = self.ports.contents.put(&id, body, self.settings.body_bytes_max).await;
        let stored = stored.map_err(|error| match error {
            // It is our own body that failed, not the client's.
            crate::ports::ContentsError::Body(_) => {
                errors::own_body(&format!("putting the stream {stream} together"), &error)
            }
            error => errors::contents("storing a stream", &error),
        })?;
        Ok(Staged { id, stored })
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
                if let Some(gathered) = &woven.gathered {
                    self.discard(gathered).await;
                }
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
        // What came last: the others may be made of pieces of it.
        for id in woven.main.iter().map(|staged| &staged.id).chain(&woven.streams).chain(&woven.gathered) {
            self.discard(id).await;
        }
    }
}

/// Where the bytes of a chunk are.
struct Place {
    source: usize,
    offset: u64,
}
