//! Signing in with a provider of OpenID Connect, and by the word of a proxy.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderName, Request, Response};
use lectern_host::BoxError;
use lectern_host::records::Role;
use lectern_web::{Provider, ProviderHttp, SettingsReport, WebSettings};
use openidconnect::core::{
    CoreGenderClaim, CoreHmacKey, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm,
};
use openidconnect::{
    AdditionalClaims, Audience, EndUserUsername, IdToken, IdTokenClaims, IssuerUrl, Nonce, StandardClaims,
    SubjectIdentifier,
};
use serde::{Deserialize, Serialize};

use crate::world::{Browser, World};

const ISSUER: &str = "https://login.example";
const SECRET: &str = "a secret that both sides know, long enough";

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Groups {
    groups: Vec<String>,
}

impl AdditionalClaims for Groups {}

/// A provider that signs anybody in as whom the test says.
#[derive(Debug, Default)]
struct Stub {
    name: Mutex<String>,
    nonce: Mutex<String>,
    key: Mutex<String>,
    asked: Mutex<Vec<String>>,
}

impl Stub {
    fn token(&self) -> String {
        let now = std::time::SystemTime::now();
        let claims = IdTokenClaims::new(
            IssuerUrl::new(ISSUER.to_owned()).unwrap(),
            vec![Audience::new("lectern".to_owned())],
            (now + Duration::from_secs(300)).into(),
            now.into(),
            StandardClaims::<CoreGenderClaim>::new(SubjectIdentifier::new("1".to_owned()))
                .set_preferred_username(Some(EndUserUsername::new(self.name.lock().unwrap().clone()))),
            Groups { groups: vec!["Choir".to_owned(), "Board".to_owned()] },
        )
        .set_nonce(Some(Nonce::new(self.nonce.lock().unwrap().clone())));
        let key = CoreHmacKey::new(self.key.lock().unwrap().as_bytes());
        let token: IdToken<Groups, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm> =
            IdToken::new(claims, &key, CoreJwsSigningAlgorithm::HmacSha256, None, None).unwrap();
        token.to_string()
    }
}

#[async_trait]
impl ProviderHttp for Stub {
    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, BoxError> {
        self.asked.lock().unwrap().push(request.uri().to_string());
        let body = match request.uri().path() {
            "/.well-known/openid-configuration" => serde_json::json!({
                "issuer": ISSUER,
                "authorization_endpoint": format!("{ISSUER}/authorize"),
                "token_endpoint": format!("{ISSUER}/token"),
                "jwks_uri": format!("{ISSUER}/keys"),
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["HS256"],
            }),
            "/keys" => serde_json::json!({ "keys": Vec::<CoreJsonWebKey>::new() }),
            "/token" => {
                let form = String::from_utf8(request.body().clone())?;
                if !form.contains("code_verifier=") || !form.contains("code=right") {
                    let refused = br#"{"error":"invalid_grant"}"#.to_vec();
                    return Ok(Response::builder().status(400).body(refused)?);
                }
                serde_json::json!({ "access_token": "x", "token_type": "Bearer", "id_token": self.token() })
            }
            _ => return Ok(Response::builder().status(404).body(Vec::new())?),
        };
        Ok(Response::builder().header("content-type", "application/json").body(serde_json::to_vec(&body)?)?)
    }
}

async fn world(stub: &Arc<Stub>) -> World {
    let provider = Provider {
        label: "Work".to_owned(),
        issuer: ISSUER.to_owned(),
        client_id: "lectern".to_owned(),
        client_secret: Some(SECRET.to_owned()),
        scopes: vec!["profile".to_owned()],
        name_claim: "preferred_username".to_owned(),
        groups_claim: Some("groups".to_owned()),
    };
    let settings = WebSettings { provider: Some(provider), ..WebSettings::default() };
    let http = Arc::clone(stub) as Arc<dyn ProviderHttp>;
    SECRET.clone_into(&mut stub.key.lock().unwrap());
    "carol".clone_into(&mut stub.name.lock().unwrap());
    World::built("http://lectern.example", "", settings, Some(http), SettingsReport::default()).await
}

fn parameter(url: &str, name: &str) -> String {
    let value = url.split(['?', '&']).find_map(|pair| pair.strip_prefix(&format!("{name}=")));
    value.unwrap_or_else(|| panic!("{name} in {url}")).to_owned()
}

/// Goes to the provider, and returns the address to come back to with the right code.
async fn leave(browser: &mut Browser<'_>, stub: &Stub) -> String {
    let away = browser.get("/sign-in/provider?next=%2Faccount").await;
    let url = away.location().to_owned();
    assert!(url.starts_with("https://login.example/authorize?"), "{url}");
    assert_eq!(parameter(&url, "code_challenge_method"), "S256");
    *stub.nonce.lock().unwrap() = parameter(&url, "nonce");
    format!("/sign-in/callback?code=right&state={}", parameter(&url, "state"))
}

#[tokio::test]
async fn a_provider_signs_somebody_in_with_their_groups() {
    let stub = Arc::new(Stub::default());
    let world = world(&stub).await;
    let mut browser = world.browser();
    assert!(browser.get("/sign-in?next=%2Faccount").await.text().contains("Sign in with Work"));
    let back = leave(&mut browser, &stub).await;
    assert_eq!(browser.get(&back).await.location(), "/account");
    assert!(browser.get("/account").await.text().contains("Signed in as carol"));
    let registry = &world.host.ports().registry;
    let carol = registry.user_named("carol").await.unwrap();
    assert_eq!((carol.role, carol.password), (Role::Member, None));
    assert_eq!(registry.groups_of(&carol.id).await.unwrap().len(), 2);
    assert_eq!(world.browser().get(&back).await.status, 403, "good once, and only in the browser that left");

    let mut again = world.browser();
    let back = leave(&mut again, &stub).await;
    assert_eq!(again.get(&back).await.location(), "/account");
    assert_eq!(registry.users().await.unwrap().len(), 1, "the same one");
}

#[tokio::test]
async fn nobody_is_signed_in_who_comes_back_with_something_else() {
    let stub = Arc::new(Stub::default());
    let world = world(&stub).await;
    let mut browser = world.browser();
    let back = leave(&mut browser, &stub).await;
    assert_eq!(world.browser().get(&back).await.status, 403, "another browser: a link that somebody sent");
    assert_eq!(browser.get("/sign-in/callback?code=right&state=other").await.status, 403);
    assert_eq!(browser.get("/sign-in/callback").await.status, 403);
    assert_eq!(browser.get(&back.replace("right", "wrong")).await.status, 403);

    let back = leave(&mut browser, &stub).await;
    "another nonce".clone_into(&mut stub.nonce.lock().unwrap());
    assert_eq!(browser.get(&back).await.status, 403, "a token that was made for another sign-in");
    let back = leave(&mut browser, &stub).await;
    "another secret".clone_into(&mut stub.key.lock().unwrap());
    assert_eq!(browser.get(&back).await.status, 403, "a token that somebody else signed");
    SECRET.clone_into(&mut stub.key.lock().unwrap());
    let back = leave(&mut browser, &stub).await;
    world.advance(Duration::from_secs(10 * 60));
    assert_eq!(browser.get(&back).await.status, 403, "too late");
    assert_eq!(browser.get("/account").await.status, 303);
    assert!(world.host.ports().registry.users().await.unwrap().is_empty());
}

#[tokio::test]
async fn who_is_shut_out_here_is_not_let_in_by_a_provider() {
    let stub = Arc::new(Stub::default());
    let world = world(&stub).await;
    let carol = world.person("carol", "correct horse", Role::Editor).await;
    let carol = lectern_host::records::User { disabled: true, ..carol };
    world.host.ports().registry.commit_user(&carol).await.unwrap();
    let mut browser = world.browser();
    let back = leave(&mut browser, &stub).await;
    assert_eq!(browser.get(&back).await.status, 403);
}

#[tokio::test]
async fn without_a_provider_there_is_nothing_to_go_to() {
    let world = World::new().await;
    assert_eq!(world.browser().get("/sign-in/provider").await.status, 404);
    assert!(!world.browser().get("/sign-in").await.text().contains("/sign-in/provider"));
}

#[tokio::test]
async fn a_proxy_is_believed_by_its_address_and_nobody_else_is() {
    let header = HeaderName::from_static("remote-user");
    let proxy = Some((header, vec![[10, 0, 0, 1].into()]));
    let settings = WebSettings { proxy, ..WebSettings::default() };
    let world = World::built("http://lectern.example", "", settings, None, SettingsReport::default()).await;
    let ask = || Request::get("/account").header("remote-user", "Dave");
    let mut stranger = world.browser();
    assert_eq!(stranger.send(ask(), "").await.status, 303, "anybody can send a header");
    let mut proxied = world.browser();
    proxied.address = [10, 0, 0, 1].into();
    let page = proxied.send(ask(), "").await;
    assert!(page.text().contains("Signed in as Dave"), "{}", page.text());
    let sessions = |page: &str| page.matches("<li>").count();
    let before = sessions(page.text());
    let page = proxied.send(ask(), "").await;
    assert_eq!(sessions(page.text()), before, "the session is kept");
    let page = proxied.send(Request::get("/account").header("remote-user", "Eve"), "").await;
    assert!(page.text().contains("Signed in as Eve"), "the proxy's word counts, not the cookie");
}
