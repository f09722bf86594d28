//! What is shared, in the registry in memory.

use std::sync::Arc;

use async_trait::async_trait;
use wopi::UserId;

use super::registry::{MemoryRegistry, State, following, found};
use crate::ports::{RegistryError, Sharing};
use crate::records::{Revision, Role, Timestamp};
use crate::sharing::{Grant, Group, GroupId, Item, Link, LinkId, Principal, SecretHash};

impl State {
    fn group_name_is_free(&self, group: &Group) -> Result<(), RegistryError> {
        let taken =
            self.groups.values().any(|other| other.id != group.id && other.name.eq_ignore_ascii_case(&group.name));
        if taken { Err(RegistryError::NameTaken) } else { Ok(()) }
    }

    fn is_there(&self, item: &Item) -> bool {
        match item {
            Item::File(id) => self.files.contains_key(id),
            Item::Container(id) => {
                let binned = || self.bin.values().flat_map(|(_, containers)| containers).any(|record| record.id == *id);
                self.containers.contains_key(id) || binned()
            }
        }
    }
}

#[async_trait]
impl Sharing for MemoryRegistry {
    async fn grants_on(&self, items: &[Item]) -> Result<Vec<Arc<Vec<Grant>>>, RegistryError> {
        let state = self.state();
        let on = |item: &Item| Arc::new(state.grants.values().filter(|grant| grant.item == *item).cloned().collect());
        Ok(items.iter().map(on).collect())
    }

    async fn grants_to(&self, to: &[Principal], limit: usize) -> Result<Vec<Grant>, RegistryError> {
        let mut grants: Vec<Grant> =
            self.state().grants.values().filter(|grant| to.contains(&grant.to)).cloned().collect();
        grants.sort_by_key(|grant| std::cmp::Reverse(grant.at));
        grants.truncate(limit);
        Ok(grants)
    }

    async fn put_grant(&self, grant: &Grant) -> Result<(), RegistryError> {
        self.state().grants.insert((grant.item.clone(), grant.to.clone()), grant.clone());
        Ok(())
    }

    async fn remove_grant(&self, item: &Item, to: &Principal) -> Result<(), RegistryError> {
        self.state().grants.remove(&(item.clone(), to.clone()));
        Ok(())
    }

    async fn groups(&self) -> Result<Vec<Group>, RegistryError> {
        let mut groups: Vec<Group> = self.state().groups.values().cloned().collect();
        groups.sort_by_key(|group| group.name.to_ascii_lowercase());
        Ok(groups)
    }

    async fn group(&self, id: &GroupId) -> Result<Group, RegistryError> {
        found(self.state().groups.get(id))
    }

    async fn group_named(&self, name: &str) -> Result<Group, RegistryError> {
        found(self.state().groups.values().find(|group| group.name.eq_ignore_ascii_case(name)))
    }

    async fn create_group(&self, group: &Group) -> Result<Group, RegistryError> {
        let mut state = self.state();
        if state.groups.contains_key(&group.id) {
            return Err(RegistryError::Conflict);
        }
        state.group_name_is_free(group)?;
        let stored = Group { revision: Revision(1), ..group.clone() };
        state.groups.insert(stored.id.clone(), stored.clone());
        Ok(stored)
    }

    async fn commit_group(&self, group: &Group) -> Result<Group, RegistryError> {
        let mut state = self.state();
        let revision = following(state.groups.get(&group.id).map(|group| group.revision), group.revision)?;
        state.group_name_is_free(group)?;
        let stored = Group { revision, ..group.clone() };
        state.groups.insert(stored.id.clone(), stored.clone());
        Ok(stored)
    }

    async fn remove_group(&self, id: &GroupId, seen: Revision) -> Result<(), RegistryError> {
        let mut state = self.state();
        following(state.groups.get(id).map(|group| group.revision), seen)?;
        state.groups.remove(id);
        state.members.retain(|(group, _)| group != id);
        state.grants.retain(|(_, to), _| *to != Principal::Group(id.clone()));
        Ok(())
    }

    async fn members(&self, group: &GroupId) -> Result<Vec<UserId>, RegistryError> {
        Ok(self.state().members.iter().filter(|(of, _)| of == group).map(|(_, user)| user.clone()).collect())
    }

    async fn groups_of(&self, user: &UserId) -> Result<Arc<Vec<GroupId>>, RegistryError> {
        let state = self.state();
        let groups = state.members.iter().filter(|(_, member)| member == user).map(|(group, _)| group.clone());
        Ok(Arc::new(groups.collect()))
    }

    async fn set_member(&self, group: &GroupId, user: &UserId, is_member: bool) -> Result<(), RegistryError> {
        let mut state = self.state();
        if !state.groups.contains_key(group) {
            return Err(RegistryError::NotFound);
        }
        let member = (group.clone(), user.clone());
        if is_member {
            state.members.insert(member);
        } else {
            state.members.remove(&member);
        }
        Ok(())
    }

    async fn create_link(&self, link: &Link) -> Result<(), RegistryError> {
        let mut state = self.state();
        if state.links.values().any(|other| other.id == link.id || other.secret == link.secret) {
            return Err(RegistryError::Conflict);
        }
        state.links.insert(link.id.clone(), link.clone());
        Ok(())
    }

    async fn link(&self, id: &LinkId) -> Result<Arc<Link>, RegistryError> {
        found(self.state().links.get(id)).map(Arc::new)
    }

    async fn link_with(&self, secret: &SecretHash) -> Result<Link, RegistryError> {
        found(self.state().links.values().find(|link| link.secret == *secret))
    }

    async fn links_on(&self, item: &Item) -> Result<Vec<Link>, RegistryError> {
        let mut links: Vec<Link> = self.state().links.values().filter(|link| link.item == *item).cloned().collect();
        links.sort_by_key(|link| std::cmp::Reverse((link.created_at, link.id.clone())));
        Ok(links)
    }

    async fn revoke_link(&self, id: &LinkId, at: Timestamp) -> Result<(), RegistryError> {
        let mut state = self.state();
        let link = state.links.get_mut(id).ok_or(RegistryError::NotFound)?;
        link.revoked_at.get_or_insert(at);
        Ok(())
    }

    async fn prune_shares(&self, before: Timestamp) -> Result<u64, RegistryError> {
        let mut state = self.state();
        let ended = |link: &Link| link.revoked_at.or(link.expires_at).is_some_and(|end| end < before);
        let grants: Vec<_> = state.grants.keys().filter(|(item, _)| !state.is_there(item)).cloned().collect();
        let links = state.links.values().filter(|link| ended(link) || !state.is_there(&link.item));
        let links: Vec<LinkId> = links.map(|link| link.id.clone()).collect();
        for key in &grants {
            state.grants.remove(key);
        }
        for id in &links {
            state.links.remove(id);
        }
        Ok((grants.len() + links.len()) as u64)
    }

    async fn others_see_everything(&self, but: &UserId) -> Result<bool, RegistryError> {
        let sees = |user: &crate::records::User| user.id != *but && !user.disabled && user.role != Role::Member;
        Ok(self.state().users.values().any(sees))
    }
}
