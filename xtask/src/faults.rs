//! `cargo xtask faults`: three nodes in trouble, and whether anything got lost.
//!
//! The campaign is a test of the program (`crates/server/tests/nodes`), which `cargo xtask test` runs for half a minute and
//! this for as long as it is told. With `--break` it is the checker that is tried: the sources are copied, something in
//! them is broken on purpose ([`BREAKINGS`]), and the campaign with the program that comes out has to fail.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, bail, ensure};

use xtask::tools;

/// How long things go wrong when nothing is said, in minutes.
const MINUTES: f64 = 10.0;

/// The same for a program that was broken on purpose.
const MINUTES_BROKEN: f64 = 1.5;

/// Where broken programs are made, from the root of the repository.
const PLACE: &str = "target/faults";

/// What of the repository is needed to build the program.
const SOURCES: &[&str] = &["Cargo.toml", "Cargo.lock", "bench", "crates", "xtask"];

/// How a line begins that says what is wrong. `crates/server/tests/nodes/campaign.rs` prints it.
const VIOLATION: &str = "VIOLATION: ";

/// Something that can be broken on purpose.
struct Breaking {
    name: &'static str,
    /// What is not done any more.
    what: &'static str,
    /// The file, what stands there, and what is put there instead, in every place.
    edits: &'static [(&'static str, &'static str, &'static str)],
}

const BREAKINGS: &[Breaking] = &[
    Breaking {
        name: "revision-check",
        what: "a commit does not look whether the file is still at the revision that was read",
        edits: &[
            (COMMITS, "f.revision = $36", "$36::bigint IS NOT NULL"),
            (COMMITS, "id = $35 AND revision = $36", "id = $35 AND $36::bigint IS NOT NULL"),
        ],
    },
    Breaking {
        name: "condemning",
        what: "a sweep removes what nothing points to without seeing to it that nothing ever will",
        edits: &[("crates/host/src/sweep.rs", "registry.condemn(&old, now)", "registry.unreferenced(&old)")],
    },
    Breaking {
        name: "lost-commit",
        what: "a commit whose answer was lost is taken for done",
        edits: &[(
            COMMITS,
            "Err(error) => return Err(uncertain_if(uncertain, error)),",
            "Err(_) if uncertain => return Ok(()),\n            Err(error) => return Err(error),",
        )],
    },
];

/// The statements that commit a file.
const COMMITS: &str = "crates/registry/src/postgres/files.rs";

/// What was asked for on the command line.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Options {
    seed: Option<u64>,
    minutes: Option<f64>,
    /// `all` for each in turn.
    broken: Option<String>,
}

impl Options {
    pub(crate) fn parse(arguments: &[&str]) -> anyhow::Result<Self> {
        let mut options = Self { seed: None, minutes: None, broken: None };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().with_context(|| format!("{argument} wants a value"));
            match *argument {
                "--seed" => {
                    let text = value()?;
                    options.seed = Some(text.parse().with_context(|| format!("--seed {text:?} is no number"))?);
                }
                "--minutes" => {
                    let text = value()?;
                    let minutes: f64 = text.parse().with_context(|| format!("--minutes {text:?} is no number"))?;
                    ensure!(minutes > 0.0 && minutes.is_finite(), "--minutes has to be more than 0");
                    options.minutes = Some(minutes);
                }
                "--break" => options.broken = Some((*value()?).to_owned()),
                _ => bail!("unknown option {argument:?}; `cargo xtask help` lists them"),
            }
        }
        Ok(options)
    }
}

/// Runs the campaign, or tries whether it notices what is broken.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    tools::need(&[("initdb", "postgresql", "the database of the nodes")])?;
    let Some(broken) = &options.broken else {
        let outcome = campaign(options, None, MINUTES)?;
        ensure!(outcome.well, "something is wrong, or was not decided; it is told above");
        ensure!(outcome.ran, "the campaign did not run");
        return Ok(());
    };
    let chosen: Vec<&Breaking> = BREAKINGS.iter().filter(|one| broken == "all" || one.name == broken).collect();
    let names: Vec<&str> = BREAKINGS.iter().map(|one| one.name).collect();
    ensure!(!chosen.is_empty(), "nothing is called {broken:?}; there are all, {}", names.join(", "));
    let mut unnoticed = Vec::new();
    for breaking in chosen {
        println!("\nbroken on purpose: {}", breaking.what);
        let program = broken_program(breaking)?;
        let outcome = campaign(options, Some(&program), MINUTES_BROKEN)?;
        ensure!(outcome.ran, "the campaign did not run");
        if outcome.violations == 0 {
            unnoticed.push(breaking.name);
        }
        println!("{}: {} things were found wrong", breaking.name, outcome.violations);
    }
    ensure!(unnoticed.is_empty(), "nobody noticed: {}", unnoticed.join(", "));
    Ok(())
}

struct Outcome {
    well: bool,
    /// Whether there was a report.
    ran: bool,
    violations: usize,
}

fn campaign(options: &Options, program: Option<&Path>, minutes: f64) -> anyhow::Result<Outcome> {
    let test = ["test", "--locked", "--package", "lectern-server", "--test", "nodes", "--", "--ignored"];
    let mut command = tools::cargo_command(&[&test[..], &["--exact", "the_campaign", "--nocapture"]].concat());
    command.env("LECTERN_FAULTS_MINUTES", options.minutes.unwrap_or(minutes).to_string());
    if let Some(seed) = options.seed {
        command.env("LECTERN_FAULTS_SEED", seed.to_string());
    }
    if let Some(program) = program {
        command.env("LECTERN_PROGRAM", program);
    }
    println!("$ {}", tools::words(&command));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
    let stdout = child.stdout.take().context("it is piped")?;
    let (mut ran, mut violations) = (false, 0);
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        ran |= line.contains(" faults: ");
        violations += usize::from(line.starts_with(VIOLATION));
        println!("{line}");
    }
    Ok(Outcome { well: child.wait()?.success(), ran, violations })
}

/// Builds the program from sources in which something is broken. It is kept apart from the one that is not.
fn broken_program(breaking: &Breaking) -> anyhow::Result<PathBuf> {
    let place = tools::root().join(PLACE);
    let sources = place.join(breaking.name);
    if sources.exists() {
        std::fs::remove_dir_all(&sources)?;
    }
    std::fs::create_dir_all(&sources)?;
    for name in SOURCES {
        copy(&tools::root().join(name), &sources.join(name))?;
    }
    for (path, text) in broken_files(breaking, &tools::root())? {
        std::fs::write(sources.join(path), text)?;
    }
    let target = place.join("target");
    let mut command = tools::cargo_command(&["build", "--locked", "--package", "lectern-server", "--bin", "lectern"]);
    tools::succeed(command.current_dir(&sources).env("CARGO_TARGET_DIR", &target))?;
    let program = place.join(format!("lectern-{}", breaking.name));
    std::fs::copy(target.join("debug/lectern"), &program)?;
    Ok(program)
}

/// The files that a breaking changes, as they are then.
fn broken_files(breaking: &Breaking, root: &Path) -> anyhow::Result<BTreeMap<&'static str, String>> {
    let mut files = BTreeMap::new();
    for (path, from, to) in breaking.edits {
        let text = match files.remove(path) {
            Some(text) => text,
            None => std::fs::read_to_string(root.join(path)).with_context(|| format!("cannot read {path}"))?,
        };
        ensure!(text.contains(from), "{} breaks nothing any more: {path} has no {from:?}", breaking.name);
        files.insert(path, text.replace(from, to));
    }
    Ok(files.into_iter().map(|(path, text)| (*path, text)).collect())
}

/// Copies a file, or a folder but for what was built in it.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    if !from.is_dir() {
        std::fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
        return Ok(());
    }
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let name = entry?.file_name();
        if name != "target" {
            copy(&from.join(&name), &to.join(&name))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_are_understood_and_others_are_not() {
        let all = Options { seed: Some(7), minutes: Some(0.5), broken: Some("all".to_owned()) };
        assert_eq!(Options::parse(&["--minutes", "0.5", "--break", "all", "--seed", "7"]).unwrap(), all);
        assert_eq!(Options::parse(&[]).unwrap(), Options { seed: None, minutes: None, broken: None });
        for bad in [&["--seed"][..], &["--seed", "x"], &["--minutes", "0"], &["--minutes", "inf"], &["7"]] {
            assert!(Options::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn every_breaking_still_finds_what_it_breaks() {
        for breaking in BREAKINGS {
            let files = broken_files(breaking, &tools::root()).unwrap();
            assert!(!files.is_empty(), "{}", breaking.name);
            for (path, text) in files {
                assert_ne!(text, std::fs::read_to_string(tools::root().join(path)).unwrap(), "{}", breaking.name);
            }
        }
    }
}
