//! What only the inside can show: batches, a full disk, a crowd, a busy database.

use std::sync::mpsc;
use std::task::Poll;
use std::time::Duration;

use lectern_conformance::registry::{file, session, user};
use lectern_host::ports::{FileCommit, Registry, RegistryError};
use lectern_host::records::{FileRecord, Held, LockState, Revision, Session, SessionId, Timestamp, User};
use lectern_host::wopi::{ContainerId, FileId, LockId, UserId};
use tempfile::TempDir;

use crate::writer::Extent;
use crate::{JOBS_WAITING_MAX, Opener, SqliteRegistry};

fn open(folder: &TempDir, who: Opener) -> SqliteRegistry {
    SqliteRegistry::open(&folder.path().join("lectern.db"), who).unwrap()
}

async fn root(registry: &SqliteRegistry) -> ContainerId {
    registry.root().await.unwrap().id
}

fn locked(record: &FileRecord, id: &str) -> FileCommit {
    let lock = LockState::Wopi(Held {
        id: LockId::parse(id).unwrap(),
        expires_at: Timestamp(2),
        since: Timestamp(1),
        by: UserId::parse("alice").unwrap(),
        client: None,
        visible_as: None,
    });
    FileCommit { record: FileRecord { lock, ..record.clone() }, replaced: None }
}

/// Runs `jobs` on the runtime's one thread while the writer is held up, so that they all wait when it goes on. What
/// each of them asks has to be sent when it is polled first, as every write of the registry is.
async fn together<T>(registry: &SqliteRegistry, jobs: impl Future<Output = T>) -> T {
    let (entered, has_entered) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let hold = registry.write(Extent::OneStatement, move |_, _| {
        // Only the first time: a job may be run twice.
        let _ = entered.send(());
        let _ = may_go_on.recv();
        Ok(())
    });
    let release = async {
        drop(go_on);
    };
    let in_time = async {
        has_entered.recv().unwrap();
    };
    // Polled in this order: the writer is held up before the first of the jobs is sent.
    let (held, (), answers, ()) = tokio::join!(biased; hold, in_time, jobs, release);
    held.unwrap();
    answers
}

async fn epoch(registry: &SqliteRegistry) -> i64 {
    let asked = registry.write(Extent::OneStatement, |connection, _| {
        Ok(connection.query_row(crate::cache::OUTSIDE_EPOCH, [], |row| row.get(0))?)
    });
    asked.await.unwrap()
}

#[tokio::test]
async fn jobs_that_wait_share_a_transaction_and_one_that_is_refused_leaves_the_others_alone() {
    for who in [Opener::Server, Opener::Command] {
        let folder = tempfile::tempdir().unwrap();
        let registry = open(&folder, who);
        let root = root(&registry).await;
        let a = registry.create_file(&file("a", &root, "a")).await.unwrap();
        let b = registry.create_file(&file("b", &root, "b")).await.unwrap();
        let before = epoch(&registry).await;
        let stale = FileRecord { revision: Revision(9), ..b.clone() };
        let renamed = FileCommit { record: FileRecord { name: a.name.clone(), ..b.clone() }, replaced: None };
        let (first, other) = (locked(&a, "A"), locked(&stale, "B"));
        let (c, d, s) = (file("c", &root, "c"), file("d", &root, "a"), session("s", "alice"));
        let (first, conflict, taken, created, also_taken, session) = together(&registry, async {
            tokio::join!(
                registry.commit_file(&first),
                registry.commit_file(&other),
                registry.commit_file(&renamed),
                registry.create_file(&c),
                registry.create_file(&d),
                registry.create_session(&s),
            )
        })
        .await;
        assert!(matches!(conflict, Err(RegistryError::Conflict)));
        assert!(matches!(taken, Err(RegistryError::NameTaken)));
        assert!(matches!(also_taken, Err(RegistryError::NameTaken)));
        session.unwrap();
        assert_eq!(registry.file(&a.id).await.unwrap(), first.unwrap());
        assert_eq!(registry.file(&b.id).await.unwrap(), b);
        assert_eq!(registry.file_named(&root, &b.name).await.unwrap(), b);
        assert_eq!(registry.file(&c.id).await.unwrap(), created.unwrap());
        assert!(matches!(registry.file(&d.id).await, Err(RegistryError::NotFound)));
        registry.session(&s.id).await.unwrap();
        if who == Opener::Command {
            // Every transaction of a command counts: reading the epoch, holding the writer up, and the six together.
            assert_eq!(epoch(&registry).await - before, 3);
        }
    }
}

async fn limit_pages(registry: &SqliteRegistry, more: Option<i64>) {
    let limited = registry.write(Extent::OneStatement, move |connection, _| {
        let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
        let free: i64 = connection.query_row("PRAGMA freelist_count", [], |row| row.get(0))?;
        let most = more.map_or(i64::from(i32::MAX), |more| pages - free + more);
        let set: i64 = connection.query_row(&format!("PRAGMA max_page_count = {most}"), [], |row| row.get(0))?;
        assert_eq!(set, most.max(pages));
        Ok(())
    });
    limited.await.unwrap();
}

#[tokio::test]
async fn a_full_disk_is_told_loses_nothing_and_is_over_when_there_is_space_again() {
    for who in [Opener::Server, Opener::Command] {
        let folder = tempfile::tempdir().unwrap();
        let registry = open(&folder, who);
        let root = root(&registry).await;
        let mut kept = vec![registry.create_file(&file("first", &root, "first")).await.unwrap()];
        limit_pages(&registry, Some(10)).await;
        let refused = loop {
            let number = kept.len();
            assert!(number < 10_000, "it never was full");
            let record = file(&format!("f{number}"), &root, &format!("{}{number}", "x".repeat(200)));
            match registry.create_file(&record).await {
                Ok(stored) => kept.push(stored),
                Err(RegistryError::Full(_)) => break record,
                Err(error) => panic!("{error:?}"),
            }
        };
        // What needs no space goes on, also beside something that needs a lot.
        let many: Vec<_> = (0..500).map(|at| file(&format!("many{at}"), &root, &format!("many{at}"))).collect();
        let lock = locked(&kept[0], "A");
        let (full, stored) =
            together(&registry, async { tokio::join!(registry.create_files(&many), registry.commit_file(&lock)) })
                .await;
        assert!(matches!(full, Err(RegistryError::Full(_))), "{full:?}");
        kept[0] = stored.unwrap();

        for record in many.iter().chain([&refused]) {
            assert!(matches!(registry.file(&record.id).await, Err(RegistryError::NotFound)), "{:?}", record.id);
            assert!(matches!(registry.file_named(&root, &record.name).await, Err(RegistryError::NotFound)));
        }
        limit_pages(&registry, None).await;
        kept.push(registry.create_file(&refused).await.unwrap());
        registry.create_files(&many).await.unwrap();
        for registry in [registry, open(&folder, Opener::Command)] {
            for record in &kept {
                assert_eq!(registry.file(&record.id).await.unwrap(), *record);
            }
            assert_eq!(registry.file_count().await.unwrap(), (kept.len() + many.len()) as u64);
            assert_eq!(registry.check().await.unwrap().damage, Vec::<String>::new());
        }
    }
}

#[tokio::test]
async fn one_job_more_than_may_wait_is_told_to_come_back_later() {
    let folder = tempfile::tempdir().unwrap();
    let registry = open(&folder, Opener::Server);
    const MORE: usize = 3;
    let sessions: Vec<_> = (0..JOBS_WAITING_MAX + MORE).map(|at| session(&format!("s{at}"), "alice")).collect();
    let mut asked: Vec<_> = sessions.iter().map(|session| registry.create_session(session)).collect();
    let answers = together(&registry, async {
        // Sent, and not waited for yet.
        std::future::poll_fn(|context| {
            Poll::Ready(asked.iter_mut().map(|asked| asked.as_mut().poll(context)).collect::<Vec<_>>())
        })
        .await
    })
    .await;
    let mut refused = 0;
    for (at, first) in answers.into_iter().enumerate() {
        let answer = match first {
            Poll::Ready(answer) => answer,
            Poll::Pending => asked[at].as_mut().await,
        };
        match answer {
            Ok(()) => drop(registry.session(&sessions[at].id).await.unwrap()),
            Err(RegistryError::Unavailable(_)) => {
                refused += 1;
                assert!(matches!(registry.session(&sessions[at].id).await, Err(RegistryError::NotFound)));
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(refused, MORE);
}

#[tokio::test]
async fn while_another_process_writes_a_commit_is_unavailable_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let registry = open(&folder, Opener::Server);
    registry.write(Extent::OneStatement, |connection, _| Ok(connection.busy_timeout(Duration::ZERO)?)).await.unwrap();
    let alice = registry.create_user(&user("alice", "alice")).await.unwrap();
    let other = rusqlite::Connection::open(folder.path().join("lectern.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let disabled = User { disabled: true, ..alice.clone() };
    assert!(matches!(registry.commit_user(&disabled).await, Err(RegistryError::Unavailable(_))));
    assert_eq!(registry.user(&alice.id).await.unwrap(), alice);
    other.execute_batch("ROLLBACK").unwrap();
    let stored = registry.commit_user(&disabled).await.unwrap();
    assert_eq!(registry.user(&alice.id).await.unwrap(), stored);
}

#[tokio::test]
async fn a_job_whose_caller_went_away_is_done_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let registry = open(&folder, Opener::Server);
    let asked = session("s", "alice");
    together(&registry, async {
        let mut call = registry.create_session(&asked);
        let first = std::future::poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await;
        assert!(first.is_pending());
    })
    .await;
    // The next job of the same caller comes after it.
    let revoked = registry.revoke_session(&asked.id, Timestamp(3)).await;
    revoked.unwrap();
    let stored = registry.session(&asked.id).await.unwrap();
    assert_eq!(stored, Session { revoked_at: Some(Timestamp(3)), ..asked });
}

#[tokio::test]
async fn what_waits_is_done_before_the_registry_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let registry = open(&folder, Opener::Server);
    for at in 0..50 {
        let asked = session(&format!("s{at}"), "alice");
        let mut call = registry.create_session(&asked);
        let _ = std::future::poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await;
    }
    drop(registry);
    let registry = open(&folder, Opener::Server);
    for at in 0..50 {
        registry.session(&SessionId(format!("s{at}"))).await.unwrap();
    }
}

#[tokio::test]
async fn a_damaged_row_is_a_failure_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let registry = open(&folder, Opener::Server);
    let root = root(&registry).await;
    let columns = [
        ("name", "'a/b'"),
        ("content_id", "x'00'"),
        ("content_id", "'text'"),
        ("editors", "'no json'"),
        ("pending", "'dance'"),
        ("pending", "'rename'"),
        ("lock_id", "'A'"),
        ("version", "'one'"),
        ("owner_id", "x'ff'"),
    ];
    registry
        .create_files(
            &(0..columns.len()).map(|at| file(&format!("f{at}"), &root, &format!("f{at}"))).collect::<Vec<_>>(),
        )
        .await
        .unwrap();
    for (at, (column, value)) in columns.into_iter().enumerate() {
        registry
            .write(Extent::OneStatement, move |connection, _| {
                connection.execute(&format!("UPDATE files SET {column} = {value} WHERE id = 'f{at}'"), [])?;
                Ok(())
            })
            .await
            .unwrap();
        let id = FileId::parse(&format!("f{at}")).unwrap();
        let answer = registry.file(&id).await;
        assert!(matches!(answer, Err(RegistryError::Failed(_))), "{column} = {value}: {answer:?}");
    }
}
