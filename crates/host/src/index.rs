//! Keeping the registry true to a folder that other programs change: the folder says which names exist and what they
//! hold, the registry says which file each of them is.
//!
//! | the container shows | the registry has | so |
//! |---|---|---|
//! | a name and inode | both | nothing, or a new version if the bytes changed |
//! | an inode under another name | the inode, and its name is free, or is that of another file it knows | renamed, perhaps in a row or in a round: same id |
//! | the same, but under the old name stands an unknown inode, or the other name is that of a backup | | saved by renaming: see the next row |
//! | a name with another inode | the name | saved by replacing: same id, new version |
//! | an inode that the registry has elsewhere, and that is not there any more | | the file was moved: same id |
//! | anything else | nothing | a new file |
//! | nothing | a name | not offered; deleted once two whole scans some time apart did not find it, unless somebody holds its lock |
//!
//! A file or container with a pending note is left alone: the folder is being made to show it.
//!
//! A listing is old when the records are read after it, and older when the last of them is compared. So nothing is
//! changed for what the folder does not show at that moment, looked at after the record was loaded: then whatever we
//! ourselves did since the listing either is in the record, or makes the commit fail.

mod containers;
mod files;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use wopi::{ContainerId, FileId, FileName, WopiError};
use wopi_service::Refusal;

use crate::errors;
use crate::host::{CONTAINER_DEPTH_MAX, Host};
use crate::locks;
use crate::ports::{FileCommit, RegistryError, Tree, TreeEntry, TreePath};
use crate::records::{ContainerRecord, FileRecord, Timestamp};

/// How often a request may ask for a whole scan because its file is not where it was.
const SCAN_ON_DEMAND_EVERY: Duration = Duration::from_secs(10);

/// How long such a request waits.
const SCAN_ON_DEMAND_WAIT: Duration = Duration::from_secs(5);

/// How often the whole folder is scanned, hints or not.
pub const SCAN_EVERY: Duration = Duration::from_secs(15 * 60);

/// How long hints are gathered before their containers are looked at.
const HINT_GATHER: Duration = Duration::from_millis(200);

/// How long something must have been missing, in whole scans, before it is taken for deleted. Programs save by removing
/// and renaming, and what is moved from a container not yet scanned to one that was is found by the next scan only.
const MISSING_FOR_MIN: Duration = Duration::from_secs(20);

/// How soon after a scan that missed something the next one comes, to tell whether it is gone for good.
const SCAN_AGAIN_AFTER: Duration = Duration::from_secs(30);

/// How often the folder is scanned for one container that a save needs, and that cannot be put back.
const SOUGHT_EVERY: Duration = Duration::from_secs(60);

/// What the scans know of each other.
#[derive(Debug, Default)]
pub(crate) struct Scans {
    /// When the folder was scanned last; held while it is.
    last: tokio::sync::Mutex<Option<Timestamp>>,
    /// What the last scan did not find, and when it was missed first.
    missing: std::sync::Mutex<Missing>,
    /// The container that a save needed last, and when the folder was scanned for it.
    sought: std::sync::Mutex<Option<(ContainerId, Timestamp)>>,
}

#[derive(Debug, Default)]
struct Missing {
    files: HashMap<FileId, Timestamp>,
    containers: HashMap<ContainerId, Timestamp>,
}

impl Missing {
    /// Takes in what a whole scan missed. Returns what was missed long enough, and how much was missed the first time.
    fn take_in(&mut self, gone: Gone, now: Timestamp) -> (Gone, usize) {
        let mut first_time = 0;
        let mut certain = Gone::default();
        self.files = gone
            .files
            .into_iter()
            .map(|id| {
                let since = self.files.get(&id).copied().unwrap_or_else(|| {
                    first_time += 1;
                    now
                });
                if now.since(since) >= MISSING_FOR_MIN {
                    certain.files.insert(id.clone());
                }
                (id, since)
            })
            .collect();
        self.containers = gone
            .containers
            .into_iter()
            .map(|id| {
                let since = self.containers.get(&id).copied().unwrap_or_else(|| {
                    first_time += 1;
                    now
                });
                if now.since(since) >= MISSING_FOR_MIN {
                    certain.containers.insert(id.clone());
                }
                (id, since)
            })
            .collect();
        (certain, first_time)
    }
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
    /// Files and containers that were not found, for the first time: the next scan tells.
    pub missed: usize,
    /// Files that are in the folder no more.
    pub deleted: usize,
}

/// Where a record waits, out of the way of another one that has its name now. No tree shows such a name.
fn aside(id: &str) -> Option<FileName> {
    FileName::parse(&format!(".moved-{id}")).ok()
}

impl Host {
    /// Makes the registry know what one container shows now. Returns what it shows no more.
    pub(crate) async fn reconcile(&self, id: &ContainerId) -> Result<Gone, Refusal> {
        let Some(tree) = self.ports.tree.as_deref() else { return Ok(Gone::default()) };
        let path = self.container_path(id).await?;
        let entries = tree.list(&path).await.map_err(|e| errors::tree(&format!("listing {path}"), &e))?;
        let (mut containers, files): (Vec<TreeEntry>, Vec<TreeEntry>) = entries.into_iter().partition(|e| e.container);
        if path.names().count() + 1 >= CONTAINER_DEPTH_MAX {
            // No path of ours leads deeper.
            containers.clear();
        }
        Ok(Gone {
            containers: self.reconcile_containers(tree, id, &path, containers).await?,
            files: self.reconcile_files(tree, id, &path, files).await?,
        })
    }

    // ── the whole folder ──

    /// Looks at every container, and marks as deleted what was nowhere to be found for a while.
    ///
    /// # Errors
    ///
    /// If the folder or the registry cannot be read: nothing is taken for deleted then. A container that cannot be read
    /// does not keep the others from being looked at.
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
        let mut unreadable = None;
        let mut queue = vec![root.id];
        let mut seen = HashSet::new();
        while let Some(id) = queue.pop() {
            if !seen.insert(id.clone()) {
                continue;
            }
            let here = match self.reconcile(&id).await {
                Ok(here) => here,
                Err(refusal) if summary.containers == 0 => return Err(refusal),
                // Removed while we were on the way to it.
                Err(Refusal { error: WopiError::NotFound, .. }) => continue,
                Err(refusal) => {
                    tracing::warn!(container.id = %id, "a container cannot be scanned: {refusal}");
                    unreadable.get_or_insert(refusal);
                    continue;
                }
            };
            summary.containers += 1;
            let children = self.all_containers(&id).await?;
            queue.extend(children.into_iter().map(|c| c.id).filter(|id| !here.containers.contains(id)));
            gone.files.extend(here.files);
            gone.containers.extend(here.containers);
            tokio::task::yield_now().await;
        }
        if let Some(refusal) = unreadable {
            // What is missing elsewhere may have been moved to where we cannot look.
            return Err(refusal);
        }
        let (certain, missed) = {
            let mut missing = self.scans.missing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            missing.take_in(gone, self.now())
        };
        summary.missed = missed;
        for id in &certain.files {
            summary.deleted += usize::from(self.forget_file(tree, id).await?);
        }
        for id in certain.containers {
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
        let there = match self.file_path(&record).await {
            Ok(path) => tree.look(&path).map_err(|e| errors::tree(&format!("looking at {path}"), &e))?.is_some(),
            Err(Refusal { error: WopiError::NotFound, .. }) => false,
            // That we cannot tell is no reason to believe the worst.
            Err(refusal) => return Err(refusal),
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
    pub(crate) async fn forget_container(&self, tree: &dyn Tree, id: ContainerId) -> Result<usize, Refusal> {
        let there = match self.container_path(&id).await {
            Ok(path) => tree.look(&path).map_err(|e| errors::tree(&format!("looking at {path}"), &e))?.is_some(),
            Err(Refusal { error: WopiError::NotFound, .. }) => return Ok(0),
            Err(refusal) => return Err(refusal),
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

    /// The container of a saved file is not where it was: scans the folder for it, unless that was just done for the
    /// same one and the save could not be shown all the same.
    pub(crate) async fn scan_for(&self, container: &ContainerId) {
        {
            let mut sought = self.scans.sought.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let now = self.now();
            if sought.as_ref().is_some_and(|(id, at)| id == container && now.since(*at) < SOUGHT_EVERY) {
                return;
            }
            *sought = Some((container.clone(), now));
        }
        if let Err(refusal) = self.scan().await {
            tracing::error!("scanning the folder for a container: {refusal}");
        }
    }

    /// Scans at once, then whenever it is time, and follows hints in between. Until the future is dropped.
    pub async fn keep_scanned(&self) {
        let Some(tree) = self.ports.tree.as_deref() else { return };
        let mut hints = tree.hints();
        loop {
            let next = match self.scan().await {
                Ok(summary) => {
                    tracing::debug!(?summary, "scanned the folder");
                    if summary.missed > 0 { SCAN_AGAIN_AFTER } else { SCAN_EVERY }
                }
                Err(refusal) => {
                    tracing::error!("scanning the folder: {refusal}");
                    SCAN_EVERY
                }
            };
            let next_scan = tokio::time::sleep(next);
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
                    found.map_err(|e| errors::registry(&format!("finding the container `{name}`"), &e))?
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

/// Whether what was listed there stands there now.
fn shows(tree: &dyn Tree, path: &TreePath, entry: &TreeEntry) -> Result<bool, Refusal> {
    let now = tree.look(path).map_err(|e| errors::tree(&format!("looking at {path}"), &e))?;
    Ok(now.is_some_and(|now| now.container == entry.container && now.fingerprint.same_inode(&entry.fingerprint)))
}
