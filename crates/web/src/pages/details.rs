//! `/details/{file}` and `/sharing/{container}`: who has it open, what it was, with whom it is shared.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::header::CONTENT_DISPOSITION;
use http::{HeaderMap, HeaderValue, StatusCode};
use lectern_accounts::PasswordError;
use lectern_host::access::Right;
use lectern_host::desk::{Denied, Desk, FileEntry, History, Holder, NewLink, Offer, SharedWith, Step, Version};
use lectern_host::records::Timestamp;
use lectern_host::sharing::{GroupId, Item, LinkId, Principal};
use lectern_host::wopi::{ContainerId, FileId, ItemVersion, UserId, operation};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::transfer::{attachment, bytes};
use super::{Input, see};
use crate::frame::{Frame, Said, page_with};
use crate::problem::{Problem, status_of, told};
use crate::site::Shared;
use crate::visitor::Member;

#[derive(Template)]
#[template(path = "details.html")]
pub(super) struct DetailsPage {
    pub(super) p: Frame,
    pub(super) file: FileEntry,
    pub(super) at: Timestamp,
    pub(super) by: String,
    pub(super) way: Vec<Step>,
    pub(super) may_edit: bool,
    pub(super) may_release: bool,
    pub(super) offers: Vec<OfferRow>,
    pub(super) holders: Vec<Holder>,
    pub(super) current: Option<VersionRow>,
    pub(super) past: Vec<VersionRow>,
    pub(super) sharing: Option<Sharing>,
    pub(super) trouble: Option<String>,
}

#[derive(Template)]
#[template(path = "sharing.html")]
pub(super) struct SharingPage {
    pub(super) p: Frame,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) way: Vec<Step>,
    pub(super) sharing: Sharing,
    pub(super) trouble: Option<String>,
}

pub(super) struct OfferRow {
    pub(super) href: String,
    pub(super) icon: &'static str,
    pub(super) text: String,
}

pub(super) struct VersionRow {
    pub(super) version: String,
    pub(super) size: u64,
    pub(super) at: Timestamp,
    pub(super) by: String,
    pub(super) autosave: bool,
    pub(super) name: String,
    pub(super) keep: bool,
    pub(super) is_current: bool,
}

/// With whom something is shared, for both pages.
pub(super) struct Sharing {
    /// Where the forms go.
    pub(super) to: String,
    pub(super) grants: Vec<GrantRow>,
    pub(super) links: Vec<LinkRow>,
    /// Names to choose from.
    pub(super) proposed: Vec<String>,
    /// The address of a link that was made just now: it cannot be told again.
    pub(super) made: Option<String>,
}

pub(super) struct GrantRow {
    pub(super) principal: String,
    pub(super) name: String,
    pub(super) is_group: bool,
    pub(super) right: String,
    pub(super) from: Option<Step>,
}

pub(super) struct LinkRow {
    pub(super) id: String,
    pub(super) edits: bool,
    pub(super) label: String,
    pub(super) has_password: bool,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) from: Option<Step>,
}

/// The message that names a right.
fn right_message(right: Right) -> &'static str {
    match right {
        Right::View => "right-view",
        Right::Comment => "right-comment",
        Right::Edit => "right-edit",
        Right::Own => "right-own",
    }
}

/// What a grant's forms call somebody.
fn word_of(principal: &Principal) -> String {
    match principal {
        Principal::User(id) => format!("u{id}"),
        Principal::Group(id) => format!("g{id}"),
    }
}

fn principal(word: &str) -> Option<Principal> {
    match word.split_at_checked(1)? {
        ("u", id) => UserId::parse(id).map(Principal::User),
        ("g", id) => GroupId::parse(id).map(Principal::Group),
        _ => None,
    }
}

/// What a path of ours means.
fn item(kind: &str, id: &str) -> Option<Item> {
    match kind {
        "file" => FileId::parse(id).map(Item::File),
        "container" => ContainerId::parse(id).map(Item::Container),
        _ => None,
    }
}

fn path_of(item: &Item) -> String {
    match item {
        Item::File(id) => format!("/details/{id}"),
        Item::Container(id) => format!("/sharing/{id}"),
    }
}

async fn sharing(p: &Frame, desk: &Desk<'_>, item: &Item, made: Option<String>) -> Result<Sharing, Denied> {
    let SharedWith { grants, links } = desk.shared_with(item).await?;
    let grants = grants.into_iter().map(|grant| GrantRow {
        principal: word_of(&grant.to),
        is_group: matches!(grant.to, Principal::Group(_)),
        name: grant.shown_as,
        right: p.say(right_message(grant.right)),
        from: grant.from,
    });
    let links = links.into_iter().map(|link| LinkRow {
        id: link.id.to_string(),
        edits: link.edits,
        label: link.label,
        has_password: link.has_password,
        expires_at: link.expires_at,
        from: link.from,
    });
    let to = match item {
        Item::File(id) => p.url(&format!("/share/file/{id}")),
        Item::Container(id) => p.url(&format!("/share/container/{id}")),
    };
    let proposed = desk.whom_to_share_with(item, "").await?.into_iter().map(|(_, name)| name).collect();
    Ok(Sharing { to, grants: grants.collect(), links: links.collect(), proposed, made })
}

/// What one can choose between: of each client and app the ways in which a page opens a file. Clients publish many more
/// actions, for other machines and for frames.
fn offer_rows(p: &Frame, file: &FileId, offers: &[Offer]) -> Vec<OfferRow> {
    let mut rows: Vec<OfferRow> = Vec::new();
    for offer in offers {
        let (mode, icon, message) = match offer.action.to_ascii_lowercase().as_str() {
            "edit" => ("edit", "rename", "offer-edit"),
            "view" => ("view", "eye", "offer-view"),
            "convert" => ("convert", "restore", "offer-convert"),
            _ => continue,
        };
        // Some call their apps by the name of a program: `writer`.
        let mut letters = offer.app.chars();
        let app: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
        let href =
            p.url(&format!("/open/{file}/{mode}?client={}", utf8_percent_encode(&offer.client, NON_ALPHANUMERIC)));
        if rows.iter().all(|row| row.href != href) {
            rows.push(OfferRow { href, icon, text: p.with2(message, "app", app, "client", offer.client.as_str()) });
        }
    }
    rows
}

fn row(version: Version, names: &BTreeMap<UserId, String>, is_current: bool) -> VersionRow {
    VersionRow {
        version: version.version.to_string(),
        size: version.size,
        at: Timestamp(version.modified_at.0 / 10_000),
        by: version.saved_by.and_then(|id| names.get(&id).cloned()).unwrap_or_default(),
        autosave: version.autosave,
        name: version.name.unwrap_or_default(),
        keep: version.keep,
        is_current,
    }
}

/// The page of a file or container with what was wrong, or with a link that was made.
async fn about(
    shared: &Shared,
    member: &Member,
    desk: &Desk<'_>,
    item: &Item,
    trouble: Option<Denied>,
    made: Option<String>,
) -> Result<Response, Problem> {
    let p = member.frame(shared);
    let (status, trouble) = match trouble.map(Problem::from) {
        None => (StatusCode::OK, None),
        Some(Problem::Denied(why)) => (status_of(&why), Some(told(&why, &p))),
        Some(other) => return Err(other),
    };
    match item {
        Item::File(id) => details_page(p, desk, id, status, trouble, made).await,
        Item::Container(id) => {
            let listing = desk.list(id, lectern_host::desk::Order::default(), None, 1).await?;
            let sharing = sharing(&p, desk, item, made).await?;
            let name = listing.container.name.to_string();
            Ok(page_with(status, &SharingPage { id: id.to_string(), name, way: listing.way, sharing, trouble, p }))
        }
    }
}

/// Everybody who saved a version.
fn people_of(file: &FileEntry, history: Option<&History>) -> Vec<UserId> {
    let versions = history.into_iter().flat_map(|history| std::iter::once(&history.current).chain(&history.past));
    versions.filter_map(|version| version.saved_by.clone()).chain(file.saved_by.clone()).collect()
}

async fn details_page(
    p: Frame,
    desk: &Desk<'_>,
    id: &FileId,
    status: StatusCode,
    trouble: Option<String>,
    made: Option<String>,
) -> Result<Response, Problem> {
    let (file, right) = desk.file_entry(id).await?;
    let history = if right >= Right::Edit { Some(desk.history(id).await?) } else { None };
    let people = people_of(&file, history.as_ref());
    let names = desk.names_of(&people).await?;
    let (current, past) = match history {
        Some(history) => {
            let past = history.past.into_iter().map(|version| row(version, &names, false));
            (Some(row(history.current, &names, true)), past.collect())
        }
        None => (None, Vec::new()),
    };
    let sharing =
        if right >= Right::Own { Some(sharing(&p, desk, &Item::File(id.clone()), made).await?) } else { None };
    let details = DetailsPage {
        at: super::browse::changed_at(&file),
        by: file.saved_by.as_ref().and_then(|id| names.get(id).cloned()).unwrap_or_default(),
        way: desk.way_to(id).await?,
        may_edit: right >= Right::Edit,
        may_release: right >= Right::Own,
        offers: offer_rows(&p, id, &desk.offers(id).await?),
        holders: desk.holders(id).await?,
        current,
        past,
        sharing,
        trouble,
        file,
        p,
    };
    Ok(page_with(status, &details))
}

/// `GET /details/{file}`
pub(crate) async fn details(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let item = item("file", &id).ok_or(Problem::NotFound)?;
    let desk = shared.host.desk(&member.session.id).await?;
    about(&shared, &member, &desk, &item, None, None).await
}

/// `GET /sharing/{container}`
pub(crate) async fn sharing_of_container(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let item = item("container", &id).ok_or(Problem::NotFound)?;
    let desk = shared.host.desk(&member.session.id).await?;
    about(&shared, &member, &desk, &item, None, None).await
}

#[derive(Deserialize)]
pub(crate) struct VersionFields {
    version: String,
    #[serde(default)]
    name: String,
}

fn version(text: &str) -> Result<ItemVersion, Problem> {
    text.parse().map(ItemVersion).map_err(|_| Problem::Malformed)
}

/// `GET /details/{file}/versions/{version}`
pub(crate) async fn download_version(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Path((id, number)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let file = FileId::parse(&id).ok_or(Problem::NotFound)?;
    let desk = shared.host.desk(&member.session.id).await?;
    let download = desk.open_version(&file, version(&number)?, operation::range(&headers)).await?;
    let name = &download.file.name;
    let disposition = attachment(&format!("{} ({number}){}", name.stem(), name.extension()));
    let mut answer = bytes(download);
    answer.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    answer.headers_mut().insert(CONTENT_DISPOSITION, disposition);
    Ok(answer)
}

/// What becomes of a form about an item: the page again, with what was done or what was wrong.
async fn done(
    shared: &Shared,
    member: &Member,
    desk: &Desk<'_>,
    item: &Item,
    outcome: Result<(), Denied>,
    said: Said,
) -> Result<Response, Problem> {
    match outcome {
        Ok(()) => Ok(see(shared, &path_of(item), Some(said))),
        Err(denied) => about(shared, member, desk, item, Some(denied), None).await,
    }
}

/// `POST /details/{file}/restore`
pub(crate) async fn restore(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Path(id): Path<String>,
    Input(fields): Input<VersionFields>,
) -> Result<Response, Problem> {
    let file = FileId::parse(&id).ok_or(Problem::NotFound)?;
    let desk = shared.host.desk(&member.session.id).await?;
    let outcome = desk.restore_version(&file, version(&fields.version)?).await.map(drop);
    done(&shared, &member, &desk, &Item::File(file), outcome, Said::Restored).await
}

/// `POST /details/{file}/name-version`
pub(crate) async fn name_version(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Path(id): Path<String>,
    Input(fields): Input<VersionFields>,
) -> Result<Response, Problem> {
    let file = FileId::parse(&id).ok_or(Problem::NotFound)?;
    let desk = shared.host.desk(&member.session.id).await?;
    let outcome = desk.name_version(&file, version(&fields.version)?, Some(&fields.name)).await;
    done(&shared, &member, &desk, &Item::File(file), outcome, Said::VersionNamed).await
}

#[derive(Deserialize)]
pub(crate) struct KeepFields {
    version: String,
    keep: String,
}

/// `POST /details/{file}/keep-version`
pub(crate) async fn keep_version(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Path(id): Path<String>,
    Input(fields): Input<KeepFields>,
) -> Result<Response, Problem> {
    let file = FileId::parse(&id).ok_or(Problem::NotFound)?;
    let desk = shared.host.desk(&member.session.id).await?;
    let keep = match fields.keep.as_str() {
        "1" => true,
        "0" => false,
        _ => return Err(Problem::Malformed),
    };
    let outcome = desk.keep_version(&file, version(&fields.version)?, keep).await;
    let said = if keep { Said::VersionKept } else { Said::VersionNotKept };
    done(&shared, &member, &desk, &Item::File(file), outcome, said).await
}

/// `POST /details/{file}/release`
pub(crate) async fn release(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let file = FileId::parse(&id).ok_or(Problem::NotFound)?;
    let desk = shared.host.desk(&member.session.id).await?;
    let outcome = desk.release(&file).await;
    done(&shared, &member, &desk, &Item::File(file), outcome, Said::Released).await
}

#[derive(Deserialize)]
pub(crate) struct ShareFields {
    to: String,
    right: String,
}

/// `POST /share/{kind}/{id}`: with the person or group of this name.
pub(crate) async fn share(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Path((kind, id)): Path<(String, String)>,
    Input(fields): Input<ShareFields>,
) -> Result<Response, Problem> {
    let item = item(&kind, &id).ok_or(Problem::NotFound)?;
    let right = Right::parse(&fields.right).ok_or(Problem::Malformed)?;
    let desk = shared.host.desk(&member.session.id).await?;
    let wanted = fields.to.trim();
    let found = if wanted.is_empty() { Vec::new() } else { desk.whom_to_share_with(&item, wanted).await? };
    let exactly: Vec<_> = found.iter().filter(|(_, name)| name.to_lowercase() == wanted.to_lowercase()).collect();
    let to = match (exactly.as_slice(), found.as_slice()) {
        ([(to, _)], _) | ([], [(to, _)]) => to.clone(),
        _ => {
            let names: Vec<&str> = found.iter().map(|(_, name)| name.as_str()).collect();
            let p = member.frame(&shared);
            let trouble = if names.is_empty() {
                p.with("share-nobody", "name", wanted)
            } else {
                p.with("share-who", "names", names.join(", "))
            };
            return with_trouble(&shared, &member, &desk, &item, trouble).await;
        }
    };
    let outcome = desk.share(&item, &to, right).await;
    done(&shared, &member, &desk, &item, outcome, Said::SharedNow).await
}

/// The page once more, with what only pages can find wrong.
async fn with_trouble(
    shared: &Shared,
    member: &Member,
    desk: &Desk<'_>,
    item: &Item,
    trouble: String,
) -> Result<Response, Problem> {
    let p = member.frame(shared);
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    match item {
        Item::File(id) => details_page(p, desk, id, status, Some(trouble), None).await,
        Item::Container(id) => {
            let listing = desk.list(id, lectern_host::desk::Order::default(), None, 1).await?;
            let (sharing, name) = (sharing(&p, desk, item, None).await?, listing.container.name.to_string());
            let trouble = Some(trouble);
            Ok(page_with(status, &SharingPage { id: id.to_string(), name, way: listing.way, sharing, trouble, p }))
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct UnshareFields {
    to: String,
}

/// `POST /share/{kind}/{id}/end`
pub(crate) async fn unshare(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Path((kind, id)): Path<(String, String)>,
    Input(fields): Input<UnshareFields>,
) -> Result<Response, Problem> {
    let item = item(&kind, &id).ok_or(Problem::NotFound)?;
    let to = principal(&fields.to).ok_or(Problem::Malformed)?;
    let desk = shared.host.desk(&member.session.id).await?;
    let outcome = desk.unshare(&item, &to).await;
    done(&shared, &member, &desk, &item, outcome, Said::SharedNoMore).await
}

#[derive(Deserialize)]
pub(crate) struct LinkFields {
    right: String,
    #[serde(default)]
    label: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    days: String,
}

/// Longest that a link with an end lives, in days.
const LINK_DAYS_MAX: u64 = 3650;

/// `POST /share/{kind}/{id}/link`: the page with the new link, which is shown this once.
pub(crate) async fn new_link(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Path((kind, id)): Path<(String, String)>,
    Input(fields): Input<LinkFields>,
) -> Result<Response, Problem> {
    let item = item(&kind, &id).ok_or(Problem::NotFound)?;
    let edits = match Right::parse(&fields.right) {
        Some(Right::View) => false,
        Some(Right::Edit) => true,
        _ => return Err(Problem::Malformed),
    };
    let expires_at = match fields.days.as_str() {
        "" => None,
        days => {
            let days: u64 =
                days.parse().ok().filter(|days| (1..=LINK_DAYS_MAX).contains(days)).ok_or(Problem::Malformed)?;
            Some(shared.host.now().plus(Duration::from_secs(days * 24 * 60 * 60)))
        }
    };
    let desk = shared.host.desk(&member.session.id).await?;
    let password = match fields.password.as_str() {
        "" => None,
        password => match shared.passwords.hash(password, &*shared.host.ports().random).await {
            Ok(hash) => Some(hash),
            Err(PasswordError::TooShort) => {
                let trouble = member.visitor.words.say("password-too-short");
                return with_trouble(&shared, &member, &desk, &item, trouble).await;
            }
            Err(PasswordError::TooLong) => {
                let trouble = member.visitor.words.say("password-too-long");
                return with_trouble(&shared, &member, &desk, &item, trouble).await;
            }
            Err(error) => return Err(Problem::internal("hashing a password", &error)),
        },
    };
    match desk.new_link(&item, &NewLink { edits, label: fields.label, password, expires_at }).await {
        Ok((_, secret)) => {
            let address = format!("{}/link/{}", shared.host.settings().public_url, secret.0);
            about(&shared, &member, &desk, &item, None, Some(address)).await
        }
        Err(denied) => about(&shared, &member, &desk, &item, Some(denied), None).await,
    }
}

#[derive(Deserialize)]
pub(crate) struct RevokeFields {
    link: String,
}

/// `POST /share/{kind}/{id}/revoke`
pub(crate) async fn revoke_link(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Path((kind, id)): Path<(String, String)>,
    Input(fields): Input<RevokeFields>,
) -> Result<Response, Problem> {
    let item = item(&kind, &id).ok_or(Problem::NotFound)?;
    let link = LinkId::parse(&fields.link).ok_or(Problem::Malformed)?;
    let desk = shared.host.desk(&member.session.id).await?;
    let outcome = desk.revoke_link(&link).await;
    done(&shared, &member, &desk, &item, outcome, Said::LinkRevoked).await
}
