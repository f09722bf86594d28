//! Listing what there is, and removing from it.

use std::sync::Arc;

use futures_util::stream::{self, BoxStream, StreamExt as _};
use lectern_host::ports::ContentsError;
use lectern_host::records::ContentId;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt as _};

use super::Inner;
use super::ask::{Tries, cause};
use super::trouble::{Kind, Trouble};

impl Inner {
    /// Every content, a page of the store at a time.
    pub(super) fn ids(self: &Arc<Self>) -> BoxStream<'static, Result<ContentId, ContentsError>> {
        let listing = Listing { inner: Arc::clone(self), objects: self.list(None), last: None, tries: None };
        stream::try_unfold(listing, |mut listing| async move {
            let next = listing.next().await.map_err(ContentsError::from)?;
            Ok(next.map(|id| (id, listing)))
        })
        .boxed()
    }

    pub(super) fn list(&self, after: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        match after {
            None => self.store.objects().list(Some(self.keys.contents())),
            Some(after) => self.store.objects().list_with_offset(Some(self.keys.contents()), after),
        }
    }

    pub(super) async fn remove_key(&self, key: &Path) -> Result<(), Trouble> {
        let tried = format!("remove {}", self.place(key));
        match self.patience.ask(&tried, self.patience.answer, || self.store.objects().delete(key)).await {
            Err(trouble) if trouble.kind != Kind::NotFound => Err(trouble),
            _ => Ok(()),
        }
    }
}

/// A listing that is under way.
struct Listing {
    inner: Arc<Inner>,
    objects: BoxStream<'static, object_store::Result<ObjectMeta>>,
    /// The last key that was seen. A listing that breaks off goes on behind it.
    last: Option<Path>,
    tries: Option<Tries>,
}

impl Listing {
    async fn next(&mut self) -> Result<Option<ContentId>, Trouble> {
        let inner = Arc::clone(&self.inner);
        let tried = format!("list {}", inner.place(inner.keys.contents()));
        loop {
            let trouble = match tokio::time::timeout(inner.patience.answer, self.objects.next()).await {
                Ok(None) => return Ok(None),
                Ok(Some(Ok(object))) => {
                    self.tries = None;
                    // Azurite does not know where to begin, and begins at the beginning.
                    let is_new = inner.store.directory().is_some()
                        || self.last.as_ref().is_none_or(|last| object.location.as_ref() > last.as_ref());
                    if !is_new {
                        continue;
                    }
                    let id = inner.keys.content(&object.location);
                    self.last = Some(object.location);
                    match id {
                        Some(id) => return Ok(Some(id)),
                        None => continue,
                    }
                }
                Ok(Some(Err(error))) => Trouble::from_store(tried.clone(), error),
                Err(_) => Trouble::late(tried.clone()),
            };
            // A directory is listed in no order: there is no "behind it".
            let patience = inner.patience;
            let goes_on = trouble.is_passing()
                && inner.store.directory().is_none()
                && self.tries.get_or_insert_with(|| patience.tries()).again().await;
            if !goes_on {
                return Err(trouble);
            }
            tracing::debug!(trouble = %cause(&trouble), "listing on");
            self.objects = inner.list(self.last.as_ref());
        }
    }
}
