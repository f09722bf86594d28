//! What is done to nodes, lines, database and store while clients work: one or two things at a time, then a while nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lectern_conformance::servers::{Fault, Line, Wanted};

use super::common::Chance;
use super::shared::Everyone;
use super::world::{NODES, World};

/// Longest time that a thing is wrong, as a rule.
const WRONG_TIME_MAX_MS: u64 = 4_000;

/// Longest pause between two things that go wrong.
const CALM_TIME_MAX_MS: u64 = 1_500;

/// Longest delay of a slow line, for each piece.
const DELAY_MAX_MS: u64 = 300;

/// How long a node is frozen to outlive a lock: the shortest lock lasts a minute.
const PAST_A_LOCK: Duration = Duration::from_secs(66);

/// Longest time until a standby takes over, and how long clients work with it before the next thing goes wrong.
const FAILS_OVER_AFTER_MAX_MS: u64 = 3_000;
const CALM_AFTER_FAILING_OVER: Duration = Duration::from_secs(2);

/// Which line of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum To {
    Database,
    Store,
}

/// One thing that goes wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Trouble {
    /// `kill -9`, and started again after a while; perhaps killed again in the middle of that.
    NodeKilled { node: usize, again: bool },
    /// Asked to stop, as for an upgrade.
    NodeStopped { node: usize },
    /// SIGSTOP, then SIGCONT, or `kill -9`.
    NodeFrozen { node: usize, then_killed: bool },
    /// The connections of a line are closed, or reset.
    LineCut { node: usize, to: To, reset: bool },
    /// New connections are refused, and those that are there are closed.
    LineRefuses { node: usize, to: To },
    /// Everything comes late.
    LineSlow { node: usize, to: To, by_ms: u64 },
    /// Nothing comes at all, and what was sent comes later.
    LineHangs { node: usize, to: To },
    /// Some requests do not arrive, or their answers.
    LineLoses { node: usize, to: To, answers: bool, count: u32 },
    /// The database crashes, and comes back.
    DatabaseCrashes,
    /// It is stopped, and started again.
    DatabaseRestarts,
    /// It ends every connection there is.
    DatabaseEndsSessions,
    /// The nodes forget who of them sweeps, as if that one had been frozen for longer than it is believed to be at it.
    SweepersMeet,
    /// The store is not there.
    StoreGone,
    /// It answers some requests with an error, loses them, or the answers.
    StoreFails { wanted: &'static str, fault: &'static str, count: usize },
}

/// What the store does wrong, by name.
fn store_fault(name: &str, chance: &mut Chance) -> Fault {
    match name {
        "500" => Fault::Refuse { status: 500, code: "InternalError" },
        "503" => Fault::Refuse { status: 503, code: "SlowDown" },
        "closes" => Fault::Close,
        "loses the answer" => Fault::LoseAnswer,
        "breaks off" => Fault::CutAfter(chance.below(4_000)),
        _ => Fault::Hang,
    }
}

/// Which requests.
fn store_wanted(name: &str) -> Wanted {
    match name {
        "PUT" => Wanted { method: "PUT", ..Wanted::ANY },
        "a part" => Wanted { method: "PUT", target: "partNumber=", not: "" },
        "the last word of an upload" => Wanted { method: "POST", target: "uploadId=", not: "" },
        "GET" => Wanted { method: "GET", ..Wanted::ANY },
        "DELETE" => Wanted { method: "DELETE", ..Wanted::ANY },
        _ => Wanted::ANY,
    }
}

impl Trouble {
    fn any(chance: &mut Chance) -> Self {
        let node = usize::try_from(chance.below(NODES as u64)).expect("it is small");
        let to = if chance.once_in(2) { To::Database } else { To::Store };
        let pick = |chance: &mut Chance, names: &[&'static str]| {
            names[usize::try_from(chance.below(names.len() as u64)).expect("it is small")]
        };
        match chance.below(26) {
            0..=3 => Self::NodeKilled { node, again: chance.once_in(3) },
            4 => Self::NodeStopped { node },
            5..=7 => Self::NodeFrozen { node, then_killed: chance.once_in(4) },
            8..=9 => Self::LineCut { node, to, reset: chance.once_in(2) },
            10 => Self::LineRefuses { node, to },
            11..=12 => Self::LineSlow { node, to, by_ms: 1 + chance.below(DELAY_MAX_MS) },
            13..=14 => Self::LineHangs { node, to },
            15..=17 => Self::LineLoses {
                node,
                to,
                answers: chance.once_in(2),
                count: u32::try_from(1 + chance.below(5)).expect("it is small"),
            },
            18 => Self::DatabaseCrashes,
            19 => Self::DatabaseRestarts,
            20 => Self::DatabaseEndsSessions,
            21 => Self::StoreGone,
            22..=23 => Self::SweepersMeet,
            _ => Self::StoreFails {
                wanted: pick(chance, &["any", "PUT", "a part", "the last word of an upload", "GET", "DELETE"]),
                fault: pick(chance, &["500", "503", "closes", "loses the answer", "breaks off", "hangs"]),
                count: usize::try_from(1 + chance.below(20)).expect("it is small"),
            },
        }
    }

    /// What it is counted as.
    fn name(&self) -> String {
        let text = format!("{self:?}");
        let name = text.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        match self {
            Self::LineCut { to, .. }
            | Self::LineRefuses { to, .. }
            | Self::LineSlow { to, .. }
            | Self::LineHangs { to, .. }
            | Self::LineLoses { to, .. } => format!("{name} to the {to:?}"),
            _ => name.to_owned(),
        }
    }

    /// Lets it be wrong for a while, and sees to it that it is not any more.
    async fn happen(&self, world: &World, chance: &mut Chance, shared: &Everyone) {
        let mut while_wrong = Duration::from_millis(50 + chance.below(WRONG_TIME_MAX_MS));
        let lasting = |time: Duration| tokio::time::sleep(time);
        match *self {
            Self::NodeKilled { node, again } => {
                let node = &world.nodes[node];
                node.kill().await;
                lasting(while_wrong / 4).await;
                node.start().await;
                if again {
                    lasting(Duration::from_millis(chance.below(600))).await;
                    node.kill().await;
                    node.start().await;
                }
            }
            Self::NodeStopped { node } => {
                let node = &world.nodes[node];
                if let Err(why) = node.stop().await {
                    shared.is_wrong(why);
                }
                node.start().await;
            }
            Self::NodeFrozen { node, then_killed } => {
                let node = &world.nodes[node];
                node.freeze().await;
                // Longer than its transactions may stand open and its statements may take.
                while_wrong *= 2;
                lasting(while_wrong).await;
                if then_killed {
                    node.kill().await;
                    node.start().await;
                }
                node.thaw().await;
            }
            Self::LineCut { node, to, reset } => {
                let line = line(world, node, to).lock().await;
                if reset { line.reset() } else { line.cut() }
            }
            Self::LineRefuses { node, to } => {
                let line = line(world, node, to);
                line.lock().await.refuse().await;
                line.lock().await.cut();
                lasting(while_wrong).await;
                line.lock().await.take_again();
            }
            Self::LineSlow { node, to, by_ms } => {
                let line = line(world, node, to);
                line.lock().await.set(Line::Slow(Duration::from_millis(by_ms)));
                lasting(while_wrong).await;
                line.lock().await.set(Line::Open);
            }
            Self::LineHangs { node, to } => {
                let line = line(world, node, to);
                line.lock().await.set(Line::Hole);
                lasting(while_wrong).await;
                line.lock().await.set(Line::Open);
            }
            Self::LineLoses { node, to, answers, count } => {
                let line = line(world, node, to);
                if answers {
                    line.lock().await.cut_answers(count);
                } else {
                    line.lock().await.cut_requests(count);
                }
                lasting(while_wrong / 2).await;
            }
            Self::DatabaseCrashes => {
                tokio::task::block_in_place(|| world.postgres().kill());
                lasting(while_wrong / 4).await;
                tokio::task::block_in_place(|| world.postgres().start_again());
            }
            Self::DatabaseRestarts => {
                tokio::task::block_in_place(|| world.postgres().stop());
                lasting(while_wrong / 4).await;
                tokio::task::block_in_place(|| world.postgres().start_again());
            }
            Self::DatabaseEndsSessions => {
                let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()";
                world.rows(&format!("{end} AND datname = '{}'", world.database));
            }
            Self::SweepersMeet => {
                for _ in 0..4 {
                    world.forget_who_sweeps();
                    lasting(while_wrong / 4).await;
                }
            }
            Self::StoreGone => {
                world.s3.lock().await.stop().await;
                lasting(while_wrong).await;
                world.s3.lock().await.start_again().await;
            }
            Self::StoreFails { wanted, fault, count } => {
                let s3 = world.s3.lock().await;
                let fault = store_fault(fault, chance);
                s3.faults().fail(count, store_wanted(wanted), &fault);
                drop(s3);
                lasting(while_wrong).await;
                world.s3.lock().await.faults().forget();
            }
        }
    }
}

fn line(world: &World, node: usize, to: To) -> &tokio::sync::Mutex<lectern_conformance::servers::Proxy> {
    match to {
        To::Database => world.to_database(node),
        To::Store => &world.nodes[node].to_store,
    }
}

/// Makes trouble until the clock says so much.
pub(crate) async fn make(world: &Arc<World>, chance: &mut Chance, shared: &Everyone, until: tokio::time::Instant) {
    while tokio::time::Instant::now() < until {
        let first = Trouble::any(chance);
        let second = chance.once_in(3).then(|| Trouble::any(chance)).filter(|second| second.may_go_with(&first));
        let reserved = *world.reserved.lock().await;
        if reserved.is_some() && [Some(&first), second.as_ref()].into_iter().flatten().any(|one| one.node() == reserved)
        {
            continue;
        }
        for trouble in std::iter::once(&first).chain(&second) {
            shared.count(format!("faults/{}", trouble.name()));
        }
        let (mut one, mut other) = (chance.fork(), chance.fork());
        tokio::join!(first.happen(world, &mut one, shared), async {
            if let Some(second) = &second {
                second.happen(world, &mut other, shared).await;
            }
        });
        tokio::time::sleep(Duration::from_millis(chance.below(CALM_TIME_MAX_MS))).await;
    }
}

impl Trouble {
    /// The node whose process it is about.
    fn node(&self) -> Option<usize> {
        match self {
            Self::NodeKilled { node, .. } | Self::NodeStopped { node } | Self::NodeFrozen { node, .. } => Some(*node),
            _ => None,
        }
    }

    /// Whether both can be wrong at a time: one database cannot be stopped twice, nor one node killed that is frozen.
    fn may_go_with(&self, other: &Self) -> bool {
        let database = |trouble: &Self| {
            matches!(
                trouble,
                Self::DatabaseCrashes | Self::DatabaseRestarts | Self::DatabaseEndsSessions | Self::SweepersMeet
            )
        };
        let same_node = self.node().is_some() && self.node() == other.node();
        let same_database = database(self) && database(other);
        !(same_node || same_database || self.name() == other.name())
    }
}

/// Freezes a node for longer than the shortest lock lasts, beside everything else.
pub(crate) async fn freeze_past_a_lock(world: &Arc<World>, node: usize, shared: &Everyone) {
    shared.count("faults/NodeFrozen past the life of a lock");
    let end = tokio::time::Instant::now() + PAST_A_LOCK;
    while tokio::time::Instant::now() < end {
        // Whoever else had it killed, or let it go on, meanwhile, started another one.
        world.nodes[node].freeze().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    world.nodes[node].thaw().await;
}

/// Lets the database crash for good, and its standby take over, in the middle of everything.
pub(crate) async fn fail_over(world: &World, chance: &mut Chance, shared: &Everyone) {
    shared.count("faults/DatabaseFailsOver");
    world.fail_over(Duration::from_millis(chance.below(FAILS_OVER_AFTER_MAX_MS))).await;
    tokio::time::sleep(CALM_AFTER_FAILING_OVER).await;
}

/// Sees to it that nodes which end by themselves are noticed, and start again, until all is over.
pub(crate) async fn look_after_nodes(world: Arc<World>, shared: Everyone) {
    while !shared.is_over.load(Ordering::Relaxed) {
        for node in &world.nodes {
            if let Err(why) = node.look_after().await {
                shared.is_wrong(why);
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
