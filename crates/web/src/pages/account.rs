//! `/account`: password, language, sessions.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use http::header::SET_COOKIE;
use lectern_accounts::{PasswordError, password};
use lectern_host::ports::RegistryError;
use lectern_host::records::{Session, User};
use serde::Deserialize;

use super::sign_in::without_session;
use super::{Input, own_path, see};
use crate::frame::{Frame, Said, page_with};
use crate::problem::Problem;
use crate::signing_in::{self, Attempt};
use crate::site::Shared;
use crate::visitor::{Member, Visitor};
use crate::words::Language;

#[derive(Deserialize)]
pub(crate) struct PasswordFields {
    current: String,
    password: String,
    again: String,
}

#[derive(Deserialize)]
pub(crate) struct SessionFields {
    session: String,
}

#[derive(Deserialize)]
pub(crate) struct LanguageFields {
    language: String,
    #[serde(default)]
    next: String,
}

#[derive(Template)]
#[template(path = "account.html")]
pub(super) struct AccountPage {
    pub(super) p: Frame,
    pub(super) user_name: String,
    pub(super) has_password: bool,
    pub(super) password_length_min: usize,
    pub(super) sessions: Vec<SessionRow>,
    pub(super) trouble: Option<String>,
}

pub(super) struct SessionRow {
    pub(super) session: Session,
    pub(super) is_this: bool,
}

/// `GET /account`
pub(crate) async fn show(State(shared): State<Arc<Shared>>, member: Member) -> Result<Response, Problem> {
    account_page(&shared, &member, StatusCode::OK, None).await
}

async fn account_page(
    shared: &Shared,
    member: &Member,
    status: StatusCode,
    trouble: Option<&str>,
) -> Result<Response, Problem> {
    if member.visitor.person.as_ref().is_some_and(|person| person.is_guest) {
        return Err(Problem::NotFound);
    }
    let sessions = signing_in::live_sessions(shared, &member.user).await?;
    let p = member.frame(shared);
    let page = AccountPage {
        user_name: member.user.name.clone(),
        has_password: member.user.password.is_some(),
        password_length_min: password::LENGTH_MIN,
        sessions: sessions
            .into_iter()
            .map(|session| SessionRow { is_this: session.id == member.session.id, session })
            .collect(),
        trouble: trouble.map(|message| p.say(message)),
        p,
    };
    Ok(page_with(status, &page))
}

/// `POST /account/password`. All other sessions end: whoever changes a password may have a reason.
pub(crate) async fn password(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Input(fields): Input<PasswordFields>,
) -> Result<Response, Problem> {
    let again = async |status, message| account_page(&shared, &member, status, Some(message)).await;
    let user = match signing_in::try_password(&shared, &member.visitor, &member.user.name, &fields.current).await? {
        Attempt::Known(user) if user.id == member.user.id => user,
        Attempt::Known(_) | Attempt::Wrong => return again(StatusCode::FORBIDDEN, "password-wrong").await,
        Attempt::TooMany => return again(StatusCode::TOO_MANY_REQUESTS, "sign-in-too-many").await,
    };
    if fields.password != fields.again {
        return again(StatusCode::UNPROCESSABLE_ENTITY, "password-differs").await;
    }
    let hash = match shared.passwords.hash(&fields.password, &*shared.host.ports().random).await {
        Ok(hash) => hash,
        Err(PasswordError::TooShort) => return again(StatusCode::UNPROCESSABLE_ENTITY, "password-too-short").await,
        Err(PasswordError::TooLong) => return again(StatusCode::UNPROCESSABLE_ENTITY, "password-too-long").await,
        Err(error) => return Err(Problem::internal("hashing a password", &error)),
    };
    match shared.host.ports().registry.commit_user(&User { password: Some(hash), ..*user }).await {
        Ok(_) => {}
        Err(RegistryError::Conflict) => return Err(Problem::Busy),
        Err(error) => return Err(Problem::registry("changing a password", &error)),
    }
    for session in signing_in::live_sessions(&shared, &member.user).await? {
        if session.id != member.session.id {
            signing_in::end(&shared, &session).await?;
        }
    }
    Ok(see(&shared, "/account", Some(Said::PasswordChanged)))
}

/// `POST /account/sessions/end`
pub(crate) async fn end_session(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Input(fields): Input<SessionFields>,
) -> Result<Response, Problem> {
    // Only one's own: a session of somebody else is not found.
    let sessions = signing_in::live_sessions(&shared, &member.user).await?;
    let session = sessions.into_iter().find(|session| session.id.0 == fields.session).ok_or(Problem::NotFound)?;
    signing_in::end(&shared, &session).await?;
    Ok(see(&shared, "/account", Some(Said::SessionEnded)))
}

/// `POST /account/sessions/end-all`: signs out everywhere, here too.
pub(crate) async fn end_all_sessions(State(shared): State<Arc<Shared>>, member: Member) -> Result<Response, Problem> {
    for session in signing_in::live_sessions(&shared, &member.user).await? {
        signing_in::end(&shared, &session).await?;
    }
    Ok(without_session(&shared, see(&shared, "/sign-in", Some(Said::SessionsEnded))))
}

/// `POST /language`
pub(crate) async fn language(
    State(shared): State<Arc<Shared>>,
    _: Visitor,
    Input(fields): Input<LanguageFields>,
) -> Result<Response, Problem> {
    let language = Language::parse(&fields.language).ok_or(Problem::Malformed)?;
    let mut answer = Redirect::to(&format!("{}{}", shared.base, own_path(&fields.next))).into_response();
    answer.headers_mut().append(SET_COOKIE, shared.cookies.of_language(language));
    Ok(answer)
}
