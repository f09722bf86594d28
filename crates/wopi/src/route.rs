//! The routing table: which operation a request means, and on what.
//!
//! Beside it stands what else is read from a request before anybody is let in: the access token, raw and decoded, and
//! the forms in which a URL and a client's text may stand in a log.

mod log;
mod request_token;

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, Method};
use percent_encoding::percent_decode_str;

pub use self::log::{LOG_TEXT_LENGTH_MAX, LOG_URL_LENGTH_MAX, for_log, redact_query};
pub use self::request_token::{QueryToken, bearer, query_token};
use crate::error::WopiError;
use crate::headers;
use crate::ids::{ContainerId, FileId};

/// What a request addresses.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// A file.
    File(FileId),
    /// A container.
    Container(ContainerId),
    /// The ecosystem.
    Ecosystem,
    /// The bootstrapper.
    Bootstrapper,
    /// A folder (OneNote).
    Folder(ContainerId),
}

/// What a caller must be allowed to do with the target before anything else is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// See it and read its bytes.
    Read,
    /// Change its bytes, hold its lock.
    Write,
    /// Give it another name.
    Rename,
    /// Remove it.
    Delete,
    /// Make files beside a file.
    WriteRelative,
    /// Make files in a container.
    CreateFile,
    /// Make containers in a container.
    CreateContainer,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $needs:ident,)*) => {
        /// Every operation WOPI knows, by its published name. Names shared by several endpoints carry the endpoint.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Kind { $($(#[$doc])* $name,)* }

        impl Kind {
            /// All of them, in the order of the enum.
            pub const ALL: &'static [Kind] = &[$(Kind::$name,)*];

            /// The published name, with the endpoint where several share it.
            pub fn name(self) -> &'static str {
                match self { $(Kind::$name => stringify!($name),)* }
            }

            /// What the caller must be allowed to do. The gate asks; handlers never do.
            pub fn needs(self) -> Permission {
                match self { $(Kind::$name => Permission::$needs,)* }
            }
        }
    };
}

kinds! {
    /// GET file
    CheckFileInfo = Read,
    /// GET contents
    GetFile = Read,
    /// POST contents, `PUT`
    PutFile = Write,
    /// `LOCK`
    Lock = Write,
    /// `LOCK` with `X-WOPI-OldLock`
    UnlockAndRelock = Write,
    /// `GET_LOCK`
    GetLock = Read,
    /// `REFRESH_LOCK`
    RefreshLock = Write,
    /// `UNLOCK`
    Unlock = Write,
    /// `PUT_RELATIVE`
    PutRelativeFile = WriteRelative,
    /// `RENAME_FILE`
    RenameFile = Rename,
    /// `DELETE`
    DeleteFile = Delete,
    /// `PUT_USER_INFO`
    PutUserInfo = Read,
    /// `GET_SHARE_URL`
    GetShareUrl = Read,
    /// `ADD_ACTIVITIES`
    AddActivities = Read,
    /// GET ancestry
    EnumerateAncestors = Read,
    /// GET ecosystem_pointer
    GetEcosystem = Read,
    /// `READ_SECURE_STORE`
    ReadSecureStore = Read,
    /// `GET_RESTRICTED_LINK`
    GetRestrictedLink = Read,
    /// `REVOKE_RESTRICTED_LINK`
    RevokeRestrictedLink = Read,
    /// `COBALT`
    ExecuteCellStorageRequest = Write,
    /// `COBALT` with `X-WOPI-RelativeTarget`
    ExecuteCellStorageRelativeRequest = Write,
    /// POST activities, `GET_ACTIVITIES`
    GetActivities = Read,
    /// `GET_FILE_USER_VALUE`
    GetFileUserValue = Read,
    /// `GET_COAUTH_LOCK`
    GetCoauthLock = Write,
    /// `REFRESH_COAUTH_LOCK`
    RefreshCoauthLock = Write,
    /// `UNLOCK_COAUTH_LOCK`
    UnlockCoauthLock = Write,
    /// `GET_COAUTH_TABLE`
    GetCoauthTable = Read,
    /// `GET_SEQUENCE_NUMBER`
    GetSequenceNumber = Read,
    /// `GET_CHUNKED_FILE`
    GetChunkedFile = Read,
    /// `GET_CHUNKS`
    GetChunks = Read,
    /// `CREATE_UPLOAD_SESSION`
    CreateUploadSession = Write,
    /// `UPDATE_UPLOAD_SESSION`
    UpdateUploadSession = Write,
    /// POST contents, `PUT_CHUNKED_FILE`
    PutChunkedFile = Write,
    /// An override that nobody knows, on a file.
    UnknownFileOperation = Read,
    /// GET container
    CheckContainerInfo = Read,
    /// `CREATE_CHILD_CONTAINER`
    CreateChildContainer = CreateContainer,
    /// `CREATE_CHILD_FILE`
    CreateChildFile = CreateFile,
    /// `DELETE_CONTAINER`
    DeleteContainer = Delete,
    /// `RENAME_CONTAINER`
    RenameContainer = Rename,
    /// `GET_SHARE_URL` of a container
    ContainerGetShareUrl = Read,
    /// GET ancestry of a container
    ContainerEnumerateAncestors = Read,
    /// GET children
    EnumerateChildren = Read,
    /// GET ecosystem_pointer of a container
    ContainerGetEcosystem = Read,
    /// An override that nobody knows, on a container.
    UnknownContainerOperation = Read,
    /// GET ecosystem
    CheckEcosystem = Read,
    /// GET root_container_pointer
    GetRootContainer = Read,
    /// `GET_WOPI_SRC_WITH_ACCESS_TOKEN`
    GetFileWopiSrc = Read,
    /// An override that nobody knows, on the ecosystem.
    UnknownEcosystemOperation = Read,
    /// GET bootstrapper
    Bootstrap = Read,
    /// POST bootstrapper, `GET_NEW_ACCESS_TOKEN`
    GetNewAccessToken = Read,
    /// POST bootstrapper, `GET_ROOT_CONTAINER`
    BootstrapGetRootContainer = Read,
    /// POST bootstrapper, `GET_WOPI_SRC_WITH_ACCESS_TOKEN`
    BootstrapGetFileWopiSrc = Read,
    /// GET folder (OneNote)
    CheckFolderInfo = Read,
    /// GET children of a folder (OneNote)
    FolderEnumerateChildren = Read,
}

/// A set of operations: what a host offers. `Supports…` flags are computed from the same value that dispatches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindSet(u64);

impl KindSet {
    /// No operation at all.
    pub const EMPTY: Self = Self(0);

    /// The set with one more.
    #[must_use]
    pub const fn with(self, kind: Kind) -> Self {
        Self(self.0 | 1 << kind as u8)
    }

    /// The set with one fewer.
    #[must_use]
    pub const fn without(self, kind: Kind) -> Self {
        Self(self.0 & !(1 << kind as u8))
    }

    /// The set with all of `kinds`.
    #[must_use]
    pub const fn with_all(mut self, kinds: &[Kind]) -> Self {
        let mut at = 0;
        while at < kinds.len() {
            self = self.with(kinds[at]);
            at += 1;
        }
        self
    }

    /// Whether `kind` is in it.
    pub const fn has(self, kind: Kind) -> bool {
        self.0 & 1 << kind as u8 != 0
    }

    /// Whether all of `kinds` are in it.
    pub fn has_all(self, kinds: &[Kind]) -> bool {
        kinds.iter().all(|kind| self.has(*kind))
    }
}

/// Finds what a request addresses and which operation it means. `path` is the raw path of the request target, without
/// query.
///
/// The segment before `files`, `containers`, `ecosystem` or `folders` must start with `wopi`; what stands before that is
/// free. Bootstrapper: the path ends in `/wopibootstrapper`.
///
/// | what nobody knows | becomes |
/// |---|---|
/// | an override, or none where one is needed, or two | the endpoint's `Unknown…` kind |
/// | another method on a known path | the endpoint's `Unknown…` kind |
/// | anything but GET on a folder | [`Kind::UnknownContainerOperation`] |
/// | anything but GET and POST on the bootstrapper | [`Kind::UnknownEcosystemOperation`] |
/// | an operation of the bootstrapper | [`Kind::Bootstrap`], which its document asks for |
///
/// # Errors
///
/// [`WopiError::NotFound`] for a path that is no WOPI endpoint or an id that cannot be one. An override nobody knows is
/// no error here: it becomes an `Unknown…` kind, which the gate refuses with 501 after it has looked at the caller.
pub fn route(method: &Method, path: &str, headers: &HeaderMap) -> Result<(Target, Kind), WopiError> {
    let (endpoint, id, below) = split(path).ok_or(WopiError::NotFound)?;
    let verb = match *method {
        Method::GET => Verb::Get,
        Method::POST => Verb::Post,
        _ => Verb::Other,
    };
    match endpoint {
        Endpoint::Files => {
            let id = FileId::parse(&id).ok_or(WopiError::NotFound)?;
            Ok((Target::File(id), file(verb, below, headers)?))
        }
        Endpoint::Containers => {
            let id = ContainerId::parse(&id).ok_or(WopiError::NotFound)?;
            Ok((Target::Container(id), container(verb, below, headers)?))
        }
        Endpoint::Folders => {
            let id = ContainerId::parse(&id).ok_or(WopiError::NotFound)?;
            Ok((Target::Folder(id), folder(verb, below)?))
        }
        Endpoint::Ecosystem => Ok((Target::Ecosystem, ecosystem(verb, below, headers)?)),
        Endpoint::Bootstrapper => Ok((Target::Bootstrapper, bootstrapper(verb, headers))),
    }
}

#[derive(Clone, Copy)]
enum Verb {
    Get,
    Post,
    Other,
}

#[derive(Clone, Copy)]
enum Endpoint {
    Files,
    Containers,
    Folders,
    Ecosystem,
    Bootstrapper,
}

/// Endpoint, id with its percent-encoding undone, and the segment below (empty if there is none).
///
/// Read from the end, because what stands before `wopi…` is free. An id may itself begin with `wopi`, so the longer form
/// is tried first: `/wopi/files/wopi1/ecosystem` is something below a file.
fn split(path: &str) -> Option<(Endpoint, Cow<'_, str>, &str)> {
    let mut segments = path.rsplitn(5, '/');
    let mut next = || segments.next().unwrap_or_default();
    let (last, second, third, fourth) = (next(), next(), next(), next());
    let wopi = |segment: &str| segment.starts_with("wopi");
    let collection = |segment: &str| match segment {
        "files" => Some(Endpoint::Files),
        "containers" => Some(Endpoint::Containers),
        "folders" => Some(Endpoint::Folders),
        _ => None,
    };
    let id = |segment| percent_decode_str(segment).decode_utf8().ok();
    if let Some(endpoint) = collection(third).filter(|_| wopi(fourth)) {
        // An empty segment below is a slash too many, not the file itself: nothing routes it.
        return Some((endpoint, id(second)?, if last.is_empty() { "/" } else { last }));
    }
    if let Some(endpoint) = collection(second).filter(|_| wopi(third)) {
        return Some((endpoint, id(last)?, ""));
    }
    match (third, second, last) {
        (_, _, "wopibootstrapper") => Some((Endpoint::Bootstrapper, "".into(), "")),
        (_, before, "ecosystem") if wopi(before) => Some((Endpoint::Ecosystem, "".into(), "")),
        (before, "ecosystem", below) if wopi(before) && !below.is_empty() => {
            Some((Endpoint::Ecosystem, "".into(), below))
        }
        _ => None,
    }
}

fn file(verb: Verb, below: &str, headers: &HeaderMap) -> Result<Kind, WopiError> {
    Ok(match (verb, below) {
        (Verb::Get, "") => Kind::CheckFileInfo,
        (Verb::Get, "contents") => Kind::GetFile,
        (Verb::Get, "ancestry") => Kind::EnumerateAncestors,
        (Verb::Get, "ecosystem_pointer") => Kind::GetEcosystem,
        (Verb::Post, "") => match &*word(headers, &headers::OVERRIDE) {
            "LOCK" if present(headers, &headers::OLD_LOCK) => Kind::UnlockAndRelock,
            "LOCK" => Kind::Lock,
            "GET_LOCK" => Kind::GetLock,
            "REFRESH_LOCK" => Kind::RefreshLock,
            "UNLOCK" => Kind::Unlock,
            "PUT_RELATIVE" => Kind::PutRelativeFile,
            "RENAME_FILE" => Kind::RenameFile,
            "DELETE" => Kind::DeleteFile,
            "PUT_USER_INFO" => Kind::PutUserInfo,
            "GET_SHARE_URL" => Kind::GetShareUrl,
            "ADD_ACTIVITIES" => Kind::AddActivities,
            "READ_SECURE_STORE" => Kind::ReadSecureStore,
            "GET_RESTRICTED_LINK" => Kind::GetRestrictedLink,
            "REVOKE_RESTRICTED_LINK" => Kind::RevokeRestrictedLink,
            "COBALT" if present(headers, &headers::RELATIVE_TARGET) => Kind::ExecuteCellStorageRelativeRequest,
            "COBALT" => Kind::ExecuteCellStorageRequest,
            "GET_FILE_USER_VALUE" => Kind::GetFileUserValue,
            "GET_COAUTH_LOCK" => Kind::GetCoauthLock,
            "REFRESH_COAUTH_LOCK" => Kind::RefreshCoauthLock,
            "UNLOCK_COAUTH_LOCK" => Kind::UnlockCoauthLock,
            "GET_COAUTH_TABLE" => Kind::GetCoauthTable,
            "GET_SEQUENCE_NUMBER" => Kind::GetSequenceNumber,
            "GET_CHUNKED_FILE" => Kind::GetChunkedFile,
            "GET_CHUNKS" => Kind::GetChunks,
            "CREATE_UPLOAD_SESSION" => Kind::CreateUploadSession,
            "UPDATE_UPLOAD_SESSION" => Kind::UpdateUploadSession,
            _ => Kind::UnknownFileOperation,
        },
        (Verb::Post, "contents") => match &*word(headers, &headers::OVERRIDE) {
            "PUT" => Kind::PutFile,
            "PUT_CHUNKED_FILE" => Kind::PutChunkedFile,
            _ => Kind::UnknownFileOperation,
        },
        (Verb::Post, "activities") if word(headers, &headers::OVERRIDE) == "GET_ACTIVITIES" => Kind::GetActivities,
        (_, "" | "contents" | "ancestry" | "ecosystem_pointer" | "activities") => Kind::UnknownFileOperation,
        _ => return Err(WopiError::NotFound),
    })
}

fn container(verb: Verb, below: &str, headers: &HeaderMap) -> Result<Kind, WopiError> {
    Ok(match (verb, below) {
        (Verb::Get, "") => Kind::CheckContainerInfo,
        (Verb::Get, "ancestry") => Kind::ContainerEnumerateAncestors,
        (Verb::Get, "children") => Kind::EnumerateChildren,
        (Verb::Get, "ecosystem_pointer") => Kind::ContainerGetEcosystem,
        (Verb::Post, "") => match &*word(headers, &headers::OVERRIDE) {
            "CREATE_CHILD_CONTAINER" => Kind::CreateChildContainer,
            "CREATE_CHILD_FILE" => Kind::CreateChildFile,
            "DELETE_CONTAINER" => Kind::DeleteContainer,
            "RENAME_CONTAINER" => Kind::RenameContainer,
            "GET_SHARE_URL" => Kind::ContainerGetShareUrl,
            _ => Kind::UnknownContainerOperation,
        },
        (_, "" | "ancestry" | "children" | "ecosystem_pointer") => Kind::UnknownContainerOperation,
        _ => return Err(WopiError::NotFound),
    })
}

fn folder(verb: Verb, below: &str) -> Result<Kind, WopiError> {
    Ok(match (verb, below) {
        (Verb::Get, "") => Kind::CheckFolderInfo,
        (Verb::Get, "children") => Kind::FolderEnumerateChildren,
        (_, "" | "children") => Kind::UnknownContainerOperation,
        _ => return Err(WopiError::NotFound),
    })
}

fn ecosystem(verb: Verb, below: &str, headers: &HeaderMap) -> Result<Kind, WopiError> {
    Ok(match (verb, below) {
        (Verb::Get, "") => Kind::CheckEcosystem,
        (Verb::Get, "root_container_pointer") => Kind::GetRootContainer,
        (Verb::Post, "") if word(headers, &headers::OVERRIDE) == "GET_WOPI_SRC_WITH_ACCESS_TOKEN" => {
            Kind::GetFileWopiSrc
        }
        (_, "" | "root_container_pointer") => Kind::UnknownEcosystemOperation,
        _ => return Err(WopiError::NotFound),
    })
}

fn bootstrapper(verb: Verb, headers: &HeaderMap) -> Kind {
    match verb {
        Verb::Get => Kind::Bootstrap,
        Verb::Post => match &*word(headers, &headers::ECOSYSTEM_OPERATION) {
            "GET_NEW_ACCESS_TOKEN" => Kind::GetNewAccessToken,
            "GET_ROOT_CONTAINER" => Kind::BootstrapGetRootContainer,
            "GET_WOPI_SRC_WITH_ACCESS_TOKEN" => Kind::BootstrapGetFileWopiSrc,
            _ => Kind::Bootstrap,
        },
        Verb::Other => Kind::UnknownEcosystemOperation,
    }
}

/// The value of a header that tells operations apart, in upper case; empty if there is none, or two.
fn word<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Cow<'a, str> {
    match headers::text(headers, name) {
        Ok(Some(text)) if text.bytes().any(|b| b.is_ascii_lowercase()) => text.to_ascii_uppercase().into(),
        Ok(text) => text.unwrap_or_default().into(),
        Err(_) => "".into(),
    }
}

/// Whether a header says anything. If it says it twice, parsing will refuse it.
fn present(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers.get_all(name).iter().any(|value| !value.is_empty())
}

#[cfg(test)]
mod tests;
