//! The first start, passwords, sessions.

use std::time::Duration;

use lectern_host::records::Role;

use crate::world::World;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_first_start_has_a_link_that_makes_the_first_administrator_once() {
    let world = World::new().await;
    world.host.user_or_first_administrator("admin").await.unwrap();
    let link = world.pages.first_link().await.unwrap().unwrap();
    let path = link.strip_prefix("http://lectern.example").unwrap();
    let mut browser = world.browser();
    assert!(browser.get(path).await.text().contains("Welcome to Lectern"));
    for (name, password, again, says) in [
        ("", "correct horse", "correct horse", "Choose a name"),
        ("ada", "correct horse", "correct house", "not the same"),
        ("ada", "short", "short", "too short"),
    ] {
        let answer = browser.post(path, &[("name", name), ("password", password), ("again", again)]).await;
        assert_eq!(answer.status, 422);
        assert!(answer.text().contains(says), "{}", answer.text());
    }
    let fields = [("name", "ada"), ("password", "correct horse"), ("again", "correct horse")];
    let answer = browser.post(path, &fields).await;
    assert_eq!((answer.status.as_u16(), answer.location()), (303, "/"));
    assert!(browser.visit("/account").await.text().contains("Signed in as ada"));

    let users = world.host.ports().registry.users().await.unwrap();
    assert_eq!(users.len(), 1, "the administrator of the first start got the name: {users:?}");
    assert_eq!((users[0].name.as_str(), users[0].role), ("ada", Role::Administrator));
    assert_eq!(world.browser().get(path).await.status, 410);
    assert_eq!(world.browser().post(path, &fields).await.status, 410);
    assert_eq!(world.pages.first_link().await.unwrap(), None);
}

#[tokio::test]
async fn the_link_of_a_first_start_runs_out_and_does_not_take_over_others() {
    let world = World::new().await;
    world.person("bob", "correct horse", Role::Editor).await;
    let link = world.pages.first_link().await.unwrap().unwrap();
    let path = link.strip_prefix("http://lectern.example").unwrap();
    let mut browser = world.browser();
    let fields = [("name", "BOB"), ("password", "correct horse"), ("again", "correct horse")];
    let answer = browser.post(path, &fields).await;
    assert!(answer.text().contains("Somebody has that name"), "{}", answer.text());
    assert_eq!(world.browser().get("/welcome/guess").await.status, 410);
    world.advance(24 * 60 * MINUTE);
    assert_eq!(browser.get(path).await.status, 410);
}

#[tokio::test]
async fn one_signs_in_where_one_wanted_to_go() {
    let world = World::new().await;
    world.person("Ada", "correct horse", Role::Editor).await;
    let mut browser = world.browser();
    let answer = browser.get("/account?x=1&y=%2F").await;
    assert_eq!(answer.location(), "/sign-in?next=%2Faccount%3Fx%3D1%26y%3D%252F");
    let page = browser.visit("/account?x=1&y=%2F").await;
    assert!(page.text().contains("name=\"next\" value=\"/account?x=1&#38;y=%2F\""), "{}", page.text());
    let fields = [("name", " ada "), ("password", "correct horse"), ("next", "/account?x=1&y=%2F")];
    assert_eq!(browser.post("/sign-in", &fields).await.location(), "/account?x=1&y=%2F");
    assert_eq!(browser.get("/sign-in?next=%2F%2Fevil.example").await.location(), "/");
}

#[tokio::test]
async fn nobody_learns_which_part_was_wrong() {
    let world = World::new().await;
    world.person("ada", "correct horse", Role::Editor).await;
    let gone = world.person("gone", "correct horse", Role::Editor).await;
    let shut_out = lectern_host::records::User { disabled: true, ..gone };
    world.host.ports().registry.commit_user(&shut_out).await.unwrap();
    let mut told = Vec::new();
    for (name, password) in [("ada", "wrong horse"), ("nobody", "correct horse"), ("gone", "correct horse")] {
        let answer = world.browser().sign_in(name, password).await;
        assert_eq!(answer.status, 401);
        assert!(answer.headers.get("set-cookie").is_none());
        told.push(answer.text().replace(name, "NAME"));
    }
    assert_eq!(told[0], told[1]);
    assert_eq!(told[0], told[2]);
}

#[tokio::test]
async fn guessing_is_slowed_down_by_name_and_by_address() {
    let world = World::new().await;
    world.person("ada", "correct horse", Role::Editor).await;
    let mut browser = world.browser();
    for _ in 0..10 {
        assert_eq!(browser.sign_in("ada", "wrong").await.status, 401);
    }
    browser.address = [192, 0, 2, 99].into();
    assert_eq!(browser.sign_in("ADA", "correct horse").await.status, 429, "from anywhere, even with the right one");
    world.advance(MINUTE);
    assert_eq!(browser.sign_in("ada", "correct horse").await.status, 303);

    let mut browser = world.browser();
    browser.address = [192, 0, 2, 50].into();
    for number in 0..50 {
        assert_eq!(browser.sign_in(&format!("user {number}"), "x").await.status, 401);
    }
    assert_eq!(browser.sign_in("another", "x").await.status, 429);
    browser.address = [192, 0, 2, 51].into();
    assert_eq!(browser.sign_in("another", "x").await.status, 401);
}

#[tokio::test]
async fn sessions_are_listed_and_ended_one_by_one_or_all() {
    let world = World::new().await;
    let mut here = world.browser_of("ada", Role::Editor).await;
    let mut there = world.browser();
    world.advance(MINUTE);
    there.sign_in("ada", "correct horse").await;
    let page = here.get("/account").await;
    assert_eq!(page.text().matches("name=\"session\"").count(), 1, "one's own has no button");
    let id = page.text().split("name=\"session\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let mut bob = world.browser_of("bob", Role::Editor).await;
    assert_eq!(bob.post("/account/sessions/end", &[("session", &id)]).await.status, 404, "not his");
    assert_eq!(there.get("/account").await.status, 200);
    let answer = here.post("/account/sessions/end", &[("session", &id)]).await;
    assert_eq!(answer.location(), "/account?said=said-session-ended");
    assert!(here.get(answer.location()).await.text().contains("The session has ended."));
    assert_eq!(there.get("/account").await.status, 303, "it stops at its next request");

    there.sign_in("ada", "correct horse").await;
    let kept = here.cookies.clone();
    here.post("/account/sessions/end-all", &[]).await;
    assert!(here.cookies.keys().all(|name| !name.contains("session")), "{:?}", here.cookies);
    here.cookies = kept;
    assert_eq!(here.get("/account").await.status, 303);
    assert_eq!(there.get("/account").await.status, 303);
    assert_eq!(bob.get("/account").await.status, 200);
}

#[tokio::test]
async fn a_session_ends_by_signing_out_by_its_time_and_when_its_owner_is_shut_out() {
    let world = World::new().await;
    let mut ada = world.browser_of("ada", Role::Editor).await;
    let kept = ada.cookies.clone();
    assert_eq!(ada.post("/sign-out", &[]).await.location(), "/sign-in");
    ada.cookies = kept;
    assert_eq!(ada.get("/account").await.status, 303, "the old cookie is worth nothing");

    ada.sign_in("ada", "correct horse").await;
    world.advance(14 * 24 * 60 * MINUTE - Duration::from_millis(1));
    assert_eq!(ada.get("/account").await.status, 200);
    world.advance(Duration::from_millis(1));
    assert_eq!(ada.get("/account").await.status, 303);

    ada.sign_in("ada", "correct horse").await;
    let user = world.host.ports().registry.user_named("ada").await.unwrap();
    let user = lectern_host::records::User { disabled: true, ..user };
    world.host.ports().registry.commit_user(&user).await.unwrap();
    assert_eq!(ada.get("/account").await.status, 303);
}

#[tokio::test]
async fn a_changed_password_ends_the_other_sessions() {
    let world = World::new().await;
    let mut here = world.browser_of("ada", Role::Editor).await;
    let mut there = world.browser();
    there.sign_in("ada", "correct horse").await;
    let fields = |current, new, again| [("current", current), ("password", new), ("again", again)];
    for (fields, status) in [
        (fields("wrong", "battery staple", "battery staple"), 403),
        (fields("correct horse", "battery staple", "battery stable"), 422),
        (fields("correct horse", "short", "short"), 422),
    ] {
        assert_eq!(here.post("/account/password", &fields).await.status, status);
    }
    let answer = here.post("/account/password", &fields("correct horse", "battery staple", "battery staple")).await;
    assert_eq!(answer.location(), "/account?said=said-password-changed");
    assert_eq!(here.get("/account").await.status, 200);
    assert_eq!(there.get("/account").await.status, 303);
    assert_eq!(there.sign_in("ada", "correct horse").await.status, 401);
    assert_eq!(there.sign_in("ada", "battery staple").await.status, 303);
}
