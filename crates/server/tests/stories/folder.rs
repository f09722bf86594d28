//! The folder is everybody's: what other programs do in it while files are open.

use std::time::Duration;

use crate::doors::File;
use crate::world::World;

/// Longer than the pause between two scans that requests ask for.
const A_WHILE: Duration = Duration::from_secs(11);

async fn opened(world: &World, path: &str) -> File {
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
async fn two_files_that_change_places_keep_their_names_and_take_each_others_bytes() {
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
        assert_eq!((one.name().await, one.bytes().await), ("one.docx".into(), b"two".to_vec()), "{scanned}");
        assert_eq!((two.name().await, two.bytes().await), ("two.docx".into(), b"one".to_vec()), "{scanned}");
        assert_ne!(one.version().await, versions.0);
        assert_ne!(two.version().await, versions.1);
        world.scans().await;
        assert_eq!(one.bytes().await, b"two");
        one.saves(b"one again").await;
        assert_eq!(
            (world.neighbour().sees("one.docx"), world.neighbour().sees("two.docx")),
            (b"one again".to_vec(), b"one".to_vec())
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

// ── folders ──

#[tokio::test]
async fn a_folder_that_is_renamed_keeps_what_is_open_in_it() {
    let world = World::new().await;
    world.neighbour().makes_folder("letters");
    world.neighbour().makes_folder("letters/old");
    world.neighbour().writes("letters/one.docx", b"one");
    world.neighbour().writes("letters/old/zero.docx", b"zero");
    let alice = world.alice().await;
    let letters = alice.root().await.enters("letters").await;
    let (one, zero) = (alice.opens("letters/one.docx").await, alice.opens("letters/old/zero.docx").await);
    one.lock("A").await.ok();
    zero.lock("Z").await.ok();
    world.neighbour().renames("letters", "post");
    one.put_file(b"one, revised").under("A").await.ok();
    zero.put_file(b"zero, revised").under("Z").await.ok();
    assert_eq!(world.neighbour().lists(""), ["post"]);
    assert_eq!(world.neighbour().sees("post/one.docx"), b"one, revised");
    assert_eq!(world.neighbour().sees("post/old/zero.docx"), b"zero, revised");
    assert_eq!(letters.check_container_info().await.ok().text("/Name"), "post");
    assert_eq!(letters.files().await, ["one.docx"]);
    assert_eq!(world.file_at("post/one.docx").await.unwrap().id, one.file_id());
}

/// A scan was just done when the folder was renamed, so the request may not ask for another one.
#[tokio::test]
async fn a_save_into_a_folder_that_was_renamed_a_moment_ago_is_not_lost() {
    let world = World::new().await;
    world.neighbour().makes_folder("letters");
    world.neighbour().writes("letters/one.docx", b"one");
    let one = opened(&world, "letters/one.docx").await;
    one.lock("A").await.ok();
    world.scans().await;
    world.neighbour().renames("letters", "post");
    one.put_file(b"one, revised").under("A").await.ok();
    assert_eq!(one.bytes().await, b"one, revised");
    world.works_in_the_background().await;
    world.scans().await;
    assert_eq!(one.bytes().await, b"one, revised");
    assert_eq!(world.neighbour().sees("post/one.docx"), b"one, revised");
}

#[tokio::test]
async fn a_container_whose_folder_was_renamed_is_still_entered() {
    let world = World::new().await;
    world.neighbour().makes_folder("letters");
    world.neighbour().writes("letters/one.docx", b"one");
    let letters = world.alice().await.root().await.enters("letters").await;
    assert_eq!(letters.files().await, ["one.docx"]);
    world.neighbour().renames("letters", "post");
    assert_eq!(letters.files().await, ["one.docx"]);
    world.passes(A_WHILE);
    world.neighbour().renames("post", "mail");
    letters.create_file("two.docx").await.ok();
    world.passes(A_WHILE);
    world.neighbour().renames("mail", "letters");
    letters.opens("one.docx").await.put_near("three.docx", b"three").await.ok();
    world.passes(A_WHILE);
    let one = letters.opens("one.docx").await;
    world.neighbour().renames("letters", "post");
    one.put_near("four.docx", b"four").await.ok();
    world.neighbour().renames("post", "letters");
    world.passes(A_WHILE);
    assert_eq!(world.neighbour().lists("letters"), ["four.docx", "one.docx", "three.docx", "two.docx"]);
}

#[tokio::test]
async fn a_container_whose_folder_is_gone_is_not_found() {
    let world = World::new().await;
    world.neighbour().makes_folder("letters");
    let root = world.alice().await.root().await;
    let letters = root.enters("letters").await;
    std::fs::remove_dir(world.neighbour().path("letters")).unwrap();
    letters.enumerate_children().await.answered(404);
    letters.create_file("one.docx").await.answered(404);
    letters.create_container("below").await.answered(404);
    assert!(root.containers().await.is_empty());
    assert!(!world.neighbour().finds("letters"));
}

#[tokio::test]
async fn a_folder_that_is_moved_into_another_one_keeps_what_is_open_in_it() {
    let world = World::new().await;
    world.neighbour().makes_folder("letters");
    world.neighbour().makes_folder("archive");
    world.neighbour().writes("letters/one.docx", b"one");
    let one = opened(&world, "letters/one.docx").await;
    one.lock("A").await.ok();
    world.neighbour().renames("letters", "archive/letters");
    one.put_file(b"one, revised").under("A").await.ok();
    assert_eq!(world.neighbour().sees("archive/letters/one.docx"), b"one, revised");
    assert_eq!(world.neighbour().lists(""), ["archive"]);
}

/// As a file that is deleted while somebody holds it.
#[tokio::test]
async fn a_folder_that_is_deleted_while_somebody_holds_a_file_in_it_is_made_again_by_the_next_save() {
    let world = World::new().await;
    world.neighbour().makes_folder("letters");
    world.neighbour().makes_folder("letters/old");
    world.neighbour().writes("letters/old/zero.docx", b"zero");
    world.neighbour().writes("letters/one.docx", b"one");
    let zero = opened(&world, "letters/old/zero.docx").await;
    zero.lock("Z").await.ok();
    std::fs::remove_dir_all(world.neighbour().path("letters")).unwrap();
    world.scans().await;
    zero.put_file(b"zero, revised").under("Z").await.ok();
    assert_eq!(zero.bytes().await, b"zero, revised", "at once");
    world.works_in_the_background().await;
    assert_eq!(world.neighbour().sees("letters/old/zero.docx"), b"zero, revised");
    zero.unlock("Z").await.ok();
    assert_eq!(world.scans().await.deleted, 0);
    assert_eq!(zero.bytes().await, b"zero, revised");
    assert_eq!(world.file_at("letters/old/zero.docx").await.unwrap().id, zero.file_id());
    assert_eq!(world.neighbour().lists("letters"), ["old"]);
}

// ── files that come and go ──

#[tokio::test]
async fn a_new_file_is_there_at_once_for_clients_and_commands() {
    let world = World::new().await;
    world.neighbour().makes_folder("letters");
    let root = world.alice().await.root().await;
    assert!(root.files().await.is_empty());
    world.neighbour().writes("new.docx", b"new");
    assert_eq!(root.files().await, ["new.docx"]);
    world.neighbour().writes("letters/other.docx", b"other");
    let letters = root.enters("letters").await;
    let other = world.file_at("letters/other.docx").await.unwrap();
    assert_eq!(letters.opens("other.docx").await.file_id(), other.id);
    world.neighbour().makes_folder("letters/deep");
    world.neighbour().writes("letters/deep/below.docx", b"below");
    let below = world.file_at("letters/deep/below.docx").await.unwrap();
    world.scans().await;
    assert_eq!(world.file_at("letters/deep/below.docx").await.unwrap().id, below.id);
    world.restarts().await;
    assert_eq!(root.opens("new.docx").await.bytes().await, b"new");
}

#[tokio::test]
async fn a_file_that_is_deleted_is_gone_at_once() {
    let world = World::with_file("report.docx", b"first").await;
    let alice = world.alice().await;
    let (root, file) = (alice.root().await, alice.opens("report.docx").await);
    world.neighbour().removes("report.docx");
    file.check_file_info().await.answered(404);
    file.get_file().await.answered(404);
    file.lock("A").await.answered(404);
    assert!(root.files().await.is_empty());
    assert!(world.file_at("report.docx").await.is_none());
}

#[tokio::test]
async fn a_file_that_is_deleted_and_made_again_before_anybody_looked_is_the_same_file() {
    let world = World::with_file("report.docx", b"first").await;
    let file = opened(&world, "report.docx").await;
    world.neighbour().removes("report.docx");
    world.neighbour().writes("report.docx", b"made again");
    assert_eq!(file.bytes().await, b"made again");
    assert_ne!(file.version().await, "1");
}

#[tokio::test]
async fn a_file_that_was_seen_to_be_deleted_and_is_made_again_is_another_file() {
    let world = World::with_file("report.docx", b"first").await;
    let file = opened(&world, "report.docx").await;
    world.neighbour().removes("report.docx");
    assert_eq!(world.scans().await.deleted, 1);
    world.neighbour().writes("report.docx", b"made again");
    file.check_file_info().await.answered(404);
    let again = world.file_at("report.docx").await.unwrap();
    assert_ne!(again.id, file.file_id());
}

/// Somebody has it open: what they typed must not be lost because somebody else deleted the file.
#[tokio::test]
async fn a_file_that_is_deleted_while_somebody_holds_it_is_put_back_by_the_next_save() {
    for scanned in [false, true] {
        let world = World::with_file("report.docx", b"first").await;
        let file = opened(&world, "report.docx").await;
        file.lock("A").await.ok();
        world.neighbour().removes("report.docx");
        if scanned {
            assert_eq!(world.scans().await.deleted, 0, "it is held");
        }
        file.put_file(b"second").under("A").await.ok();
        assert_eq!(world.neighbour().sees("report.docx"), b"second", "{scanned}");
        assert_eq!(file.bytes().await, b"second");
        file.unlock("A").await.ok();
        assert_eq!(world.scans().await.deleted, 0);
        assert_eq!(world.file_at("report.docx").await.unwrap().id, file.file_id());
        assert_eq!(world.history(&file.file_id()).await, [], "the bytes that were deleted are no version");
    }
}

/// A scan was just done, so nobody has noticed yet.
#[tokio::test]
async fn the_name_of_a_file_that_another_program_deleted_is_free_at_once() {
    let world = World::with_file("report.docx", b"first").await;
    world.neighbour().writes("target.docx", b"before");
    let alice = world.alice().await;
    let (file, target) = (alice.opens("report.docx").await, alice.opens("target.docx").await);
    world.scans().await;
    world.neighbour().removes("target.docx");
    let made = file.put_exactly("target.docx", b"after").await.ok();
    assert_eq!(world.neighbour().sees("target.docx"), b"after");
    assert!(!made.text("/Url").contains(target.id()), "it is another file");
    target.check_file_info().await.answered(404);
}

/// It is held, so whoever holds it may still put it back.
#[tokio::test]
async fn the_name_of_a_file_that_another_program_deleted_is_not_free_while_somebody_holds_it() {
    let world = World::with_file("report.docx", b"first").await;
    world.neighbour().writes("target.docx", b"before");
    let alice = world.alice().await;
    let (file, target) = (alice.opens("report.docx").await, alice.opens("target.docx").await);
    target.lock("T").await.ok();
    world.neighbour().removes("target.docx");
    file.put_exactly("target.docx", b"mine").await.answered(409);
    file.put_exactly("target.docx", b"mine").with("X-WOPI-OverwriteRelativeTarget", "true").await.refused_with("T");
    target.put_file(b"after").under("T").await.ok();
    assert_eq!(world.neighbour().sees("target.docx"), b"after");
}

/// A scan that sees the folder of a moment ago must not make a file of what is being deleted or renamed.
#[tokio::test]
async fn scans_beside_deletions_and_renames_find_nothing_that_is_not_there() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    let scanning = {
        let world = world.clone();
        tokio::spawn(async move {
            loop {
                world.scans().await;
            }
        })
    };
    for round in 0..40 {
        let made = file.put_exactly("exact.docx", b"exact").await;
        assert_eq!(made.status, 200, "round {round}: {made:?}");
        let copy = File::new(crate::doors::Door::at(&world, &made.text("/Url")));
        assert_eq!(copy.rename("renamed").await.ok().text("/Name"), "renamed", "round {round}");
        copy.delete().await.ok();
    }
    scanning.abort();
    assert_eq!(world.neighbour().lists(""), ["report.docx"]);
    assert_eq!(world.host().ports().registry.file_count().await.unwrap(), 1);
}

/// "Save as" is what people try when their file is gone.
#[tokio::test]
async fn a_file_that_is_deleted_can_still_be_saved_under_another_name() {
    let world = World::with_file("report.docx", b"first").await;
    let file = opened(&world, "report.docx").await;
    file.lock("A").await.ok();
    world.neighbour().removes("report.docx");
    file.put_near("rescue.docx", b"second").await.ok();
    assert_eq!(world.neighbour().lists(""), ["rescue.docx"]);
}

/// As Collabora does when it closes a document that nobody touched.
#[tokio::test]
async fn a_file_that_is_deleted_is_put_back_by_a_save_of_the_same_bytes_too() {
    let world = World::with_file("report.docx", b"first").await;
    let file = opened(&world, "report.docx").await;
    file.check_file_info().await.ok();
    file.lock("A").await.ok();
    world.neighbour().removes("report.docx");
    file.put_file(b"first").under("A").await.ok();
    assert_eq!(world.neighbour().sees("report.docx"), b"first");
    file.unlock("A").await.ok();
    world.scans().await;
    assert_eq!(file.bytes().await, b"first");
}

#[tokio::test]
async fn a_file_that_is_deleted_while_its_lock_runs_out_is_gone_with_the_next_scan() {
    let world = World::with_file("report.docx", b"first").await;
    let file = opened(&world, "report.docx").await;
    file.lock("A").await.ok();
    world.neighbour().removes("report.docx");
    assert_eq!(world.scans().await.deleted, 0);
    world.passes(Duration::from_secs(30 * 60));
    assert_eq!(world.scans().await.deleted, 1);
    file.put_file(b"second").under("A").await.answered(404);
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
