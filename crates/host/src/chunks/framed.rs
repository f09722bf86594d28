//! Bodies of requests in frames: the message, and chunks that go to a content as they come.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use futures_util::stream;
use http_body_util::{BodyExt as _, StreamBody};
use tokio::sync::Mutex;
use wopi::ChunkId;
use wopi::WopiError;
use wopi::frames::{self, Event, FrameLimits, FrameReader};
use wopi::spooky::SpookyHash;
use wopi_service::{Body, Refusal};

use super::bad;

/// What a body has next.
pub(super) enum Found {
    Message(Vec<u8>),
    Chunk { id: ChunkId, length: u64 },
    ChunkRange,
    Data(Bytes),
    ChunkEnd,
    End,
}

/// A body in frames.
pub(super) struct Framed {
    body: Body,
    reader: FrameReader,
    rest: Bytes,
}

impl Framed {
    pub(super) fn new(body: Body, chunk_bytes_max: u64) -> Self {
        let reader = FrameReader::new(FrameLimits::with_chunks_of(chunk_bytes_max));
        Self { body, reader, rest: Bytes::new() }
    }

    /// What an upload gathered: chunks, without a message or an end.
    pub(super) fn of_chunks(body: Body, chunk_bytes_max: u64) -> Self {
        let reader = FrameReader::of_chunks(FrameLimits::with_chunks_of(chunk_bytes_max));
        Self { body, reader, rest: Bytes::new() }
    }

    pub(super) async fn next(&mut self) -> Result<Found, Refusal> {
        loop {
            let mut input = &self.rest[..];
            let event = self.reader.next(&mut input).map_err(|error| refused(&error))?;
            let left = input.len();
            let found = match event {
                None => None,
                Some(Event::Message(message)) => Some(Found::Message(message)),
                Some(Event::Chunk { id, length }) => Some(Found::Chunk { id, length }),
                Some(Event::ChunkRange(_)) => Some(Found::ChunkRange),
                Some(Event::Data(data)) => Some(Found::Data(self.rest.slice_ref(data))),
                Some(Event::ChunkEnd) => Some(Found::ChunkEnd),
                Some(Event::End) => Some(Found::End),
            };
            self.rest.advance(self.rest.len() - left);
            if let Some(found) = found {
                return Ok(found);
            }
            match self.body.frame().await {
                Some(Ok(frame)) => self.rest = frame.into_data().unwrap_or_default(),
                Some(Err(error)) => return Err(bad(format!("the body ended early: {error}"))),
                None => {
                    self.reader.finish().map_err(|error| refused(&error))?;
                    return Ok(Found::End);
                }
            }
        }
    }

    /// The message, which is the first frame.
    pub(super) async fn message(&mut self) -> Result<Vec<u8>, Refusal> {
        match self.next().await? {
            Found::Message(message) => Ok(message),
            _ => Err(bad("there is no message")),
        }
    }

    /// Sees to it that nothing but the end follows.
    pub(super) async fn end(&mut self) -> Result<(), Refusal> {
        match self.next().await? {
            Found::End => Ok(()),
            _ => Err(bad("nothing but the end may follow the message")),
        }
    }
}

fn refused(error: &wopi::frames::FrameError) -> Refusal {
    Refusal::new(WopiError::from(*error), error.to_string())
}

/// Where chunks stand in the content that they were gathered in.
pub(super) type Offsets = HashMap<ChunkId, u64>;

/// Chunks on their way into a content: only those that are wanted, each once, one after the other, and each checked
/// against its id when its last byte has come.
pub(super) struct Intake {
    framed: Framed,
    /// What the signatures say of the chunks in them.
    wanted: HashMap<ChunkId, u64>,
    offsets: Offsets,
    gathered: u64,
    /// How many bytes of chunks came, and how many may.
    received: u64,
    received_max: u64,
    open: Option<Open>,
    first: Option<Bytes>,
    refusal: Option<Refusal>,
}

struct Open {
    id: ChunkId,
    hash: SpookyHash,
    keep: bool,
    offset: u64,
}

impl Intake {
    pub(super) fn new(framed: Framed, wanted: HashMap<ChunkId, u64>, received_max: u64) -> Self {
        Self {
            framed,
            wanted,
            offsets: Offsets::new(),
            gathered: 0,
            received: 0,
            received_max,
            open: None,
            first: None,
            refusal: None,
        }
    }

    /// Whether there are any bytes to gather. If not, the body was read to its end.
    pub(super) async fn has_bytes(&mut self) -> Result<bool, Refusal> {
        self.first = self.next().await?;
        Ok(self.first.is_some())
    }

    /// The bytes to be gathered, as a body; what is known of them is told by [`taken`] when it was read.
    pub(super) fn into_body(self) -> (Arc<Mutex<Self>>, Body) {
        let intake = Arc::new(Mutex::new(self));
        let frames = stream::try_unfold(Arc::clone(&intake), |intake| async move {
            let mut taking = intake.lock().await;
            if let Some(first) = taking.first.take() {
                drop(taking);
                return Ok(Some((http_body::Frame::data(first), intake)));
            }
            match taking.next().await {
                Ok(next) => {
                    drop(taking);
                    Ok(next.map(|bytes| (http_body::Frame::data(bytes), intake)))
                }
                Err(refusal) => {
                    let error = refusal.to_string();
                    taking.refusal = Some(refusal);
                    Err(error.into())
                }
            }
        });
        (intake, StreamBody::new(frames).boxed_unsync())
    }

    pub(super) fn into_offsets(self) -> Offsets {
        self.offsets
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        loop {
            match self.framed.next().await? {
                Found::Chunk { id, length } => {
                    self.received = self.received.saturating_add(length);
                    if self.received > self.received_max {
                        let limit = self.received_max;
                        return Err(Refusal::new(
                            WopiError::TooLarge,
                            format!("the chunks are larger than {limit} bytes together (limits.body_bytes_max)"),
                        ));
                    }
                    let keep = match self.wanted.get(&id) {
                        Some(wanted) if *wanted != length => {
                            return Err(bad(format!("the chunk {id} has {length} bytes, but {wanted} in a signature")));
                        }
                        Some(_) => !self.offsets.contains_key(&id),
                        None => false,
                    };
                    self.open = Some(Open { id, hash: SpookyHash::new(), keep, offset: self.gathered });
                }
                Found::Data(bytes) => {
                    if let Some(open) = &mut self.open {
                        open.hash.update(&bytes);
                        if open.keep {
                            self.gathered += bytes.len() as u64;
                            return Ok(Some(bytes));
                        }
                    }
                }
                Found::ChunkEnd => {
                    if let Some(Open { id, hash, keep, offset }) = self.open.take() {
                        if hash.chunk_id() != id {
                            return Err(bad(format!("a chunk that is called {id} has another hash")));
                        }
                        if keep {
                            self.offsets.insert(id, offset);
                        }
                    }
                }
                Found::End => return Ok(None),
                Found::Message(_) | Found::ChunkRange => return Err(bad("only whole chunks may follow the message")),
            }
        }
    }
}

/// What became of an intake whose body was read: where the chunks are, or why they were refused.
pub(super) async fn taken(intake: &Mutex<Intake>) -> Result<Offsets, Refusal> {
    let mut intake = intake.lock().await;
    match intake.refusal.take() {
        Some(refusal) => Err(refusal),
        None => Ok(std::mem::take(&mut intake.offsets)),
    }
}

/// Reads what an upload gathered: where in it the payloads of the wanted chunks begin, each checked against its id and
/// against the length that the signatures say.
pub(super) async fn scan(mut framed: Framed, wanted: &HashMap<ChunkId, u64>) -> Result<Offsets, Refusal> {
    let mut offsets = Offsets::new();
    let mut at = 0;
    let mut open = None;
    loop {
        match framed.next().await? {
            Found::Chunk { id, length } => {
                if wanted.get(&id).is_some_and(|wanted| *wanted != length) {
                    return Err(bad(format!("the chunk {id} of the upload has another length than in a signature")));
                }
                at += frames::chunk_header(id, length).len() as u64;
                open = Some((id, at, SpookyHash::new()));
                at += length;
            }
            Found::Data(bytes) => {
                if let Some((_, _, hash)) = &mut open {
                    hash.update(&bytes);
                }
            }
            Found::ChunkEnd => {
                if let Some((id, offset, hash)) = open.take() {
                    if hash.chunk_id() != id {
                        return Err(bad(format!("a chunk of the upload that is called {id} has another hash")));
                    }
                    if wanted.contains_key(&id) {
                        offsets.entry(id).or_insert(offset);
                    }
                }
            }
            Found::End => return Ok(offsets),
            Found::Message(_) | Found::ChunkRange => return Err(bad("an upload consists of whole chunks only")),
        }
    }
}
