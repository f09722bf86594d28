//! Memory for bytes in motion, shared out among the streams that run.
//!
//! A hundred uploads beside a hundred downloads must not take more memory than a few, so the more streams there are, the
//! smaller the pieces in which each of them goes. Used pieces are handed on, because the allocator would otherwise get
//! and give back a quarter of a megabyte, and clear it, for every one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// What all streams together may hold, while there are no more than some 250 of them.
const STREAMS_BYTES_MAX: usize = 16 << 20;
/// A stream holds one piece that is on its way and one that is being filled.
const PIECES_PER_STREAM: usize = 2;
/// Largest piece: beyond that, reading and writing get no faster.
pub(super) const PIECE_BYTES_MAX: usize = 256 << 10;
/// Smallest piece, however many streams there are: below that, calls cost more than copying.
const PIECE_BYTES_MIN: usize = 32 << 10;
/// Sizes of pieces: the powers of two from the smallest to the largest.
const SIZES: usize = (PIECE_BYTES_MAX / PIECE_BYTES_MIN).ilog2() as usize + 1;
/// What is kept for the next stream.
const SPARE_BYTES_MAX: usize = 4 << 20;

#[derive(Debug, Default)]
pub(crate) struct Buffers {
    streams: AtomicUsize,
    spare: Mutex<Spare>,
}

#[derive(Debug, Default)]
struct Spare {
    bytes: usize,
    pieces: [Vec<Vec<u8>>; SIZES],
}

impl Buffers {
    /// Counts one more stream until the answer is dropped.
    pub(crate) fn stream(self: &Arc<Self>) -> Stream {
        self.streams.fetch_add(1, Ordering::Relaxed);
        Stream { buffers: Arc::clone(self) }
    }
}

/// The size of a piece when so many streams run.
fn piece_bytes(streams: usize) -> usize {
    let share = STREAMS_BYTES_MAX / PIECES_PER_STREAM / streams.max(1);
    (1 << share.clamp(PIECE_BYTES_MIN, PIECE_BYTES_MAX).ilog2()) as usize
}

/// One upload or download, for as long as it lasts.
#[derive(Debug)]
pub(crate) struct Stream {
    buffers: Arc<Buffers>,
}

impl Stream {
    /// How large its next piece should be: less while many others run.
    pub(super) fn piece_bytes(&self) -> usize {
        piece_bytes(self.buffers.streams.load(Ordering::Relaxed))
    }

    /// Whether there is room for a third piece of each stream, one that waits while another is on its way. What waits may
    /// be a frame that holds on to a buffer of its connection, so with many streams it would be much.
    pub(super) fn may_wait(&self) -> bool {
        let streams = self.buffers.streams.load(Ordering::Relaxed);
        streams.saturating_mul((PIECES_PER_STREAM + 1) * PIECE_BYTES_MAX) <= STREAMS_BYTES_MAX
    }

    /// A piece to fill, [`Self::piece_bytes`] long.
    pub(super) fn piece(&self) -> Piece {
        let size = self.piece_bytes();
        let used = {
            let mut spare = self.buffers.spare.lock().unwrap_or_else(PoisonError::into_inner);
            let used = spare.pieces[class(size)].pop();
            if used.is_some() {
                spare.bytes -= size;
            }
            used
        };
        Piece { bytes: used.unwrap_or_else(|| vec![0; size]), filled: 0, home: Arc::clone(&self.buffers) }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.buffers.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

fn class(size: usize) -> usize {
    (size / PIECE_BYTES_MIN).ilog2() as usize
}

/// Memory that goes back when it is dropped.
#[derive(Debug)]
pub(super) struct Piece {
    bytes: Vec<u8>,
    filled: usize,
    home: Arc<Buffers>,
}

impl Piece {
    /// Where the next bytes go.
    pub(super) fn room(&mut self) -> &mut [u8] {
        &mut self.bytes[self.filled..]
    }

    /// Says that the first `count` bytes of the room are there now.
    pub(super) fn fill(&mut self, count: usize) {
        self.filled = (self.filled + count).min(self.bytes.len());
    }

    /// Copies as much as there is room for; how much that was.
    pub(super) fn copy(&mut self, from: &[u8]) -> usize {
        let count = from.len().min(self.bytes.len() - self.filled);
        self.room()[..count].copy_from_slice(&from[..count]);
        self.filled += count;
        count
    }

    pub(super) fn is_empty(&self) -> bool {
        self.filled == 0
    }

    pub(super) fn is_full(&self) -> bool {
        self.filled == self.bytes.len()
    }

    pub(super) fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        let mut spare = self.home.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.bytes + bytes.len() <= SPARE_BYTES_MAX {
            spare.bytes += bytes.len();
            spare.pieces[class(bytes.len())].push(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_streams_the_smaller_the_pieces() {
        for (streams, bytes) in
            [(0, 256), (1, 256), (32, 256), (33, 128), (64, 128), (100, 64), (200, 32), (256, 32), (100_000, 32)]
        {
            assert_eq!(piece_bytes(streams), bytes << 10, "{streams}");
            if streams <= 256 {
                assert!(streams * PIECES_PER_STREAM * piece_bytes(streams) <= STREAMS_BYTES_MAX);
            }
        }
    }

    #[test]
    fn a_used_piece_is_handed_on_and_what_is_kept_is_bounded() {
        let buffers = Arc::new(Buffers::default());
        let stream = buffers.stream();
        let mut first = stream.piece();
        assert_eq!(first.copy(b"abc"), 3);
        let place = first.bytes.as_ptr();
        let bytes = first.into_bytes();
        assert_eq!(&bytes[..], b"abc");
        drop(bytes);
        let second = stream.piece();
        assert_eq!(second.bytes.as_ptr(), place);
        assert!(second.is_empty());
        drop(second);
        let many: Vec<_> = (0..100).map(|_| stream.piece()).collect();
        drop(many);
        assert_eq!(buffers.spare.lock().unwrap().bytes, SPARE_BYTES_MAX);
        drop(stream);
        assert_eq!(buffers.streams.load(Ordering::Relaxed), 0);
        let mut streams: Vec<Stream> = (0..21).map(|_| buffers.stream()).collect();
        assert!(streams[0].may_wait());
        streams.push(buffers.stream());
        assert!(!streams[0].may_wait());
    }
}
