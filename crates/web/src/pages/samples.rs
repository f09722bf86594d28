//! A sample of every template, in each of the states that look different, and what holds for all of them in every
//! language:
//!
//! | | |
//! |---|---|
//! | each template is here | a new one without a sample fails |
//! | no text is missing | a message or a value that is not there panics in tests (`words`) |
//! | the markup is sound | elements are closed in their order, attributes are quoted and stand once, no id is there twice |
//! | names run nothing | every text that people choose is [`HOSTILE`] here; nothing becomes an element or an attribute |

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use lectern_host::clients::{ClientStatus, ProofStatus};
use lectern_host::desk::{
    Account, Editor, EditorToken, FileEntry, HeldBy, Holder, NameFault, Offer, Rescued, Step, Why,
};
use lectern_host::ports::Tally;
use lectern_host::records::{ContentId, ModifiedAt, RefusedRequest, Revision, Role, Session, SessionId, Timestamp};
use lectern_host::sharing::{Group, GroupId};
use lectern_host::wopi::{ContainerId, FileId, FileName, ItemVersion, UserId};

use super::account::{AccountPage, SessionRow};
use super::admin::{
    AccountRow, ClientRow, ClientsPage, DiagnosticsPage, GroupRow, GroupsPage, PeoplePage, RoleChoice, SettingsPage,
    StoragePage, StorageRow,
};
use super::browse::{BlankRow, BrowsePage, Heading, Row, SearchPage, SharedPage};
use super::details::{DetailsPage, GrantRow, LinkRow, OfferRow, Sharing, SharingPage, VersionRow};
use super::link::LinkPage;
use super::moving::{BinPageView, BinRow, ChoosePage};
use super::open::{EditorPage, NoClientPage, TextPage, ViewerPage};
use super::rescued::RescuedPage;
use super::sign_in::SignInPage;
use super::welcome::WelcomePage;
use crate::frame::{Frame, Said};
use crate::problem::{Problem, ProblemPage, told};
use crate::settings::{Room, SettingOrigin, SettingValue, SettingsReport, SettingsRow, SettingsSection};
use crate::words::{Language, Words};

/// What somebody may be called who wants a page to run something: as an element, out of an attribute, in an entity, in a
/// template's own marks, and the other way round.
const HOSTILE: &str = "\u{202e}<script>x()<\u{2215}script>\" onfocus=\"x()' onload='x() &lt;b> {{ p }} {$name} `";

/// A moment that every calendar has.
const AT: Timestamp = Timestamp(1_772_438_400_000);

fn text() -> String {
    HOSTILE.to_owned()
}

fn some() -> Option<String> {
    Some(text())
}

fn name() -> FileName {
    FileName::parse(HOSTILE).unwrap()
}

fn step() -> Step {
    Step { id: ContainerId::parse("container").unwrap(), name: name(), created_at: AT }
}

fn file() -> FileEntry {
    FileEntry {
        id: FileId::parse("file").unwrap(),
        container: ContainerId::parse("container").unwrap(),
        name: name(),
        size: 1_234_567,
        modified_at: ModifiedAt::from(AT),
        saved_by: None,
        version: ItemVersion(3),
        held: true,
    }
}

fn row(is_container: bool, may_edit: bool) -> Row {
    Row {
        is_container,
        name: text(),
        icon: if is_container { "container" } else { "sheet" },
        kind: text(),
        may_edit,
        open: "/open/file/edit".to_owned(),
        details: "/details/file".to_owned(),
        size: 12,
        at: AT,
        by: if may_edit { text() } else { String::new() },
        held: !is_container,
        way: if may_edit { text() } else { String::new() },
    }
}

fn rows() -> Vec<Row> {
    vec![row(true, true), row(true, false), row(false, true), row(false, false)]
}

fn account(disabled: bool) -> Account {
    Account {
        id: UserId::parse(if disabled { "bob" } else { "ada" }).unwrap(),
        name: text(),
        shown_as: text(),
        role: Role::Member,
        has_password: disabled,
        disabled,
        created_at: AT,
    }
}

fn token() -> EditorToken {
    EditorToken { access_token: "v4.local.token".to_owned(), expires_at: AT, may_edit: true }
}

fn offer(client: &str, edits: bool) -> Offer {
    let action = if edits { "edit" } else { "view" }.to_owned();
    Offer { client: client.to_owned(), app: text(), action, edits }
}

fn offer_row() -> OfferRow {
    OfferRow { href: text(), icon: "eye", text: text() }
}

fn sharing() -> Sharing {
    let grant = |is_group, from| GrantRow { principal: "uada".to_owned(), name: text(), is_group, right: text(), from };
    let link = |edits: bool, from| LinkRow {
        id: "link".to_owned(),
        edits,
        label: if edits { text() } else { String::new() },
        has_password: edits,
        expires_at: edits.then_some(AT),
        from,
    };
    Sharing {
        to: "/share/file/file".to_owned(),
        grants: vec![grant(false, None), grant(true, Some(step()))],
        links: vec![link(true, None), link(false, Some(step()))],
        proposed: vec![text()],
        made: some(),
    }
}

fn no_sharing() -> Sharing {
    Sharing {
        to: "/share/file/file".to_owned(),
        grants: Vec::new(),
        links: Vec::new(),
        proposed: Vec::new(),
        made: None,
    }
}

fn version(number: u64, is_current: bool) -> VersionRow {
    VersionRow {
        version: number.to_string(),
        size: 12,
        at: AT,
        by: text(),
        autosave: !is_current,
        name: text(),
        keep: number == 1,
        is_current,
    }
}

fn settings() -> SettingsReport {
    let row = |value, origin| SettingsRow { name: "setting".to_owned(), value, origin };
    let rows = vec![
        row(SettingValue::Shown(text()), SettingOrigin::Default),
        row(SettingValue::Unset, SettingOrigin::File(text())),
        row(SettingValue::Secret { file: some() }, SettingOrigin::Variable(text())),
        row(SettingValue::Secret { file: None }, SettingOrigin::Flag(text())),
    ];
    SettingsReport { file: some(), sections: vec![SettingsSection { name: text(), about: text(), rows }] }
}

fn client(error: Option<String>, fetched_at: Option<Timestamp>) -> ClientRow {
    let client = ClientStatus {
        name: text(),
        discovery_url: text(),
        fetched_at,
        tried_at: None,
        due_at: AT,
        last_error: error,
        proof: ProofStatus::NeverSeen,
        apps: 1,
        actions: 1,
        skipped_actions: 0,
        extensions: BTreeSet::new(),
    };
    ClientRow { client, proof: text(), extensions: if fetched_at.is_some() { text() } else { String::new() } }
}

fn session(label: &str, is_this: bool) -> SessionRow {
    let session = Session {
        id: SessionId("id".to_owned()),
        user: UserId::parse("ada").unwrap(),
        label: label.to_owned(),
        created_at: AT,
        expires_at: AT,
        revoked_at: None,
        guest: None,
    };
    SessionRow { session, is_this }
}

fn bin_row(is_file: bool) -> BinRow {
    BinRow {
        id: "entry".to_owned(),
        name: text(),
        icon: "file",
        size: is_file.then_some(7),
        from: is_file.then(text),
        at: AT,
        kept_until: AT,
        may_purge: is_file,
    }
}

/// A frame in which everything is told that a frame can tell.
fn frame(language: Language) -> Frame {
    Frame {
        words: Words(language),
        base: "/base".to_owned(),
        signed_in: some(),
        here: text(),
        is_form: true,
        said: Some(Said::Saved),
        searched: text(),
        within: Some(("container".to_owned(), text())),
        administers: true,
        is_guest: false,
    }
}

/// One with nothing to tell.
fn bare(language: Language) -> Frame {
    Frame { signed_in: None, said: None, within: None, administers: false, is_guest: true, ..frame(language) }
}

/// Every template that is a page, by the name of its file, in its states.
fn samples(language: Language) -> Vec<(&'static str, String)> {
    let p = || frame(language);
    let bare = || bare(language);
    let mut all = Vec::new();
    let mut add = |name: &'static str, rendered: askama::Result<String>| all.push((name, rendered.unwrap()));
    let listing = |rows: Vec<Row>, p: Frame, full: bool| BrowsePage {
        p,
        id: "container".to_owned(),
        name: text(),
        is_root: !full,
        way: if full { vec![step(), step()] } else { Vec::new() },
        may_edit: full,
        may_share: full,
        rows,
        headings: ["name", "time"]
            .map(|word| Heading { text: text(), word, href: text(), sorted: (word == "time").then_some("descending") })
            .into(),
        blanks: vec![BlankRow { extension: "docx", icon: "text", name: text() }],
        next: full.then(text),
        is_first: !full,
        trouble: full.then(text),
    };
    add("browse", listing(rows(), p(), true).render());
    add("browse", listing(Vec::new(), bare(), false).render());
    let search = |rows, query: &str, p, full: bool| SearchPage {
        p,
        query: query.to_owned(),
        rows,
        below: full.then(|| (text(), text())),
        first: full.then(text),
        next: None,
        cut: full,
    };
    add("search", search(rows(), HOSTILE, p(), true).render());
    add("search", search(Vec::new(), HOSTILE, p(), true).render());
    add("search", search(Vec::new(), "", bare(), false).render());
    add("shared", SharedPage { p: p(), rows: rows() }.render());
    add("shared", SharedPage { p: p(), rows: Vec::new() }.render());
    let details = |full: bool| DetailsPage {
        p: p(),
        file: file(),
        at: AT,
        by: if full { text() } else { String::new() },
        way: vec![step()],
        may_edit: full,
        may_release: full,
        offers: if full { vec![offer_row(), offer_row()] } else { Vec::new() },
        holders: [some(), None]
            .map(|shown_as| Holder {
                user: UserId::parse("ada").unwrap(),
                client: shown_as.clone(),
                shown_as,
                since: AT,
                expires_at: AT,
                by: HeldBy::Lock,
            })
            .into_iter()
            .take(if full { 2 } else { 0 })
            .collect(),
        current: full.then(|| version(3, true)),
        past: if full { vec![version(2, false), version(1, false)] } else { Vec::new() },
        sharing: full.then(sharing),
        trouble: full.then(text),
    };
    add("details", details(true).render());
    add("details", details(false).render());
    let of_container = |sharing, trouble| SharingPage {
        p: p(),
        id: "container".to_owned(),
        name: text(),
        way: vec![step()],
        sharing,
        trouble,
    };
    add("sharing", of_container(sharing(), some()).render());
    add("sharing", of_container(no_sharing(), None).render());
    let choose = |containers, may_edit, trouble| ChoosePage {
        p: p(),
        title: text(),
        submit: text(),
        here: "/to/move/file/file".to_owned(),
        at: step(),
        way: vec![step()],
        containers,
        may_edit,
        trouble,
    };
    add("choose", choose(vec![step()], true, some()).render());
    add("choose", choose(Vec::new(), false, None).render());
    add(
        "bin",
        BinPageView { p: p(), rows: vec![bin_row(true), bin_row(false)], next: some(), trouble: some() }.render(),
    );
    add("bin", BinPageView { p: p(), rows: Vec::new(), next: None, trouble: None }.render());
    let save = |client| Rescued {
        id: ContentId([7; 16]),
        file: FileId::parse("file").unwrap(),
        file_name: name(),
        client,
        size: 3,
        because: text(),
        at: AT,
        kept_until: AT,
    };
    add("rescued", RescuedPage { p: p(), saves: vec![save(some()), save(None)], trouble: some() }.render());
    add("rescued", RescuedPage { p: p(), saves: Vec::new(), trouble: None }.render());
    for is_microsoft in [true, false] {
        let editor = Editor {
            file: file(),
            wopi_src: text(),
            offer: offer("office", true),
            action_url: text(),
            fav_icon_url: is_microsoft.then(text),
            token: token(),
        };
        let page = EditorPage {
            p: p(),
            editor,
            dark_action_url: text(),
            origin: text(),
            origin_suffix: "",
            family: if is_microsoft { "microsoft" } else { "collabora" },
            is_collabora: !is_microsoft,
            owner_id: "ada".to_owned(),
            user_id: "ada".to_owned(),
            extension: text(),
            container: text(),
            mode: "edit",
            may_edit: is_microsoft,
        };
        add("editor", page.render());
        let viewer = ViewerPage { p: p(), file: file(), container: text(), is_image: is_microsoft, show: text() };
        add("viewer", viewer.render());
        let none = NoClientPage { p: p(), file: file(), container: text(), is_administrator: is_microsoft };
        add("no_client", none.render());
    }
    let user_id = "ada".to_owned();
    add("text", TextPage { p: p(), file: file(), container: text(), token: token(), user_id, bytes_max: 1 }.render());
    let sign_in = |trouble, provider| SignInPage { p: bare(), name: text(), next: text(), trouble, provider };
    add("sign_in", sign_in(some(), Some((text(), text()))).render());
    add("sign_in", sign_in(None, None).render());
    let link =
        |edits, trouble| LinkPage { p: p(), action: text(), name: text(), edits, needs_password: edits, trouble };
    add("link", link(true, some()).render());
    add("link", link(false, None).render());
    let welcome = |trouble| WelcomePage { p: bare(), action: text(), name: text(), password_length_min: 8, trouble };
    add("welcome", welcome(some()).render());
    add("welcome", welcome(None).render());
    let account_page = |has_password, trouble| AccountPage {
        p: p(),
        user_name: text(),
        has_password,
        password_length_min: 8,
        sessions: vec![session(HOSTILE, true), session("", false)],
        trouble,
    };
    add("account", account_page(true, some()).render());
    add("account", account_page(false, None).render());
    let roles =
        || vec![RoleChoice { word: "member", text: text() }, RoleChoice { word: "editor", text: String::new() }];
    let accounts = [true, false].map(|is_me| AccountRow { account: account(!is_me), role: text(), is_me }).into();
    add(
        "admin_people",
        PeoplePage { p: p(), accounts, roles: roles(), password_length_min: 8, trouble: some() }.render(),
    );
    let group = |members| GroupRow {
        group: Group { id: GroupId::parse("group").unwrap(), name: text(), revision: Revision(1), created_at: AT },
        members,
    };
    let groups = vec![group(vec![account(false)]), group(Vec::new())];
    add("admin_groups", GroupsPage { p: p(), groups, people: vec![text()], trouble: some() }.render());
    let clients = vec![client(some(), None), client(None, Some(AT)), client(None, None)];
    add("admin_clients", ClientsPage { p: p(), clients, trouble: some() }.render());
    add("admin_clients", ClientsPage { p: p(), clients: Vec::new(), trouble: None }.render());
    let refusal = |full: bool| RefusedRequest {
        node: if full { HOSTILE.to_owned() } else { String::new() },
        at: AT,
        status: 500,
        operation: if full { text() } else { String::new() },
        because: text(),
        url: text(),
        request_id: text(),
        correlation_id: if full { text() } else { String::new() },
    };
    add(
        "admin_diagnostics",
        DiagnosticsPage { p: p(), files: 7, refusals: vec![refusal(true), refusal(false)] }.render(),
    );
    add("admin_diagnostics", DiagnosticsPage { p: p(), files: 0, refusals: Vec::new() }.render());
    let storage = StorageRow { name: text(), hint: text(), tally: Tally { count: 1, bytes: 2 } };
    let room = Some(Room { free: 1, total: 10 });
    add("admin_storage", StoragePage { p: p(), rows: vec![storage], total: 2, room }.render());
    add("admin_settings", SettingsPage { p: p(), report: settings() }.render());
    add("admin_settings", SettingsPage { p: p(), report: SettingsReport::default() }.render());
    add("problem", ProblemPage { p: p(), title: text(), hint: text() }.render());
    all
}

/// The parts of pages, with the templates that include them.
fn parts() -> BTreeMap<String, Vec<String>> {
    let mut parts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, text) in templates() {
        for mark in ["{% include \"", "{% extends \""] {
            for rest in text.split(mark).skip(1) {
                let part = rest.split(".html\"").next().unwrap();
                parts.entry(part.to_owned()).or_default().push(name.clone());
            }
        }
    }
    parts
}

fn templates() -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/templates");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(path).unwrap()))
        .collect()
}

/// Elements that have no end.
const VOID: [&str; 7] = ["meta", "link", "input", "hr", "img", "br", "use"];

/// What is wrong with markup, as far as our own style of it goes. Returns the attributes that stand in it, too.
fn looked_through(html: &str) -> Result<BTreeSet<String>, String> {
    let mut open: Vec<&str> = Vec::new();
    let (mut ids, mut attributes) = (BTreeSet::new(), BTreeSet::new());
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        let here = || rest[at..].chars().take(80).collect::<String>();
        rest = &rest[at + 1..];
        if rest.starts_with('!') {
            rest = rest.split_once('>').ok_or_else(here)?.1;
            continue;
        }
        let named = |text: &str| text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
        if let Some(closing) = rest.strip_prefix('/') {
            let (name, after) = closing.split_at(named(closing));
            if open.pop() != Some(name) {
                return Err(format!("{name} is closed and not open: {}", here()));
            }
            rest = after.strip_prefix('>').ok_or_else(here)?;
            continue;
        }
        let (name, mut after) = rest.split_at(named(rest));
        if name.is_empty() {
            return Err(format!("no element begins like this: {}", here()));
        }
        let mut own = BTreeSet::new();
        let mut is_empty = VOID.contains(&name);
        loop {
            after = after.trim_start();
            if let Some(behind) = after.strip_prefix("/>") {
                (rest, is_empty) = (behind, true);
                break;
            }
            if let Some(behind) = after.strip_prefix('>') {
                rest = behind;
                break;
            }
            let end = after.find(['=', ' ', '>', '\n', '/']).ok_or_else(here)?;
            let (attribute, behind) = after.split_at(end);
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == 'B';
            if attribute.is_empty() || !attribute.chars().all(plain) || !own.insert(attribute) {
                return Err(format!("{attribute:?} is no attribute, or is there twice: {}", here()));
            }
            attributes.insert(attribute.to_owned());
            after = behind;
            if let Some(value) = behind.strip_prefix("=\"") {
                let (value, behind) = value.split_once('"').ok_or_else(here)?;
                if attribute == "id" && !ids.insert(value) {
                    return Err(format!("the id {value:?} is there twice"));
                }
                if value.trim_start().to_ascii_lowercase().starts_with("javascript:") {
                    return Err(format!("an address that is a script: {}", here()));
                }
                after = behind;
            } else if behind.starts_with('=') {
                return Err(format!("{attribute} has no quotes: {}", here()));
            }
        }
        if !is_empty {
            open.push(name);
        }
    }
    if open.is_empty() { Ok(attributes) } else { Err(format!("never closed: {open:?}")) }
}

#[test]
fn every_template_has_a_sample_or_is_a_part_of_one_that_has() {
    let sampled: BTreeSet<_> = samples(Language::English).into_iter().map(|(name, _)| name).collect();
    let parts = parts();
    for (name, _) in templates() {
        let is_part = parts.contains_key(&name);
        assert_ne!(sampled.contains(name.as_str()), is_part, "{name} needs a sample here, or is a part and needs none");
    }
    for name in sampled {
        assert!(templates().iter().any(|(known, _)| known == name), "there is no template {name}");
    }
}

#[test]
fn every_template_is_sound_and_runs_nothing_in_every_language() {
    for language in Language::ALL {
        for (name, html) in samples(language) {
            let place = || format!("{name} in {language:?}");
            assert!(html.contains(&format!("<html lang=\"{}\"", language.tag())), "{}", place());
            let attributes = looked_through(&html).unwrap_or_else(|wrong| panic!("{}: {wrong}", place()));
            let run: Vec<_> = attributes.iter().filter(|name| name.starts_with("on") || *name == "style").collect();
            assert!(run.is_empty(), "{}: {run:?}", place());
            assert!(!html.contains("<script>"), "{}: a script inside the page", place());
            // What a template would leave of a value that it does not have.
            for leftover in ["{% ", "%}", "Some("] {
                assert!(!html.contains(leftover), "{}: {leftover}", place());
            }
            let own = html.replace("{{ p }}", "").replace("{$name}", "");
            for leftover in ["{{", "}}", "{ $", "{$"] {
                assert!(!own.contains(leftover), "{}: {leftover}", place());
            }
        }
    }
}

/// Every reason for a no, and every problem, has words in every language.
#[test]
fn every_no_is_told_in_every_language() {
    let faults = [
        NameFault::Empty,
        NameFault::TooLong,
        NameFault::Character('<'),
        NameFault::Character('\u{7}'),
        NameFault::Hidden,
        NameFault::Edges,
        NameFault::Reserved,
        NameFault::Refused,
    ];
    let mut whys: Vec<Why> = faults.map(Why::Name).into();
    whys.extend([
        Why::SignedOut,
        Why::NotFound,
        Why::NotAllowed,
        Why::NameTaken { free: Some(name()) },
        Why::NameTaken { free: None },
        Why::Held,
        Why::TooLarge { limit: 1 },
        Why::BrokenOff,
        Why::Range { size: 1 },
        Why::Changed,
        Why::NotEmpty,
        Why::LeftOver { container: name(), names: vec![text()] },
        Why::ContainerGone,
        Why::IntoItself,
        Why::TooDeep,
        Why::TooMany { limit: 1 },
        Why::LastAdministrator,
        Why::Root,
        Why::NoClient,
        Why::Busy,
        Why::Failed,
    ]);
    for language in Language::ALL {
        let mut told_before = BTreeMap::new();
        for why in &whys {
            let text = told(why, &frame(language));
            assert!(text.ends_with('.') && text.len() > 10, "{why:?}: {text}");
            told_before.insert(text, why);
        }
        // The free name is told apart from none, a control character from another one.
        assert!(told_before.len() >= whys.len() - 1, "{told_before:#?}");
        for problem in [
            Problem::NotFound,
            Problem::CrossSite,
            Problem::Malformed,
            Problem::Method,
            Problem::TooLarge,
            Problem::LinkSpent,
            Problem::Provider,
            Problem::Busy,
            Problem::Failed,
        ] {
            assert!(!problem.page(bare(language)).status().is_success());
        }
    }
}

#[test]
fn markup_that_is_not_sound_is_seen() {
    for wrong in [
        "<p>",
        "<p></b>",
        "<p a=b></p>",
        "<p a=\"1\" a=\"2\"></p>",
        "<p id=\"a\"></p><p id=\"a\"></p>",
        "<a href=\"JavaScript:x()\"></a>",
        "a < b",
    ] {
        assert!(looked_through(wrong).is_err(), "{wrong}");
    }
    let attributes = looked_through("<!doctype html><p class=\"a\" hidden>&lt;<br><use href=\"#a\"/></p>").unwrap();
    assert_eq!(attributes.into_iter().collect::<Vec<_>>(), ["class", "hidden", "href"]);
}
