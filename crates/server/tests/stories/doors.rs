//! What can be asked, and where: an address with a token, and the operations behind it in WOPI's words.

use std::future::{Future, IntoFuture};
use std::ops::Deref;
use std::pin::Pin;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::BodyExt;
use lectern_host::{Body, BoxError, empty, full};
use serde_json::Value;
use wopi::FileId;
use wopi::proof::{SigningKey, sign};

use crate::answer::Answer;
use crate::world::World;

/// Where the token is put.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TokenIn {
    Query,
    Header,
    Both,
    /// The address has to do.
    Nowhere,
}

/// An address, a token for it, and how requests are signed.
#[derive(Clone)]
pub(crate) struct Door {
    world: World,
    /// The path of the address, prefix of the public URL included.
    path: String,
    pub(crate) token: String,
    token_in: TokenIn,
    keys: Option<(&'static SigningKey, &'static SigningKey)>,
    /// How far the client's clock is from ours, in milliseconds.
    clock_skew_ms: i64,
}

impl Door {
    pub(crate) fn new(world: &World, address: &str, token: &str) -> Self {
        let path = address.strip_prefix(world.origin()).unwrap_or_else(|| panic!("{address} is not ours"));
        let (path, token) = (path.to_owned(), token.to_owned());
        Self { world: world.clone(), path, token, token_in: TokenIn::Query, keys: None, clock_skew_ms: 0 }
    }

    /// Behind an address that an answer gave, which brings its token.
    #[track_caller]
    pub(crate) fn at(world: &World, address: &str) -> Self {
        let (address, query) = address.split_once('?').unwrap_or_else(|| panic!("no token in {address}"));
        let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        assert!(value("access_token_ttl").is_some_and(|ttl| ttl.parse::<i64>().is_ok()), "no ttl in {query}");
        Self::new(world, address, value("access_token").unwrap_or_else(|| panic!("no token in {query}")))
    }

    /// The same address with another token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }

    /// The token goes into `Authorization` and nowhere else.
    pub(crate) fn token_in_header_only(&self) -> Self {
        Self { token_in: TokenIn::Header, ..self.clone() }
    }

    /// The token goes into the query and into `Authorization`.
    pub(crate) fn token_in_both(&self) -> Self {
        Self { token_in: TokenIn::Both, ..self.clone() }
    }

    /// No token is sent at all.
    pub(crate) fn without_token(&self) -> Self {
        Self { token_in: TokenIn::Nowhere, ..self.clone() }
    }

    /// Requests are signed with a current and an old key.
    pub(crate) fn signed_with(&self, current: &'static SigningKey, old: &'static SigningKey) -> Self {
        Self { keys: Some((current, old)), ..self.clone() }
    }

    /// The client's clock is so many milliseconds ahead of ours.
    pub(crate) fn clock_ahead_by(&self, skew_ms: i64) -> Self {
        Self { clock_skew_ms: skew_ms, ..self.clone() }
    }

    /// Where it is, without token.
    pub(crate) fn address(&self) -> String {
        format!("{}{}", self.world.origin(), self.path)
    }

    pub(crate) fn id(&self) -> &str {
        self.path.rsplit('/').next().unwrap()
    }

    pub(crate) fn get(&self, below: &str) -> Question {
        self.question(Method::GET, below)
    }

    pub(crate) fn post(&self, below: &str, operation: &str) -> Question {
        self.question(Method::POST, below).with("X-WOPI-Override", operation)
    }

    pub(crate) fn question(&self, method: Method, below: &str) -> Question {
        Question { door: self.clone(), method, below: below.to_owned(), headers: HeaderMap::new(), body: empty() }
    }
}

/// A request that was not sent yet; awaiting it sends it.
pub(crate) struct Question {
    door: Door,
    method: Method,
    below: String,
    headers: HeaderMap,
    body: Body,
}

impl Question {
    /// With one more header.
    pub(crate) fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name: HeaderName = name.parse().unwrap();
        self.headers.append(name, HeaderValue::from_bytes(value.as_ref()).unwrap());
        self
    }

    /// Under this lock.
    pub(crate) fn under(self, lock: &str) -> Self {
        self.with("X-WOPI-Lock", lock)
    }

    /// By another method.
    pub(crate) fn method(self, method: Method) -> Self {
        Self { method, ..self }
    }

    pub(crate) fn body(mut self, bytes: &[u8]) -> Self {
        self.body = full(bytes.to_vec());
        self
    }

    pub(crate) fn streaming(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    /// The request on the wire.
    fn request(self) -> (String, World, Request<Body>) {
        let Self { door, method, below, mut headers, body } = self;
        let Door { world, path, token, token_in, keys, clock_skew_ms } = door;
        let (in_query, in_header) = match token_in {
            TokenIn::Query => (true, false),
            TokenIn::Header => (false, true),
            TokenIn::Both => (true, true),
            TokenIn::Nowhere => (false, false),
        };
        let query = if in_query { format!("?access_token={token}") } else { String::new() };
        let uri = format!("{path}{below}{query}");
        if in_header {
            headers.insert("Authorization", format!("Bearer {token}").parse().unwrap());
        }
        if let Some((current, old)) = keys {
            let url = format!("{}{uri}", world.origin());
            sign(current, old, &url, &token, world.now_ms() + clock_skew_ms).unwrap().put_into(&mut headers);
        }
        let operation = headers.get("X-WOPI-Override").map_or("", |value| value.to_str().unwrap());
        let asked = format!("{method} {path}{below} {operation}");
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = uri.parse().unwrap();
        *request.headers_mut() = headers;
        (asked, world, request)
    }

    /// Sends it and leaves the body of the answer on the wire.
    pub(crate) async fn begins(self) -> Reading {
        let (_, world, request) = self.request();
        let response = world.knock(request).await;
        assert_eq!(response.status(), 200);
        Reading(response.into_body())
    }
}

impl IntoFuture for Question {
    type Output = Answer;
    type IntoFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (asked, world, request) = self.request();
            let response = world.knock(request).await;
            Answer::read(asked, response).await
        })
    }
}

/// A body that comes as slowly as the story sends it, and fails when the story wants that.
pub(crate) fn slow_body() -> (tokio::sync::mpsc::UnboundedSender<Result<&'static [u8], BoxError>>, Body) {
    let (send, mut receive) = tokio::sync::mpsc::unbounded_channel();
    let frames = futures_util::stream::poll_fn(move |context| receive.poll_recv(context));
    let frames = futures_util::StreamExt::map(frames, |part: Result<&'static [u8], BoxError>| {
        part.map(|bytes| http_body::Frame::data(bytes::Bytes::from_static(bytes)))
    });
    (send, http_body_util::StreamBody::new(frames).boxed_unsync())
}

/// A body that somebody is in the middle of.
pub(crate) struct Reading(Body);

impl Reading {
    /// The next bytes that come.
    pub(crate) async fn some(&mut self) -> Vec<u8> {
        self.0.frame().await.unwrap().unwrap().into_data().unwrap().to_vec()
    }

    /// All that is left.
    pub(crate) async fn rest(self) -> Vec<u8> {
        self.0.collect().await.unwrap().to_bytes().to_vec()
    }
}

macro_rules! behind_a_door {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone)]
            pub(crate) struct $name(Door);

            impl $name {
                pub(crate) fn new(door: Door) -> Self {
                    Self(door)
                }
            }

            impl Deref for $name {
                type Target = Door;

                fn deref(&self) -> &Door {
                    &self.0
                }
            }
        )*
    };
}

behind_a_door! {
    /// A file that somebody has open.
    File;
    /// A container that somebody is in.
    Container;
    /// The ecosystem as somebody sees it.
    Ecosystem;
}

impl File {
    pub(crate) fn file_id(&self) -> FileId {
        FileId::parse(self.id()).unwrap()
    }

    /// The same file, asked in another way.
    pub(crate) fn through(&self, change: impl FnOnce(&Door) -> Door) -> Self {
        Self(change(&self.0))
    }

    pub(crate) fn check_file_info(&self) -> Question {
        self.get("")
    }

    /// What CheckFileInfo says.
    pub(crate) async fn info(&self) -> Value {
        self.check_file_info().await.ok().json()
    }

    /// `Version`.
    pub(crate) async fn version(&self) -> String {
        self.check_file_info().await.ok().text("/Version")
    }

    /// `LastModifiedTime`.
    pub(crate) async fn time(&self) -> String {
        self.check_file_info().await.ok().text("/LastModifiedTime")
    }

    /// `BaseFileName`.
    pub(crate) async fn name(&self) -> String {
        self.check_file_info().await.ok().text("/BaseFileName")
    }

    pub(crate) fn get_file(&self) -> Question {
        self.get("/contents")
    }

    /// The bytes that GetFile gives.
    pub(crate) async fn bytes(&self) -> Vec<u8> {
        self.get_file().await.ok().body.to_vec()
    }

    pub(crate) fn lock(&self, id: &str) -> Question {
        self.post("", "LOCK").under(id)
    }

    pub(crate) fn get_lock(&self) -> Question {
        self.post("", "GET_LOCK")
    }

    pub(crate) fn refresh_lock(&self, id: &str) -> Question {
        self.post("", "REFRESH_LOCK").under(id)
    }

    pub(crate) fn unlock(&self, id: &str) -> Question {
        self.post("", "UNLOCK").under(id)
    }

    pub(crate) fn unlock_and_relock(&self, old: &str, new: &str) -> Question {
        self.post("", "LOCK").with("X-WOPI-OldLock", old).under(new)
    }

    pub(crate) fn put_file(&self, bytes: &[u8]) -> Question {
        self.post("/contents", "PUT").body(bytes)
    }

    /// Locks, saves, unlocks, and all of it has to work.
    pub(crate) async fn saves(&self, bytes: &[u8]) -> Answer {
        self.lock("a save").await.ok();
        let saved = self.put_file(bytes).under("a save").await.ok();
        self.unlock("a save").await.ok();
        saved
    }

    /// PutRelativeFile with a name or extension that the host may adapt.
    pub(crate) fn put_near(&self, suggested: &str, bytes: &[u8]) -> Question {
        self.post("", "PUT_RELATIVE").with("X-WOPI-SuggestedTarget", wopi::utf7::encode(suggested)).body(bytes)
    }

    /// PutRelativeFile with exactly this name.
    pub(crate) fn put_exactly(&self, name: &str, bytes: &[u8]) -> Question {
        self.post("", "PUT_RELATIVE").with("X-WOPI-RelativeTarget", wopi::utf7::encode(name)).body(bytes)
    }

    pub(crate) fn rename(&self, name: &str) -> Question {
        self.post("", "RENAME_FILE").with("X-WOPI-RequestedName", wopi::utf7::encode(name))
    }

    pub(crate) fn delete(&self) -> Question {
        self.post("", "DELETE")
    }

    pub(crate) fn ancestors(&self) -> Question {
        self.get("/ancestry")
    }
}

impl Container {
    pub(crate) fn check_container_info(&self) -> Question {
        self.get("")
    }

    pub(crate) fn enumerate_children(&self) -> Question {
        self.get("/children")
    }

    pub(crate) fn ancestors(&self) -> Question {
        self.get("/ancestry")
    }

    pub(crate) fn create_container_near(&self, name: &str) -> Question {
        self.post("", "CREATE_CHILD_CONTAINER").with("X-WOPI-SuggestedTarget", wopi::utf7::encode(name))
    }

    pub(crate) fn create_container(&self, name: &str) -> Question {
        self.post("", "CREATE_CHILD_CONTAINER").with("X-WOPI-RelativeTarget", wopi::utf7::encode(name))
    }

    pub(crate) fn create_file_near(&self, name: &str) -> Question {
        self.post("", "CREATE_CHILD_FILE").with("X-WOPI-SuggestedTarget", wopi::utf7::encode(name))
    }

    pub(crate) fn create_file(&self, name: &str) -> Question {
        self.post("", "CREATE_CHILD_FILE").with("X-WOPI-RelativeTarget", wopi::utf7::encode(name))
    }

    pub(crate) fn rename(&self, name: &str) -> Question {
        self.post("", "RENAME_CONTAINER").with("X-WOPI-RequestedName", wopi::utf7::encode(name))
    }

    pub(crate) fn delete(&self) -> Question {
        self.post("", "DELETE_CONTAINER")
    }

    /// The names of the files in it, as EnumerateChildren tells them.
    pub(crate) async fn files(&self) -> Vec<String> {
        names(&self.enumerate_children().await.ok().json()["ChildFiles"])
    }

    /// The names of the containers in it.
    pub(crate) async fn containers(&self) -> Vec<String> {
        names(&self.enumerate_children().await.ok().json()["ChildContainers"])
    }

    /// Goes into the container of this name.
    pub(crate) async fn enters(&self, name: &str) -> Container {
        Self(self.child("ChildContainers", name).await)
    }

    /// Opens the file of this name.
    pub(crate) async fn opens(&self, name: &str) -> File {
        File(self.child("ChildFiles", name).await)
    }

    async fn child(&self, list: &str, name: &str) -> Door {
        let children = self.enumerate_children().await.ok().json();
        let child = children[list].as_array().unwrap().iter().find(|child| child["Name"] == name);
        let child = child.unwrap_or_else(|| panic!("no {name} in {children}"));
        Door::at(&self.world, child["Url"].as_str().unwrap())
    }
}

/// The names in a list, in its order.
pub(crate) fn names(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|entry| entry["Name"].as_str().unwrap().to_owned()).collect()
}

impl Ecosystem {
    pub(crate) fn check(&self) -> Question {
        self.get("")
    }

    pub(crate) fn root(&self) -> Question {
        self.get("/root_container_pointer")
    }

    pub(crate) fn file_wopi_src(&self, native_name: &str) -> Question {
        self.post("", "GET_WOPI_SRC_WITH_ACCESS_TOKEN").with("X-WOPI-HostNativeFileName", native_name)
    }
}
