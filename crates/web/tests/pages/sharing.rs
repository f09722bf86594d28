//! History, holders, sharing, links and guests, and the administration.

use http::Request;
use lectern_host::full;
use lectern_host::ports::TokenResource;
use lectern_host::records::{LockState, Role};
use lectern_host::wopi::FileId;

use crate::world::{Answer, Browser, World};

/// A file of Ada's.
async fn file_of(world: &World, name: &str, file: &str, bytes: &'static str) -> FileId {
    let registry = &world.host.ports().registry;
    let user = registry.user_named(name).await.unwrap();
    let session = world.host.open_session(&user.id, "test", std::time::Duration::from_secs(60)).await.unwrap();
    let desk = world.host.desk(&session.id).await.unwrap();
    let root = registry.root().await.unwrap().id;
    desk.upload(&root, file, full(bytes), lectern_host::desk::IfTaken::NewVersion).await.unwrap().id
}

fn after<'a>(page: &'a Answer, mark: &str) -> &'a str {
    let text = page.text();
    text.split(mark).nth(1).unwrap_or_else(|| panic!("{mark} in {text}")).split('"').next().unwrap()
}

async fn share(browser: &mut Browser<'_>, file: &FileId, to: &str, right: &str) -> Answer {
    browser.post(&format!("/share/file/{file}"), &[("to", to), ("right", right)]).await
}

#[tokio::test]
async fn an_earlier_version_is_looked_at_named_and_made_the_present_one() {
    let world = World::new().await;
    let mut ada = world.browser_of("ada", Role::Administrator).await;
    let id = file_of(&world, "ada", "a.txt", "first").await;
    file_of(&world, "ada", "a.txt", "second").await;
    let page = ada.get(&format!("/details/{id}")).await;
    assert!(page.text().contains("As it is now") && page.text().contains(">Version 1<"), "{}", page.text());
    assert_eq!(ada.get(&format!("/details/{id}/versions/1")).await.text(), "first");
    let named = ada.post(&format!("/details/{id}/name-version"), &[("version", "1"), ("name", "<b>draft</b>")]).await;
    let page = ada.get(named.location()).await;
    assert!(page.text().contains("&#60;b&#62;draft"), "{}", page.text());
    // The current one, too: what is said of it goes with it.
    ada.post(&format!("/details/{id}/name-version"), &[("version", "2"), ("name", "as sent")]).await;
    let kept = ada.post(&format!("/details/{id}/keep-version"), &[("version", "2"), ("keep", "1")]).await;
    assert_eq!(kept.location(), format!("/details/{id}?said=said-version-kept"));
    assert_eq!(ada.post(&format!("/details/{id}/keep-version"), &[("version", "2"), ("keep", "x")]).await.status, 400);
    let restored = ada.post(&format!("/details/{id}/restore"), &[("version", "1")]).await;
    assert_eq!(restored.location(), format!("/details/{id}?said=said-restored"));
    assert_eq!(ada.get(&format!("/download/{id}")).await.text(), "first");
    assert_eq!(ada.get(&format!("/details/{id}/versions/2")).await.text(), "second", "nothing is lost");
    let page = ada.get(&format!("/details/{id}")).await;
    let second = page.text().split(">Version 2<").next().unwrap();
    assert!(
        second.contains("<bdi>as sent</bdi>") && page.text().contains("Keep no longer for good"),
        "{}",
        page.text()
    );
    assert_eq!(ada.post(&format!("/details/{id}/restore"), &[("version", "99")]).await.status, 404);
    assert_eq!(ada.post(&format!("/details/{id}/restore"), &[("version", "x")]).await.status, 400);
}

#[tokio::test]
async fn who_has_a_file_open_is_shown_and_the_file_is_released() {
    let world = World::new().await;
    let mut ada = world.browser_of("ada", Role::Administrator).await;
    let id = file_of(&world, "ada", "a.txt", "first").await;
    let record = world.host.ports().registry.file(&id).await.unwrap();
    let lock = LockState::Wopi(lectern_host::records::Held {
        id: lectern_host::wopi::LockId::parse("x").unwrap(),
        expires_at: world.host.now().plus(std::time::Duration::from_secs(60)),
        since: world.host.now(),
        by: world.host.ports().registry.user_named("ada").await.unwrap().id,
        client: Some("office".to_owned()),
        visible_as: None,
    });
    let record = lectern_host::records::FileRecord { lock, ..record };
    let commit = lectern_host::ports::FileCommit { record, replaced: None };
    world.host.ports().registry.commit_file(&commit).await.unwrap();
    let page = ada.get(&format!("/details/{id}")).await;
    assert!(page.text().contains("Open now") && page.text().contains("<bdi>office</bdi>"), "{}", page.text());
    assert_eq!(ada.post(&format!("/details/{id}/restore"), &[("version", "1")]).await.status, 409);
    let mut eve = world.browser_of("eve", Role::Viewer).await;
    assert!(!eve.get(&format!("/details/{id}")).await.text().contains("/release"));
    assert_eq!(eve.post(&format!("/details/{id}/release"), &[]).await.status, 403);
    let released = ada.post(&format!("/details/{id}/release"), &[]).await;
    assert!(!ada.get(released.location()).await.text().contains("Open now"));
}

#[tokio::test]
async fn what_is_shared_with_somebody_is_theirs_until_it_is_not() {
    let world = World::new().await;
    let mut ada = world.browser_of("ada", Role::Administrator).await;
    let mut bob = world.browser_of("bob", Role::Member).await;
    let id = file_of(&world, "ada", "plan.txt", "plan").await;
    assert!(bob.visit("/").await.text().contains("Nothing is shared with you yet"));
    assert_eq!(bob.get(&format!("/open/{id}/edit")).await.status, 404);
    let nobody = share(&mut ada, &id, "<b>nobody</b>", "edit").await;
    assert_eq!(nobody.status, 422);
    assert!(nobody.text().contains("is called “&#60;b&#62;nobody"), "{}", nobody.text());
    let shared = share(&mut ada, &id, "BOB", "edit").await;
    assert_eq!(shared.location(), format!("/details/{id}?said=said-shared"));
    assert!(bob.visit("/").await.text().contains("<bdi>plan.txt</bdi>"));
    let editor = bob.get(&format!("/open/{id}/edit")).await;
    let token = after(&editor, "data-token=\"").to_owned();
    let claims = world.host.ports().tokens.open(&token, &TokenResource::File(id.clone()), world.host.now()).unwrap();
    assert!(claims.may_edit);
    assert_eq!(share(&mut bob, &id, "ada", "edit").await.status, 403, "he may not share it further");

    let page = ada.get(&format!("/details/{id}")).await;
    let principal = after(&page, "name=\"to\" value=\"").to_owned();
    let ended = ada.post(&format!("/share/file/{id}/end"), &[("to", &principal)]).await;
    assert_eq!(ended.status, 303);
    assert_eq!(bob.get(&format!("/open/{id}/edit")).await.status, 404, "at the next request");
    assert_eq!(ada.post(&format!("/share/file/{id}/end"), &[("to", "nonsense")]).await.status, 400);
}

#[tokio::test]
async fn a_guest_comes_by_a_link_and_is_out_when_it_is_revoked() {
    let world = World::new().await;
    let mut ada = world.browser_of("ada", Role::Administrator).await;
    let id = file_of(&world, "ada", "plan.txt", "plan").await;
    let fields = [("right", "view"), ("label", "for Bob"), ("password", "open sesame"), ("days", "7")];
    let made = ada.post(&format!("/share/file/{id}/link"), &fields).await;
    assert_eq!(made.status, 200, "{}", made.text());
    let address = after(&made, "readonly value=\"").to_owned();
    let path = address.strip_prefix("http://lectern.example").unwrap();
    assert!(!ada.get(&format!("/details/{id}")).await.text().contains(path), "it is shown once");

    let mut guest = world.browser();
    assert!(guest.get(path).await.text().contains("Somebody shared something with you"));
    assert_eq!(guest.post(path, &[("name", "Zoe"), ("password", "wrong")]).await.status, 401);
    assert_eq!(guest.post(path, &[("name", " "), ("password", "open sesame")]).await.status, 422);
    let entered = guest.post(path, &[("name", "Zoe"), ("password", "open sesame")]).await;
    assert_eq!(entered.location(), format!("/open/{id}/view"));
    let page = guest.get(entered.location()).await;
    assert!(page.text().contains("<textarea"), "{}", page.text());
    assert_eq!(guest.get("/account").await.status, 404, "a guest has no account");
    assert!(guest.visit("/").await.text().contains("<bdi>plan.txt</bdi>"));
    assert_eq!(guest.get("/admin/people").await.status, 403);

    let details = ada.get(&format!("/details/{id}")).await;
    let link = after(&details, "name=\"link\" value=\"").to_owned();
    ada.post(&format!("/share/file/{id}/revoke"), &[("link", &link)]).await;
    assert_eq!(guest.get(&format!("/open/{id}/view")).await.status, 303);
    assert_eq!(world.browser().get(path).await.status, 404);
    assert_eq!(world.browser().get("/link/guess").await.status, 404);
}

#[tokio::test]
async fn the_password_of_a_link_cannot_be_guessed_quickly() {
    let world = World::new().await;
    let mut ada = world.browser_of("ada", Role::Administrator).await;
    let id = file_of(&world, "ada", "plan.txt", "plan").await;
    let made = ada.post(&format!("/share/file/{id}/link"), &[("right", "view"), ("password", "open sesame")]).await;
    let address = after(&made, "readonly value=\"").to_owned();
    let path = address.strip_prefix("http://lectern.example").unwrap();
    let mut guest = world.browser();
    for _ in 0..10 {
        assert_eq!(guest.post(path, &[("name", "Zoe"), ("password", "wrong")]).await.status, 401);
    }
    assert_eq!(guest.post(path, &[("name", "Zoe"), ("password", "open sesame")]).await.status, 429);
}

#[tokio::test]
async fn people_and_groups_are_administered_by_administrators() {
    let world = World::new().await;
    let mut ada = world.browser_of("ada", Role::Administrator).await;
    let fields = [("name", "bob"), ("shown_as", "Bob <B>"), ("role", "member"), ("password", "correct horse")];
    assert_eq!(ada.post("/admin/people", &fields).await.status, 303);
    assert_eq!(ada.post("/admin/people", &fields).await.status, 409, "the name is taken");
    let page = ada.get("/admin/people").await;
    assert!(page.text().contains("Bob &#60;B&#62;"), "{}", page.text());
    let bob = world.host.ports().registry.user_named("bob").await.unwrap();
    let change = |what: &str| format!("/admin/people/{}/{what}", bob.id);
    assert_eq!(ada.post(&change("role"), &[("role", "viewer")]).await.status, 303);
    assert_eq!(ada.post(&change("role"), &[("role", "king")]).await.status, 400);
    assert_eq!(ada.post(&change("password"), &[("password", "short")]).await.status, 422);
    let mut browser = world.browser();
    assert_eq!(browser.sign_in("bob", "correct horse").await.status, 303);
    assert_eq!(browser.get("/admin/people").await.status, 403);
    assert_eq!(browser.post("/admin/people", &fields).await.status, 403);
    assert_eq!(browser.post(&change("role"), &[("role", "administrator")]).await.status, 403);
    assert_eq!(ada.post(&change("disable"), &[]).await.status, 303);
    assert_eq!(browser.get("/account").await.status, 303, "shut out at the next request");
    assert_eq!(ada.post(&change("enable"), &[]).await.status, 303);
    let me = world.host.ports().registry.user_named("ada").await.unwrap();
    let last = ada.post(&format!("/admin/people/{}/disable", me.id), &[]).await;
    assert!(last.text().contains("this is the last one"), "{}", last.text());

    assert_eq!(ada.post("/admin/groups", &[("name", "Choir")]).await.status, 303);
    let page = ada.get("/admin/groups").await;
    let group = after(&page, "action=\"/admin/groups/").split('/').next().unwrap().to_owned();
    assert_eq!(ada.post(&format!("/admin/groups/{group}/add"), &[("name", "bob")]).await.status, 303);
    assert!(ada.get("/admin/groups").await.text().contains("value=\"bob\">Take out"));
    assert_eq!(ada.post(&format!("/admin/groups/{group}/add"), &[("name", "nobody")]).await.status, 422);
    assert_eq!(ada.post(&format!("/admin/groups/{group}/take"), &[("name", "bob")]).await.status, 303);
    assert_eq!(ada.post(&format!("/admin/groups/{group}/remove"), &[]).await.status, 303);
    assert!(!ada.get("/admin/groups").await.text().contains("Choir"));
    for page in ["/admin/clients", "/admin/diagnostics"] {
        assert_eq!(ada.get(page).await.status, 200, "{page}");
    }
}

#[tokio::test]
async fn an_office_server_is_tried_from_the_administration() {
    let discovery = r#"<wopi-discovery><net-zone name="external-https"><app name="Word">
        <action name="edit" ext="docx" urlsrc="https://office.example/we?"/></app></net-zone></wopi-discovery>"#;
    let world = World::with("http://lectern.example", discovery).await;
    let mut ada = world.browser_of("ada", Role::Administrator).await;
    assert!(ada.get("/admin/clients").await.text().contains("docx"));
    assert_eq!(ada.post("/admin/clients/try", &[("client", "office")]).await.status, 303);
    let failed = ada.post("/admin/clients/try", &[("client", "<b>")]).await;
    assert_eq!(failed.status, 502);
    assert!(!failed.text().contains("<b>"));
}

#[tokio::test]
async fn another_site_can_neither_share_nor_administer() {
    let world = World::new().await;
    let mut ada = world.browser_of("ada", Role::Administrator).await;
    for path in [
        "/details/x/restore",
        "/details/x/name-version",
        "/details/x/keep-version",
        "/details/x/release",
        "/share/file/x",
        "/share/file/x/end",
        "/share/file/x/link",
        "/share/file/x/revoke",
        "/link/x",
        "/admin/people",
        "/admin/people/x/role",
        "/admin/groups",
        "/admin/groups/x/remove",
        "/admin/clients/try",
        "/open/x/token",
        "/open/x/pictures",
    ] {
        let request = Request::post(path).header("origin", "https://evil.example");
        assert_eq!(ada.send(request, "").await.status, 403, "{path}");
    }
}
