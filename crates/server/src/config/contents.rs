//! `[contents]`

use std::path::PathBuf;

use super::section::section;

section! {
    /// Which documents are served and where our own records about them are. Paths are relative to this file.
    pub struct Contents = "contents" {
        /// The folder of documents; `./documents` in the current directory if nothing is said. Its files stay ordinary
        /// files: other programs may change them at any time. An argument of the command line wins.
        pub folder: Option<PathBuf>, for example "\"/srv/documents\"";
        /// Where our own records are kept: database, old versions, rescued saves, keys. `.lectern` in the folder of
        /// documents if nothing is said. It must be on the same file system as the documents. `--state` wins.
        pub state: Option<PathBuf>, for example "\"/srv/lectern-state\"";
        /// The file with the keys that seal access tokens; `token-keys.json` beside our records if nothing is said. Made on
        /// the first start. Keep it somewhere else if backups of the records are seen by others.
        pub token_keys_file: Option<PathBuf>, for example "\"/etc/lectern/token-keys.json\"";
    }
}
