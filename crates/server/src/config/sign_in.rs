//! `[sign_in]`

use super::section::section;
use super::values::{Count, Span};

section! {
    /// How people sign in to the pages.
    pub struct SignIn = "sign_in" {
        /// How long somebody stays signed in. Documents that are open then are closed after their last save.
        pub session_lifetime: Span<600_000, 31_536_000_000> = const { Span::ms(14 * 24 * 60 * 60 * 1000) };
        /// How often in a row a name can be tried with wrong passwords; after that, once every `try_again_after`.
        pub tries_per_name: Count<1, 1_000_000> = const { Count::of(10) };
        /// The same for an address, whatever the names. Behind a proxy that is not in `server.trusted_proxies`, everybody
        /// has the address of the proxy.
        pub tries_per_address: Count<1, 1_000_000> = const { Count::of(50) };
        /// The header in which a reverse proxy says who is signed in. It is believed from the addresses in
        /// `server.trusted_proxies` and from nobody else; the proxy has to take it away from what comes from outside.
        pub proxy_header: Option<String>, for example "\"Remote-User\"";
        /// After how long one more try is allowed.
        pub try_again_after: Span<1000, 3_600_000> = const { Span::ms(30_000) };
    }
}
