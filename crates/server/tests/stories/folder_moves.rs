//! What comes, goes and moves in the folder: whole folders, new files, files that are deleted while somebody has them open.

use std::time::Duration;

use crate::doors::{Door, File};
use crate::folder::{A_WHILE, opened};
use crate::world::World;

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
    let first = world.scans().await;
    assert_eq!((first.missed, first.deleted), (1, 0), "it may be away for a moment only");
    world.passes(2 * A_WHILE);
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

/// A file that is gone may be back in a moment, so its name is not given away before two scans missed it; whoever says
/// that he wants to replace it may.
#[tokio::test]
async fn the_name_of_a_file_that_has_just_vanished_goes_to_whoever_may_replace_it() {
    let world = World::with_file("report.docx", b"first").await;
    world.neighbour().writes("target.docx", b"before");
    let alice = world.alice().await;
    let (file, _target) = (alice.opens("report.docx").await, alice.opens("target.docx").await);
    world.scans().await;
    world.neighbour().removes("target.docx");
    file.put_exactly("target.docx", b"after").await.answered(409);
    file.put_exactly("target.docx", b"after").with("X-WOPI-OverwriteRelativeTarget", "true").await.ok();
    assert_eq!(world.neighbour().sees("target.docx"), b"after");
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
        let copy = File::new(Door::at(&world, &made.text("/Url")));
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
