//! Suites that every backend of a port has to pass: one function for each sentence of the port's documentation.
//!
//! A suite takes a constructor and panics with the broken promise. Call `suite` from a test of the backend; a single
//! promise can be tried by itself.

pub mod contents;
pub mod tree;
