//! A save answered 200 is in the folder or in the history, whoever was at work beside it.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http_body_util::{BodyExt as _, StreamBody};
use lectern_host::ports::{Registry as _, TreeError};
use lectern_host::records::{Pending, Timestamp};
use lectern_host::{BoxError, empty};
use wopi::WopiError;

use crate::ground::{BEGIN, Ground};
use crate::moments::Moment;
use crate::trouble::Trouble;

fn unavailable() -> TreeError {
    TreeError::Unavailable("a test wants this".into())
}

#[tokio::test]
async fn a_save_follows_its_container_that_is_moved_at_that_moment() {
    let ground = Ground::new().await;
    ground.write("project/a.txt", "first");
    ground.write("archive/b.txt", "other");
    let id = ground.id("project/a.txt").await;
    ground.lock(&id, "A").await.unwrap();
    let other = ground.clone();
    ground.tree.meanwhile(Moment::Publish, "project/a.txt", move || other.move_("project", "archive/project"));
    ground.put(&id, Some("A"), "second").await.unwrap();
    assert_eq!(ground.get(&id).await.unwrap(), "second");
    ground.settles().await;
    assert_eq!(ground.place(&id).await, "archive/project/a.txt");
    assert_eq!(ground.on_disk("archive/project/a.txt").as_deref(), Some("second"));
    assert_eq!(ground.on_disk("project/a.txt"), None);
    assert_eq!(ground.get(&id).await.unwrap(), "second");
    assert_eq!(ground.old_bytes(&id).await, ["first"]);
}

#[tokio::test]
async fn a_container_that_is_removed_while_a_file_in_it_is_saved_is_put_back_with_the_file() {
    let ground = Ground::new().await;
    ground.write("project/part/a.txt", "first");
    let id = ground.id("project/part/a.txt").await;
    ground.lock(&id, "A").await.unwrap();
    let root = ground.root.clone();
    ground.tree.meanwhile(Moment::Publish, "*", move || std::fs::remove_dir_all(root.join("project")).unwrap());
    ground.put(&id, Some("A"), "second").await.unwrap();
    ground.settles().await;
    assert_eq!(ground.on_disk("project/part/a.txt").as_deref(), Some("second"));
    assert_eq!(ground.get(&id).await.unwrap(), "second");
    assert_eq!(ground.record(&id).await.pending, None);
    assert!(ground.versions(&id).await.is_empty(), "the first version went with the container");
    ground.scans_twice().await;
    assert_eq!(ground.get(&id).await.unwrap(), "second");
}

#[tokio::test]
async fn passing_trouble_of_the_registry_does_not_take_a_note_for_carried_out() {
    let ground = Ground::new().await;
    ground.write("project/a.txt", "first");
    let id = ground.id("project/a.txt").await;
    ground.lock(&id, "A").await.unwrap();
    ground.tree.at(Moment::Publish, "*", 0, || async { Err(unavailable()) });
    ground.put(&id, Some("A"), "second").await.unwrap();
    ground.registry.expects(Trouble::ReadingContainer);
    assert_eq!(ground.host.show_all().await, 1);
    assert!(ground.registry.is_over());
    assert!(matches!(ground.record(&id).await.pending, Some(Pending::Publish { .. })));
    assert_eq!(ground.host.show_all().await, 0);
    assert_eq!(ground.on_disk("project/a.txt").as_deref(), Some("second"));
    assert_eq!(ground.get(&id).await.unwrap(), "second");
}

#[tokio::test]
async fn a_note_is_not_cleared_before_its_container_was_made_durable() {
    let ground = Ground::new().await;
    ground.write("project/a.txt", "first");
    let id = ground.id("project/a.txt").await;
    ground.lock(&id, "A").await.unwrap();
    ground.put(&id, Some("A"), "second").await.unwrap();
    ground.registry.expects(Trouble::ReadingContainer);
    assert_eq!(ground.host.settle_all().await, 0);
    assert!(ground.record(&id).await.pending.is_some());
    assert_eq!(ground.host.settle_all().await, 1);
    assert!(ground.record(&id).await.pending.is_none());
}

#[tokio::test]
async fn a_save_of_the_same_bytes_puts_back_a_file_that_another_program_took_away() {
    let ground = Ground::new().await;
    ground.write("a.txt", "first");
    let id = ground.id("a.txt").await;
    let before = ground.info(&id).await.unwrap();
    ground.lock(&id, "A").await.unwrap();
    ground.remove("a.txt");
    let done = ground.put(&id, Some("A"), "first").await.unwrap();
    assert_eq!(Some(done.last_modified_time), before.last_modified_time);
    assert_ne!(done.version.to_string(), before.version);
    assert_eq!(ground.on_disk("a.txt").as_deref(), Some("first"));
    assert_eq!(ground.get(&id).await.unwrap(), "first");
    assert!(ground.versions(&id).await.is_empty());
}

#[tokio::test]
async fn other_bytes_put_back_a_file_that_another_program_took_away_and_the_history_promises_nothing_that_is_gone() {
    let ground = Ground::new().await;
    ground.write("a.txt", "first");
    let id = ground.id("a.txt").await;
    ground.lock(&id, "A").await.unwrap();
    ground.remove("a.txt");
    ground.put(&id, Some("A"), "second").await.unwrap();
    assert_eq!(ground.on_disk("a.txt").as_deref(), Some("second"));
    assert!(ground.versions(&id).await.is_empty());
}

#[tokio::test]
async fn what_another_program_writes_in_the_moment_before_a_save_is_kept_as_a_version() {
    for first in ["", "first"] {
        let ground = Ground::new().await;
        ground.write("a.txt", first);
        let id = ground.id("a.txt").await;
        ground.lock(&id, "A").await.unwrap();
        let other = ground.clone();
        ground.tree.meanwhile(Moment::Publish, "*", move || other.write("a.txt", "written by another program"));
        ground.put(&id, Some("A"), "saved").await.unwrap();
        assert_eq!(ground.on_disk("a.txt").as_deref(), Some("saved"));
        assert_eq!(ground.old_bytes(&id).await, ["written by another program"], "over {first:?}");
        ground.settles().await;
        ground.passes(Duration::from_secs(48 * 60 * 60));
        ground.host.sweep().await.unwrap();
        assert_eq!(ground.old_bytes(&id).await, ["written by another program"], "over {first:?}");
        assert_eq!(ground.get(&id).await.unwrap(), "saved");
    }
}

#[tokio::test]
async fn a_history_that_cannot_be_amended_just_now_is_amended_later() {
    let ground = Ground::new().await;
    ground.write("a.txt", "first");
    let id = ground.id("a.txt").await;
    ground.lock(&id, "A").await.unwrap();
    let other = ground.clone();
    ground.tree.meanwhile(Moment::Publish, "*", move || other.write("a.txt", "written by another program"));
    ground.registry.expects(Trouble::AmendingVersion);
    ground.put(&id, Some("A"), "saved").await.unwrap();
    ground.settles().await;
    assert_eq!(ground.old_bytes(&id).await, ["written by another program"]);
}

#[tokio::test]
async fn a_save_whose_client_went_away_before_it_was_shown_is_shown_all_the_same() {
    let ground = Ground::new().await;
    ground.write("a.txt", "first");
    let id = ground.id("a.txt").await;
    ground.lock(&id, "A").await.unwrap();
    let (reached, mut at_publish) = tokio::sync::mpsc::channel(1);
    ground.tree.at(Moment::Publish, "*", 0, move || async move {
        reached.send(()).await.unwrap();
        std::future::pending().await
    });
    tokio::select! {
        _ = ground.put(&id, Some("A"), "second") => panic!("nobody shows it"),
        _ = at_publish.recv() => {}
    }
    assert_eq!(ground.on_disk("a.txt").as_deref(), Some("first"));
    // Once it may still be a request under way.
    assert_eq!(ground.host.take_up_notes().await, 0);
    assert_eq!(ground.host.take_up_notes().await, 1);
    assert_eq!(ground.host.show_all().await, 0);
    assert_eq!(ground.on_disk("a.txt").as_deref(), Some("second"));
    assert_eq!(ground.record(&id).await.pending, None);
    assert_eq!(ground.host.take_up_notes().await, 0);
}

#[tokio::test]
async fn a_deletion_whose_client_went_away_is_carried_out_and_the_file_does_not_come_back() {
    let ground = Ground::new().await;
    ground.write("a.txt", "first");
    let id = ground.id("a.txt").await;
    let (reached, mut at_bin) = tokio::sync::mpsc::channel(1);
    ground.tree.at(Moment::Bin, "*", 0, move || async move {
        reached.send(()).await.unwrap();
        std::future::pending().await
    });
    tokio::select! {
        _ = ground.delete(&id) => panic!("nobody takes it out"),
        _ = at_bin.recv() => {}
    }
    ground.host.scan().await.unwrap();
    assert_eq!(ground.known().await, [] as [String; 0], "a file that is being deleted is no new one");
    // Even after the time that deleted files are kept, as long as the folder shows it.
    ground.passes(Duration::from_secs(60 * 24 * 60 * 60));
    assert_eq!(ground.host.sweep().await.unwrap().files, 0);
    ground.settles().await;
    assert_eq!(ground.on_disk("a.txt"), None);
    ground.host.scan().await.unwrap();
    assert_eq!(ground.known().await, [] as [String; 0]);
    assert_eq!(ground.host.sweep().await.unwrap().files, 1);
}

#[tokio::test]
async fn bytes_are_not_discarded_that_a_commit_points_to_of_which_nobody_learned_that_it_was_made() {
    let ground = Ground::new().await;
    ground.write("a.txt", "first");
    let id = ground.id("a.txt").await;
    ground.lock(&id, "A").await.unwrap();
    ground.info(&id).await.unwrap();
    ground.registry.expects(Trouble::AnsweringCommit);
    let refusal = ground.put(&id, Some("A"), "").await.unwrap_err();
    assert!(matches!(refusal.error, WopiError::Busy { .. }), "{refusal}");
    assert_eq!(ground.get(&id).await.unwrap(), "");
    ground.settles().await;
    assert_eq!(ground.on_disk("a.txt").as_deref(), Some(""));
    assert_eq!(ground.old_bytes(&id).await, ["first"]);
}

#[tokio::test]
async fn a_new_file_that_can_neither_be_shown_nor_taken_back_keeps_its_bytes_and_is_shown_later() {
    let ground = Ground::new().await;
    ground.write("a.txt", "first");
    let id = ground.id("a.txt").await;
    ground.tree.at(Moment::Publish, "*", 0, || async { Err(unavailable()) });
    ground.registry.expects(Trouble::RemovingFile);
    ground.put_suggested(&id, "b.txt", "new").await.unwrap_err();
    ground.settles().await;
    assert_eq!(ground.on_disk("b.txt").as_deref(), Some("new"));
    let new = ground.id("b.txt").await;
    assert_eq!(ground.get(&new).await.unwrap(), "new");
}

#[tokio::test]
async fn a_new_file_that_could_not_be_placed_is_rescued() {
    let ground = Ground::new().await;
    ground.write("a.txt", "first");
    let id = ground.id("a.txt").await;
    ground.tree.at(Moment::Publish, "*", 0, || async { Err(unavailable()) });
    ground.put_suggested(&id, "b.txt", "new").await.unwrap_err();
    assert_eq!(ground.on_disk("b.txt"), None);
    assert_eq!(ground.known().await, ["a.txt"]);
    let rescued = ground.registry.rescued(None).await.unwrap();
    let body = ground.host.ports().contents.open(&rescued[0].content, 0..u64::MAX).await.unwrap();
    assert_eq!(crate::ground::text(body).await, "new");
}

#[tokio::test]
async fn a_save_is_judged_by_the_lock_that_is_held_when_its_bytes_have_come() {
    let ground = Ground::new().await;
    ground.write("a.txt", "first");
    let id = ground.id("a.txt").await;
    ground.lock(&id, "A").await.unwrap();
    let (other, file) = (ground.clone(), id.clone());
    let body = futures_util::stream::once(async move {
        other.relock(&file, "A", "B").await.unwrap();
        Ok::<_, BoxError>(http_body::Frame::data(Bytes::from_static(b"second")))
    });
    ground.put_body(&id, Some("B"), StreamBody::new(body.boxed()).boxed_unsync()).await.unwrap();
    assert_eq!(ground.get(&id).await.unwrap(), "second");
    let refusal = ground.put_body(&id, Some("A"), empty()).await.unwrap_err();
    assert!(matches!(refusal.error, WopiError::LockMismatch { current: Some(id), .. } if id.as_str() == "B"));
}

#[tokio::test]
async fn a_listing_that_is_older_than_a_save_makes_no_version() {
    let ground = Ground::new().await;
    ground.write("a.txt", "first");
    let id = ground.id("a.txt").await;
    ground.lock(&id, "A").await.unwrap();
    let (other, file) = (ground.clone(), id.clone());
    ground.tree.at(Moment::Listed, "", 0, move || async move {
        other.put(&file, Some("A"), "second").await.unwrap();
        assert_eq!(other.host.settle_all().await, 1);
        Ok(())
    });
    ground.host.scan().await.unwrap();
    assert!(ground.tree.all_happened());
    let info = ground.info(&id).await.unwrap();
    assert_eq!(info.version, "2", "one save is one version");
    assert_eq!(info.last_modified_time, Some(wopi::answer::last_modified_time(BEGIN.0 * 10_000)));
    assert_eq!(ground.record(&id).await.content.saved_by, Some(ground.record(&id).await.lock_by()));
    assert_eq!(ground.old_bytes(&id).await, ["first"]);
}

trait LockBy {
    fn lock_by(&self) -> wopi::UserId;
}

impl LockBy for lectern_host::records::FileRecord {
    fn lock_by(&self) -> wopi::UserId {
        match &self.lock {
            lectern_host::records::LockState::Wopi(held) => held.by.clone(),
            _ => panic!("{} is not locked", self.name),
        }
    }
}

#[tokio::test]
async fn the_time_of_a_file_is_never_one_that_it_had_before_with_other_bytes() {
    let ground = Ground::new().await;
    ground.write("a.txt", "first");
    let id = ground.id("a.txt").await;
    let first = ground.info(&id).await.unwrap();
    let mtime = std::fs::metadata(ground.root.join("a.txt")).unwrap().modified().unwrap();
    ground.write("a.txt", "other");
    std::fs::File::options().write(true).open(ground.root.join("a.txt")).unwrap().set_modified(mtime).unwrap();
    ground.write("b.txt", "third");
    std::fs::File::options().write(true).open(ground.root.join("b.txt")).unwrap().set_modified(mtime).unwrap();
    ground.move_("b.txt", "a.txt");
    let last = ground.info(&id).await.unwrap();
    assert_eq!(ground.get(&id).await.unwrap(), "third");
    assert_ne!(last.version, first.version);
    assert!(last.last_modified_time > first.last_modified_time, "{:?}", last.last_modified_time);
}

#[tokio::test]
async fn a_touch_is_no_version() {
    let ground = Ground::new().await;
    ground.write("a.txt", "first");
    let id = ground.id("a.txt").await;
    let first = ground.info(&id).await.unwrap();
    let file = std::fs::File::options().write(true).open(ground.root.join("a.txt")).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(1_900_000_000)).unwrap();
    let last = ground.info(&id).await.unwrap();
    assert_eq!((last.version, last.last_modified_time), (first.version, first.last_modified_time));
}

#[tokio::test]
async fn a_file_that_takes_another_name_after_a_crash_is_durable_before_its_note_is_cleared() {
    let ground = Ground::new().await;
    ground.write("part/a.txt", "first");
    let id = ground.id("part/a.txt").await;
    let (reached, mut at_publish) = tokio::sync::mpsc::channel(1);
    ground.tree.at(Moment::Publish, "*", 0, move || async move {
        reached.send(()).await.unwrap();
        std::future::pending().await
    });
    tokio::select! {
        _ = ground.put_suggested(&id, "b.txt", "new") => panic!("nobody shows it"),
        _ = at_publish.recv() => {}
    }
    ground.write("part/b.txt", "another program's");
    let again = ground.starts_again().await;
    assert_eq!(again.on_disk("part/b.txt").as_deref(), Some("another program's"));
    assert_eq!(again.on_disk("part/b (2).txt").as_deref(), Some("new"));
    let new = again.id("part/b (2).txt").await;
    assert_eq!(again.record(&new).await.pending, None);
    let asked = again.tree.asked();
    let of = |moment, path: &str| asked.iter().rposition(|(m, p)| (*m, p.as_str()) == (moment, path));
    assert!(of(Moment::Settle, "part") > of(Moment::Publish, "part/b (2).txt"), "{asked:?}");
}

#[tokio::test]
async fn the_original_of_a_document_nobody_touched_for_years_is_kept_after_its_first_edit() {
    let ground = Ground::new().await;
    ground.write("a.txt", "first");
    let file = std::fs::File::options().write(true).open(ground.root.join("a.txt")).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(1_000_000_000)).unwrap();
    let id = ground.id("a.txt").await;
    ground.lock(&id, "A").await.unwrap();
    ground.put(&id, Some("A"), "second").await.unwrap();
    ground.settles().await;
    ground.passes(Duration::from_secs(2 * 60 * 60));
    assert_eq!(ground.host.sweep().await.unwrap().versions, 0);
    assert_eq!(ground.old_bytes(&id).await, ["first"]);
    assert!(ground.host.now() > Timestamp(BEGIN.0));
}

#[tokio::test]
async fn a_file_that_another_program_replaced_is_deleted_as_it_is_now() {
    let ground = Ground::new().await;
    ground.write("a.txt", "first");
    let id = ground.id("a.txt").await;
    ground.write(".new", "other");
    ground.move_(".new", "a.txt");
    ground.delete(&id).await.unwrap();
    assert_eq!(ground.on_disk("a.txt"), None);
    ground.host.scan().await.unwrap();
    assert_eq!(ground.known().await, [] as [String; 0]);
    let content = ground.record(&id).await.content.id;
    let body = ground.host.ports().contents.open(&content, 0..u64::MAX).await.unwrap();
    assert_eq!(crate::ground::text(body).await, "other");
}
