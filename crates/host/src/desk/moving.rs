//! To another container: moved, or copied.
//!
//! A file is moved by a note, as it is renamed by one: the record says where it is, the folder is made to show it, and
//! after a crash it is made to show it again. It keeps its id and its history, and what is shared of it; what it inherited
//! from where it was it leaves there. A container goes in the folder first: a scan knows it by its inode.

use std::collections::BTreeMap;

use wopi::operation::SaveFacts;
use wopi::{ContainerId, FileId, FileName};

use super::{Denied, Desk, FileEntry, Step, Why};
use crate::access::Right;
use crate::errors;
use crate::files::NewName;
use crate::host::CONTAINER_DEPTH_MAX;
use crate::locks;
use crate::naming;
use crate::ports::{RegistryError, TreeError};
use crate::records::{ContainerRecord, Content, FileRecord};

/// Most files and containers that are copied, deleted or brought back in one go.
pub const TOGETHER_MAX: usize = 10_000;

/// A container and all that is in it, each container after the one it is in.
pub(super) struct Subtree {
    pub(super) containers: Vec<ContainerRecord>,
    pub(super) files: Vec<FileRecord>,
}

impl Desk<'_> {
    /// Moves a file to another container, under the name it has. Not while somebody holds it. It takes the right to change
    /// the file and both containers.
    pub async fn move_file(&self, file: &FileId, to: &ContainerId) -> Result<FileEntry, Denied> {
        let at = self.at_file(file, Right::Edit).await?;
        self.at_container(&at.record().container, Right::Edit).await?;
        self.at_container(to, Right::Edit).await?;
        let record = self.host.current(at.record()).await?;
        let may = |record: &FileRecord, now| Ok(locks::may_change(&record.lock, None, now)?);
        match self.host.place_if_free(&record, Some(to), &record.name, may).await? {
            Some(record) => Ok(FileEntry::of(&record, self.host.now())),
            None => Err(self.name_taken(to, &record.name).await),
        }
    }

    /// Moves a container with all that is in it. Who holds a file in it goes on holding it.
    pub async fn move_container(&self, id: &ContainerId, to: &ContainerId) -> Result<Step, Denied> {
        let at = self.at_container(id, Right::Edit).await?;
        let Some(parent) = at.record.parent.clone() else {
            return Err(Denied::new(Why::Root, "the root cannot be moved"));
        };
        self.at_container(&parent, Right::Edit).await?;
        let target = self.at_container(to, Right::Edit).await?;
        if parent == *to {
            return Ok(Step::of(&at.record));
        }
        self.must_fit(id, &target.above).await?;
        let mut wanted = at.record.clone();
        wanted.parent = Some(to.clone());
        if let Some(tree) = &self.host.ports.tree {
            let from = self.host.container_path(id).await?;
            let there = self.host.container_path(to).await?.join(&at.record.name);
            match tree.rename_container(&from, &there).await {
                Ok(()) => {}
                Err(TreeError::NameTaken) => {
                    self.host.reconcile(to).await?;
                    return Err(self.name_taken(to, &at.record.name).await);
                }
                Err(error) => return Err(errors::tree("moving a container", &error).into()),
            }
        }
        match self.host.ports.registry.commit_container(&wanted).await {
            Ok(stored) => Ok(Step::of(&stored)),
            Err(error) if self.host.ports.tree.is_some() => {
                // A scan saw it there, or sees it now.
                tracing::info!(container.id = %id, "moved, and found by a scan: {}", errors::chain(&error));
                self.host.reconcile(to).await?;
                let found = self.host.ports.registry.container(id).await;
                Ok(Step::of(&found.map_err(|e| Denied::registry("reading the container", &e))?))
            }
            Err(RegistryError::NameTaken) => Err(self.name_taken(to, &at.record.name).await),
            Err(error) => Err(Denied::registry("moving a container", &error)),
        }
    }

    /// Refuses to put a container into itself, or deeper than containers may lie. `above` is the target and what it is in.
    async fn must_fit(&self, id: &ContainerId, above: &[std::sync::Arc<ContainerRecord>]) -> Result<Subtree, Denied> {
        if above.iter().any(|container| container.id == *id) {
            return Err(Denied::new(Why::IntoItself, "a container cannot be in itself"));
        }
        let subtree = self.subtree(id).await?;
        let mut depths: BTreeMap<&ContainerId, usize> = BTreeMap::new();
        for record in &subtree.containers {
            let depth = record.parent.as_ref().and_then(|parent| depths.get(parent)).map_or(1, |depth| depth + 1);
            depths.insert(&record.id, depth);
        }
        if above.len() + depths.values().copied().max().unwrap_or(1) >= CONTAINER_DEPTH_MAX {
            return Err(Denied::new(Why::TooDeep, "containers cannot lie any deeper"));
        }
        Ok(subtree)
    }

    /// A container and all that is in it now, what another program put there too.
    pub(super) async fn subtree(&self, id: &ContainerId) -> Result<Subtree, Denied> {
        let registry = &self.host.ports.registry;
        let top = registry.container(id).await.map_err(|e| Denied::registry("reading a container", &e))?;
        let mut subtree = Subtree { containers: vec![top], files: Vec::new() };
        let mut at = 0;
        while let Some(id) = subtree.containers.get(at).map(|record| record.id.clone()) {
            let (files, containers) = self.host.children(&id).await?;
            subtree.files.extend(files);
            subtree.containers.extend(containers);
            if subtree.files.len() + subtree.containers.len() > TOGETHER_MAX {
                let why = Why::TooMany { limit: TOGETHER_MAX };
                return Err(Denied::new(why, format!("more than {TOGETHER_MAX} things are in the container")));
            }
            at += 1;
        }
        Ok(subtree)
    }

    /// Copies a file into a container, under its name or one near it. The copy has no history, and belongs to the person.
    pub async fn copy_file(&self, file: &FileId, to: &ContainerId) -> Result<FileEntry, Denied> {
        let at = self.at_file(file, Right::View).await?;
        let target = self.at_container(to, Right::Edit).await?;
        let caller = target.caller(&self.person);
        let record = self.host.current(at.record()).await?;
        let copy = self.copy_of(&caller, record, to).await?;
        Ok(FileEntry::of(&copy, self.host.now()))
    }

    async fn copy_of(
        &self,
        caller: &crate::caller::Caller,
        record: FileRecord,
        to: &ContainerId,
    ) -> Result<FileRecord, Denied> {
        let target = NewName::Near(record.name.clone());
        let Content { id, size, sha256, .. } = &record.content;
        if let Some(shared) = self.host.shared(id, *size, *sha256) {
            return Ok(self.host.place(caller, to, &target, &shared, &SaveFacts::default()).await?);
        }
        let (_, body) = self.host.open_current(record, |record| Ok(0..record.content.size)).await?;
        let staged = self.staged(body).await?;
        let placed = self.host.place(caller, to, &target, &staged, &SaveFacts::default()).await;
        if placed.is_err() {
            self.host.discard(&staged.id).await;
        }
        Ok(placed?)
    }

    /// Copies a container with all that is in it, under its name or one near it: at most [`TOGETHER_MAX`] things. If it
    /// breaks off, what was copied by then stays.
    pub async fn copy_container(&self, id: &ContainerId, to: &ContainerId) -> Result<Step, Denied> {
        self.at_container(id, Right::View).await?;
        let target = self.at_container(to, Right::Edit).await?;
        let subtree = self.must_fit(id, &target.above).await?;
        let caller = target.caller(&self.person);
        let mut copies: BTreeMap<ContainerId, ContainerRecord> = BTreeMap::new();
        let mut top = None;
        for record in subtree.containers {
            let parent = record.parent.as_ref().and_then(|parent| copies.get(parent));
            let copy = match parent {
                // What the folder holds may be called as no client may call it.
                Some(parent) => self.host.create_container_near(parent, &legal(&record.name)).await?,
                None => self.host.create_container_near(&target.record, &legal(&record.name)).await?,
            };
            top.get_or_insert_with(|| Step::of(&copy));
            copies.insert(record.id, copy);
        }
        for file in subtree.files {
            let Some(copy) = copies.get(&file.container) else { continue };
            self.copy_of(&caller, file, &copy.id).await?;
        }
        top.ok_or_else(|| Denied::new(Why::Failed, "a container that was there is not"))
    }
}

/// The name, or one near it that may be chosen.
fn legal(name: &FileName) -> FileName {
    if naming::legal(name).is_ok() { name.clone() } else { naming::legalize(name.as_str(), name.extension()) }
}
