//! SpookyHash V2 in 128 bits, by which incremental file transfer names the parts of a file.
//!
//! A chunk is hashed while it streams by, so the hash takes its input in pieces; a piece may end anywhere. Both seeds
//! are 0, which is the only form that WOPI uses. The hash is no cryptographic one: whoever wants two chunks with one id
//! can make them, so an id may say which bytes are meant, never who may have them.
//!
//! Source: SpookyHash V2 by Bob Jenkins (public domain, burtleburtle.net/bob/hash/spooky.html), written here from its
//! description. The test vectors are in `tests/data/spooky-vectors.json`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The id of a chunk: the hash of its bytes, each of the two words with its lowest byte first.
///
/// In JSON it is standard base64 with padding, 24 characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChunkId(pub [u8; 16]);

impl ChunkId {
    /// How many characters the text form has.
    pub const TEXT_LENGTH: usize = 24;

    /// The id of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hash = SpookyHash::new();
        hash.update(bytes);
        hash.chunk_id()
    }

    /// The id that the text form spells; `None` if it spells none.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != Self::TEXT_LENGTH {
            return None;
        }
        STANDARD.decode(text).ok()?.try_into().ok().map(Self)
    }
}

impl fmt::Display for ChunkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for ChunkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChunkId({self})")
    }
}

/// What is added where there is no input.
const FILLER: u64 = 0xdead_beef_dead_beef;

/// Words of the long form's state.
const WORDS: usize = 12;
/// Bytes that the long form takes at once.
const BLOCK: usize = 8 * WORDS;
/// From this length on the long form is used.
const LONG: usize = 2 * BLOCK;

/// Rotations of the long form's blocks.
const BLOCK_ROTATIONS: [u32; WORDS] = [11, 32, 43, 31, 17, 28, 39, 57, 55, 54, 22, 46];
/// Rotations at the end of the long form.
const END_ROTATIONS: [u32; WORDS] = [44, 15, 34, 21, 38, 33, 10, 13, 38, 53, 42, 54];
/// Rotations of the short form's steps.
const STEP_ROTATIONS: [u32; 12] = [50, 52, 30, 41, 54, 48, 38, 37, 62, 34, 5, 36];
/// Rotations at the end of the short form.
const SHORT_END_ROTATIONS: [u32; 11] = [15, 52, 26, 51, 28, 9, 47, 54, 32, 25, 63];

/// A hash under way.
///
/// ```
/// use wopi::spooky::{ChunkId, SpookyHash};
///
/// let mut hash = SpookyHash::new();
/// hash.update(b"foo");
/// hash.update(b"bar");
/// assert_eq!(hash.chunk_id(), ChunkId::of(b"foobar"));
/// assert_eq!(hash.chunk_id().to_string(), "md7tA6VXwIaaYjdO4o8XZQ==");
/// ```
#[derive(Clone)]
pub struct SpookyHash {
    /// The long form's state; untouched while `length < LONG`.
    state: [u64; WORDS],
    /// What was not mixed in yet: everything of a short input, else less than a block.
    held: [u8; LONG],
    held_length: usize,
    length: u64,
}

impl Default for SpookyHash {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for SpookyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpookyHash").field("length", &self.length).finish_non_exhaustive()
    }
}

impl SpookyHash {
    /// The hash of nothing so far.
    pub fn new() -> Self {
        let mut state = [0; WORDS];
        for triple in state.chunks_exact_mut(3) {
            triple[2] = FILLER;
        }
        Self { state, held: [0; LONG], held_length: 0, length: 0 }
    }

    /// How many bytes were taken in.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Takes in more bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        // Nothing is mixed before it is certain that the input is a long one.
        let room = if self.length < LONG as u64 { LONG } else { BLOCK };
        self.length = self.length.wrapping_add(bytes.len() as u64);
        if self.held_length + bytes.len() < room {
            self.hold(bytes);
            return;
        }
        if self.held_length > 0 {
            let (fill, rest) = bytes.split_at(room - self.held_length);
            self.hold(fill);
            let held = self.held;
            held[..room].chunks_exact(BLOCK).for_each(|block| mix_block(&mut self.state, block));
            self.held_length = 0;
            bytes = rest;
        }
        let (blocks, rest) = bytes.split_at(bytes.len() - bytes.len() % BLOCK);
        blocks.chunks_exact(BLOCK).for_each(|block| mix_block(&mut self.state, block));
        self.hold(rest);
    }

    fn hold(&mut self, bytes: &[u8]) {
        self.held[self.held_length..self.held_length + bytes.len()].copy_from_slice(bytes);
        self.held_length += bytes.len();
    }

    /// Both words of the hash of what was taken in so far.
    pub fn words(&self) -> (u64, u64) {
        let held = &self.held[..self.held_length];
        if self.length < LONG as u64 { short(held, self.length) } else { long_end(self.state, held) }
    }

    /// The id of a chunk that consists of what was taken in so far.
    pub fn chunk_id(&self) -> ChunkId {
        let (first, second) = self.words();
        let mut id = [0; 16];
        id[..8].copy_from_slice(&first.to_le_bytes());
        id[8..].copy_from_slice(&second.to_le_bytes());
        ChunkId(id)
    }

    /// Whether a client may call what was taken in by this id: the hash with its two words in little-endian order, which
    /// is [`Self::chunk_id`] and what the official validator demands, or in big-endian order.
    ///
    /// The documents give no order, and a comment in the validator's source says that native code of Office has the other
    /// one. Both name the same bytes, so whoever uses either is understood.
    pub fn is_called(&self, id: ChunkId) -> bool {
        let mut swapped = id;
        swapped.0[..8].reverse();
        swapped.0[8..].reverse();
        let called = self.chunk_id();
        called == id || called == swapped
    }
}

/// At most eight bytes as a number, the lowest first; missing ones are 0.
fn word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(word)
}

fn mix_block(h: &mut [u64; WORDS], block: &[u8]) {
    for (i, bytes) in block.chunks_exact(8).enumerate() {
        h[i] = h[i].wrapping_add(word(bytes));
        h[(i + 2) % WORDS] ^= h[(i + 10) % WORDS];
        h[(i + 11) % WORDS] ^= h[i];
        h[i] = h[i].rotate_left(BLOCK_ROTATIONS[i]);
        h[(i + 11) % WORDS] = h[(i + 11) % WORDS].wrapping_add(h[(i + 1) % WORDS]);
    }
}

/// The tail block is added without being mixed, its last byte says how much of it is input, and the end is mixed thrice.
fn long_end(mut h: [u64; WORDS], tail: &[u8]) -> (u64, u64) {
    let mut block = [0; BLOCK];
    block[..tail.len()].copy_from_slice(tail);
    block[BLOCK - 1] = tail.len() as u8;
    for (h, bytes) in h.iter_mut().zip(block.chunks_exact(8)) {
        *h = h.wrapping_add(word(bytes));
    }
    for _ in 0..3 {
        for i in 0..WORDS {
            h[(i + 11) % WORDS] = h[(i + 11) % WORDS].wrapping_add(h[(i + 1) % WORDS]);
            h[(i + 2) % WORDS] ^= h[(i + 11) % WORDS];
            h[(i + 1) % WORDS] = h[(i + 1) % WORDS].rotate_left(END_ROTATIONS[i]);
        }
    }
    (h[0], h[1])
}

fn short(input: &[u8], length: u64) -> (u64, u64) {
    let mut h = [0, 0, FILLER, FILLER];
    let mix = |h: &mut [u64; 4]| {
        for (j, rotation) in STEP_ROTATIONS.into_iter().enumerate() {
            let (i, p, q) = (j % 4, (j + 2) % 4, (j + 3) % 4);
            h[p] = h[p].rotate_left(rotation).wrapping_add(h[q]);
            h[i] ^= h[p];
        }
    };
    let mut steps = input.chunks_exact(32);
    for step in &mut steps {
        h[2] = h[2].wrapping_add(word(&step[..8]));
        h[3] = h[3].wrapping_add(word(&step[8..16]));
        mix(&mut h);
        h[0] = h[0].wrapping_add(word(&step[16..24]));
        h[1] = h[1].wrapping_add(word(&step[24..]));
    }
    let mut rest = steps.remainder();
    if let Some((half, after)) = rest.split_at_checked(16) {
        h[2] = h[2].wrapping_add(word(&half[..8]));
        h[3] = h[3].wrapping_add(word(&half[8..]));
        mix(&mut h);
        rest = after;
    }
    h[3] = h[3].wrapping_add(length << 56);
    if rest.is_empty() {
        h[2] = h[2].wrapping_add(FILLER);
        h[3] = h[3].wrapping_add(FILLER);
    } else {
        let (low, high) = rest.split_at(rest.len().min(8));
        h[2] = h[2].wrapping_add(word(low));
        h[3] = h[3].wrapping_add(word(high));
    }
    for (j, rotation) in SHORT_END_ROTATIONS.into_iter().enumerate() {
        let (p, q) = ((j + 2) % 4, (j + 3) % 4);
        h[q] ^= h[p];
        h[p] = h[p].rotate_left(rotation);
        h[q] = h[q].wrapping_add(h[p]);
    }
    (h[0], h[1])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../tests/data/spooky-vectors.json")).unwrap()
    }

    fn unhex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    /// The input of a vector: as hexadecimal, as text, or by a rule.
    fn input(vector: &Value) -> Vec<u8> {
        let length = vector["length"].as_u64().unwrap();
        let input = &vector["input"];
        if let Some(hex) = input["hex"].as_str() {
            return unhex(hex);
        }
        if let Some(text) = input["utf8"].as_str() {
            return text.as_bytes().to_vec();
        }
        match input["rule"].as_str().unwrap() {
            rule if rule.starts_with("byte[i] = i mod 256") => (0..length).map(|i| (i % 256) as u8).collect(),
            rule if rule.starts_with("byte[i] = (31*i + 7) mod 251") => {
                (0..length).map(|i| ((31 * i + 7) % 251) as u8).collect()
            }
            rule => panic!("unknown rule {rule}"),
        }
    }

    #[test]
    fn every_published_vector_is_met() {
        let vectors = vectors();
        let vectors = vectors["vectors"].as_array().unwrap();
        assert!(vectors.len() >= 25, "{}", vectors.len());
        for vector in vectors {
            let name = vector["name"].as_str().unwrap();
            let bytes = input(vector);
            assert_eq!(bytes.len() as u64, vector["length"].as_u64().unwrap(), "{name}");
            let mut hash = SpookyHash::new();
            hash.update(&bytes);
            let (first, second) = hash.words();
            assert_eq!(format!("{first:016x}"), vector["hash1"].as_str().unwrap(), "{name}");
            assert_eq!(format!("{second:016x}"), vector["hash2"].as_str().unwrap(), "{name}");
            let id = hash.chunk_id();
            assert_eq!(id.0.to_vec(), unhex(vector["chunk_id_hex"].as_str().unwrap()), "{name}");
            let text = vector["chunk_id_base64"].as_str().unwrap();
            assert_eq!(id.to_string(), text, "{name}");
            assert_eq!(ChunkId::parse(text), Some(id), "{name}");
        }
    }

    #[test]
    fn an_id_is_16_bytes_in_padded_base64() {
        for bad in [
            "",
            "GQn1a/wGJyPHUei0Ze5yiw",
            "GQn1a/wGJyPHUei0Ze5yi===",
            "GQn1a_wGJyPHUei0Ze5yiw==",
            "AAAAAAAAAAAAAAAAAAAAAAAA",
            "AAAAAAAAAAAAAAAAAAAAAAA=",
            // Bits that stand for nothing: two texts for one id.
            "GQn1a/wGJyPHUei0Ze5yix==",
            "GQn1a/wGJyPHUei0Ze5yiw= ",
            "GQn1a/wGJyPHUei0Ze5y\u{e9}==",
        ] {
            assert_eq!(ChunkId::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(bytes in prop::collection::vec(any::<u8>(), 0..1000), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8)) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.push(bytes.len());
            cuts.sort_unstable();
            let mut hash = SpookyHash::new();
            let mut from = 0;
            for cut in cuts {
                hash.update(&bytes[from..cut]);
                from = cut;
            }
            prop_assert_eq!(hash.length(), bytes.len() as u64);
            prop_assert_eq!(hash.chunk_id(), ChunkId::of(&bytes));
        }
    }
}
