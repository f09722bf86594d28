//! How the values in a message are read: texts are looked at without being copied, lists are counted while they grow.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Unexpected, Visitor};

use super::StreamId;
use crate::spooky::ChunkId;

/// A text, made into a value or refused.
struct Text<T> {
    what: &'static str,
    parse: fn(&str) -> Option<T>,
}

impl<T> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

impl<'de> Deserialize<'de> for StreamId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(Text { what: "the name of a stream", parse: Self::parse })
    }
}

impl<'de> Deserialize<'de> for ChunkId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(Text { what: "the id of a chunk", parse: Self::parse })
    }
}

/// A list of at most `MAX` items.
struct AtMost<T, const MAX: usize>(Vec<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for AtMost<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(Items(PhantomData))
    }
}

struct Items<T, const MAX: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for Items<T, MAX> {
    type Value = AtMost<T, MAX>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {MAX}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = from.next_element()? {
            if items.len() == MAX {
                return Err(A::Error::invalid_length(MAX + 1, &self));
            }
            items.push(item);
        }
        Ok(AtMost(items))
    }
}

/// A list of at most `MAX` items.
pub(super) fn list<'de, D, T, const MAX: usize>(from: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    AtMost::<T, MAX>::deserialize(from).map(|AtMost(items)| items)
}

/// The same, where `null` is an empty one.
pub(super) fn list_or_null<'de, D, T, const MAX: usize>(from: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::<AtMost<T, MAX>>::deserialize(from)?.map_or_else(Vec::new, |AtMost(items)| items))
}

/// The ids in a list of texts, or in `null`. What is no id is passed over at once, so however many texts there are, the
/// ids take less room than their text did.
pub(super) fn ids_among<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<ChunkId>, D::Error> {
    Ok(Option::<Ids>::deserialize(from)?.map_or_else(Vec::new, |Ids(ids)| ids))
}

struct Ids(Vec<ChunkId>);

impl<'de> Deserialize<'de> for Ids {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(TextsOfIds).map(Self)
    }
}

struct TextsOfIds;

impl<'de> Visitor<'de> for TextsOfIds {
    type Value = Vec<ChunkId>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of ids of chunks")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
        let mut ids = Vec::new();
        while let Some(PerhapsId(id)) = from.next_element()? {
            ids.extend(id);
        }
        Ok(ids)
    }
}

/// A text that may be an id.
struct PerhapsId(Option<ChunkId>);

impl<'de> Deserialize<'de> for PerhapsId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(Text { what: "the id of a chunk", parse: |text| Some(ChunkId::parse(text)) }).map(Self)
    }
}
