//! What a host says it can do, computed from what it does.

use super::{CheckEcosystem, CheckFileInfo};
use crate::route::{Kind, KindSet};

/// What `SupportsContainers` promises.
const CONTAINERS: &[Kind] = &[
    Kind::CheckContainerInfo,
    Kind::CreateChildContainer,
    Kind::CreateChildFile,
    Kind::DeleteContainer,
    Kind::DeleteFile,
    Kind::EnumerateAncestors,
    Kind::ContainerEnumerateAncestors,
    Kind::EnumerateChildren,
    Kind::ContainerGetEcosystem,
    Kind::RenameContainer,
];

impl CheckEcosystem {
    /// Sets `SupportsContainers` as CheckFileInfo has it.
    pub fn announce(&mut self, kinds: KindSet) {
        self.supports_containers = kinds.has_all(CONTAINERS).then_some(true);
    }
}

impl CheckFileInfo {
    /// Sets every flag that promises operations, from the set of operations that the host offers. The same set
    /// dispatches requests, so no flag can promise what would be refused.
    ///
    /// | property | promises (*Files endpoint* 1.3) |
    /// |---|---|
    /// | `SupportsLocks`, `SupportsExtendedLockLength` | Lock, UnlockAndRelock, RefreshLock, Unlock |
    /// | `SupportsGetLock` | GetLock |
    /// | `SupportsUpdate` | PutFile; also PutRelativeFile, unless `UserCanNotWriteRelative` |
    /// | `SupportsRename` | RenameFile |
    /// | `SupportsDeleteFile` | DeleteFile |
    /// | `SupportsUserInfo` | PutUserInfo |
    /// | `SupportsContainers` | all of containers but GetShareUrl, DeleteFile, EnumerateAncestors of the file |
    /// | `SupportsEcosystem` | CheckEcosystem, GetRootContainer, GetEcosystem of file and container |
    /// | `SupportsGetFileWopiSrc` | GetFileWopiSrc |
    /// | `SupportsAddActivities` | AddActivities |
    /// | `SupportsGetActivities` | GetActivities |
    /// | `SupportsFileUserValue` | GetFileUserValue |
    /// | `SupportsFolders` | CheckFolderInfo, FolderEnumerateChildren, DeleteFile |
    /// | `SupportsCobalt` | ExecuteCellStorageRequest, ExecuteCellStorageRelativeRequest |
    /// | `SupportsSecureStore` | ReadSecureStore |
    /// | `SupportsScenarioLinks` | GetRestrictedLink, RevokeRestrictedLink |
    /// | `SupportsResumableFileTransfer` | GetChunks, CreateUploadSession, UpdateUploadSession, and what `plus` promises |
    ///
    /// A flag that does not hold is left out. Beyond the flags: without PutRelativeFile `UserCanNotWriteRelative` is
    /// true, and otherwise it is false unless set already (Collabora takes a missing one for true); without GetShareUrl
    /// there are no `SupportedShareUrlTypes`; and `plus` goes unless all operations of coauthoring are there.
    pub fn announce(&mut self, kinds: KindSet) {
        let offers = |promised: &[Kind]| kinds.has_all(promised).then_some(true);

        self.supports_locks = offers(&[Kind::Lock, Kind::UnlockAndRelock, Kind::RefreshLock, Kind::Unlock]);
        self.supports_extended_lock_length = self.supports_locks;
        self.supports_get_lock = offers(&[Kind::GetLock]);
        self.supports_update = offers(&[Kind::PutFile]);
        self.supports_rename = offers(&[Kind::RenameFile]);
        self.supports_delete_file = offers(&[Kind::DeleteFile]);
        self.supports_user_info = offers(&[Kind::PutUserInfo]);
        self.supports_containers = offers(CONTAINERS);
        self.supports_ecosystem =
            offers(&[Kind::CheckEcosystem, Kind::GetRootContainer, Kind::GetEcosystem, Kind::ContainerGetEcosystem]);
        self.supports_get_file_wopi_src = offers(&[Kind::GetFileWopiSrc]);
        self.supports_add_activities = offers(&[Kind::AddActivities]);
        self.supports_get_activities = offers(&[Kind::GetActivities]);
        self.supports_file_user_value = offers(&[Kind::GetFileUserValue]);
        self.supports_folders = offers(&[Kind::CheckFolderInfo, Kind::FolderEnumerateChildren, Kind::DeleteFile]);
        self.supports_cobalt = offers(&[Kind::ExecuteCellStorageRequest, Kind::ExecuteCellStorageRelativeRequest]);
        self.supports_secure_store = offers(&[Kind::ReadSecureStore]);
        self.supports_scenario_links = offers(&[Kind::GetRestrictedLink, Kind::RevokeRestrictedLink]);

        let coauth = [
            Kind::GetCoauthLock,
            Kind::RefreshCoauthLock,
            Kind::UnlockCoauthLock,
            Kind::GetCoauthTable,
            Kind::GetSequenceNumber,
            Kind::GetChunkedFile,
            Kind::PutChunkedFile,
        ];
        if !kinds.has_all(&coauth) {
            self.plus = None;
        }
        self.supports_resumable_file_transfer =
            offers(&[Kind::GetChunks, Kind::CreateUploadSession, Kind::UpdateUploadSession])
                .filter(|_| self.plus.is_some());

        if kinds.has(Kind::PutRelativeFile) {
            self.user_can_not_write_relative.get_or_insert(false);
        } else {
            self.user_can_not_write_relative = Some(true);
        }
        if !kinds.has(Kind::GetShareUrl) {
            self.supported_share_url_types = None;
        }
    }
}
