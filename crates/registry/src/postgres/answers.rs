//! What PostgreSQL answered, as records.

use super::pool::Answer;
use crate::error::Error;
use crate::fields::{self, Fields};

/// The first row.
pub(crate) fn first<T>(answer: &Answer, read: impl FnOnce(&mut Fields<'_>) -> fields::Result<T>) -> Result<T, Error> {
    let row = answer.rows.first().ok_or(Error::NotFound)?;
    Ok(read(&mut Fields::from(row))?)
}

/// All rows.
pub(crate) fn all<T>(answer: &Answer, read: impl Fn(&mut Fields<'_>) -> fields::Result<T>) -> Result<Vec<T>, Error> {
    Ok(answer.rows.iter().map(|row| read(&mut Fields::from(row))).collect::<Result<_, _>>()?)
}

/// The one number of a statement that counts what it did.
pub(crate) fn count(answer: &Answer) -> Result<u64, Error> {
    first(answer, fields::count)
}

/// Whether anything was changed.
pub(crate) fn changed(answer: &Answer, otherwise: Error) -> Result<(), Error> {
    if answer.changed == 0 { Err(otherwise) } else { Ok(()) }
}

/// The constraint that was broken, if one was.
pub(crate) fn violated(error: &Error) -> Option<&str> {
    match error {
        Error::Postgres(error) => error.as_db_error()?.constraint(),
        _ => None,
    }
}

/// The code of `refuse_condemned` (`migrations/postgres`).
const CONDEMNED: &str = "LC001";

/// What it means that the database refused a content.
pub(crate) fn condemned(error: Error) -> Error {
    match &error {
        Error::Postgres(source) if source.code().is_some_and(|code| code.code() == CONDEMNED) => Error::Condemned,
        _ => error,
    }
}
