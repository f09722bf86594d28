//! Bodies of incremental transfer, written and read by hand: a client that also sends what no client would.
//!
//! Only the hash by which chunks are called is ours; it has published vectors.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wopi::ChunkId;

use super::http::{Answer, Request};
use super::wopi_client::File;

pub(crate) const END: u32 = 1;
pub(crate) const MESSAGE: u32 = 2;
pub(crate) const CHUNK: u32 = 3;
pub(crate) const CHUNK_RANGE: u32 = 4;

/// Sixteen bytes before every frame, which may announce anything.
pub(crate) fn header(kind: u32, extended_bytes: u32, payload_bytes: u64) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &extended_bytes.to_be_bytes(), &payload_bytes.to_be_bytes()].concat()
}

/// A frame that announces what it has.
pub(crate) fn frame(kind: u32, extended: &[u8], payload: &[u8]) -> Vec<u8> {
    let extended_bytes = u32::try_from(extended.len()).expect("it is short");
    [&header(kind, extended_bytes, payload.len() as u64)[..], extended, payload].concat()
}

pub(crate) fn message(json: &str) -> Vec<u8> {
    frame(MESSAGE, &[], json.as_bytes())
}

/// A chunk under its own name.
pub(crate) fn chunk(bytes: &[u8]) -> Vec<u8> {
    frame(CHUNK, &ChunkId::of(bytes).0, bytes)
}

pub(crate) fn end() -> Vec<u8> {
    header(END, 0, 0)
}

/// What a message calls a chunk.
pub(crate) fn id(bytes: &[u8]) -> String {
    ChunkId::of(bytes).to_string()
}

/// A stream that consists of these chunks.
pub(crate) fn stream<B: AsRef<[u8]>>(name: &str, chunks: &[B]) -> Value {
    let chunk = |bytes: &B| json!({ "ChunkId": id(bytes.as_ref()), "Length": bytes.as_ref().len() });
    let chunks: Vec<Value> = chunks.iter().map(chunk).collect();
    json!({ "StreamId": name, "ChunkingScheme": "Zip", "ChunkSignatures": chunks })
}

/// The message of a PutChunkedFile.
pub(crate) fn put_message(signatures: &[Value], upload: Option<&str>) -> Vec<u8> {
    let json = json!({ "ContentProperties": [], "Signatures": signatures, "UploadSessionTokenToCommit": upload });
    message(&json.to_string())
}

/// The body of a PutChunkedFile that makes the main stream of `chunks` and sends `new`.
pub(crate) fn save<B: AsRef<[u8]>>(chunks: &[B], new: &[&[u8]]) -> Vec<u8> {
    let frames: Vec<u8> = new.iter().flat_map(|bytes| chunk(bytes)).collect();
    [put_message(&[stream("MainContent", chunks)], None), frames, end()].concat()
}

/// The body of a GetChunkedFile that asks for these streams, whole.
pub(crate) fn ask(streams: &[&str]) -> Vec<u8> {
    let filter = |name: &&str| json!({ "StreamId": name, "ChunkingScheme": "Zip", "ChunksToReturn": "All", "AlreadyKnownChunks": [] });
    let filters: Vec<Value> = streams.iter().map(filter).collect();
    let json = json!({ "ContentPropertiesToReturn": [], "ContentFilters": filters });
    [message(&json.to_string()), end()].concat()
}

/// What GetChunkedFile tells.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) sequence: u64,
    pub(crate) message: Value,
    chunks: BTreeMap<String, Vec<u8>>,
}

impl Told {
    #[track_caller]
    pub(crate) fn read(answer: &Answer) -> Self {
        assert_eq!(answer.status, 200, "GetChunkedFile: {answer:?}");
        let mut rest = &answer.body[..];
        let (mut message, mut chunks) = (Value::Null, BTreeMap::new());
        loop {
            let number = |at: usize| u32::from_be_bytes(rest[at..at + 4].try_into().expect("four bytes"));
            let (kind, extended) = (number(0), number(4) as usize);
            let payload = usize::try_from(number(8)).expect("64 bits") << 32 | number(12) as usize;
            let (head, behind) = rest[16..].split_at(extended);
            let (payload, behind) = behind.split_at(payload);
            rest = behind;
            match kind {
                END => break,
                MESSAGE => message = serde_json::from_slice(payload).expect("JSON"),
                CHUNK => {
                    assert_eq!(head, ChunkId::of(payload).0, "a chunk is not what it is called");
                    assert!(chunks.insert(id(payload), payload.to_vec()).is_none(), "a chunk comes twice");
                }
                other => panic!("a frame of type {other}"),
            }
        }
        assert!(rest.is_empty(), "something stands behind the end");
        Self { sequence: sequence_of(answer), message, chunks }
    }

    /// The chunks of a stream, in order.
    #[track_caller]
    pub(crate) fn stream(&self, at: usize) -> Vec<Vec<u8>> {
        let chunks = self.message["Signatures"][at]["ChunkSignatures"].as_array().expect("a list");
        let bytes = |chunk: &Value| self.chunks[chunk["ChunkId"].as_str().expect("an id")].clone();
        chunks.iter().map(bytes).collect()
    }
}

/// The sequence number that an answer tells.
#[track_caller]
pub(crate) fn sequence_of(answer: &Answer) -> u64 {
    let value = answer.header("X-WOPI-SequenceNumber").unwrap_or_else(|| panic!("no sequence number: {answer:?}"));
    value.parse().expect("a number")
}

impl File {
    /// PutChunkedFile, without body or lock.
    pub(crate) fn put_chunked(&self, sequence: u64) -> Request {
        Request::post(&self.contents())
            .header("X-WOPI-Override", "PUT_CHUNKED_FILE")
            .header("X-WOPI-SequenceNumber", sequence.to_string())
    }

    pub(crate) fn get_chunked(&self, streams: &[&str]) -> Request {
        self.operation("GET_CHUNKED_FILE").body(ask(streams))
    }

    pub(crate) fn coauth_lock(&self, id: &str) -> Request {
        self.operation("GET_COAUTH_LOCK")
            .header("X-WOPI-CoauthLockId", id)
            .header("X-WOPI-CoauthLockType", "Coauth")
            .header("X-WOPI-CoauthLockExpirationTimeout", "3600")
    }

    /// UpdateUploadSession that announces the bytes it has.
    pub(crate) fn update_upload(&self, token: &str, offset: u64, bytes: &[u8]) -> Request {
        self.operation("UPDATE_UPLOAD_SESSION")
            .header("X-WOPI-UploadSessionToken", token)
            .header("X-WOPI-ContentRangeOffset", offset.to_string())
            .header("X-WOPI-ContentRangeLength", bytes.len().to_string())
            .body(bytes)
    }
}
