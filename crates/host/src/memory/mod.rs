//! Reference implementations of the ports, in memory: for tests and for reading what a port promises.

pub mod registry;
