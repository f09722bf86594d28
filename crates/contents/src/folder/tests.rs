//! The suites on every way of renaming, and `publish`, `rename` and `bin` from every state that a crash can leave.

use std::path::Path;
use std::sync::Arc;

use lectern_conformance::contents::{content, fresh_id, ids};
use lectern_conformance::tree::{Ground, path};
use lectern_conformance::{contents, tree};
use lectern_host::ports::{Contents as _, Tree as _};
use tempfile::TempDir;

use super::ability::Ability;
use super::names::publishing_name;
use super::*;

const EXCHANGE: Ability = Ability { exchange: true, never_replaces: true, links: true };
const LINKS: Ability = Ability { exchange: false, never_replaces: false, links: true };
const COPIES: Ability = Ability { exchange: false, never_replaces: false, links: false };

struct Scratch {
    directory: TempDir,
    folder: Folder,
    ground: Ground,
}

impl Scratch {
    fn new(able: Ability) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("root");
        std::fs::create_dir(&root).unwrap();
        let folder = Folder::open(&root, &root.join(Folder::STATE_NAME)).unwrap().with_ability(able);
        let ground = Ground { tree: Arc::new(folder.clone()), contents: Arc::new(folder.clone()), root };
        Self { directory, folder, ground }
    }

    fn contents(&self, name: &str) -> PathBuf {
        self.ground.root.join(Folder::STATE_NAME).join("contents").join(name)
    }

    fn files(&self, name: &str) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(self.contents(name))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

async fn suites(able: Ability) {
    let grounds = std::cell::RefCell::new(Vec::new());
    let new = || {
        let scratch = Scratch::new(able);
        let ground = scratch.ground.clone();
        grounds.borrow_mut().push(scratch);
        ground
    };
    contents::suite(async || new().contents).await;
    tree::suite(async || new()).await;
    for scratch in grounds.borrow().iter() {
        assert!(scratch.files("incoming").is_empty());
        assert!(scratch.files("publishing").is_empty());
        let _ = &scratch.directory;
    }
}

#[tokio::test]
async fn the_suites_with_exchange() {
    suites(EXCHANGE).await;
}

#[tokio::test]
async fn the_suites_where_files_cannot_be_exchanged_but_linked() {
    suites(LINKS).await;
}

/// All but one promise: a copy is another inode, so a second `publish` says that something else was replaced than the
/// first one did.
#[tokio::test]
async fn the_promises_where_files_can_only_be_copied() {
    let mut scratches = Vec::new();
    let mut new = || {
        scratches.push(Scratch::new(COPIES));
        scratches[scratches.len() - 1].ground.clone()
    };
    tree::publish_makes_a_new_file(&new()).await;
    tree::publish_without_replacing_never_replaces(&new()).await;
    tree::publish_keeps_what_it_replaces(&new()).await;
    tree::publish_keeps_what_another_program_wrote(&new()).await;
    tree::publish_over_nothing_just_puts_it_there(&new()).await;
    tree::publish_keeps_the_mode_bits(&new()).await;
    tree::readers_see_the_old_or_the_new_bytes(&new()).await;
    tree::rename_never_goes_over_something_else(&new()).await;
    tree::rename_again_changes_nothing(&new()).await;
    tree::bin_keeps_the_bytes(&new()).await;
    tree::bin_leaves_another_file_alone(&new()).await;
    tree::containers_come_and_go(&new()).await;
    tree::names_of_any_unicode(&new()).await;
}

#[tokio::test]
async fn the_suites_where_the_kernel_looks_up_one_name_at_a_time() {
    let kept = std::cell::RefCell::new(Vec::new());
    tree::suite(async || {
        let mut scratch = Scratch::new(EXCHANGE);
        let Scratch { ground, folder, .. } = &mut scratch;
        let root = ground.root.clone();
        ground.tree = Arc::new(Folder::open(&root, &root.join(Folder::STATE_NAME)).unwrap());
        ground.contents = Arc::new(folder.clone());
        let mut walking = Folder::open(&root, &root.join(Folder::STATE_NAME)).unwrap();
        Arc::get_mut(&mut walking.inner).unwrap().root = Beneath::walking(open_directory(&root).unwrap());
        ground.tree = Arc::new(walking);
        let ground = ground.clone();
        kept.borrow_mut().push(scratch);
        ground
    })
    .await;
}

/// Every state that a crash can leave in the middle of a `publish` that replaces a file, made by hand.
#[tokio::test]
async fn publish_is_finished_from_every_state_that_a_crash_can_leave() {
    for able in [EXCHANGE, LINKS, COPIES] {
        for crashed_after in 0..5 {
            let scratch = Scratch::new(able);
            let (folder, ground) = (&scratch.folder, &scratch.ground);
            ground.write("a.txt", "old");
            let before = ground.fingerprint("a.txt");
            let (id, staged) = ground.stage("new").await;
            let version = fresh_id();
            let (live, kept) = (ground.root.join("a.txt"), scratch.contents("kept"));
            let ready = scratch.contents("publishing").join(publishing_name(&id, &staged));
            let mut waits = true;
            if crashed_after >= 1 {
                std::fs::rename(kept.join(id.to_string()), &ready).unwrap();
            }
            if able.exchange && crashed_after >= 2 {
                rustix::fs::renameat_with(
                    rustix::fs::CWD,
                    &ready,
                    rustix::fs::CWD,
                    &live,
                    rustix::fs::RenameFlags::EXCHANGE,
                )
                .unwrap();
                waits = false;
                if crashed_after >= 3 {
                    std::fs::rename(&ready, kept.join(version.to_string())).unwrap();
                }
            } else if able.links && crashed_after >= 2 {
                // Moving to `publishing` is linking and unlinking: both names at once.
                if crashed_after == 2 {
                    std::fs::hard_link(&ready, kept.join(id.to_string())).unwrap();
                }
                std::fs::hard_link(&live, kept.join(version.to_string())).unwrap();
                if crashed_after >= 4 {
                    std::fs::rename(&ready, &live).unwrap();
                    waits = false;
                }
            } else if crashed_after >= 2 {
                std::fs::copy(&live, kept.join(version.to_string())).unwrap();
                if crashed_after >= 3 {
                    std::fs::rename(&ready, &live).unwrap();
                    waits = false;
                }
            }
            // Until it is finished, the new bytes can be read, and no id stands for other bytes than its own.
            if waits {
                assert_eq!(content(folder, &id).await.as_deref(), Some(&b"new"[..]), "{able:?} {crashed_after}");
                assert!(ids(folder).await.contains(&id));
            } else {
                assert_eq!(content(folder, &id).await, None, "{able:?} {crashed_after}");
                assert_eq!(ground.fingerprint("a.txt"), staged);
                assert_eq!(ground.read("a.txt", &staged).await.as_deref(), Some(&b"new"[..]));
            }

            for _ in 0..2 {
                let replaced = folder.publish(&path("a.txt"), &id, &staged, Some(&version)).await.unwrap().unwrap();
                if able != COPIES {
                    assert_eq!(replaced, before, "{able:?} {crashed_after}");
                }
                assert_eq!(ground.fingerprint("a.txt"), staged);
                assert_eq!(ground.on_disk("a.txt").as_deref(), Some(&b"new"[..]));
                assert_eq!(content(folder, &version).await.as_deref(), Some(&b"old"[..]));
                assert_eq!(ids(folder).await, [version], "{able:?} {crashed_after}");
                assert!(scratch.files("publishing").is_empty());
            }
        }
    }
}

#[tokio::test]
async fn an_exchange_that_was_not_finished_is_finished_though_another_program_has_changed_the_file_since() {
    let scratch = Scratch::new(EXCHANGE);
    let (folder, ground) = (&scratch.folder, &scratch.ground);
    ground.write("a.txt", "old");
    let before = ground.fingerprint("a.txt");
    let (id, staged) = ground.stage("new").await;
    let version = fresh_id();
    let ready = scratch.contents("publishing").join(publishing_name(&id, &staged));
    std::fs::rename(ground.root.join("a.txt"), &ready).unwrap();
    std::fs::rename(scratch.contents("kept").join(id.to_string()), ground.root.join("a.txt")).unwrap();
    ground.write("b.txt", "theirs");
    std::fs::rename(ground.root.join("b.txt"), ground.root.join("a.txt")).unwrap();
    assert_eq!(ids(folder).await, [], "an old file without its name is no content yet");

    let replaced = folder.publish(&path("a.txt"), &id, &staged, Some(&version)).await.unwrap();
    assert_eq!(replaced, Some(before));
    assert_eq!(content(folder, &version).await.as_deref(), Some(&b"old"[..]));
    assert_eq!(ground.on_disk("a.txt").as_deref(), Some(&b"theirs"[..]));
    assert!(scratch.files("publishing").is_empty());
}

#[tokio::test]
async fn a_content_that_waits_to_be_published_can_be_read_listed_once_and_removed() {
    let scratch = Scratch::new(EXCHANGE);
    let (folder, ground) = (&scratch.folder, &scratch.ground);
    let (id, staged) = ground.stage("new").await;
    let ready = scratch.contents("publishing").join(publishing_name(&id, &staged));
    std::fs::rename(scratch.contents("kept").join(id.to_string()), &ready).unwrap();
    assert_eq!(content(folder, &id).await.as_deref(), Some(&b"new"[..]));
    assert_eq!(ids(folder).await, [id]);
    folder.remove(&id).await.unwrap();
    assert_eq!(ids(folder).await, []);
    assert!(!ready.exists());
}

#[tokio::test]
async fn renaming_and_deleting_are_finished_where_they_are_linking_and_unlinking() {
    let scratch = Scratch::new(LINKS);
    let (folder, ground) = (&scratch.folder, &scratch.ground);
    ground.write("a.txt", "abc");
    let seen = ground.fingerprint("a.txt");
    std::fs::hard_link(ground.root.join("a.txt"), ground.root.join("b.txt")).unwrap();
    folder.rename(&path("a.txt"), &path("b.txt"), &seen).await.unwrap();
    assert_eq!((ground.look("a.txt"), ground.fingerprint("b.txt")), (None, seen));

    let id = fresh_id();
    std::fs::hard_link(ground.root.join("b.txt"), scratch.contents("kept").join(id.to_string())).unwrap();
    folder.bin(&path("b.txt"), &seen, &id).await.unwrap();
    assert_eq!(ground.look("b.txt"), None);
    assert_eq!(content(folder, &id).await.as_deref(), Some(&b"abc"[..]));
}

#[tokio::test]
async fn two_links_that_somebody_made_are_two_files() {
    let scratch = Scratch::new(EXCHANGE);
    let ground = &scratch.ground;
    ground.write("a.txt", "abc");
    let seen = ground.fingerprint("a.txt");
    std::fs::hard_link(ground.root.join("a.txt"), ground.root.join("b.txt")).unwrap();
    let refused = scratch.folder.rename(&path("a.txt"), &path("b.txt"), &seen).await;
    assert!(matches!(refused, Err(TreeError::NameTaken)));
    assert!(ground.look("a.txt").is_some() && ground.look("b.txt").is_some());
}

#[tokio::test]
async fn what_a_crash_left_unfinished_is_removed_at_the_next_start_only() {
    let scratch = Scratch::new(EXCHANGE);
    let root: &Path = &scratch.ground.root;
    let state = root.join(Folder::STATE_NAME);
    let leftover = scratch.contents("incoming").join(fresh_id().to_string());
    std::fs::write(&leftover, "half").unwrap();
    let (id, _) = scratch.ground.stage("whole").await;
    // Another process, or `lectern check`, leaves alone what the first one may be writing.
    drop(Folder::open(root, &state).unwrap());
    assert!(leftover.exists());
    let Scratch { directory, folder, ground } = scratch;
    drop((folder, ground));
    let folder = Folder::open(&directory.path().join("root"), &directory.path().join("root").join(".lectern")).unwrap();
    assert!(!leftover.exists());
    assert_eq!(ids(&folder).await, [id]);
}

#[test]
fn the_state_directory_is_ours_alone_and_no_link() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let scratch = Scratch::new(EXCHANGE);
    for place in [".lectern", ".lectern/contents", ".lectern/contents/kept"] {
        let mode = std::fs::metadata(scratch.ground.root.join(place)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{place}");
    }
    let (root, elsewhere) = (scratch.directory.path().join("other"), scratch.directory.path().join("elsewhere"));
    std::fs::create_dir(&root).unwrap();
    std::fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, root.join(".lectern")).unwrap();
    assert!(matches!(Folder::open(&root, &root.join(".lectern")), Err(FolderError::StateIsLink { .. })));
    assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 0);
}

#[test]
fn a_folder_that_cannot_be_served_says_why() {
    let scratch = tempfile::tempdir().unwrap();
    let none = scratch.path().join("none");
    assert!(matches!(Folder::open(&none, &none.join(".lectern")), Err(FolderError::Folder { .. })));
    std::fs::write(scratch.path().join("file"), "x").unwrap();
    let refused = Folder::open(scratch.path(), &scratch.path().join("file"));
    assert!(matches!(refused, Err(FolderError::State { .. })), "{refused:?}");
    std::fs::create_dir_all(scratch.path().join("state/root")).unwrap();
    let refused = Folder::open(&scratch.path().join("state/root"), &scratch.path().join("state"));
    assert!(matches!(refused, Err(FolderError::FolderInState { .. })), "{refused:?}");
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        let state = tempfile::tempdir_in(memory).unwrap();
        let refused = Folder::open(scratch.path(), state.path());
        assert!(matches!(refused, Err(FolderError::OtherFileSystem { .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn a_state_directory_with_an_ordinary_name_is_not_offered_either() {
    let scratch = tempfile::tempdir().unwrap();
    std::fs::create_dir(scratch.path().join("sub")).unwrap();
    let state = scratch.path().join("sub/state");
    let folder = Folder::open(scratch.path(), &state).unwrap();
    std::fs::write(state.join("lectern.db"), "secret").unwrap();
    for text in ["sub/state", "sub/State", "sub/state/lectern.db", "sub/state/contents/kept"] {
        assert_eq!(folder.look(&path(text)).unwrap(), None, "{text}");
        assert!(matches!(folder.list(&path(text)).await, Err(TreeError::NotFound)), "{text}");
        assert!(folder.remove_container(&path(text)).await.is_err(), "{text}");
        assert!(folder.rename_container(&path(text), &path("mine")).await.is_err(), "{text}");
    }
    assert_eq!(folder.list(&path("sub")).await.unwrap(), []);
    assert!(matches!(folder.create_container(&path("sub/state/x")).await, Err(TreeError::NameRefused)));
}
