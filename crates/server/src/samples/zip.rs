//! A zip archive without compression: PKWARE's APPNOTE.TXT, sections 4.3.7, 4.3.12 and 4.3.16. Some 60 lines are less
//! than another dependency, and the samples are a few kilobytes.

/// An archive in the making. Parts stay in the order in which they were added.
#[derive(Default)]
pub(super) struct Zip {
    parts: Vec<(String, Vec<u8>)>,
}

/// 1980-01-01, the first day that the format knows: the samples are the same bytes whenever they are made.
const DATE: u16 = 1 << 5 | 1;
/// Version 2.0 of the format.
const VERSION: u16 = 20;
/// The names are UTF-8.
const FLAGS: u16 = 1 << 11;

impl Zip {
    /// Adds a part.
    pub(super) fn add(&mut self, path: &str, text: &str) {
        self.parts.push((path.to_owned(), text.as_bytes().to_vec()));
    }

    /// The bytes of the archive.
    pub(super) fn finish(self) -> Vec<u8> {
        let mut archive = Vec::new();
        let mut directory = Vec::new();
        for (path, bytes) in &self.parts {
            let offset = archive.len();
            let mut entry = Vec::new();
            push16(&mut entry, &[VERSION, FLAGS, 0, 0, DATE]);
            push32(&mut entry, &[crc32(bytes) as usize, bytes.len(), bytes.len()]);
            push16(&mut entry, &[path.len() as u16, 0]);

            archive.extend_from_slice(b"PK\x03\x04");
            archive.extend_from_slice(&entry);
            archive.extend_from_slice(path.as_bytes());
            archive.extend_from_slice(bytes);

            directory.extend_from_slice(b"PK\x01\x02");
            push16(&mut directory, &[VERSION]);
            directory.extend_from_slice(&entry);
            push16(&mut directory, &[0, 0, 0]);
            push32(&mut directory, &[0, offset]);
            directory.extend_from_slice(path.as_bytes());
        }
        let start = archive.len();
        archive.extend_from_slice(&directory);
        archive.extend_from_slice(b"PK\x05\x06");
        let count = self.parts.len() as u16;
        push16(&mut archive, &[0, 0, count, count]);
        push32(&mut archive, &[directory.len(), start]);
        push16(&mut archive, &[0]);
        archive
    }
}

fn push16(bytes: &mut Vec<u8>, numbers: &[u16]) {
    numbers.iter().for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
}

fn push32(bytes: &mut Vec<u8>, numbers: &[usize]) {
    numbers.iter().for_each(|number| bytes.extend_from_slice(&(*number as u32).to_le_bytes()));
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |mut crc: u32, byte| {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
        crc
    })
}

/// The parts of an archive that was made here.
#[cfg(test)]
pub(super) fn entries(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let number = |at: usize, length: usize| {
        archive[at..at + length].iter().rev().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte))
    };
    let end = archive.len() - 22;
    assert_eq!(&archive[end..end + 4], b"PK\x05\x06");
    let mut at = number(end + 16, 4);
    let mut parts = Vec::new();
    for _ in 0..number(end + 10, 2) {
        assert_eq!(&archive[at..at + 4], b"PK\x01\x02");
        let (size, name_length, local) = (number(at + 24, 4), number(at + 28, 2), number(at + 42, 4));
        let name = String::from_utf8(archive[at + 46..at + 46 + name_length].to_vec()).unwrap();
        let data = local + 30 + number(local + 26, 2);
        let bytes = archive[data..data + size].to_vec();
        assert_eq!(crc32(&bytes) as usize, number(at + 16, 4));
        parts.push((name, bytes));
        at += 46 + name_length;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn what_was_added_is_found_in_its_order() {
        let mut zip = Zip::default();
        zip.add("mimetype", "a/b");
        zip.add("ä/empty", "");
        let archive = zip.finish();
        // The first part begins at byte 38, where programs look for the type of an OpenDocument file.
        assert_eq!(&archive[30..41], b"mimetypea/b");
        assert_eq!(entries(&archive), [("mimetype".to_owned(), b"a/b".to_vec()), ("ä/empty".to_owned(), Vec::new())]);
    }
}
