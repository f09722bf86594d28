//! What a host has to bring: one method per operation.

use std::ops::Range;

use async_trait::async_trait;
use wopi::answer::{
    AddActivities, AddActivitiesRequest, Bootstrap, BootstrapGetFileWopiSrc, BootstrapGetRootContainer,
    CheckContainerInfo, CheckEcosystem, CheckFileInfo, CheckFolderInfo, CoauthTable, CreateChildContainer,
    CreateChildFile, EnumerateAncestors, EnumerateChildren, FolderEnumerateChildren, GetEcosystem, GetFileWopiSrc,
    GetNewAccessToken, GetRootContainer, PutRelativeFile, ReadSecureStore, RenameContainer, RenameFile, ShareUrl,
};
use wopi::chunked::UploadSession;
use wopi::coauth::{
    CoauthLockId, CoauthLockMetadata, CoauthLockType, CoauthTableVersion, LockTerms, LockTimeout, PresentedLock,
};
use wopi::operation::{ByteRange, RelativeTarget, RequestedName, SaveFacts, ShareUrlType};
use wopi::proof::ProofRule;
use wopi::route::{Kind, KindSet, Target};
use wopi::{AccessToken, ContainerId, FileId, ItemVersion, LockId, WopiError};

use crate::body::Body;
use crate::refusal::{Refusal, RefusalReport};

/// Bytes of a file, on their way to a client.
pub struct FileBytes {
    /// The bytes; exactly those of `range` if there is one.
    pub body: Body,
    /// Size of the whole file.
    pub size: u64,
    /// The part that `body` holds, if it is not the whole.
    pub range: Option<Range<u64>>,
    /// The version these bytes are.
    pub version: Option<ItemVersion>,
}

/// A save that is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PutFileDone {
    /// The version after the save.
    pub version: ItemVersion,
    /// `LastModifiedTime`, the same text that CheckFileInfo will give. Collabora and ONLYOFFICE send it back.
    pub last_modified_time: String,
}

/// The table of coauth locks at some version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CoauthAnswer {
    /// Which version. It changes with everything that the table shows, and with nothing else.
    pub version: CoauthTableVersion,
    /// The table; `None` for a client that has it already.
    pub table: Option<CoauthTable>,
}

/// Frames of a file, on their way to a client (GetChunkedFile, GetChunks).
pub struct FramedBytes {
    /// The frames, message and end frame included.
    pub body: Body,
    /// The state that they are of.
    pub sequence: u64,
    /// The version that they are of.
    pub version: ItemVersion,
}

/// A PutChunkedFile that is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PutChunkedFileDone {
    /// The state after it.
    pub sequence: u64,
    /// The version after it.
    pub version: ItemVersion,
}

/// What every operation may answer.
pub type Answer<T> = Result<T, Refusal>;

fn unsupported<T>() -> Answer<T> {
    Err(WopiError::NotSupported.into())
}

/// A WOPI host: storage and people behind the protocol.
///
/// The service in front asks in this order and stops at the first refusal: `read_token`, `proof_rule`, `authenticate`,
/// `supported`; then it parses the headers and calls the operation's method. So an operation can rely on a caller who
/// may do it. Every operation answers 501 unless written; list what you wrote in `supported`, because CheckFileInfo's
/// `Supports…` flags are computed from that list and a request outside of it never reaches its method.
#[async_trait]
pub trait WopiHost: Send + Sync + 'static {
    /// What a token says, before anybody judged it.
    type Credential: Send + Sync;
    /// Somebody who was let in, for one target.
    type Caller: Send + Sync;

    // ── the gate ──

    /// The operations this host offers.
    fn supported(&self) -> KindSet;

    /// Scheme, host and port under which clients reach this host, with the path prefix if there is one, without a
    /// trailing slash. Proofs are checked against URLs rebuilt from it.
    fn public_url(&self) -> &str;

    /// The time, in milliseconds since 1970.
    fn now_ms(&self) -> i64;

    /// Looks at the token without judging it: the proof is checked first, and the token may name whose keys to ask.
    /// Bootstrapper requests bring an OAuth token here.
    fn read_token(&self, token: Option<&AccessToken>, target: &Target) -> Self::Credential;

    /// Whose proof keys have to match.
    fn proof_rule(&self, credential: &Self::Credential) -> ProofRule;

    /// A proof did not match. Fetch the keys again if that was not done lately; `true` if they are others now, and the
    /// proof shall be looked at once more.
    async fn proof_failed(&self, credential: &Self::Credential) -> bool {
        let _ = credential;
        false
    }

    /// A proof matched, but by an old key: the keys should be fetched again soon. Must not wait for that.
    fn proof_keys_are_stale(&self, credential: &Self::Credential) {
        let _ = credential;
    }

    /// Who is asking, and whether he may do this to the target.
    ///
    /// # Errors
    ///
    /// [`WopiError::Unauthorized`] for a token that is no good, [`WopiError::NotFound`] if the target does not exist or
    /// the caller may not do what `kind` [needs](Kind::needs), [`WopiError::NotSupported`] where WOPI wants that instead
    /// (PutRelativeFile while `UserCanNotWriteRelative`).
    async fn authenticate(&self, credential: Self::Credential, target: &Target, kind: Kind) -> Answer<Self::Caller>;

    /// A request was refused or failed. The service has written its log line already.
    fn refused(&self, report: RefusalReport) {
        let _ = report;
    }

    // ── files ──

    /// CheckFileInfo. The service fills in the `Supports…` flags.
    async fn check_file_info(
        &self,
        by: &Self::Caller,
        file: &FileId,
        session_context: Option<String>,
    ) -> Answer<CheckFileInfo>;

    /// GetFile. Never asks for a lock; larger than `size_max` is [`WopiError::LargerThanExpected`].
    async fn get_file(
        &self,
        by: &Self::Caller,
        file: &FileId,
        size_max: u64,
        range: Option<ByteRange>,
    ) -> Answer<FileBytes>;

    /// PutFile.
    async fn put_file(
        &self,
        by: &Self::Caller,
        file: &FileId,
        lock: Option<LockId>,
        save: SaveFacts,
        body: Body,
    ) -> Answer<PutFileDone> {
        let _ = (by, file, lock, save, body);
        unsupported()
    }

    /// Lock: takes it, or renews it if it is held with this id.
    async fn lock(&self, by: &Self::Caller, file: &FileId, lock: LockId, terms: LockTerms) -> Answer<ItemVersion> {
        let _ = (by, file, lock, terms);
        unsupported()
    }

    /// UnlockAndRelock, in one step.
    async fn unlock_and_relock(
        &self,
        by: &Self::Caller,
        file: &FileId,
        old: LockId,
        new: LockId,
        terms: LockTerms,
    ) -> Answer<ItemVersion> {
        let _ = (by, file, old, new, terms);
        unsupported()
    }

    /// GetLock: the lock held, if any.
    async fn get_lock(&self, by: &Self::Caller, file: &FileId) -> Answer<Option<LockId>> {
        let _ = (by, file);
        unsupported()
    }

    /// RefreshLock.
    async fn refresh_lock(
        &self,
        by: &Self::Caller,
        file: &FileId,
        lock: LockId,
        terms: LockTerms,
    ) -> Answer<ItemVersion> {
        let _ = (by, file, lock, terms);
        unsupported()
    }

    /// Unlock.
    async fn unlock(&self, by: &Self::Caller, file: &FileId, lock: LockId) -> Answer<ItemVersion> {
        let _ = (by, file, lock);
        unsupported()
    }

    /// PutRelativeFile: a new file beside this one.
    #[expect(clippy::too_many_arguments, reason = "the operation carries that much")]
    async fn put_relative_file(
        &self,
        by: &Self::Caller,
        file: &FileId,
        target: RelativeTarget,
        size: Option<u64>,
        conversion: bool,
        save: SaveFacts,
        body: Body,
    ) -> Answer<PutRelativeFile> {
        let _ = (by, file, target, size, conversion, save, body);
        unsupported()
    }

    /// RenameFile. The extension stays.
    async fn rename_file(
        &self,
        by: &Self::Caller,
        file: &FileId,
        name: RequestedName,
        presented: PresentedLock,
    ) -> Answer<RenameFile> {
        let _ = (by, file, name, presented);
        unsupported()
    }

    /// DeleteFile.
    async fn delete_file(&self, by: &Self::Caller, file: &FileId) -> Answer<()> {
        let _ = (by, file);
        unsupported()
    }

    /// PutUserInfo: keeps the string for the user, not for the file. At most 1024 characters, checked before.
    async fn put_user_info(&self, by: &Self::Caller, file: &FileId, info: String) -> Answer<()> {
        let _ = (by, file, info);
        unsupported()
    }

    /// GetShareUrl of a file.
    async fn get_share_url(&self, by: &Self::Caller, file: &FileId, kind: ShareUrlType) -> Answer<ShareUrl> {
        let _ = (by, file, kind);
        unsupported()
    }

    /// AddActivities.
    async fn add_activities(
        &self,
        by: &Self::Caller,
        file: &FileId,
        request: AddActivitiesRequest,
    ) -> Answer<AddActivities> {
        let _ = (by, file, request);
        unsupported()
    }

    /// EnumerateAncestors of a file.
    async fn enumerate_ancestors(&self, by: &Self::Caller, file: &FileId) -> Answer<EnumerateAncestors> {
        let _ = (by, file);
        unsupported()
    }

    /// GetEcosystem of a file.
    async fn get_ecosystem(&self, by: &Self::Caller, file: &FileId) -> Answer<GetEcosystem> {
        let _ = (by, file);
        unsupported()
    }

    /// ReadSecureStore (legacy).
    async fn read_secure_store(
        &self,
        by: &Self::Caller,
        file: &FileId,
        application_id: String,
    ) -> Answer<ReadSecureStore> {
        let _ = (by, file, application_id);
        unsupported()
    }

    /// GetRestrictedLink (legacy): the link.
    async fn get_restricted_link(&self, by: &Self::Caller, file: &FileId) -> Answer<String> {
        let _ = (by, file);
        unsupported()
    }

    /// RevokeRestrictedLink (legacy).
    async fn revoke_restricted_link(&self, by: &Self::Caller, file: &FileId) -> Answer<()> {
        let _ = (by, file);
        unsupported()
    }

    /// ExecuteCellStorageRequest and its relative form (legacy): MS-FSSHTTP in and out.
    async fn execute_cell_storage_request(&self, by: &Self::Caller, file: &FileId, body: Body) -> Answer<Body> {
        let _ = (by, file, body);
        unsupported()
    }

    // ── coauth locks (CSPP Plus) ──

    /// GetCoauthLock: takes it, renews it, or switches its type.
    async fn get_coauth_lock(
        &self,
        by: &Self::Caller,
        file: &FileId,
        lock: CoauthLockId,
        kind: CoauthLockType,
        timeout: LockTimeout,
        metadata: CoauthLockMetadata,
    ) -> Answer<CoauthAnswer> {
        let _ = (by, file, lock, kind, timeout, metadata);
        unsupported()
    }

    /// RefreshCoauthLock. Empty metadata leave those it has.
    async fn refresh_coauth_lock(
        &self,
        by: &Self::Caller,
        file: &FileId,
        lock: CoauthLockId,
        timeout: LockTimeout,
        metadata: CoauthLockMetadata,
    ) -> Answer<CoauthAnswer> {
        let _ = (by, file, lock, timeout, metadata);
        unsupported()
    }

    /// UnlockCoauthLock.
    async fn unlock_coauth_lock(&self, by: &Self::Caller, file: &FileId, lock: CoauthLockId) -> Answer<()> {
        let _ = (by, file, lock);
        unsupported()
    }

    /// GetCoauthTable: no table if the client knows the current version.
    async fn get_coauth_table(
        &self,
        by: &Self::Caller,
        file: &FileId,
        known: Option<CoauthTableVersion>,
    ) -> Answer<CoauthAnswer> {
        let _ = (by, file, known);
        unsupported()
    }

    // ── incremental file transfer ──

    /// GetChunkedFile. The body is a [`GetChunkedFile`](wopi::chunked::GetChunkedFile) in [frames](wopi::frames). Never
    /// asks for a lock.
    async fn get_chunked_file(&self, by: &Self::Caller, file: &FileId, body: Body) -> Answer<FramedBytes> {
        let _ = (by, file, body);
        unsupported()
    }

    /// PutChunkedFile. The body is a [`PutChunkedFile`](wopi::chunked::PutChunkedFile) and chunks in
    /// [frames](wopi::frames). Refused in this order: lock, sequence number ([`WopiError::StaleSequence`]), body.
    async fn put_chunked_file(
        &self,
        by: &Self::Caller,
        file: &FileId,
        sequence: u64,
        lock: PresentedLock,
        editors: Vec<String>,
        body: Body,
    ) -> Answer<PutChunkedFileDone> {
        let _ = (by, file, sequence, lock, editors, body);
        unsupported()
    }

    /// GetSequenceNumber: the current state; greater than 0, and greater with every change of the contents.
    async fn get_sequence_number(&self, by: &Self::Caller, file: &FileId) -> Answer<u64> {
        let _ = (by, file);
        unsupported()
    }

    /// GetChunks. The body is a [`GetChunks`](wopi::chunked::GetChunks) in [frames](wopi::frames).
    async fn get_chunks(&self, by: &Self::Caller, file: &FileId, body: Body) -> Answer<FramedBytes> {
        let _ = (by, file, body);
        unsupported()
    }

    /// CreateUploadSession.
    async fn create_upload_session(&self, by: &Self::Caller, file: &FileId) -> Answer<UploadSession> {
        let _ = (by, file);
        unsupported()
    }

    /// UpdateUploadSession: where the next part begins. `length` is what the client says of the body, which is to be
    /// checked.
    async fn update_upload_session(
        &self,
        by: &Self::Caller,
        file: &FileId,
        token: String,
        offset: u64,
        length: u64,
        body: Body,
    ) -> Answer<u64> {
        let _ = (by, file, token, offset, length, body);
        unsupported()
    }

    // ── containers ──

    /// CheckContainerInfo.
    async fn check_container_info(&self, by: &Self::Caller, container: &ContainerId) -> Answer<CheckContainerInfo> {
        let _ = (by, container);
        unsupported()
    }

    /// CreateChildContainer.
    async fn create_child_container(
        &self,
        by: &Self::Caller,
        container: &ContainerId,
        target: RelativeTarget,
    ) -> Answer<CreateChildContainer> {
        let _ = (by, container, target);
        unsupported()
    }

    /// CreateChildFile: a file of zero bytes.
    async fn create_child_file(
        &self,
        by: &Self::Caller,
        container: &ContainerId,
        target: RelativeTarget,
    ) -> Answer<CreateChildFile> {
        let _ = (by, container, target);
        unsupported()
    }

    /// DeleteContainer; with something in it [`WopiError::NotEmpty`].
    async fn delete_container(&self, by: &Self::Caller, container: &ContainerId) -> Answer<()> {
        let _ = (by, container);
        unsupported()
    }

    /// RenameContainer.
    async fn rename_container(
        &self,
        by: &Self::Caller,
        container: &ContainerId,
        name: RequestedName,
    ) -> Answer<RenameContainer> {
        let _ = (by, container, name);
        unsupported()
    }

    /// GetShareUrl of a container.
    async fn container_share_url(
        &self,
        by: &Self::Caller,
        container: &ContainerId,
        kind: ShareUrlType,
    ) -> Answer<ShareUrl> {
        let _ = (by, container, kind);
        unsupported()
    }

    /// EnumerateAncestors of a container.
    async fn container_ancestors(&self, by: &Self::Caller, container: &ContainerId) -> Answer<EnumerateAncestors> {
        let _ = (by, container);
        unsupported()
    }

    /// EnumerateChildren. `extensions` are lower case with a dot and filter files only.
    async fn enumerate_children(
        &self,
        by: &Self::Caller,
        container: &ContainerId,
        extensions: Option<Vec<String>>,
    ) -> Answer<EnumerateChildren> {
        let _ = (by, container, extensions);
        unsupported()
    }

    /// GetEcosystem of a container.
    async fn container_ecosystem(&self, by: &Self::Caller, container: &ContainerId) -> Answer<GetEcosystem> {
        let _ = (by, container);
        unsupported()
    }

    // ── ecosystem ──

    /// CheckEcosystem. The service fills in `SupportsContainers`.
    async fn check_ecosystem(&self, by: &Self::Caller) -> Answer<CheckEcosystem> {
        let _ = by;
        unsupported()
    }

    /// GetRootContainer.
    async fn get_root_container(&self, by: &Self::Caller) -> Answer<GetRootContainer> {
        let _ = by;
        unsupported()
    }

    /// GetFileWopiSrc: from a name or URL of the host's own to WOPISrc and token.
    async fn get_file_wopi_src(&self, by: &Self::Caller, native_name: String) -> Answer<GetFileWopiSrc> {
        let _ = (by, native_name);
        unsupported()
    }

    // ── bootstrapper ──

    /// Bootstrap.
    async fn bootstrap(&self, by: &Self::Caller) -> Answer<Bootstrap> {
        let _ = by;
        unsupported()
    }

    /// Bootstrap with the root container. Where it is not among the `supported`, the service answers as for Bootstrap.
    async fn bootstrap_root_container(&self, by: &Self::Caller) -> Answer<BootstrapGetRootContainer> {
        let _ = by;
        unsupported()
    }

    /// Bootstrap with a WOPISrc. Where it is not among the `supported`, the service answers as for Bootstrap.
    async fn bootstrap_wopi_src(&self, by: &Self::Caller, native_name: String) -> Answer<BootstrapGetFileWopiSrc> {
        let _ = (by, native_name);
        unsupported()
    }

    /// GetNewAccessToken for the WOPISrc of a file or container.
    async fn get_new_access_token(&self, by: &Self::Caller, wopi_src: String) -> Answer<GetNewAccessToken> {
        let _ = (by, wopi_src);
        unsupported()
    }

    // ── folders (OneNote) ──

    /// CheckFolderInfo (legacy): not found unless written.
    async fn check_folder_info(&self, by: &Self::Caller, folder: &ContainerId) -> Answer<CheckFolderInfo> {
        let _ = (by, folder);
        Err(WopiError::NotFound.into())
    }

    /// EnumerateChildren of a folder (legacy).
    async fn folder_children(&self, by: &Self::Caller, folder: &ContainerId) -> Answer<FolderEnumerateChildren> {
        let _ = (by, folder);
        unsupported()
    }
}
