//! What came back.

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body_util::BodyExt;
use lectern_host::Body;
use serde_json::Value;

/// An answer, read to its end, together with what had been asked.
#[derive(Clone)]
pub(crate) struct Answer {
    asked: String,
    pub(crate) status: u16,
    headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) async fn read(asked: String, response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let announced = http_body::Body::size_hint(&body).exact();
        let body = body.collect().await.unwrap_or_else(|error| panic!("{asked}: the body failed: {error}")).to_bytes();
        let answer = Self { asked, status: parts.status.as_u16(), headers: parts.headers, body };
        assert!(
            announced.is_none_or(|length| length == answer.body.len() as u64),
            "{answer:?} announces {announced:?}"
        );
        answer.holds_what_every_answer_holds();
        answer
    }

    /// `no-store` and `nosniff` on everything, who we are on everything under `/wopi`, and a lock only where WOPI has one.
    fn holds_what_every_answer_holds(&self) {
        assert_eq!(self.header("Cache-Control"), Some("no-store"), "{self:?}");
        assert_eq!(self.header("X-Content-Type-Options"), Some("nosniff"), "{self:?}");
        if self.asked.contains("/wopi") {
            assert!(self.header("X-WOPI-ServerVersion").is_some_and(|it| it.starts_with("Lectern/")), "{self:?}");
            assert_eq!(self.header("X-WOPI-MachineName"), Some("story"), "{self:?}");
        }
        if self.header("X-WOPI-Lock").is_some() {
            assert!(self.status == 409 || self.asked.contains("GET_LOCK"), "nobody asked for a lock: {self:?}");
        }
        assert!(self.header("X-WOPI-LockedByOtherInterface").is_none(), "{self:?}");
    }

    /// It was done.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        self.answered(200)
    }

    /// It was answered with this status.
    #[track_caller]
    pub(crate) fn answered(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// It was refused because of the lock held; a free file has the empty one.
    #[track_caller]
    pub(crate) fn refused_with(self, lock: &str) -> Self {
        assert_eq!((self.status, self.header("X-WOPI-Lock")), (409, Some(lock)), "{self:?}");
        assert!(self.header("X-WOPI-LockFailureReason").is_some_and(|why| !why.is_empty()), "no reason: {self:?}");
        self
    }

    /// GetLock answered this lock; a free file has the empty one.
    #[track_caller]
    pub(crate) fn holds(self, lock: &str) -> Self {
        assert_eq!((self.status, self.header("X-WOPI-Lock")), (200, Some(lock)), "{self:?}");
        self
    }

    /// The value of a header that may be there once.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next().map(|value| value.to_str().unwrap());
        assert!(values.next().is_none(), "{name} stands twice in {self:?}");
        value
    }

    /// The version that the operation left.
    #[track_caller]
    pub(crate) fn version(&self) -> &str {
        self.header("X-WOPI-ItemVersion").unwrap_or_else(|| panic!("no version in {self:?}"))
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("Content-Type"), Some("application/json"), "{self:?}");
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A text in the JSON of the body.
    #[track_caller]
    pub(crate) fn text(&self, pointer: &str) -> String {
        let json = self.json();
        let found = json.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_else(|| panic!("no text at {pointer} in {json}")).to_owned()
    }

    /// The name that would do, decoded.
    #[track_caller]
    pub(crate) fn valid_target(&self) -> String {
        let name = self.header("X-WOPI-ValidRelativeTarget").unwrap_or_else(|| panic!("no name in {self:?}"));
        let name = wopi::utf7::decode(name.as_bytes());
        assert!(name.clean(), "no UTF-7: {self:?}");
        name.text
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = String::from_utf8_lossy(&self.body[..self.body.len().min(400)]);
        write!(f, "{} -> {} {:?} {shown:?} ({} bytes)", self.asked, self.status, self.headers, self.body.len())
    }
}
