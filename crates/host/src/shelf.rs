//! Files as the folder shows them: noticing what other programs changed, making the folder show what was decided, and
//! reading bytes that belong to one version and no other.

use std::borrow::Cow;
use std::ops::Range;

use wopi::{ContainerId, FileId, FileName, ItemVersion, WopiError};
use wopi_service::{Body, Refusal};

use crate::caller::Caller;
use crate::errors;
use crate::host::Host;
use crate::ports::{ContentsError, FileCommit, RegistryError, Tree, TreeError, TreePath};
use crate::records::{
    ContainerRecord, Content, ContentId, FileRecord, Fingerprint, ModifiedAt, Pending, Sha256, VersionEntry,
    VersionMark,
};
use crate::saving::later;

/// How often reading a file is tried against saves that go on meanwhile.
pub(crate) const READ_ATTEMPTS_MAX: usize = 8;

/// How often the folder is asked again to show what it would not.
const SHOW_AGAIN_EVERY: std::time::Duration = std::time::Duration::from_secs(5);

/// How often a file that is not there is looked for again before it is said to be gone: programs that save by removing
/// and renaming leave a moment without it, and a 404 ends a client's session.
const VANISHED_LOOKS: usize = 5;

/// The pause between two such looks.
const VANISHED_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// How long settling waits for more files to join.
const SETTLE_GATHER: std::time::Duration = std::time::Duration::from_millis(50);

/// The bytes of the file that looks like `seen`, under the first of these paths that has it.
pub(crate) async fn open_at(
    tree: &dyn Tree,
    paths: &[TreePath],
    seen: &Fingerprint,
    range: &Range<u64>,
) -> Result<Option<Body>, Refusal> {
    for path in paths {
        match tree.open(path, seen, range.clone()).await {
            Ok(Some(body)) => return Ok(Some(body)),
            Ok(None) | Err(TreeError::NotFound) => {}
            Err(error) => return Err(errors::tree(&format!("opening {path}"), &error)),
        }
    }
    Ok(None)
}

/// Whether a record still carries the note that another look at it had.
fn same_note(now: &FileRecord, then: &FileRecord) -> bool {
    now.pending == then.pending && now.content.id == then.content.id && now.name == then.name
}

/// What the folder turned out to show when a change of another program was to be written down.
enum Noticed {
    /// The record says so.
    Done,
    /// The bytes have to be compared with those of the record first.
    Compare,
    /// By now it shows this, or nothing.
    Otherwise(Option<Fingerprint>),
}

impl Host {
    /// The record as it is true now: if another program changed the file, that is a new version first.
    ///
    /// One look at the folder. While the folder still has to be made to show something, it is not asked.
    pub(crate) async fn current(&self, record: &FileRecord) -> Result<FileRecord, Refusal> {
        let Some(tree) = &self.ports.tree else { return Ok(record.clone()) };
        if record.pending.is_some() {
            return Ok(record.clone());
        }
        let path = self.file_path(record).await?;
        match tree.look(&path).map_err(|e| errors::tree(&format!("looking at {path}"), &e))? {
            Some(entry) if record.seen == Some(entry.fingerprint) => Ok(record.clone()),
            Some(entry) if record.seen.is_some_and(|seen| seen.same_inode(&entry.fingerprint)) => {
                self.notice(record, &path, entry.fingerprint).await
            }
            // Nothing, or another file: this one may stand under another name now.
            _ => self.search(record, &path).await,
        }
    }

    /// [`Self::current`] for somebody who was let in just now: the path is the one that the gate has read. Whatever one
    /// look at the folder does not settle is looked into in full.
    pub(crate) async fn current_of<'c>(&self, by: &'c Caller) -> Result<Cow<'c, FileRecord>, Refusal> {
        let located = by.located()?;
        let record = &*located.record;
        if let (Some(tree), None) = (&self.ports.tree, &record.pending)
            && let Some(path) = located.path()
            && let Ok(Some(entry)) = tree.look(&path)
            && record.seen == Some(entry.fingerprint)
        {
            return Ok(Cow::Borrowed(record));
        }
        // Boxed, because it is rare and would make every request carry the room for it.
        Box::pin(self.current(record)).await.map(Cow::Owned)
    }

    /// Another program wrote to the file: its bytes are a new version, unless they are the same after all.
    ///
    /// What was seen may be older than the record: a save of ours may have come between. So the folder is looked at once
    /// more after the record was loaded, by every attempt to commit.
    pub(crate) async fn notice(
        &self,
        record: &FileRecord,
        path: &TreePath,
        seen: Fingerprint,
    ) -> Result<FileRecord, Refusal> {
        let Some(tree) = &self.ports.tree else { return Ok(record.clone()) };
        let (mut record, mut seen) = (record.clone(), seen);
        let mut compare = record.content.sha256.is_some() && record.content.size == seen.size;
        for _ in 0..READ_ATTEMPTS_MAX {
            // Where the size tells, the bytes need not be read here, so that a listing does not read whole files.
            let sha256 = if compare { self.hash_now(tree.as_ref(), path, &seen).await? } else { None };
            let id = self.new_content_id();
            let place = (record.container.clone(), record.name.clone());
            let (stored, noticed) = self
                .update(&record.id, Some(&record), |record, _| {
                    if record.pending.is_some() || record.seen == Some(seen) {
                        return Ok((Noticed::Done, None));
                    }
                    if (&record.container, &record.name) != (&place.0, &place.1) {
                        return Ok((Noticed::Otherwise(None), None));
                    }
                    let now = tree.look(path).map_err(|e| errors::tree(&format!("looking at {path}"), &e))?;
                    let now = now.filter(|entry| !entry.container).map(|entry| entry.fingerprint);
                    if now != Some(seen) {
                        return Ok((Noticed::Otherwise(now), None));
                    }
                    if !compare && record.content.sha256.is_some() && record.content.size == seen.size {
                        return Ok((Noticed::Compare, None));
                    }
                    // Indexers, virus scanners and sync programs touch times; clients must not see that
                    // (protocol/clients.md 9, "Conflicts").
                    if sha256.is_none() || sha256 != record.content.sha256 {
                        record.version = record.version.next();
                        record.content = Content {
                            id,
                            size: seen.size,
                            sha256,
                            modified_at: later(ModifiedAt(seen.modified_ns / 100), &record.content),
                            saved_by: None,
                            editors: Vec::new(),
                            autosave: false,
                        };
                        // The bytes that somebody spoke of are no more.
                        record.mark = VersionMark::default();
                        tracing::info!(file.id = %record.id, file.path = %path, "another program changed the file");
                    }
                    record.seen = Some(seen);
                    Ok((Noticed::Done, None))
                })
                .await?;
            match noticed {
                Noticed::Done => return Ok(stored),
                Noticed::Compare => compare = true,
                Noticed::Otherwise(Some(now)) => {
                    seen = now;
                    compare = stored.content.sha256.is_some() && stored.content.size == seen.size;
                }
                Noticed::Otherwise(None) => break,
            }
            record = stored;
        }
        Err(Refusal::new(
            WopiError::Busy { retry_after: errors::RETRY_AFTER_SECONDS },
            format!("another program is at work on {path}"),
        ))
    }

    /// The file is not where it was: it was moved or renamed by another program, alone or with its container, or it is
    /// gone, perhaps for a moment only.
    async fn search(&self, record: &FileRecord, path: &TreePath) -> Result<FileRecord, Refusal> {
        match self.reconcile(&record.container).await {
            // The container is not there: it was moved, or it is gone, too.
            Ok(_) | Err(Refusal { error: WopiError::NotFound, .. }) => {}
            Err(refusal) => return Err(refusal),
        }
        let mut scanned = false;
        for _ in 0..VANISHED_LOOKS {
            let again = self.file(&record.id).await?;
            if let Some(found) = self.found(&again).await? {
                return Ok(found);
            }
            if scanned {
                tokio::time::sleep(VANISHED_PAUSE).await;
            } else {
                self.scan_soon_and_wait().await;
                scanned = true;
            }
        }
        Err(Refusal::new(WopiError::NotFound, format!("the file {path} is not in the folder any more")))
    }

    /// The record as it is true now, if the folder shows the file where the record says.
    async fn found(&self, record: &FileRecord) -> Result<Option<FileRecord>, Refusal> {
        if record.pending.is_some() {
            return Ok(Some(record.clone()));
        }
        let Some(tree) = &self.ports.tree else { return Ok(None) };
        let path = self.file_path(record).await?;
        match tree.look(&path).map_err(|e| errors::tree(&format!("looking at {path}"), &e))? {
            Some(entry) if record.seen == Some(entry.fingerprint) => Ok(Some(record.clone())),
            Some(entry) if !entry.container => self.notice(record, &path, entry.fingerprint).await.map(Some),
            _ => Ok(None),
        }
    }

    /// The hash of the content, computed and remembered if nobody asked before; `None` if the file is too large to wait
    /// for it or changes while it is read.
    pub(crate) async fn hashed(&self, record: FileRecord) -> Result<FileRecord, Refusal> {
        let (Some(tree), Some(seen), None) = (&self.ports.tree, record.seen, record.content.sha256) else {
            return Ok(record);
        };
        if record.pending.is_some() {
            return Ok(record);
        }
        let path = self.file_path(&record).await?;
        let Some(sha256) = self.hash_now(tree.as_ref(), &path, &seen).await? else { return Ok(record) };
        let (record, ()) = self
            .update(&record.id, Some(&record), |record, _| {
                if record.seen == Some(seen) && record.pending.is_none() {
                    record.content.sha256 = Some(sha256);
                }
                Ok(((), None))
            })
            .await?;
        Ok(record)
    }

    async fn hash_now(&self, tree: &dyn Tree, path: &TreePath, seen: &Fingerprint) -> Result<Option<Sha256>, Refusal> {
        if seen.size > self.settings.hash_inline_bytes_max {
            return Ok(None);
        }
        match tree.hash(path, seen).await {
            Ok(hash) => Ok(hash),
            Err(TreeError::NotFound) => Ok(None),
            Err(error) => Err(errors::tree(&format!("hashing {path}"), &error)),
        }
    }

    /// The bytes of the file and the record they belong to, to the byte: never of a version before or after it.
    pub(crate) async fn open_current(
        &self,
        record: FileRecord,
        range: impl Fn(&FileRecord) -> Result<Range<u64>, Refusal> + Send,
    ) -> Result<(FileRecord, Body), Refusal> {
        let mut record = record;
        for _ in 0..READ_ATTEMPTS_MAX {
            let wanted = range(&record)?;
            if let Some(body) = self.try_open(&record, wanted).await? {
                return Ok((record, body));
            }
            record = self.current(&self.file(&record.id).await?).await?;
        }
        Err(Refusal::new(
            WopiError::Busy { retry_after: errors::RETRY_AFTER_SECONDS },
            "the file changed again and again while it was opened",
        ))
    }

    async fn try_open(&self, record: &FileRecord, range: Range<u64>) -> Result<Option<Body>, Refusal> {
        let contents = &self.ports.contents;
        let (Some(tree), Some(seen)) = (&self.ports.tree, record.seen) else {
            let body = contents.open(&record.content.id, range).await;
            return body.map(Some).map_err(|e| errors::contents("opening the content", &e));
        };
        let paths = self.paths_of(record).await?;
        if let Some(body) = open_at(&**tree, &paths, &seen, &range).await? {
            return Ok(Some(body));
        }
        if !matches!(record.pending, Some(Pending::Publish { .. })) {
            return Ok(None);
        }
        // Not published yet: the bytes are still among the contents. They only ever move from there into the folder, so
        // whoever misses them in both places finds them in the folder now.
        match contents.open(&record.content.id, range.clone()).await {
            Ok(body) => Ok(Some(body)),
            Err(ContentsError::NotFound) => open_at(&**tree, &paths, &seen, &range).await,
            Err(error) => Err(errors::contents("opening the staged content", &error)),
        }
    }

    /// Where in the folder a file may be: under its name, and, until the folder shows that it has another place, under the
    /// one before.
    pub(crate) async fn paths_of(&self, record: &FileRecord) -> Result<Vec<TreePath>, Refusal> {
        let mut paths = vec![self.file_path(record).await?];
        match &record.pending {
            Some(Pending::Rename { from }) => paths.push(self.container_path(&record.container).await?.join(from)),
            Some(Pending::Move { container, from }) => paths.push(self.container_path(container).await?.join(from)),
            Some(Pending::Publish { .. } | Pending::Bin) | None => {}
        }
        Ok(paths)
    }

    /// Makes the folder show what the record says. Safe to do again. The record keeps its note until
    /// [`Self::finish`] or the background work has made it durable.
    ///
    /// One at a time per file, and only if the note is still the record's: a note that somebody else has carried out
    /// and cleared must not be carried out once more, over what came after it.
    pub(crate) async fn carry_out(&self, record: &FileRecord) -> Result<(), TreeError> {
        // Without a folder nothing has to be shown, so nothing is asked: that would only be one more thing to fail.
        if self.ports.tree.is_none() {
            return Ok(());
        }
        let _lane = self.showing_lane(&record.id).lock().await;
        match self.ports.registry.file(&record.id).await {
            Ok(now) if same_note(&now, record) => self.show(&now).await,
            Ok(_) | Err(RegistryError::NotFound) => Ok(()),
            Err(error) => Err(TreeError::Unavailable(Box::new(error))),
        }
    }

    async fn show(&self, record: &FileRecord) -> Result<(), TreeError> {
        let (Some(tree), Some(pending), Some(seen)) = (&self.ports.tree, &record.pending, record.seen) else {
            return Ok(());
        };
        let container = match self.container_path(&record.container).await {
            Ok(container) => container,
            // Its container is gone, and with it the name.
            Err(Refusal { error: WopiError::NotFound, .. }) => return Err(TreeError::NotFound),
            Err(refusal) => return Err(TreeError::Unavailable(refusal.because.into_owned().into())),
        };
        let path = container.join(&record.name);
        match pending {
            Pending::Publish { replaces } => {
                let swapped =
                    tree.publish(&path, &record.content.id, &seen, replaces.as_ref().map(|(id, _)| id)).await?;
                match (replaces, swapped) {
                    (Some((id, expected)), Some(found)) if found != *expected => {
                        self.amend_replaced(record, id, &found).await
                    }
                    (Some((id, _)), None) => self.drop_replaced(record, id).await,
                    _ => Ok(()),
                }
            }
            Pending::Rename { from } => tree.rename(&container.join(from), &path, &seen).await,
            Pending::Move { container, from } => {
                let was_in = match self.container_path(container).await {
                    Ok(was_in) => was_in,
                    Err(Refusal { error: WopiError::NotFound, .. }) => return Err(TreeError::NotFound),
                    Err(refusal) => return Err(TreeError::Unavailable(refusal.because.into_owned().into())),
                };
                tree.rename(&was_in.join(from), &path, &seen).await
            }
            Pending::Bin => tree.bin(&path, &seen, &record.content.id).await,
        }
    }

    /// Another program had changed the file in the moment before it was replaced: what was kept are that program's
    /// bytes, and the history says so.
    async fn amend_replaced(&self, record: &FileRecord, id: &ContentId, found: &Fingerprint) -> Result<(), TreeError> {
        let unavailable = |error: RegistryError| TreeError::Unavailable(Box::new(error));
        let registry = &self.ports.registry;
        let content = Content {
            id: *id,
            size: found.size,
            sha256: None,
            modified_at: ModifiedAt(found.modified_ns / 100),
            saved_by: None,
            editors: Vec::new(),
            autosave: false,
        };
        let entries = registry.versions(&record.id).await.map_err(unavailable)?;
        if let Some(entry) = entries.into_iter().find(|entry| entry.content.id == *id) {
            tracing::warn!(file.id = %record.id, "the file that was replaced had just been changed by another program; those bytes are kept as version {}", entry.version);
            let amended = registry.amend_version(&VersionEntry { content, ..entry }).await;
            return amended.map_err(unavailable);
        }
        if found.size == 0 {
            return Ok(());
        }
        // As far as we knew the file had no bytes, so that the history has no entry for them.
        for _ in 0..crate::host::COMMIT_ATTEMPTS_MAX {
            let now = registry.file(&record.id).await.map_err(unavailable)?;
            let Some(before) = now.version.0.checked_sub(1).filter(|_| same_note(&now, record)) else { return Ok(()) };
            let replaced = VersionEntry {
                file: record.id.clone(),
                version: ItemVersion(before),
                content: content.clone(),
                label: None,
                keep: false,
            };
            match registry.commit_file(&FileCommit { record: now, replaced: Some(replaced) }).await {
                Ok(_) => {
                    tracing::warn!(file.id = %record.id, "another program had just filled the empty file that was replaced; its bytes are kept as version {before}");
                    return Ok(());
                }
                Err(RegistryError::Conflict) => {}
                Err(error) => return Err(unavailable(error)),
            }
        }
        Err(TreeError::Unavailable("the record changed again and again".into()))
    }

    /// Another program had taken the file away before it was replaced: no bytes were kept, so the history promises none.
    async fn drop_replaced(&self, record: &FileRecord, id: &ContentId) -> Result<(), TreeError> {
        let unavailable = |error: RegistryError| TreeError::Unavailable(Box::new(error));
        let entries = self.ports.registry.versions(&record.id).await.map_err(unavailable)?;
        let Some(entry) = entries.into_iter().find(|entry| entry.content.id == *id) else { return Ok(()) };
        tracing::warn!(file.id = %record.id, "another program had taken the file away before it was saved; version {} is lost with it", entry.version);
        self.ports.registry.remove_versions(&record.id, &[entry.version]).await.map_err(unavailable)
    }

    /// Carries out, makes durable, and clears the note. A note that cannot be carried out stands.
    pub(crate) async fn finish(&self, record: &FileRecord) -> Result<(), Refusal> {
        if record.pending.is_none() {
            return Ok(());
        }
        let _settling = self.settling.lock().await;
        let mut carried_out = self.carry_out(record).await;
        if let (Err(TreeError::NotFound), Some(pending)) = (&carried_out, &record.pending) {
            carried_out = match pending {
                Pending::Publish { .. } => {
                    self.find_or_restore_container(&record.container).await?;
                    self.carry_out(record).await
                }
                // Another program took the file out of our hands. What it made of it the folder tells.
                Pending::Rename { from } => {
                    return self.clear_note_and_place(record, Some((&record.container, from))).await;
                }
                Pending::Move { container, from } => {
                    return self.clear_note_and_place(record, Some((container, from))).await;
                }
                Pending::Bin => Ok(()),
            };
        }
        match carried_out {
            Ok(()) => {}
            Err(TreeError::NameTaken) => return self.take_another_name(record).await,
            Err(TreeError::NotFound) => {
                return Err(Refusal::new(
                    WopiError::Busy { retry_after: errors::RETRY_AFTER_SECONDS },
                    "another program keeps moving the container of the file",
                ));
            }
            Err(error) => return Err(errors::tree("bringing the folder up to date", &error)),
        }
        self.settle_container(record).await?;
        // Whatever waits for this file is this note or one that is gone.
        self.unsettled().retain(|waiting| waiting.id != record.id);
        self.clear_note(record).await
    }

    /// The folder has no container where the record of a saved file says. Another program moved it, and a scan finds it;
    /// or removed it, and then it comes back with the file: a save that was taken must not vanish.
    async fn find_or_restore_container(&self, id: &ContainerId) -> Result<(), Refusal> {
        let Some(tree) = &self.ports.tree else { return Ok(()) };
        self.scan_for(id).await;
        let registry = &self.ports.registry;
        let mut above = Vec::new();
        let mut at = Some(id.clone());
        while let Some(id) = at.filter(|_| above.len() < crate::host::CONTAINER_DEPTH_MAX) {
            let record = registry.container(&id).await.map_err(|e| errors::registry("reading a container", &e))?;
            at = record.parent.clone();
            above.push(record);
        }
        let mut path = TreePath::root();
        for record in above.into_iter().rev().filter(|record| record.parent.is_some()) {
            path = path.join(&record.name);
            let there = tree.look(&path).map_err(|e| errors::tree(&format!("looking at {path}"), &e))?;
            if there.is_none() {
                let made = tree.create_container(&path).await;
                let made = made.map_err(|e| errors::tree(&format!("putting the container {path} back"), &e))?;
                tracing::warn!(container.path = %path, "another program removed a container with a file that was just saved; it is put back");
                self.commit_seen_container(ContainerRecord { seen: Some(made.fingerprint), ..record }).await?;
            }
        }
        Ok(())
    }

    /// The paths of the containers in which the note of a record changes names. One that is gone has none.
    async fn changed_containers(&self, record: &FileRecord) -> Result<Vec<TreePath>, Refusal> {
        let left = match &record.pending {
            Some(Pending::Move { container, .. }) => Some(container),
            Some(Pending::Publish { .. } | Pending::Rename { .. } | Pending::Bin) | None => None,
        };
        let mut paths = Vec::with_capacity(2);
        for container in std::iter::once(&record.container).chain(left) {
            match self.container_path(container).await {
                Ok(path) => paths.push(path),
                Err(Refusal { error: WopiError::NotFound, .. }) => {}
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(paths)
    }

    async fn settle_container(&self, record: &FileRecord) -> Result<(), Refusal> {
        let Some(tree) = &self.ports.tree else { return Ok(()) };
        let containers = self.changed_containers(record).await?;
        match tree.settle(&containers).await {
            Ok(()) | Err(TreeError::NotFound) => Ok(()),
            Err(error) => Err(errors::tree("making the folder durable", &error)),
        }
    }

    /// Clears the note of a record whose folder is durable, if it still is that note.
    pub(crate) async fn clear_note(&self, done: &FileRecord) -> Result<(), Refusal> {
        self.clear_note_and_place(done, None).await
    }

    /// The same, and puts the record back to this container and name, if that is there and free.
    async fn clear_note_and_place(
        &self,
        done: &FileRecord,
        place: Option<(&ContainerId, &FileName)>,
    ) -> Result<(), Refusal> {
        let mut place = place;
        for _ in 0..crate::host::COMMIT_ATTEMPTS_MAX {
            let mut record = match self.ports.registry.file(&done.id).await {
                Ok(record) => record,
                Err(RegistryError::NotFound) => return Ok(()),
                Err(error) => return Err(errors::registry("reading the file", &error)),
            };
            if !same_note(&record, done) {
                return Ok(());
            }
            record.pending = None;
            if let Some((container, name)) = place {
                record.container = container.clone();
                record.name = name.clone();
            }
            match self.ports.registry.commit_file(&FileCommit { record, replaced: None }).await {
                Ok(_) => return Ok(()),
                Err(RegistryError::Conflict) => {}
                Err(RegistryError::NameTaken | RegistryError::NotFound) if place.is_some() => place = None,
                Err(error) => return Err(errors::registry("clearing a note", &error)),
            }
        }
        Err(Refusal::new(
            WopiError::Busy { retry_after: errors::RETRY_AFTER_SECONDS },
            "the record of a file whose note was to be cleared changed again and again",
        ))
    }

    /// After a crash, or against another program: the name that was decided is taken by a file that we did not know.
    /// Nothing may be overwritten, so the record takes the next free name.
    async fn take_another_name(&self, record: &FileRecord) -> Result<(), Refusal> {
        let mut record = record.clone();
        for name in crate::naming::candidates(&record.name.clone()).skip(1) {
            let mut wanted = record.clone();
            wanted.name = name;
            match self.ports.registry.commit_file(&FileCommit { record: wanted, replaced: None }).await {
                Ok(stored) => record = stored,
                Err(RegistryError::NameTaken) => continue,
                Err(RegistryError::Conflict) => return Ok(()),
                Err(error) => return Err(errors::registry("choosing another name", &error)),
            }
            match self.carry_out(&record).await {
                Ok(()) => {
                    self.settle_container(&record).await?;
                    return self.clear_note(&record).await;
                }
                Err(TreeError::NameTaken) => {}
                Err(error) => return Err(errors::tree("bringing the folder up to date", &error)),
            }
        }
        Err(Refusal::internal("no free name was found"))
    }

    /// The folder shows it; that it is durable is made sure in the background, many at a time.
    pub(crate) fn settle_later(&self, record: &FileRecord) {
        if record.pending.is_some() {
            self.unsettled().push(record.clone());
            self.unsettled_added.notify_one();
        }
    }

    fn unsettled(&self) -> std::sync::MutexGuard<'_, Vec<FileRecord>> {
        self.unsettled.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Makes durable what the folder shows, and clears the notes. Returns how many.
    pub async fn settle_all(&self) -> usize {
        let Some(tree) = &self.ports.tree else { return 0 };
        let _settling = self.settling.lock().await;
        let records = std::mem::take(&mut *self.unsettled());
        if records.is_empty() {
            return 0;
        }
        let mut containers = std::collections::BTreeSet::new();
        let mut settled = Vec::with_capacity(records.len());
        for record in records {
            match self.changed_containers(&record).await {
                Ok(paths) => {
                    containers.extend(paths);
                    settled.push(record);
                }
                Err(refusal) => {
                    tracing::error!(file.id = %record.id, "making the folder durable: {refusal}");
                    self.unsettled().push(record);
                }
            }
        }
        let containers: Vec<TreePath> = containers.into_iter().collect();
        match tree.settle(&containers).await {
            Ok(()) | Err(TreeError::NotFound) => {}
            Err(error) => {
                tracing::error!("making the folder durable: {}", errors::chain(&error));
                self.unsettled().extend(settled);
                return 0;
            }
        }
        let mut cleared = 0;
        for record in settled {
            match self.clear_note(&record).await {
                Ok(()) => cleared += 1,
                Err(refusal) => {
                    tracing::error!(file.id = %record.id, "{refusal}");
                    self.unsettled().push(record);
                }
            }
        }
        cleared
    }

    /// The folder would not show a save (it became read-only, it is full): tried again in the background.
    pub(crate) fn show_later(&self, record: &FileRecord) {
        self.unshown().insert(record.id.clone());
    }

    fn unshown(&self) -> std::sync::MutexGuard<'_, std::collections::BTreeSet<FileId>> {
        self.unshown.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Tries again what the folder would not show. Returns how many files it still will not.
    pub async fn show_all(&self) -> usize {
        let ids = std::mem::take(&mut *self.unshown());
        for id in ids {
            let shown = match self.ports.registry.file(&id).await {
                Ok(record) => self.finish(&record).await,
                Err(RegistryError::NotFound) => Ok(()),
                Err(error) => Err(errors::registry("reading the file", &error)),
            };
            if let Err(refusal) = shown {
                tracing::debug!(file.id = %id, "{refusal}");
                self.unshown().insert(id);
            }
        }
        self.unshown().len()
    }

    /// Takes up notes that nobody carries out any more: whoever decided them was broken off before they were carried
    /// out, because the client went away. Only a note that stood already when this was called last is taken up, so that
    /// requests under way are left alone. Returns how many were.
    pub async fn take_up_notes(&self) -> usize {
        if self.ports.tree.is_none() {
            return 0;
        }
        let pending = match self.ports.registry.files_pending().await {
            Ok(pending) => pending,
            Err(error) => {
                tracing::error!("reading what is pending: {}", errors::chain(&error));
                return 0;
            }
        };
        let waiting: std::collections::BTreeSet<FileId> =
            self.unsettled().iter().map(|record| record.id.clone()).collect();
        let mut standing = self.standing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let before = std::mem::replace(&mut *standing, pending);
        let left = |now: &&FileRecord| {
            !waiting.contains(&now.id) && before.iter().any(|then| then.id == now.id && same_note(now, then))
        };
        let left: Vec<&FileRecord> = standing.iter().filter(left).collect();
        left.iter().for_each(|record| self.show_later(record));
        left.len()
    }

    /// Settles whenever something waits, until the future is dropped.
    pub async fn keep_settled(&self) {
        // Not a pause that starts anew with every save: under load it would never be over.
        let mut again = tokio::time::interval(SHOW_AGAIN_EVERY);
        again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.unsettled_added.notified() => {
                    // A moment for others to join: one pass over the disk serves them all.
                    tokio::time::sleep(SETTLE_GATHER).await;
                    self.settle_all().await;
                }
                _ = again.tick() => {
                    self.take_up_notes().await;
                    self.show_all().await;
                    // Also what could not be settled before.
                    self.settle_all().await;
                }
            }
        }
    }

    /// After a start: carries out whatever the folder still had to be made to show. Returns how many.
    ///
    /// # Errors
    ///
    /// If the registry cannot be read. A file whose note cannot be carried out keeps it, and is logged.
    pub async fn recover(&self) -> Result<usize, Refusal> {
        let pending = self.ports.registry.files_pending().await;
        let pending = pending.map_err(|e| errors::registry("reading what is pending", &e))?;
        let count = pending.len();
        for record in pending {
            if let Err(refusal) = self.finish(&record).await {
                tracing::error!(file.id = %record.id, "after a crash: {refusal}");
                self.show_later(&record);
            }
        }
        Ok(count)
    }
}
