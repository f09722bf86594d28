//! What a running server tells the commands beside it: `serving.json` in the state directory.
//!
//! `lectern token report.docx` must print the URLs of the server that runs, though its public URL and its clients were
//! given as flags to another process. The file stays after a stop: the URLs of the last run are the best guess for the
//! next one, and the command says that nothing is running.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::Client;
use crate::config::values::PublicUrl;
use crate::trouble::{OrTrouble, Trouble};

/// Name of the file in the state directory.
pub const FILE_NAME: &str = "serving.json";

/// Largest such file that is read, in bytes.
pub const SERVING_BYTES_MAX: u64 = 1 << 20;

/// What a server serves, and as what.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Serving {
    /// Where clients reach it.
    pub public_url: PublicUrl,
    /// The address it listens on.
    pub listen: String,
    /// Its process.
    pub process_id: u32,
    /// Since when, in milliseconds since 1970.
    pub since_ms: i64,
    /// The clients it knows.
    pub clients: Vec<Client>,
    /// Which run this is: what its answers have in [`RUN_HEADER`](crate::site::RUN_HEADER).
    #[serde(default)]
    pub run: String,
}

impl Serving {
    /// Leaves this for commands to find. They see the file before or the one after, never half of it.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn write(&self, state: &Path) -> Result<(), Trouble> {
        let path = state.join(FILE_NAME);
        let staged = path.with_extension("new");
        let publish = || -> std::io::Result<()> {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&staged)?;
            file.write_all(&serde_json::to_vec_pretty(self)?)?;
            std::fs::rename(&staged, &path)
        };
        publish().or_trouble(|| format!("cannot write `{}`", path.display()))
    }

    /// What the last server left; `None` if there never was one, or it was of another version.
    pub fn read(state: &Path) -> Option<Self> {
        let mut bytes = Vec::new();
        File::open(state.join(FILE_NAME)).ok()?.take(SERVING_BYTES_MAX).read_to_end(&mut bytes).ok()?;
        serde_json::from_slice(&bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    #[test]
    fn what_a_server_left_is_what_a_command_finds() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(Serving::read(state.path()), None);
        let settings = Settings::parse(
            "[[client]]\nname = \"office\"\ndiscovery = \"https://office.example.org\"\nranks = { xlsx = 3 }\n\
             zone = \"external-https\"\npublic_origin = \"https://o.example.org\"",
        );
        let serving = Serving {
            public_url: "https://documents.example.org/x".parse().unwrap(),
            listen: "127.0.0.1:8080".to_owned(),
            process_id: 7,
            since_ms: 1,
            clients: settings.unwrap().clients,
            run: "1".to_owned(),
        };
        serving.write(state.path()).unwrap();
        assert_eq!(Serving::read(state.path()), Some(serving.clone()));
        let next = Serving { process_id: 8, ..serving };
        next.write(state.path()).unwrap();
        assert_eq!(Serving::read(state.path()), Some(next));
        assert_eq!(std::fs::read_dir(state.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_of_another_kind_is_as_good_as_none() {
        let state = tempfile::tempdir().unwrap();
        for text in ["", "{}", "[1]", "{\"public_url\": 3}"] {
            std::fs::write(state.path().join(FILE_NAME), text).unwrap();
            assert_eq!(Serving::read(state.path()), None, "{text}");
        }
    }
}
