//! The clients: who may call us, with which keys, and what they open.
//!
//! Each client is known by its discovery document. The documents are kept in the registry, so that a start never waits for
//! the network and a command can make action URLs beside a running server; they are fetched again when they are due, and
//! at once when a proof fails.
//!
//! | what happens | what follows |
//! |---|---|
//! | start | the kept documents are used; all are due |
//! | a fetch succeeds | document, keys and rule are replaced together; due again after [`REFRESH_INTERVAL`] |
//! | a fetch fails, or brings no document | what was known stays; due after [`RETRY_DELAY_FIRST`], then twice that, … up to [`RETRY_DELAY_MAX`] |
//! | a proof fails, or fits only by the old key | one fetch, unless one began less than [`PROOF_REFRESH_INTERVAL_MIN`] ago |
//!
//! A document that turns up without a key switches proofs off, as the settings say `auto`; `required` is for those who do
//! not want that.

mod actions;
mod choice;
mod refresh;
mod settings;
mod state;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use async_trait::async_trait;
use wopi::action_url::ActionUrlFacts;
use wopi::answer::EndPoints;
use wopi::proof::{ProofKeys, ProofRule};

pub use actions::{ClientAction, SUPPORTED_REQUIREMENTS};
pub use choice::{Wanted, changes, choose, choose_action};
pub use refresh::{RefreshError, Refreshed};
pub use settings::{CLIENT_NAME_LENGTH_MAX, ClientSettings, ProofSetting, SettingsError, discovery_url_of};
pub use state::ProofStatus;

use crate::ports::{Clock, DiscoverySource, Registry, RegistryError};
use crate::records::{DiscoveryCache, Timestamp};
use refresh::Flight;
use state::{Document, State};

/// Most clients. A token that names none is checked against the keys of all.
pub const CLIENTS_MAX: usize = 32;

/// How long a document is good for. Microsoft advises 12 to 24 hours, and not to believe the `Expires` header.
pub const REFRESH_INTERVAL: Duration = Duration::from_secs(12 * 60 * 60);

/// When to try again after a first failure.
pub const RETRY_DELAY_FIRST: Duration = Duration::from_secs(5);

/// When to try again after many failures.
pub const RETRY_DELAY_MAX: Duration = Duration::from_secs(10 * 60);

/// How long the fetch of a document may take.
pub const FETCH_TIME_MAX: Duration = Duration::from_secs(30);

/// How long a fetch for a failed proof is the last one for failed proofs: otherwise forged requests would be a way to make
/// us flood the client.
pub const PROOF_REFRESH_INTERVAL_MIN: Duration = Duration::from_secs(60);

/// How long a request with a failed proof waits for newer keys.
pub const PROOF_REFRESH_WAIT_MAX: Duration = Duration::from_secs(5);

/// Where discovery documents are kept between two starts. Every [`Registry`] is one.
#[async_trait]
pub trait DiscoveryStore: Debug + Send + Sync + 'static {
    /// The kept document of the client, if there is one.
    async fn kept(&self, client: &str) -> Result<Option<DiscoveryCache>, RegistryError>;

    /// Keeps a document instead of an earlier one.
    async fn keep(&self, document: &DiscoveryCache) -> Result<(), RegistryError>;
}

#[async_trait]
impl<R: Registry + ?Sized> DiscoveryStore for Arc<R> {
    async fn kept(&self, client: &str) -> Result<Option<DiscoveryCache>, RegistryError> {
        match Registry::discovery(&**self, client).await {
            Ok(document) => Ok(Some(document)),
            Err(RegistryError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn keep(&self, document: &DiscoveryCache) -> Result<(), RegistryError> {
        Registry::put_discovery(&**self, document).await
    }
}

/// All clients of the settings, and what is known of each.
#[derive(Debug)]
pub struct Clients {
    clients: Vec<Client>,
    store: Box<dyn DiscoveryStore>,
    source: Arc<dyn DiscoverySource>,
    clock: Arc<dyn Clock>,
}

struct Client {
    settings: ClientSettings,
    state: RwLock<State>,
    /// The fetch that is under way, or the last one.
    flight: Mutex<Option<Flight>>,
}

impl Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("name", &self.settings.name).finish_non_exhaustive()
    }
}

impl Client {
    // Nothing is left half done under these locks: a panic of another thread is no reason to stop.
    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why the clients could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum ClientsError {
    /// The settings of a client cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Two clients have one name.
    #[error("two clients are called `{name}`")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// More than [`CLIENTS_MAX`].
    #[error("more than {CLIENTS_MAX} clients")]
    TooMany,
    /// The registry did not answer.
    #[error("cannot read the kept discovery document of client `{client}`")]
    Store {
        /// The client.
        client: String,
        /// Why not.
        source: RegistryError,
    },
}

impl Clients {
    /// Sets up the clients from what the store has kept of them. Does not wait for the network: see [`Self::keep_fresh`].
    ///
    /// # Errors
    ///
    /// If the settings contradict themselves or the store does not answer. A kept document of another URL, or one that
    /// cannot be read any more, is as good as none.
    pub async fn load(
        settings: Vec<ClientSettings>,
        store: impl DiscoveryStore,
        source: Arc<dyn DiscoverySource>,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, ClientsError> {
        if settings.len() > CLIENTS_MAX {
            return Err(ClientsError::TooMany);
        }
        let mut names = BTreeSet::new();
        let mut clients = Vec::with_capacity(settings.len());
        for mut settings in settings {
            settings.check()?;
            if let Some(origin) = &settings.public_origin {
                settings.public_origin = Some(settings::origin_of(origin)?);
            }
            if !names.insert(settings.name.clone()) {
                return Err(ClientsError::Duplicate { name: settings.name });
            }
            let kept = store
                .kept(&settings.name)
                .await
                .map_err(|source| ClientsError::Store { client: settings.name.clone(), source })?;
            let cached = kept.filter(|kept| kept.url == settings.discovery_url).and_then(|kept| {
                Document::parse(&kept.xml)
                    .map_err(|error| {
                        tracing::warn!(client.name = %settings.name, %error, "kept discovery document cannot be used");
                    })
                    .ok()
                    .map(|document| (document, kept.fetched_at))
            });
            let state = RwLock::new(State::new(&settings, cached, clock.now()));
            clients.push(Client { settings, state, flight: Mutex::new(None) });
        }
        Ok(Arc::new(Self { clients, store: Box::new(store), source, clock }))
    }

    /// The names, in the order of the settings.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.clients.iter().map(|client| client.settings.name.as_str())
    }

    /// Whether there is a client of this name.
    pub fn has(&self, name: &str) -> bool {
        self.client(name).is_some()
    }

    /// What a request has to show.
    ///
    /// | token | rule |
    /// |---|---|
    /// | names a client | that client's |
    /// | names a client that is not in the settings any more | required, without a key: refused |
    /// | names none, because it is missing or cannot be opened (`None`) | required, by the key of any client, if any client has to show proofs; else off |
    ///
    /// The last row is what keeps a stranger from learning anything about tokens. A valid token that was made for no
    /// client is not meant: whoever opens it decides.
    pub fn proof_rule(&self, client: Option<&str>) -> ProofRule {
        match client {
            Some(name) => match self.client(name) {
                Some(client) => client.state().rule.clone(),
                None => ProofRule::Required([].into()),
            },
            None => self.rule_of_all(),
        }
    }

    fn rule_of_all(&self) -> ProofRule {
        let mut required = false;
        let mut keys: Vec<Arc<ProofKeys>> = Vec::new();
        for client in &self.clients {
            if let ProofRule::Required(of_client) = &client.state().rule {
                required = true;
                keys.extend(of_client.iter().cloned());
            }
        }
        if required { ProofRule::Required(keys.into()) } else { ProofRule::Off }
    }

    /// What can be done with files of this extension (with or without dot), best client first; of one client its defaults
    /// first, then as in its document.
    pub fn actions_for(&self, extension: &str) -> Vec<ClientAction> {
        let extension = extension.strip_prefix('.').unwrap_or(extension).to_ascii_lowercase();
        let mut ranked: Vec<&Client> = self.clients.iter().collect();
        ranked.sort_by_key(|client| client.settings.rank_for(&extension));
        ranked
            .into_iter()
            .filter_map(|client| {
                let document = client.state().document.clone()?;
                Some(actions::actions_of(&client.settings, &document.discovery, &extension))
            })
            .flatten()
            .collect()
    }

    /// Where people meet who edit files of this extension (with or without dot) together: by the client of this name, or, for a
    /// token that was made for none, by the best client that says both.
    pub fn end_points(&self, client: Option<&str>, extension: &str) -> Option<EndPoints> {
        let extension = extension.strip_prefix('.').unwrap_or(extension).to_ascii_lowercase();
        let of = |client: &Client| client.state().end_points(&extension).cloned();
        match client {
            Some(name) => of(self.client(name)?),
            None => {
                let mut ranked: Vec<&Client> = self.clients.iter().collect();
                ranked.sort_by_key(|client| client.settings.rank_for(&extension));
                ranked.into_iter().find_map(of)
            }
        }
    }

    /// The action of this name for this extension: of the client of this name, or of the best one.
    pub fn action(&self, client: Option<&str>, extension: &str, name: &str) -> Option<ClientAction> {
        self.actions_for(extension)
            .into_iter()
            .find(|action| action.is(name) && client.is_none_or(|client| client == action.client))
    }

    /// The URL by which that client does that with this file; `None` if it does not. See [`ClientAction::url`].
    pub fn action_url(
        &self,
        client: Option<&str>,
        extension: &str,
        name: &str,
        facts: &ActionUrlFacts<'_>,
    ) -> Option<String> {
        self.action(client, extension, name).map(|action| action.url(facts))
    }

    /// What is known of each client, for people.
    pub fn status(&self) -> Vec<ClientStatus> {
        self.clients
            .iter()
            .map(|client| {
                let state = client.state();
                let discovery = state.document.as_deref().map(|document| &document.discovery);
                ClientStatus {
                    name: client.settings.name.clone(),
                    discovery_url: client.settings.discovery_url.clone(),
                    fetched_at: state.fetched_at,
                    tried_at: state.tried_at,
                    due_at: state.due_at,
                    last_error: state.last_error.clone(),
                    proof: state.proof,
                    apps: discovery.map_or(0, |discovery| discovery.zones.iter().map(|zone| zone.apps.len()).sum()),
                    actions: discovery.map_or(0, |discovery| discovery.all_offers().count()),
                    skipped_actions: discovery.map_or(0, |discovery| discovery.skipped),
                    extensions: discovery
                        .map(|discovery| discovery.extensions().into_iter().map(str::to_owned).collect())
                        .unwrap_or_default(),
                }
            })
            .collect()
    }

    fn client(&self, name: &str) -> Option<&Client> {
        self.clients.iter().find(|client| client.settings.name == name)
    }
}

/// What is known of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientStatus {
    /// Its name.
    pub name: String,
    /// Where its discovery is.
    pub discovery_url: String,
    /// When the document in use was fetched; `None`: never.
    pub fetched_at: Option<Timestamp>,
    /// When a fetch was last begun by this process.
    pub tried_at: Option<Timestamp>,
    /// When the next one is due.
    pub due_at: Timestamp,
    /// Why the last one failed.
    pub last_error: Option<String>,
    /// Whether its requests must carry proofs, and why.
    pub proof: ProofStatus,
    /// How many apps it has, in all zones.
    pub apps: usize,
    /// How many actions it has, usable or not.
    pub actions: usize,
    /// How many actions were ignored because they are malformed.
    pub skipped_actions: usize,
    /// What it opens, lower case, without dot.
    pub extensions: BTreeSet<String>,
}

#[cfg(test)]
mod tests;
