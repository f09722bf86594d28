//! Everything of one place is in another one after `lectern migrate`, `import`, `export`, `backup` and `restore`: files with
//! their ids and histories, people, what is shared, the bin; again changes nothing; what was broken off goes on.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt as _;
use lectern_host::access::Right;
use lectern_host::desk::{Desk, IfTaken, NewLink};
use lectern_host::ports::Page;
use lectern_host::records::{FileRecord, Role, User};
use lectern_host::sharing::{Item, Principal};
use lectern_host::wopi::{ContainerId, FileId, FileName};
use lectern_host::{Host, full};
use lectern_server::config::Settings;
use lectern_server::place::{Place, Whereabouts};
use lectern_server::production::Production;
use lectern_server::wiring::{OpenHost, Premises, Wiring as _};

async fn open(place: Place) -> OpenHost {
    place.make_state().unwrap();
    let premises = Premises {
        place,
        public_url: "https://documents.example".parse().unwrap(),
        clients: Vec::new(),
        report: lectern_web::SettingsReport::default(),
    };
    Production.open_host(&premises).await.unwrap()
}

fn folder_place(folder: &Path) -> Place {
    Place::of(Settings::default(), Some(folder.to_owned()), &Whereabouts::default()).unwrap()
}

fn file_place(settings: &Path) -> Place {
    Place::find(None, &Whereabouts { config: Some(settings.to_owned()), ..Whereabouts::default() }).unwrap()
}

/// Objects in a directory and SQLite, as a settings file.
fn objects(scratch: &Path, name: &str) -> PathBuf {
    let file = scratch.join(format!("{name}.toml"));
    let at = scratch.join(name);
    let text = format!(
        "[objects]\nstore = \"file://{0}/objects\"\n[contents]\nstate = \"{0}/records\"\n",
        at.to_str().unwrap()
    );
    std::fs::create_dir(&at).unwrap();
    std::fs::write(&file, text).unwrap();
    file
}

/// What the program says, and whether it was content.
fn lectern(words: &[&str]) -> (bool, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_lectern"))
        .args(words)
        .env_remove("LECTERN_CONFIG")
        .current_dir(std::env::temp_dir())
        .output()
        .unwrap();
    let text = String::from_utf8(out.stdout).unwrap() + &String::from_utf8(out.stderr).unwrap();
    (out.status.success(), text)
}

#[track_caller]
fn carried(words: &[&str]) -> String {
    let (done, text) = lectern(words);
    assert!(done, "{words:?}\n{text}");
    text
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

async fn desk<'h>(host: &'h Arc<Host>, user: &User) -> Desk<'h> {
    let session = host.open_session(&user.id, "test", Duration::from_secs(3600)).await.unwrap();
    host.desk(&session.id).await.unwrap()
}

async fn root(host: &Host) -> ContainerId {
    host.ports().registry.root().await.unwrap().id
}

/// A folder with people, files in containers, versions, grants, a link, a bin.
async fn filled(folder: &Path) {
    std::fs::create_dir_all(folder.join("Briefe/2026")).unwrap();
    std::fs::write(folder.join("Briefe/2026/ünder.odt"), "by another program").unwrap();
    std::fs::write(folder.join("leer.docx"), "").unwrap();
    let OpenHost { host, close } = open(folder_place(folder)).await;
    host.scan().await.unwrap();
    let ada = host.add_user("ada", "Ada", Role::Administrator).await.unwrap();
    let bob = host.add_user("bob", "Bob", Role::Member).await.unwrap();
    let desk = desk(&host, &ada).await;
    let top = root(&host).await;
    let file = desk.upload(&top, "report.txt", full("one"), IfTaken::Refuse).await.unwrap();
    for body in ["two and more", "three"] {
        desk.upload_version(&file.id, full(body)).await.unwrap();
    }
    let first = host.ports().registry.versions(&file.id).await.unwrap().last().unwrap().version;
    desk.name_version(&file.id, first, Some("the first one")).await.unwrap();
    let group = desk.add_group("writers").await.unwrap();
    desk.set_member(&group.id, &bob.id, true).await.unwrap();
    desk.share(&Item::File(file.id.clone()), &Principal::Group(group.id.clone()), Right::Edit).await.unwrap();
    desk.new_link(&Item::File(file.id.clone()), &NewLink::default()).await.unwrap();
    let letters = host.ports().registry.container_named(&top, &FileName::parse("Briefe").unwrap()).await.unwrap();
    desk.share(&Item::Container(letters.id), &Principal::User(bob.id.clone()), Right::View).await.unwrap();
    let gone = desk.upload(&top, "gone.txt", full("deleted"), IfTaken::Refuse).await.unwrap();
    desk.delete_file(&gone.id).await.unwrap();
    drop(desk);
    close.await;
}

/// All that is to be the same, as text.
async fn everything(host: &Arc<Host>) -> String {
    let registry = &host.ports().registry;
    let mut out = String::new();
    let mut queue = vec![(root(host).await, String::new())];
    while let Some((container, path)) = queue.pop() {
        out += &format!("{path}/ {:?}\n", shares(host, &Item::Container(container.clone())).await);
        let page = Page { after: None, limit: 100 };
        for record in registry.files_in(&container, &page).await.unwrap() {
            out += &format!("{path}/{} {}\n", record.name, described(host, &record).await);
        }
        for child in registry.containers_in(&container, &page).await.unwrap() {
            let name = if path.is_empty() { child.name.to_string() } else { format!("{path}/{}", child.name) };
            queue.push((child.id, name));
        }
    }
    for entry in registry.bin(None, 100).await.unwrap() {
        let Item::File(file) = &entry.item else { panic!("{entry:?}") };
        let record = registry.file(file).await.unwrap();
        out += &format!("bin {} {:?} {}\n", entry.id, entry.name, described(host, &record).await);
    }
    for user in registry.users().await.unwrap() {
        out += &format!("{} {} {:?} {}\n", user.id, user.name, user.role, user.disabled);
    }
    for group in registry.groups().await.unwrap() {
        out += &format!("{} {} {:?}\n", group.id, group.name, registry.members(&group.id).await.unwrap());
    }
    out
}

async fn shares(host: &Host, item: &Item) -> Vec<String> {
    let registry = &host.ports().registry;
    let grants = registry.grants_on(std::slice::from_ref(item)).await.unwrap();
    let grants = grants.iter().flat_map(|grants| grants.iter()).map(|one| format!("{:?} {:?}", one.to, one.right));
    let links = registry.links_on(item).await.unwrap();
    grants.chain(links.iter().map(|link| format!("{} {:?} {:?}", link.id, link.secret, link.right))).collect()
}

async fn described(host: &Host, record: &FileRecord) -> String {
    let registry = &host.ports().registry;
    let contents = &host.ports().contents;
    let mut out = format!("{} v{} by {} {:?}", record.id, record.version.0, record.owner, record.content.modified_at);
    for version in registry.versions(&record.id).await.unwrap() {
        let body = contents.open(&version.content.id, 0..u64::MAX).await.unwrap();
        let bytes = body.collect().await.unwrap().to_bytes();
        out += &format!(" [{} {:?} {:?} {bytes:?}]", version.version.0, version.label, version.content.saved_by);
    }
    let grants = shares(host, &Item::File(record.id.clone())).await;
    format!("{out} {grants:?}")
}

async fn bytes(host: &Arc<Host>, user: &str, file: &FileId) -> String {
    let user = host.ports().registry.user_named(user).await.unwrap();
    let download = desk(host, &user).await.download(file, None).await.unwrap();
    String::from_utf8(download.bytes.body.collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

async fn file_named(host: &Host, name: &str) -> FileRecord {
    let top = root(host).await;
    host.ports().registry.file_named(&top, &FileName::parse(name).unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_goes_into_a_store_of_objects_and_back_with_everything() {
    let scratch = tempfile::tempdir().unwrap();
    let here = scratch.path().join("here");
    std::fs::create_dir(&here).unwrap();
    filled(&here).await;
    let store = objects(scratch.path(), "store");
    let back = scratch.path().join("back");

    let told = carried(&["migrate", "--from", text(&here), "--to", text(&store)]);
    assert!(told.contains("carried 4 files with 2 old versions"), "{told}");
    let told = carried(&["migrate", "--from", text(&here), "--to", text(&store)]);
    assert!(told.contains("carried 0 files") && told.contains("4 files: there already"), "{told}");
    carried(&["migrate", "--from", text(&store), "--to", text(&back)]);
    assert_eq!(std::fs::read_to_string(back.join("report.txt")).unwrap(), "three");
    assert_eq!(std::fs::read_to_string(back.join("Briefe/2026/ünder.odt")).unwrap(), "by another program");
    assert!(!back.join("gone.txt").exists());

    let (a, b, c) = (open(folder_place(&here)).await, open(file_place(&store)).await, open(folder_place(&back)).await);
    let expected = everything(&a.host).await;
    assert!(expected.contains("the first one") && expected.contains("bin "), "{expected}");
    assert_eq!(everything(&b.host).await, expected);
    assert_eq!(everything(&c.host).await, expected);
    let file = file_named(&b.host, "report.txt").await;
    assert_eq!(bytes(&b.host, "bob", &file.id).await, "three", "bob still may, as one of the writers");
    for OpenHost { close, .. } in [a, b, c] {
        close.await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_takes_what_changed_and_brings_it_back() {
    let scratch = tempfile::tempdir().unwrap();
    let (here, copy, again) = (scratch.path().join("here"), scratch.path().join("copy"), scratch.path().join("again"));
    std::fs::create_dir(&here).unwrap();
    filled(&here).await;
    carried(&["backup", text(&copy), "--folder", text(&here)]);

    let OpenHost { host, close } = open(folder_place(&here)).await;
    let ada = host.ports().registry.user_named("ada").await.unwrap();
    let one = desk(&host, &ada).await;
    let report = file_named(&host, "report.txt").await;
    one.upload_version(&report.id, full("four")).await.unwrap();
    one.rename_file(&file_named(&host, "leer.docx").await.id, "full.docx").await.unwrap();
    let top = root(&host).await;
    one.upload(&top, "leer.docx", full("another one of that name"), IfTaken::Refuse).await.unwrap();
    let letters = host.ports().registry.container_named(&top, &FileName::parse("Briefe").unwrap()).await.unwrap();
    one.rename_container(&letters.id, "Letters").await.unwrap();
    drop(one);
    let expected = everything(&host).await;
    close.await;

    let told = carried(&["backup", text(&copy), "--folder", text(&here)]);
    assert!(told.contains("2 files: there already") && told.contains("taken away"), "{told}");
    std::fs::create_dir(&again).unwrap();
    carried(&["restore", text(&copy), "--folder", text(&again)]);
    let OpenHost { host, close } = open(folder_place(&again)).await;
    assert_eq!(everything(&host).await, expected);
    assert_eq!(std::fs::read_to_string(again.join("report.txt")).unwrap(), "four");
    close.await;

    // A place that holds other documents is not overwritten by mistake.
    let other = scratch.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("mine.txt"), "precious").unwrap();
    let (done, told) = lectern(&["restore", text(&copy), "--folder", text(&other)]);
    assert!(!done, "nothing there was served yet: {told}");
    let (done, told) = lectern(&["export", text(&other), "--folder", text(&here)]);
    assert!(!done && told.contains("there are other documents"), "{told}");
    assert_eq!(std::fs::read_to_string(other.join("mine.txt")).unwrap(), "precious");
    carried(&["export", text(&other), "--replace", "--folder", text(&here)]);
    assert!(!other.join("mine.txt").exists() && other.join("full.docx").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_folder_is_put_beside_what_is_there() {
    let scratch = tempfile::tempdir().unwrap();
    let (plain, store) = (scratch.path().join("plain"), objects(scratch.path(), "store"));
    std::fs::create_dir_all(plain.join("sub")).unwrap();
    std::fs::write(plain.join("a.txt"), "a").unwrap();
    std::fs::write(plain.join("sub/b.txt"), "b").unwrap();
    let import = |into: &'static str| lectern(&["import", text(&plain), "--into", into, "--config", text(&store)]);
    let (done, told) = import("archive/2026");
    assert!(done && told.contains("carried 2 files"), "{told}");
    // Again: nothing. With a new file: that one. With a changed one: it stays behind, for what is there is in use.
    std::fs::write(plain.join("c.txt"), "c").unwrap();
    std::fs::write(plain.join("a.txt"), "a, longer").unwrap();
    let (done, told) = import("archive/2026");
    assert!(!done && told.contains("carried 1 file with") && told.contains("stayed behind: a.txt"), "{told}");
    let OpenHost { host, close } = open(file_place(&store)).await;
    let listed = everything(&host).await;
    for name in ["archive/2026/a.txt", "archive/2026/c.txt", "archive/2026/sub/b.txt"] {
        assert!(listed.contains(name), "{listed}");
    }
    close.await;
}
