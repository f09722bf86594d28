//! `kill -9` at random moments of a few hundred saves (issue "Serve a folder", *what it must show*, 5; issue
//! "Coauthoring", *what must exist*: "as atomic and durable as PutFile").
//!
//! Several clients save to several files under locks, whole or in chunks against the last state; the program is killed in the middle, started again (and sometimes
//! killed again while it is starting), and asked what it still knows:
//!
//! | what a client was told | what must be true afterwards |
//! |---|---|
//! | 200 to a save | it is the file's content or, if a later one is, a kept version, byte for byte |
//! | nothing yet, to a save | it is the content, whole, or the one before it is |
//! | 200 to a lock | it is held, unless it was given back since |
//! | nothing yet, to a lock operation | the lock is as before it or as after it |
//! | 200 to a save in chunks | the alternate stream, if any, is that of the same state as the content |
//! | nothing yet, to a save in chunks | both streams are as before it or as after it |
//! | a sequence number | it is still that one if nothing was saved since, else a larger one |
//! | 200 to a piece of an upload | the upload goes on behind it |
//!
//! Each file has one client, so there is one right answer but for the single call that the kill interrupted.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends by panicking")]

mod chunks;
#[path = "../common/mod.rs"]
mod common;

use std::path::Path;
use std::time::{Duration, Instant};

use chunks::Delta;
use common::frames::sequence_of;
use common::{Answer, Chance, Client, Lectern, Settings, Token, sha256};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How often the program is killed.
const ROUNDS: usize = 12;
/// After how many answered saves on average.
const SAVES_PER_ROUND: u64 = 25;
/// How many files, each with a client of its own.
const FILES: usize = 6;
/// Every so many files are held by a coauth lock, and saved only in chunks.
const COAUTH_EVERY: usize = 3;
/// Longest save.
const SAVE_BYTES_MAX: u64 = 300_000;
/// How long after the last answer that is waited for the kill comes, at most.
const KILL_DELAY_MAX: Duration = Duration::from_millis(20);
/// How long a start goes on, at most, before it is killed.
const START_DELAY_MAX: Duration = Duration::from_millis(80);
/// No more rounds after this time, on slow machines; the rounds that were run count.
const TIME_MAX: Duration = Duration::from_secs(60);
/// Fewer rounds than this show nothing.
const ROUNDS_MIN: usize = 4;

#[test]
fn what_was_answered_200_outlives_kill_9() {
    common::run(300, async {
        let mut chance = Chance::from_environment("LECTERN_KILL_SEED");
        let scratch = tempfile::tempdir().unwrap();
        let settings = Settings::of(scratch.path());
        let mut stories: Vec<Story> = (0..FILES).map(|n| Story::begin(scratch.path(), n, chance.fork())).collect();
        let mut lectern = settings.start().await;
        for story in &mut stories {
            story.token = Some(settings.token(&story.name));
        }

        let begun = Instant::now();
        let (mut rounds, mut starts_killed) = (0, 0);
        while rounds < ROUNDS && begun.elapsed() < TIME_MAX {
            stories = work_until_killed(lectern, stories, &mut chance).await;
            rounds += 1;
            if chance.once_in(3) {
                let starting = settings.spawn();
                tokio::time::sleep(START_DELAY_MAX.mul_f64(chance.below(1000) as f64 / 1000.0)).await;
                starting.kill();
                starts_killed += 1;
            }
            lectern = settings.start().await;
            for story in &mut stories {
                story.is_still_true(&lectern).await;
            }
        }
        for story in &mut stories {
            story.versions_checked = 0;
            story.is_still_true(&lectern).await;
        }
        let saves: usize = stories.iter().map(|story| story.accepted.len() - 1).sum();
        let in_chunks: usize = stories.iter().map(|story| story.saved_in_chunks).sum();
        println!(
            "{rounds} kills, {starts_killed} more while starting, {saves} saves, {in_chunks} of them in chunks, {:?}",
            begun.elapsed()
        );
        assert!(rounds >= ROUNDS_MIN, "only {rounds} rounds in {TIME_MAX:?}");
        assert!(saves as u64 >= rounds as u64 * SAVES_PER_ROUND / 4, "{saves} saves are no load");
        assert!(in_chunks > rounds, "{in_chunks} saves in chunks are no load");
    });
}

/// Lets all clients work, and kills the program at a random moment.
async fn work_until_killed(lectern: Lectern, stories: Vec<Story>, chance: &mut Chance) -> Vec<Story> {
    let answered = watch::Sender::new(0);
    let mut working = JoinSet::new();
    let mut stopped = Vec::new();
    for story in stories {
        working.spawn(story.go_on(lectern.address(), answered.clone()));
    }
    let enough = 1 + chance.below(2 * SAVES_PER_ROUND);
    let mut watching = answered.subscribe();
    tokio::select! {
        seen = watching.wait_for(|count| *count >= enough) => { seen.unwrap(); }
        early = working.join_next() => {
            let early = early.unwrap().unwrap();
            panic!("the program broke off before it was killed, at {:?}", early.asked);
        }
    }
    tokio::time::sleep(KILL_DELAY_MAX.mul_f64(chance.below(1000) as f64 / 1000.0)).await;
    lectern.kill();
    while let Some(story) = working.join_next().await {
        stopped.push(story.unwrap());
    }
    stopped.sort_by(|a, b| a.name.cmp(&b.name));
    stopped
}

/// One file and all that its client knows of it.
#[derive(Debug)]
struct Story {
    name: String,
    token: Option<Token>,
    chance: Chance,
    serial: u64,
    /// Every save that was accepted, the first content included, in order; the last one is current.
    accepted: Vec<Save>,
    /// The lock that is held.
    lock: Option<String>,
    /// The call that was not answered.
    asked: Option<Asked>,
    /// Of how many kept versions the bytes were compared already.
    versions_checked: usize,
    /// The coauth lock that this file is held by; such a one has no other locks.
    coauth_lock: Option<String>,
    /// The chunks of the current content, as the client knows them.
    chunks: Vec<Vec<u8>>,
    /// The SHA-256 of the alternate stream.
    alternate: Option<[u8; 32]>,
    /// The sequence number of the current state, once it is known, and the largest that was ever told.
    sequence: Option<u64>,
    sequence_max: u64,
    /// The bytes of the last PutFile that was asked for.
    sent: Option<Vec<u8>>,
    /// A save in chunks of which some went ahead.
    ahead: Option<Delta>,
    saved_in_chunks: usize,
}

/// A save: enough to know its bytes again.
#[derive(Clone)]
struct Save {
    serial: u64,
    size: u64,
    sha256: [u8; 32],
}

impl Save {
    fn of(serial: u64, bytes: &[u8]) -> Self {
        Self { serial, size: bytes.len() as u64, sha256: sha256(bytes) }
    }
}

impl std::fmt::Debug for Save {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "save {} ({} bytes)", self.serial, self.size)
    }
}

/// A call, and what is so when it was carried out.
#[derive(Clone, Debug)]
enum Asked {
    PutFile(Save),
    /// A save in chunks: the content, unless it stays, and what it is made of.
    PutChunkedFile {
        save: Option<Save>,
        delta: Delta,
    },
    /// A lock operation that leaves the file with this lock.
    Locking(Option<String>),
}

impl Story {
    fn begin(folder: &Path, number: usize, chance: Chance) -> Self {
        let name = format!("file {number}.bin");
        let first = format!("{name}, as it was in the beginning\n");
        std::fs::write(folder.join(&name), &first).unwrap();
        Self {
            name,
            token: None,
            chance,
            serial: 0,
            accepted: vec![Save::of(0, first.as_bytes())],
            lock: None,
            asked: None,
            versions_checked: 0,
            coauth_lock: (number.is_multiple_of(COAUTH_EVERY)).then(|| format!("coauth lock of file {number}")),
            chunks: vec![first.into_bytes()],
            alternate: None,
            sequence: None,
            sequence_max: 0,
            sent: None,
            ahead: None,
            saved_in_chunks: 0,
        }
    }

    /// Works on the file until the program no longer answers.
    async fn go_on(mut self, address: std::net::SocketAddr, answered: watch::Sender<u64>) -> Self {
        let token = self.token.clone().expect("there is one since the start");
        let mut client = Client::open(address, &token).await.unwrap();
        if let Some(lock) = &self.coauth_lock {
            // A renewal, from the second round on.
            let question = client.file().coauth_lock(lock);
            let Ok(answer) = client.send(&question).await else { return self };
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        // Ends at the latest when the test's time is over.
        loop {
            self.serial += 1;
            let fresh = format!("{} lock {}", self.name, self.serial);
            let answer = match (self.lock.clone(), self.chance.below(10)) {
                _ if self.coauth_lock.is_some() || self.ahead.is_some() => self.put_chunked(&mut client).await,
                (Some(_), 3..6) => self.put_chunked(&mut client).await,
                (None, _) => {
                    self.asked = Some(Asked::Locking(Some(fresh.clone())));
                    client.lock(&fresh).await
                }
                (Some(held), 0) => {
                    self.asked = Some(Asked::Locking(None));
                    client.unlock(&held).await
                }
                (Some(held), 1) => {
                    self.asked = Some(Asked::Locking(Some(fresh.clone())));
                    client.unlock_and_relock(&held, &fresh).await
                }
                (Some(held), 2) => {
                    self.asked = Some(Asked::Locking(Some(held.clone())));
                    client.refresh_lock(&held).await
                }
                (Some(held), _) => {
                    let body = self.body();
                    self.asked = Some(Asked::PutFile(Save::of(self.serial, &body)));
                    self.sent = Some(body.clone());
                    client.put_file(&held, body).await
                }
            };
            let Ok(answer) = answer else { return self };
            self.was_answered(&answer, &answered);
        }
    }

    /// Saves in chunks, against the last state. What goes ahead in an upload changes nothing yet.
    async fn put_chunked(&mut self, client: &mut Client) -> std::io::Result<Answer> {
        let gone = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        let sequence = match self.sequence {
            Some(sequence) => sequence,
            None => sequence_of(&client.send(&client.file().operation("GET_SEQUENCE_NUMBER")).await?),
        };
        self.sequence = Some(sequence);
        self.sequence_max = self.sequence_max.max(sequence);
        let line = format!("{}, save {}\n", self.name, self.serial);
        let made = self.ahead.take().unwrap_or_else(|| Delta::make(&line, &self.chunks, &mut self.chance));
        let delta = self.ahead.insert(made);
        delta.send_ahead(client).await.ok_or_else(gone)?;
        let delta = delta.clone();
        let save = delta.main.as_ref().map(|chunks| Save::of(self.serial, &chunks.concat()));
        self.asked = Some(Asked::PutChunkedFile { save, delta: delta.clone() });
        let lock = match (&self.coauth_lock, &self.lock) {
            (Some(id), _) => ("X-WOPI-CoauthLockId", id.as_str()),
            (None, Some(id)) => ("X-WOPI-Lock", id.as_str()),
            (None, None) => unreachable!("it is locked first"),
        };
        delta.put(client, sequence, lock).await
    }

    /// The content is now what was asked for.
    fn is_saved(&mut self, save: Save, chunks: Vec<Vec<u8>>, alternate: Option<[u8; 32]>) {
        self.accepted.push(save);
        self.chunks = chunks;
        self.alternate = alternate;
        self.sequence = None;
    }

    /// A save in chunks was carried out.
    fn is_saved_in_chunks(&mut self, save: Option<Save>, delta: Delta) {
        let alternate = delta.alternate.as_deref().map(sha256).or(self.alternate);
        self.saved_in_chunks += 1;
        self.ahead = None;
        match (save, delta.main) {
            (Some(save), Some(chunks)) => self.is_saved(save, chunks, alternate),
            _ => (self.alternate, self.sequence) = (alternate, None),
        }
    }

    fn was_answered(&mut self, answer: &Answer, answered: &watch::Sender<u64>) {
        assert_eq!(answer.status, 200, "{}: {:?} was answered {answer:?}", self.name, self.asked);
        match self.asked.take().expect("something was asked") {
            Asked::PutFile(save) => {
                let body = self.sent.take().expect("it was sent");
                self.is_saved(save, vec![body], None);
                answered.send_modify(|count| *count += 1);
            }
            Asked::PutChunkedFile { save, delta } => {
                self.is_saved_in_chunks(save, delta);
                let sequence = sequence_of(answer);
                assert!(sequence > self.sequence_max, "{}: {sequence} after {}", self.name, self.sequence_max);
                (self.sequence, self.sequence_max) = (Some(sequence), sequence);
                answered.send_modify(|count| *count += 1);
            }
            Asked::Locking(lock) => self.lock = lock,
        }
    }

    /// Bytes that no other save has: a line that says whose they are, then noise; short and long ones.
    fn body(&mut self) -> Vec<u8> {
        let mut bytes = format!("{}, save {}\n", self.name, self.serial).into_bytes();
        let size = self.chance.below(SAVE_BYTES_MAX) >> (4 * self.chance.below(4));
        bytes.extend(self.chance.bytes(usize::try_from(size).expect("it is small")));
        bytes
    }

    /// Asks the program, which was started again, for everything that it once answered 200.
    async fn is_still_true(&mut self, lectern: &Lectern) {
        let token = self.token.clone().expect("there is one since the start");
        let mut client = Client::open(lectern.address(), &token).await.unwrap();
        let asked = self.asked.take();

        if let Some(lock) = &self.coauth_lock {
            let renewal = client.file().operation("REFRESH_COAUTH_LOCK").header("X-WOPI-CoauthLockId", lock);
            let answer = client.send(&renewal.header("X-WOPI-CoauthLockExpirationTimeout", "3600")).await.unwrap();
            assert_eq!(answer.status, 200, "{}: the coauth lock is gone: {answer:?}", self.name);
        } else {
            let held = Some(client.held().await).filter(|lock| !lock.is_empty());
            match &asked {
                Some(Asked::Locking(after)) if held == *after => {}
                _ => assert_eq!(
                    held, self.lock,
                    "{}: the lock is neither as answered nor as asked: {asked:?}",
                    self.name
                ),
            }
            self.lock = held;
        }

        let content = client.content().await;
        let current = Save::of(0, &content);
        let is_it = |save: &Save| save.sha256 == current.sha256;
        let (sequence, stream, alternate) = chunks::streams(&mut client).await;
        assert!(stream.concat() == content, "{}: GetChunkedFile shows other bytes than GetFile", self.name);
        let (known, sent) = (self.sequence, self.sent.take());
        let was_carried_out = match asked {
            Some(Asked::PutFile(save)) if is_it(&save) => {
                self.is_saved(save, vec![sent.expect("it was sent")], None);
                true
            }
            Some(Asked::PutChunkedFile { save: Some(save), delta }) if is_it(&save) => {
                self.is_saved_in_chunks(Some(save), delta);
                true
            }
            Some(Asked::PutChunkedFile { save: None, delta })
                if delta.alternate.as_deref().map(sha256) == alternate =>
            {
                self.is_saved_in_chunks(None, delta);
                true
            }
            asked => {
                let last = self.accepted.last().expect("there is the first one");
                assert!(is_it(last), "{}: {}", self.name, self.describe(&content, &asked));
                false
            }
        };
        let last = self.accepted.last().expect("there is the first one");
        assert!(is_it(last), "{}: {}", self.name, self.describe(&content, &None));
        assert_eq!(alternate, self.alternate, "{}: the alternate stream is of another state", self.name);
        if let (Some(known), false) = (known, was_carried_out) {
            assert_eq!(sequence, known, "{}: the sequence number changed by itself", self.name);
        }
        let enough = self.sequence_max + u64::from(was_carried_out);
        assert!(sequence >= enough, "{}: the sequence number went from {enough} to {sequence}", self.name);
        (self.sequence, self.sequence_max) = (Some(sequence), sequence);
        let on_disk = std::fs::read(lectern.folder().join(&self.name)).unwrap();
        assert!(on_disk == content, "{}: the folder shows other bytes than GetFile", self.name);
        let info = client.check_file_info().await.unwrap().json();
        assert_eq!(info["Size"].as_u64(), Some(content.len() as u64), "{}: CheckFileInfo says {info}", self.name);

        self.versions_are_kept(lectern.settings());
    }

    /// Every accepted save but the current one is a version, in order, with its bytes.
    fn versions_are_kept(&mut self, settings: &Settings) {
        let mut versions = settings.versions(&self.name);
        versions.sort_by_key(|version| version.version.parse::<u64>().expect("versions are counted"));
        let (_, replaced) = self.accepted.split_last().expect("there is the first one");
        let sizes: Vec<u64> = versions.iter().map(|version| version.size).collect();
        let expected: Vec<u64> = replaced.iter().map(|save| save.size).collect();
        assert_eq!(sizes, expected, "{}: the versions are not the saves that were replaced: {versions:?}", self.name);
        for (version, save) in versions.iter().zip(replaced).skip(self.versions_checked) {
            let bytes = settings.version_bytes(&self.name, &version.version);
            let same = sha256(&bytes) == save.sha256;
            assert!(same, "{}: version {} is not save {}", self.name, version.version, save.serial);
        }
        self.versions_checked = versions.len();
    }

    /// For people: what these bytes are, if they are none that may be there.
    fn describe(&self, content: &[u8], asked: &Option<Asked>) -> String {
        let expected = self.accepted.last().expect("there is the first one");
        let earlier = self.accepted.iter().find(|save| save.sha256 == sha256(content));
        let line = content.split(|byte| *byte == b'\n').next().unwrap_or_default();
        format!(
            "expected {expected:?} or, if it was asked for, {asked:?}; found {} bytes which {} and begin {:?}",
            content.len(),
            earlier
                .map_or("were never a whole save".to_owned(), |save| format!("are the earlier save {}", save.serial)),
            String::from_utf8_lossy(&line[..line.len().min(60)]),
        )
    }
}
