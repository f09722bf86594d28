//! The stylesheet and the scripts, inside the program, under names that change with their contents.
//!
//! `/assets/HASH/NAME` may be kept by browsers for ever: another version has another name. A page that is older than the
//! server may ask for a name of the version before; it gets what there is now, and is not told to keep it.

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use rust_embed::RustEmbed;

use crate::problem::Problem;

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Embedded;

/// How many characters of the hash stand in a name.
const HASH_LENGTH: usize = 12;

static HASHES: LazyLock<HashMap<String, String>> = LazyLock::new(|| {
    let hash = |name: &str| {
        let file = Embedded::get(name)?;
        let hash = BASE64_URL_SAFE_NO_PAD.encode(file.metadata.sha256_hash());
        Some((name.to_owned(), hash.get(..HASH_LENGTH)?.to_owned()))
    };
    Embedded::iter().filter_map(|name| hash(&name)).collect()
});

/// The address of an asset below the public URL.
pub(crate) fn address(name: &str) -> String {
    match HASHES.get(name) {
        Some(hash) => format!("/assets/{hash}/{name}"),
        None => format!("/assets/unknown/{name}"),
    }
}

/// `GET /assets/{hash}/{name}`
pub(crate) async fn asset(Path((hash, name)): Path<(String, String)>) -> Response {
    let (Some(file), Some(content_type)) = (Embedded::get(&name), content_type(&name)) else {
        return Problem::NotFound.into_response();
    };
    let cache = if HASHES.get(&name) == Some(&hash) { "public, max-age=31536000, immutable" } else { "no-cache" };
    ([(CONTENT_TYPE, content_type), (CACHE_CONTROL, cache)], file.data.into_owned()).into_response()
}

fn content_type(name: &str) -> Option<&'static str> {
    match name.rsplit_once('.')?.1 {
        "css" => Some("text/css; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_asset_has_a_type_and_a_hash_in_its_address() {
        let mut count = 0;
        for name in Embedded::iter() {
            assert!(content_type(&name).is_some(), "{name}");
            let address = address(&name);
            assert!(address.ends_with(&format!("/{name}")) && !address.contains("unknown"), "{address}");
            count += 1;
        }
        assert!(count > 1);
    }

    #[test]
    fn every_asset_that_a_template_names_is_there() {
        for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/templates")).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            for rest in text.split(".asset(\"").skip(1) {
                let name = rest.split('"').next().unwrap();
                assert!(Embedded::get(name).is_some(), "{name}");
            }
        }
    }
}
