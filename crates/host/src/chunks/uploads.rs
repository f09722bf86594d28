//! Uploads in several requests: chunks that come over a bad line, piece by piece, and become part of the file when a
//! PutChunkedFile commits them.
//!
//! Each piece is a content of its own, durable before it is acknowledged, so that an upload outlives a restart and any
//! server can take the next piece. Nothing of it is looked at until it is committed: the pieces are cut wherever the
//! client's requests end, in the middle of a frame or of its header. Then they are read as one run of chunk frames.
//!
//! | refused because | status | the upload |
//! |---|---|---|
//! | no such token, outlived, of another user or for another file | 410 | |
//! | the offset is not where the bytes end that came | 400 | stays as it is |
//! | the body is not as long as it was announced, or stops | 400 | stays as it is |
//! | more bytes, or more pieces, than an upload may have | 413 | stays as it is |
//! | more uploads than a user may have at once | 503 | is not created |
//! | at the commit: anything that refuses a PutChunkedFile | 400, 409, 412, 413 | stays, and may be continued |
//!
//! Source: *CSPP Plus*, "Multi-request file upload". What it leaves open is decided here: an upload belongs to the user
//! and the file that it was created for, and an unknown token is 410 for a commit, too.

use std::collections::HashMap;
use std::sync::Arc;

use http_body::Body as _;
use wopi::chunked::UploadSession;
use wopi::{ChunkId, WopiError};
use wopi_service::{Body, Refusal};

use super::bad;
use super::framed::{Framed, Offsets, scan};
use super::weave::Source;
use crate::caller::Caller;
use crate::errors;
use crate::host::Host;
use crate::ids;
use crate::ports::{ContentsError, RegistryError};
use crate::records::{Timestamp, Upload, UploadPiece};
use crate::sweep::before;

/// How many uploads of one user may live at once.
pub(super) const UPLOADS_MAX: u64 = 64;

/// How many pieces an upload may have.
pub(super) const PIECES_MAX: usize = 4096;

fn gone(because: &str) -> Refusal {
    Refusal::new(WopiError::Gone { reason: because.to_owned() }, because.to_owned())
}

impl Host {
    /// CreateUploadSession.
    pub(crate) async fn create_upload_session(&self, by: &Caller) -> Result<UploadSession, Refusal> {
        let file = by.file()?.id.clone();
        let user = by.user.id.clone();
        let now = self.now();
        let living = self.ports.registry.upload_count(&user, before(now, Upload::LIFETIME)).await;
        if living.map_err(|e| errors::registry("counting uploads", &e))? >= UPLOADS_MAX {
            return Err(Refusal::new(
                WopiError::Busy { retry_after: errors::RETRY_AFTER_SECONDS },
                format!("the user has {UPLOADS_MAX} uploads that are not committed"),
            ));
        }
        let id = ids::new_id(self.ports.random.as_ref());
        let upload = Upload { id: id.clone(), file, user, updated_at: now, pieces: Vec::new() };
        let created = self.ports.registry.create_upload(&upload).await;
        created.map_err(|e| errors::registry("creating an upload", &e))?;
        Ok(UploadSession { upload_session_token: id })
    }

    /// UpdateUploadSession. Returns where the next piece begins.
    pub(crate) async fn update_upload_session(
        &self,
        by: &Caller,
        token: &str,
        offset: u64,
        length: u64,
        body: Body,
    ) -> Result<u64, Refusal> {
        let upload = self.upload_of(by, token).await?;
        let received = upload.received();
        let at_offset = |received: u64| {
            if offset == received {
                return Ok(());
            }
            Err(bad(format!("the offset is {offset}, but {received} bytes came so far")))
        };
        at_offset(received)?;
        let limit = self.settings.body_bytes_max;
        let next = received.checked_add(length).filter(|next| *next <= limit).ok_or_else(|| {
            Refusal::new(
                WopiError::TooLarge,
                format!("{received} bytes came and {length} follow, {limit} are accepted (limits.body_bytes_max)"),
            )
        })?;
        if upload.pieces.len() >= PIECES_MAX {
            return Err(Refusal::new(WopiError::TooLarge, format!("an upload has at most {PIECES_MAX} pieces")));
        }
        let announced = body.size_hint();
        if announced.lower() > length || announced.upper().is_some_and(|upper| upper < length) {
            return Err(too_long_or_short(length));
        }
        let piece = self.take_piece(length, body).await?;
        let extended = self.ports.registry.extend_upload(token, received, piece, self.now()).await;
        if let Err(error) = extended {
            if let Some(piece) = piece {
                self.discard(&piece.content).await;
            }
            return Err(match error {
                RegistryError::NotFound => gone("the upload was committed or forgotten meanwhile"),
                RegistryError::Conflict => {
                    let now = self.upload_of(by, token).await?.received();
                    at_offset(now).err().unwrap_or_else(|| gone("the upload was changed meanwhile"))
                }
                error => errors::registry("continuing an upload", &error),
            });
        }
        Ok(next)
    }

    /// Stores a piece; none, if it has no bytes.
    async fn take_piece(&self, length: u64, body: Body) -> Result<Option<UploadPiece>, Refusal> {
        let content = self.new_content_id();
        let stored = self.ports.contents.put(&content, body, length).await.map_err(|error| match error {
            ContentsError::TooLarge { .. } => too_long_or_short(length),
            error => errors::contents("storing a piece of an upload", &error),
        })?;
        if stored.size != length || length == 0 {
            self.discard(&content).await;
        }
        match stored.size {
            size if size != length => Err(too_long_or_short(length)),
            0 => Ok(None),
            size => Ok(Some(UploadPiece { content, size })),
        }
    }

    /// The upload that a caller names, if it lives and is his.
    pub(super) async fn upload_of(&self, by: &Caller, token: &str) -> Result<Upload, Refusal> {
        let upload = match self.ports.registry.upload(token).await {
            Ok(upload) => upload,
            Err(RegistryError::NotFound) => return Err(gone("there is no such upload")),
            Err(error) => return Err(errors::registry("reading an upload", &error)),
        };
        if upload.file != by.file()?.id || upload.user != by.user.id {
            return Err(gone("the upload is another user's, or for another file"));
        }
        if !upload.lives(self.now()) {
            return Err(gone("no bytes came for half an hour"));
        }
        Ok(upload)
    }

    /// Reads what an upload gathered: where in it the wanted chunks are.
    pub(super) async fn read_upload(
        &self,
        upload: &Upload,
        wanted: &HashMap<ChunkId, u64>,
    ) -> Result<(Source, Offsets), Refusal> {
        let pieces = upload.pieces.iter().map(|piece| (piece.content, piece.size)).collect();
        let source = Source::Joined(Arc::clone(&self.ports.contents), pieces);
        let Some(body) = source.open(0..upload.received()).await? else {
            return Err(gone("the bytes of the upload are gone"));
        };
        let framed = Framed::of_chunks(body, self.settings.body_bytes_max);
        let offsets = scan(framed, wanted).await?;
        Ok((source, offsets))
    }

    /// Forgets an upload that was committed. What fails is the sweeper's.
    pub(super) async fn close_upload(&self, upload: &Upload) {
        if let Err(error) = self.ports.registry.remove_upload(&upload.id).await {
            tracing::warn!("forgetting a committed upload: {}", errors::chain(&error));
            return;
        }
        for piece in &upload.pieces {
            self.discard(&piece.content).await;
        }
    }

    /// Forgets uploads that were not continued in time, with their bytes. Returns how many pieces went.
    pub(crate) async fn forget_uploads(&self, before: Timestamp) -> Result<usize, Refusal> {
        let freed = self.ports.registry.prune_uploads(before).await;
        let freed = freed.map_err(|e| errors::registry("forgetting uploads", &e))?;
        for content in &freed {
            self.discard(content).await;
        }
        Ok(freed.len())
    }
}

fn too_long_or_short(length: u64) -> Refusal {
    bad(format!("{length} bytes were announced, and more or fewer came"))
}
