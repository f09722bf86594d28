//! Reading an object: streamed, in ranges, and going on where a connection broke off.
//!
//! An object never changes, so the rest of it can be asked for at any time; `If-Match` makes sure of that.

use std::ops::Range;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt as _, Empty};
use lectern_host::ports::ContentsError;
use lectern_host::records::ContentId;
use lectern_host::{Body, BoxError};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResult, GetResultPayload};

use super::Inner;
use super::ask::{Tries, cause};
use super::trouble::{Kind, Trouble};
use super::writing::head;
use crate::folder::reading;

/// How often one read goes on after it broke off.
const RESUMPTIONS_MAX: u32 = 8;

impl Inner {
    pub(super) async fn open(self: &Arc<Self>, id: &ContentId, range: Range<u64>) -> Result<Body, ContentsError> {
        let key = self.keys.of(id);
        // Nothing is behind such a start, and not every store could read it.
        if range.start >= range.end || i64::try_from(range.start).is_err() {
            return self.nothing_of(&key).await;
        }
        // A directory gives the file; everything else the bytes.
        let wanted = if self.store.directory().is_some() { None } else { wanted(&range) };
        let found = match self.get(&key, wanted, None).await {
            Ok(found) => found,
            Err(trouble) if trouble.kind == Kind::OutOfRange => return self.nothing_of(&key).await,
            Err(trouble) => return Err(trouble.into()),
        };
        let size = found.meta.size;
        match found.payload {
            GetResultPayload::File(file, _) => {
                Ok(reading::body(OwnedFd::from(file), size, &range, None, self.buffers.stream()))
            }
            GetResultPayload::Stream(bytes) => {
                let (at, end) = (range.start.min(size), range.end.min(size));
                let left = RESUMPTIONS_MAX;
                let body = Reading { inner: Arc::clone(self), key, e_tag: found.meta.e_tag, at, end, bytes, left };
                Ok(Sized { left: end - at, bytes: body.stream() }.boxed_unsync())
            }
        }
    }

    /// No bytes of an object that has to be there all the same.
    async fn nothing_of(&self, key: &Path) -> Result<Body, ContentsError> {
        let tried = format!("look at {}", self.place(key));
        let looked = self.patience.ask(&tried, self.patience.answer, || self.store.objects().get_opts(key, head()));
        looked.await?;
        Ok(Empty::new().map_err(|never| match never {}).boxed_unsync())
    }

    async fn get(&self, key: &Path, range: Option<GetRange>, e_tag: Option<&str>) -> Result<GetResult, Trouble> {
        let tried = format!("read {}", self.place(key));
        let ask = || {
            let if_match = e_tag.map(str::to_owned);
            let options = GetOptions { range: range.clone(), if_match, ..GetOptions::default() };
            self.store.objects().get_opts(key, options)
        };
        self.patience.ask(&tried, self.patience.answer, ask).await
    }
}

/// How to ask for a range that has something in it. Not every store understands an end beyond all ends.
fn wanted(range: &Range<u64>) -> Option<GetRange> {
    match (range.start, i64::try_from(range.end)) {
        (0, Err(_)) => None,
        (start, Err(_)) => Some(GetRange::Offset(start)),
        (start, Ok(_)) => Some(GetRange::Bounded(start..range.end)),
    }
}

/// A read that is under way.
struct Reading {
    inner: Arc<Inner>,
    key: Path,
    e_tag: Option<String>,
    /// The next byte.
    at: u64,
    /// One behind the last.
    end: u64,
    bytes: BoxStream<'static, object_store::Result<Bytes>>,
    /// How often it may go on again.
    left: u32,
}

impl Reading {
    fn stream(self) -> BoxStream<'static, Result<Bytes, BoxError>> {
        stream::try_unfold(self, |mut reading| async move {
            // In words that whoever reads can tell passing trouble by.
            let next = reading.next().await.map_err(|trouble| BoxError::from(ContentsError::from(trouble)))?;
            Ok(next.map(|bytes| (bytes, reading)))
        })
        .boxed()
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Trouble> {
        let mut tries: Option<Tries> = None;
        while self.at < self.end {
            let tried = format!("read {} at byte {} of {}", self.inner.place(&self.key), self.at, self.end);
            let trouble = match tokio::time::timeout(self.inner.patience.read, self.bytes.next()).await {
                Ok(Some(Ok(mut bytes))) => {
                    bytes.truncate(usize::try_from(self.end - self.at).unwrap_or(usize::MAX));
                    self.at += bytes.len() as u64;
                    if bytes.is_empty() {
                        continue;
                    }
                    return Ok(Some(bytes));
                }
                Ok(Some(Err(error))) => Trouble::from_store(tried, error),
                Ok(None) => Trouble::new(Kind::Passing, tried, "it ended early"),
                Err(_) => Trouble::late(tried),
            };
            if !trouble.is_passing() || self.left == 0 {
                return Err(trouble);
            }
            self.left -= 1;
            let patience = self.inner.patience;
            if !tries.get_or_insert_with(|| patience.tries()).again().await {
                return Err(trouble);
            }
            tracing::debug!(trouble = %cause(&trouble), "reading on");
            let range = GetRange::Bounded(self.at..self.end);
            let found = self.inner.get(&self.key, Some(range), self.e_tag.as_deref()).await?;
            self.bytes = found.into_stream();
        }
        Ok(None)
    }
}

/// Bytes of which it is known how many they are.
struct Sized {
    bytes: BoxStream<'static, Result<Bytes, BoxError>>,
    left: u64,
}

impl http_body::Body for Sized {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let next = ready!(self.bytes.poll_next_unpin(context));
        match &next {
            Some(Ok(bytes)) => self.left = self.left.saturating_sub(bytes.len() as u64),
            // An error is the last thing that a body says.
            Some(Err(_)) | None => self.left = 0,
        }
        Poll::Ready(next.map(|bytes| bytes.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_asked_for_as_stores_understand_it() {
        for (range, expected) in
            [(0..u64::MAX, None), (5..u64::MAX, Some(GetRange::Offset(5))), (0..10, Some(GetRange::Bounded(0..10)))]
        {
            assert_eq!(wanted(&range), expected, "{range:?}");
        }
    }
}
