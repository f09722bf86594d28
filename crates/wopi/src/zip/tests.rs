use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;

/// How an archive for a test is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Style {
    /// As Office does.
    Plain,
    /// Sizes behind the data only.
    Descriptor,
    /// Sizes and offsets in zip64 fields only.
    Zip64,
}

/// An archive and where its chunks should begin.
struct Archive {
    bytes: Vec<u8>,
    cuts: Vec<u64>,
    /// Where each record of the central directory begins.
    directory: Vec<usize>,
}

fn archive(entries: &[(&str, usize)], style: Style, gap: usize, comment: &[u8]) -> Archive {
    let (mut bytes, mut cuts, mut records, mut directory) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (name, size) in entries {
        let offset = bytes.len() as u64;
        cuts.push(offset);
        let (flags, in_header): (u16, u32) = match style {
            Style::Plain => (0, *size as u32),
            Style::Descriptor => (HAS_DESCRIPTOR, 0),
            Style::Zip64 => (0, u32::MAX),
        };
        let field = |with_offset: bool| {
            let mut field = Vec::new();
            if style == Style::Zip64 {
                field.extend(ZIP64_EXTRA.to_le_bytes());
                field.extend((if with_offset { 24u16 } else { 16 }).to_le_bytes());
                field.extend([*size as u64, *size as u64].map(u64::to_le_bytes).concat());
                if with_offset {
                    field.extend(offset.to_le_bytes());
                }
            }
            field
        };
        bytes.extend(LOCAL_HEADER.to_le_bytes());
        bytes.extend(20u16.to_le_bytes());
        bytes.extend(flags.to_le_bytes());
        bytes.extend([0; 10]);
        bytes.extend([in_header, in_header].map(u32::to_le_bytes).concat());
        bytes.extend((name.len() as u16).to_le_bytes());
        bytes.extend((field(false).len() as u16).to_le_bytes());
        bytes.extend(name.as_bytes());
        bytes.extend(field(false));
        let data = bytes.len() as u64;
        bytes.extend((0..*size).map(|n| n as u8));
        if style == Style::Descriptor {
            bytes.extend([7; 16]);
        }
        bytes.extend(vec![0xaa; gap]);
        if bytes.len() as u64 > data {
            cuts.push(data);
        }

        directory.push(records.len());
        let in_directory = if style == Style::Zip64 { u32::MAX } else { *size as u32 };
        records.extend(DIRECTORY_HEADER.to_le_bytes());
        records.extend([0; 4]);
        records.extend(flags.to_le_bytes());
        records.extend([0; 10]);
        records.extend([in_directory, in_directory].map(u32::to_le_bytes).concat());
        records.extend((name.len() as u16).to_le_bytes());
        records.extend((field(true).len() as u16).to_le_bytes());
        records.extend([0; 10]);
        records.extend((if style == Style::Zip64 { u32::MAX } else { offset as u32 }).to_le_bytes());
        records.extend(name.as_bytes());
        records.extend(field(true));
    }
    let start = bytes.len() as u64;
    cuts.push(start);
    directory.iter_mut().for_each(|at| *at += start as usize);
    bytes.extend(&records);
    let end = bytes.len() as u64;
    if style == Style::Zip64 {
        bytes.extend(END_RECORD_64.to_le_bytes());
        bytes.extend([0; 20]);
        bytes.extend([entries.len() as u64, entries.len() as u64].map(u64::to_le_bytes).concat());
        bytes.extend([records.len() as u64, start].map(u64::to_le_bytes).concat());
        bytes.extend(END_LOCATOR_64.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(end.to_le_bytes());
        bytes.extend(1u32.to_le_bytes());
    }
    let short = |value: u64| if style == Style::Zip64 { u32::MAX } else { value as u32 };
    bytes.extend(END_RECORD.to_le_bytes());
    bytes.extend([0; 8]);
    bytes.extend([short(records.len() as u64), short(start)].map(u32::to_le_bytes).concat());
    bytes.extend((comment.len() as u16).to_le_bytes());
    bytes.extend(comment);
    Archive { bytes, cuts, directory }
}

const ENTRIES: &[(&str, usize)] = &[("[Content_Types].xml", 300), ("empty", 0), ("word/document.xml", 5000), ("a", 1)];

fn cut(file: &[u8]) -> Cut {
    let mut cutter = ZipCutter::new(file.len() as u64);
    let mut read = 0;
    while let Some(wanted) = cutter.wanted() {
        assert!(wanted.start < wanted.end && wanted.end <= file.len() as u64, "{wanted:?}");
        read += wanted.end - wanted.start;
        cutter.give(&file[wanted.start as usize..wanted.end as usize]);
    }
    assert!(read <= 2 * file.len() as u64 + 100, "{read} bytes of {}", file.len());
    let cut = cutter.cut();
    if let Cut::Zip(lengths) = &cut {
        assert_eq!(lengths.iter().sum::<u64>(), file.len() as u64);
        assert!(lengths.iter().all(|length| *length > 0) && lengths.len() <= CHUNKS_MAX);
    }
    cut
}

/// Where the chunks begin; empty for a full file.
fn cuts(file: &[u8]) -> Vec<u64> {
    let Cut::Zip(lengths) = cut(file) else { return Vec::new() };
    let mut from = 0;
    lengths
        .iter()
        .map(|length| {
            from += length;
            from - length
        })
        .collect()
}

#[test]
fn an_archive_is_cut_around_its_local_headers_and_before_its_directory() {
    for style in [Style::Plain, Style::Descriptor, Style::Zip64] {
        for gap in [0, 5] {
            for comment in [&b""[..], b"a comment", &[b'c'; 65_535]] {
                let archive = archive(ENTRIES, style, gap, comment);
                assert_eq!(cuts(&archive.bytes), archive.cuts, "{style:?} gap {gap} comment {}", comment.len());
            }
        }
    }
}

#[test]
fn a_comment_that_looks_like_an_end_record_is_a_comment() {
    let inner = archive(ENTRIES, Style::Plain, 0, b"").bytes;
    let comment = [&inner[inner.len() - END_RECORD_LENGTH..], b"!"].concat();
    let archive = archive(ENTRIES, Style::Plain, 0, &comment);
    assert_eq!(cuts(&archive.bytes), archive.cuts);
}

#[test]
fn what_is_no_archive_is_not_cut() {
    assert_eq!(cut(b""), Cut::FullFile);
    assert_eq!(cut(b"PK\x03\x04"), Cut::FullFile);
    assert_eq!(cut(&[b'x'; 1000]), Cut::FullFile);
    let good = archive(ENTRIES, Style::Plain, 0, b"").bytes;
    assert_eq!(cut(&good[..good.len() - 1]), Cut::FullFile, "no end record");
    assert_eq!(cut(&[&b"x"[..], &good].concat()), Cut::FullFile, "something in front");
    let empty = archive(&[], Style::Plain, 0, b"").bytes;
    assert_eq!(cut(&[&good[..40], &empty].concat()), Cut::FullFile, "no entries");
}

#[test]
fn a_directory_that_lies_about_itself_is_not_believed() {
    let good = archive(ENTRIES, Style::Plain, 0, b"");
    let end = good.bytes.len() - END_RECORD_LENGTH;
    for (at, value) in [(12, u32::MAX), (16, u32::MAX), (12, 0), (12, 45), (16, 0), (16, end as u32), (4, 1)] {
        let mut bytes = good.bytes.clone();
        bytes[end + at..end + at + 4].copy_from_slice(&value.to_le_bytes());
        assert_eq!(cut(&bytes), Cut::FullFile, "{at} {value:#x}");
    }
    let mut bytes = good.bytes.clone();
    bytes[good.directory[2]] = 0;
    assert_eq!(cut(&bytes), Cut::FullFile, "a record that is none");
    let mut bytes = good.bytes.clone();
    bytes[good.directory[3] + 28..good.directory[3] + 30].copy_from_slice(&u16::MAX.to_le_bytes());
    assert_eq!(cut(&bytes), Cut::FullFile, "a name longer than the directory");
}

#[test]
fn from_an_entry_that_lies_on_everything_is_the_last_chunk() {
    let good = archive(ENTRIES, Style::Plain, 0, b"");
    // The chunks of the first two entries are header, data, header; the third entry begins at the fourth cut.
    let third = good.cuts[3] as usize;
    let with = |at: usize, value: u32| {
        let mut bytes = good.bytes.clone();
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        cuts(&bytes)
    };
    assert_eq!(with(third, 0), good.cuts[..4], "no local header");
    assert_eq!(with(third + 18, 4999), good.cuts[..4], "another size in the local header");
    assert_eq!(with(third + 26, 18), good.cuts[..4], "another name length, so that the data overlaps the next");
    assert_eq!(with(third + 26, u32::MAX), good.cuts[..4], "names beyond the next entry");
    assert_eq!(with(good.directory[2] + 20, 5001), good.cuts[..4], "overlapping the next entry");
    assert_eq!(with(good.directory[2] + 20, 1 << 31), good.cuts[..4], "longer than the file");
    assert_eq!(with(good.directory[3] + 42, third as u32), good.cuts[..4], "two entries at one place");
    assert_eq!(with(good.directory[3] + 42, third as u32 + 10), good.cuts[..4], "an entry inside another's header");
    assert_eq!(with(good.directory[0] + 42, 1), [0u64; 0], "nothing at the beginning");
    assert_eq!(with(18, 1), [0u64; 0], "the first entry");
}

#[test]
fn an_archive_of_very_many_entries_has_a_large_last_chunk() {
    let names: Vec<String> = (0..40_000).map(|n| n.to_string()).collect();
    let entries: Vec<(&str, usize)> = names.iter().map(|name| (name.as_str(), 1)).collect();
    let archive = archive(&entries, Style::Plain, 0, b"");
    let found = cuts(&archive.bytes);
    assert!(found.len() > CHUNKS_MAX - 4, "{}", found.len());
    assert_eq!(found, archive.cuts[..found.len()]);
}

#[test]
fn fewer_bytes_than_wanted_are_no_archive() {
    let archive = archive(ENTRIES, Style::Plain, 0, b"");
    for stop in 0..7 {
        let mut cutter = ZipCutter::new(archive.bytes.len() as u64);
        for step in 0..=stop {
            let wanted = cutter.wanted().unwrap();
            let bytes = &archive.bytes[wanted.start as usize..wanted.end as usize];
            cutter.give(if step == stop { &bytes[1..] } else { bytes });
        }
        assert_eq!((cutter.wanted(), cutter.cut()), (None, Cut::FullFile));
    }
}

/// Every `FileStream` below a folder, with the `ChunkIds.txt` beside it.
fn resources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            resources(&path, found);
        } else if path.file_name().is_some_and(|name| name == "FileStream") {
            found.push(path);
        }
    }
}

/// The resources of the official validator are not ours to carry; whoever has them names their folder.
#[test]
fn the_resources_of_the_official_validator_are_cut_as_they_say() {
    let Some(folder) = std::env::var_os("LECTERN_VALIDATOR_DATA") else {
        eprintln!("not run: LECTERN_VALIDATOR_DATA names no folder");
        return;
    };
    let mut files = Vec::new();
    resources(Path::new(&folder), &mut files);
    assert!(!files.is_empty());
    for file in &files {
        let bytes = std::fs::read(file).unwrap();
        let expected = std::fs::read_to_string(file.with_file_name("ChunkIds.txt")).unwrap();
        let expected: Vec<u64> = expected.split_whitespace().map(|line| line.parse().unwrap()).collect();
        assert_eq!(cuts(&bytes), expected, "{}", file.display());
    }
    println!("{} resources", files.len());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_lose_any(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        style in prop_oneof![Just(Style::Plain), Just(Style::Descriptor), Just(Style::Zip64)],
        cut_off in any::<prop::sample::Index>(),
        whole in prop::bool::weighted(0.8),
    ) {
        let mut bytes = archive(ENTRIES, style, 3, b"comment").bytes;
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if !whole {
            bytes.truncate(cut_off.index(bytes.len()));
        }
        cut(&bytes);
    }
}
