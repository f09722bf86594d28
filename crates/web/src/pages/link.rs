//! `/link/{secret}`: for those who come by a link. They say a name, perhaps a password, and are guests.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use lectern_host::desk::LinkOffer;
use lectern_host::ids;
use lectern_host::links::PageMode;
use lectern_host::sharing::Item;
use serde::Deserialize;

use super::sign_in::with_session;
use super::{Input, browse, see};
use crate::cookies::session_id;
use crate::frame::{Frame, page_with};
use crate::problem::{Problem, status_of, told};
use crate::signing_in;
use crate::site::Shared;
use crate::visitor::Visitor;

#[derive(Deserialize)]
pub(crate) struct Fields {
    name: String,
    #[serde(default)]
    password: String,
}

#[derive(Template)]
#[template(path = "link.html")]
pub(super) struct LinkPage {
    pub(super) p: Frame,
    pub(super) action: String,
    pub(super) name: String,
    pub(super) edits: bool,
    pub(super) needs_password: bool,
    pub(super) trouble: Option<String>,
}

/// `GET /link/{secret}`
pub(crate) async fn show(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    Path(secret): Path<String>,
) -> Result<Response, Problem> {
    let offer = shared.host.link_offer(&secret).await?;
    Ok(form(&shared, &visitor, &secret, &offer, StatusCode::OK, "", None))
}

/// `POST /link/{secret}`
pub(crate) async fn submit(
    State(shared): State<Arc<Shared>>,
    visitor: Visitor,
    Path(secret): Path<String>,
    Input(fields): Input<Fields>,
) -> Result<Response, Problem> {
    let offer = shared.host.link_offer(&secret).await?;
    let again = |status, trouble| Ok(form(&shared, &visitor, &secret, &offer, status, &fields.name, Some(trouble)));
    if let Some(hash) = offer.password() {
        if !signing_in::may_try(&shared, &visitor, &format!("link {secret}")).await? {
            return again(StatusCode::TOO_MANY_REQUESTS, visitor.words.say("sign-in-too-many"));
        }
        let matches = shared.passwords.matches(&fields.password, Some(hash)).await;
        if !matches.map_err(|error| Problem::internal("checking a password", &error))? {
            return again(StatusCode::UNAUTHORIZED, visitor.words.say("link-wrong-password"));
        }
    }
    let cookie = ids::new_id(&*shared.host.ports().random);
    let lifetime = shared.settings.session_lifetime;
    match shared.host.enter_by_link_as(&offer, &fields.name, lifetime, session_id(&cookie)).await {
        Ok(_) => {
            let to = match offer.item() {
                Item::File(id) => {
                    let mode = if offer.edits() { PageMode::Edit } else { PageMode::View };
                    format!("/open/{id}/{}", mode.as_str())
                }
                Item::Container(id) => browse::path_of(id),
            };
            Ok(with_session(&shared, &cookie, see(&shared, &to, None)))
        }
        Err(denied) => match Problem::from(denied) {
            Problem::Denied(why) => again(status_of(&why), told(&why, &visitor.frame(&shared))),
            other => Err(other),
        },
    }
}

fn form(
    shared: &Shared,
    visitor: &Visitor,
    secret: &str,
    offer: &LinkOffer,
    status: StatusCode,
    name: &str,
    trouble: Option<String>,
) -> Response {
    let p = visitor.frame(shared);
    // The secret is good, so it is letters and digits.
    let action = p.url(&format!("/link/{secret}"));
    let (edits, needs_password) = (offer.edits(), offer.password().is_some());
    page_with(status, &LinkPage { p, action, name: name.to_owned(), edits, needs_password, trouble })
}
