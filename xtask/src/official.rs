//! `cargo xtask official`: Microsoft's official cases, every request signed and every signature checked.
//!
//! The cases and their runner are not part of the repository (`run.py`, Python; see [`Options`] for where it is looked
//! for). Each configuration gets a folder of its own with one `.wopitest` file, because the cases overwrite, rename and
//! delete what they find.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, anyhow, bail, ensure};
use serde_json::Value;
use xtask::lectern::{Lectern, START_TIME_MAX, Target};
use xtask::nodes::Servers;
use xtask::tools::{self, Running};

use crate::verdict::{Report, example_verdict, verdict};

/// One way to set Lectern up.
struct Configuration {
    name: &'static str,
    settings: &'static str,
    /// Whether the cases run that wait for locks to lapse: five minutes in all.
    delay: bool,
    /// How many nodes there are, over PostgreSQL and S3, behind a proxy that sends each request to another one; 0 for one
    /// program over a folder.
    nodes: usize,
}

const fn configuration(name: &'static str, settings: &'static str) -> Configuration {
    Configuration { name, settings, delay: false, nodes: 0 }
}

const fn three_nodes(name: &'static str, settings: &'static str) -> Configuration {
    Configuration { name, settings, delay: false, nodes: 3 }
}

const CONTAINERS_OFF: &str = "[wopi]\ncontainers = false\n";
const RELATIVE_WRITES_OFF: &str = "[wopi]\nrelative_writes = false\n";
const FILE_URL_ON: &str = "[wopi]\nfile_url = true\n";
const COAUTHORING_OFF: &str = "[coauthoring]\nenabled = false\n";

/// Configurations that together reach every case: over a folder, and once more over nodes.
const CONFIGURATIONS: &[Configuration] = &[
    Configuration { name: "default, with delays", settings: "", delay: true, nodes: 0 },
    Configuration { name: "three nodes, with delays", settings: "", delay: true, nodes: 3 },
    configuration("default", ""),
    configuration("containers off", CONTAINERS_OFF),
    configuration("relative writes off", RELATIVE_WRITES_OFF),
    configuration("FileUrl on", FILE_URL_ON),
    configuration("coauthoring off", COAUTHORING_OFF),
    three_nodes("three nodes, containers off", CONTAINERS_OFF),
    three_nodes("three nodes, relative writes off", RELATIVE_WRITES_OFF),
    three_nodes("three nodes, FileUrl on", FILE_URL_ON),
    three_nodes("three nodes, coauthoring off", COAUTHORING_OFF),
];

/// The name under which the runner's discovery document is known.
const CLIENT: &str = "validator";
/// The file under test; the cases ask for this extension.
const FILE: &str = "test.wopitest";
/// The oldest Python that the runner works with.
const PYTHON_MIN: (u32, u32) = (3, 11);

/// What was asked for on the command line. `LECTERN_PROGRAM` names a build of Lectern to take instead of making one.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Against the example host of `wopi-service`, not against Lectern.
    example: bool,
    /// A missing runner is an error.
    require: bool,
    /// An optimised build, which takes longer to make than the cases take to run.
    release: bool,
}

impl Options {
    pub(crate) fn parse(arguments: &[&str]) -> anyhow::Result<Self> {
        let mut options = Self::default();
        for argument in arguments {
            match *argument {
                "--example" => options.example = true,
                "--require" => options.require = true,
                "--release" => options.release = true,
                _ => bail!("unknown option {argument:?}; `cargo xtask help` lists them"),
            }
        }
        Ok(options)
    }
}

/// Runs the cases and prints the verdict.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let Some(runner) = runner() else {
        ensure!(!options.require, "the official cases cannot be run: the validator was not found");
        println!("official cases: not run (validator not found)");
        return Ok(());
    };
    let scratch = tempfile::tempdir()?;
    let validator = Validator { python: python()?, runner, scratch: scratch.path().to_owned() };
    let keys = validator.keys()?;
    let mut discovery = validator.discovery(&keys)?;
    let discovery_url =
        discovery.wait_for(START_TIME_MAX, |line| line.starts_with("http").then(|| line.trim().to_owned()))?;

    let verdicts = if options.example {
        let example = Example::start(options, &discovery_url)?;
        vec![example_verdict(&validator.run("the example", false, &example.target, &keys)?)]
    } else {
        let program = match std::env::var_os("LECTERN_PROGRAM") {
            Some(program) => program.into(),
            None => tools::built(&["--package", "lectern-server", "--bin", "lectern"], "lectern", options.release)?,
        };
        let run = |configuration: &Configuration| {
            let place = scratch.path().join(configuration.name);
            let folder = place.join("documents");
            std::fs::create_dir_all(&folder)?;
            std::fs::write(folder.join(FILE), "Something to begin with.\n")?;
            let config = place.join("lectern.toml");
            let run = |lectern: &Lectern| {
                let target = lectern.token_of_known_client(FILE, CLIENT)?;
                validator.run(configuration.name, configuration.delay, &target, &keys)
            };
            if configuration.nodes > 0 {
                let servers = Servers::start(configuration.nodes, options.release, &place)?;
                let client = format!("[[client]]\nname = \"{CLIENT}\"\ndiscovery = \"{discovery_url}\"\n");
                let config = servers.settings_file(&config, &format!("{}{client}", configuration.settings))?;
                let nodes = servers.start_nodes(configuration.nodes, &program, &config)?;
                let first = nodes.first().context("there is a node")?;
                first.command(&["import", folder.to_str().context("a path that is not UTF-8")?])?;
                return run(first);
            }
            std::fs::write(&config, configuration.settings)?;
            let config = config.to_str().context("a path that is not UTF-8")?;
            let client = format!("{CLIENT}={discovery_url}");
            run(&Lectern::start(&program, &folder, &["--client", &client, "--config", config])?)
        };
        // Those that wait do so beside the others.
        let (waiting, others): (Vec<_>, Vec<_>) = CONFIGURATIONS.iter().partition(|one| one.delay);
        let run = |configuration| run(configuration).map(|report| (configuration.nodes, report));
        let reports: anyhow::Result<Vec<(usize, Report)>> = std::thread::scope(|scope| {
            let started: Vec<_> = waiting.into_iter().map(|one| scope.spawn(move || run(one))).collect();
            let mut reports: Vec<_> = others.into_iter().map(run).collect();
            let gone = || Err(anyhow!("the thread of a configuration is gone"));
            reports.extend(started.into_iter().map(|thread| thread.join().unwrap_or_else(|_| gone())));
            reports.into_iter().collect()
        });
        // Each case has to pass over a folder, and over nodes.
        let (over_a_folder, over_nodes): (Vec<_>, Vec<_>) = reports?.into_iter().partition(|(nodes, _)| *nodes == 0);
        let verdict_on =
            |reports: Vec<(usize, Report)>| verdict(&reports.into_iter().map(|(_, report)| report).collect::<Vec<_>>());
        vec![verdict_on(over_a_folder), verdict_on(over_nodes)]
    };
    for verdict in &verdicts {
        println!("\n{}", verdict.lines.join("\n"));
    }
    ensure!(verdicts.iter().all(|verdict| verdict.good), "not all official cases are as they must be");
    Ok(())
}

/// Where the cases' runner is: what `LECTERN_VALIDATOR` names, or `../shared/validator/run.py` beside the repository.
fn runner() -> Option<PathBuf> {
    let beside = tools::root().join("../shared/validator/run.py");
    let named = std::env::var_os("LECTERN_VALIDATOR").map(PathBuf::from);
    let named = named.map(|path| if path.is_dir() { path.join("run.py") } else { path });
    named.or(Some(beside)).filter(|path| path.is_file())
}

/// A Python that is new enough, under whatever name it goes.
fn python() -> anyhow::Result<PathBuf> {
    let (major, minor) = PYTHON_MIN;
    tools::need(&[("python3", "python3", "the runner of the official cases")])?;
    let is_new = format!("import sys; sys.exit(sys.version_info < ({major}, {minor}))");
    let mut names = vec!["python3".to_owned(), "python".to_owned()];
    names.extend((minor..minor + 6).map(|minor| format!("python{major}.{minor}")));
    let works = |python: &PathBuf| {
        let status = Command::new(python).args(["-c", &is_new]).stdin(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    let found = names.iter().filter_map(|name| tools::which(name)).find(works);
    found.with_context(|| {
        format!("the runner of the official cases needs Python {major}.{minor} or newer; there is none")
    })
}

/// The two proof keys.
struct Keys {
    current: PathBuf,
    old: PathBuf,
}

struct Validator {
    python: PathBuf,
    runner: PathBuf,
    scratch: PathBuf,
}

impl Validator {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(&self.runner);
        command
    }

    fn keys(&self) -> anyhow::Result<Keys> {
        let folder = self.scratch.join("keys");
        tools::output(self.command().arg("keys").arg(&folder))?;
        Ok(Keys { current: folder.join("current.pem"), old: folder.join("old.pem") })
    }

    fn discovery(&self, keys: &Keys) -> anyhow::Result<Running> {
        let mut command = self.command();
        command.args(["discovery", "--port", "0", "--proof-key"]).arg(&keys.current);
        Running::start(command.arg("--proof-key-old").arg(&keys.old))
    }

    /// Runs all cases. Its exit status says whether some failed, which the report says too; what counts is that there
    /// is a report.
    fn run(&self, configuration: &str, delay: bool, target: &Target, keys: &Keys) -> anyhow::Result<Report> {
        let json = self.scratch.join(format!("{configuration}.json"));
        let mut command = self.command();
        command.args(["--wopisrc", &target.wopi_src, "--token", &target.access_token]);
        command.args(["--token-ttl", &target.expires_at_ms.to_string()]);
        command.arg("--proof-key").arg(&keys.current).arg("--proof-key-old").arg(&keys.old);
        command.arg("--json").arg(&json);
        if delay {
            command.arg("--delay");
        }
        let words = tools::words(&command);
        println!("$ {words}");
        let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
        let output = output.with_context(|| format!("cannot start `{words}`"))?;
        // What was skipped, and why, is in the report and, where it matters, in the verdict.
        let printed = String::from_utf8_lossy(&output.stdout);
        for line in printed.lines().filter(|line| line.starts_with("FAIL") || line.starts_with("TOTAL")) {
            println!("{configuration}: {line}");
        }
        let status = output.status;
        ensure!(matches!(status.code(), Some(0 | 1)), "`{words}` ended with {status}");
        let text = std::fs::read_to_string(&json).with_context(|| format!("no report in {}", json.display()))?;
        Report::parse(configuration, &text)
    }
}

/// The example host of `wopi-service`.
struct Example {
    target: Target,
    _running: Running,
}

impl Example {
    fn start(options: &Options, discovery_url: &str) -> anyhow::Result<Self> {
        let program =
            tools::built(&["--package", "wopi-service", "--example", "memory_host"], "memory_host", options.release)?;
        let mut command = Command::new(program);
        let mut running = Running::start(command.args(["--listen", "127.0.0.1:0", "--discovery", discovery_url]))?;
        let printed = running.wait_for(START_TIME_MAX, |line| {
            serde_json::from_str::<Value>(line).ok().filter(|printed| printed["wopi_src"].is_string())
        })?;
        Ok(Self { target: Target::parse(&printed)?, _running: running })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_are_understood_and_others_are_not() {
        let all = Options { example: true, require: true, release: true };
        assert_eq!(Options::parse(&["--release", "--example", "--require"]).unwrap(), all);
        assert_eq!(Options::parse(&[]).unwrap(), Options::default());
        assert!(Options::parse(&["--exmaple"]).is_err());
    }
}
