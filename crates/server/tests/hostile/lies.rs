//! Bodies of a PutChunkedFile that lie, each with the status that it deserves.

use serde_json::{Value, json};

use super::CONTENT;
use super::common::frames::{
    CHUNK, CHUNK_RANGE, END, MESSAGE, chunk, end, frame, header, id, message, put_message, save, stream,
};

/// Largest message (`protocol/chunked-transfer.md` 3 leaves it to the host).
pub(crate) const MESSAGE_BYTES_MAX: usize = 16 << 20;

pub(crate) const A: &[u8] = b"a chunk that was sent";
pub(crate) const B: &[u8] = b"one that was not";

fn signature(chunks: &Value) -> Value {
    json!({ "StreamId": "MainContent", "ChunkingScheme": "Zip", "ChunkSignatures": chunks })
}

/// A body with this message, and a chunk.
fn with_message(json: &str) -> Vec<u8> {
    [message(json), chunk(A), end()].concat()
}

/// A body with these signatures, and a chunk.
fn with_signatures(signatures: &[Value]) -> Vec<u8> {
    [put_message(signatures, None), chunk(A), end()].concat()
}

fn with_chunks(chunks: &Value) -> Vec<u8> {
    with_signatures(&[signature(chunks)])
}

/// A body with a good message for [`A`], and this instead of its chunk.
fn with_frames(frames: &[u8]) -> Vec<u8> {
    [&put_message(&[stream("MainContent", &[A])], None), frames].concat()
}

fn ended(frames: &[u8]) -> Vec<u8> {
    with_frames(&[frames, &end()].concat())
}

/// Frames that lie, and with which status they are refused.
pub(crate) fn frames() -> Vec<(&'static str, Vec<u8>, u16)> {
    let good = save(&[A], &[A]);
    let range = |offset: u64, length: u64, flags: u32| {
        let [offset, length] = [offset, length].map(u64::to_be_bytes);
        [&wopi::ChunkId::of(A).0[..], &offset, &length, &flags.to_be_bytes()].concat()
    };
    let mut endless_end = with_frames(&chunk(A));
    endless_end.extend(header(END, 0, 5));
    vec![
        ("nothing", Vec::new(), 400),
        ("no frames", b"these are no frames at all".to_vec(), 400),
        ("half a header", good[..9].to_vec(), 400),
        ("half a message", good[..30].to_vec(), 400),
        ("half a chunk", good[..good.len() - 20].to_vec(), 400),
        ("no end", good[..good.len() - 16].to_vec(), 400),
        ("half an end", good[..good.len() - 1].to_vec(), 400),
        ("only an end", end(), 400),
        ("no message", [chunk(A), end()].concat(), 400),
        ("two messages", [put_message(&[stream("MainContent", &[A])], None), good.clone()].concat(), 400),
        ("a message after the chunks", ended(&[chunk(A), message("{}")].concat()), 400),
        ("a message of no bytes", [message(""), chunk(A), end()].concat(), 400),
        ("a message of 2^63 bytes", [header(MESSAGE, 0, 1 << 63), b"{}".to_vec()].concat(), 400),
        ("a message of 2^64 - 1 bytes", [header(MESSAGE, 0, u64::MAX), b"{}".to_vec()].concat(), 400),
        ("a message one byte too large", header(MESSAGE, 0, MESSAGE_BYTES_MAX as u64 + 1), 400),
        ("a message with an extended header", [header(MESSAGE, 16, 2), vec![b'{'; 18]].concat(), 400),
        ("a chunk of 2^63 bytes", with_frames(&[header(CHUNK, 16, 1 << 63), A.to_vec()].concat()), 413),
        ("a chunk of 2^64 - 1 bytes", with_frames(&[header(CHUNK, 16, u64::MAX), A.to_vec()].concat()), 413),
        ("a chunk without id", ended(&frame(CHUNK, &[], A)), 400),
        ("a chunk with an id of 2^32 - 1 bytes", with_frames(&header(CHUNK, u32::MAX, 5)), 400),
        ("a frame of type 0", ended(&frame(0, &[], &[])), 400),
        ("a frame of type 5", ended(&frame(5, &[], A)), 400),
        ("a frame of type 2^32 - 1", ended(&frame(u32::MAX, &[], A)), 400),
        ("a part of a chunk", ended(&frame(CHUNK_RANGE, &range(0, A.len() as u64, 1), A)), 400),
        ("a part beyond everything", ended(&frame(CHUNK_RANGE, &range(u64::MAX, A.len() as u64, 1), A)), 400),
        ("a part with unknown flags", ended(&frame(CHUNK_RANGE, &range(0, A.len() as u64, 2), A)), 400),
        ("an end with bytes of its own", endless_end, 400),
        ("a chunk under another name", ended(&frame(CHUNK, &wopi::ChunkId::of(B).0, A)), 400),
        ("a chunk with a bit changed", ended(&frame(CHUNK, &wopi::ChunkId::of(A).0, b"a chunk that was sEnt")), 400),
        (
            "a chunk that is longer than its signature says",
            {
                let longer = [A, b"!"].concat();
                ended(&frame(CHUNK, &wopi::ChunkId::of(A).0, &longer))
            },
            400,
        ),
        (
            "the same chunk again, but other bytes",
            { ended(&[chunk(A), frame(CHUNK, &wopi::ChunkId::of(A).0, b"a chunk that was sEnt")].concat()) },
            400,
        ),
        ("a million tiny chunks", with_frames(&tiny_chunks(1_000_000)), 400),
    ]
}

/// Chunks of one byte each.
pub(crate) fn tiny_chunks(count: u32) -> Vec<u8> {
    (0..count).flat_map(|number| chunk(&[number.to_le_bytes()[0]])).collect()
}

/// Messages that lie.
pub(crate) fn messages() -> Vec<(&'static str, Vec<u8>, u16)> {
    let of = |bytes: &[u8], length: Value| json!({ "ChunkId": id(bytes), "Length": length });
    let a = of(A, json!(A.len()));
    let streams = |count: usize| -> Vec<Value> { (0..count).map(|n| stream(&format!("s{n}"), &[A])).collect() };
    let properties = |count: usize, name: &str, value: &str| {
        let property = |n| json!({ "Name": format!("{name}{n}"), "Value": value, "Retention": "KeepOnContentChange" });
        let properties: Vec<Value> = (0..count).map(property).collect();
        with_message(
            &json!({ "ContentProperties": properties, "Signatures": [stream("MainContent", &[A])] }).to_string(),
        )
    };
    let deep = |inner: &str| format!("{}{inner}{}", "[".repeat(100_000), "]".repeat(100_000));
    let nested_object = format!("{}1{}", "{\"Signatures\":".repeat(50_000), "}".repeat(50_000));
    vec![
        ("a message that is no UTF-8", [frame(MESSAGE, &[], b"{\"Signatures\":[\"\xff\"]}"), end()].concat(), 400),
        ("a message that is no JSON", with_message("Signatures: none"), 400),
        ("a message that is a list", with_message("[]"), 400),
        ("a message that goes on", with_message("{\"Signatures\":[]}{}"), 400),
        ("a message without signatures", with_message("{}"), 400),
        ("no stream", with_signatures(&[]), 400),
        ("a stream twice", with_signatures(&[stream("MainContent", &[A]), stream("MainContent", &[A])]), 400),
        ("a stream without name", with_signatures(&[stream("", &[A])]), 400),
        ("a stream with a line break in its name", with_signatures(&[stream("a\nb", &[A])]), 400),
        ("a stream with an endless name", with_signatures(&[stream(&"x".repeat(257), &[A])]), 400),
        ("258 streams", with_signatures(&streams(258)), 400),
        ("257 streams beside the main one", with_signatures(&streams(257)), 400),
        (
            "a scheme that nobody knows",
            with_message(
                &json!({ "Signatures": [
            { "StreamId": "MainContent", "ChunkingScheme": "zip", "ChunkSignatures": [a] }] })
                .to_string(),
            ),
            400,
        ),
        (
            "a whole file of two chunks",
            with_message(
                &json!({ "Signatures": [
            { "StreamId": "MainContent", "ChunkingScheme": "FullFile", "ChunkSignatures": [a, a] }] })
                .to_string(),
            ),
            400,
        ),
        ("an id that is none", with_chunks(&json!([{ "ChunkId": "AAAA", "Length": 5 }])), 400),
        ("a length below 0", with_chunks(&json!([of(A, json!(-1))])), 400),
        ("a length that is no number", with_chunks(&json!([of(A, json!("5"))])), 400),
        ("a length with a fraction", with_chunks(&json!([of(A, json!(21.5))])), 400),
        ("a length of 2^63", with_chunks(&json!([of(A, json!(1u64 << 63))])), 413),
        ("lengths that overflow together", with_chunks(&json!([of(A, json!(u64::MAX)), of(B, json!(u64::MAX))])), 400),
        ("one id with two lengths", with_chunks(&json!([a, of(A, json!(A.len() + 1))])), 400),
        (
            "one id with two lengths in two streams",
            with_signatures(&[
                stream("MainContent", &[A]),
                json!({ "StreamId": "b", "ChunkingScheme": "Zip", "ChunkSignatures": [of(A, json!(A.len() + 1))] }),
            ]),
            400,
        ),
        ("another length than the chunk has", with_chunks(&json!([of(A, json!(A.len() - 1))])), 400),
        ("a chunk that nobody sent", with_chunks(&json!([a, of(B, json!(B.len()))])), 400),
        ("a chunk of the file with another length", with_chunks(&json!([of(CONTENT, json!(CONTENT.len() - 1))])), 400),
        ("no bytes under another name", with_chunks(&json!([a, of(B, json!(0))])), 400),
        (
            "a million chunks in a signature",
            with_message(&format!(
                "{{\"Signatures\":[{{\"StreamId\":\"MainContent\",\
            \"ChunkingScheme\":\"Zip\",\"ChunkSignatures\":[{}]}}]}}",
                vec![a.to_string(); 250_000].join(",")
            )),
            400,
        ),
        ("257 properties", properties(257, "name", "value"), 400),
        ("a property with an endless name", properties(1, &"x".repeat(256), "value"), 400),
        ("a property with an endless value", properties(1, "name", &"x".repeat(1025)), 400),
        ("a list that is deeper than any", with_message(&deep("")), 400),
        ("a deep list in the signatures", with_message(&format!("{{\"Signatures\":{}}}", deep("1"))), 400),
        ("a deep list where nobody looks", with_message(&format!("{{\"X\":{},\"Signatures\":[]}}", deep("1"))), 400),
        ("objects in objects", with_message(&nested_object), 400),
        (
            "an upload that there is not",
            [put_message(&[stream("MainContent", &[A])], Some("no such")), end()].concat(),
            410,
        ),
        (
            "a token beyond all bounds",
            with_message(
                &json!({ "Signatures": [stream("MainContent", &[A])],
            "UploadSessionTokenToCommit": "x".repeat(1025) })
                .to_string(),
            ),
            400,
        ),
    ]
}
