//! The schema, in numbered steps. A step that was released never changes; a change is a new step.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior, params};

use crate::db::OpenError;
use crate::{containers, names};

struct Migration {
    number: i64,
    name: &'static str,
    sql: &'static str,
}

/// The step that orders listings, which SQL alone cannot.
const PEOPLE: i64 = 4;

const MIGRATIONS: &[Migration] = &[
    Migration { number: 1, name: "first", sql: include_str!("../migrations/sqlite/0001_first.sql") },
    Migration { number: 2, name: "coauth", sql: include_str!("../migrations/sqlite/0002_coauth.sql") },
    Migration { number: 3, name: "parts", sql: include_str!("../migrations/sqlite/0003_parts.sql") },
    Migration { number: PEOPLE, name: "people", sql: include_str!("../migrations/sqlite/0004_people.sql") },
    Migration { number: 5, name: "nodes", sql: include_str!("../migrations/sqlite/0005_nodes.sql") },
    Migration { number: 6, name: "mark", sql: include_str!("../migrations/sqlite/0006_mark.sql") },
];

const CREATE: &str = "CREATE TABLE IF NOT EXISTS migrations (number BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL)";
const LATEST: &str = "SELECT coalesce(max(number), 0) FROM migrations";
const APPLIED: &str = "INSERT INTO migrations (number, name) VALUES ($1, $2)";

/// Brings the schema up to date and sees to it that there is a root, in one transaction.
pub(crate) fn apply(path: &Path, connection: &mut Connection) -> Result<(), OpenError> {
    let failed = |source| OpenError::Sqlite { path: path.to_owned(), source };
    let known = MIGRATIONS.iter().map(|migration| migration.number).max().unwrap_or(0);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    transaction.execute_batch(CREATE).map_err(failed)?;
    let found: i64 = transaction.query_row(LATEST, [], |row| row.get(0)).map_err(failed)?;
    if found > known {
        return Err(OpenError::Newer { path: path.to_owned(), found, known });
    }
    for migration in MIGRATIONS.iter().filter(|migration| migration.number > found) {
        transaction.execute_batch(migration.sql).map_err(failed)?;
        transaction.execute(APPLIED, params![migration.number, migration.name]).map_err(failed)?;
    }
    if found < PEOPLE {
        names::make_keys(&transaction).map_err(failed)?;
    }
    match containers::ensure_root(&transaction) {
        Ok(()) => transaction.commit().map_err(failed),
        Err(error) => Err(OpenError::Root { path: path.to_owned(), source: error.into() }),
    }
}

#[cfg(test)]
mod tests {
    use lectern_host::records::LockState;

    use super::*;

    #[test]
    fn migrations_are_numbered_in_their_order() {
        let numbers: Vec<i64> = MIGRATIONS.iter().map(|migration| migration.number).collect();
        assert!(numbers.first() == Some(&1) && numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
    }

    #[test]
    fn what_an_older_schema_holds_is_kept() {
        const FILE: &str = "INSERT INTO files (id, container_id, name, revision, owner_id, created_at, version, \
             content_id, content_size, modified_at_100ns, editors, autosave, \
             lock_id, lock_expires_at, lock_since, lock_by) \
             VALUES ('f', 'c', 'n', 1, 'o', 1, 1, zeroblob(16), 0, 1, '[]', 0, 'A', 2, 1, 'o')";
        const NAMES: &str = "INSERT INTO names (container_id, name, kind, id) \
             VALUES ('c', 'Übung 10.DOCX', 'file', 'f'), ('c', 'Übung 9.d', 'container', 'd')";
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lectern.db");
        let old = Connection::open(&path).unwrap();
        old.pragma_update(None, "application_id", crate::db::APPLICATION_ID).unwrap();
        old.execute_batch(CREATE).unwrap();
        old.execute_batch(MIGRATIONS[0].sql).unwrap();
        old.execute(APPLIED, params![1, MIGRATIONS[0].name]).unwrap();
        old.execute(FILE, []).unwrap();
        old.execute(NAMES, []).unwrap();
        drop(old);
        let connection = crate::db::open_writer(&path).unwrap();
        let file = crate::files::by_id(&connection, &lectern_host::wopi::FileId::parse("f").unwrap()).unwrap();
        let LockState::Wopi(held) = file.lock else { panic!("{file:?}") };
        assert_eq!((held.id.as_str(), held.visible_as), ("A", None));
        let keys = "SELECT name, extension FROM names ORDER BY sort_key";
        let mut keys = connection.prepare(keys).unwrap();
        let keys = keys.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let keys: Vec<(String, String)> = keys.map(Result::unwrap).collect();
        let keys: Vec<(&str, &str)> = keys.iter().map(|(name, extension)| (&**name, &**extension)).collect();
        assert_eq!(keys, [("Übung 9.d", ""), ("Übung 10.DOCX", "docx")]);
    }
}
