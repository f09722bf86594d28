//! The editor page, the text editor's page, and what no office server opens.

use lectern_host::full;
use lectern_host::ports::TokenResource;
use lectern_host::records::Role;
use lectern_host::wopi::FileId;

use crate::world::World;

/// An office server of each family's kind of address.
const DISCOVERY: &str = r#"<wopi-discovery><net-zone name="external-https">
  <app name="Word" favIconUrl="https://icons.example/word.ico">
    <action name="view" ext="docx" urlsrc="https://office.example/wv/frame.aspx?&lt;ui=UI_LLCC&amp;&gt;&lt;thm=THEME_ID&amp;&gt;"/>
    <action name="edit" ext="docx" default="true" urlsrc="https://office.example/we/frame.aspx?&lt;ui=UI_LLCC&amp;&gt;&lt;thm=THEME_ID&amp;&gt;"/>
    <action name="view" ext="doc" urlsrc="https://office.example/wv/frame.aspx?"/>
    <action name="convert" ext="doc" urlsrc="https://office.example/wc/frame.aspx?"/>
  </app>
  <app name="writer"><action name="edit" ext="odt" urlsrc="https://collabora.example/browser/1/cool.html?"/></app>
</net-zone></wopi-discovery>"#;

/// A file with these bytes.
async fn file(world: &World, name: &str, bytes: &'static str) -> FileId {
    let registry = &world.host.ports().registry;
    let user = match registry.user_named("maker").await {
        Ok(user) => user,
        Err(_) => world.host.add_user("maker", "Maker", Role::Editor).await.unwrap(),
    };
    let session = world.host.open_session(&user.id, "test", std::time::Duration::from_secs(60)).await.unwrap();
    let desk = world.host.desk(&session.id).await.unwrap();
    let root = registry.root().await.unwrap().id;
    desk.upload(&root, name, full(bytes), lectern_host::desk::IfTaken::Refuse).await.unwrap().id
}

fn field<'a>(page: &'a str, name: &str) -> &'a str {
    page.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap().split('"').next().unwrap()
}

fn data<'a>(page: &'a str, name: &str) -> &'a str {
    page.split(&format!("data-{name}=\"")).nth(1).unwrap().split('"').next().unwrap()
}

#[tokio::test]
async fn the_editor_page_posts_a_token_into_a_frame_of_one_office_server() {
    let world = World::with("http://lectern.example", DISCOVERY).await;
    let mut ada = world.browser_of("ada", Role::Editor).await;
    let id = file(&world, "plan.docx", "bytes").await;
    let path = format!("/open/{id}/edit?wdPreviousSession=a%26b&x=1");
    let answer = ada.get(&path).await;
    let page = answer.text();
    assert!(page.contains("<title>plan.docx</title>"), "{page}");
    let action = page.split(" action=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(
        action.replace("&#38;", "&"),
        format!(
            "https://office.example/we/frame.aspx?ui=en-US&thm=1&WOPISrc=http%3A%2F%2Flectern.example%2Fwopi%2Ffiles%2F{id}\
             &wdPreviousSession=a%26b"
        )
    );
    assert!(data(page, "dark-action").contains("thm=2"));
    let claims =
        world.host.ports().tokens.open(field(page, "access_token"), &TokenResource::File(id.clone()), world.host.now());
    let claims = claims.unwrap();
    assert!(claims.may_edit);
    assert_eq!(claims.client.as_deref(), Some("office"));
    assert_eq!(field(page, "access_token_ttl"), claims.expires_at.0.to_string());
    assert!(!action.contains("access_token") && !page.contains("<iframe"), "the token is no part of an address");

    let policy = answer.header("content-security-policy");
    assert!(policy.contains("frame-src https://office.example;"), "{policy}");
    assert!(policy.contains("form-action 'self' https://office.example;"), "{policy}");
    assert!(policy.contains("img-src 'self' data: https://icons.example"), "{policy}");
    assert_eq!(answer.header("cache-control"), "no-cache, no-store");
    assert_eq!((answer.header("pragma"), answer.header("expires")), ("no-cache", "-1"));
    assert_eq!(answer.header("referrer-policy"), "no-referrer");

    let again = ada.get(&path).await;
    assert_eq!(again.status, 200, "the address is good again and again");
    assert_eq!(world.browser().get(&path).await.status, 303);
    ada.language = "de";
    assert!(ada.get(&path).await.text().contains("ui=de-DE"));
}

#[tokio::test]
async fn who_may_only_look_gets_a_token_that_only_looks() {
    let world = World::with("http://lectern.example", DISCOVERY).await;
    let mut eve = world.browser_of("eve", Role::Viewer).await;
    let id = file(&world, "plan.docx", "bytes").await;
    for mode in ["view", "edit"] {
        let answer = eve.get(&format!("/open/{id}/{mode}")).await;
        let page = answer.text();
        let resource = TokenResource::File(id.clone());
        let claims = world.host.ports().tokens.open(field(page, "access_token"), &resource, world.host.now()).unwrap();
        assert!(!claims.may_edit && page.contains("https://office.example/wv/"), "{mode}");
    }
    assert_eq!(eve.get(&format!("/open/{id}/convert")).await.status, 403);
    let token = eve.post(&format!("/open/{id}/token"), &[("client", "office"), ("edit", "1")]).await;
    let token: serde_json::Value = serde_json::from_slice(&token.body).unwrap();
    assert_eq!(token["may_edit"], false);
}

#[tokio::test]
async fn a_file_of_an_old_format_is_viewed_or_converted() {
    let world = World::with("http://lectern.example", DISCOVERY).await;
    let mut ada = world.browser_of("ada", Role::Editor).await;
    let id = file(&world, "old.doc", "bytes").await;
    assert!(ada.get(&format!("/open/{id}/view")).await.text().contains("https://office.example/wv/"));
    for mode in ["edit", "convert"] {
        assert!(ada.get(&format!("/open/{id}/{mode}")).await.text().contains("https://office.example/wc/"), "{mode}");
    }
    assert_eq!(ada.get(&format!("/open/{id}/other")).await.status, 404);
}

#[tokio::test]
async fn collabora_is_told_of_the_buttons_that_the_page_answers() {
    let world = World::with("http://lectern.example", DISCOVERY).await;
    let mut ada = world.browser_of("ada", Role::Editor).await;
    let id = file(&world, "letter.odt", "bytes").await;
    let answer = ada.get(&format!("/open/{id}/edit")).await;
    let page = answer.text();
    assert!(
        page.contains("closebutton=1") && page.contains("revisionhistory=1") && page.contains("name=\"ui_defaults\"")
    );
    assert_eq!(data(page, "family"), "collabora");
}

#[tokio::test]
async fn a_fresh_token_is_for_those_who_are_signed_in_and_for_a_client_that_is_known() {
    let world = World::with("http://lectern.example", DISCOVERY).await;
    let mut ada = world.browser_of("ada", Role::Editor).await;
    let id = file(&world, "plan.docx", "bytes").await;
    let to = format!("/open/{id}/token");
    let answer = ada.post(&to, &[("client", "office"), ("edit", "1")]).await;
    let answer: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answer["may_edit"], true);
    assert_eq!(ada.post(&to, &[("client", "unknown")]).await.status, 403);
    assert_eq!(world.browser().post(&to, &[]).await.status, 303);
    let request = http::Request::post(&to).header("origin", "https://evil.example");
    assert_eq!(ada.send(request, "").await.status, 403);
}

#[tokio::test]
async fn text_is_edited_by_ourselves_and_images_are_shown() {
    let world = World::new().await;
    let mut ada = world.browser_of("ada", Role::Editor).await;
    let text = file(&world, "notes.md", "hello").await;
    let answer = ada.get(&format!("/open/{text}/edit")).await;
    let claims = world.host.ports().tokens.open(
        data(answer.text(), "token"),
        &TokenResource::File(text.clone()),
        world.host.now(),
    );
    let claims = claims.unwrap();
    assert_eq!((claims.may_edit, claims.client), (true, None), "it signs nothing");
    assert_eq!(data(answer.text(), "src"), format!("/wopi/files/{text}"));
    let viewed = ada.get(&format!("/open/{text}/view")).await;
    assert_eq!(data(viewed.text(), "edit"), "");
    let image = file(&world, "a.png", "png").await;
    assert!(ada.get(&format!("/open/{image}/edit")).await.text().contains(&format!("<img src=\"/show/{image}/")));
    let pdf = file(&world, "a.pdf", "pdf").await;
    let page = ada.get(&format!("/open/{pdf}/view")).await;
    assert!(page.text().contains(&format!("<iframe class=\"stage\" src=\"/show/{pdf}/")));
    assert!(page.header("content-security-policy").contains("frame-src 'self'"));
    let other = file(&world, "a.docx", "docx").await;
    assert!(ada.get(&format!("/open/{other}/edit")).await.text().contains("No office server opens files of this kind"));
}

#[tokio::test]
async fn an_office_server_can_be_passed_over_for_our_own_editor() {
    let discovery = r#"<wopi-discovery><net-zone name="external-https"><app name="Text">
        <action name="edit" ext="txt" urlsrc="https://office.example/hosting/wopi/word/edit?"/></app></net-zone></wopi-discovery>"#;
    let world = World::with("http://lectern.example", discovery).await;
    let mut ada = world.browser_of("ada", Role::Editor).await;
    let id = file(&world, "notes.txt", "hello").await;
    assert!(ada.get(&format!("/open/{id}/edit")).await.text().contains("office.example"));
    assert!(ada.get(&format!("/open/{id}/edit?client=none")).await.text().contains("<textarea"));
}

#[tokio::test]
async fn a_picture_goes_into_a_document_by_an_address_that_is_good_for_it_alone() {
    let world = World::new().await;
    let mut ada = world.browser_of("ada", Role::Editor).await;
    let document = file(&world, "plan.docx", "bytes").await;
    let image = file(&world, "a.png", "png").await;
    let list = ada.get(&format!("/open/{document}/pictures")).await;
    let list: serde_json::Value = serde_json::from_slice(&list.body).unwrap();
    assert_eq!(list, serde_json::json!([{ "id": image.as_str(), "name": "a.png" }]));
    let to = format!("/open/{document}/pictures");
    assert_eq!(ada.post(&to, &[("picture", document.as_str())]).await.status, 404, "no picture");
    let address = ada.post(&to, &[("picture", image.as_str())]).await;
    let address: serde_json::Value = serde_json::from_slice(&address.body).unwrap();
    let path = address["url"].as_str().unwrap().strip_prefix("http://lectern.example").unwrap();
    let mut anybody = world.browser();
    let bytes = anybody.get(path).await;
    assert_eq!((bytes.text(), bytes.header("content-type")), ("png", "image/png"));
    assert_eq!(anybody.get(&path.replace(image.as_str(), document.as_str())).await.status, 404);
    ada.post("/account/sessions/end-all", &[]).await;
    assert_eq!(anybody.get(path).await.status, 404, "it ends with the session");
}

#[tokio::test]
async fn names_run_nothing_on_pages_that_open_files() {
    let world = World::with("http://lectern.example", DISCOVERY).await;
    let mut ada = world.browser_of("ada", Role::Editor).await;
    for extension in ["docx", "txt", "png", "pdf", "zip"] {
        let id = file(&world, &format!("x.{extension}"), "x").await;
        let hostile = format!("\"><script>alert(1)<&.{extension}");
        let record = world.host.ports().registry.file(&id).await.unwrap();
        let name = lectern_host::wopi::FileName::parse(&hostile).unwrap();
        let record = lectern_host::records::FileRecord { name, ..record };
        let commit = lectern_host::ports::FileCommit { record, replaced: None };
        world.host.ports().registry.commit_file(&commit).await.unwrap();
        let page = ada.get(&format!("/open/{id}/edit")).await;
        assert_eq!(page.status, 200);
        assert!(page.text().contains("alert(1)"), "{extension}: it is shown");
        assert!(!page.text().contains("<script>alert"), "{extension}: as text");
    }
}
