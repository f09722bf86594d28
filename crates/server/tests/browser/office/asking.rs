//! The server side of the office server: real WOPI requests, each signed anew.

use std::net::SocketAddr;
use std::time::UNIX_EPOCH;

use serde_json::{Value, json};
use url::Url;
use wopi::proof::{SigningKey, sign};

use crate::common::http::{Answer, Request, once};

/// A request that was made, and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The operation, by the document's name.
    pub(crate) operation: &'static str,
    /// The status; 0 if nobody answered.
    pub(crate) status: u16,
}

/// A document that somebody has open.
#[derive(Clone)]
pub(super) struct Session {
    wopi_src: String,
    token: String,
    edit: bool,
    lock: String,
}

/// What follows from an operation: what the page is told, and what was asked for it.
type Done = (Value, Vec<Asked>);

impl Session {
    pub(super) fn new(wopi_src: &str, token: &str, edit: bool) -> Self {
        // One lock id for a document, whoever edits it: editors of the same document share it.
        let lock = format!(r#"{{"S":"stand-in {}"}}"#, wopi_src.rsplit('/').next().unwrap_or_default());
        Self { wopi_src: wopi_src.to_owned(), token: token.to_owned(), edit, lock }
    }

    /// Does one thing that the page asks for. `None` if there is no such thing.
    pub(super) async fn operate(&mut self, key: &SigningKey, operation: &str, text: &str) -> Option<Done> {
        let mut asked = Vec::new();
        let told = match operation {
            "open" => self.open(key, &mut asked).await,
            "look" => {
                let answer = self.ask(key, &mut asked, "CheckFileInfo", "", None, &[], "").await;
                json!({ "status": status(&answer) })
            }
            "save" => {
                let lock = ("X-WOPI-Lock", self.lock.as_str());
                let answer = self.ask(key, &mut asked, "PutFile", "/contents", Some("PUT"), &[lock], text).await;
                json!({ "status": status(&answer) })
            }
            "refresh" => self.locking(key, &mut asked, "RefreshLock", "REFRESH_LOCK").await,
            "close" => self.locking(key, &mut asked, "Unlock", "UNLOCK").await,
            "rename" => {
                let wanted = wopi::utf7::encode(text);
                let headers = [("X-WOPI-Lock", self.lock.as_str()), ("X-WOPI-RequestedName", wanted.as_str())];
                let answer = self.ask(key, &mut asked, "RenameFile", "", Some("RENAME_FILE"), &headers, "").await;
                let name =
                    answer.as_ref().filter(|answer| answer.status == 200).map(|answer| answer.json()["Name"].take());
                json!({ "status": status(&answer), "name": name })
            }
            "token" => {
                // A fresh one, which the page around us handed over.
                self.token = text.to_owned();
                json!({ "status": 200 })
            }
            _ => return None,
        };
        Some((told, asked))
    }

    /// In the order of real clients: the facts, the bytes, the lock.
    async fn open(&self, key: &SigningKey, asked: &mut Vec<Asked>) -> Value {
        let info = self.ask(key, asked, "CheckFileInfo", "", None, &[], "").await;
        let Some(info) = info.filter(|info| info.status == 200) else { return json!({ "status": 0 }) };
        let bytes = self.ask(key, asked, "GetFile", "/contents", None, &[], "").await;
        let text = bytes.as_ref().map(|bytes| String::from_utf8_lossy(&bytes.body).into_owned());
        let mut told = json!({ "status": status(&bytes), "info": info.json(), "text": text });
        if self.edit && told["info"]["UserCanWrite"] == true {
            told["lock"] = self.locking(key, asked, "Lock", "LOCK").await["status"].take();
        }
        told
    }

    async fn locking(&self, key: &SigningKey, asked: &mut Vec<Asked>, name: &'static str, header: &str) -> Value {
        let lock = ("X-WOPI-Lock", self.lock.as_str());
        let answer = self.ask(key, asked, name, "", Some(header), &[lock], "").await;
        json!({ "status": status(&answer) })
    }

    #[expect(clippy::too_many_arguments, reason = "everything that a request has")]
    async fn ask(
        &self,
        key: &SigningKey,
        asked: &mut Vec<Asked>,
        operation: &'static str,
        below: &str,
        override_header: Option<&str>,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Option<Answer> {
        let url = Url::parse(&self.wopi_src).expect("a WOPISrc is an address");
        let address = format!("{}:{}", url.host_str().unwrap_or_default(), url.port().unwrap_or(80));
        let address: SocketAddr = address.parse().expect("a WOPISrc of this machine");
        // Tokens are made of characters that need no escapes, which the proof would have to know of.
        let query = format!("{below}?access_token={}", self.token);
        let now = UNIX_EPOCH.elapsed().ok().and_then(|since| i64::try_from(since.as_millis()).ok());
        let signed = format!("{}{query}", self.wopi_src);
        let proofs = sign(key, key, &signed, &self.token, now.unwrap_or_default()).expect("the key can sign");
        let target = format!("{}{query}", url.path());
        let mut request = match override_header {
            Some(name) => Request::post(&target).header("X-WOPI-Override", name),
            None => Request::get(&target),
        };
        request = request.header("Authorization", format!("Bearer {}", self.token));
        for (name, value) in proofs.pairs().iter().chain(headers) {
            request = request.header(name, value);
        }
        let answer = once(address, &request.body(body)).await.ok();
        asked.push(Asked { operation, status: status(&answer) });
        answer
    }
}

fn status(answer: &Option<Answer>) -> u16 {
    answer.as_ref().map_or(0, |answer| answer.status)
}
