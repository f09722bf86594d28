#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]
//! The project's longer chores, as `cargo xtask NAME`. What a person types and what CI runs is the same.
//!
//! | command | what |
//! |---|---|
//! | `test` | format, clippy, documentation, every test; see [`checks`] |
//! | `official` | Microsoft's official cases against the program; see [`official`] |
//! | `faults` | three nodes in trouble, and whether anything got lost; see [`faults`] |
//! | `fuzz` | libFuzzer on the parsers of outside bytes; see [`fuzz`] |
//! | `bench` | the ratios of the design's budgets, beside their baselines: the package `lectern-bench` |
//!
//! | module | what |
//! |---|---|
//! | [`checks`] | the steps of `test` |
//! | `arrows` | which crate may know which: read from `cargo metadata` |
//! | [`faults`] | running the campaign, also on a program that was broken on purpose |
//! | [`fuzz`] | building and running the fuzz targets |
//! | [`official`], [`verdict`] | running the cases; what their reports amount to |
//!
//! What these share with the benchmarks is in the library beside this program.

#[cfg(test)]
mod arrows;
mod checks;
mod faults;
mod fuzz;
mod official;
mod verdict;

use std::process::ExitCode;

use xtask::tools;

const HELP: &str = "\
cargo xtask COMMAND

  test                   format, clippy, documentation, dependency arrows, every test
  official [--example] [--require] [--release]
                         Microsoft's official cases against lectern in every configuration they need, or
                         (--example) against the example host of wopi-service. Their runner is looked for in
                         LECTERN_VALIDATOR and in ../shared/validator; when it is not there the cases are not
                         run, which --require makes an error
  faults [--seed N] [--minutes M] [--break NAME|all]
                         three nodes over PostgreSQL and S3 while nodes, lines and servers fail, M minutes (10); with
                         --break whether it notices what is broken on purpose; docs/faults.md
  fuzz [TARGET...] [--seconds N]
                         libFuzzer on the parsers of outside bytes, N seconds each (60); docs/fuzzing.md
  bench [ARGUMENTS]      the ratios of the design's budgets; `cargo xtask bench --help` lists the arguments
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.split_first() {
        Some((&"test", [])) => checks::run(),
        Some((&"official", options)) => official::Options::parse(options).and_then(|options| official::run(&options)),
        Some((&"faults", options)) => faults::Options::parse(options).and_then(|options| faults::run(&options)),
        Some((&"fuzz", options)) => fuzz::Options::parse(options).and_then(|options| fuzz::run(&options)),
        Some((&"bench", rest)) => bench(rest),
        Some((&"help" | &"--help" | &"-h", _)) => {
            print!("{HELP}");
            Ok(())
        }
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn bench(arguments: &[&str]) -> anyhow::Result<()> {
    tools::cargo(&["build", "--release", "--package", "lectern-server"])?;
    tools::cargo(&[&["run", "--release", "--package", "lectern-bench", "--"], arguments].concat())
}
