//! `[bootstrapper]`

use super::section::section;

section! {
    /// Where Office on phones finds the OAuth server that signs people in, for those who add this host as a place. It is
    /// told in the challenge of the bootstrapper.
    pub struct Bootstrapper = "bootstrapper" {
        /// Where a person signs in.
        pub authorization_uri: Option<String>, for example "\"https://login.example.org/authorize\"";
        /// Where a code becomes a token.
        pub token_issuance_uri: Option<String>, for example "\"https://login.example.org/token\"";
        /// The provider id that Microsoft has assigned.
        pub provider_id: Option<String>, for example "\"tp_example\"";
        /// URL schemes to open the sign-in with, JSON, URL-encoded.
        pub url_schemes: Option<String>, for example "\"%7B%22iOS%22%3A%5B%22contoso%22%5D%7D\"";
    }
}
