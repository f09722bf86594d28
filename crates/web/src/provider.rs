//! Signing in with a provider of OpenID Connect: the authorization code flow with PKCE, state and nonce.
//!
//! What was begun is remembered in the registry for ten minutes and is good once, at whichever node; the browser that comes
//! back has to be the one that left, which a cookie tells. The provider's own description and keys are fetched anew at both
//! ends of each sign-in, which is seldom, and always right after the provider changed its keys.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use lectern_host::ports::RegistryError;
use lectern_host::{BoxError, Host, errors};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreResponseType,
    CoreRevocableToken, CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AuthenticationFlow, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken,
    EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IdTokenFields,
    IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
    StandardErrorResponse, StandardTokenResponse, TokenResponse, UserInfoClaims,
};
use serde::{Deserialize, Serialize};

use crate::memo_name::place;
use crate::outside::Outsider;

/// Under what sign-ins that were begun are remembered.
const BEGUN: &str = "provider";

/// How long signing in at the provider may take.
const BEGUN_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// Largest answer of a provider, in bytes.
pub const PROVIDER_ANSWER_BYTES_MAX: usize = 1 << 20;

/// A provider, as the settings describe it.
#[derive(Clone)]
pub struct Provider {
    /// What stands on the button.
    pub label: String,
    /// Its issuer URL; its description is below it.
    pub issuer: String,
    /// How we are known there.
    pub client_id: String,
    /// Our secret there, if we have one.
    pub client_secret: Option<String>,
    /// What is asked for beside `openid`.
    pub scopes: Vec<String>,
    /// The claim that is somebody's name here.
    pub name_claim: String,
    /// The claim that lists their groups, if it shall be followed.
    pub groups_claim: Option<String>,
}

impl Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// Sends requests to the provider, without following redirects.
#[async_trait]
pub trait ProviderHttp: Debug + Send + Sync + 'static {
    /// The answer, at most [`PROVIDER_ANSWER_BYTES_MAX`] bytes of it.
    async fn send(&self, request: http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, BoxError>;
}

/// Why signing in with the provider failed.
#[derive(Debug, thiserror::Error)]
#[error("{doing}: {why}")]
pub(crate) struct ProviderError {
    doing: &'static str,
    why: String,
}

fn failed(doing: &'static str) -> impl FnOnce(String) -> ProviderError {
    move |why| ProviderError { doing, why }
}

/// Every claim, because the settings say which ones matter.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Claims(serde_json::Map<String, serde_json::Value>);

impl AdditionalClaims for Claims {}

type Fields = IdTokenFields<
    Claims,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;

type ProviderClient = Client<
    Claims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<Fields, CoreTokenType>,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// A sign-in that is under way. There may be 65,536 of them; after that new ones take the places of old ones.
#[derive(Serialize, Deserialize)]
struct Begun {
    state: String,
    nonce: String,
    verifier: String,
    next: String,
}

/// Signing in with one provider.
#[derive(Debug)]
pub(crate) struct SigningIn {
    pub(crate) provider: Provider,
    http: Arc<dyn ProviderHttp>,
    redirect_url: String,
}

/// The error of a request, as the library wants one.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct HttpTrouble(String);

impl SigningIn {
    pub(crate) fn new(provider: Provider, http: Arc<dyn ProviderHttp>, public_url: &str) -> Self {
        Self { provider, http, redirect_url: format!("{public_url}/sign-in/callback") }
    }

    /// How the library sends its requests.
    fn sender(&self) -> impl Fn(HttpRequest) -> BoxFuture<'static, Result<HttpResponse, HttpTrouble>> + use<> {
        let http = Arc::clone(&self.http);
        move |request| {
            let http = Arc::clone(&http);
            Box::pin(async move { http.send(request).await.map_err(|error| HttpTrouble(error.to_string())) })
        }
    }

    /// The provider as it describes itself now.
    async fn client(&self) -> Result<ProviderClient, ProviderError> {
        let issuer = IssuerUrl::new(self.provider.issuer.clone());
        let issuer = issuer.map_err(|e| failed("the issuer of the provider")(e.to_string()))?;
        let http = self.sender();
        let metadata = CoreProviderMetadata::discover_async(issuer, &http).await;
        let metadata = metadata.map_err(|e| failed("asking the provider for its description")(chain(&e)))?;
        let redirect = RedirectUrl::new(self.redirect_url.clone());
        let redirect = redirect.map_err(|e| failed("our own address")(e.to_string()))?;
        let secret = self.provider.client_secret.clone().map(ClientSecret::new);
        let id = ClientId::new(self.provider.client_id.clone());
        Ok(Client::from_provider_metadata(metadata, id, secret).set_redirect_uri(redirect))
    }

    /// Where the browser goes to sign in, and the state that it has to come back with.
    pub(crate) async fn begin(&self, host: &Host, next: &str) -> Result<(String, String), ProviderError> {
        let client = self.client().await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
        let mut request = client.authorize_url(flow, CsrfToken::new_random, Nonce::new_random);
        for scope in &self.provider.scopes {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        let (url, state, nonce) = request.set_pkce_challenge(challenge).url();
        let state = state.into_secret();
        let (nonce, verifier) = (nonce.secret().clone(), verifier.into_secret());
        let begun = Begun { state: state.clone(), nonce, verifier, next: next.to_owned() };
        let begun = serde_json::to_vec(&begun).map_err(|e| failed("remembering what was begun")(e.to_string()))?;
        let name = place(BEGUN, &state);
        let put = host.update_memo(&name, |_, now| ((), Some((begun.clone(), now.plus(BEGUN_LIFETIME)))));
        put.await.map_err(|e| failed("remembering what was begun")(errors::chain(&e)))?;
        Ok((url.to_string(), state))
    }

    /// What was begun with this state, once.
    async fn begun(&self, host: &Host, state: &str) -> Result<Option<Begun>, RegistryError> {
        let (registry, name) = (&host.ports().registry, place(BEGUN, state));
        let Some(memo) = registry.memo(&name, host.now()).await? else { return Ok(None) };
        let begun = serde_json::from_slice::<Begun>(&memo.value).ok().filter(|begun| begun.state == state);
        let Some(begun) = begun else { return Ok(None) };
        match registry.remove_memo(&name, memo.revision, host.now()).await {
            Ok(()) => Ok(Some(begun)),
            Err(RegistryError::Conflict) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Who it is that came back, and where they wanted to go. Good once.
    pub(crate) async fn finish(
        &self,
        host: &Host,
        state: &str,
        code: &str,
    ) -> Result<(Outsider, String), ProviderError> {
        let begun = self.begun(host, state).await;
        let begun = begun.map_err(|e| failed("coming back from the provider")(errors::chain(&e)))?;
        let begun = begun.ok_or_else(|| failed("coming back from the provider")("nothing was begun".to_owned()))?;
        let client = self.client().await?;
        let http = self.sender();
        let request = client.exchange_code(AuthorizationCode::new(code.to_owned()));
        let request = request.map_err(|e| failed("asking the provider for a token")(e.to_string()))?;
        let answer = request.set_pkce_verifier(PkceCodeVerifier::new(begun.verifier)).request_async(&http).await;
        let answer = answer.map_err(|e| failed("asking the provider for a token")(chain(&e)))?;
        let token = answer.id_token();
        let token = token.ok_or_else(|| failed("the provider's answer")("it has no ID token".to_owned()))?;
        let claims = token.claims(&client.id_token_verifier(), &Nonce::new(begun.nonce));
        let claims = claims.map_err(|e| failed("the provider's ID token")(chain(&e)))?;
        // The standard claims and all others alike, by the names that the settings have.
        let as_json = |error: serde_json::Error| failed("the provider's claims")(error.to_string());
        let mut all = serde_json::to_value(claims).map_err(as_json)?;
        let wanted = std::iter::once(&self.provider.name_claim).chain(&self.provider.groups_claim);
        if wanted.into_iter().any(|claim| all.get(claim).is_none())
            && let Ok(request) = client.user_info(answer.access_token().clone(), Some(claims.subject().clone()))
        {
            // Many put no more into the token than who it is for, and tell the rest to who asks with it.
            let told: Result<UserInfoClaims<Claims, CoreGenderClaim>, _> = request.request_async(&http).await;
            let told = told.map_err(|e| failed("asking the provider who it is")(chain(&e)))?;
            if let (Some(all), serde_json::Value::Object(told)) =
                (all.as_object_mut(), serde_json::to_value(told).map_err(as_json)?)
            {
                // What is signed counts.
                for (claim, value) in told {
                    all.entry(claim).or_insert(value);
                }
            }
        }
        let text = |claim: &str| all.get(claim).and_then(serde_json::Value::as_str).map(str::to_owned);
        if self.provider.name_claim == "email" && all.get("email_verified") == Some(&serde_json::Value::Bool(false)) {
            return Err(failed("the provider's claims")("the address was never verified".to_owned()));
        }
        let name = text(&self.provider.name_claim);
        let name = name.ok_or_else(|| failed("the provider's claims")(format!("no {}", self.provider.name_claim)))?;
        let groups = self.provider.groups_claim.as_ref().map(|claim| {
            let groups = all.get(claim).and_then(serde_json::Value::as_array).map(Vec::as_slice).unwrap_or_default();
            groups.iter().filter_map(|group| group.as_str().map(str::to_owned)).collect()
        });
        Ok((Outsider { name, shown_as: text("name"), groups }, begun.next))
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    errors::chain(error)
}
