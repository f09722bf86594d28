//! Somebody who was let in, for one target, and the record he was let in to.

use std::sync::Arc;

use wopi::WopiError;
use wopi_service::Refusal;

use crate::access::Rights;
use crate::ports::{Located, TokenClaims};
use crate::records::{ContainerRecord, FileRecord, User};

/// What a caller was let in to. The record is as fresh as the gate; it spares the first load.
#[derive(Clone, Debug)]
pub(crate) enum Admission {
    File(Located),
    Container(ContainerRecord),
    Elsewhere,
}

/// Somebody who was let in.
#[derive(Clone, Debug)]
pub struct Caller {
    pub(crate) user: Arc<User>,
    pub(crate) claims: TokenClaims,
    pub(crate) rights: Rights,
    pub(crate) admission: Admission,
}

impl Caller {
    /// Who it is.
    pub fn user(&self) -> &User {
        &self.user
    }

    /// `UserFriendlyName`. Never empty: others see it beside what this user holds.
    pub(crate) fn friendly_name(&self) -> String {
        let User { name, display_name, .. } = &*self.user;
        if display_name.trim().is_empty() { name.clone() } else { display_name.clone() }
    }

    pub(crate) fn file(&self) -> Result<&FileRecord, Refusal> {
        Ok(&self.located()?.record)
    }

    /// The file, and where it lay when the caller was let in.
    pub(crate) fn located(&self) -> Result<&Located, Refusal> {
        match &self.admission {
            Admission::File(located) => Ok(located),
            Admission::Container(_) | Admission::Elsewhere => Err(WopiError::NotFound.into()),
        }
    }

    pub(crate) fn container(&self) -> Result<&ContainerRecord, Refusal> {
        match &self.admission {
            Admission::Container(record) => Ok(record),
            Admission::File(_) | Admission::Elsewhere => Err(WopiError::NotFound.into()),
        }
    }
}
