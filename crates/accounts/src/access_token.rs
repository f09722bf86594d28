//! Access tokens: PASETO `v4.local`, because they travel in URLs and end up in other people's logs.
//!
//! | part | holds |
//! |---|---|
//! | message | session, user, whether it may edit, client, expiry: short JSON, encrypted |
//! | footer | the id of the key, readable |
//! | implicit assertion | what the token is for; not sent, so that a token of another file simply does not open |
//!
//! No decision is cached: what a token says is remembered for a while ([`crate::opened`]), but for every request its
//! expiry and the key file are looked at again, and the host asks the registry again.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use lectern_host::ports::{Clock, Random, Registry, TokenClaims, TokenError, TokenResource, Tokens};
use lectern_host::records::{Revision, SessionId, Timestamp};
use lectern_host::wopi::UserId;
use pasetors::token::{Local, UntrustedToken};
use pasetors::version4::{LocalToken, V4};
use serde::{Deserialize, Serialize};

use crate::key_file::{self, KeyFileError, KeySet, Stamp};
use crate::opened::Opened;
use crate::shared_keys::{self, SharedKeyError};

/// How long an access token is good. Long enough for a working day, so that nobody loses an edit to it.
pub const TOKEN_LIFETIME: Duration = Duration::from_secs(10 * 60 * 60);

/// Longest token that is opened, in characters. With minted ids and a client's name of 64 characters ours have some 340.
pub const TOKEN_LENGTH_MAX: usize = 400;

/// How often, at most, the key file is looked at for tokens whose key is known: after this time at the latest a key
/// that was dropped opens nothing more.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// How old a key in the registry is before it seals: by then every node that works has read it several times.
pub const ACTIVATION: Duration = Duration::from_secs(10);

/// How long keys from the registry are believed to be all there are.
const BELIEVED_FOR: Duration = Duration::from_secs(5);

/// The keys that seal and open access tokens, kept in step with where they are: a file, or the registry that all nodes
/// share.
///
/// Another process may rotate the keys (`lectern keys rotate`). In a file: a token with an unknown key id, and every
/// sealing, makes us look at the file (a `stat`, about a microsecond); a known key id does so once a second. The file is
/// read again only if it changed. In the registry: [`TokenKeys::keep_fresh`] reads them every second, and a new key seals
/// only after [`ACTIVATION`], when every node has read it.
pub struct TokenKeys {
    place: Place,
    loaded: RwLock<Loaded>,
    looked_at_ms: AtomicI64,
    opened: Opened,
}

enum Place {
    File(PathBuf),
    Registry(Arc<dyn Registry>),
}

struct Loaded {
    keys: Arc<KeySet>,
    seen: Seen,
    /// Which of them seals.
    sealing: usize,
}

/// What the keys looked like when they were read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    File(Stamp),
    Registry(Revision),
}

impl TokenKeys {
    /// The keys in the file at `path`. If there is none, it is made with a fresh key; its directory must exist.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or made, or is damaged.
    pub fn load_or_create(path: &Path, now: Timestamp, random: &dyn Random) -> Result<Self, KeyFileError> {
        let (keys, stamp) = key_file::read_or_create(path, now, random)?;
        match key_file::open_to_others(path) {
            Ok(0) | Err(_) => {}
            Ok(bits) => tracing::warn!(
                path = %path.display(),
                permissions = format!("{bits:03o}"),
                "the key file of the access tokens can be reached by other users of this machine; `chmod 600` it"
            ),
        }
        Ok(Self::new(Place::File(path.to_owned()), keys, Seen::File(stamp), 0, now))
    }

    /// The keys in the registry, where every node finds the same ones. If there are none, one is made.
    ///
    /// Whoever can read the registry can make tokens: a file is the better place where nodes can share one.
    ///
    /// # Errors
    ///
    /// If the registry cannot be read, or what is in it are no keys.
    pub async fn load_or_create_shared(
        registry: Arc<dyn Registry>,
        now: Timestamp,
        random: &dyn Random,
    ) -> Result<Self, SharedKeyError> {
        let (keys, revision) = shared_keys::read_or_create(&*registry, now, random).await?;
        let sealing = keys.sealing_since(now, ACTIVATION);
        Ok(Self::new(Place::Registry(registry), keys, Seen::Registry(revision), sealing, now))
    }

    fn new(place: Place, keys: KeySet, seen: Seen, sealing: usize, now: Timestamp) -> Self {
        Self {
            place,
            loaded: RwLock::new(Loaded { keys: Arc::new(keys), seen, sealing }),
            looked_at_ms: AtomicI64::new(now.0),
            opened: Opened::default(),
        }
    }

    /// The file of the keys, if they are in one.
    pub fn path(&self) -> Option<&Path> {
        match &self.place {
            Place::File(path) => Some(path),
            Place::Registry(_) => None,
        }
    }

    /// Reads the keys again from the registry, every second, until the future is dropped. Keys in a file need no such
    /// work.
    pub async fn keep_fresh(&self, clock: &dyn Clock) {
        loop {
            tokio::time::sleep(LOOK_AGAIN_AFTER).await;
            self.refresh(clock.now()).await;
        }
    }

    /// Reads the keys again from the registry, if that is where they are. What is known stays if it fails.
    pub async fn refresh(&self, now: Timestamp) {
        let Place::Registry(registry) = &self.place else { return };
        match shared_keys::read(&**registry, now).await {
            Ok(Some((keys, revision))) => {
                let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
                if loaded.seen != Seen::Registry(revision) {
                    tracing::info!("the keys of the access tokens changed");
                    loaded.keys = Arc::new(keys);
                    loaded.seen = Seen::Registry(revision);
                }
                loaded.sealing = loaded.keys.sealing_since(now, ACTIVATION);
                self.looked_at_ms.store(now.0, Ordering::Relaxed);
            }
            Ok(None) => tracing::error!("the keys of the access tokens are gone; those that are known go on working"),
            // The registry's own trouble is told where requests meet it.
            Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "reading the keys"),
        }
    }

    fn keys(&self) -> Arc<KeySet> {
        Arc::clone(&self.loaded.read().unwrap_or_else(PoisonError::into_inner).keys)
    }

    /// The keys as they are in the file now. If it cannot be had, those we know go on working.
    fn keys_now(&self) -> Arc<KeySet> {
        let Place::File(path) = &self.place else { return self.keys() };
        let known = {
            let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
            match key_file::look(path) {
                Ok(stamp) if Seen::File(stamp) != loaded.seen => loaded.seen,
                _ => return Arc::clone(&loaded.keys),
            }
        };
        let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        if loaded.seen == known {
            match key_file::read(path) {
                Ok((keys, stamp)) => {
                    tracing::info!(key.id = keys.key(0).id, "the keys of the access tokens changed");
                    *loaded = Loaded { keys: Arc::new(keys), seen: Seen::File(stamp), sealing: 0 };
                }
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "the key file of the access tokens changed, but cannot be used; the keys before go on working"
                    );
                    // Not again before it changed once more.
                    if let Ok(stamp) = key_file::look(path) {
                        loaded.seen = Seen::File(stamp);
                    }
                }
            }
        }
        Arc::clone(&loaded.keys)
    }

    /// The keys, looked up in the file if that was not done for a second.
    fn keys_at(&self, now: Timestamp) -> Arc<KeySet> {
        let Place::File(_) = &self.place else { return self.keys() };
        let looked_at = self.looked_at_ms.load(Ordering::Relaxed);
        // A clock that was set back is no reason to wait.
        let due = now.0 < looked_at || now.since(Timestamp(looked_at)) >= LOOK_AGAIN_AFTER;
        if due && self.looked_at_ms.compare_exchange(looked_at, now.0, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.keys_now()
        } else {
            self.keys()
        }
    }

    /// What an unknown key means: that the token is none of ours, unless the keys could not be read for a while.
    fn unknown_key(&self, now: Timestamp) -> TokenError {
        let looked_at = Timestamp(self.looked_at_ms.load(Ordering::Relaxed));
        match self.place {
            Place::Registry(_) if now.since(looked_at) > BELIEVED_FOR => TokenError::KeysUnavailable,
            Place::Registry(_) | Place::File(_) => TokenError::NotOurs,
        }
    }
}

impl Tokens for TokenKeys {
    #[expect(clippy::expect_used, reason = "fails only if the system has no randomness; then nothing here is safe")]
    fn seal(&self, claims: &TokenClaims, resource: &TokenResource) -> String {
        self.keys_now();
        let (keys, sealing) = {
            let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
            (Arc::clone(&loaded.keys), loaded.sealing)
        };
        let key = keys.key(sealing);
        let message = serde_json::to_vec(&Sealed::from(claims)).expect("strings and numbers are JSON");
        let footer = Some(key.id.as_bytes());
        LocalToken::encrypt(&key.secret, &message, footer, Some(assertion(resource).as_bytes()))
            .expect("the system has randomness")
    }

    fn open(&self, token: &str, resource: &TokenResource, now: Timestamp) -> Result<TokenClaims, TokenError> {
        if token.is_empty() {
            return Err(TokenError::Missing);
        }
        if token.len() > TOKEN_LENGTH_MAX {
            return Err(TokenError::NotOurs);
        }
        let mut keys = self.keys_at(now);
        let claims = match self.opened.recall(&keys, token, resource) {
            Some(claims) => claims,
            None => self.open_anew(&mut keys, token, resource, now)?,
        };
        if now < claims.expires_at { Ok(claims) } else { Err(TokenError::Expired) }
    }
}

impl TokenKeys {
    /// What a token says that is not remembered. `keys` are read anew if its key is unknown.
    fn open_anew(
        &self,
        keys: &mut Arc<KeySet>,
        text: &str,
        resource: &TokenResource,
        now: Timestamp,
    ) -> Result<TokenClaims, TokenError> {
        let token = UntrustedToken::<Local, V4>::try_from(text).map_err(|_| TokenError::NotOurs)?;
        let key_id = std::str::from_utf8(token.untrusted_footer()).map_err(|_| TokenError::NotOurs)?;
        if keys.find(key_id).is_none() {
            *keys = self.keys_now();
        }
        let key = keys.find(key_id).ok_or_else(|| self.unknown_key(now))?;
        let opened = LocalToken::decrypt(&key.secret, &token, None, Some(assertion(resource).as_bytes()))
            .map_err(|_| TokenError::NotOurs)?;
        let sealed: Sealed<'_> = serde_json::from_str(opened.payload()).map_err(|_| TokenError::NotOurs)?;
        let claims = sealed.claims().ok_or(TokenError::NotOurs)?;
        self.opened.remember(keys, text, resource, &claims);
        Ok(claims)
    }
}

impl fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::File(path) => write!(f, "TokenKeys({})", path.display()),
            Place::Registry(registry) => write!(f, "TokenKeys(in {registry})"),
        }
    }
}

/// The message. Names of one letter, because every character of it costs four thirds in the URL; names at all, so that
/// a later version can add one.
#[derive(Serialize, Deserialize)]
struct Sealed<'a> {
    /// Session.
    #[serde(borrow)]
    s: Cow<'a, str>,
    /// User.
    #[serde(borrow)]
    u: Cow<'a, str>,
    /// May edit.
    #[serde(default, skip_serializing_if = "is_false")]
    e: bool,
    /// Client.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    c: Option<Cow<'a, str>>,
    /// Expires, in milliseconds since 1970.
    x: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

impl<'a> From<&'a TokenClaims> for Sealed<'a> {
    fn from(claims: &'a TokenClaims) -> Self {
        Self {
            s: Cow::Borrowed(&claims.session.0),
            u: Cow::Borrowed(claims.user.as_str()),
            e: claims.may_edit,
            c: claims.client.as_deref().map(Cow::Borrowed),
            x: claims.expires_at.0,
        }
    }
}

impl Sealed<'_> {
    fn claims(self) -> Option<TokenClaims> {
        Some(TokenClaims {
            session: SessionId(self.s.into_owned()),
            user: UserId::parse(&self.u)?,
            may_edit: self.e,
            client: self.c.map(Cow::into_owned),
            expires_at: Timestamp(self.x),
        })
    }
}

/// What ties a token to its resource. Ids have no colon, so no two resources have the same one.
fn assertion(resource: &TokenResource) -> String {
    match resource {
        TokenResource::File(id) => format!("file:{id}"),
        TokenResource::Container(id) => format!("container:{id}"),
        TokenResource::Ecosystem => "ecosystem".to_owned(),
        TokenResource::Bootstrapper => "bootstrapper".to_owned(),
        TokenResource::FileUrl(id) => format!("fileurl:{id}"),
    }
}

#[cfg(test)]
mod tests {
    use lectern_host::ids;
    use lectern_host::wopi::{ContainerId, FileId};

    use super::*;
    use crate::key_file::{OldKeys, rotate};
    use crate::testing::Seeded;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn path(folder: &tempfile::TempDir) -> PathBuf {
        folder.path().join("token-keys.json")
    }

    fn keys(folder: &tempfile::TempDir) -> TokenKeys {
        TokenKeys::load_or_create(&path(folder), NOW, &Seeded::new(1)).unwrap()
    }

    fn claims() -> TokenClaims {
        let random = Seeded::new(2);
        TokenClaims {
            session: ids::new_session_id(&random),
            user: ids::new_user_id(&random),
            may_edit: true,
            client: Some("a-client-with-the-longest-name-there-is-".repeat(2)[..64].to_owned()),
            expires_at: NOW.plus(TOKEN_LIFETIME),
        }
    }

    fn file(id: &str) -> TokenResource {
        TokenResource::File(FileId::parse(id).unwrap())
    }

    fn key_id(token: &str) -> &str {
        token.rsplit('.').next().unwrap()
    }

    #[test]
    fn what_was_sealed_is_opened_and_is_short_and_url_safe() {
        let folder = tempfile::tempdir().unwrap();
        let keys = keys(&folder);
        for claims in [claims(), TokenClaims { may_edit: false, client: None, ..claims() }] {
            let token = keys.seal(&claims, &file("a"));
            assert_eq!(keys.open(&token, &file("a"), NOW), Ok(claims));
            assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')), "{token}");
            assert!(token.len() <= 360, "{} characters, well under {TOKEN_LENGTH_MAX}", token.len());
        }
    }

    #[test]
    fn a_token_opens_for_its_own_resource_only() {
        let folder = tempfile::tempdir().unwrap();
        let keys = keys(&folder);
        let resources = [
            file("a"),
            file("b"),
            TokenResource::FileUrl(FileId::parse("a").unwrap()),
            TokenResource::Container(ContainerId::parse("a").unwrap()),
            TokenResource::Ecosystem,
            TokenResource::Bootstrapper,
        ];
        for made_for in &resources {
            let token = keys.seal(&claims(), made_for);
            for used_for in &resources {
                let expected = if made_for == used_for { Ok(claims()) } else { Err(TokenError::NotOurs) };
                assert_eq!(keys.open(&token, used_for, NOW), expected, "{made_for:?} used for {used_for:?}");
            }
        }
    }

    #[test]
    fn a_token_is_good_until_the_millisecond_of_its_expiry() {
        let folder = tempfile::tempdir().unwrap();
        let keys = keys(&folder);
        let end = claims().expires_at;
        let token = keys.seal(&claims(), &file("a"));
        assert_eq!(keys.open(&token, &file("a"), Timestamp(end.0 - 1)), Ok(claims()));
        assert_eq!(keys.open(&token, &file("a"), end), Err(TokenError::Expired));
    }

    #[test]
    fn a_token_that_was_touched_anywhere_is_not_ours() {
        let folder = tempfile::tempdir().unwrap();
        let keys = keys(&folder);
        let token = keys.seal(&claims(), &file("a"));
        for at in 0..token.len() {
            for other in ["A", "B", "_", ".", "é", ""] {
                let touched = format!("{}{other}{}", &token[..at], &token[at + 1..]);
                if touched != token {
                    assert_eq!(keys.open(&touched, &file("a"), NOW), Err(TokenError::NotOurs), "{touched}");
                }
            }
        }
    }

    #[test]
    fn outside_text_is_refused_without_a_panic() {
        let folder = tempfile::tempdir().unwrap();
        let keys = keys(&folder);
        assert_eq!(keys.open("", &file("a"), NOW), Err(TokenError::Missing));
        let long = format!("v4.local.{}", "A".repeat(5000));
        for text in ["v4.local.", "v4.local..", "v4.local.AAAA.AAAA", "v4.public.AAAA", "x", "....", " ", "\0", &long] {
            assert_eq!(keys.open(text, &file("a"), NOW), Err(TokenError::NotOurs), "{text:?}");
        }
    }

    #[test]
    fn a_rotation_by_another_process_is_noticed_at_the_first_token_of_the_new_key() {
        let folder = tempfile::tempdir().unwrap();
        let serving = keys(&folder);
        let before = serving.seal(&claims(), &file("a"));

        rotate(&path(&folder), OldKeys::Keep, NOW, &Seeded::new(3)).unwrap();
        let command = TokenKeys::load_or_create(&path(&folder), NOW, &Seeded::new(4)).unwrap();
        let after = command.seal(&claims(), &file("a"));
        assert_ne!(key_id(&after), key_id(&before));

        // In the same millisecond: nothing was due but for the unknown key id.
        assert_eq!(serving.open(&after, &file("a"), NOW), Ok(claims()));
        assert_eq!(serving.open(&before, &file("a"), NOW), Ok(claims()));
        assert_eq!(key_id(&serving.seal(&claims(), &file("a"))), key_id(&after));
    }

    #[test]
    fn a_server_that_only_seals_takes_the_new_key_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let serving = keys(&folder);
        let before = serving.seal(&claims(), &file("a"));
        rotate(&path(&folder), OldKeys::Keep, NOW, &Seeded::new(3)).unwrap();
        assert_ne!(key_id(&serving.seal(&claims(), &file("a"))), key_id(&before));
    }

    #[test]
    fn a_dropped_key_opens_nothing_after_a_second() {
        let folder = tempfile::tempdir().unwrap();
        let serving = keys(&folder);
        let token = serving.seal(&claims(), &file("a"));
        rotate(&path(&folder), OldKeys::Drop, NOW, &Seeded::new(3)).unwrap();
        assert_eq!(serving.open(&token, &file("a"), NOW.plus(LOOK_AGAIN_AFTER)), Err(TokenError::NotOurs));
    }

    #[test]
    fn a_key_file_that_becomes_unusable_does_not_stop_a_running_server() {
        let folder = tempfile::tempdir().unwrap();
        let serving = keys(&folder);
        let token = serving.seal(&claims(), &file("a"));
        let later = |seconds| NOW.plus(Duration::from_secs(seconds));

        std::fs::write(path(&folder), "damaged").unwrap();
        assert_eq!(serving.open(&token, &file("a"), later(10)), Ok(claims()));
        let sealed_meanwhile = serving.seal(&claims(), &file("a"));
        std::fs::remove_file(path(&folder)).unwrap();
        assert_eq!(serving.open(&sealed_meanwhile, &file("a"), later(20)), Ok(claims()));
    }

    #[test]
    fn the_keys_are_not_in_the_debug_text() {
        let folder = tempfile::tempdir().unwrap();
        let keys = keys(&folder);
        assert_eq!(format!("{keys:?}"), format!("TokenKeys({})", path(&folder).display()));
    }

    /// `cargo test --release -p lectern-accounts microseconds -- --ignored --nocapture`
    #[test]
    #[ignore = "a measurement, not a judgement"]
    fn microseconds_per_token() {
        let folder = tempfile::tempdir().unwrap();
        let keys = keys(&folder);
        let token = keys.seal(&claims(), &file("a"));
        let rounds = 20_000_u32;
        let started = std::time::Instant::now();
        for _ in 0..rounds {
            std::hint::black_box(keys.open(std::hint::black_box(&token), &file("a"), NOW).unwrap());
        }
        let opening = started.elapsed() / rounds;
        let started = std::time::Instant::now();
        for _ in 0..rounds {
            std::hint::black_box(keys.seal(&claims(), &file("a")));
        }
        println!("open {opening:?}, seal {:?}, {} characters", started.elapsed() / rounds, token.len());
    }
}
