//! Coauth locks as one column: they belong to their file's row, so that a commit of a lock stays one statement.

use lectern_host::records::{CoauthLock, CoauthTable, Timestamp};
use lectern_host::wopi::UserId;
use lectern_host::wopi::coauth::{CoauthLockId, CoauthLockMetadata, CoauthLockType};
use serde_json::{Value, json};

/// The table as the column has it.
pub(crate) fn text(table: &CoauthTable) -> String {
    let lock = |lock: &CoauthLock| {
        json!({
            "id": lock.id.as_str(),
            "type": lock.kind.as_str(),
            "metadata": lock.metadata.as_str(),
            "expires_at": lock.expires_at.0,
            "since": lock.since.0,
            "by": lock.by.as_str(),
            "user_name": lock.user_name,
        })
    };
    Value::from(table.locks().iter().map(lock).collect::<Vec<_>>()).to_string()
}

/// The table that the column holds, unless it holds something that we never wrote.
pub(crate) fn table(text: &str) -> Option<CoauthTable> {
    let Value::Array(locks) = serde_json::from_str(text).ok()? else { return None };
    CoauthTable::new(locks.iter().map(lock).collect::<Option<_>>()?)
}

fn lock(value: &Value) -> Option<CoauthLock> {
    let text = |member: &str| value.get(member)?.as_str();
    let at = |member: &str| Some(Timestamp(value.get(member)?.as_i64()?));
    Some(CoauthLock {
        id: CoauthLockId::parse(text("id")?)?,
        kind: CoauthLockType::parse(text("type")?)?,
        metadata: CoauthLockMetadata::new(text("metadata")?)?,
        expires_at: at("expires_at")?,
        since: at("since")?,
        by: UserId::parse(text("by")?)?,
        user_name: text("user_name")?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_never_wrote_is_no_table() {
        let whole = r#"[{"id":"C1","type":"Coauth","metadata":"","expires_at":2,"since":1,"by":"u","user_name":"A"}]"#;
        assert_eq!(text(&table(whole).unwrap()).len(), whole.len());
        for bad in [
            "",
            "[]",
            "{}",
            "[1]",
            &whole.replace("Coauth", "None"),
            &whole.replace("C1", ""),
            &whole.replace(":2", ":2.5"),
            &whole.replace("user_name", "name"),
            &format!("{},{}", &whole[..whole.len() - 1], &whole[1..]),
        ] {
            assert_eq!(table(bad), None, "{bad}");
        }
    }
}
