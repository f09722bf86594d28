//! What people do with files and containers: one method of [`Desk`] for each thing that a page asks for.
//!
//! These use cases stand beside those of WOPI, over the same rules: load, decide, commit. They differ in who asks. A
//! client shows a token that is good for one file; a person has a session, and may go everywhere that is theirs. So each
//! method looks for itself what the person at the desk may do with the thing that is asked for, and says no with a [`Why`]
//! that a page can translate.
//!
//! A desk is opened anew for every request ([`Host::desk`]): whoever was shut out, or whose session was revoked, is out at
//! the next one.
//!
//! | module | what |
//! |---|---|
//! | [`why`] | the ways to be told no |
//! | [`listing`] | a container a page at a time, the way to it, and search by name |
//! | [`filing`] | uploads, downloads, new files and containers, other names |
//! | [`moving`], [`bin`] | to another container, into the bin and back |
//! | [`editing`] | opening a file in a client |
//! | [`history`] | what a file was, and how to get it back |
//! | [`rescued`] | saves that were refused, for their author |
//! | [`holding`] | who holds a file, and how it is released |
//! | [`sharing`] | with people and groups, and by links with guests |
//! | [`administration`] | users, groups, sessions, and what was refused |

pub mod administration;
pub mod bin;
mod copies;
pub mod editing;
pub mod filing;
pub mod history;
pub mod holding;
pub mod listing;
pub mod moving;
pub mod rescued;
pub mod sharing;
pub mod why;

use std::sync::Arc;

use wopi::{ContainerId, FileId, UserId};

pub use administration::{Account, NewAccount, OpenSession};
pub use bin::{BinPage, Binned, Restored};
pub use editing::{Editor, EditorToken, Offer};
pub use filing::{Download, IfTaken};
pub use history::{History, Version};
pub use holding::{HeldBy, Holder};
pub use listing::{Cursor, Entry, FileEntry, Find, Found, Listing, Order, Step};
pub use rescued::Rescued;
pub use sharing::{LinkOffer, LinkSecret, NewLink, Shared, SharedLink, SharedWith};
pub use why::{Denied, NameFault, Why};

use crate::access::{Right, Rights, right_on};
use crate::caller::{Admission, Caller};
use crate::host::Host;
use crate::ports::{Located, RegistryError, TokenClaims, TokenError};
use crate::records::{ContainerRecord, FileRecord, Role, Session, SessionId, User};
use crate::sharing::{Item, Link};
use crate::visitor::Visitor;

/// Somebody who signed in, or came by a link, as they were at the beginning of a request.
#[derive(Clone, Debug)]
pub struct Person(Visitor);

impl Person {
    /// Who it is.
    pub fn user(&self) -> &User {
        &self.0.user
    }

    /// Their id.
    pub fn id(&self) -> &UserId {
        &self.0.user.id
    }

    /// What they are called on pages. Never empty.
    pub fn shown_as(&self) -> &str {
        shown_as(&self.0.user)
    }

    /// By which session they came.
    pub fn session(&self) -> &Session {
        &self.0.session
    }

    /// The link by which they came, if they are a guest.
    pub fn link(&self) -> Option<&Link> {
        self.0.link().map(|link| &**link)
    }

    /// Whether the administration is theirs.
    pub fn is_administrator(&self) -> bool {
        self.0.user.role == Role::Administrator
    }

    /// This person as the use cases of WOPI know callers: with a token, as it were, for no client.
    fn calling(&self, right: Right, admission: Admission) -> Caller {
        let claims = TokenClaims {
            session: self.0.session.id.clone(),
            user: self.0.user.id.clone(),
            may_edit: right >= Right::Edit,
            client: None,
            expires_at: self.0.session.expires_at,
        };
        let rights = Rights::with(Some(right), &claims, false);
        Caller { user: Arc::clone(&self.0.user), claims, rights, admission }
    }
}

/// What somebody is called on pages. Never empty.
fn shown_as(user: &User) -> &str {
    if user.display_name.trim().is_empty() { &user.name } else { &user.display_name }
}

/// A host as one person sees it, for the time of one request.
#[derive(Clone, Debug)]
pub struct Desk<'h> {
    host: &'h Host,
    person: Person,
}

/// A file that somebody was let in to.
pub(crate) struct AtFile {
    located: Located,
    right: Right,
}

impl AtFile {
    fn record(&self) -> &FileRecord {
        &self.located.record
    }

    /// The person, let in to this file.
    fn caller(&self, by: &Person) -> Caller {
        by.calling(self.right, Admission::File(self.located.clone()))
    }
}

/// A container that somebody was let in to.
pub(crate) struct AtContainer {
    /// From the container itself up to the root.
    above: Vec<Arc<ContainerRecord>>,
    /// What the person may do in each of them.
    rights: Vec<Option<Right>>,
    record: ContainerRecord,
    right: Right,
}

impl AtContainer {
    /// The person, let in to this container.
    fn caller(&self, by: &Person) -> Caller {
        by.calling(self.right, Admission::Container(self.record.clone()))
    }
}

/// The right there is, if it is the one that is needed or more.
fn enough(right: Option<Right>, needs: Right) -> Result<Right, Denied> {
    match right {
        None => Err(Denied::new(Why::NotFound, "nobody shared this with the person")),
        Some(right) if right < needs => Err(not_allowed(needs, right)),
        Some(right) => Ok(right),
    }
}

fn not_allowed(needs: Right, has: Right) -> Denied {
    Denied::new(
        Why::NotAllowed,
        format!("this needs the right to {}, there is one to {}", needs.as_str(), has.as_str()),
    )
}

impl Host {
    /// The desk for whoever has this session.
    ///
    /// # Errors
    ///
    /// [`Why::SignedOut`] if it is unknown, ran out or was revoked, or if its user is shut out.
    pub async fn desk(&self, session: &SessionId) -> Result<Desk<'_>, Denied> {
        let out = |why: TokenError| Denied::new(Why::SignedOut, why.to_string());
        let visit = match self.ports.registry.visit(session, None).await {
            Ok(visit) => visit,
            Err(RegistryError::NotFound) => return Err(out(TokenError::Revoked)),
            Err(error) => return Err(Denied::registry("reading the session", &error)),
        };
        let (mut visitor, _) = Visitor::of(visit, self.now()).map_err(out)?;
        if visitor.user.role == Role::Editor {
            // Left out of the visit, because no token can do more for it; but on pages an editor may own things.
            let groups = self.ports.registry.groups_of(&visitor.user.id).await;
            visitor.shares.groups = groups.map_err(|e| Denied::registry("reading groups", &e))?;
        }
        Ok(Desk { host: self, person: Person(visitor) })
    }
}

impl Desk<'_> {
    /// Who is at it.
    pub fn person(&self) -> &Person {
        &self.person
    }

    /// What the person may do with a file, and in each of the containers it is in.
    async fn rights_of(
        &self,
        file: Option<&FileRecord>,
        containers: &[Arc<ContainerRecord>],
    ) -> Result<(Option<Right>, Vec<Option<Right>>), Denied> {
        let visitor = &self.person.0;
        let in_containers = self.host.rights_along(visitor, containers).await?;
        let inherited = in_containers.first().copied().flatten();
        let Some(file) = file else { return Ok((inherited, in_containers)) };
        let grants = self.host.ports.registry.grants_on(&[Item::File(file.id.clone())]).await;
        let grants = grants.map_err(|e| Denied::registry("reading what is shared", &e))?;
        let right = right_on(&visitor.who(), Some(&file.id), containers, &grants, self.host.now()).max(inherited);
        // Whoever made a file owns it, as long as they may change it at all.
        let owns = right >= Some(Right::Edit) && file.owner == visitor.user.id && visitor.link().is_none();
        Ok((if owns { Some(Right::Own) } else { right }, in_containers))
    }

    /// Lets somebody in to a file that is there. Who may not even see it learns no more than that.
    pub(crate) async fn at_file(&self, id: &FileId, needs: Right) -> Result<AtFile, Denied> {
        let (record, containers) = match self.host.ports.registry.file_and_containers(id).await {
            Ok(found) => found,
            Err(error) => return Err(Denied::registry("reading the file", &error)),
        };
        if record.deleted_at.is_some() {
            return Err(Denied::new(Why::NotFound, "the file was deleted"));
        }
        let containers: Vec<_> = containers.into_iter().map(Arc::new).collect();
        let (right, _) = self.rights_of(Some(&record), &containers).await?;
        let right = enough(right, needs)?;
        Ok(AtFile { located: Located { record: Arc::new(record), containers }, right })
    }

    /// Lets somebody in to a container, wherever another program moved it meanwhile.
    pub(crate) async fn at_container(&self, id: &ContainerId, needs: Right) -> Result<AtContainer, Denied> {
        let record = self.host.current_container(id).await?;
        let above = self.host.containers_from(&record).await?;
        let (right, rights) = self.rights_of(None, &above).await?;
        let right = enough(right, needs)?;
        Ok(AtContainer { above, rights, record, right })
    }
}

#[cfg(test)]
mod tests;
