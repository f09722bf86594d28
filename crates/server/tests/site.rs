#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]
//! Which path is answered by what.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use lectern_host::Body;
use lectern_server::health::{FolderProbe, Health};
use lectern_server::site::{Connected, Site, SiteSettings};
use tokio::sync::Notify;
use tower::{Service, ServiceExt};

fn body(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// Answers with the path it saw; `/wopi/held` only after `release`.
fn site(
    public_path: &str,
    health: Health,
    release: Arc<Notify>,
) -> Site<
    impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send + 'static>
    + Clone
    + Send
    + 'static,
> {
    site_of(public_path, Arc::new(health), release)
}

/// The same, with a health that somebody else has, too.
fn site_of(
    public_path: &str,
    health: Arc<Health>,
    release: Arc<Notify>,
) -> Site<
    impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send + 'static>
    + Clone
    + Send
    + 'static,
> {
    let wopi = tower::service_fn(move |request: Request<Body>| {
        let release = Arc::clone(&release);
        async move {
            if request.uri().path() == "/wopi/held" {
                release.notified().await;
            }
            Ok::<_, Infallible>(Response::new(body(format!("wopi {}", request.uri()))))
        }
    });
    let settings = SiteSettings {
        public_path: public_path.to_owned(),
        trusted_proxies: Vec::new(),
        small_body_bytes_max: 10,
        large_bodies_max: 1,
        run: HeaderValue::from_static("this run"),
    };
    Site::new(wopi, settings, health)
}

async fn ask<W>(connection: &Connected<W>, method: &str, target: &str, length: usize) -> (u16, String)
where
    W: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone,
    W::Future: Send + 'static,
{
    let request = Request::builder().method(method).uri(target).header("content-length", length);
    let answer = connection.clone().oneshot(request.body(body(vec![0; length])).unwrap()).await.unwrap();
    let status = answer.status().as_u16();
    if status == 503 && target.starts_with("/wopi") {
        assert!(answer.headers().contains_key("retry-after"));
    }
    let text = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(text.to_vec()).unwrap())
}

const PEER: &str = "192.0.2.1:1";

#[tokio::test]
async fn wopi_paths_go_to_the_wopi_service_with_everything_they_have() {
    let site = site("", Health::default(), Arc::default());
    let connection = site.for_connection(PEER.parse().unwrap());
    for target in ["/wopi/files/1?access_token=x", "/wopi", "/wopibootstrapper", "/file/1/x"] {
        assert_eq!(ask(&connection, "GET", target, 0).await, (200, format!("wopi {target}")));
    }
}

#[tokio::test]
async fn the_path_of_the_public_url_may_be_there_or_cut_off() {
    let site = site("/lectern", Health::default(), Arc::default());
    let connection = site.for_connection(PEER.parse().unwrap());
    for target in ["/lectern/wopi/files/1", "/wopi/files/1"] {
        assert_eq!(ask(&connection, "GET", target, 0).await, (200, format!("wopi {target}")));
    }
    for (target, status) in [
        ("/lectern/health/live", 200),
        ("/health/live", 200),
        ("/lectern/", 404),
        ("/lecternwopi/files/1", 404),
        ("/other/wopi/files/1", 404),
    ] {
        assert_eq!(ask(&connection, "GET", target, 0).await.0, status, "{target}");
    }
}

#[tokio::test]
async fn the_few_pages_of_our_own() {
    let folder = tempfile::tempdir().unwrap();
    let probe = FolderProbe { folder: folder.path().to_owned(), state: folder.path().join("missing") };
    let site = site("", Health::new(vec![Box::new(probe)]), Arc::default());
    let connection = site.for_connection(PEER.parse().unwrap());
    assert_eq!(ask(&connection, "GET", "/health/live", 0).await, (200, "alive\n".to_owned()));
    let live = Request::get("/health/live").body(body(Vec::new())).unwrap();
    let live = connection.clone().oneshot(live).await.unwrap();
    assert_eq!(live.headers()["x-lectern-run"], "this run", "`lectern check` finds out whom the public URL leads to");
    let (status, told) = ask(&connection, "GET", "/health/ready", 0).await;
    assert_eq!(status, 503);
    assert!(told.starts_with(r#"{"ready":false,"troubles":[{"what":"folder","why":"the state directory"#), "{told}");
    assert_eq!(ask(&connection, "POST", "/health/live", 0).await.0, 405);
    assert_eq!(ask(&connection, "GET", "/", 0).await.0, 404, "no pages were given to this site");
    std::fs::create_dir(folder.path().join("missing")).unwrap();
    assert_eq!(
        ask(&connection, "GET", "/health/ready", 0).await,
        (200, "{\"ready\":true,\"troubles\":[]}\n".to_owned())
    );
}

#[tokio::test]
async fn after_a_stop_was_asked_for_every_answer_is_the_last_of_its_connection() {
    let health = Arc::new(Health::default());
    let site = site_of("", Arc::clone(&health), Arc::default());
    let connection = site.for_connection(PEER.parse().unwrap());
    let closes = async |target: &str| {
        let request = Request::get(target).body(body(Vec::new())).unwrap();
        let answer = connection.clone().oneshot(request).await.unwrap();
        answer.headers().get("connection").is_some_and(|value| value == "close")
    };
    for target in ["/wopi/files/1", "/health/ready", "/"] {
        assert!(!closes(target).await, "{target}");
    }
    health.stop();
    for target in ["/wopi/files/1", "/health/ready", "/"] {
        assert!(closes(target).await, "{target}");
    }
    assert_eq!(ask(&connection, "GET", "/health/ready", 0).await.0, 503);
    assert_eq!(ask(&connection, "GET", "/wopi/files/1", 0).await.0, 200);
}

#[tokio::test]
async fn more_large_bodies_than_allowed_are_put_off_and_small_ones_are_not() {
    let release = Arc::new(Notify::new());
    let site = site("", Health::default(), Arc::clone(&release));
    let connection = site.for_connection(PEER.parse().unwrap());
    let mut held = Box::pin(ask(&connection, "POST", "/wopi/held", 11));
    assert!((&mut held).now_or_never().is_none());
    assert_eq!(ask(&connection, "POST", "/wopi/other", 11).await.0, 503);
    assert_eq!(ask(&connection, "POST", "/wopi/other", 10).await.0, 200);
    release.notify_one();
    assert_eq!(held.await.0, 200);
    assert_eq!(ask(&connection, "POST", "/wopi/other", 11).await.0, 200);
}
