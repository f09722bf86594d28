//! `lectern config show`: what `lectern serve` would use, and where each setting comes from.

use clap::Args;
use lectern_web::{SettingOrigin, SettingValue, SettingsReport, SettingsRow};
use serde_json::json;

use super::known::default_public_url;
use super::{Out, Serve, plain, print, print_json, table};
use crate::place::Place;
use crate::trouble::Trouble;

/// Flags of `lectern config show`: those of `lectern serve`, and how to print.
#[derive(Args, Debug)]
pub struct Show {
    /// Print JSON: sections with their settings, each with its value and where that comes from
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub(crate) serve: Serve,
}

impl Show {
    pub(super) fn run(self, out: Out<'_>) -> Result<(), Trouble> {
        let place = Place::find(self.serve.folder.clone(), &self.serve.whereabouts)?;
        let listen = self.serve.listen.unwrap_or(place.settings.server.listen);
        let public_url = default_public_url(listen)?;
        let report = self.serve.report(&place, &public_url);
        if self.json { print_json(out, &as_json(&report)) } else { print(out, &as_text(&report)) }
    }
}

fn as_json(report: &SettingsReport) -> serde_json::Value {
    let row = |row: &SettingsRow| {
        let (value, secret_file) = match &row.value {
            SettingValue::Shown(text) => (json!(text), None),
            SettingValue::Unset => (json!(null), None),
            SettingValue::Secret { file } => (json!({ "secret": true }), file.as_deref()),
        };
        let (from, which) = match &row.origin {
            SettingOrigin::Default => ("default", None),
            SettingOrigin::File(file) => ("file", Some(file)),
            SettingOrigin::Variable(name) => ("variable", Some(name)),
            SettingOrigin::Flag(flag) => ("flag", Some(flag)),
        };
        let mut told = json!({ "name": row.name, "value": value, "from": from });
        if let Some(which) = which {
            told["origin"] = json!(which);
        }
        if let Some(file) = secret_file {
            told["value"]["file"] = json!(file);
        }
        told
    };
    let sections = report.sections.iter().map(|section| {
        json!({ "name": section.name, "about": section.about, "settings": section.rows.iter().map(row).collect::<Vec<_>>() })
    });
    json!({ "file": report.file, "sections": sections.collect::<Vec<_>>() })
}

fn as_text(report: &SettingsReport) -> String {
    let mut text = match &report.file {
        Some(file) => format!("settings file: {}\n", plain(file)),
        None => "settings file: none\n".to_owned(),
    };
    for section in &report.sections {
        text += &format!("\n[{}]\n", plain(&section.name));
        let rows = section.rows.iter().map(|row| {
            let value = match &row.value {
                SettingValue::Shown(value) => plain(value),
                SettingValue::Unset => "(not set)".to_owned(),
                SettingValue::Secret { file: Some(file) } => format!("(set, from {})", plain(file)),
                SettingValue::Secret { file: None } => "(set)".to_owned(),
            };
            let origin = match &row.origin {
                SettingOrigin::Default => "default".to_owned(),
                SettingOrigin::File(_) => "settings file".to_owned(),
                SettingOrigin::Variable(name) => format!("variable {name}"),
                SettingOrigin::Flag(flag) => format!("command line, {flag}"),
            };
            vec![format!("  {}", row.name), value, origin]
        });
        text += &table(&rows.collect::<Vec<_>>());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::{Cli, Command, Config};
    use super::*;

    fn shown(words: &[&str]) -> String {
        let cli = Cli::read(["lectern", "config", "show"].iter().chain(words)).unwrap();
        let Command::Config(Config::Show(show)) = cli.command else { panic!() };
        let mut out = Vec::new();
        show.run(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_shown_is_what_a_start_with_these_flags_would_use() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("l.toml");
        std::fs::write(
            &file,
            "[server]\npublic_url = \"https://d.example\"\n[provider]\nclient_secret_file = \"kept\"\n",
        )
        .unwrap();
        let file = file.to_str().unwrap();
        let flags = ["papers", "--config", file, "--listen", "127.0.0.1:9", "--client", "o=https://o.example"];
        let text = shown(&flags);
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        for line in [
            "settings file: FILE",
            "listen 127.0.0.1:9 command line, --listen",
            "public_url https://d.example settings file",
            "shutdown_grace 30s default",
            "[client o]",
            "discovery https://o.example/hosting/discovery command line, --client",
        ] {
            let words: Vec<_> = line.split_whitespace().map(|word| if word == "FILE" { file } else { word }).collect();
            assert!(lines.contains(&words), "{line} in\n{text}");
        }
        assert!(text.contains("(set, from ") && text.contains("/kept)"), "{text}");

        let json: serde_json::Value = serde_json::from_str(&shown(&[&flags[..], &["--json"]].concat())).unwrap();
        assert_eq!(json["file"], file);
        let setting = |section: &str, name: &str| {
            let sections = json["sections"].as_array().unwrap();
            let section = sections.iter().find(|known| known["name"] == section).unwrap();
            section["settings"].as_array().unwrap().iter().find(|known| known["name"] == name).unwrap().clone()
        };
        let folder = setting("contents", "folder");
        assert!(folder["value"].as_str().unwrap().ends_with("/papers"), "{folder}");
        assert_eq!((&folder["from"], &folder["origin"]), (&json!("flag"), &json!("FOLDER")));
        assert_eq!(setting("contents", "token_keys_file")["from"], "default");
        assert_eq!(setting("provider", "client_secret_file")["value"]["secret"], true);
        assert_eq!(setting("provider", "groups_claim")["value"], serde_json::Value::Null);
    }
}
