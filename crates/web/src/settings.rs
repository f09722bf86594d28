//! What can be set about the pages, and the settings of the whole program as pages show them.

use std::fmt::Debug;
use std::net::IpAddr;
use std::time::Duration;

use http::HeaderName;

use crate::provider::Provider;

/// Where contents are kept, as far as a page tells how full it is.
pub trait Disk: Debug + Send + Sync + 'static {
    /// How much room there is; nothing if that cannot be found out. May wait for the disk.
    fn room(&self) -> Option<Room>;
}

/// How much room there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Room {
    /// Bytes that can still be written.
    pub free: u64,
    /// Bytes in all.
    pub total: u64,
}

impl Room {
    /// Bytes that something is in.
    pub(crate) fn used(&self) -> u64 {
        self.total.saturating_sub(self.free)
    }

    /// From how many used bytes on somebody should do something about it: nine tenths.
    pub(crate) fn high(&self) -> u64 {
        self.total / 10 * 9
    }
}

/// The settings of the program, as administrators are shown them. It is made once, at the start; what is secret is not in
/// it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SettingsReport {
    /// The settings file, if one was read.
    pub file: Option<String>,
    /// The sections, in the order of the manual.
    pub sections: Vec<SettingsSection>,
}

/// A section of the settings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SettingsSection {
    /// `server`; `client office` for one of several.
    pub name: String,
    /// What it is about, in English.
    pub about: String,
    /// Its settings.
    pub rows: Vec<SettingsRow>,
}

/// A setting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SettingsRow {
    /// Its name in its section.
    pub name: String,
    /// What it is.
    pub value: SettingValue,
    /// Where that comes from.
    pub origin: SettingOrigin,
}

/// What a setting is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SettingValue {
    /// This.
    Shown(String),
    /// Nothing.
    Unset,
    /// Something that nobody is shown.
    Secret {
        /// The file it is read from, if it is not in the settings itself.
        file: Option<String>,
    },
}

/// Where a setting comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SettingOrigin {
    /// Nobody said anything.
    Default,
    /// The settings file with this path.
    File(String),
    /// The variable of the environment with this name.
    Variable(String),
    /// This flag of the command line.
    Flag(String),
}

/// What can be set about the pages.
#[derive(Clone, Debug)]
pub struct WebSettings {
    /// How long somebody stays signed in.
    pub session_lifetime: Duration,
    /// How often in a row a name can be tried with wrong passwords.
    pub tries_per_name: u32,
    /// How often in a row an address can try, whatever the names.
    pub tries_per_address: u32,
    /// After how long one more try is allowed.
    pub try_again_after: Duration,
    /// A provider of OpenID Connect that people can sign in with.
    pub provider: Option<Provider>,
    /// The header in which a proxy says who somebody is, and the addresses of the proxies that are believed. In lower case.
    pub proxy: Option<(HeaderName, Vec<IpAddr>)>,
    /// Most uploads at once; more are put off.
    pub uploads_max: usize,
    /// How long the one-time link of a first start is good.
    pub first_link_lifetime: Duration,
}

impl Default for WebSettings {
    fn default() -> Self {
        const HOUR: u64 = 60 * 60;
        Self {
            session_lifetime: Duration::from_secs(14 * 24 * HOUR),
            tries_per_name: 10,
            tries_per_address: 50,
            try_again_after: Duration::from_secs(30),
            provider: None,
            proxy: None,
            uploads_max: 50,
            first_link_lifetime: Duration::from_secs(24 * HOUR),
        }
    }
}
