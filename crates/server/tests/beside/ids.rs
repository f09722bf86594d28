//! A file is the same file under whatever name and in whatever container other programs put it.

use crate::ground::Ground;
use crate::moments::Moment;

/// Another program does something to these files and containers; afterwards each id must be at the path told.
async fn stays_the_same(files: &[&str], act: impl Fn(&Ground), expected: &[(&str, &str)]) {
    for first_by_request in [false, true] {
        let ground = Ground::new().await;
        for path in files {
            ground.write(path, &format!("bytes of {path}"));
        }
        let mut ids = Vec::new();
        for (was, is) in expected {
            let id = ground.id(was).await;
            ground.info(&id).await.unwrap();
            ids.push((id, format!("bytes of {was}"), (*is).to_owned()));
        }
        act(&ground);
        if !first_by_request {
            ground.host.scan().await.unwrap();
        }
        for (id, bytes, path) in &ids {
            let case = format!("{path}, by a request: {first_by_request}");
            assert_eq!(ground.get(id).await.unwrap(), *bytes, "{case}");
            assert_eq!(ground.place(id).await, *path, "{case}");
            assert_eq!(ground.info(id).await.unwrap().version, "1", "{case}");
        }
        ground.scans_twice().await;
        for (id, _, path) in &ids {
            assert_eq!(ground.id(path).await, *id);
        }
    }
}

#[tokio::test]
async fn through_a_rename() {
    stays_the_same(&["a.txt"], |g| g.move_("a.txt", "b.txt"), &[("a.txt", "b.txt")]).await;
    stays_the_same(&["a.txt"], |g| g.move_("a.txt", "A.TXT"), &[("a.txt", "A.TXT")]).await;
}

#[tokio::test]
async fn through_a_rename_onto_a_name_that_was_given_up() {
    let act = |g: &Ground| {
        g.move_("b.txt", "c.txt");
        g.move_("a.txt", "b.txt");
    };
    stays_the_same(&["a.txt", "b.txt"], act, &[("a.txt", "b.txt"), ("b.txt", "c.txt")]).await;
}

#[tokio::test]
async fn through_a_swap_of_two_names() {
    stays_the_same(&["a.txt", "b.txt"], |g| g.swap("a.txt", "b.txt"), &[("a.txt", "b.txt"), ("b.txt", "a.txt")]).await;
}

#[tokio::test]
async fn through_a_round_of_three_names() {
    let act = |g: &Ground| {
        g.swap("a.txt", "b.txt");
        g.swap("a.txt", "c.txt");
    };
    let expected = [("a.txt", "b.txt"), ("b.txt", "c.txt"), ("c.txt", "a.txt")];
    stays_the_same(&["a.txt", "b.txt", "c.txt"], act, &expected).await;
}

#[tokio::test]
async fn through_a_move_up_or_down() {
    stays_the_same(&["a.txt", "x/b.txt"], |g| g.move_("a.txt", "x/a.txt"), &[("a.txt", "x/a.txt")]).await;
    stays_the_same(&["x/a.txt", "b.txt"], |g| g.move_("x/a.txt", "a.txt"), &[("x/a.txt", "a.txt")]).await;
}

#[tokio::test]
async fn through_a_rename_or_move_of_its_container() {
    stays_the_same(&["x/a.txt"], |g| g.move_("x", "y"), &[("x/a.txt", "y/a.txt")]).await;
    let files = ["x/p/a.txt", "y/b.txt"];
    stays_the_same(&files, |g| g.move_("x", "y/x"), &[("x/p/a.txt", "y/x/p/a.txt"), ("y/b.txt", "y/b.txt")]).await;
}

#[tokio::test]
async fn through_a_swap_of_two_containers_which_keep_their_ids_too() {
    let expected = [("x/a.txt", "y/a.txt"), ("y/b.txt", "x/b.txt")];
    stays_the_same(&["x/a.txt", "y/b.txt"], |g| g.swap("x", "y"), &expected).await;
    let ground = Ground::new().await;
    ground.write("x/a.txt", "a");
    ground.write("y/b.txt", "b");
    let (x, y) = (ground.container("x").await, ground.container("y").await);
    ground.swap("x", "y");
    ground.host.scan().await.unwrap();
    assert_eq!((ground.container("x").await, ground.container("y").await), (y, x));
}

#[tokio::test]
async fn a_container_that_was_renamed_keeps_its_id_though_its_old_name_was_taken_at_once() {
    let ground = Ground::new().await;
    ground.write("x/a.txt", "a");
    let x = ground.container("x").await;
    ground.move_("x", "y");
    ground.write("x/b.txt", "b");
    ground.host.scan().await.unwrap();
    assert_eq!(ground.container("y").await, x);
    assert_ne!(ground.container("x").await, x);
}

#[tokio::test]
async fn through_a_save_that_replaces_the_file_or_leaves_a_backup() {
    for (written_to, backup) in [
        (".new", None),
        (".new", Some("a.txt~")),
        (".new", Some("a.txt.bak")),
        (".new", Some("a.bak")),
        (".new", Some("a.txt.~1~")),
        (".new", Some("the old one.txt")),
        (".new", Some("x/a.txt")),
        // So slowly that a scan finds the new one beside it first.
        ("a.new", None),
        ("a.new", Some("a.txt~")),
    ] {
        let case = format!("{written_to} {backup:?}");
        let ground = Ground::new().await;
        ground.write("a.txt", "first");
        ground.write("x/b.txt", "other");
        let id = ground.id("a.txt").await;
        ground.write(written_to, "second");
        ground.host.scan().await.unwrap();
        if let Some(backup) = backup {
            ground.move_("a.txt", backup);
        }
        ground.move_(written_to, "a.txt");
        ground.scans_twice().await;
        assert_eq!(ground.place(&id).await, "a.txt", "{case}");
        assert_eq!(ground.get(&id).await.unwrap(), "second", "{case}");
        assert_eq!(ground.info(&id).await.unwrap().version, "2", "{case}");
        if let Some(backup) = backup {
            assert_eq!(ground.get(&ground.id(backup).await).await.unwrap(), "first", "{case}");
        }
    }
}

#[tokio::test]
async fn a_backup_whose_original_is_gone_is_a_rename() {
    stays_the_same(&["a.txt"], |g| g.move_("a.txt", "a.txt.bak"), &[("a.txt", "a.txt.bak")]).await;
}

#[tokio::test]
async fn a_hard_link_is_a_file_of_its_own_and_takes_no_id_away() {
    let ground = Ground::new().await;
    ground.write("a.txt", "first");
    ground.write("x/other.txt", "other");
    let id = ground.id("a.txt").await;
    for link in ["b.txt", "x/a.txt"] {
        std::fs::hard_link(ground.root.join("a.txt"), ground.root.join(link)).unwrap();
    }
    ground.host.scan().await.unwrap();
    let links = [ground.id("b.txt").await, ground.id("x/a.txt").await];
    assert_eq!(ground.id("a.txt").await, id);
    assert!(links[0] != links[1] && !links.contains(&id));
    ground.move_("a.txt", "c.txt");
    ground.host.scan().await.unwrap();
    assert_eq!(ground.id("c.txt").await, id);
    assert_eq!(ground.id("b.txt").await, links[0]);
}

#[tokio::test]
async fn a_listing_that_is_older_than_our_rename_neither_renames_back_nor_makes_a_second_record() {
    for settled in [false, true] {
        let ground = Ground::new().await;
        ground.write("a.txt", "first");
        let id = ground.id("a.txt").await;
        let (other, file) = (ground.clone(), id.clone());
        ground.tree.at(Moment::Listed, "", 0, move || async move {
            other.rename(&file, "b").await.unwrap();
            if settled {
                other.host.settle_all().await;
            }
            Ok(())
        });
        ground.host.scan().await.unwrap();
        assert_eq!(ground.known().await, ["b.txt"], "settled: {settled}");
        assert_eq!(ground.id("b.txt").await, id);
    }
}

#[tokio::test]
async fn a_rename_that_is_under_way_is_left_alone() {
    let ground = Ground::new().await;
    ground.write("a.txt", "first");
    let id = ground.id("a.txt").await;
    let other = ground.clone();
    ground.tree.at(Moment::Rename, "a.txt", 0, move || async move {
        other.host.scan().await.unwrap();
        Ok(())
    });
    assert_eq!(ground.rename(&id, "b").await.unwrap(), "b");
    assert_eq!(ground.known().await, ["b.txt"]);
    assert_eq!(ground.on_disk("b.txt").as_deref(), Some("first"));
}

#[tokio::test]
async fn a_listing_that_is_older_than_our_deletion_makes_no_file_of_it() {
    let ground = Ground::new().await;
    ground.write("a.txt", "first");
    let id = ground.id("a.txt").await;
    let other = ground.clone();
    ground.tree.at(Moment::Listed, "", 0, move || async move {
        other.delete(&id).await.unwrap();
        other.host.settle_all().await;
        Ok(())
    });
    ground.host.scan().await.unwrap();
    assert_eq!(ground.known().await, [] as [String; 0]);
}

#[tokio::test]
async fn a_file_that_was_just_saved_keeps_its_id_when_it_is_moved_before_its_note_is_cleared() {
    let ground = Ground::new().await;
    ground.write("a.txt", "first");
    ground.write("x/b.txt", "other");
    let id = ground.id("a.txt").await;
    ground.lock(&id, "A").await.unwrap();
    ground.put(&id, Some("A"), "second").await.unwrap();
    assert!(ground.record(&id).await.pending.is_some());
    ground.move_("a.txt", "x/a.txt");
    ground.host.scan().await.unwrap();
    ground.settles().await;
    assert_eq!(ground.get(&id).await.unwrap(), "second");
    assert_eq!(ground.place(&id).await, "x/a.txt");
    assert_eq!(ground.info(&id).await.unwrap().version, "2");
}

#[tokio::test]
async fn a_rename_that_another_program_made_impossible_goes_back_to_the_name_it_had() {
    let ground = Ground::new().await;
    ground.write("a.txt", "first");
    let id = ground.id("a.txt").await;
    let (reached, mut at_rename) = tokio::sync::mpsc::channel(1);
    ground.tree.at(Moment::Rename, "*", 0, move || async move {
        reached.send(()).await.unwrap();
        std::future::pending().await
    });
    tokio::select! {
        _ = ground.rename(&id, "b") => panic!("nobody renames it"),
        _ = at_rename.recv() => {}
    }
    ground.write(".new", "second");
    ground.move_(".new", "a.txt");
    let again = ground.starts_again().await;
    assert_eq!(again.get(&id).await.unwrap(), "second");
    assert_eq!(again.place(&id).await, "a.txt");
}
