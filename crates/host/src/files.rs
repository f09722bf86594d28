//! What can be done to a file: one method per operation, all of them load, decide, commit.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body::Body as _;
use wopi::answer::{
    ActivityResponse, AddActivities, AddActivitiesRequest, CheckFileInfo, ContainerPointer, EnumerateAncestors,
    GetEcosystem, PutRelativeFile, RenameFile, ShareUrl,
};
use wopi::coauth::{LockTerms, LockTimeout, PresentedLock};
use wopi::operation::{ByteRange, RelativeTarget, RequestedName, SaveFacts, ShareUrlType, Suggestion};
use wopi::route::Permission;
use wopi::{ContainerId, FileId, FileName, ItemVersion, LockId, WopiError};
use wopi_service::{Body, FileBytes, PutFileDone, Refusal};

use crate::caller::Caller;
use crate::coauth;
use crate::errors;
use crate::host::Host;
use crate::links::PageMode;
use crate::locks::{self, Holder, Terms};
use crate::naming;
use crate::people;
use crate::ports::{ContentsError, FileCommit, RegistryError, TokenResource, TreeError};
use crate::records::{
    Content, ContentId, FileRecord, LockState, ModifiedAt, Pending, RescuedSave, Revision, Timestamp, VersionMark,
};
use crate::saving::{self, Shown, Staged};

/// A type of activity that is taken (protocol/files.md 12).
const ACTIVITY_COMMENT: &str = "comment";

/// How many activities of one request are looked at.
const ACTIVITIES_MAX: usize = 1000;

impl Host {
    // ── seeing ──

    /// CheckFileInfo, without the `Supports…` flags, which the service computes.
    pub(crate) async fn check_file_info(&self, by: &Caller) -> Result<CheckFileInfo, Refusal> {
        let mut record = self.current_of(by).await?;
        if record.content.sha256.is_none() {
            record = Cow::Owned(Box::pin(self.hashed(record.into_owned())).await?);
        }
        let may_edit = by.rights.may_edit();
        let container = match by.located()?.containers.first() {
            Some(container) if container.id == record.container => Arc::clone(container),
            _ => {
                let moved_to = self.ports.registry.container(&record.container).await;
                Arc::new(moved_to.map_err(|e| errors::registry("reading the container", &e))?)
            }
        };
        let links = &self.links;
        let file_url = self.settings.file_url.then(|| {
            links.file_url(&record.id, &self.derived_token(&by.claims, &TokenResource::FileUrl(record.id.clone())))
        });
        Ok(CheckFileInfo {
            base_file_name: record.name.as_str().to_owned(),
            owner_id: record.owner.as_str().to_owned(),
            size: record.content.size,
            user_id: by.user.id.as_str().to_owned(),
            version: record.version.to_string(),
            file_extension: Some(record.name.extension().to_owned()).filter(|extension| !extension.is_empty()),
            file_name_max_length: u32::try_from(naming::stem_length_max(&record.name)).ok(),
            last_modified_time: Some(wopi::answer::last_modified_time(record.content.modified_at.0)),
            sha256: record.content.sha256.map(|sha256| STANDARD.encode(sha256)),
            user_friendly_name: Some(by.user.display_name.clone()),
            user_info: by.user.user_info.clone().filter(|info| !info.is_empty()),
            is_anonymous_user: Some(people::is_guest(&by.user.id)),
            is_edu_user: Some(false),
            license_check_for_edit_is_enabled: Some(self.settings.business_users),
            user_can_write: Some(may_edit),
            user_can_rename: Some(may_edit),
            // Collabora takes a missing one for true (protocol/clients.md 2.3).
            user_can_not_write_relative: Some(
                !by.rights.allow(Permission::WriteRelative) || !self.settings.relative_writes,
            ),
            read_only: Some(!by.rights.allow(Permission::Write)),
            user_can_review: Some(may_edit),
            user_can_only_comment: by.rights.may_only_comment().then_some(true),
            supported_share_url_types: Some(vec!["ReadOnly".to_owned(), "ReadWrite".to_owned()]),
            breadcrumb_doc_name: Some(record.name.stem().to_owned()),
            breadcrumb_folder_name: Some(container.name.as_str().to_owned()),
            post_message_origin: Some(links.origin().to_owned()),
            file_url,
            plus: self.plus_properties(by, &record).await?,
            ..self.told_of_pages(&record, &container, may_edit)
        })
    }

    /// GetFile, and the bytes behind a `FileUrl`.
    pub(crate) async fn get_file(
        &self,
        by: &Caller,
        size_max: u64,
        range: Option<ByteRange>,
    ) -> Result<FileBytes, Refusal> {
        let record = self.current_of(by).await?.into_owned();
        let part = |record: &FileRecord| -> Result<Range<u64>, Refusal> {
            let size = record.content.size;
            if size > size_max {
                return Err(Refusal::new(
                    WopiError::LargerThanExpected,
                    format!("the file has {size} bytes, the client expects at most {size_max}"),
                ));
            }
            match range {
                None => Ok(0..size),
                Some(range) => range.within(size).ok_or_else(|| {
                    Refusal::new(WopiError::RangeNotSatisfiable { size }, format!("the file has only {size} bytes"))
                }),
            }
        };
        let (record, body) = self.open_current(record, part).await?;
        let whole = record.content.size;
        let range = match range {
            Some(_) => Some(part(&record)?),
            None => None,
        };
        Ok(FileBytes { body, size: whole, range, version: Some(record.version) })
    }

    // ── locks ──

    fn holder(by: &Caller) -> Holder {
        Holder { user: by.user.id.clone(), client: by.claims.client.clone() }
    }

    fn terms(by: &Caller, asked: LockTerms) -> Terms {
        Terms {
            lifetime: asked.timeout.map_or(locks::LOCK_LIFETIME, LockTimeout::duration),
            visible_as: asked.user_visible.then(|| by.friendly_name()),
        }
    }

    async fn relock(
        &self,
        by: &Caller,
        first: &FileRecord,
        rule: impl Fn(&LockState, Timestamp) -> Result<LockState, locks::LockMismatch> + Send + Sync,
    ) -> Result<ItemVersion, Refusal> {
        let (record, ()) = self
            .update(&by.file()?.id, Some(first), |record, now| {
                record.lock = rule(&record.lock, now)?;
                Ok(((), None))
            })
            .await?;
        Ok(record.version)
    }

    /// Lock.
    pub(crate) async fn lock(&self, by: &Caller, wanted: LockId, terms: LockTerms) -> Result<ItemVersion, Refusal> {
        // Whoever opens the file for editing has to be told the version that is true now.
        let record = self.current_of(by).await?;
        let (holder, terms) = (Self::holder(by), Self::terms(by, terms));
        let rule = |held: &LockState, now| locks::lock(held, wanted.clone(), holder.clone(), terms.clone(), now);
        self.relock(by, &record, rule).await
    }

    /// UnlockAndRelock.
    pub(crate) async fn unlock_and_relock(
        &self,
        by: &Caller,
        old: &LockId,
        new: &LockId,
        terms: LockTerms,
    ) -> Result<ItemVersion, Refusal> {
        let (holder, terms) = (Self::holder(by), Self::terms(by, terms));
        let rule = |held: &LockState, now| {
            locks::unlock_and_relock(held, old, new.clone(), holder.clone(), terms.clone(), now)
        };
        self.relock(by, by.file()?, rule).await
    }

    /// RefreshLock.
    pub(crate) async fn refresh_lock(
        &self,
        by: &Caller,
        given: &LockId,
        terms: LockTerms,
    ) -> Result<ItemVersion, Refusal> {
        let terms = Self::terms(by, terms);
        self.relock(by, by.file()?, |held, now| locks::refresh(held, given, terms.clone(), now)).await
    }

    /// Unlock.
    pub(crate) async fn unlock(&self, by: &Caller, given: &LockId) -> Result<ItemVersion, Refusal> {
        self.relock(by, by.file()?, |held, now| locks::unlock(held, given, now)).await
    }

    /// GetLock.
    pub(crate) fn held_lock(&self, by: &Caller) -> Result<Option<LockId>, Refusal> {
        Ok(locks::held_lock(&by.file()?.lock, self.now())?.cloned())
    }

    // ── saving ──

    /// PutFile. The bytes are staged first, whatever the answer will be: a save that is refused is kept for its author,
    /// because some clients never send it again (protocol/clients.md 11.2).
    pub(crate) async fn put_file(
        &self,
        by: &Caller,
        lock: Option<&LockId>,
        facts: &SaveFacts,
        body: Body,
    ) -> Result<PutFileDone, Refusal> {
        let staged = self.stage(body).await?;
        match self
            .save(by, by.file()?, &staged, facts, |record, now| {
                saving::may_save(record, lock, facts, now).map_err(Refusal::from)
            })
            .await
        {
            Ok(record) => Ok(PutFileDone {
                version: record.version,
                last_modified_time: wopi::answer::last_modified_time(record.content.modified_at.0),
            }),
            Err(refusal) => {
                self.rescue(by, &staged, &refusal).await;
                Err(refusal)
            }
        }
    }

    pub(crate) async fn stage(&self, body: Body) -> Result<Staged, Refusal> {
        let limit = self.settings.body_bytes_max;
        let announced = body.size_hint().lower();
        if announced > limit {
            return Err(Refusal::new(
                WopiError::TooLarge,
                format!("{announced} bytes are announced, {limit} are accepted (limits.body_bytes_max)"),
            ));
        }
        let id = self.new_content_id();
        let stored = self.ports.contents.put(&id, body, self.settings.body_bytes_max).await;
        let stored = stored.map_err(|error| {
            let refusal = errors::contents("storing the body", &error);
            match error {
                ContentsError::TooLarge { limit } => Refusal::new(
                    refusal.error,
                    format!("the body is larger than {limit} bytes (limits.body_bytes_max)"),
                ),
                _ => refusal,
            }
        })?;
        Ok(Staged { id, stored })
    }

    /// Makes staged bytes the content of a file, if `permitted`, and the folder show it. `first` is the file as it was read
    /// some time ago.
    pub(crate) async fn save(
        &self,
        by: &Caller,
        first: &FileRecord,
        staged: &Staged,
        facts: &SaveFacts,
        permitted: impl Fn(&FileRecord, Timestamp) -> Result<(), Refusal> + Send + Sync,
    ) -> Result<FileRecord, Refusal> {
        let (first, shown) = match self.ports.tree {
            Some(_) => self.to_be_saved(&first.id).await?,
            // Whatever was done to it meanwhile gave its record another revision: the commit finds out, and only then is it
            // read anew. Nobody is refused by what was read first.
            None => (first.clone(), Shown::Nowhere),
        };
        let user = &by.user.id;
        let (record, ()) = self
            .update_shown(&first.id, Some(&first), |record, now| {
                permitted(record, now)?;
                Ok(((), saving::save(record, staged, facts, user, shown, now)))
            })
            .await?;
        Ok(self.show_saved(record, staged).await)
    }

    /// A file as it is when the bytes of a save have come, and what the folder shows of it.
    ///
    /// Read anew: while a large body came in, others may have locked, saved or renamed the file. If another program took
    /// the file away meanwhile, the save puts it back; anything else it did is a version.
    pub(crate) async fn to_be_saved(&self, id: &FileId) -> Result<(FileRecord, Shown), Refusal> {
        let first = self.file(id).await?;
        let there = if self.ports.tree.is_some() { Shown::There } else { Shown::Nowhere };
        match self.current(&first).await {
            Ok(record) => Ok((record, there)),
            Err(Refusal { error: WopiError::NotFound, .. }) => Ok((self.file(id).await?, Shown::Gone)),
            Err(refusal) => Err(refusal),
        }
    }

    /// After the commit of a save: makes the folder show it, or drops bytes that turned out to be the same as before.
    pub(crate) async fn show_saved(&self, record: FileRecord, staged: &Staged) -> FileRecord {
        if record.content.id != staged.id {
            // The same bytes as before: the staged ones are not needed.
            self.discard(&staged.id).await;
        } else if let Err(error) = self.carry_out(&record).await {
            // The save is durable and every reader gets it from the stage; it is shown as soon as the folder lets us.
            tracing::error!(file.id = %record.id, "showing a save in the folder: {}", errors::chain(&error));
            self.show_later(&record);
            return record;
        }
        self.settle_later(&record);
        record
    }

    /// Removes bytes that nothing points to. If that fails, the sweeper does it.
    ///
    /// They are condemned first: a commit that was answered with an error may have been made all the same, or may still
    /// be under way where the registry is another machine.
    pub(crate) async fn discard(&self, id: &ContentId) {
        match self.ports.registry.condemn(&[*id], self.now()).await {
            Ok(condemned) if condemned.contains(id) => {}
            Ok(_) => return,
            Err(error) => {
                tracing::warn!("asking whether bytes are needed: {}", errors::chain(&error));
                return;
            }
        }
        if let Err(error) = self.ports.contents.remove(id).await {
            tracing::warn!("removing bytes that are not needed: {}", errors::chain(&error));
        }
    }

    /// Keeps a refused save for its author.
    pub(crate) async fn rescue(&self, by: &Caller, staged: &Staged, refusal: &Refusal) {
        let Ok(file) = by.file() else { return };
        if staged.stored.size == 0 || file.content.sha256 == Some(staged.stored.sha256) {
            return self.discard(&staged.id).await;
        }
        let save = RescuedSave {
            content: staged.id,
            file: file.id.clone(),
            file_name: file.name.clone(),
            user: by.user.id.clone(),
            client: by.claims.client.clone(),
            size: staged.stored.size,
            sha256: staged.stored.sha256,
            reason: refusal.because.clone().into_owned(),
            at: self.now(),
        };
        match self.ports.registry.add_rescued(&save).await {
            Ok(()) => tracing::warn!(
                file.id = %file.id, user.id = %by.user.id, content.id = %staged.id,
                "a refused save was kept: {}", save.reason
            ),
            Err(error) => tracing::error!(
                file.id = %file.id, content.id = %staged.id,
                "a refused save is among the contents, but could not be listed: {}", errors::chain(&error)
            ),
        }
    }

    // ── new files ──

    /// PutRelativeFile.
    pub(crate) async fn put_relative_file(
        &self,
        by: &Caller,
        target: &RelativeTarget,
        announced: Option<u64>,
        facts: &SaveFacts,
        body: Body,
    ) -> Result<PutRelativeFile, Refusal> {
        // A file that another program took away can still be saved under another name.
        let source = match self.current(by.file()?).await {
            Err(Refusal { error: WopiError::NotFound, .. }) => by.file()?.clone(),
            current => current?,
        };
        let target = match target {
            RelativeTarget::Suggested(Suggestion::Extension(extension)) => {
                NewName::Near(naming::legalize(&format!("{}{extension}", source.name.stem()), extension))
            }
            other => NewName::of(other, source.name.extension()),
        };
        // A name that cannot be had is refused before the bytes come.
        self.check_name(&source.container, &target).await?;
        let staged = self.stage(body).await?;
        if announced.is_some_and(|size| size != staged.stored.size) {
            self.discard(&staged.id).await;
            return Err(Refusal::new(
                WopiError::InvalidRequest { header: "X-WOPI-Size" },
                format!("{} bytes came, {} were announced", staged.stored.size, announced.unwrap_or(0)),
            ));
        }
        let record = match self.place(by, &source.container, &target, &staged, facts).await {
            Ok(record) => record,
            Err(refusal) => {
                self.rescue(by, &staged, &refusal).await;
                return Err(refusal);
            }
        };
        let token = self.derived_token(&by.claims, &TokenResource::File(record.id.clone()));
        Ok(PutRelativeFile {
            name: record.name.as_str().to_owned(),
            url: self.links.with_token(&self.links.wopi_src(&record.id), &token, &by.claims),
            host_view_url: Some(self.links.file_page(&record.id, PageMode::View)),
            host_edit_url: Some(self.links.file_page(&record.id, PageMode::Edit)),
        })
    }

    /// A file of zero bytes in a container.
    pub(crate) async fn create_empty_file(
        &self,
        by: &Caller,
        container: &ContainerId,
        target: &RelativeTarget,
    ) -> Result<FileRecord, Refusal> {
        let target = match target {
            RelativeTarget::Suggested(Suggestion::Extension(extension)) => {
                NewName::Near(naming::legalize(&format!("{}{extension}", naming::DEFAULT_STEM), extension))
            }
            other => NewName::of(other, ""),
        };
        self.check_name(container, &target).await?;
        let staged = self.stage(wopi_service::empty()).await?;
        let placed = self.place(by, container, &target, &staged, &SaveFacts::default()).await;
        if placed.is_err() {
            self.discard(&staged.id).await;
        }
        placed
    }

    /// Refuses, before any bytes come, a specific name that is illegal or taken.
    pub(crate) async fn check_name(&self, container: &ContainerId, target: &NewName) -> Result<(), Refusal> {
        match target {
            NewName::Near(_) => Ok(()),
            NewName::Illegal { reason, instead } => Err(Refusal::new(
                WopiError::IllegalName {
                    reason: reason.clone(),
                    valid: self.free_name(container, instead).await.map(|name| name.as_str().to_owned()),
                    container: false,
                },
                format!("the name is refused: {reason}"),
            )),
            NewName::Exactly { name, overwrite } => match self.name_holder(container, name).await? {
                None => Ok(()),
                Some(NameHolder::File(held) | NameHolder::Vanished(held)) if *overwrite => {
                    locks::may_change(&held.lock, None, self.now()).map_err(Refusal::from)
                }
                Some(_) => Err(self.taken(container, name).await),
            },
        }
    }

    async fn taken(&self, container: &ContainerId, name: &FileName) -> Refusal {
        let valid = self.another_name(container, name).await.map(|name| name.as_str().to_owned());
        Refusal::new(WopiError::NameTaken { valid }, format!("the container has `{name}` already"))
    }

    /// Puts staged bytes under a name: a new file, or, where that was asked for, the content of the one there.
    pub(crate) async fn place(
        &self,
        by: &Caller,
        container: &ContainerId,
        target: &NewName,
        staged: &Staged,
        facts: &SaveFacts,
    ) -> Result<FileRecord, Refusal> {
        match target {
            NewName::Near(name) => self.create_near(by, container, name, staged, facts).await,
            NewName::Exactly { name, overwrite } => {
                self.create_exactly(by, container, name, *overwrite, staged, facts).await
            }
            NewName::Illegal { reason, .. } => Err(Refusal::internal(reason.clone())),
        }
    }

    pub(crate) async fn create_near(
        &self,
        by: &Caller,
        container: &ContainerId,
        name: &FileName,
        staged: &Staged,
        facts: &SaveFacts,
    ) -> Result<FileRecord, Refusal> {
        for name in naming::candidates(name) {
            if let Some(record) = self.create_if_free(by, container, &name, staged, facts).await? {
                return Ok(record);
            }
        }
        Err(Refusal::internal(format!("no free name like `{name}` was found")))
    }

    async fn create_exactly(
        &self,
        by: &Caller,
        container: &ContainerId,
        name: &FileName,
        overwrite: bool,
        staged: &Staged,
        facts: &SaveFacts,
    ) -> Result<FileRecord, Refusal> {
        // Twice: what took the name may be gone by the time we look who it is.
        for _ in 0..2 {
            if let Some(record) = self.create_if_free(by, container, name, staged, facts).await? {
                return Ok(record);
            }
            match self.name_holder(container, name).await? {
                Some(NameHolder::File(held) | NameHolder::Vanished(held)) if overwrite => {
                    return self
                        .save(by, &held, staged, facts, |record, now| {
                            locks::may_change(&record.lock, None, now).map_err(Refusal::from)
                        })
                        .await;
                }
                Some(_) => return Err(self.taken(container, name).await),
                None => {}
            }
        }
        Err(self.taken(container, name).await)
    }

    /// A new file of this name with these bytes; `None` if something has the name.
    pub(crate) async fn create_if_free(
        &self,
        by: &Caller,
        container: &ContainerId,
        name: &FileName,
        staged: &Staged,
        facts: &SaveFacts,
    ) -> Result<Option<FileRecord>, Refusal> {
        let now = self.now();
        let wanted = FileRecord {
            id: crate::ids::new_file_id(&*self.ports.random),
            container: container.clone(),
            name: name.clone(),
            revision: Revision::default(),
            owner: by.user.id.clone(),
            created_at: now,
            version: ItemVersion(1),
            content: Content {
                id: staged.id,
                size: staged.stored.size,
                sha256: Some(staged.stored.sha256),
                modified_at: ModifiedAt::from(now),
                saved_by: Some(by.user.id.clone()),
                editors: facts.editors.clone(),
                autosave: facts.autosave,
            },
            lock: LockState::Free,
            seen: staged.stored.staged,
            pending: self.ports.tree.is_some().then_some(Pending::Publish { replaces: None }),
            deleted_at: None,
            mark: VersionMark::default(),
        };
        let record = match self.ports.registry.create_file(&wanted).await {
            Ok(record) => record,
            Err(RegistryError::NameTaken) => return Ok(None),
            Err(error) => return Err(errors::registry("creating the file", &error)),
        };
        match self.carry_out(&record).await {
            Ok(()) => {
                self.settle_later(&record);
                Ok(Some(record))
            }
            Err(error) => {
                // Nothing was shown; nothing may remain. If even that fails, recovery will show the file.
                let removed = self.ports.registry.remove_file(&record.id, record.revision).await;
                removed.map_err(|e| errors::registry("taking a new file back", &e))?;
                match error {
                    TreeError::NameTaken => {
                        // Another program's file that we did not know yet.
                        self.reconcile(container).await?;
                        Ok(None)
                    }
                    error => Err(errors::tree("putting the new file into the folder", &error)),
                }
            }
        }
    }

    // ── names ──

    /// RenameFile: the requested name or one near it; the extension stays.
    pub(crate) async fn rename_file(
        &self,
        by: &Caller,
        requested: &RequestedName,
        presented: &PresentedLock,
    ) -> Result<RenameFile, Refusal> {
        let record = self.current(by.file()?).await?;
        let wanted = renamed(&record.name, requested)?;
        for name in naming::candidates(&wanted) {
            let renamed = self.rename_if_free(&record, &name, presented).await?;
            if let Some(record) = renamed {
                let token = self.derived_token(&by.claims, &TokenResource::File(record.id.clone()));
                return Ok(RenameFile {
                    name: record.name.stem().to_owned(),
                    url: Some(self.links.with_token(&self.links.wopi_src(&record.id), &token, &by.claims)),
                });
            }
        }
        Err(Refusal::internal(format!("no free name like `{wanted}` was found")))
    }

    pub(crate) async fn rename_if_free(
        &self,
        first: &FileRecord,
        name: &FileName,
        presented: &PresentedLock,
    ) -> Result<Option<FileRecord>, Refusal> {
        let may = |record: &FileRecord, now| Ok(coauth::may_rename(&record.lock, presented, now)?);
        self.place_if_free(first, None, name, may).await
    }

    /// Gives a file this name, in the container it is in or in another one, if it `may` have another place; `None` if
    /// something has that one.
    pub(crate) async fn place_if_free(
        &self,
        first: &FileRecord,
        to: Option<&ContainerId>,
        name: &FileName,
        may: impl Fn(&FileRecord, Timestamp) -> Result<(), Refusal> + Send + Sync,
    ) -> Result<Option<FileRecord>, Refusal> {
        let published = self.ports.tree.is_some();
        let update = self.update_shown(&first.id, Some(first), |record, now| {
            may(record, now)?;
            let to = to.unwrap_or(&record.container).clone();
            let container = std::mem::replace(&mut record.container, to);
            let from = std::mem::replace(&mut record.name, name.clone());
            let before = (container, from);
            if published && before.0 != record.container {
                let (container, from) = before.clone();
                record.pending = Some(Pending::Move { container, from });
            } else if published && before.1 != record.name {
                record.pending = Some(Pending::Rename { from: before.1.clone() });
            }
            Ok((before, None))
        });
        let (record, before) = match update.await {
            Ok(done) => done,
            Err(Refusal { error: WopiError::NameTaken { .. }, .. }) => return Ok(None),
            Err(refusal) => return Err(refusal),
        };
        let Err(error) = self.carry_out(&record).await else {
            self.settle_later(&record);
            return Ok(Some(record));
        };
        // Nothing was moved, so the record goes back to where the folder shows the file.
        let placed = (&record.container, &record.name);
        let back = |now: &mut FileRecord, _: Timestamp| {
            if (&now.container, &now.name) == placed {
                (now.container, now.name) = before.clone();
                now.pending = None;
            }
            Ok(((), None))
        };
        self.update(&record.id, Some(&record), back).await?;
        match error {
            TreeError::NameTaken => {
                self.reconcile(&record.container).await?;
                Ok(None)
            }
            error => Err(errors::tree("giving a file its place in the folder", &error)),
        }
    }

    /// DeleteFile. The bytes and the history stay for a while.
    pub(crate) async fn delete_file(&self, by: &Caller) -> Result<(), Refusal> {
        // What another program put there since is what goes, and is kept.
        let record = self.current(by.file()?).await?;
        locks::may_change(&record.lock, None, self.now())?;
        let entry = self.bin_file(&record, &by.user.id).await?;
        let deleted = self.delete_record(&record, None).await;
        if deleted.is_err() {
            self.unbin(&entry).await;
        }
        deleted
    }

    /// Deletes a file, at this moment or now.
    pub(crate) async fn delete_record(&self, record: &FileRecord, at: Option<Timestamp>) -> Result<(), Refusal> {
        let published = self.ports.tree.is_some();
        let (record, ()) = self
            .update_shown(&record.id, Some(record), |record, now| {
                locks::may_change(&record.lock, None, now)?;
                record.deleted_at = Some(at.unwrap_or(now));
                if published {
                    record.pending = Some(Pending::Bin);
                }
                Ok(((), None))
            })
            .await?;
        if let Err(error) = self.carry_out(&record).await {
            // The folder still shows the file, so it is not deleted.
            let mut back = record.clone();
            (back.deleted_at, back.pending) = (None, None);
            let restored = self.ports.registry.commit_file(&FileCommit { record: back, replaced: None }).await;
            restored.map_err(|e| errors::registry("taking a deletion back", &e))?;
            return Err(errors::tree("taking the file out of the folder", &error));
        }
        self.settle_later(&record);
        Ok(())
    }

    /// Who has a name: the registry knows, unless another program was faster or took it away again.
    pub(crate) async fn name_holder(
        &self,
        container: &ContainerId,
        name: &FileName,
    ) -> Result<Option<NameHolder>, Refusal> {
        let registry = &self.ports.registry;
        match registry.file_named(container, name).await {
            Ok(record) => {
                return match self.current(&record).await {
                    Ok(now) if now.name == *name && now.container == *container => {
                        Ok(Some(NameHolder::File(Box::new(now))))
                    }
                    Ok(_) => Ok(None),
                    Err(Refusal { error: WopiError::NotFound, .. }) => Ok(Some(NameHolder::Vanished(Box::new(record)))),
                    Err(refusal) => Err(refusal),
                };
            }
            Err(RegistryError::NotFound) => {}
            Err(error) => return Err(errors::registry("looking a name up", &error)),
        }
        match registry.container_named(container, name).await {
            Ok(_) => return Ok(Some(NameHolder::Container)),
            Err(RegistryError::NotFound) => {}
            Err(error) => return Err(errors::registry("looking a name up", &error)),
        }
        let Some(tree) = &self.ports.tree else { return Ok(None) };
        let path = self.container_path(container).await?.join(name);
        match tree.look(&path).map_err(|e| errors::tree(&format!("looking at {path}"), &e))? {
            None => Ok(None),
            Some(_) => {
                self.reconcile(container).await?;
                match registry.file_named(container, name).await {
                    Ok(record) => Ok(Some(NameHolder::File(Box::new(record)))),
                    Err(_) => Ok(Some(NameHolder::Container)),
                }
            }
        }
    }

    /// The first free name among the candidates, as far as one can tell without taking it.
    pub(crate) async fn free_name(&self, container: &ContainerId, near: &FileName) -> Option<FileName> {
        self.first_free(container, naming::candidates(near)).await
    }

    /// The same beside a name that is taken, even if one cannot tell by whom: a link has it, say, which we do not offer.
    pub(crate) async fn another_name(&self, container: &ContainerId, taken: &FileName) -> Option<FileName> {
        self.first_free(container, naming::candidates(taken).skip(1)).await
    }

    async fn first_free(
        &self,
        container: &ContainerId,
        names: impl Iterator<Item = FileName> + Send,
    ) -> Option<FileName> {
        for name in names {
            match self.name_holder(container, &name).await {
                Ok(None) => return Some(name),
                Ok(Some(_)) => {}
                Err(_) => return None,
            }
        }
        None
    }

    // ── what else clients ask ──

    /// PutUserInfo: kept for the user, whatever file it came with.
    pub(crate) async fn put_user_info(&self, by: &Caller, info: &str) -> Result<(), Refusal> {
        if people::is_guest(&by.user.id) {
            // What a client wants to find again with somebody who does not come again.
            return Ok(());
        }
        for _ in 0..crate::host::COMMIT_ATTEMPTS_MAX {
            let user = self.ports.registry.user(&by.user.id).await;
            let mut user = user.map_err(|e| errors::registry("reading the user", &e))?;
            user.user_info = Some(info.to_owned());
            match self.ports.registry.commit_user(&user).await {
                Ok(_) => return Ok(()),
                Err(RegistryError::Conflict) => {}
                Err(error) => return Err(errors::registry("keeping the user info", &error)),
            }
        }
        Err(Refusal::new(
            WopiError::Busy { retry_after: errors::RETRY_AFTER_SECONDS },
            "the user's record changed again and again",
        ))
    }

    /// GetShareUrl: the page that opens the file.
    pub(crate) fn share_url(&self, by: &Caller, kind: ShareUrlType) -> Result<ShareUrl, Refusal> {
        Ok(ShareUrl { share_url: self.links.file_page(&by.file()?.id, page_mode(kind)) })
    }

    /// AddActivities: comments are taken and kept, other types are not known.
    pub(crate) async fn add_activities(
        &self,
        by: &Caller,
        request: &AddActivitiesRequest,
    ) -> Result<AddActivities, Refusal> {
        if request.activities.len() > ACTIVITIES_MAX {
            return Err(Refusal::new(
                WopiError::InvalidRequest { header: "body" },
                format!("more than {ACTIVITIES_MAX} activities in one request"),
            ));
        }
        let file = by.file()?;
        let mut kept = Vec::new();
        let mut answers = Vec::new();
        for activity in &request.activities {
            let known = activity.kind.as_deref() == Some(ACTIVITY_COMMENT);
            if known {
                kept.push(crate::records::Activity {
                    file: file.id.clone(),
                    by: by.user.id.clone(),
                    at: self.now(),
                    json: serde_json::to_string(activity).map_err(|e| Refusal::internal(e.to_string()))?,
                });
            }
            answers.push(ActivityResponse {
                id: activity.id.clone().unwrap_or_default(),
                status: if known { ActivityResponse::ACCEPTED } else { ActivityResponse::UNSUPPORTED_TYPE },
            });
        }
        if !kept.is_empty() {
            let added = self.ports.registry.add_activities(&kept).await;
            added.map_err(|e| errors::registry("keeping activities", &e))?;
        }
        Ok(AddActivities { activity_responses: answers })
    }

    /// EnumerateAncestors: from the root down to `container`.
    pub(crate) async fn ancestors(
        &self,
        by: &Caller,
        container: Option<ContainerId>,
    ) -> Result<EnumerateAncestors, Refusal> {
        let mut found = Vec::new();
        let mut records = Vec::new();
        let mut at = container;
        while let Some(id) = at {
            if found.len() > crate::host::CONTAINER_DEPTH_MAX {
                return Err(Refusal::internal("containers lie in a circle"));
            }
            let record = self.ports.registry.container(&id).await;
            let record = record.map_err(|e| errors::registry("reading the container", &e))?;
            found.push(ContainerPointer {
                name: record.name.as_str().to_owned(),
                url: self.container_url(by, &record.id),
            });
            at = record.parent.clone();
            records.push(Arc::new(record));
        }
        found.truncate(self.seen_of(by, &records).await?);
        found.reverse();
        Ok(EnumerateAncestors { ancestors_with_root_first: found })
    }

    /// GetEcosystem.
    pub(crate) fn ecosystem_pointer(&self, by: &Caller) -> GetEcosystem {
        let token = self.derived_token(&by.claims, &TokenResource::Ecosystem);
        GetEcosystem { url: self.links.with_token(&self.links.ecosystem(), &token, &by.claims) }
    }
}

/// The page for a share URL.
pub(crate) fn page_mode(kind: ShareUrlType) -> PageMode {
    match kind {
        ShareUrlType::ReadOnly => PageMode::View,
        ShareUrlType::ReadWrite => PageMode::Edit,
    }
}

/// Who has a name.
pub(crate) enum NameHolder {
    File(Box<FileRecord>),
    /// A file that another program took away; it is not known yet whether for good.
    Vanished(Box<FileRecord>),
    Container,
}

/// The name of a file to be made, policy applied.
pub(crate) enum NewName {
    Near(FileName),
    Exactly { name: FileName, overwrite: bool },
    Illegal { reason: String, instead: FileName },
}

impl NewName {
    /// `extension` is what a name made up by us ends in.
    pub(crate) fn of(target: &RelativeTarget, extension: &str) -> Self {
        match target {
            RelativeTarget::Suggested(Suggestion::Extension(wanted)) => {
                Self::Near(naming::legalize(&format!("{}{wanted}", naming::DEFAULT_STEM), wanted))
            }
            RelativeTarget::Suggested(Suggestion::Name(text)) => {
                let own = naming::extension_of(text);
                Self::Near(naming::legalize(text, if own.is_empty() { extension } else { own }))
            }
            RelativeTarget::Specific { name, overwrite } => {
                let objection = match &name.name {
                    Ok(name) => naming::legal(name).err().map(|objection| objection.to_string()),
                    Err(error) => Some(error.to_string()),
                };
                match (&name.name, objection) {
                    (Ok(name), None) => Self::Exactly { name: name.clone(), overwrite: *overwrite },
                    (_, reason) => Self::Illegal {
                        reason: reason.unwrap_or_default(),
                        instead: naming::legalize(&name.text, naming::extension_of(&name.text)),
                    },
                }
            }
        }
    }
}

/// The name a file is to get: WOPI sends it without extension, and the extension never changes. A client that sent the
/// extension along (the open specification calls it a full file name) does not get it twice.
fn renamed(current: &FileName, requested: &RequestedName) -> Result<FileName, Refusal> {
    let extension = current.extension();
    let text = requested.text.trim();
    let stem = match text.len().checked_sub(extension.len()).and_then(|at| text.get(at..)) {
        Some(end) if !extension.is_empty() && end.eq_ignore_ascii_case(extension) => &text[..text.len() - end.len()],
        _ => text,
    };
    if stem.chars().all(|c| c.is_whitespace() || c.is_control() || matches!(c, '.' | '/' | '\\')) {
        return Err(Refusal::new(
            WopiError::IllegalName { reason: "nothing is left of the name".to_owned(), valid: None, container: false },
            "the requested name has nothing in it that a name could be made of",
        ));
    }
    Ok(naming::legalize(&format!("{stem}{extension}"), extension))
}
