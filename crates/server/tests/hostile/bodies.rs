//! Bodies that are not what was announced, or not allowed.

use std::time::Duration;

use super::common::{self, Connection, Request, Settings};
use super::{CONTENT, LOCK, Scene, assert_refused};

/// The limit on bodies in these tests.
const BODY_BYTES_MAX: usize = 1 << 20;

async fn scene() -> Scene {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("documents");
    std::fs::create_dir(&folder).unwrap();
    let toml = format!("[limits]\nbody_bytes_max = {BODY_BYTES_MAX}\n");
    let settings = Settings::of(&folder).with_file(&scratch.path().join("lectern.toml"), &toml);
    Scene::begin_with(scratch, settings).await
}

fn put(scene: &Scene) -> Request {
    scene.file.put_file().header("X-WOPI-Lock", LOCK)
}

#[test]
fn a_body_that_is_cut_short_saves_nothing() {
    common::run(120, async {
        let mut scene = scene().await;
        for (what, request) in [
            ("half the length", put(&scene).header("Content-Length", "200000").raw_body(vec![b'x'; 100_000])),
            ("one byte short", put(&scene).header("Content-Length", "100001").raw_body(vec![b'x'; 100_000])),
            ("no byte at all", put(&scene).header("Content-Length", "5").raw_body("")),
            ("half a chunk", put(&scene).header("Transfer-Encoding", "chunked").raw_body("ff\r\nabc")),
            (
                "chunks without the last one",
                put(&scene).header("Transfer-Encoding", "chunked").raw_body("3\r\nabc\r\n"),
            ),
            ("half a chunk size", put(&scene).header("Transfer-Encoding", "chunked").raw_body("3\r\nabc\r\n1")),
        ] {
            let mut connection = Connection::open(scene.lectern.address()).await.unwrap();
            connection.write(&request.encode()).await.unwrap();
            // Whoever cut the line hears no answer, and must not be told that all is well.
            if let Ok(answer) = connection.cut_and_answer().await {
                assert!(answer.status >= 400, "{what}: {answer:?}");
            }
            scene.nothing_is_lost(what).await;
        }
    });
}

#[test]
fn a_body_longer_than_announced_is_saved_as_announced() {
    common::run(60, async {
        let mut scene = scene().await;
        let request = put(&scene).header("Content-Length", "5").raw_body("12345AND MORE\r\n\r\n");
        let mut connection = Connection::open(scene.lectern.address()).await.unwrap();
        connection.write(&request.encode()).await.unwrap();
        let answer = connection.answer().await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        // The rest is taken for the next request, and is none.
        if let Ok(next) = connection.answer().await {
            assert_eq!(next.status, 400, "{next:?}");
        }
        scene.holds(b"12345", "a body longer than announced").await;
    });
}

#[test]
fn a_body_whose_chunks_are_broken_saves_nothing() {
    common::run(60, async {
        let mut scene = scene().await;
        for body in [
            "zz\r\nabc\r\n0\r\n\r\n",
            "3\r\nabcdef\r\n0\r\n\r\n",
            "-3\r\nabc\r\n0\r\n\r\n",
            "ffffffffffffffffff\r\nabc",
        ] {
            let request = put(&scene).header("Transfer-Encoding", "chunked").raw_body(body);
            let mut connection = Connection::open(scene.lectern.address()).await.unwrap();
            connection.write(&request.encode()).await.unwrap();
            if let Ok(answer) = connection.answer().await {
                assert!(answer.status >= 400, "{body:?}: {answer:?}");
            }
            scene.nothing_is_lost(body).await;
        }
    });
}

#[test]
fn two_lengths_that_disagree_never_make_half_a_save() {
    common::run(60, async {
        let mut scene = scene().await;
        let chunks = "5\r\n12345\r\n0\r\n\r\n";
        let both = put(&scene).header("Content-Length", "3").header("Transfer-Encoding", "chunked").raw_body(chunks);
        let two = put(&scene).header("Content-Length", "3").header("Content-Length", "5").raw_body("12345");
        let mut held: &[u8] = CONTENT;
        for (what, request) in [("a length and chunks", both), ("two lengths", two)] {
            let mut connection = Connection::open(scene.lectern.address()).await.unwrap();
            connection.write(&request.encode()).await.unwrap();
            let saved = connection.answer().await.is_ok_and(|answer| answer.status == 200);
            assert!(!(saved && what == "two lengths"), "two lengths are two opinions");
            // RFC 9112, 6.3: a server may take the chunks and must not take the length.
            if saved {
                held = b"12345";
            }
            scene.holds(held, what).await;
            drop(connection);
        }
    });
}

#[test]
fn a_body_in_chunks_is_saved_whole() {
    common::run(60, async {
        let mut scene = scene().await;
        let mut body = Vec::new();
        let mut expected = Vec::new();
        for n in 1..300_usize {
            let chunk = vec![b'a' + (n % 26) as u8; n];
            body.extend(format!("{n:x};an=\"extension\"\r\n").bytes());
            body.extend(&chunk);
            body.extend(b"\r\n");
            expected.extend(chunk);
        }
        body.extend(b"0\r\nA-Trailer: of no meaning\r\n\r\n");
        let request = put(&scene).header("Transfer-Encoding", "chunked").raw_body(body);
        let answer = scene.send(&request).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        scene.holds(&expected, "a body in chunks").await;
    });
}

#[test]
fn a_client_that_waits_for_100_continue_is_told_to_go_on() {
    common::run(60, async {
        let mut scene = scene().await;
        let head = put(&scene).header("Expect", "100-continue").header("Content-Length", "5").raw_body("").encode();
        let mut connection = Connection::open(scene.lectern.address()).await.unwrap();
        connection.write(&head).await.unwrap();
        connection.write(b"12345").await.unwrap();
        let answer = connection.answer().await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        scene.holds(b"12345", "Expect: 100-continue").await;
    });
}

#[test]
fn a_body_over_the_limit_is_refused_with_413() {
    common::run(120, async {
        let mut scene = scene().await;
        let over = vec![b'x'; BODY_BYTES_MAX + 1];
        let chunked = [format!("{:x}\r\n", over.len()).into_bytes(), over.clone(), b"\r\n0\r\n\r\n".to_vec()].concat();
        let announced = put(&scene).body(over.clone());
        let only_announced = put(&scene).header("Content-Length", "99999999999").raw_body("");
        let in_chunks = put(&scene).header("Transfer-Encoding", "chunked").raw_body(chunked);
        let relative = scene.file.operation("PUT_RELATIVE").header("X-WOPI-SuggestedTarget", ".wopitest").body(over);
        for (what, request) in [
            ("announced", announced),
            ("announced, not sent", only_announced),
            ("in chunks", in_chunks),
            ("PutRelativeFile", relative),
        ] {
            let connection = Connection::open(scene.lectern.address()).await.unwrap();
            let answer = connection.write_and_answer(&request.encode()).await;
            let answer = answer.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_refused(&answer, &[413], what);
            scene.nothing_is_lost(what).await;
        }
        let just_right = vec![b'y'; BODY_BYTES_MAX];
        let answer = scene.send(&put(&scene).body(just_right.clone())).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        scene.holds(&just_right, "a body of exactly the limit").await;
    });
}

#[test]
fn many_bodies_that_never_end_do_not_keep_others_from_saving() {
    common::run(60, async {
        let mut scene = scene().await;
        let mut stuck = Vec::new();
        for _ in 0..50 {
            let mut connection = Connection::open(scene.lectern.address()).await.unwrap();
            let request = put(&scene).header("Content-Length", "100000").raw_body(vec![b'x'; 1000]);
            connection.write(&request.encode()).await.unwrap();
            stuck.push(connection);
        }
        let saving = async { scene.send(&put(&scene).body("12345")).await };
        let answer = tokio::time::timeout(Duration::from_secs(20), saving).await.expect("a save among the stuck ones");
        assert_eq!(answer.status, 200, "{answer:?}");
        for connection in stuck {
            connection.cut().await.unwrap();
        }
        scene.holds(b"12345", "fifty bodies that never ended").await;
    });
}
