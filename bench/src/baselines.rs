//! What the same work costs at least.

use std::convert::Infallible;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use aws_lc_rs::digest;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path as UrlPath, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use xtask::tools::{Running, which};

/// The first argument of the process that is the bare axum baseline.
pub(crate) const AXUM_COMMAND: &str = "bare-axum";
/// What the bare handler reads at once.
const READ_BYTES: usize = 256 << 10;
/// How long a baseline may take to start.
const START_TIME_MAX: Duration = Duration::from_secs(20);

/// A bare axum server in a process of its own, as Lectern is one:
///
/// | route | answer |
/// |---|---|
/// | `GET /answer` | the bytes it was started with |
/// | `GET /files/{name}` | the file, in reads of [`READ_BYTES`] |
/// | `POST /nothing` | 200, no body |
pub(crate) struct BareAxum {
    pub(crate) address: SocketAddr,
    _running: Running,
}

impl BareAxum {
    /// Starts it; `answer` is a file with the bytes of `/answer`, `folder` has the files.
    pub(crate) fn start(folder: &Path, answer: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut running = Running::start(command.arg(AXUM_COMMAND).arg(folder).arg(answer))?;
        let address = running.wait_for(START_TIME_MAX, |line| line.trim().parse().ok())?;
        Ok(Self { address, _running: running })
    }
}

/// The process itself: prints its address and serves until it is killed. As many worker threads as Lectern has, one per
/// core.
pub(crate) fn axum_process(arguments: &[String]) -> anyhow::Result<()> {
    let [folder, answer] = arguments else { anyhow::bail!("{AXUM_COMMAND} needs a folder and a file") };
    let state = (PathBuf::from(folder), Bytes::from(std::fs::read(answer)?));
    let router = Router::new()
        .route("/answer", get(|State((_, answer)): State<(PathBuf, Bytes)>| async move { json(answer) }))
        .route(
            "/files/{name}",
            get(|State((folder, _)): State<(PathBuf, Bytes)>, UrlPath(name): UrlPath<String>| async move {
                file(&folder.join(name)).await.unwrap_or_else(|_| StatusCode::NOT_FOUND.into_response())
            }),
        )
        .route("/nothing", post(|| async { StatusCode::OK }))
        .with_state(state);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        // Without this an answer could wait for an acknowledgement, which Lectern does not.
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        axum::serve(listener, router).await?;
        Ok(())
    })
}

fn json(answer: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], answer).into_response()
}

async fn file(path: &Path) -> std::io::Result<Response> {
    let mut file = tokio::fs::File::open(path).await?;
    file.set_max_buf_size(READ_BYTES);
    let length = file.metadata().await?.len();
    let pieces = futures_util::stream::unfold(file, |mut file| async move {
        let mut piece = BytesMut::with_capacity(READ_BYTES);
        match file.read_buf(&mut piece).await {
            Ok(count) if count > 0 => Some((Ok::<_, Infallible>(piece.freeze()), file)),
            _ => None,
        }
    });
    let headers =
        [(header::CONTENT_TYPE, "application/octet-stream".to_owned()), (header::CONTENT_LENGTH, length.to_string())];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// nginx with sendfile, as Debian packages it.
pub(crate) struct Nginx {
    pub(crate) address: SocketAddr,
    _running: Running,
}

impl Nginx {
    /// Starts it over `folder`, with its own files in `place`. `None` if there is no nginx.
    pub(crate) fn start(folder: &Path, place: &Path) -> anyhow::Result<Option<Self>> {
        let Some(program) = which("nginx") else { return Ok(None) };
        std::fs::create_dir_all(place)?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let workers = std::thread::available_parallelism()?;
        let (place_text, folder) = (place.display(), folder.display());
        let configuration = format!(
            "daemon off;\nworker_processes {workers};\npid {place_text}/pid;\nerror_log {place_text}/error.log;\n\
             user root;\nevents {{ worker_connections 512; }}\n\
             http {{\n  access_log off;\n  sendfile on;\n  tcp_nodelay on;\n  keepalive_requests 1000000;\n\
             client_body_temp_path {place_text}/body;\n  proxy_temp_path {place_text}/proxy;\n\
             fastcgi_temp_path {place_text}/fastcgi;\n  uwsgi_temp_path {place_text}/uwsgi;\n\
             scgi_temp_path {place_text}/scgi;\n\
             server {{ listen {address}; location /files/ {{ alias {folder}/; }} }}\n}}\n"
        );
        // Only root may say as whom the workers run, and only root needs to.
        let is_root = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self")?) == 0;
        let configuration = if is_root { configuration } else { configuration.replace("user root;\n", "") };
        let path = place.join("nginx.conf");
        std::fs::write(&path, configuration)?;
        let running =
            Running::start(Command::new(program).arg("-c").arg(&path).arg("-e").arg(place.join("error.log")))?;
        let end = Instant::now() + START_TIME_MAX;
        while std::net::TcpStream::connect(address).is_err() {
            ensure!(Instant::now() < end, "nginx does not listen: see {}", place.join("error.log").display());
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(Some(Self { address, _running: running }))
    }
}

/// A program that only writes, hashes and syncs: how long each of `saves` took. A save is written to a new file, in
/// pieces, and the file before is removed outside of the measured time.
pub(crate) fn write_hash_sync(folder: &Path, saves: &[[Bytes; 2]]) -> anyhow::Result<Vec<Duration>> {
    let mut took = Vec::with_capacity(saves.len());
    for (number, [start, rest]) in saves.iter().enumerate() {
        let path = folder.join(format!("plain-{number}"));
        let begun = Instant::now();
        let mut file = File::create(&path)?;
        let mut hash = digest::Context::new(&digest::SHA256);
        for piece in std::iter::once(&start[..]).chain(rest.chunks(READ_BYTES)) {
            hash.update(piece);
            file.write_all(piece)?;
        }
        std::hint::black_box(hash.finish());
        file.sync_data()?;
        took.push(begun.elapsed());
        std::fs::remove_file(&path)?;
    }
    Ok(took)
}

/// What a directory of objects costs at least: so many threads, each of which writes new files of these bytes, hashes them,
/// and syncs the file and its directory, one of `DIRECTORIES` in turns. How many files per second. They stay.
pub(crate) fn objects_per_second(folder: &Path, bytes: &[u8], threads: usize, length: Duration) -> anyhow::Result<f64> {
    const DIRECTORIES: usize = 256;
    let directories: Vec<PathBuf> = (0..DIRECTORIES).map(|number| folder.join(format!("{number:02x}"))).collect();
    for directory in &directories {
        std::fs::create_dir_all(directory)?;
    }
    let stamp = std::time::UNIX_EPOCH.elapsed()?.as_nanos();
    let begun = Instant::now();
    let write = |thread: usize| -> std::io::Result<u64> {
        let mut count = 0;
        while begun.elapsed() < length {
            let directory = &directories[(thread + threads * usize::try_from(count).unwrap_or(0)) % DIRECTORIES];
            let mut file = File::create_new(directory.join(format!("{stamp}-{thread}-{count}")))?;
            std::hint::black_box(digest::digest(&digest::SHA256, bytes));
            file.write_all(bytes)?;
            file.sync_all()?;
            File::open(directory)?.sync_all()?;
            count += 1;
        }
        Ok(count)
    };
    let mut count = 0;
    std::thread::scope(|scope| -> anyhow::Result<()> {
        let threads: Vec<_> = (0..threads).map(|thread| scope.spawn(move || write(thread))).collect();
        for thread in threads {
            count += thread.join().map_err(|_| anyhow::anyhow!("a thread that writes panicked"))??;
        }
        Ok(())
    })?;
    Ok(count as f64 / begun.elapsed().as_secs_f64())
}

/// One `fdatasync` per operation, the cheapest durable write there is: the same block of a file, over and over. How many
/// per second.
pub(crate) fn fdatasyncs_per_second(folder: &Path, turn: Duration) -> anyhow::Result<f64> {
    let path = folder.join("plain-sync");
    let file = OpenOptions::new().create(true).truncate(true).write(true).open(&path)?;
    file.write_all_at(&[0; 4096], 0)?;
    file.sync_all()?;
    let begun = Instant::now();
    let mut count = 0_u64;
    while begun.elapsed() < turn {
        count += 1;
        file.write_all_at(&count.to_le_bytes().repeat(512), 0)?;
        file.sync_data()?;
    }
    let rate = count as f64 / begun.elapsed().as_secs_f64();
    std::fs::remove_file(&path)?;
    Ok(rate)
}

/// A number from `/proc/PID/status`, in bytes: `VmHWM` is the most memory the process ever had.
pub(crate) fn memory_of(process_id: u32, field: &str) -> anyhow::Result<u64> {
    let mut status = String::new();
    File::open(format!("/proc/{process_id}/status"))?.read_to_string(&mut status)?;
    memory_in(&status, field).with_context(|| format!("no {field} in the status of process {process_id}"))
}

fn memory_in(status: &str, field: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// How many bytes a process has had written to the disk so far.
pub(crate) fn bytes_written(process_id: u32) -> anyhow::Result<u64> {
    let io = std::fs::read_to_string(format!("/proc/{process_id}/io"))?;
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes:"));
    Ok(line.context("no write_bytes in io")?.trim().parse()?)
}

/// How much time of the processor a process took so far, in ticks of the kernel.
pub(crate) fn processor_ticks(process_id: u32) -> anyhow::Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{process_id}/stat"))?;
    // The name, in brackets, may have blanks and brackets in it.
    let behind_name = stat.rsplit_once(')').context("no name in stat")?.1;
    let fields: Vec<&str> = behind_name.split_whitespace().collect();
    let [user, system] = [11, 12].map(|at| fields.get(at).and_then(|field| field.parse::<u64>().ok()));
    Ok(user.context("no utime")? + system.context("no stime")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_a_process_is_read_in_bytes() {
        let status = "Name:\tx\nVmPeak:\t  200 kB\nVmHWM:\t   12 kB\n";
        assert_eq!(memory_in(status, "VmHWM"), Some(12 * 1024));
        assert_eq!(memory_in(status, "VmRSS"), None);
        assert!(memory_of(std::process::id(), "VmHWM").unwrap() > 0);
        assert!(processor_ticks(std::process::id()).is_ok() && bytes_written(std::process::id()).is_ok());
    }

    #[test]
    fn plain_file_work_takes_time_and_only_objects_stay() {
        let scratch = tempfile::tempdir().unwrap();
        let save = [Bytes::from_static(b"12345678"), Bytes::from(vec![7; 600_000])];
        let took = write_hash_sync(scratch.path(), &[save.clone(), save]).unwrap();
        assert_eq!(took.len(), 2);
        assert!(fdatasyncs_per_second(scratch.path(), Duration::from_millis(20)).unwrap() > 0.0);
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
        let objects = scratch.path().join("objects");
        for _ in 0..2 {
            assert!(objects_per_second(&objects, b"bytes", 3, Duration::from_millis(20)).unwrap() > 0.0);
        }
    }
}
