//! Operations on the ecosystem and the bootstrapper (`protocol` documents: *Containers* 10 to 13).

use http::HeaderMap;

use super::{BootstrapperOperation, EcosystemOperation};
use crate::error::WopiError;
use crate::headers;
use crate::route::Kind;

pub(super) fn parse(kind: Kind, sent: &HeaderMap) -> Result<EcosystemOperation, WopiError> {
    Ok(match kind {
        Kind::CheckEcosystem => EcosystemOperation::CheckEcosystem,
        Kind::GetRootContainer => EcosystemOperation::GetRootContainer,
        Kind::GetFileWopiSrc => EcosystemOperation::GetFileWopiSrc { native_name: native_name(sent)? },
        _ => return Err(WopiError::NotSupported),
    })
}

pub(super) fn parse_bootstrapper(kind: Kind, sent: &HeaderMap) -> Result<BootstrapperOperation, WopiError> {
    Ok(match kind {
        Kind::Bootstrap => BootstrapperOperation::Bootstrap,
        Kind::GetNewAccessToken => BootstrapperOperation::GetNewAccessToken {
            wopi_src: headers::required(sent, &headers::WOPI_SRC)?.to_owned(),
        },
        Kind::BootstrapGetRootContainer => BootstrapperOperation::GetRootContainer,
        Kind::BootstrapGetFileWopiSrc => BootstrapperOperation::GetFileWopiSrc { native_name: native_name(sent)? },
        _ => return Err(WopiError::NotSupported),
    })
}

fn native_name(sent: &HeaderMap) -> Result<String, WopiError> {
    Ok(headers::required(sent, &headers::HOST_NATIVE_FILE_NAME)?.to_owned())
}
