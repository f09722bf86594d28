//! Whether proofs are asked for, and with whose keys.

use std::sync::Arc;

use http::HeaderMap;

use super::{Digests, Matched, ProofError, ProofKeys, Shown};

/// What a request has to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProofRule {
    /// Nothing.
    Off,
    /// A proof that fits any of these. A token that names no client can be checked against the keys of all clients.
    /// Without any key nothing is let in.
    Required(Arc<[Arc<ProofKeys>]>),
}

impl ProofRule {
    /// Checks the request against the rule; see [`super::verify`]. `None`: nothing was asked.
    ///
    /// # Errors
    ///
    /// Says what the operator should look at.
    pub fn check(
        &self,
        headers: &HeaderMap,
        url_candidates: &[&str],
        tokens: &[&str],
        now_ms: i64,
    ) -> Result<Option<Matched>, ProofError> {
        let Self::Required(clients) = self else { return Ok(None) };
        let shown = Shown::parse(headers, now_ms)?;
        let mut digests = Digests::new(url_candidates, tokens, shown.ticks);
        match clients.iter().find_map(|keys| shown.matches(keys, &mut digests)) {
            Some(matched) => Ok(Some(matched)),
            None => Err(match shown.why_not() {
                ProofError::Mismatch if clients.is_empty() => ProofError::NoKeys,
                error => error,
            }),
        }
    }
}
