//! `/sign-in` and `/sign-out`

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::header::{SET_COOKIE, USER_AGENT};
use http::{HeaderMap, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::{Input, own_path, see};
use crate::frame::{Frame, page_with};
use crate::problem::Problem;
use crate::signing_in::{self, Attempt};
use crate::site::Shared;
use crate::visitor::Visitor;

#[derive(Deserialize)]
pub(crate) struct Next {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
pub(crate) struct Fields {
    name: String,
    password: String,
    #[serde(default)]
    next: String,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
pub(super) struct SignInPage {
    pub(super) p: Frame,
    pub(super) name: String,
    pub(super) next: String,
    /// What was wrong with the last attempt.
    pub(super) trouble: Option<String>,
    /// What the button of the provider says, and where it leads.
    pub(super) provider: Option<(String, String)>,
}

/// `GET /sign-in`
pub(crate) async fn show(State(shared): State<Arc<Shared>>, visitor: Visitor, next: Query<Next>) -> Response {
    let next = own_path(&next.next);
    if visitor.person.is_some() {
        return see(&shared, next, None);
    }
    let provider = provider(&shared, next);
    let p = visitor.frame(&shared);
    let page = SignInPage { p, name: String::new(), next: next.to_owned(), trouble: None, provider };
    page_with(StatusCode::OK, &page)
}

/// `POST /sign-in`
pub(crate) async fn submit(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    headers: HeaderMap,
    Input(fields): Input<Fields>,
) -> Result<Response, Problem> {
    let next = own_path(&fields.next);
    let (status, message) = match signing_in::try_password(&shared, &visitor, &fields.name, &fields.password).await? {
        Attempt::Known(user) => {
            let label = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).map(signing_in::label);
            let secret = signing_in::open_session(&shared, &user, &label.unwrap_or_default()).await?;
            return Ok(with_session(&shared, &secret, see(&shared, next, None)));
        }
        Attempt::Wrong => (StatusCode::UNAUTHORIZED, "sign-in-wrong"),
        Attempt::TooMany => (StatusCode::TOO_MANY_REQUESTS, "sign-in-too-many"),
    };
    let p = visitor.frame(&shared);
    let trouble = Some(p.say(message));
    let provider = provider(&shared, next);
    Ok(page_with(status, &SignInPage { p, name: fields.name.clone(), next: next.to_owned(), trouble, provider }))
}

/// What the button of the provider says, and where it leads.
fn provider(shared: &Shared, next: &str) -> Option<(String, String)> {
    let provider = shared.provider.as_ref()?;
    let next = utf8_percent_encode(next, NON_ALPHANUMERIC);
    Some((provider.provider.label.clone(), format!("{}/sign-in/provider?next={next}", shared.base)))
}

/// An answer that signs the browser in.
pub(crate) fn with_session(shared: &Shared, secret: &str, mut answer: Response) -> Response {
    let cookie = shared.cookies.of_session(secret, shared.settings.session_lifetime);
    answer.headers_mut().append(SET_COOKIE, cookie);
    answer
}

/// An answer that signs the browser out.
pub(crate) fn without_session(shared: &Shared, mut answer: Response) -> Response {
    answer.headers_mut().append(SET_COOKIE, shared.cookies.no_session());
    answer
}

/// `POST /sign-out`
pub(crate) async fn sign_out(State(shared): State<Arc<Shared>>, visitor: Visitor) -> Result<Response, Problem> {
    if let Some(person) = &visitor.person {
        signing_in::end(&shared, &person.session).await?;
    }
    Ok(without_session(&shared, see(&shared, "/sign-in", None)).into_response())
}
