//! Bytes that nothing may point to any more.

use lectern_host::parts::{AlternateStream, FileParts};
use lectern_host::ports::{FileCommit, RegistryError};
use lectern_host::records::{
    ContentId, ContentPiece, FileRecord, RescuedSave, Timestamp, Upload, UploadPiece, VersionEntry,
};
use lectern_host::wopi::chunked::{ChunkingScheme, Signature, StreamId};

use super::samples::{content, content_id, file, file_id, name, user_id};
use super::{Fresh, No, no, race};

const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// Only what nothing points to is condemned; who asks again, also later, gets it again.
pub async fn what_is_pointed_to_is_not_condemned(registry: Fresh) {
    let root = registry.root().await.unwrap().id;
    let record = FileRecord { content: content(1), ..file("a", &root, "a") };
    let record = registry.create_file(&record).await.unwrap();
    let contents = [content_id(1), content_id(2), content_id(3)];
    for at in [NOW, Timestamp(NOW.0 + 5)] {
        assert_eq!(registry.condemn(&contents, at).await.unwrap(), contents[1..]);
    }
    assert_eq!(registry.condemn(&[], NOW).await.unwrap(), []);
    registry.remove_file(&record.id, record.revision).await.unwrap();
    assert_eq!(registry.condemn(&contents, NOW).await.unwrap(), contents);
    // By the first time that it was condemned.
    assert_eq!(registry.prune_condemned(NOW).await.unwrap(), 0);
    assert_eq!(registry.prune_condemned(Timestamp(NOW.0 + 1)).await.unwrap(), 3);
    registry.create_file(&FileRecord { content: content(2), ..file("b", &root, "b") }).await.unwrap();
}

/// Nothing can be made to point to what was condemned, and whoever tries has changed nothing.
pub async fn nothing_is_made_to_point_to_what_was_condemned(registry: Fresh) {
    let root = registry.root().await.unwrap().id;
    let record = registry.create_file(&FileRecord { content: content(1), ..file("a", &root, "a") }).await.unwrap();
    registry.create_upload(&upload("before", &[])).await.unwrap();
    assert_eq!(registry.condemn(&[content_id(2)], NOW).await.unwrap(), [content_id(2)]);

    let next = FileRecord { content: content(2), version: record.version.next(), ..record.clone() };
    let replaced = VersionEntry {
        file: record.id.clone(),
        version: record.version,
        content: record.content.clone(),
        label: None,
        keep: false,
    };
    let commit = FileCommit { record: next.clone(), replaced: Some(replaced) };
    assert_eq!(no(registry.commit_file(&commit).await), No::Condemned);
    assert_eq!(no(registry.commit_parts(&commit, &FileParts::default()).await), No::Condemned);
    let moved = FileRecord { name: name("b"), ..next };
    assert_eq!(no(registry.commit_file(&FileCommit { record: moved, replaced: None }).await), No::Condemned);
    let new = FileRecord { content: content(2), ..file("new", &root, "new") };
    assert_eq!(no(registry.create_file(&new).await), No::Condemned);
    let stream = AlternateStream {
        id: StreamId::parse("s").unwrap(),
        content: content_id(2),
        signature: Signature { scheme: ChunkingScheme::FullFile, chunks: Vec::new() },
        updated_at: NOW,
    };
    let parts = FileParts { streams: vec![stream], ..FileParts::default() };
    let same = FileCommit { record: record.clone(), replaced: None };
    assert_eq!(no(registry.commit_parts(&same, &parts).await), No::Condemned);
    assert_eq!(no(registry.create_upload(&upload("a", &[2])).await), No::Condemned);
    let piece = UploadPiece { content: content_id(2), size: 3 };
    assert_eq!(no(registry.extend_upload("before", 0, Some(piece), NOW).await), No::Condemned);
    let pieces = [1, 2].map(|number| ContentPiece { content: content_id(number), offset: 0, size: 1 });
    assert_eq!(no(registry.add_composed(&content_id(9), &pieces).await), No::Condemned);
    let save = RescuedSave {
        content: content_id(2),
        file: file_id("a"),
        file_name: name("a"),
        user: user_id("alice"),
        client: None,
        size: 1,
        sha256: [1; 32],
        reason: String::new(),
        at: NOW,
    };
    assert_eq!(no(registry.add_rescued(&save).await), No::Condemned);

    assert_eq!(registry.file(&record.id).await.unwrap(), record);
    assert_eq!(registry.versions(&record.id).await.unwrap(), []);
    assert_eq!(registry.parts(&record.id).await.unwrap(), FileParts::default());
    assert_eq!(no(registry.file(&file_id("new")).await), No::NotFound);
    assert_eq!(no(registry.upload("a").await), No::NotFound);
    assert_eq!(registry.upload("before").await.unwrap(), upload("before", &[]));
    assert_eq!(registry.composed(&content_id(9)).await.unwrap(), []);
    assert_eq!(registry.rescued(None).await.unwrap(), []);
    // Everything else goes on.
    let other = FileRecord { content: content(3), version: record.version.next(), ..record };
    registry.commit_file(&FileCommit { record: other, replaced: None }).await.unwrap();
}

/// However a commit that points to a content and a sweep that condemns it cross, at most one of them comes through.
pub async fn a_content_is_saved_or_condemned_never_both(registry: Fresh) {
    let root = registry.root().await.unwrap().id;
    for round in 0..40_u64 {
        let id = format!("f{round}");
        let record = FileRecord { content: content(1000 + round), ..file(&id, &root, &id) };
        let record = registry.create_file(&record).await.unwrap();
        let wanted: ContentId = content_id(2000 + round);
        let next = FileRecord {
            content: content(2000 + round),
            version: record.version.next(),
            // Every way in which a record is replaced.
            name: if round % 2 == 0 { record.name.clone() } else { name(&format!("g{round}")) },
            ..record.clone()
        };
        let tasks = (0..4).map(|task| {
            let (registry, next) = (registry.clone(), next.clone());
            async move {
                if task % 2 == 0 {
                    return registry.condemn(&[wanted], NOW).await.unwrap() == [wanted];
                }
                match registry.commit_file(&FileCommit { record: next, replaced: None }).await {
                    Ok(_) => true,
                    Err(RegistryError::Conflict | RegistryError::Condemned) => false,
                    Err(error) => panic!("{error:?}"),
                }
            }
        });
        let answers = race(tasks).await;
        let (condemned, saved) = (answers[0] || answers[2], answers[1] || answers[3]);
        assert!(condemned != saved, "round {round}: {answers:?}");
        let now = registry.file(&record.id).await.unwrap();
        assert_eq!(now.content.id == wanted, saved, "round {round}");
    }
}

fn upload(id: &str, pieces: &[u64]) -> Upload {
    let pieces = pieces.iter().map(|number| UploadPiece { content: content_id(*number), size: 1 }).collect();
    Upload { id: id.to_owned(), file: file_id("a"), user: user_id("alice"), updated_at: NOW, pieces }
}
