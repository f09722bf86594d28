//! Bytes that are wanted once more: by a copy, by a version that is restored, by a refused save that becomes a file.
//!
//! Contents never change, and a content is removed only when no record points to it. So where contents live behind ids
//! only, nothing needs to be copied: the second record points to the content of the first, whatever its size, and also if it
//! is made of pieces. (A server-side copy, which stores have, would cost the store's time and twice the room, and could not
//! copy what is made of pieces.) In a folder a content has to be a file of its own, and its bytes are copied.
//!
//! The first record may lose the content just then, and a sweep may find that nobody points to it. Which of the two was
//! first is decided in the registry: what the sweep condemned cannot be pointed to again, and what is pointed to again cannot
//! be condemned. Whoever comes too late is asked to try once more, and then finds the first record as it is by then.

use crate::host::Host;
use crate::ports::Stored;
use crate::records::{ContentId, Sha256};
use crate::saving::Staged;

impl Host {
    /// A content that another record may point to as well; `None` where its bytes have to be copied.
    pub(super) fn shared(&self, id: &ContentId, size: u64, sha256: Option<Sha256>) -> Option<Staged> {
        let sha256 = sha256.filter(|_| self.ports.tree.is_none())?;
        Some(Staged { id: *id, stored: Stored { size, sha256, staged: None } })
    }
}
