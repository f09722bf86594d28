//! What of a request may stand in a log: URLs without their token, clients' text cut and escaped.

use super::request_token::is_access_token;

/// How much of a client's text a log line holds, in characters, the mark of a cut included.
pub const LOG_TEXT_LENGTH_MAX: usize = 200;

/// How much of a URL a log line holds, in characters. Clients' URLs have about 2000, and a diagnosis of proofs needs the
/// whole.
pub const LOG_URL_LENGTH_MAX: usize = 4096;

/// Path and query with `…` in place of every access token, cut and escaped.
pub fn redact_query(path_and_query: &str) -> String {
    let (path, query) = match path_and_query.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path_and_query, None),
    };
    let mut url = String::with_capacity(path_and_query.len());
    url.push_str(path);
    for (at, pair) in query.into_iter().flat_map(|query| query.split('&')).enumerate() {
        url.push(if at == 0 { '?' } else { '&' });
        match pair.split_once('=') {
            Some((name, _)) if is_access_token(name) => {
                url.push_str(name);
                url.push_str("=…");
            }
            _ => url.push_str(pair),
        }
    }
    cut_and_escape(&url, LOG_URL_LENGTH_MAX)
}

/// Text that a client chose, in one line of bounded length: control characters, invisible ones and the backslash are
/// escaped, and a cut is marked by `…`.
pub fn for_log(text: &str) -> String {
    cut_and_escape(text, LOG_TEXT_LENGTH_MAX)
}

fn cut_and_escape(text: &str, length_max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(length_max));
    let (mut length, mut fits) = (0, 0);
    for character in text.chars().flat_map(escaped) {
        length += 1;
        if length > length_max {
            out.truncate(fits);
            out.push('…');
            break;
        }
        out.push(character);
        if length < length_max {
            fits = out.len();
        }
    }
    out
}

/// Quotes stay as they are, because lock ids and session contexts often are JSON.
fn escaped(character: char) -> impl Iterator<Item = char> {
    character.escape_debug().skip(usize::from(matches!(character, '"' | '\'')))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_token_of_a_url_never_reaches_a_log() {
        for (url, logged) in [
            ("/wopi/files/1", "/wopi/files/1"),
            ("/wopi/files/1?", "/wopi/files/1?"),
            ("/wopi/files/1?access_token=secret", "/wopi/files/1?access_token=…"),
            ("/f?a=1&access_token=secret&access_token_ttl=0", "/f?a=1&access_token=…&access_token_ttl=0"),
            ("/f?ACCESS_TOKEN=secret&access%5ftoken=secret", "/f?ACCESS_TOKEN=…&access%5ftoken=…"),
            ("/f?access_token=se?cr=et", "/f?access_token=…"),
            ("/f?access_token", "/f?access_token"),
            ("/f\r\nx?a=\u{1b}[31m", "/f\\r\\nx?a=\\u{1b}[31m"),
        ] {
            assert_eq!(redact_query(url), logged);
        }
    }

    #[test]
    fn clients_text_is_cut_and_escaped() {
        for (text, logged) in [
            ("plain", "plain"),
            (r#"{"S":"it's"}"#, r#"{"S":"it's"}"#),
            ("a\nb\0\\", "a\\nb\\0\\\\"),
            ("\u{202e}gnp.exe", "\\u{202e}gnp.exe"),
            ("Übersicht", "Übersicht"),
        ] {
            assert_eq!(for_log(text), logged);
        }
        let longest = "ä".repeat(LOG_TEXT_LENGTH_MAX);
        assert_eq!(for_log(&longest), longest);
        assert_eq!(for_log(&format!("{longest}ä")), format!("{}…", "ä".repeat(LOG_TEXT_LENGTH_MAX - 1)));
    }

    proptest! {
        #[test]
        fn any_text_becomes_one_bounded_line(text in any::<String>()) {
            let logged = for_log(&text);
            prop_assert!(logged.chars().count() <= LOG_TEXT_LENGTH_MAX);
            prop_assert!(!logged.contains(char::is_control));
        }
    }
}
