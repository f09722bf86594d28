//! DeleteFile.

use crate::world::World;

#[tokio::test]
async fn a_deleted_file_is_gone_for_everybody_but_its_history_is_not() {
    let world = World::with_file("report.docx", b"first").await;
    let (alice, vera) = (world.alice().await, world.vera().await);
    let (hers, theirs) = (alice.opens("report.docx").await, vera.opens("report.docx").await);
    hers.saves(b"second").await;
    hers.delete().await.ok();
    assert!(!world.neighbour().finds("report.docx"));
    for question in [theirs.check_file_info(), theirs.get_file(), hers.lock("A"), hers.put_file(b"x"), hers.delete()] {
        question.await.answered(404);
    }
    assert!(world.file_at("report.docx").await.is_none());
    assert!(alice.root().await.files().await.is_empty());
    assert_eq!(world.history(&hers.file_id()).await, [(1, b"first".to_vec())]);
    assert_eq!(world.kept_contents().await, 2, "the last bytes are kept, too");
}

#[tokio::test]
async fn a_file_that_somebody_holds_is_not_deleted() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    file.lock("A").await.ok();
    file.delete().await.refused_with("A");
    // Even whoever holds it has to let go first (protocol/files.md 11.2).
    file.delete().under("A").await.refused_with("A");
    assert_eq!(file.bytes().await, b"first");
    file.unlock("A").await.ok();
    file.delete().await.ok();
}

#[tokio::test]
async fn the_name_of_a_deleted_file_is_free_for_another_one() {
    let world = World::with_file("report.docx", b"first").await;
    world.neighbour().writes("other.docx", b"other");
    let alice = world.alice().await;
    let (file, other) = (alice.opens("report.docx").await, alice.opens("other.docx").await);
    file.delete().await.ok();
    let made = other.put_exactly("report.docx", b"another").await.ok();
    assert!(!made.text("/Url").contains(file.id()), "it is another file");
    file.check_file_info().await.answered(404);
    world.scans().await;
    assert_eq!(world.neighbour().sees("report.docx"), b"another");
}

#[tokio::test]
async fn a_deletion_that_was_answered_survives_a_crash() {
    let world = World::planned(|plan| plan.background = false).await;
    world.neighbour().writes("report.docx", b"first");
    let file = world.alice().await.opens("report.docx").await;
    file.saves(b"second").await;
    file.delete().await.ok();
    world.crashes().await;
    file.check_file_info().await.answered(404);
    world.scans().await;
    assert!(world.file_at("report.docx").await.is_none());
    assert_eq!(world.neighbour().lists(""), Vec::<String>::new());
}

/// What a client deletes is what it saw as the file, not what stood under its name when we looked last.
#[tokio::test]
async fn a_file_that_another_program_replaced_is_deleted_all_the_same() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    world.neighbour().replaces("report.docx", b"by another program");
    file.delete().await.ok();
    assert!(!world.neighbour().finds("report.docx"));
    world.scans().await;
    assert!(world.file_at("report.docx").await.is_none());
    assert_eq!(world.kept_contents().await, 1, "the bytes of the other program are kept");
}

#[tokio::test]
async fn whoever_may_not_delete_finds_nothing() {
    let world = World::with_file("report.docx", b"first").await;
    world.vera().await.opens("report.docx").await.delete().await.answered(404);
    world.alice().await.views("report.docx").await.delete().await.answered(404);
    assert_eq!(world.neighbour().sees("report.docx"), b"first");
}
