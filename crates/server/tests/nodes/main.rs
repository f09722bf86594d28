//! Three nodes over one PostgreSQL and one object store, any of which may die at any time (issue "Many nodes", *what it
//! must show*, 3).
//!
//! Many clients lock, save and rename a few files while nodes are killed, frozen and stopped, lines to the database and to
//! the store cut, reset, slowed down and blocked, and both of these stopped and made to fail. Sweeps run all the time.
//! Afterwards:
//!
//! | what must hold | where it is looked at |
//! |---|---|
//! | what each file answered can be explained by one file that does one thing at a time | [`linear`], [`file`] |
//! | every save answered 200 is the content or a version, none answered 409 or 412 is | [`aftermath`] |
//! | no bytes are missing that something points to, none are left that nothing points to | [`aftermath`] |
//! | trouble is answered 503 with Retry-After or not at all; never 401, 403, 404, 500 | [`client`] |
//! | no node ends by itself, panics, or does not get ready once all is well | [`world`] |
//!
//! `cargo xtask faults` runs it for longer; docs/faults.md tells what it found, and that it finds what is broken on purpose.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends by panicking")]

mod aftermath;
mod aftermath_tests;
mod campaign;
mod client;
#[path = "../common/mod.rs"]
mod common;
mod file;
mod history;
mod linear;
mod linear_tests;
mod shared;
mod together;
mod trouble;
mod work;
mod world;

use std::time::Duration;

use campaign::{Plan, Report};

/// Fewer calls than this are no campaign.
const CALLS_MIN: u64 = 500;

fn run(plan: &Plan) {
    println!("seed: {} (play it again with LECTERN_FAULTS_SEED={})", plan.seed, plan.seed);
    let mut report = None;
    let limit = plan.lasts * 2 + Duration::from_secs(400);
    common::run(limit.as_secs(), async { report = campaign::run(plan).await });
    let Some(report) = report else { return };
    println!("{report}");
    let Report { wrong, calls, saves, explained, .. } = &report;
    assert!(wrong.is_empty(), "{} things are wrong, seed {}", wrong.len(), plan.seed);
    let (undecided, stretches) = (explained.undecided, explained.stretches);
    assert!(undecided * plan.undecided_one_in <= stretches, "{undecided} of {stretches} stretches are not decided");
    assert!(*calls >= CALLS_MIN && *saves >= CALLS_MIN / 50, "{calls} calls with {saves} saves are no load");
}

fn seed() -> u64 {
    match std::env::var("LECTERN_FAULTS_SEED") {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("LECTERN_FAULTS_SEED must be a number, not {text:?}")),
        Err(_) => u64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap(),
    }
}

#[test]
fn three_nodes_in_trouble_lose_nothing_and_never_hold_a_file_twice() {
    run(&Plan {
        program: campaign::program(),
        seed: seed(),
        lasts: Duration::from_secs(27),
        clients: 20,
        files: 4,
        quiet_every: Duration::from_secs(9),
        undecided_one_in: 3,
        past_a_lock: false,
        fails_over: true,
    });
}

/// What `cargo xtask faults` runs.
#[test]
#[ignore = "takes as long as it is told: cargo xtask faults"]
fn the_campaign() {
    let minutes = std::env::var("LECTERN_FAULTS_MINUTES").ok().and_then(|text| text.parse::<f64>().ok()).unwrap_or(5.0);
    let lasts = Duration::from_secs_f64(minutes * 60.0);
    run(&Plan {
        program: campaign::program(),
        seed: seed(),
        lasts,
        clients: 40,
        files: 8,
        // With 25 s, 3 of 40 stretches had too many calls in doubt for the search; with 15 s, 2 of 40.
        quiet_every: Duration::from_secs(15),
        undecided_one_in: 20,
        past_a_lock: lasts >= Duration::from_secs(120),
        fails_over: true,
    });
}
