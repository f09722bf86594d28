//! The registry in PostgreSQL: what the port promises, and what becomes of that when something breaks.
//!
//! | module | what |
//! |---|---|
//! | `promises` | the conformance suite |
//! | `answers` | answers that are lost: what was done is known to have been done |
//! | `outages` | a database that is away, slow, full, a standby, or has too many visitors |
//! | `nodes` | several nodes: starting together, committing together, an older one beside a newer one |
//! | `ways` | encryption, passwords, several hosts |

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

mod answers;
mod nodes;
mod outages;
mod promises;
mod ways;

use std::sync::Arc;
use std::time::Duration;

use lectern_conformance::servers::Postgres;
use lectern_host::ports::RegistryError;
use lectern_registry::{PostgresRegistry, PostgresSettings};

/// Where a database is on its server.
fn name(url: &str) -> &str {
    url.rsplit_once('/').expect("a URL ends with the database").1
}

/// Opens the database at this URL, with waits that suit a test.
async fn open(url: &str) -> Arc<PostgresRegistry> {
    Arc::new(PostgresRegistry::open(settings(url)).await.unwrap())
}

fn settings(url: &str) -> PostgresSettings {
    PostgresSettings { acquire_timeout: Duration::from_secs(20), ..PostgresSettings::new(url) }
}

/// A new database and its registry.
async fn fresh(server: &Postgres) -> (String, Arc<PostgresRegistry>) {
    let url = server.database();
    let registry = open(&url).await;
    (url, registry)
}

/// That it is only not there just now.
#[expect(clippy::needless_pass_by_value, reason = "it is called with what was just answered")]
#[track_caller]
fn assert_unavailable<T: std::fmt::Debug>(answer: Result<T, RegistryError>) {
    assert!(matches!(answer, Err(RegistryError::Unavailable(_))), "{answer:?}");
}
