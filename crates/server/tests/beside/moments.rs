//! A tree that lets something happen at a moment: just before it does what it is asked, or just after it listed.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use lectern_host::Body;
use lectern_host::ports::{Tree, TreeEntry, TreeError, TreePath};
use lectern_host::records::{ContentId, Fingerprint, Sha256};
use tokio::sync::mpsc::Receiver;

/// When it happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Moment {
    Look,
    Publish,
    Rename,
    Bin,
    Settle,
    /// When the listing is made, and not yet handed over.
    Listed,
}

type Act = Box<dyn FnOnce() -> BoxFuture<'static, Result<(), TreeError>> + Send>;

/// What happens, once, the first time after `skip` times that the moment comes at the path (at any, if it is `None`).
struct Plan {
    moment: Moment,
    path: Option<TreePath>,
    skip: usize,
    act: Act,
}

pub(crate) struct Watched {
    inner: Arc<dyn Tree>,
    plans: Mutex<Vec<Plan>>,
    /// What was asked for, in order; looks are left out.
    asked: Mutex<Vec<(Moment, TreePath)>>,
}

impl Watched {
    pub(crate) fn new(inner: Arc<dyn Tree>) -> Self {
        Self { inner, plans: Mutex::default(), asked: Mutex::default() }
    }

    /// Lets this happen the next time; an error is what the tree answers then.
    pub(crate) fn at<F>(&self, moment: Moment, path: &str, skip: usize, act: impl FnOnce() -> F + Send + 'static)
    where
        F: Future<Output = Result<(), TreeError>> + Send + 'static,
    {
        let path = (path != "*").then(|| crate::ground::tree_path(path));
        self.plans.lock().unwrap().push(Plan { moment, path, skip, act: Box::new(|| act().boxed()) });
    }

    /// Another program acts then.
    pub(crate) fn meanwhile(&self, moment: Moment, path: &str, act: impl FnOnce() + Send + 'static) {
        self.at(moment, path, 0, || async {
            act();
            Ok(())
        });
    }

    /// Whether everything that was planned has happened.
    pub(crate) fn all_happened(&self) -> bool {
        self.plans.lock().unwrap().is_empty()
    }

    pub(crate) fn asked(&self) -> Vec<(Moment, TreePath)> {
        self.asked.lock().unwrap().clone()
    }

    fn due(&self, moment: Moment, path: &TreePath) -> Option<Act> {
        if moment != Moment::Look {
            self.asked.lock().unwrap().push((moment, path.clone()));
        }
        let mut plans = self.plans.lock().unwrap();
        let at = plans
            .iter()
            .position(|plan| plan.moment == moment && plan.path.as_ref().is_none_or(|wanted| wanted == path))?;
        match plans[at].skip.checked_sub(1) {
            Some(skip) => {
                plans[at].skip = skip;
                None
            }
            None => Some(plans.remove(at).act),
        }
    }

    async fn comes(&self, moment: Moment, path: &TreePath) -> Result<(), TreeError> {
        match self.due(moment, path) {
            Some(act) => act().await,
            None => Ok(()),
        }
    }
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("inner", &self.inner).finish_non_exhaustive()
    }
}

#[async_trait]
impl Tree for Watched {
    fn look(&self, path: &TreePath) -> Result<Option<TreeEntry>, TreeError> {
        if let Some(act) = self.due(Moment::Look, path) {
            act().now_or_never().expect("what happens at a look happens at once")?;
        }
        self.inner.look(path)
    }

    async fn open(
        &self,
        path: &TreePath,
        expected: &Fingerprint,
        range: Range<u64>,
    ) -> Result<Option<Body>, TreeError> {
        self.inner.open(path, expected, range).await
    }

    async fn hash(&self, path: &TreePath, expected: &Fingerprint) -> Result<Option<Sha256>, TreeError> {
        self.inner.hash(path, expected).await
    }

    async fn publish(
        &self,
        path: &TreePath,
        content: &ContentId,
        staged: &Fingerprint,
        replaces: Option<&ContentId>,
    ) -> Result<Option<Fingerprint>, TreeError> {
        self.comes(Moment::Publish, path).await?;
        self.inner.publish(path, content, staged, replaces).await
    }

    async fn rename(&self, from: &TreePath, to: &TreePath, seen: &Fingerprint) -> Result<(), TreeError> {
        self.comes(Moment::Rename, from).await?;
        self.inner.rename(from, to, seen).await
    }

    async fn bin(&self, path: &TreePath, seen: &Fingerprint, content: &ContentId) -> Result<(), TreeError> {
        self.comes(Moment::Bin, path).await?;
        self.inner.bin(path, seen, content).await
    }

    async fn settle(&self, containers: &[TreePath]) -> Result<(), TreeError> {
        for container in containers {
            self.comes(Moment::Settle, container).await?;
        }
        self.inner.settle(containers).await
    }

    async fn list(&self, path: &TreePath) -> Result<Vec<TreeEntry>, TreeError> {
        let listed = self.inner.list(path).await;
        self.comes(Moment::Listed, path).await?;
        listed
    }

    async fn create_container(&self, path: &TreePath) -> Result<TreeEntry, TreeError> {
        self.inner.create_container(path).await
    }

    async fn rename_container(&self, from: &TreePath, to: &TreePath) -> Result<(), TreeError> {
        self.inner.rename_container(from, to).await
    }

    async fn remove_container(&self, path: &TreePath) -> Result<(), TreeError> {
        self.inner.remove_container(path).await
    }

    fn hints(&self) -> Option<Receiver<TreePath>> {
        self.inner.hints()
    }
}
