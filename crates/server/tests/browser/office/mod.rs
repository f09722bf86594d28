//! An office server for the tests: it stands where Office Online Server or Collabora would.
//!
//! It is a whole client, only its documents are plain text. Its discovery document has its proof keys; its page takes the
//! token by a form's POST, as the documents say; its server side then asks Lectern with requests that are signed with that
//! key, and its script speaks with the page around it. Buttons do what menus do in real editors, each one operation or
//! one message, so that a test can see what follows from which.
//!
//! | extension | page | speaks |
//! |---|---|---|
//! | docx | `/we/frame.html` | as Office does: two messages until it can be used |
//! | odt | `/browser/1/cool.html` | as Collabora does: the states of loading one by one |
//!
//! Its pages are at `localhost` and Lectern's at `127.0.0.1`: two sites for a browser, whose frames get processes of
//! their own and whose cookies are not shared, as it is with two hosts.

mod asking;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::json;
use tokio::net::TcpListener;
use wopi::proof::SigningKey;

pub(crate) use asking::Asked;
use asking::Session;

const PAGE: &str = include_str!("page.html");
const SCRIPT: &str = include_str!("page.js");

/// A running office server. It ends with the test's runtime.
pub(crate) struct Office {
    port: u16,
    desk: Arc<Desk>,
}

/// What all requests share.
struct Desk {
    key: SigningKey,
    port: u16,
    sessions: Mutex<HashMap<String, Session>>,
    next: AtomicU64,
    asked: Mutex<Vec<Asked>>,
}

impl Office {
    /// Starts one on a free port.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let key = SigningKey::generate().expect("a key");
        let sessions = Mutex::default();
        let desk = Arc::new(Desk { key, port, sessions, next: AtomicU64::new(1), asked: Mutex::default() });
        let pages = Router::new()
            .route("/hosting/discovery", get(discovery))
            .route("/we/frame.html", post(page))
            .route("/browser/1/cool.html", post(page))
            .route("/page.js", get(|| async { ([(header::CONTENT_TYPE, "text/javascript")], SCRIPT) }))
            .route("/favicon.ico", get(|| async { StatusCode::NO_CONTENT }))
            .route("/session/{session}/{operation}", post(operate))
            .with_state(Arc::clone(&desk));
        tokio::spawn(async move { axum::serve(listener, pages).await });
        Self { port, desk }
    }

    /// The address of its discovery document.
    pub(crate) fn discovery(&self) -> String {
        format!("http://127.0.0.1:{}/hosting/discovery", self.port)
    }

    /// What it asked Lectern so far, and how that was answered.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.desk.asked().clone()
    }
}

impl Desk {
    fn sessions(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.sessions.lock().expect("nobody panics with it")
    }

    fn asked(&self) -> MutexGuard<'_, Vec<Asked>> {
        self.asked.lock().expect("nobody panics with it")
    }

    async fn operate(&self, id: &str, operation: &str, text: &str) -> Option<serde_json::Value> {
        let mut session = self.sessions().get(id)?.clone();
        let (told, asked) = session.operate(&self.key, operation, text).await?;
        self.asked().extend(asked);
        self.sessions().insert(id.to_owned(), session);
        Some(told)
    }
}

async fn discovery(State(desk): State<Arc<Desk>>) -> Response {
    let (key, port) = (desk.key.public(), desk.port);
    let placeholders = "&lt;ui=UI_LLCC&amp;&gt;&lt;hid=HOST_SESSION_ID&amp;&gt;&lt;thm=THEME_ID&amp;&gt;\
                        &lt;wopisrc=WOPI_SOURCE&amp;&gt;";
    let action = |name: &str, extension: &str, path: &str, more: &str| {
        format!(
            r#"<action name="{name}" ext="{extension}" requires="locks,update"
                 urlsrc="http://localhost:{port}{path}?mode={name}&amp;{more}{placeholders}"/>"#
        )
    };
    let [view, edit] = ["view", "edit"].map(|name| action(name, "docx", "/we/frame.html", ""));
    let [cool_view, cool_edit] = ["view", "edit"].map(|name| action(name, "odt", "/browser/1/cool.html", ""));
    // It never answers: what people see then is a matter of the page around it.
    let silent = action("edit", "pptx", "/we/frame.html", "silent=1&amp;");
    let document = format!(
        r#"<?xml version="1.0" encoding="utf-8"?>
        <wopi-discovery><net-zone name="external-http">
          <app name="Word" favIconUrl="http://localhost:{port}/favicon.ico">{view}{edit}</app>
          <app name="Writer">{cool_view}{cool_edit}</app>
          <app name="Silence">{silent}</app>
        </net-zone>
        <proof-key value="{value}" modulus="{modulus}" exponent="{exponent}"
          oldvalue="{value}" oldmodulus="{modulus}" oldexponent="{exponent}"/></wopi-discovery>"#,
        value = key.capi_blob_base64(),
        modulus = key.modulus_base64(),
        exponent = key.exponent_base64(),
    );
    ([(header::CONTENT_TYPE, "application/xml")], document).into_response()
}

/// The page in the frame: takes the token, as real ones do, by POST and by nothing else.
async fn page(
    State(desk): State<Arc<Desk>>,
    uri: axum::http::Uri,
    RawQuery(query): RawQuery,
    body: String,
) -> Result<Html<String>, StatusCode> {
    let query = query.unwrap_or_default();
    let find = |text: &str, name: &str| {
        let mut pairs = url::form_urlencoded::parse(text.as_bytes());
        pairs.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.into_owned())
    };
    let wopi_src = find(&query, "wopisrc").ok_or(StatusCode::BAD_REQUEST)?;
    let token = find(&body, "access_token").ok_or(StatusCode::BAD_REQUEST)?;
    let ttl: u64 = find(&body, "access_token_ttl").and_then(|ttl| ttl.parse().ok()).ok_or(StatusCode::BAD_REQUEST)?;
    if find(&query, "access_token").is_some() || ttl < 1_000_000_000_000 {
        // A token in an address, or a span where a moment is meant: real clients fail later, and less clearly.
        return Err(StatusCode::BAD_REQUEST);
    }
    let family = if uri.path().ends_with("/cool.html") { "collabora" } else { "microsoft" };
    let edit = find(&query, "mode").as_deref() == Some("edit");
    let id = desk.next.fetch_add(1, Ordering::SeqCst).to_string();
    desk.sessions().insert(id.clone(), Session::new(&wopi_src, &token, edit));
    let facts = json!({
        "session": id,
        "family": family,
        "edit": edit,
        "silent": find(&query, "silent").is_some(),
        "theme": find(&query, "thm"),
        "language": find(&query, "ui"),
        "uiDefaults": find(&body, "ui_defaults"),
    });
    // Nothing in it comes from outside but numbers and words of the address, and no `<` survives.
    Ok(Html(PAGE.replace("FACTS", &facts.to_string().replace('<', "\\u003c"))))
}

async fn operate(
    State(desk): State<Arc<Desk>>,
    Path((session, operation)): Path<(String, String)>,
    text: String,
) -> Result<Response, StatusCode> {
    let told = desk.operate(&session, &operation, &text).await.ok_or(StatusCode::NOT_FOUND)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], told.to_string()).into_response())
}
