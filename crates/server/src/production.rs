//! The wiring of the real program: records and bytes as the settings say, PASETO, discovery over HTTP.

use std::convert::Infallible;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use http::header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use lectern_accounts::TokenKeys;
use lectern_host::clients::{ClientSettings, Clients, ProofSetting};
use lectern_host::host::BootstrapperSettings;
use lectern_host::plus::{self, CoauthSettings};
use lectern_host::ports::{Clock, Random, Registry, Tokens, TreePath};
use lectern_host::records::FileRecord;
use lectern_host::{Body, FileByUrl, Front, Host, HostSettings, Ports};
use lectern_registry::Opener;
use lectern_web::{Disk, Pages, Provider, Room, WebParts, WebSettings};
use tower::Service;
use wopi::action_url::ActionUrlFacts;
use wopi::answer::EndPoints;
use wopi::discovery::{Discovery, NetZone};
use wopi::{FileId, operation};
use wopi_service::{Limits, Refusal, WopiService, render};

use crate::config::{Client, ProofRule, Settings};
use crate::discovery_source::HttpDiscovery;
use crate::health::Probe;
use crate::place::Place;
use crate::provider_http::NetworkProvider;
use crate::samples;
use crate::storage::{self, Storage};
use crate::system::{SystemClock, SystemRandom};
use crate::trouble::{OrTrouble, Trouble};
use crate::wiring::{ActionUrl, DiscoverySummary, Documents, OpenHost, Parts, Premises, Served, Wiring};

/// `X-WOPI-ServerVersion`.
const SERVER_VERSION: &str = concat!("Lectern/", env!("CARGO_PKG_VERSION"));

/// Where `FileUrl` leads, below the public URL.
const FILE_URL_PREFIX: &str = "/file/";

/// Records and bytes as the settings say, PASETO, discovery over HTTP.
#[derive(Clone, Copy, Debug, Default)]
pub struct Production;

/// What both a command and a server open.
struct Opened {
    host: Arc<Host>,
    parts: Parts,
    keys: Arc<TokenKeys>,
    probes: Vec<Box<dyn Probe>>,
    close: BoxFuture<'static, ()>,
}

impl Production {
    async fn build(premises: &Premises, who: Opener) -> Result<Opened, Trouble> {
        let place = &premises.place;
        let Storage { registry, contents, tree, probes, close } = storage::open(place, who).await?;
        let keys = Arc::new(token_keys(place, &registry).await?);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let random: Arc<dyn Random> = Arc::new(SystemRandom);
        let source = HttpDiscovery::new()
            .map_err(|error| Trouble::new("cannot prepare to fetch discovery documents").because(error.to_string()))?;
        let settings = premises.clients.iter().map(client_settings).collect();
        let clients = Clients::load(settings, Arc::clone(&registry), Arc::new(source), Arc::clone(&clock))
            .await
            .or_trouble(|| "cannot use the clients".to_owned())?;
        let tokens: Arc<dyn Tokens> = Arc::<TokenKeys>::clone(&keys);
        let ports = Ports {
            registry: Arc::clone(&registry),
            contents: Arc::clone(&contents),
            tree,
            tokens: Arc::clone(&tokens),
            clients,
            clock: Arc::clone(&clock),
            random: Arc::clone(&random),
        };
        let host = Arc::new(Host::new(ports, host_settings(premises)));
        let parts = Parts {
            registry,
            // With those that are made of pieces of others.
            contents: Arc::clone(&host.ports().contents),
            tokens,
            clock,
            random,
            documents: Arc::new(HostDocuments(Arc::clone(&host))),
        };
        let finished = Arc::clone(&host);
        let close = Box::pin(async move {
            finished.settle_all().await;
            if let Err(refusal) = finished.write_refusals().await {
                tracing::warn!("{refusal}");
            }
            close.await;
        });
        Ok(Opened { host, parts, keys, probes, close })
    }
}

/// The keys of the access tokens: in their file, or in the database that nodes share.
async fn token_keys(place: &Place, registry: &Arc<dyn Registry>) -> Result<TokenKeys, Trouble> {
    let now = SystemClock.now();
    match place.token_keys_file() {
        Some(path) => TokenKeys::load_or_create(&path, now, &SystemRandom)
            .or_trouble(|| format!("cannot use the token keys in `{}`", path.display())),
        None => TokenKeys::load_or_create_shared(Arc::clone(registry), now, &SystemRandom)
            .await
            .or_trouble(|| "cannot use the token keys in the database".to_owned()),
    }
}

/// The disk that this folder of ours is on; the documents are on the same one.
#[derive(Debug)]
struct DiskOf(PathBuf);

impl Disk for DiskOf {
    fn room(&self) -> Option<Room> {
        let disk = rustix::fs::statvfs(&self.0).ok()?;
        // What only root may still write is of no use to us.
        let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
        Some(Room { free: bytes(disk.f_bavail), total: bytes(disk.f_blocks) })
    }
}

fn client_settings(client: &Client) -> ClientSettings {
    ClientSettings {
        name: client.name.as_str().to_owned(),
        discovery_url: client.discovery.as_str().to_owned(),
        proof: match client.proof {
            ProofRule::Auto => ProofSetting::Auto,
            ProofRule::Required => ProofSetting::Required,
            ProofRule::Off => ProofSetting::Off,
        },
        rank: client.rank,
        ranks: client.ranks.clone(),
        zone: client.zone.and_then(|zone| NetZone::parse(zone.as_str())),
        public_origin: client.public_origin.as_ref().map(|origin| origin.as_str().to_owned()),
    }
}

/// What this node is called.
fn node_name(settings: &Settings) -> String {
    let machine = || rustix::system::uname().nodename().to_string_lossy().into_owned();
    settings.server.node.clone().unwrap_or_else(machine)
}

fn host_settings(premises: &Premises) -> HostSettings {
    let Settings { wopi, coauthoring, limits, history, rescued, sweep, bootstrapper, .. } = &premises.place.settings;
    let urls = coauthoring.real_time_channel_url.as_ref().zip(coauthoring.collaboration_service_url.as_ref());
    HostSettings {
        body_bytes_max: limits.body_bytes_max.get(),
        hash_inline_bytes_max: wopi.hash_inline_bytes_max.get(),
        containers: wopi.containers,
        relative_writes: wopi.relative_writes,
        file_url: wopi.file_url,
        direct_reads: wopi.direct_reads,
        business_users: wopi.business_users,
        coauth: CoauthSettings {
            enabled: coauthoring.enabled,
            end_points: urls.map(|(real_time, collaboration)| EndPoints {
                real_time_channel_endpoint_url: real_time.as_str().to_owned(),
                office_collaboration_service_endpoint_url: collaboration.as_str().to_owned(),
            }),
            sharing_status: coauthoring.sharing_status.of_every_file(),
            file_geo_location_code: coauthoring.file_geo_location_code.clone(),
        },
        bootstrapper: BootstrapperSettings {
            authorization_uri: bootstrapper.authorization_uri.clone(),
            token_issuance_uri: bootstrapper.token_issuance_uri.clone(),
            provider_id: bootstrapper.provider_id.clone(),
            url_schemes: bootstrapper.url_schemes.clone(),
        },
        rescued_kept: rescued.keep_for.get(),
        rescued_bytes_max: rescued.bytes_max.get(),
        deleted_kept: history.deleted_for.get(),
        versions_kept: history.every_for.get(),
        versions_daily_kept: history.daily_for.get(),
        orphans_kept: sweep.unreferenced_for.get(),
        sweep_every: sweep.every.get(),
        node: node_name(&premises.place.settings),
        ..HostSettings::new(premises.public_url.as_str())
    }
}

fn web_settings(premises: &Premises) -> Result<WebSettings, Trouble> {
    let Settings { sign_in, server, .. } = &premises.place.settings;
    let proxy = match &sign_in.proxy_header {
        None => None,
        Some(_) if server.trusted_proxies.is_empty() => {
            return Err(Trouble::new("nobody may say who is signed in: server.trusted_proxies is empty")
                .because("sign_in.proxy_header is believed from these addresses only")
                .hint("put the address of the reverse proxy into server.trusted_proxies"));
        }
        Some(header) => {
            let name = http::HeaderName::from_bytes(header.as_bytes());
            let name = name.or_trouble(|| format!("`{header}` (sign_in.proxy_header) is no name of a header"))?;
            Some((name, server.trusted_proxies.clone()))
        }
    };
    Ok(WebSettings {
        session_lifetime: sign_in.session_lifetime.get(),
        tries_per_name: u32::try_from(sign_in.tries_per_name.get()).unwrap_or(u32::MAX),
        tries_per_address: u32::try_from(sign_in.tries_per_address.get()).unwrap_or(u32::MAX),
        try_again_after: sign_in.try_again_after.get(),
        provider: provider(&premises.place.settings)?,
        proxy,
        ..WebSettings::default()
    })
}

/// The provider of the settings, with its secret.
fn provider(settings: &Settings) -> Result<Option<Provider>, Trouble> {
    let provider = &settings.provider;
    let (issuer, client_id) = match (&provider.issuer, &provider.client_id) {
        (None, None) => return Ok(None),
        (Some(issuer), Some(client_id)) => (issuer.clone(), client_id.clone()),
        _ => {
            return Err(Trouble::new("the [provider] of the settings is not complete")
                .hint("give both issuer and client_id, or neither"));
        }
    };
    let client_secret = match &provider.client_secret_file {
        None => None,
        Some(path) => {
            let secret = std::fs::read_to_string(path);
            let secret = secret.or_trouble(|| format!("cannot read the provider's secret in `{}`", path.display()))?;
            Some(secret.lines().next().unwrap_or_default().to_owned())
        }
    };
    Ok(Some(Provider {
        label: provider.label.clone(),
        issuer,
        client_id,
        client_secret,
        scopes: provider.scopes.clone(),
        name_claim: provider.name_claim.clone(),
        groups_claim: provider.groups_claim.clone(),
    }))
}

struct HostDocuments(Arc<Host>);

#[async_trait]
impl Documents for HostDocuments {
    async fn file_at(&self, path: &TreePath) -> Result<FileRecord, Trouble> {
        self.0.file_at(path).await.map_err(|refusal| {
            Trouble::new(format!("there is no file `{path}` that can be served"))
                .because(refusal.to_string())
                .hint("name a file by its path in the folder; links, hidden and temporary files are not served")
        })
    }

    async fn actions(&self, file: &FileRecord, wopi_src: &str) -> Result<Vec<ActionUrl>, Trouble> {
        let extension = file.name.extension().trim_start_matches('.');
        let facts = ActionUrlFacts::new(wopi_src);
        let offered = self.0.ports().clients.actions_for(extension);
        Ok(offered
            .into_iter()
            .map(|action| ActionUrl {
                url: action.url(&facts),
                client: action.client.to_string(),
                action: action.name.clone(),
            })
            .collect())
    }
}

/// What answers under `/wopi` and `/file/`.
#[derive(Clone)]
pub struct Answers {
    wopi: WopiService<Front>,
    host: Arc<Host>,
    public_path: Arc<str>,
}

impl Answers {
    /// What answers for this host. `machine` is what `X-WOPI-MachineName` tells; `public_path` is the path of the public
    /// URL, for proxies that do not take it away.
    pub fn new(host: Arc<Host>, limits: Limits, public_path: &str, machine: &str) -> Self {
        let front = Front::new(Arc::clone(&host));
        let wopi = WopiService::new(front, limits, SERVER_VERSION, machine);
        Self { wopi, host, public_path: public_path.trim_end_matches('/').into() }
    }

    /// The file and token of a `FileUrl`, if `path` is one.
    fn file_url(&self, path: &str) -> Option<(String, String)> {
        let path = path.strip_prefix(&*self.public_path).unwrap_or(path);
        let (id, token) = path.strip_prefix(FILE_URL_PREFIX)?.split_once('/')?;
        Some((id.to_owned(), token.to_owned()))
    }
}

/// The bytes behind a `FileUrl`. It is unsigned and shows no other token than the one in its path.
async fn by_file_url(host: &Host, method: &Method, headers: &HeaderMap, id: &str, token: &str) -> Response<Body> {
    let answer = async {
        if !host.settings().file_url {
            return Err(Refusal::new(wopi::WopiError::NotFound, "FileUrl is not offered (wopi.file_url)"));
        }
        if !matches!(*method, Method::GET | Method::HEAD) {
            return Err(Refusal::new(wopi::WopiError::NotSupported, "a FileUrl can only be read"));
        }
        let file = FileId::parse(id).ok_or(wopi::WopiError::NotFound)?;
        let range = operation::range(headers);
        match *method {
            Method::GET => host.follow_file_url(&file, token, range).await,
            // What a store signs is a GET.
            _ => host.file_by_url(&file, token, range).await.map(FileByUrl::Bytes),
        }
    };
    match answer.await {
        Ok(FileByUrl::Elsewhere(url)) => lead_on(&url),
        Ok(FileByUrl::Bytes(bytes)) => {
            let mut response = render::bytes(bytes);
            if *method == Method::HEAD {
                *response.body_mut() = lectern_host::empty();
            }
            response
        }
        Err(refusal) => {
            tracing::warn!(file.id = %wopi::route::for_log(id), "refused a FileUrl: {refusal}");
            render::refusal(&refusal, "-")
        }
    }
}

/// Leads to the store, which knows its own signature. Nobody may remember the way.
fn lead_on(url: &str) -> Response<Body> {
    let mut response = Response::new(lectern_host::empty());
    let Ok(url) = HeaderValue::try_from(url) else {
        return render::refusal(&Refusal::internal("the store's URL is no header"), "-");
    };
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(LOCATION, url);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

impl Service<Request<Body>> for Answers {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let answers = self.clone();
        Box::pin(async move {
            if let Some((id, token)) = answers.file_url(request.uri().path()) {
                let (parts, _) = request.into_parts();
                // Boxed, so that a request of another kind does not carry the room for it.
                let answer = Box::pin(by_file_url(&answers.host, &parts.method, &parts.headers, &id, &token));
                return Ok(answer.await);
            }
            Ok(answers.wopi.handle(request).await)
        })
    }
}

impl Wiring for Production {
    type Wopi = Answers;

    async fn open(&self, premises: &Premises) -> Result<Parts, Trouble> {
        Ok(Self::build(premises, Opener::Command).await?.parts)
    }

    async fn serve(&self, premises: &Premises) -> Result<Served<Answers>, Trouble> {
        let Opened { host, parts, keys, probes, close } = Self::build(premises, Opener::Server).await?;
        let recovered = host.recover().await.or_trouble(|| "cannot carry out what a crash left undone".to_owned())?;
        if recovered > 0 {
            tracing::info!(files = recovered, "carried out what the last run had decided and not finished");
        }
        let limits = &premises.place.settings.limits;
        let wopi_limits = Limits {
            json_bytes_max: usize::try_from(limits.json_bytes_max.get()).unwrap_or(usize::MAX),
            user_info_bytes_max: limits.user_info_bytes_max.as_usize(),
            ignored_body_bytes_max: usize::try_from(limits.body_bytes_max.get()).unwrap_or(usize::MAX),
            ..Limits::default()
        };
        let machine = node_name(&premises.place.settings);
        let answers = Answers::new(Arc::clone(&host), wopi_limits, premises.public_url.path(), &machine);
        let http = NetworkProvider::new()
            .map_err(|error| Trouble::new("cannot prepare to reach a provider").because(error.to_string()))?;
        let web = WebParts {
            host: Arc::clone(&host),
            blanks: samples::blanks().into_iter().map(|(extension, bytes)| (extension, bytes.into())).collect(),
            http: Some(Arc::new(http)),
            report: premises.report.clone(),
            disk: premises.place.has_folder().then(|| Arc::new(DiskOf(premises.place.state.clone())) as Arc<dyn Disk>),
        };
        let pages = Pages::new(web, web_settings(premises)?)
            .or_trouble(|| format!("cannot make pages for {}", premises.public_url))?;
        let mut background = tokio::task::JoinSet::new();
        let clients = Arc::clone(&host.ports().clients);
        background.spawn(clients.keep_fresh(std::future::pending()));
        for work in [Work::Settle, Work::Scan, Work::Sweep, Work::WriteRefusals] {
            let host = Arc::clone(&host);
            background.spawn(async move {
                match work {
                    Work::Settle => host.keep_settled().await,
                    Work::Scan => host.keep_scanned().await,
                    Work::Sweep => host.keep_swept().await,
                    Work::WriteRefusals => host.keep_refusals_written().await,
                }
            });
        }
        background.spawn(async move { keys.keep_fresh(&SystemClock).await });
        Ok(Served { parts, wopi: answers, pages: Some(pages), probes, background, close })
    }

    async fn open_host(&self, premises: &Premises) -> Result<OpenHost, Trouble> {
        let Opened { host, close, .. } = Self::build(premises, Opener::Command).await?;
        Ok(OpenHost { host, close })
    }

    fn read_discovery(&self, xml: &str) -> Result<DiscoverySummary, String> {
        let discovery = Discovery::parse(xml).map_err(|error| error.to_string())?;
        Ok(DiscoverySummary {
            apps: discovery.zones.iter().map(|zone| zone.apps.len()).sum(),
            extensions: discovery.extensions().len(),
            coauthored: discovery.extensions_with(&plus::ACTIONS).into_iter().map(str::to_owned).collect(),
            proof_key: discovery.proof_key.map(|key| key.keys().map(drop).map_err(|error| error.to_string())),
        })
    }
}

/// Work beside the requests.
#[derive(Clone, Copy)]
enum Work {
    Settle,
    Scan,
    Sweep,
    WriteRefusals,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_the_store_is_told_once_and_remembered_by_nobody() {
        let answer = lead_on("https://store.example/a?X-Amz-Signature=b");
        assert_eq!(answer.status(), StatusCode::FOUND);
        let headers = answer.headers();
        assert_eq!(headers[LOCATION], "https://store.example/a?X-Amz-Signature=b");
        assert_eq!(
            (&headers[CACHE_CONTROL], &headers[REFERRER_POLICY]),
            (&"no-store".parse().unwrap(), &"no-referrer".parse().unwrap())
        );
        assert_eq!(lead_on("https://store.example/\n").status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
