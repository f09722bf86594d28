//! A directory that nothing below it can lead out of.
//!
//! Why `rustix` and not `cap-std`: `cap-std` follows links that stay inside, and we follow none at all, since another
//! program may swap a directory for a link at any moment; besides, we need `renameat2` with exchange, birth times and
//! lookups that never wait for the disk.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// How often a lookup is tried that the kernel broke off because something was renamed meanwhile.
const LOOKUP_ATTEMPTS_MAX: usize = 16;

/// To stand in a directory without reading it.
#[cfg(target_os = "linux")]
pub(super) const STAND: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// To stand in a directory without reading it.
#[cfg(not(target_os = "linux"))]
pub(super) const STAND: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// To read a directory, or make it durable.
pub(super) const LIST: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// To read a file. Opening a pipe or a device in this way does not wait for its other end.
pub(super) const READ: OFlags =
    OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A directory, held open, and lookups below it that follow no link of any kind.
#[derive(Debug)]
pub(super) struct Beneath {
    directory: OwnedFd,
    /// Whether the kernel can look up a whole path in one call. Learned from its first refusal.
    one_call: AtomicBool,
}

impl Beneath {
    pub(super) fn new(directory: OwnedFd) -> Self {
        Self { directory, one_call: AtomicBool::new(cfg!(target_os = "linux")) }
    }

    /// Opens the relative `path`; the empty path is the directory itself.
    pub(super) fn open(&self, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        let path = if path.is_empty() { "." } else { path };
        #[cfg(target_os = "linux")]
        if self.one_call.load(Ordering::Relaxed) {
            for _ in 0..LOOKUP_ATTEMPTS_MAX {
                match rustix::fs::openat2(&self.directory, path, flags, Mode::empty(), linux::INSIDE) {
                    Err(Errno::AGAIN | Errno::INTR) => {}
                    // Not known to this kernel, or to the sandbox around us (older container runtimes answer EPERM).
                    Err(Errno::NOSYS | Errno::PERM) if !self.knows_one_call() => {
                        return self.walk(path, flags);
                    }
                    other => return other,
                }
            }
            return Err(Errno::AGAIN);
        }
        self.walk(path, flags)
    }

    /// Opens `path` if that takes no waiting for the disk; `None` if it would, or if this kernel cannot tell.
    pub(super) fn open_cached(&self, path: &str, flags: OFlags) -> Option<Result<OwnedFd, Errno>> {
        #[cfg(target_os = "linux")]
        if self.one_call.load(Ordering::Relaxed) {
            let cached = linux::INSIDE | rustix::fs::ResolveFlags::CACHED;
            return match rustix::fs::openat2(&self.directory, path, flags, Mode::empty(), cached) {
                Err(Errno::AGAIN | Errno::INTR | Errno::INVAL | Errno::NOSYS | Errno::PERM) => None,
                other => Some(other),
            };
        }
        let _ = (path, flags);
        None
    }

    /// Tells EPERM of a sandbox from EPERM of a file: the directory itself can always be looked up.
    #[cfg(target_os = "linux")]
    fn knows_one_call(&self) -> bool {
        let knows = rustix::fs::openat2(&self.directory, ".", STAND, Mode::empty(), linux::INSIDE).is_ok();
        self.one_call.store(knows, Ordering::Relaxed);
        knows
    }

    /// One name after the other, each from the directory before it.
    fn walk(&self, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        let mut names = path.split('/').filter(|name| !name.is_empty()).peekable();
        let mut stand: Option<OwnedFd> = None;
        while let Some(name) = names.next() {
            if name == ".." {
                return Err(Errno::NOENT);
            }
            let from = stand.as_ref().map_or(self.directory.as_fd(), AsFd::as_fd);
            let last = names.peek().is_none();
            let how = if last { flags } else { STAND } | OFlags::NOFOLLOW;
            let next = rustix::fs::openat(from, name, how, Mode::empty())?;
            stand = Some(next);
        }
        stand.ok_or(Errno::NOENT)
    }

    #[cfg(test)]
    pub(super) fn walking(directory: OwnedFd) -> Self {
        Self { directory, one_call: AtomicBool::new(false) }
    }
}

impl AsFd for Beneath {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use rustix::fs::ResolveFlags;

    /// Never out of the directory, and through no link, be it an ordinary or one of /proc.
    pub(super) const INSIDE: ResolveFlags =
        ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);
}

/// Whether the error says that there is nothing that we would open: nothing at all, a link, a way through a file.
pub(super) fn is_absence(errno: Errno) -> bool {
    // MLINK is what FreeBSD answers instead of LOOP.
    matches!(
        errno,
        Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::MLINK | Errno::XDEV | Errno::NAMETOOLONG | Errno::NXIO
    )
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::fs::symlink;

    use super::*;

    fn both(directory: &std::path::Path) -> [(&'static str, Beneath); 2] {
        let open = || OwnedFd::from(std::fs::File::open(directory).unwrap());
        [("one call", Beneath::new(open())), ("walk", Beneath::walking(open()))]
    }

    #[test]
    fn lookups_stay_inside_and_follow_no_link() {
        let scratch = tempfile::tempdir().unwrap();
        let (root, outside) = (scratch.path().join("root"), scratch.path().join("outside"));
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("secret"), "secret").unwrap();
        std::fs::write(root.join("a/b/file"), "inside").unwrap();
        std::fs::write(root.join("top"), "top").unwrap();
        symlink(outside.join("secret"), root.join("file-link")).unwrap();
        symlink(&outside, root.join("directory-link")).unwrap();
        symlink("a", root.join("inner-link")).unwrap();
        symlink("b", root.join("a/middle-link")).unwrap();
        for (how, beneath) in both(&root) {
            for (path, text) in [("a/b/file", "inside"), ("top", "top")] {
                let mut read = String::new();
                std::fs::File::from(beneath.open(path, READ).unwrap()).read_to_string(&mut read).unwrap();
                assert_eq!(read, text, "{how}");
            }
            beneath.open("", LIST).unwrap();
            beneath.open("a/b", LIST).unwrap();
            for path in [
                "none",
                "none/x",
                "top/x",
                "file-link",
                "directory-link",
                "directory-link/secret",
                "inner-link/b/file",
                "a/middle-link/file",
                "../outside/secret",
                "a/../../outside/secret",
            ] {
                for flags in [READ, STAND, LIST] {
                    let error = beneath.open(path, flags).unwrap_err();
                    assert!(is_absence(error), "{how}: {path}: {error}");
                    if let Some(cached) = beneath.open_cached(path, flags) {
                        assert!(is_absence(cached.unwrap_err()), "{how}: {path}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_lookup_of_what_was_just_used_does_not_wait_for_the_disk() {
        let scratch = tempfile::tempdir().unwrap();
        std::fs::write(scratch.path().join("a"), "abc").unwrap();
        for (how, beneath) in both(scratch.path()) {
            beneath.open("a", READ).unwrap();
            match beneath.open_cached("a", READ) {
                Some(opened) => drop(opened.unwrap()),
                // A kernel before 5.12, or the walk, cannot tell.
                None => assert!(how == "walk" || !cfg!(target_os = "linux") || !beneath.knows_cached()),
            }
        }
    }

    impl Beneath {
        fn knows_cached(&self) -> bool {
            let cached = linux::INSIDE | rustix::fs::ResolveFlags::CACHED;
            !matches!(
                rustix::fs::openat2(&self.directory, ".", STAND, Mode::empty(), cached),
                Err(Errno::INVAL | Errno::NOSYS | Errno::PERM)
            )
        }
    }
}
