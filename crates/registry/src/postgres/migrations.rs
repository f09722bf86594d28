//! The schema, in numbered steps, and which programs may use which schema. `migrations/README.md` has the rules for a new
//! step.
//!
//! Nodes may start together: one of them brings the schema up to date in one transaction, under a lock that the others
//! wait for, and these find that there is nothing left to do.
//!
//! | the schema is | this program |
//! |---|---|
//! | older | brings it up to date |
//! | its own | uses it |
//! | newer, and its last step says that programs from this one's number on may use it | uses it as it is |
//! | newer otherwise | refuses to start, and a running one says at its next check that it should not go on |

use std::time::Duration;

use super::answers::{count, first};
use super::containers::{ENSURE_ROOT, new_root};
use super::open::PostgresOpenError as OpenError;
use super::pool::{Lease, Pool};
use crate::containers::base32;
use crate::error::Error;
use crate::fields::{Fields, Result as Valid};
use crate::values::values;

struct Migration {
    number: i64,
    name: &'static str,
    /// The lowest number of a program that may go on while this step has been taken.
    compatible_from: i64,
    sql: &'static str,
}

const MIGRATIONS: &[Migration] = &[Migration {
    number: 1,
    name: "first",
    compatible_from: 1,
    sql: include_str!("../../migrations/postgres/0001_first.sql"),
}];

/// How long one step may take: it may have to walk over every row.
const STEP_TIME_MAX: Duration = Duration::from_secs(600);

/// How long a node waits for another one that migrates.
const WAIT_MAX: Duration = Duration::from_secs(660);

/// What nodes that start together agree on: "LCTN".
const LOCK: &str = "SELECT pg_advisory_xact_lock(1279478862)";

/// Only in this transaction.
const PATIENCE: &str = "SELECT set_config('statement_timeout', $1, true)";

const HAS_SCHEMA: &str = "SELECT count(*) FROM pg_catalog.pg_class WHERE oid = to_regclass('schema_steps')";
const CREATE: &str = "CREATE TABLE IF NOT EXISTS schema_steps (number BIGINT NOT NULL PRIMARY KEY, \
     name TEXT COLLATE \"C\" NOT NULL, compatible_from BIGINT NOT NULL, applied_at BIGINT NOT NULL)";
const LATEST: &str = "SELECT number, compatible_from FROM schema_steps ORDER BY number DESC LIMIT 1";
const APPLIED: &str = "INSERT INTO schema_steps (number, name, compatible_from, applied_at) \
     VALUES ($1, $2, $3, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)";
const STRANGERS: &str = "SELECT count(*) FROM pg_catalog.pg_class c \
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname = current_schema()";

/// What the database says of its schema.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Schema {
    /// The last step that was taken.
    pub(crate) number: i64,
    /// The lowest number of a program that may use it.
    pub(crate) compatible_from: i64,
}

impl Schema {
    const NONE: Self = Self { number: 0, compatible_from: 0 };

    /// Whether a program that knows the steps up to `known` may use it.
    pub(crate) fn may_be_used_by(self, known: i64) -> bool {
        self.number <= known || self.compatible_from <= known
    }
}

/// The last step that this program knows.
pub(crate) fn known() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.number).max().unwrap_or(0)
}

/// The schema, if there is any.
pub(crate) async fn schema(pool: &Pool) -> Result<Schema, Error> {
    if count(&pool.read(HAS_SCHEMA, &[]).await?)? == 0 {
        return Ok(Schema::NONE);
    }
    found(first(&pool.read(LATEST, &[]).await?, columns))
}

fn columns(fields: &mut Fields<'_>) -> Valid<Schema> {
    Ok(Schema { number: fields.number()?, compatible_from: fields.number()? })
}

fn found(schema: Result<Schema, Error>) -> Result<Schema, Error> {
    match schema {
        Err(Error::NotFound) => Ok(Schema::NONE),
        schema => schema,
    }
}

/// Brings the schema up to date, and sees to it that there is a root. `id` is the root's, if one has to be made.
pub(crate) async fn apply(pool: &Pool, random: [u8; 16]) -> Result<(), OpenError> {
    let known = known();
    let now = schema(pool).await.map_err(OpenError::registry)?;
    check(now, known)?;
    if now.number >= known {
        return Ok(());
    }
    let mut lease = pool.acquire().await.map_err(OpenError::trouble)?;
    let stepped = steps(&mut lease, known, random).await;
    match stepped {
        Ok(()) => lease.commit().await.map_err(OpenError::trouble),
        // The lease takes the transaction with it.
        Err(error) => Err(error),
    }
}

fn check(now: Schema, known: i64) -> Result<(), OpenError> {
    if now.may_be_used_by(known) {
        Ok(())
    } else {
        Err(OpenError::Newer { found: now.number, compatible_from: now.compatible_from, known })
    }
}

async fn steps(lease: &mut Lease<'_>, known: i64, random: [u8; 16]) -> Result<(), OpenError> {
    let failed = OpenError::trouble;
    lease.begin().await.map_err(failed)?;
    lease.run(PATIENCE, &values![WAIT_MAX.as_millis().to_string()]).await.map_err(failed)?;
    lease.run_within(LOCK, &[], WAIT_MAX).await.map_err(failed)?;
    // Somebody else may have been here while we waited.
    let has_schema = count(&lease.run(HAS_SCHEMA, &[]).await.map_err(failed)?).map_err(OpenError::registry)?;
    if has_schema == 0 {
        let tables = count(&lease.run(STRANGERS, &[]).await.map_err(failed)?).map_err(OpenError::registry)?;
        if tables > 0 {
            return Err(OpenError::NotOurs);
        }
        lease.batch(CREATE, STEP_TIME_MAX).await.map_err(failed)?;
    }
    let now = first(&lease.run(LATEST, &[]).await.map_err(failed)?, columns);
    let now = found(now).map_err(OpenError::registry)?;
    check(now, known)?;
    for Migration { number, name, compatible_from, sql } in MIGRATIONS {
        if *number <= now.number {
            continue;
        }
        tracing::info!(number, name, "the database's schema takes a step");
        lease.batch(sql, STEP_TIME_MAX).await.map_err(failed)?;
        lease.run(APPLIED, &values![*number, *name, *compatible_from]).await.map_err(failed)?;
    }
    let id = base32(random);
    lease.run(ENSURE_ROOT, &new_root(&id)).await.map_err(failed)?;
    Ok(())
}
