//! Discovery: the document in which a client says what it can open, where, and which keys it signs with.
//!
//! `GET {client}/hosting/discovery` answers XML: `net-zone`s hold `app`s hold `action`s, and a `proof-key` stands beside
//! them ([MS-WOPI] *Discovery*, Microsoft's *WOPI discovery*). Real documents differ from the grammar and from each
//! other, so [`Discovery::parse`] takes what it understands and leaves the rest:
//!
//! | seen in | what |
//! |---|---|
//! | Microsoft 365 | unknown attributes, actions and requirements; extensions in several apps |
//! | Office Online Server | empty `old…` attributes; blanks in `requires`; `progid` in place of `ext`; URLs without a query |
//! | Office Web Apps 2013 | a `proof-key` with blobs only |
//! | Collabora | one zone; apps named by MIME type with `ext=""`; `default` on every action; no `proof-key` |
//! | ONLYOFFICE | a zone that is not how it is reached; documents cut off in the middle, with status 200 |
//! | by hand | no zone or one without a name; `\.` in host names, from a regular expression; raw `<` in attributes |
//!
//! ```
//! use wopi::discovery::{Discovery, NetZone};
//!
//! let document = Discovery::parse(
//!     r#"<wopi-discovery><net-zone name="external-https"><app name="Word">
//!          <action name="edit" ext="docx" requires="locks,update" urlsrc="https://office.example/we?&lt;ui=UI_LLCC&amp;&gt;"/>
//!        </app></net-zone></wopi-discovery>"#,
//! )?;
//! let offers = document.offers("docx", "edit", &NetZone::BY_REACH);
//! assert_eq!(offers[0].app.name, "Word");
//! assert_eq!(offers[0].action.urlsrc, "https://office.example/we?<ui=UI_LLCC&>");
//! assert!(offers[0].action.is_met_by(&["locks", "update"]));
//! # Ok::<(), wopi::discovery::DiscoveryError>(())
//! ```
//!
//! [MS-WOPI]: https://learn.microsoft.com/en-us/openspecs/office_protocols/ms-wopi/

mod parse;

use std::collections::BTreeSet;

pub use parse::DiscoveryError;

use crate::proof::{KeyError, ProofKeys, PublicKey};

/// What a client offers.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Discovery {
    /// Its zones in the order of the document.
    pub zones: Vec<Zone>,
    /// The keys it signs with; `None` if it does not sign: no element, or one that is empty.
    pub proof_key: Option<ProofKey>,
    /// How many actions were left out because they have no name or no `http` or `https` URL.
    pub skipped: usize,
}

/// The apps for one way of reaching the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// Which way.
    pub name: NetZone,
    /// The apps in the order of the document.
    pub apps: Vec<App>,
}

/// From where, and by which scheme, the URLs of a zone work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NetZone {
    /// `internal-http`
    InternalHttp,
    /// `internal-https`
    InternalHttps,
    /// `external-http`
    ExternalHttp,
    /// `external-https`
    ExternalHttps,
    /// No name, or one that the grammar does not have; also apps outside any zone.
    Unnamed,
}

/// An application, or whatever the client groups by: Collabora and ONLYOFFICE have apps named by a MIME type besides.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct App {
    /// `Word`, `writer`, `application/pdf`, …
    pub name: String,
    /// An icon for the page that shows it.
    pub fav_icon_url: Option<String>,
    /// Whether the host should see to it that people have a licence.
    pub check_license: bool,
    /// `bootstrapperUrl`, undocumented.
    pub bootstrapper_url: Option<String>,
    /// `applicationBaseUrl`, undocumented.
    pub application_base_url: Option<String>,
    /// `staticResourceOrigin`, undocumented.
    pub static_resource_origin: Option<String>,
    /// What it can do, in the order of the document.
    pub actions: Vec<Action>,
}

/// One thing that an app can do with one kind of file.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Action {
    /// `view`, `edit`, … as published; compare without regard to case (`mobileView`, `mobileview`).
    pub name: String,
    /// The template of its URL, entities resolved: always `http` or `https`. See [`crate::action_url`].
    pub urlsrc: String,
    /// The extension it is for, lower case, without dot; `None` in apps named by MIME type and where there is a progid.
    pub ext: Option<String>,
    /// The kind of folder it is for.
    pub progid: Option<String>,
    /// Whether it is the one to take for its extension. Some clients mark several, some none.
    pub is_default: bool,
    /// What the host must support, lower case.
    pub requires: Vec<String>,
    /// The extension of the file that `editnew` makes.
    pub newext: Option<String>,
    /// The kind of folder that `editnew` makes.
    pub newprogid: Option<String>,
    /// The extension that `convert` results in.
    pub targetext: Option<String>,
    /// Whether it is to be invoked on the folder the file is in.
    pub use_parent: bool,
}

/// The `proof-key` element as it stands there; unusable attributes included.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ProofKey {
    /// The current key as a CAPI blob, base64.
    pub value: String,
    /// The current modulus, base64.
    pub modulus: String,
    /// The current exponent, base64.
    pub exponent: String,
    /// The previous key as a CAPI blob; empty if there is none.
    pub old_value: String,
    /// The previous modulus.
    pub old_modulus: String,
    /// The previous exponent.
    pub old_exponent: String,
}

/// An action together with where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer<'a> {
    /// Its zone.
    pub zone: NetZone,
    /// Its app.
    pub app: &'a App,
    /// The action.
    pub action: &'a Action,
}

impl Discovery {
    /// Longest document that is parsed, in bytes. Microsoft's own has some 120 KB.
    pub const BYTES_MAX: usize = 4 << 20;
    /// Most zones. The grammar has four.
    pub const ZONES_MAX: usize = 16;
    /// Most apps in all zones together. Collabora has some 130.
    pub const APPS_MAX: usize = 4096;
    /// Most actions in all apps together. Microsoft has some 1000.
    pub const ACTIONS_MAX: usize = 16_384;
    /// Longest attribute that is taken, in bytes, before entities are resolved.
    pub const ATTRIBUTE_LENGTH_MAX: usize = 8192;
    /// Most attributes of one element that are looked at; further ones are ignored.
    pub const ATTRIBUTES_MAX: usize = 64;
    /// Deepest nesting. The grammar has four levels.
    pub const DEPTH_MAX: usize = 64;

    /// The zones, those of `preference` first and in its order, then all others in the order of the document.
    pub fn zones_by(&self, preference: &[NetZone]) -> Vec<&Zone> {
        let mut zones: Vec<&Zone> = self.zones.iter().collect();
        zones.sort_by_key(|zone| preference.iter().position(|name| *name == zone.name).unwrap_or(preference.len()));
        zones
    }

    /// The actions of this name for this extension (with or without dot), from the first of the zones that has any;
    /// those marked as default first.
    ///
    /// Zones are taken by preference and not by name alone: ONLYOFFICE says `external-http` behind TLS.
    pub fn offers(&self, extension: &str, name: &str, preference: &[NetZone]) -> Vec<Offer<'_>> {
        for zone in self.zones_by(preference) {
            let mut offers: Vec<Offer<'_>> = zone
                .offers()
                .filter(|offer| offer.action.is_for(extension) && offer.action.name.eq_ignore_ascii_case(name))
                .collect();
            if !offers.is_empty() {
                offers.sort_by_key(|offer| !offer.action.is_default);
                return offers;
            }
        }
        Vec::new()
    }

    /// Every extension that some action is for, lower case, without dot.
    pub fn extensions(&self) -> BTreeSet<&str> {
        self.all_offers().filter_map(|offer| offer.action.ext.as_deref()).collect()
    }

    /// Every extension, lower case, without dot, that all of these actions are for.
    pub fn extensions_with(&self, actions: &[&str]) -> BTreeSet<&str> {
        let is_for = |extension: &str, name: &&str| !self.offers(extension, name, &NetZone::BY_REACH).is_empty();
        let mut extensions = self.extensions();
        extensions.retain(|extension| actions.iter().all(|name| is_for(extension, name)));
        extensions
    }

    /// Every action.
    pub fn all_offers(&self) -> impl Iterator<Item = Offer<'_>> {
        self.zones.iter().flat_map(Zone::offers)
    }
}

impl Zone {
    /// Every action of the zone.
    pub fn offers(&self) -> impl Iterator<Item = Offer<'_>> {
        let zone = self.name;
        self.apps.iter().flat_map(move |app| app.actions.iter().map(move |action| Offer { zone, app, action }))
    }
}

impl NetZone {
    /// Every zone, in the order in which people's browsers are likely to reach it: from outside before from inside, with
    /// TLS before without, as a page with TLS cannot show a frame without.
    pub const BY_REACH: [Self; 5] =
        [Self::ExternalHttps, Self::ExternalHttp, Self::InternalHttps, Self::InternalHttp, Self::Unnamed];

    /// The zone of this name.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        Self::BY_REACH.into_iter().find(|zone| zone.as_str().eq_ignore_ascii_case(text) && *zone != Self::Unnamed)
    }

    /// Its name; empty for [`NetZone::Unnamed`].
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InternalHttp => "internal-http",
            Self::InternalHttps => "internal-https",
            Self::ExternalHttp => "external-http",
            Self::ExternalHttps => "external-https",
            Self::Unnamed => "",
        }
    }
}

impl App {
    /// Whether the app is named by a MIME type; its actions then repeat those of another app.
    pub fn is_named_by_mime_type(&self) -> bool {
        self.name.contains('/')
    }
}

/// The actions that the documents name, Collabora's `view_comment` and ONLYOFFICE's `mobileEdit` besides.
const KNOWN_ACTIONS: [&str; 28] = [
    "attend",
    "attendservice",
    "collab",
    "convert",
    "documentchat",
    "edit",
    "editnew",
    "embededit",
    "embedview",
    "formedit",
    "formpreview",
    "formsubmit",
    "getinfo",
    "imagepreview",
    "interactivepreview",
    "legacywebservice",
    "mobileclient",
    "mobileEdit",
    "mobileView",
    "preloadedit",
    "preloadview",
    "present",
    "presentservice",
    "rest",
    "rtc",
    "syndicate",
    "view",
    "view_comment",
];

impl Action {
    /// Whether it is for files with this extension, given with or without dot.
    pub fn is_for(&self, extension: &str) -> bool {
        let extension = extension.strip_prefix('.').unwrap_or(extension);
        self.ext.as_deref().is_some_and(|ext| ext.eq_ignore_ascii_case(extension))
    }

    /// Whether the documents, or a vendor whose action we understand, have an action of this name. The others are not to
    /// be offered to anybody.
    pub fn is_known(&self) -> bool {
        KNOWN_ACTIONS.iter().any(|known| known.eq_ignore_ascii_case(&self.name))
    }

    /// Whether a host that supports these (`locks`, `update`, `cobalt`, `containers`, in lower case) may offer it.
    /// A requirement that nobody knows is met by nobody.
    ///
    /// `containers` means OneNote's folders, not `/wopi/containers`.
    pub fn is_met_by(&self, supported: &[&str]) -> bool {
        self.requires.iter().all(|word| supported.contains(&word.as_str()))
    }
}

impl ProofKey {
    /// The keys. An old key that is empty or unusable is `None`; [`Self::has_old`] tells which.
    ///
    /// # Errors
    ///
    /// If the current key is unusable.
    pub fn keys(&self) -> Result<ProofKeys, KeyError> {
        Ok(ProofKeys {
            current: PublicKey::from_discovery(&self.modulus, &self.exponent, &self.value)?,
            old: PublicKey::from_discovery(&self.old_modulus, &self.old_exponent, &self.old_value).ok(),
        })
    }

    /// Whether the document has an old key, usable or not.
    pub fn has_old(&self) -> bool {
        !(self.old_modulus.is_empty() && self.old_value.is_empty())
    }
}

#[cfg(test)]
mod tests;
