//! People whom others sign in: a provider of OpenID Connect, or a proxy in front of us.
//!
//! They are known by the name that the other says. Whoever decides on names there decides who somebody is here, so that
//! provider or proxy has to be one that the operator trusts with that; the settings say so.

use lectern_host::ports::RegistryError;
use lectern_host::records::{Role, User};

use crate::pages::welcome::is_person_name;
use crate::problem::Problem;
use crate::site::Shared;

/// What is known of somebody from outside.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outsider {
    /// What they are known by.
    pub(crate) name: String,
    /// What others see of them, if it was said.
    pub(crate) shown_as: Option<String>,
    /// The groups they are in, if it was said; then in exactly these.
    pub(crate) groups: Option<Vec<String>>,
}

/// The account of somebody from outside, made if there is none yet. `None`: it is shut out, or the name is none.
pub(crate) async fn account(shared: &Shared, outsider: &Outsider) -> Result<Option<User>, Problem> {
    let name = outsider.name.trim();
    if !is_person_name(name) {
        tracing::warn!("somebody was signed in from outside under a name that cannot be one");
        return Ok(None);
    }
    let registry = &shared.host.ports().registry;
    let user = match registry.user_named(name).await {
        Ok(user) => user,
        Err(RegistryError::NotFound) => {
            let shown_as = outsider.shown_as.as_deref().filter(|shown| is_person_name(shown)).unwrap_or(name);
            match shared.host.add_user(name, shown_as, Role::Member).await {
                Ok(user) => user,
                // Two requests of one person at once.
                Err(_) => registry.user_named(name).await.map_err(|e| Problem::registry("finding a user", &e))?,
            }
        }
        Err(error) => return Err(Problem::registry("finding a user", &error)),
    };
    if user.disabled {
        return Ok(None);
    }
    if let Some(groups) = &outsider.groups {
        shared.host.set_groups(&user.id, groups).await?;
    }
    Ok(Some(user))
}
