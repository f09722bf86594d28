//! Records to begin with.

use lectern_host::records::{
    CoauthLock, CoauthTable, ContainerRecord, Content, ContentId, FileRecord, Fingerprint, Held, LockState, ModifiedAt,
    Revision, Role, Session, SessionId, Timestamp, User, VersionMark,
};
use lectern_host::wopi::coauth::{CoauthLockId, CoauthLockMetadata, CoauthLockType};
use lectern_host::wopi::{ContainerId, FileId, FileName, ItemVersion, LockId, UserId};

pub(super) fn file_id(text: &str) -> FileId {
    FileId::parse(text).unwrap()
}

pub(super) fn container_id(text: &str) -> ContainerId {
    ContainerId::parse(text).unwrap()
}

pub(super) fn user_id(text: &str) -> UserId {
    UserId::parse(text).unwrap()
}

pub(super) fn name(text: &str) -> FileName {
    FileName::parse(text).unwrap()
}

/// A content id that differs for every number.
pub(super) fn content_id(number: u64) -> ContentId {
    let mut random = [7; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    ContentId::new(Timestamp(1_700_000_000_000), random)
}

/// A content that nobody is known to have saved.
pub(super) fn content(number: u64) -> Content {
    Content {
        id: content_id(number),
        size: number,
        sha256: None,
        modified_at: ModifiedAt(17_000_000_000_000_000),
        saved_by: None,
        editors: Vec::new(),
        autosave: false,
    }
}

pub(super) fn fingerprint(inode: u64) -> Fingerprint {
    Fingerprint { inode, born_ns: Some(1), size: 2, modified_ns: 3 }
}

pub(super) fn held(id: &str) -> LockState {
    LockState::Wopi(Held {
        id: LockId::parse(id).unwrap(),
        expires_at: Timestamp(1_700_001_800_000),
        since: Timestamp(1_700_000_000_000),
        by: user_id("alice"),
        client: None,
        visible_as: None,
    })
}

/// A coauth lock of alice's.
pub(super) fn coauth_lock(id: &str) -> CoauthLock {
    CoauthLock {
        id: CoauthLockId::parse(id).unwrap(),
        kind: CoauthLockType::Coauth,
        metadata: CoauthLockMetadata::default(),
        expires_at: Timestamp(1_700_001_800_000),
        since: Timestamp(1_700_000_000_000),
        by: user_id("alice"),
        user_name: "Alice".into(),
    }
}

pub(super) fn coauthored(locks: Vec<CoauthLock>) -> LockState {
    LockState::Coauth(CoauthTable::new(locks).unwrap())
}

/// A plain file: free, never saved, without a folder.
///
/// # Panics
///
/// If the id or the name cannot be one.
pub fn file(id: &str, container: &ContainerId, called: &str) -> FileRecord {
    FileRecord {
        id: file_id(id),
        container: container.clone(),
        name: name(called),
        revision: Revision(0),
        owner: user_id("owner"),
        created_at: Timestamp(1_700_000_000_000),
        version: ItemVersion(1),
        content: content(id.bytes().fold(0, |sum, byte| sum * 31 + u64::from(byte))),
        lock: LockState::Free,
        seen: None,
        pending: None,
        deleted_at: None,
        mark: VersionMark::default(),
    }
}

/// A plain container.
///
/// # Panics
///
/// If the id or the name cannot be one.
pub fn container(id: &str, parent: &ContainerId, called: &str) -> ContainerRecord {
    ContainerRecord {
        id: container_id(id),
        parent: Some(parent.clone()),
        name: name(called),
        revision: Revision(0),
        created_at: Timestamp(1_700_000_000_000),
        seen: None,
    }
}

/// A plain user, an editor.
///
/// # Panics
///
/// If the id cannot be one.
pub fn user(id: &str, called: &str) -> User {
    User {
        id: user_id(id),
        name: called.to_owned(),
        display_name: called.to_owned(),
        role: Role::Editor,
        password: None,
        disabled: false,
        user_info: None,
        revision: Revision(0),
        created_at: Timestamp(1_700_000_000_000),
    }
}

/// A session that lives for ten hours.
///
/// # Panics
///
/// If the id of the user cannot be one.
pub fn session(id: &str, user: &str) -> Session {
    Session {
        id: SessionId(id.to_owned()),
        user: user_id(user),
        label: "test".to_owned(),
        created_at: Timestamp(1_700_000_000_000),
        expires_at: Timestamp(1_700_036_000_000),
        revoked_at: None,
        guest: None,
    }
}
