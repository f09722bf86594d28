//! Browsing, searching, uploading, downloading, naming.

use http::Request;
use lectern_host::full;
use lectern_host::records::Role;
use lectern_host::wopi::{ContainerId, FileName};

use crate::world::{Answer, Browser, World};

/// Sends a form with files.
async fn upload_form(browser: &mut Browser<'_>, to: &str, taken: &str, files: &[(&str, &[u8])]) -> Answer {
    let mut body = format!("--B\r\nContent-Disposition: form-data; name=\"taken\"\r\n\r\n{taken}\r\n").into_bytes();
    for (name, bytes) in files {
        body.extend_from_slice(
            format!("--B\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{name}\"\r\n\r\n").as_bytes(),
        );
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--B--\r\n");
    let request = Request::post(to).header("sec-fetch-site", "same-origin");
    browser.send(request.header("content-type", "multipart/form-data; boundary=B"), body).await
}

/// Sends a file as our script does.
async fn put(browser: &mut Browser<'_>, to: &str, query: &str, bytes: &'static [u8]) -> Answer {
    browser.send(Request::put(format!("{to}?{query}")).header("sec-fetch-site", "same-origin"), bytes).await
}

async fn root_of(world: &World) -> ContainerId {
    world.host.ports().registry.root().await.unwrap().id
}

/// The first address on a page that begins so, up to the end of its attribute.
fn address<'a>(page: &'a Answer, begins: &str) -> &'a str {
    let at = page.text().find(&format!("\"{begins}")).unwrap_or_else(|| panic!("{begins} in {}", page.text()));
    page.text()[at + 1..].split('"').next().unwrap()
}

#[tokio::test]
async fn files_are_uploaded_listed_found_and_downloaded() {
    let world = World::new().await;
    let mut ada = world.browser_of("ada", Role::Editor).await;
    let page = ada.visit("/").await;
    assert!(page.text().contains("Nothing is in here yet"));
    let upload = address(&page, "/browse/").to_owned();
    let here = upload.rsplit_once('/').unwrap().0.to_owned();
    let upload = format!("{here}/upload");
    let answer = upload_form(&mut ada, &upload, "refuse", &[("a b.txt", b"hello"), ("ü.png", b"png")]).await;
    assert_eq!(answer.location(), format!("{here}?said=said-uploaded"), "{}", answer.text());
    let page = ada.get(answer.location()).await;
    assert!(page.text().contains("The files are uploaded.") && page.text().contains("<bdi>ü.png</bdi>"));

    let found = ada.get("/search?q=A+B").await;
    let details = ada.get(address(&found, "/details/")).await;
    let download = address(&details, "/download/").to_owned();
    let bytes = ada.get(&download).await;
    assert_eq!(bytes.text(), "hello");
    assert_eq!(bytes.header("content-type"), "application/octet-stream");
    assert_eq!(bytes.header("content-disposition"), "attachment; filename*=UTF-8''a%20b.txt");
    let part = ada.send(Request::get(&download).header("range", "bytes=1-2"), "").await;
    assert_eq!((part.status.as_u16(), part.text(), part.header("content-range")), (206, "el", "bytes 1-2/5"));
    let beyond = ada.send(Request::get(&download).header("range", "bytes=9-"), "").await;
    assert_eq!(beyond.status, 416);
    assert!(ada.get("/search?q=nothing+like+that").await.text().contains("Nothing has that in its name"));
    assert_eq!(world.browser().get(&download).await.status, 303, "only for those who are signed in");
}

/// Largest page of a listing of 200 files, in bytes.
const LISTING_BYTES_MAX: usize = 150_000;

#[tokio::test]
async fn a_page_of_200_files_is_small_and_every_row_leads_to_all_that_can_be_done_with_it() {
    let world = World::new().await;
    let mut ada = world.browser_of("ada", Role::Administrator).await;
    let here = ada.get("/").await.location().to_owned();
    let files: Vec<_> = (0..201).map(|number| format!("a report of some month {number:03}.docx")).collect();
    for batch in files.chunks(40) {
        let files: Vec<_> = batch.iter().map(|name| (name.as_str(), b"bytes".as_slice())).collect();
        upload_form(&mut ada, &format!("{here}/upload"), "refuse", &files).await;
    }
    let page = ada.get(&here).await;
    assert_eq!(page.text().matches("<tr data-row").count(), 200);
    assert!(page.body.len() <= LISTING_BYTES_MAX, "{} bytes", page.body.len());
    let details = address(&page, "/details/").to_owned();
    let id = details.rsplit('/').next().unwrap();
    let details = ada.get(&details).await;
    for action in
        ["/to/move/file/ID\"", "/to/copy/file/ID\"", "/files/ID/delete\"", "/files/ID/rename\"", "/download/ID\""]
    {
        let action = action.replace("ID", id);
        assert!(details.text().contains(&action), "{action} in {}", details.text());
    }
    ada.post(&format!("{here}/container"), &[("name", "inner")]).await;
    let page = ada.get(&here).await;
    let inner = page.text().split("data-row=\"container\"").nth(1).unwrap().split("/browse/").nth(1).unwrap();
    let inner = inner.split('"').next().unwrap();
    let page = ada.get(&format!("/browse/{inner}")).await;
    for action in ["/to/move/container/ID\"", "/to/copy/container/ID\"", "/browse/ID/delete\"", "/browse/ID/rename\""] {
        let action = action.replace("ID", inner);
        assert!(page.text().contains(&action), "{action} in {}", page.text());
    }
}

#[tokio::test]
async fn a_search_stays_in_its_container_until_one_asks_for_everything() {
    let world = World::new().await;
    let mut ada = world.browser_of("ada", Role::Administrator).await;
    let root = ada.get("/").await.location().to_owned();
    let made = ada.post(&format!("{root}/container"), &[("name", "A & B")]).await;
    let inner = made.location().split('?').next().unwrap().to_owned();
    let id = inner.rsplit('/').next().unwrap();
    upload_form(&mut ada, &format!("{root}/upload"), "refuse", &[("plan outside.txt", b"x")]).await;
    let many: Vec<_> = (0..203).map(|number| format!("plan {number:03}.txt")).collect();
    for batch in many.chunks(40) {
        let files: Vec<_> = batch.iter().map(|name| (name.as_str(), b"x".as_slice())).collect();
        upload_form(&mut ada, &format!("{inner}/upload"), "refuse", &files).await;
    }
    let page = ada.get(&inner).await;
    assert!(page.text().contains(&format!("name=\"in\" value=\"{id}\"")), "{}", page.text());
    assert!(page.text().contains("Search in A &#38; B"));
    assert!(!ada.get(&root).await.text().contains("name=\"in\""), "below the root everything is");

    let found = ada.get(&format!("/search?q=plan+%26&in={id}")).await;
    assert!(found.text().contains("Nothing has that in its name"));
    assert!(found.text().contains("href=\"/search?q=plan%20%26\""), "{}", found.text());
    let found = ada.get(&format!("/search?q=plan&in={id}")).await;
    assert_eq!(found.text().matches("<tr data-row").count(), 200);
    let next = format!("/search?q=plan&#38;in={id}&#38;from=200");
    assert!(found.text().contains(&format!("href=\"{next}\"")), "{}", found.text());
    let rest = ada.get(&next.replace("&#38;", "&")).await;
    assert_eq!(rest.text().matches("<tr data-row").count(), 3);
    assert!(!rest.text().contains("plan outside") && rest.text().contains("First page"), "{}", rest.text());
    let everywhere = ada.get("/search?q=outside").await;
    assert!(everywhere.text().contains("<bdi>plan outside.txt</bdi>"));
    assert_eq!(ada.get("/search?q=plan&in=unknown").await.status, 404);
    assert_eq!(ada.get("/search?q=plan&in=%00").await.status, 404);
    let mut member = world.browser_of("mona", Role::Member).await;
    assert_eq!(member.get(&format!("/search?q=plan&in={id}")).await.status, 404);
}

#[tokio::test]
async fn an_upload_whose_name_is_taken_asks_what_to_do() {
    let world = World::new().await;
    let mut ada = world.browser_of("ada", Role::Editor).await;
    let to = format!("/browse/{}/upload", root_of(&world).await);
    let first = put(&mut ada, &to, "name=a.txt", b"one").await;
    let first: serde_json::Value = serde_json::from_slice(&first.body).unwrap();
    let refused = put(&mut ada, &to, "name=a.txt", b"two").await;
    assert_eq!(refused.status, 409);
    let told: serde_json::Value = serde_json::from_slice(&refused.body).unwrap();
    assert_eq!(told["taken"], true);
    assert!(told["trouble"].as_str().unwrap().contains("That name is taken."), "{told}");
    let version = put(&mut ada, &to, "name=a.txt&taken=version", b"three").await;
    let version: serde_json::Value = serde_json::from_slice(&version.body).unwrap();
    assert_eq!(version["id"], first["id"]);
    let both = put(&mut ada, &to, "name=a.txt&taken=both", b"four").await;
    let both: serde_json::Value = serde_json::from_slice(&both.body).unwrap();
    assert_ne!(both["name"], "a.txt");
    let file = format!("/download/{}", first["id"].as_str().unwrap());
    assert_eq!(ada.get(&file).await.text(), "three");
    let answer = upload_form(&mut ada, &to, "refuse", &[("a.txt", b"five")]).await;
    assert_eq!(answer.status, 409);
    assert!(answer.text().contains("role=\"alert\"") && answer.text().contains("That name is taken."));
}

#[tokio::test]
async fn another_site_cannot_upload() {
    let world = World::new().await;
    let mut ada = world.browser_of("ada", Role::Editor).await;
    let root = root_of(&world).await;
    for path in ["upload", "new", "container", "rename"] {
        let request = Request::post(format!("/browse/{root}/{path}")).header("origin", "https://evil.example");
        assert_eq!(ada.send(request, "").await.status, 403, "{path}");
    }
    let request = Request::put(format!("/browse/{root}/upload?name=x")).header("sec-fetch-site", "cross-site");
    assert_eq!(ada.send(request, "").await.status, 403);
    let request = Request::post("/files/x/rename").header("sec-fetch-site", "cross-site");
    assert_eq!(ada.send(request, "").await.status, 403);
}

#[tokio::test]
async fn new_files_and_containers_are_made_and_named() {
    let world = World::new().await;
    let mut ada = world.browser_of("ada", Role::Editor).await;
    let root = root_of(&world).await;
    let made = ada.post(&format!("/browse/{root}/new"), &[("name", "plan"), ("kind", "docx")]).await;
    let open = made.location().to_owned();
    assert!(open.starts_with("/open/") && open.ends_with("/edit"), "{open}");
    let file = open.split('/').nth(2).unwrap();
    assert_eq!(ada.get(&format!("/download/{file}")).await.text(), "a blank docx");
    for (name, kind, status, says) in [
        ("plan.docx", "docx", 409, "is free"),
        ("", "docx", 422, "Give it a name"),
        ("a/b", "docx", 422, "cannot have “/”"),
        (".hidden", "txt", 422, "hidden and temporary"),
    ] {
        let answer = ada.post(&format!("/browse/{root}/new"), &[("name", name), ("kind", kind)]).await;
        assert_eq!(answer.status, status, "{name}");
        assert!(answer.text().contains(says), "{name}: {}", answer.text());
    }
    assert_eq!(ada.post(&format!("/browse/{root}/new"), &[("name", "x"), ("kind", "exe")]).await.status, 400);

    let made = ada.post(&format!("/browse/{root}/container"), &[("name", "letters")]).await;
    let letters = made.location().split('?').next().unwrap().to_owned();
    let page = ada.get(&letters).await;
    assert!(page.text().contains("<h1><bdi>letters</bdi></h1>"), "{}", page.text());
    assert_eq!(ada.post(&format!("{letters}/rename"), &[("name", "post")]).await.status, 303);
    assert!(ada.get(&letters).await.text().contains("<h1><bdi>post</bdi></h1>"));
    assert_eq!(ada.post(&format!("/browse/{root}/rename"), &[("name", "x")]).await.status, 303, "even the root");

    let renamed = ada.post(&format!("/files/{file}/rename"), &[("name", "plan B.docx")]).await;
    assert!(ada.visit(renamed.location()).await.text().contains("<bdi>plan B.docx</bdi>"));
    assert_eq!(ada.get("/browse/unknown").await.status, 404);
    assert_eq!(ada.get(&format!("{letters}/edit")).await.location(), letters, "the address that clients were told");
    assert_eq!(ada.get(&format!("{letters}/other")).await.status, 404);
}

#[tokio::test]
async fn who_may_only_look_finds_nothing_to_change_with() {
    let world = World::new().await;
    let mut eve = world.browser_of("eve", Role::Viewer).await;
    let root = root_of(&world).await;
    let page = eve.visit("/").await;
    assert!(!page.text().contains("method=\"post\" action=\"/browse"), "{}", page.text());
    let answer = eve.post(&format!("/browse/{root}/new"), &[("name", "x"), ("kind", "txt")]).await;
    assert_eq!(answer.status, 403);
    assert_eq!(put(&mut eve, &format!("/browse/{root}/upload"), "name=x", b"x").await.status, 403);
}

#[tokio::test]
async fn names_of_files_run_nothing_and_lead_nowhere() {
    let world = World::new().await;
    let mut ada = world.browser_of("ada", Role::Editor).await;
    let root = root_of(&world).await;
    // Clients may give names that people cannot type here.
    let user = world.host.ports().registry.user_named("ada").await.unwrap();
    let hostile = "<img src=x onerror=alert(1)>\"'.txt";
    let session = world.host.open_session(&user.id, "test", std::time::Duration::from_secs(60)).await.unwrap();
    let desk = world.host.desk(&session.id).await.unwrap();
    let file = desk.upload(&root, "x.txt", full("x"), lectern_host::desk::IfTaken::Refuse).await.unwrap();
    let record = world.host.ports().registry.file(&file.id).await.unwrap();
    let record = lectern_host::records::FileRecord { name: FileName::parse(hostile).unwrap(), ..record };
    let commit = lectern_host::ports::FileCommit { record, replaced: None };
    world.host.ports().registry.commit_file(&commit).await.unwrap();
    for path in [format!("/browse/{root}"), "/search?q=img".to_owned()] {
        let page = ada.get(&path).await;
        assert!(page.text().contains("onerror=alert(1)"), "it is shown: {}", page.text());
        assert!(!page.text().contains("<img"), "as text");
    }
    let page = ada.get("/search?q=%3Cscript%3Ealert(1)%3C%2Fscript%3E%22").await;
    assert!(!page.text().contains("<script>alert"));
}

#[tokio::test]
async fn images_and_pdfs_are_shown_where_they_can_do_nothing_and_nothing_else_is() {
    let world = World::new().await;
    let mut ada = world.browser_of("ada", Role::Editor).await;
    let to = format!("/browse/{}/upload", root_of(&world).await);
    for (name, content_type) in [
        ("a.svg", Some("image/svg+xml")),
        ("a.png", Some("image/png")),
        ("a.pdf", Some("application/pdf")),
        ("a.html", None),
        ("a.js", None),
        ("a.docx", None),
        ("a", None),
    ] {
        let made = put(&mut ada, &to, &format!("name={name}"), b"<script>alert(1)</script>").await;
        let made: serde_json::Value = serde_json::from_slice(&made.body).unwrap();
        let shown = ada.get(&format!("/show/{}/{name}", made["id"].as_str().unwrap())).await;
        match content_type {
            None => assert_eq!(shown.status, 404, "{name}"),
            Some(content_type) => {
                assert_eq!(shown.header("content-type"), content_type);
                assert_eq!(shown.header("x-content-type-options"), "nosniff");
                let policy = shown.header("content-security-policy");
                assert!(policy.starts_with("default-src 'none'") && !policy.contains("script-src"), "{policy}");
                assert_eq!(policy.ends_with("; sandbox"), name != "a.pdf", "{name}: {policy}");
            }
        }
    }
}

#[tokio::test]
async fn a_long_listing_comes_a_page_at_a_time_and_in_the_order_that_was_asked_for() {
    let world = World::new().await;
    let mut ada = world.browser_of("ada", Role::Editor).await;
    let root = root_of(&world).await;
    let user = world.host.ports().registry.user_named("ada").await.unwrap();
    let session = world.host.open_session(&user.id, "test", std::time::Duration::from_secs(60)).await.unwrap();
    let desk = world.host.desk(&session.id).await.unwrap();
    for number in 0..250 {
        let bytes = full("x".repeat(300 - number));
        let taken = lectern_host::desk::IfTaken::Refuse;
        desk.upload(&root, &format!("file {number:03}.txt"), bytes, taken).await.unwrap();
    }
    let names = |page: &Answer| -> Vec<String> {
        let names = page.text().split("<bdi>file ").skip(1);
        names.map(|rest| rest.split("</bdi>").next().unwrap().to_owned()).collect()
    };
    let first = ada.get(&format!("/browse/{root}")).await;
    let shown = names(&first);
    assert_eq!((shown.len(), shown[0].as_str(), shown[199].as_str()), (200, "000.txt", "199.txt"));
    let next = first.text().split("rel=\"next\" href=\"").nth(1).unwrap().split('"').next().unwrap();
    let next = next.replace("&#38;", "&");
    let shown = names(&ada.get(&next).await);
    assert_eq!((shown.len(), shown[0].as_str()), (50, "200.txt"));
    let by_size = names(&ada.get(&format!("/browse/{root}?sort=size")).await);
    assert_eq!(by_size[0], "249.txt");
    let down = names(&ada.get(&format!("/browse/{root}?sort=name&down=1")).await);
    assert_eq!(down[0], "249.txt");
    assert_eq!(ada.get(&format!("/browse/{root}?after=nonsense")).await.status, 404);
}
