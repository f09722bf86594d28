//! The program as a child process: started, asked for tokens and versions, killed, started again.
//!
//! Everything these tests assume about the command line stands in this file.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::{Duration, Instant};

use super::http::{Request, once};

/// How long the program may take until it is ready.
const START_TIME_MAX: Duration = Duration::from_secs(60);
/// How long a log line may take to reach us.
const LOG_TIME_MAX: Duration = Duration::from_secs(10);
/// How often an unfinished start is asked again whether it has finished: the one thing here that can only be polled.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// How a program is started: its folder, its arguments, and as whom.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    program: PathBuf,
    folder: PathBuf,
    listen: String,
    arguments: Vec<String>,
    user: Option<u32>,
}

impl Settings {
    /// `lectern serve FOLDER` on a free port. `LECTERN_PROGRAM` names another build of it.
    pub(crate) fn of(folder: &Path) -> Self {
        let program = std::env::var_os("LECTERN_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_lectern").into());
        let listen = "127.0.0.1:0".to_owned();
        Self { program: program.into(), folder: folder.to_owned(), listen, arguments: Vec::new(), user: None }
    }

    /// At this address instead, which can then be the same after the next start.
    pub(crate) fn at(mut self, address: SocketAddr) -> Self {
        self.listen = address.to_string();
        self
    }

    /// With one more option and its value.
    pub(crate) fn with(mut self, option: &str, value: &str) -> Self {
        self.arguments.extend([option.to_owned(), value.to_owned()]);
        self
    }

    /// With a settings file of this text, which is written to `path`.
    pub(crate) fn with_file(self, path: &Path, toml: &str) -> Self {
        std::fs::write(path, toml).expect("the settings file can be written");
        self.with("--config", path.to_str().expect("a path in UTF-8"))
    }

    /// Another copy of the program, for users who cannot reach the first one.
    pub(crate) fn with_program(mut self, program: &Path) -> Self {
        self.program = program.to_owned();
        self
    }

    /// Where the program is.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// The folder it serves.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// As another user; the tests must run as root.
    pub(crate) fn run_by(mut self, user: u32) -> Self {
        self.user = Some(user);
        self
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).stdin(Stdio::null());
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
    }

    /// Starts the program and does not wait for it.
    pub(crate) fn spawn(&self) -> Lectern {
        let folder = self.folder.to_str().expect("a path in UTF-8");
        let mut child = self
            .command(&["serve", folder, "--listen", &self.listen])
            .args(&self.arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", self.program.display()));
        let log = Arc::new(Log::default());
        let printed = Arc::new(Log::default());
        let (tell, addresses) = mpsc::channel();
        let stdout = child.stdout.take().expect("it is piped");
        let lines = Arc::clone(&printed);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                lines.add(line.clone());
                if let Some(address) = address_in(&line) {
                    // Nobody listens any more once the first address was taken.
                    let _ = tell.send(address);
                }
            }
        });
        let stderr = child.stderr.take().expect("it is piped");
        let lines = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lines.add(line);
            }
        });
        Lectern { child, address: None, addresses, printed, log, settings: self.clone() }
    }

    /// Starts the program and waits until it is ready.
    pub(crate) async fn start(&self) -> Lectern {
        let mut lectern = self.spawn();
        lectern.ready().await;
        lectern
    }

    /// `lectern token FILE`, for tools that show no proofs.
    pub(crate) fn token(&self, file: &str) -> Token {
        self.token_with(file, &["--client", "none"])
    }

    /// `lectern token FILE` with more options.
    pub(crate) fn token_with(&self, file: &str, options: &[&str]) -> Token {
        let folder = self.folder.to_str().expect("a path in UTF-8");
        let mut arguments = vec!["token", file, "--folder", folder, "--json"];
        arguments.extend(options);
        let printed = self.json(&arguments);
        let text = |field: &str| {
            printed[field].as_str().unwrap_or_else(|| panic!("lectern token prints no {field}: {printed}")).to_owned()
        };
        let ttl = &printed["access_token_ttl"];
        assert!(ttl.is_u64(), "access_token_ttl must be milliseconds since 1970: {printed}");
        Token {
            wopi_src: text("wopi_src"),
            access_token: text("access_token"),
            expires_at_ms: ttl.as_u64().unwrap_or(0),
        }
    }

    /// `lectern versions FILE`: the versions that were replaced.
    pub(crate) fn versions(&self, file: &str) -> Vec<Version> {
        let folder = self.folder.to_str().expect("a path in UTF-8");
        let printed = self.json(&["versions", file, "--folder", folder, "--json"]);
        let rows = printed.as_array().unwrap_or_else(|| panic!("lectern versions prints no list: {printed}"));
        let version = |row: &serde_json::Value| Version {
            version: row["version"].as_str().unwrap_or_else(|| panic!("a version without name: {row}")).to_owned(),
            size: row["size"].as_u64().unwrap_or_else(|| panic!("a version without size: {row}")),
        };
        rows.iter().map(version).collect()
    }

    /// `lectern versions FILE --get VERSION`: the bytes of one of them.
    pub(crate) fn version_bytes(&self, file: &str, version: &str) -> Vec<u8> {
        let folder = self.folder.to_str().expect("a path in UTF-8");
        self.output(&["versions", file, "--folder", folder, "--get", version])
    }

    /// `lectern rescued`: the bytes of the saves that were refused, latest first.
    pub(crate) fn rescued(&self) -> Vec<Vec<u8>> {
        let folder = self.folder.to_str().expect("a path in UTF-8");
        let printed = self.json(&["rescued", "list", "--json", "--folder", folder]);
        let saves = printed.as_array().unwrap_or_else(|| panic!("lectern rescued prints no list: {printed}"));
        let bytes = |save: &serde_json::Value| {
            let id = save["id"].as_str().unwrap_or_else(|| panic!("a rescued save without id: {save}"));
            self.output(&["rescued", "get", id, "--folder", folder])
        };
        saves.iter().map(bytes).collect()
    }

    /// Ends all sessions of the user whom tokens are for when nothing else is said, so that no token of theirs is good
    /// any more.
    pub(crate) fn revoke_sessions(&self) {
        let folder = self.folder.to_str().expect("a path in UTF-8");
        self.output(&["user", "revoke-sessions", "admin", "--folder", folder]);
    }

    /// What a command prints, as JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let printed = self.output(arguments);
        serde_json::from_slice(&printed)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}", String::from_utf8_lossy(&printed)))
    }

    /// What a command prints. It has to succeed.
    pub(crate) fn output(&self, arguments: &[&str]) -> Vec<u8> {
        let output = self.command(arguments).output().expect("the program can be started");
        assert!(
            output.status.success(),
            "lectern {} failed: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    }
}

/// The first loopback address in a line.
fn address_in(line: &str) -> Option<SocketAddr> {
    let start = line.find("127.0.0.1:")?;
    let text = &line[start..];
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':').unwrap_or(text.len());
    text[..end].trim_end_matches(['.', ':']).parse().ok()
}

/// What `lectern token` prints.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) wopi_src: String,
    pub(crate) access_token: String,
    pub(crate) expires_at_ms: u64,
}

impl Token {
    /// The path of the WOPISrc, which outlives a restart on another port.
    pub(crate) fn path(&self) -> &str {
        let behind_scheme = self.wopi_src.find("://").map_or(0, |at| at + 3);
        let start = self.wopi_src[behind_scheme..].find('/').expect("a WOPISrc has a path");
        &self.wopi_src[behind_scheme + start..]
    }

    /// The same file with another token.
    pub(crate) fn replaced_by(&self, access_token: &str) -> Self {
        Self { access_token: access_token.to_owned(), ..self.clone() }
    }
}

/// A version that `lectern versions` lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) version: String,
    pub(crate) size: u64,
}

/// A running program. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Lectern {
    child: Child,
    address: Option<SocketAddr>,
    addresses: mpsc::Receiver<SocketAddr>,
    printed: Arc<Log>,
    log: Arc<Log>,
    settings: Settings,
}

impl Lectern {
    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address.expect("it was ready")
    }

    /// How it was started.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.settings.folder
    }

    /// Waits for the ready line and until `/health/ready` says so too.
    async fn ready(&mut self) {
        let end = Instant::now() + START_TIME_MAX;
        loop {
            assert!(Instant::now() < end, "not ready in time: {}", self.log.text());
            if let Some(status) = self.child.try_wait().expect("a child can be asked") {
                panic!("the program ended at once, {status}: {}", self.log.text());
            }
            if self.address.is_none() {
                self.address = self.addresses.try_recv().ok();
            }
            if let Some(address) = self.address
                && let Ok(answer) = once(address, &Request::get("/health/ready")).await
                && answer.status == 200
            {
                return;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// `kill -9`, and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lines.lock().expect("no reader panics").clone()
    }

    /// Waits for a line of the log that contains `text`, and returns all that do.
    pub(crate) fn log_lines_with(&self, text: &str) -> Vec<String> {
        self.log.lines_with(text)
    }

    /// A field of its `/proc/PID/status`, in bytes: `VmRSS` is the memory it has, `VmHWM` the most it ever had.
    pub(crate) fn memory(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it is running");
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
        kibibytes.unwrap_or_else(|| panic!("no {field} in {status}")) << 10
    }

    /// Lets `VmHWM` begin again at what it has now.
    pub(crate) fn forget_most_memory(&self) {
        // The kernel's word for that (proc(5), clear_refs).
        std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").expect("it is our own child");
    }

    /// Waits for a line on its standard output that contains `text`.
    pub(crate) fn printed_line_with(&self, text: &str) -> String {
        let found = self.printed.lines_with(text).into_iter().next();
        found.unwrap_or_else(|| panic!("it did not print {text:?}: {}", self.printed.text()))
    }

    /// Asks whether it still answers.
    pub(crate) async fn goes_on(&mut self) -> bool {
        let alive = self.child.try_wait().expect("a child can be asked").is_none();
        let answer = once(self.address(), &Request::get("/health/live")).await;
        alive && answer.is_ok_and(|answer| answer.status == 200)
    }

    fn end(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Lectern {
    fn drop(&mut self) {
        self.end();
        if std::thread::panicking() {
            eprintln!("── the program's log ──\n{}", self.log.text());
        }
    }
}

/// The lines the program wrote to standard error.
#[derive(Debug, Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    more: Condvar,
}

impl Log {
    fn add(&self, line: String) {
        self.lines.lock().expect("no reader panics").push(line);
        self.more.notify_all();
    }

    fn text(&self) -> String {
        self.lines.lock().expect("no reader panics").join("\n")
    }

    fn lines_with(&self, text: &str) -> Vec<String> {
        let lines = self.lines.lock().expect("no reader panics");
        let none = |lines: &mut Vec<String>| !lines.iter().any(|line| line.contains(text));
        let (lines, _) = self.more.wait_timeout_while(lines, LOG_TIME_MAX, none).expect("no reader panics");
        lines.iter().filter(|line| line.contains(text)).cloned().collect()
    }
}
