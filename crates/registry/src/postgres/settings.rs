//! How a PostgreSQL registry is reached.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Where the database is, and how long anything may take. A request waits at most for a connection
/// (`acquire_timeout`), for it to be made (`connect_timeout`, for each host that the URL names) and for a statement
/// (`statement_timeout` and [`ANSWER_GRACE`]).
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresSettings {
    /// `postgres://USER@HOST[:PORT][,HOST…]/DATABASE`, or the same as `host=… user=… dbname=…`. Several hosts are a
    /// server and its standbys: the first that takes changes is used. A pooler in between (PgBouncer) has to leave a
    /// connection to us as long as we keep it (session mode): it is set to what we need when it begins.
    pub url: String,
    /// The password, where the URL has none.
    pub password: Option<String>,
    /// Most connections of this process. Together, all nodes should stay below `max_connections` of the server.
    /// Default 16: a statement takes less than a millisecond.
    pub connections_max: usize,
    /// How long the server works on a statement before it gives it up. Default 5 s.
    pub statement_timeout: Duration,
    /// How long a request waits for one of the connections. Default 3 s.
    pub acquire_timeout: Duration,
    /// How long it may take to reach a host, to agree on encryption and to sign in there. Default 3 s.
    pub connect_timeout: Duration,
    /// How long a transaction may stand open with nobody working on it, before the server ends it: its node was frozen
    /// or cut off, and others wait for what it has locked. Default 10 s.
    pub idle_in_transaction_timeout: Duration,
    /// Encryption on the way to the database.
    pub tls: PostgresTls,
}

/// Encryption on the way to the database.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PostgresTls {
    /// Whether there is any.
    pub mode: PostgresTlsMode,
    /// A file with the certificates (PEM) of those who may sign the server's; default: whom this machine trusts.
    pub root_certificates: Option<PathBuf>,
}

/// Whether the way to the database is encrypted. Where it is, the server's certificate has to be good for the host in the
/// URL.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PostgresTlsMode {
    /// Unless the host is a socket of this machine or a loopback address, or the URL has `sslmode=disable`.
    #[default]
    Automatic,
    /// Never.
    Off,
    /// Always.
    Required,
}

/// How much longer than `statement_timeout` we wait for an answer, before we take the connection for dead.
pub const ANSWER_GRACE: Duration = Duration::from_secs(2);

impl PostgresSettings {
    /// The defaults, for the database at this URL.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            password: None,
            connections_max: 16,
            statement_timeout: Duration::from_secs(5),
            acquire_timeout: Duration::from_secs(3),
            connect_timeout: Duration::from_secs(3),
            idle_in_transaction_timeout: Duration::from_secs(10),
            tls: PostgresTls::default(),
        }
    }
}

/// Without the password, and without the URL, which may have one in it.
impl fmt::Debug for PostgresSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSettings")
            .field("connections_max", &self.connections_max)
            .field("statement_timeout", &self.statement_timeout)
            .field("acquire_timeout", &self.acquire_timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("idle_in_transaction_timeout", &self.idle_in_transaction_timeout)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_do_not_show_passwords() {
        let mut settings = PostgresSettings::new("postgres://lectern:geheim@db/lectern");
        settings.password = Some("geheim".to_owned());
        assert!(!format!("{settings:?}").contains("geheim"));
    }
}
