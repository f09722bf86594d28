//! A client of incremental transfer: it knows chunks, and sends and asks for what is new.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wopi::ChunkId;
use wopi::frames::{self, END_FRAME, Event, FrameLimits, FrameReader};
use wopi::zip::{Cut, ZipCutter};

use crate::answer::Answer;
use crate::doors::{File, Question};

/// Chunks by their ids.
pub(crate) type Known = BTreeMap<ChunkId, Vec<u8>>;

/// A stream as a client means to save it.
#[derive(Clone)]
pub(crate) struct Stream {
    name: &'static str,
    scheme: &'static str,
    chunks: Vec<Vec<u8>>,
}

impl Stream {
    /// The main stream, cut as the official validator cuts.
    pub(crate) fn main(bytes: &[u8]) -> Self {
        Self::named("MainContent", bytes)
    }

    pub(crate) fn named(name: &'static str, bytes: &[u8]) -> Self {
        let (scheme, chunks) = cut(bytes);
        Self { name, scheme, chunks }
    }

    /// Cut in the client's own way.
    pub(crate) fn in_chunks(name: &'static str, chunks: &[&[u8]]) -> Self {
        Self { name, scheme: "Zip", chunks: chunks.iter().map(|chunk| chunk.to_vec()).collect() }
    }

    fn signature(&self) -> Value {
        let chunk = |bytes: &Vec<u8>| json!({ "ChunkId": ChunkId::of(bytes).to_string(), "Length": bytes.len() });
        let chunks: Vec<Value> = self.chunks.iter().map(chunk).collect();
        json!({ "StreamId": self.name, "ChunkingScheme": self.scheme, "ChunkSignatures": chunks })
    }

    pub(crate) fn known(&self) -> Known {
        self.chunks.iter().map(|bytes| (ChunkId::of(bytes), bytes.clone())).collect()
    }
}

/// Cuts bytes as both sides do.
pub(crate) fn cut(bytes: &[u8]) -> (&'static str, Vec<Vec<u8>>) {
    let mut cutter = ZipCutter::new(bytes.len() as u64);
    while let Some(range) = cutter.wanted() {
        let (from, to) = (usize::try_from(range.start).unwrap(), usize::try_from(range.end).unwrap());
        cutter.give(&bytes[from..to]);
    }
    match cutter.cut() {
        Cut::FullFile => ("FullFile", vec![bytes.to_vec()]),
        Cut::Zip(lengths) => {
            let mut rest = bytes;
            let chunk = |length: &u64| {
                let (chunk, later) = rest.split_at(usize::try_from(*length).unwrap());
                rest = later;
                chunk.to_vec()
            };
            ("Zip", lengths.iter().map(chunk).collect())
        }
    }
}

/// A zip archive with these entries, stored, as an office program would lay it out.
pub(crate) fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in entries {
        let (size, name_length) = (u32::try_from(bytes.len()).unwrap(), u16::try_from(name.len()).unwrap());
        let offset = u32::try_from(file.len()).unwrap();
        // Version, flags, method, time, date; the checksum, which nobody here looks at; both sizes; name, no extra field.
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        common.extend([0; 4]);
        common.extend(size.to_le_bytes());
        common.extend(size.to_le_bytes());
        common.extend(name_length.to_le_bytes());
        common.extend([0, 0]);
        file.extend(b"PK\x03\x04");
        file.extend(&common);
        file.extend(name.as_bytes());
        file.extend(*bytes);
        directory.extend(b"PK\x01\x02");
        directory.extend([20, 0]);
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let count = u16::try_from(entries.len()).unwrap().to_le_bytes();
    let (at, size) = (u32::try_from(file.len()).unwrap(), u32::try_from(directory.len()).unwrap());
    file.extend(directory);
    file.extend(b"PK\x05\x06\0\0\0\0");
    file.extend(count);
    file.extend(count);
    file.extend(size.to_le_bytes());
    file.extend(at.to_le_bytes());
    file.extend([0, 0]);
    file
}

/// Frames of whole chunks.
pub(crate) fn frames_of<'c>(chunks: impl IntoIterator<Item = &'c Vec<u8>>) -> Vec<u8> {
    let frame = |bytes: &Vec<u8>| [&frames::chunk_header(ChunkId::of(bytes), bytes.len() as u64)[..], bytes].concat();
    chunks.into_iter().flat_map(frame).collect()
}

/// The body of a PutChunkedFile with what of these streams is not known yet.
pub(crate) fn delta(streams: &[Stream], known: &Known) -> Vec<u8> {
    let mut new = Known::new();
    for stream in streams {
        new.extend(stream.known().into_iter().filter(|(id, _)| !known.contains_key(id)));
    }
    body(streams, &json!([]), None, frames_of(new.values()))
}

/// The body of a PutChunkedFile with these properties, this upload and these frames.
pub(crate) fn body(streams: &[Stream], properties: &Value, upload: Option<&str>, chunk_frames: Vec<u8>) -> Vec<u8> {
    let signatures: Vec<Value> = streams.iter().map(Stream::signature).collect();
    let message =
        json!({ "ContentProperties": properties, "Signatures": signatures, "UploadSessionTokenToCommit": upload });
    [frames::message(message.to_string().as_bytes()), chunk_frames, END_FRAME.to_vec()].concat()
}

/// A file as GetChunkedFile told it.
pub(crate) struct Chunked {
    pub(crate) sequence: u64,
    pub(crate) message: Value,
    /// The chunks that came.
    pub(crate) chunks: Known,
    /// How many bytes the answer had.
    pub(crate) bytes: usize,
}

impl Chunked {
    #[track_caller]
    fn read(answer: &Answer) -> Self {
        let sequence = answer.header("X-WOPI-SequenceNumber").unwrap().parse().unwrap();
        assert_eq!(answer.version(), format!("{sequence}"));
        let mut reader = FrameReader::new(FrameLimits::with_chunks_of(1 << 30));
        let (mut rest, mut chunks, mut message) = (&answer.body[..], Known::new(), Value::Null);
        let mut id = None;
        while let Some(event) = reader.next(&mut rest).unwrap() {
            match event {
                Event::Message(json) => message = serde_json::from_slice(&json).unwrap(),
                Event::Chunk { id: next, .. } => {
                    assert!(chunks.insert(next, Vec::new()).is_none(), "a chunk came twice");
                    id = Some(next);
                }
                Event::Data(data) => chunks.get_mut(&id.unwrap()).unwrap().extend_from_slice(data),
                Event::ChunkRange(range) => panic!("{range:?}"),
                Event::ChunkEnd | Event::End => {}
            }
        }
        reader.finish().unwrap();
        for (id, bytes) in &chunks {
            assert_eq!(*id, ChunkId::of(bytes));
        }
        Self { sequence, message, chunks, bytes: answer.body.len() }
    }

    /// A stream, put together from what came and what is known.
    #[track_caller]
    pub(crate) fn stream(&self, at: usize, known: &Known) -> Vec<u8> {
        let chunks = self.message["Signatures"][at]["ChunkSignatures"].as_array().unwrap();
        let bytes = |chunk: &Value| {
            let id = ChunkId::parse(chunk["ChunkId"].as_str().unwrap()).unwrap();
            let bytes = self.chunks.get(&id).or_else(|| known.get(&id)).expect("a chunk is missing");
            assert_eq!(chunk["Length"], bytes.len());
            bytes.clone()
        };
        chunks.iter().flat_map(bytes).collect()
    }
}

impl File {
    /// GetChunkedFile of these streams by a client that knows these chunks.
    pub(crate) fn ask_chunked(&self, streams: &[&str], known: &Known, properties: &[&str]) -> Question {
        let known: Vec<String> = known.keys().map(ChunkId::to_string).collect();
        let filter = |stream: &&str| json!({ "StreamId": stream, "ChunkingScheme": "Zip", "ChunksToReturn": "All", "AlreadyKnownChunks": known });
        let filters: Vec<Value> = streams.iter().map(filter).collect();
        let message = json!({ "ContentPropertiesToReturn": properties, "ContentFilters": filters }).to_string();
        let body = [frames::message(message.as_bytes()), END_FRAME.to_vec()].concat();
        self.post("", "GET_CHUNKED_FILE").body(&body)
    }

    /// All of the file that is not known.
    pub(crate) async fn chunked(&self, streams: &[&str], known: &Known) -> Chunked {
        Chunked::read(&self.ask_chunked(streams, known, &["keep", "delete"]).await.ok())
    }

    /// GetSequenceNumber.
    pub(crate) async fn sequence(&self) -> u64 {
        let answer = self.post("", "GET_SEQUENCE_NUMBER").await.ok();
        assert!(answer.body.is_empty());
        answer.header("X-WOPI-SequenceNumber").unwrap().parse().unwrap()
    }

    /// PutChunkedFile by a client that saw this state. What it does not use it sends empty, as the validator does.
    pub(crate) fn put_chunked(&self, sequence: u64, coauth_lock: &str, body: &[u8]) -> Question {
        self.post("/contents", "PUT_CHUNKED_FILE")
            .with("X-WOPI-SequenceNumber", sequence.to_string())
            .with("X-WOPI-CoauthLockId", coauth_lock)
            .with("X-WOPI-Editors", "")
            .body(body)
    }

    pub(crate) fn coauth_lock(&self, id: &str, kind: &str) -> Question {
        self.post("", "GET_COAUTH_LOCK")
            .with("X-WOPI-CoauthLockId", id)
            .with("X-WOPI-CoauthLockType", kind)
            .with("X-WOPI-CoauthLockExpirationTimeout", "600")
    }

    pub(crate) fn create_upload(&self) -> Question {
        self.post("", "CREATE_UPLOAD_SESSION")
    }

    pub(crate) fn update_upload(&self, token: &str, offset: usize, bytes: &[u8]) -> Question {
        self.post("", "UPDATE_UPLOAD_SESSION")
            .with("X-WOPI-UploadSessionToken", token)
            .with("X-WOPI-ContentRangeOffset", offset.to_string())
            .with("X-WOPI-ContentRangeLength", bytes.len().to_string())
            .body(bytes)
    }
}
