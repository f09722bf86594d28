//! [`Contents`] in an object store: S3 and what speaks its protocol, Azure Blob Storage, or a directory of objects.
//!
//! Names and folders live in the registry only; a store has bytes under ids. Every node may use the same store at the same
//! time, and none of them keeps anything that another one needs.
//!
//! | module | what it has |
//! |---|---|
//! | [`settings`] | what a store is told before it is opened |
//! | `keys` | which key an object has, and why |
//! | `store` | the three kinds, made from the settings |
//! | `transport`, `trouble` | what the store said, and what that means |
//! | `ask` | times and attempts |
//! | `writing`, `room` | writing an object once; memory for all that are being written |
//! | `reading` | ranges, streamed, going on where they broke off |
//! | `listing` | every id; removing |
//! | `direct` | URLs under which others get an object from the store itself |
//! | [`check`] | trying a store out, and saying in words what is wrong with it |
//! | `unfinished` | what dead uploads left behind |
//!
//! **What the store has to be allowed to do** (S3): `s3:GetObject`, `s3:PutObject`, `s3:DeleteObject`,
//! `s3:AbortMultipartUpload` on the prefix; `s3:ListBucket` and `s3:ListBucketMultipartUploads` on the bucket. Without
//! `s3:ListBucket` S3 answers 403 instead of 404 for what is not there.
//!
//! **At rest** objects are as the bucket keeps them: its default encryption, versions, replication and object lock are
//! settings of the store, and none of ours. A bucket with versions keeps what we remove until its lifecycle rules let it go.
//!
//! **Who opened a content reads it to its end** also while it is removed, as long as the connection holds; after that there
//! is nothing to go on with. The sweep removes only what nobody points to.

mod ask;
pub mod check;
mod direct;
mod keys;
mod listing;
mod reading;
mod room;
pub mod settings;
mod store;
mod transport;
mod trouble;
mod unfinished;
mod writing;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use lectern_host::Body;
use lectern_host::ports::{Contents, ContentsError, Stored};
use lectern_host::records::{ContentId, Timestamp};
use object_store::path::Path;
use tokio::sync::{Semaphore, watch};

pub use self::check::StoreProblem;
use self::keys::Keys;
use self::room::Room;
pub use self::settings::{
    AzureCredentials, AzureSettings, ObjectsSettings, Patience, S3Checksum, S3Credentials, S3Settings, StoreSettings,
};
use self::store::Store;
pub use self::writing::PART_BYTES_MIN;
use crate::folder::buffers::Buffers;

/// How many uploads are aborted, and objects removed that nobody was told of, at once. More are left to the sweep.
const CLEANUPS_MAX: usize = 32;

/// Contents in an object store. Clones share it.
#[derive(Clone, Debug)]
pub struct Objects {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: String,
    /// The name without our prefix.
    root: String,
    store: Store,
    keys: Keys,
    patience: Patience,
    room: Room,
    buffers: Arc<Buffers>,
    cleanups: Arc<Semaphore>,
    background: Background,
}

impl Inner {
    /// What a person would call this object.
    fn place(&self, key: &Path) -> String {
        format!("{}/{key}", self.root)
    }
}

/// What goes on in tasks of its own, counted.
#[derive(Clone, Debug)]
struct Background(watch::Sender<usize>);

impl Default for Background {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Background {
    /// Counts one more task until the answer is dropped.
    fn busy(&self) -> Busy {
        self.0.send_modify(|count| *count += 1);
        Busy(self.clone())
    }
}

#[derive(Debug)]
struct Busy(Background);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}

/// Settings that no store can be made of.
#[derive(Debug, thiserror::Error)]
pub enum ObjectsError {
    /// The prefix.
    #[error("`{0}` cannot be a prefix: it has an empty part, or `.` or `..` in it")]
    Prefix(String),
    /// Anything else.
    #[error("cannot use storage `{name}`")]
    Store {
        /// What it would be called.
        name: String,
        /// Why not.
        #[source]
        source: lectern_host::BoxError,
    },
}

impl Objects {
    /// A store with these settings. Asks the store nothing yet; a directory is made if it is not there.
    ///
    /// # Errors
    ///
    /// If the settings cannot be right.
    pub fn open(settings: &ObjectsSettings) -> Result<Self, ObjectsError> {
        let name = store::name(&settings.store, &settings.prefix);
        let keys = Keys::new(&settings.prefix).ok_or_else(|| ObjectsError::Prefix(settings.prefix.clone()))?;
        let store = Store::open(&settings.store, &settings.patience)
            .map_err(|source| ObjectsError::Store { name: name.clone(), source: source.into() })?;
        let part_bytes_min = PART_BYTES_MIN as u64;
        Ok(Self {
            inner: Arc::new(Inner {
                name,
                root: store::name(&settings.store, ""),
                store,
                keys,
                patience: settings.patience,
                room: Room::new(settings.upload_memory_bytes_max.max(part_bytes_min)),
                buffers: Arc::default(),
                cleanups: Arc::new(Semaphore::new(CLEANUPS_MAX)),
                background: Background::default(),
            }),
        })
    }

    /// Waits until nothing goes on in the background any more: uploads that are being aborted, and objects that are being
    /// removed because nobody was told of them. For the end of a process; what it does not wait for is the sweep's.
    pub async fn settled(&self) {
        // It can only fail when there is nobody left to count.
        let _ = self.inner.background.0.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl fmt::Display for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.name)
    }
}

#[async_trait]
impl Contents for Objects {
    async fn put(&self, id: &ContentId, body: Body, size_max: u64) -> Result<Stored, ContentsError> {
        self.inner.put(id, body, size_max).await
    }

    async fn open(&self, id: &ContentId, range: Range<u64>) -> Result<Body, ContentsError> {
        self.inner.open(id, range).await
    }

    async fn remove(&self, id: &ContentId) -> Result<(), ContentsError> {
        Ok(self.inner.remove_key(&self.inner.keys.of(id)).await?)
    }

    fn ids(&self) -> BoxStream<'_, Result<ContentId, ContentsError>> {
        self.inner.ids()
    }

    async fn direct_url(&self, id: &ContentId, lifetime: Duration) -> Result<Option<String>, ContentsError> {
        Ok(self.inner.direct_url(&self.inner.keys.of(id), lifetime).await?)
    }

    async fn remove_unfinished(&self, before: Timestamp) -> Result<u64, ContentsError> {
        self.inner.remove_unfinished(before).await
    }
}
