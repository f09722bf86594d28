//! Remembered signatures, right ones and wrong ones.

use super::*;

const WHOLE: &[u8] = b"a file that came whole";

/// A host whose file came whole, and what was found in its content.
async fn setup() -> (Setup, ContentId) {
    let setup = Setup::new().await;
    setup.lock().await;
    setup.put_file(WHOLE).await;
    let content = setup.record().await.content.id;
    assert_eq!(setup.host.signatures.recall(&content), None, "nobody asked yet");
    (setup, content)
}

fn signature(chunks: &[&[u8]]) -> Signature {
    let chunk = |bytes: &&[u8]| ChunkSignature { id: ChunkId::of(bytes), length: bytes.len() as u64 };
    Signature { scheme: ChunkingScheme::Zip, chunks: chunks.iter().map(chunk).collect() }
}

/// The first one has a chunk of other bytes, the second one that goes beyond the end; the third does not name the one
/// chunk that reading finds.
fn wrong_ones() -> [Signature; 3] {
    [
        signature(&[&WHOLE[..7], b"another end of.."]),
        signature(&[WHOLE, b"more"]),
        signature(&[&WHOLE[..7], &WHOLE[7..]]),
    ]
}

#[tokio::test]
async fn a_file_that_came_whole_is_read_once_to_know_its_chunks() {
    let (setup, content) = setup().await;
    let whole = asked(&[("MainContent", "All", &[])]);
    assert_eq!(setup.get(&whole).await.stream(0, &[]), WHOLE);
    let found = Signature { scheme: ChunkingScheme::FullFile, ..signature(&[WHOLE]) };
    assert_eq!(setup.host.signatures.recall(&content), Some(found));
    // It is the remembered one that is told: this one no reading would find.
    setup.host.signatures.remember(content, &signature(&[&WHOLE[..7], &WHOLE[7..]]));
    let got = setup.get(&whole).await;
    assert_eq!((got.chunks.len(), got.stream(0, &[])), (2, WHOLE.to_vec()));
    setup.put_file(b"other bytes").await;
    assert_eq!(setup.get(&whole).await.stream(0, &[]), b"other bytes", "of another content nothing was remembered");
}

#[tokio::test]
async fn a_wrong_one_ends_the_answer_and_the_next_one_is_right() {
    let [other_bytes, too_long, _] = wrong_ones();
    for wrong in [other_bytes, too_long] {
        let (setup, content) = setup().await;
        setup.host.signatures.remember(content, &wrong);
        let whole = asked(&[("MainContent", "All", &[])]);
        let body = [frames::message(whole.to_string().as_bytes()), END_FRAME.to_vec()].concat();
        let answer = setup.host.get_chunked_file(&setup.by().await, wopi_service::full(body)).await.unwrap();
        assert!(answer.body.collect().await.is_err(), "{wrong:?}: nobody gets bytes under an id that is not theirs");
        assert_eq!(setup.get(&whole).await.stream(0, &[]), WHOLE, "{wrong:?}");
    }
}

#[tokio::test]
async fn a_save_over_a_wrong_one_is_put_together_again() {
    for wrong in wrong_ones() {
        let (setup, content) = setup().await;
        let before = setup.kept().await;
        setup.host.signatures.remember(content, &wrong);
        let streams = vec![stream_of("MainContent", "Zip", &[A, WHOLE]), stream_of("Alternate", "Zip", &[A])];
        setup.put(body(streams, &[A])).await.unwrap_or_else(|error| panic!("{wrong:?}: {error}"));
        assert_eq!(setup.streams().await, ([A, WHOLE].concat(), A.to_vec()), "{wrong:?}");
        assert_eq!(setup.kept().await, before + 2, "{wrong:?}: both streams are new, nothing of the first try is left");
    }
}

#[tokio::test]
async fn a_save_that_only_a_wrong_one_can_explain_is_refused_and_leaves_nothing() {
    let (setup, content) = setup().await;
    let before = setup.kept().await;
    for (wrong, streams) in [
        (signature(&[&WHOLE[..7], b"another end of.."]), vec![stream_of("MainContent", "Zip", &[b"another end of.."])]),
        (signature(&[WHOLE, b"more"]), vec![stream_of("MainContent", "Zip", &[WHOLE, b"more"])]),
    ] {
        setup.host.signatures.remember(content, &wrong);
        assert_eq!(setup.put(body(streams, &[])).await, Err(bad_body()), "{wrong:?}");
        assert_eq!((setup.streams().await.0, setup.kept().await), (WHOLE.to_vec(), before), "{wrong:?}");
    }
}
