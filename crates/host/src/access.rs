//! Who may do what: one function from a person's role and the token to permissions.

use wopi::route::Permission;

use crate::ports::TokenClaims;
use crate::records::{Role, User};

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
        let role_edits = match user.role {
            Role::Administrator | Role::Editor => true,
            Role::Viewer => false,
        };
        Self { may_edit: role_edits && token.may_edit }
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
