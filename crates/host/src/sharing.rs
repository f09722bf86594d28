//! What is shared with whom: the records. What follows from them is in [`crate::access`].

use std::fmt;

use wopi::{ContainerId, FileId, UserId};

use crate::access::Right;
use crate::records::{Revision, Timestamp};

/// Something that can be shared: a file, or a container with everything in it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Item {
    /// A file.
    File(FileId),
    /// A container.
    Container(ContainerId),
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(id) => write!(f, "file {id}"),
            Self::Container(id) => write!(f, "container {id}"),
        }
    }
}

macro_rules! minted_id {
    ($(#[$comment:meta])* $name:ident) => {
        $(#[$comment])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(String);

        impl $name {
            /// Longest text of one, in characters.
            pub const LENGTH_MAX: usize = 64;

            /// The id that the text spells: lower-case letters and digits.
            pub fn parse(text: &str) -> Option<Self> {
                let valid = (1..=Self::LENGTH_MAX).contains(&text.len())
                    && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
                valid.then(|| Self(text.to_owned()))
            }

            /// A new one.
            pub(crate) fn new(random: &dyn crate::ports::Random) -> Self {
                Self(crate::ids::new_id(random))
            }

            /// Its text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

minted_id! {
    /// The id of a group.
    GroupId
}

minted_id! {
    /// The id of a link. It is no secret, and opens nothing.
    LinkId
}

minted_id! {
    /// The id of a deletion in the bin.
    BinId
}

/// A group of people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// Its name, unique without regard to letter case.
    pub name: String,
    /// How often this record was committed.
    pub revision: Revision,
    /// Since when.
    pub created_at: Timestamp,
}

/// With whom something is shared.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Principal {
    /// A person.
    User(UserId),
    /// Everybody in a group.
    Group(GroupId),
}

/// Something is shared with somebody. Of one thing with one principal there is one grant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    /// What.
    pub item: Item,
    /// With whom.
    pub to: Principal,
    /// What they may do.
    pub right: Right,
    /// Who shared it.
    pub by: UserId,
    /// When.
    pub at: Timestamp,
}

/// The hash of a link's secret, which is kept nowhere.
pub type SecretHash = [u8; 32];

/// A link by which anybody comes in who has it.
#[derive(Clone, PartialEq, Eq)]
pub struct Link {
    /// Its id.
    pub id: LinkId,
    /// What it leads to.
    pub item: Item,
    /// What guests may do there: [`Right::View`] or [`Right::Edit`].
    pub right: Right,
    /// The SHA-256 of its secret.
    pub secret: SecretHash,
    /// Argon2id in PHC form, if it also asks for a password.
    pub password: Option<String>,
    /// What it is called, for those who manage it.
    pub label: String,
    /// Who made it.
    pub by: UserId,
    /// When.
    pub created_at: Timestamp,
    /// The first moment at which it is none any more.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl Link {
    /// Whether it opens anything at this moment.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("id", &self.id)
            .field("item", &self.item)
            .field("right", &self.right)
            .field("has_password", &self.password.is_some())
            .field("expires_at", &self.expires_at)
            .field("revoked_at", &self.revoked_at)
            .finish_non_exhaustive()
    }
}

/// Who a guest is: somebody who came by a link and said a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Guest {
    /// By which link. When it ends, so does all that the guest may do.
    pub link: LinkId,
    /// The name.
    pub name: String,
}
