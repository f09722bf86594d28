//! Uploads, downloads, new files and containers, other names.

use wopi::coauth::PresentedLock;
use wopi::operation::{ByteRange, SaveFacts};
use wopi::{ContainerId, FileId, FileName, WopiError};
use wopi_service::{Body, FileBytes, Refusal};

use super::why::chosen_name;
use super::{Denied, Desk, FileEntry, Step, Why};
use crate::access::Right;
use crate::caller::Caller;
use crate::files::NewName;
use crate::locks;
use crate::naming;
use crate::saving::Staged;

/// What becomes of an upload whose name belongs to a file that is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IfTaken {
    /// It is refused, with a name that is free.
    Refuse,
    /// It is a new version of that file, if nobody holds it.
    NewVersion,
    /// It gets a name near the one it has.
    AnotherName,
}

/// A file on its way out.
pub struct Download {
    /// The file.
    pub file: FileEntry,
    /// Its bytes, or the part that was asked for.
    pub bytes: FileBytes,
}

impl Desk<'_> {
    /// The refusal of a body, with the limit it broke.
    fn denied_body(&self, refusal: Refusal) -> Denied {
        match refusal.error {
            WopiError::TooLarge => {
                Denied::new(Why::TooLarge { limit: self.host.settings.body_bytes_max }, refusal.because)
            }
            _ => refusal.into(),
        }
    }

    pub(super) async fn staged(&self, body: Body) -> Result<Staged, Denied> {
        self.host.stage(body).await.map_err(|refusal| self.denied_body(refusal))
    }

    /// Puts a file into a container, as it comes from somebody's disk: what no file may be called is changed to what is
    /// near it. Streams; nothing is there before all of it is.
    pub async fn upload(
        &self,
        container: &ContainerId,
        name: &str,
        body: Body,
        if_taken: IfTaken,
    ) -> Result<FileEntry, Denied> {
        // Some systems send a whole path.
        let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
        let name = naming::legalize(name, naming::extension_of(name));
        self.put_in(container, name, body, if_taken).await
    }

    /// A new file of exactly this name, with these bytes.
    pub async fn new_file(&self, container: &ContainerId, name: &str, body: Body) -> Result<FileEntry, Denied> {
        self.put_in(container, chosen_name(name)?, body, IfTaken::Refuse).await
    }

    async fn put_in(
        &self,
        container: &ContainerId,
        name: FileName,
        body: Body,
        if_taken: IfTaken,
    ) -> Result<FileEntry, Denied> {
        let at = self.at_container(container, Right::Edit).await?;
        let target = match if_taken {
            IfTaken::Refuse => NewName::Exactly { name, overwrite: false },
            IfTaken::NewVersion => NewName::Exactly { name, overwrite: true },
            IfTaken::AnotherName => NewName::Near(name),
        };
        // A name that cannot be had is refused before the bytes come.
        self.host.check_name(container, &target).await?;
        let caller = at.caller(&self.person);
        let staged = self.staged(body).await?;
        match self.host.place(&caller, container, &target, &staged, &SaveFacts::default()).await {
            Ok(record) => Ok(FileEntry::of(&record, self.host.now())),
            Err(refusal) => {
                self.host.discard(&staged.id).await;
                Err(refusal.into())
            }
        }
    }

    /// A new version of a file, if nobody holds it. If somebody does when all of it has come, it is kept for its author
    /// as any refused save is.
    pub async fn upload_version(&self, file: &FileId, body: Body) -> Result<FileEntry, Denied> {
        let at = self.at_file(file, Right::Edit).await?;
        locks::may_change(&at.record().lock, None, self.host.now()).map_err(Refusal::from)?;
        let caller = at.caller(&self.person);
        let staged = self.staged(body).await?;
        match self.save_free(&caller, &staged).await {
            Ok(entry) => Ok(entry),
            Err(refusal) => {
                self.host.rescue(&caller, &staged, &refusal).await;
                Err(refusal.into())
            }
        }
    }

    /// Makes staged bytes the content of the caller's file, if nobody holds it.
    pub(super) async fn save_free(&self, caller: &Caller, staged: &Staged) -> Result<FileEntry, Refusal> {
        let facts = SaveFacts::default();
        let saved = self.host.save(caller, caller.file()?, staged, &facts, |record, now| {
            locks::may_change(&record.lock, None, now).map_err(Refusal::from)
        });
        Ok(FileEntry::of(&saved.await?, self.host.now()))
    }

    /// The bytes of a file as it is now, or a part of them.
    pub async fn download(&self, file: &FileId, range: Option<ByteRange>) -> Result<Download, Denied> {
        let at = self.at_file(file, Right::View).await?;
        let bytes = self.host.get_file(&at.caller(&self.person), u64::MAX, range).await?;
        Ok(Download { file: FileEntry::of(at.record(), self.host.now()), bytes })
    }

    /// A new container of exactly this name.
    pub async fn new_container(&self, parent: &ContainerId, name: &str) -> Result<Step, Denied> {
        let at = self.at_container(parent, Right::Edit).await?;
        let name = chosen_name(name)?;
        match self.host.create_container_if_free(&at.record, &name).await {
            Ok(Some(record)) => Ok(Step::of(&record)),
            Ok(None) => Err(self.name_taken(parent, &name).await),
            Err(Refusal { error: WopiError::NotSupported, because }) => Err(Denied::new(Why::TooDeep, because)),
            Err(refusal) => Err(refusal.into()),
        }
    }

    pub(super) async fn name_taken(&self, container: &ContainerId, name: &FileName) -> Denied {
        let free = self.host.another_name(container, name).await;
        Denied::new(Why::NameTaken { free }, format!("the container has `{name}` already"))
    }

    /// Gives a file another name, exactly this one. What holds a lock goes on holding it only under the name it knows, so a
    /// file that is held keeps its name.
    pub async fn rename_file(&self, file: &FileId, name: &str) -> Result<FileEntry, Denied> {
        let at = self.at_file(file, Right::Edit).await?;
        let name = chosen_name(name)?;
        let record = self.host.current(at.record()).await?;
        if record.name == name {
            return Ok(FileEntry::of(&record, self.host.now()));
        }
        match self.host.rename_if_free(&record, &name, &PresentedLock::None).await? {
            Some(record) => Ok(FileEntry::of(&record, self.host.now())),
            None => Err(self.name_taken(&record.container, &name).await),
        }
    }

    /// Gives a container another name, exactly this one.
    pub async fn rename_container(&self, container: &ContainerId, name: &str) -> Result<Step, Denied> {
        let at = self.at_container(container, Right::Edit).await?;
        let name = chosen_name(name)?;
        let requested = wopi::operation::RequestedName::new(name.as_str().to_owned());
        match self.host.rename_container(&at.caller(&self.person), &requested).await {
            Ok(_) => {
                let renamed = self.host.ports.registry.container(container).await;
                Ok(Step::of(&renamed.map_err(|e| Denied::registry("reading the container", &e))?))
            }
            Err(Refusal { error: WopiError::NameTaken { .. }, because }) => {
                let free = match &at.record.parent {
                    Some(parent) => self.host.another_name(parent, &name).await,
                    None => None,
                };
                Err(Denied::new(Why::NameTaken { free }, because))
            }
            Err(refusal) => Err(refusal.into()),
        }
    }
}
