//! What an error number of the system means to the ports.

use std::fmt;

use lectern_host::ports::{ContentsError, TreeError};
use rustix::io::Errno;

use super::beneath::is_absence;

/// A call to the system that failed: what was tried, where, and why.
#[derive(Debug)]
pub(super) struct Failure {
    doing: &'static str,
    place: String,
    errno: Errno,
}

impl Failure {
    pub(super) fn new(doing: &'static str, place: impl fmt::Display, errno: Errno) -> Self {
        Self { doing, place: place.to_string(), errno }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { doing, place, errno } = self;
        match *errno {
            Errno::ROFS | Errno::ACCESS | Errno::PERM => write!(f, "{place} is not writable: cannot {doing}"),
            Errno::XDEV => write!(f, "{place} is on another file system than the state directory: cannot {doing}"),
            _ => write!(f, "cannot {doing} in {place}"),
        }
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.errno)
    }
}

/// The few kinds of trouble that callers tell apart.
enum Kind {
    Full,
    Unavailable,
    Failed,
}

/// | error | means |
/// |---|---|
/// | ENOSPC, EDQUOT, EFBIG | no space: on the disk, in the quota, under the process's limit |
/// | EMFILE, ENFILE, ENOMEM, EAGAIN, EINTR, EBUSY | passing: out of descriptors or memory, or in somebody's way |
/// | anything else (EIO, EROFS, EACCES, EXDEV …) | a failure that another try does not mend |
fn kind(errno: Errno) -> Kind {
    match errno {
        Errno::NOSPC | Errno::DQUOT | Errno::FBIG => Kind::Full,
        Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN | Errno::INTR | Errno::BUSY => Kind::Unavailable,
        _ => Kind::Failed,
    }
}

impl From<Failure> for ContentsError {
    fn from(failure: Failure) -> Self {
        match kind(failure.errno) {
            Kind::Full => Self::Full(failure.into()),
            Kind::Unavailable => Self::Unavailable(failure.into()),
            Kind::Failed => Self::Failed(failure.into()),
        }
    }
}

impl From<Failure> for TreeError {
    fn from(failure: Failure) -> Self {
        match kind(failure.errno) {
            Kind::Full => Self::Full(failure.into()),
            Kind::Unavailable => Self::Unavailable(failure.into()),
            Kind::Failed => Self::Failed(failure.into()),
        }
    }
}

/// A failed lookup: nothing there, or trouble.
pub(super) fn lookup_failed(doing: &'static str, place: impl fmt::Display, errno: Errno) -> TreeError {
    if is_absence(errno) { TreeError::NotFound } else { Failure::new(doing, place, errno).into() }
}

/// A failed change of a name: gone, refused by the file system, or trouble.
pub(super) fn naming_failed(doing: &'static str, place: impl fmt::Display, errno: Errno) -> TreeError {
    match errno {
        Errno::EXIST => TreeError::NameTaken,
        Errno::NOTEMPTY => TreeError::NotEmpty,
        Errno::NAMETOOLONG | Errno::INVAL | Errno::ILSEQ => TreeError::NameRefused,
        Errno::NOENT | Errno::NOTDIR | Errno::LOOP => TreeError::NotFound,
        other => Failure::new(doing, place, other).into(),
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn the_table_of_error_numbers() {
        for (errno, means) in [
            (Errno::NOSPC, "full"),
            (Errno::DQUOT, "full"),
            (Errno::FBIG, "full"),
            (Errno::MFILE, "unavailable"),
            (Errno::NFILE, "unavailable"),
            (Errno::NOMEM, "unavailable"),
            (Errno::AGAIN, "unavailable"),
            (Errno::INTR, "unavailable"),
            (Errno::BUSY, "unavailable"),
            (Errno::IO, "failed"),
            (Errno::ROFS, "failed"),
            (Errno::ACCESS, "failed"),
            (Errno::XDEV, "failed"),
        ] {
            let contents = match ContentsError::from(Failure::new("write", "x", errno)) {
                ContentsError::Full(_) => "full",
                ContentsError::Unavailable(_) => "unavailable",
                ContentsError::Failed(_) => "failed",
                _ => "something else",
            };
            let tree = match TreeError::from(Failure::new("write", "x", errno)) {
                TreeError::Full(_) => "full",
                TreeError::Unavailable(_) => "unavailable",
                TreeError::Failed(_) => "failed",
                _ => "something else",
            };
            assert_eq!((contents, tree), (means, means), "{errno}");
        }
    }

    #[test]
    fn a_directory_that_is_not_writable_is_named() {
        let failure = Failure::new("write a save", "/srv/documents/.lectern", Errno::ROFS);
        assert_eq!(failure.to_string(), "/srv/documents/.lectern is not writable: cannot write a save");
        assert!(failure.source().unwrap().to_string().contains("ead-only"));
    }
}
