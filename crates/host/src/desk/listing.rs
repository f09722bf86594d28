//! A container a page at a time, the way to it, and search by name.
//!
//! A listing begins with the containers, by name, and goes on with the files in the order that was asked for. A page of it
//! costs what is on it, by name; any other order is offered where a container has at most [`SORTED_MAX`] things in it.

use std::sync::Arc;

use wopi::{ContainerId, FileId, FileName, ItemVersion, UserId};

use super::{Denied, Desk};
use crate::access::Right;
use crate::locks;
use crate::order::{folded, sort_key};
use crate::ports::{Mark, Named, RegistryError, Slice, Sort};
use crate::records::{ContainerRecord, FileRecord, ModifiedAt, Timestamp};

/// Most things in a container for which files are ordered otherwise than by name.
pub const SORTED_MAX: usize = 20_000;

/// Most things in a container whose folder is looked at before its first page is shown, so that what another program did
/// a moment ago is on it. A larger one is kept up to date by hints and scans only.
pub const LOOKED_AT_MAX: usize = 1_000;

/// Most things on a page.
pub const PAGE_MAX: usize = 1_000;

/// Most things that a search finds.
pub const FOUND_MAX: usize = 200;

/// Most names that a search looks at.
pub const SEARCHED_MAX: usize = 2_000_000;

/// Most finds that are looked into, to see whether the person may have them, before [`FOUND_MAX`] are.
const CANDIDATES_MAX: usize = 2_000;

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

/// What a search found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// By name.
    pub entries: Vec<(Entry, Vec<Step>)>,
    /// Whether there may be more.
    pub more: bool,
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
        let many = SORTED_MAX.max(LOOKED_AT_MAX) + 1;
        let count = registry.count_in(container, many).await.map_err(failed)?;
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

    /// Files and containers whose name has this text in it, letter case and accents aside, below a container or anywhere:
    /// at most [`FOUND_MAX`] that the person may see, each with the way to it.
    pub async fn search(&self, text: &str, below: Option<&ContainerId>) -> Result<Found, Denied> {
        let text: String = text.trim().chars().take(SEARCH_LENGTH_MAX).collect();
        let text = folded(&text);
        let mut found = Found { entries: Vec::new(), more: false };
        if text.is_empty() {
            return Ok(found);
        }
        if let Some(below) = below {
            self.at_container(below, Right::View).await?;
        }
        let named = self.host.ports.registry.named_like(&text, SEARCHED_MAX, CANDIDATES_MAX).await;
        let named = named.map_err(|e| Denied::registry("searching names", &e))?;
        found.more = named.len() == CANDIDATES_MAX;
        for named in &named {
            let Some((entry, above, rights)) = self.found(named).await? else { continue };
            if below.is_some_and(|below| above.iter().all(|container| container.id != *below)) {
                continue;
            }
            if found.entries.len() == FOUND_MAX {
                found.more = true;
                break;
            }
            found.entries.push((entry, way_of(&above, &rights)));
        }
        found.entries.sort_by_cached_key(|(entry, _)| (sort_key(entry.name()), entry.name().as_str().to_owned()));
        Ok(found)
    }

    /// What was found, the containers it is in, and what the person may do in each of those; if they may see it and it
    /// still is there.
    async fn found(&self, named: &Named) -> Result<Option<FoundOne>, Denied> {
        let registry = &self.host.ports.registry;
        match named {
            Named::File(id) => match registry.file_and_containers(id).await {
                Ok((record, containers)) => {
                    let containers: Vec<_> = containers.into_iter().map(Arc::new).collect();
                    let (right, rights) = self.rights_of(Some(&record), &containers).await?;
                    let there = record.deleted_at.is_none() && right.is_some();
                    Ok(there.then(|| (Entry::File(FileEntry::of(&record, self.host.now())), containers, rights)))
                }
                Err(RegistryError::NotFound) => Ok(None),
                Err(error) => Err(Denied::registry("reading a file", &error)),
            },
            Named::Container(id) => match registry.container(id).await {
                Ok(record) => {
                    let mut above = self.host.containers_from(&record).await?;
                    let (right, mut rights) = self.rights_of(None, &above).await?;
                    above.remove(0);
                    rights.remove(0);
                    Ok(right.is_some().then(|| (Entry::Container(Step::of(&record)), above, rights)))
                }
                Err(RegistryError::NotFound) => Ok(None),
                Err(error) => Err(Denied::registry("reading a container", &error)),
            },
        }
    }
}

/// Something that was found, the containers it is in, and the rights there.
type FoundOne = (Entry, Vec<Arc<ContainerRecord>>, Vec<Option<Right>>);

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
