//! Every way in which a page says no: one table from what went wrong to a status and words.
//!
//! A handler returns a [`Problem`]; it becomes a page in [`crate::site`], where the language of the visitor is known.

use askama::Template;
use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use lectern_host::desk::{Denied, NameFault, Why};
use lectern_host::ports::RegistryError;

use crate::frame::{Frame, page_with};

/// After how many seconds it is worth another try.
const RETRY_AFTER_SECONDS: u16 = 5;

/// What went wrong.
///
/// | problem | status |
/// |---|---|
/// | `NotFound`: not there, or not for this person; the same answer for both | 404 |
/// | `Denied`: a use case said no, and why | by the reason |
/// | `CrossSite`: the request came from another site | 403 |
/// | `Malformed`: a form that ours does not send | 400 |
/// | `Method` | 405 |
/// | `TooLarge` | 413 |
/// | `LinkSpent`: the one-time link was used or ran out | 410 |
/// | `Provider`: somebody else should have signed them in, and did not | 403 |
/// | `Busy`: passing trouble | 503 |
/// | `Failed`: everything else, logged | 500 |
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Problem {
    NotFound,
    Denied(Why),
    CrossSite,
    Malformed,
    Method,
    TooLarge,
    LinkSpent,
    Provider,
    Busy,
    Failed,
}

impl Problem {
    /// A failure of ours: logged here, once, and told without its cause.
    pub(crate) fn internal(doing: &str, error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = error, "{doing}");
        Self::Failed
    }

    /// What the registry could not do: passing trouble, or a failure of ours.
    pub(crate) fn registry(doing: &str, error: &RegistryError) -> Self {
        match error {
            RegistryError::Unavailable(_)
            | RegistryError::Full(_)
            | RegistryError::Conflict
            | RegistryError::Condemned => {
                tracing::warn!(error = error as &dyn std::error::Error, "a page was put off: {doing}");
                Self::Busy
            }
            RegistryError::NotFound | RegistryError::NameTaken | RegistryError::NotEmpty | RegistryError::Failed(_) => {
                Self::internal(doing, error)
            }
        }
    }

    /// Its status.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Denied(why) => status_of(why),
            Self::CrossSite => StatusCode::FORBIDDEN,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::LinkSpent => StatusCode::GONE,
            Self::Provider => StatusCode::FORBIDDEN,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Its title, and what to do.
    fn told(&self, frame: &Frame) -> (String, String) {
        let (title, hint) = match self {
            Self::Denied(why) => return (frame.say("problem-denied"), told(why, frame)),
            Self::NotFound => ("problem-not-found", "problem-not-found-hint"),
            Self::CrossSite => ("problem-cross-site", "problem-cross-site-hint"),
            Self::Malformed => ("problem-malformed", "problem-malformed-hint"),
            Self::Method => ("problem-method", "problem-method-hint"),
            Self::TooLarge => ("problem-too-large", "problem-too-large-hint"),
            Self::LinkSpent => ("problem-link-spent", "problem-link-spent-hint"),
            Self::Provider => ("problem-provider", "problem-provider-hint"),
            Self::Busy => ("problem-busy", "problem-busy-hint"),
            Self::Failed => ("problem-failed", "problem-failed-hint"),
        };
        (frame.say(title), frame.say(hint))
    }

    /// Its page.
    pub(crate) fn page(&self, frame: Frame) -> Response {
        let (title, hint) = self.told(&frame);
        let mut page = page_with(self.status(), &ProblemPage { p: frame, title, hint });
        self.add_headers(&mut page);
        page
    }

    fn add_headers(&self, answer: &mut Response) {
        if *self == Self::Busy {
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

impl From<Denied> for Problem {
    /// The ways to say no that every page has are those; what somebody can do something about keeps its reason.
    fn from(Denied { why, because }: Denied) -> Self {
        match why {
            Why::SignedOut | Why::NotFound => Self::NotFound,
            Why::Busy => {
                tracing::warn!("a page was put off: {because}");
                Self::Busy
            }
            Why::Failed => {
                tracing::error!("a page failed: {because}");
                Self::Failed
            }
            why => Self::Denied(why),
        }
    }
}

/// The status of a "no".
pub(crate) fn status_of(why: &Why) -> StatusCode {
    match why {
        Why::SignedOut => StatusCode::UNAUTHORIZED,
        Why::NotFound => StatusCode::NOT_FOUND,
        Why::NotAllowed | Why::Root | Why::NoClient => StatusCode::FORBIDDEN,
        Why::NameTaken { .. } | Why::Held | Why::Changed | Why::NotEmpty | Why::LeftOver { .. } => StatusCode::CONFLICT,
        Why::Name(_) | Why::TooDeep => StatusCode::UNPROCESSABLE_ENTITY,
        Why::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Why::BrokenOff => StatusCode::BAD_REQUEST,
        Why::Range { .. } => StatusCode::RANGE_NOT_SATISFIABLE,
        Why::TooMany { .. } | Why::LastAdministrator | Why::ContainerGone | Why::IntoItself => StatusCode::CONFLICT,
        Why::Busy => StatusCode::SERVICE_UNAVAILABLE,
        Why::Failed => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A "no" as a person reads it, with what to do.
pub(crate) fn told(why: &Why, p: &Frame) -> String {
    match why {
        Why::SignedOut => p.say("why-signed-out"),
        Why::NotFound => p.say("problem-not-found-hint"),
        Why::NotAllowed => p.say("why-not-allowed"),
        Why::NameTaken { free: Some(free) } => p.with("why-name-taken-free", "free", free.as_str()),
        Why::NameTaken { free: None } => p.say("why-name-taken"),
        Why::Name(NameFault::Empty) => p.say("why-name-empty"),
        Why::Name(NameFault::TooLong) => p.say("why-name-too-long"),
        Why::Name(NameFault::Character(character)) if character.is_control() => p.say("why-name-control"),
        Why::Name(NameFault::Character(character)) => p.with("why-name-character", "character", character.to_string()),
        Why::Name(NameFault::Hidden) => p.say("why-name-hidden"),
        Why::Name(NameFault::Edges) => p.say("why-name-edges"),
        Why::Name(NameFault::Reserved) => p.say("why-name-reserved"),
        Why::Name(NameFault::Refused) => p.say("why-name-refused"),
        Why::Held => p.say("why-held"),
        Why::TooLarge { limit } => p.with("why-too-large", "limit", p.size(limit)),
        Why::BrokenOff => p.say("why-broken-off"),
        Why::Range { .. } => p.say("why-range"),
        Why::Changed => p.say("why-changed"),
        Why::NotEmpty => p.say("why-not-empty"),
        Why::LeftOver { container, names } => {
            p.with2("why-left-over", "container", container.as_str(), "names", names.join(", "))
        }
        Why::TooDeep => p.say("why-too-deep"),
        Why::Root => p.say("why-root"),
        Why::NoClient => p.say("why-no-client"),
        Why::TooMany { limit } => p.with("why-too-many", "limit", *limit),
        Why::LastAdministrator => p.say("why-last-administrator"),
        Why::ContainerGone => p.say("why-container-gone"),
        Why::IntoItself => p.say("why-into-itself"),
        Why::Busy => p.say("problem-busy-hint"),
        Why::Failed => p.say("problem-failed-hint"),
    }
}

#[derive(Template)]
#[template(path = "problem.html")]
pub(crate) struct ProblemPage {
    pub(crate) p: Frame,
    pub(crate) title: String,
    pub(crate) hint: String,
}
