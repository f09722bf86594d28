//! Who holds a file, and how it is released.

use std::time::Duration;

use lectern_host::desk::{HeldBy, Why};
use lectern_host::records::Role;

use super::{at, file, uploads, why};
use crate::world::{PLAIN_CLIENT, World};

#[tokio::test]
async fn everybody_sees_who_holds_a_file_since_when_and_through_which_client() {
    let world = World::with_file("a.docx", b"a").await;
    let (alice, vera) = (world.alice().await, world.vera().await);
    let id = file(&world, "a.docx").await;
    assert_eq!(at!(world, vera, holders(&id)).unwrap(), []);
    let since = world.now_ms();
    let open = alice.opens("a.docx").await;
    open.lock("A").await.ok();
    world.passes(Duration::from_secs(60));
    open.refresh_lock("A").await.ok();
    let holders = at!(world, vera, holders(&id)).unwrap();
    assert_eq!(holders.len(), 1);
    assert_eq!((&holders[0].user, holders[0].shown_as.as_deref()), (&alice.user.id, Some("Alice")));
    assert_eq!((holders[0].since.0, holders[0].client.as_deref()), (since, Some(PLAIN_CLIENT)));
    assert_eq!((holders[0].by, holders[0].expires_at.0), (HeldBy::Lock, since + 60_000 + 30 * 60_000));
    world.passes(Duration::from_secs(30 * 60));
    assert_eq!(at!(world, vera, holders(&id)).unwrap(), []);
}

#[tokio::test]
async fn owners_and_administrators_release_a_file_and_a_late_save_is_kept_for_its_author() {
    let world = World::with_file("a.docx", b"a").await;
    let (alice, bob) = (world.alice().await, world.bob().await);
    let id = file(&world, "a.docx").await;
    let open = alice.opens("a.docx").await;
    open.lock("A").await.ok();
    assert_eq!(why(at!(world, bob, release(&id))), Why::NotAllowed);
    bob.becomes(Role::Administrator).await;
    at!(world, bob, release(&id)).unwrap();
    assert_eq!(at!(world, bob, holders(&id)).unwrap(), []);
    open.put_file(b"late").under("A").await.refused_with("");
    assert_eq!(world.rescued().await.into_iter().map(|(_, bytes)| bytes).collect::<Vec<_>>(), [b"late"]);

    let own = uploads(&world, &alice, "", "own.docx", "x").await;
    bob.becomes(Role::Editor).await;
    bob.opens("own.docx").await.lock("B").await.ok();
    assert_eq!(why(at!(world, bob, release(&own))), Why::NotAllowed);
    at!(world, alice, release(&own)).unwrap();
    alice.becomes(Role::Viewer).await;
    bob.opens("own.docx").await.lock("B").await.ok();
    assert_eq!(why(at!(world, alice, release(&own))), Why::NotAllowed);
}
