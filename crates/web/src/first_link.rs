//! The one-time link of a first start: whoever has it names the first administrator and sets the password.
//!
//! It is printed by `lectern serve` while no administrator has a password. It is good at every node, for one use and for a
//! day, and in the registry only as a hash. Each start prints another one; all of them are none as soon as there is an
//! administrator, which the page that uses one asks.

use std::time::Duration;

use lectern_host::ports::{Random, Registry, RegistryError};
use lectern_host::records::{Revision, Role, Timestamp, User};
use lectern_host::{Host, ids};

use crate::memo_name::hashed;

fn name(secret: &str) -> String {
    hashed("first-link", secret)
}

/// Makes a new secret.
pub(crate) async fn issue(host: &Host, random: &dyn Random, lifetime: Duration) -> Result<String, RegistryError> {
    let secret = ids::new_id(random);
    let now = host.now();
    host.ports().registry.put_memo(&name(&secret), None, &[], now.plus(lifetime), now).await?;
    Ok(secret)
}

/// Whether somebody can administrate already: then no such link is good any more.
pub(crate) async fn is_settled(registry: &dyn Registry) -> Result<bool, RegistryError> {
    let can_sign_in = |user: &User| user.role == Role::Administrator && !user.disabled && user.password.is_some();
    Ok(registry.users().await?.iter().any(can_sign_in))
}

/// The link, if it is good.
pub(crate) async fn good(registry: &dyn Registry, secret: &str, now: Timestamp) -> Result<Option<Good>, RegistryError> {
    // Found by its hash, so the time it takes tells nothing of the secret.
    let name = name(secret);
    match registry.memo(&name, now).await? {
        Some(memo) if !is_settled(registry).await? => Ok(Some(Good { name, seen: memo.revision })),
        _ => Ok(None),
    }
}

/// A link that is good as far as we saw.
pub(crate) struct Good {
    name: String,
    seen: Revision,
}

impl Good {
    /// Uses it up. Of two who try exactly one gets `true`.
    pub(crate) async fn spend(&self, registry: &dyn Registry, now: Timestamp) -> Result<bool, RegistryError> {
        match registry.remove_memo(&self.name, self.seen, now).await {
            Ok(()) => Ok(true),
            Err(RegistryError::Conflict) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
