//! Tries everything that serving a folder needs, for `lectern check`.

use std::fmt;
use std::os::fd::AsFd as _;
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags};

use super::ability::Ability;
use super::status::status_of;
use super::{Folder, make_state, open_directory};

/// Less free space than this is worth a word.
const FREE_BYTES_MIN: u64 = 1 << 30;

/// One thing that was tried.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Finding {
    /// It works.
    Good(String),
    /// It works, but something is weaker than it could be.
    Warning(String),
    /// The folder cannot be served as it is.
    Bad {
        /// What does not work, on which directory, and why.
        problem: String,
        /// What to do.
        hint: String,
    },
}

impl Finding {
    /// Whether serving would fail.
    pub fn is_bad(&self) -> bool {
        matches!(self, Self::Bad { .. })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good(text) | Self::Warning(text) => f.write_str(text),
            Self::Bad { problem, hint } => write!(f, "{problem}\nhint: {hint}"),
        }
    }
}

impl Folder {
    /// Tries what serving `root` with this state directory needs: both can be written, one can be renamed to the other,
    /// files can be exchanged, birth times are known, space is left. Leaves nothing behind but the state directory, and
    /// is harmless while a server runs.
    pub fn check(root: &Path, state: &Path) -> Vec<Finding> {
        match try_all(root, state) {
            Ok(findings) => findings,
            Err(bad) => vec![bad],
        }
    }
}

fn bad(problem: String, hint: &str) -> Finding {
    Finding::Bad { problem, hint: hint.to_owned() }
}

fn try_all(root: &Path, state: &Path) -> Result<Vec<Finding>, Finding> {
    let mut findings = Vec::new();
    let root_path = root
        .canonicalize()
        .map_err(|e| bad(format!("cannot open the folder {}: {e}", root.display()), "name a directory that exists"))?;
    let folder = open_directory(&root_path).map_err(|e| {
        bad(format!("cannot open the folder {}: {e}", root.display()), "name a directory that this user may read")
    })?;
    let state_path = make_state(state, &root_path).map_err(|e| {
        let cause = std::error::Error::source(&e).map(|cause| format!(": {cause}")).unwrap_or_default();
        bad(format!("{e}{cause}"), "let this user write there, or name another directory on the same file system")
    })?;
    let own = open_directory(&state_path).map_err(|e| {
        bad(format!("cannot open {}: {e}", state_path.display()), "let this user enter the state directory")
    })?;

    // A file of ours, and its way into the folder and out again: what every save takes.
    let probe = format!(".lectern-check-{}", std::process::id());
    let how = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    rustix::fs::openat(&own, &probe, how, Mode::RUSR | Mode::WUSR).map_err(|e| {
        bad(format!("cannot write in {}: {e}", state_path.display()), "let this user write in the state directory")
    })?;
    let moved = rustix::fs::renameat(&own, &probe, &folder, &probe);
    for directory in [&own, &folder] {
        let _ = rustix::fs::unlinkat(directory, &probe, AtFlags::empty());
    }
    moved.map_err(|e| match e {
        rustix::io::Errno::XDEV => bad(
            format!("{} and {} are on different file systems or mounts", state_path.display(), root_path.display()),
            "put the state directory into the folder, which is the default; in a container, mount both as one volume",
        ),
        other => {
            bad(format!("cannot put a file into {}: {other}", root_path.display()), "let this user write in the folder")
        }
    })?;
    findings.push(Finding::Good(format!("{} can be read and written", root_path.display())));

    match Ability::probe(own.as_fd(), &probe) {
        Ok(able) if able.exchange => findings.push(Finding::Good("files can be exchanged in one step".to_owned())),
        Ok(_) => findings.push(Finding::Warning(
            "the file system cannot exchange two files in one step: what another program writes at the very moment of a save can be lost"
                .to_owned(),
        )),
        Err(e) => {
            return Err(bad(format!("cannot rename in {}: {e}", state_path.display()), "see whether the disk is full"));
        }
    }
    match status_of(folder.as_fd()) {
        Ok(status) if status.fingerprint.born_ns.is_some() => {
            findings.push(Finding::Good("the file system knows when a file was made".to_owned()));
        }
        _ => findings.push(Finding::Warning(
            "the file system does not tell when a file was made: a file that another program deletes may be taken for the next one that gets its inode number".to_owned(),
        )),
    }
    if let Ok(space) = rustix::fs::fstatvfs(&folder) {
        let free = space.f_bavail.saturating_mul(space.f_frsize);
        let text = format!("{} MiB are free", free >> 20);
        findings.push(if free < FREE_BYTES_MIN { Finding::Warning(text) } else { Finding::Good(text) });
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usable_folder_is_good_and_left_as_it_was() {
        let scratch = tempfile::tempdir().unwrap();
        let state = scratch.path().join(Folder::STATE_NAME);
        let findings = Folder::check(scratch.path(), &state);
        assert!(findings.len() >= 3 && !findings.iter().any(Finding::is_bad), "{findings:?}");
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 1);
        assert_eq!(std::fs::read_dir(state).unwrap().count(), 0);
    }

    #[test]
    fn what_cannot_be_served_says_so_with_a_hint() {
        let scratch = tempfile::tempdir().unwrap();
        let none = scratch.path().join("none");
        let findings = Folder::check(&none, &none.join(".lectern"));
        assert!(
            matches!(&findings[..], [Finding::Bad { problem, hint }] if problem.contains("none") && !hint.is_empty())
        );
        let elsewhere = Path::new("/dev/shm");
        if elsewhere.is_dir() {
            let state = tempfile::tempdir_in(elsewhere).unwrap();
            let findings = Folder::check(scratch.path(), state.path());
            assert!(findings[0].is_bad() && findings[0].to_string().contains("different file systems"), "{findings:?}");
        }
    }
}
