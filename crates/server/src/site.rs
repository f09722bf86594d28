//! What answers which path: `/wopi…` is the WOPI service's, the few others are here.
//!
//! | path | answer |
//! |---|---|
//! | `/wopi…`, and `/file/…` (FileUrl) | the service given to [`Site::new`] |
//! | `/health/live` | 200 as long as the process answers at all; [`RUN_HEADER`] says which one it is |
//! | `/health/ready` | 200 if records and folder can be used, otherwise 503 with the reasons, as JSON |
//! | anything else | the pages for people ([`Site::with_pages`]) |
//!
//! A public URL may have a path (`https://example.org/lectern`), and a proxy may pass it on or cut it off: both work.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use futures_util::future::{BoxFuture, Either, FutureExt, TryFutureExt};
use http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, RETRY_AFTER,
    TRANSFER_ENCODING,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use lectern_host::Body;
use lectern_web::{Pages, ROUTE_PREFIXES_WITH_SECRETS};
use tokio::sync::Semaphore;
use tower::Service;

use crate::health::Health;

/// When a client that met too many saves shall come back, in seconds.
const RETRY_AFTER_SECONDS: u16 = 2;

/// Tells which run of the server answers, for `lectern check`: behind the public URL may be another one.
pub const RUN_HEADER: HeaderName = HeaderName::from_static("x-lectern-run");

/// What the site must know.
#[derive(Debug)]
pub struct SiteSettings {
    /// What stands before our paths in the public URL: empty, or `/…` without a slash at the end.
    pub public_path: String,
    /// Proxies whose X-Forwarded-For is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Bodies larger than this are saves, as far as their number is bounded.
    pub small_body_bytes_max: u64,
    /// Most such bodies at once.
    pub large_bodies_max: usize,
    /// Which run of the server this is.
    pub run: HeaderValue,
}

/// All that is served.
#[derive(Debug)]
pub struct Site<W> {
    wopi: W,
    shared: Arc<Shared>,
    pages: Option<Pages>,
}

#[derive(Debug)]
struct Shared {
    settings: SiteSettings,
    health: Arc<Health>,
    large_bodies: Arc<Semaphore>,
}

impl<W: Clone> Site<W> {
    /// The site around a WOPI service.
    pub fn new(wopi: W, settings: SiteSettings, health: Arc<Health>) -> Self {
        let large_bodies = Arc::new(Semaphore::new(settings.large_bodies_max));
        Self { wopi, shared: Arc::new(Shared { settings, health, large_bodies }), pages: None }
    }

    /// With pages for people. Without them there is nothing but WOPI and health.
    #[must_use]
    pub fn with_pages(self, pages: Option<Pages>) -> Self {
        Self { pages, ..self }
    }

    /// The site as one connection sees it.
    pub fn for_connection(&self, peer: SocketAddr) -> Connected<W> {
        Connected {
            wopi: self.wopi.clone(),
            shared: Arc::clone(&self.shared),
            pages: self.pages.clone(),
            peer: peer.ip().to_canonical(),
        }
    }
}

/// The site as one connection sees it.
#[derive(Clone, Debug)]
pub struct Connected<W> {
    wopi: W,
    shared: Arc<Shared>,
    pages: Option<Pages>,
    peer: IpAddr,
}

impl<W> Service<Request<Body>> for Connected<W>
where
    W: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    W::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<W::Future, BoxFuture<'static, Result<Response<Body>, Infallible>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.wopi.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let settings = &self.shared.settings;
        let logged = tracing::enabled!(tracing::Level::DEBUG).then(|| Line::of(&request, self.peer, settings));
        let path = request.uri().path();
        let path = path
            .strip_prefix(settings.public_path.as_str())
            .filter(|rest| rest.is_empty() || rest.starts_with('/'))
            .unwrap_or(path);
        let future = if !is_wopi(path) {
            let page = match (&self.pages, path.starts_with("/health/")) {
                (Some(pages), false) => {
                    let address = client_address(self.peer, request.headers(), &settings.trusted_proxies);
                    let path_bytes = path.len();
                    for_people(pages.clone(), request, path_bytes, address, self.peer).boxed()
                }
                _ => health(request.method().clone(), path.to_owned(), Arc::clone(&self.shared)).boxed(),
            };
            Either::Right(page.map(Ok).boxed())
        } else if !is_large(request.headers(), settings.small_body_bytes_max) {
            Either::Left(self.wopi.call(request))
        } else {
            match Arc::clone(&self.shared.large_bodies).try_acquire_owned() {
                Ok(turn) => Either::Right(self.wopi.call(request).inspect(move |_| drop(turn)).boxed()),
                Err(_) => {
                    tracing::warn!(
                        saves_max = settings.large_bodies_max,
                        "a save was put off: limits.saves_max of them are running"
                    );
                    Either::Right(std::future::ready(Ok(busy())).boxed())
                }
            }
        };
        let future = match logged {
            None => future,
            Some(line) => Either::Right(future.inspect_ok(move |answer| line.log(answer)).boxed()),
        };
        if self.shared.health.is_stopping() {
            // Whoever keeps this connection would send its next request here.
            return Either::Right(future.map_ok(last_of_its_connection).boxed());
        }
        future
    }
}

/// The answer after which the connection is closed.
fn last_of_its_connection(mut answer: Response<Body>) -> Response<Body> {
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// Everything of WOPI begins so: files, containers, the ecosystem, the bootstrapper; and FileUrl.
fn is_wopi(path: &str) -> bool {
    path.starts_with("/wopi") || path.starts_with("/file/")
}

/// Whether a body comes that is large, or says nothing about its size.
fn is_large(headers: &HeaderMap, small_bytes_max: u64) -> bool {
    match headers.get(CONTENT_LENGTH) {
        Some(length) => {
            length.to_str().ok().and_then(|text| text.parse().ok()).is_none_or(|bytes: u64| bytes > small_bytes_max)
        }
        None => headers.contains_key(TRANSFER_ENCODING),
    }
}

/// A page, asked for with the last `path_bytes` bytes of the request's path.
async fn for_people(
    pages: Pages,
    request: Request<Body>,
    path_bytes: usize,
    from: IpAddr,
    peer: IpAddr,
) -> Response<Body> {
    let (mut parts, body) = request.into_parts();
    let before = parts.uri.path().len().saturating_sub(path_bytes);
    if before > 0 {
        let cut = parts.uri.path_and_query().and_then(|path| path.as_str().get(before..)).unwrap_or_default();
        // People leave the last slash of an address out.
        let cut = if cut.starts_with('/') { cut.parse::<http::Uri>() } else { format!("/{cut}").parse() };
        match cut {
            Ok(uri) => parts.uri = uri,
            Err(_) => return text(StatusCode::BAD_REQUEST, "this is no address\n"),
        }
    }
    pages.handle(Request::from_parts(parts, body), from, peer).await
}

async fn health(method: Method, path: String, shared: Arc<Shared>) -> Response<Body> {
    let known = matches!(path.as_str(), "/health/live" | "/health/ready");
    if known && method != Method::GET && method != Method::HEAD {
        let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return answer;
    }
    match path.as_str() {
        "/health/live" => {
            let mut answer = text(StatusCode::OK, "alive\n");
            answer.headers_mut().insert(RUN_HEADER, shared.settings.run.clone());
            answer
        }
        "/health/ready" => {
            let troubles = shared.health.troubles().await;
            let status = if troubles.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            let body = serde_json::json!({ "ready": troubles.is_empty(), "troubles": troubles });
            answer(status, HeaderValue::from_static("application/json"), Bytes::from(format!("{body}\n")))
        }
        _ => text(StatusCode::NOT_FOUND, "there is nothing here\n"),
    }
}

/// The line that is logged when a request was answered, at the level `debug`.
struct Line {
    method: Method,
    path: String,
    client: IpAddr,
    began: Instant,
}

/// Longest path in a log line, in bytes.
const LOGGED_PATH_BYTES_MAX: usize = 200;

impl Line {
    fn of(request: &Request<Body>, peer: IpAddr, settings: &SiteSettings) -> Self {
        Self {
            method: request.method().clone(),
            path: logged_path(request.uri().path()),
            client: client_address(peer, request.headers(), &settings.trusted_proxies),
            began: Instant::now(),
        }
    }

    fn log(self, answer: &Response<Body>) {
        tracing::debug!(
            http.method = %self.method,
            url.path = self.path,
            http.status = answer.status().as_u16(),
            client.address = %self.client,
            duration_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            "answered"
        );
    }
}

/// The path without its secrets: a FileUrl ends in a token, and some pages are reached by a secret.
fn logged_path(path: &str) -> String {
    let behind = |prefix: &str| path.find(prefix).map(|at| at + prefix.len());
    let shown = match behind("/file/") {
        Some(id) => &path[..path[id..].find('/').map_or(path.len(), |end| id + end)],
        None => match ROUTE_PREFIXES_WITH_SECRETS.iter().find_map(|prefix| behind(prefix)) {
            Some(secret) => &path[..secret],
            None => path,
        },
    };
    // A path of a request is ASCII, so this cuts between two characters.
    shown.get(..LOGGED_PATH_BYTES_MAX).unwrap_or(shown).to_owned()
}

/// Who asks: the other end of the connection, or what a trusted proxy says. Of a chain of proxies, the last address that
/// is not a trusted one.
fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> IpAddr {
    if !trusted.contains(&peer) {
        return peer;
    }
    let told = headers.get_all("x-forwarded-for").into_iter().filter_map(|value| value.to_str().ok());
    let addresses: Vec<IpAddr> =
        told.flat_map(|value| value.split(',')).filter_map(|text| text.trim().parse().ok()).collect();
    addresses.into_iter().rev().find(|address| !trusted.contains(address)).unwrap_or(peer)
}

fn busy() -> Response<Body> {
    let mut answer = text(StatusCode::SERVICE_UNAVAILABLE, "too many saves at once, try again\n");
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
    answer
}

fn text(status: StatusCode, text: &'static str) -> Response<Body> {
    answer(status, HeaderValue::from_static("text/plain; charset=utf-8"), Bytes::from_static(text.as_bytes()))
}

fn answer(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Response<Body> {
    let mut answer = Response::new(Full::new(body).map_err(|never| match never {}).boxed_unsync());
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    // Our own fixed pages carry their style in themselves; nothing of anybody else's is ever in them.
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    );
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_client_is_believed_only_from_a_trusted_proxy() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let trusted = [address("10.0.0.1"), address("10.0.0.2")];
        for (peer, told, client) in [
            ("192.0.2.7", &["203.0.113.9"][..], "192.0.2.7"),
            ("10.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["198.51.100.1, 203.0.113.9, 10.0.0.2"], "203.0.113.9"),
            ("10.0.0.1", &["203.0.113.9", "10.0.0.2"], "203.0.113.9"),
            ("10.0.0.1", &["unknown"], "10.0.0.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
        ] {
            let mut headers = HeaderMap::new();
            for value in told {
                headers.append("x-forwarded-for", HeaderValue::from_static(value));
            }
            assert_eq!(client_address(address(peer), &headers, &trusted), address(client), "{peer} {told:?}");
        }
    }

    #[test]
    fn a_logged_path_is_short_and_has_no_token() {
        assert_eq!(logged_path("/wopi/files/abc/contents"), "/wopi/files/abc/contents");
        assert_eq!(logged_path("/file/abc/v4.local.secret"), "/file/abc");
        assert_eq!(logged_path("/lectern/file/abc/v4.local.secret"), "/lectern/file/abc");
        assert_eq!(logged_path("/file/abc"), "/file/abc");
        assert_eq!(logged_path("/lectern/welcome/secret"), "/lectern/welcome/");
        assert_eq!(logged_path(&"/x".repeat(5000)).len(), LOGGED_PATH_BYTES_MAX);
    }

    #[test]
    fn a_body_is_large_by_its_length_or_because_it_hides_it() {
        let headers = |name, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_str(value).unwrap());
            headers
        };
        assert!(!is_large(&HeaderMap::new(), 100));
        assert!(!is_large(&headers(CONTENT_LENGTH, "100"), 100));
        assert!(is_large(&headers(CONTENT_LENGTH, "101"), 100));
        assert!(is_large(&headers(TRANSFER_ENCODING, "chunked"), 100));
        assert!(is_large(&headers(CONTENT_LENGTH, "99999999999999999999999"), 100));
    }
}
