//! Containers: the folders of the folder, as Office on phones sees them.

use serde_json::json;

use crate::doors::{Container, Door, File, names};
use crate::world::World;

/// A root with two letters in a container, and a report.
async fn a_world_of_letters() -> World {
    let world = World::with_file("report.docx", b"report").await;
    world.neighbour().makes_folder("letters");
    world.neighbour().writes("letters/one.docx", b"one");
    world.neighbour().writes("letters/two.xlsx", b"two.");
    world
}

#[tokio::test]
async fn the_root_is_the_folder_and_all_that_an_editor_is_told_of_it() {
    let world = a_world_of_letters().await;
    let root = world.alice().await.root().await;
    assert_eq!(
        root.check_container_info().await.ok().json(),
        json!({
            "Name": "documents",
            "HostUrl": format!("https://docs.example/browse/{}/view", root.id()),
            "IsAnonymousUser": false,
            "IsEduUser": false,
            "LicenseCheckForEditIsEnabled": false,
            "SupportedShareUrlTypes": ["ReadOnly", "ReadWrite"],
            "UserCanCreateChildContainer": true,
            "UserCanCreateChildFile": true,
            "UserCanDelete": false,
            "UserCanRename": true,
        })
    );
    let letters = root.enters("letters").await;
    let info = letters.check_container_info().await.ok().json();
    assert_eq!((&info["Name"], &info["UserCanDelete"]), (&json!("letters"), &json!(true)));
}

#[tokio::test]
async fn children_are_told_as_check_file_info_and_check_container_info_tell_them() {
    let world = a_world_of_letters().await;
    let letters = world.alice().await.root().await.enters("letters").await;
    letters.opens("one.docx").await.saves(b"one, revised").await;
    let children = letters.enumerate_children().await.ok().json();
    assert_eq!(children["ChildContainers"], json!([]));
    assert_eq!(names(&children["ChildFiles"]), ["one.docx", "two.xlsx"]);
    for child in children["ChildFiles"].as_array().unwrap() {
        let file = File::new(Door::at(&world, child["Url"].as_str().unwrap()));
        let info = file.info().await;
        for (told, known) in [
            ("Name", "BaseFileName"),
            ("Version", "Version"),
            ("Size", "Size"),
            ("LastModifiedTime", "LastModifiedTime"),
        ] {
            assert_eq!(child[told], info[known], "{told} of {child}");
        }
    }
}

#[tokio::test]
async fn a_filter_of_extensions_hides_files_and_never_containers() {
    let world = a_world_of_letters().await;
    world.neighbour().writes("table.XLSX", b"table");
    world.neighbour().writes("notes", b"no extension");
    let root = world.alice().await.root().await;
    for (filter, files) in [
        (".docx", &["report.docx"][..]),
        (".xlsx", &["table.XLSX"]),
        (".DOCX,.xlsx", &["report.docx", "table.XLSX"]),
        (" .docx , xlsx,", &["report.docx", "table.XLSX"]),
        (".pptx", &[]),
        ("", &["notes", "report.docx", "table.XLSX"]),
    ] {
        let answer = root.enumerate_children().with("X-WOPI-FileExtensionFilterList", filter).await.ok().json();
        assert_eq!(names(&answer["ChildFiles"]), files, "{filter}");
        assert_eq!(names(&answer["ChildContainers"]), ["letters"], "{filter}");
    }
}

#[tokio::test]
async fn ancestors_come_with_the_root_first_and_lead_there() {
    let world = a_world_of_letters().await;
    world.neighbour().makes_folder("letters/old");
    world.neighbour().writes("letters/old/zero.docx", b"zero");
    let root = world.alice().await.root().await;
    let letters = root.enters("letters").await;
    let old = letters.enters("old").await;
    let zero = old.opens("zero.docx").await;
    let above = |answer: &crate::answer::Answer| names(&answer.json()["AncestorsWithRootFirst"]);
    assert_eq!(above(&root.ancestors().await.ok()), Vec::<String>::new());
    assert_eq!(above(&letters.ancestors().await.ok()), ["documents"]);
    assert_eq!(above(&old.ancestors().await.ok()), ["documents", "letters"]);
    let of_file = zero.ancestors().await.ok();
    assert_eq!(above(&of_file), ["documents", "letters", "old"]);
    let parent = Container::new(Door::at(&world, &of_file.text("/AncestorsWithRootFirst/2/Url")));
    assert_eq!(parent.address(), old.address());
    assert_eq!(parent.files().await, ["zero.docx"]);
}

// ── making ──

#[tokio::test]
async fn a_container_is_made_with_this_name_or_one_near_it() {
    let world = a_world_of_letters().await;
    let root = world.alice().await.root().await;
    let made = root.create_container("bills").await.ok();
    assert_eq!(made.text("/ContainerPointer/Name"), "bills");
    let bills = Container::new(Door::at(&world, &made.text("/ContainerPointer/Url")));
    assert_eq!(bills.check_container_info().await.ok().json(), made.json()["ContainerInfo"]);
    root.create_container("bills").await.answered(409);
    root.create_container("report.docx").await.answered(409);
    for (suggested, name) in [("bills", "bills (2)"), ("a/b", "b"), ("what?", "what-"), (".hidden", "hidden")] {
        let made = root.create_container_near(suggested).await.ok();
        assert_eq!(made.text("/ContainerPointer/Name"), name, "{suggested}");
    }
    let refused = root.create_container("a/b").await.answered(400);
    assert!(refused.header("X-WOPI-InvalidContainerNameError").is_some());
    root.create_container(&refused.valid_target()).await.ok();
    assert_eq!(
        world.neighbour().lists(""),
        ["a-b", "b", "bills", "bills (2)", "hidden", "letters", "report.docx", "what-"]
    );
}

#[tokio::test]
async fn a_file_is_made_empty_and_is_filled_without_a_lock() {
    let world = a_world_of_letters().await;
    let alice = world.alice().await;
    let letters = alice.root().await.enters("letters").await;
    let made = letters.create_file("three.docx").await.ok();
    assert_eq!(made.text("/Name"), "three.docx");
    let three = File::new(Door::at(&world, &made.text("/Url")));
    assert_eq!(made.text("/HostEditNewUrl"), format!("https://docs.example/open/{}/edit", three.id()));
    let info = three.info().await;
    assert_eq!((&info["Size"], &info["OwnerId"]), (&json!(0), &json!(alice.user.id.as_str())));
    three.put_file(b"a template").await.ok();
    assert_eq!(world.neighbour().sees("letters/three.docx"), b"a template");
    for (suggested, name) in [("three.docx", "three (2).docx"), (".xlsx", "Document.xlsx"), ("x/y.odt", "y.odt")] {
        assert_eq!(letters.create_file_near(suggested).await.ok().text("/Name"), name, "{suggested}");
    }
    assert_eq!(letters.create_file("three.docx").await.answered(409).valid_target(), "three (3).docx");
    assert!(letters.create_file("a:b.docx").await.answered(400).header("X-WOPI-InvalidFileNameError").is_some());
}

#[tokio::test]
async fn a_file_may_be_made_over_another_one_unless_somebody_holds_that() {
    let world = a_world_of_letters().await;
    let letters = world.alice().await.root().await.enters("letters").await;
    let one = letters.opens("one.docx").await;
    let overwrite = || letters.create_file("one.docx").with("X-WOPI-OverwriteRelativeTarget", "true");
    one.lock("A").await.ok();
    overwrite().await.refused_with("A");
    one.unlock("A").await.ok();
    overwrite().await.ok();
    assert_eq!((one.bytes().await, world.neighbour().sees("letters/one.docx")), (vec![], vec![]));
    assert_eq!(world.history(&one.file_id()).await, [(1, b"one".to_vec())]);
}

/// Stricter than PutRelativeFile, and the validator wants it so (protocol/containers.md 3).
#[tokio::test]
async fn two_targets_are_not_supported_and_none_is_a_bad_request() {
    let world = a_world_of_letters().await;
    let root = world.alice().await.root().await;
    root.create_container("a").with("X-WOPI-SuggestedTarget", "b").await.answered(501);
    root.create_file("a.docx").with("X-WOPI-SuggestedTarget", "b.docx").await.answered(501);
    root.post("", "CREATE_CHILD_CONTAINER").await.answered(400);
    root.post("", "CREATE_CHILD_FILE").await.answered(400);
    assert_eq!(world.neighbour().lists(""), ["letters", "report.docx"]);
}

// ── renaming and removing ──

#[tokio::test]
async fn renaming_a_container_keeps_its_id_and_those_of_all_that_is_in_it() {
    let world = a_world_of_letters().await;
    let root = world.alice().await.root().await;
    let letters = root.enters("letters").await;
    let one = letters.opens("one.docx").await;
    one.lock("A").await.ok();
    assert_eq!(letters.rename("post").await.ok().json(), json!({ "Name": "post" }));
    assert_eq!(letters.check_container_info().await.ok().text("/Name"), "post");
    assert_eq!(root.enters("post").await.address(), letters.address());
    assert_eq!(letters.opens("one.docx").await.address(), one.address());
    one.get_lock().await.holds("A");
    one.put_file(b"one, revised").under("A").await.ok();
    assert_eq!(world.neighbour().sees("post/one.docx"), b"one, revised");
    assert_eq!(world.neighbour().lists(""), ["post", "report.docx"]);
    world.crashes().await;
    world.scans().await;
    assert_eq!(letters.files().await, ["one.docx", "two.xlsx"]);
}

#[tokio::test]
async fn a_container_is_not_renamed_to_a_name_that_is_taken_or_none() {
    let world = a_world_of_letters().await;
    world.neighbour().makes_folder("bills");
    let root = world.alice().await.root().await;
    let letters = root.enters("letters").await;
    letters.rename("bills").await.answered(409);
    letters.rename("report.docx").await.answered(409);
    world.neighbour().makes_folder("just made");
    letters.rename("just made").await.answered(409);
    for illegal in ["a/b", "..", ".hidden", "what?"] {
        let refused = letters.rename(illegal).await.answered(400);
        assert!(refused.header("X-WOPI-InvalidContainerNameError").is_some(), "{illegal}");
    }
    letters.post("", "RENAME_CONTAINER").await.answered(400);
    letters.rename("letters").await.ok();
    assert_eq!(letters.files().await, ["one.docx", "two.xlsx"]);
}

#[tokio::test]
async fn the_root_gets_another_name_for_people_and_its_folder_stays() {
    let world = a_world_of_letters().await;
    let root = world.alice().await.root().await;
    root.rename("Papers").await.ok();
    assert_eq!(root.check_container_info().await.ok().text("/Name"), "Papers");
    assert_eq!(root.opens("report.docx").await.info().await["BreadcrumbFolderName"], "Papers");
    assert_eq!(world.neighbour().lists(""), ["letters", "report.docx"]);
    root.delete().await.answered(501);
}

#[tokio::test]
async fn only_an_empty_container_is_removed() {
    let world = a_world_of_letters().await;
    let root = world.alice().await.root().await;
    let letters = root.enters("letters").await;
    letters.delete().await.answered(409);
    for name in ["one.docx", "two.xlsx"] {
        letters.opens(name).await.delete().await.ok();
    }
    world.neighbour().writes("letters/came a moment ago.docx", b"x");
    letters.delete().await.answered(409);
    world.neighbour().removes("letters/came a moment ago.docx");
    world.neighbour().writes("letters/.hidden", b"what nobody is offered is somebody's all the same");
    letters.delete().await.answered(409);
    world.neighbour().removes("letters/.hidden");
    letters.delete().await.ok();
    letters.check_container_info().await.answered(404);
    assert_eq!((root.containers().await, world.neighbour().finds("letters")), (vec![], false));
    assert_eq!(world.kept_contents().await, 2, "the bytes of what was in it are kept");
}

// ── people ──

#[tokio::test]
async fn a_viewer_looks_into_containers_and_changes_nothing() {
    let world = a_world_of_letters().await;
    let root = world.vera().await.root().await;
    let info = root.enters("letters").await.check_container_info().await.ok().json();
    for right in ["UserCanCreateChildContainer", "UserCanCreateChildFile", "UserCanDelete", "UserCanRename"] {
        assert_eq!(info[right], json!(false), "{right}");
    }
    let letters = root.enters("letters").await;
    assert_eq!(letters.files().await, ["one.docx", "two.xlsx"]);
    for question in [
        letters.create_container("x"),
        letters.create_container_near("x"),
        letters.create_file("x.docx"),
        letters.create_file_near("x.docx"),
        letters.rename("x"),
        letters.delete(),
    ] {
        question.await.answered(404);
    }
    assert_eq!(world.neighbour().lists("letters"), ["one.docx", "two.xlsx"]);
}

#[tokio::test]
async fn the_token_of_a_container_opens_this_container_only() {
    let world = a_world_of_letters().await;
    let root = world.alice().await.root().await;
    let letters = root.enters("letters").await;
    letters.with_token(&root.token).get("").await.answered(401);
    root.with_token(&letters.token).get("").await.answered(401);
    let file = letters.opens("one.docx").await;
    file.with_token(&letters.token).get("").await.answered(401);
    letters.with_token("nonsense").get("").await.answered(401);
}

#[tokio::test]
async fn what_else_a_container_answers() {
    let world = a_world_of_letters().await;
    let letters = world.alice().await.root().await.enters("letters").await;
    let ask = |kind: &str| letters.post("", "GET_SHARE_URL").with("X-WOPI-UrlType", kind);
    let page = |mode: &str| format!("https://docs.example/browse/{}/{mode}", letters.id());
    assert_eq!(ask("ReadOnly").await.ok().text("/ShareUrl"), page("view"));
    assert_eq!(ask("ReadWrite").await.ok().text("/ShareUrl"), page("edit"));
    ask("Secret").await.answered(501);
    let ecosystem = Door::at(&world, &letters.get("/ecosystem_pointer").await.ok().text("/Url"));
    ecosystem.get("").await.ok();
    letters.post("", "NO_SUCH_OPERATION").await.answered(501);
    letters.question(http::Method::DELETE, "").await.answered(501);
    letters.get("/nothing").await.answered(404);
    letters.opens("one.docx").await.get("/children").await.answered(404);
}
