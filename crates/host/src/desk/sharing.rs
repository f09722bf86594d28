//! Sharing: with people and groups, and by links with anybody who has them.
//!
//! A link's secret is shown once, to whoever makes the link, and only its hash is kept. Somebody who comes by it says a
//! name and gets a session of their own, which hangs on the link: when that is revoked or over, the guest is out at the
//! next request, and so is every editor they opened.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::digest;
use wopi::UserId;

use super::{Denied, Desk, Entry, FileEntry, Step, Why, shown_as};
use crate::access::Right;
use crate::host::Host;
use crate::ids;
use crate::people::new_guest_id;
use crate::ports::RegistryError;
use crate::records::{Session, SessionId, Timestamp};
use crate::sharing::{Grant, GroupId, Guest, Item, Link, LinkId, Principal, SecretHash};

/// Most people and groups that one thing is shared with.
pub const GRANTS_MAX: usize = 1_000;

/// Most links on one thing that are live at once.
pub const LINKS_MAX: usize = 100;

/// Most things that are listed as shared with somebody.
pub const SHARED_WITH_ME_MAX: usize = 1_000;

/// Most people and groups that are proposed.
pub const PROPOSED_MAX: usize = 20;

/// Longest name of a guest, and longest label of a link, in characters.
pub const SHOWN_LENGTH_MAX: usize = 100;

/// Longest text that is taken for a link's secret, in bytes. Ours have [`SECRET_LENGTH`].
const SECRET_BYTES_MAX: usize = 100;

/// Length of a secret: 256 random bits.
pub const SECRET_LENGTH: usize = 2 * ids::MINTED_LENGTH;

/// Something that is shared with somebody, for a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shared {
    /// With whom.
    pub to: Principal,
    /// What they are called.
    pub shown_as: String,
    /// What they may do.
    pub right: Right,
    /// The container above on which it was shared; `None` if it was this very thing.
    pub from: Option<Step>,
    /// Who shared it.
    pub by: UserId,
    /// When.
    pub at: Timestamp,
}

/// A link, for a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SharedLink {
    /// Its id.
    pub id: LinkId,
    /// Whether guests may edit.
    pub edits: bool,
    /// What it is called.
    pub label: String,
    /// Whether it asks for a password.
    pub has_password: bool,
    /// Who made it.
    pub by: UserId,
    /// When.
    pub created_at: Timestamp,
    /// Until when it is good.
    pub expires_at: Option<Timestamp>,
    /// The container above to which it leads; `None` if to this very thing.
    pub from: Option<Step>,
}

/// With whom something is shared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SharedWith {
    /// People and groups: those of this very thing first.
    pub grants: Vec<Shared>,
    /// Links that are live, in the same order.
    pub links: Vec<SharedLink>,
}

/// A link to be made.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct NewLink {
    /// Whether guests may edit.
    pub edits: bool,
    /// What it is called; may be empty.
    pub label: String,
    /// Argon2id of its password in PHC form, if it is to have one.
    pub password: Option<String>,
    /// Until when it is good.
    pub expires_at: Option<Timestamp>,
}

impl fmt::Debug for NewLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewLink").field("edits", &self.edits).field("label", &self.label).finish_non_exhaustive()
    }
}

/// The secret of a new link, which nobody can see again.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkSecret(pub String);

impl fmt::Debug for LinkSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkSecret(..)")
    }
}

/// What somebody is offered who has the secret of a live link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkOffer {
    link: Link,
}

impl LinkOffer {
    /// The hash that the password has to fit which the guest gives, if the link asks for one. Whoever calls
    /// [`Host::enter_by_link`] has checked it.
    pub fn password(&self) -> Option<&str> {
        self.link.password.as_deref()
    }

    /// What the link leads to.
    pub fn item(&self) -> &Item {
        &self.link.item
    }

    /// Whether guests may edit there.
    pub fn edits(&self) -> bool {
        self.link.right >= Right::Edit
    }
}

fn hashed(secret: &str) -> SecretHash {
    let mut hash = SecretHash::default();
    hash.copy_from_slice(digest::digest(&digest::SHA256, secret.as_bytes()).as_ref());
    hash
}

/// Text that people gave, as others may be shown it.
pub(super) fn short(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(SHOWN_LENGTH_MAX).collect()
}

impl Host {
    /// What a link offers whose secret somebody brings.
    ///
    /// # Errors
    ///
    /// [`Why::NotFound`], whether it never was, was revoked or is over, or what it leads to is gone.
    pub async fn link_offer(&self, secret: &str) -> Result<LinkOffer, Denied> {
        let none = |because: &'static str| Err(Denied::new(Why::NotFound, because));
        if secret.len() > SECRET_BYTES_MAX {
            return none("that is no secret of a link");
        }
        let link = match self.ports.registry.link_with(&hashed(secret)).await {
            Ok(link) => link,
            Err(RegistryError::NotFound) => return none("no link has this secret"),
            Err(error) => return Err(Denied::registry("finding a link", &error)),
        };
        if !link.is_live(self.now()) {
            return none("the link was revoked or is over");
        }
        match &link.item {
            Item::File(id) => {
                self.file(id).await?;
            }
            Item::Container(id) => {
                self.current_container(id).await?;
            }
        }
        Ok(LinkOffer { link })
    }

    /// A session for somebody who came by a link, under the name they give. It ends with the link at the latest.
    ///
    /// # Errors
    ///
    /// [`Why::Name`] if nothing is left of the name.
    pub async fn enter_by_link(&self, offer: &LinkOffer, name: &str, lifetime: Duration) -> Result<Session, Denied> {
        self.enter_by_link_as(offer, name, lifetime, ids::new_session_id(&*self.ports.random)).await
    }

    /// The same for a session whose id follows from a secret that only the guest's browser has.
    ///
    /// # Errors
    ///
    /// As [`Self::enter_by_link`].
    pub async fn enter_by_link_as(
        &self,
        offer: &LinkOffer,
        name: &str,
        lifetime: Duration,
        id: SessionId,
    ) -> Result<Session, Denied> {
        let name = short(name);
        if name.is_empty() {
            return Err(Denied::new(Why::Name(super::NameFault::Empty), "the guest gave no name"));
        }
        let now = self.now();
        let end = now.plus(lifetime);
        let session = Session {
            id,
            user: new_guest_id(&*self.ports.random),
            label: offer.link.label.clone(),
            created_at: now,
            expires_at: offer.link.expires_at.map_or(end, |of_link| of_link.min(end)),
            revoked_at: None,
            guest: Some(Guest { link: offer.link.id.clone(), name }),
        };
        let created = self.ports.registry.create_session(&session).await;
        created.map_err(|e| Denied::registry("opening a session for a guest", &e))?;
        Ok(session)
    }
}

impl Desk<'_> {
    /// The thing itself and the containers above it, with what they are called, if the person has that right on it.
    async fn along(&self, item: &Item, needs: Right) -> Result<Vec<(Item, Option<Step>)>, Denied> {
        let above = match item {
            Item::File(id) => self.at_file(id, needs).await?.located.containers,
            Item::Container(id) => self.at_container(id, needs).await?.above.split_off(1),
        };
        let above = above.iter().map(|record| (Item::Container(record.id.clone()), Some(Step::of(record))));
        Ok(std::iter::once((item.clone(), None)).chain(above).collect())
    }

    /// With whom a thing is shared, and what of that comes from the containers it is in. For its owners.
    pub async fn shared_with(&self, item: &Item) -> Result<SharedWith, Denied> {
        let registry = &self.host.ports.registry;
        let along = self.along(item, Right::Own).await?;
        let items: Vec<Item> = along.iter().map(|(item, _)| item.clone()).collect();
        let failed = |error: RegistryError| Denied::registry("reading what is shared", &error);
        let grants = registry.grants_on(&items).await.map_err(failed)?;
        let mut shared = SharedWith { grants: Vec::new(), links: Vec::new() };
        for ((item, from), grants) in along.iter().zip(grants) {
            for Grant { to, right, by, at, .. } in grants.iter() {
                let Some(shown_as) = self.principal_shown_as(to).await? else { continue };
                let (to, by, from) = (to.clone(), by.clone(), from.clone());
                shared.grants.push(Shared { to, shown_as, right: *right, from, by, at: *at });
            }
            for link in registry.links_on(item).await.map_err(failed)? {
                if link.is_live(self.host.now()) {
                    shared.links.push(SharedLink {
                        id: link.id,
                        edits: link.right >= Right::Edit,
                        label: link.label,
                        has_password: link.password.is_some(),
                        by: link.by,
                        created_at: link.created_at,
                        expires_at: link.expires_at,
                        from: from.clone(),
                    });
                }
            }
        }
        Ok(shared)
    }

    /// What a person or group is called; `None` if there is no such any more.
    async fn principal_shown_as(&self, to: &Principal) -> Result<Option<String>, Denied> {
        let registry = &self.host.ports.registry;
        let shown = match to {
            Principal::User(id) => registry.user(id).await.map(|user| shown_as(&user).to_owned()),
            Principal::Group(id) => registry.group(id).await.map(|group| group.name),
        };
        match shown {
            Ok(shown) => Ok(Some(shown)),
            Err(RegistryError::NotFound) => Ok(None),
            Err(error) => Err(Denied::registry("reading with whom a thing is shared", &error)),
        }
    }

    /// Shares a thing with somebody, or changes what they may do with it. For its owners.
    pub async fn share(&self, item: &Item, to: &Principal, right: Right) -> Result<(), Denied> {
        let registry = &self.host.ports.registry;
        self.along(item, Right::Own).await?;
        if self.principal_shown_as(to).await?.is_none() {
            return Err(Denied::new(Why::NotFound, format!("there is no {to:?}")));
        }
        let failed = |error: RegistryError| Denied::registry("sharing", &error);
        let grants = registry.grants_on(std::slice::from_ref(item)).await.map_err(failed)?;
        let others = grants.iter().flat_map(|grants| grants.iter()).filter(|grant| grant.to != *to).count();
        if others >= GRANTS_MAX {
            return Err(Denied::new(Why::TooMany { limit: GRANTS_MAX }, format!("the {item} is shared with so many")));
        }
        let grant =
            Grant { item: item.clone(), to: to.clone(), right, by: self.person.id().clone(), at: self.host.now() };
        registry.put_grant(&grant).await.map_err(failed)?;
        tracing::info!(item = %item, to = ?to, right = right.as_str(), user.id = %self.person.id(), "shared");
        Ok(())
    }

    /// Takes back what was shared with somebody on this very thing. It works at their next request. For its owners; and
    /// anybody may give back what was shared with themselves.
    pub async fn unshare(&self, item: &Item, to: &Principal) -> Result<(), Denied> {
        let own = *to == Principal::User(self.person.id().clone());
        self.along(item, if own { Right::View } else { Right::Own }).await?;
        let removed = self.host.ports.registry.remove_grant(item, to).await;
        removed.map_err(|e| Denied::registry("taking back what was shared", &e))?;
        tracing::info!(item = %item, to = ?to, user.id = %self.person.id(), "shared no more");
        Ok(())
    }

    /// Makes a link by which anybody comes to a thing who has it. For its owners.
    pub async fn new_link(&self, item: &Item, wanted: &NewLink) -> Result<(LinkId, LinkSecret), Denied> {
        let registry = &self.host.ports.registry;
        self.along(item, Right::Own).await?;
        let now = self.host.now();
        let failed = |error: RegistryError| Denied::registry("making a link", &error);
        let live = registry.links_on(item).await.map_err(failed)?.iter().filter(|link| link.is_live(now)).count();
        if live >= LINKS_MAX {
            return Err(Denied::new(Why::TooMany { limit: LINKS_MAX }, format!("the {item} has so many links")));
        }
        let random = &*self.host.ports.random;
        let secret = ids::new_id(random) + &ids::new_id(random);
        let link = Link {
            id: LinkId::new(random),
            item: item.clone(),
            right: if wanted.edits { Right::Edit } else { Right::View },
            secret: hashed(&secret),
            password: wanted.password.clone(),
            label: short(&wanted.label),
            by: self.person.id().clone(),
            created_at: now,
            expires_at: wanted.expires_at,
            revoked_at: None,
        };
        registry.create_link(&link).await.map_err(failed)?;
        tracing::info!(item = %item, link.id = %link.id, user.id = %self.person.id(), "a link was made");
        Ok((link.id, LinkSecret(secret)))
    }

    /// Revokes a link: whoever came by it is out at the next request. For owners of what it leads to.
    pub async fn revoke_link(&self, id: &LinkId) -> Result<(), Denied> {
        let registry = &self.host.ports.registry;
        let link = registry.link(id).await.map_err(|e| Denied::registry("reading a link", &e))?;
        self.along(&link.item, Right::Own).await?;
        let revoked = registry.revoke_link(id, self.host.now()).await;
        revoked.map_err(|e| Denied::registry("revoking a link", &e))?;
        tracing::info!(link.id = %id, user.id = %self.person.id(), "a link was revoked");
        Ok(())
    }

    /// People and groups whose name begins with this or has a word that does, for whoever wants to share this thing.
    pub async fn whom_to_share_with(&self, item: &Item, text: &str) -> Result<Vec<(Principal, String)>, Denied> {
        self.along(item, Right::Own).await?;
        let text = crate::order::folded(text.trim());
        let fits = |name: &str| {
            let name = crate::order::folded(name);
            name.starts_with(&text) || name.split_whitespace().any(|word| word.starts_with(&text))
        };
        let failed = |error: RegistryError| Denied::registry("looking for people", &error);
        let registry = &self.host.ports.registry;
        let users = registry.users().await.map_err(failed)?;
        let users = users.iter().filter(|user| {
            !user.disabled && user.id != *self.person.id() && (fits(&user.name) || fits(shown_as(user)))
        });
        let mut found: Vec<_> =
            users.map(|user| (Principal::User(user.id.clone()), shown_as(user).to_owned())).collect();
        let groups = registry.groups().await.map_err(failed)?;
        let groups = groups.into_iter().filter(|group| fits(&group.name));
        found.extend(groups.map(|group| (Principal::Group(group.id), group.name)));
        found.sort_by_cached_key(|(_, name)| crate::order::folded(name));
        found.truncate(PROPOSED_MAX);
        Ok(found)
    }

    /// What was shared with the person, or with a group of theirs, and what they may do with it: where those begin who may
    /// not see the root. Of a guest, what the link leads to.
    pub async fn shared_with_me(&self) -> Result<Vec<(Entry, Right)>, Denied> {
        let registry = &self.host.ports.registry;
        let failed = |error: RegistryError| Denied::registry("reading what is shared", &error);
        let items: Vec<Item> = match self.person.link() {
            Some(link) => vec![link.item.clone()],
            None => {
                let groups = registry.groups_of(self.person.id()).await.map_err(failed)?;
                let mine = std::iter::once(Principal::User(self.person.id().clone()));
                let mine: Vec<_> = mine.chain(groups.iter().cloned().map(Principal::Group)).collect();
                let grants = registry.grants_to(&mine, SHARED_WITH_ME_MAX).await.map_err(failed)?;
                grants.into_iter().map(|grant| grant.item).collect()
            }
        };
        let mut seen = std::collections::BTreeSet::new();
        let mut entries = Vec::new();
        for item in items {
            if !seen.insert(item.clone()) {
                continue;
            }
            let found = match &item {
                Item::File(id) => self
                    .at_file(id, Right::View)
                    .await
                    .map(|at| (Entry::File(FileEntry::of(at.record(), self.host.now())), at.right)),
                Item::Container(id) => self
                    .at_container(id, Right::View)
                    .await
                    .map(|at| (Entry::Container(Step::of(&at.record)), at.right)),
            };
            match found {
                Ok(entry) => entries.push(entry),
                // In the bin, or gone.
                Err(Denied { why: Why::NotFound, .. }) => {}
                Err(denied) => return Err(denied),
            }
        }
        Ok(entries)
    }

    /// The groups of the person at the desk.
    pub async fn my_groups(&self) -> Result<Vec<GroupId>, Denied> {
        let groups = self.host.ports.registry.groups_of(self.person.id()).await;
        Ok(groups.map_err(|e| Denied::registry("reading groups", &e))?.to_vec())
    }
}
