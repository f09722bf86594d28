//! Files as the folder shows them: noticing what other programs changed, making the folder show what was decided, and
//! reading bytes that belong to one version and no other.

use std::borrow::Cow;
use std::ops::Range;

use wopi::WopiError;
use wopi_service::{Body, Refusal};

use crate::caller::Caller;
use crate::errors;
use crate::host::Host;
use crate::ports::{ContentsError, RegistryError, Tree, TreeError, TreePath};
use crate::records::{Content, FileRecord, Fingerprint, ModifiedAt, Pending, Sha256, VersionEntry};

/// How often reading a file is tried against saves that go on meanwhile.
const READ_ATTEMPTS_MAX: usize = 8;

/// How often the folder is asked again to show what it would not.
const SHOW_AGAIN_EVERY: std::time::Duration = std::time::Duration::from_secs(5);

/// How long settling waits for more files to join.
const SETTLE_GATHER: std::time::Duration = std::time::Duration::from_millis(50);

/// Whether a record still carries the note that another look at it had.
fn same_note(now: &FileRecord, then: &FileRecord) -> bool {
    now.pending == then.pending && now.content.id == then.content.id && now.name == then.name
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
            Some(entry) if !entry.container => self.notice(record, &path, entry.fingerprint).await,
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
    pub(crate) async fn notice(
        &self,
        record: &FileRecord,
        path: &TreePath,
        seen: Fingerprint,
    ) -> Result<FileRecord, Refusal> {
        let Some(tree) = &self.ports.tree else { return Ok(record.clone()) };
        let sha256 = self.hash_now(tree.as_ref(), path, &seen).await?;
        let id = self.new_content_id();
        let (record, ()) = self
            .update(&record.id, Some(record), |record, _| {
                if record.pending.is_some() || record.seen == Some(seen) {
                    return Ok(((), None));
                }
                // Indexers, virus scanners and sync programs touch times; clients must not see that
                // (protocol/clients.md 9, "Conflicts").
                if sha256.is_none() || sha256 != record.content.sha256 {
                    record.version = record.version.next();
                    record.content = Content {
                        id,
                        size: seen.size,
                        sha256,
                        modified_at: ModifiedAt(seen.modified_ns / 100),
                        saved_by: None,
                        editors: Vec::new(),
                        autosave: false,
                    };
                    tracing::info!(file.id = %record.id, file.path = %path, "another program changed the file");
                }
                record.seen = Some(seen);
                Ok(((), None))
            })
            .await?;
        Ok(record)
    }

    /// The file is not where it was: it was moved or renamed by another program, or it is gone.
    async fn search(&self, record: &FileRecord, path: &TreePath) -> Result<FileRecord, Refusal> {
        match self.reconcile(&record.container).await {
            // A container that is not where it was, either: only a scan can tell.
            Ok(_) | Err(Refusal { error: WopiError::NotFound, .. }) => {}
            Err(refusal) => return Err(refusal),
        }
        let mut again = self.file(&record.id).await?;
        if again.container == record.container && again.name == record.name {
            self.scan_soon_and_wait().await;
            again = self.file(&record.id).await?;
        }
        let path_now = self.file_path(&again).await?;
        let tree = self.ports.tree.as_ref();
        let entry = tree.and_then(|tree| tree.look(&path_now).ok().flatten()).filter(|entry| !entry.container);
        match entry {
            Some(entry) if again.pending.is_some() || again.seen == Some(entry.fingerprint) => Ok(again),
            Some(entry) => self.notice(&again, &path_now, entry.fingerprint).await,
            None if again.pending.is_some() => Ok(again),
            None => Err(Refusal::new(WopiError::NotFound, format!("the file {path} is not in the folder any more"))),
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
        let path = self.file_path(record).await?;
        let open = |path: TreePath, range: Range<u64>| async move {
            match tree.open(&path, &seen, range).await {
                Ok(body) => Ok(body),
                Err(TreeError::NotFound) => Ok(None),
                Err(error) => Err(errors::tree(&format!("opening {path}"), &error)),
            }
        };
        if let Some(body) = open(path.clone(), range.clone()).await? {
            return Ok(Some(body));
        }
        match &record.pending {
            // Not published yet: the bytes are still among the contents. They only ever move from there into the folder,
            // so whoever misses them in both places finds them in the folder now.
            Some(Pending::Publish { .. }) => match contents.open(&record.content.id, range.clone()).await {
                Ok(body) => Ok(Some(body)),
                Err(ContentsError::NotFound) => open(path, range).await,
                Err(error) => Err(errors::contents("opening the staged content", &error)),
            },
            Some(Pending::Rename { from }) => {
                open(self.container_path(&record.container).await?.join(from), range).await
            }
            Some(Pending::Bin) | None => Ok(None),
        }
    }

    /// Makes the folder show what the record says. Safe to do again. The record keeps its note until
    /// [`Self::finish`] or the background work has made it durable.
    ///
    /// One at a time per file, and only if the note is still the record's: a note that somebody else has carried out
    /// and cleared must not be carried out once more, over what came after it.
    pub(crate) async fn carry_out(&self, record: &FileRecord) -> Result<(), TreeError> {
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
        let Ok(container) = self.container_path(&record.container).await else {
            // Its container is gone, and with it the name. Nothing is left to show.
            return Err(TreeError::NotFound);
        };
        let path = container.join(&record.name);
        match pending {
            Pending::Publish { replaces } => {
                let swapped =
                    tree.publish(&path, &record.content.id, &seen, replaces.as_ref().map(|(id, _)| id)).await?;
                match (replaces, swapped) {
                    (Some((id, expected)), Some(found)) if found != *expected => {
                        self.amend_replaced(record, id, &found).await;
                    }
                    (Some((id, _)), None) => self.forget_replaced(record, id).await,
                    _ => {}
                }
                Ok(())
            }
            Pending::Rename { from } => tree.rename(&container.join(from), &path, &seen).await,
            Pending::Bin => tree.bin(&path, &seen, &record.content.id).await,
        }
    }

    /// Another program had changed the file in the moment before it was replaced: what was kept are that program's
    /// bytes, and the history says so.
    async fn amend_replaced(&self, record: &FileRecord, id: &crate::records::ContentId, found: &Fingerprint) {
        let entries = match self.ports.registry.versions(&record.id).await {
            Ok(entries) => entries,
            Err(error) => {
                tracing::error!(file.id = %record.id, "reading the history: {}", errors::chain(&error));
                return;
            }
        };
        if let Some(entry) = entries.into_iter().find(|entry| entry.content.id == *id) {
            let content = Content {
                size: found.size,
                sha256: None,
                modified_at: ModifiedAt(found.modified_ns / 100),
                saved_by: None,
                editors: Vec::new(),
                autosave: false,
                ..entry.content
            };
            tracing::warn!(file.id = %record.id, "the file that was replaced had just been changed by another program; those bytes are kept as version {}", entry.version);
            if let Err(error) = self.ports.registry.amend_version(&VersionEntry { content, ..entry }).await {
                tracing::error!(file.id = %record.id, "amending the history: {}", errors::chain(&error));
            }
        }
    }

    /// Another program had taken the file away before it was replaced, and its bytes with it: the history must not
    /// promise them.
    async fn forget_replaced(&self, record: &FileRecord, id: &crate::records::ContentId) {
        if !matches!(self.ports.contents.open(id, 0..0).await, Err(ContentsError::NotFound)) {
            return;
        }
        let registry = &self.ports.registry;
        let removed = async {
            let entries = registry.versions(&record.id).await?;
            let gone: Vec<_> = entries.iter().filter(|entry| entry.content.id == *id).map(|e| e.version).collect();
            if gone.is_empty() { Ok(()) } else { registry.remove_versions(&record.id, &gone).await }
        };
        if let Err(error) = removed.await {
            tracing::error!(file.id = %record.id, "amending the history: {}", errors::chain(&error));
        }
    }

    /// As [`Self::carry_out`], where neither the file nor perhaps its container stands where it should: another program
    /// has moved the container, or removed it. A save that was answered makes it again.
    async fn carry_out_elsewhere(&self, record: &FileRecord) -> Result<(), TreeError> {
        if let Err(refusal) = self.scan().await {
            return Err(TreeError::Unavailable(refusal.into()));
        }
        let outcome = self.carry_out(record).await;
        let (Err(TreeError::NotFound), Some(tree), Some(Pending::Publish { .. })) =
            (&outcome, &self.ports.tree, &record.pending)
        else {
            return outcome;
        };
        let Ok(container) = self.container_path(&record.container).await else { return outcome };
        let mut path = TreePath::root();
        for name in container.names() {
            let Ok(name) = wopi::FileName::parse(name) else { return outcome };
            path = path.join(&name);
            match tree.create_container(&path).await {
                Ok(_) => {
                    tracing::warn!(container.path = %path, "another program removed the container; a save needs it");
                }
                Err(TreeError::NameTaken) => {}
                Err(error) => return Err(error),
            }
        }
        self.carry_out(record).await
    }

    /// Carries out, makes durable, and clears the note.
    pub(crate) async fn finish(&self, record: &FileRecord) -> Result<(), Refusal> {
        if record.pending.is_none() {
            return Ok(());
        }
        let _settling = self.settling.lock().await;
        let mut outcome = self.carry_out(record).await;
        if matches!(outcome, Err(TreeError::NotFound)) {
            outcome = self.carry_out_elsewhere(record).await;
        }
        match outcome {
            Ok(()) => {}
            // What was to be renamed is not there any more, or where a save belongs there can be no container: the bytes
            // stay among the contents, where the history and the record still find them.
            Err(TreeError::NotFound) => {
                tracing::warn!(file.id = %record.id, "the folder cannot show the file any more");
            }
            Err(TreeError::NameTaken) => return self.take_another_name(record).await,
            Err(error) => return Err(errors::tree("bringing the folder up to date", &error)),
        }
        if let (Some(tree), Ok(container)) = (&self.ports.tree, self.container_path(&record.container).await) {
            match tree.settle(&[container]).await {
                Ok(()) | Err(TreeError::NotFound) => {}
                Err(error) => return Err(errors::tree("making the folder durable", &error)),
            }
        }
        // Whatever waits for this file is this note or one that is gone.
        self.unsettled().retain(|waiting| waiting.id != record.id);
        self.clear_note(record).await
    }

    /// Clears the note of a record whose folder is durable, if it still is that note.
    pub(crate) async fn clear_note(&self, done: &FileRecord) -> Result<(), Refusal> {
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
            match self.ports.registry.commit_file(&crate::ports::FileCommit { record, replaced: None }).await {
                Ok(_) => return Ok(()),
                Err(RegistryError::Conflict) => {}
                Err(error) => return Err(errors::registry("clearing a note", &error)),
            }
        }
        Ok(())
    }

    /// After a crash, or against another program: the name that was decided is taken by a file that we did not know.
    /// Nothing may be overwritten, so the record takes the next free name.
    async fn take_another_name(&self, record: &FileRecord) -> Result<(), Refusal> {
        let mut record = record.clone();
        for name in crate::naming::candidates(&record.name.clone()).skip(1) {
            let mut wanted = record.clone();
            wanted.name = name;
            match self.ports.registry.commit_file(&crate::ports::FileCommit { record: wanted, replaced: None }).await {
                Ok(stored) => record = stored,
                Err(RegistryError::NameTaken) => continue,
                Err(RegistryError::Conflict) => return Ok(()),
                Err(error) => return Err(errors::registry("choosing another name", &error)),
            }
            match self.carry_out(&record).await {
                Ok(()) => return self.clear_note(&record).await,
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
        for record in &records {
            if let Ok(path) = self.container_path(&record.container).await {
                containers.insert(path);
            }
        }
        let containers: Vec<TreePath> = containers.into_iter().collect();
        match tree.settle(&containers).await {
            Ok(()) | Err(TreeError::NotFound) => {}
            Err(error) => {
                tracing::error!("making the folder durable: {}", errors::chain(&error));
                self.unsettled().extend(records);
                return 0;
            }
        }
        let mut cleared = 0;
        for record in &records {
            match self.clear_note(record).await {
                Ok(()) => cleared += 1,
                Err(refusal) => tracing::error!(file.id = %record.id, "{refusal}"),
            }
        }
        cleared
    }

    /// The folder would not show a save (it became read-only, it is full): tried again in the background.
    pub(crate) fn show_later(&self, record: &FileRecord) {
        self.unshown().insert(record.id.clone());
    }

    fn unshown(&self) -> std::sync::MutexGuard<'_, std::collections::BTreeSet<wopi::FileId>> {
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

    /// Settles whenever something waits, until the future is dropped.
    pub async fn keep_settled(&self) {
        loop {
            tokio::select! {
                () = self.unsettled_added.notified() => {
                    // A moment for others to join: one pass over the disk serves them all.
                    tokio::time::sleep(SETTLE_GATHER).await;
                    self.settle_all().await;
                }
                () = tokio::time::sleep(SHOW_AGAIN_EVERY) => {
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
