//! Fetches discovery documents over HTTP, and nothing but them.
//!
//! Only from where the operator said: `http` or `https`, redirects only within the same scheme, host and port, so that a
//! client's server cannot make us ask a third one (SSRF). Bounded in bytes and time. Proxies of the environment are not
//! used: an office server is near.

use std::time::Duration;

use async_trait::async_trait;
use http::HeaderValue;
use lectern_host::BoxError;
use lectern_host::ports::{DISCOVERY_BYTES_MAX, DiscoverySource};
use reqwest::redirect::{Attempt, Policy};
use url::Url;

use crate::site::RUN_HEADER;

/// How long a connection to a client's server may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the whole document may take.
pub const FETCH_TIMEOUT: Duration = Duration::from_secs(20);

/// Most redirects that are followed.
pub const REDIRECTS_MAX: usize = 5;

/// Fetches discovery documents over HTTP.
#[derive(Clone, Debug)]
pub struct HttpDiscovery {
    client: reqwest::Client,
}

impl HttpDiscovery {
    /// With the certificates that the system trusts. A system that has none (a small container) can still fetch from
    /// `http` addresses.
    ///
    /// # Errors
    ///
    /// If there can be no client at all.
    pub fn new() -> Result<Self, BoxError> {
        let client = match builder().build() {
            Ok(client) => client,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "no certificates can be trusted, so no discovery document comes from an https address; install the \
                     package ca-certificates, or name them in SSL_CERT_FILE"
                );
                builder().tls_certs_only([]).build()?
            }
        };
        Ok(Self { client })
    }

    /// The status with which `url` answers, and which run of a server it says that it is, for `lectern check`.
    ///
    /// # Errors
    ///
    /// If it does not answer.
    pub async fn status(&self, url: &str) -> Result<(u16, Option<HeaderValue>), BoxError> {
        let answer = self.client.get(url).send().await?;
        Ok((answer.status().as_u16(), answer.headers().get(RUN_HEADER).cloned()))
    }
}

#[async_trait]
impl DiscoverySource for HttpDiscovery {
    async fn fetch(&self, url: &str) -> Result<String, BoxError> {
        let url = Url::parse(url)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("`{}:` is no web address", url.scheme()).into());
        }
        let mut answer = self.client.get(url).send().await?;
        if answer.status() != reqwest::StatusCode::OK {
            return Err(format!("the server answered {}", answer.status()).into());
        }
        let mut document = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if document.len() + chunk.len() > DISCOVERY_BYTES_MAX {
                return Err(format!("the document is larger than {DISCOVERY_BYTES_MAX} bytes").into());
            }
            document.extend_from_slice(&chunk);
        }
        Ok(String::from_utf8(document).map_err(|_| "the document is not UTF-8")?)
    }
}

fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("lectern/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::custom(within_origin))
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(FETCH_TIMEOUT)
        .no_proxy()
}

fn within_origin(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let Some(first) = attempt.previous().first() else { return attempt.stop() };
    if attempt.previous().len() > REDIRECTS_MAX {
        return attempt.error(format!("more than {REDIRECTS_MAX} redirects"));
    }
    if first.origin() != attempt.url().origin() {
        let message = format!("redirected to another server ({})", attempt.url().origin().ascii_serialization());
        return attempt.error(message);
    }
    attempt.follow()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A server that answers `/PATH` with what `answer` says, once per connection.
    async fn server(answer: impl Fn(&str, u16) -> Vec<u8> + Send + 'static) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") && socket.read_buf(&mut head).await.unwrap_or(0) > 0 {}
                let head = String::from_utf8_lossy(&head).into_owned();
                let path = head.split(' ').nth(1).unwrap_or_default();
                let _ = socket.write_all(&answer(path, port)).await;
            }
        });
        port
    }

    fn ok(body: &[u8]) -> Vec<u8> {
        let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    }

    fn redirect(to: &str) -> Vec<u8> {
        format!("HTTP/1.1 302 Found\r\nconnection: close\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n").into_bytes()
    }

    async fn fetch(port: u16, path: &str) -> Result<String, String> {
        let source = HttpDiscovery::new().unwrap();
        source.fetch(&format!("http://127.0.0.1:{port}{path}")).await.map_err(|error| {
            let mut text = error.to_string();
            let mut next = error.source();
            while let Some(source) = next {
                text = format!("{text}: {source}");
                next = source.source();
            }
            text
        })
    }

    #[tokio::test]
    async fn a_document_is_fetched_also_through_redirects_on_the_same_server() {
        let port = server(|path, _| match path {
            "/hosting/discovery" => ok("<wopi-discovery/>".as_bytes()),
            _ => redirect("/hosting/discovery"),
        })
        .await;
        assert_eq!(fetch(port, "/hosting/discovery").await.unwrap(), "<wopi-discovery/>");
        assert_eq!(fetch(port, "/old").await.unwrap(), "<wopi-discovery/>");
    }

    #[tokio::test]
    async fn a_redirect_to_another_server_or_in_a_circle_is_refused() {
        let other = server(|_, _| ok(b"secret")).await;
        let port = server(move |path, port| match path {
            "/elsewhere" => redirect(&format!("http://127.0.0.1:{other}/")),
            "/by-name" => redirect(&format!("http://localhost:{port}/")),
            _ => redirect("/circle"),
        })
        .await;
        assert!(fetch(port, "/elsewhere").await.unwrap_err().contains("another server"));
        assert!(fetch(port, "/by-name").await.unwrap_err().contains("another server"));
        assert!(fetch(port, "/circle").await.unwrap_err().contains("more than 5 redirects"));
    }

    #[tokio::test]
    async fn what_is_no_document_is_refused_with_the_reason() {
        let port = server(|path, _| match path {
            "/missing" => b"HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".to_vec(),
            "/latin1" => ok(b"\xe9"),
            "/just-fits" => ok(&vec![b' '; DISCOVERY_BYTES_MAX]),
            _ => ok(&vec![b' '; DISCOVERY_BYTES_MAX + 1]),
        })
        .await;
        assert!(fetch(port, "/missing").await.unwrap_err().contains("404"));
        assert!(fetch(port, "/latin1").await.unwrap_err().contains("UTF-8"));
        assert!(fetch(port, "/too-large").await.unwrap_err().contains("larger than"));
        assert_eq!(fetch(port, "/just-fits").await.unwrap().len(), DISCOVERY_BYTES_MAX);
        let source = HttpDiscovery::new().unwrap();
        assert!(source.fetch("file:///etc/hostname").await.unwrap_err().to_string().contains("no web address"));
    }
}
