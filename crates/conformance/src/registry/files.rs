//! Files: records, revisions, names.

use std::collections::BTreeSet;

use lectern_host::ports::{FileCommit, Page, RegistryError};
use lectern_host::records::{
    CoauthLock, CoauthTable, Content, FileRecord, Fingerprint, Held, LockState, ModifiedAt, Pending, Revision,
    Timestamp, VersionEntry, VersionMark,
};
use lectern_host::wopi::coauth::{CoauthLockId, CoauthLockMetadata, CoauthLockType};
use lectern_host::wopi::{ContainerId, FileId, ItemVersion, LockId};

use super::samples::{
    coauth_lock, coauthored, container, container_id, content, content_id, file, file_id, fingerprint, held, name,
    user_id,
};
use super::{Fresh, No, no, race};

pub(super) fn commit(record: &FileRecord) -> FileCommit {
    FileCommit { record: record.clone(), replaced: None }
}

pub(super) async fn root(registry: &Fresh) -> ContainerId {
    registry.root().await.unwrap().id
}

fn replaced_by(record: &FileRecord) -> VersionEntry {
    VersionEntry {
        file: record.id.clone(),
        version: record.version,
        content: record.content.clone(),
        label: None,
        keep: false,
    }
}

/// Records whose fields are all there, at their edges, and in every variant.
fn elaborate(root: &ContainerId) -> Vec<FileRecord> {
    let long = file("long", root, &"x".repeat(255));
    let full = FileRecord {
        id: file_id(&"i".repeat(200)),
        container: root.clone(),
        name: name("Übersicht – 概要 😀 'quoted\" %_;.docx"),
        revision: Revision(0),
        owner: user_id("owner"),
        created_at: Timestamp(i64::MAX),
        version: ItemVersion(u64::MAX),
        content: Content {
            id: content_id(u64::MAX),
            size: u64::MAX,
            sha256: Some([0xFE; 32]),
            modified_at: ModifiedAt(17_000_000_000_000_001),
            saved_by: Some(user_id("bob")),
            editors: vec!["a,b".into(), String::new(), "\"ü\"\\\u{1}".into()],
            autosave: true,
        },
        lock: LockState::Wopi(Held {
            id: LockId::parse(&format!("{{\"S\":\"{}\"}}", "'".repeat(1016))).unwrap(),
            expires_at: Timestamp(i64::MIN),
            since: Timestamp(-1),
            by: user_id("carol"),
            client: Some("Bürö".into()),
            visible_as: Some("Carol \"C\" Ünsal".into()),
        }),
        seen: Some(Fingerprint { inode: u64::MAX, born_ns: Some(i64::MIN), size: u64::MAX, modified_ns: i64::MIN }),
        pending: Some(Pending::Publish {
            replaces: Some((content_id(1), Fingerprint { inode: 1 << 63, born_ns: None, size: 0, modified_ns: -1 })),
        }),
        deleted_at: None,
        mark: VersionMark { label: Some("Übergabe 'A' \"1\"".into()), keep: true },
    };
    let exclusive = CoauthLock {
        id: CoauthLockId::parse(&"\"\\'~ ".repeat(204)).unwrap(),
        kind: CoauthLockType::CoauthExclusive,
        metadata: CoauthLockMetadata::new("ü\"\\\u{1}\n".repeat(600)).unwrap(),
        expires_at: Timestamp(i64::MIN),
        since: Timestamp(i64::MAX),
        by: user_id("bob"),
        user_name: "山田 \"太郎\"".into(),
    };
    let crowd = (0..CoauthTable::LOCKS_MAX).map(|number| coauth_lock(&format!("{{{number}}}"))).collect();
    vec![
        full,
        FileRecord { lock: coauthored(vec![exclusive, coauth_lock("C1")]), ..file("coauthored", root, "coauthored") },
        FileRecord { lock: coauthored(crowd), ..file("crowd", root, "crowd") },
        FileRecord { lock: held("x"), pending: Some(Pending::Publish { replaces: None }), ..long },
        FileRecord { pending: Some(Pending::Rename { from: name("before…") }), ..file("renamed", root, "now") },
        FileRecord {
            pending: Some(Pending::Move { container: container_id("elsewhere"), from: name("before… b") }),
            ..file("moved", root, "there")
        },
        FileRecord {
            pending: Some(Pending::Bin),
            deleted_at: Some(Timestamp(0)),
            seen: Some(Fingerprint { inode: 0, born_ns: None, size: 0, modified_ns: 0 }),
            ..file("binned", root, "gone")
        },
        FileRecord { content: Content { size: 0, ..content(0) }, ..file("A.b_c=d-e", root, ".hidden") },
    ]
}

/// Every field of a file comes back, as it was created and as it was committed over another record.
pub async fn every_field_of_a_file_comes_back(registry: Fresh) {
    let root = root(&registry).await;
    for (number, record) in elaborate(&root).into_iter().enumerate() {
        let created = registry.create_file(&record).await.unwrap();
        assert_eq!(created, FileRecord { revision: Revision(1), ..record.clone() });
        assert_eq!(registry.file(&record.id).await.unwrap(), created);

        let plain = file(&format!("plain{number}"), &root, &format!("plain{number}"));
        let plain = registry.create_file(&plain).await.unwrap();
        let renamed = name(&format!("other{number}"));
        let next = FileRecord { id: plain.id.clone(), revision: plain.revision, name: renamed, ..record.clone() };
        let stored = registry.commit_file(&commit(&next)).await.unwrap();
        assert_eq!(stored, FileRecord { revision: Revision(2), ..next });
        assert_eq!(registry.file(&plain.id).await.unwrap(), stored);

        // Also as a listing reads it, past every cache.
        let page = Page { after: None, limit: usize::MAX };
        let listed = registry.files_in(&root, &page).await.unwrap();
        for expected in [created, stored].into_iter().filter(|expected| expected.deleted_at.is_none()) {
            assert_eq!(listed.iter().find(|listed| listed.id == expected.id), Some(&expected));
        }
        let pending = registry.files_pending().await.unwrap();
        assert!(pending.iter().all(|file| file.pending.is_some()));
    }
}

/// A commit that changes nothing but who holds the file brings every kind of lock and takes it away again.
pub async fn every_lock_follows_every_other(registry: Fresh) {
    let root = root(&registry).await;
    let mut record = registry.create_file(&file("a", &root, "a")).await.unwrap();
    let Held { id, expires_at, since, by, .. } = match held("A") {
        LockState::Wopi(held) => held,
        other => panic!("{other:?}"),
    };
    let seen = LockState::Wopi(Held { id, expires_at, since, by, client: None, visible_as: Some("Alice".into()) });
    let two = coauthored(vec![coauth_lock("C1"), coauth_lock("C2")]);
    let states = [LockState::Free, held("A"), seen, coauthored(vec![coauth_lock("C1")]), two];
    for before in &states {
        for after in &states {
            for lock in [before, after] {
                let next = FileRecord { lock: lock.clone(), ..record.clone() };
                record = registry.commit_file(&commit(&next)).await.unwrap();
                assert_eq!(record, FileRecord { revision: record.revision, ..next });
                assert_eq!(registry.file(&record.id).await.unwrap(), record);
                let listed = registry.files_in(&root, &Page { after: None, limit: 9 }).await.unwrap();
                assert_eq!(listed, [record.clone()]);
            }
        }
    }
}

/// A created file has revision 1, whatever its record says, and is found by its id and by its name.
pub async fn a_created_file_has_revision_1_and_is_found_by_id_and_name(registry: Fresh) {
    let root = root(&registry).await;
    assert_eq!(no(registry.file(&file_id("a")).await), No::NotFound);
    assert_eq!(no(registry.file_named(&root, &name("a.txt")).await), No::NotFound);
    assert_eq!(registry.file_count().await.unwrap(), 0);

    let record = FileRecord { revision: Revision(77), ..file("a", &root, "a.txt") };
    let stored = registry.create_file(&record).await.unwrap();
    assert_eq!(stored.revision, Revision(1));
    assert_eq!(registry.file(&file_id("a")).await.unwrap(), stored);
    assert_eq!(registry.file_named(&root, &name("a.txt")).await.unwrap(), stored);
    assert_eq!(registry.file_count().await.unwrap(), 1);
}

/// An id is used once; a container that is not there has no files.
pub async fn a_file_is_created_once_and_only_in_a_container_that_is_there(registry: Fresh) {
    let root = root(&registry).await;
    let stored = registry.create_file(&file("a", &root, "a")).await.unwrap();
    assert_eq!(no(registry.create_file(&file("a", &root, "b")).await), No::Conflict);
    assert_eq!(registry.file(&stored.id).await.unwrap(), stored);
    assert_eq!(no(registry.file_named(&root, &name("b")).await), No::NotFound);

    let nowhere = container_id("nowhere");
    assert_eq!(no(registry.create_file(&file("c", &nowhere, "c")).await), No::NotFound);
    assert_eq!(no(registry.file(&file_id("c")).await), No::NotFound);
    assert_eq!(registry.files_in(&nowhere, &Page { after: None, limit: 9 }).await.unwrap(), []);
}

/// A commit is stored with the next revision, and the next read sees it, by whichever way it reads.
pub async fn a_commit_counts_the_revision_and_is_what_the_next_read_sees(registry: Fresh) {
    let root = root(&registry).await;
    let mut record = registry.create_file(&file("a", &root, "a")).await.unwrap();
    for round in 0..20 {
        record.lock = if round % 3 == 0 { LockState::Free } else { held(&format!("lock {round}")) };
        if round % 4 == 0 {
            record.version = record.version.next();
            record.content = content(1000 + round);
        }
        let stored = registry.commit_file(&commit(&record)).await.unwrap();
        assert_eq!(stored, FileRecord { revision: Revision(round + 2), ..record });
        assert_eq!(registry.file(&stored.id).await.unwrap(), stored);
        assert_eq!(registry.file_named(&root, &stored.name).await.unwrap(), stored);
        assert_eq!(
            registry.files_in(&root, &Page { after: None, limit: 9 }).await.unwrap(),
            std::slice::from_ref(&stored)
        );
        record = stored;
    }
}

/// A commit at another revision, older or newer, is a conflict and has changed nothing.
pub async fn a_commit_at_another_revision_is_a_conflict_and_changes_nothing(registry: Fresh) {
    let root = root(&registry).await;
    let first = registry.create_file(&file("a", &root, "a")).await.unwrap();
    let second = registry.commit_file(&commit(&FileRecord { lock: held("A"), ..first.clone() })).await.unwrap();
    let attempts = [
        FileRecord { lock: held("B"), ..first.clone() },
        FileRecord { name: name("b"), ..first.clone() },
        FileRecord { content: content(9), ..first.clone() },
        FileRecord { deleted_at: Some(Timestamp(1)), ..first.clone() },
        FileRecord { lock: LockState::Free, revision: Revision(3), ..second.clone() },
        FileRecord { revision: Revision(0), ..second.clone() },
    ];
    for attempt in attempts {
        assert_eq!(no(registry.commit_file(&commit(&attempt)).await), No::Conflict, "{attempt:?}");
        assert_eq!(registry.file(&first.id).await.unwrap(), second);
        assert_eq!(registry.file_named(&root, &name("a")).await.unwrap(), second);
        assert_eq!(no(registry.file_named(&root, &name("b")).await), No::NotFound);
    }
    let unknown = FileRecord { revision: Revision(1), ..file("unknown", &root, "unknown") };
    assert_eq!(no(registry.commit_file(&commit(&unknown)).await), No::NotFound);
}

/// What goes with a commit is stored with it or not at all.
pub async fn a_commit_that_is_refused_leaves_no_history(registry: Fresh) {
    let root = root(&registry).await;
    let other = registry.create_file(&file("b", &root, "b")).await.unwrap();
    let record = registry.create_file(&file("a", &root, "a")).await.unwrap();
    let next = FileRecord { version: record.version.next(), content: content(5), ..record.clone() };

    let stale = FileRecord { revision: Revision(9), ..next.clone() };
    let replaced = Some(replaced_by(&record));
    let refused = registry.commit_file(&FileCommit { record: stale, replaced: replaced.clone() }).await;
    assert_eq!(no(refused), No::Conflict);
    let taken = FileRecord { name: other.name.clone(), ..next.clone() };
    let refused = registry.commit_file(&FileCommit { record: taken, replaced: replaced.clone() }).await;
    assert_eq!(no(refused), No::NameTaken);
    assert_eq!(registry.versions(&record.id).await.unwrap(), []);
    assert_eq!(registry.file(&record.id).await.unwrap(), record);
    assert_eq!(registry.file_named(&root, &record.name).await.unwrap(), record);

    let stored = registry.commit_file(&FileCommit { record: next, replaced }).await.unwrap();
    assert_eq!(stored.content, content(5));
    assert_eq!(registry.versions(&record.id).await.unwrap(), [replaced_by(&record)]);
}

/// Of two commits at one revision (here: of many) exactly one wins; the others get a conflict.
pub async fn of_two_commits_at_one_revision_exactly_one_wins(registry: Fresh) {
    let root = root(&registry).await;
    let mut record = registry.create_file(&file("a", &root, "a")).await.unwrap();
    for round in 0..10 {
        let answers = race((0..16).map(|writer| {
            let registry = registry.clone();
            let next = FileRecord { lock: held(&format!("round {round} writer {writer}")), ..record.clone() };
            async move { registry.commit_file(&commit(&next)).await }
        }))
        .await;
        let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert_eq!(won.len(), 1, "winners in round {round}");
        assert!(lost.into_iter().all(|answer| no(answer) == No::Conflict));
        let stored = registry.file(&record.id).await.unwrap();
        assert_eq!(won.into_iter().next().unwrap().unwrap(), stored);
        record = stored;
    }
}

/// 16 writers that load, decide and commit 25 times each, and begin again on a conflict, end at 400.
pub async fn sixteen_writers_of_25_increments_lose_none(registry: Fresh) {
    const WRITERS: u64 = 16;
    const INCREMENTS: u64 = 25;
    let root = root(&registry).await;
    let first = registry.create_file(&file("a", &root, "a")).await.unwrap();
    race((0..WRITERS).map(|writer| {
        let (registry, id) = (registry.clone(), first.id.clone());
        async move {
            for _ in 0..INCREMENTS {
                // Somebody wins every round, so nobody needs more attempts than there are increments.
                let mut attempts = 0..=WRITERS * INCREMENTS;
                while attempts.next().is_some() {
                    let before = registry.file(&id).await.unwrap();
                    let mut next = FileRecord { version: before.version.next(), ..before.clone() };
                    next.lock = held(&format!("writer {writer}"));
                    match registry.commit_file(&FileCommit { record: next, replaced: Some(replaced_by(&before)) }).await
                    {
                        Ok(_) => break,
                        Err(RegistryError::Conflict) => {}
                        Err(error) => panic!("{error:?}"),
                    }
                }
                assert!(!attempts.is_empty(), "never won");
            }
        }
    }))
    .await;
    let end = registry.file(&first.id).await.unwrap();
    assert_eq!(end.version, ItemVersion(1 + WRITERS * INCREMENTS));
    assert_eq!(end.revision, Revision(1 + WRITERS * INCREMENTS));
    let versions: Vec<_> = registry.versions(&first.id).await.unwrap().iter().map(|entry| entry.version.0).collect();
    assert_eq!(versions, (1..=WRITERS * INCREMENTS).rev().collect::<Vec<_>>());
}

/// While somebody commits, what others read only moves forward, and never lags behind what they know was answered.
pub async fn a_read_never_goes_back_while_somebody_commits(registry: Fresh) {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    const COMMITS: u64 = 200;
    const LOOKS_MAX: u32 = 10_000_000;
    let root = root(&registry).await;
    let first = registry.create_file(&file("a", &root, "a")).await.unwrap();
    let answered = Arc::new(AtomicU64::new(first.revision.0));
    let writer = {
        let (registry, answered, mut record) = (registry.clone(), answered.clone(), first.clone());
        tokio::spawn(async move {
            for number in 0..COMMITS {
                record.lock = held(&format!("lock {number}"));
                record = registry.commit_file(&commit(&record)).await.unwrap();
                answered.store(record.revision.0, Ordering::SeqCst);
            }
        })
    };
    race((0..3).map(|_| {
        let (registry, answered, id) = (registry.clone(), answered.clone(), first.id.clone());
        async move {
            let mut last = 0;
            // Every look lets the others run, so this ends with the writer.
            for look in 0.. {
                if last > COMMITS {
                    break;
                }
                assert!(look < LOOKS_MAX, "the writer does not get on: revision {last}");
                let known = answered.load(Ordering::SeqCst);
                let seen = registry.file(&id).await.unwrap().revision.0;
                assert!(seen >= known, "read revision {seen} after {known} was answered");
                assert!(seen >= last, "read revision {seen} after {last}");
                last = seen;
                tokio::task::yield_now().await;
            }
        }
    }))
    .await;
    writer.await.unwrap();
}

/// Files are found by inode and time of birth, whatever their size and time are now.
pub async fn files_are_found_by_inode_and_birth_unless_deleted(registry: Fresh) {
    let root = root(&registry).await;
    let with = |id: &str, inode, born_ns| FileRecord {
        seen: Some(Fingerprint { inode, born_ns, size: 1, modified_ns: 1 }),
        ..file(id, &root, id)
    };
    let inodes = [("a", 7, Some(1)), ("b", 7, Some(2)), ("c", 7, None), ("d", 8, Some(1)), ("e", u64::MAX, None)];
    for (id, inode, born_ns) in inodes {
        registry.create_file(&with(id, inode, born_ns)).await.unwrap();
    }
    registry.create_file(&with("g", 7, Some(1))).await.unwrap();
    registry.create_file(&file("f", &root, "f")).await.unwrap();
    let gone = FileRecord { deleted_at: Some(Timestamp(1)), ..with("gone", 7, Some(1)) };
    registry.create_file(&gone).await.unwrap();
    for (inode, born_ns, expected) in [
        (7, Some(1), vec!["a", "g"]),
        (7, Some(2), vec!["b"]),
        (7, None, vec!["c"]),
        (8, Some(1), vec!["d"]),
        (u64::MAX, None, vec!["e"]),
        (9, None, vec![]),
    ] {
        let seen = Fingerprint { inode, born_ns, size: 99, modified_ns: 99 };
        let found: BTreeSet<_> = registry.files_seen_as(&seen).await.unwrap().into_iter().map(|file| file.id).collect();
        assert_eq!(found, expected.into_iter().map(file_id).collect(), "{inode} {born_ns:?}");
    }
    // What is committed is found, and what was there before is not.
    let a = registry.file(&file_id("a")).await.unwrap();
    registry.commit_file(&commit(&FileRecord { seen: Some(fingerprint(100)), ..a })).await.unwrap();
    let g = registry.file(&file_id("g")).await.unwrap();
    registry.commit_file(&commit(&FileRecord { seen: None, ..g })).await.unwrap();
    assert_eq!(registry.files_seen_as(&fingerprint(7)).await.unwrap(), []);
    assert_eq!(registry.files_seen_as(&fingerprint(100)).await.unwrap().len(), 1);
}

/// Files with something pending are listed, deleted ones too, until the note is cleared.
pub async fn files_with_something_pending_are_listed_deleted_ones_too(registry: Fresh) {
    let root = root(&registry).await;
    registry.create_file(&file("plain", &root, "plain")).await.unwrap();
    let notes = [
        ("publish", Pending::Publish { replaces: Some((content_id(1), fingerprint(1))) }, None),
        ("first", Pending::Publish { replaces: None }, None),
        ("rename", Pending::Rename { from: name("x") }, None),
        ("move", Pending::Move { container: container_id("c"), from: name("x") }, None),
        ("bin", Pending::Bin, Some(Timestamp(1))),
    ];
    let mut expected = BTreeSet::new();
    for (id, pending, deleted_at) in notes {
        let record = registry.create_file(&file(id, &root, id)).await.unwrap();
        registry.commit_file(&commit(&FileRecord { pending: Some(pending), deleted_at, ..record })).await.unwrap();
        expected.insert(file_id(id));
    }
    while let Some(id) = expected.first().cloned() {
        let pending: BTreeSet<FileId> =
            registry.files_pending().await.unwrap().into_iter().map(|file| file.id).collect();
        assert_eq!(pending, expected);
        let record = registry.file(&id).await.unwrap();
        registry.commit_file(&commit(&FileRecord { pending: None, ..record })).await.unwrap();
        expected.remove(&id);
    }
    assert_eq!(registry.files_pending().await.unwrap(), []);
}

/// Many files are created in one go; those whose name is taken, by others or among themselves, are left out.
pub async fn many_files_are_created_at_once_but_those_whose_name_is_taken(registry: Fresh) {
    let root = root(&registry).await;
    registry.create_files(&[]).await.unwrap();
    let before = registry.create_file(&file("before", &root, "n3")).await.unwrap();
    registry.create_container(&container("c", &root, "n5")).await.unwrap();
    let mut records: Vec<_> =
        (0..300).map(|number| file(&format!("f{number}"), &root, &format!("n{number}"))).collect();
    records.push(file("again", &root, "n7"));
    records.push(FileRecord { deleted_at: Some(Timestamp(1)), ..file("gone", &root, "n8") });
    registry.create_files(&records).await.unwrap();
    for record in &records {
        let left_out = ["f3", "f5", "again"].contains(&record.id.as_str());
        match registry.file(&record.id).await {
            Ok(stored) => assert_eq!(stored, FileRecord { revision: Revision(1), ..record.clone() }),
            Err(error) => assert!(left_out && matches!(error, RegistryError::NotFound), "{:?}: {error}", record.id),
        }
        assert_eq!(registry.file(&record.id).await.is_err(), left_out, "{:?}", record.id);
    }
    assert_eq!(registry.file_named(&root, &name("n3")).await.unwrap(), before);
    assert_eq!(registry.file_named(&root, &name("n7")).await.unwrap().id, file_id("f7"));
    assert_eq!(registry.file_count().await.unwrap(), 299);
}

/// When one of many cannot be created for another reason than its name, none is.
pub async fn many_files_are_created_together_or_not_at_all(registry: Fresh) {
    let root = root(&registry).await;
    let before = registry.create_file(&file("a", &root, "a")).await.unwrap();
    let nowhere = container_id("nowhere");
    for (bad, answer) in [(file("a", &root, "other"), No::Conflict), (file("b", &nowhere, "b"), No::NotFound)] {
        let records = [file("x", &root, "x"), bad, file("y", &root, "y")];
        assert_eq!(no(registry.create_files(&records).await), answer);
        for id in ["x", "y", "b"] {
            assert_eq!(no(registry.file(&file_id(id)).await), No::NotFound);
            assert_eq!(no(registry.file_named(&root, &name(id)).await), No::NotFound);
        }
        assert_eq!(no(registry.file_named(&root, &name("other")).await), No::NotFound);
        assert_eq!(registry.file(&before.id).await.unwrap(), before);
    }
}

/// A removed file is forgotten with its history, and its name and id are free.
pub async fn a_removed_file_is_forgotten_with_its_history(registry: Fresh) {
    let root = root(&registry).await;
    let first = registry.create_file(&file("a", &root, "a")).await.unwrap();
    let next = FileRecord { version: ItemVersion(2), content: content(2), ..first.clone() };
    let second = registry.commit_file(&FileCommit { record: next, replaced: Some(replaced_by(&first)) }).await.unwrap();
    registry.remove_file(&first.id, second.revision).await.unwrap();
    assert_eq!(no(registry.file(&first.id).await), No::NotFound);
    assert_eq!(no(registry.file_named(&root, &name("a")).await), No::NotFound);
    assert_eq!(registry.versions(&first.id).await.unwrap(), []);
    assert_eq!(registry.files_with_versions(None, 9).await.unwrap(), []);
    assert_eq!(no(registry.commit_file(&commit(&second)).await), No::NotFound);
    let contents = [first.content.id, second.content.id];
    assert_eq!(registry.unreferenced(&contents).await.unwrap(), contents);
    let again = registry.create_file(&file("a", &root, "a")).await.unwrap();
    assert_eq!(registry.file(&first.id).await.unwrap(), again);
    // A deleted one is removed without touching whoever has its name now.
    let deleted = FileRecord { deleted_at: Some(Timestamp(1)), ..file("d", &root, "a") };
    let deleted = registry.create_file(&deleted).await.unwrap();
    registry.remove_file(&deleted.id, deleted.revision).await.unwrap();
    assert_eq!(registry.file_named(&root, &name("a")).await.unwrap(), again);
}

/// A file is removed only at the revision that was seen.
pub async fn a_file_is_removed_only_at_the_revision_that_was_seen(registry: Fresh) {
    let root = root(&registry).await;
    let first = registry.create_file(&file("a", &root, "a")).await.unwrap();
    let second = registry.commit_file(&commit(&FileRecord { lock: held("A"), ..first.clone() })).await.unwrap();
    assert_eq!(no(registry.remove_file(&first.id, first.revision).await), No::Conflict);
    assert_eq!(registry.file(&first.id).await.unwrap(), second);
    assert_eq!(registry.file_named(&root, &name("a")).await.unwrap(), second);
    assert_eq!(no(registry.remove_file(&file_id("unknown"), Revision(1)).await), No::NotFound);
}
