//! The rule of a save: what the record is afterwards, or why the bytes may not become the content.
//!
//! | the file | the save | outcome |
//! |---|---|---|
//! | held by another lock, or free with content | any | refused as [`crate::locks`] says |
//! | open to it | names a `LastModifiedTime` that is not the current one | refused: stale |
//! | open to it | the same bytes | new version, same content and time, no history |
//! | open to it, but gone from the folder | the same bytes | new version, same time, no history; the bytes are put back |
//! | open to it | other bytes | new version and content; the old one goes to the history unless it was empty |
//!
//! What a person said of a version (its name, that it is kept) stays with its bytes: over a save of the same ones, and
//! into the history.

use wopi::operation::SaveFacts;
use wopi::{LockId, UserId};

use crate::locks::{self, LockMismatch};
use crate::ports::Stored;
use crate::records::{Content, ContentId, FileRecord, ModifiedAt, Pending, Timestamp, VersionEntry, VersionMark};

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

/// Whether a folder shows the file that is saved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shown {
    /// Files do not live in a folder.
    Nowhere,
    /// Where its record says.
    There,
    /// Not any more: another program took it away.
    Gone,
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

/// The time `at`, or the first one after that of the content before: a client that knows a `LastModifiedTime` must not
/// meet it again with other bytes, though clocks stand still or go back, and programs set times as they like.
pub fn later(at: ModifiedAt, before: &Content) -> ModifiedAt {
    at.max(ModifiedAt(before.modified_at.0.saturating_add(1)))
}

/// Makes `staged` the content of `record`, and returns the version it replaces. A file that lives in a folder gets the
/// note that the folder has to be made to show it.
pub fn save(
    record: &mut FileRecord,
    staged: &Staged,
    facts: &SaveFacts,
    by: &UserId,
    shown: Shown,
    now: Timestamp,
) -> Option<VersionEntry> {
    let replaced_version = record.version;
    record.version = record.version.next();
    // Collabora saves untouched documents when they are closed: no history, no new time (protocol/clients.md 9).
    let same = record.content.sha256 == Some(staged.stored.sha256) && record.content.size == staged.stored.size;
    if same && shown != Shown::Gone {
        return None;
    }
    let modified_at = if same { record.content.modified_at } else { later(ModifiedAt::from(now), &record.content) };
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
    if shown != Shown::Nowhere {
        record.pending = Some(Pending::Publish { replaces: record.seen.map(|seen| (old.id, seen)) });
        record.seen = staged.stored.staged;
    }
    if same {
        return None;
    }
    // What was said of the version goes with it, or away with bytes that nobody could want back.
    let VersionMark { label, keep } = std::mem::take(&mut record.mark);
    (old.size > 0).then(|| VersionEntry {
        file: record.id.clone(),
        version: replaced_version,
        content: old,
        label,
        keep,
    })
}

#[cfg(test)]
mod tests {
    use wopi::{ContainerId, FileId, FileName, ItemVersion};

    use super::*;
    use crate::locks::{Blocker, Holder};
    use crate::records::{Fingerprint, LockState, Revision};

    const NOW: Timestamp = Timestamp(1_800_000_000_000);
    const BEFORE: ModifiedAt = ModifiedAt(17_000_000_000_000_000);
    const OLD: ContentId = ContentId([1; 16]);
    const NEW: ContentId = ContentId([2; 16]);

    fn user() -> UserId {
        UserId::parse("alice").unwrap()
    }

    fn lock_id(text: &str) -> LockId {
        LockId::parse(text).unwrap()
    }

    fn seen(inode: u64) -> Fingerprint {
        Fingerprint { inode, born_ns: Some(1), size: 3, modified_ns: 1 }
    }

    /// A file of these bytes (their number and a letter stand for them), locked by `lock`.
    fn file(size: u64, letter: u8, lock: Option<&str>) -> FileRecord {
        let holder = Holder { user: user(), client: None };
        FileRecord {
            id: FileId::parse("f").unwrap(),
            container: ContainerId::parse("c").unwrap(),
            name: FileName::parse("a.docx").unwrap(),
            revision: Revision(3),
            owner: user(),
            created_at: Timestamp(0),
            version: ItemVersion(7),
            content: Content {
                id: OLD,
                size,
                sha256: Some([letter; 32]),
                modified_at: BEFORE,
                saved_by: None,
                editors: Vec::new(),
                autosave: false,
            },
            lock: lock.map_or(LockState::Free, |id| {
                locks::lock(&LockState::Free, lock_id(id), holder, locks::Terms::default(), NOW).unwrap()
            }),
            seen: Some(seen(1)),
            pending: None,
            deleted_at: None,
            mark: VersionMark::default(),
        }
    }

    fn staged(size: u64, letter: u8) -> Staged {
        Staged { id: NEW, stored: Stored { size, sha256: [letter; 32], staged: Some(seen(2)) } }
    }

    fn facts(timestamp: Option<&str>) -> SaveFacts {
        SaveFacts { timestamp: timestamp.map(str::to_owned), ..SaveFacts::default() }
    }

    /// The first two rows of the table in the module's description, and who passes them.
    #[test]
    fn the_table_of_who_may_save() {
        let current = wopi::answer::last_modified_time(BEFORE.0);
        let same_moment = "2023-11-14T23:13:20+01:00";
        assert_eq!(wopi::answer::parse_last_modified_time(same_moment), Some(BEFORE.0));
        for (held, size, given, timestamp, expected) in [
            (None, 3, None, None, "lock "),
            (None, 3, Some("A"), None, "lock "),
            (None, 0, None, None, "yes"),
            (None, 0, Some("A"), None, "yes"),
            (Some("A"), 3, None, None, "lock A"),
            (Some("A"), 3, Some("B"), None, "lock A"),
            (Some("A"), 0, None, None, "lock A"),
            (Some("A"), 3, Some("A"), None, "yes"),
            (Some("A"), 3, Some("A"), Some(current.as_str()), "yes"),
            (Some("A"), 3, Some("A"), Some(same_moment), "yes"),
            (Some("A"), 3, Some("A"), Some("2023-11-14T22:13:20.0000001Z"), "stale"),
            (Some("A"), 3, Some("A"), Some("no time at all"), "stale"),
            // Who holds it is told before who is late.
            (Some("A"), 3, Some("B"), Some("no time at all"), "lock A"),
        ] {
            let given = given.map(lock_id);
            let got = match may_save(&file(size, b'x', held), given.as_ref(), &facts(timestamp), NOW) {
                Ok(()) => "yes".to_owned(),
                Err(SaveRefusal::Lock(LockMismatch { held: Blocker::Wopi { current, .. }, .. })) => {
                    format!("lock {}", current.as_str())
                }
                Err(SaveRefusal::Lock(_)) => "lock ".to_owned(),
                Err(SaveRefusal::Stale { current: told, .. }) => {
                    assert_eq!(told, current);
                    "stale".to_owned()
                }
            };
            assert_eq!(got, expected, "{held:?} {size} {given:?} {timestamp:?}");
        }
    }

    /// The other rows: (bytes, save, folder) to (content, time, history, note).
    #[test]
    fn the_table_of_what_a_save_makes_of_a_file() {
        let publish = Some(Pending::Publish { replaces: Some((OLD, seen(1))) });
        let at_now = ModifiedAt::from(NOW);
        for (before, save_, shown, content, time, history, pending) in [
            ((3, b'x'), (3, b'x'), Shown::Nowhere, OLD, BEFORE, false, None),
            ((3, b'x'), (3, b'x'), Shown::There, OLD, BEFORE, false, None),
            ((3, b'x'), (3, b'x'), Shown::Gone, NEW, BEFORE, false, publish.clone()),
            ((3, b'x'), (4, b'y'), Shown::Nowhere, NEW, at_now, true, None),
            ((3, b'x'), (4, b'y'), Shown::There, NEW, at_now, true, publish.clone()),
            ((3, b'x'), (4, b'y'), Shown::Gone, NEW, at_now, true, publish.clone()),
            ((0, b'e'), (4, b'y'), Shown::There, NEW, at_now, false, publish.clone()),
            ((3, b'x'), (0, b'e'), Shown::There, NEW, at_now, true, publish.clone()),
            ((0, b'e'), (0, b'e'), Shown::There, OLD, BEFORE, false, None),
        ] {
            let case = format!("{before:?} {save_:?} {shown:?}");
            let mark = VersionMark { label: Some("as sent".to_owned()), keep: true };
            let old = FileRecord { mark: mark.clone(), ..file(before.0, before.1, Some("A")) };
            let mut record = old.clone();
            let facts = SaveFacts { editors: vec!["bob".to_owned()], autosave: true, ..SaveFacts::default() };
            let replaced = save(&mut record, &staged(save_.0, save_.1), &facts, &user(), shown, NOW);
            assert_eq!(record.version, ItemVersion(8), "{case}: every save is a new version");
            assert_eq!((record.content.id, record.content.modified_at), (content, time), "{case}");
            assert_eq!((record.content.size, record.content.sha256), (save_.0, Some([save_.1; 32])), "{case}");
            let entry = VersionEntry {
                file: old.id.clone(),
                version: ItemVersion(7),
                content: old.content.clone(),
                label: mark.label.clone(),
                keep: true,
            };
            assert_eq!(replaced, history.then_some(entry), "{case}");
            let same = before == save_;
            assert_eq!(record.mark, if same { mark } else { VersionMark::default() }, "{case}");
            assert_eq!(record.pending, pending, "{case}");
            assert_eq!(record.seen, Some(seen(if pending.is_some() { 2 } else { 1 })), "{case}");
            if content == NEW {
                let content = &record.content;
                assert_eq!((&content.saved_by, content.autosave), (&Some(user()), true), "{case}");
                assert_eq!(content.editors, ["bob"], "{case}");
            }
            assert_eq!(
                (&record.lock, record.revision),
                (&old.lock, old.revision),
                "{case}: a save leaves the lock alone"
            );
        }
    }

    #[test]
    fn the_time_of_a_file_grows_though_the_clock_stands_still_or_goes_back() {
        let mut record = file(3, b'x', None);
        let mut last = record.content.modified_at;
        for (letter, now) in [(b'a', NOW), (b'b', NOW), (b'c', Timestamp(NOW.0 - 5000)), (b'd', Timestamp(0))] {
            save(&mut record, &staged(3, letter), &SaveFacts::default(), &user(), Shown::Nowhere, now);
            assert!(record.content.modified_at > last, "{}", char::from(letter));
            last = record.content.modified_at;
        }
        assert_eq!(last, ModifiedAt(ModifiedAt::from(NOW).0 + 3));
    }
}
