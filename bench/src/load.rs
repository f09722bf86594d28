//! The load generator: prepared bytes over kept-alive connections, and as little work per answer as possible.
//!
//! It runs on the machine that it measures, so whatever it does is taken from the server, on both sides the same. One
//! thread, no allocation per request; of an answer it reads the status and the length and throws the rest away.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, TryStreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long a turn runs before it is measured.
const WARM_UP: Duration = Duration::from_millis(300);
/// How long one answer may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);
/// What is read at once.
const READ_BYTES: usize = 256 << 10;

/// What one connection sends, over and over, in this order. A turn goes on where the one before stopped.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    requests: Vec<Bytes>,
    at: usize,
}

impl Script {
    /// These requests; at least one.
    pub(crate) fn new(requests: Vec<Bytes>) -> Self {
        Self { requests, at: 0 }
    }

    /// The same request on so many connections.
    pub(crate) fn repeat(request: &Bytes, connections: usize) -> Vec<Self> {
        vec![Self::new(vec![request.clone()]); connections]
    }

    fn next(&mut self) -> Bytes {
        self.at = (self.at + 1) % self.requests.len();
        self.requests[self.at].clone()
    }
}

/// What was done in one turn, within the measured time.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Done {
    /// Requests that were answered.
    pub(crate) requests: u64,
    /// Bytes of bodies that were received.
    pub(crate) bytes: u64,
}

/// One turn: all scripts at once, one connection each, for `turn` after a warm-up. Every answer must be a 200. Of several
/// addresses the connections go to one after the other.
pub(crate) fn turn(addresses: &[SocketAddr], scripts: &mut [Script], turn: Duration) -> anyhow::Result<Done> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let from = Instant::now() + WARM_UP;
    let window = Window { from, to: from + turn };
    runtime.block_on(async {
        let all: FuturesUnordered<_> = addresses
            .iter()
            .cycle()
            .zip(scripts.iter_mut())
            .map(|(address, script)| converse(*address, script, window))
            .collect();
        let add = async |sum: Done, one: Done| {
            Ok(Done { requests: sum.requests + one.requests, bytes: sum.bytes + one.bytes })
        };
        all.try_fold(Done::default(), add).await
    })
}

/// Sends each of these once, one after the other on one connection, and says how long each took.
pub(crate) fn one_by_one(address: SocketAddr, requests: &[[Bytes; 2]]) -> anyhow::Result<Vec<Duration>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let window = Window { from: Instant::now(), to: Instant::now() + ANSWER_TIME_MAX * 100 };
    runtime.block_on(async {
        let mut connection = Connection::open(address).await?;
        let mut took = Vec::with_capacity(requests.len());
        for [head, body] in requests {
            let begun = Instant::now();
            connection.stream.write_all(head).await?;
            connection.stream.write_all(body).await?;
            connection.receive(window, &mut Done::default()).await?;
            took.push(begun.elapsed());
        }
        Ok(took)
    })
}

/// The body of the answer to one request.
pub(crate) fn fetch(address: SocketAddr, request: &[u8]) -> anyhow::Result<Vec<u8>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut connection = Connection::open(address).await?;
        connection.stream.write_all(request).await?;
        let head = connection.head().await?;
        ensure!(head.length <= READ_BYTES, "an answer of {} bytes where a small one was expected", head.length);
        let mut body = connection.buffer[head.end..connection.filled].to_vec();
        let have = body.len();
        body.resize(head.length, 0);
        connection.stream.read_exact(&mut body[have..]).await?;
        Ok(body)
    })
}

/// Uploads and downloads, all at once: each sends its head, then `pieces` times `piece`, and reads its answer.
pub(crate) struct Transfer {
    pub(crate) head: Bytes,
    pub(crate) piece: Bytes,
    pub(crate) pieces: usize,
}

/// Carries out all transfers at once, within `time_max`.
pub(crate) fn transfer(address: SocketAddr, transfers: &[Transfer], time_max: Duration) -> anyhow::Result<Done> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let window = Window { from: Instant::now(), to: Instant::now() + time_max };
    runtime.block_on(async {
        let one = async |transfer: &Transfer| {
            let mut connection = Connection::open(address).await?;
            connection.stream.write_all(&transfer.head).await?;
            for _ in 0..transfer.pieces {
                connection.stream.write_all(&transfer.piece).await?;
            }
            let mut done = Done::default();
            connection.receive(window, &mut done).await?;
            anyhow::Ok(done)
        };
        let all: FuturesUnordered<_> = transfers.iter().map(one).collect();
        let add = async |sum: Done, one: Done| {
            Ok(Done { requests: sum.requests + one.requests, bytes: sum.bytes + one.bytes })
        };
        tokio::time::timeout(time_max, all.try_fold(Done::default(), add))
            .await
            .context("the transfers took too long")?
    })
}

/// What is measured.
#[derive(Clone, Copy)]
struct Window {
    from: Instant,
    to: Instant,
}

impl Window {
    fn has(self, now: Instant) -> bool {
        self.from <= now && now < self.to
    }
}

async fn converse(address: SocketAddr, script: &mut Script, window: Window) -> anyhow::Result<Done> {
    let mut connection = Connection::open(address).await?;
    let mut done = Done::default();
    while Instant::now() < window.to {
        connection.stream.write_all(&script.next()).await?;
        let answer = tokio::time::timeout(ANSWER_TIME_MAX, connection.receive(window, &mut done));
        answer.await.context("no answer in time")??;
    }
    Ok(done)
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

struct Head {
    /// Where the body begins in the buffer.
    end: usize,
    /// How long it is.
    length: usize,
}

impl Connection {
    async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; READ_BYTES], filled: 0 })
    }

    /// Reads one answer and counts what falls into the measured time. What comes after it is given up.
    async fn receive(&mut self, window: Window, done: &mut Done) -> anyhow::Result<()> {
        let head = self.head().await?;
        let mut missing = head.length - (self.filled - head.end);
        let mut counted = self.filled - head.end;
        loop {
            let now = Instant::now();
            if window.has(now) {
                done.bytes += counted as u64;
            }
            if missing == 0 {
                done.requests += u64::from(window.has(now));
                return Ok(());
            }
            if now >= window.to {
                return Ok(());
            }
            let room = missing.min(self.buffer.len());
            counted = self.stream.read(&mut self.buffer[..room]).await?;
            ensure!(counted > 0, "the connection was closed in the middle of a body");
            missing -= counted;
        }
    }

    /// Reads at least the head of an answer.
    async fn head(&mut self) -> anyhow::Result<Head> {
        self.filled = 0;
        loop {
            let count = self.stream.read(&mut self.buffer[self.filled..]).await?;
            ensure!(count > 0, "the connection was closed before an answer");
            self.filled += count;
            let read = &self.buffer[..self.filled];
            if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = Head { end: end + 4, length: length_of(&read[..end])? };
                ensure!(self.filled - head.end <= head.length, "more came than was announced");
                return Ok(head);
            }
            ensure!(self.filled < self.buffer.len(), "an answer without end of its head");
        }
    }
}

/// The length of the body that the head of a 200 announces.
fn length_of(head: &[u8]) -> anyhow::Result<usize> {
    if !head.starts_with(b"HTTP/1.1 200") {
        bail!("answered {}", String::from_utf8_lossy(head));
    }
    let name = b"\r\ncontent-length:";
    let start = head.windows(name.len()).position(|found| found.eq_ignore_ascii_case(name));
    let value = &head[start.context("an answer without length")? + name.len()..];
    let value = value.split(|byte| *byte == b'\r').next().unwrap_or_default();
    std::str::from_utf8(value)?.trim().parse().context("a length that is no number")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    #[test]
    fn a_head_tells_the_length_of_a_200_and_nothing_else_is_taken() {
        assert_eq!(length_of(b"HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 12\r\nC: d").unwrap(), 12);
        assert_eq!(length_of(b"HTTP/1.1 200 OK\r\ncontent-length:0").unwrap(), 0);
        for bad in
            ["HTTP/1.1 409 Conflict\r\nContent-Length: 0", "HTTP/1.1 200 OK", "HTTP/1.1 200 OK\r\nContent-Length: x"]
        {
            assert!(length_of(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_turn_counts_answers_and_bytes_and_goes_through_the_script() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 2];
            // Ends when the turn closes the connection.
            while stream.read_exact(&mut request).is_ok() {
                let body = if request == *b"a\n" { "12345678" } else { "1234" };
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        let mut scripts = [Script::new(vec![Bytes::from_static(b"a\n"), Bytes::from_static(b"b\n")])];
        let done = turn(&[address], &mut scripts, Duration::from_millis(50)).unwrap();
        assert!(done.requests > 1, "{done:?}");
        // Eight and four bytes take turns.
        assert!(done.bytes.abs_diff(done.requests * 6) <= 8, "{done:?}");
    }

    #[test]
    fn a_refusal_ends_the_turn() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 2];
            stream.read_exact(&mut request).unwrap();
            stream.write_all(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n").unwrap();
        });
        let mut scripts = Script::repeat(&Bytes::from_static(b"a\n"), 1);
        let error = turn(&[address], &mut scripts, Duration::from_millis(50)).unwrap_err();
        assert!(format!("{error:#}").contains("500 Oh"), "{error:#}");
    }
}
