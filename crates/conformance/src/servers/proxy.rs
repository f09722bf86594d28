//! A line to a server that a test can cut.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Bytes that are carried at once.
const PIECE_BYTES: usize = 64 << 10;

/// Connections that wait to be taken.
const WAITING_MAX: u32 = 1024;

/// What the line does, to the connections that are there and to those that come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Line {
    /// It carries everything.
    Open,
    /// It carries every piece, in both directions, so much later.
    Slow(Duration),
    /// It takes everything and carries nothing, until it is set to something else.
    Hole,
}

/// How connections end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Cut {
    /// As if both sides had closed them.
    Closed,
    /// As if both sides had crashed (RST).
    Reset,
}

/// A proxy on loopback in front of one address. Dropping it ends it and its connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    to: SocketAddr,
    line: watch::Sender<Line>,
    /// How often all connections were cut, and how the last time.
    cuts: watch::Sender<(u64, Cut)>,
    requests: Pieces,
    answers: Pieces,
    connections: AtomicU64,
}

/// What becomes of the next pieces in one direction.
#[derive(Debug, Default)]
struct Pieces {
    to_pass: AtomicU32,
    to_cut: AtomicU32,
}

impl Pieces {
    fn set(&self, pass: u32, cut: u32) {
        self.to_cut.store(0, Ordering::SeqCst);
        self.to_pass.store(pass, Ordering::SeqCst);
        self.to_cut.store(cut, Ordering::SeqCst);
    }

    /// Whether the next one is cut.
    fn cuts(&self) -> bool {
        let count_down = |left: &AtomicU32| {
            left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
        };
        !count_down(&self.to_pass) && count_down(&self.to_cut)
    }
}

impl Proxy {
    /// Starts one in front of `to`. Wants a runtime.
    ///
    /// # Panics
    ///
    /// If there is no loopback.
    pub async fn start(to: SocketAddr) -> Self {
        let listener = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            to,
            line: watch::Sender::new(Line::Open),
            cuts: watch::Sender::new((0, Cut::Closed)),
            requests: Pieces::default(),
            answers: Pieces::default(),
            connections: AtomicU64::new(0),
        });
        let listening = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self { address, shared, listening: Some(listening) }
    }

    /// In front of a server on 127.0.0.1.
    pub async fn before(port: u16) -> Self {
        Self::start(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections it took so far.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// What the line does from now on.
    pub fn set(&self, line: Line) {
        self.shared.line.send_replace(line);
    }

    /// Closes every connection that is there.
    pub fn cut(&self) {
        self.end_all(Cut::Closed);
    }

    /// Resets every connection that is there.
    pub fn reset(&self) {
        self.end_all(Cut::Reset);
    }

    fn end_all(&self, how: Cut) {
        self.shared.cuts.send_modify(|cuts| *cuts = (cuts.0 + 1, how));
    }

    /// Of the next `count` pieces that a client sends, none arrives: its connection is cut instead.
    pub fn cut_requests(&self, count: u32) {
        self.shared.requests.set(0, count);
    }

    /// Of the next `count` pieces that the server answers, none arrives: what was asked was done, and the connection is
    /// cut instead of saying so.
    pub fn cut_answers(&self, count: u32) {
        self.cut_answers_after(0, count);
    }

    /// The same, but so many pieces that the server answers arrive first.
    pub fn cut_answers_after(&self, arrive: u32, count: u32) {
        self.shared.answers.set(arrive, count);
    }

    /// How many of [`Self::cut_answers`] are still to come.
    pub fn answers_to_cut(&self) -> u32 {
        self.shared.answers.to_cut.load(Ordering::SeqCst)
    }

    /// Refuses new connections; those that are there stay.
    pub async fn refuse(&mut self) {
        if let Some(listening) = self.listening.take() {
            listening.abort();
            // Only then the socket is closed.
            let _ = listening.await;
        }
    }

    /// Takes new connections again, at the same address.
    ///
    /// # Panics
    ///
    /// If somebody else took the port meanwhile.
    pub fn take_again(&mut self) {
        if self.listening.is_none() {
            let listener = listen(self.address);
            self.listening = Some(tokio::spawn(accept(listener, Arc::clone(&self.shared))));
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(listening) = &self.listening {
            listening.abort();
        }
        self.cut();
    }
}

fn listen(address: SocketAddr) -> TcpListener {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("an option");
    socket.bind(address).expect("the address is free");
    socket.listen(WAITING_MAX).expect("it can listen")
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        shared.connections.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(carry(client, Arc::clone(&shared)));
    }
}

/// One connection, in both directions, until either ends or all are cut.
async fn carry(mut client: TcpStream, shared: Arc<Shared>) {
    let mut cuts = shared.cuts.subscribe();
    let Ok(mut server) = TcpStream::connect(shared.to).await else { return };
    let (Ok(()), Ok(())) = (client.set_nodelay(true), server.set_nodelay(true)) else { return };
    let how = {
        let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
        let cut = async { if cuts.changed().await.is_ok() { cuts.borrow().1 } else { Cut::Closed } };
        tokio::select! {
            how = cut => how,
            () = one_way(from_client, to_server, &shared, &shared.requests) => Cut::Closed,
            () = one_way(from_server, to_client, &shared, &shared.answers) => Cut::Closed,
        }
    };
    if how == Cut::Reset {
        // Without lingering, a socket that is dropped is reset. It fails only where it is gone already.
        let _ = (client.set_zero_linger(), server.set_zero_linger());
    }
}

async fn one_way(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, shared: &Shared, pieces: &Pieces) {
    let mut line = shared.line.subscribe();
    let mut piece = vec![0; PIECE_BYTES];
    while let Ok(count @ 1..) = from.read(&mut piece).await {
        if pieces.cuts() {
            return;
        }
        let now = *line.borrow_and_update();
        match now {
            Line::Open => {}
            Line::Slow(by) => tokio::time::sleep(by).await,
            Line::Hole => {
                if line.wait_for(|line| *line != Line::Hole).await.is_err() {
                    return;
                }
            }
        }
        if to.write_all(&piece[..count]).await.is_err() {
            return;
        }
    }
}
