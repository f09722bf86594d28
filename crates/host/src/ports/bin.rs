//! What was deleted and may come back, as a registry remembers it.

use async_trait::async_trait;
use wopi::{ContainerId, FileName, UserId};

use super::RegistryError;
use crate::records::{ContainerRecord, FileRecord, Timestamp};
use crate::sharing::{BinId, Item};

/// Something that somebody deleted. Files go on being records with a time of deletion; of containers nothing else is left.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BinEntry {
    /// Its id.
    pub id: BinId,
    /// What was deleted: a file, or a container with all that was in it.
    pub item: Item,
    /// What it was called.
    pub name: FileName,
    /// Where it was.
    pub container: ContainerId,
    /// Who deleted it.
    pub by: UserId,
    /// When.
    pub at: Timestamp,
}

/// The part of a registry that remembers what was deleted by people.
#[async_trait]
pub trait Bin: Send + Sync {
    /// Remembers a deletion that is about to happen; of a container also the containers that go with it, each after the
    /// one it is in.
    async fn add_to_bin(&self, entry: &BinEntry, containers: &[ContainerRecord]) -> Result<(), RegistryError>;
    /// What was deleted, latest first, after that one, at most `limit`.
    async fn bin(&self, after: Option<&BinEntry>, limit: usize) -> Result<Vec<BinEntry>, RegistryError>;
    /// The deletion with this id.
    async fn bin_entry(&self, id: &BinId) -> Result<BinEntry, RegistryError>;
    /// The containers that went with a deletion, each after the one it was in. What the folder showed of them, and their
    /// revisions, are not remembered.
    async fn bin_containers(&self, id: &BinId) -> Result<Vec<ContainerRecord>, RegistryError>;
    /// The files that were deleted in a container, whether that is there or not.
    async fn files_deleted_in(&self, container: &ContainerId) -> Result<Vec<FileRecord>, RegistryError>;
    /// Forgets a deletion; none is success.
    async fn remove_from_bin(&self, id: &BinId) -> Result<(), RegistryError>;
    /// Forgets what was deleted before a moment. Returns how many.
    async fn prune_bin(&self, before: Timestamp) -> Result<u64, RegistryError>;
}
