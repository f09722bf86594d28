#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]
//! The WOPI protocol as Rust values: what a request asks, what an answer says, and how both look on the wire.
//!
//! Everything here is pure. There is no I/O, no async runtime, no opinion about accounts, databases or storage; a
//! client, a host, a proxy and a test tool can all use it. `wopi-service` puts a [tower] service in front of it.
//!
//! A request travels through this crate in two steps. [`route::route`] finds what is addressed ([`Target`]) and which
//! operation is meant ([`Kind`]), from method, path and the few headers that tell operations apart. After the caller
//! has been let in, [`operation::parse`] turns the rest of the headers into an [`Operation`] whose fields are already
//! checked. What comes back is one of the [`answer`] structs or a [`WopiError`], and both know how to render.
//!
//! | module | what |
//! |---|---|
//! | [`ids`], [`lock_id`], [`version`], [`names`], [`token`] | one value type each, which exist only if valid |
//! | [`coauth`] | the same for coauth locks |
//! | [`utf7`] | RFC 2152, both directions, for the headers that carry names |
//! | [`headers`] | the name of every header WOPI knows |
//! | [`route`], [`operation`] | the routing table; headers become types |
//! | [`answer`] | every JSON answer, CheckFileInfo above all |
//! | [`error`] | every way to say no, with status, headers and body |
//! | [`discovery`], [`action_url`] | what a client offers, and the URL that starts it |
//! | [`frames`], [`chunked`], [`spooky`], [`zip`] | incremental transfer: frames, messages, chunk ids, where archives are cut |
//! | [`proof`] | proof keys: verify and sign |
//!
//! [tower]: https://docs.rs/tower
//! [`Kind`]: route::Kind
//! [`Target`]: route::Target
//! [`Operation`]: operation::Operation
//! [`WopiError`]: error::WopiError

pub mod action_url;
pub mod answer;
pub mod chunked;
pub mod coauth;
pub mod discovery;
pub mod error;
pub mod frames;
pub mod headers;
pub mod ids;
pub mod lock_id;
pub mod names;
pub mod operation;
pub mod proof;
pub mod route;
pub mod spooky;
pub mod token;
pub mod utf7;
pub mod version;
pub mod zip;

pub use error::WopiError;
pub use ids::{ContainerId, FileId, UserId};
pub use lock_id::LockId;
pub use names::FileName;
pub use operation::Operation;
pub use route::{Kind, Target};
pub use spooky::ChunkId;
pub use token::AccessToken;
pub use version::ItemVersion;
