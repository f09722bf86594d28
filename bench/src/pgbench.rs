//! What the database alone can do: `pgbench` with statements that look at and change the same rows as a request does.
//!
//! Each of a script's statements is a transaction of its own, prepared once, as ours are, on connections that are set as
//! ours are. What they lack is what makes ours ours: no revision that has to be the one that was read, no stamp by which a
//! commit knows itself again, no rows turned into records. The rows are as many and as wide, and change the same indexes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use xtask::tools;

/// How our connections are set (`crates/registry`, `pool`): plans are made once, and none reads a whole table.
const SETTINGS: &str = "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off \
     -c enable_mergejoin=off -c random_page_cost=1.1 -c jit=off";

/// A table of the benchmark's own: where a database that does everything alone keeps contents.
const BODIES: &str = "bench_bodies";
/// What contents there consist of, as two hexadecimal digits.
const BODY_BYTE: &str = "61";
/// The id of a new content, made of the number that a script has chosen.
const NEW_CONTENT: &str = "int8send(:c) || int8send(1)";

/// The client of PostgreSQL's own benchmark, and a database.
pub(crate) struct Pgbench {
    program: PathBuf,
    url: String,
    /// Where its scripts are.
    folder: PathBuf,
}

impl Pgbench {
    /// What is missing here: the name of a program.
    pub(crate) fn missing() -> Option<&'static str> {
        ["initdb", "pgbench", "psql"].into_iter().find(|program| tools::which(program).is_none())
    }

    /// For the database at this URL.
    pub(crate) fn new(url: &str, folder: &Path) -> anyhow::Result<Self> {
        let program = tools::which("pgbench").context("there is no pgbench")?;
        Ok(Self { program, url: url.to_owned(), folder: folder.to_owned() })
    }

    /// Makes the table for contents. It keeps them as they are: to look for repetitions would only take time.
    pub(crate) fn make_bodies(&self) -> anyhow::Result<()> {
        self.ask(&format!(
            "CREATE TABLE {BODIES} (content_id BYTEA PRIMARY KEY, body BYTEA NOT NULL); \
             ALTER TABLE {BODIES} ALTER body SET STORAGE EXTERNAL"
        ))?;
        Ok(())
    }

    /// The one value that a statement gives.
    pub(crate) fn ask(&self, sql: &str) -> anyhow::Result<String> {
        let psql = tools::which("psql").context("there is no psql")?;
        let arguments = ["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--command", sql, &self.url];
        Ok(tools::output(Command::new(psql).args(arguments))?.trim().to_owned())
    }

    /// A script for [`Self::per_second`].
    pub(crate) fn script(&self, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        let path = self.folder.join(format!("{name}.sql"));
        std::fs::write(&path, text)?;
        Ok(path)
    }

    /// How often in a second so many clients together run a script to its end, after a second that is not counted.
    pub(crate) fn per_second(&self, script: &Path, clients: usize, length: Duration) -> anyhow::Result<f64> {
        let jobs = std::thread::available_parallelism()?.get().min(clients);
        // It tells of whole seconds; what it tells of the last one may be missing.
        let seconds = length.as_secs().max(1);
        let output = Command::new(&self.program)
            .args(["--no-vacuum", "--protocol=prepared", "--progress=1"])
            .arg(format!("--time={}", seconds + 2))
            .arg(format!("--client={clients}"))
            .arg(format!("--jobs={jobs}"))
            .arg("--file")
            .arg(script)
            .arg(&self.url)
            .env("PGOPTIONS", SETTINGS)
            .stdin(Stdio::null())
            .output()?;
        let told = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "pgbench ended with {}: {}", output.status, told.trim());
        rate_in(&told, usize::try_from(seconds)?).with_context(|| format!("pgbench told no rates: {}", told.trim()))
    }

    /// The same for a script that puts contents into that table. It is looked at whether they are there; then they go.
    pub(crate) fn per_second_with_bodies(
        &self,
        script: &Path,
        bytes: usize,
        clients: usize,
        length: Duration,
    ) -> anyhow::Result<f64> {
        let rate = self.per_second(script, clients, length)?;
        let short = self.ask(&format!("SELECT count(*) FROM {BODIES} WHERE octet_length(body) <> {bytes}"))?;
        let there = self.ask(&format!("SELECT count(*) FROM {BODIES}"))?.parse::<f64>()?;
        ensure!(short == "0" && there >= rate, "the database keeps {there} contents, {short} of another size");
        self.ask(&format!("TRUNCATE {BODIES}"))?;
        Ok(rate)
    }
}

/// The mean of so many rates that were told, without the first one.
fn rate_in(told: &str, count: usize) -> Option<f64> {
    let rate = |line: &str| {
        let (_, behind_time) = line.strip_prefix("progress: ")?.split_once(" s, ")?;
        behind_time.split_once(" tps")?.0.parse::<f64>().ok()
    };
    let rates: Vec<f64> = told.lines().filter_map(rate).skip(1).take(count).collect();
    (rates.len() == count).then(|| rates.iter().sum::<f64>() / count as f64)
}

/// Files and sessions that a script is about, as `psql` shows lists, and which of the files a client takes.
pub(crate) struct Rows {
    pub(crate) files: String,
    pub(crate) sessions: String,
    /// How many files.
    pub(crate) count: usize,
    /// Whether every client has a file of its own, as every connection of ours has. Otherwise any of them.
    pub(crate) own: bool,
}

impl Rows {
    /// Which file: this stands at the beginning of each script.
    fn choice(&self) -> String {
        if self.own { "\\set n :client_id + 1\n".to_owned() } else { format!("\\set n random(1, {})\n", self.count) }
    }

    fn file(&self) -> String {
        format!("('{}'::text[])[:n]", self.files)
    }

    /// What every request looks at: the session, its user, the file and the containers that it is in.
    fn look(&self) -> String {
        let (file, sessions) = (self.file(), &self.sessions);
        format!(
            "SELECT s.*, u.*, f.*, ARRAY (WITH RECURSIVE above AS (\
             SELECT c.*, 1 AS depth FROM containers c WHERE c.id = f.container_id \
             UNION ALL SELECT c.*, a.depth + 1 FROM above a JOIN containers c ON c.id = a.parent_id) \
             SELECT a::text FROM above a) \
             FROM sessions s JOIN users u ON u.id = s.user_id JOIN files f ON f.id = {file} \
             WHERE s.id = ('{sessions}'::text[])[:n];\n"
        )
    }

    /// CheckFileInfo.
    pub(crate) fn seen(&self) -> String {
        format!("{}{}", self.choice(), self.look())
    }

    /// Lock and Unlock: two requests.
    pub(crate) fn locked_and_unlocked(&self) -> String {
        let (look, file) = (self.look(), self.file());
        let change = |held: &str| format!("UPDATE files SET revision = revision + 1, {held} WHERE id = {file};\n");
        let locked = change(
            "lock_id = '{\"S\":\"5a8f1d0e-7a0c-4d64-9df2-5a1c0f6f1f5e\",\"F\":4}', lock_expires_at = 1800000000000, \
             lock_since = 1700000000000, lock_by = 'alice'",
        );
        let unlocked = change("lock_id = NULL, lock_expires_at = NULL, lock_since = NULL, lock_by = NULL");
        format!("{}{look}{locked}{look}{unlocked}", self.choice())
    }

    /// PutFile without its bytes: the file has another content, and the one before is a version.
    pub(crate) fn saved_without_bytes(&self, bytes: usize) -> String {
        self.saving(bytes, "")
    }

    /// PutFile as a database does it alone: the same, and the bytes stay in a row of [`BODIES`], in the same statement.
    ///
    /// They are a constant of the statement, which is prepared once. So they neither cross a socket each time nor are they
    /// hashed, both of which a save of ours has to do.
    pub(crate) fn saved(&self, bytes: usize) -> String {
        let body = format!("decode(repeat('{BODY_BYTE}', {bytes}), 'hex')");
        self.saving(bytes, &format!(", kept AS (INSERT INTO {BODIES} SELECT {NEW_CONTENT}, {body} FROM done)"))
    }

    fn saving(&self, bytes: usize, kept: &str) -> String {
        let (choice, look, file) = (self.choice(), self.look(), self.file());
        let old = "int8send(:c) || int8send(2)";
        let sha256 = "int8send(:c) || int8send(3) || int8send(:c) || int8send(4)";
        format!(
            "\\set c random(1, 9000000000000000000)\n{choice}{look}\
             WITH done AS (UPDATE files SET revision = revision + 1, version = version + 1, content_id = {NEW_CONTENT}, \
             content_size = {bytes}, content_sha256 = {sha256}, modified_at_100ns = modified_at_100ns + 1, \
             saved_by = 'alice' WHERE id = {file} RETURNING id, version){kept} \
             INSERT INTO versions (file_id, version, content_id, content_size, content_sha256, modified_at_100ns, \
             saved_by, editors, autosave, keep) \
             SELECT id, version - 1, {old}, {bytes}, {sha256}, 1, 'alice', '[]', 0, 0 FROM done;\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_second_is_not_counted_and_all_others_are_needed() {
        let told = "pgbench (15.1)\nprogress: 1.0 s, 10.0 tps, lat 2.0 ms stddev 1.0, 0 failed\n\
             progress: 2.0 s, 200.5 tps, lat 2.0 ms\nprogress: 3.0 s, 100.5 tps, lat 2.0 ms\nprogress: 4.0 s, 9.0 tps, x\n";
        assert_eq!(rate_in(told, 2), Some(150.5));
        assert_eq!(rate_in(told, 4), None);
        assert_eq!(rate_in("progress: x", 1), None);
    }

    #[test]
    fn a_client_has_a_file_of_its_own_or_takes_any() {
        let rows = |own| Rows { files: "{a,b}".to_owned(), sessions: "{s,t}".to_owned(), count: 2, own };
        assert!(rows(true).seen().starts_with("\\set n :client_id + 1\nSELECT "));
        assert!(rows(false).seen().starts_with("\\set n random(1, 2)\nSELECT "));
        assert_eq!(rows(true).locked_and_unlocked().matches("UPDATE").count(), 2);
        // A statement for each line but those that begin with a backslash.
        for script in [
            rows(true).seen(),
            rows(true).locked_and_unlocked(),
            rows(false).saved(5),
            rows(true).saved_without_bytes(5),
        ] {
            assert_eq!(script.contains("bench_bodies"), script == rows(false).saved(5));
            assert!(script.lines().all(|line| line.starts_with("\\set") || line.ends_with(';')), "{script}");
        }
    }
}
