//! Users, groups, sessions, and what was refused.

use lectern_host::desk::{NameFault, NewAccount, Why};
use lectern_host::records::Role;

use super::{at, file, why};
use crate::world::World;

fn account(name: &str, role: Role) -> NewAccount {
    NewAccount { name: name.to_owned(), shown_as: String::new(), role, password: Some("$hash".to_owned()) }
}

#[tokio::test]
async fn administrators_add_and_change_users_and_one_of_them_always_stays() {
    let world = World::new().await;
    let (alice, bob) = (world.alice().await, world.bob().await);
    alice.becomes(Role::Administrator).await;
    let carol = at!(world, alice, add_account(&account(" Carol ", Role::Member))).unwrap();
    assert_eq!((carol.name.as_str(), carol.shown_as.as_str(), carol.has_password), ("Carol", "Carol", true));
    let again = at!(world, alice, add_account(&account("CAROL", Role::Viewer)));
    assert_eq!(why(again), Why::NameTaken { free: None });
    assert_eq!(why(at!(world, alice, add_account(&account(" ", Role::Viewer)))), Why::Name(NameFault::Empty));
    assert_eq!(at!(world, alice, set_shown_as(&carol.id, "Carol C.")).unwrap().shown_as, "Carol C.");
    assert!(!at!(world, alice, set_password(&carol.id, None)).unwrap().has_password);
    let names: Vec<String> = at!(world, alice, accounts()).unwrap().into_iter().map(|account| account.name).collect();
    assert_eq!(names, ["alice", "bob", "Carol"]);

    let me = &alice.user.id;
    assert_eq!(why(at!(world, alice, set_role(me, Role::Editor))), Why::LastAdministrator);
    assert_eq!(why(at!(world, alice, set_disabled(me, true))), Why::LastAdministrator);
    at!(world, alice, set_role(&carol.id, Role::Administrator)).unwrap();
    at!(world, alice, set_disabled(&carol.id, true)).unwrap();
    assert_eq!(why(at!(world, alice, set_role(me, Role::Editor))), Why::LastAdministrator);
    at!(world, alice, set_disabled(&carol.id, false)).unwrap();
    at!(world, alice, set_role(me, Role::Editor)).unwrap();

    for denied in [
        why(at!(world, bob, accounts())),
        why(at!(world, bob, add_account(&account("x", Role::Viewer)))),
        why(at!(world, bob, set_role(&bob.user.id, Role::Administrator))),
        why(at!(world, bob, set_disabled(me, true))),
        why(at!(world, bob, set_password(me, None))),
        why(at!(world, bob, set_shown_as(me, "x"))),
        why(at!(world, bob, sessions(me))),
        why(at!(world, bob, revoke_sessions(me))),
        why(at!(world, bob, groups())),
        why(at!(world, bob, add_group("x"))),
    ] {
        assert_eq!(denied, Why::NotAllowed);
    }
    assert_eq!(at!(world, bob, set_shown_as(&bob.user.id, " Bobby ")).unwrap().shown_as, "Bobby");
}

#[tokio::test]
async fn a_new_password_ends_every_session_but_the_one_that_asks() {
    let world = World::with_file("a.txt", b"a").await;
    let bob = world.bob().await;
    let elsewhere = world.person_again("bob").await;
    let id = file(&world, "a.txt").await;
    let open = elsewhere.opens("a.txt").await;
    assert_eq!(at!(world, bob, sessions(&bob.user.id)).unwrap().len(), 2);
    at!(world, bob, set_password(&bob.user.id, Some("$new"))).unwrap();
    let left = at!(world, bob, sessions(&bob.user.id)).unwrap();
    assert!(left.len() == 1 && left[0].this_one);
    assert_eq!(why(at!(world, elsewhere, file_entry(&id))), Why::SignedOut);
    open.check_file_info().await.answered(401);

    let third = world.person_again("bob").await;
    let vera = world.vera().await;
    assert_eq!(why(at!(world, vera, revoke_session(third.session()))), Why::NotFound);
    at!(world, bob, revoke_session(third.session())).unwrap();
    assert_eq!(why(at!(world, third, file_entry(&id))), Why::SignedOut);
    world.person_again("bob").await;
    assert_eq!(at!(world, bob, revoke_sessions(&bob.user.id)).unwrap(), 1);
    vera.becomes(Role::Administrator).await;
    assert_eq!(at!(world, vera, revoke_sessions(&bob.user.id)).unwrap(), 1);
    assert_eq!(why(at!(world, bob, file_entry(&id))), Why::SignedOut);
}

#[tokio::test]
async fn groups_are_made_renamed_filled_and_removed() {
    let world = World::new().await;
    let (alice, bob) = (world.alice().await, world.bob().await);
    alice.becomes(Role::Administrator).await;
    let group = at!(world, alice, add_group("Amt")).unwrap();
    assert_eq!(why(at!(world, alice, add_group("AMT"))), Why::NameTaken { free: None });
    at!(world, alice, set_member(&group.id, &bob.user.id, true)).unwrap();
    let nobody = wopi::UserId::parse("nobody").unwrap();
    assert_eq!(why(at!(world, alice, set_member(&group.id, &nobody, true))), Why::NotFound);
    assert_eq!(at!(world, alice, members(&group.id)).unwrap().len(), 1);
    assert_eq!(at!(world, bob, my_groups()).unwrap(), std::slice::from_ref(&group.id));
    assert_eq!(at!(world, alice, rename_group(&group.id, "Rat")).unwrap().name, "Rat");
    at!(world, alice, set_member(&group.id, &bob.user.id, false)).unwrap();
    assert_eq!(at!(world, alice, members(&group.id)).unwrap(), []);
    at!(world, alice, remove_group(&group.id)).unwrap();
    assert_eq!(at!(world, alice, groups()).unwrap(), []);
}

#[tokio::test]
async fn the_groups_of_a_provider_are_followed() {
    let world = World::new().await;
    let (alice, bob) = (world.alice().await, world.bob().await);
    alice.becomes(Role::Administrator).await;
    let own = at!(world, alice, add_group("Eigene")).unwrap();
    at!(world, alice, set_member(&own.id, &bob.user.id, true)).unwrap();
    let groups = async |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        world.host().set_groups(&bob.user.id, &names).await.unwrap();
        let ids = at!(world, bob, my_groups()).unwrap();
        let all = at!(world, alice, groups()).unwrap();
        all.into_iter().filter(|group| ids.contains(&group.id)).map(|group| group.name).collect::<Vec<_>>()
    };
    assert_eq!(groups(&["Rat", "eigene", " ", "Rat"]).await, ["Eigene", "Rat"]);
    assert_eq!(groups(&["Rat", "Amt"]).await, ["Amt", "Rat"]);
    assert_eq!(groups(&[]).await, [] as [String; 0]);
    assert_eq!(at!(world, alice, groups()).unwrap().len(), 3, "a group that nobody is in stays");
}

#[tokio::test]
async fn administrators_see_why_the_last_requests_were_refused() {
    let world = World::with_file("a.txt", b"a").await;
    let (alice, bob) = (world.alice().await, world.bob().await);
    let open = bob.opens("a.txt").await;
    open.lock("B").await.ok();
    open.lock("X").await.refused_with("B");
    assert_eq!(why(world.host().desk(bob.session()).await.unwrap().refusals().await), Why::NotAllowed);
    alice.becomes(Role::Administrator).await;
    let refusals = world.host().desk(alice.session()).await.unwrap().refusals().await.unwrap();
    assert_eq!((refusals.len(), refusals[0].status), (1, 409));
    assert!(!refusals[0].because.is_empty() && !refusals[0].url.contains("v4.local"), "{refusals:?}");
}
