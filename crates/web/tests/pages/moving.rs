//! Moving, copying, deleting, and the bin.

use lectern_host::full;
use lectern_host::records::Role;
use lectern_host::wopi::{ContainerId, FileId};

use crate::world::{Answer, Browser, World};

async fn begin(world: &World) -> (Browser<'_>, ContainerId, FileId) {
    let ada = world.browser_of("ada", Role::Administrator).await;
    let registry = &world.host.ports().registry;
    let user = registry.user_named("ada").await.unwrap();
    let session = world.host.open_session(&user.id, "test", std::time::Duration::from_secs(600)).await.unwrap();
    let desk = world.host.desk(&session.id).await.unwrap();
    let root = registry.root().await.unwrap().id;
    let file = desk.upload(&root, "a.txt", full("a"), lectern_host::desk::IfTaken::Refuse).await.unwrap().id;
    (ada, root, file)
}

async fn container(browser: &mut Browser<'_>, within: &ContainerId, name: &str) -> ContainerId {
    let made = browser.post(&format!("/browse/{within}/container"), &[("name", name)]).await;
    let id = made.location().split('?').next().unwrap().strip_prefix("/browse/").unwrap();
    ContainerId::parse(id).unwrap()
}

fn entry(page: &Answer) -> String {
    page.text().split("name=\"entry\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn things_are_moved_and_copied_where_one_chooses() {
    let world = World::new().await;
    let (mut ada, root, file) = begin(&world).await;
    let letters = container(&mut ada, &root, "letters").await;
    let old = container(&mut ada, &letters, "old").await;
    let page = ada.get(&format!("/to/move/file/{file}")).await;
    assert!(page.text().contains("Move here") && page.text().contains("<bdi>letters</bdi>"), "{}", page.text());
    assert!(ada.get(&format!("/to/move/file/{file}?at={letters}")).await.text().contains("<bdi>old</bdi>"));
    let moved = ada.post(&format!("/to/move/file/{file}"), &[("at", letters.as_str())]).await;
    assert_eq!(moved.location(), format!("/browse/{letters}?said=said-moved"));
    assert!(ada.get(moved.location()).await.text().contains("<bdi>a.txt</bdi>"));
    let copied = ada.post(&format!("/to/copy/file/{file}"), &[("at", root.as_str())]).await;
    assert!(ada.get(copied.location()).await.text().contains("<bdi>a.txt</bdi>"));
    let refused = ada.post(&format!("/to/move/container/{letters}"), &[("at", old.as_str())]).await;
    assert_eq!(refused.status, 409);
    assert!(refused.text().contains("cannot go into itself"), "{}", refused.text());
    for path in ["/to/burn/file/x", "/to/move/planet/x", "/to/move/file/unknown", "/to/put-back/file/x"] {
        assert_eq!(ada.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn what_is_deleted_waits_in_the_bin_and_comes_back() {
    let world = World::new().await;
    let (mut ada, root, file) = begin(&world).await;
    let deleted = ada.post(&format!("/files/{file}/delete"), &[]).await;
    assert_eq!(deleted.location(), format!("/browse/{root}?said=said-deleted"));
    assert_eq!(ada.get(&format!("/download/{file}")).await.status, 404);
    let bin = ada.get("/bin").await;
    assert!(bin.text().contains("<bdi>a.txt</bdi>"), "{}", bin.text());
    let back = ada.post("/bin/put-back", &[("entry", &entry(&bin))]).await;
    assert_eq!(back.location(), format!("/browse/{root}?said=said-put-back"));
    assert_eq!(ada.get(&format!("/download/{file}")).await.text(), "a");

    ada.post(&format!("/files/{file}/delete"), &[]).await;
    let bin = ada.get("/bin").await;
    assert_eq!(ada.post("/bin/purge", &[("entry", &entry(&bin))]).await.location(), "/bin?said=said-purged");
    assert!(ada.get("/bin").await.text().contains("The bin is empty"));
    assert_eq!(ada.post("/bin/put-back", &[("entry", "nonsense!")]).await.status, 400);
    assert_eq!(ada.post("/bin/burn", &[]).await.status, 404);
}

#[tokio::test]
async fn what_was_in_a_container_that_is_gone_is_put_where_one_chooses() {
    let world = World::new().await;
    let (mut ada, root, file) = begin(&world).await;
    let letters = container(&mut ada, &root, "letters").await;
    ada.post(&format!("/to/move/file/{file}"), &[("at", letters.as_str())]).await;
    ada.post(&format!("/files/{file}/delete"), &[]).await;
    let of_file = entry(&ada.get("/bin").await);
    let deleted = ada.post(&format!("/browse/{letters}/delete"), &[]).await;
    assert_eq!(deleted.location(), format!("/browse/{root}?said=said-deleted"));
    let asked = ada.post("/bin/put-back", &[("entry", &of_file)]).await;
    assert_eq!(asked.location(), format!("/to/put-back/binned/{of_file}"));
    assert!(ada.get(asked.location()).await.text().contains("Put it here"));
    let back = ada.post(asked.location(), &[("at", root.as_str())]).await;
    assert!(ada.get(back.location()).await.text().contains("<bdi>a.txt</bdi>"));
    assert_eq!(ada.post("/bin/empty", &[]).await.status, 303);
}

#[tokio::test]
async fn who_may_only_look_moves_and_deletes_nothing() {
    let world = World::new().await;
    let (mut ada, root, file) = begin(&world).await;
    let mut eve = world.browser_of("eve", Role::Viewer).await;
    assert_eq!(eve.post(&format!("/files/{file}/delete"), &[]).await.status, 403);
    assert_eq!(eve.post(&format!("/to/move/file/{file}"), &[("at", root.as_str())]).await.status, 403);
    assert_eq!(eve.post(&format!("/browse/{root}/delete"), &[]).await.status, 403);
    for path in [format!("/files/{file}/delete"), format!("/to/move/file/{file}"), "/bin/empty".to_owned()] {
        let request = http::Request::post(&path).header("sec-fetch-site", "cross-site");
        assert_eq!(ada.send(request, "").await.status, 403, "{path}");
    }
}

#[tokio::test]
async fn a_save_that_was_refused_is_its_authors_to_put_back() {
    let world = World::new().await;
    let (mut ada, root, file) = begin(&world).await;
    assert!(ada.get("/rescued").await.text().contains("No save of yours was refused"));
    let registry = &world.host.ports().registry;
    let user = registry.user_named("ada").await.unwrap();
    let id = lectern_host::records::ContentId::new(world.host.now(), [7; 10]);
    let stored = world.host.ports().contents.put(&id, full("unsaved"), 100).await.unwrap();
    let save = lectern_host::records::RescuedSave {
        content: id,
        file: file.clone(),
        file_name: lectern_host::wopi::FileName::parse("a.txt").unwrap(),
        user: user.id,
        client: None,
        size: stored.size,
        sha256: stored.sha256,
        reason: "the lock was <lost>".to_owned(),
        at: world.host.now(),
    };
    registry.add_rescued(&save).await.unwrap();
    let page = ada.get("/rescued").await;
    assert!(page.text().contains("&#60;lost&#62;"), "{}", page.text());
    assert_eq!(ada.get(&format!("/rescued/{id}")).await.text(), "unsaved");
    let mut eve = world.browser_of("eve", Role::Editor).await;
    assert_eq!(eve.get(&format!("/rescued/{id}")).await.status, 404, "nobody else's");
    let id = id.to_string();
    let back = ada.post("/rescued/put-back", &[("save", &id)]).await;
    assert_eq!(back.location(), format!("/browse/{root}?said=said-put-back"));
    assert_eq!(ada.get(&format!("/download/{file}")).await.text(), "a", "beside it, not over it");
    assert_eq!(ada.post("/rescued/discard", &[("save", "x")]).await.status, 400);
    let request = http::Request::post("/rescued/discard").header("origin", "null");
    assert_eq!(ada.send(request, "").await.status, 403);
}
