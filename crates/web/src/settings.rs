//! What can be set about the pages.

use std::net::IpAddr;
use std::time::Duration;

use http::HeaderName;

use crate::provider::Provider;

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
