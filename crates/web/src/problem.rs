//! Every way in which a page says no: one table from what went wrong to a status and words.
//!
//! A handler returns a [`Problem`]; it becomes a page in [`crate::site`], where the language of the visitor is known.

use askama::Template;
use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};

use crate::frame::{Frame, page_with};

/// After how many seconds it is worth another try.
const RETRY_AFTER_SECONDS: u16 = 5;

/// What went wrong.
///
/// | problem | status |
/// |---|---|
/// | `NotFound`: not there, or not for this person; the same answer for both | 404 |
/// | `CrossSite`: the request came from another site | 403 |
/// | `Malformed`: a form that ours does not send | 400 |
/// | `Method` | 405 |
/// | `TooLarge` | 413 |
/// | `LinkSpent`: the one-time link was used or ran out | 410 |
/// | `Busy`: passing trouble | 503 |
/// | `Failed`: everything else, logged | 500 |
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Problem {
    NotFound,
    CrossSite,
    Malformed,
    Method,
    TooLarge,
    LinkSpent,
    Busy,
    Failed,
}

impl Problem {
    /// A failure of ours: logged here, once, and told without its cause.
    pub(crate) fn internal(doing: &str, error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = error, "{doing}");
        Self::Failed
    }

    /// Its status.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::CrossSite => StatusCode::FORBIDDEN,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::LinkSpent => StatusCode::GONE,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The messages of its title and of what to do.
    fn messages(self) -> (&'static str, &'static str) {
        match self {
            Self::NotFound => ("problem-not-found", "problem-not-found-hint"),
            Self::CrossSite => ("problem-cross-site", "problem-cross-site-hint"),
            Self::Malformed => ("problem-malformed", "problem-malformed-hint"),
            Self::Method => ("problem-method", "problem-method-hint"),
            Self::TooLarge => ("problem-too-large", "problem-too-large-hint"),
            Self::LinkSpent => ("problem-link-spent", "problem-link-spent-hint"),
            Self::Busy => ("problem-busy", "problem-busy-hint"),
            Self::Failed => ("problem-failed", "problem-failed-hint"),
        }
    }

    /// Its page.
    pub(crate) fn page(self, frame: Frame) -> Response {
        let (title, hint) = self.messages();
        let (title, hint) = (frame.say(title), frame.say(hint));
        let mut page = page_with(self.status(), &ProblemPage { p: frame, title, hint });
        self.add_headers(&mut page);
        page
    }

    fn add_headers(self, answer: &mut Response) {
        if self == Self::Busy {
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
    }
}

/// The bare status, which remembers what it stands for.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut answer = self.status().into_response();
        self.add_headers(&mut answer);
        answer.extensions_mut().insert(self);
        answer
    }
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    p: Frame,
    title: String,
    hint: String,
}
