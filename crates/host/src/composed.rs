//! Contents that are made of pieces of others, so that a small change of a large document writes only what is new.
//!
//! A folder has no use for them: there a content has to be a file, because it becomes the one that people see. Where
//! contents live behind ids only, a save in chunks may be a list of pieces: most of them of the content before it, a few of
//! what came. The list is in the registry, which thereby also knows that the pieces are needed; contents themselves stay
//! what they are. A list is flat: no piece is of a content that is a list itself.
//!
//! Contents never change, and the content that a list was made over is the file's until the commit that makes the list
//! its successor. So no piece can be swept under it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use http_body_util::{BodyExt as _, BodyStream, StreamBody};

use crate::ports::{Contents, ContentsError, Registry, RegistryError, Stored};
use crate::records::{ContentId, ContentPiece, Timestamp};
use crate::{Body, BoxError};

/// How many ids of composed contents are read at once.
const PAGE: usize = 1000;

/// [`Contents`] of which some are made of pieces of others, as the registry says.
#[derive(Debug)]
pub struct Composed {
    plain: Arc<dyn Contents>,
    registry: Arc<dyn Registry>,
}

impl Composed {
    /// These contents, and those that are made of pieces of them.
    pub fn new(plain: Arc<dyn Contents>, registry: Arc<dyn Registry>) -> Self {
        Self { plain, registry }
    }
}

impl fmt::Display for Composed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.plain.fmt(f)
    }
}

fn trouble(error: RegistryError) -> ContentsError {
    match error {
        RegistryError::Unavailable(source) => ContentsError::Unavailable(source),
        error => ContentsError::Failed(Box::new(error)),
    }
}

#[async_trait]
impl Contents for Composed {
    async fn put(&self, id: &ContentId, body: Body, size_max: u64) -> Result<Stored, ContentsError> {
        self.plain.put(id, body, size_max).await
    }

    async fn open(&self, id: &ContentId, range: Range<u64>) -> Result<Body, ContentsError> {
        match self.plain.open(id, range.clone()).await {
            Err(ContentsError::NotFound) => {}
            opened => return opened,
        }
        let pieces = self.registry.composed(id).await.map_err(trouble)?;
        if pieces.is_empty() {
            return Err(ContentsError::NotFound);
        }
        Ok(open_pieces(&self.plain, &pieces, &range))
    }

    async fn remove(&self, id: &ContentId) -> Result<(), ContentsError> {
        self.plain.remove(id).await?;
        self.registry.remove_composed(id).await.map_err(trouble)
    }

    fn ids(&self) -> BoxStream<'_, Result<ContentId, ContentsError>> {
        let pages = stream::try_unfold(None, move |after: Option<ContentId>| async move {
            let page = self.registry.composed_ids(after.as_ref(), PAGE).await.map_err(trouble)?;
            let Some(last) = page.last().copied() else { return Ok(None) };
            Ok(Some((stream::iter(page.into_iter().map(Ok)), Some(last))))
        });
        self.plain.ids().chain(pages.try_flatten()).boxed()
    }

    async fn direct_url(&self, id: &ContentId, lifetime: Duration) -> Result<Option<String>, ContentsError> {
        // Nobody outside can put pieces together.
        let is_plain = self.registry.composed(id).await.map_err(trouble)?.is_empty();
        if is_plain { self.plain.direct_url(id, lifetime).await } else { Ok(None) }
    }

    async fn remove_unfinished(&self, before: Timestamp) -> Result<u64, ContentsError> {
        self.plain.remove_unfinished(before).await
    }
}

/// The bytes of pieces one behind the other, each opened when those before it are read. One that is gone makes the body
/// fail.
pub(crate) fn open_pieces(contents: &Arc<dyn Contents>, pieces: &[ContentPiece], range: &Range<u64>) -> Body {
    let contents = Arc::clone(contents);
    let bodies = stream::iter(cut_pieces(pieces, range)).then(move |ContentPiece { content, offset, size }| {
        let contents = Arc::clone(&contents);
        async move { contents.open(&content, offset..offset + size).await.map(BodyStream::new).map_err(BoxError::from) }
    });
    StreamBody::new(bodies.try_flatten()).boxed_unsync()
}

/// The pieces that make up this range of what `pieces` make up.
pub(crate) fn cut_pieces(pieces: &[ContentPiece], range: &Range<u64>) -> Vec<ContentPiece> {
    let mut start = 0;
    let mut cut = Vec::new();
    for ContentPiece { content, offset, size } in pieces {
        let (from, to) = (range.start.max(start), range.end.min(start + size));
        if from < to {
            cut.push(ContentPiece { content: *content, offset: offset + (from - start), size: to - from });
        }
        start += size;
    }
    cut
}

/// The same pieces with neighbours in one content joined.
pub(crate) fn join_pieces(pieces: impl IntoIterator<Item = ContentPiece>) -> Vec<ContentPiece> {
    let mut joined: Vec<ContentPiece> = Vec::new();
    for piece in pieces.into_iter().filter(|piece| piece.size > 0) {
        match joined.last_mut() {
            Some(last) if last.content == piece.content && last.offset + last.size == piece.offset => {
                last.size += piece.size;
            }
            _ => joined.push(piece),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::contents::MemoryContents;
    use crate::memory::registry::MemoryRegistry;

    fn id(number: u8) -> ContentId {
        ContentId::new(Timestamp(1), [number; 10])
    }

    fn piece(number: u8, offset: u64, size: u64) -> ContentPiece {
        ContentPiece { content: id(number), offset, size }
    }

    #[test]
    fn pieces_are_cut_at_a_range_and_joined_where_they_touch() {
        let pieces = [piece(1, 10, 5), piece(2, 0, 3), piece(1, 15, 2)];
        for (range, expected) in [
            (0..10, pieces.to_vec()),
            (0..u64::MAX, pieces.to_vec()),
            (4..9, vec![piece(1, 14, 1), piece(2, 0, 3), piece(1, 15, 1)]),
            (6..7, vec![piece(2, 1, 1)]),
            (5..5, vec![]),
            (10..11, vec![]),
        ] {
            assert_eq!(cut_pieces(&pieces, &range), expected, "{range:?}");
        }
        let touching =
            [piece(1, 0, 5), piece(1, 5, 0), piece(1, 5, 2), piece(1, 8, 1), piece(2, 9, 1), piece(2, 10, 1)];
        assert_eq!(join_pieces(touching), [piece(1, 0, 7), piece(1, 8, 1), piece(2, 9, 2)]);
    }

    /// Contents of which there are only URLs.
    #[derive(Debug)]
    struct Signing;

    impl fmt::Display for Signing {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("signing")
        }
    }

    #[async_trait]
    impl Contents for Signing {
        async fn put(&self, _: &ContentId, _: Body, _: u64) -> Result<Stored, ContentsError> {
            Err(ContentsError::NotFound)
        }

        async fn open(&self, _: &ContentId, _: Range<u64>) -> Result<Body, ContentsError> {
            Err(ContentsError::NotFound)
        }

        async fn remove(&self, _: &ContentId) -> Result<(), ContentsError> {
            Ok(())
        }

        fn ids(&self) -> BoxStream<'_, Result<ContentId, ContentsError>> {
            stream::empty().boxed()
        }

        async fn direct_url(&self, id: &ContentId, _: Duration) -> Result<Option<String>, ContentsError> {
            Ok(Some(format!("https://store.example/{id}")))
        }
    }

    #[tokio::test]
    async fn what_is_made_of_pieces_reads_like_any_other_content() {
        let (plain, registry) = (Arc::new(MemoryContents::new()), Arc::new(MemoryRegistry::new()));
        let contents = Composed::new(plain.clone(), registry.clone());
        contents.put(&id(1), crate::full("0123456789"), 10).await.unwrap();
        contents.put(&id(2), crate::full("abc"), 10).await.unwrap();
        registry.add_composed(&id(3), &[piece(1, 7, 3), piece(2, 0, 3), piece(1, 0, 2)]).await.unwrap();
        let read = async |range: Range<u64>| {
            let body = contents.open(&id(3), range).await.unwrap();
            String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap()
        };
        assert_eq!(read(0..100).await, "789abc01");
        assert_eq!(read(2..7).await, "9abc0");
        assert_eq!(read(8..9).await, "");
        let ids: Vec<_> = contents.ids().map(Result::unwrap).collect().await;
        assert_eq!(ids, [id(1), id(2), id(3)]);
        contents.remove(&id(3)).await.unwrap();
        assert!(matches!(contents.open(&id(3), 0..1).await, Err(ContentsError::NotFound)));
        // Nobody outside can put pieces together, so there is no URL of them.
        let signing = Composed::new(Arc::new(Signing), registry.clone());
        registry.add_composed(&id(3), &[piece(1, 0, 3)]).await.unwrap();
        let lifetime = Duration::from_secs(60);
        assert_eq!(signing.direct_url(&id(3), lifetime).await.unwrap(), None);
        assert_eq!(
            signing.direct_url(&id(1), lifetime).await.unwrap(),
            Some(format!("https://store.example/{}", id(1)))
        );
        registry.remove_composed(&id(3)).await.unwrap();
        // A piece that is gone is a failure, and never fewer bytes.
        registry.add_composed(&id(4), &[piece(1, 0, 3), piece(9, 0, 3)]).await.unwrap();
        assert!(contents.open(&id(4), 0..6).await.unwrap().collect().await.is_err());
    }
}
