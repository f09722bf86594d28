//! A running Lectern, for the chores that measure and judge it: started on a folder, asked for tokens, stopped.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::tools::{self, Running};

/// How long a program may take to say that it is ready.
pub const START_TIME_MAX: Duration = Duration::from_secs(120);
/// How long Lectern may take to have read a discovery document.
const DISCOVERY_TIME_MAX: Duration = Duration::from_secs(30);
/// How long a graceful stop may take.
const STOP_TIME_MAX: Duration = Duration::from_secs(60);
/// How often something unfinished is asked again.
const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// A file with a token for it: what `lectern token --json` and the example host print.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// The WOPISrc of the file.
    pub wopi_src: String,
    /// A token that may change it.
    pub access_token: String,
    /// `access_token_ttl`: when the token runs out, in milliseconds since 1970.
    pub expires_at_ms: u64,
}

impl Target {
    /// Reads what was printed.
    ///
    /// # Errors
    ///
    /// Says which field is missing, without showing the token.
    pub fn parse(printed: &Value) -> anyhow::Result<Self> {
        let fields = || {
            let names = printed.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
            names.collect::<Vec<_>>().join(", ")
        };
        let text = |field: &str| {
            let text = printed[field].as_str().map(str::to_owned);
            text.with_context(|| format!("there is no text {field} among {}", fields()))
        };
        Ok(Self {
            wopi_src: text("wopi_src")?,
            access_token: text("access_token")?,
            expires_at_ms: printed["access_token_ttl"].as_u64().context("access_token_ttl is no number")?,
        })
    }

    /// The request target of something below the WOPISrc, with the token: `""` is the file, `"/contents"` its bytes.
    pub fn request_target(&self, below: &str) -> String {
        let behind_scheme = self.wopi_src.find("://").map_or(0, |at| at + 3);
        let path = self.wopi_src[behind_scheme..].find('/').map_or("", |at| &self.wopi_src[behind_scheme + at..]);
        format!("{path}{below}?access_token={}", self.access_token)
    }
}

/// A running Lectern. Dropping it kills it.
pub struct Lectern {
    program: PathBuf,
    /// The options with which commands find the same documents.
    place: [OsString; 2],
    running: Running,
    address: SocketAddr,
    public_url: String,
}

impl Lectern {
    /// Serves a folder on a free port, with more options, and waits until it is ready.
    ///
    /// # Errors
    ///
    /// If it does not start, or is not ready within [`START_TIME_MAX`].
    pub fn start(program: &Path, folder: &Path, options: &[&str]) -> anyhow::Result<Self> {
        // A port that was free a moment ago: the public URL, which is signed, has to be known before the start.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = Command::new(program);
        command.arg("serve").arg(folder).args(options);
        Self::start_at(program, command, ["--folder".into(), folder.into()], address, format!("http://{address}"))
    }

    /// Serves what a settings file says as one node of several: at this address, and reached by a public URL that is a
    /// load balancer's.
    ///
    /// # Errors
    ///
    /// Those of [`Self::start`].
    pub fn start_node(program: &Path, config: &Path, address: SocketAddr, public_url: &str) -> anyhow::Result<Self> {
        let mut command = Command::new(program);
        command.args(["serve", "--config"]).arg(config);
        Self::start_at(program, command, ["--config".into(), config.into()], address, public_url.to_owned())
    }

    fn start_at(
        program: &Path,
        mut command: Command,
        place: [OsString; 2],
        address: SocketAddr,
        public_url: String,
    ) -> anyhow::Result<Self> {
        command.args(["--listen", &address.to_string(), "--public-url", &public_url]);
        let mut running = Running::start(&mut command)?;
        let own = address.to_string();
        running.wait_for(START_TIME_MAX, move |line| line.contains(&own).then_some(()))?;
        let mut lectern = Self { program: program.to_owned(), place, running, address, public_url };
        lectern.wait_until_ready()?;
        Ok(lectern)
    }

    /// What a command prints that is about the same documents.
    ///
    /// # Errors
    ///
    /// If it fails.
    pub fn command(&self, arguments: &[&str]) -> anyhow::Result<String> {
        tools::output(Command::new(&self.program).args(arguments).args(&self.place))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub fn process_id(&self) -> u32 {
        self.running.process_id()
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

    /// A token for a file and a client (`none` for a tool that shows no proofs).
    ///
    /// # Errors
    ///
    /// If the command fails, or prints a WOPISrc at which the program does not listen.
    pub fn token(&self, file: &str, client: &str) -> anyhow::Result<Target> {
        self.target(&self.printed_token(file, client)?)
    }

    /// The same for a client whose discovery document must have been read, for which this waits: the program itself
    /// does not wait for it when it starts.
    ///
    /// # Errors
    ///
    /// Those of [`Self::token`], and if the document was not read in time.
    pub fn token_of_known_client(&self, file: &str, client: &str) -> anyhow::Result<Target> {
        let end = Instant::now() + DISCOVERY_TIME_MAX;
        loop {
            let printed = self.printed_token(file, client)?;
            let actions = &printed["action_urls"];
            let is_known = actions.as_object().is_some_and(|map| !map.is_empty())
                || actions.as_array().is_some_and(|list| !list.is_empty());
            if is_known {
                return self.target(&printed);
            }
            ensure!(Instant::now() < end, "lectern did not read the discovery document within {DISCOVERY_TIME_MAX:?}");
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    fn printed_token(&self, file: &str, client: &str) -> anyhow::Result<Value> {
        let token = ["token", file, "--client", client, "--json", "--public-url", &self.public_url];
        serde_json::from_str(&self.command(&token)?).context("lectern token --json printed no JSON")
    }

    fn target(&self, printed: &Value) -> anyhow::Result<Target> {
        let target = Target::parse(printed)?;
        let expected = format!("{}/", self.public_url);
        let begins = target.wopi_src.starts_with(&expected);
        ensure!(begins, "lectern token prints the WOPISrc {}, which does not begin with {expected}", target.wopi_src);
        Ok(target)
    }

    /// Asks it to stop and waits until it has.
    ///
    /// # Errors
    ///
    /// If it does not stop in time.
    pub fn stop(mut self) -> anyhow::Result<()> {
        tools::output(Command::new("kill").args(["-TERM", &self.process_id().to_string()]))?;
        let end = Instant::now() + STOP_TIME_MAX;
        while self.running.ended()?.is_none() {
            ensure!(Instant::now() < end, "lectern did not stop within {STOP_TIME_MAX:?}");
            std::thread::sleep(POLL_INTERVAL);
        }
        Ok(())
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
    fn a_target_needs_all_three_fields_and_a_complaint_shows_no_token() {
        let whole =
            serde_json::json!({"wopi_src": "http://h/wopi/files/1", "access_token": "t0p", "access_token_ttl": 5});
        let target = Target::parse(&whole).unwrap();
        assert_eq!(target.expires_at_ms, 5);
        assert_eq!(target.request_target("/contents"), "/wopi/files/1/contents?access_token=t0p");
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
