//! From what a port could not do to what a client is told: one function per port, every variant named.

use wopi::WopiError;
use wopi::coauth::ConflictingMechanism;
use wopi_service::Refusal;

use crate::coauth::{ChunkedMismatch, CoauthRefusal};
use crate::locks::{Blocker, LockMismatch};
use crate::ports::{ContentsError, RegistryError, TreeError};
use crate::records::CoauthTable;
use crate::saving::SaveRefusal;

/// After how many seconds a client should come back from passing trouble.
pub const RETRY_AFTER_SECONDS: u32 = 5;

fn busy(because: String) -> Refusal {
    Refusal::new(WopiError::Busy { retry_after: RETRY_AFTER_SECONDS }, because)
}

/// An error with its chain of causes.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// What the registry could not do. `doing` is what was tried, for the operator.
pub fn registry(doing: &str, error: &RegistryError) -> Refusal {
    let because = format!("{doing}: {}", chain(error));
    match error {
        RegistryError::NotFound => Refusal::new(WopiError::NotFound, because),
        RegistryError::NameTaken => Refusal::new(WopiError::NameTaken { valid: None }, because),
        RegistryError::NotEmpty => Refusal::new(WopiError::NotEmpty, because),
        // A full disk passes when somebody makes room. 404 or 413 would make clients give the edit up.
        // What was condemned took longer than a save may; the client still has the bytes and sends them again.
        RegistryError::Conflict | RegistryError::Condemned | RegistryError::Full(_) | RegistryError::Unavailable(_) => {
            busy(because)
        }
        RegistryError::Failed(_) => Refusal::internal(because),
    }
}

/// What contents could not do.
pub fn contents(doing: &str, error: &ContentsError) -> Refusal {
    let because = format!("{doing}: {}", chain(error));
    match error {
        ContentsError::TooLarge { .. } => Refusal::new(WopiError::TooLarge, because),
        // What we put together out of what we hold is not the client's to mend.
        ContentsError::Body(source) if is_passing(&**source) => busy(because),
        ContentsError::Body(_) => Refusal::new(WopiError::InvalidRequest { header: "body" }, because),
        ContentsError::Full(_) | ContentsError::Unavailable(_) => busy(because),
        // A content that a record points to and that is not there is our failure, not the client's.
        ContentsError::NotFound | ContentsError::Failed(_) => Refusal::internal(because),
    }
}

/// Whether passing trouble of ours is behind an error.
fn is_passing(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(|cause| {
        matches!(cause.downcast_ref(), Some(ContentsError::Full(_) | ContentsError::Unavailable(_)))
            || matches!(cause.downcast_ref(), Some(Refusal { error: WopiError::Busy { .. }, .. }))
    })
}

/// A body of our own, put together out of what we hold, broke off: the client is told what is behind that.
pub fn own_body(doing: &str, error: &(dyn std::error::Error + 'static)) -> Refusal {
    let because = format!("{doing}: {}", chain(error));
    let causes = std::iter::successors(Some(error), |error| error.source());
    for cause in causes {
        if let Some(refusal) = cause.downcast_ref::<Refusal>() {
            return Refusal::new(refusal.error.clone(), because);
        }
        if let Some(ContentsError::Full(_) | ContentsError::Unavailable(_)) = cause.downcast_ref::<ContentsError>() {
            return busy(because);
        }
    }
    Refusal::internal(because)
}

/// What the folder could not do.
pub fn tree(doing: &str, error: &TreeError) -> Refusal {
    let because = format!("{doing}: {}", chain(error));
    match error {
        TreeError::NotFound => Refusal::new(WopiError::NotFound, because),
        TreeError::NameTaken => Refusal::new(WopiError::NameTaken { valid: None }, because),
        TreeError::NotEmpty => Refusal::new(WopiError::NotEmpty, because),
        TreeError::NameRefused => Refusal::new(
            WopiError::IllegalName {
                reason: "the file system refuses the name".to_owned(),
                valid: None,
                container: false,
            },
            because,
        ),
        TreeError::Full(_) | TreeError::Unavailable(_) => busy(because),
        TreeError::Failed(_) => Refusal::internal(because),
    }
}

impl From<LockMismatch> for Refusal {
    fn from(LockMismatch { held, reason }: LockMismatch) -> Self {
        let because = reason.clone();
        let mechanism = None;
        let error = match held {
            Blocker::Nothing => WopiError::LockMismatch { current: None, reason, username: None, mechanism },
            Blocker::Wopi { current, visible_as } => {
                WopiError::LockMismatch { current: Some(current), reason, username: visible_as, mechanism }
            }
            // To the classic operations coauth locks are somebody else's: no lock id is told.
            Blocker::Coauth | Blocker::CoauthExclusive => WopiError::HeldOtherwise { reason, mechanism },
        };
        Self::new(error, because)
    }
}

/// PutChunkedFile also learns what kind of lock it met; `Coauth` locks have no word for it.
impl From<ChunkedMismatch> for Refusal {
    fn from(ChunkedMismatch(no): ChunkedMismatch) -> Self {
        let met = match no.held {
            Blocker::Nothing | Blocker::Coauth => None,
            Blocker::Wopi { .. } => Some(ConflictingMechanism::WopiLock),
            Blocker::CoauthExclusive => Some(ConflictingMechanism::CoauthExclusiveLock),
        };
        let mut refusal = Self::from(no);
        if let WopiError::LockMismatch { mechanism, .. } | WopiError::HeldOtherwise { mechanism, .. } =
            &mut refusal.error
        {
            *mechanism = met;
        }
        refusal
    }
}

impl From<CoauthRefusal> for Refusal {
    fn from(no: CoauthRefusal) -> Self {
        let refused = |reason: &str, username| {
            let error = WopiError::CoauthLockRefused { reason: reason.to_owned(), username };
            Self::new(error, reason.to_owned())
        };
        match no {
            CoauthRefusal::Locked(LockMismatch { held: Blocker::Wopi { visible_as, .. }, reason }) => {
                refused(&reason, visible_as)
            }
            CoauthRefusal::Locked(LockMismatch { reason, .. }) => refused(&reason, None),
            CoauthRefusal::ExclusiveElsewhere => refused("another client coauthors the file exclusively", None),
            CoauthRefusal::NotHeld => refused("there is no coauth lock with this id; it ran out or was released", None),
            CoauthRefusal::Full => busy(format!("the file has {} coauth locks already", CoauthTable::LOCKS_MAX)),
        }
    }
}

impl From<SaveRefusal> for Refusal {
    fn from(no: SaveRefusal) -> Self {
        match no {
            SaveRefusal::Lock(no) => no.into(),
            SaveRefusal::Stale { given, current } => Self::new(
                WopiError::StaleTimestamp,
                format!("the client saw the file of {}, it is of {current} now", wopi::route::for_log(&given)),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_of_ours_that_breaks_off_for_a_while_is_not_the_clients_fault() {
        let away = || ContentsError::Unavailable("the store is away".into());
        let statuses = [
            contents("storing", &ContentsError::Body(Box::new(away()))),
            contents("storing", &ContentsError::Body(Box::new(ContentsError::Body(Box::new(away()))))),
            contents("storing", &ContentsError::Body("the client went away".into())),
        ]
        .map(|refusal| matches!(refusal.error, WopiError::Busy { .. }));
        assert_eq!(statuses, [true, true, false]);
    }
}
