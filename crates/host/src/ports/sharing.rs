//! What is shared with whom, as a registry keeps it.

use std::sync::Arc;

use async_trait::async_trait;
use wopi::UserId;

use super::RegistryError;
use crate::records::{Revision, Timestamp};
use crate::sharing::{Grant, Group, GroupId, Item, Link, LinkId, Principal, SecretHash};

/// What is shared, as far as it matters to one visit. Shared with the registry's memory, as the rest of the visit is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Shares {
    /// The groups that the user is in.
    pub groups: Arc<Vec<GroupId>>,
    /// All grants on the file and on each of the containers it is in.
    pub grants: Vec<Arc<Vec<Grant>>>,
    /// The link by which a guest came; `None` if there is no such link.
    pub link: Option<Arc<Link>>,
}

/// The part of a registry that says what is shared with whom.
///
/// * What was granted or taken away is what the next read sees, as everywhere in a registry.
/// * Groups have names of their own, unique without regard to ASCII letter case ([`RegistryError::NameTaken`]).
/// * What is shared of a thing that is gone for good may stay, until [`Sharing::prune_shares`]: ids are never given out
///   again.
#[async_trait]
pub trait Sharing: Send + Sync {
    /// The grants on each of these, in their order.
    async fn grants_on(&self, items: &[Item]) -> Result<Vec<Arc<Vec<Grant>>>, RegistryError>;
    /// What is shared with any of these, latest first, at most `limit`.
    async fn grants_to(&self, to: &[Principal], limit: usize) -> Result<Vec<Grant>, RegistryError>;
    /// Adds a grant, or replaces the one that there is of this thing to this principal.
    async fn put_grant(&self, grant: &Grant) -> Result<(), RegistryError>;
    /// Takes a grant away; none is success.
    async fn remove_grant(&self, item: &Item, to: &Principal) -> Result<(), RegistryError>;

    /// All groups, by name.
    async fn groups(&self) -> Result<Vec<Group>, RegistryError>;
    /// The group with this id.
    async fn group(&self, id: &GroupId) -> Result<Group, RegistryError>;
    /// The group of this name, without regard to ASCII letter case.
    async fn group_named(&self, name: &str) -> Result<Group, RegistryError>;
    /// Adds a group; its revision is stored as 1.
    async fn create_group(&self, group: &Group) -> Result<Group, RegistryError>;
    /// Replaces the record read at `group.revision`. Returns it as stored.
    async fn commit_group(&self, group: &Group) -> Result<Group, RegistryError>;
    /// Forgets a group, who is in it, and what is shared with it, if the revision is still that.
    async fn remove_group(&self, id: &GroupId, seen: Revision) -> Result<(), RegistryError>;
    /// Who is in a group.
    async fn members(&self, group: &GroupId) -> Result<Vec<UserId>, RegistryError>;
    /// The groups that somebody is in.
    async fn groups_of(&self, user: &UserId) -> Result<Arc<Vec<GroupId>>, RegistryError>;
    /// Puts somebody into a group, or takes them out of it; again is success. `NotFound` if there is no such group.
    async fn set_member(&self, group: &GroupId, user: &UserId, is_member: bool) -> Result<(), RegistryError>;

    /// Adds a link.
    async fn create_link(&self, link: &Link) -> Result<(), RegistryError>;
    /// The link with this id, revoked and expired ones too.
    async fn link(&self, id: &LinkId) -> Result<Arc<Link>, RegistryError>;
    /// The link whose secret has this hash, revoked and expired ones too.
    async fn link_with(&self, secret: &SecretHash) -> Result<Link, RegistryError>;
    /// The links on a thing, latest first, revoked and expired ones too.
    async fn links_on(&self, item: &Item) -> Result<Vec<Link>, RegistryError>;
    /// Revokes a link; again is success, and the first time counts.
    async fn revoke_link(&self, id: &LinkId, at: Timestamp) -> Result<(), RegistryError>;

    /// Forgets grants and links on things that are neither there nor in the bin, and links that ended before `before`. Returns how many.
    async fn prune_shares(&self, before: Timestamp) -> Result<u64, RegistryError>;

    /// Whether anybody else, who is not shut out, sees every file by their role.
    async fn others_see_everything(&self, but: &UserId) -> Result<bool, RegistryError>;
}
