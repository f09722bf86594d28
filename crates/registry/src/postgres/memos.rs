//! The statements for memos, for refused requests, and for how much there is.

use lectern_host::ports::{Memo, Usage};
use lectern_host::records::{RefusedRequest, Revision, Timestamp};

use super::answers::{all, changed, first};
use super::pool::Pool;
use crate::error::Error;
use crate::fields;
use crate::memos::{KEEP_REFUSALS, MEMO, PRUNE, PUT_NEW, PUT_OVER, REFUSALS, REMOVE, read_memo, refusal};
use crate::names::limit;
use crate::usage::{USAGE, read_usage};
use crate::values::values;

const ADD_REFUSALS: &str = "INSERT INTO refusals \
     (refused_at, node, status, operation, because, url, correlation_id, request_id) \
     SELECT r.refused_at, r.node, r.status, r.operation, r.because, r.url, r.correlation_id, r.request_id \
     FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[]) \
     WITH ORDINALITY r (refused_at, node, status, operation, because, url, correlation_id, request_id, place) \
     ORDER BY r.place";

#[cfg(test)]
pub(crate) const HOT: &[&str] = &[MEMO, PUT_NEW, PUT_OVER, REMOVE, PRUNE, REFUSALS];

pub(crate) async fn memo(pool: &Pool, name: &str, now: Timestamp) -> Result<Option<Memo>, Error> {
    match first(&pool.read(MEMO, &values![name, now.0]).await?, read_memo) {
        Ok(memo) => Ok(Some(memo)),
        Err(Error::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Not repeated when nobody knows whether it was done: two nodes may want to put the same, and one of them has to lose.
pub(crate) async fn put(
    pool: &Pool,
    name: &str,
    seen: Option<Revision>,
    value: &[u8],
    until: Timestamp,
    now: Timestamp,
) -> Result<Revision, Error> {
    let answer = match seen {
        None => pool.write(PUT_NEW, &values![name, value, until.0, now.0]).await?,
        Some(Revision(seen)) => pool.write(PUT_OVER, &values![value, until.0, name, seen.cast_signed(), now.0]).await?,
    };
    match first(&answer, fields::count) {
        Err(Error::NotFound) => Err(Error::Conflict),
        revision => revision.map(Revision),
    }
}

/// Nor is this: of two that take it away exactly one does.
pub(crate) async fn remove(pool: &Pool, name: &str, seen: Revision, now: Timestamp) -> Result<(), Error> {
    let nothing: &[u8] = &[];
    let values = values![nothing, now.0, name, seen.0.cast_signed()];
    changed(&pool.write(REMOVE, &values).await?, Error::Conflict)
}

pub(crate) async fn prune(pool: &Pool, before: Timestamp) -> Result<u64, Error> {
    Ok(pool.write_again(PRUNE, &values![before.0]).await?.changed)
}

pub(crate) async fn add_refusals(pool: &Pool, refused: &[RefusedRequest], kept_max: usize) -> Result<(), Error> {
    macro_rules! each {
        ($($field:ident),+) => {
            ($(refused.iter().map(|request| request.$field.as_str()).collect::<Vec<&str>>()),+)
        };
    }
    let times: Vec<i64> = refused.iter().map(|request| request.at.0).collect();
    let statuses: Vec<i64> = refused.iter().map(|request| request.status.into()).collect();
    let (nodes, operations, causes, urls, correlations, ids) =
        each!(node, operation, because, url, correlation_id, request_id);
    let values = values![times, nodes, statuses, operations, causes, urls, correlations, ids];
    pool.write(ADD_REFUSALS, &values).await?;
    pool.write_again(KEEP_REFUSALS, &values![limit(kept_max)]).await?;
    Ok(())
}

pub(crate) async fn refusals(pool: &Pool, at_most: usize) -> Result<Vec<RefusedRequest>, Error> {
    all(&pool.read(REFUSALS, &values![limit(at_most)]).await?, refusal)
}

pub(crate) async fn usage(pool: &Pool) -> Result<Usage, Error> {
    first(&pool.read(USAGE, &[]).await?, read_usage)
}
