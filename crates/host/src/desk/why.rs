//! A "no" for people: a reason that a page can say in any language, and beside it what the operator may want to know.

use std::borrow::Cow;
use std::fmt;

use wopi::names::NameError;
use wopi::{FileName, WopiError};
use wopi_service::Refusal;

use crate::naming::Objection;
use crate::ports::RegistryError;
use crate::{errors, naming};

/// Why somebody does not get what they asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Why {
    /// Their session is unknown, ran out or was revoked, or they were shut out.
    SignedOut,
    /// There is no such thing, or none that they may see.
    NotFound,
    /// They may see it, and may not do this with it.
    NotAllowed,
    /// The name belongs to something else there.
    NameTaken {
        /// A name near it that is free.
        free: Option<FileName>,
    },
    /// It cannot be called so.
    Name(NameFault),
    /// Somebody holds the file, so that it cannot be changed here.
    Held,
    /// Larger than is taken.
    TooLarge {
        /// In bytes (`limits.body_bytes_max`).
        limit: u64,
    },
    /// The bytes did not come whole.
    BrokenOff,
    /// A range that the file does not have.
    Range {
        /// The size of the file.
        size: u64,
    },
    /// The file is another one by now than the one they saw.
    Changed,
    /// The container has something in it.
    NotEmpty,
    /// The container has files in it that nobody is offered, and that are not ours to take away. All else is in the bin.
    LeftOver {
        /// The container in which they are.
        container: FileName,
        /// What they are called, not all of them perhaps.
        names: Vec<String>,
    },
    /// The container it was in is not there any more, or not for this person.
    ContainerGone,
    /// A container cannot be put into itself.
    IntoItself,
    /// Containers cannot lie any deeper.
    TooDeep,
    /// There are as many as there may be.
    TooMany {
        /// How many that is.
        limit: usize,
    },
    /// Nobody would be left who administers.
    LastAdministrator,
    /// That cannot be done with the root.
    Root,
    /// No client is known that does this with such a file.
    NoClient,
    /// Passing trouble: it may work in a moment.
    Busy,
    /// Our failure. The log has more.
    Failed,
}

/// What is wrong with a name that somebody chose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NameFault {
    /// Nothing is left of it.
    Empty,
    /// Longer than [`FileName::BYTES_MAX`] bytes.
    TooLong,
    /// It has this in it.
    Character(char),
    /// What hidden and temporary files are called: nobody would see it.
    Hidden,
    /// A space at the beginning, or a space or dot at the end.
    Edges,
    /// The name of a device on Windows.
    Reserved,
    /// The file system of the folder refuses it.
    Refused,
}

/// A "no", and why: for the person, and for the operator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Denied {
    /// What the person is told.
    pub why: Why,
    /// What was computed and what was given, for a log line. No secrets.
    pub because: Cow<'static, str>,
}

impl Denied {
    /// A "no" with its reason.
    pub fn new(why: Why, because: impl Into<Cow<'static, str>>) -> Self {
        Self { why, because: because.into() }
    }

    /// What the registry could not do. `doing` is what was tried.
    pub(crate) fn registry(doing: &str, error: &RegistryError) -> Self {
        errors::registry(doing, error).into()
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.because)
    }
}

impl std::error::Error for Denied {}

impl From<Refusal> for Denied {
    fn from(Refusal { error, because }: Refusal) -> Self {
        let why = match error {
            WopiError::NotFound | WopiError::Gone { .. } => Why::NotFound,
            WopiError::Unauthorized { .. } | WopiError::ProofRejected => Why::SignedOut,
            WopiError::NotSupported => Why::NotAllowed,
            WopiError::InvalidRequest { .. } | WopiError::InvalidBody { .. } => Why::BrokenOff,
            WopiError::IllegalName { .. } => Why::Name(NameFault::Refused),
            WopiError::LockMismatch { .. } | WopiError::HeldOtherwise { .. } | WopiError::CoauthLockRefused { .. } => {
                Why::Held
            }
            WopiError::NameTaken { valid } => {
                Why::NameTaken { free: valid.and_then(|name| FileName::parse(&name).ok()) }
            }
            WopiError::NotEmpty => Why::NotEmpty,
            WopiError::StaleTimestamp | WopiError::StaleSequence { .. } => Why::Changed,
            // Whoever asks for bytes or sends them says so with the limit; see `Desk::staged`.
            WopiError::TooLarge | WopiError::LargerThanExpected => Why::TooLarge { limit: 0 },
            WopiError::RangeNotSatisfiable { size } => Why::Range { size },
            WopiError::Busy { .. } => Why::Busy,
            WopiError::Internal => Why::Failed,
        };
        Self { why, because }
    }
}

impl From<NameError> for NameFault {
    fn from(error: NameError) -> Self {
        match error {
            NameError::Empty | NameError::Dots => Self::Empty,
            NameError::TooLong => Self::TooLong,
            NameError::Character(character) => Self::Character(character),
        }
    }
}

impl From<Objection> for NameFault {
    fn from(objection: Objection) -> Self {
        match objection {
            Objection::Character(character) => Self::Character(character),
            Objection::Unoffered => Self::Hidden,
            Objection::Edges => Self::Edges,
            Objection::Reserved => Self::Reserved,
        }
    }
}

/// The name that somebody typed, if it can be given to something. Spaces around it are nobody's wish.
///
/// # Errors
///
/// [`Why::Name`].
pub fn chosen_name(text: &str) -> Result<FileName, Denied> {
    let refused = |fault: NameFault, because: String| Denied::new(Why::Name(fault), because);
    let name = FileName::parse(text.trim()).map_err(|error| refused(error.into(), error.to_string()))?;
    naming::legal(&name).map_err(|objection| refused(objection.into(), objection.to_string()))?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_names_that_people_type() {
        for (text, expected) in [
            ("report.docx", Ok("report.docx")),
            ("  Über uns  ", Ok("Über uns")),
            ("", Err(NameFault::Empty)),
            ("   ", Err(NameFault::Empty)),
            ("..", Err(NameFault::Empty)),
            ("a/b", Err(NameFault::Character('/'))),
            ("what?", Err(NameFault::Character('?'))),
            ("a\u{7}b", Err(NameFault::Character('\u{7}'))),
            (".hidden", Err(NameFault::Hidden)),
            ("~$x.docx", Err(NameFault::Hidden)),
            ("x.", Err(NameFault::Edges)),
            ("con.txt", Err(NameFault::Reserved)),
        ] {
            let chosen = chosen_name(text);
            assert_eq!(chosen.as_ref().map(FileName::as_str).map_err(|no| no.why.clone()), expected.map_err(Why::Name));
        }
        assert_eq!(chosen_name(&"x".repeat(256)).unwrap_err().why, Why::Name(NameFault::TooLong));
    }
}
