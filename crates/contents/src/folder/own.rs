//! What we changed in the folder ourselves, so that it is not reported as somebody else's doing.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use lectern_host::ports::TreePath;
use lectern_host::records::Fingerprint;

/// How many changes are remembered. One that is forgotten too early costs a needless look at its container.
const OWN_CHANGES_MAX: usize = 1024;

/// The last changes of ours: each path, and the inode that we left there.
#[derive(Debug, Default)]
pub(super) struct OwnChanges {
    changes: Mutex<VecDeque<(TreePath, Option<Fingerprint>)>>,
}

impl OwnChanges {
    /// Remembers that we are about to leave this file, or nothing, under the path.
    pub(super) fn changed(&self, path: &TreePath, left: Option<Fingerprint>) {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        changes.retain(|(known, _)| known != path);
        if changes.len() == OWN_CHANGES_MAX {
            changes.pop_front();
        }
        changes.push_back((path.clone(), left));
    }

    /// Whether what stands there now is what we left there: to the last field for a file.
    pub(super) fn explain(&self, path: &TreePath, now: Option<&Fingerprint>) -> bool {
        let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        changes.iter().any(|(known, left)| known == path && left.as_ref() == now)
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
        own.changed(&path("a"), Some(left));
        own.changed(&path("b"), None);
        assert!(own.explain(&path("a"), Some(&left)));
        assert!(!own.explain(&path("a"), Some(&Fingerprint { size: 5, ..left })));
        assert!(!own.explain(&path("a"), None));
        assert!(own.explain(&path("b"), None));
        assert!(!own.explain(&path("c"), None));
        own.changed(&path("a"), None);
        assert!(!own.explain(&path("a"), Some(&left)));
        for n in 0..OWN_CHANGES_MAX {
            own.changed(&path(&format!("file {n}")), None);
        }
        assert!(!own.explain(&path("a"), None));
        assert!(own.explain(&path("file 0"), None));
    }
}
