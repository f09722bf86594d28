//! Signing in with a provider of OpenID Connect, and by the word of a proxy.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderName, Request, Response};
use lectern_host::BoxError;
use lectern_host::records::Role;
use lectern_web::{Provider, ProviderHttp, SettingsReport, WebSettings};

use crate::provider_stub::{self, Signing, parameter};
use crate::world::{Browser, World};

const ISSUER: &str = "https://login.example";

/// A provider that signs anybody in as whom the test says.
#[derive(Debug)]
struct Stub(provider_stub::Provider);

#[async_trait]
impl ProviderHttp for Stub {
    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, BoxError> {
        let path = request.uri().path_and_query().unwrap().to_string();
        let bearer = request.headers().get("authorization").map_or("", |value| value.to_str().unwrap());
        let bearer = bearer.strip_prefix("Bearer ").unwrap_or_default();
        let told = self.0.answers(&path, bearer, std::str::from_utf8(request.body())?);
        let (name, value) = told.header;
        Ok(Response::builder().status(told.status).header(name, value).body(told.body)?)
    }
}

fn stub() -> Arc<Stub> {
    let stub = provider_stub::Provider::new(ISSUER);
    stub.says(|saying| {
        saying.claims.insert("preferred_username".to_owned(), "carol".into());
        saying.claims.insert("groups".to_owned(), ["Choir", "Board"].as_slice().into());
    });
    Arc::new(Stub(stub))
}

async fn world(stub: &Arc<Stub>) -> World {
    let provider = Provider {
        label: "Work".to_owned(),
        issuer: ISSUER.to_owned(),
        client_id: "lectern".to_owned(),
        client_secret: Some("a secret that both sides know".to_owned()),
        scopes: vec!["profile".to_owned()],
        name_claim: "preferred_username".to_owned(),
        groups_claim: Some("groups".to_owned()),
    };
    let settings = WebSettings { provider: Some(provider), ..WebSettings::default() };
    let http = Arc::clone(stub) as Arc<dyn ProviderHttp>;
    World::built("http://lectern.example", "", settings, Some(http), SettingsReport::default()).await
}

/// Goes to the provider, and returns the address to come back to with the right code.
async fn leave(browser: &mut Browser<'_>, stub: &Stub) -> String {
    let away = browser.get("/sign-in/provider?next=%2Faccount").await;
    let url = away.location().to_owned();
    assert!(url.starts_with("https://login.example/authorize?"), "{url}");
    assert_eq!(parameter(&url, "code_challenge_method"), "S256");
    let back = stub.0.answers(url.strip_prefix(ISSUER).unwrap(), "", "").header.1;
    back.strip_prefix("http://lectern.example").unwrap().to_owned()
}

#[tokio::test]
async fn a_provider_signs_somebody_in_with_their_groups() {
    let stub = stub();
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
async fn a_token_of_either_kind_of_key_is_believed() {
    for signing in [Signing::Rs256, Signing::Es256] {
        let stub = stub();
        stub.0.says(|saying| saying.signing = signing);
        let world = world(&stub).await;
        let mut browser = world.browser();
        let back = leave(&mut browser, &stub).await;
        assert_eq!(browser.get(&back).await.location(), "/account", "{signing:?}");
        let asked = stub.0.asked.lock().unwrap().clone();
        assert!(asked.iter().any(|path| path == "/keys") && !asked.iter().any(|path| path == "/userinfo"), "{asked:?}");
    }
}

#[tokio::test]
async fn a_provider_that_tells_names_only_to_who_asks_is_asked() {
    let stub = stub();
    stub.0.says(|saying| saying.only_to_who_asks = true);
    let world = world(&stub).await;
    let mut browser = world.browser();
    let back = leave(&mut browser, &stub).await;
    assert_eq!(browser.get(&back).await.location(), "/account");
    let registry = &world.host.ports().registry;
    let carol = registry.user_named("carol").await.unwrap();
    assert_eq!(registry.groups_of(&carol.id).await.unwrap().len(), 2);

    stub.0.says(|saying| saying.subject = Some("2".to_owned()));
    let mut browser = world.browser();
    let back = leave(&mut browser, &stub).await;
    assert_eq!(browser.get(&back).await.status, 403, "what is told of somebody else");
    stub.0.says(|saying| saying.subject = None);
    stub.0.says(|saying| saying.claims.clear());
    let back = leave(&mut browser, &stub).await;
    assert_eq!(browser.get(&back).await.status, 403, "nobody says who it is");
}

#[tokio::test]
async fn nobody_is_signed_in_who_comes_back_with_something_else() {
    let stub = stub();
    let world = world(&stub).await;
    let mut browser = world.browser();
    let back = leave(&mut browser, &stub).await;
    assert_eq!(world.browser().get(&back).await.status, 403, "another browser: a link that somebody sent");
    assert_eq!(browser.get("/sign-in/callback?code=right&state=other").await.status, 403);
    assert_eq!(browser.get("/sign-in/callback").await.status, 403);
    assert_eq!(browser.get(&back.replace("right", "wrong")).await.status, 403);

    let back = leave(&mut browser, &stub).await;
    stub.0.says(|saying| saying.nonce = Some("another nonce".to_owned()));
    assert_eq!(browser.get(&back).await.status, 403, "a token that was made for another sign-in");
    let back = leave(&mut browser, &stub).await;
    stub.0.says(|saying| (saying.nonce, saying.forges) = (None, true));
    assert_eq!(browser.get(&back).await.status, 403, "a token that somebody else signed");
    stub.0.says(|saying| saying.forges = false);
    let back = leave(&mut browser, &stub).await;
    world.advance(Duration::from_secs(10 * 60));
    assert_eq!(browser.get(&back).await.status, 403, "too late");
    assert_eq!(browser.get("/account").await.status, 303);
    assert!(world.host.ports().registry.users().await.unwrap().is_empty());
}

#[tokio::test]
async fn who_is_shut_out_here_is_not_let_in_by_a_provider() {
    let stub = stub();
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
