//! Somebody whom a provider of OpenID Connect signs in, over the network, with keys that it publishes.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, Uri};

use crate::common::run;
use crate::driver::Browser;
use crate::gallery::Gallery;
use crate::house::House;
use crate::provider::{Provider, Signing};

/// The provider behind a port.
async fn provider() -> (Arc<Provider>, String) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let issuer = format!("http://{}", listener.local_addr().expect("it is bound"));
    let provider = Arc::new(Provider::new(&issuer));
    let answers = async |State(provider): State<Arc<Provider>>, uri: Uri, headers: HeaderMap, body: String| {
        let bearer = headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let told = provider.answers(&uri.to_string(), bearer.unwrap_or_default(), &body);
        let answer = Response::builder().status(told.status).header(told.header.0, told.header.1);
        answer.body(Body::from(told.body)).expect("an answer")
    };
    let app = Router::new().fallback(answers).with_state(Arc::clone(&provider));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (provider, issuer)
}

#[test]
fn a_provider_signs_somebody_in_and_they_come_back_to_where_they_wanted_to_go() {
    let Some(browser) = Browser::start() else { return };
    run(300, async {
        let mut gallery = Gallery::new();
        let (provider, issuer) = provider().await;
        let house = House::opens_with(&format!(
            "[provider]\nissuer = \"{issuer}\"\nclient_id = \"lectern\"\nlabel = \"Choir\"\ngroups_claim = \"groups\"\n"
        ))
        .await;
        for (signing, only_to_who_asks, name) in [(Signing::Rs256, false, "carol"), (Signing::Es256, true, "dave <b>")]
        {
            provider.says(|saying| {
                (saying.signing, saying.only_to_who_asks) = (signing, only_to_who_asks);
                saying.claims.insert("preferred_username".to_owned(), name.into());
                saying.claims.insert("groups".to_owned(), ["Board"].as_slice().into());
            });
            let person = browser.person();
            let page = person.opens(&house.url("/account"));
            page.shows("Sign in with Choir");
            if signing == Signing::Rs256 {
                gallery.looks_at(&page, "sign-in-provider");
            }
            page.arrives(|page| page.click_at("main a.button", "Sign in with Choir"));
            page.shows(&format!("Signed in as {name}"));
            assert_eq!(page.path(), "/account");
            page.is_content();
        }

        provider.says(|saying| (saying.signing, saying.forges) = (Signing::Rs256, true));
        let stranger = browser.person();
        let page = stranger.opens(&house.url("/sign-in"));
        page.arrives(|page| page.click_at("main a.button", "Sign in with Choir"));
        page.shows("You could not be signed in");
        page.takes_troubles();
        gallery.looks_at(&page, "sign-in-provider-refused");
        gallery.closes();
    });
}
