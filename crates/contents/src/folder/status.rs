//! What stands under a name: one `statx`, with the time of birth where the kernel tells it.

use std::os::fd::BorrowedFd;

use lectern_host::records::Fingerprint;
use rustix::fs::{AtFlags, FileType};
use rustix::io::Errno;

/// What the file system says of one file or directory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Status {
    pub(super) kind: FileType,
    /// As the ports have it: size and time of a directory are 0.
    pub(super) fingerprint: Fingerprint,
    /// Permission bits, those for set-user-id and the like included.
    pub(super) mode: u32,
    pub(super) owner: u32,
    pub(super) group: u32,
    /// How many names the inode has.
    pub(super) links: u64,
    pub(super) device: (u32, u32),
    /// Two mounts of one file system have one device, and still nothing can be renamed from one to the other.
    pub(super) mount: Option<u64>,
}

impl Status {
    pub(super) fn is_file(&self) -> bool {
        self.kind == FileType::RegularFile
    }

    pub(super) fn is_directory(&self) -> bool {
        self.kind == FileType::Directory
    }

    /// Whether this is that inode in the same life, whatever its bytes are now.
    pub(super) fn is(&self, inode: &Fingerprint) -> bool {
        self.fingerprint.same_inode(inode)
    }
}

/// What stands under `name` in the directory; never follows a link.
pub(super) fn status_at(directory: BorrowedFd<'_>, name: &str) -> Result<Status, Errno> {
    status(directory, name, AtFlags::SYMLINK_NOFOLLOW)
}

/// The same, `None` if nothing does.
pub(super) fn find(directory: BorrowedFd<'_>, name: &str) -> Result<Option<Status>, Errno> {
    match status_at(directory, name) {
        Ok(status) => Ok(Some(status)),
        Err(Errno::NOENT) => Ok(None),
        Err(other) => Err(other),
    }
}

/// What is open there.
pub(super) fn status_of(file: BorrowedFd<'_>) -> Result<Status, Errno> {
    #[cfg(target_os = "linux")]
    return status(file, "", AtFlags::EMPTY_PATH | AtFlags::SYMLINK_NOFOLLOW);
    #[cfg(not(target_os = "linux"))]
    return rustix::fs::fstat(file).map(|stat| from_stat(&stat));
}

#[cfg(target_os = "linux")]
fn status(at: BorrowedFd<'_>, name: &str, flags: AtFlags) -> Result<Status, Errno> {
    use rustix::fs::StatxFlags;

    let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME | StatxFlags::MNT_ID;
    match rustix::fs::statx(at, name, flags, wanted) {
        Ok(stat) => {
            let known = |flag: StatxFlags| stat.stx_mask & flag.bits() != 0;
            let kind = FileType::from_raw_mode(stat.stx_mode.into());
            Ok(Status {
                kind,
                fingerprint: fingerprint(
                    kind,
                    stat.stx_ino,
                    known(StatxFlags::BTIME).then(|| nanoseconds(stat.stx_btime.tv_sec, stat.stx_btime.tv_nsec.into())),
                    stat.stx_size,
                    nanoseconds(stat.stx_mtime.tv_sec, stat.stx_mtime.tv_nsec.into()),
                ),
                mode: u32::from(stat.stx_mode) & 0o7777,
                owner: stat.stx_uid,
                group: stat.stx_gid,
                links: stat.stx_nlink.into(),
                device: (stat.stx_dev_major, stat.stx_dev_minor),
                mount: known(StatxFlags::MNT_ID).then_some(stat.stx_mnt_id),
            })
        }
        // Kernels before 4.11, and sandboxes that do not know the call.
        Err(Errno::NOSYS) => rustix::fs::statat(at, name, flags).map(|stat| from_stat(&stat)),
        Err(other) => Err(other),
    }
}

#[cfg(not(target_os = "linux"))]
fn status(at: BorrowedFd<'_>, name: &str, flags: AtFlags) -> Result<Status, Errno> {
    rustix::fs::statat(at, name, flags).map(|stat| from_stat(&stat))
}

/// From the older call, which knows no birth. The casts are between C's types, which differ from system to system.
#[allow(clippy::unnecessary_cast, clippy::useless_conversion, reason = "needed on some systems, not on others")]
fn from_stat(stat: &rustix::fs::Stat) -> Status {
    let kind = FileType::from_raw_mode(stat.st_mode as _);
    Status {
        kind,
        fingerprint: fingerprint(
            kind,
            stat.st_ino as u64,
            None,
            stat.st_size as u64,
            nanoseconds(stat.st_mtime as i64, stat.st_mtime_nsec as i64),
        ),
        mode: stat.st_mode as u32 & 0o7777,
        owner: stat.st_uid,
        group: stat.st_gid,
        links: stat.st_nlink as u64,
        device: (rustix::fs::major(stat.st_dev), rustix::fs::minor(stat.st_dev)),
        mount: None,
    }
}

fn fingerprint(kind: FileType, inode: u64, born_ns: Option<i64>, size: u64, modified_ns: i64) -> Fingerprint {
    if kind == FileType::Directory {
        Fingerprint { inode, born_ns, size: 0, modified_ns: 0 }
    } else {
        Fingerprint { inode, born_ns, size, modified_ns }
    }
}

fn nanoseconds(seconds: i64, rest: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;

    #[test]
    fn both_calls_say_the_same_but_for_the_birth() {
        let scratch = tempfile::tempdir().unwrap();
        std::fs::write(scratch.path().join("a"), "abc").unwrap();
        let directory = std::fs::File::open(scratch.path()).unwrap();
        let new = status_at(directory.as_fd(), "a").unwrap();
        let old = from_stat(&rustix::fs::statat(&directory, "a", AtFlags::SYMLINK_NOFOLLOW).unwrap());
        assert_eq!(Fingerprint { born_ns: None, ..new.fingerprint }, old.fingerprint);
        assert_eq!((new.mode, new.owner, new.group, new.links), (old.mode, old.owner, old.group, old.links));
        assert_eq!(new.device, old.device);
        assert_eq!(new.fingerprint.size, 3);
        assert!(new.is_file() && old.is_file());
        let itself = status_of(directory.as_fd()).unwrap();
        assert!(itself.is_directory());
        assert_eq!((itself.fingerprint.size, itself.fingerprint.modified_ns), (0, 0));
    }

    #[test]
    fn nothing_is_none_and_a_link_is_a_link() {
        let scratch = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/passwd", scratch.path().join("link")).unwrap();
        let directory = std::fs::File::open(scratch.path()).unwrap();
        assert!(find(directory.as_fd(), "none").unwrap().is_none());
        assert_eq!(find(directory.as_fd(), "link").unwrap().unwrap().kind, FileType::Symlink);
    }
}
