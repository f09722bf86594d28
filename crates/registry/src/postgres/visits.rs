//! Everything that lets one request in, in one statement: the session, its user, the file, the containers it is in, and
//! what is shared of these. Nothing of it is remembered, so what is taken back is gone at the next request, on every node.

use std::sync::Arc;

use lectern_host::access::Right;
use lectern_host::ports::{CONTAINER_DEPTH_MAX, Located, Shares, Visit};
use lectern_host::records::{
    ContainerRecord, FileRecord, Fingerprint, Revision, Role, Session, SessionId, Timestamp, User,
};
use lectern_host::sharing::{Grant, GroupId, Item};
use lectern_host::wopi::{ContainerId, FileId, FileName, UserId};

use super::answers::first;
use super::pool::Pool;
use crate::error::Error;
use crate::fields::{self, Fields};
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

/// Six lists, in one order, and where the last of them is.
macro_rules! containers {
    () => {
        "c.ids, c.names, c.revisions, c.times, c.inodes, c.births, c.last_parent"
    };
    (from) => {
        "LEFT JOIN LATERAL (SELECT array_agg(a.id) AS ids, array_agg(a.name) AS names, \
         array_agg(a.revision) AS revisions, array_agg(a.created_at) AS times, array_agg(a.seen_inode) AS inodes, \
         array_agg(a.seen_born_ns) AS births, (array_agg(a.parent_id))[count(*)] AS last_parent \
         FROM (SELECT * FROM above ORDER BY depth) a) c ON true "
    };
}

const FILE_AND_CONTAINERS: &str = concat!(
    above!("$1"),
    "SELECT ",
    file_columns!(),
    ", ",
    containers!(),
    " FROM files f ",
    containers!(from),
    "WHERE f.id = $1"
);

macro_rules! session_and_user {
    () => {
        "s.id, s.user_id, s.label, s.created_at, s.expires_at, s.revoked_at, s.guest_link, s.guest_name, \
         u.id, u.name, u.display_name, u.role, u.password, u.disabled, u.user_info, u.revision, u.created_at "
    };
}

const SESSION_AND_USER: &str =
    concat!("SELECT ", session_and_user!(), "FROM sessions s LEFT JOIN users u ON u.id = s.user_id WHERE s.id = $1");

/// `$1` is the session, `$2` the file, `$3` the roles of those of whom nothing that is shared is looked at. Grants come
/// with the place of their thing: 0 is the file, 1 its container, and so on.
const VISIT: &str = concat!(
    above!("$2"),
    "SELECT ",
    session_and_user!(),
    ", l.id, l.item_kind, l.item_id, l.access, l.secret, l.password, l.label, l.made_by, l.created_at, l.expires_at, \
     l.revoked_at, ",
    "(SELECT array_agg(m.group_id ORDER BY m.group_id) FROM members m \
     WHERE m.user_id = u.id AND u.role <> ALL ($3::text[])), \
     g.places, g.kinds, g.principals, g.rights, g.givers, g.times, ",
    file_columns!(),
    ", ",
    containers!(),
    " FROM sessions s \
     LEFT JOIN users u ON u.id = s.user_id AND s.guest_link IS NULL \
     LEFT JOIN links l ON l.id = s.guest_link \
     LEFT JOIN files f ON f.id = $2 ",
    containers!(from),
    "LEFT JOIN LATERAL (SELECT array_agg(i.place) AS places, array_agg(x.principal_kind) AS kinds, \
     array_agg(x.principal_id) AS principals, array_agg(x.access) AS rights, array_agg(x.granted_by) AS givers, \
     array_agg(x.granted_at) AS times \
     FROM (SELECT 0::bigint AS place, 'file' AS kind, $2::text AS id \
     UNION ALL SELECT depth, 'container', id FROM above) i \
     JOIN grants x ON x.item_kind = i.kind AND x.item_id = i.id \
     WHERE u.role <> ALL ($3::text[])) g ON true \
     WHERE s.id = $1"
);

// What `above!` says in SQL.
const _: () = assert!(CONTAINER_DEPTH_MAX == 1000);

const USER_COLUMNS: usize = 9;
const LINK_COLUMNS: usize = 11;
const FILE_COLUMNS: usize = 35;

#[cfg(test)]
pub(crate) const HOT: &[&str] = &[FILE_AND_CONTAINERS, SESSION_AND_USER, VISIT];

pub(crate) async fn file_and_containers(pool: &Pool, id: &FileId) -> Result<(FileRecord, Vec<ContainerRecord>), Error> {
    let answer = pool.read(FILE_AND_CONTAINERS, &values![id.as_str()]).await?;
    let (record, containers) = first(&answer, |fields| Ok((files::record(fields)?, containers(fields)?)))?;
    Ok((record, not_too_deep(containers)?))
}

pub(crate) async fn session_and_user(pool: &Pool, id: &SessionId) -> Result<(Session, Option<User>), Error> {
    let answer = pool.read(SESSION_AND_USER, &values![&id.0]).await?;
    first(&answer, |fields| Ok((session_record(fields)?, fields.maybe_row(USER_COLUMNS, user_record)?)))
}

pub(crate) async fn visit(pool: &Pool, session: &SessionId, file: Option<&FileId>) -> Result<Visit, Error> {
    let all_powerful: Vec<&str> =
        Role::ALL.into_iter().filter(|role| role.edits_everything()).map(Role::as_str).collect();
    let answer = pool.read(VISIT, &values![&session.0, file.map(FileId::as_str), all_powerful]).await?;
    let (visit, depth) = first(&answer, |fields| {
        let session = session_record(fields)?;
        let user = fields.maybe_row(USER_COLUMNS, user_record)?;
        let link = fields.maybe_row(LINK_COLUMNS, link_record)?;
        let groups = groups(fields)?;
        let grants = GrantLists::read(fields)?;
        let record = fields.maybe_row(FILE_COLUMNS, files::record)?;
        let containers = containers(fields)?;
        let depth = containers.len();
        let file = record.map(|record| Located {
            record: Arc::new(record),
            containers: containers.into_iter().map(Arc::new).collect(),
        });
        let looks = session.guest.is_none() && user.as_ref().is_some_and(|user| !user.role.edits_everything());
        let mut shares = Shares { groups: Arc::new(groups), grants: Vec::new(), link: link.map(Arc::new) };
        if let (Some(located), true) = (&file, looks) {
            shares.grants = grants.by_item(&located.items(), fields)?;
        }
        Ok((Visit { session: Arc::new(session), user: user.map(Arc::new), file, shares }, depth))
    })?;
    if depth > CONTAINER_DEPTH_MAX {
        return Err(too_deep());
    }
    Ok(visit)
}

fn groups(fields: &mut Fields<'_>) -> fields::Result<Vec<GroupId>> {
    let ids: Vec<&str> = fields.list()?;
    ids.into_iter().map(|id| GroupId::parse(id).ok_or_else(|| fields.invalid())).collect()
}

/// The columns of `containers!`.
fn containers(fields: &mut Fields<'_>) -> fields::Result<Vec<ContainerRecord>> {
    let ids: Vec<&str> = fields.list()?;
    let names: Vec<&str> = fields.list()?;
    let revisions: Vec<i64> = fields.list()?;
    let times: Vec<i64> = fields.list()?;
    let inodes: Vec<Option<i64>> = fields.list()?;
    let births: Vec<Option<i64>> = fields.list()?;
    let last_parent: Option<ContainerId> = fields.maybe()?;
    let ids = ids.into_iter().map(|id| ContainerId::parse(id).ok_or_else(|| fields.invalid()));
    let ids: Vec<ContainerId> = ids.collect::<Result<_, _>>()?;
    let parents = ids.iter().skip(1).cloned().map(Some).chain([last_parent]).collect::<Vec<_>>();
    let rows = ids.into_iter().zip(parents).zip(names).zip(revisions).zip(times).zip(inodes).zip(births);
    rows.map(|((((((id, parent), name), revision), at), inode), born_ns)| {
        Ok(ContainerRecord {
            id,
            parent,
            name: FileName::parse(name).map_err(|_| fields.invalid())?,
            revision: Revision(revision.cast_unsigned()),
            created_at: Timestamp(at),
            seen: inode.map(|inode| Fingerprint { inode: inode.cast_unsigned(), born_ns, size: 0, modified_ns: 0 }),
        })
    })
    .collect()
}

fn not_too_deep(containers: Vec<ContainerRecord>) -> Result<Vec<ContainerRecord>, Error> {
    if containers.len() > CONTAINER_DEPTH_MAX { Err(too_deep()) } else { Ok(containers) }
}

fn too_deep() -> Error {
    Error::Refused("the containers of a file are too deep, or go in a circle")
}

/// Grants, a list for each column.
struct GrantLists<'r> {
    places: Vec<i64>,
    kinds: Vec<&'r str>,
    principals: Vec<&'r str>,
    rights: Vec<&'r str>,
    givers: Vec<&'r str>,
    times: Vec<i64>,
}

impl<'r> GrantLists<'r> {
    fn read(fields: &mut Fields<'r>) -> fields::Result<Self> {
        Ok(Self {
            places: fields.list()?,
            kinds: fields.list()?,
            principals: fields.list()?,
            rights: fields.list()?,
            givers: fields.list()?,
            times: fields.list()?,
        })
    }

    /// The grants on each of these, in the order of what they are to.
    fn by_item(self, items: &[Item], fields: &Fields<'_>) -> fields::Result<Vec<Arc<Vec<Grant>>>> {
        let mut grants: Vec<Vec<Grant>> = items.iter().map(|_| Vec::new()).collect();
        let Self { places, kinds, principals, rights, givers, times } = self;
        let rows = places.into_iter().zip(kinds).zip(principals).zip(rights).zip(givers).zip(times);
        for (((((place, kind), principal), right), giver), at) in rows {
            let place = usize::try_from(place).map_err(|_| fields.invalid())?;
            // One that is too deep is an error anyway.
            let (Some(item), Some(grants)) = (items.get(place), grants.get_mut(place)) else { continue };
            grants.push(Grant {
                item: item.clone(),
                to: principal_of(kind, principal).ok_or_else(|| fields.invalid())?,
                right: Right::parse(right).ok_or_else(|| fields.invalid())?,
                by: UserId::parse(giver).ok_or_else(|| fields.invalid())?,
                at: Timestamp(at),
            });
        }
        Ok(grants.into_iter().map(Arc::new).collect())
    }
}
