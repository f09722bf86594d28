//! Connections: how they are opened, what is set on every one of them, and statements that stay prepared.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{CachedStatement, Connection, OpenFlags};

use crate::migrations;

/// How long a transaction waits for another process that writes, before it is given up as unavailable.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Statements that stay prepared per connection: more than there are.
const STATEMENTS_CACHED_MAX: usize = 128;

/// Pages in the log after which a commit carries them over into the database. SQLite's own default (1000) would do
/// that with every fifteenth or so full batch of commits.
const WAL_PAGES_MAX: i64 = 4096;

/// What the log is cut to when it starts anew, in bytes.
const WAL_BYTES_KEPT_MAX: i64 = 64 << 20;

/// Page cache of the connection that writes, in KiB.
const WRITER_CACHE_KIB: i64 = 8 << 10;

/// Page cache of each connection that reads, in KiB.
const READER_CACHE_KIB: i64 = 2 << 10;

/// `PRAGMA application_id` of our databases: "LCTN".
pub(crate) const APPLICATION_ID: i64 = 0x4C43_544E;

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A later Lectern has been here.
    #[error("{} was made by a newer Lectern: its schema has number {found}, this program knows up to {known}", .path.display())]
    Newer {
        /// Which file.
        path: PathBuf,
        /// The number in the database.
        found: i64,
        /// The highest number this program knows.
        known: i64,
    },
    /// It is some other program's database.
    #[error("{} is a database of another program", .path.display())]
    NotOurs {
        /// Which file.
        path: PathBuf,
    },
    /// The file system cannot do what the write-ahead log needs.
    #[error("{} cannot have a write-ahead log (journal mode stays `{mode}`): is it on a network file system?", .path.display())]
    NoLog {
        /// Which file.
        path: PathBuf,
        /// The mode it stays in.
        mode: String,
    },
    /// The file cannot be made.
    #[error("cannot make {}", .path.display())]
    Create {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// SQLite refuses.
    #[error("cannot open {}", .path.display())]
    Sqlite {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// There is no root container and none can be made.
    #[error("{} has no root container", .path.display())]
    Root {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: lectern_host::ports::RegistryError,
    },
    /// A thread could not be started.
    #[error("cannot start the thread that writes")]
    Thread(#[source] std::io::Error),
}

/// Opens the connection that writes: makes the file if there is none, and brings its schema up to date.
pub(crate) fn open_writer(path: &Path) -> Result<Connection, OpenError> {
    create_private(path).map_err(|source| OpenError::Create { path: path.to_owned(), source })?;
    let failed = |source| OpenError::Sqlite { path: path.to_owned(), source };
    let mut connection = open(path, WRITER_CACHE_KIB).map_err(failed)?;
    recognise(path, &connection)?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(failed)?;
    if mode != "wal" {
        return Err(OpenError::NoLog { path: path.to_owned(), mode });
    }
    connection
        .execute_batch(&format!(
            "PRAGMA application_id = {APPLICATION_ID};
             PRAGMA synchronous = FULL;
             PRAGMA wal_autocheckpoint = {WAL_PAGES_MAX};
             PRAGMA journal_size_limit = {WAL_BYTES_KEPT_MAX};"
        ))
        .map_err(failed)?;
    migrations::apply(path, &mut connection)?;
    Ok(connection)
}

/// Opens a connection that only reads.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, OpenError> {
    let failed = |source| OpenError::Sqlite { path: path.to_owned(), source };
    let connection = open(path, READER_CACHE_KIB).map_err(failed)?;
    connection.execute_batch("PRAGMA query_only = ON").map_err(failed)?;
    Ok(connection)
}

fn open(path: &Path, cache_kib: i64) -> rusqlite::Result<Connection> {
    // Every connection is used by one thread at a time, so SQLite's own mutexes are left out.
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_PRIVATE_CACHE,
    )?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED_MAX);
    connection.execute_batch(&format!(
        "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -{cache_kib}"
    ))?;
    Ok(connection)
}

/// Makes an empty file that only its owner may read: password hashes will be in it. SQLite gives the log the same mode.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop),
    }
}

fn recognise(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    let failed = |source| OpenError::Sqlite { path: path.to_owned(), source };
    let application: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0)).map_err(failed)?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(failed)?;
    if application == APPLICATION_ID || (application == 0 && tables == 0) {
        Ok(())
    } else {
        Err(OpenError::NotOurs { path: path.to_owned() })
    }
}

/// The statement, prepared once per connection.
///
/// Statements are written with `$1, $2, …` for PostgreSQL's sake. SQLite takes these for names and numbers them as
/// they appear, so they have to appear in order.
pub(crate) fn prepared<'c>(connection: &'c Connection, sql: &'static str) -> rusqlite::Result<CachedStatement<'c>> {
    let statement = connection.prepare_cached(sql)?;
    debug_assert!(
        (1..=statement.parameter_count()).all(|at| statement.parameter_name(at) == Some(&format!("${at}"))),
        "parameters are not in order: {sql}"
    );
    Ok(statement)
}

/// How SQLite means to carry the statement out, for tests.
#[cfg(test)]
pub(crate) fn plan(connection: &Connection, sql: &str) -> String {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let parameters = vec![rusqlite::types::Null; statement.parameter_count()];
    let steps = statement.query_map(rusqlite::params_from_iter(parameters), |row| row.get::<_, String>(3)).unwrap();
    steps.map(|step| step.unwrap() + "\n").collect()
}
