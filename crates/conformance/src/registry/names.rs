//! Names of files: taken once, given free, listed in their order.

use lectern_host::ports::Page;
use lectern_host::records::{FileRecord, Pending, Timestamp};
use lectern_host::wopi::ItemVersion;

use super::files::{commit, root};
use super::samples::{container, container_id, file, file_id, fingerprint, name};
use super::{Fresh, No, no, race};

/// A name is taken once in a container, however many ask at once, by creating, by renaming, as a file or a container.
pub async fn a_name_is_taken_once_however_many_ask(registry: Fresh) {
    let root = root(&registry).await;
    let mut renamers = Vec::new();
    for number in 0..8 {
        let record = file(&format!("renamer{number}"), &root, &format!("renamer{number}"));
        renamers.push(registry.create_file(&record).await.unwrap());
    }
    let answers = race((0..24).map(|number: usize| {
        let (registry, root, renamer) = (registry.clone(), root.clone(), renamers[number % 8].clone());
        async move {
            match number % 3 {
                0 => registry
                    .create_file(&file(&format!("file{number}"), &root, "wanted"))
                    .await
                    .map(|file| file.id.to_string()),
                1 => registry
                    .create_container(&container(&format!("container{number}"), &root, "wanted"))
                    .await
                    .map(|container| container.id.to_string()),
                _ => registry
                    .commit_file(&commit(&FileRecord { name: name("wanted"), ..renamer }))
                    .await
                    .map(|file| file.id.to_string()),
            }
        }
    }))
    .await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1, "{won:?}");
    assert!(lost.into_iter().all(|answer| no(answer) == No::NameTaken));
    let file = registry.file_named(&root, &name("wanted")).await.map(|file| file.id.to_string());
    let container = registry.container_named(&root, &name("wanted")).await.map(|container| container.id.to_string());
    let found: Vec<_> = [file, container].into_iter().flatten().collect();
    assert_eq!(found, [won.into_iter().next().unwrap().unwrap()]);
}

/// A name belongs to a file or to a container, never to both, and to another one in another container.
pub async fn a_name_belongs_to_a_file_or_to_a_container(registry: Fresh) {
    let root = root(&registry).await;
    registry.create_file(&file("f", &root, "a")).await.unwrap();
    let inner = registry.create_container(&container("c", &root, "b")).await.unwrap();
    assert_eq!(no(registry.create_container(&container("c2", &root, "a")).await), No::NameTaken);
    assert_eq!(no(registry.create_file(&file("f2", &root, "b")).await), No::NameTaken);
    assert_eq!(no(registry.create_file(&file("f2", &root, "a")).await), No::NameTaken);
    assert_eq!(no(registry.file(&file_id("f2")).await), No::NotFound);
    assert_eq!(no(registry.container(&container_id("c2")).await), No::NotFound);
    assert_eq!(no(registry.file_named(&root, &name("b")).await), No::NotFound);
    assert_eq!(no(registry.container_named(&root, &name("a")).await), No::NotFound);

    registry.create_file(&file("f2", &inner.id, "a")).await.unwrap();
    registry.create_container(&container("c2", &inner.id, "b")).await.unwrap();
}

/// Names are compared byte for byte: letter case and Unicode form make different names.
pub async fn names_are_compared_byte_for_byte(registry: Fresh) {
    let root = root(&registry).await;
    let names = ["a.txt", "A.txt", "a.TXT", "a.txt ", "é", "e\u{301}", "ﬁ", "fi", "%", "_"];
    for (number, called) in names.into_iter().enumerate() {
        registry.create_file(&file(&format!("f{number}"), &root, called)).await.unwrap();
    }
    for (number, called) in names.into_iter().enumerate() {
        let found = registry.file_named(&root, &name(called)).await.unwrap();
        assert_eq!(found.id, file_id(&format!("f{number}")), "{called:?}");
    }
    assert_eq!(no(registry.file_named(&root, &name("A.TXT")).await), No::NotFound);
}

/// A rename gives the old name free and takes the new one, if that is free.
pub async fn a_rename_gives_the_old_name_free_and_takes_the_new_one(registry: Fresh) {
    let root = root(&registry).await;
    let a = registry.create_file(&file("a", &root, "a")).await.unwrap();
    let b = registry.create_file(&file("b", &root, "b")).await.unwrap();
    assert_eq!(no(registry.commit_file(&commit(&FileRecord { name: name("b"), ..a.clone() })).await), No::NameTaken);
    assert_eq!(registry.file(&a.id).await.unwrap(), a);
    assert_eq!(registry.file_named(&root, &name("a")).await.unwrap(), a);

    let pending = Some(Pending::Rename { from: name("a") });
    let renamed = registry.commit_file(&commit(&FileRecord { name: name("c"), pending, ..a.clone() })).await.unwrap();
    assert_eq!(registry.file_named(&root, &name("c")).await.unwrap(), renamed);
    assert_eq!(no(registry.file_named(&root, &name("a")).await), No::NotFound);
    let taken = registry.commit_file(&commit(&FileRecord { name: name("a"), ..b })).await.unwrap();
    assert_eq!(registry.file_named(&root, &name("a")).await.unwrap(), taken);
    registry.create_file(&file("b2", &root, "b")).await.unwrap();
}

/// Two files can change names with each other, step by step.
pub async fn files_change_names_with_each_other_through_a_third_name(registry: Fresh) {
    let root = root(&registry).await;
    let a = registry.create_file(&file("a", &root, "a")).await.unwrap();
    let b = registry.create_file(&file("b", &root, "b")).await.unwrap();
    let a = registry.commit_file(&commit(&FileRecord { name: name("aside"), ..a })).await.unwrap();
    let b = registry.commit_file(&commit(&FileRecord { name: name("a"), ..b })).await.unwrap();
    let a = registry.commit_file(&commit(&FileRecord { name: name("b"), ..a })).await.unwrap();
    let listed = registry.files_in(&root, &Page { after: None, limit: 9 }).await.unwrap();
    assert_eq!(listed, [b, a]);
}

/// A deleted file has no name any more, and can still be read by its id.
pub async fn a_deleted_file_has_no_name_and_is_still_found_by_id(registry: Fresh) {
    let root = root(&registry).await;
    let record = FileRecord { seen: Some(fingerprint(5)), ..file("a", &root, "a") };
    let record = registry.create_file(&record).await.unwrap();
    let deleted = FileRecord { deleted_at: Some(Timestamp(5)), pending: Some(Pending::Bin), ..record };
    let deleted = registry.commit_file(&commit(&deleted)).await.unwrap();
    assert_eq!(registry.file(&deleted.id).await.unwrap(), deleted);
    assert_eq!(no(registry.file_named(&root, &name("a")).await), No::NotFound);
    assert_eq!(registry.files_in(&root, &Page { after: None, limit: 9 }).await.unwrap(), []);
    assert_eq!(registry.files_seen_as(&fingerprint(5)).await.unwrap(), []);
    assert_eq!(registry.file_count().await.unwrap(), 0);
    // The note is carried out and cleared; the file stays deleted.
    let binned = registry.commit_file(&commit(&FileRecord { pending: None, ..deleted })).await.unwrap();
    let second = registry.create_file(&file("a2", &root, "a")).await.unwrap();
    assert_eq!(registry.file_named(&root, &name("a")).await.unwrap(), second);
    registry.commit_file(&commit(&FileRecord { version: ItemVersion(9), ..binned })).await.unwrap();
    assert_eq!(registry.file_named(&root, &name("a")).await.unwrap(), second);
}

/// A deleted file that comes back takes its name again, if that is still free and its container is still there.
pub async fn a_file_that_comes_back_needs_its_name(registry: Fresh) {
    let root = root(&registry).await;
    let inner = registry.create_container(&container("c", &root, "c")).await.unwrap();
    let deleted = FileRecord { deleted_at: Some(Timestamp(5)), ..file("a", &inner.id, "a") };
    let deleted = registry.create_file(&deleted).await.unwrap();
    let other = registry.create_file(&file("b", &inner.id, "a")).await.unwrap();
    let back = FileRecord { deleted_at: None, ..deleted.clone() };
    assert_eq!(no(registry.commit_file(&commit(&back)).await), No::NameTaken);
    assert_eq!(registry.file(&deleted.id).await.unwrap(), deleted);
    registry.remove_file(&other.id, other.revision).await.unwrap();
    registry.remove_container(&inner.id, inner.revision).await.unwrap();
    assert_eq!(no(registry.commit_file(&commit(&back)).await), No::NotFound);
    assert_eq!(registry.file(&deleted.id).await.unwrap(), deleted);
    let back = registry.commit_file(&commit(&FileRecord { container: root.clone(), ..back })).await.unwrap();
    assert_eq!(registry.file_named(&root, &name("a")).await.unwrap(), back);
}

/// A file moves to another container that is there and has its name free.
pub async fn a_file_moves_to_another_container(registry: Fresh) {
    let root = root(&registry).await;
    let inner = registry.create_container(&container("c", &root, "c")).await.unwrap();
    let record = registry.create_file(&file("a", &root, "a")).await.unwrap();
    let blocker = registry.create_file(&file("b", &inner.id, "a")).await.unwrap();
    let moved = FileRecord { container: inner.id.clone(), ..record.clone() };
    assert_eq!(no(registry.commit_file(&commit(&moved)).await), No::NameTaken);
    registry.remove_file(&blocker.id, blocker.revision).await.unwrap();
    let nowhere = FileRecord { container: container_id("nowhere"), ..record };
    assert_eq!(no(registry.commit_file(&commit(&nowhere)).await), No::NotFound);
    let moved = registry.commit_file(&commit(&moved)).await.unwrap();
    assert_eq!(registry.file_named(&inner.id, &name("a")).await.unwrap(), moved);
    assert_eq!(no(registry.file_named(&root, &name("a")).await), No::NotFound);
    assert_eq!(registry.files_in(&root, &Page { after: None, limit: 9 }).await.unwrap(), []);
}

/// Files in a container are listed by name, byte for byte, in pages of any size.
pub async fn files_of_a_container_are_listed_by_name_in_pages(registry: Fresh) {
    let root = root(&registry).await;
    let mut names: Vec<String> = (0..50).map(|number| format!("file {number:02}")).collect();
    names.extend(["Z", "a", "Ä", "é", "😀", "\u{fffd}", "A", "~", " "].map(str::to_owned));
    for (number, called) in names.iter().enumerate() {
        // Not in the order of their names.
        registry.create_file(&file(&format!("f{}", number * 7 % 59), &root, called)).await.unwrap();
        if number % 5 == 0 {
            registry.create_container(&container(&format!("c{number}"), &root, &format!("{called}x"))).await.unwrap();
        }
    }
    names.sort();
    let names_of = |files: Vec<FileRecord>| -> Vec<String> {
        files.into_iter().map(|file| file.name.as_str().to_owned()).collect()
    };
    for limit in [1, 7, 50, 59, 1000, usize::MAX] {
        let mut listed = Vec::new();
        let mut after = None;
        for _ in 0..=names.len() {
            let part = names_of(registry.files_in(&root, &Page { after, limit }).await.unwrap());
            assert!(part.len() <= limit);
            let Some(last) = part.last() else { break };
            after = Some(last.clone());
            listed.extend(part);
        }
        assert_eq!(listed, names, "in pages of {limit}");
    }
    assert_eq!(registry.files_in(&root, &Page { after: None, limit: 0 }).await.unwrap(), []);
    // What a page begins after need not be there, nor even be a name.
    for after in ["file 4", "file 40", "/", "\u{10ffff}"] {
        let page = Page { after: Some(after.to_owned()), limit: 3 };
        let expected: Vec<_> = names.iter().filter(|name| name.as_str() > after).take(3).cloned().collect();
        assert_eq!(names_of(registry.files_in(&root, &page).await.unwrap()), expected);
    }
    let page = Page { after: None, limit: 9 };
    assert_eq!(registry.files_in(&container_id("c0"), &page).await.unwrap(), []);
}
