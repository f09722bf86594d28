//! What several nodes on one registry have to settle among themselves: who does the work that one alone should do, and what
//! all of them refused.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::PoisonError;
use std::time::Duration;

use wopi::route::for_log;
use wopi_service::{Refusal, RefusalReport};

use crate::errors;
use crate::host::Host;
use crate::ports::{Memo, RegistryError};
use crate::records::{RefusedRequest, Timestamp};

/// How many refused requests are remembered for people to look at.
pub const REFUSALS_KEPT_MAX: usize = 200;

/// How often what was refused is written down.
const REFUSALS_WRITTEN_EVERY: Duration = Duration::from_secs(1);

/// How long a node that was heard of last may be believed to be at work still.
pub const LEASE: Duration = Duration::from_secs(120);

/// How long something that is done in turn may take at most.
const TURN: Duration = Duration::from_secs(10);

/// How often a turn is asked for, and the pause between.
const TURN_ATTEMPTS_MAX: usize = 60;
const TURN_PAUSE: Duration = Duration::from_millis(50);

/// How often a memo is tried to be changed against others that were faster.
pub const MEMO_ATTEMPTS_MAX: usize = 16;

/// How often a node at work is heard of.
const LEASE_RENEWED_EVERY: Duration = Duration::from_secs(30);

impl Host {
    /// Does `work`, unless another node is at it, or was within `every`. `None` if it was not done, or not to its end
    /// because this node could not tell the others in time that it still is at it.
    ///
    /// Nothing may depend on it that two are never at work at once: a node can be frozen for longer than [`LEASE`]. It
    /// only saves work.
    pub(crate) async fn alone<T>(
        &self,
        what: &str,
        every: Duration,
        work: impl Future<Output = T>,
    ) -> Result<Option<T>, Refusal> {
        let registry = &self.ports.registry;
        let name = format!("lease/{what}");
        let node = self.settings.node.as_bytes();
        let trouble = |e: &RegistryError| errors::registry("asking whether another node is at it", e);
        let begun = self.now();
        if registry.memo(&name, begun).await.map_err(|e| trouble(&e))?.is_some() {
            return Ok(None);
        }
        let mut held = match registry.put_memo(&name, None, node, begun.plus(LEASE), begun).await {
            Ok(held) => held,
            Err(RegistryError::Conflict) => return Ok(None),
            Err(error) => return Err(trouble(&error)),
        };
        let mut until = begun.plus(LEASE);
        let mut work = std::pin::pin!(work);
        loop {
            let renewal = tokio::time::sleep(LEASE_RENEWED_EVERY);
            tokio::select! {
                done = &mut work => {
                    // A little less, so that the same node finds its turn when its clock says so.
                    let next = begun.plus(every - every / 10);
                    let now = self.now();
                    let told = if next > now {
                        registry.put_memo(&name, Some(held), node, next, now).await.map(drop)
                    } else {
                        registry.remove_memo(&name, held, now).await
                    };
                    if let Err(error) = told {
                        tracing::debug!("telling the other nodes that {what} is done: {}", errors::chain(&error));
                    }
                    return Ok(Some(done));
                }
                () = renewal => {
                    let now = self.now();
                    match registry.put_memo(&name, Some(held), node, now.plus(LEASE), now).await {
                        Ok(renewed) => (held, until) = (renewed, now.plus(LEASE)),
                        Err(RegistryError::Conflict) => return Ok(None),
                        Err(_) if now < until => {}
                        Err(error) => return Err(trouble(&error)),
                    }
                }
            }
        }
    }

    /// Does `work` while nobody else, at any node, does the like. For decisions that look at several records.
    ///
    /// # Errors
    ///
    /// [`RegistryError::Conflict`] if others are at it for too long. What was begun and not ended, because its node went
    /// away, keeps others waiting for [`TURN`].
    pub(crate) async fn in_turn<T>(&self, what: &str, work: impl Future<Output = T>) -> Result<T, RegistryError> {
        let (registry, name) = (&self.ports.registry, format!("turn/{what}"));
        for _ in 0..TURN_ATTEMPTS_MAX {
            let now = self.now();
            match registry.put_memo(&name, None, self.settings.node.as_bytes(), now.plus(TURN), now).await {
                Ok(held) => {
                    let done = work.await;
                    if let Err(error) = registry.remove_memo(&name, held, self.now()).await {
                        tracing::debug!("giving a turn back: {}", errors::chain(&error));
                    }
                    return Ok(done);
                }
                Err(RegistryError::Conflict) => tokio::time::sleep(TURN_PAUSE).await,
                Err(error) => return Err(error),
            }
        }
        Err(RegistryError::Conflict)
    }

    /// Load, decide, commit, for a memo: `decide` is told what is there and the time, and says what it comes to and, if
    /// anything is to change, the value and until when. It may run more than once.
    ///
    /// # Errors
    ///
    /// [`RegistryError::Conflict`] if others were faster [`MEMO_ATTEMPTS_MAX`] times.
    pub async fn update_memo<T>(
        &self,
        name: &str,
        decide: impl Fn(Option<&Memo>, Timestamp) -> (T, Option<(Vec<u8>, Timestamp)>),
    ) -> Result<T, RegistryError> {
        let registry = &self.ports.registry;
        for _ in 0..MEMO_ATTEMPTS_MAX {
            let now = self.now();
            let memo = registry.memo(name, now).await?;
            let (told, change) = decide(memo.as_ref(), now);
            let Some((value, until)) = change else { return Ok(told) };
            match registry.put_memo(name, memo.map(|memo| memo.revision), &value, until, now).await {
                Ok(_) => return Ok(told),
                Err(RegistryError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Err(RegistryError::Conflict)
    }

    pub(crate) fn remember_refusal(&self, report: RefusalReport) {
        let refused = RefusedRequest {
            at: Timestamp(report.at_ms),
            node: self.settings.node.clone(),
            status: report.status,
            operation: report.operation.map(|operation| format!("{operation:?}")).unwrap_or_default(),
            because: report.because,
            url: report.url,
            correlation_id: report.correlation_id.unwrap_or_default(),
            request_id: report.request_id,
        };
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if refusals.len() == REFUSALS_KEPT_MAX {
            refusals.pop_front();
        }
        refusals.push_back(refused);
    }

    /// Writes down what was refused since the last time.
    pub async fn write_refusals(&self) -> Result<(), Refusal> {
        let refused: Vec<RefusedRequest> = {
            let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
            refusals.drain(..).collect()
        };
        if refused.is_empty() {
            return Ok(());
        }
        let added = self.ports.registry.add_refusals(&refused, REFUSALS_KEPT_MAX).await;
        added.map_err(|error| {
            let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
            let later = std::mem::take(&mut *refusals);
            *refusals = refused.into_iter().chain(later).collect::<VecDeque<_>>();
            let over = refusals.len().saturating_sub(REFUSALS_KEPT_MAX);
            refusals.drain(..over);
            errors::registry("writing down what was refused", &error)
        })
    }

    /// Writes down what was refused, every second, until the future is dropped.
    pub async fn keep_refusals_written(&self) {
        loop {
            tokio::time::sleep(REFUSALS_WRITTEN_EVERY).await;
            if let Err(refusal) = self.write_refusals().await {
                // The registry's own trouble is told where requests meet it.
                tracing::debug!("{}", for_log(&refusal.to_string()));
            }
        }
    }

    /// The last refused requests of all nodes, latest first.
    pub async fn refusals(&self) -> Result<Vec<RefusedRequest>, Refusal> {
        self.write_refusals().await?;
        let refusals = self.ports.registry.refusals(REFUSALS_KEPT_MAX).await;
        refusals.map_err(|e| errors::registry("reading what was refused", &e))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::Ordering;

    use wopi::WopiError;

    use super::*;
    use crate::doubles::{TestClock, host_over};
    use crate::host::HostSettings;
    use crate::memory::contents::MemoryContents;
    use crate::memory::registry::MemoryRegistry;

    const HOUR: Duration = Duration::from_secs(3600);

    async fn two_nodes() -> (Host, Host, Arc<TestClock>) {
        let clock = TestClock::at(1_700_000_000_000);
        let (registry, contents) = (Arc::new(MemoryRegistry::new()), Arc::new(MemoryContents::new()));
        let node = async |name: &str| {
            let settings = HostSettings { node: name.to_owned(), ..HostSettings::new("https://h.example") };
            host_over(registry.clone(), contents.clone(), clock.clone(), settings).await
        };
        (node("one").await, node("two").await, clock)
    }

    #[tokio::test(start_paused = true)]
    async fn one_node_works_while_the_others_wait_and_then_they_need_not() {
        let (one, two, clock) = two_nodes().await;
        let (finish, finished) = tokio::sync::oneshot::channel::<u8>();
        let mut first = std::pin::pin!(one.alone("dusting", HOUR, finished));
        for _ in 0..20 {
            // It is renewed for as long as it takes.
            assert!(tokio::time::timeout(Duration::ZERO, &mut first).await.is_err());
            tokio::time::advance(LEASE_RENEWED_EVERY).await;
            clock.0.fetch_add(30_000, Ordering::SeqCst);
            assert!(tokio::time::timeout(Duration::ZERO, &mut first).await.is_err());
            assert_eq!(two.alone("dusting", HOUR, async { 2 }).await.unwrap(), None);
        }
        assert_eq!(two.alone("mopping", HOUR, async { 2 }).await.unwrap(), Some(2));
        finish.send(1).unwrap();
        assert_eq!(first.await.unwrap(), Some(Ok(1)));
        assert_eq!(two.alone("dusting", HOUR, async { 2 }).await.unwrap(), None, "it was done this hour");
        clock.0.fetch_add(54 * 60_000, Ordering::SeqCst);
        assert_eq!(two.alone("dusting", HOUR, async { 2 }).await.unwrap(), Some(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_is_not_heard_of_is_followed_by_another_one() {
        let (one, two, clock) = two_nodes().await;
        let mut frozen = Box::pin(one.alone("dusting", HOUR, std::future::pending::<()>()));
        assert!(tokio::time::timeout(Duration::ZERO, &mut frozen).await.is_err());
        clock.0.fetch_add(119_999, Ordering::SeqCst);
        assert_eq!(two.alone("dusting", HOUR, async { 2 }).await.unwrap(), None);
        clock.0.fetch_add(1, Ordering::SeqCst);
        assert_eq!(two.alone("dusting", HOUR, async { 2 }).await.unwrap(), Some(2));
        // It wakes up, finds that it was followed, and stops.
        tokio::time::advance(LEASE_RENEWED_EVERY).await;
        assert_eq!(frozen.await.unwrap(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_done_in_turn_is_never_done_twice_at_once() {
        let (one, two, _) = two_nodes().await;
        let at_work = std::sync::atomic::AtomicUsize::new(0);
        let work = |host: Host| {
            let at_work = &at_work;
            async move {
                for _ in 0..5 {
                    let turn = host.in_turn("dusting", async {
                        assert_eq!(at_work.fetch_add(1, Ordering::SeqCst), 0);
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        assert_eq!(at_work.fetch_sub(1, Ordering::SeqCst), 1);
                    });
                    turn.await.unwrap();
                }
            }
        };
        tokio::join!(work(one), work(two));
    }

    #[tokio::test]
    async fn what_any_node_refused_is_read_at_every_node() {
        let (one, two, _) = two_nodes().await;
        for number in 0..REFUSALS_KEPT_MAX + 5 {
            let node = if number % 2 == 0 { &one } else { &two };
            node.remember_refusal(RefusalReport {
                operation: None,
                target: None,
                status: 409,
                because: format!("{number}"),
                url: String::new(),
                at_ms: 5,
                correlation_id: Some("c".to_owned()),
                request_id: "r".to_owned(),
            });
            node.write_refusals().await.unwrap();
        }
        let told = two.refusals().await.unwrap();
        assert_eq!((told.len(), &*told[0].because, &*told[0].node), (REFUSALS_KEPT_MAX, "204", "one"));
        assert_eq!((&*told[1].because, &*told[1].node, &*told[1].correlation_id), ("203", "two", "c"));
        assert_eq!(one.refusals().await.unwrap(), told);
    }

    #[tokio::test]
    async fn a_save_whose_bytes_were_swept_is_to_be_sent_again() {
        let refusal = errors::registry("committing the file", &RegistryError::Condemned);
        assert!(matches!(refusal.error, WopiError::Busy { .. }), "{refusal}");
    }
}
