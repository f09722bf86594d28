//! The rows of several nodes over PostgreSQL and an object store.
//!
//! What the database alone can do stands beside what one and three nodes do with it on the same machine, which therefore
//! also runs the nodes, the store and whoever sends the requests. The load is spread over the nodes here: the load balancer
//! of the tests is none that should be measured.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use xtask::lectern::{Lectern, Target};
use xtask::nodes::Servers;
use xtask::tools;

use crate::baselines::{memory_of, objects_per_second};
use crate::load::{self, Script, Transfer, fetch};
use crate::pgbench::{Pgbench, Rows};
use crate::requests::{get, lock_and_unlock, post, post_head};
use crate::table::{Budget, Unit};
use crate::work::{Bench, Side, requests_per_second};

/// What `--only` asks for.
pub(crate) const CHECK_FILE_INFO: &str = "nodes: CheckFileInfo";
pub(crate) const LOCK_AND_UNLOCK: &str = "nodes: Lock + Unlock";
pub(crate) const PUT_FILE: &str = "nodes: PutFile 100 KB";
pub(crate) const MEMORY: &str = "nodes: memory, 50 up of 200 MB";

/// What each of them has to reach, of what the database alone does (issue "Many nodes").
const OF_THE_DATABASE: f64 = 0.5;
/// So many nodes, beside one.
const NODES: usize = 3;
/// Connections for requests, of whatever number of nodes; and those of `pgbench`.
const CLIENTS: usize = 32;
/// Files that there are.
const FILES: usize = 500;
/// How far down they are.
const CONTAINERS: &str = "one/two/three";
/// Files that are asked for, two for each connection.
const ASKED: usize = 2 * CLIENTS;
/// The size of a save.
const SAVE_BYTES: usize = 100_000;
/// How many saves a second are reckoned with when it is asked whether the disk has room for them.
const SAVES_PER_SECOND_MAX: usize = 1500;
/// What others that work on this machine keep of its disk.
const DISK_RESERVE: u64 = 3 << 30;
/// Clients that upload at once, and how much each of them.
const UPLOADS: usize = 50;
const UPLOAD_BYTES: usize = 200_000_000;
/// How long all of them together may take.
const UPLOAD_TIME_MAX: Duration = Duration::from_secs(900);
/// What the node may have then: twice the room that uploads to a store are given, which is a setting
/// (`objects.upload_memory_bytes_max`, 128 MiB by default). The other half is for the program itself (some 20 MiB), for
/// three buffers of 128 KiB of each connection, and for what the allocator keeps beside what is in use.
const UPLOAD_MEMORY_BUDGET: f64 = 2.0 * 128.0 * 1024.0 * 1024.0;

/// What is served, and by whom.
struct Scene {
    place: PathBuf,
    pgbench: Pgbench,
    /// Nodes over the S3 server.
    nodes: Vec<Lectern>,
    servers: Servers,
}

/// What the database does alone.
struct Baseline {
    script: PathBuf,
    /// How many requests a run of the script stands for.
    requests: f64,
    /// Where a request has bytes to keep.
    bytes: Option<WithBytes>,
}

/// What else a save is compared with, whose bytes the script leaves out.
struct WithBytes {
    /// The database keeps them, too.
    script: PathBuf,
    /// A directory for as many files as a program can write that does nothing else.
    plain: Option<PathBuf>,
}

/// Files that some work is about, by their numbers.
struct Files {
    from: usize,
    count: usize,
}

impl Bench<'_> {
    /// Throughput of one node and of three.
    pub(crate) fn nodes(&mut self) -> anyhow::Result<()> {
        if let Some(program) = Pgbench::missing() {
            self.table.missing.push(format!("nodes: no {program} (apt-get install postgresql)"));
            return Ok(());
        }
        let scene = Scene::new(self)?;
        // Readers share files; of those who write each has its own, and `pgbench` has others of the same kind.
        let group = |number: usize, count| Files { from: ASKED + number * CLIENTS, count };
        if self.options.wants(CHECK_FILE_INFO) {
            self.check_file_info_of_nodes(&scene, &Files { from: 0, count: ASKED })?;
        }
        if self.options.wants(LOCK_AND_UNLOCK) {
            self.lock_and_unlock_of_nodes(&scene, [&group(0, CLIENTS), &group(1, CLIENTS)])?;
        }
        if self.options.wants(PUT_FILE) {
            self.put_file_of_nodes(&scene, [&group(2, CLIENTS), &group(3, CLIENTS)])?;
        }
        drop(scene.nodes);
        drop(scene.servers);
        fs::remove_dir_all(&scene.place)?;
        Ok(())
    }

    fn check_file_info_of_nodes(&mut self, scene: &Scene, files: &Files) -> anyhow::Result<()> {
        let requests: Vec<Bytes> = scene.targets(files)?.iter().map(|target| get(&target.request_target(""))).collect();
        let baseline = scene.baseline("seen", &scene.rows(files, false)?.seen(), 1.0)?;
        // Each begins at another file.
        let scripts = |turned: usize| {
            let mut requests = requests.clone();
            requests.rotate_left(turned);
            Script::new(requests)
        };
        let mut scripts: Vec<Script> = (0..CLIENTS).map(|client| scripts(2 * client)).collect();
        self.beside_pgbench(CHECK_FILE_INFO, scene, &scene.nodes, &mut scripts, &baseline)
    }

    fn lock_and_unlock_of_nodes(&mut self, scene: &Scene, [ours, theirs]: [&Files; 2]) -> anyhow::Result<()> {
        let mut scripts: Vec<Script> =
            scene.targets(ours)?.iter().map(|target| Script::new(lock_and_unlock(target))).collect();
        let baseline = scene.baseline("locked", &scene.rows(theirs, true)?.locked_and_unlocked(), 2.0)?;
        self.beside_pgbench(LOCK_AND_UNLOCK, scene, &scene.nodes, &mut scripts, &baseline)
    }

    fn put_file_of_nodes(&mut self, scene: &Scene, [ours, theirs]: [&Files; 2]) -> anyhow::Result<()> {
        let turn = self.options.turn.as_secs_f64().ceil() as usize;
        // One node and three, over both stores, and the plain files. What the database keeps goes after each turn (which has
        // two seconds more), but until then it is there twice, as rows and as log.
        let seconds = 5 * self.options.rounds * (turn + 1) + 2 * (turn + 2);
        let needed = seconds * SAVES_PER_SECOND_MAX * SAVE_BYTES;
        if !self.has_room(PUT_FILE, needed as u64)? {
            return Ok(());
        }
        let lock = ("X-WOPI-Lock", "bench");
        let mut scripts = Vec::new();
        for target in scene.targets(ours)? {
            let taken = post(&target.request_target(""), &[("X-WOPI-Override", "LOCK"), lock]);
            fetch(scene.nodes[0].address(), &taken).context("cannot lock")?;
            let head = post_head(&target.request_target("/contents"), &[("X-WOPI-Override", "PUT"), lock], SAVE_BYTES);
            // Two contents in turns: the same bytes again would be no new version.
            let save = |byte: u8| Bytes::from([&head[..], &vec![byte; SAVE_BYTES][..]].concat());
            scripts.push(Script::new(vec![save(b'a'), save(b'b')]));
        }
        let rows = scene.rows(theirs, true)?;
        scene.pgbench.make_bodies()?;
        let script = scene.pgbench.script("saved", &rows.saved(SAVE_BYTES))?;
        let mut baseline = scene.baseline("saved-without-bytes", &rows.saved_without_bytes(SAVE_BYTES), 1.0)?;
        baseline.bytes = Some(WithBytes { script: script.clone(), plain: None });
        let over_s3 = format!("{PUT_FILE} to S3");
        self.beside_pgbench(&over_s3, scene, &scene.nodes, &mut scripts, &baseline)?;
        // The same files, whose next contents go into a directory: nobody asks for those before.
        let objects = scene.place.join("objects");
        fs::create_dir(&objects)?;
        let config = scene.place.join("directory.toml");
        let (store, database) = (objects.display(), &scene.servers.database);
        fs::write(&config, format!("[objects]\nstore = \"file://{store}\"\n[database]\nurl = \"{database}\"\n"))?;
        let public_url = format!("http://{}", scene.servers.front);
        let start = |address: &SocketAddr| Lectern::start_node(self.program, &config, *address, &public_url);
        let nodes = scene.servers.nodes[NODES..].iter().map(start).collect::<anyhow::Result<Vec<_>>>()?;
        let over_directory = format!("{PUT_FILE} to a directory");
        let plain = scene.place.join("plain");
        baseline.bytes = Some(WithBytes { script, plain: Some(plain.clone()) });
        self.beside_pgbench(&over_directory, scene, &nodes, &mut scripts, &baseline)?;
        drop(nodes);
        fs::remove_dir_all(&objects)?;
        fs::remove_dir_all(&plain)?;
        Ok(())
    }

    /// The scripts against one node, against all of them, and what the database does alone. A save stands beside a database
    /// that keeps its bytes, too; and, without a budget, beside what a save is without bytes, and beside that and a program
    /// that only writes files of the same bytes, one after the other.
    fn beside_pgbench(
        &mut self,
        work: &str,
        scene: &Scene,
        nodes: &[Lectern],
        scripts: &mut [Script],
        baseline: &Baseline,
    ) -> anyhow::Result<()> {
        let addresses: Vec<SocketAddr> = nodes.iter().map(Lectern::address).collect();
        let length = self.options.turn;
        let (scripts, piece) = (std::cell::RefCell::new(scripts), vec![b'p'; SAVE_BYTES]);
        let mut sides: Vec<Side<'_>> = vec![
            Box::new(|| requests_per_second(&addresses[..1], &mut scripts.borrow_mut(), length)),
            Box::new(|| requests_per_second(&addresses, &mut scripts.borrow_mut(), length)),
            Box::new(|| Ok(scene.pgbench.per_second(&baseline.script, CLIENTS, length)? * baseline.requests)),
        ];
        if let Some(bytes) = &baseline.bytes {
            sides.push(Box::new(|| scene.pgbench.per_second_with_bodies(&bytes.script, SAVE_BYTES, CLIENTS, length)));
            if let Some(plain) = &bytes.plain {
                sides.push(Box::new(|| objects_per_second(plain, &piece, CLIENTS, length)));
            }
        }
        let rates = self.take_turns(work, sides)?;
        let half = Budget::AtLeast(OF_THE_DATABASE);
        for (rate, nodes) in [(rates[0], "one node"), (rates[1], "three nodes")] {
            let work = format!("{work}, {nodes}");
            let Some(with_bytes) = rates.get(3) else {
                self.row(&work, Unit::PerSecond, rate, rates[2], "pgbench", half);
                continue;
            };
            self.row(&work, Unit::PerSecond, rate, *with_bytes, "pgbench", half);
            self.row(&work, Unit::PerSecond, rate, rates[2], "pgbench without the bytes", Budget::None);
            if let Some(plain) = rates.get(4) {
                let both = 1.0 / (1.0 / rates[2] + 1.0 / plain);
                self.row(&work, Unit::PerSecond, rate, both, "the same, then write, SHA-256, fsync", Budget::None);
            }
        }
        Ok(())
    }

    /// What a node needs for many large uploads at once.
    pub(crate) fn memory_of_a_node(&mut self) -> anyhow::Result<()> {
        if let Some(program) = Pgbench::missing() {
            self.table.missing.push(format!("{MEMORY}: no {program} (apt-get install postgresql)"));
            return Ok(());
        }
        // Parts go as they become an object.
        if !self.has_room(MEMORY, (UPLOADS * UPLOAD_BYTES) as u64)? {
            return Ok(());
        }
        let place = self.scratch.join("node-memory");
        let folder = place.join("documents");
        fs::create_dir_all(&folder)?;
        for number in 0..UPLOADS {
            // An empty file can be saved without a lock.
            fs::write(folder.join(format!("up-{number}.bin")), "")?;
        }
        let servers = Servers::start_durable(1, true, &place)?;
        let config = servers.settings_file(&place.join("lectern.toml"), "")?;
        let import = servers.start_nodes(1, self.program, &config)?.pop().context("there is a node")?;
        import.command(&["import", text(&folder)?])?;
        let piece = Bytes::from(vec![b'u'; 1_000_000]);
        let mut transfers = Vec::new();
        for number in 0..UPLOADS {
            let target = import.token(&format!("up-{number}.bin"), "none")?.request_target("/contents");
            let head = post_head(&target, &[("X-WOPI-Override", "PUT")], UPLOAD_BYTES);
            transfers.push(Transfer { head, piece: piece.clone(), pieces: UPLOAD_BYTES / piece.len() });
        }
        println!("{MEMORY}: {UPLOADS} uploads of {UPLOAD_BYTES} bytes");
        let idle = memory_of(import.process_id(), "VmHWM")?;
        let begun = std::time::Instant::now();
        let done = load::transfer(import.address(), &transfers, UPLOAD_TIME_MAX)?;
        ensure!(done.requests == UPLOADS as u64, "{} of the uploads were answered", done.requests);
        println!("{MEMORY}: {:.0} s; {} KiB before", begun.elapsed().as_secs_f64(), idle >> 10);
        let most = memory_of(import.process_id(), "VmHWM")? as f64;
        self.row(MEMORY, Unit::Bytes, most, UPLOAD_MEMORY_BUDGET, "the budget", Budget::AtMost(1.0));
        drop(import);
        drop(servers);
        fs::remove_dir_all(&place)?;
        Ok(())
    }

    /// Whether the disk has room for so many bytes more, here and where temporary files are. If not, that is said.
    fn has_room(&mut self, work: &str, bytes: u64) -> anyhow::Result<bool> {
        for place in [self.scratch, &std::env::temp_dir()] {
            let free = free_bytes(place)?;
            if free < bytes + DISK_RESERVE {
                let place = place.display();
                let (free, bytes, reserve) = (free >> 20, bytes >> 20, DISK_RESERVE >> 20);
                self.table.missing.push(format!(
                    "{work}: {place} has {free} MiB free; {bytes} MiB are needed, and {reserve} MiB left to others"
                ));
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Scene {
    fn new(bench: &Bench<'_>) -> anyhow::Result<Self> {
        let place = bench.scratch.join("nodes");
        let folder = place.join("documents");
        let container = folder.join(CONTAINERS);
        fs::create_dir_all(&container)?;
        for number in 0..FILES {
            fs::write(container.join(name_of(number)), "a small file\n")?;
        }
        // Addresses for the nodes over either store.
        let servers = Servers::start_durable(2 * NODES, true, &place)?;
        let config = servers.settings_file(&place.join("s3.toml"), "")?;
        let nodes = servers.start_nodes(NODES, bench.program, &config)?;
        nodes[0].command(&["import", text(&folder)?])?;
        fs::remove_dir_all(&folder)?;
        let pgbench = Pgbench::new(&servers.database, &place)?;
        pgbench.ask("VACUUM ANALYZE")?;
        Ok(Self { place, pgbench, nodes, servers })
    }

    /// A script for `pgbench`, each run of which stands for so many requests.
    fn baseline(&self, name: &str, script: &str, requests: f64) -> anyhow::Result<Baseline> {
        let script = self.pgbench.script(name, script)?;
        Ok(Baseline { script, requests, bytes: None })
    }

    /// A token for each of these files, and with it a session.
    fn targets(&self, files: &Files) -> anyhow::Result<Vec<Target>> {
        let numbers = files.from..files.from + files.count;
        numbers.map(|number| self.nodes[0].token(&format!("{CONTAINERS}/{}", name_of(number)), "none")).collect()
    }

    /// The same files as rows, and as many sessions.
    fn rows(&self, files: &Files, own: bool) -> anyhow::Result<Rows> {
        let (first, last) = (files.from + 1, files.from + files.count);
        let list = |sql: &str| {
            let list = self.pgbench.ask(sql)?;
            ensure!(list.split(',').count() == files.count, "not as many rows as were asked for: {list}");
            anyhow::Ok(list)
        };
        Ok(Rows {
            files: list(&format!("SELECT (array_agg(id ORDER BY name))[{first}:{last}] FROM files"))?,
            sessions: list(&format!("SELECT (array_agg(id))[1:{}] FROM sessions", files.count))?,
            count: files.count,
            own,
        })
    }
}

fn name_of(number: usize) -> String {
    format!("file {number:05}.bin")
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("a path that is not UTF-8")
}

/// How much whoever is not root may still write at a place.
fn free_bytes(place: &Path) -> anyhow::Result<u64> {
    let told = tools::output(Command::new("df").args(["--output=avail", "--block-size=1"]).arg(place))?;
    told.lines().last().and_then(|line| line.trim().parse().ok()).with_context(|| format!("df told {told:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_on_a_disk_is_a_number_of_bytes() {
        assert!(free_bytes(Path::new("/")).unwrap() > 0);
        assert!(free_bytes(Path::new("/no/such/place")).is_err());
    }

    #[test]
    fn names_are_in_the_order_of_their_numbers() {
        assert!((1..FILES).all(|number| name_of(number - 1) < name_of(number)));
        const { assert!(ASKED + 4 * CLIENTS <= FILES) };
    }
}
