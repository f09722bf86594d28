//! Names of the files in the state directory.

use lectern_host::records::{ContentId, Fingerprint};

/// The name of a content on its way into the folder, with the inode it has.
pub(super) fn publishing_name(id: &ContentId, staged: &Fingerprint) -> String {
    match staged.born_ns {
        Some(born) => format!("{id}.{:x}.{born:x}", staged.inode),
        None => format!("{id}.{:x}.-", staged.inode),
    }
}

/// The content and the inode (only that and its birth are set) that such a name tells of.
pub(super) fn parse_publishing_name(name: &[u8]) -> Option<(ContentId, Fingerprint)> {
    let mut parts = std::str::from_utf8(name).ok()?.split('.');
    let id = ContentId::parse(parts.next()?)?;
    let inode = u64::from_str_radix(parts.next()?, 16).ok()?;
    let born_ns = match parts.next()? {
        "-" => None,
        born => Some(u64::from_str_radix(born, 16).ok()?.cast_signed()),
    };
    parts.next().is_none().then_some((id, Fingerprint { inode, born_ns, size: 0, modified_ns: 0 }))
}

/// The content of that name under `kept`.
pub(super) fn parse_kept_name(name: &[u8]) -> Option<ContentId> {
    ContentId::parse(std::str::from_utf8(name).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_content_and_inode() {
        let id = ContentId([0xab; 16]);
        for born_ns in [None, Some(0), Some(1_700_000_000_000_000_001), Some(-5)] {
            let staged = Fingerprint { inode: u64::MAX - 1, born_ns, size: 7, modified_ns: 8 };
            let (parsed, inode) = parse_publishing_name(publishing_name(&id, &staged).as_bytes()).unwrap();
            assert_eq!(parsed, id);
            assert!(inode.same_inode(&staged));
        }
        for bad in
            ["", ".", "..", "x.1.1", &id.to_string(), &format!("{id}.1"), &format!("{id}.1.-.x"), &format!("{id}.z.-")]
        {
            assert_eq!(parse_publishing_name(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(parse_kept_name(id.to_string().as_bytes()), Some(id));
        assert_eq!(parse_kept_name(b".probe"), None);
    }
}
