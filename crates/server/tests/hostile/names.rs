//! Names that are no names, or not for clients to choose.

use std::collections::BTreeSet;
use std::path::Path;

use super::{Scene, assert_refused, common};

/// A bad name as it arrives (UTF-7), and what it is.
fn bad_names() -> Vec<(String, &'static str)> {
    let long = |count: usize| format!("{}.wopitest", "x".repeat(count));
    vec![
        ("a/b.wopitest".to_owned(), "a path"),
        ("/etc/b.wopitest".to_owned(), "an absolute path"),
        ("../b.wopitest".to_owned(), "a path that leaves the folder"),
        ("..".to_owned(), "the parent"),
        (".".to_owned(), "the folder itself"),
        ("a+AFw-b.wopitest".to_owned(), "a path with a backslash"),
        ("a+AAA-b.wopitest".to_owned(), "a name with NUL"),
        ("a+AAo-b.wopitest".to_owned(), "a name with a line break"),
        (".lectern".to_owned(), "the folder of our own"),
        ("+AH4AJA-b.wopitest".to_owned(), "an owner file of Office (~$)"),
        (".+AH4-lock.b.wopitest+ACM-".to_owned(), "a lock file of LibreOffice (.~lock.…#)"),
        ("CON.wopitest".to_owned(), "a device of Windows"),
        ("lpt1".to_owned(), "a device of Windows, in small letters"),
        (long(512), "a name of 521 characters"),
        (long(4000), "a name of 4009 characters"),
    ]
}

#[test]
fn a_bad_name_is_refused_when_it_must_be_exact_and_bent_when_it_is_a_suggestion() {
    common::run(120, async {
        let mut scene = Scene::begin().await;
        let outside = listing(scene.folder().parent().unwrap());
        for (name, what) in bad_names() {
            let before = listing(scene.folder());
            let exact = scene.file.operation("PUT_RELATIVE").header("X-WOPI-RelativeTarget", &name).body("new");
            assert_refused(&scene.send(&exact).await, &[400], what);
            assert_eq!(listing(scene.folder()), before, "{what} left something behind");

            let suggested = scene.file.operation("PUT_RELATIVE").header("X-WOPI-SuggestedTarget", &name).body("new");
            let answer = scene.send(&suggested).await;
            assert_eq!(answer.status, 200, "{what}, suggested: a suggestion is never refused: {answer:?}");
            let given = answer.json()["Name"].as_str().expect("a name").to_owned();
            assert_eq!(std::fs::read(scene.folder().join(&given)).unwrap(), b"new", "{what} became {given:?}");
            let made: Vec<String> = listing(scene.folder()).difference(&before).cloned().collect();
            assert_eq!(made, [given], "{what}: one file is made, in the folder");

            scene.nothing_is_lost(what).await;
        }
        assert_eq!(listing(scene.folder().parent().unwrap()), outside, "something was made outside of the folder");
    });
}

#[test]
fn a_bad_name_never_renames_a_file_to_itself() {
    common::run(120, async {
        let scene = Scene::begin().await;
        for (name, what) in bad_names() {
            let mut client = scene.client().await;
            let before = client.check_file_info().await.unwrap().json()["BaseFileName"].clone();
            let rename = scene.file.operation("RENAME_FILE").header("X-WOPI-RequestedName", &name);
            let rename = rename.header("X-WOPI-Lock", super::LOCK);
            let answer = client.send(&rename).await.unwrap();
            let after = client.check_file_info().await.unwrap().json()["BaseFileName"].as_str().unwrap().to_owned();
            match answer.status {
                // A host may find a name that does, and must say which.
                200 => assert_eq!(format!("{}.wopitest", answer.json()["Name"].as_str().unwrap()), after, "{what}"),
                _ => {
                    assert_refused(&answer, &[400], what);
                    assert!(answer.header("X-WOPI-InvalidFileNameError").is_some(), "{what}: {answer:?}");
                    assert_eq!(before, after.as_str(), "{what} was refused and done");
                }
            }
            let refused = after.contains(['/', '\\', '\0', '\n']) || after.starts_with('.') || after.len() > 255;
            assert!(!refused, "{what} became {after:?}");
            assert_eq!(std::fs::read(scene.folder().join(&after)).unwrap(), super::CONTENT, "{what}");
            assert_eq!(client.held().await, super::LOCK, "{what}");
        }
    });
}

/// What stands in a folder, our own hidden one left out.
fn listing(folder: &Path) -> BTreeSet<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name != ".lectern").collect()
}
