//! The settings: one TOML file, one struct per section.
//!
//! | order | wins over the one below |
//! |---|---|
//! | 1 | flags |
//! | 2 | environment variables, where `--help` names one |
//! | 3 | the settings file: `--config FILE`, `LECTERN_CONFIG`, or else `./lectern.toml` if it is there |
//! | 4 | the defaults |
//!
//! Each field stands once, with its documentation and its default (`section`); the sample file and the manual are
//! printed from that. Paths in the file are relative to the file, paths in flags to the current directory.

mod bootstrapper;
mod clients;
mod coauthoring;
mod contents;
mod database;
mod history;
mod limits;
mod log;
mod objects;
mod people;
mod provider;
pub mod report;
mod rescued;
pub mod sample;
mod section;
mod server;
mod sign_in;
mod sweep;
pub mod values;
mod wopi;

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use bootstrapper::Bootstrapper;
pub use clients::{Client, ProofRule, Zone};
pub use coauthoring::{Coauthoring, SharingStatus};
pub use contents::Contents;
pub use database::{Database, Encryption};
pub use history::History;
pub use limits::Limits;
pub use log::{Log, LogFormat};
pub use objects::{Checksum, Objects};
pub use people::{PERSON_NAME_LENGTH_MAX, RoleName, SettingsUser, is_person_name};
pub use provider::Provider;
pub use rescued::Rescued;
pub use server::Server;
pub use sign_in::SignIn;
pub use sweep::Sweep;
pub use wopi::Wopi;

use crate::trouble::{OrTrouble, Trouble};

/// The settings file that is read if it is there and no other one is named.
pub const DEFAULT_FILE: &str = "lectern.toml";

/// Largest settings file that is read, in bytes.
pub const SETTINGS_BYTES_MAX: u64 = 1 << 20;

/// Everything that can be set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// `[server]`
    pub server: Server,
    /// `[contents]`
    pub contents: Contents,
    /// `[objects]`
    pub objects: Objects,
    /// `[database]`
    pub database: Database,
    /// `[wopi]`
    pub wopi: Wopi,
    /// `[bootstrapper]`
    pub bootstrapper: Bootstrapper,
    /// `[sign_in]`
    pub sign_in: SignIn,
    /// `[provider]`
    pub provider: Provider,
    /// `[coauthoring]`
    pub coauthoring: Coauthoring,
    /// `[limits]`
    pub limits: Limits,
    /// `[history]`
    pub history: History,
    /// `[rescued]`
    pub rescued: Rescued,
    /// `[sweep]`
    pub sweep: Sweep,
    /// `[log]`
    pub log: Log,
    /// `[[client]]`
    #[serde(rename = "client")]
    pub clients: Vec<Client>,
    /// `[[user]]`
    #[serde(rename = "user")]
    pub users: Vec<SettingsUser>,
}

impl Settings {
    /// The settings in the file at `path`, its paths made absolute.
    ///
    /// # Errors
    ///
    /// Names the file, the line and what is wrong with it.
    pub fn read(path: &Path) -> Result<Self, Trouble> {
        Self::read_with_paths(path).map(|(settings, _)| settings)
    }

    /// The same, with the settings that stand in it, as `section.name`.
    ///
    /// # Errors
    ///
    /// Names the file, the line and what is wrong with it.
    pub fn read_with_paths(path: &Path) -> Result<(Self, BTreeSet<String>), Trouble> {
        let what = || format!("cannot read the settings file `{}`", path.display());
        let mut text = String::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(SETTINGS_BYTES_MAX + 1).read_to_string(&mut text))
            .or_trouble(what)?;
        if text.len() as u64 > SETTINGS_BYTES_MAX {
            return Err(Trouble::new(what()).because(format!("it is larger than {SETTINGS_BYTES_MAX} bytes")));
        }
        let mut settings = Self::parse(&text).map_err(|wrong| wrong.in_file(path))?;
        let folder = std::path::absolute(path).or_trouble(what)?;
        let folder = folder.parent().unwrap_or(Path::new("/"));
        let contents = &mut settings.contents;
        let paths = [
            contents.folder.as_mut(),
            contents.state.as_mut(),
            contents.token_keys_file.as_mut(),
            settings.provider.client_secret_file.as_mut(),
            settings.database.password_file.as_mut(),
            settings.database.root_certificates_file.as_mut(),
            settings.objects.secret_access_key_file.as_mut(),
            settings.objects.account_key_file.as_mut(),
            settings.objects.sas_file.as_mut(),
            settings.objects.root_certificates_file.as_mut(),
        ];
        for path in paths.into_iter().flatten() {
            *path = folder.join(&*path);
        }
        Ok((settings, report::written_in(&text)))
    }

    /// The settings that `text` spells.
    ///
    /// # Errors
    ///
    /// Where and what is wrong.
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        let settings: Self = toml::from_str(text).map_err(|error| Wrong::at(text, &error))?;
        settings.check().map_err(|message| Wrong { line: None, message })?;
        Ok(settings)
    }

    /// What holds between several settings.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.coauthoring.check()?;
        for (at, client) in self.clients.iter().enumerate() {
            if self.clients[..at].iter().any(|other| other.name == client.name) {
                return Err(format!("two [[client]] sections have the name {:?}", client.name.as_str()));
            }
        }
        for (at, user) in self.users.iter().enumerate() {
            if self.users[..at].iter().any(|other| other.name.eq_ignore_ascii_case(&user.name)) {
                return Err(format!("two [[user]] sections have the name {:?}", user.name));
            }
        }
        Ok(())
    }

    /// The file that shall be read: the one that was named, or `./lectern.toml` if it is there.
    pub fn file(named: Option<PathBuf>) -> Option<PathBuf> {
        named.or_else(|| {
            let default = PathBuf::from(DEFAULT_FILE);
            default.is_file().then_some(default)
        })
    }
}

/// What is wrong with a settings file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wrong {
    /// The line, counted from 1, and its text.
    line: Option<(usize, String)>,
    message: String,
}

impl Wrong {
    fn at(text: &str, error: &toml::de::Error) -> Self {
        let line = error.span().and_then(|span| {
            let before = text.get(..span.start)?;
            let number = before.matches('\n').count() + 1;
            Some((number, text.lines().nth(number - 1).unwrap_or_default().trim().to_owned()))
        });
        Self { line, message: error.message().trim().to_owned() }
    }

    /// The error as a person reads it.
    #[must_use]
    pub fn in_file(self, path: &Path) -> Trouble {
        let trouble = match &self.line {
            Some((number, _)) => {
                Trouble::new(format!("cannot use the settings file `{}`, line {number}", path.display()))
            }
            None => Trouble::new(format!("cannot use the settings file `{}`", path.display())),
        };
        let cause = match self.line {
            Some((_, line)) if !line.is_empty() => format!("`{line}`: {}", self.message),
            _ => self.message,
        };
        trouble.because(cause).hint("`lectern config sample` prints every setting with its default and what it does")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_empty_file_gives_the_defaults() {
        let settings = Settings::parse("").unwrap();
        assert_eq!(settings, Settings::default());
        assert_eq!(settings.limits.body_bytes_max.get(), 1 << 30);
        assert_eq!(settings.limits.header_bytes_max.get(), 64 << 10);
        assert_eq!(settings.server.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(settings.server.shutdown_grace.get(), Duration::from_secs(30));
    }

    #[test]
    fn a_file_is_read_into_what_it_means() {
        let settings = Settings::parse(
            r#"
            [server]
            listen = "[::]:9000"
            public_url = "https://documents.example.org/lectern/"
            [limits]
            body_bytes_max = "100MiB"
            [[client]]
            name = "office"
            discovery = "https://office.example.org"
            proof = "required"
            ranks = { xlsx = 5 }
            [[user]]
            name = "ada"
            role = "editor"
            "#,
        )
        .unwrap();
        assert_eq!(settings.server.public_url.unwrap().as_str(), "https://documents.example.org/lectern");
        assert_eq!(settings.limits.body_bytes_max.get(), 100 << 20);
        let office = &settings.clients[0];
        assert_eq!((office.proof, office.rank_of("XLSX"), office.rank_of("docx")), (ProofRule::Required, 5, 0));
        assert_eq!(settings.users[0].role, RoleName::Editor);
    }

    #[test]
    fn an_error_names_the_file_the_line_and_the_setting() {
        for (text, line, says) in [
            ("[server]\nlisten = 8080", "line 2", "`listen = 8080`: "),
            (
                "[server]\n\n  public_url = \"documents\"",
                "line 3",
                "`public_url = \"documents\"`: \"documents\" is no URL",
            ),
            ("[limits]\nbody_bytes_max = \"1 kb\"", "line 2", "is no size"),
            ("[limits]\nbody_bytes_max = -1", "line 2", "is no size"),
            ("[limits]\nsaves_max = 0", "line 2", "0 is not between 1 and"),
            ("[server]\nlissten = 1", "line 2", "unknown field `lissten`"),
            ("[sever]", "line 1", "unknown field `sever`"),
            ("[[client]]\nname = \"a\"", "line 1", "missing field `discovery`"),
            ("[[client]]\nname = \"a b\"\ndiscovery = \"https://x\"", "line 2", "\"a b\" is no name"),
            ("[[user]]\nname = \"ada\"\nrole = \"boss\"", "line 3", "unknown variant `boss`"),
            ("[server\n", "line 1", ""),
            (
                "[[user]]\nname = \"ada\"\n[[user]]\nname = \"Ada\"",
                "`lectern.toml`\n",
                "two [[user]] sections have the name \"Ada\"",
            ),
        ] {
            let told = Settings::parse(text).unwrap_err().in_file(Path::new("lectern.toml")).to_string();
            assert!(told.contains("`lectern.toml`") && told.contains(line) && told.contains(says), "{told}");
        }
    }

    #[test]
    fn paths_in_the_file_are_relative_to_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.toml");
        std::fs::write(&file, "[contents]\nfolder = \"../papers\"\nstate = \"/var/lib/lectern\"").unwrap();
        let contents = Settings::read(&file).unwrap().contents;
        assert_eq!(contents.folder, Some(folder.path().join("../papers")));
        assert_eq!(contents.state, Some(PathBuf::from("/var/lib/lectern")));
        assert_eq!(contents.token_keys_file, None);
    }

    #[test]
    fn a_file_that_is_not_there_or_far_too_large_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.toml");
        assert!(Settings::read(&file).unwrap_err().to_string().contains("settings.toml"));
        std::fs::write(&file, " ".repeat(usize::try_from(SETTINGS_BYTES_MAX).unwrap() + 1)).unwrap();
        assert!(Settings::read(&file).unwrap_err().to_string().contains("larger than"));
    }
}
