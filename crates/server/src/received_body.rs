//! The body of a request on its way in: no faster than it is asked for, but not endlessly slow either.
//!
//! * A client that sends nothing for [`BodyPatience::pause_max`], or less than [`BODY_BYTES_PER_SECOND_MIN`] on the whole,
//!   is given up. Only the time counts in which we waited for the client, not what a slow disk of ours took.
//! * A request that is answered before its body was read (a 401, a 413) is read on for a while. If the connection were
//!   closed with bytes on their way, the client's machine would throw the answer away: TCP resets what is written to a
//!   closed socket (RFC 9112, section 9.6). Clients that hold a document's last save must see why it was refused.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use lectern_host::BoxError;
use tokio::time::{Instant, Sleep};

/// Slowest client that is waited for, in bytes per second. The slowest mobile networks carry more than ten times that.
pub const BODY_BYTES_PER_SECOND_MIN: u64 = 1024;

/// How much of a body that nobody wants is read before the connection is closed all the same, in bytes.
pub const UNWANTED_BYTES_MAX: u64 = 64 << 20;

/// How long a body that nobody wants is read.
pub const UNWANTED_TIME_MAX: Duration = Duration::from_secs(30);

/// How long a client may be slow.
#[derive(Clone, Copy, Debug)]
pub struct BodyPatience {
    /// How long it may send nothing at all.
    pub pause_max: Duration,
}

/// The client sent its body too slowly.
#[derive(Debug)]
pub struct BodyTimeout {
    received: u64,
}

impl fmt::Display for BodyTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the client stopped sending, or sent too slowly, after {} bytes", self.received)
    }
}

impl std::error::Error for BodyTimeout {}

/// The body of a request.
pub(crate) struct ReceivedBody {
    /// `None` once it failed.
    incoming: Option<Incoming>,
    patience: BodyPatience,
    /// Made when the client lets us wait for the first time: most bodies are there already.
    timer: Option<Pin<Box<Sleep>>>,
    waiting_since: Option<Instant>,
    waited: Duration,
    received: u64,
    /// Whether the client waits for `100 Continue` and so has not sent anything.
    held_back: bool,
}

impl ReceivedBody {
    pub(crate) fn new(incoming: Incoming, expects_continue: bool, patience: BodyPatience) -> Self {
        Self {
            incoming: Some(incoming),
            patience,
            timer: None,
            waiting_since: None,
            waited: Duration::ZERO,
            received: 0,
            held_back: expects_continue,
        }
    }

    /// How much longer the client may let us wait now.
    fn patience_left(&self) -> Duration {
        let earned = Duration::from_millis(self.received.saturating_mul(1000) / BODY_BYTES_PER_SECOND_MIN);
        let on_the_whole = (self.patience.pause_max + earned).saturating_sub(self.waited);
        self.patience.pause_max.min(on_the_whole)
    }
}

impl Body for ReceivedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        this.held_back = false;
        let Some(incoming) = &mut this.incoming else { return Poll::Ready(None) };
        match Pin::new(incoming).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(since) = this.waiting_since.take() {
                    this.waited += since.elapsed();
                }
                this.received += frame.data_ref().map_or(0, |data| data.len() as u64);
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                this.incoming = None;
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                if this.waiting_since.is_none() {
                    let now = Instant::now();
                    let until = now + this.patience_left();
                    this.waiting_since = Some(now);
                    match &mut this.timer {
                        Some(timer) => timer.as_mut().reset(until),
                        None => this.timer = Some(Box::pin(tokio::time::sleep_until(until))),
                    }
                }
                if let Some(timer) = &mut this.timer {
                    ready!(timer.as_mut().poll(cx));
                }
                this.incoming = None;
                Poll::Ready(Some(Err(Box::new(BodyTimeout { received: this.received }))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for ReceivedBody {
    /// Whoever drops a body has decided on the answer; the rest of it is read and thrown away meanwhile.
    fn drop(&mut self) {
        let Some(incoming) = self.incoming.take() else { return };
        if self.held_back || incoming.is_end_stream() {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(tokio::time::timeout(UNWANTED_TIME_MAX, throw_away(incoming)));
        }
    }
}

async fn throw_away(mut incoming: Incoming) {
    let mut left = UNWANTED_BYTES_MAX;
    while let Some(Ok(frame)) = incoming.frame().await {
        let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
        match left.checked_sub(bytes) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}
