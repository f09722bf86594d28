//! The texts of the pages: Fluent messages from `locales/`, one folder per language.
//!
//! English has every message; a test fails if another language lacks one, or has one too many, or if a template asks for a
//! message that is not there. So nobody ever sees a message's name.

use std::borrow::Cow;
use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use unic_langid::LanguageIdentifier;

/// A language that pages can be shown in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Language {
    /// English: what is shown to those whose languages we do not have.
    #[default]
    English,
    /// German.
    German,
}

impl Language {
    /// All of them, in the order in which they are offered.
    pub(crate) const ALL: [Self; 2] = [Self::English, Self::German];

    /// Its BCP 47 tag, as in `lang="…"` and cookies.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// The tag with a country, as office servers want it for `UI_LLCC`.
    pub(crate) fn tag_with_country(self) -> &'static str {
        match self {
            Self::English => "en-US",
            Self::German => "de-DE",
        }
    }

    /// Its name in itself.
    pub(crate) fn own_name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::German => "Deutsch",
        }
    }

    /// The language with this tag.
    pub(crate) fn parse(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.tag() == tag)
    }

    /// The best of our languages for an `Accept-Language` header: the first with the highest weight that we have.
    pub(crate) fn accepted(header: &str) -> Option<Self> {
        let mut best: Option<(Self, f32)> = None;
        for part in header.split(',').take(ACCEPTED_LANGUAGES_MAX) {
            let mut fields = part.split(';').map(str::trim);
            let tag = fields.next().unwrap_or_default().to_ascii_lowercase();
            let weight = fields.find_map(|field| field.strip_prefix("q=")?.parse().ok()).unwrap_or(1.0);
            let primary = tag.split('-').next().unwrap_or_default();
            if let Some(language) = Self::parse(primary)
                && weight > 0.0
                && best.is_none_or(|(_, other)| weight > other)
            {
                best = Some((language, weight));
            }
        }
        best.map(|(language, _)| language)
    }

    fn sources(self) -> &'static [(&'static str, &'static str)] {
        macro_rules! of {
            ($tag:literal) => {
                &[
                    ("account.ftl", include_str!(concat!("../locales/", $tag, "/account.ftl"))),
                    ("admin.ftl", include_str!(concat!("../locales/", $tag, "/admin.ftl"))),
                    ("moving.ftl", include_str!(concat!("../locales/", $tag, "/moving.ftl"))),
                    ("details.ftl", include_str!(concat!("../locales/", $tag, "/details.ftl"))),
                    ("open.ftl", include_str!(concat!("../locales/", $tag, "/open.ftl"))),
                    ("files.ftl", include_str!(concat!("../locales/", $tag, "/files.ftl"))),
                    ("common.ftl", include_str!(concat!("../locales/", $tag, "/common.ftl"))),
                ]
            };
        }
        match self {
            Self::English => of!("en"),
            Self::German => of!("de"),
        }
    }
}

/// How many entries of an `Accept-Language` header are looked at.
const ACCEPTED_LANGUAGES_MAX: usize = 20;

static BUNDLES: LazyLock<[FluentBundle<FluentResource>; 2]> = LazyLock::new(|| Language::ALL.map(bundle));

fn bundle(language: Language) -> FluentBundle<FluentResource> {
    let identifier: LanguageIdentifier = language.tag().parse().unwrap_or_default();
    let mut bundle = FluentBundle::new_concurrent(vec![identifier]);
    // Names that people chose stand in `<bdi>` where they could turn a line around.
    bundle.set_use_isolating(false);
    for (name, text) in language.sources() {
        // A message that cannot be read is left out; the tests know.
        let resource = FluentResource::try_new((*text).to_owned()).unwrap_or_else(|(rest, errors)| {
            tracing::error!(file = name, language = language.tag(), ?errors, "texts cannot be read");
            rest
        });
        if let Err(errors) = bundle.add_resource(resource) {
            tracing::error!(file = name, language = language.tag(), ?errors, "texts are there twice");
        }
    }
    bundle
}

/// The texts in one language.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Words(pub(crate) Language);

impl Words {
    /// The text of a message that needs nothing.
    pub(crate) fn say(self, id: &str) -> String {
        self.format(id, None)
    }

    /// The text of a message with one value in it.
    pub(crate) fn with<'a>(self, id: &str, name: &'a str, value: impl Into<FluentValue<'a>>) -> String {
        let mut arguments = FluentArgs::with_capacity(1);
        arguments.set(name, value);
        self.format(id, Some(&arguments))
    }

    /// The text of a message with two values in it.
    pub(crate) fn with2<'a>(
        self,
        id: &str,
        first: &'a str,
        value: impl Into<FluentValue<'a>>,
        second: &'a str,
        other: impl Into<FluentValue<'a>>,
    ) -> String {
        let mut arguments = FluentArgs::with_capacity(2);
        arguments.set(first, value);
        arguments.set(second, other);
        self.format(id, Some(&arguments))
    }

    fn format(self, id: &str, arguments: Option<&FluentArgs<'_>>) -> String {
        let [english, german] = &*BUNDLES;
        let bundle = match self.0 {
            Language::English => english,
            Language::German => german,
        };
        let Some(pattern) = bundle.get_message(id).and_then(|message| message.value()) else {
            tracing::error!(message = id, language = self.0.tag(), "a text is missing");
            #[cfg(test)]
            panic!("{id} is missing in {}", self.0.tag());
            #[cfg(not(test))]
            return id.to_owned();
        };
        let mut errors = Vec::new();
        let text: Cow<'_, str> = bundle.format_pattern(pattern, arguments, &mut errors);
        if !errors.is_empty() {
            tracing::error!(message = id, language = self.0.tag(), ?errors, "a text lacks a value");
            #[cfg(test)]
            panic!("{id} lacks a value in {}", self.0.tag());
        }
        text.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    use super::*;

    /// Every message of a language with the names of the values in it.
    fn messages(language: Language) -> BTreeMap<String, BTreeSet<String>> {
        let mut found = BTreeMap::new();
        for (file, text) in language.sources() {
            let parsed = FluentResource::try_new((*text).to_owned());
            assert!(parsed.is_ok(), "{file} of {language:?}: {:?}", parsed.err().map(|(_, errors)| errors));
            let mut id = String::new();
            for line in text.lines() {
                if line.starts_with(|c: char| c.is_ascii_lowercase())
                    && let Some((name, _)) = line.split_once(" =")
                {
                    name.clone_into(&mut id);
                    assert!(found.insert(id.clone(), BTreeSet::new()).is_none(), "{id} is there twice in {language:?}");
                }
                let values: &mut BTreeSet<String> = match found.get_mut(&id) {
                    Some(values) => values,
                    None => continue,
                };
                let names = line.split('$').skip(1);
                values.extend(names.map(|rest| {
                    rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>()
                }));
            }
        }
        found
    }

    fn files_below(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { files_below(&path, found) } else { found.push(path) }
        }
    }

    /// The messages that templates, handlers and scripts ask for: every `"word-word"` in quotes that is a message.
    fn asked_for(known: &BTreeMap<String, BTreeSet<String>>) -> (BTreeSet<String>, BTreeSet<String>) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files = Vec::new();
        for folder in ["src", "templates"] {
            files_below(&root.join(folder), &mut files);
        }
        let (mut used, mut missing) = (BTreeSet::new(), BTreeSet::new());
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap();
            for ask in [".say(\"", ".with(\"", ".with2(\""] {
                for rest in text.split(ask).skip(1) {
                    let id = rest.split('"').next().unwrap();
                    if !known.contains_key(id) {
                        missing.insert(format!("{id} in {}", file.display()));
                    }
                }
            }
            used.extend(text.split('"').filter(|piece| known.contains_key(*piece)).map(str::to_owned));
        }
        (used, missing)
    }

    #[test]
    fn every_language_has_every_message_with_the_same_values() {
        let english = messages(Language::English);
        for language in Language::ALL {
            let other = messages(language);
            for (id, values) in &english {
                assert_eq!(other.get(id), Some(values), "{id} in {language:?}");
            }
            let known: BTreeSet<_> = english.keys().collect();
            let extra: Vec<_> = other.keys().filter(|id| !known.contains(id)).collect();
            assert!(extra.is_empty(), "only in {language:?}: {extra:?}");
        }
    }

    #[test]
    fn every_message_that_is_asked_for_is_there_and_none_is_left_over() {
        let known = messages(Language::English);
        let (used, missing) = asked_for(&known);
        assert!(missing.is_empty(), "{missing:#?}");
        let unused: Vec<_> = known.keys().filter(|id| !used.contains(*id)).collect();
        assert!(unused.is_empty(), "nobody asks for {unused:?}");
    }

    #[test]
    fn a_language_is_chosen_by_weight_among_ours() {
        for (header, chosen) in [
            ("de-DE,de;q=0.9,en;q=0.8", Some(Language::German)),
            ("fr,en;q=0.5,de;q=0.4", Some(Language::English)),
            ("en;q=0.2, de-AT;q=0.7", Some(Language::German)),
            ("fr", None),
            ("", None),
            ("de;q=0", None),
            ("de;q=x", Some(Language::German)),
            ("*", None),
        ] {
            assert_eq!(Language::accepted(header), chosen, "{header}");
        }
    }

    #[test]
    fn a_text_takes_its_values_and_its_plural() {
        let words = Words(Language::English);
        assert_eq!(words.with("account-signed-in-as", "name", "Ada"), "Signed in as Ada");
        assert_ne!(words.say("sign-in-title"), Words(Language::German).say("sign-in-title"));
    }
}
