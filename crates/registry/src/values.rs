//! Values on their way into either database.

use std::borrow::Cow;
use std::error::Error;

use bytes::BytesMut;
use rusqlite::types::ToSqlOutput;
use tokio_postgres::types::{IsNull, ToSql, Type, WrongType, to_sql_checked};

use crate::nul;

/// A parameter of a statement: text, a 64-bit number, bytes, or nothing. Lists are for PostgreSQL only.
#[derive(Clone, Debug)]
pub(crate) enum Value<'v> {
    Null,
    Text(Cow<'v, str>),
    Number(i64),
    Bytes(Cow<'v, [u8]>),
    Texts(Vec<Option<Cow<'v, str>>>),
    Numbers(Vec<i64>),
    Blobs(Vec<Cow<'v, [u8]>>),
}

macro_rules! from {
    ($($from:ty: $value:ident => $to:expr),+ $(,)?) => {
        $(impl<'v> From<$from> for Value<'v> {
            fn from($value: $from) -> Self {
                $to
            }
        })+
    };
}

from! {
    &'v str: text => Value::Text(Cow::Borrowed(text)),
    &'v String: text => Value::Text(Cow::Borrowed(text)),
    String: text => Value::Text(Cow::Owned(text)),
    Cow<'v, str>: text => Value::Text(text),
    i64: number => Value::Number(number),
    bool: yes => Value::Number(yes.into()),
    &'v [u8]: bytes => Value::Bytes(Cow::Borrowed(bytes)),
    Vec<u8>: bytes => Value::Bytes(Cow::Owned(bytes)),
    Vec<&'v str>: texts => Value::Texts(texts.into_iter().map(|text| Some(Cow::Borrowed(text))).collect()),
    Vec<Option<&'v str>>: texts => Value::Texts(texts.into_iter().map(|text| text.map(Cow::Borrowed)).collect()),
    Vec<i64>: numbers => Value::Numbers(numbers),
    Vec<&'v [u8]>: blobs => Value::Blobs(blobs.into_iter().map(Cow::Borrowed).collect()),
    Vec<Vec<u8>>: blobs => Value::Blobs(blobs.into_iter().map(Cow::Owned).collect()),
}

impl<'v, T: Into<Value<'v>>> From<Option<T>> for Value<'v> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Parameters, each of which is something that becomes a [`Value`].
macro_rules! values {
    ($($value:expr),* $(,)?) => {
        [$($crate::values::Value::from($value)),*]
    };
}

pub(crate) use values;

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Self::Null => Ok(rusqlite::types::Null.into()),
            Self::Text(text) => Ok((&**text).into()),
            Self::Number(number) => Ok((*number).into()),
            Self::Bytes(bytes) => Ok((&**bytes).into()),
            Self::Texts(_) | Self::Numbers(_) | Self::Blobs(_) => {
                Err(rusqlite::Error::ToSqlConversionFailure("SQLite has no lists".into()))
            }
        }
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        fn checked<T: ToSql>(
            value: &T,
            kind: &Type,
            out: &mut BytesMut,
        ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
            if T::accepts(kind) { value.to_sql(kind, out) } else { Err(Box::new(WrongType::new::<T>(kind.clone()))) }
        }
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Text(text) => checked(&nul::escaped(text), kind, out),
            Self::Number(number) => checked(number, kind, out),
            Self::Bytes(bytes) => checked(&&**bytes, kind, out),
            Self::Texts(texts) => {
                let texts: Vec<_> = texts.iter().map(|text| text.as_deref().map(nul::escaped)).collect();
                checked(&texts, kind, out)
            }
            Self::Numbers(numbers) => checked(numbers, kind, out),
            Self::Blobs(blobs) => checked(&blobs.iter().map(|blob| &**blob).collect::<Vec<_>>(), kind, out),
        }
    }

    /// The kind is looked at when the value is written.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
