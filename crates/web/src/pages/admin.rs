//! `/admin/…`: people, groups, office servers, what was refused, how much is stored, and the settings. For administrators.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use lectern_accounts::{PasswordError, password};
use lectern_host::clients::{ClientStatus, ProofStatus};
use lectern_host::desk::{Account, Denied, Desk, NewAccount, Why};
use lectern_host::ports::Tally;
use lectern_host::records::{RefusedRequest, Role};
use lectern_host::sharing::{Group, GroupId};
use lectern_host::wopi::UserId;
use serde::Deserialize;

use super::{Input, see};
use crate::frame::{Frame, Said, page, page_with};
use crate::problem::{Problem, status_of, told};
use crate::settings::{Room, SettingOrigin, SettingValue, SettingsReport};
use crate::site::Shared;
use crate::visitor::Member;

#[derive(Template)]
#[template(path = "admin_people.html")]
pub(super) struct PeoplePage {
    pub(super) p: Frame,
    pub(super) accounts: Vec<AccountRow>,
    pub(super) roles: Vec<RoleChoice>,
    pub(super) password_length_min: usize,
    pub(super) trouble: Option<String>,
}

pub(super) struct AccountRow {
    pub(super) account: Account,
    pub(super) role: String,
    pub(super) is_me: bool,
}

pub(super) struct RoleChoice {
    pub(super) word: &'static str,
    pub(super) text: String,
}

#[derive(Template)]
#[template(path = "admin_groups.html")]
pub(super) struct GroupsPage {
    pub(super) p: Frame,
    pub(super) groups: Vec<GroupRow>,
    /// Names to choose from.
    pub(super) people: Vec<String>,
    pub(super) trouble: Option<String>,
}

pub(super) struct GroupRow {
    pub(super) group: Group,
    pub(super) members: Vec<Account>,
}

#[derive(Template)]
#[template(path = "admin_clients.html")]
pub(super) struct ClientsPage {
    pub(super) p: Frame,
    pub(super) clients: Vec<ClientRow>,
    pub(super) trouble: Option<String>,
}

pub(super) struct ClientRow {
    pub(super) client: ClientStatus,
    pub(super) proof: String,
    pub(super) extensions: String,
}

#[derive(Template)]
#[template(path = "admin_diagnostics.html")]
pub(super) struct DiagnosticsPage {
    pub(super) p: Frame,
    pub(super) files: u64,
    pub(super) refusals: Vec<RefusedRequest>,
}

#[derive(Template)]
#[template(path = "admin_storage.html")]
pub(super) struct StoragePage {
    pub(super) p: Frame,
    pub(super) rows: Vec<StorageRow>,
    pub(super) total: u64,
    pub(super) room: Option<Room>,
}

pub(super) struct StorageRow {
    pub(super) name: String,
    pub(super) hint: String,
    pub(super) tally: Tally,
}

#[derive(Template)]
#[template(path = "admin_settings.html")]
pub(super) struct SettingsPage {
    pub(super) p: Frame,
    pub(super) report: SettingsReport,
}

/// Lets administrators in, and nobody else.
async fn desk<'s>(shared: &'s Shared, member: &Member) -> Result<Desk<'s>, Problem> {
    let desk = shared.host.desk(&member.session.id).await?;
    if desk.person().is_administrator() { Ok(desk) } else { Err(Problem::Denied(Why::NotAllowed)) }
}

/// The message that names a role.
fn role_message(role: Role) -> &'static str {
    match role {
        Role::Administrator => "role-administrator",
        Role::Editor => "role-editor",
        Role::Viewer => "role-viewer",
        Role::Member => "role-member",
    }
}

async fn people_page(
    shared: &Shared,
    member: &Member,
    desk: &Desk<'_>,
    trouble: Option<(StatusCode, String)>,
) -> Result<Response, Problem> {
    let p = member.frame(shared);
    let accounts = desk.accounts().await?.into_iter().map(|account| AccountRow {
        role: p.say(role_message(account.role)),
        is_me: account.id == member.user.id,
        account,
    });
    let accounts = accounts.collect();
    let roles = [Role::Administrator, Role::Editor, Role::Viewer, Role::Member];
    let roles = roles.map(|role| RoleChoice { word: role.as_str(), text: p.say(role_message(role)) }).into();
    let (status, trouble) = split(trouble);
    Ok(page_with(status, &PeoplePage { p, accounts, roles, password_length_min: password::LENGTH_MIN, trouble }))
}

fn split(trouble: Option<(StatusCode, String)>) -> (StatusCode, Option<String>) {
    match trouble {
        Some((status, text)) => (status, Some(text)),
        None => (StatusCode::OK, None),
    }
}

/// What a page says of a "no" about which somebody can do something.
fn trouble(p: &Frame, denied: Denied) -> Result<Option<(StatusCode, String)>, Problem> {
    match Problem::from(denied) {
        Problem::Denied(why) => Ok(Some((status_of(&why), told(&why, p)))),
        other => Err(other),
    }
}

/// `GET /admin/people`
pub(crate) async fn people(State(shared): State<Arc<Shared>>, member: Member) -> Result<Response, Problem> {
    let desk = desk(&shared, &member).await?;
    people_page(&shared, &member, &desk, None).await
}

#[derive(Deserialize)]
pub(crate) struct PersonFields {
    name: String,
    #[serde(default)]
    shown_as: String,
    role: String,
    #[serde(default)]
    password: String,
}

/// `POST /admin/people`
pub(crate) async fn add_person(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Input(fields): Input<PersonFields>,
) -> Result<Response, Problem> {
    let desk = desk(&shared, &member).await?;
    let role = Role::parse(&fields.role).ok_or(Problem::Malformed)?;
    let password = match hashed(&shared, &member, &fields.password).await? {
        Ok(password) => password,
        Err(text) => {
            return people_page(&shared, &member, &desk, Some((StatusCode::UNPROCESSABLE_ENTITY, text))).await;
        }
    };
    let (name, shown_as) = (fields.name.trim().to_owned(), fields.shown_as.trim().to_owned());
    let shown_as = if shown_as.is_empty() { name.clone() } else { shown_as };
    let outcome = desk.add_account(&NewAccount { name, shown_as, role, password }).await.map(drop);
    people_done(&shared, &member, &desk, outcome).await
}

/// A password's hash, nothing for none, or what is wrong with it.
async fn hashed(shared: &Shared, member: &Member, password: &str) -> Result<Result<Option<String>, String>, Problem> {
    if password.is_empty() {
        return Ok(Ok(None));
    }
    let words = member.visitor.words;
    match shared.passwords.hash(password, &*shared.host.ports().random).await {
        Ok(hash) => Ok(Ok(Some(hash))),
        Err(PasswordError::TooShort) => Ok(Err(words.say("password-too-short"))),
        Err(PasswordError::TooLong) => Ok(Err(words.say("password-too-long"))),
        Err(error) => Err(Problem::internal("hashing a password", &error)),
    }
}

async fn people_done(
    shared: &Shared,
    member: &Member,
    desk: &Desk<'_>,
    outcome: Result<(), Denied>,
) -> Result<Response, Problem> {
    match outcome {
        Ok(()) => Ok(see(shared, "/admin/people", Some(Said::Saved))),
        Err(denied) => {
            let trouble = trouble(&member.frame(shared), denied)?;
            people_page(shared, member, desk, trouble).await
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct ChangeFields {
    #[serde(default)]
    role: String,
    #[serde(default)]
    password: String,
}

/// `POST /admin/people/{user}/{change}`: `role`, `disable`, `enable`, `password`, `sessions`.
pub(crate) async fn change_person(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Path((id, change)): Path<(String, String)>,
    Input(fields): Input<ChangeFields>,
) -> Result<Response, Problem> {
    let desk = desk(&shared, &member).await?;
    let user = UserId::parse(&id).ok_or(Problem::NotFound)?;
    let outcome = match change.as_str() {
        "role" => desk.set_role(&user, Role::parse(&fields.role).ok_or(Problem::Malformed)?).await.map(drop),
        "disable" => desk.set_disabled(&user, true).await.map(drop),
        "enable" => desk.set_disabled(&user, false).await.map(drop),
        "sessions" => desk.revoke_sessions(&user).await.map(drop),
        "password" => match hashed(&shared, &member, &fields.password).await? {
            Ok(password) => desk.set_password(&user, password.as_deref()).await.map(drop),
            Err(text) => {
                return people_page(&shared, &member, &desk, Some((StatusCode::UNPROCESSABLE_ENTITY, text))).await;
            }
        },
        _ => return Err(Problem::NotFound),
    };
    people_done(&shared, &member, &desk, outcome).await
}

async fn groups_page(
    shared: &Shared,
    member: &Member,
    desk: &Desk<'_>,
    trouble: Option<(StatusCode, String)>,
) -> Result<Response, Problem> {
    let mut groups = Vec::new();
    for group in desk.groups().await? {
        let members = desk.members(&group.id).await?;
        groups.push(GroupRow { group, members });
    }
    let people = desk.accounts().await?.into_iter().map(|account| account.name).collect();
    let (status, trouble) = split(trouble);
    Ok(page_with(status, &GroupsPage { p: member.frame(shared), groups, people, trouble }))
}

/// `GET /admin/groups`
pub(crate) async fn groups(State(shared): State<Arc<Shared>>, member: Member) -> Result<Response, Problem> {
    let desk = desk(&shared, &member).await?;
    groups_page(&shared, &member, &desk, None).await
}

async fn groups_done(
    shared: &Shared,
    member: &Member,
    desk: &Desk<'_>,
    outcome: Result<(), Denied>,
) -> Result<Response, Problem> {
    match outcome {
        Ok(()) => Ok(see(shared, "/admin/groups", Some(Said::Saved))),
        Err(denied) => {
            let trouble = trouble(&member.frame(shared), denied)?;
            groups_page(shared, member, desk, trouble).await
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct GroupFields {
    #[serde(default)]
    name: String,
}

/// `POST /admin/groups`
pub(crate) async fn add_group(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Input(fields): Input<GroupFields>,
) -> Result<Response, Problem> {
    let desk = desk(&shared, &member).await?;
    let outcome = desk.add_group(&fields.name).await.map(drop);
    groups_done(&shared, &member, &desk, outcome).await
}

/// `POST /admin/groups/{group}/{change}`: `rename`, `remove`, `add` and `take` (a member).
pub(crate) async fn change_group(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Path((id, change)): Path<(String, String)>,
    Input(fields): Input<GroupFields>,
) -> Result<Response, Problem> {
    let desk = desk(&shared, &member).await?;
    let group = GroupId::parse(&id).ok_or(Problem::NotFound)?;
    let outcome = match change.as_str() {
        "rename" => desk.rename_group(&group, &fields.name).await.map(drop),
        "remove" => desk.remove_group(&group).await,
        "add" | "take" => {
            let accounts = desk.accounts().await?;
            let wanted = fields.name.trim().to_lowercase();
            let Some(account) = accounts.into_iter().find(|account| account.name.to_lowercase() == wanted) else {
                let text = member.visitor.words.with("share-nobody", "name", fields.name.trim());
                let trouble = Some((StatusCode::UNPROCESSABLE_ENTITY, text));
                return groups_page(&shared, &member, &desk, trouble).await;
            };
            desk.set_member(&group, &account.id, change == "add").await
        }
        _ => return Err(Problem::NotFound),
    };
    groups_done(&shared, &member, &desk, outcome).await
}

fn clients_page(shared: &Shared, member: &Member, status: StatusCode, trouble: Option<String>) -> Response {
    let p = member.frame(shared);
    let clients = shared.host.ports().clients.status().into_iter().map(|client| ClientRow {
        proof: proof_text(&p, client.proof),
        extensions: client.extensions.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
        client,
    });
    let clients = clients.collect();
    page_with(status, &ClientsPage { p, clients, trouble })
}

fn proof_text(p: &Frame, proof: ProofStatus) -> String {
    p.say(match proof {
        ProofStatus::Required { old_key: false } => "proof-required",
        ProofStatus::Required { old_key: true } => "proof-required-old",
        ProofStatus::SwitchedOff => "proof-switched-off",
        ProofStatus::DoesNotSign => "proof-does-not-sign",
        ProofStatus::NeverSeen => "proof-never-seen",
        ProofStatus::RequiredButNoKey => "proof-no-key",
        ProofStatus::UnusableKey(_) => "proof-unusable",
    })
}

/// `GET /admin/clients`
pub(crate) async fn clients(State(shared): State<Arc<Shared>>, member: Member) -> Result<Response, Problem> {
    desk(&shared, &member).await?;
    Ok(clients_page(&shared, &member, StatusCode::OK, None))
}

#[derive(Deserialize)]
pub(crate) struct ClientFields {
    client: String,
}

/// `POST /admin/clients/try`: fetches the discovery document now.
pub(crate) async fn try_client(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Input(fields): Input<ClientFields>,
) -> Result<Response, Problem> {
    desk(&shared, &member).await?;
    match shared.host.ports().clients.refresh(&fields.client).await {
        Ok(_) => Ok(see(&shared, "/admin/clients", Some(Said::Saved))),
        Err(error) => {
            let text = lectern_host::errors::chain(&error);
            let trouble = member.visitor.words.with("client-failed", "error", text);
            Ok(clients_page(&shared, &member, StatusCode::BAD_GATEWAY, Some(trouble)))
        }
    }
}

/// `GET /admin/diagnostics`
pub(crate) async fn diagnostics(State(shared): State<Arc<Shared>>, member: Member) -> Result<Response, Problem> {
    let desk = desk(&shared, &member).await?;
    let refusals = desk.refusals().await?;
    let files = shared.host.ports().registry.file_count().await;
    let files = files.map_err(|error| Problem::registry("counting files", &error))?;
    Ok(page(&DiagnosticsPage { p: member.frame(&shared), files, refusals }))
}

/// `GET /admin/storage`
pub(crate) async fn storage(State(shared): State<Arc<Shared>>, member: Member) -> Result<Response, Problem> {
    let usage = desk(&shared, &member).await?.usage().await?;
    let room = match shared.disk.clone() {
        // A file system of the network may let one wait.
        Some(disk) => tokio::task::spawn_blocking(move || disk.room()).await.ok().flatten(),
        None => None,
    };
    let p = member.frame(&shared);
    let kinds = [
        ("storage-files", "storage-files-hint", usage.files),
        ("storage-versions", "storage-versions-hint", usage.versions),
        ("storage-deleted", "storage-deleted-hint", usage.deleted),
        ("storage-rescued", "storage-rescued-hint", usage.rescued),
    ];
    let total = kinds.iter().fold(0, |sum: u64, (.., tally)| sum.saturating_add(tally.bytes));
    let rows = kinds.map(|(name, hint, tally)| StorageRow { name: p.say(name), hint: p.say(hint), tally });
    Ok(page(&StoragePage { p, rows: rows.into(), total, room }))
}

/// `GET /admin/settings`
pub(crate) async fn settings(State(shared): State<Arc<Shared>>, member: Member) -> Result<Response, Problem> {
    desk(&shared, &member).await?;
    Ok(page(&SettingsPage { p: member.frame(&shared), report: shared.report.clone() }))
}
