//! Uploads in several requests, from a client's side.

use super::*;
use crate::chunks::uploads::{PIECES_MAX, UPLOADS_MAX};
use crate::records::{Upload, UploadPiece};

fn no_such() -> WopiError {
    WopiError::Gone { reason: String::new() }
}

impl Setup {
    async fn create(&self) -> String {
        self.host.create_upload_session(&self.by().await).await.unwrap().upload_session_token
    }

    async fn update(&self, token: &str, offset: u64, bytes: &[u8]) -> Result<u64, WopiError> {
        self.update_saying(token, offset, bytes.len() as u64, bytes).await
    }

    async fn update_saying(&self, token: &str, offset: u64, length: u64, bytes: &[u8]) -> Result<u64, WopiError> {
        let by = self.by().await;
        // Of unknown length, so that what is announced has to be found out.
        let pieces: Vec<_> = bytes.chunks(700).map(Bytes::copy_from_slice).collect();
        let frames = stream::iter(pieces).map(|piece| Ok(http_body::Frame::data(piece)));
        let body = StreamBody::new(frames).boxed_unsync();
        let updated = self.host.update_upload_session(&by, token, offset, length, body).await;
        updated.map_err(|refusal| without_reason(refusal.error))
    }

    fn pass(&self, time: std::time::Duration) {
        self.clock.0.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

fn commit(token: &str, streams: &[Value], chunks: &[&[u8]]) -> Vec<u8> {
    let message = json!({ "ContentProperties": [], "Signatures": streams, "UploadSessionTokenToCommit": token });
    body_with(&message, chunks)
}

fn frames_of(chunks: &[&[u8]]) -> Vec<u8> {
    chunks.iter().flat_map(|bytes| chunk(bytes)).collect()
}

/// Wherever the requests cut the run of frames, what is committed is the same, and nothing of the upload stays.
#[tokio::test]
async fn an_upload_may_be_cut_anywhere() {
    let large = large();
    let run = frames_of(&[B, &large, b"", A, B]);
    for seed in 1..=12u64 {
        let setup = Setup::new().await;
        let token = setup.create().await;
        let (mut at, mut state) = (0, seed);
        while at < run.len() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let most = if seed % 2 == 0 { 40 } else { 60_000 };
            let length = usize::try_from(state >> 33).unwrap() % most;
            let length = if at < 200 || run.len() - at < 200 { length } else { length.max(9_000) };
            let end = run.len().min(at + length);
            let next = setup.update(&token, at as u64, &run[at..end]).await;
            assert_eq!(next, Ok(end as u64), "seed {seed}");
            at = end;
        }
        let main = stream_of("MainContent", "Zip", &[A, &large, C]);
        let alternate = stream_of("Alternate", "Zip", &[B, A]);
        setup.put(commit(&token, &[main, alternate], &[C])).await.unwrap();
        assert_eq!(setup.streams().await, ([A, &large, C].concat(), [B, A].concat()), "seed {seed}");
        assert_eq!(setup.update(&token, at as u64, b"").await, Err(no_such()));
        setup.lock().await;
        assert_eq!(setup.put(commit(&token, &[], &[])).await, Err(bad_body()), "no signature");
        let again = commit(&token, &[stream_of("Alternate", "Zip", &[A])], &[]);
        assert_eq!(setup.put(again).await, Err(no_such()));
        // The old and the new main stream, and the alternate one.
        assert_eq!(setup.kept().await, 3, "seed {seed}");
    }
}

/// The table of the module, and that a refused request changes nothing.
#[tokio::test]
async fn what_does_not_fit_an_upload_is_refused_and_changes_nothing() {
    let setup = Setup::new().await;
    let token = setup.create().await;
    let run = frames_of(&[A, B]);
    assert_eq!(setup.update(&token, 0, &run[..20]).await, Ok(20));
    let kept = setup.kept().await;
    let upload = setup.host.ports.registry.upload(&token).await.unwrap();
    let cases = [
        ("an unknown token", setup.update("unknown", 0, A).await, no_such()),
        ("an offset before the end", setup.update(&token, 0, A).await, bad_body()),
        ("an offset behind the end", setup.update(&token, 21, A).await, bad_body()),
        ("the largest offset", setup.update(&token, u64::MAX, A).await, bad_body()),
        ("fewer bytes than announced", setup.update_saying(&token, 20, 16, A).await, bad_body()),
        ("more bytes than announced", setup.update_saying(&token, 20, 14, A).await, bad_body()),
        ("bytes where none were announced", setup.update_saying(&token, 20, 0, A).await, bad_body()),
        ("more than is accepted", setup.update_saying(&token, 20, BODY_BYTES_MAX - 19, A).await, WopiError::TooLarge),
        ("a length beyond everything", setup.update_saying(&token, 20, u64::MAX, A).await, WopiError::TooLarge),
    ];
    for (name, found, error) in cases {
        assert_eq!(found, Err(error), "{name}");
    }
    assert_eq!(setup.kept().await, kept);
    assert_eq!(setup.host.ports.registry.upload(&token).await.unwrap(), upload);

    // Another user, and another file.
    let mut other = setup.by().await;
    let user = User { id: UserId::parse("bob").unwrap(), ..other.user().clone() };
    other.user = Arc::new(user);
    let body = wopi_service::full(run[20..].to_vec());
    let found = setup.host.update_upload_session(&other, &token, 20, run.len() as u64 - 20, body).await;
    assert_eq!(without_reason(found.unwrap_err().error), no_such());
    let elsewhere = FileRecord { id: FileId::parse("other").unwrap(), ..setup.record().await };
    let other = Caller { admission: admitted(elsewhere), ..setup.by().await };
    let body = wopi_service::full(run[20..].to_vec());
    let found = setup.host.update_upload_session(&other, &token, 20, run.len() as u64 - 20, body).await;
    assert_eq!(without_reason(found.unwrap_err().error), no_such());
    assert_eq!(setup.kept().await, kept);
}

/// A commit that fails leaves the upload as it is; it is continued and committed again.
#[tokio::test]
async fn a_commit_that_is_refused_keeps_the_upload() {
    let setup = Setup::new().await;
    setup.put(body(vec![stream_of("MainContent", "Zip", &[A])], &[A])).await.unwrap();
    setup.lock().await;
    let token = setup.create().await;
    let run = frames_of(&[B, C]);
    let (first, rest) = run.split_at(run.len() - 5);
    setup.update(&token, 0, first).await.unwrap();
    let whole = || commit(&token, &[stream_of("MainContent", "Zip", &[A, B, C])], &[]);
    let (kept, record) = (setup.kept().await, setup.record().await);
    // In the middle of a frame.
    assert_eq!(setup.put(whole()).await, Err(bad_body()));
    setup.update(&token, first.len() as u64, rest).await.unwrap();
    // An old state; and a chunk that is nowhere.
    assert_eq!(setup.put_at(1, whole()).await, Err(WopiError::StaleSequence { current: 2 }));
    let missing = commit(&token, &[stream_of("MainContent", "Zip", &[b"nowhere"])], &[]);
    assert_eq!(setup.put(missing).await, Err(bad_body()));
    assert_eq!((setup.kept().await, setup.record().await), (kept + 1, record));
    assert_eq!(setup.put(whole()).await.unwrap().sequence, 3);
    assert_eq!(setup.streams().await.0, [A, B, C].concat());
    no_upload(&setup, &token).await;
}

async fn no_upload(setup: &Setup, token: &str) {
    let found = setup.host.ports.registry.upload(token).await;
    assert!(matches!(found, Err(ports::RegistryError::NotFound)), "{found:?}");
}

/// Frames that are no chunks, or lie, are found at the commit at the latest.
#[tokio::test]
async fn what_an_upload_gathered_is_looked_at_when_it_is_committed() {
    let setup = Setup::new().await;
    let range = frames::ChunkRange { id: ChunkId::of(B), offset: 0, length: 1, last: false };
    let mut lying = chunk(B);
    lying[40] ^= 1;
    let cases = [
        ("a message", frames::message(b"{}")),
        ("an end frame", [chunk(B), END_FRAME.to_vec()].concat()),
        ("a part of a chunk", [&frames::chunk_range_header(&range)[..], b"x"].concat()),
        ("a chunk under another's id", lying),
        ("another length than in the signature", [&frames::chunk_header(ChunkId::of(B), 3)[..], b"the"].concat()),
        ("no frame at all", b"these bytes are no frames".to_vec()),
    ];
    for (name, run) in cases {
        let token = setup.create().await;
        setup.update(&token, 0, &run).await.unwrap();
        let put = setup.put(commit(&token, &[stream_of("MainContent", "Zip", &[B])], &[])).await;
        assert_eq!(put, Err(bad_body()), "{name}");
    }
    let token = setup.create().await;
    setup.update(&token, 0, &frames::chunk_header(ChunkId::of(B), 1 << 63)).await.unwrap();
    let put = setup.put(commit(&token, &[stream_of("MainContent", "Zip", &[B])], &[])).await;
    assert_eq!(put, Err(WopiError::TooLarge));
    assert_eq!(setup.sequence().await, 1);
}

/// Half an hour after its last update an upload is gone, to the millisecond, and the sweeper takes its bytes.
#[tokio::test]
async fn an_upload_lives_for_half_an_hour_after_its_last_update() {
    let setup = Setup::new().await;
    let kept = setup.kept().await;
    let (token, idle) = (setup.create().await, setup.create().await);
    let almost = Upload::LIFETIME - std::time::Duration::from_millis(1);
    setup.pass(almost);
    assert_eq!(setup.update(&token, 0, &frames_of(&[B])).await, Ok(42));
    setup.pass(almost);
    // An empty piece keeps it alive, too.
    assert_eq!(setup.update(&token, 42, b"").await, Ok(42));
    assert_eq!(setup.update(&idle, 0, A).await, Err(no_such()));
    setup.pass(Upload::LIFETIME);
    assert_eq!(setup.update(&token, 42, A).await, Err(no_such()));
    let put = setup.put(commit(&token, &[stream_of("MainContent", "Zip", &[B])], &[])).await;
    assert_eq!(put, Err(no_such()));
    assert_eq!(setup.kept().await, kept + 1);
    setup.pass(std::time::Duration::from_millis(1));
    assert_eq!(setup.host.sweep().await.unwrap().uploads, 1);
    assert_eq!(setup.kept().await, kept);
    no_upload(&setup, &token).await;
    no_upload(&setup, &idle).await;
}

#[tokio::test]
async fn a_user_has_at_most_so_many_uploads_and_an_upload_so_many_pieces() {
    let setup = Setup::new().await;
    let mut last = String::new();
    for _ in 0..UPLOADS_MAX {
        last = setup.create().await;
    }
    let refused = setup.host.create_upload_session(&setup.by().await).await.unwrap_err();
    assert_eq!(refused.error.status(), 503);
    setup.pass(Upload::LIFETIME);
    let by = setup.by().await;
    setup.create().await;
    let pieces = vec![UploadPiece { content: setup.host.new_content_id(), size: 1 }; PIECES_MAX];
    let upload = Upload {
        id: "crowded".to_owned(),
        file: by.file().unwrap().id.clone(),
        user: by.user().id.clone(),
        updated_at: setup.host.now(),
        pieces,
    };
    setup.host.ports.registry.create_upload(&upload).await.unwrap();
    let found = setup.update("crowded", upload.received(), A).await;
    assert_eq!(found, Err(WopiError::TooLarge));
    assert_eq!(setup.update(&last, 0, A).await, Err(no_such()));
}
