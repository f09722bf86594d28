//! Reference implementations of the ports, in memory: the shortest program that keeps each promise.
//!
//! They are what the suites of `lectern-conformance` are tried on first, and what the tests of the rules run on.

mod bin;
pub mod contents;
mod listing;
mod memos;
pub mod registry;
mod sharing;
