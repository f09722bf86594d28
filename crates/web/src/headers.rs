//! The headers that keep pages harmless: what a page may load, who may frame it, what it tells other sites.
//!
//! | header | why |
//! |---|---|
//! | `Content-Security-Policy` | only our own scripts and styles, none of them inside a page; no frames; forms go to us only |
//! | `X-Content-Type-Options` | a type is what we say, not what bytes look like |
//! | `Referrer-Policy: same-origin` | other sites learn no address of ours. Not `no-referrer`: browsers would then send forms with `Origin: null`, and the check against cross-site requests could not tell ours from others |
//! | `Cross-Origin-Opener-Policy` | a window that opened us cannot reach us |
//! | `Cross-Origin-Resource-Policy` | other sites cannot load what we show to somebody who is signed in |
//! | `Cache-Control: no-store` | what one person sees is not kept for the next one on that machine |
//!
//! A page that needs more says so itself (the editor page names its office server); what it says is left alone.

use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue};

/// What an ordinary page may do.
pub(crate) const CONTENT_SECURITY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// What an image of somebody's may do where the browser shows it by itself: nothing at all. `sandbox` without a word makes
/// it a page of no origin without scripts, which matters for SVG.
pub(crate) const CONTENT_SECURITY_OF_IMAGES: &str =
    "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox";

/// The same for a PDF. Browsers show it in a viewer of their own, apart from our pages, and refuse to do so in a sandbox.
pub(crate) const CONTENT_SECURITY_OF_PDFS: &str =
    "default-src 'none'; object-src 'self'; img-src 'self' data:; style-src 'unsafe-inline'; frame-ancestors 'self'";

static DEFAULTS: [(HeaderName, &str); 8] = [
    (CONTENT_SECURITY_POLICY, CONTENT_SECURITY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (CACHE_CONTROL, "no-store"),
];

/// Adds what an answer does not say itself.
pub(crate) fn complete(headers: &mut HeaderMap) {
    for (name, value) in &DEFAULTS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}
