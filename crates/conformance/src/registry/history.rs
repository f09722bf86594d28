//! Versions, rescued saves, what is still pointed to, and discovery documents.

use lectern_host::ports::{FileCommit, Tally, Usage};
use lectern_host::records::{
    Content, ContentId, DiscoveryCache, FileRecord, ModifiedAt, Pending, RescuedSave, Timestamp, VersionEntry,
};
use lectern_host::wopi::{FileId, ItemVersion};

use super::samples::{content, content_id, file, file_id, fingerprint, name, user_id};
use super::{Fresh, No, no};

/// Creates a file and saves it so often that it has versions 1 to `count` in its history.
async fn with_history(registry: &Fresh, id: &str, count: u64) -> FileRecord {
    let root = registry.root().await.unwrap().id;
    let mut record = registry.create_file(&file(id, &root, id)).await.unwrap();
    for _ in 0..count {
        let next =
            FileRecord { version: record.version.next(), content: content(record.version.0 + 1), ..record.clone() };
        let replaced = Some(entry(&record, None, false));
        record = registry.commit_file(&FileCommit { record: next, replaced }).await.unwrap();
    }
    record
}

fn entry(record: &FileRecord, label: Option<&str>, keep: bool) -> VersionEntry {
    VersionEntry {
        file: record.id.clone(),
        version: record.version,
        content: record.content.clone(),
        label: label.map(str::to_owned),
        keep,
    }
}

fn rescued(number: u64, user: &str, at: i64) -> RescuedSave {
    RescuedSave {
        content: content_id(number),
        file: file_id("a"),
        file_name: name("a.docx"),
        user: user_id(user),
        client: None,
        size: number,
        sha256: [number.to_be_bytes()[7]; 32],
        reason: "locked".to_owned(),
        at: Timestamp(at),
    }
}

/// Every field of a version comes back.
pub async fn every_field_of_a_version_comes_back(registry: Fresh) {
    let root = registry.root().await.unwrap().id;
    let record = registry.create_file(&file("a", &root, "a")).await.unwrap();
    let full = VersionEntry {
        file: record.id.clone(),
        version: ItemVersion(1),
        content: Content {
            id: content_id(77),
            size: u64::MAX,
            sha256: Some([9; 32]),
            modified_at: ModifiedAt(-1),
            saved_by: Some(user_id("bob")),
            editors: vec!["ü".into(), "b c".into()],
            autosave: true,
        },
        label: Some("before the 'review' – 概要".into()),
        keep: true,
    };
    let next = FileRecord { version: ItemVersion(2), ..record };
    let record = registry.commit_file(&FileCommit { record: next, replaced: Some(full.clone()) }).await.unwrap();
    let plain = entry(&record, None, false);
    let next = FileRecord { version: ItemVersion(3), ..record.clone() };
    registry.commit_file(&FileCommit { record: next, replaced: Some(plain.clone()) }).await.unwrap();
    assert_eq!(registry.versions(&record.id).await.unwrap(), [plain, full]);
}

/// The versions of a file are listed latest first; those of others are not.
pub async fn versions_are_listed_latest_first(registry: Fresh) {
    let a = with_history(&registry, "a", 12).await;
    with_history(&registry, "b", 3).await;
    let versions: Vec<u64> = registry.versions(&a.id).await.unwrap().into_iter().map(|entry| entry.version.0).collect();
    assert_eq!(versions, (1..=12).rev().collect::<Vec<_>>());
    assert_eq!(registry.versions(&file_id("unknown")).await.unwrap(), []);
}

/// A version goes into the history once; a commit that wants it there again is refused as a whole.
pub async fn a_version_is_replaced_once(registry: Fresh) {
    let record = with_history(&registry, "a", 1).await;
    let before = registry.versions(&record.id).await.unwrap();
    let next = FileRecord { version: ItemVersion(3), ..record.clone() };
    let again = FileCommit { record: next, replaced: Some(before[0].clone()) };
    assert_eq!(no(registry.commit_file(&again).await), No::Conflict);
    assert_eq!(registry.file(&record.id).await.unwrap(), record);
    assert_eq!(registry.versions(&record.id).await.unwrap(), before);
}

/// What is known of one version is replaced: its label, whether it is kept, size and hash of its content.
pub async fn a_version_is_amended(registry: Fresh) {
    let record = with_history(&registry, "a", 3).await;
    let mut versions = registry.versions(&record.id).await.unwrap();
    versions[1].label = Some("final".into());
    versions[1].keep = true;
    versions[1].content.size = 12_345;
    versions[1].content.sha256 = Some([3; 32]);
    registry.amend_version(&versions[1]).await.unwrap();
    assert_eq!(registry.versions(&record.id).await.unwrap(), versions);
    versions[1].label = None;
    registry.amend_version(&versions[1]).await.unwrap();
    assert_eq!(registry.versions(&record.id).await.unwrap(), versions);
    let unknown = VersionEntry { version: ItemVersion(99), ..versions[0].clone() };
    assert_eq!(no(registry.amend_version(&unknown).await), No::NotFound);
}

/// Versions are taken out of the history one by one; unknown ones are success.
pub async fn versions_are_removed_one_by_one(registry: Fresh) {
    let a = with_history(&registry, "a", 5).await;
    let b = with_history(&registry, "b", 5).await;
    registry.remove_versions(&a.id, &[ItemVersion(2), ItemVersion(4), ItemVersion(99)]).await.unwrap();
    registry.remove_versions(&a.id, &[]).await.unwrap();
    registry.remove_versions(&file_id("unknown"), &[ItemVersion(1)]).await.unwrap();
    let left = |entries: Vec<VersionEntry>| entries.into_iter().map(|entry| entry.version.0).collect::<Vec<_>>();
    assert_eq!(left(registry.versions(&a.id).await.unwrap()), [5, 3, 1]);
    assert_eq!(left(registry.versions(&b.id).await.unwrap()), [5, 4, 3, 2, 1]);
    assert_eq!(registry.file(&a.id).await.unwrap(), a);
}

/// The walk over the files that have versions sees each once, in parts of any size.
pub async fn the_walk_over_files_with_versions_sees_each_once(registry: Fresh) {
    for (id, count) in [("e", 1), ("a", 3), ("c", 2), ("b", 0), ("d", 4), ("f", 2)] {
        with_history(&registry, id, count).await;
    }
    let versions: Vec<ItemVersion> = (1..=2).map(ItemVersion).collect();
    registry.remove_versions(&file_id("f"), &versions).await.unwrap();
    let d = registry.file(&file_id("d")).await.unwrap();
    let deleted = FileRecord { deleted_at: Some(Timestamp(1)), ..d };
    registry.commit_file(&FileCommit { record: deleted, replaced: None }).await.unwrap();
    for limit in [1, 2, 3, 100] {
        let mut seen: Vec<FileId> = Vec::new();
        for _ in 0..10 {
            let part = registry.files_with_versions(seen.last(), limit).await.unwrap();
            assert!(part.len() <= limit);
            if part.is_empty() {
                break;
            }
            seen.extend(part);
        }
        seen.sort();
        assert_eq!(seen, ["a", "c", "d", "e"].map(file_id), "in parts of {limit}");
    }
}

/// Every field of a rescued save comes back; its content is its id.
pub async fn every_field_of_a_rescued_save_comes_back(registry: Fresh) {
    let full = RescuedSave {
        content: content_id(u64::MAX),
        file: file_id("no-longer-there"),
        file_name: name("Größe…😀.xlsx"),
        user: user_id("bob"),
        client: Some("Bürö".into()),
        size: u64::MAX,
        sha256: [0xAB; 32],
        reason: "held by 'A' – \"ü\"\n".into(),
        at: Timestamp(i64::MAX),
    };
    registry.add_rescued(&full).await.unwrap();
    assert_eq!(registry.rescued(None).await.unwrap(), std::slice::from_ref(&full));
    assert_eq!(no(registry.add_rescued(&full).await), No::Conflict);
}

/// Rescued saves are listed latest first, of everybody or of one user.
pub async fn rescued_saves_are_listed_latest_first_of_everybody_or_of_one(registry: Fresh) {
    for (number, user, at) in [(1, "alice", 10), (2, "bob", 30), (3, "alice", 20), (4, "alice", 40)] {
        registry.add_rescued(&rescued(number, user, at)).await.unwrap();
    }
    let sizes = |saves: Vec<RescuedSave>| saves.into_iter().map(|save| save.size).collect::<Vec<_>>();
    assert_eq!(sizes(registry.rescued(None).await.unwrap()), [4, 2, 3, 1]);
    assert_eq!(sizes(registry.rescued(Some(&user_id("alice"))).await.unwrap()), [4, 3, 1]);
    assert_eq!(sizes(registry.rescued(Some(&user_id("carol"))).await.unwrap()), Vec::<u64>::new());
}

/// Rescued saves are forgotten; unknown ones are success.
pub async fn rescued_saves_are_forgotten(registry: Fresh) {
    for number in 1..=3 {
        registry.add_rescued(&rescued(number, "alice", 1)).await.unwrap();
    }
    registry.remove_rescued(&[content_id(1), content_id(3), content_id(9)]).await.unwrap();
    registry.remove_rescued(&[]).await.unwrap();
    assert_eq!(registry.rescued(None).await.unwrap(), [rescued(2, "alice", 1)]);
}

/// A content is referenced by a file (deleted or not), by what a pending publish replaces, by a version, and by a
/// rescued save; by nothing else, and no longer than these stand.
pub async fn a_content_is_referenced_by_files_pending_notes_versions_and_rescued_saves(registry: Fresh) {
    let root = registry.root().await.unwrap().id;
    let with = |id: &str, number| FileRecord { content: content(number), ..file(id, &root, id) };
    registry.create_file(&with("file", 100)).await.unwrap();
    let deleted = FileRecord { deleted_at: Some(Timestamp(1)), ..with("deleted", 101) };
    let deleted = registry.create_file(&deleted).await.unwrap();
    let pending = Some(Pending::Publish { replaces: Some((content_id(103), fingerprint(1))) });
    let publishing = registry.create_file(&FileRecord { pending, ..with("publishing", 102) }).await.unwrap();
    let saved = registry.create_file(&with("saved", 104)).await.unwrap();
    let next = FileRecord { version: ItemVersion(2), content: content(105), ..saved.clone() };
    registry.commit_file(&FileCommit { record: next, replaced: Some(entry(&saved, None, false)) }).await.unwrap();
    registry.add_rescued(&rescued(106, "alice", 1)).await.unwrap();

    let all: Vec<ContentId> = (99..=107).map(content_id).collect();
    let unreferenced = async || registry.unreferenced(&all).await.unwrap();
    assert_eq!(unreferenced().await, [99, 107].map(content_id));
    assert_eq!(registry.unreferenced(&[]).await.unwrap(), []);

    registry
        .commit_file(&FileCommit { record: FileRecord { pending: None, ..publishing }, replaced: None })
        .await
        .unwrap();
    assert_eq!(unreferenced().await, [99, 103, 107].map(content_id));
    registry.remove_versions(&saved.id, &[saved.version]).await.unwrap();
    assert_eq!(unreferenced().await, [99, 103, 104, 107].map(content_id));
    registry.remove_rescued(&[content_id(106)]).await.unwrap();
    assert_eq!(unreferenced().await, [99, 103, 104, 106, 107].map(content_id));
    registry.remove_file(&deleted.id, deleted.revision).await.unwrap();
    assert_eq!(unreferenced().await, [99, 101, 103, 104, 106, 107].map(content_id));
}

/// Any number of records may point to one content. It is referenced until the last of them stands no more.
pub async fn a_content_is_referenced_as_long_as_one_of_many_that_share_it_stands(registry: Fresh) {
    let root = registry.root().await.unwrap().id;
    let with = |id: &str, number| FileRecord { content: content(number), ..file(id, &root, id) };
    let one = registry.create_file(&with("one", 100)).await.unwrap();
    let other = registry.create_file(&with("other", 100)).await.unwrap();
    // Saved, and restored: the content is in the history twice, and the file's own.
    let next = |record: &FileRecord, number| FileRecord {
        version: record.version.next(),
        content: content(number),
        ..record.clone()
    };
    let mut saved = other.clone();
    for number in [101, 100, 102] {
        let replaced = Some(entry(&saved, None, false));
        saved = registry.commit_file(&FileCommit { record: next(&saved, number), replaced }).await.unwrap();
    }
    registry.add_rescued(&rescued(100, "alice", 1)).await.unwrap();
    let is_referenced = async || registry.unreferenced(&[content_id(100)]).await.unwrap().is_empty();
    assert!(is_referenced().await);
    registry.remove_file(&one.id, one.revision).await.unwrap();
    assert!(is_referenced().await);
    registry.remove_rescued(&[content_id(100)]).await.unwrap();
    assert!(is_referenced().await);
    registry.remove_versions(&other.id, &[other.version]).await.unwrap();
    assert!(is_referenced().await);
    registry.remove_versions(&other.id, &[other.version.next().next()]).await.unwrap();
    assert!(!is_referenced().await);
}

/// A discovery document is kept per client and replaced as a whole.
pub async fn a_discovery_document_is_replaced(registry: Fresh) {
    assert_eq!(no(registry.discovery("office").await), No::NotFound);
    let first = DiscoveryCache {
        client: "office".into(),
        url: "https://office.example/hosting/discovery".into(),
        xml: format!("<wopi-discovery>{}</wopi-discovery>", "ü".repeat(200_000)),
        fetched_at: Timestamp(1),
    };
    let other = DiscoveryCache { client: "Office".into(), xml: String::new(), ..first.clone() };
    registry.put_discovery(&first).await.unwrap();
    registry.put_discovery(&other).await.unwrap();
    let second = DiscoveryCache { url: "https://new.example/".into(), fetched_at: Timestamp(2), ..first.clone() };
    assert_eq!(registry.discovery("office").await.unwrap(), first);
    registry.put_discovery(&second).await.unwrap();
    assert_eq!(registry.discovery("office").await.unwrap(), second);
    assert_eq!(registry.discovery("Office").await.unwrap(), other);
}

/// Files, versions, deleted files and refused saves are counted and summed apart from one another; of nothing the sum is 0.
pub async fn everything_is_counted_and_summed_by_kind(registry: Fresh) {
    assert_eq!(registry.usage().await.unwrap(), Usage::default());
    let tally = |count, bytes| Tally { count, bytes };
    let large = 5 << 40;
    let sized = |record: FileRecord, size| FileRecord { content: Content { size, ..record.content.clone() }, ..record };
    let commit = |record: FileRecord, replaced| FileCommit { record, replaced };
    let root = registry.root().await.unwrap().id;
    let a = registry.create_file(&sized(file("a", &root, "a"), 3)).await.unwrap();
    registry.create_file(&sized(file("b", &root, "b"), large)).await.unwrap();
    let next = FileRecord { version: a.version.next(), content: Content { size: 5, ..content(9) }, ..a.clone() };
    registry.commit_file(&commit(next, Some(entry(&a, None, false)))).await.unwrap();
    let gone = registry.create_file(&sized(file("gone", &root, "gone"), 40)).await.unwrap();
    registry.commit_file(&commit(FileRecord { deleted_at: Some(Timestamp(1)), ..gone }, None)).await.unwrap();
    registry.add_rescued(&rescued(100, "bob", 1)).await.unwrap();
    registry.add_rescued(&rescued(200, "carol", 1)).await.unwrap();
    let usage =
        Usage { files: tally(2, 5 + large), versions: tally(1, 3), deleted: tally(1, 40), rescued: tally(2, 300) };
    assert_eq!(registry.usage().await.unwrap(), usage);
}
