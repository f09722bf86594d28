//! Two hundred clients race for one file (issue "Serve a folder", *what it must show*, 6).
//!
//! Each of them locks, reads, saves what it made from what it read, and unlocks; the others try to get in between, with
//! and without right. Afterwards [`history::check`] looks for a moment with two holders, a lost update, and a refusal
//! that named the wrong holder. [`coauthors`] is the same for those who hold it together.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends by panicking")]

mod coauthors;
#[path = "../common/mod.rs"]
mod common;
mod history;

use std::sync::Arc;
use std::time::Instant;

use common::{Answer, Chance, Client, Settings, Token};
use history::{Asked, Call, Got, Link};
use tokio::sync::watch;

/// How many clients race.
const CLIENTS: usize = 200;
/// How many things each of them tries; what a holder does counts as one.
const TRIES: usize = 60;
/// After a refusal a client waits until others have let go so many times at most. Without a pause the holder's four
/// requests would stand in line behind everybody's refusals, and hardly anybody would ever hold.
const PAUSE_MAX: u64 = 20;
/// Fewer saves than this are no race.
const SAVES_MIN: usize = 100;
/// The save that stands in the file at first.
const FIRST: u64 = 1;
/// Longest padding of a save.
const PADDING_BYTES_MAX: u64 = 8192;

#[test]
fn two_hundred_clients_on_one_file_lose_nothing_and_never_hold_it_twice() {
    common::run(240, async {
        let mut chance = Chance::from_environment("LECTERN_RACE_SEED");
        let scratch = tempfile::tempdir().unwrap();
        std::fs::write(scratch.path().join("race.txt"), body(Link { after: 0, this: FIRST }, &mut chance)).unwrap();
        let settings = Settings::of(scratch.path());
        let mut lectern = settings.start().await;
        let token = settings.token("race.txt");

        let shared = Arc::new(Shared { clock: Instant::now(), released: watch::Sender::new(0) });
        let mut racers = tokio::task::JoinSet::new();
        for number in 0..CLIENTS {
            let client = Client::open(lectern.address(), &token).await.unwrap();
            let racer = Racer {
                number,
                client,
                chance: chance.fork(),
                shared: Arc::clone(&shared),
                serial: 0,
                calls: Vec::new(),
            };
            racers.spawn(racer.race());
        }
        let history = racers.join_all().await.concat();

        let last = last_save(&lectern, &token).await;
        assert!(lectern.goes_on().await);
        if let Err(why) = history::check(&history, FIRST, last) {
            panic!("no file can explain this history of {} calls: {why}", history.len());
        }
        let count = |wanted: fn(&Call) -> bool| history.iter().filter(|call| wanted(call)).count();
        let saves = count(|call| matches!((&call.asked, &call.got), (Asked::PutFile { .. }, Got::Done)));
        let refusals = count(|call| matches!(call.got, Got::Refused(_)));
        println!("{} calls, {saves} saves, {refusals} refusals", history.len());
        assert!(saves >= SAVES_MIN && refusals >= SAVES_MIN, "{saves} saves and {refusals} refusals are no race");
    });
}

async fn last_save(lectern: &common::Lectern, token: &Token) -> u64 {
    let content = Client::open(lectern.address(), token).await.unwrap().content().await;
    let on_disk = std::fs::read(lectern.folder().join("race.txt")).unwrap();
    assert!(content == on_disk, "the folder shows something else than GetFile");
    link_of(&content).this
}

/// A save: its link, padding, and the link again, so that half of one or a mixture of two is noticed.
fn body(link: Link, chance: &mut Chance) -> Vec<u8> {
    let mark = format!("save {} made from {}\n", link.this, link.after).into_bytes();
    let padding = chance.below(PADDING_BYTES_MAX) as usize;
    [mark.clone(), vec![b'.'; padding], b"\n".to_vec(), mark].concat()
}

fn link_of(content: &[u8]) -> Link {
    let text = std::str::from_utf8(content).expect("saves are text");
    let mark_end = text.find('\n').map(|at| at + 1).unwrap_or_else(|| panic!("half a save: {text:?}"));
    let mark = &text[..mark_end];
    assert!(text.len() > 2 * mark.len() && text.ends_with(mark), "half a save, or two: {text:?}");
    let words: Vec<&str> = mark.split_whitespace().collect();
    match words[..] {
        ["save", this, "made", "from", after] => {
            Link { after: after.parse().expect("a number"), this: this.parse().expect("a number") }
        }
        _ => panic!("not one of our saves: {mark:?}"),
    }
}

struct Shared {
    clock: Instant,
    /// Counts how often somebody let go, once before and once after; whoever is done counts [`PAUSE_MAX`].
    released: watch::Sender<u64>,
}

struct Racer {
    number: usize,
    client: Client,
    chance: Chance,
    shared: Arc<Shared>,
    serial: u64,
    calls: Vec<Call>,
}

impl Racer {
    async fn race(mut self) -> Vec<Call> {
        for _ in 0..TRIES {
            let seen = *self.shared.released.borrow();
            let asked = match self.chance.below(10) {
                0 => Asked::GetLock,
                1 => Asked::Unlock(self.fresh_id()),
                2 => Asked::PutFile { lock: self.fresh_id(), link: Link { after: 0, this: self.fresh_number() } },
                _ => Asked::Lock(self.fresh_id()),
            };
            let got = self.call(asked.clone()).await;
            if let (Asked::Lock(id), Got::Done) = (asked, &got) {
                self.hold(id).await;
            }
            if let Got::Refused(Some(_)) = got {
                // Whoever holds the file now will count past this before it is done, so nobody waits for ever.
                let enough = seen + 1 + self.chance.below(PAUSE_MAX);
                self.shared.released.subscribe().wait_for(|count| *count >= enough).await.unwrap();
            }
        }
        self.shared.released.send_modify(|count| *count += PAUSE_MAX);
        self.calls
    }

    /// Reads and saves under the lock, sometimes more than once, and lets go.
    async fn hold(&mut self, mut id: String) {
        loop {
            let Got::Content(after) = self.call(Asked::GetFile).await else { unreachable!("understand() saw to it") };
            let link = Link { after, this: self.fresh_number() };
            self.call(Asked::PutFile { lock: id.clone(), link }).await;
            if self.chance.once_in(8) {
                self.call(Asked::RefreshLock(id.clone())).await;
            }
            if !self.chance.once_in(4) {
                break;
            }
            let new = self.fresh_id();
            self.call(Asked::UnlockAndRelock { old: id, new: new.clone() }).await;
            id = new;
        }
        self.shared.released.send_modify(|count| *count += 1);
        self.call(Asked::Unlock(id)).await;
        self.shared.released.send_modify(|count| *count += 1);
    }

    fn fresh_id(&mut self) -> String {
        let number = self.fresh_number();
        format!("client {} lock {number}", self.number)
    }

    fn fresh_number(&mut self) -> u64 {
        self.serial += 1;
        (self.number as u64 + 1) << 32 | self.serial
    }

    /// Asks, and notes question, answer and times.
    async fn call(&mut self, asked: Asked) -> Got {
        let asked_at = self.now();
        let answer = self.ask(&asked).await.unwrap_or_else(|error| panic!("{asked:?}: {error}"));
        let answered_at = self.now();
        let got = understand(&asked, &answer);
        self.calls.push(Call { client: self.number, asked_at, answered_at, asked, got: got.clone() });
        got
    }

    async fn ask(&mut self, asked: &Asked) -> std::io::Result<Answer> {
        match asked {
            Asked::Lock(id) => self.client.lock(id).await,
            Asked::RefreshLock(id) => self.client.refresh_lock(id).await,
            Asked::Unlock(id) => self.client.unlock(id).await,
            Asked::UnlockAndRelock { old, new } => self.client.unlock_and_relock(old, new).await,
            Asked::PutFile { lock, link } => {
                let body = body(*link, &mut self.chance);
                self.client.put_file(lock, body).await
            }
            Asked::GetLock => self.client.get_lock().await,
            Asked::GetFile => self.client.get_file().await,
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.shared.clock.elapsed().as_nanos()).expect("five hundred years")
    }
}

fn understand(asked: &Asked, answer: &Answer) -> Got {
    let lock = || answer.header("X-WOPI-Lock").filter(|id| !id.is_empty()).map(str::to_owned);
    match (asked, answer.status) {
        (Asked::GetLock, 200) => Got::Lock(lock()),
        (Asked::GetFile, 200) => Got::Content(link_of(&answer.body).this),
        (_, 200) => Got::Done,
        (_, 409) => Got::Refused(lock()),
        _ => panic!("{asked:?} was answered {answer:?}"),
    }
}

#[test]
fn a_save_that_is_cut_or_mixed_is_noticed() {
    let mut chance = Chance::new(1);
    let whole = body(Link { after: 1, this: 2 }, &mut chance);
    let other = body(Link { after: 2, this: 3 }, &mut chance);
    assert_eq!(link_of(&whole), Link { after: 1, this: 2 });
    let half = whole[..whole.len() / 2].to_vec();
    let mixed = [&whole[..whole.len() / 2], &other[other.len() / 2..]].concat();
    for (what, content) in [("half", half), ("mixed", mixed)] {
        assert!(std::panic::catch_unwind(|| link_of(&content)).is_err(), "{what} went unnoticed");
    }
}
