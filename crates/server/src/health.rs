//! Whether we can serve at this moment: `/health/ready` asks for everything that a request needs.

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use lectern_host::ports::Registry;
use rustix::fs::{Access, access};
use serde::Serialize;

/// How long one look may take. A disk that hangs is a disk that is not there.
pub const LOOK_TIMEOUT: Duration = Duration::from_secs(5);

/// Something that a request needs.
#[async_trait]
pub trait Probe: Debug + Send + Sync + 'static {
    /// What it is, in a word.
    fn name(&self) -> &'static str;

    /// Looks whether it is there; says what is wrong if not.
    async fn look(&self) -> Result<(), String>;
}

/// What is wrong with one of them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct HealthTrouble {
    /// What.
    pub what: &'static str,
    /// Why. Without paths: anybody may ask.
    pub why: String,
}

/// Whether we can serve.
#[derive(Debug, Default)]
pub struct Health {
    probes: Vec<Box<dyn Probe>>,
    stopping: AtomicBool,
}

impl Health {
    /// Ready when all of these are.
    pub fn new(probes: Vec<Box<dyn Probe>>) -> Self {
        Self { probes, stopping: AtomicBool::new(false) }
    }

    /// From now on not ready any more, so that a load balancer looks elsewhere.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether [`Self::stop`] was said.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// What is wrong now; nothing if we are ready.
    pub async fn troubles(&self) -> Vec<HealthTrouble> {
        if self.is_stopping() {
            return vec![HealthTrouble { what: "server", why: "it is stopping".to_owned() }];
        }
        let looks = self.probes.iter().map(|probe| async {
            let why = match tokio::time::timeout(LOOK_TIMEOUT, probe.look()).await {
                Ok(Ok(())) => return None,
                Ok(Err(why)) => why,
                Err(_) => format!("no answer within {} seconds", LOOK_TIMEOUT.as_secs()),
            };
            Some(HealthTrouble { what: probe.name(), why })
        });
        join_all(looks).await.into_iter().flatten().collect()
    }
}

/// Whether the registry answers.
#[derive(Clone, Debug)]
pub struct RegistryProbe(pub Arc<dyn Registry>);

#[async_trait]
impl Probe for RegistryProbe {
    fn name(&self) -> &'static str {
        "registry"
    }

    async fn look(&self) -> Result<(), String> {
        self.0.root().await.map(|_| ()).map_err(|error| error.to_string())
    }
}

/// Whether the folder of documents and the one of our records are there and can be written.
#[derive(Clone, Debug)]
pub struct FolderProbe {
    /// The documents.
    pub folder: PathBuf,
    /// Our records.
    pub state: PathBuf,
}

#[async_trait]
impl Probe for FolderProbe {
    fn name(&self) -> &'static str {
        "folder"
    }

    async fn look(&self) -> Result<(), String> {
        let this = self.clone();
        // On a thread of its own: a network file system may hang.
        let look = tokio::task::spawn_blocking(move || {
            usable("the folder of documents", &this.folder)?;
            usable("the state directory", &this.state)
        });
        look.await.map_err(|_| "the look failed".to_owned())?
    }
}

fn usable(what: &str, path: &Path) -> Result<(), String> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return Err(format!("{what} is no folder")),
        Err(error) => return Err(format!("{what}: {}", error.kind())),
    }
    access(path, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|error| format!("{what} cannot be written: {}", std::io::Error::from(error).kind()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Hanging;

    #[async_trait]
    impl Probe for Hanging {
        fn name(&self) -> &'static str {
            "disk"
        }

        async fn look(&self) -> Result<(), String> {
            std::future::pending().await
        }
    }

    #[tokio::test]
    async fn a_folder_that_went_away_is_told_without_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join(".lectern");
        std::fs::create_dir(&state).unwrap();
        let probe = FolderProbe { folder: folder.path().to_owned(), state: state.clone() };
        let health = Health::new(vec![Box::new(probe)]);
        assert_eq!(health.troubles().await, []);
        std::fs::remove_dir(&state).unwrap();
        assert_eq!(
            health.troubles().await,
            [HealthTrouble { what: "folder", why: "the state directory: entity not found".to_owned() }]
        );
        std::fs::write(&state, "").unwrap();
        assert_eq!(health.troubles().await[0].why, "the state directory is no folder");
    }

    #[tokio::test(start_paused = true)]
    async fn what_hangs_is_not_waited_for() {
        let health = Health::new(vec![Box::new(Hanging), Box::new(Hanging)]);
        let began = tokio::time::Instant::now();
        assert_eq!(health.troubles().await.len(), 2);
        assert!(began.elapsed() < LOOK_TIMEOUT * 2, "looked at together");
    }

    #[tokio::test]
    async fn a_server_that_stops_is_not_ready() {
        let health = Health::default();
        assert_eq!(health.troubles().await, []);
        health.stop();
        assert_eq!(health.troubles().await[0].why, "it is stopping");
    }
}
