use proptest::prelude::*;
use serde_json::Value;

use super::*;

const LIMITS: FrameLimits = FrameLimits { message_bytes_max: 1000, chunks_max: 20, chunk_bytes_max: 500 };

/// What stands in a body, with the chunks put together.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Whole {
    Message(Vec<u8>),
    Chunk(ChunkId, Vec<u8>),
    Range(ChunkRange, Vec<u8>),
    End,
}

fn gather(mut reader: FrameReader, pieces: &[&[u8]]) -> Result<Vec<Whole>, FrameError> {
    let mut found = Vec::new();
    let mut open = None;
    for piece in pieces {
        let mut piece = *piece;
        while let Some(event) = reader.next(&mut piece)? {
            match event {
                Event::Message(message) => found.push(Whole::Message(message)),
                Event::Chunk { id, length } => open = Some((Whole::Chunk(id, Vec::new()), length)),
                Event::ChunkRange(range) => open = Some((Whole::Range(range, Vec::new()), range.length)),
                Event::Data(data) => match &mut open {
                    Some((Whole::Chunk(_, bytes) | Whole::Range(_, bytes), _)) if !data.is_empty() => {
                        bytes.extend_from_slice(data);
                    }
                    other => panic!("{other:?}"),
                },
                Event::ChunkEnd => {
                    let (whole, length) = open.take().unwrap();
                    if let Whole::Chunk(_, bytes) | Whole::Range(_, bytes) = &whole {
                        assert_eq!(bytes.len() as u64, length);
                    }
                    found.push(whole);
                }
                Event::End => found.push(Whole::End),
            }
        }
        assert!(piece.is_empty());
    }
    reader.finish()?;
    Ok(found)
}

fn read(body: &[u8]) -> Result<Vec<Whole>, FrameError> {
    gather(FrameReader::new(LIMITS), &[body])
}

fn written(whole: &[Whole]) -> Vec<u8> {
    whole
        .iter()
        .flat_map(|whole| match whole {
            Whole::Message(json) => message(json),
            Whole::Chunk(id, bytes) => [&chunk_header(*id, bytes.len() as u64)[..], bytes].concat(),
            Whole::Range(range, bytes) => [&chunk_range_header(range)[..], bytes].concat(),
            Whole::End => END_FRAME.to_vec(),
        })
        .collect()
}

fn hello() -> Vec<u8> {
    message(b"{}")
}

#[test]
fn the_published_frames_are_written_and_read() {
    let vectors: Value = serde_json::from_str(include_str!("../../tests/data/spooky-vectors.json")).unwrap();
    let vector = |name: &str| {
        let vectors = vectors["frame_vectors"].as_array().unwrap();
        let vector = vectors.iter().find(|vector| vector["name"] == name).unwrap();
        let hex = vector["hex"].as_str().unwrap();
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect::<Vec<_>>()
    };
    let text = b"SampleTextVersion-1";
    let id = ChunkId::of(text);
    assert_eq!(END_FRAME.to_vec(), vector("end-frame"));
    assert_eq!(message(&[b' '; 20])[..16], vector("message-json-header-for-20-byte-payload"));
    let chunk = Whole::Chunk(id, text.to_vec());
    assert_eq!(written(std::slice::from_ref(&chunk)), vector("chunk-frame"));
    let part = |offset: usize, length: usize, last| {
        let range = ChunkRange { id, offset: offset as u64, length: length as u64, last };
        Whole::Range(range, text[offset..offset + length].to_vec())
    };
    assert_eq!(written(&[part(6, 4, false)]), vector("chunk-range-frame"));
    assert_eq!(written(&[part(10, 9, true)]), vector("chunk-range-frame-last"));

    let body = vector("get-chunked-file-response");
    let found = read(&body).unwrap();
    assert_eq!(found[1..], [chunk, Whole::End]);
    assert_eq!(written(&found), body);
}

#[test]
fn every_frame_out_of_place_or_out_of_shape_is_refused() {
    let then = |frame: &[u8]| read(&[hello(), frame.to_vec()].concat()).unwrap_err();
    assert_eq!(then(&header(0, 0, 0)), FrameError::UnknownType(0));
    assert_eq!(then(&header(5, 0, 0)), FrameError::UnknownType(5));
    assert_eq!(then(&header(u32::MAX, 0, 0)), FrameError::UnknownType(u32::MAX));
    for (frame, extended) in [(END, 1), (CHUNK, 0), (CHUNK, 15), (CHUNK, 36), (CHUNK_RANGE, 16), (CHUNK, u32::MAX)] {
        assert_eq!(then(&header(frame, extended, 0)), FrameError::ExtendedHeader { frame, length: extended });
    }
    assert_eq!(then(&header(END, 0, 1)), FrameError::Payload { frame: END, length: 1 });
    assert_eq!(then(&hello()), FrameError::OutOfPlace(MESSAGE));
    assert_eq!(read(&header(MESSAGE, 0, 0)), Err(FrameError::Payload { frame: MESSAGE, length: 0 }));
    assert_eq!(read(&END_FRAME), Err(FrameError::OutOfPlace(END)));
    assert_eq!(read(&chunk_header(ChunkId([0; 16]), 0)), Err(FrameError::OutOfPlace(CHUNK)));
    let range = ChunkRange { id: ChunkId([1; 16]), offset: 0, length: 4, last: false };
    let mut frame = chunk_range_header(&range);
    frame[51] = 2;
    assert_eq!(then(&frame), FrameError::Flags(2));
    let mut frame = chunk_range_header(&range);
    frame[47] = 5;
    assert_eq!(then(&frame), FrameError::Payload { frame: CHUNK_RANGE, length: 4 });
    let beyond = ChunkRange { offset: u64::MAX, ..range };
    assert_eq!(then(&chunk_range_header(&beyond)), FrameError::Payload { frame: CHUNK_RANGE, length: 4 });
}

#[test]
fn a_size_is_refused_before_its_bytes_come() {
    let then = |frame: &[u8]| read(&[hello(), frame.to_vec()].concat()).unwrap_err();
    for length in [501, 1 << 63, u64::MAX] {
        assert_eq!(then(&header(CHUNK, 16, length)), FrameError::ChunkTooLarge(length));
        assert_eq!(then(&header(CHUNK_RANGE, 36, length)), FrameError::ChunkTooLarge(length));
    }
    for length in [1001, 1 << 63, u64::MAX] {
        assert_eq!(read(&header(MESSAGE, 0, length)), Err(FrameError::MessageTooLarge(length)));
    }
    let mut reader = FrameReader::new(LIMITS);
    let announced = header(MESSAGE, 0, 1000);
    assert_eq!(reader.next(&mut &announced[..]), Ok(None));
    assert_eq!(reader.message.capacity(), 0);
}

#[test]
fn the_chunks_of_a_body_are_counted() {
    let chunk = Whole::Chunk(ChunkId([7; 16]), vec![1]);
    let body = |chunks| {
        written(&[vec![Whole::Message(b"{}".to_vec())], vec![chunk.clone(); chunks], vec![Whole::End]].concat())
    };
    assert_eq!(read(&body(20)).map(|found| found.len()), Ok(22));
    assert_eq!(read(&body(21)), Err(FrameError::TooManyChunks));
}

#[test]
fn what_follows_the_end_is_not_looked_at() {
    let body = [hello(), END_FRAME.to_vec(), vec![0xff; 100]].concat();
    assert_eq!(read(&body), Ok(vec![Whole::Message(b"{}".to_vec()), Whole::End]));
}

#[test]
fn a_body_that_stops_anywhere_has_ended_early() {
    let body = written(&[
        Whole::Message(b"{}".to_vec()),
        Whole::Chunk(ChunkId([1; 16]), vec![1, 2, 3]),
        Whole::Range(ChunkRange { id: ChunkId([2; 16]), offset: 1, length: 2, last: true }, vec![8, 9]),
        Whole::End,
    ]);
    for length in 0..body.len() {
        assert_eq!(read(&body[..length]), Err(FrameError::EndedEarly), "{length}");
    }
    assert_eq!(read(&body).map(|found| found.len()), Ok(4));
}

#[test]
fn an_upload_session_gathers_whole_chunks_and_nothing_else() {
    let read = |body: &[u8]| gather(FrameReader::of_chunks(LIMITS), &[body]);
    let chunks = [Whole::Chunk(ChunkId([1; 16]), vec![1, 2, 3]), Whole::Chunk(ChunkId([2; 16]), vec![])];
    let body = written(&chunks);
    assert_eq!(read(&body), Ok(chunks.to_vec()));
    assert_eq!(read(&[]), Ok(vec![]));
    assert_eq!(read(&body[..body.len() - 1]), Err(FrameError::EndedEarly));
    assert_eq!(read(&hello()), Err(FrameError::OutOfPlace(MESSAGE)));
    assert_eq!(read(&END_FRAME), Err(FrameError::OutOfPlace(END)));
    let range = ChunkRange { id: ChunkId([2; 16]), offset: 1, length: 2, last: true };
    assert_eq!(read(&chunk_range_header(&range)), Err(FrameError::OutOfPlace(CHUNK_RANGE)));
}

#[test]
fn too_large_a_chunk_is_413_and_everything_else_400() {
    assert_eq!(WopiError::from(FrameError::ChunkTooLarge(1)), WopiError::TooLarge);
    assert_eq!(WopiError::from(FrameError::EndedEarly).status(), 400);
}

fn frame() -> impl Strategy<Value = Whole> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..200);
    prop_oneof![
        (any::<[u8; 16]>(), bytes()).prop_map(|(id, bytes)| Whole::Chunk(ChunkId(id), bytes)),
        (any::<[u8; 16]>(), any::<u32>(), any::<bool>(), bytes()).prop_map(|(id, offset, last, bytes)| {
            let (id, offset, length) = (ChunkId(id), u64::from(offset), bytes.len() as u64);
            Whole::Range(ChunkRange { id, offset, length, last }, bytes)
        }),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_however_it_is_cut(
        message in prop::collection::vec(any::<u8>(), 1..300),
        frames in prop::collection::vec(frame(), 0..8),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut whole = vec![Whole::Message(message)];
        whole.extend(frames);
        whole.push(Whole::End);
        let body = written(&whole);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).chain([0, body.len()]).collect();
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &body[cut[0]..cut[1]]).collect();
        prop_assert_eq!(gather(FrameReader::new(LIMITS), &pieces), Ok(whole));
    }

    #[test]
    fn no_bytes_make_it_panic(start in any::<bool>(), bytes in prop::collection::vec(prop_oneof![Just(0u8), Just(1), 0..5u8, any::<u8>()], 0..400)) {
        let mut body = if start { hello() } else { Vec::new() };
        body.extend(bytes);
        let _ = read(&body);
        let _ = gather(FrameReader::of_chunks(LIMITS), &[&body]);
    }
}
