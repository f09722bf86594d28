#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]
//! t
pub mod config;
pub mod discovery_source;
pub mod health;
pub mod listen;
pub mod received_body;
pub mod samples;
pub mod serve_lock;
pub mod serving;
pub mod signals;
pub mod site;
pub mod system;
pub mod telemetry;
pub mod trouble;
