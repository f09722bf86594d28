//! The store behind the seam of `object_store`, made from the settings.

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use object_store::aws::{AmazonS3, AmazonS3Builder, Checksum, S3ConditionalPut};
use object_store::azure::{AzureConfigKey, MicrosoftAzure, MicrosoftAzureBuilder};
use object_store::client::{HttpClient, HttpConnector as _};
use object_store::local::LocalFileSystem;
use object_store::{Certificate, ClientOptions, ObjectStore, RetryConfig};

use super::settings::{
    AzureCredentials, AzureSettings, Patience, S3Checksum, S3Credentials, S3Settings, StoreSettings,
};
use super::transport::Transport;

/// A store, as far as the kinds differ.
#[derive(Debug)]
pub(super) enum Store {
    S3 {
        store: Arc<AmazonS3>,
        /// The same bucket as clients reach it.
        direct: Arc<AmazonS3>,
        conditional_put: bool,
        /// For requests that we only have signed.
        client: HttpClient,
    },
    Azure {
        store: Arc<MicrosoftAzure>,
        /// Whether its credentials can sign URLs for others.
        signs: bool,
    },
    Directory {
        store: Arc<LocalFileSystem>,
        root: PathBuf,
    },
}

impl Store {
    pub(super) fn open(settings: &StoreSettings, patience: &Patience) -> object_store::Result<Self> {
        match settings {
            StoreSettings::S3(settings) => Ok(Self::S3 {
                store: Arc::new(s3(settings, settings.endpoint.as_ref(), patience)?),
                direct: Arc::new(s3(
                    settings,
                    settings.direct_endpoint.as_ref().or(settings.endpoint.as_ref()),
                    patience,
                )?),
                conditional_put: settings.conditional_put,
                client: Transport.connect(&s3_client(settings, patience))?,
            }),
            StoreSettings::Azure(settings) => Ok(Self::Azure {
                store: Arc::new(azure(settings, patience)?),
                signs: !matches!(settings.credentials, AzureCredentials::Sas(_)),
            }),
            StoreSettings::Directory(root) => {
                let failed = |source| object_store::Error::Generic { store: "directory", source: Box::new(source) };
                std::fs::create_dir_all(root).map_err(failed)?;
                let root = root.canonicalize().map_err(failed)?;
                // The file, its name, and the directories made on the way are synced before a put returns.
                let store = Arc::new(LocalFileSystem::new_with_prefix(&root)?.with_fsync(true));
                Ok(Self::Directory { store, root })
            }
        }
    }

    /// What all kinds can do.
    pub(super) fn objects(&self) -> &dyn ObjectStore {
        match self {
            Self::S3 { store, .. } => &**store,
            Self::Azure { store, .. } => &**store,
            Self::Directory { store, .. } => &**store,
        }
    }

    /// The directory, if it is one.
    pub(super) fn directory(&self) -> Option<&FilePath> {
        match self {
            Self::Directory { root, .. } => Some(root),
            Self::S3 { .. } | Self::Azure { .. } => None,
        }
    }

    /// Whether it refuses by itself to write over an object. A directory publishes small objects by a hard link.
    pub(super) fn creates_only(&self) -> bool {
        match self {
            Self::S3 { conditional_put, .. } => *conditional_put,
            Self::Azure { .. } | Self::Directory { .. } => true,
        }
    }

    /// Whether what we write beside an object can be read again.
    pub(super) fn keeps_attributes(&self) -> bool {
        self.directory().is_none()
    }
}

/// What a person would call a store.
pub(super) fn name(settings: &StoreSettings, prefix: &str) -> String {
    let prefix = prefix.trim_matches('/');
    let slash = if prefix.is_empty() { "" } else { "/" };
    match settings {
        StoreSettings::S3(S3Settings { bucket, .. }) => format!("s3://{bucket}{slash}{prefix}"),
        StoreSettings::Azure(AzureSettings { account, container, .. }) => {
            format!("az://{account}/{container}{slash}{prefix}")
        }
        StoreSettings::Directory(root) => format!("{}{slash}{prefix}", root.display()),
    }
}

/// We retry by ourselves ([`super::ask`]): only there is it known what may be done twice, and what has to be looked at
/// first.
fn no_retries() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

fn client(allow_http: bool, patience: &Patience) -> ClientOptions {
    // Timeouts of whole requests would be those of whole documents; ours are in `super::ask` and `super::reading`.
    ClientOptions::new()
        .with_allow_http(allow_http)
        .with_timeout_disabled()
        .with_read_timeout_disabled()
        .with_connect_timeout(patience.connect)
}

fn s3_client(settings: &S3Settings, patience: &Patience) -> ClientOptions {
    let certificates = settings.certificates_pem.iter().flat_map(|pem| Certificate::from_pem_bundle(pem)).flatten();
    certificates.fold(client(settings.allow_http, patience), ClientOptions::with_root_certificate)
}

fn s3(settings: &S3Settings, endpoint: Option<&String>, patience: &Patience) -> object_store::Result<AmazonS3> {
    let mut builder = match &settings.credentials {
        S3Credentials::Environment => AmazonS3Builder::from_env(),
        S3Credentials::Key { id, secret, session_token } => {
            let builder = AmazonS3Builder::new().with_access_key_id(id).with_secret_access_key(secret);
            match session_token {
                Some(token) => builder.with_token(token),
                None => builder,
            }
        }
    };
    builder = builder
        .with_bucket_name(&settings.bucket)
        .with_region(&settings.region)
        .with_virtual_hosted_style_request(!settings.path_style)
        .with_client_options(s3_client(settings, patience))
        .with_http_connector(Transport)
        .with_retry(no_retries())
        // One DELETE for each object: not every store has the request for many.
        .with_disable_bulk_delete(true)
        .with_conditional_put(if settings.conditional_put {
            S3ConditionalPut::ETagMatch
        } else {
            S3ConditionalPut::Disabled
        });
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint.trim_end_matches('/'));
    }
    builder = match settings.checksum {
        S3Checksum::Signature => builder,
        S3Checksum::Sha256 => builder.with_checksum_algorithm(Checksum::SHA256),
        S3Checksum::Crc64Nvme => builder.with_checksum_algorithm(Checksum::CRC64NVME),
    };
    builder.build()
}

fn azure(settings: &AzureSettings, patience: &Patience) -> object_store::Result<MicrosoftAzure> {
    let mut builder = match &settings.credentials {
        AzureCredentials::Environment => MicrosoftAzureBuilder::from_env(),
        AzureCredentials::Key(key) => MicrosoftAzureBuilder::new().with_access_key(key),
        AzureCredentials::Sas(signature) => {
            MicrosoftAzureBuilder::new().with_config(AzureConfigKey::SasKey, signature.trim_start_matches('?'))
        }
    };
    builder = builder
        .with_account(&settings.account)
        .with_container_name(&settings.container)
        .with_client_options(client(settings.allow_http, patience))
        .with_http_connector(Transport)
        .with_retry(no_retries());
    if let Some(endpoint) = &settings.endpoint {
        builder = builder.with_endpoint(endpoint.trim_end_matches('/').to_owned());
    }
    builder.build()
}
