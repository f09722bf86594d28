//! Users and groups.

use std::collections::BTreeSet;

use wopi::UserId;
use wopi_service::Refusal;

use super::{Carrier, Meeting, registry};
use crate::ports::RegistryError;
use crate::records::{Revision, User};
use crate::sharing::Group;

impl Carrier<'_> {
    /// Users and groups are who they are by their ids; whoever has the name of somebody there is taken for them.
    pub(super) async fn people(&mut self) -> Result<(), Refusal> {
        let (from, to) = (&*self.from.ports.registry, &*self.to.ports.registry);
        for user in from.users().await.map_err(registry("listing users"))? {
            let there = self.user_there(&user).await?;
            self.users.insert(user.id, there);
        }
        for group in from.groups().await.map_err(registry("listing groups"))? {
            let known = match to.group(&group.id).await {
                Err(RegistryError::NotFound) => to.group_named(&group.name).await,
                known => known,
            };
            let there = match known {
                Ok(known) => known,
                Err(RegistryError::NotFound) => {
                    self.done.people += 1;
                    let wanted = Group { revision: Revision::default(), ..group.clone() };
                    to.create_group(&wanted).await.map_err(registry("making a group"))?
                }
                Err(error) => return Err(registry("looking for a group")(error)),
            };
            if there.name != group.name && self.meeting == Meeting::Mirror {
                let renamed = Group { name: group.name.clone(), ..there.clone() };
                to.commit_group(&renamed).await.map_err(registry("renaming a group"))?;
            }
            let members = from.members(&group.id).await.map_err(registry("listing members"))?;
            let members: BTreeSet<UserId> = members.iter().map(|user| self.user(user)).collect();
            let known = to.members(&there.id).await.map_err(registry("listing members"))?;
            for user in members.iter().filter(|user| !known.contains(user)) {
                to.set_member(&there.id, user, true).await.map_err(registry("putting somebody into a group"))?;
            }
            if self.meeting == Meeting::Mirror {
                for user in known.iter().filter(|user| !members.contains(user)) {
                    to.set_member(&there.id, user, false).await.map_err(registry("taking somebody out of a group"))?;
                }
            }
            self.groups.insert(group.id, there.id);
        }
        Ok(())
    }

    async fn user_there(&mut self, user: &User) -> Result<UserId, Refusal> {
        let to = &*self.to.ports.registry;
        let known = match to.user(&user.id).await {
            Err(RegistryError::NotFound) => to.user_named(&user.name).await,
            known => known,
        };
        match known {
            Ok(known) => {
                // Who is there already keeps what they are, except in a copy.
                let wanted = User { id: known.id.clone(), revision: known.revision, ..user.clone() };
                if self.meeting == Meeting::Mirror && wanted != known {
                    to.commit_user(&wanted).await.map_err(registry("changing a user"))?;
                }
                Ok(known.id)
            }
            Err(RegistryError::NotFound) => {
                let wanted = User { revision: Revision::default(), ..user.clone() };
                self.done.people += 1;
                to.create_user(&wanted).await.map(|user| user.id).map_err(registry("making a user"))
            }
            Err(error) => Err(registry("looking for a user")(error)),
        }
    }
}
