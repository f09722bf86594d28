//! A "no" together with its reason.
//!
//! A client gets what [`WopiError`] renders and nothing else; the operator gets the reason, in one log line and through
//! [`crate::WopiHost::refused`].

use std::borrow::Cow;
use std::fmt;

use wopi::{Kind, Target, WopiError};

/// A refusal or failure, and why: for the operator, never for the client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// What the client is told.
    pub error: WopiError,
    /// Why, in plain words, with what was computed and what was given. No secrets.
    pub because: Cow<'static, str>,
}

impl Refusal {
    /// A refusal with its reason.
    pub fn new(error: WopiError, because: impl Into<Cow<'static, str>>) -> Self {
        Self { error, because: because.into() }
    }

    /// A failure of ours: the client learns only that it happened.
    pub fn internal(because: impl Into<Cow<'static, str>>) -> Self {
        Self::new(WopiError::Internal, because)
    }
}

impl From<WopiError> for Refusal {
    fn from(error: WopiError) -> Self {
        Self { because: Cow::Owned(error.to_string()), error }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.because)
    }
}

impl std::error::Error for Refusal {}

/// A refused request, as the log line and a diagnostics page show it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefusalReport {
    /// What was asked; `None` if no route matched.
    pub operation: Option<Kind>,
    /// On what.
    pub target: Option<Target>,
    /// The status that was answered.
    pub status: u16,
    /// Why.
    pub because: String,
    /// The request's URL as we rebuilt it for the proof, token left out.
    pub url: String,
    /// Our time when it was judged, in milliseconds since 1970.
    pub at_ms: i64,
    /// `X-WOPI-CorrelationId`, cut and escaped.
    pub correlation_id: Option<String>,
    /// The id of the request that `X-WOPI-ServerError` carries.
    pub request_id: String,
}
