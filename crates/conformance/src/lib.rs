//! What a backend of a port has to do, as functions: one for each sentence of the port's doc comments.
//!
//! A backend's test calls a suite with something that makes a new, empty backend; the suite panics at the first broken
//! promise. It knows only the ports, so a new backend needs no change here. A single promise can be tried by itself.
//!
//! `servers`, a feature of the same name, has the servers that some backends talk to.

pub mod contents;
pub mod registry;
#[cfg(feature = "servers")]
pub mod servers;
pub mod tree;
