//! Debian's Chromium without a screen, driven over the DevTools protocol.
//!
//! The browser speaks through two pipes (`--remote-debugging-pipe`), so there is no port that others could reach, no
//! websocket, and a browser whose test has died ends by itself. It knows no host but this machine.
//!
//! | module | what |
//! |---|---|
//! | `wire` | messages: commands, answers, what pages complain about |
//! | [`page`] | what a person does in a tab: go, click, type, choose files, look |

pub(crate) mod page;
mod wire;

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

pub(crate) use page::{Looks, Page, Scheme};
pub(crate) use wire::Trouble;
use wire::Wire;

/// How long the browser may take to end when it is asked to.
const END_TIME_MAX: Duration = Duration::from_secs(5);
/// How often it is looked whether it has.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Runs its arguments with descriptors 3 and 4 as the browser wants them: commands come in, messages go out.
const WITH_PIPES: &str = r#"exec "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#;

/// A running browser. Dropping it ends it, with all its processes.
pub(crate) struct Browser {
    wire: Arc<Wire>,
    process: Child,
    /// Removed with the browser.
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts one. `None` when this machine has none, which is said, and is an error in CI.
    pub(crate) fn start() -> Option<Self> {
        let Some(program) = program() else {
            assert!(
                !crate::common::in_ci(),
                "chromium is missing, and CI must run this test\nhint: apt-get install chromium"
            );
            eprintln!("SKIPPED: chromium is missing (Debian package chromium)");
            return None;
        };
        let profile = tempfile::tempdir().expect("a folder for the browser's profile");
        let mut command = Command::new("/bin/sh");
        command.args(["-c", WITH_PIPES, "sh"]).arg(program).args([
            "--headless=new",
            "--remote-debugging-pipe",
            "--no-first-run",
            "--no-default-browser-check",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-extensions",
            "--disable-sync",
            "--disable-component-update",
            "--disable-background-networking",
            // A tab that is not in front works as fast as one that is: two people sit at two screens.
            "--disable-background-timer-throttling",
            "--disable-renderer-backgrounding",
            "--disable-backgrounding-occluded-windows",
            "--hide-scrollbars",
            "--lang=en-US",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
        ]);
        // Its sandbox does not work for root; nothing but our own pages is opened.
        if rustix::process::geteuid().is_root() {
            command.arg("--no-sandbox");
        }
        command.arg(format!("--user-data-dir={}", profile.path().display()));
        // A group of its own, so that its helpers end with it.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        let mut process = command.spawn().expect("the browser can be started");
        let commands = process.stdin.take().expect("it is piped");
        let messages = process.stdout.take().expect("it is piped");
        Some(Self { wire: Wire::new(commands, messages), process, _profile: profile })
    }

    /// Somebody else at a browser of their own: cookies and storage are not shared.
    pub(crate) fn person(&self) -> Person {
        let context = self.wire.must("", "Target.createBrowserContext", json!({}));
        let context = context["browserContextId"].as_str().expect("a context has an id").to_owned();
        Person { wire: Arc::clone(&self.wire), context }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Whatever fails here fails because it has ended already.
        let _ = self.wire.ask("", "Browser.close", json!({}));
        let end = Instant::now() + END_TIME_MAX;
        while self.process.try_wait().is_ok_and(|status| status.is_none()) && Instant::now() < end {
            std::thread::sleep(POLL_INTERVAL);
        }
        if let Some(group) = i32::try_from(self.process.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where the browser is. `LECTERN_CHROMIUM` names another one.
fn program() -> Option<PathBuf> {
    if let Some(program) = std::env::var_os("LECTERN_CHROMIUM") {
        return Some(program.into());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("chromium")).find(|program| program.is_file())
}

/// One person's browser: tabs that share cookies and storage with each other and nobody else.
pub(crate) struct Person {
    wire: Arc<Wire>,
    context: String,
}

impl Person {
    /// Opens a tab at this address and waits until the page is there.
    pub(crate) fn opens(&self, url: &str) -> Page {
        let page = Page::new(Arc::clone(&self.wire), &self.context);
        page.goes_to(url);
        page
    }
}
