//! Who holds a file now, and how it is released.

use wopi::coauth::CoauthLockType;
use wopi::{FileId, UserId};

use super::{Denied, Desk};
use crate::access::Right;
use crate::locks::{self, Live};
use crate::records::{LockState, Timestamp};

/// By what kind of lock a file is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeldBy {
    /// A WOPI lock.
    Lock,
    /// A coauth lock, beside others perhaps.
    Coauth,
    /// An exclusive coauth lock.
    CoauthExclusive,
}

/// Somebody who holds a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holder {
    /// Whose token was used to take the lock. A client may go on with it for others.
    pub user: UserId,
    /// What they are called, where that is known.
    pub shown_as: Option<String>,
    /// Since when.
    pub since: Timestamp,
    /// Until when, if nothing renews it.
    pub expires_at: Timestamp,
    /// Through which client; unknown of coauth locks.
    pub client: Option<String>,
    /// How.
    pub by: HeldBy,
}

impl Desk<'_> {
    /// Who holds the file now, longest first. Everybody who may see the file may know.
    pub async fn holders(&self, file: &FileId) -> Result<Vec<Holder>, Denied> {
        let at = self.at_file(file, Right::View).await?;
        let mut holders: Vec<Holder> = match locks::live(&at.record().lock, self.host.now()) {
            Live::Nobody => Vec::new(),
            Live::Wopi(held) => vec![Holder {
                user: held.by.clone(),
                shown_as: None,
                since: held.since,
                expires_at: held.expires_at,
                client: held.client.clone(),
                by: HeldBy::Lock,
            }],
            Live::Coauth(held) => held
                .iter()
                .map(|lock| Holder {
                    user: lock.by.clone(),
                    shown_as: Some(lock.user_name.clone()),
                    since: lock.since,
                    expires_at: lock.expires_at,
                    client: None,
                    by: match lock.kind {
                        CoauthLockType::Coauth => HeldBy::Coauth,
                        CoauthLockType::CoauthExclusive => HeldBy::CoauthExclusive,
                    },
                })
                .collect(),
        };
        let mut names = self.names_of(holders.iter().map(|holder| &holder.user)).await?;
        for holder in &mut holders {
            holder.shown_as = names.remove(&holder.user).or(holder.shown_as.take());
        }
        holders.sort_by_key(|holder| holder.since);
        Ok(holders)
    }

    /// Takes the file away from whoever holds it. What they have not saved by then is refused, and kept for them.
    pub async fn release(&self, file: &FileId) -> Result<(), Denied> {
        let at = self.at_file(file, Right::Own).await?;
        self.host
            .update(file, Some(at.record()), |record, _| {
                record.lock = LockState::Free;
                Ok(((), None))
            })
            .await?;
        tracing::info!(file.id = %file, user.id = %self.person.id(), "somebody released the file");
        Ok(())
    }
}
