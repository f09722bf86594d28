//! What operations on files answer, CheckFileInfo apart.

use serde::{Deserialize, Deserializer, Serialize};

answer! {
    /// PutFile. Collabora and ONLYOFFICE take the time for the precondition of their next save.
    PutFile {
        /// [`last_modified_time`](super::last_modified_time) of what is now stored.
        last_modified_time: String,
    }
}

answer! {
    /// PutRelativeFile.
    PutRelativeFile {
        /// The new file's name with its extension.
        name: String,
        /// The new file's WOPISrc with an access token.
        url: String,
    }
    optional {
        /// The host's page that views the new file.
        host_view_url: String,
        /// The host's page that edits the new file.
        host_edit_url: String,
    }
}

answer! {
    /// RenameFile.
    RenameFile {
        /// The name that the file has now, **without** its extension.
        name: String,
    }
    optional {
        /// The file's WOPISrc with an access token. Collabora reloads from there.
        url: String,
    }
}

answer! {
    /// GetShareUrl, of files and of containers.
    ShareUrl {
        /// A URL for a browser.
        share_url: String,
    }
}

answer! {
    /// ReadSecureStore (legacy).
    ReadSecureStore {
        /// The user's name.
        user_name: String,
        /// The password.
        password: String,
    }
    optional {
        /// Whether these are Windows credentials.
        is_windows_credentials: bool,
        /// Whether they belong to a group.
        is_group: bool,
    }
}

answer! {
    /// AddActivities.
    AddActivities {
        /// One for each activity, in order.
        activity_responses: Vec<ActivityResponse>,
    }
}

answer! {
    /// What became of one activity.
    ActivityResponse {
        /// The activity's id in the letter case it came in.
        id: String,
        /// [`ActivityResponse::ACCEPTED`] or [`ActivityResponse::UNSUPPORTED_TYPE`]; others are not published.
        status: u32,
    }
}

impl ActivityResponse {
    /// The activity was taken.
    pub const ACCEPTED: u32 = 0;
    /// The host does not know activities of this type.
    pub const UNSUPPORTED_TYPE: u32 = 3;
}

/// The body of an AddActivities request. Nothing in it is required and nothing unknown disturbs, because only the
/// validator's examples are public; times are text, because theirs are no ISO 8601.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AddActivitiesRequest {
    /// What happened.
    #[serde(deserialize_with = "null_is_empty")]
    pub activities: Vec<Activity>,
}

/// Something that happened in a document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Activity {
    /// `comment` is the only type known.
    #[serde(rename = "Type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// A GUID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// When, by its other name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// What.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<ActivityData>,
    /// Who is concerned.
    #[serde(deserialize_with = "null_is_empty", skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<ActivityPerson>,
}

answer! {
    /// What a comment did.
    ActivityData {}
    optional {
        /// The id of the comment.
        content_id: String,
        /// `created`, `updated` or `deleted`.
        content_action: String,
        /// Leads the client back to the place.
        navigation_id: String,
        /// The text.
        comment_text: String,
        /// Whether it answers another comment.
        is_reply: bool,
    }
}

answer! {
    /// Somebody concerned by an activity.
    ActivityPerson {}
    optional {
        /// The display name.
        name: String,
        /// The id, with the provider that gave it.
        id: String,
        /// Who gave the id: `wopi-…` for a host's own users.
        provider: String,
        /// Whether the comment mentions them.
        mentioned: bool,
        /// Whether they wrote in the thread before.
        in_thread: bool,
        /// Whether the comment answers them.
        replied_to: bool,
    }
}

fn null_is_empty<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}
