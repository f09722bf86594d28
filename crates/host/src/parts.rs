//! What a file has beside its bytes: alternate streams, content properties, and how its streams are made of chunks.
//!
//! All of it is one value that belongs to one version of the file and is committed together with it, so it needs no
//! telling that PutFile or another program changed the content: the version is another one then, and what belonged to
//! the older one does not count any more. For the same reason the version is the sequence number that clients see; it
//! grows with every change of any part.
//!
//! | what | counts while |
//! |---|---|
//! | the signature of the main stream | the version is the same |
//! | alternate streams, properties with `DeleteOnContentChange` | the version is the same, and for [`KEPT`] after their last update |
//! | properties with `KeepOnContentChange` | for [`KEPT`] after their last update |
//!
//! Source: *CSPP Plus*, "File content data model" and "Content sequence".

use std::time::Duration;

use wopi::ItemVersion;
use wopi::chunked::{ALTERNATE_STREAMS_MAX, ContentProperty, PROPERTIES_MAX, Retention, Signature, StreamId};
use wopi::frames::CHUNKS_MAX;

use crate::records::{ContentId, Timestamp};

/// How long a stream or property stays after its last update.
pub const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A stream beside the main one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AlternateStream {
    /// Its name; never that of the main stream.
    pub id: StreamId,
    /// Its bytes.
    pub content: ContentId,
    /// How they are made of chunks.
    pub signature: Signature,
    /// When it was stored.
    pub updated_at: Timestamp,
}

/// A property as it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredProperty {
    /// Name, value and retention.
    pub property: ContentProperty,
    /// When it was stored.
    pub updated_at: Timestamp,
}

/// Everything that a file has beside its bytes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FileParts {
    /// The version of the file that they belong to.
    pub version: ItemVersion,
    /// How the main stream is made of chunks, as the client said who stored it. `None` if it came in one piece.
    pub main: Option<Signature>,
    /// The other streams, by name.
    pub streams: Vec<AlternateStream>,
    /// The properties, by name.
    pub properties: Vec<StoredProperty>,
}

/// What a PutChunkedFile changes beside the main stream's bytes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PartsChange {
    /// The new signature of the main stream, if that was replaced.
    pub main: Option<Signature>,
    /// Streams to be replaced, or removed where there is none.
    pub streams: Vec<(StreamId, Option<(ContentId, Signature)>)>,
    /// Properties to be stored.
    pub properties: Vec<ContentProperty>,
}

/// A file would have more of something than it may.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TooMany {
    /// Alternate streams.
    #[error("a file has at most {ALTERNATE_STREAMS_MAX} alternate streams")]
    Streams,
    /// Properties.
    #[error("a file has at most {PROPERTIES_MAX} content properties")]
    Properties,
    /// Chunks, in all streams together.
    #[error("a file has at most {CHUNKS_MAX} chunks in all its streams")]
    Chunks,
}

impl FileParts {
    /// What of them still counts for this version of the file.
    #[must_use]
    pub fn at(mut self, version: ItemVersion, now: Timestamp) -> Self {
        let same = self.version == version;
        let fresh = |updated_at: Timestamp| now.since(updated_at) < KEPT;
        if !same {
            self.main = None;
        }
        self.streams.retain(|stream| same && fresh(stream.updated_at));
        self.properties.retain(|stored| {
            (same || stored.property.retention == Retention::KeepOnContentChange) && fresh(stored.updated_at)
        });
        self.version = version;
        self
    }

    /// The alternate stream of this name.
    pub fn stream(&self, id: &StreamId) -> Option<&AlternateStream> {
        self.streams.iter().find(|stream| stream.id == *id)
    }

    /// The property of this name.
    pub fn property(&self, name: &str) -> Option<&ContentProperty> {
        self.properties.iter().map(|stored| &stored.property).find(|property| property.name == name)
    }

    /// What they are after a change that makes `version` of the file. What is not named stays as it is.
    ///
    /// # Errors
    ///
    /// [`TooMany`].
    pub fn changed(&self, change: &PartsChange, version: ItemVersion, now: Timestamp) -> Result<Self, TooMany> {
        let mut next = self.clone();
        next.version = version;
        if change.main.is_some() {
            next.main.clone_from(&change.main);
        }
        for (id, stored) in &change.streams {
            next.streams.retain(|stream| stream.id != *id);
            if let Some((content, signature)) = stored {
                let (content, signature) = (*content, signature.clone());
                next.streams.push(AlternateStream { id: id.clone(), content, signature, updated_at: now });
            }
        }
        next.streams.sort_by(|a, b| a.id.cmp(&b.id));
        for property in &change.properties {
            next.properties.retain(|stored| stored.property.name != property.name);
            next.properties.push(StoredProperty { property: property.clone(), updated_at: now });
        }
        next.properties.sort_by(|a, b| a.property.name.cmp(&b.property.name));
        let signatures = next.main.iter().chain(next.streams.iter().map(|stream| &stream.signature));
        let chunks: usize = signatures.map(|signature| signature.chunks.len()).sum();
        if next.streams.len() > ALTERNATE_STREAMS_MAX {
            Err(TooMany::Streams)
        } else if next.properties.len() > PROPERTIES_MAX {
            Err(TooMany::Properties)
        } else if chunks > CHUNKS_MAX {
            Err(TooMany::Chunks)
        } else {
            Ok(next)
        }
    }
}

#[cfg(test)]
mod tests {
    use wopi::ChunkId;
    use wopi::chunked::{ChunkSignature, ChunkingScheme};

    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn property(name: &str, retention: Retention) -> ContentProperty {
        ContentProperty { name: name.to_owned(), value: name.to_uppercase(), retention }
    }

    fn signature(chunks: usize) -> Signature {
        let chunk = ChunkSignature { id: ChunkId::of(b"x"), length: 1 };
        Signature { scheme: ChunkingScheme::Zip, chunks: vec![chunk; chunks] }
    }

    fn stream(name: &str) -> (StreamId, Option<(ContentId, Signature)>) {
        (StreamId::parse(name).unwrap(), Some((ContentId([1; 16]), signature(1))))
    }

    fn change() -> PartsChange {
        PartsChange {
            main: Some(signature(2)),
            streams: vec![stream("b"), stream("a")],
            properties: vec![
                property("keep", Retention::KeepOnContentChange),
                property("delete", Retention::DeleteOnContentChange),
            ],
        }
    }

    fn names(parts: &FileParts) -> (Vec<&str>, Vec<&str>) {
        (
            parts.streams.iter().map(|stream| stream.id.as_str()).collect(),
            parts.properties.iter().map(|stored| stored.property.name.as_str()).collect(),
        )
    }

    #[test]
    fn the_table_of_what_counts() {
        let parts = FileParts::default().changed(&change(), ItemVersion(5), NOW).unwrap();
        let same = parts.clone().at(ItemVersion(5), NOW);
        assert_eq!(same, parts);
        assert_eq!(names(&same), (vec!["a", "b"], vec!["delete", "keep"]));
        let later = parts.clone().at(ItemVersion(6), NOW);
        assert_eq!((later.main.is_none(), names(&later)), (true, (vec![], vec!["keep"])));
        let almost = parts.clone().at(ItemVersion(5), Timestamp(NOW.plus(KEPT).0 - 1));
        assert_eq!(almost, parts);
        let old = parts.at(ItemVersion(5), NOW.plus(KEPT));
        assert_eq!((old.main.is_some(), names(&old)), (true, (vec![], vec![])));
    }

    #[test]
    fn what_a_change_does_not_name_stays() {
        let parts = FileParts::default().changed(&change(), ItemVersion(5), NOW).unwrap();
        let later = NOW.plus(Duration::from_secs(1));
        let change = PartsChange {
            main: None,
            streams: vec![(StreamId::parse("a").unwrap(), None), stream("c")],
            properties: vec![property("keep", Retention::DeleteOnContentChange)],
        };
        let next = parts.changed(&change, ItemVersion(6), later).unwrap();
        assert_eq!((next.version, &next.main), (ItemVersion(6), &parts.main));
        assert_eq!(names(&next), (vec!["b", "c"], vec!["delete", "keep"]));
        assert_eq!((next.streams[0].updated_at, next.streams[1].updated_at), (NOW, later));
        assert_eq!((next.properties[0].updated_at, next.properties[1].updated_at), (NOW, later));
        assert_eq!(next.property("keep").unwrap().retention, Retention::DeleteOnContentChange);
        assert!(next.stream(&StreamId::parse("a").unwrap()).is_none());
    }

    #[test]
    fn a_file_has_at_most_so_many() {
        let changed = |change: &PartsChange| FileParts::default().changed(change, ItemVersion(1), NOW).map(|_| ());
        let streams = |count: usize| PartsChange {
            streams: (0..count).map(|n| stream(&n.to_string())).collect(),
            ..PartsChange::default()
        };
        assert_eq!(changed(&streams(ALTERNATE_STREAMS_MAX)), Ok(()));
        assert_eq!(changed(&streams(ALTERNATE_STREAMS_MAX + 1)), Err(TooMany::Streams));
        let properties = |count: usize| PartsChange {
            properties: (0..count).map(|n| property(&n.to_string(), Retention::KeepOnContentChange)).collect(),
            ..PartsChange::default()
        };
        assert_eq!(changed(&properties(PROPERTIES_MAX)), Ok(()));
        assert_eq!(changed(&properties(PROPERTIES_MAX + 1)), Err(TooMany::Properties));
        let chunks = |count| PartsChange { main: Some(signature(count)), streams: vec![stream("a")], ..streams(0) };
        assert_eq!(changed(&chunks(CHUNKS_MAX - 1)), Ok(()));
        assert_eq!(changed(&chunks(CHUNKS_MAX)), Err(TooMany::Chunks));
    }
}
