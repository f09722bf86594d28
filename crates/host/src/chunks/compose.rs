//! Saves in chunks that write only what is new: where contents need not be files, the new state of a stream is a list of
//! pieces of what came and of what was there ([`crate::composed`]).
//!
//! It is read once, to the end, all the same: every chunk has to be what its id says, and the file needs its SHA-256.
//!
//! | the stream | becomes |
//! |---|---|
//! | in a folder, where a content has to be a file | bytes |
//! | smaller than [`COMPOSED_BYTES_MIN`]: a list is not worth it | bytes |
//! | of more pieces than [`PIECES_MAX`], or out of more contents than [`BASES_MAX`] | bytes: reading would be slow, and old contents be kept for a few bytes of them |
//! | anything else | a list |

use std::collections::BTreeSet;

use aws_lc_rs::digest;
use http_body_util::BodyExt as _;
use wopi_service::Refusal;

use super::weave::{Piece, Source, Weave};
use crate::composed::{cut_pieces, join_pieces};
use crate::errors;
use crate::host::Host;
use crate::ports::Stored;
use crate::records::{ContentId, ContentPiece, Sha256};
use crate::saving::Staged;

/// Smallest stream that is kept as a list of pieces, in bytes.
pub(super) const COMPOSED_BYTES_MIN: u64 = 256 << 10;

/// Most pieces of a list.
pub(super) const PIECES_MAX: usize = 256;

/// Most contents that a list takes pieces of. So at every sixteenth save of a document in turn it is written whole.
pub(super) const BASES_MAX: usize = 16;

impl Host {
    /// A stream as a list of pieces; `None` if it is to be written as bytes.
    ///
    /// # Errors
    ///
    /// If the pieces are not what the chunks are called by, or cannot be read.
    pub(super) async fn compose(&self, sources: &[Source], pieces: &[Piece]) -> Result<Option<Staged>, Refusal> {
        let size: u64 = pieces.iter().map(|piece| piece.length).sum();
        if self.ports.tree.is_some() || size < COMPOSED_BYTES_MIN {
            return Ok(None);
        }
        let Some(list) = self.list(sources, pieces).await? else { return Ok(None) };
        let mut hash = digest::Context::new(&digest::SHA256);
        let mut body = Weave::new(sources.to_vec(), pieces.to_vec()).into_body();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| errors::own_body("reading the pieces of a stream", &*error))?;
            if let Ok(data) = frame.into_data() {
                hash.update(&data);
            }
        }
        let mut sha256 = Sha256::default();
        sha256.copy_from_slice(hash.finish().as_ref());
        let id = self.new_content_id();
        let added = self.ports.registry.add_composed(&id, &list).await;
        added.map_err(|e| errors::registry("storing the pieces of a stream", &e))?;
        Ok(Some(Staged { id, stored: Stored { size, sha256, staged: None } }))
    }

    /// The pieces as pieces of contents that are no lists themselves; `None` if there are too many.
    async fn list(&self, sources: &[Source], pieces: &[Piece]) -> Result<Option<Vec<ContentPiece>>, Refusal> {
        let mut expanded: Vec<Option<Vec<ContentPiece>>> = vec![None; sources.len()];
        let mut flat = Vec::new();
        for piece in pieces.iter().filter(|piece| piece.length > 0) {
            let Some(source) = sources.get(piece.source) else { return Ok(None) };
            if expanded[piece.source].is_none() {
                expanded[piece.source] = Some(self.pieces_of(source).await?);
            }
            let range = piece.offset..piece.offset.saturating_add(piece.length);
            flat.extend(cut_pieces(expanded[piece.source].as_deref().unwrap_or_default(), &range));
        }
        let list = join_pieces(flat);
        let bases: BTreeSet<ContentId> = list.iter().map(|piece| piece.content).collect();
        Ok((list.len() <= PIECES_MAX && bases.len() <= BASES_MAX).then_some(list))
    }

    async fn pieces_of(&self, source: &Source) -> Result<Vec<ContentPiece>, Refusal> {
        let content = match source {
            Source::Joined(_, pieces) => return Ok(pieces.to_vec()),
            Source::Main(main) => main.record.content.id,
            Source::Content(_, id) | Source::Sent(_, id) => *id,
        };
        let pieces = self.ports.registry.composed(&content).await;
        let pieces = pieces.map_err(|e| errors::registry("reading the pieces of a content", &e))?;
        if pieces.is_empty() {
            return Ok(vec![ContentPiece { content, offset: 0, size: i64::MAX.unsigned_abs() }]);
        }
        Ok(pieces)
    }
}
