//! The port on top of the statements. Nothing is decided here.

use std::sync::Arc;

use async_trait::async_trait;
use lectern_host::parts::FileParts;
use lectern_host::ports::{
    Bin, BinEntry, FileCommit, Listings, Memo, Memos, Named, Page, Registry, RegistryError, Sharing, Slice, Usage,
    Visit,
};
use lectern_host::records::{
    Activity, ContainerRecord, ContentId, ContentPiece, DiscoveryCache, FileRecord, Fingerprint, RefusedRequest,
    RescuedSave, Revision, Session, SessionId, Timestamp, Upload, UploadPiece, User, VersionEntry,
};
use lectern_host::sharing::{BinId, Grant, Group, GroupId, Item, Link, LinkId, Principal, SecretHash};
use lectern_host::wopi::{ContainerId, FileId, FileName, ItemVersion, UserId};

use super::{
    PostgresRegistry, bin, containers, files, history, listing, memos, parts, people, sharing, uploads, visits,
};
use crate::registry::following;

type Result<T> = std::result::Result<T, RegistryError>;

impl PostgresRegistry {
    async fn commit(&self, commit: &FileCommit, parts: Option<&FileParts>) -> Result<FileRecord> {
        let seen = commit.record.revision;
        let next = FileRecord { revision: following(seen)?, ..commit.record.clone() };
        files::commit(&self.pool, &next, seen, commit.replaced.as_ref(), parts, self.stamps.next()).await?;
        Ok(next)
    }
}

#[async_trait]
impl Registry for PostgresRegistry {
    async fn file(&self, id: &FileId) -> Result<FileRecord> {
        Ok(files::by_id(&self.pool, id).await?)
    }

    async fn file_named(&self, container: &ContainerId, name: &FileName) -> Result<FileRecord> {
        Ok(files::by_name(&self.pool, container, name).await?)
    }

    async fn files_seen_as(&self, seen: &Fingerprint) -> Result<Vec<FileRecord>> {
        Ok(files::seen_as(&self.pool, seen).await?)
    }

    async fn files_in(&self, container: &ContainerId, page: &Page) -> Result<Vec<FileRecord>> {
        Ok(files::in_container(&self.pool, container, page).await?)
    }

    async fn files_pending(&self) -> Result<Vec<FileRecord>> {
        Ok(files::pending_ones(&self.pool).await?)
    }

    async fn usage(&self) -> Result<Usage> {
        Ok(memos::usage(&self.pool).await?)
    }

    async fn file_count(&self) -> Result<u64> {
        Ok(files::how_many(&self.pool).await?)
    }

    async fn create_file(&self, record: &FileRecord) -> Result<FileRecord> {
        let first = FileRecord { revision: Revision(1), ..record.clone() };
        files::create(&self.pool, &first, self.stamps.next()).await?;
        Ok(first)
    }

    async fn create_files(&self, records: &[FileRecord]) -> Result<()> {
        let first = |record: &FileRecord| FileRecord { revision: Revision(1), ..record.clone() };
        let records: Vec<_> = records.iter().map(first).collect();
        Ok(files::create_if_free(&self.pool, &records, self.stamps.next()).await?)
    }

    async fn commit_file(&self, commit: &FileCommit) -> Result<FileRecord> {
        self.commit(commit, None).await
    }

    async fn remove_file(&self, id: &FileId, seen: Revision) -> Result<()> {
        Ok(files::remove(&self.pool, id, seen).await?)
    }

    async fn file_and_containers(&self, id: &FileId) -> Result<(FileRecord, Vec<ContainerRecord>)> {
        Ok(visits::file_and_containers(&self.pool, id).await?)
    }

    async fn parts(&self, file: &FileId) -> Result<FileParts> {
        Ok(parts::of(&self.pool, file).await?)
    }

    async fn commit_parts(&self, commit: &FileCommit, parts: &FileParts) -> Result<FileRecord> {
        self.commit(commit, Some(parts)).await
    }

    async fn prune_parts(&self, before: Timestamp) -> Result<u64> {
        Ok(parts::prune(&self.pool, before).await?)
    }

    async fn create_upload(&self, upload: &Upload) -> Result<()> {
        Ok(uploads::add(&self.pool, upload).await?)
    }

    async fn upload(&self, id: &str) -> Result<Upload> {
        Ok(uploads::of(&self.pool, id).await?)
    }

    async fn upload_count(&self, user: &UserId, since: Timestamp) -> Result<u64> {
        Ok(uploads::how_many(&self.pool, user, since).await?)
    }

    async fn extend_upload(&self, id: &str, received: u64, piece: Option<UploadPiece>, at: Timestamp) -> Result<()> {
        Ok(uploads::extend(&self.pool, id, received, piece, at).await?)
    }

    async fn remove_upload(&self, id: &str) -> Result<()> {
        Ok(uploads::remove(&self.pool, id).await?)
    }

    async fn prune_uploads(&self, before: Timestamp) -> Result<Vec<ContentId>> {
        Ok(uploads::prune(&self.pool, before).await?)
    }

    async fn add_composed(&self, id: &ContentId, pieces: &[ContentPiece]) -> Result<()> {
        Ok(uploads::add_composed(&self.pool, id, pieces).await?)
    }

    async fn composed(&self, id: &ContentId) -> Result<Vec<ContentPiece>> {
        Ok(uploads::composed(&self.pool, id).await?)
    }

    async fn composed_ids(&self, after: Option<&ContentId>, limit: usize) -> Result<Vec<ContentId>> {
        Ok(uploads::composed_ids(&self.pool, after, limit).await?)
    }

    async fn remove_composed(&self, id: &ContentId) -> Result<()> {
        Ok(uploads::remove_composed(&self.pool, id).await?)
    }

    async fn versions(&self, file: &FileId) -> Result<Vec<VersionEntry>> {
        Ok(history::versions(&self.pool, file).await?)
    }

    async fn amend_version(&self, entry: &VersionEntry) -> Result<()> {
        Ok(history::amend_version(&self.pool, entry).await?)
    }

    async fn remove_versions(&self, file: &FileId, versions: &[ItemVersion]) -> Result<()> {
        Ok(history::remove_versions(&self.pool, file, versions).await?)
    }

    async fn add_rescued(&self, save: &RescuedSave) -> Result<()> {
        Ok(history::add_rescued(&self.pool, save).await?)
    }

    async fn rescued(&self, user: Option<&UserId>) -> Result<Vec<RescuedSave>> {
        Ok(history::rescued(&self.pool, user).await?)
    }

    async fn remove_rescued(&self, contents: &[ContentId]) -> Result<()> {
        Ok(history::remove_rescued(&self.pool, contents).await?)
    }

    async fn unreferenced(&self, contents: &[ContentId]) -> Result<Vec<ContentId>> {
        Ok(history::unreferenced(&self.pool, contents).await?)
    }

    async fn condemn(&self, contents: &[ContentId], at: Timestamp) -> Result<Vec<ContentId>> {
        Ok(history::condemn(&self.pool, contents, at).await?)
    }

    async fn prune_condemned(&self, before: Timestamp) -> Result<u64> {
        Ok(history::prune_condemned(&self.pool, before).await?)
    }

    async fn files_with_versions(&self, after: Option<&FileId>, limit: usize) -> Result<Vec<FileId>> {
        Ok(history::files_with_versions(&self.pool, after, limit).await?)
    }

    async fn files_deleted_before(&self, at: Timestamp, limit: usize) -> Result<Vec<FileRecord>> {
        Ok(files::deleted_before(&self.pool, at, limit).await?)
    }

    async fn add_activities(&self, activities: &[Activity]) -> Result<()> {
        Ok(history::add_activities(&self.pool, activities).await?)
    }

    async fn activities(&self, file: &FileId, limit: usize) -> Result<Vec<Activity>> {
        Ok(history::activities(&self.pool, file, limit).await?)
    }

    async fn root(&self) -> Result<ContainerRecord> {
        Ok(containers::root(&self.pool).await?)
    }

    async fn container(&self, id: &ContainerId) -> Result<ContainerRecord> {
        Ok(containers::by_id(&self.pool, id).await?)
    }

    async fn container_named(&self, parent: &ContainerId, name: &FileName) -> Result<ContainerRecord> {
        Ok(containers::by_name(&self.pool, parent, name).await?)
    }

    async fn containers_seen_as(&self, seen: &Fingerprint) -> Result<Vec<ContainerRecord>> {
        Ok(containers::seen_as(&self.pool, seen).await?)
    }

    async fn containers_in(&self, parent: &ContainerId, page: &Page) -> Result<Vec<ContainerRecord>> {
        Ok(containers::in_container(&self.pool, parent, page).await?)
    }

    async fn create_container(&self, record: &ContainerRecord) -> Result<ContainerRecord> {
        let first = ContainerRecord { revision: Revision(1), ..record.clone() };
        containers::create(&self.pool, &first).await?;
        Ok(first)
    }

    async fn commit_container(&self, record: &ContainerRecord) -> Result<ContainerRecord> {
        let seen = record.revision;
        let next = ContainerRecord { revision: following(seen)?, ..record.clone() };
        containers::commit(&self.pool, &next, seen).await?;
        Ok(next)
    }

    async fn remove_container(&self, id: &ContainerId, seen: Revision) -> Result<()> {
        Ok(containers::remove(&self.pool, id, seen).await?)
    }

    async fn user(&self, id: &UserId) -> Result<User> {
        Ok(people::user(&self.pool, id).await?)
    }

    async fn user_named(&self, name: &str) -> Result<User> {
        Ok(people::user_named(&self.pool, name).await?)
    }

    async fn users(&self) -> Result<Vec<User>> {
        Ok(people::users(&self.pool).await?)
    }

    async fn create_user(&self, user: &User) -> Result<User> {
        let first = User { revision: Revision(1), ..user.clone() };
        people::create_user(&self.pool, &first).await?;
        Ok(first)
    }

    async fn commit_user(&self, user: &User) -> Result<User> {
        let seen = user.revision;
        let next = User { revision: following(seen)?, ..user.clone() };
        people::commit_user(&self.pool, &next, seen).await?;
        Ok(next)
    }

    async fn session(&self, id: &SessionId) -> Result<Session> {
        Ok(people::session(&self.pool, id).await?)
    }

    async fn session_and_user(&self, id: &SessionId) -> Result<(Session, Option<User>)> {
        Ok(visits::session_and_user(&self.pool, id).await?)
    }

    async fn visit(&self, session: &SessionId, file: Option<&FileId>) -> Result<Visit> {
        Ok(visits::visit(&self.pool, &self.sharers, session, file).await?)
    }

    async fn sessions(&self, user: &UserId) -> Result<Vec<Session>> {
        Ok(people::sessions(&self.pool, user).await?)
    }

    async fn create_session(&self, session: &Session) -> Result<()> {
        Ok(people::create_session(&self.pool, session).await?)
    }

    async fn revoke_session(&self, id: &SessionId, at: Timestamp) -> Result<()> {
        Ok(people::revoke_session(&self.pool, id, at).await?)
    }

    async fn prune_sessions(&self, before: Timestamp) -> Result<u64> {
        Ok(people::prune_sessions(&self.pool, before).await?)
    }

    async fn discovery(&self, client: &str) -> Result<DiscoveryCache> {
        Ok(people::discovery(&self.pool, client).await?)
    }

    async fn put_discovery(&self, cache: &DiscoveryCache) -> Result<()> {
        Ok(people::put_discovery(&self.pool, cache).await?)
    }
}

#[async_trait]
impl Bin for PostgresRegistry {
    async fn add_to_bin(&self, entry: &BinEntry, containers: &[ContainerRecord]) -> Result<()> {
        Ok(bin::add(&self.pool, entry, containers).await?)
    }

    async fn bin(&self, after: Option<&BinEntry>, limit: usize) -> Result<Vec<BinEntry>> {
        Ok(bin::list(&self.pool, after, limit).await?)
    }

    async fn bin_entry(&self, id: &BinId) -> Result<BinEntry> {
        Ok(bin::entry(&self.pool, id).await?)
    }

    async fn bin_containers(&self, id: &BinId) -> Result<Vec<ContainerRecord>> {
        Ok(bin::containers(&self.pool, id).await?)
    }

    async fn files_deleted_in(&self, container: &ContainerId) -> Result<Vec<FileRecord>> {
        Ok(bin::files_deleted_in(&self.pool, container).await?)
    }

    async fn remove_from_bin(&self, id: &BinId) -> Result<()> {
        Ok(bin::remove(&self.pool, id).await?)
    }

    async fn prune_bin(&self, before: Timestamp) -> Result<u64> {
        Ok(bin::prune(&self.pool, before).await?)
    }
}

#[async_trait]
impl Listings for PostgresRegistry {
    async fn files_listed(&self, container: &ContainerId, slice: &Slice) -> Result<Vec<FileRecord>> {
        Ok(listing::files(&self.pool, container, slice).await?)
    }

    async fn containers_listed(
        &self,
        parent: &ContainerId,
        after: Option<&FileName>,
        descending: bool,
        limit: usize,
    ) -> Result<Vec<ContainerRecord>> {
        Ok(listing::containers(&self.pool, parent, after, descending, limit).await?)
    }

    async fn count_in(&self, container: &ContainerId, max: usize) -> Result<usize> {
        Ok(listing::count_in(&self.pool, container, max).await?)
    }

    async fn named_like(&self, text: &str, looked_at_max: usize, limit: usize) -> Result<Vec<Named>> {
        Ok(listing::named_like(&self.pool, text, looked_at_max, limit).await?)
    }
}

#[async_trait]
impl Memos for PostgresRegistry {
    async fn memo(&self, name: &str, now: Timestamp) -> Result<Option<Memo>> {
        Ok(memos::memo(&self.pool, name, now).await?)
    }

    async fn put_memo(
        &self,
        name: &str,
        seen: Option<Revision>,
        value: &[u8],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Revision> {
        Ok(memos::put(&self.pool, name, seen, value, until, now).await?)
    }

    async fn remove_memo(&self, name: &str, seen: Revision, now: Timestamp) -> Result<()> {
        Ok(memos::remove(&self.pool, name, seen, now).await?)
    }

    async fn prune_memos(&self, before: Timestamp) -> Result<u64> {
        Ok(memos::prune(&self.pool, before).await?)
    }

    async fn add_refusals(&self, refused: &[RefusedRequest], kept_max: usize) -> Result<()> {
        Ok(memos::add_refusals(&self.pool, refused, kept_max).await?)
    }

    async fn refusals(&self, limit: usize) -> Result<Vec<RefusedRequest>> {
        Ok(memos::refusals(&self.pool, limit).await?)
    }
}

#[async_trait]
impl Sharing for PostgresRegistry {
    async fn grants_on(&self, items: &[Item]) -> Result<Vec<Arc<Vec<Grant>>>> {
        Ok(sharing::grants_on(&self.pool, items).await?)
    }

    async fn grants_to(&self, to: &[Principal], limit: usize) -> Result<Vec<Grant>> {
        Ok(sharing::grants_to(&self.pool, to, limit).await?)
    }

    async fn put_grant(&self, grant: &Grant) -> Result<()> {
        Ok(sharing::put_grant(&self.pool, grant).await?)
    }

    async fn remove_grant(&self, item: &Item, to: &Principal) -> Result<()> {
        Ok(sharing::remove_grant(&self.pool, item, to).await?)
    }

    async fn groups(&self) -> Result<Vec<Group>> {
        Ok(sharing::groups(&self.pool).await?)
    }

    async fn group(&self, id: &GroupId) -> Result<Group> {
        Ok(sharing::group(&self.pool, id).await?)
    }

    async fn group_named(&self, name: &str) -> Result<Group> {
        Ok(sharing::group_named(&self.pool, name).await?)
    }

    async fn create_group(&self, group: &Group) -> Result<Group> {
        let first = Group { revision: Revision(1), ..group.clone() };
        sharing::create_group(&self.pool, &first).await?;
        Ok(first)
    }

    async fn commit_group(&self, group: &Group) -> Result<Group> {
        let seen = group.revision;
        let next = Group { revision: following(seen)?, ..group.clone() };
        sharing::commit_group(&self.pool, &next, seen).await?;
        Ok(next)
    }

    async fn remove_group(&self, id: &GroupId, seen: Revision) -> Result<()> {
        Ok(sharing::remove_group(&self.pool, id, seen).await?)
    }

    async fn members(&self, group: &GroupId) -> Result<Vec<UserId>> {
        Ok(sharing::members(&self.pool, group).await?)
    }

    async fn groups_of(&self, user: &UserId) -> Result<Arc<Vec<GroupId>>> {
        Ok(Arc::new(sharing::groups_of(&self.pool, user).await?))
    }

    async fn set_member(&self, group: &GroupId, user: &UserId, is_member: bool) -> Result<()> {
        Ok(sharing::set_member(&self.pool, group, user, is_member).await?)
    }

    async fn create_link(&self, link: &Link) -> Result<()> {
        Ok(sharing::create_link(&self.pool, link).await?)
    }

    async fn link(&self, id: &LinkId) -> Result<Arc<Link>> {
        Ok(Arc::new(sharing::link(&self.pool, id).await?))
    }

    async fn link_with(&self, secret: &SecretHash) -> Result<Link> {
        Ok(sharing::link_with(&self.pool, secret).await?)
    }

    async fn links_on(&self, item: &Item) -> Result<Vec<Link>> {
        Ok(sharing::links_on(&self.pool, item).await?)
    }

    async fn revoke_link(&self, id: &LinkId, at: Timestamp) -> Result<()> {
        Ok(sharing::revoke_link(&self.pool, id, at).await?)
    }

    async fn prune_shares(&self, before: Timestamp) -> Result<u64> {
        Ok(sharing::prune(&self.pool, before).await?)
    }

    async fn others_see_everything(&self, but: &UserId) -> Result<bool> {
        Ok(sharing::others_see_everything(&self.pool, but).await?)
    }
}
