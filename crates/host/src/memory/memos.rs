//! The memos of the registry in memory.

use async_trait::async_trait;

use super::registry::MemoryRegistry;
use crate::ports::{Memo, Memos, RegistryError};
use crate::records::{RefusedRequest, Revision, Timestamp};

#[async_trait]
impl Memos for MemoryRegistry {
    async fn memo(&self, name: &str, now: Timestamp) -> Result<Option<Memo>, RegistryError> {
        Ok(self.state().memos.get(name).filter(|memo| now < memo.until).cloned())
    }

    async fn put_memo(
        &self,
        name: &str,
        seen: Option<Revision>,
        value: &[u8],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Revision, RegistryError> {
        let mut state = self.state();
        let there = state.memos.get(name);
        if there.filter(|memo| now < memo.until).map(|memo| memo.revision) != seen {
            return Err(RegistryError::Conflict);
        }
        // One that ran out still counts, so that a revision never comes again.
        let revision = Revision(there.map_or(0, |memo| memo.revision.0) + 1);
        state.memos.insert(name.to_owned(), Memo { value: value.to_vec(), revision, until });
        Ok(revision)
    }

    async fn remove_memo(&self, name: &str, seen: Revision, now: Timestamp) -> Result<(), RegistryError> {
        let mut state = self.state();
        match state.memos.get_mut(name) {
            Some(memo) if memo.revision == seen && now < memo.until => {
                *memo = Memo { value: Vec::new(), revision: Revision(seen.0 + 1), until: now };
                Ok(())
            }
            _ => Err(RegistryError::Conflict),
        }
    }

    async fn prune_memos(&self, before: Timestamp) -> Result<u64, RegistryError> {
        let mut state = self.state();
        let many = state.memos.len();
        state.memos.retain(|_, memo| memo.until >= before);
        Ok((many - state.memos.len()) as u64)
    }

    async fn add_refusals(&self, refused: &[RefusedRequest], kept_max: usize) -> Result<(), RegistryError> {
        let mut state = self.state();
        state.refused.extend_from_slice(refused);
        let over = state.refused.len().saturating_sub(kept_max);
        state.refused.drain(..over);
        Ok(())
    }

    async fn refusals(&self, limit: usize) -> Result<Vec<RefusedRequest>, RegistryError> {
        Ok(self.state().refused.iter().rev().take(limit).cloned().collect())
    }
}
