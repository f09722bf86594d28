//! The registry in a few maps behind one mutex: the plainest thing that keeps every promise of [`Registry`] but
//! outliving the process.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use wopi::chunked::Retention;
use wopi::{ContainerId, FileId, FileName, ItemVersion, UserId};

use crate::parts::FileParts;
use crate::ports::{BinEntry, FileCommit, Memo, Named, Page, ROOT_NAME, Registry, RegistryError, Tally, Usage};
use crate::records::{
    Activity, ContainerRecord, ContentId, ContentPiece, DiscoveryCache, FileRecord, Fingerprint, Pending,
    RefusedRequest, RescuedSave, Revision, Session, SessionId, Timestamp, Upload, UploadPiece, User, VersionEntry,
};

use crate::sharing::{BinId, Grant, Group, GroupId, Item, Link, LinkId, Principal};

/// A registry that lives as long as the process.
pub struct MemoryRegistry {
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) files: BTreeMap<FileId, FileRecord>,
    versions: BTreeMap<FileId, BTreeMap<ItemVersion, VersionEntry>>,
    parts: BTreeMap<FileId, FileParts>,
    uploads: BTreeMap<String, Upload>,
    composed: BTreeMap<ContentId, Vec<ContentPiece>>,
    rescued: BTreeMap<[u8; 16], RescuedSave>,
    pub(super) containers: BTreeMap<ContainerId, ContainerRecord>,
    pub(super) names: BTreeMap<(ContainerId, FileName), Named>,
    pub(super) users: BTreeMap<UserId, User>,
    pub(super) grants: BTreeMap<(Item, Principal), Grant>,
    pub(super) groups: BTreeMap<GroupId, Group>,
    pub(super) members: BTreeSet<(GroupId, UserId)>,
    pub(super) links: BTreeMap<LinkId, Link>,
    pub(super) bin: BTreeMap<BinId, (BinEntry, Vec<ContainerRecord>)>,
    sessions: BTreeMap<SessionId, Session>,
    discovery: BTreeMap<String, DiscoveryCache>,
    activities: Vec<Activity>,
    condemned: BTreeMap<ContentId, Timestamp>,
    pub(super) memos: BTreeMap<String, Memo>,
    pub(super) refused: Vec<RefusedRequest>,
}

impl MemoryRegistry {
    /// A registry with an empty root whose id is `root`.
    #[expect(clippy::expect_used, reason = "both constants are valid")]
    pub fn new() -> Self {
        let root = ContainerRecord {
            id: ContainerId::parse("root").expect("an id"),
            parent: None,
            name: FileName::parse(ROOT_NAME).expect("a name"),
            revision: Revision(1),
            created_at: Timestamp(0),
            seen: None,
        };
        let state = State { containers: BTreeMap::from([(root.id.clone(), root)]), ..State::default() };
        Self { state: Mutex::new(state) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // Every method checks before it changes, so a panic elsewhere leaves nothing half done in here.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryRegistry {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for MemoryRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("memory")
    }
}

impl fmt::Debug for MemoryRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryRegistry").finish_non_exhaustive()
    }
}

pub(super) fn found<T: Clone>(record: Option<&T>) -> Result<T, RegistryError> {
    record.cloned().ok_or(RegistryError::NotFound)
}

/// The revision after `seen`, if `stored` is still that.
pub(super) fn following(stored: Option<Revision>, seen: Revision) -> Result<Revision, RegistryError> {
    match stored {
        None => Err(RegistryError::NotFound),
        Some(stored) if stored != seen => Err(RegistryError::Conflict),
        Some(Revision(stored)) => Ok(Revision(stored.saturating_add(1))),
    }
}

impl State {
    fn file_name_of(record: &FileRecord) -> Option<(ContainerId, FileName)> {
        record.deleted_at.is_none().then(|| (record.container.clone(), record.name.clone()))
    }

    fn container_name_of(record: &ContainerRecord) -> Option<(ContainerId, FileName)> {
        record.parent.clone().map(|parent| (parent, record.name.clone()))
    }

    /// Whether `name` may be given to something that is called `was` so far.
    fn name_is_free(
        &self,
        was: Option<&(ContainerId, FileName)>,
        name: Option<&(ContainerId, FileName)>,
    ) -> Result<(), RegistryError> {
        let Some(name) = name.filter(|name| Some(*name) != was) else { return Ok(()) };
        if !self.containers.contains_key(&name.0) {
            return Err(RegistryError::NotFound);
        }
        if self.names.contains_key(name) { Err(RegistryError::NameTaken) } else { Ok(()) }
    }

    fn rename(&mut self, was: Option<&(ContainerId, FileName)>, name: Option<(ContainerId, FileName)>, what: Named) {
        if let Some(was) = was {
            self.names.remove(was);
        }
        if let Some(name) = name {
            self.names.insert(name, what);
        }
    }

    fn create_file(&mut self, record: &FileRecord) -> Result<FileRecord, RegistryError> {
        if self.files.contains_key(&record.id) {
            return Err(RegistryError::Conflict);
        }
        self.are_not_condemned([&record.content.id])?;
        let name = Self::file_name_of(record);
        self.name_is_free(None, name.as_ref())?;
        let stored = FileRecord { revision: Revision(1), ..record.clone() };
        self.rename(None, name, Named::File(record.id.clone()));
        self.files.insert(record.id.clone(), stored.clone());
        Ok(stored)
    }

    fn commit_file(&mut self, commit: &FileCommit) -> Result<FileRecord, RegistryError> {
        let record = &commit.record;
        let stored = self.files.get(&record.id);
        let revision = following(stored.map(|file| file.revision), record.revision)?;
        self.are_not_condemned([&record.content.id])?;
        let was = stored.and_then(State::file_name_of);
        let name = State::file_name_of(record);
        self.name_is_free(was.as_ref(), name.as_ref())?;
        if let Some(replaced) = &commit.replaced {
            let versions = self.versions.entry(replaced.file.clone()).or_default();
            if versions.contains_key(&replaced.version) {
                return Err(RegistryError::Conflict);
            }
            versions.insert(replaced.version, replaced.clone());
        }
        self.rename(was.as_ref(), name, Named::File(record.id.clone()));
        let stored = FileRecord { revision, ..record.clone() };
        self.files.insert(record.id.clone(), stored.clone());
        Ok(stored)
    }

    fn children<'a>(
        &'a self,
        container: &ContainerId,
        page: &'a Page,
    ) -> impl Iterator<Item = (&'a FileName, &'a Named)> + 'a {
        // A page may begin after text that is no name, so the beginning is skipped rather than looked up.
        let container = container.clone();
        self.names
            .iter()
            .filter(move |((parent, name), _)| {
                *parent == container && page.after.as_deref().is_none_or(|after| name.as_str() > after)
            })
            .map(|((_, name), what)| (name, what))
    }

    /// Whether these may be pointed to.
    fn are_not_condemned<'c>(&self, contents: impl IntoIterator<Item = &'c ContentId>) -> Result<(), RegistryError> {
        if contents.into_iter().any(|content| self.condemned.contains_key(content)) {
            return Err(RegistryError::Condemned);
        }
        Ok(())
    }

    fn points_to(&self, content: &ContentId) -> bool {
        self.files.values().any(|file| {
            file.content.id == *content
                || matches!(&file.pending, Some(Pending::Publish { replaces: Some((id, _)) }) if id == content)
        }) || self.versions.values().flat_map(BTreeMap::values).any(|version| version.content.id == *content)
            || self.parts.values().flat_map(|parts| &parts.streams).any(|stream| stream.content == *content)
            || self.uploads.values().flat_map(|upload| &upload.pieces).any(|piece| piece.content == *content)
            || self.composed.values().flatten().any(|piece| piece.content == *content)
            || self.rescued.contains_key(&content.0)
    }
}

#[async_trait]
impl Registry for MemoryRegistry {
    async fn file(&self, id: &FileId) -> Result<FileRecord, RegistryError> {
        found(self.state().files.get(id))
    }

    async fn file_named(&self, container: &ContainerId, name: &FileName) -> Result<FileRecord, RegistryError> {
        let state = self.state();
        match state.names.get(&(container.clone(), name.clone())) {
            Some(Named::File(id)) => found(state.files.get(id)),
            _ => Err(RegistryError::NotFound),
        }
    }

    async fn files_seen_as(&self, seen: &Fingerprint) -> Result<Vec<FileRecord>, RegistryError> {
        let state = self.state();
        let same = |file: &&FileRecord| {
            file.deleted_at.is_none() && file.seen.as_ref().is_some_and(|was| was.same_inode(seen))
        };
        Ok(state.files.values().filter(same).cloned().collect())
    }

    async fn files_in(&self, container: &ContainerId, page: &Page) -> Result<Vec<FileRecord>, RegistryError> {
        let state = self.state();
        let files = state.children(container, page).filter_map(|(_, what)| match what {
            Named::File(id) => state.files.get(id).cloned(),
            Named::Container(_) => None,
        });
        Ok(files.take(page.limit).collect())
    }

    async fn files_pending(&self) -> Result<Vec<FileRecord>, RegistryError> {
        Ok(self.state().files.values().filter(|file| file.pending.is_some()).cloned().collect())
    }

    async fn usage(&self) -> Result<Usage, RegistryError> {
        let state = self.state();
        let sum = |sizes: &mut dyn Iterator<Item = u64>| {
            sizes.fold(Tally::default(), |tally, size| Tally { count: tally.count + 1, bytes: tally.bytes + size })
        };
        let files = |deleted: bool| {
            let files = state.files.values().filter(move |file| file.deleted_at.is_some() == deleted);
            sum(&mut files.map(|file| file.content.size))
        };
        Ok(Usage {
            files: files(false),
            versions: sum(&mut state.versions.values().flat_map(BTreeMap::values).map(|entry| entry.content.size)),
            deleted: files(true),
            rescued: sum(&mut state.rescued.values().map(|save| save.size)),
        })
    }

    async fn file_count(&self) -> Result<u64, RegistryError> {
        Ok(self.state().files.values().filter(|file| file.deleted_at.is_none()).count() as u64)
    }

    async fn create_file(&self, record: &FileRecord) -> Result<FileRecord, RegistryError> {
        self.state().create_file(record)
    }

    async fn create_files(&self, records: &[FileRecord]) -> Result<(), RegistryError> {
        let mut state = self.state();
        let mut added = Vec::new();
        for record in records {
            match state.create_file(record) {
                Ok(_) => added.push(record),
                Err(RegistryError::NameTaken) => {}
                Err(error) => {
                    for record in added {
                        let name = State::file_name_of(record);
                        state.rename(name.as_ref(), None, Named::File(record.id.clone()));
                        state.files.remove(&record.id);
                    }
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    async fn commit_file(&self, commit: &FileCommit) -> Result<FileRecord, RegistryError> {
        self.state().commit_file(commit)
    }

    async fn parts(&self, file: &FileId) -> Result<FileParts, RegistryError> {
        Ok(self.state().parts.get(file).cloned().unwrap_or_default())
    }

    async fn commit_parts(&self, commit: &FileCommit, parts: &FileParts) -> Result<FileRecord, RegistryError> {
        let mut state = self.state();
        state.are_not_condemned(parts.streams.iter().map(|stream| &stream.content))?;
        let stored = state.commit_file(commit)?;
        state.parts.insert(stored.id.clone(), parts.clone());
        Ok(stored)
    }

    async fn prune_parts(&self, before: Timestamp) -> Result<u64, RegistryError> {
        let mut state = self.state();
        let State { files, parts, .. } = &mut *state;
        let mut pruned = 0;
        for (file, parts) in parts {
            let same = files.get(file).is_some_and(|file| file.version == parts.version);
            let count = parts.streams.len() + parts.properties.len();
            parts.streams.retain(|stream| same && stream.updated_at >= before);
            parts.properties.retain(|stored| {
                let keeps = same || stored.property.retention == Retention::KeepOnContentChange;
                keeps && stored.updated_at >= before
            });
            if !same {
                parts.main = None;
            }
            pruned += (count - parts.streams.len() - parts.properties.len()) as u64;
        }
        Ok(pruned)
    }

    async fn create_upload(&self, upload: &Upload) -> Result<(), RegistryError> {
        let mut state = self.state();
        state.are_not_condemned(upload.pieces.iter().map(|piece| &piece.content))?;
        state.uploads.insert(upload.id.clone(), upload.clone());
        Ok(())
    }

    async fn upload(&self, id: &str) -> Result<Upload, RegistryError> {
        found(self.state().uploads.get(id))
    }

    async fn upload_count(&self, user: &UserId, since: Timestamp) -> Result<u64, RegistryError> {
        let counts = |upload: &&Upload| upload.user == *user && upload.updated_at > since;
        Ok(self.state().uploads.values().filter(counts).count() as u64)
    }

    async fn extend_upload(
        &self,
        id: &str,
        received: u64,
        piece: Option<UploadPiece>,
        at: Timestamp,
    ) -> Result<(), RegistryError> {
        let mut state = self.state();
        state.are_not_condemned(piece.iter().map(|piece| &piece.content))?;
        let upload = state.uploads.get_mut(id).ok_or(RegistryError::NotFound)?;
        if upload.received() != received {
            return Err(RegistryError::Conflict);
        }
        upload.pieces.extend(piece);
        upload.updated_at = at;
        Ok(())
    }

    async fn remove_upload(&self, id: &str) -> Result<(), RegistryError> {
        self.state().uploads.remove(id);
        Ok(())
    }

    async fn prune_uploads(&self, before: Timestamp) -> Result<Vec<ContentId>, RegistryError> {
        let mut state = self.state();
        let mut freed = Vec::new();
        state.uploads.retain(|_, upload| {
            let stays = upload.updated_at >= before;
            if !stays {
                freed.extend(upload.pieces.iter().map(|piece| piece.content));
            }
            stays
        });
        Ok(freed)
    }

    async fn add_composed(&self, id: &ContentId, pieces: &[ContentPiece]) -> Result<(), RegistryError> {
        let mut state = self.state();
        state.are_not_condemned(pieces.iter().map(|piece| &piece.content))?;
        state.composed.insert(*id, pieces.to_vec());
        Ok(())
    }

    async fn composed(&self, id: &ContentId) -> Result<Vec<ContentPiece>, RegistryError> {
        Ok(self.state().composed.get(id).cloned().unwrap_or_default())
    }

    async fn composed_ids(&self, after: Option<&ContentId>, limit: usize) -> Result<Vec<ContentId>, RegistryError> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        Ok(self.state().composed.range((from, Bound::Unbounded)).take(limit).map(|(id, _)| *id).collect())
    }

    async fn remove_composed(&self, id: &ContentId) -> Result<(), RegistryError> {
        self.state().composed.remove(id);
        Ok(())
    }

    async fn remove_file(&self, id: &FileId, seen: Revision) -> Result<(), RegistryError> {
        let mut state = self.state();
        let stored = state.files.get(id);
        following(stored.map(|file| file.revision), seen)?;
        let was = stored.and_then(State::file_name_of);
        state.rename(was.as_ref(), None, Named::File(id.clone()));
        state.files.remove(id);
        state.versions.remove(id);
        state.parts.remove(id);
        Ok(())
    }

    async fn versions(&self, file: &FileId) -> Result<Vec<VersionEntry>, RegistryError> {
        Ok(self.state().versions.get(file).into_iter().flat_map(|of| of.values().rev().cloned()).collect())
    }

    async fn amend_version(&self, entry: &VersionEntry) -> Result<(), RegistryError> {
        let mut state = self.state();
        let stored = state.versions.get_mut(&entry.file).and_then(|of| of.get_mut(&entry.version));
        *stored.ok_or(RegistryError::NotFound)? = entry.clone();
        Ok(())
    }

    async fn remove_versions(&self, file: &FileId, versions: &[ItemVersion]) -> Result<(), RegistryError> {
        if let Some(of) = self.state().versions.get_mut(file) {
            of.retain(|version, _| !versions.contains(version));
        }
        Ok(())
    }

    async fn add_rescued(&self, save: &RescuedSave) -> Result<(), RegistryError> {
        let mut state = self.state();
        if state.rescued.contains_key(&save.content.0) {
            return Err(RegistryError::Conflict);
        }
        state.are_not_condemned([&save.content])?;
        state.rescued.insert(save.content.0, save.clone());
        Ok(())
    }

    async fn rescued(&self, user: Option<&UserId>) -> Result<Vec<RescuedSave>, RegistryError> {
        let state = self.state();
        let of_user = |save: &&RescuedSave| user.is_none_or(|user| save.user == *user);
        let mut saves: Vec<_> = state.rescued.values().filter(of_user).cloned().collect();
        saves.sort_by_key(|save| std::cmp::Reverse((save.at, save.content.0)));
        Ok(saves)
    }

    async fn remove_rescued(&self, contents: &[ContentId]) -> Result<(), RegistryError> {
        let mut state = self.state();
        for content in contents {
            state.rescued.remove(&content.0);
        }
        Ok(())
    }

    async fn unreferenced(&self, contents: &[ContentId]) -> Result<Vec<ContentId>, RegistryError> {
        let state = self.state();
        Ok(contents.iter().filter(|content| !state.points_to(content)).copied().collect())
    }

    async fn condemn(&self, contents: &[ContentId], at: Timestamp) -> Result<Vec<ContentId>, RegistryError> {
        let mut state = self.state();
        let condemned: Vec<_> = contents.iter().filter(|content| !state.points_to(content)).copied().collect();
        for content in &condemned {
            state.condemned.entry(*content).or_insert(at);
        }
        Ok(condemned)
    }

    async fn prune_condemned(&self, before: Timestamp) -> Result<u64, RegistryError> {
        let mut state = self.state();
        let many = state.condemned.len();
        state.condemned.retain(|_, at| *at >= before);
        Ok((many - state.condemned.len()) as u64)
    }

    async fn files_with_versions(&self, after: Option<&FileId>, limit: usize) -> Result<Vec<FileId>, RegistryError> {
        let state = self.state();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let files = state.versions.range::<FileId, _>((from, Bound::Unbounded)).filter(|(_, of)| !of.is_empty());
        Ok(files.map(|(file, _)| file.clone()).take(limit).collect())
    }

    async fn files_deleted_before(&self, at: Timestamp, limit: usize) -> Result<Vec<FileRecord>, RegistryError> {
        let state = self.state();
        let old = state.files.values().filter(|file| file.deleted_at.is_some_and(|deleted| deleted < at));
        Ok(old.take(limit).cloned().collect())
    }

    async fn add_activities(&self, activities: &[Activity]) -> Result<(), RegistryError> {
        self.state().activities.extend_from_slice(activities);
        Ok(())
    }

    async fn activities(&self, file: &FileId, limit: usize) -> Result<Vec<Activity>, RegistryError> {
        let state = self.state();
        Ok(state.activities.iter().rev().filter(|activity| activity.file == *file).take(limit).cloned().collect())
    }

    async fn root(&self) -> Result<ContainerRecord, RegistryError> {
        found(self.state().containers.values().find(|container| container.parent.is_none()))
    }

    async fn container(&self, id: &ContainerId) -> Result<ContainerRecord, RegistryError> {
        found(self.state().containers.get(id))
    }

    async fn container_named(&self, parent: &ContainerId, name: &FileName) -> Result<ContainerRecord, RegistryError> {
        let state = self.state();
        match state.names.get(&(parent.clone(), name.clone())) {
            Some(Named::Container(id)) => found(state.containers.get(id)),
            _ => Err(RegistryError::NotFound),
        }
    }

    async fn containers_seen_as(&self, seen: &Fingerprint) -> Result<Vec<ContainerRecord>, RegistryError> {
        let state = self.state();
        let same = |container: &&ContainerRecord| container.seen.as_ref().is_some_and(|was| was.same_inode(seen));
        Ok(state.containers.values().filter(same).cloned().collect())
    }

    async fn containers_in(&self, parent: &ContainerId, page: &Page) -> Result<Vec<ContainerRecord>, RegistryError> {
        let state = self.state();
        let containers = state.children(parent, page).filter_map(|(_, what)| match what {
            Named::Container(id) => state.containers.get(id).cloned(),
            Named::File(_) => None,
        });
        Ok(containers.take(page.limit).collect())
    }

    async fn create_container(&self, record: &ContainerRecord) -> Result<ContainerRecord, RegistryError> {
        let mut state = self.state();
        if state.containers.contains_key(&record.id) {
            return Err(RegistryError::Conflict);
        }
        let name = State::container_name_of(record);
        if name.is_none() {
            return Err(RegistryError::NameTaken);
        }
        state.name_is_free(None, name.as_ref())?;
        let stored = ContainerRecord { revision: Revision(1), ..record.clone() };
        state.rename(None, name, Named::Container(record.id.clone()));
        state.containers.insert(record.id.clone(), stored.clone());
        Ok(stored)
    }

    async fn commit_container(&self, record: &ContainerRecord) -> Result<ContainerRecord, RegistryError> {
        let mut state = self.state();
        let stored = state.containers.get(&record.id);
        let revision = following(stored.map(|container| container.revision), record.revision)?;
        let was = stored.and_then(State::container_name_of);
        let name = State::container_name_of(record);
        if was.is_some() != name.is_some() {
            return Err(RegistryError::NameTaken);
        }
        state.name_is_free(was.as_ref(), name.as_ref())?;
        state.rename(was.as_ref(), name, Named::Container(record.id.clone()));
        let stored = ContainerRecord { revision, ..record.clone() };
        state.containers.insert(record.id.clone(), stored.clone());
        Ok(stored)
    }

    async fn remove_container(&self, id: &ContainerId, seen: Revision) -> Result<(), RegistryError> {
        let mut state = self.state();
        let stored = state.containers.get(id);
        following(stored.map(|container| container.revision), seen)?;
        let was = stored.and_then(State::container_name_of);
        if was.is_none() {
            return Err(RegistryError::Failed("the root cannot be removed".into()));
        }
        if state.names.keys().any(|(parent, _)| parent == id) {
            return Err(RegistryError::NotEmpty);
        }
        state.rename(was.as_ref(), None, Named::Container(id.clone()));
        state.containers.remove(id);
        Ok(())
    }

    async fn user(&self, id: &UserId) -> Result<User, RegistryError> {
        found(self.state().users.get(id))
    }

    async fn user_named(&self, name: &str) -> Result<User, RegistryError> {
        found(self.state().users.values().find(|user| user.name.eq_ignore_ascii_case(name)))
    }

    async fn users(&self) -> Result<Vec<User>, RegistryError> {
        let mut users: Vec<_> = self.state().users.values().cloned().collect();
        users.sort_by_key(|user| user.name.to_ascii_lowercase());
        Ok(users)
    }

    async fn create_user(&self, user: &User) -> Result<User, RegistryError> {
        let mut state = self.state();
        if state.users.contains_key(&user.id) {
            return Err(RegistryError::Conflict);
        }
        if state.users.values().any(|other| other.name.eq_ignore_ascii_case(&user.name)) {
            return Err(RegistryError::NameTaken);
        }
        let stored = User { revision: Revision(1), ..user.clone() };
        state.users.insert(user.id.clone(), stored.clone());
        Ok(stored)
    }

    async fn commit_user(&self, user: &User) -> Result<User, RegistryError> {
        let mut state = self.state();
        let revision = following(state.users.get(&user.id).map(|stored| stored.revision), user.revision)?;
        if state.users.values().any(|other| other.id != user.id && other.name.eq_ignore_ascii_case(&user.name)) {
            return Err(RegistryError::NameTaken);
        }
        let stored = User { revision, ..user.clone() };
        state.users.insert(user.id.clone(), stored.clone());
        Ok(stored)
    }

    async fn session(&self, id: &SessionId) -> Result<Session, RegistryError> {
        found(self.state().sessions.get(id))
    }

    async fn sessions(&self, user: &UserId) -> Result<Vec<Session>, RegistryError> {
        let state = self.state();
        let mut sessions: Vec<_> = state.sessions.values().filter(|session| session.user == *user).cloned().collect();
        sessions.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
        Ok(sessions)
    }

    async fn create_session(&self, session: &Session) -> Result<(), RegistryError> {
        let mut state = self.state();
        if state.sessions.contains_key(&session.id) {
            return Err(RegistryError::Conflict);
        }
        state.sessions.insert(session.id.clone(), session.clone());
        Ok(())
    }

    async fn revoke_session(&self, id: &SessionId, at: Timestamp) -> Result<(), RegistryError> {
        let mut state = self.state();
        let session = state.sessions.get_mut(id).ok_or(RegistryError::NotFound)?;
        session.revoked_at.get_or_insert(at);
        Ok(())
    }

    async fn prune_sessions(&self, before: Timestamp) -> Result<u64, RegistryError> {
        let mut state = self.state();
        let all = state.sessions.len();
        state.sessions.retain(|_, session| session.expires_at >= before);
        Ok((all - state.sessions.len()) as u64)
    }

    async fn discovery(&self, client: &str) -> Result<DiscoveryCache, RegistryError> {
        found(self.state().discovery.get(client))
    }

    async fn put_discovery(&self, cache: &DiscoveryCache) -> Result<(), RegistryError> {
        self.state().discovery.insert(cache.client.clone(), cache.clone());
        Ok(())
    }
}
