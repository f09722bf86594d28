//! Users, groups and sessions: what administrators do with those of everybody, and everybody with their own.
//!
//! | | administrator | anybody | guest |
//! |---|---|---|---|
//! | list, add and change users and groups | yes | no | no |
//! | one's own name, password and sessions | yes | yes | no |
//! | sessions of others | yes | no | no |
//! | the last refused requests | yes | no | no |
//! | how much is stored | yes | no | no |
//!
//! There always is an administrator who is not shut out.

use std::fmt;

use wopi::UserId;

use super::sharing::short;
use super::{Denied, Desk, NameFault, Why};
use crate::host::{COMMIT_ATTEMPTS_MAX, Host};
use crate::ids;
use crate::ports::{RegistryError, Usage};
use crate::records::{RefusedRequest, Revision, Role, Session, SessionId, Timestamp, User};
use crate::sharing::{Group, GroupId};

/// Most users.
pub const USERS_MAX: usize = 100_000;

/// Most groups.
pub const GROUPS_MAX: usize = 10_000;

/// A user, for a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// Their id.
    pub id: UserId,
    /// What they sign in with.
    pub name: String,
    /// What others see.
    pub shown_as: String,
    /// What they may do everywhere.
    pub role: Role,
    /// Whether they can sign in by password.
    pub has_password: bool,
    /// Whether they are shut out.
    pub disabled: bool,
    /// Since when we know them.
    pub created_at: Timestamp,
}

impl From<&User> for Account {
    fn from(user: &User) -> Self {
        Self {
            id: user.id.clone(),
            name: user.name.clone(),
            shown_as: super::shown_as(user).to_owned(),
            role: user.role,
            has_password: user.password.is_some(),
            disabled: user.disabled,
            created_at: user.created_at,
        }
    }
}

/// A user to be added.
#[derive(Clone, PartialEq, Eq)]
pub struct NewAccount {
    /// What they sign in with.
    pub name: String,
    /// What others see.
    pub shown_as: String,
    /// What they may do everywhere.
    pub role: Role,
    /// Argon2id in PHC form; `None` if they cannot sign in by password.
    pub password: Option<String>,
}

impl fmt::Debug for NewAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewAccount").field("name", &self.name).field("role", &self.role).finish_non_exhaustive()
    }
}

/// A session, for a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenSession {
    /// Its id, by which it is revoked.
    pub id: SessionId,
    /// Where it came from.
    pub label: String,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
    /// Whether it is the one that asks.
    pub this_one: bool,
}

/// Whether somebody is an administrator who can act.
fn administers(user: &User) -> bool {
    user.role == Role::Administrator && !user.disabled
}

/// Whether nobody administers any more when `changed` takes the place of the user with its id.
fn leaves_nobody(users: &[User], changed: &User) -> bool {
    !administers(changed) && !users.iter().any(|user| user.id != changed.id && administers(user))
}

fn name_of_account(text: &str) -> Result<String, Denied> {
    let name = short(text);
    if name.is_empty() { Err(Denied::new(Why::Name(NameFault::Empty), "the name is empty")) } else { Ok(name) }
}

impl Host {
    /// Puts somebody into exactly the groups of these names, as the provider that signed them in says. Groups that we do
    /// not have are made, as far as there may be more; names that are none are passed over.
    pub async fn set_groups(&self, user: &UserId, names: &[String]) -> Result<(), Denied> {
        let registry = &self.ports.registry;
        let failed = |error: RegistryError| Denied::registry("following the groups of a provider", &error);
        let mut wanted = std::collections::BTreeSet::new();
        for name in names.iter().take(GROUPS_MAX).map(|name| short(name)).filter(|name| !name.is_empty()) {
            match registry.group_named(&name).await {
                Ok(group) => {
                    wanted.insert(group.id);
                }
                Err(RegistryError::NotFound) => {
                    if registry.groups().await.map_err(failed)?.len() >= GROUPS_MAX {
                        continue;
                    }
                    let group = Group {
                        id: GroupId::new(&*self.ports.random),
                        name,
                        revision: Revision::default(),
                        created_at: self.now(),
                    };
                    match registry.create_group(&group).await {
                        Ok(group) => {
                            wanted.insert(group.id);
                        }
                        // Somebody else signs in at this moment.
                        Err(RegistryError::NameTaken) => {
                            wanted.insert(registry.group_named(&group.name).await.map_err(failed)?.id);
                        }
                        Err(error) => return Err(failed(error)),
                    }
                }
                Err(error) => return Err(failed(error)),
            }
        }
        let has = registry.groups_of(user).await.map_err(failed)?;
        for group in has.iter().filter(|group| !wanted.contains(*group)) {
            registry.set_member(group, user, false).await.map_err(failed)?;
        }
        for group in wanted.iter().filter(|group| !has.contains(*group)) {
            registry.set_member(group, user, true).await.map_err(failed)?;
        }
        Ok(())
    }
}

impl Desk<'_> {
    fn must_administer(&self) -> Result<(), Denied> {
        if self.person.is_administrator() {
            Ok(())
        } else {
            Err(Denied::new(Why::NotAllowed, "this is for administrators"))
        }
    }

    fn must_have_an_account(&self) -> Result<(), Denied> {
        match self.person.link() {
            None => Ok(()),
            Some(_) => Err(Denied::new(Why::NotAllowed, "guests have no account")),
        }
    }

    /// How much is stored.
    pub async fn usage(&self) -> Result<Usage, Denied> {
        self.must_administer()?;
        let usage = self.host.ports.registry.usage().await;
        usage.map_err(|e| Denied::registry("summing up what is stored", &e))
    }

    // ── users ──

    /// The account of the person at the desk.
    pub fn my_account(&self) -> Result<Account, Denied> {
        self.must_have_an_account()?;
        Ok(Account::from(self.person.user()))
    }

    /// Everybody, by name.
    pub async fn accounts(&self) -> Result<Vec<Account>, Denied> {
        self.must_administer()?;
        let users = self.host.ports.registry.users().await.map_err(|e| Denied::registry("listing users", &e))?;
        Ok(users.iter().map(Account::from).collect())
    }

    /// Adds somebody.
    pub async fn add_account(&self, wanted: &NewAccount) -> Result<Account, Denied> {
        self.must_administer()?;
        let registry = &self.host.ports.registry;
        let name = name_of_account(&wanted.name)?;
        let users = registry.users().await.map_err(|e| Denied::registry("listing users", &e))?;
        if users.len() >= USERS_MAX {
            return Err(Denied::new(Why::TooMany { limit: USERS_MAX }, "there are so many users"));
        }
        let user = User {
            id: ids::new_user_id(&*self.host.ports.random),
            display_name: short(&wanted.shown_as),
            role: wanted.role,
            password: wanted.password.clone(),
            disabled: false,
            user_info: None,
            revision: Revision::default(),
            created_at: self.host.now(),
            name,
        };
        let added = registry.create_user(&user).await.map_err(|e| Denied::registry("adding a user", &e))?;
        tracing::info!(user.id = %added.id, user.role = added.role.as_str(), by = %self.person.id(), "a user was added");
        Ok(Account::from(&added))
    }

    /// Gives somebody another role.
    pub async fn set_role(&self, id: &UserId, role: Role) -> Result<Account, Denied> {
        self.must_administer()?;
        self.change(id, |user| user.role = role).await
    }

    /// Shuts somebody out, or lets them in again. Their sessions stop at the next request, and live again with them.
    pub async fn set_disabled(&self, id: &UserId, disabled: bool) -> Result<Account, Denied> {
        self.must_administer()?;
        self.change(id, |user| user.disabled = disabled).await
    }

    /// Changes what others see of somebody; anybody may, of themselves.
    pub async fn set_shown_as(&self, id: &UserId, shown_as: &str) -> Result<Account, Denied> {
        if id == self.person.id() {
            self.must_have_an_account()?;
        } else {
            self.must_administer()?;
        }
        let shown_as = short(shown_as);
        self.change(id, |user| user.display_name.clone_from(&shown_as)).await
    }

    /// Gives somebody another password (Argon2id in PHC form), or none; anybody may, of themselves. All their sessions
    /// end, but the one that asks.
    pub async fn set_password(&self, id: &UserId, password: Option<&str>) -> Result<Account, Denied> {
        if id == self.person.id() {
            self.must_have_an_account()?;
        } else {
            self.must_administer()?;
        }
        let account = self.change(id, |user| user.password = password.map(str::to_owned)).await?;
        self.end_sessions(id).await?;
        Ok(account)
    }

    /// Load, decide, commit; with everybody else who administers in line, so that two who demote each other at the same
    /// moment do not both succeed.
    async fn change(&self, id: &UserId, change: impl Fn(&mut User) + Send + Sync) -> Result<Account, Denied> {
        let changed = self.host.in_turn("administering", self.change_alone(id, change)).await;
        changed.map_err(|e| Denied::registry("waiting for others who administer", &e))?
    }

    async fn change_alone(&self, id: &UserId, change: impl Fn(&mut User) + Send + Sync) -> Result<Account, Denied> {
        let registry = &self.host.ports.registry;
        for _ in 0..COMMIT_ATTEMPTS_MAX {
            let user = registry.user(id).await.map_err(|e| Denied::registry("reading a user", &e))?;
            let mut next = user.clone();
            change(&mut next);
            if next == user {
                return Ok(Account::from(&user));
            }
            if administers(&user) && !administers(&next) {
                let users = registry.users().await.map_err(|e| Denied::registry("listing users", &e))?;
                if leaves_nobody(&users, &next) {
                    return Err(Denied::new(Why::LastAdministrator, "nobody would administer any more"));
                }
            }
            match registry.commit_user(&next).await {
                Ok(stored) => {
                    tracing::info!(user.id = %id, by = %self.person.id(), "a user was changed");
                    return Ok(Account::from(&stored));
                }
                Err(RegistryError::Conflict) => {}
                Err(error) => return Err(Denied::registry("changing a user", &error)),
            }
        }
        Err(Denied::new(Why::Busy, "the user's record changed again and again"))
    }

    // ── sessions ──

    /// Sessions of somebody that live, latest first: one's own, or, for administrators, anybody's.
    pub async fn sessions(&self, of: &UserId) -> Result<Vec<OpenSession>, Denied> {
        if of != self.person.id() {
            self.must_administer()?;
        }
        let now = self.host.now();
        let sessions = self.sessions_of(of).await?;
        let live = sessions.into_iter().filter(|session| session.revoked_at.is_none() && now < session.expires_at);
        let shown = live.map(|session| OpenSession {
            this_one: session.id == self.person.session().id,
            id: session.id,
            label: session.label,
            created_at: session.created_at,
            expires_at: session.expires_at,
        });
        Ok(shown.collect())
    }

    async fn sessions_of(&self, of: &UserId) -> Result<Vec<Session>, Denied> {
        let sessions = self.host.ports.registry.sessions(of).await;
        sessions.map_err(|e| Denied::registry("listing sessions", &e))
    }

    /// Revokes a session: tokens that hang on it stop at the next request. One's own, or, for administrators, anybody's.
    pub async fn revoke_session(&self, id: &SessionId) -> Result<(), Denied> {
        let registry = &self.host.ports.registry;
        let session = registry.session(id).await.map_err(|e| Denied::registry("reading a session", &e))?;
        if session.user != *self.person.id() && !self.person.is_administrator() {
            return Err(Denied::new(Why::NotFound, "the session is somebody else's"));
        }
        let revoked = registry.revoke_session(id, self.host.now()).await;
        revoked.map_err(|e| Denied::registry("revoking a session", &e))
    }

    /// Revokes all sessions of somebody, but the one that asks. Returns how many.
    pub async fn revoke_sessions(&self, of: &UserId) -> Result<usize, Denied> {
        if of != self.person.id() {
            self.must_administer()?;
        }
        self.end_sessions(of).await
    }

    async fn end_sessions(&self, of: &UserId) -> Result<usize, Denied> {
        let now = self.host.now();
        let mut ended = 0;
        for session in self.sessions_of(of).await? {
            if session.revoked_at.is_some() || session.expires_at <= now || session.id == self.person.session().id {
                continue;
            }
            match self.host.ports.registry.revoke_session(&session.id, now).await {
                Ok(()) => ended += 1,
                Err(RegistryError::NotFound) => {}
                Err(error) => return Err(Denied::registry("revoking a session", &error)),
            }
        }
        Ok(ended)
    }

    // ── groups ──

    /// All groups, by name.
    pub async fn groups(&self) -> Result<Vec<Group>, Denied> {
        self.must_administer()?;
        self.host.ports.registry.groups().await.map_err(|e| Denied::registry("listing groups", &e))
    }

    /// Adds a group.
    pub async fn add_group(&self, name: &str) -> Result<Group, Denied> {
        self.must_administer()?;
        if self.groups().await?.len() >= GROUPS_MAX {
            return Err(Denied::new(Why::TooMany { limit: GROUPS_MAX }, "there are so many groups"));
        }
        let group = Group {
            id: GroupId::new(&*self.host.ports.random),
            name: name_of_account(name)?,
            revision: Revision::default(),
            created_at: self.host.now(),
        };
        self.host.ports.registry.create_group(&group).await.map_err(|e| Denied::registry("adding a group", &e))
    }

    /// Gives a group another name.
    pub async fn rename_group(&self, id: &GroupId, name: &str) -> Result<Group, Denied> {
        self.must_administer()?;
        let (registry, name) = (&self.host.ports.registry, name_of_account(name)?);
        let group = registry.group(id).await.map_err(|e| Denied::registry("reading a group", &e))?;
        let renamed = registry.commit_group(&Group { name, ..group }).await;
        renamed.map_err(|e| Denied::registry("renaming a group", &e))
    }

    /// Forgets a group, and what was shared with it.
    pub async fn remove_group(&self, id: &GroupId) -> Result<(), Denied> {
        self.must_administer()?;
        let registry = &self.host.ports.registry;
        let group = registry.group(id).await.map_err(|e| Denied::registry("reading a group", &e))?;
        let removed = registry.remove_group(id, group.revision).await;
        removed.map_err(|e| Denied::registry("removing a group", &e))
    }

    /// Who is in a group.
    pub async fn members(&self, id: &GroupId) -> Result<Vec<Account>, Denied> {
        self.must_administer()?;
        let registry = &self.host.ports.registry;
        let mut members = Vec::new();
        for id in registry.members(id).await.map_err(|e| Denied::registry("reading a group", &e))? {
            match registry.user(&id).await {
                Ok(user) => members.push(Account::from(&user)),
                Err(RegistryError::NotFound) => {}
                Err(error) => return Err(Denied::registry("reading a user", &error)),
            }
        }
        members.sort_by_cached_key(|account| crate::order::folded(&account.shown_as));
        Ok(members)
    }

    /// Puts somebody into a group, or takes them out of it.
    pub async fn set_member(&self, group: &GroupId, user: &UserId, is_member: bool) -> Result<(), Denied> {
        self.must_administer()?;
        let registry = &self.host.ports.registry;
        if is_member {
            registry.user(user).await.map_err(|e| Denied::registry("reading a user", &e))?;
        }
        let set = registry.set_member(group, user, is_member).await;
        set.map_err(|e| Denied::registry("changing who is in a group", &e))
    }

    // ── diagnostics ──

    /// The last refused WOPI requests, latest first, each with the exact reason.
    pub async fn refusals(&self) -> Result<Vec<RefusedRequest>, Denied> {
        self.must_administer()?;
        Ok(self.host.refusals().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_administrator_stays() {
        let user = |id: &str, role, disabled| User {
            id: UserId::parse(id).unwrap(),
            name: id.to_owned(),
            display_name: String::new(),
            role,
            password: None,
            disabled,
            user_info: None,
            revision: Revision(1),
            created_at: Timestamp(0),
        };
        let (admin, editor) = (Role::Administrator, Role::Editor);
        for (others, changed, expected) in [
            (vec![], user("a", editor, false), true),
            (vec![user("b", editor, false), user("c", admin, true)], user("a", editor, false), true),
            (vec![user("b", admin, false)], user("a", editor, false), false),
            (vec![user("b", admin, false)], user("a", admin, true), false),
            (vec![], user("a", admin, true), true),
            (vec![], user("a", admin, false), false),
        ] {
            let mut users = vec![user("a", admin, false)];
            users.extend(others);
            assert_eq!(leaves_nobody(&users, &changed), expected, "{users:?}");
        }
    }
}
