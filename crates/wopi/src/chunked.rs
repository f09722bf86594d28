//! The messages of incremental file transfer: what is in the first frame of a body, as checked values.
//!
//! A file is made of streams. [`StreamId::MAIN`] is the one that GetFile and PutFile deal with; beside it there may be
//! alternate ones and content properties. Each stream has a [`Signature`]: its scheme and its chunks, in order. Member
//! names are case-sensitive, unknown members are passed over.
//!
//! A message is as large as its sender likes, up to [`MESSAGE_BYTES_MAX`](crate::frames::MESSAGE_BYTES_MAX), and two
//! bytes of JSON may become an item of fifty in memory. So every list is counted while it is read, and what would be
//! thrown away is never kept: reading a message takes no more memory than a few times its own size.
//!
//! Sources: *CSPP Plus*, "File content data model", "GetChunkedFile", "PutChunkedFile", "GetChunks"; the JSON schemas
//! of the official validator.

mod read;

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

use self::read::{ids_among, list, list_or_null};
use crate::error::WopiError;
use crate::frames::CHUNKS_MAX;
use crate::route::for_log;
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

impl Serialize for ChunkId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
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
    #[serde(deserialize_with = "list::<_, _, CHUNKS_MAX>")]
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
        // It quotes what was sent, at any length.
        Self(format!("the message is not the JSON it should be: {}", for_log(&error.to_string())))
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

/// At least one stream, each once. That there are not too many is known.
fn streams<'a>(ids: impl ExactSizeIterator<Item = &'a StreamId>) -> Result<(), MessageError> {
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

fn too_large() -> MessageError {
    MessageError("it is about more bytes than can be counted".to_owned())
}

/// What a client wants of one stream.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ContentFilter {
    /// Which stream.
    #[serde(rename = "StreamId")]
    pub stream: StreamId,
    /// A wish. The content decides, not the client (*CSPP Plus*, "Chunk streams").
    #[serde(rename = "ChunkingScheme")]
    pub scheme: ChunkingScheme,
    /// Which chunks.
    #[serde(rename = "ChunksToReturn", default)]
    pub chunks: ChunksToReturn,
    /// Chunks that the client has already. What is no id is nobody's, so it is left out. There may be as many as the
    /// message holds: a client may know several versions of the file.
    #[serde(rename = "AlreadyKnownChunks", default, deserialize_with = "ids_among")]
    pub known: Vec<ChunkId>,
}

/// What GetChunkedFile asks. Serialized it is what a client sends.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct GetChunkedFile {
    /// Names of the properties wanted.
    #[serde(rename = "ContentPropertiesToReturn")]
    pub properties: Vec<String>,
    /// The streams wanted, each once, at least one.
    #[serde(rename = "ContentFilters")]
    pub filters: Vec<ContentFilter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireGetChunkedFile {
    #[serde(default, deserialize_with = "list_or_null::<_, _, PROPERTIES_MAX>")]
    content_properties_to_return: Vec<String>,
    #[serde(deserialize_with = "list::<_, _, STREAMS_MAX>")]
    content_filters: Vec<ContentFilter>,
}

impl GetChunkedFile {
    /// Reads the message.
    ///
    /// # Errors
    ///
    /// If it is not the JSON it should be, names no stream, one twice, or more than allowed.
    pub fn parse(json: &[u8]) -> Result<Self, MessageError> {
        let wire: WireGetChunkedFile = serde_json::from_slice(json)?;
        streams(wire.content_filters.iter().map(|filter| &filter.stream))?;
        Ok(Self { properties: wire.content_properties_to_return, filters: wire.content_filters })
    }
}

/// What GetChunkedFile answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ChunkedFile {
    /// The properties that were asked for and exist.
    #[serde(rename = "ContentProperties", deserialize_with = "list::<_, _, PROPERTIES_MAX>")]
    pub properties: Vec<ContentProperty>,
    /// The streams that were asked for, whole, in the order of the filters.
    #[serde(deserialize_with = "list::<_, _, STREAMS_MAX>")]
    pub signatures: Vec<StreamSignature>,
}

/// What PutChunkedFile says: the new streams and properties. Serialized it is what a client sends.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PutChunkedFile {
    /// Properties to be stored.
    #[serde(rename = "ContentProperties")]
    pub properties: Vec<ContentProperty>,
    /// Streams to be replaced, each once, at least one. No chunks: the stream is to go, or to be empty if it is the
    /// main one.
    #[serde(rename = "Signatures")]
    pub signatures: Vec<StreamSignature>,
    /// An upload session whose chunks count as if they were in this body.
    #[serde(rename = "UploadSessionTokenToCommit")]
    pub upload_session: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WirePutChunkedFile {
    #[serde(default, deserialize_with = "list_or_null::<_, _, PROPERTIES_MAX>")]
    content_properties: Vec<ContentProperty>,
    #[serde(deserialize_with = "list::<_, _, STREAMS_MAX>")]
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
    /// signature `FullFile` with more than one chunk; one chunk with two lengths; streams too large, together, to be
    /// counted.
    pub fn parse(json: &[u8]) -> Result<Self, MessageError> {
        let wire: WirePutChunkedFile = serde_json::from_slice(json)?;
        streams(wire.signatures.iter().map(|of| &of.stream))?;
        let chunks = wire.signatures.iter().map(|of| of.signature.chunks.len()).sum();
        at_most("chunks", chunks, CHUNKS_MAX)?;
        let (mut lengths, mut size) = (HashMap::new(), 0u64);
        for StreamSignature { stream, signature } in &wire.signatures {
            if signature.scheme == ChunkingScheme::FullFile && signature.chunks.len() > 1 {
                return Err(MessageError(format!("the stream {:?} is one chunk, but has several", stream.as_str())));
            }
            for chunk in &signature.chunks {
                size = size.checked_add(chunk.length).ok_or_else(too_large)?;
                if *lengths.entry(chunk.id).or_insert(chunk.length) != chunk.length {
                    return Err(MessageError(format!("the chunk {} has two lengths", chunk.id)));
                }
            }
        }
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

/// What GetChunks asks: parts of chunks, stream by stream. Serialized it is what a client sends.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(into = "WireGetChunks")]
pub struct GetChunks {
    /// The streams, each once, at least one, and the parts wanted of each.
    pub filters: Vec<(StreamId, Vec<WantedRange>)>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireGetChunks {
    #[serde(deserialize_with = "list::<_, _, STREAMS_MAX>")]
    content_filters: Vec<WireRangeFilter>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireRangeFilter {
    stream_id: StreamId,
    /// Chunks are asked for by their ids, so it says nothing; but clients have to send one.
    #[serde(skip_deserializing, default = "any_scheme")]
    chunking_scheme: ChunkingScheme,
    #[serde(deserialize_with = "list::<_, _, CHUNKS_MAX>")]
    chunk_ranges_to_return: Vec<WireRange>,
}

fn any_scheme() -> ChunkingScheme {
    ChunkingScheme::Zip
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireRange {
    chunk_id: ChunkId,
    offset: u64,
    length: i64,
}

impl From<GetChunks> for WireGetChunks {
    fn from(asked: GetChunks) -> Self {
        let range = |range: WantedRange| WireRange {
            chunk_id: range.id,
            offset: range.offset,
            // A length that has no sign is larger than any file; its part ends with the chunk.
            length: range.length.map_or(TO_THE_END, |length| i64::try_from(length).unwrap_or(TO_THE_END)),
        };
        let filters = asked.filters.into_iter().map(|(stream_id, ranges)| WireRangeFilter {
            stream_id,
            chunking_scheme: any_scheme(),
            chunk_ranges_to_return: ranges.into_iter().map(range).collect(),
        });
        Self { content_filters: filters.collect() }
    }
}

/// The length that means everything that follows.
const TO_THE_END: i64 = -1;

impl GetChunks {
    /// Reads the message.
    ///
    /// # Errors
    ///
    /// If it is not the JSON it should be, names no stream, one twice, or more than allowed, a length below −1, or a
    /// part that ends beyond what can be counted.
    pub fn parse(json: &[u8]) -> Result<Self, MessageError> {
        let wire: WireGetChunks = serde_json::from_slice(json)?;
        streams(wire.content_filters.iter().map(|filter| &filter.stream_id))?;
        let ranges = wire.content_filters.iter().map(|filter| filter.chunk_ranges_to_return.len()).sum();
        at_most("parts of chunks", ranges, CHUNKS_MAX)?;
        let wanted = |WireRange { chunk_id, offset, length }: WireRange| {
            let length = match length {
                TO_THE_END => None,
                length => Some(
                    u64::try_from(length)
                        .map_err(|_| MessageError(format!("a part of a chunk cannot have {length} bytes")))?,
                ),
            };
            offset.checked_add(length.unwrap_or(0)).ok_or_else(too_large)?;
            Ok(WantedRange { id: chunk_id, offset, length })
        };
        let filters = wire.content_filters.into_iter().map(|filter| {
            let ranges = filter.chunk_ranges_to_return.into_iter().map(wanted).collect::<Result<_, MessageError>>()?;
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
    #[serde(deserialize_with = "list::<_, _, STREAMS_MAX>")]
    pub chunk_range_collection: Vec<ChunksOfStream>,
}

/// The chunks of one stream that follow.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ChunksOfStream {
    /// Which stream.
    pub stream_id: StreamId,
    /// Which chunks.
    #[serde(deserialize_with = "list::<_, _, CHUNKS_MAX>")]
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
