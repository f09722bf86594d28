//! stub
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;

/// Any error, on its way out.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// A body that streams.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;
