//! What can go wrong here, in our own words, and what that means for the port.

use std::sync::Arc;
use std::time::Duration;

use lectern_host::ports::RegistryError;
use rusqlite::{ErrorCode, ffi};

use crate::fields::Invalid;
use crate::postgres::trouble;

/// Why a statement, a job or a whole batch did not happen. Cheap to clone, because a batch that fails as a whole owes
/// every one of its jobs an answer.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("no such record")]
    NotFound,
    #[error("changed since it was read")]
    Conflict,
    #[error("the name is taken")]
    NameTaken,
    #[error("not empty")]
    NotEmpty,
    #[error("its bytes were swept away meanwhile")]
    Condemned,
    /// The caller asked for something that no registry may hold.
    #[error("{0}")]
    Refused(&'static str),
    #[error("more than {0} jobs are waiting for the writer")]
    Crowded(usize),
    #[error("the registry was closed")]
    Closed,
    #[error("a thread of the registry was stopped")]
    Stopped,
    #[error("a row cannot be read")]
    Invalid(#[source] Invalid),
    #[error("SQLite failed")]
    Sqlite(#[source] Arc<rusqlite::Error>),
    #[error("PostgreSQL failed")]
    Postgres(#[source] Arc<tokio_postgres::Error>),
    #[error("cannot connect to {0}")]
    Unreachable(String, #[source] Arc<tokio_postgres::Error>),
    #[error("{0} is a standby: it takes no changes")]
    ReadOnly(String),
    #[error("{0} did not answer within {1:?}")]
    Silent(String, Duration),
    #[error("all {0} connections to the database are in use")]
    NoConnection(usize),
    #[error("the database has the encoding {0}, and only UTF8 has every name")]
    Encoding(String),
    #[error("nobody knows whether it was done: the connection ended before the answer")]
    Uncertain(#[source] Box<Error>),
}

impl From<Invalid> for Error {
    fn from(error: Invalid) -> Self {
        Self::Invalid(error)
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::QueryReturnedNoRows => Self::NotFound,
            error => Self::Sqlite(Arc::new(error)),
        }
    }
}

impl From<Error> for RegistryError {
    fn from(error: Error) -> Self {
        match &error {
            Error::NotFound => Self::NotFound,
            Error::Conflict => Self::Conflict,
            Error::NameTaken => Self::NameTaken,
            Error::NotEmpty => Self::NotEmpty,
            Error::Condemned => Self::Condemned,
            Error::Refused(_) | Error::Invalid(_) => Self::Failed(error.into()),
            Error::Crowded(_) | Error::Closed | Error::Stopped => Self::Unavailable(error.into()),
            Error::ReadOnly(_) | Error::Silent(..) | Error::NoConnection(_) | Error::Uncertain(_) => {
                Self::Unavailable(error.into())
            }
            Error::Encoding(_) => Self::Failed(error.into()),
            Error::Postgres(cause) => match trouble::kind(cause) {
                trouble::Kind::Full => Self::Full(error.into()),
                trouble::Kind::Passing => Self::Unavailable(error.into()),
                trouble::Kind::Other => Self::Failed(error.into()),
            },
            // The server said no to our name or our password: nothing that passes. All else may.
            Error::Unreachable(_, cause) => match cause.code().map(|code| code.code().get(..2)) {
                Some(Some("28" | "3D" | "42")) => Self::Failed(error.into()),
                _ => Self::Unavailable(error.into()),
            },
            Error::Sqlite(cause) => match kind(cause) {
                Kind::Full => Self::Full(error.into()),
                Kind::Busy => Self::Unavailable(error.into()),
                Kind::Other => Self::Failed(error.into()),
            },
        }
    }
}

/// What an SQLite error means for who waits for an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// No space, on the disk or within a limit.
    Full,
    /// Somebody else holds what we need.
    Busy,
    /// Anything else.
    Other,
}

/// | SQLite says | means |
/// |---|---|
/// | FULL (ENOSPC on a write, or `max_page_count`) | full |
/// | IOERR_SHMSIZE (the shared memory file could not grow) | full |
/// | BUSY, LOCKED, PROTOCOL (lost a race for the log's locks too often) | busy |
/// | anything else | other |
pub(crate) fn kind(error: &rusqlite::Error) -> Kind {
    let rusqlite::Error::SqliteFailure(error, _) = error else { return Kind::Other };
    match error.code {
        ErrorCode::DiskFull => Kind::Full,
        _ if error.extended_code == ffi::SQLITE_IOERR_SHMSIZE => Kind::Full,
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => Kind::Busy,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_codes_mean_full_busy_or_other() {
        for (code, means) in [
            (ffi::SQLITE_FULL, Kind::Full),
            (ffi::SQLITE_IOERR_SHMSIZE, Kind::Full),
            (ffi::SQLITE_BUSY, Kind::Busy),
            (ffi::SQLITE_BUSY_SNAPSHOT, Kind::Busy),
            (ffi::SQLITE_BUSY_RECOVERY, Kind::Busy),
            (ffi::SQLITE_LOCKED, Kind::Busy),
            (ffi::SQLITE_PROTOCOL, Kind::Busy),
            (ffi::SQLITE_IOERR_WRITE, Kind::Other),
            (ffi::SQLITE_IOERR_FSYNC, Kind::Other),
            (ffi::SQLITE_READONLY, Kind::Other),
            (ffi::SQLITE_CANTOPEN, Kind::Other),
            (ffi::SQLITE_CORRUPT, Kind::Other),
        ] {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            assert_eq!(kind(&error), means, "{error}");
        }
    }
}
