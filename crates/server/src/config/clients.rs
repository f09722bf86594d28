//! `[[client]]`

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::section::repeated_section;
use super::values::{ClientName, DiscoveryUrl, Origin};

repeated_section! {
    /// A program that opens documents: an office server. One section for each.
    /// `--client URL` and `--client NAME=URL` add one without this file.
    pub struct Client = "client" {
        /// Its name in tokens, logs and `lectern token --client NAME`: 1 to 64 letters, digits and any of `._-:[]`. Tokens
        /// minted for a name work only while a client of that name is known.
        pub name: ClientName, for example "\"office\"";
        /// Its discovery document; `/hosting/discovery` may be left out.
        pub discovery: DiscoveryUrl, for example "\"https://office.example.org/hosting/discovery\"";
        /// Whether its requests must be signed with the proof key of its discovery document: `auto` (if it has one),
        /// `required`, or `off`.
        #[serde(default)]
        pub proof: ProofRule, for example "\"auto\"";
        /// If several clients open a file, the one with the lowest rank is offered first.
        #[serde(default)]
        pub rank: i32, for example "0";
        /// Other ranks for some extensions.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        pub ranks: BTreeMap<String, i32>, for example "{ xlsx = -1 }";
        /// Scheme, host and port at which browsers reach it, if its discovery document tells others.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub public_origin: Option<Origin>, for example "\"https://office.example.org\"";
        /// Which zone of the discovery document is used, if it is there. Without it: the one that people's browsers are
        /// likeliest to reach.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub zone: Option<Zone>, for example "\"external-https\"";
    }
}

impl FromStr for Client {
    type Err = String;

    /// `URL`, which is called by its host and port, or `NAME=URL`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, url)) if !name.contains(['/', '?']) => Ok(Self::new(name.parse()?, url.parse()?)),
            _ => {
                let discovery: DiscoveryUrl = text.parse()?;
                Ok(Self::new(discovery.authority().parse()?, discovery))
            }
        }
    }
}

impl Client {
    /// A client of which only the URL is known.
    pub fn new(name: ClientName, discovery: DiscoveryUrl) -> Self {
        Self {
            name,
            discovery,
            proof: ProofRule::default(),
            rank: 0,
            ranks: BTreeMap::new(),
            public_origin: None,
            zone: None,
        }
    }

    /// Its rank for files with this extension, which has no dot.
    pub fn rank_of(&self, extension: &str) -> i32 {
        let other = self.ranks.iter().find(|(known, _)| known.trim_start_matches('.').eq_ignore_ascii_case(extension));
        other.map_or(self.rank, |(_, rank)| *rank)
    }
}

/// Whether a client's requests must be signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProofRule {
    /// If its discovery document has a proof key.
    #[default]
    Auto,
    /// Always: without a proof key in the discovery document every request is refused.
    Required,
    /// Never.
    Off,
}

/// A zone of a discovery document.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Zone {
    /// From inside, without TLS.
    InternalHttp,
    /// From inside, with TLS.
    InternalHttps,
    /// From outside, without TLS.
    ExternalHttp,
    /// From outside, with TLS.
    ExternalHttps,
}

impl Zone {
    /// Its name in discovery documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InternalHttp => "internal-http",
            Self::InternalHttps => "internal-https",
            Self::ExternalHttp => "external-http",
            Self::ExternalHttps => "external-https",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_on_the_command_line_is_called_by_its_host_or_as_it_is_told() {
        for (text, name, url) in [
            ("http://localhost:9980", "localhost:9980", "http://localhost:9980/hosting/discovery"),
            ("https://office.example.org/", "office.example.org", "https://office.example.org/hosting/discovery"),
            ("https://o.example.org/d?a=b", "o.example.org", "https://o.example.org/d?a=b"),
            ("http://[::1]:9980", "[::1]:9980", "http://[::1]:9980/hosting/discovery"),
            ("cool=http://c.example.org/x", "cool", "http://c.example.org/x"),
        ] {
            let client: Client = text.parse().unwrap();
            assert_eq!((client.name.as_str(), client.discovery.as_str()), (name, url), "{text}");
        }
        for bad in ["", "office", "none=http://o", "=http://o", "a b=http://o", "a=b"] {
            assert!(bad.parse::<Client>().is_err(), "{bad}");
        }
    }
}
