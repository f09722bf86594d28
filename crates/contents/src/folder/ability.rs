//! What the file system under the folder can do with names, and what we do where it cannot.
//!
//! | it has | on | without it |
//! |---|---|---|
//! | exchange | Linux: ext4, xfs, btrfs, tmpfs, vfat …; macOS: APFS | the old file is linked, else copied, to its new name, then the new one renamed over it. Weaker: what another program writes between those two steps is lost |
//! | rename that never replaces | the same | the file is linked to its new name, then its old name removed |
//! | hard links | nearly all but FAT | look, then rename. Weaker: what another program puts there between the two is lost |
//!
//! At no moment of any of these ways the name has no file.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::status::find;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ability {
    pub(super) exchange: bool,
    pub(super) never_replaces: bool,
    pub(super) links: bool,
}

impl Ability {
    /// Tries each on two files in `directory`, and removes them again.
    pub(super) fn probe(directory: BorrowedFd<'_>, name: &str) -> Result<Self, Errno> {
        let (one, two) = (format!("{name}.1"), format!("{name}.2"));
        let able = Self::probe_with(directory, &one, &two);
        for name in [&one, &two] {
            match rustix::fs::unlinkat(directory, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(other) => return Err(other),
            }
        }
        able
    }

    fn probe_with(directory: BorrowedFd<'_>, one: &str, two: &str) -> Result<Self, Errno> {
        let how = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        for name in [one, two] {
            rustix::fs::openat(directory, name, how, Mode::RUSR | Mode::WUSR)?;
        }
        let exchange = match rename_with(directory, one, directory, two, RenameFlags::EXCHANGE) {
            Ok(()) => true,
            Err(error) if is_unknown(error) => false,
            Err(other) => return Err(other),
        };
        // It must refuse what stands there; a file system that ignores the flag would replace it.
        let never_replaces = match rename_with(directory, one, directory, two, RenameFlags::NOREPLACE) {
            Err(Errno::EXIST) => true,
            Ok(()) => false,
            Err(error) if is_unknown(error) => false,
            Err(other) => return Err(other),
        };
        rustix::fs::unlinkat(directory, two, AtFlags::empty())?;
        let links = rustix::fs::linkat(directory, one, directory, two, AtFlags::empty()).is_ok();
        Ok(Self { exchange, never_replaces, links })
    }

    /// Gives the file another name, never one that is taken: `EXIST` then.
    pub(super) fn rename(self, from: impl AsFd, name: &str, to: impl AsFd, new: &str) -> Result<(), Errno> {
        let (from, to) = (from.as_fd(), to.as_fd());
        if self.never_replaces {
            return rename_with(from, name, to, new, RenameFlags::NOREPLACE);
        }
        if self.links {
            rustix::fs::linkat(from, name, to, new, AtFlags::empty())?;
            return rustix::fs::unlinkat(from, name, AtFlags::empty());
        }
        self.rename_directory(from, name, to, new)
    }

    /// The same for a directory, which cannot have two names.
    pub(super) fn rename_directory(self, from: impl AsFd, name: &str, to: impl AsFd, new: &str) -> Result<(), Errno> {
        let (from, to) = (from.as_fd(), to.as_fd());
        if self.never_replaces {
            return rename_with(from, name, to, new, RenameFlags::NOREPLACE);
        }
        match find(to, new)? {
            Some(_) => Err(Errno::EXIST),
            None => rustix::fs::renameat(from, name, to, new),
        }
    }
}

/// Exchanges what stands under two names, in one step.
pub(super) fn exchange(one: impl AsFd, name: &str, other: impl AsFd, other_name: &str) -> Result<(), Errno> {
    rename_with(one.as_fd(), name, other.as_fd(), other_name, RenameFlags::EXCHANGE)
}

/// Whether the error says that kernel or file system do not know what was asked for.
fn is_unknown(errno: Errno) -> bool {
    errno == Errno::NOSYS || errno == Errno::INVAL || errno == Errno::OPNOTSUPP || errno == Errno::NOTSUP
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple", target_os = "redox"))]
fn rename_with(from: BorrowedFd<'_>, name: &str, to: BorrowedFd<'_>, new: &str, how: RenameFlags) -> Result<(), Errno> {
    rustix::fs::renameat_with(from, name, to, new, how)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every way of renaming, on a file system that has them all.
    pub(crate) const WAYS: [Ability; 3] = [
        Ability { exchange: true, never_replaces: true, links: true },
        Ability { exchange: false, never_replaces: false, links: true },
        Ability { exchange: false, never_replaces: false, links: false },
    ];

    #[test]
    fn probing_leaves_nothing_behind() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = std::fs::File::open(scratch.path()).unwrap();
        Ability::probe(directory.as_fd(), "probe").unwrap();
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
    }

    #[test]
    fn no_way_of_renaming_replaces_anything() {
        for able in WAYS {
            let scratch = tempfile::tempdir().unwrap();
            let directory = std::fs::File::open(scratch.path()).unwrap();
            std::fs::write(scratch.path().join("a"), "a").unwrap();
            std::fs::write(scratch.path().join("b"), "b").unwrap();
            assert_eq!(able.rename(&directory, "a", &directory, "b"), Err(Errno::EXIST), "{able:?}");
            assert_eq!(able.rename(&directory, "none", &directory, "c"), Err(Errno::NOENT), "{able:?}");
            able.rename(&directory, "a", &directory, "c").unwrap();
            assert!(!scratch.path().join("a").exists());
            assert_eq!(std::fs::read(scratch.path().join("c")).unwrap(), b"a");
            assert_eq!(std::fs::read(scratch.path().join("b")).unwrap(), b"b");
        }
    }
}
