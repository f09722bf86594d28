//! Uploads, downloads, new files and containers, other names.

use http_body_util::BodyExt as _;
use lectern_host::desk::{IfTaken, NameFault, Why};
use lectern_host::full;
use wopi::operation::ByteRange;

use super::{at, container, downloads, file, name, names, uploads, why};
use crate::world::World;

#[tokio::test]
async fn an_upload_is_in_the_folder_and_comes_back_whole_and_in_parts() {
    let world = World::new().await;
    let alice = world.alice().await;
    let id = uploads(&world, &alice, "", "C:\\temp\\what?.txt", "0123456789").await;
    assert_eq!(world.neighbour().sees("what-.txt"), b"0123456789");
    assert_eq!(downloads(&world, &alice, &id).await, "0123456789");
    let part = at!(world, alice, download(&id, Some(ByteRange::From { first: 2, last: Some(4) }))).unwrap();
    assert_eq!((part.bytes.range.clone(), part.bytes.size), (Some(2..5), 10));
    assert_eq!(part.file.name, name("what-.txt"));
    assert_eq!(part.bytes.body.collect().await.unwrap().to_bytes(), "234");
    let beyond = at!(world, alice, download(&id, Some(ByteRange::From { first: 10, last: None })));
    assert_eq!(why(beyond), Why::Range { size: 10 });
    let entry = at!(world, alice, file_entry(&id)).unwrap().0;
    assert_eq!((entry.saved_by.as_ref(), entry.size, entry.held), (Some(&alice.user.id), 10, false));
}

#[tokio::test]
async fn a_name_that_is_taken_is_refused_or_is_a_new_version_or_gets_a_number() {
    let world = World::with_file("a.txt", b"old").await;
    let alice = world.alice().await;
    let (root, id) = (container(&world, "").await, file(&world, "a.txt").await);
    let upload = async |if_taken| at!(world, alice, upload(&root, "a.txt", full("new"), if_taken));
    assert_eq!(why(upload(IfTaken::Refuse).await), Why::NameTaken { free: Some(name("a (2).txt")) });
    let beside = upload(IfTaken::AnotherName).await.unwrap();
    assert_eq!(beside.name, name("a (2).txt"));
    let over = upload(IfTaken::NewVersion).await.unwrap();
    assert_eq!(over.id, id);
    assert_eq!(downloads(&world, &alice, &id).await, "new");
    assert_eq!(world.history(&id).await, [(1, b"old".to_vec())]);
    assert_eq!(names(&world, &alice, "").await, ["a.txt", "a (2).txt"]);
}

#[tokio::test]
async fn a_file_that_is_held_gets_no_version_and_no_other_name_from_a_page() {
    let world = World::with_file("a.txt", b"old").await;
    let (alice, bob) = (world.alice().await, world.bob().await);
    let (root, id) = (container(&world, "").await, file(&world, "a.txt").await);
    bob.opens("a.txt").await.lock("B").await.ok();
    assert_eq!(why(at!(world, alice, upload(&root, "a.txt", full("new"), IfTaken::NewVersion))), Why::Held);
    assert_eq!(why(at!(world, alice, upload_version(&id, full("new")))), Why::Held);
    assert_eq!(why(at!(world, alice, rename_file(&id, "b.txt"))), Why::Held);
    assert!(at!(world, alice, file_entry(&id)).unwrap().0.held);
    assert_eq!(world.neighbour().sees("a.txt"), b"old");
    assert_eq!(names(&world, &alice, "").await, ["a.txt"]);
}

#[tokio::test]
async fn an_upload_that_is_too_large_leaves_nothing_behind() {
    let world = World::planned(|plan| plan.settings.body_bytes_max = 5).await;
    let alice = world.alice().await;
    let root = container(&world, "").await;
    let answer = at!(world, alice, upload(&root, "a.txt", full("123456"), IfTaken::Refuse));
    assert_eq!(why(answer), Why::TooLarge { limit: 5 });
    assert_eq!(names(&world, &alice, "").await, [] as [String; 0]);
    assert_eq!(world.kept_contents().await, 0);
    uploads(&world, &alice, "", "a.txt", "12345").await;
}

#[tokio::test]
async fn new_files_and_containers_are_called_exactly_as_asked_or_not_made() {
    let world = World::with_file("a.txt", b"old").await;
    let alice = world.alice().await;
    let root = container(&world, "").await;
    let made = at!(world, alice, new_file(&root, " Neu.txt ", full(""))).unwrap();
    assert_eq!((made.name, made.size), (name("Neu.txt"), 0));
    let inner = at!(world, alice, new_container(&root, "Ordner")).unwrap();
    assert_eq!(at!(world, alice, new_file(&inner.id, "a.txt", full("in"))).unwrap().container, inner.id);
    assert_eq!(world.neighbour().sees("Ordner/a.txt"), b"in");
    let taken = |free: &str| Why::NameTaken { free: Some(name(free)) };
    assert_eq!(why(at!(world, alice, new_file(&root, "a.txt", full("")))), taken("a (2).txt"));
    assert_eq!(why(at!(world, alice, new_file(&root, "Ordner", full("")))), taken("Ordner (2)"));
    assert_eq!(why(at!(world, alice, new_container(&root, "Ordner"))), taken("Ordner (2)"));
    let colon = Why::Name(NameFault::Character(':'));
    assert_eq!(why(at!(world, alice, new_file(&root, "a:b", full("")))), colon);
    assert_eq!(why(at!(world, alice, new_container(&root, "a:b"))), colon);
}

#[tokio::test]
async fn files_and_containers_get_other_names() {
    let world = World::with_file("a.txt", b"a").await;
    let alice = world.alice().await;
    let id = file(&world, "a.txt").await;
    world.neighbour().writes("b.txt", b"b");
    assert_eq!(at!(world, alice, rename_file(&id, "c.md")).unwrap().name, name("c.md"));
    assert_eq!(world.neighbour().sees("c.md"), b"a");
    assert_eq!(at!(world, alice, rename_file(&id, "c.md")).unwrap().id, id);
    let taken = Why::NameTaken { free: Some(name("b (2).txt")) };
    assert_eq!(why(at!(world, alice, rename_file(&id, "b.txt"))), taken);
    assert_eq!(why(at!(world, alice, rename_file(&id, "a/b"))), Why::Name(NameFault::Character('/')));
    let root = container(&world, "").await;
    let inner = at!(world, alice, new_container(&root, "Ordner")).unwrap();
    assert_eq!(at!(world, alice, rename_container(&inner.id, "Mappe")).unwrap().name, name("Mappe"));
    let taken = Why::NameTaken { free: Some(name("b (2).txt")) };
    assert_eq!(why(at!(world, alice, rename_container(&inner.id, "b.txt"))), taken);
    assert_eq!(names(&world, &alice, "").await, ["Mappe", "b.txt", "c.md"]);
}

#[tokio::test]
async fn a_viewer_reads_and_changes_nothing() {
    let world = World::with_file("a.txt", b"a").await;
    let vera = world.vera().await;
    let (root, id) = (container(&world, "").await, file(&world, "a.txt").await);
    assert_eq!(downloads(&world, &vera, &id).await, "a");
    assert_eq!(names(&world, &vera, "").await, ["a.txt"]);
    let not_allowed = Why::NotAllowed;
    assert_eq!(why(at!(world, vera, upload(&root, "b.txt", full("b"), IfTaken::Refuse))), not_allowed);
    assert_eq!(why(at!(world, vera, upload_version(&id, full("b")))), not_allowed);
    assert_eq!(why(at!(world, vera, new_file(&root, "b.txt", full("b")))), not_allowed);
    assert_eq!(why(at!(world, vera, new_container(&root, "b"))), not_allowed);
    assert_eq!(why(at!(world, vera, rename_file(&id, "b.txt"))), not_allowed);
    assert_eq!(why(at!(world, vera, rename_container(&root, "b"))), not_allowed);
    assert_eq!(world.neighbour().sees("a.txt"), b"a");
}
