//! A campaign: clients, trouble, and what is looked at afterwards.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::Instant;

use super::aftermath::{self, Bytes, Summary};
use super::client::{Client, path_of, request_of};
use super::common::http::{Request, once};
use super::common::{Answer, Chance, Token};
use super::history::{Asked, Got, History, Id};
use super::linear::{self, Explained};
use super::shared::{Everyone, Shared};
use super::trouble;
use super::world::{NODES, Wanted, World};

/// How long all is well, so that clients find their places, before anything goes wrong.
const WARM_UP: Duration = Duration::from_secs(1);

/// How often, at most, something is asked that has to be answered.
const TRIES_MAX: usize = 100;

/// Whose tokens the clients have.
const USERS: [&str; 3] = ["ada", "bert", "cleo"];

/// What a campaign is like.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) program: PathBuf,
    pub(crate) seed: u64,
    /// How long things go wrong.
    pub(crate) lasts: Duration,
    pub(crate) clients: usize,
    pub(crate) files: usize,
    /// How long until a quiet moment, when everything is stopped and looked at in between.
    pub(crate) quiet_every: Duration,
    /// Of so many stretches of a file's history, from one quiet moment to the next, the checker may give up one.
    pub(crate) undecided_one_in: usize,
    /// Whether a node is frozen for longer than a lock lasts.
    pub(crate) past_a_lock: bool,
    /// Whether the database has a standby, which takes over in the middle.
    pub(crate) fails_over: bool,
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) wrong: Vec<String>,
    pub(crate) explained: Explained,
    pub(crate) summary: Summary,
    pub(crate) saves: u64,
    pub(crate) saves_in_doubt: usize,
    pub(crate) calls: u64,
    pub(crate) faults: u64,
    lines: Vec<String>,
    logs: Option<PathBuf>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        let Explained { answered, perhaps, relevant, pairs, stretches, undecided } = self.explained;
        writeln!(
            f,
            "checked: {answered} answered calls and {perhaps} of which nobody knows ({relevant} of them could matter); at \
             most {pairs} states at a time; of {stretches} stretches between quiet moments {undecided} were too much for the \
             search"
        )?;
        let Summary { versions, rescued, objects } = self.summary;
        writeln!(
            f,
            "at the end: {versions} versions, {rescued} rescued saves, {objects} objects; {} saves answered 200, {} in doubt",
            self.saves, self.saves_in_doubt
        )?;
        for wrong in &self.wrong {
            writeln!(f, "VIOLATION: {wrong}")?;
        }
        if let Some(logs) = &self.logs {
            writeln!(f, "histories, settings and logs of the nodes are in {}", logs.display())?;
        }
        let verdict = if self.wrong.is_empty() { "nothing is wrong" } else { "SOMETHING IS WRONG" };
        write!(f, "{} calls, {} faults: {verdict}", self.calls, self.faults)
    }
}

/// Runs one. `None` where there is no PostgreSQL.
pub(crate) async fn run(plan: &Plan) -> Option<Report> {
    let mut chance = Chance::new(plan.seed);
    let world = Arc::new(World::start(&plan.program, &Wanted { standby: plan.fails_over, ..Wanted::default() }).await?);
    let mut shared = Shared::new();
    make_files(&world, &mut shared, plan.files).await;
    let shared = Arc::new(shared);

    let mut working = JoinSet::new();
    for number in 0..plan.clients {
        let client = Client::new(number, chance.fork(), Arc::clone(&shared), Arc::clone(&world));
        working.spawn(client.work());
    }
    let looking = tokio::spawn(trouble::look_after_nodes(Arc::clone(&world), Arc::clone(&shared)));
    tokio::time::sleep(WARM_UP).await;
    let end = Instant::now() + plan.lasts;
    let middle = Instant::now() + plan.lasts / 2;
    let mut first = true;
    while Instant::now() < end {
        let quiet_at = end.min(Instant::now() + plan.quiet_every);
        if first && plan.past_a_lock {
            let node = usize::try_from(chance.below(NODES as u64)).expect("it is small");
            *world.reserved.lock().await = Some(node);
            let mut one = chance.fork();
            tokio::join!(
                trouble::make(&world, &mut one, &shared, quiet_at),
                trouble::freeze_past_a_lock(&world, node, &shared)
            );
            *world.reserved.lock().await = None;
        } else {
            trouble::make(&world, &mut chance, &shared, quiet_at).await;
        }
        first = false;
        if world.has_standby() && Instant::now() >= middle {
            trouble::fail_over(&world, &mut chance, &shared).await;
        }
        if Instant::now() < end {
            quiet_moment(&world, &shared, &mut chance).await;
        }
    }

    world.heal().await;
    if let Err(why) = world.all_are_ready().await {
        shared.is_wrong(format!("all is well again, and {why}"));
    }
    shared.is_over.store(true, Ordering::Relaxed);
    while let Some(ended) = working.join_next().await {
        if let Err(why) = ended {
            shared.is_wrong(format!("a client: {why}"));
        }
    }
    looking.await.expect("it only looks");
    read_everything(&world, &shared, &mut chance).await;
    Some(report(world, shared).await)
}

/// Makes the files, as a person does with a phone: from the bootstrapper to the root, and a new file there. Tokens are an
/// operator's.
async fn make_files(world: &World, shared: &mut Shared, files: usize) {
    let node = world.nodes[0].address;
    let asked = async |request: Request| -> Answer {
        let answer = once(node, &request).await.expect("nothing is wrong yet");
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    };
    for user in USERS {
        world.operator(&["user", "add", user, "--role", "editor"]);
    }
    let printed = world.operator_json(&["token", "--bootstrapper", "--client", "none", "--json"]);
    let bearer = format!("Bearer {}", printed["bearer_token"].as_str().expect("a token"));
    let root = Request::post("/wopibootstrapper").header("Authorization", &bearer);
    let root = asked(root.header("X-WOPI-EcosystemOperation", "GET_ROOT_CONTAINER")).await.json();
    let container = root["RootContainerInfo"]["ContainerPointer"]["Url"].as_str().expect("a URL");
    for number in 0..files {
        let name = Id::new(&format!("file {number}"));
        let create = Request::post(&path_of(container)).header("X-WOPI-Override", "CREATE_CHILD_FILE");
        asked(create.header("X-WOPI-SuggestedTarget", format!("{name:?}.bin"))).await;
        let token = |user: &&str| {
            let token = ["token", &format!("{name:?}.bin"), "--user", user, "--client", "none", "--json"];
            let printed = world.operator_json(&token);
            Token {
                wopi_src: printed["wopi_src"].as_str().expect("a URL").to_owned(),
                access_token: printed["access_token"].as_str().expect("a token").to_owned(),
                expires_at_ms: printed["access_token_ttl"].as_u64().expect("a time"),
            }
        };
        let tokens: Vec<Token> = USERS.iter().map(token).collect();
        let (save, (), body) = shared.new_save(|_, line| ((), line.as_bytes().to_vec()));
        let first = super::common::wopi_client::File::of(&tokens[0]).put_file();
        asked(first.body(body)).await;
        shared.add_target(tokens, save, name);
    }
}

/// Waits until nothing is on its way, stops everything, looks whether all bytes are there that something points to, starts
/// everything again, and reads what became of the files.
async fn quiet_moment(world: &Arc<World>, shared: &Everyone, chance: &mut Chance) {
    let nothing_on_its_way = shared.calls.write().await;
    world.silence().await;
    let missing = Bytes::look(world).await.missing().len();
    if missing > 0 {
        shared.is_wrong(format!("at a quiet moment {missing} contents are pointed to and not there"));
    }
    if let Err(why) = world.start_again().await {
        shared.is_wrong(format!("after a quiet moment: {why}"));
    }
    read_everything(world, shared, chance).await;
    shared.note_quiet();
    drop(nothing_on_its_way);
}

/// Reads everything that clients can tell of every file. All is well, so all must be answered.
async fn read_everything(world: &Arc<World>, shared: &Everyone, chance: &mut Chance) {
    let mut client = Client::reader(chance.fork(), Arc::clone(shared), Arc::clone(world));
    for target in &shared.targets {
        for asked in [Asked::GetFile, Asked::CheckFileInfo, Asked::GetLock, Asked::GetCoauthTable] {
            let request = request_of(target.token(client.number), &asked);
            let mut tries = 0;
            loop {
                match client.call(target, asked.clone(), &request).await {
                    None | Some(Got::Perhaps) => {}
                    Some(_) => break,
                }
                tries += 1;
                if tries == TRIES_MAX {
                    shared
                        .is_wrong(format!("all is well again, and nobody answers {asked:?} of file {}", target.number));
                    break;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn report(world: Arc<World>, shared: Everyone) -> Report {
    let summary = aftermath::check(&world, &shared).await;
    let mut lines = Vec::new();
    let mut explained = Explained::default();
    let mut saves_in_doubt = 0;
    let histories = shared.histories();
    let checking: Vec<_> = histories.iter().cloned().map(|one| spawn_blocking(move || linear::check(&one))).collect();
    for (history, checked) in histories.iter().zip(checking) {
        saves_in_doubt += history.calls.iter().filter(|call| aftermath::in_doubt(call)).count();
        match checked.await.expect("it does not panic") {
            Ok(one) => {
                explained.answered += one.answered;
                explained.perhaps += one.perhaps;
                explained.relevant += one.relevant;
                explained.pairs = explained.pairs.max(one.pairs);
                explained.stretches += one.stretches;
                explained.undecided += one.undecided;
            }
            Err(why) => shared.is_wrong(why),
        }
    }
    for line in world.panics() {
        shared.is_wrong(line);
    }
    let saves = |history: &History| {
        history.calls.iter().filter(|call| call.got == Got::Done && call.asked.save().is_some()).count() as u64
    };
    let saves = histories.iter().map(saves).sum();
    for prefix in ["calls/", "answers/", "faults/"] {
        let counts: Vec<String> = shared.counts(prefix).iter().map(|(what, count)| format!("{what} {count}")).collect();
        lines.push(format!("{} {}", prefix.replace('/', ":"), counts.join(", ")));
    }
    let (calls, faults) = (shared.counted("answers/"), shared.counted("faults/"));
    let wrong = shared.wrong();
    let mut logs = None;
    if !wrong.is_empty() {
        lines.extend(world.log_about("ERROR", 10));
        match Arc::try_unwrap(world) {
            Ok(mut world) => {
                let folder = world.keep_logs();
                for history in &histories {
                    write_down(history, &folder);
                }
                logs = Some(folder);
            }
            Err(_) => unreachable!("all clients have ended"),
        }
    }
    Report { wrong, explained, summary, saves, saves_in_doubt, calls, faults, lines, logs }
}

/// Writes a history into a file, for somebody to read.
fn write_down(history: &History, folder: &Path) {
    let mut calls = history.calls.clone();
    calls.sort_by_key(|call| call.asked_at);
    let calls: String = calls.iter().map(|call| format!("{call}\n")).collect();
    let quiet = format!("quiet at {:?}\n", history.quiet);
    std::fs::write(folder.join(format!("{}.history", history.file)), quiet + &calls).expect("the folder is ours");
}

/// The program that is tried: `LECTERN_PROGRAM`, or the one built with this test.
pub(crate) fn program() -> PathBuf {
    let program = std::env::var_os("LECTERN_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_lectern").into());
    Path::new(&program).to_owned()
}
