//! Answers and refusals as HTTP responses.

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde::Serialize;
use wopi::{ItemVersion, LockId, headers};

use crate::body::{Body, empty, full};
use crate::host::{CoauthAnswer, FileBytes, FramedBytes, PutFileDone};
use crate::refusal::Refusal;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// What most JSON answers fit in, so that they are written without moving.
const JSON_BYTES_USUAL: usize = 2048;
const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");

fn respond(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let fields = response.headers_mut();
    // A cache between us and the client must never hand one user's answer to the next, and a browser must never
    // take a document for a page (clients.md 9, "Safety").
    fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

pub(crate) fn done() -> Response<Body> {
    respond(StatusCode::OK, empty())
}

pub(crate) fn json(answer: &impl Serialize) -> Response<Body> {
    let mut bytes = Vec::with_capacity(JSON_BYTES_USUAL);
    match serde_json::to_writer(&mut bytes, answer) {
        Ok(()) => {
            let mut response = respond(StatusCode::OK, full(Bytes::from(bytes)));
            response.headers_mut().insert(CONTENT_TYPE, JSON);
            response
        }
        // Our answers are plain structs of strings and numbers; this is out of reach, and no reason to panic.
        Err(_) => respond(StatusCode::INTERNAL_SERVER_ERROR, empty()),
    }
}

fn version(response: &mut Response<Body>, version: ItemVersion) {
    response.headers_mut().insert(headers::ITEM_VERSION, HeaderValue::from(version.0));
}

pub(crate) fn done_at(at: ItemVersion) -> Response<Body> {
    let mut response = done();
    version(&mut response, at);
    response
}

pub(crate) fn held(lock: Option<&LockId>) -> Response<Body> {
    let mut response = done();
    // Present and empty when nobody holds the file.
    response.headers_mut().insert(headers::LOCK, wopi::error::lock_value(lock));
    response
}

pub(crate) fn saved(save: &PutFileDone) -> Response<Body> {
    let mut response = json(&wopi::answer::PutFile { last_modified_time: save.last_modified_time.clone() });
    version(&mut response, save.version);
    response
}

/// A client that has the table already gets no body at all, not an empty object.
pub(crate) fn coauth(answer: &CoauthAnswer) -> Response<Body> {
    let response = answer.table.as_ref().map_or_else(done, json);
    with_header(response, headers::COAUTH_TABLE_VERSION, answer.version.as_str())
}

/// GetFile's answer; also for bytes that go out by another address (`FileUrl`).
pub fn bytes(file: FileBytes) -> Response<Body> {
    let status = if file.range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut response = respond(status, file.body);
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, OCTETS);
    fields.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    fields.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(range) = file.range
        && let Ok(value) =
            HeaderValue::try_from(format!("bytes {}-{}/{}", range.start, range.end.saturating_sub(1), file.size))
    {
        fields.insert(CONTENT_RANGE, value);
    }
    if let Some(at) = file.version {
        version(&mut response, at);
    }
    response
}

pub(crate) fn octets(body: Body) -> Response<Body> {
    let mut response = respond(StatusCode::OK, body);
    response.headers_mut().insert(CONTENT_TYPE, OCTETS);
    response
}

/// The answer with the number of the state it is about.
pub(crate) fn sequenced(mut response: Response<Body>, sequence: u64) -> Response<Body> {
    response.headers_mut().insert(headers::SEQUENCE_NUMBER, HeaderValue::from(sequence));
    response
}

pub(crate) fn framed(frames: FramedBytes) -> Response<Body> {
    let mut response = octets(frames.body);
    version(&mut response, frames.version);
    sequenced(response, frames.sequence)
}

pub(crate) fn with_header(mut response: Response<Body>, name: HeaderName, value: &str) -> Response<Body> {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
    response
}

/// A refusal as its status, headers and body.
pub fn refusal(refusal: &Refusal, request_id: &str) -> Response<Body> {
    let status = refusal.error.status();
    let mut response = match refusal.error.body() {
        Some((content_type, body)) => {
            let mut response = respond(status, full(body));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
            response
        }
        None => respond(status, empty()),
    };
    refusal.error.write_headers(response.headers_mut());
    if refusal.error == wopi::WopiError::Internal {
        response = with_header(response, headers::SERVER_ERROR, &format!("internal error, request {request_id}"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_with_their_state_and_their_version() {
        let frames = FramedBytes { body: full("frames"), sequence: 7, version: ItemVersion(8) };
        let response = framed(frames);
        let fields = response.headers();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(fields[headers::SEQUENCE_NUMBER], "7");
        assert_eq!(fields[headers::ITEM_VERSION], "8");
        assert_eq!(fields[CONTENT_TYPE], "application/octet-stream");
    }
}
