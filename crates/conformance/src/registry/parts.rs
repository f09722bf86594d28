//! What files have beside their bytes: alternate streams, content properties, signatures.

use lectern_host::parts::{AlternateStream, FileParts, StoredProperty};
use lectern_host::ports::FileCommit;
use lectern_host::records::{FileRecord, Revision, Timestamp, VersionEntry};
use lectern_host::wopi::chunked::{ChunkSignature, ChunkingScheme, ContentProperty, Retention, Signature, StreamId};
use lectern_host::wopi::{ChunkId, FileId, ItemVersion};

use super::samples::{content, content_id, file, file_id};
use super::{Fresh, No, no};

const OLD: Timestamp = Timestamp(1_700_000_000_000);
const NEW: Timestamp = Timestamp(1_700_000_000_001);

fn signature(scheme: ChunkingScheme, chunks: u64) -> Signature {
    let chunk = |n: u64| ChunkSignature { id: ChunkId::of(&n.to_be_bytes()), length: n };
    Signature { scheme, chunks: (0..chunks).map(chunk).collect() }
}

fn stream(name: &str, number: u64, updated_at: Timestamp) -> AlternateStream {
    let id = StreamId::parse(name).unwrap();
    AlternateStream { id, content: content_id(number), signature: signature(ChunkingScheme::Zip, number), updated_at }
}

fn property(name: &str, retention: Retention, updated_at: Timestamp) -> StoredProperty {
    let (name, value) = (name.to_owned(), format!("'{name}' – 概要"));
    StoredProperty { property: ContentProperty { name, value, retention }, updated_at }
}

/// Two streams and two properties, one of each old and one new.
fn parts(version: u64) -> FileParts {
    FileParts {
        version: ItemVersion(version),
        main: Some(signature(ChunkingScheme::FullFile, 1)),
        streams: vec![stream("new", 500, NEW), stream("old", 501, OLD)],
        properties: vec![
            property("delete", Retention::DeleteOnContentChange, NEW),
            property("keep", Retention::KeepOnContentChange, OLD),
        ],
    }
}

async fn created(registry: &Fresh, id: &str) -> FileRecord {
    let root = registry.root().await.unwrap().id;
    registry.create_file(&file(id, &root, id)).await.unwrap()
}

/// The commit that makes the next version of a file.
fn next(record: &FileRecord) -> FileCommit {
    FileCommit { record: FileRecord { version: record.version.next(), ..record.clone() }, replaced: None }
}

async fn names(registry: &Fresh, file: &FileId) -> (Vec<String>, Vec<String>) {
    let parts = registry.parts(file).await.unwrap();
    (
        parts.streams.iter().map(|stream| stream.id.as_str().to_owned()).collect(),
        parts.properties.iter().map(|stored| stored.property.name.clone()).collect(),
    )
}

/// Every field of the parts comes back; a file without any has none, and neither has one that is not known.
pub async fn every_field_of_the_parts_comes_back(registry: Fresh) {
    let record = created(&registry, "a").await;
    assert_eq!(registry.parts(&record.id).await.unwrap(), FileParts::default());
    assert_eq!(registry.parts(&file_id("unknown")).await.unwrap(), FileParts::default());
    let mut parts = parts(2);
    parts.streams[0].signature.chunks[3].length = u64::MAX;
    let stored = registry.commit_parts(&next(&record), &parts).await.unwrap();
    assert_eq!(stored, FileRecord { version: ItemVersion(2), revision: Revision(2), ..record });
    assert_eq!(registry.file(&stored.id).await.unwrap(), stored);
    assert_eq!(registry.parts(&stored.id).await.unwrap(), parts);
}

/// Parts are replaced as a whole, and a commit of the file alone leaves them as they were.
pub async fn parts_are_replaced_as_a_whole(registry: Fresh) {
    let record = created(&registry, "a").await;
    let other = created(&registry, "b").await;
    let record = registry.commit_parts(&next(&record), &parts(2)).await.unwrap();
    registry.commit_parts(&next(&other), &parts(2)).await.unwrap();
    let record = registry.commit_file(&next(&record)).await.unwrap();
    assert_eq!(registry.parts(&record.id).await.unwrap(), parts(2));
    let fewer =
        FileParts { version: ItemVersion(4), main: None, streams: vec![stream("old", 502, NEW)], properties: vec![] };
    let record = registry.commit_parts(&next(&record), &fewer).await.unwrap();
    assert_eq!(registry.parts(&record.id).await.unwrap(), fewer);
    assert_eq!(registry.parts(&other.id).await.unwrap(), parts(2));
}

/// A commit that is refused leaves the parts as they were: at another revision, or because of its history.
pub async fn a_commit_that_is_refused_leaves_the_parts(registry: Fresh) {
    let first = created(&registry, "a").await;
    let entry =
        VersionEntry { file: first.id.clone(), version: first.version, content: content(1), label: None, keep: false };
    let commit = FileCommit { replaced: Some(entry.clone()), ..next(&first) };
    let second = registry.commit_parts(&commit, &parts(2)).await.unwrap();
    let other = FileParts { version: ItemVersion(3), ..FileParts::default() };
    assert_eq!(no(registry.commit_parts(&next(&first), &other).await), No::Conflict);
    let commit = FileCommit { replaced: Some(entry), ..next(&second) };
    assert_eq!(no(registry.commit_parts(&commit, &other).await), No::Conflict);
    let unknown = FileRecord { id: file_id("unknown"), ..second.clone() };
    assert_eq!(no(registry.commit_parts(&next(&unknown), &other).await), No::NotFound);
    assert_eq!(registry.file(&first.id).await.unwrap(), second);
    assert_eq!(registry.parts(&first.id).await.unwrap(), parts(2));
    assert_eq!(registry.parts(&unknown.id).await.unwrap(), FileParts::default());
}

/// The contents of streams are pointed to, until the stream is replaced or its file removed.
pub async fn a_content_is_referenced_by_streams(registry: Fresh) {
    let record = created(&registry, "a").await;
    let contents = [content_id(500), content_id(501), content_id(502)];
    assert_eq!(registry.unreferenced(&contents).await.unwrap(), contents);
    let record = registry.commit_parts(&next(&record), &parts(2)).await.unwrap();
    assert_eq!(registry.unreferenced(&contents).await.unwrap(), contents[2..]);
    let fewer = FileParts { streams: vec![stream("old", 502, NEW)], ..parts(3) };
    let record = registry.commit_parts(&next(&record), &fewer).await.unwrap();
    assert_eq!(registry.unreferenced(&contents).await.unwrap(), contents[..2]);
    registry.remove_file(&record.id, record.revision).await.unwrap();
    assert_eq!(registry.unreferenced(&contents).await.unwrap(), contents);
    assert_eq!(registry.parts(&record.id).await.unwrap(), FileParts::default());
    let again = created(&registry, "a").await;
    assert_eq!(registry.parts(&again.id).await.unwrap(), FileParts::default());
}

/// Old streams and properties are forgotten, and those of an older version of their file but what is to be kept.
pub async fn parts_are_pruned_by_age_and_by_version(registry: Fresh) {
    let same = created(&registry, "same").await;
    let same = registry.commit_parts(&next(&same), &parts(2)).await.unwrap();
    let outdated = created(&registry, "outdated").await;
    let outdated = registry.commit_parts(&next(&outdated), &parts(2)).await.unwrap();
    let outdated = registry.commit_file(&next(&outdated)).await.unwrap();
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(registry.prune_parts(OLD).await.unwrap(), 3);
    assert_eq!(registry.parts(&same.id).await.unwrap(), parts(2));
    assert_eq!(names(&registry, &outdated.id).await, (owned(&[]), owned(&["keep"])));
    assert_eq!(registry.parts(&outdated.id).await.unwrap().main, None);
    assert_eq!(registry.prune_parts(NEW).await.unwrap(), 3);
    assert_eq!(names(&registry, &same.id).await, (owned(&["new"]), owned(&["delete"])));
    assert_eq!(registry.parts(&same.id).await.unwrap().main, parts(2).main);
    assert_eq!(names(&registry, &outdated.id).await, (owned(&[]), owned(&[])));
    assert_eq!(registry.prune_parts(NEW).await.unwrap(), 0);
}
