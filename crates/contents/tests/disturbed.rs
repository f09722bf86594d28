//! A folder in the hands of other programs, and of clients that go away.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_lc_rs::digest;
use futures_util::StreamExt as _;
use http_body_util::{BodyExt as _, StreamBody};
use lectern_conformance::contents::{bytes, content, fresh_id, ids, in_frames, read};
use lectern_conformance::tree::{Ground, path};
use lectern_contents::Folder;
use lectern_host::ports::{Contents as _, Tree as _, TreeError, TreePath};
use tempfile::TempDir;

fn scratch() -> (TempDir, Folder, Ground) {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("root");
    fs::create_dir(&root).unwrap();
    let folder = Folder::open(&root, &root.join(Folder::STATE_NAME)).unwrap();
    let ground = Ground { tree: Arc::new(folder.clone()), contents: Arc::new(folder.clone()), root };
    (scratch, folder, ground)
}

#[tokio::test]
async fn a_file_that_is_cut_while_it_is_read_is_an_error_and_never_padded() {
    let (_scratch, _folder, ground) = scratch();
    ground.write("a.bin", bytes(2_000_000, 1));
    let seen = ground.fingerprint("a.bin");
    let mut body = ground.tree.open(&path("a.bin"), &seen, 0..u64::MAX).await.unwrap().unwrap();
    let mut length = body.frame().await.unwrap().unwrap().into_data().unwrap().len();
    fs::File::options().write(true).open(ground.root.join("a.bin")).unwrap().set_len(1_000_000).unwrap();
    let error = loop {
        match body.frame().await.expect("it does not end as if it were whole") {
            Ok(frame) => length += frame.into_data().unwrap().len(),
            Err(error) => break error,
        }
    };
    assert_eq!(length, 1_000_000);
    assert!(error.to_string().contains("1000000 of 2000000"), "{error}");
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn a_file_that_is_written_to_while_it_is_read_does_not_end_as_if_it_were_whole() {
    let (_scratch, _folder, ground) = scratch();
    ground.write("a.bin", bytes(2_000_000, 1));
    let seen = ground.fingerprint("a.bin");
    let mut body = ground.tree.open(&path("a.bin"), &seen, 0..u64::MAX).await.unwrap().unwrap();
    let _first = body.frame().await.unwrap().unwrap();
    ground.write("a.bin", bytes(2_000_000, 2));
    let error = body.collect().await.unwrap_err();
    assert!(error.to_string().contains("changed the file"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_is_swapped_in_at_any_moment_leads_nowhere() {
    const ROUNDS: u32 = 300;
    let (scratch, folder, ground) = scratch();
    let outside = scratch.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("a.txt"), "secret").unwrap();
    fs::create_dir(ground.root.join("x")).unwrap();
    ground.write("x/a.txt", "inside");
    let inside = ground.fingerprint("x/a.txt");
    symlink(&outside, ground.root.join(".link")).unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let swapper = std::thread::spawn({
        let (root, done) = (ground.root.clone(), Arc::clone(&done));
        move || {
            let root = fs::File::open(root).unwrap();
            let mut swaps = 0_u32;
            // An even number of times, so that the directory is back in its place.
            while !(done.load(Ordering::Acquire) && swaps.is_multiple_of(2)) && swaps < 100_000_000 {
                rustix::fs::renameat_with(&root, "x", &root, ".link", rustix::fs::RenameFlags::EXCHANGE).unwrap();
                swaps += 1;
            }
            swaps
        }
    });
    let (mut found, mut nowhere) = (0, 0);
    for round in 0..ROUNDS {
        let text = format!("x/new {round}.txt");
        let (id, staged) = ground.stage("new").await;
        match folder.publish(&path(&text), &id, &staged, None).await {
            Ok(None) => found += 1,
            Err(TreeError::NotFound) => nowhere += 1,
            other => panic!("{other:?}"),
        }
        if let Some(entry) = folder.look(&path("x/a.txt")).unwrap() {
            assert_eq!(entry.fingerprint, inside);
        }
        if let Some(body) = ground.tree.open(&path("x/a.txt"), &inside, 0..9).await.unwrap() {
            assert_eq!(&read(body).await[..], b"inside");
        }
        match folder.list(&path("x")).await {
            Ok(_) | Err(TreeError::NotFound) => {}
            other => panic!("{other:?}"),
        }
        assert_ne!(folder.look(&path("x")).unwrap().map(|entry| entry.container), Some(false));
    }
    done.store(true, Ordering::Release);
    assert!(swapper.join().unwrap() > 0);
    assert!(found > 0 && nowhere > 0, "both sides of the race were seen: {found}, {nowhere}");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert_eq!(fs::read(outside.join("a.txt")).unwrap(), b"secret");
    assert_eq!(fs::read_dir(ground.root.join("x")).unwrap().count(), found + 1);
}

/// The one blocking thread works in order: what was begun before this call is over when it returns.
async fn blocking_work_is_done() {
    tokio::task::spawn_blocking(|| ()).await.unwrap();
}

#[test]
fn a_put_that_is_dropped_at_any_moment_leaves_nothing_or_was_done() {
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let (_scratch, folder, ground) = scratch();
        let data = bytes(900_000, 3);
        let (mut dropped, mut done) = (0, 0);
        for steps in 0..400_u32 {
            let id = fresh_id();
            let putting = tokio::spawn({
                let (folder, body) = (folder.clone(), in_frames(&data, 100_000));
                async move { folder.put(&id, body, 1 << 20).await.map(|_| ()) }
            });
            for _ in 0..steps % 40 {
                tokio::task::yield_now().await;
                if steps % 3 == 0 {
                    blocking_work_is_done().await;
                }
            }
            putting.abort();
            match putting.await {
                Ok(put) => {
                    put.unwrap();
                    assert_eq!(content(&folder, &id).await.as_ref(), Some(&data));
                    folder.remove(&id).await.unwrap();
                    done += 1;
                }
                Err(aborted) => {
                    assert!(aborted.is_cancelled());
                    dropped += 1;
                }
            }
            blocking_work_is_done().await;
            assert_eq!(ids(&folder).await, [], "after {steps} steps");
            let incoming = ground.root.join(".lectern/contents/incoming");
            assert_eq!(fs::read_dir(incoming).unwrap().count(), 0, "after {steps} steps");
        }
        assert!(dropped > 0 && done > 0, "both ends were seen: {dropped}, {done}");
    });
}

/// A thread that writes ends whenever nothing waits, and the next one begins with what waits by then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pieces_stay_in_order_at_whatever_pace_they_come() {
    let (_scratch, folder, _) = scratch();
    let data = bytes(1_500_000, 7);
    for round in 0..60_usize {
        let frames: Vec<_> = (0..15).map(|n| (n, data.slice(n * 100_000..(n + 1) * 100_000))).collect();
        let paced = futures_util::stream::iter(frames).then(move |(n, frame)| async move {
            match (n * 7 + round) % 5 {
                0 => tokio::time::sleep(Duration::from_micros(1500)).await,
                1 => tokio::task::yield_now().await,
                _ => {}
            }
            Ok(http_body::Frame::data(frame))
        });
        let id = fresh_id();
        let stored = folder.put(&id, StreamBody::new(paced).boxed_unsync(), 2 << 20).await.unwrap();
        assert_eq!(stored.size, 1_500_000);
        let differs = content(&folder, &id).await.unwrap().iter().zip(&data).position(|(one, other)| one != other);
        assert_eq!(differs, None, "round {round}");
        assert_eq!(stored.sha256.as_slice(), digest::digest(&digest::SHA256, &data).as_ref());
        folder.remove(&id).await.unwrap();
    }
}

#[tokio::test]
async fn attributes_of_a_file_survive_a_save() {
    use rustix::fs::{XattrFlags, getxattr, setxattr};
    let (_scratch, _folder, ground) = scratch();
    ground.write("a.txt", "old");
    let file = ground.root.join("a.txt");
    if let Err(error) = setxattr(&file, "user.xdg.tags", b"important", XattrFlags::empty()) {
        assert_eq!(error, rustix::io::Errno::OPNOTSUPP, "only for want of support");
        eprintln!("not run: the file system of {} has no attributes", file.display());
        assert!(std::env::var_os("CI").is_none(), "CI must run this test");
        return;
    }
    ground.publish("a.txt", "new", Some(&fresh_id())).await;
    let mut value = [0; 64];
    let length = getxattr(&file, "user.xdg.tags", &mut value).unwrap();
    assert_eq!(&value[..length], b"important");
}

/// Longest that the kernel may take to tell us of a change. Only a test that fails waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn changes_of_other_programs_are_hinted_and_our_own_are_not() {
    let (_scratch, folder, ground) = scratch();
    for name in ["ours", "theirs", ".hidden"] {
        fs::create_dir(ground.root.join(name)).unwrap();
    }
    let mut hints = folder.hints().unwrap();
    // Watching begins on another thread: knock until it answers.
    let mut knocks = 0;
    loop {
        ground.write("theirs/knock.txt", knocks.to_string());
        match tokio::time::timeout(Duration::from_millis(200), hints.recv()).await {
            Ok(hint) => break assert_eq!(hint, Some(path("theirs"))),
            Err(_) if knocks < 150 => knocks += 1,
            Err(_) => panic!("nothing was heard"),
        }
    }
    // Until it is quiet.
    while tokio::time::timeout(Duration::from_millis(300), hints.recv()).await.is_ok() {}

    let seen = ground.publish("ours/a.txt", "abc", None).await;
    ground.publish("ours/a.txt", "def", Some(&fresh_id())).await;
    ground.publish("ours/b.txt", "abc", None).await;
    let b = ground.fingerprint("ours/b.txt");
    folder.rename(&path("ours/b.txt"), &path("ours/c.txt"), &b).await.unwrap();
    folder.bin(&path("ours/c.txt"), &b, &fresh_id()).await.unwrap();
    assert_ne!(ground.fingerprint("ours/a.txt"), seen);
    ground.write(".hidden/a.txt", "abc");
    ground.write(".lectern/x", "abc");
    ground.write("theirs/~$a.docx", "abc");
    ground.write("theirs/new.txt", "abc");
    let next = async |hints: &mut tokio::sync::mpsc::Receiver<TreePath>| {
        tokio::time::timeout(PATIENCE, hints.recv()).await.expect("there is a hint").expect("the channel is open")
    };
    // Had any of ours been hinted, it would have come before.
    assert_eq!(next(&mut hints).await, path("theirs"));

    // A container that comes is watched too, under the name that it has then.
    fs::create_dir(ground.root.join("theirs/deep")).unwrap();
    let mut heard = false;
    for knock in 0..150 {
        ground.write("theirs/deep/a.txt", knock.to_string());
        while let Ok(Some(hint)) = tokio::time::timeout(Duration::from_millis(200), hints.recv()).await {
            heard |= hint == path("theirs/deep");
        }
        if heard {
            break;
        }
    }
    assert!(heard);
    fs::rename(ground.root.join("theirs/deep"), ground.root.join("theirs/moved")).unwrap();
    let mut heard = false;
    for knock in 0..150 {
        ground.write("theirs/moved/a.txt", knock.to_string());
        while let Ok(Some(hint)) = tokio::time::timeout(Duration::from_millis(200), hints.recv()).await {
            heard |= hint == path("theirs/moved");
        }
        if heard {
            break;
        }
    }
    assert!(heard);
}

#[tokio::test]
async fn a_flood_of_changes_becomes_the_hint_that_anything_may_have_changed() {
    let (_scratch, folder, ground) = scratch();
    for n in 0..600 {
        fs::create_dir(ground.root.join(format!("{n}"))).unwrap();
    }
    let mut hints = folder.hints().unwrap();
    // Nobody takes them: at some point the channel is full.
    let mut rounds = 0;
    while hints.len() < hints.max_capacity() {
        assert!(rounds < 2000, "the channel never filled up");
        for n in 0..600 {
            ground.write(&format!("{n}/a.txt"), rounds.to_string());
        }
        rounds += 1;
    }
    ground.write("599/a.txt", "one too many");
    loop {
        let hint = tokio::time::timeout(PATIENCE, hints.recv()).await.expect("there is a hint");
        if hint == Some(TreePath::root()) {
            break;
        }
    }
}
