//! Lectern in a real browser: Debian's Chromium, real pages, real input, an office server that speaks real WOPI.
//!
//! | module | what it shows |
//! |---|---|
//! | `story` | from the first link to a document that was edited, shared and taken back |
//! | `editors` | what pages and editors tell each other |
//! | `text` | two people and the text editor, and a server that dies in between |
//! | `keys` | pages without a mouse; reloading |
//! | `hostile` | names, people and documents that would like to be scripts |
//! | `outside` | somebody whom a provider of OpenID Connect signs in |
//! | `looks` | every page, light and dark, narrow and wide: no errors, accessible; pictures in `target/screenshots` |
//! | `driver`, `office`, `house`, `gallery` | the browser; the office server; a running Lectern with people; who looks at pages |
//!
//! Without Chromium these tests say so and are skipped; where `CI` is set that is a failure.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends by panicking")]

#[path = "../common/mod.rs"]
mod common;
mod driver;
mod editors;
mod gallery;
mod hostile;
mod house;
mod keys;
mod looks;
mod office;
mod outside;
#[path = "../common/provider.rs"]
mod provider;
mod story;
mod text;
