//! A provider of OpenID Connect for tests: it signs with keys of its own, RS256 or ES256, and publishes the public halves.
//! It is a function from requests to answers, so that it can stand behind a port or behind none.
//!
//! Two crates have this file among their tests: pages that are asked without a port, and the browser.
//!
//! It believes everything that it is not there to check: whoever sends a name is signed in under it.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD as BASE64};
use lectern_host::wopi::proof::SigningKey;
use serde_json::{Value, json};

/// How long its tokens are good, in seconds.
const LIFETIME_SECONDS: u64 = 300;

/// By what it signs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Signing {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[default]
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
}

impl Signing {
    fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }
}

/// What it is about to say of whoever signs in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Saying {
    /// How it signs.
    pub(crate) signing: Signing,
    /// Whether the key that it signs with is one that it does not publish.
    pub(crate) forges: bool,
    /// What it tells of the person: in the token, or only to who asks with the access token.
    pub(crate) claims: BTreeMap<String, Value>,
    /// Whether the token has no more than who it is for.
    pub(crate) only_to_who_asks: bool,
    /// The nonce, if not the one that was sent.
    pub(crate) nonce: Option<String>,
    /// The subject that it tells who asks, if not that of the token.
    pub(crate) subject: Option<String>,
}

/// The keys, made once: an RSA key costs a moment.
static RSA: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate().expect("a key"));
static OTHER_RSA: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate().expect("a key"));
static EC: LazyLock<EcdsaKeyPair> =
    LazyLock::new(|| EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key"));

/// The provider.
#[derive(Debug)]
pub(crate) struct Provider {
    issuer: String,
    pub(crate) saying: Mutex<Saying>,
    /// The nonce of the sign-in that is under way.
    nonce: Mutex<String>,
    /// Every path that was asked for.
    pub(crate) asked: Mutex<Vec<String>>,
}

/// An answer: status, where it leads or what it is, and its bytes.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) header: (&'static str, String),
    pub(crate) body: Vec<u8>,
}

impl Told {
    fn json(status: u16, value: &Value) -> Self {
        Self { status, header: ("content-type", "application/json".to_owned()), body: value.to_string().into_bytes() }
    }
}

impl Provider {
    pub(crate) fn new(issuer: &str) -> Self {
        Self { issuer: issuer.to_owned(), saying: Mutex::default(), nonce: Mutex::default(), asked: Mutex::default() }
    }

    /// Changes what it says from now on.
    pub(crate) fn says(&self, change: impl FnOnce(&mut Saying)) {
        change(&mut self.saying.lock().expect("no test panicked in here"));
    }

    /// The answer to a request. The token in its `Authorization`, if there is one, is `bearer`.
    pub(crate) fn answers(&self, path_and_query: &str, bearer: &str, body: &str) -> Told {
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        self.asked.lock().expect("no test panicked in here").push(path.to_owned());
        let issuer = &self.issuer;
        match path {
            "/.well-known/openid-configuration" => Told::json(
                200,
                &json!({
                    "issuer": issuer,
                    "authorization_endpoint": format!("{issuer}/authorize"),
                    "token_endpoint": format!("{issuer}/token"),
                    "userinfo_endpoint": format!("{issuer}/userinfo"),
                    "jwks_uri": format!("{issuer}/keys"),
                    "response_types_supported": ["code"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["RS256", "ES256"],
                }),
            ),
            "/keys" => Told::json(200, &json!({ "keys": keys() })),
            "/authorize" => {
                *self.nonce.lock().expect("no test panicked in here") = parameter(query, "nonce");
                let (redirect, state) = (parameter(query, "redirect_uri"), parameter(query, "state"));
                let back = format!("{}?code=right&state={state}", decoded(&redirect));
                Told { status: 303, header: ("location", back), body: Vec::new() }
            }
            "/token" if body.contains("code_verifier=") && body.contains("code=right") => {
                let told = json!({ "access_token": "for-who-asks", "token_type": "Bearer", "id_token": self.token() });
                Told::json(200, &told)
            }
            "/token" => Told::json(400, &json!({ "error": "invalid_grant" })),
            "/userinfo" if bearer == "for-who-asks" => {
                let saying = self.saying.lock().expect("no test panicked in here").clone();
                let mut claims = json!({ "sub": saying.subject.unwrap_or_else(|| "1".to_owned()) });
                add(&mut claims, &saying.claims);
                Told::json(200, &claims)
            }
            _ => Told::json(404, &json!({})),
        }
    }

    fn token(&self) -> String {
        let saying = self.saying.lock().expect("no test panicked in here").clone();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
        let sent = self.nonce.lock().expect("no test panicked in here").clone();
        let mut claims = json!({
            "iss": self.issuer,
            "sub": "1",
            "aud": ["lectern"],
            "iat": now,
            "exp": now + LIFETIME_SECONDS,
            "nonce": saying.nonce.unwrap_or(sent),
        });
        if !saying.only_to_who_asks {
            add(&mut claims, &saying.claims);
        }
        let head = json!({ "typ": "JWT", "alg": saying.signing.name(), "kid": saying.signing.name() });
        let text = format!("{}.{}", BASE64.encode(head.to_string()), BASE64.encode(claims.to_string()));
        let signature = match saying.signing {
            Signing::Rs256 => {
                let key = if saying.forges { &OTHER_RSA } else { &RSA };
                url_safe(&key.sign(text.as_bytes()).expect("a signature"))
            }
            Signing::Es256 => BASE64.encode(EC.sign(&SystemRandom::new(), text.as_bytes()).expect("a signature")),
        };
        format!("{text}.{signature}")
    }
}

fn add(claims: &mut Value, more: &BTreeMap<String, Value>) {
    for (name, value) in more {
        claims[name] = value.clone();
    }
}

/// The public halves, as a client looks for them.
fn keys() -> Vec<Value> {
    let rsa = RSA.public();
    let rsa = json!({
        "kty": "RSA", "use": "sig", "alg": "RS256", "kid": "RS256",
        "n": url_safe(&rsa.modulus_base64()), "e": url_safe(&rsa.exponent_base64()),
    });
    // Uncompressed: a 4, then both coordinates.
    let point = EC.public_key().as_ref();
    let (x, y) = point[1..].split_at(32);
    let ec = json!({
        "kty": "EC", "use": "sig", "alg": "ES256", "kid": "ES256", "crv": "P-256",
        "x": BASE64.encode(x), "y": BASE64.encode(y),
    });
    vec![ec, rsa]
}

/// Base64 as it stands in URLs, of base64 as it stands elsewhere.
fn url_safe(base64: &str) -> String {
    BASE64.encode(BASE64_STANDARD.decode(base64).expect("base64"))
}

/// A parameter of a query, as it stands there.
pub(crate) fn parameter(query: &str, name: &str) -> String {
    let value = query.split(['?', '&']).find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    value.unwrap_or_else(|| panic!("{name} in {query}")).to_owned()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next().expect("a digit"), rest.next().expect("a digit")];
            let digits = std::str::from_utf8(&digits).expect("digits");
            bytes.push(u8::from_str_radix(digits, 16).expect("digits"));
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).expect("text")
}
