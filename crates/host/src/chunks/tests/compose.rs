//! Where contents need not be files: what a save in chunks writes, and what becomes of the bytes it points to.

use super::*;
use crate::chunks::compose::{BASES_MAX, COMPOSED_BYTES_MIN};

/// Something that does not repeat.
fn noise(seed: u64, length: u64) -> Vec<u8> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(usize::try_from(length).unwrap()).collect()
}

impl Setup {
    /// How many bytes lie in contents, lists not counted.
    async fn stored(&self) -> usize {
        let mut bytes = 0;
        let mut ids = self.contents.ids();
        while let Some(id) = ids.next().await {
            let body = self.contents.open(&id.unwrap(), 0..u64::MAX).await.unwrap();
            bytes += body.collect().await.unwrap().to_bytes().len();
        }
        bytes
    }

    async fn lists(&self) -> usize {
        self.host.ports.registry.composed_ids(None, 1000).await.unwrap().len()
    }

    /// A day passes, with its sweep, and the lock is held on.
    async fn a_day(&self) {
        self.clock.0.fetch_add(25 * 60 * 60 * 1000, Ordering::SeqCst);
        self.host.sweep().await.unwrap();
        self.lock().await;
    }
}

async fn main_of(setup: &Setup) -> Vec<u8> {
    setup.get(&asked(&[("MainContent", "All", &[])])).await.stream(0, &[])
}

#[tokio::test]
async fn a_delta_writes_only_what_is_new() {
    let setup = Setup::new().await;
    let (head, tail) = (noise(1, COMPOSED_BYTES_MIN), noise(2, COMPOSED_BYTES_MIN));
    let parts = |middle: &'static [u8]| [&head[..], middle, &tail].map(<[u8]>::to_vec);
    let put = async |middle: &'static [u8], chunks: &[&[u8]]| {
        let parts = parts(middle);
        let stream = stream_of("MainContent", "Zip", &[&parts[0], &parts[1], &parts[2]]);
        setup.put(body(vec![stream], chunks)).await.unwrap();
        assert_eq!(main_of(&setup).await, parts.concat());
    };
    put(A, &[&head, A, &tail]).await;
    setup.lock().await;
    let first = setup.stored().await;
    put(B, &[B]).await;
    put(C, &[C]).await;
    assert_eq!(setup.stored().await, first + B.len() + C.len());
    // Everything else sees an ordinary file: its bytes, hash and history.
    let record = setup.record().await;
    let whole = parts(C).concat();
    assert_eq!(record.content.size, whole.len() as u64);
    let file = setup.host.get_file(&setup.by().await, u64::MAX, None).await.unwrap();
    assert_eq!(file.body.collect().await.unwrap().to_bytes(), whole);
    let versions = setup.host.ports.registry.versions(&record.id).await.unwrap();
    assert_eq!(versions.len(), 2);
    for (version, middle) in versions.iter().zip([B, A]) {
        let body = setup.host.ports.contents.open(&version.content.id, 0..version.content.size).await.unwrap();
        assert_eq!(body.collect().await.unwrap().to_bytes(), parts(middle).concat());
    }
    // What versions and lists point to stays as long as they do, and goes with them.
    setup.a_day().await;
    assert_eq!(main_of(&setup).await, whole);
    assert_eq!(setup.stored().await, first + B.len() + C.len());
    setup.put_file(b"whole, and small").await;
    let versions = setup.host.ports.registry.versions(&record.id).await.unwrap();
    let versions: Vec<ItemVersion> = versions.iter().map(|entry| entry.version).collect();
    setup.host.ports.registry.remove_versions(&record.id, &versions).await.unwrap();
    // First the lists, then what they were made of.
    setup.a_day().await;
    setup.a_day().await;
    assert_eq!((setup.lists().await, setup.stored().await), (0, b"whole, and small".len()));
}

/// Lists stay short and do not keep every content for ever: now and then a document is written whole.
#[tokio::test]
async fn a_document_that_is_saved_again_and_again_is_written_whole_now_and_then() {
    let setup = Setup::new().await;
    let large = noise(1, COMPOSED_BYTES_MIN);
    let mut chunks: Vec<Vec<u8>> = (0..40).map(|n| noise(100 + n, 50)).collect();
    let streams = |chunks: &[Vec<u8>]| {
        let parts: Vec<&[u8]> = std::iter::once(&large[..]).chain(chunks.iter().map(|chunk| &chunk[..])).collect();
        vec![stream_of("MainContent", "Zip", &parts)]
    };
    let all: Vec<&[u8]> = std::iter::once(&large[..]).chain(chunks.iter().map(|chunk| &chunk[..])).collect();
    setup.put(body(streams(&chunks), &all)).await.unwrap();
    setup.lock().await;
    let mut whole = 0;
    for save in 0..3 * BASES_MAX {
        let at = save % chunks.len();
        chunks[at] = noise(1000 + save as u64, 60);
        let before = setup.stored().await;
        setup.put(body(streams(&chunks), &[&chunks[at]])).await.unwrap();
        whole += usize::from(setup.stored().await > before + large.len());
        let pieces = setup.host.ports.registry.composed(&setup.record().await.content.id).await.unwrap();
        let bases: std::collections::BTreeSet<_> = pieces.iter().map(|piece| piece.content).collect();
        assert!(bases.len() <= BASES_MAX, "{} contents after {save} saves", bases.len());
    }
    assert!((1..=4).contains(&whole), "written whole {whole} times");
    let expected: Vec<u8> = large.iter().copied().chain(chunks.concat()).collect();
    assert_eq!(main_of(&setup).await, expected);
}

/// A small document is not worth a list, and what is refused leaves none.
#[tokio::test]
async fn small_documents_and_refused_saves_make_no_lists() {
    let setup = Setup::new().await;
    setup.put(body(vec![stream_of("MainContent", "Zip", &[A, B])], &[A, B])).await.unwrap();
    assert_eq!(setup.lists().await, 0);
    setup.lock().await;
    let large = noise(1, COMPOSED_BYTES_MIN);
    let kept = setup.kept().await;
    let too_many: Vec<Value> = (0..257)
        .map(|n| stream_of(&format!("s{n}"), "Zip", &[A]))
        .chain([stream_of("MainContent", "Zip", &[&large, A])])
        .take(258)
        .collect();
    assert_eq!(setup.put(body(too_many, &[&large])).await, Err(bad_body()));
    assert_eq!((setup.lists().await, setup.kept().await), (0, kept));
    // The bytes of an upload become pieces like any others.
    let token = setup.host.create_upload_session(&setup.by().await).await.unwrap().upload_session_token;
    let run = chunk(&large);
    let (one, two) = run.split_at(1000);
    for (at, part) in [(0, one), (1000, two)] {
        let body = wopi_service::full(part.to_vec());
        let by = setup.by().await;
        setup.host.update_upload_session(&by, &token, at, part.len() as u64, body).await.unwrap();
    }
    let message = json!({ "Signatures": [stream_of("MainContent", "Zip", &[A, &large, B])],
        "ContentProperties": [], "UploadSessionTokenToCommit": token });
    setup.put(body_with(&message, &[])).await.unwrap();
    assert_eq!(main_of(&setup).await, [A, &large, B].concat());
    assert_eq!(setup.lists().await, 1);
    setup.a_day().await;
    assert_eq!(main_of(&setup).await, [A, &large, B].concat());
}
