//! Stand-ins for the ports that our own tests need and do not try.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use async_trait::async_trait;

use crate::BoxError;
use crate::clients::Clients;
use crate::host::{Host, HostSettings, Ports};
use crate::ports::{
    Clock, Contents, DiscoverySource, Random, Registry, TokenClaims, TokenError, TokenResource, Tokens,
};
use crate::records::Timestamp;

/// A clock that a test sets.
#[derive(Debug)]
pub(crate) struct TestClock(pub(crate) AtomicI64);

impl TestClock {
    pub(crate) fn at(now: i64) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(now)))
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// Counts, so that no two ids are the same, and every run is.
#[derive(Debug, Default)]
pub(crate) struct Counting(AtomicU64);

impl Random for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let bytes = self.0.fetch_add(1, Ordering::SeqCst).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}

#[derive(Debug)]
pub(crate) struct NoTokens;

impl Tokens for NoTokens {
    fn seal(&self, _: &TokenClaims, _: &TokenResource) -> String {
        "token".to_owned()
    }

    fn open(&self, _: &str, _: &TokenResource, _: Timestamp) -> Result<TokenClaims, TokenError> {
        Err(TokenError::Missing)
    }
}

#[derive(Debug)]
pub(crate) struct NoDiscovery;

#[async_trait]
impl DiscoverySource for NoDiscovery {
    async fn fetch(&self, _: &str) -> Result<String, BoxError> {
        Err("nobody is there".into())
    }
}

/// A host without clients and without a folder.
pub(crate) async fn host_over(
    registry: Arc<dyn Registry>,
    contents: Arc<dyn Contents>,
    clock: Arc<TestClock>,
    settings: HostSettings,
) -> Host {
    let clock: Arc<dyn Clock> = clock;
    let clients = Clients::load(Vec::new(), Arc::clone(&registry), Arc::new(NoDiscovery), Arc::clone(&clock)).await;
    let ports = Ports {
        registry,
        contents,
        tree: None,
        tokens: Arc::new(NoTokens),
        clients: clients.unwrap(),
        clock,
        random: Arc::new(Counting::default()),
    };
    Host::new(ports, settings)
}
