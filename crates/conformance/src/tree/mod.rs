//! The promises of [`Tree`]. Another program is played through `std::fs` in the tree's root.
//!
//! | promise | function |
//! |---|---|
//! | `look` tells name, kind and fingerprint of what stands there now | [`look_tells_what_stands_there_now`] |
//! | a rename changes nothing of a fingerprint, a write something | [`a_fingerprint_changes_with_the_bytes_and_not_with_the_name`] |
//! | hidden and temporary files, links and sockets are not there | [`what_is_not_offered_is_not_there`] |
//! | a path with a link in it finds nothing, and nothing outside is opened | [`links_lead_nowhere`] |
//! | `open` gives the range of the expected file, or `None` | [`open_gives_the_expected_file_only`] |
//! | `hash` is that of the expected file, or `None` | [`hash_is_of_the_expected_file_only`] |
//! | `publish` puts a staged content under a new name | [`publish_makes_a_new_file`] |
//! | … never over something else | [`publish_without_replacing_never_replaces`] |
//! | `publish` with `replaces` keeps the old bytes, and says how they looked | [`publish_keeps_what_it_replaces`] |
//! | … also what another program had written meanwhile | [`publish_keeps_what_another_program_wrote`] |
//! | … and simply puts it there if nothing stood there | [`publish_over_nothing_just_puts_it_there`] |
//! | … and keeps the mode bits | [`publish_keeps_the_mode_bits`] |
//! | `publish` again changes nothing | [`publish_again_changes_nothing`] |
//! | readers see the old or the new bytes, whole | [`readers_see_the_old_or_the_new_bytes`] |
//! | `rename` never goes over something else | [`rename_never_goes_over_something_else`] |
//! | `rename` again changes nothing | [`rename_again_changes_nothing`] |
//! | `bin` keeps the bytes as a content; nothing there is success | [`bin_keeps_the_bytes`] |
//! | `bin` leaves another program's file alone | [`bin_leaves_another_file_alone`] |
//! | `settle` takes containers that are gone, and the root | [`settle_takes_what_is_there`] |
//! | `list` has what `look` finds | [`list_has_what_look_finds`] |
//! | containers are made, renamed and removed, never over something else | [`containers_come_and_go`] |
//! | a container with anything in it is not removed | [`a_container_with_anything_in_it_stays`] |
//! | names of any Unicode | [`names_of_any_unicode`] |
//! | hints can be taken once | [`hints_can_be_taken_once`] |

#![allow(clippy::expect_used, reason = "a broken promise is a panic here")]

mod looking;
mod naming;
mod publishing;

use std::fs;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use lectern_host::ports::{Contents, Tree, TreeEntry, TreePath};
use lectern_host::records::{ContentId, Fingerprint};
use lectern_host::wopi::FileName;

use crate::contents::{fresh_id, put, read};

pub use self::looking::*;
pub use self::naming::*;
pub use self::publishing::*;

/// A tree to try, empty.
#[derive(Debug, Clone)]
pub struct Ground {
    /// The tree.
    pub tree: Arc<dyn Tree>,
    /// The contents that it publishes.
    pub contents: Arc<dyn Contents>,
    /// Where other programs see it.
    pub root: PathBuf,
}

/// Tries every promise, each on a tree of its own.
pub async fn suite<New, Made>(new: New)
where
    New: Fn() -> Made,
    Made: Future<Output = Ground>,
{
    look_tells_what_stands_there_now(&new().await).await;
    a_fingerprint_changes_with_the_bytes_and_not_with_the_name(&new().await).await;
    what_is_not_offered_is_not_there(&new().await).await;
    links_lead_nowhere(&new().await).await;
    open_gives_the_expected_file_only(&new().await).await;
    hash_is_of_the_expected_file_only(&new().await).await;
    publish_makes_a_new_file(&new().await).await;
    publish_without_replacing_never_replaces(&new().await).await;
    publish_keeps_what_it_replaces(&new().await).await;
    publish_keeps_what_another_program_wrote(&new().await).await;
    publish_over_nothing_just_puts_it_there(&new().await).await;
    publish_keeps_the_mode_bits(&new().await).await;
    publish_again_changes_nothing(&new().await).await;
    readers_see_the_old_or_the_new_bytes(&new().await).await;
    rename_never_goes_over_something_else(&new().await).await;
    rename_again_changes_nothing(&new().await).await;
    bin_keeps_the_bytes(&new().await).await;
    bin_leaves_another_file_alone(&new().await).await;
    settle_takes_what_is_there(&new().await).await;
    list_has_what_look_finds(&new().await).await;
    containers_come_and_go(&new().await).await;
    a_container_with_anything_in_it_stays(&new().await).await;
    names_of_any_unicode(&new().await).await;
    hints_can_be_taken_once(&new().await).await;
}

/// A path of names joined by `/`.
pub fn path(text: &str) -> TreePath {
    text.split('/')
        .filter(|name| !name.is_empty())
        .fold(TreePath::root(), |path, name| path.join(&FileName::parse(name).expect("a name")))
}

impl Ground {
    /// Another program writes a file.
    pub fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.root.join(path), bytes).expect("another program can write");
    }

    /// Another program reads a file; `None` if there is none.
    pub fn on_disk(&self, path: &str) -> Option<Vec<u8>> {
        fs::read(self.root.join(path)).ok()
    }

    /// What the tree says stands there.
    pub fn look(&self, text: &str) -> Option<TreeEntry> {
        self.tree.look(&path(text)).expect("the tree can be looked at")
    }

    /// How the file there looks.
    pub fn fingerprint(&self, text: &str) -> Fingerprint {
        self.look(text).unwrap_or_else(|| panic!("{text} is there")).fingerprint
    }

    /// A content that can be published.
    pub async fn stage(&self, bytes: impl Into<Bytes>) -> (ContentId, Fingerprint) {
        let id = fresh_id();
        let stored = put(&*self.contents, &id, bytes).await;
        (id, stored.staged.expect("contents of a tree are files"))
    }

    /// Publishes these bytes, and expects that it works.
    pub async fn publish(&self, text: &str, bytes: impl Into<Bytes>, replaces: Option<&ContentId>) -> Fingerprint {
        let (id, staged) = self.stage(bytes).await;
        self.tree.publish(&path(text), &id, &staged, replaces).await.expect("a content can be published");
        assert_eq!(self.fingerprint(text), staged);
        staged
    }

    /// What the tree gives for a file that looks like this.
    pub async fn read(&self, text: &str, expected: &Fingerprint) -> Option<Bytes> {
        match self.tree.open(&path(text), expected, 0..u64::MAX).await.expect("a file can be opened") {
            Some(body) => Some(read(body).await),
            None => None,
        }
    }
}
