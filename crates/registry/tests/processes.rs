//! Starts and stops, and a command beside a running server.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::Path;
use std::sync::Arc;

use lectern_conformance::registry::{container, file, session, user};
use lectern_host::ports::{FileCommit, Registry, RegistryError};
use lectern_host::records::{ContainerRecord, FileRecord, Revision, SessionId, Timestamp, User};
use lectern_host::wopi::{FileId, FileName, ItemVersion};
use lectern_registry::{OpenError, Opener, SqliteRegistry};

fn open(folder: &Path, who: Opener) -> SqliteRegistry {
    SqliteRegistry::open(&folder.join("lectern.db"), who).unwrap()
}

fn commit(record: FileRecord) -> FileCommit {
    FileCommit { record, replaced: None }
}

#[tokio::test]
async fn what_was_committed_is_there_after_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let registry = open(folder.path(), Opener::Server);
    let root = registry.root().await.unwrap();
    let record = registry.create_file(&file("a", &root.id, "a")).await.unwrap();
    let record = registry.commit_file(&commit(FileRecord { version: ItemVersion(2), ..record })).await.unwrap();
    let alice = registry.create_user(&user("alice", "alice")).await.unwrap();
    drop(registry);
    let registry = open(folder.path(), Opener::Server);
    assert_eq!(registry.root().await.unwrap(), root);
    assert_eq!(registry.file(&record.id).await.unwrap(), record);
    assert_eq!(registry.user(&alice.id).await.unwrap(), alice);
    let stale = FileRecord { revision: Revision(1), ..record };
    assert!(matches!(registry.commit_file(&commit(stale)).await, Err(RegistryError::Conflict)));
}

#[tokio::test]
async fn after_closing_the_log_is_carried_over_and_changes_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let registry = open(folder.path(), Opener::Server);
    registry.create_session(&session("s", "alice")).await.unwrap();
    registry.close().await.unwrap();
    registry.close().await.unwrap();
    assert_eq!(std::fs::metadata(folder.path().join("lectern.db-wal")).unwrap().len(), 0);
    let refused = registry.create_session(&session("t", "alice")).await;
    assert!(matches!(refused, Err(RegistryError::Unavailable(_))), "{refused:?}");
    registry.session(&SessionId("s".into())).await.unwrap();
    drop(registry);
    open(folder.path(), Opener::Server).session(&SessionId("s".into())).await.unwrap();
}

/// Everything a command may do that the server has in memory.
#[tokio::test]
async fn what_a_command_does_the_server_sees_at_its_next_read() {
    let folder = tempfile::tempdir().unwrap();
    let server = open(folder.path(), Opener::Server);
    let command = open(folder.path(), Opener::Command);
    let root = server.root().await.unwrap();
    for round in 0..20 {
        let id = format!("x{round}");
        let mut alice = server.create_user(&user(&id, &id)).await.unwrap();
        let live = session(&id, &id);
        server.create_session(&live).await.unwrap();
        let inner = server.create_container(&container(&id, &root.id, &id)).await.unwrap();
        let record = server.create_file(&file(&id, &inner.id, &id)).await.unwrap();
        // In memory now, and believed.
        assert_eq!(server.session_and_user(&live.id).await.unwrap(), (live.clone(), Some(alice.clone())));
        assert_eq!(server.file(&record.id).await.unwrap(), record);
        let visit = async || server.visit(&live.id, Some(&record.id)).await.unwrap();
        assert_eq!(*visit().await.file.unwrap().containers[0], inner);
        assert_eq!(*visit().await.user.unwrap(), alice);

        command.revoke_session(&live.id, Timestamp(5)).await.unwrap();
        assert_eq!(server.session(&live.id).await.unwrap().revoked_at, Some(Timestamp(5)));
        assert_eq!(server.session_and_user(&live.id).await.unwrap().0.revoked_at, Some(Timestamp(5)));
        assert_eq!(visit().await.session.revoked_at, Some(Timestamp(5)));

        alice = command.commit_user(&User { disabled: true, ..alice }).await.unwrap();
        assert_eq!(server.user(&alice.id).await.unwrap(), alice);
        assert_eq!(*visit().await.user.unwrap(), alice);
        assert_eq!(server.session_and_user(&live.id).await.unwrap().1.as_ref(), Some(&alice));

        let next = FileRecord { version: record.version.next(), ..record.clone() };
        let stored = command.commit_file(&commit(next.clone())).await.unwrap();
        assert_eq!(*visit().await.file.unwrap().record, stored);
        assert_eq!(server.file(&record.id).await.unwrap(), stored);
        assert!(matches!(server.commit_file(&commit(next)).await, Err(RegistryError::Conflict)));
        let renamed = ContainerRecord { name: FileName::parse(&format!("new {round}")).unwrap(), ..inner };
        let renamed = command.commit_container(&renamed).await.unwrap();
        assert_eq!(*visit().await.file.unwrap().containers[0], renamed);
        assert_eq!(server.container(&renamed.id).await.unwrap(), renamed);
        assert_eq!(
            server.file_and_containers(&stored.id).await.unwrap(),
            (stored.clone(), vec![renamed.clone(), root.clone()])
        );

        command.remove_file(&stored.id, stored.revision).await.unwrap();
        assert_eq!(visit().await.file, None);
        assert!(matches!(server.file(&stored.id).await, Err(RegistryError::NotFound)));
        command.remove_container(&renamed.id, renamed.revision).await.unwrap();
        assert!(matches!(server.container(&renamed.id).await, Err(RegistryError::NotFound)));
        // And the other way round.
        let back = server.commit_user(&User { disabled: false, ..alice }).await.unwrap();
        assert_eq!(command.user(&back.id).await.unwrap(), back);
    }
}

const DATABASE: &str = "LECTERN_TEST_DATABASE";

/// Run by the test below, in a process of its own.
#[tokio::test]
#[ignore = "is the other process of another test"]
async fn the_other_process() {
    let Some(path) = std::env::var_os(DATABASE) else { return };
    let command = SqliteRegistry::open(Path::new(&path), Opener::Command).unwrap();
    command.revoke_session(&SessionId("s".into()), Timestamp(5)).await.unwrap();
}

#[tokio::test]
async fn a_session_that_another_process_revoked_is_revoked_at_the_next_read() {
    let folder = tempfile::tempdir().unwrap();
    let server = open(folder.path(), Opener::Server);
    let live = session("s", "alice");
    server.create_session(&live).await.unwrap();
    assert_eq!(server.session(&live.id).await.unwrap(), live);
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "the_other_process"])
        .env(DATABASE, folder.path().join("lectern.db"))
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(server.session(&live.id).await.unwrap().revoked_at, Some(Timestamp(5)));
    server.revoke_session(&live.id, Timestamp(9)).await.unwrap();
    assert_eq!(server.session(&live.id).await.unwrap().revoked_at, Some(Timestamp(5)));
}

/// Both count one file up, each reads what it wrote on both sides, and readers of the server never see it go back.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_and_a_command_that_write_one_file_lose_nothing_and_read_nothing_old() {
    const TASKS: u64 = 3;
    const COMMITS: u64 = 40;
    const LOOKS_MAX: u32 = 10_000_000;
    let folder = tempfile::tempdir().unwrap();
    let server = Arc::new(open(folder.path(), Opener::Server));
    let command = Arc::new(open(folder.path(), Opener::Command));
    let root = server.root().await.unwrap().id;
    let id = server.create_file(&file("a", &root, "a")).await.unwrap().id;
    let mut tasks = Vec::new();
    for number in 0..2 * TASKS {
        let (server, command, id) = (server.clone(), command.clone(), id.clone());
        tasks.push(tokio::spawn(async move {
            let mine = if number % 2 == 0 { &server } else { &command };
            for _ in 0..COMMITS {
                let stored = count_up(mine, &id, 2 * TASKS * COMMITS).await;
                for side in [&server, &command] {
                    let read = side.file(&id).await.unwrap().revision;
                    assert!(read >= stored, "{side} reads {read:?} after {stored:?}");
                }
            }
        }));
    }
    let reader = tokio::spawn({
        let (server, id) = (server.clone(), id.clone());
        async move {
            let mut last = 0;
            for look in 0.. {
                if last == 1 + 2 * TASKS * COMMITS {
                    break;
                }
                assert!(look < LOOKS_MAX, "the writers do not get on: revision {last}");
                let read = server.file(&id).await.unwrap().revision.0;
                assert!(read >= last, "the server reads {read} after {last}");
                last = read;
                tokio::task::yield_now().await;
            }
        }
    });
    for task in tasks {
        task.await.unwrap();
    }
    reader.await.unwrap();
    assert_eq!(server.file(&id).await.unwrap().version, ItemVersion(1 + 2 * TASKS * COMMITS));
}

async fn count_up(registry: &SqliteRegistry, id: &FileId, attempts: u64) -> Revision {
    for _ in 0..=attempts {
        let record = registry.file(id).await.unwrap();
        let next = FileRecord { version: record.version.next(), ..record };
        match registry.commit_file(&commit(next)).await {
            Ok(stored) => return stored.revision,
            Err(RegistryError::Conflict) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    panic!("never won");
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path(), Opener::Server));
    let path = folder.path().join("lectern.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute("INSERT INTO migrations (number, name) VALUES (99, 'later')", []).unwrap();
    for who in [Opener::Server, Opener::Command] {
        let refused = SqliteRegistry::open(&path, who).unwrap_err();
        assert!(matches!(refused, OpenError::Newer { found: 99, .. }), "{refused:?}");
        assert!(refused.to_string().contains("newer Lectern"), "{refused}");
    }
    other.execute("DELETE FROM migrations WHERE number = 99", []).unwrap();
    open(folder.path(), Opener::Server);
}

#[test]
fn a_file_of_another_program_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lectern.db");
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (a)").unwrap();
    let before = std::fs::read(&path).unwrap();
    let refused = SqliteRegistry::open(&path, Opener::Server).unwrap_err();
    assert!(matches!(refused, OpenError::NotOurs { .. }), "{refused:?}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    std::fs::write(&path, "no database at all, but long enough to be looked at as one".repeat(99)).unwrap();
    assert!(matches!(SqliteRegistry::open(&path, Opener::Server), Err(OpenError::Sqlite { .. })));
    let missing = folder.path().join("missing/lectern.db");
    assert!(matches!(SqliteRegistry::open(&missing, Opener::Server), Err(OpenError::Create { .. })));
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read_the_database_and_its_log() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let registry = open(folder.path(), Opener::Server);
    registry.create_session(&session("s", "alice")).await.unwrap();
    for name in ["lectern.db", "lectern.db-wal", "lectern.db-shm"] {
        let mode = std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn a_check_tells_the_size_the_space_and_the_damage() {
    let folder = tempfile::tempdir().unwrap();
    let registry = open(folder.path(), Opener::Server);
    let root = registry.root().await.unwrap().id;
    let records: Vec<_> = (0..2000).map(|at| file(&format!("f{at}"), &root, &format!("f{at}"))).collect();
    registry.create_files(&records).await.unwrap();
    registry.close().await.unwrap();
    drop(registry);
    let registry = open(folder.path(), Opener::Server);
    let health = registry.check().await.unwrap();
    assert_eq!(health.damage, Vec::<String>::new());
    assert!(health.size_bytes > 100_000 && health.free_bytes > 0, "{health:?}");
    registry.close().await.unwrap();
    drop(registry);

    // An index that lost an entry.
    let path = folder.path().join("lectern.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    other
        .execute_batch("PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'files_by_content';")
        .unwrap();
    drop(other);
    let registry = open(folder.path(), Opener::Server);
    assert_ne!(registry.check().await.unwrap().damage, Vec::<String>::new());
}

const SMALL_FOLDER: &str = "LECTERN_TEST_SMALL_FOLDER";

/// Fills the file system itself: what SQLite says about its log and its shared memory file then is another story than
/// what it says at a limit of its own.
#[tokio::test]
async fn on_a_full_file_system_nothing_is_lost_and_all_goes_on_when_there_is_space() {
    let Some(small) = std::env::var_os(SMALL_FOLDER) else {
        eprintln!("skipped: {SMALL_FOLDER} names no folder on a file system of a few megabytes");
        return;
    };
    let folder = tempfile::tempdir_in(small).unwrap();
    let server = open(folder.path(), Opener::Server);
    let root = server.root().await.unwrap().id;
    let mut record = server.create_file(&file("a", &root, "a")).await.unwrap();
    server.close().await.unwrap();
    drop(server);
    let server = open(folder.path(), Opener::Server);
    for round in 0..3 {
        let count_up = async |record: FileRecord| {
            let next = FileRecord { version: record.version.next(), ..record };
            server.commit_file(&commit(next)).await.unwrap()
        };
        for _ in 0..20 {
            record = count_up(record).await;
        }
        let filler = folder.path().join("filler");
        let mut bytes = std::fs::File::create(&filler).unwrap();
        while std::io::Write::write_all(&mut bytes, &[7; 4096]).is_ok() {}
        // As long as it is open its space is not given back.
        drop(bytes);
        // What needs no new page goes on, because the log is carried over and written from its beginning again.
        if round == 0 {
            for _ in 0..200 {
                record = count_up(record).await;
            }
        }
        let mut kept = Vec::new();
        let refused = loop {
            assert!(kept.len() < 100_000, "it never was full");
            let id = format!("f{round}-{}", kept.len());
            let wanted = file(&id, &root, &format!("{id}{}", "x".repeat(200)));
            match server.create_file(&wanted).await {
                Ok(stored) => kept.push(stored),
                Err(RegistryError::Full(_)) => break wanted,
                Err(error) => panic!("{error:?}"),
            }
        };
        assert!(matches!(server.file(&refused.id).await, Err(RegistryError::NotFound)));
        assert_eq!(server.file(&record.id).await.unwrap(), record);
        std::fs::remove_file(&filler).unwrap();
        server.create_file(&refused).await.unwrap();
        record = count_up(record).await;
        let other = open(folder.path(), Opener::Command);
        for stored in kept.iter().chain([&record]) {
            assert_eq!(server.file(&stored.id).await.unwrap(), *stored);
            assert_eq!(other.file(&stored.id).await.unwrap(), *stored);
        }
        assert_eq!(server.check().await.unwrap().damage, Vec::<String>::new());
    }
}
