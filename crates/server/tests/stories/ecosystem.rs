//! The ecosystem: where a client begins that has no file yet.

use serde_json::json;

use crate::doors::{Door, Ecosystem, File};
use crate::world::World;

#[tokio::test]
async fn the_ecosystem_says_that_there_are_containers_and_where_they_begin() {
    let world = World::with_file("report.docx", b"first").await;
    let ecosystem = world.alice().await.ecosystem();
    assert_eq!(ecosystem.check().await.ok().json(), json!({ "SupportsContainers": true }));
    let root = ecosystem.root().await.ok();
    assert_eq!(root.text("/ContainerPointer/Name"), "documents");
    let info = Door::at(&world, &root.text("/ContainerPointer/Url")).get("").await.ok().json();
    assert_eq!(root.json()["ContainerInfo"], info);
}

#[tokio::test]
async fn a_file_leads_to_the_ecosystem_and_that_to_the_file() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    let url = file.get("/ecosystem_pointer").await.ok().text("/Url");
    let ecosystem = Ecosystem::new(Door::at(&world, &url));
    let share = file.post("", "GET_SHARE_URL").with("X-WOPI-UrlType", "ReadOnly").await.ok().text("/ShareUrl");
    let pages = ["view", "edit"].map(|mode| format!("https://docs.example/open/{}/{mode}", file.id()));
    for name in [&share, &pages[0], &pages[1], &file.address()] {
        let found = File::new(Door::at(&world, &ecosystem.file_wopi_src(name).await.ok().text("/Url")));
        assert_eq!(found.address(), file.address(), "by {name}");
        assert_eq!(found.name().await, "report.docx");
    }
}

#[tokio::test]
async fn an_address_that_is_none_of_ours_leads_nowhere() {
    let world = World::with_file("report.docx", b"first").await;
    let alice = world.alice().await;
    let (ecosystem, file) = (alice.ecosystem(), alice.opens("report.docx").await);
    let root = alice.root().await;
    for name in [
        &file.address().replace("docs.example", "evil.example"),
        &root.address(),
        "report.docx",
        "https://docs.example/open/nothing/view",
    ] {
        ecosystem.file_wopi_src(name).await.answered(404);
    }
    ecosystem.post("", "GET_WOPI_SRC_WITH_ACCESS_TOKEN").await.answered(400);
    file.delete().await.ok();
    ecosystem.file_wopi_src(&file.address()).await.answered(404);
    ecosystem.post("", "NO_SUCH_OPERATION").await.answered(501);
    ecosystem.get("/nothing").await.answered(404);
}

#[tokio::test]
async fn a_token_of_a_file_does_not_open_the_ecosystem_nor_the_other_way_around() {
    let world = World::with_file("report.docx", b"first").await;
    let alice = world.alice().await;
    let (ecosystem, file) = (alice.ecosystem(), alice.opens("report.docx").await);
    ecosystem.with_token(&file.token).get("").await.answered(401);
    file.with_token(&ecosystem.token).get("").await.answered(401);
}

#[tokio::test]
async fn what_comes_out_of_a_viewers_ecosystem_is_a_viewers() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    let found = world.vera().await.ecosystem().file_wopi_src(&file.address()).await.ok();
    let theirs = File::new(Door::at(&world, &found.text("/Url")));
    assert_eq!(theirs.bytes().await, b"first");
    theirs.lock("V").await.answered(404);
}

/// OneNote's folders are not offered; CheckFolderInfo has no 501 among its answers (protocol/files.md 15).
#[tokio::test]
async fn folders_of_onenote_are_not_offered() {
    let world = World::with_file("report.docx", b"first").await;
    let root = world.alice().await.root().await;
    let folder = Door::new(&world, &root.address().replace("/containers/", "/folders/"), &root.token);
    folder.get("").await.answered(404);
    folder.get("/children").await.answered(501);
}
