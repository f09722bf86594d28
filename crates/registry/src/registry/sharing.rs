//! The port of what is shared, on top of the statements. What every request of people without a role of their own asks
//! (grants on a path, groups, a guest's link) is kept in memory like the other records.

use std::sync::Arc;

use async_trait::async_trait;
use lectern_host::ports::{Located, RegistryError, Shares, Sharing};
use lectern_host::records::{Revision, Session, Timestamp, User};
use lectern_host::sharing::{Grant, Group, GroupId, Item, Link, LinkId, Principal, SecretHash};
use lectern_host::wopi::UserId;

use super::{Known, SqliteRegistry, following};
use crate::cache::{Change, GroupsOf};
use crate::sharing;
use crate::writer::Extent;

impl SqliteRegistry {
    /// What is shared that matters for a visit.
    pub(super) async fn shares(
        &self,
        session: &Session,
        user: Option<&User>,
        file: Option<&Located>,
        known: Option<&Known<'_>>,
    ) -> Result<Shares, RegistryError> {
        let mut shares = Shares::default();
        match (&session.guest, user) {
            (Some(guest), _) => match self.recall(&guest.link, known).await {
                Ok(link) => shares.link = Some(link),
                Err(RegistryError::NotFound) => {}
                Err(error) => return Err(error),
            },
            (None, Some(user)) if !user.role.edits_everything() => {
                shares.groups = self.recall(&GroupsOf(user.id.clone()), known).await?;
                for item in file.map(Located::items).unwrap_or_default() {
                    shares.grants.push(self.recall(&item, known).await?);
                }
            }
            (None, _) => {}
        }
        Ok(shares)
    }
}

#[async_trait]
impl Sharing for SqliteRegistry {
    async fn grants_on(&self, items: &[Item]) -> Result<Vec<Arc<Vec<Grant>>>, RegistryError> {
        let known = self.check_cache();
        let mut grants = Vec::with_capacity(items.len());
        for item in items {
            grants.push(self.recall(item, known.as_ref()).await?);
        }
        Ok(grants)
    }

    async fn grants_to(&self, to: &[Principal], limit: usize) -> Result<Vec<Grant>, RegistryError> {
        let to = to.to_vec();
        self.read(move |connection| sharing::grants_to(connection, &to, limit)).await
    }

    async fn put_grant(&self, grant: &Grant) -> Result<(), RegistryError> {
        let grant = grant.clone();
        self.write(Extent::OneStatement, move |connection, changes| {
            sharing::put_grant(connection, &grant)?;
            changes.push(Change::GrantsOn(grant.item.clone()));
            Ok(())
        })
        .await
    }

    async fn remove_grant(&self, item: &Item, to: &Principal) -> Result<(), RegistryError> {
        let (item, to) = (item.clone(), to.clone());
        self.write(Extent::OneStatement, move |connection, changes| {
            sharing::remove_grant(connection, &item, &to)?;
            changes.push(Change::GrantsOn(item.clone()));
            Ok(())
        })
        .await
    }

    async fn groups(&self) -> Result<Vec<Group>, RegistryError> {
        self.read(sharing::groups).await
    }

    async fn group(&self, id: &GroupId) -> Result<Group, RegistryError> {
        let id = id.clone();
        self.read(move |connection| sharing::group(connection, &id)).await
    }

    async fn group_named(&self, name: &str) -> Result<Group, RegistryError> {
        let name = name.to_owned();
        self.read(move |connection| sharing::group_named(connection, &name)).await
    }

    async fn create_group(&self, group: &Group) -> Result<Group, RegistryError> {
        let group = Group { revision: Revision(1), ..group.clone() };
        self.write(Extent::Several, move |connection, _| {
            sharing::create_group(connection, &group)?;
            Ok(group.clone())
        })
        .await
    }

    async fn commit_group(&self, group: &Group) -> Result<Group, RegistryError> {
        let seen = group.revision;
        let next = Group { revision: following(seen)?, ..group.clone() };
        self.write(Extent::Several, move |connection, _| {
            sharing::commit_group(connection, &next, seen)?;
            Ok(next.clone())
        })
        .await
    }

    async fn remove_group(&self, id: &GroupId, seen: Revision) -> Result<(), RegistryError> {
        let id = id.clone();
        self.write(Extent::Several, move |connection, changes| {
            sharing::remove_group(connection, &id, seen)?;
            changes.push(Change::AllShares);
            Ok(())
        })
        .await
    }

    async fn members(&self, group: &GroupId) -> Result<Vec<UserId>, RegistryError> {
        let group = group.clone();
        self.read(move |connection| sharing::members(connection, &group)).await
    }

    async fn groups_of(&self, user: &UserId) -> Result<Arc<Vec<GroupId>>, RegistryError> {
        self.recall(&GroupsOf(user.clone()), self.check_cache().as_ref()).await
    }

    async fn set_member(&self, group: &GroupId, user: &UserId, is_member: bool) -> Result<(), RegistryError> {
        let (group, user) = (group.clone(), user.clone());
        self.write(Extent::OneStatement, move |connection, changes| {
            sharing::set_member(connection, &group, &user, is_member)?;
            changes.push(Change::GroupsOf(user.clone()));
            Ok(())
        })
        .await
    }

    async fn create_link(&self, link: &Link) -> Result<(), RegistryError> {
        let link = link.clone();
        self.write(Extent::OneStatement, move |connection, changes| {
            sharing::create_link(connection, &link)?;
            changes.push(Change::Link(link.id.clone()));
            Ok(())
        })
        .await
    }

    async fn link(&self, id: &LinkId) -> Result<Arc<Link>, RegistryError> {
        self.recall(id, self.check_cache().as_ref()).await
    }

    async fn link_with(&self, secret: &SecretHash) -> Result<Link, RegistryError> {
        let secret = *secret;
        self.read(move |connection| sharing::link_with(connection, &secret)).await
    }

    async fn links_on(&self, item: &Item) -> Result<Vec<Link>, RegistryError> {
        let item = item.clone();
        self.read(move |connection| sharing::links_on(connection, &item)).await
    }

    async fn revoke_link(&self, id: &LinkId, at: Timestamp) -> Result<(), RegistryError> {
        let id = id.clone();
        self.write(Extent::OneStatement, move |connection, changes| {
            sharing::revoke_link(connection, &id, at)?;
            changes.push(Change::Link(id.clone()));
            Ok(())
        })
        .await
    }

    async fn prune_shares(&self, before: Timestamp) -> Result<u64, RegistryError> {
        self.write(Extent::Several, move |connection, changes| {
            let pruned = sharing::prune(connection, before)?;
            if pruned > 0 {
                changes.push(Change::AllShares);
            }
            Ok(pruned)
        })
        .await
    }

    async fn others_see_everything(&self, but: &UserId) -> Result<bool, RegistryError> {
        let but = but.clone();
        self.read(move |connection| sharing::others_see_everything(connection, &but)).await
    }
}
