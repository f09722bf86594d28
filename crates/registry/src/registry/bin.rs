//! The port of the bin, on top of the statements.

use async_trait::async_trait;
use lectern_host::ports::{Bin, BinEntry, RegistryError};
use lectern_host::records::{ContainerRecord, FileRecord, Timestamp};
use lectern_host::sharing::BinId;
use lectern_host::wopi::ContainerId;

use super::SqliteRegistry;
use crate::bin;
use crate::writer::Extent;

#[async_trait]
impl Bin for SqliteRegistry {
    async fn add_to_bin(&self, entry: &BinEntry, containers: &[ContainerRecord]) -> Result<(), RegistryError> {
        let (entry, containers) = (entry.clone(), containers.to_vec());
        self.write(Extent::Several, move |connection, _| bin::add(connection, &entry, &containers)).await
    }

    async fn bin(&self, after: Option<&BinEntry>, limit: usize) -> Result<Vec<BinEntry>, RegistryError> {
        let after = after.cloned();
        self.read(move |connection| bin::list(connection, after.as_ref(), limit)).await
    }

    async fn bin_entry(&self, id: &BinId) -> Result<BinEntry, RegistryError> {
        let id = id.clone();
        self.read(move |connection| bin::entry(connection, &id)).await
    }

    async fn bin_containers(&self, id: &BinId) -> Result<Vec<ContainerRecord>, RegistryError> {
        let id = id.clone();
        self.read(move |connection| bin::containers(connection, &id)).await
    }

    async fn files_deleted_in(&self, container: &ContainerId) -> Result<Vec<FileRecord>, RegistryError> {
        let container = container.clone();
        self.read(move |connection| bin::files_deleted_in(connection, &container)).await
    }

    async fn remove_from_bin(&self, id: &BinId) -> Result<(), RegistryError> {
        let id = id.clone();
        self.write(Extent::Several, move |connection, _| bin::remove(connection, &id)).await
    }

    async fn prune_bin(&self, before: Timestamp) -> Result<u64, RegistryError> {
        self.write(Extent::Several, move |connection, _| bin::prune(connection, before)).await
    }
}
