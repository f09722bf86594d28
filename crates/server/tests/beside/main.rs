//! The rules over a real folder and registry, with other programs that act in the worst moment, clients that go away,
//! and a registry that has passing trouble.
//!
//! | module | what must hold |
//! |---|---|
//! | `saves` | a save answered 200 is in the folder or in the history, whoever was at work beside it |
//! | `ids` | a file is the same file under whatever name and in whatever container other programs put it |
//! | `scans` | what is only missing for a moment, or cannot be looked at, is not deleted |
//! | `names` | what is asked for a name is there, or refused, with a name that would do |
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends by panicking")]
#![allow(clippy::panic, reason = "a test ends by panicking")]

mod ground;
mod ids;
mod moments;
mod names;
mod saves;
mod scans;
mod trouble;
