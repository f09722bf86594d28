//! Files with all that belongs to them, and refused saves.

use aws_lc_rs::digest;
use futures_util::StreamExt as _;
use http_body_util::BodyStream;
use wopi_service::{Body, Refusal};

use super::{Carrier, Meeting, registry};
use crate::errors;
use crate::parts::{AlternateStream, FileParts};
use crate::ports::{BinEntry, FileCommit, RegistryError};
use crate::records::{
    Activity, ContainerRecord, Content, ContentId, FileRecord, LockState, Pending, RescuedSave, Revision, Sha256,
    Timestamp, VersionEntry,
};
use crate::sharing::Item;

/// Most deleted files that are carried over.
const DELETED_MAX: usize = 1_000_000;

/// Most activities of a file that are carried over, the latest.
const ACTIVITIES_MAX: usize = 10_000;

/// Most entries of the bin that are read at once.
const BIN_PAGE: usize = 500;

/// How often bytes are written anew that were swept before anything could point to them.
const ATTEMPTS_MAX: usize = 3;

impl Carrier<'_> {
    /// The files in a container.
    pub(super) async fn files_in(&mut self, container: &ContainerRecord, path: &str) -> Result<(), Refusal> {
        for record in self.from.all_files(&container.id).await? {
            // As the folder shows it now, with the hash of its bytes.
            let record = match self.from.current(&record).await {
                Ok(record) => self.from.hashed(record).await?,
                Err(Refusal { error: wopi::WopiError::NotFound, .. }) => continue,
                Err(refusal) => return Err(refusal),
            };
            let path = format!("{path}{}", record.name);
            self.file(&record, &path).await?;
        }
        Ok(())
    }

    /// Files that were deleted and may come back, and the bin in which people find them.
    pub(super) async fn deleted_files(&mut self) -> Result<(), Refusal> {
        let (from, to) = (&*self.from.ports.registry, &*self.to.ports.registry);
        let deleted = from.files_deleted_before(Timestamp(i64::MAX), DELETED_MAX).await;
        for record in deleted.map_err(registry("listing deleted files"))? {
            self.file(&record, record.name.as_str()).await?;
        }
        let mut after: Option<BinEntry> = None;
        loop {
            let entries = from.bin(after.as_ref(), BIN_PAGE).await.map_err(registry("reading the bin"))?;
            let Some(last) = entries.last() else { return Ok(()) };
            after = Some(last.clone());
            for entry in entries {
                match to.bin_entry(&entry.id).await {
                    Ok(_) => continue,
                    Err(RegistryError::NotFound) => {}
                    Err(error) => return Err(registry("reading the bin")(error)),
                }
                let containers = from.bin_containers(&entry.id).await.map_err(registry("reading the bin"))?;
                let containers: Vec<_> = containers
                    .into_iter()
                    .map(|record| {
                        let parent = record.parent.as_ref().map(|parent| self.container(parent));
                        ContainerRecord { id: self.container(&record.id), parent, ..record }
                    })
                    .collect();
                let entry = BinEntry {
                    item: self.item(&entry.item),
                    container: self.container(&entry.container),
                    by: self.user(&entry.by),
                    ..entry
                };
                to.add_to_bin(&entry, &containers).await.map_err(registry("filling the bin"))?;
            }
        }
    }

    /// Refused saves.
    pub(super) async fn rescued_saves(&mut self) -> Result<(), Refusal> {
        let saves = self.from.ports.registry.rescued(None).await.map_err(registry("listing refused saves"))?;
        let known = self.to.ports.registry.rescued(None).await.map_err(registry("listing refused saves"))?;
        for save in saves {
            let user = self.user(&save.user);
            let same = |known: &RescuedSave| {
                (&known.file, &known.user, known.at, known.sha256) == (&save.file, &user, save.at, save.sha256)
            };
            if known.iter().any(same) {
                continue;
            }
            let body = self.from.ports.contents.open(&save.content, 0..u64::MAX).await;
            let body = body.map_err(|e| errors::contents("opening a refused save", &e))?;
            let content = self.bytes(body, save.size, Some(save.sha256)).await?.0;
            let save = RescuedSave { content, user, ..save };
            self.to.ports.registry.add_rescued(&save).await.map_err(registry("keeping a refused save"))?;
            self.done.rescued += 1;
        }
        Ok(())
    }

    /// One file. `path` is what it is called to people.
    async fn file(&mut self, record: &FileRecord, path: &str) -> Result<(), Refusal> {
        let (from, to) = (&*self.from.ports.registry, &*self.to.ports.registry);
        let versions = from.versions(&record.id).await.map_err(registry("reading a history"))?;
        let parts = from.parts(&record.id).await.map_err(registry("reading what lies beside a file"))?;
        match to.file(&record.id).await {
            Ok(known) if self.is_same(record, &versions, &parts, &known).await? => {
                self.done.same += 1;
                self.shares(&Item::File(record.id.clone())).await?;
                self.looked_at(record, &versions);
                return Ok(());
            }
            // Made anew: in a copy whatever it is, beside what is there only what an interruption left unfinished.
            Ok(known)
                if self.meeting == Meeting::Mirror
                    || (known.version == record.version && is_same_content(&record.content, &known.content)) =>
            {
                self.remove_file(&known).await?;
            }
            // It was carried before, and one of the two was saved since: what is there is in use, and stays.
            Ok(_) => {
                self.done.taken.push(path.to_owned());
                return Ok(());
            }
            Err(RegistryError::NotFound) => {}
            Err(error) => return Err(registry("looking for a file")(error)),
        }
        for _ in 0..ATTEMPTS_MAX {
            match self.make_file(record, &versions, &parts).await? {
                Made::Whole => {
                    self.done.files += 1;
                    self.done.versions += versions.len() as u64;
                    self.shares(&Item::File(record.id.clone())).await?;
                    self.looked_at(record, &versions);
                    return Ok(());
                }
                Made::NameTaken => {
                    self.done.taken.push(path.to_owned());
                    return Ok(());
                }
                Made::Swept => {}
            }
        }
        Err(Refusal::internal(format!("the bytes of {path} were swept away {ATTEMPTS_MAX} times while it was carried")))
    }

    fn looked_at(&mut self, record: &FileRecord, versions: &[VersionEntry]) {
        let sizes = versions.iter().map(|version| version.content.size);
        self.done.looked_at_bytes += sizes.sum::<u64>() + record.content.size;
        self.tell();
    }

    /// Whether the file that is there is the one that is here, with its history and what lies beside it.
    async fn is_same(
        &self,
        record: &FileRecord,
        versions: &[VersionEntry],
        parts: &FileParts,
        known: &FileRecord,
    ) -> Result<bool, Refusal> {
        let same_file = known.container == self.container(&record.container)
            && known.name == record.name
            && known.version == record.version
            && known.deleted_at == record.deleted_at
            && known.mark == record.mark
            && known.pending.is_none()
            && is_same_content(&record.content, &known.content);
        if !same_file {
            return Ok(false);
        }
        let to = &*self.to.ports.registry;
        let known_versions = to.versions(&record.id).await.map_err(registry("reading a history"))?;
        let same_versions = versions.len() == known_versions.len()
            && versions.iter().zip(&known_versions).all(|(one, other)| {
                one.version == other.version
                    && one.label == other.label
                    && one.keep == other.keep
                    && is_same_content(&one.content, &other.content)
            });
        let known_parts = to.parts(&record.id).await.map_err(registry("reading what lies beside a file"))?;
        let bare = |parts: &FileParts| {
            let streams = parts.streams.iter().map(|stream| (stream.id.clone(), stream.signature.clone()));
            (parts.version, parts.main.clone(), streams.collect::<Vec<_>>(), parts.properties.clone())
        };
        Ok(same_versions && bare(parts) == bare(&known_parts))
    }

    async fn make_file(
        &mut self,
        record: &FileRecord,
        versions: &[VersionEntry],
        parts: &FileParts,
    ) -> Result<Made, Refusal> {
        let (body, size) = if record.deleted_at.is_none() {
            let (now, body) = self.from.open_current(record.clone(), |_| Ok(0..u64::MAX)).await?;
            if now.version != record.version {
                return Err(Refusal::new(
                    wopi::WopiError::Busy { retry_after: errors::RETRY_AFTER_SECONDS },
                    format!("`{}` was saved while it was carried", record.name),
                ));
            }
            (body, now.content.size)
        } else {
            let body = self.from.ports.contents.open(&record.content.id, 0..u64::MAX).await;
            (body.map_err(|e| errors::contents("opening a deleted file", &e))?, record.content.size)
        };
        let contents = std::sync::Arc::clone(&self.to.ports.contents);
        let id = self.to.new_content_id();
        let stored = contents.put(&id, body, u64::MAX).await;
        let stored = stored.map_err(|e| errors::contents("storing bytes", &e))?;
        let sha256 = self.verified(id, stored.size, stored.sha256, size, record.content.sha256).await?;
        let is_published = self.to.ports.tree.is_some() && record.deleted_at.is_none();
        let wanted = FileRecord {
            id: record.id.clone(),
            container: self.container(&record.container),
            name: record.name.clone(),
            revision: Revision::default(),
            owner: self.user(&record.owner),
            created_at: record.created_at,
            version: record.version,
            content: self.content(&record.content, id, Some(sha256)),
            lock: LockState::Free,
            seen: if is_published { stored.staged } else { None },
            pending: is_published.then_some(Pending::Publish { replaces: None }),
            deleted_at: record.deleted_at,
            mark: record.mark.clone(),
        };
        let to = &*self.to.ports.registry;
        let mut made = match to.create_file(&wanted).await {
            Ok(made) => made,
            Err(RegistryError::NameTaken) => {
                self.to.discard(&id).await;
                return Ok(Made::NameTaken);
            }
            Err(RegistryError::Condemned) => return Ok(Made::Swept),
            Err(error) => return Err(registry("making a file")(error)),
        };
        if made.pending.is_some() {
            self.to.finish(&made).await?;
            made = to.file(&made.id).await.map_err(registry("reading a file that was made"))?;
        }
        // Oldest first, so that what is there after an interruption is a history without its end, which is found to differ.
        for entry in versions.iter().rev() {
            let body = self.from.ports.contents.open(&entry.content.id, 0..u64::MAX).await;
            let body = body.map_err(|e| errors::contents("opening a version", &e))?;
            let (id, sha256) = self.bytes(body, entry.content.size, entry.content.sha256).await?;
            let entry = VersionEntry { content: self.content(&entry.content, id, Some(sha256)), ..entry.clone() };
            made = match to.commit_file(&FileCommit { record: made.clone(), replaced: Some(entry) }).await {
                Ok(made) => made,
                Err(RegistryError::Condemned) => {
                    self.remove_file(&made).await?;
                    return Ok(Made::Swept);
                }
                Err(error) => return Err(registry("writing a history")(error)),
            };
        }
        if *parts != FileParts::default() {
            let mut streams = Vec::new();
            for stream in &parts.streams {
                let size = stream.signature.chunks.iter().map(|chunk| chunk.length).sum();
                let body = self.from.ports.contents.open(&stream.content, 0..u64::MAX).await;
                let body = body.map_err(|e| errors::contents("opening a stream", &e))?;
                streams.push(AlternateStream { content: self.bytes(body, size, None).await?.0, ..stream.clone() });
            }
            let parts = FileParts { streams, ..parts.clone() };
            let commit = FileCommit { record: made, replaced: None };
            to.commit_parts(&commit, &parts).await.map_err(registry("writing what lies beside a file"))?;
        }
        self.activities(record).await?;
        Ok(Made::Whole)
    }

    async fn activities(&self, record: &FileRecord) -> Result<(), Refusal> {
        let (from, to) = (&*self.from.ports.registry, &*self.to.ports.registry);
        let activities = from.activities(&record.id, ACTIVITIES_MAX).await.map_err(registry("reading activities"))?;
        if activities.is_empty() {
            return Ok(());
        }
        let activities: Vec<Activity> =
            activities.into_iter().rev().map(|one| Activity { by: self.user(&one.by), ..one }).collect();
        to.add_activities(&activities).await.map_err(registry("writing activities"))
    }

    /// The same content with other bytes, saved by the same people.
    fn content(&self, content: &Content, id: ContentId, sha256: Option<Sha256>) -> Content {
        Content { id, sha256, saved_by: content.saved_by.as_ref().map(|id| self.user(id)), ..content.clone() }
    }

    /// Writes bytes and compares what was written. Returns their new id and their hash.
    async fn bytes(&mut self, body: Body, size: u64, sha256: Option<Sha256>) -> Result<(ContentId, Sha256), Refusal> {
        let contents = std::sync::Arc::clone(&self.to.ports.contents);
        let id = self.to.new_content_id();
        let stored = contents.put(&id, body, u64::MAX).await;
        let stored = stored.map_err(|e| errors::contents("storing bytes", &e))?;
        let sha256 = self.verified(id, stored.size, stored.sha256, size, sha256).await?;
        Ok((id, sha256))
    }

    /// Compares what came with what should have come, and then with what is read where it was put.
    async fn verified(
        &mut self,
        id: ContentId,
        stored_size: u64,
        stored: Sha256,
        size: u64,
        sha256: Option<Sha256>,
    ) -> Result<Sha256, Refusal> {
        let wrong = if stored_size != size || sha256.is_some_and(|sha256| sha256 != stored) {
            Some("the bytes that are carried are not those that were saved")
        } else {
            let body = self.to.ports.contents.open(&id, 0..u64::MAX).await;
            let body = body.map_err(|e| errors::contents("reading back what was stored", &e))?;
            let read = hash(body).await?;
            (read != (size, stored)).then_some("what was stored reads otherwise")
        };
        if let Some(wrong) = wrong {
            self.to.discard(&id).await;
            return Err(Refusal::internal(format!("{wrong} ({size} bytes expected)")));
        }
        self.done.bytes += size;
        self.tell();
        Ok(stored)
    }

    /// Takes a file away altogether.
    pub(super) async fn remove_file(&self, record: &FileRecord) -> Result<(), Refusal> {
        let to = &*self.to.ports.registry;
        let mut record = record.clone();
        if record.deleted_at.is_none() {
            record.lock = LockState::Free;
            let unlocked = to.commit_file(&FileCommit { record: record.clone(), replaced: None }).await;
            record = unlocked.map_err(registry("taking a lock away"))?;
            self.to.delete_record(&record, None).await?;
            record = to.file(&record.id).await.map_err(registry("reading a deleted file"))?;
        }
        self.to.finish(&record).await?;
        let record = to.file(&record.id).await.map_err(registry("reading a deleted file"))?;
        to.remove_file(&record.id, record.revision).await.map_err(registry("forgetting a file"))
    }
}

/// How making a file ended.
enum Made {
    Whole,
    NameTaken,
    /// The sweep took bytes of it, because it took so long.
    Swept,
}

fn is_same_content(one: &Content, other: &Content) -> bool {
    one.size == other.size
        && one.modified_at == other.modified_at
        && one.autosave == other.autosave
        && (one.sha256.is_none() || one.sha256 == other.sha256)
}

async fn hash(body: Body) -> Result<(u64, Sha256), Refusal> {
    let failed = |e: wopi_service::BoxError| Refusal::internal(format!("reading back what was stored: {e}"));
    let (mut size, mut context) = (0, digest::Context::new(&digest::SHA256));
    let mut frames = BodyStream::new(body);
    while let Some(frame) = frames.next().await {
        if let Ok(data) = frame.map_err(failed)?.into_data() {
            size += data.len() as u64;
            context.update(&data);
        }
    }
    let mut sha256 = Sha256::default();
    sha256.copy_from_slice(context.finish().as_ref());
    Ok((size, sha256))
}
