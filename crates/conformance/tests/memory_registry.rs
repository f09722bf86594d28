//! The registry in memory keeps what the port promises.

use std::sync::Arc;

use lectern_conformance::registry;
use lectern_host::memory::registry::MemoryRegistry;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_registry_in_memory_keeps_every_promise() {
    registry::suite(async || Arc::new(MemoryRegistry::new()) as registry::Fresh).await;
}
