//! The headers that carry names: UTF-7, and two of them exclude each other.

use http::HeaderMap;

use super::{RelativeTarget, RequestedName, Suggestion};
use crate::error::WopiError;
use crate::headers::{self, invalid};
use crate::utf7::{self, Damage};

/// How a new file or container is to be called (*Files endpoint* 10, *Containers* 2 and 3).
///
/// `extensions`: whether a suggestion that starts with a dot is an extension; a container has none. `both` is the answer
/// to two targets, which differs by operation.
pub(super) fn relative_target(
    sent: &HeaderMap,
    extensions: bool,
    both: WopiError,
) -> Result<RelativeTarget, WopiError> {
    let suggested = headers::bytes(sent, &headers::SUGGESTED_TARGET)?;
    let specific = headers::bytes(sent, &headers::RELATIVE_TARGET)?;
    match (suggested, specific) {
        (Some(_), Some(_)) => Err(both),
        (None, None) => Err(invalid(&headers::SUGGESTED_TARGET)),
        (Some(suggested), None) => Ok(RelativeTarget::Suggested(suggestion(utf7::decode(suggested).text, extensions))),
        (None, Some(specific)) => {
            let name = utf7::decode(specific);
            if !name.clean() {
                return Err(invalid(&headers::RELATIVE_TARGET));
            }
            let overwrite = headers::boolean(sent, &headers::OVERWRITE_RELATIVE_TARGET)?.unwrap_or(false);
            Ok(RelativeTarget::Specific { name: RequestedName::new(name.text), overwrite })
        }
    }
}

/// What a suggestion says. Collabora passes on whatever its host page sent, which may be a path: only its last segment
/// is a suggestion.
fn suggestion(text: String, extensions: bool) -> Suggestion {
    let separator = ['/', '\\'];
    if extensions && text.starts_with('.') && !text.contains(separator) && !text.trim_matches('.').is_empty() {
        return Suggestion::Extension(text);
    }
    Suggestion::Name(text.rsplit(separator).find(|segment| !segment.is_empty()).unwrap_or_default().to_owned())
}

/// The name that a rename asks for. One that is cut at its end is taken as far as it goes: LibreOffice Online cuts every
/// name that ends in a character outside ASCII (*WOPI clients* 12).
pub(super) fn requested_name(sent: &HeaderMap) -> Result<RequestedName, WopiError> {
    let name = headers::bytes(sent, &headers::REQUESTED_NAME)?.map(utf7::decode);
    match name {
        Some(name) if name.damage < Damage::Broken => Ok(RequestedName::new(name.text)),
        _ => Err(invalid(&headers::REQUESTED_NAME)),
    }
}
