//! The messages of incremental transfer, of both sides.

use serde::Serialize;
use serde::de::DeserializeOwned;
use wopi::chunked::{
    ChunkedFile, Chunks, GetChunkedFile, GetChunks, MessageError, PROPERTIES_MAX, PROPERTY_NAME_LENGTH_MAX,
    PROPERTY_VALUE_BYTES_MAX, PutChunkedFile, STREAMS_MAX, StreamId, StreamSignature, UPLOAD_TOKEN_LENGTH_MAX,
    UploadSession,
};
use wopi::coauth::metadata_in_body;
use wopi::frames::CHUNKS_MAX;

/// An error is one line of a log, with what it says itself.
const ERROR_LENGTH_MAX: usize = 2100;

/// Any of the messages.
pub fn run(data: &[u8]) {
    if let Some(message) = read_again(data, GetChunkedFile::parse) {
        streams(message.filters.iter().map(|filter| &filter.stream));
        assert!(message.properties.len() <= PROPERTIES_MAX);
        for filter in &message.filters {
            assert!(24 * filter.known.len() <= data.len(), "the ids are no larger than their text");
        }
    }
    if let Some(message) = read_again(data, PutChunkedFile::parse) {
        put(&message);
    }
    if let Some(message) = read_again(data, GetChunks::parse) {
        streams(message.filters.iter().map(|(stream, _)| stream));
        let ranges = || message.filters.iter().flat_map(|(_, ranges)| ranges);
        assert!(ranges().count() <= CHUNKS_MAX);
        assert!(ranges().all(|range| range.offset.checked_add(range.length.unwrap_or(0)).is_some()));
    }
    answer::<ChunkedFile>(data);
    answer::<Chunks>(data);
    answer::<UploadSession>(data);
    let _ = metadata_in_body(data);
}

fn put(message: &PutChunkedFile) {
    streams(message.signatures.iter().map(|of| &of.stream));
    let signatures = || message.signatures.iter().map(|StreamSignature { signature, .. }| signature);
    assert!(signatures().map(|signature| signature.chunks.len()).sum::<usize>() <= CHUNKS_MAX);
    let size = signatures().try_fold(0u64, |sum, signature| sum.checked_add(signature.size()?));
    assert!(size.is_some(), "all streams together can be counted");
    assert!(message.properties.len() <= PROPERTIES_MAX);
    for property in &message.properties {
        assert!(!property.name.is_empty() && property.name.chars().count() <= PROPERTY_NAME_LENGTH_MAX);
        assert!(property.value.len() <= PROPERTY_VALUE_BYTES_MAX);
    }
    let token = message.upload_session.as_deref().unwrap_or("some");
    assert!((1..=UPLOAD_TOKEN_LENGTH_MAX).contains(&token.len()));
}

fn streams<'a>(ids: impl Iterator<Item = &'a StreamId>) {
    let mut ids: Vec<&StreamId> = ids.collect();
    assert!((1..=STREAMS_MAX).contains(&ids.len()));
    assert!(ids.iter().all(|id| StreamId::parse(id.as_str()).as_ref() == Some(*id)));
    ids.sort();
    assert!(ids.windows(2).all(|two| two[0] != two[1]), "each stream once");
}

/// What is read, if it is; written and read again it is the same.
fn read_again<T>(data: &[u8], parse: fn(&[u8]) -> Result<T, MessageError>) -> Option<T>
where
    T: Serialize + PartialEq + std::fmt::Debug,
{
    let message = match parse(data) {
        Ok(message) => message,
        Err(error) => {
            assert!(error.to_string().chars().count() <= ERROR_LENGTH_MAX);
            return None;
        }
    };
    let written = serde_json::to_vec(&message).expect("texts and numbers are JSON");
    assert_eq!(parse(&written).as_ref(), Ok(&message), "what is read is written and read the same");
    Some(message)
}

fn answer<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(data: &[u8]) {
    if let Ok(answer) = serde_json::from_slice::<T>(data) {
        let written = serde_json::to_vec(&answer).expect("texts and numbers are JSON");
        assert_eq!(serde_json::from_slice::<T>(&written).ok(), Some(answer));
    }
}
