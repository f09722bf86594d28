//! The page of a container with many files, beside the least that it can cost: its SQL query, and its rows as markup.
//!
//! A page shows the first 200 of them. What is measured is the time until the first byte of the answer, one request after
//! the other on one connection, as a person waits for it.

use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use askama::Template;
use rusqlite::{Connection, OpenFlags, Statement};
use xtask::tools;

use crate::table::median;

/// Who looks at it.
const PERSON: &str = "bench";
const PASSWORD: &str = "a password for a benchmark";
/// How many rows a page has; one more is asked for to know whether there is another page.
const ROWS: usize = 200;
/// How long one answer may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);
/// Longest head of an answer.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// How the page is ordered: what its address says, and what the statement does.
#[derive(Clone, Copy)]
pub(crate) struct Ordered {
    pub(crate) query: &'static str,
    order_by: &'static str,
}

/// From an index.
pub(crate) const BY_NAME: Ordered = Ordered { query: "", order_by: "n.sort_key, n.name" };
/// All files of the container are looked at and sorted.
pub(crate) const BY_TIME: Ordered =
    Ordered { query: "?sort=time&down=1", order_by: "f.modified_at_100ns DESC, n.sort_key DESC, n.name DESC" };

/// Somebody who is signed in, with the page of the root in front of them.
pub(crate) struct Reader {
    address: SocketAddr,
    cookie: String,
    path: String,
}

impl Reader {
    /// Makes the person and signs in.
    pub(crate) fn new(program: &Path, folder: &Path, scratch: &Path, address: SocketAddr) -> anyhow::Result<Self> {
        let command = |arguments: &[&str]| {
            let mut command = Command::new(program);
            command.args(arguments).arg("--folder").arg(folder).stdout(Stdio::null());
            tools::succeed(&mut command)
        };
        command(&["user", "add", PERSON])?;
        let file = scratch.join("password");
        std::fs::write(&file, PASSWORD)?;
        command(&["user", "password", PERSON, "--password-file", file.to_str().context("a path in UTF-8")?])?;

        let form = format!("name={PERSON}&password={}", PASSWORD.replace(' ', "+"));
        let mut connection = Wire::open(address)?;
        let signed_in = connection.ask(&format!(
            "POST /sign-in HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        ))?;
        let cookie = signed_in.header("set-cookie").context("signing in set no cookie")?;
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        let home = connection.ask(&format!("GET / HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}\r\n\r\n"))?;
        let path = home.header("location").context("the first page leads nowhere")?;
        let path = path.strip_prefix(&format!("http://{address}")).unwrap_or(path).to_owned();
        Ok(Self { address, cookie, path })
    }

    /// The id of the container that is shown.
    pub(crate) fn container(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// The time to the first byte, in milliseconds: the median of all requests in a turn.
    pub(crate) fn first_byte(&self, ordered: Ordered, turn: Duration) -> anyhow::Result<f64> {
        let (path, query) = (&self.path, ordered.query);
        let request =
            format!("GET {path}{query} HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\n\r\n", self.address, self.cookie);
        let mut connection = Wire::open(self.address)?;
        // One that is not measured: statements are prepared, files are in memory.
        let first = connection.ask(&request)?;
        let rows = first.body.windows(ROW_MARK.len()).filter(|bytes| *bytes == ROW_MARK).count();
        ensure!(first.status == 200 && rows == ROWS, "the page has {rows} rows, status {}", first.status);
        let mut took = Vec::new();
        let end = Instant::now() + turn;
        while Instant::now() < end {
            took.push(connection.ask(&request)?.first_byte.as_secs_f64() * 1e3);
        }
        Ok(median(took))
    }
}

/// What each row of the page has once.
const ROW_MARK: &[u8] = b"<tr data-row";

/// The query alone, in a connection of its own.
pub(crate) struct BareQuery(Connection);

impl BareQuery {
    pub(crate) fn open(database: &Path) -> anyhow::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Ok(Self(Connection::open_with_flags(database, flags).context("cannot open the registry")?))
    }

    /// The time of one query and its rows, in milliseconds.
    pub(crate) fn took(&self, container: &str, ordered: Ordered, turn: Duration) -> anyhow::Result<f64> {
        let mut statement = self.0.prepare(&format!(
            "SELECT f.id, f.name, f.content_size, f.modified_at_100ns, f.saved_by, f.lock_expires_at \
             FROM names n CROSS JOIN files f ON f.id = n.id WHERE n.container_id = $1 AND n.kind = 'file' \
             ORDER BY {} LIMIT {}",
            ordered.order_by,
            ROWS + 1
        ))?;
        let found = rows(&mut statement, container)?.len();
        ensure!(found == ROWS + 1, "the query finds {found} rows");
        timed(turn, || {
            black_box(rows(&mut statement, container)?);
            Ok(())
        })
    }

    /// The rows of a page, for the template.
    pub(crate) fn rows(&self, container: &str) -> anyhow::Result<Vec<Row>> {
        let mut statement = self.0.prepare(&format!(
            "SELECT f.id, f.name, f.content_size, f.modified_at_100ns, f.saved_by, f.lock_expires_at \
             FROM names n CROSS JOIN files f ON f.id = n.id WHERE n.container_id = $1 AND n.kind = 'file' \
             ORDER BY n.sort_key, n.name LIMIT {ROWS}"
        ))?;
        rows(&mut statement, container)
    }
}

fn rows(statement: &mut Statement<'_>, container: &str) -> anyhow::Result<Vec<Row>> {
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Row {
            id: row.get(0)?,
            name: row.get(1)?,
            size: row.get(2)?,
            modified_at: row.get(3)?,
            saved_by: row.get::<_, Option<String>>(4)?.unwrap_or_default(),
            held: row.get::<_, Option<i64>>(5)?.is_some(),
        })
    };
    Ok(statement.query_map([container], read)?.collect::<Result<_, _>>()?)
}

/// What a row of the page shows.
pub(crate) struct Row {
    id: String,
    name: String,
    size: i64,
    modified_at: i64,
    saved_by: String,
    held: bool,
}

/// The rows as markup, and nothing around them.
#[derive(Template)]
#[template(path = "listing.html")]
pub(crate) struct BareRows {
    rows: Vec<Row>,
}

impl BareRows {
    pub(crate) fn new(rows: Vec<Row>) -> Self {
        Self { rows }
    }

    /// The time to write them, in milliseconds.
    pub(crate) fn took(&self, turn: Duration) -> anyhow::Result<f64> {
        timed(turn, || {
            black_box(self.render()?);
            Ok(())
        })
    }
}

/// The median of what some work takes, over and over for a turn, in milliseconds.
fn timed(turn: Duration, mut work: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    work()?;
    let mut took = Vec::new();
    let end = Instant::now() + turn;
    while Instant::now() < end {
        let begun = Instant::now();
        work()?;
        took.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    Ok(median(took))
}

/// A connection that measures when an answer begins.
struct Wire(TcpStream);

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
    first_byte: Duration,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(':'));
        fields.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

impl Wire {
    fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_TIME_MAX))?;
        stream.set_write_timeout(Some(ANSWER_TIME_MAX))?;
        Ok(Self(stream))
    }

    fn ask(&mut self, request: &str) -> anyhow::Result<Answer> {
        let begun = Instant::now();
        self.0.write_all(request.as_bytes())?;
        let mut read = vec![0; HEAD_BYTES_MAX];
        let mut filled = self.0.read(&mut read)?;
        let first_byte = begun.elapsed();
        let end = loop {
            if let Some(end) = read[..filled].windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            let count = self.0.read(&mut read[filled..])?;
            ensure!(count > 0, "an answer without end of its head");
            filled += count;
        };
        let head = String::from_utf8_lossy(&read[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status line")?;
        let mut answer = Answer { status, head, body: Vec::new(), first_byte };
        let length: usize = answer.header("content-length").unwrap_or("0").parse().context("a length")?;
        let start = end + 4;
        ensure!(filled - start <= length, "more came than was announced");
        answer.body = read[start..filled].to_vec();
        answer.body.resize(length, 0);
        self.0.read_exact(&mut answer.body[filled - start..])?;
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn rows_are_written_with_what_is_in_them_escaped() {
        let row = |held| Row {
            id: "id7".to_owned(),
            name: "<b>.txt".to_owned(),
            size: 12,
            modified_at: 34,
            saved_by: "who".to_owned(),
            held,
        };
        let rows = BareRows::new(vec![row(true), row(false)]);
        let text = rows.render().unwrap();
        assert_eq!(text.as_bytes().windows(ROW_MARK.len()).filter(|bytes| *bytes == ROW_MARK).count(), 2);
        assert!(text.contains("&#60;b&#62;.txt") && !text.contains("<b>"), "{text}");
        assert_eq!(text.matches("in use").count(), 1);
        assert!(rows.took(Duration::from_millis(5)).unwrap() > 0.0);
    }

    #[test]
    fn an_answer_is_read_to_its_end_and_its_beginning_is_timed() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 3];
            while stream.read_exact(&mut request).is_ok() {
                stream.write_all(b"HTTP/1.1 303 See\r\nLocation: /x\r\nContent-Length: 5\r\n\r\nab").unwrap();
                stream.write_all(b"cde").unwrap();
            }
        });
        let mut wire = Wire::open(address).unwrap();
        for _ in 0..2 {
            let answer = wire.ask("GET").unwrap();
            assert_eq!((answer.status, answer.header("location"), &answer.body[..]), (303, Some("/x"), &b"abcde"[..]));
            assert!(answer.first_byte > Duration::ZERO);
        }
    }
}
