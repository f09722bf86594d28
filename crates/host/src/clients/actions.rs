//! What the clients can do with a file, and the URL that makes them do it.

use std::borrow::Cow;

use wopi::action_url::{ActionUrlFacts, action_url, has_placeholders, preload_url};
use wopi::discovery::{Action, App, Discovery, NetZone, Zone};

use super::ClientSettings;

/// What `requires` may ask for and we have. `cobalt` and `containers` (OneNote's folders) are not among it.
pub const SUPPORTED_REQUIREMENTS: [&str; 2] = ["locks", "update"];

/// The pages by which Collabora and its relatives are opened. Their templates have no placeholders.
const COLLABORA_PAGES: [&str; 2] = ["/cool.html", "/loleaflet.html"];

/// Something that a client can do with files of one extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAction {
    /// The client's name.
    pub client: String,
    /// The app's name: `Word`, `writer`.
    pub app: String,
    /// The action: `view`, `edit`, … as published; compare without regard to case.
    pub name: String,
    /// The extension it is for, lower case, without dot.
    pub extension: String,
    /// The template of its URL, at the origin that people reach.
    pub url_template: String,
    /// An icon for the page.
    pub fav_icon_url: Option<String>,
    /// Whether the client calls it the default for this extension.
    pub is_default: bool,
    /// Whether the client wants licences checked.
    pub check_license: bool,
    /// The extension of what `convert` makes.
    pub target_extension: Option<String>,
    /// The extension of what `editnew` makes, where it is another one.
    pub new_extension: Option<String>,
    /// The zone it was found in.
    pub zone: NetZone,
    /// The client's place for this extension.
    pub rank: i32,
}

impl ClientAction {
    /// Whether it is the action of this name.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The URL that does it.
    ///
    /// A token in the facts is put into the URL only for `getinfo`; what only warms a cache gets only the language; and
    /// Collabora is told the language by a parameter of its own.
    pub fn url(&self, facts: &ActionUrlFacts<'_>) -> String {
        if self.is("preloadview") || self.is("preloadedit") {
            return preload_url(&self.url_template, facts.ui_language);
        }
        let mut facts = facts.clone();
        if !self.is("getinfo") {
            facts.token_in_query = None;
        }
        let page = self.url_template.split('?').next().unwrap_or_default();
        let is_collabora =
            !has_placeholders(&self.url_template) && COLLABORA_PAGES.iter().any(|known| page.ends_with(known));
        match facts.ui_language {
            Some(language) if is_collabora => {
                let extra: Vec<(Cow<'_, str>, Cow<'_, str>)> =
                    [("lang".into(), language.into())].into_iter().chain(facts.extra.iter().cloned()).collect();
                action_url(&self.url_template, &ActionUrlFacts { extra: &extra, ..facts })
            }
            _ => action_url(&self.url_template, &facts),
        }
    }
}

/// What one client can do with files of this extension (lower case, without dot): only what we understand and whose
/// requirements we meet. Of actions that several zones have, the one of the preferred zone.
pub(super) fn actions_of(settings: &ClientSettings, discovery: &Discovery, extension: &str) -> Vec<ClientAction> {
    let preference: Vec<NetZone> = settings.zone.into_iter().chain(NetZone::BY_REACH).collect();
    let mut found: Vec<ClientAction> = Vec::new();
    for zone in discovery.zones_by(&preference) {
        let earlier = found.len();
        for (app, action) in usable(zone, extension) {
            let known = |other: &ClientAction| other.app == app.name && other.is(&action.name);
            if !found.iter().take(earlier).any(known) {
                found.push(client_action(settings, zone.name, app, action, extension));
            }
        }
    }
    found.sort_by_key(|action| !action.is_default);
    found
}

fn usable<'a>(zone: &'a Zone, extension: &'a str) -> impl Iterator<Item = (&'a App, &'a Action)> {
    zone.offers().map(|offer| (offer.app, offer.action)).filter(move |(_, action)| {
        // On a parent folder we have nothing to invoke.
        action.is_for(extension) && action.is_known() && action.is_met_by(&SUPPORTED_REQUIREMENTS) && !action.use_parent
    })
}

fn client_action(
    settings: &ClientSettings,
    zone: NetZone,
    app: &App,
    action: &Action,
    extension: &str,
) -> ClientAction {
    let reached = |url: &str| match &settings.public_origin {
        Some(origin) => at_origin(url, origin),
        None => url.to_owned(),
    };
    ClientAction {
        client: settings.name.clone(),
        app: app.name.clone(),
        name: action.name.clone(),
        extension: extension.to_owned(),
        url_template: reached(&action.urlsrc),
        fav_icon_url: app.fav_icon_url.as_deref().map(reached),
        is_default: action.is_default,
        check_license: app.check_license,
        target_extension: action.targetext.clone(),
        new_extension: action.newext.clone(),
        zone,
        rank: settings.rank_for(extension),
    }
}

/// The URL with scheme, host and port of `origin`.
fn at_origin(url: &str, origin: &str) -> String {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let path = rest.find(['/', '?', '#', '<']).and_then(|at| rest.get(at..)).unwrap_or_default();
    format!("{origin}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_replaces_what_stands_before_the_path() {
        for (url, expected) in [
            ("http://10.0.0.1:9980/cool.html?<a=B&>", "https://o.example/cool.html?<a=B&>"),
            ("http://office?x=http://y/", "https://o.example?x=http://y/"),
            ("http://office", "https://o.example"),
            ("http://office<ui=UI_LLCC>", "https://o.example<ui=UI_LLCC>"),
        ] {
            assert_eq!(at_origin(url, "https://o.example"), expected);
        }
    }
}
