//! The routing table: which operation a request means, and on what.

use http::{HeaderMap, Method};

use crate::error::WopiError;
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
/// # Errors
///
/// [`WopiError::NotFound`] for a path that is no WOPI endpoint or an id that cannot be one. An override nobody knows is
/// no error here: it becomes an `Unknown…` kind, which the gate refuses with 501 after it has looked at the caller.
pub fn route(method: &Method, path: &str, headers: &HeaderMap) -> Result<(Target, Kind), WopiError> {
    let _ = (method, path, headers);
    todo!("H1")
}
