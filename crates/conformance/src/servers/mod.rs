//! Servers of other systems, for tests: started inside the test or beside it, stopped with it, and made to fail on demand.
//!
//! They listen on loopback only, on a port of their own, so tests run beside each other. What they need is listed by
//! [`missing`]: a test that cannot have its server says so and is skipped, but never where nothing may be skipped.
//!
//! | what | how |
//! |---|---|
//! | [`Postgres`] | PostgreSQL of this machine (Debian package `postgresql-15`), in a folder of its own |
//! | [`Proxy`] | a line to any server on loopback, which a test cuts, slows down, or closes |
//! | `S3`, `Azurite` | object stores, behind a `front` that fails on demand (feature `servers`) |
//! | `RoundRobin` | a load balancer that sends each request to another server (feature `servers`) |

#![expect(clippy::expect_used, reason = "a test whose server does not start is to fail")]

#[cfg(feature = "servers")]
pub mod azurite;
#[cfg(feature = "servers")]
pub mod front;
mod postgres;
mod proxy;
#[cfg(feature = "servers")]
mod round_robin;
#[cfg(feature = "servers")]
pub mod s3;

#[cfg(feature = "servers")]
pub use azurite::Azurite;
#[cfg(feature = "servers")]
pub use front::{Fault, Faults, Wanted};
pub use postgres::{Postgres, TLS_AUTHORITY};
pub use proxy::{Line, Proxy};
#[cfg(feature = "servers")]
pub use round_robin::RoundRobin;
#[cfg(feature = "servers")]
pub use s3::S3;

/// Says that a server could not be had, so that its test is skipped, loudly.
///
/// # Panics
///
/// In CI (`CI` is set), where a test that was skipped is a failure.
pub fn missing(what: &str, hint: &str) {
    let in_ci = std::env::var("CI").is_ok_and(|value| !value.is_empty() && value != "false" && value != "0");
    assert!(!in_ci, "{what} is missing, and nothing may be skipped here; hint: {hint}");
    eprintln!("SKIPPED: {what} is missing; hint: {hint}");
}
