//! Guests come by a link, under a name, and are out when the link ends.

use std::time::Duration;

use lectern_host::access::Right;
use lectern_host::clients::Wanted;
use lectern_host::desk::{Denied, Entry, IfTaken, LinkSecret, NameFault, NewLink, Order, Why};
use lectern_host::full;
use lectern_host::records::{Role, SessionId, Timestamp};
use lectern_host::sharing::{Item, LinkId};
use wopi::action_url::ActionUrlFacts;

use super::{at, container, file, opened, why};
use crate::people::Person;
use crate::world::World;

const HOUR: Duration = Duration::from_secs(60 * 60);

struct Visitor(SessionId);

impl Visitor {
    fn session(&self) -> &SessionId {
        &self.0
    }
}

async fn comes_by(world: &World, secret: &LinkSecret, name: &str) -> Result<Visitor, Denied> {
    let host = world.host();
    let offer = host.link_offer(&secret.0).await?;
    Ok(Visitor(host.enter_by_link(&offer, name, HOUR).await?.id))
}

async fn admin(world: &World) -> Person {
    let alice = world.alice().await;
    alice.becomes(Role::Administrator).await;
    alice
}

async fn link(world: &World, admin: &Person, item: &Item, wanted: NewLink) -> (LinkId, LinkSecret) {
    at!(world, admin, new_link(item, &wanted)).unwrap()
}

fn editing() -> NewLink {
    NewLink { edits: true, label: "Runde".to_owned(), ..NewLink::default() }
}

#[tokio::test]
async fn a_guest_edits_under_their_name_until_the_link_is_revoked() {
    let world = World::with_file("a.docx", b"a").await;
    world.neighbour().writes("other.docx", b"other");
    let alice = admin(&world).await;
    let (a, other) = (file(&world, "a.docx").await, file(&world, "other.docx").await);
    let (id, secret) = link(&world, &alice, &Item::File(a.clone()), editing()).await;
    assert!(secret.0.len() == 52 && !format!("{secret:?}").contains(&secret.0));
    let guest = comes_by(&world, &secret, " Gäste\u{7}frau ").await.unwrap();
    let with_me = at!(world, guest, shared_with_me()).unwrap();
    assert!(matches!(&with_me[..], [(Entry::File(file), Right::Edit)] if file.id == a));
    assert_eq!(why(at!(world, guest, file_entry(&other))), Why::NotFound);
    assert_eq!(why(at!(world, guest, root())), Why::NotFound);
    for denied in [
        why(at!(world, guest, shared_with(&Item::File(a.clone())))),
        why(at!(world, guest, release(&a))),
        why(at!(world, guest, accounts())),
    ] {
        assert_eq!(denied, Why::NotAllowed);
    }
    let editor = at!(world, guest, open_editor(&a, None, Wanted::Edit, &ActionUrlFacts::new(""))).unwrap();
    let open = opened(&world, &a, &editor.token.access_token);
    let info = open.info().await;
    assert_eq!((&info["IsAnonymousUser"], &info["UserFriendlyName"]), (&true.into(), &"Gästefrau".into()));
    assert_eq!((&info["UserCanWrite"], &info["UserCanNotWriteRelative"]), (&true.into(), &true.into()));
    open.post("", "PUT_USER_INFO").body(b"x").await.ok();
    open.lock("G").await.ok();
    open.put_file(b"by a guest").under("G").await.ok();
    let holders = at!(world, alice, holders(&a)).unwrap();
    assert_eq!(holders[0].shown_as.as_deref(), Some("Gästefrau"));
    assert_eq!(alice.opens("a.docx").await.info().await["IsAnonymousUser"], false);

    let links = at!(world, alice, shared_with(&Item::File(a.clone()))).unwrap().links;
    assert_eq!((links.len(), &links[0].id, links[0].label.as_str(), links[0].edits), (1, &id, "Runde", true));
    at!(world, alice, revoke_link(&id)).unwrap();
    open.put_file(b"too late").under("G").await.answered(401);
    open.check_file_info().await.answered(401);
    assert_eq!(why(at!(world, guest, file_entry(&a))), Why::SignedOut);
    assert_eq!(why(comes_by(&world, &secret, "x").await), Why::NotFound);
    assert_eq!(at!(world, alice, shared_with(&Item::File(a.clone()))).unwrap().links, []);
    assert_eq!(world.neighbour().sees("a.docx"), b"by a guest");
}

#[tokio::test]
async fn a_link_to_a_container_shows_what_is_in_it_and_changes_nothing() {
    let world = World::new().await;
    world.neighbour().makes_folder("in");
    world.neighbour().writes("in/a.docx", b"a");
    let alice = admin(&world).await;
    let inner = container(&world, "in").await;
    let viewing = NewLink { password: Some("$hash".to_owned()), ..NewLink::default() };
    let (_, secret) = link(&world, &alice, &Item::Container(inner.clone()), viewing).await;
    let offer = world.host().link_offer(&secret.0).await.unwrap();
    assert_eq!((offer.password(), offer.edits()), (Some("$hash"), false));
    let guest = comes_by(&world, &secret, "G").await.unwrap();
    let listing = at!(world, guest, list(&inner, Order::default(), None, 9)).unwrap();
    assert_eq!((listing.entries.len(), listing.way.len(), listing.right), (1, 0, Right::View));
    let a = file(&world, "in/a.docx").await;
    assert_eq!(at!(world, guest, way_to(&a)).unwrap().len(), 1);
    assert_eq!(why(at!(world, guest, upload(&inner, "b", full("b"), IfTaken::Refuse))), Why::NotAllowed);
    let token = at!(world, guest, editor_token(&a, None, true)).unwrap();
    assert!(!token.may_edit);
    let open = opened(&world, &a, &token.access_token);
    assert_eq!(open.info().await["UserCanWrite"], false);
    open.put_file(b"x").await.answered(404);
    let links = at!(world, alice, shared_with(&Item::File(a.clone()))).unwrap().links;
    assert_eq!((links.len(), links[0].has_password, links[0].from.is_some()), (1, true, true));
}

#[tokio::test]
async fn a_link_ends_at_its_time_with_everything_that_hangs_on_it() {
    let world = World::with_file("a.docx", b"a").await;
    let alice = admin(&world).await;
    let a = file(&world, "a.docx").await;
    let end = Timestamp(world.now_ms() + 60_000);
    let (_, secret) =
        link(&world, &alice, &Item::File(a.clone()), NewLink { expires_at: Some(end), ..editing() }).await;
    let guest = comes_by(&world, &secret, "G").await.unwrap();
    let token = at!(world, guest, editor_token(&a, None, true)).unwrap();
    assert_eq!(token.expires_at, end);
    world.passes(Duration::from_millis(59_999));
    opened(&world, &a, &token.access_token).check_file_info().await.ok();
    at!(world, guest, file_entry(&a)).unwrap();
    world.passes(Duration::from_millis(1));
    opened(&world, &a, &token.access_token).check_file_info().await.answered(401);
    assert_eq!(why(at!(world, guest, file_entry(&a))), Why::SignedOut);
    assert_eq!(why(comes_by(&world, &secret, "x").await), Why::NotFound);
}

#[tokio::test]
async fn what_is_no_secret_and_no_name_is_refused() {
    let world = World::with_file("a.docx", b"a").await;
    let alice = admin(&world).await;
    let a = file(&world, "a.docx").await;
    let (id, secret) = link(&world, &alice, &Item::File(a.clone()), editing()).await;
    for text in ["", "x", id.as_str(), &"a".repeat(52), &"a".repeat(1000)] {
        assert_eq!(why(comes_by(&world, &LinkSecret(text.to_owned()), "G").await), Why::NotFound, "{text}");
    }
    assert_eq!(why(comes_by(&world, &secret, " \u{7} ").await), Why::Name(NameFault::Empty));
    let bob = world.bob().await;
    assert_eq!(why(at!(world, bob, new_link(&Item::File(a.clone()), &editing()))), Why::NotAllowed);
    assert_eq!(why(at!(world, bob, revoke_link(&id))), Why::NotAllowed);
    alice.opens("a.docx").await.delete().await.ok();
    assert_eq!(why(comes_by(&world, &secret, "G").await), Why::NotFound);
}
