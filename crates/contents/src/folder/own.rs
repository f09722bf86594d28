//! What we changed in the folder ourselves, so that it is not reported as somebody else's doing.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lectern_host::ports::TreePath;
use lectern_host::records::Fingerprint;

/// How many changes are remembered. One that is forgotten too early costs a needless look at its container.
const OWN_CHANGES_MAX: usize = 1024;

/// The last changes of ours, the oldest first.
#[derive(Debug, Default)]
pub(super) struct OwnChanges {
    changes: Mutex<VecDeque<Left>>,
}

/// What we left under a path.
#[derive(Debug)]
struct Left {
    path: TreePath,
    now: Option<Fingerprint>,
    /// What we had left there before, while the change is under way: until it happens, that is what is seen.
    before: Option<Option<Fingerprint>>,
}

impl OwnChanges {
    /// Remembers that we are about to leave this file, or nothing, under the path. The change is over when the answer is
    /// dropped.
    pub(super) fn change(&self, path: &TreePath, now: Option<Fingerprint>) -> UnderWay<'_> {
        let mut changes = self.changes();
        let known = changes.iter().position(|left| left.path == *path).and_then(|at| changes.remove(at));
        if changes.len() == OWN_CHANGES_MAX {
            changes.pop_front();
        }
        changes.push_back(Left { path: path.clone(), now, before: known.map(|known| known.now) });
        UnderWay { own: self, path: path.clone() }
    }

    /// Whether what stands there now is what we left there: to the last field for a file.
    pub(super) fn explain(&self, path: &TreePath, now: Option<&Fingerprint>) -> bool {
        let is_ours =
            |left: &Left| left.now.as_ref() == now || left.before.as_ref().is_some_and(|before| before.as_ref() == now);
        self.changes().iter().any(|left| left.path == *path && is_ours(left))
    }

    fn changes(&self) -> MutexGuard<'_, VecDeque<Left>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A change of ours that may or may not have happened yet.
#[must_use]
pub(super) struct UnderWay<'a> {
    own: &'a OwnChanges,
    path: TreePath,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(left) = self.own.changes().iter_mut().rfind(|left| left.path == self.path) {
            left.before = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use lectern_host::wopi::FileName;

    use super::*;

    fn path(name: &str) -> TreePath {
        TreePath::root().join(&FileName::parse(name).unwrap())
    }

    #[test]
    fn only_what_we_left_is_explained_and_only_the_last_changes_are_remembered() {
        let own = OwnChanges::default();
        let left = Fingerprint { inode: 1, born_ns: Some(2), size: 3, modified_ns: 4 };
        drop(own.change(&path("a"), Some(left)));
        drop(own.change(&path("b"), None));
        assert!(own.explain(&path("a"), Some(&left)));
        assert!(!own.explain(&path("a"), Some(&Fingerprint { size: 5, ..left })));
        assert!(!own.explain(&path("a"), None));
        assert!(own.explain(&path("b"), None));
        assert!(!own.explain(&path("c"), None));
        let under_way = own.change(&path("a"), None);
        assert!(own.explain(&path("a"), Some(&left)) && own.explain(&path("a"), None));
        drop(under_way);
        assert!(!own.explain(&path("a"), Some(&left)));
        for n in 0..OWN_CHANGES_MAX {
            drop(own.change(&path(&format!("file {n}")), None));
        }
        assert!(!own.explain(&path("a"), None));
        assert!(own.explain(&path("file 0"), None));
    }
}
