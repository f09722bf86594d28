//! A running Lectern whose address stays the same, and the people in it.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use crate::common::{Lectern, Settings};
use crate::driver::{Page, Person};
use crate::office::Office;

/// The password of everybody here.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// Lectern over a folder of its own.
pub(crate) struct House {
    scratch: tempfile::TempDir,
    settings: Settings,
    address: SocketAddr,
    lectern: Option<Lectern>,
}

impl House {
    /// Serves an empty folder; with an office server, if there is one.
    pub(crate) async fn opens(office: Option<&Office>) -> Self {
        let client =
            office.map(|office| format!("[[client]]\nname = \"office\"\ndiscovery = \"{}\"\n", office.discovery()));
        Self::opens_with(&client.unwrap_or_default()).await
    }

    /// Serves an empty folder with these settings.
    pub(crate) async fn opens_with(toml: &str) -> Self {
        let scratch = tempfile::tempdir().expect("a scratch folder");
        let folder = scratch.path().join("documents");
        std::fs::create_dir(&folder).expect("a folder for documents");
        // A port that was free a moment ago: pages stay open while the server is started again behind them.
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        drop(listener);
        let mut settings = Settings::of(&folder).at(address);
        if !toml.is_empty() {
            settings = settings.with_file(&scratch.path().join("lectern.toml"), toml);
        }
        let lectern = Some(settings.start().await);
        Self { scratch, settings, address, lectern }
    }

    /// An address of it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The folder that it serves.
    pub(crate) fn folder(&self) -> &Path {
        self.settings.folder()
    }

    /// A file that somebody has on their own machine.
    pub(crate) fn file_outside(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.scratch.path().join(name);
        std::fs::write(&path, bytes).expect("a file beside the folder");
        path
    }

    /// The link that makes the first administrator.
    pub(crate) fn first_link(&self) -> String {
        let lectern = self.lectern.as_ref().expect("it runs");
        let line = lectern.printed_line_with("/welcome/");
        let start = line.find("http://").expect("a link in the line");
        line[start..].trim().to_owned()
    }

    /// `kill -9`.
    pub(crate) fn dies(&mut self) {
        self.lectern.take().expect("it runs").kill();
    }

    /// Starts again, at the same address.
    pub(crate) async fn comes_back(&mut self) {
        self.lectern = Some(self.settings.start().await);
    }

    /// Follows the first link and becomes the administrator.
    pub(crate) fn first_person(&self, person: &Person, name: &str) -> Page {
        let page = person.opens(&self.first_link());
        page.fill("input[name=name]", name);
        page.fill("input[name=password]", PASSWORD);
        page.fill("input[name=again]", PASSWORD);
        page.arrives(|page| page.click("main form button.primary"));
        assert!(page.path() != "/sign-in", "the first link does not sign in");
        page
    }

    /// Adds somebody by the command line.
    pub(crate) fn add_person(&self, name: &str, role: &str) {
        let folder = self.folder().to_str().expect("a path in UTF-8");
        self.settings.output(&["user", "add", name, "--role", role, "--folder", folder]);
        let file = self.file_outside("password", PASSWORD.as_bytes());
        let file = file.to_str().expect("a path in UTF-8");
        self.settings.output(&["user", "password", name, "--password-file", file, "--folder", folder]);
    }

    /// Adds somebody whom others see by this name.
    pub(crate) fn add_person_shown_as(&self, name: &str, shown_as: &str) {
        let folder = self.folder().to_str().expect("a path in UTF-8");
        let shown_as = format!("--display-name={shown_as}");
        self.settings.output(&["user", "add", name, &shown_as, "--folder", folder]);
    }

    /// Signs in and stays where that leads to.
    pub(crate) fn signs_in(&self, person: &Person, name: &str) -> Page {
        let page = person.opens(&self.url("/sign-in"));
        page.fill("input[name=name]", name);
        page.fill("input[name=password]", PASSWORD);
        page.arrives(|page| page.click("main form button.primary"));
        assert!(page.path() != "/sign-in", "{name} cannot sign in");
        page
    }
}

/// Uploads files to the container that the page shows, and waits until they are in the list.
pub(crate) fn upload(page: &Page, files: &[&Path]) {
    page.arrives(|page| page.chooses(files, |page| page.click("[data-upload-button]")));
    for file in files {
        page.shows(file.file_name().and_then(|name| name.to_str()).expect("a name"));
    }
}

/// The address that a row of the list leads to.
pub(crate) fn address_of(page: &Page, name: &str) -> String {
    let name = crate::driver::page::quoted(name);
    page.text_of(&format!("[...document.querySelectorAll('a.entry')].find((a) => a.textContent.includes({name})).href"))
}
