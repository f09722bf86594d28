//! The folder as [`Tree`].

use std::collections::BTreeSet;
use std::ops::Range;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use aws_lc_rs::digest;
use lectern_host::Body;
use lectern_host::ports::{Tree, TreeEntry, TreeError, TreePath};
use lectern_host::records::{ContentId, Fingerprint, Sha256};
use lectern_host::wopi::FileName;
use rustix::fs::{Dir, FileType};
use tokio::sync::mpsc::Receiver;

use super::beneath::{LIST, READ, STAND};
use super::failure::{Failure, lookup_failed};
use super::offered::offered;
use super::status::{Status, find, status_of};
use super::{Folder, Inner, blocking, hints, reading, tree_stopped};

#[async_trait]
impl Tree for Folder {
    fn look(&self, path: &TreePath) -> Result<Option<TreeEntry>, TreeError> {
        self.inner.look(path)
    }

    async fn open(
        &self,
        path: &TreePath,
        expected: &Fingerprint,
        range: Range<u64>,
    ) -> Result<Option<Body>, TreeError> {
        let Some(file) = self.inner.open_file(path).await? else { return Ok(None) };
        let status = self.inner.status(&file, path)?;
        if !status.is_file() || status.fingerprint != *expected {
            return Ok(None);
        }
        let stream = self.inner.buffers.stream();
        Ok(Some(reading::body(file, status.fingerprint.size, &range, Some(*expected), stream)))
    }

    async fn hash(&self, path: &TreePath, expected: &Fingerprint) -> Result<Option<Sha256>, TreeError> {
        let Some(file) = self.inner.open_file(path).await? else { return Ok(None) };
        let (inner, path, expected) = (Arc::clone(&self.inner), path.clone(), *expected);
        let wanted = Arc::new(AtomicBool::new(true));
        let _dropped = Unwanted(Arc::clone(&wanted));
        blocking(move || inner.hash(&file, &path, &expected, &wanted)).await.unwrap_or_else(|e| Err(tree_stopped(e)))
    }

    async fn publish(
        &self,
        path: &TreePath,
        content: &ContentId,
        staged: &Fingerprint,
        replaces: Option<&ContentId>,
    ) -> Result<Option<Fingerprint>, TreeError> {
        let (path, content, staged, replaces) = (path.clone(), *content, *staged, replaces.copied());
        self.work(move |inner| inner.publish(&path, &content, &staged, replaces.as_ref())).await
    }

    async fn rename(&self, from: &TreePath, to: &TreePath, seen: &Fingerprint) -> Result<(), TreeError> {
        let (from, to, seen) = (from.clone(), to.clone(), *seen);
        self.work(move |inner| inner.rename(&from, &to, &seen)).await
    }

    async fn bin(&self, path: &TreePath, seen: &Fingerprint, content: &ContentId) -> Result<(), TreeError> {
        let (path, seen, content) = (path.clone(), *seen, *content);
        self.work(move |inner| inner.bin(&path, &seen, &content)).await
    }

    async fn settle(&self, containers: &[TreePath]) -> Result<(), TreeError> {
        let containers: BTreeSet<TreePath> = containers.iter().cloned().collect();
        self.work(move |inner| {
            for container in &containers {
                match inner.sync(container.as_str()) {
                    // A container that is gone has nothing left to keep.
                    Ok(()) | Err(TreeError::NotFound) => {}
                    Err(other) => return Err(other),
                }
            }
            inner.sync_contents()
        })
        .await
    }

    async fn list(&self, path: &TreePath) -> Result<Vec<TreeEntry>, TreeError> {
        let path = path.clone();
        self.work(move |inner| inner.list(&path)).await
    }

    async fn unoffered(&self, path: &TreePath, limit: usize) -> Result<Vec<String>, TreeError> {
        let path = path.clone();
        self.work(move |inner| inner.unoffered(&path, limit)).await
    }

    async fn create_container(&self, path: &TreePath) -> Result<TreeEntry, TreeError> {
        let path = path.clone();
        self.work(move |inner| {
            let made = inner.create_container(&path)?;
            let name = path.split().and_then(|(_, name)| offered(name.as_bytes())).ok_or(TreeError::NameRefused)?;
            Ok(entry(name, &made))
        })
        .await
    }

    async fn rename_container(&self, from: &TreePath, to: &TreePath) -> Result<(), TreeError> {
        let (from, to) = (from.clone(), to.clone());
        self.work(move |inner| inner.rename_container(&from, &to)).await
    }

    async fn remove_container(&self, path: &TreePath) -> Result<(), TreeError> {
        let path = path.clone();
        self.work(move |inner| inner.remove_container(&path)).await
    }

    fn hints(&self) -> Option<Receiver<TreePath>> {
        (!self.inner.hints_taken.swap(true, Ordering::Relaxed)).then(|| hints::watch(&self.inner))
    }
}

impl Folder {
    /// On a thread that may wait for the disk. What was begun is finished even if nobody waits any more.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, TreeError> + Send + 'static,
    ) -> Result<T, TreeError> {
        let inner = Arc::clone(&self.inner);
        blocking(move || work(&inner)).await.unwrap_or_else(|e| Err(tree_stopped(e)))
    }
}

struct Unwanted(Arc<AtomicBool>);

impl Drop for Unwanted {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

fn entry(name: FileName, status: &Status) -> TreeEntry {
    TreeEntry { name, container: status.is_directory(), fingerprint: status.fingerprint }
}

/// Whether a name is `own`, which is in lower case, but for letter case.
fn is_same_name(name: &str, own: &str) -> bool {
    if name.is_ascii() { name.eq_ignore_ascii_case(own) } else { name.to_lowercase() == own }
}

impl Inner {
    /// What we offer under the path.
    pub(super) fn look(&self, path: &TreePath) -> Result<Option<TreeEntry>, TreeError> {
        let Some((container, name)) = self.offered_path(path) else { return Ok(None) };
        let failed = |errno| match lookup_failed("look at a file", self.path(path), errno) {
            TreeError::NotFound => Ok(None),
            other => Err(other),
        };
        let found = if container.is_empty() {
            find(self.root.as_fd(), name)
        } else {
            match self.root.open(container, STAND) {
                Ok(directory) => find(directory.as_fd(), name),
                Err(errno) => Err(errno),
            }
        };
        match found {
            Ok(status) => Ok(status
                .filter(|status| self.is_offered(status))
                .and_then(|status| Some(entry(offered(name.as_bytes())?, &status)))),
            Err(errno) => failed(errno),
        }
    }

    fn is_offered(&self, status: &Status) -> bool {
        status.is_file() || (status.is_directory() && !self.is_state(status))
    }

    /// Whether the path leads into the state directory, in whatever letter case: on some file systems that is the same.
    pub(super) fn leads_to_state(&self, path: &str) -> bool {
        let Some(state) = &self.state_inside else { return false };
        let mut names = path.split('/');
        state.split('/').all(|own| names.next().is_some_and(|name| is_same_name(name, own)))
    }

    async fn open_file(self: &Arc<Self>, path: &TreePath) -> Result<Option<OwnedFd>, TreeError> {
        if self.offered_path(path).is_none() {
            return Ok(None);
        }
        let opened = match self.root.open_cached(path.as_str(), READ) {
            Some(opened) => opened,
            None => {
                let (inner, path) = (Arc::clone(self), path.clone());
                blocking(move || inner.root.open(path.as_str(), READ)).await.map_err(tree_stopped)?
            }
        };
        match opened {
            Ok(file) => Ok(Some(file)),
            Err(errno) => match lookup_failed("open a file", self.path(path), errno) {
                TreeError::NotFound => Ok(None),
                other => Err(other),
            },
        }
    }

    fn status(&self, file: &OwnedFd, path: &TreePath) -> Result<Status, TreeError> {
        status_of(file.as_fd()).map_err(|e| Failure::new("look at a file", self.path(path), e).into())
    }

    fn hash(
        self: &Arc<Self>,
        file: &OwnedFd,
        path: &TreePath,
        expected: &Fingerprint,
        wanted: &AtomicBool,
    ) -> Result<Option<Sha256>, TreeError> {
        let is_expected = || self.status(file, path).map(|status| status.is_file() && status.fingerprint == *expected);
        if !is_expected()? {
            return Ok(None);
        }
        let stream = self.buffers.stream();
        let mut hash = digest::Context::new(&digest::SHA256);
        let mut at = 0;
        while at < expected.size {
            if !wanted.load(Ordering::Relaxed) {
                return Err(TreeError::Unavailable("nobody waits for the hash any more".into()));
            }
            let mut piece = stream.piece();
            let room = piece.room().len();
            reading::read(file, &mut piece, at, room).map_err(|e| Failure::new("read a file", self.path(path), e))?;
            if piece.is_empty() {
                return Ok(None);
            }
            hash.update(piece.as_ref());
            at += piece.as_ref().len() as u64;
        }
        let mut sha256 = Sha256::default();
        sha256.copy_from_slice(hash.finish().as_ref());
        Ok(is_expected()?.then_some(sha256))
    }

    pub(super) fn list(&self, path: &TreePath) -> Result<Vec<TreeEntry>, TreeError> {
        if !path.as_str().is_empty() && self.offered_path(path).is_none() {
            return Err(TreeError::NotFound);
        }
        let failed = |errno| lookup_failed("list a container", self.path(path), errno);
        let directory = self.root.open(path.as_str(), LIST).map_err(failed)?;
        if self.is_state(&status_of(directory.as_fd()).map_err(failed)?) {
            return Err(TreeError::NotFound);
        }
        let mut found = Vec::new();
        for listed in Dir::read_from(&directory).map_err(failed)? {
            let listed = listed.map_err(failed)?;
            // Some file systems do not tell the kind here; all do below.
            if !matches!(listed.file_type(), FileType::RegularFile | FileType::Directory | FileType::Unknown) {
                continue;
            }
            let Some(name) = offered(listed.file_name().to_bytes()) else { continue };
            match find(directory.as_fd(), name.as_str()).map_err(failed)? {
                Some(status) if self.is_offered(&status) => found.push(entry(name, &status)),
                _ => {}
            }
        }
        Ok(found)
    }

    /// The names in a container that [`Self::list`] leaves out: hidden and temporary files, links, sockets.
    pub(super) fn unoffered(&self, path: &TreePath, limit: usize) -> Result<Vec<String>, TreeError> {
        let shown = self.list(path)?;
        let failed = |errno| lookup_failed("list a container", self.path(path), errno);
        let directory = self.root.open(path.as_str(), LIST).map_err(failed)?;
        let mut left = Vec::new();
        for listed in Dir::read_from(&directory).map_err(failed)? {
            let listed = listed.map_err(failed)?;
            let name = listed.file_name().to_string_lossy().into_owned();
            if !matches!(name.as_str(), "." | "..") && !shown.iter().any(|entry| entry.name.as_str() == name) {
                left.push(name);
            }
            if left.len() == limit {
                break;
            }
        }
        Ok(left)
    }
}
