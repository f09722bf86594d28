//! Objects keep the promises of `Contents` on each kind of store, and say what is wrong when they cannot.
//!
//! | module | what |
//! |---|---|
//! | [`promises`] | the suite, on each store, also through `Faulty` |
//! | [`large`] | bodies of several parts, and what is left of those that end early |
//! | [`outages`] | stores that refuse, hang, lose answers, break off, and are away |
//! | [`words`] | what `check` says, and signed URLs |

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up is to fail")]

mod large;
mod outages;
mod promises;
mod words;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use lectern_conformance::servers::{Azurite, Faults, S3};
use lectern_contents::Objects;
use lectern_contents::objects::{
    AzureCredentials, AzureSettings, ObjectsSettings, Patience, S3Credentials, S3Settings, StoreSettings,
};

/// A store that can be made to fail.
enum Server {
    S3(S3),
    Azure(Azurite),
}

impl Server {
    /// Those that can be had here.
    async fn all() -> Vec<Self> {
        let azure = Azurite::start().await.map(Self::Azure);
        [Self::S3(S3::start().await)].into_iter().chain(azure).collect()
    }

    fn is_s3(&self) -> bool {
        matches!(self, Self::S3(_))
    }

    fn settings(&self) -> StoreSettings {
        match self {
            Self::S3(server) => StoreSettings::S3(s3(server)),
            Self::Azure(server) => StoreSettings::Azure(azure(server)),
        }
    }

    /// With as little patience as a test has.
    fn objects(&self) -> Objects {
        objects(self.settings())
    }

    fn faults(&self) -> &Faults {
        match self {
            Self::S3(server) => server.faults(),
            Self::Azure(server) => server.faults(),
        }
    }

    async fn stop(&mut self) {
        match self {
            Self::S3(server) => server.stop().await,
            Self::Azure(server) => server.stop().await,
        }
    }

    async fn start_again(&mut self) {
        match self {
            Self::S3(server) => server.start_again().await,
            Self::Azure(server) => server.start_again().await,
        }
    }
}

fn s3(server: &S3) -> S3Settings {
    S3Settings {
        endpoint: Some(server.endpoint()),
        path_style: true,
        allow_http: true,
        credentials: S3Credentials::Key {
            id: server.access_key().to_owned(),
            secret: server.secret_key().to_owned(),
            session_token: None,
        },
        ..S3Settings::new(server.bucket(), "us-east-1")
    }
}

fn azure(server: &Azurite) -> AzureSettings {
    AzureSettings {
        account: server.account().to_owned(),
        container: server.container().to_owned(),
        endpoint: Some(server.endpoint()),
        credentials: AzureCredentials::Key(server.key().to_owned()),
        allow_http: true,
    }
}

/// A prefix that nobody had before.
fn settings(store: StoreSettings) -> ObjectsSettings {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let prefix = format!("test-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    ObjectsSettings { prefix, ..ObjectsSettings::new(store) }
}

fn objects(store: StoreSettings) -> Objects {
    let patience = Patience { pause: Duration::from_millis(1), ..Patience::default() };
    Objects::open(&ObjectsSettings { patience, ..settings(store) }).unwrap()
}
