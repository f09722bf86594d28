//! What the program is built of: the one place where commands meet a registry, contents, a host and clients.
//!
//! The commands speak to [`Wiring`], [`Parts`] and [`Documents`] only, so that each can be tried over a registry in
//! memory, and so that what stands behind them can change without them.

use std::convert::Infallible;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use lectern_host::ports::{Clock, Contents, Random, Registry, Tokens, TreePath};
use lectern_host::records::FileRecord;
use lectern_host::{Body, Host};
use lectern_web::{Pages, SettingsReport};
use serde::Serialize;
use tower::Service;

use crate::config::Client;
use crate::config::values::PublicUrl;
use crate::health::Probe;
use crate::place::Place;
use crate::trouble::Trouble;

/// What has to be known before anything is opened.
#[derive(Clone, Debug)]
pub struct Premises {
    /// Documents, records, settings.
    pub place: Place,
    /// Where clients reach us.
    pub public_url: PublicUrl,
    /// The clients that are known: from flags and settings, or from the running server.
    pub clients: Vec<Client>,
    /// The settings with where each comes from, for the pages.
    pub report: SettingsReport,
}

/// What a command works with.
#[derive(Clone)]
pub struct Parts {
    /// Records.
    pub registry: Arc<dyn Registry>,
    /// Bytes.
    pub contents: Arc<dyn Contents>,
    /// Access tokens.
    pub tokens: Arc<dyn Tokens>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub random: Arc<dyn Random>,
    /// What the host knows beyond its ports.
    pub documents: Arc<dyn Documents>,
}

/// What the host knows beyond its ports.
#[async_trait]
pub trait Documents: Send + Sync + 'static {
    /// The file at a path, made known if it is not yet.
    ///
    /// # Errors
    ///
    /// If there is none that we offer.
    async fn file_at(&self, path: &TreePath) -> Result<FileRecord, Trouble>;

    /// What the clients can do with a file, best first. Empty as long as no discovery document was read.
    async fn actions(&self, file: &FileRecord, wopi_src: &str) -> Result<Vec<ActionUrl>, Trouble>;
}

/// A URL that starts a client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ActionUrl {
    /// The client.
    pub client: String,
    /// What it will do: `view`, `edit`.
    pub action: String,
    /// Where the form with the token is posted to.
    pub url: String,
}

/// What a running server consists of.
pub struct Served<W> {
    /// What commands work with, too.
    pub parts: Parts,
    /// What answers under `/wopi`, and under `/file/` if FileUrl is offered.
    pub wopi: W,
    /// The pages for people.
    pub pages: Option<Pages>,
    /// What has to work for the server to be ready, beside registry and folder.
    pub probes: Vec<Box<dyn Probe>>,
    /// Work beside the requests: scans, sweeps, discovery. Ended when the server stops.
    pub background: tokio::task::JoinSet<()>,
    /// Called when the last request was answered.
    pub close: BoxFuture<'static, ()>,
}

/// What a discovery document offers, for a person.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct DiscoverySummary {
    /// How many applications.
    pub apps: usize,
    /// How many extensions it can do something with.
    pub extensions: usize,
    /// The extensions of files that people can work on together by Office's own protocol: those with `collab` and `rtc`.
    pub coauthored: Vec<String>,
    /// Whether it has a proof key that can be used; an error says why it cannot.
    pub proof_key: Option<Result<(), String>>,
}

/// A host that a command works on itself, and how it is left.
pub struct OpenHost {
    /// The host.
    pub host: Arc<Host>,
    /// Finishes what waits. To be called in the end.
    pub close: BoxFuture<'static, ()>,
}

/// Builds what the commands ask for.
pub trait Wiring: Send + Sync {
    /// The WOPI service.
    type Wopi: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send + 'static>
        + Clone
        + Send
        + 'static;

    /// Opens everything for a command, perhaps beside a running server.
    fn open(&self, premises: &Premises) -> impl Future<Output = Result<Parts, Trouble>> + Send;

    /// Opens everything for a server: carries out what a crash left undone, starts the work beside the requests.
    fn serve(&self, premises: &Premises) -> impl Future<Output = Result<Served<Self::Wopi>, Trouble>> + Send;

    /// Opens a host for a command that works on it alone.
    fn open_host(&self, premises: &Premises) -> impl Future<Output = Result<OpenHost, Trouble>> + Send;

    /// What a discovery document offers.
    ///
    /// # Errors
    ///
    /// If it is none.
    fn read_discovery(&self, xml: &str) -> Result<DiscoverySummary, String>;
}
