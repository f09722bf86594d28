#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]
//! How much memory hostile input of incremental transfer takes, measured: the peak of the whole process, as Linux tells
//! it. There is one test here, because the tests of one file share a process.
//!
//! | input | as large as may be |
//! |---|---|
//! | a message | [`MESSAGE_BYTES_MAX`] |
//! | frames | a million chunks |
//! | a zip archive | a central directory of [`DIRECTORY_BYTES_MAX`] |

use wopi::ChunkId;
use wopi::chunked::{GetChunkedFile, GetChunks, MessageError, PutChunkedFile};
use wopi::frames::{self, Event, FrameError, FrameLimits, FrameReader, MESSAGE_BYTES_MAX};
use wopi::zip::{Cut, DIRECTORY_BYTES_MAX, ZipCutter};

const MIB: u64 = 1 << 20;

/// The largest that this process has been, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() * 1024
}

/// A message of the largest size: `before`, then as many `item`s as fit, then `after`.
fn fill(message: &mut String, before: &str, item: &str, after: &str) {
    message.clear();
    message.push_str(before);
    let room = MESSAGE_BYTES_MAX as usize - before.len() - item.len() - after.len();
    for _ in 0..room / (item.len() + 1) {
        message.push_str(item);
        message.push(',');
    }
    message.push_str(item);
    message.push_str(after);
    assert!(message.len() as u64 <= MESSAGE_BYTES_MAX && message.len() as u64 > MESSAGE_BYTES_MAX - 1000);
}

/// A local header, then a directory that says of every entry that it is there.
fn archive_with_the_largest_directory() -> Vec<u8> {
    let entries = (DIRECTORY_BYTES_MAX / 46) as u32;
    let mut archive = Vec::with_capacity(DIRECTORY_BYTES_MAX as usize + 100);
    archive.extend(b"PK\x03\x04");
    archive.resize(30, 0);
    for _ in 0..entries {
        archive.extend(b"PK\x01\x02");
        archive.resize(archive.len() + 42, 0);
    }
    archive.extend(b"PK\x05\x06\0\0\0\0\0\0\0\0");
    archive.extend([entries * 46, 30].map(u32::to_le_bytes).concat());
    archive.extend([0; 2]);
    archive
}

type Parse = fn(&[u8]) -> Result<(), MessageError>;

#[test]
fn hostile_input_takes_no_more_memory_than_a_few_times_its_size() {
    // Each peak hides smaller ones that follow, so the smallest comes first.
    let archive = archive_with_the_largest_directory();
    let beginning = peak();
    let mut cutter = ZipCutter::new(archive.len() as u64);
    while let Some(wanted) = cutter.wanted() {
        cutter.give(&archive[wanted.start as usize..wanted.end as usize]);
    }
    assert_eq!(cutter.cut(), Cut::FullFile, "all at one place");
    let grown = (peak() - beginning) / MIB;
    println!("a directory of {} MiB: {grown} MiB", archive.len() as u64 / MIB);
    assert!((1..=32).contains(&grown), "{grown} MiB");
    drop(archive);

    let get: Parse = |json| GetChunkedFile::parse(json).map(drop);
    let put: Parse = |json| PutChunkedFile::parse(json).map(drop);
    let chunks: Parse = |json| GetChunks::parse(json).map(drop);
    let id = ChunkId::of(b"").to_string();
    let signature = r#"{"StreamId":"A","ChunkingScheme":"Zip","ChunkSignatures":["#;
    let known = r#"{"ContentFilters":[{"StreamId":"A","ChunkingScheme":"Zip","AlreadyKnownChunks":["#;
    let messages: &[(&str, Parse, &str, &str, &str, bool)] = &[
        ("names of properties", get, r#"{"ContentPropertiesToReturn":["#, r#""""#, "]}", false),
        ("filters", get, r#"{"ContentFilters":["#, r#"{"StreamId":"A","ChunkingScheme":"Zip"}"#, "]}", false),
        ("known chunks that are none", get, known, r#""""#, "]}]}", true),
        ("known chunks", get, known, &format!("\"{id}\""), "]}]}", true),
        ("signatures", put, r#"{"Signatures":["#, &format!("{signature}]}}"), "]}", false),
        (
            "chunks",
            put,
            &format!(r#"{{"Signatures":[{signature}"#),
            &format!(r#"{{"ChunkId":"{id}","Length":0}}"#),
            "]}]}",
            false,
        ),
        (
            "properties",
            put,
            r#"{"ContentProperties":["#,
            r#"{"Name":"","Value":"","Retention":"KeepOnContentChange"}"#,
            "]}",
            false,
        ),
        (
            "parts",
            chunks,
            r#"{"ContentFilters":[{"StreamId":"A","ChunkRangesToReturn":["#,
            &format!(r#"{{"ChunkId":"{id}","Offset":0,"Length":0}}"#),
            "]}]}",
            false,
        ),
        ("nothing that is known", put, r#"{"a":["#, "[]", r#"],"Signatures":[]}"#, false),
        ("a name", put, r#"{"Signatures":[{"StreamId":""#, "\\u0000", r#""}]}"#, false),
        ("a scheme", put, r#"{"Signatures":[{"ChunkingScheme":""#, "\\u0000", r#""}]}"#, false),
    ];
    let mut message = String::with_capacity(MESSAGE_BYTES_MAX as usize);
    fill(&mut message, "", " ", "");
    let beginning = peak();
    for (what, parse, before, item, after, good) in messages {
        fill(&mut message, before, item, after);
        assert_eq!(parse(message.as_bytes()).is_ok(), *good, "{what}");
        let grown = (peak() - beginning) / MIB;
        println!("{what}: {grown} MiB");
        assert!(grown <= 64, "{what}: {grown} MiB");
    }
    drop(message);

    let chunk = frames::chunk_header(ChunkId([1; 16]), 0);
    let mut reader = FrameReader::of_chunks(FrameLimits::with_chunks_of(1 << 40));
    let frames_until_refused = (0..1_000_000).find(|_| {
        let mut input = &chunk[..];
        loop {
            match reader.next(&mut input) {
                Ok(Some(Event::Chunk { .. } | Event::ChunkEnd)) => {}
                Ok(None) => return false,
                other => return other == Err(FrameError::TooManyChunks),
            }
        }
    });
    assert_eq!(frames_until_refused, Some(frames::CHUNKS_MAX));
}
