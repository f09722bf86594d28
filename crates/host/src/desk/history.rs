//! The history of a file: who saved what, and how to get it back.
//!
//! Older versions may show what somebody took out of a document on purpose. So only who may change a file sees them.

use std::collections::BTreeMap;

use wopi::operation::ByteRange;
use wopi::{FileId, ItemVersion, UserId};
use wopi_service::{FileBytes, Refusal};

use super::{Denied, Desk, Download, FileEntry, Why};
use crate::access::Right;
use crate::locks;
use crate::people::is_guest;
use crate::ports::RegistryError;
use crate::records::{Content, ContentId, FileRecord, ModifiedAt, VersionEntry, VersionMark};
use crate::saving::Staged;
use crate::{errors, ports};

/// Longest name of a version, in characters.
pub const VERSION_NAME_LENGTH_MAX: usize = 200;

/// A version of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Version {
    /// Which one.
    pub version: ItemVersion,
    /// How many bytes.
    pub size: u64,
    /// When it was saved.
    pub modified_at: ModifiedAt,
    /// By whom; `None` for another program.
    pub saved_by: Option<UserId>,
    /// Who else worked on it, as the client said.
    pub editors: Vec<String>,
    /// Whether the client saved by itself.
    pub autosave: bool,
    /// The name that somebody gave it.
    pub name: Option<String>,
    /// Whether it is never thinned out.
    pub keep: bool,
}

/// A file and what it was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct History {
    /// The file as it is.
    pub file: FileEntry,
    /// Its version now.
    pub current: Version,
    /// Those that were replaced, latest first.
    pub past: Vec<Version>,
}

impl Version {
    fn of(version: ItemVersion, content: Content, name: Option<String>, keep: bool) -> Self {
        let Content { id: _, size, sha256: _, modified_at, saved_by, editors, autosave } = content;
        Self { version, size, modified_at, saved_by, editors, autosave, name, keep }
    }
}

impl Desk<'_> {
    /// The versions of a file.
    pub async fn history(&self, file: &FileId) -> Result<History, Denied> {
        let at = self.at_file(file, Right::Edit).await?;
        let record = self.host.current(at.record()).await?;
        let past = self.versions(file).await?;
        Ok(History {
            file: FileEntry::of(&record, self.host.now()),
            current: Version::of(record.version, record.content, record.mark.label, record.mark.keep),
            past: past.into_iter().map(|old| Version::of(old.version, old.content, old.label, old.keep)).collect(),
        })
    }

    /// The bytes of a version, or a part of them.
    pub async fn open_version(
        &self,
        file: &FileId,
        version: ItemVersion,
        range: Option<ByteRange>,
    ) -> Result<Download, Denied> {
        let at = self.at_file(file, Right::Edit).await?;
        let old = match self.version(file, version).await {
            Err(Denied { why: Why::NotFound, .. }) if at.record().version == version => {
                return self.download(file, range).await;
            }
            old => old?,
        };
        let size = old.content.size;
        let part = match range {
            None => None,
            Some(range) => Some(
                range
                    .within(size)
                    .ok_or_else(|| Denied::new(Why::Range { size }, format!("the version has only {size} bytes")))?,
            ),
        };
        let body = self.host.ports.contents.open(&old.content.id, part.clone().unwrap_or(0..size)).await;
        let body = body.map_err(|e| errors::contents("opening a version", &e))?;
        let record = FileRecord { version, content: old.content, ..at.record().clone() };
        Ok(Download {
            file: FileEntry::of(&record, self.host.now()),
            bytes: FileBytes { body, size, range: part, version: Some(version) },
        })
    }

    /// Makes an older version the file's content again: as a new version, so that nothing is lost. Not while somebody
    /// holds the file.
    pub async fn restore_version(&self, file: &FileId, version: ItemVersion) -> Result<FileEntry, Denied> {
        let at = self.at_file(file, Right::Edit).await?;
        locks::may_change(&at.record().lock, None, self.host.now()).map_err(Refusal::from)?;
        let Content { id, size, sha256, .. } = self.version(file, version).await?.content;
        let caller = at.caller(&self.person);
        if let Some(shared) = self.host.shared(&id, size, sha256) {
            return Ok(self.save_free(&caller, &shared).await?);
        }
        let staged = self.copied(&id, size).await?;
        let restored = self.save_free(&caller, &staged).await;
        if restored.is_err() {
            // Its bytes are in the history anyway.
            self.host.discard(&staged.id).await;
        }
        Ok(restored?)
    }

    /// Stages the bytes of a content once more: a save needs bytes that nothing else points to.
    pub(super) async fn copied(&self, content: &ContentId, size: u64) -> Result<Staged, Denied> {
        let contents = &self.host.ports.contents;
        let body = contents.open(content, 0..size).await;
        let body = body.map_err(|e| errors::contents("opening what was kept", &e))?;
        let id = self.host.new_content_id();
        match contents.put(&id, body, size).await {
            Ok(stored) => Ok(Staged { id, stored }),
            // What broke off was ours to read.
            Err(ports::ContentsError::Body(error)) => {
                Err(Denied::new(Why::Failed, format!("reading what was kept: {error}")))
            }
            Err(error) => Err(errors::contents("copying what was kept", &error).into()),
        }
    }

    /// Gives a version a name, or takes it away. One that has a name is never thinned out.
    pub async fn name_version(&self, file: &FileId, version: ItemVersion, name: Option<&str>) -> Result<(), Denied> {
        let name = name.map(str::trim).filter(|name| !name.is_empty());
        let name = name.map(|name| name.chars().filter(|c| !c.is_control()).take(VERSION_NAME_LENGTH_MAX).collect());
        self.mark_version(file, version, |mark| mark.label.clone_from(&name)).await
    }

    /// Keeps a version for good, or no more.
    pub async fn keep_version(&self, file: &FileId, version: ItemVersion, keep: bool) -> Result<(), Denied> {
        self.mark_version(file, version, |mark| mark.keep = keep).await
    }

    /// Changes what is said of a version: in the file's record as long as it is the current one, in the history after
    /// that.
    async fn mark_version(
        &self,
        file: &FileId,
        version: ItemVersion,
        change: impl Fn(&mut VersionMark) + Send + Sync,
    ) -> Result<(), Denied> {
        let at = self.at_file(file, Right::Edit).await?;
        let record = self.host.current(at.record()).await?;
        let (_, done) = self
            .host
            .update(file, Some(&record), |record, _| {
                let is_current = record.version == version;
                if is_current {
                    change(&mut record.mark);
                }
                Ok((is_current, None))
            })
            .await?;
        if done {
            return Ok(());
        }
        // It may have become a part of the history while we looked.
        let VersionEntry { file, version, content, label, keep } = self.version(file, version).await?;
        let mut mark = VersionMark { label, keep };
        change(&mut mark);
        let VersionMark { label, keep } = mark;
        let amended =
            self.host.ports.registry.amend_version(&VersionEntry { file, version, content, label, keep }).await;
        amended.map_err(|e| Denied::registry("amending a version", &e))
    }

    async fn versions(&self, file: &FileId) -> Result<Vec<VersionEntry>, Denied> {
        let versions = self.host.ports.registry.versions(file).await;
        versions.map_err(|e| Denied::registry("reading a history", &e))
    }

    async fn version(&self, file: &FileId, version: ItemVersion) -> Result<VersionEntry, Denied> {
        let found = self.versions(file).await?.into_iter().find(|entry| entry.version == version);
        found.ok_or_else(|| Denied::new(Why::NotFound, format!("the history has no version {version}")))
    }

    /// What people are called who have these ids: guests as long as their session is remembered. Of those who are unknown
    /// nothing is told.
    pub async fn names_of(
        &self,
        ids: impl IntoIterator<Item = &UserId> + Send,
    ) -> Result<BTreeMap<UserId, String>, Denied> {
        let mut names = BTreeMap::new();
        let ids: std::collections::BTreeSet<UserId> = ids.into_iter().cloned().collect();
        for id in ids {
            match self.host.ports.registry.user(&id).await {
                Ok(user) => {
                    names.insert(id, super::shown_as(&user).to_owned());
                }
                Err(RegistryError::NotFound) if is_guest(&id) => {
                    let sessions = self.host.ports.registry.sessions(&id).await;
                    let sessions = sessions.map_err(|e| Denied::registry("reading a session", &e))?;
                    let guest = sessions.into_iter().find_map(|session| session.guest);
                    names.extend(guest.map(|guest| (id, guest.name)));
                }
                Err(RegistryError::NotFound) => {}
                Err(error) => return Err(Denied::registry("reading a user", &error)),
            }
        }
        Ok(names)
    }
}
