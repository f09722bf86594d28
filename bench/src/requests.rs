//! The bytes of the requests, made before anything is measured.

use std::io::{Read, Write};
use std::net::TcpListener;

use anyhow::Context;
use bytes::Bytes;
use wopi::proof::{SigningKey, sign};
use xtask::lectern::Target;

/// A GET without body.
pub(crate) fn get(target: &str) -> Bytes {
    format!("GET {target} HTTP/1.1\r\nHost: bench\r\n\r\n").into()
}

/// A POST without body, with these headers.
pub(crate) fn post(target: &str, headers: &[(&str, &str)]) -> Bytes {
    post_head(target, headers, 0)
}

/// The head of a POST whose body has so many bytes.
pub(crate) fn post_head(target: &str, headers: &[(&str, &str)], length: usize) -> Bytes {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("POST {target} HTTP/1.1\r\nHost: bench\r\nContent-Length: {length}\r\n{headers}\r\n").into()
}

/// Lock and Unlock of one file, in turns.
pub(crate) fn lock_and_unlock(target: &Target) -> Vec<Bytes> {
    let id = r#"{"S":"5a8f1d0e-7a0c-4d64-9df2-5a1c0f6f1f5e","F":4}"#;
    let request = |operation| post(&target.request_target(""), &[("X-WOPI-Override", operation), ("X-WOPI-Lock", id)]);
    // A script begins with its second request.
    vec![request("UNLOCK"), request("LOCK")]
}

/// A client that signs: its key, and the discovery document in which it stands.
pub(crate) struct Signer {
    key: SigningKey,
}

impl Signer {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self { key: SigningKey::generate().context("cannot make an RSA key")? })
    }

    /// `count` signed CheckFileInfo requests, no two alike: a server that remembered good signatures would gain nothing.
    pub(crate) fn check_file_infos(&self, target: &Target, count: usize) -> anyhow::Result<Vec<Bytes>> {
        let url = format!("{}?access_token={}", target.wopi_src, target.access_token);
        let request_target = target.request_target("");
        let now_ms = i64::try_from(std::time::UNIX_EPOCH.elapsed()?.as_millis())?;
        let one = |number: usize| {
            // A millisecond apart; `count` of them are some seconds old, far from twenty minutes.
            let at_ms = now_ms - i64::try_from(number)?;
            let proofs = sign(&self.key, &self.key, &url, &target.access_token, at_ms).context("cannot sign")?;
            let headers: String = proofs.pairs().iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            Ok(Bytes::from(format!("GET {request_target} HTTP/1.1\r\nHost: bench\r\n{headers}\r\n")))
        };
        let half = count / 2;
        std::thread::scope(|scope| {
            let other = scope.spawn(|| (0..half).map(one).collect::<anyhow::Result<Vec<_>>>());
            let mut requests: Vec<Bytes> = (half..count).map(one).collect::<anyhow::Result<_>>()?;
            let more = other.join().map_err(|_| anyhow::anyhow!("signing panicked"))?;
            requests.extend(more?);
            Ok(requests)
        })
    }

    /// Serves the discovery document on a free port for as long as this process lives, and says where.
    pub(crate) fn serve_discovery(&self) -> anyhow::Result<String> {
        let document = self.discovery();
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}/hosting/discovery", listener.local_addr()?);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && head.len() < 8192 && stream.read_exact(&mut byte).is_ok() {
                    head.push(byte[0]);
                }
                let length = document.len();
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
                // Whoever went away has nothing to read.
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(document.as_bytes()));
            }
        });
        Ok(url)
    }

    fn discovery(&self) -> String {
        let key = self.key.public();
        let (value, modulus, exponent) = (key.capi_blob_base64(), key.modulus_base64(), key.exponent_base64());
        format!(
            "<wopi-discovery><net-zone name=\"external-http\"><app name=\"Bench\">\
             <action name=\"view\" ext=\"bin\" urlsrc=\"http://office.example.test/view?&lt;wopisrc=WOPI_SOURCE&amp;&gt;\"/>\
             <action name=\"edit\" ext=\"bin\" requires=\"locks,update\" \
             urlsrc=\"http://office.example.test/edit?&lt;wopisrc=WOPI_SOURCE&amp;&gt;\"/></app></net-zone>\
             <proof-key value=\"{value}\" modulus=\"{modulus}\" exponent=\"{exponent}\" \
             oldvalue=\"{value}\" oldmodulus=\"{modulus}\" oldexponent=\"{exponent}\"/></wopi-discovery>"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn signed_requests_are_good_and_all_different() {
        let target = Target {
            wopi_src: "http://127.0.0.1:8080/wopi/files/1".to_owned(),
            access_token: "token".to_owned(),
            expires_at_ms: 0,
        };
        let requests = Signer::new().unwrap().check_file_infos(&target, 5).unwrap();
        assert_eq!(requests.iter().collect::<HashSet<_>>().len(), 5);
        for request in requests {
            let text = String::from_utf8(request.to_vec()).unwrap();
            assert!(text.starts_with("GET /wopi/files/1?access_token=token HTTP/1.1\r\n"), "{text}");
            assert!(text.to_lowercase().contains("x-wopi-proof: ") && text.ends_with("\r\n\r\n"), "{text}");
        }
    }
}
