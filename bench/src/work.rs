//! The rows: which work is measured, against what, and which budget of the design it has.

use std::cell::RefCell;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use xtask::lectern::{Lectern, Target};

use crate::Options;
use crate::baselines::{
    BareAxum, Nginx, bytes_written, fdatasyncs_per_second, memory_of, processor_ticks, write_hash_sync,
};
use crate::delta::{Document, delta};
use crate::listing::{BY_NAME, BY_TIME, BareQuery, BareRows, Reader};
use crate::load::{self, Script, Transfer, fetch, turn};
use crate::nodes;
use crate::requests::{Signer, get, lock_and_unlock, post, post_head};
use crate::table::{Budget, Row, Table, Unit, median};

/// Connections for small answers.
const CONNECTIONS: usize = 32;
/// Signed requests that are made; more are sent by beginning anew.
const SIGNED_REQUESTS: usize = 20_000;
/// Files that are locked at once.
const LOCKED_FILES: usize = 64;
/// The size of a save.
const SAVE_BYTES: usize = 10_000_000;
/// Saves in one turn of one side, each of another file: nobody saves one file many times within a second, and what a
/// save leaves to be done after its answer would then be waited for by the next one.
const SAVES_PER_TURN: usize = 5;
/// Clients that upload, and as many that download.
const TRANSFERS: usize = 100;
/// What each of them moves.
const TRANSFER_BYTES: usize = 100_000_000;
/// How long all of them together may take.
const TRANSFER_TIME_MAX: Duration = Duration::from_secs(900);
/// What the process may have then: 96 MiB.
const MEMORY_BUDGET: f64 = 96.0 * 1024.0 * 1024.0;
/// Files over which a start is measured.
const START_FILES: usize = 100_000;
/// How long a start may take, in milliseconds.
const START_BUDGET_MS: f64 = 200.0;
/// Files of the small and the large folder.
const GROWTH_FILES: [usize; 2] = [1000, 1_000_000];
/// Files in one container of such a folder.
const FILES_PER_CONTAINER: usize = 1000;
/// Files of them that are asked for.
const SAMPLED_FILES: usize = 100;
/// Files in the container whose page is measured.
const LISTED_FILES: usize = 10_000;
/// How long indexing may take.
const INDEX_TIME_MAX: Duration = Duration::from_secs(1800);
/// What a save in chunks is called.
const DELTA: &str = "PutChunkedFile, 30 KB of 20 MB changed";
/// Of what PutFile sends, what a delta may send (issue "Coauthoring").
const DELTA_BUDGET: f64 = 0.02;
/// Of the time of PutFile, what a delta may take: it receives next to nothing, but it reads the old file and hashes every
/// chunk once more.
const DELTA_TIME_BUDGET: f64 = 1.25;
/// The name of the client that signs.
const CLIENT: &str = "bench";

/// Measures everything that was asked for.
pub(crate) fn measure(options: &Options, program: &Path, scratch: &Path) -> anyhow::Result<Table> {
    let mut bench = Bench { options, program, scratch, table: Table::default() };
    let basics = ["CheckFileInfo", "GetFile", "PutFile 10 MB", "Lock + Unlock", DELTA];
    if basics.iter().any(|name| options.wants(name)) {
        bench.basics()?;
    }
    if options.wants("listing") {
        bench.listing()?;
    }
    if options.wants("memory") {
        bench.memory()?;
    }
    if [nodes::CHECK_FILE_INFO, nodes::LOCK_AND_UNLOCK, nodes::PUT_FILE].iter().any(|name| options.wants(name)) {
        bench.nodes()?;
    }
    if !options.long {
        let left_out = "start, growth and the memory of a node: they take minutes, see --long";
        bench.table.missing.push(left_out.to_owned());
        return Ok(bench.table);
    }
    if options.wants("start") {
        bench.start()?;
    }
    if options.wants("growth") {
        bench.growth()?;
    }
    if options.wants(nodes::MEMORY) {
        bench.memory_of_a_node()?;
    }
    Ok(bench.table)
}

/// What is measured, with what, and what came out so far.
pub(crate) struct Bench<'b> {
    pub(crate) options: &'b Options,
    pub(crate) program: &'b Path,
    pub(crate) scratch: &'b Path,
    pub(crate) table: Table,
}

/// What all of the short rows share.
struct Scene {
    folder: PathBuf,
    lectern: Lectern,
    axum: BareAxum,
    nginx: Option<Nginx>,
    signer: Signer,
}

/// One side of a row: does one turn and says how much it did.
pub(crate) type Side<'s> = Box<dyn FnMut() -> anyhow::Result<f64> + 's>;

impl Bench<'_> {
    fn basics(&mut self) -> anyhow::Result<()> {
        let folder = self.scratch.join("documents");
        fs::create_dir(&folder)?;
        fs::write(folder.join("info.bin"), vec![b'i'; 10_000])?;
        fs::write(folder.join("1MB.bin"), vec![b'1'; 1_000_000])?;
        fs::write(folder.join("100MB.bin"), vec![b'2'; 100_000_000])?;
        for number in 0..SAVES_PER_TURN {
            fs::write(folder.join(format!("save-{number}.bin")), "to be saved")?;
        }
        for number in 0..LOCKED_FILES {
            fs::write(folder.join(format!("lock-{number}.bin")), "to be locked")?;
        }
        let signer = Signer::new()?;
        let client = format!("{CLIENT}={}", signer.serve_discovery()?);
        let lectern = Lectern::start(self.program, &folder, &["--client", &client])?;

        let info = lectern.token("info.bin", "none")?;
        let answer = self.scratch.join("answer.json");
        fs::write(&answer, fetch(lectern.address(), &get(&info.request_target("")))?)?;
        let axum = BareAxum::start(&folder, &answer)?;
        let nginx = Nginx::start(&folder, &self.scratch.join("nginx"))?;
        if nginx.is_none() {
            self.table.missing.push("nginx: not installed (apt-get install nginx-light)".to_owned());
        }
        let scene = Scene { folder, lectern, axum, nginx, signer };
        if self.options.wants("CheckFileInfo") {
            self.check_file_info(&scene, &info)?;
        }
        if self.options.wants("GetFile") {
            self.get_file(&scene, "1 MB", "1MB.bin", 8, 0.6)?;
            self.get_file(&scene, "100 MB", "100MB.bin", 4, 1.2)?;
        }
        if self.options.wants("PutFile 10 MB") {
            self.put_file(&scene)?;
        }
        if self.options.wants("Lock + Unlock") {
            self.lock_and_unlock(&scene)?;
        }
        if self.options.wants(DELTA) {
            self.delta(&scene)?;
        }
        Ok(())
    }

    /// The same change of the same document, saved as a delta and as a whole.
    fn delta(&mut self, scene: &Scene) -> anyhow::Result<()> {
        let lock = ("X-WOPI-Lock", "bench");
        let (address, process) = (scene.lectern.address(), scene.lectern.process_id());
        let document = Document::new();
        let locked = |kind: &str| -> anyhow::Result<Vec<Target>> {
            let mut targets = Vec::new();
            for number in 0..SAVES_PER_TURN {
                let name = format!("{kind}-{number}.docx");
                fs::write(scene.folder.join(&name), document.after(0))?;
                let token = scene.lectern.token(&name, "none")?;
                let taken = post(&token.request_target(""), &[("X-WOPI-Override", "LOCK"), lock]);
                fetch(address, &taken).context("cannot lock")?;
                targets.push(token);
            }
            Ok(targets)
        };
        let (deltas, wholes) = (locked("delta")?, locked("whole")?);
        // What each side sent and had written for one save, turn by turn.
        let sent: [RefCell<Vec<f64>>; 2] = std::array::from_fn(|_| RefCell::default());
        let written: [RefCell<Vec<f64>>; 2] = std::array::from_fn(|_| RefCell::default());
        let save = |side: usize, saves: &[[Bytes; 2]]| -> anyhow::Result<f64> {
            let before = bytes_written(process)?;
            let took = load::one_by_one(address, saves)?;
            let each = |bytes: usize| bytes as f64 / saves.len() as f64;
            written[side].borrow_mut().push(each(usize::try_from(bytes_written(process)? - before)?));
            sent[side].borrow_mut().push(each(saves.iter().flatten().map(Bytes::len).sum()));
            Ok(median(took.iter().map(|took| took.as_secs_f64() * 1e3).collect()))
        };
        let (mut changes, mut whole_changes) = (0, 0);
        let costs = self.take_turns(
            DELTA,
            vec![
                Box::new(|| {
                    let body = delta(&document.after(changes), &document.after(changes + 1))?;
                    changes += 1;
                    let mut saves = Vec::new();
                    for target in &deltas {
                        let info = fetch(address, &get(&target.request_target("")))?;
                        let info: serde_json::Value = serde_json::from_slice(&info)?;
                        // The version of a file is also the number of its state.
                        let sequence = info["Version"].as_str().context("no Version")?;
                        let headers =
                            [("X-WOPI-Override", "PUT_CHUNKED_FILE"), ("X-WOPI-SequenceNumber", sequence), lock];
                        saves
                            .push([post_head(&target.request_target("/contents"), &headers, body.len()), body.clone()]);
                    }
                    save(0, &saves)
                }),
                Box::new(|| {
                    whole_changes += 1;
                    let body = document.after(whole_changes);
                    let headers = [("X-WOPI-Override", "PUT"), lock];
                    let head = |target: &Target| post_head(&target.request_target("/contents"), &headers, body.len());
                    let saves: Vec<_> = wholes.iter().map(|target| [head(target), body.clone()]).collect();
                    save(1, &saves)
                }),
            ],
        )?;
        let [sent, written] = [sent, written].map(|sides| sides.map(|side| median(side.into_inner())));
        let against = "PutFile of it";
        let row = |what: &str| format!("{DELTA}: {what}");
        self.row(&row("sent"), Unit::Bytes, sent[0], sent[1], against, Budget::AtMost(DELTA_BUDGET));
        self.row(&row("written"), Unit::Bytes, written[0], written[1], against, Budget::AtMost(1.1));
        self.row(&row("time"), Unit::Milliseconds, costs[0], costs[1], against, Budget::AtMost(DELTA_TIME_BUDGET));
        Ok(())
    }

    fn check_file_info(&mut self, scene: &Scene, info: &Target) -> anyhow::Result<()> {
        let signed = scene.lectern.token_of_known_client("info.bin", CLIENT)?;
        let signed = scene.signer.check_file_infos(&signed, SIGNED_REQUESTS)?;
        let shares = signed.chunks(SIGNED_REQUESTS.div_ceil(CONNECTIONS));
        let mut signed: Vec<Script> = shares.map(|share| Script::new(share.to_vec())).collect();
        let mut plain = Script::repeat(&get(&info.request_target("")), CONNECTIONS);
        let mut bare = Script::repeat(&get("/answer"), CONNECTIONS);
        let [lectern, axum] = [scene.lectern.address(), scene.axum.address];
        let length = self.options.turn;
        let rates = self.take_turns(
            "CheckFileInfo",
            vec![
                Box::new(|| requests_per_second(&[lectern], &mut plain, length)),
                Box::new(|| requests_per_second(&[lectern], &mut signed, length)),
                Box::new(|| requests_per_second(&[axum], &mut bare, length)),
            ],
        )?;
        let against = "bare axum, same bytes";
        self.row("CheckFileInfo, token", Unit::PerSecond, rates[0], rates[2], against, Budget::AtLeast(0.5));
        self.row("CheckFileInfo, RSA-2048 proof", Unit::PerSecond, rates[1], rates[2], against, Budget::AtLeast(0.3));
        Ok(())
    }

    fn get_file(
        &mut self,
        scene: &Scene,
        size: &str,
        file: &str,
        connections: usize,
        of_nginx: f64,
    ) -> anyhow::Result<()> {
        let token = scene.lectern.token(file, "none")?;
        let plain = get(&format!("/files/{file}"));
        let mut ours = Script::repeat(&get(&token.request_target("/contents")), connections);
        let mut bare = Script::repeat(&plain, connections);
        let mut sendfile = Script::repeat(&plain, connections);
        let [lectern, axum] = [scene.lectern.address(), scene.axum.address];
        let length = self.options.turn;
        let mut sides: Vec<Side<'_>> = vec![
            Box::new(|| bytes_per_second(lectern, &mut ours, length)),
            Box::new(|| bytes_per_second(axum, &mut bare, length)),
        ];
        if let Some(nginx) = &scene.nginx {
            sides.push(Box::new(|| bytes_per_second(nginx.address, &mut sendfile, length)));
        }
        let work = format!("GetFile {size}");
        let rates = self.take_turns(&work, sides)?;
        self.row(&work, Unit::BytesPerSecond, rates[0], rates[1], "bare axum, 256 KiB reads", Budget::AtLeast(0.9));
        if let Some(nginx) = rates.get(2) {
            self.row(&work, Unit::BytesPerSecond, rates[0], *nginx, "nginx, sendfile", Budget::AtLeast(of_nginx));
        }
        Ok(())
    }

    fn put_file(&mut self, scene: &Scene) -> anyhow::Result<()> {
        let lock = ("X-WOPI-Lock", "bench");
        let mut heads = Vec::new();
        for number in 0..SAVES_PER_TURN {
            let token = scene.lectern.token(&format!("save-{number}.bin"), "none")?;
            let taken = post(&token.request_target(""), &[("X-WOPI-Override", "LOCK"), lock]);
            fetch(scene.lectern.address(), &taken).context("cannot lock")?;
            let target = token.request_target("/contents");
            heads.push(post_head(&target, &[("X-WOPI-Override", "PUT"), lock], SAVE_BYTES));
        }
        let rest = Bytes::from(vec![b's'; SAVE_BYTES - 8]);
        let mut saved = 0_u64;
        // The first eight bytes differ from save to save: the same bytes again would be no new version.
        let mut starts = || {
            saved += 1;
            saved.to_be_bytes()
        };
        let plain: Vec<[Bytes; 2]> =
            (0..SAVES_PER_TURN).map(|_| [Bytes::copy_from_slice(&starts()), rest.clone()]).collect();
        let rates = self.take_turns(
            "PutFile",
            vec![
                Box::new(|| {
                    let save = |head: &Bytes| [Bytes::from([&head[..], &starts()].concat()), rest.clone()];
                    let saves: Vec<_> = heads.iter().map(save).collect();
                    Ok(rate_of(&load::one_by_one(scene.lectern.address(), &saves)?))
                }),
                Box::new(|| Ok(rate_of(&write_hash_sync(&scene.folder.join(".lectern"), &plain)?))),
            ],
        )?;
        let against = "write, SHA-256, fdatasync";
        self.row("PutFile 10 MB, durable", Unit::BytesPerSecond, rates[0], rates[1], against, Budget::AtLeast(0.8));
        Ok(())
    }

    fn lock_and_unlock(&mut self, scene: &Scene) -> anyhow::Result<()> {
        let tokens: Vec<Target> = (0..LOCKED_FILES)
            .map(|number| scene.lectern.token(&format!("lock-{number}.bin"), "none"))
            .collect::<anyhow::Result<_>>()?;
        let mut bare = Script::repeat(&post("/nothing", &[]), LOCKED_FILES);
        let [lectern, axum] = [scene.lectern.address(), scene.axum.address];
        let length = self.options.turn;
        let rates = self.take_turns(
            "Lock + Unlock",
            vec![
                Box::new(|| {
                    // A turn may end between the two; beginning with Lock again only renews it.
                    let mut ours: Vec<Script> =
                        tokens.iter().map(|token| Script::new(lock_and_unlock(token))).collect();
                    requests_per_second(&[lectern], &mut ours, length)
                }),
                Box::new(|| fdatasyncs_per_second(&scene.folder.join(".lectern"), length)),
                Box::new(|| requests_per_second(&[axum], &mut bare, length)),
            ],
        )?;
        let work = "Lock + Unlock, 64 at once";
        self.row(work, Unit::PerSecond, rates[0], rates[1], "fdatasync each", Budget::AtLeast(3.0));
        self.row(work, Unit::PerSecond, rates[0], rates[2], "bare axum", Budget::AtLeast(0.2));
        Ok(())
    }

    fn listing(&mut self) -> anyhow::Result<()> {
        let folder = self.scratch.join("listing");
        fs::create_dir(&folder)?;
        println!("making {LISTED_FILES} files in {}", folder.display());
        for number in 0..LISTED_FILES {
            fs::write(folder.join(format!("file {number:05}.txt")), b"a small file\n")?;
        }
        let lectern = Lectern::start(self.program, &folder, &[])?;
        wait_until_idle(&lectern)?;
        let reader = Reader::new(self.program, &folder, self.scratch, lectern.address())?;
        let query = BareQuery::open(&folder.join(".lectern/registry.sqlite"))?;
        let rows = BareRows::new(query.rows(reader.container())?);
        let length = self.options.turn;
        let took = self.take_turns(
            "listing",
            vec![
                Box::new(|| reader.first_byte(BY_NAME, length)),
                Box::new(|| query.took(reader.container(), BY_NAME, length)),
                Box::new(|| rows.took(length)),
                Box::new(|| reader.first_byte(BY_TIME, length)),
                Box::new(|| query.took(reader.container(), BY_TIME, length)),
            ],
        )?;
        let [by_name, by_time] =
            ["name", "time"].map(|order| format!("listing of {LISTED_FILES} by {order}, first byte"));
        self.row(&by_name, Unit::Milliseconds, took[0], took[1], "its SQL query alone", Budget::None);
        self.row(&by_name, Unit::Milliseconds, took[0], took[2], "its rows' template alone", Budget::None);
        self.row(&by_time, Unit::Milliseconds, took[3], took[4], "its SQL query alone", Budget::None);
        drop(lectern);
        fs::remove_dir_all(&folder)?;
        Ok(())
    }

    fn memory(&mut self) -> anyhow::Result<()> {
        let folder = self.scratch.join("memory");
        fs::create_dir(&folder)?;
        fs::write(folder.join("down.bin"), vec![b'd'; TRANSFER_BYTES])?;
        for number in 0..TRANSFERS {
            // An empty file can be saved without a lock.
            fs::write(folder.join(format!("up-{number}.bin")), "")?;
        }
        let lectern = Lectern::start(self.program, &folder, &[])?;
        let piece = Bytes::from(vec![b'u'; 1_000_000]);
        let down = get(&lectern.token("down.bin", "none")?.request_target("/contents"));
        let mut transfers = Vec::new();
        for number in 0..TRANSFERS {
            let token = lectern.token(&format!("up-{number}.bin"), "none")?;
            let target = token.request_target("/contents");
            let head = post_head(&target, &[("X-WOPI-Override", "PUT")], TRANSFER_BYTES);
            let pieces = TRANSFER_BYTES / piece.len();
            transfers.push(Transfer { head, piece: piece.clone(), pieces });
            transfers.push(Transfer { head: down.clone(), piece: piece.clone(), pieces: 0 });
        }
        println!("memory: {TRANSFERS} uploads and {TRANSFERS} downloads of {TRANSFER_BYTES} bytes");
        let done = load::transfer(lectern.address(), &transfers, TRANSFER_TIME_MAX)?;
        ensure!(done.requests == 2 * TRANSFERS as u64, "{} of the transfers were answered", done.requests);
        let most = memory_of(lectern.process_id(), "VmHWM")? as f64;
        self.row(
            "memory, 100 up and 100 down of 100 MB",
            Unit::Bytes,
            most,
            MEMORY_BUDGET,
            "the budget",
            Budget::AtMost(1.0),
        );
        drop(lectern);
        fs::remove_dir_all(&folder)?;
        Ok(())
    }

    fn start(&mut self) -> anyhow::Result<()> {
        let folder = self.scratch.join("start");
        make_files(&folder, START_FILES)?;
        let lectern = Lectern::start(self.program, &folder, &[])?;
        wait_until_idle(&lectern)?;
        lectern.stop()?;
        let mut took = Vec::new();
        for _ in 0..self.options.rounds {
            let begun = Instant::now();
            let lectern = Lectern::start(self.program, &folder, &[])?;
            took.push(begun.elapsed().as_secs_f64() * 1e3);
            wait_until_idle(&lectern)?;
            lectern.stop()?;
        }
        let work = format!("start over {START_FILES} known files");
        self.row(&work, Unit::Milliseconds, median(took), START_BUDGET_MS, "the budget", Budget::AtMost(1.0));
        Ok(())
    }

    fn growth(&mut self) -> anyhow::Result<()> {
        let mut served = Vec::new();
        for count in GROWTH_FILES {
            let folder = self.scratch.join(format!("growth-{count}"));
            make_files(&folder, count)?;
            let lectern = Lectern::start(self.program, &folder, &[])?;
            wait_until_idle(&lectern)?;
            let requests = (0..SAMPLED_FILES).map(|number| {
                // A step that has no factor in common with the counts, so that the sample is spread over all of them.
                let token = lectern.token(&name_of(number * 7919 % count), "none")?;
                Ok(get(&token.request_target("")))
            });
            let requests: Vec<Bytes> = requests.collect::<anyhow::Result<_>>()?;
            served.push((lectern, vec![Script::new(requests); CONNECTIONS]));
        }
        let length = self.options.turn;
        let side = |(lectern, scripts): &mut (Lectern, Vec<Script>)| {
            // The cost of one: less is better.
            requests_per_second(&[lectern.address()], scripts, length).map(|rate| 1e3 / rate)
        };
        let sides: Vec<Side<'_>> = served.iter_mut().map(|served| Box::new(move || side(served)) as Side<'_>).collect();
        let costs = self.take_turns("growth", sides)?;
        let [small, large] = GROWTH_FILES;
        let work = format!("growth: CheckFileInfo at {large} files");
        let against = format!("at {small} files");
        self.row(&work, Unit::Milliseconds, costs[1], costs[0], &against, Budget::AtMost(1.2));
        Ok(())
    }

    /// Every side does one turn in each round, and another one begins each time, so that what disturbs the machine
    /// disturbs all of them. The medians.
    pub(crate) fn take_turns(&self, work: &str, mut sides: Vec<Side<'_>>) -> anyhow::Result<Vec<f64>> {
        let count = sides.len();
        let mut results = vec![Vec::new(); count];
        for round in 0..self.options.rounds {
            println!("{work}: round {} of {}", round + 1, self.options.rounds);
            for number in 0..count {
                let side = (number + round) % count;
                results[side].push(sides[side]().with_context(|| format!("{work}, side {side}"))?);
            }
        }
        Ok(results.into_iter().map(median).collect())
    }

    pub(crate) fn row(&mut self, work: &str, unit: Unit, lectern: f64, baseline: f64, against: &str, budget: Budget) {
        let against = against.to_owned();
        self.table.rows.push(Row { work: work.to_owned(), unit, lectern, baseline, against, budget });
    }
}

pub(crate) fn requests_per_second(
    addresses: &[SocketAddr],
    scripts: &mut [Script],
    length: Duration,
) -> anyhow::Result<f64> {
    Ok(turn(addresses, scripts, length)?.requests as f64 / length.as_secs_f64())
}

fn bytes_per_second(address: SocketAddr, scripts: &mut [Script], length: Duration) -> anyhow::Result<f64> {
    Ok(turn(&[address], scripts, length)?.bytes as f64 / length.as_secs_f64())
}

/// Bytes per second of some saves.
fn rate_of(took: &[Duration]) -> f64 {
    let seconds: Vec<f64> = took.iter().map(Duration::as_secs_f64).collect();
    SAVE_BYTES as f64 / median(seconds)
}

/// The path of one of many files.
fn name_of(number: usize) -> String {
    format!("container {:04}/file {:03}.txt", number / FILES_PER_CONTAINER, number % FILES_PER_CONTAINER)
}

/// Makes `count` small files.
fn make_files(folder: &Path, count: usize) -> anyhow::Result<()> {
    println!("making {count} files in {}", folder.display());
    for container in 0..count.div_ceil(FILES_PER_CONTAINER) {
        fs::create_dir_all(folder.join(format!("container {container:04}")))?;
    }
    for number in 0..count {
        fs::write(folder.join(name_of(number)), b"a small file\n")?;
    }
    Ok(())
}

/// Waits until the program has taken next to no time of the processor for a second: it has indexed what it found.
fn wait_until_idle(lectern: &Lectern) -> anyhow::Result<()> {
    let end = Instant::now() + INDEX_TIME_MAX;
    let mut before = processor_ticks(lectern.process_id())?;
    loop {
        std::thread::sleep(Duration::from_secs(1));
        let now = processor_ticks(lectern.process_id())?;
        if now - before <= 2 {
            return Ok(());
        }
        ensure!(Instant::now() < end, "lectern was still busy after {INDEX_TIME_MAX:?}");
        before = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    #[test]
    fn the_sides_take_turns_and_another_one_begins_each_round() {
        let options = Options { only: vec![], rounds: 3, turn: Duration::from_secs(1), long: false };
        let bench =
            Bench { options: &options, program: Path::new(""), scratch: Path::new(""), table: Table::default() };
        let order = RefCell::new(String::new());
        let side = |name: char, results: [f64; 3]| -> Side<'_> {
            let mut results = results.into_iter();
            let order = &order;
            Box::new(move || {
                order.borrow_mut().push(name);
                results.next().context("one result for each round")
            })
        };
        let medians = bench.take_turns("work", vec![side('a', [9.0, 1.0, 5.0]), side('b', [2.0, 2.0, 7.0])]).unwrap();
        assert_eq!(medians, [5.0, 2.0]);
        assert_eq!(order.into_inner(), "abbaab");
    }

    #[test]
    fn files_have_names_of_their_own_and_samples_are_spread() {
        let scratch = tempfile::tempdir().unwrap();
        make_files(scratch.path(), 1500).unwrap();
        let names: BTreeSet<String> = (0..1500).map(name_of).collect();
        assert_eq!(names.len(), 1500);
        assert!(names.iter().all(|name| scratch.path().join(name).is_file()));
        for count in GROWTH_FILES {
            let sample: BTreeSet<usize> = (0..SAMPLED_FILES).map(|number| number * 7919 % count).collect();
            assert_eq!(sample.len(), SAMPLED_FILES);
        }
    }
}
