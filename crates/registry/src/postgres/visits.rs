//! Everything that lets one request in, in one statement: the session, its user, the file, the containers it is in, and
//! what is shared of these. Nothing of it is remembered, so what is taken back is gone at the next request, on every node.

use std::sync::Arc;

use lectern_host::access::Right;
use lectern_host::ports::{CONTAINER_DEPTH_MAX, Located, Shares, Visit};
use lectern_host::records::{ContainerRecord, FileRecord, Role, Session, SessionId, Timestamp, User};
use lectern_host::sharing::{Grant, GroupId, Item};
use lectern_host::wopi::{FileId, UserId};

use super::answers::{all, first};
use super::pool::{Answer, Pool};
use crate::containers;
use crate::error::Error;
use crate::fields::Fields;
use crate::files::{self, file_columns};
use crate::people::{session_record, user_record};
use crate::sharing::{link_record, principal_of};
use crate::values::values;

/// The containers that the file `$1` is in, from its own up, and how far up each is. It ends where one is gone, and one
/// beyond what is followed.
macro_rules! above {
    ($file:literal) => {
        concat!(
            "WITH RECURSIVE above (id, parent_id, name, revision, created_at, seen_inode, seen_born_ns, depth) AS (\
             SELECT c.id, c.parent_id, c.name, c.revision, c.created_at, c.seen_inode, c.seen_born_ns, 1::bigint \
             FROM files f JOIN containers c ON c.id = f.container_id WHERE f.id = ",
            $file,
            " UNION ALL \
             SELECT c.id, c.parent_id, c.name, c.revision, c.created_at, c.seen_inode, c.seen_born_ns, a.depth + 1 \
             FROM above a JOIN containers c ON c.id = a.parent_id WHERE a.depth <= 1000) "
        )
    };
}

macro_rules! container_columns {
    () => {
        ", c.id, c.parent_id, c.name, c.revision, c.created_at, c.seen_inode, c.seen_born_ns "
    };
}

/// A row for each container, with the file before it; one without a container if there is none.
const FILE_AND_CONTAINERS: &str = concat!(
    above!("$1"),
    "SELECT ",
    file_columns!(),
    container_columns!(),
    "FROM files f LEFT JOIN above c ON true WHERE f.id = $1 ORDER BY c.depth"
);

macro_rules! session_and_user {
    () => {
        "s.id, s.user_id, s.label, s.created_at, s.expires_at, s.revoked_at, s.guest_link, s.guest_name, \
         u.id, u.name, u.display_name, u.role, u.password, u.disabled, u.user_info, u.revision, u.created_at "
    };
}

const SESSION_AND_USER: &str =
    concat!("SELECT ", session_and_user!(), "FROM sessions s LEFT JOIN users u ON u.id = s.user_id WHERE s.id = $1");

/// `$1` is the session, `$2` the file, `$3` the roles of those of whom nothing that is shared is looked at.
///
/// Again a row for each container, with everything else before it. A grant is one text: the place of its thing (0 is the
/// file, 1 its container, and so on), whom it is to, the right, who gave it and when. None of these has a space in it, and
/// one list costs the database less than one for each column.
const VISIT: &str = concat!(
    above!("$2"),
    "SELECT ",
    session_and_user!(),
    ", l.id, l.item_kind, l.item_id, l.access, l.secret, l.password, l.label, l.made_by, l.created_at, l.expires_at, \
     l.revoked_at, \
     CASE WHEN u.role <> ALL ($3::text[]) THEN \
     ARRAY (SELECT m.group_id FROM members m WHERE m.user_id = u.id ORDER BY m.group_id) END, \
     CASE WHEN u.role <> ALL ($3::text[]) THEN \
     ARRAY (SELECT i.place || ' ' || x.principal_kind || ' ' || x.principal_id || ' ' || x.access || ' ' \
     || x.granted_by || ' ' || x.granted_at \
     FROM (SELECT 0::bigint AS place, 'file' AS kind, f.id AS id \
     UNION ALL SELECT depth, 'container', id FROM above) i \
     JOIN grants x ON x.item_kind = i.kind AND x.item_id = i.id) END, ",
    file_columns!(),
    container_columns!(),
    "FROM sessions s \
     LEFT JOIN users u ON u.id = s.user_id AND s.guest_link IS NULL \
     LEFT JOIN links l ON l.id = s.guest_link \
     LEFT JOIN files f ON f.id = $2 \
     LEFT JOIN above c ON true WHERE s.id = $1 ORDER BY c.depth"
);

// What `above!` says in SQL.
const _: () = assert!(CONTAINER_DEPTH_MAX == 1000);

const SESSION_COLUMNS: usize = 8;
const USER_COLUMNS: usize = 9;
const LINK_COLUMNS: usize = 11;
const LISTS: usize = 2;
const FILE_COLUMNS: usize = 35;
const CONTAINER_COLUMNS: usize = 7;

#[cfg(test)]
pub(crate) const HOT: &[&str] = &[FILE_AND_CONTAINERS, SESSION_AND_USER, VISIT];

pub(crate) async fn file_and_containers(pool: &Pool, id: &FileId) -> Result<(FileRecord, Vec<ContainerRecord>), Error> {
    let answer = pool.read(FILE_AND_CONTAINERS, &values![id.as_str()]).await?;
    let record = first(&answer, files::record)?;
    Ok((record, containers_after(&answer, FILE_COLUMNS)?))
}

pub(crate) async fn session_and_user(pool: &Pool, id: &SessionId) -> Result<(Session, Option<User>), Error> {
    let answer = pool.read(SESSION_AND_USER, &values![&id.0]).await?;
    first(&answer, |fields| Ok((session_record(fields)?, fields.maybe_row(USER_COLUMNS, user_record)?)))
}

pub(crate) async fn visit(pool: &Pool, session: &SessionId, file: Option<&FileId>) -> Result<Visit, Error> {
    let all_powerful: Vec<&str> =
        Role::ALL.into_iter().filter(|role| role.edits_everything()).map(Role::as_str).collect();
    let answer = pool.read(VISIT, &values![&session.0, file.map(FileId::as_str), all_powerful]).await?;
    let columns = SESSION_COLUMNS + USER_COLUMNS + LINK_COLUMNS + LISTS + FILE_COLUMNS;
    let containers = containers_after(&answer, columns)?;
    first(&answer, |fields| {
        let session = session_record(fields)?;
        let user = fields.maybe_row(USER_COLUMNS, user_record)?;
        let link = fields.maybe_row(LINK_COLUMNS, link_record)?;
        let groups: Vec<&str> = fields.list()?;
        let groups = groups.into_iter().map(GroupId::parse).collect::<Option<_>>().ok_or_else(|| fields.invalid())?;
        let grants: Vec<&str> = fields.list()?;
        let mut shares = Shares { groups: Arc::new(groups), grants: Vec::new(), link: link.map(Arc::new) };
        let file = fields.maybe_row(FILE_COLUMNS, files::record)?.map(|record| Located {
            record: Arc::new(record),
            containers: containers.into_iter().map(Arc::new).collect(),
        });
        let looks = session.guest.is_none() && user.as_ref().is_some_and(|user| !user.role.edits_everything());
        if let (Some(located), true) = (&file, looks) {
            shares.grants = by_item(&located.items(), &grants).ok_or_else(|| fields.invalid())?;
        }
        Ok(Visit { session: Arc::new(session), user: user.map(Arc::new), file, shares })
    })
}

/// The containers of rows that have so many columns before them.
fn containers_after(answer: &Answer, columns: usize) -> Result<Vec<ContainerRecord>, Error> {
    let container = |fields: &mut Fields<'_>| {
        fields.skip(columns);
        fields.maybe_row(CONTAINER_COLUMNS, containers::record)
    };
    if answer.rows.len() > CONTAINER_DEPTH_MAX {
        return Err(Error::Refused("the containers of a file are too deep, or go in a circle"));
    }
    Ok(all(answer, container)?.into_iter().flatten().collect())
}

/// The grants on each of these, out of the texts that say which they are on.
fn by_item(items: &[Item], texts: &[&str]) -> Option<Vec<Arc<Vec<Grant>>>> {
    let mut grants: Vec<Vec<Grant>> = items.iter().map(|_| Vec::new()).collect();
    for text in texts {
        let mut words = text.split(' ');
        let place: usize = words.next()?.parse().ok()?;
        grants.get_mut(place)?.push(Grant {
            item: items.get(place)?.clone(),
            to: principal_of(words.next()?, words.next()?)?,
            right: Right::parse(words.next()?)?,
            by: UserId::parse(words.next()?)?,
            at: Timestamp(words.next()?.parse().ok()?),
        });
    }
    Some(grants.into_iter().map(Arc::new).collect())
}
