//! The HTTP client of the stores, with ears: `object_store` makes most refusals one opaque error, and whether to try again,
//! to give up, or to say that somebody mistyped a bucket depends on what the store said.
//!
//! So every answer passes here first. What `object_store` needs to see (there is none, there is one already) goes through;
//! every other refusal becomes a [`StoreAnswer`] inside the error, where [`super::trouble`] finds it again.

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
    ReqwestConnector,
};

/// How much of a refusal is read.
const REFUSAL_BYTES_MAX: usize = 64 << 10;
/// How much of what a store says is repeated.
const MESSAGE_CHARS_MAX: usize = 300;
/// Codes that say that the bucket is missing, not the object.
const NO_BUCKET: [&str; 4] = ["NoSuchBucket", "ContainerNotFound", "AccountNotFound", "ContainerBeingDeleted"];

/// A refusal of the store, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the store answered {status}{}{}", .code.as_ref().map(|code| format!(" {code}")).unwrap_or_default(),
    .message.as_ref().map(|message| format!(": {message}")).unwrap_or_default())]
pub(super) struct StoreAnswer {
    /// The status.
    pub(super) status: StatusCode,
    /// Its name for what is wrong.
    pub(super) code: Option<String>,
    /// Its explanation.
    pub(super) message: Option<String>,
}

impl StoreAnswer {
    fn read(status: StatusCode, header: Option<&str>, body: &[u8]) -> Self {
        let body = String::from_utf8_lossy(body);
        let code = header.map(clean).or_else(|| element(&body, "Code"));
        Self { status, code, message: element(&body, "Message") }
    }

    /// Whether it says that there is no such bucket.
    pub(super) fn is_no_bucket(&self) -> bool {
        self.code.as_deref().is_some_and(|code| NO_BUCKET.contains(&code))
    }
}

/// The text of the first element of this name, as far as it may be repeated.
fn element(document: &str, name: &str) -> Option<String> {
    let after = document.split_once(&format!("<{name}>"))?.1;
    Some(clean(after.split_once(&format!("</{name}>"))?.0))
}

fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MESSAGE_CHARS_MAX).collect()
}

/// Makes clients that listen.
#[derive(Debug, Default)]
pub(super) struct Transport;

impl HttpConnector for Transport {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Listening { client: ReqwestConnector::default().connect(options)? }))
    }
}

#[derive(Debug)]
struct Listening {
    client: HttpClient,
}

#[async_trait]
impl HttpService for Listening {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        // Completing an upload is the one request that S3 answers 200 before it knows whether it will work.
        let may_fail_late =
            request.method() == Method::POST && request.uri().query().is_some_and(|query| query.contains("uploadId="));
        let answer = self.client.execute(request).await?;
        let status = answer.status();
        match status {
            StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => Ok(answer),
            StatusCode::NOT_FOUND => {
                let (parts, body) = answer.into_parts();
                let header = parts.headers.get("x-ms-error-code").and_then(|code| code.to_str().ok());
                let body = beginning(body, REFUSAL_BYTES_MAX).await?;
                let said = StoreAnswer::read(status, header, &body);
                if said.is_no_bucket() { Err(refused(said)) } else { Ok(HttpResponse::from_parts(parts, body.into())) }
            }
            _ if status.is_client_error() || status.is_server_error() => {
                let (parts, body) = answer.into_parts();
                let header = parts.headers.get("x-ms-error-code").and_then(|code| code.to_str().ok());
                // The status says enough if the rest of the refusal does not come.
                let body = beginning(body, REFUSAL_BYTES_MAX).await.unwrap_or_default();
                Err(refused(StoreAnswer::read(status, header, &body)))
            }
            _ if may_fail_late && status.is_success() => {
                let (parts, body) = answer.into_parts();
                let body = beginning(body, REFUSAL_BYTES_MAX).await?;
                if String::from_utf8_lossy(&body).contains("<Error>") {
                    return Err(refused(StoreAnswer::read(status, None, &body)));
                }
                Ok(HttpResponse::from_parts(parts, body.into()))
            }
            _ => Ok(answer),
        }
    }
}

fn refused(answer: StoreAnswer) -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, answer)
}

/// A short body, cut if it is not short.
pub(super) async fn beginning(mut body: HttpResponseBody, bytes_max: usize) -> Result<Bytes, HttpError> {
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        read.extend_from_slice(&data[..data.len().min(bytes_max - read.len())]);
        if read.len() == bytes_max {
            break;
        }
    }
    Ok(read.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_store_says_is_repeated_short_and_without_line_breaks() {
        let body = format!("<?xml?><Error><Code>SlowDown</Code><Message>a\n{}</Message></Error>", "b".repeat(1000));
        let answer = StoreAnswer::read(StatusCode::SERVICE_UNAVAILABLE, None, body.as_bytes());
        let text = answer.to_string();
        assert!(text.starts_with("the store answered 503 Service Unavailable SlowDown: a bbb"), "{text}");
        assert!(text.len() < 400);
        let silent = StoreAnswer::read(StatusCode::FORBIDDEN, None, b"");
        assert_eq!(silent.to_string(), "the store answered 403 Forbidden");
        let azure = StoreAnswer::read(StatusCode::NOT_FOUND, Some("ContainerNotFound"), b"");
        assert!(azure.is_no_bucket());
    }
}
