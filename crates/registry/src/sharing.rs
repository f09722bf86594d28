//! The statements for groups, grants and links.

use lectern_host::access::Right;
use lectern_host::records::{Revision, Timestamp};
use lectern_host::sharing::{Grant, Group, GroupId, Item, Link, LinkId, Principal, SecretHash};
use lectern_host::wopi::UserId;
use rusqlite::{Connection, params, params_from_iter};

use crate::db::prepared;
use crate::error::Error;
use crate::fields::{self, Fields, row};
use crate::names::limit;
use crate::values::{Value, values};

const FILE: &str = "file";
const CONTAINER: &str = "container";
const USER: &str = "user";
pub(crate) const GROUP: &str = "group";

macro_rules! select_grant {
    ($rest:literal) => {
        concat!(
            "SELECT item_kind, item_id, principal_kind, principal_id, access, granted_by, granted_at FROM grants ",
            $rest
        )
    };
}

macro_rules! select_group {
    ($rest:literal) => {
        concat!("SELECT id, name, revision, created_at FROM user_groups ", $rest)
    };
}

macro_rules! select_link {
    ($rest:literal) => {
        concat!(
            "SELECT id, item_kind, item_id, access, secret, password, label, made_by, created_at, expires_at, ",
            "revoked_at FROM links ",
            $rest
        )
    };
}

const GRANTS_ON: &str = select_grant!("WHERE item_kind = $1 AND item_id = $2");
const GRANTS_TO: &str =
    select_grant!("WHERE principal_kind = $1 AND principal_id = $2 ORDER BY granted_at DESC LIMIT $3");
pub(crate) const PUT_GRANT: &str = "INSERT INTO grants (\
     item_kind, item_id, principal_kind, principal_id, access, granted_by, granted_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7) \
     ON CONFLICT (item_kind, item_id, principal_kind, principal_id) DO UPDATE SET \
     access = excluded.access, granted_by = excluded.granted_by, granted_at = excluded.granted_at";
pub(crate) const REMOVE_GRANT: &str = "DELETE FROM grants \
     WHERE item_kind = $1 AND item_id = $2 AND principal_kind = $3 AND principal_id = $4";
const REMOVE_GRANTS_TO: &str = "DELETE FROM grants WHERE principal_kind = $1 AND principal_id = $2";

pub(crate) const GROUP_BY_ID: &str = select_group!("WHERE id = $1");
pub(crate) const GROUP_NAMED: &str = select_group!("WHERE name_key = $1");
pub(crate) const GROUPS: &str = select_group!("ORDER BY name_key");
pub(crate) const ADD_GROUP: &str = "INSERT INTO user_groups (name, name_key, revision, created_at, id) \
     VALUES ($1, $2, $3, $4, $5)";
const UPDATE_GROUP: &str =
    "UPDATE user_groups SET name = $1, name_key = $2, revision = $3, created_at = $4 WHERE id = $5";
const REMOVE_GROUP: &str = "DELETE FROM user_groups WHERE id = $1";
pub(crate) const MEMBERS: &str = "SELECT user_id FROM members WHERE group_id = $1 ORDER BY user_id";
pub(crate) const GROUPS_OF: &str = "SELECT group_id FROM members WHERE user_id = $1 ORDER BY group_id";
const ADD_MEMBER: &str = "INSERT INTO members (group_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
pub(crate) const REMOVE_MEMBER: &str = "DELETE FROM members WHERE group_id = $1 AND user_id = $2";
const REMOVE_MEMBERS: &str = "DELETE FROM members WHERE group_id = $1";

pub(crate) const LINK: &str = select_link!("WHERE id = $1");
pub(crate) const LINK_WITH: &str = select_link!("WHERE secret = $1");
pub(crate) const LINKS_ON: &str =
    select_link!("WHERE item_kind = $1 AND item_id = $2 ORDER BY created_at DESC, id DESC");
pub(crate) const ADD_LINK: &str = "INSERT INTO links (\
     id, item_kind, item_id, access, secret, password, label, made_by, created_at, expires_at, revoked_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING";
pub(crate) const REVOKE_LINK: &str = "UPDATE links SET revoked_at = coalesce(revoked_at, $1) WHERE id = $2";

pub(crate) const PRUNE_GRANTS: &str = "DELETE FROM grants WHERE \
     (item_kind = 'file' AND NOT EXISTS (SELECT 1 FROM files f WHERE f.id = item_id)) OR \
     (item_kind = 'container' AND NOT EXISTS (SELECT 1 FROM containers c WHERE c.id = item_id) \
     AND NOT EXISTS (SELECT 1 FROM bin_containers b WHERE b.container_id = item_id))";
pub(crate) const PRUNE_LINKS: &str = "DELETE FROM links WHERE coalesce(revoked_at, expires_at) < $1 OR \
     (item_kind = 'file' AND NOT EXISTS (SELECT 1 FROM files f WHERE f.id = item_id)) OR \
     (item_kind = 'container' AND NOT EXISTS (SELECT 1 FROM containers c WHERE c.id = item_id) \
     AND NOT EXISTS (SELECT 1 FROM bin_containers b WHERE b.container_id = item_id))";

pub(crate) const OTHERS_SEE: &str =
    "SELECT EXISTS (SELECT 1 FROM users WHERE id <> $1 AND disabled = 0 AND role <> 'member')";

pub(crate) fn item_columns(item: &Item) -> (&'static str, &str) {
    match item {
        Item::File(id) => (FILE, id.as_str()),
        Item::Container(id) => (CONTAINER, id.as_str()),
    }
}

pub(crate) fn principal_columns(principal: &Principal) -> (&'static str, &str) {
    match principal {
        Principal::User(id) => (USER, id.as_str()),
        Principal::Group(id) => (GROUP, id.as_str()),
    }
}

pub(crate) fn item(fields: &mut Fields<'_>) -> fields::Result<Item> {
    match fields.text()? {
        FILE => Ok(Item::File(fields.parsed()?)),
        CONTAINER => Ok(Item::Container(fields.parsed()?)),
        _ => Err(fields.invalid()),
    }
}

fn principal(fields: &mut Fields<'_>) -> fields::Result<Principal> {
    let (kind, id) = (fields.text()?, fields.text()?);
    principal_of(kind, id).ok_or_else(|| fields.invalid())
}

pub(crate) fn principal_of(kind: &str, id: &str) -> Option<Principal> {
    match kind {
        USER => UserId::parse(id).map(Principal::User),
        GROUP => GroupId::parse(id).map(Principal::Group),
        _ => None,
    }
}

fn right(fields: &mut Fields<'_>) -> fields::Result<Right> {
    let text = fields.text()?;
    Right::parse(text).ok_or_else(|| fields.invalid())
}

pub(crate) fn grant(fields: &mut Fields<'_>) -> fields::Result<Grant> {
    Ok(Grant {
        item: item(fields)?,
        to: principal(fields)?,
        right: right(fields)?,
        by: fields.parsed()?,
        at: fields.at()?,
    })
}

pub(crate) fn group_record(fields: &mut Fields<'_>) -> fields::Result<Group> {
    Ok(Group {
        id: fields.parsed()?,
        name: fields.parsed()?,
        revision: Revision(fields.count()?),
        created_at: fields.at()?,
    })
}

pub(crate) fn link_record(fields: &mut Fields<'_>) -> fields::Result<Link> {
    Ok(Link {
        id: fields.parsed()?,
        item: item(fields)?,
        right: right(fields)?,
        secret: fields.bytes()?,
        password: fields.maybe()?,
        label: fields.parsed()?,
        by: fields.parsed()?,
        created_at: fields.at()?,
        expires_at: fields.maybe_at()?,
        revoked_at: fields.maybe_at()?,
    })
}

pub(crate) fn grants_on(connection: &Connection, item: &Item) -> Result<Vec<Grant>, Error> {
    let (kind, id) = item_columns(item);
    Ok(prepared(connection, GRANTS_ON)?.query_map([kind, id], row(grant))?.collect::<Result<_, _>>()?)
}

pub(crate) fn grants_to(connection: &Connection, to: &[Principal], at_most: usize) -> Result<Vec<Grant>, Error> {
    let mut statement = prepared(connection, GRANTS_TO)?;
    let mut grants: Vec<Grant> = Vec::new();
    for principal in to {
        let (kind, id) = principal_columns(principal);
        let found = statement.query_map(params![kind, id, limit(at_most)], row(grant))?;
        for found in found {
            grants.push(found?);
        }
    }
    grants.sort_by_key(|grant| std::cmp::Reverse(grant.at));
    grants.truncate(at_most);
    Ok(grants)
}

pub(crate) fn put_grant(connection: &Connection, grant: &Grant) -> Result<(), Error> {
    prepared(connection, PUT_GRANT)?.execute(params_from_iter(grant_values(grant)))?;
    Ok(())
}

/// The values of all columns.
pub(crate) fn grant_values(grant: &Grant) -> [Value<'_>; 7] {
    let Grant { item, to, right, by, at } = grant;
    let ((item_kind, item), (kind, id)) = (item_columns(item), principal_columns(to));
    values![item_kind, item, kind, id, right.as_str(), by.as_str(), at.0]
}

pub(crate) fn remove_grant(connection: &Connection, item: &Item, to: &Principal) -> Result<(), Error> {
    let ((item_kind, item), (kind, id)) = (item_columns(item), principal_columns(to));
    prepared(connection, REMOVE_GRANT)?.execute([item_kind, item, kind, id])?;
    Ok(())
}

pub(crate) fn groups(connection: &Connection) -> Result<Vec<Group>, Error> {
    Ok(prepared(connection, GROUPS)?.query_map([], row(group_record))?.collect::<Result<_, _>>()?)
}

pub(crate) fn group(connection: &Connection, id: &GroupId) -> Result<Group, Error> {
    Ok(prepared(connection, GROUP_BY_ID)?.query_row([id.as_str()], row(group_record))?)
}

pub(crate) fn group_named(connection: &Connection, name: &str) -> Result<Group, Error> {
    Ok(prepared(connection, GROUP_NAMED)?.query_row([name.to_ascii_lowercase()], row(group_record))?)
}

/// Adds the record as it is, revision included.
pub(crate) fn create_group(connection: &Connection, next: &Group) -> Result<(), Error> {
    if prepared(connection, GROUP_BY_ID)?.exists([next.id.as_str()])? {
        return Err(Error::Conflict);
    }
    write_group(connection, ADD_GROUP, next)
}

/// Replaces the record at revision `seen`.
pub(crate) fn commit_group(connection: &Connection, next: &Group, seen: Revision) -> Result<(), Error> {
    if group(connection, &next.id)?.revision != seen {
        return Err(Error::Conflict);
    }
    write_group(connection, UPDATE_GROUP, next)
}

fn write_group(connection: &Connection, sql: &'static str, next: &Group) -> Result<(), Error> {
    match group_named(connection, &next.name) {
        Ok(other) if other.id != next.id => return Err(Error::NameTaken),
        Ok(_) | Err(Error::NotFound) => {}
        Err(error) => return Err(error),
    }
    prepared(connection, sql)?.execute(params_from_iter(group_values(next)))?;
    Ok(())
}

/// The values of all columns, the id last.
pub(crate) fn group_values(group: &Group) -> [Value<'_>; 5] {
    let Group { id, name, revision, created_at } = group;
    values![name, name.to_ascii_lowercase(), revision.0.cast_signed(), created_at.0, id.as_str()]
}

pub(crate) fn remove_group(connection: &Connection, id: &GroupId, seen: Revision) -> Result<(), Error> {
    if group(connection, id)?.revision != seen {
        return Err(Error::Conflict);
    }
    prepared(connection, REMOVE_GRANTS_TO)?.execute([GROUP, id.as_str()])?;
    prepared(connection, REMOVE_MEMBERS)?.execute([id.as_str()])?;
    prepared(connection, REMOVE_GROUP)?.execute([id.as_str()])?;
    Ok(())
}

pub(crate) fn members(connection: &Connection, group: &GroupId) -> Result<Vec<UserId>, Error> {
    let mut statement = prepared(connection, MEMBERS)?;
    let members = statement.query_map([group.as_str()], row(fields::parsed))?;
    Ok(members.collect::<Result<_, _>>()?)
}

pub(crate) fn groups_of(connection: &Connection, user: &UserId) -> Result<Vec<GroupId>, Error> {
    let mut statement = prepared(connection, GROUPS_OF)?;
    let groups = statement.query_map([user.as_str()], row(fields::parsed))?;
    Ok(groups.collect::<Result<_, _>>()?)
}

pub(crate) fn set_member(
    connection: &Connection,
    group: &GroupId,
    user: &UserId,
    is_member: bool,
) -> Result<(), Error> {
    if !prepared(connection, GROUP_BY_ID)?.exists([group.as_str()])? {
        return Err(Error::NotFound);
    }
    let sql = if is_member { ADD_MEMBER } else { REMOVE_MEMBER };
    prepared(connection, sql)?.execute([group.as_str(), user.as_str()])?;
    Ok(())
}

pub(crate) fn create_link(connection: &Connection, link: &Link) -> Result<(), Error> {
    let added = prepared(connection, ADD_LINK)?.execute(params_from_iter(link_values(link)))?;
    if added == 0 { Err(Error::Conflict) } else { Ok(()) }
}

/// The values of all columns.
pub(crate) fn link_values(link: &Link) -> [Value<'_>; 11] {
    let Link { id, item, right, secret, password, label, by, created_at, expires_at, revoked_at } = link;
    let (item_kind, item) = item_columns(item);
    values![
        id.as_str(),
        item_kind,
        item,
        right.as_str(),
        secret.as_slice(),
        password.as_deref(),
        label,
        by.as_str(),
        created_at.0,
        expires_at.map(|at| at.0),
        revoked_at.map(|at| at.0),
    ]
}

pub(crate) fn link(connection: &Connection, id: &LinkId) -> Result<Link, Error> {
    Ok(prepared(connection, LINK)?.query_row([id.as_str()], row(link_record))?)
}

pub(crate) fn link_with(connection: &Connection, secret: &SecretHash) -> Result<Link, Error> {
    Ok(prepared(connection, LINK_WITH)?.query_row([secret.as_slice()], row(link_record))?)
}

pub(crate) fn links_on(connection: &Connection, item: &Item) -> Result<Vec<Link>, Error> {
    let (kind, id) = item_columns(item);
    Ok(prepared(connection, LINKS_ON)?.query_map([kind, id], row(link_record))?.collect::<Result<_, _>>()?)
}

pub(crate) fn revoke_link(connection: &Connection, id: &LinkId, at: Timestamp) -> Result<(), Error> {
    let revoked = prepared(connection, REVOKE_LINK)?.execute(params![at.0, id.as_str()])?;
    if revoked == 0 { Err(Error::NotFound) } else { Ok(()) }
}

pub(crate) fn prune(connection: &Connection, before: Timestamp) -> Result<u64, Error> {
    let grants = prepared(connection, PRUNE_GRANTS)?.execute([])?;
    let links = prepared(connection, PRUNE_LINKS)?.execute([before.0])?;
    Ok((grants + links) as u64)
}

pub(crate) fn others_see_everything(connection: &Connection, but: &UserId) -> Result<bool, Error> {
    Ok(prepared(connection, OTHERS_SEE)?.query_row([but.as_str()], |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{open_writer, plan};

    #[test]
    fn no_statement_reads_a_whole_table() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_writer(&folder.path().join("lectern.db")).unwrap();
        for sql in [
            GRANTS_ON,
            GRANTS_TO,
            REMOVE_GRANT,
            REMOVE_GRANTS_TO,
            GROUP_BY_ID,
            GROUP_NAMED,
            UPDATE_GROUP,
            REMOVE_GROUP,
            MEMBERS,
            GROUPS_OF,
            REMOVE_MEMBER,
            REMOVE_MEMBERS,
            LINK,
            LINK_WITH,
            REVOKE_LINK,
        ] {
            let plan = plan(&connection, sql);
            assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
        }
    }
}
