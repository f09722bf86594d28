//! The port of memos, on top of the statements.

use async_trait::async_trait;
use lectern_host::ports::{Memo, Memos, RegistryError};
use lectern_host::records::{RefusedRequest, Revision, Timestamp};

use super::SqliteRegistry;
use crate::memos;
use crate::writer::Extent;

#[async_trait]
impl Memos for SqliteRegistry {
    async fn memo(&self, name: &str, now: Timestamp) -> Result<Option<Memo>, RegistryError> {
        let name = name.to_owned();
        self.read(move |connection| memos::memo(connection, &name, now)).await
    }

    async fn put_memo(
        &self,
        name: &str,
        seen: Option<Revision>,
        value: &[u8],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Revision, RegistryError> {
        let (name, value) = (name.to_owned(), value.to_vec());
        self.write(Extent::OneStatement, move |connection, _| memos::put(connection, &name, seen, &value, until, now))
            .await
    }

    async fn remove_memo(&self, name: &str, seen: Revision, now: Timestamp) -> Result<(), RegistryError> {
        let name = name.to_owned();
        self.write(Extent::OneStatement, move |connection, _| memos::remove(connection, &name, seen, now)).await
    }

    async fn prune_memos(&self, before: Timestamp) -> Result<u64, RegistryError> {
        self.write(Extent::OneStatement, move |connection, _| memos::prune(connection, before)).await
    }

    async fn add_refusals(&self, refused: &[RefusedRequest], kept_max: usize) -> Result<(), RegistryError> {
        let refused = refused.to_vec();
        self.write(Extent::Several, move |connection, _| memos::add_refusals(connection, &refused, kept_max)).await
    }

    async fn refusals(&self, limit: usize) -> Result<Vec<RefusedRequest>, RegistryError> {
        self.read(move |connection| memos::refusals(connection, limit)).await
    }
}
