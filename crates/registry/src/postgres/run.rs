//! Statements with their second tries.
//!
//! | what happened | reading | a write that may be repeated | any other write |
//! |---|---|---|---|
//! | it was not sent: no connection, or a dead one | again | again | again |
//! | the server undid it | again | again | again |
//! | the connection ended after it was sent | again | again, and see below | unavailable |
//! | no answer came | unavailable | once more | unavailable |
//! | anything else | as it is | as it is | as it is |
//!
//! **Which writes may be repeated.** Those whose second try can tell that the first one was done, and can do no harm if it
//! was, or if it is still under way: the server goes on with a statement whose connection is gone. These are
//!
//! * a commit at a revision: it changes the row only where it has the revision that was read, so of all its tries one at
//!   most does anything. A try that finds another revision there looks whether the row has the stamp of this commit
//!   (`files.stamps`: a random number for each of the latest commits) or, in tables without stamps, whether it is the very
//!   record that was to be stored. If so, it was done. If not, somebody else was faster, and no try of ours can be done any
//!   more.
//! * a record under a new id: the second try finds the id taken, and reads whether that is the record.
//! * what comes out the same however often it is done: taking away what is not there again, revoking.
//!
//! So of a save whose answer was lost nobody has to guess.

use std::time::Duration;

use super::pool::{Answer, Pool};
use super::trouble::Trouble;
use crate::error::Error;
use crate::values::Value;

/// Tries of one statement.
pub(crate) const TRIES_MAX: u32 = 4;

/// How long to wait before the second try; four times as long before each of the next. Together 210 ms, so a database that
/// ends connections one by one is survived, and one that is away is told at once.
const FIRST_BACK_OFF: Duration = Duration::from_millis(10);

/// Whether a statement may be sent again when nobody knows whether it was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Repeat {
    /// It changes nothing.
    Reading,
    /// Its second try can tell.
    Safely,
    /// No.
    Never,
}

/// How a statement went.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) result: Result<Answer, Error>,
    /// Some earlier try was sent of which nobody knows whether it was done. What the last one says has to be read with
    /// that in mind.
    pub(crate) uncertain: bool,
}

impl Pool {
    /// Runs one statement, in a transaction of its own.
    pub(crate) async fn run(&self, sql: &'static str, values: &[Value<'_>], repeat: Repeat) -> Outcome {
        let (mut uncertain, mut silent) = (false, false);
        let mut back_off = FIRST_BACK_OFF;
        let mut tries = 0;
        loop {
            tries += 1;
            let trouble = match self.try_once(sql, values, repeat).await {
                Ok(answer) => return Outcome { result: Ok(answer), uncertain },
                Err(trouble) => trouble,
            };
            let again = match &trouble {
                Trouble::NotSent(_) | Trouble::Undone(_) => true,
                Trouble::Unknown(Error::Silent(..)) => {
                    uncertain = true;
                    !std::mem::replace(&mut silent, true) && repeat == Repeat::Safely
                }
                Trouble::Unknown(_) => {
                    uncertain = true;
                    repeat != Repeat::Never
                }
                Trouble::Final(_) => false,
            };
            if !again || tries == TRIES_MAX {
                return Outcome { result: Err(trouble.into_error()), uncertain };
            }
            tracing::debug!(trouble = ?trouble, tries, "a statement is tried again");
            tokio::time::sleep(back_off).await;
            back_off *= 4;
        }
    }

    async fn try_once(&self, sql: &'static str, values: &[Value<'_>], repeat: Repeat) -> Result<Answer, Trouble> {
        let mut lease = self.acquire().await?;
        if repeat == Repeat::Never {
            lease.ask().await?;
        }
        lease.run(sql, values).await
    }

    /// Reads.
    pub(crate) async fn read(&self, sql: &'static str, values: &[Value<'_>]) -> Result<Answer, Error> {
        self.run(sql, values, Repeat::Reading).await.result
    }

    /// Changes something that cannot be repeated.
    pub(crate) async fn write(&self, sql: &'static str, values: &[Value<'_>]) -> Result<Answer, Error> {
        let Outcome { result, uncertain } = self.run(sql, values, Repeat::Never).await;
        result.map_err(|error| uncertain_if(uncertain, error))
    }

    /// Changes something that comes out the same however often it is done.
    pub(crate) async fn write_again(&self, sql: &'static str, values: &[Value<'_>]) -> Result<Answer, Error> {
        let Outcome { result, uncertain } = self.run(sql, values, Repeat::Safely).await;
        result.map_err(|error| uncertain_if(uncertain, error))
    }
}

/// The error, marked as one that leaves open whether it was done.
pub(crate) fn uncertain_if(uncertain: bool, error: Error) -> Error {
    if uncertain { Error::Uncertain(Box::new(error)) } else { error }
}
