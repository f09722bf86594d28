//! `[[user]]`

use lectern_host::records::Role;
use serde::{Deserialize, Serialize};

use super::section::repeated_section;

repeated_section! {
    /// A person. Those in this file are added at start and get the name and the role that stand here; those who were added
    /// by `lectern user add` are left alone, and nobody is removed. With nobody at all, an administrator `admin` is added.
    pub struct SettingsUser = "user" {
        /// What they are called in commands; letter case does not matter.
        #[serde(deserialize_with = "short_text")]
        pub name: String, for example "\"ada\"";
        /// What clients show to others; the name if nothing is said.
        #[serde(default, deserialize_with = "some_short_text", skip_serializing_if = "Option::is_none")]
        pub display_name: Option<String>, for example "\"Ada Lovelace\"";
        /// `administrator`, `editor` (reads and changes every file), `viewer` (reads every file) or `member` (sees only what
        /// is shared with them).
        #[serde(default)]
        pub role: RoleName, for example "\"editor\"";
    }
}

impl SettingsUser {
    /// What clients show to others.
    pub fn shown_as(&self) -> &str {
        self.display_name.as_deref().unwrap_or(&self.name)
    }
}

/// Longest name of a person, in characters.
pub const PERSON_NAME_LENGTH_MAX: usize = 100;

/// Whether this can be the name of a person: something to see, nothing that controls a terminal.
pub fn is_person_name(text: &str) -> bool {
    !text.is_empty()
        && text.trim() == text
        && text.chars().count() <= PERSON_NAME_LENGTH_MAX
        && !text.chars().any(char::is_control)
}

fn short_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if is_person_name(&text) {
        Ok(text)
    } else {
        Err(serde::de::Error::custom(format!(
            "{text:?} is no name: 1 to {PERSON_NAME_LENGTH_MAX} characters, none of them a control character, no blanks \
             around them"
        )))
    }
}

fn some_short_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    short_text(deserializer).map(Some)
}

/// A role, by its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum RoleName {
    /// Everything, and the administration.
    Administrator,
    /// Reads and changes every file.
    #[default]
    Editor,
    /// Reads every file.
    Viewer,
    /// Sees only what is shared with them.
    Member,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Administrator => Self::Administrator,
            RoleName::Editor => Self::Editor,
            RoleName::Viewer => Self::Viewer,
            RoleName::Member => Self::Member,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_has_the_same_name_here_and_in_the_registry() {
        for name in [RoleName::Administrator, RoleName::Editor, RoleName::Viewer, RoleName::Member] {
            let written = toml::Value::try_from(name).unwrap();
            assert_eq!(written.as_str(), Some(Role::from(name).as_str()));
        }
    }
}
