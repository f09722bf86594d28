//! The bootstrapper: where an OAuth token becomes WOPI tokens.

use std::time::Duration;

use http::Method;
use serde_json::json;

use crate::doors::{Container, Door, File, Question};
use crate::world::World;

fn ask(bootstrapper: &Door, operation: &str) -> Question {
    bootstrapper.question(Method::POST, "").with("X-WOPI-EcosystemOperation", operation)
}

#[tokio::test]
async fn whoever_shows_no_good_token_is_told_where_to_get_one() {
    let world = World::planned(|plan| {
        let bootstrapper = &mut plan.settings.bootstrapper;
        bootstrapper.authorization_uri = Some("https://login.example/authorize".to_owned());
        bootstrapper.token_issuance_uri = Some("https://login.example/token".to_owned());
        bootstrapper.provider_id = Some("tp_example".to_owned());
    })
    .await;
    let alice = world.alice().await;
    let bootstrapper = alice.bootstrapper();
    let challenge = r#"Bearer authorization_uri="https://login.example/authorize",tokenIssuance_uri="https://login.example/token",providerId="tp_example""#;
    let another = alice.ecosystem();
    for stranger in [bootstrapper.with_token("nonsense"), bootstrapper.with_token(&another.token)] {
        for question in [stranger.get(""), ask(&stranger, "GET_ROOT_CONTAINER")] {
            let refused = question.await.answered(401);
            assert_eq!(refused.header("WWW-Authenticate"), Some(challenge));
        }
    }
    another.with_token("nonsense").get("").await.answered(401);
    alice.signs_out().await;
    assert_eq!(bootstrapper.get("").await.answered(401).header("WWW-Authenticate"), Some(challenge));
}

#[tokio::test]
async fn without_an_oauth_server_the_challenge_says_only_what_kind_of_token_it_is() {
    let world = World::new().await;
    let stranger = world.alice().await.bootstrapper().with_token("nonsense");
    assert_eq!(stranger.get("").await.answered(401).header("WWW-Authenticate"), Some("Bearer"));
}

#[tokio::test]
async fn other_refusals_challenge_nobody() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    assert_eq!(file.with_token("nonsense").get("").await.answered(401).header("WWW-Authenticate"), None);
}

#[tokio::test]
async fn bootstrap_says_who_somebody_is_and_where_the_ecosystem_is() {
    let world = World::with_file("report.docx", b"first").await;
    let alice = world.alice().await;
    let told = alice.bootstrapper().get("").await.ok();
    assert_eq!(told.text("/Bootstrap/UserId"), alice.user.id.as_str());
    assert_eq!(
        (told.text("/Bootstrap/SignInName"), told.text("/Bootstrap/UserFriendlyName")),
        ("alice".to_owned(), "Alice".to_owned())
    );
    let ecosystem = Door::at(&world, &told.text("/Bootstrap/EcosystemUrl"));
    assert_eq!(ecosystem.get("").await.ok().json(), json!({ "SupportsContainers": true }));
}

/// As the bootstrapper's document writes it: `Bearer: token`.
#[tokio::test]
async fn a_colon_behind_the_scheme_is_forgiven() {
    let world = World::new().await;
    let bootstrapper = world.alice().await.bootstrapper();
    let plain = Door::new(&world, &bootstrapper.address(), "");
    let token = &bootstrapper.token;
    plain.get("").with("Authorization", format!("Bearer: {token}")).await.ok();
    plain.get("").with("Authorization", format!("bearer {token}")).await.ok();
    plain.get("").with("Authorization", format!("Basic {token}")).await.answered(401);
}

/// The bootstrapper's token comes in the header; one in the URL would stand in other people's logs.
#[tokio::test]
async fn a_token_in_the_url_does_not_count() {
    let world = World::new().await;
    let bootstrapper = world.alice().await.bootstrapper();
    Door::new(&world, &bootstrapper.address(), &bootstrapper.token).get("").await.answered(401);
}

#[tokio::test]
async fn shortcuts_answer_two_questions_at_once() {
    let world = World::with_file("report.docx", b"first").await;
    let alice = world.alice().await;
    let (bootstrapper, file) = (alice.bootstrapper(), alice.opens("report.docx").await);
    let told = ask(&bootstrapper, "GET_ROOT_CONTAINER").await.ok();
    assert_eq!(told.text("/Bootstrap/SignInName"), "alice");
    let root = Container::new(Door::at(&world, &told.text("/RootContainerInfo/ContainerPointer/Url")));
    assert_eq!(root.files().await, ["report.docx"]);

    let question = ask(&bootstrapper, "GET_WOPI_SRC_WITH_ACCESS_TOKEN");
    let told = question.with("X-WOPI-HostNativeFileName", file.address()).await.ok();
    assert_eq!(told.text("/Bootstrap/SignInName"), "alice");
    let found = File::new(Door::at(&world, &told.text("/WopiSrcInfo/Url")));
    assert_eq!((found.address(), found.bytes().await), (file.address(), b"first".to_vec()));
}

#[tokio::test]
async fn a_shortcut_to_what_is_switched_off_is_answered_as_bootstrap() {
    let world = World::planned(|plan| plan.settings.containers = false).await;
    let told = ask(&world.alice().await.bootstrapper(), "GET_ROOT_CONTAINER").await.ok().json();
    assert!(told.get("Bootstrap").is_some() && told.get("RootContainerInfo").is_none(), "{told}");
}

#[tokio::test]
async fn a_new_access_token_is_for_the_file_or_container_that_was_named() {
    let world = World::with_file("report.docx", b"first").await;
    let alice = world.alice().await;
    let (bootstrapper, file, root) = (alice.bootstrapper(), alice.opens("report.docx").await, alice.root().await);
    let new_token = |wopi_src: &str| ask(&bootstrapper, "GET_NEW_ACCESS_TOKEN").with("X-WOPI-WopiSrc", wopi_src);

    let told = new_token(&file.address()).await.ok();
    assert_eq!(told.text("/Bootstrap/SignInName"), "alice");
    let expires_at = told.json()["AccessTokenInfo"]["AccessTokenExpiry"].as_i64().unwrap();
    assert_eq!(expires_at, world.now_ms() + i64::try_from(alice.token_lifetime().as_millis()).unwrap());
    let token = told.text("/AccessTokenInfo/AccessToken");
    file.with_token(&token).get("").await.ok();
    root.with_token(&token).get("").await.answered(401);
    world.passes(alice.token_lifetime() - Duration::from_millis(1));
    file.with_token(&token).get("").await.ok();
    world.passes(Duration::from_millis(1));
    file.with_token(&token).get("").await.answered(401);
}

#[tokio::test]
async fn a_new_access_token_is_only_for_what_is_ours_and_there() {
    let world = World::with_file("report.docx", b"first").await;
    let alice = world.alice().await;
    let (bootstrapper, file, root) = (alice.bootstrapper(), alice.opens("report.docx").await, alice.root().await);
    let new_token = |wopi_src: &str| ask(&bootstrapper, "GET_NEW_ACCESS_TOKEN").with("X-WOPI-WopiSrc", wopi_src);
    let token = new_token(&root.address()).await.ok().text("/AccessTokenInfo/AccessToken");
    root.with_token(&token).get("/children").await.ok();
    new_token("https://evil.example/wopi/files/x").await.answered(404);
    new_token("https://docs.example/wopi/files/nothing").await.answered(404);
    ask(&bootstrapper, "GET_NEW_ACCESS_TOKEN").await.answered(400);
    file.delete().await.ok();
    new_token(&file.address()).await.answered(404);
}
