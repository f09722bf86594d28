//! Who saved what, and how to get it back.

use http_body_util::BodyExt as _;
use lectern_host::desk::{IfTaken, Version, Why};
use lectern_host::full;
use wopi::operation::ByteRange;
use wopi::{FileId, ItemVersion};

use super::{at, container, downloads, file, uploads, why};
use crate::people::Person;
use crate::world::World;

/// A file of alice's with three versions: `one`, `two` (bob), `three`.
async fn three_versions(world: &World, alice: &Person, bob: &Person) -> FileId {
    let id = uploads(world, alice, "", "a.txt", "one").await;
    at!(world, bob, upload_version(&id, full("two!"))).unwrap();
    at!(world, alice, upload_version(&id, full("three"))).unwrap();
    id
}

fn told(version: &Version) -> (u64, u64, bool) {
    (version.version.0, version.size, version.saved_by.is_some())
}

#[tokio::test]
async fn a_history_says_who_saved_what_and_every_version_can_be_read() {
    let world = World::new().await;
    let (alice, bob) = (world.alice().await, world.bob().await);
    let id = three_versions(&world, &alice, &bob).await;
    let history = at!(world, bob, history(&id)).unwrap();
    assert_eq!(told(&history.current), (3, 5, true));
    assert_eq!(history.past.iter().map(told).collect::<Vec<_>>(), [(2, 4, true), (1, 3, true)]);
    assert_eq!(history.past[0].saved_by.as_ref(), Some(&bob.user.id));
    let names = at!(world, bob, names_of([&alice.user.id, &bob.user.id])).unwrap();
    assert_eq!(names.values().map(String::as_str).collect::<std::collections::BTreeSet<_>>(), ["Alice", "Bob"].into());
    for (version, range, expected) in [
        (1, None, "one"),
        (2, None, "two!"),
        (2, Some(ByteRange::From { first: 1, last: Some(2) }), "wo"),
        (3, None, "three"),
    ] {
        let opened = at!(world, bob, open_version(&id, ItemVersion(version), range)).unwrap();
        assert_eq!(opened.bytes.version, Some(ItemVersion(version)));
        assert_eq!(opened.bytes.body.collect().await.unwrap().to_bytes(), expected);
    }
    assert_eq!(why(at!(world, bob, open_version(&id, ItemVersion(9), None))), Why::NotFound);
    let beyond = Some(ByteRange::From { first: 9, last: None });
    assert_eq!(why(at!(world, bob, open_version(&id, ItemVersion(1), beyond))), Why::Range { size: 3 });
}

#[tokio::test]
async fn restoring_is_a_new_version_and_loses_nothing() {
    let world = World::new().await;
    let (alice, bob) = (world.alice().await, world.bob().await);
    let id = three_versions(&world, &alice, &bob).await;
    let restored = at!(world, bob, restore_version(&id, ItemVersion(1))).unwrap();
    assert_eq!((restored.version, restored.size), (ItemVersion(4), 3));
    assert_eq!(world.neighbour().sees("a.txt"), b"one");
    assert_eq!(downloads(&world, &alice, &id).await, "one");
    let history = world.history(&id).await;
    let expected = [(3, b"three".to_vec()), (2, b"two!".to_vec()), (1, b"one".to_vec())];
    assert_eq!(history, expected);
    world.crashes().await;
    assert_eq!(world.neighbour().sees("a.txt"), b"one");
    assert_eq!(world.history(&id).await, expected);
    let kept = world.kept_contents().await;
    world.passes(std::time::Duration::from_secs(2 * 24 * 60 * 60));
    world.sweeps().await;
    assert_eq!(world.kept_contents().await, kept, "nothing was left over, and nothing is missing");
    assert_eq!(world.history(&id).await, expected);
}

#[tokio::test]
async fn a_file_that_is_held_is_not_restored() {
    let world = World::new().await;
    let (alice, bob) = (world.alice().await, world.bob().await);
    let id = three_versions(&world, &alice, &bob).await;
    alice.opens("a.txt").await.lock("A").await.ok();
    assert_eq!(why(at!(world, bob, restore_version(&id, ItemVersion(1)))), Why::Held);
    assert_eq!(downloads(&world, &bob, &id).await, "three");
}

#[tokio::test]
async fn a_version_with_a_name_or_one_to_be_kept_is_never_thinned_out() {
    let world = World::new().await;
    let (alice, bob) = (world.alice().await, world.bob().await);
    let id = three_versions(&world, &alice, &bob).await;
    at!(world, alice, upload_version(&id, full("four"))).unwrap();
    at!(world, alice, name_version(&id, ItemVersion(1), Some("  Erster\u{7} Wurf "))).unwrap();
    at!(world, alice, keep_version(&id, ItemVersion(2), true)).unwrap();
    let past = at!(world, alice, history(&id)).unwrap().past;
    assert_eq!(past[2].name.as_deref(), Some("Erster Wurf"));
    assert!(past[1].keep && past[1].name.is_none());
    assert_eq!(why(at!(world, alice, name_version(&id, ItemVersion(9), Some("now")))), Why::NotFound);
    for _ in 0..800 {
        world.midnight();
    }
    world.sweeps().await;
    let alice = world.person_again("alice").await;
    let left: Vec<u64> = world.history(&id).await.iter().map(|(version, _)| *version).collect();
    assert_eq!(left, [2, 1]);
    at!(world, alice, name_version(&id, ItemVersion(1), Some(" "))).unwrap();
    at!(world, alice, keep_version(&id, ItemVersion(2), false)).unwrap();
    world.sweeps().await;
    assert_eq!(world.history(&id).await, []);
}

#[tokio::test]
async fn what_is_said_of_the_current_version_goes_with_it_into_the_history() {
    let world = World::new().await;
    let (alice, bob) = (world.alice().await, world.bob().await);
    let id = three_versions(&world, &alice, &bob).await;
    at!(world, alice, name_version(&id, ItemVersion(3), Some("as sent"))).unwrap();
    at!(world, bob, keep_version(&id, ItemVersion(3), true)).unwrap();
    let current = at!(world, bob, history(&id)).unwrap().current;
    assert_eq!((current.name.as_deref(), current.keep), (Some("as sent"), true));
    // The same bytes again are another version for clients, and the same one for people.
    at!(world, bob, upload_version(&id, full("three"))).unwrap();
    world.crashes().await;
    let current = at!(world, bob, history(&id)).unwrap().current;
    assert_eq!((current.version, current.name.as_deref(), current.keep), (ItemVersion(4), Some("as sent"), true));
    at!(world, bob, upload_version(&id, full("four"))).unwrap();
    at!(world, bob, upload_version(&id, full("five"))).unwrap();
    let history = at!(world, bob, history(&id)).unwrap();
    assert_eq!((history.current.name, history.current.keep), (None, false));
    let marked: Vec<_> = history.past.iter().map(|old| (old.version.0, old.name.as_deref(), old.keep)).collect();
    assert_eq!(marked, [(5, None, false), (4, Some("as sent"), true), (2, None, false), (1, None, false)]);
    for _ in 0..800 {
        world.midnight();
    }
    world.sweeps().await;
    assert_eq!(world.history(&id).await, [(4, b"three".to_vec())]);
}

#[tokio::test]
async fn a_name_does_not_stay_when_another_program_changes_the_bytes() {
    let world = World::with_file("a.txt", b"one").await;
    let alice = world.alice().await;
    let id = file(&world, "a.txt").await;
    at!(world, alice, name_version(&id, ItemVersion(1), Some("as sent"))).unwrap();
    world.neighbour().writes("a.txt", b"two of mine");
    let current = at!(world, alice, history(&id)).unwrap().current;
    assert_eq!((current.version, current.name), (ItemVersion(2), None));
}

#[tokio::test]
async fn who_only_reads_does_not_see_what_a_file_was() {
    let world = World::with_file("a.txt", b"secret").await;
    let (alice, vera) = (world.alice().await, world.vera().await);
    let (root, id) = (container(&world, "").await, file(&world, "a.txt").await);
    at!(world, alice, upload(&root, "a.txt", full("public"), IfTaken::NewVersion)).unwrap();
    assert_eq!(why(at!(world, vera, history(&id))), Why::NotAllowed);
    assert_eq!(why(at!(world, vera, open_version(&id, ItemVersion(1), None))), Why::NotAllowed);
    assert_eq!(why(at!(world, vera, restore_version(&id, ItemVersion(1)))), Why::NotAllowed);
    assert_eq!(why(at!(world, vera, name_version(&id, ItemVersion(1), None))), Why::NotAllowed);
    assert_eq!(why(at!(world, vera, keep_version(&id, ItemVersion(1), true))), Why::NotAllowed);
}
