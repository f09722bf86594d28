//! `/sign-in/provider` and `/sign-in/callback`: to a provider of OpenID Connect, and back.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::cookie::CookieJar;
use http::HeaderMap;
use http::header::{SET_COOKIE, USER_AGENT};
use serde::Deserialize;

use super::sign_in::with_session;
use super::{own_path, see};
use crate::cookies::Cookies;
use crate::problem::Problem;
use crate::site::Shared;
use crate::{outside, signing_in};

#[derive(Deserialize)]
pub(crate) struct Next {
    #[serde(default)]
    next: String,
}

/// `GET /sign-in/provider`
pub(crate) async fn begin(State(shared): State<Arc<Shared>>, Query(next): Query<Next>) -> Result<Response, Problem> {
    let provider = shared.provider.as_ref().ok_or(Problem::NotFound)?;
    match provider.begin(&shared.host, own_path(&next.next)).await {
        Ok((url, state)) => {
            let mut answer = Redirect::to(&url).into_response();
            answer.headers_mut().append(SET_COOKIE, shared.cookies.of_provider(&state));
            Ok(answer)
        }
        Err(error) => {
            tracing::error!("signing in with the provider: {error}");
            Err(Problem::Provider)
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct Back {
    #[serde(default)]
    code: String,
    #[serde(default)]
    state: String,
}

/// `GET /sign-in/callback`
pub(crate) async fn finish(
    State(shared): State<Arc<Shared>>,
    Query(back): Query<Back>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let provider = shared.provider.as_ref().ok_or(Problem::NotFound)?;
    // The browser that comes back is the one that left: nobody is signed in as somebody else by a link.
    if Cookies::provider(&CookieJar::from_headers(&headers)).as_deref() != Some(back.state.as_str()) {
        return Err(Problem::Provider);
    }
    let (outsider, next) = match provider.finish(&shared.host, &back.state, &back.code).await {
        Ok(known) => known,
        Err(error) => {
            tracing::warn!("signing in with the provider: {error}");
            return Err(Problem::Provider);
        }
    };
    let user = outside::account(&shared, &outsider).await?.ok_or(Problem::Provider)?;
    let label = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).map(signing_in::label);
    let secret = signing_in::open_session(&shared, &user, &label.unwrap_or_default()).await?;
    let mut answer = with_session(&shared, &secret, see(&shared, own_path(&next), None));
    answer.headers_mut().append(SET_COOKIE, shared.cookies.no_provider());
    Ok(answer)
}
