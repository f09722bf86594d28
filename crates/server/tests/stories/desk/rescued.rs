//! Refused saves, for their author.

use http_body_util::BodyExt as _;
use lectern_host::desk::Why;
use lectern_host::records::{ContentId, Role};

use super::{at, container, downloads, names, why};
use crate::people::Person;
use crate::world::World;

/// A save of alice's that was refused because bob held the file by then.
async fn refused_save(world: &World, alice: &Person, bob: &Person) -> ContentId {
    let open = alice.opens("a.docx").await;
    bob.opens("a.docx").await.lock("B").await.ok();
    open.put_file(b"typed for hours").under("A").await.refused_with("B");
    at!(world, alice, rescued()).unwrap().remove(0).id
}

#[tokio::test]
async fn a_refused_save_comes_back_as_a_file_beside_the_one_it_was_for() {
    let world = World::with_file("a.docx", b"a").await;
    let (alice, bob) = (world.alice().await, world.bob().await);
    let id = refused_save(&world, &alice, &bob).await;
    let save = at!(world, alice, rescued()).unwrap().remove(0);
    assert_eq!((save.file_name.as_str(), save.size, save.at.0), ("a.docx", 15, world.now_ms()));
    assert!(!save.because.is_empty() && save.kept_until > save.at);
    let (called, size, body) = at!(world, alice, open_rescued(&id)).unwrap();
    assert_eq!((called.as_str(), size), ("a.docx", 15));
    assert_eq!(body.collect().await.unwrap().to_bytes(), "typed for hours");
    let back = at!(world, alice, put_rescued_back(&id, None)).unwrap();
    assert_eq!(back.name.as_str(), "a (2).docx");
    assert_eq!(downloads(&world, &alice, &back.id).await, "typed for hours");
    assert_eq!(world.neighbour().sees("a.docx"), b"a");
    assert_eq!(at!(world, alice, rescued()).unwrap(), []);
    assert_eq!(why(at!(world, alice, put_rescued_back(&id, None))), Why::NotFound);
}

#[tokio::test]
async fn nobody_else_gets_a_refused_save_not_even_an_administrator() {
    let world = World::with_file("a.docx", b"a").await;
    let (alice, bob) = (world.alice().await, world.bob().await);
    let id = refused_save(&world, &alice, &bob).await;
    bob.becomes(Role::Administrator).await;
    assert_eq!(at!(world, bob, rescued()).unwrap(), []);
    assert_eq!(why(at!(world, bob, open_rescued(&id)).map(|_| ())), Why::NotFound);
    assert_eq!(why(at!(world, bob, put_rescued_back(&id, None))), Why::NotFound);
    assert_eq!(why(at!(world, bob, discard_rescued(&id))), Why::NotFound);
    at!(world, alice, discard_rescued(&id)).unwrap();
    assert_eq!(at!(world, alice, rescued()).unwrap(), []);
}

#[tokio::test]
async fn if_the_file_is_gone_another_place_is_asked_for() {
    let world = World::with_file("a.docx", b"a").await;
    world.neighbour().makes_folder("in");
    let (alice, bob) = (world.alice().await, world.bob().await);
    let id = refused_save(&world, &alice, &bob).await;
    let open = bob.opens("a.docx").await;
    open.unlock("B").await.ok();
    open.delete().await.ok();
    assert_eq!(why(at!(world, alice, put_rescued_back(&id, None))), Why::ContainerGone);
    let inner = container(&world, "in").await;
    at!(world, alice, put_rescued_back(&id, Some(&inner))).unwrap();
    assert_eq!(names(&world, &alice, "in").await, ["a.docx"]);
}
