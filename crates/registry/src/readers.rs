//! A few connections that read, used on threads that may wait for the disk.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::error::Error;

/// Connections that read, and so reads at one time.
pub const READERS: usize = 4;

/// The pool. A read waits until a connection is free.
pub(crate) struct Readers {
    idle: Arc<Mutex<Vec<Connection>>>,
    free: Arc<Semaphore>,
}

impl Readers {
    pub(crate) fn new(connections: Vec<Connection>) -> Self {
        let free = Arc::new(Semaphore::new(connections.len()));
        Self { idle: Arc::new(Mutex::new(connections)), free }
    }

    /// Runs `read` on a connection, on a thread for blocking work.
    pub(crate) async fn run<T, F>(&self, read: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    {
        let permit = self.free.clone().acquire_owned().await.map_err(|_| Error::Closed)?;
        let idle = self.idle.clone();
        let done = tokio::task::spawn_blocking(move || {
            // The permit says that one is there.
            let connection = idle.lock().unwrap_or_else(PoisonError::into_inner).pop().ok_or(Error::Stopped)?;
            let outcome = read(&connection);
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            drop(permit);
            outcome
        });
        done.await.unwrap_or(Err(Error::Stopped))
    }
}
