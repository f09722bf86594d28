//! Keeping the registry true to a folder that other programs change: the folder says which names exist and what they
//! hold, the registry says which file each of them is.
//!
//! | the container shows | the registry has | so |
//! |---|---|---|
//! | a name and inode | both | nothing, or a new version if the bytes changed |
//! | an inode under another name | the inode | the file was renamed: same id |
//! | a name with another inode | the name; its inode is nowhere in this container | saved by replacing: same id, new version |
//! | an inode that the registry has elsewhere, and that is not there any more | | the file was moved: same id |
//! | anything else | nothing | a new file |
//! | nothing | a name | not offered; deleted once a whole scan did not find it, unless somebody holds its lock |
//!
//! A file or container with a pending note is left alone: the folder is being made to show it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use wopi::{ContainerId, FileId, FileName, ItemVersion, WopiError};
use wopi_service::Refusal;

use crate::errors;
use crate::host::Host;
use crate::locks;
use crate::ports::{FileCommit, RegistryError, Tree, TreeEntry, TreePath};
use crate::records::{ContainerRecord, Content, FileRecord, LockState, ModifiedAt, Revision, Timestamp};

/// How many new files are made known in one transaction.
const NEW_FILES_BATCH: usize = 1000;

/// How often a request may ask for a whole scan because its file is not where it was.
const SCAN_ON_DEMAND_EVERY: Duration = Duration::from_secs(10);

/// How long such a request waits.
const SCAN_ON_DEMAND_WAIT: Duration = Duration::from_secs(5);

/// How often the whole folder is scanned, hints or not.
pub const SCAN_EVERY: Duration = Duration::from_secs(15 * 60);

/// How long hints are gathered before their containers are looked at.
const HINT_GATHER: Duration = Duration::from_millis(200);

/// When the folder was scanned last; held while it is.
#[derive(Debug, Default)]
pub(crate) struct Scans {
    last: tokio::sync::Mutex<Option<Timestamp>>,
}

/// Records that their container does not show.
#[derive(Debug, Default)]
pub(crate) struct Gone {
    pub(crate) files: BTreeSet<FileId>,
    pub(crate) containers: BTreeSet<ContainerId>,
}

/// What a scan of the whole folder did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ScanSummary {
    /// Containers looked at.
    pub containers: usize,
    /// Files that are in the folder no more.
    pub deleted: usize,
}

impl Host {
    /// Makes the registry know what one container shows now. Returns what it shows no more.
    pub(crate) async fn reconcile(&self, id: &ContainerId) -> Result<Gone, Refusal> {
        let Some(tree) = self.ports.tree.as_deref() else { return Ok(Gone::default()) };
        let path = self.container_path(id).await?;
        let entries = tree.list(&path).await.map_err(|e| errors::tree(&format!("listing {path}"), &e))?;
        let (containers, files): (Vec<TreeEntry>, Vec<TreeEntry>) = entries.into_iter().partition(|e| e.container);
        Ok(Gone {
            containers: self.reconcile_containers(tree, id, containers).await?,
            files: self.reconcile_files(tree, id, &path, files).await?,
        })
    }

    async fn reconcile_files(
        &self,
        tree: &dyn Tree,
        id: &ContainerId,
        path: &TreePath,
        entries: Vec<TreeEntry>,
    ) -> Result<BTreeSet<FileId>, Refusal> {
        let records = self.all_files(id).await?;
        let by_name: HashMap<&FileName, &FileRecord> = records.iter().map(|record| (&record.name, record)).collect();
        let mut placed: HashSet<&FileId> = HashSet::new();
        let mut left = Vec::new();
        for entry in &entries {
            match by_name.get(&entry.name) {
                Some(record) if record.pending.is_some() || record.seen == Some(entry.fingerprint) => {
                    placed.insert(&record.id);
                }
                Some(record) if record.seen.is_some_and(|seen| seen.same_inode(&entry.fingerprint)) => {
                    placed.insert(&record.id);
                    skip_gone(self.notice(record, &path.join(&entry.name), entry.fingerprint).await)?;
                }
                _ => left.push(entry),
            }
        }
        // Renamed within the container.
        let mut still_left = Vec::new();
        for entry in left {
            let renamed = records.iter().find(|record| {
                !placed.contains(&record.id)
                    && record.pending.is_none()
                    && record.seen.is_some_and(|seen| seen.same_inode(&entry.fingerprint))
            });
            match renamed {
                Some(record) if self.take_place(record, id, &path.join(&entry.name), entry).await? => {
                    placed.insert(&record.id);
                }
                _ => still_left.push(entry),
            }
        }
        let mut new = Vec::new();
        for entry in still_left {
            match by_name.get(&entry.name) {
                Some(record) if !placed.contains(&record.id) => {
                    placed.insert(&record.id);
                    skip_gone(self.notice(record, &path.join(&entry.name), entry.fingerprint).await)?;
                }
                _ => {
                    if !self.moved_here(tree, id, path, entry).await? {
                        new.push(self.new_record(id, entry).await?);
                    }
                }
            }
        }
        for batch in new.chunks(NEW_FILES_BATCH) {
            let created = self.ports.registry.create_files(batch).await;
            created.map_err(|e| errors::registry("making new files known", &e))?;
        }
        let gone = records.iter().filter(|record| record.pending.is_none() && !placed.contains(&record.id));
        Ok(gone.map(|record| record.id.clone()).collect())
    }

    /// The file stands under another name or in another container now. `false` if the registry has that name otherwise.
    async fn take_place(
        &self,
        record: &FileRecord,
        container: &ContainerId,
        path: &TreePath,
        entry: &TreeEntry,
    ) -> Result<bool, Refusal> {
        let update = self.update(&record.id, Some(record), |now, _| {
            if now.pending.is_none() && now.seen.is_some_and(|seen| seen.same_inode(&entry.fingerprint)) {
                now.container = container.clone();
                now.name = entry.name.clone();
            }
            Ok(((), None))
        });
        match update.await {
            Ok((record, ())) => {
                if record.pending.is_none() && record.seen != Some(entry.fingerprint) {
                    skip_gone(self.notice(&record, path, entry.fingerprint).await)?;
                }
                tracing::info!(file.id = %record.id, file.path = %path, "another program renamed or moved the file");
                Ok(true)
            }
            Err(Refusal { error: WopiError::NameTaken { .. } | WopiError::NotFound, .. }) => Ok(false),
            Err(refusal) => Err(refusal),
        }
    }

    async fn moved_here(
        &self,
        tree: &dyn Tree,
        id: &ContainerId,
        path: &TreePath,
        entry: &TreeEntry,
    ) -> Result<bool, Refusal> {
        let known = self.ports.registry.files_seen_as(&entry.fingerprint).await;
        for record in known.map_err(|e| errors::registry("looking an inode up", &e))? {
            if record.pending.is_some() || (record.container == *id && record.name == entry.name) {
                continue;
            }
            // A second name of the same inode (a hard link) is a file of its own.
            let still_there = match self.file_path(&record).await {
                Ok(path) => {
                    tree.look(&path).ok().flatten().is_some_and(|e| e.fingerprint.same_inode(&entry.fingerprint))
                }
                Err(_) => false,
            };
            if !still_there && self.take_place(&record, id, &path.join(&entry.name), entry).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn new_record(&self, container: &ContainerId, entry: &TreeEntry) -> Result<FileRecord, Refusal> {
        Ok(FileRecord {
            id: crate::ids::new_file_id(&*self.ports.random),
            container: container.clone(),
            name: entry.name.clone(),
            revision: Revision::default(),
            owner: crate::people::folder_owner(),
            created_at: self.now(),
            version: ItemVersion(1),
            content: Content {
                id: self.new_content_id(),
                size: entry.fingerprint.size,
                sha256: None,
                modified_at: ModifiedAt(entry.fingerprint.modified_ns / 100),
                saved_by: None,
                editors: Vec::new(),
                autosave: false,
            },
            lock: LockState::Free,
            seen: Some(entry.fingerprint),
            pending: None,
            deleted_at: None,
        })
    }

    async fn reconcile_containers(
        &self,
        tree: &dyn Tree,
        id: &ContainerId,
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
        for entry in left {
            // The inode under another name, here or elsewhere, if it is not there any more; else the name with another
            // inode; else new.
            let known = self.ports.registry.containers_seen_as(&entry.fingerprint).await;
            let known = known.map_err(|e| errors::registry("looking an inode up", &e))?;
            let mut found = None;
            for record in known {
                let still_there = match self.container_path(&record.id).await {
                    Ok(path) => {
                        tree.look(&path).ok().flatten().is_some_and(|e| e.fingerprint.same_inode(&entry.fingerprint))
                    }
                    Err(_) => false,
                };
                if !still_there && !placed.contains(&record.id) && record.parent.is_some() {
                    found = Some(record);
                    break;
                }
            }
            let named = || records.iter().find(|record| record.name == entry.name && !placed.contains(&record.id));
            match found.or_else(|| named().cloned()) {
                Some(record) => {
                    let mut wanted = record.clone();
                    wanted.parent = Some(id.clone());
                    wanted.name = entry.name.clone();
                    wanted.seen = Some(entry.fingerprint);
                    placed.insert(record.id.clone());
                    self.commit_seen_container(wanted).await?;
                }
                None => {
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
            }
        }
        Ok(records.into_iter().map(|record| record.id).filter(|id| !placed.contains(id)).collect())
    }

    async fn commit_seen_container(&self, wanted: ContainerRecord) -> Result<(), Refusal> {
        match self.ports.registry.commit_container(&wanted).await {
            // Whoever was faster saw the same folder; the next scan sees what is left.
            Ok(_) | Err(RegistryError::Conflict | RegistryError::NameTaken | RegistryError::NotFound) => Ok(()),
            Err(error) => Err(errors::registry("following a container", &error)),
        }
    }

    // ── the whole folder ──

    /// Looks at every container, and marks as deleted what is nowhere to be found.
    ///
    /// # Errors
    ///
    /// If the folder or the registry cannot be read: nothing is taken for deleted then.
    pub async fn scan(&self) -> Result<ScanSummary, Refusal> {
        let mut last = self.scans.last.lock().await;
        let summary = self.scan_now().await?;
        *last = Some(self.now());
        Ok(summary)
    }

    async fn scan_now(&self) -> Result<ScanSummary, Refusal> {
        let mut summary = ScanSummary::default();
        let Some(tree) = self.ports.tree.as_deref() else { return Ok(summary) };
        let root = self.ports.registry.root().await.map_err(|e| errors::registry("reading the root", &e))?;
        let mut gone = Gone::default();
        let mut queue = vec![root.id];
        let mut seen = HashSet::new();
        while let Some(id) = queue.pop() {
            if !seen.insert(id.clone()) {
                continue;
            }
            let here = match self.reconcile(&id).await {
                Ok(here) => here,
                // Removed while we were on the way to it.
                Err(Refusal { error: WopiError::NotFound, .. }) if summary.containers > 0 => continue,
                Err(refusal) => return Err(refusal),
            };
            summary.containers += 1;
            let children = self.all_containers(&id).await?;
            queue.extend(children.into_iter().map(|c| c.id).filter(|id| !here.containers.contains(id)));
            gone.files.extend(here.files);
            gone.containers.extend(here.containers);
            tokio::task::yield_now().await;
        }
        for id in &gone.files {
            summary.deleted += usize::from(self.forget_file(tree, id).await?);
        }
        for id in gone.containers {
            summary.deleted += self.forget_container(tree, id).await?;
        }
        Ok(summary)
    }

    /// Marks a file as deleted if it still is not there, and nobody holds it: an editor that does will put it back.
    async fn forget_file(&self, tree: &dyn Tree, id: &FileId) -> Result<bool, Refusal> {
        let mut record = match self.file(id).await {
            Ok(record) => record,
            Err(Refusal { error: WopiError::NotFound, .. }) => return Ok(false),
            Err(refusal) => return Err(refusal),
        };
        let path = self.file_path(&record).await;
        let there = match &path {
            Ok(path) => tree.look(path).map_err(|e| errors::tree(&format!("looking at {path}"), &e))?.is_some(),
            Err(_) => false,
        };
        if there || record.pending.is_some() || locks::is_held(&record.lock, self.now()) {
            return Ok(false);
        }
        record.deleted_at = Some(self.now());
        let (file, name) = (record.id.clone(), record.name.clone());
        match self.ports.registry.commit_file(&FileCommit { record, replaced: None }).await {
            Ok(_) => {
                tracing::info!(file.id = %file, file.name = %name, "another program deleted the file");
                Ok(true)
            }
            Err(RegistryError::Conflict) => Ok(false),
            Err(error) => Err(errors::registry("forgetting a file", &error)),
        }
    }

    /// Forgets a container that is not there any more, with all that was in it.
    async fn forget_container(&self, tree: &dyn Tree, id: ContainerId) -> Result<usize, Refusal> {
        let there = match self.container_path(&id).await {
            Ok(path) => tree.look(&path).map_err(|e| errors::tree(&format!("looking at {path}"), &e))?.is_some(),
            Err(_) => return Ok(0),
        };
        if there {
            return Ok(0);
        }
        // From the top down to find everything, from the bottom up to remove it.
        let mut all = vec![id];
        let mut at = 0;
        while at < all.len() {
            let children = self.all_containers(&all[at]).await?;
            all.extend(children.into_iter().map(|c| c.id));
            at += 1;
        }
        let mut deleted = 0;
        for id in all.iter().rev() {
            let mut kept = false;
            for file in self.all_files(id).await? {
                let forgotten = self.forget_file(tree, &file.id).await?;
                kept |= !forgotten;
                deleted += usize::from(forgotten);
            }
            if kept {
                continue;
            }
            if let Ok(record) = self.ports.registry.container(id).await {
                match self.ports.registry.remove_container(id, record.revision).await {
                    Ok(()) => {}
                    Err(RegistryError::NotEmpty | RegistryError::Conflict | RegistryError::NotFound) => {}
                    Err(error) => return Err(errors::registry("forgetting a container", &error)),
                }
            }
        }
        Ok(deleted)
    }

    /// A request looks for a file that is not where it was: scan now, unless that was just done.
    pub(crate) async fn scan_soon_and_wait(&self) {
        let scan = async {
            let mut last = self.scans.last.lock().await;
            if last.is_some_and(|at| self.now().since(at) < SCAN_ON_DEMAND_EVERY) {
                return;
            }
            match self.scan_now().await {
                Ok(_) => *last = Some(self.now()),
                Err(refusal) => tracing::error!("scanning the folder: {refusal}"),
            }
        };
        if tokio::time::timeout(SCAN_ON_DEMAND_WAIT, scan).await.is_err() {
            tracing::warn!("a file is missing, and the scan for it takes longer than a request can wait");
        }
    }

    /// Scans at once, then whenever it is time, and follows hints in between. Until the future is dropped.
    pub async fn keep_scanned(&self) {
        let Some(tree) = self.ports.tree.as_deref() else { return };
        let mut hints = tree.hints();
        loop {
            match self.scan().await {
                Ok(summary) => {
                    tracing::debug!(containers = summary.containers, deleted = summary.deleted, "scanned the folder");
                }
                Err(refusal) => tracing::error!("scanning the folder: {refusal}"),
            }
            let next_scan = tokio::time::sleep(SCAN_EVERY);
            tokio::pin!(next_scan);
            loop {
                let hint = async {
                    match &mut hints {
                        Some(receiver) => receiver.recv().await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    () = &mut next_scan => break,
                    hint = hint => match hint {
                        None => hints = None,
                        Some(first) => {
                            tokio::time::sleep(HINT_GATHER).await;
                            let mut paths = BTreeSet::from([first]);
                            while let Some(Ok(path)) = hints.as_mut().map(tokio::sync::mpsc::Receiver::try_recv) {
                                paths.insert(path);
                            }
                            self.follow(paths).await;
                        }
                    },
                }
            }
        }
    }

    async fn follow(&self, paths: BTreeSet<TreePath>) {
        for path in paths {
            let container = match self.container_at(&path).await {
                Ok(container) => container,
                // A container that we do not know, or no more: its parent tells.
                Err(_) => continue,
            };
            if let Err(refusal) = self.reconcile(&container.id).await {
                tracing::debug!(container.path = %path, "following a hint: {refusal}");
            }
        }
    }

    // ── by path, for commands ──

    /// The container at a path, made known if it is not yet.
    pub async fn container_at(&self, path: &TreePath) -> Result<ContainerRecord, Refusal> {
        let registry = &self.ports.registry;
        let mut at = registry.root().await.map_err(|e| errors::registry("reading the root", &e))?;
        for name in path.names() {
            let name = FileName::parse(name).map_err(|e| Refusal::new(WopiError::NotFound, e.to_string()))?;
            at = match registry.container_named(&at.id, &name).await {
                Ok(found) => found,
                Err(RegistryError::NotFound) => {
                    self.reconcile(&at.id).await?;
                    let found = registry.container_named(&at.id, &name).await;
                    found.map_err(|e| errors::registry(&format!("finding the container {name:?}"), &e))?
                }
                Err(error) => return Err(errors::registry("reading a container", &error)),
            };
        }
        Ok(at)
    }

    /// The file at a path, as it is now, made known if it is not yet.
    pub async fn file_at(&self, path: &TreePath) -> Result<FileRecord, Refusal> {
        let Some((container, name)) = path.split() else {
            return Err(Refusal::new(WopiError::NotFound, "the path names the folder itself"));
        };
        let name = FileName::parse(name).map_err(|e| Refusal::new(WopiError::NotFound, e.to_string()))?;
        let container = self.container_at(&container).await?;
        let registry = &self.ports.registry;
        let found = match registry.file_named(&container.id, &name).await {
            Err(RegistryError::NotFound) => {
                self.reconcile(&container.id).await?;
                registry.file_named(&container.id, &name).await
            }
            found => found,
        };
        let found = found.map_err(|e| errors::registry(&format!("finding the file {path}"), &e))?;
        self.current(&found).await
    }
}

/// A file that vanished while the folder was being read is the next scan's business.
fn skip_gone<T>(result: Result<T, Refusal>) -> Result<(), Refusal> {
    match result {
        Ok(_) | Err(Refusal { error: WopiError::NotFound | WopiError::Busy { .. }, .. }) => Ok(()),
        Err(refusal) => Err(refusal),
    }
}
