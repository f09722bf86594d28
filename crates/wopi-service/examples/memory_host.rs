//! A whole WOPI host in one file: documents in memory, one user, tokens in a table.
//!
//! It keeps nothing when it stops, but it cheats nowhere: locks run out, tokens are for one file or container, proofs
//! are checked when it is told where its client's discovery document is. It passes the classic cases of Microsoft's
//! official validator.
//!
//! ```text
//! cargo run -p wopi-service --example memory_host -- --listen 127.0.0.1:8090 [--discovery URL]
//! ```
//!
//! It prints one line of JSON with a WOPISrc and a token for the file it starts with.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use http_body_util::BodyExt;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use wopi::answer::{
    ActivityResponse, AddActivities, AddActivitiesRequest, CheckContainerInfo, CheckEcosystem, CheckFileInfo,
    ChildFile, ContainerPointer, CreateChildContainer, CreateChildFile, EnumerateAncestors, EnumerateChildren,
    GetEcosystem, GetRootContainer, PutRelativeFile, RenameContainer, RenameFile, ShareUrl, last_modified_time,
};
use wopi::coauth::{LockTerms, PresentedLock};
use wopi::discovery::Discovery;
use wopi::operation::{ByteRange, RelativeTarget, RequestedName, SaveFacts, ShareUrlType, Suggestion};
use wopi::proof::ProofRule;
use wopi::route::{Kind, KindSet, Target};
use wopi::{AccessToken, ContainerId, FileId, FileName, ItemVersion, LockId, WopiError};
use wopi_service::host::Answer;
use wopi_service::{Body, FileBytes, Limits, PutFileDone, Refusal, WopiHost, WopiService, full};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const LOCK_MS: i64 = 30 * 60 * 1000;
const TOKEN_MS: i64 = 10 * 60 * 60 * 1000;
const BODY_BYTES_MAX: usize = 64 << 20;
const USER: &str = "user1";

/// What this host offers. A flag in CheckFileInfo cannot promise anything else.
const OFFERED: &[Kind] = &[
    Kind::CheckFileInfo,
    Kind::GetFile,
    Kind::PutFile,
    Kind::Lock,
    Kind::UnlockAndRelock,
    Kind::GetLock,
    Kind::RefreshLock,
    Kind::Unlock,
    Kind::PutRelativeFile,
    Kind::RenameFile,
    Kind::DeleteFile,
    Kind::PutUserInfo,
    Kind::GetShareUrl,
    Kind::AddActivities,
    Kind::EnumerateAncestors,
    Kind::GetEcosystem,
    Kind::CheckContainerInfo,
    Kind::CreateChildContainer,
    Kind::CreateChildFile,
    Kind::DeleteContainer,
    Kind::RenameContainer,
    Kind::ContainerGetShareUrl,
    Kind::ContainerEnumerateAncestors,
    Kind::EnumerateChildren,
    Kind::ContainerGetEcosystem,
    Kind::CheckEcosystem,
    Kind::GetRootContainer,
];

/// A file or a container; a container has no file.
#[derive(Clone)]
struct Node {
    name: String,
    parent: Option<String>,
    file: Option<File>,
}

#[derive(Clone)]
struct File {
    bytes: Vec<u8>,
    version: u64,
    modified: i64,
    lock: Option<(LockId, i64)>,
}

#[derive(Default)]
struct State {
    nodes: HashMap<String, Node>,
    tokens: HashMap<String, (Target, i64)>,
    user_info: String,
}

struct Memory {
    url: String,
    proof: ProofRule,
    state: Mutex<State>,
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// 128 random bits as text.
fn random_id() -> String {
    let mut bytes = [0; 16];
    // Without random numbers there are no tokens, and without tokens no host.
    if aws_lc_rs::rand::fill(&mut bytes).is_err() {
        std::process::abort();
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn not_found<T>() -> Answer<T> {
    Err(WopiError::NotFound.into())
}

fn mismatch(held: Option<&LockId>, reason: &str) -> Refusal {
    let (current, reason) = (held.cloned(), reason.to_owned());
    WopiError::LockMismatch { current, reason, username: None, mechanism: None }.into()
}

impl File {
    fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, version: 1, modified: now_ms() * 10_000, lock: None }
    }

    fn held(&self) -> Option<&LockId> {
        self.lock.as_ref().filter(|(_, until)| now_ms() < *until).map(|(id, _)| id)
    }

    /// The one rule of locks: `given` has to be what is held.
    fn expect(&self, given: Option<&LockId>) -> Answer<()> {
        if self.held() == given {
            return Ok(());
        }
        Err(mismatch(self.held(), "the lock given is not the lock held"))
    }

    fn take(&mut self, lock: LockId) {
        self.lock = Some((lock, now_ms() + LOCK_MS));
    }
}

impl State {
    fn node(&self, id: &str) -> Answer<&Node> {
        self.nodes.get(id).ok_or_else(|| WopiError::NotFound.into())
    }

    fn file(&mut self, id: &FileId) -> Answer<(&mut Node, File)> {
        match self.nodes.get_mut(id.as_str()) {
            Some(node) => match node.file.clone() {
                Some(file) => Ok((node, file)),
                None => not_found(),
            },
            None => not_found(),
        }
    }

    fn named(&self, parent: &str, name: &str) -> Option<&String> {
        let mut found = self.nodes.iter().filter(|(_, n)| n.parent.as_deref() == Some(parent) && n.name == name);
        found.next().map(|(id, _)| id)
    }

    fn free_name(&self, parent: &str, wanted: &FileName) -> String {
        let names = (2..).map(|n| format!("{} ({n}){}", wanted.stem(), wanted.extension()));
        let mut all = std::iter::once(wanted.to_string()).chain(names);
        all.find(|name| self.named(parent, name).is_none()).unwrap_or_default()
    }

    fn add(&mut self, parent: &str, name: String, file: Option<File>) -> String {
        let id = random_id();
        self.nodes.insert(id.clone(), Node { name, parent: Some(parent.to_owned()), file });
        id
    }

    /// Puts a file where `target` says; `base` is what an extension alone is put behind.
    fn place(&mut self, parent: &str, base: &str, target: RelativeTarget, bytes: Vec<u8>) -> Answer<String> {
        let (name, overwrite) = match target {
            RelativeTarget::Specific { name, overwrite } => (name.name.map_err(|error| illegal(&error))?, overwrite),
            RelativeTarget::Suggested(suggestion) => {
                let text = match suggestion {
                    Suggestion::Extension(extension) => format!("{base}{extension}"),
                    Suggestion::Name(name) => name,
                };
                let near: String =
                    text.chars().filter(|c| !matches!(c, '/' | '\\') && !c.is_control()).take(60).collect();
                let near = FileName::parse(&near).or_else(|_| FileName::parse("Document"));
                let name = self.free_name(parent, &near.map_err(|error| illegal(&error))?);
                (FileName::parse(&name).map_err(|error| illegal(&error))?, false)
            }
        };
        let Some(id) = self.named(parent, name.as_str()).cloned() else {
            return Ok(self.add(parent, name.to_string(), Some(File::new(bytes))));
        };
        let valid = Some(self.free_name(parent, &name));
        match self.nodes.get_mut(&id).and_then(|node| node.file.as_mut()) {
            Some(file) if overwrite => {
                file.expect(None)?;
                let version = file.version + 1;
                *file = File { version, ..File::new(bytes) };
                Ok(id)
            }
            _ => Err(WopiError::NameTaken { valid }.into()),
        }
    }
}

fn illegal(error: &wopi::names::NameError) -> Refusal {
    WopiError::IllegalName { reason: error.to_string(), valid: None, container: false }.into()
}

impl Memory {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An address with a token for it, and for nothing else.
    fn address(&self, state: &mut State, target: Target, expires: i64) -> String {
        let path = match &target {
            Target::File(id) => format!("files/{id}"),
            Target::Container(id) | Target::Folder(id) => format!("containers/{id}"),
            Target::Ecosystem | Target::Bootstrapper => "ecosystem".to_owned(),
        };
        let token = random_id();
        state.tokens.insert(token.clone(), (target, expires));
        format!("{}/wopi/{path}?access_token={token}", self.url)
    }

    fn file_address(&self, state: &mut State, id: &str, by: &Caller) -> Answer<String> {
        match FileId::parse(id) {
            Some(id) => Ok(self.address(state, Target::File(id), by.expires)),
            None => not_found(),
        }
    }

    fn pointer(&self, state: &mut State, id: &str, by: &Caller) -> Answer<ContainerPointer> {
        let name = state.node(id)?.name.clone();
        match ContainerId::parse(id) {
            Some(id) => Ok(ContainerPointer { name, url: self.address(state, Target::Container(id), by.expires) }),
            None => not_found(),
        }
    }

    fn ancestors(&self, mut at: Option<String>, by: &Caller) -> Answer<EnumerateAncestors> {
        let mut state = self.state();
        let mut found = Vec::new();
        while let Some(id) = at {
            found.insert(0, self.pointer(&mut state, &id, by)?);
            at = state.node(&id)?.parent.clone();
        }
        Ok(EnumerateAncestors { ancestors_with_root_first: found })
    }

    fn container_info(&self, state: &State, id: &str) -> Answer<CheckContainerInfo> {
        Ok(CheckContainerInfo {
            name: state.node(id)?.name.clone(),
            is_edu_user: Some(false),
            license_check_for_edit_is_enabled: Some(false),
            supported_share_url_types: Some(vec!["ReadOnly".into(), "ReadWrite".into()]),
            user_can_create_child_container: Some(true),
            user_can_create_child_file: Some(true),
            user_can_delete: Some(true),
            user_can_rename: Some(true),
            ..CheckContainerInfo::default()
        })
    }

    fn share(&self, id: &str, kind: ShareUrlType) -> ShareUrl {
        ShareUrl { share_url: format!("{}/share/{id}/{kind:?}", self.url) }
    }

    fn page(&self, id: &str, action: &str) -> Option<String> {
        Some(format!("{}/{action}/{id}", self.url))
    }

    /// Changes a file by a rule and tells its version.
    fn change(&self, id: &FileId, rule: impl FnOnce(&mut File) -> Answer<()>) -> Answer<ItemVersion> {
        let mut state = self.state();
        let (node, mut file) = state.file(id)?;
        rule(&mut file)?;
        let version = ItemVersion(file.version);
        node.file = Some(file);
        Ok(version)
    }
}

async fn read(mut body: Body) -> Answer<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| Refusal::new(WopiError::InvalidRequest { header: "body" }, error.to_string()))?;
        bytes.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        if bytes.len() > BODY_BYTES_MAX {
            return Err(WopiError::TooLarge.into());
        }
    }
    Ok(bytes)
}

/// Whoever has a token is the one user; the token ends when it ends.
struct Caller {
    expires: i64,
}

#[async_trait]
impl WopiHost for Memory {
    type Credential = Option<AccessToken>;
    type Caller = Caller;

    fn supported(&self) -> KindSet {
        KindSet::EMPTY.with_all(OFFERED)
    }

    fn public_url(&self) -> &str {
        &self.url
    }

    fn now_ms(&self) -> i64 {
        now_ms()
    }

    fn read_token(&self, token: Option<&AccessToken>, _: &Target) -> Option<AccessToken> {
        token.cloned()
    }

    fn proof_rule(&self, _: &Option<AccessToken>) -> ProofRule {
        self.proof.clone()
    }

    async fn authenticate(&self, token: Option<AccessToken>, target: &Target, _: Kind) -> Answer<Caller> {
        let state = self.state();
        let known = token.and_then(|token| state.tokens.get(token.as_str()).cloned());
        match known {
            Some((resource, expires)) if resource == *target && now_ms() < expires => Ok(Caller { expires }),
            _ => Err(WopiError::Unauthorized { challenge: None }.into()),
        }
    }

    async fn check_file_info(&self, _: &Caller, id: &FileId, _: Option<String>) -> Answer<CheckFileInfo> {
        let mut state = self.state();
        let user_info = Some(state.user_info.clone()).filter(|info| !info.is_empty());
        let (node, file) = state.file(id)?;
        Ok(CheckFileInfo {
            base_file_name: node.name.clone(),
            owner_id: USER.into(),
            user_id: USER.into(),
            size: file.bytes.len() as u64,
            version: file.version.to_string(),
            last_modified_time: Some(last_modified_time(file.modified)),
            user_friendly_name: Some("The one user".into()),
            user_info,
            is_edu_user: Some(false),
            license_check_for_edit_is_enabled: Some(false),
            user_can_write: Some(true),
            user_can_rename: Some(true),
            user_can_not_write_relative: Some(false),
            supported_share_url_types: Some(vec!["ReadOnly".into(), "ReadWrite".into()]),
            ..CheckFileInfo::default()
        })
    }

    async fn get_file(&self, _: &Caller, id: &FileId, max: u64, range: Option<ByteRange>) -> Answer<FileBytes> {
        let (_, file) = self.state().file(id).map(|(node, file)| (node.name.clone(), file))?;
        let size = file.bytes.len() as u64;
        if size > max {
            return Err(WopiError::LargerThanExpected.into());
        }
        let range = match range {
            None => None,
            Some(range) => Some(range.within(size).ok_or(WopiError::RangeNotSatisfiable { size })?),
        };
        let part = range.clone().map_or(0..file.bytes.len(), |range| {
            usize::try_from(range.start).unwrap_or(0)..usize::try_from(range.end).unwrap_or(0)
        });
        Ok(FileBytes { body: full(file.bytes[part].to_vec()), size, range, version: Some(ItemVersion(file.version)) })
    }

    async fn put_file(
        &self,
        _: &Caller,
        id: &FileId,
        lock: Option<LockId>,
        _: SaveFacts,
        body: Body,
    ) -> Answer<PutFileDone> {
        let bytes = read(body).await?;
        let mut modified = 0;
        let version = self.change(id, |file| {
            // A file of no bytes that nobody holds may be filled without a lock.
            if file.held().is_some() || !file.bytes.is_empty() {
                match lock {
                    Some(lock) => file.expect(Some(&lock))?,
                    None => {
                        return Err(mismatch(file.held(), "a lock is needed"));
                    }
                }
            }
            file.modified = (file.modified + 1).max(now_ms() * 10_000);
            file.version += 1;
            (file.bytes, modified) = (bytes, file.modified);
            Ok(())
        })?;
        Ok(PutFileDone { version, last_modified_time: last_modified_time(modified) })
    }

    // The terms are CSPP Plus's, which is not offered here.
    async fn lock(&self, _: &Caller, id: &FileId, lock: LockId, _: LockTerms) -> Answer<ItemVersion> {
        self.change(id, |file| {
            if file.held().is_some() {
                file.expect(Some(&lock))?;
            }
            file.take(lock);
            Ok(())
        })
    }

    async fn unlock_and_relock(
        &self,
        _: &Caller,
        id: &FileId,
        old: LockId,
        new: LockId,
        _: LockTerms,
    ) -> Answer<ItemVersion> {
        self.change(id, |file| {
            file.expect(Some(&old))?;
            file.take(new);
            Ok(())
        })
    }

    async fn get_lock(&self, _: &Caller, id: &FileId) -> Answer<Option<LockId>> {
        Ok(self.state().file(id)?.1.held().cloned())
    }

    async fn refresh_lock(&self, _: &Caller, id: &FileId, lock: LockId, _: LockTerms) -> Answer<ItemVersion> {
        self.change(id, |file| {
            file.expect(Some(&lock))?;
            file.take(lock);
            Ok(())
        })
    }

    async fn unlock(&self, _: &Caller, id: &FileId, lock: LockId) -> Answer<ItemVersion> {
        self.change(id, |file| {
            file.expect(Some(&lock))?;
            file.lock = None;
            Ok(())
        })
    }

    async fn put_relative_file(
        &self,
        by: &Caller,
        id: &FileId,
        target: RelativeTarget,
        _: Option<u64>,
        _: bool,
        _: SaveFacts,
        body: Body,
    ) -> Answer<PutRelativeFile> {
        let bytes = read(body).await?;
        let mut state = self.state();
        let source = state.node(id.as_str())?.clone();
        let stem = source.name.rsplit_once('.').map_or(source.name.as_str(), |(stem, _)| stem).to_owned();
        let new = state.place(source.parent.as_deref().unwrap_or_default(), &stem, target, bytes)?;
        Ok(PutRelativeFile {
            name: state.node(&new)?.name.clone(),
            url: self.file_address(&mut state, &new, by)?,
            host_view_url: self.page(&new, "view"),
            host_edit_url: self.page(&new, "edit"),
        })
    }

    async fn rename_file(
        &self,
        by: &Caller,
        id: &FileId,
        name: RequestedName,
        presented: PresentedLock,
    ) -> Answer<RenameFile> {
        let mut state = self.state();
        let (node, file) = state.file(id)?;
        if file.held().is_some() {
            file.expect(match &presented {
                PresentedLock::Wopi(lock) => Some(lock),
                PresentedLock::Coauth(_) | PresentedLock::None => None,
            })?;
        }
        let stem = name.name.map_err(|error| illegal(&error))?;
        let extension = node.name.rfind('.').map_or(String::new(), |at| node.name[at..].to_owned());
        let parent = node.parent.clone().unwrap_or_default();
        let wanted = FileName::parse(&format!("{stem}{extension}")).map_err(|error| illegal(&error))?;
        let free = state.free_name(&parent, &wanted);
        let (node, _) = state.file(id)?;
        node.name = free.clone();
        let name = free.strip_suffix(&extension).unwrap_or(&free).to_owned();
        Ok(RenameFile { name, url: Some(self.file_address(&mut state, id.as_str(), by)?) })
    }

    async fn delete_file(&self, _: &Caller, id: &FileId) -> Answer<()> {
        let mut state = self.state();
        state.file(id)?.1.expect(None)?;
        state.nodes.remove(id.as_str());
        Ok(())
    }

    async fn put_user_info(&self, _: &Caller, _: &FileId, info: String) -> Answer<()> {
        self.state().user_info = info;
        Ok(())
    }

    async fn get_share_url(&self, _: &Caller, id: &FileId, kind: ShareUrlType) -> Answer<ShareUrl> {
        Ok(self.share(id.as_str(), kind))
    }

    async fn add_activities(&self, _: &Caller, _: &FileId, request: AddActivitiesRequest) -> Answer<AddActivities> {
        // Nobody reads activities here, so none is accepted: 3 says "not this type".
        let refused =
            |activity: wopi::answer::Activity| ActivityResponse { id: activity.id.unwrap_or_default(), status: 3 };
        Ok(AddActivities { activity_responses: request.activities.into_iter().map(refused).collect() })
    }

    async fn enumerate_ancestors(&self, by: &Caller, id: &FileId) -> Answer<EnumerateAncestors> {
        let parent = self.state().node(id.as_str())?.parent.clone();
        self.ancestors(parent, by)
    }

    async fn get_ecosystem(&self, by: &Caller, _: &FileId) -> Answer<GetEcosystem> {
        Ok(GetEcosystem { url: self.address(&mut self.state(), Target::Ecosystem, by.expires) })
    }

    async fn check_container_info(&self, _: &Caller, id: &ContainerId) -> Answer<CheckContainerInfo> {
        self.container_info(&self.state(), id.as_str())
    }

    async fn create_child_container(
        &self,
        by: &Caller,
        id: &ContainerId,
        target: RelativeTarget,
    ) -> Answer<CreateChildContainer> {
        let mut state = self.state();
        let name = match target {
            RelativeTarget::Suggested(Suggestion::Name(text) | Suggestion::Extension(text)) => {
                let near = FileName::parse(&text).map_err(|error| illegal(&error))?;
                state.free_name(id.as_str(), &near)
            }
            RelativeTarget::Specific { name, .. } => name.name.map_err(|error| illegal(&error))?.to_string(),
        };
        if state.named(id.as_str(), &name).is_some() {
            return Err(WopiError::NameTaken { valid: None }.into());
        }
        let new = state.add(id.as_str(), name, None);
        let container_pointer = self.pointer(&mut state, &new, by)?;
        Ok(CreateChildContainer { container_pointer, container_info: Some(self.container_info(&state, &new)?) })
    }

    async fn create_child_file(
        &self,
        by: &Caller,
        id: &ContainerId,
        target: RelativeTarget,
    ) -> Answer<CreateChildFile> {
        let mut state = self.state();
        let new = state.place(id.as_str(), "Document", target, Vec::new())?;
        Ok(CreateChildFile {
            name: state.node(&new)?.name.clone(),
            url: self.file_address(&mut state, &new, by)?,
            host_view_url: self.page(&new, "view"),
            host_edit_url: self.page(&new, "edit"),
            host_edit_new_url: self.page(&new, "editnew"),
        })
    }

    async fn delete_container(&self, _: &Caller, id: &ContainerId) -> Answer<()> {
        let mut state = self.state();
        if state.nodes.values().any(|node| node.parent.as_deref() == Some(id.as_str())) {
            return Err(WopiError::NotEmpty.into());
        }
        state.nodes.remove(id.as_str());
        Ok(())
    }

    async fn rename_container(&self, _: &Caller, id: &ContainerId, name: RequestedName) -> Answer<RenameContainer> {
        let mut state = self.state();
        let name = name.name.map_err(|error| illegal(&error))?.to_string();
        let parent = state.node(id.as_str())?.parent.clone().unwrap_or_default();
        if state.named(&parent, &name).is_some_and(|other| other != id.as_str()) {
            return Err(WopiError::NameTaken { valid: None }.into());
        }
        if let Some(node) = state.nodes.get_mut(id.as_str()) {
            node.name = name.clone();
        }
        Ok(RenameContainer { name })
    }

    async fn container_share_url(&self, _: &Caller, id: &ContainerId, kind: ShareUrlType) -> Answer<ShareUrl> {
        Ok(self.share(id.as_str(), kind))
    }

    async fn container_ancestors(&self, by: &Caller, id: &ContainerId) -> Answer<EnumerateAncestors> {
        let parent = self.state().node(id.as_str())?.parent.clone();
        self.ancestors(parent, by)
    }

    async fn enumerate_children(
        &self,
        by: &Caller,
        id: &ContainerId,
        extensions: Option<Vec<String>>,
    ) -> Answer<EnumerateChildren> {
        let mut state = self.state();
        let mut answer = EnumerateChildren::default();
        let inside = state.nodes.iter().filter(|(_, node)| node.parent.as_deref() == Some(id.as_str()));
        let inside: Vec<(String, Node)> = inside.map(|(id, node)| (id.clone(), node.clone())).collect();
        for (child, node) in inside {
            match node.file {
                None => answer.child_containers.push(self.pointer(&mut state, &child, by)?),
                Some(file) => {
                    let lower = node.name.to_lowercase();
                    if extensions.as_ref().is_none_or(|wanted| wanted.iter().any(|ext| lower.ends_with(ext))) {
                        answer.child_files.push(ChildFile {
                            name: node.name,
                            url: self.file_address(&mut state, &child, by)?,
                            version: file.version.to_string(),
                            size: file.bytes.len() as u64,
                            last_modified_time: Some(last_modified_time(file.modified)),
                        });
                    }
                }
            }
        }
        Ok(answer)
    }

    async fn container_ecosystem(&self, by: &Caller, _: &ContainerId) -> Answer<GetEcosystem> {
        Ok(GetEcosystem { url: self.address(&mut self.state(), Target::Ecosystem, by.expires) })
    }

    async fn check_ecosystem(&self, _: &Caller) -> Answer<CheckEcosystem> {
        Ok(CheckEcosystem::default())
    }

    async fn get_root_container(&self, by: &Caller) -> Answer<GetRootContainer> {
        let mut state = self.state();
        let container_pointer = self.pointer(&mut state, "root", by)?;
        Ok(GetRootContainer { container_pointer, container_info: Some(self.container_info(&state, "root")?) })
    }
}

/// Fetches the client's keys once. A real host keeps them fresh (see `WopiHost::proof_failed`).
fn proof_rule(discovery: &str) -> Result<ProofRule, Failure> {
    let rest = discovery.strip_prefix("http://").ok_or("this example fetches http:// only")?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, "hosting/discovery"));
    let mut stream = TcpStream::connect(authority)?;
    write!(stream, "GET /{path} HTTP/1.0\r\nHost: {authority}\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(4 << 20).read_to_string(&mut answer)?;
    let (_, xml) = answer.split_once("\r\n\r\n").ok_or("no HTTP answer")?;
    match Discovery::parse(xml)?.proof_key {
        Some(key) => Ok(ProofRule::Required(Arc::from([Arc::new(key.keys()?)]))),
        None => Ok(ProofRule::Off),
    }
}

fn argument(name: &str) -> Option<String> {
    std::env::args().skip_while(|arg| arg != name).nth(1)
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let listener = tokio::net::TcpListener::bind(argument("--listen").as_deref().unwrap_or("127.0.0.1:8090")).await?;
    let proof = argument("--discovery").map_or(Ok(ProofRule::Off), |url| proof_rule(&url))?;
    let host = Memory { url: format!("http://{}", listener.local_addr()?), proof, state: Mutex::default() };
    {
        let mut state = host.state();
        state.nodes.insert("root".into(), Node { name: "Documents".into(), parent: None, file: None });
        let id = state.add("root", "test.wopitest".into(), Some(File::new(b"some text".to_vec())));
        let expires = now_ms() + TOKEN_MS;
        let file = FileId::parse(&id).ok_or("an id")?;
        let address = host.address(&mut state, Target::File(file), expires);
        let (wopi_src, token) = address.split_once("?access_token=").ok_or("an address")?;
        let line = serde_json::json!({
            "wopi_src": wopi_src, "access_token": token, "access_token_ttl": expires,
        });
        println!("{line}");
    }
    let service = WopiService::new(host, Limits::default(), "memory_host", "example");
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service);
            if let Err(error) = connection.await {
                eprintln!("connection: {error}");
            }
        });
    }
}
