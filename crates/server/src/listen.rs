//! The accept loop: sockets become HTTP/1 connections, connections become requests.
//!
//! Our own loop instead of a framework's, because the limits are ours: time for a request head, its size, how long a
//! body may stall, how many connections, how much memory each may hold, how long a stop waits. HTTP/1 only: office
//! servers and reverse proxies speak it to the servers behind them, and without a protocol to detect a connection costs
//! less. TLS is the reverse proxy's.
//!
//! | what | bounded by |
//! |---|---|
//! | connections | [`ListenLimits::connections_max`]; more wait in the kernel's queue until one is closed |
//! | request head | [`ListenLimits::head_bytes_max`] (431), [`ListenLimits::head_timeout`] (closed) |
//! | body | [`ListenLimits::body_pause_max`]; its size is the host's business |
//! | memory of a connection | [`CONNECTION_BUFFER_BYTES_MAX`] each way, and one frame of a body |
//! | a stop | [`ListenLimits::stop_notice`], then [`ListenLimits::stop_grace`] |

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body::Body as _;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use lectern_host::Body;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tower::util::Oneshot;
use tower::{Service, ServiceExt};

use crate::received_body::{BodyPatience, ReceivedBody};

/// How much a connection buffers of what it reads, and of what it writes, in bytes.
///
/// A hundred uploads and a hundred downloads at once hold at most 25 MiB in these buffers. A request head has to fit in.
pub const CONNECTION_BUFFER_BYTES_MAX: usize = 128 << 10;

/// How long the loop rests when the system cannot open another socket (too many open files).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a stop waits for the first request of a connection that has just been made: it is on its way.
const FIRST_REQUEST_TIME: Duration = Duration::from_secs(1);

/// The bounds of the loop.
#[derive(Clone, Copy, Debug)]
pub struct ListenLimits {
    /// Largest request head, in bytes, at most [`CONNECTION_BUFFER_BYTES_MAX`].
    pub head_bytes_max: usize,
    /// How long a client may take for a request head, and be idle before it.
    pub head_timeout: Duration,
    /// How long a client may send nothing in the middle of a body.
    pub body_pause_max: Duration,
    /// Most connections at once.
    pub connections_max: usize,
    /// How long everything goes on after a stop was asked for, so that whoever chooses between servers finds out first.
    pub stop_notice: Duration,
    /// How long a stop then waits for requests that have begun.
    pub stop_grace: Duration,
}

/// How the loop ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stopped {
    /// Connections that were cut because the grace time was over.
    pub cut: usize,
}

/// Serves connections until `stop` is ready and the notice is over, then lets requests that have begun finish. That is
/// every request on a connection that the system had taken by then.
///
/// `service_for` makes the service of one connection, whose other end is given.
pub async fn serve<M, S>(
    listener: TcpListener,
    service_for: M,
    limits: ListenLimits,
    stop: impl Future<Output = ()>,
) -> Stopped
where
    M: Fn(SocketAddr) -> S,
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_header_size(limits.head_bytes_max.min(CONNECTION_BUFFER_BYTES_MAX))
        .max_buf_size(CONNECTION_BUFFER_BYTES_MAX);

    let (stopping, stop_seen) = watch::channel(false);
    let mut connections = JoinSet::new();
    let notice = limits.stop_notice;
    let mut stop = std::pin::pin!(async {
        stop.await;
        if !notice.is_zero() {
            tokio::time::sleep(notice).await;
        }
    });
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stop => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept(), if connections.len() < limits.connections_max => accepted,
        };
        match accepted {
            Ok((socket, peer)) => {
                let connection = connection(socket, service_for(peer), &http, limits, stop_seen.clone());
                connections.spawn(connection);
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "cannot accept a connection");
                tokio::select! {
                    () = &mut stop => break,
                    () = tokio::time::sleep(ACCEPT_PAUSE) => {}
                }
            }
        }
    }
    // Whoever was let in by the system believes to have been let in by us, and may have sent a save already.
    for (socket, peer) in let_in(listener, limits.connections_max.saturating_sub(connections.len())) {
        connections.spawn(connection(socket, service_for(peer), &http, limits, stop_seen.clone()));
    }
    stopping.send_replace(true);
    let finished = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.stop_grace, finished).await.is_ok() {
        return Stopped { cut: 0 };
    }
    let cut = connections.len();
    connections.shutdown().await;
    Stopped { cut }
}

/// The connections that the system has taken for a listener, at most so many. New ones are refused from here on, instead of
/// waiting for somebody who will not come.
fn let_in(listener: TcpListener, connections_max: usize) -> Vec<(TcpStream, SocketAddr)> {
    // Asks the system itself: what the runtime knows of it may be a little old.
    let accept = |listener: &std::net::TcpListener| {
        let (socket, peer) = listener.accept().ok()?;
        socket.set_nonblocking(true).ok()?;
        Some((TcpStream::from_std(socket).ok()?, peer))
    };
    match listener.into_std() {
        Ok(listener) => std::iter::from_fn(|| accept(&listener)).take(connections_max).collect(),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot see who has just connected");
            Vec::new()
        }
    }
}

/// One connection, as long as it lasts.
fn connection<S>(
    socket: TcpStream,
    service: S,
    http: &http1::Builder,
    limits: ListenLimits,
    mut stop: watch::Receiver<bool>,
) -> impl Future<Output = ()> + Send + 'static
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    // An answer is written when it is complete; waiting for more of it would only delay it.
    let _ = socket.set_nodelay(true);
    let patience = BodyPatience { pause_max: limits.body_pause_max };
    let begun = Arc::new(Notify::new());
    let connected = Connected { service, patience, begun: Arc::clone(&begun) };
    let connection = http.serve_connection(TokioIo::new(socket), connected);
    async move {
        let mut connection = std::pin::pin!(connection);
        let stopping = async {
            let _ = stop.wait_for(|stop| *stop).await;
            // Where nothing was read yet hyper would close at once.
            let _ = tokio::time::timeout(FIRST_REQUEST_TIME, begun.notified()).await;
        };
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stopping => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            // A client that goes away or sends no HTTP is nothing an operator has to do something about.
            tracing::debug!(error = &error as &dyn std::error::Error, "a connection ended early");
        }
    }
}

/// The service as hyper calls it: with the body that came over the wire.
struct Connected<S> {
    service: S,
    patience: BodyPatience,
    /// Told when a request comes.
    begun: Arc<Notify>,
}

impl<S> hyper::service::Service<Request<Incoming>> for Connected<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Oneshot<S, Request<Body>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.begun.notify_one();
        self.service.clone().oneshot(received(request, self.patience))
    }
}

/// The request with its body as the service wants it.
fn received(request: Request<Incoming>, patience: BodyPatience) -> Request<Body> {
    let expects_continue = request.headers().contains_key(http::header::EXPECT);
    request.map(|incoming| {
        if incoming.is_end_stream() {
            Empty::new().map_err(|never: Infallible| match never {}).boxed_unsync()
        } else {
            ReceivedBody::new(incoming, expects_continue, patience).boxed_unsync()
        }
    })
}

/// Whether accepting failed because of the other end, so that the next one may be fine.
fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
