//! Contents become files.

#![allow(clippy::expect_used, reason = "a broken promise is a panic here")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lectern_host::ports::{TreeError, TreePath};

use super::{Ground, path};
use crate::contents::{content, fresh_id, ids, read};

/// `publish` puts the staged file under the path; from then on it is a file and no content.
pub async fn publish_makes_a_new_file(ground: &Ground) {
    fs::create_dir(ground.root.join("x")).expect("another program can make directories");
    for text in ["a.txt", "x/b.txt"] {
        let (id, staged) = ground.stage("abc").await;
        assert_eq!(ids(&*ground.contents).await, [id]);
        assert_eq!(ground.tree.publish(&path(text), &id, &staged, None).await.expect("it can be published"), None);
        assert_eq!(ground.fingerprint(text), staged);
        assert_eq!(ground.on_disk(text).as_deref(), Some(&b"abc"[..]));
        assert_eq!(ground.read(text, &staged).await.as_deref(), Some(&b"abc"[..]));
        assert_eq!(content(&*ground.contents, &id).await, None);
        assert_eq!(ids(&*ground.contents).await, []);
    }
    let (id, staged) = ground.stage("abc").await;
    let nowhere = ground.tree.publish(&path("none/c.txt"), &id, &staged, None).await;
    assert!(matches!(nowhere, Err(TreeError::NotFound)), "{nowhere:?}");
    assert_eq!(content(&*ground.contents, &id).await.as_deref(), Some(&b"abc"[..]));
    assert_eq!(ids(&*ground.contents).await, [id]);
}

/// Without `replaces`: `NameTaken` if something stands there already; nothing changed then.
pub async fn publish_without_replacing_never_replaces(ground: &Ground) {
    ground.write("a.txt", "theirs");
    fs::create_dir(ground.root.join("x")).expect("another program can make directories");
    let seen = ground.fingerprint("a.txt");
    for text in ["a.txt", "x"] {
        let (id, staged) = ground.stage("ours").await;
        let refused = ground.tree.publish(&path(text), &id, &staged, None).await;
        assert!(matches!(refused, Err(TreeError::NameTaken)), "{refused:?}");
        assert_eq!(content(&*ground.contents, &id).await.as_deref(), Some(&b"ours"[..]));
        ground.contents.remove(&id).await.expect("a content can be removed");
        assert_eq!(ids(&*ground.contents).await, []);
    }
    assert_eq!(ground.fingerprint("a.txt"), seen);
    // However many ask at once, one gets the name.
    let mut staged = Vec::new();
    for n in 0..16 {
        staged.push(ground.stage(n.to_string()).await);
    }
    let tasks: Vec<_> = staged
        .into_iter()
        .map(|(id, staged)| {
            let tree = Arc::clone(&ground.tree);
            tokio::spawn(async move { tree.publish(&path("new.txt"), &id, &staged, None).await })
        })
        .collect();
    let mut won = 0;
    for task in tasks {
        match task.await.expect("no task fails") {
            Ok(replaced) => {
                assert_eq!(replaced, None);
                won += 1;
            }
            Err(TreeError::NameTaken) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(won, 1);
    assert_eq!(ids(&*ground.contents).await.len(), 15);
}

/// With `replaces` the file that stood there is kept as that content, and how it looked is returned.
pub async fn publish_keeps_what_it_replaces(ground: &Ground) {
    ground.write("a.txt", "0");
    let mut before = ground.fingerprint("a.txt");
    let mut versions = Vec::new();
    for n in 1..5 {
        let (id, staged) = ground.stage(n.to_string()).await;
        let version = fresh_id();
        let replaced = ground.tree.publish(&path("a.txt"), &id, &staged, Some(&version)).await.expect("it works");
        assert_eq!(replaced, Some(before));
        assert_eq!(ground.fingerprint("a.txt"), staged);
        assert_eq!(ground.on_disk("a.txt"), Some(n.to_string().into_bytes()));
        assert_eq!(content(&*ground.contents, &id).await, None);
        before = staged;
        versions.push(version);
        for (n, version) in versions.iter().enumerate() {
            assert_eq!(content(&*ground.contents, version).await, Some(n.to_string().into()));
        }
        let mut seen = ids(&*ground.contents).await;
        seen.sort();
        assert_eq!(seen, versions);
    }
    ground.tree.settle(&[TreePath::root()]).await.expect("it can be made durable");
}

/// If that is not what the caller expected, another program had changed it: its bytes are kept all the same.
pub async fn publish_keeps_what_another_program_wrote(ground: &Ground) {
    ground.write("a.txt", "old");
    let before = ground.fingerprint("a.txt");
    let (id, staged) = ground.stage("ours").await;
    ground.write("b.txt", "theirs");
    fs::rename(ground.root.join("b.txt"), ground.root.join("a.txt")).expect("another program can rename");
    let theirs = ground.fingerprint("a.txt");
    let version = fresh_id();
    let replaced = ground.tree.publish(&path("a.txt"), &id, &staged, Some(&version)).await.expect("it works");
    assert_ne!(replaced, Some(before));
    assert_eq!(replaced, Some(theirs));
    assert_eq!(content(&*ground.contents, &version).await.as_deref(), Some(&b"theirs"[..]));
    assert_eq!(ground.on_disk("a.txt").as_deref(), Some(&b"ours"[..]));
    // A directory is not a file that could be kept as a content.
    fs::create_dir(ground.root.join("x")).expect("another program can make directories");
    let (id, staged) = ground.stage("ours").await;
    let refused = ground.tree.publish(&path("x"), &id, &staged, Some(&fresh_id())).await;
    assert!(matches!(refused, Err(TreeError::NameTaken)), "{refused:?}");
    assert_eq!(content(&*ground.contents, &id).await.as_deref(), Some(&b"ours"[..]));
}

/// If nothing stood there any more, it is simply put there and `None` returned.
pub async fn publish_over_nothing_just_puts_it_there(ground: &Ground) {
    let (id, staged) = ground.stage("abc").await;
    let version = fresh_id();
    let replaced = ground.tree.publish(&path("a.txt"), &id, &staged, Some(&version)).await.expect("it works");
    assert_eq!(replaced, None);
    assert_eq!(ground.fingerprint("a.txt"), staged);
    assert_eq!(ids(&*ground.contents).await, []);
}

/// Mode bits of the old file are kept; a new one is readable as the system's users have settled it.
pub async fn publish_keeps_the_mode_bits(ground: &Ground) {
    let mode = |name: &str| fs::metadata(ground.root.join(name)).expect("it is there").permissions().mode() & 0o7777;
    for bits in [0o640, 0o600, 0o664, 0o755, 0o444] {
        ground.write("a.txt", "old");
        fs::set_permissions(ground.root.join("a.txt"), fs::Permissions::from_mode(bits)).expect("modes can be set");
        ground.publish("a.txt", "new", Some(&fresh_id())).await;
        assert_eq!(mode("a.txt"), bits, "{bits:o}");
        fs::remove_file(ground.root.join("a.txt")).expect("another program can delete");
    }
    ground.write("theirs.txt", "x");
    ground.publish("ours.txt", "x", None).await;
    assert_eq!(mode("ours.txt"), mode("theirs.txt"));
}

/// `publish` may be called again, however far it had come, and ends in the same state.
pub async fn publish_again_changes_nothing(ground: &Ground) {
    ground.write("a.txt", "old");
    let before = ground.fingerprint("a.txt");
    let (id, staged) = ground.stage("new").await;
    let version = fresh_id();
    for _ in 0..3 {
        let replaced = ground.tree.publish(&path("a.txt"), &id, &staged, Some(&version)).await.expect("it works");
        assert_eq!(replaced, Some(before));
        assert_eq!(ground.fingerprint("a.txt"), staged);
        assert_eq!(content(&*ground.contents, &version).await.as_deref(), Some(&b"old"[..]));
        assert_eq!(ids(&*ground.contents).await, [version]);
    }
    // Published long ago, and changed by another program since: that stays, and so does the version.
    ground.write("b.txt", "theirs");
    fs::rename(ground.root.join("b.txt"), ground.root.join("a.txt")).expect("another program can rename");
    let theirs = ground.fingerprint("a.txt");
    let replaced = ground.tree.publish(&path("a.txt"), &id, &staged, Some(&version)).await.expect("it works");
    assert_eq!(replaced, Some(before));
    assert_eq!(ground.fingerprint("a.txt"), theirs);
    let (id, staged) = ground.stage("new").await;
    for _ in 0..3 {
        assert_eq!(ground.tree.publish(&path("c.txt"), &id, &staged, None).await.expect("it works"), None);
        assert_eq!(ground.fingerprint("c.txt"), staged);
    }
}

/// In one atomic step for every reader: each sees the old or the new bytes, whole, and never that nothing is there. A
/// reader that opened a file keeps reading the bytes it opened.
pub async fn readers_see_the_old_or_the_new_bytes(ground: &Ground) {
    const SAVES: u8 = 40;
    let whole = |n: u8| vec![n; 400_000];
    ground.write("a.bin", whole(0));
    let done = Arc::new(AtomicBool::new(false));
    // Another program, which opens by name.
    let reader = std::thread::spawn({
        let (file, done) = (ground.root.join("a.bin"), Arc::clone(&done));
        move || {
            let mut reads = 0;
            while !done.load(Ordering::Acquire) && reads < 1_000_000 {
                let read = fs::read(&file).expect("the name always has a file");
                assert_eq!(read.len(), 400_000);
                assert!(read.iter().all(|byte| *byte == read[0]), "old and new bytes in one read");
                reads += 1;
            }
            reads
        }
    });
    // And a client of ours, which reads slowly.
    let first = ground.fingerprint("a.bin");
    let slow = ground.tree.open(&path("a.bin"), &first, 0..u64::MAX).await.expect("no trouble").expect("it is it");
    let mut opened = 0;
    for n in 1..=SAVES {
        let (id, staged) = ground.stage(whole(n)).await;
        let version = fresh_id();
        ground.tree.publish(&path("a.bin"), &id, &staged, Some(&version)).await.expect("it works");
        let seen = ground.fingerprint("a.bin");
        if let Some(read) = ground.read("a.bin", &seen).await {
            assert_eq!(&read[..], whole(n));
            opened += 1;
        }
    }
    done.store(true, Ordering::Release);
    assert!(reader.join().expect("the other program is content") > 0);
    assert_eq!(opened, SAVES);
    assert_eq!(&read(slow).await[..], whole(0));
}

/// `settle` makes durable what was done in the containers, twice named and vanished ones too.
pub async fn settle_takes_what_is_there(ground: &Ground) {
    fs::create_dir(ground.root.join("x")).expect("another program can make directories");
    ground.publish("x/a.txt", "abc", None).await;
    let containers = [path("x"), path("x"), TreePath::root(), path("none"), path("none/at/all")];
    ground.tree.settle(&containers).await.expect("it can be made durable");
    ground.tree.settle(&[]).await.expect("nothing can be made durable");
}
