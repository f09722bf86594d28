//! Answers that are lost. The line is cut when the server has done what was asked and before it can say so; whoever asked
//! learns all the same that it was done, and it was done once.

use std::collections::BTreeMap;
use std::sync::Arc;

use lectern_conformance::registry::{container, file, session, user};
use lectern_conformance::servers::{Postgres, Proxy};
use lectern_host::access::Right;
use lectern_host::parts::FileParts;
use lectern_host::ports::{Bin, BinEntry, FileCommit, Registry, RegistryError, Sharing};
use lectern_host::records::{
    ContainerRecord, Content, ContentId, FileRecord, Held, LockState, Revision, Timestamp, Upload, UploadPiece, User,
    VersionEntry,
};
use lectern_host::sharing::{BinId, Grant, Group, GroupId, Item, Link, LinkId, Principal};
use lectern_host::wopi::{ContainerId, FileId, FileName, ItemVersion, LockId, UserId};
use lectern_registry::{PostgresRegistry, PostgresSettings};

use super::{assert_unavailable, name, open, settings};

/// A registry with one connection, which goes through a proxy.
struct Line {
    proxy: Proxy,
    registry: Arc<PostgresRegistry>,
    /// The same database without the proxy.
    beside: Arc<PostgresRegistry>,
    root: ContainerId,
}

impl Line {
    async fn new(server: &Postgres) -> Self {
        let url = server.database();
        let beside = open(&url).await;
        let proxy = Proxy::before(server.port()).await;
        let through = server.url_at(name(&url), proxy.port());
        let settings = PostgresSettings { connections_max: 1, ..settings(&through) };
        let registry = Arc::new(PostgresRegistry::open(settings).await.unwrap());
        let root = beside.root().await.unwrap().id;
        Self { proxy, registry, beside, root }
    }
}

fn called(text: &str) -> FileName {
    FileName::parse(text).unwrap()
}

fn content_id(number: u64) -> ContentId {
    let mut random = [1; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    ContentId::new(Timestamp(1), random)
}

fn held(id: &str) -> LockState {
    LockState::Wopi(Held {
        id: LockId::parse(id).unwrap(),
        expires_at: Timestamp(2),
        since: Timestamp(1),
        by: UserId::parse("alice").unwrap(),
        client: None,
        visible_as: None,
    })
}

fn commit(record: FileRecord) -> FileCommit {
    FileCommit { record, replaced: None }
}

/// The commit of a save of these bytes.
fn save(record: &FileRecord, number: u64) -> FileCommit {
    let replaced = VersionEntry {
        file: record.id.clone(),
        version: record.version,
        content: record.content.clone(),
        label: None,
        keep: false,
    };
    let content = Content { id: content_id(number), size: number, ..record.content.clone() };
    let record = FileRecord { version: record.version.next(), content, ..record.clone() };
    FileCommit { record, replaced: Some(replaced) }
}

/// Runs it three times on things of its own: so that its statement is prepared, with a request that is cut, and with an
/// answer that is cut. Each has to go well.
macro_rules! survives {
    ($line:expr, |$number:ident| $run:expr) => {
        for $number in 0..3_u64 {
            match $number {
                0 => {}
                1 => $line.proxy.cut_requests(1),
                _ => $line.proxy.cut_answers(1),
            }
            $run
            assert_eq!($line.proxy.answers_to_cut(), 0, "nothing was cut");
        }
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_of_a_file_is_known_to_have_been_done() {
    let Some(server) = Postgres::shared() else { return };
    let line = Line::new(server).await;
    let (registry, beside, root) = (&line.registry, &line.beside, &line.root);
    survives!(line, |number| {
        let record = registry.create_file(&file(&format!("c{number}"), root, &format!("c{number}"))).await.unwrap();
        assert_eq!(beside.file(&record.id).await.unwrap(), record);
    });
    // A lock, a save, a rename, a deletion, what lies beside the file, and its end.
    let mut records = Vec::new();
    for number in 0..3 {
        records.push(beside.create_file(&file(&format!("f{number}"), root, &format!("f{number}"))).await.unwrap());
    }
    survives!(line, |number| {
        let record = &mut records[number as usize];
        let next = FileRecord { lock: held("A"), ..record.clone() };
        *record = registry.commit_file(&commit(next)).await.unwrap();
        assert_eq!((record.revision, beside.file(&record.id).await.unwrap()), (Revision(2), record.clone()));
    });
    survives!(line, |number| {
        let record = &mut records[number as usize];
        *record = registry.commit_file(&save(record, 100 + number)).await.unwrap();
        assert_eq!((record.revision, beside.file(&record.id).await.unwrap()), (Revision(3), record.clone()));
        assert_eq!(beside.versions(&record.id).await.unwrap().len(), 1);
    });
    survives!(line, |number| {
        let record = &mut records[number as usize];
        let next = FileRecord { name: called(&format!("renamed {number}")), ..record.clone() };
        *record = registry.commit_file(&commit(next)).await.unwrap();
        assert_eq!(beside.file_named(root, &record.name).await.unwrap(), *record);
    });
    survives!(line, |number| {
        let record = &mut records[number as usize];
        let parts = FileParts { version: record.version.next(), ..FileParts::default() };
        *record = registry.commit_parts(&save(record, 200 + number), &parts).await.unwrap();
        assert_eq!(beside.parts(&record.id).await.unwrap(), parts);
        assert_eq!(beside.versions(&record.id).await.unwrap().len(), 2);
    });
    survives!(line, |number| {
        let record = &mut records[number as usize];
        let next = FileRecord { deleted_at: Some(Timestamp(1)), ..record.clone() };
        *record = registry.commit_file(&commit(next)).await.unwrap();
        assert_eq!(beside.file(&record.id).await.unwrap(), *record);
    });
    survives!(line, |number| {
        let record = &records[number as usize];
        registry.remove_file(&record.id, record.revision).await.unwrap();
        assert!(matches!(beside.file(&record.id).await, Err(RegistryError::NotFound)));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn so_is_what_is_done_to_containers_people_and_shares() {
    let Some(server) = Postgres::shared() else { return };
    let line = Line::new(server).await;
    let (registry, beside, root) = (&line.registry, &line.beside, &line.root);
    let (mut containers, mut users, mut groups) = (Vec::new(), Vec::new(), Vec::new());
    survives!(line, |number| {
        let made = registry.create_container(&container(&format!("c{number}"), root, &format!("c{number}"))).await;
        containers.push(made.unwrap());
        assert_eq!(beside.container(&containers[number as usize].id).await.unwrap(), containers[number as usize]);
    });
    survives!(line, |number| {
        let known = &mut containers[number as usize];
        let next = ContainerRecord { name: called(&format!("renamed {number}")), ..known.clone() };
        *known = registry.commit_container(&next).await.unwrap();
        assert_eq!(beside.container_named(root, &known.name).await.unwrap(), *known);
    });
    survives!(line, |number| {
        let known = &containers[number as usize];
        registry.remove_container(&known.id, known.revision).await.unwrap();
        assert!(matches!(beside.container(&known.id).await, Err(RegistryError::NotFound)));
    });
    survives!(line, |number| {
        users.push(registry.create_user(&user(&format!("u{number}"), &format!("u{number}"))).await.unwrap());
        assert_eq!(beside.user(&users[number as usize].id).await.unwrap(), users[number as usize]);
    });
    survives!(line, |number| {
        let known = &users[number as usize];
        let stored = registry.commit_user(&User { disabled: true, ..known.clone() }).await.unwrap();
        assert_eq!((stored.revision, beside.user(&known.id).await.unwrap()), (Revision(2), stored));
    });
    survives!(line, |number| {
        let made = session(&format!("s{number}"), "u0");
        registry.create_session(&made).await.unwrap();
        assert_eq!(beside.session(&made.id).await.unwrap(), made);
    });
    survives!(line, |number| {
        let known = session(&format!("s{number}"), "u0");
        registry.revoke_session(&known.id, Timestamp(7)).await.unwrap();
        assert_eq!(beside.session(&known.id).await.unwrap().revoked_at, Some(Timestamp(7)));
    });
    survives!(line, |number| {
        let id = GroupId::parse(&format!("g{number}")).unwrap();
        let group = Group { id, name: format!("g{number}"), revision: Revision(0), created_at: Timestamp(1) };
        groups.push(registry.create_group(&group).await.unwrap());
        assert_eq!(beside.group(&groups[number as usize].id).await.unwrap(), groups[number as usize]);
    });
    survives!(line, |number| {
        let known = &mut groups[number as usize];
        *known = registry.commit_group(&Group { name: format!("renamed {number}"), ..known.clone() }).await.unwrap();
        assert_eq!(beside.group(&known.id).await.unwrap(), *known);
    });
    survives!(line, |number| {
        registry.remove_group(&groups[number as usize].id, Revision(2)).await.unwrap();
        assert!(matches!(beside.group(&groups[number as usize].id).await, Err(RegistryError::NotFound)));
    });
    survives!(line, |number| {
        let link = Link {
            id: LinkId::parse(&format!("l{number}")).unwrap(),
            item: Item::Container(root.clone()),
            right: Right::View,
            secret: [number.to_be_bytes()[7]; 32],
            password: None,
            label: String::new(),
            by: users[0].id.clone(),
            created_at: Timestamp(1),
            expires_at: None,
            revoked_at: None,
        };
        registry.create_link(&link).await.unwrap();
        assert_eq!(*beside.link(&link.id).await.unwrap(), link);
    });
    survives!(line, |number| {
        let entry = BinEntry {
            id: BinId::parse(&format!("b{number}")).unwrap(),
            item: Item::Container(root.clone()),
            name: called("x"),
            container: root.clone(),
            by: users[0].id.clone(),
            at: Timestamp(number.cast_signed()),
        };
        registry.add_to_bin(&entry, &[container("x", root, "x")]).await.unwrap();
        assert_eq!(beside.bin_entry(&entry.id).await.unwrap(), entry);
        assert_eq!(beside.bin_containers(&entry.id).await.unwrap().len(), 1);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_piece_of_an_upload_is_there_once() {
    let Some(server) = Postgres::shared() else { return };
    let line = Line::new(server).await;
    let id = "u".to_owned();
    let (file, user) = (FileId::parse("f").unwrap(), UserId::parse("u").unwrap());
    let upload = Upload { id, file, user, updated_at: Timestamp(1), pieces: Vec::new() };
    line.registry.create_upload(&upload).await.unwrap();
    survives!(line, |number| {
        let piece = UploadPiece { content: content_id(number), size: 10 };
        line.registry.extend_upload("u", 10 * number, Some(piece), Timestamp(2)).await.unwrap();
        assert_eq!(line.beside.upload("u").await.unwrap().pieces.len() as u64, number + 1);
    });
    survives!(line, |number| {
        line.registry.extend_upload("u", 30, None, Timestamp(3 + number.cast_signed())).await.unwrap();
    });
    assert_eq!(line.beside.upload("u").await.unwrap().received(), 30);
}

/// Where a second try could not tell, or could do harm, there is none, and whoever asked is told that nobody knows.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_known_is_not_guessed() {
    let Some(server) = Postgres::shared() else { return };
    let line = Line::new(server).await;
    let grant = |number: u64| Grant {
        item: Item::Container(line.root.clone()),
        to: Principal::User(UserId::parse("alice").unwrap()),
        right: Right::View,
        by: UserId::parse("bob").unwrap(),
        at: Timestamp(number.cast_signed()),
    };
    line.registry.put_grant(&grant(1)).await.unwrap();
    // The first answer is that the connection lives.
    line.proxy.cut_answers_after(1, 1);
    assert_unavailable(line.registry.put_grant(&grant(2)).await);
    assert_eq!(line.beside.grants_on(&[Item::Container(line.root.clone())]).await.unwrap()[0][0].at, Timestamp(2));
    // One that was never sent is sent.
    line.registry.put_grant(&grant(3)).await.unwrap();
    line.proxy.cut_requests(1);
    line.registry.put_grant(&grant(4)).await.unwrap();
}

/// Somebody else's commit at the same revision is not taken for ours.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_commit_that_somebody_else_won_it_is_known_that_it_was_not_done() {
    let Some(server) = Postgres::shared() else { return };
    let line = Line::new(server).await;
    let record = line.beside.create_file(&file("f", &line.root, "f")).await.unwrap();
    let next = FileRecord { lock: held("A"), ..record.clone() };
    let record = line.registry.commit_file(&commit(next)).await.unwrap();
    // The very same record, committed by another node: only the mark tells.
    let next = commit(FileRecord { lock: LockState::Free, ..record.clone() });
    let theirs = line.beside.commit_file(&next).await.unwrap();
    line.proxy.cut_answers(1);
    let ours = line.registry.commit_file(&next).await;
    assert!(matches!(ours, Err(RegistryError::Conflict)), "{ours:?}");
    assert_eq!(line.beside.file(&record.id).await.unwrap(), theirs);
}

/// Seeded chance.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (bits ^ (bits >> 31)) % limit
    }
}

/// Many save one file over lines that are cut again and again, at any moment, in either direction. Every save that was
/// said to be done is in the history once, and nothing is there twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn while_the_line_is_cut_all_the_time_no_save_is_lost_and_none_is_doubled() {
    const SEED: u64 = 20_261_122;
    const WRITERS: u64 = 6;
    const SAVES: u64 = 60;
    let Some(server) = Postgres::shared() else { return };
    let url = server.database();
    let beside = open(&url).await;
    let root = beside.root().await.unwrap().id;
    let id = beside.create_file(&file("f", &root, "f")).await.unwrap().id;
    let proxy = Arc::new(Proxy::before(server.port()).await);
    let registry = open(&server.url_at(name(&url), proxy.port())).await;
    eprintln!("seed {SEED}");
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (registry, proxy, id) = (registry.clone(), proxy.clone(), id.clone());
            tokio::spawn(async move {
                let mut chance = Chance(SEED + writer);
                // What became of each save: done, or nobody knows.
                let mut saves = BTreeMap::new();
                for number in 0..SAVES {
                    match chance.below(8) {
                        0 => proxy.cut(),
                        1 => proxy.reset(),
                        2 => proxy.cut_requests(1),
                        3 | 4 => proxy.cut_answers(1),
                        _ => {}
                    }
                    // Also the size of what is saved, which no other content has.
                    let number = 1000 + writer * SAVES + number;
                    for _ in 0..1000 {
                        let Ok(record) = registry.file(&id).await else { continue };
                        match registry.commit_file(&save(&record, number)).await {
                            Ok(_) => saves.insert(number, true),
                            Err(RegistryError::Unavailable(_)) => saves.insert(number, false),
                            Err(RegistryError::Conflict) => continue,
                            Err(error) => panic!("{error:?}"),
                        };
                        break;
                    }
                }
                saves
            })
        })
        .collect();
    let mut saves = BTreeMap::new();
    for writer in writers {
        saves.extend(writer.await.unwrap());
    }
    let last = beside.file(&id).await.unwrap();
    let versions = beside.versions(&id).await.unwrap();
    let mut seen: BTreeMap<u64, u64> = BTreeMap::new();
    for content in versions.iter().map(|entry| &entry.content).chain([&last.content]) {
        *seen.entry(content.size).or_default() += 1;
    }
    let doubled: Vec<_> = seen.iter().filter(|(_, times)| **times > 1).collect();
    assert!(doubled.is_empty(), "{doubled:?}");
    for (number, done) in &saves {
        assert!(!done || seen.contains_key(number), "save {number} was answered and is nowhere");
    }
    assert_eq!(versions.len() as u64 + 1, last.version.0);
    assert_eq!(last.version, ItemVersion(last.revision.0));
    let known = saves.values().filter(|done| **done).count();
    eprintln!("{known} of {} saves were answered, over {} connections", saves.len(), proxy.connections());
    assert!(known * 10 >= saves.len() * 9, "most of them are known to have been done: {known}");
}
