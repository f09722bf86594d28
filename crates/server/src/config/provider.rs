//! `[provider]`

use std::path::PathBuf;

use super::section::section;

section! {
    /// A provider of OpenID Connect that people can sign in with. Whoever it calls by somebody's name is that somebody
    /// here, so it has to be one that you trust with that. People who are not there yet are added as members. At the
    /// provider, give the public URL and `/sign-in/callback` as the address to come back to.
    pub struct Provider = "provider" {
        /// Its issuer URL. Without it there is no provider.
        pub issuer: Option<String>, for example "\"https://login.example.org/realms/work\"";
        /// How we are known there.
        pub client_id: Option<String>, for example "\"lectern\"";
        /// A file with our secret there.
        pub client_secret_file: Option<PathBuf>, for example "\"provider-secret\"";
        /// What stands on the button.
        pub label: String = "OpenID Connect".to_owned();
        /// What is asked for beside `openid`.
        pub scopes: Vec<String> = vec!["profile".to_owned()];
        /// The claim that is somebody's name here. `email` counts only if the provider does not say it is unverified.
        pub name_claim: String = "preferred_username".to_owned();
        /// The claim that lists somebody's groups; they are then in exactly these groups here. Without it, groups are
        /// managed here.
        pub groups_claim: Option<String>, for example "\"groups\"";
    }
}
