//! Columns become values again, one after the other, and a column that holds nothing valid is an error with its number.

use rusqlite::types::ValueRef;

use lectern_host::records::{Content, ContentId, Fingerprint, ModifiedAt, Sha256, Timestamp};
use lectern_host::sharing::{BinId, GroupId, LinkId};
use lectern_host::wopi::{ContainerId, FileId, FileName, LockId, UserId};

use crate::nul;

/// A column holds something that we never wrote.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("column {0} holds no valid value")]
pub(crate) struct Invalid(usize);

impl From<Invalid> for rusqlite::Error {
    fn from(error: Invalid) -> Self {
        Self::FromSqlConversionFailure(error.0.saturating_sub(1), rusqlite::types::Type::Null, error.into())
    }
}

pub(crate) type Result<T> = std::result::Result<T, Invalid>;

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

/// The columns of a row of either database, from left to right.
pub(crate) struct Fields<'r> {
    row: Row<'r>,
    next: usize,
}

#[derive(Clone, Copy)]
enum Row<'r> {
    Sqlite(&'r rusqlite::Row<'r>),
    Postgres(&'r tokio_postgres::Row),
}

impl<'r> From<&'r rusqlite::Row<'r>> for Fields<'r> {
    fn from(row: &'r rusqlite::Row<'r>) -> Self {
        Self { row: Row::Sqlite(row), next: 0 }
    }
}

impl<'r> From<&'r tokio_postgres::Row> for Fields<'r> {
    fn from(row: &'r tokio_postgres::Row) -> Self {
        Self { row: Row::Postgres(row), next: 0 }
    }
}

/// Reads the rows of SQLite in this way.
pub(crate) fn row<T>(
    read: impl Fn(&mut Fields<'_>) -> Result<T>,
) -> impl Fn(&rusqlite::Row<'_>) -> rusqlite::Result<T> {
    move |row| Ok(read(&mut Fields::from(row))?)
}

/// One column that spells a value.
pub(crate) fn parsed<T: FromText>(fields: &mut Fields<'_>) -> Result<T> {
    fields.parsed()
}

/// One column that counts.
pub(crate) fn count(fields: &mut Fields<'_>) -> Result<u64> {
    fields.count()
}

/// One column with what PostgreSQL says of a condition.
pub(crate) fn truth(fields: &mut Fields<'_>) -> Result<bool> {
    fields.truth()
}

/// A value that a column of PostgreSQL may hold.
type Postgres<T> = std::result::Result<Option<T>, tokio_postgres::Error>;

impl<'r> Fields<'r> {
    /// Goes on with the next column.
    fn column(&mut self) -> usize {
        self.next += 1;
        self.next - 1
    }

    /// The column that was read last holds something that we never wrote.
    pub(crate) fn invalid(&self) -> Invalid {
        Invalid(self.next)
    }

    pub(crate) fn maybe_text(&mut self) -> Result<Option<&'r str>> {
        let at = self.column();
        match self.row {
            Row::Sqlite(row) => match row.get_ref(at).map_err(|_| self.invalid())? {
                ValueRef::Null => Ok(None),
                value => value.as_str().map(Some).map_err(|_| self.invalid()),
            },
            Row::Postgres(row) => {
                let value: Postgres<&'r str> = row.try_get(at);
                value.map_err(|_| self.invalid())
            }
        }
    }

    /// Leaves columns out.
    pub(crate) fn skip(&mut self, columns: usize) {
        self.next += columns;
    }

    /// A row that may not be there, in so many columns, the first of which is never empty in one that is.
    pub(crate) fn maybe_row<T>(
        &mut self,
        columns: usize,
        read: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<Option<T>> {
        let first = self.next;
        if self.maybe_text()?.is_none() {
            self.next = first + columns;
            return Ok(None);
        }
        self.next = first;
        let value = read(self)?;
        debug_assert_eq!(self.next, first + columns, "the columns are counted wrong");
        Ok(Some(value))
    }

    /// A list, of PostgreSQL only.
    pub(crate) fn list<T: tokio_postgres::types::FromSql<'r>>(&mut self) -> Result<Vec<T>> {
        let at = self.column();
        match self.row {
            Row::Sqlite(_) => Err(self.invalid()),
            Row::Postgres(row) => {
                let list: Postgres<Vec<T>> = row.try_get(at);
                Ok(list.map_err(|_| self.invalid())?.unwrap_or_default())
            }
        }
    }

    pub(crate) fn text(&mut self) -> Result<&'r str> {
        self.maybe_text()?.ok_or_else(|| self.invalid())
    }

    pub(crate) fn maybe_number(&mut self) -> Result<Option<i64>> {
        let at = self.column();
        match self.row {
            Row::Sqlite(row) => match row.get_ref(at).map_err(|_| self.invalid())? {
                ValueRef::Null => Ok(None),
                value => value.as_i64().map(Some).map_err(|_| self.invalid()),
            },
            Row::Postgres(row) => row.try_get(at).map_err(|_| self.invalid()),
        }
    }

    pub(crate) fn number(&mut self) -> Result<i64> {
        self.maybe_number()?.ok_or_else(|| self.invalid())
    }

    pub(crate) fn count(&mut self) -> Result<u64> {
        self.number().map(i64::cast_unsigned)
    }

    pub(crate) fn yes(&mut self) -> Result<bool> {
        self.number().map(|number| number != 0)
    }

    /// What PostgreSQL says of a condition.
    pub(crate) fn truth(&mut self) -> Result<bool> {
        let at = self.column();
        match self.row {
            Row::Sqlite(_) => Err(self.invalid()),
            Row::Postgres(row) => row.try_get(at).map_err(|_| self.invalid()),
        }
    }

    pub(crate) fn maybe_blob(&mut self) -> Result<Option<&'r [u8]>> {
        let at = self.column();
        match self.row {
            Row::Sqlite(row) => match row.get_ref(at).map_err(|_| self.invalid())? {
                ValueRef::Null => Ok(None),
                ValueRef::Blob(bytes) => Ok(Some(bytes)),
                _ => Err(self.invalid()),
            },
            Row::Postgres(row) => {
                let value: Postgres<&'r [u8]> = row.try_get(at);
                value.map_err(|_| self.invalid())
            }
        }
    }

    pub(crate) fn maybe<T: FromText>(&mut self) -> Result<Option<T>> {
        let value = match (self.maybe_text()?, self.row) {
            (None, _) => return Ok(None),
            (Some(text), Row::Sqlite(_)) => T::from_text(text),
            (Some(text), Row::Postgres(_)) => T::from_text(&nul::unescaped(text)),
        };
        value.map(Some).ok_or_else(|| self.invalid())
    }

    pub(crate) fn parsed<T: FromText>(&mut self) -> Result<T> {
        self.maybe()?.ok_or_else(|| self.invalid())
    }

    pub(crate) fn maybe_bytes<const N: usize>(&mut self) -> Result<Option<[u8; N]>> {
        match self.maybe_blob()? {
            None => Ok(None),
            Some(bytes) => bytes.try_into().map(Some).map_err(|_| self.invalid()),
        }
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.maybe_bytes()?.ok_or_else(|| self.invalid())
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
            text => serde_json::from_str(text).map_err(|_| self.invalid()),
        }
    }
}

const NO_EDITORS: &str = "[]";

/// The editors as the column has them.
pub(crate) fn editors_text(editors: &[String]) -> String {
    // A list of strings always has a JSON form.
    if editors.is_empty() { NO_EDITORS.to_owned() } else { serde_json::Value::from(editors).to_string() }
}
