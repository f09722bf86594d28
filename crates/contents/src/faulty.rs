//! Contents that fail when a test says so: outages are ordinary tests.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;
use lectern_host::ports::{Contents, ContentsError, Stored};
use lectern_host::records::{ContentId, Timestamp};
use lectern_host::{Body, BoxError};

/// A call of [`Contents`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Call {
    /// [`Contents::put`].
    Put,
    /// [`Contents::open`].
    Open,
    /// [`Contents::remove`].
    Remove,
    /// [`Contents::ids`].
    Ids,
}

/// What happens instead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// [`ContentsError::Full`].
    Full,
    /// [`ContentsError::Unavailable`].
    Unavailable,
    /// [`ContentsError::Failed`].
    Failed,
    /// The body fails after so many bytes: for `put` that of the client, for `open` that of the content. No fault for
    /// the other calls.
    CutAfter(u64),
}

/// Contents that fail as told, one fault a call, and work again when there are none left.
#[derive(Debug)]
pub struct Faulty {
    inner: Arc<dyn Contents>,
    faults: Mutex<VecDeque<(Call, Fault)>>,
}

impl Faulty {
    /// Works until told otherwise.
    pub fn new(inner: Arc<dyn Contents>) -> Self {
        Self { inner, faults: Mutex::default() }
    }

    /// Makes the next call of this kind fail that no earlier fault is waiting for.
    pub fn fail(&self, call: Call, fault: Fault) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).push_back((call, fault));
    }

    /// The next fault for this call; how many bytes still go through, if it is one of the body.
    fn fault(&self, call: Call) -> Result<Option<u64>, ContentsError> {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(at) = faults.iter().position(|(failing, _)| *failing == call) else { return Ok(None) };
        match faults.remove(at) {
            None => Ok(None),
            Some((_, Fault::CutAfter(bytes))) => Ok(Some(bytes)),
            Some((_, Fault::Full)) => Err(ContentsError::Full("told to be full".into())),
            Some((_, Fault::Unavailable)) => Err(ContentsError::Unavailable("told to be unavailable".into())),
            Some((_, Fault::Failed)) => Err(ContentsError::Failed("told to fail".into())),
        }
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "faulty {}", self.inner)
    }
}

#[async_trait]
impl Contents for Faulty {
    async fn put(&self, id: &ContentId, body: Body, size_max: u64) -> Result<Stored, ContentsError> {
        let body = cut(body, self.fault(Call::Put)?);
        self.inner.put(id, body, size_max).await
    }

    async fn open(&self, id: &ContentId, range: Range<u64>) -> Result<Body, ContentsError> {
        let after = self.fault(Call::Open)?;
        Ok(cut(self.inner.open(id, range).await?, after))
    }

    async fn remove(&self, id: &ContentId) -> Result<(), ContentsError> {
        self.fault(Call::Remove)?;
        self.inner.remove(id).await
    }

    fn ids(&self) -> BoxStream<'_, Result<ContentId, ContentsError>> {
        match self.fault(Call::Ids) {
            Ok(_) => self.inner.ids(),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    async fn direct_url(&self, id: &ContentId, lifetime: Duration) -> Result<Option<String>, ContentsError> {
        self.inner.direct_url(id, lifetime).await
    }

    async fn remove_unfinished(&self, before: Timestamp) -> Result<u64, ContentsError> {
        self.inner.remove_unfinished(before).await
    }
}

fn cut(body: Body, after: Option<u64>) -> Body {
    match after {
        Some(left) => Cut { body, left, is_cut: false }.boxed_unsync(),
        None => body,
    }
}

/// A body that fails after some bytes, or at its end if it has fewer.
struct Cut {
    body: Body,
    left: u64,
    is_cut: bool,
}

impl http_body::Body for Cut {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.is_cut {
            return Poll::Ready(None);
        }
        if self.left > 0
            && let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(context)?)
        {
            return Poll::Ready(Some(Ok(frame.map_data(|mut data| {
                data.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
                self.left -= data.len() as u64;
                data
            }))));
        }
        self.is_cut = true;
        Poll::Ready(Some(Err("told to break off".into())))
    }

    fn is_end_stream(&self) -> bool {
        self.is_cut
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;
    use lectern_host::memory::contents::MemoryContents;

    use super::*;

    fn text(text: &'static str) -> Body {
        Full::new(Bytes::from_static(text.as_bytes())).map_err(|never| match never {}).boxed_unsync()
    }

    #[tokio::test]
    async fn each_call_fails_once_as_told_and_then_works() {
        let faulty = Faulty::new(Arc::new(MemoryContents::new()));
        let id = ContentId([1; 16]);
        faulty.fail(Call::Put, Fault::Full);
        faulty.fail(Call::Put, Fault::CutAfter(2));
        faulty.fail(Call::Open, Fault::CutAfter(1));
        faulty.fail(Call::Remove, Fault::Unavailable);
        faulty.fail(Call::Ids, Fault::Failed);

        assert!(matches!(faulty.put(&id, text("abc"), 9).await, Err(ContentsError::Full(_))));
        assert!(matches!(faulty.put(&id, text("abc"), 9).await, Err(ContentsError::Body(_))));
        assert!(matches!(faulty.open(&id, 0..9).await.unwrap_err(), ContentsError::NotFound));
        assert_eq!(faulty.put(&id, text("abc"), 9).await.unwrap().size, 3);

        faulty.fail(Call::Open, Fault::CutAfter(1));
        let mut body = faulty.open(&id, 0..9).await.unwrap();
        assert_eq!(&body.frame().await.unwrap().unwrap().into_data().unwrap()[..], b"a");
        assert!(body.frame().await.unwrap().is_err());
        assert!(body.frame().await.is_none());
        let whole = faulty.open(&id, 0..9).await.unwrap().collect().await.unwrap().to_bytes();
        assert_eq!(&whole[..], b"abc");

        assert!(matches!(faulty.ids().next().await, Some(Err(ContentsError::Failed(_)))));
        assert_eq!(faulty.ids().count().await, 1);
        assert!(matches!(faulty.remove(&id).await, Err(ContentsError::Unavailable(_))));
        faulty.remove(&id).await.unwrap();
        assert_eq!(faulty.ids().count().await, 0);
    }
}
