//! The whole server, told as stories: folder, records, tokens, proofs, clients and the gate, in one process, over a clock
//! that only the test moves.
//!
//! Every story goes through the front door: requests as a client sends them, files as another program leaves them, and
//! what the commands of the operator ask for. The files of stories mirror the routes.
//!
//! | file | who is in it |
//! |---|---|
//! | `world` | the server, its folder, its restarts; time |
//! | `people`, `doors` | alice, bob and vera; what they open and what can be asked there |
//! | `answer` | what came back, with what has to hold for every answer |
//! | `doubles` | clock, chance, and the web that discovery is fetched from |
//! | `chunks` | a client that loads and saves in chunks |
//! | `neighbour` | the other program that works in the same folder |
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends by panicking")]

mod answer;
mod chunks;
mod doors;
mod doubles;
mod neighbour;
mod people;
mod world;

mod bootstrapper;
mod chunked;
mod coauthoring;
mod containers;
mod deleting;
mod desk;
mod ecosystem;
mod file_url;
mod folder;
mod folder_moves;
mod locks;
mod proofs;
mod reading;
mod relative;
mod renaming;
mod saving;
mod sessions;
mod sweeping;
mod tokens;
