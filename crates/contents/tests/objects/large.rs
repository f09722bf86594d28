//! Bodies of several parts, and what is left of those that end early.

use std::pin::pin;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use http_body_util::{BodyExt as _, StreamBody};
use lectern_conformance::contents::{bytes, content, fresh_id, ids, in_frames, read};
use lectern_conformance::servers::{Fault, S3, Wanted};
use lectern_contents::objects::{ObjectsSettings, PART_BYTES_MIN, StoreSettings};
use lectern_contents::{Objects, objects::Patience};
use lectern_host::ports::{Contents, ContentsError};
use lectern_host::records::Timestamp;
use lectern_host::{Body, BoxError};

use crate::{Server, objects, s3, settings};

const SIZE_MAX: u64 = 1 << 30;

/// Frames as they come from a network.
const FRAME: usize = 64 << 10;

async fn put(objects: &Objects, body: &Bytes) {
    let id = fresh_id();
    let stored = objects.put(&id, in_frames(body, FRAME), SIZE_MAX).await.unwrap();
    assert_eq!(stored.size, body.len() as u64);
    let expected = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body);
    assert_eq!(stored.sha256, expected.as_ref());
    assert!(content(objects, &id).await.as_ref() == Some(body), "{}", body.len());
    let middle = objects.open(&id, 1000..body.len() as u64 - 1000).await.unwrap();
    assert!(read(middle).await == body.slice(1000..body.len() - 1000), "{}", body.len());
    if body.len() < 2 * PART_BYTES_MIN {
        return;
    }
    let again = objects.put(&id, in_frames(body, FRAME), SIZE_MAX).await;
    assert!(matches!(again, Err(ContentsError::Failed(_))), "{again:?}");
}

#[tokio::test]
async fn a_body_of_any_number_of_parts_comes_back_whole() {
    let root = tempfile::tempdir().unwrap();
    let all = Server::all().await;
    let directory = objects(StoreSettings::Directory(root.path().to_owned()));
    for objects in all.iter().map(Server::objects).chain([directory]) {
        for length in [PART_BYTES_MIN - 1, PART_BYTES_MIN, PART_BYTES_MIN + 1, 2 * PART_BYTES_MIN + 5000] {
            put(&objects, &bytes(length, 1)).await;
        }
    }
}

#[tokio::test]
async fn a_body_within_one_part_is_one_request() {
    let server = S3::start().await;
    let objects = objects(StoreSettings::S3(s3(&server)));
    objects.put(&fresh_id(), in_frames(&bytes(PART_BYTES_MIN, 1), FRAME), SIZE_MAX).await.unwrap();
    let requests = server.faults().requests();
    assert!(matches!(&requests[..], [put] if put.starts_with("PUT")), "{requests:?}");
}

/// Some bytes, and then what a test says.
fn begun(length: usize, end: impl Into<Option<BoxError>>) -> Body {
    let data = bytes(length, 3);
    let frames: Vec<_> = (0..length).step_by(FRAME).map(|at| data.slice(at..length.min(at + FRAME))).collect();
    let begin = stream::iter(frames).map(|data| Ok(http_body::Frame::data(data)));
    match end.into() {
        Some(error) => StreamBody::new(begin.chain(stream::iter([Err(error)]))).boxed_unsync(),
        None => StreamBody::new(begin.chain(stream::pending())).boxed_unsync(),
    }
}

/// Nothing of it can be opened, listed, or paid for.
async fn assert_nothing_is_left(server: &Server, objects: &Objects) {
    objects.settled().await;
    assert_eq!(ids(objects).await, []);
    if let Server::S3(server) = server {
        assert_eq!(server.unfinished_uploads(), 0);
    }
}

#[tokio::test]
async fn a_body_that_fails_after_some_parts_leaves_nothing() {
    for server in Server::all().await {
        let objects = server.objects();
        for length in [PART_BYTES_MIN + 1, 2 * PART_BYTES_MIN + 1] {
            let id = fresh_id();
            let failed = objects.put(&id, begun(length, BoxError::from("the client went away")), SIZE_MAX).await;
            assert!(matches!(failed, Err(ContentsError::Body(_))), "{failed:?}");
            assert_eq!(content(&objects, &id).await, None);
            let refused = objects.put(&id, begun(length, None), length as u64 - 1).await;
            assert!(matches!(refused, Err(ContentsError::TooLarge { .. })), "{refused:?}");
            assert_nothing_is_left(&server, &objects).await;
        }
    }
}

/// Waits until the server was asked for something like this.
async fn asked(server: &Server, method: &str, target: &str) {
    for _ in 0..1_000_000 {
        let requests = server.faults().requests();
        if requests.iter().any(|request| request.starts_with(method) && request.contains(target)) {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the server was never asked for {method} {target}");
}

#[tokio::test]
async fn a_put_that_is_dropped_after_some_parts_leaves_nothing() {
    for server in Server::all().await {
        let objects = server.objects();
        let (id, part) = (fresh_id(), if server.is_s3() { "partNumber=2" } else { "comp=block" });
        {
            let mut putting = pin!(objects.put(&id, begun(2 * PART_BYTES_MIN + 1, None), SIZE_MAX));
            tokio::select! {
                _ = putting.as_mut() => panic!("the body never ends"),
                () = asked(&server, "PUT", part) => {}
            }
        }
        assert_nothing_is_left(&server, &objects).await;
        assert_eq!(content(&objects, &id).await, None);
    }
}

#[tokio::test]
async fn a_put_that_is_dropped_during_its_last_request_leaves_nothing() {
    for server in Server::all().await {
        let objects = server.objects();
        for (length, method, target) in [
            (10, "PUT", "/contents/"),
            (
                PART_BYTES_MIN + 1,
                if server.is_s3() { "POST" } else { "PUT" },
                if server.is_s3() { "uploadId=" } else { "comp=blocklist" },
            ),
        ] {
            server.faults().requests();
            let (id, body) = (fresh_id(), bytes(length, 4));
            {
                let mut putting = pin!(objects.put(&id, in_frames(&body, FRAME), SIZE_MAX));
                tokio::select! {
                    done = putting.as_mut() => panic!("it was to be dropped before: {done:?}"),
                    () = asked(&server, method, target) => {}
                }
            }
            assert_nothing_is_left(&server, &objects).await;
            assert_eq!(content(&objects, &id).await, None);
        }
    }
}

#[tokio::test]
async fn many_large_uploads_share_little_memory_and_all_come_to_their_end() {
    let root = tempfile::tempdir().unwrap();
    let store = StoreSettings::Directory(root.path().to_owned());
    let objects = Objects::open(&ObjectsSettings { upload_memory_bytes_max: 0, ..settings(store) }).unwrap();
    let body = bytes(9 << 20, 5);
    let puts = (0..20).map(|_| async {
        let id = fresh_id();
        // Of unknown length, so that each wants as much as it can get.
        let stored = objects.put(&id, in_frames(&body, FRAME), SIZE_MAX).await.unwrap();
        assert_eq!(stored.size, 9 << 20);
    });
    futures_util::future::join_all(puts).await;
    assert_eq!(ids(&objects).await.len(), 20);
}

#[tokio::test]
async fn uploads_of_a_process_that_died_are_removed_when_they_are_old() {
    let mut server = S3::start().await;
    let patience = Patience { pause: std::time::Duration::from_millis(1), attempts: 1, ..Patience::default() };
    let store = StoreSettings::S3(s3(&server));
    let objects = Objects::open(&ObjectsSettings { patience, ..settings(store.clone()) }).unwrap();
    let id = fresh_id();
    server.faults().fail(1, Wanted { method: "DELETE", ..Wanted::ANY }, &Fault::Close);
    let failed = objects.put(&id, begun(PART_BYTES_MIN + 1, BoxError::from("killed")), SIZE_MAX).await;
    assert!(matches!(failed, Err(ContentsError::Body(_))));
    objects.settled().await;
    assert_eq!(server.unfinished_uploads(), 1);

    let made = id.made_at();
    assert_eq!(objects.remove_unfinished(made).await.unwrap(), 0);
    // Of another prefix.
    assert_eq!(crate::objects(store).remove_unfinished(Timestamp(i64::MAX)).await.unwrap(), 0);
    assert_eq!(server.unfinished_uploads(), 1);
    assert_eq!(objects.remove_unfinished(Timestamp(made.0 + 1)).await.unwrap(), 1);
    assert_eq!(server.unfinished_uploads(), 0);

    server.stop().await;
    let away = objects.remove_unfinished(Timestamp(i64::MAX)).await;
    assert!(matches!(away, Err(ContentsError::Unavailable(_))), "{away:?}");
}

#[tokio::test]
async fn staged_files_of_a_process_that_died_are_removed_when_they_are_old() {
    let root = tempfile::tempdir().unwrap();
    let settings = settings(StoreSettings::Directory(root.path().to_owned()));
    let objects = Objects::open(&settings).unwrap();
    assert_eq!(objects.remove_unfinished(Timestamp(i64::MAX)).await.unwrap(), 0);
    let id = fresh_id();
    objects.put(&id, in_frames(&bytes(10, 1), 5), SIZE_MAX).await.unwrap();
    let digits = id.to_string();
    let shard = root.path().join(&settings.prefix).join("contents").join(&digits[30..]);
    std::fs::write(shard.join(format!("{digits}#1")), "half").unwrap();
    std::fs::write(shard.join("notes"), "not ours").unwrap();
    assert_eq!(ids(&objects).await, [id]);
    assert_eq!(objects.remove_unfinished(Timestamp(0)).await.unwrap(), 0);
    assert_eq!(objects.remove_unfinished(Timestamp(i64::MAX)).await.unwrap(), 1);
    assert_eq!(ids(&objects).await, [id]);
    assert!(shard.join("notes").exists() && !shard.join(format!("{digits}#1")).exists());
}
