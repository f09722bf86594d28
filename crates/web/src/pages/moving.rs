//! Moving, copying and deleting; the bin and the way back.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::StatusCode;
use lectern_host::access::Right;
use lectern_host::desk::{Binned, Denied, Desk, Entry, Order, Step, Why};
use lectern_host::records::Timestamp;
use lectern_host::sharing::{BinId, Item};
use lectern_host::wopi::{ContainerId, FileId};
use serde::Deserialize;

use super::browse::{listing_with, path_of};
use super::{Input, see};
use crate::frame::{Frame, Said, page_with};
use crate::kinds;
use crate::problem::{Problem, status_of, told};
use crate::site::Shared;
use crate::visitor::Member;

/// Most containers that are shown to choose from; those behind them are found by going deeper from another one.
const CHOICES_MAX: usize = 1000;

/// How many entries are on a page of the bin.
const BINNED_PER_PAGE: usize = 200;

/// What is done with something, and where to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum What {
    Move,
    Copy,
    PutBack,
}

impl What {
    fn parse(word: &str) -> Option<Self> {
        [Self::Move, Self::Copy, Self::PutBack].into_iter().find(|what| what.word() == word)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Move => "move",
            Self::Copy => "copy",
            Self::PutBack => "put-back",
        }
    }
}

/// The thing that is to go somewhere.
enum Thing {
    File(FileId),
    Container(ContainerId),
    Binned(BinId),
}

impl Thing {
    fn parse(kind: &str, id: &str) -> Option<Self> {
        match kind {
            "file" => FileId::parse(id).map(Self::File),
            "container" => ContainerId::parse(id).map(Self::Container),
            "binned" => BinId::parse(id).map(Self::Binned),
            _ => None,
        }
    }
}

#[derive(Template)]
#[template(path = "choose.html")]
pub(super) struct ChoosePage {
    pub(super) p: Frame,
    pub(super) title: String,
    pub(super) submit: String,
    /// This page, for going into another container.
    pub(super) here: String,
    pub(super) at: Step,
    pub(super) way: Vec<Step>,
    pub(super) containers: Vec<Step>,
    pub(super) may_edit: bool,
    pub(super) trouble: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct At {
    #[serde(default)]
    at: String,
}

/// `GET /to/{what}/{kind}/{id}?at=…`: where to?
pub(crate) async fn choose(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Path((what, kind, id)): Path<(String, String, String)>,
    Query(at): Query<At>,
) -> Result<Response, Problem> {
    let what = What::parse(&what).ok_or(Problem::NotFound)?;
    let thing = Thing::parse(&kind, &id).ok_or(Problem::NotFound)?;
    let desk = shared.host.desk(&member.session.id).await?;
    let at = if at.at.is_empty() {
        beginning(&desk, &thing).await?
    } else {
        ContainerId::parse(&at.at).ok_or(Problem::NotFound)?
    };
    let here = format!("/to/{}/{kind}/{id}", what.word());
    choose_page(&shared, &member, &desk, what, &here, &at, None).await
}

/// Where choosing begins: where the thing is.
async fn beginning(desk: &Desk<'_>, thing: &Thing) -> Result<ContainerId, Denied> {
    match thing {
        Thing::File(id) => Ok(desk.file_entry(id).await?.0.container),
        Thing::Container(id) => {
            let listing = desk.list(id, Order::default(), None, 1).await?;
            Ok(listing.way.last().map_or_else(|| id.clone(), |step| step.id.clone()))
        }
        Thing::Binned(_) => Ok(desk.root().await?.id),
    }
}

async fn choose_page(
    shared: &Shared,
    member: &Member,
    desk: &Desk<'_>,
    what: What,
    here: &str,
    at: &ContainerId,
    denied: Option<Denied>,
) -> Result<Response, Problem> {
    let p = member.frame(shared);
    let (status, trouble) = match denied.map(Problem::from) {
        None => (StatusCode::OK, None),
        Some(Problem::Denied(why)) => (status_of(&why), Some(told(&why, &p))),
        Some(other) => return Err(other),
    };
    let listing = desk.list(at, Order::default(), None, CHOICES_MAX).await?;
    let containers = listing.entries.into_iter().filter_map(|entry| match entry {
        Entry::Container(step) => Some(step),
        Entry::File(_) => None,
    });
    let (title, submit) = match what {
        What::Move => ("move-title", "move-submit"),
        What::Copy => ("copy-title", "copy-submit"),
        What::PutBack => ("put-back-title", "put-back-submit"),
    };
    let choose = ChoosePage {
        title: p.say(title),
        submit: p.say(submit),
        here: p.url(here),
        at: listing.container,
        way: listing.way,
        containers: containers.collect(),
        may_edit: listing.right >= Right::Edit,
        trouble,
        p,
    };
    Ok(page_with(status, &choose))
}

/// `POST /to/{what}/{kind}/{id}`: there.
pub(crate) async fn go(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Path((what, kind, id)): Path<(String, String, String)>,
    Input(fields): Input<At>,
) -> Result<Response, Problem> {
    let what = What::parse(&what).ok_or(Problem::NotFound)?;
    let thing = Thing::parse(&kind, &id).ok_or(Problem::NotFound)?;
    let to = ContainerId::parse(&fields.at).ok_or(Problem::NotFound)?;
    let desk = shared.host.desk(&member.session.id).await?;
    let outcome = match (what, &thing) {
        (What::Move, Thing::File(file)) => desk.move_file(file, &to).await.map(drop),
        (What::Move, Thing::Container(container)) => desk.move_container(container, &to).await.map(drop),
        (What::Copy, Thing::File(file)) => desk.copy_file(file, &to).await.map(drop),
        (What::Copy, Thing::Container(container)) => desk.copy_container(container, &to).await.map(drop),
        (What::PutBack, Thing::Binned(binned)) => desk.put_back(binned, Some(&to)).await.map(drop),
        _ => return Err(Problem::NotFound),
    };
    match outcome {
        Ok(()) => {
            let said = match what {
                What::Move => Said::Moved,
                What::Copy => Said::Copied,
                What::PutBack => Said::PutBack,
            };
            Ok(see(&shared, &path_of(&to), Some(said)))
        }
        Err(denied) => {
            let here = format!("/to/{}/{kind}/{id}", what.word());
            choose_page(&shared, &member, &desk, what, &here, &to, Some(denied)).await
        }
    }
}

/// `POST /files/{file}/delete`
pub(crate) async fn delete_file(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let file = FileId::parse(&id).ok_or(Problem::NotFound)?;
    let desk = shared.host.desk(&member.session.id).await?;
    let (entry, _) = desk.file_entry(&file).await?;
    match desk.delete_file(&file).await {
        Ok(()) => Ok(see(&shared, &path_of(&entry.container), Some(Said::Deleted))),
        Err(denied) => listing_with(&shared, &member, &desk, &entry.container, denied).await,
    }
}

/// `POST /browse/{container}/delete`
pub(crate) async fn delete_container(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let container = ContainerId::parse(&id).ok_or(Problem::NotFound)?;
    let desk = shared.host.desk(&member.session.id).await?;
    let listing = desk.list(&container, Order::default(), None, 1).await?;
    match desk.delete_container(&container).await {
        Ok(()) => {
            let to = listing.way.last().map_or_else(|| "/".to_owned(), |step| path_of(&step.id));
            Ok(see(&shared, &to, Some(Said::Deleted)))
        }
        Err(denied) => listing_with(&shared, &member, &desk, &container, denied).await,
    }
}

#[derive(Template)]
#[template(path = "bin.html")]
pub(super) struct BinPageView {
    pub(super) p: Frame,
    pub(super) rows: Vec<BinRow>,
    pub(super) next: Option<String>,
    pub(super) trouble: Option<String>,
}

pub(super) struct BinRow {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) icon: &'static str,
    pub(super) size: Option<u64>,
    pub(super) from: Option<String>,
    pub(super) at: Timestamp,
    pub(super) kept_until: Timestamp,
    pub(super) may_purge: bool,
}

impl BinRow {
    fn of(binned: Binned) -> Self {
        let icon = match &binned.item {
            Item::File(_) => kinds::icon(&kinds::extension(&binned.name)),
            Item::Container(_) => "container",
        };
        Self {
            id: binned.id.to_string(),
            name: binned.name.to_string(),
            icon,
            size: binned.size,
            from: binned.container.map(|step| step.name.to_string()),
            at: binned.at,
            kept_until: binned.kept_until,
            may_purge: binned.may_purge,
        }
    }
}

async fn bin_page(
    shared: &Shared,
    member: &Member,
    desk: &Desk<'_>,
    after: Option<&BinId>,
    denied: Option<Denied>,
) -> Result<Response, Problem> {
    let p = member.frame(shared);
    let (status, trouble) = match denied.map(Problem::from) {
        None => (StatusCode::OK, None),
        Some(Problem::Denied(why)) => (status_of(&why), Some(told(&why, &p))),
        Some(other) => return Err(other),
    };
    let bin = desk.bin(after, BINNED_PER_PAGE).await?;
    let rows = bin.entries.into_iter().map(BinRow::of).collect();
    let next = bin.next.map(|next| p.url(&format!("/bin?after={next}")));
    Ok(page_with(status, &BinPageView { p, rows, next, trouble }))
}

#[derive(Deserialize)]
pub(crate) struct After {
    #[serde(default)]
    after: String,
}

/// `GET /bin`
pub(crate) async fn bin(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Query(after): Query<After>,
) -> Result<Response, Problem> {
    let after = match after.after.as_str() {
        "" => None,
        text => Some(BinId::parse(text).ok_or(Problem::NotFound)?),
    };
    let desk = shared.host.desk(&member.session.id).await?;
    bin_page(&shared, &member, &desk, after.as_ref(), None).await
}

#[derive(Deserialize)]
pub(crate) struct BinFields {
    #[serde(default)]
    entry: String,
}

/// `POST /bin/{change}`: `put-back`, `purge`, `empty`.
pub(crate) async fn change_bin(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Path(change): Path<String>,
    Input(fields): Input<BinFields>,
) -> Result<Response, Problem> {
    let desk = shared.host.desk(&member.session.id).await?;
    let entry = || BinId::parse(&fields.entry).ok_or(Problem::Malformed);
    let outcome = match change.as_str() {
        "put-back" => {
            let id = entry()?;
            match desk.put_back(&id, None).await {
                Ok(restored) => return Ok(see(&shared, &path_of(&restored.container), Some(Said::PutBack))),
                // The container it was in is gone: where to, then?
                Err(Denied { why: Why::ContainerGone, .. }) => {
                    return Ok(see(&shared, &format!("/to/{}/binned/{id}", What::PutBack.word()), None));
                }
                Err(denied) => Err(denied),
            }
        }
        "purge" => desk.purge(&entry()?).await,
        "empty" => desk.empty_bin().await.map(drop),
        _ => return Err(Problem::NotFound),
    };
    match outcome {
        Ok(()) => Ok(see(&shared, "/bin", Some(Said::Purged))),
        Err(denied) => bin_page(&shared, &member, &desk, None, Some(denied)).await,
    }
}
