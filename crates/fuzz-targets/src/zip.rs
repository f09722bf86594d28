//! Archives, and ranges of files that could not exist.

use std::borrow::Cow;
use std::ops::Range;

use wopi::frames::CHUNKS_MAX;
use wopi::zip::{Cut, DIRECTORY_BYTES_MAX, ZipCutter};

use crate::control;

/// More ranges than that are never wanted.
const RANGES_MAX: usize = CHUNKS_MAX + 4;

/// Larger ranges of a file that does not exist are answered with fewer bytes, to stay fast.
const INVENTED_BYTES_MAX: u64 = 1 << 17;

/// As much is found at each range of such a file, and zeros.
const FOUND_BYTES_MAX: usize = 128;

/// The range that holds the end record is the second one.
const TAIL: usize = 1;

/// With 0 as its first byte the rest is a file; with 1 it is a size, and then what is found at each range in turn.
pub fn run(data: &[u8]) {
    let ([mode], file) = control::<1>(data);
    if mode & 1 == 0 { real(file) } else { invented(file) }
}

fn real(file: &[u8]) {
    let size = file.len() as u64;
    let mut read = 0;
    let cut = cut(size, |wanted, _| {
        read += wanted.end - wanted.start;
        Cow::Borrowed(&file[wanted.start as usize..wanted.end as usize])
    });
    assert!(read <= 2 * size + 100, "{read} bytes read of {size}");
    if let Cut::Zip(lengths) = &cut {
        let name_and_extra = |at: usize| usize::from(u16::from_le_bytes([file[at], file[at + 1]]));
        assert!(file.starts_with(b"PK\x03\x04"));
        assert_eq!(lengths[0], 30 + (name_and_extra(26) + name_and_extra(28)) as u64, "the first local header");
    }

    // Whoever gives less than is wanted gets no archive, wherever that happens.
    let stop = file.iter().fold(0, |sum: usize, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte))) % 8;
    let mut stopped = false;
    let short = self::cut(size, |wanted, step| {
        stopped = step == stop;
        Cow::Borrowed(&file[wanted.start as usize..wanted.end as usize - usize::from(stopped)])
    });
    assert_eq!(short, if stopped { Cut::FullFile } else { cut });
}

fn invented(data: &[u8]) {
    let (size, mut found) = control::<8>(data);
    cut(u64::from_le_bytes(size), |wanted, step| {
        let length = wanted.end - wanted.start;
        if length > INVENTED_BYTES_MAX {
            return Cow::Borrowed(&[]);
        }
        let length = length as usize;
        let (next, rest) = found.split_at(found.len().min(length).min(FOUND_BYTES_MAX));
        found = rest;
        let mut given = vec![0; length];
        // The end record is at the end of its range; everything else at the beginning.
        let at = if step == TAIL { length - next.len() } else { 0 };
        given[at..at + next.len()].copy_from_slice(next);
        Cow::Owned(given)
    });
}

/// Cuts a file, looking at everything that the cutter promises.
fn cut<'a>(size: u64, mut bytes: impl FnMut(Range<u64>, usize) -> Cow<'a, [u8]>) -> Cut {
    let mut cutter = ZipCutter::new(size);
    let mut ranges = 0;
    while let Some(wanted) = cutter.wanted() {
        assert!(wanted.start < wanted.end && wanted.end <= size, "{wanted:?} of {size}");
        assert!(wanted.end - wanted.start <= DIRECTORY_BYTES_MAX, "{wanted:?}");
        cutter.give(&bytes(wanted, ranges));
        ranges += 1;
        assert!(ranges <= RANGES_MAX);
    }
    let cut = cutter.cut();
    if let Cut::Zip(lengths) = &cut {
        assert!(lengths.len() <= CHUNKS_MAX && lengths.iter().all(|length| *length > 0));
        let sum = lengths.iter().try_fold(0u64, |sum, length| sum.checked_add(*length));
        assert_eq!(sum, Some(size), "put together the chunks are the file");
    }
    cut
}
