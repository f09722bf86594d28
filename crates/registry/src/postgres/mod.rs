//! The registry in PostgreSQL, for several nodes.
//!
//! Nothing of what is read is kept in memory: another node may have changed anything a moment ago.
//! So what counts is how often the database is asked. Everything that lets a request in is one statement (`visits`), and so
//! is every commit: where several tables change, they change in one statement (`WITH … AS (UPDATE … RETURNING …) INSERT …`),
//! in a transaction of its own. There is no moment at which a node that dies or freezes holds what others need.
//!
//! | module | what |
//! |---|---|
//! | `port` | the port on top of everything below |
//! | `settings`, `targets` | where the database is, and how it is reached |
//! | `pool` | connections |
//! | `run`, `trouble` | second tries: which are safe, and what an error says about what was asked |
//! | `open`, `migrations`, `health` | opening, the schema, how it is |
//! | `files`, `visits`, `containers`, `history`, `parts`, `uploads`, `people`, `sharing`, `listing`, `bin`, `memos` | the statements that differ from SQLite's, and what runs them |
//! | `answers` | rows as records |

mod answers;
mod bin;
mod containers;
mod files;
mod health;
mod history;
mod listing;
mod memos;
mod migrations;
mod open;
mod parts;
mod people;
mod pool;
mod port;
mod run;
mod settings;
mod sharing;
mod targets;
pub(crate) mod trouble;
mod uploads;
mod visits;

#[cfg(test)]
mod tests;

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicU64, Ordering};

pub use health::PostgresHealth;
pub use open::PostgresOpenError;
pub use settings::{ANSWER_GRACE, PostgresSettings, PostgresTls, PostgresTlsMode};

use pool::Pool;

/// A registry in a PostgreSQL database (13 or later), which any number of nodes may share.
///
/// Wants a Tokio runtime, and is used on the one it was opened on.
pub struct PostgresRegistry {
    /// Hosts and database, for people.
    name: String,
    pool: Pool,
    stamps: Stamps,
    sharers: visits::Sharers,
}

impl PostgresRegistry {
    /// Connects, brings the schema up to date, and makes the root if there is none.
    ///
    /// # Errors
    ///
    /// Says what is the matter with the settings or with the database. One that is only not there yet is
    /// [`RegistryError::Unavailable`](lectern_host::ports::RegistryError::Unavailable) inside.
    pub async fn open(settings: PostgresSettings) -> Result<Self, PostgresOpenError> {
        let (targets, name) = targets::targets(&settings)?;
        let (pool, stamps) = (Pool::new(targets, settings), Stamps::new());
        migrations::apply(&pool, stamps.random()).await?;
        Ok(Self { name, pool, stamps, sharers: visits::Sharers::new() })
    }

    /// Closes the connections that are idle, and the others as soon as they are. Whatever is asked after this is refused
    /// ([`RegistryError::Unavailable`](lectern_host::ports::RegistryError::Unavailable)). Again is success.
    pub fn close(&self) {
        self.pool.close();
    }
}

impl fmt::Display for PostgresRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgresql {}", self.name)
    }
}

impl fmt::Debug for PostgresRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresRegistry").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Where the stamps of commits come from: numbers that no other node makes at the same time. They need not be secret.
struct Stamps {
    /// The standard library takes its keys from the system's random numbers.
    keys: RandomState,
    next: AtomicU64,
}

impl Stamps {
    fn new() -> Self {
        Self { keys: RandomState::new(), next: AtomicU64::new(0) }
    }

    fn next(&self) -> files::Stamp {
        self.keys.hash_one(self.next.fetch_add(1, Ordering::Relaxed)).to_be_bytes()
    }

    /// Enough for the id of the root: everybody may know that.
    fn random(&self) -> [u8; 16] {
        let mut random = [0; 16];
        for (half, stamp) in random.as_chunks_mut::<8>().0.iter_mut().zip([self.next(), self.next()]) {
            *half = stamp;
        }
        random
    }
}
