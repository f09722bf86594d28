//! What can be done to a container, and what the ecosystem and the bootstrapper answer.

use wopi::answer::{
    AccessTokenInfo, Bootstrap, BootstrapGetFileWopiSrc, BootstrapGetRootContainer, BootstrapInfo, CheckContainerInfo,
    ChildFile, ContainerPointer, CreateChildContainer, CreateChildFile, EnumerateChildren, GetFileWopiSrc,
    GetNewAccessToken, GetRootContainer, RenameContainer, ShareUrl,
};
use wopi::operation::{RelativeTarget, RequestedName, ShareUrlType};
use wopi::{ContainerId, FileName, WopiError};
use wopi_service::Refusal;

use crate::caller::Caller;
use crate::errors;
use crate::files::{NewName, page_mode};
use crate::host::Host;
use crate::links::{PageMode, Place};
use crate::locks;
use crate::naming;
use crate::ports::{Page, RegistryError, TokenClaims, TokenResource, TreeError};
use crate::records::{ContainerRecord, FileRecord, Revision, Timestamp};
use crate::sharing::Item;

/// How many records are read at once while everything in a container is listed.
pub(crate) const LIST_PAGE: usize = 1000;

/// As [`errors::tree`]; a refused name goes into the header for containers.
fn container_error(doing: &str, error: &TreeError) -> Refusal {
    let mut refusal = errors::tree(doing, error);
    if let WopiError::IllegalName { container, .. } = &mut refusal.error {
        *container = true;
    }
    refusal
}

impl Host {
    /// A container's address with a token for it.
    pub(crate) fn container_url(&self, by: &Caller, id: &ContainerId) -> String {
        let token = self.derived_token(&by.claims, &TokenResource::Container(id.clone()));
        self.links.with_token(&self.links.container(id), &token, &by.claims)
    }

    fn pointer(&self, by: &Caller, record: &ContainerRecord) -> ContainerPointer {
        ContainerPointer { name: record.name.as_str().to_owned(), url: self.container_url(by, &record.id) }
    }

    /// The container as it is true now: another program may have renamed, moved or removed its folder.
    pub(crate) async fn current_container(&self, id: &ContainerId) -> Result<ContainerRecord, Refusal> {
        for scan in [true, false] {
            let record = self.ports.registry.container(id).await;
            let record = record.map_err(|e| errors::registry("reading the container", &e))?;
            let (Some(tree), Some(_)) = (&self.ports.tree, &record.parent) else { return Ok(record) };
            let path = self.container_path(id).await?;
            let there = tree.look(&path).map_err(|e| errors::tree(&format!("looking at {path}"), &e))?;
            if there.is_some_and(|entry| entry.container) {
                return Ok(record);
            }
            if scan {
                self.scan_soon_and_wait().await;
            }
        }
        Err(Refusal::new(WopiError::NotFound, "the container is not in the folder any more"))
    }

    /// CheckContainerInfo.
    pub(crate) fn container_info(&self, by: &Caller, record: &ContainerRecord) -> CheckContainerInfo {
        let may_edit = by.rights.may_edit();
        let root = record.parent.is_none();
        CheckContainerInfo {
            name: record.name.as_str().to_owned(),
            host_url: Some(self.links.container_page(&record.id, PageMode::View)),
            is_anonymous_user: Some(crate::people::is_guest(&by.user.id)),
            is_edu_user: Some(false),
            license_check_for_edit_is_enabled: Some(self.settings.business_users),
            supported_share_url_types: Some(vec!["ReadOnly".to_owned(), "ReadWrite".to_owned()]),
            user_can_create_child_container: Some(may_edit),
            user_can_create_child_file: Some(may_edit),
            // The root is the folder that was given to us: it stays, but what it is called to people is ours to keep.
            user_can_delete: Some(may_edit && !root),
            user_can_rename: Some(may_edit),
            ..CheckContainerInfo::default()
        }
    }

    /// CreateChildContainer.
    pub(crate) async fn create_child_container(
        &self,
        by: &Caller,
        target: &RelativeTarget,
    ) -> Result<CreateChildContainer, Refusal> {
        let parent = by.container()?;
        let record = match NewName::of(target, "") {
            NewName::Near(near) => self.create_container_near(parent, &near).await?,
            NewName::Exactly { name, .. } => match self.create_container_if_free(parent, &name).await? {
                Some(record) => record,
                None => {
                    let valid = self.another_name(&parent.id, &name).await.map(|name| name.as_str().to_owned());
                    return Err(Refusal::new(
                        WopiError::NameTaken { valid },
                        format!("the container has `{name}` already"),
                    ));
                }
            },
            NewName::Illegal { reason, instead } => {
                return Err(Refusal::new(
                    WopiError::IllegalName {
                        reason: reason.clone(),
                        valid: self.free_name(&parent.id, &instead).await.map(|name| name.as_str().to_owned()),
                        container: true,
                    },
                    format!("the name is refused: {reason}"),
                ));
            }
        };
        Ok(CreateChildContainer {
            container_pointer: self.pointer(by, &record),
            container_info: Some(self.container_info(by, &record)),
        })
    }

    pub(crate) async fn create_container_near(
        &self,
        parent: &ContainerRecord,
        near: &FileName,
    ) -> Result<ContainerRecord, Refusal> {
        for name in naming::candidates(near) {
            if let Some(record) = self.create_container_if_free(parent, &name).await? {
                return Ok(record);
            }
        }
        Err(Refusal::internal(format!("no free name like `{near}` was found")))
    }

    /// The folder goes first: whatever happens after, the next scan finds the new container and knows it.
    pub(crate) async fn create_container_if_free(
        &self,
        parent: &ContainerRecord,
        name: &FileName,
    ) -> Result<Option<ContainerRecord>, Refusal> {
        let path = self.container_path(&parent.id).await?;
        if path.names().count() + 1 >= crate::host::CONTAINER_DEPTH_MAX {
            return Err(Refusal::new(WopiError::NotSupported, "containers cannot lie any deeper"));
        }
        let mut seen = None;
        if let Some(tree) = &self.ports.tree {
            match tree.create_container(&path.join(name)).await {
                Ok(entry) => seen = Some(entry.fingerprint),
                Err(TreeError::NameTaken) => {
                    self.reconcile(&parent.id).await?;
                    return Ok(None);
                }
                Err(error) => return Err(container_error("creating the container", &error)),
            }
        }
        let wanted = ContainerRecord {
            id: crate::ids::new_container_id(&*self.ports.random),
            parent: Some(parent.id.clone()),
            name: name.clone(),
            revision: Revision::default(),
            created_at: self.now(),
            seen,
        };
        match self.ports.registry.create_container(&wanted).await {
            Ok(record) => Ok(Some(record)),
            // The folder was free, so this name is either what a scan made of our new container a moment ago, or a
            // record that another program took the ground from.
            Err(RegistryError::NameTaken) => {
                if seen.is_none() {
                    return Ok(None);
                }
                self.reconcile(&parent.id).await?;
                match self.ports.registry.container_named(&parent.id, name).await {
                    Ok(record) => Ok(Some(record)),
                    Err(error) => Err(errors::registry("reading the new container", &error)),
                }
            }
            Err(error) => Err(errors::registry("creating the container", &error)),
        }
    }

    /// CreateChildFile.
    pub(crate) async fn create_child_file(
        &self,
        by: &Caller,
        target: &RelativeTarget,
    ) -> Result<CreateChildFile, Refusal> {
        let record = self.create_empty_file(by, &by.container()?.id, target).await?;
        Ok(CreateChildFile {
            name: record.name.as_str().to_owned(),
            url: self.file_url_with_token(by, &record),
            host_view_url: Some(self.links.file_page(&record.id, PageMode::View)),
            host_edit_url: Some(self.links.file_page(&record.id, PageMode::Edit)),
            host_edit_new_url: Some(self.links.file_page(&record.id, PageMode::Edit)),
        })
    }

    pub(crate) fn file_url_with_token(&self, by: &Caller, record: &FileRecord) -> String {
        let token = self.derived_token(&by.claims, &TokenResource::File(record.id.clone()));
        self.links.with_token(&self.links.wopi_src(&record.id), &token, &by.claims)
    }

    /// DeleteContainer.
    pub(crate) async fn delete_container(&self, by: &Caller) -> Result<(), Refusal> {
        let record = by.container()?;
        if record.parent.is_none() {
            return Err(Refusal::new(WopiError::NotSupported, "the root cannot be deleted"));
        }
        if let Some(tree) = self.ports.tree.as_deref() {
            self.must_be_empty(&record.id).await?;
            let path = self.container_path(&record.id).await?;
            match tree.remove_container(&path).await {
                Ok(()) | Err(TreeError::NotFound) => {}
                Err(error) => return Err(errors::tree("removing the container", &error)),
            }
            // What the registry still had in it was taken away by another program before.
            self.forget_container(tree, record.id.clone()).await?;
        }
        let record = match self.ports.registry.container(&record.id).await {
            Ok(record) => record,
            Err(RegistryError::NotFound) => return Ok(()),
            Err(error) => return Err(errors::registry("reading the container", &error)),
        };
        match self.ports.registry.remove_container(&record.id, record.revision).await {
            Ok(()) | Err(RegistryError::NotFound) => Ok(()),
            Err(error) => Err(errors::registry("forgetting the container", &error)),
        }
    }

    /// Refuses, before the folder is touched, a container in which something is: what other programs put there counts,
    /// and so does what they took away while an editor holds it, because a save will put it back.
    async fn must_be_empty(&self, id: &ContainerId) -> Result<(), Refusal> {
        let mut gone = self.reconcile(id).await?;
        if !gone.files.is_empty() || !gone.containers.is_empty() {
            // Moved elsewhere, perhaps.
            self.scan_soon_and_wait().await;
            gone = self.reconcile(id).await?;
        }
        let held = |record: &FileRecord| locks::is_held(&record.lock, self.now());
        let files = self.all_files(id).await?;
        let containers = self.all_containers(id).await?;
        if files.iter().any(|record| held(record) || !gone.files.contains(&record.id))
            || containers.iter().any(|record| !gone.containers.contains(&record.id))
        {
            return Err(Refusal::new(WopiError::NotEmpty, "the container has something in it"));
        }
        Ok(())
    }

    /// RenameContainer: exactly this name. The root only gets another name to people; its folder stays.
    pub(crate) async fn rename_container(
        &self,
        by: &Caller,
        requested: &RequestedName,
    ) -> Result<RenameContainer, Refusal> {
        let record = by.container()?;
        let specific = RelativeTarget::Specific { name: requested.clone(), overwrite: false };
        let name = match NewName::of(&specific, "") {
            NewName::Exactly { name, .. } | NewName::Near(name) => name,
            NewName::Illegal { reason, .. } => {
                return Err(Refusal::new(
                    WopiError::IllegalName { reason: reason.clone(), valid: None, container: true },
                    format!("the name is refused: {reason}"),
                ));
            }
        };
        if name != record.name {
            // The folder goes first: after a crash in between, the scan knows the container by its inode.
            let mut wanted = record.clone();
            wanted.name = name.clone();
            if let (Some(tree), Some(parent)) = (&self.ports.tree, &record.parent) {
                let path = self.container_path(parent).await?;
                let renamed = tree.rename_container(&path.join(&record.name), &path.join(&name)).await;
                renamed.map_err(|e| container_error("renaming the container", &e))?;
            }
            match (self.ports.registry.commit_container(&wanted).await, &record.parent) {
                (Ok(_), _) => {}
                (Err(error), Some(parent)) if self.ports.tree.is_some() => {
                    tracing::info!(container.id = %record.id, "renamed, and found by a scan: {}", errors::chain(&error));
                    self.reconcile(parent).await?;
                }
                (Err(error), _) => return Err(errors::registry("renaming the container", &error)),
            }
        }
        Ok(RenameContainer { name: name.as_str().to_owned() })
    }

    /// GetShareUrl of a container.
    pub(crate) fn container_share_url(&self, by: &Caller, kind: ShareUrlType) -> Result<ShareUrl, Refusal> {
        Ok(ShareUrl { share_url: self.links.container_page(&by.container()?.id, page_mode(kind)) })
    }

    /// EnumerateChildren: everything there is now, files filtered by extension.
    pub(crate) async fn enumerate_children(
        &self,
        by: &Caller,
        extensions: Option<&[String]>,
    ) -> Result<EnumerateChildren, Refusal> {
        let container = by.container()?;
        let (files, containers) = self.children(&container.id).await?;
        let wanted = |record: &FileRecord| {
            extensions.is_none_or(|wanted| wanted.iter().any(|ext| ext.eq_ignore_ascii_case(record.name.extension())))
        };
        let child_files = files
            .iter()
            .filter(|record| wanted(record))
            .map(|record| ChildFile {
                name: record.name.as_str().to_owned(),
                url: self.file_url_with_token(by, record),
                version: record.version.to_string(),
                size: record.content.size,
                last_modified_time: Some(wopi::answer::last_modified_time(record.content.modified_at.0)),
            })
            .collect();
        let child_containers = containers.iter().map(|record| self.pointer(by, record)).collect();
        Ok(EnumerateChildren { child_containers, child_files })
    }

    /// What is in a container now, by name.
    pub async fn children(&self, id: &ContainerId) -> Result<(Vec<FileRecord>, Vec<ContainerRecord>), Refusal> {
        let gone = match self.reconcile(id).await {
            // Another program moved it, perhaps.
            Err(Refusal { error: WopiError::NotFound, .. }) => {
                self.scan_soon_and_wait().await;
                self.reconcile(id).await?
            }
            reconciled => reconciled?,
        };
        let mut files = self.all_files(id).await?;
        files.retain(|record| !gone.files.contains(&record.id));
        let mut containers = self.all_containers(id).await?;
        containers.retain(|record| !gone.containers.contains(&record.id));
        Ok((files, containers))
    }

    pub(crate) async fn all_files(&self, id: &ContainerId) -> Result<Vec<FileRecord>, Refusal> {
        let mut all: Vec<FileRecord> = Vec::new();
        loop {
            let after = all.last().map(|record| record.name.as_str().to_owned());
            let page = self.ports.registry.files_in(id, &Page { after, limit: LIST_PAGE }).await;
            let page = page.map_err(|e| errors::registry("listing files", &e))?;
            let last = page.len() < LIST_PAGE;
            all.extend(page);
            if last {
                return Ok(all);
            }
        }
    }

    pub(crate) async fn all_containers(&self, id: &ContainerId) -> Result<Vec<ContainerRecord>, Refusal> {
        let mut all: Vec<ContainerRecord> = Vec::new();
        loop {
            let after = all.last().map(|record| record.name.as_str().to_owned());
            let page = self.ports.registry.containers_in(id, &Page { after, limit: LIST_PAGE }).await;
            let page = page.map_err(|e| errors::registry("listing containers", &e))?;
            let last = page.len() < LIST_PAGE;
            all.extend(page);
            if last {
                return Ok(all);
            }
        }
    }

    // ── ecosystem ──

    /// GetRootContainer.
    pub(crate) async fn root_container(&self, by: &Caller) -> Result<GetRootContainer, Refusal> {
        let root = self.ports.registry.root().await.map_err(|e| errors::registry("reading the root", &e))?;
        self.must_see(by, &Item::Container(root.id.clone())).await?;
        Ok(GetRootContainer {
            container_pointer: self.pointer(by, &root),
            container_info: Some(self.container_info(by, &root)),
        })
    }

    /// GetFileWopiSrc: from a page or share URL of ours, or a WOPISrc.
    pub(crate) async fn file_wopi_src(&self, by: &Caller, native_name: &str) -> Result<GetFileWopiSrc, Refusal> {
        match self.links.place(native_name) {
            Some(Place::File(id)) => {
                let record = self.file(&id).await?;
                self.must_see(by, &Item::File(id)).await?;
                Ok(GetFileWopiSrc { url: self.file_url_with_token(by, &record) })
            }
            Some(Place::Container(_)) | None => {
                Err(Refusal::new(WopiError::NotFound, "the name is no address of a file of ours"))
            }
        }
    }

    // ── bootstrapper ──

    /// Bootstrap.
    pub(crate) fn bootstrap(&self, by: &Caller) -> Bootstrap {
        let (claims, expires_at) = self.fresh_claims(by);
        let token = self.ports.tokens.seal(&claims, &TokenResource::Ecosystem);
        tracing::debug!(user.id = %by.user.id, expires_at_ms = expires_at.0, "bootstrapped");
        Bootstrap {
            bootstrap: BootstrapInfo {
                ecosystem_url: self.links.with_token(&self.links.ecosystem(), &token, &claims),
                user_id: by.user.id.as_str().to_owned(),
                sign_in_name: by.user.name.clone(),
                user_friendly_name: Some(by.user.display_name.clone()),
            },
        }
    }

    /// Who proved himself to the bootstrapper gets a full lifetime; nobody else does.
    fn fresh_claims(&self, by: &Caller) -> (TokenClaims, Timestamp) {
        let full = self.now().plus(self.settings.token_lifetime);
        let expires_at = full.min(by.claims.expires_at);
        (TokenClaims { expires_at, ..by.claims.clone() }, expires_at)
    }

    fn with_fresh_claims(&self, by: &Caller) -> Caller {
        Caller { claims: self.fresh_claims(by).0, ..by.clone() }
    }

    /// Bootstrap and GetRootContainer in one.
    pub(crate) async fn bootstrap_root(&self, by: &Caller) -> Result<BootstrapGetRootContainer, Refusal> {
        let root_container_info = self.root_container(&self.with_fresh_claims(by)).await?;
        Ok(BootstrapGetRootContainer { bootstrap: self.bootstrap(by).bootstrap, root_container_info })
    }

    /// Bootstrap and GetFileWopiSrc in one.
    pub(crate) async fn bootstrap_file(
        &self,
        by: &Caller,
        native_name: &str,
    ) -> Result<BootstrapGetFileWopiSrc, Refusal> {
        let wopi_src_info = self.file_wopi_src(&self.with_fresh_claims(by), native_name).await?;
        Ok(BootstrapGetFileWopiSrc { bootstrap: self.bootstrap(by).bootstrap, wopi_src_info })
    }

    /// GetNewAccessToken.
    pub(crate) async fn new_access_token(&self, by: &Caller, wopi_src: &str) -> Result<GetNewAccessToken, Refusal> {
        let mut end_points = None;
        let resource = match self.links.place(wopi_src) {
            Some(Place::File(id)) => {
                let file = self.file(&id).await?;
                self.must_see(by, &Item::File(id.clone())).await?;
                end_points = self.end_points(by.claims.client.as_deref(), &file).filter(|_| by.rights.may_edit());
                TokenResource::File(id)
            }
            Some(Place::Container(id)) => {
                let found = self.ports.registry.container(&id).await;
                found.map_err(|e| errors::registry("reading the container", &e))?;
                self.must_see(by, &Item::Container(id.clone())).await?;
                TokenResource::Container(id)
            }
            None => return Err(Refusal::new(WopiError::NotFound, "that is no WOPISrc of ours")),
        };
        let (claims, expires_at) = self.fresh_claims(by);
        Ok(GetNewAccessToken {
            bootstrap: self.bootstrap(by).bootstrap,
            access_token_info: AccessTokenInfo {
                access_token: self.ports.tokens.seal(&claims, &resource),
                access_token_expiry: u64::try_from(expires_at.0).unwrap_or(0),
            },
            end_points,
        })
    }
}
