//! Who is not let in, and what the operator reads about it (issue "Serve a folder", *what it must show*, 4).
//!
//! | request | status |
//! |---|---|
//! | unsigned, wrongly signed, signed for something else, 21 minutes old | 500 |
//! | token of another file, expired, revoked | 401 |
//!
//! Each leaves exactly one line in the log, with the reason and the URL and time that the server computed, and no line
//! ever has a token in it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends by panicking")]

mod common;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use common::http::once;
use common::wopi_client::File;
use common::{Answer, Lectern, Request, Settings, Token};
use lectern_accounts::TokenKeys;
use lectern_host::ports::{Random, TokenResource, Tokens};
use lectern_host::records::Timestamp;
use wopi::FileId;
use wopi::proof::{ProofHeaders, SigningKey, sign};

/// Where the client believes to call us. Nothing in the connection says so, and still it is what it signs.
const PUBLIC_URL: &str = "http://documents.example.test";
/// The client that signs.
const CLIENT: &str = "office";
/// How long the program may take to have fetched the discovery document.
const DISCOVERY_TIME_MAX: Duration = Duration::from_secs(20);

#[test]
fn a_stranger_is_refused_and_the_log_says_why_without_the_token() {
    common::run(120, async {
        let scene = Scene::begin().await;
        let [signed, other] = ["signed.docx", "other.docx"].map(|file| scene.token(file));
        let second = scene.token("signed.docx");
        let expired = scene.expired(&signed);

        let minutes = |count: i64| now_ms() - count * 60_000;
        let forger = SigningKey::generate().unwrap();
        let keys = &scene.keys;
        let proofs = |current: &SigningKey, old: &SigningKey, token: &Token, at_ms: i64| {
            let url = format!("{PUBLIC_URL}{}", File::of(token).target());
            sign(current, old, &url, &token.access_token, at_ms).unwrap()
        };
        let good = |token: &Token| proofs(&keys.current, &keys.old, token, now_ms());
        let garbage =
            ProofHeaders { proof: BASE64.encode("INVALID"), proof_old: BASE64.encode("INVALID"), ..good(&signed) };
        let elsewhere = {
            let url = format!("http://elsewhere.example.test{}", File::of(&signed).target());
            sign(&keys.current, &keys.old, &url, &signed.access_token, now_ms()).unwrap()
        };
        let mixed = signed.replaced_by(&other.access_token);
        let damaged = signed.replaced_by(&format!("{}x", signed.access_token));

        let cases: Vec<Case> = vec![
            case("well signed", 200, &signed, Some(good(&signed)), ""),
            case("signed with the old key", 200, &signed, Some(proofs(&keys.old, &forger, &signed, now_ms())), ""),
            case("signed ahead", 200, &signed, Some(proofs(&forger, &keys.current, &signed, now_ms())), ""),
            case("19 minutes old", 200, &signed, Some(proofs(&keys.current, &keys.old, &signed, minutes(19))), ""),
            case("not signed", 500, &signed, None, "signed"),
            case("signed by a forger", 500, &signed, Some(proofs(&forger, &forger, &signed, now_ms())), "signature"),
            case(
                "the old proof by the old key",
                500,
                &signed,
                Some(proofs(&forger, &keys.old, &signed, now_ms())),
                "signature",
            ),
            case("signed for another URL", 500, &signed, Some(elsewhere), "signature"),
            case("signed for another token", 500, &signed, Some(good(&second)), "signature"),
            case("no signature at all", 500, &signed, Some(garbage), "signature"),
            case(
                "21 minutes old",
                500,
                &signed,
                Some(proofs(&keys.current, &keys.old, &signed, minutes(21))),
                "seconds ago",
            ),
            case("the token of another file", 401, &mixed, Some(good(&mixed)), "token"),
            case("a damaged token", 401, &damaged, Some(good(&damaged)), "token"),
            case("an expired token", 401, &expired, Some(good(&expired)), "ran out"),
            case("well signed, afterwards", 200, &signed, Some(good(&signed)), ""),
        ];
        for case in &cases {
            scene.answers(case).await;
        }
        scene.lectern.settings().revoke_sessions();
        scene.answers(&case("a revoked token", 401, &signed, Some(good(&signed)), "revoked")).await;
        let fresh = scene.token("signed.docx");
        scene.answers(&case("a token made since", 200, &fresh, Some(good(&fresh)), "")).await;

        let log = scene.lectern.log().join("\n");
        for case in &cases {
            assert!(!log.contains(&case.token.access_token), "{}: its token is in the log", case.what);
            let lines = log.lines().filter(|line| line.contains(&case.correlation_id)).count();
            assert!(case.status == 200 || lines == 1, "{}: {lines} lines in the log", case.what);
        }
    });
}

/// A request and what has to come of it.
struct Case {
    what: &'static str,
    status: u16,
    token: Token,
    proofs: Option<ProofHeaders>,
    /// A word of the reason in the log.
    reason: &'static str,
    correlation_id: String,
}

fn case(what: &'static str, status: u16, token: &Token, proofs: Option<ProofHeaders>, reason: &'static str) -> Case {
    let correlation_id = format!("case-{}", what.replace(|c: char| !c.is_ascii_alphanumeric(), "-"));
    Case { what, status, token: token.clone(), proofs, reason, correlation_id }
}

/// A program that serves two files to one client that signs.
struct Scene {
    lectern: Lectern,
    keys: Keys,
    _scratch: tempfile::TempDir,
}

impl Scene {
    async fn begin() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        for name in ["signed.docx", "other.docx"] {
            std::fs::write(scratch.path().join(name), name).unwrap();
        }
        let keys = Keys { current: SigningKey::generate().unwrap(), old: SigningKey::generate().unwrap() };
        let discovery = serve_discovery(keys.discovery());
        let settings = Settings::of(scratch.path())
            .with("--public-url", PUBLIC_URL)
            .with("--client", &format!("{CLIENT}={discovery}"));
        let lectern = settings.start().await;
        let scene = Self { lectern, keys, _scratch: scratch };
        scene.wait_for_discovery().await;
        scene
    }

    /// The program does not wait for discovery documents when it starts. Until it has this one, it has no keys and
    /// refuses everybody, so the first well-signed request that is let in shows that it has.
    async fn wait_for_discovery(&self) {
        let token = self.token("signed.docx");
        let url = format!("{PUBLIC_URL}{}", File::of(&token).target());
        let end = Instant::now() + DISCOVERY_TIME_MAX;
        loop {
            let proofs = sign(&self.keys.current, &self.keys.old, &url, &token.access_token, now_ms()).unwrap();
            let answer = self.ask(&case("waiting", 200, &token, Some(proofs), "")).await;
            if answer.status == 200 {
                return;
            }
            assert!(Instant::now() < end, "the discovery document was not used: {answer:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn token(&self, file: &str) -> Token {
        let token = self.lectern.settings().token_with(file, &["--client", CLIENT]);
        assert!(token.wopi_src.starts_with(PUBLIC_URL), "the WOPISrc is made from the public URL: {}", token.wopi_src);
        token
    }

    /// The same token as if it had been minted ten hours ago: the program's own key makes it, as the program would have.
    fn expired(&self, token: &Token) -> Token {
        let path = self.lectern.folder().join(".lectern/token-keys.json");
        let keys = TokenKeys::load_or_create(&path, Timestamp(now_ms()), &NoRandom).unwrap();
        let id = FileId::parse(token.path().rsplit('/').next().unwrap()).unwrap();
        let resource = TokenResource::File(id);
        let mut claims = keys.open(&token.access_token, &resource, Timestamp(now_ms())).unwrap();
        claims.expires_at = Timestamp(now_ms() - 1);
        token.replaced_by(&keys.seal(&claims, &resource))
    }

    /// Asks, and looks at the answer and at what was logged.
    async fn answers(&self, case: &Case) {
        let answer = self.ask(case).await;
        assert_eq!(answer.status, case.status, "{}: {answer:?}", case.what);
        if case.status != 200 {
            self.log_explains(case);
            assert!(answer.body.is_empty(), "{}: a stranger learns nothing: {answer:?}", case.what);
        }
    }

    async fn ask(&self, case: &Case) -> Answer {
        let target = File::of(&case.token).target();
        let mut request = Request::get(&target).header("X-WOPI-CorrelationId", &case.correlation_id);
        for (name, value) in case.proofs.iter().flat_map(ProofHeaders::pairs) {
            request = request.header(name, value);
        }
        once(self.lectern.address(), &request).await.unwrap()
    }

    /// One line tells the reason, the URL that we computed, and when it was signed as well as what time it is here.
    fn log_explains(&self, case: &Case) {
        let lines = self.lectern.log_lines_with(&case.correlation_id);
        let [line] = &lines[..] else { panic!("{}: {} lines in the log: {lines:#?}", case.what, lines.len()) };
        assert!(line.contains(case.reason), "{}: the reason is missing: {line}", case.what);
        let url = format!("{PUBLIC_URL}{}", case.token.path());
        assert!(line.contains(&url), "{}: the URL {url} is missing: {line}", case.what);
        let times = line.match_indices("T").filter(|(at, _)| is_time_at(line, *at)).count();
        assert!(times > 0, "{}: the time is missing: {line}", case.what);
        assert!(!line.contains("access_token=v4"), "{}: there is a token in {line}", case.what);
    }
}

/// Whether the `T` at this place is that of `2026-11-21T20:05:31`.
fn is_time_at(line: &str, at: usize) -> bool {
    let Some(around) = at.checked_sub(10).and_then(|start| line.get(start..at + 9)) else { return false };
    around.chars().zip("0000-00-00T00:00:00".chars()).all(|(found, form)| match form {
        '0' => found.is_ascii_digit(),
        other => found == other,
    })
}

/// Nothing here may need chance: the key file is there.
#[derive(Debug)]
struct NoRandom;

impl Random for NoRandom {
    fn fill(&self, _: &mut [u8]) {
        panic!("the key file was there already");
    }
}

fn now_ms() -> i64 {
    i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap()
}

/// The client's two keys.
struct Keys {
    current: SigningKey,
    old: SigningKey,
}

impl Keys {
    fn discovery(&self) -> String {
        let (current, old) = (self.current.public(), self.old.public());
        format!(
            r#"<?xml version="1.0" encoding="utf-8"?>
<wopi-discovery>
  <net-zone name="external-http">
    <app name="Word">
      <action name="view" ext="docx" default="true" urlsrc="http://office.example.test/view?&lt;wopisrc=WOPI_SOURCE&amp;&gt;"/>
      <action name="edit" ext="docx" requires="locks,update" urlsrc="http://office.example.test/edit?&lt;wopisrc=WOPI_SOURCE&amp;&gt;"/>
    </app>
  </net-zone>
  <proof-key value="{}" modulus="{}" exponent="{}" oldvalue="{}" oldmodulus="{}" oldexponent="{}"/>
</wopi-discovery>
"#,
            current.capi_blob_base64(),
            current.modulus_base64(),
            current.exponent_base64(),
            old.capi_blob_base64(),
            old.modulus_base64(),
            old.exponent_base64(),
        )
    }
}

/// Serves a document on a free port for as long as the test's process lives, and says where.
fn serve_discovery(document: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hosting/discovery", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && head.len() < 8192 && stream.read_exact(&mut byte).is_ok() {
                head.push(byte[0]);
            }
            let length = document.len();
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{document}"
            );
            // A client that went away has nothing to read.
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    url
}

#[test]
fn a_time_in_a_line_is_found() {
    let line = "2026-11-21T20:05:31.123Z WARN THE Token";
    let times = |line: &str| line.match_indices('T').filter(|(at, _)| is_time_at(line, *at)).count();
    assert_eq!(times(line), 1);
    assert_eq!(times("2026-11-21 20:05 T TT2026-1-21T20:05:31"), 0);
}
