//! `[log]`

use serde::{Deserialize, Serialize};

use super::section::section;

section! {
    /// The log, on standard error. docs/logging.md says what is in it.
    pub struct Log = "log" {
        /// `compact` for people, `json` for programs: one object in each line.
        pub format: LogFormat = LogFormat::Compact;
        /// What is logged: `error`, `warn`, `info`, `debug`, `trace`, or a list such as `info,lectern_host=debug`.
        /// `--log` wins over RUST_LOG, and that over this.
        pub level: String = "info".to_owned();
    }
}

/// How a log line looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Compact,
    /// One JSON object in each line.
    Json,
}
