#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]
//! What the project's chores share: other programs, and a running Lectern among them. `cargo xtask` and the benchmarks
//! are built on it; the program itself knows nothing of it.
//!
//! | module | what |
//! |---|---|
//! | [`tools`] | finding, installing, starting and stopping programs |
//! | [`lectern`] | a running Lectern with a folder, its tokens |

pub mod lectern;
pub mod tools;
