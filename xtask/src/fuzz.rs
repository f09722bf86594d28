//! `cargo xtask fuzz`: libFuzzer on the stable compiler.
//!
//! `cargo fuzz` wants a nightly compiler, for AddressSanitizer above all, which finds nothing in code without `unsafe`.
//! What the fuzzer needs, counters at every branch and a look at every comparison, LLVM puts in on stable as well.
//! Everything is kept in `target/fuzz`; the repository has the saved inputs (`fuzz/corpus`), and an ordinary test runs
//! them.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail, ensure};

use xtask::tools;

/// The coverage that libFuzzer works with.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
                     -Cllvm-args=-sanitizer-coverage-trace-compares";

/// How long each target runs when nothing is said, in seconds.
const SECONDS: u64 = 60;

/// More memory than that is a finding, and so is an input that takes longer.
const LIMITS: &[&str] = &["-rss_limit_mb=512", "-timeout=5"];

/// What was asked for on the command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// None for all.
    targets: Vec<String>,
    /// For each.
    seconds: u64,
}

impl Options {
    pub(crate) fn parse(arguments: &[&str]) -> anyhow::Result<Self> {
        let mut options = Self { targets: Vec::new(), seconds: SECONDS };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match *argument {
                "--seconds" => {
                    let seconds = arguments.next().context("--seconds wants a number")?;
                    options.seconds = seconds.parse().with_context(|| format!("--seconds {seconds:?} is no number"))?;
                }
                option if option.starts_with('-') => {
                    bail!("unknown option {option:?}; `cargo xtask help` lists them")
                }
                target => options.targets.push(target.to_owned()),
            }
        }
        // libFuzzer would take 0 for no limit at all.
        ensure!(options.seconds > 0, "--seconds has to be at least 1");
        Ok(options)
    }
}

/// Builds the targets and runs them, one after the other, until one fails.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let known = targets()?;
    let unknown = options.targets.iter().find(|target| !known.contains(target));
    if let Some(unknown) = unknown {
        bail!("there is no target {unknown:?}, only {}", known.join(", "));
    }
    tools::need(&[("c++", "g++", "libFuzzer")])?;
    let program = build()?;
    let chosen = if options.targets.is_empty() { &known } else { &options.targets };
    for target in chosen {
        let place = tools::root().join("target/fuzz");
        let (found, finding) = (place.join("corpus").join(target), place.join("findings").join(target));
        std::fs::create_dir_all(&found)?;
        std::fs::create_dir_all(&finding)?;
        let mut command = Command::new(&program);
        command.env("LECTERN_FUZZ_TARGET", target).current_dir(tools::root()).args(LIMITS);
        command.args([format!("-max_total_time={}", options.seconds), "-print_final_stats=1".to_owned()]);
        // New inputs go into the first folder.
        command.arg(format!("-artifact_prefix={}/", finding.display())).arg(&found).arg(saved().join(target));
        tools::succeed(&mut command).with_context(|| format!("{target}: the input is in {}", finding.display()))?;
    }
    Ok(())
}

/// The saved inputs, a folder for each target.
fn saved() -> PathBuf {
    tools::root().join("fuzz/corpus")
}

fn targets() -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(saved()).with_context(|| format!("cannot read {}", saved().display()))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// The program with all targets in it.
fn build() -> anyhow::Result<PathBuf> {
    let version = tools::output(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc -vV names no host")?;
    let place = tools::root().join("target/fuzz");
    // With --target the flags are for the program only: build scripts could not be linked with them.
    let mut command = tools::cargo_command(&["build", "--release", "--manifest-path", "fuzz/Cargo.toml"]);
    command.args(["--target", host, "--target-dir"]).arg(&place).env("RUSTFLAGS", FLAGS);
    tools::succeed(&mut command)?;
    Ok(place.join(host).join("release/lectern-fuzz"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_and_seconds_are_understood() {
        let options = |targets: &[&str], seconds| Options {
            targets: targets.iter().copied().map(str::to_owned).collect(),
            seconds,
        };
        assert_eq!(Options::parse(&[]).unwrap(), options(&[], SECONDS));
        assert_eq!(Options::parse(&["zip", "--seconds", "5", "frames"]).unwrap(), options(&["zip", "frames"], 5));
        for bad in [&["--seconds"][..], &["--seconds", "x"], &["--seconds", "0"], &["--second"]] {
            assert!(Options::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_targets_are_the_folders_of_saved_inputs() {
        let targets = targets().unwrap();
        for name in ["frames", "messages", "zip"] {
            assert!(targets.iter().any(|target| target == name), "{targets:?}");
        }
    }
}
