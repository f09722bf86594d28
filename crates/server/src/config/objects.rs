//! `[objects]`

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::section::section;
use super::values::Size;

section! {
    /// Where bytes are kept, if not in a folder of ordinary files: an object store. Names then live in the records only.
    /// See docs/nodes.md.
    pub struct Objects = "objects" {
        /// Which store: `s3://BUCKET[/PREFIX]` (Amazon's S3 and whatever speaks its protocol), `azure://CONTAINER[/PREFIX]`
        /// (Azure Blob Storage), `file:///DIRECTORY` (a directory of objects). LECTERN_OBJECTS wins.
        pub store: Option<String>, for example "\"s3://documents/lectern\"";
        /// Where the service is, for others than Amazon's and Microsoft's own.
        pub endpoint: Option<String>, for example "\"https://minio.example.org:9000\"";
        /// S3: the region. Stores that know none usually take this one.
        pub region: String = "us-east-1".to_owned();
        /// S3: whether the bucket stands in the path of URLs, not in the name of the host. Most others than Amazon's want
        /// that.
        pub path_style: bool = false;
        /// S3: the id of our key. Without it, what the environment gives: AWS_ACCESS_KEY_ID, a web identity, a role.
        pub access_key_id: Option<String>, for example "\"AKIAEXAMPLE\"";
        /// S3: a file with its secret.
        pub secret_access_key_file: Option<PathBuf>, for example "\"/etc/lectern/s3-secret\"";
        /// S3: whether the store knows `If-None-Match: *` when an object is written, as Amazon's does. Without it we look
        /// first whether there is one; ids that are never used twice do the rest.
        pub conditional_put: bool = true;
        /// S3: what the store is to keep beside an object to know that its bytes are right: `signature` (nothing; a request
        /// whose bytes are others than those sent is refused in any case), `sha256`, `crc64nvme`.
        pub checksum: Checksum = Checksum::Signature;
        /// Azure: the storage account.
        pub account: Option<String>, for example "\"documents\"";
        /// Azure: a file with the key of the account. Without it and `sas_file`, what the environment gives.
        pub account_key_file: Option<PathBuf>, for example "\"/etc/lectern/azure-key\"";
        /// Azure: a file with a shared access signature. It cannot sign direct reads.
        pub sas_file: Option<PathBuf>, for example "\"/etc/lectern/azure-sas\"";
        /// Whether the service may be reached without TLS.
        pub allow_http: bool = false;
        /// S3: a file with certificates (PEM) of authorities to trust besides those of the system.
        pub root_certificates_file: Option<PathBuf>, for example "\"/etc/lectern/s3-ca.pem\"";
        /// S3: where clients reach the store, if not where we do. For `wopi.direct_reads`.
        pub direct_endpoint: Option<String>, for example "\"https://objects.example.org\"";
        /// How much room all uploads of this node together may take in memory. Who finds none waits.
        pub upload_memory_bytes_max: Size<{ 16 << 20 }, { 1 << 40 }> = const { Size::bytes(128 << 20) };
    }
}

/// What an S3 store keeps beside an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Checksum {
    /// Nothing.
    Signature,
    /// `x-amz-checksum-sha256`
    Sha256,
    /// `x-amz-checksum-crc64nvme`
    Crc64nvme,
}
