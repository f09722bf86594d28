//! The file of the keys that seal access tokens: JSON, mode 0600, replaced as a whole, never changed in place.
//!
//! ```json
//! {
//!   "about": "…",
//!   "keys": [
//!     { "id": "5c01d3b2", "made_at_ms": 1767225600000, "key": "32 bytes in base64url" },
//!     { "id": "0a9f77e1", "made_at_ms": 1764547200000, "key": "…" }
//!   ]
//! }
//! ```
//!
//! The first key seals, all of them open. A key that was replaced is kept as long as a token of it can be alive.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lectern_host::ports::Random;
use lectern_host::records::Timestamp;
use pasetors::keys::SymmetricKey;
use pasetors::version4::V4;
use serde::{Deserialize, Serialize};

use crate::access_token::TOKEN_LIFETIME;

/// Largest key file that is read, in bytes. One key has some 120.
pub const KEY_FILE_BYTES_MAX: u64 = 64 << 10;

/// How much longer than its last token a replaced key is kept: clocks of two nodes may differ, and a node may go on
/// sealing with the old key for a moment after the rotation.
pub const RETIREMENT_MARGIN: Duration = Duration::from_secs(60 * 60);

const KEY_BYTES: usize = 32;

const ABOUT: &str = "Keys that seal the access tokens of Lectern. Who has this file can make tokens: keep it private. \
                     Change it with `lectern keys rotate`.";

/// Why a key file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It could not be read.
    #[error("cannot read the key file `{}`", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It could not be written.
    #[error("cannot write the key file `{}`", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What is in it are no keys. Nothing is written over it: the tokens it once sealed may be alive.
    #[error("the key file `{}` is damaged: {why}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong, without anything secret.
        why: String,
    },
}

/// What to do with the keys that a rotation replaces.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OldKeys {
    /// Keep them as long as a token of theirs can be alive.
    Keep,
    /// Forget them: every token there is stops working. For keys that somebody else may have seen.
    Drop,
}

/// What a rotation did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rotated {
    /// The id of the key that seals from now on.
    pub sealing: String,
    /// Ids of the replaced keys that still open tokens.
    pub kept: Vec<String>,
    /// Ids of the keys that were forgotten.
    pub dropped: Vec<String>,
}

/// Puts a fresh key in front and forgets those that no living token needs. A running server notices by itself.
///
/// # Errors
///
/// If the file is missing, damaged, or cannot be replaced; it is unchanged then.
pub fn rotate(path: &Path, old: OldKeys, now: Timestamp, random: &dyn Random) -> Result<Rotated, KeyFileError> {
    let _lock = lock_beside(path)?;
    let (mut keys, _) = read(path)?;
    let rotated = keys.rotate(old, now, random);
    write(path, &keys)?;
    Ok(rotated)
}

/// The keys of the file; if there is none, it is made with one fresh key.
pub(crate) fn read_or_create(
    path: &Path,
    now: Timestamp,
    random: &dyn Random,
) -> Result<(KeySet, Stamp), KeyFileError> {
    match read(path) {
        Err(KeyFileError::Read { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
        other => return other,
    }
    let _lock = lock_beside(path)?;
    // Another process may have been faster.
    if !path.exists() {
        write(path, &KeySet::fresh(now, random))?;
    }
    read(path)
}

/// The keys in the file, and what the file looked like when they were read.
pub(crate) fn read(path: &Path) -> Result<(KeySet, Stamp), KeyFileError> {
    let failed = |source| KeyFileError::Read { path: path.to_owned(), source };
    let damaged = |why: String| KeyFileError::Damaged { path: path.to_owned(), why };

    let file = File::open(path).map_err(failed)?;
    // Taken before reading: a file replaced meanwhile has another stamp and is read again.
    let stamp = Stamp::of(&file.metadata().map_err(failed)?);
    let mut bytes = Vec::new();
    file.take(KEY_FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > KEY_FILE_BYTES_MAX {
        return Err(damaged(format!("it is larger than {KEY_FILE_BYTES_MAX} bytes")));
    }
    let keys = KeySet::parse(&bytes).map_err(damaged)?;
    Ok((keys, stamp))
}

/// What the file looks like now, without reading it.
pub(crate) fn look(path: &Path) -> std::io::Result<Stamp> {
    std::fs::metadata(path).map(|metadata| Stamp::of(&metadata))
}

/// The permission bits that let others than the owner at the file; 0 if there are none, or no such bits here.
pub(crate) fn open_to_others(path: &Path) -> std::io::Result<u32> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        Ok(std::fs::metadata(path)?.mode() & 0o077)
    }
    #[cfg(not(unix))]
    std::fs::metadata(path).map(|_| 0)
}

/// Tells one state of the file from another. A rotation replaces the file, so at least the inode changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stamp {
    inode: u64,
    size: u64,
    modified_ns: i128,
}

impl Stamp {
    fn of(metadata: &std::fs::Metadata) -> Self {
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(metadata);
        #[cfg(not(unix))]
        let inode = 0;
        let modified_ns = metadata
            .modified()
            .ok()
            .and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok())
            .map_or(0, |since| i128::try_from(since.as_nanos()).unwrap_or(0));
        Self { inode, size: metadata.len(), modified_ns }
    }
}

/// One key.
pub(crate) struct Key {
    pub(crate) id: String,
    made_at: Timestamp,
    pub(crate) secret: SymmetricKey<V4>,
}

impl Key {
    fn fresh(now: Timestamp, random: &dyn Random, beside: &KeySet) -> Self {
        let mut id = String::new();
        while id.is_empty() || beside.find(&id).is_some() {
            let mut bytes = [0; 4];
            random.fill(&mut bytes);
            id = format!("{:08x}", u32::from_be_bytes(bytes));
        }
        let mut secret = [0; KEY_BYTES];
        random.fill(&mut secret);
        Self { id, made_at: now, secret: Self::secret(&secret) }
    }

    #[expect(clippy::expect_used, reason = "the only thing that is checked is the length, and it is in the type")]
    fn secret(bytes: &[u8; KEY_BYTES]) -> SymmetricKey<V4> {
        SymmetricKey::from(bytes).expect("32 bytes are a key")
    }

    fn parse(written: &WrittenKey) -> Result<Self, String> {
        let id = &written.id;
        if id.is_empty() || id.len() > 32 || !id.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err("an id is not 1 to 32 letters and digits".to_owned());
        }
        let secret = URL_SAFE_NO_PAD
            .decode(&written.key)
            .ok()
            .and_then(|bytes| <[u8; KEY_BYTES]>::try_from(bytes).ok())
            .ok_or_else(|| format!("the key with the id {id} is not {KEY_BYTES} bytes in base64url"))?;
        Ok(Self { id: id.clone(), made_at: Timestamp(written.made_at_ms), secret: Self::secret(&secret) })
    }
}

/// The keys, the sealing one first. Never empty.
pub(crate) struct KeySet(Vec<Key>);

impl KeySet {
    pub(crate) fn fresh(now: Timestamp, random: &dyn Random) -> Self {
        Self(vec![Key::fresh(now, random, &Self(Vec::new()))])
    }

    /// The key at this place; the first one if there is none.
    pub(crate) fn key(&self, at: usize) -> &Key {
        self.0.get(at).unwrap_or(&self.0[0])
    }

    /// The place of the latest key that is at least that old; of the oldest, if none is.
    pub(crate) fn sealing_since(&self, now: Timestamp, age: Duration) -> usize {
        self.0.iter().position(|key| key.made_at.plus(age) <= now).unwrap_or(self.0.len() - 1)
    }

    /// Puts a fresh key in front and forgets those that no living token needs, or all.
    pub(crate) fn rotate(&mut self, old: OldKeys, now: Timestamp, random: &dyn Random) -> Rotated {
        let retired = match old {
            OldKeys::Keep => self.alive_count(now),
            OldKeys::Drop => 0,
        };
        let dropped = self.0.split_off(retired);
        let fresh = Key::fresh(now, random, self);
        self.0.insert(0, fresh);
        let ids = |keys: &[Key]| keys.iter().map(|key| key.id.clone()).collect();
        Rotated { sealing: self.0[0].id.clone(), kept: ids(&self.0[1..]), dropped: ids(&dropped) }
    }

    /// The keys that `text` spells. The error says what is wrong, without anything secret.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, String> {
        // The position is enough: the message of the parser may quote what stands there.
        let written: Written = serde_json::from_slice(text)
            .map_err(|e| format!("no JSON with keys at line {}, column {}", e.line(), e.column()))?;
        let keys = written.keys.iter().map(Key::parse).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            return Err("there is no key in it".to_owned());
        }
        if let Some(twice) = keys.iter().enumerate().find(|(at, key)| keys[..*at].iter().any(|k| k.id == key.id)) {
            return Err(format!("the id {} stands in it twice", twice.1.id));
        }
        Ok(Self(keys))
    }

    /// As text, secrets included.
    pub(crate) fn text(&self) -> serde_json::Result<String> {
        let key = |key: &Key| WrittenKey {
            id: key.id.clone(),
            made_at_ms: key.made_at.0,
            key: URL_SAFE_NO_PAD.encode(key.secret.as_bytes()),
        };
        let written = Written { about: ABOUT.to_owned(), keys: self.0.iter().map(key).collect() };
        Ok(serde_json::to_string_pretty(&written)? + "\n")
    }

    pub(crate) fn find(&self, id: &str) -> Option<&Key> {
        self.0.iter().find(|key| key.id == id)
    }

    /// How many keys, from the front, may still have living tokens: a key sealed until the one before it was made.
    fn alive_count(&self, now: Timestamp) -> usize {
        let replaced = self.0.iter().map(|newer| newer.made_at.plus(TOKEN_LIFETIME).plus(RETIREMENT_MARGIN));
        1 + replaced.take(self.0.len() - 1).take_while(|until| now < *until).count()
    }
}

#[derive(Serialize, Deserialize)]
struct Written {
    #[serde(default)]
    about: String,
    keys: Vec<WrittenKey>,
}

#[derive(Serialize, Deserialize)]
struct WrittenKey {
    id: String,
    made_at_ms: i64,
    key: String,
}

/// Replaces the file in one step: readers see the old keys or the new ones.
fn write(path: &Path, keys: &KeySet) -> Result<(), KeyFileError> {
    let publish = || -> std::io::Result<()> {
        let text = keys.text()?;
        // Under the lock nobody else writes here; what a crash left behind is in the way of `create_new`.
        let staged = path.with_extension("new");
        match std::fs::remove_file(&staged) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&staged)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&staged, path)?;
        File::open(parent(path))?.sync_all()
    };
    publish().map_err(|source| KeyFileError::Write { path: path.to_owned(), source })
}

/// Keeps two processes from making or rotating keys at the same time. Given up when dropped, also by a crash.
fn lock_beside(path: &Path) -> Result<File, KeyFileError> {
    let failed = |source| KeyFileError::Write { path: path.to_owned(), source };
    // The directory, because the file itself is replaced while it is locked.
    let directory = File::open(parent(path)).map_err(failed)?;
    directory.lock().map_err(failed)?;
    Ok(directory)
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Seeded;

    const HOUR: Duration = Duration::from_secs(3600);

    fn path(folder: &tempfile::TempDir) -> PathBuf {
        folder.path().join("token-keys.json")
    }

    #[test]
    fn the_file_is_made_once_and_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(&folder);
        let ids: Vec<String> = std::thread::scope(|scope| {
            let makers: Vec<_> = (0..8)
                .map(|seed| {
                    let path = &path;
                    scope.spawn(move || {
                        read_or_create(path, Timestamp(0), &Seeded::new(seed)).unwrap().0.key(0).id.clone()
                    })
                })
                .collect();
            makers.into_iter().map(|maker| maker.join().unwrap()).collect()
        });
        assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "{ids:?}");
        assert_eq!(open_to_others(&path).unwrap(), 0);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_rotation_keeps_a_key_as_long_as_a_token_of_it_can_live() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(&folder);
        let random = Seeded::new(1);
        let start = Timestamp(1_000_000);
        let first = read_or_create(&path, start, &random).unwrap().0.key(0).id.clone();

        // The first key may have sealed until the second was made, however old it is itself.
        let second_at = start.plus(1000 * HOUR);
        let second = rotate(&path, OldKeys::Keep, second_at, &random).unwrap();
        assert_eq!((second.kept, second.dropped), (vec![first.clone()], vec![]));

        let just_before = Timestamp(second_at.plus(TOKEN_LIFETIME).plus(RETIREMENT_MARGIN).0 - 1);
        let third = rotate(&path, OldKeys::Keep, just_before, &random).unwrap();
        assert_eq!((third.kept, third.dropped), (vec![second.sealing.clone(), first.clone()], vec![]));

        let fourth = rotate(&path, OldKeys::Keep, just_before.plus(Duration::from_millis(1)), &random).unwrap();
        assert_eq!((fourth.kept, fourth.dropped), (vec![third.sealing, second.sealing], vec![first]));
        assert_eq!(open_to_others(&path).unwrap(), 0);
    }

    #[test]
    fn a_rotation_can_forget_every_key_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(&folder);
        let random = Seeded::new(2);
        let first = read_or_create(&path, Timestamp(0), &random).unwrap().0.key(0).id.clone();
        let rotated = rotate(&path, OldKeys::Drop, Timestamp(1), &random).unwrap();
        assert_eq!((rotated.kept, rotated.dropped), (vec![], vec![first]));
        assert_eq!(read(&path).unwrap().0.key(0).id, rotated.sealing);
    }

    #[test]
    fn a_leftover_of_a_crash_is_not_in_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(&folder);
        std::fs::write(path.with_extension("new"), "half a fi").unwrap();
        read_or_create(&path, Timestamp(0), &Seeded::new(3)).unwrap();
        std::fs::write(path.with_extension("new"), "half a fi").unwrap();
        rotate(&path, OldKeys::Keep, Timestamp(1), &Seeded::new(4)).unwrap();
        assert_eq!(read(&path).unwrap().0.0.len(), 2);
    }

    #[test]
    fn a_damaged_file_is_named_with_the_reason_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(&folder);
        let key = |id: &str, key: &str| format!(r#"{{"id":"{id}","made_at_ms":0,"key":"{key}"}}"#);
        let good = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let large = " ".repeat(usize::try_from(KEY_FILE_BYTES_MAX).unwrap() + 1);
        for (text, why) in [
            (String::new(), "line 1, column 0"),
            ("{\n  \"keys\": [s3cret]}".to_owned(), "line 2, column 12"),
            (r#"{"keys":[]}"#.to_owned(), "no key"),
            (format!(r#"{{"keys":[{}]}}"#, key("", good)), "letters and digits"),
            (format!(r#"{{"keys":[{}]}}"#, key("a.b", good)), "letters and digits"),
            (format!(r#"{{"keys":[{}]}}"#, key("a1", "s3cret")), "the key with the id a1"),
            (format!(r#"{{"keys":[{0},{0}]}}"#, key("a1", good)), "twice"),
            (large, "larger than"),
        ] {
            std::fs::write(&path, &text).unwrap();
            for error in [
                read_or_create(&path, Timestamp(0), &Seeded::new(5)).map(|_| ()).unwrap_err(),
                rotate(&path, OldKeys::Drop, Timestamp(0), &Seeded::new(5)).map(|_| ()).unwrap_err(),
            ] {
                let message = error.to_string();
                assert!(message.contains("token-keys.json") && message.contains(why), "{message}");
                assert!(!message.contains("s3cret"), "{message}");
            }
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing").join("token-keys.json");
        let error = read_or_create(&path, Timestamp(0), &Seeded::new(6)).map(|_| ()).unwrap_err();
        assert!(matches!(&error, KeyFileError::Write { path: named, .. } if *named == path), "{error:?}");
    }
}
