//! How the process is told to stop: SIGTERM from a service manager, SIGINT from a keyboard.

use std::time::{Duration, Instant};

use crate::trouble::{OrTrouble, Trouble};

/// The exit status of a process that a second signal stopped: that of the shell's Ctrl-C.
pub const EXIT_AT_ONCE: i32 = 130;

/// How long after the first signal another one counts as the same: `timeout`, and shells that signal a whole process
/// group, send theirs twice within a moment.
const SAME_SIGNAL: Duration = Duration::from_millis(500);

/// Ready at the first SIGTERM or SIGINT. From then on a second one ends the process at once: everything that was
/// answered is durable, so nothing is lost but requests that were not answered yet.
///
/// # Errors
///
/// If the signals cannot be listened to.
pub fn stop() -> Result<impl Future<Output = ()> + Send, Trouble> {
    let mut signals = Signals::listen()?;
    Ok(async move {
        let name = signals.next().await;
        let first = Instant::now();
        tracing::info!(signal = name, "stopping: requests that have begun may finish; a second signal stops at once");
        tokio::spawn(async move {
            let mut name = signals.next().await;
            while first.elapsed() < SAME_SIGNAL {
                name = signals.next().await;
            }
            tracing::warn!(signal = name, "stopped at once");
            std::process::exit(EXIT_AT_ONCE);
        });
    })
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> Result<Self, Trouble> {
        use tokio::signal::unix::{SignalKind, signal};
        let cannot = || "cannot listen to signals".to_owned();
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).or_trouble(cannot)?,
            terminate: signal(SignalKind::terminate()).or_trouble(cannot)?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    #[expect(clippy::unnecessary_wraps, reason = "on Unix it can fail")]
    fn listen() -> Result<Self, Trouble> {
        Ok(Self)
    }

    async fn next(&mut self) -> &'static str {
        let _ = tokio::signal::ctrl_c().await;
        "Ctrl-C"
    }
}
