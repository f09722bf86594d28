//! `lectern serve`

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use http::HeaderValue;
use lectern_host::ports::{Clock, Page, Random};
use lectern_web::SettingsReport;
use tokio::net::TcpListener;
use url::Url;

use super::known::default_public_url;
use super::{Out, plain, print, table};
use crate::config::report::{Start, report};
use crate::config::values::PublicUrl;
use crate::config::{Client, Limits};
use crate::given::{Given, How};
use crate::health::{FolderProbe, Health, Probe, RegistryProbe};
use crate::listen::{self, ListenLimits};
use crate::place::{Place, Whereabouts, shown};
use crate::serve_lock::ServeLock;
use crate::serving::Serving;
use crate::site::{Site, SiteSettings};
use crate::system::{SystemClock, SystemRandom};
use crate::trouble::{OrTrouble, Trouble};
use crate::wiring::{Parts, Premises, Wiring};
use crate::{people, samples, signals, telemetry};

/// How many open files are asked for beyond one per connection and one for the document behind it.
const OPEN_FILES_SPARE: u64 = 256;

/// Flags of `lectern serve`.
#[derive(Args, Debug, Default)]
pub struct Serve {
    /// The folder of documents: ./documents, which is made with a few samples if it is not there
    #[arg(value_name = "FOLDER", env = "LECTERN_FOLDER")]
    pub folder: Option<PathBuf>,
    /// Address and port to listen on [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS", env = "LECTERN_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// Where office servers reach this program [default: http:// and the address]
    #[arg(long, value_name = "URL", env = "LECTERN_PUBLIC_URL")]
    pub public_url: Option<PublicUrl>,
    /// An office server, by its URL; NAME=URL gives it a name. May be repeated
    #[arg(long = "client", value_name = "[NAME=]URL")]
    pub clients: Vec<Client>,
    #[command(flatten)]
    pub(crate) whereabouts: Whereabouts,
    /// How the flags were given.
    #[arg(skip)]
    given: Given,
    /// What is logged whatever the settings say, and who says so.
    #[arg(skip)]
    log: Option<(String, How)>,
}

impl Serve {
    pub(super) async fn run<W: Wiring>(self, wiring: &W, log: Option<&str>, out: Out<'_>) -> Result<(), Trouble> {
        let place = Place::find(self.folder.clone(), &self.whereabouts)?;
        telemetry::start(&place.settings.log, log)?;
        let stop = signals::stop()?;
        self.until(wiring, place, stop, out).await
    }

    /// Tells how the flags were given.
    pub(super) fn was_given(&mut self, given: Given, log: Option<(String, How)>) {
        (self.given, self.log) = (given, log);
    }

    /// Every setting of this start, and where it comes from. The public URL counts where nobody says another one.
    pub(super) fn report(&self, place: &Place, public_url: &PublicUrl) -> SettingsReport {
        let text = |path: &Path| path.display().to_string();
        let said = [
            ("server.listen", "listen", self.listen.map(|address| address.to_string())),
            ("server.public_url", "public_url", self.public_url.as_ref().map(PublicUrl::to_string)),
            ("contents.folder", "folder", self.folder.as_ref().map(|_| text(&place.folder))),
            ("objects.store", "objects", self.whereabouts.objects.clone()),
            ("database.url", "database", self.whereabouts.database.clone()),
            ("contents.state", "state", self.whereabouts.state.as_ref().map(|_| text(&place.state))),
        ];
        let how = |id: &str| self.given.how(id).cloned().unwrap_or_else(|| How::Flag(format!("--{id}")));
        let said = said.into_iter().filter_map(|(setting, id, text)| Some((setting, text?, how(id))));
        let log = self.log.iter().map(|(filter, how)| ("log.level", filter.clone(), how.clone()));
        report(&Start {
            place,
            said: said.chain(log).collect(),
            instead: [
                Some(("server.public_url", public_url.to_string())),
                place.has_folder().then(|| ("contents.folder", text(&place.folder))),
                place.keeps_state.then(|| ("contents.state", text(&place.state))),
                place.token_keys_file().map(|path| ("contents.token_keys_file", text(&path))),
            ]
            .into_iter()
            .flatten()
            .collect(),
            clients: &self.clients,
        })
    }

    /// A command that finds the same documents and records from another terminal in this directory.
    fn next_step(&self) -> String {
        let flags =
            [("--folder", &self.folder), ("--config", &self.whereabouts.config), ("--state", &self.whereabouts.state)];
        let stores = [("--objects", &self.whereabouts.objects), ("--database", &self.whereabouts.database)];
        // What holds a password is not printed; whoever typed it knows it.
        let open = |text: &&String| Url::parse(text).is_ok_and(|url| url.password().is_none());
        let stores = stores.map(|(flag, text)| (flag, text.as_ref().filter(open).map(PathBuf::from)));
        let flags = flags.map(|(flag, path)| (flag, path.clone()));
        flags
            .into_iter()
            .chain(stores)
            .filter_map(|(flag, path)| Some((flag, path?)))
            .fold(format!("{} token", quoted(&called())), |command, (flag, path)| {
                format!("{command} {flag} {}", quoted(&path.display().to_string()))
            })
    }

    /// Serves until `stop` is ready.
    pub(super) async fn until<W: Wiring>(
        self,
        wiring: &W,
        place: Place,
        stop: impl Future<Output = ()>,
        out: Out<'_>,
    ) -> Result<(), Trouble> {
        let settings = place.settings.clone();
        let next_step = self.next_step();
        let samples = place.has_folder() && make_folder(&place)?;
        place.make_state()?;
        let _lock = if place.keeps_state { Some(ServeLock::take(&place.state)?) } else { None };

        // Before anything else is changed: an address in use is the most frequent reason not to start.
        let wanted = self.listen.unwrap_or(settings.server.listen);
        let (listener, address) = bind(wanted).await?;
        let public_url = match self.public_url.clone().or_else(|| settings.server.public_url.clone()) {
            Some(url) => url,
            None => default_public_url(address)?,
        };
        let clients = all_clients(&settings.clients, &self.clients)?;
        let report = self.report(&place, &public_url);
        let premises = Premises { place, public_url, clients, report };
        let served = wiring.serve(&premises).await?;
        let (place, parts) = (&premises.place, &served.parts);
        people::settle(&*parts.registry, &settings.users, &SystemClock, &SystemRandom).await?;
        raise_open_files(&settings.limits);

        let mut probes: Vec<Box<dyn Probe>> = vec![Box::new(RegistryProbe(Arc::clone(&parts.registry)))];
        if place.has_folder() {
            probes.push(Box::new(FolderProbe { folder: place.folder.clone(), state: place.state.clone() }));
        }
        probes.extend(served.probes);
        let health = Arc::new(Health::new(probes));
        let run = new_run();
        let site_settings = SiteSettings {
            public_path: premises.public_url.path().to_owned(),
            trusted_proxies: settings.server.trusted_proxies.clone(),
            small_body_bytes_max: settings.limits.json_bytes_max.get(),
            large_bodies_max: settings.limits.saves_max.as_usize(),
            run: HeaderValue::from_str(&run).or_trouble(|| "cannot name this run".to_owned())?,
        };
        let first_link = match &served.pages {
            Some(pages) => pages.first_link().await.or_trouble(|| "cannot list the users".to_owned())?,
            None => None,
        };
        let site = Site::new(served.wopi, site_settings, Arc::clone(&health)).with_pages(served.pages);

        let serving = Serving {
            public_url: premises.public_url.clone(),
            listen: address.to_string(),
            process_id: std::process::id(),
            since_ms: SystemClock.now().0,
            clients: premises.clients.clone(),
            run,
        };
        if place.keeps_state {
            serving.write(&place.state)?;
        }
        let mut said = ready(&premises, parts, address, samples, &next_step).await?;
        if let Some(link) = first_link {
            said += &format!(
                "  first visit   {link}\n                (makes the first administrator; works once, for a day)\n"
            );
        }
        print(out, &said)?;
        tracing::info!(
            listen = %address,
            public_url = %premises.public_url,
            documents = %place.documents_shown(),
            clients = premises.clients.len(),
            "serving"
        );

        let limits = ListenLimits {
            head_bytes_max: usize::try_from(settings.limits.header_bytes_max.get()).unwrap_or(usize::MAX),
            head_timeout: settings.limits.header_timeout.get(),
            body_pause_max: settings.limits.body_timeout.get(),
            connections_max: settings.limits.connections_max.as_usize(),
            stop_notice: settings.server.shutdown_notice.get(),
            stop_grace: settings.server.shutdown_grace.get(),
        };
        let stop = async {
            stop.await;
            health.stop();
            tracing::info!(
                notice = %settings.server.shutdown_notice,
                grace = %settings.server.shutdown_grace,
                "asked to stop"
            );
        };
        let stopped = listen::serve(listener, move |peer| site.for_connection(peer), limits, stop).await;
        if stopped.cut > 0 {
            tracing::warn!(
                connections = stopped.cut,
                grace = %settings.server.shutdown_grace,
                "connections were cut that had not finished within server.shutdown_grace"
            );
        }
        let mut background = served.background;
        background.shutdown().await;
        served.close.await;
        tracing::info!("stopped");
        Ok(())
    }
}

/// Makes the default folder with its samples; a folder that somebody named must be there. Returns whether it was made.
fn make_folder(place: &Place) -> Result<bool, Trouble> {
    if place.folder.is_dir() {
        return Ok(false);
    }
    let folder = place.folder_shown();
    if place.folder.exists() {
        return Err(Trouble::new(format!("`{folder}` is no folder")).hint("say which folder the documents are in"));
    }
    if place.folder_is_named {
        return Err(Trouble::new(format!("there is no folder `{folder}`"))
            .hint(format!("make it with `mkdir -p {}`, or say where the documents are", quoted(&folder))));
    }
    let cannot = || format!("cannot make the folder `{folder}`");
    std::fs::create_dir(&place.folder).or_trouble(cannot)?;
    samples::write(&place.folder).or_trouble(cannot)?;
    Ok(true)
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Trouble> {
    let bound = async {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok::<_, std::io::Error>((listener, address))
    };
    bound.await.or_trouble(|| format!("cannot listen on {address}")).map_err(|trouble| {
        trouble
            .hint("choose another address with --listen, for example --listen 127.0.0.1:8090; port 0 takes a free one")
    })
}

/// What tells this run from every other one, of this server and of others.
fn new_run() -> String {
    let mut bytes = [0; 16];
    SystemRandom.fill(&mut bytes);
    format!("{:032x}", u128::from_be_bytes(bytes))
}

/// Those of the settings and those of the flags; a flag wins over a setting of the same name.
fn all_clients(settings: &[Client], flags: &[Client]) -> Result<Vec<Client>, Trouble> {
    if let Some(twice) =
        flags.iter().enumerate().find(|(at, client)| flags[..*at].iter().any(|c| c.name == client.name))
    {
        return Err(Trouble::new(format!("two --client have the name `{}`", twice.1.name))
            .hint("give one of them another name: --client NAME=URL"));
    }
    let kept = settings.iter().filter(|client| !flags.iter().any(|flag| flag.name == client.name));
    Ok(kept.cloned().chain(flags.iter().cloned()).collect())
}

/// Every connection may have a document open. The system's own limit is often 1024; we may raise it up to a hard one.
fn raise_open_files(limits: &Limits) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let wanted = limits.connections_max.get() * 2 + OPEN_FILES_SPARE;
    let now = getrlimit(Resource::Nofile);
    if now.current.is_none_or(|current| current >= wanted) {
        return;
    }
    let current = now.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(current), ..now });
    if raised.is_err() || current < wanted {
        tracing::warn!(
            open_files_max = now.maximum,
            wanted,
            "the system allows fewer open files than limits.connections_max may need; raise `ulimit -n`"
        );
    }
}

/// What is printed when requests are answered.
async fn ready(
    premises: &Premises,
    parts: &Parts,
    address: SocketAddr,
    samples: bool,
    next_step: &str,
) -> Result<String, Trouble> {
    let Premises { place, public_url, clients, report: _ } = premises;
    let count = parts.registry.file_count().await.or_trouble(|| "cannot count the files".to_owned())?;
    let files = match count {
        0 if !place.has_folder() => "no files yet".to_owned(),
        0 => "its files are being looked at now".to_owned(),
        1 => "1 file".to_owned(),
        count => format!("{count} files"),
    };
    let made = if samples { ", made just now with a few samples" } else { "" };
    let settings = place.settings_file.as_deref().map_or("the defaults".to_owned(), shown);
    let mut text = format!(
        "Lectern serves {} ({files}{made})\n  listening on  {address}\n  public URL    {public_url}\n  settings      {settings}\n",
        plain(&place.documents_shown())
    );
    if address.ip().is_unspecified() && public_url.url().host_str() == Some("localhost") {
        text += "                (others reach this server only if you give it a --public-url)\n";
    }
    if clients.is_empty() {
        text += "  clients       none yet: add an office server with --client URL\n";
    }
    let rows: Vec<_> = clients
        .iter()
        .enumerate()
        .map(|(at, client)| {
            let label = if at == 0 { "clients" } else { "" };
            vec![format!("  {label:<12}"), client.name.to_string(), client.discovery.to_string()]
        })
        .collect();
    text += &table(&rows);
    text += &format!("  next step     {next_step} {}\n", quoted(&first_file(place, parts).await));
    Ok(text)
}

/// A file to show the next step with.
async fn first_file(place: &Place, parts: &Parts) -> String {
    if place.has_folder() && place.folder.join(samples::FIRST_SAMPLE).is_file() {
        return samples::FIRST_SAMPLE.to_owned();
    }
    let first = async {
        let root = parts.registry.root().await.ok()?;
        let files = parts.registry.files_in(&root.id, &Page { after: None, limit: 1 }).await.ok()?;
        Some(files.first()?.name.to_string())
    };
    // While the folder is being looked at for the first time, what it shows itself.
    let shown = || place.has_folder().then(|| first_shown(&place.folder)).flatten();
    first.await.or_else(shown).unwrap_or_else(|| "FILE".to_owned())
}

/// The first ordinary file of a folder by name.
fn first_shown(folder: &Path) -> Option<String> {
    let files = std::fs::read_dir(folder).ok()?.filter_map(Result::ok);
    let files = files.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
    files.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| !name.starts_with(['.', '~'])).min()
}

/// How this program was called: `lectern`, or the path to it where it is not among the commands.
fn called() -> String {
    let name =
        std::env::args_os().next().map(PathBuf::from).filter(|path| path.file_stem() == Some("lectern".as_ref()));
    name.map_or_else(|| "lectern".to_owned(), |path| path.display().to_string())
}

/// Text as a shell takes it for one word.
pub(super) fn quoted(text: &str) -> String {
    let bare = |c: char| c.is_alphanumeric() || "_-./:=@%+,~".contains(c);
    if !text.is_empty() && text.chars().all(bare) {
        text.to_owned()
    } else {
        format!("'{}'", plain(text).replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use lectern_host::ports::DiscoverySource;

    use super::super::testing::{InMemory, served_folder, text};
    use super::super::{Cli, Command};
    use super::*;
    use crate::discovery_source::HttpDiscovery;

    #[test]
    fn a_flag_wins_over_a_setting_and_names_are_unique() {
        let client = |text: &str| text.parse::<Client>().unwrap();
        let settings = [client("a=https://a1"), client("b=https://b1")];
        let all = all_clients(&settings, &[client("b=https://b2"), client("https://c")]).unwrap();
        let shown: Vec<_> = all.iter().map(|c| format!("{}={}", c.name, c.discovery.authority())).collect();
        assert_eq!(shown, ["a=a1", "b=b2", "c=c"]);
        let twice = all_clients(&[], &[client("https://c"), client("c=https://d")]).unwrap_err();
        assert!(twice.to_string().contains("two --client have the name `c`"));
    }

    #[test]
    fn a_name_in_a_printed_command_is_one_word() {
        assert_eq!(quoted("report.docx"), "report.docx");
        assert_eq!(quoted("a b.docx"), "'a b.docx'");
        assert_eq!(quoted("it's; rm"), "'it'\\''s; rm'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn a_folder_that_was_named_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let mut place = Place::find(Some(folder.path().join("documents")), &Whereabouts::default()).unwrap();
        assert!(make_folder(&place).unwrap_err().to_string().contains("mkdir -p"));
        place.folder_is_named = false;
        assert!(make_folder(&place).unwrap());
        assert!(place.folder.join(samples::FIRST_SAMPLE).is_file());
        assert!(!make_folder(&place).unwrap());
        place.folder = place.folder.join(samples::FIRST_SAMPLE);
        assert!(make_folder(&place).unwrap_err().to_string().contains("is no folder"));
    }

    #[test]
    fn the_next_step_has_the_flags_that_it_needs() {
        let next_step = |words: &[&str]| {
            let words = [&["lectern", "serve"], words].concat();
            match <Cli as clap::Parser>::try_parse_from(words).unwrap().command {
                Command::Serve(serve) => serve.next_step(),
                _ => panic!(),
            }
        };
        assert_eq!(next_step(&[]), "lectern token");
        assert_eq!(
            next_step(&["my papers", "--state", "records", "--config", "l.toml", "--listen", "127.0.0.1:1"]),
            "lectern token --folder 'my papers' --config l.toml --state records"
        );
    }

    #[test]
    fn a_file_for_the_next_step_is_found_before_the_folder_was_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(first_shown(folder.path()), None);
        for name in ["b.odt", "a.odt", ".hidden", "~$a.odt"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        std::fs::create_dir(folder.path().join("0")).unwrap();
        assert_eq!(first_shown(folder.path()).as_deref(), Some("a.odt"));
    }

    #[tokio::test]
    async fn an_address_in_use_is_told_with_another_one_to_try() {
        let (_listener, address) = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let told = bind(address).await.unwrap_err().to_string();
        assert!(told.contains(&format!("cannot listen on {address}")) && told.contains("hint: "), "{told}");
    }

    /// Hands on what a command prints while it runs.
    struct Telling(tokio::sync::mpsc::UnboundedSender<String>);

    impl std::io::Write for Telling {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.send(String::from_utf8(bytes.to_vec()).unwrap()).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    struct Running {
        stop: tokio::sync::oneshot::Sender<()>,
        ended: tokio::task::JoinHandle<Result<(), Trouble>>,
        said: String,
    }

    async fn start(program: &InMemory, folder: &std::path::Path, flags: &[&str]) -> Running {
        let words = [&["lectern", "serve", text(folder), "--listen", "127.0.0.1:0"], flags].concat();
        let Command::Serve(serve) = <Cli as clap::Parser>::try_parse_from(words).unwrap().command else { panic!() };
        let place = Place::find(serve.folder.clone(), &serve.whereabouts).unwrap();
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let program = program.clone();
        let ended = tokio::spawn(async move {
            let stopped = async { stopped.await.unwrap() };
            serve.until(&program, place, stopped, &mut Telling(tell)).await
        });
        let said = told.recv().await.unwrap();
        Running { stop, ended, said }
    }

    #[tokio::test]
    async fn a_server_says_what_it_serves_and_commands_find_it() {
        let (program, folder) = (InMemory::default(), served_folder());
        let flags = ["--client", "office=https://office.example.org", "--client", "http://localhost:9980"];
        let running = start(&program, folder.path(), &flags).await;
        let said = running.said.as_str();
        let at = said.split("listening on  ").nth(1).unwrap().lines().next().unwrap();
        assert!(said.contains(&format!("public URL    http://{at}\n")), "{said}");
        assert!(
            said.contains("clients       office          https://office.example.org/hosting/discovery\n"),
            "{said}"
        );
        assert!(said.contains("localhost:9980  http://localhost:9980/hosting/discovery\n"), "{said}");
        assert!(
            said.contains(&format!("next step     lectern token --folder {} report.docx\n", text(folder.path()))),
            "{said}"
        );

        let http = HttpDiscovery::new().unwrap();
        assert_eq!(http.fetch(&format!("http://{at}/wopi/x")).await.unwrap(), "wopi /wopi/x");
        assert_eq!(http.status(&format!("http://{at}/health/ready")).await.unwrap().0, 200);
        let printed = program.json(&["token", "report.docx", "--json", "--folder", text(folder.path())]).await;
        assert!(printed["wopi_src"].as_str().unwrap().starts_with(&format!("http://{at}/wopi/files/")), "{printed}");
        assert!(printed["action_urls"]["localhost:9980"]["view"].is_string(), "{printed}");

        running.stop.send(()).unwrap();
        running.ended.await.unwrap().unwrap();
        assert!(http.status(&format!("http://{at}/health/ready")).await.is_err());
    }

    #[tokio::test]
    async fn a_second_server_on_the_same_documents_is_refused() {
        let (program, folder) = (InMemory::default(), served_folder());
        let running = start(&program, folder.path(), &[]).await;
        let serve = Serve { listen: Some("127.0.0.1:0".parse().unwrap()), ..Serve::default() };
        let place = Place::find(Some(folder.path().to_owned()), &Whereabouts::default()).unwrap();
        let refused = serve.until(&program, place, std::future::pending(), &mut Vec::new()).await.unwrap_err();
        assert!(refused.to_string().starts_with("error: another `lectern serve` already works"), "{refused}");
        running.stop.send(()).unwrap();
        running.ended.await.unwrap().unwrap();
    }
}
