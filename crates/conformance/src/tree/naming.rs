//! Files and containers get other names, and go.

#![allow(clippy::expect_used, reason = "a broken promise is a panic here")]

use std::fs;

use lectern_host::ports::{TreeError, TreePath};

use super::{Ground, path};
use crate::contents::{content, fresh_id, ids, read};

/// `rename` gives a file another path, never over something else; nothing changed then.
pub async fn rename_never_goes_over_something_else(ground: &Ground) {
    ground.write("a.txt", "a");
    ground.write("b.txt", "b");
    fs::create_dir_all(ground.root.join("x/y")).expect("another program can make directories");
    let (a, b) = (ground.fingerprint("a.txt"), ground.fingerprint("b.txt"));
    let rename = async |from: &str, to: &str, seen| ground.tree.rename(&path(from), &path(to), seen).await;
    for taken in ["b.txt", "x"] {
        assert!(matches!(rename("a.txt", taken, &a).await, Err(TreeError::NameTaken)), "{taken}");
    }
    for (from, to, seen) in
        [("none", "c.txt", &a), ("a.txt", "none/c.txt", &a), ("a.txt", "c.txt", &b), ("none/c", "d", &a)]
    {
        let refused = rename(from, to, seen).await;
        assert!(matches!(refused, Err(TreeError::NotFound)), "{from} {to}: {refused:?}");
    }
    assert_eq!((ground.fingerprint("a.txt"), ground.fingerprint("b.txt")), (a, b));
    rename("a.txt", "x/y/c.txt", &a).await.expect("it can be renamed");
    assert_eq!(ground.look("a.txt"), None);
    assert_eq!(ground.fingerprint("x/y/c.txt"), a);
    ground.tree.settle(&[TreePath::root(), path("x/y")]).await.expect("it can be made durable");
    // Written to meanwhile by another program: it is still that file.
    ground.write("b.txt", "changed");
    rename("b.txt", "B.txt", &b).await.expect("it can be renamed");
    assert_eq!(ground.on_disk("B.txt").as_deref(), Some(&b"changed"[..]));
}

/// `rename` may be called again.
pub async fn rename_again_changes_nothing(ground: &Ground) {
    ground.write("a.txt", "a");
    let seen = ground.fingerprint("a.txt");
    for _ in 0..3 {
        ground.tree.rename(&path("a.txt"), &path("b.txt"), &seen).await.expect("it can be renamed");
        assert_eq!((ground.look("a.txt"), ground.fingerprint("b.txt")), (None, seen));
    }
    ground.write("a.txt", "another");
    ground.tree.rename(&path("a.txt"), &path("b.txt"), &seen).await.expect("it was renamed");
    assert_eq!(ground.on_disk("a.txt").as_deref(), Some(&b"another"[..]));
    ground.tree.rename(&path("b.txt"), &path("b.txt"), &seen).await.expect("to its own name");
    assert_eq!(ground.fingerprint("b.txt"), seen);
}

/// `bin` takes the file out of the tree and keeps it as a content. Nothing there is success.
pub async fn bin_keeps_the_bytes(ground: &Ground) {
    ground.write("a.txt", "abc");
    let (seen, id) = (ground.fingerprint("a.txt"), fresh_id());
    let body = ground.tree.open(&path("a.txt"), &seen, 0..u64::MAX).await.expect("no trouble").expect("it is it");
    for _ in 0..3 {
        ground.tree.bin(&path("a.txt"), &seen, &id).await.expect("it can be binned");
        assert_eq!(ground.on_disk("a.txt"), None);
        assert_eq!(content(&*ground.contents, &id).await.as_deref(), Some(&b"abc"[..]));
        assert_eq!(ids(&*ground.contents).await, [id]);
    }
    assert_eq!(&read(body).await[..], b"abc");
    ground.tree.bin(&path("none/a.txt"), &seen, &fresh_id()).await.expect("nothing there is success");
    ground.tree.settle(&[TreePath::root()]).await.expect("it can be made durable");
}

/// What stands under the name of a deleted file, and is another one, is not taken away.
pub async fn bin_leaves_another_file_alone(ground: &Ground) {
    ground.write("a.txt", "first");
    let (seen, id) = (ground.fingerprint("a.txt"), fresh_id());
    ground.write("b.txt", "second");
    fs::rename(ground.root.join("b.txt"), ground.root.join("a.txt")).expect("another program can rename");
    ground.tree.bin(&path("a.txt"), &seen, &id).await.expect("nothing there is success");
    assert_eq!(ground.on_disk("a.txt").as_deref(), Some(&b"second"[..]));
    assert_eq!(content(&*ground.contents, &id).await, None);
}

/// Containers are made, renamed and removed; never over something else.
pub async fn containers_come_and_go(ground: &Ground) {
    let made = ground.tree.create_container(&path("x")).await.expect("it can be made");
    assert_eq!(ground.look("x"), Some(made.clone()));
    assert!(made.container && made.name.as_str() == "x");
    ground.write("a.txt", "abc");
    for taken in ["x", "a.txt"] {
        assert!(matches!(ground.tree.create_container(&path(taken)).await, Err(TreeError::NameTaken)), "{taken}");
    }
    for nowhere in ["none/y", "a.txt/y"] {
        let refused = ground.tree.create_container(&path(nowhere)).await;
        assert!(matches!(refused, Err(TreeError::NotFound)), "{nowhere}: {refused:?}");
    }
    ground.tree.create_container(&path("x/y")).await.expect("it can be made");
    ground.write("x/y/b.txt", "b");
    for (from, to, taken) in [("x", "a.txt", true), ("x/y", "x", true), ("none", "z", false), ("a.txt", "z", false)] {
        let refused = ground.tree.rename_container(&path(from), &path(to)).await;
        let expected = if taken {
            matches!(refused, Err(TreeError::NameTaken))
        } else {
            matches!(refused, Err(TreeError::NotFound))
        };
        assert!(expected, "{from} {to}: {refused:?}");
    }
    ground.tree.rename_container(&path("x"), &path("z")).await.expect("it can be renamed");
    assert_eq!(ground.look("x"), None);
    assert_eq!(ground.fingerprint("z"), made.fingerprint);
    assert_eq!(ground.on_disk("z/y/b.txt").as_deref(), Some(&b"b"[..]));
    ground.tree.create_container(&path("empty")).await.expect("it can be made");
    let refused = ground.tree.rename_container(&path("z"), &path("empty")).await;
    assert!(matches!(refused, Err(TreeError::NameTaken)), "not over an empty one either: {refused:?}");
    ground.tree.remove_container(&path("empty")).await.expect("it can be removed");
    assert_eq!(ground.look("empty"), None);
    for none in ["empty", "a.txt"] {
        assert!(matches!(ground.tree.remove_container(&path(none)).await, Err(TreeError::NotFound)), "{none}");
    }
}

/// `NotEmpty`, also if all that is left in a container is not offered to clients.
pub async fn a_container_with_anything_in_it_stays(ground: &Ground) {
    for inside in ["a.txt", ".hidden"] {
        ground.tree.create_container(&path("x")).await.expect("it can be made");
        ground.write(&format!("x/{inside}"), "abc");
        let refused = ground.tree.remove_container(&path("x")).await;
        assert!(matches!(refused, Err(TreeError::NotEmpty)), "{inside}: {refused:?}");
        assert_eq!(ground.on_disk(&format!("x/{inside}")).as_deref(), Some(&b"abc"[..]));
        fs::remove_dir_all(ground.root.join("x")).expect("another program can delete");
    }
    let refused = ground.tree.remove_container(&TreePath::root()).await;
    assert!(refused.is_err(), "the root stays");
}
