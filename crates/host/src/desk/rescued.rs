//! Saves that were refused, and whose bytes were kept all the same: for their author, and nobody else.
//!
//! Most are of somebody whose lock ran out or was taken away while they typed, and whose client never sends the save
//! again. Putting one back over the file could undo what others saved since, so it becomes a file beside it.

use wopi::operation::SaveFacts;
use wopi::{ContainerId, FileId, FileName};

use super::{Denied, Desk, FileEntry, Why};
use crate::access::Right;
use crate::files::NewName;
use crate::naming;
use crate::records::{ContentId, RescuedSave, Timestamp};
use crate::{Body, errors};

/// A save that was refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rescued {
    /// Its id.
    pub id: ContentId,
    /// The file that was to be saved. It may be gone.
    pub file: FileId,
    /// What the file was called then.
    pub file_name: FileName,
    /// Through which client.
    pub client: Option<String>,
    /// How many bytes.
    pub size: u64,
    /// Why it was refused: English, as in the log.
    pub because: String,
    /// When.
    pub at: Timestamp,
    /// Until when it is kept at most.
    pub kept_until: Timestamp,
}

impl Desk<'_> {
    async fn my_rescued(&self) -> Result<Vec<RescuedSave>, Denied> {
        let saves = self.host.ports.registry.rescued(Some(self.person.id())).await;
        saves.map_err(|e| Denied::registry("listing refused saves", &e))
    }

    async fn one_of_mine(&self, id: &ContentId) -> Result<RescuedSave, Denied> {
        let found = self.my_rescued().await?.into_iter().find(|save| save.content == *id);
        found.ok_or_else(|| Denied::new(Why::NotFound, "the person has no such refused save"))
    }

    /// The refused saves of the person, latest first.
    pub async fn rescued(&self) -> Result<Vec<Rescued>, Denied> {
        let kept = self.host.settings.rescued_kept;
        let shown = self.my_rescued().await?.into_iter().map(|save| Rescued {
            id: save.content,
            file: save.file,
            file_name: save.file_name,
            client: save.client,
            size: save.size,
            because: save.reason,
            kept_until: save.at.plus(kept),
            at: save.at,
        });
        Ok(shown.collect())
    }

    /// The bytes of one, and what the file was called.
    pub async fn open_rescued(&self, id: &ContentId) -> Result<(FileName, u64, Body), Denied> {
        let save = self.one_of_mine(id).await?;
        let body = self.host.ports.contents.open(id, 0..save.size).await;
        Ok((save.file_name, save.size, body.map_err(|e| errors::contents("opening a refused save", &e))?))
    }

    /// Makes a file of one, beside the file that was to be saved or in another container, under its name or one near it.
    /// Then it is a refused save no more.
    ///
    /// # Errors
    ///
    /// [`Why::ContainerGone`] if the file is gone, or the person may make no other in its container, and none was named.
    pub async fn put_rescued_back(&self, id: &ContentId, into: Option<&ContainerId>) -> Result<FileEntry, Denied> {
        let save = self.one_of_mine(id).await?;
        let target = match into {
            Some(into) => self.at_container(into, Right::Edit).await?,
            None => {
                let beside = match self.at_file(&save.file, Right::View).await {
                    Ok(at) => self.at_container(&at.record().container, Right::Edit).await,
                    Err(denied) => Err(denied),
                };
                beside.map_err(|denied| match denied.why {
                    Why::NotFound | Why::NotAllowed => Denied { why: Why::ContainerGone, ..denied },
                    _ => denied,
                })?
            }
        };
        let name = naming::legalize(save.file_name.as_str(), save.file_name.extension());
        let (caller, facts) = (target.caller(&self.person), SaveFacts::default());
        if let Some(shared) = self.host.shared(id, save.size, Some(save.sha256)) {
            let placed = self.host.place(&caller, &target.record.id, &NewName::Near(name), &shared, &facts).await?;
            self.discard_rescued(id).await?;
            return Ok(FileEntry::of(&placed, self.host.now()));
        }
        let staged = self.copied(id, save.size).await?;
        let placed = self.host.place(&caller, &target.record.id, &NewName::Near(name), &staged, &facts).await;
        if placed.is_err() {
            self.host.discard(&staged.id).await;
        }
        let record = placed?;
        self.discard_rescued(id).await?;
        Ok(FileEntry::of(&record, self.host.now()))
    }

    /// Forgets one.
    pub async fn discard_rescued(&self, id: &ContentId) -> Result<(), Denied> {
        self.one_of_mine(id).await?;
        let removed = self.host.ports.registry.remove_rescued(&[*id]).await;
        removed.map_err(|e| Denied::registry("forgetting a refused save", &e))
    }
}
