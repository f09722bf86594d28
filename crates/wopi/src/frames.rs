//! The frames in which incremental file transfer sends messages and chunks, read and written without I/O.
//!
//! A body is a run of frames: first one message, then chunks in any order, then an end frame; what follows that is
//! ignored. Every number is big-endian.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | type |
//! | 4 | 4 | size of the extended header |
//! | 8 | 8 | size of the payload |
//! | 16 | | extended header, then payload |
//!
//! | type | name | extended header | payload |
//! |---|---|---|---|
//! | 1 | EndFrame | – | – |
//! | 2 | MessageJSON | – | UTF-8 JSON |
//! | 3 | Chunk | id (16) | the whole chunk |
//! | 4 | ChunkRange | id (16), offset (8), length (8), flags (4) | the bytes of the range |
//!
//! Sizes come from whoever sends, so none is believed: a frame that announces more than is allowed is refused before
//! anything is allocated, and what is allocated grows with the bytes that come. Chunks are never held at all.
//!
//! Source: *CSPP Plus*, "Encode and send data".

use std::fmt;

use crate::error::WopiError;
use crate::spooky::ChunkId;

/// Largest message, in bytes.
pub const MESSAGE_BYTES_MAX: u64 = 16 << 20;

/// How many chunks one body may hold, and one file have. A document of so many parts is none.
pub const CHUNKS_MAX: usize = 65_536;

const END: u32 = 1;
const MESSAGE: u32 = 2;
const CHUNK: u32 = 3;
const CHUNK_RANGE: u32 = 4;

const HEADER_LENGTH: usize = 16;
const CHUNK_EXTENDED_LENGTH: usize = 16;
const RANGE_EXTENDED_LENGTH: usize = 36;

/// The bytes of an end frame.
pub const END_FRAME: [u8; HEADER_LENGTH] = header(END, 0, 0);

/// Which part of a chunk a frame holds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ChunkRange {
    /// Of which chunk.
    pub id: ChunkId,
    /// Where in the chunk it begins.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
    /// Whether it reaches the end of the chunk.
    pub last: bool,
}

/// What a reader found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event<'a> {
    /// The message, whole.
    Message(Vec<u8>),
    /// A chunk begins.
    Chunk {
        /// What the sender calls it. Nobody checked yet that the bytes have that hash.
        id: ChunkId,
        /// How many bytes it has.
        length: u64,
    },
    /// A part of a chunk begins.
    ChunkRange(ChunkRange),
    /// More bytes of the chunk or part that began; never none.
    Data(&'a [u8]),
    /// The chunk or part has ended.
    ChunkEnd,
    /// The end frame. Nothing that follows is looked at.
    End,
}

/// What may come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameLimits {
    /// Largest message, in bytes.
    pub message_bytes_max: u64,
    /// How many chunks and parts.
    pub chunks_max: usize,
    /// Largest chunk, in bytes.
    pub chunk_bytes_max: u64,
}

impl FrameLimits {
    /// [`MESSAGE_BYTES_MAX`], [`CHUNKS_MAX`], and chunks of this size.
    pub fn with_chunks_of(chunk_bytes_max: u64) -> Self {
        Self { message_bytes_max: MESSAGE_BYTES_MAX, chunks_max: CHUNKS_MAX, chunk_bytes_max }
    }
}

/// Why bytes are no frames, or not in this order, or too many.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameError {
    /// A type that nobody knows.
    UnknownType(u32),
    /// The extended header has another size than the type wants.
    ExtendedHeader {
        /// The type.
        frame: u32,
        /// The size that was announced.
        length: u32,
    },
    /// An end frame with a payload, a message without one, a part whose two lengths differ.
    Payload {
        /// The type.
        frame: u32,
        /// The size that was announced.
        length: u64,
    },
    /// A part of a chunk with flags that are not defined.
    Flags(u32),
    /// The first frame is no message, a later one is, or one of them stands where only chunks may.
    OutOfPlace(u32),
    /// The bytes ended before the end frame, or within a frame.
    EndedEarly,
    /// More than [`FrameLimits::chunks_max`].
    TooManyChunks,
    /// A message larger than [`FrameLimits::message_bytes_max`].
    MessageTooLarge(u64),
    /// A chunk larger than [`FrameLimits::chunk_bytes_max`].
    ChunkTooLarge(u64),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownType(frame) => write!(f, "there are no frames of type {frame}"),
            Self::ExtendedHeader { frame, length } => {
                write!(f, "a frame of type {frame} has no extended header of {length} bytes")
            }
            Self::Payload { frame, length } => write!(f, "this frame of type {frame} cannot have {length} bytes"),
            Self::Flags(flags) => write!(f, "the flags {flags:#x} of a part of a chunk are not defined"),
            Self::OutOfPlace(frame) => write!(f, "a frame of type {frame} has no place here"),
            Self::EndedEarly => f.write_str("the frames ended early"),
            Self::TooManyChunks => f.write_str("there are too many chunks"),
            Self::MessageTooLarge(length) => write!(f, "a message of {length} bytes is too large"),
            Self::ChunkTooLarge(length) => write!(f, "a chunk of {length} bytes is too large"),
        }
    }
}

impl std::error::Error for FrameError {}

impl From<FrameError> for WopiError {
    /// 413 where the host could take it if it wanted to, 400 for everything else.
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::ChunkTooLarge(_) => Self::TooLarge,
            error => Self::InvalidBody { reason: error.to_string() },
        }
    }
}

/// Where a reader is.
#[derive(Clone, PartialEq, Eq, Debug)]
enum At {
    /// In a header, or at the border before it.
    Header,
    /// In the extended header of this type, with this size of payload to follow.
    Extended { frame: u32, payload: u64 },
    /// In the message, of which so much is missing.
    Message { left: u64 },
    /// In the bytes of a chunk, of which so much is missing.
    Chunk { left: u64 },
    /// Behind the end frame.
    End,
}

/// Reads frames from pieces of a body, however it was cut.
///
/// ```
/// use wopi::frames::{self, Event, FrameLimits, FrameReader};
///
/// let body = [frames::message(b"{}"), frames::END_FRAME.to_vec()].concat();
/// let mut reader = FrameReader::new(FrameLimits::with_chunks_of(1 << 30));
/// let mut events = Vec::new();
/// for piece in body.chunks(7) {
///     let mut piece = piece;
///     while let Some(event) = reader.next(&mut piece)? {
///         events.push(event);
///     }
/// }
/// reader.finish()?;
/// assert_eq!(events, [Event::Message(b"{}".to_vec()), Event::End]);
/// # Ok::<_, frames::FrameError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FrameReader {
    limits: FrameLimits,
    /// Only chunks come, without a message and without an end frame.
    chunks_only: bool,
    at: At,
    /// The beginning of a header or extended header.
    held: [u8; RANGE_EXTENDED_LENGTH],
    held_length: usize,
    message: Vec<u8>,
    message_seen: bool,
    chunks: usize,
}

impl FrameReader {
    /// A reader for a body: a message, chunks, an end frame.
    pub fn new(limits: FrameLimits) -> Self {
        Self {
            limits,
            chunks_only: false,
            at: At::Header,
            held: [0; RANGE_EXTENDED_LENGTH],
            held_length: 0,
            message: Vec::new(),
            message_seen: false,
            chunks: 0,
        }
    }

    /// A reader for what an upload session gathers: whole chunks and nothing else.
    pub fn of_chunks(limits: FrameLimits) -> Self {
        Self { chunks_only: true, ..Self::new(limits) }
    }

    /// The next thing in `input`, which is shortened by what was read. `None` if more is needed; all of the input was
    /// read then. After [`Event::End`] everything is read and nothing found.
    ///
    /// # Errors
    ///
    /// [`FrameError`]; what was read is no use then, and the reader neither.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Event<'a>>, FrameError> {
        loop {
            match self.at {
                At::Header => {
                    let Some(header) = self.gather::<HEADER_LENGTH>(input) else { return Ok(None) };
                    if self.begin(&header)? {
                        return Ok(Some(Event::End));
                    }
                }
                At::Extended { frame: CHUNK_RANGE, payload } => {
                    let Some(header) = self.gather::<RANGE_EXTENDED_LENGTH>(input) else { return Ok(None) };
                    let range = chunk_range(&header)?;
                    if range.length != payload || range.offset.checked_add(range.length).is_none() {
                        return Err(FrameError::Payload { frame: CHUNK_RANGE, length: payload });
                    }
                    self.at = At::Chunk { left: payload };
                    return Ok(Some(Event::ChunkRange(range)));
                }
                At::Extended { payload, .. } => {
                    let Some(id) = self.gather::<CHUNK_EXTENDED_LENGTH>(input) else { return Ok(None) };
                    self.at = At::Chunk { left: payload };
                    return Ok(Some(Event::Chunk { id: ChunkId(id), length: payload }));
                }
                At::Message { left: 0 } => {
                    self.at = At::Header;
                    return Ok(Some(Event::Message(std::mem::take(&mut self.message))));
                }
                At::Message { left } => {
                    let Some(data) = take(input, left) else { return Ok(None) };
                    self.message.extend_from_slice(data);
                    self.at = At::Message { left: left - data.len() as u64 };
                }
                At::Chunk { left: 0 } => {
                    self.at = At::Header;
                    return Ok(Some(Event::ChunkEnd));
                }
                At::Chunk { left } => {
                    let Some(data) = take(input, left) else { return Ok(None) };
                    self.at = At::Chunk { left: left - data.len() as u64 };
                    return Ok(Some(Event::Data(data)));
                }
                At::End => {
                    *input = &[];
                    return Ok(None);
                }
            }
        }
    }

    /// To be asked when there is no more input.
    ///
    /// # Errors
    ///
    /// [`FrameError::EndedEarly`] if something is missing.
    pub fn finish(&self) -> Result<(), FrameError> {
        let border = self.at == At::Header && self.held_length == 0;
        if self.at == At::End || (self.chunks_only && border) { Ok(()) } else { Err(FrameError::EndedEarly) }
    }

    /// Looks at a header; `true` if it is that of the end frame.
    fn begin(&mut self, header: &[u8; HEADER_LENGTH]) -> Result<bool, FrameError> {
        let [frame, extended] = [0, 4].map(|at| u32::from_be_bytes(array(&header[at..])));
        let payload = u64::from_be_bytes(array(&header[8..]));
        let expected = match frame {
            END | MESSAGE => 0,
            CHUNK => CHUNK_EXTENDED_LENGTH,
            CHUNK_RANGE => RANGE_EXTENDED_LENGTH,
            unknown => return Err(FrameError::UnknownType(unknown)),
        };
        if usize::try_from(extended) != Ok(expected) {
            return Err(FrameError::ExtendedHeader { frame, length: extended });
        }
        let in_place = match frame {
            _ if self.chunks_only => frame == CHUNK,
            MESSAGE => !self.message_seen,
            _ => self.message_seen,
        };
        if !in_place {
            return Err(FrameError::OutOfPlace(frame));
        }
        match frame {
            END if payload == 0 => {
                self.at = At::End;
                return Ok(true);
            }
            MESSAGE if payload > self.limits.message_bytes_max => return Err(FrameError::MessageTooLarge(payload)),
            MESSAGE if payload > 0 => {
                self.message_seen = true;
                self.at = At::Message { left: payload };
            }
            END | MESSAGE => return Err(FrameError::Payload { frame, length: payload }),
            _ if payload > self.limits.chunk_bytes_max => return Err(FrameError::ChunkTooLarge(payload)),
            _ if self.chunks == self.limits.chunks_max => return Err(FrameError::TooManyChunks),
            _ => {
                self.chunks += 1;
                self.at = At::Extended { frame, payload };
            }
        }
        Ok(false)
    }

    /// The next `N` bytes, once all of them are here.
    fn gather<const N: usize>(&mut self, input: &mut &[u8]) -> Option<[u8; N]> {
        let (fill, rest) = input.split_at(input.len().min(N - self.held_length));
        self.held[self.held_length..self.held_length + fill.len()].copy_from_slice(fill);
        self.held_length += fill.len();
        *input = rest;
        if self.held_length < N {
            return None;
        }
        self.held_length = 0;
        Some(array(&self.held))
    }
}

/// At most `length` bytes off the front; `None` if there are none.
fn take<'a>(input: &mut &'a [u8], length: u64) -> Option<&'a [u8]> {
    let length = usize::try_from(length).unwrap_or(usize::MAX).min(input.len());
    let (taken, rest) = input.split_at(length);
    *input = rest;
    (length > 0).then_some(taken)
}

/// The first `N` bytes; those that are missing are 0.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    let length = bytes.len().min(N);
    array[..length].copy_from_slice(&bytes[..length]);
    array
}

fn chunk_range(header: &[u8; RANGE_EXTENDED_LENGTH]) -> Result<ChunkRange, FrameError> {
    let flags = u32::from_be_bytes(array(&header[32..]));
    Ok(ChunkRange {
        id: ChunkId(array(header)),
        offset: u64::from_be_bytes(array(&header[16..])),
        length: u64::from_be_bytes(array(&header[24..])),
        last: match flags {
            0 => false,
            1 => true,
            _ => return Err(FrameError::Flags(flags)),
        },
    })
}

const fn header(frame: u32, extended: u32, payload: u64) -> [u8; HEADER_LENGTH] {
    let (frame, extended, payload) = (frame.to_be_bytes(), extended.to_be_bytes(), payload.to_be_bytes());
    let mut header = [0; HEADER_LENGTH];
    let mut at = 0;
    while at < 4 {
        header[at] = frame[at];
        header[4 + at] = extended[at];
        header[8 + at] = payload[at];
        header[12 + at] = payload[4 + at];
        at += 1;
    }
    header
}

/// A frame with a message, whole.
pub fn message(json: &[u8]) -> Vec<u8> {
    [&header(MESSAGE, 0, json.len() as u64), json].concat()
}

/// What stands before the bytes of a chunk.
pub fn chunk_header(id: ChunkId, length: u64) -> [u8; HEADER_LENGTH + CHUNK_EXTENDED_LENGTH] {
    let mut bytes = [0; HEADER_LENGTH + CHUNK_EXTENDED_LENGTH];
    bytes[..HEADER_LENGTH].copy_from_slice(&header(CHUNK, CHUNK_EXTENDED_LENGTH as u32, length));
    bytes[HEADER_LENGTH..].copy_from_slice(&id.0);
    bytes
}

/// What stands before the bytes of a part of a chunk.
pub fn chunk_range_header(range: &ChunkRange) -> [u8; HEADER_LENGTH + RANGE_EXTENDED_LENGTH] {
    let mut bytes = [0; HEADER_LENGTH + RANGE_EXTENDED_LENGTH];
    bytes[..16].copy_from_slice(&header(CHUNK_RANGE, RANGE_EXTENDED_LENGTH as u32, range.length));
    bytes[16..32].copy_from_slice(&range.id.0);
    bytes[32..40].copy_from_slice(&range.offset.to_be_bytes());
    bytes[40..48].copy_from_slice(&range.length.to_be_bytes());
    bytes[48..].copy_from_slice(&u32::from(range.last).to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests;
