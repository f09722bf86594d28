//! One run of bytes out of pieces of several others, read as it is wanted and checked as it goes by.

use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
use futures_util::stream;
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt as _, StreamBody};
use wopi::ChunkId;
use wopi::frames::{self, ChunkRange};
use wopi::spooky::SpookyHash;
use wopi_service::{Body, BoxError, Refusal};

use super::signatures::Signatures;
use crate::composed::open_pieces;
use crate::errors;
use crate::ports::{Contents, ContentsError, RegistryError, Tree, TreePath};
use crate::records::{ContentId, ContentPiece, FileRecord};
use crate::shelf::open_at;

/// Where bytes come from.
#[derive(Clone)]
pub(super) enum Source {
    /// The main stream of one state of a file.
    Main(Arc<MainStream>),
    /// A content.
    Content(Arc<dyn Contents>, ContentId),
    /// A content that came with this request. Nothing points to it, so it is swept away if that takes too long.
    Sent(Arc<dyn Contents>, ContentId),
    /// Pieces of contents, one behind the other.
    Joined(Arc<dyn Contents>, Arc<[ContentPiece]>),
}

/// The main stream of one state of a file, wherever it is by now.
pub(super) struct MainStream {
    pub(super) record: FileRecord,
    pub(super) contents: Arc<dyn Contents>,
    /// The folder, and where in it the file may be.
    pub(super) tree: Option<(Arc<dyn Tree>, Vec<TreePath>)>,
    /// Where its signature may be remembered.
    pub(super) signatures: Arc<Signatures>,
}

impl Source {
    /// The bytes in this range; `None` if they are gone.
    pub(super) async fn open(&self, range: Range<u64>) -> Result<Option<Body>, Refusal> {
        match self {
            Self::Main(main) => main.open(range).await,
            Self::Content(contents, id) => open_content(contents.as_ref(), id, range).await,
            Self::Sent(contents, id) => match open_content(contents.as_ref(), id, range).await? {
                Some(body) => Ok(Some(body)),
                None => Err(errors::registry("reading what was sent", &RegistryError::Condemned)),
            },
            Self::Joined(contents, joined) => Ok(Some(open_pieces(contents, joined, &range))),
        }
    }
}

async fn open_content(contents: &dyn Contents, id: &ContentId, range: Range<u64>) -> Result<Option<Body>, Refusal> {
    match contents.open(id, range).await {
        Ok(body) => Ok(Some(body)),
        Err(ContentsError::NotFound) => Ok(None),
        Err(error) => Err(errors::contents("opening a content", &error)),
    }
}

impl MainStream {
    /// From the folder, if it shows this state; else from the contents, where a state is before it is shown and after
    /// it was replaced; and if it was shown just between the two looks, from the folder after all.
    async fn open(&self, range: Range<u64>) -> Result<Option<Body>, Refusal> {
        if let Some(body) = self.open_in_tree(&range).await? {
            return Ok(Some(body));
        }
        if let Some(body) = open_content(self.contents.as_ref(), &self.record.content.id, range.clone()).await? {
            return Ok(Some(body));
        }
        self.open_in_tree(&range).await
    }

    async fn open_in_tree(&self, range: &Range<u64>) -> Result<Option<Body>, Refusal> {
        let (Some((tree, paths)), Some(seen)) = (&self.tree, &self.record.seen) else { return Ok(None) };
        open_at(&**tree, paths, seen, range).await
    }
}

/// What stands before a piece.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lead {
    /// Nothing: the piece is a part of a stream.
    Nothing,
    /// The header of a frame with the whole chunk.
    Chunk,
    /// The header of a frame with a part of the chunk.
    Range {
        /// Where the part begins in the chunk.
        offset: u64,
        /// Whether it reaches its end.
        last: bool,
    },
}

/// A piece of a source.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    /// Which source.
    pub(super) source: usize,
    /// Where in it.
    pub(super) offset: u64,
    /// How many bytes.
    pub(super) length: u64,
    /// The chunk that it is, or is a part of.
    pub(super) id: ChunkId,
    /// What stands before it.
    pub(super) lead: Lead,
}

impl Piece {
    fn header(&self) -> Bytes {
        match self.lead {
            Lead::Nothing => Bytes::new(),
            Lead::Chunk => Bytes::copy_from_slice(&frames::chunk_header(self.id, self.length)),
            Lead::Range { offset, last } => {
                let range = ChunkRange { id: self.id, offset, length: self.length, last };
                Bytes::copy_from_slice(&frames::chunk_range_header(&range))
            }
        }
    }

    /// A whole chunk has the hash it is called by; a part of one has none.
    fn has_hash(&self, hash: &SpookyHash) -> bool {
        matches!(self.lead, Lead::Range { .. }) || hash.is_called(self.id)
    }
}

/// Pieces, one after the other. Neighbours in one source are read in one go, and one source is open at a time.
pub(super) struct Weave {
    sources: Vec<Source>,
    pieces: Vec<Piece>,
    /// How many pieces were begun.
    begun: usize,
    /// What comes before everything, and after it.
    front: Bytes,
    back: Bytes,
    run: Option<Run>,
    current: Option<Current>,
}

/// Neighbouring pieces of one source, being read.
struct Run {
    source: usize,
    at: u64,
    body: Body,
    rest: Bytes,
}

struct Current {
    piece: Piece,
    left: u64,
    hash: SpookyHash,
}

impl Weave {
    /// The pieces alone.
    pub(super) fn new(sources: Vec<Source>, pieces: Vec<Piece>) -> Self {
        let (front, back) = (Bytes::new(), Bytes::new());
        Self { sources, pieces, begun: 0, front, back, run: None, current: None }
    }

    /// The pieces as frames behind a message.
    pub(super) fn framed(message: &[u8], sources: Vec<Source>, pieces: Vec<Piece>) -> Self {
        let (front, back) = (frames::message(message).into(), Bytes::from_static(&frames::END_FRAME));
        Self { front, back, ..Self::new(sources, pieces) }
    }

    /// Opens what is read first; `false` if it is gone. After that, whatever is gone makes the body fail.
    pub(super) async fn prepare(&mut self) -> Result<bool, Refusal> {
        match self.pieces.iter().position(|piece| piece.length > 0) {
            Some(first) => self.open(first).await,
            None => Ok(true),
        }
    }

    /// As a body of known length.
    pub(super) fn into_body(self) -> Body {
        let length: u64 = self.pieces.iter().map(|piece| piece.header().len() as u64 + piece.length).sum();
        let left = length + (self.front.len() + self.back.len()) as u64;
        let frames = stream::try_unfold(self, |mut weave| async move {
            Ok(weave.next().await?.map(|bytes| (Frame::data(bytes), weave)))
        });
        Exactly { inner: StreamBody::new(frames).boxed_unsync(), left }.boxed_unsync()
    }

    /// The next bytes; never none.
    async fn next(&mut self) -> Result<Option<Bytes>, BoxError> {
        loop {
            if !self.front.is_empty() {
                return Ok(Some(std::mem::take(&mut self.front)));
            }
            if let Some(Current { piece, left, hash }) = &mut self.current {
                if *left > 0 {
                    let (piece, left) = (*piece, *left);
                    let bytes = self.read(&piece, left).await?;
                    if let Some(current) = &mut self.current {
                        current.left -= bytes.len() as u64;
                        current.hash.update(&bytes);
                    }
                    return Ok(Some(bytes));
                }
                if !piece.has_hash(hash) {
                    let piece = *piece;
                    self.is_something_else(&piece);
                    return Err(format!("the chunk {} is not what it was any more", piece.id).into());
                }
                self.current = None;
            }
            match self.pieces.get(self.begun) {
                Some(piece) => {
                    self.front = piece.header();
                    self.current = Some(Current { piece: *piece, left: piece.length, hash: SpookyHash::new() });
                    self.begun += 1;
                }
                None if self.back.is_empty() => return Ok(None),
                None => return Ok(Some(std::mem::take(&mut self.back))),
            }
        }
    }

    /// Bytes of the piece that was begun last, of which `left` are missing.
    async fn read(&mut self, piece: &Piece, left: u64) -> Result<Bytes, BoxError> {
        let at = piece.offset + (piece.length - left);
        let runs_on = self.run.as_ref().is_some_and(|run| run.source == piece.source && run.at == at);
        if !runs_on && !self.open(self.begun - 1).await? {
            return Err("bytes of the file are gone".into());
        }
        let Some(run) = &mut self.run else { return Err("nothing is open".into()) };
        while run.rest.is_empty() {
            match run.body.frame().await {
                Some(frame) => run.rest = frame?.into_data().unwrap_or_default(),
                None => {
                    self.is_something_else(piece);
                    return Err("the bytes ended early".into());
                }
            }
        }
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(run.rest.len());
        run.at += length as u64;
        Ok(run.rest.split_to(length))
    }

    /// A piece was not what a signature says: if that is a remembered one, it is forgotten.
    fn is_something_else(&self, piece: &Piece) {
        if let Some(Source::Main(main)) = self.sources.get(piece.source) {
            main.signatures.forget(&main.record.content.id);
        }
    }

    /// Opens the source of a piece, for this piece and its neighbours.
    async fn open(&mut self, first: usize) -> Result<bool, Refusal> {
        let Some(piece) = self.pieces.get(first) else { return Ok(false) };
        let (source, at) = (piece.source, piece.offset);
        let mut end = at;
        for piece in &self.pieces[first..] {
            if piece.length > 0 && (piece.source != source || piece.offset != end) {
                break;
            }
            end += piece.length;
        }
        let body = match self.sources.get(source) {
            Some(source) => source.open(at..end).await?,
            None => None,
        };
        self.run = body.map(|body| Run { source, at, body, rest: Bytes::new() });
        Ok(self.run.is_some())
    }
}

/// A body whose length is known.
struct Exactly {
    inner: Body,
    left: u64,
}

impl http_body::Body for Exactly {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let length = frame.data_ref().map_or(0, |data| data.remaining() as u64);
            self.left = self.left.saturating_sub(length);
        }
        polled
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
