//! Connections to PostgreSQL: a bounded number, made when they are wanted, kept while they live.
//!
//! Each keeps the statements that it ran prepared, so that a statement is one message out and one back. Whoever wants a
//! connection waits for one for a bounded time. A connection that ended is never handed out: one that the server closed
//! is known to be closed, and one that was not used for a while is asked first, because what stands between us and the
//! database may have forgotten it.

use std::collections::HashMap;
use std::future::IntoFuture as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::TryStreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_postgres::{Client, NoTls, Row, SimpleColumn, SimpleQueryMessage, Statement};

use super::settings::{ANSWER_GRACE, PostgresSettings};
use super::targets::Target;
use super::trouble::Trouble;
use crate::error::Error;
use crate::values::Value;

/// A connection that was not used for so long is asked whether it still lives.
const ASKED_AFTER: Duration = Duration::from_secs(30);
/// How long it may take to say so.
const ASKED_TIME_MAX: Duration = Duration::from_secs(1);

/// What the server says of itself when a connection begins.
const IS_READ_ONLY: &str = "transaction_read_only";
const ENCODING: &str = "server_encoding";

pub(crate) struct Pool {
    targets: Vec<Target>,
    settings: PostgresSettings,
    /// What is said first on every connection.
    greeting: String,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
}

/// A connection and the statements that were prepared on it.
struct Connection {
    client: Client,
    statements: HashMap<(usize, usize), Statement>,
    used_at: Instant,
}

/// What a statement answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) rows: Vec<Row>,
    /// How many rows it changed.
    pub(crate) changed: u64,
}

impl Pool {
    pub(crate) fn new(targets: Vec<Target>, settings: PostgresSettings) -> Self {
        let permits = Arc::new(Semaphore::new(settings.connections_max.max(1)));
        let greeting = greeting(&settings);
        Self { targets, settings, greeting, permits, idle: Mutex::new(Vec::new()) }
    }

    /// Refuses whoever asks from now on, and closes what nobody uses.
    pub(crate) fn close(&self) {
        self.permits.close();
        self.idle().clear();
    }

    /// A connection that lived a moment ago.
    pub(crate) async fn acquire(&self) -> Result<Lease<'_>, Trouble> {
        let wait = self.settings.acquire_timeout;
        let permit = match timeout(wait, self.permits.clone().acquire_owned()).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) => return Err(Trouble::Final(Error::Closed)),
            Err(_) => return Err(Trouble::Final(Error::NoConnection(self.settings.connections_max))),
        };
        while let Some(connection) = self.pop() {
            if connection.lives().await {
                return Ok(self.lease(connection, true, permit));
            }
        }
        let connection = self.connect().await?;
        Ok(self.lease(connection, false, permit))
    }

    fn lease(&self, connection: Connection, was_used: bool, permit: OwnedSemaphorePermit) -> Lease<'_> {
        Lease { pool: self, connection: Some(connection), was_used, in_transaction: false, _permit: permit }
    }

    fn pop(&self) -> Option<Connection> {
        self.idle().pop()
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connects to the first host that takes changes.
    async fn connect(&self) -> Result<Connection, Trouble> {
        let mut last = None;
        for target in &self.targets {
            let time = self.settings.connect_timeout;
            let tried = match timeout(time, self.connect_to(target)).await {
                Ok(tried) => tried,
                // No more tries: they would take as long.
                Err(_) => Err(Trouble::Final(Error::Silent(target.name.clone(), time))),
            };
            match tried {
                Ok(connection) => return Ok(connection),
                Err(trouble) => last = Some(trouble),
            }
        }
        Err(last.unwrap_or(Trouble::Final(Error::Closed)))
    }

    async fn connect_to(&self, target: &Target) -> Result<Connection, Trouble> {
        let failed = |error: tokio_postgres::Error| Trouble::at_connecting(target, error);
        let client = match &target.tls {
            None => {
                let (client, connection) = target.config.connect(NoTls).await.map_err(failed)?;
                drive(connection);
                client
            }
            Some(tls) => {
                let (client, connection) = target.config.connect(tls.clone()).await.map_err(failed)?;
                drive(connection);
                client
            }
        };
        for message in client.simple_query(&self.greeting).await.map_err(failed)? {
            let SimpleQueryMessage::Row(row) = message else { continue };
            let column = row.columns().first().map(SimpleColumn::name);
            match (column, row.get(0)) {
                (Some(IS_READ_ONLY), Some("on")) => return Err(Trouble::NotSent(Error::ReadOnly(target.name.clone()))),
                (Some(ENCODING), Some(encoding)) if encoding != "UTF8" => {
                    return Err(Trouble::Final(Error::Encoding(encoding.to_owned())));
                }
                _ => {}
            }
        }
        Ok(Connection { client, statements: HashMap::new(), used_at: Instant::now() })
    }
}

/// Moves what is said on a connection, until it ends.
fn drive<S, T>(connection: tokio_postgres::Connection<S, T>)
where
    tokio_postgres::Connection<S, T>: Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static,
{
    tokio::spawn(async move {
        if let Err(error) = connection.into_future().await {
            tracing::info!(error = &error as &dyn std::error::Error, "a connection to the database ended");
        }
    });
}

/// What every connection is set to, and what it is asked.
///
/// * Plans are made once for each statement, whatever its values, and perhaps when a table is still small. Every statement
///   of ours walks indexes from row to row, so nothing else is offered: no reading of whole tables, no joins that read a
///   whole index. One page costs what the next one does, because what we read is in memory or on a disk without arms. JIT
///   only costs time on such statements.
/// * A commit that was answered is on the disk, also where the server's default says otherwise.
pub(super) fn greeting(settings: &PostgresSettings) -> String {
    let (statement, idle) = (settings.statement_timeout.as_millis(), settings.idle_in_transaction_timeout.as_millis());
    format!(
        "SET statement_timeout = {statement}; SET idle_in_transaction_session_timeout = {idle}; \
         SET default_transaction_isolation = 'read committed'; \
         SET plan_cache_mode = 'force_generic_plan'; SET enable_seqscan = off; SET enable_hashjoin = off; \
         SET enable_mergejoin = off; SET random_page_cost = 1.1; SET jit = off; \
         SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'; \
         SHOW {ENCODING}; SHOW {IS_READ_ONLY}"
    )
}

impl Connection {
    async fn lives(&self) -> bool {
        !self.client.is_closed() && (self.used_at.elapsed() < ASKED_AFTER || self.answers().await)
    }

    /// Whether it says something back.
    async fn answers(&self) -> bool {
        timeout(ASKED_TIME_MAX, self.client.check_connection()).await.is_ok_and(|answer| answer.is_ok())
    }
}

/// A connection that one task uses. Goes back when it is dropped, if it still lives.
pub(crate) struct Lease<'p> {
    pool: &'p Pool,
    /// `None` when it is no good any more.
    connection: Option<Connection>,
    /// It was not made for this lease.
    was_used: bool,
    /// It is inside a transaction, and goes back to nobody.
    in_transaction: bool,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if let Some(mut connection) = self.connection.take()
            && !self.in_transaction
            && !connection.client.is_closed()
            && !self.pool.permits.is_closed()
        {
            connection.used_at = Instant::now();
            self.pool.idle().push(connection);
        }
    }
}

impl Lease<'_> {
    /// Makes sure that the connection lives, if it may not: the server may have ended it so lately that nobody noticed.
    /// Worth a round trip before what cannot be sent twice.
    pub(crate) async fn ask(&mut self) -> Result<(), Trouble> {
        let Some(connection) = &self.connection else { return Err(Trouble::NotSent(Error::Stopped)) };
        if !self.was_used || connection.answers().await {
            return Ok(());
        }
        self.connection = None;
        Err(Trouble::NotSent(Error::Stopped))
    }

    /// Runs one statement.
    pub(crate) async fn run(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Answer, Trouble> {
        self.run_within(sql, values, self.patience()).await
    }

    /// Runs one statement that may take so long.
    pub(crate) async fn run_within(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
        patience: Duration,
    ) -> Result<Answer, Trouble> {
        let Some(connection) = &mut self.connection else { return Err(Trouble::NotSent(Error::Stopped)) };
        let mut sent = false;
        let outcome = match timeout(patience, connection.run(sql, values, &mut sent)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => Trouble::of(error, sent),
            Err(_) => {
                // The server would have given up before: the connection leads nowhere.
                self.connection = None;
                let error = Error::Silent("the database".to_owned(), patience);
                return Err(if sent { Trouble::Unknown(error) } else { Trouble::Final(error) });
            }
        };
        if outcome.spoils_the_connection() {
            self.connection = None;
        }
        Err(outcome)
    }

    /// Runs statements that have neither values nor an answer.
    pub(crate) async fn batch(&mut self, sql: &str, patience: Duration) -> Result<(), Trouble> {
        let Some(connection) = &self.connection else { return Err(Trouble::NotSent(Error::Stopped)) };
        let sent = !connection.client.is_closed();
        let outcome = match timeout(patience, connection.client.batch_execute(sql)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => Trouble::of(error, sent),
            Err(_) => Trouble::Unknown(Error::Silent("the database".to_owned(), patience)),
        };
        self.connection = None;
        Err(outcome)
    }

    /// Begins a transaction. A lease that is dropped before [`Self::commit`] takes its connection, and thereby what was
    /// done on it, with it.
    pub(crate) async fn begin(&mut self) -> Result<(), Trouble> {
        self.in_transaction = true;
        self.batch("BEGIN", self.patience()).await
    }

    pub(crate) async fn commit(&mut self) -> Result<(), Trouble> {
        self.batch("COMMIT", self.patience()).await?;
        self.in_transaction = false;
        Ok(())
    }

    /// Undoes what was done since [`Self::begin`].
    pub(crate) async fn roll_back(&mut self) -> Result<(), Trouble> {
        self.batch("ROLLBACK", self.patience()).await?;
        self.in_transaction = false;
        Ok(())
    }

    fn patience(&self) -> Duration {
        self.pool.settings.statement_timeout + ANSWER_GRACE
    }

    /// Runs one statement many times on this connection, without waiting for one answer before the next is sent. Within
    /// a transaction; the first that fails spoils it.
    pub(crate) async fn run_many(&mut self, sql: &'static str, many: &[Vec<Value<'_>>]) -> Result<(), Trouble> {
        let patience = self.patience();
        let Some(connection) = &mut self.connection else { return Err(Trouble::NotSent(Error::Stopped)) };
        let statement = connection.prepared(sql).await.map_err(|error| Trouble::of(error, true))?;
        let client = &connection.client;
        let all = futures_util::future::try_join_all(many.iter().map(|values| {
            let statement = &statement;
            async move { client.execute_raw(statement, values).await }
        }));
        match timeout(patience, all).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(Trouble::of(error, true)),
            Err(_) => Err(Trouble::Unknown(Error::Silent("the database".to_owned(), patience))),
        }
    }
}

impl Connection {
    async fn run(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
        sent: &mut bool,
    ) -> Result<Answer, tokio_postgres::Error> {
        let statement = self.prepared(sql).await?;
        // On a connection that is known to have ended nothing is sent.
        *sent = !self.client.is_closed();
        let answer = self.client.query_raw(&statement, values).await?;
        let mut answer = std::pin::pin!(answer);
        let mut rows = Vec::new();
        while let Some(row) = answer.try_next().await? {
            rows.push(row);
        }
        Ok(Answer { rows, changed: answer.rows_affected().unwrap_or(0) })
    }

    async fn prepared(&mut self, sql: &'static str) -> Result<Statement, tokio_postgres::Error> {
        // A text of ours is always at the same place, so that is as good as the text.
        let key = (sql.as_ptr().addr(), sql.len());
        if let Some(statement) = self.statements.get(&key) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        self.statements.insert(key, statement.clone());
        Ok(statement)
    }
}
