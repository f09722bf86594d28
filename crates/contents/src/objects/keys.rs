//! Which key an object has.
//!
//! `PREFIX/contents/SS/ID`: the id as 32 hexadecimal digits, and before it its last two once more. An id begins with the
//! time at which it was made, and stores divide their keys among machines by ranges: ids alone would send every save of an
//! hour to one machine, which then answers 503 SlowDown, and leave the others idle. The digits of chance in front spread
//! saves over 256 ranges; within each, keys are listed by age. In a directory they keep the sub-directories small.

use lectern_host::records::ContentId;
use object_store::path::Path;

/// Below the prefix: the contents.
const CONTENTS: &str = "contents";
/// Below the prefix: what `check` writes and removes.
const CHECK: &str = "check";
/// How many of an id's digits are repeated in front.
const SHARD_DIGITS: usize = 2;

/// Where everything of ours is.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    prefix: Path,
    contents: Path,
}

impl Keys {
    /// Keys below this prefix; `None` if it cannot be one.
    pub(super) fn new(prefix: &str) -> Option<Self> {
        let prefix = Path::parse(prefix.trim_matches('/')).ok()?;
        let contents = prefix.clone().join(CONTENTS);
        Some(Self { prefix, contents })
    }

    /// Where all contents are.
    pub(super) fn contents(&self) -> &Path {
        &self.contents
    }

    /// The key of a content.
    pub(super) fn of(&self, id: &ContentId) -> Path {
        let digits = id.to_string();
        let shard = &digits[digits.len() - SHARD_DIGITS..];
        self.contents.clone().join(shard).join(digits.as_str())
    }

    /// The content that has this key; `None` if it is not one of ours.
    pub(super) fn content(&self, key: &Path) -> Option<ContentId> {
        let id = ContentId::parse(key.filename()?)?;
        (self.of(&id) == *key).then_some(id)
    }

    /// The key of an object that `check` makes.
    pub(super) fn check(&self, name: &str) -> Path {
        self.prefix.clone().join(CHECK).join(name)
    }
}

#[cfg(test)]
mod tests {
    use lectern_host::records::Timestamp;

    use super::*;

    #[test]
    fn keys_are_spread_by_chance_and_within_a_shard_sorted_by_time() {
        let keys = Keys::new("/drive/a/").unwrap();
        let id = ContentId::new(Timestamp(1_700_000_000_000), [0xab, 1, 2, 3, 4, 5, 6, 7, 8, 0xcd]);
        assert_eq!(keys.of(&id).as_ref(), "drive/a/contents/cd/018bcfe56800ab0102030405060708cd");
        let later = ContentId::new(Timestamp(1_700_000_000_001), [0, 1, 2, 3, 4, 5, 6, 7, 8, 0xcd]);
        assert!(keys.of(&id) < keys.of(&later));
        assert_eq!(Keys::new("").unwrap().of(&id).as_ref(), "contents/cd/018bcfe56800ab0102030405060708cd");
    }

    #[test]
    fn only_the_key_of_a_content_is_taken_for_one() {
        let keys = Keys::new("p").unwrap();
        let id = ContentId([0x5a; 16]);
        assert_eq!(keys.content(&keys.of(&id)), Some(id));
        let digits = id.to_string();
        for other in [
            format!("p/contents/5b/{digits}"),
            format!("p/contents/{digits}"),
            format!("p/contents/5a/x/{digits}"),
            format!("q/contents/5a/{digits}"),
            "p/contents/5a/notes.txt".to_owned(),
            format!("p/contents/5a/{}", digits.to_uppercase()),
            "p/check/5a".to_owned(),
        ] {
            assert_eq!(keys.content(&Path::from(other.as_str())), None, "{other}");
        }
    }

    #[test]
    fn a_prefix_that_could_lead_elsewhere_is_refused() {
        for prefix in ["a//b", "..", "a/../b", "a/./b"] {
            assert!(Keys::new(prefix).is_none(), "{prefix}");
        }
    }
}
