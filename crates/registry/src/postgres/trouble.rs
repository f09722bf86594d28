//! What can go wrong between us and PostgreSQL, and what that says about what was asked.

use std::error::Error as _;
use std::sync::Arc;

use tokio_postgres::error::SqlState;

use super::targets::Target;
use crate::error::Error;

/// Why a statement was not answered.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It was not sent. Another try may go better.
    NotSent(Error),
    /// It was sent, and the server undid it. Another try may go better.
    Undone(Error),
    /// It was sent, and the connection ended: nobody knows whether it was done.
    Unknown(Error),
    /// It was refused, or another try would fare no better.
    Final(Error),
}

impl Trouble {
    /// What the end of an attempt to connect means.
    pub(crate) fn at_connecting(target: &Target, error: tokio_postgres::Error) -> Self {
        let wrapped = |error| Error::Unreachable(target.name.clone(), Arc::new(error));
        match error.code() {
            None => Self::NotSent(wrapped(error)),
            Some(code) if is_end(code) || *code == SqlState::TOO_MANY_CONNECTIONS => Self::NotSent(wrapped(error)),
            Some(_) => Self::Final(wrapped(error)),
        }
    }

    /// What an error means for a statement that was, or was not, sent.
    ///
    /// | error | means |
    /// |---|---|
    /// | 40001, 40P01: another transaction came in between | undone |
    /// | 25006: the server has become a standby | undone; the next connection finds the one that takes changes |
    /// | 26000, 0A000: the statement is not prepared any more, or its tables have changed | undone |
    /// | 57P01, 57P02, 57P03: the server ends, or begins; class 08; the connection ended | unknown, if it was sent |
    /// | 57014: it took longer than it may | final |
    /// | anything else | final |
    pub(crate) fn of(error: tokio_postgres::Error, sent: bool) -> Self {
        let code = error.code().cloned();
        let lost = is_lost(&error);
        let wrapped = Error::Postgres(Arc::new(error));
        match code {
            Some(code) if is_undone(&code) => Self::Undone(wrapped),
            Some(code) if is_end(&code) && sent => Self::Unknown(wrapped),
            Some(code) if is_end(&code) => Self::NotSent(wrapped),
            None if lost && sent => Self::Unknown(wrapped),
            None if lost => Self::NotSent(wrapped),
            Some(_) | None => Self::Final(wrapped),
        }
    }

    /// Whether the connection is no good for the next statement.
    pub(crate) fn spoils_the_connection(&self) -> bool {
        match self {
            Self::NotSent(_) | Self::Unknown(_) => true,
            Self::Undone(Error::Postgres(error)) => {
                !matches!(error.code(), Some(&SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED))
            }
            Self::Undone(_) | Self::Final(_) => false,
        }
    }

    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::NotSent(error) | Self::Undone(error) | Self::Unknown(error) | Self::Final(error) => error,
        }
    }
}

fn is_undone(code: &SqlState) -> bool {
    [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::READ_ONLY_SQL_TRANSACTION,
        SqlState::INVALID_SQL_STATEMENT_NAME,
        SqlState::FEATURE_NOT_SUPPORTED,
    ]
    .contains(code)
}

/// Whether the connection ended without a word.
fn is_lost(error: &tokio_postgres::Error) -> bool {
    error.is_closed() || error.source().is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
}

/// Whether the server says that this connection, or the server, ends or has not begun.
fn is_end(code: &SqlState) -> bool {
    code.code().starts_with("08")
        || [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW].contains(code)
}

/// What an error of the server means for who waits for an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// No space is left on its disk.
    Full,
    /// It passes.
    Passing,
    /// Anything else.
    Other,
}

/// | PostgreSQL says | means |
/// |---|---|
/// | nothing any more: the connection ended, or none could be made | passing |
/// | 53100 | full |
/// | class 08; 57P01, 57P02, 57P03: it ends, or begins; 53200, 53300, 53400: out of memory, connections, something else | passing |
/// | 57014: the statement took too long; 55P03: it waited too long; 40001, 40P01; 25006: it is a standby now | passing |
/// | anything else | other |
pub(crate) fn kind(error: &tokio_postgres::Error) -> Kind {
    let Some(code) = error.code() else {
        return if is_lost(error) { Kind::Passing } else { Kind::Other };
    };
    match code.code() {
        "53100" => Kind::Full,
        "53200" | "53300" | "53400" | "57014" | "55P03" | "40001" | "40P01" | "25006" => Kind::Passing,
        _ if is_end(code) => Kind::Passing,
        _ => Kind::Other,
    }
}
