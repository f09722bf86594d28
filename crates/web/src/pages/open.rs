//! `/open/{file}/{mode}`: a file in an office server's editor, in our own text editor, or as the browser shows it.
//!
//! The page of an office server is the host page (protocol/hostpage.md): a form with the token is posted into a frame that
//! a script makes. Its address has no token, is the same for everybody and for ever, and every visit makes a new token.

use std::borrow::Cow;
use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::{Path, Query, RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, EXPIRES, HeaderName, PRAGMA, REFERRER_POLICY};
use http::{HeaderMap, HeaderValue, StatusCode};
use lectern_host::access::Right;
use lectern_host::clients::Wanted;
use lectern_host::desk::{Denied, Desk, Editor, EditorToken, Entry, FileEntry, Order, Why};
use lectern_host::links::PageMode;
use lectern_host::ports::{TokenClaims, TokenResource};
use lectern_host::wopi::FileId;
use lectern_host::wopi::action_url::{ActionUrlFacts, Theme, wd_parameters};
use serde::Deserialize;
use serde_json::json;

use super::Input;
use super::browse::path_of;
use super::transfer::show_path;
use crate::frame::{Frame, page, page_with};
use crate::kinds::{self, Shown};
use crate::problem::Problem;
use crate::site::Shared;
use crate::visitor::Member;

/// Stands for our own pages among the names of clients; no client can be called so.
const OURSELVES: &str = "none";

/// The action whose page converts a file of an old format.
const CONVERT: &str = "convert";

/// Largest text that our editor opens, in bytes: browsers become slow with more.
const TEXT_BYTES_MAX: u64 = 4 << 20;

/// How many pictures are offered to be put into a document.
const PICTURES_MAX: usize = 200;

/// How long the address of a picture is good: the client fetches it at once.
const PICTURE_LIFETIME: std::time::Duration = std::time::Duration::from_secs(10 * 60);

/// What else the address of the page may say.
#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    client: String,
}

#[derive(Template)]
#[template(path = "editor.html")]
pub(super) struct EditorPage {
    pub(super) p: Frame,
    pub(super) editor: Editor,
    /// The same action in dark colours.
    pub(super) dark_action_url: String,
    /// Scheme, host and port of the client.
    pub(super) origin: String,
    /// Beside that one, any host below this one may speak.
    pub(super) origin_suffix: &'static str,
    pub(super) family: &'static str,
    pub(super) is_collabora: bool,
    pub(super) owner_id: String,
    pub(super) user_id: String,
    pub(super) extension: String,
    pub(super) container: String,
    pub(super) mode: &'static str,
    pub(super) may_edit: bool,
}

#[derive(Template)]
#[template(path = "text.html")]
pub(super) struct TextPage {
    pub(super) p: Frame,
    pub(super) file: FileEntry,
    pub(super) container: String,
    pub(super) token: EditorToken,
    /// Tells the drafts of one person in this browser from another's.
    pub(super) user_id: String,
    pub(super) bytes_max: u64,
}

#[derive(Template)]
#[template(path = "viewer.html")]
pub(super) struct ViewerPage {
    pub(super) p: Frame,
    pub(super) file: FileEntry,
    pub(super) container: String,
    pub(super) is_image: bool,
    /// The address of its bytes.
    pub(super) show: String,
}

#[derive(Template)]
#[template(path = "no_client.html")]
pub(super) struct NoClientPage {
    pub(super) p: Frame,
    pub(super) file: FileEntry,
    pub(super) container: String,
    pub(super) is_administrator: bool,
}

/// `GET /open/{file}/{mode}`
pub(crate) async fn open(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Path((id, mode)): Path<(String, String)>,
    Query(asked): Query<Asked>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let file = FileId::parse(&id).ok_or(Problem::NotFound)?;
    let wanted = match mode.as_str() {
        mode if mode == PageMode::View.as_str() => Wanted::View,
        mode if mode == PageMode::Edit.as_str() => Wanted::Edit,
        CONVERT => Wanted::Convert,
        _ => return Err(Problem::NotFound),
    };
    let desk = shared.host.desk(&member.session.id).await?;
    if asked.client != OURSELVES {
        let client = Some(asked.client.as_str()).filter(|client| !client.is_empty());
        match editor(&shared, &member, &desk, &file, client, wanted, query.as_deref().unwrap_or_default()).await {
            Err(Denied { why: Why::NoClient, .. }) => {}
            answer => return Ok(answer?),
        }
    }
    without_client(&shared, &member, &desk, &file, wanted).await
}

async fn editor(
    shared: &Shared,
    member: &Member,
    desk: &Desk<'_>,
    file: &FileId,
    client: Option<&str>,
    wanted: Wanted,
    query: &str,
) -> Result<Response, Denied> {
    let mut extra = wd_parameters(query);
    let mut editor = desk.open_editor(file, client, wanted, &facts(member, &extra, Theme::Light)).await?;
    let family = family(&editor.action_url);
    let client = Some(editor.offer.client.clone());
    if family == COLLABORA {
        // It shows these only if it is told that there is a page that answers them.
        extra.extend(["closebutton", "revisionhistory"].map(|name| (Cow::Borrowed(name), Cow::Borrowed("1"))));
        editor = desk.open_editor(file, client.as_deref(), wanted, &facts(member, &extra, Theme::Light)).await?;
    }
    // The colours are the browser's wish, which only the script knows.
    let dark = desk.open_editor(file, client.as_deref(), wanted, &facts(member, &extra, Theme::Dark)).await?;
    let origin = origin_of(&editor.action_url).map(str::to_owned);
    let origin = origin.ok_or_else(|| Denied::new(Why::Failed, "the address of a client's action has no origin"))?;
    let record = shared.host.file(file).await?;
    let p = member.frame(shared);
    let page_data = EditorPage {
        dark_action_url: dark.action_url,
        origin_suffix: trusted_suffix(&origin),
        family,
        is_collabora: family == COLLABORA,
        owner_id: record.owner.to_string(),
        user_id: member.user.id.to_string(),
        extension: editor.file.name.extension().to_owned(),
        container: p.url(&path_of(&editor.file.container)),
        mode: match wanted {
            Wanted::View => PageMode::View.as_str(),
            Wanted::Edit => PageMode::Edit.as_str(),
            Wanted::Convert => CONVERT,
        },
        may_edit: editor.token.may_edit,
        origin,
        editor,
        p,
    };
    let mut answer = page(&page_data);
    let icon = page_data.editor.fav_icon_url.as_deref().and_then(origin_of).unwrap_or_default();
    host_page_headers(answer.headers_mut(), &page_data.origin, page_data.origin_suffix, icon);
    Ok(answer)
}

/// How the page is to be shown by the client.
fn facts<'a>(member: &'a Member, extra: &'a [(Cow<'a, str>, Cow<'a, str>)], theme: Theme) -> ActionUrlFacts<'a> {
    ActionUrlFacts {
        ui_language: Some(member.visitor.words.0.tag_with_country()),
        // Letters and digits, whatever made the session.
        host_session_id: member.session.id.0.get(..SESSION_ID_SHOWN),
        theme: Some(theme),
        extra,
        ..ActionUrlFacts::new("")
    }
}

/// How much of a session's id a client is told, for its logs and ours.
const SESSION_ID_SHOWN: usize = 12;

/// Microsoft 365 answers from many hosts, and sends a frame from one to another.
const MICROSOFT_365: &str = ".officeapps.live.com";

fn trusted_suffix(origin: &str) -> &'static str {
    if origin.starts_with("https://") && origin.ends_with(MICROSOFT_365) { MICROSOFT_365 } else { "" }
}

/// What we call the family of LibreOffice's clients.
const COLLABORA: &str = "collabora";

/// Which of the three conversations the client speaks, by the page that its action leads to.
fn family(action_url: &str) -> &'static str {
    let page = action_url.split(['?', '#']).next().unwrap_or_default();
    if ["/cool.html", "/loleaflet.html"].iter().any(|known| page.ends_with(known)) {
        COLLABORA
    } else if page.contains("/hosting/wopi/") {
        "onlyoffice"
    } else {
        "microsoft"
    }
}

/// Scheme, host and port of an address, if it is one that may stand in a policy.
fn origin_of(url: &str) -> Option<&str> {
    let start = ["https://", "http://"].iter().find(|scheme| url.starts_with(**scheme))?.len();
    let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |at| start + at);
    let host = &url[start..end];
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']');
    (!host.is_empty() && host.bytes().all(plain)).then_some(&url[..end])
}

/// The headers of the host page: it may frame its client and post to it, and to nobody else; nobody keeps it; the client
/// does not learn its address.
fn host_page_headers(headers: &mut HeaderMap, origin: &str, suffix: &str, icon: &str) {
    let others = if suffix.is_empty() { String::new() } else { format!(" https://*{suffix}") };
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: {icon}; connect-src 'self'; \
         frame-src {origin}{others}; form-action 'self' {origin}{others}; frame-ancestors 'none'; base-uri 'none'"
    );
    // The origins have only characters of an address.
    if let Ok(policy) = HeaderValue::try_from(policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(EXPIRES, HeaderValue::from_static("-1"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    // The editor opens windows of its own: help, printing.
    headers.insert(
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin-allow-popups"),
    );
    // Editors have calls and recordings; what they may is asked of the person by the browser.
    headers.insert(
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("geolocation=(), payment=(), usb=()"),
    );
}

/// The page of a file that no office server opens.
async fn without_client(
    shared: &Shared,
    member: &Member,
    desk: &Desk<'_>,
    file: &FileId,
    wanted: Wanted,
) -> Result<Response, Problem> {
    let (entry, right) = desk.file_entry(file).await?;
    let p = member.frame(shared);
    let container = p.url(&path_of(&entry.container));
    match kinds::shown(&kinds::extension(&entry.name)) {
        Some(Shown::Text) if entry.size <= TEXT_BYTES_MAX => {
            let token = desk.editor_token(file, None, wanted != Wanted::View && right >= Right::Edit).await?;
            let user_id = member.user.id.to_string();
            let text = TextPage { p, file: entry, container, token, user_id, bytes_max: TEXT_BYTES_MAX };
            Ok(page(&text))
        }
        Some(Shown::Image(_)) => {
            Ok(page(&ViewerPage { show: p.url(&show_path(&entry)), p, file: entry, container, is_image: true }))
        }
        Some(Shown::Pdf) => {
            let mut answer =
                page(&ViewerPage { show: p.url(&show_path(&entry)), p, file: entry, container, is_image: false });
            let policy = format!("{}; frame-src 'self'; object-src 'self'", crate::headers::CONTENT_SECURITY);
            if let Ok(policy) = HeaderValue::try_from(policy) {
                answer.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
            }
            Ok(answer)
        }
        Some(Shown::Text) | None => {
            let is_administrator = desk.person().is_administrator();
            let no_client = NoClientPage { p, file: entry, container, is_administrator };
            Ok(page_with(StatusCode::OK, &no_client))
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct TokenFields {
    #[serde(default)]
    client: String,
    #[serde(default)]
    edit: String,
}

/// `POST /open/{file}/token`: a fresh token for a page that has been open for long.
pub(crate) async fn token(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Path(id): Path<String>,
    Input(fields): Input<TokenFields>,
) -> Result<Response, Problem> {
    let file = FileId::parse(&id).ok_or(Problem::NotFound)?;
    let desk = shared.host.desk(&member.session.id).await?;
    let client = Some(fields.client.as_str()).filter(|client| !client.is_empty());
    let token = desk.editor_token(&file, client, fields.edit == "1").await?;
    let answer = json!({
        "access_token": token.access_token,
        "access_token_ttl": token.expires_at.0,
        "may_edit": token.may_edit,
    });
    Ok(Json(answer).into_response())
}

/// `GET /open/{file}/holders`: who has the file open, for the text editor.
pub(crate) async fn holders(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let file = FileId::parse(&id).ok_or(Problem::NotFound)?;
    let desk = shared.host.desk(&member.session.id).await?;
    let holders = desk.holders(&file).await?;
    let holders: Vec<_> = holders
        .iter()
        .map(
            |holder| json!({ "name": holder.shown_as, "since": holder.since.0, "mine": holder.user == member.user.id }),
        )
        .collect();
    Ok(Json(holders).into_response())
}

/// `GET /open/{file}/pictures`: the images beside a document, to put into it.
pub(crate) async fn pictures(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let file = FileId::parse(&id).ok_or(Problem::NotFound)?;
    let desk = shared.host.desk(&member.session.id).await?;
    let (entry, _) = desk.file_entry(&file).await?;
    let listing = desk.list(&entry.container, Order::default(), None, PICTURES_MAX).await?;
    let pictures = listing.entries.iter().filter_map(|entry| match entry {
        Entry::File(file) => match kinds::shown(&kinds::extension(&file.name)) {
            Some(Shown::Image(_)) => Some(json!({ "id": file.id.as_str(), "name": file.name.as_str() })),
            _ => None,
        },
        Entry::Container(_) => None,
    });
    Ok(Json(pictures.collect::<Vec<_>>()).into_response())
}

#[derive(Deserialize)]
pub(crate) struct PictureFields {
    picture: String,
}

/// `POST /open/{file}/pictures`: the address of one of them, for the client: it brings its own authorization, because the
/// client has none, and is good for that picture, for reading, for a few minutes.
pub(crate) async fn picture_address(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Path(id): Path<String>,
    Input(fields): Input<PictureFields>,
) -> Result<Response, Problem> {
    FileId::parse(&id).ok_or(Problem::NotFound)?;
    let picture = FileId::parse(&fields.picture).ok_or(Problem::NotFound)?;
    let desk = shared.host.desk(&member.session.id).await?;
    let (entry, _) = desk.file_entry(&picture).await?;
    let Some(Shown::Image(_)) = kinds::shown(&kinds::extension(&entry.name)) else { return Err(Problem::NotFound) };
    let claims = TokenClaims {
        session: member.session.id.clone(),
        user: member.user.id.clone(),
        may_edit: false,
        client: None,
        expires_at: member.session.expires_at.min(shared.host.now().plus(PICTURE_LIFETIME)),
    };
    let token = shared.host.ports().tokens.seal(&claims, &TokenResource::FileUrl(picture.clone()));
    let url = format!("{}/picture/{picture}/{token}", shared.host.settings().public_url);
    Ok(Json(json!({ "url": url, "name": entry.name.as_str() })).into_response())
}

/// `GET /picture/{file}/{token}`: the bytes behind such an address. No cookie is looked at.
pub(crate) async fn picture(
    State(shared): State<Arc<Shared>>,
    Path((id, token)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let file = FileId::parse(&id).ok_or(Problem::NotFound)?;
    let record = shared.host.file(&file).await.map_err(|_| Problem::NotFound)?;
    let Some(Shown::Image(content_type)) = kinds::shown(&kinds::extension(&record.name)) else {
        return Err(Problem::NotFound);
    };
    let bytes = shared.host.file_by_url(&file, &token, None).await.map_err(|_| Problem::NotFound)?;
    let mut answer = Response::new(axum::body::Body::new(bytes.body));
    let fields = answer.headers_mut();
    fields.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    fields.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(crate::headers::CONTENT_SECURITY_OF_IMAGES));
    // Collabora's browser part fetches it as an image of another site.
    fields.insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("cross-origin"));
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_that_stands_in_a_policy_cannot_add_to_it() {
        for (url, origin) in [
            ("https://office.example/we?x=1", Some("https://office.example")),
            ("http://192.0.2.1:9980/browser/cool.html?", Some("http://192.0.2.1:9980")),
            ("http://[::1]:9980", Some("http://[::1]:9980")),
            ("https://evil.example;script-src * /x", None),
            ("https://a b/x", None),
            ("javascript:alert(1)", None),
            ("https:///x", None),
        ] {
            assert_eq!(origin_of(url), origin, "{url}");
        }
        assert_eq!(trusted_suffix("https://ffc-word-edit.officeapps.live.com"), MICROSOFT_365);
        assert_eq!(trusted_suffix("https://officeapps.live.com.evil.example"), "");
    }

    #[test]
    fn the_family_of_a_client_is_that_of_its_page() {
        for (url, expected) in [
            ("https://c.example/browser/1a2b/cool.html?WOPISrc=x", COLLABORA),
            ("https://c.example/loleaflet/1/loleaflet.html?", COLLABORA),
            ("https://o.example/hosting/wopi/word/edit?x", "onlyoffice"),
            ("https://m.example/we/wordeditorframe.aspx?x=/cool.html", "microsoft"),
        ] {
            assert_eq!(family(url), expected, "{url}");
        }
    }
}
