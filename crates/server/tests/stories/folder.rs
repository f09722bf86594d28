//! The folder is everybody's: what other programs do in it while files are open.

use std::time::Duration;

use crate::doors::File;
use crate::world::World;

/// Longer than the pause between two scans that requests ask for.
pub(crate) const A_WHILE: Duration = Duration::from_secs(11);

pub(crate) async fn opened(world: &World, path: &str) -> File {
    world.alice().await.opens(path).await
}

// ── other bytes ──

#[tokio::test]
async fn a_file_that_is_replaced_is_the_same_file_in_a_new_version() {
    let world = World::with_file("report.docx", b"first").await;
    let file = opened(&world, "report.docx").await;
    let (version, time) = (file.version().await, file.time().await);
    world.passes(A_WHILE);
    world.neighbour().replaces("report.docx", b"replaced");
    assert_eq!(file.bytes().await, b"replaced");
    assert_ne!((file.version().await, file.time().await), (version, time));
    world.scans().await;
    assert_eq!(world.file_at("report.docx").await.unwrap().id, file.file_id());
}

#[tokio::test]
async fn a_file_that_is_written_in_place_is_the_same_file_in_a_new_version() {
    let world = World::with_file("report.docx", b"first").await;
    let file = opened(&world, "report.docx").await;
    let mut version = file.version().await;
    for bytes in [&b"other"[..], b"longer than before", b"short", b""] {
        world.neighbour().writes("report.docx", bytes);
        assert_eq!(file.bytes().await, bytes);
        let now = file.version().await;
        assert_ne!(now, version);
        assert_eq!(file.info().await["Size"], bytes.len());
        version = now;
    }
}

/// Indexers, scanners and sync programs touch times; clients would take that for a conflict (protocol/clients.md 9).
#[tokio::test]
async fn a_file_of_which_only_the_time_changed_is_the_same_version_of_the_same_time() {
    let world = World::with_file("report.docx", b"first").await;
    let file = opened(&world, "report.docx").await;
    let info = file.info().await;
    world.passes(A_WHILE);
    world.neighbour().touches("report.docx");
    assert_eq!(file.info().await, info);
    world.neighbour().replaces("report.docx", b"first");
    assert_eq!(file.info().await, info, "nor do the same bytes in another file make a difference");
    file.lock("A").await.ok();
    let save =
        file.put_file(b"second").under("A").with("X-COOL-WOPI-Timestamp", info["LastModifiedTime"].as_str().unwrap());
    save.await.ok();
}

#[tokio::test]
async fn a_client_that_saves_over_bytes_it_never_saw_is_told_by_their_time() {
    let world = World::with_file("report.docx", b"first").await;
    let file = opened(&world, "report.docx").await;
    let seen = file.time().await;
    file.lock("A").await.ok();
    world.passes(A_WHILE);
    world.neighbour().replaces("report.docx", b"replaced");
    file.put_file(b"second").under("A").with("X-COOL-WOPI-Timestamp", &seen).await.answered(409);
    assert_eq!(world.neighbour().sees("report.docx"), b"replaced");
    // Who names no time overwrites, and what was there is a version.
    file.put_file(b"second").under("A").await.ok();
    assert_eq!(world.history(&file.file_id()).await[0].1, b"replaced");
}

/// Between the look that a save takes at the folder and the moment at which it is put there.
#[tokio::test]
async fn what_another_program_writes_just_before_a_save_is_put_there_is_kept() {
    let world = World::planned(|plan| plan.background = false).await;
    world.neighbour().writes("report.docx", b"first");
    let file = opened(&world, "report.docx").await;
    file.lock("A").await.ok();
    file.put_file(b"second").under("A").await.ok();
    // As long as the folder is not durable nobody looks at it again.
    world.neighbour().replaces("report.docx", b"by another program");
    file.put_file(b"third").under("A").await.ok();
    assert_eq!(world.neighbour().sees("report.docx"), b"third");
    let history: Vec<Vec<u8>> = world.history(&file.file_id()).await.into_iter().map(|(_, bytes)| bytes).collect();
    assert!(history.contains(&b"by another program".to_vec()), "{history:?}");
    assert!(history.contains(&b"first".to_vec()), "{history:?}");
}

#[tokio::test]
async fn a_lock_holds_whatever_another_program_does_to_the_bytes() {
    let world = World::with_file("report.docx", b"first").await;
    let file = opened(&world, "report.docx").await;
    file.lock("A").await.ok();
    world.neighbour().replaces("report.docx", b"replaced");
    world.scans().await;
    file.get_lock().await.holds("A");
    file.put_file(b"second").under("A").await.ok();
    assert_eq!(world.neighbour().sees("report.docx"), b"second");
}

// ── other names ──

#[tokio::test]
async fn a_file_that_is_renamed_stays_open() {
    let world = World::with_file("report.docx", b"first").await;
    let file = opened(&world, "report.docx").await;
    file.lock("A").await.ok();
    world.neighbour().renames("report.docx", "minutes.docx");
    assert_eq!(file.name().await, "minutes.docx");
    file.put_file(b"second").under("A").await.ok();
    assert_eq!(world.neighbour().lists(""), ["minutes.docx"]);
    assert_eq!(world.neighbour().sees("minutes.docx"), b"second");
    assert_eq!(world.file_at("minutes.docx").await.unwrap().id, file.file_id());
}

#[tokio::test]
async fn a_file_that_is_renamed_just_before_a_save_is_saved_under_its_new_name() {
    let world = World::with_file("report.docx", b"first").await;
    let file = opened(&world, "report.docx").await;
    file.lock("A").await.ok();
    world.neighbour().renames("report.docx", "minutes.docx");
    file.put_file(b"second").under("A").await.ok();
    assert_eq!(world.neighbour().lists(""), ["minutes.docx"]);
    assert_eq!(world.history(&file.file_id()).await, [(1, b"first".to_vec())]);
}

#[tokio::test]
async fn a_file_that_is_moved_into_a_container_stays_open() {
    let world = World::with_file("report.docx", b"first").await;
    world.neighbour().makes_folder("letters");
    world.neighbour().makes_folder("letters/old");
    let file = opened(&world, "report.docx").await;
    file.lock("A").await.ok();
    for place in ["letters/report.docx", "letters/old/minutes.docx", "minutes.docx"] {
        let from = world.file_path(&file).await;
        world.neighbour().renames(&from, place);
        world.passes(A_WHILE);
        assert_eq!(file.name().await, place.rsplit('/').next().unwrap());
        file.put_file(place.as_bytes()).under("A").await.ok();
        assert_eq!(world.neighbour().sees(place), place.as_bytes());
    }
    assert_eq!(world.neighbour().lists(""), ["letters", "minutes.docx"]);
}

/// A careful editor's way: the old file becomes a backup, the new one gets its name.
#[tokio::test]
async fn a_file_whose_old_self_became_a_backup_is_still_the_one_under_its_name() {
    for scanned in [false, true] {
        let world = World::with_file("report.docx", b"first").await;
        let file = opened(&world, "report.docx").await;
        file.lock("A").await.ok();
        world.neighbour().renames("report.docx", "report.bak.docx");
        world.neighbour().writes("report.docx", b"replaced");
        if scanned {
            world.scans().await;
        }
        assert_eq!((file.name().await, file.bytes().await), ("report.docx".into(), b"replaced".to_vec()), "{scanned}");
        file.put_file(b"second").under("A").await.ok();
        assert_eq!(world.neighbour().sees("report.docx"), b"second");
        assert_eq!(world.neighbour().sees("report.bak.docx"), b"first");
        let backup = world.file_at("report.bak.docx").await.unwrap();
        assert_ne!(backup.id, file.file_id());
        assert_eq!(world.file_at("report.docx").await.unwrap().id, file.file_id());
    }
}

/// Whoever looks first must not decide which file is which.
#[tokio::test]
async fn two_files_that_change_places_are_the_files_they_were() {
    for scanned in [false, true] {
        let world = World::with_file("one.docx", b"one").await;
        world.neighbour().writes("two.docx", b"two");
        let alice = world.alice().await;
        let (one, two) = (alice.opens("one.docx").await, alice.opens("two.docx").await);
        let versions = (one.version().await, two.version().await);
        world.neighbour().swaps("one.docx", "two.docx");
        if scanned {
            world.scans().await;
        }
        assert_eq!((one.name().await, one.bytes().await), ("two.docx".into(), b"one".to_vec()), "{scanned}");
        assert_eq!((two.name().await, two.bytes().await), ("one.docx".into(), b"two".to_vec()), "{scanned}");
        assert_eq!((one.version().await, two.version().await), versions);
        world.scans().await;
        assert_eq!(one.bytes().await, b"one");
        one.saves(b"one again").await;
        assert_eq!(
            (world.neighbour().sees("one.docx"), world.neighbour().sees("two.docx")),
            (b"two".to_vec(), b"one again".to_vec())
        );
    }
}

#[tokio::test]
async fn a_copy_is_another_file() {
    let world = World::with_file("report.docx", b"first").await;
    let file = opened(&world, "report.docx").await;
    std::fs::copy(world.neighbour().path("report.docx"), world.neighbour().path("copy.docx")).unwrap();
    std::fs::hard_link(world.neighbour().path("report.docx"), world.neighbour().path("linked.docx")).unwrap();
    world.scans().await;
    let ids = ["report.docx", "copy.docx", "linked.docx"];
    let mut found = Vec::new();
    for name in ids {
        found.push(world.file_at(name).await.unwrap().id);
    }
    assert_eq!(found[0], file.file_id());
    assert!(found[0] != found[1] && found[1] != found[2] && found[0] != found[2]);
    file.saves(b"second").await;
    assert_eq!(world.neighbour().sees("linked.docx"), b"first", "a save replaces one name, not the inode");
}

// ── what is not offered ──

#[tokio::test]
async fn hidden_and_temporary_files_are_not_offered() {
    let world = World::with_file("report.docx", b"first").await;
    for name in [".hidden.docx", "~$report.docx", ".~lock.report.docx#", "~WRL0001.tmp", "Thumbs.db", "desktop.ini"] {
        world.neighbour().writes(name, b"not for clients");
        assert!(world.file_at(name).await.is_none(), "{name}");
    }
    world.neighbour().makes_folder(".git");
    world.neighbour().writes(".git/config", b"not for clients");
    let root = world.alice().await.root().await;
    assert_eq!((root.files().await, root.containers().await), (vec!["report.docx".to_owned()], vec![]));
    assert!(world.file_at(".lectern/registry.sqlite").await.is_none(), "least of all our own");
}

#[tokio::test]
async fn links_are_not_offered_wherever_they_lead() {
    let world = World::with_file("report.docx", b"first").await;
    world.neighbour().makes_folder("letters");
    let secret = world.elsewhere().join("secret.docx");
    std::fs::write(&secret, b"outside").unwrap();
    world.neighbour().links(&secret, "link.docx");
    world.neighbour().links(&world.elsewhere(), "outside");
    world.neighbour().links(&world.documents().join("report.docx"), "inside.docx");
    world.neighbour().links(&world.documents().join("letters"), "post");
    let root = world.alice().await.root().await;
    assert_eq!(root.files().await, ["report.docx"]);
    assert_eq!(root.containers().await, ["letters"]);
    for path in ["link.docx", "outside/secret.docx", "inside.docx", "post/x.docx"] {
        assert!(world.file_at(path).await.is_none(), "{path}");
    }
}

#[tokio::test]
async fn a_file_that_becomes_a_link_to_the_outside_is_gone_and_the_outside_is_safe() {
    let world = World::with_file("report.docx", b"first").await;
    let secret = world.elsewhere().join("secret.docx");
    std::fs::write(&secret, b"outside").unwrap();
    let file = opened(&world, "report.docx").await;
    file.lock("A").await.ok();
    world.neighbour().removes("report.docx");
    world.neighbour().links(&secret, "report.docx");
    file.check_file_info().await.answered(404);
    file.get_file().await.answered(404);
    // The save is taken, but not by way of the link.
    let saved = file.put_file(b"second").under("A").await;
    assert_eq!(std::fs::read(&secret).unwrap(), b"outside");
    if saved.status == 200 {
        world.works_in_the_background().await;
        assert_eq!(file.bytes().await, b"second");
    }
}

#[tokio::test]
async fn a_folder_that_becomes_a_link_to_the_outside_leads_nowhere() {
    let world = World::new().await;
    world.neighbour().makes_folder("letters");
    world.neighbour().writes("letters/one.docx", b"one");
    let outside = world.elsewhere().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("one.docx"), b"outside").unwrap();
    let one = opened(&world, "letters/one.docx").await;
    world.neighbour().renames("letters", ".away");
    world.neighbour().links(&outside, "letters");
    one.check_file_info().await.answered(404);
    one.get_file().await.answered(404);
    assert_eq!(std::fs::read(outside.join("one.docx")).unwrap(), b"outside");
}

#[tokio::test]
async fn names_in_any_script_are_served_as_they_are() {
    let world = World::new().await;
    for name in ["Übersicht 2026.odt", "報告書.docx", "отчёт.xlsx", "a+b & c.docx", "emoji 🎉.pptx", "e\u{301}.txt"]
    {
        world.neighbour().writes(name, name.as_bytes());
        let file = world.person_again("alice").await.opens(name).await;
        assert_eq!((file.name().await, file.bytes().await), (name.to_owned(), name.as_bytes().to_vec()));
        file.saves(b"saved").await;
        assert_eq!(world.neighbour().sees(name), b"saved");
    }
}
