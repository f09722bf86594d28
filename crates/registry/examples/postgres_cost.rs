//! What the registry on PostgreSQL costs on this machine, beside what the database alone can do: `pgbench` with single
//! statements that look for and change the same rows.
//!
//! `cargo run --release -p lectern-registry --example postgres_cost [FILES]`. Durable: the server syncs.

#![allow(clippy::unwrap_used, reason = "a measurement fails by panicking")]

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lectern_conformance::registry::{container, file, session, user};
use lectern_conformance::servers::Postgres;
use lectern_host::ports::{FileCommit, Registry, Sharing};
use lectern_host::records::{FileRecord, Held, LockState, Role, Timestamp, User};
use lectern_host::wopi::{FileId, LockId, UserId};
use lectern_registry::{PostgresRegistry, PostgresSettings};

const CLIENTS: usize = 16;
const SECONDS: u64 = 5;
/// Files that are asked for, spread over all.
const ASKED: usize = 2_000;

const FIND: &str = "\\set n random(0, 1999)\nSELECT * FROM files WHERE id = 'f' || :n;\n";
const CHANGE: &str = "\\set n random(0, 1999)\n\
    UPDATE files SET revision = revision + 1, lock_id = 'A', lock_expires_at = 2, lock_since = 1, lock_by = 'alice' \
    WHERE id = 'f' || :n;\n";

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let files = std::env::args().nth(1).map_or(100_000, |text| text.parse().unwrap());
    let Some(server) = Postgres::start_with(&[
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("shared_buffers", "256MB"),
        ("max_wal_size", "4GB"),
    ]) else {
        return;
    };
    let url = server.database();
    let registry = Arc::new(PostgresRegistry::open(PostgresSettings::new(&url)).await.unwrap());
    fill(&registry, files).await;
    server.execute(url.rsplit_once('/').unwrap().1, "VACUUM ANALYZE");

    let alone = pgbench(&url, "find", FIND);
    for (who, role) in [("an editor", Role::Editor), ("a member", Role::Member)] {
        let session = session(if role == Role::Editor { "editor" } else { "member" }, "x").id;
        let rate = clients(|client| {
            let (registry, session) = (registry.clone(), session.clone());
            async move {
                let (mut at, mut count, end) = (client, 0, end());
                while Instant::now() < end {
                    at = (at + CLIENTS) % ASKED;
                    let visit = registry.visit(&session, Some(&id(at))).await.unwrap();
                    assert_eq!(visit.file.unwrap().containers.len(), 4);
                    count += 1;
                }
                count
            }
        })
        .await;
        compare(&format!("visit of {who}, and its file found"), rate, alone);
    }
    let alone = pgbench(&url, "change", CHANGE);
    let rate = clients(|client| {
        let registry = registry.clone();
        async move {
            // Each has its own files, so that every commit wins.
            let mut own: Vec<FileRecord> = Vec::new();
            for at in (client..ASKED).step_by(CLIENTS) {
                own.push(registry.file(&id(at)).await.unwrap());
            }
            let (mut at, mut count, end) = (0, 0, end());
            while Instant::now() < end {
                at = (at + 1) % own.len();
                let record = FileRecord { lock: other(&own[at].lock), ..own[at].clone() };
                own[at] = registry.commit_file(&FileCommit { record, replaced: None }).await.unwrap();
                count += 1;
            }
            count
        }
    })
    .await;
    compare("durable commit of a lock, and its row changed", rate, alone);
}

fn compare(what: &str, rate: f64, alone: f64) {
    println!("{what}: {rate:.0} a second, pgbench {alone:.0}: {:.2}", rate / alone);
}

fn id(number: usize) -> FileId {
    FileId::parse(&format!("f{number}")).unwrap()
}

fn other(lock: &LockState) -> LockState {
    match lock {
        LockState::Free => LockState::Wopi(Held {
            id: LockId::parse("{\"S\":\"0123456789abcdef0123456789abcdef\",\"F\":4}").unwrap(),
            expires_at: Timestamp(2),
            since: Timestamp(1),
            by: UserId::parse("alice").unwrap(),
            client: None,
            visible_as: None,
        }),
        LockState::Wopi(_) | LockState::Coauth(_) => LockState::Free,
    }
}

/// How many times a second all clients together do what one of them counts.
async fn clients<F: Future<Output = usize> + Send + 'static>(client: impl Fn(usize) -> F) -> f64 {
    let start = Instant::now();
    let tasks: Vec<_> = (0..CLIENTS).map(|number| tokio::spawn(client(number))).collect();
    let mut count = 0;
    for task in tasks {
        count += task.await.unwrap();
    }
    count as f64 / start.elapsed().as_secs_f64()
}

fn end() -> Instant {
    Instant::now() + Duration::from_secs(SECONDS)
}

async fn fill(registry: &PostgresRegistry, files: usize) {
    const CHUNK: usize = 5_000;
    let mut parent = registry.root().await.unwrap().id;
    for depth in 0..3 {
        parent = registry.create_container(&container(&format!("c{depth}"), &parent, "c")).await.unwrap().id;
    }
    registry.create_user(&user("alice", "alice")).await.unwrap();
    let bob = User { role: Role::Member, ..user("bob", "bob") };
    registry.create_user(&bob).await.unwrap();
    registry.create_session(&session("editor", "alice")).await.unwrap();
    registry.create_session(&session("member", "bob")).await.unwrap();
    assert_eq!(registry.groups_of(&bob.id).await.unwrap().len(), 0);
    let start = Instant::now();
    for from in (0..files).step_by(CHUNK) {
        let records: Vec<FileRecord> =
            (from..files.min(from + CHUNK)).map(|at| file(&format!("f{at}"), &parent, &format!("{at}.docx"))).collect();
        registry.create_files(&records).await.unwrap();
    }
    println!("created {files} files: {:.0} a second", files as f64 / start.elapsed().as_secs_f64());
}

/// Transactions a second.
fn pgbench(url: &str, name: &str, script: &str) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, script).unwrap();
    let output = Command::new("pgbench")
        .args(["--no-vacuum", "--protocol=prepared", "--jobs=2"])
        .arg(format!("--client={CLIENTS}"))
        .arg(format!("--time={SECONDS}"))
        .arg("--file")
        .arg(&path)
        .arg(url)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rate = text.lines().find_map(|line| line.strip_prefix("tps = "));
    let rate = rate.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)));
    rate.split(' ').next().unwrap().parse().unwrap()
}
