//! Columns become values again, one after the other, and a column that holds nothing valid is an error with its number.

use rusqlite::Row;
use rusqlite::types::{Type, ValueRef};

use lectern_host::records::{Content, ContentId, Fingerprint, ModifiedAt, Sha256, Timestamp};
use lectern_host::sharing::{BinId, GroupId, LinkId};
use lectern_host::wopi::{ContainerId, FileId, FileName, LockId, UserId};

type Result<T> = rusqlite::Result<T>;

/// A value that text spells.
pub(crate) trait FromText: Sized {
    fn from_text(text: &str) -> Option<Self>;
}

macro_rules! from_text {
    ($($name:ty: $parse:expr),+ $(,)?) => {
        $(impl FromText for $name {
            fn from_text(text: &str) -> Option<Self> {
                $parse(text)
            }
        })+
    };
}

from_text! {
    FileId: FileId::parse,
    ContainerId: ContainerId::parse,
    UserId: UserId::parse,
    LockId: LockId::parse,
    GroupId: GroupId::parse,
    LinkId: LinkId::parse,
    BinId: BinId::parse,
    FileName: |text| FileName::parse(text).ok(),
    String: |text: &str| Some(text.to_owned()),
}

/// The columns of a row, from left to right.
pub(crate) struct Fields<'r> {
    row: &'r Row<'r>,
    next: usize,
}

impl<'r> Fields<'r> {
    pub(crate) fn of(row: &'r Row<'r>) -> Self {
        Self { row, next: 0 }
    }

    fn value(&mut self) -> Result<ValueRef<'r>> {
        let value = self.row.get_ref(self.next)?;
        self.next += 1;
        Ok(value)
    }

    /// The column that was read last holds something that we never wrote.
    pub(crate) fn invalid(&self, kind: Type) -> rusqlite::Error {
        let what = format!("column {} holds no valid value", self.next);
        rusqlite::Error::FromSqlConversionFailure(self.next.saturating_sub(1), kind, what.into())
    }

    pub(crate) fn maybe_text(&mut self) -> Result<Option<&'r str>> {
        match self.value()? {
            ValueRef::Null => Ok(None),
            value => value.as_str().map(Some).map_err(|_| self.invalid(value.data_type())),
        }
    }

    pub(crate) fn text(&mut self) -> Result<&'r str> {
        self.maybe_text()?.ok_or_else(|| self.invalid(Type::Null))
    }

    pub(crate) fn maybe_number(&mut self) -> Result<Option<i64>> {
        match self.value()? {
            ValueRef::Null => Ok(None),
            value => value.as_i64().map(Some).map_err(|_| self.invalid(value.data_type())),
        }
    }

    pub(crate) fn number(&mut self) -> Result<i64> {
        self.maybe_number()?.ok_or_else(|| self.invalid(Type::Null))
    }

    pub(crate) fn count(&mut self) -> Result<u64> {
        self.number().map(i64::cast_unsigned)
    }

    pub(crate) fn yes(&mut self) -> Result<bool> {
        self.number().map(|number| number != 0)
    }

    pub(crate) fn maybe<T: FromText>(&mut self) -> Result<Option<T>> {
        match self.maybe_text()? {
            None => Ok(None),
            Some(text) => T::from_text(text).map(Some).ok_or_else(|| self.invalid(Type::Text)),
        }
    }

    pub(crate) fn parsed<T: FromText>(&mut self) -> Result<T> {
        self.maybe()?.ok_or_else(|| self.invalid(Type::Null))
    }

    pub(crate) fn maybe_bytes<const N: usize>(&mut self) -> Result<Option<[u8; N]>> {
        match self.value()? {
            ValueRef::Null => Ok(None),
            ValueRef::Blob(bytes) => bytes.try_into().map(Some).map_err(|_| self.invalid(Type::Blob)),
            value => Err(self.invalid(value.data_type())),
        }
    }

    pub(crate) fn maybe_blob(&mut self) -> Result<Option<&'r [u8]>> {
        match self.value()? {
            ValueRef::Null => Ok(None),
            ValueRef::Blob(bytes) => Ok(Some(bytes)),
            value => Err(self.invalid(value.data_type())),
        }
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.maybe_bytes()?.ok_or_else(|| self.invalid(Type::Null))
    }

    pub(crate) fn at(&mut self) -> Result<Timestamp> {
        self.number().map(Timestamp)
    }

    pub(crate) fn maybe_at(&mut self) -> Result<Option<Timestamp>> {
        Ok(self.maybe_number()?.map(Timestamp))
    }

    /// Four columns: inode, time of birth, size, time of the last write. `None` if there is no inode.
    pub(crate) fn fingerprint(&mut self) -> Result<Option<Fingerprint>> {
        let (inode, born_ns) = (self.maybe_number()?, self.maybe_number()?);
        let (size, modified_ns) = (self.maybe_number()?, self.maybe_number()?);
        Ok(inode.map(|inode| Fingerprint {
            inode: inode.cast_unsigned(),
            born_ns,
            size: size.unwrap_or(0).cast_unsigned(),
            modified_ns: modified_ns.unwrap_or(0),
        }))
    }

    /// Two columns: inode, time of birth. What a container looked like.
    pub(crate) fn container_fingerprint(&mut self) -> Result<Option<Fingerprint>> {
        let (inode, born_ns) = (self.maybe_number()?, self.maybe_number()?);
        Ok(inode.map(|inode| Fingerprint { inode: inode.cast_unsigned(), born_ns, size: 0, modified_ns: 0 }))
    }

    /// Seven columns: those of [`Content`], in its order.
    pub(crate) fn content(&mut self) -> Result<Content> {
        Ok(Content {
            id: ContentId(self.bytes()?),
            size: self.count()?,
            sha256: self.maybe_bytes::<{ size_of::<Sha256>() }>()?,
            modified_at: ModifiedAt(self.number()?),
            saved_by: self.maybe()?,
            editors: self.editors()?,
            autosave: self.yes()?,
        })
    }

    fn editors(&mut self) -> Result<Vec<String>> {
        match self.text()? {
            NO_EDITORS => Ok(Vec::new()),
            text => serde_json::from_str(text).map_err(|_| self.invalid(Type::Text)),
        }
    }
}

const NO_EDITORS: &str = "[]";

/// The editors as the column has them.
pub(crate) fn editors_text(editors: &[String]) -> String {
    // A list of strings always has a JSON form.
    if editors.is_empty() { NO_EDITORS.to_owned() } else { serde_json::Value::from(editors).to_string() }
}
