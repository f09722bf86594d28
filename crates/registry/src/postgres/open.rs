//! Opening the registry, and what may stand in the way.

use std::path::PathBuf;
use std::sync::Arc;

use lectern_host::ports::RegistryError;

use super::trouble::Trouble;
use crate::error::Error;

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresOpenError {
    /// The URL cannot be read.
    #[error("the database's URL cannot be read")]
    Url {
        /// Why.
        #[source]
        source: Arc<tokio_postgres::Error>,
    },
    /// The URL lacks something.
    #[error("the database's URL lacks {0}")]
    Incomplete(&'static str),
    /// The certificates cannot be read.
    #[error("cannot read certificates from {}", .path.display())]
    Certificates {
        /// From which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There are no certificates to trust.
    #[error("this machine trusts nobody to sign the database's certificate: name a file with certificates")]
    NoTrust,
    /// Encryption cannot be set up.
    #[error("encryption to the database cannot be set up")]
    Tls {
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// A later Lectern has been here, and has left nothing that this one could use.
    #[error(
        "the database was made ready for a newer Lectern: its schema has number {found} and serves programs from \
         {compatible_from} on, this program knows up to {known}"
    )]
    Newer {
        /// The number in the database.
        found: i64,
        /// The lowest number of a program that may use it.
        compatible_from: i64,
        /// The highest number this program knows.
        known: i64,
    },
    /// It is some other program's database.
    #[error("the database has tables of another program")]
    NotOurs,
    /// It cannot be reached, or refuses us.
    #[error(transparent)]
    Registry(RegistryError),
}

impl PostgresOpenError {
    pub(super) fn registry(error: Error) -> Self {
        Self::Registry(error.into())
    }

    pub(super) fn trouble(trouble: Trouble) -> Self {
        Self::registry(trouble.into_error())
    }
}
