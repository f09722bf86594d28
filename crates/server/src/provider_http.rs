//! Requests to the provider that people sign in with: over HTTPS, without redirects, within limits.

use std::time::Duration;

use async_trait::async_trait;
use lectern_host::BoxError;
use lectern_web::{PROVIDER_ANSWER_BYTES_MAX, ProviderHttp};

/// How long an answer may take: somebody is waiting for a page.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// Requests over the network.
#[derive(Debug)]
pub struct NetworkProvider {
    client: reqwest::Client,
}

impl NetworkProvider {
    /// With the certificates that the system trusts.
    ///
    /// # Errors
    ///
    /// If TLS cannot be set up.
    pub fn new() -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("lectern/", env!("CARGO_PKG_VERSION")))
            // A provider that redirects could lead us anywhere inside.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(crate::discovery_source::CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            .no_proxy()
            .build()?;
        Ok(Self { client })
    }
}

#[async_trait]
impl ProviderHttp for NetworkProvider {
    async fn send(&self, request: http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, BoxError> {
        let (parts, body) = request.into_parts();
        let url = reqwest::Url::parse(&parts.uri.to_string())?;
        let request = self.client.request(parts.method, url).headers(parts.headers).body(body);
        let mut answer = request.send().await?;
        let mut told = http::Response::new(Vec::new());
        *told.status_mut() = answer.status();
        *told.headers_mut() = answer.headers().clone();
        while let Some(piece) = answer.chunk().await? {
            if told.body().len() + piece.len() > PROVIDER_ANSWER_BYTES_MAX {
                return Err(format!("the answer is larger than {PROVIDER_ANSWER_BYTES_MAX} bytes").into());
            }
            told.body_mut().extend_from_slice(&piece);
        }
        Ok(told)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Answers one request so.
    async fn one(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut asked = [0; 4096];
            let _ = socket.read(&mut asked).await.unwrap();
            socket.write_all(answer.as_bytes()).await.unwrap();
        });
        format!("http://{address}/token")
    }

    #[tokio::test]
    async fn answers_come_back_as_they_are_and_redirects_are_not_followed() {
        let http = NetworkProvider::new().unwrap();
        for (answer, status, body) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok"),
            ("HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n", 302, ""),
        ] {
            let request = http::Request::post(one(answer).await).body(b"x".to_vec()).unwrap();
            let told = http.send(request).await.unwrap();
            assert_eq!((told.status().as_u16(), told.body().as_slice()), (status, body.as_bytes()));
        }
    }
}
