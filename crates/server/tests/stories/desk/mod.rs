//! What people do at their desks: the use cases that the pages stand on, over the folder and SQLite.
//!
//! The pages have tests of their own. Here the desk itself is asked, because it is what decides.

mod administration;
mod bin;
mod editing;
mod filing;
mod guests;
mod history;
mod holding;
mod listing;
mod moving;
mod rescued;
mod sharing;

use http_body_util::BodyExt as _;
use lectern_host::desk::{Denied, Entry, IfTaken, Order, Why};
use lectern_host::full;
use lectern_host::ports::TreePath;
use wopi::{ContainerId, FileId, FileName};

use crate::doors::{Door, File};
use crate::people::Person;
use crate::world::World;

/// Asks the desk of somebody: `at!(world, alice, list(&root, order, None, 10))`.
macro_rules! at {
    ($world:expr, $person:expr, $method:ident ( $($argument:expr),* $(,)? )) => {{
        let host = $world.host();
        let desk = host.desk($person.session()).await;
        match desk {
            Ok(desk) => desk.$method($($argument),*).await,
            Err(denied) => Err(denied),
        }
    }};
}
pub(crate) use at;

/// Why it was refused.
#[track_caller]
pub(crate) fn why<T>(answer: Result<T, Denied>) -> Why {
    match answer {
        Ok(_) => panic!("this should have been refused"),
        Err(denied) => denied.why,
    }
}

pub(crate) fn name(text: &str) -> FileName {
    FileName::parse(text).unwrap()
}

pub(crate) async fn container(world: &World, path: &str) -> ContainerId {
    let path = path.split('/').filter(|part| !part.is_empty()).fold(TreePath::root(), |at, part| at.join(&name(part)));
    world.host().container_at(&path).await.unwrap().id
}

pub(crate) async fn file(world: &World, path: &str) -> FileId {
    world.file_at(path).await.unwrap_or_else(|| panic!("{path} is not offered")).id
}

/// The names on the first page of a container.
pub(crate) async fn names(world: &World, person: &Person, path: &str) -> Vec<String> {
    let id = container(world, path).await;
    let listing = at!(world, person, list(&id, Order::default(), None, 100)).unwrap();
    assert_eq!(listing.next, None);
    listing.entries.iter().map(|entry| entry.name().to_string()).collect()
}

pub(crate) async fn uploads(world: &World, person: &Person, path: &str, called: &str, bytes: &str) -> FileId {
    let id = container(world, path).await;
    at!(world, person, upload(&id, called, full(bytes.to_owned()), IfTaken::Refuse)).unwrap().id
}

/// The bytes of a file as somebody downloads them.
pub(crate) async fn downloads(world: &World, person: &Person, id: &FileId) -> String {
    let download = at!(world, person, download(id, None)).unwrap();
    String::from_utf8(download.bytes.body.collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

/// What an editor opens that a page of somebody's gave this token.
pub(crate) fn opened(world: &World, id: &FileId, token: &str) -> File {
    File::new(Door::new(world, &world.host().links().wopi_src(id), token))
}

pub(crate) fn files_of(entries: &[Entry]) -> Vec<&lectern_host::desk::FileEntry> {
    let files = entries.iter().filter_map(|entry| match entry {
        Entry::File(file) => Some(file),
        Entry::Container(_) => None,
    });
    files.collect()
}
