//! Incremental transfer through the folder: what is saved in chunks is an ordinary file, and what other programs do to it
//! is seen.

use std::time::Duration;

use serde_json::json;

use crate::chunks::{Known, Stream, archive, body, delta, frames_of};
use crate::doors::File;
use crate::world::World;

const MAIN: &[&str] = &["MainContent"];
const BOTH: &[&str] = &["MainContent", "Alternate"];

/// Something that does not repeat, so that no two parts of it are one chunk.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// A document of three parts, of which the second may be another one.
fn document(second: u64) -> Vec<u8> {
    let parts = [noise(1, 300_000), noise(second, 2_000), noise(3, 200_000)];
    archive(&[("word/media/one.png", &parts[0]), ("word/document.xml", &parts[1]), ("word/media/two.png", &parts[2])])
}

async fn world_with(bytes: &[u8]) -> (World, File) {
    let world = World::with_file("report.docx", bytes).await;
    let file = world.alice().await.opens("report.docx").await;
    file.coauth_lock("one", "Coauth").await.ok();
    (world, file)
}

#[tokio::test]
async fn a_delta_becomes_an_ordinary_file_and_what_was_there_a_version() {
    let (first, second) = (document(10), document(11));
    let (world, file) = world_with(&first).await;
    // The file came whole, so the host cuts it, as the client would.
    let loaded = file.chunked(MAIN, &Known::new()).await;
    assert_eq!(loaded.stream(0, &Known::new()), first);
    assert_eq!(loaded.chunks, Stream::main(&first).known());
    let again = file.chunked(MAIN, &loaded.chunks).await;
    assert!(again.chunks.is_empty() && again.bytes < 2_000, "{} bytes", again.bytes);

    let change = delta(&[Stream::main(&second)], &loaded.chunks);
    assert!(change.len() < 4_000, "{} bytes", change.len());
    let saved = file.put_chunked(loaded.sequence, "one", &change).await.ok();
    assert_eq!(saved.header("X-WOPI-SequenceNumber"), Some(saved.version()));
    assert_eq!(saved.version(), file.version().await);
    assert_eq!(saved.header("X-WOPI-Lock"), None);
    assert_eq!(world.neighbour().sees("report.docx"), second);
    assert_eq!(file.bytes().await, second);
    assert_eq!(world.history(&file.file_id()).await, [(1, first)]);
    assert_eq!(world.neighbour().lists(""), ["report.docx"], "and nothing else lies around");
    assert_eq!(world.kept_contents().await, 1, "the old version and nothing else");

    // What the other one sees who knows the old document.
    let (bob, known) = (world.bob().await.opens("report.docx").await, loaded.chunks);
    let news = bob.chunked(MAIN, &known).await;
    assert_eq!(news.stream(0, &known), second);
    assert_eq!(news.chunks.len(), 1, "only the new part: its header and the directory say the same as before");
    assert_eq!(bob.sequence().await, news.sequence);
}

/// Two who work on one document, each with a lock of their own: the second one is told, merges and sends again.
#[tokio::test]
async fn of_two_savers_the_slower_one_merges() {
    let (world, alice) = world_with(&document(10)).await;
    let bob = world.bob().await.opens("report.docx").await;
    bob.coauth_lock("two", "Coauth").await.ok();
    let (before, known) = (alice.sequence().await, Stream::main(&document(10)).known());
    alice.put_chunked(before, "one", &delta(&[Stream::main(&document(11))], &known)).await.ok();
    let mine = delta(&[Stream::main(&document(12))], &known);
    let stale = bob.put_chunked(before, "two", &mine).await.answered(412);
    let now = stale.header("X-WOPI-SequenceNumber").unwrap().parse().unwrap();
    let news = bob.chunked(MAIN, &known).await;
    assert_eq!((news.sequence, news.stream(0, &known)), (now, document(11)));
    bob.put_chunked(now, "two", &mine).await.ok();
    assert_eq!(world.neighbour().sees("report.docx"), document(12));
    let history = world.history(&alice.file_id()).await;
    assert_eq!(history, [(2, document(11)), (1, document(10))]);
    assert_eq!(world.rescued().await, []);
}

/// While one holds it exclusively, only that one saves; the other one's save is kept for him, as a whole file.
#[tokio::test]
async fn a_delta_that_a_lock_refuses_is_kept_as_a_whole_file() {
    let (world, alice) = world_with(&document(10)).await;
    alice.coauth_lock("one", "CoauthExclusive").await.ok();
    let bob = world.bob().await.opens("report.docx").await;
    bob.coauth_lock("two", "Coauth").await.ok();
    let change = delta(&[Stream::main(&document(11))], &Stream::main(&document(10)).known());
    let refused = bob.put_chunked(bob.sequence().await, "two", &change).await.answered(409);
    assert_eq!(refused.header("X-WOPI-ConflictingMechanism"), Some("WOPI-CoauthExclusiveLock"));
    let rescued = world.rescued().await;
    assert_eq!(rescued.iter().map(|(_, bytes)| bytes).collect::<Vec<_>>(), [&document(11)]);
    assert_eq!(world.neighbour().sees("report.docx"), document(10));
    assert_eq!(world.kept_contents().await, 1);
}

/// Streams and properties belong to a state; they outlive a crash, a rename, and not a save of another kind.
#[tokio::test]
async fn streams_and_properties_lie_beside_the_file() {
    let (world, file) = world_with(&document(10)).await;
    let streams = [Stream::main(&document(11)), Stream::named("Alternate", &document(20))];
    let properties = json!([
        { "Name": "keep", "Value": "k", "Retention": "KeepOnContentChange" },
        { "Name": "delete", "Value": "d", "Retention": "DeleteOnContentChange" },
    ]);
    let new: Known = streams.iter().flat_map(Stream::known).collect();
    let whole = body(&streams, &properties, None, frames_of(new.values()));
    file.put_chunked(file.sequence().await, "one", &whole).await.ok();
    world.crashes().await;
    file.rename("renamed").with("X-WOPI-CoauthLockId", "one").await.ok();
    let found = file.chunked(BOTH, &Known::new()).await;
    assert_eq!((found.stream(0, &Known::new()), found.stream(1, &Known::new())), (document(11), document(20)));
    assert_eq!(found.message["ContentProperties"], properties_by_name(&properties));
    assert_eq!(world.neighbour().lists(""), ["renamed.docx"], "people see one file");

    // Only the other stream: the file people see is the same, and so is its time, but the state is a new one.
    let (time, sequence) = (file.time().await, file.sequence().await);
    world.passes(Duration::from_secs(1));
    let change = delta(&[Stream::named("Alternate", &document(21))], &new);
    file.put_chunked(sequence, "one", &change).await.ok();
    assert_eq!((file.time().await, file.sequence().await), (time, sequence + 1));
    assert_eq!(world.neighbour().sees("renamed.docx"), document(11));
    assert_eq!(file.chunked(BOTH, &Known::new()).await.stream(1, &Known::new()), document(21));
    assert_eq!(world.history(&file.file_id()).await.len(), 1, "the file was replaced once");

    // Another program saves: the state is another one, and the client is told.
    let sequence = file.sequence().await;
    world.neighbour().writes("renamed.docx", &document(30));
    file.put_chunked(sequence, "one", &change).await.answered(412);
    let found = file.chunked(BOTH, &Known::new()).await;
    assert_eq!(found.stream(0, &Known::new()), document(30));
    assert_eq!(found.message["Signatures"][1]["ChunkSignatures"], json!([]));
    assert_eq!(found.message["Signatures"][1]["ChunkingScheme"], "Zip");
    assert_eq!(found.message["ContentProperties"], json!([properties[0]]));
    assert!(found.sequence > sequence);
}

fn properties_by_name(properties: &serde_json::Value) -> serde_json::Value {
    // Asked for in this order.
    let named = |name: &str| properties.as_array().unwrap().iter().find(|one| one["Name"] == name).cloned();
    json!([named("keep"), named("delete")])
}

/// What nobody points to any more is swept a day later, and what is in use stays.
#[tokio::test]
async fn the_bytes_of_dropped_streams_are_swept() {
    let (world, file) = world_with(&document(10)).await;
    let streams = [Stream::named("Alternate", &document(20)), Stream::named("Other", &document(21))];
    let known = Stream::main(&document(10)).known();
    file.put_chunked(file.sequence().await, "one", &delta(&streams, &known)).await.ok();
    assert_eq!(world.kept_contents().await, 2);
    world.passes(Duration::from_secs(25 * 60 * 60));
    world.sweeps().await;
    assert_eq!(world.kept_contents().await, 2, "they belong to the current state");
    world.person_again("alice").await.opens("report.docx").await.saves(b"another kind of save").await;
    world.sweeps().await;
    world.passes(Duration::from_secs(25 * 60 * 60));
    world.sweeps().await;
    assert_eq!(world.kept_contents().await, 1, "what the save replaced");
}

/// The whole of a document comes in pieces over a bad line, and the server is killed in between.
#[tokio::test]
async fn an_upload_goes_on_where_it_was_after_a_crash() {
    let (world, file) = world_with(&document(10)).await;
    let stream = Stream::main(&document(11));
    let new: Known = stream.known();
    let run = frames_of(new.values());
    let token = file.create_upload().await.ok().text("/UploadSessionToken");
    let mut at = 0;
    while at < run.len() {
        let end = run.len().min(at + 99_999);
        let updated = file.update_upload(&token, at, &run[at..end]).await.ok();
        assert_eq!(updated.header("X-WOPI-UploadSessionCurrentOffset"), Some(&*end.to_string()));
        assert!(updated.body.is_empty());
        at = end;
        world.crashes().await;
    }
    let lost = file.update_upload(&token, 0, &run[..9]).await.answered(400);
    let told = lost.header("X-WOPI-FailureReason").unwrap();
    assert!(told.contains(&run.len().to_string()), "it says where to go on: {told}");
    let whole = body(&[stream], &json!([]), Some(&token), Vec::new());
    file.put_chunked(file.sequence().await, "one", &whole).await.ok();
    assert_eq!(world.neighbour().sees("report.docx"), document(11));
    assert_eq!(world.kept_contents().await, 1, "the old version");
    file.update_upload(&token, run.len(), b"").await.answered(410);
}

/// An upload that nobody continues leaves nothing behind.
#[tokio::test]
async fn an_upload_that_is_given_up_is_swept() {
    let (world, file) = world_with(&document(10)).await;
    let token = file.create_upload().await.ok().text("/UploadSessionToken");
    file.update_upload(&token, 0, &noise(5, 70_000)).await.ok();
    assert_eq!(world.kept_contents().await, 1);
    world.passes(Duration::from_secs(31 * 60));
    world.sweeps().await;
    assert_eq!(world.kept_contents().await, 0);
    file.update_upload(&token, 70_000, b"x").await.answered(410);
    let viewer = world.vera().await.opens("report.docx").await;
    viewer.create_upload().await.answered(404);
}

/// The client's own cut is kept, so that every id it relies on can be resolved, until the file comes another way.
#[tokio::test]
async fn the_clients_own_cut_is_kept() {
    let (world, file) = world_with(b"no archive at all").await;
    let mine = Stream::in_chunks("MainContent", &[b"one ", b"two ", b"three ", b"two "]);
    file.put_chunked(file.sequence().await, "one", &delta(std::slice::from_ref(&mine), &Known::new())).await.ok();
    let found = file.chunked(MAIN, &Known::new()).await;
    assert_eq!(found.message["Signatures"][0]["ChunkSignatures"].as_array().unwrap().len(), 4);
    assert_eq!(found.chunks, mine.known());
    assert_eq!(world.neighbour().sees("report.docx"), b"one two three two ");
    world.neighbour().replaces("report.docx", b"another program was here");
    let found = file.chunked(MAIN, &Known::new()).await;
    assert_eq!(found.message["Signatures"][0]["ChunkingScheme"], "FullFile");
    assert_eq!(found.stream(0, &Known::new()), b"another program was here");
}
