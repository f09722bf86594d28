//! The reference implementations keep the promises.

use std::sync::Arc;

use lectern_conformance::contents;
use lectern_host::composed::Composed;
use lectern_host::memory::contents::MemoryContents;
use lectern_host::memory::registry::MemoryRegistry;

#[tokio::test]
async fn contents_in_memory_pass_the_suite() {
    contents::suite(async || Arc::new(MemoryContents::new()) as _).await;
}

#[tokio::test]
async fn contents_of_which_some_are_made_of_pieces_pass_the_suite() {
    let make = || Composed::new(Arc::new(MemoryContents::new()), Arc::new(MemoryRegistry::new()));
    contents::suite(async || Arc::new(make()) as _).await;
}
