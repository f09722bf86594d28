//! The bin: deleted, and back.
//!
//! What is deleted is remembered before it happens, so that a crash in between leaves an entry too many and never one too
//! few; entries of what is there after all are not shown. A file keeps its record, its id, its history and what is shared
//! of it, and its bytes are kept as a content; it comes back by the note by which new files come into the folder. Of a
//! container the files go one by one, then the empty containers; they come back the other way round, under their ids.
//!
//! | | may |
//! |---|---|
//! | delete | who may change it |
//! | see it in the bin, and put it back | who deleted it; who may change the container it was in; administrators |
//! | delete it for good | who deleted it; administrators |

use std::collections::BTreeMap;

use wopi::{ContainerId, FileId, FileName, UserId};
use wopi_service::Refusal;

use super::moving::Subtree;
use super::{Denied, Desk, Why};
use crate::access::Right;
use crate::errors;
use crate::host::{COMMIT_ATTEMPTS_MAX, Host};
use crate::locks;
use crate::naming;
use crate::ports::{BinEntry, ContentsError, FileCommit, RegistryError, TreeError};
use crate::records::{ContainerRecord, FileRecord, Pending, Timestamp};
use crate::sharing::{BinId, Item};

/// Most entries on a page of the bin.
pub const BIN_PAGE_MAX: usize = 200;

/// How many names are told of what is left in a container that was to be deleted.
const LEFT_OVER_TOLD_MAX: usize = 5;

/// Most entries that are looked at for one page: others may have deleted much that this person may not see.
const LOOKED_AT_MAX: usize = 5_000;

/// Something in the bin, for a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Binned {
    /// Its id.
    pub id: BinId,
    /// What it is.
    pub item: Item,
    /// What it was called.
    pub name: FileName,
    /// The container it was in, and what that is called; `None` if that is gone, or not for this person.
    pub container: Option<super::Step>,
    /// Its size in bytes; `None` of a container.
    pub size: Option<u64>,
    /// Who deleted it.
    pub by: UserId,
    /// When.
    pub at: Timestamp,
    /// Until when it is kept.
    pub kept_until: Timestamp,
    /// Whether this person may delete it for good.
    pub may_purge: bool,
}

/// A page of the bin.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BinPage {
    /// What was deleted last comes first.
    pub entries: Vec<Binned>,
    /// After which entry the next page begins; `None` on the last.
    pub next: Option<BinId>,
}

/// What came back from the bin.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Restored {
    /// The file or container.
    pub item: Item,
    /// Where it is now.
    pub container: ContainerId,
    /// What it is called now.
    pub name: FileName,
    /// How many files could not come back: their bytes are not there any more.
    pub missing: usize,
}

impl Host {
    /// Remembers that this file is about to be deleted by somebody.
    pub(crate) async fn bin_file(&self, record: &FileRecord, by: &UserId) -> Result<BinId, Refusal> {
        let entry = BinEntry {
            id: BinId::new(&*self.ports.random),
            item: Item::File(record.id.clone()),
            name: record.name.clone(),
            container: record.container.clone(),
            by: by.clone(),
            at: self.now(),
        };
        let added = self.ports.registry.add_to_bin(&entry, &[]).await;
        added.map_err(|e| errors::registry("remembering what is deleted", &e))?;
        Ok(entry.id)
    }

    /// Forgets an entry of the bin. If that fails, the entry is one of something that is there, and not shown.
    pub(crate) async fn unbin(&self, id: &BinId) {
        if let Err(error) = self.ports.registry.remove_from_bin(id).await {
            tracing::warn!("forgetting an entry of the bin: {}", errors::chain(&error));
        }
    }

    /// A container under the id it had, in another one perhaps, and under its name or one near it. The folder goes first, as
    /// with every new container.
    async fn create_container_again(
        &self,
        parent: &ContainerRecord,
        was: &ContainerRecord,
    ) -> Result<ContainerRecord, Denied> {
        let registry = &self.ports.registry;
        let path = self.container_path(&parent.id).await?;
        for name in naming::candidates(&was.name) {
            let mut seen = None;
            if let Some(tree) = &self.ports.tree {
                match tree.create_container(&path.join(&name)).await {
                    Ok(entry) => seen = Some(entry.fingerprint),
                    Err(TreeError::NameTaken) => {
                        self.reconcile(&parent.id).await?;
                        continue;
                    }
                    Err(error) => return Err(errors::tree("making a container again", &error).into()),
                }
            }
            let wanted = ContainerRecord { parent: Some(parent.id.clone()), name, seen, ..was.clone() };
            match registry.create_container(&wanted).await {
                Ok(record) => return Ok(record),
                // A scan was faster, and took it for a new one.
                Err(RegistryError::NameTaken) if seen.is_some() => {
                    self.reconcile(&parent.id).await?;
                    let found = registry.container_named(&parent.id, &wanted.name).await;
                    return found.map_err(|e| Denied::registry("reading a container that came back", &e));
                }
                Err(RegistryError::NameTaken) => {}
                Err(error) => return Err(Denied::registry("making a container again", &error)),
            }
        }
        Err(Denied::new(Why::Failed, format!("no free name like `{}` was found", was.name)))
    }

    /// Brings a deleted file back, into this container, under its name or the first free one near it.
    async fn undelete(&self, id: &FileId, to: &ContainerId) -> Result<FileRecord, Denied> {
        let registry = &self.ports.registry;
        let failed = |error: RegistryError| Denied::registry("bringing a file back", &error);
        let mut names: Vec<FileName> = Vec::new();
        let mut name_at = 0;
        for _ in 0..COMMIT_ATTEMPTS_MAX + naming::CANDIDATES_MAX as usize {
            let record = registry.file(id).await.map_err(failed)?;
            let Some(deleted_at) = record.deleted_at else {
                return Err(Denied::new(Why::NotFound, "the file is not deleted"));
            };
            if record.pending.is_some() {
                self.finish(&record).await?;
                continue;
            }
            match self.ports.contents.open(&record.content.id, 0..record.content.size.min(1)).await {
                Ok(_) => {}
                Err(ContentsError::NotFound) => {
                    return Err(Denied::new(Why::NotFound, "the bytes of the file are not there any more"));
                }
                Err(error) => return Err(errors::contents("looking for the bytes", &error).into()),
            }
            if names.is_empty() {
                names = naming::candidates(&record.name).collect();
            }
            let Some(name) = names.get(name_at) else { break };
            let mut wanted = record.clone();
            wanted.deleted_at = None;
            wanted.container = to.clone();
            wanted.name = name.clone();
            wanted.lock = crate::records::LockState::Free;
            wanted.pending = self.ports.tree.is_some().then_some(Pending::Publish { replaces: None });
            let stored = match registry.commit_file(&FileCommit { record: wanted, replaced: None }).await {
                Ok(stored) => stored,
                Err(RegistryError::Conflict) => continue,
                Err(RegistryError::NameTaken) => {
                    name_at += 1;
                    continue;
                }
                Err(error) => return Err(failed(error)),
            };
            match self.carry_out(&stored).await {
                Ok(()) => {
                    self.settle_later(&stored);
                    return Ok(stored);
                }
                Err(error) => {
                    // Nothing was shown, so it is as deleted as it was.
                    let mut back = stored.clone();
                    (back.deleted_at, back.pending) = (Some(deleted_at), None);
                    (back.container, back.name) = (record.container, record.name);
                    registry.commit_file(&FileCommit { record: back, replaced: None }).await.map_err(failed)?;
                    match error {
                        // Another program's file that we did not know yet.
                        TreeError::NameTaken => name_at += 1,
                        error => return Err(errors::tree("putting the file back into the folder", &error).into()),
                    }
                }
            }
        }
        Err(Denied::new(Why::Busy, "no free name was found for a file that comes back, or it changed again and again"))
    }
}

impl Desk<'_> {
    /// Puts a file into the bin. Not while somebody holds it.
    pub async fn delete_file(&self, file: &FileId) -> Result<(), Denied> {
        let at = self.at_file(file, Right::Edit).await?;
        Ok(self.host.delete_file(&at.caller(&self.person)).await?)
    }

    /// Puts a container into the bin with all that is in it: at most [`super::moving::TOGETHER_MAX`] things, none of which
    /// anybody holds. If it breaks off, what is in the bin by then can be put back.
    ///
    /// # Errors
    ///
    /// [`Why::LeftOver`] if something is in the folder that is not offered to anybody, and is not ours to take away: all
    /// else is in the bin by then.
    pub async fn delete_container(&self, id: &ContainerId) -> Result<(), Denied> {
        let at = self.at_container(id, Right::Edit).await?;
        let Some(parent) = at.record.parent.clone() else {
            return Err(Denied::new(Why::Root, "the root cannot be deleted"));
        };
        let Subtree { containers, files } = self.subtree(id).await?;
        let now = self.host.now();
        if files.iter().any(|file| locks::is_held(&file.lock, now)) {
            return Err(Denied::new(Why::Held, "somebody holds a file in the container"));
        }
        let registry = &self.host.ports.registry;
        let entry = BinEntry {
            id: BinId::new(&*self.host.ports.random),
            item: Item::Container(id.clone()),
            name: at.record.name.clone(),
            container: parent,
            by: self.person.id().clone(),
            at: now,
        };
        let added = registry.add_to_bin(&entry, &containers).await;
        added.map_err(|e| Denied::registry("remembering what is deleted", &e))?;
        for file in &files {
            let file = self.host.current(file).await?;
            self.host.delete_record(&file, Some(entry.at)).await?;
        }
        // The bytes are where they are kept before what they were in is gone.
        self.host.settle_all().await;
        for record in containers.iter().rev() {
            self.remove_empty(record).await?;
        }
        tracing::info!(container.id = %id, user.id = %self.person.id(), "somebody deleted a container");
        Ok(())
    }

    async fn remove_empty(&self, record: &ContainerRecord) -> Result<(), Denied> {
        let registry = &self.host.ports.registry;
        if let Some(tree) = &self.host.ports.tree {
            let path = self.host.container_path(&record.id).await?;
            match tree.remove_container(&path).await {
                Ok(()) | Err(TreeError::NotFound) => {}
                Err(TreeError::NotEmpty) => {
                    let names = tree.unoffered(&path, LEFT_OVER_TOLD_MAX).await;
                    let names = names.map_err(|e| errors::tree("looking what is left in a container", &e))?;
                    let because = "something is left in the container that is not offered";
                    return Err(match names.as_slice() {
                        // Something came while we were at it.
                        [] => Denied::new(Why::NotEmpty, "something came into the container meanwhile"),
                        _ => Denied::new(Why::LeftOver { container: record.name.clone(), names }, because),
                    });
                }
                Err(error) => return Err(errors::tree("removing a container", &error).into()),
            }
        }
        for _ in 0..COMMIT_ATTEMPTS_MAX {
            let now = match registry.container(&record.id).await {
                Ok(now) => now,
                Err(RegistryError::NotFound) => return Ok(()),
                Err(error) => return Err(Denied::registry("reading a container", &error)),
            };
            match registry.remove_container(&now.id, now.revision).await {
                Ok(()) | Err(RegistryError::NotFound) => return Ok(()),
                Err(RegistryError::Conflict) => {}
                Err(error) => return Err(Denied::registry("removing a container", &error)),
            }
        }
        Err(Denied::new(Why::Busy, "the container changed again and again"))
    }

    /// A page of what is in the bin, as far as the person may see it; after that entry.
    pub async fn bin(&self, after: Option<&BinId>, limit: usize) -> Result<BinPage, Denied> {
        let registry = &self.host.ports.registry;
        let failed = |error: RegistryError| Denied::registry("reading the bin", &error);
        let limit = limit.clamp(1, BIN_PAGE_MAX);
        let mut last = match after {
            Some(id) => Some(registry.bin_entry(id).await.map_err(failed)?),
            None => None,
        };
        let mut page = BinPage { entries: Vec::new(), next: None };
        let mut looked_at = 0;
        while looked_at < LOOKED_AT_MAX {
            let entries = registry.bin(last.as_ref(), BIN_PAGE_MAX).await.map_err(failed)?;
            if entries.is_empty() {
                return Ok(page);
            }
            for entry in entries {
                looked_at += 1;
                if page.entries.len() == limit {
                    page.next = last.map(|last| last.id);
                    return Ok(page);
                }
                if let Some(binned) = self.binned(&entry).await? {
                    page.entries.push(binned);
                }
                last = Some(entry);
            }
        }
        page.next = last.map(|last| last.id);
        Ok(page)
    }

    /// An entry, if it still is one and the person may see it.
    async fn binned(&self, entry: &BinEntry) -> Result<Option<Binned>, Denied> {
        let registry = &self.host.ports.registry;
        let container = match self.at_container(&entry.container, Right::Edit).await {
            Ok(at) => Some(super::Step::of(&at.record)),
            Err(Denied { why: Why::NotFound | Why::NotAllowed, .. }) => None,
            Err(denied) => return Err(denied),
        };
        let may_purge = self.person.is_administrator() || entry.by == *self.person.id();
        if container.is_none() && !may_purge {
            return Ok(None);
        }
        let size = match &entry.item {
            Item::File(id) => match registry.file(id).await {
                Ok(record) if record.deleted_at.is_some() => Some(record.content.size),
                Ok(_) | Err(RegistryError::NotFound) => return Ok(None),
                Err(error) => return Err(Denied::registry("reading a file", &error)),
            },
            Item::Container(_) => None,
        };
        Ok(Some(Binned {
            id: entry.id.clone(),
            item: entry.item.clone(),
            name: entry.name.clone(),
            container,
            size,
            by: entry.by.clone(),
            at: entry.at,
            kept_until: entry.at.plus(self.host.settings.deleted_kept),
            may_purge,
        }))
    }

    /// An entry that the person may see.
    async fn in_bin(&self, id: &BinId) -> Result<(BinEntry, Binned), Denied> {
        let entry = self.host.ports.registry.bin_entry(id).await;
        let entry = entry.map_err(|e| Denied::registry("reading the bin", &e))?;
        match self.binned(&entry).await? {
            Some(binned) => Ok((entry, binned)),
            None => Err(Denied::new(Why::NotFound, "that is not in the bin, or not for this person")),
        }
    }

    /// Puts something back, into the container it was in, or into another one that the person may change: under its name,
    /// or one near it if that was given to something else.
    ///
    /// # Errors
    ///
    /// [`Why::ContainerGone`] if the container it was in is not there any more and no other was named.
    pub async fn put_back(&self, id: &BinId, into: Option<&ContainerId>) -> Result<Restored, Denied> {
        let (entry, _) = self.in_bin(id).await?;
        let to = into.unwrap_or(&entry.container);
        let target = match self.at_container(to, Right::Edit).await {
            Err(Denied { why: Why::NotFound, because }) if into.is_none() => {
                return Err(Denied::new(Why::ContainerGone, because));
            }
            target => target?.record,
        };
        let restored = match &entry.item {
            Item::File(file) => {
                let record = self.host.undelete(file, &target.id).await?;
                Restored { item: entry.item.clone(), container: record.container, name: record.name, missing: 0 }
            }
            Item::Container(_) => self.put_container_back(&entry, target).await?,
        };
        self.host.unbin(id).await;
        tracing::info!(item = %entry.item, user.id = %self.person.id(), "put back from the bin");
        Ok(restored)
    }

    async fn put_container_back(&self, entry: &BinEntry, target: ContainerRecord) -> Result<Restored, Denied> {
        let registry = &self.host.ports.registry;
        let gone = registry.bin_containers(&entry.id).await.map_err(|e| Denied::registry("reading the bin", &e))?;
        let mut back: BTreeMap<ContainerId, ContainerRecord> = BTreeMap::new();
        let mut restored =
            Restored { item: entry.item.clone(), container: target.id.clone(), name: entry.name.clone(), missing: 0 };
        for was in &gone {
            let parent = was.parent.as_ref().and_then(|parent| back.get(parent)).unwrap_or(&target);
            let record = match registry.container(&was.id).await {
                // It was not removed, or came back by an earlier try.
                Ok(record) => record,
                Err(RegistryError::NotFound) => self.host.create_container_again(parent, was).await?,
                Err(error) => return Err(Denied::registry("reading a container", &error)),
            };
            if entry.item == Item::Container(was.id.clone()) {
                restored.name = record.name.clone();
                restored.item = Item::Container(record.id.clone());
                restored.container = record.parent.clone().unwrap_or_else(|| target.id.clone());
            }
            back.insert(was.id.clone(), record);
        }
        for (was, record) in &back {
            let files = registry.files_deleted_in(was).await;
            for file in files.map_err(|e| Denied::registry("reading deleted files", &e))? {
                // What somebody had deleted before stays where it is.
                if file.deleted_at != Some(entry.at) {
                    continue;
                }
                match self.host.undelete(&file.id, &record.id).await {
                    Ok(_) => {}
                    Err(Denied { why: Why::NotFound, because }) => {
                        tracing::warn!(file.id = %file.id, "a file does not come back from the bin: {because}");
                        restored.missing += 1;
                    }
                    Err(denied) => return Err(denied),
                }
            }
        }
        Ok(restored)
    }

    /// Deletes something in the bin for good, with its history. Its bytes are gone at the next sweeps.
    pub async fn purge(&self, id: &BinId) -> Result<(), Denied> {
        let (entry, binned) = self.in_bin(id).await?;
        if !binned.may_purge {
            return Err(Denied::new(Why::NotAllowed, "somebody else deleted it"));
        }
        let registry = &self.host.ports.registry;
        let failed = |error: RegistryError| Denied::registry("deleting for good", &error);
        let files = match &entry.item {
            Item::File(file) => vec![registry.file(file).await.map_err(failed)?],
            Item::Container(_) => {
                let mut files = Vec::new();
                for container in registry.bin_containers(id).await.map_err(failed)? {
                    let deleted = registry.files_deleted_in(&container.id).await.map_err(failed)?;
                    files.extend(deleted.into_iter().filter(|file| file.deleted_at == Some(entry.at)));
                }
                files
            }
        };
        for mut file in files {
            for _ in 0..COMMIT_ATTEMPTS_MAX {
                if file.pending.is_some() {
                    // The folder has to let go of it first, or it would come back as a new file.
                    self.host.finish(&file).await?;
                    file = registry.file(&file.id).await.map_err(failed)?;
                }
                match registry.remove_file(&file.id, file.revision).await {
                    Ok(()) | Err(RegistryError::NotFound) => break,
                    Err(RegistryError::Conflict) => file = registry.file(&file.id).await.map_err(failed)?,
                    Err(error) => return Err(failed(error)),
                }
            }
        }
        registry.remove_from_bin(id).await.map_err(failed)?;
        tracing::info!(item = %entry.item, user.id = %self.person.id(), "deleted for good");
        Ok(())
    }

    /// Deletes for good everything that the person deleted, or, for administrators, everything: at most
    /// [`super::moving::TOGETHER_MAX`] entries in one go. Returns how many.
    pub async fn empty_bin(&self) -> Result<usize, Denied> {
        let mut mine = Vec::new();
        let mut after: Option<BinId> = None;
        while mine.len() < super::moving::TOGETHER_MAX {
            let page = self.bin(after.as_ref(), BIN_PAGE_MAX).await?;
            mine.extend(page.entries.into_iter().filter(|binned| binned.may_purge).map(|binned| binned.id));
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        for id in &mine {
            self.purge(id).await?;
        }
        Ok(mine.len())
    }
}
