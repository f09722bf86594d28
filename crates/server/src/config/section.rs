//! How a section is written down: each field once, with its documentation and its default. The struct, its `Default` and
//! its part of the manual come from that one place.

/// A section of the manual.
pub(crate) struct Section {
    /// `server`, or `[client]` for `[[client]]`.
    pub(crate) key: &'static str,
    /// What it is about, line by line.
    pub(crate) about: &'static [&'static str],
    /// Its fields, in the order in which they were written.
    pub(crate) fields: Vec<Field>,
}

/// A field of the manual.
pub(crate) struct Field {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it does, line by line.
    pub(crate) about: &'static [&'static str],
    /// What stands behind `=` in the sample.
    pub(crate) value: Value,
}

/// What stands behind `=` in the sample.
pub(crate) enum Value {
    /// The default, in TOML.
    Default(String),
    /// There is no default: an example, in TOML.
    Example(&'static str),
}

impl Value {
    /// The default as TOML.
    #[expect(clippy::expect_used, reason = "the defaults are ours, and a test prints every one")]
    pub(crate) fn of_default(default: &impl serde::Serialize) -> Self {
        Self::Default(toml::Value::try_from(default).expect("a default has a TOML form").to_string())
    }
}

/// A section with a default for every field, or an example for those that are an `Option`:
///
/// ```text
/// section! {
///     /// What it is about.
///     pub struct Name = "name" {
///         /// What it does.
///         pub field: Type = default;
///         /// What it does.
///         pub other: Option<Type>, for example "\"text\"";
///     }
/// }
/// ```
macro_rules! section {
    ($(#[doc = $about:literal])+ pub struct $name:ident = $key:literal { $($body:tt)+ }) => {
        section!(@fields [$(#[doc = $about])+] $name $key [] $($body)+);
    };
    (@fields $head:tt $name:ident $key:literal [$($done:tt)*]
        $(#[doc = $doc:literal])+ pub $field:ident: $type:ty = $default:expr; $($rest:tt)*) => {
        section!(@fields $head $name $key [$($done)* {
            [$($doc)+] $field [$type] [$default]
            [$crate::config::section::Value::of_default(&{ let value: $type = $default; value })]
        }] $($rest)*);
    };
    (@fields $head:tt $name:ident $key:literal [$($done:tt)*]
        $(#[doc = $doc:literal])+ pub $field:ident: $type:ty, for example $example:literal; $($rest:tt)*) => {
        section!(@fields $head $name $key [$($done)* {
            [$($doc)+] $field [$type] [None] [$crate::config::section::Value::Example($example)]
        }] $($rest)*);
    };
    (@fields [$(#[doc = $about:literal])+] $name:ident $key:literal
        [$({ [$($doc:literal)+] $field:ident [$type:ty] [$default:expr] [$value:expr] })+]) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $($(#[doc = $doc])+ pub $field: $type,)+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        impl $name {
            pub(crate) fn manual() -> $crate::config::section::Section {
                $crate::config::section::Section {
                    key: $key,
                    about: &[$($about),+],
                    fields: vec![$($crate::config::section::Field {
                        name: stringify!($field),
                        about: &[$($doc),+],
                        value: $value,
                    },)+],
                }
            }
        }
    };
}

/// A section that may stand any number of times. Every field has an example; those with `or` have a default as well.
macro_rules! repeated_section {
    ($(#[doc = $about:literal])+ pub struct $name:ident = $key:literal {
        $($(#[doc = $doc:literal])+ $(#[serde($($serde:tt)+)])? pub $field:ident: $type:ty, for example $example:literal;)+
    }) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[doc = $doc])+ $(#[serde($($serde)+)])? pub $field: $type,)+
        }

        impl $name {
            pub(crate) fn manual() -> $crate::config::section::Section {
                $crate::config::section::Section {
                    key: concat!("[", $key, "]"),
                    about: &[$($about),+],
                    fields: vec![$($crate::config::section::Field {
                        name: stringify!($field),
                        about: &[$($doc),+],
                        value: $crate::config::section::Value::Example($example),
                    },)+],
                }
            }
        }
    };
}

pub(crate) use {repeated_section, section};
