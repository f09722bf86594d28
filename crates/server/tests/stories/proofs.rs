//! Proofs: a client that signs, keys that change, and those who cannot sign.

use std::time::Duration;

use crate::doors::{Door, File};
use crate::doubles::{discovery, key};
use crate::world::{PLAIN_CLIENT, Plan, SIGNING_CLIENT, SIGNING_DISCOVERY, World};

const MINUTE: Duration = Duration::from_secs(60);
const MINUTE_MS: i64 = 60_000;

/// A world with a client that signs with key 0, and a report.
async fn signing_world() -> World {
    planned(|_| {}).await
}

async fn planned(change: impl FnOnce(&mut Plan)) -> World {
    let world = World::planned(|plan| {
        plan.add_signing_client(Some(discovery(Some(key(0)), None)));
        change(plan);
    })
    .await;
    world.neighbour().writes("report.docx", b"first");
    world
}

/// The report as alice has it open in the client that signs, before anything is signed.
async fn unsigned(world: &World) -> File {
    world.alice().await.opens_in(Some(SIGNING_CLIENT), "report.docx").await
}

fn with_keys(file: &File, current: usize, old: usize) -> File {
    file.through(|door| door.signed_with(key(current), key(old)))
}

#[tokio::test]
async fn a_client_that_publishes_a_key_has_to_sign() {
    let world = signing_world().await;
    let unsigned = unsigned(&world).await;
    let file = with_keys(&unsigned, 0, 0);
    assert_eq!(file.bytes().await, b"first");
    file.saves(b"second").await;
    file.rename("Übersicht").await.ok();
    for (what, stranger) in [
        ("unsigned", unsigned.clone()),
        ("with another key", with_keys(&unsigned, 1, 1)),
        ("too long ago", file.through(|door| door.clock_ahead_by(-21 * MINUTE_MS))),
        ("in the future", file.through(|door| door.clock_ahead_by(6 * MINUTE_MS))),
    ] {
        for question in [stranger.check_file_info(), stranger.get_file(), stranger.lock("A"), stranger.put_file(b"x")] {
            let refused = question.await.answered(500);
            assert_eq!(refused.header("X-WOPI-ServerError"), Some("proof rejected"), "{what}");
        }
    }
    file.get_lock().await.holds("");
    assert_eq!(file.bytes().await, b"second");
}

#[tokio::test]
async fn a_proof_is_good_for_exactly_twenty_minutes() {
    let world = signing_world().await;
    let file = with_keys(&unsigned(&world).await, 0, 0);
    file.through(|door| door.clock_ahead_by(-20 * MINUTE_MS)).check_file_info().await.ok();
    file.through(|door| door.clock_ahead_by(-20 * MINUTE_MS - 1)).check_file_info().await.answered(500);
    file.through(|door| door.clock_ahead_by(5 * MINUTE_MS)).check_file_info().await.ok();
}

/// | `X-WOPI-Proof` by | `X-WOPI-ProofOld` by | we know current, old | |
/// |---|---|---|---|
/// | current | old | both | yes |
/// | current | anything | both | yes |
/// | old | older | both | yes: that machine of the client has not got its new keys yet |
/// | new | current | both | yes: the client has newer keys than we know |
/// | new | old | both | **no** |
#[tokio::test]
async fn the_table_of_proofs_and_keys() {
    let world = planned(|plan| plan.signing_discovery = Some(discovery(Some(key(0)), Some(key(1))))).await;
    let file = unsigned(&world).await;
    // We know 0 as the current key and 1 as the old one; 2 is nobody's.
    for (proof, proof_old, status) in [(0, 1, 200), (0, 2, 200), (1, 2, 200), (2, 0, 200), (2, 1, 500), (2, 2, 500)] {
        let answer = with_keys(&file, proof, proof_old).check_file_info().await;
        assert_eq!(answer.status, status, "{proof} {proof_old}: {answer:?}");
    }
}

#[tokio::test]
async fn the_first_request_with_new_keys_is_let_in() {
    let world = signing_world().await;
    let file = unsigned(&world).await;
    with_keys(&file, 0, 0).check_file_info().await.ok();
    world.passes(MINUTE);
    // The client throws both keys away, as after a reinstallation.
    world.web().publish(SIGNING_DISCOVERY, &discovery(Some(key(1)), None));
    let fetches = world.web().fetches();
    with_keys(&file, 1, 1).lock("A").await.ok();
    assert_eq!(world.web().fetches(), fetches + 1);
    with_keys(&file, 0, 0).check_file_info().await.answered(500);
    assert_eq!(world.web().fetches(), fetches + 1);
    with_keys(&file, 1, 1).put_file(b"second").under("A").await.ok();
}

#[tokio::test]
async fn a_rotation_as_it_is_meant_refuses_nobody_for_a_moment() {
    let world = signing_world().await;
    let file = unsigned(&world).await;
    world.passes(MINUTE);
    world.web().publish(SIGNING_DISCOVERY, &discovery(Some(key(1)), Some(key(0))));
    let fetches = world.web().fetches();
    // New machine of the client, known by its old key; then its old machine, known by the old key of the new document.
    for _ in 0..3 {
        with_keys(&file, 1, 0).check_file_info().await.ok();
        with_keys(&file, 0, 0).check_file_info().await.ok();
    }
    assert_eq!(world.web().fetches(), fetches + 1);
}

#[tokio::test]
async fn a_flood_of_bad_proofs_fetches_once_a_minute_and_no_more() {
    let world = signing_world().await;
    let file = unsigned(&world).await;
    world.passes(MINUTE);
    let before = world.web().fetches();
    for minutes in 1..=3 {
        for _ in 0..20 {
            with_keys(&file, 1, 1).check_file_info().await.answered(500);
            with_keys(&file, 0, 0).check_file_info().await.ok();
            world.passes(Duration::from_secs(2));
        }
        assert_eq!(world.web().fetches() - before, minutes);
        world.passes(Duration::from_secs(20));
    }
}

#[tokio::test]
async fn what_newer_keys_cannot_heal_fetches_nothing() {
    let world = signing_world().await;
    let file = unsigned(&world).await;
    world.passes(MINUTE);
    let before = world.web().fetches();
    file.check_file_info().await.answered(500);
    with_keys(&file, 0, 0).through(|door| door.clock_ahead_by(-30 * MINUTE_MS)).check_file_info().await.answered(500);
    file.check_file_info().with("X-WOPI-Proof", "no base64").with("X-WOPI-TimeStamp", "now").await.answered(500);
    assert_eq!(world.web().fetches(), before);
}

#[tokio::test]
async fn a_client_that_was_never_reached_is_refused_until_it_is() {
    let world = planned(|plan| plan.signing_discovery = None).await;
    let file = with_keys(&unsigned(&world).await, 0, 0);
    file.check_file_info().await.answered(500);
    world.passes(MINUTE);
    file.check_file_info().await.answered(500);
    world.web().publish(SIGNING_DISCOVERY, &discovery(Some(key(0)), None));
    world.passes(MINUTE);
    file.check_file_info().await.ok();
}

/// What was seen once is kept: a start does not wait for the network.
#[tokio::test]
async fn keys_that_were_seen_once_are_known_after_a_restart_without_network() {
    let world = signing_world().await;
    let file = with_keys(&unsigned(&world).await, 0, 0);
    world.web().goes_dark();
    world.restarts().await;
    file.check_file_info().await.ok();
    file.through(|door| door.signed_with(key(1), key(1))).check_file_info().await.answered(500);
}

#[tokio::test]
async fn a_stranger_who_cannot_sign_does_not_even_learn_which_tokens_are_good() {
    let world = signing_world().await;
    let file = unsigned(&world).await;
    file.with_token("nonsense").get("").await.answered(500);
    Door::new(&world, "https://docs.example/wopi/files/nothing", "nonsense").get("").await.answered(500);
    let signed = file.signed_with(key(0), key(0));
    signed.with_token("nonsense").get("").await.answered(401);
}

#[tokio::test]
async fn a_token_for_a_client_that_does_not_sign_needs_no_proof_beside_one_that_does() {
    let world = signing_world().await;
    let alice = world.alice().await;
    alice.opens_in(Some(PLAIN_CLIENT), "report.docx").await.check_file_info().await.ok();
    alice.opens_in(None, "report.docx").await.check_file_info().await.ok();
    let gone = alice.opens_in(Some("removed from the settings"), "report.docx").await;
    with_keys(&gone, 0, 0).check_file_info().await.answered(500);
}

// ── addresses ──

#[tokio::test]
async fn what_is_signed_is_the_address_that_the_outside_uses() {
    for (public_url, strips) in [
        ("https://docs.example", ""),
        ("http://docs.example:8080", ""),
        ("https://example.org/lectern", ""),
        ("https://example.org/lectern", "/lectern"),
        ("https://example.org/office/lectern", "/office/lectern"),
    ] {
        let world = planned(|plan| {
            plan.settings = lectern_host::HostSettings::new(public_url);
            plan.proxy_strips = strips;
        })
        .await;
        let file = with_keys(&unsigned(&world).await, 0, 0);
        assert!(file.address().starts_with(public_url));
        file.saves(b"second").await;
        let copy = file.put_near("copy.docx", b"copy").await.ok().text("/Url");
        assert!(copy.starts_with(&format!("{public_url}/wopi/files/")), "{copy}");
        let copy = File::new(Door::at(&world, &copy).signed_with(key(0), key(0)));
        assert_eq!(copy.bytes().await, b"copy");
    }
}

#[tokio::test]
async fn a_proof_of_one_request_is_none_of_another() {
    let world = signing_world().await;
    world.neighbour().writes("other.docx", b"other");
    let alice = world.alice().await;
    let one = alice.opens_in(Some(SIGNING_CLIENT), "report.docx").await;
    let other = alice.opens_in(Some(SIGNING_CLIENT), "other.docx").await;
    let url = format!("{}?access_token={}", one.address(), one.token);
    let proof = wopi::proof::sign(key(0), key(0), &url, &one.token, world.now_ms()).unwrap();
    let showing = |file: &File, below: &str| {
        proof.pairs().into_iter().fold(file.get(below), |question, (name, value)| question.with(name, value))
    };
    showing(&one, "").await.ok();
    showing(&one, "/contents").await.answered(500);
    showing(&other, "").await.answered(500);
    showing(&one.through(Door::token_in_header_only), "").await.answered(500);
}

/// What the operator reads of a refused proof: the URL and time that we computed.
#[tokio::test]
async fn a_refused_proof_is_remembered_with_what_we_computed() {
    let world = planned(|plan| {
        plan.settings = lectern_host::HostSettings::new("https://example.org/lectern");
        plan.proxy_strips = "/lectern";
    })
    .await;
    let file = unsigned(&world).await;
    with_keys(&file, 1, 1).check_file_info().await.answered(500);
    let told = world.host().refusals().await.unwrap().swap_remove(0);
    assert!(told.because.contains("no signature fits"), "{}", told.because);
    assert!(told.url.starts_with(&file.address()) && !told.url.contains(&file.token), "{}", told.url);
    assert_eq!((told.status, told.at.0), (500, world.now_ms()));
}
