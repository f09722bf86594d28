//! Every setting with its value and where that comes from: for the page of the administration and for `lectern config
//! show`.
//!
//! | a setting … | is shown as |
//! |---|---|
//! | whose name says that it is secret, `…_file` | "set, from FILE"; the file is not opened |
//! | whose name says that it is secret | "set" |
//! | of any other name | its value, without the passwords and keys that stand in URLs and the like |
//!
//! So a setting that is added later hides what it has to hide, if it is called what it is.

use std::collections::BTreeSet;
use std::path::Path;

use lectern_web::{SettingOrigin, SettingValue, SettingsReport, SettingsRow, SettingsSection};
use serde::Serialize;

use super::section::Section;
use super::{Client, SettingsUser, sample};
use crate::given::How;
use crate::place::Place;

/// What a start knows beside the settings.
#[derive(Debug)]
pub struct Start<'a> {
    /// The settings, and which of them the file says.
    pub place: &'a Place,
    /// What flags and variables say: the setting they win over, what they say, and how.
    pub said: Vec<(&'static str, String, How)>,
    /// What counts where nobody says anything and there is no default that could be written down.
    pub instead: Vec<(&'static str, String)>,
    /// The clients of flags.
    pub clients: &'a [Client],
}

/// Every setting of a start.
pub fn report(start: &Start<'_>) -> SettingsReport {
    let file = start.place.settings_file.as_deref().map(absolute);
    let settings = Some(&start.place.settings).and_then(|settings| toml::Value::try_from(settings).ok());
    let settings = settings.unwrap_or_else(|| toml::Value::Table(toml::Table::new()));
    let mut sections = Vec::new();
    for section in sample::sections() {
        match section.key {
            key if key == Client::manual().key => {
                let flags = |client: &&Client| !start.clients.iter().any(|flag| flag.name == client.name);
                for (at, client) in start.place.settings.clients.iter().enumerate().filter(|(_, client)| flags(client))
                {
                    let origin = |name: &str| written(start, &format!("client.{at}.{name}"), file.as_deref());
                    sections.push(one_of(&section, client.name.as_str(), client, origin));
                }
                for client in start.clients {
                    let origin = |name: &str| match name {
                        "name" | "discovery" => SettingOrigin::Flag("--client".to_owned()),
                        _ => SettingOrigin::Default,
                    };
                    sections.push(one_of(&section, client.name.as_str(), client, origin));
                }
            }
            key if key == SettingsUser::manual().key => {
                for (at, user) in start.place.settings.users.iter().enumerate() {
                    let origin = |name: &str| written(start, &format!("user.{at}.{name}"), file.as_deref());
                    sections.push(one_of(&section, &user.name, user, origin));
                }
            }
            key => {
                let table = key.split('.').try_fold(&settings, |table, name| table.get(name));
                let rows = section.fields.iter().map(|field| {
                    let path = format!("{key}.{}", field.name);
                    let said = start.said.iter().find(|(setting, ..)| *setting == path);
                    let instead = start.instead.iter().find(|(setting, _)| *setting == path);
                    let value = table.and_then(|table| table.get(field.name));
                    let (text, origin) = match (said, text_of(value), instead) {
                        (Some((_, text, how)), ..) => (Some(text.clone()), origin_of(how)),
                        (None, Some(text), _) => (Some(text), written(start, &path, file.as_deref())),
                        (None, None, Some((_, text))) => (Some(text.clone()), SettingOrigin::Default),
                        (None, None, None) => (None, written(start, &path, file.as_deref())),
                    };
                    SettingsRow { name: field.name.to_owned(), value: shown(field.name, text), origin }
                });
                let (rows, name) = (rows.collect(), key.to_owned());
                sections.push(SettingsSection { name, about: joined(section.about), rows });
            }
        }
    }
    SettingsReport { file, sections }
}

/// One of the sections that may stand several times.
fn one_of(
    section: &Section,
    which: &str,
    values: &impl Serialize,
    origin: impl Fn(&str) -> SettingOrigin,
) -> SettingsSection {
    let values = toml::Value::try_from(values).ok();
    let rows = section.fields.iter().map(|field| {
        let text = text_of(values.as_ref().and_then(|values| values.get(field.name)));
        SettingsRow { name: field.name.to_owned(), value: shown(field.name, text), origin: origin(field.name) }
    });
    let name = format!("{} {which}", section.key.trim_matches(['[', ']']));
    SettingsSection { name, about: joined(section.about), rows: rows.collect() }
}

fn origin_of(how: &How) -> SettingOrigin {
    match how {
        How::Flag(flag) => SettingOrigin::Flag(flag.clone()),
        How::Variable(name) => SettingOrigin::Variable(name.clone()),
    }
}

/// The settings file, if it says this one, or else nobody.
fn written(start: &Start<'_>, path: &str, file: Option<&str>) -> SettingOrigin {
    match file {
        Some(file) if start.place.written.contains(path) => SettingOrigin::File(file.to_owned()),
        _ => SettingOrigin::Default,
    }
}

/// The settings that a file says, as `section.name`; of sections that may stand several times as `section.0.name`.
pub(crate) fn written_in(text: &str) -> BTreeSet<String> {
    fn add(value: &toml::Value, path: &str, found: &mut BTreeSet<String>) {
        let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        match value {
            toml::Value::Table(table) => table.iter().for_each(|(name, value)| add(value, &below(name), found)),
            toml::Value::Array(list) => {
                list.iter().enumerate().for_each(|(at, value)| add(value, &below(&at.to_string()), found));
            }
            _ => {}
        }
        found.insert(path.to_owned());
    }
    let mut found = BTreeSet::new();
    if let Ok(table) = text.parse::<toml::Table>() {
        add(&toml::Value::Table(table), "", &mut found);
    }
    found
}

/// A value as a person reads it; nothing if it is empty.
fn text_of(value: Option<&toml::Value>) -> Option<String> {
    let text = match value? {
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(list) => list.iter().filter_map(|value| text_of(Some(value))).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    };
    (!text.is_empty()).then_some(text)
}

/// Words in the names of settings that nobody is shown.
const SECRET_WORDS: [&str; 9] =
    ["secret", "password", "passphrase", "credential", "token_key", "access_key", "account_key", "sas_file", "private"];

/// Whether a setting of this name holds a secret, or says where one is.
fn is_secret(name: &str) -> bool {
    SECRET_WORDS.iter().any(|word| name.contains(word)) || name.ends_with("_key") || name == "key"
}

fn shown(name: &str, text: Option<String>) -> SettingValue {
    match text {
        None => SettingValue::Unset,
        Some(text) if is_secret(name) => {
            SettingValue::Secret { file: name.ends_with("_file").then(|| absolute(Path::new(&text))) }
        }
        Some(text) => SettingValue::Shown(without_secrets(&text)),
    }
}

fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

/// What stands in the place of a secret.
const HIDDEN: &str = "…";

/// Text without the password of a URL in it, and cut where something begins that is called a secret.
fn without_secrets(text: &str) -> String {
    let mut text = text.to_owned();
    if let Some((scheme, rest)) = text.split_once("://") {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        if let Some((user, host)) = authority.rsplit_once('@')
            && let Some((user, _)) = user.split_once(':')
        {
            text = format!("{scheme}://{user}:{HIDDEN}@{host}{tail}");
        }
    }
    let lower = text.to_ascii_lowercase();
    let words = SECRET_WORDS.iter().chain(&["key", "token", "sig"]);
    // `password=…` in a URL or in the words of a connection: what comes after it is not shown, however it is quoted.
    let cut = words.filter_map(|word| {
        lower.match_indices(word).find_map(|(at, _)| {
            let behind = at + word.len();
            let sign = lower.get(behind..)?.find(|c: char| !c.is_whitespace())?;
            lower.get(behind + sign..)?.starts_with('=').then_some(behind + sign + 1)
        })
    });
    match cut.min().and_then(|cut| text.get(..cut)) {
        Some(kept) => format!("{kept}{HIDDEN}"),
        None => text,
    }
}

fn joined(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::Whereabouts;

    fn place(text: &str) -> (tempfile::TempDir, Place) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.toml");
        std::fs::write(&file, text).unwrap();
        let place = Place::find(None, &Whereabouts { config: Some(file), ..Whereabouts::default() }).unwrap();
        (folder, place)
    }

    fn row<'r>(report: &'r SettingsReport, section: &str, name: &str) -> &'r SettingsRow {
        let section = report.sections.iter().find(|known| known.name == section).unwrap();
        section.rows.iter().find(|row| row.name == name).unwrap()
    }

    #[test]
    fn each_setting_says_where_it_comes_from() {
        let (_folder, place) = place(
            "[server]\nlisten = \"127.0.0.1:9000\"\npublic_url = \"https://d.example\"\n[limits]\nsaves_max = 7\n\
             [[client]]\nname = \"a\"\ndiscovery = \"https://a\"\nrank = 0\n[[client]]\nname = \"b\"\ndiscovery = \"https://b\"\n",
        );
        let flags: Vec<Client> = vec!["b=https://other".parse().unwrap(), "c=https://c".parse().unwrap()];
        let report = report(&Start {
            place: &place,
            said: vec![
                ("server.listen", "127.0.0.1:1".to_owned(), How::Flag("--listen".to_owned())),
                ("contents.folder", "/srv/d".to_owned(), How::Variable("LECTERN_FOLDER".to_owned())),
            ],
            instead: vec![("contents.state", "/srv/d/.lectern".to_owned()), ("server.public_url", "no".to_owned())],
            clients: &flags,
        });
        let file = report.file.clone().unwrap();
        assert!(file.ends_with("/settings.toml"), "{file}");
        let shown = |text: &str| SettingValue::Shown(text.to_owned());
        for (section, name, value, origin) in [
            ("server", "listen", shown("127.0.0.1:1"), SettingOrigin::Flag("--listen".to_owned())),
            ("server", "public_url", shown("https://d.example"), SettingOrigin::File(file.clone())),
            ("server", "shutdown_grace", shown("30s"), SettingOrigin::Default),
            ("server", "trusted_proxies", SettingValue::Unset, SettingOrigin::Default),
            ("contents", "folder", shown("/srv/d"), SettingOrigin::Variable("LECTERN_FOLDER".to_owned())),
            ("contents", "state", shown("/srv/d/.lectern"), SettingOrigin::Default),
            ("limits", "saves_max", shown("7"), SettingOrigin::File(file.clone())),
            // Said in the file, though it is the default.
            ("client a", "rank", shown("0"), SettingOrigin::File(file.clone())),
            ("client a", "proof", shown("auto"), SettingOrigin::Default),
            // A flag wins over a client of that name.
            (
                "client b",
                "discovery",
                shown("https://other/hosting/discovery"),
                SettingOrigin::Flag("--client".to_owned()),
            ),
            ("client c", "zone", SettingValue::Unset, SettingOrigin::Default),
        ] {
            let row = row(&report, section, name);
            assert_eq!((&row.value, &row.origin), (&value, &origin), "{section}.{name}");
        }
        assert_eq!(report.sections.iter().filter(|section| section.name == "client b").count(), 1);
    }

    /// The settings that say where a secret is. Whoever adds one sees here that it is hidden.
    #[test]
    fn the_settings_that_are_secret() {
        let sections = sample::sections();
        let names =
            sections.iter().flat_map(|section| section.fields.iter().map(move |field| (section.key, field.name)));
        let secret: Vec<_> = names.filter(|(_, name)| is_secret(name)).collect();
        for known in [
            ("contents", "token_keys_file"),
            ("provider", "client_secret_file"),
            ("database", "password_file"),
            ("objects", "secret_access_key_file"),
            ("objects", "account_key_file"),
            ("objects", "sas_file"),
        ] {
            assert!(secret.contains(&known), "{secret:?}");
        }
        for open in ["label", "name", "public_url", "folder", "listen", "tries_per_name", "discovery"] {
            assert!(!is_secret(open), "{open}");
        }
    }

    #[test]
    fn a_secret_is_never_shown() {
        let (folder, place) = place(
            "[provider]\nissuer = \"https://login.example\"\nclient_id = \"lectern\"\nclient_secret_file = \"kept\"\n",
        );
        std::fs::write(folder.path().join("kept"), "hunter2").unwrap();
        let report = report(&Start { place: &place, said: Vec::new(), instead: Vec::new(), clients: &[] });
        let kept = folder.path().join("kept").display().to_string();
        assert_eq!(row(&report, "provider", "client_secret_file").value, SettingValue::Secret { file: Some(kept) });
        assert!(!format!("{report:?}").contains("hunter2"));
        assert_eq!(shown("secret_key", Some("hunter2".to_owned())), SettingValue::Secret { file: None });
        for (text, told) in [
            ("postgres://ada:hunter2@db.example/lectern", "postgres://ada:…@db.example/lectern"),
            ("postgres://ada@db.example/lectern", "postgres://ada@db.example/lectern"),
            ("postgres://a:hunter@2@db.example", "postgres://a:…@db.example"),
            ("postgres://db.example/l?user=a&password=hunter2&x=1", "postgres://db.example/l?user=a&password=…"),
            ("host=db Password = 'hunter2 x' user=a", "host=db Password =…"),
            ("https://blob.example/c?sv=1&sig=hunter2", "https://blob.example/c?sv=1&sig=…"),
            ("https://office.example/hosting/discovery", "https://office.example/hosting/discovery"),
            ("a token of thanks", "a token of thanks"),
        ] {
            assert_eq!(without_secrets(text), told);
        }
    }

    #[test]
    fn what_a_file_says_is_known_by_its_path() {
        let written = written_in("[a]\nb = 1\nc = { d = 2 }\n[[e]]\nf = 3\n[[e]]\ng = [1]\n");
        for path in ["a.b", "a.c", "a.c.d", "e.0.f", "e.1.g"] {
            assert!(written.contains(path), "{path} in {written:?}");
        }
        assert!(!written.contains("e.1.f"));
    }
}
