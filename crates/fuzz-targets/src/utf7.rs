//! Headers that carry names, and the names that may be made of them.

use wopi::FileName;
use wopi::utf7::{Damage, decode, encode};

/// Any bytes of a header.
pub fn run(data: &[u8]) {
    let decoded = decode(data);
    assert!(decoded.text.len() <= 2 * data.len() + 3, "a header is no bomb");
    let sent = encode(&decoded.text);
    assert!(sent.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "what is sent is printable ASCII");
    let again = decode(&sent);
    assert_eq!((again.text, again.damage), (decoded.text.clone(), Damage::None));

    if let Ok(name) = FileName::parse(&decoded.text) {
        let name = name.as_str();
        assert!(name.len() <= FileName::BYTES_MAX && !name.contains(['/', '\\', '\0']) && name != "." && name != "..");
    }
}
