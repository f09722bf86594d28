//! What is asked for a name is there, or refused, with a name that would do.

use std::time::Duration;

use wopi::{FileName, WopiError};

use crate::ground::Ground;
use crate::moments::Moment;

#[tokio::test]
async fn a_suggested_name_that_no_folder_offers_becomes_one_that_it_does() {
    let ground = Ground::new().await;
    ground.write("a.txt", "first");
    let id = ground.id("a.txt").await;
    for name in ["~WRL0001.tmp", "1A2B3C4D.tmp", "ppt1A2.tmp", "lu1234ab.tmp", "Thumbs.db", "ehthumbs.db", ".x", "~$y"]
    {
        let made = ground.put_suggested(&id, name, "new").await.unwrap();
        assert_eq!(ground.on_disk(&made).as_deref(), Some("new"), "{name}");
        assert_eq!(ground.get(&ground.id(&made).await).await.unwrap(), "new", "{name}");
    }
}

#[tokio::test]
async fn every_name_that_a_client_may_choose_is_one_that_the_folder_takes() {
    let ground = Ground::new().await;
    ground.write("a.txt", "first");
    let id = ground.id("a.txt").await;
    for name in ["~x.tmp", "12345678.tmp", "pptff.tmp", "luabcdef.tmp", "ehThumbs.db", "desktop.ini", "notes.tmp"] {
        let legal = lectern_host::naming::legal(&FileName::parse(name).unwrap()).is_ok();
        match ground.put_exactly(&id, name, false, "new").await {
            Ok(made) => assert!(legal && made == name, "{name}"),
            Err(refusal) => {
                let WopiError::IllegalName { valid: Some(valid), .. } = &refusal.error else { panic!("{refusal}") };
                assert!(!legal, "{name}: {refusal}");
                assert_eq!(ground.put_exactly(&id, valid, false, "new").await.unwrap(), *valid);
            }
        }
    }
}

#[tokio::test]
async fn a_name_that_a_link_has_is_refused_with_another_one() {
    let ground = Ground::new().await;
    ground.write("a.txt", "first");
    let id = ground.id("a.txt").await;
    std::os::unix::fs::symlink("a.txt", ground.root.join("link.txt")).unwrap();
    let refusal = ground.put_exactly(&id, "link.txt", false, "new").await.unwrap_err();
    assert_eq!(refusal.error, WopiError::NameTaken { valid: Some("link (2).txt".to_owned()) });
    assert_eq!(ground.put_suggested(&id, "link.txt", "new").await.unwrap(), "link (2).txt");
    assert_eq!(ground.rename(&id, "link").await.unwrap(), "link (3)");
    assert_eq!(ground.on_disk("link (3).txt").as_deref(), Some("first"));
}

#[tokio::test]
async fn a_name_that_an_unknown_file_takes_at_the_last_moment_is_not_overwritten() {
    let ground = Ground::new().await;
    ground.write("a.txt", "first");
    let id = ground.id("a.txt").await;
    let other = ground.clone();
    ground.tree.meanwhile(Moment::Publish, "b.txt", move || other.write("b.txt", "another program's"));
    assert_eq!(ground.put_suggested(&id, "b.txt", "new").await.unwrap(), "b (2).txt");
    let other = ground.clone();
    ground.tree.meanwhile(Moment::Publish, "c.txt", move || other.write("c.txt", "another program's"));
    let refusal = ground.put_exactly(&id, "c.txt", false, "new").await.unwrap_err();
    assert_eq!(refusal.error, WopiError::NameTaken { valid: Some("c (2).txt".to_owned()) });
    let other = ground.clone();
    ground.tree.meanwhile(Moment::Rename, "a.txt", move || other.write("d.txt", "another program's"));
    assert_eq!(ground.rename(&id, "d").await.unwrap(), "d (2)");
    for name in ["b.txt", "c.txt", "d.txt"] {
        assert_eq!(ground.on_disk(name).as_deref(), Some("another program's"));
    }
    let other = ground.clone();
    ground.tree.meanwhile(Moment::Publish, "e.txt", move || other.write("e.txt", "another program's"));
    assert_eq!(ground.put_exactly(&id, "e.txt", true, "new").await.unwrap(), "e.txt");
    assert_eq!(ground.old_bytes(&ground.id("e.txt").await).await, ["another program's"]);
}

#[tokio::test]
async fn overwriting_a_file_that_another_program_just_removed_puts_it_back() {
    let ground = Ground::new().await;
    ground.write("a.txt", "first");
    ground.write("b.txt", "old");
    let (id, target) = (ground.id("a.txt").await, ground.id("b.txt").await);
    ground.remove("b.txt");
    assert_eq!(ground.put_exactly(&id, "b.txt", true, "new").await.unwrap(), "b.txt");
    assert_eq!(ground.get(&target).await.unwrap(), "new");
    ground.lock(&target, "A").await.unwrap();
    ground.remove("b.txt");
    let refusal = ground.put_exactly(&id, "b.txt", true, "newer").await.unwrap_err();
    assert!(matches!(refusal.error, WopiError::LockMismatch { current: Some(lock), .. } if lock.as_str() == "A"));
}

#[tokio::test]
async fn a_container_that_others_emptied_is_deleted_at_once() {
    let ground = Ground::new().await;
    ground.write("x/a.txt", "first");
    ground.write("x/p/b.txt", "first");
    let (id, container) = (ground.id("x/a.txt").await, ground.container("x").await);
    ground.id("x/p/b.txt").await;
    let refusal = ground.delete_container(&container).await.unwrap_err();
    assert_eq!(refusal.error, WopiError::NotEmpty);
    ground.remove("x/a.txt");
    std::fs::remove_dir_all(ground.root.join("x/p")).unwrap();
    ground.passes(Duration::from_secs(60));
    ground.delete_container(&container).await.unwrap();
    assert!(!ground.root.join("x").exists());
    assert_eq!(ground.delete_container(&container).await.unwrap_err().error, WopiError::NotFound);
    assert_eq!(ground.info(&id).await.unwrap_err().error, WopiError::NotFound);
}

#[tokio::test]
async fn a_container_with_a_file_that_an_editor_holds_is_not_deleted_though_the_file_is_away() {
    let ground = Ground::new().await;
    ground.write("x/a.txt", "first");
    let (id, container) = (ground.id("x/a.txt").await, ground.container("x").await);
    ground.lock(&id, "A").await.unwrap();
    ground.remove("x/a.txt");
    assert_eq!(ground.delete_container(&container).await.unwrap_err().error, WopiError::NotEmpty);
    ground.put(&id, Some("A"), "second").await.unwrap();
    assert_eq!(ground.on_disk("x/a.txt").as_deref(), Some("second"));
}
