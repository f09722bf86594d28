//! The statements for versions, for rescued saves, and for what still points to a content.

use lectern_host::records::{Activity, ContentId, RescuedSave, VersionEntry};
use lectern_host::wopi::{FileId, ItemVersion, UserId};
use rusqlite::{Connection, params, params_from_iter};

use crate::db::prepared;
use crate::error::Error;
use crate::fields::{self, Fields, editors_text, row};
use crate::names::limit as sql_limit;
use crate::values::{Value, values};

const ADD_VERSION: &str = "INSERT INTO versions (\
     content_id, content_size, content_sha256, modified_at_100ns, saved_by, editors, autosave, label, keep, \
     file_id, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING";
pub(crate) const AMEND_VERSION: &str = "UPDATE versions SET \
     content_id = $1, content_size = $2, content_sha256 = $3, modified_at_100ns = $4, saved_by = $5, editors = $6, \
     autosave = $7, label = $8, keep = $9 WHERE file_id = $10 AND version = $11";
pub(crate) const VERSIONS: &str = "SELECT file_id, version, \
     content_id, content_size, content_sha256, modified_at_100ns, saved_by, editors, autosave, label, keep \
     FROM versions WHERE file_id = $1 ORDER BY version DESC";
const REMOVE_VERSION: &str = "DELETE FROM versions WHERE file_id = $1 AND version = $2";
const REMOVE_VERSIONS: &str = "DELETE FROM versions WHERE file_id = $1";
pub(crate) const FILES_WITH_VERSIONS: &str =
    "SELECT DISTINCT file_id FROM versions WHERE file_id > $1 ORDER BY file_id LIMIT $2";

pub(crate) const ADD_RESCUED: &str = "INSERT INTO rescued (\
     content_id, file_id, file_name, user_id, client, size, sha256, reason, rescued_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING";
pub(crate) const RESCUED: &str = "SELECT content_id, file_id, file_name, user_id, client, size, sha256, reason, rescued_at \
     FROM rescued ORDER BY rescued_at DESC, content_id DESC";
pub(crate) const RESCUED_OF: &str = "SELECT content_id, file_id, file_name, user_id, client, size, sha256, reason, rescued_at \
     FROM rescued WHERE user_id = $1 ORDER BY rescued_at DESC, content_id DESC";
const REMOVE_RESCUED: &str = "DELETE FROM rescued WHERE content_id = $1";

const ADD_ACTIVITY: &str = "INSERT INTO activities (file_id, user_id, reported_at, activity) VALUES ($1, $2, $3, $4)";
pub(crate) const ACTIVITIES: &str = "SELECT file_id, user_id, reported_at, activity FROM activities WHERE file_id = $1 \
     ORDER BY reported_at DESC, id DESC LIMIT $2";
const REMOVE_ACTIVITIES: &str = "DELETE FROM activities WHERE file_id = $1";

const POINTED_TO: &str = "SELECT EXISTS (SELECT 1 FROM files WHERE content_id = $1) \
     OR EXISTS (SELECT 1 FROM files WHERE pending_content_id = $1) \
     OR EXISTS (SELECT 1 FROM versions WHERE content_id = $1) \
     OR EXISTS (SELECT 1 FROM streams WHERE content_id = $1) \
     OR EXISTS (SELECT 1 FROM upload_pieces WHERE content_id = $1) \
     OR EXISTS (SELECT 1 FROM composed WHERE piece_id = $1) \
     OR EXISTS (SELECT 1 FROM rescued WHERE content_id = $1)";

pub(crate) fn version(fields: &mut Fields<'_>) -> fields::Result<VersionEntry> {
    Ok(VersionEntry {
        file: fields.parsed()?,
        version: ItemVersion(fields.count()?),
        content: fields.content()?,
        label: fields.maybe()?,
        keep: fields.yes()?,
    })
}

pub(crate) fn rescued_save(fields: &mut Fields<'_>) -> fields::Result<RescuedSave> {
    Ok(RescuedSave {
        content: ContentId(fields.bytes()?),
        file: fields.parsed()?,
        file_name: fields.parsed()?,
        user: fields.parsed()?,
        client: fields.maybe()?,
        size: fields.count()?,
        sha256: fields.bytes()?,
        reason: fields.parsed()?,
        at: fields.at()?,
    })
}

pub(crate) fn activity(fields: &mut Fields<'_>) -> fields::Result<Activity> {
    Ok(Activity { file: fields.parsed()?, by: fields.parsed()?, at: fields.at()?, json: fields.parsed()? })
}

fn write_version(connection: &Connection, sql: &'static str, entry: &VersionEntry) -> Result<usize, Error> {
    Ok(prepared(connection, sql)?.execute(params_from_iter(version_values(entry)))?)
}

/// The values of all columns, those of the key last.
pub(crate) fn version_values(entry: &VersionEntry) -> [Value<'_>; 11] {
    let VersionEntry { file, version, content, label, keep } = entry;
    values![
        content.id.0.as_slice(),
        content.size.cast_signed(),
        content.sha256.as_ref().map(<[u8; 32]>::as_slice),
        content.modified_at.0,
        content.saved_by.as_ref().map(UserId::as_str),
        editors_text(&content.editors),
        content.autosave,
        label.as_deref(),
        *keep,
        file.as_str(),
        version.0.cast_signed(),
    ]
}

pub(crate) fn add_version(connection: &Connection, entry: &VersionEntry) -> Result<(), Error> {
    if write_version(connection, ADD_VERSION, entry)? == 0 { Err(Error::Conflict) } else { Ok(()) }
}

pub(crate) fn amend_version(connection: &Connection, entry: &VersionEntry) -> Result<(), Error> {
    if write_version(connection, AMEND_VERSION, entry)? == 0 { Err(Error::NotFound) } else { Ok(()) }
}

pub(crate) fn versions(connection: &Connection, file: &FileId) -> Result<Vec<VersionEntry>, Error> {
    Ok(prepared(connection, VERSIONS)?.query_map([file.as_str()], row(version))?.collect::<Result<_, _>>()?)
}

pub(crate) fn remove_versions(connection: &Connection, file: &FileId, versions: &[ItemVersion]) -> Result<(), Error> {
    let mut statement = prepared(connection, REMOVE_VERSION)?;
    for version in versions {
        statement.execute(params![file.as_str(), version.0.cast_signed()])?;
    }
    Ok(())
}

/// Forgets what hangs on a file.
pub(crate) fn remove_all_versions(connection: &Connection, file: &FileId) -> Result<(), Error> {
    prepared(connection, REMOVE_VERSIONS)?.execute([file.as_str()])?;
    prepared(connection, REMOVE_ACTIVITIES)?.execute([file.as_str()])?;
    Ok(())
}

pub(crate) fn files_with_versions(
    connection: &Connection,
    after: Option<&FileId>,
    limit: usize,
) -> Result<Vec<FileId>, Error> {
    // No id is empty, so the empty text comes before all of them.
    let after = after.map_or("", FileId::as_str);
    let mut statement = prepared(connection, FILES_WITH_VERSIONS)?;
    let files = statement.query_map(params![after, sql_limit(limit)], row(fields::parsed))?;
    Ok(files.collect::<Result<_, _>>()?)
}

pub(crate) fn add_rescued(connection: &Connection, save: &RescuedSave) -> Result<(), Error> {
    let added = prepared(connection, ADD_RESCUED)?.execute(params_from_iter(rescued_values(save)))?;
    if added == 0 { Err(Error::Conflict) } else { Ok(()) }
}

/// The values of all columns.
pub(crate) fn rescued_values(save: &RescuedSave) -> [Value<'_>; 9] {
    let RescuedSave { content, file, file_name, user, client, size, sha256, reason, at } = save;
    values![
        content.0.as_slice(),
        file.as_str(),
        file_name.as_str(),
        user.as_str(),
        client.as_deref(),
        size.cast_signed(),
        sha256.as_slice(),
        reason,
        at.0,
    ]
}

pub(crate) fn rescued(connection: &Connection, user: Option<&UserId>) -> Result<Vec<RescuedSave>, Error> {
    let saves = match user {
        Some(user) => {
            prepared(connection, RESCUED_OF)?.query_map([user.as_str()], row(rescued_save))?.collect::<Result<_, _>>()
        }
        None => prepared(connection, RESCUED)?.query_map([], row(rescued_save))?.collect::<Result<_, _>>(),
    };
    Ok(saves?)
}

pub(crate) fn remove_rescued(connection: &Connection, contents: &[ContentId]) -> Result<(), Error> {
    let mut statement = prepared(connection, REMOVE_RESCUED)?;
    for content in contents {
        statement.execute([content.0.as_slice()])?;
    }
    Ok(())
}

pub(crate) fn add_activities(connection: &Connection, activities: &[Activity]) -> Result<(), Error> {
    let mut statement = prepared(connection, ADD_ACTIVITY)?;
    for Activity { file, by, at, json } in activities {
        statement.execute(params![file.as_str(), by.as_str(), at.0, json])?;
    }
    Ok(())
}

pub(crate) fn activities(connection: &Connection, file: &FileId, limit: usize) -> Result<Vec<Activity>, Error> {
    let mut statement = prepared(connection, ACTIVITIES)?;
    let activities = statement.query_map(params![file.as_str(), sql_limit(limit)], row(activity))?;
    Ok(activities.collect::<Result<_, _>>()?)
}

pub(crate) fn unreferenced(connection: &Connection, contents: &[ContentId]) -> Result<Vec<ContentId>, Error> {
    let mut statement = prepared(connection, POINTED_TO)?;
    let mut unreferenced = Vec::new();
    for content in contents {
        let pointed_to: bool = statement.query_row([content.0.as_slice()], |row| row.get(0))?;
        if !pointed_to {
            unreferenced.push(*content);
        }
    }
    Ok(unreferenced)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{open_writer, plan};

    #[test]
    fn no_statement_reads_a_whole_table() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_writer(&folder.path().join("lectern.db")).unwrap();
        for sql in
            [AMEND_VERSION, VERSIONS, REMOVE_VERSION, REMOVE_VERSIONS, FILES_WITH_VERSIONS, REMOVE_RESCUED, POINTED_TO]
        {
            let plan = plan(&connection, sql).replace("SCAN CONSTANT ROW", "");
            assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
        }
    }
}
