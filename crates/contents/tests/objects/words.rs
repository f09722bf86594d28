//! What `check` says, and signed URLs.

use std::time::Duration;

use lectern_conformance::contents::{bytes, fresh_id, ids, put};
use lectern_conformance::servers::{Fault, S3, Wanted};
use lectern_contents::Objects;
use lectern_contents::objects::{
    AzureCredentials, AzureSettings, S3Credentials, S3Settings, StoreProblem, StoreSettings,
};
use lectern_host::ports::Contents as _;

use crate::{Server, objects, s3};

#[tokio::test]
async fn a_store_that_works_has_nothing_to_complain_of_and_keeps_nothing_of_the_check() {
    let root = tempfile::tempdir().unwrap();
    let all = Server::all().await;
    let directory = objects(StoreSettings::Directory(root.path().to_owned()));
    for objects in all.iter().map(Server::objects).chain([directory]) {
        objects.check().await.unwrap();
        objects.ready().await.unwrap();
        assert_eq!(ids(&objects).await, []);
        objects.settled().await;
    }
    assert_eq!(walk(root.path()), 0);
    let Server::S3(server) = &all[0] else { panic!("it is the first") };
    assert_eq!(server.unfinished_uploads(), 0);
}

/// How many files there are below a directory.
fn walk(directory: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { walk(&path) } else { 1 }).sum()
}

async fn problem(objects: &Objects) -> StoreProblem {
    objects.check().await.unwrap_err()
}

fn said(problem: &StoreProblem) -> String {
    let cause = std::error::Error::source(problem).map(ToString::to_string).unwrap_or_default();
    format!("{problem} | {cause} | {}", problem.hint().unwrap_or_default())
}

#[tokio::test]
async fn what_is_wrong_is_said_in_words() {
    let mut server = S3::start().await;
    let name = |text: &str| text.to_owned();
    let wrong_bucket = S3Settings { bucket: name("elsewhere"), ..s3(&server) };
    let wrong_key = |id: &str, secret: &str| {
        let credentials = S3Credentials::Key { id: name(id), secret: name(secret), session_token: None };
        S3Settings { credentials, ..s3(&server) }
    };
    for (settings, parts) in [
        (
            wrong_bucket,
            [
                "cannot use storage `s3://elsewhere/test-",
                "no such bucket while writing",
                "NoSuchBucket",
                "correct its name",
            ],
        ),
        (wrong_key(server.access_key(), "wrong"), ["s3://lectern", "access denied", "SignatureDoesNotMatch", "clock"]),
        (
            wrong_key("NOBODY", "wrong"),
            ["s3://lectern", "access denied", "InvalidAccessKeyId", "does not know this key"],
        ),
    ] {
        let said = said(&problem(&objects(StoreSettings::S3(settings))).await);
        for part in parts {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(!said.contains(server.secret_key()));
    }
    let objects = objects(StoreSettings::S3(s3(&server)));
    for (wanted, fault, part) in [
        (
            Wanted { method: "PUT", ..Wanted::ANY },
            Fault::Refuse { status: 501, code: "NotImplemented" },
            "conditional_put = false",
        ),
        (
            Wanted { method: "GET", target: "list-type", not: "" },
            Fault::Refuse { status: 403, code: "AccessDenied" },
            "while listing",
        ),
        (
            Wanted { method: "POST", ..Wanted::ANY },
            Fault::Refuse { status: 403, code: "AccessDenied" },
            "while uploading an object in parts",
        ),
        (
            Wanted { method: "DELETE", ..Wanted::ANY },
            Fault::Refuse { status: 403, code: "AccessDenied" },
            "while removing a test object",
        ),
    ] {
        server.faults().fail(1, wanted, &fault);
        let said = said(&problem(&objects).await);
        assert!(said.contains(part), "{part}: {said}");
        server.faults().forget();
    }
    server.stop().await;
    let said = said(&problem(&objects).await);
    assert!(said.contains("no connection while writing") && said.contains("can it be reached"), "{said}");
}

#[tokio::test]
async fn a_signed_url_gives_the_content_to_whoever_has_it_and_nothing_else() {
    for server in Server::all().await {
        let objects = server.objects();
        let (id, other, body) = (fresh_id(), fresh_id(), bytes(100_000, 1));
        put(&objects, &id, body.clone()).await;
        put(&objects, &other, "other").await;
        let url = objects.direct_url(&id, Duration::from_secs(60)).await.unwrap().expect("this store signs");
        let client = reqwest::Client::new();
        let answer = client.get(&url).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{url}");
        assert_eq!(answer.headers()["content-type"], "application/octet-stream");
        assert_eq!(answer.bytes().await.unwrap(), body);

        let elsewhere = url.replace(&id.to_string(), &other.to_string());
        assert!(client.get(&elsewhere).send().await.unwrap().status().is_client_error());
        assert!(client.put(&url).body("changed").send().await.unwrap().status().is_client_error());
        let plain = url.split_once('?').unwrap().0;
        assert!(client.get(plain).send().await.unwrap().status().is_client_error());
    }
}

#[tokio::test]
async fn a_signed_url_leads_where_clients_reach_the_store() {
    let server = S3::start().await;
    let direct_endpoint = Some("https://objects.example.com".to_owned());
    let objects = objects(StoreSettings::S3(S3Settings { direct_endpoint, ..s3(&server) }));
    let url = objects.direct_url(&fresh_id(), Duration::from_secs(60)).await.unwrap().unwrap();
    assert!(url.starts_with("https://objects.example.com/lectern/test-"), "{url}");
    assert_eq!(server.faults().requests(), [] as [String; 0], "nobody was asked");
}

#[tokio::test]
async fn a_store_that_cannot_sign_has_no_urls() {
    let root = tempfile::tempdir().unwrap();
    let directory = objects(StoreSettings::Directory(root.path().to_owned()));
    assert_eq!(directory.direct_url(&fresh_id(), Duration::from_secs(60)).await.unwrap(), None);
    let settings = AzureSettings {
        account: "drive".to_owned(),
        container: "lectern".to_owned(),
        endpoint: None,
        credentials: AzureCredentials::Sas("sv=2021-12-02&sig=abc".to_owned()),
        allow_http: false,
    };
    let signed = objects(StoreSettings::Azure(settings));
    assert_eq!(signed.direct_url(&fresh_id(), Duration::from_secs(60)).await.unwrap(), None);
}
