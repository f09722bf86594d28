//! Who asks, in which language: found once per request, before any handler.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::cookie::CookieJar;
use http::Method;
use http::header::ACCEPT_LANGUAGE;
use http::request::Parts;
use lectern_host::desk::{Denied, Why};
use lectern_host::records::{Role, Session, SessionId, User};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::cookies::Cookies;
use crate::frame::{Frame, Said};
use crate::problem::Problem;
use crate::site::{Shared, page_of};
use crate::words::{Language, Words};

/// The address of whoever asks, as the server believes it. Put into each request by [`crate::Pages::handle`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address {
    /// Who asks.
    pub(crate) from: IpAddr,
    /// The other end of the connection.
    pub(crate) peer: IpAddr,
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    /// The language of the answer.
    pub(crate) words: Words,
    /// Who is signed in.
    pub(crate) person: Option<SignedIn>,
    /// Where the request comes from.
    pub(crate) address: Option<IpAddr>,
    /// The path and query that were asked for, below the public URL.
    here: String,
    said: Option<Said>,
    is_get: bool,
    /// Whether this answers a form of the page that is `here`.
    is_form: bool,
}

/// Somebody with a session that lives, who is not shut out.
#[derive(Clone, Debug)]
pub(crate) struct SignedIn {
    pub(crate) session: Arc<Session>,
    pub(crate) user: Arc<User>,
    /// Whether they came by a link and have no account.
    pub(crate) is_guest: bool,
}

impl Visitor {
    /// Finds out who asks. The registry is asked at every request: an ended session ends now.
    pub(crate) async fn of(parts: &Parts, shared: &Shared) -> Result<Self, Problem> {
        let jar = CookieJar::from_headers(&parts.headers);
        let accepted = || Language::accepted(parts.headers.get(ACCEPT_LANGUAGE)?.to_str().ok()?);
        let language = Cookies::language(&jar).or_else(accepted).unwrap_or_default();
        let is_get = parts.method == Method::GET || parts.method == Method::HEAD;
        let here = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let page = if is_get { None } else { page_of(parts.uri.path()) };
        let visitor = Self {
            words: Words(language),
            person: None,
            address: parts.extensions.get::<Address>().map(|address| address.from),
            is_form: page.is_some(),
            here: page.unwrap_or_else(|| here.to_owned()),
            said: Said::in_query(parts.uri.query()),
            is_get,
        };
        let Some(id) = shared.cookies.session(&jar) else { return Ok(visitor) };
        visitor.signed_in_by(shared, &id).await
    }

    /// The visitor with whoever has this session.
    pub(crate) async fn signed_in_by(mut self, shared: &Shared, id: &SessionId) -> Result<Self, Problem> {
        self.person = match shared.host.desk(id).await {
            Ok(desk) => {
                let person = desk.person();
                let (session, user) = (Arc::new(person.session().clone()), Arc::new(person.user().clone()));
                Some(SignedIn { session, user, is_guest: person.link().is_some() })
            }
            Err(Denied { why: Why::SignedOut, .. }) => None,
            Err(denied) => return Err(denied.into()),
        };
        Ok(self)
    }

    /// The name that a proxy says, if it is one whose word counts. From anybody else the header means nothing.
    pub(crate) fn proxied_name(&self, parts: &Parts, shared: &Shared) -> Option<String> {
        let (header, proxies) = shared.settings.proxy.as_ref()?;
        let peer = parts.extensions.get::<Address>()?.peer;
        if !proxies.contains(&peer) || parts.uri.path().starts_with("/assets/") {
            return None;
        }
        let name = parts.headers.get(header)?.to_str().ok()?.trim();
        (!name.is_empty()).then(|| name.to_owned())
    }

    /// Somebody of whom only the language is known, for a page about trouble.
    pub(crate) fn unknown(parts: &Parts) -> Self {
        let accepted = || Language::accepted(parts.headers.get(ACCEPT_LANGUAGE)?.to_str().ok()?);
        let words = Words(accepted().unwrap_or_default());
        Self { words, person: None, address: None, here: "/".to_owned(), said: None, is_get: true, is_form: false }
    }

    /// The layout for this visitor.
    pub(crate) fn frame(&self, shared: &Shared) -> Frame {
        let user = self.person.as_ref().map(|person| &*person.user);
        Frame {
            words: self.words,
            base: shared.base.clone(),
            signed_in: user.map(|user| shown_name(user).to_owned()),
            here: self.here.clone(),
            is_form: self.is_form,
            said: self.said,
            searched: String::new(),
            within: None,
            administers: user.is_some_and(|user| user.role == Role::Administrator),
            is_guest: self.person.as_ref().is_some_and(|person| person.is_guest),
        }
    }
}

/// What a person is called on pages.
pub(crate) fn shown_name(user: &User) -> &str {
    if user.display_name.trim().is_empty() { &user.name } else { &user.display_name }
}

impl FromRequestParts<Arc<Shared>> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Shared>) -> Result<Self, Infallible> {
        // Every request of a page passes `site::dress`, which puts it there.
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(|| Self::unknown(parts)))
    }
}

/// A visitor who is signed in; others are sent to sign in and come back.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) visitor: Visitor,
    pub(crate) session: Arc<Session>,
    pub(crate) user: Arc<User>,
}

impl Member {
    /// The layout for this person.
    pub(crate) fn frame(&self, shared: &Shared) -> Frame {
        self.visitor.frame(shared)
    }
}

impl FromRequestParts<Arc<Shared>> for Member {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Response> {
        let Ok(visitor) = Visitor::from_request_parts(parts, shared).await;
        match &visitor.person {
            Some(SignedIn { session, user, .. }) => {
                let (session, user) = (Arc::clone(session), Arc::clone(user));
                Ok(Self { visitor, session, user })
            }
            None => Err(to_sign_in(&visitor, shared).into_response()),
        }
    }
}

/// The way to the sign-in page, and back to where one wanted to go. A form that was sent is not sent again.
pub(crate) fn to_sign_in(visitor: &Visitor, shared: &Shared) -> Redirect {
    let sign_in = format!("{}/sign-in", shared.base);
    if visitor.is_get && visitor.here != "/" {
        Redirect::to(&format!("{sign_in}?next={}", utf8_percent_encode(&visitor.here, NON_ALPHANUMERIC)))
    } else {
        Redirect::to(&sign_in)
    }
}
