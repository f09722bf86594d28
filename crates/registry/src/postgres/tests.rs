//! What only the inside can show: how statements are carried out.

use lectern_conformance::servers::Postgres;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use super::pool::greeting;
use super::{PostgresRegistry, PostgresSettings};

/// Rows of everything, so many that nobody reads a table from end to end who need not.
const FILLED: &str = "
    INSERT INTO containers (id, parent_id, name, revision, created_at)
        SELECT 'c' || n, r.id, 'c' || n, 1, n FROM generate_series(1, 2000) n, (SELECT id FROM containers) r;
    INSERT INTO names (container_id, name, kind, id, sort_key, extension, folded)
        SELECT parent_id, name, 'container', id, name, '', name FROM containers WHERE parent_id IS NOT NULL;
    INSERT INTO files (id, container_id, name, revision, owner_id, created_at, version, content_id, content_size,
        modified_at_100ns, editors, autosave, keep, stamps, seen_inode, deleted_at, pending, pending_content_id)
        SELECT 'f' || n, 'c' || (n % 20 + 1), 'f' || n, 1, 'o', n, 1, decode(md5('f' || n), 'hex'), n, n, '[]', 0, 0, '', n,
            CASE WHEN n % 4 = 0 THEN n END, CASE WHEN n % 100 = 0 THEN 'publish' END,
            CASE WHEN n % 100 = 0 THEN decode(md5('p' || n), 'hex') END
        FROM generate_series(1, 20000) n;
    INSERT INTO names (container_id, name, kind, id, sort_key, extension, folded)
        SELECT container_id, name, 'file', id, name, 'docx', name FROM files WHERE deleted_at IS NULL;
    INSERT INTO versions (file_id, version, content_id, content_size, modified_at_100ns, editors, autosave, keep)
        SELECT 'f' || n, v, decode(md5(v || 'v' || n), 'hex'), n, n, '[]', 0, 0
        FROM generate_series(1, 4000) n, generate_series(1, 5) v;
    INSERT INTO rescued (content_id, file_id, file_name, user_id, size, sha256, reason, rescued_at)
        SELECT decode(md5('r' || n), 'hex'), 'f', 'n', 'u' || n % 100, n, '', '', n FROM generate_series(1, 5000) n;
    INSERT INTO activities (file_id, user_id, reported_at, activity)
        SELECT 'f' || n % 1000, 'u', n, '{}' FROM generate_series(1, 20000) n;
    INSERT INTO users (id, name, name_key, display_name, role, disabled, revision, created_at)
        SELECT 'u' || n, 'u' || n, 'u' || n, 'u', 'member', 0, 1, n FROM generate_series(1, 5000) n;
    INSERT INTO sessions (id, user_id, label, created_at, expires_at)
        SELECT 's' || n, 'u' || n % 5000, '', n, n FROM generate_series(1, 20000) n;
    INSERT INTO discovery (client, url, xml, fetched_at)
        SELECT 'd' || n, '', '', n FROM generate_series(1, 1000) n;
    INSERT INTO parts (file_id, version) SELECT 'f' || n, 1 FROM generate_series(1, 5000) n;
    INSERT INTO streams (file_id, stream_id, content_id, scheme, signature, updated_at)
        SELECT 'f' || n, 's', decode(md5('s' || n), 'hex'), 'Zip', '', n FROM generate_series(1, 5000) n;
    INSERT INTO properties (file_id, name, value, retention, updated_at)
        SELECT 'f' || n, 'p', '', 'keep', n FROM generate_series(1, 5000) n;
    INSERT INTO uploads (id, file_id, user_id, received, updated_at)
        SELECT 'l' || n, 'f', 'u' || n % 100, 9, n FROM generate_series(1, 5000) n;
    INSERT INTO upload_pieces (upload_id, start, size, content_id)
        SELECT 'l' || n, 0, 9, decode(md5('l' || n), 'hex') FROM generate_series(1, 5000) n;
    INSERT INTO composed (content_id, start, size, piece_id, piece_offset)
        SELECT decode(md5('x' || n), 'hex'), 9 * p, 9, decode(md5('y' || n), 'hex'), p
        FROM generate_series(1, 3000) n, generate_series(0, 3) p;
    INSERT INTO user_groups (id, name, name_key, revision, created_at)
        SELECT 'g' || n, 'g' || n, 'g' || n, 1, n FROM generate_series(1, 1000) n;
    INSERT INTO members (group_id, user_id)
        SELECT 'g' || g, 'u' || g * 10 + n FROM generate_series(1, 1000) g, generate_series(1, 5) n;
    INSERT INTO grants (item_kind, item_id, principal_kind, principal_id, access, granted_by, granted_at)
        SELECT 'file', 'f' || n, 'user', 'u' || n % 5000, 'view', 'u', n FROM generate_series(1, 20000) n;
    INSERT INTO links (id, item_kind, item_id, access, secret, label, made_by, created_at)
        SELECT 'k' || n, 'file', 'f' || n, 'view', decode(md5('k' || n), 'hex'), '', 'u', n FROM generate_series(1, 5000) n;
    INSERT INTO bin (id, item_kind, item_id, name, container_id, deleted_by, deleted_at)
        SELECT 'b' || n, 'file', 'f' || n, 'n', 'c', 'u', n FROM generate_series(1, 5000) n;
    INSERT INTO bin_containers (bin_id, number, container_id, name, created_at)
        SELECT 'b' || n, 0, 'c' || n, 'n', n FROM generate_series(1, 5000) n;
    INSERT INTO memos (name, value, revision, until) SELECT 'm' || n, '', 1, n FROM generate_series(1, 5000) n;
    INSERT INTO refusals (refused_at, node, status, operation, because, url, correlation_id, request_id)
        SELECT n, '', 409, '', '', '', '', '' FROM generate_series(1, 5000) n;
    INSERT INTO condemned (content_id, condemned_at)
        SELECT decode(md5('z' || n), 'hex'), n FROM generate_series(1, 5000) n;
    ANALYZE;
";

/// The plan that is made once for all values, as our connections have it.
async fn plan(client: &Client, sql: &str) -> String {
    client.batch_execute(&format!("DEALLOCATE ALL; PREPARE p AS {sql}")).await.unwrap_or_else(|error| {
        panic!("{sql}: {error:?}");
    });
    let parameters = (1..).take_while(|number| sql.contains(&format!("${number}"))).map(|_| "NULL");
    let parameters: Vec<_> = parameters.collect();
    let execute = match parameters.as_slice() {
        [] => "p".to_owned(),
        some => format!("p ({})", some.join(", ")),
    };
    let rows = client.simple_query(&format!("EXPLAIN (COSTS off) EXECUTE {execute}")).await.unwrap();
    let lines = rows.iter().filter_map(|row| match row {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    lines.map(|line| format!("{line}\n")).collect()
}

/// Scans of a table or an index that look at all of it: an index without a condition, but for those that only hold the few
/// rows that are wanted, or that are left after the limit.
fn whole_scans(plan: &str) -> Vec<String> {
    let lines: Vec<&str> = plan.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let text = line.trim_start_matches([' ', '-', '>']);
        let indent = line.len() - text.len();
        let next = lines.get(at + 1).map(|next| next.trim_start());
        let is_narrowed = next.is_some_and(|next| next.starts_with("Index Cond") || next.starts_with("Recheck Cond"));
        let is_walked_to_a_limit = at > 0
            && lines[..at].iter().any(|before| {
                let above = before.trim_start_matches([' ', '-', '>']);
                above.starts_with("Limit") && before.len() - above.len() < indent
            });
        let is_small = text.contains("files_pending") || text.contains("containers_root");
        let is_index =
            text.starts_with("Index Scan") || text.starts_with("Index Only Scan") || text.starts_with("Bitmap Index");
        if text.starts_with("Seq Scan") || is_index && !is_narrowed && !is_walked_to_a_limit && !is_small {
            found.push(text.to_owned());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn no_hot_statement_reads_a_whole_table() {
    let Some(server) = Postgres::start() else { return };
    let url = server.database();
    let settings = PostgresSettings::new(&url);
    PostgresRegistry::open(settings.clone()).await.unwrap().close();
    server.execute(url.rsplit_once('/').unwrap().1, FILLED);
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(&greeting(&settings)).await.unwrap();
    let hot = [
        super::files::HOT,
        super::visits::HOT,
        super::containers::HOT,
        super::history::HOT,
        super::parts::HOT,
        super::uploads::HOT,
        super::people::HOT,
        super::sharing::HOT,
        super::listing::HOT,
        super::bin::HOT,
        super::memos::HOT,
    ];
    let mut complaints = String::new();
    for sql in hot.into_iter().flatten() {
        let plan = plan(&client, sql).await;
        if !whole_scans(&plan).is_empty() {
            complaints += &format!("{sql}\n{plan}{:?}\n\n", whole_scans(&plan));
        }
    }
    assert!(complaints.is_empty(), "{complaints}");
    for sql in super::listing::BY_NAMES {
        let plan = plan(&client, sql).await;
        assert!(!plan.contains("Sort"), "a page by name comes from the index as it is: {sql}\n{plan}");
    }
    // The test would notice.
    assert_eq!(whole_scans(&plan(&client, "SELECT count(*) FROM files WHERE name = $1").await).len(), 1);
    assert_eq!(whole_scans(&plan(&client, "SELECT id FROM users ORDER BY id").await).len(), 1);
}
