//! Azure Blob Storage beside the test: Azurite, Microsoft's own emulator, behind a [front](super::front) that can make it fail.
//!
//! `cargo xtask test` installs it from npm; it is started with `node`, keeps everything in memory, and reports nothing to
//! anybody.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::{Request, Response};

use super::front::{AnswerBody, Behind, Broken, Faults, Front, send};

/// Where `cargo xtask test` puts it, from the root of the repository.
const PROGRAM: &str = "target/azurite/node_modules/azurite/dist/src/blob/main.js";
/// How long it may take to start: it is a large program, and the machine may be busy.
const START_MAX: Duration = Duration::from_secs(60);
/// The container that every server has.
const CONTAINER: &str = "lectern";
/// The account of every Azurite, which its manual prints.
const ACCOUNT: &str = "devstoreaccount1";
/// The key of that account, which its manual prints too.
const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
/// The version of the protocol in which the container is made. What clients speak is their own affair.
const VERSION: &str = "2021-12-02";

/// A running Azurite. Stopped, and all its blobs gone, when it is dropped.
pub struct Azurite {
    front: Front,
    _process: Process,
}

impl Azurite {
    /// Starts one with an empty container; `None`, loudly, if it is not installed.
    ///
    /// # Panics
    ///
    /// If it does not start, and in CI if it is not installed.
    pub async fn start() -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new("."));
        let program = root.join(PROGRAM);
        if !program.is_file() {
            super::missing("Azurite", "cargo xtask test installs it (needs npm)");
            return None;
        }
        let process =
            tokio::task::spawn_blocking(move || Process::start(&program)).await.expect("it does not panic")?;
        make_container(process.at).await;
        let front = Front::start(Arc::new(Beside(process.at))).await;
        Some(Self { front, _process: process })
    }

    /// Where the account is.
    pub fn endpoint(&self) -> String {
        format!("http://{}/{ACCOUNT}", self.front.address())
    }

    /// The name of the account.
    pub fn account(&self) -> &'static str {
        ACCOUNT
    }

    /// The key of the account.
    pub fn key(&self) -> &'static str {
        KEY
    }

    /// The name of its container.
    pub fn container(&self) -> &'static str {
        CONTAINER
    }

    /// What it shall fail at, and what it was asked.
    pub fn faults(&self) -> &Faults {
        self.front.faults()
    }

    /// Stops listening; who connects is refused. Blobs stay.
    pub async fn stop(&mut self) {
        self.front.stop().await;
    }

    /// Listens again, on the same port.
    pub async fn start_again(&mut self) {
        self.front.start_again().await;
    }
}

/// The program. Dropping it kills it.
struct Process {
    child: Child,
    at: SocketAddr,
}

impl Process {
    fn start(program: &Path) -> Option<Self> {
        let mut command = Command::new("node");
        command.arg(program).args(["--blobPort", "0", "--inMemoryPersistence", "--disableTelemetry"]);
        command.args(["--skipApiVersionCheck", "--silent"]);
        // It writes a file of its own into the folder in which it is started.
        command.current_dir(std::env::temp_dir());
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let Ok(mut child) = child else {
            super::missing("node", "Azurite needs it: apt-get install nodejs");
            return None;
        };
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut process = Self { child, at: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            // Read to the end, so that it never waits for us.
            for line in output.lines().map_while(Result::ok) {
                if let Some(at) = line.split("successfully listens on http://").nth(1) {
                    // Nobody waits any more if it took too long.
                    let _ = tell.send(at.trim().parse());
                }
            }
        });
        let at = told.recv_timeout(START_MAX).expect("Azurite says where it listens");
        process.at = at.expect("it says an address");
        Some(process)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Passes requests on to the program, each on a connection of its own.
struct Beside(SocketAddr);

impl Behind for Beside {
    fn answer(&self, request: Request<Incoming>) -> BoxFuture<'static, Result<Response<AnswerBody>, Broken>> {
        let at = self.0;
        Box::pin(async move {
            send(at, request).await.map(|answer| answer.map(|body| body.map_err(Broken::from).boxed_unsync()))
        })
    }
}

/// Makes the container. The signature is "Shared Key" of
/// <https://learn.microsoft.com/en-us/rest/api/storageservices/authorize-with-shared-key>.
async fn make_container(at: SocketAddr) {
    let date = "Sun, 22 Nov 2026 00:00:00 GMT"; // Azurite does not compare it with a clock
    let path = format!("/{ACCOUNT}/{CONTAINER}");
    let text = format!(
        "PUT{}x-ms-date:{date}\nx-ms-version:{VERSION}\n/{ACCOUNT}{path}\nrestype:container",
        "\n".repeat(12) // eleven headers that are not there
    );
    let key = hmac::Key::new(hmac::HMAC_SHA256, &BASE64_STANDARD.decode(KEY).expect("the key is base64"));
    let signature = BASE64_STANDARD.encode(hmac::sign(&key, text.as_bytes()));
    let request = Request::put(format!("{path}?restype=container"))
        .header("host", at.to_string())
        .header("content-length", "0")
        .header("x-ms-date", date)
        .header("x-ms-version", VERSION)
        .header("authorization", format!("SharedKey {ACCOUNT}:{signature}"))
        .body(Empty::<Bytes>::new())
        .expect("the request is well formed");
    let answer = send(at, request).await.expect("Azurite answers");
    let status = answer.status();
    let body = answer.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    assert!(status.is_success(), "the container can be made: {status} {}", String::from_utf8_lossy(&body));
}
