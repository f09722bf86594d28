//! Who may do what: a person's right on a file or container, and what the token lets through of it.

use wopi::route::Permission;

use crate::ports::TokenClaims;
use crate::records::{Role, User};

/// What somebody may do with a file, or with a container and everything in it. Each includes those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Right {
    /// Read.
    View,
    /// Read, and comment.
    Comment,
    /// Write, rename, delete; make something in it.
    Edit,
    /// All that, share it with others, and release its locks.
    Own,
}

impl Right {
    /// All of them, weakest first.
    pub const ALL: [Self; 4] = [Self::View, Self::Comment, Self::Edit, Self::Own];

    /// The word for it in SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Comment => "comment",
            Self::Edit => "edit",
            Self::Own => "own",
        }
    }

    /// The right that the word names.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|right| right.as_str() == text)
    }

    /// Whether a token for it may change anything at all.
    pub fn writes(self) -> bool {
        self >= Self::Edit
    }

    /// What a role gives everywhere.
    pub fn of_role(role: Role) -> Option<Self> {
        match role {
            Role::Administrator => Some(Self::Own),
            Role::Editor => Some(Self::Edit),
            Role::Viewer => Some(Self::View),
        }
    }
}

/// What somebody may do with a file or container.
///
/// | | reads | writes, renames, deletes, creates |
/// |---|---|---|
/// | administrator or editor, token for editing | yes | yes |
/// | administrator or editor, token for viewing | yes | no |
/// | viewer | yes | no |
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rights {
    may_edit: bool,
}

impl Rights {
    /// What this user may do with this token.
    pub fn of(user: &User, token: &TokenClaims) -> Self {
        let role_edits = Right::of_role(user.role) >= Some(Right::Edit);
        Self { may_edit: role_edits && token.may_edit }
    }

    /// What somebody who has this right may do with a token for it.
    pub(crate) fn with(right: Right, token: &TokenClaims) -> Self {
        Self { may_edit: right >= Right::Edit && token.may_edit }
    }

    /// Whether a permission is among them.
    pub fn allow(self, permission: Permission) -> bool {
        match permission {
            Permission::Read => true,
            Permission::Write
            | Permission::Rename
            | Permission::Delete
            | Permission::WriteRelative
            | Permission::CreateFile
            | Permission::CreateContainer => self.may_edit,
        }
    }

    /// Whether anything may be changed.
    pub fn may_edit(self) -> bool {
        self.may_edit
    }
}

#[cfg(test)]
mod tests {
    use wopi::UserId;

    use super::*;
    use crate::records::{Revision, SessionId, Timestamp};

    /// The table in the description of [`Rights`].
    #[test]
    fn the_table_of_rights() {
        for (role, token_edits, expected) in [
            (Role::Administrator, true, true),
            (Role::Editor, true, true),
            (Role::Administrator, false, false),
            (Role::Editor, false, false),
            (Role::Viewer, true, false),
            (Role::Viewer, false, false),
        ] {
            let user = User {
                id: UserId::parse("u").unwrap(),
                name: "u".to_owned(),
                display_name: "U".to_owned(),
                role,
                password: None,
                disabled: false,
                user_info: None,
                revision: Revision(1),
                created_at: Timestamp(0),
            };
            let claims = TokenClaims {
                session: SessionId("s".to_owned()),
                user: user.id.clone(),
                may_edit: token_edits,
                client: None,
                expires_at: Timestamp(1),
            };
            let rights = Rights::of(&user, &claims);
            assert_eq!(rights.may_edit(), expected, "{role:?} {token_edits}");
            assert!(rights.allow(Permission::Read), "{role:?} {token_edits}");
            for changing in [
                Permission::Write,
                Permission::Rename,
                Permission::Delete,
                Permission::WriteRelative,
                Permission::CreateFile,
                Permission::CreateContainer,
            ] {
                assert_eq!(rights.allow(changing), expected, "{role:?} {token_edits} {changing:?}");
            }
        }
    }
}
