//! Sessions of browsers: opened by a password, ended by their owner.
//!
//! The session is the registry's, and access tokens of documents that are opened in it hang on it: ending it stops them at
//! their next request.

use lectern_host::ids;
use lectern_host::ports::RegistryError;
use lectern_host::records::{Session, Timestamp, User};

use crate::cookies::session_id;
use crate::problem::Problem;
use crate::site::Shared;
use crate::visitor::Visitor;

/// Longest label of a session, in characters.
const LABEL_LENGTH_MAX: usize = 60;

/// How an attempt to sign in ended.
pub(crate) enum Attempt {
    /// It is this person.
    Known(Box<User>),
    /// It is not; nobody learns which part was wrong.
    Wrong,
    /// Too many attempts; even the right password would not help now.
    TooMany,
}

/// Whether name and password belong together. Names that nobody has, and those who are shut out, cost the same work.
pub(crate) async fn try_password(
    shared: &Shared,
    visitor: &Visitor,
    name: &str,
    password: &str,
) -> Result<Attempt, Problem> {
    let name_key = name.trim().to_lowercase();
    if !may_try(shared, visitor, &name_key).await? {
        return Ok(Attempt::TooMany);
    }
    let user = match shared.host.ports().registry.user_named(name.trim()).await {
        Ok(user) => Some(user),
        Err(RegistryError::NotFound) => None,
        Err(error) => return Err(Problem::registry("finding a user", &error)),
    };
    let stored = user.as_ref().and_then(|user| user.password.as_deref());
    let matches = shared.passwords.matches(password, stored).await;
    match (matches.map_err(|error| Problem::internal("checking a password", &error))?, user) {
        (true, Some(user)) if !user.disabled => {
            let forgotten = shared.tries_by_name.forget(&shared.host, &name_key).await;
            forgotten.map_err(|e| Problem::registry("giving tries back", &e))?;
            Ok(Attempt::Known(Box::new(user)))
        }
        _ => {
            tracing::info!(client.address = ?visitor.address, "an attempt to sign in failed");
            Ok(Attempt::Wrong)
        }
    }
}

/// Whether this visitor may try a password now, for whatever has this key. Counts as a try.
pub(crate) async fn may_try(shared: &Shared, visitor: &Visitor, key: &str) -> Result<bool, Problem> {
    let address_key = visitor.address.map_or_else(String::new, address_key);
    let tries = [(&shared.tries_by_address, address_key.as_str()), (&shared.tries_by_name, key)];
    for (tries, key) in tries {
        let taken = tries.take(&shared.host, key).await;
        if taken.map_err(|e| Problem::registry("counting attempts to sign in", &e))?.is_err() {
            tracing::warn!(client.address = ?visitor.address, "too many attempts to sign in");
            return Ok(false);
        }
    }
    Ok(true)
}

/// One key for all addresses that one subscriber has: of IPv6 the first 64 bits.
fn address_key(address: std::net::IpAddr) -> String {
    match address {
        std::net::IpAddr::V4(address) => address.to_string(),
        std::net::IpAddr::V6(address) => format!("{:x}", address.to_bits() >> 64),
    }
}

/// Opens a session and returns its secret, for the cookie.
pub(crate) async fn open_session(shared: &Shared, user: &User, label: &str) -> Result<String, Problem> {
    let ports = shared.host.ports();
    let secret = ids::new_id(&*ports.random);
    let now = shared.host.now();
    let session = Session {
        id: session_id(&secret),
        user: user.id.clone(),
        label: label.chars().take(LABEL_LENGTH_MAX).collect(),
        created_at: now,
        expires_at: now.plus(shared.settings.session_lifetime),
        revoked_at: None,
        guest: None,
    };
    let opened = ports.registry.create_session(&session).await;
    opened.map_err(|error| Problem::registry("opening a session", &error))?;
    tracing::info!(user.id = %user.id, "signed in");
    Ok(secret)
}

/// The sessions of a person that live, latest first.
pub(crate) async fn live_sessions(shared: &Shared, user: &User) -> Result<Vec<Session>, Problem> {
    let now = shared.host.now();
    let sessions = shared.host.ports().registry.sessions(&user.id).await;
    let sessions = sessions.map_err(|error| Problem::registry("listing sessions", &error))?;
    Ok(sessions.into_iter().filter(|session| lives(session, now)).collect())
}

fn lives(session: &Session, now: Timestamp) -> bool {
    session.revoked_at.is_none() && now < session.expires_at
}

/// Ends a session.
pub(crate) async fn end(shared: &Shared, session: &Session) -> Result<(), Problem> {
    let ended = shared.host.ports().registry.revoke_session(&session.id, shared.host.now()).await;
    ended.map_err(|error| Problem::registry("ending a session", &error))
}

/// What a session is called, from what the browser says of itself: `Firefox, Windows`.
pub(crate) fn label(user_agent: &str) -> String {
    // The order matters: Edge says that it is Chrome, and Chrome that it is Safari.
    const BROWSERS: [(&str, &str); 7] = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("SamsungBrowser", "Samsung Internet"),
        ("Firefox/", "Firefox"),
        ("Chromium/", "Chromium"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ];
    const SYSTEMS: [(&str, &str); 7] = [
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ];
    let known = |table: &[(&str, &'static str)]| {
        table.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name)
    };
    match (known(&BROWSERS), known(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser}, {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_called_after_the_browser_and_never_after_what_it_makes_up() {
        for (said, called) in [
            ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/130.0 Safari/537.36 Edg/130.0", "Edge, Windows"),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0", "Firefox, Linux"),
            ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari, iPhone"),
            ("curl/8.0", ""),
            ("<script>", ""),
        ] {
            assert_eq!(label(said), called);
        }
    }

    #[test]
    fn addresses_of_one_subscriber_share_their_tries() {
        let key = |text: &str| address_key(text.parse().unwrap());
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
    }
}
