//! PostgreSQL, started for a test and gone with it.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio_postgres::{NoTls, SimpleQueryMessage, SimpleQueryRow};

use super::missing;

/// Who signed the certificate that the server shows for `localhost`: a file in PEM. It was made for these tests, and
/// the key is in the repository.
pub const TLS_AUTHORITY: &str = include_str!("tls/ca.pem");
const TLS_CERTIFICATE: &str = include_str!("tls/server.pem");
const TLS_KEY: &str = include_str!("tls/server.key");

/// How long the server may take until it answers, and to end.
const START_TIME_MAX: Duration = Duration::from_secs(60);
/// How often it is looked whether it does.
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// Ports that are tried: between finding a free one and taking it, somebody else may.
const START_TRIES_MAX: u32 = 5;

/// Who the server runs as when we are root, which it refuses: the first of these that this machine knows.
const USERS: [&str; 2] = ["postgres", "nobody"];

/// The superuser of the server, and the database that is always there.
const SUPERUSER: &str = "postgres";

/// Runs the server (its arguments behind the first) until a word comes in, which is the signal that ends it. When the end
/// of the input comes instead, whoever started it is gone, however that happened: then the folder goes, too.
const KEEPER: &str = r#"
folder=$1; shift
exec 3<&0
"$@" </dev/null >>"$folder/log" 2>&1 3<&- &
server=$!
read -r word <&3
kill -s "${word:-QUIT}" "$server" 2>/dev/null
wait "$server"
[ -n "$word" ] || rm -rf "$folder"
"#;

/// What every test server is told. Nothing of it outlives a test, so nothing has to be durable, and no shared memory is
/// used that a killed server would leave behind.
const SETTINGS: &[(&str, &str)] = &[
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("listen_addresses", "127.0.0.1"),
    ("shared_buffers", "32MB"),
    ("dynamic_shared_memory_type", "mmap"),
    ("max_connections", "200"),
    ("logging_collector", "off"),
    ("wal_retrieve_retry_interval", "200ms"),
];

/// A server with a folder of its own. Dropping it ends it and removes the folder; when the test's process ends in any
/// other way, its keeper (a shell that waits for the end of a pipe) does that.
pub struct Postgres {
    programs: PathBuf,
    folder: TempDir,
    port: u16,
    settings: Vec<(String, String)>,
    keeper: Mutex<Option<Keeper>>,
    databases: AtomicU32,
}

struct Keeper {
    shell: Child,
    words: Option<ChildStdin>,
}

impl Postgres {
    /// Starts one. `None` where this machine has no PostgreSQL, which is said, and is a failure in CI.
    pub fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// The same, with settings of `postgresql.conf` beside our own.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn start_with(settings: &[(&str, &str)]) -> Option<Self> {
        let Some(programs) = programs() else {
            missing("PostgreSQL", "apt-get install postgresql");
            return None;
        };
        let own = SETTINGS.iter().chain(settings);
        let settings = own.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut server = Self::in_a_folder(programs, settings);
        server.make();
        server.start_somewhere();
        Some(server)
    }

    /// A standby of this server, which streams from it. From now on every commit waits until the standby has it, too: that
    /// is `synchronous_standby_names`, without which a standby that takes over may lack what was answered.
    ///
    /// # Panics
    ///
    /// If it cannot be made, or does not begin to stream.
    pub fn standby(&self) -> Self {
        let mut standby = Self::in_a_folder(self.programs.clone(), self.settings.clone());
        let mut copy = standby.command("pg_basebackup");
        copy.args(["--host=127.0.0.1", "--write-recovery-conf", "--no-sync", "--checkpoint=fast"]);
        copy.arg(format!("--port={}", self.port)).arg(format!("--username={SUPERUSER}"));
        let output = copy.arg("-D").arg(standby.data()).stdin(Stdio::null()).output().expect("a program of the server");
        assert!(output.status.success(), "pg_basebackup failed: {}", String::from_utf8_lossy(&output.stderr));
        standby.start_somewhere();
        self.execute(SUPERUSER, "ALTER SYSTEM SET synchronous_standby_names = '*'");
        self.execute(SUPERUSER, "SELECT pg_reload_conf()");
        self.wait_for_standby();
        standby
    }

    /// Waits until a standby has everything that was committed and commits wait for it.
    ///
    /// # Panics
    ///
    /// If that takes too long.
    pub fn wait_for_standby(&self) {
        let end = Instant::now() + START_TIME_MAX;
        let streaming = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync' AND state = 'streaming' \
                         AND flush_lsn >= pg_current_wal_flush_lsn()";
        while self.rows(SUPERUSER, streaming)[0][0].as_deref() != Some("1") {
            assert!(Instant::now() < end, "no standby keeps up");
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// Makes a standby the server that takes changes.
    ///
    /// # Panics
    ///
    /// If it does not become one.
    pub fn promote(&self) {
        let promoted = self.rows(SUPERUSER, "SELECT pg_promote()");
        assert_eq!(promoted[0][0].as_deref(), Some("t"), "the standby does not take over");
    }

    fn in_a_folder(programs: PathBuf, settings: Vec<(String, String)>) -> Self {
        let folder = tempfile::Builder::new()
            .prefix(&format!("lectern-postgres-{}-", std::process::id()))
            .tempdir()
            .expect("a folder");
        if let Some((user, group)) = other_user() {
            chown(folder.path(), Some(user), Some(group)).expect("the folder can be given away");
        }
        Self { programs, folder, port: 0, settings, keeper: Mutex::new(None), databases: AtomicU32::new(0) }
    }

    fn start_somewhere(&mut self) {
        for attempt in 1.. {
            self.port = free_port();
            match self.try_again() {
                Ok(()) => break,
                Err(log) => assert!(attempt < START_TRIES_MAX, "PostgreSQL does not start:\n{log}"),
            }
        }
    }

    /// One server for all tests of this process.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Postgres>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }

    /// Ends it as an administrator would: sessions are told (57P01) and everything is written.
    pub fn stop(&self) {
        self.end("INT");
    }

    /// Ends it as a crash would, without writing anything; the next start has to recover.
    ///
    /// (It is told to, with SIGQUIT. After a SIGKILL the kernel would keep a segment of shared memory.)
    pub fn kill(&self) {
        self.end("QUIT");
    }

    /// Starts it again after [`Self::stop`] or [`Self::kill`], at the same address.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn start_again(&self) {
        if let Err(log) = self.try_again() {
            panic!("PostgreSQL does not start again:\n{log}");
        }
    }

    /// [`Self::stop`] and [`Self::start_again`].
    pub fn restart(&self) {
        self.stop();
        self.start_again();
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A new, empty database; its URL.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    pub fn database(&self) -> String {
        self.database_like("template0")
    }

    /// A new database with everything that is in that one, where nobody is connected just now; its URL.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    pub fn database_like(&self, template: &str) -> String {
        let name = format!("lectern_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.execute(SUPERUSER, &format!("CREATE DATABASE {name} TEMPLATE {template} ENCODING 'UTF8'"));
        self.url(&name)
    }

    /// The URL of a database.
    pub fn url(&self, database: &str) -> String {
        self.url_at(database, self.port)
    }

    /// The URL of a database as seen through a proxy on this port.
    pub fn url_at(&self, database: &str, port: u16) -> String {
        format!("postgres://{SUPERUSER}@127.0.0.1:{port}/{database}")
    }

    /// Runs statements in a database, on a connection of its own. Can be called from anywhere, also within a runtime.
    ///
    /// # Panics
    ///
    /// If that fails.
    pub fn execute(&self, database: &str, sql: &str) {
        let (url, sql) = (self.url(database), sql.to_owned());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let (client, connection) = tokio_postgres::connect(&url, NoTls).await.expect("the server answers");
                let talk = tokio::spawn(connection);
                client.batch_execute(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
                drop(client);
                talk.await.expect("no panic").expect("the connection ends well");
            });
        });
        thread.join().expect("the statements were run");
    }

    /// Who may sign in how, from now on: lines of `pg_hba.conf`, before those that let everybody in.
    ///
    /// # Panics
    ///
    /// If they cannot be written.
    pub fn admit(&self, rules: &str) {
        let path = self.data().join("pg_hba.conf");
        let known = std::fs::read_to_string(&path).expect("the server has rules");
        std::fs::write(&path, format!("{rules}\n{known}")).expect("they can be written");
        self.execute(SUPERUSER, "SELECT pg_reload_conf()");
    }

    /// The rows that statements give, as text, on a connection of its own. Can be called from anywhere, also within a
    /// runtime.
    ///
    /// # Panics
    ///
    /// If that fails.
    pub fn rows(&self, database: &str, sql: &str) -> Vec<Vec<Option<String>>> {
        let (url, sql) = (self.url(database), sql.to_owned());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let (client, connection) = tokio_postgres::connect(&url, NoTls).await.expect("the server answers");
                let talk = tokio::spawn(connection);
                let messages = client.simple_query(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
                drop(client);
                talk.await.expect("no panic").expect("the connection ends well");
                let rows = messages.iter().filter_map(|message| match message {
                    SimpleQueryMessage::Row(row) => Some(row),
                    _ => None,
                });
                let cells = |row: &SimpleQueryRow| (0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect();
                rows.map(cells).collect()
            })
        });
        thread.join().expect("the statements were run")
    }

    /// Makes the database's files.
    fn make(&self) {
        let mut initdb = self.command("initdb");
        initdb.args(["--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"]);
        initdb.arg(format!("--username={SUPERUSER}")).arg("-D").arg(self.data());
        let output = initdb.stdin(Stdio::null()).output().expect("initdb can be started");
        assert!(output.status.success(), "initdb failed: {}", String::from_utf8_lossy(&output.stderr));
        let private = std::fs::Permissions::from_mode(0o600);
        for (name, text) in [("server.crt", TLS_CERTIFICATE), ("server.key", TLS_KEY)] {
            let path = self.data().join(name);
            std::fs::write(&path, text).expect("a file can be written");
            std::fs::set_permissions(&path, private.clone()).expect("and made private");
            if let Some((user, group)) = other_user() {
                chown(&path, Some(user), Some(group)).expect("and given away");
            }
        }
    }

    /// Starts it on its port. Gives the log if it does not get there.
    fn try_again(&self) -> Result<(), String> {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(keeper.is_none(), "it runs already");
        let known = self.log().len();
        let mut command = self.command_at(Path::new("/bin/sh"));
        command.args(["-c", KEEPER, "sh"]).arg(self.folder.path());
        command.arg(self.programs.join("postgres")).arg("-D").arg(self.data());
        command.arg("-k").arg(self.folder.path()).arg("-p").arg(self.port.to_string());
        for (name, value) in &self.settings {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        // A group of its own: what a terminal sends to the test is not meant for the server.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let mut shell = command.spawn().expect("a shell can be started");
        let words = shell.stdin.take();
        let started = Keeper { shell, words };
        let end = Instant::now() + START_TIME_MAX;
        loop {
            if self.is_ready() {
                *keeper = Some(started);
                return Ok(());
            }
            let log = self.log().get(known..).unwrap_or_default().to_owned();
            // Whoever comes too early is told that it starts up; anything else that is fatal is so to the server.
            let is_fatal = |line: &str| line.contains("FATAL:") && !line.contains("the database system is");
            if Instant::now() > end || log.lines().any(is_fatal) {
                started.end("QUIT");
                return Err(log);
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// The last line of the file in which the server says who it is says how far it is.
    fn is_ready(&self) -> bool {
        let lines = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        lines.lines().nth(7).is_some_and(|line| ["ready", "standby"].contains(&line.trim()))
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn end(&self, signal: &str) {
        if let Some(keeper) = self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take() {
            keeper.end(signal);
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, program: &str) -> Command {
        self.command_at(&self.programs.join(program))
    }

    fn command_at(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path()).env("LC_ALL", "C.UTF-8").env("HOME", self.folder.path());
        if let Some((user, group)) = other_user() {
            command.uid(user).gid(group);
        }
        command
    }
}

impl Keeper {
    fn end(mut self, signal: &str) {
        if let Some(words) = &mut self.words {
            // It fails only if the shell is gone.
            let _ = writeln!(words, "{signal}");
        }
        let _ = self.shell.wait();
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postgres").field("port", &self.port).finish_non_exhaustive()
    }
}

/// The folder with the server's programs: that of `initdb` on the path, or where Debian keeps the latest.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join("initdb"));
    // What stands on the path may be a link to where the others are.
    let on_path = on_path.filter_map(|program| program.canonicalize().ok());
    let on_path = on_path.filter_map(|program| program.parent().map(Path::to_owned));
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut debian: Vec<PathBuf> = debian.map(|version| version.path().join("bin")).collect();
    debian.sort_by_key(|folder| std::cmp::Reverse(version(folder)));
    on_path.chain(debian).find(|folder| ["initdb", "postgres"].iter().all(|program| folder.join(program).is_file()))
}

fn version(folder: &Path) -> u32 {
    let version = folder.parent().and_then(Path::file_name).and_then(std::ffi::OsStr::to_str);
    version.and_then(|version| version.parse().ok()).unwrap_or(0)
}

/// Whom the server runs as, if we are root.
fn other_user() -> Option<(u32, u32)> {
    static OTHER: OnceLock<Option<(u32, u32)>> = OnceLock::new();
    *OTHER.get_or_init(|| {
        use std::os::unix::fs::MetadataExt as _;
        if std::fs::metadata("/proc/self").ok()?.uid() != 0 {
            return None;
        }
        let known = std::fs::read_to_string("/etc/passwd").ok()?;
        let ids = |name: &str| {
            let mut fields =
                known.lines().map(|line| line.split(':')).find(|fields| fields.clone().next() == Some(name))?;
            Some((fields.nth(2)?.parse().ok()?, fields.next()?.parse().ok()?))
        };
        USERS.into_iter().find_map(ids)
    })
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
    listener.local_addr().expect("an address").port()
}
