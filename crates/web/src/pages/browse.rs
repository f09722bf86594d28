//! `/browse/{container}`: what is in a container; new files and containers; search.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use lectern_host::access::Right;
use lectern_host::desk::{Cursor, Denied, Desk, Entry, FileEntry, Order, Step, Why};
use lectern_host::full;
use lectern_host::links::PageMode;
use lectern_host::ports::Sort;
use lectern_host::records::Timestamp;
use lectern_host::wopi::{ContainerId, UserId};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::{Input, see};
use crate::frame::{Frame, Said, page, page_with};
use crate::kinds;
use crate::problem::{Problem, status_of, told};
use crate::site::Shared;
use crate::visitor::{Member, shown_name};

/// How many entries are on a page of a listing.
const ENTRIES_PER_PAGE: usize = 200;

/// What a listing can be asked for.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    sort: String,
    #[serde(default)]
    down: String,
    #[serde(default)]
    after: String,
}

impl Asked {
    fn order(&self) -> Order {
        let sort = SORTS.iter().find(|(word, _)| *word == self.sort).map_or(Sort::Name, |(_, sort)| *sort);
        Order { sort, descending: self.down == "1" }
    }
}

const SORTS: [(&str, Sort); 4] =
    [("name", Sort::Name), ("size", Sort::Size), ("time", Sort::Time), ("kind", Sort::Kind)];

fn word_of(sort: Sort) -> &'static str {
    SORTS.iter().find(|(_, known)| *known == sort).map_or("name", |(word, _)| word)
}

/// A row of a listing.
pub(super) struct Row {
    pub(super) is_container: bool,
    pub(super) name: String,
    pub(super) icon: &'static str,
    /// The extension, for people.
    pub(super) kind: String,
    /// Whether it may be changed.
    pub(super) may_edit: bool,
    /// Where a click leads.
    pub(super) open: String,
    /// Its own page, with all that can be done with it.
    pub(super) details: String,
    pub(super) size: u64,
    pub(super) at: Timestamp,
    pub(super) by: String,
    pub(super) held: bool,
    /// Where it is, for finds: names of the containers above.
    pub(super) way: String,
}

#[derive(Template)]
#[template(path = "browse.html")]
pub(super) struct BrowsePage {
    pub(super) p: Frame,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) is_root: bool,
    pub(super) way: Vec<Step>,
    pub(super) may_edit: bool,
    pub(super) may_share: bool,
    pub(super) rows: Vec<Row>,
    pub(super) headings: Vec<Heading>,
    pub(super) blanks: Vec<BlankRow>,
    pub(super) next: Option<String>,
    pub(super) is_first: bool,
    pub(super) trouble: Option<String>,
}

pub(super) struct Heading {
    /// The message of its text.
    pub(super) text: String,
    pub(super) word: &'static str,
    pub(super) href: String,
    /// `ascending` or `descending`, where the listing is sorted by it.
    pub(super) sorted: Option<&'static str>,
}

pub(super) struct BlankRow {
    pub(super) extension: &'static str,
    pub(super) icon: &'static str,
    pub(super) name: String,
}

#[derive(Template)]
#[template(path = "search.html")]
pub(super) struct SearchPage {
    pub(super) p: Frame,
    pub(super) query: String,
    pub(super) rows: Vec<Row>,
    /// Where it was searched, if not everywhere: what it is called, and the address of the same search everywhere.
    pub(super) below: Option<(String, String)>,
    /// The address of the first page, if this is not it.
    pub(super) first: Option<String>,
    pub(super) next: Option<String>,
    pub(super) cut: bool,
}

#[derive(Template)]
#[template(path = "shared.html")]
pub(super) struct SharedPage {
    pub(super) p: Frame,
    pub(super) rows: Vec<Row>,
}

#[derive(Deserialize)]
pub(crate) struct SearchFields {
    #[serde(default)]
    q: String,
    /// A container; empty for everywhere.
    #[serde(default, rename = "in")]
    within: String,
    #[serde(default)]
    from: usize,
}

#[derive(Deserialize)]
pub(crate) struct NewFields {
    name: String,
    kind: String,
}

#[derive(Deserialize)]
pub(crate) struct NameFields {
    name: String,
}

/// `GET /`: everybody begins at the outermost container.
pub(crate) async fn home(State(shared): State<Arc<Shared>>, member: Member) -> Result<Response, Problem> {
    let desk = shared.host.desk(&member.session.id).await?;
    match desk.root().await {
        Ok(root) => Ok(see(&shared, &path_of(&root.id), None)),
        Err(Denied { why: Why::NotFound, .. }) => Ok(see(&shared, "/shared", None)),
        Err(denied) => Err(denied.into()),
    }
}

/// `GET /shared`: where those begin who see only what was shared with them.
pub(crate) async fn shared_with_me(State(shared): State<Arc<Shared>>, member: Member) -> Result<Response, Problem> {
    let desk = shared.host.desk(&member.session.id).await?;
    let mut names = Names::default();
    let mut rows = Vec::new();
    for (entry, right) in desk.shared_with_me().await? {
        rows.push(names.row(&shared, entry, right >= Right::Edit).await);
    }
    Ok(page(&SharedPage { p: member.frame(&shared), rows }))
}

/// Our path of a container's page.
pub(super) fn path_of(container: &ContainerId) -> String {
    format!("/browse/{container}")
}

/// `GET /browse/{container}` and, because clients were told so, `/browse/{container}/{mode}`
pub(crate) async fn show(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let container = ContainerId::parse(&id).ok_or(Problem::NotFound)?;
    let desk = shared.host.desk(&member.session.id).await?;
    Ok(page(&listing(&shared, &member, &desk, &container, &asked, None).await?))
}

/// `GET /browse/{container}/{mode}`
pub(crate) async fn show_in_mode(
    State(shared): State<Arc<Shared>>,
    _: Member,
    Path((id, mode)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let container = ContainerId::parse(&id).ok_or(Problem::NotFound)?;
    if ![PageMode::View, PageMode::Edit].iter().any(|known| known.as_str() == mode) {
        return Err(Problem::NotFound);
    }
    Ok(Redirect::to(&format!("{}{}", shared.base, path_of(&container))).into_response())
}

async fn listing(
    shared: &Shared,
    member: &Member,
    desk: &Desk<'_>,
    container: &ContainerId,
    asked: &Asked,
    trouble: Option<Denied>,
) -> Result<BrowsePage, Problem> {
    let after = Some(asked.after.as_str()).filter(|after| !after.is_empty()).map(Cursor::parse);
    let after = match after {
        Some(None) => return Err(Problem::NotFound),
        Some(Some(cursor)) => Some(cursor),
        None => None,
    };
    let listing = desk.list(container, asked.order(), after.as_ref(), ENTRIES_PER_PAGE).await?;
    // Below the outermost container everything is.
    let is_everything = listing.way.is_empty() && desk.root().await.is_ok_and(|root| root.id == *container);
    let within = (!is_everything).then(|| (container.to_string(), listing.container.name.to_string()));
    let p = Frame { within, ..member.frame(shared) };
    let may_edit = listing.right >= Right::Edit;
    let mut names = Names::default();
    let mut rows = Vec::with_capacity(listing.entries.len());
    for entry in listing.entries {
        rows.push(names.row(shared, entry, may_edit).await);
    }
    let path = p.url(&path_of(container));
    let query = |order: Order| {
        let down = if order.descending { "&down=1" } else { "" };
        format!("{path}?sort={}{down}", word_of(order.sort))
    };
    let headings = [
        ("column-name", Sort::Name),
        ("column-kind", Sort::Kind),
        ("column-size", Sort::Size),
        ("column-time", Sort::Time),
    ];
    let headings = headings.into_iter().map(|(text, sort)| {
        let is_it = listing.order.sort == sort;
        // What is new or large is looked for first.
        let down_first = matches!(sort, Sort::Time | Sort::Size);
        let descending = if is_it { !listing.order.descending } else { down_first };
        Heading {
            text: p.say(text),
            word: word_of(sort),
            href: query(Order { sort, descending }),
            sorted: is_it.then_some(if listing.order.descending { "descending" } else { "ascending" }),
        }
    });
    let next = listing.next.map(|cursor| {
        format!("{}&after={}", query(listing.order), utf8_percent_encode(&cursor.as_text(), NON_ALPHANUMERIC))
    });
    Ok(BrowsePage {
        id: container.to_string(),
        name: listing.container.name.to_string(),
        is_root: listing.way.is_empty(),
        way: listing.way,
        may_edit,
        may_share: listing.right >= Right::Own,
        rows,
        headings: headings.collect(),
        blanks: shared.blanks.iter().map(|(extension, _)| blank_row(&p, extension)).collect(),
        next,
        is_first: asked.after.is_empty(),
        trouble: trouble.map(|denied| told(&denied.why, &p)),
        p,
    })
}

fn blank_row(p: &Frame, extension: &'static str) -> BlankRow {
    let name = match extension {
        "docx" => p.say("kind-docx"),
        "xlsx" => p.say("kind-xlsx"),
        "pptx" => p.say("kind-pptx"),
        "odt" => p.say("kind-odt"),
        "ods" => p.say("kind-ods"),
        "odp" => p.say("kind-odp"),
        "txt" => p.say("kind-txt"),
        "md" => p.say("kind-md"),
        other => other.to_owned(),
    };
    BlankRow { extension, icon: kinds::icon(extension), name }
}

/// What people are called, each looked up once for a page.
#[derive(Default)]
pub(super) struct Names(BTreeMap<UserId, String>);

impl Names {
    /// What this person is called; nothing if nobody knows.
    pub(super) async fn of(&mut self, shared: &Shared, id: &UserId) -> String {
        if let Some(name) = self.0.get(id) {
            return name.clone();
        }
        let user = shared.host.ports().registry.user(id).await;
        let name = user.map(|user| shown_name(&user).to_owned()).unwrap_or_default();
        self.0.insert(id.clone(), name.clone());
        name
    }

    async fn row(&mut self, shared: &Shared, entry: Entry, may_edit: bool) -> Row {
        match entry {
            Entry::Container(step) => Row {
                is_container: true,
                open: format!("{}{}", shared.base, path_of(&step.id)),
                details: format!("{}{}", shared.base, path_of(&step.id)),
                name: step.name.to_string(),
                icon: "container",
                kind: String::new(),
                may_edit,
                size: 0,
                at: step.created_at,
                by: String::new(),
                held: false,
                way: String::new(),
            },
            Entry::File(file) => {
                let by = match &file.saved_by {
                    Some(id) => self.of(shared, id).await,
                    None => String::new(),
                };
                let extension = kinds::extension(&file.name);
                let mode = if may_edit { PageMode::Edit } else { PageMode::View };
                Row {
                    is_container: false,
                    open: format!("{}/open/{}/{}", shared.base, file.id, mode.as_str()),
                    details: format!("{}/details/{}", shared.base, file.id),
                    icon: kinds::icon(&extension),
                    kind: extension.to_uppercase(),
                    may_edit,
                    size: file.size,
                    at: changed_at(&file),
                    by,
                    held: file.held,
                    name: file.name.to_string(),
                    way: String::new(),
                }
            }
        }
    }
}

/// When a file was changed, to the millisecond.
pub(super) fn changed_at(file: &FileEntry) -> Timestamp {
    Timestamp(file.modified_at.0 / 10_000)
}

/// `GET /search`
pub(crate) async fn search(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Query(fields): Query<SearchFields>,
) -> Result<Response, Problem> {
    let desk = shared.host.desk(&member.session.id).await?;
    let within = match fields.within.as_str() {
        "" => None,
        id => Some(ContainerId::parse(id).ok_or(Problem::NotFound)?),
    };
    let found = desk.search(&fields.q, within.as_ref(), fields.from).await?;
    let mut names = Names::default();
    let mut rows = Vec::with_capacity(found.finds.len());
    for find in found.finds {
        let way: Vec<&str> = find.way.iter().map(|step| step.name.as_str()).collect();
        let way = way.join(" / ");
        rows.push(Row { way, ..names.row(&shared, find.entry, find.right >= Right::Edit).await });
    }
    let within = found.below.map(|below| (below.id.to_string(), below.name.to_string()));
    let p = Frame { searched: fields.q.clone(), within: within.clone(), ..member.frame(&shared) };
    let everywhere = p.url(&format!("/search?q={}", utf8_percent_encode(&fields.q, NON_ALPHANUMERIC)));
    let here = match &within {
        Some((id, _)) => format!("{everywhere}&in={id}"),
        None => everywhere.clone(),
    };
    Ok(page(&SearchPage {
        query: fields.q,
        rows,
        below: within.map(|(_, name)| (name, everywhere)),
        next: found.next.map(|next| format!("{here}&from={next}")),
        first: (fields.from > 0).then_some(here),
        cut: found.cut,
        p,
    }))
}

/// The listing once more, with what was wrong.
pub(super) async fn listing_with(
    shared: &Shared,
    member: &Member,
    desk: &Desk<'_>,
    container: &ContainerId,
    denied: Denied,
) -> Result<Response, Problem> {
    let problem = match Problem::from(denied.clone()) {
        Problem::Denied(why) => why,
        other => return Err(other),
    };
    let page = listing(shared, member, desk, container, &Asked::default(), Some(denied)).await?;
    Ok(page_with(status_of(&problem), &page))
}

/// `POST /browse/{container}/new`: a blank file, which is opened at once.
pub(crate) async fn new_file(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Path(id): Path<String>,
    Input(fields): Input<NewFields>,
) -> Result<Response, Problem> {
    let container = ContainerId::parse(&id).ok_or(Problem::NotFound)?;
    let blank = shared.blanks.iter().find(|(extension, _)| *extension == fields.kind);
    let (extension, bytes) = blank.ok_or(Problem::Malformed)?;
    let desk = shared.host.desk(&member.session.id).await?;
    let name = fields.name.trim();
    let dotted = format!(".{extension}");
    let has_it = name.to_ascii_lowercase().ends_with(&dotted) && name.len() > dotted.len();
    let name = if has_it || name.is_empty() { name.to_owned() } else { format!("{name}{dotted}") };
    match desk.new_file(&container, &name, full(bytes.clone())).await {
        Ok(file) => Ok(see(&shared, &format!("/open/{}/{}", file.id, PageMode::Edit.as_str()), None)),
        Err(denied) => listing_with(&shared, &member, &desk, &container, denied).await,
    }
}

/// `POST /browse/{container}/container`
pub(crate) async fn new_container(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Path(id): Path<String>,
    Input(fields): Input<NameFields>,
) -> Result<Response, Problem> {
    let container = ContainerId::parse(&id).ok_or(Problem::NotFound)?;
    let desk = shared.host.desk(&member.session.id).await?;
    match desk.new_container(&container, &fields.name).await {
        Ok(step) => Ok(see(&shared, &path_of(&step.id), Some(Said::ContainerMade))),
        Err(denied) => listing_with(&shared, &member, &desk, &container, denied).await,
    }
}

/// `POST /browse/{container}/rename`
pub(crate) async fn rename_container(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Path(id): Path<String>,
    Input(fields): Input<NameFields>,
) -> Result<Response, Problem> {
    let container = ContainerId::parse(&id).ok_or(Problem::NotFound)?;
    let desk = shared.host.desk(&member.session.id).await?;
    match desk.rename_container(&container, &fields.name).await {
        Ok(_) => Ok(see(&shared, &path_of(&container), Some(Said::Renamed))),
        Err(denied) => listing_with(&shared, &member, &desk, &container, denied).await,
    }
}

/// `POST /files/{file}/rename`
pub(crate) async fn rename_file(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Path(id): Path<String>,
    Input(fields): Input<NameFields>,
) -> Result<Response, Problem> {
    let file = lectern_host::wopi::FileId::parse(&id).ok_or(Problem::NotFound)?;
    let desk = shared.host.desk(&member.session.id).await?;
    let (entry, _) = desk.file_entry(&file).await?;
    match desk.rename_file(&file, &fields.name).await {
        Ok(entry) => Ok(see(&shared, &path_of(&entry.container), Some(Said::Renamed))),
        Err(denied) => listing_with(&shared, &member, &desk, &entry.container, denied).await,
    }
}
