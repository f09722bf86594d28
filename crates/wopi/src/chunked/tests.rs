use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn id(number: u32) -> ChunkId {
    ChunkId::of(&number.to_be_bytes())
}

#[expect(clippy::needless_pass_by_value, reason = "it is called with literals")]
fn main_and(signatures: Value) -> Value {
    json!({ "ContentProperties": [], "Signatures": signatures, "UploadSessionTokenToCommit": null })
}

fn one(stream: &str, scheme: &str, chunks: usize) -> Value {
    let chunks: Vec<Value> = (0..chunks).map(|n| json!({ "ChunkId": id(n as u32).to_string(), "Length": 1 })).collect();
    json!({ "StreamId": stream, "ChunkingScheme": scheme, "ChunkSignatures": chunks })
}

fn put(message: &Value) -> Result<PutChunkedFile, MessageError> {
    PutChunkedFile::parse(message.to_string().as_bytes())
}

fn get(message: &Value) -> Result<GetChunkedFile, MessageError> {
    GetChunkedFile::parse(message.to_string().as_bytes())
}

fn filter(stream: &str) -> Value {
    json!({ "StreamId": stream, "ChunkingScheme": "Zip", "ChunksToReturn": "All", "AlreadyKnownChunks": [] })
}

#[test]
fn the_request_of_the_validator_is_understood() {
    // Escaped slashes, members in alphabetical order, null for the token.
    let text = br#"{"ContentProperties":[{"Name":"n","Retention":"KeepOnContentChange","Value":"v"}],
        "Signatures":[{"ChunkSignatures":[{"ChunkId":"GQn1a\/wGJyPHUei0Ze5yiw==","Length":0}],
        "ChunkingScheme":"FullFile","StreamId":"MainContent","Unknown":{"a":[1]}}],"UploadSessionTokenToCommit":null}"#;
    let message = PutChunkedFile::parse(text).unwrap();
    assert_eq!(message.upload_session, None);
    let property = ContentProperty { name: "n".into(), value: "v".into(), retention: Retention::KeepOnContentChange };
    assert_eq!(message.properties, [property]);
    let chunks = vec![ChunkSignature { id: ChunkId::of(b""), length: 0 }];
    let signature = Signature { scheme: ChunkingScheme::FullFile, chunks };
    assert_eq!(message.signatures, [StreamSignature { stream: StreamId::main(), signature }]);
}

#[test]
fn an_upload_session_may_be_named_or_not_in_four_ways() {
    let mut message = main_and(json!([one("MainContent", "Zip", 1)]));
    assert_eq!(put(&message).unwrap().upload_session, None);
    for (value, read) in [(json!(""), None), (json!("t"), Some("t".to_owned()))] {
        message["UploadSessionTokenToCommit"] = value;
        assert_eq!(put(&message).unwrap().upload_session, read);
    }
    message.as_object_mut().unwrap().remove("UploadSessionTokenToCommit");
    assert_eq!(put(&message).unwrap().upload_session, None);
    message["UploadSessionTokenToCommit"] = json!("t".repeat(UPLOAD_TOKEN_LENGTH_MAX + 1));
    assert!(put(&message).is_err());
}

#[test]
fn what_is_put_has_limits() {
    let good = main_and(json!([one("MainContent", "Zip", 2), one("Alternate", "FullFile", 1)]));
    assert!(put(&good).is_ok());
    assert!(put(&main_and(json!([]))).is_err(), "no stream");
    assert!(put(&main_and(json!([one("A", "Zip", 1), one("A", "Zip", 0)]))).is_err(), "one stream twice");
    assert!(put(&main_and(json!([one("A", "zip", 1)]))).is_err(), "letter case of the scheme");
    assert!(put(&main_and(json!([one("", "Zip", 1)]))).is_err(), "a stream without a name");
    assert!(put(&main_and(json!([one(&"x".repeat(257), "Zip", 1)]))).is_err(), "too long a name");
    assert!(put(&main_and(json!([one("A", "FullFile", 2)]))).is_err(), "two chunks of a whole");
    let streams = |count: usize| main_and((0..count).map(|n| one(&format!("s{n}"), "Zip", 0)).collect());
    assert!(put(&streams(STREAMS_MAX)).is_ok());
    assert!(put(&streams(STREAMS_MAX + 1)).is_err());
    assert!(put(&main_and(json!([one("A", "Zip", CHUNKS_MAX)]))).is_ok());
    assert!(put(&main_and(json!([one("A", "Zip", CHUNKS_MAX), one("B", "Zip", 1)]))).is_err());
    let mut huge = good.clone();
    huge["Signatures"][0]["ChunkSignatures"][0]["Length"] = json!(u64::MAX);
    assert!(put(&huge).is_err(), "more bytes than can be counted");
    for bad in [json!(-1), json!("1"), json!(1.5), Value::Null] {
        huge["Signatures"][0]["ChunkSignatures"][0]["Length"] = bad;
        assert!(put(&huge).is_err());
    }
}

#[test]
fn properties_have_limits() {
    let with = |properties: Value| {
        let mut message = main_and(json!([one("MainContent", "Zip", 1)]));
        message["ContentProperties"] = properties;
        put(&message)
    };
    let property =
        |name: &str, value: &str| json!({ "Name": name, "Value": value, "Retention": "DeleteOnContentChange" });
    assert!(with(json!([property(&"ü".repeat(256), &"v".repeat(1024))])).is_ok());
    assert!(with(json!([property(&"ü".repeat(257), "v")])).is_err());
    assert!(with(json!([property("", "v")])).is_err());
    assert!(with(json!([property("n", &"v".repeat(1025))])).is_err());
    assert!(with(json!([property("n", "1"), property("n", "2")])).is_err());
    assert!(with(json!([property("n", "1"), property("N", "2")])).is_ok());
    assert!(with(json!([{ "Name": "n", "Value": "v" }])).is_err());
    let many = |count: usize| with((0..count).map(|n| property(&n.to_string(), "")).collect());
    assert!(many(PROPERTIES_MAX).is_ok());
    assert!(many(PROPERTIES_MAX + 1).is_err());
}

#[test]
fn what_is_asked_has_limits() {
    let asked = |filters: Value| get(&json!({ "ContentPropertiesToReturn": [], "ContentFilters": filters }));
    assert!(asked(json!([])).is_err(), "no filter");
    assert!(get(&json!({ "ContentPropertiesToReturn": [] })).is_err(), "no filters");
    assert!(asked(json!([filter("A"), filter("A")])).is_err(), "two filters for one stream");
    for (member, bad) in [("ChunkingScheme", "Gzip"), ("ChunksToReturn", "all")] {
        let mut filter = filter("A");
        filter[member] = json!(bad);
        assert!(asked(json!([filter])).is_err(), "{member}");
    }
    let streams = |count: usize| asked((0..count).map(|n| filter(&n.to_string())).collect());
    assert!(streams(STREAMS_MAX).is_ok());
    assert!(streams(STREAMS_MAX + 1).is_err());
    let names = |count: usize| {
        let names: Vec<String> = (0..count).map(|n| n.to_string()).collect();
        get(&json!({ "ContentPropertiesToReturn": names, "ContentFilters": [filter("A")] }))
    };
    assert!(names(PROPERTIES_MAX).is_ok());
    assert!(names(PROPERTIES_MAX + 1).is_err());
}

#[test]
fn known_chunks_that_are_no_ids_are_passed_over() {
    let mut filter = filter("MainContent");
    filter["AlreadyKnownChunks"] = json!([id(1).to_string(), "decoration", id(2).to_string()]);
    let read = get(&json!({ "ContentPropertiesToReturn": ["a"], "ContentFilters": [filter.clone()] })).unwrap();
    assert_eq!(read.properties, ["a"]);
    assert_eq!(read.filters[0].known, [id(1), id(2)]);
    filter.as_object_mut().unwrap().remove("AlreadyKnownChunks");
    filter.as_object_mut().unwrap().remove("ChunksToReturn");
    let read = get(&json!({ "ContentFilters": [filter] })).unwrap();
    assert_eq!((read.filters[0].chunks, read.filters[0].known.len()), (ChunksToReturn::All, 0));
}

#[test]
fn the_chunks_that_a_filter_asks_for() {
    use ChunksToReturn::{All, LastZipChunk};
    let of = |scheme, ids: &[u32]| Signature {
        scheme,
        chunks: ids.iter().map(|n| ChunkSignature { id: id(*n), length: 1 }).collect(),
    };
    let zip = of(ChunkingScheme::Zip, &[1, 2, 1, 3]);
    let full = of(ChunkingScheme::FullFile, &[1]);
    assert_eq!(zip.wanted(All, &[]), [0, 1, 3]);
    assert_eq!(zip.wanted(All, &[id(1), id(9)]), [1, 3]);
    assert_eq!(zip.wanted(ChunksToReturn::None, &[]), [0usize; 0]);
    assert_eq!(zip.wanted(LastZipChunk, &[]), [3]);
    assert_eq!(zip.wanted(LastZipChunk, &[id(3)]), [0usize; 0]);
    assert_eq!(full.wanted(All, &[]), [0]);
    assert_eq!(full.wanted(All, &[id(1)]), [0usize; 0]);
    assert_eq!(full.wanted(LastZipChunk, &[]), [0usize; 0]);
    assert_eq!(Signature::of_nothing().wanted(LastZipChunk, &[]), [0usize; 0]);
}

#[test]
fn the_answer_is_spelled_as_published() {
    let vectors: Value = serde_json::from_str(include_str!("../../tests/data/spooky-vectors.json")).unwrap();
    let vectors = vectors["frame_vectors"].as_array().unwrap();
    let published = vectors.iter().find(|vector| vector["name"] == "get-chunked-file-response").unwrap();
    let text = b"SampleTextVersion-1";
    let chunks = vec![ChunkSignature { id: ChunkId::of(text), length: text.len() as u64 }];
    let signature = Signature { scheme: ChunkingScheme::FullFile, chunks };
    let answer =
        ChunkedFile { properties: vec![], signatures: vec![StreamSignature { stream: StreamId::main(), signature }] };
    assert_eq!(serde_json::to_string(&answer).unwrap(), published["message_utf8"].as_str().unwrap());
    let collection = ChunksOfStream { stream_id: StreamId::main(), chunk_ids: vec![ChunkId::of(b"")] };
    assert_eq!(
        serde_json::to_value(Chunks { chunk_range_collection: vec![collection] }).unwrap(),
        json!({ "ChunkRangeCollection": [{ "StreamId": "MainContent", "ChunkIds": ["GQn1a/wGJyPHUei0Ze5yiw=="] }] })
    );
    let session = UploadSession { upload_session_token: "t".into() };
    assert_eq!(serde_json::to_value(session).unwrap(), json!({ "UploadSessionToken": "t" }));
}

#[test]
fn parts_of_chunks_are_asked_for_by_range() {
    let ask = |length: Value| {
        let range = json!({ "ChunkId": id(1).to_string(), "Offset": 5, "Length": length });
        let filter = json!({ "StreamId": "MainContent", "ChunkingScheme": "Zip", "ChunkRangesToReturn": [range] });
        GetChunks::parse(json!({ "ContentFilters": [filter] }).to_string().as_bytes())
    };
    let wanted =
        |length| GetChunks { filters: vec![(StreamId::main(), vec![WantedRange { id: id(1), offset: 5, length }])] };
    assert_eq!(ask(json!(7)), Ok(wanted(Some(7))));
    assert_eq!(ask(json!(-1)), Ok(wanted(None)));
    assert!(ask(json!(-2)).is_err());
    assert!(ask(json!(1u64 << 63)).is_err());
}

#[test]
fn deep_nesting_is_refused() {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(PutChunkedFile::parse(deep.as_bytes()).is_err());
    assert!(GetChunkedFile::parse(deep.as_bytes()).is_err());
    assert!(GetChunks::parse(deep.as_bytes()).is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in any::<String>()) {
        for message in [&bytes[..], text.as_bytes()] {
            let _ = PutChunkedFile::parse(message);
            let _ = GetChunkedFile::parse(message);
            let _ = GetChunks::parse(message);
        }
    }
}
