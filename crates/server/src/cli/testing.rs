//! The commands over a registry in memory.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use lectern_accounts::TokenKeys;
use lectern_host::memory::registry::MemoryRegistry;
use lectern_host::ports::{Clock, Contents, ContentsError, Registry, Stored, TreePath};
use lectern_host::records::{Content, ContentId, FileRecord, LockState, ModifiedAt, Revision, Timestamp, VersionMark};
use lectern_host::wopi::{ItemVersion, UserId};
use lectern_host::{Body, ids};

use super::{Cli, Out};
use crate::system::{SystemClock, SystemRandom};
use crate::trouble::{OrTrouble, Trouble};
use crate::wiring::{ActionUrl, DiscoverySummary, Documents, OpenHost, Parts, Premises, Served, Wiring};

/// Everything in memory; the same for every command.
#[derive(Clone, Debug)]
pub(super) struct InMemory {
    pub(super) registry: Arc<dyn Registry>,
}

impl Default for InMemory {
    fn default() -> Self {
        Self { registry: Arc::new(MemoryRegistry::new()) }
    }
}

impl InMemory {
    /// What a command prints.
    pub(super) async fn run(&self, arguments: &[&str]) -> Result<String, Trouble> {
        let mut out = Vec::new();
        let cli = <Cli as clap::Parser>::try_parse_from(std::iter::once(&"lectern").chain(arguments)).unwrap();
        dispatch(cli, self, &mut out).await?;
        Ok(String::from_utf8(out).unwrap())
    }

    /// What a command prints, as JSON.
    pub(super) async fn json(&self, arguments: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.run(arguments).await.unwrap()).unwrap()
    }

    fn parts(&self, premises: &Premises) -> Result<Parts, Trouble> {
        let keys = TokenKeys::load_or_create(&premises.place.token_keys(), SystemClock.now(), &SystemRandom);
        Ok(Parts {
            registry: Arc::clone(&self.registry),
            contents: Arc::new(OneContent),
            tokens: Arc::new(keys.or_trouble(|| "cannot load the keys".to_owned())?),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            documents: Arc::new(Everything(Arc::clone(&self.registry), premises.clone())),
        })
    }
}

/// As `cli::run`, without a log: there is one per process, and tests share one.
async fn dispatch(cli: Cli, wiring: &InMemory, out: Out<'_>) -> Result<(), Trouble> {
    use super::Command;
    match cli.command {
        Command::Token(token) => token.run(wiring, out).await,
        Command::Check(check) => check.run(wiring, out).await,
        Command::User(user) => user.run(wiring, out).await,
        Command::Keys(keys) => keys.run(wiring, out).await,
        Command::Rescued(rescued) => rescued.run(wiring, out).await,
        Command::Versions(versions) => versions.run(wiring, out).await,
        Command::Serve(_)
        | Command::Config(_)
        | Command::Import(_)
        | Command::Export(_)
        | Command::Migrate(_)
        | Command::Backup(_)
        | Command::Restore(_) => panic!("not here"),
    }
}

impl Wiring for InMemory {
    type Wopi = tower::util::BoxCloneService<Request<Body>, Response<Body>, Infallible>;

    async fn open(&self, premises: &Premises) -> Result<Parts, Trouble> {
        self.parts(premises)
    }

    async fn serve(&self, premises: &Premises) -> Result<Served<Self::Wopi>, Trouble> {
        let wopi = tower::service_fn(|request: Request<Body>| async move {
            let text = format!("wopi {}", request.uri().path());
            Ok(Response::new(Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync()))
        });
        Ok(Served {
            parts: self.parts(premises)?,
            wopi: tower::util::BoxCloneService::new(wopi),
            pages: None,
            probes: Vec::new(),
            background: tokio::task::JoinSet::new(),
            close: Box::pin(std::future::ready(())),
        })
    }

    async fn open_host(&self, _: &Premises) -> Result<OpenHost, Trouble> {
        Err(Trouble::new("there is no host over one content"))
    }

    fn read_discovery(&self, xml: &str) -> Result<DiscoverySummary, String> {
        let proof_key = match xml {
            "signs" => Some(Ok(())),
            "broken key" => Some(Err("too short".to_owned())),
            "unsigned" => None,
            _ => return Err("no wopi-discovery".to_owned()),
        };
        let coauthored = if proof_key.is_some() { vec!["docx".to_owned(), "xlsx".to_owned()] } else { Vec::new() };
        Ok(DiscoverySummary { apps: 1, extensions: 2, coauthored, proof_key })
    }
}

/// What every content holds here.
pub(super) const BYTES: &[u8] = b"the bytes";

#[derive(Debug)]
struct OneContent;

impl std::fmt::Display for OneContent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("one content")
    }
}

#[async_trait]
impl Contents for OneContent {
    async fn put(&self, _: &ContentId, _: Body, _: u64) -> Result<Stored, ContentsError> {
        Err(ContentsError::NotFound)
    }

    async fn open(&self, _: &ContentId, range: std::ops::Range<u64>) -> Result<Body, ContentsError> {
        let end = usize::try_from(range.end).unwrap().min(BYTES.len());
        Ok(Full::new(Bytes::from_static(&BYTES[..end])).map_err(|never| match never {}).boxed_unsync())
    }

    async fn remove(&self, _: &ContentId) -> Result<(), ContentsError> {
        Ok(())
    }

    fn ids(&self) -> BoxStream<'_, Result<ContentId, ContentsError>> {
        stream::empty().boxed()
    }
}

/// Every file of the folder is made known when it is asked for; every client views and edits it.
struct Everything(Arc<dyn Registry>, Premises);

#[async_trait]
impl Documents for Everything {
    async fn file_at(&self, path: &TreePath) -> Result<FileRecord, Trouble> {
        let root = self.0.root().await.unwrap().id;
        let name = lectern_host::wopi::FileName::parse(path.as_str()).unwrap();
        if let Ok(known) = self.0.file_named(&root, &name).await {
            return Ok(known);
        }
        let record = FileRecord {
            id: ids::new_file_id(&SystemRandom),
            container: root,
            name,
            revision: Revision::default(),
            owner: UserId::parse("folder").unwrap(),
            created_at: Timestamp(0),
            version: ItemVersion(1),
            content: content(BYTES.len() as u64),
            lock: LockState::Free,
            seen: None,
            pending: None,
            deleted_at: None,
            mark: VersionMark::default(),
        };
        self.0.create_file(&record).await.or_trouble(|| "cannot add the file".to_owned())
    }

    async fn actions(&self, file: &FileRecord, wopi_src: &str) -> Result<Vec<ActionUrl>, Trouble> {
        let urls = self.1.clients.iter().flat_map(|client| {
            ["view", "edit"].map(|action| ActionUrl {
                client: client.name.to_string(),
                action: action.to_owned(),
                url: format!(
                    "https://{}/{action}{}?WOPISrc={wopi_src}",
                    client.discovery.authority(),
                    file.name.extension()
                ),
            })
        });
        Ok(urls.collect())
    }
}

pub(super) fn content(size: u64) -> Content {
    Content {
        id: ContentId::new(Timestamp(1_767_225_600_000), [7; 10]),
        size,
        sha256: None,
        modified_at: ModifiedAt(17_672_256_000_000_000),
        saved_by: None,
        editors: Vec::new(),
        autosave: false,
    }
}

/// A folder that was served once, with a file in it.
pub(super) fn served_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join(".lectern")).unwrap();
    std::fs::create_dir(folder.path().join("letters")).unwrap();
    std::fs::write(folder.path().join("report.docx"), BYTES).unwrap();
    folder
}

pub(super) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
