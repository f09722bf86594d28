//! A WOPI client of a few lines: one file, one token, one connection.

use std::io;
use std::net::SocketAddr;

use super::http::{Answer, Connection, Request};
use super::lectern::Token;

/// Speaks to one file.
#[derive(Debug)]
pub(crate) struct Client {
    connection: Connection,
    file: File,
}

/// The two addresses of a file, token included.
#[derive(Clone, Debug)]
pub(crate) struct File {
    path: String,
    query: String,
}

impl File {
    pub(crate) fn of(token: &Token) -> Self {
        Self { path: token.path().to_owned(), query: format!("?access_token={}", token.access_token) }
    }

    /// The request target of the file.
    pub(crate) fn target(&self) -> String {
        format!("{}{}", self.path, self.query)
    }

    /// The request target of its contents.
    pub(crate) fn contents(&self) -> String {
        format!("{}/contents{}", self.path, self.query)
    }

    /// CheckFileInfo.
    pub(crate) fn check_file_info(&self) -> Request {
        Request::get(&self.target())
    }

    /// GetFile.
    pub(crate) fn get_file(&self) -> Request {
        Request::get(&self.contents())
    }

    /// An operation of the file that is told by its override.
    pub(crate) fn operation(&self, name: &str) -> Request {
        Request::post(&self.target()).header("X-WOPI-Override", name)
    }

    /// PutFile, without body or lock.
    pub(crate) fn put_file(&self) -> Request {
        Request::post(&self.contents()).header("X-WOPI-Override", "PUT")
    }
}

impl Client {
    /// A client of the token's file.
    pub(crate) async fn open(address: SocketAddr, token: &Token) -> io::Result<Self> {
        Ok(Self { connection: Connection::open(address).await?, file: File::of(token) })
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    pub(crate) async fn send(&mut self, request: &Request) -> io::Result<Answer> {
        self.connection.send(request).await
    }

    pub(crate) async fn check_file_info(&mut self) -> io::Result<Answer> {
        self.connection.send(&self.file.check_file_info()).await
    }

    pub(crate) async fn get_file(&mut self) -> io::Result<Answer> {
        self.connection.send(&self.file.get_file()).await
    }

    pub(crate) async fn put_file(&mut self, lock: &str, body: Vec<u8>) -> io::Result<Answer> {
        self.connection.send(&self.file.put_file().header("X-WOPI-Lock", lock).body(body)).await
    }

    pub(crate) async fn lock(&mut self, lock: &str) -> io::Result<Answer> {
        self.locking("LOCK", lock).await
    }

    pub(crate) async fn refresh_lock(&mut self, lock: &str) -> io::Result<Answer> {
        self.locking("REFRESH_LOCK", lock).await
    }

    pub(crate) async fn unlock(&mut self, lock: &str) -> io::Result<Answer> {
        self.locking("UNLOCK", lock).await
    }

    pub(crate) async fn unlock_and_relock(&mut self, old: &str, new: &str) -> io::Result<Answer> {
        let request = self.file.operation("LOCK").header("X-WOPI-OldLock", old).header("X-WOPI-Lock", new);
        self.connection.send(&request).await
    }

    pub(crate) async fn get_lock(&mut self) -> io::Result<Answer> {
        self.connection.send(&self.file.operation("GET_LOCK")).await
    }

    /// The lock that is held, by GetLock; empty when the file is free.
    pub(crate) async fn held(&mut self) -> String {
        let answer = self.get_lock().await.expect("GetLock is answered");
        assert_eq!(answer.status, 200, "GetLock: {answer:?}");
        answer.header("X-WOPI-Lock").unwrap_or_default().to_owned()
    }

    /// The bytes of the file, by GetFile.
    pub(crate) async fn content(&mut self) -> Vec<u8> {
        let answer = self.get_file().await.expect("GetFile is answered");
        assert_eq!(answer.status, 200, "GetFile: {answer:?}");
        answer.body
    }

    async fn locking(&mut self, operation: &str, lock: &str) -> io::Result<Answer> {
        self.connection.send(&self.file.operation(operation).header("X-WOPI-Lock", lock)).await
    }
}
