//! The cookies: who is signed in, in which language, and who is away to sign in with a provider.
//!
//! The session's cookie holds a secret; the registry knows only what follows from it by a hash, which is the session's id.
//! So whoever reads the database, or an access token, cannot sign in with what he finds.

use std::time::Duration;

use axum_extra::extract::cookie::CookieJar;
use http::HeaderValue;
use lectern_host::ids::MINTED_LENGTH;
use lectern_host::records::SessionId;
use sha2::{Digest, Sha256};

use crate::words::Language;

/// Over HTTPS. The prefix makes browsers take it from this very host only, with a secure connection, for all paths.
const SESSION_OVER_HTTPS: &str = "__Host-lectern_session";

/// Over HTTP, where browsers refuse the prefix.
const SESSION_OVER_HTTP: &str = "lectern_session";

const LANGUAGE: &str = "lectern_language";

const PROVIDER: &str = "lectern_provider";

/// How long signing in at a provider may take.
const PROVIDER_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// How long a language is remembered.
const LANGUAGE_LIFETIME: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How cookies are set here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cookies {
    secure: bool,
}

impl Cookies {
    /// For pages at this public URL.
    pub(crate) fn of(public_url: &str) -> Self {
        Self { secure: public_url.starts_with("https://") }
    }

    fn session_name(self) -> &'static str {
        if self.secure { SESSION_OVER_HTTPS } else { SESSION_OVER_HTTP }
    }

    /// The session that a request's cookies name.
    pub(crate) fn session(self, jar: &CookieJar) -> Option<SessionId> {
        let secret = jar.get(self.session_name())?.value();
        (secret.len() == MINTED_LENGTH).then(|| session_id(secret))
    }

    /// Sets the cookie of a session.
    pub(crate) fn of_session(self, secret: &str, lifetime: Duration) -> HeaderValue {
        self.cookie(self.session_name(), secret, lifetime)
    }

    /// Takes the session's cookie back.
    pub(crate) fn no_session(self) -> HeaderValue {
        self.cookie(self.session_name(), "", Duration::ZERO)
    }

    /// The sign-in with a provider that a request's cookies name.
    pub(crate) fn provider(jar: &CookieJar) -> Option<String> {
        jar.get(PROVIDER).map(|cookie| cookie.value().to_owned())
    }

    /// Sets the cookie of a sign-in with a provider.
    pub(crate) fn of_provider(self, state: &str) -> HeaderValue {
        self.cookie(PROVIDER, state, PROVIDER_LIFETIME)
    }

    /// Takes it back.
    pub(crate) fn no_provider(self) -> HeaderValue {
        self.cookie(PROVIDER, "", Duration::ZERO)
    }

    /// The language that a request's cookies name.
    pub(crate) fn language(jar: &CookieJar) -> Option<Language> {
        Language::parse(jar.get(LANGUAGE)?.value())
    }

    /// Sets the cookie of a language.
    pub(crate) fn of_language(self, language: Language) -> HeaderValue {
        self.cookie(LANGUAGE, language.tag(), LANGUAGE_LIFETIME)
    }

    /// `Lax`, not `Strict`: an office server sends people back to our pages, and links in mails lead to them.
    fn cookie(self, name: &'static str, value: &str, lifetime: Duration) -> HeaderValue {
        let secure = if self.secure { "; Secure" } else { "" };
        let text = format!("{name}={value}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax{secure}", lifetime.as_secs());
        // The values are ours, letters and digits.
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("lectern_session=; Max-Age=0"))
    }
}

/// The session whose secret this is.
pub(crate) fn session_id(secret: &str) -> SessionId {
    let hash: [u8; 32] = Sha256::new().chain_update("lectern session ").chain_update(secret).finalize().into();
    let text = hash.iter().take(16).fold(String::with_capacity(32), |mut text, byte| {
        text.push(char::from(HEX[usize::from(byte >> 4)]));
        text.push(char::from(HEX[usize::from(byte & 15)]));
        text
    });
    SessionId(text)
}

const HEX: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use axum_extra::extract::cookie::Cookie;

    use super::*;

    #[test]
    fn a_session_cookie_is_bound_to_the_host_over_https() {
        let cookie = Cookies::of("https://d.example").of_session("s", Duration::from_secs(60));
        assert_eq!(cookie, "__Host-lectern_session=s; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure");
        let cookie = Cookies::of("http://192.0.2.1").of_session("s", Duration::from_secs(60));
        assert_eq!(cookie, "lectern_session=s; Path=/; Max-Age=60; HttpOnly; SameSite=Lax");
    }

    #[test]
    fn the_id_of_a_session_does_not_tell_its_secret() {
        let secret = "a".repeat(MINTED_LENGTH);
        let id = session_id(&secret);
        assert_eq!(id.0.len(), 32);
        assert!(!id.0.contains(&secret[..4]));
        let jar = CookieJar::new().add(Cookie::new("lectern_session", secret));
        assert_eq!(Cookies::of("http://x").session(&jar), Some(id));
        assert_eq!(Cookies::of("https://x").session(&jar), None, "another name over https");
        let jar = CookieJar::new().add(Cookie::new("lectern_session", "x".repeat(10_000)));
        assert_eq!(Cookies::of("http://x").session(&jar), None);
    }
}
