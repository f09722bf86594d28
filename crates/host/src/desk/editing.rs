//! Opening a file in a client: which action, its address, and the token that goes with it.
//!
//! The token hangs on the session of the page that asks for it. So when that session is revoked, or a right is taken away,
//! every editor that was opened from it stops at its next request.

use std::fmt;

use wopi::FileId;
use wopi::action_url::ActionUrlFacts;

use super::{AtFile, Denied, Desk, FileEntry, Why};
use crate::access::Right;
use crate::clients::{ClientAction, Wanted, changes, choose_action};
use crate::ports::{TokenClaims, TokenResource};
use crate::records::Timestamp;

/// A token for one file and one client.
#[derive(Clone, PartialEq, Eq)]
pub struct EditorToken {
    /// The token. Never part of a URL of ours.
    pub access_token: String,
    /// Until when it is good: `access_token_ttl`, in milliseconds since 1970.
    pub expires_at: Timestamp,
    /// Whether it may change anything.
    pub may_edit: bool,
}

impl fmt::Debug for EditorToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EditorToken")
            .field("expires_at", &self.expires_at)
            .field("may_edit", &self.may_edit)
            .finish_non_exhaustive()
    }
}

/// Something that a client can do with a file, for a menu.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Offer {
    /// The client.
    pub client: String,
    /// Its app: `Word`, `writer`.
    pub app: String,
    /// The action, as published.
    pub action: String,
    /// Whether it is for changing the file.
    pub edits: bool,
}

/// All that a host page has to know to open one file in one client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Editor {
    /// The file.
    pub file: FileEntry,
    /// Its WOPISrc.
    pub wopi_src: String,
    /// The client, the app and the action that were chosen.
    pub offer: Offer,
    /// Where the form with the token is posted to.
    pub action_url: String,
    /// An icon for the page.
    pub fav_icon_url: Option<String>,
    /// The token.
    pub token: EditorToken,
}

impl From<&ClientAction> for Offer {
    fn from(action: &ClientAction) -> Self {
        Self {
            client: action.client.clone(),
            app: action.app.clone(),
            action: action.name.clone(),
            edits: changes(&action.name),
        }
    }
}

impl Desk<'_> {
    /// What clients offer to do with a file, as far as this person may.
    fn actions(&self, at: &AtFile) -> Vec<ClientAction> {
        let mut actions = self.host.ports.clients.actions_for(at.record().name.extension());
        // Comments are written by `edit`; a file is made only by who may change things here.
        let makes = |action: &ClientAction| action.is("editnew") || action.is("convert");
        actions.retain(|action| at.right >= Right::Edit || !makes(action));
        actions
    }

    /// What clients can do with the file for this person, best client first. Empty if none knows such files.
    pub async fn offers(&self, file: &FileId) -> Result<Vec<Offer>, Denied> {
        let at = self.at_file(file, Right::View).await?;
        let offers = self.actions(&at);
        Ok(offers.iter().map(Offer::from).filter(|offer| !offer.edits || at.right.writes()).collect())
    }

    /// What a page needs to open the file in a client: the one of this name, or the best one. Who may not change the file,
    /// or wants to look at it only, gets a token that does not either. `facts` say how the page is to be shown; which file
    /// it is for is filled in here.
    pub async fn open_editor(
        &self,
        file: &FileId,
        client: Option<&str>,
        wanted: Wanted,
        facts: &ActionUrlFacts<'_>,
    ) -> Result<Editor, Denied> {
        let at = self.at_file(file, Right::View).await?;
        let record = self.host.current(at.record()).await?;
        let wanted = match wanted {
            Wanted::Edit if !at.right.writes() => Wanted::View,
            Wanted::Convert if at.right < Right::Edit => {
                return Err(super::not_allowed(Right::Edit, at.right));
            }
            wanted => wanted,
        };
        let actions = self.actions(&at);
        let Some(action) = choose_action(&actions, client, wanted, record.content.size == 0) else {
            return Err(Denied::new(Why::NoClient, format!("no client offers to {wanted:?} `{}`", record.name)));
        };
        let edits = wanted != Wanted::View && changes(&action.name);
        let token = self.token(&at, Some(&action.client), edits);
        let wopi_src = self.host.links.wopi_src(file);
        let facts = ActionUrlFacts {
            wopi_src: &wopi_src,
            business_user: facts.business_user || self.host.settings.business_users,
            // The token is posted, never part of a URL (protocol/hostpage.md 1).
            token_in_query: None,
            ..facts.clone()
        };
        Ok(Editor {
            file: FileEntry::of(&record, self.host.now()),
            offer: Offer::from(action),
            action_url: action.url(&facts),
            fav_icon_url: action.fav_icon_url.clone(),
            token,
            wopi_src: wopi_src.clone(),
        })
    }

    /// A token for the file: for the client of this name, or, without one, for a page of ours that is a client itself and
    /// shows no proofs. Also a fresh one instead of one that is about to run out.
    pub async fn editor_token(&self, file: &FileId, client: Option<&str>, edit: bool) -> Result<EditorToken, Denied> {
        let at = self.at_file(file, Right::View).await?;
        if let Some(client) = client.filter(|client| !self.host.ports.clients.has(client)) {
            return Err(Denied::new(Why::NoClient, format!("there is no client `{client}`")));
        }
        Ok(self.token(&at, client, edit))
    }

    fn token(&self, at: &AtFile, client: Option<&str>, edit: bool) -> EditorToken {
        let session = &self.person.0.session;
        let claims = TokenClaims {
            session: session.id.clone(),
            user: session.user.clone(),
            may_edit: edit && at.right.writes(),
            client: client.map(str::to_owned),
            expires_at: session.expires_at.min(self.host.now().plus(self.host.settings.token_lifetime)),
        };
        EditorToken {
            access_token: self.host.ports.tokens.seal(&claims, &TokenResource::File(at.record().id.clone())),
            expires_at: claims.expires_at,
            may_edit: claims.may_edit,
        }
    }
}
