#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]
//! Where bytes are kept.
//!
//! This crate implements `Contents` and `Tree` of `lectern_host::ports`. It knows the file system and object stores, and nothing of
//! records, locks, people or HTTP. Unix only: every promise here hangs on file descriptors, inodes and `rename`.
//!
//! | module | what it has |
//! |---|---|
//! | [`folder`] | [`Folder`]: a directory of the user's, whose files stay ordinary files |
//! | [`objects`] | [`Objects`]: an object store, whose names are in the registry |
//! | [`faulty`] | [`Faulty`]: a wrapper that fails when a test tells it to |
//!
//! Each passes the suites of `lectern-conformance`; see `tests/`.

pub mod faulty;
pub mod folder;
pub mod objects;

pub use faulty::Faulty;
pub use folder::{Finding, Folder, FolderError};
pub use objects::{Objects, ObjectsSettings};
