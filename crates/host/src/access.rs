//! Who may do what: a person's right on a file or container, and what a token lets through of it.

use std::sync::Arc;

use wopi::FileId;
use wopi::route::Permission;

use crate::ports::TokenClaims;
use crate::records::{ContainerRecord, Role, Timestamp, User};
use crate::sharing::{Grant, GroupId, Item, Link, Principal};

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
        self >= Self::Comment
    }

    /// What a role gives everywhere.
    pub fn of_role(role: Role) -> Option<Self> {
        match role {
            Role::Administrator => Some(Self::Own),
            Role::Editor => Some(Self::Edit),
            Role::Viewer => Some(Self::View),
            Role::Member => None,
        }
    }
}

/// Somebody who wants something.
#[derive(Clone, Copy, Debug)]
pub enum Who<'a> {
    /// A person with an account.
    User {
        /// Which.
        user: &'a User,
        /// The groups they are in.
        groups: &'a [GroupId],
    },
    /// Somebody who came by this link.
    Guest(&'a Link),
}

/// What somebody may do with a thing that lies in `containers` (from its own up to the root): with the file, or with the
/// first of the containers where there is no file. `grants` are all that there are on any of these.
///
/// | who | | right |
/// |---|---|---|
/// | a user | whose role gives R; the grants here to them, or to a group they are in, give G | the strongest of R and G |
/// | a user | whose role gives none, and there is no such grant | none |
/// | a guest | whose link is live and leads to the file or to a container it lies in | that of the link |
/// | a guest | otherwise | none |
pub fn right_on(
    who: &Who<'_>,
    file: Option<&FileId>,
    containers: &[Arc<ContainerRecord>],
    grants: &[Arc<Vec<Grant>>],
    now: Timestamp,
) -> Option<Right> {
    match who {
        Who::User { user, groups } => {
            let theirs = |grant: &&Grant| match &grant.to {
                Principal::User(id) => *id == user.id,
                Principal::Group(id) => groups.contains(id),
            };
            let granted = grants.iter().flat_map(|grants| grants.iter()).filter(theirs).map(|grant| grant.right).max();
            granted.max(Right::of_role(user.role))
        }
        Who::Guest(link) => {
            let leads_here = match &link.item {
                Item::File(id) => file == Some(id),
                Item::Container(id) => containers.iter().any(|container| container.id == *id),
            };
            (leads_here && link.is_live(now)).then_some(link.right)
        }
    }
}

/// What somebody may do with a file or container, with a token. Who may change a file, but not what is beside it, makes no
/// other file there.
///
/// | right | token for editing | its client proves itself | reads | saves | renames, deletes, creates |
/// |---|---|---|---|---|---|
/// | none | | | no | no | no |
/// | view | | | yes | no | no |
/// | comment | yes | yes | yes | yes | no |
/// | comment | yes | no | yes | no | no |
/// | edit, own | yes | | yes | yes | yes |
/// | any | no | | yes | no | no |
///
/// No host can tell a comment from another change. A client that knows `UserCanOnlyComment` can, and keeps the person to
/// it; only where its requests carry proofs is it certain that they come from it, and not from somebody who took the token
/// out of the page. So a comment is taken from no other. Clients that do not know that property show the file for reading.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rights {
    may_read: bool,
    may_comment: bool,
    may_edit: bool,
    may_write_beside: bool,
}

impl Rights {
    /// What this user may do with this token where nothing was shared with them.
    pub fn of(user: &User, token: &TokenClaims) -> Self {
        Self::with(Right::of_role(user.role), token, false)
    }

    /// What somebody who has this right may do with this token. `proven`: the request carried a proof of the client that
    /// the token was made for.
    pub fn with(right: Option<Right>, token: &TokenClaims, proven: bool) -> Self {
        let may_edit = right >= Some(Right::Edit) && token.may_edit;
        Self {
            may_read: right.is_some(),
            may_comment: right == Some(Right::Comment) && token.may_edit && proven,
            may_edit,
            may_write_beside: may_edit,
        }
    }

    /// The same for a file in a container in which they may change nothing else.
    pub(crate) fn only_here(self) -> Self {
        Self { may_write_beside: false, ..self }
    }

    /// Whoever was let in where there is nothing to read or write.
    pub(crate) fn elsewhere(self) -> Self {
        Self { may_read: true, ..self }
    }

    /// Whether a permission is among them.
    pub fn allow(self, permission: Permission) -> bool {
        match permission {
            Permission::Read => self.may_read,
            Permission::Write => self.may_edit || self.may_comment,
            Permission::WriteRelative => self.may_write_beside,
            Permission::Rename | Permission::Delete | Permission::CreateFile | Permission::CreateContainer => {
                self.may_edit
            }
        }
    }

    /// Whether anything may be changed.
    pub fn may_edit(self) -> bool {
        self.may_edit
    }

    /// Whether what is saved may be comments only, as far as the client sees to it.
    pub fn may_only_comment(self) -> bool {
        self.may_comment
    }
}

#[cfg(test)]
mod tests {
    use wopi::{ContainerId, FileName, UserId};

    use super::*;
    use crate::records::{Revision, SessionId};
    use crate::sharing::LinkId;

    const NOW: Timestamp = Timestamp(1000);

    fn user(role: Role) -> User {
        User {
            id: UserId::parse("u").unwrap(),
            name: "u".to_owned(),
            display_name: "U".to_owned(),
            role,
            password: None,
            disabled: false,
            user_info: None,
            revision: Revision(1),
            created_at: Timestamp(0),
        }
    }

    fn claims(may_edit: bool) -> TokenClaims {
        TokenClaims {
            session: SessionId("s".to_owned()),
            user: UserId::parse("u").unwrap(),
            may_edit,
            client: None,
            expires_at: Timestamp(1),
        }
    }

    /// The table in the description of [`Rights`]: (right, token edits, proven) to (reads, saves, all else).
    #[test]
    fn the_table_of_rights() {
        let (view, comment, edit, own) = (Some(Right::View), Some(Right::Comment), Some(Right::Edit), Some(Right::Own));
        for (right, edits, proven, expected) in [
            (None, true, true, [false, false, false]),
            (view, true, true, [true, false, false]),
            (comment, true, true, [true, true, false]),
            (comment, true, false, [true, false, false]),
            (comment, false, true, [true, false, false]),
            (edit, true, false, [true, true, true]),
            (edit, false, true, [true, false, false]),
            (own, true, true, [true, true, true]),
            (own, false, true, [true, false, false]),
        ] {
            let rights = Rights::with(right, &claims(edits), proven);
            let case = format!("{right:?} {edits} {proven}");
            assert_eq!(rights.allow(Permission::Read), expected[0], "{case}");
            assert_eq!(rights.allow(Permission::Write), expected[1], "{case}");
            for changing in [
                Permission::Rename,
                Permission::Delete,
                Permission::WriteRelative,
                Permission::CreateFile,
                Permission::CreateContainer,
            ] {
                assert_eq!(rights.allow(changing), expected[2], "{case} {changing:?}");
            }
            assert_eq!((rights.may_edit(), rights.may_only_comment()), (expected[2], expected[1] && !expected[2]));
            assert!(!rights.only_here().allow(Permission::WriteRelative), "{case}");
            assert_eq!(rights.only_here().allow(Permission::Rename), expected[2], "{case}");
        }
        for (role, reads, edits) in [
            (Role::Administrator, true, true),
            (Role::Editor, true, true),
            (Role::Viewer, true, false),
            (Role::Member, false, false),
        ] {
            let rights = Rights::of(&user(role), &claims(true));
            assert_eq!((rights.allow(Permission::Read), rights.may_edit()), (reads, edits), "{role:?}");
        }
    }

    fn container(id: &str) -> Arc<ContainerRecord> {
        Arc::new(ContainerRecord {
            id: ContainerId::parse(id).unwrap(),
            parent: None,
            name: FileName::parse(id).unwrap(),
            revision: Revision(1),
            created_at: Timestamp(0),
            seen: None,
        })
    }

    fn group(id: &str) -> GroupId {
        GroupId::parse(id).unwrap()
    }

    fn grant(to: Principal, right: Right) -> Grant {
        let item = Item::File(FileId::parse("f").unwrap());
        Grant { item, to, right, by: UserId::parse("o").unwrap(), at: Timestamp(0) }
    }

    /// The first two rows of the table in the description of [`right_on`].
    #[test]
    fn the_table_of_what_users_may_do() {
        let me = || Principal::User(UserId::parse("u").unwrap());
        let other = || Principal::User(UserId::parse("x").unwrap());
        let (mine, not_mine) = (|| Principal::Group(group("g")), || Principal::Group(group("h")));
        for (role, on_file, on_container, expected) in [
            (Role::Member, vec![], vec![], None),
            (Role::Member, vec![grant(other(), Right::Own), grant(not_mine(), Right::Own)], vec![], None),
            (Role::Member, vec![grant(me(), Right::View)], vec![], Some(Right::View)),
            (Role::Member, vec![], vec![grant(mine(), Right::Comment)], Some(Right::Comment)),
            (Role::Member, vec![grant(me(), Right::View)], vec![grant(mine(), Right::Edit)], Some(Right::Edit)),
            (Role::Viewer, vec![], vec![], Some(Right::View)),
            (Role::Viewer, vec![grant(mine(), Right::Edit)], vec![grant(me(), Right::View)], Some(Right::Edit)),
            (Role::Editor, vec![grant(me(), Right::View)], vec![], Some(Right::Edit)),
            (Role::Editor, vec![], vec![grant(me(), Right::Own)], Some(Right::Own)),
            (Role::Administrator, vec![grant(me(), Right::View)], vec![], Some(Right::Own)),
        ] {
            let (user, groups) = (user(role), [group("g")]);
            let who = Who::User { user: &user, groups: &groups };
            let file = FileId::parse("f").unwrap();
            let grants = [Arc::new(on_file), Arc::new(on_container)];
            let right = right_on(&who, Some(&file), &[container("c"), container("r")], &grants, NOW);
            assert_eq!(right, expected, "{role:?} {grants:?}");
        }
    }

    /// The other two rows.
    #[test]
    fn the_table_of_what_guests_may_do() {
        let (file, other) = (FileId::parse("f").unwrap(), FileId::parse("g").unwrap());
        let on_file = Item::File(file.clone());
        let on_container = |id: &str| Item::Container(ContainerId::parse(id).unwrap());
        for (item, expires_at, revoked_at, wanted, expected) in [
            (on_file.clone(), None, None, Some(&file), true),
            (on_file.clone(), None, None, Some(&other), false),
            (on_file.clone(), None, None, None, false),
            (on_file.clone(), Some(1001), None, Some(&file), true),
            (on_file.clone(), Some(1000), None, Some(&file), false),
            (on_file, None, Some(5000), Some(&file), false),
            (on_container("c"), None, None, Some(&file), true),
            (on_container("r"), None, None, None, true),
            (on_container("x"), None, None, Some(&file), false),
        ] {
            let link = Link {
                id: LinkId::parse("l").unwrap(),
                item,
                right: Right::Edit,
                secret: [0; 32],
                password: None,
                label: String::new(),
                by: UserId::parse("o").unwrap(),
                created_at: Timestamp(0),
                expires_at: expires_at.map(Timestamp),
                revoked_at: revoked_at.map(Timestamp),
            };
            // A guest has no account, so that no grant is theirs.
            let grants = [Arc::new(vec![grant(Principal::User(UserId::parse("u").unwrap()), Right::Own)])];
            let right = right_on(&Who::Guest(&link), wanted, &[container("c"), container("r")], &grants, NOW);
            assert_eq!(right, expected.then_some(Right::Edit), "{link:?}");
        }
    }
}
