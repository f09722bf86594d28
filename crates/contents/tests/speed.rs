//! How fast the folder is beside a program that does no more than it must. Prints ratios, judges nothing:
//! `cargo test --release -p lectern-contents --test speed -- --ignored --nocapture --test-threads 1`

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use std::fs;
use std::io::{Read as _, Seek as _, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::digest;
use bytes::Bytes;
use futures_util::StreamExt as _;
use http_body_util::BodyExt as _;
use lectern_conformance::contents::{bytes, fresh_id, in_frames, whole};
use lectern_conformance::tree::{Ground, path};
use lectern_contents::Folder;
use lectern_host::ports::{Contents as _, Tree as _, TreePath};

const PIECE: usize = 256 << 10;

fn scratch() -> (tempfile::TempDir, Folder, Ground) {
    let scratch = tempfile::tempdir().unwrap();
    let folder = Folder::open(scratch.path(), &scratch.path().join(Folder::STATE_NAME)).unwrap();
    let root = scratch.path().to_owned();
    let ground = Ground { tree: Arc::new(folder.clone()), contents: Arc::new(folder.clone()), root };
    (scratch, folder, ground)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn puts_beside_write_hash_and_sync() {
    let (scratch, folder, _) = scratch();
    for (size, rounds) in [(20 << 10, 200), (1 << 20, 60), (10 << 20, 40)] {
        let data = bytes(size, 1);
        let (mut bare, mut ours, mut framed) = (Vec::new(), Vec::new(), Vec::new());
        for n in 0..rounds {
            let name = scratch.path().join(format!("bare {n}"));
            let begin = Instant::now();
            let mut file = fs::File::create_new(&name).unwrap();
            let mut hash = digest::Context::new(&digest::SHA256);
            for piece in data.chunks(PIECE) {
                file.write_all(piece).unwrap();
                hash.update(piece);
            }
            std::hint::black_box(hash.finish());
            file.sync_all().unwrap();
            bare.push(begin.elapsed());
            fs::remove_file(name).unwrap();

            for (times, body) in [(&mut ours, whole(data.clone())), (&mut framed, in_frames(&data, 128 << 10))] {
                let id = fresh_id();
                let begin = Instant::now();
                folder.put(&id, body, 1 << 30).await.unwrap();
                times.push(begin.elapsed());
                folder.remove(&id).await.unwrap();
            }
        }
        let (bare, ours, framed) = (median(bare), median(ours), median(framed));
        println!(
            "put {:5} KiB: bare {:6.2} ms, one frame {:6.2} ms ({:.2} x), frames of 128 KiB {:6.2} ms ({:.2} x)",
            size >> 10,
            milliseconds(bare),
            milliseconds(ours),
            bare.as_secs_f64() / ours.as_secs_f64(),
            milliseconds(framed),
            bare.as_secs_f64() / framed.as_secs_f64()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn reads_beside_plain_reads() {
    let (_scratch, _folder, ground) = scratch();
    for (size, rounds) in [(64 << 10, 400), (1 << 20, 400), (100 << 20, 10)] {
        ground.write("a.bin", bytes(size, 1));
        let seen = ground.fingerprint("a.bin");
        let (mut plain, mut offloaded, mut tree) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            let begin = Instant::now();
            let mut file = fs::File::open(ground.root.join("a.bin")).unwrap();
            let mut piece = vec![0; PIECE];
            while file.read(&mut piece).unwrap() > 0 {
                std::hint::black_box(&piece);
            }
            plain.push(begin.elapsed());

            // What a handler with `ReaderStream` and pieces of this size does.
            let begin = Instant::now();
            let name = ground.root.join("a.bin");
            let file = Arc::new(tokio::task::spawn_blocking(|| fs::File::open(name).unwrap()).await.unwrap());
            let mut at = 0;
            while at < size {
                let file = Arc::clone(&file);
                let piece: Bytes = tokio::task::spawn_blocking(move || {
                    let mut file = &*file;
                    file.seek(std::io::SeekFrom::Start(at as u64)).unwrap();
                    let mut piece = vec![0; PIECE.min(size - at)];
                    file.read_exact(&mut piece).unwrap();
                    piece.into()
                })
                .await
                .unwrap();
                at += piece.len();
            }
            offloaded.push(begin.elapsed());

            let begin = Instant::now();
            let mut body = ground.tree.open(&path("a.bin"), &seen, 0..u64::MAX).await.unwrap().unwrap();
            while let Some(frame) = body.frame().await {
                std::hint::black_box(frame.unwrap());
            }
            tree.push(begin.elapsed());
        }
        let (plain, offloaded, tree) = (median(plain), median(offloaded), median(tree));
        println!(
            "read {:6} KiB: plain {:7.3} ms, on other threads {:7.3} ms, tree {:7.3} ms ({:.2} x plain, {:.2} x on other threads)",
            size >> 10,
            milliseconds(plain),
            milliseconds(offloaded),
            milliseconds(tree),
            plain.as_secs_f64() / tree.as_secs_f64(),
            offloaded.as_secs_f64() / tree.as_secs_f64()
        );
    }
}

#[tokio::test]
#[ignore = "measures"]
async fn looks_lists_and_watching_of_many_files() {
    const FILES: usize = 100_000;
    let (_scratch, folder, ground) = scratch();
    fs::create_dir_all(ground.root.join("x/y")).unwrap();
    for n in 0..FILES {
        ground.write(&format!("{n}.txt"), "");
    }
    ground.write("x/a.txt", "abc");
    ground.write("x/y/a.txt", "abc");
    for text in ["1.txt", "x/a.txt", "x/y/a.txt"] {
        let path = path(text);
        let begin = Instant::now();
        for _ in 0..100_000 {
            std::hint::black_box(folder.look(&path).unwrap());
        }
        println!("look at {text}: {:.2} µs", begin.elapsed().as_secs_f64() * 1e6 / 100_000.0);
    }
    let begin = Instant::now();
    let listed = folder.list(&TreePath::root()).await.unwrap().len();
    println!("list of {listed}: {:.0} ms", milliseconds(begin.elapsed()));
    let begin = Instant::now();
    let hints = folder.hints().unwrap();
    println!("hints: {:.2} ms", milliseconds(begin.elapsed()));
    drop(hints);
    let mut saves = Vec::new();
    for n in 0..200 {
        let (id, staged) = ground.stage(n.to_string()).await;
        let begin = Instant::now();
        folder.publish(&path("1.txt"), &id, &staged, Some(&fresh_id())).await.unwrap();
        saves.push(begin.elapsed());
    }
    println!("publish: {:.3} ms", milliseconds(median(saves)));
    let begin = Instant::now();
    folder.settle(&[TreePath::root()]).await.unwrap();
    println!("settle: {:.2} ms", milliseconds(begin.elapsed()));
}

/// Highest memory of this process, in KiB.
fn memory_peak() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn memory_of_a_hundred_uploads_beside_a_hundred_downloads() {
    const SIZE: usize = 100 << 20;
    let (_scratch, folder, ground) = scratch();
    let mut file = fs::File::create(ground.root.join("a.bin")).unwrap();
    let part = bytes(1 << 20, 1);
    for _ in 0..SIZE >> 20 {
        file.write_all(&part).unwrap();
    }
    drop(file);
    let seen = ground.fingerprint("a.bin");
    let before = memory_peak();
    let uploads: Vec<_> = (0..100)
        .map(|_| {
            let (folder, part) = (folder.clone(), part.slice(..16 << 10));
            tokio::spawn(async move {
                let frames = futures_util::stream::iter(0..SIZE >> 14)
                    .map(move |_| Ok(http_body::Frame::data(Bytes::copy_from_slice(&part))));
                let id = fresh_id();
                let body = http_body_util::StreamBody::new(frames).boxed_unsync();
                folder.put(&id, body, 1 << 30).await.unwrap();
                folder.remove(&id).await.unwrap();
            })
        })
        .collect();
    let downloads: Vec<_> = (0..100)
        .map(|_| {
            let ground = ground.clone();
            tokio::spawn(async move {
                let mut body = ground.tree.open(&path("a.bin"), &seen, 0..u64::MAX).await.unwrap().unwrap();
                let mut last = None;
                while let Some(frame) = body.frame().await {
                    // A slow connection holds the one before.
                    last = Some(frame.unwrap());
                    tokio::task::yield_now().await;
                }
                drop(last);
            })
        })
        .collect();
    let begin = Instant::now();
    for task in uploads.into_iter().chain(downloads) {
        task.await.unwrap();
    }
    println!(
        "memory: {:?} KiB before, {:?} KiB at the highest; {:.1} s",
        before,
        memory_peak(),
        begin.elapsed().as_secs_f64()
    );
}
