//! What is shared with whom.

use lectern_host::access::Right;
use lectern_host::ports::FileCommit;
use lectern_host::records::{FileRecord, Revision, Role, Session, Timestamp, User};
use lectern_host::sharing::{Grant, Group, GroupId, Guest, Item, Link, LinkId, Principal};
use lectern_host::wopi::UserId;

use super::files::root;
use super::samples::{container, container_id, file, file_id, session, user, user_id};
use super::{Fresh, No, no};

fn group_id(text: &str) -> GroupId {
    GroupId::parse(text).unwrap()
}

fn group(id: &str, called: &str) -> Group {
    Group { id: group_id(id), name: called.to_owned(), revision: Revision(0), created_at: Timestamp(5) }
}

fn on_file(id: &str) -> Item {
    Item::File(file_id(id))
}

fn on_container(id: &str) -> Item {
    Item::Container(container_id(id))
}

fn to_user(id: &str) -> Principal {
    Principal::User(user_id(id))
}

fn grant(item: Item, to: Principal, right: Right, at: i64) -> Grant {
    Grant { item, to, right, by: user_id("owner"), at: Timestamp(at) }
}

fn link(id: &str, item: Item) -> Link {
    Link {
        id: LinkId::parse(id).unwrap(),
        item,
        right: Right::Edit,
        secret: [id.as_bytes()[0]; 32],
        password: Some("$argon2id$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA".into()),
        label: "für 'O'".into(),
        by: user_id("owner"),
        created_at: Timestamp(7),
        expires_at: Some(Timestamp(i64::MAX)),
        revoked_at: None,
    }
}

async fn on(registry: &Fresh, item: &Item) -> Vec<Grant> {
    registry.grants_on(std::slice::from_ref(item)).await.unwrap().remove(0).to_vec()
}

/// Every field of a grant comes back; of one thing with one principal there is one, and the latest counts.
pub async fn of_a_thing_with_somebody_there_is_one_grant(registry: Fresh) {
    let (item, other) = (on_file("f"), on_container("f"));
    assert_eq!(registry.grants_on(&[]).await.unwrap(), []);
    assert_eq!(on(&registry, &item).await, []);
    for (at, right) in (1..).zip(Right::ALL) {
        let to_alice = grant(item.clone(), to_user("alice"), right, at);
        registry.put_grant(&to_alice).await.unwrap();
        assert_eq!(on(&registry, &item).await, [to_alice]);
    }
    // A user and a group of one id are not the same, nor are a file and a container.
    let to_group = grant(item.clone(), Principal::Group(group_id("alice")), Right::View, 9);
    let elsewhere = grant(other.clone(), to_user("alice"), Right::Edit, 8);
    registry.put_grant(&to_group).await.unwrap();
    registry.put_grant(&elsewhere).await.unwrap();
    let mut grants = on(&registry, &item).await;
    grants.sort_by_key(|grant| grant.at);
    assert_eq!(grants.iter().map(|grant| grant.at.0).collect::<Vec<_>>(), [4, 9]);
    let both = registry.grants_on(&[other.clone(), item.clone()]).await.unwrap();
    assert_eq!((both[0].to_vec(), both[1].len()), (vec![elsewhere.clone()], 2));
    let of_alice = registry.grants_to(&[to_user("alice"), Principal::Group(group_id("alice"))], 10).await.unwrap();
    assert_eq!(of_alice.iter().map(|grant| grant.at.0).collect::<Vec<_>>(), [9, 8, 4]);
    assert_eq!(registry.grants_to(&[to_user("alice")], 1).await.unwrap(), [elsewhere]);
    assert_eq!(registry.grants_to(&[to_user("bob")], 10).await.unwrap(), []);
    for _ in 0..2 {
        registry.remove_grant(&item, &to_user("alice")).await.unwrap();
        assert_eq!(on(&registry, &item).await, std::slice::from_ref(&to_group));
    }
}

/// Groups have names of their own, letter case aside, and are replaced at the revision that was read.
pub async fn groups_have_names_of_their_own(registry: Fresh) {
    assert_eq!(no(registry.group(&group_id("a")).await), No::NotFound);
    let stored = registry.create_group(&group("a", "Verwaltung Ü")).await.unwrap();
    assert_eq!(stored, Group { revision: Revision(1), ..group("a", "Verwaltung Ü") });
    assert_eq!(registry.group(&stored.id).await.unwrap(), stored);
    assert_eq!(registry.group_named("VERWALTUNG Ü").await.unwrap(), stored);
    assert_eq!(no(registry.create_group(&group("b", "verwaltung Ü")).await), No::NameTaken);
    assert_eq!(no(registry.create_group(&group("a", "other")).await), No::Conflict);
    let archive = registry.create_group(&group("b", "Archiv")).await.unwrap();
    assert_eq!(registry.groups().await.unwrap(), [archive.clone(), stored.clone()]);
    let renamed = registry.commit_group(&Group { name: "Amt".into(), ..stored.clone() }).await.unwrap();
    assert_eq!(renamed.revision, Revision(2));
    assert_eq!(no(registry.commit_group(&stored).await), No::Conflict);
    assert_eq!(no(registry.commit_group(&Group { name: "ARCHIV".into(), ..renamed.clone() }).await), No::NameTaken);
    registry.commit_group(&Group { name: "AMT".into(), ..renamed.clone() }).await.unwrap();
    assert_eq!(no(registry.commit_group(&Group { revision: Revision(1), ..group("x", "x") }).await), No::NotFound);
    assert_eq!(no(registry.remove_group(&renamed.id, Revision(2)).await), No::Conflict);
    registry.remove_group(&renamed.id, Revision(3)).await.unwrap();
    assert_eq!(no(registry.remove_group(&renamed.id, Revision(3)).await), No::NotFound);
    assert_eq!(registry.groups().await.unwrap(), [archive]);
}

/// People are in groups, and with a group goes who was in it and what was shared with it.
pub async fn people_are_in_groups(registry: Fresh) {
    let groups_of = async |user: &str| registry.groups_of(&user_id(user)).await.unwrap().to_vec();
    for id in ["g", "h"] {
        registry.create_group(&group(id, id)).await.unwrap();
        for _ in 0..2 {
            registry.set_member(&group_id(id), &user_id("alice"), true).await.unwrap();
        }
    }
    registry.set_member(&group_id("g"), &user_id("bob"), true).await.unwrap();
    assert_eq!(no(registry.set_member(&group_id("x"), &user_id("bob"), true).await), No::NotFound);
    assert_eq!(groups_of("alice").await, [group_id("g"), group_id("h")]);
    assert_eq!(registry.members(&group_id("g")).await.unwrap(), [user_id("alice"), user_id("bob")]);
    assert_eq!(registry.members(&group_id("x")).await.unwrap(), [] as [UserId; 0]);
    for _ in 0..2 {
        registry.set_member(&group_id("g"), &user_id("bob"), false).await.unwrap();
        assert_eq!(groups_of("bob").await, []);
    }
    registry.put_grant(&grant(on_file("f"), Principal::Group(group_id("g")), Right::View, 1)).await.unwrap();
    registry.put_grant(&grant(on_file("f"), Principal::Group(group_id("h")), Right::View, 2)).await.unwrap();
    assert_eq!(on(&registry, &on_file("f")).await.len(), 2);
    registry.remove_group(&group_id("g"), Revision(1)).await.unwrap();
    assert_eq!(groups_of("alice").await, [group_id("h")]);
    let left = on(&registry, &on_file("f")).await;
    assert_eq!(left.iter().map(|grant| grant.at.0).collect::<Vec<_>>(), [2]);
}

/// Every field of a link comes back; it is found by its secret, and revoked once.
pub async fn links_are_found_by_their_secret_and_revoked(registry: Fresh) {
    let (a, item) = (link("a", on_file("f")), on_file("f"));
    let b = Link {
        right: Right::View,
        password: None,
        expires_at: None,
        created_at: Timestamp(9),
        ..link("b", item.clone())
    };
    assert_eq!(no(registry.link(&a.id).await), No::NotFound);
    registry.create_link(&a).await.unwrap();
    registry.create_link(&b).await.unwrap();
    registry.create_link(&link("c", on_container("f"))).await.unwrap();
    assert_eq!(no(registry.create_link(&link("a", on_file("g"))).await), No::Conflict);
    assert_eq!(no(registry.create_link(&Link { secret: a.secret, ..link("d", on_file("g")) }).await), No::Conflict);
    assert_eq!(*registry.link(&a.id).await.unwrap(), a);
    assert_eq!(registry.link_with(&b.secret).await.unwrap(), b);
    assert_eq!(no(registry.link_with(&[0; 32]).await), No::NotFound);
    assert_eq!(registry.links_on(&item).await.unwrap(), [b.clone(), a.clone()]);
    for at in [20, 30] {
        registry.revoke_link(&a.id, Timestamp(at)).await.unwrap();
        assert_eq!(*registry.link(&a.id).await.unwrap(), Link { revoked_at: Some(Timestamp(20)), ..a.clone() });
    }
    assert_eq!(registry.link(&b.id).await.unwrap().revoked_at, None);
    assert_eq!(no(registry.revoke_link(&LinkId::parse("x").unwrap(), Timestamp(1)).await), No::NotFound);
}

/// What is shared of things that are gone is forgotten, and so are links that ended before a moment.
pub async fn what_is_shared_of_things_that_are_gone_is_forgotten(registry: Fresh) {
    let root = root(&registry).await;
    registry.create_file(&file("f", &root, "f")).await.unwrap();
    let deleted = registry.create_file(&file("d", &root, "d")).await.unwrap();
    let record = FileRecord { deleted_at: Some(Timestamp(1)), ..deleted };
    registry.commit_file(&FileCommit { record, replaced: None }).await.unwrap();
    for item in [on_file("f"), on_file("d"), on_file("x"), on_container("x"), Item::Container(root.clone())] {
        registry.put_grant(&grant(item.clone(), to_user("alice"), Right::View, 1)).await.unwrap();
        on(&registry, &item).await;
    }
    for (id, item, expires_at) in [
        ("a", on_file("f"), Some(100)),
        ("b", on_file("f"), Some(99)),
        ("c", on_file("x"), None),
        ("e", on_file("f"), None),
    ] {
        let link = Link { expires_at: expires_at.map(Timestamp), ..link(id, item) };
        registry.create_link(&link).await.unwrap();
    }
    assert_eq!(registry.prune_shares(Timestamp(100)).await.unwrap(), 4);
    assert_eq!(registry.prune_shares(Timestamp(100)).await.unwrap(), 0);
    for (item, left) in [(on_file("f"), 1), (on_file("d"), 1), (on_file("x"), 0), (on_container("x"), 0)] {
        assert_eq!(on(&registry, &item).await.len(), left, "{item}");
    }
    for (id, there) in [("a", true), ("b", false), ("c", false), ("e", true)] {
        assert_eq!(registry.link(&LinkId::parse(id).unwrap()).await.is_ok(), there, "{id}");
    }
}

/// A visit has what is shared as it is now: grants on the file and each container, groups, the link of a guest; nothing
/// for who may change everything anyway.
pub async fn a_visit_has_what_is_shared_now(registry: Fresh) {
    let root = root(&registry).await;
    let inner = registry.create_container(&container("inner", &root, "inner")).await.unwrap();
    let record = registry.create_file(&file("f", &inner.id, "f")).await.unwrap();
    registry.create_group(&group("g", "g")).await.unwrap();
    let vera = registry.create_user(&User { role: Role::Viewer, ..user("vera", "vera") }).await.unwrap();
    registry.create_user(&user("edith", "edith")).await.unwrap();
    let link = link("l", on_container("inner"));
    let guest = Guest { link: link.id.clone(), name: "Gast".into() };
    for session in
        [session("v", "vera"), session("e", "edith"), Session { guest: Some(guest), ..session("x", "0guest") }]
    {
        registry.create_session(&session).await.unwrap();
    }
    let shares = async |id: &str| {
        let visit = registry.visit(&session(id, "x").id, Some(&record.id)).await.unwrap();
        let grants: Vec<usize> = visit.shares.grants.iter().map(|grants| grants.len()).collect();
        (grants, visit.shares.groups.len(), visit.shares.link, visit.user.is_some())
    };
    for _ in 0..2 {
        assert_eq!(shares("v").await, (vec![0, 0, 0], 0, None, true));
        assert_eq!(shares("e").await, (vec![], 0, None, true));
        assert_eq!(shares("x").await, (vec![], 0, None, false));
    }
    registry.put_grant(&grant(on_container("inner"), to_user("vera"), Right::Edit, 1)).await.unwrap();
    assert_eq!(shares("v").await, (vec![0, 1, 0], 0, None, true));
    registry.put_grant(&grant(on_file("f"), to_user("edith"), Right::Own, 1)).await.unwrap();
    registry.set_member(&group_id("g"), &vera.id, true).await.unwrap();
    assert_eq!(shares("v").await, (vec![1, 1, 0], 1, None, true));
    assert_eq!(shares("e").await, (vec![], 0, None, true));
    registry.remove_grant(&on_container("inner"), &to_user("vera")).await.unwrap();
    assert_eq!(shares("v").await, (vec![1, 0, 0], 1, None, true));
    registry.remove_group(&group_id("g"), Revision(1)).await.unwrap();
    assert_eq!(shares("v").await, (vec![1, 0, 0], 0, None, true));
    registry.create_link(&link).await.unwrap();
    assert_eq!(shares("x").await.2.as_deref(), Some(&link));
    registry.revoke_link(&link.id, Timestamp(3)).await.unwrap();
    assert_eq!(shares("x").await.2.unwrap().revoked_at, Some(Timestamp(3)));
    // Also for who comes to change everything, and for who does not any more.
    let vera = registry.commit_user(&User { role: Role::Administrator, ..vera }).await.unwrap();
    for _ in 0..2 {
        assert_eq!(shares("v").await, (vec![], 0, None, true));
    }
    registry.commit_user(&User { role: Role::Viewer, ..vera }).await.unwrap();
    for _ in 0..2 {
        assert_eq!(shares("v").await, (vec![1, 0, 0], 0, None, true));
    }
}

/// Whether anybody else sees everything depends on roles, and on who is shut out.
pub async fn who_else_sees_everything_depends_on_roles(registry: Fresh) {
    let sees = async || registry.others_see_everything(&user_id("alice")).await.unwrap();
    assert!(!sees().await);
    registry.create_user(&user("alice", "alice")).await.unwrap();
    let bob = registry.create_user(&User { role: Role::Member, ..user("bob", "bob") }).await.unwrap();
    assert!(!sees().await);
    let bob = registry.commit_user(&User { role: Role::Viewer, ..bob }).await.unwrap();
    assert!(sees().await);
    registry.commit_user(&User { disabled: true, ..bob }).await.unwrap();
    assert!(!sees().await);
}
