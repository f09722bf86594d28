//! What is known of one client at a moment, and what follows from it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use wopi::answer::EndPoints;
use wopi::discovery::{Discovery, DiscoveryError};
use wopi::proof::{KeyError, ProofKeys, ProofRule};

use super::{ClientSettings, ProofSetting, actions};
use crate::plus;
use crate::records::Timestamp;

/// A discovery document together with its keys, parsed.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) discovery: Discovery,
    /// `None` if it has no proof key.
    keys: Option<Result<Arc<ProofKeys>, KeyError>>,
}

impl Document {
    pub(super) fn parse(xml: &str) -> Result<Self, DiscoveryError> {
        let discovery = Discovery::parse(xml)?;
        let keys = discovery.proof_key.as_ref().map(|key| key.keys().map(Arc::new));
        Ok(Self { discovery, keys })
    }
}

/// What is known of a client. Replaced under one lock, so that keys and document always belong together.
#[derive(Debug)]
pub(super) struct State {
    pub(super) document: Option<Arc<Document>>,
    /// Where people meet who edit together, by extension. Every CheckFileInfo asks.
    end_points: BTreeMap<String, EndPoints>,
    pub(super) fetched_at: Option<Timestamp>,
    pub(super) rule: ProofRule,
    pub(super) proof: ProofStatus,
    /// Why the last attempt failed; `None` if it did not.
    pub(super) last_error: Option<String>,
    /// Attempts that failed since the last one that did not.
    pub(super) failures: u32,
    /// When the last attempt began.
    pub(super) tried_at: Option<Timestamp>,
    /// When the rule last became another one.
    pub(super) rule_changed_at: Option<Timestamp>,
    pub(super) due_at: Timestamp,
}

impl State {
    /// What is known of a client before anything was fetched: its cached document, if there is one.
    pub(super) fn new(settings: &ClientSettings, cached: Option<(Document, Timestamp)>, now: Timestamp) -> Self {
        let (document, fetched_at) = cached.map(|(document, at)| (Arc::new(document), at)).unzip();
        let (rule, proof) = rule_of(settings.proof, document.as_deref());
        let end_points = document.as_deref().map(|document| end_points_of(settings, &document.discovery));
        Self {
            document,
            end_points: end_points.unwrap_or_default(),
            fetched_at,
            rule,
            proof,
            last_error: None,
            failures: 0,
            tried_at: None,
            rule_changed_at: None,
            // Microsoft advises to look at every start, too.
            due_at: now,
        }
    }

    /// Takes a document over. Returns whether the rule is another one now.
    pub(super) fn accept(&mut self, settings: &ClientSettings, document: Document, now: Timestamp) -> bool {
        let (rule, proof) = rule_of(settings.proof, Some(&document));
        let changed = rule != self.rule;
        if changed {
            self.rule_changed_at = Some(now);
            self.rule = rule;
        }
        self.proof = proof;
        self.end_points = end_points_of(settings, &document.discovery);
        self.document = Some(Arc::new(document));
        self.fetched_at = Some(now);
        self.last_error = None;
        self.failures = 0;
        self.due_at = now.plus(super::REFRESH_INTERVAL);
        changed
    }

    /// Where people meet who edit files of this extension (lower case, without dot) together.
    pub(super) fn end_points(&self, extension: &str) -> Option<&EndPoints> {
        self.end_points.get(extension)
    }

    /// Remembers that an attempt failed. What was known stays.
    pub(super) fn fail(&mut self, why: String, now: Timestamp) {
        self.last_error = Some(why);
        self.failures = self.failures.saturating_add(1);
        let doubled = 2_u32.saturating_pow(self.failures - 1);
        self.due_at = now.plus(super::RETRY_DELAY_FIRST.saturating_mul(doubled).min(super::RETRY_DELAY_MAX));
    }
}

/// The end points for every extension that has them.
fn end_points_of(settings: &ClientSettings, discovery: &Discovery) -> BTreeMap<String, EndPoints> {
    let offers = discovery.zones.iter().flat_map(wopi::discovery::Zone::offers);
    let extensions = offers
        .filter(|offer| offer.action.name.eq_ignore_ascii_case(plus::REAL_TIME_CHANNEL))
        .filter_map(|offer| offer.action.ext.as_deref().map(str::to_ascii_lowercase));
    let mut found = BTreeMap::new();
    for extension in extensions {
        if found.contains_key(&extension) {
            continue;
        }
        if let Some(end_points) = plus::end_points(&actions::actions_of(settings, discovery, &extension)) {
            found.insert(extension, end_points);
        }
    }
    found
}

/// | setting | discovery | rule |
/// |---|---|---|
/// | off | any | off |
/// | auto | never seen | required, without a key |
/// | auto | no proof key | off |
/// | auto | usable key | required |
/// | auto | unusable key | required, without a key |
/// | required | never seen, no key or unusable key | required, without a key |
/// | required | usable key | required |
fn rule_of(setting: ProofSetting, document: Option<&Document>) -> (ProofRule, ProofStatus) {
    let nothing = || ProofRule::Required([].into());
    match (setting, document.map(|document| document.keys.as_ref())) {
        (ProofSetting::Off, _) => (ProofRule::Off, ProofStatus::SwitchedOff),
        (ProofSetting::Auto | ProofSetting::Required, None) => (nothing(), ProofStatus::NeverSeen),
        (ProofSetting::Auto, Some(None)) => (ProofRule::Off, ProofStatus::DoesNotSign),
        (ProofSetting::Required, Some(None)) => (nothing(), ProofStatus::RequiredButNoKey),
        (ProofSetting::Auto | ProofSetting::Required, Some(Some(Err(error)))) => {
            (nothing(), ProofStatus::UnusableKey(*error))
        }
        (ProofSetting::Auto | ProofSetting::Required, Some(Some(Ok(keys)))) => {
            (ProofRule::Required([Arc::clone(keys)].into()), ProofStatus::Required { old_key: keys.old.is_some() })
        }
    }
}

/// Whether a client's requests must carry proofs, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofStatus {
    /// They must, and there is a key to check them with.
    Required {
        /// Whether the client has a previous key as well.
        old_key: bool,
    },
    /// They need not: the settings say so.
    SwitchedOff,
    /// They need not: the client's discovery has no key.
    DoesNotSign,
    /// All are refused: its discovery was never seen.
    NeverSeen,
    /// All are refused: the settings require proofs, its discovery has no key.
    RequiredButNoKey,
    /// All are refused: the key in its discovery cannot be used.
    UnusableKey(KeyError),
}

impl ProofStatus {
    /// Whether every request of the client is refused at present.
    pub fn refuses_everything(self) -> bool {
        matches!(self, Self::NeverSeen | Self::RequiredButNoKey | Self::UnusableKey(_))
    }
}

impl fmt::Display for ProofStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Required { old_key: false } => f.write_str("proofs are required"),
            Self::Required { old_key: true } => f.write_str("proofs are required, by the current or the previous key"),
            Self::SwitchedOff => f.write_str("proofs are not asked for: switched off in the settings"),
            Self::DoesNotSign => f.write_str("proofs are not asked for: the client publishes no key"),
            Self::NeverSeen => {
                f.write_str("every request is refused until the client's discovery has been fetched for the first time")
            }
            Self::RequiredButNoKey => f.write_str(
                "every request is refused: the settings require proofs, but the client's discovery has no key",
            ),
            Self::UnusableKey(error) => write!(f, "every request is refused: {error}"),
        }
    }
}
