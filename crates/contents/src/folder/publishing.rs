//! Staged contents become files of the folder, and the files that they replace become kept contents.
//!
//! `publish` may be called again after a crash at any point. What was done already is recognised by inodes:
//!
//! | under the path | `publishing/ID.INODE…` | `kept/ID` | `kept/REPLACES` | so `publish` |
//! |---|---|---|---|---|
//! | the old file | – | staged | – | starts |
//! | the old file | staged | – | – | exchanges |
//! | staged | the old file | – | – | gives the old file its name |
//! | staged | – | – | the old file | was done |
//! | nothing | either has it | either | – | moves it there |
//! | anything else | – or the old file | – | – or the old file | was done but for the name, and another program has changed the file since |

use std::os::fd::{AsFd as _, OwnedFd};

use lectern_host::ports::{TreeError, TreePath};
use lectern_host::records::{ContentId, Fingerprint};
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use super::Inner;
use super::ability::exchange;
use super::beneath::READ;
use super::failure::{Failure, naming_failed};
use super::names::publishing_name;
use super::naming::Spot;
use super::status::{Status, find, status_of};

/// How often a step is tried again because another program made or removed the file at that very moment.
const ATTEMPTS_MAX: usize = 16;

/// Attributes beyond the mode that a file keeps when it is saved: at most so many bytes of names, and of each value.
#[cfg(target_os = "linux")]
const ATTRIBUTE_BYTES_MAX: usize = 64 << 10;

/// What became of one attempt.
enum Step<T> {
    Done(T),
    /// Another program was there at that moment.
    Again,
}

impl Inner {
    pub(super) fn publish(
        &self,
        path: &TreePath,
        content: &ContentId,
        staged: &Fingerprint,
        replaces: Option<&ContentId>,
    ) -> Result<Option<Fingerprint>, TreeError> {
        let spot = self.new_spot(path)?;
        let _held = self.hold(path);
        let _change = self.own.change(path, Some(*staged));
        let ready = publishing_name(content, staged);
        for _ in 0..ATTEMPTS_MAX {
            let step = match replaces {
                Some(replaces) => self.publish_over(&spot, content, &ready, staged, replaces),
                None => self.publish_new(&spot, content, &ready, staged).map(|()| Step::Done(None)),
            };
            match step {
                Ok(Step::Done(replaced)) => return Ok(replaced),
                Ok(Step::Again) => {}
                Err(error) => {
                    self.put_back(content, &ready, staged);
                    return Err(error);
                }
            }
        }
        self.put_back(content, &ready, staged);
        Err(TreeError::Unavailable(format!("another program keeps changing {}", self.path(path)).into()))
    }

    /// Publishes where nothing stands yet.
    fn publish_new(
        &self,
        spot: &Spot<'_>,
        content: &ContentId,
        ready: &str,
        staged: &Fingerprint,
    ) -> Result<(), TreeError> {
        let live = spot.find(self)?;
        if live.is_some_and(|live| live.is(staged)) {
            return self.finish_links(content, ready, staged);
        }
        if live.is_some() {
            return Err(TreeError::NameTaken);
        }
        if !self.make_ready(content, ready, staged)? {
            self.gone(content, spot.path);
            return Ok(());
        }
        self.inherit_group(spot, ready);
        self.able
            .rename(&self.publishing, ready, &spot.directory, spot.name)
            .map_err(|e| naming_failed("publish a file", self.path(spot.path), e))
    }

    /// Publishes over what stands there, and keeps that.
    fn publish_over(
        &self,
        spot: &Spot<'_>,
        content: &ContentId,
        ready: &str,
        staged: &Fingerprint,
        replaces: &ContentId,
    ) -> Result<Step<Option<Fingerprint>>, TreeError> {
        let live = spot.find(self)?;
        if live.is_some_and(|live| live.is(staged)) {
            return self.finish_exchange(content, ready, staged, replaces).map(Step::Done);
        }
        if !self.make_ready(content, ready, staged)? {
            // Done before; by now another program has changed what stands there.
            let replaced = self.finish_exchange(content, ready, staged, replaces)?;
            if replaced.is_none() {
                self.gone(content, spot.path);
            }
            return Ok(Step::Done(replaced));
        }
        let failed = |errno| naming_failed("publish a file", self.path(spot.path), errno);
        let Some(live) = live else {
            self.inherit_group(spot, ready);
            return match self.able.rename(&self.publishing, ready, &spot.directory, spot.name) {
                Ok(()) => Ok(Step::Done(None)),
                Err(Errno::EXIST) => Ok(Step::Again),
                Err(other) => Err(failed(other)),
            };
        };
        if !live.is_file() {
            return Err(TreeError::NameTaken);
        }
        self.keep_attributes(spot, &live, ready)?;
        if !self.able.exchange {
            return self.replace_without_exchange(spot, &live, ready, replaces);
        }
        match exchange(&self.publishing, ready, &spot.directory, spot.name) {
            Ok(()) => {}
            Err(Errno::NOENT) => return Ok(Step::Again),
            Err(other) => return Err(failed(other)),
        }
        let out = find(self.publishing.as_fd(), ready)
            .map_err(|e| Failure::new("look at the replaced file", self.place("publishing"), e))?;
        if out.is_some_and(|out| !out.is_file()) {
            // A directory or a link came there at the last moment: it goes back.
            exchange(&self.publishing, ready, &spot.directory, spot.name).map_err(failed)?;
            return Err(TreeError::NameTaken);
        }
        self.finish_exchange(content, ready, staged, replaces).map(Step::Done)
    }

    /// The staged file has come under the path: gives the old one its name, if it has not got it yet.
    fn finish_exchange(
        &self,
        content: &ContentId,
        ready: &str,
        staged: &Fingerprint,
        replaces: &ContentId,
    ) -> Result<Option<Fingerprint>, TreeError> {
        let failed = |e| TreeError::from(Failure::new("keep the replaced file", self.place("kept"), e));
        if find(self.publishing.as_fd(), ready).map_err(failed)?.is_some_and(|old| !old.is(staged)) {
            self.able.rename(&self.publishing, ready, &self.kept, &replaces.to_string()).map_err(failed)?;
        }
        self.finish_links(content, ready, staged)?;
        Ok(self.kept_status(replaces)?.map(|kept| kept.fingerprint))
    }

    /// Removes the other names that a published file may still have.
    fn finish_links(&self, content: &ContentId, ready: &str, staged: &Fingerprint) -> Result<(), TreeError> {
        self.unlink_again(&self.publishing, ready, staged)?;
        self.unlink_again(&self.kept, &content.to_string(), staged)
    }

    /// Where renaming is linking and unlinking, a crash between the two leaves a file with both names: removes this one.
    fn unlink_again(&self, directory: &OwnedFd, name: &str, staged: &Fingerprint) -> Result<(), TreeError> {
        if self.able.never_replaces {
            return Ok(());
        }
        let failed = |e| TreeError::from(Failure::new("finish a publication", self.place(""), e));
        if find(directory.as_fd(), name).map_err(failed)?.is_some_and(|status| status.is(staged)) {
            rustix::fs::unlinkat(directory, name, AtFlags::empty()).map_err(failed)?;
        }
        Ok(())
    }

    /// The way of the file systems that cannot exchange; see [`super::ability`] for what is weaker.
    fn replace_without_exchange(
        &self,
        spot: &Spot<'_>,
        live: &Status,
        ready: &str,
        replaces: &ContentId,
    ) -> Result<Step<Option<Fingerprint>>, TreeError> {
        let failed = |e| TreeError::from(Failure::new("keep the replaced file", self.path(spot.path), e));
        let name = replaces.to_string();
        let kept = if self.able.links {
            // An earlier try that was broken off may have linked what stood there then.
            match rustix::fs::unlinkat(&self.kept, &name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(other) => return Err(failed(other)),
            }
            match rustix::fs::linkat(&spot.directory, spot.name, &self.kept, &name, AtFlags::empty()) {
                Ok(()) => {}
                Err(Errno::NOENT) => return Ok(Step::Again),
                Err(other) => return Err(failed(other)),
            }
            self.kept_status(replaces)?
        } else {
            match self.copy(spot, &name) {
                Ok(copied) => Some(copied),
                Err(Errno::NOENT) => return Ok(Step::Again),
                Err(other) => return Err(failed(other)),
            }
        };
        let now = spot.find(self)?;
        if kept.is_none_or(|kept| kept.fingerprint != live.fingerprint)
            || now.is_none_or(|now| now.fingerprint != live.fingerprint)
        {
            return Ok(Step::Again);
        }
        rustix::fs::renameat(&self.publishing, ready, &spot.directory, spot.name)
            .map_err(|e| naming_failed("publish a file", self.path(spot.path), e))?;
        Ok(Step::Done(Some(live.fingerprint)))
    }

    /// Copies what stands there to a durable content, and says what was copied.
    fn copy(&self, spot: &Spot<'_>, name: &str) -> Result<Status, Errno> {
        let from = rustix::fs::openat(&spot.directory, spot.name, READ, Mode::empty())?;
        let how = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let to = rustix::fs::openat(&self.incoming, name, how, Mode::RUSR | Mode::WUSR)?;
        let (mut from, mut to) = (std::fs::File::from(from), std::fs::File::from(to));
        let before = status_of(from.as_fd())?;
        let copied = std::io::copy(&mut from, &mut to)
            .and_then(|_| to.sync_data())
            .map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))
            .and_then(|()| rustix::fs::renameat(&self.incoming, name, &self.kept, name));
        if let Err(error) = copied {
            let _ = rustix::fs::unlinkat(&self.incoming, name, AtFlags::empty());
            return Err(error);
        }
        rustix::fs::fsync(&self.kept)?;
        Ok(before)
    }

    /// Moves the staged file from `kept` to `publishing`, where its name tells its inode. `false` if it is in neither.
    fn make_ready(&self, content: &ContentId, ready: &str, staged: &Fingerprint) -> Result<bool, TreeError> {
        let failed = |e| TreeError::from(Failure::new("publish a file", self.place("publishing"), e));
        if find(self.publishing.as_fd(), ready).map_err(failed)?.is_some_and(|status| status.is(staged)) {
            self.unlink_again(&self.kept, &content.to_string(), staged)?;
            return Ok(true);
        }
        if !self.kept_status(content)?.is_some_and(|status| status.is(staged)) {
            return Ok(false);
        }
        match self.able.rename(&self.kept, &content.to_string(), &self.publishing, ready) {
            Ok(()) => Ok(true),
            Err(other) => Err(failed(other)),
        }
    }

    /// What could not be published is kept as it was before.
    fn put_back(&self, content: &ContentId, ready: &str, staged: &Fingerprint) {
        if matches!(find(self.publishing.as_fd(), ready), Ok(Some(status)) if status.is(staged))
            && let Err(error) = self.able.rename(&self.publishing, ready, &self.kept, &content.to_string())
        {
            tracing::warn!(content.id = %content, %error, "a content that cannot be published waits where it is");
        }
    }

    fn gone(&self, content: &ContentId, path: &TreePath) {
        tracing::warn!(
            content.id = %content,
            file.path = %self.path(path),
            "the content to be published is not there: it was published before, and another program took it away"
        );
    }

    pub(super) fn kept_status(&self, content: &ContentId) -> Result<Option<Status>, TreeError> {
        find(self.kept.as_fd(), &content.to_string())
            .map_err(|e| Failure::new("look at a content", self.place("kept"), e).into())
    }

    /// The new file gets the owner, group, mode bits and attributes of the one it replaces, as far as we may.
    fn keep_attributes(&self, spot: &Spot<'_>, live: &Status, ready: &str) -> Result<(), TreeError> {
        let failed = |e| TreeError::from(Failure::new("keep the mode of a file", self.place("publishing"), e));
        let new = rustix::fs::openat(&self.publishing, ready, READ, Mode::empty()).map_err(failed)?;
        let now = status_of(new.as_fd()).map_err(failed)?;
        // Set-user-id and set-group-id are not handed on: whoever saves has chosen the bytes.
        let mode = Mode::from_raw_mode(live.mode as _) & (Mode::RWXU | Mode::RWXG | Mode::RWXO);
        match rustix::fs::fchmod(&new, mode) {
            // FAT and its like have no modes to keep.
            Ok(()) | Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS) => {}
            Err(other) => return Err(failed(other)),
        }
        let (owner, group) = (Uid::from_raw(live.owner), Gid::from_raw(live.group));
        if (now.owner, now.group) != (live.owner, live.group)
            && rustix::fs::fchown(&new, Some(owner), Some(group)).is_err()
        {
            // Only the superuser may give a file away; a group that we are in can be kept all the same.
            let _ = rustix::fs::fchown(&new, None, Some(group));
        }
        #[cfg(target_os = "linux")]
        if !copy_attributes(spot, &new) {
            // The group bits of a file with an access list are the most that anybody on the list may do. Without the
            // list they would be what the whole group may do.
            rustix::fs::fchmod(&new, mode - Mode::RWXG).map_err(failed)?;
        }
        let _ = spot;
        Ok(())
    }

    /// In a directory with the set-group-id bit a new file belongs to the directory's group; ours was made elsewhere.
    fn inherit_group(&self, spot: &Spot<'_>, ready: &str) {
        const SET_GROUP_ID: u32 = 0o2000;
        if let Ok(container) = status_of(spot.directory.as_fd())
            && container.mode & SET_GROUP_ID != 0
        {
            let group = Some(Gid::from_raw(container.group));
            let _ = rustix::fs::chownat(&self.publishing, ready, None, group, AtFlags::SYMLINK_NOFOLLOW);
        }
    }
}

/// Copies the access list and the attributes that programs of the user's keep (`user.…`: tags, comments). `false` if
/// there is an access list that could not be copied.
#[cfg(target_os = "linux")]
fn copy_attributes(spot: &Spot<'_>, new: &OwnedFd) -> bool {
    use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr};

    const ACCESS_LIST: &[u8] = b"system.posix_acl_access";
    let Ok(old) = rustix::fs::openat(&spot.directory, spot.name, READ, Mode::empty()) else { return true };
    let mut names = Vec::new();
    // Most files have none, and most of the others few: asked for with no room first, which only tells how much there is.
    let Ok(length @ 1..=ATTRIBUTE_BYTES_MAX) = rustix::fs::flistxattr_query(&old) else { return true };
    names.resize(length, 0);
    let Ok(length) = flistxattr(&old, names.as_mut_slice()) else { return true };
    names.truncate(length);
    let mut value = Vec::new();
    let mut kept_list = true;
    for name in names.split(|byte| *byte == 0) {
        if name != ACCESS_LIST && !name.starts_with(b"user.") {
            continue;
        }
        value.resize(ATTRIBUTE_BYTES_MAX, 0);
        let copied = fgetxattr(&old, name, value.as_mut_slice())
            .and_then(|length| fsetxattr(new, name, value.get(..length).unwrap_or_default(), XattrFlags::empty()));
        kept_list &= copied.is_ok() || name != ACCESS_LIST;
    }
    kept_list
}
