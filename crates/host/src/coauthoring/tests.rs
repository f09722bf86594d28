use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use wopi::coauth::{LockTerms, PresentedLock};
use wopi::operation::{RelativeTarget, RequestedName, SaveFacts};
use wopi::{ContainerId, FileId, FileName, ItemVersion, LockId, UserId, WopiError};

use super::*;
use crate::access::Rights;
use crate::caller::Admission;
use crate::doubles::{TestClock, host_over};
use crate::memory::contents::MemoryContents;
use crate::memory::registry::MemoryRegistry;
use crate::ports::TokenClaims;
use crate::records::{Content, ContentId, ModifiedAt, Revision, Role, SessionId, User, VersionMark};
use crate::{HostSettings, full};

const CONTAINER: &str = "root";

/// A host with the file `a.docx`, which has nine bytes.
struct World {
    host: Arc<Host>,
    clock: Arc<TestClock>,
}

impl World {
    async fn new() -> Self {
        let clock = TestClock::at(1_700_000_000_000);
        let (registry, contents) = (Arc::new(MemoryRegistry::new()), Arc::new(MemoryContents::new()));
        let settings = HostSettings::new("https://h.example");
        let host = Arc::new(host_over(registry, contents, clock.clone(), settings).await);
        let world = Self { host, clock };
        let id = ContentId::new(world.host.now(), [9; 10]);
        world.host.ports.contents.put(&id, full("nine byte"), 9).await.unwrap();
        let record = FileRecord {
            id: FileId::parse("a").unwrap(),
            container: ContainerId::parse(CONTAINER).unwrap(),
            name: FileName::parse("a.docx").unwrap(),
            revision: Revision(0),
            owner: UserId::parse("anna").unwrap(),
            created_at: world.host.now(),
            version: ItemVersion(1),
            content: Content {
                id,
                size: 9,
                sha256: None,
                modified_at: ModifiedAt(1),
                saved_by: None,
                editors: Vec::new(),
                autosave: false,
            },
            lock: LockState::Free,
            seen: None,
            pending: None,
            deleted_at: None,
            mark: VersionMark::default(),
        };
        world.host.ports.registry.create_file(&record).await.unwrap();
        world
    }

    /// Somebody who was let in with the file as it is now.
    async fn caller(&self, name: &str) -> Caller {
        let user = User {
            id: UserId::parse(name).unwrap(),
            name: name.to_owned(),
            display_name: String::new(),
            role: Role::Editor,
            password: None,
            disabled: false,
            user_info: None,
            revision: Revision(1),
            created_at: Timestamp(0),
        };
        let claims = TokenClaims {
            session: SessionId("s".to_owned()),
            user: user.id.clone(),
            may_edit: true,
            client: None,
            expires_at: Timestamp(i64::MAX),
        };
        let rights = Rights::of(&user, &claims);
        let file = self.host.file(&FileId::parse("a").unwrap()).await.unwrap();
        Caller {
            user: Arc::new(user),
            claims,
            rights,
            admission: Admission::File(crate::ports::Located { record: Arc::new(file), containers: Vec::new() }),
        }
    }

    async fn get(&self, by: &Caller, id: &str, kind: CoauthLockType) -> Result<CoauthAnswer, Refusal> {
        self.host.get_coauth_lock(by, coauth_id(id), kind, minute(), CoauthLockMetadata::default()).await
    }

    fn advance(&self, span: Duration) {
        self.clock.0.fetch_add(i64::try_from(span.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

fn coauth_id(text: &str) -> CoauthLockId {
    CoauthLockId::parse(text).unwrap()
}

fn minute() -> LockTimeout {
    LockTimeout::from_seconds(60).unwrap()
}

fn lock_id(text: &str) -> LockId {
    LockId::parse(text).unwrap()
}

fn requested(name: &str) -> RequestedName {
    RequestedName::new(name.to_owned())
}

fn ids(answer: &CoauthAnswer) -> Vec<&str> {
    answer.table.as_ref().unwrap().coauth_table.iter().map(|row| row.coauth_lock_id.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_is_lost_when_many_take_part_at_once() {
    let world = Arc::new(World::new().await);
    // All have seen the file when nobody held it.
    let mut tasks = Vec::new();
    for number in 10..50 {
        let (world, by) = (world.clone(), world.caller(&format!("u{number}")).await);
        tasks.push(tokio::spawn(async move {
            world.get(&by, &format!("C{number}"), CoauthLockType::Coauth).await.unwrap()
        }));
    }
    let mut counts = Vec::new();
    for task in tasks {
        counts.push(ids(&task.await.unwrap()).len());
    }
    counts.sort_unstable();
    assert_eq!(counts, (1..=40).collect::<Vec<_>>());
    let by = world.caller("anna").await;
    let table = world.host.coauth_table(&by, None).unwrap();
    let expected: Vec<_> = (10..50).map(|number| format!("C{number}")).collect();
    assert_eq!(ids(&table), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_want_a_file_exclusively_at_once_one_gets_it() {
    let world = Arc::new(World::new().await);
    let mut tasks = Vec::new();
    for number in 10..30 {
        let (world, by) = (world.clone(), world.caller("anna").await);
        tasks.push(tokio::spawn(async move {
            world.get(&by, &format!("C{number}"), CoauthLockType::CoauthExclusive).await
        }));
    }
    let mut winners = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(answer) => winners += ids(&answer).len(),
            Err(refusal) => assert!(matches!(refusal.error, WopiError::CoauthLockRefused { .. }), "{refusal:?}"),
        }
    }
    assert_eq!(winners, 1);
}

#[tokio::test]
async fn a_user_without_a_display_name_is_shown_by_the_name_they_sign_in_with() {
    let world = World::new().await;
    let answer = world.get(&world.caller("anna").await, "C1", CoauthLockType::Coauth).await.unwrap();
    assert_eq!(answer.table.unwrap().coauth_table[0].user_friendly_name, "anna");
    let world = World::new().await;
    let by = world.caller("anna").await;
    let seen = LockTerms { timeout: None, user_visible: true };
    world.host.lock(&by, lock_id("A"), seen).await.unwrap();
    let refusal = world.get(&world.caller("bert").await, "C1", CoauthLockType::Coauth).await.unwrap_err();
    let WopiError::CoauthLockRefused { username, .. } = refusal.error else { panic!("{refusal:?}") };
    assert_eq!(username.as_deref(), Some("anna"));
}

#[tokio::test]
async fn a_wopi_lock_holds_as_long_as_the_client_asked() {
    let world = World::new().await;
    let terms = LockTerms { timeout: Some(minute()), user_visible: false };
    world.host.lock(&world.caller("anna").await, lock_id("A"), terms).await.unwrap();
    world.advance(Duration::from_millis(59_999));
    assert_eq!(world.host.held_lock(&world.caller("anna").await).unwrap(), Some(lock_id("A")));
    world.advance(Duration::from_millis(1));
    assert_eq!(world.host.held_lock(&world.caller("anna").await).unwrap(), None);
}

/// A file that is coauthored is held by something else to every operation that does not know coauth locks.
#[tokio::test]
async fn the_other_operations_respect_coauth_locks() {
    for kind in [CoauthLockType::Coauth, CoauthLockType::CoauthExclusive] {
        let world = World::new().await;
        let host = &world.host;
        world.get(&world.caller("anna").await, "C1", kind).await.unwrap();
        let by = &world.caller("bert").await;
        let (a, terms, facts) = (lock_id("A"), LockTerms::default(), SaveFacts::default());
        let over = RelativeTarget::Specific { name: requested("a.docx"), overwrite: true };
        let (wopi, other) = (PresentedLock::Wopi(a.clone()), PresentedLock::Coauth(coauth_id("C2")));
        for (what, refusal) in [
            ("Lock", host.lock(by, a.clone(), terms).await.map(|_| ()).unwrap_err()),
            ("RefreshLock", host.refresh_lock(by, &a, terms).await.map(|_| ()).unwrap_err()),
            ("UnlockAndRelock", host.unlock_and_relock(by, &a, &a, terms).await.map(|_| ()).unwrap_err()),
            ("Unlock", host.unlock(by, &a).await.map(|_| ()).unwrap_err()),
            ("GetLock", host.held_lock(by).map(|_| ()).unwrap_err()),
            ("PutFile", host.put_file(by, None, &facts, full("x")).await.map(|_| ()).unwrap_err()),
            ("PutFile", host.put_file(by, Some(&a), &facts, full("y")).await.map(|_| ()).unwrap_err()),
            ("DeleteFile", host.delete_file(by).await.unwrap_err()),
            (
                "PutRelativeFile",
                host.put_relative_file(by, &over, None, &facts, full("x")).await.map(|_| ()).unwrap_err(),
            ),
            ("RenameFile", host.rename_file(by, &requested("b"), &PresentedLock::None).await.map(|_| ()).unwrap_err()),
            ("RenameFile", host.rename_file(by, &requested("b"), &wopi).await.map(|_| ()).unwrap_err()),
            ("RenameFile", host.rename_file(by, &requested("b"), &other).await.map(|_| ()).unwrap_err()),
        ] {
            let held = matches!(refusal.error, WopiError::HeldOtherwise { mechanism: None, .. });
            assert!(held, "{what}: {refusal:?}");
        }
        assert_eq!(host.get_file(by, 9, None).await.unwrap().size, 9);
        assert_eq!(host.check_file_info(by).await.unwrap().base_file_name, "a.docx");
        // Refused saves are kept for their author, as with any other lock.
        assert_eq!(host.ports.registry.rescued(None).await.unwrap().len(), 2);

        let mine = PresentedLock::Coauth(coauth_id("C1"));
        assert_eq!(host.rename_file(by, &requested("b"), &mine).await.unwrap().name, "b");
        let renamed = world.caller("anna").await;
        assert_eq!(ids(&host.coauth_table(&renamed, None).unwrap()), ["C1"]);
        host.unlock_coauth_lock(&renamed, &coauth_id("C1")).await.unwrap();
        host.lock(&world.caller("bert").await, a, terms).await.unwrap();
    }
}

#[tokio::test]
async fn a_refresh_that_comes_too_late_is_refused_and_a_known_version_brings_no_table() {
    let world = World::new().await;
    let host = &world.host;
    let first = world.get(&world.caller("anna").await, "C1", CoauthLockType::Coauth).await.unwrap();
    let refresh = async || {
        let by = world.caller("anna").await;
        host.refresh_coauth_lock(&by, &coauth_id("C1"), minute(), &CoauthLockMetadata::default()).await
    };
    world.advance(Duration::from_millis(59_999));
    assert_eq!(refresh().await.unwrap(), first);
    let table = host.coauth_table(&world.caller("anna").await, Some(&first.version)).unwrap();
    assert_eq!(table, CoauthAnswer { version: first.version.clone(), table: None });
    world.advance(Duration::from_millis(60_000));
    let refusal = refresh().await.unwrap_err();
    assert!(matches!(refusal.error, WopiError::CoauthLockRefused { username: None, .. }), "{refusal:?}");
    let table = host.coauth_table(&world.caller("anna").await, Some(&first.version)).unwrap();
    assert_eq!(ids(&table), [""; 0]);
}

/// What happens between the moment a client is let in and the end of its body, and what becomes of its save with lock `A`.
///
/// | let in with | meanwhile | the save |
/// |---|---|---|
/// | `A` | nothing | saved over the first version |
/// | `A` | another save with `A` | saved over that one |
/// | `A` | `A` was released | refused |
/// | `A` | `A` was released, `B` taken | refused |
/// | `B` | `A` came in its place | saved |
/// | `A` | the file was deleted | not found |
#[tokio::test]
async fn a_save_is_judged_by_the_file_as_it_is_when_its_bytes_are_here() {
    let (terms, facts) = (LockTerms::default(), SaveFacts::default());
    for (first, meanwhile, status, versions) in [
        ("A", "nothing", 200, 1),
        ("A", "saved", 200, 2),
        ("A", "released", 409, 0),
        ("A", "taken", 409, 0),
        ("B", "relocked", 200, 1),
        ("A", "deleted", 404, 0),
    ] {
        let world = World::new().await;
        let (host, a, b) = (&world.host, lock_id("A"), lock_id("B"));
        host.lock(&world.caller("anna").await, lock_id(first), terms).await.unwrap();
        let early = world.caller("anna").await;
        let other = world.caller("bert").await;
        match meanwhile {
            "saved" => drop(host.put_file(&other, Some(&a), &facts, full("bert's")).await.unwrap()),
            "released" => drop(host.unlock(&other, &a).await.unwrap()),
            "taken" => {
                host.unlock(&other, &a).await.unwrap();
                host.lock(&world.caller("bert").await, b, terms).await.unwrap();
            }
            "relocked" => drop(host.unlock_and_relock(&other, &b, &a, terms).await.unwrap()),
            "deleted" => {
                host.unlock(&other, &a).await.unwrap();
                host.delete_file(&world.caller("bert").await).await.unwrap();
            }
            _ => {}
        }
        let answer = host.put_file(&early, Some(&a), &facts, full("anna's")).await;
        let told = match &answer {
            Ok(_) => 200,
            Err(Refusal { error: WopiError::LockMismatch { .. }, .. }) => 409,
            Err(Refusal { error: WopiError::NotFound, .. }) => 404,
            Err(refusal) => panic!("{meanwhile}: {refusal:?}"),
        };
        assert_eq!(told, status, "{meanwhile}");
        let kept = host.ports.registry.versions(&early.file().unwrap().id).await.unwrap();
        assert_eq!(kept.len(), versions, "{meanwhile}");
    }
}
