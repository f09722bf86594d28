//! What uploads leave behind that came to no end because their process died: parts that nobody can read and everybody pays
//! for.
//!
//! | store | what stays | who removes it |
//! |---|---|---|
//! | S3 | uploads in parts | [`Contents::remove_unfinished`], called by the sweep; better still, a lifecycle rule |
//! | Azure | blocks | Azure, after a week |
//! | directory | files `ID#1` | [`Contents::remove_unfinished`] |
//!
//! The lifecycle rule works also when no lectern runs (`AbortIncompleteMultipartUpload`, two days after it was begun, for
//! the prefix). `object_store` cannot list uploads, but it can sign the request for us.

use std::path::{Path as FilePath, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::Method;
use lectern_host::BoxError;
#[cfg(doc)]
use lectern_host::ports::Contents;
use lectern_host::ports::ContentsError;
use lectern_host::records::{ContentId, Timestamp};
use object_store::aws::AmazonS3;
use object_store::client::{HttpClient, HttpRequestBody};
use object_store::multipart::MultipartStore as _;
use object_store::path::Path;
use object_store::signer::{SignedUrlOptions, Signer as _};

use super::Inner;
use super::store::Store;
use super::transport::beginning;
use super::trouble::{Kind, Trouble};

/// How long a signed listing may be used: it is used at once.
const SIGNED_FOR: Duration = Duration::from_secs(60);
/// How many pages of a listing are read at most in one sweep. A thousand uploads each.
const PAGES_MAX: usize = 1000;
/// How many directories below the contents are looked into: one for each shard, and some for what others put there.
const DIRECTORIES_MAX: usize = 1024;

/// An upload that was begun and not completed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Unfinished {
    key: String,
    id: String,
}

impl Inner {
    /// See [`Contents::remove_unfinished`]. A day is long enough that no upload of any node can still be going on.
    pub(super) async fn remove_unfinished(&self, before: Timestamp) -> Result<u64, ContentsError> {
        match &self.store {
            Store::S3 { store, .. } => {
                let mut removed = 0;
                for upload in self.unfinished_uploads().await? {
                    // The id of the content says when, by our own clock.
                    let key = Path::from(upload.key.as_str());
                    let Some(id) = self.keys.content(&key) else { continue };
                    if id.made_at() >= before {
                        continue;
                    }
                    let tried = format!("abort {}", self.place(&key));
                    let abort = || store.abort_multipart(&key, &upload.id);
                    match self.patience.ask(&tried, self.patience.answer, abort).await {
                        Err(trouble) if trouble.kind != Kind::NotFound => return Err(trouble.into()),
                        _ => removed += 1,
                    }
                }
                Ok(removed)
            }
            Store::Azure { .. } => Ok(0),
            Store::Directory { root, .. } => {
                let contents = root.join(self.keys.contents().as_ref());
                let removed = tokio::task::spawn_blocking(move || remove_staged(&contents, before)).await;
                let failed = |error: BoxError| Trouble::new(Kind::Lasting, format!("clean up {}", self.name), error);
                match removed {
                    Ok(removed) => Ok(removed.map_err(|error: std::io::Error| failed(error.into()))?),
                    Err(stopped) => Err(failed(stopped.into()).into()),
                }
            }
        }
    }

    /// All uploads of contents that were begun and not completed.
    pub(super) async fn unfinished_uploads(&self) -> Result<Vec<Unfinished>, Trouble> {
        let Store::S3 { store, client, .. } = &self.store else { return Ok(Vec::new()) };
        let tried = format!("list uploads in {}", self.name);
        let prefix = format!("{}/", self.keys.contents());
        let (mut found, mut after) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let page = || uploads(store, client, &prefix, after.as_ref());
            let page = self.patience.ask(&tried, self.patience.answer, page).await?;
            let document = String::from_utf8_lossy(&page);
            found
                .extend(elements(&document, "Upload").filter_map(|upload| {
                    Some(Unfinished { key: text(upload, "Key")?, id: text(upload, "UploadId")? })
                }));
            if text(&document, "IsTruncated").as_deref() != Some("true") {
                return Ok(found);
            }
            after = text(&document, "NextKeyMarker").zip(text(&document, "NextUploadIdMarker"));
        }
        Ok(found)
    }
}

/// One page of the listing. <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html>
async fn uploads(
    store: &AmazonS3,
    client: &HttpClient,
    prefix: &str,
    after: Option<&(String, String)>,
) -> object_store::Result<Vec<u8>> {
    let failed = |source| object_store::Error::Generic { store: "S3", source };
    let mut query = vec![("uploads", ""), ("prefix", prefix)];
    if let Some((key, id)) = after {
        query.extend([("key-marker", key.as_str()), ("upload-id-marker", id.as_str())]);
    }
    let options = SignedUrlOptions::default().with_query(query);
    let url = store.signed_url_opts(Method::GET, &Path::default(), SIGNED_FOR, &options).await?;
    let request = http::Request::get(url.as_str()).body(HttpRequestBody::empty());
    let answer = client.execute(request.map_err(|error| failed(error.into()))?).await;
    let answer = answer.map_err(|error| failed(error.into()))?;
    let body = beginning(answer.into_body(), PAGE_BYTES_MAX).await.map_err(|error| failed(error.into()))?;
    Ok(body.into())
}

/// How much of a page is read. Ours have short keys.
const PAGE_BYTES_MAX: usize = 4 << 20;

/// The insides of all elements of this name, which must not be nested.
fn elements<'a>(document: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut rest = document;
    std::iter::from_fn(move || {
        let (inside, after) = rest.split_once(&open)?.1.split_once(&close)?;
        rest = after;
        Some(inside)
    })
}

/// The text of the first element of this name. Keys of ours and ids of uploads have nothing in them that XML escapes but,
/// in the latter, perhaps an ampersand.
fn text(document: &str, name: &str) -> Option<String> {
    elements(document, name).next().map(|text| text.replace("&amp;", "&"))
}

/// Removes the files of uploads into a directory that were last written before this moment.
fn remove_staged(contents: &FilePath, before: Timestamp) -> std::io::Result<u64> {
    let before = UNIX_EPOCH + Duration::from_millis(u64::try_from(before.0).unwrap_or(0));
    let mut removed = 0;
    for directory in entries(contents)?.into_iter().take(DIRECTORIES_MAX) {
        if !directory.is_dir() {
            continue;
        }
        for file in entries(&directory)? {
            if is_staged(&file) && written_before(&file, before)? {
                std::fs::remove_file(&file)?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}

fn entries(directory: &FilePath) -> std::io::Result<Vec<PathBuf>> {
    match std::fs::read_dir(directory) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect(),
        // Nothing was ever written.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Whether `object_store` calls a file like this before it is an object: the name of a content, `#`, a number.
fn is_staged(file: &FilePath) -> bool {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.split_once('#').is_some_and(|(id, number)| ContentId::parse(id).is_some() && number.parse::<u64>().is_ok())
}

fn written_before(file: &FilePath, before: SystemTime) -> std::io::Result<bool> {
    match std::fs::symlink_metadata(file) {
        Ok(metadata) => Ok(metadata.is_file() && metadata.modified()? < before),
        // It became an object in the meantime.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_uploads_is_understood() {
        let page = "<?xml?><ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>b</NextKeyMarker>\
                    <NextUploadIdMarker>2&amp;x</NextUploadIdMarker><Upload><Key>a</Key><UploadId>1</UploadId></Upload>\
                    <Upload><Key>b</Key><Initiated>x</Initiated><UploadId>2&amp;x</UploadId></Upload>\
                    </ListMultipartUploadsResult>";
        let found: Vec<_> =
            elements(page, "Upload").map(|upload| (text(upload, "Key"), text(upload, "UploadId"))).collect();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(found, [(some("a"), some("1")), (some("b"), some("2&x"))]);
        assert_eq!(text(page, "NextUploadIdMarker"), some("2&x"));
        assert_eq!(text("<Key>a", "Key"), None);
    }

    #[test]
    fn only_what_object_store_stages_is_taken_for_staged() {
        let id = ContentId([7; 16]);
        for (name, staged) in [
            (format!("{id}#1"), true),
            (format!("{id}#27"), true),
            (format!("{id}"), false),
            (format!("{id}#"), false),
            (format!("{id}#x"), false),
            ("notes#1".to_owned(), false),
        ] {
            assert_eq!(is_staged(FilePath::new(&name)), staged, "{name}");
        }
    }
}
