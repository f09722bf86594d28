//! Every way to say no, with its status, headers and body: one table.

use crate::lock_id::LockId;

/// A refusal or failure as the protocol knows it. The table below is the whole of it, and the test prints it from code.
///
/// | variant | status | carries |
/// |---|---|---|
/// | `ProofRejected` | 500 | `X-WOPI-ServerError: proof rejected` |
/// | `Unauthorized` | 401 | nothing; for the bootstrapper `WWW-Authenticate` |
/// | `NotFound` | 404 | |
/// | `NotSupported` | 501 | |
/// | `InvalidRequest` | 400 | `X-WOPI-ServerError` names the header |
/// | `IllegalName` | 400 | `X-WOPI-InvalidFileNameError` or `X-WOPI-InvalidContainerNameError`, `X-WOPI-ValidRelativeTarget` |
/// | `LockMismatch` | 409 | `X-WOPI-Lock` (present and empty when free), `X-WOPI-LockFailureReason` |
/// | `HeldOtherwise` | 409 | `X-WOPI-LockFailureReason`; no `X-WOPI-Lock` |
/// | `NameTaken` | 409 | `X-WOPI-ValidRelativeTarget` |
/// | `NotEmpty` | 409 | |
/// | `StaleTimestamp` | 409 | body `{"COOLStatusCode":1010,"LOOLStatusCode":1010}` |
/// | `LargerThanExpected` | 412 | |
/// | `StaleSequence` | 412 | `X-WOPI-SequenceNumber` |
/// | `TooLarge` | 413 | |
/// | `RangeNotSatisfiable` | 416 | `Content-Range: bytes */size` |
/// | `Busy` | 503 | `Retry-After` |
/// | `Internal` | 500 | `X-WOPI-ServerError`: the request's id, never the cause |
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
    },
    /// Held by something that is not a WOPI lock.
    HeldOtherwise {
        /// Why, for people: ASCII.
        reason: String,
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
