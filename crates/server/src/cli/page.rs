//! A page that opens one document in a client, for `lectern token --page`: what a host page is, in one file of one's own.
//!
//! The token is posted, never part of a URL (protocol/hostpage.md 1). The frame is made by script just before the form is
//! sent: a frame that stands in the page is loaded again by some browsers when one goes back, and finds the file locked.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use crate::trouble::{OrTrouble, Trouble};

/// What the page needs to know.
pub(super) struct Opening<'a> {
    /// What the document is called.
    pub(super) title: &'a str,
    /// Where the form is posted to.
    pub(super) action_url: &'a str,
    /// The token.
    pub(super) access_token: &'a str,
    /// Until when it is good, in milliseconds since 1970.
    pub(super) access_token_ttl: i64,
}

/// The page.
pub(super) fn page(opening: &Opening<'_>) -> String {
    let Opening { title, action_url, access_token, access_token_ttl } = opening;
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1, maximum-scale=1, minimum-scale=1, user-scalable=no">
<title>{title}</title>
<style>
body {{ margin: 0; padding: 0; overflow: hidden }}
iframe {{ position: absolute; inset: 0; width: 100%; height: 100%; border: 0; display: block }}
</style>
</head>
<body>
<form id="open" method="post" target="client" action="{action_url}">
<input type="hidden" name="access_token" value="{access_token}">
<input type="hidden" name="access_token_ttl" value="{access_token_ttl}">
<noscript><button>Open {title}</button></noscript>
</form>
<div id="holder"></div>
<script>
const frame = document.createElement("iframe");
frame.name = frame.id = "client";
frame.title = document.title;
frame.setAttribute("allowfullscreen", "true");
frame.setAttribute("allow", "clipboard-read *; clipboard-write *; fullscreen");
frame.setAttribute("sandbox", "allow-scripts allow-same-origin allow-forms allow-popups allow-top-navigation "
  + "allow-popups-to-escape-sandbox allow-downloads allow-modals");
document.getElementById("holder").appendChild(frame);
document.getElementById("open").submit();
</script>
</body>
</html>
"#,
        title = escaped(title),
        action_url = escaped(action_url),
        access_token = escaped(access_token),
    )
}

/// Writes the page where nobody but its owner can read it: it holds a token.
pub(super) fn write(path: &Path, opening: &Opening<'_>) -> Result<(), Trouble> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| file.write_all(page(opening).as_bytes()));
    written.or_trouble(|| format!("cannot write the page `{}`", path.display()))
}

/// Text as it stands in HTML, between tags and in quoted attributes.
fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '&' | '<' | '>' | '"' | '\'' => {
                // Writing to a string cannot fail.
                let _ = write!(out, "&#{};", u32::from(c));
            }
            c => out.push(c),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_name_or_url_becomes_markup() {
        let page = page(&Opening {
            title: "</title><script>alert('x')</script>.docx",
            action_url: "https://office.example/we?a=1&ui=\"><img src=x>",
            access_token: "v4.local.x\"'",
            access_token_ttl: 5,
        });
        assert_eq!(page.matches("<script>").count(), 1, "{page}");
        assert!(!page.contains("<img") && !page.contains("x\"'"));
        assert!(page.contains("action=\"https://office.example/we?a=1&#38;ui=&#34;&#62;"));
    }

    #[cfg(unix)]
    #[test]
    fn a_page_with_a_token_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("open.html");
        let opening = Opening { title: "a", action_url: "https://o/", access_token: "t", access_token_ttl: 1 };
        write(&path, &opening).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
