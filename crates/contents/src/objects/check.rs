//! Trying a store out, and saying in words what is wrong with it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use lectern_host::BoxError;
use lectern_host::ports::ContentsError;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStoreExt as _, PutMode, PutOptions, PutPayload};

use super::ask::cause;
use super::store::Store;
use super::trouble::{Kind, Trouble};
use super::writing::{Upload, attributes, head, is_ours, mark};
use super::{Inner, Objects};

/// What a test object has in it.
const TEXT: &[u8] = b"a test object of lectern check";
/// How long `ready` waits: whoever asks it asks often, and takes no answer for a no.
const READY_WITHIN: Duration = Duration::from_secs(3);

/// What is wrong with a store.
#[derive(Debug)]
pub struct StoreProblem {
    store: String,
    step: &'static str,
    what: &'static str,
    hint: Option<&'static str>,
    source: BoxError,
}

impl StoreProblem {
    /// What a person could do about it.
    pub fn hint(&self) -> Option<&'static str> {
        self.hint
    }

    fn new(store: &str, step: &'static str, trouble: Trouble) -> Self {
        let (what, hint) = explained(&trouble);
        // What was tried is in our own words already.
        Self { store: store.to_owned(), step, what, hint, source: trouble.into_source() }
    }

    fn broken(store: &str, step: &'static str, what: &'static str, hint: &'static str) -> Self {
        Self { store: store.to_owned(), step, what, hint: Some(hint), source: "it answered as if all were well".into() }
    }
}

impl fmt::Display for StoreProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot use storage `{}`: {} while {}", self.store, self.what, self.step)
    }
}

impl std::error::Error for StoreProblem {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}

/// What it is called, and what could be done about it.
fn explained(trouble: &Trouble) -> (&'static str, Option<&'static str>) {
    const KEY: &str = "check the key and its secret, and that the clock of this machine is right";
    const RIGHTS: &str = "the key needs to read, write, remove and abort below the prefix, and to list the bucket";
    let code = trouble.answer().and_then(|answer| answer.code.as_deref()).unwrap_or_default();
    let status = trouble.answer().map_or(0, |answer| answer.status.as_u16());
    match (trouble.kind, code, status) {
        (_, "NoSuchBucket" | "ContainerNotFound", _) => ("no such bucket", Some("make it, or correct its name")),
        (_, "SignatureDoesNotMatch" | "RequestTimeTooSkewed" | "AuthenticationFailed", _) => {
            ("access denied", Some(KEY))
        }
        (_, "InvalidAccessKeyId", _) => ("access denied", Some("the store does not know this key")),
        (_, "AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException", _)
        | (_, _, 301) => ("wrong region", Some("correct the region")),
        (_, _, 401 | 403) => ("access denied", Some(RIGHTS)),
        (_, _, 501) => {
            ("not supported", Some("a store that does not know If-None-Match needs conditional_put = false"))
        }
        (Kind::Full, ..) => ("no space left", None),
        (Kind::Passing, _, 0) => ("no connection", Some("is the endpoint right, and can it be reached from here?")),
        (Kind::Passing, ..) => ("the store is in trouble", None),
        (Kind::Lasting, "", 0) if cause(trouble).contains("region") => ("wrong region", Some("correct the region")),
        _ => ("it failed", None),
    }
}

impl Objects {
    /// Writes, reads, lists and removes test objects, below the prefix and away from the contents. Says what the first
    /// thing is that does not work. For `lectern check`: it takes a dozen requests.
    ///
    /// # Errors
    ///
    /// What is wrong, in words.
    pub async fn check(&self) -> Result<(), StoreProblem> {
        let inner = &self.inner;
        let key = inner.keys.check(&mark());
        let parts = inner.keys.check(&mark());
        let found = inner.try_out(&key, &parts).await;
        // Also when something went wrong in between.
        let removed = inner.remove_key(&key).await.and(inner.remove_key(&parts).await);
        found?;
        removed.map_err(|trouble| StoreProblem::new(&inner.name, "removing a test object", trouble))
    }

    /// Whether the store can be reached, its bucket is there, and we may use it: one small request, for readiness.
    ///
    /// # Errors
    ///
    /// [`ContentsError::Unavailable`] if it cannot be had at the moment, [`ContentsError::Failed`] if it never will.
    pub async fn ready(&self) -> Result<(), ContentsError> {
        let inner = &self.inner;
        if let Some(root) = inner.store.directory() {
            let metadata = tokio::fs::metadata(root).await;
            return metadata.map(drop).map_err(|error| ContentsError::Unavailable(error.into()));
        }
        // Reading what is not there tells a missing bucket from a missing object; a HEAD would not.
        let key = inner.keys.check("ready");
        let options = GetOptions { range: Some(GetRange::Bounded(0..1)), ..GetOptions::default() };
        let tried = format!("reach {}", inner.name);
        match inner.patience.once(&tried, READY_WITHIN, inner.store.objects().get_opts(&key, options)).await {
            Err(trouble) if trouble.kind != Kind::NotFound => Err(trouble.into()),
            _ => Ok(()),
        }
    }
}

impl Inner {
    async fn try_out(self: &Arc<Self>, key: &Path, parts: &Path) -> Result<(), StoreProblem> {
        let (name, patience, objects) = (&self.name, &self.patience, self.store.objects());
        let (tried, allowed) = (format!("use {name}"), patience.allowed(TEXT.len()));
        let mark = mark();
        let size = TEXT.len() as u64;
        let marked = self.store.keeps_attributes();
        let put = |mode| {
            let attributes = if marked { attributes(&mark) } else { Default::default() };
            let options = PutOptions { mode, attributes, ..PutOptions::default() };
            patience.once(&tried, allowed, objects.put_opts(key, PutPayload::from_static(TEXT), options))
        };

        let step = "writing a test object";
        let mode = if self.store.creates_only() { PutMode::Create } else { PutMode::Overwrite };
        put(mode).await.map_err(|trouble| StoreProblem::new(name, step, trouble))?;

        let step = "looking at it";
        let found = patience.once(&tried, allowed, objects.get_opts(key, head())).await;
        let found = found.map_err(|trouble| StoreProblem::new(name, step, trouble))?;
        if marked && !is_ours(&found, &mark, size) {
            let hint = "something between here and the store drops x-amz-meta-… or x-ms-meta-… headers";
            return Err(StoreProblem::broken(name, step, "what was written beside it is gone", hint));
        }

        let step = "reading a part of it";
        let read = patience.once(&tried, allowed, objects.get_range(key, 2..6)).await;
        let read = read.map_err(|trouble| StoreProblem::new(name, step, trouble))?;
        if read != TEXT[2..6] {
            return Err(StoreProblem::broken(name, step, "other bytes came", "does something change them on the way?"));
        }

        let step = "writing it once more, which has to be refused";
        if self.store.creates_only() {
            match put(PutMode::Create).await {
                Err(trouble) if trouble.kind == Kind::Exists => {}
                Err(trouble) => return Err(StoreProblem::new(name, step, trouble)),
                Ok(_) => {
                    let hint = "a store that does not know If-None-Match needs conditional_put = false";
                    return Err(StoreProblem::broken(name, step, "it was replaced", hint));
                }
            }
        }

        let step = "uploading an object in parts";
        let problem = |trouble| StoreProblem::new(name, step, trouble);
        let mut part = self
            .room
            .part(TEXT.len(), patience)
            .await
            .map_err(|error| problem(Trouble::new(Kind::Passing, tried.clone(), error)))?;
        part.take(TEXT);
        let mut upload = Upload::begin(self, parts).await.map_err(problem)?;
        upload.send(part).await.map_err(problem)?;
        let end = upload.end(size).await.map_err(problem)?;
        self.publish(parts, end).await.map_err(problem)?;

        let step = "listing";
        let first = patience.once(&tried, allowed, async { self.list(None).next().await.transpose() }).await;
        first.map_err(|trouble| StoreProblem::new(name, step, trouble))?;
        if let Store::S3 { .. } = self.store {
            let step = "listing uploads that were not completed";
            self.unfinished_uploads().await.map_err(|trouble| StoreProblem::new(name, step, trouble))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_has_three_parts_and_says_nothing_twice() {
        let source = object_store::Error::Generic { store: "S3", source: "redirect: wrong region".into() };
        let problem = StoreProblem::new("s3://drive", "listing", Trouble::from_store("use s3://drive", source));
        assert_eq!(problem.to_string(), "cannot use storage `s3://drive`: wrong region while listing");
        assert_eq!(problem.hint(), Some("correct the region"));
        assert!(!cause(&problem).contains("use s3://drive: cannot"), "{}", cause(&problem));
    }
}
