//! The port of listings, on top of the statements.

use async_trait::async_trait;
use lectern_host::ports::{Listings, Named, RegistryError, Slice};
use lectern_host::records::{ContainerRecord, FileRecord};
use lectern_host::wopi::{ContainerId, FileName};

use super::SqliteRegistry;
use crate::listing;

#[async_trait]
impl Listings for SqliteRegistry {
    async fn files_listed(&self, container: &ContainerId, slice: &Slice) -> Result<Vec<FileRecord>, RegistryError> {
        let (container, slice) = (container.clone(), slice.clone());
        self.read(move |connection| listing::files(connection, &container, &slice)).await
    }

    async fn containers_listed(
        &self,
        parent: &ContainerId,
        after: Option<&FileName>,
        descending: bool,
        limit: usize,
    ) -> Result<Vec<ContainerRecord>, RegistryError> {
        let (parent, after) = (parent.clone(), after.cloned());
        self.read(move |connection| listing::containers(connection, &parent, after.as_ref(), descending, limit)).await
    }

    async fn count_in(&self, container: &ContainerId, max: usize) -> Result<usize, RegistryError> {
        let container = container.clone();
        self.read(move |connection| listing::count(connection, &container, max)).await
    }

    async fn named_like(&self, text: &str, looked_at_max: usize, limit: usize) -> Result<Vec<Named>, RegistryError> {
        let text = text.to_owned();
        self.read(move |connection| listing::named_like(connection, &text, looked_at_max, limit)).await
    }
}
