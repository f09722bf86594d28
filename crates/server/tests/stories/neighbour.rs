//! The other program that works in the same folder: an editor on somebody's desk, a sync program, a shell.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use lectern_host::ports::Clock;

use crate::doubles::TestClock;

/// Everything it writes carries a time of the story's clock, each a little later than the one before.
#[derive(Debug)]
pub(crate) struct Neighbour {
    root: PathBuf,
    clock: Arc<TestClock>,
    writes: AtomicU64,
}

impl Neighbour {
    pub(crate) fn new(root: &Path, clock: Arc<TestClock>) -> Self {
        Self { root: root.to_owned(), clock, writes: AtomicU64::new(0) }
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Opens the file and writes over what is in it, or makes it.
    pub(crate) fn writes(&self, path: &str, bytes: &[u8]) {
        fs::write(self.path(path), bytes).unwrap();
        self.touches(path);
    }

    /// Writes a new file and renames it over the old one, as careful programs do.
    pub(crate) fn replaces(&self, path: &str, bytes: &[u8]) {
        let fresh = self.path(path).with_file_name(".fresh");
        fs::write(&fresh, bytes).unwrap();
        self.stamp(&fresh);
        fs::rename(&fresh, self.path(path)).unwrap();
    }

    /// Changes nothing but the time.
    pub(crate) fn touches(&self, path: &str) {
        self.stamp(&self.path(path));
    }

    fn stamp(&self, path: &Path) {
        let later = self.writes.fetch_add(1, Ordering::SeqCst);
        let since_1970 = Duration::from_millis(self.clock.now().0.unsigned_abs() + later);
        fs::File::options().write(true).open(path).unwrap().set_modified(SystemTime::UNIX_EPOCH + since_1970).unwrap();
    }

    pub(crate) fn renames(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    /// Two files, or a file under two names, change places.
    pub(crate) fn swaps(&self, one: &str, other: &str) {
        self.renames(one, ".between");
        self.renames(other, one);
        self.renames(".between", other);
    }

    pub(crate) fn removes(&self, path: &str) {
        fs::remove_file(self.path(path)).unwrap();
    }

    pub(crate) fn makes_folder(&self, path: &str) {
        fs::create_dir(self.path(path)).unwrap();
    }

    pub(crate) fn links(&self, target: &Path, path: &str) {
        std::os::unix::fs::symlink(target, self.path(path)).unwrap();
    }

    /// What stands there.
    #[track_caller]
    pub(crate) fn sees(&self, path: &str) -> Vec<u8> {
        fs::read(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub(crate) fn finds(&self, path: &str) -> bool {
        self.path(path).symlink_metadata().is_ok()
    }

    /// The names in the folder, in order, without what is hidden.
    pub(crate) fn lists(&self, path: &str) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path(path))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.starts_with('.'))
            .collect();
        names.sort();
        names
    }
}
