//! Zip archives whose directories lie, as contents: whatever they say, a client that reads and saves in chunks gets the
//! bytes of the file, and nobody unpacks anything.

use super::common::frames::{Told, save, sequence_of};
use super::common::{self};
use super::{LOCK, Scene};

/// How many entries fit into the largest directory that is read, 16 MiB.
pub(crate) const ENTRIES_MAX: usize = (16 << 20) / 46;

/// A local file header for `size` bytes of data.
fn local(name: &[u8], size: u32, flags: u16) -> Vec<u8> {
    let name_bytes = u16::try_from(name.len()).unwrap();
    let [flags, name_bytes] = [flags, name_bytes].map(u16::to_le_bytes);
    let size = size.to_le_bytes();
    [b"PK\x03\x04\x14\0", &flags[..], &[0; 10], &size, &size, &name_bytes, &[0, 0], name].concat()
}

/// Its entry in the directory.
fn entry(name: &[u8], size: u32, offset: u32, extra: &[u8]) -> Vec<u8> {
    let [name_bytes, extra_bytes] =
        [name.len(), extra.len()].map(|length| u16::try_from(length).unwrap().to_le_bytes());
    let [size, offset] = [size, offset].map(u32::to_le_bytes);
    let mut entry = [b"PK\x01\x02\x14\0\x14\0\0\0", &[0; 10][..], &size, &size, &name_bytes, &extra_bytes].concat();
    entry.extend([0; 10]);
    entry.extend(offset);
    entry.extend(name);
    entry.extend(extra);
    entry
}

/// The end record.
fn end(count: u16, length: u32, offset: u32) -> Vec<u8> {
    let count = count.to_le_bytes();
    [b"PK\x05\x06\0\0\0\0", &count[..], &count, &length.to_le_bytes(), &offset.to_le_bytes(), &[0, 0]].concat()
}

/// An archive of these local parts and this directory.
fn archive(parts: &[u8], directory: &[u8]) -> Vec<u8> {
    let [at, length] = [parts.len(), directory.len()].map(|length| u32::try_from(length).unwrap());
    [parts, directory, &end(1, length, at)].concat()
}

/// An archive whose directory has as many entries as fit, all for the same few bytes.
pub(crate) fn endless_directory(entries: usize) -> Vec<u8> {
    archive(&[local(b"", 5, 0), b"12345".to_vec()].concat(), &entry(b"", 5, 0, &[]).repeat(entries))
}

fn lying_archives() -> Vec<(&'static str, Vec<u8>)> {
    let part = [local(b"a", 5, 0), b"12345".to_vec()].concat();
    let size = u32::try_from(part.len()).unwrap();
    let two = [&part[..], &part].concat();
    let both = [entry(b"a", 5, 0, &[]), entry(b"b", 5, size, &[])].concat();
    let huge = |low: u64, high: u64| [&[1, 0, 16, 0][..], &low.to_le_bytes(), &high.to_le_bytes()].concat();
    let good = archive(&two, &both);
    let locator = |at: u64| [b"PK\x06\x07\0\0\0\0", &at.to_le_bytes()[..], &[1, 0, 0, 0]].concat();
    let mut directory_in_itself = good.clone();
    let length = good.len();
    directory_in_itself[length - 10..length - 6].copy_from_slice(&1_000u32.to_le_bytes());
    vec![
        ("one that does not lie", good.clone()),
        ("only a beginning", local(b"a", 5, 0).repeat(3)),
        ("a directory behind the end", [&two[..], &both, &end(2, 94, u32::MAX)].concat()),
        ("a directory of 4 GiB", [&two[..], &both, &end(2, u32::MAX, 70)].concat()),
        ("a directory at 0", [&two[..], &both, &end(2, 94, 0)].concat()),
        ("a directory that reaches into the end record", directory_in_itself),
        ("a directory of other bytes", archive(&two, &[7; 94])),
        ("half an entry", archive(&two, &both[..60])),
        ("a name beyond the directory", archive(&two, &[&both[..28], &[0xff; 20], &both[48..]].concat())),
        ("two entries for one part", archive(&two, &entry(b"a", 5, 0, &[]).repeat(2))),
        ("entries in the wrong order", archive(&two, &[entry(b"b", 5, size, &[]), entry(b"a", 5, 0, &[])].concat())),
        ("entries that overlap", archive(&two, &[entry(b"a", 40, 0, &[]), entry(b"b", 5, 20, &[])].concat())),
        ("an entry within the next one", archive(&two, &[entry(b"a", 5, 0, &[]), entry(b"b", 5, 1, &[])].concat())),
        (
            "an entry behind the directory",
            archive(&two, &[entry(b"a", 5, 0, &[]), entry(b"b", 5, 9_999, &[])].concat()),
        ),
        ("no entry at the beginning", archive(&two, &entry(b"b", 5, size, &[]))),
        ("an entry of 4 GiB", archive(&two, &entry(b"a", u32::MAX - 1, 0, &[]))),
        ("an entry of 2^64 bytes", archive(&two, &entry(b"a", u32::MAX, 0, &huge(u64::MAX, u64::MAX)))),
        ("an entry of 2^63 bytes", archive(&two, &entry(b"a", u32::MAX, 0, &huge(1 << 63, 1 << 63)))),
        (
            "an entry at 2^64 - 1",
            archive(&two, &[entry(b"a", 5, 0, &[]), entry(b"b", 5, u32::MAX, &huge(u64::MAX, 0))].concat()),
        ),
        ("a long size that is not there", archive(&two, &entry(b"a", u32::MAX, 0, &[1, 0, 99, 0]))),
        ("a local name beyond the file", {
            let mut local = part.clone();
            local[26..28].copy_from_slice(&u16::MAX.to_le_bytes());
            archive(&[&local[..], &part].concat(), &both)
        }),
        ("a local size that differs", archive(&[local(b"a", 4, 0), b"12345".to_vec(), part.clone()].concat(), &both)),
        ("sizes behind the data", archive(&[local(b"a", 0, 8), b"12345".to_vec(), part.clone()].concat(), &both)),
        ("a long end record at 2^64 - 1", [&two[..], &both, &locator(u64::MAX), &end(2, 94, 70)].concat()),
        ("a long end record at itself", [&two[..], &both, &locator(70 + 94), &end(2, 94, 70)].concat()),
        ("an archive in the comment", [&good[..good.len() - 2], &(good.len() as u16).to_le_bytes(), &good].concat()),
        ("end records without end", [&two[..], &b"PK\x05\x06".repeat(30_000)].concat()),
        ("the longest directory", endless_directory(ENTRIES_MAX)),
        ("a longer one", endless_directory(ENTRIES_MAX + 1)),
        ("an endless directory that does not overlap", {
            let parts = local(b"", 0, 0).repeat(100_000);
            let entries: Vec<u8> = (0..100_000u32).flat_map(|number| entry(b"", 0, number * 30, &[])).collect();
            archive(&parts, &entries)
        }),
    ]
}

#[test]
fn whatever_an_archive_says_its_chunks_are_its_bytes() {
    common::run(240, async {
        let mut scene = Scene::begin().await;
        for (what, bytes) in lying_archives() {
            let saved = scene.client().await.put_file(LOCK, bytes.clone()).await.unwrap();
            assert_eq!(saved.status, 200, "{what}: {saved:?}");
            let told = Told::read(&scene.send(&scene.file.get_chunked(&["MainContent", "Other"])).await);
            let chunks = told.stream(0);
            assert!(chunks.concat() == bytes, "{what}: {} bytes, in chunks {}", bytes.len(), chunks.concat().len());
            assert!(chunks.iter().all(|chunk| !chunk.is_empty()), "{what}: a chunk of no bytes");
            assert!(told.stream(1).is_empty());

            // A client that knows these chunks puts something in front, and sends nothing else.
            let front = b"in front".to_vec();
            let next: Vec<Vec<u8>> = std::iter::once(front.clone()).chain(chunks.into_iter().take(1000)).collect();
            let body = save(&next, &[&front]);
            let request = scene.file.put_chunked(told.sequence).header("X-WOPI-Lock", LOCK).body(body);
            let saved = scene.send(&request).await;
            assert_eq!(saved.status, 200, "{what}: {saved:?}");
            assert!(sequence_of(&saved) > told.sequence, "{what}");
            scene.holds(&next.concat(), what).await;
        }
    });
}
