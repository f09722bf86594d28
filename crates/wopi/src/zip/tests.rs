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
    let (mut read, mut steps, mut headers_from) = (0, 0, 0);
    while let Some(wanted) = cutter.wanted() {
        assert!(wanted.start < wanted.end && wanted.end <= file.len() as u64, "{wanted:?}");
        assert!(wanted.end - wanted.start <= DIRECTORY_BYTES_MAX, "{wanted:?}");
        read += wanted.end - wanted.start;
        if matches!(cutter.step, Step::Local(_)) {
            assert!(wanted.end - wanted.start == LOCAL_HEADER_LENGTH && wanted.start >= headers_from, "{wanted:?}");
            headers_from = wanted.end;
        }
        steps += 1;
        assert!(steps < CHUNKS_MAX + 4);
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
fn zip64_fields_that_lie_are_not_believed() {
    let good = archive(ENTRIES, Style::Zip64, 0, b"");
    let locator = good.bytes.len() - END_RECORD_LENGTH - END_LOCATOR_64_LENGTH;
    let record = locator - END_RECORD_64_LENGTH as usize;
    let directory = *good.directory.first().unwrap() as u64;
    let with = |at: usize, value: u64| {
        let mut bytes = good.bytes.clone();
        bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        cut(&bytes)
    };
    let size = good.bytes.len() as u64;
    for at in [0, 1, record as u64 - 1, record as u64 + 1, locator as u64, size - 1, size, 1 << 63, u64::MAX] {
        assert_eq!(with(locator + 8, at), Cut::FullFile, "the record is at {at}");
    }
    assert_eq!(with(record, 0), Cut::FullFile, "a record that is none");
    assert_eq!(with(record + 16, 1), Cut::FullFile, "on the second disk");
    for offset in [0, 29, directory - 1, directory + 1, size, 1 << 63, u64::MAX - 10, u64::MAX] {
        assert_eq!(with(record + 48, offset), Cut::FullFile, "the directory is at {offset}");
    }
    let length = record as u64 - directory;
    for length in [0, 45, length - 1, length + 1, DIRECTORY_BYTES_MAX + 1, 1 << 63, u64::MAX] {
        assert_eq!(with(record + 40, length), Cut::FullFile, "the directory has {length} bytes");
    }

    // The zip64 field of a record of the directory: kind, length, uncompressed, compressed, offset.
    let field = |entry: usize| good.directory[entry] + DIRECTORY_HEADER_LENGTH + ENTRIES[entry].0.len();
    for offset in [1, 1 << 63, u64::MAX] {
        assert_eq!(with(field(0) + 20, offset), Cut::FullFile, "the first entry is at {offset}");
    }
    assert_eq!(with(field(2) + 20, 1), Cut::FullFile, "the third entry is inside the first header");
    for offset in [directory + 1, size, 1 << 63, u64::MAX] {
        // The second entry is followed by the fourth now, and that by one beyond the directory.
        let Cut::Zip(lengths) = with(field(2) + 20, offset) else { panic!("{offset}") };
        assert_eq!(lengths.len(), 5, "the third entry is at {offset}: {lengths:?}");
    }
    for compressed in [5001, 1 << 63, u64::MAX] {
        assert_eq!(with(field(0) + 12, compressed), Cut::FullFile, "the first entry has {compressed} bytes");
        let Cut::Zip(lengths) = with(field(2) + 12, compressed) else { panic!("{compressed}") };
        assert_eq!(lengths.len(), 4, "the third entry has {compressed} bytes");
    }
    for head in [(24 << 16) | 2, 23 << 16 | 1, 25 << 16 | 1, 1, 0xffff_0001] {
        let mut bytes = good.bytes.clone();
        bytes[field(2)..field(2) + 4].copy_from_slice(&u32::to_le_bytes(head));
        assert_eq!(cut(&bytes), Cut::FullFile, "the field begins with {head:#x}");
    }
}

#[test]
fn a_directory_among_the_entries_is_not_overrun() {
    let good = archive(ENTRIES, Style::Plain, 0, b"");
    let end = good.bytes.len() - END_RECORD_LENGTH;
    // The directory itself, once more, inside the data of the third entry; the end record points there.
    let start = *good.directory.first().unwrap();
    let (inside, length) = (good.cuts[4] as usize + 100, end - start);
    let mut bytes = good.bytes.clone();
    bytes.copy_within(start..end, inside);
    bytes[end + 16..end + 20].copy_from_slice(&(inside as u32).to_le_bytes());
    assert!(inside + length < good.cuts[5] as usize, "it fits there");
    // The third entry now reaches into the directory, and the fourth lies behind it.
    assert_eq!(cuts(&bytes), good.cuts[..4]);
}

#[test]
fn a_directory_that_is_larger_than_is_read_is_never_asked_for() {
    for (length, asked) in
        [(DIRECTORY_BYTES_MAX, true), (DIRECTORY_BYTES_MAX + 1, false), (u64::from(u32::MAX) - 1, false)]
    {
        // Only what is wanted of it exists.
        let size = 1 << 33;
        let mut cutter = ZipCutter::new(size);
        cutter.give(b"PK\x03\x04");
        let tail = cutter.wanted().unwrap();
        let mut bytes = vec![0; (tail.end - tail.start) as usize];
        let end = bytes.len() - END_RECORD_LENGTH;
        bytes[end..end + 4].copy_from_slice(&END_RECORD.to_le_bytes());
        bytes[end + 12..end + 16].copy_from_slice(&(length as u32).to_le_bytes());
        bytes[end + 16..end + 20].copy_from_slice(&30u32.to_le_bytes());
        cutter.give(&bytes);
        assert_eq!(cutter.wanted(), asked.then_some(30..30 + length), "{length}");
        assert_eq!(cutter.cut(), Cut::FullFile);
    }
}

#[test]
fn the_largest_file_of_all_is_no_trouble() {
    // An archive of two entries in a file of which only what is wanted exists. Each sum that may overflow is tried.
    const SIZE: u64 = u64::MAX;
    const RECORD: u64 = SIZE - 300;
    const DIRECTORY_LENGTH: u64 = 2 * DIRECTORY_HEADER_LENGTH as u64 + 12;
    let given = |step: &Step, wanted: Range<u64>, second: u64, directory: u64, names: u16| {
        let mut bytes = vec![0; (wanted.end - wanted.start) as usize];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        match step {
            Step::Beginning => put(0, &LOCAL_HEADER.to_le_bytes()),
            Step::Tail => {
                let at = (wanted.end - wanted.start) as usize - END_RECORD_LENGTH;
                put(at, &END_RECORD.to_le_bytes());
                put(at - END_LOCATOR_64_LENGTH, &END_LOCATOR_64.to_le_bytes());
                put(at - END_LOCATOR_64_LENGTH + 8, &RECORD.to_le_bytes());
            }
            Step::End64 => {
                put(0, &END_RECORD_64.to_le_bytes());
                put(40, &[DIRECTORY_LENGTH, directory].map(u64::to_le_bytes).concat());
            }
            Step::Directory => {
                put(0, &DIRECTORY_HEADER.to_le_bytes());
                put(46, &DIRECTORY_HEADER.to_le_bytes());
                put(46 + 30, &12u16.to_le_bytes());
                put(46 + 42, &u32::MAX.to_le_bytes());
                put(92, &[1, 0, 8, 0]);
                put(96, &second.to_le_bytes());
            }
            Step::Local(at) => {
                put(0, &LOCAL_HEADER.to_le_bytes());
                put(26, &(if *at == 0 { 0 } else { names }).to_le_bytes());
                put(28, &(if *at == 0 { 0 } else { names }).to_le_bytes());
            }
            Step::Done => {}
        }
        bytes
    };
    for (second, directory, names, chunks) in [
        (1 << 40, 1 << 63, 0, 5),
        (RECORD - 150, RECORD - DIRECTORY_LENGTH, 0, 5),
        (RECORD - 150, RECORD - DIRECTORY_LENGTH, u16::MAX, 3),
        (u64::MAX, RECORD - DIRECTORY_LENGTH, u16::MAX, 1),
        (u64::MAX - 20, RECORD - DIRECTORY_LENGTH, u16::MAX, 1),
        (100, u64::MAX - 20, 0, 1),
        (100, u64::MAX - DIRECTORY_LENGTH, 0, 1),
    ] {
        let mut cutter = ZipCutter::new(SIZE);
        while let Some(wanted) = cutter.wanted() {
            assert!(wanted.start < wanted.end && wanted.end - wanted.start <= DIRECTORY_BYTES_MAX, "{wanted:?}");
            let bytes = given(&cutter.step, wanted, second, directory, names);
            cutter.give(&bytes);
        }
        match cutter.cut() {
            Cut::FullFile => assert_eq!(chunks, 1, "{second} {directory} {names}"),
            Cut::Zip(lengths) => {
                assert_eq!(lengths.len(), chunks, "{second} {directory} {names}: {lengths:?}");
                assert_eq!(lengths.iter().sum::<u64>(), SIZE);
            }
        }
    }
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

/// The folder with the official validator's data: beside the runner that `LECTERN_VALIDATOR` names, or in
/// `../shared/validator` beside the repository.
fn validator_data() -> Option<PathBuf> {
    let named = std::env::var_os("LECTERN_VALIDATOR").map(PathBuf::from);
    let named = named.map(|path| if path.is_dir() { path } else { path.with_file_name("") });
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/validator");
    Some(named.unwrap_or_else(beside).join("data")).filter(|path| path.is_dir())
}

/// The published rule, as it stands in the documents: from one local header to the next, by the sizes in them.
fn published_cuts(file: &[u8]) -> Vec<u64> {
    let (mut cuts, mut at) = (vec![0], 0);
    while number_4(file, at) == Some(LOCAL_HEADER) {
        let names = number_2(file, at + 26).unwrap() + number_2(file, at + 28).unwrap();
        let data = at + 30 + usize::from(names);
        let end = data + number_4(file, at + 18).unwrap() as usize;
        cuts.push(data as u64);
        if end > data {
            cuts.push(end as u64);
        }
        at = end;
    }
    cuts
}

/// The resources of the official validator are not ours to carry, so they are looked for as `cargo xtask official` does.
#[test]
fn the_resources_of_the_official_validator_are_cut_as_they_say() {
    let Some(folder) = validator_data() else {
        eprintln!("skipped: the data of the official validator was not found (LECTERN_VALIDATOR names its folder)");
        return;
    };
    let mut files = Vec::new();
    resources(&folder, &mut files);
    assert!(files.len() >= 12, "{} resources", files.len());
    for file in &files {
        let bytes = std::fs::read(file).unwrap();
        let expected = std::fs::read_to_string(file.with_file_name("ChunkIds.txt")).unwrap();
        let expected: Vec<u64> = expected.split_whitespace().map(|line| line.parse().unwrap()).collect();
        assert_eq!(cuts(&bytes), expected, "{}", file.display());
        assert_eq!(published_cuts(&bytes), expected, "{}", file.display());
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

    #[test]
    fn an_archive_as_office_writes_it_is_cut_by_the_published_rule(
        entries in prop::collection::vec(("[a-zA-Z/._\\[\\]]{0,40}", 0usize..3000), 1..20),
        comment in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let entries: Vec<(&str, usize)> = entries.iter().map(|(name, size)| (name.as_str(), *size)).collect();
        let archive = archive(&entries, Style::Plain, 0, &comment);
        prop_assert_eq!(cuts(&archive.bytes), published_cuts(&archive.bytes));
    }
}
