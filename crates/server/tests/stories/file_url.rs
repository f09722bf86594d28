//! `FileUrl`: the bytes of a file by an address of its own, unsigned and without any other token.

use http::Method;

use crate::doors::{Door, Question};
use crate::doubles::{discovery, key};
use crate::people::Person;
use crate::world::{SIGNING_CLIENT, World};

async fn world_with_file_url() -> World {
    let world = World::planned(|plan| plan.settings.file_url = true).await;
    world.neighbour().writes("digits.txt", b"0123456789");
    world
}

async fn file_url(person: &Person) -> String {
    let info = person.opens("digits.txt").await.info().await;
    info["FileUrl"].as_str().expect("a FileUrl").to_owned()
}

/// A request with nothing but the address, as clients send it.
fn fetch(world: &World, url: &str) -> Question {
    Door::new(world, url, "").without_token().get("")
}

#[tokio::test]
async fn the_address_gives_the_bytes_that_are_true_now() {
    let world = world_with_file_url().await;
    let alice = world.alice().await;
    let (file, url) = (alice.opens("digits.txt").await, file_url(&alice).await);
    let answer = fetch(&world, &url).await.ok();
    assert_eq!(&*answer.body, b"0123456789");
    assert_eq!(answer.header("Content-Type"), Some("application/octet-stream"));
    assert_eq!(answer.header("Content-Disposition"), Some("attachment"));
    file.saves(b"saved since").await;
    assert_eq!(&*fetch(&world, &url).await.ok().body, b"saved since");
    world.neighbour().replaces("digits.txt", b"and replaced");
    assert_eq!(&*fetch(&world, &url).await.ok().body, b"and replaced");
    file.rename("figures").await.ok();
    assert_eq!(&*fetch(&world, &url).await.ok().body, b"and replaced");
}

#[tokio::test]
async fn it_is_read_in_parts_and_looked_at_but_not_written() {
    let world = world_with_file_url().await;
    let url = file_url(&world.alice().await).await;
    let part = fetch(&world, &url).with("Range", "bytes=2-4").await.answered(206);
    assert_eq!((&*part.body, part.header("Content-Range")), (&b"234"[..], Some("bytes 2-4/10")));
    fetch(&world, &url).with("Range", "bytes=10-").await.answered(416);
    let head = fetch(&world, &url).method(Method::HEAD).await.ok();
    assert!(head.body.is_empty());
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        fetch(&world, &url).method(method).body(b"mine").await.answered(501);
    }
    assert_eq!(world.neighbour().sees("digits.txt"), b"0123456789");
}

#[tokio::test]
async fn it_stops_with_the_session_and_with_the_token() {
    let world = world_with_file_url().await;
    let (alice, vera) = (world.alice().await, world.vera().await);
    let (hers, theirs) = (file_url(&alice).await, file_url(&vera).await);
    fetch(&world, &hers).await.ok();
    alice.signs_out().await;
    fetch(&world, &hers).await.answered(401);
    fetch(&world, &theirs).await.ok();
    world.passes(vera.token_lifetime());
    fetch(&world, &theirs).await.answered(401);
}

#[tokio::test]
async fn its_token_opens_this_address_and_nothing_else() {
    let world = world_with_file_url().await;
    world.neighbour().writes("other.txt", b"other");
    let alice = world.alice().await;
    let (file, url) = (alice.opens("digits.txt").await, file_url(&alice).await);
    let other = alice.opens("other.txt").await;
    let token = url.rsplit('/').next().unwrap();
    file.with_token(token).get("").await.answered(401);
    fetch(&world, &url.replace(file.id(), other.id())).await.answered(401);
    fetch(&world, &url.replace(token, &file.token)).await.answered(401);
    fetch(&world, &url.replace(token, "nonsense")).await.answered(401);
    fetch(&world, &format!("https://docs.example/file/{}/{token}", "x".repeat(500))).await.answered(404);
    file.delete().await.ok();
    fetch(&world, &url).await.answered(404);
}

/// Clients do not sign it (protocol/clients.md 2.5).
#[tokio::test]
async fn a_client_that_signs_everything_else_fetches_it_unsigned() {
    let world = World::planned(|plan| {
        plan.settings.file_url = true;
        plan.add_signing_client(Some(discovery(Some(key(0)), None)));
    })
    .await;
    world.neighbour().writes("digits.txt", b"0123456789");
    let file = world.alice().await.opens_in(Some(SIGNING_CLIENT), "digits.txt").await;
    let info = file.through(|door| door.signed_with(key(0), key(0))).info().await;
    fetch(&world, info["FileUrl"].as_str().unwrap()).await.ok();
}

#[tokio::test]
async fn behind_a_path_it_works_with_and_without_the_path() {
    for strips in ["", "/lectern"] {
        let world = World::planned(|plan| {
            plan.settings = lectern_host::HostSettings::new("https://example.org/lectern");
            plan.settings.file_url = true;
            plan.proxy_strips = strips;
        })
        .await;
        world.neighbour().writes("digits.txt", b"0123456789");
        let url = file_url(&world.alice().await).await;
        assert!(url.starts_with("https://example.org/lectern/file/"), "{url}");
        assert_eq!(&*fetch(&world, &url).await.ok().body, b"0123456789");
    }
}

#[tokio::test]
async fn where_it_is_not_offered_it_is_neither_told_nor_served() {
    let world = World::with_file("digits.txt", b"0123456789").await;
    let alice = world.alice().await;
    let file = alice.opens("digits.txt").await;
    assert!(file.info().await.get("FileUrl").is_none());
    let resource = lectern_host::ports::TokenResource::FileUrl(file.file_id());
    let token = alice.token_for(&resource, true, None);
    fetch(&world, &format!("https://docs.example/file/{}/{token}", file.id())).await.answered(404);
}
