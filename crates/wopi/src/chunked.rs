//! The messages of incremental file transfer: what is in the first frame of a body, as checked values.
//!
//! A file is made of streams. [`StreamId::MAIN`] is the one that GetFile and PutFile deal with; beside it there may be
//! alternate ones and content properties. Each stream has a [`Signature`]: its scheme and its chunks, in order. Member
//! names are case-sensitive, unknown members are passed over.
//!
//! Sources: *CSPP Plus*, "File content data model", "GetChunkedFile", "PutChunkedFile", "GetChunks"; the JSON schemas
//! of the official validator.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize, Serializer};

use crate::error::WopiError;
use crate::frames::CHUNKS_MAX;
use crate::spooky::ChunkId;

/// How many alternate streams a file may have.
pub const ALTERNATE_STREAMS_MAX: usize = 256;
/// How many streams one message may name: the alternate ones and the main one.
pub const STREAMS_MAX: usize = ALTERNATE_STREAMS_MAX + 1;
/// How many content properties a file may have, and one message name.
pub const PROPERTIES_MAX: usize = 256;
/// Longest name of a content property, in characters.
pub const PROPERTY_NAME_LENGTH_MAX: usize = 256;
/// Largest value of a content property, in bytes.
pub const PROPERTY_VALUE_BYTES_MAX: usize = 1024;
/// Longest upload session token, in characters.
pub const UPLOAD_TOKEN_LENGTH_MAX: usize = 1024;

/// The name of a stream: 1 to 256 characters, none of them a control character. (The documents set no limit.)
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize)]
pub struct StreamId(String);

impl StreamId {
    /// The name of the main stream.
    pub const MAIN: &'static str = "MainContent";

    /// Longest name, in characters.
    pub const LENGTH_MAX: usize = 256;

    /// The main stream.
    pub fn main() -> Self {
        Self(Self::MAIN.to_owned())
    }

    /// The name that `text` spells, if it can be one.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = !text.is_empty() && text.chars().take(Self::LENGTH_MAX + 1).count() <= Self::LENGTH_MAX;
        (fits && !text.contains(char::is_control)).then(|| Self(text.to_owned()))
    }

    /// Whether it is the main stream.
    pub fn is_main(&self) -> bool {
        self.0 == Self::MAIN
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for StreamId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("not the name of a stream"))
    }
}

impl Serialize for ChunkId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ChunkId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("not the id of a chunk"))
    }
}

/// How a stream is cut into chunks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum ChunkingScheme {
    /// One chunk.
    FullFile,
    /// Along the structure of a zip archive.
    Zip,
}

/// Which chunks of a stream a client wants.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub enum ChunksToReturn {
    /// Every one.
    #[default]
    All,
    /// None at all.
    None,
    /// The last one of a zip archive.
    LastZipChunk,
}

/// What becomes of a content property when the content changes by anything but PutChunkedFile.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Retention {
    /// It goes.
    DeleteOnContentChange,
    /// It stays.
    KeepOnContentChange,
}

/// A property of a file's content.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ContentProperty {
    /// Its name, at most [`PROPERTY_NAME_LENGTH_MAX`] characters, compared byte for byte.
    pub name: String,
    /// Its value, at most [`PROPERTY_VALUE_BYTES_MAX`] bytes.
    pub value: String,
    /// How long it stays.
    pub retention: Retention,
}

/// One chunk in a signature.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct ChunkSignature {
    /// Its id.
    #[serde(rename = "ChunkId")]
    pub id: ChunkId,
    /// How many bytes it has.
    #[serde(rename = "Length")]
    pub length: u64,
}

/// How a stream is made of chunks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signature {
    /// Along what it is cut.
    pub scheme: ChunkingScheme,
    /// The chunks, in order; one may occur several times.
    pub chunks: Vec<ChunkSignature>,
}

impl Signature {
    /// What stands for a stream that does not exist: `Zip`, whatever was asked (*CSPP Plus*, "GetChunkedFile").
    pub fn of_nothing() -> Self {
        Self { scheme: ChunkingScheme::Zip, chunks: Vec::new() }
    }

    /// How many bytes the stream has; `None` if that is more than can be counted.
    pub fn size(&self) -> Option<u64> {
        self.chunks.iter().try_fold(0u64, |sum, chunk| sum.checked_add(chunk.length))
    }

    /// The chunks that a filter asks for, by their index, each id once.
    pub fn wanted(&self, chunks: ChunksToReturn, known: &[ChunkId]) -> Vec<usize> {
        let candidates = match chunks {
            ChunksToReturn::All => 0..self.chunks.len(),
            ChunksToReturn::LastZipChunk if self.scheme == ChunkingScheme::Zip => {
                self.chunks.len().saturating_sub(1)..self.chunks.len()
            }
            ChunksToReturn::None | ChunksToReturn::LastZipChunk => 0..0,
        };
        let mut known: HashSet<ChunkId> = known.iter().copied().collect();
        candidates.filter(|at| known.insert(self.chunks[*at].id)).collect()
    }
}

/// A stream and its signature, as both messages have it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(from = "WireSignature")]
#[serde(into = "WireSignature")]
pub struct StreamSignature {
    /// Which stream.
    pub stream: StreamId,
    /// What it is made of.
    pub signature: Signature,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireSignature {
    stream_id: StreamId,
    chunking_scheme: ChunkingScheme,
    chunk_signatures: Vec<ChunkSignature>,
}

impl From<WireSignature> for StreamSignature {
    fn from(wire: WireSignature) -> Self {
        let signature = Signature { scheme: wire.chunking_scheme, chunks: wire.chunk_signatures };
        Self { stream: wire.stream_id, signature }
    }
}

impl From<StreamSignature> for WireSignature {
    fn from(of: StreamSignature) -> Self {
        let Signature { scheme, chunks } = of.signature;
        Self { stream_id: of.stream, chunking_scheme: scheme, chunk_signatures: chunks }
    }
}

/// Why a message says nothing that we understand. Always 400.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MessageError(String);

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for MessageError {}

impl From<serde_json::Error> for MessageError {
    fn from(error: serde_json::Error) -> Self {
        Self(format!("the message is not the JSON it should be: {error}"))
    }
}

impl From<MessageError> for WopiError {
    fn from(error: MessageError) -> Self {
        Self::InvalidBody { reason: error.to_string() }
    }
}

fn at_most(what: &str, count: usize, max: usize) -> Result<(), MessageError> {
    if count > max { Err(MessageError(format!("{count} {what} are more than {max}"))) } else { Ok(()) }
}

/// Between one and [`STREAMS_MAX`] streams, each once.
fn streams<'a>(ids: impl ExactSizeIterator<Item = &'a StreamId>) -> Result<(), MessageError> {
    at_most("streams", ids.len(), STREAMS_MAX)?;
    let mut seen = HashSet::new();
    if ids.len() == 0 {
        return Err(MessageError("no stream is named".to_owned()));
    }
    for id in ids {
        if !seen.insert(id) {
            return Err(MessageError(format!("the stream {:?} is named twice", id.as_str())));
        }
    }
    Ok(())
}

fn null_is_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// What a client wants of one stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContentFilter {
    /// Which stream.
    pub stream: StreamId,
    /// A wish. The content decides, not the client (*CSPP Plus*, "Chunk streams").
    pub scheme: ChunkingScheme,
    /// Which chunks.
    pub chunks: ChunksToReturn,
    /// Chunks that the client has already. What is no id is nobody's, so it is left out.
    pub known: Vec<ChunkId>,
}

/// What GetChunkedFile asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GetChunkedFile {
    /// Names of the properties wanted.
    pub properties: Vec<String>,
    /// The streams wanted, each once, at least one.
    pub filters: Vec<ContentFilter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireGetChunkedFile {
    #[serde(default, deserialize_with = "null_is_default")]
    content_properties_to_return: Vec<String>,
    content_filters: Vec<WireFilter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireFilter {
    stream_id: StreamId,
    chunking_scheme: ChunkingScheme,
    #[serde(default)]
    chunks_to_return: ChunksToReturn,
    #[serde(default, deserialize_with = "null_is_default")]
    already_known_chunks: Vec<KnownChunk>,
}

/// An id, or something that is none and that nothing will match.
struct KnownChunk(Option<ChunkId>);

impl<'de> Deserialize<'de> for KnownChunk {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Self(ChunkId::parse(&std::borrow::Cow::<str>::deserialize(from)?)))
    }
}

impl GetChunkedFile {
    /// Reads the message.
    ///
    /// # Errors
    ///
    /// If it is not the JSON it should be, names no stream, one twice, or more than allowed.
    pub fn parse(json: &[u8]) -> Result<Self, MessageError> {
        let wire: WireGetChunkedFile = serde_json::from_slice(json)?;
        streams(wire.content_filters.iter().map(|filter| &filter.stream_id))?;
        at_most("properties", wire.content_properties_to_return.len(), PROPERTIES_MAX)?;
        let filters = wire.content_filters.into_iter().map(|filter| ContentFilter {
            stream: filter.stream_id,
            scheme: filter.chunking_scheme,
            chunks: filter.chunks_to_return,
            known: filter.already_known_chunks.into_iter().filter_map(|known| known.0).collect(),
        });
        Ok(Self { properties: wire.content_properties_to_return, filters: filters.collect() })
    }
}

/// What GetChunkedFile answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ChunkedFile {
    /// The properties that were asked for and exist.
    #[serde(rename = "ContentProperties")]
    pub properties: Vec<ContentProperty>,
    /// The streams that were asked for, whole, in the order of the filters.
    pub signatures: Vec<StreamSignature>,
}

/// What PutChunkedFile says: the new streams and properties.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PutChunkedFile {
    /// Properties to be stored.
    pub properties: Vec<ContentProperty>,
    /// Streams to be replaced, each once, at least one. No chunks: the stream is to go, or to be empty if it is the
    /// main one.
    pub signatures: Vec<StreamSignature>,
    /// An upload session whose chunks count as if they were in this body.
    pub upload_session: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WirePutChunkedFile {
    #[serde(default, deserialize_with = "null_is_default")]
    content_properties: Vec<ContentProperty>,
    signatures: Vec<StreamSignature>,
    #[serde(default)]
    upload_session_token_to_commit: Option<String>,
}

impl PutChunkedFile {
    /// Reads the message.
    ///
    /// # Errors
    ///
    /// If it is not the JSON it should be, names no stream, a stream or property twice, or more than allowed; a
    /// signature `FullFile` with more than one chunk; streams too large to be counted.
    pub fn parse(json: &[u8]) -> Result<Self, MessageError> {
        let wire: WirePutChunkedFile = serde_json::from_slice(json)?;
        streams(wire.signatures.iter().map(|of| &of.stream))?;
        let chunks = wire.signatures.iter().map(|of| of.signature.chunks.len()).sum();
        at_most("chunks", chunks, CHUNKS_MAX)?;
        for StreamSignature { stream, signature } in &wire.signatures {
            let stream = stream.as_str();
            if signature.scheme == ChunkingScheme::FullFile && signature.chunks.len() > 1 {
                return Err(MessageError(format!("the stream {stream:?} is one chunk, but has several")));
            }
            if signature.size().is_none() {
                return Err(MessageError(format!("the stream {stream:?} is larger than anything")));
            }
        }
        at_most("properties", wire.content_properties.len(), PROPERTIES_MAX)?;
        let mut names = HashSet::new();
        for ContentProperty { name, value, .. } in &wire.content_properties {
            let length = name.chars().take(PROPERTY_NAME_LENGTH_MAX + 1).count();
            if !(1..=PROPERTY_NAME_LENGTH_MAX).contains(&length) {
                return Err(MessageError(format!("a property has no name, or one beyond {PROPERTY_NAME_LENGTH_MAX}")));
            }
            at_most("bytes of a property's value", value.len(), PROPERTY_VALUE_BYTES_MAX)?;
            if !names.insert(name) {
                return Err(MessageError(format!("the property {name:?} is there twice")));
            }
        }
        let upload_session = wire.upload_session_token_to_commit.filter(|token| !token.is_empty());
        at_most("characters of a token", upload_session.as_deref().map_or(0, str::len), UPLOAD_TOKEN_LENGTH_MAX)?;
        Ok(Self { properties: wire.content_properties, signatures: wire.signatures, upload_session })
    }
}

/// A part of a chunk that a client asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WantedRange {
    /// Of which chunk.
    pub id: ChunkId,
    /// Where it begins.
    pub offset: u64,
    /// How many bytes; `None` for all that follow.
    pub length: Option<u64>,
}

/// What GetChunks asks: parts of chunks, stream by stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GetChunks {
    /// The streams, each once, at least one, and the parts wanted of each.
    pub filters: Vec<(StreamId, Vec<WantedRange>)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireGetChunks {
    content_filters: Vec<WireRangeFilter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireRangeFilter {
    stream_id: StreamId,
    chunk_ranges_to_return: Vec<WireRange>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireRange {
    chunk_id: ChunkId,
    offset: u64,
    length: i64,
}

/// The length that means everything that follows.
const TO_THE_END: i64 = -1;

impl GetChunks {
    /// Reads the message.
    ///
    /// # Errors
    ///
    /// If it is not the JSON it should be, names no stream, one twice, or more than allowed, or a length below −1.
    pub fn parse(json: &[u8]) -> Result<Self, MessageError> {
        let wire: WireGetChunks = serde_json::from_slice(json)?;
        streams(wire.content_filters.iter().map(|filter| &filter.stream_id))?;
        let ranges = wire.content_filters.iter().map(|filter| filter.chunk_ranges_to_return.len()).sum();
        at_most("parts of chunks", ranges, CHUNKS_MAX)?;
        let wanted = |range: WireRange| match range.length {
            TO_THE_END => Ok(WantedRange { id: range.chunk_id, offset: range.offset, length: None }),
            length => u64::try_from(length)
                .map(|length| WantedRange { id: range.chunk_id, offset: range.offset, length: Some(length) })
                .map_err(|_| MessageError(format!("a part of a chunk cannot have {length} bytes"))),
        };
        let filters = wire.content_filters.into_iter().map(|filter| {
            let ranges = filter.chunk_ranges_to_return.into_iter().map(wanted).collect::<Result<_, _>>()?;
            Ok((filter.stream_id, ranges))
        });
        Ok(Self { filters: filters.collect::<Result<_, MessageError>>()? })
    }
}

/// What GetChunks answers: of which chunks parts follow.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Chunks {
    /// Stream by stream.
    pub chunk_range_collection: Vec<ChunksOfStream>,
}

/// The chunks of one stream that follow.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ChunksOfStream {
    /// Which stream.
    pub stream_id: StreamId,
    /// Which chunks.
    pub chunk_ids: Vec<ChunkId>,
}

/// What CreateUploadSession answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UploadSession {
    /// Names the session from now on.
    pub upload_session_token: String,
}

#[cfg(test)]
mod tests;
