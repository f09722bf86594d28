//! Bytes that are wanted once more: by a copy, by a version that is restored, by a refused save that becomes a file.
//!
//! Contents never change, and a content is removed only when no record points to it. So where contents live behind ids
//! only, nothing needs to be copied: the second record points to the content of the first, whatever its size, and also if it
//! is made of pieces. (A server-side copy, which stores have, would cost the store's time and twice the room, and could not
//! copy what is made of pieces.) In a folder a content has to be a file of its own, and its bytes are copied.
//!
//! **Against the sweep.** The sweep asks which contents nobody points to, and removes these. What the second record points to
//! must have been pointed to all the time from when it was read to when the second record was committed; then no sweep
//! can have seen it as nobody's. So after the commit we look whether the first record still has it. A version is never
//! given another content and its number never comes back, so if it is there still, it was all the time. If it is not, the
//! second record is taken back: the bytes may be there, but nobody can promise it.

use wopi::{FileId, ItemVersion};
use wopi_service::Refusal;

use super::{Denied, Desk, FileEntry, Why};
use crate::errors;
use crate::host::Host;
use crate::ports::{RegistryError, Stored};
use crate::records::{Content, ContentId, FileRecord, Sha256};
use crate::saving::{self, Staged};

impl Host {
    /// A content that another record may point to as well; `None` where its bytes have to be copied.
    pub(super) fn shared(&self, id: &ContentId, size: u64, sha256: Option<Sha256>) -> Option<Staged> {
        let sha256 = sha256.filter(|_| self.ports.tree.is_none())?;
        Some(Staged { id: *id, stored: Stored { size, sha256, staged: None } })
    }

    /// Whether this version of a file still has this content, as the file's own or in its history.
    async fn keeps(&self, file: &FileId, version: ItemVersion, content: &ContentId) -> Result<bool, Refusal> {
        match self.ports.registry.file(file).await {
            Ok(record) if record.version == version => return Ok(record.content.id == *content),
            Ok(_) => {}
            Err(RegistryError::NotFound) => return Ok(false),
            Err(error) => return Err(errors::registry("looking whether a content is still needed", &error)),
        }
        let versions = self.ports.registry.versions(file).await;
        let versions = versions.map_err(|e| errors::registry("reading a history", &e))?;
        Ok(versions.iter().any(|entry| entry.version == version && entry.content.id == *content))
    }

    /// Takes back a file that was made a moment ago.
    async fn take_back(&self, made: &FileRecord) -> Result<(), Refusal> {
        match self.ports.registry.remove_file(&made.id, made.revision).await {
            Ok(()) | Err(RegistryError::NotFound) => Ok(()),
            Err(error) => Err(errors::registry("taking a copy back", &error)),
        }
    }
}

impl Desk<'_> {
    /// Whether a copy that points to the content of `original` may stay. If not, it was taken back.
    pub(super) async fn may_stay(&self, copy: &FileRecord, original: &FileRecord) -> Result<bool, Denied> {
        if self.host.keeps(&original.id, original.version, &original.content.id).await? {
            return Ok(true);
        }
        self.host.take_back(copy).await?;
        Ok(false)
    }

    /// The same for a file made of a refused save.
    pub(super) async fn may_stay_rescued(&self, made: &FileRecord, content: &ContentId) -> Result<bool, Denied> {
        match self.one_of_mine(content).await {
            Ok(_) => Ok(true),
            Err(Denied { why: Why::NotFound, .. }) => {
                self.host.take_back(made).await?;
                Ok(false)
            }
            Err(denied) => Err(denied),
        }
    }

    /// The same for a file that was given the content `content` of its older version `version`. If that may not stay, the
    /// file gets back what it had: what is in its history since, or else `before`.
    pub(super) async fn may_stay_restored(
        &self,
        restored: &FileEntry,
        version: ItemVersion,
        content: &ContentId,
        before: &Content,
    ) -> Result<bool, Denied> {
        if before.id == *content || self.host.keeps(&restored.id, version, content).await? {
            return Ok(true);
        }
        let versions = self.host.ports.registry.versions(&restored.id).await;
        let versions = versions.map_err(|e| Denied::registry("reading a history", &e))?;
        let replaced = versions.into_iter().find(|entry| entry.version.next() == restored.version);
        let replaced = replaced.map_or_else(|| before.clone(), |entry| entry.content);
        let given_back = self.host.update(&restored.id, None, |record, now| {
            // Others may have saved since, and then there is nothing to give back.
            if record.content.id == *content {
                let modified_at = saving::later(now.into(), &record.content);
                record.content = Content { modified_at, ..replaced.clone() };
                record.version = record.version.next();
            }
            Ok(((), None))
        });
        given_back.await?;
        Ok(false)
    }
}
