//! Several nodes over one PostgreSQL and one S3 server, for the chores that judge and measure them.
//!
//! Database, store and the load balancer are those of the tests: an example of `lectern-conformance` starts them
//! (`crates/conformance/examples/servers.rs`), because this package knows no crate of ours.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::lectern::{Lectern, START_TIME_MAX};
use crate::tools::{self, Running};

/// What the database of the nodes needs on this machine.
pub const PROGRAMS: &[(&str, &str, &str)] = &[("initdb", "postgresql", "the database that nodes share")];

/// How long the servers may take to end, and to remove what a benchmark has left with them.
const STOP_TIME_MAX: Duration = Duration::from_secs(120);

/// How often something unfinished is asked again.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// A database, a store, and a load balancer in front of nodes that need not run yet. Everything ends, and is gone, when
/// it is dropped.
pub struct Servers {
    running: Running,
    /// URL of an empty database.
    pub database: String,
    /// Where the load balancer listens; each request goes to another node.
    pub front: SocketAddr,
    /// Where the load balancer expects the nodes.
    pub nodes: Vec<SocketAddr>,
    /// The settings with which nodes find database and store.
    settings: String,
}

impl Servers {
    /// Starts them for so many nodes. What has to be on disk goes into `scratch`.
    ///
    /// # Errors
    ///
    /// If they cannot be built or started; first of all, if there is no PostgreSQL.
    pub fn start(nodes: usize, release: bool, scratch: &Path) -> anyhow::Result<Self> {
        Self::start_with(nodes, &[], release, scratch)
    }

    /// The same with a database that keeps what it answered, which is what has to be measured. (That of the tests does not
    /// wait for the disk.)
    ///
    /// # Errors
    ///
    /// Those of [`Self::start`].
    pub fn start_durable(nodes: usize, release: bool, scratch: &Path) -> anyhow::Result<Self> {
        Self::start_with(nodes, &["--durable"], release, scratch)
    }

    fn start_with(nodes: usize, options: &[&str], release: bool, scratch: &Path) -> anyhow::Result<Self> {
        tools::need(PROGRAMS)?;
        let what = ["--package", "lectern-conformance", "--features", "servers", "--example", "servers"];
        let program = tools::built(&what, "servers", release)?;
        let mut running = Running::start(Command::new(program).arg(nodes.to_string()).args(options))?;
        let told = running.wait_for(START_TIME_MAX, |line| serde_json::from_str::<Value>(line).ok())?;
        let text = |field: &str| {
            let text = told[field].as_str().map(str::to_owned);
            text.with_context(|| format!("the servers tell no {field}"))
        };
        let address = |value: &Value| -> anyhow::Result<SocketAddr> {
            Ok(value.as_str().context("an address is text")?.parse()?)
        };
        let nodes = told["nodes"].as_array().context("the servers tell no nodes")?;
        let nodes = nodes.iter().map(address).collect::<anyhow::Result<_>>()?;
        let secret = scratch.join("store-secret");
        std::fs::write(&secret, text("secret_key")?)?;
        let database = text("database")?;
        let settings = format!(
            "[objects]\nstore = \"s3://{}\"\nendpoint = \"{}\"\npath_style = true\nallow_http = true\n\
             access_key_id = \"{}\"\nsecret_access_key_file = \"{}\"\n[database]\nurl = \"{database}\"\n",
            text("bucket")?,
            text("endpoint")?,
            text("access_key")?,
            secret.display(),
        );
        Ok(Self { running, database, front: address(&told["front"])?, nodes, settings })
    }

    /// Writes a settings file for nodes, with more settings in it.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn settings_file(&self, path: &Path, more: &str) -> anyhow::Result<PathBuf> {
        std::fs::write(path, format!("{}{more}", self.settings))?;
        Ok(path.to_owned())
    }

    /// Starts a node at each of the first `count` addresses, reached through the load balancer.
    ///
    /// # Errors
    ///
    /// If one does not start.
    pub fn start_nodes(&self, count: usize, program: &Path, config: &Path) -> anyhow::Result<Vec<Lectern>> {
        ensure!(count <= self.nodes.len(), "there are addresses for {} nodes", self.nodes.len());
        let public_url = format!("http://{}", self.front);
        let start = |node: &SocketAddr| Lectern::start_node(program, config, *node, &public_url);
        self.nodes[..count].iter().map(start).collect()
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        // Asked to end, they take their folders with them; killed, they do not.
        let asked = tools::output(Command::new("kill").args(["-TERM", &self.running.process_id().to_string()]));
        let end = Instant::now() + STOP_TIME_MAX;
        while asked.is_ok() && self.running.ended().is_ok_and(|ended| ended.is_none()) && Instant::now() < end {
            std::thread::sleep(POLL_INTERVAL);
        }
    }
}
