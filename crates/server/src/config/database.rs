//! `[database]`

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::section::section;
use super::values::{Count, Span};

section! {
    /// Where records are kept, if not in SQLite in the state directory: a PostgreSQL that several nodes share. It takes an
    /// object store (the section `objects`): a folder of documents has one node, and SQLite. See docs/nodes.md.
    pub struct Database = "database" {
        /// PostgreSQL 13 or later: `postgres://USER@HOST[:PORT][,HOST…]/DATABASE`. Of several hosts, a server and its
        /// standbys, the first that takes changes is used. LECTERN_DATABASE_URL wins.
        pub url: Option<String>, for example "\"postgres://lectern@database.example.org/lectern\"";
        /// A file with the password, if the URL has none.
        pub password_file: Option<PathBuf>, for example "\"/etc/lectern/database-password\"";
        /// Whether the way there is encrypted: `automatic` (unless the host is this machine), `off`, `required`. Where it
        /// is, the server's certificate must be good for the host in the URL.
        pub encryption: Encryption = Encryption::Automatic;
        /// A file with certificates (PEM) of those who may sign the server's; without it, those whom this machine trusts.
        pub root_certificates_file: Option<PathBuf>, for example "\"/etc/lectern/database-ca.pem\"";
        /// Most connections of this node. All nodes together should stay below the server's max_connections.
        pub connections_max: Count<1, 1000> = const { Count::of(16) };
        /// How long it may take to reach a host and to sign in there.
        pub connect_timeout: Span<100, 600_000> = const { Span::ms(3_000) };
        /// How long a request waits for one of the connections.
        pub acquire_timeout: Span<100, 600_000> = const { Span::ms(3_000) };
        /// How long the server works on one statement before it gives it up.
        pub statement_timeout: Span<100, 600_000> = const { Span::ms(5_000) };
        /// How long a transaction may stand open with nobody at work on it, before the server ends it: its node was frozen
        /// or cut off, and others may wait for what it has locked.
        pub idle_in_transaction_timeout: Span<1_000, 600_000> = const { Span::ms(10_000) };
    }
}

/// Whether the way to the database is encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encryption {
    /// Unless the host is this machine.
    Automatic,
    /// Never.
    Off,
    /// Always.
    Required,
}
