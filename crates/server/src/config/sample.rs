//! The sample file and the manual of the settings, printed from the structs.

use std::fmt::Write;

use super::section::{Section, Value};
use super::{
    Bootstrapper, Client, Coauthoring, Contents, Database, History, Limits, Log, Objects, Provider, Rescued, Server,
    SettingsUser, SignIn, Sweep, Wopi,
};

pub(super) fn sections() -> Vec<Section> {
    vec![
        Server::manual(),
        Contents::manual(),
        Objects::manual(),
        Database::manual(),
        Client::manual(),
        SettingsUser::manual(),
        SignIn::manual(),
        Provider::manual(),
        Wopi::manual(),
        Coauthoring::manual(),
        Bootstrapper::manual(),
        Limits::manual(),
        History::manual(),
        Rescued::manual(),
        Sweep::manual(),
        Log::manual(),
    ]
}

const INTRODUCTION: &str = "\
# The settings of Lectern.
#
# Every setting stands here, switched off by the `#` in front of it. Those with a default show it. This file is named by
# `--config FILE` or LECTERN_CONFIG, or is called `lectern.toml` and stands in the current directory.
# `lectern check` tries what it says.
";

/// A settings file with every setting in it, each with what it does, all of them switched off.
pub fn sample() -> String {
    let mut text = INTRODUCTION.to_owned();
    for section in sections() {
        text.push_str("\n\n");
        let repeated = section.key.starts_with('[');
        for line in section.about {
            let _ = writeln!(text, "#{line}");
        }
        // An empty `[server]` says nothing; an empty `[[client]]` would be a client without a name.
        let _ = writeln!(text, "{}[{}]", if repeated { "#" } else { "" }, section.key);
        for field in &section.fields {
            text.push('\n');
            for line in field.about {
                let _ = writeln!(text, "#{line}");
            }
            let value = match &field.value {
                Value::Default(value) => value.as_str(),
                Value::Example(value) => value,
            };
            let _ = writeln!(text, "#{} = {value}", field.name);
        }
    }
    text
}

/// The manual: the same, as Markdown tables for `docs/settings.md`.
pub fn manual() -> String {
    let mut text = String::new();
    for section in sections() {
        let _ = write!(text, "## `[{}]`\n\n", section.key);
        let _ = write!(text, "{}\n\n", joined(section.about));
        text.push_str("| setting | default | what it does |\n|---|---|---|\n");
        for field in &section.fields {
            let default = match &field.value {
                Value::Default(value) => format!("`{value}`"),
                Value::Example(value) => format!("– (for example `{value}`)"),
            };
            let _ = writeln!(text, "| `{}` | {default} | {} |", field.name, joined(field.about));
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn joined(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    /// The sample with those settings switched on that `which` chooses.
    fn switched_on(which: impl Fn(&Section, &Value) -> bool) -> String {
        let mut text = String::new();
        for section in sections() {
            let chosen: Vec<_> = section.fields.iter().filter(|field| which(&section, &field.value)).collect();
            if !chosen.is_empty() {
                writeln!(text, "[{}]", section.key).unwrap();
            }
            for field in chosen {
                let line = sample()
                    .lines()
                    .skip_while(|line| line.trim_start_matches('#') != format!("[{}]", section.key))
                    .find_map(|line| line.strip_prefix(&format!("#{} =", field.name)).map(str::to_owned))
                    .unwrap_or_else(|| panic!("{}.{} is in the sample", section.key, field.name));
                writeln!(text, "{} ={line}", field.name).unwrap();
            }
        }
        text
    }

    #[test]
    fn the_sample_as_it_is_says_nothing() {
        assert_eq!(Settings::parse(&sample()).unwrap(), Settings::default());
    }

    #[test]
    fn the_defaults_in_the_sample_are_the_defaults() {
        let text = switched_on(|_, value| matches!(value, Value::Default(_)));
        assert_eq!(Settings::parse(&text).unwrap(), Settings::default());
        let written = toml::to_string(&Settings::default()).unwrap();
        let count = |text: &str| text.lines().filter(|line| line.contains(" = ")).count();
        assert_eq!(count(&text), count(&written) - 2, "all but the empty lists of clients and users:\n{written}");
    }

    #[test]
    fn the_whole_sample_can_be_switched_on_and_sets_everything() {
        let settings = Settings::parse(&switched_on(|_, _| true)).unwrap();
        let written = toml::Value::try_from(&settings).unwrap();
        for section in sections() {
            let name = section.key.trim_matches(['[', ']']);
            let table = match &written[name] {
                toml::Value::Array(tables) => &tables[0],
                table => table,
            };
            let mut keys: Vec<_> = table.as_table().unwrap().keys().map(String::as_str).collect();
            let mut listed: Vec<_> = section.fields.iter().map(|field| field.name).collect();
            keys.sort_unstable();
            listed.sort_unstable();
            assert_eq!(keys, listed, "[{name}]");
        }
        let mut sections: Vec<_> = sections().iter().map(|s| s.key.trim_matches(['[', ']']).to_owned()).collect();
        let mut keys: Vec<_> = written.as_table().unwrap().keys().cloned().collect();
        sections.sort_unstable();
        keys.sort_unstable();
        assert_eq!(keys, sections);
    }

    #[test]
    fn no_line_of_the_sample_is_too_long_to_read() {
        for line in sample().lines() {
            assert!(line.chars().count() <= 120, "{line}");
        }
    }

    /// `UPDATE_DOCS=1 cargo test -p lectern-server the_manual` writes it anew.
    #[test]
    fn the_manual_in_docs_is_the_one_that_is_printed() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/settings.md");
        let kept = std::fs::read_to_string(path).unwrap();
        let marker = "<!-- Below this line: printed by the program. -->\n\n";
        let (head, tables) = kept.split_once(marker).expect("the marker stands in docs/settings.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, format!("{head}{marker}{}", manual())).unwrap();
        } else {
            assert_eq!(tables, manual(), "UPDATE_DOCS=1 cargo test -p lectern-server the_manual");
        }
    }
}
