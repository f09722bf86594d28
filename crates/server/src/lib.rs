#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]
//! The program `lectern`: commands, settings, sockets, the log; and the one place where everything is put together.
//!
//! Only this crate reads the environment, looks at the clock of the machine and makes random numbers. It knows no rule
//! of WOPI: what a request means and whether it may happen is decided below it.
//!
//! | module | what |
//! |---|---|
//! | [`cli`] | the commands, one file each |
//! | [`config`] | the settings, one file per section; the sample and the manual are printed from them |
//! | [`given`] | which flags were given, and how |
//! | [`place`] | which documents, which records, which settings a command is about |
//! | [`wiring`], [`production`], `storage` | what the commands need of the other crates, and how it is built |
//! | [`listen`], [`received_body`] | sockets become requests, within limits |
//! | [`site`], [`health`] | what answers which path; whether we can serve |
//! | [`people`] | users of settings and commands |
//! | [`discovery_source`], [`provider_http`] | fetches discovery documents; asks the provider that people sign in with |
//! | [`serve_lock`], [`serving`] | one server per set of records, and what it tells the commands beside it |
//! | [`samples`] | the documents of a first start |
//! | [`telemetry`], [`signals`], [`system`] | the log; SIGTERM; clock and chance |
//! | [`trouble`] | errors for people: what, why, what next |

pub mod cli;
pub mod config;
pub mod discovery_source;
pub mod given;
pub mod health;
pub mod listen;
pub mod people;
pub mod place;
pub mod production;
pub mod provider_http;
pub mod received_body;
pub mod samples;
pub mod serve_lock;
pub mod serving;
pub mod signals;
pub mod site;
mod storage;
pub mod system;
pub mod telemetry;
pub mod trouble;
pub mod wiring;
