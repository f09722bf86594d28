//! The keys that seal access tokens, as a memo in the registry: the same ones at every node, without a file that nodes would
//! have to share.

use lectern_host::ports::{Random, Registry, RegistryError};
use lectern_host::records::{Revision, Timestamp};

use crate::key_file::{KeySet, OldKeys, Rotated};

const NAME: &str = "token-keys";

/// They do not run out.
const UNTIL: Timestamp = Timestamp(i64::MAX);

/// How often keys are tried to be made or rotated against other nodes.
const ATTEMPTS_MAX: usize = 16;

/// Why the keys in the registry could not be used.
#[derive(Debug, thiserror::Error)]
pub enum SharedKeyError {
    /// The registry could not be asked.
    #[error("cannot read the keys of the access tokens in the registry")]
    Registry(#[from] RegistryError),
    /// What is in it are no keys. Nothing is written over it: the tokens it once sealed may be alive.
    #[error("the keys of the access tokens in the registry are damaged: {0}")]
    Damaged(String),
}

/// The keys, and the revision at which they were read.
pub(crate) async fn read(
    registry: &dyn Registry,
    now: Timestamp,
) -> Result<Option<(KeySet, Revision)>, SharedKeyError> {
    match registry.memo(NAME, now).await? {
        None => Ok(None),
        Some(memo) => {
            let keys = KeySet::parse(&memo.value).map_err(SharedKeyError::Damaged)?;
            Ok(Some((keys, memo.revision)))
        }
    }
}

pub(crate) async fn read_or_create(
    registry: &dyn Registry,
    now: Timestamp,
    random: &dyn Random,
) -> Result<(KeySet, Revision), SharedKeyError> {
    for _ in 0..ATTEMPTS_MAX {
        if let Some(read) = read(registry, now).await? {
            return Ok(read);
        }
        let keys = KeySet::fresh(now, random);
        match put(registry, None, &keys, now).await {
            Ok(revision) => return Ok((keys, revision)),
            // Another node was faster: its keys are the keys.
            Err(SharedKeyError::Registry(RegistryError::Conflict)) => {}
            Err(error) => return Err(error),
        }
    }
    Err(RegistryError::Conflict.into())
}

async fn put(
    registry: &dyn Registry,
    seen: Option<Revision>,
    keys: &KeySet,
    now: Timestamp,
) -> Result<Revision, SharedKeyError> {
    let text = keys.text().map_err(|error| SharedKeyError::Damaged(error.to_string()))?;
    Ok(registry.put_memo(NAME, seen, text.as_bytes(), UNTIL, now).await?)
}

/// As [`crate::rotate`], for keys in the registry.
///
/// # Errors
///
/// If there are none, or they are damaged, or cannot be replaced; they are unchanged then.
pub async fn rotate_shared(
    registry: &dyn Registry,
    old: OldKeys,
    now: Timestamp,
    random: &dyn Random,
) -> Result<Rotated, SharedKeyError> {
    for _ in 0..ATTEMPTS_MAX {
        let (mut keys, seen) = read(registry, now).await?.ok_or(RegistryError::NotFound)?;
        let rotated = keys.rotate(old, now, random);
        match put(registry, Some(seen), &keys, now).await {
            Ok(_) => return Ok(rotated),
            Err(SharedKeyError::Registry(RegistryError::Conflict)) => {}
            Err(error) => return Err(error),
        }
    }
    Err(RegistryError::Conflict.into())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use lectern_host::memory::registry::MemoryRegistry;
    use lectern_host::ports::{Memos as _, TokenClaims, TokenError, TokenResource, Tokens as _};
    use lectern_host::records::SessionId;
    use lectern_host::wopi::UserId;

    use super::*;
    use crate::TokenKeys;
    use crate::access_token::ACTIVATION;
    use crate::testing::Seeded;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn claims() -> TokenClaims {
        TokenClaims {
            session: SessionId("s".to_owned()),
            user: UserId::parse("u").unwrap(),
            may_edit: true,
            client: None,
            expires_at: Timestamp(i64::MAX),
        }
    }

    async fn node(registry: &Arc<MemoryRegistry>, seed: u64) -> TokenKeys {
        TokenKeys::load_or_create_shared(registry.clone(), NOW, &Seeded::new(seed)).await.unwrap()
    }

    #[tokio::test]
    async fn what_one_node_sealed_the_others_open_also_while_keys_are_rotated() {
        let registry = Arc::new(MemoryRegistry::new());
        let (one, two) = (node(&registry, 1).await, node(&registry, 2).await);
        let resource = TokenResource::Ecosystem;
        let token = one.seal(&claims(), &resource);
        assert_eq!(two.open(&token, &resource, NOW).unwrap(), claims());

        let rotated = rotate_shared(&*registry, OldKeys::Keep, NOW, &Seeded::new(3)).await.unwrap();
        assert_eq!((rotated.kept.len(), rotated.dropped.len()), (1, 0));
        one.refresh(NOW.plus(Duration::from_secs(1))).await;
        // Two has not read the new key yet: nobody seals with it.
        let token = one.seal(&claims(), &resource);
        assert!(!token.ends_with(&token_end(&rotated.sealing)));
        assert_eq!(two.open(&token, &resource, NOW).unwrap(), claims());
        for node in [&one, &two] {
            node.refresh(NOW.plus(ACTIVATION)).await;
        }
        let token = one.seal(&claims(), &resource);
        assert!(token.ends_with(&token_end(&rotated.sealing)), "{token}");
        assert_eq!(two.open(&token, &resource, NOW.plus(ACTIVATION)).unwrap(), claims());
    }

    fn token_end(id: &str) -> String {
        use base64::Engine as _;
        format!(".{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(id))
    }

    #[tokio::test]
    async fn a_token_of_an_unknown_key_is_no_token_only_if_the_keys_are_fresh() {
        let (registry, other) = (Arc::new(MemoryRegistry::new()), Arc::new(MemoryRegistry::new()));
        let (ours, theirs) = (node(&registry, 1).await, node(&other, 9).await);
        let token = theirs.seal(&claims(), &TokenResource::Ecosystem);
        let later = NOW.plus(Duration::from_secs(6));
        let open = |now| ours.open(&token, &TokenResource::Ecosystem, now).unwrap_err();
        assert_eq!((open(NOW), open(later)), (TokenError::NotOurs, TokenError::KeysUnavailable));
        ours.refresh(later).await;
        assert_eq!(open(later), TokenError::NotOurs);
    }

    #[tokio::test]
    async fn a_dropped_key_opens_nothing_and_damaged_keys_are_left_alone() {
        let registry = Arc::new(MemoryRegistry::new());
        let ours = node(&registry, 1).await;
        let token = ours.seal(&claims(), &TokenResource::Ecosystem);
        rotate_shared(&*registry, OldKeys::Drop, NOW, &Seeded::new(3)).await.unwrap();
        ours.refresh(NOW).await;
        assert_eq!(ours.open(&token, &TokenResource::Ecosystem, NOW).unwrap_err(), TokenError::NotOurs);
        let token = ours.seal(&claims(), &TokenResource::Ecosystem);
        ours.open(&token, &TokenResource::Ecosystem, NOW).unwrap();

        let seen = registry.memo(NAME, NOW).await.unwrap().unwrap().revision;
        registry.put_memo(NAME, Some(seen), b"s3cret", UNTIL, NOW).await.unwrap();
        ours.refresh(NOW).await;
        ours.open(&token, &TokenResource::Ecosystem, NOW).unwrap();
        let refused = TokenKeys::load_or_create_shared(registry.clone(), NOW, &Seeded::new(4)).await.unwrap_err();
        let told = refused.to_string();
        assert!(told.contains("damaged") && !told.contains("s3cret"), "{told}");
        assert!(rotate_shared(&*registry, OldKeys::Drop, NOW, &Seeded::new(5)).await.is_err());
    }
}
