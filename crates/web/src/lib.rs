#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]
//! Lectern in the browser: pages that work with scripts off, made better by a few small scripts of ours.
//!
//! This crate turns requests of people into calls of use cases in `lectern-host` and their results into pages. It has no
//! rule about files or locks: whatever may or may not happen is decided there.
//!
//! | module | what |
//! |---|---|
//! | [`site`] | [`Pages`]: the routes, and what surrounds all of them |
//! | [`settings`] | what can be set |
//! | `visitor` | who asks, in which language: found once per request |
//! | `signing_in`, `first_link`, `throttle`, `memo_name`, `cookies` | sessions, passwords, the one-time link of a first start |
//! | [`provider`], `outside` | people whom a provider of OpenID Connect or a proxy signs in |
//! | `pages` | one file per page: input, handler, what the page shows |
//! | `problem` | every way to say no, as a page |
//! | `frame`, `words`, `icons`, `kinds`, `assets` | what all pages share: layout, texts, pictures, files |
//! | `headers` | the headers that keep pages harmless |
//!
//! Templates are in `templates/`, named like the handler's file; texts in `locales/`, one folder per language; the
//! stylesheet and the scripts in `assets/`.

mod assets;
mod cookies;
mod first_link;
mod frame;
mod headers;
mod icons;
mod kinds;
mod memo_name;
mod outside;
mod pages;
mod problem;
pub mod provider;
pub mod settings;
mod signing_in;
pub mod site;
mod throttle;
mod visitor;
mod words;

pub use provider::{PROVIDER_ANSWER_BYTES_MAX, Provider, ProviderHttp};
pub use settings::{
    Disk, Room, SettingOrigin, SettingValue, SettingsReport, SettingsRow, SettingsSection, WebSettings,
};
pub use site::{Pages, ROUTE_PREFIXES_WITH_SECRETS, WebParts};
