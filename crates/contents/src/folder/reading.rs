//! A file as a body: streamed in pieces, inline while the kernel has the bytes in memory, ahead on another thread while
//! it has not.

use std::future::Future as _;
use std::io::IoSliceMut;
use std::ops::Range;
use std::os::fd::{AsFd as _, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;
use lectern_host::records::Fingerprint;
use lectern_host::{Body, BoxError};
use rustix::io::Errno;
use tokio::task::JoinHandle;

use super::buffers::{Piece, Stream};
use super::failure::Failure;
use super::status::status_of;

/// How often a read is tried again that a signal broke off.
const INTERRUPTIONS_MAX: usize = 64;

/// The bytes of one open file in a range that lies within it.
struct Reading {
    file: Arc<OwnedFd>,
    at: u64,
    end: u64,
    /// What the file must still be when its last byte was read; `None` for contents, which never change.
    expected: Option<Fingerprint>,
    stream: Stream,
    ahead: Option<JoinHandle<Result<Ahead, Errno>>>,
    /// Whether the kernel can say "not in memory" instead of waiting for the disk. Learned from its first refusal.
    inline: bool,
}

/// What was read on another thread.
struct Ahead {
    piece: Piece,
    /// Whether it would have taken no waiting.
    was_cached: bool,
}

/// The bytes of `file` in `range`, cut at its end. With `expected`, the body fails if the file was changed while it was
/// read, rather than end with some bytes old and some new.
pub(crate) fn body(
    file: OwnedFd,
    size: u64,
    range: &Range<u64>,
    expected: Option<Fingerprint>,
    stream: Stream,
) -> Body {
    let end = range.end.min(size);
    let at = range.start.min(end);
    let inline = cfg!(target_os = "linux");
    Reading { file: Arc::new(file), at, end, expected, stream, ahead: None, inline }.boxed_unsync()
}

impl Reading {
    /// An empty piece, and how much of it the next read should fill.
    fn piece(&self) -> (Piece, usize) {
        let mut piece = self.stream.piece();
        let wanted = usize::try_from(self.end - self.at).unwrap_or(usize::MAX).min(piece.room().len());
        (piece, wanted)
    }

    /// Starts to read the next piece on another thread.
    fn read_ahead(&mut self) {
        if self.at >= self.end || self.ahead.is_some() {
            return;
        }
        let (file, at, inline) = (Arc::clone(&self.file), self.at, self.inline);
        let (mut piece, wanted) = self.piece();
        self.ahead = Some(tokio::task::spawn_blocking(move || {
            if inline && matches!(read_cached(&file, &mut piece, at, wanted), Ok(count) if count == wanted) {
                return Ok(Ahead { piece, was_cached: true });
            }
            let done = piece.as_ref().len();
            read(&file, &mut piece, at + done as u64, wanted - done)?;
            Ok(Ahead { piece, was_cached: false })
        }));
    }

    /// Takes what was read into account, and makes a frame of it.
    fn deliver(&mut self, piece: Piece) -> Result<Bytes, BoxError> {
        if piece.is_empty() {
            return Err(format!("the file ended at byte {} of {} while it was read", self.at, self.end).into());
        }
        self.at += piece.as_ref().len() as u64;
        if let Some(expected) = &self.expected
            && self.at == self.end
        {
            let now = status_of(self.file.as_fd()).map_err(|e| Failure::new("look at the file", "the folder", e))?;
            if now.fingerprint != *expected {
                return Err("another program changed the file while it was read".into());
            }
        }
        Ok(piece.into_bytes())
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BoxError>>> {
        if self.at >= self.end {
            return Poll::Ready(None);
        }
        if self.ahead.is_none() && self.inline {
            let (mut piece, wanted) = self.piece();
            match read_cached(&self.file, &mut piece, self.at, wanted) {
                Ok(_) => return Poll::Ready(Some(self.deliver(piece))),
                Err(Errno::AGAIN | Errno::INTR) => {}
                // A file system or kernel that does not know the flag.
                Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => self.inline = false,
                Err(other) => return Poll::Ready(Some(Err(Failure::new("read", "the folder", other).into()))),
            }
        }
        self.read_ahead();
        let Some(ahead) = self.ahead.as_mut() else { return Poll::Ready(None) };
        let read = ready!(Pin::new(ahead).poll(context));
        self.ahead = None;
        Poll::Ready(Some(match read {
            Ok(Ok(Ahead { piece, was_cached })) => {
                let delivered = self.deliver(piece);
                if delivered.is_ok() && !was_cached {
                    self.read_ahead();
                }
                delivered
            }
            Ok(Err(errno)) => Err(Failure::new("read", "the folder", errno).into()),
            Err(stopped) => Err(stopped.into()),
        }))
    }
}

impl http_body::Body for Reading {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let next = ready!(self.poll_next(context));
        if let Some(Err(_)) = &next {
            // An error is the last thing that a body says.
            self.end = self.at;
        }
        Poll::Ready(next.map(|bytes| bytes.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.at >= self.end
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.end.saturating_sub(self.at))
    }
}

/// Reads what the kernel has in memory, at most `wanted` bytes; `AGAIN` if that is nothing.
#[cfg(target_os = "linux")]
fn read_cached(file: &OwnedFd, piece: &mut Piece, at: u64, wanted: usize) -> Result<usize, Errno> {
    let mut room = [IoSliceMut::new(&mut piece.room()[..wanted])];
    let count = rustix::io::preadv2(file, &mut room, at, rustix::io::ReadWriteFlags::NOWAIT)?;
    piece.fill(count);
    Ok(count)
}

#[cfg(not(target_os = "linux"))]
fn read_cached(_file: &OwnedFd, _piece: &mut Piece, _at: u64, _wanted: usize) -> Result<usize, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Reads `wanted` bytes, or as many as there are before the end of the file.
pub(super) fn read(file: &OwnedFd, piece: &mut Piece, mut at: u64, mut wanted: usize) -> Result<(), Errno> {
    let mut interruptions = 0;
    while wanted > 0 {
        let mut room = [IoSliceMut::new(&mut piece.room()[..wanted])];
        match rustix::io::preadv(file, &mut room, at) {
            Ok(0) => return Ok(()),
            Ok(count) => {
                piece.fill(count);
                at += count as u64;
                wanted -= count;
            }
            Err(Errno::INTR) if interruptions < INTERRUPTIONS_MAX => interruptions += 1,
            Err(other) => return Err(other),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rustix::fs::{Advice, fadvise};

    use super::super::buffers::Buffers;
    use super::*;

    fn reading(file: &std::fs::File, size: u64, inline: bool) -> Reading {
        let stream = Arc::new(Buffers::default()).stream();
        let file = Arc::new(OwnedFd::from(file.try_clone().unwrap()));
        Reading { file, at: 0, end: size, expected: None, stream, ahead: None, inline }
    }

    #[tokio::test]
    async fn bytes_come_from_memory_from_the_disk_and_from_file_systems_that_cannot_tell() {
        let scratch = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n / 7) as u8).collect();
        std::fs::write(scratch.path().join("a"), &bytes).unwrap();
        let file = std::fs::File::open(scratch.path().join("a")).unwrap();
        for inline in [true, false] {
            for on_disk_only in [false, true] {
                if on_disk_only {
                    file.sync_all().unwrap();
                    fadvise(&file, 0, None, Advice::DontNeed).unwrap();
                }
                let read = reading(&file, 3_000_000, inline).collect().await.unwrap().to_bytes();
                assert!(read == bytes, "{inline} {on_disk_only}");
            }
        }
        let error = reading(&file, 3_000_001, false).collect().await.unwrap_err();
        assert!(error.to_string().contains("3000000 of 3000001"), "{error}");
    }

    #[tokio::test]
    async fn a_body_may_be_dropped_while_it_is_read_ahead() {
        let scratch = tempfile::tempdir().unwrap();
        std::fs::write(scratch.path().join("a"), vec![1; 3_000_000]).unwrap();
        let file = std::fs::File::open(scratch.path().join("a")).unwrap();
        let mut body = reading(&file, 3_000_000, false);
        body.frame().await.unwrap().unwrap();
        body.read_ahead();
        assert!(body.ahead.is_some());
        drop(body);
    }
}
