//! Containers a page at a time, the way to them, and search.

use lectern_host::desk::{Cursor, Entry, Order, Why};
use lectern_host::ports::Sort;

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
        let found = at!(world, alice, search(text, below)).unwrap();
        assert!(!found.more);
        let found = found.entries.iter().map(|(entry, way)| format!("{}/{}", way.last().unwrap().name, entry.name()));
        found.collect::<Vec<_>>()
    };
    assert_eq!(
        found(" buch ", None).await,
        ["documents/BUCH.odt", "Bücher/Buch 2", "Bücher/Buch 10.txt", "documents/Bücher"]
    );
    assert_eq!(found("bucher", None).await, ["documents/Bücher"]);
    let below = container(&world, "Bücher").await;
    assert_eq!(found("buch", Some(&below)).await, ["Bücher/Buch 2", "Bücher/Buch 10.txt"]);
    assert_eq!(found("", None).await, [] as [String; 0]);
    assert_eq!(found("nothing", None).await, [] as [String; 0]);
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
