//! What every page shows: the bar at the top, the language, and what was just done.

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use fluent_bundle::FluentValue;
use http::StatusCode;
use lectern_host::records::Timestamp;

use crate::assets;
use crate::icons;
use crate::problem::Problem;
use crate::words::{Language, Words};

/// What the layout needs to know. Templates call it `p`, for page.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// The texts.
    pub(crate) words: Words,
    /// What stands before our paths: empty, or `/…`.
    pub(crate) base: String,
    /// The name of whoever is signed in.
    pub(crate) signed_in: Option<String>,
    /// Where this page is, to come back to.
    pub(crate) here: String,
    /// Whether a form of that page is answered, so that the address of the browser is another one.
    pub(crate) is_form: bool,
    /// What was just done.
    pub(crate) said: Option<Said>,
    /// What was searched for, to stand in the field again.
    pub(crate) searched: String,
    /// The container that is searched unless one asks for everything: its id and its name.
    pub(crate) within: Option<(String, String)>,
    /// Whether the administration is among the links.
    pub(crate) administers: bool,
    /// Whether they came by a link and have no account.
    pub(crate) is_guest: bool,
}

impl Frame {
    /// The text of a message.
    pub(crate) fn say(&self, id: &str) -> String {
        self.words.say(id)
    }

    /// The text of a message with one value in it.
    pub(crate) fn with<'a>(&self, id: &str, name: &'a str, value: impl Into<FluentValue<'a>>) -> String {
        self.words.with(id, name, value)
    }

    /// The text of a message with two values in it.
    pub(crate) fn with2<'a>(
        &self,
        id: &str,
        first: &'a str,
        value: impl Into<FluentValue<'a>>,
        second: &'a str,
        other: impl Into<FluentValue<'a>>,
    ) -> String {
        self.words.with2(id, first, value, second, other)
    }

    /// A whole number as a person reads it: in groups of three.
    pub(crate) fn number(&self, number: &u64) -> String {
        let digits = number.to_string();
        let separator = match self.words.0 {
            Language::English => ',',
            Language::German => '.',
        };
        let mut text = String::with_capacity(digits.len() + digits.len() / 3);
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                text.push(separator);
            }
            text.push(digit);
        }
        text
    }

    /// An address of ours on this page.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The address of an asset.
    pub(crate) fn asset(&self, name: &str) -> String {
        self.url(&assets::address(name))
    }

    /// A picture. Markup of ours.
    #[expect(clippy::unused_self, reason = "templates reach it through the frame, as everything")]
    pub(crate) fn icon(&self, name: &str) -> String {
        icons::icon(name)
    }

    /// The pictures of rows, once for a page. Markup of ours.
    #[expect(clippy::unused_self, reason = "templates reach it through the frame, as everything")]
    pub(crate) fn sprite(&self) -> &'static str {
        icons::sprite()
    }

    /// One of them. Markup of ours.
    #[expect(clippy::unused_self, reason = "templates reach it through the frame, as everything")]
    pub(crate) fn symbol(&self, name: &str) -> String {
        icons::symbol(name)
    }

    /// Text with what stands between backticks as code, which no line breaks. Markup; the text in it is harmless.
    #[expect(clippy::unused_self, reason = "templates reach it through the frame, as everything")]
    pub(crate) fn codes(&self, text: &str) -> String {
        let mut markup = String::with_capacity(text.len());
        for (at, piece) in text.split('`').enumerate() {
            let mut escaped = String::with_capacity(piece.len());
            // Writing to a string cannot fail.
            let _ = askama::filters::Escaper::write_escaped_str(&askama::filters::Html, &mut escaped, piece);
            if at % 2 == 0 {
                markup.push_str(&escaped);
            } else {
                markup.push_str("<code>");
                markup.push_str(&escaped);
                markup.push_str("</code>");
            }
        }
        markup
    }

    /// The languages that can be chosen.
    #[expect(clippy::unused_self, reason = "templates reach it through the frame, as everything")]
    pub(crate) fn languages(&self) -> [Language; 2] {
        Language::ALL
    }

    /// A moment as a person reads it; a script makes local time of it.
    pub(crate) fn time(&self, at: &Timestamp) -> String {
        moment(*at).map_or_else(String::new, |at| match self.words.0 {
            Language::English => at.strftime("%-d %b %Y, %H:%M UTC").to_string(),
            // Without the names of months, which would come in English.
            Language::German => at.strftime("%d.%m.%Y, %H:%M UTC").to_string(),
        })
    }

    /// A moment for `datetime="…"`.
    #[expect(clippy::unused_self, reason = "templates reach it through the frame, as everything")]
    pub(crate) fn datetime(&self, at: &Timestamp) -> String {
        moment(*at).map_or_else(String::new, |at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
    }

    /// A number of bytes as a person reads it.
    pub(crate) fn size(&self, bytes: &u64) -> String {
        const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];
        let (mut tenths, mut unit) = (u128::from(*bytes) * 10, 0);
        while tenths >= 10_000 && unit + 1 < UNITS.len() {
            tenths /= 1000;
            unit += 1;
        }
        let point = match self.words.0 {
            Language::English => '.',
            Language::German => ',',
        };
        match UNITS.get(unit) {
            Some(unit) if tenths < 100 && *bytes >= 1000 => format!("{}{point}{} {unit}", tenths / 10, tenths % 10),
            Some(unit) => format!("{} {unit}", tenths / 10),
            None => String::new(),
        }
    }
}

fn moment(at: Timestamp) -> Option<jiff::Zoned> {
    Some(jiff::Timestamp::from_millisecond(at.0).ok()?.to_zoned(jiff::tz::TimeZone::UTC))
}

/// What was just done, told once on the next page. It travels in the address as a word, so it can only be one of these.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Said {
    PasswordChanged,
    SessionEnded,
    SessionsEnded,
    Uploaded,
    ContainerMade,
    Renamed,
    Restored,
    VersionNamed,
    VersionKept,
    VersionNotKept,
    Released,
    SharedNow,
    SharedNoMore,
    LinkRevoked,
    Saved,
    Moved,
    Copied,
    Deleted,
    PutBack,
    Purged,
}

impl Said {
    const ALL: &[Self] = &[
        Self::PasswordChanged,
        Self::SessionEnded,
        Self::SessionsEnded,
        Self::Uploaded,
        Self::ContainerMade,
        Self::Renamed,
        Self::Restored,
        Self::VersionNamed,
        Self::VersionKept,
        Self::VersionNotKept,
        Self::Released,
        Self::SharedNow,
        Self::SharedNoMore,
        Self::LinkRevoked,
        Self::Saved,
        Self::Moved,
        Self::Copied,
        Self::Deleted,
        Self::PutBack,
        Self::Purged,
    ];

    /// The word in the address, which is the name of the message, too.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::PasswordChanged => "said-password-changed",
            Self::SessionEnded => "said-session-ended",
            Self::SessionsEnded => "said-sessions-ended",
            Self::Uploaded => "said-uploaded",
            Self::ContainerMade => "said-container-made",
            Self::Renamed => "said-renamed",
            Self::Restored => "said-restored",
            Self::VersionNamed => "said-version-named",
            Self::VersionKept => "said-version-kept",
            Self::VersionNotKept => "said-version-not-kept",
            Self::Released => "said-released",
            Self::SharedNow => "said-shared",
            Self::SharedNoMore => "said-shared-no-more",
            Self::LinkRevoked => "said-link-revoked",
            Self::Saved => "said-done",
            Self::Moved => "said-moved",
            Self::Copied => "said-copied",
            Self::Deleted => "said-deleted",
            Self::PutBack => "said-put-back",
            Self::Purged => "said-purged",
        }
    }

    /// What the query of an address says.
    pub(crate) fn in_query(query: Option<&str>) -> Option<Self> {
        let word = query?.split('&').find_map(|pair| pair.strip_prefix("said="))?;
        Self::ALL.iter().copied().find(|said| said.id() == word)
    }
}

/// A template as an answer.
pub(crate) fn page(template: &impl Template) -> Response {
    page_with(StatusCode::OK, template)
}

/// A template as an answer with a status.
pub(crate) fn page_with(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => Problem::internal("rendering a page", &error).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn frame(language: Language) -> Frame {
        Frame {
            words: Words(language),
            base: String::new(),
            signed_in: None,
            here: "/".to_owned(),
            is_form: false,
            said: None,
            searched: String::new(),
            within: None,
            administers: false,
            is_guest: false,
        }
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, english, german) in [
            (0, "0 B", "0 B"),
            (999, "999 B", "999 B"),
            (1000, "1.0 KB", "1,0 KB"),
            (1_234, "1.2 KB", "1,2 KB"),
            (12_345, "12 KB", "12 KB"),
            (1_500_000, "1.5 MB", "1,5 MB"),
            (u64::MAX, "18446744 TB", "18446744 TB"),
        ] {
            assert_eq!(frame(Language::English).size(&bytes), english);
            assert_eq!(frame(Language::German).size(&bytes), german);
        }
    }

    #[test]
    fn what_stands_between_backticks_is_code_and_nothing_becomes_markup() {
        let frame = frame(Language::English);
        for (text, markup) in [
            ("start with `--client URL`.", "start with <code>--client URL</code>."),
            ("<b> & `<i>` `open", "&#60;b&#62; &#38; <code>&#60;i&#62;</code> <code>open</code>"),
            ("", ""),
        ] {
            assert_eq!(frame.codes(text), markup);
        }
    }

    #[test]
    fn numbers_are_grouped() {
        for (number, english, german) in
            [(0, "0", "0"), (999, "999", "999"), (1000, "1,000", "1.000"), (1_234_567, "1,234,567", "1.234.567")]
        {
            assert_eq!(frame(Language::English).number(&number), english);
            assert_eq!(frame(Language::German).number(&number), german);
        }
    }

    #[test]
    fn a_moment_that_no_calendar_has_is_shown_as_nothing() {
        let frame = frame(Language::English);
        assert_eq!(frame.time(&Timestamp(0)), "1 Jan 1970, 00:00 UTC");
        assert_eq!(frame.datetime(&Timestamp(0)), "1970-01-01T00:00:00Z");
        assert_eq!(frame.time(&Timestamp(i64::MAX)), "");
    }

    #[test]
    fn what_was_done_is_one_of_our_own_words() {
        assert_eq!(Said::in_query(Some("a=1&said=said-session-ended")), Some(Said::SessionEnded));
        assert_eq!(Said::in_query(Some("said=<b>")), None);
        assert_eq!(Said::in_query(None), None);
    }
}
