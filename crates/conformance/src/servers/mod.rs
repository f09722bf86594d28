//! Servers that tests talk to, and a proxy between the two.
//!
//! | what | how |
//! |---|---|
//! | [`Postgres`] | PostgreSQL of this machine (Debian package `postgresql-15`), in a folder of its own |
//! | [`Proxy`] | a line to any server on loopback, which a test cuts, slows down, or closes |
//! | `S3` | an S3 server inside the test, which refuses, hangs, breaks off and loses answers when a test says so |
//! | `Azurite` | Microsoft's emulator of Azure Blob Storage (from npm, by `cargo xtask test`), behind the same front |
//!
//! The last two are behind the feature `stores`, because they are much to build.
//!
//! Where a program is missing, its `start` says so and gives nothing, and the test passes without having looked; in CI (the
//! variable `CI` is set) that is a failure.
//!
//! This is for tests and for whoever tries something out: it panics where a test would.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "whoever has no server cannot go on")]

#[cfg(feature = "stores")]
mod azurite;
#[cfg(feature = "stores")]
mod front;
mod postgres;
mod proxy;
#[cfg(feature = "stores")]
mod s3;

#[cfg(feature = "stores")]
pub use azurite::Azurite;
#[cfg(feature = "stores")]
pub use front::{Fault, Faults, Wanted};
pub use postgres::{Postgres, TLS_AUTHORITY};
pub use proxy::{Line, Proxy};
#[cfg(feature = "stores")]
pub use s3::S3;

/// Whether this is a run in which nothing may be skipped.
pub fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| !value.is_empty() && value != "false" && value != "0")
}

/// Says that a server could not be had, so that its test is skipped, loudly; a failure where nothing may be skipped.
#[cfg(feature = "stores")]
fn missing(what: &str, hint: &str) {
    assert!(!in_ci(), "{what} is missing, and nothing may be skipped here; hint: {hint}");
    eprintln!("SKIPPED: {what} is missing; hint: {hint}");
}
