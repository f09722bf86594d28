//! What can be done to a file's coauth locks: one method per operation. The rules are in [`crate::coauth`].

use wopi::coauth::{CoauthLockId, CoauthLockMetadata, CoauthLockType, CoauthTableVersion, LockTimeout};
use wopi_service::{CoauthAnswer, Refusal};

use crate::caller::Caller;
use crate::coauth::{self, CoauthRefusal, Wanted};
use crate::host::Host;
use crate::records::{FileRecord, LockState, Timestamp};

impl Host {
    /// GetCoauthLock.
    pub(crate) async fn get_coauth_lock(
        &self,
        by: &Caller,
        id: CoauthLockId,
        kind: CoauthLockType,
        timeout: LockTimeout,
        metadata: CoauthLockMetadata,
    ) -> Result<CoauthAnswer, Refusal> {
        // As with Lock: what another program took away cannot be held.
        let record = self.current(by.file()?).await?;
        let (user, user_name) = (by.user.id.clone(), by.friendly_name());
        let wanted = Wanted { id, kind, timeout, metadata, by: user, user_name };
        self.coauth(&record, |held, now| coauth::get_coauth_lock(held, &wanted, now)).await
    }

    /// RefreshCoauthLock.
    pub(crate) async fn refresh_coauth_lock(
        &self,
        by: &Caller,
        id: &CoauthLockId,
        timeout: LockTimeout,
        metadata: &CoauthLockMetadata,
    ) -> Result<CoauthAnswer, Refusal> {
        let rule = |held: &LockState, now| coauth::refresh_coauth_lock(held, id, timeout, metadata, now);
        self.coauth(by.file()?, rule).await
    }

    /// UnlockCoauthLock.
    pub(crate) async fn unlock_coauth_lock(&self, by: &Caller, id: &CoauthLockId) -> Result<(), Refusal> {
        self.coauth(by.file()?, |held, now| coauth::unlock_coauth_lock(held, id, now)).await.map(|_| ())
    }

    /// GetCoauthTable. Clients ask often, so it changes nothing and waits for nobody.
    pub(crate) fn coauth_table(
        &self,
        by: &Caller,
        known: Option<&CoauthTableVersion>,
    ) -> Result<CoauthAnswer, Refusal> {
        Ok(coauth::coauth_table(&by.file()?.lock, known, self.now())?)
    }

    async fn coauth(
        &self,
        first: &FileRecord,
        rule: impl Fn(&LockState, Timestamp) -> Result<LockState, CoauthRefusal> + Send + Sync,
    ) -> Result<CoauthAnswer, Refusal> {
        let (_, answer) = self
            .update(&first.id, Some(first), |record, now| {
                record.lock = rule(&record.lock, now)?;
                // At the same moment, so that nothing runs out between the decision and what is told of it.
                Ok((coauth::coauth_table(&record.lock, None, now)?, None))
            })
            .await?;
        Ok(answer)
    }
}

#[cfg(test)]
mod tests;
