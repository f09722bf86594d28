//! Which flags somebody gave, and how: on the command line or by a variable of the environment. Where a setting comes from
//! is told to people with its name.

use std::collections::BTreeMap;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

/// How a flag was given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum How {
    /// On the command line: the flag, or the name of the argument.
    Flag(String),
    /// By this variable of the environment.
    Variable(String),
}

/// The flags that were given, by their ids.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Given(BTreeMap<String, How>);

impl Given {
    /// What was given to a command and the one below it that was chosen.
    pub fn of(command: &Command, matches: &ArgMatches) -> Self {
        let mut given = Self::default();
        given.add(command, matches);
        given
    }

    fn add(&mut self, command: &Command, matches: &ArgMatches) {
        for argument in command.get_arguments() {
            let id = argument.get_id().as_str();
            // Asking for an id that these matches do not know would panic.
            let source = matches.try_contains_id(id).is_ok().then(|| matches.value_source(id)).flatten();
            let how = match source {
                Some(ValueSource::CommandLine) => How::Flag(match argument.get_long() {
                    Some(long) => format!("--{long}"),
                    None => id.to_uppercase(),
                }),
                Some(ValueSource::EnvVariable) => {
                    let variable = argument.get_env().map(|name| name.to_string_lossy().into_owned());
                    How::Variable(variable.unwrap_or_default())
                }
                _ => continue,
            };
            self.0.insert(id.to_owned(), how);
        }
        if let Some((name, below)) = matches.subcommand()
            && let Some(command) = command.find_subcommand(name)
        {
            self.add(command, below);
        }
    }

    /// How the flag with this id was given.
    pub fn how(&self, id: &str) -> Option<&How> {
        self.0.get(id)
    }
}
