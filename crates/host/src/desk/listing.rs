//! A container a page at a time, the way to it, and search by name.
//!
//! A listing begins with the containers, by name, and goes on with the files in the order that was asked for. A page of it
//! costs what is on it, by name; any other order is offered where a container has at most [`SORTED_MAX`] things in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use wopi::{ContainerId, FileId, FileName, ItemVersion, UserId};

use super::{Denied, Desk};
use crate::access::Right;
use crate::locks;
use crate::order::{folded, sort_key};
use crate::ports::{CONTAINER_DEPTH_MAX, Mark, Named, RegistryError, Slice, Sort};
use crate::records::{ContainerRecord, FileRecord, ModifiedAt, Timestamp};

/// Most things in a container for which files are ordered otherwise than by name.
pub const SORTED_MAX: usize = 20_000;

/// Most things in a container whose folder is looked at before its first page is shown, so that what another program did
/// a moment ago is on it. A larger one is kept up to date by hints and scans only.
pub const LOOKED_AT_MAX: usize = 1_000;

/// Most things on a page.
pub const PAGE_MAX: usize = 1_000;

/// Most finds on a page of a search.
pub const FOUND_PER_PAGE: usize = 200;

/// Most names that a search looks at.
pub const SEARCHED_MAX: usize = 2_000_000;

/// Most finds of a search, on all of its pages. Of each it is looked up where it is and whether the person may have it.
pub const FOUND_MAX: usize = 2_000;

/// Most finds anywhere that a search below a container looks through for those that are there.
const CANDIDATES_MAX: usize = 20_000;

/// Longest text that is searched for, in characters.
pub const SEARCH_LENGTH_MAX: usize = 200;

/// How a listing is ordered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Order {
    /// By what.
    pub sort: Sort,
    /// The other way round.
    pub descending: bool,
}

/// Where the next page of a listing begins. As text it can stand in a URL, once that has encoded it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cursor {
    /// After the container of this name.
    Containers(FileName),
    /// After this file; before all of them without.
    Files(Option<Mark>),
}

impl Cursor {
    /// The cursor that [`Self::as_text`] gave.
    pub fn parse(text: &str) -> Option<Self> {
        let (which, rest) = text.split_at_checked(1)?;
        match which {
            "c" => FileName::parse(rest).ok().map(Self::Containers),
            "f" if rest.is_empty() => Some(Self::Files(None)),
            "f" => {
                let mut parts = rest.splitn(3, '/');
                let (number, kind, name) = (parts.next()?, parts.next()?, parts.next()?);
                let (number, name) = (number.parse().ok()?, FileName::parse(name).ok()?);
                Some(Self::Files(Some(Mark { number, kind: kind.to_owned(), name })))
            }
            _ => None,
        }
    }

    /// The text for it.
    pub fn as_text(&self) -> String {
        match self {
            Self::Containers(name) => format!("c{name}"),
            Self::Files(None) => "f".to_owned(),
            // Neither a kind nor a name has a slash in it.
            Self::Files(Some(Mark { number, kind, name })) => format!("f{number}/{kind}/{name}"),
        }
    }
}

/// A file in a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileEntry {
    /// Its id.
    pub id: FileId,
    /// The container it is in.
    pub container: ContainerId,
    /// Its name.
    pub name: FileName,
    /// How many bytes.
    pub size: u64,
    /// When it was changed last.
    pub modified_at: ModifiedAt,
    /// Who did; `None` for another program.
    pub saved_by: Option<UserId>,
    /// Its version.
    pub version: ItemVersion,
    /// Whether somebody holds it now.
    pub held: bool,
}

impl FileEntry {
    pub(crate) fn of(record: &FileRecord, now: Timestamp) -> Self {
        Self {
            id: record.id.clone(),
            container: record.container.clone(),
            name: record.name.clone(),
            size: record.content.size,
            modified_at: record.content.modified_at,
            saved_by: record.content.saved_by.clone(),
            version: record.version,
            held: locks::is_held(&record.lock, now),
        }
    }
}

/// Something in a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Entry {
    /// A container.
    Container(Step),
    /// A file.
    File(FileEntry),
}

impl Entry {
    /// What it is called.
    pub fn name(&self) -> &FileName {
        match self {
            Self::Container(step) => &step.name,
            Self::File(file) => &file.name,
        }
    }
}

/// A container, as listings and the way to something have it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// Its id.
    pub id: ContainerId,
    /// Its name.
    pub name: FileName,
    /// When we first knew it.
    pub created_at: Timestamp,
}

impl Step {
    pub(crate) fn of(record: &ContainerRecord) -> Self {
        Self { id: record.id.clone(), name: record.name.clone(), created_at: record.created_at }
    }
}

/// A page of a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listing {
    /// The container.
    pub container: Step,
    /// The way to it, from the outermost container that the person may see to the one it is in.
    pub way: Vec<Step>,
    /// What the person may do here.
    pub right: Right,
    /// How it is ordered. By name, where so much is in the container that nothing else is offered.
    pub order: Order,
    /// What is on the page.
    pub entries: Vec<Entry>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<Cursor>,
}

/// Something that a search found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Find {
    /// What it is.
    pub entry: Entry,
    /// The way to it.
    pub way: Vec<Step>,
    /// What the person may do with it.
    pub right: Right,
}

/// A page of what a search found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// Below which container was searched.
    pub below: Option<Step>,
    /// By name.
    pub finds: Vec<Find>,
    /// How many finds come before the next page; `None` on the last.
    pub next: Option<usize>,
    /// Whether so much was found that not everything was looked at.
    pub cut: bool,
}

impl Desk<'_> {
    /// The root, where everybody begins who may see it.
    pub async fn root(&self) -> Result<Step, Denied> {
        let root = self.host.ports.registry.root().await.map_err(|e| Denied::registry("reading the root", &e))?;
        Ok(Step::of(&self.at_container(&root.id, Right::View).await?.record))
    }

    /// A page of what is in a container, `limit` things at most.
    pub async fn list(
        &self,
        container: &ContainerId,
        order: Order,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Listing, Denied> {
        let registry = &self.host.ports.registry;
        let at = self.at_container(container, Right::View).await?;
        let failed = |error: RegistryError| Denied::registry("listing a container", &error);
        // Counting costs a look at each name, so no further is counted than it matters for this page.
        let counts_to = match (order.sort, after) {
            (Sort::Name, None) => LOOKED_AT_MAX,
            (Sort::Name, Some(_)) => 0,
            _ => SORTED_MAX.max(LOOKED_AT_MAX),
        };
        let count = match counts_to {
            0 => 0,
            max => registry.count_in(container, max + 1).await.map_err(failed)?,
        };
        let gone =
            if after.is_none() && count <= LOOKED_AT_MAX { Some(self.host.reconcile(container).await?) } else { None };
        let order = if count > SORTED_MAX { Order { sort: Sort::Name, ..order } } else { order };
        let limit = limit.clamp(1, PAGE_MAX);

        let mut entries = Vec::with_capacity(limit.min(100));
        let mut next = None;
        let after_files = match after {
            Some(Cursor::Files(mark)) => Some(mark.clone()),
            Some(Cursor::Containers(_)) | None => None,
        };
        if after_files.is_none() {
            let name = match after {
                Some(Cursor::Containers(name)) => Some(name),
                Some(Cursor::Files(_)) | None => None,
            };
            // Containers have no size and no kind: the order of files turns them round only where it is their own.
            let descending = order.descending && order.sort == Sort::Name;
            let page = registry.containers_listed(container, name, descending, limit + 1).await.map_err(failed)?;
            for record in &page {
                if entries.len() == limit {
                    next = entries.last().map(|last: &Entry| Cursor::Containers(last.name().clone()));
                    break;
                }
                if gone.as_ref().is_none_or(|gone| !gone.containers.contains(&record.id)) {
                    entries.push(Entry::Container(Step::of(record)));
                }
            }
            if next.is_none() && page.len() > limit {
                // Those that are gone made room for others.
                next = page.get(limit - 1).map(|last| Cursor::Containers(last.name.clone()));
            }
        }
        if next.is_none() {
            let room = limit - entries.len();
            let slice =
                Slice { sort: order.sort, descending: order.descending, after: after_files.flatten(), limit: room + 1 };
            let page = registry.files_listed(container, &slice).await.map_err(failed)?;
            if page.len() > room {
                next = Some(match room.checked_sub(1).and_then(|last| page.get(last)) {
                    Some(last) => Cursor::Files(Some(Mark::of(last, order.sort))),
                    None => Cursor::Files(slice.after),
                });
            }
            let now = self.host.now();
            let shown = page
                .iter()
                .take(room)
                .filter(|record| gone.as_ref().is_none_or(|gone| !gone.files.contains(&record.id)));
            entries.extend(shown.map(|record| Entry::File(FileEntry::of(record, now))));
        }
        let way = way_of(at.above.get(1..).unwrap_or_default(), at.rights.get(1..).unwrap_or_default());
        Ok(Listing { container: Step::of(&at.record), way, right: at.right, order, entries, next })
    }

    /// The way to a file: the containers it is in, from the outermost that the person may see.
    pub async fn way_to(&self, file: &FileId) -> Result<Vec<Step>, Denied> {
        let at = self.at_file(file, Right::View).await?;
        let (_, rights) = self.rights_of(None, &at.located.containers).await?;
        Ok(way_of(&at.located.containers, &rights))
    }

    /// A file as listings have it, and what the person may do with it.
    pub async fn file_entry(&self, file: &FileId) -> Result<(FileEntry, Right), Denied> {
        let at = self.at_file(file, Right::View).await?;
        let record = self.host.current(at.record()).await?;
        Ok((FileEntry::of(&record, self.host.now()), at.right))
    }

    /// Files and containers whose name has this text in it, letter case and accents aside, below a container or anywhere,
    /// that the person may see: a page of them, after the first `from`.
    pub async fn search(&self, text: &str, below: Option<&ContainerId>, from: usize) -> Result<Found, Denied> {
        let text: String = text.trim().chars().take(SEARCH_LENGTH_MAX).collect();
        let text = folded(&text);
        let below = match below {
            Some(below) => Some(Step::of(&self.at_container(below, Right::View).await?.record)),
            None => None,
        };
        let mut found = Found { below, finds: Vec::new(), next: None, cut: false };
        if text.is_empty() {
            return Ok(found);
        }
        let candidates_max = if found.below.is_some() { CANDIDATES_MAX } else { FOUND_MAX };
        let named = self.host.ports.registry.named_like(&text, SEARCHED_MAX, candidates_max).await;
        let named = named.map_err(|e| Denied::registry("searching names", &e))?;
        found.cut = named.len() == candidates_max;
        let mut known = found.below.as_ref().map(|below| BTreeMap::from([(below.id.clone(), true)]));
        for named in &named {
            if let Some(known) = &mut known
                && !self.is_below(named, known).await?
            {
                continue;
            }
            if found.finds.len() == FOUND_MAX {
                found.cut = true;
                break;
            }
            found.finds.extend(self.found(named).await?);
        }
        let key = |find: &Find| (sort_key(find.entry.name()), find.entry.name().as_str().to_owned());
        found.finds.sort_by_cached_key(key);
        let from = from.min(found.finds.len());
        found.finds.drain(..from);
        if found.finds.len() > FOUND_PER_PAGE {
            found.finds.truncate(FOUND_PER_PAGE);
            found.next = Some(from + FOUND_PER_PAGE);
        }
        Ok(found)
    }

    /// Whether something is in a container that is known to be below the one that is searched, or becomes known to be.
    async fn is_below(&self, named: &Named, known: &mut BTreeMap<ContainerId, bool>) -> Result<bool, Denied> {
        let registry = &self.host.ports.registry;
        let above = match named {
            Named::File(id) => registry.file(id).await.map(|file| Some(file.container)),
            Named::Container(id) => registry.container(id).await.map(|container| container.parent),
        };
        let mut above = match above {
            Ok(above) => above,
            Err(RegistryError::NotFound) => None,
            Err(error) => return Err(Denied::registry("reading where something is", &error)),
        };
        let mut passed = Vec::new();
        let mut is_below = false;
        while let Some(id) = above.take() {
            if let Some(known) = known.get(&id) {
                is_below = *known;
                break;
            }
            if passed.len() < CONTAINER_DEPTH_MAX {
                above = match registry.container(&id).await {
                    Ok(container) => container.parent,
                    Err(RegistryError::NotFound) => None,
                    Err(error) => return Err(Denied::registry("reading a container", &error)),
                };
            }
            passed.push(id);
        }
        known.extend(passed.into_iter().map(|id| (id, is_below)));
        Ok(is_below)
    }

    /// What was found, if the person may see it and it still is there.
    async fn found(&self, named: &Named) -> Result<Option<Find>, Denied> {
        let registry = &self.host.ports.registry;
        match named {
            Named::File(id) => match registry.file_and_containers(id).await {
                Ok((record, containers)) => {
                    let containers: Vec<_> = containers.into_iter().map(Arc::new).collect();
                    let (right, rights) = self.rights_of(Some(&record), &containers).await?;
                    let right = right.filter(|_| record.deleted_at.is_none());
                    let entry = Entry::File(FileEntry::of(&record, self.host.now()));
                    Ok(right.map(|right| Find { entry, way: way_of(&containers, &rights), right }))
                }
                Err(RegistryError::NotFound) => Ok(None),
                Err(error) => Err(Denied::registry("reading a file", &error)),
            },
            Named::Container(id) => match registry.container(id).await {
                Ok(record) => {
                    let above = self.host.containers_from(&record).await?;
                    let (right, rights) = self.rights_of(None, &above).await?;
                    let way = way_of(above.get(1..).unwrap_or_default(), rights.get(1..).unwrap_or_default());
                    Ok(right.map(|right| Find { entry: Entry::Container(Step::of(&record)), way, right }))
                }
                Err(RegistryError::NotFound) => Ok(None),
                Err(error) => Err(Denied::registry("reading a container", &error)),
            },
        }
    }
}

/// From the outermost container that the person may see down to the innermost.
fn way_of(above: &[Arc<ContainerRecord>], rights: &[Option<Right>]) -> Vec<Step> {
    let seen = above.iter().zip(rights).filter(|(_, right)| right.is_some());
    let mut way: Vec<Step> = seen.map(|(container, _)| Step::of(container)).collect();
    way.reverse();
    way
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text() {
        let name = |text: &str| FileName::parse(text).unwrap();
        let mark = |number, kind: &str, text: &str| Mark { number, kind: kind.to_owned(), name: name(text) };
        for cursor in [
            Cursor::Containers(name("Über uns")),
            Cursor::Files(None),
            Cursor::Files(Some(mark(0, "", "a.docx"))),
            Cursor::Files(Some(mark(i64::MIN, "", "f"))),
            Cursor::Files(Some(mark(i64::MAX, "docx", "c 1 2.docx"))),
        ] {
            assert_eq!(Cursor::parse(&cursor.as_text()), Some(cursor.clone()), "{}", cursor.as_text());
        }
        for text in ["", "c", "x", "f1", "f1/docx", "f1/docx/", "fx/docx/a", "ca/b", "f1/d/a/b", "ü"] {
            assert_eq!(Cursor::parse(text), None, "{text}");
        }
    }
}
