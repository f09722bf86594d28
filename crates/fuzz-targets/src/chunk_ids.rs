//! Chunk ids: the hash of bytes that come in pieces, and texts that may be an id.

use wopi::spooky::{ChunkId, SpookyHash};

use crate::{control, pieces};

/// The first eight bytes say where the rest is cut.
pub fn run(data: &[u8]) {
    let (lengths, bytes) = control::<8>(data);
    let mut hash = SpookyHash::new();
    pieces(bytes, &lengths).for_each(|piece| hash.update(piece));
    assert_eq!(hash.length(), bytes.len() as u64);
    let id = hash.chunk_id();
    assert_eq!(id, ChunkId::of(bytes), "however it is cut, the hash is the same");
    assert_eq!(ChunkId::parse(&id.to_string()), Some(id));

    if let Ok(text) = std::str::from_utf8(data)
        && let Some(id) = ChunkId::parse(text)
    {
        assert_eq!(id.to_string(), text, "an id has one text");
    }
}
