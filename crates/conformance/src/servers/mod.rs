//! Servers that tests talk to, and a proxy between the two.
//!
//! | what | how |
//! |---|---|
//! | [`Postgres`] | PostgreSQL of this machine (Debian package `postgresql-15`), in a folder of its own |
//! | [`Proxy`] | a line to any server on loopback, which a test cuts, slows down, or closes |
//!
//! Where a program is missing, [`Postgres::start`] says so and gives nothing, and the test passes without having looked;
//! in CI (the variable `CI` is set) that is a failure.
//!
//! This is for tests and for whoever tries something out: it panics where a test would.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "whoever has no server cannot go on")]

mod postgres;
mod proxy;

pub use postgres::{Postgres, TLS_AUTHORITY};
pub use proxy::{Line, Proxy};

/// Whether this is a run in which nothing may be skipped.
pub fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| !value.is_empty() && value != "false" && value != "0")
}
