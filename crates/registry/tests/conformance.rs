//! The registry in SQLite keeps what the port promises, opened by the server (with a cache) and by a command (without).

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use lectern_conformance::registry;
use lectern_registry::{Opener, SqliteRegistry};

async fn suite(folder: &Path, who: Opener) {
    let number = AtomicU32::new(0);
    registry::suite(async || {
        let path = folder.join(format!("{}.db", number.fetch_add(1, Ordering::Relaxed)));
        Arc::new(SqliteRegistry::open(&path, who).unwrap()) as registry::Fresh
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_registry_of_a_server_keeps_every_promise() {
    let folder = tempfile::tempdir().unwrap();
    suite(folder.path(), Opener::Server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_registry_of_a_command_keeps_every_promise() {
    let folder = tempfile::tempdir().unwrap();
    suite(folder.path(), Opener::Command).await;
}
