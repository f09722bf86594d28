//! The statements for groups, grants and links.

use std::sync::Arc;

use lectern_host::records::{Revision, Timestamp};
use lectern_host::sharing::{Grant, Group, GroupId, Item, Link, LinkId, Principal, SecretHash};
use lectern_host::wopi::UserId;

use super::answers::{all, changed, count, first, violated};
use super::pool::Pool;
use super::run::{Outcome, Repeat, uncertain_if};
use crate::error::Error;
use crate::fields::{self, Fields};
use crate::names::limit;
use crate::sharing::{
    ADD_GROUP, ADD_LINK, GROUP_BY_ID, GROUP_NAMED, GROUPS, GROUPS_OF, LINK, LINK_WITH, LINKS_ON, MEMBERS, OTHERS_SEE,
    PRUNE_GRANTS, PRUNE_LINKS, PUT_GRANT, REMOVE_GRANT, REVOKE_LINK, grant, grant_values, group_record, group_values,
    item_columns, link_record, link_values, principal_columns,
};
use crate::values::values;

/// The grants on each of these things, with its place among them.
const GRANTS_ON: &str = "SELECT i.place, \
     g.item_kind, g.item_id, g.principal_kind, g.principal_id, g.access, g.granted_by, g.granted_at \
     FROM unnest($1::text[], $2::text[]) WITH ORDINALITY i (kind, id, place) \
     JOIN grants g ON g.item_kind = i.kind AND g.item_id = i.id \
     ORDER BY i.place, g.principal_kind, g.principal_id";

/// No more than the limit of each principal, because only the latest of all are wanted.
const GRANTS_TO: &str = "SELECT \
     g.item_kind, g.item_id, g.principal_kind, g.principal_id, g.access, g.granted_by, g.granted_at \
     FROM unnest($1::text[], $2::text[]) WITH ORDINALITY p (kind, id, place) \
     CROSS JOIN LATERAL (SELECT * FROM grants x WHERE x.principal_kind = p.kind AND x.principal_id = p.id \
     ORDER BY x.granted_at DESC LIMIT $3) g \
     ORDER BY g.granted_at DESC, p.place LIMIT $3";

const COMMIT_GROUP: &str = "UPDATE user_groups SET name = $1, name_key = $2, revision = $3, created_at = $4 \
     WHERE id = $5 AND revision = $6";

/// Its members go by themselves.
const REMOVE_GROUP: &str = "WITH gone AS (DELETE FROM user_groups WHERE id = $1 AND revision = $2 RETURNING id), \
     g AS (DELETE FROM grants USING gone WHERE principal_kind = 'group' AND principal_id = gone.id) \
     SELECT count(*) FROM gone";

const ADD_MEMBER: &str = "WITH g AS (SELECT id FROM user_groups WHERE id = $1), \
     m AS (INSERT INTO members (group_id, user_id) SELECT id, $2::text FROM g ON CONFLICT DO NOTHING) \
     SELECT count(*) FROM g";

const REMOVE_MEMBER: &str = "WITH g AS (SELECT id FROM user_groups WHERE id = $1), \
     m AS (DELETE FROM members USING g WHERE group_id = g.id AND user_id = $2) \
     SELECT count(*) FROM g";

#[cfg(test)]
pub(crate) const HOT: &[&str] = &[
    GRANTS_ON,
    GRANTS_TO,
    PUT_GRANT,
    REMOVE_GRANT,
    GROUP_BY_ID,
    GROUP_NAMED,
    COMMIT_GROUP,
    REMOVE_GROUP,
    MEMBERS,
    GROUPS_OF,
    ADD_MEMBER,
    REMOVE_MEMBER,
    LINK,
    LINK_WITH,
    LINKS_ON,
    REVOKE_LINK,
];

pub(crate) async fn grants_on(pool: &Pool, items: &[Item]) -> Result<Vec<Arc<Vec<Grant>>>, Error> {
    if items.is_empty() {
        return Ok(Vec::new());
    }
    let (kinds, ids): (Vec<_>, Vec<_>) = items.iter().map(item_columns).unzip();
    let answer = pool.read(GRANTS_ON, &values![kinds, ids]).await?;
    let placed = |fields: &mut Fields<'_>| Ok((fields.count()?, grant(fields)?));
    let mut grants = vec![Vec::new(); items.len()];
    for (place, grant) in all(&answer, placed)? {
        // Counted from 1.
        let place = usize::try_from(place).ok().and_then(|place| place.checked_sub(1));
        if let Some(grants) = place.and_then(|place| grants.get_mut(place)) {
            grants.push(grant);
        }
    }
    Ok(grants.into_iter().map(Arc::new).collect())
}

pub(crate) async fn grants_to(pool: &Pool, to: &[Principal], at_most: usize) -> Result<Vec<Grant>, Error> {
    let (kinds, ids): (Vec<_>, Vec<_>) = to.iter().map(principal_columns).unzip();
    all(&pool.read(GRANTS_TO, &values![kinds, ids, limit(at_most)]).await?, grant)
}

pub(crate) async fn put_grant(pool: &Pool, grant: &Grant) -> Result<(), Error> {
    pool.write(PUT_GRANT, &grant_values(grant)).await?;
    Ok(())
}

pub(crate) async fn remove_grant(pool: &Pool, item: &Item, to: &Principal) -> Result<(), Error> {
    let ((item_kind, item), (kind, id)) = (item_columns(item), principal_columns(to));
    pool.write(REMOVE_GRANT, &values![item_kind, item, kind, id]).await?;
    Ok(())
}

pub(crate) async fn groups(pool: &Pool) -> Result<Vec<Group>, Error> {
    all(&pool.read(GROUPS, &[]).await?, group_record)
}

pub(crate) async fn group(pool: &Pool, id: &GroupId) -> Result<Group, Error> {
    first(&pool.read(GROUP_BY_ID, &values![id.as_str()]).await?, group_record)
}

pub(crate) async fn group_named(pool: &Pool, name: &str) -> Result<Group, Error> {
    first(&pool.read(GROUP_NAMED, &values![name.to_ascii_lowercase()]).await?, group_record)
}

/// Adds the record as it is, revision included.
pub(crate) async fn create_group(pool: &Pool, next: &Group) -> Result<(), Error> {
    let Outcome { result, uncertain } = pool.run(ADD_GROUP, &group_values(next), Repeat::Safely).await;
    match result.map_err(refusal) {
        Ok(_) => Ok(()),
        Err(Error::Conflict) if uncertain => settle_group(pool, next).await,
        Err(error) => Err(uncertain_if(uncertain, error)),
    }
}

/// Replaces the record at revision `seen`.
pub(crate) async fn commit_group(pool: &Pool, next: &Group, seen: Revision) -> Result<(), Error> {
    let mut values = Vec::from(group_values(next));
    values.extend(values![seen.0.cast_signed()]);
    let Outcome { result, uncertain } = pool.run(COMMIT_GROUP, &values, Repeat::Safely).await;
    match result.map_err(refusal) {
        Ok(answer) if answer.changed == 1 => Ok(()),
        Ok(_) if uncertain => settle_group(pool, next).await,
        Ok(_) => group(pool, &next.id).await.and(Err(Error::Conflict)),
        Err(error) => Err(uncertain_if(uncertain, error)),
    }
}

/// Whether an earlier try has done what the last one could not any more.
async fn settle_group(pool: &Pool, next: &Group) -> Result<(), Error> {
    match group(pool, &next.id).await {
        Ok(now) if now == *next => Ok(()),
        Ok(now) if now.revision > next.revision => Err(uncertain_if(true, Error::Conflict)),
        Ok(_) => Err(Error::Conflict),
        Err(error) => Err(uncertain_if(true, error)),
    }
}

/// What a broken constraint means.
fn refusal(error: Error) -> Error {
    match violated(&error) {
        Some("groups_once") => Error::Conflict,
        Some("groups_named") => Error::NameTaken,
        Some("members_group_id_fkey") => Error::NotFound,
        Some(_) | None => error,
    }
}

pub(crate) async fn remove_group(pool: &Pool, id: &GroupId, seen: Revision) -> Result<(), Error> {
    let values = values![id.as_str(), seen.0.cast_signed()];
    let Outcome { result, uncertain } = pool.run(REMOVE_GROUP, &values, Repeat::Safely).await;
    if count(&result.map_err(|error| uncertain_if(uncertain, error))?)? == 1 {
        return Ok(());
    }
    match group(pool, id).await {
        Ok(_) => Err(Error::Conflict),
        Err(Error::NotFound) if uncertain => Ok(()),
        Err(error) => Err(error),
    }
}

pub(crate) async fn members(pool: &Pool, group: &GroupId) -> Result<Vec<UserId>, Error> {
    all(&pool.read(MEMBERS, &values![group.as_str()]).await?, fields::parsed)
}

pub(crate) async fn groups_of(pool: &Pool, user: &UserId) -> Result<Vec<GroupId>, Error> {
    all(&pool.read(GROUPS_OF, &values![user.as_str()]).await?, fields::parsed)
}

pub(crate) async fn set_member(pool: &Pool, group: &GroupId, user: &UserId, is_member: bool) -> Result<(), Error> {
    let sql = if is_member { ADD_MEMBER } else { REMOVE_MEMBER };
    let answer = pool.write(sql, &values![group.as_str(), user.as_str()]).await.map_err(refusal)?;
    if count(&answer)? == 0 { Err(Error::NotFound) } else { Ok(()) }
}

pub(crate) async fn create_link(pool: &Pool, next: &Link) -> Result<(), Error> {
    let Outcome { result, uncertain } = pool.run(ADD_LINK, &link_values(next), Repeat::Safely).await;
    match result {
        Ok(answer) if answer.changed == 1 => Ok(()),
        Ok(_) if uncertain => match link(pool, &next.id).await {
            Ok(now) if now == *next => Ok(()),
            _ => Err(uncertain_if(true, Error::Conflict)),
        },
        Ok(_) => Err(Error::Conflict),
        Err(error) => Err(uncertain_if(uncertain, error)),
    }
}

pub(crate) async fn link(pool: &Pool, id: &LinkId) -> Result<Link, Error> {
    first(&pool.read(LINK, &values![id.as_str()]).await?, link_record)
}

pub(crate) async fn link_with(pool: &Pool, secret: &SecretHash) -> Result<Link, Error> {
    first(&pool.read(LINK_WITH, &values![secret.as_slice()]).await?, link_record)
}

pub(crate) async fn links_on(pool: &Pool, item: &Item) -> Result<Vec<Link>, Error> {
    let (kind, id) = item_columns(item);
    all(&pool.read(LINKS_ON, &values![kind, id]).await?, link_record)
}

pub(crate) async fn revoke_link(pool: &Pool, id: &LinkId, at: Timestamp) -> Result<(), Error> {
    changed(&pool.write_again(REVOKE_LINK, &values![at.0, id.as_str()]).await?, Error::NotFound)
}

pub(crate) async fn prune(pool: &Pool, before: Timestamp) -> Result<u64, Error> {
    let grants = pool.write_again(PRUNE_GRANTS, &[]).await?.changed;
    Ok(grants + pool.write_again(PRUNE_LINKS, &values![before.0]).await?.changed)
}

pub(crate) async fn others_see_everything(pool: &Pool, but: &UserId) -> Result<bool, Error> {
    let answer = pool.read(OTHERS_SEE, &values![but.as_str()]).await?;
    first(&answer, fields::truth)
}
