//! The statements for users, sessions, and cached discovery documents.

use lectern_host::records::{DiscoveryCache, Revision, Role, Session, SessionId, Timestamp, User};
use lectern_host::sharing::Guest;
use lectern_host::wopi::UserId;
use rusqlite::{Connection, params, params_from_iter};

use crate::db::prepared;
use crate::error::Error;
use crate::fields::{self, Fields, row};
use crate::values::{Value, values};

macro_rules! select_user {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, display_name, role, password, disabled, user_info, revision, created_at FROM users ",
            $rest
        )
    };
}

macro_rules! select_session {
    ($rest:literal) => {
        concat!(
            "SELECT id, user_id, label, created_at, expires_at, revoked_at, guest_link, guest_name FROM sessions ",
            $rest
        )
    };
}

pub(crate) const USER: &str = select_user!("WHERE id = $1");
pub(crate) const USER_NAMED: &str = select_user!("WHERE name_key = $1");
pub(crate) const USERS: &str = select_user!("ORDER BY name_key");
const USER_ID_OF_NAME: &str = "SELECT id FROM users WHERE name_key = $1";
const USER_REVISION: &str = "SELECT revision FROM users WHERE id = $1";
pub(crate) const ADD_USER: &str = "INSERT INTO users (\
     name, name_key, display_name, role, password, disabled, user_info, revision, created_at, id) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
const UPDATE_USER: &str = "UPDATE users SET name = $1, name_key = $2, display_name = $3, role = $4, password = $5, \
     disabled = $6, user_info = $7, revision = $8, created_at = $9 WHERE id = $10";

pub(crate) const SESSION: &str = select_session!("WHERE id = $1");
pub(crate) const SESSIONS_OF: &str = select_session!("WHERE user_id = $1 ORDER BY created_at DESC, id DESC");
pub(crate) const ADD_SESSION: &str = "INSERT INTO sessions (\
     id, user_id, label, created_at, expires_at, revoked_at, guest_link, guest_name) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";
pub(crate) const REVOKE_SESSION: &str = "UPDATE sessions SET revoked_at = coalesce(revoked_at, $1) WHERE id = $2";
pub(crate) const PRUNE_SESSIONS: &str = "DELETE FROM sessions WHERE expires_at < $1";

pub(crate) const DISCOVERY: &str = "SELECT client, url, xml, fetched_at FROM discovery WHERE client = $1";
pub(crate) const PUT_DISCOVERY: &str = "INSERT INTO discovery (client, url, xml, fetched_at) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (client) DO UPDATE SET url = excluded.url, xml = excluded.xml, fetched_at = excluded.fetched_at";

pub(crate) fn user_record(fields: &mut Fields<'_>) -> fields::Result<User> {
    Ok(User {
        id: fields.parsed()?,
        name: fields.parsed()?,
        display_name: fields.parsed()?,
        role: match Role::parse(fields.text()?) {
            Some(role) => role,
            None => return Err(fields.invalid()),
        },
        password: fields.maybe()?,
        disabled: fields.yes()?,
        user_info: fields.maybe()?,
        revision: Revision(fields.count()?),
        created_at: fields.at()?,
    })
}

pub(crate) fn session_record(fields: &mut Fields<'_>) -> fields::Result<Session> {
    Ok(Session {
        id: SessionId(fields.parsed()?),
        user: fields.parsed()?,
        label: fields.parsed()?,
        created_at: fields.at()?,
        expires_at: fields.at()?,
        revoked_at: fields.maybe_at()?,
        guest: match (fields.maybe()?, fields.maybe()?) {
            (Some(link), Some(name)) => Some(Guest { link, name }),
            (None, None) => None,
            _ => return Err(fields.invalid()),
        },
    })
}

pub(crate) fn discovery_cache(fields: &mut Fields<'_>) -> fields::Result<DiscoveryCache> {
    Ok(DiscoveryCache {
        client: fields.parsed()?,
        url: fields.parsed()?,
        xml: fields.parsed()?,
        fetched_at: fields.at()?,
    })
}

pub(crate) fn user(connection: &Connection, id: &UserId) -> Result<User, Error> {
    Ok(prepared(connection, USER)?.query_row([id.as_str()], row(user_record))?)
}

pub(crate) fn user_named(connection: &Connection, name: &str) -> Result<User, Error> {
    Ok(prepared(connection, USER_NAMED)?.query_row([name.to_ascii_lowercase()], row(user_record))?)
}

pub(crate) fn users(connection: &Connection) -> Result<Vec<User>, Error> {
    Ok(prepared(connection, USERS)?.query_map([], row(user_record))?.collect::<Result<_, _>>()?)
}

/// Adds the record as it is, revision included.
pub(crate) fn create_user(connection: &Connection, user: &User) -> Result<(), Error> {
    if prepared(connection, USER_REVISION)?.exists([user.id.as_str()])? {
        return Err(Error::Conflict);
    }
    name_is_free(connection, user)?;
    write_user(connection, ADD_USER, user)
}

/// Replaces the record at revision `seen`.
pub(crate) fn commit_user(connection: &Connection, next: &User, seen: Revision) -> Result<(), Error> {
    let revision: i64 = prepared(connection, USER_REVISION)?.query_row([next.id.as_str()], |row| row.get(0))?;
    if revision.cast_unsigned() != seen.0 {
        return Err(Error::Conflict);
    }
    name_is_free(connection, next)?;
    write_user(connection, UPDATE_USER, next)
}

fn name_is_free(connection: &Connection, user: &User) -> Result<(), Error> {
    let owner: Result<String, _> =
        prepared(connection, USER_ID_OF_NAME)?.query_row([user.name.to_ascii_lowercase()], |row| row.get(0));
    match owner {
        Ok(owner) if owner != user.id.as_str() => Err(Error::NameTaken),
        Ok(_) | Err(rusqlite::Error::QueryReturnedNoRows) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn write_user(connection: &Connection, sql: &'static str, user: &User) -> Result<(), Error> {
    prepared(connection, sql)?.execute(params_from_iter(user_values(user)))?;
    Ok(())
}

/// The values of all columns, the id last.
pub(crate) fn user_values(user: &User) -> [Value<'_>; 10] {
    let User { id, name, display_name, role, password, disabled, user_info, revision, created_at } = user;
    values![
        name,
        name.to_ascii_lowercase(),
        display_name,
        role.as_str(),
        password.as_deref(),
        *disabled,
        user_info.as_deref(),
        revision.0.cast_signed(),
        created_at.0,
        id.as_str(),
    ]
}

pub(crate) fn session(connection: &Connection, id: &SessionId) -> Result<Session, Error> {
    Ok(prepared(connection, SESSION)?.query_row([&id.0], row(session_record))?)
}

pub(crate) fn sessions(connection: &Connection, user: &UserId) -> Result<Vec<Session>, Error> {
    Ok(prepared(connection, SESSIONS_OF)?.query_map([user.as_str()], row(session_record))?.collect::<Result<_, _>>()?)
}

pub(crate) fn create_session(connection: &Connection, session: &Session) -> Result<(), Error> {
    let added = prepared(connection, ADD_SESSION)?.execute(params_from_iter(session_values(session)))?;
    if added == 0 { Err(Error::Conflict) } else { Ok(()) }
}

/// The values of all columns.
pub(crate) fn session_values(session: &Session) -> [Value<'_>; 8] {
    let Session { id, user, label, created_at, expires_at, revoked_at, guest } = session;
    values![
        &id.0,
        user.as_str(),
        label,
        created_at.0,
        expires_at.0,
        revoked_at.map(|at| at.0),
        guest.as_ref().map(|guest| guest.link.as_str()),
        guest.as_ref().map(|guest| guest.name.as_str()),
    ]
}

pub(crate) fn revoke_session(connection: &Connection, id: &SessionId, at: Timestamp) -> Result<(), Error> {
    let revoked = prepared(connection, REVOKE_SESSION)?.execute(params![at.0, id.0])?;
    if revoked == 0 { Err(Error::NotFound) } else { Ok(()) }
}

pub(crate) fn prune_sessions(connection: &Connection, before: Timestamp) -> Result<u64, Error> {
    Ok(prepared(connection, PRUNE_SESSIONS)?.execute([before.0])? as u64)
}

pub(crate) fn discovery(connection: &Connection, client: &str) -> Result<DiscoveryCache, Error> {
    Ok(prepared(connection, DISCOVERY)?.query_row([client], row(discovery_cache))?)
}

pub(crate) fn put_discovery(connection: &Connection, cache: &DiscoveryCache) -> Result<(), Error> {
    let DiscoveryCache { client, url, xml, fetched_at } = cache;
    prepared(connection, PUT_DISCOVERY)?.execute(params![client, url, xml, fetched_at.0])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{open_writer, plan};

    #[test]
    fn no_statement_reads_a_whole_table() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_writer(&folder.path().join("lectern.db")).unwrap();
        for sql in [USER, USER_NAMED, UPDATE_USER, SESSION, REVOKE_SESSION, PRUNE_SESSIONS, DISCOVERY] {
            let plan = plan(&connection, sql);
            assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
        }
    }
}
