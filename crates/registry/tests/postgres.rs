//! The registry in PostgreSQL keeps what the port promises.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::sync::Arc;

use lectern_conformance::registry;
use lectern_conformance::servers::Postgres;
use lectern_registry::{PostgresRegistry, PostgresSettings};

/// The name of a database that has the schema and nothing else, for others to be made like it.
async fn template(server: &Postgres) -> String {
    let url = server.database();
    PostgresRegistry::open(PostgresSettings::new(&url)).await.unwrap().close();
    url.rsplit_once('/').unwrap().1.to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_registry_in_postgresql_keeps_every_promise() {
    let Some(server) = Postgres::start() else { return };
    let template = template(&server).await;
    registry::suite(async || {
        let settings = PostgresSettings::new(server.database_like(&template));
        Arc::new(PostgresRegistry::open(settings).await.unwrap()) as registry::Fresh
    })
    .await;
}
