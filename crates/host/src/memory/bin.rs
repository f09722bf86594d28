//! The bin of the registry in memory.

use async_trait::async_trait;
use wopi::ContainerId;

use super::registry::{MemoryRegistry, found};
use crate::ports::{Bin, BinEntry, RegistryError};
use crate::records::{ContainerRecord, FileRecord, Revision, Timestamp};
use crate::sharing::BinId;

#[async_trait]
impl Bin for MemoryRegistry {
    async fn add_to_bin(&self, entry: &BinEntry, containers: &[ContainerRecord]) -> Result<(), RegistryError> {
        let mut state = self.state();
        if state.bin.contains_key(&entry.id) {
            return Err(RegistryError::Conflict);
        }
        let bare =
            |record: &ContainerRecord| ContainerRecord { revision: Revision::default(), seen: None, ..record.clone() };
        state.bin.insert(entry.id.clone(), (entry.clone(), containers.iter().map(bare).collect()));
        Ok(())
    }

    async fn bin(&self, after: Option<&BinEntry>, limit: usize) -> Result<Vec<BinEntry>, RegistryError> {
        let mut entries: Vec<BinEntry> = self.state().bin.values().map(|(entry, _)| entry.clone()).collect();
        entries.sort_by_key(|entry| std::cmp::Reverse((entry.at, entry.id.clone())));
        entries.retain(|entry| after.is_none_or(|after| (entry.at, &entry.id) < (after.at, &after.id)));
        entries.truncate(limit);
        Ok(entries)
    }

    async fn bin_entry(&self, id: &BinId) -> Result<BinEntry, RegistryError> {
        found(self.state().bin.get(id)).map(|(entry, _)| entry)
    }

    async fn bin_containers(&self, id: &BinId) -> Result<Vec<ContainerRecord>, RegistryError> {
        Ok(self.state().bin.get(id).map(|(_, containers)| containers.clone()).unwrap_or_default())
    }

    async fn files_deleted_in(&self, container: &ContainerId) -> Result<Vec<FileRecord>, RegistryError> {
        let state = self.state();
        let deleted = state.files.values().filter(|file| file.container == *container && file.deleted_at.is_some());
        Ok(deleted.cloned().collect())
    }

    async fn remove_from_bin(&self, id: &BinId) -> Result<(), RegistryError> {
        self.state().bin.remove(id);
        Ok(())
    }

    async fn prune_bin(&self, before: Timestamp) -> Result<u64, RegistryError> {
        let mut state = self.state();
        let many = state.bin.len();
        state.bin.retain(|_, (entry, _)| entry.at >= before);
        Ok((many - state.bin.len()) as u64)
    }
}
