//! Three nodes over one PostgreSQL, perhaps with a standby, and one object store, with a line from each node to each of
//! them that can be cut alone.
//!
//! ```text
//! node 0 ─ line ─┐          ┌─ line ─ node 0
//! node 1 ─ line ─┤ database │ store ─ line ─ node 1
//! node 2 ─ line ─┘          └─ line ─ node 2
//! ```

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lectern_conformance::servers::{Line, Postgres, Proxy, S3};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::sync::Mutex;

use super::common::http::{Connection, Request, once};

/// How many nodes there are.
pub(crate) const NODES: usize = 3;

/// How long a node may take until it is ready, when nothing is wrong.
const READY_TIME_MAX: Duration = Duration::from_secs(60);

/// How long a node may take to stop when it is asked to.
const STOP_TIME_MAX: Duration = Duration::from_secs(45);

/// How long the database may have work to do for nodes that are gone.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(30);

/// How often something is asked that can only be asked.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How long a node that ended while it was starting is left alone: it did not find its database.
const START_AGAIN_AFTER: Duration = Duration::from_millis(300);

/// Below the bucket.
const PREFIX: &str = "campaign";

/// Database, store, and nodes. Everything ends when it is dropped.
pub(crate) struct World {
    /// One, or a server and its standby.
    databases: Vec<Postgres>,
    /// Which of them takes changes.
    serving: AtomicUsize,
    pub(crate) s3: Mutex<S3>,
    pub(crate) nodes: Vec<Node>,
    /// The node that is frozen for long, and to which nothing else may be done.
    pub(crate) reserved: Mutex<Option<usize>>,
    /// The name of the database.
    pub(crate) database: String,
    /// Settings of a place from where both are reached whatever happens to the nodes.
    operator: PathBuf,
    program: PathBuf,
    scratch: TempDir,
}

/// What a world is to be like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// Whether the database has a standby.
    pub(crate) standby: bool,
    /// More settings of the nodes: in `[server]`, and whole sections.
    pub(crate) server: &'static str,
    pub(crate) more: &'static str,
    /// After how long what nobody points to is swept away. With 0 a save is put off if a sweep meets it.
    pub(crate) sweep: &'static str,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { standby: false, server: "", more: "", sweep: "0s" }
    }
}

/// One node.
pub(crate) struct Node {
    pub(crate) number: usize,
    pub(crate) address: SocketAddr,
    /// As many as there are databases.
    pub(crate) to_databases: Vec<Mutex<Proxy>>,
    pub(crate) to_store: Mutex<Proxy>,
    config: PathBuf,
    log: PathBuf,
    program: PathBuf,
    process: Mutex<Process>,
}

#[derive(Default)]
struct Process {
    child: Option<Child>,
    was_ready: Arc<AtomicBool>,
}

impl World {
    /// Starts everything; `None` where there is no PostgreSQL.
    pub(crate) async fn start(program: &Path, wanted: &Wanted) -> Option<Self> {
        let mut databases = vec![Postgres::start()?];
        let url = databases[0].database();
        let database = url.rsplit('/').next().expect("a URL has a path").to_owned();
        if wanted.standby {
            let standby = tokio::task::block_in_place(|| databases[0].standby());
            databases.push(standby);
        }
        let url_at = |ports: &[u16]| {
            let hosts: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
            format!("postgres://postgres@{}/{database}", hosts.join(","))
        };
        let s3 = S3::start().await;
        let scratch = tempfile::tempdir().expect("a scratch folder");
        let secret = scratch.path().join("secret");
        std::fs::write(&secret, s3.secret_key()).expect("a file can be written");
        let store_port = s3.endpoint().rsplit(':').next().and_then(|port| port.parse::<u16>().ok()).expect("a port");
        let settings = |database_url: &str, store_port: u16, own: &str| {
            format!(
                "{own}\n[objects]\nstore = \"s3://{bucket}/{PREFIX}\"\nendpoint = \"http://127.0.0.1:{store_port}\"\n\
                 path_style = true\nallow_http = true\naccess_key_id = \"{key}\"\nsecret_access_key_file = \"{secret}\"\n\
                 [database]\nurl = \"{database_url}\"\nconnect_timeout = \"1s\"\nacquire_timeout = \"1s\"\n\
                 statement_timeout = \"2s\"\nidle_in_transaction_timeout = \"2s\"\n",
                bucket = s3.bucket(),
                key = s3.access_key(),
                secret = secret.display(),
            )
        };
        let operator = scratch.path().join("operator.toml");
        let ports: Vec<u16> = databases.iter().map(Postgres::port).collect();
        std::fs::write(&operator, settings(&url_at(&ports), store_port, "")).expect("a file can be written");
        let mut nodes = Vec::new();
        for number in 0..NODES {
            let address = free_address();
            let mut to_databases = Vec::new();
            for port in &ports {
                to_databases.push(Proxy::before(*port).await);
            }
            let to_store = Proxy::before(store_port).await;
            let own = format!(
                "[server]\nlisten = \"{address}\"\npublic_url = \"http://documents.test\"\nnode = \"node-{number}\"\n\
                 shutdown_grace = \"5s\"\n{server}[sweep]\nevery = \"1s\"\nunreferenced_for = \"{sweep}\"\n{more}",
                server = wanted.server,
                more = wanted.more,
                sweep = wanted.sweep,
            );
            let config = scratch.path().join(format!("node-{number}.toml"));
            let lines: Vec<u16> = to_databases.iter().map(Proxy::port).collect();
            let text = settings(&url_at(&lines), to_store.port(), &own);
            std::fs::write(&config, text).expect("a file can be written");
            let log = scratch.path().join(format!("node-{number}.log"));
            nodes.push(Node {
                number,
                address,
                to_databases: to_databases.into_iter().map(Mutex::new).collect(),
                to_store: Mutex::new(to_store),
                config,
                log,
                program: program.to_owned(),
                process: Mutex::default(),
            });
        }
        let (s3, reserved, program) = (Mutex::new(s3), Mutex::default(), program.to_owned());
        let serving = AtomicUsize::new(0);
        let world = Self { databases, serving, s3, nodes, reserved, database, operator, program, scratch };
        for node in &world.nodes {
            node.start().await;
        }
        world.all_are_ready().await.expect("nothing is wrong yet");
        Some(world)
    }

    /// What a command prints that an operator runs, far from all faults. It has to succeed.
    pub(crate) fn operator(&self, arguments: &[&str]) -> Vec<u8> {
        let mut command = Command::new(&self.program);
        command.args(arguments).arg("--config").arg(&self.operator).stdin(Stdio::null());
        let output = command.output().expect("the program can be started");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "lectern {} failed: {said}", arguments.join(" "));
        output.stdout
    }

    /// The same, as JSON.
    pub(crate) fn operator_json(&self, arguments: &[&str]) -> serde_json::Value {
        let printed = self.operator(arguments);
        serde_json::from_slice(&printed).unwrap_or_else(|error| panic!("{arguments:?} prints no JSON: {error}"))
    }

    /// The rows that a statement gives, as text.
    pub(crate) fn rows(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        tokio::task::block_in_place(|| self.postgres().rows(&self.database, sql))
    }

    /// The database that takes changes.
    pub(crate) fn postgres(&self) -> &Postgres {
        &self.databases[self.serving.load(Ordering::Relaxed)]
    }

    /// Whether there is a standby that has not taken over yet.
    pub(crate) fn has_standby(&self) -> bool {
        self.serving.load(Ordering::Relaxed) + 1 < self.databases.len()
    }

    /// The line from a node to the database that takes changes.
    pub(crate) fn to_database(&self, node: usize) -> &Mutex<Proxy> {
        &self.nodes[node].to_databases[self.serving.load(Ordering::Relaxed)]
    }

    /// The database crashes and never comes back. A moment later its standby takes over.
    pub(crate) async fn fail_over(&self, after: Duration) {
        let (old, new) = (self.postgres(), self.serving.load(Ordering::Relaxed) + 1);
        // Nobody makes a standby the server that lacks what was answered. The only way to that here is that the server
        // crashed just now.
        tokio::task::block_in_place(|| {
            old.wait_for_standby();
            old.kill();
        });
        tokio::time::sleep(after).await;
        tokio::task::block_in_place(|| self.databases[new].promote());
        self.serving.store(new, Ordering::Relaxed);
    }

    /// Lets the nodes forget which of them sweeps. They would do so by themselves two minutes after it was heard of last;
    /// nothing may depend on it that two never sweep at once.
    pub(crate) fn forget_who_sweeps(&self) {
        self.rows("DELETE FROM memos WHERE name = 'lease/sweep'");
    }

    /// Undoes whatever is done to lines and servers, and lets frozen nodes go on.
    pub(crate) async fn heal(&self) {
        for node in &self.nodes {
            node.thaw().await;
            for line in node.to_databases.iter().chain([&node.to_store]) {
                let mut line = line.lock().await;
                line.set(Line::Open);
                line.cut_requests(0);
                line.cut_answers(0);
                line.take_again();
            }
        }
        self.s3.lock().await.faults().forget();
    }

    /// Waits until every node says that it is ready.
    ///
    /// # Errors
    ///
    /// What a node says instead after a minute.
    pub(crate) async fn all_are_ready(&self) -> Result<(), String> {
        for node in &self.nodes {
            node.is_ready_within(READY_TIME_MAX).await?;
        }
        Ok(())
    }

    /// Kills all nodes and waits until the database has nothing to do for them any more: what they have not done by then,
    /// they never do. Nothing may be on its way to them.
    pub(crate) async fn silence(&self) {
        for node in &self.nodes {
            node.kill().await;
        }
        self.heal().await;
        for node in &self.nodes {
            for line in node.to_databases.iter().chain([&node.to_store]) {
                line.lock().await.cut();
            }
        }
        let end = Instant::now() + DRAIN_TIME_MAX;
        let busy = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND pid <> pg_backend_pid()",
            self.database
        );
        while self.rows(&busy)[0][0].as_deref() != Some("0") {
            assert!(Instant::now() < end, "the database still works for nodes that are gone");
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Starts the nodes that were killed, and waits until they are ready.
    ///
    /// # Errors
    ///
    /// That of a node that does not get there.
    pub(crate) async fn start_again(&self) -> Result<(), String> {
        for node in &self.nodes {
            node.start().await;
        }
        self.all_are_ready().await
    }

    /// What the nodes logged that must never be logged.
    pub(crate) fn panics(&self) -> Vec<String> {
        let mut found = Vec::new();
        for node in &self.nodes {
            let log = std::fs::read_to_string(&node.log).unwrap_or_default();
            let lines = log.lines().filter(|line| line.contains("panicked at"));
            found.extend(lines.map(|line| format!("node {}: {line}", node.number)));
        }
        found
    }

    /// What the nodes logged about something, the last lines first.
    pub(crate) fn log_about(&self, what: &str, lines_max: usize) -> Vec<String> {
        let mut found = Vec::new();
        for node in &self.nodes {
            let log = std::fs::read_to_string(&node.log).unwrap_or_default();
            let lines = log.lines().rev().filter(|line| line.contains(what)).take(lines_max);
            found.extend(lines.map(|line| format!("node {}: {line}", node.number)));
        }
        found
    }

    /// Keeps logs and settings for somebody to look at; where.
    pub(crate) fn keep_logs(&mut self) -> PathBuf {
        self.scratch.disable_cleanup(true);
        self.scratch.path().to_owned()
    }
}

impl Node {
    /// Starts it, unless it runs.
    pub(crate) async fn start(&self) {
        let mut process = self.process.lock().await;
        if process.child.is_none() {
            *process = self.spawn();
        }
    }

    fn spawn(&self) -> Process {
        let log = File::options().append(true).create(true).open(&self.log).expect("a log can be written");
        let mut command = Command::new(&self.program);
        command.args(["serve", "--config"]).arg(&self.config);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {}: {error}", self.program.display()));
        Process { child: Some(child), was_ready: Arc::default() }
    }

    /// `kill -9`, and waits until it is gone.
    pub(crate) async fn kill(&self) {
        let mut process = self.process.lock().await;
        if let Some(mut child) = process.child.take() {
            child.kill().expect("it is our own child");
            child.wait().expect("it can be waited for");
        }
    }

    /// Asks it to stop and waits until it has.
    ///
    /// # Errors
    ///
    /// If it does not, in time.
    pub(crate) async fn stop(&self) -> Result<(), String> {
        let mut process = self.process.lock().await;
        let Some(mut child) = process.child.take() else { return Ok(()) };
        signal(&child, Signal::TERM);
        let end = Instant::now() + STOP_TIME_MAX;
        while child.try_wait().expect("it can be asked").is_none() {
            if Instant::now() > end {
                child.kill().expect("it is our own child");
                child.wait().expect("it can be waited for");
                return Err(format!("node {} did not stop within {STOP_TIME_MAX:?}", self.number));
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }

    /// Lets it stand still in the middle of whatever it does.
    pub(crate) async fn freeze(&self) {
        if let Some(child) = &self.process.lock().await.child {
            signal(child, Signal::STOP);
        }
    }

    /// Lets it go on.
    pub(crate) async fn thaw(&self) {
        if let Some(child) = &self.process.lock().await.child {
            signal(child, Signal::CONT);
        }
    }

    /// Starts it again if it ended by itself, which it may while it is starting and finds no database, and at no other
    /// time.
    ///
    /// # Errors
    ///
    /// That it ended at another time.
    pub(crate) async fn look_after(&self) -> Result<(), String> {
        let mut process = self.process.lock().await;
        let ended = process.child.as_mut().and_then(|child| child.try_wait().expect("it can be asked"));
        let Some(status) = ended else { return Ok(()) };
        let was_ready = process.was_ready.load(Ordering::Relaxed);
        tokio::time::sleep(START_AGAIN_AFTER).await;
        *process = self.spawn();
        if was_ready { Err(format!("node {} ended by itself: {status}", self.number)) } else { Ok(()) }
    }

    /// Whether it says that it is ready, now.
    pub(crate) async fn is_ready(&self) -> Result<(), String> {
        let question = Request::get("/health/ready");
        let asked = tokio::time::timeout(READY_TIME_MAX, once(self.address, &question)).await;
        match asked {
            Ok(Ok(answer)) if answer.status == 200 => {
                self.process.lock().await.was_ready.store(true, Ordering::Relaxed);
                Ok(())
            }
            Ok(Ok(answer)) => Err(format!("node {} is not ready: {answer:?}", self.number)),
            Ok(Err(error)) => Err(format!("node {} does not answer: {error}", self.number)),
            Err(_) => Err(format!("node {} hangs", self.number)),
        }
    }

    async fn is_ready_within(&self, limit: Duration) -> Result<(), String> {
        let end = Instant::now() + limit;
        loop {
            self.look_after().await?;
            match self.is_ready().await {
                Ok(()) => return Ok(()),
                Err(why) if Instant::now() > end => {
                    return Err(format!("{why}\n{}", self.last_of_the_log()));
                }
                Err(_) => tokio::time::sleep(POLL_INTERVAL).await,
            }
        }
    }

    fn last_of_the_log(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// A connection to it.
    pub(crate) async fn connect(&self) -> std::io::Result<Connection> {
        Connection::open(self.address).await
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            if let Some(mut child) = node.process.get_mut().child.take() {
                // Both fail only when it has ended already.
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}

fn signal(child: &Child, signal: Signal) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process has an id");
    kill_process(pid, signal).expect("it is our own child, and nobody has waited for it");
}

/// An address that was free a moment ago.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    listener.local_addr().expect("a listener has an address")
}
