//! The commands. Each is a file below, with its flags and their help beside what it does.
//!
//! What a command prints for people goes to standard output, notes and errors to standard error; `--json` prints what a
//! script would want. The exit status is 0, 1 for an error, 2 for flags that are none.

mod carry;
mod check;
mod fetch;
mod keys;
mod known;
mod page;
mod rescued;
mod serve;
mod show;
#[cfg(test)]
mod testing;
mod token;
mod user;
mod versions;

use std::ffi::OsString;
use std::io::Write;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

pub use carry::{Backup, Export, Import, Migrate, Restore};
pub use check::Check;
pub use keys::Keys;
pub use rescued::Rescued;
pub use serve::Serve;
pub use show::Show;
pub use token::Token;
pub use user::UserCommand;
pub use versions::Versions;

use crate::config::{Log, sample};
use crate::given::Given;
use crate::telemetry;
use crate::trouble::{OrTrouble, Trouble};
use crate::wiring::Wiring;

/// Where a command writes what it found.
pub type Out<'a> = &'a mut (dyn Write + Send);

/// Lets office servers open, edit and save the documents of a folder (a WOPI host)
#[derive(Parser, Debug)]
#[command(name = "lectern", version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    /// What is logged: error, warn, info, debug, trace, or a list such as info,lectern_host=debug
    #[arg(long, global = true, value_name = "FILTER")]
    pub log: Option<String>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Serve a folder of documents
    Serve(Serve),
    /// Print the WOPISrc of a file, an access token for it, and the URLs that open it
    Token(Token),
    /// Try everything that the settings promise, and say what fails and why
    Check(Check),
    /// List, add and change users
    #[command(subcommand)]
    User(UserCommand),
    /// Change the keys that seal access tokens
    #[command(subcommand)]
    Keys(Keys),
    /// Saves that had to be refused: list them, fetch one
    #[command(subcommand)]
    Rescued(Rescued),
    /// List the old versions of a file, or fetch one
    Versions(Versions),
    /// Take over the files of a folder, with versions and grants if it was served before
    Import(Import),
    /// Write everything into a folder that can be served
    Export(Export),
    /// Carry everything from one place to another: folder and SQLite, object store, PostgreSQL
    Migrate(Migrate),
    /// Keep a copy of everything in a directory; only what changed is written
    Backup(Backup),
    /// Bring such a copy back
    Restore(Restore),
    /// About the settings
    #[command(subcommand)]
    Config(Config),
}

/// About the settings.
#[derive(Subcommand, Debug)]
pub enum Config {
    /// Print a settings file with every setting in it, switched off, each with what it does
    Sample,
    /// Print every setting with its value and where that comes from; takes the flags of `lectern serve`
    Show(Box<Show>),
}

impl Cli {
    /// The command that these words say, the name of the program first.
    ///
    /// # Errors
    ///
    /// Says what is wrong with them; help is told in this way, too.
    pub fn read<W: Into<OsString> + Clone>(words: impl IntoIterator<Item = W>) -> Result<Self, clap::Error> {
        let command = Self::command();
        let matches = command.clone().try_get_matches_from(words)?;
        let mut cli = Self::from_arg_matches(&matches)?;
        let given = Given::of(&command, &matches);
        let log = telemetry::filter_given(cli.log.as_deref());
        match &mut cli.command {
            Command::Serve(serve) => serve.was_given(given, log),
            Command::Config(Config::Show(show)) => show.serve.was_given(given, log),
            _ => {}
        }
        Ok(cli)
    }
}

/// Does what was asked.
///
/// # Errors
///
/// If it could not be done; says so to a person.
pub async fn run<W: Wiring>(cli: Cli, wiring: &W, out: Out<'_>) -> Result<(), Trouble> {
    let log = cli.log.as_deref();
    if !matches!(cli.command, Command::Serve(_)) {
        // Whoever runs a command reads its output, not a log.
        telemetry::start(&Log { level: "warn".to_owned(), ..Log::default() }, log)?;
    }
    match cli.command {
        Command::Serve(serve) => serve.run(wiring, log, out).await,
        Command::Token(token) => token.run(wiring, out).await,
        Command::Check(check) => check.run(wiring, out).await,
        Command::User(user) => user.run(wiring, out).await,
        Command::Keys(keys) => keys.run(wiring, out).await,
        Command::Rescued(rescued) => rescued.run(wiring, out).await,
        Command::Versions(versions) => versions.run(wiring, out).await,
        Command::Import(import) => import.run(wiring, out).await,
        Command::Export(export) => export.run(wiring, out).await,
        Command::Migrate(migrate) => migrate.run(wiring, out).await,
        Command::Backup(backup) => backup.run(wiring, out).await,
        Command::Restore(restore) => restore.run(wiring, out).await,
        Command::Config(Config::Sample) => print(out, &sample::sample()),
        Command::Config(Config::Show(show)) => show.run(out),
    }
}

/// Writes text where the command writes.
fn print(out: Out<'_>, text: &str) -> Result<(), Trouble> {
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).or_trouble(|| "cannot write the output".to_owned())
}

/// Writes JSON where the command writes.
fn print_json(out: Out<'_>, value: &serde_json::Value) -> Result<(), Trouble> {
    print(out, &format!("{value:#}\n"))
}

/// Text for a terminal: what could control it is escaped.
fn plain(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

/// A moment as people read it.
fn time(at: lectern_host::records::Timestamp) -> String {
    match jiff::Timestamp::from_millisecond(at.0) {
        Ok(at) => at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => format!("{} ms since 1970", at.0),
    }
}

/// A number of bytes as people read it.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = UNITS[0];
    for next in &UNITS[1..] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

/// Rows as a table with aligned columns.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    let line = |row: &Vec<String>| {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width.saturating_sub(cell.chars().count()))));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_and_flag_says_what_it_does() {
        fn look(command: &clap::Command, path: &str) {
            assert!(command.get_about().is_some() || path == "lectern", "{path}");
            for argument in
                command.get_arguments().filter(|argument| !matches!(argument.get_id().as_str(), "help" | "version"))
            {
                assert!(argument.get_help().is_some(), "{path} {}", argument.get_id());
            }
            for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
                look(sub, &format!("{path} {}", sub.get_name()));
            }
        }
        look(&Cli::command(), "lectern");
    }

    #[test]
    fn numbers_and_text_for_people() {
        for (bytes, shown) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (5 << 30, "5.0 GiB"),
            (1 << 50, "1024.0 TiB"),
        ] {
            assert_eq!(size(bytes), shown);
        }
        assert_eq!(time(lectern_host::records::Timestamp(1_767_225_600_000)), "2026-01-01 00:00:00 UTC");
        assert_eq!(plain("a\u{1b}[2Jb\nä"), "a\\u{1b}[2Jb\\nä");
        assert_eq!(table(&[vec!["ä".into(), "b".into()], vec!["ccc".into(), String::new()]]), "ä    b\nccc\n");
    }
}
