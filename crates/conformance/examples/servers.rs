//! The servers that nodes of Lectern need, for whoever starts nodes and is no test: PostgreSQL with an empty database, an
//! S3 server with an empty bucket, and a load balancer before nodes that need not run yet.
//!
//! ```text
//! cargo run --package lectern-conformance --features servers --example servers -- NODES
//! ```
//!
//! prints one line of JSON and goes on until it is asked to stop (SIGTERM). Where there is no PostgreSQL
//! it says so and ends.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a program for whoever tries something out")]

use std::net::{SocketAddr, TcpListener};

use lectern_conformance::servers::{Postgres, RoundRobin, S3};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() {
    let nodes = std::env::args().nth(1).map_or(1, |text| text.parse::<usize>().expect("the number of nodes"));
    let Some(postgres) = Postgres::start() else { return };
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
