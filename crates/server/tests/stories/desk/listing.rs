//! Containers a page at a time, the way to them, and search.

use std::collections::BTreeSet;

use lectern_host::access::Right;
use lectern_host::desk::listing::FOUND_PER_PAGE;
use lectern_host::desk::{Cursor, Entry, Find, Order, Why};
use lectern_host::ports::Sort;
use lectern_host::records::Role;
use lectern_host::sharing::{Item, Principal};

use super::{at, container, file, files_of, names, uploads, why};
use crate::world::World;

#[tokio::test]
async fn a_listing_has_containers_first_and_every_page_goes_on_where_the_last_one_ended() {
    let world = World::new().await;
    let alice = world.alice().await;
    let neighbour = world.neighbour();
    for number in [1, 10, 2] {
        neighbour.makes_folder(&format!("Ordner {number}"));
    }
    for called in ["Zettel.txt", "ähre.txt", "Band 9.txt", "Band 10.txt"] {
        neighbour.writes(called, called.as_bytes());
    }
    let expected =
        ["Ordner 1", "Ordner 2", "Ordner 10", "ähre.txt", "Band 9.txt", "Band 10.txt", "Zettel.txt"].map(str::to_owned);
    assert_eq!(names(&world, &alice, "").await, expected);
    let root = container(&world, "").await;
    for limit in 1..9 {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = at!(world, alice, list(&root, Order::default(), after.as_ref(), limit)).unwrap();
            assert!(page.entries.len() <= limit && (page.way.is_empty()));
            seen.extend(page.entries.iter().map(|entry| entry.name().to_string()));
            let Some(next) = page.next else { break };
            after = Some(Cursor::parse(&next.as_text()).unwrap());
            assert!(seen.len() <= expected.len(), "{seen:?}");
        }
        assert_eq!(seen, expected, "{limit} at a time");
    }
    let order = Order { sort: Sort::Size, descending: true };
    let by_size = at!(world, alice, list(&root, order, None, 100)).unwrap();
    let sizes: Vec<u64> = files_of(&by_size.entries).iter().map(|file| file.size).collect();
    assert_eq!(sizes, [11, 10, 10, 9]);
    assert!(matches!(&by_size.entries[0], Entry::Container(step) if step.name.as_str() == "Ordner 1"));
}

#[tokio::test]
async fn what_another_program_did_a_moment_ago_is_on_the_first_page() {
    let world = World::with_file("old.txt", b"old").await;
    let vera = world.vera().await;
    assert_eq!(names(&world, &vera, "").await, ["old.txt"]);
    world.neighbour().writes("new.txt", b"new");
    world.neighbour().removes("old.txt");
    assert_eq!(names(&world, &vera, "").await, ["new.txt"]);
}

#[tokio::test]
async fn the_way_to_a_file_begins_at_the_root() {
    let world = World::new().await;
    let alice = world.alice().await;
    world.neighbour().makes_folder("a");
    world.neighbour().makes_folder("a/b");
    let id = uploads(&world, &alice, "a/b", "x.txt", "x").await;
    let way = at!(world, alice, way_to(&id)).unwrap();
    let way: Vec<&str> = way.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(way, ["documents", "a", "b"]);
    let inner = container(&world, "a/b").await;
    let listing = at!(world, alice, list(&inner, Order::default(), None, 10)).unwrap();
    let way: Vec<&str> = listing.way.iter().map(|step| step.name.as_str()).collect();
    assert_eq!((way, listing.container.name.as_str()), (vec!["documents", "a"], "b"));
}

#[tokio::test]
async fn a_search_finds_files_and_containers_below_and_says_where_they_are() {
    let world = World::new().await;
    let alice = world.alice().await;
    world.neighbour().makes_folder("Bücher");
    world.neighbour().makes_folder("Bücher/Buch 2");
    for path in ["Bücher/Buch 10.txt", "BUCH.odt", "other.txt"] {
        world.neighbour().writes(path, b"x");
    }
    world.scans().await;
    let found = async |text: &str, below| {
        let found = at!(world, alice, search(text, below, 0)).unwrap();
        assert!(!found.cut && found.next.is_none());
        let told = |find: &Find| format!("{}/{}", find.way.last().unwrap().name, find.entry.name());
        let found = found.finds.iter().map(told);
        found.collect::<Vec<_>>()
    };
    assert_eq!(
        found(" buch ", None).await,
        ["documents/BUCH.odt", "Bücher/Buch 2", "Bücher/Buch 10.txt", "documents/Bücher"]
    );
    assert_eq!(found("bucher", None).await, ["documents/Bücher"]);
    let below = container(&world, "Bücher").await;
    assert_eq!(found("buch", Some(&below)).await, ["Bücher/Buch 2", "Bücher/Buch 10.txt"]);
    let inner = container(&world, "Bücher/Buch 2").await;
    assert_eq!(found("buch", Some(&inner)).await, [] as [String; 0]);
    assert_eq!(found("", None).await, [] as [String; 0]);
    assert_eq!(found("nothing", None).await, [] as [String; 0]);
}

#[tokio::test]
async fn a_search_finds_only_what_the_person_may_see_and_says_what_they_may_do_with_it() {
    let world = World::new().await;
    let (alice, mona) = (world.alice().await, world.bob().await);
    alice.becomes(Role::Administrator).await;
    mona.becomes(Role::Member).await;
    world.neighbour().makes_folder("a");
    world.neighbour().makes_folder("a/b");
    world.neighbour().makes_folder("c");
    let shared = uploads(&world, &alice, "a/b", "plan 1.txt", "x").await;
    uploads(&world, &alice, "a/b", "plan 2.txt", "x").await;
    uploads(&world, &alice, "c", "plan 3.txt", "x").await;
    let (a, c) = (container(&world, "a").await, container(&world, "c").await);
    at!(world, alice, share(&Item::Container(a.clone()), &Principal::User(mona.user.id.clone()), Right::View)).unwrap();
    at!(world, alice, share(&Item::File(shared), &Principal::User(mona.user.id.clone()), Right::Edit)).unwrap();
    let found = at!(world, mona, search("plan", Some(&a), 0)).unwrap();
    let told: Vec<_> = found.finds.iter().map(|find| (find.entry.name().as_str(), find.right)).collect();
    assert_eq!(told, [("plan 1.txt", Right::Edit), ("plan 2.txt", Right::View)]);
    assert_eq!(found.below.unwrap().name.as_str(), "a");
    assert_eq!(at!(world, mona, search("plan", None, 0)).unwrap().finds.len(), 2);
    assert_eq!(why(at!(world, mona, search("plan", Some(&c), 0))), Why::NotFound, "not even that it is there");
    assert_eq!(at!(world, alice, search("plan", None, 0)).unwrap().finds.len(), 3);
}

#[tokio::test]
async fn many_finds_come_a_page_at_a_time_each_once() {
    let world = World::new().await;
    let alice = world.alice().await;
    world.neighbour().makes_folder("deep");
    for number in 0..FOUND_PER_PAGE + 7 {
        world.neighbour().writes(&format!("deep/plan {number}.txt"), b"x");
        world.neighbour().writes(&format!("elsewhere plan {number}.txt"), b"x");
    }
    world.scans().await;
    let deep = container(&world, "deep").await;
    for (below, count) in [(Some(&deep), FOUND_PER_PAGE + 7), (None, 2 * (FOUND_PER_PAGE + 7))] {
        let (mut names, mut from) = (Vec::new(), Some(0));
        while let Some(at) = from {
            let found = at!(world, alice, search("plan", below, at)).unwrap();
            assert!(!found.cut && found.finds.len() <= FOUND_PER_PAGE);
            names.extend(found.finds.iter().map(|find| find.entry.name().as_str().to_owned()));
            from = found.next;
        }
        let distinct: BTreeSet<_> = names.iter().collect();
        assert_eq!((names.len(), distinct.len()), (count, count));
    }
    let beyond = at!(world, alice, search("plan", None, usize::MAX)).unwrap();
    assert_eq!((beyond.finds.len(), beyond.next), (0, None));
}

#[tokio::test]
async fn who_was_shut_out_or_whose_session_was_revoked_is_out_at_the_next_request() {
    let world = World::with_file("a.txt", b"a").await;
    let (alice, vera) = (world.alice().await, world.vera().await);
    let id = file(&world, "a.txt").await;
    at!(world, alice, file_entry(&id)).unwrap();
    at!(world, vera, file_entry(&id)).unwrap();
    alice.signs_out().await;
    vera.is_shut_out(true).await;
    assert_eq!(why(at!(world, alice, file_entry(&id))), Why::SignedOut);
    assert_eq!(why(at!(world, vera, file_entry(&id))), Why::SignedOut);
    let bob = world.bob().await;
    at!(world, bob, file_entry(&id)).unwrap();
    world.passes(world.host().settings().token_lifetime);
    assert_eq!(why(at!(world, bob, file_entry(&id))), Why::SignedOut);
}
