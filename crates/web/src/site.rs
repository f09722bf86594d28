//! All pages: which path is answered by what, and what surrounds every answer.
//!
//! | layer, from outside | what it does |
//! |---|---|
//! | `headers` | adds the headers that a page does not set itself |
//! | `dress` | finds out who asks; turns a problem into a page in their language |
//! | `csrf` | refuses what another site sends with our cookies (`Sec-Fetch-Site`, else `Origin`) |
//! | the routes | one handler per page |

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http::HeaderValue;
use http::header::SET_COOKIE;
use http_body_util::BodyExt;
use lectern_accounts::Passwords;
use lectern_host::{Body, Host};
use tokio::sync::Semaphore;
use tower::{Service, ServiceBuilder};
use tower_http::csrf::{ConfigError, CsrfLayer};

use crate::cookies::{Cookies, session_id};
use crate::first_link;
use crate::outside::{self, Outsider};
use crate::pages::see;
use crate::pages::{
    account, admin, browse, details, link, moving, open, provider, rescued, sign_in, transfer, welcome,
};
use crate::problem::Problem;
use crate::provider::{ProviderHttp, SigningIn};
use crate::settings::{Disk, SettingsReport, WebSettings};
use crate::throttle::Throttle;
use crate::visitor::{Address, Visitor};
use crate::{assets, headers, signing_in};

/// Largest body of an ordinary form, in bytes. Uploads have the limit of files.
const FORM_BYTES_MAX: usize = 64 << 10;

/// Nobody in particular asks for these, so no cookie is looked at.
const WITHOUT_COOKIES: [&str; 2] = ["/assets/", "/picture/"];

/// What comes behind these is a secret: a log that has paths must cut them.
pub const ROUTE_PREFIXES_WITH_SECRETS: &[&str] = &["/welcome/", "/picture/", "/link/"];

/// What pages are made of.
#[derive(Debug)]
pub struct WebParts {
    /// The use cases.
    pub host: Arc<Host>,
    /// The blank files that can be begun: extension without dot, and bytes.
    pub blanks: Vec<(&'static str, Bytes)>,
    /// How a provider is reached, if the settings name one.
    pub http: Option<Arc<dyn ProviderHttp>>,
    /// The settings of the program, for administrators.
    pub report: SettingsReport,
    /// The disk that contents are on, where they are on one.
    pub disk: Option<Arc<dyn Disk>>,
}

/// What every handler has at hand.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) host: Arc<Host>,
    pub(crate) settings: WebSettings,
    /// What stands before our paths in the public URL: empty, or `/…` without a slash at its end.
    pub(crate) base: String,
    pub(crate) cookies: Cookies,
    pub(crate) passwords: Passwords,
    pub(crate) tries_by_name: Throttle,
    pub(crate) tries_by_address: Throttle,
    pub(crate) blanks: Vec<(&'static str, Bytes)>,
    pub(crate) uploads: Semaphore,
    pub(crate) provider: Option<SigningIn>,
    pub(crate) report: SettingsReport,
    pub(crate) disk: Option<Arc<dyn Disk>>,
}

/// All pages. Clones are the same.
#[derive(Clone, Debug)]
pub struct Pages {
    router: Router,
    shared: Arc<Shared>,
}

impl Pages {
    /// The pages over a host.
    ///
    /// # Errors
    ///
    /// If the public URL has no origin that a browser would send.
    pub fn new(parts: WebParts, settings: WebSettings) -> Result<Self, ConfigError> {
        let host = parts.host;
        let public_url = host.settings().public_url.clone();
        let origin = host.links().origin().to_owned();
        let csrf = CsrfLayer::new()
            .add_trusted_origin(&origin)?
            .with_rejection_response(|_| Problem::CrossSite.into_response());
        let shared = Arc::new(Shared {
            base: public_url.strip_prefix(&origin).unwrap_or_default().to_owned(),
            cookies: Cookies::of(&public_url),
            passwords: Passwords::default(),
            tries_by_name: Throttle::new("tries/name", settings.tries_per_name, settings.try_again_after),
            tries_by_address: Throttle::new("tries/address", settings.tries_per_address, settings.try_again_after),
            uploads: Semaphore::new(settings.uploads_max),
            blanks: parts.blanks,
            report: parts.report,
            disk: parts.disk,
            provider: match (settings.provider.clone(), parts.http) {
                (Some(provider), Some(http)) => Some(SigningIn::new(provider, http, &public_url)),
                _ => None,
            },
            settings,
            host,
        });
        let router = routes()
            .layer(
                ServiceBuilder::new()
                    .layer(map_response(complete))
                    .layer(from_fn_with_state(Arc::clone(&shared), dress))
                    .layer(csrf),
            )
            .with_state(Arc::clone(&shared));
        Ok(Self { router, shared })
    }

    /// Answers a request of the visitor at the address `from`, which came over a connection from `peer`: the same, or a
    /// proxy that is believed.
    pub async fn handle(&self, request: http::Request<Body>, from: IpAddr, peer: IpAddr) -> http::Response<Body> {
        let mut request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(Address { from, peer });
        let Ok(answer) = self.router.clone().call(request).await;
        answer.map(|body| body.map_err(Into::into).boxed_unsync())
    }

    /// A one-time link that makes the first administrator, if none can sign in yet.
    ///
    /// # Errors
    ///
    /// If the users cannot be listed.
    pub async fn first_link(&self) -> Result<Option<String>, lectern_host::ports::RegistryError> {
        let ports = self.shared.host.ports();
        if first_link::is_settled(&*ports.registry).await? {
            return Ok(None);
        }
        let lifetime = self.shared.settings.first_link_lifetime;
        let secret = first_link::issue(&self.shared.host, &*ports.random, lifetime).await?;
        Ok(Some(format!("{}/welcome/{secret}", self.shared.host.settings().public_url)))
    }
}

fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/", get(browse::home))
        .route("/browse/{container}", get(browse::show))
        .route("/browse/{container}/{mode}", get(browse::show_in_mode))
        .route("/browse/{container}/new", post(browse::new_file))
        .route("/browse/{container}/container", post(browse::new_container))
        .route("/browse/{container}/rename", post(browse::rename_container))
        .route(
            "/browse/{container}/upload",
            post(transfer::upload_form).put(transfer::upload_bytes).layer(DefaultBodyLimit::disable()),
        )
        .route("/browse/{container}/delete", post(moving::delete_container))
        .route("/files/{file}/delete", post(moving::delete_file))
        .route("/to/{what}/{kind}/{id}", get(moving::choose).post(moving::go))
        .route("/rescued", get(rescued::rescued))
        .route("/rescued/{id}", get(rescued::download).post(rescued::change))
        .route("/bin", get(moving::bin))
        .route("/bin/{change}", post(moving::change_bin))
        .route("/files/{file}/rename", post(browse::rename_file))
        .route("/download/{file}", get(transfer::download))
        .route("/show/{file}/{name}", get(transfer::show))
        .route("/search", get(browse::search))
        .route("/open/{file}/{mode}", get(open::open))
        .route("/open/{file}/token", post(open::token))
        .route("/open/{file}/holders", get(open::holders))
        .route("/open/{file}/pictures", get(open::pictures).post(open::picture_address))
        .route("/picture/{file}/{token}", get(open::picture))
        .route("/details/{file}", get(details::details))
        .route("/details/{file}/versions/{version}", get(details::download_version))
        .route("/details/{file}/restore", post(details::restore))
        .route("/details/{file}/name-version", post(details::name_version))
        .route("/details/{file}/keep-version", post(details::keep_version))
        .route("/details/{file}/release", post(details::release))
        .route("/sharing/{container}", get(details::sharing_of_container))
        .route("/share/{kind}/{id}", post(details::share))
        .route("/share/{kind}/{id}/end", post(details::unshare))
        .route("/share/{kind}/{id}/link", post(details::new_link))
        .route("/share/{kind}/{id}/revoke", post(details::revoke_link))
        .route("/admin/people", get(admin::people).post(admin::add_person))
        .route("/admin/people/{user}/{change}", post(admin::change_person))
        .route("/admin/groups", get(admin::groups).post(admin::add_group))
        .route("/admin/groups/{group}/{change}", post(admin::change_group))
        .route("/admin/clients", get(admin::clients))
        .route("/admin/clients/try", post(admin::try_client))
        .route("/admin/diagnostics", get(admin::diagnostics))
        .route("/admin/storage", get(admin::storage))
        .route("/admin/settings", get(admin::settings))
        .route("/shared", get(browse::shared_with_me))
        .route("/link/{secret}", get(link::show).post(link::submit))
        .route("/assets/{hash}/{name}", get(assets::asset))
        .route("/welcome/{secret}", get(welcome::show).post(welcome::submit))
        .route("/sign-in", get(sign_in::show).post(sign_in::submit))
        .route("/sign-in/provider", get(provider::begin))
        .route("/sign-in/callback", get(provider::finish))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/language", post(account::language))
        .route("/account", get(account::show))
        .route("/account/password", post(account::password))
        .route("/account/sessions/end", post(account::end_session))
        .route("/account/sessions/end-all", post(account::end_all_sessions))
        .fallback(|| async { Problem::NotFound })
        .method_not_allowed_fallback(back_to_page)
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
}

/// The page that a form belongs to, by the path that the form is sent to. A refused form is answered with that page under
/// the form's own path, which nobody can ask for again: reloading, choosing a language and coming back from signing in
/// lead to the page instead.
pub(crate) fn page_of(path: &str) -> Option<String> {
    let mut names = path.split('/').skip(1);
    let page = match (names.next()?, names.next(), names.next()) {
        ("browse", Some(id), Some(_)) => format!("/browse/{id}"),
        ("files" | "details", Some(id), Some(_)) | ("share", Some("file"), Some(id)) => format!("/details/{id}"),
        ("share", Some("container"), Some(id)) => format!("/sharing/{id}"),
        ("admin", Some(tab), Some(_)) => format!("/admin/{tab}"),
        (page @ ("bin" | "account" | "rescued"), Some(_), _) => format!("/{page}"),
        _ => return None,
    };
    Some(page)
}

/// Somebody asks for the path of a form as if it were a page.
async fn back_to_page(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let reads = matches!(*request.method(), http::Method::GET | http::Method::HEAD);
    match page_of(request.uri().path()).filter(|_| reads) {
        Some(page) => see(&shared, &page, None),
        None => Problem::Method.into_response(),
    }
}

async fn complete(mut answer: Response) -> Response {
    headers::complete(answer.headers_mut());
    answer
}

/// Finds out who asks, and turns a problem into a page.
async fn dress(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let visitor = if WITHOUT_COOKIES.iter().any(|prefix| parts.uri.path().starts_with(prefix)) {
        Visitor::unknown(&parts)
    } else {
        match Visitor::of(&parts, &shared).await {
            Ok(visitor) => visitor,
            Err(problem) => return problem.page(Visitor::unknown(&parts).frame(&shared)),
        }
    };
    let (visitor, cookie) = match by_proxy(&parts, &shared, visitor).await {
        Ok(known) => known,
        Err(problem) => return problem.page(Visitor::unknown(&parts).frame(&shared)),
    };
    parts.extensions.insert(visitor.clone());
    let answer = next.run(Request::from_parts(parts, body)).await;
    let mut answer = match answer.extensions().get::<Problem>() {
        Some(problem) => problem.page(visitor.frame(&shared)),
        None => answer,
    };
    if let Some(cookie) = cookie {
        answer.headers_mut().append(SET_COOKIE, cookie);
    }
    answer
}

/// The visitor as a trusted proxy knows them, with the cookie of the session that was opened for that.
async fn by_proxy(
    parts: &http::request::Parts,
    shared: &Shared,
    visitor: Visitor,
) -> Result<(Visitor, Option<HeaderValue>), Problem> {
    let Some(name) = visitor.proxied_name(parts, shared) else { return Ok((visitor, None)) };
    if visitor.person.as_ref().is_some_and(|person| person.user.name.eq_ignore_ascii_case(&name)) {
        return Ok((visitor, None));
    }
    let outsider = Outsider { name, ..Outsider::default() };
    let user = outside::account(shared, &outsider).await?.ok_or(Problem::Provider)?;
    let secret = signing_in::open_session(shared, &user, "").await?;
    let visitor = visitor.signed_in_by(shared, &session_id(&secret)).await?;
    Ok((visitor, Some(shared.cookies.of_session(&secret, shared.settings.session_lifetime))))
}
