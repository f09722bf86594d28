//! Where records and bytes are, opened: a folder and SQLite, objects and SQLite, objects and PostgreSQL.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use lectern_contents::objects::{
    AzureCredentials, AzureSettings, ObjectsSettings, S3Checksum, S3Credentials, S3Settings, StoreSettings,
};
use lectern_contents::{Folder, Objects};
use lectern_host::ports::{Contents, Registry, RegistryError, Tree};
use lectern_registry::{
    Opener, PostgresOpenError, PostgresRegistry, PostgresSettings, PostgresTls, PostgresTlsMode, SqliteRegistry,
};
use url::Url;

use crate::config::{self, Checksum, Encryption};
use crate::health::Probe;
use crate::place::Place;
use crate::trouble::{OrTrouble, Trouble};

/// How long a stop waits for what the store has to be told still: uploads that were broken off, bytes nobody needs.
const STORE_SETTLED_WITHIN: Duration = Duration::from_secs(10);

/// Largest file that holds a secret, in bytes.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// Records and bytes.
pub(crate) struct Storage {
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) contents: Arc<dyn Contents>,
    pub(crate) tree: Option<Arc<dyn Tree>>,
    /// What has to work, beside the registry and the folder, for requests to be answered.
    pub(crate) probes: Vec<Box<dyn Probe>>,
    /// Finishes what waits. To be called when nothing is asked any more.
    pub(crate) close: BoxFuture<'static, ()>,
}

/// Opens what a place says.
pub(crate) async fn open(place: &Place, who: Opener) -> Result<Storage, Trouble> {
    let mut probes: Vec<Box<dyn Probe>> = Vec::new();
    let (registry, close_registry) = open_registry(place, who, &mut probes).await?;
    if place.has_folder() {
        let folder = Folder::open(&place.folder, &place.state)
            .or_trouble(|| format!("cannot use the folder `{}`", place.folder_shown()))?;
        let folder = Arc::new(folder);
        let tree: Arc<dyn Tree> = Arc::<Folder>::clone(&folder);
        return Ok(Storage { registry, contents: folder, tree: Some(tree), probes, close: close_registry });
    }
    let objects = open_objects(place)?;
    probes.push(Box::new(ObjectsProbe(objects.clone())));
    let settled = objects.clone();
    let close = Box::pin(async move {
        if tokio::time::timeout(STORE_SETTLED_WITHIN, settled.settled()).await.is_err() {
            tracing::warn!("the store was not told of all that nobody needs; the sweep does it later");
        }
        close_registry.await;
    });
    Ok(Storage { registry, contents: Arc::new(objects), tree: None, probes, close })
}

type OpenRegistry = (Arc<dyn Registry>, BoxFuture<'static, ()>);

async fn open_registry(place: &Place, who: Opener, probes: &mut Vec<Box<dyn Probe>>) -> Result<OpenRegistry, Trouble> {
    if let Some(url) = &place.settings.database.url {
        return open_postgres(place, url, who, probes).await;
    }
    let registry = SqliteRegistry::open(&place.database(), who)
        .or_trouble(|| format!("cannot use the records in `{}`", place.database().display()))?;
    let registry = Arc::new(registry);
    let closed = Arc::clone(&registry);
    let close = Box::pin(async move {
        if let Err(error) = closed.close().await {
            tracing::error!("closing the records: {error}");
        }
    });
    Ok((registry, close))
}

/// How long a start waits for a database that is not there yet.
const DATABASE_AWAITED: Duration = Duration::from_secs(60);

/// The pause between two looks for it.
const DATABASE_LOOKED_FOR_EVERY: Duration = Duration::from_secs(1);

async fn open_postgres(
    place: &Place,
    url: &str,
    who: Opener,
    probes: &mut Vec<Box<dyn Probe>>,
) -> Result<OpenRegistry, Trouble> {
    let settings = postgres_settings(&place.settings.database, url)?;
    let begun = Instant::now();
    let registry = loop {
        match PostgresRegistry::open(settings.clone()).await {
            Ok(registry) => break Arc::new(registry),
            // Machines start in any order. Commands are for people, who do not wait so long.
            Err(PostgresOpenError::Registry(RegistryError::Unavailable(error)))
                if who == Opener::Server && begun.elapsed() < DATABASE_AWAITED =>
            {
                tracing::warn!(error = &*error as &dyn std::error::Error, "the database is not there yet");
                tokio::time::sleep(DATABASE_LOOKED_FOR_EVERY).await;
            }
            Err(error) => {
                return Err(error).or_trouble(|| "cannot use the records in the database".to_owned()).map_err(|trouble| {
                    trouble.hint("look at database.url, at the password, and at whether the server takes connections from here")
                });
            }
        }
    };
    probes.push(Box::new(DatabaseProbe(Arc::clone(&registry))));
    let closed = Arc::clone(&registry);
    let close = Box::pin(async move { closed.close() });
    Ok((registry, close))
}

/// What somebody should know of the database: that it works, or what is wrong with it; and what could be better.
pub(crate) async fn check_database(place: &Place) -> Option<Result<(String, Vec<String>), Trouble>> {
    let url = place.settings.database.url.as_deref()?;
    let checked = async {
        let cannot = || "the database cannot be used".to_owned();
        let settings = postgres_settings(&place.settings.database, url)?;
        let registry = PostgresRegistry::open(settings).await.or_trouble(cannot)?;
        let health = registry.check().await.or_trouble(cannot);
        registry.close();
        let health = health?;
        Ok((format!("{registry} takes changes ({})", health.version), health.warnings))
    };
    Some(checked.await)
}

fn postgres_settings(database: &config::Database, url: &str) -> Result<PostgresSettings, Trouble> {
    let mut settings = PostgresSettings::new(url);
    settings.password = match &database.password_file {
        Some(file) => Some(secret(file, "password")?),
        None => None,
    };
    settings.connections_max = database.connections_max.as_usize();
    settings.statement_timeout = database.statement_timeout.get();
    settings.acquire_timeout = database.acquire_timeout.get();
    settings.connect_timeout = database.connect_timeout.get();
    settings.idle_in_transaction_timeout = database.idle_in_transaction_timeout.get();
    settings.tls = PostgresTls {
        mode: match database.encryption {
            Encryption::Automatic => PostgresTlsMode::Automatic,
            Encryption::Off => PostgresTlsMode::Off,
            Encryption::Required => PostgresTlsMode::Required,
        },
        root_certificates: database.root_certificates_file.clone(),
    };
    Ok(settings)
}

/// Whether the database takes changes.
#[derive(Debug)]
struct DatabaseProbe(Arc<PostgresRegistry>);

#[async_trait]
impl Probe for DatabaseProbe {
    fn name(&self) -> &'static str {
        "database"
    }

    async fn look(&self) -> Result<(), String> {
        self.0.ready().await.map_err(|error| error.to_string())
    }
}

/// The object store that the settings mean.
///
/// # Errors
///
/// Says which setting is wrong, or what the store is called that cannot be used.
pub(crate) fn open_objects(place: &Place) -> Result<Objects, Trouble> {
    let settings = objects_settings(&place.settings.objects)?;
    Objects::open(&settings).or_trouble(|| format!("cannot use the objects in `{}`", place.documents_shown()))
}

fn objects_settings(objects: &config::Objects) -> Result<ObjectsSettings, Trouble> {
    let text = objects.store.as_deref().unwrap_or_default();
    let wrong = |why: &str| {
        Trouble::new(format!("`{text}` (objects.store) is no store"))
            .because(why.to_owned())
            .hint("say s3://BUCKET[/PREFIX], azure://CONTAINER[/PREFIX] or file:///DIRECTORY")
    };
    let url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
    let named = || match url.host_str() {
        Some(name) if !name.is_empty() => Ok(name.to_owned()),
        _ => Err(wrong("it has no name")),
    };
    let (store, prefix) = match url.scheme() {
        "s3" => (StoreSettings::S3(s3_settings(objects, named()?)?), url.path()),
        "azure" | "az" => (StoreSettings::Azure(azure_settings(objects, named()?)?), url.path()),
        "file" => {
            let path = url.to_file_path().map_err(|()| wrong("it is no absolute path"))?;
            (StoreSettings::Directory(path), "")
        }
        _ => return Err(wrong("it is of another kind")),
    };
    let mut settings = ObjectsSettings::new(store);
    settings.prefix = prefix.trim_matches('/').to_owned();
    settings.upload_memory_bytes_max = objects.upload_memory_bytes_max.get();
    Ok(settings)
}

fn s3_settings(objects: &config::Objects, bucket: String) -> Result<S3Settings, Trouble> {
    let credentials = match (&objects.access_key_id, &objects.secret_access_key_file) {
        (None, None) => S3Credentials::Environment,
        (Some(id), Some(file)) => {
            S3Credentials::Key { id: id.clone(), secret: secret(file, "secret")?, session_token: None }
        }
        _ => {
            return Err(Trouble::new("the keys of the object store are not complete")
                .hint("give both objects.access_key_id and objects.secret_access_key_file, or neither"));
        }
    };
    let certificates_pem = match &objects.root_certificates_file {
        None => None,
        Some(file) => Some(fs::read(file).or_trouble(|| format!("cannot read `{}`", file.display()))?),
    };
    Ok(S3Settings {
        endpoint: objects.endpoint.clone(),
        path_style: objects.path_style,
        credentials,
        allow_http: objects.allow_http,
        conditional_put: objects.conditional_put,
        checksum: match objects.checksum {
            Checksum::Signature => S3Checksum::Signature,
            Checksum::Sha256 => S3Checksum::Sha256,
            Checksum::Crc64nvme => S3Checksum::Crc64Nvme,
        },
        direct_endpoint: objects.direct_endpoint.clone(),
        certificates_pem,
        ..S3Settings::new(bucket, objects.region.clone())
    })
}

fn azure_settings(objects: &config::Objects, container: String) -> Result<AzureSettings, Trouble> {
    let account = objects.account.clone().ok_or_else(|| {
        Trouble::new("objects.account is missing").because("an azure:// store is a container of a storage account")
    })?;
    let credentials = match (&objects.account_key_file, &objects.sas_file) {
        (None, None) => AzureCredentials::Environment,
        (Some(file), None) => AzureCredentials::Key(secret(file, "key")?),
        (None, Some(file)) => AzureCredentials::Sas(secret(file, "signature")?),
        (Some(_), Some(_)) => {
            return Err(Trouble::new("two credentials for the object store")
                .hint("give objects.account_key_file or objects.sas_file, not both"));
        }
    };
    Ok(AzureSettings {
        account,
        container,
        endpoint: objects.endpoint.clone(),
        credentials,
        allow_http: objects.allow_http,
    })
}

/// The first line of a file.
pub(crate) fn secret(path: &Path, what: &str) -> Result<String, Trouble> {
    use std::io::Read as _;
    let cannot = || format!("cannot read the {what} in `{}`", path.display());
    let mut text = String::new();
    fs::File::open(path).and_then(|file| file.take(SECRET_BYTES_MAX).read_to_string(&mut text)).or_trouble(cannot)?;
    match text.lines().next().map(str::trim) {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err(Trouble::new(cannot()).because("its first line is empty")),
    }
}

/// Whether the store answers.
#[derive(Clone, Debug)]
struct ObjectsProbe(Objects);

#[async_trait]
impl Probe for ObjectsProbe {
    fn name(&self) -> &'static str {
        "objects"
    }

    async fn look(&self) -> Result<(), String> {
        self.0.ready().await.map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    fn parsed(text: &str) -> Result<ObjectsSettings, Trouble> {
        objects_settings(&Settings::parse(text).unwrap().objects)
    }

    #[test]
    fn a_store_is_what_its_url_says() {
        let settings =
            parsed("[objects]\nstore = \"s3://documents/a/b/\"\nendpoint = \"http://s3.test\"\npath_style = true")
                .unwrap();
        let StoreSettings::S3(s3) = &settings.store else { panic!("{settings:?}") };
        assert_eq!((s3.bucket.as_str(), settings.prefix.as_str(), s3.path_style), ("documents", "a/b", true));
        assert!(matches!(s3.credentials, S3Credentials::Environment));
        let settings = parsed("[objects]\nstore = \"file:///srv/objects\"").unwrap();
        assert!(matches!(&settings.store, StoreSettings::Directory(path) if path == Path::new("/srv/objects")));
        let settings = parsed("[objects]\nstore = \"azure://documents\"\naccount = \"a\"").unwrap();
        assert!(matches!(&settings.store, StoreSettings::Azure(azure) if azure.container == "documents"));
    }

    #[test]
    fn what_is_wrong_with_a_store_is_said() {
        for (text, says) in [
            ("store = \"documents\"", "is no store"),
            ("store = \"gs://documents\"", "is no store"),
            ("store = \"s3:///a\"", "is no store"),
            ("store = \"azure://documents\"", "objects.account is missing"),
            ("store = \"s3://a\"\naccess_key_id = \"k\"", "not complete"),
            (
                "store = \"s3://a\"\naccess_key_id = \"k\"\nsecret_access_key_file = \"/nowhere\"",
                "cannot read the secret",
            ),
            ("store = \"azure://a\"\naccount = \"a\"\naccount_key_file = \"a\"\nsas_file = \"b\"", "two credentials"),
        ] {
            let told = parsed(&format!("[objects]\n{text}")).unwrap_err().to_string();
            assert!(told.contains(says), "{told}");
        }
    }

    #[test]
    fn a_secret_is_the_first_line_of_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "s3cret \nmore").unwrap();
        assert_eq!(secret(&path, "secret").unwrap(), "s3cret");
        std::fs::write(&path, "\nmore").unwrap();
        assert!(secret(&path, "secret").unwrap_err().to_string().contains("first line is empty"));
    }
}
