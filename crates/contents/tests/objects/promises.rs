//! The suite.

use std::sync::Arc;

use lectern_conformance::contents::{an_id_is_used_once, content, fresh_id, put, suite};
use lectern_conformance::servers::{Azurite, S3};
use lectern_contents::objects::{S3Checksum, S3Settings, StoreSettings};
use lectern_contents::{Faulty, Objects};
use lectern_host::ports::Contents;

use crate::{azure, objects, s3, settings};

/// A store below a prefix of its own.
fn below(store: StoreSettings) -> Arc<dyn Contents> {
    Arc::new(Objects::open(&settings(store)).unwrap())
}

fn faulty(store: StoreSettings) -> Arc<dyn Contents> {
    Arc::new(Faulty::new(below(store)))
}

#[tokio::test]
async fn objects_in_a_directory_keep_every_promise() {
    let root = tempfile::tempdir().unwrap();
    let store = StoreSettings::Directory(root.path().to_owned());
    suite(|| async { below(store.clone()) }).await;
    suite(|| async { faulty(store.clone()) }).await;
}

#[tokio::test]
async fn objects_in_s3_keep_every_promise() {
    let server = S3::start().await;
    suite(|| async { below(StoreSettings::S3(s3(&server))) }).await;
    suite(|| async { faulty(StoreSettings::S3(s3(&server))) }).await;
}

#[tokio::test]
async fn objects_in_azure_keep_every_promise() {
    let Some(server) = Azurite::start().await else { return };
    suite(|| async { below(StoreSettings::Azure(azure(&server))) }).await;
    suite(|| async { faulty(StoreSettings::Azure(azure(&server))) }).await;
}

#[tokio::test]
async fn an_id_is_used_once_also_where_the_store_would_replace_an_object() {
    let server = S3::start().await;
    let store = S3Settings { conditional_put: false, ..s3(&server) };
    an_id_is_used_once(&*below(StoreSettings::S3(store))).await;
    assert!(server.faults().requests().iter().any(|request| request.starts_with("HEAD")));
}

#[tokio::test]
async fn the_store_may_keep_a_checksum_of_its_own() {
    let server = S3::start().await;
    for checksum in [S3Checksum::Sha256, S3Checksum::Crc64Nvme] {
        let objects = objects(StoreSettings::S3(S3Settings { checksum, ..s3(&server) }));
        for length in [0, 10, 9 << 20] {
            let (id, bytes) = (fresh_id(), lectern_conformance::contents::bytes(length, 1));
            put(&objects, &id, bytes.clone()).await;
            assert!(content(&objects, &id).await == Some(bytes), "{checksum:?} {length}");
        }
    }
}

#[test]
fn a_prefix_that_could_lead_elsewhere_is_no_setting() {
    let store = StoreSettings::Directory(std::env::temp_dir());
    for prefix in ["a//b", "..", "a/../b"] {
        let settings = lectern_contents::ObjectsSettings { prefix: prefix.to_owned(), ..settings(store.clone()) };
        let error = Objects::open(&settings).unwrap_err().to_string();
        assert!(error.contains(prefix), "{error}");
    }
}
