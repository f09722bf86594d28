//! A registry that fails when a test says so.

use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use lectern_host::parts::FileParts;
use lectern_host::ports::{
    Bin, BinEntry, FileCommit, Listings, Memo, Memos, Named, Page, Registry, RegistryError, Sharing, Slice, Usage,
};
use lectern_host::records::{
    Activity, ContainerRecord, ContentId, ContentPiece, DiscoveryCache, FileRecord, Fingerprint, RefusedRequest,
    RescuedSave, Revision, Session, SessionId, Timestamp, Upload, UploadPiece, User, VersionEntry,
};
use lectern_host::sharing::{BinId, Grant, Group, GroupId, Item, Link, LinkId, Principal, SecretHash};
use wopi::{ContainerId, FileId, FileName, ItemVersion, UserId};

/// What goes wrong, once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Trouble {
    /// A container cannot be read just now.
    ReadingContainer,
    /// A commit is made, but nobody learns that it was.
    AnsweringCommit,
    /// A file cannot be removed just now.
    RemovingFile,
    /// A version cannot be amended just now.
    AmendingVersion,
}

pub(crate) struct Troubled {
    inner: Arc<dyn Registry>,
    to_come: Mutex<Vec<Trouble>>,
}

impl Troubled {
    pub(crate) fn new(inner: Arc<dyn Registry>) -> Self {
        Self { inner, to_come: Mutex::default() }
    }

    /// The next call of that kind fails.
    pub(crate) fn expects(&self, trouble: Trouble) {
        self.to_come.lock().unwrap().push(trouble);
    }

    /// Whether all that was to go wrong did.
    pub(crate) fn is_over(&self) -> bool {
        self.to_come.lock().unwrap().is_empty()
    }

    fn maybe(&self, trouble: Trouble) -> Result<(), RegistryError> {
        let mut to_come = self.to_come.lock().unwrap();
        match to_come.iter().position(|expected| *expected == trouble) {
            Some(at) => {
                to_come.remove(at);
                Err(RegistryError::Unavailable(format!("{trouble:?}: a test wants this").into()))
            }
            None => Ok(()),
        }
    }
}

impl fmt::Display for Troubled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl fmt::Debug for Troubled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl Listings for Troubled {
    async fn files_listed(&self, container: &ContainerId, slice: &Slice) -> Result<Vec<FileRecord>, RegistryError> {
        self.inner.files_listed(container, slice).await
    }
    async fn containers_listed(
        &self,
        parent: &ContainerId,
        after: Option<&FileName>,
        descending: bool,
        limit: usize,
    ) -> Result<Vec<ContainerRecord>, RegistryError> {
        self.inner.containers_listed(parent, after, descending, limit).await
    }
    async fn count_in(&self, container: &ContainerId, max: usize) -> Result<usize, RegistryError> {
        self.inner.count_in(container, max).await
    }
    async fn named_like(&self, text: &str, looked_at_max: usize, limit: usize) -> Result<Vec<Named>, RegistryError> {
        self.inner.named_like(text, looked_at_max, limit).await
    }
}

#[async_trait]
impl Sharing for Troubled {
    async fn grants_on(&self, items: &[Item]) -> Result<Vec<Arc<Vec<Grant>>>, RegistryError> {
        self.inner.grants_on(items).await
    }
    async fn grants_to(&self, to: &[Principal], limit: usize) -> Result<Vec<Grant>, RegistryError> {
        self.inner.grants_to(to, limit).await
    }
    async fn put_grant(&self, grant: &Grant) -> Result<(), RegistryError> {
        self.inner.put_grant(grant).await
    }
    async fn remove_grant(&self, item: &Item, to: &Principal) -> Result<(), RegistryError> {
        self.inner.remove_grant(item, to).await
    }
    async fn groups(&self) -> Result<Vec<Group>, RegistryError> {
        self.inner.groups().await
    }
    async fn group(&self, id: &GroupId) -> Result<Group, RegistryError> {
        self.inner.group(id).await
    }
    async fn group_named(&self, name: &str) -> Result<Group, RegistryError> {
        self.inner.group_named(name).await
    }
    async fn create_group(&self, group: &Group) -> Result<Group, RegistryError> {
        self.inner.create_group(group).await
    }
    async fn commit_group(&self, group: &Group) -> Result<Group, RegistryError> {
        self.inner.commit_group(group).await
    }
    async fn remove_group(&self, id: &GroupId, seen: Revision) -> Result<(), RegistryError> {
        self.inner.remove_group(id, seen).await
    }
    async fn members(&self, group: &GroupId) -> Result<Vec<UserId>, RegistryError> {
        self.inner.members(group).await
    }
    async fn groups_of(&self, user: &UserId) -> Result<Arc<Vec<GroupId>>, RegistryError> {
        self.inner.groups_of(user).await
    }
    async fn set_member(&self, group: &GroupId, user: &UserId, is_member: bool) -> Result<(), RegistryError> {
        self.inner.set_member(group, user, is_member).await
    }
    async fn create_link(&self, link: &Link) -> Result<(), RegistryError> {
        self.inner.create_link(link).await
    }
    async fn link(&self, id: &LinkId) -> Result<Arc<Link>, RegistryError> {
        self.inner.link(id).await
    }
    async fn link_with(&self, secret: &SecretHash) -> Result<Link, RegistryError> {
        self.inner.link_with(secret).await
    }
    async fn links_on(&self, item: &Item) -> Result<Vec<Link>, RegistryError> {
        self.inner.links_on(item).await
    }
    async fn revoke_link(&self, id: &LinkId, at: Timestamp) -> Result<(), RegistryError> {
        self.inner.revoke_link(id, at).await
    }
    async fn prune_shares(&self, before: Timestamp) -> Result<u64, RegistryError> {
        self.inner.prune_shares(before).await
    }
    async fn others_see_everything(&self, but: &UserId) -> Result<bool, RegistryError> {
        self.inner.others_see_everything(but).await
    }
}

#[async_trait]
impl Bin for Troubled {
    async fn add_to_bin(&self, entry: &BinEntry, containers: &[ContainerRecord]) -> Result<(), RegistryError> {
        self.inner.add_to_bin(entry, containers).await
    }
    async fn bin(&self, after: Option<&BinEntry>, limit: usize) -> Result<Vec<BinEntry>, RegistryError> {
        self.inner.bin(after, limit).await
    }
    async fn bin_entry(&self, id: &BinId) -> Result<BinEntry, RegistryError> {
        self.inner.bin_entry(id).await
    }
    async fn bin_containers(&self, id: &BinId) -> Result<Vec<ContainerRecord>, RegistryError> {
        self.inner.bin_containers(id).await
    }
    async fn files_deleted_in(&self, container: &ContainerId) -> Result<Vec<FileRecord>, RegistryError> {
        self.inner.files_deleted_in(container).await
    }
    async fn remove_from_bin(&self, id: &BinId) -> Result<(), RegistryError> {
        self.inner.remove_from_bin(id).await
    }
    async fn prune_bin(&self, before: Timestamp) -> Result<u64, RegistryError> {
        self.inner.prune_bin(before).await
    }
}

#[async_trait]
impl Memos for Troubled {
    async fn memo(&self, name: &str, now: Timestamp) -> Result<Option<Memo>, RegistryError> {
        self.inner.memo(name, now).await
    }
    async fn put_memo(
        &self,
        name: &str,
        seen: Option<Revision>,
        value: &[u8],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Revision, RegistryError> {
        self.inner.put_memo(name, seen, value, until, now).await
    }
    async fn remove_memo(&self, name: &str, seen: Revision, now: Timestamp) -> Result<(), RegistryError> {
        self.inner.remove_memo(name, seen, now).await
    }
    async fn prune_memos(&self, before: Timestamp) -> Result<u64, RegistryError> {
        self.inner.prune_memos(before).await
    }
    async fn add_refusals(&self, refused: &[RefusedRequest], kept_max: usize) -> Result<(), RegistryError> {
        self.inner.add_refusals(refused, kept_max).await
    }
    async fn refusals(&self, limit: usize) -> Result<Vec<RefusedRequest>, RegistryError> {
        self.inner.refusals(limit).await
    }
}

#[async_trait]
impl Registry for Troubled {
    async fn file(&self, id: &FileId) -> Result<FileRecord, RegistryError> {
        self.inner.file(id).await
    }
    async fn file_named(&self, container: &ContainerId, name: &FileName) -> Result<FileRecord, RegistryError> {
        self.inner.file_named(container, name).await
    }
    async fn files_seen_as(&self, seen: &Fingerprint) -> Result<Vec<FileRecord>, RegistryError> {
        self.inner.files_seen_as(seen).await
    }
    async fn files_in(&self, container: &ContainerId, page: &Page) -> Result<Vec<FileRecord>, RegistryError> {
        self.inner.files_in(container, page).await
    }
    async fn files_pending(&self) -> Result<Vec<FileRecord>, RegistryError> {
        self.inner.files_pending().await
    }
    async fn file_count(&self) -> Result<u64, RegistryError> {
        self.inner.file_count().await
    }
    async fn usage(&self) -> Result<Usage, RegistryError> {
        self.inner.usage().await
    }
    async fn create_file(&self, record: &FileRecord) -> Result<FileRecord, RegistryError> {
        self.inner.create_file(record).await
    }
    async fn create_files(&self, records: &[FileRecord]) -> Result<(), RegistryError> {
        self.inner.create_files(records).await
    }
    async fn commit_file(&self, commit: &FileCommit) -> Result<FileRecord, RegistryError> {
        let stored = self.inner.commit_file(commit).await?;
        self.maybe(Trouble::AnsweringCommit)?;
        Ok(stored)
    }
    async fn parts(&self, file: &FileId) -> Result<FileParts, RegistryError> {
        self.inner.parts(file).await
    }
    async fn commit_parts(&self, commit: &FileCommit, parts: &FileParts) -> Result<FileRecord, RegistryError> {
        let stored = self.inner.commit_parts(commit, parts).await?;
        self.maybe(Trouble::AnsweringCommit)?;
        Ok(stored)
    }
    async fn prune_parts(&self, before: Timestamp) -> Result<u64, RegistryError> {
        self.inner.prune_parts(before).await
    }
    async fn create_upload(&self, upload: &Upload) -> Result<(), RegistryError> {
        self.inner.create_upload(upload).await
    }
    async fn upload(&self, id: &str) -> Result<Upload, RegistryError> {
        self.inner.upload(id).await
    }
    async fn upload_count(&self, user: &UserId, since: Timestamp) -> Result<u64, RegistryError> {
        self.inner.upload_count(user, since).await
    }
    async fn extend_upload(
        &self,
        id: &str,
        received: u64,
        piece: Option<UploadPiece>,
        at: Timestamp,
    ) -> Result<(), RegistryError> {
        self.inner.extend_upload(id, received, piece, at).await
    }
    async fn remove_upload(&self, id: &str) -> Result<(), RegistryError> {
        self.inner.remove_upload(id).await
    }
    async fn prune_uploads(&self, before: Timestamp) -> Result<Vec<ContentId>, RegistryError> {
        self.inner.prune_uploads(before).await
    }
    async fn add_composed(&self, id: &ContentId, pieces: &[ContentPiece]) -> Result<(), RegistryError> {
        self.inner.add_composed(id, pieces).await
    }
    async fn composed(&self, id: &ContentId) -> Result<Vec<ContentPiece>, RegistryError> {
        self.inner.composed(id).await
    }
    async fn composed_ids(&self, after: Option<&ContentId>, limit: usize) -> Result<Vec<ContentId>, RegistryError> {
        self.inner.composed_ids(after, limit).await
    }
    async fn remove_composed(&self, id: &ContentId) -> Result<(), RegistryError> {
        self.inner.remove_composed(id).await
    }
    async fn remove_file(&self, id: &FileId, seen: Revision) -> Result<(), RegistryError> {
        self.maybe(Trouble::RemovingFile)?;
        self.inner.remove_file(id, seen).await
    }
    async fn file_and_containers(&self, id: &FileId) -> Result<(FileRecord, Vec<ContainerRecord>), RegistryError> {
        self.maybe(Trouble::ReadingContainer)?;
        self.inner.file_and_containers(id).await
    }
    async fn versions(&self, file: &FileId) -> Result<Vec<VersionEntry>, RegistryError> {
        self.inner.versions(file).await
    }
    async fn amend_version(&self, entry: &VersionEntry) -> Result<(), RegistryError> {
        self.maybe(Trouble::AmendingVersion)?;
        self.inner.amend_version(entry).await
    }
    async fn remove_versions(&self, file: &FileId, versions: &[ItemVersion]) -> Result<(), RegistryError> {
        self.inner.remove_versions(file, versions).await
    }
    async fn add_rescued(&self, save: &RescuedSave) -> Result<(), RegistryError> {
        self.inner.add_rescued(save).await
    }
    async fn rescued(&self, user: Option<&UserId>) -> Result<Vec<RescuedSave>, RegistryError> {
        self.inner.rescued(user).await
    }
    async fn remove_rescued(&self, contents: &[ContentId]) -> Result<(), RegistryError> {
        self.inner.remove_rescued(contents).await
    }
    async fn unreferenced(&self, contents: &[ContentId]) -> Result<Vec<ContentId>, RegistryError> {
        self.inner.unreferenced(contents).await
    }
    async fn condemn(&self, contents: &[ContentId], at: Timestamp) -> Result<Vec<ContentId>, RegistryError> {
        self.inner.condemn(contents, at).await
    }
    async fn prune_condemned(&self, before: Timestamp) -> Result<u64, RegistryError> {
        self.inner.prune_condemned(before).await
    }
    async fn files_with_versions(&self, after: Option<&FileId>, limit: usize) -> Result<Vec<FileId>, RegistryError> {
        self.inner.files_with_versions(after, limit).await
    }
    async fn files_deleted_before(&self, at: Timestamp, limit: usize) -> Result<Vec<FileRecord>, RegistryError> {
        self.inner.files_deleted_before(at, limit).await
    }
    async fn add_activities(&self, activities: &[Activity]) -> Result<(), RegistryError> {
        self.inner.add_activities(activities).await
    }
    async fn activities(&self, file: &FileId, limit: usize) -> Result<Vec<Activity>, RegistryError> {
        self.inner.activities(file, limit).await
    }
    async fn root(&self) -> Result<ContainerRecord, RegistryError> {
        self.inner.root().await
    }
    async fn container(&self, id: &ContainerId) -> Result<ContainerRecord, RegistryError> {
        self.maybe(Trouble::ReadingContainer)?;
        self.inner.container(id).await
    }
    async fn container_named(&self, parent: &ContainerId, name: &FileName) -> Result<ContainerRecord, RegistryError> {
        self.inner.container_named(parent, name).await
    }
    async fn containers_seen_as(&self, seen: &Fingerprint) -> Result<Vec<ContainerRecord>, RegistryError> {
        self.inner.containers_seen_as(seen).await
    }
    async fn containers_in(&self, parent: &ContainerId, page: &Page) -> Result<Vec<ContainerRecord>, RegistryError> {
        self.inner.containers_in(parent, page).await
    }
    async fn create_container(&self, record: &ContainerRecord) -> Result<ContainerRecord, RegistryError> {
        self.inner.create_container(record).await
    }
    async fn commit_container(&self, record: &ContainerRecord) -> Result<ContainerRecord, RegistryError> {
        self.inner.commit_container(record).await
    }
    async fn remove_container(&self, id: &ContainerId, seen: Revision) -> Result<(), RegistryError> {
        self.inner.remove_container(id, seen).await
    }
    async fn user(&self, id: &UserId) -> Result<User, RegistryError> {
        self.inner.user(id).await
    }
    async fn user_named(&self, name: &str) -> Result<User, RegistryError> {
        self.inner.user_named(name).await
    }
    async fn users(&self) -> Result<Vec<User>, RegistryError> {
        self.inner.users().await
    }
    async fn create_user(&self, user: &User) -> Result<User, RegistryError> {
        self.inner.create_user(user).await
    }
    async fn commit_user(&self, user: &User) -> Result<User, RegistryError> {
        self.inner.commit_user(user).await
    }
    async fn session(&self, id: &SessionId) -> Result<Session, RegistryError> {
        self.inner.session(id).await
    }
    async fn session_and_user(&self, id: &SessionId) -> Result<(Session, Option<User>), RegistryError> {
        self.inner.session_and_user(id).await
    }
    async fn sessions(&self, user: &UserId) -> Result<Vec<Session>, RegistryError> {
        self.inner.sessions(user).await
    }
    async fn create_session(&self, session: &Session) -> Result<(), RegistryError> {
        self.inner.create_session(session).await
    }
    async fn revoke_session(&self, id: &SessionId, at: Timestamp) -> Result<(), RegistryError> {
        self.inner.revoke_session(id, at).await
    }
    async fn prune_sessions(&self, before: Timestamp) -> Result<u64, RegistryError> {
        self.inner.prune_sessions(before).await
    }
    async fn discovery(&self, client: &str) -> Result<DiscoveryCache, RegistryError> {
        self.inner.discovery(client).await
    }
    async fn put_discovery(&self, cache: &DiscoveryCache) -> Result<(), RegistryError> {
        self.inner.put_discovery(cache).await
    }
}
