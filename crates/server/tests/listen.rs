#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]
//! The accept loop, seen through a socket: what a client sends byte by byte, and what comes back.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use lectern_host::Body;
use lectern_server::listen::{ListenLimits, Stopped, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

const LIMITS: ListenLimits = ListenLimits {
    head_bytes_max: 64 << 10,
    head_timeout: Duration::from_secs(20),
    body_pause_max: Duration::from_secs(20),
    connections_max: 100,
    stop_notice: Duration::ZERO,
    stop_grace: Duration::from_secs(20),
};

/// Longer than any test may take.
const TOO_LONG: Duration = Duration::from_secs(60);

struct Running {
    at: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Stopped>,
    /// Answers to requests for `/held` wait for a message here.
    release: mpsc::Sender<()>,
    /// Something comes out for each `/held` request that arrived.
    arrived: mpsc::Receiver<()>,
}

/// `/unread` answers 409 without reading the body, `/held` waits, everything else answers the length of the body.
async fn start(limits: ListenLimits) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let (release, released) = mpsc::channel::<()>(100);
    let released = std::sync::Arc::new(tokio::sync::Mutex::new(released));
    let (arrive, arrived) = mpsc::channel::<()>(100);
    let service = tower::service_fn(move |request: Request<Body>| {
        let (released, arrive) = (std::sync::Arc::clone(&released), arrive.clone());
        async move {
            let (status, text) = match request.uri().path() {
                "/unread" => (409, "held by somebody else".to_owned()),
                "/held" => {
                    arrive.send(()).await.unwrap();
                    released.lock().await.recv().await;
                    (200, "released".to_owned())
                }
                _ => match request.into_body().collect().await {
                    Ok(body) => (200, format!("{} bytes", body.to_bytes().len())),
                    Err(error) => (400, error.to_string()),
                },
            };
            let body = Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync();
            Ok::<_, Infallible>(Response::builder().status(status).body(body).unwrap())
        }
    });
    let ended = tokio::spawn(serve(listener, move |_| service.clone(), limits, async {
        let _ = stopped.await;
    }));
    Running { at, stop, ended, release, arrived }
}

/// Reads one answer with a `content-length`: its status and body.
async fn answer(socket: &mut TcpStream) -> (u16, String) {
    let reading = async {
        let mut bytes = Vec::new();
        loop {
            let head_end = bytes.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4);
            if let Some(head_end) = head_end {
                let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap().to_lowercase();
                let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
                let length = head
                    .split("content-length: ")
                    .nth(1)
                    .map_or(0, |rest| rest.lines().next().unwrap().parse().unwrap());
                if bytes.len() >= head_end + length {
                    return (status, String::from_utf8(bytes[head_end..head_end + length].to_vec()).unwrap());
                }
            }
            let read = socket.read_buf(&mut bytes).await.unwrap();
            assert!(read > 0, "closed after {:?}", String::from_utf8_lossy(&bytes));
        }
    };
    tokio::time::timeout(TOO_LONG, reading).await.expect("an answer comes")
}

async fn send(at: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut socket = TcpStream::connect(at).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    socket
}

/// Whatever still comes until the other end closes.
async fn rest(socket: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    tokio::time::timeout(TOO_LONG, socket.read_to_end(&mut bytes)).await.expect("it is closed").unwrap();
    bytes
}

#[tokio::test]
async fn several_requests_share_a_connection() {
    let running = start(LIMITS).await;
    let mut socket = send(running.at, b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello").await;
    assert_eq!(answer(&mut socket).await, (200, "5 bytes".to_owned()));
    socket.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert_eq!(answer(&mut socket).await, (200, "0 bytes".to_owned()));
}

#[tokio::test]
async fn an_answer_arrives_although_the_body_was_not_read() {
    let running = start(LIMITS).await;
    let length = 20 << 20;
    let head = format!("POST /unread HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
    let mut socket = send(running.at, head.as_bytes()).await;
    // As most clients do: everything is sent before anything is read.
    let piece = vec![7; 64 << 10];
    for _ in 0..length / piece.len() {
        tokio::time::timeout(TOO_LONG, socket.write_all(&piece)).await.expect("it is taken").unwrap();
    }
    assert_eq!(answer(&mut socket).await, (409, "held by somebody else".to_owned()));
    // And the connection is still good.
    socket.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert_eq!(answer(&mut socket).await, (200, "0 bytes".to_owned()));
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_go_on_only_if_the_body_is_wanted() {
    let running = start(LIMITS).await;
    let head = |path| format!("POST {path} HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n");
    let mut socket = send(running.at, head("/").as_bytes()).await;
    assert_eq!(answer(&mut socket).await.0, 100);
    socket.write_all(b"hello").await.unwrap();
    assert_eq!(answer(&mut socket).await, (200, "5 bytes".to_owned()));

    let mut socket = send(running.at, head("/unread").as_bytes()).await;
    assert_eq!(answer(&mut socket).await.0, 409);
    assert_eq!(rest(&mut socket).await, b"", "closed: what comes next could be the body or a request");
}

#[tokio::test]
async fn a_request_head_has_a_size() {
    let running = start(LIMITS).await;
    let head = |bytes: usize| format!("GET / HTTP/1.1\r\nhost: x\r\nx-padding: {}\r\n\r\n", "x".repeat(bytes));
    let mut socket = send(running.at, head(60 << 10).as_bytes()).await;
    assert_eq!(answer(&mut socket).await.0, 200);
    let mut socket = send(running.at, head(64 << 10).as_bytes()).await;
    assert_eq!(answer(&mut socket).await.0, 431);
}

#[tokio::test]
async fn a_client_that_never_finishes_its_request_head_is_closed() {
    let running = start(ListenLimits { head_timeout: Duration::from_millis(50), ..LIMITS }).await;
    let mut socket = send(running.at, b"GET / HTTP/1.1\r\nhost: x\r\n").await;
    let _ = rest(&mut socket).await;
    let mut idle = send(running.at, b"").await;
    assert_eq!(rest(&mut idle).await, b"");
}

#[tokio::test]
async fn a_client_that_stops_in_the_middle_of_its_body_is_given_up() {
    let running = start(ListenLimits { body_pause_max: Duration::from_millis(50), ..LIMITS }).await;
    let mut socket = send(running.at, b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhello").await;
    let (status, text) = answer(&mut socket).await;
    assert_eq!(status, 400);
    assert!(text.contains("after 5 bytes"), "{text}");
}

#[tokio::test]
async fn more_connections_than_allowed_wait_for_their_turn() {
    let running = start(ListenLimits { connections_max: 1, ..LIMITS }).await;
    let mut first = send(running.at, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    answer(&mut first).await;
    let mut second = send(running.at, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    // The first still is served while the second waits.
    first.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    answer(&mut first).await;
    let mut byte = [0];
    assert_eq!(second.try_read(&mut byte).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    drop(first);
    assert_eq!(answer(&mut second).await.0, 200);
}

#[tokio::test]
async fn a_stop_lets_a_request_finish_and_takes_no_new_one() {
    let mut running = start(LIMITS).await;
    let mut held = send(running.at, b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n").await;
    running.arrived.recv().await.unwrap();
    let mut idle = send(running.at, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    answer(&mut idle).await;

    running.stop.send(()).unwrap();
    assert_eq!(rest(&mut idle).await, b"", "an idle connection is closed");
    assert!(TcpStream::connect(running.at).await.is_err(), "nobody listens any more");
    assert!(!running.ended.is_finished());
    running.release.send(()).await.unwrap();
    assert_eq!(answer(&mut held).await, (200, "released".to_owned()));
    assert_eq!(running.ended.await.unwrap(), Stopped { cut: 0 });
}

#[tokio::test]
async fn a_stop_is_announced_and_until_then_everybody_is_let_in() {
    let running = start(ListenLimits { stop_notice: Duration::from_secs(3600), ..LIMITS }).await;
    let mut idle = send(running.at, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    answer(&mut idle).await;
    running.stop.send(()).unwrap();
    tokio::task::yield_now().await;
    let mut new = send(running.at, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(answer(&mut new).await.0, 200);
    idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert_eq!(answer(&mut idle).await.0, 200);
    assert!(!running.ended.is_finished());
    running.ended.abort();

    let running = start(ListenLimits { stop_notice: Duration::from_millis(20), ..LIMITS }).await;
    running.stop.send(()).unwrap();
    assert_eq!(running.ended.await.unwrap(), Stopped { cut: 0 });
    assert!(TcpStream::connect(running.at).await.is_err(), "nobody listens any more");
}

/// On one thread, so that the loop does not run before it is waited for: the connection is still in the system's queue.
#[tokio::test(flavor = "current_thread")]
async fn who_was_let_in_by_the_system_when_a_stop_comes_is_answered() {
    let running = start(LIMITS).await;
    tokio::task::yield_now().await;
    let mut sockets = Vec::new();
    for request in [&b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello"[..], b""] {
        let mut socket = std::net::TcpStream::connect(running.at).unwrap();
        std::io::Write::write_all(&mut socket, request).unwrap();
        socket.set_nonblocking(true).unwrap();
        sockets.push(TcpStream::from_std(socket).unwrap());
    }
    running.stop.send(()).unwrap();
    assert_eq!(answer(&mut sockets[0]).await, (200, "5 bytes".to_owned()));
    assert!(TcpStream::connect(running.at).await.is_err(), "nobody listens any more");
    sockets[1].write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert_eq!(answer(&mut sockets[1]).await.0, 200, "its request was on its way");
    for socket in &mut sockets {
        assert_eq!(rest(socket).await, b"");
    }
    assert_eq!(running.ended.await.unwrap(), Stopped { cut: 0 });
}

#[tokio::test]
async fn a_stop_does_not_wait_longer_than_its_grace() {
    let mut running = start(ListenLimits { stop_grace: Duration::from_millis(50), ..LIMITS }).await;
    let mut held = send(running.at, b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n").await;
    running.arrived.recv().await.unwrap();
    running.stop.send(()).unwrap();
    assert_eq!(running.ended.await.unwrap(), Stopped { cut: 1 });
    let mut bytes = Vec::new();
    let _ = held.read_to_end(&mut bytes).await;
    assert!(bytes.is_empty());
}

#[tokio::test]
async fn nonsense_is_refused_and_the_loop_goes_on() {
    let running = start(LIMITS).await;
    for nonsense in
        [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b"HELO mail\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\0\0\0\0\r\n\r\n"]
    {
        let mut socket = send(running.at, nonsense).await;
        let _ = socket.shutdown().await;
        let _ = rest(&mut socket).await;
    }
    let mut socket = send(running.at, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(answer(&mut socket).await.0, 200);
}
