//! `/welcome/{secret}`: the one-time link of a first start.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::header::USER_AGENT;
use http::{HeaderMap, StatusCode};
use lectern_accounts::{PasswordError, password};
use lectern_host::people::LOCAL_ADMINISTRATOR;
use lectern_host::ports::{Registry, RegistryError};
use lectern_host::records::{Revision, Role, User};
use serde::Deserialize;

use super::sign_in::with_session;
use super::{Input, see};
use crate::first_link::{self, Good};
use crate::frame::{Frame, page_with};
use crate::problem::Problem;
use crate::signing_in;
use crate::site::Shared;
use crate::visitor::Visitor;

/// Longest name of a person, in characters.
pub(crate) const PERSON_NAME_LENGTH_MAX: usize = 100;

#[derive(Deserialize)]
pub(crate) struct Fields {
    name: String,
    password: String,
    again: String,
}

#[derive(Template)]
#[template(path = "welcome.html")]
pub(super) struct WelcomePage {
    pub(super) p: Frame,
    /// Where the form goes: the link itself.
    pub(super) action: String,
    pub(super) name: String,
    pub(super) password_length_min: usize,
    pub(super) trouble: Option<String>,
}

/// `GET /welcome/{secret}`
pub(crate) async fn show(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    Path(secret): Path<String>,
) -> Result<Response, Problem> {
    must_be_good(&shared, &secret).await?;
    Ok(form(&shared, &visitor, &secret, StatusCode::OK, "", None))
}

/// `POST /welcome/{secret}`
pub(crate) async fn submit(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    headers: HeaderMap,
    Path(secret): Path<String>,
    Input(fields): Input<Fields>,
) -> Result<Response, Problem> {
    let link = must_be_good(&shared, &secret).await?;
    let name = fields.name.trim();
    let again = |message: &str| {
        let trouble = Some(visitor.words.say(message));
        Ok(form(&shared, &visitor, &secret, StatusCode::UNPROCESSABLE_ENTITY, name, trouble))
    };
    if !is_person_name(name) {
        return again("person-name-refused");
    }
    if fields.password != fields.again {
        return again("password-differs");
    }
    let hash = match shared.passwords.hash(&fields.password, &*shared.host.ports().random).await {
        Ok(hash) => hash,
        Err(PasswordError::TooShort) => return again("password-too-short"),
        Err(PasswordError::TooLong) => return again("password-too-long"),
        Err(error) => return Err(Problem::internal("hashing a password", &error)),
    };
    // Before anything is made, so that two who use it at once do not both become administrators. If making one fails,
    // the next start prints another link.
    let registry = &*shared.host.ports().registry;
    let free = is_free(registry, name).await.map_err(|e| Problem::registry("finding a user", &e))?;
    if !free {
        return again("person-name-taken");
    }
    let spent = link.spend(registry, shared.host.now()).await;
    if !spent.map_err(|e| Problem::registry("using up a one-time link", &e))? {
        return Err(Problem::LinkSpent);
    }
    let Some(user) = first_administrator(&shared, name, hash).await? else { return again("person-name-taken") };
    tracing::info!(user.name, "the first administrator has a password");
    let label = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).map(signing_in::label);
    let session = signing_in::open_session(&shared, &user, &label.unwrap_or_default()).await?;
    Ok(with_session(&shared, &session, see(&shared, "/", None)))
}

async fn must_be_good(shared: &Shared, secret: &str) -> Result<Good, Problem> {
    let good = first_link::good(&*shared.host.ports().registry, secret, shared.host.now()).await;
    good.map_err(|e| Problem::registry("looking up a one-time link", &e))?.ok_or(Problem::LinkSpent)
}

fn may_be_taken_over(user: &User) -> bool {
    user.role == Role::Administrator && user.password.is_none() && !user.disabled
}

/// Whether the first administrator may have this name.
async fn is_free(registry: &dyn Registry, name: &str) -> Result<bool, RegistryError> {
    match registry.user_named(name).await {
        Ok(user) => Ok(may_be_taken_over(&user)),
        Err(RegistryError::NotFound) => Ok(true),
        Err(error) => Err(error),
    }
}

fn form(
    shared: &Shared,
    visitor: &Visitor,
    secret: &str,
    status: StatusCode,
    name: &str,
    trouble: Option<String>,
) -> Response {
    let p = visitor.frame(shared);
    // The secret is good, so it is letters and digits.
    let action = p.url(&format!("/welcome/{secret}"));
    let name = name.to_owned();
    page_with(status, &WelcomePage { p, action, name, password_length_min: password::LENGTH_MIN, trouble })
}

/// Whether this can be the name of a person: something to see, nothing that controls a terminal.
pub(crate) fn is_person_name(text: &str) -> bool {
    !text.is_empty()
        && text.trim() == text
        && text.chars().count() <= PERSON_NAME_LENGTH_MAX
        && !text.chars().any(char::is_control)
}

/// Whoever has this name, if that is an administrator without a password; else the administrator that the first start
/// made, under this name; else somebody new. `None` if the name is another one's.
async fn first_administrator(shared: &Shared, name: &str, hash: String) -> Result<Option<User>, Problem> {
    let ports = shared.host.ports();
    let failed = |error: &RegistryError| Problem::registry("making the first administrator", error);
    let found = match ports.registry.user_named(name).await {
        Ok(user) if may_be_taken_over(&user) => Some(user),
        Ok(_) => return Ok(None),
        Err(RegistryError::NotFound) => match ports.registry.user_named(LOCAL_ADMINISTRATOR).await {
            Ok(user) => Some(user).filter(may_be_taken_over),
            Err(RegistryError::NotFound) => None,
            Err(error) => return Err(failed(&error)),
        },
        Err(error) => return Err(failed(&error)),
    };
    let stored = match found {
        Some(user) => {
            let display_name = if user.name.eq_ignore_ascii_case(name) { user.display_name } else { name.to_owned() };
            let user = User { name: name.to_owned(), display_name, password: Some(hash), ..user };
            ports.registry.commit_user(&user).await
        }
        None => {
            let user = User {
                id: lectern_host::ids::new_user_id(&*ports.random),
                name: name.to_owned(),
                display_name: name.to_owned(),
                role: Role::Administrator,
                password: Some(hash),
                disabled: false,
                user_info: None,
                revision: Revision::default(),
                created_at: shared.host.now(),
            };
            ports.registry.create_user(&user).await
        }
    };
    match stored {
        Ok(user) => Ok(Some(user)),
        Err(RegistryError::NameTaken) => Ok(None),
        Err(RegistryError::Conflict) => Err(Problem::Busy),
        Err(error) => Err(failed(&error)),
    }
}
