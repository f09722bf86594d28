//! `[limits]`

use super::section::section;
use super::values::{Count, Size, Span};

section! {
    /// Bounds of everything that comes from outside.
    pub struct Limits = "limits" {
        /// Largest file that can be saved. A larger one is answered 413.
        pub body_bytes_max: Size<1, { 1 << 40 }> = const { Size::bytes(1 << 30) };
        /// Largest JSON or other small body.
        pub json_bytes_max: Size<1024, { 64 << 20 }> = const { Size::bytes(1 << 20) };
        /// Largest request head: request line and all headers. Clients carry names and tokens in them.
        pub header_bytes_max: Size<{ 8 << 10 }, { 128 << 10 }> = const { Size::bytes(64 << 10) };
        /// Longest text that a client can store for a user (PutUserInfo), in bytes. The protocol asks for 1024.
        pub user_info_bytes_max: Count<1024, 65_536> = const { Count::of(1024) };
        /// How long a client may take for a request head, and how long a connection may be idle between two requests.
        /// Longer than the 60 seconds for which proxies keep idle connections, so that it is they who close them.
        pub header_timeout: Span<1000, 3_600_000> = const { Span::ms(75_000) };
        /// How long a client may send nothing in the middle of a body.
        pub body_timeout: Span<1000, 3_600_000> = const { Span::ms(60_000) };
        /// Most connections at once. More wait until one is closed.
        pub connections_max: Count<1, 1_000_000> = const { Count::of(2000) };
        /// Most bodies larger than json_bytes_max (saves, that is) at once. More are answered 503, and clients try again.
        pub saves_max: Count<1, 100_000> = const { Count::of(200) };
    }
}
