//! The servers that nodes of Lectern need, for whoever starts nodes and is no test: PostgreSQL with an empty database, an
//! S3 server with an empty bucket, and a load balancer before nodes that need not run yet.
//!
//! ```text
//! cargo run --package lectern-conformance --features servers --example servers -- NODES [--durable]
//! ```
//!
//! prints one line of JSON and goes on until it is asked to stop (SIGTERM). Where there is no PostgreSQL
//! it says so and ends. With `--durable` the database is one that keeps what it answered, for whoever measures it; without,
//! one that is fast to start and to fill.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a program for whoever tries something out")]

use std::net::{SocketAddr, TcpListener};

use lectern_conformance::servers::{Postgres, RoundRobin, S3};
use tokio::signal::unix::{SignalKind, signal};

/// What a database is told that is measured: a commit is on the disk, and as little else as can be comes in between.
const DURABLE: &[(&str, &str)] =
    &[("fsync", "on"), ("full_page_writes", "on"), ("shared_buffers", "256MB"), ("max_wal_size", "4GB")];

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (options, numbers): (Vec<&String>, Vec<&String>) = arguments.iter().partition(|word| word.starts_with("--"));
    let nodes = numbers.first().map_or(1, |text| text.parse::<usize>().expect("the number of nodes"));
    let settings = match options[..] {
        [] => &[],
        [option] if option == "--durable" => DURABLE,
        _ => panic!("unknown options: {options:?}"),
    };
    let Some(postgres) = Postgres::start_with(settings) else { return };
    let s3 = S3::start().await;
    // Ports that are free now; all of them are taken at once, so that they are different ones.
    let free: Vec<TcpListener> =
        (0..nodes).map(|_| TcpListener::bind("127.0.0.1:0").expect("a port on loopback")).collect();
    let addresses: Vec<SocketAddr> =
        free.iter().map(|listener| listener.local_addr().expect("a listener has an address")).collect();
    drop(free);
    let front = RoundRobin::start(addresses.clone()).await;
    let list: Vec<String> = addresses.iter().map(|address| format!("\"{address}\"")).collect();
    println!(
        "{{\"database\":\"{}\",\"endpoint\":\"{}\",\"bucket\":\"{}\",\"access_key\":\"{}\",\"secret_key\":\"{}\",\
         \"front\":\"{}\",\"nodes\":[{}]}}",
        postgres.database(),
        s3.endpoint(),
        s3.bucket(),
        s3.access_key(),
        s3.secret_key(),
        front.address(),
        list.join(",")
    );
    let mut asked_to_stop = signal(SignalKind::terminate()).expect("signals can be waited for");
    asked_to_stop.recv().await;
}
