//! An S3 server inside the test: `s3s-fs`, with a bucket of its own, behind a [front](super::front) that can make it fail.
//!
//! It checks signatures, and it does what S3 does where `s3s-fs` differs: a bucket that is not there is `NoSuchBucket`, an
//! upload that is over is `NoSuchUpload`, and uploads that were never completed can be listed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use futures_util::future::BoxFuture;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Request, Response};
use s3s::auth::{S3Auth, SecretKey};
use s3s::dto::*;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3Error, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use tempfile::TempDir;

use super::front::{Behind, Faults, Front};

/// The bucket that every server has.
const BUCKET: &str = "lectern";
/// The access key that the server takes.
const ACCESS_KEY: &str = "TESTACCESSKEY";
/// The secret that belongs to it.
const SECRET_KEY: &str = "a secret that everybody may know";

/// A running S3 server. Stopped, and all its objects gone, when it is dropped.
pub struct S3 {
    front: Front,
    root: TempDir,
}

impl S3 {
    /// Starts one with an empty bucket.
    ///
    /// # Panics
    ///
    /// If a scratch folder or a port cannot be had.
    pub async fn start() -> Self {
        let root = tempfile::tempdir().expect("a scratch folder can be made");
        std::fs::create_dir(root.path().join(BUCKET)).expect("a folder can be made");
        let files = FileSystem::new(root.path()).expect("the folder is there");
        let mut service = S3ServiceBuilder::new(Store { files, root: root.path().to_owned() });
        service.set_auth(Keys);
        let front = Front::start(Arc::new(Within(service.build()))).await;
        Self { front, root }
    }

    /// Where it listens.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.front.address())
    }

    /// The name of its bucket.
    pub fn bucket(&self) -> &'static str {
        BUCKET
    }

    /// The id of the key that it takes.
    pub fn access_key(&self) -> &'static str {
        ACCESS_KEY
    }

    /// The secret of that key.
    pub fn secret_key(&self) -> &'static str {
        SECRET_KEY
    }

    /// What it shall fail at, and what it was asked.
    pub fn faults(&self) -> &Faults {
        self.front.faults()
    }

    /// Stops listening; who connects is refused. Objects stay.
    pub async fn stop(&mut self) {
        self.front.stop().await;
    }

    /// Listens again, on the same port.
    pub async fn start_again(&mut self) {
        self.front.start_again().await;
    }

    /// The keys of its objects, read from where it keeps them and not by asking it.
    ///
    /// # Panics
    ///
    /// If the scratch folder cannot be read.
    pub fn keys(&self) -> Vec<String> {
        let bucket = self.root.path().join(BUCKET);
        let mut folders = vec![bucket.clone()];
        let mut keys = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("the folder is there") {
                let path = entry.expect("a folder can be read").path();
                if path.is_dir() {
                    folders.push(path);
                } else if let Ok(key) = path.strip_prefix(&bucket) {
                    keys.push(key.to_string_lossy().into_owned());
                }
            }
        }
        keys
    }

    /// The bytes of an object, read in the same way.
    ///
    /// # Panics
    ///
    /// If there is no such object.
    pub fn object(&self, key: &str) -> Vec<u8> {
        std::fs::read(self.root.path().join(BUCKET).join(key)).expect("the object is there")
    }

    /// How many uploads were begun and neither completed nor aborted.
    ///
    /// # Panics
    ///
    /// If the scratch folder cannot be read.
    pub fn unfinished_uploads(&self) -> usize {
        let entries = std::fs::read_dir(self.root.path()).expect("the folder is there");
        let names = entries.map(|entry| entry.expect("a folder can be read").file_name());
        names.filter(|name| upload_of(&name.to_string_lossy()).is_some()).count()
    }
}

/// The id of the upload whose begin a file records.
fn upload_of(name: &str) -> Option<&str> {
    name.strip_prefix(".upload-")?.strip_suffix(".json")
}

struct Within(S3Service);

impl Behind for Within {
    fn answer(
        &self,
        request: Request<Incoming>,
    ) -> BoxFuture<'static, Result<Response<super::front::AnswerBody>, super::front::Broken>> {
        let service = self.0.clone();
        Box::pin(async move {
            let answer = service.call(request.map(s3s::Body::from)).await.map_err(|error| format!("{error:?}"))?;
            Ok(answer.map(BodyExt::boxed_unsync))
        })
    }
}

/// The one key there is.
struct Keys;

#[async_trait::async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key == ACCESS_KEY { Ok(SECRET_KEY.into()) } else { Err(s3_error!(InvalidAccessKeyId)) }
    }
}

fn internal(error: std::io::Error) -> S3Error {
    S3Error::internal_error(error)
}

/// `s3s-fs`, corrected where a client would notice the difference.
struct Store {
    files: FileSystem,
    root: PathBuf,
}

impl Store {
    fn has_bucket(&self, bucket: &str) -> S3Result<()> {
        if self.root.join(bucket).is_dir() { Ok(()) } else { Err(s3_error!(NoSuchBucket)) }
    }

    fn has_upload(&self, upload: &str) -> S3Result<()> {
        let known = upload.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
            && self.root.join(format!(".upload-{upload}.json")).is_file();
        if known { Ok(()) } else { Err(s3_error!(NoSuchUpload)) }
    }
}

#[async_trait::async_trait]
impl s3s::S3 for Store {
    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        self.has_bucket(&request.input.bucket)?;
        self.files.get_object(request).await
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        self.files.head_object(request).await
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.files.head_bucket(request).await
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        self.has_bucket(&request.input.bucket)?;
        self.files.put_object(request).await
    }

    async fn copy_object(&self, request: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        self.files.copy_object(request).await
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.has_bucket(&request.input.bucket)?;
        self.files.delete_object(request).await
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        self.has_bucket(&request.input.bucket)?;
        self.files.delete_objects(request).await
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.has_bucket(&request.input.bucket)?;
        self.files.list_objects_v2(request).await
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        self.has_bucket(&request.input.bucket)?;
        // Nothing else remembers the key of an upload.
        let key = request.input.key.clone();
        let answer = self.files.create_multipart_upload(request).await?;
        let upload = answer.output.upload_id.as_deref().unwrap_or_default();
        std::fs::write(self.root.join(format!(".key-of-{upload}")), key).map_err(internal)?;
        Ok(answer)
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        self.has_upload(&request.input.upload_id)?;
        self.files.upload_part(request).await
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        self.has_upload(&request.input.upload_id)?;
        self.files.complete_multipart_upload(request).await
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.has_upload(&request.input.upload_id)?;
        self.files.abort_multipart_upload(request).await
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let ListMultipartUploadsInput { bucket, prefix, max_uploads, key_marker, upload_id_marker, .. } = request.input;
        self.has_bucket(&bucket)?;
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.root).map_err(internal)? {
            let entry = entry.map_err(internal)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(upload) = upload_of(&name) else { continue };
            let key = std::fs::read_to_string(self.root.join(format!(".key-of-{upload}"))).unwrap_or_default();
            let begun = entry.metadata().and_then(|metadata| metadata.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
            found.push((key, upload.to_owned(), begun));
        }
        found.retain(|(key, ..)| key.starts_with(prefix.as_deref().unwrap_or_default()));
        found.sort();
        let after = (key_marker.unwrap_or_default(), upload_id_marker.unwrap_or_default());
        found.retain(|(key, upload, _)| (key, upload) > (&after.0, &after.1));
        let limit = usize::try_from(max_uploads.unwrap_or(1000)).unwrap_or(1000);
        let truncated = found.len() > limit;
        found.truncate(limit);
        let last = found.last().filter(|_| truncated).cloned();
        let uploads = found.into_iter().map(|(key, upload, begun)| MultipartUpload {
            key: Some(key),
            upload_id: Some(upload),
            initiated: Some(begun.into()),
            ..Default::default()
        });
        Ok(S3Response::new(ListMultipartUploadsOutput {
            bucket: Some(bucket),
            is_truncated: Some(truncated),
            next_key_marker: last.as_ref().map(|(key, ..)| key.clone()),
            next_upload_id_marker: last.map(|(_, upload, _)| upload),
            uploads: Some(uploads.collect()),
            ..Default::default()
        }))
    }
}
