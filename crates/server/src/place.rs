//! Which documents a command is about, and with which settings: found in the same way by all of them, so that
//! `lectern token report.docx` works beside a running `lectern serve`.
//!
//! | what | the first of |
//! |---|---|
//! | settings | `--config`, LECTERN_CONFIG, `./lectern.toml` if it is there, the defaults |
//! | folder | `--folder` (for `serve` the argument), `contents.folder`, `./documents` |
//! | objects instead of a folder | `--objects`, `objects.store` |
//! | PostgreSQL instead of SQLite | `--database`, `database.url` |
//! | state | `--state`, `contents.state`, `.lectern` in the folder; without a folder `./lectern-state`, and with PostgreSQL none |

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::config::Settings;
use crate::trouble::{OrTrouble, Trouble};

/// The folder that is served if nothing is said.
pub const DEFAULT_FOLDER: &str = "documents";

/// Where our records are, if documents are in no folder.
pub const STATE_WITHOUT_FOLDER: &str = "lectern-state";

/// Where our records are, in the folder of documents.
pub const STATE_NAME: &str = ".lectern";

/// The flags that say where.
#[derive(Args, Clone, Debug, Default)]
pub struct Whereabouts {
    /// The settings file; ./lectern.toml is read if it is there
    #[arg(long, value_name = "FILE", env = "LECTERN_CONFIG")]
    pub config: Option<PathBuf>,
    /// Where Lectern's own records are: .lectern in the folder of documents
    #[arg(long, value_name = "DIR", env = "LECTERN_STATE")]
    pub state: Option<PathBuf>,
    /// The object store to keep documents in, instead of a folder: s3://BUCKET, azure://CONTAINER, file:///DIRECTORY
    #[arg(long, value_name = "STORE", env = "LECTERN_OBJECTS")]
    pub objects: Option<String>,
    /// The PostgreSQL database to keep records in, instead of SQLite: postgres://USER@HOST/DATABASE
    #[arg(long, value_name = "URL", env = "LECTERN_DATABASE_URL", hide_env_values = true)]
    pub database: Option<String>,
}

/// The same for commands that have another argument than the folder.
#[derive(Args, Clone, Debug, Default)]
pub struct FolderFlag {
    /// The folder of documents: ./documents
    #[arg(long, value_name = "DIR", env = "LECTERN_FOLDER")]
    pub folder: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) whereabouts: Whereabouts,
}

impl FolderFlag {
    /// The place that is meant.
    ///
    /// # Errors
    ///
    /// If the settings cannot be used.
    pub fn place(&self) -> Result<Place, Trouble> {
        Place::find(self.folder.clone(), &self.whereabouts)
    }
}

/// Documents, our records about them, and settings.
#[derive(Clone, Debug)]
pub struct Place {
    /// The settings.
    pub settings: Settings,
    /// Where they were read.
    pub settings_file: Option<PathBuf>,
    /// Which of them stand there, as `section.name`.
    pub written: BTreeSet<String>,
    /// The folder of documents, absolute. Nothing is in it where documents are objects.
    pub folder: PathBuf,
    /// Whether somebody named the folder. If not, it may be made.
    pub folder_is_named: bool,
    /// The folder of our records, absolute.
    pub state: PathBuf,
    /// Whether anything is kept there. A node over PostgreSQL keeps nothing, unless somebody named a place.
    pub keeps_state: bool,
}

impl Place {
    /// The place that flags and settings mean. Nothing is made.
    ///
    /// # Errors
    ///
    /// If the settings cannot be used.
    pub fn find(folder: Option<PathBuf>, whereabouts: &Whereabouts) -> Result<Self, Trouble> {
        let settings_file = Settings::file(whereabouts.config.clone());
        let (settings, written) = match &settings_file {
            Some(file) => Settings::read_with_paths(file)?,
            None => Default::default(),
        };
        Ok(Self { settings_file, written, ..Self::of(settings, folder, whereabouts)? })
    }

    /// The place that flags and these settings mean. Nothing is read, and nothing is made.
    ///
    /// # Errors
    ///
    /// If they exclude each other.
    pub fn of(settings: Settings, folder: Option<PathBuf>, whereabouts: &Whereabouts) -> Result<Self, Trouble> {
        let mut settings = settings;
        settings.objects.store = whereabouts.objects.clone().or(settings.objects.store);
        settings.database.url = whereabouts.database.clone().or(settings.database.url);
        let named = folder.or_else(|| settings.contents.folder.clone());
        let folder_is_named = named.is_some();
        let has_objects = settings.objects.store.is_some();
        if has_objects && folder_is_named {
            return Err(Trouble::new("documents are either in a folder or in an object store")
                .because("both were named: a folder (FOLDER, --folder, contents.folder) and objects.store")
                .hint("leave one of them out; `lectern import FOLDER` carries a folder into a store"));
        }
        if settings.database.url.is_some() && !has_objects {
            return Err(Trouble::new("PostgreSQL takes an object store")
                .because("a folder of documents is served by one node, whose records are in SQLite")
                .hint("set objects.store as well (`file:///DIRECTORY` is the least), or leave database.url out"));
        }
        let folder = absolute(&named.unwrap_or_else(|| PathBuf::from(DEFAULT_FOLDER)))?;
        let named_state = whereabouts.state.as_ref().or(settings.contents.state.as_ref());
        let state = match named_state {
            Some(state) => absolute(state)?,
            None if has_objects => absolute(Path::new(STATE_WITHOUT_FOLDER))?,
            None => folder.join(STATE_NAME),
        };
        let keeps_state = settings.database.url.is_none() || named_state.is_some();
        let (settings_file, written) = (None, BTreeSet::new());
        Ok(Self { settings, settings_file, written, folder, folder_is_named, state, keeps_state })
    }

    /// Whether documents are in a folder of ordinary files.
    pub fn has_folder(&self) -> bool {
        self.settings.objects.store.is_none()
    }

    /// Whether the records are in a database that other nodes share.
    pub fn shares_records(&self) -> bool {
        self.settings.database.url.is_some()
    }

    /// Where the documents are, as a person reads it.
    pub fn documents_shown(&self) -> String {
        self.settings.objects.store.clone().unwrap_or_else(|| self.folder_shown())
    }

    /// The folder as a person reads it: relative to the current directory where that is shorter.
    pub fn folder_shown(&self) -> String {
        shown(&self.folder)
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.state.join("registry.sqlite")
    }

    /// The file of the keys of the access tokens; `None` if they are in the database that nodes share.
    pub fn token_keys_file(&self) -> Option<PathBuf> {
        match &self.settings.contents.token_keys_file {
            None if self.shares_records() => None,
            _ => Some(self.token_keys()),
        }
    }

    /// The keys of the access tokens, where they are in a file.
    pub fn token_keys(&self) -> PathBuf {
        self.settings.contents.token_keys_file.clone().unwrap_or_else(|| self.state.join("token-keys.json"))
    }

    /// Whether there is something to work on; commands other than `serve` make nothing.
    ///
    /// # Errors
    ///
    /// Says what is missing and what to do.
    pub fn must_be_there(&self) -> Result<(), Trouble> {
        if self.shares_records() {
            return Ok(());
        }
        if self.has_folder() && !self.folder.is_dir() {
            let hint = if self.folder_is_named {
                "look at --folder and at contents.folder of the settings"
            } else {
                "start `lectern serve`, which makes it, or say where the documents are with --folder"
            };
            return Err(Trouble::new(format!("there is no folder `{}`", self.folder_shown())).hint(hint));
        }
        if !self.state.is_dir() {
            return Err(Trouble::new(format!("`{}` was never served", self.documents_shown()))
                .because(format!("there is no `{}` with Lectern's records", shown(&self.state)))
                .hint("start `lectern serve` once, or say where the records are with --state"));
        }
        Ok(())
    }

    /// Makes the folder of our records, for nobody else to look into.
    ///
    /// # Errors
    ///
    /// If it cannot be made.
    pub fn make_state(&self) -> Result<(), Trouble> {
        if !self.keeps_state {
            return Ok(());
        }
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(&self.state) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                Err(Trouble::new(format!("cannot make the state directory `{}`", shown(&self.state)))
                    .caused_by(&error)
                    .hint("its parent must exist and be writable; or choose another one with --state"))
            }
            _ => Ok(()),
        }
    }
}

fn absolute(path: &Path) -> Result<PathBuf, Trouble> {
    std::path::absolute(path).or_trouble(|| format!("cannot find `{}`", path.display()))
}

/// A path as a person reads it.
pub(crate) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    match here.as_deref().and_then(|here| path.strip_prefix(here).ok()) {
        Some(below) if !below.as_os_str().is_empty() => format!("./{}", below.display()),
        _ => path.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whereabouts(config: Option<&Path>, state: Option<&str>) -> Whereabouts {
        Whereabouts { config: config.map(Path::to_owned), state: state.map(PathBuf::from), ..Whereabouts::default() }
    }

    #[test]
    fn flags_win_over_settings_and_those_over_the_defaults() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.toml");
        std::fs::write(&file, "[contents]\nfolder = \"papers\"\nstate = \"records\"").unwrap();

        let place = Place::find(None, &whereabouts(Some(&file), None)).unwrap();
        assert_eq!((place.folder, place.state), (folder.path().join("papers"), folder.path().join("records")));
        assert!(place.folder_is_named);

        let place = Place::find(Some("/srv/d".into()), &whereabouts(Some(&file), Some("/srv/s"))).unwrap();
        assert_eq!((place.folder, place.state), (PathBuf::from("/srv/d"), PathBuf::from("/srv/s")));

        let place = Place::find(None, &whereabouts(None, None)).unwrap();
        assert_eq!(place.folder, std::env::current_dir().unwrap().join("documents"));
        assert_eq!(place.state, place.folder.join(".lectern"));
        assert_eq!(place.token_keys(), place.state.join("token-keys.json"));
        assert_eq!(place.folder_shown(), "./documents");
        assert!(!place.folder_is_named);
    }

    #[test]
    fn objects_and_postgresql_stand_for_the_folder_and_for_sqlite() {
        let shared = |objects: Option<&str>, database: Option<&str>, state: Option<&str>| Whereabouts {
            config: None,
            state: state.map(PathBuf::from),
            objects: objects.map(str::to_owned),
            database: database.map(str::to_owned),
        };
        let (store, url) = (Some("s3://documents/one"), Some("postgres://a@b/c"));
        let place = Place::find(None, &shared(store, url, None)).unwrap();
        assert!(!place.has_folder() && place.shares_records() && !place.keeps_state);
        assert_eq!((place.documents_shown().as_str(), place.token_keys_file()), ("s3://documents/one", None));
        place.must_be_there().unwrap();
        let place = Place::find(None, &shared(store, None, None)).unwrap();
        assert_eq!(place.state, std::env::current_dir().unwrap().join("lectern-state"));
        assert!(place.keeps_state && place.token_keys_file().is_some());
        assert!(Place::find(None, &shared(store, url, Some("/srv/s"))).unwrap().keeps_state);
        let told = Place::find(Some("/srv/d".into()), &shared(store, url, None)).unwrap_err().to_string();
        assert!(told.contains("either in a folder or in an object store"), "{told}");
        let told = Place::find(None, &shared(None, url, None)).unwrap_err().to_string();
        assert!(told.contains("PostgreSQL takes an object store"), "{told}");
    }

    #[test]
    fn what_is_missing_is_said_with_the_next_step() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        let place = Place::find(Some(missing.clone()), &Whereabouts::default()).unwrap();
        assert!(place.must_be_there().unwrap_err().to_string().contains("there is no folder"));
        std::fs::create_dir(missing).unwrap();
        assert!(place.must_be_there().unwrap_err().to_string().contains("was never served"));
        place.make_state().unwrap();
        place.make_state().unwrap();
        place.must_be_there().unwrap();
    }
}
