//! Every way to say no, with its status, headers and body: one table.

use std::fmt;

use http::header::{CONTENT_RANGE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::coauth::ConflictingMechanism;
use crate::headers;
use crate::lock_id::LockId;
use crate::utf7;

/// A refusal or failure as the protocol knows it. The table below is the whole of it, with examples of what it carries;
/// a test prints it from the code.
///
/// | variant | status | carries |
/// |---|---|---|
/// | `ProofRejected` | 500 | `X-WOPI-ServerError: proof rejected` |
/// | `Unauthorized` | 401 | |
/// | `Unauthorized`, bootstrapper | 401 | `WWW-Authenticate: Bearer a="b"` |
/// | `NotFound` | 404 | |
/// | `NotSupported` | 501 | |
/// | `InvalidRequest` | 400 | `X-WOPI-ServerError: X-WOPI-Size is missing, malformed or excluded by another header` |
/// | `InvalidBody` | 400 | `X-WOPI-FailureReason: why` |
/// | `IllegalName` | 400 | `X-WOPI-InvalidFileNameError: why`, `X-WOPI-ValidRelativeTarget: +AOQ-.docx` |
/// | `LockMismatch`, held | 409 | `X-WOPI-Lock: A`, `X-WOPI-LockFailureReason: why` |
/// | `LockMismatch`, free | 409 | `X-WOPI-Lock:`, `X-WOPI-LockFailureReason: why` |
/// | `LockMismatch`, held by one who is shown | 409 | `X-WOPI-ConflictingLockUsername: Zo?`, `X-WOPI-Lock: A`, `X-WOPI-LockFailureReason: why` |
/// | `LockMismatch`, PutChunkedFile | 409 | `X-WOPI-ConflictingMechanism: WOPI-Lock`, `X-WOPI-Lock: A`, `X-WOPI-LockFailureReason: why` |
/// | `HeldOtherwise` | 409 | `X-WOPI-FailureReason: why`, `X-WOPI-LockFailureReason: why` |
/// | `HeldOtherwise`, PutChunkedFile | 409 | `X-WOPI-ConflictingMechanism: WOPI-CoauthExclusiveLock`, `X-WOPI-FailureReason: why`, `X-WOPI-LockFailureReason: why` |
/// | `CoauthLockRefused` | 409 | `X-WOPI-FailureReason: why` |
/// | `CoauthLockRefused`, by one who is shown | 409 | `X-WOPI-ConflictingLockUsername: Zo?`, `X-WOPI-FailureReason: why` |
/// | `NameTaken` | 409 | `X-WOPI-ValidRelativeTarget: +AOQ-.docx` |
/// | `NotEmpty` | 409 | |
/// | `StaleTimestamp` | 409 | body `{"COOLStatusCode":1010,"LOOLStatusCode":1010}` |
/// | `Gone` | 410 | `X-WOPI-FailureReason: why` |
/// | `LargerThanExpected` | 412 | |
/// | `StaleSequence` | 412 | `X-WOPI-SequenceNumber: 7` |
/// | `TooLarge` | 413 | |
/// | `RangeNotSatisfiable` | 416 | `Content-Range: bytes */9` |
/// | `Busy` | 503 | `Retry-After: 5` |
/// | `Internal` | 500 | |
///
/// A container's illegal name goes into `X-WOPI-InvalidContainerNameError` instead. `Internal` should carry the id of the
/// request in `X-WOPI-ServerError`, never the cause; only the service knows it, so the service adds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WopiError {
    /// Signature or time of the proof is wrong.
    ProofRejected,
    /// The access token is missing, malformed, expired, revoked or for something else. One answer for all of them.
    Unauthorized {
        /// For the bootstrapper only: the value of `WWW-Authenticate`.
        challenge: Option<String>,
    },
    /// Unknown, or the caller may not: the same answer for both.
    NotFound,
    /// Unknown override, operation switched off, may not overwrite.
    NotSupported,
    /// A header (or the body, by that name) is missing, empty, malformed or excluded by another.
    InvalidRequest {
        /// The header.
        header: &'static str,
    },
    /// The body of a request of incremental transfer cannot be read, or does not hold what it promises.
    InvalidBody {
        /// Why, for logs: ASCII.
        reason: String,
    },
    /// A name was refused in specific mode.
    IllegalName {
        /// Why, for logs: ASCII.
        reason: String,
        /// A name that would do, to be sent in UTF-7.
        valid: Option<String>,
        /// Whether it was a container's name.
        container: bool,
    },
    /// The lock given is not the lock held.
    LockMismatch {
        /// The lock held; `None` if the file is free, which is sent as an empty header.
        current: Option<LockId>,
        /// Why, for people: ASCII.
        reason: String,
        /// Who holds it, if he took it to be seen. What is not ASCII is sent as `?`: no document names an encoding.
        username: Option<String>,
        /// What kind of lock it is; for PutChunkedFile only.
        mechanism: Option<ConflictingMechanism>,
    },
    /// Held by something that is not a WOPI lock.
    HeldOtherwise {
        /// Why, for people: ASCII.
        reason: String,
        /// What kind of lock it is; for PutChunkedFile only, and not for locks of type `Coauth`.
        mechanism: Option<ConflictingMechanism>,
    },
    /// An operation on coauth locks meets a lock that excludes it, or there is no such coauth lock.
    CoauthLockRefused {
        /// Why, for logs: ASCII.
        reason: String,
        /// Who holds the WOPI lock in the way, if he took it to be seen.
        username: Option<String>,
    },
    /// The name belongs to another file or container already.
    NameTaken {
        /// A name that would do, to be sent in UTF-7.
        valid: Option<String>,
    },
    /// The container has children.
    NotEmpty,
    /// The client saw an older file (Collabora's and ONLYOFFICE's timestamp).
    StaleTimestamp,
    /// There is no such upload session (any more), or not for this caller and file.
    Gone {
        /// Why, for logs: ASCII.
        reason: String,
    },
    /// The file is larger than `X-WOPI-MaxExpectedSize`.
    LargerThanExpected,
    /// The sequence number is an older one.
    StaleSequence {
        /// The current one.
        current: u64,
    },
    /// The body is larger than the host accepts.
    TooLarge,
    /// A range that the file does not have.
    RangeNotSatisfiable {
        /// The size of the file.
        size: u64,
    },
    /// Passing trouble; worth another try.
    Busy {
        /// Seconds after which to try again.
        retry_after: u32,
    },
    /// Anything else.
    Internal,
}

/// Longest reason that is sent, in characters. Reasons may quote names, and a header should not be as long as those.
pub const REASON_LENGTH_MAX: usize = 200;

/// Longest name of a user that is sent, in characters.
pub const USERNAME_LENGTH_MAX: usize = 200;

/// Longest name that is proposed, in bytes of UTF-7. A longer one is left out: cut, it would be another name.
pub const VALID_TARGET_LENGTH_MAX: usize = 2048;

impl WopiError {
    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::InvalidRequest { .. } | Self::InvalidBody { .. } | Self::IllegalName { .. } => {
                StatusCode::BAD_REQUEST
            }
            Self::Unauthorized { .. } => StatusCode::UNAUTHORIZED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::LockMismatch { .. }
            | Self::HeldOtherwise { .. }
            | Self::CoauthLockRefused { .. }
            | Self::NameTaken { .. }
            | Self::NotEmpty
            | Self::StaleTimestamp => StatusCode::CONFLICT,
            Self::Gone { .. } => StatusCode::GONE,
            Self::LargerThanExpected | Self::StaleSequence { .. } => StatusCode::PRECONDITION_FAILED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::RangeNotSatisfiable { .. } => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::ProofRejected | Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NotSupported => StatusCode::NOT_IMPLEMENTED,
            Self::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Puts what the answer carries into its headers, in place of what stood there.
    ///
    /// Whatever text is in the error, this cannot fail and cannot make a second header: what is not printable ASCII is
    /// sent as `?`.
    pub fn write_headers(&self, answer: &mut HeaderMap) {
        let mut put = |name: HeaderName, value: HeaderValue| {
            answer.insert(name, value);
        };
        match self {
            Self::ProofRejected => put(headers::SERVER_ERROR, HeaderValue::from_static("proof rejected")),
            Self::Unauthorized { challenge: Some(challenge) } => put(WWW_AUTHENTICATE, ascii(challenge, usize::MAX)),
            Self::InvalidRequest { header } => {
                let reason = format!("{header} is missing, malformed or excluded by another header");
                put(headers::SERVER_ERROR, ascii(&reason, REASON_LENGTH_MAX));
            }
            Self::InvalidBody { reason } | Self::Gone { reason } => {
                put(headers::FAILURE_REASON, ascii(reason, REASON_LENGTH_MAX));
            }
            Self::IllegalName { reason, valid, container } => {
                let name =
                    if *container { headers::INVALID_CONTAINER_NAME_ERROR } else { headers::INVALID_FILE_NAME_ERROR };
                put(name, ascii(reason, REASON_LENGTH_MAX));
                if let Some(valid) = valid.as_deref().and_then(valid_target) {
                    put(headers::VALID_RELATIVE_TARGET, valid);
                }
            }
            Self::LockMismatch { current, reason, username, mechanism } => {
                put(headers::LOCK, lock_value(current.as_ref()));
                put(headers::LOCK_FAILURE_REASON, ascii(reason, REASON_LENGTH_MAX));
                if let Some(username) = username {
                    put(headers::CONFLICTING_LOCK_USERNAME, ascii(username, USERNAME_LENGTH_MAX));
                }
                if let Some(mechanism) = mechanism {
                    put(headers::CONFLICTING_MECHANISM, HeaderValue::from_static(mechanism.as_str()));
                }
            }
            Self::HeldOtherwise { reason, mechanism } => {
                put(headers::LOCK_FAILURE_REASON, ascii(reason, REASON_LENGTH_MAX));
                put(headers::FAILURE_REASON, ascii(reason, REASON_LENGTH_MAX));
                if let Some(mechanism) = mechanism {
                    put(headers::CONFLICTING_MECHANISM, HeaderValue::from_static(mechanism.as_str()));
                }
            }
            Self::CoauthLockRefused { reason, username } => {
                put(headers::FAILURE_REASON, ascii(reason, REASON_LENGTH_MAX));
                if let Some(username) = username {
                    put(headers::CONFLICTING_LOCK_USERNAME, ascii(username, USERNAME_LENGTH_MAX));
                }
            }
            Self::NameTaken { valid } => {
                if let Some(valid) = valid.as_deref().and_then(valid_target) {
                    put(headers::VALID_RELATIVE_TARGET, valid);
                }
            }
            Self::StaleSequence { current } => put(headers::SEQUENCE_NUMBER, (*current).into()),
            Self::RangeNotSatisfiable { size } => put(CONTENT_RANGE, ascii(&format!("bytes */{size}"), usize::MAX)),
            Self::Busy { retry_after } => put(RETRY_AFTER, (*retry_after).into()),
            Self::Unauthorized { challenge: None }
            | Self::NotFound
            | Self::NotSupported
            | Self::NotEmpty
            | Self::StaleTimestamp
            | Self::LargerThanExpected
            | Self::TooLarge
            | Self::Internal => {}
        }
    }

    /// The body of the answer with its content type; `None` for an empty one.
    ///
    /// Collabora tells a changed file from a changed lock by this body only (builds before the renaming read the second
    /// member).
    pub fn body(&self) -> Option<(&'static str, String)> {
        match self {
            Self::StaleTimestamp => {
                Some(("application/json", r#"{"COOLStatusCode":1010,"LOOLStatusCode":1010}"#.to_owned()))
            }
            _ => None,
        }
    }
}

/// The value of `X-WOPI-Lock` in an answer: the lock held, or nothing at all.
pub fn lock_value(held: Option<&LockId>) -> HeaderValue {
    held.map_or(HeaderValue::from_static(""), |lock| ascii(lock.as_str(), usize::MAX))
}

/// A header's value made of text, whatever the text.
fn ascii(text: &str, length_max: usize) -> HeaderValue {
    let printable = |c: char| if matches!(c, ' '..='~') { c } else { '?' };
    let text: String = text.chars().take(length_max).map(printable).collect();
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

fn valid_target(name: &str) -> Option<HeaderValue> {
    let name = utf7::encode(name);
    (1..=VALID_TARGET_LENGTH_MAX).contains(&name.len()).then(|| ascii(&name, usize::MAX))
}

impl fmt::Display for WopiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ProofRejected => f.write_str("the proof was rejected"),
            Self::Unauthorized { .. } => f.write_str("the access token is not valid for this"),
            Self::NotFound => f.write_str("there is no such thing, or not for this caller"),
            Self::NotSupported => f.write_str("the operation is not supported"),
            Self::InvalidRequest { header } => {
                write!(f, "{header} is missing, malformed or excluded by another header")
            }
            Self::InvalidBody { reason } => write!(f, "the body was refused: {reason}"),
            Self::Gone { reason } => write!(f, "the upload session is gone: {reason}"),
            Self::IllegalName { reason, .. } => write!(f, "the name was refused: {reason}"),
            Self::LockMismatch { current: None, reason, .. } => write!(f, "the file is not locked: {reason}"),
            Self::LockMismatch { current: Some(_), reason, .. } => {
                write!(f, "the file is locked with another lock id: {reason}")
            }
            Self::HeldOtherwise { reason, .. } => write!(f, "the file is held by something else: {reason}"),
            Self::CoauthLockRefused { reason, .. } => write!(f, "the coauth lock was refused: {reason}"),
            Self::NameTaken { .. } => f.write_str("the name is taken"),
            Self::NotEmpty => f.write_str("the container is not empty"),
            Self::StaleTimestamp => f.write_str("the client saw an older version of the file"),
            Self::LargerThanExpected => f.write_str("the file is larger than the client expects"),
            Self::StaleSequence { current } => write!(f, "the sequence number is not {current}"),
            Self::TooLarge => f.write_str("the body is larger than the host accepts"),
            Self::RangeNotSatisfiable { size } => write!(f, "the range lies outside the {size} bytes of the file"),
            Self::Busy { retry_after } => write!(f, "busy, worth another try in {retry_after} s"),
            Self::Internal => f.write_str("internal error"),
        }
    }
}

impl std::error::Error for WopiError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One of each, and of those that look different in some state two.
    fn examples() -> Vec<(&'static str, WopiError)> {
        let lock = LockId::parse("A");
        let (reason, valid) = ("why".to_owned(), Some("ä.docx".to_owned()));
        vec![
            ("`ProofRejected`", WopiError::ProofRejected),
            ("`Unauthorized`", WopiError::Unauthorized { challenge: None }),
            ("`Unauthorized`, bootstrapper", WopiError::Unauthorized { challenge: Some("Bearer a=\"b\"".to_owned()) }),
            ("`NotFound`", WopiError::NotFound),
            ("`NotSupported`", WopiError::NotSupported),
            ("`InvalidRequest`", WopiError::InvalidRequest { header: "X-WOPI-Size" }),
            ("`InvalidBody`", WopiError::InvalidBody { reason: reason.clone() }),
            (
                "`IllegalName`",
                WopiError::IllegalName { reason: reason.clone(), valid: valid.clone(), container: false },
            ),
            ("`LockMismatch`, held", mismatch(lock.clone(), None, None)),
            ("`LockMismatch`, free", mismatch(None, None, None)),
            ("`LockMismatch`, held by one who is shown", mismatch(lock.clone(), Some("Zo\u{eb}"), None)),
            ("`LockMismatch`, PutChunkedFile", mismatch(lock, None, Some(ConflictingMechanism::WopiLock))),
            ("`HeldOtherwise`", WopiError::HeldOtherwise { reason: reason.clone(), mechanism: None }),
            (
                "`HeldOtherwise`, PutChunkedFile",
                WopiError::HeldOtherwise {
                    reason: reason.clone(),
                    mechanism: Some(ConflictingMechanism::CoauthExclusiveLock),
                },
            ),
            ("`CoauthLockRefused`", WopiError::CoauthLockRefused { reason: reason.clone(), username: None }),
            (
                "`CoauthLockRefused`, by one who is shown",
                WopiError::CoauthLockRefused { reason: reason.clone(), username: Some("Zo\u{eb}".to_owned()) },
            ),
            ("`NameTaken`", WopiError::NameTaken { valid }),
            ("`NotEmpty`", WopiError::NotEmpty),
            ("`StaleTimestamp`", WopiError::StaleTimestamp),
            ("`Gone`", WopiError::Gone { reason }),
            ("`LargerThanExpected`", WopiError::LargerThanExpected),
            ("`StaleSequence`", WopiError::StaleSequence { current: 7 }),
            ("`TooLarge`", WopiError::TooLarge),
            ("`RangeNotSatisfiable`", WopiError::RangeNotSatisfiable { size: 9 }),
            ("`Busy`", WopiError::Busy { retry_after: 5 }),
            ("`Internal`", WopiError::Internal),
        ]
    }

    fn mismatch(current: Option<LockId>, user: Option<&str>, mechanism: Option<ConflictingMechanism>) -> WopiError {
        WopiError::LockMismatch { current, reason: "why".to_owned(), username: user.map(str::to_owned), mechanism }
    }

    /// The name of a header as its document spells it.
    fn spelled(name: &HeaderName) -> &'static str {
        let others = ["Content-Range", "Retry-After", "WWW-Authenticate"];
        others.into_iter().find(|other| other.eq_ignore_ascii_case(name.as_str())).unwrap_or(headers::published(name))
    }

    #[test]
    fn the_table_in_the_documentation_is_what_the_code_does() {
        let documented: Vec<&str> = include_str!("error.rs")
            .lines()
            .skip_while(|line| !line.starts_with("/// | variant |"))
            .take_while(|line| line.starts_with("/// |"))
            .skip(2)
            .collect();
        let printed: Vec<String> = examples()
            .into_iter()
            .map(|(name, error)| {
                let mut answer = HeaderMap::new();
                error.write_headers(&mut answer);
                let sent = |(name, value): (&HeaderName, &HeaderValue)| {
                    let line = format!("{}: {}", spelled(name), value.to_str().unwrap());
                    format!("`{}`", line.trim_end())
                };
                let mut carries: Vec<_> = answer.iter().map(sent).collect();
                carries.sort();
                carries.extend(error.body().map(|(_, body)| format!("body `{body}`")));
                format!("/// | {name} | {} | {} |", error.status().as_u16(), carries.join(", ")).replace("|  |", "| |")
            })
            .collect();
        println!("{}", printed.join("\n"));
        assert_eq!(documented, printed);
    }

    #[test]
    fn a_free_file_is_told_by_an_empty_lock_header() {
        let mut answer = HeaderMap::new();
        mismatch(None, None, None).write_headers(&mut answer);
        assert_eq!(answer.get(headers::LOCK).map(HeaderValue::as_bytes), Some(&b""[..]));
        let mut answer = HeaderMap::new();
        WopiError::HeldOtherwise { reason: String::new(), mechanism: None }.write_headers(&mut answer);
        assert!(!answer.contains_key(headers::LOCK));
    }

    #[test]
    fn a_containers_illegal_name_has_a_header_of_its_own() {
        let mut answer = HeaderMap::new();
        let (reason, valid) = ("slash".to_owned(), None);
        WopiError::IllegalName { reason, valid, container: true }.write_headers(&mut answer);
        assert_eq!(answer.get(headers::INVALID_CONTAINER_NAME_ERROR), Some(&HeaderValue::from_static("slash")));
        assert_eq!(answer.len(), 1);
    }

    #[test]
    fn only_the_body_of_a_stale_timestamp_is_not_empty() {
        for (name, error) in examples() {
            let json = error.body().map(|(content_type, _)| content_type);
            assert_eq!(json, (error == WopiError::StaleTimestamp).then_some("application/json"), "{name}");
        }
    }

    #[test]
    fn an_error_is_told_in_lower_case_without_a_full_stop() {
        for (name, error) in examples() {
            let text = error.to_string();
            assert!(!text.ends_with('.'), "{name}: {text}");
            assert!(text.starts_with("X-WOPI-") || text.starts_with(char::is_lowercase), "{name}: {text}");
        }
    }

    proptest! {
        #[test]
        fn no_reason_makes_a_second_header_or_a_long_one(reason in any::<String>(), valid in any::<String>()) {
            let mut answer = HeaderMap::new();
            WopiError::IllegalName { reason, valid: Some(valid), container: false }.write_headers(&mut answer);
            prop_assert!(answer.len() <= 2);
            for value in answer.values() {
                prop_assert!(value.len() <= VALID_TARGET_LENGTH_MAX);
                prop_assert!(value.as_bytes().iter().all(|b| (0x20..0x7f).contains(b)));
            }
            prop_assert!(answer[headers::INVALID_FILE_NAME_ERROR].len() <= REASON_LENGTH_MAX);
        }
    }
}
