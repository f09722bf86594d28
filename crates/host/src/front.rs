//! The host behind the WOPI service: every operation is one line into a use case.

use std::sync::Arc;

use async_trait::async_trait;
use wopi::answer::{
    AddActivities, AddActivitiesRequest, Bootstrap, BootstrapGetFileWopiSrc, BootstrapGetRootContainer,
    CheckContainerInfo, CheckEcosystem, CheckFileInfo, CreateChildContainer, CreateChildFile, EnumerateAncestors,
    EnumerateChildren, GetEcosystem, GetFileWopiSrc, GetNewAccessToken, GetRootContainer, PutRelativeFile,
    RenameContainer, RenameFile, ShareUrl,
};
use wopi::chunked::UploadSession;
use wopi::coauth::{
    CoauthLockId, CoauthLockMetadata, CoauthLockType, CoauthTableVersion, LockTerms, LockTimeout, PresentedLock,
};
use wopi::operation::{ByteRange, RelativeTarget, RequestedName, SaveFacts, ShareUrlType};
use wopi::proof::ProofRule;
use wopi::route::{Kind, KindSet, Permission, Target};
use wopi::{AccessToken, ContainerId, FileId, ItemVersion, LockId, WopiError};
use wopi_service::host::Answer;
use wopi_service::{
    Body, CoauthAnswer, FileBytes, FramedBytes, PutChunkedFileDone, PutFileDone, Refusal, RefusalReport, WopiHost,
};

use crate::access::Right;
use crate::caller::{Admission, Caller};
use crate::errors;
use crate::host::Host;
use crate::ports::{Located, RegistryError, TokenClaims, TokenError, TokenResource};
use crate::visitor::Visitor;

mod by_url;

pub use by_url::{DIRECT_READ_LIFETIME, FileByUrl};

/// Operations on files that are always offered.
const FILES: &[Kind] = &[
    Kind::CheckFileInfo,
    Kind::GetFile,
    Kind::PutFile,
    Kind::Lock,
    Kind::UnlockAndRelock,
    Kind::GetLock,
    Kind::RefreshLock,
    Kind::Unlock,
    Kind::RenameFile,
    Kind::DeleteFile,
    Kind::PutUserInfo,
    Kind::GetShareUrl,
    Kind::AddActivities,
    Kind::Bootstrap,
    Kind::GetNewAccessToken,
    Kind::BootstrapGetFileWopiSrc,
];

/// Operations of coauthoring and of incremental transfer (CSPP Plus). CheckFileInfo tells of them where client and
/// user can use them ([`crate::plus`]).
const PLUS: &[Kind] = &[
    Kind::GetCoauthLock,
    Kind::RefreshCoauthLock,
    Kind::UnlockCoauthLock,
    Kind::GetCoauthTable,
    Kind::GetSequenceNumber,
    Kind::GetChunkedFile,
    Kind::PutChunkedFile,
    Kind::GetChunks,
    Kind::CreateUploadSession,
    Kind::UpdateUploadSession,
];

/// Operations that come with containers.
const CONTAINERS: &[Kind] = &[
    Kind::EnumerateAncestors,
    Kind::GetEcosystem,
    Kind::CheckContainerInfo,
    Kind::CreateChildContainer,
    Kind::CreateChildFile,
    Kind::DeleteContainer,
    Kind::RenameContainer,
    Kind::ContainerGetShareUrl,
    Kind::ContainerEnumerateAncestors,
    Kind::EnumerateChildren,
    Kind::ContainerGetEcosystem,
    Kind::CheckEcosystem,
    Kind::GetRootContainer,
    Kind::GetFileWopiSrc,
    Kind::BootstrapGetRootContainer,
];

/// A host as `wopi-service` wants it.
#[derive(Clone, Debug)]
pub struct Front {
    host: Arc<Host>,
    supported: KindSet,
}

impl Front {
    /// The front of a host.
    pub fn new(host: Arc<Host>) -> Self {
        let mut supported = KindSet::EMPTY.with_all(FILES);
        if host.settings.coauth.enabled {
            supported = supported.with_all(PLUS);
        }
        if host.settings.containers {
            supported = supported.with_all(CONTAINERS);
        }
        if host.settings.relative_writes {
            supported = supported.with(Kind::PutRelativeFile);
        }
        Self { host, supported }
    }
}

/// A token that was looked at, but not judged.
#[derive(Debug)]
pub struct Credential(Result<TokenClaims, TokenError>);

impl Credential {
    fn client(&self) -> Who<'_> {
        match &self.0 {
            Ok(claims) => Who::Named(claims.client.as_deref()),
            Err(_) => Who::Unknown,
        }
    }
}

/// Whose proof has to match.
enum Who<'a> {
    /// The client that the token was minted for; `None` for a tool of the operator's, which shows no proofs.
    Named(Option<&'a str>),
    /// A token that is none: whoever cannot sign shall not learn even that.
    Unknown,
}

fn resource(target: &Target) -> TokenResource {
    match target {
        Target::File(id) => TokenResource::File(id.clone()),
        Target::Container(id) | Target::Folder(id) => TokenResource::Container(id.clone()),
        Target::Ecosystem => TokenResource::Ecosystem,
        Target::Bootstrapper => TokenResource::Bootstrapper,
    }
}

impl Host {
    /// Who shows this token, and what he may do, apart from what he wants; and the file he wants, if there is one: read
    /// at once, because looking whether the registry changed costs more than what is read.
    async fn recognize(
        &self,
        opened: Result<TokenClaims, TokenError>,
        file: Option<&FileId>,
    ) -> Result<(Caller, Visitor, Option<Located>), Refusal> {
        let unauthorized = |why: TokenError| {
            let error = match why {
                // A 401 would end the session in the browser, and the edit with it.
                TokenError::KeysUnavailable => WopiError::Busy { retry_after: errors::RETRY_AFTER_SECONDS },
                TokenError::Missing
                | TokenError::NotOurs
                | TokenError::Expired
                | TokenError::Revoked
                | TokenError::UserGone => WopiError::Unauthorized { challenge: None },
            };
            Refusal::new(error, why.to_string())
        };
        let claims = opened.map_err(unauthorized)?;
        let visit = match self.ports.registry.visit(&claims.session, file).await {
            Ok(visit) => visit,
            Err(RegistryError::NotFound) => return Err(unauthorized(TokenError::Revoked)),
            Err(error) => return Err(errors::registry("reading the session and the file", &error)),
        };
        let (visitor, file) = Visitor::of(visit, self.now()).map_err(unauthorized)?;
        if visitor.session.user != claims.user {
            return Err(unauthorized(TokenError::Revoked));
        }
        let rights = match &file {
            Some(located) => self.rights_at(&visitor, &claims, located),
            None => self.rights(Right::of_role(visitor.user.role), &claims).elsewhere(),
        };
        let user = Arc::clone(&visitor.user);
        Ok((Caller { user, claims, rights, admission: Admission::Elsewhere }, visitor, file))
    }

    /// The file, if it is there and not deleted.
    fn admitted(found: Option<Located>) -> Result<Admission, Refusal> {
        match found {
            Some(located) if located.record.deleted_at.is_none() => Ok(Admission::File(located)),
            Some(_) => Err(Refusal::new(WopiError::NotFound, "the file was deleted")),
            None => Err(errors::registry("reading the file", &RegistryError::NotFound)),
        }
    }

    /// The challenge of the bootstrapper (protocol/containers.md 13.2).
    fn challenge(&self) -> String {
        let settings = &self.settings.bootstrapper;
        let parts: Vec<String> = [
            ("authorization_uri", &settings.authorization_uri),
            ("tokenIssuance_uri", &settings.token_issuance_uri),
            ("providerId", &settings.provider_id),
            ("UrlSchemes", &settings.url_schemes),
        ]
        .into_iter()
        .filter_map(|(name, value)| value.as_ref().map(|value| format!("{name}=\"{}\"", value.replace('"', "%22"))))
        .collect();
        if parts.is_empty() { "Bearer".to_owned() } else { format!("Bearer {}", parts.join(",")) }
    }
}

#[async_trait]
impl WopiHost for Front {
    type Credential = Credential;
    type Caller = Caller;

    fn supported(&self) -> KindSet {
        self.supported
    }

    fn public_url(&self) -> &str {
        &self.host.settings.public_url
    }

    fn now_ms(&self) -> i64 {
        self.host.now().0
    }

    fn read_token(&self, token: Option<&AccessToken>, target: &Target) -> Credential {
        Credential(match token {
            Some(token) => self.host.ports.tokens.open(token.as_str(), &resource(target), self.host.now()),
            None => Err(TokenError::Missing),
        })
    }

    fn proof_rule(&self, credential: &Credential) -> ProofRule {
        match credential.client() {
            Who::Named(None) => ProofRule::Off,
            Who::Named(client) => self.host.ports.clients.proof_rule(client),
            Who::Unknown => self.host.ports.clients.proof_rule(None),
        }
    }

    async fn proof_failed(&self, credential: &Credential) -> bool {
        match credential.client() {
            Who::Named(client) => self.host.ports.clients.refresh_after_proof_trouble(client).await,
            Who::Unknown => self.host.ports.clients.refresh_after_proof_trouble(None).await,
        }
    }

    fn proof_keys_are_stale(&self, credential: &Credential) {
        let client = match credential.client() {
            Who::Named(client) => client,
            Who::Unknown => None,
        };
        self.host.ports.clients.refresh_soon(client);
    }

    async fn authenticate(&self, credential: Credential, target: &Target, kind: Kind) -> Answer<Caller> {
        let host = &self.host;
        let file = match target {
            Target::File(id) => Some(id),
            Target::Container(_) | Target::Folder(_) | Target::Ecosystem | Target::Bootstrapper => None,
        };
        let (mut caller, visitor, found) = host.recognize(credential.0, file).await.map_err(|mut refusal| {
            if let (Target::Bootstrapper, WopiError::Unauthorized { challenge }) = (target, &mut refusal.error) {
                *challenge = Some(host.challenge());
            }
            refusal
        })?;
        caller.admission = match target {
            Target::File(_) => Host::admitted(found)?,
            Target::Container(id) | Target::Folder(id) => {
                let record = host.current_container(id).await?;
                caller.rights = host.rights_in(&visitor, &caller.claims, &record).await?;
                Admission::Container(record)
            }
            Target::Ecosystem | Target::Bootstrapper => Admission::Elsewhere,
        };
        let needs = kind.needs();
        if !caller.rights.allow(needs) {
            // `UserCanNotWriteRelative` promises a 501 (protocol/files.md 10).
            let error = if needs == Permission::WriteRelative { WopiError::NotSupported } else { WopiError::NotFound };
            return Err(Refusal::new(
                error,
                format!("the user {} or the token may not do this: {needs:?}", caller.user.name),
            ));
        }
        Ok(caller)
    }

    fn refused(&self, report: RefusalReport) {
        self.host.remember_refusal(report);
    }

    // ── files ──

    async fn check_file_info(&self, by: &Caller, _: &FileId, _: Option<String>) -> Answer<CheckFileInfo> {
        self.host.check_file_info(by).await
    }

    async fn get_file(&self, by: &Caller, _: &FileId, size_max: u64, range: Option<ByteRange>) -> Answer<FileBytes> {
        self.host.get_file(by, size_max, range).await
    }

    async fn put_file(
        &self,
        by: &Caller,
        _: &FileId,
        lock: Option<LockId>,
        save: SaveFacts,
        body: Body,
    ) -> Answer<PutFileDone> {
        self.host.put_file(by, lock.as_ref(), &save, body).await
    }

    async fn lock(&self, by: &Caller, _: &FileId, lock: LockId, terms: LockTerms) -> Answer<ItemVersion> {
        self.host.lock(by, lock, terms).await
    }

    async fn unlock_and_relock(
        &self,
        by: &Caller,
        _: &FileId,
        old: LockId,
        new: LockId,
        terms: LockTerms,
    ) -> Answer<ItemVersion> {
        self.host.unlock_and_relock(by, &old, &new, terms).await
    }

    async fn get_lock(&self, by: &Caller, _: &FileId) -> Answer<Option<LockId>> {
        self.host.held_lock(by)
    }

    async fn refresh_lock(&self, by: &Caller, _: &FileId, lock: LockId, terms: LockTerms) -> Answer<ItemVersion> {
        self.host.refresh_lock(by, &lock, terms).await
    }

    async fn unlock(&self, by: &Caller, _: &FileId, lock: LockId) -> Answer<ItemVersion> {
        self.host.unlock(by, &lock).await
    }

    async fn put_relative_file(
        &self,
        by: &Caller,
        _: &FileId,
        target: RelativeTarget,
        size: Option<u64>,
        conversion: bool,
        save: SaveFacts,
        body: Body,
    ) -> Answer<PutRelativeFile> {
        tracing::debug!(conversion, "making a file beside another");
        self.host.put_relative_file(by, &target, size, &save, body).await
    }

    async fn rename_file(
        &self,
        by: &Caller,
        _: &FileId,
        name: RequestedName,
        presented: PresentedLock,
    ) -> Answer<RenameFile> {
        self.host.rename_file(by, &name, &presented).await
    }

    async fn delete_file(&self, by: &Caller, _: &FileId) -> Answer<()> {
        self.host.delete_file(by).await
    }

    async fn put_user_info(&self, by: &Caller, _: &FileId, info: String) -> Answer<()> {
        self.host.put_user_info(by, &info).await
    }

    async fn get_share_url(&self, by: &Caller, _: &FileId, kind: ShareUrlType) -> Answer<ShareUrl> {
        self.host.share_url(by, kind)
    }

    async fn add_activities(&self, by: &Caller, _: &FileId, request: AddActivitiesRequest) -> Answer<AddActivities> {
        self.host.add_activities(by, &request).await
    }

    async fn enumerate_ancestors(&self, by: &Caller, _: &FileId) -> Answer<EnumerateAncestors> {
        self.host.ancestors(by, Some(by.file()?.container.clone())).await
    }

    async fn get_ecosystem(&self, by: &Caller, _: &FileId) -> Answer<GetEcosystem> {
        Ok(self.host.ecosystem_pointer(by))
    }

    // ── coauth locks ──

    async fn get_coauth_lock(
        &self,
        by: &Caller,
        _: &FileId,
        lock: CoauthLockId,
        kind: CoauthLockType,
        timeout: LockTimeout,
        metadata: CoauthLockMetadata,
    ) -> Answer<CoauthAnswer> {
        self.host.get_coauth_lock(by, lock, kind, timeout, metadata).await
    }

    async fn refresh_coauth_lock(
        &self,
        by: &Caller,
        _: &FileId,
        lock: CoauthLockId,
        timeout: LockTimeout,
        metadata: CoauthLockMetadata,
    ) -> Answer<CoauthAnswer> {
        self.host.refresh_coauth_lock(by, &lock, timeout, &metadata).await
    }

    async fn unlock_coauth_lock(&self, by: &Caller, _: &FileId, lock: CoauthLockId) -> Answer<()> {
        self.host.unlock_coauth_lock(by, &lock).await
    }

    async fn get_coauth_table(
        &self,
        by: &Caller,
        _: &FileId,
        known: Option<CoauthTableVersion>,
    ) -> Answer<CoauthAnswer> {
        self.host.coauth_table(by, known.as_ref())
    }

    // ── incremental file transfer ──

    async fn get_chunked_file(&self, by: &Caller, _: &FileId, body: Body) -> Answer<FramedBytes> {
        self.host.get_chunked_file(by, body).await
    }

    async fn put_chunked_file(
        &self,
        by: &Caller,
        _: &FileId,
        sequence: u64,
        lock: PresentedLock,
        editors: Vec<String>,
        body: Body,
    ) -> Answer<PutChunkedFileDone> {
        self.host.put_chunked_file(by, sequence, &lock, editors, body).await
    }

    async fn get_sequence_number(&self, by: &Caller, _: &FileId) -> Answer<u64> {
        self.host.sequence_number(by).await
    }

    async fn get_chunks(&self, by: &Caller, _: &FileId, body: Body) -> Answer<FramedBytes> {
        self.host.get_chunks(by, body).await
    }

    async fn create_upload_session(&self, by: &Caller, _: &FileId) -> Answer<UploadSession> {
        self.host.create_upload_session(by).await
    }

    async fn update_upload_session(
        &self,
        by: &Caller,
        _: &FileId,
        token: String,
        offset: u64,
        length: u64,
        body: Body,
    ) -> Answer<u64> {
        self.host.update_upload_session(by, &token, offset, length, body).await
    }

    // ── containers ──

    async fn check_container_info(&self, by: &Caller, _: &ContainerId) -> Answer<CheckContainerInfo> {
        Ok(self.host.container_info(by, by.container()?))
    }

    async fn create_child_container(
        &self,
        by: &Caller,
        _: &ContainerId,
        target: RelativeTarget,
    ) -> Answer<CreateChildContainer> {
        self.host.create_child_container(by, &target).await
    }

    async fn create_child_file(&self, by: &Caller, _: &ContainerId, target: RelativeTarget) -> Answer<CreateChildFile> {
        self.host.create_child_file(by, &target).await
    }

    async fn delete_container(&self, by: &Caller, _: &ContainerId) -> Answer<()> {
        self.host.delete_container(by).await
    }

    async fn rename_container(&self, by: &Caller, _: &ContainerId, name: RequestedName) -> Answer<RenameContainer> {
        self.host.rename_container(by, &name).await
    }

    async fn container_share_url(&self, by: &Caller, _: &ContainerId, kind: ShareUrlType) -> Answer<ShareUrl> {
        self.host.container_share_url(by, kind)
    }

    async fn container_ancestors(&self, by: &Caller, _: &ContainerId) -> Answer<EnumerateAncestors> {
        self.host.ancestors(by, by.container()?.parent.clone()).await
    }

    async fn enumerate_children(
        &self,
        by: &Caller,
        _: &ContainerId,
        extensions: Option<Vec<String>>,
    ) -> Answer<EnumerateChildren> {
        self.host.enumerate_children(by, extensions.as_deref()).await
    }

    async fn container_ecosystem(&self, by: &Caller, _: &ContainerId) -> Answer<GetEcosystem> {
        Ok(self.host.ecosystem_pointer(by))
    }

    // ── ecosystem and bootstrapper ──

    async fn check_ecosystem(&self, _: &Caller) -> Answer<CheckEcosystem> {
        Ok(CheckEcosystem::default())
    }

    async fn get_root_container(&self, by: &Caller) -> Answer<GetRootContainer> {
        self.host.root_container(by).await
    }

    async fn get_file_wopi_src(&self, by: &Caller, native_name: String) -> Answer<GetFileWopiSrc> {
        self.host.file_wopi_src(by, &native_name).await
    }

    async fn bootstrap(&self, by: &Caller) -> Answer<Bootstrap> {
        Ok(self.host.bootstrap(by))
    }

    async fn bootstrap_root_container(&self, by: &Caller) -> Answer<BootstrapGetRootContainer> {
        self.host.bootstrap_root(by).await
    }

    async fn bootstrap_wopi_src(&self, by: &Caller, native_name: String) -> Answer<BootstrapGetFileWopiSrc> {
        self.host.bootstrap_file(by, &native_name).await
    }

    async fn get_new_access_token(&self, by: &Caller, wopi_src: String) -> Answer<GetNewAccessToken> {
        self.host.new_access_token(by, &wopi_src).await
    }
}
