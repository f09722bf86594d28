//! A host in memory, its pages, and browsers that keep their cookies.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use lectern_accounts::{Passwords, TokenKeys};
use lectern_host::clients::{ClientSettings, Clients};
use lectern_host::memory::contents::MemoryContents;
use lectern_host::memory::registry::MemoryRegistry;
use lectern_host::ports::{Clock, DiscoverySource, Random, Registry};
use lectern_host::records::{Role, Timestamp, User};
use lectern_host::{BoxError, Host, HostSettings, Ports};
use lectern_web::{Disk, Pages, Room, SettingsReport, WebParts, WebSettings};

/// Most redirects that a browser follows.
const REDIRECTS_MAX: usize = 5;

#[derive(Debug)]
pub(crate) struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// SplitMix64: the same bytes in every run, different ones at every call.
#[derive(Debug)]
pub(crate) struct Seeded(Mutex<u64>);

impl Random for Seeded {
    fn fill(&self, buffer: &mut [u8]) {
        let mut state = self.0.lock().unwrap();
        for byte in buffer {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            *byte = (mixed ^ (mixed >> 31)) as u8;
        }
    }
}

/// The one document that there is in the world.
#[derive(Debug)]
struct OneDocument(String);

#[async_trait]
impl DiscoverySource for OneDocument {
    async fn fetch(&self, _: &str) -> Result<String, BoxError> {
        Ok(self.0.clone())
    }
}

/// A disk of 10 GB.
#[derive(Debug)]
struct HalfFull;

impl Disk for HalfFull {
    fn room(&self) -> Option<Room> {
        Some(Room { free: 5_000_000_000, total: 10_000_000_000 })
    }
}

/// A host with its pages.
pub(crate) struct World {
    pub(crate) pages: Pages,
    pub(crate) host: Arc<Host>,
    clock: Arc<TestClock>,
    passwords: Passwords,
    _keys: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::at("http://lectern.example").await
    }

    pub(crate) async fn at(public_url: &str) -> Self {
        Self::with(public_url, "").await
    }

    /// With an office server that offers this.
    pub(crate) async fn with(public_url: &str, discovery: &str) -> Self {
        Self::built(public_url, discovery, WebSettings::default(), None, SettingsReport::default()).await
    }

    /// With these settings, and a provider that is reached so.
    pub(crate) async fn built(
        public_url: &str,
        discovery: &str,
        web: WebSettings,
        http: Option<Arc<dyn lectern_web::ProviderHttp>>,
        report: SettingsReport,
    ) -> Self {
        let keys = tempfile::tempdir().unwrap();
        let clock = Arc::new(TestClock(AtomicI64::new(1_772_438_400_000)));
        let random = Arc::new(Seeded(Mutex::new(7)));
        let tokens = TokenKeys::load_or_create(&keys.path().join("keys.json"), clock.now(), &*random).unwrap();
        let registry: Arc<dyn Registry> = Arc::new(MemoryRegistry::new());
        let settings = match discovery {
            "" => Vec::new(),
            _ => vec![ClientSettings::new("office", "https://office.example/hosting/discovery").unwrap()],
        };
        let source = Arc::new(OneDocument(discovery.to_owned()));
        let clients =
            Clients::load(settings, Arc::clone(&registry), source, Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
        if !discovery.is_empty() {
            clients.refresh("office").await.unwrap();
        }
        let ports = Ports {
            registry,
            contents: Arc::new(MemoryContents::new()),
            tree: None,
            tokens: Arc::new(tokens),
            clients,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            random,
        };
        let host = Arc::new(Host::new(ports, HostSettings::new(public_url)));
        let blanks = vec![("docx", Bytes::from_static(b"a blank docx")), ("txt", Bytes::new())];
        let parts = WebParts { host: Arc::clone(&host), blanks, http, report, disk: Some(Arc::new(HalfFull)) };
        let pages = Pages::new(parts, web).unwrap();
        Self { pages, host, clock, passwords: Passwords::default(), _keys: keys }
    }

    pub(crate) fn advance(&self, span: Duration) {
        self.clock.0.fetch_add(i64::try_from(span.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// Adds a person.
    pub(crate) async fn person(&self, name: &str, password: &str, role: Role) -> User {
        let user = self.host.add_user(name, name, role).await.unwrap();
        let hash = self.passwords.hash(password, &*self.host.ports().random).await.unwrap();
        self.host.ports().registry.commit_user(&User { password: Some(hash), ..user }).await.unwrap()
    }

    /// A browser that has been nowhere.
    pub(crate) fn browser(&self) -> Browser<'_> {
        Browser { world: self, cookies: BTreeMap::new(), address: [192, 0, 2, 1].into(), language: "en" }
    }

    /// A browser in which this person is signed in; the password is `correct horse`.
    pub(crate) async fn browser_of(&self, name: &str, role: Role) -> Browser<'_> {
        self.person(name, "correct horse", role).await;
        let mut browser = self.browser();
        let answer = browser.sign_in(name, "correct horse").await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        browser
    }
}

/// A browser.
pub(crate) struct Browser<'w> {
    world: &'w World,
    pub(crate) cookies: BTreeMap<String, String>,
    pub(crate) address: IpAddr,
    pub(crate) language: &'static str,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn location(&self) -> &str {
        self.headers["location"].to_str().unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Browser<'_> {
    /// Sends a request with the cookies, and keeps those that come back.
    pub(crate) async fn send(&mut self, request: http::request::Builder, body: impl Into<Bytes>) -> Answer {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let body = Full::new(body.into()).map_err(|never| match never {}).boxed_unsync();
        let mut request = request.header("host", "lectern.example").header("accept-language", self.language);
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        let answer = self.world.pages.handle(request.body(body).unwrap(), self.address, self.address).await;
        let (parts, body) = answer.into_parts();
        for cookie in parts.headers.get_all("set-cookie") {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Answer { status: parts.status, headers: parts.headers, body: body.collect().await.unwrap().to_bytes() }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Request::get(path).header("sec-fetch-site", "none"), "").await
    }

    /// Follows redirects to where they end.
    pub(crate) async fn visit(&mut self, path: &str) -> Answer {
        let mut path = path.to_owned();
        for _ in 0..REDIRECTS_MAX {
            let answer = self.get(&path).await;
            if answer.status != 303 {
                return answer;
            }
            answer.location().clone_into(&mut path);
        }
        panic!("too many redirects")
    }

    /// Sends a form of our own page.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let request = Request::builder().method(Method::POST).uri(path);
        let request = request.header("sec-fetch-site", "same-origin").header("origin", "http://lectern.example");
        self.send(request.header("content-type", "application/x-www-form-urlencoded"), form(fields)).await
    }

    pub(crate) async fn sign_in(&mut self, name: &str, password: &str) -> Answer {
        self.post("/sign-in", &[("name", name), ("password", password)]).await
    }
}

pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    let encoded = |text: &str| {
        text.bytes().fold(String::new(), |out, byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => out + &char::from(byte).to_string(),
            byte => out + &format!("%{byte:02x}"),
        })
    };
    let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    pairs.join("&")
}
