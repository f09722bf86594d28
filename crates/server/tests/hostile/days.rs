//! Days on which the folder itself goes wrong: files vanish, nothing can be written, the disk is full.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::common::{self, Answer, Settings};
use super::{CONTENT, LOCK, Scene, assert_refused, reason};

/// Debian's user "nobody", who owns nothing.
const NOBODY: u32 = 65534;
/// Room on the small disk.
const DISK_BYTES: usize = 8 << 20;

#[test]
fn a_file_that_vanishes_is_not_found_and_another_one_may_take_its_place() {
    common::run(60, async {
        let mut scene = Scene::begin().await;
        let path = scene.folder().join("victim.wopitest");
        fs::remove_file(&path).unwrap();

        let mut client = scene.client().await;
        assert_eq!(client.check_file_info().await.unwrap().status, 404);
        assert_eq!(client.get_file().await.unwrap().status, 404);
        let saved = client.put_file(LOCK, b"the last edit".to_vec()).await.unwrap();
        match saved.status {
            // The people who edit it still have it; a host may bring it back.
            200 => assert_eq!(fs::read(&path).unwrap(), b"the last edit"),
            _ => {
                assert_eq!(saved.status, 404, "{saved:?}");
                let rescued = scene.lectern.settings().rescued();
                assert!(rescued.contains(&b"the last edit".to_vec()), "the last edit is lost");
            }
        }
        assert!(scene.lectern.goes_on().await);

        fs::write(&path, "another file of the same name").unwrap();
        let token = scene.lectern.settings().token("victim.wopitest");
        let mut client = common::Client::open(scene.lectern.address(), &token).await.unwrap();
        assert_eq!(client.content().await, b"another file of the same name");
        assert!(scene.lectern.goes_on().await);
    });
}

#[test]
fn a_file_that_another_program_changes_is_served_as_it_is_now() {
    common::run(60, async {
        let mut scene = Scene::begin().await;
        let mut client = scene.client().await;
        let before = client.check_file_info().await.unwrap().json();
        fs::write(scene.folder().join("victim.wopitest"), "written by another program").unwrap();
        let after = client.check_file_info().await.unwrap().json();
        assert_ne!(before["Version"], after["Version"], "the bytes changed");
        scene.holds(b"written by another program", "a change from outside").await;
    });
}

/// What a failure on a bad day may be: it is never the client's fault, and the client must not give up its session
/// (protocol/clients.md 1, row 16).
fn assert_failed(answer: &Answer, what: &str) {
    assert!(matches!(answer.status, 500 | 503), "{what}: expected 500 or 503, got {answer:?}");
    assert!(reason(answer).is_some() || answer.header("Retry-After").is_some(), "{what}: no reason in {answer:?}");
}

#[test]
fn a_folder_that_becomes_read_only_loses_nothing_and_recovers() {
    common::run(120, async {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("documents");
        fs::create_dir(&folder).unwrap();
        let mut settings = Settings::of(&folder);
        let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
        if is_root {
            // Nothing is read-only to root, so the program runs as somebody else, who can reach neither a folder nor a
            // program below a private one.
            fs::set_permissions(scratch.path(), Permissions::from_mode(0o755)).unwrap();
            let program = scratch.path().join("lectern");
            fs::copy(settings.program(), &program).unwrap();
            fs::write(folder.join("victim.wopitest"), "").unwrap();
            chown(folder.join("victim.wopitest"), Some(NOBODY), Some(NOBODY)).unwrap();
            chown(&folder, Some(NOBODY), Some(NOBODY)).unwrap();
            settings = settings.with_program(&program).run_by(NOBODY);
        }
        let mut scene = Scene::begin_with(scratch, settings).await;
        fs::set_permissions(&folder, Permissions::from_mode(0o555)).unwrap();

        let mut client = scene.client().await;
        let answer = client.put_file(LOCK, b"saved while read-only".to_vec()).await.unwrap();
        let holds: &[u8] = match answer.status {
            // Accepted means durable: it may wait for the folder in our own hidden one.
            200 => b"saved while read-only",
            _ => {
                assert_failed(&answer, "PutFile into a read-only folder");
                CONTENT
            }
        };
        assert!(client.content().await == holds, "GetFile while the folder is read-only");
        assert_eq!(client.check_file_info().await.unwrap().status, 200);
        assert_eq!(client.held().await, LOCK);
        let relative = scene.file.operation("PUT_RELATIVE").header("X-WOPI-SuggestedTarget", ".wopitest").body("new");
        let answer = scene.send(&relative).await;
        if answer.status != 200 {
            assert_failed(&answer, "PutRelativeFile into a read-only folder");
        }
        assert!(scene.lectern.goes_on().await);

        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        let answer = client.put_file(LOCK, b"saved afterwards".to_vec()).await.unwrap();
        assert_eq!(answer.status, 200, "the folder can be written again: {answer:?}");
        scene.holds(b"saved afterwards", "a read-only folder").await;
    });
}

#[test]
fn a_full_disk_refuses_saves_loses_nothing_and_recovers() {
    common::run(120, async {
        let scratch = tempfile::tempdir().unwrap();
        let disk = match SmallDisk::mount(&scratch.path().join("disk")) {
            Ok(disk) => disk,
            Err(why) => {
                assert!(!common::in_ci(), "a small disk is needed and cannot be mounted: {why}");
                println!("not run: a small disk cannot be mounted here: {why}");
                return;
            }
        };
        let folder = disk.0.join("documents");
        fs::create_dir(&folder).unwrap();
        let mut scene = Scene::begin_with(scratch, Settings::of(&folder)).await;

        let mut client = scene.client().await;
        let too_much = vec![b'x'; 2 * DISK_BYTES];
        let answer = client.put_file(LOCK, too_much).await.unwrap();
        assert_failed(&answer, "a save larger than the disk");
        scene.nothing_is_lost("a save larger than the disk").await;

        let mut client = scene.client().await;
        let answer = client.put_file(LOCK, b"a small save".to_vec()).await.unwrap();
        assert_eq!(answer.status, 200, "what the large save had taken is free again: {answer:?}");
        scene.holds(b"a small save", "a small save").await;

        let filler = disk.0.join("filler");
        fill(&filler);
        for n in 0..5 {
            let answer = client.put_file(LOCK, vec![b'0' + n; 100_000]).await.unwrap();
            assert_failed(&answer, "a save to a full disk");
        }
        let answer = client.refresh_lock(LOCK).await.unwrap();
        if answer.status != 200 {
            assert_failed(&answer, "RefreshLock on a full disk");
        }
        scene.holds(b"a small save", "saves to a full disk").await;

        fs::remove_file(&filler).unwrap();
        let answer = client.put_file(LOCK, b"room again".to_vec()).await.unwrap();
        assert_eq!(answer.status, 200, "there is room again: {answer:?}");
        scene.holds(b"room again", "a full disk").await;

        let wrong = client.put_file("another lock", b"refused".to_vec()).await.unwrap();
        assert_refused(&wrong, &[409], "a save with another lock");
        assert!(scene.lectern.settings().rescued().contains(&b"refused".to_vec()), "a refused save is lost");
        drop(scene);
        drop(disk);
    });
}

/// Writes until nothing more fits.
fn fill(path: &Path) {
    use std::io::Write;
    let mut file = fs::File::create(path).unwrap();
    let mut block = vec![b'f'; 64 << 10];
    while !block.is_empty() {
        if file.write_all(&block).is_err() {
            block.truncate(block.len() / 2);
        }
    }
}

/// A file system in memory with [`DISK_BYTES`] of room. Dropping it takes it away.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(path: &Path) -> Result<Self, String> {
        fs::create_dir(path).unwrap();
        let room = format!("size={DISK_BYTES}");
        let output = Command::new("mount").args(["-t", "tmpfs", "-o", &room, "tmpfs"]).arg(path).output();
        match output {
            Ok(output) if output.status.success() => Ok(Self(path.to_owned())),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, for the case that the test failed and the program still has files open on it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
