//! What a command knows of the server beside it: where it is reached, and which clients it has.

use lectern_web::SettingsReport;

use crate::config::Client;
use crate::config::values::PublicUrl;
use crate::place::Place;
use crate::serve_lock::ServeLock;
use crate::serving::Serving;
use crate::trouble::Trouble;
use crate::wiring::Premises;

/// What is known.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// Where clients reach the server.
    pub(super) public_url: PublicUrl,
    /// Its clients.
    pub(super) clients: Vec<Client>,
    /// Whether one runs now.
    pub(super) running: bool,
    /// What the running one, or the last one, said of itself.
    pub(super) serving: Option<Serving>,
}

impl Known {
    /// | | public URL | clients |
    /// |---|---|---|
    /// | a server runs | what it says | what it says |
    /// | none runs | settings, else what the last one said, else the address in the settings | settings and the last one's |
    pub(super) fn of(place: &Place) -> Result<Self, Trouble> {
        let running = place.keeps_state && ServeLock::is_taken(&place.state);
        let serving = place.keeps_state.then(|| Serving::read(&place.state)).flatten();
        let settings = &place.settings;
        if let (true, Some(serving)) = (running, &serving) {
            let (public_url, clients) = (serving.public_url.clone(), serving.clients.clone());
            return Ok(Self { public_url, clients, running, serving: Some(serving.clone()) });
        }
        let last_url = serving.as_ref().map(|serving| serving.public_url.clone());
        let public_url = match settings.server.public_url.clone().or(last_url) {
            Some(url) => url,
            None => default_public_url(settings.server.listen)?,
        };
        let mut clients = settings.clients.clone();
        let last_clients = serving.iter().flat_map(|serving| &serving.clients);
        clients.extend(last_clients.filter(|last| !settings.clients.iter().any(|c| c.name == last.name)).cloned());
        Ok(Self { public_url, clients, running, serving })
    }

    pub(super) fn premises(&self, place: Place) -> Premises {
        Premises {
            place,
            public_url: self.public_url.clone(),
            clients: self.clients.clone(),
            // Commands show no pages.
            report: SettingsReport::default(),
        }
    }
}

/// Where a server without a public URL is reached: from this machine.
pub(super) fn default_public_url(listen: std::net::SocketAddr) -> Result<PublicUrl, Trouble> {
    let text = if listen.ip().is_unspecified() {
        format!("http://localhost:{}", listen.port())
    } else {
        format!("http://{listen}")
    };
    text.parse().map_err(|why: String| Trouble::new(format!("`{listen}` makes no public URL")).because(why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;
    use crate::place::Whereabouts;

    fn serving(public_url: &str, client: &str) -> Serving {
        Serving {
            public_url: public_url.parse().unwrap(),
            listen: "127.0.0.1:1".to_owned(),
            process_id: 1,
            since_ms: 1,
            clients: vec![client.parse().unwrap()],
            run: String::new(),
        }
    }

    fn names(known: &Known) -> Vec<&str> {
        known.clients.iter().map(|client| client.name.as_str()).collect()
    }

    #[test]
    fn a_running_server_knows_best_and_the_last_one_is_a_guess() {
        let folder = tempfile::tempdir().unwrap();
        let mut place = Place::find(Some(folder.path().to_owned()), &Whereabouts::default()).unwrap();
        place.settings = Settings::default();
        place.make_state().unwrap();

        let known = Known::of(&place).unwrap();
        assert_eq!((known.public_url.as_str(), known.running), ("http://127.0.0.1:8080", false));

        serving("http://localhost:9000", "a=https://a").write(&place.state).unwrap();
        place.settings.clients = vec!["b=https://b".parse().unwrap()];
        let known = Known::of(&place).unwrap();
        assert_eq!((known.public_url.as_str(), names(&known)), ("http://localhost:9000", vec!["b", "a"]));

        place.settings.server.public_url = Some("https://documents.example.org".parse().unwrap());
        assert_eq!(Known::of(&place).unwrap().public_url.as_str(), "https://documents.example.org");

        let _lock = ServeLock::take(&place.state).unwrap();
        let known = Known::of(&place).unwrap();
        assert_eq!((known.public_url.as_str(), names(&known)), ("http://localhost:9000", vec!["a"]));
        assert!(known.running);
    }

    #[test]
    fn without_a_public_url_the_server_is_reached_from_this_machine() {
        for (listen, url) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("0.0.0.0:9000", "http://localhost:9000"),
            ("[::]:9000", "http://localhost:9000"),
            ("[::1]:80", "http://[::1]"),
        ] {
            assert_eq!(default_public_url(listen.parse().unwrap()).unwrap().as_str(), url);
        }
    }
}
