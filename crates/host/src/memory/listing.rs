//! Listings of the registry in memory: everything is sorted anew for every slice.

use async_trait::async_trait;
use wopi::{ContainerId, FileName};

use super::registry::{MemoryRegistry, State};
use crate::order::{folded, sort_key};
use crate::ports::{Listings, Mark, Named, RegistryError, Slice};
use crate::records::{ContainerRecord, FileRecord};

/// All that an order looks at: number, kind, key of the name, and the name where two have one key.
type Rank = (i64, String, String, String);

fn rank(mark: Mark) -> Rank {
    (mark.number, mark.kind, sort_key(&mark.name), mark.name.as_str().to_owned())
}

fn rank_of_name(name: &FileName) -> Rank {
    rank(Mark { number: 0, kind: String::new(), name: name.clone() })
}

/// Those that come after `after`, in their order.
fn ordered<T>(mut all: Vec<(Rank, T)>, after: Option<&Rank>, descending: bool) -> impl Iterator<Item = T> {
    let comes = |one: &Rank, other: &Rank| if descending { other.cmp(one) } else { one.cmp(other) };
    all.retain(|(rank, _)| after.is_none_or(|after| comes(rank, after).is_gt()));
    all.sort_by(|(one, _), (other, _)| comes(one, other));
    all.into_iter().map(|(_, what)| what)
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
        let files = files.map(|file| (rank(Mark::of(file, slice.sort)), file)).collect();
        let after = slice.after.clone().map(rank);
        Ok(ordered(files, after.as_ref(), slice.descending).take(slice.limit).cloned().collect())
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
        let containers = containers.map(|container| (rank_of_name(&container.name), container)).collect();
        let after = after.map(rank_of_name);
        Ok(ordered(containers, after.as_ref(), descending).take(limit).cloned().collect())
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
