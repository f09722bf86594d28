//! Coauthoring: who is told of it, and what coauth locks mean to those who know only WOPI locks.

use std::time::Duration;

use lectern_host::access::Right;
use lectern_host::desk::NewLink;
use lectern_host::plus::SharingStatus;
use lectern_host::records::Role;
use lectern_host::sharing::{Item, Principal};
use serde_json::{Value, json};
use wopi::answer::EndPoints;

use crate::doors::{Door, File};
use crate::doubles::{discovery, key};
use crate::world::{SIGNING_CLIENT, World};

/// The eight properties that come together or not at all (protocol/coauth.md 2).
const EIGHT: [&str; 8] = [
    "SupportsCoauth",
    "SequenceNumber",
    "OfficeCollaborationServiceEndpointUrl",
    "RealTimeChannelEndpointUrl",
    "AccessTokenExpiry",
    "ServerTime",
    "SharingStatus",
    "FileGeoLocationCode",
];

/// A discovery document of a client that coauthors docx and half of xlsx.
fn coauthoring_discovery() -> String {
    let actions = r#"<action name="collab" ext="docx" urlsrc="https://office.example/ocs/?app=word&amp;&lt;ui=UI_LLCC&amp;&gt;"/>
        <action name="rtc" ext="docx" urlsrc="https://office.example/rtc2/"/>
        <action name="rtc" ext="xlsx" urlsrc="https://office.example/rtc2/"/></app>"#;
    discovery(Some(key(0)), Some(key(1))).replace("</app>", actions)
}

async fn coauthoring_world() -> World {
    let world = World::planned(|plan| plan.add_signing_client(Some(coauthoring_discovery()))).await;
    world.neighbour().writes("report.docx", b"first");
    world.neighbour().writes("sheet.xlsx", b"first");
    world
}

async fn signed(file: File) -> File {
    file.through(|door| door.signed_with(key(0), key(1)))
}

fn told(info: &Value) -> Vec<&'static str> {
    EIGHT.into_iter().filter(|property| info.get(property).is_some()).collect()
}

#[tokio::test]
async fn who_may_edit_in_a_client_that_coauthors_is_told_all_of_it() {
    let world = coauthoring_world().await;
    let alice = world.alice().await;
    let file = signed(alice.opens_in(Some(SIGNING_CLIENT), "report.docx").await).await;
    world.passes(Duration::from_secs(60));
    let info = file.info().await;
    let expiry = world.now_ms() - 60_000 + i64::try_from(alice.token_lifetime().as_millis()).unwrap();
    for (property, expected) in [
        ("SupportsCoauth", json!(true)),
        ("SequenceNumber", json!(file.version().await.parse::<u64>().unwrap())),
        ("OfficeCollaborationServiceEndpointUrl", json!("https://office.example/ocs/?app=word")),
        ("RealTimeChannelEndpointUrl", json!("https://office.example/rtc2/")),
        ("AccessTokenExpiry", json!(expiry)),
        ("ServerTime", json!(world.now_ms())),
        // Nobody else is there.
        ("SharingStatus", json!("Private")),
        ("FileGeoLocationCode", json!("")),
        ("SupportsResumableFileTransfer", json!(true)),
    ] {
        assert_eq!(info[property], expected, "{property}");
    }
}

#[tokio::test]
async fn everybody_else_is_told_nothing_of_it() {
    let world = coauthoring_world().await;
    let (alice, vera) = (world.alice().await, world.vera().await);
    let half = signed(alice.opens_in(Some(SIGNING_CLIENT), "sheet.xlsx").await).await;
    let looks = signed(vera.opens_in(Some(SIGNING_CLIENT), "report.docx").await).await;
    let elsewhere = alice.opens("report.docx").await;
    for (what, file) in [("half of it", half), ("a viewer", looks), ("a client without it", elsewhere)] {
        let info = file.info().await;
        assert_eq!(told(&info), Vec::<&str>::new(), "{what}");
        assert!(info.get("SupportsResumableFileTransfer").is_none(), "{what}");
    }
}

fn end_points() -> EndPoints {
    EndPoints {
        real_time_channel_endpoint_url: "https://rtc.example/".to_owned(),
        office_collaboration_service_endpoint_url: "https://ocs.example/".to_owned(),
    }
}

#[tokio::test]
async fn the_settings_win_over_what_clients_say() {
    let world = World::planned(|plan| {
        let coauth = &mut plan.settings.coauth;
        coauth.end_points = Some(end_points());
        coauth.sharing_status = Some(SharingStatus::Private);
        coauth.file_geo_location_code = "DEU".to_owned();
    })
    .await;
    world.neighbour().writes("notes.txt", b"any extension");
    let alice = world.alice().await;
    let info = alice.opens("notes.txt").await.info().await;
    assert_eq!(told(&info), EIGHT);
    assert_eq!(info["RealTimeChannelEndpointUrl"], "https://rtc.example/");
    assert_eq!((&info["SharingStatus"], &info["FileGeoLocationCode"]), (&json!("Private"), &json!("DEU")));
    assert_eq!(told(&alice.views("notes.txt").await.info().await), Vec::<&str>::new());

    // A fresh token brings the same end points (protocol/coauth.md 7).
    let file = alice.opens("notes.txt").await;
    let ask = |door: &Door| {
        door.question(http::Method::POST, "")
            .with("X-WOPI-EcosystemOperation", "GET_NEW_ACCESS_TOKEN")
            .with("X-WOPI-WopiSrc", file.address())
    };
    let fresh = ask(&alice.bootstrapper()).await.ok().json();
    let expected = json!({
        "RealTimeChannelEndpointUrl": "https://rtc.example/",
        "OfficeCollaborationServiceEndpointUrl": "https://ocs.example/",
    });
    assert_eq!(fresh["EndPoints"], expected);
    let vera = world.vera().await;
    assert!(ask(&vera.bootstrapper()).await.ok().json().get("EndPoints").is_none());
}

#[tokio::test]
async fn what_is_switched_off_is_not_there() {
    let world = World::planned(|plan| {
        plan.settings.coauth.enabled = false;
        plan.settings.coauth.end_points = Some(end_points());
    })
    .await;
    world.neighbour().writes("report.docx", b"first");
    let file = world.alice().await.opens("report.docx").await;
    assert_eq!(told(&file.info().await), Vec::<&str>::new());
    for operation in [
        "GET_COAUTH_LOCK",
        "REFRESH_COAUTH_LOCK",
        "UNLOCK_COAUTH_LOCK",
        "GET_COAUTH_TABLE",
        "GET_SEQUENCE_NUMBER",
        "GET_CHUNKED_FILE",
        "GET_CHUNKS",
        "CREATE_UPLOAD_SESSION",
        "UPDATE_UPLOAD_SESSION",
    ] {
        file.post("", operation).await.answered(501);
    }
    file.post("/contents", "PUT_CHUNKED_FILE").await.answered(501);
}

/// To a client that knows only WOPI locks, a file under coauth locks is held by something it cannot be shown.
#[tokio::test]
async fn whoever_knows_only_wopi_locks_meets_something_else() {
    let world = World::with_file("report.docx", b"first").await;
    let (alice, bob) = (world.alice().await.opens("report.docx").await, world.bob().await.opens("report.docx").await);
    let table = alice.coauth_lock("one", "Coauth").await.ok();
    assert_eq!(table.json()["CoauthTable"][0]["UserFriendlyName"], "Alice");
    assert!(table.header("X-WOPI-CoauthTableVersion").is_some_and(|version| !version.is_empty()));
    bob.coauth_lock("two", "CoauthExclusive").await.ok();
    for refused in [
        bob.lock("A").await,
        bob.get_lock().await,
        bob.refresh_lock("A").await,
        bob.unlock("A").await,
        bob.unlock_and_relock("A", "B").await,
        bob.put_file(b"second").under("A").await,
        bob.rename("other").await,
        bob.delete().await,
    ] {
        assert_eq!((refused.status, refused.header("X-WOPI-Lock")), (409, None), "{refused:?}");
    }
    assert_eq!(world.rescued().await.iter().map(|(_, bytes)| &**bytes).collect::<Vec<_>>(), [b"second"]);
    // It is a lock of the file: it outlives the server, and runs out by itself.
    world.crashes().await;
    bob.lock("A").await.answered(409);
    world.passes(Duration::from_secs(600));
    bob.lock("A").await.ok();
}

/// What is refused says why, in the headers that the protocol has for it.
#[tokio::test]
async fn every_refusal_says_why() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    let reason = |answer: &crate::answer::Answer| answer.header("X-WOPI-FailureReason").unwrap_or_default().to_owned();
    file.coauth_lock("one", "CoauthExclusive").await.ok();
    assert!(!reason(&file.coauth_lock("two", "CoauthExclusive").await.answered(409)).is_empty());
    let bad = file.put_chunked(1, "one", b"no frames").await.answered(400);
    assert!(reason(&bad).contains("frame"), "{bad:?}");
    let gone = file.update_upload("unknown", 0, b"x").await.answered(410);
    assert_eq!(reason(&gone), "there is no such upload");
    let stale = file.put_chunked(7, "one", b"").await.answered(412);
    assert_eq!((stale.header("X-WOPI-SequenceNumber"), &stale.body[..]), (Some("1"), &b""[..]));
    let other = file.put_chunked(1, "two", b"").await.answered(409);
    assert_eq!(other.header("X-WOPI-ConflictingMechanism"), Some("WOPI-CoauthExclusiveLock"));
    assert_eq!(other.body, b""[..]);
}

#[tokio::test]
async fn a_file_is_private_until_somebody_else_may_open_it() {
    let world = World::planned(|plan| plan.settings.coauth.end_points = Some(end_points())).await;
    world.neighbour().writes("notes.docx", b"a");
    let (alice, bob) = (world.alice().await, world.bob().await);
    alice.becomes(Role::Administrator).await;
    bob.becomes(Role::Member).await;
    let open = alice.opens("notes.docx").await;
    let told = async || open.info().await["SharingStatus"].as_str().unwrap().to_owned();
    let item = Item::File(open.file_id());
    assert_eq!(told().await, "Private");
    let host = world.host();
    let desk = host.desk(alice.session()).await.unwrap();
    desk.share(&item, &Principal::User(bob.user.id.clone()), Right::View).await.unwrap();
    assert_eq!(told().await, "Shared");
    desk.unshare(&item, &Principal::User(bob.user.id.clone())).await.unwrap();
    assert_eq!(told().await, "Private");
    let (link, _) = desk.new_link(&item, &NewLink::default()).await.unwrap();
    assert_eq!(told().await, "Shared");
    desk.revoke_link(&link).await.unwrap();
    assert_eq!(told().await, "Private");
    bob.becomes(Role::Viewer).await;
    assert_eq!(told().await, "Shared");
    bob.becomes(Role::Member).await;
    world.passes(std::time::Duration::from_secs(10));
    assert_eq!(told().await, "Private");
}
