#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]
//! The pages as a browser sees them: over a host in memory, with a clock that tests move.

mod files;
mod moving;
mod opening;
mod outside;
#[path = "../../../server/tests/common/provider.rs"]
mod provider_stub;
mod sharing;
mod signing_in;
mod surroundings;
mod world;
