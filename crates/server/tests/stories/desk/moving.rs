//! To another container: moved, or copied.

use lectern_host::access::Right;
use lectern_host::desk::Why;
use lectern_host::records::Role;
use lectern_host::sharing::{Item, Principal};

use super::{at, container, downloads, file, name, names, uploads, why};
use crate::world::World;

#[tokio::test]
async fn a_moved_file_keeps_its_id_its_history_and_what_is_shared_of_it() {
    let world = World::with_file("a.docx", b"one").await;
    world.neighbour().makes_folder("to");
    let alice = world.alice().await;
    let id = file(&world, "a.docx").await;
    let open = alice.opens("a.docx").await;
    open.saves(b"two").await.ok();
    let to = container(&world, "to").await;
    let moved = at!(world, alice, move_file(&id, &to)).unwrap();
    assert_eq!((&moved.id, &moved.container, &moved.name), (&id, &to, &name("a.docx")));
    assert_eq!(world.neighbour().lists(""), ["to"]);
    assert_eq!(world.neighbour().sees("to/a.docx"), b"two");
    assert_eq!(open.bytes().await, b"two");
    open.saves(b"three").await.ok();
    assert_eq!(world.neighbour().sees("to/a.docx"), b"three");
    assert_eq!(world.history(&id).await, [(2, b"two".to_vec()), (1, b"one".to_vec())]);
    world.scans().await;
    assert_eq!(file(&world, "to/a.docx").await, id);
    // Where it is already.
    assert_eq!(at!(world, alice, move_file(&id, &to)).unwrap().name, name("a.docx"));
}

#[tokio::test]
async fn a_move_that_was_decided_is_carried_out_after_a_crash_and_readers_never_miss_the_file() {
    let world = World::planned(|plan| plan.background = false).await;
    world.neighbour().writes("a.docx", b"a");
    world.neighbour().makes_folder("to");
    let alice = world.alice().await;
    let (id, to) = (file(&world, "a.docx").await, container(&world, "to").await);
    at!(world, alice, move_file(&id, &to)).unwrap();
    // As if the power had gone before the folder was durable: the note stands, the old names are back.
    world.neighbour().renames("to/a.docx", "a.docx");
    assert_eq!(downloads(&world, &alice, &id).await, "a");
    world.crashes().await;
    assert_eq!(world.neighbour().lists(""), ["to"]);
    assert_eq!(world.neighbour().sees("to/a.docx"), b"a");
    assert_eq!(file(&world, "to/a.docx").await, id);
    world.scans().await;
    assert_eq!(names(&world, &alice, "to").await, ["a.docx"]);
    assert_eq!(names(&world, &alice, "").await, ["to"]);
}

#[tokio::test]
async fn nothing_is_moved_over_something_else_or_while_it_is_held() {
    let world = World::with_file("a.docx", b"a").await;
    world.neighbour().makes_folder("to");
    world.neighbour().writes("to/a.docx", b"there");
    let (alice, vera) = (world.alice().await, world.vera().await);
    let (id, to) = (file(&world, "a.docx").await, container(&world, "to").await);
    let taken = Why::NameTaken { free: Some(name("a (2).docx")) };
    assert_eq!(why(at!(world, alice, move_file(&id, &to))), taken);
    // Also over what another program put there and we do not know yet.
    world.neighbour().makes_folder("new");
    let new = container(&world, "new").await;
    world.neighbour().writes("new/a.docx", b"unknown");
    assert_eq!(why(at!(world, alice, move_file(&id, &new))), taken);
    assert_eq!(
        (world.neighbour().sees("to/a.docx"), world.neighbour().sees("a.docx")),
        (b"there".to_vec(), b"a".to_vec())
    );
    assert_eq!(world.neighbour().sees("new/a.docx"), b"unknown");
    assert_eq!(why(at!(world, vera, move_file(&id, &to))), Why::NotAllowed);
    world.neighbour().removes("to/a.docx");
    alice.opens("a.docx").await.lock("A").await.ok();
    assert_eq!(why(at!(world, alice, move_file(&id, &to))), Why::Held);
    assert_eq!(file(&world, "a.docx").await, id);
}

#[tokio::test]
async fn a_container_moves_with_all_that_is_in_it_and_never_into_itself() {
    let world = World::new().await;
    for path in ["a", "a/b", "a/b/c", "to"] {
        world.neighbour().makes_folder(path);
    }
    world.neighbour().writes("a/b/c/x.docx", b"x");
    let alice = world.alice().await;
    let (a, b, c, to) = (
        container(&world, "a").await,
        container(&world, "a/b").await,
        container(&world, "a/b/c").await,
        container(&world, "to").await,
    );
    let x = file(&world, "a/b/c/x.docx").await;
    let open = alice.opens("a/b/c/x.docx").await;
    open.lock("A").await.ok();
    assert_eq!(why(at!(world, alice, move_container(&a, &c))), Why::IntoItself);
    assert_eq!(why(at!(world, alice, move_container(&a, &a))), Why::IntoItself);
    let root = container(&world, "").await;
    assert_eq!(why(at!(world, alice, move_container(&root, &to))), Why::Root);
    at!(world, alice, move_container(&b, &to)).unwrap();
    assert_eq!(world.neighbour().sees("to/b/c/x.docx"), b"x");
    assert_eq!((container(&world, "to/b/c").await, file(&world, "to/b/c/x.docx").await), (c, x));
    open.put_file(b"saved").under("A").await.ok();
    assert_eq!(world.neighbour().sees("to/b/c/x.docx"), b"saved");
    world.scans().await;
    assert_eq!(names(&world, &alice, "a").await, [] as [String; 0]);
    world.neighbour().makes_folder("a/to");
    assert_eq!(why(at!(world, alice, move_container(&to, &a))), Why::NameTaken { free: Some(name("to (2)")) });
}

#[tokio::test]
async fn copies_have_names_of_their_own_and_no_history() {
    let world = World::with_file("a.docx", b"one").await;
    world.neighbour().makes_folder("in");
    world.neighbour().makes_folder("in/deep");
    world.neighbour().writes("in/deep/x.docx", b"x");
    let (alice, bob) = (world.alice().await, world.bob().await);
    let (root, id) = (container(&world, "").await, file(&world, "a.docx").await);
    alice.opens("a.docx").await.saves(b"two").await.ok();
    let copy = at!(world, bob, copy_file(&id, &root)).unwrap();
    assert_eq!((copy.name, copy.version.0), (name("a (2).docx"), 1));
    assert_eq!(world.neighbour().sees("a (2).docx"), b"two");
    assert_eq!(at!(world, bob, file_entry(&copy.id)).unwrap().1, Right::Own);
    let inner = container(&world, "in").await;
    let copy = at!(world, alice, copy_container(&inner, &root)).unwrap();
    assert_eq!(copy.name, name("in (2)"));
    assert_eq!(world.neighbour().sees("in (2)/deep/x.docx"), b"x");
    assert_eq!(world.neighbour().sees("in/deep/x.docx"), b"x");
    assert_eq!(why(at!(world, alice, copy_container(&inner, &inner))), Why::IntoItself);
    bob.becomes(Role::Viewer).await;
    assert_eq!(why(at!(world, bob, copy_file(&id, &root))), Why::NotAllowed);
}

#[tokio::test]
async fn who_may_change_a_file_but_not_its_container_does_not_take_it_away() {
    let world = World::with_file("a.docx", b"a").await;
    world.neighbour().makes_folder("own");
    let (alice, bob) = (world.alice().await, world.bob().await);
    alice.becomes(Role::Administrator).await;
    bob.becomes(Role::Member).await;
    let (id, own) = (file(&world, "a.docx").await, container(&world, "own").await);
    let to_bob = Principal::User(bob.user.id.clone());
    at!(world, alice, share(&Item::File(id.clone()), &to_bob, Right::Edit)).unwrap();
    at!(world, alice, share(&Item::Container(own.clone()), &to_bob, Right::Own)).unwrap();
    assert_eq!(why(at!(world, bob, move_file(&id, &own))), Why::NotFound);
    at!(world, bob, copy_file(&id, &own)).unwrap();
    assert_eq!(names(&world, &alice, "own").await, ["a.docx"]);
    let other = uploads(&world, &bob, "own", "b.docx", "b").await;
    let root = container(&world, "").await;
    assert_eq!(why(at!(world, bob, move_file(&other, &root))), Why::NotFound);
}
