//! What is shared with people and groups, and that taking it back works at the next request.

use lectern_host::access::Right;
use lectern_host::clients::Wanted;
use lectern_host::desk::{Entry, IfTaken, Order, Why};
use lectern_host::full;
use lectern_host::records::Role;
use lectern_host::sharing::{Item, Principal};
use wopi::action_url::ActionUrlFacts;

use super::{at, container, downloads, file, opened, uploads, why};
use crate::doubles::{discovery, key};
use crate::people::Person;
use crate::world::{SIGNING_CLIENT, World};

/// An administrator, and somebody who sees only what is shared with them.
async fn admin_and_member(world: &World) -> (Person, Person) {
    let (admin, member) = (world.alice().await, world.bob().await);
    admin.becomes(Role::Administrator).await;
    member.becomes(Role::Member).await;
    (admin, member)
}

fn user(person: &Person) -> Principal {
    Principal::User(person.user.id.clone())
}

#[tokio::test]
async fn a_member_sees_what_was_shared_and_nothing_else() {
    let world = World::with_file("a.docx", b"a").await;
    world.neighbour().makes_folder("in");
    world.neighbour().writes("in/b.docx", b"b");
    let (admin, bob) = admin_and_member(&world).await;
    let (root, inner) = (container(&world, "").await, container(&world, "in").await);
    let (a, b) = (file(&world, "a.docx").await, file(&world, "in/b.docx").await);
    for denied in [
        why(at!(world, bob, root())),
        why(at!(world, bob, list(&root, Order::default(), None, 9))),
        why(at!(world, bob, download(&a, None))),
        why(at!(world, bob, file_entry(&b))),
        why(at!(world, bob, editor_token(&a, None, true))),
    ] {
        assert_eq!(denied, Why::NotFound);
    }
    assert_eq!(at!(world, bob, shared_with_me()).unwrap(), []);
    assert_eq!(at!(world, bob, search("docx", None, 0)).unwrap().finds, []);
    // A token that somebody made all the same opens nothing.
    bob.opens("a.docx").await.check_file_info().await.answered(404);
    bob.opens("a.docx").await.get_file().await.answered(404);
    bob.ecosystem().check().await.ok();
    bob.ecosystem().root().await.answered(404);

    at!(world, admin, share(&Item::Container(inner.clone()), &user(&bob), Right::View)).unwrap();
    let with_me = at!(world, bob, shared_with_me()).unwrap();
    assert!(matches!(&with_me[..], [(Entry::Container(step), Right::View)] if step.id == inner));
    let listing = at!(world, bob, list(&inner, Order::default(), None, 9)).unwrap();
    assert_eq!((listing.way.len(), listing.right, listing.entries.len()), (0, Right::View, 1));
    assert_eq!(downloads(&world, &bob, &b).await, "b");
    assert_eq!(at!(world, bob, search("docx", None, 0)).unwrap().finds.len(), 1);
    assert_eq!(at!(world, bob, way_to(&b)).unwrap().len(), 1);
    assert_eq!(why(at!(world, bob, upload(&inner, "c.docx", full("c"), IfTaken::Refuse))), Why::NotAllowed);
    let open = bob.opens("in/b.docx").await;
    assert_eq!(open.info().await["UserCanWrite"], false);
    let ancestors = open.ancestors().await.ok().json();
    assert_eq!(ancestors["AncestorsWithRootFirst"].as_array().unwrap().len(), 1);
    assert_eq!(why(at!(world, bob, file_entry(&a))), Why::NotFound);

    at!(world, admin, share(&Item::Container(inner.clone()), &user(&bob), Right::Edit)).unwrap();
    assert_eq!(open.info().await["UserCanWrite"], true);
    open.lock("B").await.ok();
    open.put_file(b"new").under("B").await.ok();
    open.put_near("c.docx", b"c").await.ok();
    uploads(&world, &bob, "in", "d.docx", "d").await;

    at!(world, admin, unshare(&Item::Container(inner.clone()), &user(&bob))).unwrap();
    open.put_file(b"newer").under("B").await.answered(404);
    open.check_file_info().await.answered(404);
    assert_eq!(why(at!(world, bob, list(&inner, Order::default(), None, 9))), Why::NotFound);
    assert_eq!(at!(world, bob, shared_with_me()).unwrap(), []);
    assert_eq!(world.neighbour().sees("in/b.docx"), b"new");
}

#[tokio::test]
async fn who_may_change_one_file_makes_no_other_beside_it() {
    let world = World::with_file("a.docx", b"a").await;
    let (admin, bob) = admin_and_member(&world).await;
    let a = file(&world, "a.docx").await;
    at!(world, admin, share(&Item::File(a.clone()), &user(&bob), Right::Edit)).unwrap();
    let open = bob.opens("a.docx").await;
    let info = open.info().await;
    assert_eq!((&info["UserCanWrite"], &info["UserCanNotWriteRelative"]), (&true.into(), &true.into()));
    open.put_near("b.docx", b"b").await.answered(501);
    open.lock("B").await.ok();
    open.put_file(b"new").under("B").await.ok();
    open.unlock("B").await.ok();
    open.rename("c").await.ok();
    assert_eq!(world.neighbour().sees("c.docx"), b"new");
    // Restarting loses nothing of it.
    world.restarts().await;
    assert_eq!(at!(world, bob, file_entry(&a)).unwrap().1, Right::Edit);
}

#[tokio::test]
async fn a_group_shares_with_everybody_in_it_and_with_nobody_who_left() {
    let world = World::with_file("a.docx", b"a").await;
    let (admin, bob) = admin_and_member(&world).await;
    let a = file(&world, "a.docx").await;
    let item = Item::File(a.clone());
    let group = at!(world, admin, add_group("Verwaltung")).unwrap();
    at!(world, admin, share(&item, &Principal::Group(group.id.clone()), Right::View)).unwrap();
    assert_eq!(why(at!(world, bob, file_entry(&a))), Why::NotFound);
    at!(world, admin, set_member(&group.id, &bob.user.id, true)).unwrap();
    assert_eq!(downloads(&world, &bob, &a).await, "a");
    assert_eq!(at!(world, bob, shared_with_me()).unwrap().len(), 1);
    at!(world, admin, share(&item, &user(&bob), Right::Edit)).unwrap();
    assert_eq!(at!(world, bob, file_entry(&a)).unwrap().1, Right::Edit);
    assert_eq!(at!(world, bob, shared_with_me()).unwrap().len(), 1);
    at!(world, bob, unshare(&item, &user(&bob))).unwrap();
    assert_eq!(at!(world, bob, file_entry(&a)).unwrap().1, Right::View);
    at!(world, admin, remove_group(&group.id)).unwrap();
    assert_eq!(why(at!(world, bob, file_entry(&a))), Why::NotFound);
}

#[tokio::test]
async fn owners_share_and_see_with_whom_and_others_do_not() {
    let world = World::with_file("a.docx", b"a").await;
    world.neighbour().makes_folder("in");
    let (admin, bob) = admin_and_member(&world).await;
    let vera = world.vera().await;
    vera.becomes(Role::Editor).await;
    let (inner, a) = (container(&world, "in").await, file(&world, "a.docx").await);
    let own = uploads(&world, &vera, "in", "own.docx", "x").await;
    // An editor owns what they made, and nothing else.
    assert_eq!(why(at!(world, vera, share(&Item::File(a.clone()), &user(&bob), Right::View))), Why::NotAllowed);
    at!(world, vera, share(&Item::File(own.clone()), &user(&bob), Right::Comment)).unwrap();
    at!(world, admin, share(&Item::Container(inner.clone()), &user(&vera), Right::Own)).unwrap();
    let shared = at!(world, vera, shared_with(&Item::File(own.clone()))).unwrap();
    let told: Vec<_> = shared.grants.iter().map(|s| (s.shown_as.as_str(), s.right, s.from.is_some())).collect();
    assert_eq!(told, [("Bob", Right::Comment, false), ("Vera", Right::Own, true)]);
    at!(world, vera, share(&Item::Container(inner), &user(&bob), Right::Own)).unwrap();
    let nobody = Principal::User(wopi::UserId::parse("nobody").unwrap());
    assert_eq!(why(at!(world, admin, share(&Item::File(a.clone()), &nobody, Right::View))), Why::NotFound);
    assert_eq!(why(at!(world, bob, shared_with(&Item::File(a.clone())))), Why::NotFound);
    let found = at!(world, admin, whom_to_share_with(&Item::File(a), "be")).unwrap();
    assert_eq!(found, []);
    let found = at!(world, vera, whom_to_share_with(&Item::File(own), "BO")).unwrap();
    assert_eq!(found, [(user(&bob), "Bob".to_owned())]);
}

#[tokio::test]
async fn a_comment_is_taken_only_through_a_client_that_proves_itself() {
    let world = World::planned(|plan| plan.add_signing_client(Some(discovery(Some(key(0)), None)))).await;
    world.neighbour().writes("a.docx", b"a");
    let (admin, bob) = admin_and_member(&world).await;
    let a = file(&world, "a.docx").await;
    at!(world, admin, share(&Item::File(a.clone()), &user(&bob), Right::Comment)).unwrap();
    let facts = ActionUrlFacts::new("");
    let plain = at!(world, bob, open_editor(&a, Some("collabora"), Wanted::Edit, &facts)).unwrap();
    let open = opened(&world, &a, &plain.token.access_token);
    let info = open.info().await;
    assert_eq!((&info["UserCanOnlyComment"], &info["ReadOnly"]), (&serde_json::Value::Null, &true.into()));
    open.lock("B").await.answered(404);
    let signed = at!(world, bob, open_editor(&a, Some(SIGNING_CLIENT), Wanted::Edit, &facts)).unwrap();
    let open = opened(&world, &a, &signed.token.access_token).through(|door| door.signed_with(key(0), key(0)));
    let info = open.info().await;
    assert_eq!((&info["UserCanOnlyComment"], &info["UserCanWrite"]), (&true.into(), &false.into()));
    assert_eq!((&info["ReadOnly"], &info["UserCanRename"]), (&false.into(), &false.into()));
    open.lock("B").await.ok();
    open.put_file(b"commented").under("B").await.ok();
    open.unlock("B").await.ok();
    open.rename("b").await.answered(404);
    open.delete().await.answered(404);
    open.put_near("b.docx", b"b").await.answered(501);
}
