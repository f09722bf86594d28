//! Containers: the root, names, listings, removal.

use lectern_host::ports::{Page, ROOT_NAME, RegistryError};
use lectern_host::records::{ContainerRecord, FileRecord, Fingerprint, Revision, Timestamp};

use super::samples::{container, container_id, file, file_id, name};
use super::{Fresh, No, no, race};

fn seen(inode: u64, born_ns: Option<i64>) -> Option<Fingerprint> {
    Some(Fingerprint { inode, born_ns, size: 0, modified_ns: 0 })
}

/// There is one root, made on the first start.
pub async fn there_is_one_root_from_the_start(registry: Fresh) {
    let root = registry.root().await.unwrap();
    assert_eq!((root.parent.clone(), root.revision, root.seen), (None, Revision(1), None));
    assert_eq!(root.name, name(ROOT_NAME));
    assert_eq!(registry.container(&root.id).await.unwrap(), root);
    let second = ContainerRecord { parent: None, ..container("second", &root.id, "second") };
    assert_eq!(no(registry.create_container(&second).await), No::NameTaken);
    assert_eq!(registry.root().await.unwrap(), root);
    assert_eq!(registry.containers_in(&root.id, &Page { after: None, limit: 9 }).await.unwrap(), []);
    assert!(registry.remove_container(&root.id, root.revision).await.is_err());
    assert_eq!(registry.root().await.unwrap(), root);
}

/// The root is committed like every container, but it gets no parent, and nothing else becomes the root.
pub async fn the_root_is_renamed_but_stays_the_root(registry: Fresh) {
    let root = registry.root().await.unwrap();
    let renamed = ContainerRecord { name: name("Drive"), seen: seen(3, Some(1)), ..root.clone() };
    let renamed = registry.commit_container(&renamed).await.unwrap();
    assert_eq!(registry.root().await.unwrap(), renamed);
    assert_eq!((renamed.revision, renamed.name.as_str()), (Revision(2), "Drive"));
    let inner = registry.create_container(&container("c", &root.id, "c")).await.unwrap();
    let under = ContainerRecord { parent: Some(inner.id.clone()), ..renamed.clone() };
    assert_eq!(no(registry.commit_container(&under).await), No::NameTaken);
    let above = ContainerRecord { parent: None, ..inner.clone() };
    assert_eq!(no(registry.commit_container(&above).await), No::NameTaken);
    assert_eq!(registry.root().await.unwrap(), renamed);
    assert_eq!(registry.container(&inner.id).await.unwrap(), inner);
}

/// Every field of a container comes back.
pub async fn every_field_of_a_container_comes_back(registry: Fresh) {
    let root = registry.root().await.unwrap().id;
    let full = ContainerRecord {
        id: container_id(&"i".repeat(200)),
        parent: Some(root.clone()),
        name: name("Übersicht – 概要 😀 'quoted'"),
        revision: Revision(88),
        created_at: Timestamp(i64::MAX),
        seen: seen(u64::MAX, Some(i64::MIN)),
    };
    let stored = registry.create_container(&full).await.unwrap();
    assert_eq!(stored, ContainerRecord { revision: Revision(1), ..full.clone() });
    assert_eq!(registry.container(&full.id).await.unwrap(), stored);
    assert_eq!(registry.container_named(&root, &full.name).await.unwrap(), stored);
    let plain = ContainerRecord { seen: seen(1, None), ..container("plain", &full.id, &"x".repeat(255)) };
    let plain = registry.create_container(&plain).await.unwrap();
    assert_eq!(registry.container_named(&full.id, &plain.name).await.unwrap(), plain);
    let unseen = registry.commit_container(&ContainerRecord { seen: None, ..plain }).await.unwrap();
    assert_eq!(registry.container(&unseen.id).await.unwrap(), unseen);
    assert_eq!(registry.containers_in(&full.id, &Page { after: None, limit: 9 }).await.unwrap(), [unseen]);
}

/// An id is used once, a name is taken once, and the parent has to be there.
pub async fn a_container_is_created_once_and_only_in_one_that_is_there(registry: Fresh) {
    let root = registry.root().await.unwrap().id;
    assert_eq!(no(registry.container(&container_id("c")).await), No::NotFound);
    let stored = registry.create_container(&container("c", &root, "c")).await.unwrap();
    assert_eq!(no(registry.create_container(&container("c", &root, "d")).await), No::Conflict);
    assert_eq!(no(registry.create_container(&container("d", &root, "c")).await), No::NameTaken);
    let nowhere = container("d", &container_id("nowhere"), "d");
    assert_eq!(no(registry.create_container(&nowhere).await), No::NotFound);
    assert_eq!(no(registry.container(&container_id("d")).await), No::NotFound);
    assert_eq!(no(registry.container_named(&root, &name("d")).await), No::NotFound);
    assert_eq!(registry.container(&stored.id).await.unwrap(), stored);
}

/// Of many commits of a container at one revision exactly one wins.
pub async fn of_two_commits_of_a_container_exactly_one_wins(registry: Fresh) {
    let root = registry.root().await.unwrap().id;
    let record = registry.create_container(&container("c", &root, "c")).await.unwrap();
    let answers = race((0..12).map(|number| {
        let registry = registry.clone();
        let next = ContainerRecord { name: name(&format!("name {number}")), ..record.clone() };
        async move { registry.commit_container(&next).await }
    }))
    .await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    assert!(lost.into_iter().all(|answer| no(answer) == No::Conflict));
    let stored = registry.container(&record.id).await.unwrap();
    assert_eq!(stored.revision, Revision(2));
    let listed = registry.containers_in(&root, &Page { after: None, limit: 99 }).await.unwrap();
    assert_eq!(listed, [stored]);
    let unknown = ContainerRecord { revision: Revision(1), ..container("unknown", &root, "unknown") };
    assert_eq!(no(registry.commit_container(&unknown).await), No::NotFound);
}

/// A container takes another name or another parent, if the name is free there; what is in it stays in it.
pub async fn a_container_is_renamed_and_moved(registry: Fresh) {
    let root = registry.root().await.unwrap().id;
    let a = registry.create_container(&container("a", &root, "a")).await.unwrap();
    let b = registry.create_container(&container("b", &root, "b")).await.unwrap();
    let inside = registry.create_file(&file("f", &a.id, "f")).await.unwrap();
    registry.create_file(&file("taken", &root, "taken")).await.unwrap();
    for called in ["b", "taken"] {
        let next = ContainerRecord { name: name(called), ..a.clone() };
        assert_eq!(no(registry.commit_container(&next).await), No::NameTaken);
        assert_eq!(registry.container(&a.id).await.unwrap(), a);
        assert_eq!(registry.container_named(&root, &name("a")).await.unwrap(), a);
    }
    let renamed = registry.commit_container(&ContainerRecord { name: name("c"), ..a }).await.unwrap();
    assert_eq!(registry.container_named(&root, &name("c")).await.unwrap(), renamed);
    assert_eq!(no(registry.container_named(&root, &name("a")).await), No::NotFound);
    let nowhere = ContainerRecord { parent: Some(container_id("nowhere")), ..renamed.clone() };
    assert_eq!(no(registry.commit_container(&nowhere).await), No::NotFound);
    let moved = ContainerRecord { parent: Some(b.id.clone()), ..renamed };
    let moved = registry.commit_container(&moved).await.unwrap();
    assert_eq!(registry.container_named(&b.id, &name("c")).await.unwrap(), moved);
    assert_eq!(no(registry.container_named(&root, &name("c")).await), No::NotFound);
    assert_eq!(registry.file_named(&moved.id, &name("f")).await.unwrap(), inside);
    registry.create_container(&container("c2", &root, "c")).await.unwrap();
}

/// Containers in a container are listed by name, byte for byte, in pages of any size.
pub async fn containers_are_listed_by_name_in_pages(registry: Fresh) {
    let root = registry.root().await.unwrap().id;
    let mut names: Vec<String> = (0..20).map(|number| format!("{:02} c", number * 7 % 20)).collect();
    names.extend(["Z", "a", "Ä", "é", "😀"].map(str::to_owned));
    for (number, called) in names.iter().enumerate() {
        registry.create_container(&container(&format!("c{number}"), &root, called)).await.unwrap();
        registry.create_file(&file(&format!("f{number}"), &root, &format!("{called}.txt"))).await.unwrap();
    }
    names.sort();
    for limit in [1, 6, 25, usize::MAX] {
        let mut listed: Vec<String> = Vec::new();
        for _ in 0..=names.len() {
            let page = Page { after: listed.last().cloned(), limit };
            let part = registry.containers_in(&root, &page).await.unwrap();
            assert!(part.len() <= limit);
            if part.is_empty() {
                break;
            }
            listed.extend(part.into_iter().map(|container| container.name.as_str().to_owned()));
        }
        assert_eq!(listed, names, "in pages of {limit}");
    }
    assert_eq!(registry.containers_in(&root, &Page { after: None, limit: 0 }).await.unwrap(), []);
}

/// Containers are found by inode and time of birth.
pub async fn containers_are_found_by_inode_and_birth(registry: Fresh) {
    let root = registry.root().await.unwrap().id;
    for (id, fingerprint) in [("a", seen(7, Some(1))), ("b", seen(7, None)), ("c", seen(8, Some(1))), ("d", None)] {
        let record = ContainerRecord { seen: fingerprint, ..container(id, &root, id) };
        registry.create_container(&record).await.unwrap();
    }
    for (inode, born_ns, expected) in [(7, Some(1), Some("a")), (7, None, Some("b")), (7, Some(2), None)] {
        let wanted = Fingerprint { inode, born_ns, size: 9, modified_ns: 9 };
        let found = registry.containers_seen_as(&wanted).await.unwrap();
        let found: Vec<_> = found.into_iter().map(|container| container.id).collect();
        assert_eq!(found, expected.map(container_id).into_iter().collect::<Vec<_>>());
    }
}

/// A container with files or containers in it stays; deleted files are nothing in it.
pub async fn a_container_with_something_in_it_stays(registry: Fresh) {
    let root = registry.root().await.unwrap().id;
    let a = registry.create_container(&container("a", &root, "a")).await.unwrap();
    let inner = registry.create_container(&container("inner", &a.id, "inner")).await.unwrap();
    let record = registry.create_file(&file("f", &a.id, "f")).await.unwrap();
    assert_eq!(no(registry.remove_container(&a.id, a.revision).await), No::NotEmpty);
    registry.remove_container(&inner.id, inner.revision).await.unwrap();
    assert_eq!(no(registry.remove_container(&a.id, a.revision).await), No::NotEmpty);
    assert_eq!(registry.container(&a.id).await.unwrap(), a);
    let deleted = FileRecord { deleted_at: Some(Timestamp(1)), ..record };
    let commit = lectern_host::ports::FileCommit { record: deleted, replaced: None };
    let deleted = registry.commit_file(&commit).await.unwrap();
    registry.remove_container(&a.id, a.revision).await.unwrap();
    for id in ["a", "inner"] {
        assert_eq!(no(registry.container(&container_id(id)).await), No::NotFound);
    }
    assert_eq!(no(registry.container_named(&root, &name("a")).await), No::NotFound);
    assert_eq!(registry.file(&file_id("f")).await.unwrap(), deleted);
    registry.create_container(&container("again", &root, "a")).await.unwrap();
}

/// A container is removed only at the revision that was seen.
pub async fn a_container_is_removed_only_at_the_revision_that_was_seen(registry: Fresh) {
    let root = registry.root().await.unwrap().id;
    let first = registry.create_container(&container("a", &root, "a")).await.unwrap();
    let renamed = ContainerRecord { name: name("b"), ..first.clone() };
    let second = registry.commit_container(&renamed).await.unwrap();
    assert_eq!(no(registry.remove_container(&first.id, first.revision).await), No::Conflict);
    assert_eq!(registry.container(&first.id).await.unwrap(), second);
    assert_eq!(no(registry.remove_container(&container_id("unknown"), Revision(1)).await), No::NotFound);
}

/// A container is removed, or files are made in it, but no file ends up in a container that is gone.
pub async fn a_container_that_is_removed_while_files_are_made_in_it_loses_none(registry: Fresh) {
    let root = registry.root().await.unwrap().id;
    for round in 0..8 {
        let id = format!("c{round}");
        let record = registry.create_container(&container(&id, &root, &id)).await.unwrap();
        let answers = race((0..6).map(|number| {
            let (registry, record) = (registry.clone(), record.clone());
            async move {
                if number == round % 6 {
                    registry.remove_container(&record.id, record.revision).await
                } else {
                    let id = format!("f{round}-{number}");
                    registry.create_file(&file(&id, &record.id, &id)).await.map(drop)
                }
            }
        }))
        .await;
        let remover = usize::try_from(round % 6).unwrap();
        let removed = answers[remover].is_ok();
        for (number, answer) in answers.into_iter().enumerate() {
            match answer {
                Ok(()) => assert!(number == remover || !removed, "a file in a removed container"),
                Err(RegistryError::NotEmpty) => assert_eq!(number, remover),
                Err(RegistryError::NotFound) => assert!(number != remover && removed),
                Err(error) => panic!("{error:?}"),
            }
        }
        assert_eq!(registry.container(&record.id).await.is_err(), removed);
    }
}

/// A file comes with its containers, from its own up to the root.
pub async fn a_file_comes_with_the_containers_it_is_in(registry: Fresh) {
    let root = registry.root().await.unwrap();
    let a = registry.create_container(&container("a", &root.id, "a")).await.unwrap();
    let b = registry.create_container(&container("b", &a.id, "b")).await.unwrap();
    let deep = registry.create_file(&file("deep", &b.id, "deep")).await.unwrap();
    let shallow = registry.create_file(&file("shallow", &root.id, "shallow")).await.unwrap();
    for _ in 0..2 {
        let found = registry.file_and_containers(&deep.id).await.unwrap();
        assert_eq!(found, (deep.clone(), vec![b.clone(), a.clone(), root.clone()]));
        let found = registry.file_and_containers(&shallow.id).await.unwrap();
        assert_eq!(found, (shallow.clone(), vec![root.clone()]));
    }
    let a = registry.commit_container(&ContainerRecord { name: name("renamed"), ..a }).await.unwrap();
    assert_eq!(registry.file_and_containers(&deep.id).await.unwrap().1, [b.clone(), a, root]);
    assert_eq!(no(registry.file_and_containers(&file_id("unknown")).await), No::NotFound);

    let deleted = FileRecord { deleted_at: Some(Timestamp(1)), ..deep };
    let commit = lectern_host::ports::FileCommit { record: deleted, replaced: None };
    let deleted = registry.commit_file(&commit).await.unwrap();
    registry.remove_container(&b.id, b.revision).await.unwrap();
    assert_eq!(registry.file_and_containers(&deleted.id).await.unwrap(), (deleted, vec![]));
}
