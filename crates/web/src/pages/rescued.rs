//! `/rescued`: saves that were refused and kept, for their author.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use lectern_host::desk::{Denied, Desk, Rescued, Why};
use lectern_host::records::ContentId;
use serde::Deserialize;

use super::browse::path_of;
use super::transfer::attachment;
use super::{Input, see};
use crate::frame::{Frame, Said, page_with};
use crate::problem::{Problem, status_of, told};
use crate::site::Shared;
use crate::visitor::Member;

#[derive(Template)]
#[template(path = "rescued.html")]
pub(super) struct RescuedPage {
    pub(super) p: Frame,
    pub(super) saves: Vec<Rescued>,
    pub(super) trouble: Option<String>,
}

async fn rescued_page(
    shared: &Shared,
    member: &Member,
    desk: &Desk<'_>,
    denied: Option<Denied>,
) -> Result<Response, Problem> {
    let p = member.frame(shared);
    let (status, trouble) = match denied.map(Problem::from) {
        None => (StatusCode::OK, None),
        Some(Problem::Denied(why)) => (status_of(&why), Some(told(&why, &p))),
        Some(other) => return Err(other),
    };
    let saves = desk.rescued().await?;
    Ok(page_with(status, &RescuedPage { p, saves, trouble }))
}

/// `GET /rescued`
pub(crate) async fn rescued(State(shared): State<Arc<Shared>>, member: Member) -> Result<Response, Problem> {
    let desk = shared.host.desk(&member.session.id).await?;
    rescued_page(&shared, &member, &desk, None).await
}

/// `GET /rescued/{save}`: its bytes.
pub(crate) async fn download(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = ContentId::parse(&id).ok_or(Problem::NotFound)?;
    let desk = shared.host.desk(&member.session.id).await?;
    let (name, size, body) = desk.open_rescued(&id).await?;
    let mut answer = Response::new(axum::body::Body::new(body));
    let fields = answer.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    fields.insert(CONTENT_DISPOSITION, attachment(name.as_str()));
    fields.insert(CONTENT_LENGTH, HeaderValue::from(size));
    Ok(answer)
}

#[derive(Deserialize)]
pub(crate) struct Fields {
    save: String,
}

/// `POST /rescued/{change}`: `put-back` as a copy, `discard`.
pub(crate) async fn change(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Path(change): Path<String>,
    Input(fields): Input<Fields>,
) -> Result<Response, Problem> {
    let id = ContentId::parse(&fields.save).ok_or(Problem::Malformed)?;
    let desk = shared.host.desk(&member.session.id).await?;
    let denied = match change.as_str() {
        "put-back" => match desk.put_rescued_back(&id, None).await {
            Ok(file) => return Ok(see(&shared, &path_of(&file.container), Some(Said::PutBack))),
            // Where it belonged is gone, or not theirs to change any more: beside everything else, then.
            Err(Denied { why: Why::ContainerGone | Why::NotFound, .. }) => {
                let root = desk.root().await?;
                match desk.put_rescued_back(&id, Some(&root.id)).await {
                    Ok(file) => return Ok(see(&shared, &path_of(&file.container), Some(Said::PutBack))),
                    Err(denied) => denied,
                }
            }
            Err(denied) => denied,
        },
        "discard" => match desk.discard_rescued(&id).await {
            Ok(()) => return Ok(see(&shared, "/rescued", Some(Said::Purged))),
            Err(denied) => denied,
        },
        _ => return Err(Problem::NotFound),
    };
    rescued_page(&shared, &member, &desk, Some(denied)).await
}
