//! The reference implementations keep the promises.

use std::sync::Arc;

use lectern_conformance::contents;
use lectern_host::memory::contents::MemoryContents;

#[tokio::test]
async fn contents_in_memory_pass_the_suite() {
    contents::suite(async || Arc::new(MemoryContents::new()) as _).await;
}
