#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]
//! The registry in SQLite or in PostgreSQL: what exists, where it is, who holds it.
//!
//! Both keep the same tables and, wherever the two agree on the words, run the same statements: a `const` each, with
//! parameters `$1, $2, …` and nothing but text, 64-bit numbers and bytes. What is PostgreSQL's own is in `postgres`.
//!
//! **SQLite.** One thread owns the one connection that writes, and commits what waits in groups ([`BATCH_JOBS_MAX`] jobs, one
//! `fsync`). A few connections read. Records that every request needs are kept in memory, and SQLite is asked each time
//! whether another process changed the database, so that a right that was taken away is gone at the next request.
//! This is also why the crate talks to SQLite itself, with statements that block, and not through an async pool: the
//! group commit and that question both need one connection held by one thread.
//!
//! It knows records and revisions. It does not know what a lock means, when one has run out, or who may do what.
//!
//! | module | what |
//! |---|---|
//! | `registry` | [`SqliteRegistry`], and the port on top of everything below |
//! | `writer` | the thread that writes: batches, savepoints, answers |
//! | `readers` | the connections that read |
//! | `cache` | records in memory, and the question whether they are the latest |
//! | `db`, `migrations` | how a database is opened, and its schema (`migrations/sqlite`) |
//! | `files`, `names`, `listing`, `parts`, `uploads`, `composed`, `history`, `containers`, `people`, `sharing`, `bin`, `condemned`, `memos`, `usage` | the statements, a `const` each, above what runs them |
//! | `fields`, `values`, `coauth`, `error` | columns to values and back; what can go wrong |
//! | `postgres` | [`PostgresRegistry`], with modules of the same names |

mod bin;
mod cache;
mod coauth;
mod composed;
mod condemned;
mod containers;
mod db;
mod error;
mod fields;
mod files;
mod history;
mod listing;
mod memos;
mod migrations;
mod names;
mod nul;
mod parts;
mod people;
mod postgres;
mod readers;
mod registry;
mod sharing;
mod uploads;
mod usage;
mod values;
mod writer;

#[cfg(test)]
mod tests;

pub use cache::{
    COAUTH_BYTES_CACHED_MAX, CONTAINERS_CACHED_MAX, FILES_CACHED_MAX, GRANTS_CACHED_MAX, LINKS_CACHED_MAX,
    SESSIONS_CACHED_MAX, SHARED_CACHED_MAX, USERS_CACHED_MAX,
};
pub use db::{BUSY_TIMEOUT, OpenError};
pub use postgres::{
    ANSWER_GRACE, PostgresHealth, PostgresOpenError, PostgresRegistry, PostgresSettings, PostgresTls, PostgresTlsMode,
};
pub use readers::READERS;
pub use registry::{Health, Opener, SqliteRegistry};
pub use writer::{BATCH_JOBS_MAX, JOBS_WAITING_MAX};
