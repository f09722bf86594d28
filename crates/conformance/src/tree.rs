//! The promises of [`Tree`]. Another program is played through `std::fs` in the tree's root.
//!
//! | promise | function |
//! |---|---|
//! | `look` tells name, kind and fingerprint of what stands there now | [`look_tells_what_stands_there_now`] |
//! | a rename changes nothing of a fingerprint, a write something | [`a_fingerprint_changes_with_the_bytes_and_not_with_the_name`] |
//! | hidden and temporary files, links and sockets are not there | [`what_is_not_offered_is_not_there`] |
//! | a path with a link in it finds nothing, and nothing outside is opened | [`links_lead_nowhere`] |
//! | `open` gives the range of the expected file, or `None` | [`open_gives_the_expected_file_only`] |
//! | `hash` is that of the expected file, or `None` | [`hash_is_of_the_expected_file_only`] |
//! | `publish` puts a staged content under a new name | [`publish_makes_a_new_file`] |
//! | … never over something else | [`publish_without_replacing_never_replaces`] |
//! | `publish` with `replaces` keeps the old bytes, and says how they looked | [`publish_keeps_what_it_replaces`] |
//! | … also what another program had written meanwhile | [`publish_keeps_what_another_program_wrote`] |
//! | … and simply puts it there if nothing stood there | [`publish_over_nothing_just_puts_it_there`] |
//! | … and keeps the mode bits | [`publish_keeps_the_mode_bits`] |
//! | `publish` again changes nothing | [`publish_again_changes_nothing`] |
//! | readers see the old or the new bytes, whole | [`readers_see_the_old_or_the_new_bytes`] |
//! | `rename` never goes over something else | [`rename_never_goes_over_something_else`] |
//! | `rename` again changes nothing | [`rename_again_changes_nothing`] |
//! | `bin` keeps the bytes as a content; nothing there is success | [`bin_keeps_the_bytes`] |
//! | `bin` leaves another program's file alone | [`bin_leaves_another_file_alone`] |
//! | `settle` takes containers that are gone, and the root | [`settle_takes_what_is_there`] |
//! | `list` has what `look` finds | [`list_has_what_look_finds`] |
//! | containers are made, renamed and removed, never over something else | [`containers_come_and_go`] |
//! | a container with anything in it is not removed | [`a_container_with_anything_in_it_stays`] |
//! | names of any Unicode | [`names_of_any_unicode`] |
//! | hints can be taken once | [`hints_can_be_taken_once`] |

#![allow(clippy::expect_used, reason = "a broken promise is a panic here")]

use std::fs;
use std::future::Future;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use lectern_host::ports::{Contents, Tree, TreeEntry, TreeError, TreePath};
use lectern_host::records::{ContentId, Fingerprint};
use lectern_host::wopi::FileName;

use crate::contents::{bytes, content, fresh_id, ids, put, read, sha256};

/// A tree to try, empty.
#[derive(Debug, Clone)]
pub struct Ground {
    /// The tree.
    pub tree: Arc<dyn Tree>,
    /// The contents that it publishes.
    pub contents: Arc<dyn Contents>,
    /// Where other programs see it.
    pub root: PathBuf,
}

/// Tries every promise, each on a tree of its own.
pub async fn suite<New, Made>(new: New)
where
    New: Fn() -> Made,
    Made: Future<Output = Ground>,
{
    look_tells_what_stands_there_now(&new().await).await;
    a_fingerprint_changes_with_the_bytes_and_not_with_the_name(&new().await).await;
    what_is_not_offered_is_not_there(&new().await).await;
    links_lead_nowhere(&new().await).await;
    open_gives_the_expected_file_only(&new().await).await;
    hash_is_of_the_expected_file_only(&new().await).await;
    publish_makes_a_new_file(&new().await).await;
    publish_without_replacing_never_replaces(&new().await).await;
    publish_keeps_what_it_replaces(&new().await).await;
    publish_keeps_what_another_program_wrote(&new().await).await;
    publish_over_nothing_just_puts_it_there(&new().await).await;
    publish_keeps_the_mode_bits(&new().await).await;
    publish_again_changes_nothing(&new().await).await;
    readers_see_the_old_or_the_new_bytes(&new().await).await;
    rename_never_goes_over_something_else(&new().await).await;
    rename_again_changes_nothing(&new().await).await;
    bin_keeps_the_bytes(&new().await).await;
    bin_leaves_another_file_alone(&new().await).await;
    settle_takes_what_is_there(&new().await).await;
    list_has_what_look_finds(&new().await).await;
    containers_come_and_go(&new().await).await;
    a_container_with_anything_in_it_stays(&new().await).await;
    names_of_any_unicode(&new().await).await;
    hints_can_be_taken_once(&new().await).await;
}

/// A path of names joined by `/`.
pub fn path(text: &str) -> TreePath {
    text.split('/')
        .filter(|name| !name.is_empty())
        .fold(TreePath::root(), |path, name| path.join(&FileName::parse(name).expect("a name")))
}

impl Ground {
    /// Another program writes a file.
    pub fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.root.join(path), bytes).expect("another program can write");
    }

    /// Another program reads a file; `None` if there is none.
    pub fn on_disk(&self, path: &str) -> Option<Vec<u8>> {
        fs::read(self.root.join(path)).ok()
    }

    /// What the tree says stands there.
    pub fn look(&self, text: &str) -> Option<TreeEntry> {
        self.tree.look(&path(text)).expect("the tree can be looked at")
    }

    /// How the file there looks.
    pub fn fingerprint(&self, text: &str) -> Fingerprint {
        self.look(text).unwrap_or_else(|| panic!("{text} is there")).fingerprint
    }

    /// A content that can be published.
    pub async fn stage(&self, bytes: impl Into<Bytes>) -> (ContentId, Fingerprint) {
        let id = fresh_id();
        let stored = put(&*self.contents, &id, bytes).await;
        (id, stored.staged.expect("contents of a tree are files"))
    }

    /// Publishes these bytes, and expects that it works.
    pub async fn publish(&self, text: &str, bytes: impl Into<Bytes>, replaces: Option<&ContentId>) -> Fingerprint {
        let (id, staged) = self.stage(bytes).await;
        self.tree.publish(&path(text), &id, &staged, replaces).await.expect("a content can be published");
        assert_eq!(self.fingerprint(text), staged);
        staged
    }

    /// What the tree gives for a file that looks like this.
    pub async fn read(&self, text: &str, expected: &Fingerprint) -> Option<Bytes> {
        match self.tree.open(&path(text), expected, 0..u64::MAX).await.expect("a file can be opened") {
            Some(body) => Some(read(body).await),
            None => None,
        }
    }
}

/// `look` tells what stands there now; `None` if nothing that is offered does.
pub async fn look_tells_what_stands_there_now(ground: &Ground) {
    assert_eq!(ground.look("a.txt"), None);
    assert_eq!(ground.look("none/a.txt"), None);
    assert_eq!(ground.look(""), None, "the root has no name");
    ground.write("a.txt", "abc");
    fs::create_dir_all(ground.root.join("x/y")).expect("another program can make directories");
    ground.write("x/y/b.txt", "");
    let entry = ground.look("a.txt").expect("it is there");
    assert_eq!((entry.name.as_str(), entry.container, entry.fingerprint.size), ("a.txt", false, 3));
    let entry = ground.look("x/y").expect("it is there");
    assert_eq!((entry.name.as_str(), entry.container), ("y", true));
    assert_eq!((entry.fingerprint.size, entry.fingerprint.modified_ns), (0, 0));
    assert_eq!(ground.fingerprint("x/y/b.txt").size, 0);
    assert_eq!(ground.look("a.txt/b"), None, "a file contains nothing");
    let long = "x".repeat(255);
    assert_eq!(ground.look(&[long.as_str(); 40].join("/")), None, "a path longer than the system takes");
    fs::remove_file(ground.root.join("a.txt")).expect("another program can delete");
    assert_eq!(ground.look("a.txt"), None);
}

/// A rename changes nothing of a fingerprint, a write at least one field, a new file in its place is another inode.
pub async fn a_fingerprint_changes_with_the_bytes_and_not_with_the_name(ground: &Ground) {
    ground.write("a.txt", "abc");
    let first = ground.fingerprint("a.txt");
    assert_eq!(ground.fingerprint("a.txt"), first);
    fs::rename(ground.root.join("a.txt"), ground.root.join("b.txt")).expect("another program can rename");
    assert_eq!(ground.fingerprint("b.txt"), first);
    ground.write("b.txt", "abcd");
    let second = ground.fingerprint("b.txt");
    assert!(second != first && second.same_inode(&first));
    ground.write("c.txt", "abcd");
    fs::rename(ground.root.join("c.txt"), ground.root.join("b.txt")).expect("another program can rename");
    assert!(!ground.fingerprint("b.txt").same_inode(&second));
}

/// Hidden files, temporary files of office programs, links and sockets are not there, as far as `list` and `look` tell.
pub async fn what_is_not_offered_is_not_there(ground: &Ground) {
    let names = [".hidden.docx", "~$report.docx", ".~lock.report.odt#", "~WRL0001.tmp", "Thumbs.db", "desktop.ini"];
    for name in names {
        ground.write(name, "x");
    }
    fs::create_dir(ground.root.join(".git")).expect("another program can make directories");
    ground.write(".git/config", "x");
    ground.write("report.docx", "x");
    symlink("report.docx", ground.root.join("link.docx")).expect("another program can link");
    symlink(".git", ground.root.join("linked")).expect("another program can link");
    let _socket = std::os::unix::net::UnixListener::bind(ground.root.join("socket")).expect("a socket can be made");
    let listed = ground.tree.list(&TreePath::root()).await.expect("the root can be listed");
    assert_eq!(listed.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["report.docx"]);
    for name in names.into_iter().chain([".git", ".git/config", "link.docx", "linked", "linked/config", "socket"]) {
        assert_eq!(ground.look(name), None, "{name}");
    }
    assert!(matches!(ground.tree.list(&path(".git")).await, Err(TreeError::NotFound)));
    // Nor can anything get such a name through us.
    let (id, staged) = ground.stage("abc").await;
    let refused = ground.tree.publish(&path(".secret"), &id, &staged, None).await;
    assert!(matches!(refused, Err(TreeError::NameRefused)), "{refused:?}");
    let seen = ground.fingerprint("report.docx");
    let refused = ground.tree.rename(&path("report.docx"), &path("~$report.docx"), &seen).await;
    assert!(matches!(refused, Err(TreeError::NameRefused)), "{refused:?}");
    let refused = ground.tree.create_container(&path(".new")).await;
    assert!(matches!(refused, Err(TreeError::NameRefused)), "{refused:?}");
}

/// Nothing outside the root is ever opened; a path with a symbolic link in it finds nothing.
pub async fn links_lead_nowhere(ground: &Ground) {
    let outside = ground.root.with_extension("outside");
    fs::create_dir_all(&outside).expect("another program can make directories");
    fs::write(outside.join("secret.txt"), "secret").expect("another program can write");
    let secret = Fingerprint { inode: 0, born_ns: None, size: 0, modified_ns: 0 };
    symlink(outside.join("secret.txt"), ground.root.join("file.txt")).expect("another program can link");
    symlink(&outside, ground.root.join("out")).expect("another program can link");
    fs::create_dir(ground.root.join("in")).expect("another program can make directories");
    ground.write("in/a.txt", "abc");
    symlink("in", ground.root.join("inner")).expect("another program can link");
    let inside = ground.fingerprint("in/a.txt");
    for text in ["file.txt", "out", "out/secret.txt", "inner", "inner/a.txt"] {
        assert_eq!(ground.look(text), None, "{text}");
        assert_eq!(ground.read(text, &secret).await, None, "{text}");
        assert_eq!(ground.read(text, &inside).await, None, "{text}");
        assert_eq!(ground.tree.hash(&path(text), &inside).await.expect("no trouble"), None, "{text}");
        assert!(matches!(ground.tree.list(&path(text)).await, Err(TreeError::NotFound)), "{text}");
    }
    let (id, staged) = ground.stage("new").await;
    for replaces in [None, Some(fresh_id())] {
        for text in ["out/new.txt", "inner/new.txt", "out/secret.txt"] {
            let refused = ground.tree.publish(&path(text), &id, &staged, replaces.as_ref()).await;
            assert!(matches!(refused, Err(TreeError::NotFound)), "{text}: {refused:?}");
        }
        let refused = ground.tree.publish(&path("file.txt"), &id, &staged, replaces.as_ref()).await;
        assert!(matches!(refused, Err(TreeError::NameTaken)), "{refused:?}");
    }
    for text in ["out/new", "inner/new"] {
        assert!(matches!(ground.tree.create_container(&path(text)).await, Err(TreeError::NotFound)), "{text}");
        let refused = ground.tree.rename(&path("in/a.txt"), &path(text), &inside).await;
        assert!(matches!(refused, Err(TreeError::NotFound)), "{text}: {refused:?}");
    }
    assert!(matches!(ground.tree.remove_container(&path("inner")).await, Err(TreeError::NotFound)));
    ground.tree.bin(&path("inner/a.txt"), &inside, &fresh_id()).await.expect("nothing there is success");
    assert_eq!(content(&*ground.contents, &id).await.as_deref(), Some(&b"new"[..]), "the content is still there");
    assert_eq!(fs::read_dir(&outside).expect("another program can list").count(), 1);
    assert_eq!(fs::read(outside.join("secret.txt")).expect("another program can read"), b"secret");
    assert_eq!(ground.on_disk("in/a.txt").as_deref(), Some(&b"abc"[..]));
    fs::remove_dir_all(&outside).expect("another program can delete");
}

/// The bytes in the range of the file at the path; `None` if what stands there is not expected to the last field.
pub async fn open_gives_the_expected_file_only(ground: &Ground) {
    let data = bytes(700_000, 11);
    ground.write("a.bin", &data);
    fs::create_dir(ground.root.join("x")).expect("another program can make directories");
    let seen = ground.fingerprint("a.bin");
    for range in [0..u64::MAX, 0..700_000, 0..0, 5..6, 262_000..263_000, 699_999..800_000, 800_000..900_000] {
        let body = ground.tree.open(&path("a.bin"), &seen, range.clone()).await.expect("no trouble").expect("it is it");
        let (start, end) = (range.start.min(700_000), range.end.min(700_000));
        assert_eq!(http_body::Body::size_hint(&body).exact(), Some(end - start));
        assert_eq!(read(body).await, data.slice(start as usize..end as usize), "{range:?}");
    }
    for other in [
        Fingerprint { inode: seen.inode + 1, ..seen },
        Fingerprint { born_ns: Some(1), ..seen },
        Fingerprint { size: seen.size - 1, ..seen },
        Fingerprint { modified_ns: seen.modified_ns - 1, ..seen },
    ] {
        assert_eq!(ground.read("a.bin", &other).await, None, "{other:?}");
    }
    assert_eq!(ground.read("none.bin", &seen).await, None);
    assert_eq!(ground.read("x", &ground.fingerprint("x")).await, None, "a container has no bytes");
    assert_eq!(ground.read("", &seen).await, None);
}

/// The hash of the file at the path; `None` if it is not the expected one.
pub async fn hash_is_of_the_expected_file_only(ground: &Ground) {
    ground.write("a.txt", "abc");
    let seen = ground.fingerprint("a.txt");
    let abc = sha256("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    let hash = async |seen: &Fingerprint| ground.tree.hash(&path("a.txt"), seen).await.expect("no trouble");
    assert_eq!(hash(&seen).await, Some(abc));
    assert_eq!(hash(&Fingerprint { size: 4, ..seen }).await, None);
    ground.write("a.txt", "abcd");
    assert_eq!(hash(&seen).await, None);
    ground.write("a.txt", vec![b'a'; 1_000_000]);
    let million = sha256("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    assert_eq!(hash(&ground.fingerprint("a.txt")).await, Some(million));
    fs::remove_file(ground.root.join("a.txt")).expect("another program can delete");
    assert_eq!(hash(&seen).await, None);
}

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

/// `settle` makes durable what was done in the containers, twice named and vanished ones too.
pub async fn settle_takes_what_is_there(ground: &Ground) {
    fs::create_dir(ground.root.join("x")).expect("another program can make directories");
    ground.publish("x/a.txt", "abc", None).await;
    let containers = [path("x"), path("x"), TreePath::root(), path("none"), path("none/at/all")];
    ground.tree.settle(&containers).await.expect("it can be made durable");
    ground.tree.settle(&[]).await.expect("nothing can be made durable");
}

/// `list` has what `look` finds, and nothing else.
pub async fn list_has_what_look_finds(ground: &Ground) {
    assert_eq!(ground.tree.list(&TreePath::root()).await.expect("the root can be listed"), []);
    fs::create_dir(ground.root.join("x")).expect("another program can make directories");
    for n in 0..200 {
        ground.write(&format!("x/{n}.txt"), n.to_string());
    }
    fs::create_dir(ground.root.join("x/y")).expect("another program can make directories");
    let root = ground.tree.list(&TreePath::root()).await.expect("the root can be listed");
    assert_eq!(root, [ground.look("x").expect("it is there")]);
    let mut listed = ground.tree.list(&path("x")).await.expect("it can be listed");
    assert_eq!(listed.len(), 201);
    listed.sort_by(|one, other| one.name.cmp(&other.name));
    listed.dedup();
    assert_eq!(listed.len(), 201);
    for entry in listed {
        assert_eq!(ground.look(&format!("x/{}", entry.name)), Some(entry));
    }
    for none in ["none", "x/0.txt", "x/none/at/all"] {
        assert!(matches!(ground.tree.list(&path(none)).await, Err(TreeError::NotFound)), "{none}");
    }
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

/// A name is a name in every script, and with spaces and signs; a name that is too long for the file system is refused.
pub async fn names_of_any_unicode(ground: &Ground) {
    for name in [
        "Übersicht.docx",
        "報告書.docx",
        "отчёт.odt",
        "😀.txt",
        " leading and trailing ",
        "a%2Fb&c#d?e.txt",
        "-rf",
        "'\"`$(x)",
    ] {
        ground.publish(name, "abc", None).await;
        assert_eq!(ground.on_disk(name).as_deref(), Some(&b"abc"[..]));
        ground.publish(name, "def", Some(&fresh_id())).await;
        assert_eq!(ground.on_disk(name).as_deref(), Some(&b"def"[..]));
    }
    let longest = "x".repeat(FileName::BYTES_MAX);
    ground.publish(&longest, "abc", None).await;
    assert_eq!(ground.look(&longest).map(|entry| entry.name.to_string()), Some(longest));
}

/// Hints can be taken once.
pub async fn hints_can_be_taken_once(ground: &Ground) {
    let first = ground.tree.hints();
    assert!(ground.tree.hints().is_none());
    drop(first);
}
