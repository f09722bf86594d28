//! Everything that lets one request in, in one statement: the session, its user, the file, the containers it is in, and
//! what is shared of these. Nothing of it is remembered, so what is taken back is gone at the next request, on every node.
//!
//! For somebody who edits everything nothing that is shared is looked at. Leaving it out of the statement spares the
//! database a quarter of its work, because most of what such a statement costs is to set it up. So there are two, and which
//! is tried first is guessed by what the session was the last time. What the rows say counts: a guess that turns out wrong
//! costs a second statement.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

/// The containers as a list of texts: id, id of the one it is in, revision, time, inode and birth, and the name, which alone
/// may have spaces in it. One list costs the database less than a row for each, or a list for each column.
macro_rules! containers {
    () => {
        ", ARRAY (SELECT concat_ws(' ', a.id, coalesce(a.parent_id, ''), a.revision, a.created_at, \
         coalesce(a.seen_inode::text, ''), coalesce(a.seen_born_ns::text, ''), a.name) FROM above a ORDER BY a.depth) "
    };
}

const FILE_AND_CONTAINERS: &str =
    concat!(above!("$1"), "SELECT ", file_columns!(), containers!(), "FROM files f WHERE f.id = $1");

macro_rules! session_and_user {
    () => {
        "s.id, s.user_id, s.label, s.created_at, s.expires_at, s.revoked_at, s.guest_link, s.guest_name, \
         u.id, u.name, u.display_name, u.role, u.password, u.disabled, u.user_info, u.revision, u.created_at "
    };
}

const SESSION_AND_USER: &str =
    concat!("SELECT ", session_and_user!(), "FROM sessions s LEFT JOIN users u ON u.id = s.user_id WHERE s.id = $1");

/// `$1` is the session, `$2` the file. All there is to know of somebody who edits everything and is no guest.
const VISIT_WITHOUT_SHARES: &str = concat!(
    above!("$2"),
    "SELECT ",
    session_and_user!(),
    ", ",
    file_columns!(),
    containers!(),
    "FROM sessions s \
     LEFT JOIN users u ON u.id = s.user_id AND s.guest_link IS NULL \
     LEFT JOIN files f ON f.id = $2 WHERE s.id = $1"
);

/// The same and what is shared; `$3` the roles of those of whom nothing that is shared is looked at.
///
/// A grant is one text, too: the place of its thing (0 is the file, 1 its container, and so on), whom it is to, the right,
/// who gave it and when.
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
    containers!(),
    "FROM sessions s \
     LEFT JOIN users u ON u.id = s.user_id AND s.guest_link IS NULL \
     LEFT JOIN links l ON l.id = s.guest_link \
     LEFT JOIN files f ON f.id = $2 WHERE s.id = $1"
);

// What `above!` says in SQL.
const _: () = assert!(CONTAINER_DEPTH_MAX == 1000);

const USER_COLUMNS: usize = 9;
const LINK_COLUMNS: usize = 11;
const FILE_COLUMNS: usize = 35;

#[cfg(test)]
pub(crate) const HOT: &[&str] = &[FILE_AND_CONTAINERS, SESSION_AND_USER, VISIT_WITHOUT_SHARES, VISIT];

/// Sessions of whom was seen that what is shared has to be looked at. Only the order of statements hangs on it.
pub(crate) struct Sharers {
    keys: RandomState,
    /// Hashes: two sessions that have the same one do no harm.
    sessions: Mutex<HashSet<u64>>,
}

/// How many are remembered; when there are more, all are forgotten.
const SHARERS_MAX: usize = 8192;

impl Sharers {
    pub(crate) fn new() -> Self {
        Self { keys: RandomState::new(), sessions: Mutex::default() }
    }

    fn has(&self, session: &SessionId) -> bool {
        self.sessions().contains(&self.keys.hash_one(&session.0))
    }

    fn put(&self, session: &SessionId, is_one: bool) {
        let (hash, mut sessions) = (self.keys.hash_one(&session.0), self.sessions());
        if !is_one {
            sessions.remove(&hash);
            return;
        }
        if sessions.len() >= SHARERS_MAX {
            sessions.clear();
        }
        sessions.insert(hash);
    }

    fn sessions(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) async fn file_and_containers(pool: &Pool, id: &FileId) -> Result<(FileRecord, Vec<ContainerRecord>), Error> {
    let answer = pool.read(FILE_AND_CONTAINERS, &values![id.as_str()]).await?;
    let (record, containers) = first(&answer, |fields| Ok((files::record(fields)?, containers(fields)?)))?;
    Ok((record, not_too_deep(containers)?))
}

pub(crate) async fn session_and_user(pool: &Pool, id: &SessionId) -> Result<(Session, Option<User>), Error> {
    let answer = pool.read(SESSION_AND_USER, &values![&id.0]).await?;
    first(&answer, |fields| Ok((session_record(fields)?, fields.maybe_row(USER_COLUMNS, user_record)?)))
}

pub(crate) async fn visit(
    pool: &Pool,
    sharers: &Sharers,
    session: &SessionId,
    file: Option<&FileId>,
) -> Result<Visit, Error> {
    let id = file.map(FileId::as_str);
    let was_one = sharers.has(session);
    if !was_one {
        let answer = pool.read(VISIT_WITHOUT_SHARES, &values![&session.0, id]).await?;
        let (visit, deep) = first(&answer, |fields| {
            let session = session_record(fields)?;
            let user = fields.maybe_row(USER_COLUMNS, user_record)?;
            located(fields, session, user, Shares::default(), &[])
        })?;
        if !looks_at_shares(&visit.session, visit.user.as_deref()) {
            return if deep { Err(too_deep()) } else { Ok(visit) };
        }
    }
    let all_powerful: Vec<&str> =
        Role::ALL.into_iter().filter(|role| role.edits_everything()).map(Role::as_str).collect();
    let answer = pool.read(VISIT, &values![&session.0, id, all_powerful]).await?;
    let (visit, deep) = first(&answer, |fields| {
        let session = session_record(fields)?;
        let user = fields.maybe_row(USER_COLUMNS, user_record)?;
        let link = fields.maybe_row(LINK_COLUMNS, link_record)?;
        let groups: Vec<&str> = fields.list()?;
        let groups = groups.into_iter().map(GroupId::parse).collect::<Option<_>>().ok_or_else(|| fields.invalid())?;
        let grants: Vec<&str> = fields.list()?;
        let shares = Shares { groups: Arc::new(groups), grants: Vec::new(), link: link.map(Arc::new) };
        located(fields, session, user, shares, &grants)
    })?;
    let is_one = looks_at_shares(&visit.session, visit.user.as_deref());
    if is_one != was_one {
        sharers.put(session, is_one);
    }
    if deep { Err(too_deep()) } else { Ok(visit) }
}

/// Whether anything that is shared decides about what they may do.
fn looks_at_shares(session: &Session, user: Option<&User>) -> bool {
    session.guest.is_some() || user.is_some_and(|user| !user.role.edits_everything())
}

/// The rest of a visit, which is the file, and whether the containers above it are too many.
fn located(
    fields: &mut Fields<'_>,
    session: Session,
    user: Option<User>,
    mut shares: Shares,
    grants: &[&str],
) -> fields::Result<(Visit, bool)> {
    let record = fields.maybe_row(FILE_COLUMNS, files::record)?;
    let containers = containers(fields)?;
    let deep = containers.len() > CONTAINER_DEPTH_MAX;
    let file = record
        .map(|record| Located { record: Arc::new(record), containers: containers.into_iter().map(Arc::new).collect() });
    let looks = session.guest.is_none() && user.as_ref().is_some_and(|user| !user.role.edits_everything());
    if let (Some(located), true) = (&file, looks) {
        shares.grants = by_item(&located.items(), grants).ok_or_else(|| fields.invalid())?;
    }
    Ok((Visit { session: Arc::new(session), user: user.map(Arc::new), file, shares }, deep))
}

fn not_too_deep(containers: Vec<ContainerRecord>) -> Result<Vec<ContainerRecord>, Error> {
    if containers.len() > CONTAINER_DEPTH_MAX { Err(too_deep()) } else { Ok(containers) }
}

fn too_deep() -> Error {
    Error::Refused("the containers of a file are too deep, or go in a circle")
}

/// The list of `containers!`.
fn containers(fields: &mut Fields<'_>) -> fields::Result<Vec<ContainerRecord>> {
    let texts: Vec<&str> = fields.list()?;
    texts.into_iter().map(container).collect::<Option<_>>().ok_or_else(|| fields.invalid())
}

fn container(text: &str) -> Option<ContainerRecord> {
    let mut words = text.splitn(7, ' ');
    let mut next = || words.next();
    let number = |text: &str| text.parse::<i64>().ok();
    // Nothing is an empty text.
    let maybe = |text: &str| if text.is_empty() { Some(None) } else { number(text).map(Some) };
    let id = ContainerId::parse(next()?)?;
    let parent = match next()? {
        "" => None,
        parent => Some(ContainerId::parse(parent)?),
    };
    let revision = Revision(number(next()?)?.cast_unsigned());
    let created_at = Timestamp(number(next()?)?);
    let (inode, born_ns) = (maybe(next()?)?, maybe(next()?)?);
    let seen = inode.map(|inode| Fingerprint { inode: inode.cast_unsigned(), born_ns, size: 0, modified_ns: 0 });
    Some(ContainerRecord { id, parent, name: FileName::parse(next()?).ok()?, revision, created_at, seen })
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
