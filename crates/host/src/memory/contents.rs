//! [`Contents`] in a map.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use aws_lc_rs::digest;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use http_body_util::{BodyExt as _, Full};

use crate::Body;
use crate::ports::{Contents, ContentsError, Stored};
use crate::records::{ContentId, Sha256};

/// Contents that are gone when the process is.
#[derive(Debug, Default)]
pub struct MemoryContents {
    stored: Mutex<BTreeMap<ContentId, Bytes>>,
}

impl MemoryContents {
    /// Nothing stored yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Nothing here can panic half way through a change, so a poisoned map is a whole map.
    fn stored(&self) -> MutexGuard<'_, BTreeMap<ContentId, Bytes>> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for MemoryContents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("memory")
    }
}

#[async_trait]
impl Contents for MemoryContents {
    async fn put(&self, id: &ContentId, mut body: Body, size_max: u64) -> Result<Stored, ContentsError> {
        let mut whole = Vec::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(ContentsError::Body)?.into_data() else { continue };
            if (whole.len() + data.len()) as u64 > size_max {
                return Err(ContentsError::TooLarge { limit: size_max });
            }
            whole.extend_from_slice(&data);
        }
        let mut sha256 = Sha256::default();
        sha256.copy_from_slice(digest::digest(&digest::SHA256, &whole).as_ref());
        let stored = Stored { size: whole.len() as u64, sha256, staged: None };
        let mut all = self.stored();
        if all.contains_key(id) {
            return Err(ContentsError::Failed(format!("content {id} was put twice").into()));
        }
        all.insert(*id, whole.into());
        Ok(stored)
    }

    async fn open(&self, id: &ContentId, range: Range<u64>) -> Result<Body, ContentsError> {
        let whole = self.stored().get(id).cloned().ok_or(ContentsError::NotFound)?;
        let within = |at: u64| usize::try_from(at).map_or(whole.len(), |at| at.min(whole.len()));
        let (start, end) = (within(range.start), within(range.end));
        Ok(Full::new(whole.slice(start..end.max(start))).map_err(|never| match never {}).boxed_unsync())
    }

    async fn remove(&self, id: &ContentId) -> Result<(), ContentsError> {
        self.stored().remove(id);
        Ok(())
    }

    fn ids(&self) -> BoxStream<'_, Result<ContentId, ContentsError>> {
        let ids: Vec<_> = self.stored().keys().copied().map(Ok).collect();
        stream::iter(ids).boxed()
    }
}
