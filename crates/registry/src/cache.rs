//! Records in memory, never older than the last commit, also when another process made it.
//!
//! Nearly every request reads the same few records: a session, its user, a file, its containers. They are kept here,
//! and before they are believed SQLite is asked whether the database changed: `PRAGMA data_version` on a connection
//! of its own says in two microseconds whether anybody else committed. If nobody did, the cache is as good as the
//! database. If somebody did, it was either our writer, which updates the cache itself before it answers, or another
//! process (a `lectern` command). To tell the two apart, every transaction of a command counts up the row
//! `outside_epoch`; if that moved, all is forgotten.
//!
//! What keeps old values out, case by case:
//!
//! | danger | answer |
//! |---|---|
//! | a reader loaded a row, our writer committed the next one, the reader puts the old one here | the reader leaves a ticket before it loads and may only replace that; the writer replaces tickets like anything else |
//! | … another process committed in between | whoever sees the epoch move removes everything, tickets too, before anybody reads on |
//! | our writer committed, then another process, that was noticed, and only then our writer gets here with its older row | the writer read the epoch inside its transaction; if it is not the one noticed here, its rows are dropped instead of kept |
//! | between our writer's COMMIT and its update here a reader gets the row before | the commit has not been answered yet, so the read may be earlier than it |
//!
//! Revoking a session therefore works at the next request, by whichever process it was revoked.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lectern_host::ports::{CONTAINER_DEPTH_MAX, Located, Shares, Visit};
use lectern_host::records::{CoauthLock, ContainerRecord, FileRecord, LockState, Session, SessionId, User};
use lectern_host::sharing::{Grant, GroupId, Item, Link, LinkId};
use lectern_host::wopi::{ContainerId, FileId, UserId};
use rusqlite::Connection;

use crate::db::prepared;

/// Files kept at most. At some 700 bytes each they take 12 MB.
pub const FILES_CACHED_MAX: usize = 16_384;
/// How many bytes a file's coauth locks may take for the file to be kept. A hundred clients with some metadata each fit;
/// what is larger is read from the database each time, so that nobody can fill our memory with metadata.
pub const COAUTH_BYTES_CACHED_MAX: usize = 32 << 10;
/// Containers kept at most.
pub const CONTAINERS_CACHED_MAX: usize = 8_192;
/// Users kept at most.
pub const USERS_CACHED_MAX: usize = 4_096;
/// Sessions kept at most.
pub const SESSIONS_CACHED_MAX: usize = 16_384;
/// Things kept at most of which it is known with whom they are shared, and how many grants there may be of one of them:
/// most have none.
pub const SHARED_CACHED_MAX: usize = 16_384;
/// More grants than that on one thing are read from the database each time.
pub const GRANTS_CACHED_MAX: usize = 64;
/// Links kept at most.
pub const LINKS_CACHED_MAX: usize = 4_096;

pub(crate) const OUTSIDE_EPOCH: &str = "SELECT value FROM meta WHERE name = 'outside_epoch'";
pub(crate) const NEXT_OUTSIDE_EPOCH: &str = "UPDATE meta SET value = value + 1 WHERE name = 'outside_epoch'";
const DATA_VERSION: &str = "PRAGMA data_version";

/// What a committed job changed.
#[derive(Debug)]
pub(crate) enum Change {
    File(Arc<FileRecord>),
    FileGone(FileId),
    Container(Arc<ContainerRecord>),
    ContainerGone(ContainerId),
    User(Arc<User>),
    Session(Arc<Session>),
    SessionGone(SessionId),
    SessionsGone,
    /// What is shared of a thing is to be read anew.
    GrantsOn(Item),
    /// The groups of somebody are.
    GroupsOf(UserId),
    /// A link is.
    Link(LinkId),
    /// All grants, memberships and links are.
    AllShares,
}

/// Key of the groups that somebody is in.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct GroupsOf(pub(crate) UserId);

/// The cache and the connection that watches over it. Locked in this order: `watch`, then `shelves`.
pub(crate) struct Cache {
    watch: Mutex<Watch>,
    shelves: Mutex<Shelves>,
}

struct Watch {
    connection: Connection,
    data_version: i64,
}

/// Proof that the cache was compared with the database, after whoever holds this began to ask.
pub(crate) struct Checked(());

/// What the cache says of a record.
pub(crate) enum Found<V> {
    Record(Arc<V>),
    /// Not here; what is loaded now may be put in under this ticket.
    Ticket(u64),
}

impl Cache {
    /// An empty cache, with a reading connection that nothing else uses.
    pub(crate) fn new(connection: Connection) -> rusqlite::Result<Self> {
        // A check must never wait: whoever cannot check reads from the database instead.
        connection.busy_timeout(Duration::ZERO)?;
        let data_version = number(&connection, DATA_VERSION)?;
        let epoch = number(&connection, OUTSIDE_EPOCH)?;
        Ok(Self { watch: Mutex::new(Watch { connection, data_version }), shelves: Mutex::new(Shelves::new(epoch)) })
    }

    /// Compares with the database, and forgets everything if another process changed it. `None` if that cannot be
    /// told just now.
    pub(crate) fn check(&self) -> Option<Checked> {
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let data_version = number(&watch.connection, DATA_VERSION).ok()?;
        if data_version != watch.data_version {
            let epoch = number(&watch.connection, OUTSIDE_EPOCH).ok()?;
            let mut shelves = self.shelves();
            if epoch != shelves.epoch {
                shelves.forget_all();
                shelves.epoch = epoch;
            }
            watch.data_version = data_version;
        }
        Some(Checked(()))
    }

    /// All that lets a request in, if all of it is here: one lock for everything instead of one for each record.
    pub(crate) fn recall_visit(&self, session: &SessionId, file: Option<&FileId>, _: &Checked) -> Option<Visit> {
        let mut shelves = self.shelves();
        let session = shelves.sessions.record(session)?;
        let user = match &session.guest {
            Some(_) => None,
            None => Some(shelves.users.record(&session.user)?),
        };
        let file = match file {
            None => None,
            Some(id) => {
                let record = shelves.files.record(id)?;
                let mut containers = vec![shelves.containers.record(&record.container)?];
                while let Some(parent) = containers.last().and_then(|container| container.parent.as_ref()) {
                    if containers.len() == CONTAINER_DEPTH_MAX {
                        return None;
                    }
                    containers.push(shelves.containers.record(parent)?);
                }
                Some(Located { record, containers })
            }
        };
        let mut shares = Shares::default();
        match (&session.guest, &user) {
            (Some(guest), _) => shares.link = Some(shelves.links.record(&guest.link)?),
            (None, Some(user)) if !user.role.edits_everything() => {
                shares.groups = shelves.groups.record(&GroupsOf(user.id.clone()))?;
                for item in file.as_ref().map(Located::items).unwrap_or_default() {
                    shares.grants.push(shelves.grants.record(&item)?);
                }
            }
            (None, _) => {}
        }
        Some(Visit { session, user, file, shares })
    }

    pub(crate) fn look_up<K: Kept>(&self, key: &K, _: &Checked) -> Found<K::Record> {
        let mut shelves = self.shelves();
        if let Some(Slot::Record(record)) = K::shelf(&mut shelves).get(key) {
            return Found::Record(record.clone());
        }
        shelves.tickets += 1;
        let ticket = shelves.tickets;
        K::shelf(&mut shelves).put(key.clone(), Slot::Ticket(ticket));
        Found::Ticket(ticket)
    }

    /// Puts in what was loaded after `look_up` gave the ticket, unless something newer has come since.
    pub(crate) fn settle<K: Kept>(&self, key: &K, ticket: u64, record: Option<&Arc<K::Record>>) {
        let mut shelves = self.shelves();
        let shelf = K::shelf(&mut shelves);
        if matches!(shelf.get(key), Some(Slot::Ticket(standing)) if *standing == ticket) {
            match record.filter(|record| K::is_small(record)) {
                Some(record) => shelf.put(key.clone(), Slot::Record(record.clone())),
                None => shelf.remove(key),
            }
        }
    }

    /// The record if it is here, without asking whether it is the latest.
    pub(crate) fn recollect<K: Kept>(&self, key: &K) -> Option<Arc<K::Record>> {
        match K::shelf(&mut self.shelves()).get(key) {
            Some(Slot::Record(record)) => Some(record.clone()),
            _ => None,
        }
    }

    /// Takes in what our writer committed in a transaction that saw this epoch.
    pub(crate) fn committed(&self, changes: Vec<Change>, epoch: i64) {
        let mut shelves = self.shelves();
        let keep = shelves.epoch == epoch;
        for change in changes {
            shelves.take_in(change, keep);
        }
    }

    /// Forgets what a transaction touched of which nobody knows how it ended.
    pub(crate) fn uncertain(&self, changes: Vec<Change>) {
        let mut shelves = self.shelves();
        for change in changes {
            shelves.take_in(change, false);
        }
    }

    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn number(connection: &Connection, sql: &'static str) -> rusqlite::Result<i64> {
    prepared(connection, sql)?.query_row([], |row| row.get(0))
}

pub(crate) struct Shelves {
    epoch: i64,
    tickets: u64,
    files: Shelf<FileId, FileRecord>,
    containers: Shelf<ContainerId, ContainerRecord>,
    users: Shelf<UserId, User>,
    sessions: Shelf<SessionId, Session>,
    grants: Shelf<Item, Vec<Grant>>,
    groups: Shelf<GroupsOf, Vec<GroupId>>,
    links: Shelf<LinkId, Link>,
}

impl Shelves {
    fn new(epoch: i64) -> Self {
        Self {
            epoch,
            tickets: 0,
            files: Shelf::new(FILES_CACHED_MAX),
            containers: Shelf::new(CONTAINERS_CACHED_MAX),
            users: Shelf::new(USERS_CACHED_MAX),
            sessions: Shelf::new(SESSIONS_CACHED_MAX),
            grants: Shelf::new(SHARED_CACHED_MAX),
            groups: Shelf::new(USERS_CACHED_MAX),
            links: Shelf::new(LINKS_CACHED_MAX),
        }
    }

    fn forget_all(&mut self) {
        self.files.clear();
        self.containers.clear();
        self.users.clear();
        self.sessions.clear();
        self.forget_shares();
    }

    fn forget_shares(&mut self) {
        self.grants.clear();
        self.groups.clear();
        self.links.clear();
    }

    fn take_in(&mut self, change: Change, keep: bool) {
        match change {
            Change::File(file) => {
                let keep = keep && FileId::is_small(&file);
                self.files.replace(&file.id.clone(), keep.then_some(file));
            }
            Change::FileGone(id) => self.files.remove(&id),
            Change::Container(container) => self.containers.replace(&container.id.clone(), keep.then_some(container)),
            Change::ContainerGone(id) => self.containers.remove(&id),
            Change::User(user) => self.users.replace(&user.id.clone(), keep.then_some(user)),
            Change::Session(session) => self.sessions.replace(&session.id.clone(), keep.then_some(session)),
            Change::SessionGone(id) => self.sessions.remove(&id),
            Change::SessionsGone => self.sessions.clear(),
            Change::GrantsOn(item) => self.grants.remove(&item),
            Change::GroupsOf(user) => self.groups.remove(&GroupsOf(user)),
            Change::Link(id) => self.links.remove(&id),
            Change::AllShares => self.forget_shares(),
        }
    }
}

/// A key whose records are kept.
pub(crate) trait Kept: Clone + Eq + Hash + Send + Sync + 'static {
    type Record: Clone + Send + Sync + 'static;

    fn shelf(shelves: &mut Shelves) -> &mut Shelf<Self, Self::Record>;

    /// Whether so many of these as the shelf takes may be in memory.
    fn is_small(record: &Self::Record) -> bool;
}

macro_rules! kept {
    ($($key:ty => $record:ty, $shelf:ident, $is_small:expr);+ $(;)?) => {
        $(impl Kept for $key {
            type Record = $record;

            fn shelf(shelves: &mut Shelves) -> &mut Shelf<Self, $record> {
                &mut shelves.$shelf
            }

            fn is_small(record: &$record) -> bool {
                $is_small(record)
            }
        })+
    };
}

kept! {
    FileId => FileRecord, files, holds_little;
    ContainerId => ContainerRecord, containers, |_| true;
    UserId => User, users, |_| true;
    SessionId => Session, sessions, |_| true;
    Item => Vec<Grant>, grants, |grants: &Vec<Grant>| grants.len() <= GRANTS_CACHED_MAX;
    GroupsOf => Vec<GroupId>, groups, |_| true;
    LinkId => Link, links, |_| true;
}

fn holds_little(file: &FileRecord) -> bool {
    match &file.lock {
        LockState::Free | LockState::Wopi(_) => true,
        LockState::Coauth(table) => {
            let bytes = |lock: &CoauthLock| {
                size_of::<CoauthLock>() + lock.id.as_str().len() + lock.metadata.as_str().len() + lock.user_name.len()
            };
            table.locks().iter().map(bytes).sum::<usize>() <= COAUTH_BYTES_CACHED_MAX
        }
    }
}

enum Slot<V> {
    Record(Arc<V>),
    Ticket(u64),
}

/// A map of bounded size that loses what was not used for longest, more or less: when the young half is full, it
/// becomes the old half and the old half is dropped; what is used moves to the young half.
pub(crate) struct Shelf<K, V> {
    young: HashMap<K, Slot<V>>,
    old: HashMap<K, Slot<V>>,
    half_max: usize,
}

impl<K: Clone + Eq + Hash, V> Shelf<K, V> {
    fn new(max: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), half_max: (max / 2).max(1) }
    }

    fn get(&mut self, key: &K) -> Option<&Slot<V>> {
        if !self.old.is_empty()
            && let Some((key, slot)) = self.old.remove_entry(key)
        {
            self.put(key, slot);
        }
        self.young.get(key)
    }

    fn record(&mut self, key: &K) -> Option<Arc<V>> {
        match self.get(key) {
            Some(Slot::Record(record)) => Some(Arc::clone(record)),
            Some(Slot::Ticket(_)) | None => None,
        }
    }

    fn put(&mut self, key: K, slot: Slot<V>) {
        self.old.remove(&key);
        if self.young.len() >= self.half_max && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, slot);
    }

    fn replace(&mut self, key: &K, record: Option<Arc<V>>) {
        match record {
            Some(record) => self.put(key.clone(), Slot::Record(record)),
            None => self.remove(key),
        }
    }

    fn remove(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }

    fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::db::{open_reader, open_writer};
    use lectern_host::records::{CoauthTable, Timestamp};
    use lectern_host::wopi::coauth::{CoauthLockId, CoauthLockMetadata, CoauthLockType};

    /// A cache, and another connection that can change the database under it.
    struct Setup {
        _folder: tempfile::TempDir,
        cache: Cache,
        writer: Connection,
    }

    impl Setup {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("lectern.db");
            let writer = open_writer(&path).unwrap();
            Self { cache: Cache::new(open_reader(&path).unwrap()).unwrap(), writer, _folder: folder }
        }

        fn epoch(&self) -> i64 {
            number(&self.writer, OUTSIDE_EPOCH).unwrap()
        }

        fn another_process_commits(&self) {
            self.writer.execute(NEXT_OUTSIDE_EPOCH, []).unwrap();
        }

        fn our_writer_commits(&self, session: &Session) {
            let epoch = self.epoch();
            self.writer.execute("UPDATE meta SET value = value", []).unwrap();
            self.cache.committed(vec![Change::Session(Arc::new(session.clone()))], epoch);
        }

        fn look_up(&self) -> Found<Session> {
            let checked = self.cache.check().unwrap();
            self.cache.look_up(&session(None).id, &checked)
        }

        fn ticket(&self) -> u64 {
            match self.look_up() {
                Found::Ticket(ticket) => ticket,
                Found::Record(record) => panic!("{record:?} is in memory"),
            }
        }

        fn settle(&self, ticket: u64, session: &Session) {
            self.cache.settle(&session.id, ticket, Some(&Arc::new(session.clone())));
        }

        fn remembers(&self) -> Option<Session> {
            match self.look_up() {
                Found::Record(record) => Some(Arc::unwrap_or_clone(record)),
                Found::Ticket(_) => None,
            }
        }
    }

    fn session(revoked_at: Option<i64>) -> Session {
        Session { revoked_at: revoked_at.map(Timestamp), ..lectern_conformance::registry::session("s", "alice") }
    }

    #[test]
    fn what_was_loaded_is_kept_through_commits_of_our_own_and_forgotten_with_anybody_elses() {
        let setup = Setup::new();
        setup.settle(setup.ticket(), &session(None));
        assert_eq!(setup.remembers(), Some(session(None)));
        setup.writer.execute("UPDATE meta SET value = value", []).unwrap();
        assert_eq!(setup.remembers(), Some(session(None)));
        setup.another_process_commits();
        assert_eq!(setup.remembers(), None);
    }

    #[test]
    fn what_was_loaded_before_our_commit_does_not_replace_what_we_committed() {
        let setup = Setup::new();
        let ticket = setup.ticket();
        setup.our_writer_commits(&session(Some(1)));
        setup.settle(ticket, &session(None));
        assert_eq!(setup.remembers(), Some(session(Some(1))));
    }

    #[test]
    fn what_was_loaded_before_a_removal_does_not_come_back() {
        let setup = Setup::new();
        let ticket = setup.ticket();
        setup.cache.committed(vec![Change::SessionGone(session(None).id)], setup.epoch());
        setup.settle(ticket, &session(None));
        assert_eq!(setup.remembers(), None);
    }

    #[test]
    fn what_was_loaded_before_another_process_committed_is_not_kept_after_somebody_noticed() {
        let setup = Setup::new();
        let ticket = setup.ticket();
        setup.another_process_commits();
        setup.cache.check().unwrap();
        setup.settle(ticket, &session(None));
        assert_eq!(setup.remembers(), None);
        // And if nobody had noticed before, the next one who asks does.
        let ticket = setup.ticket();
        setup.another_process_commits();
        setup.settle(ticket, &session(None));
        assert_eq!(setup.remembers(), None);
    }

    #[test]
    fn what_we_committed_before_another_process_did_is_not_kept_after_somebody_noticed() {
        let setup = Setup::new();
        let ours = setup.epoch();
        setup.another_process_commits();
        setup.cache.check().unwrap();
        setup.cache.committed(vec![Change::Session(Arc::new(session(None)))], ours);
        assert_eq!(setup.remembers(), None);
    }

    #[test]
    fn what_a_failed_transaction_touched_is_forgotten() {
        let setup = Setup::new();
        setup.our_writer_commits(&session(None));
        setup.cache.uncertain(vec![Change::Session(Arc::new(session(Some(1))))]);
        assert_eq!(setup.remembers(), None);
    }

    #[test]
    fn what_is_not_there_leaves_nothing_behind() {
        let setup = Setup::new();
        let ticket = setup.ticket();
        setup.cache.settle(&session(None).id, ticket, None);
        let shelves = setup.cache.shelves();
        assert!(shelves.sessions.young.is_empty() && shelves.sessions.old.is_empty());
    }

    /// A file with so many coauth locks, each with so many bytes of metadata.
    fn coauthored(locks: usize, metadata: usize) -> Arc<FileRecord> {
        let container = ContainerId::parse("root").unwrap();
        let lock = |number: usize| CoauthLock {
            id: CoauthLockId::parse(&number.to_string()).unwrap(),
            kind: CoauthLockType::Coauth,
            metadata: CoauthLockMetadata::new("m".repeat(metadata)).unwrap(),
            expires_at: Timestamp(2),
            since: Timestamp(1),
            by: UserId::parse("alice").unwrap(),
            user_name: "Alice".to_owned(),
        };
        let lock = LockState::Coauth(CoauthTable::new((0..locks).map(lock).collect()).unwrap());
        Arc::new(FileRecord { lock, ..lectern_conformance::registry::file("a", &container, "a") })
    }

    #[test]
    fn a_file_whose_coauth_locks_are_large_is_not_kept_in_memory() {
        for (file, kept) in [
            (coauthored(100, 100), true),
            (coauthored(1, CoauthLockMetadata::BYTES_MAX), true),
            (coauthored(8, CoauthLockMetadata::BYTES_MAX), false),
            (coauthored(CoauthTable::LOCKS_MAX, CoauthLockMetadata::BYTES_MAX), false),
        ] {
            let setup = Setup::new();
            // What we wrote ourselves, and what was loaded.
            setup.cache.committed(vec![Change::File(file.clone())], setup.epoch());
            assert_eq!(setup.cache.recollect(&file.id).is_some(), kept);
            setup.cache.committed(vec![Change::FileGone(file.id.clone())], setup.epoch());
            let Found::Ticket(ticket) = setup.cache.look_up(&file.id, &setup.cache.check().unwrap()) else { panic!() };
            setup.cache.settle(&file.id, ticket, Some(&file));
            assert_eq!(setup.cache.recollect(&file.id).is_some(), kept);
        }
        // And what was kept while it was small is not kept in an old state.
        let setup = Setup::new();
        let (small, large) = (coauthored(1, 1), coauthored(8, CoauthLockMetadata::BYTES_MAX));
        for file in [&small, &large] {
            setup.cache.committed(vec![Change::File(file.clone())], setup.epoch());
        }
        assert_eq!(setup.cache.recollect(&small.id), None);
    }

    fn records(shelf: &mut Shelf<u32, u32>, keys: impl IntoIterator<Item = u32>) -> Vec<u32> {
        keys.into_iter().filter(|key| matches!(shelf.get(key), Some(Slot::Record(_)))).collect()
    }

    #[test]
    fn a_shelf_never_holds_more_than_its_bound_and_keeps_what_is_used() {
        let mut shelf = Shelf::new(8);
        for key in 0..1000 {
            shelf.put(key, Slot::Record(Arc::new(key)));
            assert!(shelf.get(&0).is_some(), "used all the time, lost at {key}");
            assert!(shelf.young.len() + shelf.old.len() <= 8);
        }
        assert!(records(&mut shelf, [998, 999]) == [998, 999]);
    }

    #[test]
    fn a_key_is_on_a_shelf_once() {
        let mut shelf = Shelf::new(2);
        shelf.put(1, Slot::Record(Arc::new(1)));
        shelf.put(2, Slot::Record(Arc::new(2)));
        shelf.put(1, Slot::Record(Arc::new(3)));
        shelf.remove(&1);
        assert!(shelf.get(&1).is_none());
    }
}
