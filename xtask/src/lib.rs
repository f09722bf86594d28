#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]
//! What the project's chores share: other programs, and a running Lectern among them. `cargo xtask` and the benchmarks
//! are built on it; the program itself knows nothing of it.
//!
//! | module | what |
//! |---|---|
//! | [`tools`] | finding, installing, starting and stopping programs |
//! | [`lectern`] | a running Lectern with a folder, its tokens |
//! | [`nodes`] | several of them over a database and a store that they share |

pub mod lectern;
pub mod nodes;
pub mod tools;
