//! Servers of other systems, for tests: started inside the test or beside it, stopped with it, and made to fail on demand.
//!
//! They listen on loopback only, on a port of their own, so tests run beside each other. What they need is listed by
//! [`missing`]: a test that cannot have its server says so and is skipped, but never where nothing may be skipped.

#![expect(clippy::expect_used, reason = "a test whose server does not start is to fail")]

pub mod azurite;
pub mod front;
pub mod s3;

pub use azurite::Azurite;
pub use front::{Fault, Faults, Wanted};
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
