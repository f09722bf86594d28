//! Listings as people read them: a page at a time, in the order they ask for.

use async_trait::async_trait;
use wopi::{ContainerId, FileId, FileName};

use super::RegistryError;
use crate::order::kind_key;
use crate::records::{ContainerRecord, FileRecord};

/// By what the files of a container are ordered. Where that is the same, by name ([`crate::order::sort_key`], and then
/// byte for byte).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Sort {
    /// Name.
    #[default]
    Name,
    /// Number of bytes.
    Size,
    /// Time of the last change.
    Time,
    /// Extension ([`kind_key`]).
    Kind,
}

/// Where a slice of a listing ended: all that the order looks at, of the last file in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mark {
    /// Size in bytes, or the time as [`crate::records::ModifiedAt`] has it; 0 where neither counts.
    pub number: i64,
    /// The extension as [`kind_key`] has it; empty where it does not count.
    pub kind: String,
    /// The name.
    pub name: FileName,
}

impl Mark {
    /// What an order looks at of this file.
    pub fn of(file: &FileRecord, sort: Sort) -> Self {
        let number = match sort {
            // Sizes are stored with the same 64 bits; none has the highest of them.
            Sort::Size => file.content.size.cast_signed(),
            Sort::Time => file.content.modified_at.0,
            Sort::Name | Sort::Kind => 0,
        };
        let kind = if sort == Sort::Kind { kind_key(&file.name) } else { String::new() };
        Self { number, kind, name: file.name.clone() }
    }
}

/// A part of a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Slice {
    /// The order.
    pub sort: Sort,
    /// The other way round, names included.
    pub descending: bool,
    /// Only what comes after this in that order. The file may be gone, or may have changed since.
    pub after: Option<Mark>,
    /// At most so many.
    pub limit: usize,
}

/// Something that has a name in a container.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Named {
    /// A file.
    File(FileId),
    /// A container.
    Container(ContainerId),
}

/// The part of a registry that people's listings are read from.
///
/// * Slices of one listing, each after the last file of the one before, have every file that was there all the time
///   exactly once.
/// * By name, a slice costs what is in it, however much is in the container. Any other order may cost a look at all of it.
#[async_trait]
pub trait Listings: Send + Sync {
    /// A slice of the files in a container, not deleted.
    async fn files_listed(&self, container: &ContainerId, slice: &Slice) -> Result<Vec<FileRecord>, RegistryError>;

    /// The containers in a container by name, after that one, at most `limit`.
    async fn containers_listed(
        &self,
        parent: &ContainerId,
        after: Option<&FileName>,
        descending: bool,
        limit: usize,
    ) -> Result<Vec<ContainerRecord>, RegistryError>;

    /// How many files and containers are in a container; no further than `max` is counted.
    async fn count_in(&self, container: &ContainerId, max: usize) -> Result<usize, RegistryError>;

    /// Files and containers, not deleted, whose name has this text in it, both as [`crate::order::folded`] has them: at
    /// most `limit`, among the first `looked_at_max` names, in no order. The root is not among them.
    async fn named_like(&self, text: &str, looked_at_max: usize, limit: usize) -> Result<Vec<Named>, RegistryError>;
}
