//! What a store of objects is told before it is opened. Plain values: whoever has settings of its own fills them in.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Where objects are, and how much may be in motion.
#[derive(Clone, Debug)]
pub struct ObjectsSettings {
    /// Which store.
    pub store: StoreSettings,
    /// Below which all our keys are, without slashes at its ends; may be empty. Several lecterns may share a bucket if
    /// each has a prefix of its own and none of these begins with another one.
    pub prefix: String,
    /// How many bytes all uploads of this process together may hold in memory. Who finds no room waits
    /// ([`Patience::room`]) without reading on. At least one part ([`super::PART_BYTES_MIN`]) is taken, whatever it says.
    pub upload_memory_bytes_max: u64,
    /// How long we wait for a store, and how often we try.
    pub patience: Patience,
}

impl ObjectsSettings {
    /// Default of [`ObjectsSettings::upload_memory_bytes_max`].
    pub const UPLOAD_MEMORY_BYTES_MAX: u64 = 128 << 20;

    /// This store, everything else as it is by default.
    pub fn new(store: StoreSettings) -> Self {
        Self {
            store,
            prefix: String::new(),
            upload_memory_bytes_max: Self::UPLOAD_MEMORY_BYTES_MAX,
            patience: Patience::default(),
        }
    }
}

/// Which store.
#[derive(Clone, Debug)]
pub enum StoreSettings {
    /// S3, or something that speaks its protocol.
    S3(S3Settings),
    /// Azure Blob Storage.
    Azure(AzureSettings),
    /// A directory of this machine, or one that several mount. It has to know hard links, because that is how an object
    /// appears without ever replacing another one.
    Directory(PathBuf),
}

/// A bucket.
#[derive(Clone, Debug)]
pub struct S3Settings {
    /// Its name.
    pub bucket: String,
    /// Its region. Stores that know none usually take `us-east-1`.
    pub region: String,
    /// Where the service is, for others than Amazon's: `https://minio.example.com:9000`.
    pub endpoint: Option<String>,
    /// Whether the bucket stands in the path of URLs, not in the name of the host. Most others than Amazon's want it.
    pub path_style: bool,
    /// Who we are.
    pub credentials: S3Credentials,
    /// Whether the endpoint may be reached without TLS.
    pub allow_http: bool,
    /// Whether the store knows `If-None-Match: *` when an object is written, as Amazon's does since 2024. Without it we
    /// look first whether there is one, and ids that are never used twice do the rest.
    pub conditional_put: bool,
    /// What the store keeps beside an object to know that its bytes are still right.
    pub checksum: S3Checksum,
    /// Where clients reach the service, if that is not where we do. Only for signed URLs.
    pub direct_endpoint: Option<String>,
    /// Certificates (PEM) of authorities to trust besides those of the system.
    pub certificates_pem: Option<Vec<u8>>,
}

impl S3Settings {
    /// This bucket of Amazon's, with keys from the environment.
    pub fn new(bucket: impl Into<String>, region: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            region: region.into(),
            endpoint: None,
            path_style: false,
            credentials: S3Credentials::Environment,
            allow_http: false,
            conditional_put: true,
            checksum: S3Checksum::Signature,
            direct_endpoint: None,
            certificates_pem: None,
        }
    }
}

/// Who we are for S3.
#[derive(Clone)]
pub enum S3Credentials {
    /// What the environment of the process and of the machine give: `AWS_ACCESS_KEY_ID` and the others, a web identity
    /// (`AWS_WEB_IDENTITY_TOKEN_FILE`), a container's role, or that of the instance. The settings win where both speak.
    Environment,
    /// A key.
    Key {
        /// Its id.
        id: String,
        /// Its secret.
        secret: String,
        /// The token that temporary keys have.
        session_token: Option<String>,
    },
}

impl fmt::Debug for S3Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("Environment"),
            Self::Key { id, .. } => write!(f, "Key({id}, ..)"),
        }
    }
}

/// How S3 is told what the bytes of an object should be. In every case it refuses a request whose bytes are others than
/// those that were sent: their SHA-256 is part of what is signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum S3Checksum {
    /// By the signature only. Every store knows that.
    Signature,
    /// And by a SHA-256 that the store keeps (`x-amz-checksum-sha256`). Not every store takes it.
    Sha256,
    /// And by a CRC that the store keeps (`x-amz-checksum-crc64nvme`), Amazon's own choice. Few others take it.
    Crc64Nvme,
}

/// A container of blobs.
#[derive(Clone, Debug)]
pub struct AzureSettings {
    /// The account.
    pub account: String,
    /// The container.
    pub container: String,
    /// Where the service is, if not at `https://ACCOUNT.blob.core.windows.net`; with the account in its path, where it has
    /// to be there.
    pub endpoint: Option<String>,
    /// Who we are.
    pub credentials: AzureCredentials,
    /// Whether the endpoint may be reached without TLS.
    pub allow_http: bool,
}

/// Who we are for Azure.
#[derive(Clone)]
pub enum AzureCredentials {
    /// What the environment of the process and of the machine give: `AZURE_STORAGE_ACCOUNT_KEY` and the others, a workload
    /// identity, or that of the machine. The settings win where both speak.
    Environment,
    /// The key of the account.
    Key(String),
    /// A shared access signature, as the portal prints it. It cannot make signed URLs for others.
    Sas(String),
}

impl fmt::Debug for AzureCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Environment => "Environment",
            Self::Key(_) => "Key(..)",
            Self::Sas(_) => "Sas(..)",
        })
    }
}

/// How long we wait for a store, and how often we try.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For an answer to begin, what is sent not counted.
    pub answer: Duration,
    /// What is added to that for each megabyte that is sent.
    pub per_megabyte: Duration,
    /// For the next bytes of an answer.
    pub read: Duration,
    /// For room in memory, when too many upload at once.
    pub room: Duration,
    /// How often one request is made at most.
    pub attempts: u32,
    /// Pause before the second attempt; doubled before each further one, and up to as much again by chance.
    pub pause: Duration,
    /// No attempt begins later than so long after the first one.
    pub window: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(20),
            per_megabyte: Duration::from_secs(4),
            read: Duration::from_secs(30),
            room: Duration::from_secs(60),
            attempts: 4,
            pause: Duration::from_millis(100),
            window: Duration::from_secs(20),
        }
    }
}
