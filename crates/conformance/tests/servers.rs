//! The servers for tests start, end and come again, and the proxy does to a line what it is told.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::Path;
use std::time::Duration;

use lectern_conformance::servers::{Line, Postgres, Proxy};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_postgres::NoTls;

async fn number(url: &str, sql: &str) -> Result<i32, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    client.query_one_scalar(sql, &[]).await
}

fn folders() -> Vec<std::ffi::OsString> {
    let all = std::fs::read_dir(std::env::temp_dir()).unwrap();
    let ours = format!("lectern-postgres-{}-", std::process::id());
    all.map(|entry| entry.unwrap().file_name()).filter(|name| name.to_string_lossy().starts_with(&ours)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_keeps_its_databases_when_it_is_stopped_or_killed_and_leaves_nothing_when_it_is_dropped() {
    let Some(server) = Postgres::start() else { return };
    let (one, other) = (server.database(), server.database());
    assert_ne!(one, other);
    let (_, name) = one.rsplit_once('/').unwrap();
    server.execute(name, "CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (7)");
    assert_eq!(number(&one, "SELECT n FROM t").await.unwrap(), 7);
    server.stop();
    assert!(number(&one, "SELECT n FROM t").await.is_err());
    server.start_again();
    assert_eq!(number(&one, "SELECT n FROM t").await.unwrap(), 7);
    server.kill();
    assert!(number(&one, "SELECT n FROM t").await.is_err());
    server.start_again();
    assert_eq!(number(&server.database_like(name), "SELECT n FROM t").await.unwrap(), 7);
    assert!(number(&other, "SELECT n FROM t").await.is_err());
    assert_eq!(folders().len(), 1);
    let process: u32 = number(&one, "SELECT pg_backend_pid()").await.unwrap().try_into().unwrap();
    drop(server);
    assert!(number(&one, "SELECT 1").await.is_err());
    assert_eq!(folders().len(), 0);
    assert!(!Path::new(&format!("/proc/{process}")).exists());
}

/// A server that says everything back.
async fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                tokio::io::copy(&mut from, &mut to).await
            });
        }
    });
    port
}

/// What comes back of a word; `None` if the line was cut.
async fn say(line: &mut TcpStream, word: &str) -> Option<String> {
    line.write_all(word.as_bytes()).await.ok()?;
    let mut back = vec![0; word.len()];
    line.read_exact(&mut back).await.ok()?;
    Some(String::from_utf8(back).unwrap())
}

#[tokio::test]
async fn a_line_is_cut_reset_refused_and_opened_again() {
    let mut proxy = Proxy::before(echo().await).await;
    let mut line = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(say(&mut line, "one").await.as_deref(), Some("one"));
    proxy.cut();
    assert_eq!(line.read(&mut [0]).await.unwrap(), 0);

    let mut line = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(say(&mut line, "two").await.as_deref(), Some("two"));
    proxy.reset();
    assert_eq!(line.read(&mut [0]).await.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);

    let mut line = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(say(&mut line, "three").await.as_deref(), Some("three"));
    proxy.refuse().await;
    let refused = TcpStream::connect(proxy.address()).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    assert_eq!(say(&mut line, "four").await.as_deref(), Some("four"));
    proxy.take_again();
    let mut line = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(say(&mut line, "five").await.as_deref(), Some("five"));
    assert_eq!(proxy.connections(), 4);
}

#[tokio::test]
async fn requests_and_answers_are_cut_as_often_as_was_said() {
    let proxy = Proxy::before(echo().await).await;
    for cut in [Proxy::cut_requests, Proxy::cut_answers] {
        cut(&proxy, 2);
        for expected in [None, None, Some("word")] {
            let mut line = TcpStream::connect(proxy.address()).await.unwrap();
            assert_eq!(say(&mut line, "word").await.as_deref(), expected);
        }
    }
    assert_eq!(proxy.answers_to_cut(), 0);
    proxy.cut_answers_after(2, 1);
    let mut line = TcpStream::connect(proxy.address()).await.unwrap();
    for expected in [Some("word"), Some("word"), None] {
        assert_eq!(say(&mut line, "word").await.as_deref(), expected);
    }
}

#[tokio::test]
async fn a_hole_carries_nothing_until_it_is_closed() {
    let proxy = Proxy::before(echo().await).await;
    let mut line = TcpStream::connect(proxy.address()).await.unwrap();
    proxy.set(Line::Hole);
    let waited = tokio::time::timeout(Duration::from_millis(50), say(&mut line, "word")).await;
    assert!(waited.is_err());
    proxy.set(Line::Slow(Duration::from_millis(1)));
    let mut back = [0; 4];
    line.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"word");
}
