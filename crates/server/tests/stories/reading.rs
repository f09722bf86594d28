//! Reading: CheckFileInfo and GetFile.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::json;

use crate::world::World;

fn sha256(bytes: &[u8]) -> String {
    STANDARD.encode(digest(&SHA256, bytes))
}

#[tokio::test]
async fn all_that_an_editor_is_told_of_a_file() {
    let world = World::with_file("report.docx", b"first").await;
    let alice = world.alice().await;
    let file = alice.opens("report.docx").await;
    let mut info = file.info().await;
    // Addresses of pages have ids in them.
    for (property, page) in [
        ("BreadcrumbBrandUrl", "https://docs.example/"),
        ("BreadcrumbFolderUrl", "https://docs.example/browse/"),
        ("CloseUrl", "https://docs.example/browse/"),
        ("FileSharingUrl", "https://docs.example/details/"),
        ("FileVersionUrl", "https://docs.example/details/"),
        ("HostEditUrl", "https://docs.example/open/"),
        ("HostViewUrl", "https://docs.example/open/"),
    ] {
        let told = info.as_object_mut().unwrap().remove(property).unwrap_or_default();
        assert!(told.as_str().is_some_and(|told| told.starts_with(page)), "{property}: {told}");
    }
    assert_eq!(
        info,
        json!({
            "BaseFileName": "report.docx",
            "BreadcrumbBrandName": "Lectern",
            "BreadcrumbDocName": "report",
            "BreadcrumbFolderName": "documents",
            "ClosePostMessage": true,
            "EditModePostMessage": true,
            "EnableInsertRemoteImage": true,
            "EnableShare": true,
            "FileExtension": ".docx",
            "FileNameMaxLength": 242,
            "FileSharingPostMessage": true,
            "FileVersionPostMessage": true,
            "IsAnonymousUser": false,
            "IsEduUser": false,
            "LastModifiedTime": "2026-03-02T08:00:00.0000000Z",
            "LicenseCheckForEditIsEnabled": false,
            "OwnerId": "folder",
            "PostMessageOrigin": "https://docs.example",
            "ReadOnly": false,
            "SHA256": sha256(b"first"),
            "Size": 5,
            "SupportedShareUrlTypes": ["ReadOnly", "ReadWrite"],
            "SupportsAddActivities": true,
            "SupportsContainers": true,
            "SupportsDeleteFile": true,
            "SupportsEcosystem": true,
            "SupportsExtendedLockLength": true,
            "SupportsGetFileWopiSrc": true,
            "SupportsGetLock": true,
            "SupportsLocks": true,
            "SupportsRename": true,
            "SupportsUpdate": true,
            "SupportsUserInfo": true,
            "UserCanNotWriteRelative": false,
            "UserCanRename": true,
            "UserCanReview": true,
            "UserCanWrite": true,
            "UserFriendlyName": "Alice",
            "UserId": alice.user.id.as_str(),
            "Version": "1",
        })
    );
}

#[tokio::test]
async fn whoever_may_only_look_is_told_so_in_every_property() {
    let world = World::with_file("report.docx", b"first").await;
    let looking = [world.vera().await.opens("report.docx").await, world.alice().await.views("report.docx").await];
    for file in looking {
        let info = file.info().await;
        for (property, value) in [
            ("UserCanWrite", false),
            ("UserCanRename", false),
            ("UserCanReview", false),
            ("ReadOnly", true),
            ("UserCanNotWriteRelative", true),
        ] {
            assert_eq!(info[property], json!(value), "{property} in {info}");
        }
        assert_eq!(file.bytes().await, b"first");
    }
}

#[tokio::test]
async fn flags_promise_what_was_not_switched_off() {
    let world = World::planned(|plan| (plan.settings.containers, plan.settings.relative_writes) = (false, false)).await;
    world.neighbour().writes("report.docx", b"first");
    let alice = world.alice().await;
    let file = alice.opens("report.docx").await;
    let info = file.info().await;
    for property in ["SupportsContainers", "SupportsEcosystem", "SupportsGetFileWopiSrc"] {
        assert_ne!(info.get(property), Some(&json!(true)), "{property} in {info}");
    }
    assert_eq!(info["UserCanNotWriteRelative"], json!(true));
    file.put_near("copy.docx", b"x").await.answered(501);
    file.ancestors().await.answered(501);
    file.get("/ecosystem_pointer").await.answered(501);
    alice.ecosystem().check().await.answered(501);
}

#[tokio::test]
async fn what_a_client_stored_for_a_user_comes_back_with_every_file_and_to_nobody_else() {
    let world = World::with_file("one.docx", b"one").await;
    world.neighbour().writes("two.docx", b"two");
    let (alice, vera) = (world.alice().await, world.vera().await);
    let one = alice.opens("one.docx").await;
    one.post("", "PUT_USER_INFO").body(b"first run done").await.ok();
    assert_eq!(alice.opens("two.docx").await.info().await["UserInfo"], "first run done");
    let hers = vera.opens("one.docx").await;
    assert!(hers.info().await.get("UserInfo").is_none());
    hers.post("", "PUT_USER_INFO").body("Überblick".as_bytes()).await.ok();
    assert_eq!(hers.info().await["UserInfo"], "Überblick", "a viewer has one, too");
    one.post("", "PUT_USER_INFO").body(&[b'x'; 1024]).await.ok();
    one.post("", "PUT_USER_INFO").body(&[b'x'; 1025]).await.answered(413);
    assert_eq!(one.info().await["UserInfo"], "x".repeat(1024));
}

// ── bytes ──

#[tokio::test]
async fn the_bytes_are_nothing_that_a_browser_would_show() {
    let world = World::with_file("page.html", b"<script>alert(1)</script>").await;
    let file = world.alice().await.opens("page.html").await;
    let answer = file.get_file().await.ok();
    assert_eq!(answer.header("Content-Type"), Some("application/octet-stream"));
    assert_eq!(answer.header("Content-Disposition"), Some("attachment"));
    assert_eq!(answer.version(), file.version().await);
    assert_eq!(&*answer.body, b"<script>alert(1)</script>");
}

#[tokio::test]
async fn reading_never_asks_for_a_lock() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    file.lock("A").await.ok();
    file.get_file().await.ok();
    file.get_file().under("B").await.ok();
    file.check_file_info().under("B").await.ok();
}

#[tokio::test]
async fn a_part_of_a_file_is_given_as_a_part() {
    let world = World::with_file("digits.txt", b"0123456789").await;
    let file = world.alice().await.opens("digits.txt").await;
    for (asked, bytes, told) in [
        ("bytes=0-3", "0123", "bytes 0-3/10"),
        ("bytes=4-4", "4", "bytes 4-4/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=7-99", "789", "bytes 7-9/10"),
        ("bytes=-4", "6789", "bytes 6-9/10"),
        ("bytes=-99", "0123456789", "bytes 0-9/10"),
    ] {
        let answer = file.get_file().with("Range", asked).await.answered(206);
        assert_eq!((&*answer.body, answer.header("Content-Range")), (bytes.as_bytes(), Some(told)), "{asked}");
    }
}

#[tokio::test]
async fn a_part_that_lies_beyond_the_end_is_refused_with_the_size() {
    let world = World::with_file("digits.txt", b"0123456789").await;
    world.neighbour().writes("empty.txt", b"");
    let alice = world.alice().await;
    let (digits, empty) = (alice.opens("digits.txt").await, alice.opens("empty.txt").await);
    for (file, asked, told) in [
        (&digits, "bytes=10-", "bytes */10"),
        (&digits, "bytes=99-100", "bytes */10"),
        (&digits, "bytes=-0", "bytes */10"),
        (&empty, "bytes=0-", "bytes */0"),
    ] {
        let answer = file.get_file().with("Range", asked).await.answered(416);
        assert_eq!(answer.header("Content-Range"), Some(told), "{asked}");
    }
}

#[tokio::test]
async fn a_range_that_nobody_understands_is_answered_with_the_whole_file() {
    let world = World::with_file("digits.txt", b"0123456789").await;
    let file = world.alice().await.opens("digits.txt").await;
    for asked in ["bytes=0-1,4-5", "bytes=5-2", "lines=1-2", "bytes", "bytes=x-y"] {
        let answer = file.get_file().with("Range", asked).await.ok();
        assert_eq!((answer.body.len(), answer.header("Content-Range")), (10, None), "{asked}");
    }
}

#[tokio::test]
async fn a_file_larger_than_the_client_expects_is_refused() {
    let world = World::with_file("digits.txt", b"0123456789").await;
    let file = world.alice().await.opens("digits.txt").await;
    let at_most = |size: &str| file.get_file().with("X-WOPI-MaxExpectedSize", size);
    at_most("9").await.answered(412);
    at_most("9").with("Range", "bytes=0-3").await.answered(412);
    at_most("10").await.ok();
    at_most("99999999999").await.ok();
    at_most("ten").await.answered(400);
}

#[tokio::test]
async fn only_the_methods_of_wopi_lead_to_a_file() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    for method in [Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS, Method::PATCH] {
        for below in ["", "/contents"] {
            file.question(method.clone(), below).await.answered(501);
        }
    }
    file.post("", "NO_SUCH_OPERATION").await.answered(501);
    file.question(Method::POST, "/contents").await.answered(501);
    file.get("/nothing").await.answered(404);
    file.get("/").await.answered(404);
    assert_eq!(file.bytes().await, b"first");
}

#[tokio::test]
async fn a_file_that_does_not_exist_is_not_found_even_with_a_token_for_it() {
    let world = World::with_file("report.docx", b"first").await;
    let alice = world.alice().await;
    let file = alice.opens("report.docx").await;
    file.delete().await.ok();
    for question in [file.check_file_info(), file.get_file(), file.get_lock(), file.lock("A"), file.put_file(b"x")] {
        question.await.answered(404);
    }
}

// ── SHA256 ──

#[tokio::test]
async fn the_hash_is_right_whoever_wrote_the_bytes() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    assert_eq!(file.info().await["SHA256"], sha256(b"first"));
    world.neighbour().replaces("report.docx", b"by another program");
    assert_eq!(file.info().await["SHA256"], sha256(b"by another program"));
    world.neighbour().writes("report.docx", b"and once more, in place");
    assert_eq!(file.info().await["SHA256"], sha256(b"and once more, in place"));
    file.saves(b"through us").await;
    assert_eq!(file.info().await["SHA256"], sha256(b"through us"));
}

#[tokio::test]
async fn a_file_too_large_to_be_hashed_at_once_has_no_hash_until_it_is_saved_through_us() {
    let world = World::planned(|plan| plan.settings.hash_inline_bytes_max = 10).await;
    world.neighbour().writes("small.docx", b"ten bytes.");
    world.neighbour().writes("large.docx", b"eleven byte");
    let alice = world.alice().await;
    let (small, large) = (alice.opens("small.docx").await, alice.opens("large.docx").await);
    assert_eq!(small.info().await["SHA256"], sha256(b"ten bytes."));
    assert!(large.info().await.get("SHA256").is_none());
    large.saves(b"larger than before").await;
    assert_eq!(large.info().await["SHA256"], sha256(b"larger than before"));
}

// ── what else clients ask of a file ──

#[tokio::test]
async fn a_share_url_leads_to_a_page_of_ours_and_is_of_a_known_type() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    let ask = |kind: &str| file.post("", "GET_SHARE_URL").with("X-WOPI-UrlType", kind);
    let (view, edit) = (ask("ReadOnly").await.ok(), ask("ReadWrite").await.ok());
    let page = |mode: &str| format!("https://docs.example/open/{}/{mode}", file.id());
    assert_eq!((view.text("/ShareUrl"), edit.text("/ShareUrl")), (page("view"), page("edit")));
    ask("Secret").await.answered(501);
    file.post("", "GET_SHARE_URL").await.answered(501);
}

#[tokio::test]
async fn activities_are_answered_one_by_one_and_comments_are_kept() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    let activities = json!({ "Activities": [
        { "Type": "comment", "Id": "One", "Data": { "ContentId": "7", "ContentAction": "created" } },
        { "Type": "applause", "Id": "Two" },
    ]});
    let answer = file.post("", "ADD_ACTIVITIES").body(activities.to_string().as_bytes()).await.ok().json();
    assert_eq!(answer, json!({ "ActivityResponses": [{ "Id": "One", "Status": 0 }, { "Id": "Two", "Status": 3 }] }));
    let kept = world.host().ports().registry.activities(&file.file_id(), 10).await.unwrap();
    assert_eq!(kept.len(), 1);
    file.post("", "ADD_ACTIVITIES").body(b"no JSON").await.answered(400);
}

#[tokio::test]
async fn what_no_file_of_ours_has_is_not_supported() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    file.post("", "COBALT").await.answered(501);
    file.post("", "READ_SECURE_STORE").with("X-WOPI-ApplicationId", "x").await.answered(501);
    file.post("", "GET_RESTRICTED_LINK").with("X-WOPI-RestrictedLink", "FORMS").await.answered(501);
    file.post("", "REVOKE_RESTRICTED_LINK").with("X-WOPI-RestrictedLink", "FORMS").await.answered(501);
}
