//! Every JSON answer, in its published spelling.
//!
//! An optional property that is `None` is left out: the documents forbid `null`, and a left-out property takes its
//! default (`false`, the empty string, the empty list). URLs are left out rather than sent empty, because the official
//! validator refuses an empty one. The structs can be read, too: a client or a test understands what a host said with
//! the same types, and what they do not know is passed over.
//!
//! | module | answers of |
//! |---|---|
//! | [`CheckFileInfo`] and the objects in it | CheckFileInfo |
//! | files | PutFile, PutRelativeFile, RenameFile, GetShareUrl, ReadSecureStore, AddActivities (and what it asks) |
//! | coauth | the operations on coauth locks |
//! | containers | everything on containers and folders |
//! | ecosystem | CheckEcosystem, GetEcosystem, GetRootContainer, GetFileWopiSrc, the bootstrapper |

/// A struct that is one JSON object: required members first, then the optional ones.
macro_rules! answer {
    (
        $(#[$about:meta])*
        $name:ident {
            $($(#[$required_about:meta])* $required:ident: $required_type:ty,)*
        }
        optional {
            $($(#[$about_optional:meta])* $optional:ident: $optional_type:ty,)*
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "PascalCase")]
        pub struct $name {
            $(
                $(#[$required_about])*
                pub $required: $required_type,
            )*
            $(
                $(#[$about_optional])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $optional: Option<$optional_type>,
            )*
        }
    };
    ($(#[$about:meta])* $name:ident { $($members:tt)* }) => {
        answer! { $(#[$about])* $name { $($members)* } optional {} }
    };
}

mod announce;
mod coauth;
mod containers;
mod ecosystem;
mod file_info;
mod files;
mod time;

pub use coauth::{CoauthTable, CoauthTableRow};
pub use containers::{
    CheckContainerInfo, CheckFolderInfo, ChildFile, ContainerPointer, CreateChildContainer, CreateChildFile,
    EnumerateAncestors, EnumerateChildren, FolderChild, FolderEnumerateChildren, RenameContainer,
};
pub use ecosystem::{
    AccessTokenInfo, Bootstrap, BootstrapGetFileWopiSrc, BootstrapGetRootContainer, BootstrapInfo, CheckEcosystem,
    EndPoints, GetEcosystem, GetFileWopiSrc, GetNewAccessToken, GetRootContainer,
};
pub use file_info::{CheckFileInfo, CsppPlus, Preset, ServerPrivateInfo, UserExtraInfo, UserPrivateInfo};
pub use files::{
    Activity, ActivityData, ActivityPerson, ActivityResponse, AddActivities, AddActivitiesRequest, PutFile,
    PutRelativeFile, ReadSecureStore, RenameFile, ShareUrl,
};
pub use time::{last_modified_time, parse_last_modified_time};

#[cfg(test)]
mod tests;
