//! What can stand behind the `=` of a setting: durations, sizes, counts and URLs, each within its bounds.
//!
//! They are checked while the file is read, so that an error names the line, and nothing has to be checked later.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::Url;

/// A duration such as `"500ms"`, `"30s"`, `"10m"`, `"12h"`, `"7d"`, between `MIN_MS` and `MAX_MS` milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Span<const MIN_MS: u64, const MAX_MS: u64>(u64);

/// One day in milliseconds.
pub const DAY_MS: u64 = 24 * 60 * 60 * 1000;

const SPAN_UNITS: [(&str, u64); 5] = [("d", DAY_MS), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

impl<const MIN_MS: u64, const MAX_MS: u64> Span<MIN_MS, MAX_MS> {
    /// So many milliseconds. For defaults, in a `const`: out of bounds it does not compile.
    pub const fn ms(ms: u64) -> Self {
        assert!(MIN_MS <= ms && ms <= MAX_MS, "out of bounds");
        Self(ms)
    }

    /// The duration.
    pub const fn get(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl<const MIN_MS: u64, const MAX_MS: u64> FromStr for Span<MIN_MS, MAX_MS> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = number_and_unit(text);
        let factor = SPAN_UNITS.iter().find(|(name, _)| *name == unit).map(|(_, ms)| *ms);
        let ms = number.zip(factor).and_then(|(number, ms)| number.checked_mul(ms));
        let ms = ms.ok_or_else(|| format!("{text:?} is no duration such as \"30s\", \"10m\", \"12h\" or \"7d\""))?;
        if (MIN_MS..=MAX_MS).contains(&ms) {
            Ok(Self(ms))
        } else {
            Err(format!("{text:?} is not between \"{}\" and \"{}\"", Self(MIN_MS), Self(MAX_MS)))
        }
    }
}

impl<const MIN_MS: u64, const MAX_MS: u64> fmt::Display for Span<MIN_MS, MAX_MS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        with_largest_unit(f, self.0, &SPAN_UNITS, "s")
    }
}

/// A number of bytes such as `"64KiB"`, `"1GiB"` or `1024`, between `MIN` and `MAX`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Size<const MIN: u64, const MAX: u64>(u64);

const SIZE_UNITS: [(&str, u64); 6] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1), ("", 1)];

impl<const MIN: u64, const MAX: u64> Size<MIN, MAX> {
    /// So many bytes. For defaults, in a `const`: out of bounds it does not compile.
    pub const fn bytes(bytes: u64) -> Self {
        assert!(MIN <= bytes && bytes <= MAX, "out of bounds");
        Self(bytes)
    }

    /// The number of bytes.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl<const MIN: u64, const MAX: u64> FromStr for Size<MIN, MAX> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = number_and_unit(text);
        let factor = SIZE_UNITS.iter().find(|(name, _)| *name == unit).map(|(_, bytes)| *bytes);
        let bytes = number.zip(factor).and_then(|(number, bytes)| number.checked_mul(bytes));
        let bytes = bytes.ok_or_else(|| format!("{text:?} is no size such as \"512KiB\", \"100MiB\" or \"1GiB\""))?;
        if (MIN..=MAX).contains(&bytes) {
            Ok(Self(bytes))
        } else {
            Err(format!("{text:?} is not between \"{}\" and \"{}\"", Self(MIN), Self(MAX)))
        }
    }
}

impl<const MIN: u64, const MAX: u64> fmt::Display for Size<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        with_largest_unit(f, self.0, &SIZE_UNITS, "B")
    }
}

fn number_and_unit(text: &str) -> (Option<u64>, &str) {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    (number.parse().ok(), unit.trim_start())
}

fn with_largest_unit(f: &mut fmt::Formatter<'_>, value: u64, units: &[(&str, u64)], of_zero: &str) -> fmt::Result {
    match units.iter().find(|(_, factor)| value != 0 && value.is_multiple_of(*factor)) {
        Some((unit, factor)) => write!(f, "{}{unit}", value / factor),
        None => write!(f, "{value}{of_zero}"),
    }
}

/// A whole number between `MIN` and `MAX`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Count<const MIN: u64, const MAX: u64>(u64);

impl<const MIN: u64, const MAX: u64> Count<MIN, MAX> {
    /// This number. For defaults, in a `const`: out of bounds it does not compile.
    pub const fn of(number: u64) -> Self {
        assert!(MIN <= number && number <= MAX, "out of bounds");
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number, as lengths are counted.
    pub const fn as_usize(self) -> usize {
        // Every bound in the settings is below 2^32.
        self.0 as usize
    }
}

impl<const MIN: u64, const MAX: u64> Serialize for Count<MIN, MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for Count<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(deserializer)?;
        match u64::try_from(number) {
            Ok(number) if (MIN..=MAX).contains(&number) => Ok(Self(number)),
            _ => Err(serde::de::Error::custom(format!("{number} is not between {MIN} and {MAX}"))),
        }
    }
}

/// Where people and clients reach us: `http` or `https`, perhaps a path, nothing else. No slash at the end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicUrl {
    text: String,
    url: Url,
}

impl PublicUrl {
    /// The URL, without a slash at the end.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The URL in its parts.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// What stands before our own paths: empty, or `/…` without a slash at the end.
    pub fn path(&self) -> &str {
        self.url.path().trim_end_matches('/')
    }

    /// The URL of `path`, which begins with a slash.
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }
}

impl FromStr for PublicUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = web_url(text)?;
        if url.query().is_some() {
            return Err(format!("{text:?} must have no query"));
        }
        Ok(Self { text: url.as_str().trim_end_matches('/').to_owned(), url })
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Where a client's discovery document is. The path may be left out: it is `/hosting/discovery` then.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DiscoveryUrl(Url);

/// Where every known client has its discovery document.
pub const DISCOVERY_PATH: &str = "/hosting/discovery";

impl DiscoveryUrl {
    /// The URL.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The URL in its parts.
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// Name or address of the machine, and the port if it is not that of the scheme.
    pub fn authority(&self) -> &str {
        self.0.authority()
    }
}

impl FromStr for DiscoveryUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut url = web_url(text)?;
        if url.path() == "/" && url.query().is_none() {
            url.set_path(DISCOVERY_PATH);
        }
        Ok(Self(url))
    }
}

impl fmt::Display for DiscoveryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

/// The address of a service on the web.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServiceUrl(Url);

impl ServiceUrl {
    /// The URL.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for ServiceUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        web_url(text).map(Self)
    }
}

impl fmt::Display for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Scheme, host and port of something that a browser loads, without a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin(String);

impl Origin {
    /// The origin, without a slash at the end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = web_url(text)?;
        if url.path() != "/" || url.query().is_some() {
            return Err(format!("{text:?} must be only scheme, host and port"));
        }
        Ok(Self(url.origin().ascii_serialization()))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An `http` or `https` URL with a host, without user, password and fragment.
fn web_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("{text:?} is no URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(format!("{text:?} is no URL such as \"https://documents.example.org\""));
    }
    if !url.username().is_empty() || url.password().is_some() {
        // Not quoted: it has a secret in it.
        return Err("the URL must have no user and no password in it".to_owned());
    }
    if url.fragment().is_some() {
        return Err(format!("{text:?} must have no fragment"));
    }
    Ok(url)
}

/// The name of a client: 1 to 64 letters, digits and `.`, `_`, `-`, `:`, `[`, `]`. It stands in every token that is
/// minted for it. `none` is not a name: `lectern token --client none` means no client at all.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClientName(String);

impl ClientName {
    /// Longest name, in characters.
    pub const LENGTH_MAX: usize = 64;

    /// The word that stands for no client.
    pub const NONE: &'static str = "none";

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClientName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b':' | b'[' | b']');
        if (1..=Self::LENGTH_MAX).contains(&text.len()) && text.bytes().all(fits) && text != Self::NONE {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!(
                "{text:?} is no name: 1 to {} letters, digits and any of `._-:[]`, and not {:?}",
                Self::LENGTH_MAX,
                Self::NONE
            ))
        }
    }
}

impl fmt::Display for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text that is parsed while it is read, so that the error has a line.
macro_rules! as_text {
    ($type:ty $(; $($generics:tt)*)?) => {
        impl $(<$($generics)*>)? Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de, $($($generics)*)?> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                TextOrNumber::deserialize(deserializer)?.text().parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

as_text!(Span<MIN_MS, MAX_MS>; const MIN_MS: u64, const MAX_MS: u64);
as_text!(Size<MIN, MAX>; const MIN: u64, const MAX: u64);
as_text!(PublicUrl);
as_text!(DiscoveryUrl);
as_text!(ServiceUrl);
as_text!(Origin);
as_text!(ClientName);

/// `1024` and `"1024"` are the same size.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected text in quotes, or a number")]
enum TextOrNumber {
    Text(String),
    Number(i64),
}

impl TextOrNumber {
    fn text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Number(number) => number.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Minutes = Span<1000, { 10 * 60_000 }>;
    type Kibibytes = Size<1024, { 1 << 20 }>;

    #[test]
    fn durations_have_a_unit_and_bounds() {
        for (text, ms, shown) in [
            ("1000ms", 1000, "1s"),
            ("1500ms", 1500, "1500ms"),
            ("30s", 30_000, "30s"),
            ("90 s", 90_000, "90s"),
            ("10m", 600_000, "10m"),
        ] {
            let span: Minutes = text.parse().unwrap();
            assert_eq!((span.get(), span.to_string().as_str()), (Duration::from_millis(ms), shown));
        }
        for bad in ["", "30", "s", "-1s", "1.5s", "30 seconds", "99999999999999999999s", "18446744073709551615d"] {
            assert!(bad.parse::<Minutes>().unwrap_err().contains("is no duration"), "{bad}");
        }
        for outside in ["999ms", "0s", "601s", "1d"] {
            assert_eq!(
                outside.parse::<Minutes>().unwrap_err(),
                format!("{outside:?} is not between \"1s\" and \"10m\"")
            );
        }
        assert_eq!("0s".parse::<Span<0, 1>>().unwrap().to_string(), "0s");
    }

    #[test]
    fn sizes_have_a_unit_or_are_bytes() {
        for (text, bytes, shown) in
            [("1024", 1024, "1KiB"), ("2000B", 2000, "2000B"), ("64KiB", 65_536, "64KiB"), ("1 MiB", 1 << 20, "1MiB")]
        {
            let size: Kibibytes = text.parse().unwrap();
            assert_eq!((size.get(), size.to_string().as_str()), (bytes, shown));
        }
        for bad in ["", "KiB", "64kb", "64 KB", "-1", "1.5MiB"] {
            assert!(bad.parse::<Kibibytes>().unwrap_err().contains("is no size"), "{bad}");
        }
        for outside in ["1023", "1025KiB", "1TiB"] {
            assert!(outside.parse::<Kibibytes>().unwrap_err().contains("between \"1KiB\" and \"1MiB\""), "{outside}");
        }
    }

    #[test]
    fn the_public_url_is_kept_without_its_last_slash() {
        for (text, kept, path) in [
            ("https://documents.example.org", "https://documents.example.org", ""),
            ("https://documents.example.org/", "https://documents.example.org", ""),
            ("HTTP://Example.org:80/lectern/", "http://example.org/lectern", "/lectern"),
            ("http://[::1]:8080", "http://[::1]:8080", ""),
        ] {
            let url: PublicUrl = text.parse().unwrap();
            assert_eq!((url.as_str(), url.path()), (kept, path));
        }
        for bad in
            ["", "documents.example.org", "ftp://x", "https://", "https://x?y", "https://x#y", "https://u:secret@x"]
        {
            let error = bad.parse::<PublicUrl>().unwrap_err();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_discovery_url_may_leave_out_its_path() {
        for (text, full) in [
            ("https://office.example.org", "https://office.example.org/hosting/discovery"),
            ("http://127.0.0.1:9980/", "http://127.0.0.1:9980/hosting/discovery"),
            ("https://example.org/office/hosting/discovery", "https://example.org/office/hosting/discovery"),
            ("https://example.org/?app=x", "https://example.org/?app=x"),
        ] {
            assert_eq!(text.parse::<DiscoveryUrl>().unwrap().as_str(), full);
        }
        assert!("file:///etc/passwd".parse::<DiscoveryUrl>().is_err());
    }

    #[test]
    fn an_origin_has_no_path() {
        assert_eq!("https://Office.example.org:443/".parse::<Origin>().unwrap().as_str(), "https://office.example.org");
        for bad in ["https://office.example.org/x", "https://office.example.org/?x", "data:x"] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_client_has_a_short_plain_name() {
        let longest = "x".repeat(ClientName::LENGTH_MAX);
        for good in ["a", "Office.example.org", "localhost:9980", "[::1]:9980", longest.as_str()] {
            assert_eq!(good.parse::<ClientName>().unwrap().as_str(), good);
        }
        for bad in ["", "none", "a b", "ä", "a/b", &format!("{longest}x")] {
            assert!(bad.parse::<ClientName>().is_err(), "{bad}");
        }
    }
}
