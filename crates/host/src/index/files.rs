//! The files of one container: the table in [`super`], row by row.

use std::collections::{BTreeSet, HashMap, HashSet};

use wopi::{ContainerId, FileId, FileName, ItemVersion, WopiError};
use wopi_service::Refusal;

use super::{aside, shows};
use crate::errors;
use crate::host::Host;
use crate::naming;
use crate::ports::{Tree, TreeEntry, TreePath};
use crate::records::{Content, FileRecord, Fingerprint, LockState, ModifiedAt, Revision, VersionMark};

/// How many new files are made known in one transaction.
const NEW_FILES_BATCH: usize = 1000;

/// Whether a file that was seen so is the one that stands there now, perhaps under another name. Where the file system
/// does not know times of birth an inode number may have been given out again; a rename leaves size and time as they are.
fn is_same_file(seen: Option<&Fingerprint>, now: &Fingerprint) -> bool {
    seen.is_some_and(|seen| {
        seen.same_inode(now) && (now.born_ns.is_some() || (seen.size, seen.modified_ns) == (now.size, now.modified_ns))
    })
}

impl Host {
    pub(super) async fn reconcile_files(
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
        // Read after the records: what of ours came between the listing and them is either pending or in the folder.
        let pending = if left.is_empty() { Vec::new() } else { self.pending_inodes().await? };
        left.retain(|entry| {
            let ours = pending.iter().any(|inode| inode.same_inode(&entry.fingerprint));
            if ours {
                placed.extend(by_name.get(&entry.name).map(|record| &record.id));
            }
            !ours
        });
        // Renamed within the container.
        let mut still_left = Vec::new();
        for entry in left {
            let renamed = records.iter().find(|record| {
                !placed.contains(&record.id)
                    && record.pending.is_none()
                    && is_same_file(record.seen.as_ref(), &entry.fingerprint)
            });
            match renamed {
                Some(record) if !self.is_left_behind(tree, record, entry).await? => {
                    // Whoever has the name and was renamed, too, makes room: two files may have changed names.
                    if let Some(holder) = by_name.get(&entry.name)
                        && !placed.contains(&holder.id)
                        && entries.iter().any(|other| {
                            is_same_file(holder.seen.as_ref(), &other.fingerprint)
                                && !naming::is_backup(&other.name, &holder.name)
                        })
                    {
                        self.put_aside(holder).await?;
                    }
                    if self.take_place(tree, record, id, &path.join(&entry.name), entry).await? {
                        placed.insert(&record.id);
                    } else {
                        still_left.push(entry);
                    }
                }
                _ => still_left.push(entry),
            }
        }
        // Saved by replacing: names that are known come first, so that nobody else takes their records.
        let (named, unnamed): (Vec<&TreeEntry>, Vec<&TreeEntry>) = still_left
            .into_iter()
            .partition(|entry| by_name.get(&entry.name).is_some_and(|record| !placed.contains(&record.id)));
        for entry in named {
            let Some(record) = by_name.get(&entry.name) else { continue };
            placed.insert(&record.id);
            skip_gone(self.notice(record, &path.join(&entry.name), entry.fingerprint).await)?;
        }
        let mut new = Vec::new();
        for entry in unnamed {
            if !self.moved_here(tree, id, path, entry).await? && shows(tree, &path.join(&entry.name), entry)? {
                new.push(self.new_record(id, entry).await?);
            }
        }
        for batch in new.chunks(NEW_FILES_BATCH) {
            let created = self.ports.registry.create_files(batch).await;
            created.map_err(|e| errors::registry("making new files known", &e))?;
        }
        let mut gone = BTreeSet::new();
        for record in records.iter().filter(|record| record.pending.is_none() && !placed.contains(&record.id)) {
            let path = path.join(&record.name);
            let there = tree.look(&path).map_err(|e| errors::tree(&format!("looking at {path}"), &e))?;
            if there.is_none_or(|entry| entry.container) {
                gone.insert(record.id.clone());
            }
        }
        Ok(gone)
    }

    /// The inodes that we ourselves are about to put under another name, or out of the folder.
    async fn pending_inodes(&self) -> Result<Vec<Fingerprint>, Refusal> {
        let pending = self.ports.registry.files_pending().await;
        let pending = pending.map_err(|e| errors::registry("reading what is pending", &e))?;
        Ok(pending.into_iter().filter_map(|record| record.seen).collect())
    }

    /// Whether the entry, which has the record's inode, is only what a program left of the file when it saved under the
    /// same name again: what is open must follow the name and not the backup.
    ///
    /// So it is if the name has an inode that we never saw; and if it has one that we know, the name of a file of its
    /// own that was written beside and renamed, if this entry is called as backups are. Else names were changed.
    async fn is_left_behind(&self, tree: &dyn Tree, record: &FileRecord, entry: &TreeEntry) -> Result<bool, Refusal> {
        let path = match self.file_path(record).await {
            Ok(path) => path,
            Err(Refusal { error: WopiError::NotFound, .. }) => return Ok(false),
            Err(refusal) => return Err(refusal),
        };
        let there = tree.look(&path).map_err(|e| errors::tree(&format!("looking at {path}"), &e))?;
        let Some(there) = there.filter(|there| !there.container && !there.fingerprint.same_inode(&entry.fingerprint))
        else {
            return Ok(false);
        };
        if naming::is_backup(&entry.name, &record.name) {
            return Ok(true);
        }
        let known = self.ports.registry.files_seen_as(&there.fingerprint).await;
        let known = known.map_err(|e| errors::registry("looking an inode up", &e))?;
        Ok(!known.iter().any(|other| is_same_file(other.seen.as_ref(), &there.fingerprint)))
    }

    /// Another program gave the record's name to another file that we know; this one is elsewhere, as its own entry
    /// will tell.
    async fn put_aside(&self, record: &FileRecord) -> Result<(), Refusal> {
        let Some(name) = aside(record.id.as_str()) else { return Ok(()) };
        let update = self.update(&record.id, Some(record), |now, _| {
            if now.pending.is_none() && now.name == record.name && now.container == record.container {
                now.name = name.clone();
            }
            Ok(((), None))
        });
        skip_gone(update.await.map(drop))
    }

    /// The file stands under another name or in another container now. `false` if the registry has that name otherwise.
    async fn take_place(
        &self,
        tree: &dyn Tree,
        record: &FileRecord,
        container: &ContainerId,
        path: &TreePath,
        entry: &TreeEntry,
    ) -> Result<bool, Refusal> {
        let update = self.update(&record.id, Some(record), |now, _| {
            let taken = now.pending.is_none()
                && is_same_file(now.seen.as_ref(), &entry.fingerprint)
                && shows(tree, path, entry)?;
            if taken {
                now.container = container.clone();
                now.name = entry.name.clone();
            }
            Ok((taken, None))
        });
        match update.await {
            Ok((record, taken)) => {
                if taken {
                    tracing::info!(file.id = %record.id, file.path = %path, "another program renamed or moved the file");
                    if record.seen != Some(entry.fingerprint) {
                        skip_gone(self.notice(&record, path, entry.fingerprint).await)?;
                    }
                }
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
            if record.pending.is_some() {
                // A file that was just saved, and moved since. Left alone until its note is cleared: another record of
                // the same file would take its id from it.
                return Ok(true);
            }
            if (record.container == *id && record.name == entry.name)
                || !is_same_file(record.seen.as_ref(), &entry.fingerprint)
                || self.is_left_behind(tree, &record, entry).await?
            {
                continue;
            }
            // A second name of the same inode (a hard link) is a file of its own.
            let still_there = match self.file_path(&record).await {
                Ok(path) => shows(tree, &path, entry)?,
                Err(Refusal { error: WopiError::NotFound, .. }) => false,
                Err(refusal) => return Err(refusal),
            };
            if !still_there && self.take_place(tree, &record, id, &path.join(&entry.name), entry).await? {
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
            mark: VersionMark::default(),
        })
    }
}

/// A file that vanished while the folder was being read is the next scan's business.
fn skip_gone<T>(result: Result<T, Refusal>) -> Result<(), Refusal> {
    match result {
        Ok(_) | Err(Refusal { error: WopiError::NotFound | WopiError::Busy { .. }, .. }) => Ok(()),
        Err(refusal) => Err(refusal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inode_number_that_was_given_out_again_is_another_file() {
        let seen = Fingerprint { inode: 7, born_ns: Some(1), size: 3, modified_ns: 5 };
        let unborn = Fingerprint { born_ns: None, ..seen };
        for (seen, now, expected) in [
            (seen, seen, true),
            (seen, Fingerprint { size: 4, modified_ns: 6, ..seen }, true),
            (seen, Fingerprint { born_ns: Some(2), ..seen }, false),
            (seen, Fingerprint { inode: 8, ..seen }, false),
            (seen, unborn, false),
            // Where births are not known, only a rename leaves everything else as it was.
            (unborn, unborn, true),
            (unborn, Fingerprint { size: 4, ..unborn }, false),
            (unborn, Fingerprint { modified_ns: 6, ..unborn }, false),
        ] {
            assert_eq!(is_same_file(Some(&seen), &now), expected, "{seen:?} {now:?}");
        }
        assert!(!is_same_file(None, &seen));
    }
}
