//! What is behind a `FileUrl`: the bytes as they are now, or the way to them.
//!
//! With [`HostSettings::direct_reads`](crate::HostSettings), the way leads to the store itself: a redirection to a URL that
//! the store signed for a minute. CheckFileInfo does not tell that URL, because contents never change: it would go on giving
//! the bytes of that moment after the next save (protocol/files.md 2.1 wants the current ones), and giving them to those
//! who may not have them any more. So whoever follows a `FileUrl` asks us first, each time, and the bytes still go past us.

use std::time::Duration;

use wopi::operation::ByteRange;
use wopi::route::Permission;
use wopi::{FileId, WopiError};
use wopi_service::{FileBytes, Refusal};

use crate::caller::Caller;
use crate::errors;
use crate::host::Host;
use crate::ports::TokenResource;

/// How long a URL of the store may be begun to be read. It is followed at once.
pub const DIRECT_READ_LIFETIME: Duration = Duration::from_secs(60);

/// What is behind a `FileUrl`.
pub enum FileByUrl {
    /// The bytes.
    Bytes(FileBytes),
    /// The URL under which the store has them, for [`DIRECT_READ_LIFETIME`].
    Elsewhere(String),
}

impl Host {
    /// The bytes behind a `FileUrl`: the token in it is all there is, and it is good for nothing else.
    ///
    /// # Errors
    ///
    /// As for GetFile.
    pub async fn file_by_url(&self, id: &FileId, token: &str, range: Option<ByteRange>) -> Result<FileBytes, Refusal> {
        let caller = self.let_in_by_url(id, token).await?;
        self.get_file(&caller, u64::MAX, range).await
    }

    /// The same for who could be sent to the store.
    ///
    /// # Errors
    ///
    /// As for GetFile.
    pub async fn follow_file_url(
        &self,
        id: &FileId,
        token: &str,
        range: Option<ByteRange>,
    ) -> Result<FileByUrl, Refusal> {
        let caller = self.let_in_by_url(id, token).await?;
        if self.settings.direct_reads && self.ports.tree.is_none() {
            let content = self.current_of(&caller).await?.content.id;
            match self.ports.contents.direct_url(&content, DIRECT_READ_LIFETIME).await {
                Ok(Some(url)) => return Ok(FileByUrl::Elsewhere(url)),
                Ok(None) => {}
                // The bytes can be had from us all the same.
                Err(error) => tracing::warn!(file.id = %id, "signing a URL of the store: {}", errors::chain(&error)),
            }
        }
        Ok(FileByUrl::Bytes(self.get_file(&caller, u64::MAX, range).await?))
    }

    async fn let_in_by_url(&self, id: &FileId, token: &str) -> Result<Caller, Refusal> {
        let opened = self.ports.tokens.open(token, &TokenResource::FileUrl(id.clone()), self.now());
        let (mut caller, _, found) = self.recognize(opened, Some(id)).await?;
        caller.admission = Self::admitted(found)?;
        if !caller.rights.allow(Permission::Read) {
            return Err(Refusal::new(WopiError::NotFound, "the user may not read the file any more"));
        }
        Ok(caller)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::ops::Range;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    use async_trait::async_trait;
    use futures_util::stream::BoxStream;
    use http_body_util::BodyExt as _;
    use wopi::ContainerId;
    use wopi_service::{Body, BoxError};

    use super::*;
    use crate::clients::Clients;
    use crate::desk::{Desk, IfTaken};
    use crate::memory::contents::MemoryContents;
    use crate::memory::registry::MemoryRegistry;
    use crate::ports::{
        Clock, Contents, ContentsError, DiscoverySource, Random, Registry, Stored, TokenClaims, TokenError, Tokens,
    };
    use crate::records::{ContentId, Role, SessionId, Timestamp};
    use crate::{HostSettings, Ports, full};

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    #[derive(Debug)]
    struct Still;

    impl Clock for Still {
        fn now(&self) -> Timestamp {
            NOW
        }
    }

    #[derive(Debug, Default)]
    struct Counting(AtomicU64);

    impl Random for Counting {
        fn fill(&self, buffer: &mut [u8]) {
            for chunk in buffer.chunks_mut(8) {
                let bytes = self.0.fetch_add(1, Ordering::SeqCst).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
                chunk.copy_from_slice(&bytes[..chunk.len()]);
            }
        }
    }

    /// Tokens that say which session they are of, and whose.
    #[derive(Debug)]
    struct Plain;

    impl Tokens for Plain {
        fn seal(&self, claims: &TokenClaims, _: &TokenResource) -> String {
            format!("{} {}", claims.session.0, claims.user)
        }

        fn open(&self, token: &str, _: &TokenResource, _: Timestamp) -> Result<TokenClaims, TokenError> {
            let (session, user) = token.split_once(' ').ok_or(TokenError::NotOurs)?;
            Ok(TokenClaims {
                session: SessionId(session.to_owned()),
                user: wopi::UserId::parse(user).ok_or(TokenError::NotOurs)?,
                may_edit: true,
                client: None,
                expires_at: NOW.plus(Duration::from_secs(3600)),
            })
        }
    }

    #[derive(Debug)]
    struct NoDiscovery;

    #[async_trait]
    impl DiscoverySource for NoDiscovery {
        async fn fetch(&self, _: &str) -> Result<String, BoxError> {
            Err("nobody is there".into())
        }
    }

    /// Contents whose store signs URLs, unless it is told to fail.
    #[derive(Debug, Default)]
    struct Signing {
        kept: MemoryContents,
        fails: AtomicBool,
    }

    impl fmt::Display for Signing {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("signing")
        }
    }

    #[async_trait]
    impl Contents for Signing {
        async fn put(&self, id: &ContentId, body: Body, size_max: u64) -> Result<Stored, ContentsError> {
            self.kept.put(id, body, size_max).await
        }

        async fn open(&self, id: &ContentId, range: Range<u64>) -> Result<Body, ContentsError> {
            self.kept.open(id, range).await
        }

        async fn remove(&self, id: &ContentId) -> Result<(), ContentsError> {
            self.kept.remove(id).await
        }

        fn ids(&self) -> BoxStream<'_, Result<ContentId, ContentsError>> {
            self.kept.ids()
        }

        async fn direct_url(&self, id: &ContentId, lifetime: Duration) -> Result<Option<String>, ContentsError> {
            if self.fails.load(Ordering::SeqCst) {
                return Err(ContentsError::Unavailable("no key to sign with".into()));
            }
            Ok(Some(format!("https://store.example/{id}?for={}", lifetime.as_secs())))
        }
    }

    struct World {
        host: Host,
        contents: Arc<Signing>,
        session: SessionId,
        token: String,
        file: FileId,
    }

    impl World {
        async fn new(direct_reads: bool) -> Self {
            let registry: Arc<dyn Registry> = Arc::new(MemoryRegistry::new());
            let contents = Arc::new(Signing::default());
            let clients = Clients::load(Vec::new(), registry.clone(), Arc::new(NoDiscovery), Arc::new(Still)).await;
            let ports = Ports {
                registry,
                contents: contents.clone(),
                tree: None,
                tokens: Arc::new(Plain),
                clients: clients.unwrap(),
                clock: Arc::new(Still),
                random: Arc::new(Counting::default()),
            };
            let settings = HostSettings { file_url: true, direct_reads, ..HostSettings::new("https://h.example") };
            let host = Host::new(ports, settings);
            let user = host.add_user("alice", "Alice", Role::Editor).await.unwrap();
            let session = host.open_session(&user.id, "test", Duration::from_secs(3600)).await.unwrap();
            let token = format!("{} {}", session.id.0, user.id);
            let desk = host.desk(&session.id).await.unwrap();
            let root: ContainerId = host.ports().registry.root().await.unwrap().id;
            let file = desk.upload(&root, "a.txt", full("first"), IfTaken::Refuse).await.unwrap().id;
            Self { contents, session: session.id, token, file, host }
        }

        async fn desk(&self) -> Desk<'_> {
            self.host.desk(&self.session).await.unwrap()
        }

        async fn follows(&self) -> Result<FileByUrl, Refusal> {
            self.host.follow_file_url(&self.file, &self.token, None).await
        }

        /// The URL that the store signed for what the file has now.
        async fn signed(&self) -> String {
            let content = self.host.file(&self.file).await.unwrap().content.id;
            format!("https://store.example/{content}?for=60")
        }
    }

    async fn bytes(found: Result<FileByUrl, Refusal>) -> String {
        match found.unwrap() {
            FileByUrl::Bytes(bytes) => {
                String::from_utf8(bytes.body.collect().await.unwrap().to_bytes().to_vec()).unwrap()
            }
            FileByUrl::Elsewhere(url) => panic!("it leads to {url}"),
        }
    }

    fn way(found: Result<FileByUrl, Refusal>) -> String {
        match found.unwrap() {
            FileByUrl::Elsewhere(url) => url,
            FileByUrl::Bytes(_) => panic!("it gives the bytes"),
        }
    }

    #[tokio::test]
    async fn it_leads_to_the_bytes_that_are_current_when_it_is_followed() {
        let world = World::new(true).await;
        let first = way(world.follows().await);
        assert_eq!(first, world.signed().await);
        world.desk().await.upload_version(&world.file, full("second")).await.unwrap();
        let second = way(world.follows().await);
        assert_eq!(second, world.signed().await);
        assert_ne!(first, second);
        let bytes = world.host.file_by_url(&world.file, &world.token, None).await;
        assert_eq!(self::bytes(bytes.map(FileByUrl::Bytes)).await, "second");
    }

    #[tokio::test]
    async fn it_gives_the_bytes_where_that_was_not_asked_for_or_cannot_be() {
        assert_eq!(bytes(World::new(false).await.follows().await).await, "first");
        let world = World::new(true).await;
        world.contents.fails.store(true, Ordering::SeqCst);
        assert_eq!(bytes(world.follows().await).await, "first");
    }

    #[tokio::test]
    async fn who_may_not_read_any_more_is_shown_no_way() {
        let world = World::new(true).await;
        world.host.ports().registry.revoke_session(&world.session, NOW).await.unwrap();
        assert!(world.follows().await.is_err());
    }
}
