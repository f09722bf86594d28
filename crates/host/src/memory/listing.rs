//! Listings of the registry in memory: everything is sorted anew for every slice.

use std::cmp::Ordering;

use async_trait::async_trait;
use wopi::{ContainerId, FileName};

use super::registry::{MemoryRegistry, State};
use crate::order::{folded, sort_key};
use crate::ports::{Listings, Mark, Named, RegistryError, Slice};
use crate::records::{ContainerRecord, FileRecord};

/// By key, and by the names themselves where two have one key.
fn by_name(one: &FileName, other: &FileName) -> Ordering {
    sort_key(one).cmp(&sort_key(other)).then_with(|| one.as_str().cmp(other.as_str()))
}

fn by_mark(one: &Mark, other: &Mark) -> Ordering {
    (one.number, &one.kind).cmp(&(other.number, &other.kind)).then_with(|| by_name(&one.name, &other.name))
}

fn directed(order: Ordering, descending: bool) -> Ordering {
    if descending { order.reverse() } else { order }
}

impl State {
    fn named_in<'a>(&'a self, container: &'a ContainerId) -> impl Iterator<Item = &'a Named> + 'a {
        self.names.iter().filter(move |((of, _), _)| of == container).map(|(_, named)| named)
    }
}

#[async_trait]
impl Listings for MemoryRegistry {
    async fn files_listed(&self, container: &ContainerId, slice: &Slice) -> Result<Vec<FileRecord>, RegistryError> {
        let state = self.state();
        let files = state.named_in(container).filter_map(|named| match named {
            Named::File(id) => state.files.get(id),
            Named::Container(_) => None,
        });
        let mut files: Vec<(Mark, &FileRecord)> = files.map(|file| (Mark::of(file, slice.sort), file)).collect();
        let order = |one: &Mark, other: &Mark| directed(by_mark(one, other), slice.descending);
        files.sort_by(|(one, _), (other, _)| order(one, other));
        let after = |mark: &Mark| slice.after.as_ref().is_none_or(|after| order(mark, after).is_gt());
        Ok(files.into_iter().filter(|(mark, _)| after(mark)).take(slice.limit).map(|(_, file)| file.clone()).collect())
    }

    async fn containers_listed(
        &self,
        parent: &ContainerId,
        after: Option<&FileName>,
        descending: bool,
        limit: usize,
    ) -> Result<Vec<ContainerRecord>, RegistryError> {
        let state = self.state();
        let containers = state.named_in(parent).filter_map(|named| match named {
            Named::Container(id) => state.containers.get(id),
            Named::File(_) => None,
        });
        let order = |one: &FileName, other: &FileName| directed(by_name(one, other), descending);
        let mut containers: Vec<&ContainerRecord> =
            containers.filter(|container| after.is_none_or(|after| order(&container.name, after).is_gt())).collect();
        containers.sort_by(|one, other| order(&one.name, &other.name));
        Ok(containers.into_iter().take(limit).cloned().collect())
    }

    async fn count_in(&self, container: &ContainerId, max: usize) -> Result<usize, RegistryError> {
        Ok(self.state().named_in(container).take(max).count())
    }

    async fn named_like(&self, text: &str, looked_at_max: usize, limit: usize) -> Result<Vec<Named>, RegistryError> {
        let state = self.state();
        let names = state.names.iter().take(looked_at_max);
        let found = names.filter(|((_, name), _)| folded(name.as_str()).contains(text)).map(|(_, named)| named.clone());
        Ok(found.take(limit).collect())
    }
}
