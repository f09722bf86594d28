//! Room in memory for uploads: one budget for all of a process.
//!
//! A store takes parts of some megabytes, and nothing can be sent before a part is full. Fifty uploads would hold fifty
//! parts or twice as many, whatever the machine has. So a part is filled only after room for all of it was found; who
//! finds none does not read on, and its client feels that as back-pressure.
//!
//! Nobody waits for room while a part of its own is half full. So there is always somebody who goes on: a part that is
//! full is sent without asking for more, and gives its room back.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use lectern_host::ports::ContentsError;
use object_store::PutPayload;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::settings::Patience;

/// Bytes are counted in units of so many.
const UNIT: u64 = 4 << 10;
/// A part is gathered in pieces of so many bytes, so that a small one takes little.
const PIECE_BYTES: usize = 256 << 10;

/// The budget.
#[derive(Debug)]
pub(super) struct Room {
    free: Arc<Semaphore>,
    units: u32,
}

impl Room {
    pub(super) fn new(bytes_max: u64) -> Self {
        let units = u32::try_from(bytes_max.div_ceil(UNIT)).unwrap_or(u32::MAX).clamp(1, u32::MAX >> 4);
        Self { free: Arc::new(Semaphore::new(units as usize)), units }
    }

    /// Waits for room for a part of so many bytes. One that is larger than the whole budget gets all of it.
    pub(super) async fn part(&self, bytes: usize, patience: &Patience) -> Result<Part, ContentsError> {
        let units = u32::try_from((bytes as u64).div_ceil(UNIT)).unwrap_or(u32::MAX).clamp(1, self.units);
        let free = Arc::clone(&self.free).acquire_many_owned(units);
        match tokio::time::timeout(patience.room, free).await {
            Ok(Ok(room)) => Ok(Part { pieces: Vec::new(), last: BytesMut::new(), size: 0, bytes_max: bytes, room }),
            Ok(Err(closed)) => Err(ContentsError::Failed(closed.into())),
            Err(_) => Err(ContentsError::Unavailable("too many uploads at once: no room in memory in time".into())),
        }
    }

    /// How many bytes are free.
    #[cfg(test)]
    pub(super) fn free(&self) -> u64 {
        self.free.available_permits() as u64 * UNIT
    }
}

/// A part that is being filled.
#[derive(Debug)]
pub(super) struct Part {
    pieces: Vec<Bytes>,
    last: BytesMut,
    size: usize,
    bytes_max: usize,
    room: OwnedSemaphorePermit,
}

impl Part {
    /// How much more fits.
    pub(super) fn left(&self) -> usize {
        self.bytes_max - self.size
    }

    /// Copies as much as fits; how much that was. Copied, because what came may be a slice of something larger, which
    /// nobody counts.
    pub(super) fn take(&mut self, mut from: &[u8]) -> usize {
        from = &from[..from.len().min(self.left())];
        let taken = from.len();
        while !from.is_empty() {
            if self.last.capacity() == self.last.len() {
                let full = std::mem::take(&mut self.last);
                if !full.is_empty() {
                    self.pieces.push(full.freeze());
                }
                self.last = BytesMut::with_capacity(self.left().min(PIECE_BYTES));
            }
            let count = from.len().min(self.last.capacity() - self.last.len());
            self.last.extend_from_slice(&from[..count]);
            self.size += count;
            from = &from[count..];
        }
        taken
    }

    /// What is to be sent, and the room it takes until it is dropped.
    pub(super) fn full(mut self) -> (PutPayload, OwnedSemaphorePermit) {
        self.pieces.push(self.last.freeze());
        (self.pieces.into_iter().collect(), self.room)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_room_waits_and_is_told_when_it_takes_too_long() {
        let patience = Patience { room: Duration::from_secs(60), ..Patience::default() };
        let room = Room::new(1 << 20);
        let first = room.part(1 << 20, &patience).await.unwrap();
        assert_eq!(room.free(), 0);
        let refused = room.part(1, &patience).await.unwrap_err();
        assert!(matches!(refused, ContentsError::Unavailable(_)), "{refused:?}");
        let (second, ()) = tokio::join!(room.part(2, &patience), async {
            tokio::task::yield_now().await;
            drop(first);
        });
        assert_eq!(room.free(), (1 << 20) - UNIT);
        drop(second);
        // More than there is at all: all of it.
        let all = room.part(5 << 20, &patience).await.unwrap();
        assert_eq!((room.free(), all.left()), (0, 5 << 20));
    }

    #[tokio::test]
    async fn a_part_holds_what_it_was_given_in_order_and_no_more() {
        let room = Room::new(4 << 20);
        let mut part = room.part(1_000_000, &Patience::default()).await.unwrap();
        let bytes: Vec<u8> = (0..1_200_000_u32).map(|n| (n / 11) as u8).collect();
        let mut at = 0;
        for length in [0, 1, 300_000, 7, 262_144, 600_000] {
            at += part.take(&bytes[at..at + length]);
        }
        assert_eq!((at, part.left()), (1_000_000, 0));
        assert_eq!(part.take(&[1, 2, 3]), 0);
        let (payload, _room) = part.full();
        assert_eq!(payload.content_length(), 1_000_000);
        assert_eq!(Bytes::from(payload), bytes[..1_000_000]);
    }
}
