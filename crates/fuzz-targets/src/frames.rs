//! Bodies of frames, cut anywhere.

use wopi::frames::{self, ChunkRange, Event, FrameError, FrameLimits, FrameReader};
use wopi::spooky::ChunkId;

use crate::{control, pieces};

/// How often a reader that refused something is asked again.
const ASKED_AGAIN: usize = 8;

/// What stands in a body, with its chunks put together.
#[derive(PartialEq, Eq, Debug)]
enum Whole {
    Message(Vec<u8>),
    Chunk(ChunkId, Vec<u8>),
    Range(ChunkRange, Vec<u8>),
    End,
}

/// The first byte says what kind of body it is and how narrow the limits are, the next seven where it is cut.
pub fn run(data: &[u8]) {
    let ([mode, lengths @ ..], body) = control::<8>(data);
    let limits = if mode & 2 == 0 {
        FrameLimits::with_chunks_of(1 << 40)
    } else {
        FrameLimits { message_bytes_max: 40, chunks_max: 3, chunk_bytes_max: 30 }
    };
    let chunks_only = mode & 1 == 1;
    let reader = || if chunks_only { FrameReader::of_chunks(limits) } else { FrameReader::new(limits) };
    let whole = gather(reader(), limits, [body].into_iter());
    let cut = gather(reader(), limits, pieces(body, &lengths));
    assert_eq!(whole, cut, "however it is cut, the same is found");

    let (found, result) = whole;
    let written = written(&found);
    assert_eq!(Some(&written[..]), body.get(..written.len()), "what is read is written the same");
    if result.is_ok() {
        let ends = found.last() == Some(&Whole::End);
        assert_eq!(ends, !chunks_only, "a body ends with an end frame, the chunks of an upload with none");
        assert!(ends || written.len() == body.len(), "nothing was left out");
    }
}

fn gather<'a>(
    mut reader: FrameReader,
    limits: FrameLimits,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> (Vec<Whole>, Result<(), FrameError>) {
    let mut found = Vec::new();
    let mut open: Option<(Whole, u64)> = None;
    let mut chunks = 0;
    for mut piece in pieces {
        loop {
            let event = match reader.next(&mut piece) {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(error) => {
                    for _ in 0..ASKED_AGAIN {
                        let _ = reader.next(&mut piece);
                    }
                    return (found, Err(error));
                }
            };
            match event {
                Event::Message(message) => {
                    assert!(!message.is_empty() && message.len() as u64 <= limits.message_bytes_max);
                    found.push(Whole::Message(message));
                }
                Event::Chunk { id, length } => open = Some((Whole::Chunk(id, Vec::new()), length)),
                Event::ChunkRange(range) => {
                    assert!(range.offset.checked_add(range.length).is_some_and(|end| end <= limits.chunk_bytes_max));
                    open = Some((Whole::Range(range, Vec::new()), range.length));
                }
                Event::Data(data) => match &mut open {
                    Some((Whole::Chunk(_, bytes) | Whole::Range(_, bytes), length)) => {
                        assert!(!data.is_empty());
                        bytes.extend_from_slice(data);
                        assert!(bytes.len() as u64 <= *length, "no more than was announced");
                    }
                    other => panic!("data of {other:?}"),
                },
                Event::ChunkEnd => {
                    let (whole, length) = open.take().expect("something that began");
                    let (Whole::Chunk(_, bytes) | Whole::Range(_, bytes)) = &whole else { panic!("{whole:?}") };
                    assert_eq!(bytes.len() as u64, length, "no less than was announced");
                    assert!(length <= limits.chunk_bytes_max);
                    found.push(whole);
                    chunks += 1;
                    assert!(chunks <= limits.chunks_max);
                }
                Event::End => found.push(Whole::End),
            }
        }
        assert!(piece.is_empty(), "all of the input was read");
    }
    (found, reader.finish())
}

fn written(found: &[Whole]) -> Vec<u8> {
    let frame = |whole: &Whole| match whole {
        Whole::Message(json) => frames::message(json),
        Whole::Chunk(id, bytes) => [&frames::chunk_header(*id, bytes.len() as u64)[..], bytes].concat(),
        Whole::Range(range, bytes) => [&frames::chunk_range_header(range)[..], bytes].concat(),
        Whole::End => frames::END_FRAME.to_vec(),
    };
    found.iter().flat_map(frame).collect()
}
