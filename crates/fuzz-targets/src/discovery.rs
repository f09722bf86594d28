//! Discovery documents, the keys in them and the URLs that are made of them.

use wopi::action_url::{ActionUrlFacts, action_url, has_placeholders, preload_url};
use wopi::discovery::{Discovery, NetZone, ProofKey};

/// An error may quote a piece of the document.
const ERROR_LENGTH_MAX: usize = 2000;

/// A document. What is not UTF-8 never gets so far.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let document = match Discovery::parse(text) {
        Ok(document) => document,
        Err(error) => {
            assert!(error.to_string().len() <= ERROR_LENGTH_MAX);
            return;
        }
    };
    assert!(document.zones.len() <= Discovery::ZONES_MAX);
    assert!(document.zones.iter().map(|zone| zone.apps.len()).sum::<usize>() <= Discovery::APPS_MAX);
    assert!(document.all_offers().count() <= Discovery::ACTIONS_MAX);
    let facts = ActionUrlFacts {
        ui_language: Some("de-DE"),
        session_context: Some("a b&<c>"),
        ..ActionUrlFacts::new("https://host.example/wopi/files/1")
    };
    for offer in document.all_offers() {
        let urlsrc = &offer.action.urlsrc;
        let is_http = |url: &str| {
            let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
            scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
        };
        assert!(!offer.action.name.is_empty() && is_http(urlsrc), "{urlsrc:?}");
        for url in [action_url(urlsrc, &facts), preload_url(urlsrc, Some("de-DE"))] {
            assert!(is_http(&url), "{url:?} made of {urlsrc:?}");
        }
        has_placeholders(urlsrc);
    }
    for extension in document.extensions() {
        document.offers(extension, "edit", &NetZone::BY_REACH);
    }
    if let Some(Ok(keys)) = document.proof_key.as_ref().map(ProofKey::keys) {
        assert!(keys.current.bits() >= 1024);
    }
}
