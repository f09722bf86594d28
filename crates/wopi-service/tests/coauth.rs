//! What the service makes of requests on coauth locks, and of what a host answers: seen from a client's side, with a host
//! that writes down what it was asked.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use http::header::CONTENT_TYPE;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use wopi::answer::{CheckFileInfo, CoauthTable, CoauthTableRow, RenameFile};
use wopi::coauth::{
    CoauthLockId, CoauthLockMetadata, CoauthLockType, CoauthTableVersion, LockTerms, LockTimeout, PresentedLock,
};
use wopi::operation::{ByteRange, RequestedName};
use wopi::proof::ProofRule;
use wopi::route::{Kind, KindSet, Target};
use wopi::{AccessToken, FileId, ItemVersion, LockId, WopiError};
use wopi_service::host::Answer;
use wopi_service::{Body, CoauthAnswer, FileBytes, Limits, WopiHost, WopiService, full};

#[derive(Clone, Default)]
struct Recorder {
    asked: Arc<Mutex<Vec<String>>>,
}

impl Recorder {
    fn note(&self, what: String) {
        self.asked.lock().unwrap().push(what);
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

fn answer(table: bool) -> CoauthAnswer {
    let row = CoauthTableRow {
        coauth_lock_id: "C1".to_owned(),
        coauth_lock_metadata: "m".to_owned(),
        coauth_lock_type: CoauthLockType::Coauth,
        user_friendly_name: "Anna".to_owned(),
        coauth_lock_time: 7,
    };
    let version = CoauthTableVersion::parse("v1").unwrap();
    CoauthAnswer { version, table: table.then(|| CoauthTable { coauth_table: vec![row] }) }
}

#[async_trait]
impl WopiHost for Recorder {
    type Credential = ();
    type Caller = ();

    fn supported(&self) -> KindSet {
        KindSet::EMPTY.with_all(&[
            Kind::Lock,
            Kind::RefreshLock,
            Kind::UnlockAndRelock,
            Kind::RenameFile,
            Kind::GetCoauthLock,
            Kind::RefreshCoauthLock,
            Kind::UnlockCoauthLock,
            Kind::GetCoauthTable,
        ])
    }

    fn public_url(&self) -> &str {
        "https://h.example"
    }

    fn now_ms(&self) -> i64 {
        0
    }

    fn read_token(&self, _: Option<&AccessToken>, _: &Target) {}

    fn proof_rule(&self, _: &()) -> ProofRule {
        ProofRule::Off
    }

    async fn authenticate(&self, _: (), _: &Target, _: Kind) -> Answer<()> {
        Ok(())
    }

    async fn check_file_info(&self, _: &(), _: &FileId, _: Option<String>) -> Answer<CheckFileInfo> {
        Err(WopiError::NotSupported.into())
    }

    async fn get_file(&self, _: &(), _: &FileId, _: u64, _: Option<ByteRange>) -> Answer<FileBytes> {
        Err(WopiError::NotSupported.into())
    }

    async fn lock(&self, _: &(), _: &FileId, lock: LockId, terms: LockTerms) -> Answer<ItemVersion> {
        self.note(format!("lock {} {terms:?}", lock.as_str()));
        let (current, username) = (LockId::parse("B"), Some("Bert".to_owned()));
        Err(WopiError::LockMismatch { current, reason: "why".to_owned(), username, mechanism: None }.into())
    }

    async fn refresh_lock(&self, _: &(), _: &FileId, lock: LockId, terms: LockTerms) -> Answer<ItemVersion> {
        self.note(format!("refresh {} {terms:?}", lock.as_str()));
        Ok(ItemVersion(1))
    }

    async fn unlock_and_relock(
        &self,
        _: &(),
        _: &FileId,
        old: LockId,
        new: LockId,
        terms: LockTerms,
    ) -> Answer<ItemVersion> {
        self.note(format!("relock {} {} {terms:?}", old.as_str(), new.as_str()));
        Ok(ItemVersion(1))
    }

    async fn rename_file(
        &self,
        _: &(),
        _: &FileId,
        name: RequestedName,
        presented: PresentedLock,
    ) -> Answer<RenameFile> {
        let presented = match presented {
            PresentedLock::None => "nothing".to_owned(),
            PresentedLock::Wopi(lock) => format!("lock {}", lock.as_str()),
            PresentedLock::Coauth(lock) => format!("coauth lock {}", lock.as_str()),
        };
        self.note(format!("rename {} with {presented}", name.text));
        Ok(RenameFile { name: name.text, url: None })
    }

    async fn get_coauth_lock(
        &self,
        _: &(),
        _: &FileId,
        lock: CoauthLockId,
        kind: CoauthLockType,
        timeout: LockTimeout,
        metadata: CoauthLockMetadata,
    ) -> Answer<CoauthAnswer> {
        self.note(format!("get {} {kind:?} {:?} {:?}", lock.as_str(), timeout.duration(), metadata.as_str()));
        Ok(answer(true))
    }

    async fn refresh_coauth_lock(
        &self,
        _: &(),
        _: &FileId,
        lock: CoauthLockId,
        timeout: LockTimeout,
        metadata: CoauthLockMetadata,
    ) -> Answer<CoauthAnswer> {
        self.note(format!("refresh {} {:?} {:?}", lock.as_str(), timeout.duration(), metadata.as_str()));
        Ok(answer(true))
    }

    async fn unlock_coauth_lock(&self, _: &(), _: &FileId, lock: CoauthLockId) -> Answer<()> {
        self.note(format!("unlock {}", lock.as_str()));
        Err(WopiError::CoauthLockRefused { reason: "why".to_owned(), username: None }.into())
    }

    async fn get_coauth_table(&self, _: &(), _: &FileId, known: Option<CoauthTableVersion>) -> Answer<CoauthAnswer> {
        self.note(format!("table {:?}", known.as_ref().map(CoauthTableVersion::as_str)));
        Ok(answer(known.is_none()))
    }
}

struct World {
    host: Recorder,
    service: WopiService<Recorder>,
}

impl World {
    fn new() -> Self {
        let host = Recorder::default();
        let service = WopiService::new(host.clone(), Limits::default(), "version", "machine");
        Self { host, service }
    }

    async fn ask(&self, operation: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Response<Body> {
        let mut request = Request::post("/wopi/files/1?access_token=t").header("X-WOPI-Override", operation);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.service.handle(request.body(full(body.into())).unwrap()).await
    }
}

fn header<'a>(response: &'a Response<Body>, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

async fn text(response: Response<Body>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

const ID: (&str, &str) = ("X-WOPI-CoauthLockId", "C1");
const TYPE: (&str, &str) = ("X-WOPI-CoauthLockType", "Coauth");
const TIMEOUT: (&str, &str) = ("X-WOPI-CoauthLockExpirationTimeout", "60");
const METADATA: (&str, &str) = ("X-WOPI-CoauthLockMetadata", "in the header");
const VERSION: &str = "X-WOPI-CoauthTableVersion";
const TABLE: &str = r#"{"CoauthTable":[{"CoauthLockId":"C1","CoauthLockMetadata":"m","CoauthLockType":"Coauth","UserFriendlyName":"Anna","CoauthLockTime":7}]}"#;

#[tokio::test]
async fn a_lock_is_answered_with_the_table_and_its_version() {
    let world = World::new();
    for (operation, asked) in [
        ("GET_COAUTH_LOCK", "get C1 Coauth 60s \"in the header\""),
        ("REFRESH_COAUTH_LOCK", "refresh C1 60s \"in the header\""),
    ] {
        let response = world.ask(operation, &[ID, TYPE, TIMEOUT, METADATA], "").await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(header(&response, VERSION), Some("v1"));
        assert_eq!(header(&response, CONTENT_TYPE.as_str()), Some("application/json"));
        assert_eq!(text(response).await, TABLE);
        assert_eq!(world.host.asked(), [asked]);
    }
}

#[tokio::test]
async fn metadata_in_the_body_come_before_those_in_the_header() {
    let world = World::new();
    for (body, metadata) in [
        ("", "in the header"),
        ("{}", "in the header"),
        (r#"{"CoauthLockMetadata":"in the body ü"}"#, "in the body ü"),
        (r#"{"CoauthLockMetadata":""}"#, ""),
        (r#"{"CoauthLockMetadata":null}"#, ""),
    ] {
        for (operation, word) in [("GET_COAUTH_LOCK", "get C1 Coauth"), ("REFRESH_COAUTH_LOCK", "refresh C1")] {
            let response = world.ask(operation, &[ID, TYPE, TIMEOUT, METADATA], body).await;
            assert_eq!(response.status(), StatusCode::OK, "{body}");
            assert_eq!(world.host.asked(), [format!("{word} 60s {metadata:?}")]);
        }
    }
}

#[tokio::test]
async fn what_cannot_be_understood_never_reaches_the_host() {
    let world = World::new();
    let large = |bytes: usize| format!(r#"{{"CoauthLockMetadata":"{}"}}"#, "a".repeat(bytes));
    let too_long = "a".repeat(1025);
    for (headers, body, status) in [
        (&[TYPE, TIMEOUT][..], String::new(), 400),
        (&[ID, TIMEOUT], String::new(), 400),
        (&[ID, TYPE], String::new(), 400),
        (&[("X-WOPI-CoauthLockId", &*too_long), TYPE, TIMEOUT], String::new(), 400),
        (&[ID, TYPE, TIMEOUT], "no JSON".to_owned(), 400),
        (&[ID, TYPE, TIMEOUT], large(4097), 400),
        (&[ID, TYPE, TIMEOUT], large(Limits::default().json_bytes_max), 413),
    ] {
        let response = world.ask("GET_COAUTH_LOCK", headers, body).await;
        assert_eq!((response.status().as_u16(), header(&response, VERSION)), (status, None));
        assert_eq!(world.host.asked(), [""; 0]);
    }
    assert_eq!(world.ask("GET_COAUTH_LOCK", &[ID, TYPE, TIMEOUT], large(4096)).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_client_that_knows_the_version_gets_no_body_at_all() {
    let world = World::new();
    let response = world.ask("GET_COAUTH_TABLE", &[(VERSION, "v1")], "").await;
    assert_eq!((response.status(), header(&response, VERSION)), (StatusCode::OK, Some("v1")));
    assert_eq!(header(&response, CONTENT_TYPE.as_str()), None);
    assert_eq!(text(response).await, "");
    let response = world.ask("GET_COAUTH_TABLE", &[(VERSION, "")], "").await;
    assert_eq!((response.status(), header(&response, VERSION)), (StatusCode::OK, Some("v1")));
    assert_eq!(text(response).await, TABLE);
    assert_eq!(world.host.asked(), ["table Some(\"v1\")", "table None"]);
}

#[tokio::test]
async fn a_coauth_lock_that_is_refused_says_why_and_no_more() {
    let world = World::new();
    let response = world.ask("UNLOCK_COAUTH_LOCK", &[ID], "").await;
    assert_eq!(response.status(), StatusCode::CONFLICT);
    assert_eq!(header(&response, "X-WOPI-FailureReason"), Some("why"));
    for absent in ["X-WOPI-Lock", VERSION, "X-WOPI-ConflictingLockUsername"] {
        assert_eq!(header(&response, absent), None);
    }
    assert_eq!(text(response).await, "");
    assert_eq!(world.host.asked(), ["unlock C1"]);
}

#[tokio::test]
async fn a_rename_presents_a_lock_of_one_kind() {
    let world = World::new();
    let name = ("X-WOPI-RequestedName", "b");
    for (lock, coauth, status, asked) in [
        ("", "", 200, Some("rename b with nothing")),
        ("A", "", 200, Some("rename b with lock A")),
        ("", "C1", 200, Some("rename b with coauth lock C1")),
        ("A", "C1", 400, None),
    ] {
        let sent = [name, ("X-WOPI-Lock", lock), ("X-WOPI-CoauthLockId", coauth)];
        assert_eq!(world.ask("RENAME_FILE", &sent, "").await.status().as_u16(), status);
        assert_eq!(world.host.asked(), asked.into_iter().collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_wopi_lock_is_taken_on_the_clients_terms_and_a_conflict_may_name_who_has_it() {
    let world = World::new();
    let lock = ("X-WOPI-Lock", "A");
    let terms = [("X-WOPI-LockExpirationTimeout", "90"), ("X-WOPI-LockUserVisible", "True")];
    let response = world.ask("LOCK", &[lock, terms[0], terms[1]], "").await;
    assert_eq!(response.status(), StatusCode::CONFLICT);
    assert_eq!(header(&response, "X-WOPI-Lock"), Some("B"));
    assert_eq!(header(&response, "X-WOPI-ConflictingLockUsername"), Some("Bert"));
    world.ask("REFRESH_LOCK", &[lock, terms[0], terms[1]], "").await;
    world.ask("LOCK", &[lock, ("X-WOPI-OldLock", "B"), terms[0], terms[1]], "").await;
    world.ask("REFRESH_LOCK", &[lock], "").await;
    let asked_for = LockTerms { timeout: LockTimeout::from_seconds(90), user_visible: true };
    let expected = [
        format!("lock A {asked_for:?}"),
        format!("refresh A {asked_for:?}"),
        format!("relock B A {asked_for:?}"),
        format!("refresh A {:?}", LockTerms::default()),
    ];
    assert_eq!(world.host.asked(), expected);
    for bad in [("X-WOPI-LockExpirationTimeout", "59"), ("X-WOPI-LockUserVisible", "maybe")] {
        assert_eq!(world.ask("LOCK", &[lock, bad], "").await.status(), StatusCode::BAD_REQUEST);
    }
    assert_eq!(world.host.asked(), [""; 0]);
}
