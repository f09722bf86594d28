//! Several who hold a file by coauth locks save in chunks by sequence numbers, and nobody's save is lost (issue
//! "Coauthoring").
//!
//! Everybody reads, appends a chunk that nobody else has, and saves at the sequence number that was read; who is told
//! 412 reads again. So the file is a list of all saves that were accepted, and of nothing else:
//!
//! | rule | found by |
//! |---|---|
//! | at one sequence number one save wins | two of them accepted at it, or none of those that came at once |
//! | no accepted save is lost | its chunk is not in the file, or not in the order of the numbers |
//! | a refused save leaves nothing | its chunk is in the file |
//! | who is refused learns the number | it is not larger than the one that was sent, or nobody was given it |

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::common::frames::{Told, save, sequence_of};
use super::common::{self, Client, Settings, Token};

/// How many coauthors there are.
const COAUTHORS: usize = 16;
/// How often all of them save at once what they read at once.
const HEATS: usize = 12;
/// How many saves each of them brings through by itself.
const SAVES: usize = 6;
/// Most tries for all of that; somebody wins each time, so it cannot take more.
const TRIES_MAX: usize = HEATS + COAUTHORS * SAVES;
/// What the file holds before.
const FIRST: &str = "the beginning\n";

/// One save and what became of it.
#[derive(Debug)]
struct Try {
    at: u64,
    line: String,
    accepted: bool,
    told: u64,
}

struct Coauthor {
    number: usize,
    client: Client,
    lock: String,
    tries: Vec<Try>,
}

impl Coauthor {
    async fn open(number: usize, address: SocketAddr, token: Token) -> Self {
        let mut client = Client::open(address, &token).await.unwrap();
        let lock = format!("coauthor {number}");
        let question = client.file().coauth_lock(&lock);
        let answer = client.send(&question).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        Self { number, client, lock, tries: Vec::new() }
    }

    async fn read(&mut self) -> Told {
        let question = self.client.file().get_chunked(&["MainContent"]);
        Told::read(&self.client.send(&question).await.unwrap())
    }

    /// Appends a line to what was read. Says whether that was accepted.
    async fn append(&mut self, told: &Told) -> bool {
        let line = format!("coauthor {}, try {}\n", self.number, self.tries.len());
        let mut chunks = told.stream(0);
        chunks.push(line.clone().into_bytes());
        let request = self.client.file().put_chunked(told.sequence).header("X-WOPI-CoauthLockId", &self.lock);
        let answer = self.client.send(&request.body(save(&chunks, &[line.as_bytes()]))).await.unwrap();
        assert!(matches!(answer.status, 200 | 412), "{line}: {answer:?}");
        let accepted = answer.status == 200;
        self.tries.push(Try { at: told.sequence, line, accepted, told: sequence_of(&answer) });
        accepted
    }

    async fn race(mut self, together: Arc<Barrier>) -> Vec<Try> {
        for _ in 0..HEATS {
            together.wait().await;
            let told = self.read().await;
            together.wait().await;
            self.append(&told).await;
        }
        together.wait().await;
        let mut saves = 0;
        while saves < SAVES {
            assert!(self.tries.len() < TRIES_MAX, "{} tries and only {saves} saves", self.tries.len());
            let told = self.read().await;
            saves += usize::from(self.append(&told).await);
        }
        self.tries
    }
}

#[test]
fn of_sixteen_coauthors_nobody_loses_a_save() {
    common::run(240, async {
        let scratch = tempfile::tempdir().unwrap();
        std::fs::write(scratch.path().join("list.txt"), FIRST).unwrap();
        let settings = Settings::of(scratch.path());
        let mut lectern = settings.start().await;
        let token = settings.token("list.txt");
        let together = Arc::new(Barrier::new(COAUTHORS));
        let mut racing = JoinSet::new();
        for number in 0..COAUTHORS {
            let (address, token, together) = (lectern.address(), token.clone(), Arc::clone(&together));
            racing.spawn(async move { Coauthor::open(number, address, token).await.race(together).await });
        }
        let tries: Vec<Try> = racing.join_all().await.into_iter().flatten().collect();
        assert!(lectern.goes_on().await);

        let content = Client::open(lectern.address(), &token).await.unwrap().content().await;
        let on_disk = std::fs::read(lectern.folder().join("list.txt")).unwrap();
        assert!(content == on_disk, "the folder shows something else than GetFile");
        if let Err(why) = check(&tries, std::str::from_utf8(&content).unwrap()) {
            panic!("{why}");
        }
        let accepted = tries.iter().filter(|one| one.accepted).count();
        println!("{} saves, {accepted} of them accepted", tries.len());
        assert_eq!(accepted, HEATS + COAUTHORS * SAVES);
        assert!(tries.len() - accepted >= HEATS * (COAUTHORS - 1), "too few refusals for a race");
    });
}

/// Whether these tries explain what the file holds in the end.
fn check(tries: &[Try], content: &str) -> Result<(), String> {
    let mut winners = BTreeMap::new();
    for one in tries.iter().filter(|one| one.accepted) {
        if one.told <= one.at {
            return Err(format!("the number did not grow: {one:?}"));
        }
        if let Some(other) = winners.insert(one.at, one) {
            return Err(format!("two saves at one number: {other:?} and {one:?}"));
        }
    }
    let given: BTreeSet<u64> = winners.values().map(|one| one.told).collect();
    for one in tries.iter().filter(|one| !one.accepted) {
        if !winners.contains_key(&one.at) {
            return Err(format!("refused, but nobody saved at its number: {one:?}"));
        }
        if one.told <= one.at || !given.contains(&one.told) {
            return Err(format!("refused with a number that nobody was given: {one:?}"));
        }
    }
    let expected: String = std::iter::once(FIRST).chain(winners.values().map(|one| one.line.as_str())).collect();
    if content != expected {
        return Err(format!("the file holds {content:?} and not what was accepted, {expected:?}"));
    }
    Ok(())
}

#[test]
fn a_save_that_is_lost_doubled_or_left_over_is_noticed() {
    let one = |at, line: &str, accepted, told| Try { at, line: line.to_owned(), accepted, told };
    let good = || vec![one(1, "a\n", true, 2), one(1, "b\n", false, 2), one(2, "c\n", true, 3)];
    let whole = format!("{FIRST}a\nc\n");
    assert_eq!(check(&good(), &whole), Ok(()));
    for (why, changed, content) in [
        ("not what was accepted", None, format!("{FIRST}a\n")),
        ("not what was accepted", None, format!("{FIRST}c\n")),
        ("not what was accepted", None, format!("{FIRST}c\na\n")),
        ("not what was accepted", None, format!("{FIRST}a\nb\nc\n")),
        ("two saves at one number", Some(one(1, "d\n", true, 4)), whole.clone()),
        ("did not grow", Some(one(3, "d\n", true, 3)), whole.clone()),
        ("nobody saved at its number", Some(one(9, "d\n", false, 10)), whole.clone()),
        ("nobody was given", Some(one(2, "d\n", false, 2)), whole.clone()),
        ("nobody was given", Some(one(2, "d\n", false, 9)), whole.clone()),
    ] {
        let tries: Vec<Try> = good().into_iter().chain(changed).collect();
        let verdict = check(&tries, &content).unwrap_err();
        assert!(verdict.contains(why), "expected {why:?}, the checker says {verdict:?}");
    }
}
