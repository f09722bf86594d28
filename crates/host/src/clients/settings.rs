//! What the operator says about a client.

use std::collections::BTreeMap;

use url::Url;
use wopi::discovery::NetZone;

/// Where every client has its discovery document.
const DISCOVERY_PATH: &str = "/hosting/discovery";

/// Longest name of a client, in bytes. It travels in every access token.
pub const CLIENT_NAME_LENGTH_MAX: usize = 64;

/// Whether a client's requests must carry proofs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ProofSetting {
    /// If its discovery has a proof key; nothing is let in before its discovery was seen.
    #[default]
    Auto,
    /// In any case.
    Required,
    /// Never.
    Off,
}

impl ProofSetting {
    /// The word for it in the settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Required => "required",
            Self::Off => "off",
        }
    }

    /// The setting that the word names.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Auto, Self::Required, Self::Off].into_iter().find(|setting| setting.as_str() == text)
    }
}

/// One client as the settings have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSettings {
    /// What it is called: letters, digits, `.`, `_`, `-`, `:` and brackets, at most [`CLIENT_NAME_LENGTH_MAX`].
    pub name: String,
    /// The URL of its discovery document.
    pub discovery_url: String,
    /// Whether its requests must carry proofs.
    pub proof: ProofSetting,
    /// Its place among the clients that open the same file: lower comes first, equals in the order of the settings.
    pub rank: i32,
    /// Its place for single extensions (lower case, without dot).
    pub ranks: BTreeMap<String, i32>,
    /// The zone to take action URLs from, if it has them there. Otherwise what people's browsers are likely to reach.
    pub zone: Option<NetZone>,
    /// Scheme, host and port that people's browsers reach it at, where its discovery was fetched by an internal name and
    /// tells internal URLs.
    pub public_origin: Option<String>,
}

/// What is wrong with the settings of a client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Not a URL that discovery could be fetched from.
    #[error("cannot use `{text}` as the URL of a client: {why}")]
    Url {
        /// What was given.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Not a name.
    #[error(
        "cannot use `{name}` as the name of a client: a name is 1 to {CLIENT_NAME_LENGTH_MAX} letters, digits and `._-:[]`"
    )]
    Name {
        /// What was given.
        name: String,
    },
    /// Not an origin.
    #[error(
        "cannot use `{text}` as a public origin: it is https://HOST or http://HOST, with :PORT if need be, and no more"
    )]
    Origin {
        /// What was given.
        text: String,
    },
}

impl ClientSettings {
    /// The client with this name and URL (see [`discovery_url_of`]), with everything else left to the defaults.
    ///
    /// # Errors
    ///
    /// Says what is wrong with name or URL.
    pub fn new(name: &str, url: &str) -> Result<Self, SettingsError> {
        let settings = Self {
            name: name.to_owned(),
            discovery_url: discovery_url_of(url)?,
            proof: ProofSetting::default(),
            rank: 0,
            ranks: BTreeMap::new(),
            zone: None,
            public_origin: None,
        };
        settings.check()?;
        Ok(settings)
    }

    /// The client that `URL` or `NAME=URL` on a command line means. Without a name it is called by its host and port.
    ///
    /// # Errors
    ///
    /// Says what is wrong with name or URL.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        let text = text.trim();
        if let Some((name, url)) = text.split_once('=')
            && !name.contains(['/', '?'])
        {
            return Self::new(name.trim(), url);
        }
        let url = checked_url(text)?;
        let host = url.host_str().unwrap_or_default();
        let name = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        Self::new(&name, text)
    }

    /// Where the client stands among those that open files with this extension (lower case, without dot).
    pub fn rank_for(&self, extension: &str) -> i32 {
        self.ranks.get(extension).copied().unwrap_or(self.rank)
    }

    /// Whether every field can be used.
    ///
    /// # Errors
    ///
    /// Says which one cannot.
    pub fn check(&self) -> Result<(), SettingsError> {
        let is_name = (1..=CLIENT_NAME_LENGTH_MAX).contains(&self.name.len())
            && self
                .name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b':' | b'[' | b']'));
        if !is_name {
            return Err(SettingsError::Name { name: self.name.clone() });
        }
        checked_url(&self.discovery_url)?;
        if let Some(text) = &self.public_origin {
            origin_of(text)?;
        }
        Ok(())
    }
}

/// The URL of the discovery document that `text` means: itself, or with `/hosting/discovery` if it has no path.
///
/// # Errors
///
/// If it is no `http` or `https` URL, or carries a password, which would end up in logs.
pub fn discovery_url_of(text: &str) -> Result<String, SettingsError> {
    let mut url = checked_url(text)?;
    if url.path() == "/" {
        url.set_path(DISCOVERY_PATH);
    }
    url.set_fragment(None);
    Ok(url.into())
}

/// Scheme, host and port of a URL that has nothing else, without a slash at the end.
pub(super) fn origin_of(text: &str) -> Result<String, SettingsError> {
    let bad = || SettingsError::Origin { text: text.to_owned() };
    let url = checked_url(text).map_err(|_| bad())?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if bare { Ok(url.origin().ascii_serialization()) } else { Err(bad()) }
}

fn checked_url(text: &str) -> Result<Url, SettingsError> {
    let text = text.trim();
    let bad = |why| SettingsError::Url { text: without_password(text), why };
    // `localhost:9980` would be a URL with the scheme `localhost`.
    if !["http://", "https://"]
        .iter()
        .any(|scheme| text.get(..scheme.len()).is_some_and(|t| t.eq_ignore_ascii_case(scheme)))
    {
        return Err(bad("it has to begin with http:// or https://"));
    }
    let url = Url::parse(text).map_err(|_| bad("it is malformed"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("user names and passwords in URLs end up in logs"));
    }
    Ok(url)
}

/// The text as an error may quote it.
fn without_password(text: &str) -> String {
    match (text.find("://"), text.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => format!("{}://…{}", &text[..scheme], &text[at..]),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_without_a_path_gets_that_of_discovery() {
        for (text, expected) in [
            ("http://localhost:9980", "http://localhost:9980/hosting/discovery"),
            ("HTTPS://Office.Example/", "https://office.example/hosting/discovery"),
            (" https://office.example:443 ", "https://office.example/hosting/discovery"),
            ("http://127.0.0.1:8000/oo/hosting/discovery#x", "http://127.0.0.1:8000/oo/hosting/discovery"),
            ("https://office.example?a=b", "https://office.example/hosting/discovery?a=b"),
            ("http://[::1]:9980", "http://[::1]:9980/hosting/discovery"),
        ] {
            assert_eq!(discovery_url_of(text).as_deref(), Ok(expected), "{text}");
        }
        for bad in
            ["", "office.example", "localhost:9980", "ftp://o.example", "file:///etc", "http://", "http://a b/", "ö"]
        {
            assert!(matches!(discovery_url_of(bad), Err(SettingsError::Url { .. })), "{bad}");
        }
    }

    #[test]
    fn a_password_is_refused_and_not_repeated() {
        let error = discovery_url_of("https://admin:secret@o.example/").unwrap_err();
        assert!(!error.to_string().contains("secret") && error.to_string().contains("o.example"), "{error}");
    }

    #[test]
    fn a_client_is_called_by_its_host_or_as_it_is_told() {
        for (text, name, url) in [
            ("http://localhost:9980", "localhost:9980", "http://localhost:9980/hosting/discovery"),
            ("https://office.example", "office.example", "https://office.example/hosting/discovery"),
            ("http://[::1]:9980", "[::1]:9980", "http://[::1]:9980/hosting/discovery"),
            ("cool = http://c.example/x", "cool", "http://c.example/x"),
            ("https://o.example/d?a=b", "o.example", "https://o.example/d?a=b"),
            ("https://o.example?a=b", "o.example", "https://o.example/hosting/discovery?a=b"),
        ] {
            let settings = ClientSettings::parse(text).unwrap();
            assert_eq!((settings.name.as_str(), settings.discovery_url.as_str()), (name, url), "{text}");
        }
        let long = "x".repeat(CLIENT_NAME_LENGTH_MAX);
        assert!(ClientSettings::parse(&format!("{long}=http://o.example")).is_ok());
        for bad in
            ["=http://o.example", "a b=http://o.example", "ä=http://o.example", &format!("{long}x=http://o.example")]
        {
            assert!(matches!(ClientSettings::parse(bad), Err(SettingsError::Name { .. })), "{bad}");
        }
    }

    #[test]
    fn an_origin_is_nothing_more() {
        for (text, expected) in [
            ("https://office.example", Some("https://office.example")),
            ("https://office.example:443/", Some("https://office.example")),
            ("http://office.example:9980", Some("http://office.example:9980")),
            ("https://office.example/path", None),
            ("https://office.example/?a", None),
            ("office.example", None),
        ] {
            assert_eq!(origin_of(text).ok().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn ranks_are_per_extension_where_given() {
        let mut settings = ClientSettings::parse("http://o.example").unwrap();
        settings.rank = 5;
        settings.ranks.insert("odt".into(), -1);
        assert_eq!((settings.rank_for("odt"), settings.rank_for("docx")), (-1, 5));
    }

    #[test]
    fn words_of_the_proof_setting() {
        for setting in [ProofSetting::Auto, ProofSetting::Required, ProofSetting::Off] {
            assert_eq!(ProofSetting::parse(setting.as_str()), Some(setting));
        }
        assert_eq!(ProofSetting::parse("on"), None);
    }
}
