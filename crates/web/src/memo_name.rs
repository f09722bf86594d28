//! Names of memos for what strangers send: hashed, so that they are short and tell nothing.

use sha2::{Digest, Sha256};

/// A name that nobody who does not know `secret` can find.
pub(crate) fn hashed(what: &str, secret: &str) -> String {
    let mut name = format!("{what}/");
    for byte in Sha256::digest(secret) {
        name.push_str(&format!("{byte:02x}"));
    }
    name
}

/// One of 65,536 names. Keys that meet in one place share it: there may be any number of keys, and only so many memos.
pub(crate) fn place(what: &str, key: &str) -> String {
    let hash = Sha256::digest(key);
    format!("{what}/{:02x}{:02x}", hash[0], hash[1])
}
