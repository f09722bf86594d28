//! `cargo xtask test`: everything that must hold before a change is taken, in the order in which it fails fastest.
//!
//! The dependency arrows are an ordinary test of this package, so they need no step of their own.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use xtask::tools;

/// What the build and the tests start.
const PROGRAMS: &[(&str, &str, &str)] = &[
    ("cc", "gcc", "the C code of SQLite and of the cryptography"),
    ("mount", "mount", "the test of a full disk"),
    ("umount", "mount", "the test of a full disk"),
];

/// Without these, some tests are skipped, or a part of them.
const FOR_SOME_TESTS: &[(&str, &str, &str)] = &[
    ("chromium", "chromium", "the tests in a browser"),
    ("initdb", "postgresql", "the registry on PostgreSQL"),
    ("node", "nodejs", "Azurite, the emulator of Azure Blob Storage"),
    ("npm", "npm", "axe-core, which looks at accessibility, and Azurite"),
];

/// Programs of others from npm that tests use: fetched, not kept here.
const FROM_NPM: &[FromNpm] = &[
    // MPL-2.0; the browser's tests put it into pages. `crates/server/tests/browser/gallery.rs` looks there.
    FromNpm {
        package: "axe-core@4.14.1",
        folder: "target/axe-core",
        file: "node_modules/axe-core/axe.min.js",
        without: "accessibility is not looked at",
    },
    // MIT; Microsoft's emulator of Azure Blob Storage. `crates/conformance/src/servers/azurite.rs` looks there.
    FromNpm {
        package: "azurite@3.37.0",
        folder: "target/azurite",
        file: "node_modules/azurite/dist/src/blob/main.js",
        without: "nothing is tried on Azure Blob Storage",
    },
];

/// A package of npm.
struct FromNpm {
    /// Its name and version.
    package: &'static str,
    /// Where it is put, from the root of the repository.
    folder: &'static str,
    /// The file in it that is used.
    file: &'static str,
    /// What is missing without it.
    without: &'static str,
}

/// Runs it all. The last line says how many tests passed and failed.
pub(crate) fn run() -> anyhow::Result<()> {
    tools::need(PROGRAMS)?;
    tools::want(FOR_SOME_TESTS)?;
    FROM_NPM.iter().try_for_each(fetch)?;
    tools::cargo(&["fmt", "--all", "--check"])?;
    tools::cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])?;
    let mut documentation = tools::cargo_command(&["doc", "--workspace", "--no-deps", "--locked"]);
    tools::succeed(documentation.env("RUSTDOCFLAGS", "-D warnings"))?;

    let has_nextest = tools::cargo_command(&["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    let mut suites = vec![tools::cargo_command(&["test", "--workspace", "--locked", "--doc", "--no-fail-fast"])];
    if has_nextest {
        suites.insert(0, tools::cargo_command(&["nextest", "run", "--workspace", "--locked", "--no-fail-fast"]));
    } else {
        let targets = ["--lib", "--bins", "--tests", "--examples", "--no-fail-fast"];
        suites.insert(0, tools::cargo_command(&[&["test", "--workspace", "--locked"], &targets[..]].concat()));
    }
    let (mut sum, mut all_well) = (Count::default(), true);
    for suite in &mut suites {
        let (count, well) = counted(suite, std::io::stdout(), std::io::stderr())?;
        sum.passed += count.passed;
        sum.failed += count.failed;
        all_well &= well;
    }
    println!("\n{} passed, {} failed", sum.passed, sum.failed);
    ensure!(all_well && sum.failed == 0, "there are tests that failed, or could not be built");
    ensure!(sum.passed > 0, "no test was run");
    Ok(())
}

/// Sees to it that a package is there, if npm and its registry are.
fn fetch(wanted: &FromNpm) -> anyhow::Result<()> {
    let folder = tools::root().join(wanted.folder);
    if folder.join(wanted.file).is_file() {
        return Ok(());
    }
    std::fs::create_dir_all(&folder)?;
    let mut npm = Command::new("npm");
    npm.arg("install").arg("--prefix").arg(&folder);
    npm.args(["--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", wanted.package]);
    match tools::succeed(&mut npm) {
        Err(error) if !tools::in_ci() => println!("{error:#}\nwithout {}, {}", wanted.package, wanted.without),
        result => result?,
    }
    Ok(())
}

/// How many tests a runner says it ran.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
struct Count {
    passed: u64,
    failed: u64,
}

/// Runs a test runner, shows what it prints, and adds up what it counted. Whether it was content with the result.
fn counted(
    command: &mut Command,
    mut to_stdout: impl Write,
    to_stderr: impl Write + Send + 'static,
) -> anyhow::Result<(Count, bool)> {
    let words = tools::words(command);
    writeln!(to_stdout, "$ {words}")?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{words}`"))?;
    let stdout = child.stdout.take().context("it is piped")?;
    let stderr = child.stderr.take().context("it is piped")?;
    // nextest counts on standard error, cargo test on standard output.
    let errors = std::thread::spawn(move || shown(BufReader::new(stderr), to_stderr));
    let mut count = shown(BufReader::new(stdout), to_stdout);
    let more = errors.join().unwrap_or_default();
    count.passed += more.passed;
    count.failed += more.failed;
    Ok((count, child.wait()?.success()))
}

fn shown(from: impl BufRead, mut to: impl Write) -> Count {
    let mut sum = Count::default();
    for line in from.lines().map_while(Result::ok) {
        // Whoever reads our output may have gone away; the tests still have to be run.
        let _ = writeln!(to, "{line}");
        if let Some(count) = count_in(&line) {
            sum.passed += count.passed;
            sum.failed += count.failed;
        }
    }
    sum
}

/// The numbers in a runner's closing line, which looks like one of these:
///
/// ```text
/// test result: FAILED. 12 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.31s
///      Summary [   4.210s] 120 tests run: 118 passed (1 slow), 1 failed, 1 timed out, 0 skipped
/// ```
fn count_in(line: &str) -> Option<Count> {
    let line = line.trim_start();
    let counts = match line.strip_prefix("Summary [") {
        Some(rest) => rest.split_once("run: ")?.1,
        None => line.strip_prefix("test result: ")?.split_once(". ")?.1,
    };
    let mut count = Count::default();
    for part in counts.split([',', ';']) {
        let mut words = part.split_whitespace();
        let Some(number) = words.next().and_then(|word| word.parse::<u64>().ok()) else { continue };
        match words.next() {
            Some("passed") => count.passed += number,
            Some("failed" | "timed" | "exec") => count.failed += number,
            _ => {}
        }
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_lines_of_both_runners_are_understood() {
        for (line, passed, failed) in [
            ("     Summary [   4.210s] 120 tests run: 118 passed (1 slow), 1 failed, 1 timed out, 0 skipped", 118, 2),
            ("     Summary [   0.012s] 3 tests run: 3 passed, 7 skipped", 3, 0),
            ("     Summary [   0.012s] 2/3 tests run: 1 passed, 1 exec failed, 7 skipped", 1, 1),
            ("test result: ok. 12 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.31s", 12, 0),
            (
                "test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.31s",
                12,
                3,
            ),
        ] {
            assert_eq!(count_in(line), Some(Count { passed, failed }), "{line}");
        }
        assert_eq!(count_in("test a_test ... ok"), None);
    }

    #[test]
    fn what_both_outputs_say_is_added_up() {
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "echo 'test result: ok. 2 passed; 0 failed;'; echo 'test result: FAILED. 1 passed; 1 failed;' >&2; exit 1",
        ]);
        assert_eq!(
            counted(&mut command, std::io::sink(), std::io::sink()).unwrap(),
            (Count { passed: 3, failed: 1 }, false)
        );
    }
}
