//! How the database is.

use std::time::{Duration, Instant};

use lectern_host::ports::RegistryError;

use super::PostgresRegistry;
use super::answers::first;
use super::migrations;
use crate::error::Error;
use crate::fields::{Fields, Result as Valid};

const TOUCH: &str = "UPDATE meta SET value = value + 1 WHERE name = 'checks'";
const READY: &str = "SELECT current_setting('transaction_read_only'), pg_is_in_recovery()";
const STATE: &str = "SELECT current_setting('server_version'), pg_database_size(current_database()), \
     current_setting('max_connections')::bigint, \
     (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend'), \
     current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit'), \
     (SELECT count(*) FROM pg_catalog.pg_stat_replication), current_setting('synchronous_standby_names')";

/// What [`PostgresRegistry::check`] found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PostgresHealth {
    /// The server's version, as it says it.
    pub version: String,
    /// How long it took to write something durably.
    pub write_time: Duration,
    /// Size of the database, in bytes.
    pub size_bytes: u64,
    /// Connections to the server, of everybody, and how many it takes.
    pub connections: u64,
    /// How many it takes.
    pub connections_max: u64,
    /// The last step of the schema that was taken, and the last that this program knows.
    pub schema: i64,
    /// The last step that this program knows.
    pub schema_known: i64,
    /// What should not be so, in words, with what to do about it.
    pub warnings: Vec<String>,
}

struct State {
    version: String,
    size: u64,
    connections_max: u64,
    connections: u64,
    fsync: String,
    full_page_writes: String,
    synchronous_commit: String,
    standbys: u64,
    synchronous_standby_names: String,
}

impl PostgresRegistry {
    /// Tries what the registry promises: reads, and writes durably.
    ///
    /// # Errors
    ///
    /// If either failed, or if the schema was made ready for newer programs only. What could be better is no error but
    /// in the answer.
    pub async fn check(&self) -> Result<PostgresHealth, RegistryError> {
        let start = Instant::now();
        self.pool.write(TOUCH, &[]).await?;
        let write_time = start.elapsed();
        let state = first(&self.pool.read(STATE, &[]).await?, state)?;
        let schema = self.usable_schema().await?;
        let mut warnings = Vec::new();
        for (name, value) in [("fsync", &state.fsync), ("full_page_writes", &state.full_page_writes)] {
            if value == "off" {
                warnings.push(format!(
                    "{name} is off: when the database's machine loses power, saves that were answered are lost; \
                     set it to on in postgresql.conf"
                ));
            }
        }
        if state.synchronous_commit == "local" {
            warnings.push(
                "synchronous_commit is local: a save that was answered may be missing on a standby that takes over"
                    .into(),
            );
        }
        // Commits wait for a standby only if one is named there. Everybody may count standbys.
        if state.standbys > 0 && state.synchronous_standby_names.is_empty() {
            warnings.push(
                "synchronous_standby_names is empty: a save that was answered may be missing on a standby that takes over"
                    .into(),
            );
        }
        if state.connections_max.saturating_sub(state.connections) < FREE_CONNECTIONS_MIN {
            warnings.push(format!(
                "{} of {} connections are in use: raise max_connections, or lower the number of each node",
                state.connections, state.connections_max
            ));
        }
        Ok(PostgresHealth {
            version: state.version,
            write_time,
            size_bytes: state.size,
            connections: state.connections,
            connections_max: state.connections_max,
            schema: schema.number,
            schema_known: migrations::known(),
            warnings,
        })
    }

    /// Whether the database answers, takes changes, and has a schema for this program. Cheap enough for a load balancer
    /// to ask every second.
    ///
    /// # Errors
    ///
    /// [`RegistryError::Unavailable`] if it cannot be reached, or is a standby; [`RegistryError::Failed`] if the schema
    /// is for newer programs only.
    pub async fn ready(&self) -> Result<(), RegistryError> {
        let answer = self.pool.read(READY, &[]).await?;
        let read_only = |fields: &mut Fields<'_>| -> Valid<bool> { Ok(fields.text()? == "on" || fields.truth()?) };
        if first(&answer, read_only)? {
            return Err(Error::ReadOnly(self.name.clone()).into());
        }
        self.usable_schema().await?;
        Ok(())
    }

    async fn usable_schema(&self) -> Result<migrations::Schema, RegistryError> {
        let schema = migrations::schema(&self.pool).await?;
        if schema.may_be_used_by(migrations::known()) {
            Ok(schema)
        } else {
            Err(Error::Refused("the database was made ready for newer programs while this one was running").into())
        }
    }
}

/// Fewer free connections than that are worth a word.
const FREE_CONNECTIONS_MIN: u64 = 5;

fn state(fields: &mut Fields<'_>) -> Valid<State> {
    Ok(State {
        version: fields.parsed()?,
        size: fields.count()?,
        connections_max: fields.count()?,
        connections: fields.count()?,
        fsync: fields.parsed()?,
        full_page_writes: fields.parsed()?,
        synchronous_commit: fields.parsed()?,
        standbys: fields.count()?,
        synchronous_standby_names: fields.text()?.to_owned(),
    })
}
