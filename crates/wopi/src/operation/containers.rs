//! Operations on containers and folders (`protocol` documents: *Containers*; *Files endpoint* 15).

use http::HeaderMap;

use super::files::share_url_type;
use super::names::{relative_target, requested_name};
use super::{ContainerOperation, FolderOperation, RelativeTarget};
use crate::error::WopiError;
use crate::headers::{self, invalid};
use crate::route::Kind;

/// How many extensions EnumerateChildren filters by. A client that sends more is told so: a list that was cut would
/// hide files.
const EXTENSIONS_MAX: usize = 200;

pub(super) fn parse(kind: Kind, sent: &HeaderMap) -> Result<ContainerOperation, WopiError> {
    Ok(match kind {
        Kind::CheckContainerInfo => ContainerOperation::CheckContainerInfo,
        Kind::CreateChildContainer => {
            let target = match relative_target(sent, false, WopiError::NotSupported)? {
                RelativeTarget::Specific { name, .. } => RelativeTarget::Specific { name, overwrite: false },
                suggested => suggested,
            };
            ContainerOperation::CreateChildContainer { target }
        }
        Kind::CreateChildFile => {
            ContainerOperation::CreateChildFile { target: relative_target(sent, true, WopiError::NotSupported)? }
        }
        Kind::DeleteContainer => ContainerOperation::DeleteContainer,
        Kind::RenameContainer => ContainerOperation::RenameContainer { name: requested_name(sent)? },
        Kind::ContainerGetShareUrl => ContainerOperation::GetShareUrl { kind: share_url_type(sent)? },
        Kind::ContainerEnumerateAncestors => ContainerOperation::EnumerateAncestors,
        Kind::EnumerateChildren => ContainerOperation::EnumerateChildren { extensions: extensions(sent)? },
        Kind::ContainerGetEcosystem => ContainerOperation::GetEcosystem,
        _ => return Err(WopiError::NotSupported),
    })
}

pub(super) fn parse_folder(kind: Kind) -> Result<FolderOperation, WopiError> {
    match kind {
        Kind::CheckFolderInfo => Ok(FolderOperation::CheckFolderInfo),
        Kind::FolderEnumerateChildren => Ok(FolderOperation::EnumerateChildren),
        _ => Err(WopiError::NotSupported),
    }
}

/// The extensions of `X-WOPI-FileExtensionFilterList`. Blanks, missing dots and empty members are forgiven; a list of
/// nothing filters nothing.
fn extensions(sent: &HeaderMap) -> Result<Option<Vec<String>>, WopiError> {
    let name = &headers::FILE_EXTENSION_FILTER_LIST;
    let Some(list) = headers::text(sent, name)? else { return Ok(None) };
    let extensions: Vec<String> = list
        .split(',')
        .map(|extension| extension.trim().trim_start_matches('.').to_ascii_lowercase())
        .filter(|extension| !extension.is_empty())
        .map(|extension| format!(".{extension}"))
        .collect();
    if extensions.len() > EXTENSIONS_MAX {
        return Err(invalid(name));
    }
    Ok(Some(extensions).filter(|extensions| !extensions.is_empty()))
}
