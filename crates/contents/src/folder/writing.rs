//! A body as a new content: written and hashed on another thread while the next piece comes in, then made durable.
//!
//! The file is written under `incoming/`, which `open` and `ids` never look at, and gets its name under `kept/` when it
//! is whole, *before* it is synced: on the journalling file systems the sync of the file then carries the name along, and
//! the sync of the directory that follows finds nothing left to write. (Measured on ext4: a small save takes one journal
//! commit instead of two.) The price: after a power cut in that moment, a content may show up in `ids` whose `put` never
//! returned. Nobody knows its id, so the sweeper removes it like any other that nobody points to.
//!
//! While a large save comes in and is hashed, the disk writes what is there already, so that little is left for the sync
//! at the end: measured with `tests/speed.rs` on ext4, that makes a save of 10 MB 1.3 times as fast as a program that
//! writes, hashes and then syncs, instead of about as fast. Preallocating the file made no difference.

use std::io::IoSlice;
use std::num::NonZeroU64;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_lc_rs::digest;
use bytes::Bytes;
use http_body::Body as _;
use http_body_util::BodyExt as _;
use lectern_host::Body;
use lectern_host::ports::{ContentsError, Stored};
use lectern_host::records::{ContentId, Sha256};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::buffers::Stream;
use super::failure::Failure;
use super::status::status_of;
use super::{Inner, blocking, contents_stopped};

/// Frames of at least this share of a piece are written as they are; smaller ones are copied together first. Not only
/// for the calls: a small frame may hold on to a large buffer of the connection.
const FRAME_SHARE_MIN: usize = 4;
/// The disk is asked to begin when so much is written that it has not been asked for.
const PUSH_BYTES: u64 = 1 << 20;
/// Pieces that wait while another one is written.
const PIECES_WAITING_MAX: usize = 1;
/// Most slices of a piece: what was copied together, and the frame that did not fit.
const SLICES_MAX: usize = 2;

pub(super) async fn put(
    inner: &Arc<Inner>,
    id: &ContentId,
    mut body: Body,
    size_max: u64,
) -> Result<Stored, ContentsError> {
    if body.size_hint().lower() > size_max {
        return Err(ContentsError::TooLarge { limit: size_max });
    }
    let stream = inner.buffers.stream();
    let wanted = Arc::new(Wanted(AtomicBool::new(true)));
    // Says so to the thread that writes, however this future ends.
    let _dropped = Unwanted(Arc::clone(&wanted));
    let mut writer = Writer { inner, id, wanted: &wanted, stream: &stream, begun: None };
    let mut size: u64 = 0;
    let mut gathered: Option<super::buffers::Piece> = None;
    while let Some(frame) = body.frame().await {
        let Ok(mut data) = frame.map_err(ContentsError::Body)?.into_data() else { continue };
        size += data.len() as u64;
        if size > size_max {
            return Err(ContentsError::TooLarge { limit: size_max });
        }
        if data.len() >= stream.piece_bytes() / FRAME_SHARE_MIN {
            let slices = [gathered.take().map(super::buffers::Piece::into_bytes), Some(data)];
            writer.write(slices).await?;
            continue;
        }
        while !data.is_empty() {
            let piece = gathered.get_or_insert_with(|| stream.piece());
            let copied = piece.copy(&data);
            data = data.split_off(copied);
            if piece.is_full() {
                let full = gathered.take().map(super::buffers::Piece::into_bytes);
                writer.write([full, None]).await?;
            }
        }
    }
    let rest = gathered.map(super::buffers::Piece::into_bytes);
    let end = writer.end().await?;
    let (inner, id) = (Arc::clone(inner), *id);
    let kept = blocking(move || {
        let mut incoming = match end {
            Some((incoming, left)) => left.write_all(incoming, [])?.0,
            None => Incoming::create(inner, id, wanted)?,
        };
        incoming.write(&[rest, None])?;
        incoming.keep()
    })
    .await
    .unwrap_or_else(|stopped| Err(contents_stopped(stopped)))?;
    Ok(kept.confirm())
}

/// Whether anybody still waits for the content.
#[derive(Debug)]
struct Wanted(AtomicBool);

struct Unwanted(Arc<Wanted>);

impl Drop for Unwanted {
    fn drop(&mut self) {
        self.0.0.store(false, Ordering::Release);
    }
}

/// A piece and what did not fit into it.
type Slices = [Option<Bytes>; SLICES_MAX];

/// Writes pieces in the order in which they come. Unless there are many streams, one waits while another is written, so
/// that the thread that writes need not be woken for each; it ends when none waits, so that a slow client holds none.
struct Writer<'put> {
    inner: &'put Arc<Inner>,
    id: &'put ContentId,
    wanted: &'put Arc<Wanted>,
    stream: &'put Stream,
    /// Once the first piece is there.
    begun: Option<(mpsc::Sender<Slices>, Job)>,
}

/// Writes everything that waits; gives back the file, and where more will come.
type Job = JoinHandle<Result<(Incoming, Waiting), ContentsError>>;

/// The pieces that wait.
struct Waiting(mpsc::Receiver<Slices>);

impl Waiting {
    /// Writes the first pieces and then everything that waits, and lets go of each as soon as it is written.
    fn write_all(
        mut self,
        mut incoming: Incoming,
        first: impl IntoIterator<Item = Slices>,
    ) -> Result<(Incoming, Self), ContentsError> {
        for slices in first {
            incoming.write(&slices)?;
        }
        while let Ok(slices) = self.0.try_recv() {
            incoming.write(&slices)?;
        }
        Ok((incoming, self))
    }
}

impl Writer<'_> {
    /// Waits until there is room for one more piece, and has it written.
    async fn write(&mut self, slices: Slices) -> Result<(), ContentsError> {
        let Some((pieces, job)) = &mut self.begun else {
            let (pieces, waiting) = mpsc::channel(PIECES_WAITING_MAX);
            let waiting = Waiting(waiting);
            let (inner, id, wanted) = (Arc::clone(self.inner), *self.id, Arc::clone(self.wanted));
            let job =
                tokio::task::spawn_blocking(move || waiting.write_all(Incoming::create(inner, id, wanted)?, [slices]));
            self.begun = Some((pieces, job));
            return Ok(());
        };
        let end = tokio::select! {
            biased;
            // Nothing waited any more; or writing failed, and nothing is taken from the channel.
            end = &mut *job => end,
            Ok(room) = pieces.reserve(), if self.stream.may_wait() => {
                // Should the job end at this very moment, the piece is written with the next one, or at the end.
                room.send(slices);
                return Ok(());
            }
        };
        let (incoming, mut waiting) = end.map_err(|stopped| contents_stopped(stopped.into()))??;
        // Taken now: by the time the thread runs, later pieces may wait.
        let first: Vec<Slices> = std::iter::from_fn(|| waiting.0.try_recv().ok()).chain([slices]).collect();
        *job = tokio::task::spawn_blocking(move || waiting.write_all(incoming, first));
        Ok(())
    }

    /// Waits for what is being written. What still waits then is given back, too.
    async fn end(self) -> Result<Option<(Incoming, Waiting)>, ContentsError> {
        let Some((pieces, job)) = self.begun else { return Ok(None) };
        let end = job.await.map_err(|stopped| contents_stopped(stopped.into()))?;
        drop(pieces);
        end.map(Some)
    }
}

/// A file that is being written. Dropped before it is confirmed, it is gone, whatever it is called by then.
struct Incoming {
    inner: Arc<Inner>,
    id: ContentId,
    wanted: Arc<Wanted>,
    file: OwnedFd,
    hash: digest::Context,
    size: u64,
    /// How much of that the disk was asked to begin with.
    pushed: u64,
    name: Name,
}

enum Name {
    Incoming,
    Kept,
    Confirmed,
}

impl Incoming {
    fn create(inner: Arc<Inner>, id: ContentId, wanted: Arc<Wanted>) -> Result<Self, ContentsError> {
        // 0666 less the umask: what a new file in the folder shall have. Until it is there, the state directory, which
        // nobody else may enter, protects it.
        let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::WGRP | Mode::ROTH | Mode::WOTH;
        let how = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = rustix::fs::openat(&inner.incoming, id.to_string(), how, mode)
            .map_err(|e| Failure::new("create a content", inner.place("incoming"), e))?;
        let hash = digest::Context::new(&digest::SHA256);
        Ok(Self { inner, id, wanted, file, hash, size: 0, pushed: 0, name: Name::Incoming })
    }

    fn failed(&self, doing: &'static str, errno: Errno) -> ContentsError {
        Failure::new(doing, self.inner.place("incoming"), errno).into()
    }

    /// Appends all of the slices.
    fn write(&mut self, slices: &Slices) -> Result<(), ContentsError> {
        if !self.wanted.0.load(Ordering::Acquire) {
            return Err(ContentsError::Unavailable("nobody waits for the content any more".into()));
        }
        let mut left: [&[u8]; SLICES_MAX] = [&[]; SLICES_MAX];
        for (left, slice) in left.iter_mut().zip(slices) {
            *left = slice.as_deref().unwrap_or_default();
        }
        while left.iter().any(|slice| !slice.is_empty()) {
            let written = match rustix::io::writev(&self.file, &left.map(IoSlice::new)) {
                Ok(0) => return Err(self.failed("write a content", Errno::IO)),
                Ok(written) => written,
                Err(Errno::INTR) => continue,
                Err(other) => return Err(self.failed("write a content", other)),
            };
            self.size += written as u64;
            let mut rest = written;
            for slice in &mut left {
                let part = rest.min(slice.len());
                *slice = &slice[part..];
                rest -= part;
            }
        }
        self.push();
        for slice in slices.iter().flatten() {
            self.hash.update(slice);
        }
        Ok(())
    }

    /// Asks the disk to begin with what is written, without waiting for it.
    fn push(&mut self) {
        let Some(length) = NonZeroU64::new(self.size - self.pushed).filter(|length| length.get() >= PUSH_BYTES) else {
            return;
        };
        // On Linux, pages that are not on the disk yet are sent there by this, and stay in memory. (`sync_file_range`
        // is made for it, but has no safe wrapper.) It is advice: if it is not taken, the sync does it all.
        #[cfg(not(target_vendor = "apple"))]
        let _ = rustix::fs::fadvise(&self.file, self.pushed, Some(length), rustix::fs::Advice::DontNeed);
        self.pushed += length.get();
    }

    /// Gives the file its name and makes both durable.
    fn keep(mut self) -> Result<Kept, ContentsError> {
        let name = self.id.to_string();
        self.inner
            .able
            .rename(&self.inner.incoming, &name, &self.inner.kept, &name)
            .map_err(|e| self.failed("keep a content", e))?;
        self.name = Name::Kept;
        rustix::fs::fdatasync(&self.file).map_err(|e| self.failed("sync a content", e))?;
        rustix::fs::fsync(&self.inner.kept).map_err(|e| self.failed("sync the directory of contents", e))?;
        let staged = status_of(self.file.as_fd()).map_err(|e| self.failed("look at a content", e))?.fingerprint;
        let mut sha256 = Sha256::default();
        sha256.copy_from_slice(self.hash.clone().finish().as_ref());
        let stored = Stored { size: self.size, sha256, staged: Some(staged) };
        Ok(Kept { incoming: self, stored })
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let directory = match self.name {
            Name::Incoming => &self.inner.incoming,
            Name::Kept => &self.inner.kept,
            Name::Confirmed => return,
        };
        if let Err(error) = rustix::fs::unlinkat(directory, self.id.to_string(), AtFlags::empty()) {
            tracing::warn!(content.id = %self.id, %error, "the rest of an unfinished content was left behind");
        }
    }
}

/// A durable content that its `put` has not returned yet.
struct Kept {
    incoming: Incoming,
    stored: Stored,
}

impl Kept {
    fn confirm(mut self) -> Stored {
        self.incoming.name = Name::Confirmed;
        self.stored
    }
}
