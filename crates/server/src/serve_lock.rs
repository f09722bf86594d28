//! One server per set of records.
//!
//! Two servers on one SQLite database would each believe to be the only one that publishes into the folder. The lock
//! belongs to the process: it is gone when the process is, however it ended.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

use crate::trouble::{OrTrouble, Trouble};

/// Name of the lock file in the state directory.
pub const FILE_NAME: &str = "serve.lock";

/// A command looks for a moment whether a server runs, and holds the lock meanwhile: worth another try.
const ATTEMPTS: u32 = 10;
const ATTEMPT_PAUSE: Duration = Duration::from_millis(20);

/// Held as long as the server runs.
#[derive(Debug)]
pub struct ServeLock {
    _file: File,
}

impl ServeLock {
    /// Takes the lock of the records in `state`.
    ///
    /// # Errors
    ///
    /// If another server holds it, or it cannot be taken.
    pub fn take(state: &Path) -> Result<Self, Trouble> {
        let path = state.join(FILE_NAME);
        let cannot = || format!("cannot take the lock `{}`", path.display());
        // Not truncated: while another server holds it, what stands in it is theirs.
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).or_trouble(cannot)?;
        for attempt in 1.. {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if attempt < ATTEMPTS => std::thread::sleep(ATTEMPT_PAUSE),
                Err(TryLockError::WouldBlock) => return Err(taken(&path, &mut file)),
                Err(TryLockError::Error(error)) => return Err(Trouble::new(cannot()).caused_by(&error)),
            }
        }
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).or_trouble(cannot)?;
        Ok(Self { _file: file })
    }

    /// Whether a server holds the lock of the records in `state`.
    pub fn is_taken(state: &Path) -> bool {
        match File::open(state.join(FILE_NAME)) {
            // Given back at once, when the file is closed.
            Ok(file) => matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)),
            Err(_) => false,
        }
    }
}

fn taken(path: &Path, file: &mut File) -> Trouble {
    let mut holder = String::new();
    let _ = file.rewind().and_then(|()| file.take(20).read_to_string(&mut holder));
    let holder = match holder.trim() {
        "" => "another process".to_owned(),
        id => format!("the process {id}"),
    };
    Trouble::new("another `lectern serve` already works on these documents")
        .because(format!("{holder} holds `{}`", path.display()))
        .hint("stop that one first, or serve another folder; two servers on one SQLite database would lose saves")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_server_is_refused_until_the_first_is_gone() {
        let state = tempfile::tempdir().unwrap();
        assert!(!ServeLock::is_taken(state.path()));
        let first = ServeLock::take(state.path()).unwrap();
        assert!(ServeLock::is_taken(state.path()));
        let refused = ServeLock::take(state.path()).unwrap_err().to_string();
        assert!(refused.contains(&format!("the process {} holds", std::process::id())), "{refused}");
        assert!(refused.contains("\nhint: "), "{refused}");
        drop(first);
        assert!(!ServeLock::is_taken(state.path()));
        ServeLock::take(state.path()).unwrap();
    }

    #[test]
    fn commands_that_look_do_not_keep_a_server_from_starting() {
        let state = tempfile::tempdir().unwrap();
        drop(ServeLock::take(state.path()).unwrap());
        std::thread::scope(|scope| {
            let looking = scope.spawn(|| (0..2000).filter(|_| ServeLock::is_taken(state.path())).count());
            for _ in 0..20 {
                drop(ServeLock::take(state.path()).unwrap());
            }
            looking.join().unwrap();
        });
    }

    #[test]
    fn a_state_directory_that_is_not_there_is_named() {
        let state = tempfile::tempdir().unwrap();
        let missing = state.path().join("missing");
        assert!(ServeLock::take(&missing).unwrap_err().to_string().contains("missing"));
        assert!(!ServeLock::is_taken(&missing));
    }
}
