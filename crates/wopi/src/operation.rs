//! A request that has been let in, as one typed value.
//!
//! [`parse`] runs behind the gate, so a stranger with a bad header learns only that he is a stranger.
//!
//! What an operation depends on is read strictly. What only describes it (who edited, whether it was an autosave, the
//! session context) is read as well as it can be, because no save should be lost over it.

mod chunked;
mod coauth;
pub use crate::coauth::{CoauthLockId, PresentedLock};
mod containers;
mod ecosystem;
mod files;
pub use files::range;
mod names;

use http::HeaderMap;

use crate::coauth::{CoauthLockMetadata, CoauthLockType, CoauthTableVersion, LockTerms, LockTimeout};
use crate::error::WopiError;
use crate::ids::{ContainerId, FileId};
use crate::lock_id::LockId;
use crate::names::{FileName, NameError};
use crate::route::{Kind, Target};

/// What a request asks, on what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Something under `/wopi/files/{id}`.
    File(FileId, FileOperation),
    /// Something under `/wopi/containers/{id}`.
    Container(ContainerId, ContainerOperation),
    /// Something under `/wopi/ecosystem`.
    Ecosystem(EcosystemOperation),
    /// Something at `/wopibootstrapper`.
    Bootstrapper(BootstrapperOperation),
    /// Something under `/wopi/folders/{id}` (OneNote).
    Folder(ContainerId, FolderOperation),
}

/// Operations on a file (`protocol` documents: *Files endpoint*).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileOperation {
    /// What the file is and what this user may do with it.
    CheckFileInfo {
        /// What the host itself put into the action URL; comes back from outside, so it is not to be trusted.
        session_context: Option<String>,
    },
    /// The bytes.
    GetFile {
        /// `X-WOPI-MaxExpectedSize`, or 2 147 483 647 when the client said nothing.
        size_max: u64,
        /// A `Range` of one part, if there was one that we understand.
        range: Option<ByteRange>,
    },
    /// Replace the bytes by the request's body.
    PutFile {
        /// `X-WOPI-Lock`; absent while a client fills a new file.
        lock: Option<LockId>,
        /// What the client says about this save.
        save: SaveFacts,
    },
    /// Take the lock, or renew it.
    Lock {
        /// The lock wanted.
        lock: LockId,
        /// How long, and who may know.
        terms: LockTerms,
    },
    /// Replace one lock by another in one step.
    UnlockAndRelock {
        /// The lock believed to be held.
        old: LockId,
        /// The lock wanted.
        new: LockId,
        /// How long, and who may know.
        terms: LockTerms,
    },
    /// Which lock is held.
    GetLock,
    /// Renew the lock.
    RefreshLock {
        /// The lock believed to be held.
        lock: LockId,
        /// How long, and who may know.
        terms: LockTerms,
    },
    /// Let go of the lock.
    Unlock {
        /// The lock believed to be held.
        lock: LockId,
    },
    /// Make a new file beside this one from the request's body.
    PutRelativeFile {
        /// How the new file is to be called.
        target: RelativeTarget,
        /// `X-WOPI-Size`, the size that the client announced.
        size: Option<u64>,
        /// `X-WOPI-FileConversion` was present.
        conversion: bool,
        /// What the client says about this save.
        save: SaveFacts,
    },
    /// Give the file another name; its extension stays.
    RenameFile {
        /// The wanted name without extension.
        name: RequestedName,
        /// The lock held, if any.
        presented: PresentedLock,
    },
    /// Remove the file.
    DeleteFile,
    /// Keep a string for this user; the body is the string.
    PutUserInfo,
    /// A browser URL for the file.
    GetShareUrl {
        /// What the URL may be used for.
        kind: ShareUrlType,
    },
    /// Tell the host what happened in the document; the body is JSON.
    AddActivities,
    /// The containers above the file.
    EnumerateAncestors,
    /// Where the ecosystem is.
    GetEcosystem,
    /// Credentials from a secure store (legacy).
    ReadSecureStore {
        /// `X-WOPI-ApplicationId`.
        application_id: String,
    },
    /// A link for a restricted scenario (legacy).
    GetRestrictedLink,
    /// Take such links back (legacy).
    RevokeRestrictedLink,
    /// MS-FSSHTTP over WOPI (legacy).
    ExecuteCellStorageRequest,
    /// MS-FSSHTTP over WOPI for a sibling (legacy).
    ExecuteCellStorageRelativeRequest,
    /// Take a coauth lock, renew it, or switch its type.
    GetCoauthLock {
        /// The id to hold it by.
        lock: CoauthLockId,
        /// What it is to be good for.
        kind: CoauthLockType,
        /// How long.
        timeout: LockTimeout,
        /// The metadata of the header. The body may say otherwise: [`crate::coauth::metadata_in_body`].
        metadata: CoauthLockMetadata,
    },
    /// Renew a coauth lock.
    RefreshCoauthLock {
        /// The id it is held by.
        lock: CoauthLockId,
        /// How long.
        timeout: LockTimeout,
        /// The metadata of the header; empty to leave it. The body may say otherwise, as above.
        metadata: CoauthLockMetadata,
    },
    /// Let go of a coauth lock.
    UnlockCoauthLock {
        /// The id it is held by.
        lock: CoauthLockId,
    },
    /// Who holds coauth locks.
    GetCoauthTable {
        /// The version that the client has; no table need be sent if it is the current one.
        known: Option<CoauthTableVersion>,
    },
    /// The file as chunks; the body says which: [`crate::chunked::GetChunkedFile`].
    GetChunkedFile,
    /// Replace streams by what the body says: [`crate::chunked::PutChunkedFile`].
    PutChunkedFile {
        /// The state that the client believes is the current one.
        sequence: u64,
        /// The lock held, if any.
        lock: PresentedLock,
        /// `X-WOPI-Editors`, bounded as [`SaveFacts::editors`].
        editors: Vec<String>,
    },
    /// Which state is the current one.
    GetSequenceNumber,
    /// Parts of chunks; the body says which: [`crate::chunked::GetChunks`].
    GetChunks,
    /// Begin to upload chunks in several requests.
    CreateUploadSession,
    /// More bytes of such an upload; they are the body.
    UpdateUploadSession {
        /// Which upload.
        token: String,
        /// How many bytes came before.
        offset: u64,
        /// How many are in this body.
        length: u64,
    },
}

/// Operations on a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContainerOperation {
    /// What the container is and what this user may do with it.
    CheckContainerInfo,
    /// Make a container in it.
    CreateChildContainer {
        /// How it is to be called; `overwrite` is never true.
        target: RelativeTarget,
    },
    /// Make a file of zero bytes in it.
    CreateChildFile {
        /// How it is to be called.
        target: RelativeTarget,
    },
    /// Remove it, if empty.
    DeleteContainer,
    /// Give it another name.
    RenameContainer {
        /// The wanted name.
        name: RequestedName,
    },
    /// A browser URL for the container.
    GetShareUrl {
        /// What the URL may be used for.
        kind: ShareUrlType,
    },
    /// The containers above it.
    EnumerateAncestors,
    /// What is in it.
    EnumerateChildren {
        /// Extensions wanted, lower case with a dot; `None` for all. Filters files only.
        extensions: Option<Vec<String>>,
    },
    /// Where the ecosystem is.
    GetEcosystem,
}

/// Operations on the ecosystem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EcosystemOperation {
    /// What the host can do.
    CheckEcosystem,
    /// Where the top of the containers is.
    GetRootContainer,
    /// The WOPISrc behind a name or URL of the host's own.
    GetFileWopiSrc {
        /// `X-WOPI-HostNativeFileName`.
        native_name: String,
    },
}

/// Operations of the bootstrapper; the caller shows an OAuth token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BootstrapperOperation {
    /// Who the user is and where the ecosystem is.
    Bootstrap,
    /// A fresh token for a WOPISrc.
    GetNewAccessToken {
        /// The WOPISrc of a file or container.
        wopi_src: String,
    },
    /// Bootstrap and GetRootContainer in one.
    GetRootContainer,
    /// Bootstrap and GetFileWopiSrc in one.
    GetFileWopiSrc {
        /// `X-WOPI-HostNativeFileName`.
        native_name: String,
    },
}

/// Operations on folders, for OneNote only (legacy).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderOperation {
    /// What the folder is.
    CheckFolderInfo,
    /// What is in it.
    EnumerateChildren,
}

/// How a new file or container is to be called. Exactly one of the two target headers was sent; both or none is
/// refused while parsing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RelativeTarget {
    /// This name and no other (`X-WOPI-RelativeTarget`).
    Specific {
        /// The name, or why it can be none.
        name: RequestedName,
        /// Whether a file of this name may be replaced.
        overwrite: bool,
    },
    /// A name near this one; the host adapts it (`X-WOPI-SuggestedTarget`).
    Suggested(Suggestion),
}

/// What a client would like a file to be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Suggestion {
    /// The name of the file at hand, with this extension (leading dot included).
    Extension(String),
    /// This text as the whole name. Not yet checked: the host makes a legal name of it.
    Name(String),
}

/// A name that a client insists on: decoded, and looked at as a [`FileName`].
///
/// A name that cannot be one is kept with the reason, because the answer (400 with a reason and a name that would do)
/// is the host's to give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedName {
    /// The text as decoded, for making a valid suggestion from it.
    pub text: String,
    /// The name, or what is wrong with it.
    pub name: Result<FileName, NameError>,
}

impl RequestedName {
    /// Looks at decoded text.
    pub fn new(text: String) -> Self {
        let name = FileName::parse(&text);
        Self { text, name }
    }
}

/// What a client says about a save, beside its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SaveFacts {
    /// `X-WOPI-Editors`: everyone who contributed, at most [`SaveFacts::EDITORS_MAX`], each at most
    /// [`SaveFacts::EDITOR_LENGTH_MAX`] characters.
    pub editors: Vec<String>,
    /// `X-COOL-WOPI-Timestamp` (or `X-LOOL-…`), verbatim: the LastModifiedTime that the client believes is current.
    pub timestamp: Option<String>,
    /// `…-IsModifiedByUser`; `None` when not sent.
    pub modified_by_user: Option<bool>,
    /// `…-IsAutosave`.
    pub autosave: bool,
    /// `…-IsExitSave`.
    pub exit_save: bool,
}

impl SaveFacts {
    /// How many editors of one save are kept.
    pub const EDITORS_MAX: usize = 100;

    /// Longest editor's id that is kept, in characters. A longer one can be nobody's.
    pub const EDITOR_LENGTH_MAX: usize = 255;

    /// Longest timestamp, in characters. Ours have 28.
    pub const TIMESTAMP_LENGTH_MAX: usize = 100;
}

/// What a share URL may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShareUrlType {
    /// `ReadOnly`
    ReadOnly,
    /// `ReadWrite`
    ReadWrite,
}

/// One part of a file, as `Range: bytes=…` asks for it (RFC 9110, 14.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteRange {
    /// From `first` to `last` (included), or to the end.
    From {
        /// First byte wanted.
        first: u64,
        /// Last byte wanted.
        last: Option<u64>,
    },
    /// The last so many bytes.
    Suffix(u64),
}

impl ByteRange {
    /// The bytes meant in a file of `size` bytes, as a half-open range; `None` if the file has none of them (416).
    pub fn within(self, size: u64) -> Option<std::ops::Range<u64>> {
        let range = match self {
            Self::From { first, last } => first..last.map_or(size, |last| size.min(last.saturating_add(1))),
            Self::Suffix(length) => size.saturating_sub(length)..size,
        };
        (range.start < range.end).then_some(range)
    }
}

/// Turns the headers of a request that was let in into an operation.
///
/// # Errors
///
/// [`WopiError::InvalidRequest`] names the header that is missing, doubled or malformed; operations whose refusal has
/// another status by their documents (an unknown share URL type, two targets of CreateChildFile) answer
/// [`WopiError::NotSupported`], and so do all operations that are not in [`Operation`]: the two that only the
/// specification knows, the `Unknown…` kinds, and a kind that does not belong to the target.
pub fn parse(target: &Target, kind: Kind, headers: &HeaderMap) -> Result<Operation, WopiError> {
    Ok(match target {
        Target::File(id) => Operation::File(id.clone(), files::parse(kind, headers)?),
        Target::Container(id) => Operation::Container(id.clone(), containers::parse(kind, headers)?),
        Target::Ecosystem => Operation::Ecosystem(ecosystem::parse(kind, headers)?),
        Target::Bootstrapper => Operation::Bootstrapper(ecosystem::parse_bootstrapper(kind, headers)?),
        Target::Folder(id) => Operation::Folder(id.clone(), containers::parse_folder(kind)?),
    })
}

#[cfg(test)]
mod tests;
