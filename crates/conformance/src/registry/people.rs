//! Users and sessions.

use std::sync::Arc;

use lectern_host::ports::{FileCommit, Located, Shares, Visit};
use lectern_host::records::{ContainerRecord, FileRecord, Revision, Role, Session, SessionId, Timestamp, User};

use lectern_host::sharing::{Guest, LinkId};

use super::samples::{container, file, file_id, name, session, user, user_id};
use super::{Fresh, No, no, race};

/// Every field of a user comes back, with every role.
pub async fn every_field_of_a_user_comes_back(registry: Fresh) {
    assert_eq!(no(registry.user(&user_id("a")).await), No::NotFound);
    for (number, role) in Role::ALL.into_iter().enumerate() {
        let full = User {
            role,
            display_name: "Ärger O'Neil – 概要".into(),
            password: Some("$argon2id$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA".into()),
            disabled: true,
            user_info: Some("{\"ü\":\"\"}".repeat(100)),
            revision: Revision(9),
            created_at: Timestamp(i64::MAX),
            ..user(&format!("full{number}"), &format!("Jörg{number}@Example.org"))
        };
        let stored = registry.create_user(&full).await.unwrap();
        assert_eq!(stored, User { revision: Revision(1), ..full });
        assert_eq!(registry.user(&stored.id).await.unwrap(), stored);
        assert_eq!(registry.user_named(&stored.name).await.unwrap(), stored);
        let plain = user(&stored.id.to_string(), &format!("plain{number}"));
        let plain = User { revision: stored.revision, ..plain };
        let changed = registry.commit_user(&plain).await.unwrap();
        assert_eq!(changed, User { revision: Revision(2), ..plain });
        assert_eq!(registry.user(&stored.id).await.unwrap(), changed);
        assert_eq!(registry.user_named(&changed.name).await.unwrap(), changed);
        assert_eq!(no(registry.user_named(&stored.name).await), No::NotFound);
    }
}

/// User names are unique, and found, without regard to ASCII letter case.
pub async fn user_names_are_unique_without_regard_to_letter_case(registry: Fresh) {
    let alice = registry.create_user(&user("a", "Alice")).await.unwrap();
    for called in ["Alice", "alice", "ALICE"] {
        assert_eq!(registry.user_named(called).await.unwrap(), alice);
        assert_eq!(no(registry.create_user(&user("b", called)).await), No::NameTaken);
    }
    assert_eq!(no(registry.user_named("alic").await), No::NotFound);
    assert_eq!(no(registry.create_user(&user("a", "other")).await), No::Conflict);
    let bob = registry.create_user(&user("b", "bob")).await.unwrap();
    assert_eq!(no(registry.commit_user(&User { name: "aLICE".into(), ..bob.clone() }).await), No::NameTaken);
    assert_eq!(registry.user(&bob.id).await.unwrap(), bob);
    // One's own name in other letters is free for oneself; only ASCII letters have a case here.
    let alice = registry.commit_user(&User { name: "ALICE".into(), ..alice }).await.unwrap();
    assert_eq!(registry.user_named("alice").await.unwrap(), alice);
    let umlaut = registry.create_user(&user("c", "Ö")).await.unwrap();
    assert_eq!(no(registry.user_named("ö").await), No::NotFound);
    assert_eq!(registry.user_named("Ö").await.unwrap(), umlaut);
}

/// A user name is taken once, however many ask at once.
pub async fn a_user_name_is_taken_once_however_many_ask(registry: Fresh) {
    let answers = race((0..12).map(|number| {
        let registry = registry.clone();
        let called = if number % 2 == 0 { "alice" } else { "ALICE" };
        async move { registry.create_user(&user(&format!("u{number}"), called)).await }
    }))
    .await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    assert!(lost.into_iter().all(|answer| no(answer) == No::NameTaken));
    assert_eq!(registry.users().await.unwrap(), [won.into_iter().next().unwrap().unwrap()]);
}

/// Everybody is listed by name, letter case aside.
pub async fn users_are_listed_by_name(registry: Fresh) {
    assert_eq!(registry.users().await.unwrap(), []);
    for (id, called) in [("1", "bob"), ("2", "Carol"), ("3", "alice"), ("4", "Bobby")] {
        registry.create_user(&user(id, called)).await.unwrap();
    }
    let names: Vec<_> = registry.users().await.unwrap().into_iter().map(|user| user.name).collect();
    assert_eq!(names, ["alice", "bob", "Bobby", "Carol"]);
}

/// A user is replaced only at the revision that was read; exactly one of many wins.
pub async fn a_user_is_replaced_only_at_the_revision_that_was_read(registry: Fresh) {
    let alice = registry.create_user(&user("a", "alice")).await.unwrap();
    let answers = race((0..12).map(|number| {
        let registry = registry.clone();
        let next = User { user_info: Some(format!("info {number}")), ..alice.clone() };
        async move { registry.commit_user(&next).await }
    }))
    .await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    assert!(lost.into_iter().all(|answer| no(answer) == No::Conflict));
    assert_eq!(registry.user(&alice.id).await.unwrap(), won.into_iter().next().unwrap().unwrap());
    let unknown = User { revision: Revision(1), ..user("unknown", "unknown") };
    assert_eq!(no(registry.commit_user(&unknown).await), No::NotFound);
}

/// Every field of a session comes back, revoked and expired ones too.
pub async fn every_field_of_a_session_comes_back(registry: Fresh) {
    assert_eq!(no(registry.session(&SessionId("s".into())).await), No::NotFound);
    let full = Session {
        label: "Firefox – 'ü'".into(),
        created_at: Timestamp(i64::MIN),
        expires_at: Timestamp(-1),
        revoked_at: Some(Timestamp(i64::MAX)),
        guest: Some(Guest { link: LinkId::parse("l").unwrap(), name: "Gäste 'O'".into() }),
        ..session(&"f".repeat(64), "bob")
    };
    registry.create_session(&full).await.unwrap();
    registry.create_session(&session("s", "alice")).await.unwrap();
    assert_eq!(registry.session(&full.id).await.unwrap(), full);
    assert_eq!(registry.session(&SessionId("s".into())).await.unwrap(), session("s", "alice"));
    assert_eq!(registry.sessions(&full.user).await.unwrap(), std::slice::from_ref(&full));
    assert_eq!(no(registry.create_session(&session("s", "bob")).await), No::Conflict);
    assert_eq!(registry.session(&SessionId("s".into())).await.unwrap(), session("s", "alice"));
}

/// The sessions of a user are listed latest first.
pub async fn sessions_of_a_user_are_listed_latest_first(registry: Fresh) {
    for (id, user, at) in [("a", "alice", 10), ("b", "bob", 20), ("c", "alice", 30), ("d", "alice", 20)] {
        let session = Session { created_at: Timestamp(at), ..session(id, user) };
        registry.create_session(&session).await.unwrap();
    }
    let ids: Vec<_> = registry.sessions(&user_id("alice")).await.unwrap().into_iter().map(|of| of.id.0).collect();
    assert_eq!(ids, ["c", "d", "a"]);
    assert_eq!(registry.sessions(&user_id("carol")).await.unwrap(), []);
}

/// A revoked session is so at the next read; revoking it again is success and changes nothing.
pub async fn a_revoked_session_stays_revoked_since_the_first_time(registry: Fresh) {
    let live = session("s", "alice");
    registry.create_session(&live).await.unwrap();
    registry.create_session(&session("other", "alice")).await.unwrap();
    assert_eq!(registry.session(&live.id).await.unwrap().revoked_at, None);
    for at in [5, 9] {
        registry.revoke_session(&live.id, Timestamp(at)).await.unwrap();
        let revoked = Session { revoked_at: Some(Timestamp(5)), ..live.clone() };
        assert_eq!(registry.session(&live.id).await.unwrap(), revoked);
        assert_eq!(registry.session_and_user(&live.id).await.unwrap().0, revoked);
        assert!(registry.sessions(&live.user).await.unwrap().contains(&revoked));
    }
    assert_eq!(registry.session(&SessionId("other".into())).await.unwrap().revoked_at, None);
    assert_eq!(no(registry.revoke_session(&SessionId("unknown".into()), Timestamp(1)).await), No::NotFound);
}

/// Sessions that ran out before a moment are forgotten and counted; at the exact moment they are not.
pub async fn sessions_that_ran_out_are_forgotten(registry: Fresh) {
    for (id, expires_at) in [("a", 99), ("b", 100), ("c", 101), ("d", 1)] {
        let session = Session { expires_at: Timestamp(expires_at), ..session(id, "alice") };
        registry.create_session(&session).await.unwrap();
        registry.session(&session.id).await.unwrap();
    }
    assert_eq!(registry.prune_sessions(Timestamp(100)).await.unwrap(), 2);
    assert_eq!(registry.prune_sessions(Timestamp(100)).await.unwrap(), 0);
    for (id, there) in [("a", false), ("b", true), ("c", true), ("d", false)] {
        assert_eq!(registry.session(&SessionId(id.into())).await.is_ok(), there, "{id}");
    }
}

/// A session comes with its user, or without where the registry has none.
pub async fn a_session_comes_with_its_user(registry: Fresh) {
    let live = session("s", "alice");
    assert_eq!(no(registry.session_and_user(&live.id).await), No::NotFound);
    registry.create_session(&live).await.unwrap();
    assert_eq!(registry.session_and_user(&live.id).await.unwrap(), (live.clone(), None));
    let alice = registry.create_user(&user("alice", "alice")).await.unwrap();
    assert_eq!(registry.session_and_user(&live.id).await.unwrap(), (live.clone(), Some(alice.clone())));
    let disabled = registry.commit_user(&User { disabled: true, ..alice }).await.unwrap();
    assert_eq!(registry.session_and_user(&live.id).await.unwrap(), (live, Some(disabled)));
}

/// A visit is the session, its user, the file and its containers as each of them is now, whatever changed since the last.
pub async fn a_visit_is_what_its_parts_are_now(registry: Fresh) {
    let mut live = session("s", "alice");
    let root = registry.root().await.unwrap();
    let inner = registry.create_container(&container("inner", &root.id, "inner")).await.unwrap();
    let record = registry.create_file(&file("f", &inner.id, "report.docx")).await.unwrap();
    assert_eq!(no(registry.visit(&live.id, Some(&record.id)).await), No::NotFound);
    registry.create_session(&live).await.unwrap();
    assert_eq!(registry.visit(&live.id, None).await.unwrap(), visit(&live, None, None));
    let mut alice = registry.create_user(&user("alice", "alice")).await.unwrap();
    let unknown = registry.visit(&live.id, Some(&file_id("unknown"))).await.unwrap();
    assert_eq!(unknown, visit(&live, Some(&alice), None));

    let mut located = Located { record: Arc::new(record), containers: vec![Arc::new(inner), Arc::new(root)] };
    for round in 0..5 {
        let now = registry.visit(&live.id, Some(&located.record.id)).await.unwrap();
        assert_eq!(now, visit(&live, Some(&alice), Some(&located)), "{round}");
        let path = now.file.unwrap().path().unwrap();
        assert_eq!(path.as_str(), format!("{}/report.docx", located.containers[0].name));
        match round {
            0 => alice = registry.commit_user(&User { disabled: true, ..alice }).await.unwrap(),
            1 => {
                let record = FileRecord { version: located.record.version.next(), ..(*located.record).clone() };
                let stored = registry.commit_file(&FileCommit { record, replaced: None }).await.unwrap();
                located.record = Arc::new(stored);
            }
            2 => {
                let renamed = ContainerRecord { name: name("renamed"), ..(*located.containers[0]).clone() };
                located.containers[0] = Arc::new(registry.commit_container(&renamed).await.unwrap());
            }
            _ => {
                live.revoked_at = Some(Timestamp(5));
                registry.revoke_session(&live.id, Timestamp(5)).await.unwrap();
            }
        }
    }

    let deleted = FileRecord { deleted_at: Some(Timestamp(1)), ..(*located.record).clone() };
    let deleted = registry.commit_file(&FileCommit { record: deleted, replaced: None }).await.unwrap();
    registry.remove_container(&located.containers[0].id, located.containers[0].revision).await.unwrap();
    let found = registry.visit(&live.id, Some(&deleted.id)).await.unwrap().file.unwrap();
    assert_eq!((&*found.record, found.containers.len(), found.path()), (&deleted, 0, None));
    registry.remove_file(&deleted.id, deleted.revision).await.unwrap();
    assert_eq!(registry.visit(&live.id, Some(&deleted.id)).await.unwrap().file, None);
}

fn visit(session: &Session, user: Option<&User>, file: Option<&Located>) -> Visit {
    Visit {
        session: Arc::new(session.clone()),
        user: user.cloned().map(Arc::new),
        file: file.cloned(),
        shares: Shares::default(),
    }
}
