//! Access tokens: whose, for what, how long, and how soon they stop.

use std::time::Duration;

use lectern_host::ports::TokenResource;
use lectern_host::records::Role;

use crate::doors::Door;
use crate::people::Person;
use crate::world::World;

#[tokio::test]
async fn a_token_opens_the_file_it_was_made_for_and_no_other() {
    let world = World::with_file("one.docx", b"one").await;
    world.neighbour().writes("two.docx", b"two");
    let alice = world.alice().await;
    let (one, two) = (alice.opens("one.docx").await, alice.opens("two.docx").await);
    for below in ["", "/contents", "/ancestry"] {
        two.get(below).await.ok();
        two.with_token(&one.token).get(below).await.answered(401);
    }
    two.with_token(&one.token).post("", "LOCK").under("A").await.answered(401);
}

#[tokio::test]
async fn what_is_no_token_is_one_and_the_same_refusal() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    let damaged = format!("{}x", &file.token[..file.token.len() - 1]);
    let long = "x".repeat(5000);
    for token in ["", "INVALID", "v4.local.", &damaged, &long, "%00"] {
        let refused = file.with_token(token).get("").await.answered(401);
        assert!(refused.body.is_empty() && refused.header("X-WOPI-ServerError").is_none(), "{refused:?}");
    }
}

#[tokio::test]
async fn a_token_runs_out_at_the_exact_millisecond() {
    let world = World::with_file("report.docx", b"first").await;
    let alice = world.alice().await;
    let file = alice.opens("report.docx").await;
    world.passes(alice.token_lifetime() - Duration::from_millis(1));
    file.check_file_info().await.ok();
    world.passes(Duration::from_millis(1));
    file.check_file_info().await.answered(401);
    assert_eq!(Person::signs_in(&world, alice.user).await.opens("report.docx").await.bytes().await, b"first");
}

#[tokio::test]
async fn the_end_of_a_session_is_felt_by_the_very_next_request() {
    let world = World::with_file("report.docx", b"first").await;
    let alice = world.alice().await;
    let elsewhere = Person::signs_in(&world, alice.user.clone()).await;
    let (here, there) = (alice.opens("report.docx").await, elsewhere.opens("report.docx").await);
    here.lock("A").await.ok();
    alice.signs_out().await;
    here.check_file_info().await.answered(401);
    here.put_file(b"second").under("A").await.answered(401);
    there.put_file(b"second").under("A").await.ok();
    world.restarts().await;
    here.check_file_info().await.answered(401);
    there.check_file_info().await.ok();
}

#[tokio::test]
async fn tokens_that_were_derived_end_with_the_session_too() {
    let world = World::with_file("report.docx", b"first").await;
    let alice = world.alice().await;
    let root = alice.root().await;
    let file = root.opens("report.docx").await;
    alice.signs_out().await;
    root.check_container_info().await.answered(401);
    file.check_file_info().await.answered(401);
}

#[tokio::test]
async fn somebody_who_is_shut_out_stays_out_until_let_in_again() {
    let world = World::with_file("report.docx", b"first").await;
    let alice = world.alice().await;
    let file = alice.opens("report.docx").await;
    alice.is_shut_out(true).await;
    file.check_file_info().await.answered(401);
    alice.is_shut_out(false).await;
    file.check_file_info().await.ok();
}

#[tokio::test]
async fn a_role_that_is_taken_away_is_felt_by_the_very_next_request() {
    let world = World::with_file("report.docx", b"first").await;
    let alice = world.alice().await;
    let file = alice.opens("report.docx").await;
    file.lock("A").await.ok();
    alice.becomes(Role::Viewer).await;
    file.put_file(b"second").under("A").await.answered(404);
    assert_eq!(file.info().await["UserCanWrite"], false);
    assert_eq!(file.bytes().await, b"first");
    alice.becomes(Role::Administrator).await;
    file.put_file(b"second").under("A").await.ok();
}

/// 404, as for a file that is not there (protocol/files.md 3, rule 10).
#[tokio::test]
async fn neither_a_viewer_nor_a_token_for_viewing_changes_anything() {
    let world = World::with_file("report.docx", b"first").await;
    let (alice, vera) = (world.alice().await, world.vera().await);
    for file in [vera.opens("report.docx").await, alice.views("report.docx").await] {
        for question in [
            file.lock("A"),
            file.refresh_lock("A"),
            file.unlock("A"),
            file.unlock_and_relock("A", "B"),
            file.put_file(b"second"),
            file.rename("minutes"),
            file.delete(),
        ] {
            question.await.answered(404);
        }
        file.get_lock().await.holds("");
        assert_eq!(file.bytes().await, b"first");
    }
    assert_eq!(world.neighbour().lists(""), ["report.docx"]);
}

#[tokio::test]
async fn a_token_may_come_in_the_query_in_the_header_or_in_both() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    for file in [file.clone(), file.through(Door::token_in_header_only), file.through(Door::token_in_both)] {
        assert_eq!(file.bytes().await, b"first");
        file.lock("A").await.ok();
    }
}

/// Clients sign the one in the query, so that one counts.
#[tokio::test]
async fn of_two_tokens_the_one_in_the_query_counts() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    let header = |token: &str| format!("Bearer {token}");
    file.check_file_info().with("Authorization", header("nonsense")).await.ok();
    let stranger = file.with_token("nonsense");
    stranger.get("").with("Authorization", header(&file.token)).await.answered(401);
    // An empty one is none.
    file.with_token("").get("").with("Authorization", header(&file.token)).await.ok();
}

#[tokio::test]
async fn a_good_token_for_something_that_never_was_finds_nothing() {
    let world = World::new().await;
    let alice = world.alice().await;
    let id = wopi::FileId::parse("nothing").unwrap();
    let token = alice.token_for(&TokenResource::File(id), true, None);
    Door::new(&world, "https://docs.example/wopi/files/nothing", &token).get("").await.answered(404);
}

/// What the operator reads of a refusal: why, the URL and time that we computed, and never the token.
#[tokio::test]
async fn each_refusal_is_remembered_with_its_reason_and_without_its_token() {
    let world = World::with_file("one.docx", b"one").await;
    world.neighbour().writes("two.docx", b"two");
    let alice = world.alice().await;
    let (one, two) = (alice.opens("one.docx").await, alice.opens("two.docx").await);
    two.with_token(&one.token).get("").with("X-WOPI-CorrelationId", "c-1").await.answered(401);
    alice.signs_out().await;
    two.check_file_info().await.answered(401);
    let told = world.host().refusals().await.unwrap();
    assert_eq!(told.len(), 2);
    assert!(told[0].because.contains("session"), "{:?}", told[0]);
    assert!(told[1].because.contains("not made here for this resource"), "{:?}", told[1]);
    assert_eq!(told[1].correlation_id, "c-1");
    for refusal in told {
        assert_eq!((refusal.status, refusal.at.0), (401, world.now_ms()));
        assert!(refusal.url.starts_with(&two.address()), "{}", refusal.url);
        assert!(!refusal.url.contains(&one.token) && !refusal.url.contains(&two.token), "{}", refusal.url);
    }
}
