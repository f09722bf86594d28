use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body::Body as _;
use http_body_util::StreamBody;
use serde_json::{Value, json};
use wopi::chunked::{ContentProperty, Retention};
use wopi::coauth::{LockTerms, PresentedLock};
use wopi::frames::{self, END_FRAME, Event, FrameLimits, FrameReader};
use wopi::operation::SaveFacts;
use wopi::{ContainerId, FileId, FileName, ItemVersion, LockId, UserId};
use wopi_service::PutChunkedFileDone;

use super::*;
use crate::access::Rights;
use crate::caller::Admission;
use crate::doubles::{TestClock, host_over};
use crate::host::HostSettings;
use crate::memory::contents::MemoryContents;
use crate::memory::registry::MemoryRegistry;
use crate::parts::KEPT;
use crate::ports::{Contents as _, Located, Registry as _, TokenClaims};
use crate::records::{
    Content, ContentId, LockState, ModifiedAt, Revision, Role, SessionId, Timestamp, User, VersionMark,
};
use crate::{BoxError, ports};

mod compose;
mod remembered;
mod uploads;

const BODY_BYTES_MAX: u64 = 1 << 20;

fn bad_body() -> WopiError {
    WopiError::InvalidBody { reason: String::new() }
}

/// For comparing: the reason is for people.
fn without_reason(error: WopiError) -> WopiError {
    match error {
        WopiError::InvalidBody { .. } => bad_body(),
        WopiError::Gone { .. } => WopiError::Gone { reason: String::new() },
        error => error,
    }
}

fn admitted(record: FileRecord) -> Admission {
    Admission::File(Located { record: Arc::new(record), containers: Vec::new() })
}

/// A host in memory with one file, `a.docx`, of no bytes.
struct Setup {
    host: Host,
    clock: Arc<TestClock>,
    contents: Arc<MemoryContents>,
    by: Caller,
}

impl Setup {
    async fn new() -> Self {
        let clock = TestClock::at(1_700_000_000_000);
        let registry = Arc::new(MemoryRegistry::new());
        let contents = Arc::new(MemoryContents::new());
        let settings = HostSettings { body_bytes_max: BODY_BYTES_MAX, ..HostSettings::new("https://host.example") };
        let host = host_over(registry.clone(), contents.clone(), clock.clone(), settings).await;
        let user = User {
            id: UserId::parse("alice").unwrap(),
            name: "alice".to_owned(),
            display_name: "Alice".to_owned(),
            role: Role::Editor,
            password: None,
            disabled: false,
            user_info: None,
            revision: Revision(1),
            created_at: Timestamp(0),
        };
        let claims = TokenClaims {
            session: SessionId("s".to_owned()),
            user: user.id.clone(),
            may_edit: true,
            client: None,
            expires_at: Timestamp(i64::MAX),
        };
        let id = host.new_content_id();
        let stored = contents.put(&id, wopi_service::empty(), 0).await.unwrap();
        let record = FileRecord {
            id: FileId::parse("file").unwrap(),
            container: ContainerId::parse("root").unwrap(),
            name: FileName::parse("a.docx").unwrap(),
            revision: Revision(0),
            owner: user.id.clone(),
            created_at: host.now(),
            version: ItemVersion(1),
            content: Content {
                id,
                size: 0,
                sha256: Some(stored.sha256),
                modified_at: ModifiedAt::from(host.now()),
                saved_by: None,
                editors: vec![],
                autosave: false,
            },
            lock: LockState::Free,
            seen: None,
            pending: None,
            deleted_at: None,
            mark: VersionMark::default(),
        };
        let record = registry.create_file(&record).await.unwrap();
        let rights = Rights::of(&user, &claims);
        let by = Caller { user: Arc::new(user), claims, rights, admission: admitted(record) };
        Self { host, clock, contents, by }
    }

    /// As the gate does it: with the record that is true now.
    async fn by(&self) -> Caller {
        let record = self.record().await;
        Caller { admission: admitted(record), ..self.by.clone() }
    }

    async fn record(&self) -> FileRecord {
        self.host.ports.registry.file(&self.by.file().unwrap().id).await.unwrap()
    }

    async fn lock(&self) {
        self.host.lock(&self.by().await, lock_id(), LockTerms::default()).await.unwrap();
    }

    async fn put_file(&self, bytes: &[u8]) {
        let body = wopi_service::full(bytes.to_vec());
        self.host.put_file(&self.by().await, Some(&lock_id()), &SaveFacts::default(), body).await.unwrap();
    }

    async fn sequence(&self) -> u64 {
        self.host.sequence_number(&self.by().await).await.unwrap()
    }

    async fn put_at(&self, sequence: u64, body: Vec<u8>) -> Result<PutChunkedFileDone, WopiError> {
        let lock = PresentedLock::Wopi(lock_id());
        // In pieces, as a network would cut it.
        let pieces: Vec<_> = body.chunks(1000).map(Bytes::copy_from_slice).collect();
        let frames = stream::iter(pieces).map(|piece| Ok(http_body::Frame::data(piece)));
        let body = StreamBody::new(frames).boxed_unsync();
        let by = self.by().await;
        let put = self.host.put_chunked_file(&by, sequence, &lock, vec!["bob".to_owned()], body);
        put.await.map_err(|refusal| without_reason(refusal.error))
    }

    async fn put(&self, body: Vec<u8>) -> Result<PutChunkedFileDone, WopiError> {
        self.put_at(self.sequence().await, body).await
    }

    async fn get(&self, message: &Value) -> Got {
        let body = [frames::message(message.to_string().as_bytes()), END_FRAME.to_vec()].concat();
        let answer = self.host.get_chunked_file(&self.by().await, wopi_service::full(body)).await.unwrap();
        Got::read(answer).await
    }

    /// Both streams, whole.
    async fn streams(&self) -> (Vec<u8>, Vec<u8>) {
        let got = self.get(&asked(&[("MainContent", "All", &[]), ("Alternate", "All", &[])])).await;
        (got.stream(0, &[]), got.stream(1, &[]))
    }

    async fn kept(&self) -> usize {
        self.contents.ids().count().await
    }
}

fn lock_id() -> LockId {
    LockId::parse("L").unwrap()
}

/// What a client reads out of an answer.
struct Got {
    sequence: u64,
    message: Value,
    chunks: BTreeMap<ChunkId, Vec<u8>>,
    ranges: Vec<(frames::ChunkRange, Vec<u8>)>,
}

impl Got {
    async fn read(answer: FramedBytes) -> Self {
        assert_eq!(answer.sequence, answer.version.0);
        let announced = answer.body.size_hint().exact().unwrap();
        let bytes = answer.body.collect().await.unwrap().to_bytes();
        assert_eq!(bytes.len() as u64, announced);
        let mut reader = FrameReader::new(FrameLimits::with_chunks_of(BODY_BYTES_MAX));
        let (mut chunks, mut ranges, mut message) = (BTreeMap::new(), Vec::new(), Value::Null);
        let (mut rest, mut id) = (&bytes[..], ChunkId([0; 16]));
        while let Some(event) = reader.next(&mut rest).unwrap() {
            match event {
                Event::Message(json) => message = serde_json::from_slice(&json).unwrap(),
                Event::Chunk { id: next, .. } => {
                    assert!(chunks.insert(next, Vec::new()).is_none(), "a chunk twice");
                    id = next;
                }
                Event::ChunkRange(range) => ranges.push((range, Vec::new())),
                Event::Data(data) => match ranges.last_mut() {
                    Some((_, bytes)) => bytes.extend_from_slice(data),
                    None => chunks.get_mut(&id).unwrap().extend_from_slice(data),
                },
                Event::ChunkEnd | Event::End => {}
            }
        }
        reader.finish().unwrap();
        for (id, bytes) in &chunks {
            assert_eq!(*id, ChunkId::of(bytes));
        }
        Self { sequence: answer.sequence, message, chunks, ranges }
    }

    fn scheme(&self, at: usize) -> &str {
        self.message["Signatures"][at]["ChunkingScheme"].as_str().unwrap()
    }

    /// A stream put together from what came and what is known.
    fn stream(&self, at: usize, known: &[&[u8]]) -> Vec<u8> {
        let known: BTreeMap<ChunkId, &[u8]> = known.iter().map(|bytes| (ChunkId::of(bytes), *bytes)).collect();
        let chunks = self.message["Signatures"][at]["ChunkSignatures"].as_array().unwrap();
        chunks
            .iter()
            .flat_map(|chunk| {
                let id = ChunkId::parse(chunk["ChunkId"].as_str().unwrap()).unwrap();
                let bytes = self.chunks.get(&id).map_or_else(|| known[&id].to_vec(), Clone::clone);
                assert_eq!(chunk["Length"], bytes.len());
                bytes
            })
            .collect()
    }
}

fn asked(filters: &[(&str, &str, &[&[u8]])]) -> Value {
    let filters: Vec<Value> = filters
        .iter()
        .map(|(stream, chunks, known)| {
            let known: Vec<String> = known.iter().map(|bytes| ChunkId::of(bytes).to_string()).collect();
            json!({ "StreamId": stream, "ChunkingScheme": "Zip", "ChunksToReturn": chunks, "AlreadyKnownChunks": known })
        })
        .collect();
    json!({ "ContentPropertiesToReturn": ["keep", "delete"], "ContentFilters": filters })
}

fn stream_of(stream: &str, scheme: &str, chunks: &[&[u8]]) -> Value {
    let chunks: Vec<Value> = chunks
        .iter()
        .map(|bytes| json!({ "ChunkId": ChunkId::of(bytes).to_string(), "Length": bytes.len() }))
        .collect();
    json!({ "StreamId": stream, "ChunkingScheme": scheme, "ChunkSignatures": chunks })
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [&frames::chunk_header(ChunkId::of(bytes), bytes.len() as u64)[..], bytes].concat()
}

/// A whole body: these streams, and these chunks.
#[expect(clippy::needless_pass_by_value, reason = "it is called with literals")]
fn body(streams: Vec<Value>, chunks: &[&[u8]]) -> Vec<u8> {
    body_with(&json!({ "ContentProperties": [], "Signatures": streams, "UploadSessionTokenToCommit": null }), chunks)
}

fn body_with(message: &Value, chunks: &[&[u8]]) -> Vec<u8> {
    let chunks: Vec<u8> = chunks.iter().flat_map(|bytes| chunk(bytes)).collect();
    [frames::message(message.to_string().as_bytes()), chunks, END_FRAME.to_vec()].concat()
}

const A: &[u8] = b"the first chunk";
const B: &[u8] = b"the second";
const C: &[u8] = b"the third and last chunk";

fn large() -> Vec<u8> {
    (0..50_000u32).flat_map(u32::to_le_bytes).collect()
}

#[tokio::test]
async fn what_is_put_in_chunks_is_what_is_got() {
    let setup = Setup::new().await;
    // An empty file takes its first bytes without a lock.
    let sequence = setup.sequence().await;
    let large = large();
    let main = stream_of("MainContent", "Zip", &[A, &large, A, B]);
    let alternate = stream_of("Alternate", "FullFile", &[&large]);
    let message = body(vec![main, alternate], &[B, &large, A]);
    let by = setup.by().await;
    let put = setup.host.put_chunked_file(
        &by,
        sequence,
        &PresentedLock::None,
        vec!["bob".to_owned()],
        wopi_service::full(message),
    );
    let done = put.await.unwrap();
    assert!(done.sequence > sequence);
    assert_eq!((done.sequence, setup.sequence().await), (done.version.0, done.sequence));
    let record = setup.record().await;
    assert_eq!((record.version, &record.content.editors[..]), (done.version, &["bob".to_owned()][..]));
    assert_eq!(record.content.size, (2 * A.len() + large.len() + B.len()) as u64);
    let whole = [A, &large, A, B].concat();
    assert_eq!(setup.streams().await, (whole.clone(), large.clone()));

    let got = setup.get(&asked(&[("MainContent", "All", &[A]), ("Alternate", "All", &[&large])])).await;
    assert_eq!((got.chunks.len(), got.sequence), (2, done.sequence));
    assert_eq!((got.stream(0, &[A]), got.stream(1, &[&large])), (whole, large));
    assert_eq!((got.scheme(0), got.scheme(1)), ("Zip", "FullFile"));
    let none = setup.get(&asked(&[("MainContent", "None", &[]), ("Alternate", "None", &[])])).await;
    assert_eq!(none.chunks.len(), 0);
    let last = setup.get(&asked(&[("MainContent", "LastZipChunk", &[]), ("Alternate", "LastZipChunk", &[])])).await;
    assert_eq!(last.chunks.into_values().collect::<Vec<_>>(), [B]);
    // Both streams, and the empty content of the beginning: what came with the request is gone.
    assert_eq!(setup.kept().await, 3);
}

#[tokio::test]
async fn a_delta_needs_only_what_is_new() {
    let setup = Setup::new().await;
    let large = large();
    setup.put(body(vec![stream_of("MainContent", "Zip", &[&large, A])], &[&large, A])).await.unwrap();
    setup.lock().await;
    // A chunk of the main stream also serves another one, and the other way round.
    let streams = vec![stream_of("MainContent", "Zip", &[B, &large, C]), stream_of("Alternate", "Zip", &[A, &large])];
    setup.put(body(streams, &[C, B])).await.unwrap();
    assert_eq!(setup.streams().await, ([B, &large, C].concat(), [A, &large].concat()));
    let streams = vec![stream_of("MainContent", "Zip", &[A, A, &large])];
    setup.put(body(streams, &[])).await.unwrap();
    assert_eq!(setup.streams().await, ([A, A, &large].concat(), [A, &large].concat()));
    assert_eq!(setup.host.ports.registry.versions(&setup.record().await.id).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_delta_against_a_file_that_came_whole_is_one_against_our_cut() {
    let setup = Setup::new().await;
    setup.lock().await;
    setup.put_file(&large()).await;
    let got = setup.get(&asked(&[("MainContent", "All", &[])])).await;
    assert_eq!((got.scheme(0), got.stream(0, &[])), ("FullFile", large()));
    setup.put(body(vec![stream_of("MainContent", "Zip", &[A, &large()])], &[A])).await.unwrap();
    assert_eq!(setup.streams().await.0, [A, &large()].concat());
}

#[tokio::test]
async fn a_stream_that_does_not_exist_is_an_empty_zip_and_an_empty_file_one_empty_chunk() {
    let setup = Setup::new().await;
    let got = setup.get(&asked(&[("MainContent", "All", &[]), ("Alternate", "All", &[])])).await;
    let empty = json!([{ "ChunkId": "GQn1a/wGJyPHUei0Ze5yiw==", "Length": 0 }]);
    assert_eq!((got.scheme(0), &got.message["Signatures"][0]["ChunkSignatures"]), ("FullFile", &empty));
    assert_eq!((got.scheme(1), &got.message["Signatures"][1]["ChunkSignatures"]), ("Zip", &json!([])));
    assert_eq!(got.chunks.len(), 1);
    let got = setup.get(&asked(&[("MainContent", "All", &[b""])])).await;
    assert_eq!(got.chunks.len(), 0);
    // Both forms of an empty stream are taken.
    setup.put(body(vec![stream_of("MainContent", "FullFile", &[b""])], &[])).await.unwrap();
    setup.put(body(vec![stream_of("MainContent", "Zip", &[])], &[])).await.unwrap();
    assert_eq!(setup.streams().await, (vec![], vec![]));
}

#[tokio::test]
async fn streams_that_are_not_named_stay_and_one_without_chunks_goes() {
    let setup = Setup::new().await;
    setup.put(body(vec![stream_of("MainContent", "Zip", &[A])], &[A])).await.unwrap();
    setup.lock().await;
    let before = setup.record().await;
    setup.put(body(vec![stream_of("Alternate", "Zip", &[B])], &[B])).await.unwrap();
    assert_eq!(setup.streams().await, (A.to_vec(), B.to_vec()));
    let after = setup.record().await;
    assert_eq!((after.content, after.version), (before.content, before.version.next()));
    setup.put(body(vec![stream_of("MainContent", "Zip", &[C])], &[C])).await.unwrap();
    assert_eq!(setup.streams().await, (C.to_vec(), B.to_vec()));
    setup.put(body(vec![stream_of("Alternate", "Zip", &[])], &[])).await.unwrap();
    assert_eq!(setup.streams().await, (C.to_vec(), vec![]));
}

#[tokio::test]
async fn put_file_drops_streams_and_the_properties_that_go_with_them() {
    let setup = Setup::new().await;
    let message = json!({
        "ContentProperties": [
            { "Name": "keep", "Value": "1", "Retention": "KeepOnContentChange" },
            { "Name": "delete", "Value": "2", "Retention": "DeleteOnContentChange" },
        ],
        "Signatures": [stream_of("MainContent", "Zip", &[A]), stream_of("Alternate", "Zip", &[B])],
    });
    setup.put(body_with(&message, &[A, B])).await.unwrap();
    let both = setup.get(&asked(&[("MainContent", "None", &[])])).await;
    let (keep, delete) = (Retention::KeepOnContentChange, Retention::DeleteOnContentChange);
    let property = |name: &str, value: &str, retention| {
        let (name, value) = (name.to_owned(), value.to_owned());
        serde_json::to_value(ContentProperty { name, value, retention }).unwrap()
    };
    assert_eq!(
        both.message["ContentProperties"],
        json!([property("keep", "1", keep), property("delete", "2", delete)])
    );

    setup.lock().await;
    setup.put_file(b"whole").await;
    let after = setup.get(&asked(&[("MainContent", "All", &[]), ("Alternate", "All", &[])])).await;
    assert_eq!(after.message["ContentProperties"], json!([property("keep", "1", keep)]));
    assert!(after.sequence > both.sequence);
    assert_eq!((after.stream(0, &[]), after.stream(1, &[]), after.scheme(1)), (b"whole".to_vec(), vec![], "Zip"));
    // And what was dropped does not come back with the next change.
    setup.put(body(vec![stream_of("MainContent", "Zip", &[C])], &[C])).await.unwrap();
    assert_eq!(setup.streams().await, (C.to_vec(), vec![]));
}

#[tokio::test]
async fn streams_and_properties_last_30_days_and_then_their_bytes_go() {
    let setup = Setup::new().await;
    let message = json!({
        "ContentProperties": [{ "Name": "keep", "Value": "1", "Retention": "KeepOnContentChange" }],
        "Signatures": [stream_of("MainContent", "Zip", &[A]), stream_of("Alternate", "Zip", &[B])],
    });
    setup.put(body_with(&message, &[A, B])).await.unwrap();
    let kept = setup.kept().await;
    setup.clock.0.fetch_add(i64::try_from(KEPT.as_millis()).unwrap() - 1, Ordering::SeqCst);
    assert_eq!(setup.streams().await, (A.to_vec(), B.to_vec()));
    setup.clock.0.fetch_add(1, Ordering::SeqCst);
    let got = setup.get(&asked(&[("MainContent", "All", &[]), ("Alternate", "All", &[])])).await;
    assert_eq!((got.stream(0, &[]), got.stream(1, &[])), (A.to_vec(), vec![]));
    assert_eq!(got.message["ContentProperties"], json!([]));
    setup.clock.0.fetch_add(1, Ordering::SeqCst);
    let summary = setup.host.sweep().await.unwrap();
    assert_eq!(summary.parts, 2);
    // The stream, and the empty content of the beginning, which no version keeps.
    assert_eq!(setup.kept().await, kept - 2);
    assert_eq!(setup.streams().await.0, A);
}

/// The lock that is presented, the state that is believed, and what comes of it.
#[tokio::test]
async fn lock_and_sequence_number_are_judged_before_the_body() {
    let setup = Setup::new().await;
    let refused = async |lock: PresentedLock, sequence: u64| {
        let body = wopi_service::full("no frames at all");
        let by = setup.by().await;
        let put = setup.host.put_chunked_file(&by, sequence, &lock, vec![], body).await;
        without_reason(put.unwrap_err().error)
    };
    let wopi = |text: &str| PresentedLock::Wopi(LockId::parse(text).unwrap());
    let coauth = PresentedLock::Coauth(wopi::operation::CoauthLockId::parse("L").unwrap());
    let conflict = |error: WopiError, held: Option<&str>| match error {
        WopiError::LockMismatch { current, .. } => assert_eq!(current, held.and_then(LockId::parse)),
        other => panic!("{other:?}"),
    };
    let body_is_bad = bad_body();
    // Free and empty.
    for lock in [PresentedLock::None, wopi("L"), coauth.clone()] {
        assert_eq!(refused(lock.clone(), 1).await, body_is_bad);
        assert_eq!(refused(lock, 0).await, WopiError::StaleSequence { current: 1 });
    }
    // Free, with content.
    setup.put(body(vec![stream_of("MainContent", "Zip", &[A])], &[A])).await.unwrap();
    for lock in [PresentedLock::None, wopi("L"), coauth.clone()] {
        conflict(refused(lock, 2).await, None);
    }
    // Held.
    setup.lock().await;
    for lock in [PresentedLock::None, wopi("M"), coauth] {
        conflict(refused(lock, 0).await, Some("L"));
    }
    assert_eq!(refused(wopi("L"), 2).await, body_is_bad);
    for stale in [0, 1, 3, u64::MAX] {
        assert_eq!(refused(wopi("L"), stale).await, WopiError::StaleSequence { current: 2 });
    }
    assert_eq!(setup.streams().await.0, A);
}

/// Everything that is hostile or broken, and that nothing is changed by it and nothing left behind.
#[tokio::test]
async fn what_does_not_fit_is_refused_and_leaves_nothing() {
    let setup = Setup::new().await;
    let large = large();
    setup.put(body(vec![stream_of("MainContent", "Zip", &[&large, A])], &[&large, A])).await.unwrap();
    setup.lock().await;
    let (record, kept) = (setup.record().await, setup.kept().await);
    let bad = bad_body();
    let main = |chunks: &[&[u8]]| vec![stream_of("MainContent", "Zip", chunks)];
    let with_length = |length: u64| {
        let mut stream = stream_of("MainContent", "Zip", &[B]);
        stream["ChunkSignatures"][0]["Length"] = json!(length);
        body(vec![stream], &[B])
    };
    let good = body(main(&[&large, B, C]), &[B, &large, C]);
    let mut lying = good.clone();
    let middle = lying.len() / 2;
    lying[middle] ^= 1;
    let mut twice = stream_of("MainContent", "Zip", &[A, A]);
    twice["ChunkSignatures"][1]["Length"] = json!(1);
    let range = frames::ChunkRange { id: ChunkId::of(B), offset: 0, length: 1, last: false };
    let message = frames::message(json!({ "Signatures": main(&[B]) }).to_string().as_bytes());
    let mut cases = vec![
        ("a chunk that is nowhere", body(main(&[B]), &[]), bad.clone()),
        ("a chunk under another's id", lying, bad.clone()),
        ("a declared length that is not the chunk's", with_length(11), bad.clone()),
        ("one chunk with two lengths", body(vec![twice], &[]), bad.clone()),
        (
            "a length of the file's own chunk that it does not have",
            {
                let mut stream = stream_of("MainContent", "Zip", &[A]);
                stream["ChunkSignatures"][0]["Length"] = json!(1);
                body(vec![stream], &[])
            },
            bad.clone(),
        ),
        (
            "a part of a chunk",
            [&message[..], &frames::chunk_range_header(&range), b"x", &END_FRAME].concat(),
            bad.clone(),
        ),
        ("no message", END_FRAME.to_vec(), bad.clone()),
        ("nothing", vec![], bad.clone()),
        ("JSON that is none", [frames::message(b"{"), END_FRAME.to_vec()].concat(), bad.clone()),
        (
            "an upload session that is not known",
            body_with(&json!({ "Signatures": main(&[]), "UploadSessionTokenToCommit": "t" }), &[]),
            WopiError::Gone { reason: String::new() },
        ),
        (
            "a chunk of 2^63 bytes",
            [&message[..], &frames::chunk_header(ChunkId::of(B), 1 << 63)].concat(),
            WopiError::TooLarge,
        ),
        ("a stream that is larger than anything", with_length(u64::MAX), WopiError::TooLarge),
        ("a stream beyond the limit", with_length(BODY_BYTES_MAX + 1), WopiError::TooLarge),
        ("a small body that becomes a large stream", body(main(&[&large[..]; 6]), &[]), WopiError::TooLarge),
        ("chunks beyond the limit that nobody wants", body(main(&[A]), &[&large[..]; 6]), WopiError::TooLarge),
        ("more chunks than may come", body(main(&[A]), &vec![&b""[..]; frames::CHUNKS_MAX + 1]), bad.clone()),
    ];
    let cuts: Vec<usize> = (0..good.len()).step_by(good.len() / 25).chain([good.len() - 1]).collect();
    cases.extend(cuts.iter().map(|cut| ("an upload that stops", good[..*cut].to_vec(), bad.clone())));
    for (name, body, error) in cases {
        assert_eq!(setup.put(body).await, Err(error), "{name}");
        assert_eq!((setup.record().await, setup.kept().await), (record.clone(), kept), "{name}");
    }
    assert_eq!(setup.host.ports.registry.rescued(None).await.unwrap(), []);
    setup.put(good).await.unwrap();
    assert_eq!(setup.streams().await.0, [&large, B, C].concat());
}

#[tokio::test]
async fn a_file_has_no_more_than_256_streams() {
    let setup = Setup::new().await;
    let streams = |range: Range<usize>| {
        let named = range.map(|n| stream_of(&format!("s{n}"), "Zip", &[A]));
        [stream_of("MainContent", "Zip", &[B])].into_iter().chain(named).collect::<Vec<_>>()
    };
    setup.put(body(streams(0..256), &[A, B])).await.unwrap();
    setup.lock().await;
    let kept = setup.kept().await;
    let more = setup.put(body(streams(300..301), &[])).await;
    assert_eq!(more, Err(bad_body()));
    assert_eq!(setup.kept().await, kept);
    assert_eq!(setup.host.ports.registry.rescued(None).await.unwrap(), []);
}

/// A body that waits in its middle until the test says so.
fn waiting(
    before: Vec<u8>,
    after: Vec<u8>,
) -> (tokio::sync::oneshot::Sender<()>, tokio::sync::oneshot::Receiver<()>, Body) {
    let (reached, is_reached) = tokio::sync::oneshot::channel();
    let (go_on, may_go_on) = tokio::sync::oneshot::channel();
    let frame = |bytes: Vec<u8>| Ok::<_, BoxError>(http_body::Frame::data(Bytes::from(bytes)));
    let later = stream::once(async move {
        let _ = reached.send(());
        let _ = may_go_on.await;
        frame(after)
    });
    let frames = stream::once(async move { frame(before) }).chain(later);
    (go_on, is_reached, StreamBody::new(frames).boxed_unsync())
}

#[tokio::test]
async fn a_change_in_the_meantime_is_412_and_a_lost_lock_409_with_the_bytes_rescued() {
    let setup = Arc::new(Setup::new().await);
    setup.put(body(vec![stream_of("MainContent", "Zip", &[A])], &[A])).await.unwrap();
    setup.lock().await;
    let slow = async |text: &'static [u8]| {
        let whole = body(vec![stream_of("MainContent", "Zip", &[A, text])], &[text]);
        let (before, after) = whole.split_at(whole.len() - 20);
        let (go_on, is_reached, body) = waiting(before.to_vec(), after.to_vec());
        let sequence = setup.sequence().await;
        let task = tokio::spawn({
            let (setup, lock) = (Arc::clone(&setup), PresentedLock::Wopi(lock_id()));
            async move { setup.host.put_chunked_file(&setup.by().await, sequence, &lock, vec![], body).await }
        });
        is_reached.await.unwrap();
        (go_on, task)
    };
    let (go_on, task) = slow(B).await;
    setup.put_file(b"by another client").await;
    let kept = setup.kept().await;
    go_on.send(()).unwrap();
    let current = setup.sequence().await;
    assert_eq!(task.await.unwrap().unwrap_err().error, WopiError::StaleSequence { current });
    assert_eq!(setup.streams().await.0, b"by another client");
    assert_eq!(setup.kept().await, kept);
    assert_eq!(setup.host.ports.registry.rescued(None).await.unwrap(), []);

    setup.put(body(vec![stream_of("MainContent", "Zip", &[A])], &[A])).await.unwrap();
    let (go_on, task) = slow(C).await;
    setup.host.unlock(&setup.by().await, &lock_id()).await.unwrap();
    go_on.send(()).unwrap();
    assert_eq!(task.await.unwrap().unwrap_err().error.status().as_u16(), 409);
    assert_eq!(setup.streams().await.0, A);
    let rescued = setup.host.ports.registry.rescued(None).await.unwrap();
    let kept = setup.contents.open(&rescued[0].content, 0..u64::MAX).await.unwrap();
    assert_eq!(kept.collect().await.unwrap().to_bytes(), [A, C].concat());
    assert_eq!(rescued.len(), 1);

    // The lock was gone before it began, and the client did not even know the current state.
    let whole = body(vec![stream_of("MainContent", "Zip", &[B, A]), stream_of("Alternate", "Zip", &[B])], &[B]);
    assert_eq!(setup.put_at(1, whole).await.unwrap_err().status().as_u16(), 409);
    let rescued = setup.host.ports.registry.rescued(None).await.unwrap();
    let mut texts = Vec::new();
    for save in &rescued {
        let body = setup.contents.open(&save.content, 0..u64::MAX).await.unwrap();
        texts.push(body.collect().await.unwrap().to_bytes());
    }
    texts.sort();
    assert_eq!(texts, [[A, C].concat(), [B, A].concat()]);
    assert_eq!(setup.streams().await.0, A);
}

#[tokio::test]
async fn parts_of_chunks_are_sent_and_chunks_that_are_gone_left_out() {
    let setup = Setup::new().await;
    setup.put(body(vec![stream_of("MainContent", "Zip", &[A, B])], &[A, B])).await.unwrap();
    let range = |bytes: &[u8], offset: u64, length: i64| json!({ "ChunkId": ChunkId::of(bytes).to_string(), "Offset": offset, "Length": length });
    let ranges = [range(B, 4, 3), range(B, 4, -1), range(C, 0, -1), range(A, 0, 99), range(A, 16, 1), range(B, 10, -1)];
    let filter = json!({ "StreamId": "MainContent", "ChunkingScheme": "Zip", "ChunkRangesToReturn": ranges });
    let message = json!({ "ContentFilters": [filter] }).to_string();
    let body = [frames::message(message.as_bytes()), END_FRAME.to_vec()].concat();
    let answer = setup.host.get_chunks(&setup.by().await, wopi_service::full(body)).await.unwrap();
    let got = Got::read(answer).await;
    let ids = json!([ChunkId::of(B).to_string(), ChunkId::of(A).to_string()]);
    assert_eq!(got.message, json!({ "ChunkRangeCollection": [{ "StreamId": "MainContent", "ChunkIds": ids }] }));
    let of = |bytes: &[u8], offset: u64, part: &[u8], last| {
        let (id, length) = (ChunkId::of(bytes), part.len() as u64);
        (frames::ChunkRange { id, offset, length, last }, part.to_vec())
    };
    assert_eq!(
        got.ranges,
        [of(B, 4, b"sec", false), of(B, 4, b"second", true), of(A, 0, A, true), of(B, 10, b"", true)]
    );
}

#[tokio::test]
async fn requests_to_read_say_one_thing_and_nothing_else() {
    let setup = Setup::new().await;
    let message = frames::message(asked(&[("MainContent", "All", &[])]).to_string().as_bytes());
    for body in [
        vec![],
        message.clone(),
        [&message[..], &chunk(A), &END_FRAME].concat(),
        [frames::message(b"{}"), END_FRAME.to_vec()].concat(),
    ] {
        let by = setup.by().await;
        let got = setup.host.get_chunked_file(&by, wopi_service::full(body.clone())).await;
        assert_eq!(without_reason(got.map(|_| ()).unwrap_err().error), bad_body());
        let got = setup.host.get_chunks(&by, wopi_service::full(body)).await;
        assert_eq!(without_reason(got.map(|_| ()).unwrap_err().error), bad_body());
    }
}

/// The documents do not say in which order the words of an id stand, so a client may use either (protocol/chunked-transfer.md 9).
#[tokio::test]
async fn ids_with_their_words_in_the_other_byte_order_are_understood() {
    let swapped = |bytes: &[u8]| {
        let mut id = ChunkId::of(bytes);
        id.0[..8].reverse();
        id.0[8..].reverse();
        id
    };
    let setup = Setup::new().await;
    let signed = |chunks: &[&[u8]]| {
        let chunk = |bytes: &&[u8]| json!({ "ChunkId": swapped(bytes).to_string(), "Length": bytes.len() });
        let chunks: Vec<Value> = chunks.iter().map(chunk).collect();
        json!({ "Signatures": [{ "StreamId": "MainContent", "ChunkingScheme": "Zip", "ChunkSignatures": chunks }],
            "ContentProperties": [] })
    };
    let framed = |bytes: &[u8]| [&frames::chunk_header(swapped(bytes), bytes.len() as u64)[..], bytes].concat();
    let whole = |signatures: &Value, chunks: &[&[u8]]| {
        let chunks: Vec<u8> = chunks.iter().flat_map(|bytes| framed(bytes)).collect();
        [frames::message(signatures.to_string().as_bytes()), chunks, END_FRAME.to_vec()].concat()
    };
    setup.put(whole(&signed(&[A, B, b""]), &[A, B])).await.unwrap();
    setup.lock().await;
    // The file has them under the ids they came with, so a delta finds them again.
    setup.put(whole(&signed(&[B, C, A]), &[C])).await.unwrap();
    let file = setup.host.get_file(&setup.by().await, u64::MAX, None).await.unwrap();
    assert_eq!(file.body.collect().await.unwrap().to_bytes(), [B, C, A].concat());
}
