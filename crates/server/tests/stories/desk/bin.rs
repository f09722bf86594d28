//! Into the bin and back.

use lectern_host::access::Right;
use lectern_host::desk::Why;
use lectern_host::records::Role;
use lectern_host::sharing::{BinId, Item, Principal};

use super::{at, container, downloads, file, name, names, uploads, why};
use crate::people::Person;
use crate::world::World;

/// What somebody sees in the bin, latest first.
async fn bin(world: &World, person: &Person) -> Vec<(String, BinId)> {
    let page = at!(world, person, bin(None, 100)).unwrap();
    assert_eq!(page.next, None);
    page.entries.into_iter().map(|entry| (entry.name.to_string(), entry.id)).collect()
}

#[tokio::test]
async fn a_deleted_file_comes_back_with_its_id_its_history_and_what_was_shared() {
    let world = World::with_file("a.docx", b"one").await;
    let (alice, bob) = (world.alice().await, world.bob().await);
    alice.becomes(Role::Administrator).await;
    bob.becomes(Role::Member).await;
    let id = file(&world, "a.docx").await;
    let open = bob.opens("a.docx").await;
    at!(world, alice, share(&Item::File(id.clone()), &Principal::User(bob.user.id.clone()), Right::Edit)).unwrap();
    open.saves(b"two").await.ok();
    at!(world, alice, delete_file(&id)).unwrap();
    assert_eq!(world.neighbour().lists(""), [] as [String; 0]);
    open.check_file_info().await.answered(404);
    assert_eq!(bin(&world, &bob).await, []);
    let entries = bin(&world, &alice).await;
    assert_eq!(entries[0].0, "a.docx");
    world.scans().await;
    let back = at!(world, alice, put_back(&entries[0].1, None)).unwrap();
    assert_eq!((&back.item, &back.name, back.missing), (&Item::File(id.clone()), &name("a.docx"), 0));
    assert_eq!(world.neighbour().sees("a.docx"), b"two");
    assert_eq!(world.history(&id).await, [(1, b"one".to_vec())]);
    assert_eq!(open.bytes().await, b"two");
    open.saves(b"three").await.ok();
    assert_eq!(world.neighbour().sees("a.docx"), b"three");
    assert_eq!(bin(&world, &alice).await, []);
    assert_eq!(why(at!(world, alice, put_back(&entries[0].1, None))), Why::NotFound);
    world.crashes().await;
    assert_eq!(file(&world, "a.docx").await, id);
    assert_eq!(world.neighbour().sees("a.docx"), b"three");
}

#[tokio::test]
async fn a_return_that_was_decided_is_carried_out_after_a_crash() {
    let world = World::planned(|plan| plan.background = false).await;
    world.neighbour().writes("a.docx", b"a");
    let alice = world.alice().await;
    let id = file(&world, "a.docx").await;
    at!(world, alice, delete_file(&id)).unwrap();
    // The deletion is not settled yet when the file comes back, and the return is not when the server dies.
    let entry = bin(&world, &alice).await.remove(0).1;
    at!(world, alice, put_back(&entry, None)).unwrap();
    world.crashes().await;
    assert_eq!(world.neighbour().sees("a.docx"), b"a");
    assert_eq!(file(&world, "a.docx").await, id);
    assert_eq!(downloads(&world, &alice, &id).await, "a");
    world.scans().await;
    assert_eq!(names(&world, &alice, "").await, ["a.docx"]);
}

#[tokio::test]
async fn a_client_deletes_into_the_same_bin_and_a_held_file_stays() {
    let world = World::with_file("a.docx", b"a").await;
    let (alice, bob) = (world.alice().await, world.bob().await);
    let open = alice.opens("a.docx").await;
    open.lock("A").await.ok();
    let id = open.file_id();
    assert_eq!(why(at!(world, bob, delete_file(&id))), Why::Held);
    bob.opens("a.docx").await.delete().await.refused_with("A");
    assert_eq!(bin(&world, &bob).await, []);
    open.unlock("A").await.ok();
    open.delete().await.ok();
    let entry = at!(world, bob, bin(None, 9)).unwrap().entries.remove(0);
    assert_eq!((&entry.by, entry.size, entry.may_purge), (&alice.user.id, Some(1), false));
    assert_eq!(entry.kept_until.0 - entry.at.0, 30 * 24 * 60 * 60 * 1000);
    // Who may change the container puts it back, and does not delete it for good.
    assert_eq!(why(at!(world, bob, purge(&entry.id))), Why::NotAllowed);
    at!(world, bob, put_back(&entry.id, None)).unwrap();
    assert_eq!(world.neighbour().sees("a.docx"), b"a");
    let vera = world.vera().await;
    assert_eq!(why(at!(world, vera, delete_file(&id))), Why::NotAllowed);
}

#[tokio::test]
async fn what_comes_back_takes_another_name_or_another_place_if_its_own_is_gone() {
    let world = World::new().await;
    let alice = world.alice().await;
    world.neighbour().makes_folder("in");
    let id = uploads(&world, &alice, "in", "a.docx", "old").await;
    at!(world, alice, delete_file(&id)).unwrap();
    uploads(&world, &alice, "in", "a.docx", "new").await;
    let entry = bin(&world, &alice).await.remove(0).1;
    assert_eq!(at!(world, alice, put_back(&entry, None)).unwrap().name, name("a (2).docx"));
    assert_eq!(world.neighbour().sees("in/a.docx"), b"new");
    assert_eq!(world.neighbour().sees("in/a (2).docx"), b"old");
    // Another program's file that nobody knows yet is not written over either.
    at!(world, alice, delete_file(&id)).unwrap();
    world.neighbour().writes("in/a (2).docx", b"unknown");
    let entry = bin(&world, &alice).await.remove(0).1;
    at!(world, alice, put_back(&entry, None)).unwrap();
    assert_eq!(world.neighbour().sees("in/a (2).docx"), b"unknown");
    assert_eq!(downloads(&world, &alice, &id).await, "old");

    at!(world, alice, delete_file(&id)).unwrap();
    let inner = container(&world, "in").await;
    at!(world, alice, delete_container(&inner)).unwrap();
    let entries = bin(&world, &alice).await;
    let (called, entry) = entries.iter().find(|(called, _)| called.starts_with('a')).unwrap();
    assert_eq!(why(at!(world, alice, put_back(entry, None))), Why::ContainerGone);
    let root = container(&world, "").await;
    let back = at!(world, alice, put_back(entry, Some(&root))).unwrap();
    assert_eq!((back.container, back.name.to_string()), (root, called.clone()));
    assert_eq!(world.neighbour().sees(called), b"old");
}

#[tokio::test]
async fn a_container_goes_with_all_that_is_in_it_and_comes_back_with_it() {
    let world = World::new().await;
    for path in ["a", "a/b", "a/b/empty"] {
        world.neighbour().makes_folder(path);
    }
    let alice = world.alice().await;
    alice.becomes(Role::Administrator).await;
    let (a, b) = (container(&world, "a").await, container(&world, "a/b").await);
    let x = uploads(&world, &alice, "a", "x.docx", "x").await;
    let y = uploads(&world, &alice, "a/b", "y.docx", "y").await;
    let before = uploads(&world, &alice, "a/b", "before.docx", "before").await;
    world.neighbour().writes("a/b/z.txt", b"z");
    let bob = world.bob().await;
    bob.becomes(Role::Member).await;
    at!(world, alice, share(&Item::Container(b.clone()), &Principal::User(bob.user.id.clone()), Right::View)).unwrap();
    at!(world, alice, delete_file(&before)).unwrap();
    world.passes(std::time::Duration::from_secs(1));
    alice.opens("a/b/y.docx").await.lock("A").await.ok();
    assert_eq!(why(at!(world, alice, delete_container(&a))), Why::Held);
    alice.opens("a/b/y.docx").await.unlock("A").await.ok();
    at!(world, alice, delete_container(&a)).unwrap();
    assert_eq!(world.neighbour().lists(""), [] as [String; 0]);
    assert_eq!(names(&world, &alice, "").await, [] as [String; 0]);
    let names_in_bin: Vec<String> = bin(&world, &alice).await.into_iter().map(|(called, _)| called).collect();
    assert_eq!(names_in_bin, ["a", "before.docx"]);
    world.scans().await;
    world.sweeps().await;
    world.crashes().await;

    let entry = bin(&world, &alice).await.remove(0).1;
    let back = at!(world, alice, put_back(&entry, None)).unwrap();
    assert_eq!((&back.item, &back.name, back.missing), (&Item::Container(a), &name("a"), 0));
    assert_eq!(world.neighbour().sees("a/x.docx"), b"x");
    assert_eq!(world.neighbour().lists("a/b"), ["empty", "y.docx", "z.txt"]);
    assert_eq!((file(&world, "a/x.docx").await, file(&world, "a/b/y.docx").await), (x, y.clone()));
    assert_eq!(container(&world, "a/b").await, b);
    assert_eq!(downloads(&world, &bob, &y).await, "y");
    assert_eq!(bin(&world, &alice).await.len(), 1);
    world.scans().await;
    assert_eq!(file(&world, "a/b/y.docx").await, y);
}

#[tokio::test]
async fn what_is_not_ours_in_a_folder_keeps_it_there() {
    let world = World::new().await;
    world.neighbour().makes_folder("a");
    world.neighbour().writes("a/.secret", b"hidden");
    let alice = world.alice().await;
    let x = uploads(&world, &alice, "a", "x.docx", "x").await;
    let a = container(&world, "a").await;
    let left = Why::LeftOver { container: name("a"), names: vec![".secret".to_owned()] };
    assert_eq!(why(at!(world, alice, delete_container(&a))), left);
    assert_eq!(world.neighbour().sees("a/.secret"), b"hidden");
    let entry = bin(&world, &alice).await.remove(0).1;
    at!(world, alice, put_back(&entry, None)).unwrap();
    assert_eq!(downloads(&world, &alice, &x).await, "x");
    assert_eq!(names(&world, &alice, "a").await, ["x.docx"]);
    let root = container(&world, "").await;
    assert_eq!(why(at!(world, alice, delete_container(&root))), Why::Root);
}

#[tokio::test]
async fn what_is_deleted_for_good_or_kept_long_enough_is_gone_with_its_bytes() {
    let world = World::new().await;
    let (alice, bob) = (world.alice().await, world.bob().await);
    for (person, called) in [(&alice, "a"), (&alice, "b"), (&bob, "c")] {
        let id = uploads(&world, person, "", called, called).await;
        at!(world, person, delete_file(&id)).unwrap();
    }
    world.neighbour().makes_folder("in");
    let d = uploads(&world, &alice, "in", "d", "d").await;
    let inner = container(&world, "in").await;
    at!(world, alice, delete_container(&inner)).unwrap();
    assert_eq!(world.kept_contents().await, 4);
    let entries = bin(&world, &alice).await;
    let first = &entries.iter().find(|(called, _)| called == "a").unwrap().1;
    at!(world, alice, purge(first)).unwrap();
    assert_eq!(why(at!(world, alice, put_back(first, None))), Why::NotFound);
    assert_eq!(at!(world, alice, empty_bin()).unwrap(), 2);
    assert_eq!(why(at!(world, alice, file_entry(&d))), Why::NotFound);
    let left: Vec<String> = bin(&world, &bob).await.into_iter().map(|(called, _)| called).collect();
    assert_eq!(left, ["c"]);
    for _ in 0..2 {
        world.midnight();
    }
    world.sweeps().await;
    assert_eq!(world.kept_contents().await, 1);
    for _ in 0..32 {
        world.midnight();
    }
    world.sweeps().await;
    let bob = world.person_again("bob").await;
    assert_eq!(bin(&world, &bob).await, []);
    world.midnight();
    world.midnight();
    world.sweeps().await;
    assert_eq!(world.kept_contents().await, 0);
}

#[tokio::test]
async fn the_bin_is_read_a_page_at_a_time() {
    let world = World::new().await;
    let alice = world.alice().await;
    for number in 0..7 {
        let id = uploads(&world, &alice, "", &format!("{number}.txt"), "x").await;
        world.passes(std::time::Duration::from_secs(1));
        at!(world, alice, delete_file(&id)).unwrap();
    }
    for limit in [1, 3, 7, 8] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = at!(world, alice, bin(after.as_ref(), limit)).unwrap();
            assert!(page.entries.len() <= limit && seen.len() <= 7);
            seen.extend(page.entries.iter().map(|entry| entry.name.to_string()));
            let Some(next) = page.next else { break };
            after = Some(next);
        }
        assert_eq!(seen, ["6.txt", "5.txt", "4.txt", "3.txt", "2.txt", "1.txt", "0.txt"], "{limit}");
    }
}
