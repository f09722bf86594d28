//! What is only missing for a moment, or cannot be looked at, is not deleted.

use std::time::Duration;

use lectern_host::ports::{Registry as _, TreeError};
use wopi::WopiError;

use crate::ground::Ground;
use crate::moments::Moment;
use crate::trouble::Trouble;

#[tokio::test]
async fn a_file_that_another_program_removed_is_deleted_by_the_second_scan_and_not_by_the_first() {
    let ground = Ground::new().await;
    ground.write("a.txt", "first");
    ground.write("x/b.txt", "first");
    let ids = [ground.id("a.txt").await, ground.id("x/b.txt").await];
    ground.remove("a.txt");
    std::fs::remove_dir_all(ground.root.join("x")).unwrap();
    let first = ground.host.scan().await.unwrap();
    assert_eq!((first.missed, first.deleted), (2, 0));
    let early = ground.host.scan().await.unwrap();
    assert_eq!((early.missed, early.deleted), (0, 0), "too soon to tell");
    ground.passes(Duration::from_secs(60));
    assert_eq!(ground.host.scan().await.unwrap().deleted, 2);
    for id in ids {
        assert!(ground.record(&id).await.deleted_at.is_some());
        assert_eq!(ground.info(&id).await.unwrap_err().error, WopiError::NotFound);
    }
    let root = ground.registry.root().await.unwrap().id;
    assert!(ground.children(&root).await.unwrap().child_containers.is_empty());
}

#[tokio::test]
async fn a_file_that_is_away_while_it_is_scanned_keeps_its_id() {
    let ground = Ground::new().await;
    ground.write("a.txt", "first");
    let id = ground.id("a.txt").await;
    // Saved by removing and writing anew, as slowly as can be.
    ground.remove("a.txt");
    ground.host.scan().await.unwrap();
    assert_eq!(ground.known().await, ["a.txt"]);
    ground.write("a.txt", "second");
    ground.scans_twice().await;
    assert_eq!(ground.get(&id).await.unwrap(), "second");
    // Away again, later: that is not the second time in a row.
    ground.remove("a.txt");
    ground.passes(Duration::from_secs(60));
    assert_eq!(ground.host.scan().await.unwrap().deleted, 0);
}

#[tokio::test]
async fn what_is_moved_behind_the_back_of_a_scan_keeps_its_id() {
    let ground = Ground::new().await;
    for path in ["x/a.txt", "y/b.txt", "x/p/c.txt", "y/d/e.txt"] {
        ground.write(path, path);
    }
    let files = [ground.id("x/a.txt").await, ground.id("x/p/c.txt").await];
    let others = [ground.id("y/b.txt").await, ground.id("y/d/e.txt").await];
    // Whichever is scanned first, something is moved from the other into it just then.
    let one = ground.clone();
    ground.tree.meanwhile(Moment::Listed, "y", move || {
        one.move_("x/a.txt", "y/a.txt");
        one.move_("x/p", "y/p");
    });
    let other = ground.clone();
    ground.tree.meanwhile(Moment::Listed, "x", move || {
        other.move_("y/b.txt", "x/b.txt");
        other.move_("y/d", "x/d");
    });
    ground.scans_twice().await;
    ground.scans_twice().await;
    for (id, path) in files.iter().zip(["y/a.txt", "y/p/c.txt"]).chain(others.iter().zip(["x/b.txt", "x/d/e.txt"])) {
        assert_eq!(ground.record(id).await.deleted_at, None, "{path}");
        assert_eq!(ground.place(id).await, path);
    }
}

#[tokio::test]
async fn a_container_that_cannot_be_read_keeps_nobody_from_scanning_the_others_and_nothing_is_deleted_then() {
    let ground = Ground::new().await;
    ground.write("x/a.txt", "first");
    ground.write("y/b.txt", "first");
    ground.write("z/c.txt", "first");
    let id = ground.id("x/a.txt").await;
    let gone = ground.id("z/c.txt").await;
    ground.container("y").await;
    ground.remove("z/c.txt");
    ground.host.scan().await.unwrap();
    for path in ["x/new.txt", "y/new.txt", "z/new.txt"] {
        ground.write(path, "new");
    }
    ground.passes(Duration::from_secs(60));
    ground.tree.at(Moment::Listed, "y", 0, || async { Err(TreeError::Failed("a test wants this".into())) });
    ground.host.scan().await.unwrap_err();
    for container in ["x", "z"] {
        let id = ground.container(container).await;
        let page = lectern_host::ports::Page { after: None, limit: 10 };
        let known = ground.registry.files_in(&id, &page).await.unwrap();
        assert!(known.iter().any(|file| file.name.as_str() == "new.txt"), "{container}");
    }
    assert_eq!(ground.record(&gone).await.deleted_at, None);
    assert_eq!(ground.get(&id).await.unwrap(), "first");
}

#[tokio::test]
async fn passing_trouble_of_the_registry_deletes_nothing() {
    let ground = Ground::new().await;
    ground.write("x/a.txt", "first");
    let id = ground.id("x/a.txt").await;
    ground.remove("x/a.txt");
    ground.host.scan().await.unwrap();
    ground.passes(Duration::from_secs(60));
    // The registry cannot say where to look for it once more.
    let other = ground.clone();
    ground.tree.meanwhile(Moment::Listed, "x", move || other.registry.expects(Trouble::ReadingContainer));
    ground.host.scan().await.unwrap_err();
    assert!(ground.registry.is_over());
    assert_eq!(ground.record(&id).await.deleted_at, None);
    ground.write("x/a.txt", "first");
    assert_eq!(ground.get(&id).await.unwrap(), "first");
}

#[tokio::test]
async fn a_request_that_comes_in_the_moment_without_the_file_waits_for_it() {
    let ground = Ground::new().await;
    ground.write("a.txt", "first");
    let id = ground.id("a.txt").await;
    ground.lock(&id, "A").await.unwrap();
    ground.remove("a.txt");
    let other = ground.clone();
    // The first looks find nothing.
    ground.tree.at(Moment::Look, "a.txt", 4, move || async move {
        other.write("a.txt", "second");
        Ok(())
    });
    assert_eq!(ground.get(&id).await.unwrap(), "second");
    assert!(ground.tree.all_happened());
}

#[tokio::test]
async fn trouble_with_looking_is_never_told_as_not_found() {
    let ground = Ground::new().await;
    ground.write("a.txt", "first");
    let id = ground.id("a.txt").await;
    ground.remove("a.txt");
    ground.tree.at(Moment::Look, "a.txt", 2, || async { Err(TreeError::Unavailable("a test wants this".into())) });
    let refusal = ground.info(&id).await.unwrap_err();
    assert!(matches!(refusal.error, WopiError::Busy { .. }), "{refusal}");
}

#[tokio::test]
async fn a_file_whose_container_was_moved_is_found_by_the_first_request() {
    let ground = Ground::new().await;
    ground.write("x/p/a.txt", "first");
    ground.write("y/b.txt", "other");
    let id = ground.id("x/p/a.txt").await;
    let container = ground.container("x/p").await;
    ground.move_("x", "y/x");
    assert_eq!(ground.get(&id).await.unwrap(), "first");
    assert_eq!(ground.children(&container).await.unwrap().child_files.len(), 1);
    ground.passes(Duration::from_secs(60));
    ground.move_("y/x", "z");
    assert_eq!(ground.children(&container).await.unwrap().child_files.len(), 1);
}

#[tokio::test]
async fn a_folder_that_is_deeper_than_we_go_is_scanned_as_far_as_we_go() {
    let ground = Ground::new().await;
    let deep = vec!["d"; lectern_host::host::CONTAINER_DEPTH_MAX + 3].join("/");
    ground.write(&format!("{deep}/a.txt"), "too deep");
    ground.write("zz.txt", "first");
    let summary = ground.host.scan().await.unwrap();
    assert_eq!(summary.containers, lectern_host::host::CONTAINER_DEPTH_MAX);
    assert_eq!(ground.known().await, ["zz.txt"]);
}
