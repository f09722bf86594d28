//! From XML to [`Discovery`]: strict about limits and about being whole, lenient about everything else.

use std::borrow::Cow;
use std::fmt;

use quick_xml::Reader;
use quick_xml::errors::SyntaxError;
use quick_xml::events::{BytesStart, Event};

use super::{Action, App, Discovery, NetZone, ProofKey, Zone};

/// Longest entity or character reference, without `&` and `;`.
const REFERENCE_LENGTH_MAX: usize = 10;

/// Longest piece of a foreign document that an error quotes, in characters.
const QUOTE_LENGTH_MAX: usize = 120;

/// Why a text is no discovery document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiscoveryError {
    /// More than [`Discovery::BYTES_MAX`] bytes.
    TooLarge,
    /// More of something than the limit of that name in [`Discovery`] allows.
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// An attribute longer than [`Discovery::ATTRIBUTE_LENGTH_MAX`].
    AttributeTooLong {
        /// Its name.
        name: &'static str,
    },
    /// There is a document type declaration, as in HTML. Discovery has none, and nothing good ever came of them.
    DocumentType,
    /// Another root element, or none.
    NotDiscovery {
        /// The root element.
        root: Option<String>,
    },
    /// The document ends before its root element does.
    Truncated,
    /// Not XML.
    Malformed {
        /// Where, in bytes.
        at: u64,
        /// What is wrong there.
        why: String,
    },
}

impl fmt::Display for DiscoveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => write!(f, "the discovery document has more than {} bytes", Discovery::BYTES_MAX),
            Self::TooMany { what, limit } => write!(f, "the discovery document has more than {limit} {what}"),
            Self::AttributeTooLong { name } => write!(
                f,
                "the attribute {name} in the discovery document has more than {} bytes",
                Discovery::ATTRIBUTE_LENGTH_MAX
            ),
            Self::DocumentType => {
                f.write_str("the answer has a document type declaration: it is a web page, not a discovery document")
            }
            Self::NotDiscovery { root: Some(root) } => {
                write!(f, "the answer is XML with the root element {root:?}, not a discovery document")
            }
            Self::NotDiscovery { root: None } => {
                f.write_str("the answer has no XML element, it is no discovery document")
            }
            Self::Truncated => f.write_str(
                "the discovery document is cut off: the client failed while it wrote it, or the connection broke",
            ),
            Self::Malformed { at, why } => write!(f, "the discovery document is not XML at byte {at}: {why}"),
        }
    }
}

impl std::error::Error for DiscoveryError {}

/// What an open element means to us.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    Zone,
    App,
    /// Nothing in it is for us.
    Foreign,
}

impl Discovery {
    /// Reads a document.
    ///
    /// Unknown elements, with all that is in them, and unknown attributes are ignored; so are actions without a usable
    /// URL, which are counted.
    ///
    /// # Errors
    ///
    /// If it is not the whole of a discovery document, or larger than the limits.
    pub fn parse(text: &str) -> Result<Self, DiscoveryError> {
        if text.len() > Self::BYTES_MAX {
            return Err(DiscoveryError::TooLarge);
        }
        let mut reader = Reader::from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
        reader.config_mut().expand_empty_elements = true;
        reader.config_mut().allow_dangling_amp = true;
        let mut builder = Builder::default();
        let mut open: Vec<Place> = Vec::new();
        loop {
            match reader.read_event() {
                Ok(Event::Start(element)) => {
                    if open.len() == Self::DEPTH_MAX {
                        return Err(DiscoveryError::TooMany { what: "nested elements", limit: Self::DEPTH_MAX });
                    }
                    open.push(builder.start(open.last().copied(), &element)?);
                }
                Ok(Event::End(_)) => {
                    open.pop();
                    if open.is_empty() {
                        return Ok(builder.discovery);
                    }
                }
                Ok(Event::DocType(_)) => return Err(DiscoveryError::DocumentType),
                Ok(Event::Eof) if open.is_empty() => return Err(DiscoveryError::NotDiscovery { root: None }),
                Ok(Event::Eof) => return Err(DiscoveryError::Truncated),
                Ok(_) => {}
                // All but one of the reader's syntax errors are about a construct in which the input ended.
                Err(quick_xml::Error::Syntax(error)) if error != SyntaxError::InvalidBangMarkup => {
                    return Err(DiscoveryError::Truncated);
                }
                Err(error) => {
                    return Err(DiscoveryError::Malformed {
                        at: reader.error_position(),
                        why: quote(&error.to_string()),
                    });
                }
            }
        }
    }
}

#[derive(Default)]
struct Builder {
    discovery: Discovery,
    apps: usize,
    actions: usize,
    /// Whether the last zone is one we made for apps outside any.
    last_zone_is_ours: bool,
}

impl Builder {
    fn start(&mut self, parent: Option<Place>, element: &BytesStart<'_>) -> Result<Place, DiscoveryError> {
        let name = element.local_name().into_inner();
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
        match parent {
            None if is("wopi-discovery") => Ok(Place::Root),
            None => Err(DiscoveryError::NotDiscovery { root: Some(quote(name)) }),
            Some(Place::Root) if is("net-zone") => {
                let name = attributes(element, ["name"])?;
                self.zone(NetZone::parse(&name[0]).unwrap_or(NetZone::Unnamed))?;
                self.last_zone_is_ours = false;
                Ok(Place::Zone)
            }
            Some(Place::Root) if is("app") => {
                if !self.last_zone_is_ours {
                    self.zone(NetZone::Unnamed)?;
                    self.last_zone_is_ours = true;
                }
                self.app(element)
            }
            Some(Place::Zone) if is("app") => self.app(element),
            Some(Place::App) if is("action") => {
                self.action(element)?;
                Ok(Place::Foreign)
            }
            Some(Place::Root | Place::Zone) if is("proof-key") => {
                self.proof_key(element)?;
                Ok(Place::Foreign)
            }
            Some(_) => Ok(Place::Foreign),
        }
    }

    fn zone(&mut self, name: NetZone) -> Result<(), DiscoveryError> {
        if self.discovery.zones.len() == Discovery::ZONES_MAX {
            return Err(DiscoveryError::TooMany { what: "zones", limit: Discovery::ZONES_MAX });
        }
        self.discovery.zones.push(Zone { name, apps: Vec::new() });
        Ok(())
    }

    fn app(&mut self, element: &BytesStart<'_>) -> Result<Place, DiscoveryError> {
        if self.apps == Discovery::APPS_MAX {
            return Err(DiscoveryError::TooMany { what: "apps", limit: Discovery::APPS_MAX });
        }
        self.apps += 1;
        let [name, fav_icon_url, check_license, bootstrapper, base, origin] = attributes(
            element,
            ["name", "favIconUrl", "checkLicense", "bootstrapperUrl", "applicationBaseUrl", "staticResourceOrigin"],
        )?;
        if let Some(zone) = self.discovery.zones.last_mut() {
            zone.apps.push(App {
                name: name.into_owned(),
                fav_icon_url: web_url(&fav_icon_url),
                check_license: is_true(&check_license),
                bootstrapper_url: web_url(&bootstrapper),
                application_base_url: web_url(&base),
                static_resource_origin: web_url(&origin),
                actions: Vec::new(),
            });
        }
        Ok(Place::App)
    }

    fn action(&mut self, element: &BytesStart<'_>) -> Result<(), DiscoveryError> {
        if self.actions == Discovery::ACTIONS_MAX {
            return Err(DiscoveryError::TooMany { what: "actions", limit: Discovery::ACTIONS_MAX });
        }
        self.actions += 1;
        let [name, urlsrc, ext, progid, default, requires, newext, newprogid, targetext, use_parent] = attributes(
            element,
            ["name", "urlsrc", "ext", "progid", "default", "requires", "newext", "newprogid", "targetext", "useParent"],
        )?;
        let app = self.discovery.zones.last_mut().and_then(|zone| zone.apps.last_mut());
        match (app, web_url(&urlsrc)) {
            (Some(app), Some(urlsrc)) if !name.is_empty() => app.actions.push(Action {
                name: name.into_owned(),
                urlsrc,
                ext: extension(&ext),
                progid: some(progid),
                is_default: is_true(&default),
                requires: words(&requires),
                newext: extension(&newext),
                newprogid: some(newprogid),
                targetext: extension(&targetext),
                use_parent: is_true(&use_parent),
            }),
            _ => self.discovery.skipped += 1,
        }
        Ok(())
    }

    fn proof_key(&mut self, element: &BytesStart<'_>) -> Result<(), DiscoveryError> {
        let [value, modulus, exponent, old_value, old_modulus, old_exponent] =
            attributes(element, ["value", "modulus", "exponent", "oldvalue", "oldmodulus", "oldexponent"])?
                .map(Cow::into_owned);
        // An element without any key is how some clients say that they do not sign. The first one with a key counts.
        if self.discovery.proof_key.is_none() && !(value.is_empty() && modulus.is_empty()) {
            self.discovery.proof_key =
                Some(ProofKey { value, modulus, exponent, old_value, old_modulus, old_exponent });
        }
        Ok(())
    }
}

/// The values of these attributes, references resolved and blanks around them gone; empty where there is none.
fn attributes<'a, const N: usize>(
    element: &'a BytesStart<'_>,
    names: [&'static str; N],
) -> Result<[Cow<'a, str>; N], DiscoveryError> {
    let mut values: [Option<Cow<'a, str>>; N] = [const { None }; N];
    // Doubled attributes are not worth refusing a document for; the first one counts.
    for attribute in element.attributes().with_checks(false).take(Discovery::ATTRIBUTES_MAX).flatten() {
        let key = attribute.key.local_name().into_inner();
        for (name, slot) in names.iter().zip(&mut values) {
            if slot.is_none() && name.eq_ignore_ascii_case(key) {
                if attribute.value.len() > Discovery::ATTRIBUTE_LENGTH_MAX {
                    return Err(DiscoveryError::AttributeTooLong { name });
                }
                *slot = Some(trimmed(resolved(attribute.value.clone())));
            }
        }
    }
    Ok(values.map(Option::unwrap_or_default))
}

fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) if text.trim().len() == text.len() => Cow::Owned(text),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

/// Resolves the five entities of XML and character references, once. Any other `&` stays: documents with raw ones exist,
/// and there is nothing here that could be expanded without end.
fn resolved(text: Cow<'_, str>) -> Cow<'_, str> {
    if !text.contains('&') {
        return text;
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.as_ref();
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let reference = after.split_once(';').filter(|(name, _)| name.len() <= REFERENCE_LENGTH_MAX);
        rest = match reference.and_then(|(name, behind)| Some((character(name)?, behind))) {
            Some((character, behind)) => {
                plain.push(character);
                behind
            }
            None => {
                plain.push('&');
                after
            }
        };
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

fn character(reference: &str) -> Option<char> {
    match reference {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "apos" => Some('\''),
        "quot" => Some('"'),
        _ => {
            let number = reference.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

/// The URL, if it is one that a browser may be sent to. `\.` in the host becomes `.`: some administrators paste a regular
/// expression where the name of their server belongs.
fn web_url(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let end = rest.find(['/', '?', '#', '<']).unwrap_or(rest.len());
    let (host, rest) = rest.split_at(end);
    let host = host.replace("\\.", ".");
    let usable = ["http", "https"].iter().any(|known| known.eq_ignore_ascii_case(scheme))
        && !host.is_empty()
        && !host.contains(['@', '\\'])
        && !text.chars().any(|c| c.is_control() || c.is_whitespace());
    usable.then(|| format!("{}://{host}{rest}", scheme.to_ascii_lowercase()))
}

fn some(text: Cow<'_, str>) -> Option<String> {
    (!text.is_empty()).then(|| text.into_owned())
}

fn extension(text: &str) -> Option<String> {
    let text = text.strip_prefix('.').unwrap_or(text);
    (!text.is_empty()).then(|| text.to_ascii_lowercase())
}

fn words(text: &str) -> Vec<String> {
    text.split(',').map(|word| word.trim().to_ascii_lowercase()).filter(|word| !word.is_empty()).collect()
}

fn is_true(text: &str) -> bool {
    text == "1" || text.eq_ignore_ascii_case("true")
}

fn quote(text: &str) -> String {
    text.chars().take(QUOTE_LENGTH_MAX).collect()
}
