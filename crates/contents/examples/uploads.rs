//! How much memory many large uploads into an object store take at once.
//!
//! ```sh
//! cargo run --release -p lectern-contents --example uploads -- [UPLOADS [MEGABYTES [BUDGET_MEGABYTES]]]
//! ```
//!
//! 50 uploads of 200 MB each unless told otherwise. The store is the S3 server of the tests in a process of its own, whose
//! memory does not count; all it gets is on the disk until the end. Not a test: how long it takes says something of the
//! machine only.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a measurement")]

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use http_body_util::{BodyExt as _, StreamBody};
use lectern_conformance::servers::S3;
use lectern_contents::Objects;
use lectern_contents::objects::{ObjectsSettings, S3Credentials, S3Settings, StoreSettings};
use lectern_host::ports::Contents as _;
use lectern_host::records::{ContentId, Timestamp};
use lectern_host::{Body, BoxError};

/// Frames as they come from a network.
const FRAME: usize = 64 << 10;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "serve") {
        return serve().await;
    }
    let number = |at: usize, default: u64| arguments.get(at).map_or(default, |text| text.parse().expect("a number"));
    let (uploads, megabytes, budget) = (number(0, 50), number(1, 200), number(2, 128));

    let mut server = Command::new(std::env::current_exe().unwrap());
    let mut server = server.arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut said).unwrap();
    let mut words = said.trim().split('\t').map(str::to_owned);
    let mut word = || words.next().expect("the server says where it is and who may use it");
    let (endpoint, bucket, id, secret) = (word(), word(), word(), word());
    let settings = S3Settings {
        endpoint: Some(endpoint),
        path_style: true,
        allow_http: true,
        credentials: S3Credentials::Key { id, secret, session_token: None },
        ..S3Settings::new(bucket, "us-east-1")
    };
    let settings =
        ObjectsSettings { upload_memory_bytes_max: budget << 20, ..ObjectsSettings::new(StoreSettings::S3(settings)) };
    let objects = Objects::open(&settings).unwrap();
    objects.check().await.unwrap();

    println!("before: {} MB", memory_megabytes_max());
    let began = Instant::now();
    let waited = AtomicU64::new(0);
    let puts = (0..uploads).map(|number| {
        let (objects, waited) = (objects.clone(), &waited);
        async move {
            let mut random = [0; 10];
            random[2..].copy_from_slice(&number.to_be_bytes());
            let id = ContentId::new(Timestamp(1_700_000_000_000), random);
            let began = Instant::now();
            let stored = objects.put(&id, body(megabytes * 1_000_000), 1 << 30).await.unwrap();
            assert_eq!(stored.size, megabytes * 1_000_000);
            waited.fetch_max(u64::try_from(began.elapsed().as_millis()).unwrap(), Ordering::Relaxed);
        }
    });
    futures_util::future::join_all(puts).await;
    let seconds = began.elapsed().as_secs_f64();
    let total = (uploads * megabytes) as f64;
    println!(
        "{uploads} uploads of {megabytes} MB at once with room for {budget} MiB: at most {} MB of memory, {seconds:.0} s, \
         {:.0} MB/s",
        memory_megabytes_max(),
        total / seconds
    );
    // The server ends, and cleans up, when nobody holds its standard input any more.
    drop(server.stdin.take());
    server.wait().unwrap();
}

async fn serve() {
    let server = S3::start().await;
    println!("{}\t{}\t{}\t{}", server.endpoint(), server.bucket(), server.access_key(), server.secret_key());
    tokio::task::spawn_blocking(|| std::io::stdin().lines().count()).await.unwrap();
}

/// So many bytes, made as they are read, of a length that nobody announced.
fn body(mut left: u64) -> Body {
    let frame = Bytes::from((0..FRAME).map(|at| (at / 7) as u8).collect::<Vec<_>>());
    let frames = std::iter::from_fn(move || {
        let size = left.min(FRAME as u64);
        left -= size;
        // A copy, as a network would make one.
        (size > 0).then(|| Bytes::copy_from_slice(&frame[..usize::try_from(size).unwrap()]))
    });
    StreamBody::new(stream::iter(frames).map(|data| Ok::<_, BoxError>(http_body::Frame::data(data)))).boxed_unsync()
}

/// The most memory that this process had, in megabytes.
fn memory_megabytes_max() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap_or(0) * 1024 / 1_000_000
}
