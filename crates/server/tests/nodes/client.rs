//! A client: it asks any node anything, waits only so long, and notes what it was told.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::RwLockReadGuard;

use super::common::frames::{self, Told};
use super::common::http::{Connection, Request};
use super::common::wopi_client::File;
use super::common::{Answer, Chance, Token};
use super::history::{Asked, Call, Got, Id, NEVER, Save, Shown};
use super::shared::{Everyone, Made, Making, Target, lock};
use super::world::{NODES, World};

/// How long a client waits for an answer: some soon lose patience, and then nobody knows what became of it.
const PATIENCE: [Duration; 3] = [Duration::from_millis(1000), Duration::from_secs(3), Duration::from_secs(12)];

/// The number of the client that only reads.
const READER: usize = 99;

/// What became of a request.
pub(crate) enum Sent {
    /// It was answered.
    Answer(Answer),
    /// It may have arrived.
    Perhaps(String),
    /// Nobody took it.
    Not,
}

/// One client.
pub(crate) struct Client {
    pub(crate) number: usize,
    pub(crate) chance: Chance,
    pub(crate) shared: Everyone,
    world: Arc<World>,
    connections: [Option<Connection>; NODES],
    serial: u64,
    /// Whether it waits while nothing may be on its way.
    waits: bool,
}

impl Client {
    pub(crate) fn new(number: usize, chance: Chance, shared: Everyone, world: Arc<World>) -> Self {
        Self { number, chance, shared, world, connections: Default::default(), serial: 0, waits: true }
    }

    /// One that only reads, and does so also while all others wait.
    pub(crate) fn reader(chance: Chance, shared: Everyone, world: Arc<World>) -> Self {
        Self { waits: false, ..Self::new(READER, chance, shared, world) }
    }

    /// To be held while a call is on its way.
    async fn on_its_way(shared: &Everyone, waits: bool) -> Option<RwLockReadGuard<'_, ()>> {
        if waits { Some(shared.calls.read().await) } else { None }
    }

    /// A lock id, or a name, that nobody else has.
    pub(crate) fn fresh(&mut self) -> Id {
        self.serial += 1;
        Id::new(&format!("c{}-{}", self.number, self.serial))
    }

    /// Any node.
    pub(crate) fn any_node(&mut self) -> usize {
        usize::try_from(self.chance.below(NODES as u64)).expect("it is small")
    }

    /// Asks a node, and notes nothing.
    pub(crate) async fn send(&mut self, node: usize, request: &Request) -> Sent {
        let shared = Arc::clone(&self.shared);
        let _on_its_way = Self::on_its_way(&shared, self.waits).await;
        self.send_now(node, request).await
    }

    async fn send_now(&mut self, node: usize, request: &Request) -> Sent {
        let patience = PATIENCE[usize::try_from(self.chance.below(PATIENCE.len() as u64)).expect("it is small")];
        let mut connection = match self.connections[node].take() {
            Some(connection) => connection,
            None => match tokio::time::timeout(patience, self.world.nodes[node].connect()).await {
                Ok(Ok(connection)) => connection,
                Ok(Err(_)) | Err(_) => return Sent::Not,
            },
        };
        match tokio::time::timeout(patience, connection.send(request)).await {
            Ok(Ok(answer)) => {
                if !answer.header("Connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
                    self.connections[node] = Some(connection);
                }
                Sent::Answer(answer)
            }
            Ok(Err(error)) => Sent::Perhaps(error.to_string()),
            Err(_) => Sent::Perhaps(format!("no answer within {patience:?}")),
        }
    }

    /// Asks a node something about a file, notes it, and says what is known then. `None` if nobody took it.
    pub(crate) async fn call(&mut self, target: &Target, asked: Asked, request: &Request) -> Option<Got> {
        self.call_for_answer(target, asked, request).await.map(|(got, _)| got)
    }

    /// The same, with the answer, if there was one.
    pub(crate) async fn call_for_answer(
        &mut self,
        target: &Target,
        asked: Asked,
        request: &Request,
    ) -> Option<(Got, Option<Answer>)> {
        let node = self.any_node();
        let shared = Arc::clone(&self.shared);
        let _on_its_way = Self::on_its_way(&shared, self.waits).await;
        let asked_at = shared.now();
        let sent = self.send_now(node, request).await;
        let mut answered_at = shared.now();
        let name = name_of(&asked);
        let (got, version, why, answer) = match sent {
            Sent::Not => {
                shared.count("answers/no connection");
                return None;
            }
            Sent::Perhaps(why) => {
                shared.count("answers/no answer");
                (Got::Perhaps, None, Some(why), None)
            }
            Sent::Answer(answer) => {
                shared.count(format!("answers/{}", answer.status));
                match self.understand(&asked, &answer) {
                    Ok((got, version)) => {
                        let why = (got == Got::Perhaps).then(|| format!("{}", answer.status));
                        (got, version, why, Some(answer))
                    }
                    Err(why) => {
                        shared.is_wrong(format!(
                            "file {}, client {} at node {node}, {:.3} ms: {asked:?}: {why}: {answer:?}",
                            target.number,
                            self.number,
                            asked_at as f64 / 1e6
                        ));
                        (Got::Perhaps, None, Some(why), None)
                    }
                }
            }
        };
        if got == Got::Perhaps {
            answered_at = NEVER;
        } else {
            shared.count(format!("calls/{name}"));
        }
        let call = Call {
            client: self.number,
            node,
            asked_at,
            answered_at,
            asked,
            got: got.clone(),
            version,
            why,
            may_be_renewed: false,
        };
        shared.note(target, call);
        Some((got, answer))
    }

    /// What an answer says.
    ///
    /// # Errors
    ///
    /// If it says what must never be said.
    fn understand(&self, asked: &Asked, answer: &Answer) -> Result<(Got, Option<u64>), String> {
        use Asked::*;
        let number = |name: &str| answer.header(name).and_then(|text| text.parse::<u64>().ok());
        let version = number("X-WOPI-ItemVersion").or_else(|| number("X-WOPI-SequenceNumber"));
        let held = || answer.header("X-WOPI-Lock").map(|text| (!text.is_empty()).then(|| Id::new(text)));
        let got = match (asked, answer.status) {
            (_, 503) => {
                number("Retry-After").ok_or("503 without Retry-After")?;
                return Ok((Got::Perhaps, None));
            }
            (GetLock, 200) => Got::Lock(held().ok_or("GetLock without X-WOPI-Lock")?),
            (GetFile, 200) => {
                let bytes = match answer.header("Content-Type") {
                    Some("application/octet-stream") if is_framed(&answer.body) => {
                        Told::read(answer).stream(0).concat()
                    }
                    _ => answer.body.clone(),
                };
                Got::Content(self.shared.save_of(&bytes)?)
            }
            (CheckFileInfo, 200) => {
                let info = answer.json();
                let name = info["BaseFileName"].as_str().ok_or("no BaseFileName")?;
                let name = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
                let version = info["Version"].as_str().and_then(|text| text.parse().ok());
                return Ok((Got::Name(Id::new(name)), version));
            }
            (GetCoauthLock { .. } | RefreshCoauthLock { .. } | GetCoauthTable, 200) => {
                Got::Table(table_of(&answer.json()).ok_or("no table of coauth locks")?)
            }
            (_, 200) => Got::Done,
            (_, 409) => match held() {
                Some(current) => Got::Locked(current),
                None => Got::Refused,
            },
            (PutChunkedFile { .. }, 412) => Got::Stale(version.ok_or("412 without a sequence number")?),
            (_, status) => return Err(format!("status {status}")),
        };
        let version = if answer.status == 200 { version } else { None };
        if answer.status == 200 && asked.save().is_some() && version.is_none() {
            return Err("a save without its version".to_owned());
        }
        Ok((got, version))
    }

    /// Tries a save by PutRelativeFile under a name, and notes what became of it.
    pub(crate) async fn put_relative(&mut self, target: &Target, name: String, save: Save, body: Vec<u8>) {
        let request = File::of(target.token(self.number))
            .operation("PUT_RELATIVE")
            .header("X-WOPI-RelativeTarget", &name)
            .body(body);
        let node = self.any_node();
        let outcome = match self.send(node, &request).await {
            Sent::Not => return,
            Sent::Perhaps(_) => Making::Perhaps,
            Sent::Answer(answer) => {
                self.shared.count(format!("answers/{}", answer.status));
                match answer.status {
                    200 => match answer.json()["Url"].as_str() {
                        Some(url) => Making::Made { target: path_of(url) },
                        None => return self.shared.is_wrong(format!("PutRelativeFile without Url: {answer:?}")),
                    },
                    409 => Making::Taken,
                    503 if answer.header("Retry-After").is_some() => Making::Perhaps,
                    _ => return self.shared.is_wrong(format!("PutRelativeFile of {name}: {answer:?}")),
                }
            }
        };
        if outcome != Making::Perhaps {
            self.shared.count("calls/PutRelativeFile");
        }
        lock(&self.shared.made).push(Made { name, save, outcome });
    }
}

/// What a call is called.
fn name_of(asked: &Asked) -> String {
    let text = format!("{asked:?}");
    text.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default().to_owned()
}

/// Whether a body is frames: they begin with the type of a message.
fn is_framed(body: &[u8]) -> bool {
    body.starts_with(&frames::MESSAGE.to_be_bytes())
}

/// The ids in a table of coauth locks.
fn table_of(json: &Value) -> Option<BTreeSet<Id>> {
    let rows = json.get("CoauthTable")?.as_array()?;
    rows.iter().map(|row| row.get("CoauthLockId")?.as_str().map(Id::new)).collect()
}

/// Path and query of a URL.
pub(crate) fn path_of(url: &str) -> String {
    let behind_scheme = url.find("://").map_or(0, |at| at + 3);
    url[behind_scheme..].find('/').map_or_else(String::new, |at| url[behind_scheme + at..].to_owned())
}

/// The requests of [`Asked`].
pub(crate) fn request_of(token: &Token, asked: &Asked) -> Request {
    let file = File::of(token);
    let lasts = |request: Request, name: &str, lasts: Duration| request.header(name, lasts.as_secs().to_string());
    match asked {
        Asked::Lock { id, lasts: time } => {
            lasts(file.operation("LOCK").header("X-WOPI-Lock", &*id.text()), "X-WOPI-LockExpirationTimeout", *time)
        }
        Asked::RefreshLock { id, lasts: time } => lasts(
            file.operation("REFRESH_LOCK").header("X-WOPI-Lock", &*id.text()),
            "X-WOPI-LockExpirationTimeout",
            *time,
        ),
        Asked::Unlock(id) => file.operation("UNLOCK").header("X-WOPI-Lock", &*id.text()),
        Asked::UnlockAndRelock { old, new, lasts: time } => {
            let request =
                file.operation("LOCK").header("X-WOPI-OldLock", &*old.text()).header("X-WOPI-Lock", &*new.text());
            lasts(request, "X-WOPI-LockExpirationTimeout", *time)
        }
        Asked::GetLock => file.operation("GET_LOCK"),
        Asked::GetCoauthLock { id, lasts: time } => {
            let request = file.operation("GET_COAUTH_LOCK").header("X-WOPI-CoauthLockId", &*id.text());
            lasts(request.header("X-WOPI-CoauthLockType", "Coauth"), "X-WOPI-CoauthLockExpirationTimeout", *time)
        }
        Asked::RefreshCoauthLock { id, lasts: time } => {
            let request = file.operation("REFRESH_COAUTH_LOCK").header("X-WOPI-CoauthLockId", &*id.text());
            lasts(request, "X-WOPI-CoauthLockExpirationTimeout", *time)
        }
        Asked::UnlockCoauthLock(id) => file.operation("UNLOCK_COAUTH_LOCK").header("X-WOPI-CoauthLockId", &*id.text()),
        Asked::GetCoauthTable => file.operation("GET_COAUTH_TABLE"),
        Asked::GetFile => file.get_file(),
        Asked::CheckFileInfo => file.check_file_info(),
        Asked::RenameFile { shown, name } => {
            showing(file.operation("RENAME_FILE").header("X-WOPI-RequestedName", &*name.text()), shown)
        }
        Asked::PutFile { lock, .. } => file.put_file().header("X-WOPI-Lock", &*lock.text()),
        Asked::PutChunkedFile { shown, at, .. } => showing(file.put_chunked(*at), shown),
    }
}

/// A request that shows a lock.
fn showing(request: Request, shown: &Shown) -> Request {
    match shown {
        Shown::Nothing => request,
        Shown::Wopi(id) => request.header("X-WOPI-Lock", &*id.text()),
        Shown::Coauth(id) => request.header("X-WOPI-CoauthLockId", &*id.text()),
    }
}
