//! Operations of incremental file transfer (*CSPP Plus*): what their headers say. The rest is in their bodies.

use http::HeaderMap;

use super::FileOperation;
use super::coauth::presented;
use super::files::editors;
use crate::chunked::UPLOAD_TOKEN_LENGTH_MAX;
use crate::error::WopiError;
use crate::headers::{self, invalid};
use crate::route::Kind;

/// What these headers mean; `None` if the kind is none of these operations.
pub(super) fn parse(kind: Kind, sent: &HeaderMap) -> Result<Option<FileOperation>, WopiError> {
    Ok(Some(match kind {
        Kind::GetChunkedFile => FileOperation::GetChunkedFile,
        Kind::PutChunkedFile => {
            let lock = presented(sent)?;
            let sequence = headers::number(sent, &headers::SEQUENCE_NUMBER)?;
            FileOperation::PutChunkedFile {
                // 0 is no number that a host ever has, but the validator wants to hear that it is a stale one.
                sequence: sequence.ok_or_else(|| invalid(&headers::SEQUENCE_NUMBER))?,
                lock,
                editors: editors(sent),
            }
        }
        Kind::GetSequenceNumber => FileOperation::GetSequenceNumber,
        Kind::GetChunks => FileOperation::GetChunks,
        Kind::CreateUploadSession => FileOperation::CreateUploadSession,
        Kind::UpdateUploadSession => {
            let number = |name| headers::number(sent, &name)?.ok_or_else(|| invalid(&name));
            let token = headers::required(sent, &headers::UPLOAD_SESSION_TOKEN)?;
            if token.len() > UPLOAD_TOKEN_LENGTH_MAX {
                return Err(invalid(&headers::UPLOAD_SESSION_TOKEN));
            }
            FileOperation::UpdateUploadSession {
                token: token.to_owned(),
                offset: number(headers::CONTENT_RANGE_OFFSET)?,
                length: number(headers::CONTENT_RANGE_LENGTH)?,
            }
        }
        _ => return Ok(None),
    }))
}
