//! Operations on files (`protocol` documents: *Files endpoint*; the `COOL` and `LOOL` headers: *WOPI clients* 4.4).

use http::{HeaderMap, HeaderName, header};

use super::coauth;
use super::names::{relative_target, requested_name};
use super::{ByteRange, FileOperation, SaveFacts, ShareUrlType};
use crate::error::WopiError;
use crate::headers::{self, invalid};
use crate::lock_id::LockId;
use crate::route::Kind;

/// What GetFile may send when the client says nothing: the largest number of four bytes.
const SIZE_MAX_UNSAID: u64 = i32::MAX as u64;

/// Longest session context that is kept, in bytes. It was part of a URL.
const SESSION_CONTEXT_LENGTH_MAX: usize = 2048;

pub(super) fn parse(kind: Kind, sent: &HeaderMap) -> Result<FileOperation, WopiError> {
    if let Some(operation) = coauth::parse(kind, sent)? {
        return Ok(operation);
    }
    Ok(match kind {
        Kind::CheckFileInfo => FileOperation::CheckFileInfo {
            session_context: headers::lenient(sent, &headers::SESSION_CONTEXT)
                .filter(|context| context.len() <= SESSION_CONTEXT_LENGTH_MAX)
                .map(Into::into),
        },
        Kind::GetFile => FileOperation::GetFile {
            size_max: headers::number(sent, &headers::MAX_EXPECTED_SIZE)?.unwrap_or(SIZE_MAX_UNSAID),
            range: range(sent),
        },
        Kind::PutFile => FileOperation::PutFile { lock: headers::lock(sent, &headers::LOCK)?, save: save_facts(sent)? },
        Kind::Lock => FileOperation::Lock { lock: lock(sent, &headers::LOCK)?, terms: coauth::terms(sent)? },
        Kind::UnlockAndRelock => {
            let (old, new) = (lock(sent, &headers::OLD_LOCK)?, lock(sent, &headers::LOCK)?);
            FileOperation::UnlockAndRelock { old, new, terms: coauth::terms(sent)? }
        }
        Kind::GetLock => FileOperation::GetLock,
        Kind::RefreshLock => {
            FileOperation::RefreshLock { lock: lock(sent, &headers::LOCK)?, terms: coauth::terms(sent)? }
        }
        Kind::Unlock => FileOperation::Unlock { lock: lock(sent, &headers::LOCK)? },
        Kind::PutRelativeFile => FileOperation::PutRelativeFile {
            // Two targets may be answered with 400 or 501 (*Files endpoint* 10). 501 would say that the operation is
            // switched off.
            target: relative_target(sent, true, invalid(&headers::RELATIVE_TARGET))?,
            size: headers::number(sent, &headers::SIZE)?,
            conversion: sent.contains_key(headers::FILE_CONVERSION),
            save: save_facts(sent)?,
        },
        Kind::RenameFile => {
            FileOperation::RenameFile { name: requested_name(sent)?, presented: coauth::presented(sent)? }
        }
        Kind::DeleteFile => FileOperation::DeleteFile,
        Kind::PutUserInfo => FileOperation::PutUserInfo,
        Kind::GetShareUrl => FileOperation::GetShareUrl { kind: share_url_type(sent)? },
        Kind::AddActivities => FileOperation::AddActivities,
        Kind::EnumerateAncestors => FileOperation::EnumerateAncestors,
        Kind::GetEcosystem => FileOperation::GetEcosystem,
        Kind::ReadSecureStore => FileOperation::ReadSecureStore {
            application_id: headers::required(sent, &headers::APPLICATION_ID)?.to_owned(),
        },
        Kind::GetRestrictedLink => restricted(sent, FileOperation::GetRestrictedLink)?,
        Kind::RevokeRestrictedLink => restricted(sent, FileOperation::RevokeRestrictedLink)?,
        Kind::ExecuteCellStorageRequest => FileOperation::ExecuteCellStorageRequest,
        Kind::ExecuteCellStorageRelativeRequest => FileOperation::ExecuteCellStorageRelativeRequest,
        kind => return super::chunked::parse(kind, sent)?.ok_or(WopiError::NotSupported),
    })
}

/// A lock id without which the operation means nothing.
fn lock(sent: &HeaderMap, name: &HeaderName) -> Result<LockId, WopiError> {
    headers::lock(sent, name)?.ok_or_else(|| invalid(name))
}

/// A missing or unknown type is 501, not 400 (*Files endpoint* 11.4).
pub(super) fn share_url_type(sent: &HeaderMap) -> Result<ShareUrlType, WopiError> {
    match headers::text(sent, &headers::URL_TYPE)? {
        Some(text) if text.eq_ignore_ascii_case("ReadOnly") => Ok(ShareUrlType::ReadOnly),
        Some(text) if text.eq_ignore_ascii_case("ReadWrite") => Ok(ShareUrlType::ReadWrite),
        _ => Err(WopiError::NotSupported),
    }
}

/// Restricted links know one type, and no 400 (*Files endpoint* 13).
fn restricted(sent: &HeaderMap, operation: FileOperation) -> Result<FileOperation, WopiError> {
    match headers::text(sent, &headers::RESTRICTED_LINK)? {
        Some(text) if text.eq_ignore_ascii_case("FORMS") => Ok(operation),
        _ => Err(WopiError::NotSupported),
    }
}

fn save_facts(sent: &HeaderMap) -> Result<SaveFacts, WopiError> {
    let mut timestamp = None;
    // COOL first: Collabora sends both spellings to hosts it takes for old ones.
    for name in [headers::COOL_TIMESTAMP, headers::LOOL_TIMESTAMP] {
        if timestamp.is_none() {
            timestamp = headers::text(sent, &name)?;
        }
        if timestamp.is_some_and(|text| text.len() > SaveFacts::TIMESTAMP_LENGTH_MAX) {
            return Err(invalid(&name));
        }
    }
    let flag = |cool, lool| flag(sent, &cool).or_else(|| flag(sent, &lool));
    Ok(SaveFacts {
        editors: editors(sent),
        timestamp: timestamp.map(str::to_owned),
        modified_by_user: flag(headers::COOL_IS_MODIFIED_BY_USER, headers::LOOL_IS_MODIFIED_BY_USER),
        autosave: flag(headers::COOL_IS_AUTOSAVE, headers::LOOL_IS_AUTOSAVE) == Some(true),
        exit_save: flag(headers::COOL_IS_EXIT_SAVE, headers::LOOL_IS_EXIT_SAVE) == Some(true),
    })
}

/// A Boolean that describes a save: neither true nor false is nothing.
fn flag(sent: &HeaderMap, name: &HeaderName) -> Option<bool> {
    let text = headers::lenient(sent, name)?;
    let is = |word: &str| text.trim().eq_ignore_ascii_case(word);
    if is("true") { Some(true) } else { is("false").then_some(false) }
}

/// Everyone in `X-WOPI-Editors`, once each. A list may also be spread over several headers (RFC 9110, 5.3).
pub(super) fn editors(sent: &HeaderMap) -> Vec<String> {
    let mut editors: Vec<String> = Vec::new();
    for value in sent.get_all(headers::EDITORS) {
        for editor in String::from_utf8_lossy(value.as_bytes()).split(',').map(str::trim) {
            let fits = (1..=SaveFacts::EDITOR_LENGTH_MAX).contains(&editor.chars().count());
            if fits && editors.len() < SaveFacts::EDITORS_MAX && !editors.iter().any(|known| known == editor) {
                editors.push(editor.to_owned());
            }
        }
    }
    editors
}

/// A range that we understand: one part, in bytes. A host may ignore any other, and so we do (RFC 9110, 14.2), also one
/// under `If-Range`: we give no validators, so the condition cannot hold.
pub fn range(sent: &HeaderMap) -> Option<ByteRange> {
    let text = headers::text(sent, &header::RANGE).ok()??;
    let (unit, set) = text.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") || sent.contains_key(header::IF_RANGE) {
        return None;
    }
    let number = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
    match set.trim().split_once('-')? {
        ("", length) => Some(ByteRange::Suffix(number(length)?)),
        (first, "") => Some(ByteRange::From { first: number(first)?, last: None }),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(ByteRange::From { first, last: Some(last) })
        }
    }
}
