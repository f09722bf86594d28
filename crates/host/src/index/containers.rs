//! The containers of one container. A directory is known by its inode; its name comes second.

use std::collections::{BTreeSet, HashSet};

use wopi::{ContainerId, WopiError};
use wopi_service::Refusal;

use super::{aside, shows};
use crate::errors;
use crate::host::Host;
use crate::ports::{RegistryError, Tree, TreeEntry, TreePath};
use crate::records::{ContainerRecord, Revision};

impl Host {
    pub(super) async fn reconcile_containers(
        &self,
        tree: &dyn Tree,
        id: &ContainerId,
        path: &TreePath,
        entries: Vec<TreeEntry>,
    ) -> Result<BTreeSet<ContainerId>, Refusal> {
        let records = self.all_containers(id).await?;
        let mut placed: HashSet<ContainerId> = HashSet::new();
        let mut left = Vec::new();
        for entry in entries {
            let same = records.iter().find(|record| record.name == entry.name);
            match same {
                Some(record) if record.seen.is_some_and(|seen| seen.same_inode(&entry.fingerprint)) => {
                    placed.insert(record.id.clone());
                }
                _ => left.push(entry),
            }
        }
        // The inode under another name, here or elsewhere, if it is not there any more.
        let mut still_left = Vec::new();
        for entry in left {
            match self.container_that_was(tree, &entry).await? {
                Some(record) if !placed.contains(&record.id) && shows(tree, &path.join(&entry.name), &entry)? => {
                    let holder = records.iter().find(|holder| holder.name == entry.name && holder.id != record.id);
                    if let Some(holder) = holder.filter(|holder| !placed.contains(&holder.id)) {
                        self.put_container_aside(holder).await?;
                    }
                    placed.insert(record.id.clone());
                    let wanted = ContainerRecord {
                        parent: Some(id.clone()),
                        name: entry.name.clone(),
                        seen: Some(entry.fingerprint),
                        ..record
                    };
                    self.commit_seen_container(wanted).await?;
                }
                _ => still_left.push(entry),
            }
        }
        // Else the name with another inode; else new.
        for entry in still_left {
            let named = records.iter().find(|record| record.name == entry.name && !placed.contains(&record.id));
            if let Some(record) = named {
                placed.insert(record.id.clone());
                self.commit_seen_container(ContainerRecord { seen: Some(entry.fingerprint), ..record.clone() }).await?;
                continue;
            }
            if !shows(tree, &path.join(&entry.name), &entry)? {
                continue;
            }
            let new = ContainerRecord {
                id: crate::ids::new_container_id(&*self.ports.random),
                parent: Some(id.clone()),
                name: entry.name.clone(),
                revision: Revision::default(),
                created_at: self.now(),
                seen: Some(entry.fingerprint),
            };
            match self.ports.registry.create_container(&new).await {
                Ok(_) | Err(RegistryError::NameTaken) => {}
                Err(error) => return Err(errors::registry("making a container known", &error)),
            }
        }
        Ok(records.into_iter().map(|record| record.id).filter(|id| !placed.contains(id)).collect())
    }

    /// The container that we know by this inode, if it is not where it was.
    async fn container_that_was(&self, tree: &dyn Tree, entry: &TreeEntry) -> Result<Option<ContainerRecord>, Refusal> {
        let known = self.ports.registry.containers_seen_as(&entry.fingerprint).await;
        for record in known.map_err(|e| errors::registry("looking an inode up", &e))? {
            let still_there = match self.container_path(&record.id).await {
                Ok(path) => shows(tree, &path, entry)?,
                Err(Refusal { error: WopiError::NotFound, .. }) => false,
                Err(refusal) => return Err(refusal),
            };
            if !still_there && record.parent.is_some() {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// Another container has this one's name now. Where it went its own entry tells, if it did not go for good.
    async fn put_container_aside(&self, holder: &ContainerRecord) -> Result<(), Refusal> {
        let Some(name) = aside(holder.id.as_str()) else { return Ok(()) };
        let holder = match self.ports.registry.container(&holder.id).await {
            Ok(now) if now.name == holder.name && now.parent == holder.parent => now,
            Ok(_) | Err(RegistryError::NotFound) => return Ok(()),
            Err(error) => return Err(errors::registry("reading a container", &error)),
        };
        self.commit_seen_container(ContainerRecord { name, ..holder }).await
    }

    pub(crate) async fn commit_seen_container(&self, wanted: ContainerRecord) -> Result<(), Refusal> {
        match self.ports.registry.commit_container(&wanted).await {
            // Whoever was faster saw the same folder; the next scan sees what is left.
            Ok(_) | Err(RegistryError::Conflict | RegistryError::NameTaken | RegistryError::NotFound) => Ok(()),
            Err(error) => Err(errors::registry("following a container", &error)),
        }
    }
}
