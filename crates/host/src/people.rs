//! The people that are there before anybody made them.

use wopi::{UserId, WopiError};
use wopi_service::Refusal;

use crate::errors;
use crate::host::Host;
use crate::ports::{Random, RegistryError};
use crate::records::{Revision, Role, User};

/// Name of the administrator that a first start makes.
pub const LOCAL_ADMINISTRATOR: &str = "admin";

/// `OwnerId` of files that nobody saved through us: whoever owns the folder. No user has this id.
pub fn folder_owner() -> UserId {
    UserId::parse("folder").unwrap_or_else(|| unreachable!("the word is an id"))
}

/// What the id of a guest begins with. It is no digit of a minted id, so that no user has such an id.
const GUEST_MARK: char = '0';

/// An id for a guest.
pub(crate) fn new_guest_id(random: &dyn Random) -> UserId {
    let text = format!("{GUEST_MARK}{}", crate::ids::new_id(random));
    UserId::parse(&text).unwrap_or_else(|| unreachable!("letters and digits are an id"))
}

/// Whether this is the id of a guest: somebody who came by a link, and has no account.
pub fn is_guest(id: &UserId) -> bool {
    id.as_str().starts_with(GUEST_MARK)
}

impl Host {
    /// The user of this name, or, for the local administrator of a first start, a new one.
    ///
    /// # Errors
    ///
    /// [`WopiError::NotFound`] if there is no such user.
    pub async fn user_or_first_administrator(&self, name: &str) -> Result<User, Refusal> {
        match self.ports.registry.user_named(name).await {
            Err(RegistryError::NotFound) if name == LOCAL_ADMINISTRATOR => {}
            found => return found.map_err(|e| errors::registry(&format!("finding the user {name}"), &e)),
        }
        match self.add_user(LOCAL_ADMINISTRATOR, "Administrator", Role::Administrator).await {
            // Another process made the same one at the same moment.
            Err(Refusal { error: WopiError::NameTaken { .. }, .. }) => {
                let found = self.ports.registry.user_named(name).await;
                found.map_err(|e| errors::registry("reading the user", &e))
            }
            made => made,
        }
    }

    /// Adds a user who cannot sign in by password yet.
    ///
    /// # Errors
    ///
    /// [`WopiError::NameTaken`] if somebody has that name.
    pub async fn add_user(&self, name: &str, display_name: &str, role: Role) -> Result<User, Refusal> {
        let user = User {
            id: crate::ids::new_user_id(&*self.ports.random),
            name: name.to_owned(),
            display_name: display_name.to_owned(),
            role,
            password: None,
            disabled: false,
            user_info: None,
            revision: Revision::default(),
            created_at: self.now(),
        };
        self.ports.registry.create_user(&user).await.map_err(|e| errors::registry("adding the user", &e))
    }
}
