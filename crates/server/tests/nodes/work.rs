//! What clients do: they take locks, save under them in one piece or in chunks, rename, give locks back or forget them,
//! and try all of that without having a lock, too.

use std::time::Duration;

use super::client::{Client, Sent, request_of};
use super::common::frames::{self, Told};
use super::common::wopi_client::File;
use super::history::{Asked, Got, Id, Save, Shown};
use super::shared::Target;

/// How long locks last: the default, and the shortest there is.
const LASTS: [Duration; 3] = [Duration::from_secs(1800), Duration::from_secs(1800), Duration::from_secs(60)];

/// How often a holder does something at most before it lets go.
const DEEDS_MAX: u64 = 8;

/// How often it is asked again what became of a lock.
const QUESTIONS_MAX: usize = 20;

/// Longest small save.
const SMALL_BYTES_MAX: u64 = 60_000;

/// Length of a large save, which goes to the store in several parts.
const LARGE_BYTES: u64 = 11 << 20;

/// Of so many saves one is large.
const LARGE_ONCE_IN: u64 = 60;

/// Longest chunk that is added. A few of them are a document that is kept as a list of pieces.
const CHUNK_BYTES_MAX: u64 = 200_000;

/// Of so many saves in chunks one goes ahead in an upload. A user can have only so many of these that came to nothing.
const UPLOAD_ONCE_IN: u64 = 12;

/// At most so many chunks of the last state are kept.
const CHUNKS_KEPT_MAX: usize = 12;

/// Longest pause after a refusal, and after nobody took a call.
const PAUSE_MAX_MS: u64 = 40;

/// So many names are fought for by PutRelativeFile.
const CONTESTED_NAMES: u64 = 12;

impl Client {
    /// Works until all is over. The files with an even number are held by one at a time, the others by coauthors.
    pub(crate) async fn work(mut self) {
        let shared = std::sync::Arc::clone(&self.shared);
        while !shared.is_over.load(std::sync::atomic::Ordering::Relaxed) {
            let number = usize::try_from(self.chance.below(shared.targets.len() as u64)).expect("it is small");
            let target = &shared.targets[number];
            let met_trouble =
                if target.number % 4 == 3 { self.coauthor(target).await } else { self.edit(target).await };
            if met_trouble {
                self.pause().await;
            }
        }
    }

    async fn pause(&mut self) {
        tokio::time::sleep(Duration::from_millis(1 + self.chance.below(PAUSE_MAX_MS))).await;
    }

    /// Asks what has no body.
    async fn ask(&mut self, target: &Target, asked: Asked) -> Option<Got> {
        let request = request_of(target.token(self.number), &asked);
        self.call(target, asked, &request).await
    }

    /// One try on a file that one client holds at a time. Whether somebody was in the way, or something.
    async fn edit(&mut self, target: &Target) -> bool {
        let fresh = self.fresh();
        let asked = match self.chance.below(16) {
            0 => Asked::GetLock,
            1 => Asked::CheckFileInfo,
            2 => Asked::GetFile,
            3 => Asked::Unlock(fresh),
            4 => Asked::RefreshLock { id: fresh, lasts: LASTS[0] },
            5 => return self.put_file(target, &fresh).await != Some(Got::Done),
            6 => Asked::RenameFile { shown: Shown::Nothing, name: fresh },
            7 => {
                self.put_relative_somewhere(target).await;
                return false;
            }
            _ => return self.lock(target, fresh).await,
        };
        matches!(self.ask(target, asked).await, None | Some(Got::Perhaps))
    }

    /// Takes the lock and works under it.
    async fn lock(&mut self, target: &Target, id: Id) -> bool {
        let lasts = LASTS[usize::try_from(self.chance.below(LASTS.len() as u64)).expect("it is small")];
        self.shared.claim(&id, self.number);
        let got = self.ask(target, Asked::Lock { id, lasts }).await;
        match got {
            Some(Got::Done) => {
                self.hold(target, id).await;
                return false;
            }
            Some(Got::Perhaps) if self.still_holds(target, &id).await => {
                self.hold(target, id).await;
                return false;
            }
            Some(Got::Locked(Some(current))) if !self.shared.is_claimed(&current) && self.chance.once_in(3) => {
                // Whoever took it does not know, or is gone.
                self.shared.give_up(&id);
                self.ask(target, Asked::Unlock(current)).await;
                return false;
            }
            _ => self.shared.give_up(&id),
        }
        true
    }

    /// Works under a lock and gives it back, mostly.
    async fn hold(&mut self, target: &Target, mut id: Id) {
        for _ in 0..1 + self.chance.below(DEEDS_MAX) {
            let got = match self.chance.below(12) {
                0..=4 => self.put_file(target, &id).await,
                5..=6 => self.put_chunked(target, Shown::Wopi(id)).await,
                7 => self.ask(target, Asked::RefreshLock { id, lasts: LASTS[0] }).await,
                8 => {
                    let name = self.fresh();
                    self.ask(target, Asked::RenameFile { shown: Shown::Wopi(id), name }).await
                }
                9 => self.ask(target, Asked::GetFile).await,
                10 if self.chance.once_in(3) => {
                    // The client crashes. Its lock stays until somebody clears it away.
                    self.shared.give_up(&id);
                    return;
                }
                _ => {
                    let new = self.fresh();
                    self.shared.claim(&new, self.number);
                    let asked = Asked::UnlockAndRelock { old: id, new, lasts: LASTS[0] };
                    let got = self.ask(target, asked).await;
                    let swapped = match got {
                        Some(Got::Done) => true,
                        Some(Got::Perhaps) => self.still_holds(target, &new).await,
                        _ => false,
                    };
                    if swapped {
                        self.shared.give_up(&id);
                        id = new;
                    } else {
                        self.shared.give_up(&new);
                    }
                    got
                }
            };
            let lost = match got {
                Some(Got::Locked(_) | Got::Refused) => true,
                Some(Got::Perhaps) => !self.still_holds(target, &id).await,
                _ => false,
            };
            if lost {
                self.shared.give_up(&id);
                return;
            }
        }
        for _ in 0..QUESTIONS_MAX {
            match self.ask(target, Asked::Unlock(id)).await {
                None | Some(Got::Perhaps) => self.pause().await,
                Some(_) => break,
            }
        }
        self.shared.give_up(&id);
    }

    /// Asks until it is told whether the file is held by this lock.
    async fn still_holds(&mut self, target: &Target, id: &Id) -> bool {
        for _ in 0..QUESTIONS_MAX {
            match self.ask(target, Asked::GetLock).await {
                Some(Got::Lock(current)) => return current.as_ref() == Some(id),
                Some(Got::Refused) => return false,
                _ => self.pause().await,
            }
        }
        false
    }

    fn noise(&mut self, bytes_max: u64) -> Vec<u8> {
        let length = self.chance.below(bytes_max) >> (4 * self.chance.below(3));
        self.chance.bytes(usize::try_from(length).expect("it is small"))
    }

    /// A save that is one piece.
    fn whole_save(&mut self) -> (Save, Vec<u8>) {
        let noise = if self.chance.once_in(LARGE_ONCE_IN) {
            self.chance.bytes(usize::try_from(LARGE_BYTES).expect("it is small"))
        } else {
            self.noise(SMALL_BYTES_MAX)
        };
        let (save, (), body) = self.shared.new_save(|_, line| ((), [line.as_bytes(), &noise].concat()));
        (save, body)
    }

    async fn put_file(&mut self, target: &Target, lock: &Id) -> Option<Got> {
        let (save, body) = self.whole_save();
        let asked = Asked::PutFile { lock: *lock, save };
        let request = request_of(target.token(self.number), &asked).body(body);
        self.call(target, asked, &request).await
    }

    async fn put_relative_somewhere(&mut self, target: &Target) {
        let (save, body) = self.whole_save();
        let name = match self.chance.once_in(2) {
            true => format!("contested {}.bin", self.chance.below(CONTESTED_NAMES)),
            false => format!("made by {:?}.bin", self.fresh()),
        };
        self.put_relative(target, name, save, body).await;
    }

    /// Reads the chunks of a file and saves it with others.
    async fn put_chunked(&mut self, target: &Target, shown: Shown) -> Option<Got> {
        let file = File::of(target.token(self.number));
        let question = file.get_chunked(&["MainContent"]);
        let (got, answer) = self.call_for_answer(target, Asked::GetFile, &question).await?;
        let (Got::Content(_), Some(answer)) = (&got, answer) else { return Some(got) };
        let told = Told::read(&answer);
        let at = told.sequence;
        let mut chunks: Vec<Vec<u8>> = told.stream(0).into_iter().skip(1).take(CHUNKS_KEPT_MAX).collect();
        chunks.retain(|_| !self.chance.once_in(4));
        let mut new: Vec<Vec<u8>> = (0..=self.chance.below(2)).map(|_| self.noise(CHUNK_BYTES_MAX)).collect();
        new.retain(|chunk| !chunk.is_empty());
        for chunk in &new {
            let place = usize::try_from(self.chance.below(chunks.len() as u64 + 1)).expect("it is small");
            chunks.insert(place, chunk.clone());
        }
        let (save, line, _) = self.shared.new_save(|_, line| {
            let line = line.as_bytes().to_vec();
            chunks.insert(0, line.clone());
            (line, chunks.concat())
        });
        new.push(line);
        let asked = Asked::PutChunkedFile { shown, at, save };
        let sent: Vec<u8> = new.iter().flat_map(|chunk| frames::chunk(chunk)).collect();
        let upload = if self.chance.once_in(UPLOAD_ONCE_IN) { self.upload(target, &sent).await } else { None };
        let sent = if upload.is_some() { Vec::new() } else { sent };
        let message = frames::put_message(&[frames::stream("MainContent", &chunks)], upload.as_deref());
        let request = request_of(target.token(self.number), &asked).body([message, sent, frames::end()].concat());
        self.call(target, asked, &request).await
    }

    /// Sends frames ahead, in two pieces, to two nodes. The token of the upload if all of it arrived.
    async fn upload(&mut self, target: &Target, frames: &[u8]) -> Option<String> {
        let file = File::of(target.token(self.number));
        let created = self.expect("CreateUploadSession", &file.operation("CREATE_UPLOAD_SESSION")).await?;
        let token = created.json()["UploadSessionToken"].as_str()?.to_owned();
        let half = frames.len() / 2;
        for (offset, piece) in [(0, &frames[..half]), (half, &frames[half..])] {
            self.expect("UpdateUploadSession", &file.update_upload(&token, offset as u64, piece)).await?;
        }
        Some(token)
    }

    /// The answer of something that cannot be refused, if there is one.
    async fn expect(&mut self, what: &str, request: &super::common::Request) -> Option<super::common::Answer> {
        let node = self.any_node();
        let Sent::Answer(answer) = self.send(node, request).await else { return None };
        self.shared.count(format!("answers/{}", answer.status));
        match answer.status {
            200 => {
                self.shared.count(format!("calls/{what}"));
                Some(answer)
            }
            503 if answer.header("Retry-After").is_some() => None,
            _ => {
                self.shared.is_wrong(format!("{what}: {answer:?}"));
                None
            }
        }
    }

    /// One turn of a coauthor: joins, saves a few times what it read, and leaves, mostly.
    async fn coauthor(&mut self, target: &Target) -> bool {
        let id = self.fresh();
        let lasts = Duration::from_secs(60);
        if self.chance.once_in(12) {
            // Somebody who wants it for itself.
            return self.lock(target, id).await;
        }
        match self.ask(target, Asked::GetCoauthLock { id, lasts }).await {
            Some(Got::Table(_)) => {}
            _ => return true,
        }
        for _ in 0..1 + self.chance.below(DEEDS_MAX) {
            let got = match self.chance.below(10) {
                0..=4 => self.put_chunked(target, Shown::Coauth(id)).await,
                5 => self.ask(target, Asked::RefreshCoauthLock { id, lasts }).await,
                6 => self.ask(target, Asked::GetCoauthTable).await,
                7 => {
                    let name = self.fresh();
                    self.ask(target, Asked::RenameFile { shown: Shown::Coauth(id), name }).await
                }
                8 => self.ask(target, Asked::CheckFileInfo).await,
                _ if self.chance.once_in(4) => return false,
                _ => self.ask(target, Asked::GetFile).await,
            };
            if matches!(got, None | Some(Got::Perhaps)) {
                self.pause().await;
            }
        }
        for _ in 0..QUESTIONS_MAX {
            match self.ask(target, Asked::UnlockCoauthLock(id)).await {
                None | Some(Got::Perhaps) => self.pause().await,
                Some(_) => break,
            }
        }
        false
    }
}
