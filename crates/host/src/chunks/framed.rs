//! Bodies of requests in frames: the message, and chunks that go to a content as they come.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use futures_util::stream;
use http_body_util::{BodyExt as _, StreamBody};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use wopi::ChunkId;
use wopi::WopiError;
use wopi::frames::{self, Event, FrameLimits, FrameReader};
use wopi::spooky::SpookyHash;
use wopi_service::{Body, Refusal};

use super::bad;
use crate::errors;

/// How many bytes a message has that no room is asked for: it names some four thousand chunks.
const MESSAGE_BYTES_USUAL: usize = 256 << 10;

/// How many larger ones are held at once, by all requests together. They may have 16 MiB, and what is read from them
/// takes as much again; but a document with so many parts is rare.
const LARGE_MESSAGES_MAX: usize = 2;

/// Room for large messages.
#[derive(Clone, Debug)]
pub(crate) struct Room(Arc<Semaphore>);

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LARGE_MESSAGES_MAX)))
    }
}

/// A message, and the room that it and what is read from it take.
pub(super) struct Message {
    pub(super) json: Vec<u8>,
    pub(super) held: Option<OwnedSemaphorePermit>,
}

/// What a body has next.
pub(super) enum Found {
    Message(Vec<u8>),
    /// Nothing yet; the message is larger than usual.
    MoreOfMessage,
    Chunk {
        id: ChunkId,
        length: u64,
    },
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
    /// How many bytes came, and after how many to ask for room: none but those of a message count.
    came: usize,
    came_max: usize,
    /// Whether it is read from what we keep, so that it is not the client's fault if it breaks off.
    is_ours: bool,
}

impl Framed {
    pub(super) fn new(body: Body, chunk_bytes_max: u64) -> Self {
        let reader = FrameReader::new(FrameLimits::with_chunks_of(chunk_bytes_max));
        Self { body, reader, rest: Bytes::new(), came: 0, came_max: usize::MAX, is_ours: false }
    }

    /// What an upload gathered: chunks, without a message or an end.
    pub(super) fn of_chunks(body: Body, chunk_bytes_max: u64) -> Self {
        let reader = FrameReader::of_chunks(FrameLimits::with_chunks_of(chunk_bytes_max));
        Self { body, reader, rest: Bytes::new(), came: 0, came_max: usize::MAX, is_ours: true }
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
            if self.came > self.came_max {
                return Ok(Found::MoreOfMessage);
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    self.rest = frame.into_data().unwrap_or_default();
                    self.came = self.came.saturating_add(self.rest.len());
                }
                Some(Err(error)) if self.is_ours => return Err(errors::own_body("reading an upload", &*error)),
                Some(Err(error)) => return Err(bad(format!("the body ended early: {error}"))),
                None => {
                    self.reader.finish().map_err(|error| refused(&error))?;
                    return Ok(Found::End);
                }
            }
        }
    }

    /// The message, which is the first frame. A large one is refused for now if there are too many of them.
    pub(super) async fn message(&mut self, room: &Room) -> Result<Message, Refusal> {
        self.came_max = MESSAGE_BYTES_USUAL;
        let mut held = None;
        loop {
            match self.next().await? {
                Found::Message(json) => {
                    self.came_max = usize::MAX;
                    return Ok(Message { json, held });
                }
                Found::MoreOfMessage => {
                    self.came_max = usize::MAX;
                    let taken = Arc::clone(&room.0).try_acquire_owned();
                    held = Some(taken.map_err(|_| {
                        Refusal::new(
                            WopiError::Busy { retry_after: errors::RETRY_AFTER_SECONDS },
                            format!(
                                "{LARGE_MESSAGES_MAX} messages beyond {MESSAGE_BYTES_USUAL} bytes are here already"
                            ),
                        )
                    })?);
                }
                _ => return Err(bad("there is no message")),
            }
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
                        if !hash.is_called(id) {
                            return Err(bad(format!("a chunk that is called {id} has another hash")));
                        }
                        if keep {
                            self.offsets.insert(id, offset);
                        }
                    }
                }
                Found::End => return Ok(None),
                Found::Message(_) | Found::MoreOfMessage | Found::ChunkRange => {
                    return Err(bad("only whole chunks may follow the message"));
                }
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
                    if !hash.is_called(id) {
                        return Err(bad(format!("a chunk of the upload that is called {id} has another hash")));
                    }
                    if wanted.contains_key(&id) {
                        offsets.entry(id).or_insert(offset);
                    }
                }
            }
            Found::End => return Ok(offsets),
            Found::Message(_) | Found::MoreOfMessage | Found::ChunkRange => {
                return Err(bad("an upload consists of whole chunks only"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::ContentsError;

    #[tokio::test]
    async fn only_so_many_large_messages_are_held_at_once_and_usual_ones_always() {
        let room = Room::default();
        let of = |length: usize| Framed::new(wopi_service::full(frames::message(&vec![b' '; length])), 1);
        let large = 2 * MESSAGE_BYTES_USUAL;
        let mut held = Vec::new();
        for _ in 0..LARGE_MESSAGES_MAX {
            held.push(in_pieces(large).message(&room).await.unwrap());
        }
        let refused = in_pieces(large).message(&room).await.err().map(|refusal| refusal.error);
        assert_eq!(refused, Some(WopiError::Busy { retry_after: errors::RETRY_AFTER_SECONDS }));
        assert!(of(large / 4).message(&room).await.is_ok());
        held.pop();
        assert_eq!(in_pieces(large).message(&room).await.unwrap().json.len(), large);
    }

    #[tokio::test]
    async fn an_upload_that_breaks_off_is_not_the_clients_fault_and_a_request_is() {
        let breaks_off = || {
            let away = ContentsError::Unavailable("the store is away".into());
            let frames = [Err::<http_body::Frame<Bytes>, wopi_service::BoxError>(away.into())];
            StreamBody::new(stream::iter(frames)).boxed_unsync()
        };
        let told = async |mut framed: Framed| framed.next().await.err().map(|refusal| refusal.error);
        let busy = WopiError::Busy { retry_after: errors::RETRY_AFTER_SECONDS };
        assert_eq!(told(Framed::of_chunks(breaks_off(), 1)).await, Some(busy));
        assert!(matches!(told(Framed::new(breaks_off(), 1)).await, Some(WopiError::InvalidBody { .. })));
    }

    /// As a network would bring it.
    fn in_pieces(length: usize) -> Framed {
        let bytes = frames::message(&vec![b' '; length]);
        let pieces: Vec<_> =
            bytes.chunks(1000).map(|piece| Ok(http_body::Frame::data(Bytes::copy_from_slice(piece)))).collect();
        Framed::new(StreamBody::new(stream::iter(pieces)).boxed_unsync(), 1)
    }
}
