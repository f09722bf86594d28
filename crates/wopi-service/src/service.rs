//! The tower service: one handler for everything under `/wopi`.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Response};
use http_body::Body as _;
use http_body_util::BodyExt;
use wopi::coauth::{self, CoauthLockMetadata};
use wopi::operation::{
    BootstrapperOperation, ContainerOperation, EcosystemOperation, FileOperation, FolderOperation, Operation,
};
use wopi::route::{self, Kind, Target};
use wopi::{FileId, WopiError, headers};

use crate::body::{Body, BoxError};
use crate::gate::{self, PublicUrl};
use crate::host::WopiHost;
use crate::refusal::{Refusal, RefusalReport};
use crate::render;

/// Bounds on what one request may bring. Bytes of files are the host's to bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Largest JSON body, in bytes.
    pub json_bytes_max: usize,
    /// Longest string that PutUserInfo takes, in bytes (WOPI: 1024 ASCII characters).
    pub user_info_bytes_max: usize,
    /// How much of the body of a refused request is read, so that the client gets to see the answer.
    pub drain_bytes_max: usize,
    /// How much of a body is read that an operation has no use for: Collabora sends the whole document with RenameFile,
    /// and would take a connection that ends early for a failure.
    pub ignored_body_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            json_bytes_max: 1 << 20,
            user_info_bytes_max: 1024,
            drain_bytes_max: 1 << 20,
            ignored_body_bytes_max: 1 << 30,
        }
    }
}

struct Shared<H> {
    host: H,
    public_url: PublicUrl,
    limits: Limits,
    server_version: HeaderValue,
    machine_name: HeaderValue,
    started_at_ms: i64,
    requests: AtomicU64,
}

/// A WOPI host as a [`tower::Service`]. Cheap to clone.
pub struct WopiService<H> {
    shared: Arc<Shared<H>>,
}

impl<H> Clone for WopiService<H> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<H: WopiHost> WopiService<H> {
    /// Puts the protocol in front of a host. `server_version` and `machine_name` go into every answer
    /// (`X-WOPI-ServerVersion`, `X-WOPI-MachineName`); text that is no header value is left out.
    pub fn new(host: H, limits: Limits, server_version: &str, machine_name: &str) -> Self {
        let value = |text| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("unknown"));
        let shared = Shared {
            public_url: PublicUrl::new(host.public_url()),
            started_at_ms: host.now_ms(),
            server_version: value(server_version),
            machine_name: value(machine_name),
            requests: AtomicU64::new(0),
            limits,
            host,
        };
        Self { shared: Arc::new(shared) }
    }

    /// The host behind it.
    pub fn host(&self) -> &H {
        &self.shared.host
    }

    /// Answers one request. Never fails: every failure is an answer.
    pub async fn handle(&self, request: Request<Body>) -> Response<Body> {
        let (parts, mut body) = request.into_parts();
        let mut asked = Asked { parts: &parts, route: None };
        let result = self.answer(&mut asked, &mut body).await;
        let shared = &*self.shared;
        let (mut response, drain_bytes_max) = match result {
            Ok(response) => (response, shared.limits.ignored_body_bytes_max),
            Err(refusal) => (shared.explain(&asked, &refusal), shared.limits.drain_bytes_max),
        };
        drain(&mut body, drain_bytes_max).await;
        let fields = response.headers_mut();
        fields.insert(headers::SERVER_VERSION, shared.server_version.clone());
        fields.insert(headers::MACHINE_NAME, shared.machine_name.clone());
        response
    }

    async fn answer(&self, asked: &mut Asked<'_>, body: &mut Body) -> Result<Response<Body>, Refusal> {
        let shared = &*self.shared;
        let parts = asked.parts;
        let (target, kind) = route::route(&parts.method, parts.uri.path(), &parts.headers)
            .map_err(|error| Refusal::new(error, "no WOPI endpoint has this path"))?;
        asked.route = Some((target, kind));
        let Some((target, kind)) = &asked.route else { return Err(WopiError::Internal.into()) };
        let uri = parts.uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
        let admitted = gate::admit(&shared.host, &shared.public_url, target, *kind, &uri, &parts.headers).await?;
        let by = &admitted.caller;
        match admitted.operation {
            Operation::File(file, operation) => shared.file(by, &file, operation, body).await,
            Operation::Container(container, operation) => {
                let (host, id) = (&shared.host, &container);
                Ok(match operation {
                    ContainerOperation::CheckContainerInfo => render::json(&host.check_container_info(by, id).await?),
                    ContainerOperation::CreateChildContainer { target } => {
                        render::json(&host.create_child_container(by, id, target).await?)
                    }
                    ContainerOperation::CreateChildFile { target } => {
                        render::json(&host.create_child_file(by, id, target).await?)
                    }
                    ContainerOperation::DeleteContainer => {
                        host.delete_container(by, id).await?;
                        render::done()
                    }
                    ContainerOperation::RenameContainer { name } => {
                        render::json(&host.rename_container(by, id, name).await?)
                    }
                    ContainerOperation::GetShareUrl { kind } => {
                        render::json(&host.container_share_url(by, id, kind).await?)
                    }
                    ContainerOperation::EnumerateAncestors => render::json(&host.container_ancestors(by, id).await?),
                    ContainerOperation::EnumerateChildren { extensions } => {
                        render::json(&host.enumerate_children(by, id, extensions).await?)
                    }
                    ContainerOperation::GetEcosystem => render::json(&host.container_ecosystem(by, id).await?),
                })
            }
            Operation::Ecosystem(operation) => {
                let host = &shared.host;
                Ok(match operation {
                    EcosystemOperation::CheckEcosystem => {
                        let mut answer = host.check_ecosystem(by).await?;
                        answer.announce(host.supported());
                        render::json(&answer)
                    }
                    EcosystemOperation::GetRootContainer => render::json(&host.get_root_container(by).await?),
                    EcosystemOperation::GetFileWopiSrc { native_name } => {
                        render::json(&host.get_file_wopi_src(by, native_name).await?)
                    }
                })
            }
            Operation::Bootstrapper(operation) => {
                let host = &shared.host;
                Ok(match operation {
                    BootstrapperOperation::Bootstrap => render::json(&host.bootstrap(by).await?),
                    BootstrapperOperation::GetRootContainer => render::json(&host.bootstrap_root_container(by).await?),
                    BootstrapperOperation::GetFileWopiSrc { native_name } => {
                        render::json(&host.bootstrap_wopi_src(by, native_name).await?)
                    }
                    BootstrapperOperation::GetNewAccessToken { wopi_src } => {
                        render::json(&host.get_new_access_token(by, wopi_src).await?)
                    }
                })
            }
            Operation::Folder(folder, operation) => Ok(match operation {
                FolderOperation::CheckFolderInfo => render::json(&shared.host.check_folder_info(by, &folder).await?),
                FolderOperation::EnumerateChildren => render::json(&shared.host.folder_children(by, &folder).await?),
            }),
        }
    }
}

impl<H: WopiHost> Shared<H> {
    async fn file(
        &self,
        by: &H::Caller,
        file: &FileId,
        operation: FileOperation,
        body: &mut Body,
    ) -> Result<Response<Body>, Refusal> {
        let host = &self.host;
        Ok(match operation {
            FileOperation::CheckFileInfo { session_context } => {
                let mut info = host.check_file_info(by, file, session_context).await?;
                info.announce(host.supported());
                render::json(&info)
            }
            FileOperation::GetFile { size_max, range } => {
                render::bytes(host.get_file(by, file, size_max, range).await?)
            }
            FileOperation::PutFile { lock, save } => {
                render::saved(&host.put_file(by, file, lock, save, take(body)).await?)
            }
            FileOperation::Lock { lock, terms } => render::done_at(host.lock(by, file, lock, terms).await?),
            FileOperation::UnlockAndRelock { old, new, terms } => {
                render::done_at(host.unlock_and_relock(by, file, old, new, terms).await?)
            }
            FileOperation::GetLock => render::held(host.get_lock(by, file).await?.as_ref()),
            FileOperation::RefreshLock { lock, terms } => {
                render::done_at(host.refresh_lock(by, file, lock, terms).await?)
            }
            FileOperation::Unlock { lock } => render::done_at(host.unlock(by, file, lock).await?),
            FileOperation::PutRelativeFile { target, size, conversion, save } => {
                render::json(&host.put_relative_file(by, file, target, size, conversion, save, take(body)).await?)
            }
            FileOperation::RenameFile { name, presented } => {
                render::json(&host.rename_file(by, file, name, presented).await?)
            }
            FileOperation::DeleteFile => {
                host.delete_file(by, file).await?;
                render::done()
            }
            FileOperation::PutUserInfo => {
                let info = read(body, self.limits.user_info_bytes_max).await?;
                let info = String::from_utf8(info).map_err(|_| {
                    Refusal::new(WopiError::InvalidRequest { header: "body" }, "the user info is not UTF-8")
                })?;
                host.put_user_info(by, file, info).await?;
                render::done()
            }
            FileOperation::GetShareUrl { kind } => render::json(&host.get_share_url(by, file, kind).await?),
            FileOperation::AddActivities => {
                let request = read(body, self.limits.json_bytes_max).await?;
                let request = serde_json::from_slice(&request).map_err(|error| {
                    Refusal::new(
                        WopiError::InvalidRequest { header: "body" },
                        format!("the activities are not the JSON they should be: {error}"),
                    )
                })?;
                render::json(&host.add_activities(by, file, request).await?)
            }
            FileOperation::EnumerateAncestors => render::json(&host.enumerate_ancestors(by, file).await?),
            FileOperation::GetEcosystem => render::json(&host.get_ecosystem(by, file).await?),
            FileOperation::ReadSecureStore { application_id } => {
                render::json(&host.read_secure_store(by, file, application_id).await?)
            }
            FileOperation::GetRestrictedLink => {
                let link = host.get_restricted_link(by, file).await?;
                render::with_header(render::done(), headers::RESTRICTED_USE_LINK, &link)
            }
            FileOperation::RevokeRestrictedLink => {
                host.revoke_restricted_link(by, file).await?;
                render::done()
            }
            FileOperation::ExecuteCellStorageRequest | FileOperation::ExecuteCellStorageRelativeRequest => {
                render::octets(host.execute_cell_storage_request(by, file, take(body)).await?)
            }
            FileOperation::GetCoauthLock { lock, kind, timeout, metadata } => {
                let metadata = self.coauth_metadata(metadata, body).await?;
                render::coauth(&host.get_coauth_lock(by, file, lock, kind, timeout, metadata).await?)
            }
            FileOperation::RefreshCoauthLock { lock, timeout, metadata } => {
                let metadata = self.coauth_metadata(metadata, body).await?;
                render::coauth(&host.refresh_coauth_lock(by, file, lock, timeout, metadata).await?)
            }
            FileOperation::UnlockCoauthLock { lock } => {
                host.unlock_coauth_lock(by, file, lock).await?;
                render::done()
            }
            FileOperation::GetCoauthTable { known } => render::coauth(&host.get_coauth_table(by, file, known).await?),
            FileOperation::GetChunkedFile => render::framed(host.get_chunked_file(by, file, take(body)).await?),
            FileOperation::PutChunkedFile { sequence, lock, editors } => {
                let done = host.put_chunked_file(by, file, sequence, lock, editors, take(body)).await?;
                render::sequenced(render::done_at(done.version), done.sequence)
            }
            FileOperation::GetSequenceNumber => {
                render::sequenced(render::done(), host.get_sequence_number(by, file).await?)
            }
            FileOperation::GetChunks => render::framed(host.get_chunks(by, file, take(body)).await?),
            FileOperation::CreateUploadSession => render::json(&host.create_upload_session(by, file).await?),
            FileOperation::UpdateUploadSession { token, offset, length } => {
                let next = host.update_upload_session(by, file, token, offset, length, take(body)).await?;
                render::with_header(render::done(), headers::UPLOAD_SESSION_CURRENT_OFFSET, &next.to_string())
            }
        })
    }

    /// The metadata of a coauth lock: the body's if it tells any, else the header's.
    async fn coauth_metadata(
        &self,
        in_header: CoauthLockMetadata,
        body: &mut Body,
    ) -> Result<CoauthLockMetadata, Refusal> {
        let body = read(body, self.limits.json_bytes_max).await?;
        let in_body = coauth::metadata_in_body(&body).map_err(|error| {
            Refusal::new(error, "the body is not the JSON it should be, or its CoauthLockMetadata is too large")
        })?;
        Ok(in_body.unwrap_or(in_header))
    }

    /// Writes the one log line of a refusal, tells the host, and renders the answer.
    fn explain(&self, asked: &Asked<'_>, refusal: &Refusal) -> Response<Body> {
        let parts = asked.parts;
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let request_id = format!("{:x}-{number:x}", self.started_at_ms);
        let raw = parts.uri.path_and_query().map_or("/", PathAndQuery::as_str);
        // The first candidate is the address that a client is expected to have signed.
        let url = self.public_url.candidates(raw).swap_remove(0);
        let report = RefusalReport {
            operation: asked.route.as_ref().map(|(_, kind)| *kind),
            target: asked.route.as_ref().map(|(target, _)| target.clone()),
            status: refusal.error.status().as_u16(),
            because: refusal.because.clone().into_owned(),
            url: route::for_log(&route::redact_query(&url)),
            at_ms: self.host.now_ms(),
            correlation_id: parts
                .headers
                .get(headers::CORRELATION_ID)
                .map(|value| route::for_log(&String::from_utf8_lossy(value.as_bytes()))),
            request_id,
        };
        let operation = report.operation.map_or("-", Kind::name);
        let correlation_id = report.correlation_id.as_deref().unwrap_or("-");
        macro_rules! line {
            ($level:ident, $what:literal) => {
                tracing::$level!(
                    wopi.operation = operation,
                    http.status = report.status,
                    wopi.url = %report.url,
                    time_ms = report.at_ms,
                    wopi.correlation_id = correlation_id,
                    request.id = %report.request_id,
                    concat!($what, ": {}"),
                    report.because
                )
            };
        }
        match refusal.error {
            WopiError::Internal | WopiError::Busy { .. } => line!(error, "failed"),
            WopiError::ProofRejected | WopiError::Unauthorized { .. } => line!(warn, "refused"),
            _ => line!(info, "refused"),
        }
        let response = render::refusal(refusal, &report.request_id);
        self.host.refused(report);
        response
    }
}

/// What is known of a request while it is answered.
struct Asked<'a> {
    parts: &'a http::request::Parts,
    route: Option<(Target, Kind)>,
}

/// The body, leaving none behind.
fn take(body: &mut Body) -> Body {
    std::mem::replace(body, crate::body::empty())
}

/// The whole of a small body.
async fn read(body: &mut Body, bytes_max: usize) -> Result<Vec<u8>, Refusal> {
    let mut all = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            Refusal::new(WopiError::InvalidRequest { header: "body" }, format!("the body ended early: {error}"))
        })?;
        if let Ok(data) = frame.into_data() {
            if all.len() + data.len() > bytes_max {
                return Err(Refusal::new(WopiError::TooLarge, format!("the body is larger than {bytes_max} bytes")));
            }
            all.extend_from_slice(&data);
        }
    }
    Ok(all)
}

/// Reads and forgets what is left of a body, up to a bound: a client that is still sending would otherwise find its
/// connection reset and never see why. A body that is announced to be larger is not waited for at all.
async fn drain(body: &mut Body, bytes_max: usize) {
    if usize::try_from(body.size_hint().lower()).is_ok_and(|announced| announced > bytes_max) {
        return;
    }
    let mut read = 0;
    while read < bytes_max {
        match body.frame().await {
            Some(Ok(frame)) => read += frame.data_ref().map_or(0, Bytes::len),
            Some(Err(_)) | None => return,
        }
    }
}

/// Any server's body as ours. It keeps what is known of the length, which a mapped body would forget.
struct Uniform<B>(B);

impl<B> http_body::Body for Uniform<B>
where
    B: http_body::Body + Unpin,
    B::Data: Into<Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, BoxError>>> {
        let frame = Pin::new(&mut self.0).poll_frame(context);
        frame.map(|next| next.map(|frame| frame.map(|frame| frame.map_data(Into::into)).map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.0.size_hint()
    }
}

impl<H, B> tower::Service<Request<B>> for WopiService<H>
where
    H: WopiHost,
    B: http_body::Body + Send + Unpin + 'static,
    B::Data: Into<Bytes> + Send,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let service = self.clone();
        let request = request.map(|body| Uniform(body).boxed_unsync());
        Box::pin(async move { Ok(service.handle(request).await) })
    }
}
