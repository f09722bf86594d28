//! An HTTP/1.1 client that sends exactly the bytes it is told to, wrong ones too.
//!
//! A proper client library would correct or refuse most of what these tests are about.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long to wait for one answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);
/// Most bytes of an answer's head.
const HEAD_BYTES_MAX: usize = 256 << 10;
/// Most bytes of an answer's body.
const BODY_BYTES_MAX: usize = 256 << 20;

/// A request as it will stand on the wire.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    method: &'static str,
    target: String,
    host: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    /// Whether `Content-Length` follows from the body; off when a test announces something else.
    announce: bool,
}

impl Request {
    pub(crate) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub(crate) fn post(target: &str) -> Self {
        Self::new("POST", target)
    }

    fn new(method: &'static str, target: &str) -> Self {
        let (target, host) = (target.to_owned(), "127.0.0.1".to_owned());
        Self { method, target, host, headers: Vec::new(), body: Vec::new(), announce: true }
    }

    /// For this host; otherwise it is an address without a port.
    pub(crate) fn host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    /// With one more header; the value is sent as it is.
    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// With this body, announced truly.
    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// With these bytes behind the head and no header that follows from them.
    pub(crate) fn raw_body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = bytes.into();
        self.announce = false;
        self
    }

    /// The bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\nHost: {}\r\n", self.method, self.target, self.host).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        if self.announce {
            bytes.extend_from_slice(format!("Content-Length: {}\r\n", self.body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// What came back.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The value of a header; `None` if it was not sent. The tests fail if it was sent twice: no answer of ours may.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "the answer has {name} twice: {self:?}");
        value
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = &self.body[..self.body.len().min(200)];
        write!(
            f,
            "{} {:?} body {:?} ({} bytes)",
            self.status,
            self.headers,
            String::from_utf8_lossy(shown),
            self.body.len()
        )
    }
}

/// One kept-alive connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    /// Read but not yet used.
    rest: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = within(TcpStream::connect(address)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, rest: Vec::new() })
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn send(&mut self, request: &Request) -> io::Result<Answer> {
        self.write(&request.encode()).await?;
        self.answer().await
    }

    /// Sends bytes.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        within(self.stream.write_all(bytes)).await
    }

    /// Sends bytes while reading the answer, which may come before the last of them was taken: a server that refuses a
    /// body does not read it to the end.
    pub(crate) async fn write_and_answer(mut self, bytes: &[u8]) -> io::Result<Answer> {
        let (read, mut write) = self.stream.into_split();
        let mut reader = Reader { stream: read, rest: std::mem::take(&mut self.rest) };
        let answering = within(reader.answer());
        tokio::pin!(answering);
        tokio::select! {
            answer = &mut answering => answer,
            _ = write.write_all(bytes) => answering.await,
        }
    }

    /// Says that nothing more will be sent, as a client does that dies in the middle.
    pub(crate) async fn cut(mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }

    /// Says that nothing more will be sent and reads what the server has to say to that, if anything.
    pub(crate) async fn cut_and_answer(mut self) -> io::Result<Answer> {
        self.stream.shutdown().await?;
        self.answer().await
    }

    /// Reads one answer; 1xx answers are passed over.
    pub(crate) async fn answer(&mut self) -> io::Result<Answer> {
        let mut reader = Reader { stream: &mut self.stream, rest: std::mem::take(&mut self.rest) };
        let answer = within(reader.answer()).await;
        self.rest = reader.rest;
        answer
    }
}

/// One request on a connection of its own.
pub(crate) async fn once(address: SocketAddr, request: &Request) -> io::Result<Answer> {
    Connection::open(address).await?.send(request).await
}

async fn within<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(ANSWER_TIME_MAX, work)
        .await
        .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time")))
}

struct Reader<R> {
    stream: R,
    rest: Vec<u8>,
}

impl<R: tokio::io::AsyncRead + Unpin> Reader<R> {
    async fn answer(&mut self) -> io::Result<Answer> {
        loop {
            let (status, headers) = self.head().await?;
            if (100..200).contains(&status) {
                continue;
            }
            let value = |name: &str| headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, v)| v);
            let body = if value("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
                self.chunks().await?
            } else if let Some(length) = value("content-length") {
                let length = length.parse().map_err(|_| invalid("a Content-Length that is no number"))?;
                self.exactly(length).await?
            } else if matches!(status, 204 | 304) {
                Vec::new()
            } else {
                self.until_closed().await?
            };
            return Ok(Answer { status, headers, body });
        }
    }

    async fn head(&mut self) -> io::Result<(u16, Vec<(String, String)>)> {
        let status_line = self.line().await?;
        let status = status_line
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3))
            .and_then(|digits| digits.parse().ok())
            .ok_or_else(|| invalid("no status line"))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                return Ok((status, headers));
            }
            let (name, value) = line.split_once(':').ok_or_else(|| invalid("a header without colon"))?;
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
    }

    async fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line().await?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(digits, 16).map_err(|_| invalid("a chunk size that is no number"))?;
            if size == 0 {
                while !self.line().await?.is_empty() {}
                return Ok(body);
            }
            body.extend(self.exactly(size).await?);
            if !self.line().await?.is_empty() || body.len() > BODY_BYTES_MAX {
                return Err(invalid("a chunk that does not end where it says, or too many of them"));
            }
        }
    }

    async fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.rest.windows(2).position(|two| two == b"\r\n") {
                let line = String::from_utf8_lossy(&self.rest[..end]).into_owned();
                self.rest.drain(..end + 2);
                return Ok(line);
            }
            if self.rest.len() > HEAD_BYTES_MAX {
                return Err(invalid("an endless line"));
            }
            self.more().await?;
        }
    }

    async fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        if length > BODY_BYTES_MAX {
            return Err(invalid("a body larger than the tests expect"));
        }
        let have = length.min(self.rest.len());
        let mut body: Vec<u8> = self.rest.drain(..have).collect();
        body.resize(length, 0);
        self.stream.read_exact(&mut body[have..]).await?;
        Ok(body)
    }

    async fn until_closed(&mut self) -> io::Result<Vec<u8>> {
        let mut body = std::mem::take(&mut self.rest);
        let mut limited = (&mut self.stream).take(BODY_BYTES_MAX as u64);
        limited.read_to_end(&mut body).await?;
        Ok(body)
    }

    async fn more(&mut self) -> io::Result<()> {
        self.rest.reserve(16 << 10);
        match self.stream.read_buf(&mut self.rest).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
