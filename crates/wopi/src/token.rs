//! Access tokens: opaque text that a host issued for one user and one resource.

use std::fmt;

/// An access token as a request carried it, percent-decoded.
///
/// Its `Debug` never shows the text. Nothing here says what is in it: that is the host's business.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken(String);

impl AccessToken {
    /// Longest token that is looked at, in bytes. A client's URL is limited to about 2000 characters.
    pub const LENGTH_MAX: usize = 4096;

    /// The token with this text; `None` if it is empty or longer than [`Self::LENGTH_MAX`].
    pub fn parse(text: &str) -> Option<Self> {
        (1..=Self::LENGTH_MAX).contains(&text.len()).then(|| Self(text.to_owned()))
    }

    /// The text of the token. Keep it out of logs.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(..)")
    }
}
