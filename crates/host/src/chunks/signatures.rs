//! Signatures of main streams that came whole: to know one, the whole file has to be read, so what was found is
//! remembered.
//!
//! Contents never change, so neither does what they are made of. Still nothing here is believed: every whole chunk is
//! hashed once more while it is sent or put into a new file, and a signature that turns out wrong (another program may
//! have written to the file while it was read, within one tick of the file system's clock) is forgotten.
//!
//! | what happens | the remembered signature |
//! |---|---|
//! | a chunk that is sent has another hash, or ends early | is forgotten; the answer breaks off, and the next one is right |
//! | the same, while a save is put together | is forgotten; the save is put together once more, over a fresh one |
//! | a save wants a chunk that is not in it | the same |
//! | there are more than [`CHUNKS_REMEMBERED_MAX`] | those go that were not asked for longest |

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use wopi::chunked::Signature;

use crate::records::ContentId;

/// How many chunks are remembered in all: 6 MiB.
pub(super) const CHUNKS_REMEMBERED_MAX: usize = 262_144;

/// How many chunks take the room of what is remembered beside them. Most files are one chunk, or a few.
pub(super) const CHUNKS_PER_SIGNATURE: usize = 8;

/// What is remembered.
#[derive(Debug, Default)]
pub(crate) struct Signatures {
    remembered: Mutex<Remembered>,
}

#[derive(Debug, Default)]
struct Remembered {
    /// The signatures, and when each was asked for last.
    signatures: HashMap<ContentId, (Signature, u64)>,
    /// The same the other way round.
    by_time: BTreeMap<u64, ContentId>,
    /// Counts the questions.
    time: u64,
    /// How much room they take, in chunks.
    room: usize,
}

fn room_of(signature: &Signature) -> usize {
    CHUNKS_PER_SIGNATURE + signature.chunks.len()
}

impl Signatures {
    /// What this content is made of, if that is remembered.
    pub(super) fn recall(&self, content: &ContentId) -> Option<Signature> {
        let mut remembered = self.remembered();
        let signature = remembered.take_out(content)?;
        remembered.put_in(*content, signature.clone());
        Some(signature)
    }

    /// Remembers what a content is made of.
    pub(super) fn remember(&self, content: ContentId, signature: &Signature) {
        let mut remembered = self.remembered();
        remembered.take_out(&content);
        remembered.put_in(content, signature.clone());
        while remembered.room > CHUNKS_REMEMBERED_MAX {
            let Some((_, oldest)) = remembered.by_time.first_key_value() else { return };
            let oldest = *oldest;
            remembered.take_out(&oldest);
        }
    }

    /// Forgets what turned out wrong.
    pub(super) fn forget(&self, content: &ContentId) {
        self.remembered().take_out(content);
    }

    /// A wrong one does no harm, so that of a poisoned map is good enough.
    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remembered {
    fn take_out(&mut self, content: &ContentId) -> Option<Signature> {
        let (signature, time) = self.signatures.remove(content)?;
        self.by_time.remove(&time);
        self.room -= room_of(&signature);
        Some(signature)
    }

    fn put_in(&mut self, content: ContentId, signature: Signature) {
        self.time += 1;
        self.by_time.insert(self.time, content);
        self.room += room_of(&signature);
        self.signatures.insert(content, (signature, self.time));
    }
}

#[cfg(test)]
mod tests {
    use wopi::ChunkId;
    use wopi::chunked::{ChunkSignature, ChunkingScheme};
    use wopi::frames::CHUNKS_MAX;

    use super::*;

    fn content(number: u64) -> ContentId {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.to_be_bytes());
        ContentId(id)
    }

    fn signature(chunks: usize) -> Signature {
        let chunk = ChunkSignature { id: ChunkId::of(b"x"), length: 1 };
        Signature { scheme: ChunkingScheme::Zip, chunks: vec![chunk; chunks] }
    }

    #[test]
    fn what_was_remembered_is_recalled_until_it_is_forgotten() {
        let signatures = Signatures::default();
        assert_eq!(signatures.recall(&content(1)), None);
        signatures.remember(content(1), &signature(3));
        signatures.remember(content(2), &signature(4));
        signatures.remember(content(1), &signature(5));
        assert_eq!(signatures.recall(&content(1)), Some(signature(5)));
        signatures.forget(&content(1));
        signatures.forget(&content(1));
        assert_eq!(signatures.recall(&content(1)), None);
        assert_eq!(signatures.recall(&content(2)), Some(signature(4)));
        assert_eq!(signatures.remembered().room, CHUNKS_PER_SIGNATURE + 4, "what is forgotten takes no room");
    }

    #[test]
    fn what_was_not_asked_for_longest_goes_first() {
        let signatures = Signatures::default();
        let largest = signature(CHUNKS_MAX - CHUNKS_PER_SIGNATURE);
        let fit = CHUNKS_REMEMBERED_MAX / CHUNKS_MAX;
        for number in 0..fit {
            signatures.remember(content(number as u64), &largest);
        }
        assert!(signatures.recall(&content(0)).is_some(), "all of them fit");
        signatures.remember(content(99), &signature(1));
        let known = |number| signatures.recall(&content(number)).is_some();
        assert!(known(0) && !known(1) && known(2) && known(99));
    }

    #[test]
    fn however_many_there_are_they_take_no_more_room() {
        let signatures = Signatures::default();
        for number in 0..100_000 {
            signatures.remember(content(number), &signature((number % 3) as usize));
        }
        let remembered = signatures.remembered();
        assert!(remembered.room <= CHUNKS_REMEMBERED_MAX);
        assert_eq!(remembered.signatures.len(), remembered.by_time.len());
        let room: usize = remembered.signatures.values().map(|(signature, _)| room_of(signature)).sum();
        assert_eq!(room, remembered.room);
    }
}
