//! Carrying everything from one host to another: from a folder into an object store, from SQLite to PostgreSQL, and back; and
//! into a copy that is kept.
//!
//! | kept | changed |
//! |---|---|
//! | ids of files, containers, groups, links and users, so that every address stays good | the id of the root, which each registry has of its own |
//! | versions with their numbers, authors, times and names; what lies beside a file | the ids of contents: bytes get new ones |
//! | who may do what, links with their passwords; the bin; refused saves | sessions and locks: people sign in anew, clients open anew |
//!
//! What is there already, the same to the hash, is left alone: so it can be broken off and begun again, and a copy that is
//! kept takes only what changed. Every run of bytes that is written is read again and compared before anything points to it.
//!
//! Nothing is written to the host that is carried from, except what it finds out about its own folder.

mod files;
mod people;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use wopi::{ContainerId, FileName, UserId, WopiError};
use wopi_service::Refusal;

use crate::errors;
use crate::host::Host;
use crate::ports::{RegistryError, TreeError};
use crate::records::{ContainerRecord, Revision};
use crate::sharing::{Grant, GroupId, Item, Link, Principal};

/// How the two meet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Meeting {
    /// The other one becomes as this one is: what is there and not here is taken away.
    Mirror,
    /// What is here is put beside what is there, in this container. What has a name that is taken stays behind, and is told.
    Beside(ContainerId),
}

/// Whether anybody else works on the host that is carried from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// Nobody: what a crash left undone is carried out first, and the folder is looked through.
    Alone,
    /// A server may. Files are taken as they are when their turn comes, each whole.
    Served,
}

/// How far it has come, and at the end what was done.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Carried {
    /// Containers made.
    pub containers: u64,
    /// Files made, or made anew.
    pub files: u64,
    /// Files that were there already, the same to the hash.
    pub same: u64,
    /// Versions made.
    pub versions: u64,
    /// Refused saves made.
    pub rescued: u64,
    /// Users and groups made.
    pub people: u64,
    /// Grants and links made.
    pub shares: u64,
    /// Bytes written, each of them read again.
    pub bytes: u64,
    /// Files and containers taken away, because they are not there any more where it is carried from.
    pub removed: u64,
    /// Paths of files that stayed behind because something else has their name.
    pub taken: Vec<String>,
    /// How many bytes the files and versions that were looked at have, carried or there already.
    pub looked_at_bytes: u64,
    /// How many bytes files, versions and the bin have where it is carried from, as counted at the beginning.
    pub all_bytes: u64,
}

/// What is done for whom.
pub(crate) struct Carrier<'c> {
    from: &'c Host,
    to: &'c Host,
    meeting: Meeting,
    told: &'c mut (dyn FnMut(&Carried) + Send),
    done: Carried,
    users: BTreeMap<UserId, UserId>,
    groups: BTreeMap<GroupId, GroupId>,
    containers: BTreeMap<ContainerId, ContainerId>,
}

/// Carries everything of `from` over to `to`, which was looked through before. `told` is called now and then, to show how far it has come.
///
/// # Errors
///
/// If either of them cannot be read or written; what was carried by then stays, and the next call goes on from there.
pub async fn carry(
    from: &Host,
    to: &Host,
    source: Source,
    meeting: Meeting,
    told: &mut (dyn FnMut(&Carried) + Send),
) -> Result<Carried, Refusal> {
    if source == Source::Alone {
        from.recover().await?;
        from.scan().await?;
    }
    let usage = from.ports.registry.usage().await.map_err(|e| errors::registry("counting what there is", &e))?;
    let all_bytes = usage.files.bytes + usage.versions.bytes + usage.deleted.bytes;
    let mut carrier = Carrier {
        from,
        to,
        meeting,
        told,
        done: Carried { all_bytes, ..Carried::default() },
        users: BTreeMap::new(),
        groups: BTreeMap::new(),
        containers: BTreeMap::new(),
    };
    carrier.people().await?;
    let found = carrier.containers().await?;
    if carrier.meeting == Meeting::Mirror {
        carrier.remove_strangers(&found).await?;
    }
    for (record, path) in &found {
        carrier.files_in(record, path).await?;
    }
    carrier.deleted_files().await?;
    carrier.rescued_saves().await?;
    to.settle_all().await;
    (carrier.told)(&carrier.done);
    Ok(carrier.done)
}

fn registry(doing: &'static str) -> impl Fn(RegistryError) -> Refusal {
    move |error| errors::registry(doing, &error)
}

impl Carrier<'_> {
    fn tell(&mut self) {
        (self.told)(&self.done);
    }

    fn user(&self, id: &UserId) -> UserId {
        self.users.get(id).unwrap_or(id).clone()
    }

    fn container(&self, id: &ContainerId) -> ContainerId {
        self.containers.get(id).unwrap_or(id).clone()
    }

    fn item(&self, item: &Item) -> Item {
        match item {
            Item::File(id) => Item::File(id.clone()),
            Item::Container(id) => Item::Container(self.container(id)),
        }
    }

    /// Makes the containers, each after the one it is in. Returns those of the host that is carried from, with their paths.
    async fn containers(&mut self) -> Result<Vec<(ContainerRecord, String)>, Refusal> {
        let root = self.from.ports.registry.root().await.map_err(registry("reading the root"))?;
        let there = match &self.meeting {
            Meeting::Mirror => self.to.ports.registry.root().await.map_err(registry("reading the root"))?.id,
            Meeting::Beside(container) => container.clone(),
        };
        self.containers.insert(root.id.clone(), there);
        self.shares(&Item::Container(root.id.clone())).await?;
        let (mut found, mut at) = (vec![(root, String::new())], 0);
        while let Some((record, path)) = found.get(at).cloned() {
            at += 1;
            for child in self.from.all_containers(&record.id).await? {
                let path = format!("{path}{}/", child.name);
                let there = self.container_there(&child).await?;
                self.containers.insert(child.id.clone(), there);
                self.shares(&Item::Container(child.id.clone())).await?;
                found.push((child, path));
            }
        }
        Ok(found)
    }

    /// The container that stands for this one: itself, or one of its name, or a new one.
    async fn container_there(&mut self, record: &ContainerRecord) -> Result<ContainerId, Refusal> {
        let parent = record.parent.as_ref().map(|id| self.container(id));
        let Some(parent) = parent else { return Err(Refusal::internal("a second root")) };
        let there = &*self.to.ports.registry;
        match there.container(&record.id).await {
            Ok(known) if known.parent.as_ref() == Some(&parent) && known.name == record.name => return Ok(known.id),
            Ok(known) if self.meeting == Meeting::Mirror => {
                // It was moved or renamed since the last time; files in it keep their ids, and so does it.
                self.move_container(&known, &parent, &record.name).await?;
                return Ok(known.id);
            }
            Ok(_) | Err(RegistryError::NotFound) => {}
            Err(error) => return Err(registry("looking for a container")(error)),
        }
        match there.container_named(&parent, &record.name).await {
            Ok(known) => return Ok(known.id),
            Err(RegistryError::NotFound) => {}
            Err(error) => return Err(registry("looking for a container")(error)),
        }
        let mut seen = None;
        if let Some(tree) = &self.to.ports.tree {
            let path = self.to.container_path(&parent).await?.join(&record.name);
            let made = tree.create_container(&path).await;
            seen = Some(made.map_err(|e| errors::tree(&format!("making the container {path}"), &e))?.fingerprint);
        }
        let id = match there.container(&record.id).await {
            // Beside what is there, something has its id already: another copy of the same.
            Ok(_) => crate::ids::new_container_id(&*self.to.ports.random),
            Err(_) => record.id.clone(),
        };
        let wanted = ContainerRecord {
            id,
            parent: Some(parent),
            name: record.name.clone(),
            revision: Revision::default(),
            created_at: record.created_at,
            seen,
        };
        let made = there.create_container(&wanted).await.map_err(registry("making a container"))?;
        self.done.containers += 1;
        self.tell();
        Ok(made.id)
    }

    async fn move_container(
        &self,
        known: &ContainerRecord,
        parent: &ContainerId,
        name: &FileName,
    ) -> Result<(), Refusal> {
        if let Some(tree) = &self.to.ports.tree {
            let from = self.to.container_path(&known.id).await?;
            let to = self.to.container_path(parent).await?.join(name);
            let moved = tree.rename_container(&from, &to).await;
            moved.map_err(|e| errors::tree(&format!("moving the container {from} to {to}"), &e))?;
        }
        let next = ContainerRecord { parent: Some(parent.clone()), name: name.clone(), ..known.clone() };
        self.to.ports.registry.commit_container(&next).await.map(drop).map_err(registry("moving a container"))
    }

    /// What is shared of a thing, and its links.
    async fn shares(&mut self, item: &Item) -> Result<(), Refusal> {
        let (from, to) = (&*self.from.ports.registry, &*self.to.ports.registry);
        let there = self.item(item);
        let grants = from.grants_on(std::slice::from_ref(item)).await.map_err(registry("reading grants"))?;
        let known = to.grants_on(std::slice::from_ref(&there)).await.map_err(registry("reading grants"))?;
        let (mut wanted, known) = (Vec::new(), known.first().map(|grants| grants.to_vec()).unwrap_or_default());
        for grant in grants.iter().flat_map(|grants| grants.iter()) {
            let principal = match &grant.to {
                Principal::User(id) => Principal::User(self.user(id)),
                Principal::Group(id) => Principal::Group(self.groups.get(id).unwrap_or(id).clone()),
            };
            wanted.push(Grant { item: there.clone(), to: principal, by: self.user(&grant.by), ..grant.clone() });
        }
        for grant in wanted.iter().filter(|grant| !known.contains(grant)) {
            to.put_grant(grant).await.map_err(registry("granting"))?;
            self.done.shares += 1;
        }
        if self.meeting == Meeting::Mirror {
            for grant in known.iter().filter(|grant| !wanted.iter().any(|wanted| wanted.to == grant.to)) {
                to.remove_grant(&grant.item, &grant.to).await.map_err(registry("taking a grant away"))?;
            }
        }
        let known = to.links_on(&there).await.map_err(registry("reading links"))?;
        for link in from.links_on(item).await.map_err(registry("reading links"))? {
            match known.iter().find(|known| known.id == link.id) {
                Some(known) => {
                    if let (Some(at), None) = (link.revoked_at, known.revoked_at) {
                        to.revoke_link(&link.id, at).await.map_err(registry("revoking a link"))?;
                    }
                }
                None => {
                    let link = Link { item: there.clone(), by: self.user(&link.by), ..link };
                    match to.create_link(&link).await {
                        Ok(()) => self.done.shares += 1,
                        // It leads somewhere already: another copy of the same was put here before.
                        Err(RegistryError::Conflict | RegistryError::NameTaken) => {}
                        Err(error) => return Err(registry("making a link")(error)),
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes away, of a copy, what is not where it is carried from any more, or not in that place.
    async fn remove_strangers(&mut self, found: &[(ContainerRecord, String)]) -> Result<(), Refusal> {
        let ours: HashSet<ContainerId> = found.iter().map(|(record, _)| self.container(&record.id)).collect();
        let root = self.to.ports.registry.root().await.map_err(registry("reading the root"))?;
        let mut there = vec![root];
        let mut at = 0;
        while let Some(record) = there.get(at).cloned() {
            at += 1;
            for file in self.to.all_files(&record.id).await? {
                let stays = match self.from.ports.registry.file(&file.id).await {
                    Ok(now) => {
                        now.deleted_at.is_none()
                            && self.container(&now.container) == file.container
                            && now.name == file.name
                    }
                    Err(RegistryError::NotFound) => false,
                    Err(error) => return Err(registry("looking for a file")(error)),
                };
                if !stays {
                    self.remove_file(&file).await?;
                    self.done.removed += 1;
                    self.tell();
                }
            }
            there.extend(self.to.all_containers(&record.id).await?);
        }
        for record in there.iter().rev().filter(|record| !ours.contains(&record.id)) {
            if let Some(tree) = &self.to.ports.tree {
                let path = self.to.container_path(&record.id).await?;
                match tree.remove_container(&path).await {
                    Ok(()) | Err(TreeError::NotFound) => {}
                    // Something of another program's is in it, which is none of ours to take away.
                    Err(TreeError::NotEmpty) => continue,
                    Err(error) => return Err(errors::tree(&format!("removing the container {path}"), &error)),
                }
            }
            match self.to.ports.registry.remove_container(&record.id, record.revision).await {
                Ok(()) | Err(RegistryError::NotFound) => self.done.removed += 1,
                Err(error) => return Err(registry("removing a container")(error)),
            }
        }
        Ok(())
    }
}

/// The container at a path below the root of a host, made if it is not there.
///
/// # Errors
///
/// If a file has one of the names.
pub async fn container_at(host: &Arc<Host>, path: &crate::ports::TreePath) -> Result<ContainerId, Refusal> {
    let mut at = host.ports.registry.root().await.map_err(registry("reading the root"))?;
    for name in path.names() {
        let name = FileName::parse(name).map_err(|e| Refusal::new(WopiError::NotFound, e.to_string()))?;
        at = match host.ports.registry.container_named(&at.id, &name).await {
            Ok(known) => known,
            Err(RegistryError::NotFound) => match host.create_container_if_free(&at, &name).await? {
                Some(made) => made,
                None => {
                    let taken = WopiError::NameTaken { valid: None };
                    return Err(Refusal::new(taken, format!("`{name}` is a file, or was made just now")));
                }
            },
            Err(error) => return Err(registry("looking for a container")(error)),
        };
    }
    Ok(at.id)
}
