//! The pages, one file each: input, handler, what the page shows.

pub(crate) mod account;
pub(crate) mod admin;
pub(crate) mod browse;
pub(crate) mod details;
pub(crate) mod link;
pub(crate) mod moving;
pub(crate) mod open;
pub(crate) mod provider;
pub(crate) mod rescued;
#[cfg(test)]
mod samples;
pub(crate) mod sign_in;
pub(crate) mod transfer;
pub(crate) mod welcome;

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, FromRequest, Request};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use serde::de::DeserializeOwned;

use crate::frame::Said;
use crate::problem::Problem;
use crate::site::Shared;

/// The fields of a form that was sent.
pub(crate) struct Input<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Input<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match Form::<T>::from_request(request, state).await {
            Ok(Form(fields)) => Ok(Self(fields)),
            Err(FormRejection::BytesRejection(bytes)) if bytes.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(Problem::TooLarge)
            }
            Err(_) => Err(Problem::Malformed),
        }
    }
}

/// To another page of ours, after something was done.
pub(crate) fn see(shared: &Shared, path: &str, said: Option<Said>) -> Response {
    let joint = if path.contains('?') { '&' } else { '?' };
    match said {
        Some(said) => Redirect::to(&format!("{}{path}{joint}said={}", shared.base, said.id())).into_response(),
        None => Redirect::to(&format!("{}{path}", shared.base)).into_response(),
    }
}

/// A path of ours that somebody asked to be sent to; anything that could lead elsewhere is the first page.
///
/// Browsers take `//host` and `/\host` for another site, and leave out tabs and line ends before they look.
pub(crate) fn own_path(path: &str) -> &str {
    let leads_away = path.starts_with("//") || path.contains('\\') || path.chars().any(char::is_control);
    if path.starts_with('/') && !leads_away && path.len() <= OWN_PATH_BYTES_MAX { path } else { "/" }
}

/// Longest path that is come back to.
const OWN_PATH_BYTES_MAX: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_site() {
        for own in ["/", "/browse/abc", "/open/x/edit?wdPid=1&a=b%2F%2F"] {
            assert_eq!(own_path(own), own);
        }
        for foreign in
            ["", "https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example", "evil", "/a\r\nb"]
        {
            assert_eq!(own_path(foreign), "/", "{foreign:?}");
        }
        assert_eq!(own_path(&format!("/{}", "a".repeat(OWN_PATH_BYTES_MAX))), "/");
    }
}
