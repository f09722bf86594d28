//! Where a zip archive is cut into chunks: before and after each local file header, and before the central directory.
//!
//! Only the structure is read, a few bytes at a time; nothing is unpacked and the archive is never held. [`ZipCutter`]
//! does no I/O: it says which bytes it wants to see, and whoever has them gives them.
//!
//! The published rule walks from one local header to the next by the sizes in them, which is all that the documents
//! Office writes need. Other archives leave those sizes out (data descriptors, zip64), so the central directory is read
//! first and says where each entry begins; for the archives of the published rule both give the same cuts. An entry's
//! data, its data descriptor and any gap behind it are one chunk.
//!
//! | the bytes | cut |
//! |---|---|
//! | no local header at the beginning, or no end record whose numbers fit | not at all |
//! | a central directory that is damaged, or larger than [`DIRECTORY_BYTES_MAX`] | not at all |
//! | an entry that overlaps the next, has no local header, or says something else there | the rest is the last chunk |
//! | more chunks than [`CHUNKS_MAX`] | the rest is the last chunk |
//!
//! However it is cut, the chunks put together are the file: a poor cut costs bytes on the wire, nothing else.
//!
//! Sources: *CSPP Plus*, "Chunk streams"; PKWARE's APPNOTE for the structures.

use std::ops::Range;

use crate::frames::CHUNKS_MAX;

/// Largest central directory that is read, in bytes.
pub const DIRECTORY_BYTES_MAX: u64 = 16 << 20;

const LOCAL_HEADER: u32 = 0x0403_4b50;
const DIRECTORY_HEADER: u32 = 0x0201_4b50;
const END_RECORD: u32 = 0x0605_4b50;
const END_RECORD_64: u32 = 0x0606_4b50;
const END_LOCATOR_64: u32 = 0x0706_4b50;

const LOCAL_HEADER_LENGTH: u64 = 30;
const DIRECTORY_HEADER_LENGTH: usize = 46;
const END_RECORD_LENGTH: usize = 22;
const END_RECORD_64_LENGTH: u64 = 56;
const END_LOCATOR_64_LENGTH: usize = 20;

/// Longest comment of an archive.
const COMMENT_LENGTH_MAX: u64 = u16::MAX as u64;

/// The extra field with the sizes that did not fit.
const ZIP64_EXTRA: u16 = 1;

/// The local header has no sizes; they follow the data.
const HAS_DESCRIPTOR: u16 = 1 << 3;

/// How a file is cut.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cut {
    /// It is no archive that we understand: one chunk.
    FullFile,
    /// It is one: the length of each chunk, in order, none of them 0.
    Zip(Vec<u64>),
}

/// An entry as the central directory tells it.
#[derive(Clone, Copy, Debug)]
struct Entry {
    offset: u64,
    compressed: u64,
}

#[derive(Clone, Debug)]
enum Step {
    Beginning,
    Tail,
    End64,
    Directory,
    /// The local header of this entry.
    Local(usize),
    Done,
}

/// Finds the cuts of one file.
///
/// ```
/// use wopi::zip::{Cut, ZipCutter};
///
/// let file = b"no archive at all";
/// let mut cutter = ZipCutter::new(file.len() as u64);
/// while let Some(wanted) = cutter.wanted() {
///     cutter.give(&file[wanted.start as usize..wanted.end as usize]);
/// }
/// assert_eq!(cutter.cut(), Cut::FullFile);
/// ```
#[derive(Clone, Debug)]
pub struct ZipCutter {
    size: u64,
    step: Step,
    wanted: Range<u64>,
    /// Where the directory begins, once that is known.
    directory: u64,
    entries: Vec<Entry>,
    /// Where chunks begin, besides at 0; ascending.
    cuts: Vec<u64>,
    full: bool,
}

impl ZipCutter {
    /// For a file of this size.
    pub fn new(size: u64) -> Self {
        let mut cutter = Self {
            size,
            step: Step::Done,
            wanted: 0..0,
            directory: 0,
            entries: Vec::new(),
            cuts: Vec::new(),
            full: true,
        };
        if size >= LOCAL_HEADER_LENGTH + END_RECORD_LENGTH as u64 {
            cutter.want(Step::Beginning, 0..4);
        }
        cutter
    }

    /// The bytes to be given next; `None` once all is known. Never empty, never beyond the end of the file, never more
    /// than [`DIRECTORY_BYTES_MAX`].
    ///
    /// At most four ranges come before the local headers, of which there are fewer than [`CHUNKS_MAX`], each of 30 bytes
    /// and behind the one before: who has far to go for some bytes may read ahead.
    pub fn wanted(&self) -> Option<Range<u64>> {
        (!matches!(self.step, Step::Done)).then(|| self.wanted.clone())
    }

    /// Gives the bytes that are wanted. Fewer than those are no archive.
    pub fn give(&mut self, bytes: &[u8]) {
        let step = std::mem::replace(&mut self.step, Step::Done);
        if bytes.len() as u64 != self.wanted.end - self.wanted.start {
            self.full = true;
            return;
        }
        // Whatever cannot be read leaves the step `Done`, with the cuts found so far.
        let _ = match step {
            Step::Beginning => self.beginning(bytes),
            Step::Tail => self.tail(bytes),
            Step::End64 => self.end_64(bytes),
            Step::Directory => self.read_directory(bytes),
            Step::Local(at) => self.local(at, bytes),
            Step::Done => None,
        };
    }

    /// How the file is cut, as far as it is known.
    pub fn cut(self) -> Cut {
        if self.full {
            return Cut::FullFile;
        }
        let ends = self.cuts.iter().copied().chain([self.size]);
        let mut lengths = Vec::with_capacity(self.cuts.len() + 1);
        let mut from = 0;
        for end in ends {
            lengths.push(end - from);
            from = end;
        }
        Cut::Zip(lengths)
    }

    fn want(&mut self, step: Step, wanted: Range<u64>) {
        (self.step, self.wanted) = (step, wanted);
    }

    fn beginning(&mut self, bytes: &[u8]) -> Option<()> {
        if number_4(bytes, 0)? == LOCAL_HEADER {
            let tail = END_RECORD_LENGTH as u64 + COMMENT_LENGTH_MAX + END_LOCATOR_64_LENGTH as u64;
            self.want(Step::Tail, self.size.saturating_sub(tail)..self.size);
        }
        Some(())
    }

    /// The last end record whose comment reaches exactly to the end of the file.
    fn tail(&mut self, bytes: &[u8]) -> Option<()> {
        let at = (0..=bytes.len().checked_sub(END_RECORD_LENGTH)?).rev().find(|at| {
            number_4(bytes, *at) == Some(END_RECORD)
                && number_2(bytes, at + 20)
                    .is_some_and(|comment| at + END_RECORD_LENGTH + usize::from(comment) == bytes.len())
        })?;
        let end_record = self.wanted.start + at as u64;
        let (length, offset) = (number_4(bytes, at + 12)?, number_4(bytes, at + 16)?);
        let one_disk = number_2(bytes, at + 4)? == 0 && number_2(bytes, at + 6)? == 0;
        let locator = at.checked_sub(END_LOCATOR_64_LENGTH).filter(|at| number_4(bytes, *at) == Some(END_LOCATOR_64));
        if let Some(locator) = locator {
            let at = number_8(bytes, locator + 8)?;
            let end = at.checked_add(END_RECORD_64_LENGTH)?;
            if end <= self.wanted.start + locator as u64 {
                self.want(Step::End64, at..end);
            }
        } else if one_disk {
            self.want_directory(u64::from(offset), u64::from(length), end_record)?;
        }
        Some(())
    }

    fn end_64(&mut self, bytes: &[u8]) -> Option<()> {
        let one_disk = number_4(bytes, 16)? == 0 && number_4(bytes, 20)? == 0;
        if number_4(bytes, 0)? == END_RECORD_64 && one_disk {
            let (length, offset) = (number_8(bytes, 40)?, number_8(bytes, 48)?);
            let end_record = self.wanted.start;
            self.want_directory(offset, length, end_record)?;
        }
        Some(())
    }

    fn want_directory(&mut self, offset: u64, length: u64, end_record: u64) -> Option<()> {
        let end = offset.checked_add(length)?;
        let fits = offset >= LOCAL_HEADER_LENGTH && end <= end_record;
        if fits && (DIRECTORY_HEADER_LENGTH as u64..=DIRECTORY_BYTES_MAX).contains(&length) {
            self.directory = offset;
            self.want(Step::Directory, offset..end);
        }
        Some(())
    }

    fn read_directory(&mut self, bytes: &[u8]) -> Option<()> {
        let mut at = 0;
        while at < bytes.len() {
            if number_4(bytes, at)? != DIRECTORY_HEADER {
                return None;
            }
            let name = usize::from(number_2(bytes, at + 28)?);
            let extra = usize::from(number_2(bytes, at + 30)?);
            let comment = usize::from(number_2(bytes, at + 32)?);
            let extra_at = at + DIRECTORY_HEADER_LENGTH + name;
            let fields = bytes.get(extra_at..extra_at + extra)?;
            self.entries.push(entry(bytes.get(at..at + DIRECTORY_HEADER_LENGTH)?, fields)?);
            at = extra_at + extra + comment;
            if at > bytes.len() {
                return None;
            }
        }
        self.entries.sort_by_key(|entry| entry.offset);
        if self.entries.first().is_some_and(|first| first.offset == 0) {
            self.want_local(0);
        }
        Some(())
    }

    /// The end of an entry with all that belongs to it: where the next begins, or the directory.
    fn end_of(&self, at: usize) -> u64 {
        self.entries.get(at + 1).map_or(self.directory, |next| next.offset)
    }

    fn want_local(&mut self, at: usize) {
        let Some(entry) = self.entries.get(at) else {
            self.cut_at(self.directory);
            return;
        };
        // The header itself has to lie before the next entry, and the chunks of this one and the last one must fit.
        let room = entry.offset.checked_add(LOCAL_HEADER_LENGTH).is_some_and(|end| end <= self.end_of(at));
        if room && self.end_of(at) <= self.directory && self.cuts.len() + 4 <= CHUNKS_MAX {
            self.want(Step::Local(at), entry.offset..entry.offset + LOCAL_HEADER_LENGTH);
        } else {
            self.cut_at(self.entries[at].offset);
        }
    }

    fn local(&mut self, at: usize, bytes: &[u8]) -> Option<()> {
        let (entry, end) = (self.entries[at], self.end_of(at));
        // From here on it is an archive, wherever its last chunk begins.
        let data = self.data_of(entry, end, bytes);
        if at == 0 && data.is_none() {
            return None;
        }
        self.full = false;
        self.cut_at(entry.offset);
        if let Some(data) = data {
            self.cut_at(data);
            if data < end {
                self.cut_at(end);
            }
            self.want_local(at + 1);
        }
        Some(())
    }

    /// Where the data of an entry begins, if its local header says nothing that does not fit.
    fn data_of(&self, entry: Entry, end: u64, header: &[u8]) -> Option<u64> {
        let said = number_4(header, 18)?;
        let says_so =
            number_2(header, 6)? & HAS_DESCRIPTOR != 0 || said == u32::MAX || u64::from(said) == entry.compressed;
        let names = u64::from(number_2(header, 26)?) + u64::from(number_2(header, 28)?);
        let data = entry.offset.checked_add(LOCAL_HEADER_LENGTH + names)?;
        let fits = data.checked_add(entry.compressed).is_some_and(|data_end| data_end <= end);
        (number_4(header, 0)? == LOCAL_HEADER && says_so && fits).then_some(data)
    }

    fn cut_at(&mut self, at: u64) {
        if at > self.cuts.last().copied().unwrap_or(0) && at < self.size {
            self.cuts.push(at);
        }
    }
}

/// An entry of the central directory, its sizes taken from the zip64 field where they are too large for their own.
fn entry(header: &[u8], mut extra: &[u8]) -> Option<Entry> {
    let (compressed, uncompressed) = (number_4(header, 20)?, number_4(header, 24)?);
    let offset = number_4(header, 42)?;
    let mut long: &[u8] = &[];
    while let (Some(kind), Some(length)) = (number_2(extra, 0), number_2(extra, 2)) {
        let field = extra.get(4..4 + usize::from(length))?;
        if kind == ZIP64_EXTRA {
            long = field;
            break;
        }
        extra = &extra[4 + usize::from(length)..];
    }
    let mut value = |short: u32| {
        if short != u32::MAX {
            return Some(u64::from(short));
        }
        let value = number_8(long, 0)?;
        long = &long[8..];
        Some(value)
    };
    // In this order, and only those that did not fit.
    let (_, compressed, offset) = (value(uncompressed)?, value(compressed)?, value(offset)?);
    Some(Entry { offset, compressed })
}

fn number_2(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn number_4(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn number_8(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests;
