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
//! | [`editing`] | opening a file in a client |
//! | [`history`] | what a file was, and how to get it back |
//! | [`holding`] | who holds a file, and how it is released |

pub mod editing;
pub mod filing;
pub mod history;
pub mod holding;
pub mod listing;
pub mod why;

use std::sync::Arc;

use wopi::{ContainerId, FileId, UserId};

pub use editing::{Editor, EditorToken, Offer};
pub use filing::{Download, IfTaken};
pub use history::{History, Version};
pub use holding::{HeldBy, Holder};
pub use listing::{Cursor, Entry, FileEntry, Found, Listing, Order, Step};
pub use why::{Denied, NameFault, Why};

use crate::access::{Right, Rights};
use crate::caller::{Admission, Caller};
use crate::host::Host;
use crate::ports::{Located, RegistryError, TokenClaims, Visit};
use crate::records::{ContainerRecord, FileRecord, Role, Session, SessionId, User};

/// Somebody who signed in, as they were at the beginning of a request.
#[derive(Clone, Debug)]
pub struct Person {
    session: Arc<Session>,
    user: Arc<User>,
}

impl Person {
    /// Who it is.
    pub fn user(&self) -> &User {
        &self.user
    }

    /// Their id.
    pub fn id(&self) -> &UserId {
        &self.user.id
    }

    /// What they are called on pages. Never empty.
    pub fn shown_as(&self) -> &str {
        shown_as(&self.user)
    }

    /// By which session they came.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Whether the administration is theirs.
    pub fn is_administrator(&self) -> bool {
        self.user.role == Role::Administrator
    }

    /// What they may do with a file, or a container, that lies in `containers`.
    fn right_on(&self, _: &[Arc<ContainerRecord>]) -> Option<Right> {
        Right::of_role(self.user.role)
    }

    /// This person as the use cases of WOPI know callers: with a token, as it were, for no client.
    fn calling(&self, right: Right, admission: Admission) -> Caller {
        let claims = TokenClaims {
            session: self.session.id.clone(),
            user: self.user.id.clone(),
            may_edit: right >= Right::Edit,
            client: None,
            expires_at: self.session.expires_at,
        };
        let rights = Rights::with(right, &claims);
        Caller { user: Arc::clone(&self.user), claims, rights, admission }
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
    record: ContainerRecord,
    right: Right,
}

impl AtContainer {
    /// The person, let in to this container.
    fn caller(&self, by: &Person) -> Caller {
        by.calling(self.right, Admission::Container(self.record.clone()))
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
        let out = |because: &'static str| Err(Denied::new(Why::SignedOut, because));
        let Visit { session, user, .. } = match self.ports.registry.visit(session, None).await {
            Ok(visit) => visit,
            Err(RegistryError::NotFound) => return out("there is no such session"),
            Err(error) => return Err(Denied::registry("reading the session", &error)),
        };
        if session.revoked_at.is_some() || session.expires_at <= self.now() {
            return out("the session was revoked or ran out");
        }
        match user.filter(|user| !user.disabled) {
            Some(user) => Ok(Desk { host: self, person: Person { session, user } }),
            None => out("the user is unknown or disabled"),
        }
    }
}

impl Desk<'_> {
    /// Who is at it.
    pub fn person(&self) -> &Person {
        &self.person
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
        let Some(right) = self.person.right_on(&containers) else {
            return Err(Denied::new(Why::NotFound, "nobody shared the file with this person"));
        };
        // Whoever made a file owns it, as long as they may change it at all.
        let right = if right >= Right::Edit && record.owner == *self.person.id() { Right::Own } else { right };
        if right < needs {
            return Err(not_allowed(needs, right));
        }
        Ok(AtFile { located: Located { record: Arc::new(record), containers }, right })
    }

    /// Lets somebody in to a container, wherever another program moved it meanwhile.
    pub(crate) async fn at_container(&self, id: &ContainerId, needs: Right) -> Result<AtContainer, Denied> {
        let record = self.host.current_container(id).await?;
        let above = self.containers_from(&record).await?;
        let Some(right) = self.person.right_on(&above) else {
            return Err(Denied::new(Why::NotFound, "nobody shared the container with this person"));
        };
        if right < needs {
            return Err(not_allowed(needs, right));
        }
        Ok(AtContainer { above, record, right })
    }

    /// A container and those it is in, up to the root.
    pub(crate) async fn containers_from(&self, record: &ContainerRecord) -> Result<Vec<Arc<ContainerRecord>>, Denied> {
        let mut above = vec![Arc::new(record.clone())];
        while let Some(parent) = above.last().and_then(|container| container.parent.clone()) {
            if above.len() > crate::host::CONTAINER_DEPTH_MAX {
                return Err(Denied::new(Why::Failed, format!("the container {} lies too deep", record.id)));
            }
            let parent = self.host.ports.registry.container(&parent).await;
            above.push(Arc::new(parent.map_err(|e| Denied::registry("reading a container", &e))?));
        }
        Ok(above)
    }
}
