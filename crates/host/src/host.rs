//! The host itself: the ports it stands on, and the one way in which records change.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use wopi::{ContainerId, FileId, WopiError};
use wopi_service::Refusal;

use crate::clients::Clients;
use crate::composed::Composed;
use crate::errors;
use crate::links::Links;
use crate::parts::FileParts;
use crate::plus::CoauthSettings;
use crate::ports::{
    Clock, Contents, FileCommit, Random, Registry, RegistryError, TokenClaims, TokenResource, Tokens, Tree, TreePath,
};
use wopi::UserId;

use crate::records::{ContentId, FileRecord, RefusedRequest, Session, SessionId, Timestamp, VersionEntry};

/// How often a commit is tried against others that were faster, before the client is asked to come back.
pub const COMMIT_ATTEMPTS_MAX: usize = 100;

/// How deep containers may lie in one another.
pub const CONTAINER_DEPTH_MAX: usize = 64;

/// How many files' commits are put in line separately.
const LANES: usize = 256;

/// What can be set about a host.
#[derive(Clone, Debug)]
pub struct HostSettings {
    /// Under which address clients and people reach us; may have a path, has no slash at its end.
    pub public_url: String,
    /// Largest file that is taken, in bytes.
    pub body_bytes_max: u64,
    /// Largest file, in bytes, that is hashed while a CheckFileInfo waits. Larger ones have no `SHA256` until saved.
    pub hash_inline_bytes_max: u64,
    /// How long an access token is good.
    pub token_lifetime: Duration,
    /// Whether containers and the ecosystem are offered.
    pub containers: bool,
    /// Whether PutRelativeFile is offered.
    pub relative_writes: bool,
    /// Whether CheckFileInfo tells a `FileUrl`.
    pub file_url: bool,
    /// Whether a `FileUrl` leads on to the store that has the bytes, where that can be.
    pub direct_reads: bool,
    /// Whether users are marked for Microsoft's business flow (`LicenseCheckForEditIsEnabled`).
    pub business_users: bool,
    /// What is told of coauthoring.
    pub coauth: CoauthSettings,
    /// What the bootstrapper tells those who have no token.
    pub bootstrapper: BootstrapperSettings,
    /// How long refused saves are kept.
    pub rescued_kept: Duration,
    /// How many bytes of refused saves are kept; the oldest go first.
    pub rescued_bytes_max: u64,
    /// How long deleted files are kept.
    pub deleted_kept: Duration,
    /// How long every replaced version is kept; after that one a day, and after `versions_daily_kept` none.
    pub versions_kept: Duration,
    /// How long one version a day is kept.
    pub versions_daily_kept: Duration,
    /// How old bytes must be before it is asked whether anything points to them. A save that takes longer is refused with
    /// 503: it only saves work, nothing depends on it.
    pub orphans_kept: Duration,
    /// How often it is swept.
    pub sweep_every: Duration,
    /// What this node is called where others read of it.
    pub node: String,
}

/// Where Office for phones finds an OAuth server (protocol/containers.md 13.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BootstrapperSettings {
    /// `authorization_uri`
    pub authorization_uri: Option<String>,
    /// `tokenIssuance_uri`
    pub token_issuance_uri: Option<String>,
    /// `providerId`
    pub provider_id: Option<String>,
    /// `UrlSchemes`, URL-encoded JSON
    pub url_schemes: Option<String>,
}

impl HostSettings {
    /// The defaults, at this address.
    pub fn new(public_url: &str) -> Self {
        const DAY: u64 = 24 * 60 * 60;
        Self {
            public_url: public_url.trim_end_matches('/').to_owned(),
            body_bytes_max: 1 << 30,
            hash_inline_bytes_max: 256 << 20,
            token_lifetime: Duration::from_secs(10 * 60 * 60),
            containers: true,
            relative_writes: true,
            file_url: false,
            direct_reads: false,
            business_users: false,
            coauth: CoauthSettings::default(),
            bootstrapper: BootstrapperSettings::default(),
            rescued_kept: Duration::from_secs(30 * DAY),
            rescued_bytes_max: 4 << 30,
            deleted_kept: Duration::from_secs(30 * DAY),
            versions_kept: Duration::from_secs(30 * DAY),
            versions_daily_kept: Duration::from_secs(365 * DAY),
            orphans_kept: Duration::from_secs(DAY),
            sweep_every: Duration::from_secs(60 * 60),
            node: String::new(),
        }
    }
}

/// Everything a host stands on.
#[derive(Debug)]
pub struct Ports {
    /// Records.
    pub registry: Arc<dyn Registry>,
    /// Bytes.
    pub contents: Arc<dyn Contents>,
    /// The folder, where names and bytes live in one.
    pub tree: Option<Arc<dyn Tree>>,
    /// Access tokens.
    pub tokens: Arc<dyn Tokens>,
    /// The clients that may call.
    pub clients: Arc<Clients>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub random: Arc<dyn Random>,
}

/// A host over its ports. Shared by the WOPI service, the commands and the background work.
pub struct Host {
    pub(crate) ports: Ports,
    pub(crate) settings: HostSettings,
    pub(crate) links: Links,
    /// Commits of one file that met another one wait in line here instead of trying against each other.
    lanes: Box<[tokio::sync::Mutex<()>]>,
    /// The folder is made to show one file by one task at a time.
    showing: Box<[tokio::sync::Mutex<()>]>,
    /// What was refused and is not written down yet.
    pub(crate) refusals: Mutex<VecDeque<RefusedRequest>>,
    /// Files, as committed, whose folder shows what was decided, but not durably yet.
    pub(crate) unsettled: Mutex<Vec<FileRecord>>,
    /// Held by whoever clears notes, so that what waits in `unsettled` is never an older note than the record's.
    pub(crate) settling: tokio::sync::Mutex<()>,
    pub(crate) unsettled_added: Notify,
    /// Files that the folder would not show; tried again in the background.
    pub(crate) unshown: Mutex<std::collections::BTreeSet<FileId>>,
    /// Files that had a note when notes were last looked through.
    pub(crate) standing: Mutex<Vec<FileRecord>>,
    pub(crate) scans: crate::index::Scans,
    pub(crate) signatures: Arc<crate::chunks::Signatures>,
    /// Who has others beside them that see every file, and until when that is believed.
    pub(crate) seen_by_others: Mutex<std::collections::HashMap<UserId, Timestamp>>,
    pub(crate) message_room: crate::chunks::Room,
    /// Asked before the directory of an archive is read.
    pub(crate) directories: tokio::sync::Semaphore,
}

/// What a decision about a file comes to, beside the record.
pub(crate) struct Decided<T> {
    /// What to tell whoever asked.
    pub(crate) told: T,
    /// The version that goes into the history.
    pub(crate) replaced: Option<VersionEntry>,
    /// What the file has beside its bytes from now on, if that is something else.
    pub(crate) parts: Option<FileParts>,
}

fn lane_of(id: &FileId) -> usize {
    id.as_str().bytes().fold(0usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte))) % LANES
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("ports", &self.ports).finish_non_exhaustive()
    }
}

impl Host {
    /// A host with these settings over these ports.
    pub fn new(ports: Ports, settings: HostSettings) -> Self {
        let ports = match ports.tree {
            Some(_) => ports,
            // Contents that need not be files may be made of pieces of others.
            None => Ports { contents: Arc::new(Composed::new(ports.contents, Arc::clone(&ports.registry))), ..ports },
        };
        Self {
            links: Links::new(&settings.public_url),
            ports,
            settings,
            lanes: (0..LANES).map(|_| tokio::sync::Mutex::new(())).collect(),
            showing: (0..LANES).map(|_| tokio::sync::Mutex::new(())).collect(),
            refusals: Mutex::default(),
            unsettled: Mutex::default(),
            settling: tokio::sync::Mutex::new(()),
            unsettled_added: Notify::new(),
            unshown: Mutex::default(),
            standing: Mutex::default(),
            scans: crate::index::Scans::default(),
            signatures: Arc::default(),
            seen_by_others: Mutex::default(),
            message_room: crate::chunks::Room::default(),
            directories: tokio::sync::Semaphore::new(crate::chunks::DIRECTORIES_AT_ONCE),
        }
    }

    /// What it stands on.
    pub fn ports(&self) -> &Ports {
        &self.ports
    }

    /// What was set.
    pub fn settings(&self) -> &HostSettings {
        &self.settings
    }

    /// Its addresses.
    pub fn links(&self) -> &Links {
        &self.links
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }

    pub(crate) fn new_content_id(&self) -> ContentId {
        let mut random = [0; 10];
        self.ports.random.fill(&mut random);
        ContentId::new(self.now(), random)
    }

    /// The file, if it is there and not deleted.
    pub async fn file(&self, id: &FileId) -> Result<FileRecord, Refusal> {
        let record = self.ports.registry.file(id).await.map_err(|e| errors::registry("reading the file", &e))?;
        if record.deleted_at.is_some() {
            return Err(Refusal::new(WopiError::NotFound, "the file was deleted"));
        }
        Ok(record)
    }

    /// Load, decide, commit; again if somebody else was faster, at most [`COMMIT_ATTEMPTS_MAX`] times.
    ///
    /// `first` is a record that was read already, to spare the first load; nobody is refused by it alone. `decide` changes
    /// the record into what it shall be and may return the version that goes into the history. **It may run more than
    /// once, so it must have no effect outside the record.** A record it leaves as it was is not committed.
    pub(crate) async fn update<T: Send>(
        &self,
        id: &FileId,
        first: Option<&FileRecord>,
        decide: impl Fn(&mut FileRecord, Timestamp) -> Result<(T, Option<VersionEntry>), Refusal> + Send + Sync,
    ) -> Result<(FileRecord, T), Refusal> {
        self.update_parts(id, first, |record, now| {
            let (told, replaced) = decide(record, now)?;
            Ok(Decided { told, replaced, parts: None })
        })
        .await
    }

    /// As [`Self::update`], for decisions that also change what the file has beside its bytes.
    pub(crate) async fn update_parts<T: Send>(
        &self,
        id: &FileId,
        first: Option<&FileRecord>,
        decide: impl Fn(&mut FileRecord, Timestamp) -> Result<Decided<T>, Refusal> + Send + Sync,
    ) -> Result<(FileRecord, T), Refusal> {
        let mut first = first.cloned();
        let mut lane = None;
        for attempt in 0..COMMIT_ATTEMPTS_MAX {
            let (read, read_before) = match first.take() {
                Some(record) => (record, true),
                None => (self.file(id).await?, false),
            };
            let mut record = read.clone();
            let Decided { told, replaced, parts } = match decide(&mut record, self.now()) {
                Ok(decided) => decided,
                // The bytes of a save may have come for minutes since that was read: now it is read anew.
                Err(_) if read_before => continue,
                Err(refusal) => return Err(refusal),
            };
            if record == read && replaced.is_none() && parts.is_none() {
                return Ok((record, told));
            }
            let commit = FileCommit { record, replaced };
            let committed = match &parts {
                Some(parts) => self.ports.registry.commit_parts(&commit, parts).await,
                None => self.ports.registry.commit_file(&commit).await,
            };
            match committed {
                Ok(stored) => return Ok((stored, told)),
                Err(RegistryError::Conflict) => {
                    if lane.is_none() {
                        lane = Some(self.lane(id).lock().await);
                    } else if attempt % 8 == 7 {
                        tokio::task::yield_now().await;
                    }
                }
                Err(error) => return Err(errors::registry("committing the file", &error)),
            }
        }
        Err(Refusal::new(
            WopiError::Busy { retry_after: errors::RETRY_AFTER_SECONDS },
            format!("the file changed {COMMIT_ATTEMPTS_MAX} times while this request tried to"),
        ))
    }

    /// As [`Self::update`], for decisions that the folder has to be made to show: first carries out, durably, what it
    /// still has to show, so that a crash never finds two such notes on one file.
    pub(crate) async fn update_shown<T: Send>(
        &self,
        id: &FileId,
        first: Option<&FileRecord>,
        decide: impl Fn(&mut FileRecord, Timestamp) -> Result<(T, Option<VersionEntry>), Refusal> + Send + Sync,
    ) -> Result<(FileRecord, T), Refusal> {
        self.update_parts_shown(id, first, |record, now| {
            let (told, replaced) = decide(record, now)?;
            Ok(Decided { told, replaced, parts: None })
        })
        .await
    }

    /// As [`Self::update_shown`] and [`Self::update_parts`].
    pub(crate) async fn update_parts_shown<T: Send>(
        &self,
        id: &FileId,
        first: Option<&FileRecord>,
        decide: impl Fn(&mut FileRecord, Timestamp) -> Result<Decided<T>, Refusal> + Send + Sync,
    ) -> Result<(FileRecord, T), Refusal> {
        enum Step<T> {
            Decided(T),
            SettleFirst,
        }
        let mut first = first.cloned();
        for _ in 0..COMMIT_ATTEMPTS_MAX {
            let (record, step) = self
                .update_parts(id, first.take().as_ref(), |record, now| {
                    if record.pending.is_some() {
                        // A refusal is one whatever the folder shows.
                        decide(&mut record.clone(), now)?;
                        return Ok(Decided { told: Step::SettleFirst, replaced: None, parts: None });
                    }
                    let Decided { told, replaced, parts } = decide(record, now)?;
                    Ok(Decided { told: Step::Decided(told), replaced, parts })
                })
                .await?;
            match step {
                Step::Decided(told) => return Ok((record, told)),
                Step::SettleFirst => self.finish(&record).await?,
            }
        }
        Err(Refusal::new(
            WopiError::Busy { retry_after: errors::RETRY_AFTER_SECONDS },
            "the folder could not be brought up to date",
        ))
    }

    fn lane(&self, id: &FileId) -> &tokio::sync::Mutex<()> {
        &self.lanes[lane_of(id)]
    }

    pub(crate) fn showing_lane(&self, id: &FileId) -> &tokio::sync::Mutex<()> {
        &self.showing[lane_of(id)]
    }

    /// The path of a container.
    pub async fn container_path(&self, id: &ContainerId) -> Result<TreePath, Refusal> {
        let mut names = Vec::new();
        let mut at = id.clone();
        for _ in 0..CONTAINER_DEPTH_MAX {
            let record =
                self.ports.registry.container(&at).await.map_err(|e| errors::registry("reading the container", &e))?;
            match record.parent {
                None => return Ok(names.iter().rev().fold(TreePath::root(), |path, name| path.join(name))),
                Some(parent) => {
                    names.push(record.name);
                    at = parent;
                }
            }
        }
        Err(Refusal::internal(format!("the container {id} lies deeper than {CONTAINER_DEPTH_MAX}")))
    }

    /// The path of a file.
    pub async fn file_path(&self, record: &FileRecord) -> Result<TreePath, Refusal> {
        Ok(self.container_path(&record.container).await?.join(&record.name))
    }

    // ── sessions and tokens ──

    /// Opens a session for a user, and remembers it.
    pub async fn open_session(&self, user: &UserId, label: &str, lifetime: Duration) -> Result<Session, Refusal> {
        let now = self.now();
        let session = Session {
            id: SessionId(crate::ids::new_id(&*self.ports.random)),
            user: user.clone(),
            label: label.to_owned(),
            created_at: now,
            expires_at: now.plus(lifetime),
            revoked_at: None,
            guest: None,
        };
        let created = self.ports.registry.create_session(&session).await;
        created.map_err(|e| errors::registry("opening a session", &e))?;
        Ok(session)
    }

    /// A token for another resource with the same claims: it runs out no later (protocol/common.md 4, "token trading").
    pub(crate) fn derived_token(&self, claims: &TokenClaims, resource: &TokenResource) -> String {
        self.ports.tokens.seal(claims, resource)
    }
}
