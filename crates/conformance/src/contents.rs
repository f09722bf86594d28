//! The promises of [`Contents`].
//!
//! | promise | function |
//! |---|---|
//! | when `put` returns, the content is whole, counted and hashed | [`put_keeps_every_byte_and_counts_and_hashes`] |
//! | … however it comes in | [`frames_of_any_size_make_the_same_content`] |
//! | `open` gives exactly the bytes of the range, cut at the end | [`open_gives_exactly_the_range`] |
//! | … and says beforehand how many | [`open_tells_the_exact_size`] |
//! | `open` of what is not there is `NotFound` | [`open_of_an_unknown_id_finds_nothing`] |
//! | a body over the limit is `TooLarge`, and leaves nothing | [`too_large_leaves_nothing`] |
//! | a body that fails is `Body`, and leaves nothing | [`a_body_that_fails_leaves_nothing`] |
//! | a `put` that is dropped leaves nothing | [`a_dropped_put_leaves_nothing`] |
//! | what is being put is not there yet | [`what_is_being_put_is_not_there_yet`] |
//! | an id is used once | [`an_id_is_used_once`] |
//! | `remove` forgets, and of an unknown id is success | [`remove_forgets`] |
//! | a reader keeps reading what it opened | [`a_reader_keeps_reading_what_was_removed`] |
//! | `ids` sees every content once | [`ids_sees_every_content_once`] |
//! | many at once do not disturb each other | [`many_at_once`] |

#![allow(clippy::expect_used, reason = "a broken promise is a panic here")]

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use http_body_util::{BodyExt as _, Full, StreamBody};
use lectern_host::Body;
use lectern_host::BoxError;
use lectern_host::ports::{Contents, ContentsError, Stored};
use lectern_host::records::{ContentId, Sha256, Timestamp};

/// Larger than anything the suite puts on purpose.
const SIZE_MAX: u64 = 64 << 20;

/// Tries every promise, each on contents of its own.
pub async fn suite<New, Made>(new: New)
where
    New: Fn() -> Made,
    Made: Future<Output = Arc<dyn Contents>>,
{
    put_keeps_every_byte_and_counts_and_hashes(&*new().await).await;
    frames_of_any_size_make_the_same_content(&*new().await).await;
    open_gives_exactly_the_range(&*new().await).await;
    open_tells_the_exact_size(&*new().await).await;
    open_of_an_unknown_id_finds_nothing(&*new().await).await;
    too_large_leaves_nothing(&*new().await).await;
    a_body_that_fails_leaves_nothing(&*new().await).await;
    a_dropped_put_leaves_nothing(&*new().await).await;
    what_is_being_put_is_not_there_yet(&*new().await).await;
    an_id_is_used_once(&*new().await).await;
    remove_forgets(&*new().await).await;
    a_reader_keeps_reading_what_was_removed(&*new().await).await;
    ids_sees_every_content_once(&*new().await).await;
    many_at_once(&new().await).await;
}

/// An id that nobody in this process had before.
pub fn fresh_id() -> ContentId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut random = [0; 10];
    random[..8].copy_from_slice(&n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
    ContentId::new(Timestamp(1_700_000_000_000 + i64::try_from(n).unwrap_or(0)), random)
}

/// Bytes that look like chance and are the same in every run.
pub fn bytes(length: usize, seed: u64) -> Bytes {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes.into()
}

/// A body of one frame.
pub fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body of many frames, the last of them perhaps shorter.
pub fn in_frames(bytes: &Bytes, frame: usize) -> Body {
    let bytes = bytes.clone();
    let frames = (0..bytes.len()).step_by(frame.max(1)).map(move |at| {
        let end = bytes.len().min(at + frame.max(1));
        Ok(http_body::Frame::data(bytes.slice(at..end)))
    });
    StreamBody::new(stream::iter(frames)).boxed_unsync()
}

/// Puts, and expects that it works.
pub async fn put(contents: &dyn Contents, id: &ContentId, body: impl Into<Bytes>) -> Stored {
    contents.put(id, whole(body), SIZE_MAX).await.expect("a content can be put")
}

/// All bytes of a body.
pub async fn read(body: Body) -> Bytes {
    body.collect().await.expect("the body comes to its end").to_bytes()
}

/// All bytes of a content; `None` if there is none.
pub async fn content(contents: &dyn Contents, id: &ContentId) -> Option<Bytes> {
    match contents.open(id, 0..u64::MAX).await {
        Ok(body) => Some(read(body).await),
        Err(ContentsError::NotFound) => None,
        Err(other) => panic!("a content can be opened: {other:?}"),
    }
}

/// Every id there is.
pub async fn ids(contents: &dyn Contents) -> Vec<ContentId> {
    contents.ids().map(|id| id.expect("ids can be listed")).collect().await
}

/// A hash that the text of 64 hexadecimal digits spells.
pub fn sha256(text: &str) -> Sha256 {
    let mut hash = Sha256::default();
    assert_eq!(text.len(), 2 * hash.len());
    for (at, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).expect("hexadecimal digits");
    }
    hash
}

/// SHA-256 of known texts, from FIPS 180-2 and its appendix B.
const HASHES: [(&str, &str); 3] = [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    ),
];

/// When `put` returns, the content is whole.
pub async fn put_keeps_every_byte_and_counts_and_hashes(contents: &dyn Contents) {
    for (text, hash) in HASHES {
        let id = fresh_id();
        let stored = put(contents, &id, text).await;
        assert_eq!((stored.size, stored.sha256), (text.len() as u64, sha256(hash)), "{text:?}");
        assert_eq!(content(contents, &id).await.as_deref(), Some(text.as_bytes()));
    }
    // A million times "a", the third example of FIPS 180-2.
    let id = fresh_id();
    let stored = put(contents, &id, vec![b'a'; 1_000_000]).await;
    assert_eq!(stored.size, 1_000_000);
    assert_eq!(stored.sha256, sha256("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"));
}

/// However a body comes in, its content is the same.
pub async fn frames_of_any_size_make_the_same_content(contents: &dyn Contents) {
    let data = bytes(300_001, 1);
    let expected = put(contents, &fresh_id(), data.clone()).await;
    for frame in [97, 4096, 65_535, 65_536, 262_144, 300_000, 300_001] {
        let id = fresh_id();
        let stored = contents.put(&id, in_frames(&data, frame), SIZE_MAX).await.expect("a content can be put");
        assert_eq!((stored.size, stored.sha256), (expected.size, expected.sha256), "frames of {frame}");
        assert_eq!(content(contents, &id).await.as_ref(), Some(&data), "frames of {frame}");
    }
    // Small and large frames by turns, empty ones among them, and no end of the world for trailers.
    let id = fresh_id();
    let mut at = 0;
    let mut frames = Vec::new();
    for length in [1, 200_000, 0, 5, 99_000, 995] {
        frames.push(Ok::<_, BoxError>(http_body::Frame::data(data.slice(at..at + length))));
        at += length;
    }
    assert_eq!(at, data.len());
    frames.push(Ok(http_body::Frame::trailers(Default::default())));
    let body = StreamBody::new(stream::iter(frames)).boxed_unsync();
    let stored = contents.put(&id, body, SIZE_MAX).await.expect("a content can be put");
    assert_eq!((stored.size, stored.sha256), (expected.size, expected.sha256));
    assert_eq!(content(contents, &id).await.as_ref(), Some(&data));
}

/// `open` gives exactly the bytes of the range; a range beyond the end is cut.
pub async fn open_gives_exactly_the_range(contents: &dyn Contents) {
    let (id, data) = (fresh_id(), bytes(1_000_000, 2));
    put(contents, &id, data.clone()).await;
    let size = data.len() as u64;
    for range in [
        0..size,
        0..0,
        0..1,
        1..2,
        size - 1..size,
        size..size,
        262_143..262_145,
        5..999_000,
        0..u64::MAX,
        size - 5..size + 5,
        size + 1..size + 2,
        u64::MAX - 1..u64::MAX,
        #[expect(clippy::reversed_empty_ranges, reason = "a range that ends before it begins has nothing in it")]
        {
            7..3
        },
    ] {
        let body = contents.open(&id, range.clone()).await.expect("a content can be opened");
        let (start, end) = (range.start.min(size), range.end.min(size));
        let expected = if start < end { data.slice(start as usize..end as usize) } else { Bytes::new() };
        assert_eq!(read(body).await, expected, "{range:?}");
    }
}

/// The body knows its length, so that a server can announce it.
pub async fn open_tells_the_exact_size(contents: &dyn Contents) {
    let id = fresh_id();
    put(contents, &id, bytes(600_000, 3)).await;
    for (range, length) in [(0..u64::MAX, 600_000), (10..20, 10), (599_999..700_000, 1), (700_000..800_000, 0)] {
        let mut body = contents.open(&id, range.clone()).await.expect("a content can be opened");
        let mut left = length;
        assert_eq!(http_body::Body::size_hint(&body).exact(), Some(left), "{range:?}");
        while let Some(frame) = body.frame().await {
            left -= frame.expect("the body comes to its end").into_data().expect("only data").len() as u64;
            assert_eq!(http_body::Body::size_hint(&body).exact(), Some(left), "{range:?}");
        }
        assert_eq!(left, 0);
        assert!(http_body::Body::is_end_stream(&body));
    }
}

/// `open` of an id that was never put is `NotFound`.
pub async fn open_of_an_unknown_id_finds_nothing(contents: &dyn Contents) {
    assert!(matches!(contents.open(&fresh_id(), 0..1).await, Err(ContentsError::NotFound)));
}

/// Drives a future one step.
async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
}

async fn assert_nothing_is_left(contents: &dyn Contents, id: &ContentId) {
    assert_eq!(content(contents, id).await, None);
    assert_eq!(ids(contents).await, []);
}

/// A body over the limit is refused as soon as it is, and leaves nothing; one at the limit is kept.
pub async fn too_large_leaves_nothing(contents: &dyn Contents) {
    let data = bytes(400_000, 4);
    for frame in [1000, 300_000, 400_000] {
        for size_max in [0, 1, 299_999, 399_999] {
            let id = fresh_id();
            match contents.put(&id, in_frames(&data, frame), size_max).await {
                Err(ContentsError::TooLarge { limit }) => assert_eq!(limit, size_max),
                other => panic!("{size_max}: {other:?}"),
            }
            assert_nothing_is_left(contents, &id).await;
        }
    }
    // "As soon as": the rest is not asked for.
    let endless = stream::repeat_with(|| Ok(http_body::Frame::data(Bytes::from_static(&[0; 1000]))));
    let refused = contents.put(&fresh_id(), StreamBody::new(endless).boxed_unsync(), 1_000_000).await;
    assert!(matches!(refused, Err(ContentsError::TooLarge { limit: 1_000_000 })), "{refused:?}");
    let id = fresh_id();
    assert_eq!(contents.put(&id, in_frames(&data, 1000), 400_000).await.expect("it fits").size, 400_000);
    assert_eq!(contents.put(&fresh_id(), whole(Bytes::new()), 0).await.expect("it fits").size, 0);
}

/// A body that fails, early or late, leaves nothing.
pub async fn a_body_that_fails_leaves_nothing(contents: &dyn Contents) {
    for length in [0, 10, 300_000, 2_000_000] {
        let data = bytes(length, 5);
        let frames: Vec<Result<_, BoxError>> = (0..data.len())
            .step_by(50_000)
            .map(|at| Ok(http_body::Frame::data(data.slice(at..data.len().min(at + 50_000)))))
            .chain([Err("the client went away".into())])
            .collect();
        let id = fresh_id();
        let failed = contents.put(&id, StreamBody::new(stream::iter(frames)).boxed_unsync(), SIZE_MAX).await;
        match failed {
            Err(ContentsError::Body(cause)) => assert_eq!(cause.to_string(), "the client went away"),
            other => panic!("after {length} bytes: {other:?}"),
        }
        assert_nothing_is_left(contents, &id).await;
    }
}

/// A body that gives some bytes and then waits for ever.
fn unfinished(data: &Bytes) -> Body {
    let begin = stream::iter([Ok::<_, BoxError>(http_body::Frame::data(data.clone()))]);
    StreamBody::new(begin.chain(stream::pending())).boxed_unsync()
}

/// A `put` that is dropped before it returned leaves nothing, however far it had come.
pub async fn a_dropped_put_leaves_nothing(contents: &dyn Contents) {
    for length in [0, 10, 1_000_000] {
        for polls in 1..4 {
            let (id, data) = (fresh_id(), bytes(length, 6));
            {
                let mut putting = pin!(contents.put(&id, unfinished(&data), SIZE_MAX));
                for _ in 0..polls {
                    let polled = poll_once(putting.as_mut()).await;
                    assert!(matches!(polled, Poll::Pending));
                    tokio::task::yield_now().await;
                }
            }
            assert_nothing_is_left(contents, &id).await;
        }
    }
}

/// What is being put is neither opened nor listed before `put` has returned.
pub async fn what_is_being_put_is_not_there_yet(contents: &dyn Contents) {
    let (id, data) = (fresh_id(), bytes(1_000_000, 7));
    let (more, rest) = tokio::sync::oneshot::channel::<Bytes>();
    let begin = stream::iter([Ok::<_, BoxError>(http_body::Frame::data(data.slice(..500_000)))]);
    let end = stream::once(async { Ok(http_body::Frame::data(rest.await.map_err(BoxError::from)?)) });
    let mut putting = pin!(contents.put(&id, StreamBody::new(begin.chain(end)).boxed_unsync(), SIZE_MAX));
    for _ in 0..3 {
        assert!(matches!(poll_once(putting.as_mut()).await, Poll::Pending));
        assert_nothing_is_left(contents, &id).await;
    }
    more.send(data.slice(500_000..)).expect("the body waits");
    putting.await.expect("a content can be put");
    assert_eq!(content(contents, &id).await, Some(data));
}

/// A second `put` with an id fails and changes nothing.
pub async fn an_id_is_used_once(contents: &dyn Contents) {
    let id = fresh_id();
    put(contents, &id, "first").await;
    assert!(contents.put(&id, whole("second"), SIZE_MAX).await.is_err());
    assert_eq!(content(contents, &id).await.as_deref(), Some(&b"first"[..]));
    assert_eq!(ids(contents).await, [id]);
}

/// `remove` forgets a content; of an unknown id it is success.
pub async fn remove_forgets(contents: &dyn Contents) {
    let (one, other) = (fresh_id(), fresh_id());
    put(contents, &one, "one").await;
    put(contents, &other, "other").await;
    contents.remove(&fresh_id()).await.expect("an unknown id is success");
    for _ in 0..2 {
        contents.remove(&one).await.expect("a content can be removed, twice too");
        assert_eq!(content(contents, &one).await, None);
        assert_eq!(content(contents, &other).await.as_deref(), Some(&b"other"[..]));
        assert_eq!(ids(contents).await, [other]);
    }
}

/// Who has opened a content reads it to its end.
pub async fn a_reader_keeps_reading_what_was_removed(contents: &dyn Contents) {
    let (id, data) = (fresh_id(), bytes(2_000_000, 8));
    put(contents, &id, data.clone()).await;
    let mut body = contents.open(&id, 0..u64::MAX).await.expect("a content can be opened");
    let first = body.frame().await.expect("there is more").expect("it can be read").into_data().expect("only data");
    contents.remove(&id).await.expect("a content can be removed");
    let rest = read(body).await;
    assert!(first.iter().chain(rest.iter()).eq(data.iter()));
}

/// `ids` sees every content once.
pub async fn ids_sees_every_content_once(contents: &dyn Contents) {
    assert_eq!(ids(contents).await, []);
    let put_ids: BTreeSet<ContentId> = stream::iter(0..300)
        .map(|_| async {
            let id = fresh_id();
            put(contents, &id, id.to_string()).await;
            id
        })
        .buffer_unordered(16)
        .collect()
        .await;
    let seen = ids(contents).await;
    assert_eq!(seen.len(), put_ids.len());
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), put_ids);
}

/// Many writers and readers at once do not disturb each other.
pub async fn many_at_once(contents: &Arc<dyn Contents>) {
    let tasks: Vec<_> = (0..32_u64)
        .map(|n| {
            let contents = Arc::clone(contents);
            tokio::spawn(async move {
                let length = 10_000 * n as usize;
                let (id, data) = (fresh_id(), bytes(length, n));
                let stored = contents.put(&id, in_frames(&data, 7_000), SIZE_MAX).await.expect("a content can be put");
                assert_eq!(stored.size, length as u64);
                assert_eq!(content(&*contents, &id).await, Some(data));
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no task fails");
    }
}
