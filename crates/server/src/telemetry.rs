//! The log: on standard error, for people or for programs. `docs/logging.md` says what is in it and what never is.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Log, LogFormat};
use crate::given::How;
use crate::trouble::{OrTrouble, Trouble};

/// The variable that every program of this kind listens to.
pub const FILTER_VARIABLE: &str = "RUST_LOG";

/// Starts the log of this process. The first of `flag`, `RUST_LOG` and the settings says what is logged.
///
/// # Errors
///
/// If the filter is none.
pub fn start(log: &Log, flag: Option<&str>) -> Result<(), Trouble> {
    let variable = variable();
    let (from, text) = match (flag, &variable) {
        (Some(flag), _) => ("--log", flag),
        (None, Some(variable)) => (FILTER_VARIABLE, variable.as_str()),
        (None, None) => ("log.level in the settings", log.level.as_str()),
    };
    let registry = tracing_subscriber::registry().with(filter(from, text)?);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match log.format {
        LogFormat::Compact => registry.with(lines.with_ansi(std::io::stderr().is_terminal()).compact()).try_init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init(),
    }
    .or_trouble(|| "cannot start the log".to_owned())
}

fn variable() -> Option<String> {
    std::env::var(FILTER_VARIABLE).ok().filter(|text| !text.is_empty())
}

/// What is logged whatever the settings say, and who says so.
pub fn filter_given(flag: Option<&str>) -> Option<(String, How)> {
    match flag {
        Some(flag) => Some((flag.to_owned(), How::Flag("--log".to_owned()))),
        None => variable().map(|text| (text, How::Variable(FILTER_VARIABLE.to_owned()))),
    }
}

fn filter(from: &str, text: &str) -> Result<EnvFilter, Trouble> {
    EnvFilter::builder().parse(text).or_trouble(|| format!("cannot use the log filter `{text}` of {from}")).map_err(
        |trouble| trouble.hint("use error, warn, info, debug or trace, or a list such as `info,lectern_host=debug`"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_level_or_a_list() {
        for good in ["info", "warn", "info,lectern_host=debug", "off"] {
            assert!(filter("--log", good).is_ok(), "{good}");
        }
        let refused = filter("--log", "info,x=loud").unwrap_err().to_string();
        assert!(refused.contains("`info,x=loud` of --log") && refused.contains("hint: "), "{refused}");
    }
}
