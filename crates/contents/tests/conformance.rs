//! The suites as an embedder would run them: on a folder, and on a wrapper around it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use std::cell::RefCell;
use std::sync::Arc;

use lectern_conformance::tree::Ground;
use lectern_conformance::{contents, tree};
use lectern_contents::{Faulty, Folder};
use tempfile::TempDir;

fn folder() -> (TempDir, Folder) {
    let scratch = tempfile::tempdir().unwrap();
    let folder = Folder::open(scratch.path(), &scratch.path().join(Folder::STATE_NAME)).unwrap();
    (scratch, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_passes_the_suite_of_contents() {
    let scratches = RefCell::new(Vec::new());
    contents::suite(async || {
        let (scratch, folder) = folder();
        scratches.borrow_mut().push(scratch);
        Arc::new(folder) as _
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_passes_the_suite_of_trees() {
    let scratches = RefCell::new(Vec::new());
    tree::suite(async || {
        let (scratch, folder) = folder();
        let root = folder.root().to_owned();
        scratches.borrow_mut().push(scratch);
        Ground { tree: Arc::new(folder.clone()), contents: Arc::new(folder), root }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrapper_that_is_told_nothing_passes_the_suite_of_contents() {
    let scratches = RefCell::new(Vec::new());
    contents::suite(async || {
        let (scratch, folder) = folder();
        scratches.borrow_mut().push(scratch);
        Arc::new(Faulty::new(Arc::new(folder))) as _
    })
    .await;
}
