//! What went wrong with a store, and what that means: worth another try, nothing there, or for a person to repair.
//!
//! | what happened | [`Kind`] | [`ContentsError`] |
//! |---|---|---|
//! | no such object | `NotFound` | `NotFound` |
//! | there is one already | `Exists` | `Failed` |
//! | refused, reset or lost connection, no answer in time | `Passing` | `Unavailable` |
//! | 408, 429, 500, 502, 503, 504 and the like; `SlowDown`, `RequestTimeout`, … | `Passing` | `Unavailable` |
//! | 507, a full disk, a quota | `Full` | `Full` |
//! | the range begins beyond the end | `OutOfRange` | never leaves this module |
//! | access denied, no such bucket, a wrong key, anything else | `Lasting` | `Failed` |

use std::error::Error as StdError;
use std::fmt;
use std::io;

use http::StatusCode;
use lectern_host::BoxError;
use lectern_host::ports::ContentsError;
use object_store::client::HttpError;

use super::transport::StoreAnswer;

/// What a failure means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    NotFound,
    Exists,
    OutOfRange,
    Full,
    Passing,
    Lasting,
}

/// Codes that mean another try is worth it, whatever their status.
const PASSING_CODES: [&str; 8] = [
    "SlowDown",
    "InternalError",
    "ServiceUnavailable",
    "RequestTimeout",
    "ServerBusy",
    "OperationTimedOut",
    "OperationAborted",
    "Throttling",
];
/// Codes that mean that there is no room.
const FULL_CODES: [&str; 4] = ["QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "EntityQuotaExceeded"];
/// How long a chain of causes is followed.
const CAUSES_MAX: usize = 16;

/// A failure: what was tried on what, and why it failed.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) kind: Kind,
    tried: String,
    source: BoxError,
}

impl Trouble {
    /// A failure of ours to understand or to accept what came.
    pub(super) fn new(kind: Kind, tried: impl Into<String>, source: impl Into<BoxError>) -> Self {
        Self { kind, tried: tried.into(), source: source.into() }
    }

    /// What `object_store` reports.
    pub(super) fn from_store(tried: impl Into<String>, error: object_store::Error) -> Self {
        Self { kind: kind_of(&error), tried: tried.into(), source: plain(error) }
    }

    /// That there was no answer in time.
    pub(super) fn late(tried: impl Into<String>) -> Self {
        Self::new(Kind::Passing, tried, "no answer in time")
    }

    /// Whether another try might help.
    pub(super) fn is_passing(&self) -> bool {
        self.kind == Kind::Passing
    }

    /// The failure without what was tried.
    pub(super) fn into_source(self) -> BoxError {
        self.source
    }

    /// What the store said, if it said something.
    pub(super) fn answer(&self) -> Option<&StoreAnswer> {
        let mut causes = causes(self);
        causes.find_map(|cause| cause.downcast_ref::<StoreAnswer>())
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}", self.tried)
    }
}

impl StdError for Trouble {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.source)
    }
}

impl From<Trouble> for ContentsError {
    fn from(trouble: Trouble) -> Self {
        match trouble.kind {
            Kind::NotFound => Self::NotFound,
            Kind::Full => Self::Full(trouble.into()),
            Kind::Passing => Self::Unavailable(trouble.into()),
            Kind::Exists | Kind::OutOfRange | Kind::Lasting => Self::Failed(trouble.into()),
        }
    }
}

fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| StdError::source(error)).take(CAUSES_MAX)
}

/// The store's own words where there are some: what `object_store` puts around them repeats the URL and its settings.
fn plain(error: object_store::Error) -> BoxError {
    let said = causes(&error).find_map(|cause| cause.downcast_ref::<StoreAnswer>()).cloned();
    said.map_or_else(|| error.into(), BoxError::from)
}

fn kind_of(error: &object_store::Error) -> Kind {
    match error {
        object_store::Error::NotFound { .. } => return Kind::NotFound,
        object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. } => return Kind::Exists,
        _ => {}
    }
    if let Some(answer) = causes(error).find_map(|cause| cause.downcast_ref::<StoreAnswer>()) {
        return kind_of_answer(answer);
    }
    if causes(error).any(<dyn StdError>::is::<HttpError>) {
        return Kind::Passing;
    }
    // What is left are the file system, misunderstandings and wrong settings.
    causes(error).find_map(|cause| kind_of_io(cause.downcast_ref()?)).unwrap_or(Kind::Lasting)
}

fn kind_of_answer(answer: &StoreAnswer) -> Kind {
    let code = answer.code.as_deref().unwrap_or_default();
    if PASSING_CODES.contains(&code) {
        return Kind::Passing;
    }
    if FULL_CODES.contains(&code) {
        return Kind::Full;
    }
    match answer.status {
        StatusCode::RANGE_NOT_SATISFIABLE => Kind::OutOfRange,
        StatusCode::INSUFFICIENT_STORAGE => Kind::Full,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => Kind::Passing,
        // "Not implemented" stays so.
        StatusCode::NOT_IMPLEMENTED | StatusCode::HTTP_VERSION_NOT_SUPPORTED => Kind::Lasting,
        status if status.is_server_error() => Kind::Passing,
        _ => Kind::Lasting,
    }
}

/// Failures of the file system, for a directory of objects.
fn kind_of_io(error: &io::Error) -> Option<Kind> {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(Kind::Full),
        // A file server that went away or came back, and too many open files.
        io::ErrorKind::StaleNetworkFileHandle | io::ErrorKind::TimedOut => Some(Kind::Passing),
        _ if matches!(error.raw_os_error(), Some(23 | 24)) => Some(Kind::Passing),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use object_store::client::HttpErrorKind;

    use super::*;

    fn answered(status: u16, code: Option<&str>) -> object_store::Error {
        let status = StatusCode::from_u16(status).unwrap();
        let answer = StoreAnswer { status, code: code.map(str::to_owned), message: None };
        generic(HttpError::new(HttpErrorKind::Unknown, answer))
    }

    fn generic(error: impl Into<BoxError>) -> object_store::Error {
        object_store::Error::Generic { store: "S3", source: error.into() }
    }

    #[test]
    fn the_table_of_failures() {
        let io = |kind: io::ErrorKind| io::Error::new(kind, "no");
        let transport = |kind| generic(HttpError::new(kind, io(io::ErrorKind::ConnectionReset)));
        for (error, kind) in [
            (answered(500, Some("InternalError")), Kind::Passing),
            (answered(500, None), Kind::Passing),
            (answered(502, None), Kind::Passing),
            (answered(503, Some("SlowDown")), Kind::Passing),
            (answered(504, None), Kind::Passing),
            (answered(429, None), Kind::Passing),
            (answered(408, None), Kind::Passing),
            (answered(400, Some("RequestTimeout")), Kind::Passing),
            (answered(200, Some("InternalError")), Kind::Passing),
            (answered(501, Some("NotImplemented")), Kind::Lasting),
            (answered(507, None), Kind::Full),
            (answered(403, Some("QuotaExceeded")), Kind::Full),
            (answered(403, Some("AccessDenied")), Kind::Lasting),
            (answered(403, Some("SignatureDoesNotMatch")), Kind::Lasting),
            (answered(404, Some("NoSuchBucket")), Kind::Lasting),
            (answered(401, None), Kind::Lasting),
            (answered(416, None), Kind::OutOfRange),
            (transport(HttpErrorKind::Connect), Kind::Passing),
            (transport(HttpErrorKind::Timeout), Kind::Passing),
            (transport(HttpErrorKind::Interrupted), Kind::Passing),
            (transport(HttpErrorKind::Unknown), Kind::Passing),
            (generic(io(io::ErrorKind::StorageFull)), Kind::Full),
            (generic(io(io::ErrorKind::PermissionDenied)), Kind::Lasting),
            (generic(io(io::ErrorKind::StaleNetworkFileHandle)), Kind::Passing),
            (generic(io::Error::from_raw_os_error(24)), Kind::Passing),
            (generic("misunderstood"), Kind::Lasting),
            (object_store::Error::NotFound { path: "a".into(), source: "no".into() }, Kind::NotFound),
            (object_store::Error::AlreadyExists { path: "a".into(), source: "no".into() }, Kind::Exists),
        ] {
            assert_eq!(kind_of(&error), kind, "{error:?}");
        }
    }

    #[test]
    fn an_error_tells_what_was_tried_and_what_the_store_said_once() {
        let trouble = Trouble::from_store("write s3://drive/a", answered(403, Some("AccessDenied")));
        assert_eq!(trouble.to_string(), "cannot write s3://drive/a");
        assert_eq!(trouble.source().unwrap().to_string(), "the store answered 403 Forbidden AccessDenied");
        assert!(trouble.source().unwrap().source().is_none());
        assert_eq!(trouble.answer().unwrap().code.as_deref(), Some("AccessDenied"));
        assert!(matches!(ContentsError::from(trouble), ContentsError::Failed(_)));
    }
}
