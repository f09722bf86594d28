//! The one thread that writes: it takes every job that waits, does them in one transaction, and answers.
//!
//! A durable commit costs an `fsync`, which takes longer than hundreds of statements. So while one is under way, the
//! jobs that arrive wait, and the next transaction takes them all: sixty-four clients that lock sixty-four files at
//! once pay for a few `fsync`s, not for sixty-four. Every job has its own savepoint, so one that is refused leaves the
//! others alone. A job that is a single statement needs none: SQLite undoes a statement that fails by itself.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::cache::{Cache, Change, NEXT_OUTSIDE_EPOCH, OUTSIDE_EPOCH};
use crate::db::{OpenError, prepared};
use crate::error::{Error, Kind, kind};

/// Jobs that may wait for the writer; one more is told to come back later.
pub const JOBS_WAITING_MAX: usize = 4_096;

/// Jobs in one transaction.
pub const BATCH_JOBS_MAX: usize = 256;

const BEGIN: &str = "BEGIN IMMEDIATE";
const COMMIT: &str = "COMMIT";
const ROLLBACK: &str = "ROLLBACK";
const SAVEPOINT: &str = "SAVEPOINT job";
const RELEASE: &str = "RELEASE job";
const UNDO: &str = "ROLLBACK TO job";
const CHECKPOINT: &str = "PRAGMA wal_checkpoint(PASSIVE)";
const CHECKPOINT_AND_CUT: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

/// How much of a job SQLite undoes by itself when it fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Extent {
    /// All: it changes something in one statement at most.
    OneStatement,
    /// Needs a savepoint.
    Several,
}

/// A job that the writer can do, perhaps twice, and answer once.
trait Job: Send {
    fn extent(&self) -> Extent;
    fn run(&mut self, connection: &Connection, changes: &mut Vec<Change>) -> Result<(), Error>;
    fn answer(self: Box<Self>, failure: Option<&Error>);
}

struct Task<T, F> {
    extent: Extent,
    work: F,
    outcome: Result<T, Error>,
    reply: oneshot::Sender<Result<T, Error>>,
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: FnMut(&Connection, &mut Vec<Change>) -> Result<T, Error> + Send,
{
    fn extent(&self) -> Extent {
        self.extent
    }

    fn run(&mut self, connection: &Connection, changes: &mut Vec<Change>) -> Result<(), Error> {
        self.outcome = (self.work)(connection, changes);
        self.outcome.as_ref().map(|_| ()).map_err(Clone::clone)
    }

    fn answer(self: Box<Self>, failure: Option<&Error>) {
        let outcome = match failure {
            Some(failure) => Err(failure.clone()),
            None => self.outcome,
        };
        // Whoever asked may have gone away.
        let _ = self.reply.send(outcome);
    }
}

enum Message {
    Job(Box<dyn Job>),
    Close(oneshot::Sender<Result<(), Error>>),
}

/// The handle to the thread. Dropping it lets the thread finish what waits, and waits for that.
pub(crate) struct Writer {
    messages: Option<SyncSender<Message>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the thread on its connection. Without a cache the registry belongs to a command, whose transactions
    /// count up the epoch.
    pub(crate) fn start(connection: Connection, cache: Option<Arc<Cache>>) -> Result<Self, OpenError> {
        let (messages, received) = sync_channel(JOBS_WAITING_MAX);
        let thread = std::thread::Builder::new()
            .name("registry-writer".to_owned())
            .spawn(move || Loop { connection, cache, received }.run())
            .map_err(OpenError::Thread)?;
        Ok(Self { messages: Some(messages), thread: Mutex::new(Some(thread)) })
    }

    /// Has the job done, and returns when its transaction is durable.
    ///
    /// The job may be run a second time, after the first one was undone, so it must have no other effect than what it
    /// does to the connection. It runs to its end even if the caller goes away.
    pub(crate) async fn run<T, F>(&self, extent: Extent, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnMut(&Connection, &mut Vec<Change>) -> Result<T, Error> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let task = Task { extent, work, outcome: Err(Error::Stopped), reply };
        self.send(Message::Job(Box::new(task)))?;
        answer.await.unwrap_or(Err(Error::Closed))
    }

    /// Carries the log over into the database and ends the thread. What waited before this is done first; what comes
    /// after it is refused.
    pub(crate) async fn close(&self) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        match self.send(Message::Close(reply)) {
            // No answer: the thread was on its way out already, because somebody else had closed it a moment before.
            Ok(()) => answer.await.unwrap_or(Ok(())),
            Err(Error::Closed) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn send(&self, message: Message) -> Result<(), Error> {
        match self.messages.as_ref().map(|messages| messages.try_send(message)) {
            Some(Ok(())) => Ok(()),
            Some(Err(TrySendError::Full(_))) => Err(Error::Crowded(JOBS_WAITING_MAX)),
            Some(Err(TrySendError::Disconnected(_))) | None => Err(Error::Closed),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.messages = None;
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the registry's writer had panicked");
        }
    }
}

struct Loop {
    connection: Connection,
    cache: Option<Arc<Cache>>,
    received: Receiver<Message>,
}

impl Loop {
    fn run(self) {
        let mut batch = Vec::with_capacity(BATCH_JOBS_MAX);
        while let Ok(first) = self.received.recv() {
            let mut close = None;
            let mut next = Some(first);
            while let Some(message) = next.take() {
                match message {
                    Message::Job(job) => batch.push(job),
                    Message::Close(reply) => close = Some(reply),
                }
                if batch.len() < BATCH_JOBS_MAX && close.is_none() {
                    next = self.received.try_recv().ok();
                }
            }
            self.run_batch(&mut batch);
            if let Some(reply) = close {
                let _ = reply.send(self.checkpoint(CHECKPOINT_AND_CUT));
                return;
            }
        }
    }

    /// Does the batch and answers it. A failure of the whole transaction for want of space may be the doing of one
    /// large job, and the log may have space that can be used again, so then every job is tried once more, alone.
    fn run_batch(&self, batch: &mut Vec<Box<dyn Job>>) {
        match self.transaction(batch) {
            Err(error) if is_full(&error) => {
                if let Err(error) = self.checkpoint(CHECKPOINT) {
                    tracing::warn!(error = &error as &dyn std::error::Error, "no space, and none in the log either");
                }
                for mut job in batch.drain(..) {
                    let outcome = self.transaction(std::slice::from_mut(&mut job));
                    job.answer(outcome.err().as_ref());
                }
            }
            outcome => {
                let failure = outcome.err();
                for job in batch.drain(..) {
                    job.answer(failure.as_ref());
                }
            }
        }
    }

    /// One transaction: `Err` if none of the jobs happened.
    fn transaction(&self, jobs: &mut [Box<dyn Job>]) -> Result<(), Error> {
        if jobs.is_empty() {
            return Ok(());
        }
        let mut changes = Vec::new();
        let outcome = self.run_jobs(jobs, &mut changes);
        if outcome.is_err()
            && !self.connection.is_autocommit()
            && let Err(error) = self.execute(ROLLBACK)
        {
            tracing::error!(error = &error as &dyn std::error::Error, "a transaction could not be rolled back");
        }
        match (outcome, &self.cache) {
            (Ok(epoch), Some(cache)) => cache.committed(changes, epoch),
            (Err(error), Some(cache)) => {
                cache.uncertain(changes);
                return Err(error);
            }
            (outcome, None) => return outcome.map(|_| ()),
        }
        Ok(())
    }

    /// Begins, runs, commits. Returns the epoch that the transaction saw.
    fn run_jobs(&self, jobs: &mut [Box<dyn Job>], changes: &mut Vec<Change>) -> Result<i64, Error> {
        let connection = &self.connection;
        self.execute(BEGIN)?;
        let epoch = prepared(connection, OUTSIDE_EPOCH)?.query_row([], |row| row.get(0))?;
        let mut changed = false;
        for job in jobs {
            let known = changes.len();
            let apart = job.extent() == Extent::Several;
            if apart {
                self.execute(SAVEPOINT)?;
            }
            match job.run(connection, changes) {
                Ok(()) => {
                    changed = true;
                    if apart {
                        self.execute(RELEASE)?;
                    }
                }
                // Some failures (a full disk) make SQLite undo the whole transaction.
                Err(error) if connection.is_autocommit() => return Err(error),
                Err(_) => {
                    changes.truncate(known);
                    if apart {
                        self.execute(UNDO)?;
                        self.execute(RELEASE)?;
                    }
                }
            }
        }
        if changed && self.cache.is_none() {
            self.execute(NEXT_OUTSIDE_EPOCH)?;
        }
        self.execute(COMMIT)?;
        Ok(epoch)
    }

    fn execute(&self, sql: &'static str) -> Result<(), Error> {
        prepared(&self.connection, sql)?.execute([])?;
        Ok(())
    }

    /// Carries the log over into the database, as far as readers allow.
    fn checkpoint(&self, sql: &'static str) -> Result<(), Error> {
        // The answer is a row: busy, pages in the log, pages carried over. Busy is no failure: the log is still there.
        prepared(&self.connection, sql)?.query_row([], |_| Ok(()))?;
        Ok(())
    }
}

fn is_full(error: &Error) -> bool {
    matches!(error, Error::Sqlite(cause) if kind(cause) == Kind::Full)
}
