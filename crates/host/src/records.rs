//! What the registry remembers: plain values, no behaviour beyond what keeps them valid.

use std::fmt;
use std::time::Duration;

use wopi::coauth::{CoauthLockId, CoauthLockMetadata, CoauthLockType};
use wopi::{ContainerId, FileId, FileName, ItemVersion, LockId, UserId};

use crate::sharing::Guest;

/// A moment, in milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The moment this much later; saturates.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// A moment as `LastModifiedTime` has it: 100 ns units since 1970-01-01 UTC.
///
/// Kept to the last digit, because Collabora and ONLYOFFICE send the text back and expect it to be the same one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct ModifiedAt(pub i64);

impl From<Timestamp> for ModifiedAt {
    fn from(at: Timestamp) -> Self {
        Self(at.0.saturating_mul(10_000))
    }
}

/// How often a record was committed. Our own counter, never shown to a client.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Revision(pub u64);

/// A run of bytes that never changes: 128 bits, the first 48 of them the time it was made, so that they sort.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentId(pub [u8; 16]);

impl ContentId {
    /// A fresh id from the time and ten random bytes.
    pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&now.0.to_be_bytes()[2..]);
        bytes[6..].copy_from_slice(&random);
        Self(bytes)
    }

    /// When it was made.
    pub fn made_at(&self) -> Timestamp {
        let mut bytes = [0; 8];
        bytes[2..].copy_from_slice(&self.0[..6]);
        Timestamp(i64::from_be_bytes(bytes))
    }

    /// The id that 32 lower-case hexadecimal digits spell.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 32 || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        let mut bytes = [0; 16];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentId({self})")
    }
}

/// A run of bytes out of a content, as a part of another one that is made of such pieces.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ContentPiece {
    /// Whose bytes. Never a content that is itself made of pieces.
    pub content: ContentId,
    /// Where they begin in it.
    pub offset: u64,
    /// How many; not 0.
    pub size: u64,
}

/// The SHA-256 of a content.
pub type Sha256 = [u8; 32];

/// What tells one state of a file on disk from another without reading it.
///
/// A rename changes none of these, a write changes at least one. The time of birth keeps a reused inode number apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Fingerprint {
    /// Inode number.
    pub inode: u64,
    /// Time of birth in nanoseconds since 1970, where the file system knows it.
    pub born_ns: Option<i64>,
    /// Size in bytes; 0 for a container.
    pub size: u64,
    /// Time of the last write in nanoseconds since 1970; 0 for a container.
    pub modified_ns: i64,
}

impl Fingerprint {
    /// Whether both are the same inode in the same life, whatever its bytes are now.
    pub fn same_inode(&self, other: &Self) -> bool {
        self.inode == other.inode && self.born_ns == other.born_ns
    }
}

/// The bytes of one version and what is known of the save that made them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Content {
    /// Which bytes.
    pub id: ContentId,
    /// How many.
    pub size: u64,
    /// Their hash; `None` until somebody asked for it (a file that another program wrote).
    pub sha256: Option<Sha256>,
    /// `LastModifiedTime`.
    pub modified_at: ModifiedAt,
    /// Whose token saved them; `None` for another program.
    pub saved_by: Option<UserId>,
    /// `X-WOPI-Editors` of that save.
    pub editors: Vec<String>,
    /// Whether the client said that nobody asked for this save.
    pub autosave: bool,
}

/// Who holds a file. A file cannot hold two kinds at once.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum LockState {
    /// Nobody.
    #[default]
    Free,
    /// A WOPI lock. It may have run out: only the rules compare times.
    Wopi(Held),
    /// Coauth locks. Some of them, or all, may have run out.
    Coauth(CoauthTable),
}

/// A WOPI lock that was taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    /// The lock id.
    pub id: LockId,
    /// The first moment at which it is no lock any more.
    pub expires_at: Timestamp,
    /// When this id was taken first.
    pub since: Timestamp,
    /// With whose token.
    pub by: UserId,
    /// Through which client.
    pub client: Option<String>,
    /// The name that others may be shown, if whoever took or renewed it last wanted that.
    pub visible_as: Option<String>,
}

/// The coauth locks of a file: at least one, at most [`CoauthTable::LOCKS_MAX`], in the order of their ids, each id once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CoauthTable(Vec<CoauthLock>);

impl CoauthTable {
    /// Most coauth locks of one file. Every answer lists them all, each may carry 4 KB of metadata, and they are stored
    /// with the file's record; Office lets some hundred people into one document.
    pub const LOCKS_MAX: usize = 128;

    /// These locks as a table; `None` if there are none or too many, or if two have one id.
    ///
    /// That at most one of them is exclusive is not asked here: a second one may be there that has run out.
    pub fn new(mut locks: Vec<CoauthLock>) -> Option<Self> {
        locks.sort_by(|one, other| one.id.cmp(&other.id));
        let distinct = locks.windows(2).all(|pair| matches!(pair, [one, other] if one.id != other.id));
        ((1..=Self::LOCKS_MAX).contains(&locks.len()) && distinct).then_some(Self(locks))
    }

    /// The locks, in the order of their ids.
    pub fn locks(&self) -> &[CoauthLock] {
        &self.0
    }
}

/// A coauth lock that was taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CoauthLock {
    /// The id that the client gave.
    pub id: CoauthLockId,
    /// What it is good for.
    pub kind: CoauthLockType,
    /// What the client last gave.
    pub metadata: CoauthLockMetadata,
    /// The first moment at which it is no lock any more.
    pub expires_at: Timestamp,
    /// `CoauthLockTime`: when this id was taken first.
    pub since: Timestamp,
    /// With whose token.
    pub by: UserId,
    /// `UserFriendlyName` of that user. Never empty.
    pub user_name: String,
}

/// What a folder still has to be made to show. Written in the commit that decided it, carried out at once, and carried
/// out again after a crash. While it stands, the folder is not asked what changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Pending {
    /// Put the staged content under the file's name; `FileRecord::seen` is the staged file.
    Publish {
        /// The content that stood there, and what it looked like: its bytes are kept under that id.
        replaces: Option<(ContentId, Fingerprint)>,
    },
    /// The file has another name now.
    Rename {
        /// The name it had.
        from: FileName,
    },
    /// The file is in another container now, perhaps under another name.
    Move {
        /// The container it was in.
        container: ContainerId,
        /// The name it had there.
        from: FileName,
    },
    /// The file was deleted: take it out of the folder and keep its bytes under its content's id.
    Bin,
}

/// A file: the one row that says who holds it, which bytes are current, and what it is called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileRecord {
    /// Its id, for ever.
    pub id: FileId,
    /// Where it is.
    pub container: ContainerId,
    /// What it is called, extension included.
    pub name: FileName,
    /// How often this record was committed.
    pub revision: Revision,
    /// `OwnerId`.
    pub owner: UserId,
    /// When we first knew it.
    pub created_at: Timestamp,
    /// `Version`.
    pub version: ItemVersion,
    /// The current bytes.
    pub content: Content,
    /// Who holds it.
    pub lock: LockState,
    /// What the folder showed when it was last looked at; `None` without a folder.
    pub seen: Option<Fingerprint>,
    /// What the folder still has to show.
    pub pending: Option<Pending>,
    /// When it was deleted; such a file has no name in its container any more.
    pub deleted_at: Option<Timestamp>,
    /// What a person said of the current version. It goes with that version when another one takes its place.
    pub mark: VersionMark,
}

/// What a person said of a version.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct VersionMark {
    /// A name for it. A version with a name is never thinned out.
    pub label: Option<String>,
    /// Never thin it out.
    pub keep: bool,
}

/// A version that was replaced.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VersionEntry {
    /// Of which file.
    pub file: FileId,
    /// Which version it was.
    pub version: ItemVersion,
    /// Its bytes.
    pub content: Content,
    /// A name that a person gave it.
    pub label: Option<String>,
    /// Never thin it out.
    pub keep: bool,
}

/// A container.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContainerRecord {
    /// Its id, for ever.
    pub id: ContainerId,
    /// Where it is; `None` for the root.
    pub parent: Option<ContainerId>,
    /// What it is called.
    pub name: FileName,
    /// How often this record was committed.
    pub revision: Revision,
    /// When we first knew it.
    pub created_at: Timestamp,
    /// What the folder showed: size and time are 0.
    pub seen: Option<Fingerprint>,
}

/// What a person may do everywhere. What is shared with them comes on top of it ([`crate::access`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Everything, and the administration.
    Administrator,
    /// Read and change every file.
    Editor,
    /// Read every file.
    Viewer,
    /// Nothing but what is shared with them.
    Member,
}

impl Role {
    /// All of them, strongest first.
    pub const ALL: [Self; 4] = [Self::Administrator, Self::Editor, Self::Viewer, Self::Member];

    /// The word for it in settings and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Editor => "editor",
            Self::Viewer => "viewer",
            Self::Member => "member",
        }
    }

    /// The role that the word names.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// Whether it lets them change every file, so that no grant could let a token of theirs do any more.
    pub fn edits_everything(self) -> bool {
        match self {
            Self::Administrator | Self::Editor => true,
            Self::Viewer | Self::Member => false,
        }
    }
}

/// A person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    /// `UserId`: lower-case letters and digits.
    pub id: UserId,
    /// What they sign in with; unique without regard to letter case.
    pub name: String,
    /// `UserFriendlyName`.
    pub display_name: String,
    /// What they may do.
    pub role: Role,
    /// Argon2id in PHC form; `None` if they cannot sign in by password.
    pub password: Option<String>,
    /// Whether they are shut out.
    pub disabled: bool,
    /// What PutUserInfo stored.
    pub user_info: Option<String>,
    /// How often this record was committed.
    pub revision: Revision,
    /// Since when we know them.
    pub created_at: Timestamp,
}

/// The id of a session: 128 random bits, minted by [`crate::ids::new_session_id`].
#[derive(Clone, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct SessionId(pub String);

/// What access tokens hang on: revoking it makes them stop at the next request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// Where it came from, for people: `lectern token`, a browser's name.
    pub label: String,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// Who it is, if not somebody with an account: then `user` is an id that no user has ([`crate::people::is_guest`]).
    pub guest: Option<Guest>,
}

/// A save that was refused, and whose bytes were kept all the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RescuedSave {
    /// Its bytes, and its id.
    pub content: ContentId,
    /// The file that was to be saved.
    pub file: FileId,
    /// What the file was called then.
    pub file_name: FileName,
    /// Whose token was used.
    pub user: UserId,
    /// Through which client.
    pub client: Option<String>,
    /// How many bytes.
    pub size: u64,
    /// Their hash.
    pub sha256: Sha256,
    /// Why it was refused.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// Chunks that come in several requests (CreateUploadSession) and are not part of the file yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Upload {
    /// The token that names it: 128 random bits, minted by [`crate::ids::new_id`].
    pub id: String,
    /// For which file.
    pub file: FileId,
    /// Whose it is.
    pub user: UserId,
    /// When it was created or bytes came last.
    pub updated_at: Timestamp,
    /// What came, in order.
    pub pieces: Vec<UploadPiece>,
}

impl Upload {
    /// How long an upload lives after its last update (*CSPP Plus*, "Create upload session").
    pub const LIFETIME: Duration = Duration::from_secs(30 * 60);

    /// How many bytes came.
    pub fn received(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.size).sum()
    }

    /// Whether it still lives.
    pub fn lives(&self, now: Timestamp) -> bool {
        now < self.updated_at.plus(Self::LIFETIME)
    }
}

/// The bytes of one UpdateUploadSession.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UploadPiece {
    /// Which.
    pub content: ContentId,
    /// How many; not 0.
    pub size: u64,
}

/// A WOPI request that was refused, as people read of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefusedRequest {
    /// When it was judged.
    pub at: Timestamp,
    /// The node that refused it.
    pub node: String,
    /// The status that was answered.
    pub status: u16,
    /// What was asked; empty if no route matched.
    pub operation: String,
    /// Why.
    pub because: String,
    /// Its URL as we rebuilt it for the proof, token left out.
    pub url: String,
    /// `X-WOPI-CorrelationId`, cut and escaped; empty without one.
    pub correlation_id: String,
    /// The id of the request that `X-WOPI-ServerError` carries.
    pub request_id: String,
}

/// What is remembered of a client between two starts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DiscoveryCache {
    /// The client's name.
    pub client: String,
    /// Where the document came from.
    pub url: String,
    /// The document.
    pub xml: String,
    /// When it was fetched.
    pub fetched_at: Timestamp,
}

/// Something that a client reported about a document (AddActivities).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Activity {
    /// In which file.
    pub file: FileId,
    /// With whose token it was reported.
    pub by: UserId,
    /// When.
    pub at: Timestamp,
    /// The activity as the client sent it.
    pub json: String,
}
