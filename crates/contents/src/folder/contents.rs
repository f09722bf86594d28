//! The folder's state directory as [`Contents`].

use std::collections::VecDeque;
use std::ops::Range;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use lectern_host::Body;
use lectern_host::ports::{Contents, ContentsError, Stored};
use lectern_host::records::ContentId;
use rustix::fs::{AtFlags, Dir, Mode};
use rustix::io::Errno;

use super::beneath::{READ, is_absence};
use super::failure::Failure;
use super::names::{parse_kept_name, parse_publishing_name};
use super::status::{find, status_of};
use super::{Folder, Inner, blocking, contents_stopped, reading, writing};

/// How many ids are read from the directory in one go.
const IDS_AT_ONCE: usize = 1024;

#[async_trait]
impl Contents for Folder {
    async fn put(&self, id: &ContentId, body: Body, size_max: u64) -> Result<Stored, ContentsError> {
        writing::put(&self.inner, id, body, size_max).await
    }

    async fn open(&self, id: &ContentId, range: Range<u64>) -> Result<Body, ContentsError> {
        let inner = &self.inner;
        let file = match inner.kept_files.open_cached(&id.to_string(), READ) {
            Some(Ok(file)) => file,
            _ => {
                let (inner, id) = (Arc::clone(inner), *id);
                blocking(move || inner.open_content(&id)).await.unwrap_or_else(|e| Err(contents_stopped(e)))?
            }
        };
        let status = status_of(file.as_fd()).map_err(|e| Failure::new("look at a content", inner.place("kept"), e))?;
        if !status.is_file() {
            return Err(ContentsError::NotFound);
        }
        Ok(reading::body(file, status.fingerprint.size, &range, None, inner.buffers.stream()))
    }

    async fn remove(&self, id: &ContentId) -> Result<(), ContentsError> {
        let (inner, id) = (Arc::clone(&self.inner), *id);
        blocking(move || inner.remove_content(&id)).await.unwrap_or_else(|e| Err(contents_stopped(e)))
    }

    fn ids(&self) -> BoxStream<'_, Result<ContentId, ContentsError>> {
        let begin = Ids {
            inner: Arc::clone(&self.inner),
            listing: Listing::Begin,
            publishing: Vec::new(),
            found: VecDeque::new(),
        };
        stream::unfold(begin, Ids::next).boxed()
    }
}

impl Inner {
    /// Opens a content, be it kept or on its way into the folder. A content only ever goes from the first place to the
    /// second, so it is not missed between two looks in this order.
    fn open_content(&self, id: &ContentId) -> Result<OwnedFd, ContentsError> {
        match self.kept_files.open(&id.to_string(), READ) {
            Ok(file) => return Ok(file),
            Err(errno) if is_absence(errno) => {}
            Err(other) => return Err(Failure::new("open a content", self.place("kept"), other).into()),
        }
        let failed = |errno| ContentsError::from(Failure::new("open a content", self.place("publishing"), errno));
        for (name, _) in self.publishing(Some(id)).map_err(failed)? {
            match rustix::fs::openat(&self.publishing, &name, READ, Mode::empty()) {
                // The inode once more, of what was really opened: the exchange may have come between.
                Ok(file)
                    if parse_publishing_name(name.as_bytes())
                        .is_some_and(|(_, inode)| status_of(file.as_fd()).is_ok_and(|now| now.is(&inode))) =>
                {
                    return Ok(file);
                }
                Ok(_) => {}
                Err(errno) if is_absence(errno) => {}
                Err(other) => return Err(failed(other)),
            }
        }
        Err(ContentsError::NotFound)
    }

    fn remove_content(&self, id: &ContentId) -> Result<(), ContentsError> {
        let unlink =
            |directory: &OwnedFd, name: &str, place| match rustix::fs::unlinkat(directory, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => Ok(()),
                Err(other) => Err(ContentsError::from(Failure::new("remove a content", self.place(place), other))),
            };
        unlink(&self.kept, &id.to_string(), "kept")?;
        let waiting =
            self.publishing(Some(id)).map_err(|e| Failure::new("remove a content", self.place("publishing"), e))?;
        waiting.iter().try_for_each(|(name, _)| unlink(&self.publishing, name, "publishing"))
    }

    /// The contents that wait to be published, or that one: names of `publishing` that still hold the inode they tell
    /// of. The others hold the old file of an exchange, whose last step is still to come.
    fn publishing(&self, only: Option<&ContentId>) -> Result<Vec<(String, ContentId)>, Errno> {
        let mut found = Vec::new();
        for entry in Dir::read_from(&self.publishing)? {
            let entry = entry?;
            let Some((id, inode)) = parse_publishing_name(entry.file_name().to_bytes()) else { continue };
            if only.is_some_and(|only| *only != id) {
                continue;
            }
            let Ok(name) = entry.file_name().to_str() else { continue };
            if find(self.publishing.as_fd(), name)?.is_some_and(|now| now.is(&inode)) {
                found.push((name.to_owned(), id));
            }
        }
        Ok(found)
    }
}

/// A listing under way: first `publishing`, then `kept`.
struct Ids {
    inner: Arc<Inner>,
    listing: Listing,
    /// What was found in `publishing`, and may have come back to `kept` since because it could not be published.
    publishing: Vec<ContentId>,
    found: VecDeque<ContentId>,
}

enum Listing {
    Begin,
    Kept(Dir),
    End,
}

impl Ids {
    async fn next(mut self) -> Option<(Result<ContentId, ContentsError>, Self)> {
        loop {
            if let Some(id) = self.found.pop_front() {
                return Some((Ok(id), self));
            }
            if matches!(self.listing, Listing::End) {
                return None;
            }
            let inner = Arc::clone(&self.inner);
            self = match blocking(move || self.read_more()).await {
                Ok(Ok(more)) => more,
                failed => {
                    let error = match failed {
                        Ok(Err(errno)) => Failure::new("list contents", inner.place("kept"), errno).into(),
                        Err(stopped) => contents_stopped(stopped),
                        Ok(Ok(_)) => return None,
                    };
                    let end = Self { inner, listing: Listing::End, publishing: Vec::new(), found: VecDeque::new() };
                    return Some((Err(error), end));
                }
            };
        }
    }

    fn read_more(mut self) -> Result<Self, Errno> {
        match &mut self.listing {
            Listing::Begin => {
                self.publishing = self.inner.publishing(None)?.into_iter().map(|(_, id)| id).collect();
                self.found.extend(&self.publishing);
                self.listing = Listing::Kept(Dir::read_from(&self.inner.kept)?);
            }
            Listing::Kept(directory) => {
                while self.found.len() < IDS_AT_ONCE {
                    match directory.read() {
                        Some(entry) => {
                            let id = parse_kept_name(entry?.file_name().to_bytes());
                            self.found.extend(id.filter(|id| !self.publishing.contains(id)));
                        }
                        None => {
                            self.listing = Listing::End;
                            break;
                        }
                    }
                }
            }
            Listing::End => {}
        }
        Ok(self)
    }
}
