//! Requests as the gate sees them: route, proof, token, operation.

use std::sync::LazyLock;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use wopi::error::WopiError;
use wopi::proof::{self, ProofKeys, PublicKey};
use wopi::route::{self, LOG_TEXT_LENGTH_MAX, LOG_URL_LENGTH_MAX};
use wopi::{AccessToken, operation};

/// Keys of a client. Nobody knows what they would sign.
static KEYS: LazyLock<ProofKeys> = LazyLock::new(|| {
    let current = PublicKey::from_integers(&[0xc5; 256], &[1, 0, 1]).expect("an odd number of 2048 bits");
    ProofKeys { current, old: None }
});

/// The last published case of a proof is from this time.
const NOW_MS: i64 = 1_700_000_000_000;

/// `METHOD target`, then lines `name: value`, whatever an HTTP library would let through.
pub fn run(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let Ok(first) = std::str::from_utf8(lines.next().unwrap_or_default()) else { return };
    let (method, target) = first.split_once(' ').unwrap_or((first, ""));
    let Ok(method) = Method::from_bytes(method.as_bytes()) else { return };
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let mut headers = HeaderMap::new();
    for line in lines {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) =
            (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(line[colon + 1..].trim_ascii()));
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }

    let logged = route::redact_query(target);
    assert!(logged.chars().count() <= LOG_URL_LENGTH_MAX && !logged.contains(char::is_control));
    let token = route::query_token(query);
    if let Some(token) = &token {
        // A token that may also stand somewhere else in the URL is no secret.
        let elsewhere = target.matches(token.raw).count() > 1;
        assert!(elsewhere || token.raw.len() < 4 || !logged.contains(token.raw), "the token is in {logged:?}");
        let _ = proof::verify(&KEYS, &headers, &[target], &[token.raw, &token.decoded], NOW_MS);
    }
    let shown = token.and_then(|token| token.token()).or_else(|| route::bearer(&headers));
    assert!(shown.is_none_or(|token| (1..=AccessToken::LENGTH_MAX).contains(&token.as_str().len())));

    let parsed =
        route::route(&method, path, &headers).and_then(|(target, kind)| operation::parse(&target, kind, &headers));
    if let Err(error) = parsed {
        refused(&error);
    }
}

/// What is said before anything was looked up: 400, 404 or 501, and 409 never.
fn refused(error: &WopiError) {
    let status = error.status().as_u16();
    assert!([400, 404, 501].contains(&status), "{status}");
    let mut answer = HeaderMap::new();
    error.write_headers(&mut answer);
    for value in answer.values() {
        assert!(value.len() <= 4 * LOG_TEXT_LENGTH_MAX + 1000, "{value:?}");
    }
}
