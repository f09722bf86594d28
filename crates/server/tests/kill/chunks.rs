//! Saves in chunks: what a client sends that knows the last state, in one request or in several.

use crate::common::frames;
use crate::common::{Answer, Chance, Client, sha256};

/// The most that is kept of the last state, in bytes.
const KEPT_BYTES_MAX: usize = 200_000;
/// Longest new chunk.
const CHUNK_BYTES_MAX: u64 = 60_000;
/// In how many requests an upload comes.
const PIECES: usize = 3;

/// A save in chunks, against the state that the client knows.
#[derive(Clone, Debug)]
pub(crate) struct Delta {
    /// The main stream from now on; `None` if it stays.
    pub(crate) main: Option<Vec<Vec<u8>>>,
    /// The alternate stream from now on, if it is named.
    pub(crate) alternate: Option<Vec<u8>>,
    new: Vec<Vec<u8>>,
    upload: Option<Upload>,
}

/// Frames that go ahead of their save.
#[derive(Clone, Debug)]
struct Upload {
    token: Option<String>,
    run: Vec<u8>,
    /// How many bytes were acknowledged, and where the piece ends that was not.
    at: usize,
    asked: usize,
}

impl Delta {
    /// Parts of `last` under another first line, which no other save has.
    pub(crate) fn make(line: &str, last: &[Vec<u8>], chance: &mut Chance) -> Self {
        let mut new = vec![line.as_bytes().to_vec()];
        let mut kept = 0;
        let mut main = new.clone();
        for chunk in last.iter().skip(1) {
            if kept + chunk.len() <= KEPT_BYTES_MAX && !chance.once_in(3) {
                kept += chunk.len();
                main.push(chunk.clone());
            }
        }
        for _ in 0..chance.below(3) {
            let length = usize::try_from(1 + chance.below(CHUNK_BYTES_MAX)).expect("it is small");
            let chunk = chance.bytes(length);
            let at = usize::try_from(1 + chance.below(main.len() as u64)).expect("it is small");
            main.insert(at, chunk.clone());
            new.push(chunk);
        }
        let alternate = chance.once_in(4).then(|| format!("beside {line}").into_bytes());
        // Once in a while only the other stream is saved.
        let main = (alternate.is_none() || !chance.once_in(3)).then_some(main);
        if main.is_none() {
            new.clear();
        }
        new.extend(alternate.clone());
        let upload = chance.once_in(4).then(|| {
            let run: Vec<u8> = new.iter().flat_map(|bytes| frames::chunk(bytes)).collect();
            Upload { token: None, run, at: 0, asked: 0 }
        });
        Self { main, alternate, new, upload }
    }

    /// Sends what goes ahead. An answer that is not 200 is the last one; `None` is for a program that is gone.
    ///
    /// What was acknowledged before a kill is not sent again; whether the piece that was not is there is found out.
    pub(crate) async fn send_ahead(&mut self, client: &mut Client) -> Option<()> {
        let Some(upload) = &mut self.upload else { return Some(()) };
        let file = client.file().clone();
        let token = match &upload.token {
            Some(token) => token.clone(),
            None => {
                let created = client.send(&file.operation("CREATE_UPLOAD_SESSION")).await.ok()?;
                assert_eq!(created.status, 200, "{created:?}");
                created.json()["UploadSessionToken"].as_str().expect("a token").to_owned()
            }
        };
        upload.token = Some(token.clone());
        while upload.at < upload.run.len() {
            let end = upload.run.len().min(upload.at + upload.run.len() / PIECES + 1);
            let in_doubt = std::mem::replace(&mut upload.asked, end) > upload.at;
            let piece = file.update_upload(&token, upload.at as u64, &upload.run[upload.at..end]);
            let answer = client.send(&piece).await.ok()?;
            let is_there = answer.status == 400 && in_doubt;
            assert!(answer.status == 200 || is_there, "an upload was lost: {answer:?}");
            upload.at = end;
            upload.asked = end;
        }
        Some(())
    }

    /// PutChunkedFile under a lock of the named kind.
    pub(crate) async fn put(&self, client: &mut Client, sequence: u64, lock: (&str, &str)) -> std::io::Result<Answer> {
        let main = self.main.iter().map(|chunks| frames::stream("MainContent", chunks));
        let alternate = self.alternate.iter().map(|bytes| frames::stream("Alternate", &[bytes]));
        let signatures: Vec<_> = main.chain(alternate).collect();
        let (token, sent) = match &self.upload {
            Some(upload) => (upload.token.as_deref(), Vec::new()),
            None => (None, self.new.iter().flat_map(|bytes| frames::chunk(bytes)).collect()),
        };
        let body = [frames::put_message(&signatures, token), sent, frames::end()].concat();
        let request = client.file().put_chunked(sequence).header(lock.0, lock.1).body(body);
        client.send(&request).await
    }
}

/// What a file has: its main stream and the SHA-256 of the alternate one.
pub(crate) async fn streams(client: &mut Client) -> (u64, Vec<Vec<u8>>, Option<[u8; 32]>) {
    let question = client.file().get_chunked(&["MainContent", "Alternate"]);
    let told = frames::Told::read(&client.send(&question).await.expect("GetChunkedFile is answered"));
    let alternate = told.stream(1).concat();
    (told.sequence, told.stream(0), (!alternate.is_empty()).then(|| sha256(&alternate)))
}
