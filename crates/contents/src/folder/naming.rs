//! Paths to names in open directories; files and containers get other names, or go.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use lectern_host::ports::{TreeError, TreePath};
use lectern_host::records::{ContentId, Fingerprint};
use rustix::fs::{AtFlags, Mode};
use rustix::io::Errno;

use super::Inner;
use super::beneath::{LIST, STAND};
use super::failure::{Failure, lookup_failed, naming_failed};
use super::offered::is_shown;
use super::status::{Status, find, status_of};

/// A name in an open directory.
pub(super) struct Spot<'a> {
    pub(super) directory: OwnedFd,
    pub(super) name: &'a str,
    pub(super) path: &'a TreePath,
}

impl Spot<'_> {
    pub(super) fn find(&self, inner: &Inner) -> Result<Option<Status>, TreeError> {
        find(self.directory.as_fd(), self.name).map_err(|e| lookup_failed("look at a file", inner.path(self.path), e))
    }
}

impl Inner {
    /// The directory that a path leads to, and the name in it. The name itself may be one that is not offered.
    pub(super) fn spot<'a>(&self, path: &'a TreePath) -> Result<Spot<'a>, TreeError> {
        let (container, name) = self.offered_path(path).ok_or(TreeError::NotFound)?;
        let failed = |e| lookup_failed("open the container", self.path(path), e);
        let directory = self.root.open(container, STAND).map_err(failed)?;
        if !container.is_empty() && self.is_state(&status_of(directory.as_fd()).map_err(failed)?) {
            return Err(TreeError::NotFound);
        }
        Ok(Spot { directory, name, path })
    }

    /// The container's path and the name in it, if every name on the way is one that is offered.
    pub(super) fn offered_path<'a>(&self, path: &'a TreePath) -> Option<(&'a str, &'a str)> {
        let text = path.as_str();
        let split = text.rsplit_once('/').unwrap_or(("", text));
        (path.names().all(is_shown) && !text.is_empty() && !self.leads_to_state(text)).then_some(split)
    }

    /// The same for a path that is to be taken: the name must be one that will be offered.
    pub(super) fn new_spot<'a>(&self, path: &'a TreePath) -> Result<Spot<'a>, TreeError> {
        match self.offered_path(path) {
            Some(_) => self.spot(path),
            None => Err(TreeError::NameRefused),
        }
    }

    /// Takes the file out of the folder and keeps it.
    pub(super) fn bin(&self, path: &TreePath, seen: &Fingerprint, content: &ContentId) -> Result<(), TreeError> {
        let spot = match self.spot(path) {
            Err(TreeError::NotFound) => return Ok(()),
            other => other?,
        };
        let _held = self.hold(path);
        // Another file under that name is not ours to take away.
        if !spot.find(self)?.is_some_and(|live| live.is(seen)) {
            return Ok(());
        }
        let _change = self.own.change(path, None);
        let name = content.to_string();
        if self.kept_status(content)?.is_some_and(|kept| kept.is(seen)) {
            // Linked already by a try that was broken off.
            return rustix::fs::unlinkat(&spot.directory, spot.name, AtFlags::empty())
                .map_err(|e| Failure::new("delete a file", self.path(path), e).into());
        }
        match self.able.rename(&spot.directory, spot.name, &self.kept, &name) {
            Ok(()) => {}
            Err(Errno::NOENT) => return Ok(()),
            Err(other) => return Err(Failure::new("delete a file", self.path(path), other).into()),
        }
        let taken = self.kept_status(content)?;
        if taken.is_some_and(|taken| !taken.is(seen)) {
            // Another program had put its own file there at the last moment.
            self.able
                .rename(&self.kept, &name, &spot.directory, spot.name)
                .map_err(|e| Failure::new("put another program's file back", self.path(path), e))?;
        }
        Ok(())
    }

    /// Gives a file another name.
    pub(super) fn rename(&self, from: &TreePath, to: &TreePath, seen: &Fingerprint) -> Result<(), TreeError> {
        let new = self.new_spot(to)?;
        let _held = self.hold_both(from, to);
        let there = new.find(self)?;
        let old = match self.spot(from) {
            Ok(old) => old,
            Err(TreeError::NotFound) if there.is_some_and(|there| there.is(seen)) => return Ok(()),
            Err(other) => return Err(other),
        };
        let here = old.find(self)?.filter(|here| here.is(seen));
        let failed = |e| naming_failed("rename a file", self.path(from), e);
        match (here, there) {
            (None, Some(there)) if there.is(seen) => return Ok(()),
            (None, _) => return Err(TreeError::NotFound),
            (Some(here), Some(there)) if there.is(seen) && from != to => {
                let _changes = [self.own.change(from, None), self.own.change(to, Some(there.fingerprint))];
                if here.links == 1 {
                    // One name that this file system spells in two ways, such as with other letter case.
                    return rustix::fs::renameat(&old.directory, old.name, &new.directory, new.name).map_err(failed);
                }
                if self.able.never_replaces {
                    // Two links that somebody made.
                    return Err(TreeError::NameTaken);
                }
                // Linked already by a try that was broken off.
                return rustix::fs::unlinkat(&old.directory, old.name, AtFlags::empty()).map_err(failed);
            }
            (Some(_), Some(there)) if there.is(seen) => return Ok(()),
            (Some(_), Some(_)) => return Err(TreeError::NameTaken),
            (Some(_), None) => {}
        }
        let _changes = [self.own.change(from, None), self.own.change(to, here.map(|here| here.fingerprint))];
        self.able.rename(&old.directory, old.name, &new.directory, new.name).map_err(failed)?;
        if new.find(self)?.is_some_and(|moved| !moved.is(seen)) {
            // Another program had put its own file there at the last moment.
            self.able.rename(&new.directory, new.name, &old.directory, old.name).map_err(failed)?;
            return Err(TreeError::NotFound);
        }
        Ok(())
    }

    /// Makes a container, durably.
    pub(super) fn create_container(&self, path: &TreePath) -> Result<Status, TreeError> {
        let spot = self.new_spot(path)?;
        let _held = self.hold(path);
        let failed = |e| naming_failed("make a container", self.path(path), e);
        let mode = Mode::RWXU | Mode::RWXG | Mode::RWXO;
        rustix::fs::mkdirat(&spot.directory, spot.name, mode).map_err(failed)?;
        let made = spot.find(self)?.filter(Status::is_directory).ok_or(TreeError::NotFound)?;
        let _change = self.own.change(path, Some(made.fingerprint));
        self.sync(container_of(path))?;
        Ok(made)
    }

    /// Gives a container another name, durably.
    pub(super) fn rename_container(&self, from: &TreePath, to: &TreePath) -> Result<(), TreeError> {
        let (old, new) = (self.spot(from)?, self.new_spot(to)?);
        let _held = self.hold_both(from, to);
        let here = old.find(self)?.filter(|here| here.is_directory() && !self.is_state(here));
        let here = here.ok_or(TreeError::NotFound)?;
        let failed = |e| naming_failed("rename a container", self.path(from), e);
        let _changes = [self.own.change(from, None), self.own.change(to, Some(here.fingerprint))];
        match self.able.rename_directory(&old.directory, old.name, &new.directory, new.name) {
            Ok(()) => {}
            // One name that this file system spells in two ways.
            Err(Errno::EXIST) if new.find(self)?.is_some_and(|there| there.is(&here.fingerprint)) => {
                rustix::fs::renameat(&old.directory, old.name, &new.directory, new.name).map_err(failed)?;
            }
            Err(other) => return Err(failed(other)),
        }
        self.sync(container_of(from))?;
        if container_of(from) != container_of(to) {
            self.sync(container_of(to))?;
        }
        Ok(())
    }

    /// Removes an empty container, durably.
    pub(super) fn remove_container(&self, path: &TreePath) -> Result<(), TreeError> {
        let spot = self.spot(path)?;
        let _held = self.hold(path);
        let here = spot.find(self)?.filter(Status::is_directory);
        if self.is_state(&here.ok_or(TreeError::NotFound)?) {
            return Err(TreeError::NotFound);
        }
        let _change = self.own.change(path, None);
        match rustix::fs::unlinkat(&spot.directory, spot.name, AtFlags::REMOVEDIR) {
            Ok(()) => self.sync(container_of(path)),
            // POSIX allows either.
            Err(Errno::EXIST | Errno::NOTEMPTY) => Err(TreeError::NotEmpty),
            Err(other) => Err(naming_failed("remove a container", self.path(path), other)),
        }
    }

    /// Makes the names in a container durable.
    pub(super) fn sync(&self, container: &str) -> Result<(), TreeError> {
        let place = || self.root_path.join(container).display().to_string();
        let directory = self.root.open(container, LIST).map_err(|e| lookup_failed("open a container", place(), e))?;
        sync_directory(directory.as_fd(), &place)
    }

    /// Makes the names of our own durable.
    pub(super) fn sync_contents(&self) -> Result<(), TreeError> {
        sync_directory(self.publishing.as_fd(), &|| self.place("publishing"))?;
        sync_directory(self.kept.as_fd(), &|| self.place("kept"))
    }
}

fn sync_directory(directory: BorrowedFd<'_>, place: &dyn Fn() -> String) -> Result<(), TreeError> {
    rustix::fs::fsync(directory).map_err(|e| Failure::new("make a change durable", place(), e).into())
}

fn container_of(path: &TreePath) -> &str {
    path.as_str().rsplit_once('/').map_or("", |(container, _)| container)
}
