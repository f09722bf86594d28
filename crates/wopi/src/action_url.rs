//! Action URLs: from a `urlsrc` of a discovery document to the URL that opens one file.
//!
//! A `urlsrc` is a URL with optional groups `<name=PLACEHOLDER&>`. A group whose placeholder we know, and have a value
//! for, loses its brackets; any other group disappears. Text outside brackets stays as it is (Microsoft's *WOPI
//! discovery*, *Placeholder values*).
//!
//! | placeholder | usual name | value | from |
//! |---|---|---|---|
//! | `UI_LLCC` | `ui` | language tag | [`ActionUrlFacts::ui_language`] |
//! | `DC_LLCC` | `rs` | language tag | [`ActionUrlFacts::data_language`], else the former |
//! | `WOPI_SOURCE` | `wopisrc` | WOPISrc | [`ActionUrlFacts::wopi_src`] |
//! | `SESSION_CONTEXT` | `sc` | any text | [`ActionUrlFacts::session_context`] |
//! | `BUSINESS_USER` | `IsLicensedUser` | `1` | [`ActionUrlFacts::business_user`] |
//! | `HOST_SESSION_ID` | `hid` | any text | [`ActionUrlFacts::host_session_id`] |
//! | `DISABLE_CHAT` | `dchat` | `1` | [`ActionUrlFacts::disable_chat`] |
//! | `VALIDATOR_TEST_CATEGORY` | `testcategory` | `All`, … | [`ActionUrlFacts::validator_category`] |
//! | `ACTIVITY_NAVIGATION_ID` | `actnavid` | any text | [`ActionUrlFacts::activity_navigation_id`] |
//! | `THEME_ID` | `thm` | `1`, `2` | [`ActionUrlFacts::theme`] |
//! | `EMBEDDED` | `e` | `true` | [`ActionUrlFacts::embedded`] |
//! | `DISABLE_ASYNC` | `na` | `true` | [`ActionUrlFacts::disable_async`] |
//! | `DISABLE_BROADCAST` | `vp` | `true` | [`ActionUrlFacts::disable_broadcast`] |
//! | `FULLSCREEN` | `fs` | `true` | [`ActionUrlFacts::fullscreen`] |
//! | `RECORDING` | `rec` | `true` | [`ActionUrlFacts::recording`] |
//! | `PERFSTATS` and any other | | | removed |
//!
//! The name of a parameter always comes from the template. Templates without `WOPI_SOURCE` (Office Online Server, Collabora)
//! get `WOPISrc=` appended, and `sc=` with it.
//!
//! ```
//! use wopi::action_url::{ActionUrlFacts, action_url};
//!
//! let facts = ActionUrlFacts {
//!     ui_language: Some("de-DE"),
//!     ..ActionUrlFacts::new("https://host.example/wopi/files/abc")
//! };
//! assert_eq!(
//!     action_url("https://office.example/we?edit=1&<ui=UI_LLCC&><rs=DC_LLCC&><dchat=DISABLE_CHAT&>", &facts),
//!     "https://office.example/we?edit=1&ui=de-DE&rs=de-DE&WOPISrc=https%3A%2F%2Fhost.example%2Fwopi%2Ffiles%2Fabc"
//! );
//! ```

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Longest URL that clients take, in bytes.
pub const ACTION_URL_LENGTH_MAX: usize = 2048;

/// Most `wd…` parameters that are passed on.
pub const WD_PARAMETERS_MAX: usize = 32;

/// What stays as it is in the value of a parameter: the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What is known of the visit. Values are given as they are; they are percent-encoded here, exactly once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionUrlFacts<'a> {
    /// WOPISrc of the file, without a token.
    pub wopi_src: &'a str,
    /// The language of the interface, `de-DE`. The client's own choice without.
    pub ui_language: Option<&'a str>,
    /// The language in which data is calculated and formatted; that of the interface without.
    pub data_language: Option<&'a str>,
    /// Comes back as `X-WOPI-SessionContext` with CheckFileInfo.
    pub session_context: Option<&'a str>,
    /// Whether the person is to be asked for, or has, a business licence.
    pub business_user: bool,
    /// An id that connects the host's logs with the client's.
    pub host_session_id: Option<&'a str>,
    /// Whether people shall not chat.
    pub disable_chat: bool,
    /// Which tests the validator runs.
    pub validator_category: Option<ValidatorCategory>,
    /// Where in the document to go: `NavigationId` of an activity.
    pub activity_navigation_id: Option<&'a str>,
    /// The colours of a broadcast, and of ONLYOFFICE.
    pub theme: Option<Theme>,
    /// Whether it is shown inside another page.
    pub embedded: bool,
    /// For `attend`.
    pub disable_async: bool,
    /// For broadcasts.
    pub disable_broadcast: bool,
    /// For broadcasts.
    pub fullscreen: bool,
    /// For broadcasts.
    pub recording: bool,
    /// Parameters to append: `wd…` ones that the page was called with (see [`wd_parameters`]), or what a vendor reads
    /// besides (`lang`, `closebutton`). Those that would make the URL longer than [`ACTION_URL_LENGTH_MAX`] are left out.
    pub extra: &'a [(Cow<'a, str>, Cow<'a, str>)],
    /// The token, for the action `getinfo` only, which is a plain GET. All others get it in the body of a form.
    pub token_in_query: Option<QueryToken<'a>>,
}

/// A token that goes into the query.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct QueryToken<'a> {
    /// `access_token`
    pub access_token: &'a str,
    /// `access_token_ttl`: when it runs out, in milliseconds since 1970.
    pub access_token_ttl: i64,
}

impl std::fmt::Debug for QueryToken<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("QueryToken(..)")
    }
}

/// What Microsoft's validator tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValidatorCategory {
    /// Everything.
    All,
    /// What Office for the web needs.
    OfficeOnline,
    /// What Office on phones needs.
    OfficeNativeClient,
}

/// Colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl<'a> ActionUrlFacts<'a> {
    /// Nothing but the file.
    pub fn new(wopi_src: &'a str) -> Self {
        Self {
            wopi_src,
            ui_language: None,
            data_language: None,
            session_context: None,
            business_user: false,
            host_session_id: None,
            disable_chat: false,
            validator_category: None,
            activity_navigation_id: None,
            theme: None,
            embedded: false,
            disable_async: false,
            disable_broadcast: false,
            fullscreen: false,
            recording: false,
            extra: &[],
            token_in_query: None,
        }
    }

    /// The value of a placeholder; `None` removes its group.
    fn value(&self, placeholder: &str) -> Option<&'a str> {
        let one = |wanted: bool| wanted.then_some("1");
        let yes = |wanted: bool| wanted.then_some("true");
        match placeholder {
            "UI_LLCC" => self.ui_language,
            "DC_LLCC" => self.data_language.or(self.ui_language),
            "WOPI_SOURCE" => Some(self.wopi_src),
            "SESSION_CONTEXT" => self.session_context,
            "BUSINESS_USER" => one(self.business_user),
            "HOST_SESSION_ID" => self.host_session_id,
            "DISABLE_CHAT" => one(self.disable_chat),
            "VALIDATOR_TEST_CATEGORY" => self.validator_category.map(|category| match category {
                ValidatorCategory::All => "All",
                ValidatorCategory::OfficeOnline => "OfficeOnline",
                ValidatorCategory::OfficeNativeClient => "OfficeNativeClient",
            }),
            "ACTIVITY_NAVIGATION_ID" => self.activity_navigation_id,
            "THEME_ID" => self.theme.map(|theme| match theme {
                Theme::Light => "1",
                Theme::Dark => "2",
            }),
            "EMBEDDED" => yes(self.embedded),
            "DISABLE_ASYNC" => yes(self.disable_async),
            "DISABLE_BROADCAST" => yes(self.disable_broadcast),
            "FULLSCREEN" => yes(self.fullscreen),
            "RECORDING" => yes(self.recording),
            _ => None,
        }
    }
}

/// The URL that `urlsrc` makes of these facts.
pub fn action_url(urlsrc: &str, facts: &ActionUrlFacts<'_>) -> String {
    let (template, fragment) = split_fragment(urlsrc);
    let mut url = UrlBuilder::default();
    let seen = url.fill(template, |placeholder| facts.value(placeholder));
    if !seen.wopi_source {
        url.parameter("WOPISrc", facts.wopi_src);
        // Documents from before WOPI_SOURCE have no SESSION_CONTEXT either.
        if let Some(context) = facts.session_context.filter(|_| !seen.session_context) {
            url.parameter("sc", context);
        }
    }
    if let Some(token) = facts.token_in_query {
        url.parameter("access_token", token.access_token);
        url.parameter("access_token_ttl", &token.access_token_ttl.to_string());
    }
    for (name, value) in facts.extra {
        let before = url.text.len();
        url.parameter(name, value);
        if url.text.len() + fragment.len() > ACTION_URL_LENGTH_MAX {
            url.text.truncate(before);
        }
    }
    url.finish(fragment)
}

/// The URL for `preloadview` and `preloadedit`, which warm a browser's cache and know neither file nor token.
pub fn preload_url(urlsrc: &str, ui_language: Option<&str>) -> String {
    let (template, fragment) = split_fragment(urlsrc);
    let mut url = UrlBuilder::default();
    url.fill(template, |placeholder| ui_language.filter(|_| matches!(placeholder, "UI_LLCC" | "DC_LLCC")));
    url.finish(fragment)
}

/// The `wd…` parameters of a query, decoded, in their order: what Office adds to the host's URLs and wants to see again on
/// its own. At most [`WD_PARAMETERS_MAX`].
pub fn wd_parameters(query: &str) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
    url::form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| name.starts_with("wd"))
        .take(WD_PARAMETERS_MAX)
        .collect()
}

/// Whether a template has any placeholder. Those without come from clients that read parameters of their own.
pub fn has_placeholders(urlsrc: &str) -> bool {
    urlsrc.split('<').skip(1).any(|group| group.contains('>'))
}

fn split_fragment(urlsrc: &str) -> (&str, &str) {
    urlsrc.find('#').map_or((urlsrc, ""), |at| urlsrc.split_at(at))
}

/// Which placeholders a template had.
#[derive(Default)]
struct Seen {
    wopi_source: bool,
    session_context: bool,
}

/// A URL that grows at its end, with separators where templates lack them.
#[derive(Default)]
struct UrlBuilder {
    text: String,
    /// Whether the text ends with the value of a parameter, so that more of the template needs a separator.
    after_value: bool,
}

impl UrlBuilder {
    fn fill<'a>(&mut self, template: &str, value: impl Fn(&str) -> Option<&'a str>) -> Seen {
        let mut seen = Seen::default();
        let mut rest = template;
        while let Some((before, group, after)) = next_group(rest) {
            self.literal(before);
            let (name, placeholder) = group.split_once('=').unwrap_or((group, ""));
            let (placeholder, ampersand) = match placeholder.strip_suffix('&') {
                Some(placeholder) => (placeholder, true),
                None => (placeholder, false),
            };
            seen.wopi_source |= placeholder == "WOPI_SOURCE";
            seen.session_context |= placeholder == "SESSION_CONTEXT";
            if let Some(value) = value(placeholder) {
                self.parameter_as_written(name, value);
                if ampersand {
                    self.literal("&");
                }
            }
            rest = after;
        }
        self.literal(rest);
        seen
    }

    /// Text outside brackets.
    fn literal(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if self.after_value && !text.starts_with('&') {
            self.text.push('&');
        }
        for c in text.chars() {
            match c {
                // A bracket that belongs to no group cannot stand in a URL.
                '<' => self.text.push_str("%3C"),
                '>' => self.text.push_str("%3E"),
                c => self.text.push(c),
            }
        }
        self.after_value = false;
    }

    fn parameter(&mut self, name: &str, value: &str) {
        let name: Cow<'_, str> = utf8_percent_encode(name, ENCODED).into();
        self.parameter_as_written(&name, value);
    }

    fn parameter_as_written(&mut self, name: &str, value: &str) {
        // `…/rtc2/` has no query, `<ui=UI_LLCC>` no ampersand.
        if !self.text.contains('?') {
            self.text.push('?');
        } else if !self.text.ends_with(['?', '&']) {
            self.text.push('&');
        }
        self.text.push_str(name);
        self.text.push('=');
        self.text.extend(utf8_percent_encode(value, ENCODED));
        self.after_value = true;
    }

    fn finish(mut self, fragment: &str) -> String {
        let end = self.text.trim_end_matches(['?', '&']).len();
        self.text.truncate(end);
        self.text.push_str(fragment);
        self.text
    }
}

/// What stands before, in and after the next pair of brackets.
fn next_group(template: &str) -> Option<(&str, &str, &str)> {
    let close = template.find('>')?;
    let open = template.get(..close)?.rfind('<')?;
    Some((template.get(..open)?, template.get(open + 1..close)?, template.get(close + 1..)?))
}

#[cfg(test)]
mod tests;
