//! Stores that refuse, hang, lose answers, break off, and are away.

use std::time::Duration;

use futures_util::StreamExt as _;
use http_body_util::BodyExt as _;
use lectern_conformance::contents::{bytes, content, fresh_id, ids, put, whole};
use lectern_conformance::servers::{Fault, S3, Wanted};
use lectern_contents::Objects;
use lectern_contents::objects::{ObjectsSettings, PART_BYTES_MIN, Patience, S3Settings, StoreSettings};
use lectern_host::ports::{Contents, ContentsError};

use crate::{Server, objects, s3, settings};

const SIZE_MAX: u64 = 1 << 30;
/// Patience of the tests makes so many attempts.
const ATTEMPTS: usize = 4;

fn refuse(status: u16, code: &'static str) -> Fault {
    Fault::Refuse { status, code }
}

#[tokio::test]
async fn what_fails_for_a_moment_works_at_the_next_attempt() {
    for server in Server::all().await {
        let (objects, faults) = (server.objects(), server.faults());
        for fault in [refuse(503, "SlowDown"), refuse(500, "InternalError"), refuse(429, "TooMany"), Fault::Close] {
            let (id, body) = (fresh_id(), bytes(5000, 1));
            faults.fail(2, Wanted { target: "/contents", ..Wanted::ANY }, &fault);
            put(&objects, &id, body.clone()).await;
            faults.fail(2, Wanted { method: "GET", ..Wanted::ANY }, &fault);
            assert_eq!(content(&objects, &id).await, Some(body), "{fault:?}");
            faults.fail(2, Wanted { method: "GET", ..Wanted::ANY }, &fault);
            assert_eq!(ids(&objects).await, [id], "{fault:?}");
            faults.fail(2, Wanted::ANY, &fault);
            objects.remove(&id).await.unwrap();
            assert_eq!(faults.forget(), 0, "{fault:?}");
            assert_eq!(ids(&objects).await, []);
        }
    }
}

#[tokio::test]
async fn parts_that_fail_for_a_moment_work_at_the_next_attempt() {
    for server in Server::all().await {
        let (objects, faults) = (server.objects(), server.faults());
        let (id, body) = (fresh_id(), bytes(2 * PART_BYTES_MIN + 9, 1));
        for target in if server.is_s3() { ["uploads", "partNumber=2"] } else { ["comp=block&", "comp=blocklist"] } {
            faults.fail(2, Wanted { target, ..Wanted::ANY }, &refuse(503, "SlowDown"));
        }
        put(&objects, &id, body.clone()).await;
        assert_eq!(faults.forget(), 0, "{:?}", faults.requests());
        assert!(content(&objects, &id).await == Some(body));
    }
}

/// Whether every call says that the contents cannot be had, which becomes 503, and nothing that would make a client give up.
async fn is_unavailable(objects: &Objects, id: &lectern_host::records::ContentId) {
    let tried = [
        objects.put(&fresh_id(), whole(bytes(10, 1)), SIZE_MAX).await.map(drop),
        objects.put(&fresh_id(), whole(bytes(PART_BYTES_MIN + 1, 1)), SIZE_MAX).await.map(drop),
        objects.open(id, 0..u64::MAX).await.map(drop),
        objects.open(id, 5..5).await.map(drop),
        objects.open(&fresh_id(), 0..9).await.map(drop),
        objects.remove(id).await,
        objects.ids().next().await.unwrap().map(drop),
        objects.ready().await,
    ];
    for (at, tried) in tried.into_iter().enumerate() {
        assert!(matches!(tried, Err(ContentsError::Unavailable(_))), "{at}: {tried:?}");
    }
}

#[tokio::test]
async fn a_store_that_is_away_is_unavailable_until_it_is_back() {
    for mut server in Server::all().await {
        let objects = server.objects();
        let (id, body) = (fresh_id(), bytes(100_000, 1));
        put(&objects, &id, body.clone()).await;
        objects.ready().await.unwrap();

        server.stop().await;
        is_unavailable(&objects, &id).await;
        server.start_again().await;

        objects.ready().await.unwrap();
        assert_eq!(content(&objects, &id).await, Some(body.clone()));
        let other = fresh_id();
        put(&objects, &other, body.clone()).await;
        objects.settled().await;
        assert_eq!(ids(&objects).await.len(), 2);
        if let Server::S3(server) = &server {
            assert_eq!(server.unfinished_uploads(), 0);
        }
    }
}

#[tokio::test]
async fn a_store_that_refuses_or_hangs_for_long_is_unavailable_and_is_not_asked_for_ever() {
    for server in Server::all().await {
        let patience = Patience {
            answer: Duration::from_millis(300),
            per_megabyte: Duration::from_millis(20),
            pause: Duration::from_millis(1),
            attempts: 2,
            ..Patience::default()
        };
        let settings = ObjectsSettings { patience, ..settings(server.settings()) };
        let objects = Objects::open(&settings).unwrap();
        for fault in [Fault::Hang, refuse(503, "SlowDown")] {
            server.faults().fail(1000, Wanted::ANY, &fault);
            let refused = objects.put(&fresh_id(), whole("abc"), SIZE_MAX).await;
            assert!(matches!(refused, Err(ContentsError::Unavailable(_))), "{refused:?}");
            let refused = objects.open(&fresh_id(), 0..9).await;
            assert!(matches!(refused, Err(ContentsError::Unavailable(_))), "{:?}", refused.map(drop));
            objects.settled().await;
            let asked = 1000 - server.faults().forget();
            assert!(asked <= 10, "{asked}");
        }
        assert_eq!(ids(&objects).await, []);
    }
}

#[tokio::test]
async fn a_put_whose_answer_was_lost_is_known_to_be_ours() {
    for server in Server::all().await {
        let (objects, faults) = (server.objects(), server.faults());
        for (length, method, target) in [
            (10, "PUT", "/contents/"),
            (0, "PUT", "/contents/"),
            (PART_BYTES_MIN + 1, "", if server.is_s3() { "uploadId=" } else { "comp=blocklist" }),
        ] {
            let large = length > PART_BYTES_MIN && server.is_s3();
            let wanted = Wanted { method: if large { "POST" } else { method }, target, not: "" };
            let (id, body) = (fresh_id(), bytes(length, 1));
            faults.fail(1, wanted, &Fault::LoseAnswer);
            put(&objects, &id, body.clone()).await;
            assert_eq!(faults.forget(), 0);
            assert!(content(&objects, &id).await == Some(body), "{length}");
            // And it is not mistaken for ours by somebody else.
            let other = objects.put(&id, whole(bytes(length, 1)), SIZE_MAX).await;
            assert!(matches!(other, Err(ContentsError::Failed(_))), "{other:?}");
        }
    }
}

#[tokio::test]
async fn a_put_whose_answer_was_lost_by_a_store_that_is_then_away_leaves_nothing_behind() {
    for server in Server::all().await {
        let (objects, faults) = (server.objects(), server.faults());
        let id = fresh_id();
        faults.fail(1, Wanted { method: "PUT", ..Wanted::ANY }, &Fault::LoseAnswer);
        faults.fail(2 * ATTEMPTS - 1, Wanted::ANY, &refuse(503, "SlowDown"));
        let lost = objects.put(&id, whole("abc"), SIZE_MAX).await;
        assert!(matches!(lost, Err(ContentsError::Unavailable(_))), "{lost:?}");
        objects.settled().await;
        assert_eq!(faults.forget(), 0);
        assert_eq!(content(&objects, &id).await, None);
    }
}

#[tokio::test]
async fn a_second_put_with_an_id_leaves_the_first_alone_also_when_the_store_is_in_trouble() {
    let server = S3::start().await;
    let (objects, faults) = (objects(StoreSettings::S3(s3(&server))), server.faults());
    let id = fresh_id();
    put(&objects, &id, "first").await;
    faults.fail(2 * ATTEMPTS, Wanted::ANY, &refuse(503, "SlowDown"));
    let second = objects.put(&id, whole("second"), SIZE_MAX).await;
    assert!(matches!(second, Err(ContentsError::Unavailable(_))), "{second:?}");
    objects.settled().await;
    assert_eq!(faults.forget(), 0);
    assert_eq!(content(&objects, &id).await.as_deref(), Some(&b"first"[..]));
}

#[tokio::test]
async fn a_read_that_breaks_off_goes_on_where_it_was() {
    for server in Server::all().await {
        let (objects, faults) = (server.objects(), server.faults());
        let (id, body) = (fresh_id(), bytes(2_000_000, 1));
        put(&objects, &id, body.clone()).await;
        for (range, cuts) in [(0..u64::MAX, 3), (0..2_000_000, 1), (100_000..1_900_000, 2), (5..u64::MAX, 1)] {
            faults.fail(cuts, Wanted { method: "GET", ..Wanted::ANY }, &Fault::CutAfter(300_000));
            let read = objects.open(&id, range.clone()).await.unwrap().collect().await.unwrap().to_bytes();
            let end = usize::try_from(range.end).unwrap_or(usize::MAX).min(body.len());
            assert!(read == body.slice(usize::try_from(range.start).unwrap()..end), "{range:?}");
            assert_eq!(faults.forget(), 0, "{range:?}");
        }
    }
}

#[tokio::test]
async fn a_read_that_always_breaks_off_fails_and_never_ends_early() {
    for server in Server::all().await {
        let (objects, faults) = (server.objects(), server.faults());
        let (id, body) = (fresh_id(), bytes(2_000_000, 1));
        put(&objects, &id, body).await;
        faults.fail(1000, Wanted { method: "GET", ..Wanted::ANY }, &Fault::CutAfter(1000));
        assert!(objects.open(&id, 0..u64::MAX).await.unwrap().collect().await.is_err());
        let asked = 1000 - faults.forget();
        assert!((2..20).contains(&asked), "{asked}");
        // One that was removed in the middle, too.
        faults.fail(1, Wanted { method: "GET", ..Wanted::ANY }, &Fault::CutAfter(1000));
        let body = objects.open(&id, 0..u64::MAX).await.unwrap();
        objects.remove(&id).await.unwrap();
        let read = body.collect().await.map(http_body_util::Collected::to_bytes);
        assert!(read.is_err(), "{:?} {:?}", read.map(|bytes| bytes.len()), server.faults().requests());
    }
}

#[tokio::test]
async fn a_listing_that_breaks_off_goes_on_where_it_was() {
    let server = S3::start().await;
    let objects = objects(StoreSettings::S3(s3(&server)));
    // One page of S3 has a thousand.
    let made: Vec<_> = futures_util::stream::iter(0..1100)
        .map(|_| async {
            let id = fresh_id();
            put(&objects, &id, "x").await;
            id
        })
        .buffer_unordered(16)
        .collect()
        .await;
    let second = Wanted { target: "continuation-token", ..Wanted::ANY };
    for fault in [refuse(503, "SlowDown"), Fault::Close, Fault::CutAfter(5000)] {
        server.faults().fail(1, second, &fault);
        let listed = ids(&objects).await;
        assert_eq!(server.faults().forget(), 0, "{fault:?}");
        assert_eq!(listed.len(), made.len(), "{fault:?}");
        let listed: std::collections::BTreeSet<_> = listed.into_iter().collect();
        assert_eq!(listed, made.iter().copied().collect());
    }
}

#[tokio::test]
async fn a_store_without_room_is_full() {
    for server in Server::all().await {
        let objects = server.objects();
        server.faults().fail(1, Wanted::ANY, &refuse(507, "InsufficientStorage"));
        let full = objects.put(&fresh_id(), whole("abc"), SIZE_MAX).await;
        assert!(matches!(full, Err(ContentsError::Full(_))), "{full:?}");
        assert_eq!(server.faults().requests().len(), 1, "it is not asked again");
    }
}

#[tokio::test]
async fn a_missing_bucket_is_not_a_missing_content() {
    let server = S3::start().await;
    let objects = objects(StoreSettings::S3(S3Settings { bucket: "elsewhere".to_owned(), ..s3(&server) }));
    let tried = [
        objects.put(&fresh_id(), whole("abc"), SIZE_MAX).await.map(drop),
        objects.open(&fresh_id(), 0..9).await.map(drop),
        objects.ids().next().await.unwrap().map(drop),
        objects.ready().await,
    ];
    for (at, tried) in tried.into_iter().enumerate() {
        assert!(matches!(tried, Err(ContentsError::Failed(_))), "{at}: {tried:?}");
    }
}

#[tokio::test]
async fn a_refusal_that_will_not_change_is_not_asked_again() {
    for server in Server::all().await {
        let objects = server.objects();
        for fault in [refuse(403, "AccessDenied"), refuse(400, "InvalidRequest"), refuse(501, "NotImplemented")] {
            server.faults().requests();
            server.faults().fail(1, Wanted::ANY, &fault);
            let refused = objects.put(&fresh_id(), whole("abc"), SIZE_MAX).await;
            assert!(matches!(refused, Err(ContentsError::Failed(_))), "{refused:?}");
            assert_eq!(server.faults().requests().len(), 1);
        }
    }
}
