//! Bodies of incremental transfer that lie: about sizes, hashes, order, each other (issue "Coauthoring", *what it must
//! show*, 5). Statuses as in `protocol/chunked-transfer.md` 6 and in the table of `host/src/chunks.rs`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::common::frames::{
    CHUNK, CHUNK_RANGE, MESSAGE, Told, chunk, end, frame, header, id, message, put_message, save, sequence_of, stream,
};
use super::common::{self, Answer, Connection, Request, Settings};
use super::lies::{self, A, B, MESSAGE_BYTES_MAX, tiny_chunks};
use super::{CONTENT, LOCK, Scene, assert_refused};

/// How long the program may take to remove what a cut connection left.
const TIDY_TIME_MAX: Duration = Duration::from_secs(20);
/// How often that is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// Everything that must not change by what is refused.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Before {
    sequence: u64,
    version: String,
    lies_around: BTreeMap<PathBuf, u64>,
}

impl Scene {
    pub(crate) async fn sequence(&self) -> u64 {
        sequence_of(&self.send(&self.file.operation("GET_SEQUENCE_NUMBER")).await)
    }

    pub(crate) async fn before(&self) -> Before {
        let info = self.client().await.check_file_info().await.unwrap().json();
        Before {
            sequence: self.sequence().await,
            version: info["Version"].as_str().unwrap().to_owned(),
            lies_around: lies_around(self.folder()),
        }
    }

    /// Bytes, lock, version and sequence number are what they were, and nothing was left behind.
    pub(crate) async fn nothing_happened(&mut self, before: &Before, after: &str) {
        self.nothing_is_lost(after).await;
        assert_eq!(self.before().await, *before, "after {after}");
    }

    /// The same, as soon as the program has noticed that somebody is gone.
    async fn nothing_stays(&mut self, before: &Before, after: &str) {
        let begun = Instant::now();
        while lies_around(self.folder()) != before.lies_around {
            assert!(begun.elapsed() < TIDY_TIME_MAX, "{after}: {:?}", lies_around(self.folder()));
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        self.nothing_happened(before, after).await;
    }

    /// PutChunkedFile under the lock, at the right sequence number.
    pub(crate) fn put_chunked(&self, before: &Before, body: impl Into<Vec<u8>>) -> Request {
        self.put_at(&before.sequence.to_string()).body(body)
    }

    fn put_at(&self, sequence: &str) -> Request {
        let request = Request::post(&self.file.contents()).header("X-WOPI-Override", "PUT_CHUNKED_FILE");
        request.header("X-WOPI-SequenceNumber", sequence).header("X-WOPI-Lock", LOCK)
    }

    /// The answer to a request whose body may be refused before it was read.
    pub(crate) async fn send_long(&self, request: &Request) -> Answer {
        let connection = Connection::open(self.lectern.address()).await.unwrap();
        connection.write_and_answer(&request.encode()).await.unwrap_or_else(|error| panic!("{error}"))
    }
}

/// The files of `.lectern` with their sizes, but for the registry, which changes all the time.
fn lies_around(folder: &Path) -> BTreeMap<PathBuf, u64> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.join(".lectern")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            // What was there a moment ago may be gone.
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => folders.push(entry.path()),
                Ok(metadata) if !entry.file_name().to_string_lossy().starts_with("registry.sqlite") => {
                    found.insert(entry.path(), metadata.len());
                }
                _ => {}
            }
        }
    }
    found
}

#[test]
fn bodies_that_lie_are_refused_and_nothing_happens() {
    common::run(240, async {
        let mut scene = Scene::begin().await;
        let before = scene.before().await;
        for (what, body, status) in lies::frames().into_iter().chain(lies::messages()) {
            let answer = scene.send_long(&scene.put_chunked(&before, body)).await;
            assert_refused(&answer, &[status], what);
            scene.nothing_happened(&before, what).await;
        }
    });
}

#[test]
fn numbers_and_locks_that_lie_are_refused_before_the_body_is_looked_at() {
    common::run(60, async {
        let mut scene = Scene::begin().await;
        let before = scene.before().await;
        let good = save(&[A], &[A]);
        let now = before.sequence;
        for (sequence, status) in [
            ("", 400),
            ("one", 400),
            ("-1", 400),
            ("1.5", 400),
            ("18446744073709551616", 400),
            ("0", 412),
            ("2147483648", 412),
            ("18446744073709551615", 412),
        ] {
            let answer = scene.send_long(&scene.put_at(sequence).body(&good[..])).await;
            if status == 412 {
                assert_eq!((answer.status, sequence_of(&answer), &answer.body[..]), (412, now, &b""[..]), "{sequence}");
            } else {
                assert_refused(&answer, &[status], sequence);
            }
            scene.nothing_happened(&before, sequence).await;
        }
        // A body that is none is not looked at either.
        let stale = scene.send(&scene.put_at(&(now + 1).to_string()).body("no frames")).await;
        assert_eq!((stale.status, sequence_of(&stale)), (412, now));
        let both = scene.put_chunked(&before, &good[..]).header("X-WOPI-CoauthLockId", "another kind");
        assert_refused(&scene.send_long(&both).await, &[400], "two kinds of lock");
        scene.nothing_happened(&before, "two kinds of lock").await;
        for (what, request) in [
            ("no lock", scene.file.put_chunked(now)),
            ("another lock", scene.file.put_chunked(now).header("X-WOPI-Lock", "another")),
            ("a coauth lock", scene.file.put_chunked(now).header("X-WOPI-CoauthLockId", LOCK)),
        ] {
            let answer = scene.send_long(&request.body("no frames")).await;
            assert_refused(&answer, &[409], what);
            assert_eq!((answer.header("X-WOPI-Lock"), &answer.body[..]), (Some(LOCK), &b""[..]), "{what}");
            scene.nothing_happened(&before, what).await;
        }
    });
}

/// What only looks wrong is taken: bytes behind the end, chunks that nobody wants, a message of exactly the limit.
#[test]
fn what_is_only_strange_is_saved() {
    common::run(120, async {
        let mut scene = Scene::begin().await;
        let json = json!({ "Unknown": { "deep": [[[{}]]] }, "Signatures": [stream("MainContent", &[A, CONTENT, A])] });
        let mut largest = json.to_string();
        largest.push_str(&" ".repeat(MESSAGE_BYTES_MAX - largest.len()));
        let (wanted, unwanted) = (chunk(A), chunk(B));
        for (what, body) in [
            ("bytes behind the end", [save(&[A, CONTENT, A], &[A]), save(&[B], &[B])].concat()),
            (
                "chunks that nobody wants",
                [message(&json.to_string()), unwanted.clone(), wanted.clone(), unwanted, end()].concat(),
            ),
            ("a chunk twice", [message(&json.to_string()), wanted.clone(), wanted.clone(), end()].concat()),
            ("the largest message", [message(&largest), wanted, end()].concat()),
        ] {
            let before = scene.before().await;
            let answer = scene.send(&scene.put_chunked(&before, body)).await;
            assert_eq!((answer.status, sequence_of(&answer)), (200, before.sequence + 1), "{what}: {answer:?}");
            scene.holds(&[A, CONTENT, A].concat(), what).await;
            let whole = scene.client().await.put_file(LOCK, CONTENT.to_vec()).await.unwrap();
            assert_eq!(whole.status, 200, "{whole:?}");
        }
    });
}

#[test]
fn questions_for_chunks_that_lie_are_refused() {
    common::run(60, async {
        let mut scene = Scene::begin().await;
        let before = scene.before().await;
        let filter = |stream: &str, scheme: &str, chunks: &str| json!({ "StreamId": stream, "ChunkingScheme": scheme, "ChunksToReturn": chunks, "AlreadyKnownChunks": [] });
        let main = filter("MainContent", "Zip", "All");
        let with = |filters: Value, frames: &[u8]| {
            let json = json!({ "ContentPropertiesToReturn": [], "ContentFilters": filters }).to_string();
            [&message(&json), frames, &end()].concat()
        };
        let asked = |filters: Value| with(filters, &[]);
        let range = |chunk: Value, offset: Value, length: Value| {
            let ranges = json!([{ "ChunkId": chunk, "Offset": offset, "Length": length }]);
            asked(json!([{ "StreamId": "MainContent", "ChunkRangesToReturn": ranges }]))
        };
        let many: Vec<Value> = (0..258).map(|n| filter(&n.to_string(), "Zip", "All")).collect();
        let names = vec!["x"; 257];
        let properties = json!({ "ContentPropertiesToReturn": names, "ContentFilters": [main] }).to_string();
        let known = json!({ "StreamId": "MainContent", "ChunkingScheme": "Zip", "AlreadyKnownChunks": [[["x"]]] });
        for (operation, what, body) in [
            ("GET_CHUNKED_FILE", "nothing", Vec::new()),
            ("GET_CHUNKED_FILE", "no end", message(r#"{"ContentFilters":[]}"#)),
            ("GET_CHUNKED_FILE", "no filter", asked(json!([]))),
            ("GET_CHUNKED_FILE", "two filters for one stream", asked(json!([main, main]))),
            ("GET_CHUNKED_FILE", "258 filters", asked(json!(many))),
            ("GET_CHUNKED_FILE", "257 properties", [message(&properties), end()].concat()),
            ("GET_CHUNKED_FILE", "an unknown scheme", asked(json!([filter("MainContent", "Rar", "All")]))),
            ("GET_CHUNKED_FILE", "an unknown wish", asked(json!([filter("MainContent", "Zip", "Some")]))),
            ("GET_CHUNKED_FILE", "known chunks that are lists", asked(json!([known]))),
            ("GET_CHUNKED_FILE", "a chunk", with(json!([main]), &chunk(A))),
            ("GET_CHUNKED_FILE", "2^63 bytes of message", header(MESSAGE, 0, 1 << 63)),
            ("GET_CHUNKS", "nothing", Vec::new()),
            ("GET_CHUNKS", "no stream", asked(json!([]))),
            ("GET_CHUNKS", "a length of -2", range(json!(id(CONTENT)), json!(0), json!(-2))),
            ("GET_CHUNKS", "an offset below 0", range(json!(id(CONTENT)), json!(-1), json!(5))),
            ("GET_CHUNKS", "an id that is none", range(json!("x"), json!(0), json!(5))),
            ("GET_CHUNKS", "an end beyond 2^64", range(json!(id(CONTENT)), json!(u64::MAX), json!(i64::MAX))),
        ] {
            let answer = scene.send_long(&scene.file.operation(operation).body(body)).await;
            assert_refused(&answer, &[400], &format!("{operation}, {what}"));
            scene.nothing_happened(&before, what).await;
        }
        // Parts that are not there are left out, wherever they are said to be.
        for (offset, length) in [(json!(u64::MAX), json!(-1)), (json!(22), json!(5))] {
            let body = range(json!(id(CONTENT)), offset, length);
            let answer = scene.send(&scene.file.operation("GET_CHUNKS").body(body)).await;
            assert_eq!(Told::read(&answer).message["ChunkRangeCollection"][0]["ChunkIds"], json!([]), "{answer:?}");
        }
    });
}

#[test]
fn uploads_that_lie_are_refused_and_stay_as_they_are() {
    common::run(120, async {
        let mut scene = Scene::begin().await;
        let before = scene.before().await;
        let create = async |scene: &Scene| {
            let created = scene.send(&scene.file.operation("CREATE_UPLOAD_SESSION")).await;
            created.json()["UploadSessionToken"].as_str().unwrap().to_owned()
        };
        let token = create(&scene).await;
        let update = |token: &str, offset: &str, length: &str, bytes: &[u8]| {
            scene
                .file
                .operation("UPDATE_UPLOAD_SESSION")
                .header("X-WOPI-UploadSessionToken", token)
                .header("X-WOPI-ContentRangeOffset", offset)
                .header("X-WOPI-ContentRangeLength", length)
                .body(bytes)
        };
        for (what, request, status) in [
            ("no such upload", update("no such", "0", "5", b"12345"), 410),
            ("a token beyond all bounds", update(&"x".repeat(1025), "0", "5", b"12345"), 400),
            ("no token", update("", "0", "5", b"12345"), 400),
            ("an offset below 0", update(&token, "-1", "5", b"12345"), 400),
            ("an offset behind what came", update(&token, "1", "5", b"12345"), 400),
            ("an offset of 2^64 - 1", update(&token, "18446744073709551615", "5", b"12345"), 400),
            ("more bytes than announced", update(&token, "0", "4", b"12345"), 400),
            ("fewer bytes than announced", update(&token, "0", "6", b"12345"), 400),
            ("a length of 2^63", update(&token, "0", "9223372036854775808", b"12345"), 413),
            ("a length that is no number", update(&token, "0", "five", b"12345"), 400),
        ] {
            assert_refused(&scene.send(&request).await, &[status], what);
        }
        scene.nothing_happened(&before, "uploads that lie").await;

        // Whatever bytes there are is seen when they are committed, and not before.
        for (what, run) in [
            ("no frames", b"these are no frames at all".to_vec()),
            ("a message", [message("{}"), chunk(A)].concat()),
            ("an end", [chunk(A), end()].concat()),
            ("a part of a chunk", frame(CHUNK_RANGE, &[0; 36], A)),
            ("half a chunk", chunk(A)[..40].to_vec()),
            ("a chunk under another name", frame(CHUNK, &wopi::ChunkId::of(A).0, B)),
            ("another chunk", chunk(B)),
            ("tiny chunks without end", tiny_chunks(70_000)),
        ] {
            let token = create(&scene).await;
            let taken = scene.send(&scene.file.update_upload(&token, 0, &run)).await;
            assert_eq!(taken.status, 200, "{what}: {taken:?}");
            let waiting = scene.before().await;
            let body = [put_message(&[stream("MainContent", &[A])], Some(&token)), end()].concat();
            assert_refused(&scene.send(&scene.put_chunked(&before, body)).await, &[400], what);
            // The bytes of the upload are still there, and nothing else is.
            scene.nothing_happened(&waiting, what).await;
        }
    });
}

/// A save in three frames, cut off in each of them.
#[test]
fn an_upload_that_stops_in_the_middle_leaves_nothing() {
    common::run(120, async {
        let mut scene = Scene::begin().await;
        let before = scene.before().await;
        let large = vec![b'x'; 300_000];
        let body = save(&[&large[..], A], &[&large, A]);
        let head = scene.put_chunked(&before, "").encode().len();
        for (what, kept) in [
            ("in the message", 30),
            ("before the first chunk", body.len() - large.len() - 32 - 32 - A.len() - 16),
            ("in a chunk", 200_000),
            ("between two chunks", body.len() - 16 - A.len() - 32),
            ("before the end", body.len() - 16),
            ("in the end", body.len() - 1),
        ] {
            let announced = scene.put_chunked(&before, &body[..]).encode();
            let mut connection = Connection::open(scene.lectern.address()).await.unwrap();
            let begun = announced.len() - body.len() + kept;
            assert!(begun > head && begun < announced.len());
            connection.write(&announced[..begun]).await.unwrap();
            if let Ok(answer) = connection.cut_and_answer().await {
                assert!(answer.status >= 400, "{what}: {answer:?}");
            }
            scene.nothing_stays(&before, what).await;
        }
        let answer = scene.send(&scene.put_chunked(&before, body)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    });
}

#[test]
fn uploads_that_stand_still_are_given_up_and_keep_nobody_from_saving() {
    common::run(120, async {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("documents");
        std::fs::create_dir(&folder).unwrap();
        let settings =
            Settings::of(&folder).with_file(&scratch.path().join("l.toml"), "[limits]\nbody_timeout = \"3s\"\n");
        let mut scene = Scene::begin_with(scratch, settings).await;
        let before = scene.before().await;
        let large = vec![b'x'; 300_000];
        let body = save(&[&large[..]], &[&large]);
        let request = scene.put_chunked(&before, &body[..]).encode();
        let mut standing = Vec::new();
        for at in [20, 200_000, 299_000].into_iter().cycle().take(30) {
            let mut connection = Connection::open(scene.lectern.address()).await.unwrap();
            connection.write(&request[..request.len() - body.len() + at]).await.unwrap();
            standing.push(connection);
        }
        let sequence = scene.sequence().await;
        let saved = scene.send(&scene.put_chunked(&before, save(&[CONTENT, A], &[A]))).await;
        assert_eq!((saved.status, sequence_of(&saved)), (200, sequence + 1), "{saved:?}");
        let saved = scene.send(&scene.file.put_file().header("X-WOPI-Lock", LOCK).body(CONTENT)).await;
        assert_eq!(saved.status, 200, "{saved:?}");
        for mut connection in standing {
            // Whoever sends nothing more is told so, or cut off.
            if let Ok(answer) = connection.answer().await {
                assert!(answer.status >= 400, "{answer:?}");
            }
        }
        // Two versions were replaced, and nothing else is kept.
        let begun = Instant::now();
        while lies_around(scene.folder()).len() != before.lies_around.len() + 2 {
            assert!(begun.elapsed() < TIDY_TIME_MAX, "{:?}", lies_around(scene.folder()));
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        scene.nothing_is_lost("thirty uploads that stood still").await;
    });
}
