//! `cargo xtask official`: Microsoft's official cases, every request signed and every signature checked.
//!
//! The cases and their runner are not part of the repository (`run.py`, Python; see [`Options`] for where it is looked
//! for). Each configuration gets a folder of its own with one `.wopitest` file, because the cases overwrite, rename and
//! delete what they find.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::tools::{self, Running};
use crate::verdict::{Report, example_verdict, verdict};

/// Configurations that together reach every case that Lectern supports, and the settings of each.
const CONFIGURATIONS: &[(&str, &str)] = &[
    ("default", ""),
    ("containers off", "[wopi]\ncontainers = false\n"),
    ("relative writes off", "[wopi]\nrelative_writes = false\n"),
    ("FileUrl on", "[wopi]\nfile_url = true\n"),
];

/// The name under which the runner's discovery document is known.
const CLIENT: &str = "validator";
/// How long a program may take to say that it is ready.
const START_TIME_MAX: Duration = Duration::from_secs(60);
/// How long Lectern may take to have read the discovery document.
const DISCOVERY_TIME_MAX: Duration = Duration::from_secs(30);
/// How often an unfinished start is asked again.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
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

    let verdict = if options.example {
        let example = Example::start(options, &discovery_url)?;
        example_verdict(&validator.run("the example", &example.target, &keys)?)
    } else {
        let program = match std::env::var_os("LECTERN_PROGRAM") {
            Some(program) => program.into(),
            None => build(options, &["--package", "lectern-server", "--bin", "lectern"], "lectern")?,
        };
        let mut reports = Vec::new();
        for (name, settings) in CONFIGURATIONS {
            println!("\n── {name} ──");
            let folder = scratch.path().join(name);
            let lectern = Lectern::start(&program, &folder, settings, &discovery_url)?;
            reports.push(validator.run(name, &lectern.target()?, &keys)?);
        }
        verdict(&reports)
    };
    println!();
    for line in &verdict.lines {
        println!("{line}");
    }
    ensure!(verdict.good, "not all official cases are as they must be");
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

/// What the cases are run against.
struct Target {
    wopi_src: String,
    access_token: String,
    expires_at_ms: u64,
}

impl Target {
    /// From what `lectern token --json` and the example host print.
    fn parse(printed: &Value) -> anyhow::Result<Self> {
        let text = |field: &str| {
            printed[field]
                .as_str()
                .map(str::to_owned)
                .with_context(|| format!("there is no {field} in {}", shown(printed)))
        };
        Ok(Self {
            wopi_src: text("wopi_src")?,
            access_token: text("access_token")?,
            expires_at_ms: printed["access_token_ttl"].as_u64().context("access_token_ttl is no number")?,
        })
    }
}

/// Which fields something has, without their values: there is a token among them.
fn shown(printed: &Value) -> String {
    let fields = printed.as_object().into_iter().flatten().map(|(field, _)| field.as_str());
    format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
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
    fn run(&self, configuration: &str, target: &Target, keys: &Keys) -> anyhow::Result<Report> {
        let json = self.scratch.join(format!("{configuration}.json"));
        let mut command = self.command();
        command.args(["--wopisrc", &target.wopi_src, "--token", &target.access_token]);
        command.args(["--token-ttl", &target.expires_at_ms.to_string()]);
        command.arg("--proof-key").arg(&keys.current).arg("--proof-key-old").arg(&keys.old);
        command.arg("--json").arg(&json);
        let words = tools::words(&command);
        println!("$ {words}");
        let status = command.stdin(Stdio::null()).status().with_context(|| format!("cannot start `{words}`"))?;
        ensure!(matches!(status.code(), Some(0 | 1)), "`{words}` ended with {status}");
        let text = std::fs::read_to_string(&json).with_context(|| format!("no report in {}", json.display()))?;
        Report::parse(configuration, &text)
    }
}

/// Builds something and says where it is.
fn build(options: &Options, what: &[&str], path: &str) -> anyhow::Result<PathBuf> {
    let mut arguments = vec!["build", "--locked", "--message-format", "json-render-diagnostics"];
    arguments.extend(what);
    if options.release {
        arguments.push("--release");
    }
    println!("$ cargo {}", arguments.join(" "));
    let messages = tools::cargo_command(&arguments).stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    ensure!(messages.status.success(), "`cargo {}` failed", arguments.join(" "));
    let messages = String::from_utf8_lossy(&messages.stdout);
    let mut executables = messages.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    executables
        .rfind(|executable| executable.file_stem().is_some_and(|name| name == path))
        .with_context(|| format!("cargo built no {path}"))
}

/// A running Lectern with a folder of its own.
struct Lectern {
    program: PathBuf,
    folder: PathBuf,
    running: Running,
    address: SocketAddr,
}

impl Lectern {
    fn start(program: &Path, place: &Path, settings: &str, discovery_url: &str) -> anyhow::Result<Self> {
        let folder = place.join("documents");
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("test.wopitest"), "Something to begin with.\n")?;
        let config = place.join("lectern.toml");
        std::fs::write(&config, settings)?;
        // A port that was free a moment ago: the public URL, which is signed, has to be known before the start.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = Command::new(program);
        command.arg("serve").arg(&folder).args(["--listen", &address.to_string()]);
        command.args(["--public-url", &format!("http://{address}")]);
        command.args(["--client", &format!("{CLIENT}={discovery_url}")]).arg("--config").arg(&config);
        let mut running = Running::start(&mut command)?;
        let own = address.to_string();
        running.wait_for(START_TIME_MAX, move |line| line.contains(&own).then_some(()))?;
        let mut lectern = Self { program: program.to_owned(), folder, running, address };
        lectern.wait_until_ready()?;
        Ok(lectern)
    }

    fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let end = Instant::now() + START_TIME_MAX;
        while status_of(self.address, "/health/ready").ok() != Some(200) {
            if let Some(status) = self.running.ended()? {
                bail!("lectern ended with {status}");
            }
            ensure!(Instant::now() < end, "lectern was not ready within {START_TIME_MAX:?}");
            std::thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    /// The file under test, with a token for the client that signs. The program does not wait for discovery documents
    /// when it starts, so this waits until it knows what the client can do.
    fn target(&self) -> anyhow::Result<Target> {
        let end = Instant::now() + DISCOVERY_TIME_MAX;
        loop {
            let mut command = Command::new(&self.program);
            command.args(["token", "test.wopitest", "--client", CLIENT, "--json", "--folder"]).arg(&self.folder);
            let printed: Value = serde_json::from_str(&tools::output(&mut command)?).context("lectern token --json")?;
            let actions = &printed["action_urls"];
            let is_known = actions.as_object().is_some_and(|map| !map.is_empty())
                || actions.as_array().is_some_and(|list| !list.is_empty());
            if is_known {
                let target = Target::parse(&printed)?;
                let expected = format!("http://{}/", self.address);
                ensure!(
                    target.wopi_src.starts_with(&expected),
                    "lectern token prints the WOPISrc {}, which does not begin with {expected}",
                    target.wopi_src
                );
                return Ok(target);
            }
            ensure!(Instant::now() < end, "lectern did not read the discovery document within {DISCOVERY_TIME_MAX:?}");
            std::thread::sleep(POLL_INTERVAL);
        }
    }
}

/// The example host of `wopi-service`.
struct Example {
    target: Target,
    _running: Running,
}

impl Example {
    fn start(options: &Options, discovery_url: &str) -> anyhow::Result<Self> {
        let program = build(options, &["--package", "wopi-service", "--example", "memory_host"], "memory_host")?;
        let mut command = Command::new(program);
        let mut running = Running::start(command.args(["--listen", "127.0.0.1:0", "--discovery", discovery_url]))?;
        let printed = running.wait_for(START_TIME_MAX, |line| {
            serde_json::from_str::<Value>(line).ok().filter(|printed| printed["wopi_src"].is_string())
        })?;
        Ok(Self { target: Target::parse(&printed)?, _running: running })
    }
}

/// The status of a GET.
fn status_of(address: SocketAddr, path: &str) -> anyhow::Result<u16> {
    let limit = Some(Duration::from_secs(5));
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(limit)?;
    stream.set_write_timeout(limit)?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut line = [0; "HTTP/1.1 200".len()];
    stream.read_exact(&mut line)?;
    let status = line.strip_prefix(b"HTTP/1.1 ").and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    status.context("no status line")
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

    #[test]
    fn a_target_needs_all_three_fields_and_a_complaint_shows_no_token() {
        let whole =
            serde_json::json!({"wopi_src": "http://h/wopi/files/1", "access_token": "t0p", "access_token_ttl": 5});
        assert_eq!(Target::parse(&whole).unwrap().expires_at_ms, 5);
        for field in ["wopi_src", "access_token", "access_token_ttl"] {
            let mut less = whole.clone();
            less.as_object_mut().unwrap().remove(field);
            let complaint = format!("{:#}", Target::parse(&less).err().unwrap());
            assert!(complaint.contains(field) && !complaint.contains("t0p"), "{complaint}");
        }
    }

    #[test]
    fn a_status_is_read_from_the_wire() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = [0; 16];
            stream.read_exact(&mut head).unwrap();
            stream.write_all(b"HTTP/1.1 503 Not yet\r\nContent-Length: 0\r\n\r\n").unwrap();
            String::from_utf8_lossy(&head).into_owned()
        });
        assert_eq!(status_of(address, "/health").unwrap(), 503);
        assert_eq!(server.join().unwrap(), "GET /health HTTP");
    }
}
