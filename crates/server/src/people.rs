//! The people that settings and commands are about: added, changed, shut out. Load, decide, commit, as everywhere.

use lectern_host::ids;
use lectern_host::ports::{Clock, Random, Registry, RegistryError};
use lectern_host::records::{Revision, Role, User};

use crate::config::SettingsUser;
use crate::trouble::{OrTrouble, Trouble, WithHint};

/// Name of the administrator who is added when there is nobody.
pub const FIRST_ADMINISTRATOR: &str = "admin";

/// How often a change is tried against others that were faster.
const COMMIT_ATTEMPTS_MAX: usize = 10;

/// Makes sure that those in the settings are there as the settings say; and if there is nobody at all, an administrator.
///
/// # Errors
///
/// If the registry fails.
pub async fn settle(
    registry: &dyn Registry,
    wanted: &[SettingsUser],
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<(), Trouble> {
    for user in wanted {
        let role = Role::from(user.role);
        match registry.user_named(&user.name).await {
            Ok(known) if known.display_name == user.shown_as() && known.role == role => {}
            Ok(_) => {
                change(registry, &user.name, |known| {
                    user.shown_as().clone_into(&mut known.display_name);
                    known.role = role;
                })
                .await?;
                tracing::info!(user.name, user.role = role.as_str(), "a user was changed to what the settings say");
            }
            Err(RegistryError::NotFound) => {
                add_unless_there(registry, &user.name, user.shown_as(), role, clock, random).await?;
                tracing::info!(user.name, user.role = role.as_str(), "a user of the settings was added");
            }
            Err(error) => return Err(Trouble::new(cannot("find", &user.name)).caused_by(&error)),
        }
    }
    let everybody = registry.users().await.or_trouble(|| "cannot list the users".to_owned())?;
    if everybody.is_empty() {
        let role = Role::Administrator;
        add_unless_there(registry, FIRST_ADMINISTRATOR, "Administrator", role, clock, random).await?;
        tracing::info!(user.name = FIRST_ADMINISTRATOR, "there was nobody yet: an administrator was added");
    }
    Ok(())
}

/// Another process may add the same one at the same moment: then they are there, which is what was wanted.
async fn add_unless_there(
    registry: &dyn Registry,
    name: &str,
    display_name: &str,
    role: Role,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<(), Trouble> {
    match registry.create_user(&new_user(name, display_name, role, clock, random)).await {
        Ok(_) | Err(RegistryError::NameTaken) => Ok(()),
        Err(error) => Err(Trouble::new(cannot("add", name)).caused_by(&error)),
    }
}

/// Adds a user who cannot sign in by password yet.
///
/// # Errors
///
/// If somebody has that name.
pub async fn add(
    registry: &dyn Registry,
    name: &str,
    display_name: &str,
    role: Role,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<User, Trouble> {
    match registry.create_user(&new_user(name, display_name, role, clock, random)).await {
        Err(RegistryError::NameTaken) => Err(Trouble::new(cannot("add", name))
            .because("somebody has that name already; letter case does not matter")
            .hint("`lectern user list` shows everybody")),
        other => other.or_trouble(|| cannot("add", name)),
    }
}

fn new_user(name: &str, display_name: &str, role: Role, clock: &dyn Clock, random: &dyn Random) -> User {
    User {
        id: ids::new_user_id(random),
        name: name.to_owned(),
        display_name: display_name.to_owned(),
        role,
        password: None,
        disabled: false,
        user_info: None,
        revision: Revision::default(),
        created_at: clock.now(),
    }
}

/// The user of this name.
///
/// # Errors
///
/// If there is none.
pub async fn named(registry: &dyn Registry, name: &str) -> Result<User, Trouble> {
    match registry.user_named(name).await {
        Err(RegistryError::NotFound) => Err(Trouble::new(format!("there is no user `{name}`"))
            .hint("`lectern user list` shows everybody; `lectern user add NAME` adds somebody")),
        other => other.or_trouble(|| cannot("find", name)),
    }
}

/// The user whom a command means who names nobody: the first administrator who is not shut out.
///
/// # Errors
///
/// If there is none.
pub async fn anybody(registry: &dyn Registry) -> Result<User, Trouble> {
    let everybody = registry.users().await.or_trouble(|| "cannot list the users".to_owned())?;
    let administrators = everybody.into_iter().filter(|user| user.role == Role::Administrator && !user.disabled);
    administrators
        .min_by(|a, b| a.created_at.cmp(&b.created_at).then_with(|| a.name.cmp(&b.name)))
        .ok_or_else(|| Trouble::new("there is no administrator to act as"))
        .with_hint(|| "say who with --user NAME; `lectern user list` shows everybody".to_owned())
}

/// Refuses to go on if this user is the only administrator who is not shut out: nobody could undo it in the pages.
///
/// # Errors
///
/// If they are, or if there is nobody of this name.
pub async fn must_leave_an_administrator(registry: &dyn Registry, name: &str) -> Result<(), Trouble> {
    let user = named(registry, name).await?;
    let administers = |user: &User| user.role == Role::Administrator && !user.disabled;
    let everybody = registry.users().await.or_trouble(|| "cannot list the users".to_owned())?;
    let others = everybody.iter().any(|other| other.id != user.id && administers(other));
    if !administers(&user) || others {
        return Ok(());
    }
    Err(Trouble::new(cannot("change", name))
        .because("it is the only administrator who is not shut out")
        .hint("make somebody else administrator first with `lectern user role NAME administrator`, or say --force"))
}

/// Changes a user. `change` may run more than once.
///
/// # Errors
///
/// If there is none of this name, or others changed the same one all the time.
pub async fn change(registry: &dyn Registry, name: &str, change: impl Fn(&mut User)) -> Result<User, Trouble> {
    for _ in 0..COMMIT_ATTEMPTS_MAX {
        let mut user = named(registry, name).await?;
        change(&mut user);
        match registry.commit_user(&user).await {
            Err(RegistryError::Conflict) => {}
            other => return other.or_trouble(|| cannot("change", name)),
        }
    }
    Err(Trouble::new(cannot("change", name))
        .because(format!("others changed it {COMMIT_ATTEMPTS_MAX} times meanwhile")))
}

fn cannot(verb: &str, name: &str) -> String {
    format!("cannot {verb} the user `{name}`")
}

#[cfg(test)]
mod tests {
    use lectern_host::memory::registry::MemoryRegistry;

    use super::*;
    use crate::config::{RoleName, Settings};
    use crate::system::{SystemClock, SystemRandom};

    async fn settled(registry: &MemoryRegistry, text: &str) -> Vec<(String, String, Role)> {
        let settings = Settings::parse(text).unwrap();
        settle(registry, &settings.users, &SystemClock, &SystemRandom).await.unwrap();
        let everybody = registry.users().await.unwrap();
        everybody.into_iter().map(|user| (user.name, user.display_name, user.role)).collect()
    }

    fn user(name: &str, display_name: &str, role: RoleName) -> (String, String, Role) {
        (name.to_owned(), display_name.to_owned(), role.into())
    }

    #[tokio::test]
    async fn with_nobody_at_all_there_is_an_administrator_and_only_one() {
        let registry = MemoryRegistry::new();
        for _ in 0..2 {
            let admin = user("admin", "Administrator", RoleName::Administrator);
            assert_eq!(settled(&registry, "").await, [admin]);
        }
    }

    #[tokio::test]
    async fn the_settings_add_and_change_but_never_remove() {
        let registry = MemoryRegistry::new();
        let ada = "[[user]]\nname = \"ada\"\n";
        assert_eq!(
            settled(&registry, ada).await,
            [user("ada", "ada", RoleName::Editor)],
            "and no admin: there is somebody"
        );
        let id = registry.user_named("ada").await.unwrap().id;
        let changed = "[[user]]\nname = \"Ada\"\ndisplay_name = \"Ada L.\"\nrole = \"viewer\"\n";
        assert_eq!(settled(&registry, changed).await, [user("ada", "Ada L.", RoleName::Viewer)]);
        assert_eq!(registry.user_named("ada").await.unwrap().id, id);
        let other = "[[user]]\nname = \"bob\"\n";
        assert_eq!(settled(&registry, other).await.len(), 2);
    }

    #[tokio::test]
    async fn nobody_in_particular_is_the_first_administrator_who_is_not_shut_out() {
        let registry = MemoryRegistry::new();
        assert!(anybody(&registry).await.unwrap_err().to_string().contains("no administrator"));
        settled(&registry, "[[user]]\nname = \"a\"\n[[user]]\nname = \"c\"\nrole = \"administrator\"\n").await;
        assert_eq!(anybody(&registry).await.unwrap().name, "c");
        change(&registry, "c", |user| user.disabled = true).await.unwrap();
        assert!(anybody(&registry).await.is_err());
    }
}
