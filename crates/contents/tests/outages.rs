//! A disk that fills up, and one that becomes read-only, on a small file system of the test's own.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use lectern_conformance::contents::{bytes, content, fresh_id, ids, in_frames, put};
use lectern_conformance::tree::{Ground, path};
use lectern_contents::Folder;
use lectern_host::ports::{Contents as _, ContentsError, Tree as _, TreeError};
use tempfile::TempDir;

/// A file system in memory, unmounted when dropped.
struct SmallDisk {
    at: TempDir,
}

impl SmallDisk {
    /// `None`, after having said so, where this user may not mount; in CI that is a failure.
    fn mount(size: &str) -> Option<Self> {
        let at = tempfile::tempdir().unwrap();
        if !run("mount", &["-t", "tmpfs", "-o", size, "lectern-test"], Some(at.path())) {
            eprintln!("not run: this user may not mount a file system");
            assert!(std::env::var_os("CI").is_none(), "CI must run this test");
            return None;
        }
        Some(Self { at })
    }

    fn remount(&self, how: &str) {
        assert!(run("mount", &["-o", &format!("remount,{how}")], Some(self.at.path())));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        run("umount", &["-l"], Some(self.at.path()));
    }
}

fn run(program: &str, arguments: &[&str], place: Option<&Path>) -> bool {
    Command::new(program).args(arguments).args(place).output().is_ok_and(|output| output.status.success())
}

fn serve(root: PathBuf) -> (Folder, Ground) {
    let folder = Folder::open(&root, &root.join(Folder::STATE_NAME)).unwrap();
    let ground = Ground { tree: Arc::new(folder.clone()), contents: Arc::new(folder.clone()), root };
    (folder, ground)
}

#[tokio::test]
async fn a_full_disk_refuses_the_save_and_nothing_else_is_lost() {
    let Some(disk) = SmallDisk::mount("size=2m") else { return };
    let (folder, ground) = serve(disk.at.path().to_owned());
    ground.write("a.txt", "old");
    let before = ground.fingerprint("a.txt");
    let small = fresh_id();
    put(&folder, &small, "small").await;
    for frame in [1000, 500_000, 3_000_000] {
        let id = fresh_id();
        let refused = folder.put(&id, in_frames(&bytes(3_000_000, 1), frame), 1 << 30).await;
        assert!(matches!(refused, Err(ContentsError::Full(_))), "{refused:?}");
        assert_eq!(content(&folder, &id).await, None);
        assert_eq!(ids(&folder).await, [small]);
    }
    // What was refused takes no room: the next save fits.
    let data = bytes(1_500_000, 2);
    let id = fresh_id();
    let staged = put(&folder, &id, data.clone()).await.staged.unwrap();
    let version = fresh_id();
    let replaced = folder.publish(&path("a.txt"), &id, &staged, Some(&version)).await.unwrap();
    assert_eq!(replaced, Some(before));
    assert_eq!(ground.on_disk("a.txt"), Some(data.to_vec()));
    assert_eq!(content(&folder, &version).await.as_deref(), Some(&b"old"[..]));
}

#[tokio::test]
async fn a_disk_without_room_for_another_file_refuses_containers_and_saves() {
    let Some(disk) = SmallDisk::mount("size=2m,nr_inodes=24") else { return };
    let (folder, _ground) = serve(disk.at.path().to_owned());
    let mut refused = None;
    for n in 0..24 {
        match folder.create_container(&path(&format!("x{n}"))).await {
            Ok(_) => {}
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
    }
    assert!(matches!(refused, Some(TreeError::Full(_))), "{refused:?}");
    let refused = folder.put(&fresh_id(), in_frames(&bytes(1, 1), 1), 9).await;
    assert!(matches!(refused, Err(ContentsError::Full(_))), "{refused:?}");
    folder.remove_container(&path("x0")).await.unwrap();
    put(&folder, &fresh_id(), "abc").await;
}

#[tokio::test]
async fn a_folder_that_becomes_read_only_still_serves_and_says_what_is_wrong() {
    let Some(disk) = SmallDisk::mount("size=2m") else { return };
    let (folder, ground) = serve(disk.at.path().to_owned());
    ground.write("a.txt", "abc");
    let seen = ground.fingerprint("a.txt");
    let (id, staged) = ground.stage("new").await;
    disk.remount("ro");

    assert_eq!(ground.fingerprint("a.txt"), seen);
    assert_eq!(ground.read("a.txt", &seen).await.as_deref(), Some(&b"abc"[..]));
    assert_eq!(content(&folder, &id).await.as_deref(), Some(&b"new"[..]));
    assert_eq!(folder.list(&path("")).await.unwrap().len(), 1);
    let says = |error: &dyn std::error::Error| {
        let cause = error.source().expect("there is a cause").to_string();
        assert!(cause.contains("is not writable") && cause.contains(disk.at.path().to_str().unwrap()), "{cause}");
    };
    let refused = folder.put(&fresh_id(), in_frames(&bytes(9, 1), 9), 9).await.unwrap_err();
    assert!(matches!(refused, ContentsError::Failed(_)));
    says(&refused);
    for refused in [
        folder.publish(&path("a.txt"), &id, &staged, Some(&fresh_id())).await.unwrap_err(),
        folder.publish(&path("b.txt"), &id, &staged, None).await.unwrap_err(),
        folder.rename(&path("a.txt"), &path("b.txt"), &seen).await.unwrap_err(),
        folder.bin(&path("a.txt"), &seen, &fresh_id()).await.unwrap_err(),
        folder.create_container(&path("x")).await.unwrap_err(),
    ] {
        assert!(matches!(refused, TreeError::Failed(_)), "{refused:?}");
        says(&refused);
    }

    disk.remount("rw");
    folder.publish(&path("a.txt"), &id, &staged, Some(&fresh_id())).await.unwrap();
    assert_eq!(ground.on_disk("a.txt").as_deref(), Some(&b"new"[..]));
}

#[tokio::test]
async fn a_container_on_another_file_system_is_read_and_says_why_it_cannot_be_written() {
    let Some(disk) = SmallDisk::mount("size=2m") else { return };
    let (folder, ground) = serve(disk.at.path().to_owned());
    std::fs::create_dir(ground.root.join("x")).unwrap();
    if !run("mount", &["-t", "tmpfs", "-o", "size=1m", "lectern-test"], Some(&ground.root.join("x"))) {
        panic!("the first could be mounted");
    }
    ground.write("x/a.txt", "abc");
    let seen = ground.fingerprint("x/a.txt");
    assert_eq!(ground.read("x/a.txt", &seen).await.as_deref(), Some(&b"abc"[..]));
    let (id, staged) = ground.stage("new").await;
    let refused = folder.publish(&path("x/a.txt"), &id, &staged, Some(&fresh_id())).await.unwrap_err();
    let cause = std::error::Error::source(&refused).map(ToString::to_string).unwrap_or_default();
    assert!(cause.contains("another file system"), "{refused:?}");
    assert_eq!(content(&folder, &id).await.as_deref(), Some(&b"new"[..]));
    assert_eq!(ground.on_disk("x/a.txt").as_deref(), Some(&b"abc"[..]));
    run("umount", &["-l"], Some(&ground.root.join("x")));
}
