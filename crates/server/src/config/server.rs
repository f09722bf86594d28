//! `[server]`

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::section::section;
use super::values::{PublicUrl, Span};

section! {
    /// Where the program listens and how the outside reaches it.
    pub struct Server = "server" {
        /// Address and port to listen on. Port 0 takes any free port. `--listen` wins.
        pub listen: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
        /// Where office servers reach this program: the URL of the reverse proxy in front of it, perhaps with a path.
        /// Every WOPISrc is built from it, and a client signs its requests with it, so it must be exactly what clients use.
        /// Without it: `http://` and the address that is listened on, which serves clients on this machine only.
        /// `--public-url` wins.
        pub public_url: Option<PublicUrl>, for example "\"https://documents.example.org\"";
        /// Addresses of reverse proxies whose X-Forwarded-For is believed: for log lines, and to tell
        /// those who try passwords from one another.
        pub trusted_proxies: Vec<IpAddr> = Vec::new();
        /// What this node is called where others read of it; the name of the machine if nothing is said.
        pub node: Option<String>, for example "\"lectern-1\"";
        /// How long a stop is announced before it begins: `/health/ready` answers 503, and everything else goes on. With
        /// several nodes, longer than the load balancer takes to notice that; then no request meets a closed door.
        pub shutdown_notice: Span<0, 600_000> = const { Span::ms(0) };
        /// How long a stop waits for requests that have begun, saves above all. A second signal stops at once.
        pub shutdown_grace: Span<0, 600_000> = const { Span::ms(30_000) };
    }
}
