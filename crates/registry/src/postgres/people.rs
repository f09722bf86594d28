//! The statements for users, sessions, and cached discovery documents.

use lectern_host::records::{DiscoveryCache, Revision, Session, SessionId, Timestamp, User};
use lectern_host::wopi::UserId;

use super::answers::{all, changed, first, violated};
use super::pool::Pool;
use super::run::{Outcome, Repeat, uncertain_if};
use crate::error::Error;
use crate::people::{
    ADD_SESSION, ADD_USER, DISCOVERY, PRUNE_SESSIONS, PUT_DISCOVERY, REVOKE_SESSION, SESSION, SESSIONS_OF, USER,
    USER_NAMED, USERS, discovery_cache, session_record, session_values, user_record, user_values,
};
use crate::values::values;

const COMMIT_USER: &str = "UPDATE users SET name = $1, name_key = $2, display_name = $3, role = $4, password = $5, \
     disabled = $6, user_info = $7, revision = $8, created_at = $9 WHERE id = $10 AND revision = $11";

#[cfg(test)]
pub(crate) const HOT: &[&str] =
    &[USER, USER_NAMED, COMMIT_USER, SESSION, SESSIONS_OF, ADD_SESSION, REVOKE_SESSION, PRUNE_SESSIONS, DISCOVERY];

pub(crate) async fn user(pool: &Pool, id: &UserId) -> Result<User, Error> {
    first(&pool.read(USER, &values![id.as_str()]).await?, user_record)
}

pub(crate) async fn user_named(pool: &Pool, name: &str) -> Result<User, Error> {
    first(&pool.read(USER_NAMED, &values![name.to_ascii_lowercase()]).await?, user_record)
}

pub(crate) async fn users(pool: &Pool) -> Result<Vec<User>, Error> {
    all(&pool.read(USERS, &[]).await?, user_record)
}

/// Adds the record as it is, revision included.
pub(crate) async fn create_user(pool: &Pool, next: &User) -> Result<(), Error> {
    let Outcome { result, uncertain } = pool.run(ADD_USER, &user_values(next), Repeat::Safely).await;
    match result.map_err(refusal) {
        Ok(_) => Ok(()),
        Err(Error::Conflict) if uncertain => settle_user(pool, next).await,
        Err(error) => Err(uncertain_if(uncertain, error)),
    }
}

/// Replaces the record at revision `seen`.
pub(crate) async fn commit_user(pool: &Pool, next: &User, seen: Revision) -> Result<(), Error> {
    let mut values = Vec::from(user_values(next));
    values.extend(values![seen.0.cast_signed()]);
    let Outcome { result, uncertain } = pool.run(COMMIT_USER, &values, Repeat::Safely).await;
    match result.map_err(refusal) {
        Ok(answer) if answer.changed == 1 => Ok(()),
        Ok(_) if uncertain => settle_user(pool, next).await,
        Ok(_) => user(pool, &next.id).await.and(Err(Error::Conflict)),
        Err(error) => Err(uncertain_if(uncertain, error)),
    }
}

/// Whether an earlier try has done what the last one could not any more.
async fn settle_user(pool: &Pool, next: &User) -> Result<(), Error> {
    match user(pool, &next.id).await {
        Ok(now) if now == *next => Ok(()),
        Ok(now) if now.revision > next.revision => Err(uncertain_if(true, Error::Conflict)),
        Ok(_) => Err(Error::Conflict),
        Err(error) => Err(uncertain_if(true, error)),
    }
}

/// What a broken constraint means.
fn refusal(error: Error) -> Error {
    match violated(&error) {
        Some("users_once") => Error::Conflict,
        Some("users_named") => Error::NameTaken,
        Some(_) | None => error,
    }
}

pub(crate) async fn session(pool: &Pool, id: &SessionId) -> Result<Session, Error> {
    first(&pool.read(SESSION, &values![&id.0]).await?, session_record)
}

pub(crate) async fn sessions(pool: &Pool, user: &UserId) -> Result<Vec<Session>, Error> {
    all(&pool.read(SESSIONS_OF, &values![user.as_str()]).await?, session_record)
}

pub(crate) async fn create_session(pool: &Pool, next: &Session) -> Result<(), Error> {
    let Outcome { result, uncertain } = pool.run(ADD_SESSION, &session_values(next), Repeat::Safely).await;
    match result {
        Ok(answer) if answer.changed == 1 => Ok(()),
        Ok(_) if uncertain => match session(pool, &next.id).await {
            Ok(now) if now == *next => Ok(()),
            _ => Err(uncertain_if(true, Error::Conflict)),
        },
        Ok(_) => Err(Error::Conflict),
        Err(error) => Err(uncertain_if(uncertain, error)),
    }
}

pub(crate) async fn revoke_session(pool: &Pool, id: &SessionId, at: Timestamp) -> Result<(), Error> {
    changed(&pool.write_again(REVOKE_SESSION, &values![at.0, &id.0]).await?, Error::NotFound)
}

pub(crate) async fn prune_sessions(pool: &Pool, before: Timestamp) -> Result<u64, Error> {
    Ok(pool.write_again(PRUNE_SESSIONS, &values![before.0]).await?.changed)
}

pub(crate) async fn discovery(pool: &Pool, client: &str) -> Result<DiscoveryCache, Error> {
    first(&pool.read(DISCOVERY, &values![client]).await?, discovery_cache)
}

pub(crate) async fn put_discovery(pool: &Pool, cache: &DiscoveryCache) -> Result<(), Error> {
    let DiscoveryCache { client, url, xml, fetched_at } = cache;
    pool.write(PUT_DISCOVERY, &values![client, url, xml, fetched_at.0]).await?;
    Ok(())
}
