//! The rule of a save: what the record is afterwards, or why the bytes may not become the content.
//!
//! | the file | the save | outcome |
//! |---|---|---|
//! | held by another lock, or free with content | any | refused as [`crate::locks`] says |
//! | open to it | names a `LastModifiedTime` that is not the current one | refused: stale |
//! | open to it | the same bytes | new version, same content and time, no history |
//! | open to it | other bytes | new version and content; the old one goes to the history unless it was empty |

use wopi::operation::SaveFacts;
use wopi::{LockId, UserId};

use crate::locks::{self, LockMismatch};
use crate::ports::Stored;
use crate::records::{Content, ContentId, FileRecord, ModifiedAt, Pending, Timestamp, VersionEntry};

/// Why a save is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SaveRefusal {
    /// The lock.
    Lock(LockMismatch),
    /// The client saw an older file.
    Stale {
        /// What the client believes.
        given: String,
        /// What is true.
        current: String,
    },
}

impl From<LockMismatch> for SaveRefusal {
    fn from(mismatch: LockMismatch) -> Self {
        Self::Lock(mismatch)
    }
}

/// Bytes that were staged and wait for the decision.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Staged {
    /// Their id.
    pub id: ContentId,
    /// What was counted while they came.
    pub stored: Stored,
}

/// Whether a save would be taken now; asked before the bytes come and again when they are here.
///
/// Collabora and ONLYOFFICE send back the `LastModifiedTime` they know, verbatim; whoever left it out chose to
/// overwrite, or is Microsoft's. Compared as a time where both can be read as one, else as text.
///
/// # Errors
///
/// [`SaveRefusal`].
pub fn may_save(
    record: &FileRecord,
    lock: Option<&LockId>,
    facts: &SaveFacts,
    now: Timestamp,
) -> Result<(), SaveRefusal> {
    locks::may_write(&record.lock, lock, record.content.size, now)?;
    if let Some(given) = &facts.timestamp {
        let current = wopi::answer::last_modified_time(record.content.modified_at.0);
        let same =
            *given == current || wopi::answer::parse_last_modified_time(given) == Some(record.content.modified_at.0);
        if !same {
            return Err(SaveRefusal::Stale { given: given.clone(), current });
        }
    }
    Ok(())
}

/// Makes `staged` the content of `record`, and returns the version it replaces. `published` says whether the file lives
/// in a folder, which then has to be made to show it.
pub fn save(
    record: &mut FileRecord,
    staged: &Staged,
    facts: &SaveFacts,
    by: &UserId,
    published: bool,
    now: Timestamp,
) -> Option<VersionEntry> {
    let replaced_version = record.version;
    record.version = record.version.next();
    if record.content.sha256 == Some(staged.stored.sha256) && record.content.size == staged.stored.size {
        // Collabora saves untouched documents when they are closed: no history, no new time (protocol/clients.md 9).
        return None;
    }
    // The clock may stand still or go back between two saves; the time of a file must not.
    let modified_at = ModifiedAt::from(now).max(ModifiedAt(record.content.modified_at.0 + 1));
    let old = std::mem::replace(
        &mut record.content,
        Content {
            id: staged.id,
            size: staged.stored.size,
            sha256: Some(staged.stored.sha256),
            modified_at,
            saved_by: Some(by.clone()),
            editors: facts.editors.clone(),
            autosave: facts.autosave,
        },
    );
    if published {
        record.pending = Some(Pending::Publish { replaces: record.seen.map(|seen| (old.id, seen)) });
        record.seen = staged.stored.staged;
    }
    (old.size > 0).then(|| VersionEntry {
        file: record.id.clone(),
        version: replaced_version,
        content: old,
        label: None,
        keep: false,
    })
}
