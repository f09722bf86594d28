#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]
//! How fast Lectern is, as ratios to baselines that were measured in the same run on the same machine.
//!
//! A number of requests per second says more about the machine than about us, so every row has something beside it that
//! does the least that the same work can cost: a bare axum handler, nginx, a program that only writes, hashes and syncs.
//! Both sides are driven by the same small load generator, take turns, and are judged by their medians. Nothing here is
//! a test: what is slow today may be slow because of a neighbour.
//!
//! | module | what |
//! |---|---|
//! | [`load`] | the load generator: prepared bytes over kept-alive connections |
//! | [`baselines`] | the bare axum handlers, in a process of their own; nginx; plain file work |
//! | [`delta`] | a document of which one part changes |
//! | [`listing`] | the page of a long container, its bare query and its bare template |
//! | [`nodes`] | the rows of several nodes over PostgreSQL and an object store |
//! | [`pgbench`] | what the database alone can do |
//! | [`requests`] | the bytes of the requests, signed ones too |
//! | [`table`] | medians, ratios, budgets, and how they are printed |
//! | [`work`] | the rows: what is measured against what |

mod baselines;
mod delta;
mod listing;
mod load;
mod nodes;
mod pgbench;
mod requests;
mod table;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail, ensure};

const HELP: &str = "\
cargo xtask bench [OPTIONS]

  --only WORD     only rows whose name contains WORD; may be repeated
  --rounds N      how often both sides take turns (default 5)
  --seconds S     how long each turn is measured (default 2)
  --long          also what takes minutes: start over 100,000 files, growth to 1,000,000, 50 uploads to a node
  --help          this

The memory row writes 10 GB, below target/bench, and removes them. The rows of several nodes want PostgreSQL with pgbench
(--only nodes) and write some GB as well, also where temporary files are; those of the uploads 10 GB.
";

/// What was asked for on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Options {
    only: Vec<String>,
    rounds: usize,
    turn: Duration,
    long: bool,
}

/// Most rounds.
const ROUNDS_MAX: usize = 100;
/// Longest turn, in seconds.
const TURN_SECONDS_MAX: u64 = 60;

impl Options {
    fn parse(arguments: &[String]) -> anyhow::Result<Self> {
        let mut options = Self { only: Vec::new(), rounds: 5, turn: Duration::from_secs(2), long: false };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--only" => options.only.push(value()?.to_lowercase()),
                "--rounds" => {
                    options.rounds = value()?.parse().context("--rounds needs a number")?;
                    ensure!((1..=ROUNDS_MAX).contains(&options.rounds), "--rounds is between 1 and {ROUNDS_MAX}");
                }
                "--seconds" => {
                    let seconds = value()?.parse().context("--seconds needs a whole number")?;
                    ensure!((1..=TURN_SECONDS_MAX).contains(&seconds), "--seconds is between 1 and {TURN_SECONDS_MAX}");
                    options.turn = Duration::from_secs(seconds);
                }
                "--long" => options.long = true,
                _ => bail!("unknown option {argument:?}; --help lists them"),
            }
        }
        Ok(options)
    }

    /// Whether a row was asked for.
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|word| name.to_lowercase().contains(word))
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.first().map(String::as_str) {
        Some("--help" | "-h") => {
            print!("{HELP}");
            Ok(())
        }
        Some(baselines::AXUM_COMMAND) => baselines::axum_process(&arguments[1..]),
        _ => Options::parse(&arguments).and_then(|options| run(&options)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> anyhow::Result<()> {
    let program = program()?;
    let place = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/bench");
    std::fs::create_dir_all(&place)?;
    let scratch = tempfile::tempdir_in(&place)?;
    let cores = std::thread::available_parallelism()?.get();
    println!(
        "{cores} cores, {} rounds of {:?} on each side, load generator on the same machine",
        options.rounds, options.turn
    );
    let table = work::measure(options, &program, scratch.path())?;
    println!("\n{table}");
    Ok(())
}

/// The program to measure: `LECTERN_PROGRAM`, or the release build beside this one.
fn program() -> anyhow::Result<PathBuf> {
    if let Some(program) = std::env::var_os("LECTERN_PROGRAM") {
        return Ok(program.into());
    }
    let beside = std::env::current_exe()?.with_file_name("lectern");
    ensure!(beside.is_file(), "{} is missing\nhint: `cargo xtask bench` builds it", beside.display());
    Ok(beside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> anyhow::Result<Options> {
        Options::parse(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn the_options_are_understood_within_their_bounds() {
        let options =
            parse(&["--only", "GetFile", "--only", "lock", "--rounds", "3", "--seconds", "1", "--long"]).unwrap();
        assert_eq!((options.rounds, options.turn, options.long), (3, Duration::from_secs(1), true));
        assert!(options.wants("GetFile 1 MB") && options.wants("Lock + Unlock") && !options.wants("CheckFileInfo"));
        assert!(parse(&[]).unwrap().wants("anything"));
        for bad in [&["--rounds"][..], &["--rounds", "0"], &["--rounds", "101"], &["--seconds", "x"], &["--fast"]] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
