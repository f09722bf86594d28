//! A great deal at once: what the program's memory grows by must not follow from what clients send.
//!
//! The peak of its resident memory is measured while the requests of a row run all at once, against what it had before.

use super::archives::{ENTRIES_MAX, endless_directory};
use super::common::frames::{
    CHUNK, END, MESSAGE, Told, ask, chunk, end, frame, header, id, message, put_message, save, stream,
};
use super::common::{self, Answer, Connection, Request};
use super::lies::{MESSAGE_BYTES_MAX, tiny_chunks};
use super::{CONTENT, LOCK, Scene};

/// How many requests come at once.
const AT_ONCE: usize = 20;
/// What the memory may grow by. Twenty bodies of these tests are at least 160 MB, so whoever holds them is found.
const GROWTH_BYTES_MAX: u64 = 64 << 20;
/// The size of one large delta.
const LARGE_BYTES: usize = 100_000_000;
/// The size of each of twenty.
const MIDDLE_BYTES: usize = 8 << 20;

/// Sends copies of one request at once, and gives their answers. Fails if the memory grew by more than it may.
async fn at_once(scene: &Scene, what: &str, count: usize, request: &Request) -> Vec<Answer> {
    let bytes: std::sync::Arc<[u8]> = request.encode().into();
    let address = scene.lectern.address();
    scene.lectern.forget_most_memory();
    let before = scene.lectern.memory("VmRSS");
    let mut sending = tokio::task::JoinSet::new();
    for _ in 0..count {
        let bytes = std::sync::Arc::clone(&bytes);
        sending.spawn(async move { Connection::open(address).await?.write_and_answer(&bytes).await });
    }
    let answers: Vec<Answer> = sending.join_all().await.into_iter().map(|answer| answer.unwrap()).collect();
    let grown = scene.lectern.memory("VmHWM").saturating_sub(before);
    let sent = bytes.len() * count;
    println!("{what}: {count} × {} bytes, memory {before} + {grown}", bytes.len());
    assert!(grown < GROWTH_BYTES_MAX, "{what}: {sent} bytes were sent, and the memory grew by {grown}");
    answers
}

#[test]
fn large_deltas_go_to_the_disk_as_they_come() {
    common::run(240, async {
        let mut scene = Scene::begin().await;
        let before = scene.before().await;
        let mut large = vec![b'l'; LARGE_BYTES];
        let good = scene.put_chunked(&before, save(&[&large[..], CONTENT], &[&large]));
        large.truncate(MIDDLE_BYTES);
        // Every byte is right but the last one, so all of them have to be taken first.
        let wrong = frame(CHUNK, &wopi::ChunkId::of(&large).0, &[&large[1..], b"!"].concat());
        let wrong = [put_message(&[stream("MainContent", &[&large[..]])], None), wrong, end()].concat();
        for answer in at_once(&scene, "deltas with a wrong end", AT_ONCE, &scene.put_chunked(&before, wrong)).await {
            assert_eq!(answer.status, 400, "{answer:?}");
        }
        scene.nothing_happened(&before, "deltas with a wrong end").await;
        let answers = at_once(&scene, "one large delta", 1, &good).await;
        assert_eq!(answers[0].status, 200, "{:?}", answers[0]);
        let asked = scene.file.operation("GET_CHUNKED_FILE").body(ask(&["MainContent"]));
        let told = at_once(&scene, "reading it", 1, &asked).await;
        assert_eq!(Told::read(&told[0]).stream(0)[0].len(), LARGE_BYTES);
    });
}

#[test]
fn messages_do_not_unfold_in_memory() {
    common::run(240, async {
        let mut scene = Scene::begin().await;
        let before = scene.before().await;
        let filled = |start: &str, item: &str, rest: &str| {
            let count = (MESSAGE_BYTES_MAX - start.len() - rest.len()) / (item.len() + 1);
            let list = vec![item; count].join(",");
            [message(&format!("{start}{list}{rest}")), end()].concat()
        };
        let a_chunk = format!("{{\"ChunkId\":\"{}\",\"Length\":5}}", id(b"12345"));
        let a_stream = "{\"StreamId\":\"a\",\"ChunkingScheme\":\"Zip\",\"ChunkSignatures\":[]}";
        let a_filter = "{\"StreamId\":\"a\",\"ChunkingScheme\":\"Zip\"}";
        let a_range = format!("{{\"ChunkId\":\"{}\",\"Offset\":0,\"Length\":5}}", id(b"12345"));
        let a_property = "{\"Name\":\"\",\"Value\":\"\",\"Retention\":\"KeepOnContentChange\"}";
        let main = "{\"StreamId\":\"MainContent\",\"ChunkingScheme\":\"Zip\",";
        let put = |body: Vec<u8>| scene.put_chunked(&before, body);
        let asking = |body: Vec<u8>| scene.file.operation("GET_CHUNKED_FILE").body(body);
        let parts = |body: Vec<u8>| scene.file.operation("GET_CHUNKS").body(body);
        for (what, request) in [
            ("chunks", put(filled(&format!("{{\"Signatures\":[{main}\"ChunkSignatures\":["), &a_chunk, "]}]}"))),
            ("streams", put(filled("{\"Signatures\":[", a_stream, "]}"))),
            ("properties", put(filled("{\"ContentProperties\":[", a_property, "]}"))),
            (
                "names of properties",
                asking(filled("{\"ContentPropertiesToReturn\":[", "\"\"", "],\"ContentFilters\":[]}")),
            ),
            ("filters", asking(filled("{\"ContentFilters\":[", a_filter, "]}"))),
            (
                "parts of chunks",
                parts(filled("{\"ContentFilters\":[{\"StreamId\":\"a\",\"ChunkRangesToReturn\":[", &a_range, "]}]}")),
            ),
            ("what nobody knows", put(filled("{\"X\":[", "[{}]", "],\"Signatures\":[]}"))),
            (
                "blanks",
                put([header(MESSAGE, 0, MESSAGE_BYTES_MAX as u64), vec![b' '; MESSAGE_BYTES_MAX], end()].concat()),
            ),
        ] {
            for answer in at_once(&scene, what, AT_ONCE, &request).await {
                assert!(matches!(answer.status, 400 | 503), "{what}: {answer:?}");
            }
        }
        // These are no refusals: ids that are none are nobody's.
        for (what, known) in
            [("known chunks", format!("\"{}\"", id(b"12345"))), ("known chunks that are none", "\"\"".to_owned())]
        {
            let filter = format!("{{\"ContentFilters\":[{main}\"ChunksToReturn\":\"All\",\"AlreadyKnownChunks\":[");
            let answers = at_once(&scene, what, AT_ONCE, &asking(filled(&filter, &known, "]}]}"))).await;
            assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 503)), "{what}: {answers:?}");
            assert!(answers.iter().any(|answer| answer.status == 200), "{what}: {answers:?}");
        }
        scene.nothing_happened(&before, "large messages").await;
    });
}

#[test]
fn many_small_things_take_little_room() {
    common::run(240, async {
        let mut scene = Scene::begin().await;
        let before = scene.before().await;
        let main = put_message(&[stream("MainContent", &[b"x"])], None);
        let tiny = scene.put_chunked(&before, [&main[..], &tiny_chunks(250_000), &header(END, 0, 0)].concat());
        for answer in at_once(&scene, "tiny chunks", AT_ONCE, &tiny).await {
            assert_eq!(answer.status, 400, "{answer:?}");
        }
        // As many chunks as a file may have, all of them different, and one that is missing.
        let chunks: Vec<[u8; 4]> = (0..65_536u32).map(u32::to_le_bytes).collect();
        let sent: Vec<u8> = chunks[1..].iter().flat_map(|bytes| chunk(bytes)).collect();
        let most = [put_message(&[stream("MainContent", &chunks)], None), sent, end()].concat();
        for answer in
            at_once(&scene, "as many chunks as there may be", AT_ONCE, &scene.put_chunked(&before, most)).await
        {
            assert!(matches!(answer.status, 400 | 503), "{answer:?}");
        }
        scene.nothing_happened(&before, "many chunks").await;
    });
}

#[test]
fn directories_of_archives_take_little_room() {
    common::run(240, async {
        let scene = Scene::begin().await;
        let archive = endless_directory(ENTRIES_MAX);
        let saved = scene.client().await.put_file(LOCK, archive.clone()).await.unwrap();
        assert_eq!(saved.status, 200, "{saved:?}");
        let filter =
            r#"{"ContentFilters":[{"StreamId":"MainContent","ChunkingScheme":"Zip","ChunksToReturn":"None"}]}"#;
        let request = scene.file.operation("GET_CHUNKED_FILE").body([message(filter), end()].concat());
        for answer in at_once(&scene, "directories", AT_ONCE, &request).await {
            assert_eq!(Told::read(&answer).message["Signatures"][0]["ChunkSignatures"][0]["Length"], archive.len());
        }
    });
}
