//! A database that is away, slow, full, a standby, or has too many visitors.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lectern_conformance::registry::{container, file, session};
use lectern_conformance::servers::{Line, Postgres, Proxy};
use lectern_host::ports::{FileCommit, Registry, RegistryError, Sharing};
use lectern_host::records::{FileRecord, ModifiedAt, Timestamp};
use lectern_registry::{ANSWER_GRACE, PostgresOpenError, PostgresRegistry, PostgresSettings};
use tokio_postgres::{Client, NoTls};

use super::{assert_unavailable, fresh, name, open, settings};

async fn client(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

fn touched(record: &FileRecord) -> FileCommit {
    let mut record = record.clone();
    record.content.modified_at = ModifiedAt(record.content.modified_at.0 + 1);
    FileCommit { record, replaced: None }
}

/// A registry of which every connection was used.
async fn busy(registry: &Arc<PostgresRegistry>) {
    let root = registry.root().await.unwrap().id;
    let reads = (0..64).map(|_| registry.container(&root));
    for read in futures_util::future::join_all(reads).await {
        read.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_stopped_or_killed_is_unavailable_and_afterwards_used_without_a_restart() {
    let Some(server) = Postgres::start() else { return };
    let (_, registry) = fresh(&server).await;
    let root = registry.root().await.unwrap().id;
    let mut record = registry.create_file(&file("f", &root, "f")).await.unwrap();
    for end in [Postgres::stop, Postgres::kill] {
        busy(&registry).await;
        end(&server);
        let start = Instant::now();
        assert_unavailable(registry.file(&record.id).await);
        assert_unavailable(registry.commit_file(&touched(&record)).await);
        assert_unavailable(registry.put_discovery_of_nothing().await);
        assert_unavailable(registry.ready().await);
        assert_unavailable(registry.check().await);
        assert!(start.elapsed() < Duration::from_secs(10), "it is told at once: {:?}", start.elapsed());
        server.start_again();
        record = registry.commit_file(&touched(&record)).await.unwrap();
        assert_eq!(registry.file(&record.id).await.unwrap(), record);
        registry.ready().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_that_nobody_saw_fails_no_request() {
    let Some(server) = Postgres::start() else { return };
    let (_, registry) = fresh(&server).await;
    let root = registry.root().await.unwrap().id;
    let mut record = registry.create_file(&file("f", &root, "f")).await.unwrap();
    for round in 0..3 {
        busy(&registry).await;
        server.restart();
        record = registry.commit_file(&touched(&record)).await.unwrap();
        busy(&registry).await;
        registry.create_session(&session(&format!("s{round}"), "alice")).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_takes_everything_and_carries_nothing_is_given_up_in_time() {
    let Some(server) = Postgres::shared() else { return };
    let (url, beside) = fresh(server).await;
    let proxy = Proxy::before(server.port()).await;
    let (statement, connect) = (Duration::from_millis(100), Duration::from_millis(300));
    let settings = PostgresSettings {
        statement_timeout: statement,
        connect_timeout: connect,
        ..settings(&server.url_at(name(&url), proxy.port()))
    };
    let registry = PostgresRegistry::open(settings).await.unwrap();
    let root = beside.root().await.unwrap().id;
    let record = beside.create_file(&file("f", &root, "f")).await.unwrap();
    let record = registry.commit_file(&touched(&record)).await.unwrap();
    proxy.set(Line::Hole);
    let start = Instant::now();
    assert_unavailable(registry.file(&record.id).await);
    let patience = statement + ANSWER_GRACE;
    assert!((patience..patience + Duration::from_secs(2)).contains(&start.elapsed()), "{:?}", start.elapsed());
    // And no connection can be made.
    let start = Instant::now();
    assert_unavailable(registry.file(&record.id).await);
    assert!((connect..connect + Duration::from_secs(2)).contains(&start.elapsed()), "{:?}", start.elapsed());
    proxy.set(Line::Open);
    assert_eq!(registry.file(&record.id).await.unwrap(), record);
    registry.commit_file(&touched(&record)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn over_a_slow_line_everything_works() {
    let Some(server) = Postgres::shared() else { return };
    let (url, _) = fresh(server).await;
    let proxy = Proxy::before(server.port()).await;
    proxy.set(Line::Slow(Duration::from_millis(20)));
    let registry = open(&server.url_at(name(&url), proxy.port())).await;
    let root = registry.root().await.unwrap().id;
    let record = registry.create_file(&file("f", &root, "f")).await.unwrap();
    registry.commit_file(&touched(&record)).await.unwrap();
    busy(&registry).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_longer_than_it_may_is_given_up_by_the_server_and_changes_nothing() {
    let Some(server) = Postgres::shared() else { return };
    let (url, beside) = fresh(server).await;
    let settings = PostgresSettings { statement_timeout: Duration::from_millis(200), ..settings(&url) };
    let registry = PostgresRegistry::open(settings).await.unwrap();
    let root = beside.root().await.unwrap().id;
    let record = beside.create_file(&file("f", &root, "f")).await.unwrap();
    let mut other = client(&url).await;
    let held = other.transaction().await.unwrap();
    held.batch_execute("SELECT 1 FROM files FOR UPDATE").await.unwrap();
    let start = Instant::now();
    assert_unavailable(registry.commit_file(&touched(&record)).await);
    assert!(start.elapsed() < ANSWER_GRACE, "{:?}", start.elapsed());
    // Reading needs no lock.
    assert_eq!(registry.file(&record.id).await.unwrap(), record);
    held.rollback().await.unwrap();
    registry.commit_file(&touched(&record)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_finds_every_connection_in_use_waits_for_a_bounded_time() {
    let Some(server) = Postgres::shared() else { return };
    let (url, beside) = fresh(server).await;
    let settings =
        PostgresSettings { connections_max: 1, acquire_timeout: Duration::from_millis(100), ..settings(&url) };
    let registry = Arc::new(PostgresRegistry::open(settings).await.unwrap());
    let root = beside.root().await.unwrap().id;
    let record = beside.create_file(&file("f", &root, "f")).await.unwrap();
    let mut other = client(&url).await;
    let held = other.transaction().await.unwrap();
    held.batch_execute("SELECT 1 FROM files FOR UPDATE").await.unwrap();
    let commit = touched(&record);
    let mut blocked = std::pin::pin!(registry.commit_file(&commit));
    // It has the connection as soon as it was asked once.
    std::future::poll_fn(|context| {
        assert!(blocked.as_mut().poll(context).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
    assert_unavailable(registry.file(&record.id).await);
    held.rollback().await.unwrap();
    let record = blocked.await.unwrap();
    assert_eq!(registry.file(&record.id).await.unwrap(), record);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_too_many_visitors_is_unavailable_until_some_have_gone() {
    let Some(server) = Postgres::start_with(&[("max_connections", "6"), ("max_wal_senders", "0")]) else { return };
    let url = server.database();
    let registry = open(&url).await;
    let id = session("s", "alice").id;
    let others = async |count: usize| {
        let mut others: Vec<Client> = Vec::new();
        for _ in 0..1000 {
            if let Ok((client, connection)) = tokio_postgres::connect(&url, NoTls).await {
                tokio::spawn(connection);
                others.push(client);
            }
            if others.len() == count {
                break;
            }
        }
        others
    };
    // They take all places, also that of the registry, whose connection ends.
    let mut visitors = others(1).await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lectern'";
    visitors[0].batch_execute(end).await.unwrap();
    visitors.extend(others(5).await);
    assert_eq!(visitors.len(), 6);
    assert_unavailable(registry.session(&id).await);
    drop(visitors);
    for _ in 0..1000 {
        // The server notices that they went when it gets to it.
        if matches!(registry.session(&id).await, Err(RegistryError::NotFound)) {
            return;
        }
    }
    panic!("it stays unavailable");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_changes_any_more_is_left_for_one_that_does() {
    let Some(server) = Postgres::shared() else { return };
    let (url, registry) = fresh(server).await;
    let root = registry.root().await.unwrap().id;
    let record = registry.create_file(&file("f", &root, "f")).await.unwrap();
    // As a server that was made a standby: sessions that are there, too.
    server.execute("postgres", &format!("ALTER DATABASE {} SET default_transaction_read_only = on", name(&url)));
    let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'", name(&url));
    server.execute("postgres", &end);
    assert_unavailable(registry.commit_file(&touched(&record)).await);
    assert_unavailable(registry.ready().await);
    assert_unavailable(registry.check().await);
    let opened = PostgresRegistry::open(settings(&url)).await;
    assert!(matches!(opened, Err(PostgresOpenError::Registry(RegistryError::Unavailable(_)))), "{opened:?}");
    server.execute("postgres", &format!("ALTER DATABASE {} RESET default_transaction_read_only", name(&url)));
    registry.commit_file(&touched(&record)).await.unwrap();
    registry.ready().await.unwrap();
}

/// Makes every change of a file fail so often with this code.
fn fails(code: &str, times: u32) -> String {
    format!(
        "DROP SEQUENCE IF EXISTS failures CASCADE; CREATE SEQUENCE failures;
         CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF nextval('failures') <= {times} THEN RAISE EXCEPTION 'on purpose' USING ERRCODE = '{code}'; END IF;
             RETURN NEW;
         END $$;
         CREATE OR REPLACE TRIGGER fail BEFORE UPDATE ON files FOR EACH ROW EXECUTE FUNCTION fail()"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_says_is_told_as_what_it_means() {
    let Some(server) = Postgres::shared() else { return };
    let (url, registry) = fresh(server).await;
    let root = registry.root().await.unwrap().id;
    let mut record = registry.create_file(&file("f", &root, "f")).await.unwrap();
    // Undone by the server, so it is tried again.
    for code in ["40001", "40P01", "25006"] {
        server.execute(name(&url), &fails(code, 2));
        record = registry.commit_file(&touched(&record)).await.unwrap();
        server.execute(name(&url), &fails(code, 99));
        assert_unavailable(registry.commit_file(&touched(&record)).await);
    }
    for code in ["57014", "53200", "53300", "53400", "57P01", "57P02", "57P03", "08006", "55P03"] {
        server.execute(name(&url), &fails(code, 99));
        assert_unavailable(registry.commit_file(&touched(&record)).await);
    }
    server.execute(name(&url), &fails("53100", 99));
    let full = registry.commit_file(&touched(&record)).await;
    assert!(matches!(full, Err(RegistryError::Full(_))), "{full:?}");
    for code in ["XX000", "58030", "42501", "22000"] {
        server.execute(name(&url), &fails(code, 99));
        let failed = registry.commit_file(&touched(&record)).await;
        assert!(matches!(failed, Err(RegistryError::Failed(_))), "{code}: {failed:?}");
    }
    server.execute(name(&url), &fails("XX000", 0));
    assert_eq!(registry.file(&record.id).await.unwrap(), record);
    registry.commit_file(&touched(&record)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_row_is_a_failure_and_no_panic() {
    let Some(server) = Postgres::shared() else { return };
    let (url, registry) = fresh(server).await;
    let root = registry.root().await.unwrap().id;
    registry.create_session(&session("s", "alice")).await.unwrap();
    for (at, change) in [
        "name = 'a/b'",
        "content_id = '\\x00'",
        "editors = 'no json'",
        "pending = 'dance'",
        "pending = 'rename'",
        "lock_id = 'A'",
        "owner_id = ''",
        "coauth_locks = '[]'",
    ]
    .into_iter()
    .enumerate()
    {
        let record = registry.create_file(&file(&format!("f{at}"), &root, &format!("f{at}"))).await.unwrap();
        server.execute(name(&url), &format!("UPDATE files SET {change} WHERE id = 'f{at}'"));
        let answer = registry.file(&record.id).await;
        assert!(matches!(answer, Err(RegistryError::Failed(_))), "{change}: {answer:?}");
        let answer = registry.visit(&session("s", "alice").id, Some(&record.id)).await;
        assert!(matches!(answer, Err(RegistryError::Failed(_))), "{change}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_that_go_in_a_circle_are_a_failure_and_end() {
    let Some(server) = Postgres::shared() else { return };
    let (url, registry) = fresh(server).await;
    let root = registry.root().await.unwrap().id;
    let inner = registry.create_container(&container("c", &root, "c")).await.unwrap();
    let record = registry.create_file(&file("f", &inner.id, "f")).await.unwrap();
    registry.create_session(&session("s", "alice")).await.unwrap();
    server.execute(name(&url), "UPDATE containers SET parent_id = id WHERE id = 'c'");
    let answer = registry.file_and_containers(&record.id).await;
    assert!(matches!(answer, Err(RegistryError::Failed(_))), "{answer:?}");
    let answer = registry.visit(&session("s", "alice").id, Some(&record.id)).await;
    assert!(matches!(answer, Err(RegistryError::Failed(_))), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn text_with_a_character_that_postgresql_does_not_keep_comes_back() {
    let Some(server) = Postgres::shared() else { return };
    let (_, registry) = fresh(server).await;
    let mut user = lectern_conformance::registry::user("u", "Al\0ice");
    user.user_info = Some("\0\u{FDD0}0".to_owned());
    let stored = registry.create_user(&user).await.unwrap();
    assert_eq!(registry.user(&user.id).await.unwrap(), stored);
    assert_eq!(registry.user_named("AL\0ICE").await.unwrap(), stored);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_says_how_the_database_is() {
    let Some(server) = Postgres::shared() else { return };
    let (_, registry) = fresh(server).await;
    let health = registry.check().await.unwrap();
    assert!(health.version.split('.').next().unwrap().parse::<u32>().unwrap() >= 14, "{health:?}");
    assert!(health.size_bytes > 1 << 20 && health.connections >= 1 && health.connections_max >= 100, "{health:?}");
    assert_eq!(health.schema, health.schema_known);
    // The servers of tests are not durable.
    assert!(health.warnings.iter().any(|warning| warning.starts_with("fsync is off")), "{health:?}");
    assert!(registry.to_string().starts_with("postgresql 127.0.0.1:"), "{registry}");
    registry.close();
    registry.close();
    assert_unavailable(registry.check().await);
    assert_unavailable(registry.groups().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_takes_over_has_every_commit_that_was_answered_and_a_check_says_if_it_may_not() {
    let Some(server) = Postgres::start() else { return };
    let url = server.database();
    let standby = tokio::task::block_in_place(|| server.standby());
    // The standby comes first, as it may in the settings of somebody who failed over before.
    let hosts = format!("127.0.0.1:{},127.0.0.1:{}", standby.port(), server.port());
    let both = url.replacen(&format!("127.0.0.1:{}", server.port()), &hosts, 1);
    let short = PostgresSettings { statement_timeout: Duration::from_millis(300), ..PostgresSettings::new(&both) };
    let registry = PostgresRegistry::open(short).await.unwrap();
    let root = registry.root().await.unwrap().id;
    let warns = async || {
        let health = registry.check().await.unwrap();
        health.warnings.iter().any(|warning| warning.starts_with("synchronous_standby_names"))
    };
    assert!(!warns().await);
    let mut made = Vec::new();
    for at in 0..20 {
        made.push(registry.create_file(&file(&format!("f{at}"), &root, &format!("f{at}"))).await.unwrap());
    }
    // While it is away nothing can be changed, and what was tried may be done later, or not.
    standby.kill();
    assert_unavailable(registry.commit_file(&touched(&made[0])).await);
    assert_eq!(registry.file(&made[0].id).await.unwrap(), made[0]);
    standby.start_again();
    tokio::task::block_in_place(|| server.wait_for_standby());
    made[0] = registry.file(&made[0].id).await.unwrap();
    tokio::task::block_in_place(|| {
        server.kill();
        standby.promote();
    });
    // The connections there were broke off, which may show once.
    let _ = registry.root().await;
    for record in &made {
        assert_eq!(registry.file(&record.id).await.unwrap(), *record);
        registry.commit_file(&touched(record)).await.unwrap();
    }
    assert!(!warns().await, "nobody stands by any more");

    let _next = tokio::task::block_in_place(|| standby.standby());
    assert!(!warns().await);
    standby.execute("postgres", "ALTER SYSTEM RESET synchronous_standby_names");
    standby.execute("postgres", "SELECT pg_reload_conf()");
    // A server reads its settings anew between two statements.
    let mut said = false;
    for _ in 0..1000 {
        said = said || warns().await;
    }
    assert!(said);
}

/// Something that is never sent twice.
trait Once {
    async fn put_discovery_of_nothing(&self) -> Result<(), RegistryError>;
}

impl Once for PostgresRegistry {
    async fn put_discovery_of_nothing(&self) -> Result<(), RegistryError> {
        let (client, url, xml) = (String::new(), String::new(), String::new());
        self.put_discovery(&lectern_host::records::DiscoveryCache { client, url, xml, fetched_at: Timestamp(1) }).await
    }
}
