//! What the registry costs on this machine: reads from the cache and past it, durable commits of 64 clients at once
//! beside one `fdatasync` for each, and how much more a million files cost than a thousand.
//!
//! `cargo run --release -p lectern-registry --example cost [FILES]`

#![allow(clippy::unwrap_used, reason = "a measurement fails by panicking")]

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lectern_conformance::registry::{container, file, session, user};
use lectern_host::ports::{FileCommit, Registry};
use lectern_host::records::{FileRecord, Held, LockState, Timestamp};
use lectern_host::wopi::{FileId, LockId, UserId};
use lectern_registry::{Opener, SqliteRegistry};

const CLIENTS: usize = 64;
const COMMITS_EACH: usize = 400;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let files = std::env::args().nth(1).map_or(1_000_000, |text| text.parse().unwrap());
    let folder = tempfile::tempdir_in(".").unwrap();
    for (at, files) in [1_000, files].into_iter().enumerate() {
        let path = folder.path().join(format!("{at}.db"));
        fill(&path, files).await;
        println!("{files} files");
        reads(&path, files).await;
        commits(&path, files).await;
    }
    println!("fdatasync alone: {:.0} a second", syncs(folder.path()));
}

fn id(number: usize) -> String {
    // Spread over the index as random ids are.
    format!("{:016x}{number:010}", (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

async fn fill(path: &Path, files: usize) {
    const CHUNK: usize = 5_000;
    let registry = SqliteRegistry::open(path, Opener::Server).unwrap();
    let root = registry.root().await.unwrap().id;
    let mut parent = root;
    for depth in 0..3 {
        parent = registry.create_container(&container(&format!("c{depth}"), &parent, "c")).await.unwrap().id;
    }
    registry.create_user(&user("alice", "alice")).await.unwrap();
    registry.create_session(&session("s", "alice")).await.unwrap();
    let start = Instant::now();
    for from in (0..files).step_by(CHUNK) {
        let records: Vec<FileRecord> =
            (from..files.min(from + CHUNK)).map(|at| file(&id(at), &parent, &format!("{at}.docx"))).collect();
        registry.create_files(&records).await.unwrap();
    }
    println!("created {files} files: {}", each(start.elapsed(), files));
    registry.close().await.unwrap();
}

fn each(elapsed: Duration, count: usize) -> String {
    format!("{:.2} µs each", elapsed.as_secs_f64() * 1e6 / count as f64)
}

async fn reads(path: &Path, files: usize) {
    let server = SqliteRegistry::open(path, Opener::Server).unwrap();
    let command = SqliteRegistry::open(path, Opener::Command).unwrap();
    let ids: Vec<FileId> = (0..1_000).map(|at| FileId::parse(&id(at * 7_919 % files)).unwrap()).collect();
    for id in &ids {
        server.file(id).await.unwrap();
    }
    let session = session("s", "alice").id;
    server.session_and_user(&session).await.unwrap();
    server.file_and_containers(&ids[0]).await.unwrap();
    quickest("file, in memory", async |at| drop(server.file(&ids[at % ids.len()]).await.unwrap())).await;
    quickest("session and user, in memory", async |_| drop(server.session_and_user(&session).await.unwrap())).await;
    quickest("file and 4 containers, in memory", async |at| {
        drop(server.file_and_containers(&ids[at % ids.len()]).await.unwrap());
    })
    .await;
    quickest("file, from the database", async |at| drop(command.file(&ids[at % ids.len()]).await.unwrap())).await;
}

/// Prints the quickest of many rounds: the others were disturbed by whatever else runs here.
async fn quickest(what: &str, read: impl AsyncFn(usize)) {
    const ROUNDS: usize = 100;
    const READS: usize = 1_000;
    let mut least = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for at in 0..READS {
            read(at).await;
        }
        least = least.min(start.elapsed());
    }
    println!("  {what}: {}", each(least, READS));
}

async fn commits(path: &Path, files: usize) {
    let registry = Arc::new(SqliteRegistry::open(path, Opener::Server).unwrap());
    let start = Instant::now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let registry = registry.clone();
            tokio::spawn(async move {
                let id = FileId::parse(&id(client * 7_919 % files)).unwrap();
                for round in 0..COMMITS_EACH {
                    let mut record = registry.file(&id).await.unwrap();
                    record.lock = match round % 2 {
                        0 => LockState::Wopi(Held {
                            id: LockId::parse("{\"S\":\"0123456789abcdef0123456789abcdef\",\"F\":4}").unwrap(),
                            expires_at: Timestamp(2),
                            since: Timestamp(1),
                            by: UserId::parse("alice").unwrap(),
                            client: None,
                            visible_as: None,
                        }),
                        _ => LockState::Free,
                    };
                    registry.commit_file(&FileCommit { record, replaced: None }).await.unwrap();
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("  {CLIENTS} clients, read and durable commit: {:.0} a second", (CLIENTS * COMMITS_EACH) as f64 / seconds);
}

fn syncs(folder: &Path) -> f64 {
    const SYNCS: u32 = 300;
    let mut file = std::fs::File::create(folder.join("syncs")).unwrap();
    let start = Instant::now();
    for _ in 0..SYNCS {
        file.write_all(&[7; 4096]).unwrap();
        file.sync_data().unwrap();
    }
    f64::from(SYNCS) / start.elapsed().as_secs_f64()
}
