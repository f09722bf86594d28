//! What stands before a server so that it can be made to fail: it passes requests on, unless a test told it otherwise.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::handshake;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// Why a request gets no answer, or not all of it.
pub(super) type Broken = Box<dyn std::error::Error + Send + Sync>;

/// The body of an answer on its way back.
pub(super) type AnswerBody = UnsyncBoxBody<Bytes, Broken>;

/// The answer with it.
type Answer = Response<AnswerBody>;

/// Who answers when nothing is made to fail.
pub(super) trait Behind: Send + Sync + 'static {
    /// Answers.
    fn answer(&self, request: Request<Incoming>) -> BoxFuture<'static, Result<Answer, Broken>>;
}

/// What happens to a request instead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// This status, with an error document of this code. The server never sees the request.
    Refuse {
        /// The status.
        status: u16,
        /// `Code` of the error document.
        code: &'static str,
    },
    /// The connection is closed. The server never sees the request.
    Close,
    /// The server does what was asked, then the connection is closed without an answer.
    LoseAnswer,
    /// The answer breaks off after so many bytes of its body.
    CutAfter(u64),
    /// There is no answer, ever. The server never sees the request.
    Hang,
}

/// Which requests a fault waits for. A field that is empty wants nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Wanted {
    /// The method.
    pub method: &'static str,
    /// A part of path and query.
    pub target: &'static str,
    /// A part of path and query that must not be there.
    pub not: &'static str,
}

impl Wanted {
    /// Every request.
    pub const ANY: Self = Self { method: "", target: "", not: "" };

    fn is(&self, method: &str, target: &str) -> bool {
        (self.method.is_empty() || self.method == method)
            && target.contains(self.target)
            && (self.not.is_empty() || !target.contains(self.not))
    }
}

/// How many requests are remembered.
const LOG_MAX: usize = 10_000;

/// The faults that wait for requests, and what was asked for.
#[derive(Debug, Default)]
pub struct Faults(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<(Wanted, Fault)>,
    log: VecDeque<String>,
}

impl Faults {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the next `count` requests fail that are wanted and that no earlier fault waits for.
    pub fn fail(&self, count: usize, wanted: Wanted, fault: &Fault) {
        self.state().waiting.extend((0..count).map(|_| (wanted, fault.clone())));
    }

    /// Forgets the faults that nothing ran into; how many those were.
    pub fn forget(&self) -> usize {
        std::mem::take(&mut self.state().waiting).len()
    }

    /// The requests since the last call: the method, a space, path and query.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.state().log).into()
    }

    fn fault(&self, method: &Method, target: &str) -> Option<Fault> {
        let mut state = self.state();
        if state.log.len() == LOG_MAX {
            state.log.pop_front();
        }
        state.log.push_back(format!("{method} {target}"));
        let at = state.waiting.iter().position(|(wanted, _)| wanted.is(method.as_str(), target))?;
        state.waiting.remove(at).map(|(_, fault)| fault)
    }
}

/// The front while it listens.
pub(super) struct Front {
    faults: Arc<Faults>,
    behind: Arc<dyn Behind>,
    at: SocketAddr,
    listening: Option<JoinHandle<()>>,
}

impl Front {
    /// Listens on a free port.
    pub(super) async fn start(behind: Arc<dyn Behind>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback can be had");
        let at = listener.local_addr().expect("a listener has an address");
        let mut front = Self { faults: Arc::default(), behind, at, listening: None };
        front.listen(listener);
        front
    }

    fn listen(&mut self, listener: TcpListener) {
        let (faults, behind) = (Arc::clone(&self.faults), Arc::clone(&self.behind));
        self.listening = Some(tokio::spawn(async move {
            // Aborting this task drops the set, and with it every connection.
            let mut connections = JoinSet::new();
            loop {
                let Ok((socket, _)) = listener.accept().await else { continue };
                while connections.try_join_next().is_some() {}
                connections.spawn(serve(socket, Arc::clone(&faults), Arc::clone(&behind)));
            }
        }));
    }

    pub(super) fn faults(&self) -> &Faults {
        &self.faults
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.at
    }

    /// Closes every connection and takes no new one: whoever connects is refused.
    pub(super) async fn stop(&mut self) {
        if let Some(listening) = self.listening.take() {
            listening.abort();
            // It was aborted: that is all it can say.
            let _ = listening.await;
        }
    }

    /// Listens again, on the same port.
    pub(super) async fn start_again(&mut self) {
        self.stop().await;
        let listener = TcpListener::bind(self.at).await.expect("the port that was ours can be had again");
        self.listen(listener);
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        if let Some(listening) = &self.listening {
            listening.abort();
        }
    }
}

async fn serve(socket: TcpStream, faults: Arc<Faults>, behind: Arc<dyn Behind>) {
    let service = service_fn(|request| handle(request, Arc::clone(&faults), Arc::clone(&behind)));
    // An error here is a client that went away, or a fault that a test asked for.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
}

async fn handle(request: Request<Incoming>, faults: Arc<Faults>, behind: Arc<dyn Behind>) -> Result<Answer, Broken> {
    let target = request.uri().path_and_query().map_or("", |target| target.as_str());
    match faults.fault(request.method(), target) {
        None => behind.answer(request).await,
        Some(Fault::Refuse { status, code }) => {
            // A server that answers before it has read all may make the client see a reset instead of the answer.
            let _ = request.into_body().collect().await;
            Ok(refusal(status, code))
        }
        Some(Fault::Close) => Err("told to close the connection".into()),
        Some(Fault::LoseAnswer) => {
            // Only when the body of the answer was read has everything been done.
            behind.answer(request).await?.into_body().collect().await?;
            Err("told to lose the answer".into())
        }
        Some(Fault::CutAfter(bytes)) => {
            let (mut parts, body) = behind.answer(request).await?.into_parts();
            let exact = body.size_hint().exact();
            if let (Some(length), false) = (exact, parts.headers.contains_key(CONTENT_LENGTH)) {
                parts.headers.insert(CONTENT_LENGTH, length.into());
            }
            Ok(Response::from_parts(parts, Cut { body, left: bytes, is_sent: false }.boxed_unsync()))
        }
        Some(Fault::Hang) => std::future::pending().await,
    }
}

/// Passes a request on to a server, on a connection of its own.
pub(super) async fn send<B>(at: SocketAddr, request: Request<B>) -> Result<Response<Incoming>, Broken>
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Broken>,
{
    let socket = TcpStream::connect(at).await?;
    let (mut sender, connection) = handshake(TokioIo::new(socket)).await?;
    tokio::spawn(connection);
    Ok(sender.send_request(request).await?)
}

fn refusal(status: u16, code: &str) -> Answer {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>told to say so</Message></Error>"
    );
    let mut answer =
        Response::new(Full::new(Bytes::from(text)).map_err(|never: Infallible| match never {}).boxed_unsync());
    *answer.status_mut() = StatusCode::from_u16(status).expect("a fault has a status that there is");
    answer.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/xml"));
    answer
}

/// A body that breaks off, after what came before it was sent.
struct Cut {
    body: UnsyncBoxBody<Bytes, Broken>,
    left: u64,
    is_sent: bool,
}

impl http_body::Body for Cut {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if self.left == 0 && !self.is_sent {
            // Who has nothing at the moment is asked again after everything was written out.
            self.is_sent = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.left == 0 {
            return Poll::Ready(Some(Err("told to break off".into())));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context)?);
        Poll::Ready(frame.map(|frame| {
            Ok(frame.map_data(|mut data| {
                data.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
                self.left -= data.len() as u64;
                data
            }))
        }))
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
