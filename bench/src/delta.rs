//! A document of which one part changes: as a whole and as a delta.

use anyhow::{Context, ensure};
use bytes::Bytes;
use serde_json::{Value, json};
use wopi::ChunkId;
use wopi::frames::{self, END_FRAME};
use wopi::zip::{Cut, ZipCutter};

/// How large the document is.
pub(crate) const DOCUMENT_BYTES: usize = 20_000_000;
/// How large the part is that changes.
pub(crate) const PART_BYTES: usize = 30_000;
/// How many parts there are beside it: pictures, mostly.
const OTHER_PARTS: usize = 40;

/// A zip archive as an office program lays it out. Its parts are noise, as compressed data is.
pub(crate) struct Document {
    others: Vec<Vec<u8>>,
}

impl Document {
    pub(crate) fn new() -> Self {
        let size = (DOCUMENT_BYTES - PART_BYTES) / OTHER_PARTS;
        Self { others: (0..OTHER_PARTS as u64).map(|number| noise(number, size)).collect() }
    }

    /// The document after so many changes of its one part.
    pub(crate) fn after(&self, changes: u64) -> Bytes {
        let part = noise(1_000_000 + changes, PART_BYTES);
        let (mut file, mut directory) = (Vec::with_capacity(DOCUMENT_BYTES + 10_000), Vec::new());
        let checksum = u32::try_from(changes).unwrap_or(0);
        add(&mut file, &mut directory, "word/document.xml", &part, checksum);
        for (number, other) in self.others.iter().enumerate() {
            add(&mut file, &mut directory, &format!("word/media/image{number}.jpeg"), other, 7);
        }
        let count = (OTHER_PARTS as u16 + 1).to_le_bytes();
        let [at, length] = [file.len(), directory.len()].map(|number| (number as u32).to_le_bytes());
        file.extend([&directory[..], b"PK\x05\x06\0\0\0\0", &count, &count, &length, &at, &[0, 0]].concat());
        file.into()
    }
}

/// Adds a part to an archive. Nobody here looks at its checksum, but it changes with the part.
fn add(file: &mut Vec<u8>, directory: &mut Vec<u8>, name: &str, bytes: &[u8], checksum: u32) {
    let (size, offset) = ((bytes.len() as u32).to_le_bytes(), (file.len() as u32).to_le_bytes());
    let name_length = (name.len() as u16).to_le_bytes();
    let common =
        [&[20, 0, 6, 0, 8, 0, 0, 0, 33, 0][..], &checksum.to_le_bytes(), &size, &size, &name_length, &[0, 0]].concat();
    file.extend([b"PK\x03\x04", &common[..], name.as_bytes(), bytes].concat());
    directory.extend([b"PK\x01\x02\x14\0", &common[..], &[0; 10], &offset, name.as_bytes()].concat());
}

/// Bytes that do not repeat.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// The body of the PutChunkedFile that turns one document into another.
pub(crate) fn delta(before: &[u8], after: &[u8]) -> anyhow::Result<Bytes> {
    let known: Vec<ChunkId> = cut(before)?.into_iter().map(ChunkId::of).collect();
    let chunks = cut(after)?;
    let ids: Vec<ChunkId> = chunks.iter().map(|chunk| ChunkId::of(chunk)).collect();
    let signature: Vec<Value> = ids
        .iter()
        .zip(&chunks)
        .map(|(id, chunk)| json!({ "ChunkId": id.to_string(), "Length": chunk.len() }))
        .collect();
    let message = json!({
        "ContentProperties": [],
        "Signatures": [{ "StreamId": "MainContent", "ChunkingScheme": "Zip", "ChunkSignatures": signature }],
        "UploadSessionTokenToCommit": null,
    });
    let mut body = frames::message(message.to_string().as_bytes());
    for (id, chunk) in ids.iter().zip(&chunks).filter(|(id, _)| !known.contains(id)) {
        body.extend(frames::chunk_header(*id, chunk.len() as u64));
        body.extend(*chunk);
    }
    body.extend(END_FRAME);
    Ok(body.into())
}

/// Cuts a document as both sides do.
fn cut(file: &[u8]) -> anyhow::Result<Vec<&[u8]>> {
    let mut cutter = ZipCutter::new(file.len() as u64);
    while let Some(wanted) = cutter.wanted() {
        let range = usize::try_from(wanted.start)?..usize::try_from(wanted.end)?;
        cutter.give(file.get(range).context("beyond the end of the file")?);
    }
    let Cut::Zip(lengths) = cutter.cut() else { anyhow::bail!("the document is no archive") };
    let mut rest = file;
    let mut chunks = Vec::new();
    for length in lengths {
        let length = usize::try_from(length)?;
        ensure!(length <= rest.len(), "a chunk beyond the end of the file");
        let (chunk, behind) = rest.split_at(length);
        chunks.push(chunk);
        rest = behind;
    }
    Ok(chunks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delta_has_the_changed_part_its_header_and_the_directory() {
        let document = Document::new();
        let (before, after) = (document.after(1), document.after(2));
        assert!(before.len().abs_diff(DOCUMENT_BYTES) < 10_000, "{}", before.len());
        let (old, new) = (cut(&before).unwrap(), cut(&after).unwrap());
        assert_eq!((old.concat(), new.concat()), (before.to_vec(), after.to_vec()));
        let changed: Vec<usize> = (0..new.len()).filter(|at| old[*at] != new[*at]).collect();
        assert_eq!(changed, [0, 1, new.len() - 1]);
        let delta = delta(&before, &after).unwrap();
        assert!((PART_BYTES..PART_BYTES + 15_000).contains(&delta.len()), "{}", delta.len());
    }
}
