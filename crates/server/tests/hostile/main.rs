//! Bad input and bad days (issue "Serve a folder", *bad input*): always the right status and a reason, nothing lost,
//! and the server goes on.
//!
//! | module | what goes wrong |
//! |---|---|
//! | [`names`] | names that are paths, reserved, endless |
//! | [`headers`] | missing, doubled, non-ASCII, too long |
//! | [`bodies`] | longer, shorter, slower, larger than announced or allowed |
//! | [`frames`], [`lies`] | frames, messages and signatures of incremental transfer that lie, or stop |
//! | [`archives`] | zip archives whose directories lie |
//! | [`memory`] | a great deal of all that at once |
//! | [`days`] | files vanish, the folder becomes read-only, the disk is full |
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends by panicking")]

#[path = "../common/mod.rs"]
mod common;

mod archives;
mod bodies;
mod days;
mod frames;
mod headers;
mod lies;
mod memory;
mod names;

use std::path::Path;

use common::http::once;
use common::wopi_client::File;
use common::{Answer, Client, Lectern, Request, Settings, Token};

/// What the file holds before something bad happens to it.
const CONTENT: &[u8] = b"what must not be lost";
/// The lock under which bad things happen.
const LOCK: &str = r#"{"S":"the lock that must not be lost"}"#;

/// A program that serves a folder of its own, with one file in it that is locked.
struct Scene {
    lectern: Lectern,
    token: Token,
    file: File,
    _scratch: tempfile::TempDir,
}

impl Scene {
    /// The folder is one level down, so that what leaves it can be seen.
    async fn begin() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("documents");
        std::fs::create_dir(&folder).unwrap();
        Self::begin_with(scratch, Settings::of(&folder)).await
    }

    async fn begin_with(scratch: tempfile::TempDir, settings: Settings) -> Self {
        std::fs::write(settings.folder().join("victim.wopitest"), CONTENT).unwrap();
        let lectern = settings.start().await;
        let token = settings.token("victim.wopitest");
        let file = File::of(&token);
        let scene = Self { lectern, token, file, _scratch: scratch };
        let answer = scene.client().await.lock(LOCK).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        scene
    }

    fn folder(&self) -> &Path {
        self.lectern.folder()
    }

    async fn client(&self) -> Client {
        Client::open(self.lectern.address(), &self.token).await.unwrap()
    }

    async fn send(&self, request: &Request) -> Answer {
        once(self.lectern.address(), request).await.unwrap_or_else(|error| panic!("{request:?}: {error}"))
    }

    /// The file is as it was, on the disk too, it is still locked, and the server still serves.
    async fn nothing_is_lost(&mut self, after: &str) {
        self.holds(CONTENT, after).await;
    }

    /// The same with another content.
    async fn holds(&mut self, content: &[u8], after: &str) {
        assert!(self.lectern.goes_on().await, "the server stopped after {after}");
        let mut client = self.client().await;
        assert!(client.content().await == content, "GetFile gives something else after {after}");
        let on_disk = std::fs::read(self.folder().join("victim.wopitest")).unwrap();
        assert!(on_disk == content, "the folder shows something else after {after}");
        assert_eq!(client.held().await, LOCK, "the lock changed after {after}");
        let info = client.check_file_info().await.unwrap();
        assert_eq!(info.status, 200, "{info:?}");
        assert_eq!(info.json()["Size"].as_u64(), Some(content.len() as u64), "after {after}");
    }
}

/// The header in which a refusal says why, whatever it is about.
fn reason(answer: &Answer) -> Option<String> {
    [
        "X-WOPI-ServerError",
        "X-WOPI-InvalidFileNameError",
        "X-WOPI-InvalidContainerNameError",
        "X-WOPI-LockFailureReason",
        "X-WOPI-FailureReason",
    ]
    .iter()
    .find_map(|name| answer.header(name))
    .filter(|reason| !reason.is_empty())
    .map(str::to_owned)
}

/// What is wrong with a refusal: another status, or no reason although it is neither "not found" nor "not supported".
fn wrong_refusal(answer: &Answer, statuses: &[u16]) -> Option<String> {
    if !statuses.contains(&answer.status) {
        return Some(format!("expected {statuses:?}, got {answer:?}"));
    }
    let explains_itself = matches!(answer.status, 401 | 404 | 413 | 501);
    (!explains_itself && reason(answer).is_none()).then(|| format!("no reason in {answer:?}"))
}

fn assert_refused(answer: &Answer, statuses: &[u16], what: &str) {
    if let Some(wrong) = wrong_refusal(answer, statuses) {
        panic!("{what}: {wrong}");
    }
}
