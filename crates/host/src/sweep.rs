//! What is thrown away, and when: old versions, old refused saves, old deleted files, and bytes nobody points to.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::StreamExt;
use wopi::{FileId, ItemVersion};
use wopi_service::Refusal;

use crate::errors;
use crate::host::Host;
use crate::parts;
use crate::ports::RegistryError;
use crate::records::{ContentId, ModifiedAt, RescuedSave, Timestamp, Upload, VersionEntry};

/// How long condemned contents are remembered: longer than any request or any machine that sleeps over one.
const CONDEMNED_KEPT: Duration = Duration::from_secs(60 * 24 * 60 * 60);

/// Uploads to a store that were begun longer ago than this are nobody's any more.
const UNFINISHED_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a memo that ran out is remembered, so that nobody holds a revision of it any more when it is forgotten.
const MEMOS_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// Sessions that ran out stay this long, so that a late token can be told from an unknown one.
const SESSIONS_KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How many records are looked at in one step.
const STEP: usize = 500;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What one sweep removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SweepSummary {
    /// Deleted files forgotten.
    pub files: usize,
    /// Versions taken out of histories.
    pub versions: usize,
    /// Refused saves forgotten.
    pub rescued: usize,
    /// Streams and content properties forgotten.
    pub parts: u64,
    /// Pieces of uploads forgotten that were not continued in time.
    pub uploads: usize,
    /// Runs of bytes removed.
    pub contents: usize,
    /// Uploads into the store removed that were begun by a process that died.
    pub unfinished: u64,
    /// Sessions forgotten.
    pub sessions: u64,
    /// Entries of the bin forgotten.
    pub binned: u64,
    /// Grants and links forgotten.
    pub shares: u64,
}

/// The versions of one file, latest first, that may go. `current` is the time of the content that replaced the latest.
///
/// | replaced | kept |
/// |---|---|
/// | at most `kept` ago | every one |
/// | at most `daily_kept` ago | the latest of each day |
/// | longer ago | none |
///
/// What counts is when a version was replaced, by the time of the one after it, not when it was made: a document that
/// nobody touched for years must not lose its original an hour after the first edit.
///
/// A version with a name, or one marked to be kept, never goes.
pub fn thinned(
    versions: &[VersionEntry],
    current: ModifiedAt,
    kept: Duration,
    daily_kept: Duration,
    now: Timestamp,
) -> Vec<ItemVersion> {
    let mut days = BTreeSet::new();
    let mut out = Vec::new();
    let mut replaced_at = current;
    for entry in versions {
        let at = Timestamp(entry.content.modified_at.0 / 10_000);
        let age = now.since(Timestamp(replaced_at.0 / 10_000));
        replaced_at = entry.content.modified_at;
        let latest_of_its_day = days.insert(at.0.div_euclid(DAY_MS));
        if age <= kept || entry.keep || entry.label.is_some() {
            continue;
        }
        if age > daily_kept || !latest_of_its_day {
            out.push(entry.version);
        }
    }
    out
}

/// The refused saves, latest first, that may go: those older than `kept`, and the oldest beyond `bytes_max` in all.
pub fn outlived(saves: &[RescuedSave], kept: Duration, bytes_max: u64, now: Timestamp) -> Vec<ContentId> {
    let mut bytes = 0u64;
    let mut out = Vec::new();
    for save in saves {
        bytes = bytes.saturating_add(save.size);
        if now.since(save.at) > kept || bytes > bytes_max {
            out.push(save.content);
        }
    }
    out
}

/// The moment this much earlier; saturates.
pub(crate) fn before(now: Timestamp, span: Duration) -> Timestamp {
    Timestamp(now.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
}

impl Host {
    /// Removes what may go.
    ///
    /// # Errors
    ///
    /// If the registry or the contents cannot be read; what was removed by then stays removed.
    pub async fn sweep(&self) -> Result<SweepSummary, Refusal> {
        let now = self.now();
        let registry = &self.ports.registry;
        let mut summary = SweepSummary::default();
        let mut after: Option<FileId> = None;
        loop {
            let files = registry.files_with_versions(after.as_ref(), STEP).await;
            let files = files.map_err(|e| errors::registry("walking the histories", &e))?;
            for file in &files {
                summary.versions += self.thin(file, now).await?;
            }
            match files.last() {
                Some(last) if files.len() == STEP => after = Some(last.clone()),
                _ => break,
            }
        }
        summary.files = self.forget_deleted(before(now, self.settings.deleted_kept)).await?;
        let saves = registry.rescued(None).await.map_err(|e| errors::registry("listing refused saves", &e))?;
        let out = outlived(&saves, self.settings.rescued_kept, self.settings.rescued_bytes_max, now);
        if !out.is_empty() {
            summary.rescued = out.len();
            let removed = registry.remove_rescued(&out).await;
            removed.map_err(|e| errors::registry("forgetting refused saves", &e))?;
        }
        let pruned = registry.prune_sessions(before(now, SESSIONS_KEPT)).await;
        summary.sessions = pruned.map_err(|e| errors::registry("forgetting sessions", &e))?;
        let pruned = registry.prune_bin(before(now, self.settings.deleted_kept)).await;
        summary.binned = pruned.map_err(|e| errors::registry("emptying the bin", &e))?;
        // What is shared of a thing is kept as long as the thing might come back from the bin.
        let pruned = registry.prune_shares(before(now, self.settings.deleted_kept)).await;
        summary.shares = pruned.map_err(|e| errors::registry("forgetting what was shared", &e))?;
        let pruned = registry.prune_parts(before(now, parts::KEPT)).await;
        summary.parts = pruned.map_err(|e| errors::registry("forgetting streams and properties", &e))?;
        summary.uploads = self.forget_uploads(before(now, Upload::LIFETIME)).await?;
        let pruned = registry.prune_memos(before(now, MEMOS_KEPT)).await;
        pruned.map_err(|e| errors::registry("forgetting memos", &e))?;
        let pruned = registry.prune_condemned(before(now, CONDEMNED_KEPT)).await;
        pruned.map_err(|e| errors::registry("forgetting condemned contents", &e))?;
        summary.contents = self.remove_orphans(now).await?;
        let removed = self.ports.contents.remove_unfinished(before(now, UNFINISHED_KEPT)).await;
        summary.unfinished = removed.map_err(|e| errors::contents("removing unfinished uploads", &e))?;
        Ok(summary)
    }

    async fn thin(&self, file: &FileId, now: Timestamp) -> Result<usize, Refusal> {
        let registry = &self.ports.registry;
        let current = match registry.file(file).await {
            Ok(record) => record.content.modified_at,
            Err(RegistryError::NotFound) => return Ok(0),
            Err(error) => return Err(errors::registry("reading a file", &error)),
        };
        let versions = registry.versions(file).await.map_err(|e| errors::registry("reading a history", &e))?;
        let (kept, daily_kept) = (self.settings.versions_kept, self.settings.versions_daily_kept);
        let out = thinned(&versions, current, kept, daily_kept, now);
        if !out.is_empty() {
            let removed = registry.remove_versions(file, &out).await;
            removed.map_err(|e| errors::registry("thinning a history", &e))?;
        }
        Ok(out.len())
    }

    /// Forgets, with their histories, files that were deleted long ago.
    async fn forget_deleted(&self, at: Timestamp) -> Result<usize, Refusal> {
        let registry = &self.ports.registry;
        let mut forgotten = 0;
        loop {
            let files = registry.files_deleted_before(at, STEP).await;
            let files = files.map_err(|e| errors::registry("listing deleted files", &e))?;
            let mut progress = false;
            // One that the folder still shows would come back as a new file.
            for file in files.iter().filter(|file| file.pending.is_none()) {
                match registry.remove_file(&file.id, file.revision).await {
                    Ok(()) => {
                        forgotten += 1;
                        progress = true;
                    }
                    Err(RegistryError::Conflict | RegistryError::NotFound) => {}
                    Err(error) => return Err(errors::registry("forgetting a deleted file", &error)),
                }
            }
            if !progress {
                return Ok(forgotten);
            }
        }
    }

    async fn remove_orphans(&self, now: Timestamp) -> Result<usize, Refusal> {
        let mut removed = 0;
        let mut old = Vec::new();
        let mut ids = self.ports.contents.ids();
        loop {
            let next = ids.next().await;
            let end = next.is_none();
            if let Some(id) = next {
                let id = id.map_err(|e| errors::contents("listing contents", &e))?;
                if now.since(id.made_at()) >= self.settings.orphans_kept {
                    old.push(id);
                }
            }
            if old.len() == STEP || (end && !old.is_empty()) {
                let orphans = self.ports.registry.condemn(&old, now).await;
                for id in orphans.map_err(|e| errors::registry("asking which contents are needed", &e))? {
                    let gone = self.ports.contents.remove(&id).await;
                    gone.map_err(|e| errors::contents("removing a content", &e))?;
                    removed += 1;
                }
                old.clear();
            }
            if end {
                return Ok(removed);
            }
        }
    }

    /// Sweeps whenever it is time, until the future is dropped.
    pub async fn keep_swept(&self) {
        loop {
            tokio::time::sleep(self.settings.sweep_every).await;
            match self.alone("sweep", self.settings.sweep_every, self.sweep()).await.and_then(Option::transpose) {
                Ok(Some(summary)) => tracing::debug!(?summary, "swept"),
                Ok(None) => {}
                Err(refusal) => tracing::error!("sweeping: {refusal}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Content;

    const DAY: Duration = Duration::from_millis(DAY_MS as u64);

    fn entry(version: u64, at: Timestamp) -> VersionEntry {
        VersionEntry {
            file: FileId::parse("f").unwrap(),
            version: ItemVersion(version),
            content: Content {
                id: ContentId([0; 16]),
                size: 1,
                sha256: None,
                modified_at: ModifiedAt::from(at),
                saved_by: None,
                editors: Vec::new(),
                autosave: false,
            },
            label: None,
            keep: false,
        }
    }

    #[test]
    fn the_table_of_ages() {
        let now = Timestamp(1000 * DAY_MS);
        let ago = |days: i64, hours: i64| Timestamp(now.0 - days * DAY_MS - hours * 3_600_000);
        // Days and hours since it was made; it was replaced when the one before it in this list was made.
        let mut goes = Vec::new();
        let mut versions = Vec::new();
        for (version, days, hours, expected) in [
            (12, 0, 1, "stays"),
            (11, 0, 2, "stays"),
            (10, 29, 0, "stays"),
            (9, 40, 1, "stays"), // replaced 29 days ago
            (8, 40, 2, "goes"),  // not the latest of its day
            (7, 40, 3, "goes"),
            (6, 41, 3, "stays"),
            (5, 300, 0, "stays"),
            (4, 400, 0, "stays"), // replaced 300 days ago
            (3, 401, 0, "goes"),
            (2, 402, 0, "has a name"),
            (1, 900, 0, "goes"),
        ] {
            let label = (expected == "has a name").then(|| "first draft".to_owned());
            versions.push(VersionEntry { label, ..entry(version, ago(days, hours)) });
            if expected == "goes" {
                goes.push(ItemVersion(version));
            }
        }
        assert_eq!(thinned(&versions, ModifiedAt::from(ago(0, 0)), 30 * DAY, 365 * DAY, now), goes);
    }

    #[test]
    fn the_original_of_an_old_document_is_kept_when_it_is_edited_for_the_first_time() {
        let now = Timestamp(1000 * DAY_MS);
        let original = entry(1, Timestamp(0));
        let saved = ModifiedAt::from(Timestamp(now.0 - 3_600_000));
        assert_eq!(thinned(&[original], saved, 30 * DAY, 365 * DAY, now), [] as [ItemVersion; 0]);
    }

    #[test]
    fn refused_saves_go_by_age_and_by_bytes() {
        let now = Timestamp(1000 * DAY_MS);
        let save = |n: u8, days: i64, size| RescuedSave {
            content: ContentId([n; 16]),
            file: FileId::parse("f").unwrap(),
            file_name: wopi::FileName::parse("f.docx").unwrap(),
            user: wopi::UserId::parse("u").unwrap(),
            client: None,
            size,
            sha256: [0; 32],
            reason: String::new(),
            at: Timestamp(now.0 - days * DAY_MS),
        };
        let saves = [save(1, 1, 60), save(2, 2, 30), save(3, 3, 20), save(4, 31, 1)];
        assert_eq!(outlived(&saves, 30 * DAY, 100, now), [ContentId([3; 16]), ContentId([4; 16])]);
        assert_eq!(outlived(&saves, 30 * DAY, 1000, now), [ContentId([4; 16])]);
    }
}
