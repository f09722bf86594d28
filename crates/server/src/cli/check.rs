//! `lectern check`: tries everything that the settings promise, in the order in which a start needs it, and says of what
//! fails why it does and what to do.

use std::path::Path;

use clap::Args;
use lectern_host::ports::DiscoverySource;
use serde::Serialize;

use super::known::Known;
use super::{Out, plain, print, print_json};
use crate::config::{Client, ProofRule};
use crate::discovery_source::HttpDiscovery;
use crate::place::{FolderFlag, Place, shown};
use crate::storage;
use crate::trouble::Trouble;
use crate::wiring::Wiring;

/// Flags of `lectern check`.
#[derive(Args, Debug)]
pub struct Check {
    /// Print JSON: a list of what was tried, each with its verdict
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub(crate) folder: FolderFlag,
}

/// How something that was tried turned out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    /// It works.
    Ok,
    /// It works, but somebody should know.
    Warning,
    /// It does not work.
    Failed,
}

/// Something that was tried.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
struct Finding {
    verdict: Verdict,
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

impl Finding {
    fn ok(what: impl Into<String>) -> Self {
        Self { verdict: Verdict::Ok, what: what.into(), why: None, hint: None }
    }

    fn warning(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warning, what: what.into(), why: None, hint: Some(hint.into()) }
    }

    fn failed(trouble: &Trouble) -> Self {
        let why = trouble.causes().join(": ");
        Self {
            verdict: Verdict::Failed,
            what: trouble.what().to_owned(),
            why: (!why.is_empty()).then_some(why),
            hint: trouble.advice().map(str::to_owned),
        }
    }

    fn text(&self) -> String {
        let verdict = match self.verdict {
            Verdict::Ok => "ok     ",
            Verdict::Warning => "warning",
            Verdict::Failed => "FAILED ",
        };
        let mut text = format!("{verdict}  {}\n", plain(&self.what));
        for (label, line) in [("cause: ", &self.why), ("hint: ", &self.hint)] {
            if let Some(line) = line {
                text += &format!("         {label}{}\n", plain(line));
            }
        }
        text
    }
}

impl Check {
    pub(super) async fn run<W: Wiring>(self, wiring: &W, out: Out<'_>) -> Result<(), Trouble> {
        let place = self.folder.place()?;
        let mut findings = vec![match &place.settings_file {
            Some(file) => Finding::ok(format!("the settings in {} can be used", shown(file))),
            None => Finding::ok("no settings file, the defaults are used"),
        }];
        match place.must_be_there() {
            Err(trouble) => findings.push(Finding::failed(&trouble)),
            Ok(()) => look_around(&place, wiring, &mut findings).await?,
        }
        let failed = findings.iter().filter(|finding| finding.verdict == Verdict::Failed).count();
        if self.json {
            print_json(out, &serde_json::json!(findings))?;
        } else {
            print(out, &findings.iter().map(Finding::text).collect::<String>())?;
        }
        match failed {
            0 => Ok(()),
            1 => Err(Trouble::new("one check failed")),
            many => Err(Trouble::new(format!("{many} checks failed"))),
        }
    }
}

async fn look_around<W: Wiring>(place: &Place, wiring: &W, findings: &mut Vec<Finding>) -> Result<(), Trouble> {
    let known = Known::of(place)?;
    if place.has_folder() {
        findings.push(folders(place));
        findings.push(file_system(place));
    } else {
        findings.push(objects(place).await);
    }
    match storage::check_database(place).await {
        Some(Ok((works, warnings))) => {
            findings.push(Finding::ok(works));
            findings.extend(warnings.into_iter().map(|warning| Finding {
                verdict: Verdict::Warning,
                what: warning,
                why: None,
                hint: None,
            }));
        }
        Some(Err(trouble)) => findings.push(Finding::failed(&trouble)),
        None => {}
    }
    findings.push(token_keys(place));
    match wiring.open(&known.premises(place.clone())).await {
        Err(trouble) => findings.push(Finding::failed(&trouble)),
        Ok(parts) => findings.push(match parts.registry.file_count().await {
            Ok(count) => Finding::ok(format!("the registry opens and knows {count} files")),
            Err(error) => {
                let trouble = Trouble::new("the registry does not answer").caused_by(&error);
                Finding::failed(
                    &trouble.hint("look at the log of the server; back the state directory up before you try anything"),
                )
            }
        }),
    }
    findings.push(open_files(place));
    let discovery = HttpDiscovery::new().map_err(|error| Trouble::new("cannot set up TLS").caused_by(&*error))?;
    if known.running {
        let process =
            known.serving.as_ref().map_or("a process".to_owned(), |s| format!("the process {}", s.process_id));
        findings.push(Finding::ok(format!("a server is running ({process})")));
        findings.push(public_url(&known, &discovery).await);
    } else {
        findings.push(address_is_free(place).await);
    }
    if let Some(finding) = public_url_is_private(&known) {
        findings.push(finding);
    }
    if known.clients.is_empty() {
        findings.push(Finding::warning(
            "no client is known, so nothing can open a document",
            "add an office server: `lectern serve --client URL`, or a [[client]] in the settings",
        ));
    }
    for client in &known.clients {
        findings.push(reach(client, &discovery, wiring).await);
    }
    Ok(())
}

/// Whether documents and records can be written.
fn folders(place: &Place) -> Finding {
    for (what, path) in [("the folder of documents", &place.folder), ("the state directory", &place.state)] {
        if let Err(error) = try_writing(path) {
            let trouble = Trouble::new(format!("cannot write into {what} `{}`", shown(path))).caused_by(&error);
            return Finding::failed(&trouble.hint("the user who runs `lectern serve` must own it"));
        }
    }
    Finding::ok(format!("{} and {} can be written", place.folder_shown(), shown(&place.state)))
}

/// Whether the object store does what it has to.
async fn objects(place: &Place) -> Finding {
    let store = match storage::open_objects(place) {
        Ok(store) => store,
        Err(trouble) => return Finding::failed(&trouble),
    };
    match store.check().await {
        Ok(()) => {
            Finding::ok(format!("objects can be written, read, listed and removed in {}", place.documents_shown()))
        }
        Err(problem) => {
            let mut trouble = Trouble::new(problem.to_string());
            if let Some(cause) = std::error::Error::source(&problem) {
                trouble = trouble.caused_by(cause);
            }
            if let Some(hint) = problem.hint() {
                trouble = trouble.hint(hint);
            }
            Finding::failed(&trouble)
        }
    }
}

/// Makes a hidden file durable and takes it away again.
fn try_writing(folder: &Path) -> std::io::Result<()> {
    let path = folder.join(format!(".lectern-check-{}", std::process::id()));
    let written = std::fs::File::create_new(&path).and_then(|file| file.sync_all());
    let removed = std::fs::remove_file(&path);
    written.and(removed)
}

/// Whether a save can be put in place of a file in one step: both folders on one file system that can exchange names.
fn file_system(place: &Place) -> Finding {
    let name = format!(".lectern-check-{}-file", std::process::id());
    let (staged, live) = (place.state.join(&name), place.folder.join(&name));
    let tried = std::fs::File::create_new(&staged)
        .and_then(|_| std::fs::File::create_new(&live))
        .and_then(|_| exchange(&staged, &live));
    let _ = std::fs::remove_file(&staged);
    let _ = std::fs::remove_file(&live);
    match tried {
        Ok(()) => Finding::ok("a save replaces a file in one step"),
        Err(error) if error.kind() == std::io::ErrorKind::CrossesDevices => {
            let trouble = Trouble::new("documents and state directory are on different file systems");
            Finding::failed(&trouble.caused_by(&error).hint(
                "choose a --state on the file system of the documents; a save could not be put in place in one step",
            ))
        }
        Err(error) => {
            let trouble = Trouble::new("this file system cannot exchange two names in one step").caused_by(&error);
            let failed = Finding::failed(&trouble.hint(
                "saves are renamed over the old file instead; another file system (ext4, xfs, btrfs) keeps old versions cheaper",
            ));
            Finding { verdict: Verdict::Warning, ..failed }
        }
    }
}

#[cfg(target_os = "linux")]
fn exchange(one: &Path, other: &Path) -> std::io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

#[cfg(not(target_os = "linux"))]
fn exchange(one: &Path, other: &Path) -> std::io::Result<()> {
    std::fs::rename(one, other)
}

fn token_keys(place: &Place) -> Finding {
    let Some(path) = place.token_keys_file() else {
        return Finding::warning(
            "the keys of the access tokens are in the database, where whoever can read it can read them",
            "give every node the same file of keys, and name it as contents.token_keys_file",
        );
    };
    #[cfg(unix)]
    if let Ok(metadata) = std::fs::metadata(&path) {
        use std::os::unix::fs::PermissionsExt;
        let bits = metadata.permissions().mode() & 0o077;
        if bits != 0 {
            let what =
                format!("other users of this machine can reach the keys of the access tokens, `{}`", shown(&path));
            return Finding::warning(
                what,
                format!("`chmod 600 {}`; then `lectern keys rotate --drop-old`", shown(&path)),
            );
        }
    }
    if path.is_file() {
        Finding::ok(format!("the keys of the access tokens are in {}", shown(&path)))
    } else {
        Finding::warning("there are no keys for access tokens yet", "`lectern serve` makes them when it starts")
    }
}

fn open_files(place: &Place) -> Finding {
    use rustix::process::{Resource, getrlimit};
    let connections = place.settings.limits.connections_max.get();
    match getrlimit(Resource::Nofile).maximum {
        Some(maximum) if maximum < connections * 2 => Finding::warning(
            format!("the system allows {maximum} open files, limits.connections_max are {connections}"),
            "raise the hard limit (`ulimit -Hn`, LimitNOFILE= of systemd), or lower limits.connections_max",
        ),
        _ => Finding::ok(format!("{connections} connections fit into the limit of open files")),
    }
}

async fn address_is_free(place: &Place) -> Finding {
    let address = place.settings.server.listen;
    match tokio::net::TcpListener::bind(address).await {
        Ok(_) => Finding::ok(format!("no server is running; {address} is free for one")),
        Err(error) => {
            let trouble = Trouble::new(format!("cannot listen on {address}")).caused_by(&error);
            Finding::failed(&trouble.hint("stop what listens there, or choose another address with --listen"))
        }
    }
}

/// Whether the public URL leads here, through whatever proxy is in between.
async fn public_url(known: &Known, discovery: &HttpDiscovery) -> Finding {
    let url = known.public_url.join("/health/live");
    let answer = discovery.status(&url).await;
    let trouble = Trouble::new(format!("the public URL {} does not lead to this server", known.public_url));
    let hint = "clients use exactly this URL: look at the reverse proxy (docs/reverse-proxy.md) and at --public-url";
    // A server of an older version does not say which one it is.
    let run = known.serving.as_ref().map(|serving| serving.run.as_str()).filter(|run| !run.is_empty());
    match answer {
        Ok((200, answering)) if run.is_none_or(|run| answering.as_ref().is_some_and(|answering| answering == run)) => {
            Finding::ok(format!("the public URL {} leads to this server", known.public_url))
        }
        Ok((200, Some(_))) => {
            Finding::failed(&trouble.because(format!("another lectern serve answers {url}")).hint(hint))
        }
        Ok((200, None)) => Finding::failed(&trouble.because(format!("another program answers {url}")).hint(hint)),
        Ok((status, _)) => Finding::failed(&trouble.because(format!("{url} answers {status}")).hint(hint)),
        Err(error) => Finding::failed(&trouble.caused_by(&*error).hint(hint)),
    }
}

/// A client on another machine cannot reach this one by a loopback address, and nobody can by 0.0.0.0.
fn public_url_is_private(known: &Known) -> Option<Finding> {
    let is_here = |url: &url::Url| match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback() || address.is_unspecified(),
        Some(url::Host::Ipv6(address)) => address.is_loopback() || address.is_unspecified(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    let away = known.clients.iter().find(|client| !is_here(client.discovery.url()))?;
    is_here(known.public_url.url()).then(|| {
        Finding::warning(
            format!(
                "the public URL {} is this machine's own, but the client {} is elsewhere",
                known.public_url, away.name
            ),
            "give the server a --public-url by which that client reaches it",
        )
    })
}

/// Whether a client's discovery document can be had and used.
async fn reach<W: Wiring>(client: &Client, discovery: &HttpDiscovery, wiring: &W) -> Finding {
    let url = client.discovery.as_str();
    let xml = match discovery.fetch(url).await {
        Ok(xml) => xml,
        Err(error) => {
            let trouble = Trouble::new(format!("cannot fetch the discovery document of {}", client.name));
            return Finding::failed(
                &trouble
                    .because(url)
                    .caused_by(&*error)
                    .hint("is the office server running, and reached under that URL from this machine?"),
            );
        }
    };
    let summary = match wiring.read_discovery(&xml) {
        Ok(summary) => summary,
        Err(why) => {
            let trouble = Trouble::new(format!("what {} sends is no discovery document", client.name));
            return Finding::failed(
                &trouble.because(url).because(why).hint("the URL should end in /hosting/discovery"),
            );
        }
    };
    let mut offers = format!("{} has {} apps for {} extensions", client.name, summary.apps, summary.extensions);
    if !summary.coauthored.is_empty() {
        offers.push_str(&format!(", coauthors {}", summary.coauthored.join(" ")));
    }
    if summary.extensions == 0 {
        let trouble = Trouble::new(format!("{} can open nothing", client.name)).because(url);
        return Finding::failed(
            &trouble.hint("its discovery document has no action that we know; is the server set up?"),
        );
    }
    match (client.proof, summary.proof_key) {
        (ProofRule::Required, None) => {
            let trouble = Trouble::new(format!("{} must sign its requests, but has no proof key", client.name));
            Finding::failed(&trouble.hint("set proof = \"auto\" for it, or give the office server a proof key"))
        }
        (ProofRule::Auto | ProofRule::Required, Some(Err(why))) => {
            let trouble = Trouble::new(format!("the proof key of {} cannot be used", client.name)).because(why);
            Finding::failed(&trouble.hint("every request of it would be refused; look at the office server's key"))
        }
        (ProofRule::Auto | ProofRule::Required, Some(Ok(()))) => {
            Finding::ok(format!("{offers}, and signs its requests"))
        }
        (ProofRule::Auto, None) => Finding::warning(
            format!("{offers}, but does not sign its requests"),
            "whoever has a token and reaches this server can use it; give the office server a proof key",
        ),
        (ProofRule::Off, _) => Finding::warning(
            format!("{offers}; its signatures are not checked"),
            "proof = \"off\" in its settings: whoever has a token and reaches this server can use it",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{InMemory, served_folder, text};
    use super::*;
    use crate::config::Settings;
    use crate::place::Whereabouts;

    fn place(folder: &tempfile::TempDir) -> Place {
        let mut place = Place::find(Some(folder.path().to_owned()), &Whereabouts::default()).unwrap();
        place.settings = Settings::default();
        place.make_state().unwrap();
        place
    }

    #[test]
    fn folders_are_tried_and_left_clean() {
        let folder = tempfile::tempdir().unwrap();
        let place = place(&folder);
        assert_eq!(folders(&place).verdict, Verdict::Ok);
        assert_ne!(file_system(&place).verdict, Verdict::Failed);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "only .lectern");
        assert_eq!(std::fs::read_dir(&place.state).unwrap().count(), 0);
        std::fs::remove_dir(&place.state).unwrap();
        let failed = folders(&place);
        assert_eq!(failed.verdict, Verdict::Failed);
        assert!(failed.text().contains("state directory") && failed.text().contains("hint: "), "{}", failed.text());
    }

    #[test]
    fn keys_that_others_can_read_are_told() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let place = place(&folder);
        assert_eq!(token_keys(&place).verdict, Verdict::Warning);
        std::fs::write(place.token_keys(), "{}").unwrap();
        for (mode, verdict) in [(0o600, Verdict::Ok), (0o640, Verdict::Warning), (0o604, Verdict::Warning)] {
            std::fs::set_permissions(place.token_keys(), std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(token_keys(&place).verdict, verdict, "{mode:o}");
        }
    }

    #[test]
    fn a_public_url_that_only_this_machine_reaches_is_told_if_a_client_is_elsewhere() {
        for (public_url, client, told) in [
            ("http://127.0.0.1:8080", "https://office.example.org", true),
            ("http://localhost:8080", "https://office.example.org", true),
            ("http://[::1]:8080", "http://192.0.2.1", true),
            ("http://0.0.0.0:8080", "http://192.0.2.1", true),
            ("http://127.0.0.1:8080", "http://localhost:9980", false),
            ("https://documents.example.org", "https://office.example.org", false),
        ] {
            let known = Known {
                public_url: public_url.parse().unwrap(),
                clients: vec![client.parse().unwrap()],
                running: false,
                serving: None,
            };
            assert_eq!(public_url_is_private(&known).is_some(), told, "{public_url} {client}");
        }
    }

    #[tokio::test]
    async fn an_address_that_is_taken_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut place = place(&folder);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        place.settings.server.listen = listener.local_addr().unwrap();
        assert_eq!(address_is_free(&place).await.verdict, Verdict::Failed);
        drop(listener);
        assert_eq!(address_is_free(&place).await.verdict, Verdict::Ok);
    }

    /// A server that answers every request with this text.
    async fn server(text: &'static str) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") && socket.read_buf(&mut head).await.unwrap_or(0) > 0 {}
                let answer =
                    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{text}", text.len());
                let _ = socket.write_all(answer.as_bytes()).await;
            }
        });
        format!("http://{at}")
    }

    #[tokio::test]
    async fn a_client_is_tried_and_what_is_wrong_with_it_is_said() {
        let discovery = HttpDiscovery::new().unwrap();
        for (document, proof, verdict, says) in [
            ("signs", ProofRule::Auto, Verdict::Ok, "2 extensions, coauthors docx xlsx, and signs its requests"),
            ("signs", ProofRule::Off, Verdict::Warning, "not checked"),
            ("unsigned", ProofRule::Auto, Verdict::Warning, "2 extensions, but does not sign"),
            ("unsigned", ProofRule::Required, Verdict::Failed, "has no proof key"),
            ("broken key", ProofRule::Auto, Verdict::Failed, "too short"),
            ("<html>", ProofRule::Auto, Verdict::Failed, "no discovery document"),
        ] {
            let mut client: Client = format!("office={}", server(document).await).parse().unwrap();
            client.proof = proof;
            let finding = reach(&client, &discovery, &InMemory::default()).await;
            assert_eq!(finding.verdict, verdict, "{document} {proof:?}");
            assert!(finding.text().contains(says), "{}", finding.text());
        }
        let nobody: Client = "office=http://127.0.0.1:1".parse().unwrap();
        let finding = reach(&nobody, &discovery, &InMemory::default()).await;
        assert!(finding.text().contains("cannot fetch") && finding.text().contains("hint: "), "{}", finding.text());
    }

    #[tokio::test]
    async fn a_public_url_that_leads_to_another_server_is_told() {
        /// A server that answers every request with 200 and this header.
        async fn answering(header: &'static str) -> String {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let at = listener.local_addr().unwrap();
            tokio::spawn(async move {
                while let Ok((mut socket, _)) = listener.accept().await {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") && socket.read_buf(&mut head).await.unwrap_or(0) > 0 {}
                    let answer = format!("HTTP/1.1 200 OK\r\n{header}\r\nconnection: close\r\n\r\n");
                    let _ = socket.write_all(answer.as_bytes()).await;
                }
            });
            format!("http://{at}")
        }
        let discovery = HttpDiscovery::new().unwrap();
        for (header, run, verdict, says) in [
            ("x-lectern-run: 1", "1", Verdict::Ok, "leads to this server"),
            ("x-lectern-run: 2", "1", Verdict::Failed, "another lectern serve answers"),
            ("x-other: 1", "1", Verdict::Failed, "another program answers"),
            ("x-other: 1", "", Verdict::Ok, "leads to this server"),
        ] {
            let public_url: crate::config::values::PublicUrl = answering(header).await.parse().unwrap();
            let serving = crate::serving::Serving {
                public_url: public_url.clone(),
                listen: "127.0.0.1:1".to_owned(),
                process_id: 1,
                since_ms: 1,
                clients: Vec::new(),
                run: run.to_owned(),
            };
            let known = Known { public_url, clients: Vec::new(), running: true, serving: Some(serving) };
            let finding = super::public_url(&known, &discovery).await;
            assert_eq!(finding.verdict, verdict, "{header} {run}: {}", finding.text());
            assert!(finding.text().contains(says), "{}", finding.text());
        }
    }

    #[tokio::test]
    async fn the_whole_check_prints_every_finding_and_fails_if_one_does() {
        let (program, folder) = (InMemory::default(), served_folder());
        let settings = folder.path().join("settings.toml");
        let write = |client: &str| {
            let text = format!(
                "[server]\nlisten = \"127.0.0.1:0\"\n[[client]]\nname = \"office\"\ndiscovery = \"{client}\"\n"
            );
            std::fs::write(&settings, text).unwrap();
        };
        let check = ["check", "--folder", text(folder.path()), "--config", text(&settings)];
        write(&server("signs").await);
        let printed = program.run(&check).await.unwrap();
        assert!(
            printed
                .contains("ok       office has 1 apps for 2 extensions, coauthors docx xlsx, and signs its requests"),
            "{printed}"
        );
        assert!(printed.contains("ok       the registry opens and knows 0 files"), "{printed}");
        write("http://127.0.0.1:1");
        assert_eq!(program.run(&check).await.unwrap_err().to_string(), "error: one check failed");
        let missing = folder.path().join("missing");
        let nowhere = ["check", "--folder", text(&missing)];
        assert_eq!(program.run(&nowhere).await.unwrap_err().to_string(), "error: one check failed");
    }
}
