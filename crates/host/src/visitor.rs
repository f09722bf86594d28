//! Whoever comes with a session: somebody with an account, or a guest by a link. One place decides whether they are in.

use std::sync::Arc;

use wopi::WopiError;
use wopi::proof::ProofRule;
use wopi_service::Refusal;

use crate::access::{Right, Rights, Who, right_on};
use crate::caller::Caller;
use crate::errors;
use crate::host::Host;
use crate::people;
use crate::ports::{Located, RegistryError, Shares, TokenClaims, TokenError, Visit};
use crate::records::{ContainerRecord, Revision, Role, Session, Timestamp, User};
use crate::sharing::{Item, Link};

/// Somebody whose session lives.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    pub(crate) session: Arc<Session>,
    /// A guest is a user whom the registry does not know, with no role.
    pub(crate) user: Arc<User>,
    pub(crate) shares: Shares,
}

impl Visitor {
    /// Whoever paid this visit, and the file of it.
    ///
    /// | session | user, or link of a guest | |
    /// |---|---|---|
    /// | revoked or over | | out |
    /// | lives | unknown or disabled | out |
    /// | lives | a guest whose link is unknown, revoked or over | out |
    /// | lives | else | in |
    pub(crate) fn of(visit: Visit, now: Timestamp) -> Result<(Self, Option<Located>), TokenError> {
        let Visit { session, user, file, shares } = visit;
        if session.revoked_at.is_some() || session.expires_at <= now {
            return Err(TokenError::Revoked);
        }
        let user = match &session.guest {
            None => user.filter(|user| !user.disabled).ok_or(TokenError::UserGone)?,
            Some(guest) => {
                if !shares.link.as_ref().is_some_and(|link| link.is_live(now)) {
                    return Err(TokenError::Revoked);
                }
                Arc::new(User {
                    id: session.user.clone(),
                    name: guest.name.clone(),
                    display_name: guest.name.clone(),
                    role: Role::Member,
                    password: None,
                    disabled: false,
                    user_info: None,
                    revision: Revision::default(),
                    created_at: session.created_at,
                })
            }
        };
        Ok((Self { session, user, shares }, file))
    }

    /// The link by which a guest came.
    pub(crate) fn link(&self) -> Option<&Arc<Link>> {
        self.session.guest.as_ref().and(self.shares.link.as_ref())
    }

    /// As the rules know them.
    pub(crate) fn who(&self) -> Who<'_> {
        match self.link() {
            Some(link) => Who::Guest(link),
            None => Who::User { user: &self.user, groups: &self.shares.groups },
        }
    }

    /// Whether nothing that is shared could tell more of what a token of theirs may do than their role does.
    fn edits_everything(&self) -> bool {
        self.link().is_none() && self.user.role.edits_everything()
    }
}

impl Host {
    /// What somebody may do with the file they were let in to, with this token.
    pub(crate) fn rights_at(&self, visitor: &Visitor, claims: &TokenClaims, file: &Located) -> Rights {
        if visitor.edits_everything() {
            return self.rights(Right::of_role(visitor.user.role), claims);
        }
        let (who, grants, now) = (visitor.who(), &visitor.shares.grants, self.now());
        let rights = self.rights(right_on(&who, Some(&file.record.id), &file.containers, grants, now), claims);
        let of_container = right_on(&who, None, &file.containers, grants.get(1..).unwrap_or_default(), now);
        // Who may change only this file does not make others beside it.
        if of_container >= Some(Right::Edit) { rights } else { rights.only_here() }
    }

    /// The same for a container.
    pub(crate) async fn rights_in(
        &self,
        visitor: &Visitor,
        claims: &TokenClaims,
        container: &ContainerRecord,
    ) -> Result<Rights, Refusal> {
        let mut right = Right::of_role(visitor.user.role);
        if !visitor.edits_everything() {
            let above = self.containers_from(container).await?;
            right = self.rights_along(visitor, &above).await?.first().copied().flatten();
        }
        Ok(self.rights(right, claims))
    }

    pub(crate) fn rights(&self, right: Option<Right>, claims: &TokenClaims) -> Rights {
        let proven = right == Some(Right::Comment)
            && claims
                .client
                .as_deref()
                .is_some_and(|client| matches!(self.ports.clients.proof_rule(Some(client)), ProofRule::Required(_)));
        Rights::with(right, claims, proven)
    }

    /// A container and those it is in, up to the root.
    pub(crate) async fn containers_from(&self, record: &ContainerRecord) -> Result<Vec<Arc<ContainerRecord>>, Refusal> {
        let mut above = vec![Arc::new(record.clone())];
        while let Some(parent) = above.last().and_then(|container| container.parent.clone()) {
            if above.len() > crate::host::CONTAINER_DEPTH_MAX {
                return Err(Refusal::internal(format!("the container {} lies too deep", record.id)));
            }
            let parent = self.ports.registry.container(&parent).await;
            above.push(Arc::new(parent.map_err(|e| errors::registry("reading a container", &e))?));
        }
        Ok(above)
    }

    /// What somebody may do in each of these containers, of which each is in the next.
    pub(crate) async fn rights_along(
        &self,
        visitor: &Visitor,
        containers: &[Arc<ContainerRecord>],
    ) -> Result<Vec<Option<Right>>, Refusal> {
        let items: Vec<Item> = containers.iter().map(|container| Item::Container(container.id.clone())).collect();
        let grants = match visitor.link() {
            Some(_) => Vec::new(),
            None => {
                let grants = self.ports.registry.grants_on(&items).await;
                grants.map_err(|e| errors::registry("reading what is shared", &e))?
            }
        };
        let (who, now) = (visitor.who(), self.now());
        let from = |at: usize| right_on(&who, None, &containers[at..], grants.get(at..).unwrap_or_default(), now);
        Ok((0..containers.len()).map(from).collect())
    }

    /// Whoever called, as far as they are still in.
    async fn visitor_of(&self, by: &Caller) -> Result<Visitor, Refusal> {
        let visit = self.ports.registry.visit(&by.claims.session, None).await;
        let visit = visit.map_err(|e| errors::registry("reading the session", &e))?;
        Visitor::of(visit, self.now())
            .map(|(visitor, _)| visitor)
            .map_err(|why| Refusal::new(WopiError::Unauthorized { challenge: None }, why.to_string()))
    }

    /// Refuses what a caller, who was let in elsewhere, may not see: the same answer as if it were not there.
    pub(crate) async fn must_see(&self, by: &Caller, item: &Item) -> Result<(), Refusal> {
        if !people::is_guest(&by.user.id) && Right::of_role(by.user.role).is_some() {
            return Ok(());
        }
        let visitor = self.visitor_of(by).await?;
        let sees = match item {
            Item::Container(id) => {
                let record = self.ports.registry.container(id).await;
                let record = record.map_err(|e| errors::registry("reading the container", &e))?;
                self.rights_in(&visitor, &by.claims, &record).await?.allow(wopi::route::Permission::Read)
            }
            Item::File(id) => match self.ports.registry.visit(&by.claims.session, Some(id)).await {
                Ok(Visit { file: Some(file), shares, .. }) => {
                    let visitor = Visitor { shares, ..visitor };
                    self.rights_at(&visitor, &by.claims, &file).allow(wopi::route::Permission::Read)
                }
                Ok(_) | Err(RegistryError::NotFound) => false,
                Err(error) => return Err(errors::registry("reading the file", &error)),
            },
        };
        if sees {
            Ok(())
        } else {
            Err(Refusal::new(WopiError::NotFound, format!("nobody shared the {item} with them")))
        }
    }

    /// How many of these containers, of which each is in the next, a caller may see.
    pub(crate) async fn seen_of(&self, by: &Caller, containers: &[Arc<ContainerRecord>]) -> Result<usize, Refusal> {
        if !people::is_guest(&by.user.id) && Right::of_role(by.user.role).is_some() {
            return Ok(containers.len());
        }
        let rights = self.rights_along(&self.visitor_of(by).await?, containers).await?;
        Ok(rights.iter().take_while(|right| right.is_some()).count())
    }
}
