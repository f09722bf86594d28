//! The gate: the one place that lets a request in, in the one order that every refusal follows.
//!
//! | step | refused with |
//! |---|---|
//! | route: is this a WOPI endpoint at all | 404 |
//! | proof: did a client that we know send it, lately | 500 |
//! | token: whose is it, is it for this target, does its session live | 401 |
//! | target and permission: does it exist, may the caller | 404 (501 where WOPI wants that) |
//! | support: does this host offer the operation | 501 |
//! | headers: can they be understood | 400 |
//! | state: locks, names, sizes | 409 and the rest, by the operation |
//!
//! The proof comes first, so that whoever cannot sign learns nothing, not even which tokens are good.

use http::HeaderMap;
use http::uri::PathAndQuery;
use wopi::proof::{ProofError, ProofRule};
use wopi::route::{self, Kind, KindSet, Target};
use wopi::{AccessToken, Operation, WopiError};

use crate::host::WopiHost;
use crate::refusal::Refusal;

/// A request that was let in.
pub(crate) struct Admitted<C> {
    pub(crate) caller: C,
    pub(crate) operation: Operation,
}

/// The addresses under which a client may have signed a request: what it sent, seen from outside.
///
/// The scheme and host come from the public URL, never from what a proxy said. The path and query are the bytes of the
/// request line; where a proxy in front took the public URL's path prefix away, it is put back.
pub(crate) struct PublicUrl {
    origin: String,
    prefix: String,
}

impl PublicUrl {
    pub(crate) fn new(public_url: &str) -> Self {
        let public_url = public_url.trim_end_matches('/');
        let after_scheme = public_url.find("://").map_or(0, |at| at + 3);
        let end = public_url[after_scheme..].find('/').map_or(public_url.len(), |at| after_scheme + at);
        let (mut origin, prefix) = (public_url[..end].to_owned(), public_url[end..].to_owned());
        // Clients leave the default port out of what they sign.
        for (scheme, port) in [("https://", ":443"), ("http://", ":80")] {
            if origin.starts_with(scheme)
                && let Some(shorter) = origin.strip_suffix(port)
            {
                origin = shorter.to_owned();
            }
        }
        Self { origin, prefix }
    }

    /// The likely address first.
    pub(crate) fn candidates(&self, raw: &str) -> Vec<String> {
        let mut all = vec![format!("{}{raw}", self.origin)];
        if !self.prefix.is_empty() && !raw.starts_with(&format!("{}/", self.prefix)) {
            all.insert(0, format!("{}{}{raw}", self.origin, self.prefix));
        }
        all
    }
}

/// The token of a request, as sent and decoded.
pub(crate) struct SentToken<'a> {
    /// Still percent-encoded, as the query had it.
    raw: Option<&'a str>,
    token: Option<AccessToken>,
}

impl<'a> SentToken<'a> {
    /// From the query, which is what clients sign; else from `Authorization`.
    pub(crate) fn find(target: &Target, query: Option<&'a str>, headers: &HeaderMap) -> Self {
        // The bootstrapper takes an OAuth token, and that only from the header.
        if !matches!(target, Target::Bootstrapper)
            && let Some(sent) = route::query_token(query)
        {
            return Self { token: sent.token(), raw: Some(sent.raw) };
        }
        Self { raw: None, token: route::bearer(headers) }
    }
}

/// Steps 2 to 6. `Err` carries what was computed, for the log.
pub(crate) async fn admit<H: WopiHost>(
    host: &H,
    public_url: &PublicUrl,
    target: &Target,
    kind: Kind,
    uri: &PathAndQuery,
    headers: &HeaderMap,
) -> Result<Admitted<H::Caller>, Refusal> {
    let kind = instead(kind, host.supported());
    let sent = SentToken::find(target, uri.query(), headers);
    let credential = host.read_token(sent.token.as_ref(), target);
    if *target != Target::Bootstrapper {
        check_proof(host, &credential, public_url, &sent, uri, headers).await?;
    }
    let caller = host.authenticate(credential, target, kind).await?;
    if !host.supported().has(kind) {
        return Err(not_supported(kind));
    }
    let operation = wopi::operation::parse(target, kind, headers)?;
    Ok(Admitted { caller, operation })
}

/// A bootstrapper that does not know a shortcut answers as for plain Bootstrap (protocol/containers.md 13.4).
fn instead(kind: Kind, supported: KindSet) -> Kind {
    match kind {
        Kind::BootstrapGetRootContainer | Kind::BootstrapGetFileWopiSrc if !supported.has(kind) => Kind::Bootstrap,
        kind => kind,
    }
}

/// OneNote's CheckFolderInfo has no 501 among its answers.
fn not_supported(kind: Kind) -> Refusal {
    let error = if kind == Kind::CheckFolderInfo { WopiError::NotFound } else { WopiError::NotSupported };
    Refusal::new(error, format!("{} is not offered here", kind.name()))
}

async fn check_proof<H: WopiHost>(
    host: &H,
    credential: &H::Credential,
    public_url: &PublicUrl,
    sent: &SentToken<'_>,
    uri: &PathAndQuery,
    headers: &HeaderMap,
) -> Result<(), Refusal> {
    let rule = host.proof_rule(credential);
    if matches!(rule, ProofRule::Off) {
        return Ok(());
    }
    let urls = public_url.candidates(uri.as_str());
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    // Microsoft's published vectors sign the token as it stands in the URL, its validator signs it decoded.
    let mut tokens: Vec<&str> = sent.raw.into_iter().collect();
    if let Some(decoded) = sent.token.as_ref().map(AccessToken::as_str)
        && !tokens.contains(&decoded)
    {
        tokens.push(decoded);
    }
    if tokens.is_empty() {
        tokens.push("");
    }
    let now_ms = host.now_ms();
    let mut verdict = rule.check(headers, &urls, &tokens, now_ms);
    // Only an answer to "which key" can be healed by newer keys; a stale time stays stale.
    if verdict.is_err_and(ProofError::may_be_stale_keys) && host.proof_failed(credential).await {
        verdict = host.proof_rule(credential).check(headers, &urls, &tokens, now_ms);
    }
    match verdict {
        Ok(matched) => {
            if matched.is_some_and(wopi::proof::Matched::keys_are_stale) {
                host.proof_keys_are_stale(credential);
            }
            Ok(())
        }
        Err(error) => Err(Refusal::new(WopiError::ProofRejected, format!("proof rejected: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signed_address_is_rebuilt_from_the_public_url() {
        for (public, raw, expected) in [
            (
                "https://h.example",
                "/wopi/files/1?access_token=a%2Fb",
                &["https://h.example/wopi/files/1?access_token=a%2Fb"][..],
            ),
            ("https://h.example:443/", "/wopi/files/1", &["https://h.example/wopi/files/1"]),
            ("http://h.example:80", "/wopi/files/1", &["http://h.example/wopi/files/1"]),
            ("http://h.example:8080", "/wopi/files/1", &["http://h.example:8080/wopi/files/1"]),
            ("https://h.example/docs", "/docs/wopi/files/1", &["https://h.example/docs/wopi/files/1"]),
            (
                "https://h.example/docs",
                "/wopi/files/1",
                &["https://h.example/docs/wopi/files/1", "https://h.example/wopi/files/1"],
            ),
        ] {
            assert_eq!(PublicUrl::new(public).candidates(raw), expected, "{public} {raw}");
        }
    }
}
