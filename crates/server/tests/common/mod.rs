//! What every black-box test of the program needs: the program itself as a child process, a raw HTTP client, and seeded
//! chance.
//!
//! These tests see what a client sees: sockets, the command line, the folder on disk, and the log. Nothing here knows a
//! crate of ours (but for a hash with published vectors, in `frames`), so that a mistake in one of them cannot hide
//! itself.
#![allow(dead_code, unused_imports, reason = "compiled into several test programs, each of which uses a part of it")]

pub(crate) mod chance;
pub(crate) mod frames;
pub(crate) mod http;
pub(crate) mod lectern;
pub(crate) mod wopi_client;

pub(crate) use chance::Chance;
pub(crate) use http::{Answer, Connection, Request};
pub(crate) use lectern::{Lectern, Settings, Token};
pub(crate) use wopi_client::Client;

/// Runs a test's future on a runtime of its own and ends the test when it takes longer than `seconds_max`: a test that
/// hangs must say so, not stop the whole run.
pub(crate) fn run(seconds_max: u64, test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let limit = std::time::Duration::from_secs(seconds_max);
    let in_time = runtime.block_on(async { tokio::time::timeout(limit, test).await.is_ok() });
    runtime.shutdown_background();
    assert!(in_time, "the test did not end within {seconds_max} s");
}

/// The SHA-256 of some bytes.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// Whether this is a run in which nothing may be skipped silently.
pub(crate) fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| !value.is_empty() && value != "false" && value != "0")
}
