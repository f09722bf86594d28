//! What a backend of a port has to do, as functions: one for each sentence of the port's doc comments.
//!
//! A backend's test calls a suite with something that makes a new, empty backend; the suite panics at the first broken
//! promise. It knows only the ports, so a new backend needs no change here. A single promise can be tried by itself.
//!
//! Backends that talk to a server find one in `servers`, and a proxy that cuts the line to it: features `postgres` and
//! `servers`.

pub mod contents;
pub mod registry;
#[cfg(feature = "postgres")]
pub mod servers;
pub mod tree;
