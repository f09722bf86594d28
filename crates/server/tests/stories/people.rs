//! Who is in the stories.

use std::time::Duration;

use lectern_host::ports::{TokenClaims, TokenResource};
use lectern_host::records::{SessionId, User};
use lectern_server::people;

use crate::doors::{Container, Door, Ecosystem, File};
use crate::world::{PLAIN_CLIENT, World};

/// Somebody with an account, and with one session that all their tokens hang on.
#[derive(Clone)]
pub(crate) struct Person {
    world: World,
    pub(crate) user: User,
    session: SessionId,
    expires_at: lectern_host::records::Timestamp,
}

impl Person {
    /// A new session of somebody, as `lectern token` opens one.
    pub(crate) async fn signs_in(world: &World, user: User) -> Self {
        let host = world.host();
        let lifetime = host.settings().token_lifetime;
        let session = host.open_session(&user.id, "a story", lifetime).await.unwrap();
        Self { world: world.clone(), user, session: session.id, expires_at: session.expires_at }
    }

    pub(crate) fn session(&self) -> &SessionId {
        &self.session
    }

    /// What a token of theirs says.
    fn claims(&self, may_edit: bool, client: Option<&str>) -> TokenClaims {
        TokenClaims {
            session: self.session.clone(),
            user: self.user.id.clone(),
            may_edit,
            client: client.map(str::to_owned),
            expires_at: self.expires_at,
        }
    }

    pub(crate) fn token_for(&self, resource: &TokenResource, may_edit: bool, client: Option<&str>) -> String {
        self.world.host().ports().tokens.seal(&self.claims(may_edit, client), resource)
    }

    async fn file(&self, path: &str, may_edit: bool, client: Option<&str>) -> File {
        let record = self.world.file_at(path).await.unwrap_or_else(|| panic!("{path} is not offered"));
        let token = self.token_for(&TokenResource::File(record.id.clone()), may_edit, client);
        let wopi_src = self.world.host().links().wopi_src(&record.id);
        File::new(Door::new(&self.world, &wopi_src, &token))
    }

    /// Opens a file to edit it, as far as they may.
    pub(crate) async fn opens(&self, path: &str) -> File {
        self.file(path, true, Some(PLAIN_CLIENT)).await
    }

    /// Opens a file only to look at it.
    pub(crate) async fn views(&self, path: &str) -> File {
        self.file(path, false, Some(PLAIN_CLIENT)).await
    }

    /// Opens a file in this client; `None` is a tool of the operator's.
    pub(crate) async fn opens_in(&self, client: Option<&str>, path: &str) -> File {
        self.file(path, true, client).await
    }

    /// The ecosystem, where a phone begins.
    pub(crate) fn ecosystem(&self) -> Ecosystem {
        let token = self.token_for(&TokenResource::Ecosystem, true, Some(PLAIN_CLIENT));
        Ecosystem::new(Door::new(&self.world, &self.world.host().links().ecosystem(), &token))
    }

    /// The root container, by way of the ecosystem.
    pub(crate) async fn root(&self) -> Container {
        let root = self.ecosystem().root().await.ok();
        Container::new(Door::at(&self.world, &root.text("/ContainerPointer/Url")))
    }

    /// The bootstrapper, with a token that the organisation's OAuth server has given them.
    pub(crate) fn bootstrapper(&self) -> Door {
        let token = self.token_for(&TokenResource::Bootstrapper, true, Some(PLAIN_CLIENT));
        Door::new(&self.world, &format!("{}/wopibootstrapper", self.world.public_url()), &token).token_in_header_only()
    }

    /// Their session is ended.
    pub(crate) async fn signs_out(&self) {
        let host = self.world.host();
        host.ports().registry.revoke_session(&self.session, host.now()).await.unwrap();
    }

    /// The operator shuts them out, or lets them in again.
    pub(crate) async fn is_shut_out(&self, disabled: bool) {
        let registry = std::sync::Arc::clone(&self.world.host().ports().registry);
        people::change(&*registry, &self.user.name, |user| user.disabled = disabled).await.unwrap();
    }

    /// The operator gives them another role.
    pub(crate) async fn becomes(&self, role: lectern_host::records::Role) {
        let registry = std::sync::Arc::clone(&self.world.host().ports().registry);
        people::change(&*registry, &self.user.name, |user| user.role = role).await.unwrap();
    }

    /// How long their tokens are good from the beginning.
    pub(crate) fn token_lifetime(&self) -> Duration {
        self.world.host().settings().token_lifetime
    }
}
