#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]
//! t
pub mod config;
pub mod listen;
pub mod received_body;
pub mod system;
pub mod trouble;
