//! A load balancer: each request goes to the next server, also those that come on one connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::BoxFuture;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Request, Response};

use super::front::{AnswerBody, Behind, Broken, Faults, Front, send};

/// A front before several servers. Ends when it is dropped.
pub struct RoundRobin(Front);

impl RoundRobin {
    /// Listens before these servers, which need not be there yet.
    ///
    /// # Panics
    ///
    /// If there are none, or a port cannot be had.
    pub async fn start(servers: Vec<SocketAddr>) -> Self {
        assert!(!servers.is_empty(), "somebody has to answer");
        Self(Front::start(Arc::new(Servers { servers, next: AtomicUsize::new(0) })).await)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// What it shall fail at, and what it was asked.
    pub fn faults(&self) -> &Faults {
        self.0.faults()
    }
}

struct Servers {
    servers: Vec<SocketAddr>,
    next: AtomicUsize,
}

impl Behind for Servers {
    fn answer(&self, request: Request<Incoming>) -> BoxFuture<'static, Result<Response<AnswerBody>, Broken>> {
        let server = self.servers[self.next.fetch_add(1, Ordering::Relaxed) % self.servers.len()];
        Box::pin(async move {
            send(server, request).await.map(|answer| answer.map(|body| body.map_err(Broken::from).boxed_unsync()))
        })
    }
}
