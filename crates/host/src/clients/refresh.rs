//! Fetching discovery again: when it is due, and when a proof tells that it should be.

use std::future::Future;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _, Shared, join_all};
use tokio::task::AbortHandle;
use wopi::discovery::DiscoveryError;
use wopi::proof::ProofRule;

use super::state::Document;
use super::{Client, Clients, FETCH_TIME_MAX, PROOF_REFRESH_INTERVAL_MIN, PROOF_REFRESH_WAIT_MAX};
use crate::records::{DiscoveryCache, Timestamp};

/// Longest sleep between two looks at what is due: the clock may be set, and a machine may have been asleep.
const LOOK_INTERVAL_MAX: Duration = Duration::from_secs(60);

/// Shortest sleep between two looks.
const LOOK_INTERVAL_MIN: Duration = Duration::from_secs(1);

/// Longest text of a failure that is kept, in characters. Part of it may come from the other side.
const FAILURE_LENGTH_MAX: usize = 500;

/// A fetch that any number of callers wait for, and that goes on if they all leave.
pub(super) struct Flight {
    landing: Landing,
    task: AbortHandle,
}

/// The end of a [`Flight`].
type Landing = Shared<BoxFuture<'static, Result<Refreshed, RefreshError>>>;

/// What a fetch brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refreshed {
    /// Whether proofs are checked differently now: with other keys, or not at all any more.
    pub rule_changed: bool,
}

/// Why a discovery document could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefreshError {
    /// There is no such client.
    #[error("there is no client of this name")]
    UnknownClient,
    /// It took longer than [`FETCH_TIME_MAX`].
    #[error("no answer within {} seconds", FETCH_TIME_MAX.as_secs())]
    Timeout,
    /// It could not be fetched.
    #[error("cannot fetch it: {0}")]
    Fetch(String),
    /// What came is no discovery document.
    #[error(transparent)]
    Document(#[from] DiscoveryError),
    /// It panicked, or the runtime is shutting down.
    #[error("the fetch was broken off")]
    Stopped,
}

impl Clients {
    /// Fetches the client's discovery now, or waits for the fetch that is under way. What was known stays if it fails.
    ///
    /// # Errors
    ///
    /// Says why it failed; so does [`Clients::status`].
    pub async fn refresh(self: &Arc<Self>, client: &str) -> Result<Refreshed, RefreshError> {
        let at = self.position(client).ok_or(RefreshError::UnknownClient)?;
        self.flight(at).await
    }

    /// Fetches what is due, all at once, and waits for it.
    pub async fn refresh_due(self: &Arc<Self>) {
        let now = self.clock.now();
        let due = (0..self.clients.len()).filter(|at| self.clients.get(*at).is_some_and(|c| c.state().due_at <= now));
        join_all(due.map(|at| self.flight(at)).collect::<Vec<_>>()).await;
    }

    /// When the next fetch is due; `None` without clients.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.clients.iter().map(|client| client.state().due_at).min()
    }

    /// Fetches whatever is due until `stop` comes true.
    pub async fn keep_fresh(self: Arc<Self>, stop: impl Future<Output = ()>) {
        let work = async {
            loop {
                self.refresh_due().await;
                let wait = self.next_due().map_or(LOOK_INTERVAL_MAX, |due| due.since(self.clock.now()));
                tokio::time::sleep(wait.clamp(LOOK_INTERVAL_MIN, LOOK_INTERVAL_MAX)).await;
            }
        };
        tokio::select! {
            () = stop => {}
            () = work => {}
        }
    }

    /// Asks for newer keys because a proof did not fit ([`wopi::proof::ProofError::may_be_stale_keys`]): of this client,
    /// or of all that have to show proofs. Waits at most [`PROOF_REFRESH_WAIT_MAX`]. True if the rule became another one in
    /// the last minute, so that it is worth asking [`Clients::proof_rule`] and checking again.
    ///
    /// At most one fetch per client begins in [`PROOF_REFRESH_INTERVAL_MIN`]; whoever comes meanwhile shares it.
    pub async fn refresh_after_proof_trouble(self: &Arc<Self>, client: Option<&str>) -> bool {
        let asked = self.in_trouble(client);
        let flights: Vec<Landing> = asked.iter().filter_map(|at| self.flight_after_trouble(*at)).collect();
        // Whether they all came in time or not: what counts is what is known by then.
        let _ = tokio::time::timeout(PROOF_REFRESH_WAIT_MAX, join_all(flights)).await;
        let now = self.clock.now();
        asked.iter().filter_map(|at| self.clients.get(*at)).any(|client| {
            client.state().rule_changed_at.is_some_and(|changed| now.since(changed) < PROOF_REFRESH_INTERVAL_MIN)
        })
    }

    /// The same without waiting, for a proof that fitted only by a combination that tells of other keys
    /// ([`wopi::proof::Matched::keys_are_stale`]). Needs a tokio runtime.
    pub fn refresh_soon(self: &Arc<Self>, client: Option<&str>) {
        for at in self.in_trouble(client) {
            let _ = self.flight_after_trouble(at);
        }
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.clients.iter().position(|client| client.settings.name == name)
    }

    /// The client of this name, or all whose keys matter.
    fn in_trouble(&self, client: Option<&str>) -> Vec<usize> {
        match client {
            Some(name) => self.position(name).into_iter().collect(),
            None => (0..self.clients.len())
                .filter(|at| self.clients.get(*at).is_some_and(|client| client.state().rule != ProofRule::Off))
                .collect(),
        }
    }

    /// The fetch under way, or a new one if the last did not begin just now.
    fn flight_after_trouble(self: &Arc<Self>, at: usize) -> Option<Landing> {
        let client = self.clients.get(at)?;
        let mut slot = client.flight.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(landing) = under_way(slot.as_ref()) {
            return Some(landing);
        }
        let now = self.clock.now();
        // A time in the future means that the clock was set back.
        let just_tried =
            client.state().tried_at.is_some_and(|tried| tried <= now && now.since(tried) < PROOF_REFRESH_INTERVAL_MIN);
        if just_tried {
            return None;
        }
        Some(self.start(at, &mut slot))
    }

    /// The fetch under way, or a new one.
    fn flight(self: &Arc<Self>, at: usize) -> Landing {
        let Some(client) = self.clients.get(at) else {
            return async { Err(RefreshError::UnknownClient) }.boxed().shared();
        };
        let mut slot = client.flight.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(landing) = under_way(slot.as_ref()) {
            return landing;
        }
        self.start(at, &mut slot)
    }

    /// Begins a fetch. It is a task of its own, so that a caller who goes away does not take it from the others: it ends
    /// by itself after [`FETCH_TIME_MAX`] at the latest.
    fn start(self: &Arc<Self>, at: usize, slot: &mut Option<Flight>) -> Landing {
        if let Some(client) = self.clients.get(at) {
            client.state_mut().tried_at = Some(self.clock.now());
        }
        let this = Arc::clone(self);
        let task = tokio::spawn(async move {
            match this.clients.get(at) {
                Some(client) => this.fetch(client).await,
                None => Err(RefreshError::UnknownClient),
            }
        });
        let handle = task.abort_handle();
        let this = Arc::clone(self);
        let landing = async move {
            task.await.unwrap_or_else(|_| {
                // It panicked, or everything is stopping. Not at once again, in the first case.
                if let Some(client) = this.clients.get(at) {
                    client.state_mut().fail(RefreshError::Stopped.to_string(), this.clock.now());
                }
                Err(RefreshError::Stopped)
            })
        }
        .boxed()
        .shared();
        *slot = Some(Flight { landing: landing.clone(), task: handle });
        landing
    }

    async fn fetch(&self, client: &Client) -> Result<Refreshed, RefreshError> {
        let (name, url) = (&client.settings.name, &client.settings.discovery_url);
        let fetched = self.fetch_document(url).await;
        let now = self.clock.now();
        match fetched {
            Ok((xml, document)) => {
                let unusable_old_key = document
                    .discovery
                    .proof_key
                    .as_ref()
                    .is_some_and(|key| key.has_old() && key.keys().is_ok_and(|keys| keys.old.is_none()));
                let (rule_changed, proof) = {
                    let mut state = client.state_mut();
                    (state.accept(&client.settings, document, now), state.proof)
                };
                if proof.refuses_everything() {
                    tracing::warn!(client.name = %name, discovery.url = %url, "discovery fetched, but {proof}");
                } else if rule_changed {
                    tracing::info!(client.name = %name, discovery.url = %url, "discovery fetched: {proof}");
                } else {
                    tracing::debug!(client.name = %name, discovery.url = %url, "discovery fetched");
                }
                if unusable_old_key {
                    tracing::warn!(client.name = %name, "the previous proof key in the discovery cannot be used");
                }
                let kept = DiscoveryCache { client: name.clone(), url: url.clone(), xml, fetched_at: now };
                if let Err(error) = self.store.keep(&kept).await {
                    let error = chain(&error);
                    tracing::warn!(client.name = %name, error, "discovery is used, but could not be kept for the next start");
                }
                Ok(Refreshed { rule_changed })
            }
            Err(error) => {
                client.state_mut().fail(error.to_string(), now);
                tracing::warn!(client.name = %name, discovery.url = %url, %error, "cannot use the client's discovery");
                Err(error)
            }
        }
    }

    async fn fetch_document(&self, url: &str) -> Result<(String, Document), RefreshError> {
        let xml = tokio::time::timeout(FETCH_TIME_MAX, self.source.fetch(url))
            .await
            .map_err(|_| RefreshError::Timeout)?
            .map_err(|error| RefreshError::Fetch(chain(&*error)))?;
        let document = Document::parse(&xml)?;
        Ok((xml, document))
    }
}

fn under_way(flight: Option<&Flight>) -> Option<Landing> {
    flight.filter(|flight| !flight.task.is_finished()).map(|flight| flight.landing.clone())
}

/// An error with its causes on one line, without control characters, cut.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause.filter(|_| text.len() < FAILURE_LENGTH_MAX) {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(FAILURE_LENGTH_MAX).collect()
}
