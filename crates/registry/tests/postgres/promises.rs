//! What the port promises.

use lectern_conformance::registry;
use lectern_conformance::servers::{Postgres, Proxy};

use super::{fresh, name, open};

/// The name of a database that has the schema and nothing else, for others to be made like it.
async fn template(server: &Postgres) -> String {
    let (url, registry) = fresh(server).await;
    registry.close();
    name(&url).to_owned()
}

/// Every function begins with a connection that looks alive and is not: it ends when something is sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_registry_in_postgresql_keeps_every_promise() {
    let Some(server) = Postgres::shared() else { return };
    let template = template(server).await;
    let proxy = Proxy::before(server.port()).await;
    registry::suite(async || {
        let url = server.database_like(&template);
        let registry = open(&server.url_at(name(&url), proxy.port())).await;
        proxy.cut_requests(1);
        registry as registry::Fresh
    })
    .await;
}
