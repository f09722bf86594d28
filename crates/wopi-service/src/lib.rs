#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]
//! Makes a WOPI host of anything that implements [`WopiHost`].
//!
//! You bring storage and people; this crate brings the protocol: routing, proof keys, tokens, permissions, parsing and
//! rendering, in one order that no handler can get wrong. Wrap your host in [`WopiService`] and serve it with any HTTP
//! server that takes a [`tower::Service`].
//!
//! It does not know what a session, a database or a folder is, and it has no opinion about them.
//! `examples/memory_host.rs` is a whole host in one file.
//!
//! | module | what |
//! |---|---|
//! | [`host`] | the trait: one method per operation, each answering 501 unless written |
//! | [`gate`] | proof, token, permission: in that order, nowhere else |
//! | [`service`] | the tower service: route, gate, parse, dispatch, render |
//! | [`render`] | answers and refusals as HTTP |
//! | [`refusal`] | a "no" together with its reason for the operator |

pub mod body;
pub mod gate;
pub mod host;
pub mod refusal;
pub mod render;
pub mod service;

pub use body::{Body, BoxError, empty, full};
pub use host::{CoauthAnswer, FileBytes, FramedBytes, PutChunkedFileDone, PutFileDone, WopiHost};
pub use refusal::{Refusal, RefusalReport};
pub use service::{Limits, WopiService};
pub use wopi;
