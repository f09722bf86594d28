//! Where a request carries its access token.

use std::borrow::Cow;

use http::{HeaderMap, header};
use percent_encoding::percent_decode_str;

use crate::token::AccessToken;

/// The `access_token` of a query.
///
/// Proofs are made over the token, and clients disagree which one: Microsoft's published vectors sign the text as it
/// stands in the query, everybody else the decoded one. So both are here.
#[derive(Clone, PartialEq, Eq)]
pub struct QueryToken<'a> {
    /// As it stands in the query, percent-encoding and all.
    pub raw: &'a str,
    /// With the percent-encoding undone. A plus sign stays one.
    pub decoded: Cow<'a, str>,
}

impl QueryToken<'_> {
    /// The token itself; `None` if it is too long to be one.
    pub fn token(&self) -> Option<AccessToken> {
        AccessToken::parse(&self.decoded)
    }
}

impl std::fmt::Debug for QueryToken<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("QueryToken(..)")
    }
}

/// The access token in a query (the part behind `?`, without it). The name is compared without regard to case, the
/// first one counts, and an empty one is none.
pub fn query_token(query: Option<&str>) -> Option<QueryToken<'_>> {
    let raw = query?.split('&').find_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        is_access_token(name).then_some(value)
    })?;
    // Tokens are URL-safe as a rule, and there is nothing to undo.
    let decoded = || if raw.contains('%') { percent_decode_str(raw).decode_utf8_lossy() } else { Cow::Borrowed(raw) };
    (!raw.is_empty()).then(|| QueryToken { raw, decoded: decoded() })
}

/// Whether this name of a query parameter, as it stands in the URL, means the access token.
pub(super) fn is_access_token(name: &str) -> bool {
    const NAME: &str = "access_token";
    name.eq_ignore_ascii_case(NAME)
        || name.contains('%') && percent_decode_str(name).decode_utf8_lossy().eq_ignore_ascii_case(NAME)
}

/// The token in `Authorization`: `Bearer x`, or `Bearer: x` as the bootstrapper's document writes it, the scheme in any
/// case. `None` if there is no such header, if there are two, or if it holds something else.
pub fn bearer(headers: &HeaderMap) -> Option<AccessToken> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() {
        return None;
    }
    let (scheme, token) = value.split_once([' ', '\t'])?;
    let scheme = scheme.strip_suffix(':').unwrap_or(scheme);
    AccessToken::parse(token.trim()).filter(|_| scheme.eq_ignore_ascii_case("bearer"))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_token_of_a_query_is_given_raw_and_decoded() {
        for (query, raw, decoded) in [
            ("access_token=abc", "abc", "abc"),
            ("access_token=a%2Fb%3d&access_token_ttl=0", "a%2Fb%3d", "a/b="),
            ("x=1&Access_Token=abc", "abc", "abc"),
            ("access%5Ftoken=abc", "abc", "abc"),
            ("access_token=first&access_token=second", "first", "first"),
            ("access_token=a+b=c", "a+b=c", "a+b=c"),
            ("access_token=%ff", "%ff", "\u{fffd}"),
        ] {
            let token = query_token(Some(query)).unwrap();
            assert_eq!((token.raw, &*token.decoded), (raw, decoded), "{query}");
        }
        for query in [None, Some(""), Some("access_token"), Some("access_token="), Some("access_token_ttl=1")] {
            assert_eq!(query_token(query), None, "{query:?}");
        }
        assert_eq!(query_token(Some("access_token=&access_token=x")), None, "the first one counts");
    }

    #[test]
    fn a_query_token_shows_nothing_of_itself() {
        assert_eq!(format!("{:?}", query_token(Some("access_token=secret"))), "Some(QueryToken(..))");
    }

    #[test]
    fn a_bearer_token_is_found_in_every_documented_form() {
        let token = |values: &[&'static str]| {
            let values = values.iter().map(|value| (header::AUTHORIZATION, HeaderValue::from_static(value)));
            bearer(&values.fold(HeaderMap::new(), |mut headers, (name, value)| {
                headers.append(name, value);
                headers
            }))
        };
        for value in ["Bearer abc", "bearer abc", "BEARER  abc ", "Bearer: abc", "bearer:\tabc"] {
            assert_eq!(token(&[value]), AccessToken::parse("abc"), "{value}");
        }
        for values in [&[][..], &["abc"], &["Bearer"], &["Bearer "], &["Basic abc"], &["Bearer a", "Bearer b"]] {
            assert_eq!(token(values), None, "{values:?}");
        }
    }
}
