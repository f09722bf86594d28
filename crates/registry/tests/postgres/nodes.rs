//! Several nodes on one database.

use std::sync::Arc;

use lectern_conformance::registry::{container, file, session, user};
use lectern_conformance::servers::Postgres;
use lectern_host::ports::{FileCommit, Registry, RegistryError};
use lectern_host::records::{ContainerRecord, FileRecord, Timestamp, User};
use lectern_registry::{PostgresOpenError, PostgresRegistry};

use super::{fresh, name, open, settings};

fn next_version(record: &FileRecord) -> FileCommit {
    FileCommit { record: FileRecord { version: record.version.next(), ..record.clone() }, replaced: None }
}

/// That one of them won, and the others were told that they did not.
fn one_won<T: std::fmt::Debug>(answers: Vec<Result<T, RegistryError>>) -> T {
    let (mut won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1, "{won:?} {lost:?}");
    assert!(lost.iter().all(|answer| matches!(answer, Err(RegistryError::Conflict))), "{lost:?}");
    won.remove(0).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_that_start_together_make_one_schema_and_one_root() {
    let Some(server) = Postgres::shared() else { return };
    for _ in 0..3 {
        let url = server.database();
        let nodes: Vec<_> = (0..4)
            .map(|_| {
                let url = url.clone();
                tokio::spawn(async move { open(&url).await })
            })
            .collect();
        let mut roots = Vec::new();
        for node in nodes {
            roots.push(node.await.unwrap().root().await.unwrap());
        }
        roots.dedup();
        assert_eq!(roots.len(), 1, "{roots:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_commits_of_several_nodes_at_one_revision_exactly_one_wins() {
    let Some(server) = Postgres::shared() else { return };
    let url = server.database();
    let nodes = [open(&url).await, open(&url).await, open(&url).await];
    let root = nodes[0].root().await.unwrap().id;
    let mut record = nodes[0].create_file(&file("f", &root, "f")).await.unwrap();
    let mut inner = nodes[1].create_container(&container("c", &root, "c")).await.unwrap();
    let mut alice = nodes[2].create_user(&user("alice", "alice")).await.unwrap();
    for _ in 0..30 {
        let commit = next_version(&record);
        let all = nodes.iter().map(|node| node.commit_file(&commit));
        record = one_won(futures_util::future::join_all(all).await);
        let renamed = ContainerRecord { created_at: Timestamp(inner.created_at.0 + 1), ..inner.clone() };
        let all = nodes.iter().map(|node| node.commit_container(&renamed));
        inner = one_won(futures_util::future::join_all(all).await);
        let changed = User { disabled: !alice.disabled, ..alice.clone() };
        let all = nodes.iter().map(|node| node.commit_user(&changed));
        alice = one_won(futures_util::future::join_all(all).await);
        for node in &nodes {
            assert_eq!(node.file(&record.id).await.unwrap(), record);
            assert_eq!(node.user(&alice.id).await.unwrap(), alice);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_takes_away_is_gone_at_the_next_request_to_any() {
    let Some(server) = Postgres::shared() else { return };
    let url = server.database();
    let (one, other) = (open(&url).await, open(&url).await);
    let root = one.root().await.unwrap().id;
    let record = one.create_file(&file("f", &root, "f")).await.unwrap();
    let alice = one.create_user(&user("alice", "alice")).await.unwrap();
    let live = session("s", "alice");
    one.create_session(&live).await.unwrap();
    for _ in 0..2 {
        assert_eq!(other.visit(&live.id, Some(&record.id)).await.unwrap().session.revoked_at, None);
    }
    one.revoke_session(&live.id, Timestamp(5)).await.unwrap();
    one.commit_user(&User { disabled: true, ..alice }).await.unwrap();
    let visit = other.visit(&live.id, Some(&record.id)).await.unwrap();
    assert_eq!(visit.session.revoked_at, Some(Timestamp(5)));
    assert!(visit.user.unwrap().disabled);
}

/// Adds a step that only a later program knows.
fn step(number: i64, compatible_from: i64) -> String {
    format!("INSERT INTO schema_steps VALUES ({number}, 'later', {compatible_from}, 0)")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_node_works_beside_newer_ones_for_one_upgrade_and_not_for_two() {
    let Some(server) = Postgres::shared() else { return };
    let (url, running) = fresh(server).await;
    let known = running.check().await.unwrap().schema_known;
    server.execute(name(&url), &step(known + 1, known));
    let health = running.check().await.unwrap();
    assert_eq!((health.schema, health.schema_known), (known + 1, known));
    running.ready().await.unwrap();
    open(&url).await.ready().await.unwrap();

    server.execute(name(&url), &step(known + 2, known + 1));
    let refused = PostgresRegistry::open(settings(&url)).await;
    let Err(PostgresOpenError::Newer { found, compatible_from, known: program }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!((found, compatible_from, program), (known + 2, known + 1, known));
    for answer in [running.ready().await, running.check().await.map(drop)] {
        assert!(matches!(answer, Err(RegistryError::Failed(_))), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_another_program_is_left_alone() {
    let Some(server) = Postgres::shared() else { return };
    let url = server.database();
    server.execute(name(&url), "CREATE TABLE files (n INTEGER)");
    let refused = PostgresRegistry::open(settings(&url)).await;
    assert!(matches!(refused, Err(PostgresOpenError::NotOurs)), "{refused:?}");
    server.execute(name(&url), "SELECT n FROM files; DROP TABLE files");
    open(&url).await.ready().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_is_there_for_the_next_node() {
    let Some(server) = Postgres::start() else { return };
    let (url, registry) = fresh(&server).await;
    let root = registry.root().await.unwrap();
    let record = registry.create_file(&file("f", &root.id, "f")).await.unwrap();
    let record = registry.commit_file(&next_version(&record)).await.unwrap();
    registry.close();
    drop(registry);
    server.restart();
    let registry: Arc<PostgresRegistry> = open(&url).await;
    assert_eq!(registry.root().await.unwrap(), root);
    assert_eq!(registry.file(&record.id).await.unwrap(), record);
}
