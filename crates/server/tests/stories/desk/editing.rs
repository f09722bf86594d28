//! Pages open files in clients, with tokens that hang on the page's session.

use std::time::Duration;

use lectern_host::clients::Wanted;
use lectern_host::desk::{Offer, Why};
use wopi::action_url::ActionUrlFacts;

use super::{at, file, opened, why};
use crate::world::{PLAIN_CLIENT, World};

fn facts<'a>() -> ActionUrlFacts<'a> {
    ActionUrlFacts { ui_language: Some("de-DE"), ..ActionUrlFacts::new("") }
}

#[tokio::test]
async fn an_editor_opens_with_the_token_that_a_page_was_given() {
    let world = World::with_file("a.docx", b"old").await;
    let alice = world.alice().await;
    let id = file(&world, "a.docx").await;
    let editor = at!(world, alice, open_editor(&id, None, Wanted::Edit, &facts())).unwrap();
    let edit = Offer { client: PLAIN_CLIENT.into(), app: "Word".into(), action: "edit".into(), edits: true };
    assert_eq!(editor.offer, edit);
    assert_eq!(at!(world, alice, offers(&id)).unwrap(), [edit]);
    let wopi_src = format!("https://docs.example/wopi/files/{id}");
    assert_eq!(editor.wopi_src, wopi_src);
    let encoded = wopi_src.replace(':', "%3A").replace('/', "%2F");
    assert_eq!(editor.action_url, format!("https://office.example/we/frame.aspx?WOPISrc={encoded}"));
    assert!(editor.token.may_edit && !editor.action_url.contains(&editor.token.access_token));
    assert!(!format!("{editor:?}").contains(&editor.token.access_token));
    let open = opened(&world, &id, &editor.token.access_token);
    assert_eq!(open.info().await["UserCanWrite"], true);
    open.lock("A").await.ok();
    open.put_file(b"new").under("A").await.ok();
    assert_eq!(world.neighbour().sees("a.docx"), b"new");
    alice.signs_out().await;
    open.put_file(b"newer").under("A").await.answered(401);
}

#[tokio::test]
async fn who_may_not_write_or_only_looks_gets_a_token_that_does_not_either() {
    let world = World::with_file("a.docx", b"old").await;
    let (alice, vera) = (world.alice().await, world.vera().await);
    let id = file(&world, "a.docx").await;
    assert_eq!(at!(world, vera, offers(&id)).unwrap(), []);
    for (person, wanted) in [(&alice, Wanted::View), (&vera, Wanted::Edit), (&vera, Wanted::View)] {
        let editor = at!(world, person, open_editor(&id, Some(PLAIN_CLIENT), wanted, &facts())).unwrap();
        assert!(!editor.token.may_edit);
        let open = opened(&world, &id, &editor.token.access_token);
        assert_eq!(open.info().await["UserCanWrite"], false);
        open.lock("A").await.answered(404);
    }
    assert_eq!(why(at!(world, vera, open_editor(&id, None, Wanted::Convert, &facts()))), Why::NotAllowed);
    assert_eq!(why(at!(world, alice, open_editor(&id, None, Wanted::Convert, &facts()))), Why::NoClient);
    assert_eq!(why(at!(world, alice, open_editor(&id, Some("other"), Wanted::Edit, &facts()))), Why::NoClient);
}

#[tokio::test]
async fn a_token_never_outlives_the_session_of_its_page_and_a_fresh_one_can_be_had() {
    let world = World::with_file("a.docx", b"old").await;
    let alice = world.alice().await;
    let id = file(&world, "a.docx").await;
    let first = at!(world, alice, editor_token(&id, Some(PLAIN_CLIENT), true)).unwrap();
    world.passes(Duration::from_secs(60));
    let second = at!(world, alice, editor_token(&id, None, false)).unwrap();
    assert_eq!(first.expires_at, second.expires_at, "both end with the session");
    assert!(first.may_edit && !second.may_edit);
    assert_eq!(opened(&world, &id, &second.access_token).bytes().await, b"old");
    assert_eq!(why(at!(world, alice, editor_token(&id, Some("other"), true))), Why::NoClient);
}
