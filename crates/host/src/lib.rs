#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]
//! Lectern's rules: what a file is after an operation, and whether it may happen at all.
//!
//! The rules are pure functions; the use cases load a record through a port, let a rule decide, and commit the next
//! record at the revision they read. This crate never names a database, a cloud or a web framework.

pub mod memory;
pub mod ports;
pub mod records;

pub use wopi;
pub use wopi_service::{Body, BoxError};
