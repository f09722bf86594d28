//! Writing an object, once: a small one by one request, a large one in parts.
//!
//! | what happens | what we do |
//! |---|---|
//! | the body ends within one part | one request that never replaces an object |
//! | it goes on | an upload in parts; while one is sent, the next is filled |
//! | the answer to the last request is lost | look: an object with the mark of this put is ours, and whole |
//! | there is an object already, without our mark | fail, and leave it alone |
//! | the put fails or is dropped before the last request | the upload is aborted, in the background |
//! | it is dropped during the last request | that goes on in the background, and then the object is removed |
//! | the process dies | nothing can be opened; what is left of the upload goes with a sweep ([`super::unfinished`]) |
//!
//! The mark is a number by chance beside the object (`x-amz-meta-lecternput`). Of an upload in parts Azure keeps none; there
//! an object of the right size is ours, because there was none when the upload began. S3 has no condition for the end of an upload in parts that
//! `object_store` would send, so for large bodies "an id is used once" is looked up before the first part.

use std::sync::Arc;

use async_trait::async_trait;
use aws_lc_rs::digest;
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use bytes::{Buf as _, Bytes};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use lectern_host::Body;
use lectern_host::ports::{ContentsError, Stored};
use lectern_host::records::{ContentId, Sha256};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, GetOptions, GetResult, MultipartUpload, ObjectStore as _, PutMode, PutMultipartOptions,
    PutOptions, PutPayload,
};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;

use super::Inner;
use super::ask::cause;
use super::room::Part;
use super::store::Store;
use super::trouble::{Kind, Trouble};

/// Smallest part, and with it the largest body that is one request. S3 takes no smaller part than 5 MiB.
pub const PART_BYTES_MIN: usize = 8 << 20;
/// The same for a directory, where a part is only a piece of a file.
const PART_BYTES_DIRECTORY: usize = 1 << 20;
/// How many parts S3 takes.
const PARTS_MAX: u64 = 10_000;
/// Parts are whole megabytes.
const PART_STEP: u64 = 1 << 20;
/// How many times faster a store puts parts together than we send them, at least.
const COMPLETED_FASTER: u64 = 16;
/// Beside an object: which put made it. Letters only, because Azure takes no hyphen and proxies drop underscores.
const MARK: &str = "lecternput";
/// What we call every object. Whoever gets it from the store directly must not take it for a page.
const CONTENT_TYPE: &str = "application/octet-stream";

/// How large the parts are of a body of at most so many bytes.
fn part_bytes(body_bytes_max: u64, directory: bool) -> usize {
    if directory {
        return PART_BYTES_DIRECTORY;
    }
    let needed = body_bytes_max.div_ceil(PARTS_MAX).div_ceil(PART_STEP).saturating_mul(PART_STEP);
    usize::try_from(needed).unwrap_or(usize::MAX).max(PART_BYTES_MIN)
}

/// A body on its way in, counted and hashed.
struct Incoming {
    body: Body,
    /// What came and did not fit into the part.
    rest: Bytes,
    hash: digest::Context,
    size: u64,
    size_max: u64,
    announced: Option<u64>,
}

impl Incoming {
    fn new(body: Body, size_max: u64) -> Result<Self, ContentsError> {
        let hint = body.size_hint();
        if hint.lower() > size_max {
            return Err(ContentsError::TooLarge { limit: size_max });
        }
        let hash = digest::Context::new(&digest::SHA256);
        Ok(Self { body, rest: Bytes::new(), hash, size: 0, size_max, announced: hint.upper() })
    }

    /// How many bytes it can have in all.
    fn bytes_max(&self) -> u64 {
        self.announced.unwrap_or(u64::MAX).min(self.size_max)
    }

    /// How many bytes the next part needs room for.
    fn next(&self, part_bytes: usize) -> usize {
        let left = self.bytes_max().saturating_sub(self.size) + self.rest.len() as u64;
        usize::try_from(left).unwrap_or(usize::MAX).clamp(1, part_bytes)
    }

    /// Fills the part; whether there is more than fits.
    async fn fill(&mut self, part: &mut Part) -> Result<bool, ContentsError> {
        loop {
            let taken = part.take(&self.rest);
            self.rest.advance(taken);
            if !self.rest.is_empty() {
                return Ok(true);
            }
            let Some(frame) = self.body.frame().await else { return Ok(false) };
            let Ok(data) = frame.map_err(ContentsError::Body)?.into_data() else { continue };
            self.size += data.len() as u64;
            if self.size > self.size_max {
                return Err(ContentsError::TooLarge { limit: self.size_max });
            }
            if self.announced.is_some_and(|announced| self.size > announced) {
                return Err(ContentsError::Body("the body has more bytes than it announced".into()));
            }
            self.hash.update(&data);
            self.rest = data;
        }
    }

    fn stored(self) -> Stored {
        let mut sha256 = Sha256::default();
        sha256.copy_from_slice(self.hash.finish().as_ref());
        Stored { size: self.size, sha256, staged: None }
    }
}

impl Inner {
    pub(super) async fn put(
        self: &Arc<Self>,
        id: &ContentId,
        body: Body,
        size_max: u64,
    ) -> Result<Stored, ContentsError> {
        let key = self.keys.of(id);
        let mut incoming = Incoming::new(body, size_max)?;
        let bytes = part_bytes(incoming.bytes_max(), self.store.directory().is_some());
        let mut part = self.room.part(incoming.next(bytes), &self.patience).await?;
        if !incoming.fill(&mut part).await? {
            let (payload, room) = part.full();
            self.publish(&key, Whole { payload, _room: room, mark: mark() }).await?;
            return Ok(incoming.stored());
        }
        let mut upload = Upload::begin(self, &key).await?;
        loop {
            upload.send(part).await?;
            part = self.room.part(incoming.next(bytes), &self.patience).await?;
            if !incoming.fill(&mut part).await? {
                break;
            }
        }
        upload.send(part).await?;
        let end = upload.end(incoming.size).await?;
        self.publish(&key, end).await?;
        Ok(incoming.stored())
    }

    /// Makes the last request in a task of its own, so that it comes to an end whatever becomes of the caller. What
    /// nobody was told of is removed.
    pub(super) async fn publish(self: &Arc<Self>, key: &Path, last: impl Last) -> Result<(), Trouble> {
        let mark = last.mark().to_owned();
        let fresh = Fresh { inner: Arc::clone(self), key: key.clone(), mark, unwanted: true };
        let busy = self.background.busy();
        let task = tokio::spawn(async move {
            let _busy = busy;
            match last.make(&fresh.inner, &fresh.key).await {
                Ok(()) => Ok(fresh),
                Err(trouble) => {
                    // Refused is refused. Where we do not know, there may be an object that nobody asked for.
                    fresh.settle(trouble.is_passing());
                    Err(trouble)
                }
            }
        });
        let stopped = |error| Trouble::new(Kind::Passing, format!("write {}", self.place(key)), error);
        task.await.map_err(stopped)??.settle(false);
        Ok(())
    }

    /// What is there, without its bytes; one attempt.
    async fn look(&self, key: &Path) -> Result<GetResult, Trouble> {
        let tried = format!("look at {}", self.place(key));
        self.patience.once(&tried, self.patience.answer, self.store.objects().get_opts(key, head())).await
    }

    /// Fails if there is an object of this key.
    async fn nothing_there(&self, key: &Path) -> Result<(), Trouble> {
        let tried = format!("look at {}", self.place(key));
        let found = self.patience.ask(&tried, self.patience.answer, || self.store.objects().get_opts(key, head()));
        match found.await {
            Ok(_) => Err(self.taken(key)),
            Err(trouble) if trouble.kind == Kind::NotFound => Ok(()),
            Err(trouble) => Err(trouble),
        }
    }

    fn taken(&self, key: &Path) -> Trouble {
        Trouble::new(Kind::Exists, format!("write {}", self.place(key)), "there is an object already")
    }

    /// Removes the object that the put with this mark made, in the background. It does not matter if that fails: nothing
    /// points to it, so the sweep finds it.
    fn remove_later(self: &Arc<Self>, key: Path, mark: String) {
        self.later(&format!("remove {}", self.place(&key)), move |inner| async move {
            let tried = format!("look at {}", inner.place(&key));
            let look = || inner.store.objects().get_opts(&key, head());
            match inner.patience.ask(&tried, inner.patience.answer, look).await {
                // Somebody else's, who used the id before us. Nobody should; still it is not ours to remove.
                Ok(found) if mark_of(&found).is_some_and(|kept| kept != mark) => Ok(()),
                Ok(_) => inner.remove_key(&key).await,
                Err(trouble) if trouble.kind == Kind::NotFound => Ok(()),
                Err(trouble) => Err(trouble),
            }
        });
    }

    /// Does something in the background that may be left undone, unless there is too much of that already.
    fn later<F>(self: &Arc<Self>, what: &str, work: impl FnOnce(Arc<Self>) -> F + Send + 'static)
    where
        F: Future<Output = Result<(), Trouble>> + Send + 'static,
    {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let Ok(permit) = Arc::clone(&self.cleanups).try_acquire_owned() else {
            tracing::warn!("too much to clean up at once; left to the sweep: {what}");
            return;
        };
        let (inner, busy) = (Arc::clone(self), self.background.busy());
        runtime.spawn(async move {
            let _busy = busy;
            if let Err(trouble) = work(inner).await {
                tracing::warn!("left to the sweep: {}", cause(&trouble));
            }
            drop(permit);
        });
    }
}

pub(super) fn head() -> GetOptions {
    GetOptions { head: true, ..GetOptions::default() }
}

/// An object that nobody was told of yet.
struct Fresh {
    inner: Arc<Inner>,
    key: Path,
    mark: String,
    unwanted: bool,
}

impl Fresh {
    fn settle(mut self, unwanted: bool) {
        self.unwanted = unwanted;
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if self.unwanted {
            self.inner.remove_later(self.key.clone(), std::mem::take(&mut self.mark));
        }
    }
}

/// The request after which an object is there.
#[async_trait]
pub(super) trait Last: Send + 'static {
    /// What tells the object from one that another put made.
    fn mark(&self) -> &str;

    async fn make(self, inner: &Arc<Inner>, key: &Path) -> Result<(), Trouble>;
}

/// A number by chance that says which put made an object.
pub(super) fn mark() -> String {
    let mut bytes = [0; 16];
    // Without chance the mark is that of nobody: then an answer that was lost stays lost.
    match SystemRandom::new().fill(&mut bytes) {
        Ok(()) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        Err(_) => String::new(),
    }
}

pub(super) fn attributes(mark: &str) -> Attributes {
    Attributes::from_iter([
        (Attribute::ContentType, CONTENT_TYPE.to_owned()),
        (Attribute::Metadata(MARK.into()), mark.to_owned()),
    ])
}

pub(super) fn is_ours(found: &GetResult, mark: &str, size: u64) -> bool {
    found.meta.size == size && !mark.is_empty() && mark_of(found) == Some(mark)
}

fn mark_of(found: &GetResult) -> Option<&str> {
    found.attributes.get(&Attribute::Metadata(MARK.into())).map(AsRef::as_ref)
}

/// A whole body in one request.
struct Whole {
    payload: PutPayload,
    mark: String,
    _room: OwnedSemaphorePermit,
}

#[async_trait]
impl Last for Whole {
    fn mark(&self) -> &str {
        &self.mark
    }

    async fn make(self, inner: &Arc<Inner>, key: &Path) -> Result<(), Trouble> {
        let tried = format!("write {}", inner.place(key));
        let (size, allowed) =
            (self.payload.content_length() as u64, inner.patience.allowed(self.payload.content_length()));
        let mode = if inner.store.creates_only() {
            PutMode::Create
        } else {
            inner.nothing_there(key).await?;
            PutMode::Overwrite
        };
        let marked = inner.store.keeps_attributes();
        let attributes = if marked { attributes(&self.mark) } else { Attributes::new() };
        let options = PutOptions { mode, attributes, ..PutOptions::default() };
        let mut tries = inner.patience.tries();
        loop {
            let put = inner.store.objects().put_opts(key, self.payload.clone(), options.clone());
            let trouble = match inner.patience.once(&tried, allowed, put).await {
                Ok(_) => return Ok(()),
                Err(trouble) if marked && (trouble.is_passing() || trouble.kind == Kind::Exists) => trouble,
                Err(trouble) => return Err(trouble),
            };
            // It may have been written all the same, by this attempt or the one before.
            match inner.look(key).await {
                Ok(found) if is_ours(&found, &self.mark, size) => return Ok(()),
                Ok(_) => return Err(inner.taken(key)),
                // Nothing there: also how S3 answers one of two who write one key at once.
                Err(_) if tries.again().await => {}
                Err(_) => return Err(Trouble::new(Kind::Passing, tried, trouble)),
            }
        }
    }
}

/// An upload in parts. Aborted in the background if it does not come to its end.
pub(super) struct Upload {
    inner: Arc<Inner>,
    key: Path,
    target: Option<Target>,
    mark: String,
    /// The part that is being sent.
    sending: JoinSet<Result<Option<PartId>, Trouble>>,
    parts: Vec<PartId>,
    next: usize,
}

/// Where its parts go.
enum Target {
    Parts { store: Arc<dyn MultipartStore>, id: String },
    File(Box<dyn MultipartUpload>),
}

impl Upload {
    pub(super) async fn begin(inner: &Arc<Inner>, key: &Path) -> Result<Self, Trouble> {
        inner.nothing_there(key).await?;
        let tried = format!("begin {}", inner.place(key));
        let (patience, answer, mark) = (&inner.patience, inner.patience.answer, mark());
        let target = match &inner.store {
            Store::S3 { store, .. } => {
                let options = || PutMultipartOptions::from(attributes(&mark));
                let id = patience.ask(&tried, answer, || store.create_multipart_opts(key, options())).await?;
                Target::Parts { store: Arc::clone(store) as _, id }
            }
            // Blocks of Azure belong to the key; there is nothing to begin.
            Store::Azure { store, .. } => Target::Parts { store: Arc::clone(store) as _, id: String::new() },
            Store::Directory { store, .. } => Target::File(
                patience.once(&tried, answer, store.put_multipart_opts(key, PutMultipartOptions::default())).await?,
            ),
        };
        let (inner, key) = (Arc::clone(inner), key.clone());
        Ok(Self { inner, key, target: Some(target), mark, sending: JoinSet::new(), parts: Vec::new(), next: 0 })
    }

    /// Sends a part, once the one before is there.
    pub(super) async fn send(&mut self, part: Part) -> Result<(), Trouble> {
        self.sent().await?;
        let (payload, room) = part.full();
        let tried = format!("write part {} of {}", self.next + 1, self.inner.place(&self.key));
        let allowed = self.inner.patience.allowed(payload.content_length());
        let (patience, key, at) = (self.inner.patience, self.key.clone(), self.next);
        self.next += 1;
        match &mut self.target {
            Some(Target::Parts { store, id }) => {
                let (store, id) = (Arc::clone(store), id.clone());
                self.sending.spawn(async move {
                    let put = patience.ask(&tried, allowed, || store.put_part(&key, &id, at, payload.clone())).await;
                    drop(room);
                    put.map(Some)
                });
            }
            Some(Target::File(file)) => {
                let put = file.put_part(payload);
                self.sending.spawn(async move {
                    let put = patience.once(&tried, allowed, put).await;
                    drop(room);
                    put.map(|()| None)
                });
            }
            None => {}
        }
        Ok(())
    }

    /// Waits for the part that is being sent.
    async fn sent(&mut self) -> Result<(), Trouble> {
        if let Some(sent) = self.sending.join_next().await {
            let stopped = |error| Trouble::new(Kind::Passing, format!("write {}", self.inner.place(&self.key)), error);
            self.parts.extend(sent.map_err(stopped)??);
        }
        Ok(())
    }

    /// Waits until all parts are there; what is left to do then.
    pub(super) async fn end(mut self, size: u64) -> Result<End, Trouble> {
        self.sent().await?;
        Ok(End { upload: self, size })
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // Otherwise a part would arrive after the upload was aborted, and be kept for ever.
        self.sending.abort_all();
        let Some(target) = self.target.take() else { return };
        let key = self.key.clone();
        self.inner.later(&format!("abort {}", self.inner.place(&key)), move |inner| async move {
            match target {
                Target::Parts { store, id } => {
                    let tried = format!("abort {}", inner.place(&key));
                    let aborted =
                        inner.patience.ask(&tried, inner.patience.answer, || store.abort_multipart(&key, &id));
                    match aborted.await {
                        Err(trouble) if trouble.kind != Kind::NotFound => Err(trouble),
                        _ => Ok(()),
                    }
                }
                Target::File(mut file) => file
                    .abort()
                    .await
                    .map_err(|error| Trouble::from_store(format!("abort {}", inner.place(&key)), error)),
            }
        });
    }
}

/// All parts are there; together they become the object.
pub(super) struct End {
    upload: Upload,
    size: u64,
}

impl End {
    fn is_ours(&self, inner: &Inner, found: &GetResult) -> bool {
        match inner.store {
            Store::Azure { .. } => found.meta.size == self.size,
            Store::S3 { .. } | Store::Directory { .. } => is_ours(found, &self.upload.mark, self.size),
        }
    }
}

#[async_trait]
impl Last for End {
    fn mark(&self) -> &str {
        &self.upload.mark
    }

    async fn make(mut self, inner: &Arc<Inner>, key: &Path) -> Result<(), Trouble> {
        let tried = format!("complete {}", inner.place(key));
        // The store puts the parts together, which takes the longer the more there are, though not as long as sending them.
        let copied = self.size / COMPLETED_FASTER;
        let allowed = inner.patience.allowed(usize::try_from(copied).unwrap_or(usize::MAX));
        let e_tag = match &mut self.upload.target {
            Some(Target::Parts { store, id }) => {
                let (store, id, parts) = (Arc::clone(store), id.clone(), self.upload.parts.clone());
                let complete = || store.complete_multipart(key, &id, parts.clone());
                let mut tries = inner.patience.tries();
                loop {
                    let trouble = match inner.patience.once(&tried, allowed, complete()).await {
                        Ok(done) => break done.e_tag,
                        // "No such upload" is also what S3 says when the attempt before has completed it.
                        Err(trouble) if trouble.is_passing() || trouble.kind == Kind::NotFound => trouble,
                        Err(trouble) => return Err(trouble),
                    };
                    match inner.look(key).await {
                        Ok(found) if self.is_ours(inner, &found) => break None,
                        _ if trouble.is_passing() && tries.again().await => {}
                        _ => return Err(Trouble::new(Kind::Passing, tried, trouble)),
                    }
                }
            }
            Some(Target::File(file)) => inner.patience.once(&tried, allowed, file.complete()).await?.e_tag,
            None => None,
        };
        // From here on there is an object, and no upload to abort.
        self.upload.target = None;
        let tried = format!("check {}", inner.place(key));
        let found = inner.patience.ask(&tried, allowed, || inner.store.objects().get_opts(key, head())).await?;
        let differs = found.meta.size != self.size
            || matches!((&found.meta.e_tag, &e_tag), (Some(found), Some(written)) if found != written);
        if differs {
            let (is, should) = (found.meta.size, self.size);
            let problem = format!("the store has other bytes than were sent ({is} of {should}, or another ETag)");
            inner.remove_later(key.clone(), self.upload.mark.clone());
            return Err(Trouble::new(Kind::Lasting, tried, problem));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_grow_so_that_ten_thousand_are_enough() {
        const GIB: u64 = 1 << 30;
        for body_bytes_max in [0, 1, GIB, 78 * GIB, 79 * GIB, 500 * GIB, 5000 * GIB] {
            let part = part_bytes(body_bytes_max, false) as u64;
            assert!(part * PARTS_MAX >= body_bytes_max && part >= PART_BYTES_MIN as u64, "{body_bytes_max}: {part}");
            assert_eq!(part % PART_STEP, 0);
        }
        assert_eq!(part_bytes(GIB, false), PART_BYTES_MIN);
        assert_eq!(part_bytes(500 * GIB, false), 52 << 20);
        assert_eq!(part_bytes(500 * GIB, true), PART_BYTES_DIRECTORY);
    }
}
