//! The server with all that surrounds it.

use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt;
use lectern_accounts::TokenKeys;
use lectern_contents::Folder;
use lectern_host::clients::{ClientSettings, Clients};
use lectern_host::index::ScanSummary;
use lectern_host::ports::{Clock, Registry as _, TreePath};
use lectern_host::records::{FileRecord, Role};
use lectern_host::sweep::SweepSummary;
use lectern_host::{Body, Host, HostSettings, Ports};
use lectern_registry::{Opener, SqliteRegistry};
use lectern_server::health::Health;
use lectern_server::production::Answers;
use lectern_server::site::{Site, SiteSettings};
use tempfile::TempDir;
use tower::Service as _;
use wopi::{FileId, FileName};
use wopi_service::Limits;

use crate::doubles::{Seeded, TestClock, Web, discovery};
use crate::neighbour::Neighbour;
use crate::people::Person;

/// The client of most stories. It signs nothing.
pub(crate) const PLAIN_CLIENT: &str = "collabora";
/// A client that signs its requests.
pub(crate) const SIGNING_CLIENT: &str = "office";
/// Where the signing client has its discovery document.
pub(crate) const SIGNING_DISCOVERY: &str = "https://office.example/hosting/discovery";
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const PLAIN_DISCOVERY: &str = "https://collabora.example/hosting/discovery";

/// Lets a story happen in a world of its own. Clones are the same world.
#[derive(Clone)]
pub(crate) struct World(Arc<Inner>);

struct Inner {
    scratch: TempDir,
    plan: Plan,
    pub(crate) clock: Arc<TestClock>,
    random: Arc<Seeded>,
    web: Arc<Web>,
    neighbour: Neighbour,
    server: RwLock<Option<Server>>,
}

/// What is decided before the world begins.
pub(crate) struct Plan {
    pub(crate) settings: HostSettings,
    pub(crate) clients: Vec<ClientSettings>,
    /// Whether the background work that makes the folder durable gets its turn after every request.
    pub(crate) background: bool,
    /// What a proxy in front cuts off the path.
    pub(crate) proxy_strips: &'static str,
    /// What the signing client publishes when the world begins.
    pub(crate) signing_discovery: Option<String>,
}

impl Plan {
    /// Adds the client that signs. Only the stories about proofs have it: while it is there, strangers have to sign, too.
    pub(crate) fn add_signing_client(&mut self, discovery: Option<String>) {
        self.clients.push(ClientSettings::new(SIGNING_CLIENT, SIGNING_DISCOVERY).unwrap());
        self.signing_discovery = discovery;
    }
}

#[derive(Clone)]
struct Server {
    host: Arc<Host>,
    registry: Arc<SqliteRegistry>,
    site: Arc<Site<Answers>>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::planned(|_| {}).await
    }

    pub(crate) async fn planned(change: impl FnOnce(&mut Plan)) -> Self {
        let mut plan = Plan {
            settings: HostSettings::new("https://docs.example"),
            clients: vec![ClientSettings::new(PLAIN_CLIENT, PLAIN_DISCOVERY).unwrap()],
            background: true,
            proxy_strips: "",
            signing_discovery: None,
        };
        change(&mut plan);
        let scratch = TempDir::new().unwrap();
        let documents = scratch.path().join("documents");
        std::fs::create_dir(&documents).unwrap();
        let clock = Arc::new(TestClock::new());
        let web = Arc::new(Web::default());
        web.publish(PLAIN_DISCOVERY, &discovery(None, None));
        if let Some(xml) = &plan.signing_discovery {
            web.publish(SIGNING_DISCOVERY, xml);
        }
        let world = Self(Arc::new(Inner {
            neighbour: Neighbour::new(&documents, Arc::clone(&clock)),
            scratch,
            plan,
            clock,
            random: Arc::new(Seeded::new(7)),
            web,
            server: RwLock::new(None),
        }));
        world.starts().await;
        world
    }

    /// A world with this file in it.
    pub(crate) async fn with_file(path: &str, bytes: &[u8]) -> Self {
        let world = Self::new().await;
        world.neighbour().writes(path, bytes);
        world
    }

    // ── the server ──

    async fn starts(&self) {
        let Inner { plan, clock, random, web, .. } = &*self.0;
        let root = self.documents();
        let state = root.join(".lectern");
        let folder = Arc::new(Folder::open(&root, &state).unwrap());
        let registry = Arc::new(SqliteRegistry::open(&state.join("registry.sqlite"), Opener::Server).unwrap());
        let tokens = TokenKeys::load_or_create(&state.join("token-keys.json"), clock.now(), &**random).unwrap();
        let clients = Clients::load(
            plan.clients.clone(),
            Arc::clone(&registry) as Arc<dyn lectern_host::ports::Registry>,
            Arc::clone(web) as _,
            Arc::clone(clock) as _,
        )
        .await
        .unwrap();
        let ports = Ports {
            registry: Arc::clone(&registry) as _,
            contents: Arc::clone(&folder) as _,
            tree: Some(folder),
            tokens: Arc::new(tokens),
            clients,
            clock: Arc::clone(clock) as _,
            random: Arc::clone(random) as _,
        };
        let host = Arc::new(Host::new(ports, plan.settings.clone()));
        host.recover().await.unwrap();
        host.ports().clients.refresh_due().await;
        let public_path = self.public_path().to_owned();
        let answers = Answers::new(Arc::clone(&host), Limits::default(), &public_path, "story");
        let settings = SiteSettings {
            public_path,
            trusted_proxies: Vec::new(),
            small_body_bytes_max: 1 << 20,
            large_bodies_max: 200,
            run: http::HeaderValue::from_static("a story"),
        };
        let site = Arc::new(Site::new(answers, settings, Arc::new(Health::default())));
        *self.0.server.write().unwrap() = Some(Server { host, registry, site });
    }

    /// Stops as SIGTERM would have it, and starts again over the same folder.
    pub(crate) async fn restarts(&self) {
        let server = self.0.server.write().unwrap().take().unwrap();
        server.host.settle_all().await;
        server.registry.close().await.unwrap();
        drop(server);
        self.starts().await;
    }

    /// Loses everything that is in memory, and starts again over the same folder.
    pub(crate) async fn crashes(&self) {
        drop(self.0.server.write().unwrap().take());
        self.starts().await;
    }

    fn server(&self) -> Server {
        self.0.server.read().unwrap().clone().unwrap()
    }

    pub(crate) fn host(&self) -> Arc<Host> {
        self.server().host
    }

    /// A request as it leaves a client; a proxy may stand in between.
    pub(crate) async fn knock(&self, request: Request<Body>) -> Response<Body> {
        let (mut parts, body) = request.into_parts();
        if let Some(short) = parts.uri.to_string().strip_prefix(self.0.plan.proxy_strips) {
            parts.uri = short.parse().unwrap();
        }
        let server = self.server();
        let mut connection = server.site.for_connection(([192, 0, 2, 1], 4711).into());
        let Ok(response) = connection.call(Request::from_parts(parts, body)).await;
        if self.0.plan.background {
            server.host.settle_all().await;
        }
        response
    }

    pub(crate) fn public_url(&self) -> &str {
        &self.0.plan.settings.public_url
    }

    pub(crate) fn origin(&self) -> &str {
        self.public_url().strip_suffix(self.public_path()).unwrap()
    }

    pub(crate) fn public_path(&self) -> &str {
        let behind_scheme = self.public_url().find("://").unwrap() + 3;
        self.public_url()[behind_scheme..].find('/').map_or("", |at| &self.public_url()[behind_scheme + at..])
    }

    pub(crate) fn documents(&self) -> PathBuf {
        self.0.scratch.path().join("documents")
    }

    /// A place that is not served.
    pub(crate) fn elsewhere(&self) -> PathBuf {
        self.0.scratch.path().to_owned()
    }

    pub(crate) fn neighbour(&self) -> &Neighbour {
        &self.0.neighbour
    }

    pub(crate) fn web(&self) -> &Web {
        &self.0.web
    }

    // ── time and background work ──

    pub(crate) fn passes(&self, span: Duration) {
        self.0.clock.advance(span);
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.0.clock.now().0
    }

    /// How many days have passed since the world began.
    pub(crate) fn day(&self) -> u32 {
        u32::try_from((self.now_ms() / DAY_MS) - (TestClock::START.0 / DAY_MS)).unwrap()
    }

    /// Passes the time until the next day begins, in UTC.
    pub(crate) fn midnight(&self) {
        let left = DAY_MS - self.now_ms() % DAY_MS;
        self.passes(Duration::from_millis(left.unsigned_abs()));
    }

    /// What could not be done at once gets its turn.
    pub(crate) async fn works_in_the_background(&self) {
        let host = self.host();
        host.show_all().await;
        host.settle_all().await;
    }

    pub(crate) async fn scans(&self) -> ScanSummary {
        self.host().scan().await.unwrap()
    }

    pub(crate) async fn sweeps(&self) -> SweepSummary {
        self.host().sweep().await.unwrap()
    }

    // ── people ──

    /// An editor.
    pub(crate) async fn alice(&self) -> Person {
        self.person("alice", Role::Editor).await
    }

    /// Another editor.
    pub(crate) async fn bob(&self) -> Person {
        self.person("bob", Role::Editor).await
    }

    /// A viewer.
    pub(crate) async fn vera(&self) -> Person {
        self.person("vera", Role::Viewer).await
    }

    /// Somebody in a new session; an editor, if nobody knew them before.
    pub(crate) async fn person_again(&self, name: &str) -> Person {
        match self.server().registry.user_named(name).await {
            Ok(user) => Person::signs_in(self, user).await,
            Err(_) => self.person(name, Role::Editor).await,
        }
    }

    async fn person(&self, name: &str, role: Role) -> Person {
        let shown: String = name[..1].to_uppercase() + &name[1..];
        let user = self.host().add_user(name, &shown, role).await.unwrap();
        Person::signs_in(self, user).await
    }

    // ── what the operator's commands see ──

    /// The file that `lectern token` and `lectern versions` find under this path.
    pub(crate) async fn file_at(&self, path: &str) -> Option<FileRecord> {
        let path = path.split('/').fold(TreePath::root(), |at, name| at.join(&FileName::parse(name).unwrap()));
        match self.host().file_at(&path).await {
            Ok(record) => Some(record),
            Err(refusal) if refusal.error == wopi::WopiError::NotFound => None,
            Err(refusal) => panic!("{path}: {refusal}"),
        }
    }

    /// Where the folder has the file, as far as we know.
    pub(crate) async fn file_path(&self, file: &crate::doors::File) -> String {
        let record = self.host().file(&file.file_id()).await.unwrap();
        self.host().file_path(&record).await.unwrap().as_str().to_owned()
    }

    /// What `lectern versions FILE --get` gives for each version of a file, latest first.
    pub(crate) async fn history(&self, id: &FileId) -> Vec<(u64, Vec<u8>)> {
        let mut history = Vec::new();
        for entry in self.server().registry.versions(id).await.unwrap() {
            let bytes = self.content(&entry.content.id, entry.content.size).await;
            let bytes = bytes.unwrap_or_else(|| panic!("the history lists version {} without bytes", entry.version));
            history.push((entry.version.0, bytes));
        }
        history
    }

    /// What `lectern rescued get` gives for each refused save, latest first, and why it was refused.
    pub(crate) async fn rescued(&self) -> Vec<(String, Vec<u8>)> {
        let mut saves = Vec::new();
        for save in self.server().registry.rescued(None).await.unwrap() {
            let bytes = self.content(&save.content, save.size).await;
            saves.push((save.reason, bytes.expect("a rescued save without bytes")));
        }
        saves
    }

    async fn content(&self, id: &lectern_host::records::ContentId, size: u64) -> Option<Vec<u8>> {
        let body = self.host().ports().contents.open(id, 0..size).await.ok()?;
        Some(body.collect().await.unwrap().to_bytes().to_vec())
    }

    /// How many runs of bytes are kept beside the files themselves.
    pub(crate) async fn kept_contents(&self) -> usize {
        use futures_util::StreamExt as _;
        let host = self.host();
        host.ports().contents.ids().map(|id| id.unwrap()).count().await
    }
}
