//! What is there, and what is not.

#![allow(clippy::expect_used, reason = "a broken promise is a panic here")]

use std::fs;
use std::os::unix::fs::symlink;

use lectern_host::ports::{TreeError, TreePath};
use lectern_host::records::Fingerprint;
use lectern_host::wopi::FileName;

use super::{Ground, path};
use crate::contents::{bytes, content, fresh_id, read, sha256};

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
