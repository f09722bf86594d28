#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]
//! Lectern's rules: what a file is after an operation, and whether it may happen at all.
//!
//! The rules are pure functions; the use cases load a record through a port, let a rule decide, and commit the next
//! record at the revision they read. This crate never names a database, a cloud or a web framework.
//!
//! | module | what |
//! |---|---|
//! | [`locks`], [`coauth`], [`plus`], [`saving`], [`naming`], [`order`], [`access`], [`sweep`] | the rules, pure, each with its table |
//! | `visitor` | who is in, and what they may do where |
//! | [`host`], `shelf` | load, decide, commit; what the folder shows |
//! | `files`, `coauthoring`, `containers` | one method per operation |
//! | [`nodes`] | what several nodes settle among themselves |
//! | [`index`] | keeping the registry true to a folder that others change |
//! | [`front`] | the host as `wopi-service` wants it |
//! | [`desk`] | the host as pages want it: what people do |
//! | [`carry`] | carrying everything from one host to another |
//! | [`clients`] | who may call us, and with which keys |
//! | [`ports`], [`records`], [`sharing`] | what the rules need from outside; what is remembered |
//! | [`parts`], [`composed`] | what lies beside a file; contents that are made of pieces of others |
//! | [`memory`] | reference implementations of the ports |

pub mod access;
pub mod caller;
pub mod carry;
mod chunks;
pub mod clients;
pub mod coauth;
mod coauthoring;
pub mod composed;
mod containers;
pub mod desk;
#[cfg(test)]
mod doubles;
pub mod errors;
mod files;
pub mod front;
pub mod host;
pub mod ids;
pub mod index;
pub mod links;
pub mod locks;
pub mod memory;
pub mod naming;
pub mod nodes;
pub mod order;
mod pages;
pub mod parts;
pub mod people;
pub mod plus;
pub mod ports;
pub mod records;
pub mod saving;
pub mod sharing;
mod shelf;
pub mod sweep;
mod visitor;

pub use front::{FileByUrl, Front};
pub use host::{Host, HostSettings, Ports};
pub use wopi;
pub use wopi_service::{Body, BoxError, empty, full};
