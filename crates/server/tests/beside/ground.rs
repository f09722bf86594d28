//! A host over a real folder and a real registry, with its time and chance in the test's hands, and other programs that
//! act at the very moment a test names.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use http_body_util::BodyExt as _;
use lectern_accounts::TokenKeys;
use lectern_contents::Folder;
use lectern_host::clients::Clients;
use lectern_host::host::HostSettings;
use lectern_host::index::ScanSummary;
use lectern_host::ports::{Clock, DiscoverySource, Random, Registry, TokenClaims, TokenResource, Tokens, TreePath};
use lectern_host::records::{FileRecord, Revision, Role, Session, Timestamp, User, VersionEntry};
use lectern_host::{Body, BoxError, Front, Host, Ports, full};
use lectern_registry::{Opener, SqliteRegistry};
use wopi::answer::{CheckFileInfo, EnumerateChildren};
use wopi::coauth::{LockTerms, PresentedLock};
use wopi::operation::{RelativeTarget, RequestedName, SaveFacts, Suggestion};
use wopi::route::{Kind, Target};
use wopi::{AccessToken, ContainerId, FileId, FileName, LockId, UserId};
use wopi_service::host::Answer;
use wopi_service::{PutFileDone, WopiHost as _};

use crate::moments::Watched;
use crate::trouble::Troubled;

/// When a test begins: 2027-01-15.
pub(crate) const BEGIN: Timestamp = Timestamp(1_800_000_000_000);

/// A clock that stands until it is moved.
#[derive(Debug)]
pub(crate) struct Standing(AtomicI64);

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

/// Numbers that follow from their place in the sequence.
#[derive(Debug, Default)]
struct Counted(AtomicI64);

impl Random for Counted {
    fn fill(&self, buffer: &mut [u8]) {
        for byte in buffer {
            let next = self.0.fetch_add(1, Ordering::Relaxed).cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15);
            *byte = next.to_be_bytes()[0];
        }
    }
}

#[derive(Debug)]
struct NoDiscovery;

#[async_trait::async_trait]
impl DiscoverySource for NoDiscovery {
    async fn fetch(&self, _: &str) -> Result<String, BoxError> {
        Err("nothing is fetched here".into())
    }
}

/// A host, its folder, and whoever works beside it.
#[derive(Clone)]
pub(crate) struct Ground {
    _scratch: Arc<tempfile::TempDir>,
    /// Where other programs see the folder.
    pub(crate) root: PathBuf,
    pub(crate) host: Arc<Host>,
    pub(crate) front: Arc<Front>,
    pub(crate) clock: Arc<Standing>,
    /// The folder; acts at moments.
    pub(crate) tree: Arc<Watched>,
    /// The registry; fails when told to.
    pub(crate) registry: Arc<Troubled>,
    tokens: Arc<dyn Tokens>,
    session: Session,
}

impl Ground {
    pub(crate) async fn new() -> Self {
        let scratch = Arc::new(tempfile::tempdir().unwrap());
        let root = scratch.path().join("documents");
        std::fs::create_dir(&root).unwrap();
        Self::over(scratch, root).await
    }

    /// The same folder after a crash: another host, which recovers.
    pub(crate) async fn starts_again(&self) -> Self {
        let again = Self::over(Arc::clone(&self._scratch), self.root.clone()).await;
        again.clock.0.store(self.clock.now().0, Ordering::Relaxed);
        again.host.recover().await.unwrap();
        again
    }

    async fn over(scratch: Arc<tempfile::TempDir>, root: PathBuf) -> Self {
        let state = root.join(Folder::STATE_NAME);
        let folder = Arc::new(Folder::open(&root, &state).unwrap());
        let registry = SqliteRegistry::open(&state.join("lectern.db"), Opener::Server).unwrap();
        let registry = Arc::new(Troubled::new(Arc::new(registry)));
        let dyn_registry: Arc<dyn Registry> = Arc::clone(&registry) as _;
        let tree = Arc::new(Watched::new(Arc::clone(&folder) as _));
        let clock = Arc::new(Standing(AtomicI64::new(BEGIN.0)));
        let random = Arc::new(Counted(AtomicI64::new(std::process::id().into())));
        // Another host on the same state must not make the same ids again.
        random.0.fetch_add(
            i64::try_from(dyn_registry.users().await.unwrap().len()).unwrap() * 1_000_000,
            Ordering::Relaxed,
        );
        let tokens: Arc<dyn Tokens> =
            Arc::new(TokenKeys::load_or_create(&state.join("token-keys.json"), BEGIN, &*random).unwrap());
        let clients =
            Clients::load(Vec::new(), Arc::clone(&dyn_registry), Arc::new(NoDiscovery), Arc::clone(&clock) as _);
        let ports = Ports {
            registry: Arc::clone(&dyn_registry),
            contents: folder,
            tree: Some(Arc::clone(&tree) as _),
            tokens: Arc::clone(&tokens),
            clients: clients.await.unwrap(),
            clock: Arc::clone(&clock) as _,
            random: Arc::clone(&random) as _,
        };
        let host = Arc::new(Host::new(ports, HostSettings::new("https://documents.example")));
        let user = User {
            id: UserId::parse(&lectern_host::ids::new_id(&*random)).unwrap(),
            name: lectern_host::ids::new_id(&*random),
            display_name: "Alice".to_owned(),
            role: Role::Editor,
            password: None,
            disabled: false,
            user_info: None,
            revision: Revision::default(),
            created_at: BEGIN,
        };
        dyn_registry.create_user(&user).await.unwrap();
        let year = Duration::from_secs(400 * 24 * 60 * 60);
        let session = host.open_session(&user.id, "a test", year).await.unwrap();
        let front = Arc::new(Front::new(Arc::clone(&host)));
        Self { _scratch: scratch, root, host, front, clock, tree, registry, tokens, session }
    }

    pub(crate) fn passes(&self, time: Duration) {
        self.clock.0.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::Relaxed);
    }

    // ── other programs ──

    pub(crate) fn write(&self, path: &str, bytes: &str) {
        let path = self.root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    pub(crate) fn on_disk(&self, path: &str) -> Option<String> {
        std::fs::read(self.root.join(path)).ok().map(|bytes| String::from_utf8(bytes).unwrap())
    }

    pub(crate) fn move_(&self, from: &str, to: &str) {
        std::fs::rename(self.root.join(from), self.root.join(to)).unwrap();
    }

    pub(crate) fn remove(&self, path: &str) {
        std::fs::remove_file(self.root.join(path)).unwrap();
    }

    /// Gives two files or directories each other's name.
    pub(crate) fn swap(&self, one: &str, other: &str) {
        self.move_(one, ".between");
        self.move_(other, one);
        self.move_(".between", other);
    }

    // ── what the registry knows ──

    /// The file at a path.
    pub(crate) async fn file(&self, path: &str) -> FileRecord {
        self.host.file_at(&tree_path(path)).await.unwrap()
    }

    /// The id of the file at a path.
    pub(crate) async fn id(&self, path: &str) -> FileId {
        self.file(path).await.id
    }

    pub(crate) async fn container(&self, path: &str) -> ContainerId {
        self.host.container_at(&tree_path(path)).await.unwrap().id
    }

    /// The record as the registry has it, whatever the folder shows.
    pub(crate) async fn record(&self, id: &FileId) -> FileRecord {
        self.registry.file(id).await.unwrap()
    }

    /// Where the record says that the file is.
    pub(crate) async fn place(&self, id: &FileId) -> String {
        self.host.file_path(&self.record(id).await).await.unwrap().to_string()
    }

    pub(crate) async fn versions(&self, id: &FileId) -> Vec<VersionEntry> {
        self.registry.versions(id).await.unwrap()
    }

    /// The bytes of the versions that were replaced, latest first.
    pub(crate) async fn old_bytes(&self, id: &FileId) -> Vec<String> {
        let mut all = Vec::new();
        for entry in self.versions(id).await {
            let body = self.host.ports().contents.open(&entry.content.id, 0..u64::MAX).await.unwrap();
            let bytes = text(body).await;
            assert_eq!(bytes.len() as u64, entry.content.size, "the history tells how many bytes there are");
            all.push(bytes);
        }
        all
    }

    /// The names in the root, as the registry has them.
    pub(crate) async fn known(&self) -> Vec<String> {
        let root = self.registry.root().await.unwrap().id;
        let page = lectern_host::ports::Page { after: None, limit: 1000 };
        let files = self.registry.files_in(&root, &page).await.unwrap();
        files.into_iter().map(|file| file.name.to_string()).collect()
    }

    // ── background work ──

    /// Two whole scans, so far apart that what is gone is believed to be.
    pub(crate) async fn scans_twice(&self) -> ScanSummary {
        self.host.scan().await.unwrap();
        self.passes(Duration::from_secs(60));
        self.host.scan().await.unwrap()
    }

    /// What the background work does in a while.
    pub(crate) async fn settles(&self) {
        for _ in 0..2 {
            self.passes(Duration::from_secs(60));
            self.host.take_up_notes().await;
            self.host.show_all().await;
            self.host.settle_all().await;
        }
    }

    // ── clients ──

    async fn admitted(&self, target: Target, kind: Kind) -> Answer<<Front as wopi_service::WopiHost>::Caller> {
        let resource = match &target {
            Target::File(id) => TokenResource::File(id.clone()),
            Target::Container(id) => TokenResource::Container(id.clone()),
            other => panic!("{other:?}"),
        };
        let claims = TokenClaims {
            session: self.session.id.clone(),
            user: self.session.user.clone(),
            may_edit: true,
            client: None,
            expires_at: self.session.expires_at,
        };
        let token = AccessToken::parse(&self.tokens.seal(&claims, &resource)).unwrap();
        let credential = self.front.read_token(Some(&token), &target);
        self.front.authenticate(credential, &target, kind).await
    }

    pub(crate) async fn info(&self, id: &FileId) -> Answer<CheckFileInfo> {
        let by = self.admitted(Target::File(id.clone()), Kind::CheckFileInfo).await?;
        self.front.check_file_info(&by, id, None).await
    }

    pub(crate) async fn get(&self, id: &FileId) -> Answer<String> {
        let by = self.admitted(Target::File(id.clone()), Kind::GetFile).await?;
        let bytes = self.front.get_file(&by, id, u64::MAX, None).await?;
        Ok(text(bytes.body).await)
    }

    pub(crate) async fn put(&self, id: &FileId, lock: Option<&str>, bytes: &str) -> Answer<PutFileDone> {
        self.put_body(id, lock, full(bytes.to_owned())).await
    }

    pub(crate) async fn put_body(&self, id: &FileId, lock: Option<&str>, body: Body) -> Answer<PutFileDone> {
        let by = self.admitted(Target::File(id.clone()), Kind::PutFile).await?;
        self.front.put_file(&by, id, lock.map(lock_id), SaveFacts::default(), body).await
    }

    pub(crate) async fn lock(&self, id: &FileId, lock: &str) -> Answer<()> {
        let by = self.admitted(Target::File(id.clone()), Kind::Lock).await?;
        self.front.lock(&by, id, lock_id(lock), LockTerms::default()).await.map(drop)
    }

    pub(crate) async fn relock(&self, id: &FileId, old: &str, new: &str) -> Answer<()> {
        let by = self.admitted(Target::File(id.clone()), Kind::UnlockAndRelock).await?;
        self.front.unlock_and_relock(&by, id, lock_id(old), lock_id(new), LockTerms::default()).await.map(drop)
    }

    pub(crate) async fn rename(&self, id: &FileId, name: &str) -> Answer<String> {
        let by = self.admitted(Target::File(id.clone()), Kind::RenameFile).await?;
        let name = RequestedName::new(name.to_owned());
        self.front.rename_file(&by, id, name, PresentedLock::None).await.map(|renamed| renamed.name)
    }

    pub(crate) async fn delete(&self, id: &FileId) -> Answer<()> {
        let by = self.admitted(Target::File(id.clone()), Kind::DeleteFile).await?;
        self.front.delete_file(&by, id).await
    }

    pub(crate) async fn put_suggested(&self, id: &FileId, name: &str, bytes: &str) -> Answer<String> {
        self.put_relative(id, RelativeTarget::Suggested(Suggestion::Name(name.to_owned())), bytes).await
    }

    pub(crate) async fn put_exactly(&self, id: &FileId, name: &str, overwrite: bool, bytes: &str) -> Answer<String> {
        let name = RequestedName::new(name.to_owned());
        self.put_relative(id, RelativeTarget::Specific { name, overwrite }, bytes).await
    }

    async fn put_relative(&self, id: &FileId, target: RelativeTarget, bytes: &str) -> Answer<String> {
        let by = self.admitted(Target::File(id.clone()), Kind::PutRelativeFile).await?;
        let (size, facts) = (Some(bytes.len() as u64), SaveFacts::default());
        let body = full(bytes.to_owned());
        self.front.put_relative_file(&by, id, target, size, false, facts, body).await.map(|made| made.name)
    }

    pub(crate) async fn children(&self, id: &ContainerId) -> Answer<EnumerateChildren> {
        let by = self.admitted(Target::Container(id.clone()), Kind::EnumerateChildren).await?;
        self.front.enumerate_children(&by, id, None).await
    }

    pub(crate) async fn delete_container(&self, id: &ContainerId) -> Answer<()> {
        let by = self.admitted(Target::Container(id.clone()), Kind::DeleteContainer).await?;
        self.front.delete_container(&by, id).await
    }
}

pub(crate) fn lock_id(text: &str) -> LockId {
    LockId::parse(text).unwrap()
}

pub(crate) async fn text(body: Body) -> String {
    String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

pub(crate) fn tree_path(text: &str) -> TreePath {
    text.split('/')
        .filter(|name| !name.is_empty())
        .fold(TreePath::root(), |path, name| path.join(&FileName::parse(name).unwrap()))
}
