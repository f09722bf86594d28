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
    huge["Signatures"][0]["ChunkSignatures"][0]["Length"] = json!(u64::MAX - 2);
    let together = "more bytes than can be counted in two streams together";
    huge["Signatures"][1]["ChunkSignatures"][0]["ChunkId"] = json!(id(9).to_string());
    assert!(put(&huge).is_ok());
    huge["Signatures"][1]["ChunkSignatures"][0]["Length"] = json!(2);
    assert!(put(&huge).is_err(), "{together}");
    for bad in [json!(-1), json!("1"), json!(1.5), Value::Null] {
        huge["Signatures"][0]["ChunkSignatures"][0]["Length"] = bad;
        assert!(put(&huge).is_err());
    }
}

#[test]
fn one_chunk_has_one_length() {
    let mut message = main_and(json!([one("MainContent", "Zip", 2), one("Alternate", "FullFile", 1)]));
    message["Signatures"][1]["ChunkSignatures"][0]["Length"] = json!(2);
    assert!(put(&message).unwrap_err().to_string().contains("has two lengths"), "in two streams");
    let mut message = main_and(json!([one("MainContent", "Zip", 2)]));
    message["Signatures"][0]["ChunkSignatures"][1]["ChunkId"] = json!(id(0).to_string());
    assert!(put(&message).is_ok());
    message["Signatures"][0]["ChunkSignatures"][1]["Length"] = json!(0);
    assert!(put(&message).is_err(), "in one stream");
}

#[test]
fn an_id_of_another_length_or_alphabet_is_refused() {
    for bad in ["", "AAAA", "GQn1a/wGJyPHUei0Ze5yiw", "GQn1a_wGJyPHUei0Ze5yiw==", "AAAAAAAAAAAAAAAAAAAAAAAA"] {
        let mut message = main_and(json!([one("MainContent", "Zip", 1)]));
        message["Signatures"][0]["ChunkSignatures"][0]["ChunkId"] = json!(bad);
        assert!(put(&message).is_err(), "{bad}");
        let range = json!({ "ChunkId": bad, "Offset": 0, "Length": 1 });
        let filter = json!({ "StreamId": "MainContent", "ChunkRangesToReturn": [range] });
        let message = json!({ "ContentFilters": [filter] }).to_string();
        assert!(GetChunks::parse(message.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn a_member_that_is_there_twice_is_refused_unless_nobody_knows_it() {
    let signature = one("MainContent", "Zip", 1).to_string();
    let twice = [
        format!(r#"{{"Signatures":[{signature}],"Signatures":[{signature}]}}"#),
        format!(r#"{{"Signatures":[{signature}],"ContentProperties":[],"ContentProperties":[]}}"#),
        format!(r#"{{"Signatures":[{}]}}"#, signature.replacen('{', r#"{"StreamId":"Alternate","#, 1)),
        format!(r#"{{"Signatures":[{}]}}"#, signature.replace(r#""Length":1"#, r#""Length":1,"Length":1"#)),
    ];
    for text in &twice {
        let error = PutChunkedFile::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("duplicate field"), "{error}");
    }
    let unknown = format!(r#"{{"Other":1,"Other":{{"Other":[2]}},"Signatures":[{signature}]}}"#);
    assert!(PutChunkedFile::parse(unknown.as_bytes()).is_ok());
    let filter = filter("A").to_string();
    for text in [
        format!(r#"{{"ContentFilters":[{filter}],"ContentFilters":[{filter}]}}"#),
        format!(r#"{{"ContentFilters":[{}]}}"#, filter.replacen('{', r#"{"AlreadyKnownChunks":[],"#, 1)),
    ] {
        assert!(GetChunkedFile::parse(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn an_error_quotes_no_more_than_a_log_line_of_what_was_sent() {
    let long = "\u{1b}[31m".repeat(100_000);
    for message in [
        main_and(json!([one(&long, "Zip", 1)])),
        main_and(json!([one("MainContent", &long, 1)])),
        main_and(json!(long)),
        json!({ "Signatures": [], "ContentProperties": [{ "Name": "n", "Value": "v", "Retention": long }] }),
    ] {
        let error = put(&message).unwrap_err().to_string();
        assert!(error.chars().count() < 300, "{} characters", error.chars().count());
        assert!(!error.contains(char::is_control));
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
fn a_part_that_ends_beyond_what_can_be_counted_is_refused() {
    let ask = |offset: u64, length: i64| {
        let range = json!({ "ChunkId": id(1).to_string(), "Offset": offset, "Length": length });
        let filter = json!({ "StreamId": "MainContent", "ChunkRangesToReturn": [range] });
        GetChunks::parse(json!({ "ContentFilters": [filter] }).to_string().as_bytes())
    };
    assert!(ask(u64::MAX - 5, 5).is_ok());
    assert!(ask(u64::MAX - 5, 6).is_err());
    assert!(ask(u64::MAX, -1).is_ok());
    assert!(ask(0, i64::MAX).is_ok());
}

#[test]
fn parts_of_chunks_have_limits() {
    let ask = |filters: Vec<Value>| GetChunks::parse(json!({ "ContentFilters": filters }).to_string().as_bytes());
    let of = |stream: &str, parts: usize| {
        let range = json!({ "ChunkId": id(1).to_string(), "Offset": 0, "Length": 1 });
        json!({ "StreamId": stream, "ChunkRangesToReturn": vec![range; parts] })
    };
    assert!(ask(vec![]).is_err(), "no stream");
    assert!(ask(vec![of("A", 1), of("A", 1)]).is_err(), "one stream twice");
    assert!(ask(vec![of("A", CHUNKS_MAX)]).is_ok());
    assert!(ask(vec![of("A", CHUNKS_MAX + 1)]).is_err(), "too many of one stream");
    assert!(ask(vec![of("A", CHUNKS_MAX), of("B", 1)]).is_err(), "too many of two streams together");
    let streams = |count: usize| ask((0..count).map(|n| of(&n.to_string(), 0)).collect());
    assert!(streams(STREAMS_MAX).is_ok());
    assert!(streams(STREAMS_MAX + 1).is_err());
}

#[test]
fn a_list_is_not_read_beyond_its_limit() {
    // What follows the item too many is no JSON, and nobody gets there.
    let endless = |list: &str, item: &str, max: usize| format!("{{\"{list}\":[{}]", vec![item; max + 2].join(","));
    let refused = |error: MessageError| assert!(error.to_string().contains("invalid length"), "{error}");
    let filter = r#"{"StreamId":"A","ChunkingScheme":"Zip"}"#;
    refused(GetChunkedFile::parse(endless("ContentFilters", filter, STREAMS_MAX).as_bytes()).unwrap_err());
    refused(
        GetChunkedFile::parse(endless("ContentPropertiesToReturn", "\"\"", PROPERTIES_MAX).as_bytes()).unwrap_err(),
    );
    let signature = r#"{"StreamId":"A","ChunkingScheme":"Zip","ChunkSignatures":[]}"#;
    refused(PutChunkedFile::parse(endless("Signatures", signature, STREAMS_MAX).as_bytes()).unwrap_err());
    let property = r#"{"Name":"","Value":"","Retention":"KeepOnContentChange"}"#;
    refused(PutChunkedFile::parse(endless("ContentProperties", property, PROPERTIES_MAX).as_bytes()).unwrap_err());
    let chunk = format!(r#"{{"ChunkId":"{}","Length":0}}"#, id(1));
    let chunks = endless("ChunkSignatures", &chunk, CHUNKS_MAX);
    refused(PutChunkedFile::parse(format!("{{\"Signatures\":[{chunks}").as_bytes()).unwrap_err());
    let ranges = r#"{"StreamId":"A","ChunkRangesToReturn":[]}"#;
    refused(GetChunks::parse(endless("ContentFilters", ranges, STREAMS_MAX).as_bytes()).unwrap_err());
    let range = format!(r#"{{"ChunkId":"{}","Offset":0,"Length":0}}"#, id(1));
    let ranges = endless("ChunkRangesToReturn", &range, CHUNKS_MAX);
    refused(GetChunks::parse(format!("{{\"ContentFilters\":[{ranges}").as_bytes()).unwrap_err());
}

#[test]
fn deep_nesting_is_refused_where_something_is_read_and_passed_over_elsewhere() {
    const DEEP: usize = 1_000_000;
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
        let deep = format!("{}1{}", open.repeat(DEEP), close.repeat(DEEP));
        let signature = one("MainContent", "Zip", 1).to_string();
        let unknown = format!(r#"{{"a":{deep},"Signatures":[{signature}]}}"#);
        assert!(PutChunkedFile::parse(unknown.as_bytes()).is_ok(), "{open}");
        for text in [
            deep.clone(),
            format!(r#"{{"Signatures":{deep}}}"#),
            format!(r#"{{"Signatures":[{signature}],"ContentProperties":{deep}}}"#),
            format!(r#"{{"Signatures":[{}]}}"#, signature.replace(r#""Length":1"#, &format!(r#""Length":{deep}"#))),
        ] {
            assert!(PutChunkedFile::parse(text.as_bytes()).is_err(), "{open}");
        }
        let filters = format!(r#"{{"ContentFilters":{deep}}}"#);
        for text in [&deep, &filters, &deep[..DEEP]] {
            assert!(GetChunkedFile::parse(text.as_bytes()).is_err(), "{open}");
            assert!(GetChunks::parse(text.as_bytes()).is_err(), "{open}");
        }
    }
}

#[test]
fn what_a_client_sends_is_spelled_as_published() {
    let get = GetChunkedFile {
        properties: vec!["n".into()],
        filters: vec![ContentFilter {
            stream: StreamId::main(),
            scheme: ChunkingScheme::Zip,
            chunks: ChunksToReturn::LastZipChunk,
            known: vec![ChunkId::of(b"")],
        }],
    };
    let known = "GQn1a/wGJyPHUei0Ze5yiw==";
    assert_eq!(
        serde_json::to_value(&get).unwrap(),
        json!({ "ContentPropertiesToReturn": ["n"], "ContentFilters": [{ "StreamId": "MainContent",
            "ChunkingScheme": "Zip", "ChunksToReturn": "LastZipChunk", "AlreadyKnownChunks": [known] }] })
    );
    let message = main_and(json!([one("MainContent", "Zip", 2)]));
    assert_eq!(serde_json::to_value(put(&message).unwrap()).unwrap(), message);
    let range = |length| WantedRange { id: ChunkId::of(b""), offset: 1, length };
    let get = GetChunks { filters: vec![(StreamId::main(), vec![range(Some(2)), range(None)])] };
    let range = |length: i64| json!({ "ChunkId": known, "Offset": 1, "Length": length });
    assert_eq!(
        serde_json::to_value(&get).unwrap(),
        json!({ "ContentFilters": [{ "StreamId": "MainContent", "ChunkingScheme": "Zip",
            "ChunkRangesToReturn": [range(2), range(-1)] }] })
    );
}

fn stream_ids(count: usize) -> impl Strategy<Value = Vec<StreamId>> {
    let name = "\\PC{1,20}".prop_filter_map("control characters", |name| StreamId::parse(&name));
    prop::collection::hash_set(name, 1..=count).prop_map(|names| names.into_iter().collect())
}

/// Ids of few chunks, so that some occur several times, each with the length that goes with it.
fn chunk() -> impl Strategy<Value = ChunkSignature> {
    (0u32..9).prop_map(|n| ChunkSignature { id: id(n), length: u64::from(n) << 40 })
}

fn retention() -> impl Strategy<Value = Retention> {
    prop_oneof![Just(Retention::DeleteOnContentChange), Just(Retention::KeepOnContentChange)]
}

proptest! {
    #[test]
    fn what_is_put_is_read_as_it_was_written(
        streams in stream_ids(4),
        chunks in prop::collection::vec(prop::collection::vec(chunk(), 0..6), 4),
        properties in prop::collection::hash_map("\\PC{1,9}", (any::<String>(), retention()), 0..4),
        upload_session in prop::option::of("[a-z]{1,9}"),
    ) {
        let signatures = streams.into_iter().zip(chunks).map(|(stream, chunks)| {
            let scheme = if chunks.len() == 1 { ChunkingScheme::FullFile } else { ChunkingScheme::Zip };
            StreamSignature { stream, signature: Signature { scheme, chunks } }
        });
        let properties = properties
            .into_iter()
            .filter(|(_, (value, _))| value.len() <= PROPERTY_VALUE_BYTES_MAX)
            .map(|(name, (value, retention))| ContentProperty { name, value, retention });
        let message = PutChunkedFile { properties: properties.collect(), signatures: signatures.collect(), upload_session };
        let sent = serde_json::to_vec(&message).unwrap();
        prop_assert_eq!(PutChunkedFile::parse(&sent), Ok(message));
    }

    #[test]
    fn what_is_asked_is_read_as_it_was_written(
        properties in prop::collection::vec(any::<String>(), 0..4),
        streams in stream_ids(4),
        known in prop::collection::vec(chunk(), 0..6),
        offset in any::<u64>(),
        length in prop::option::of(any::<u32>().prop_map(u64::from)),
    ) {
        let known: Vec<ChunkId> = known.iter().map(|chunk| chunk.id).collect();
        let ranges: Vec<WantedRange> = known.iter().map(|id| WantedRange { id: *id, offset: offset >> 1, length }).collect();
        let chunks = GetChunks { filters: streams.iter().map(|stream| (stream.clone(), ranges.clone())).collect() };
        prop_assert_eq!(GetChunks::parse(&serde_json::to_vec(&chunks).unwrap()), Ok(chunks));
        let all = [ChunksToReturn::All, ChunksToReturn::None, ChunksToReturn::LastZipChunk];
        let filters = streams.into_iter().zip(all.into_iter().cycle()).map(|(stream, chunks)| {
            ContentFilter { stream, scheme: ChunkingScheme::FullFile, chunks, known: known.clone() }
        });
        let message = GetChunkedFile { properties, filters: filters.collect() };
        prop_assert_eq!(GetChunkedFile::parse(&serde_json::to_vec(&message).unwrap()), Ok(message));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in any::<String>()) {
        for message in [&bytes[..], text.as_bytes()] {
            let _ = PutChunkedFile::parse(message);
            let _ = GetChunkedFile::parse(message);
            let _ = GetChunks::parse(message);
        }
    }
}
