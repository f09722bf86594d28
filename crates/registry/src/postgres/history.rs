//! The statements for versions, for rescued saves, and for what still points to a content.

use lectern_host::records::{Activity, ContentId, RescuedSave, Timestamp, VersionEntry};
use lectern_host::wopi::{FileId, ItemVersion, UserId};

use super::answers::{all, changed, condemned};
use super::pool::Pool;
use crate::composed::content_id;
use crate::condemned::PRUNE as PRUNE_CONDEMNED;
use crate::error::Error;
use crate::fields;
use crate::history::{
    ACTIVITIES, ADD_RESCUED, AMEND_VERSION, FILES_WITH_VERSIONS, RESCUED, RESCUED_OF, VERSIONS, activity, rescued_save,
    rescued_values, version, version_values,
};
use crate::names::limit as sql_limit;
use crate::values::values;

const REMOVE_VERSIONS: &str = "DELETE FROM versions WHERE file_id = $1 AND version = ANY ($2::bigint[])";
const REMOVE_RESCUED: &str = "DELETE FROM rescued WHERE content_id = ANY ($1::bytea[])";
const ADD_ACTIVITIES: &str = "INSERT INTO activities (file_id, user_id, reported_at, activity) \
     SELECT a.* FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[]) a";

const UNREFERENCED: &str = "SELECT c.id FROM unnest($1::bytea[]) WITH ORDINALITY c (id, place) \
     WHERE NOT EXISTS (SELECT 1 FROM files WHERE content_id = c.id) \
     AND NOT EXISTS (SELECT 1 FROM files WHERE pending_content_id = c.id) \
     AND NOT EXISTS (SELECT 1 FROM versions WHERE content_id = c.id) \
     AND NOT EXISTS (SELECT 1 FROM streams WHERE content_id = c.id) \
     AND NOT EXISTS (SELECT 1 FROM upload_pieces WHERE content_id = c.id) \
     AND NOT EXISTS (SELECT 1 FROM composed WHERE piece_id = c.id) \
     AND NOT EXISTS (SELECT 1 FROM rescued WHERE content_id = c.id) ORDER BY c.place";

/// The database has a function for it (`migrations/postgres`): it has to look after it has waited.
const CONDEMN: &str = "SELECT * FROM condemn($1, $2)";

/// Contents that are condemned at once: saves wait behind it.
const CONDEMNED_AT_ONCE_MAX: usize = 500;

#[cfg(test)]
pub(crate) const HOT: &[&str] = &[
    VERSIONS,
    AMEND_VERSION,
    REMOVE_VERSIONS,
    FILES_WITH_VERSIONS,
    RESCUED_OF,
    REMOVE_RESCUED,
    ACTIVITIES,
    UNREFERENCED,
];

pub(crate) async fn versions(pool: &Pool, file: &FileId) -> Result<Vec<VersionEntry>, Error> {
    all(&pool.read(VERSIONS, &values![file.as_str()]).await?, version)
}

pub(crate) async fn amend_version(pool: &Pool, entry: &VersionEntry) -> Result<(), Error> {
    changed(&pool.write(AMEND_VERSION, &version_values(entry)).await?, Error::NotFound)
}

pub(crate) async fn remove_versions(pool: &Pool, file: &FileId, versions: &[ItemVersion]) -> Result<(), Error> {
    let versions: Vec<i64> = versions.iter().map(|version| version.0.cast_signed()).collect();
    pool.write_again(REMOVE_VERSIONS, &values![file.as_str(), versions]).await?;
    Ok(())
}

pub(crate) async fn files_with_versions(
    pool: &Pool,
    after: Option<&FileId>,
    limit: usize,
) -> Result<Vec<FileId>, Error> {
    // No id is empty, so the empty text comes before all of them.
    let after = after.map_or("", FileId::as_str);
    all(&pool.read(FILES_WITH_VERSIONS, &values![after, sql_limit(limit)]).await?, fields::parsed)
}

pub(crate) async fn add_rescued(pool: &Pool, save: &RescuedSave) -> Result<(), Error> {
    let added = pool.write(ADD_RESCUED, &rescued_values(save)).await.map_err(condemned)?;
    changed(&added, Error::Conflict)
}

pub(crate) async fn rescued(pool: &Pool, user: Option<&UserId>) -> Result<Vec<RescuedSave>, Error> {
    let answer = match user {
        Some(user) => pool.read(RESCUED_OF, &values![user.as_str()]).await?,
        None => pool.read(RESCUED, &[]).await?,
    };
    all(&answer, rescued_save)
}

fn slices(contents: &[ContentId]) -> Vec<&[u8]> {
    contents.iter().map(|content| content.0.as_slice()).collect()
}

pub(crate) async fn remove_rescued(pool: &Pool, contents: &[ContentId]) -> Result<(), Error> {
    pool.write_again(REMOVE_RESCUED, &values![slices(contents)]).await?;
    Ok(())
}

pub(crate) async fn add_activities(pool: &Pool, activities: &[Activity]) -> Result<(), Error> {
    let files: Vec<_> = activities.iter().map(|activity| activity.file.as_str()).collect();
    let people: Vec<_> = activities.iter().map(|activity| activity.by.as_str()).collect();
    let times: Vec<_> = activities.iter().map(|activity| activity.at.0).collect();
    let texts: Vec<_> = activities.iter().map(|activity| activity.json.as_str()).collect();
    pool.write(ADD_ACTIVITIES, &values![files, people, times, texts]).await?;
    Ok(())
}

pub(crate) async fn activities(pool: &Pool, file: &FileId, limit: usize) -> Result<Vec<Activity>, Error> {
    all(&pool.read(ACTIVITIES, &values![file.as_str(), sql_limit(limit)]).await?, activity)
}

pub(crate) async fn unreferenced(pool: &Pool, contents: &[ContentId]) -> Result<Vec<ContentId>, Error> {
    all(&pool.read(UNREFERENCED, &values![slices(contents)]).await?, content_id)
}

/// Condemned in parts, each whole. Who asks again gets the same again, so a part whose answer was lost may be repeated.
pub(crate) async fn condemn(pool: &Pool, contents: &[ContentId], at: Timestamp) -> Result<Vec<ContentId>, Error> {
    let mut condemned = Vec::new();
    for some in contents.chunks(CONDEMNED_AT_ONCE_MAX) {
        let answer = pool.write_again(CONDEMN, &values![slices(some), at.0]).await?;
        condemned.extend(all(&answer, content_id)?);
    }
    Ok(condemned)
}

pub(crate) async fn prune_condemned(pool: &Pool, before: Timestamp) -> Result<u64, Error> {
    Ok(pool.write_again(PRUNE_CONDEMNED, &values![before.0]).await?.changed)
}
