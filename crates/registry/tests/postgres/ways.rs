//! The ways to the database: encryption, passwords, several hosts.

use std::io::Write as _;

use lectern_conformance::servers::{Postgres, TLS_AUTHORITY};
use lectern_host::ports::{Registry, RegistryError};
use lectern_registry::{PostgresOpenError, PostgresRegistry, PostgresSettings, PostgresTls, PostgresTlsMode};
use tokio_postgres::NoTls;

use super::{name, settings};

fn authority() -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(TLS_AUTHORITY.as_bytes()).unwrap();
    file
}

/// How many encrypted connections there are to a database.
async fn encrypted(url: &str) -> i64 {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let count = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
         WHERE ssl AND datname = current_database()";
    client.query_one_scalar(count, &[]).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_way_leads_only_to_a_host_whose_certificate_is_good() {
    let Some(server) = Postgres::start_with(&[("ssl", "on")]) else { return };
    let url = server.database();
    let authority = authority();
    let required = |url: String, known: bool| PostgresSettings {
        tls: PostgresTls {
            mode: PostgresTlsMode::Required,
            root_certificates: known.then(|| authority.path().to_owned()),
        },
        ..settings(&url)
    };
    let good = url.replace("127.0.0.1", "localhost");
    let registry = PostgresRegistry::open(required(good.clone(), true)).await.unwrap();
    registry.root().await.unwrap();
    assert_eq!(encrypted(&url).await, 1);
    drop(registry);
    // The certificate is not for this name; it is not signed by whom we trust.
    for settings in [required(url.clone(), true), required(good, false)] {
        let refused = PostgresRegistry::open(settings).await;
        assert!(
            matches!(
                refused,
                Err(PostgresOpenError::Registry(RegistryError::Unavailable(_)) | PostgresOpenError::NoTrust)
            ),
            "{refused:?}"
        );
    }
    // Nor is anything said to a server that has no encryption.
    let Some(plain) = Postgres::shared() else { return };
    let refused = PostgresRegistry::open(required(plain.database().replace("127.0.0.1", "localhost"), true)).await;
    assert!(refused.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_opens_the_database_with_and_without_encryption() {
    let Some(server) = Postgres::start_with(&[("ssl", "on")]) else { return };
    let url = server.database();
    server.execute(
        name(&url),
        "CREATE ROLE reader LOGIN PASSWORD 'sésame'; GRANT ALL ON DATABASE lectern_0 TO reader; \
         GRANT ALL ON SCHEMA public TO reader",
    );
    server.admit("host all reader 127.0.0.1/32 scram-sha-256\nhost all reader ::1/128 scram-sha-256");
    let authority = authority();
    for mode in [PostgresTlsMode::Off, PostgresTlsMode::Required] {
        let with = |password: Option<&str>| PostgresSettings {
            password: password.map(str::to_owned),
            tls: PostgresTls { mode, root_certificates: Some(authority.path().to_owned()) },
            ..settings(&url.replace("postgres@127.0.0.1", "reader@localhost"))
        };
        let registry = PostgresRegistry::open(with(Some("sésame"))).await.unwrap();
        registry.root().await.unwrap();
        for wrong in [Some("x"), None] {
            let refused = PostgresRegistry::open(with(wrong)).await;
            assert!(refused.is_err());
            assert!(!format!("{refused:?}").contains("sésame"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_hosts_the_one_that_takes_changes_is_used() {
    let (Some(one), Some(other)) = (Postgres::start(), Postgres::start()) else { return };
    let (url, same) = (one.database(), other.database());
    assert_eq!(name(&url), name(&same));
    let both = url.replace(&one.port().to_string(), &format!("{},127.0.0.1:{}", one.port(), other.port()));
    let registry = PostgresRegistry::open(settings(&both)).await.unwrap();
    let root = registry.root().await.unwrap();
    PostgresRegistry::open(settings(&same)).await.unwrap();
    // The first becomes a standby, and is then gone altogether.
    one.execute("postgres", &format!("ALTER DATABASE {} SET default_transaction_read_only = on", name(&url)));
    one.execute(
        "postgres",
        &format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'", name(&url)),
    );
    let elsewhere = registry.root().await.unwrap();
    assert_ne!(elsewhere.id, root.id, "it is another database in this test, so that it can be told");
    one.stop();
    assert_eq!(registry.root().await.unwrap(), elsewhere);
    registry.check().await.unwrap();
}
