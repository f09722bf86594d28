//! `lectern import`, `export`, `migrate`, `backup`, `restore`: the same work between two places, with other ends.
//!
//! | command | from | to | what is there already |
//! |---|---|---|---|
//! | `import FOLDER` | a folder | the place of flags and settings | stays; what is carried is put beside it |
//! | `export FOLDER` | the place of flags and settings | a folder, which can be served | becomes the same |
//! | `migrate` | `--from` | `--to`, each a folder or a settings file | becomes the same |
//! | `backup DIRECTORY` | the place of flags and settings | a copy in a directory | becomes the same |
//! | `restore DIRECTORY` | such a copy | the place of flags and settings | becomes the same |

use std::io::{IsTerminal, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use lectern_host::carry::{Carried, Meeting, Source, carry, container_at};
use lectern_host::ports::{RegistryError, TreePath};
use lectern_host::records::Timestamp;
use lectern_host::wopi::FileName;

use super::known::Known;
use super::{Out, plain, print, size};
use crate::config::Settings;
use crate::place::{FolderFlag, Place, Whereabouts, shown};
use crate::serve_lock::ServeLock;
use crate::trouble::{OrTrouble, Trouble};
use crate::wiring::{OpenHost, Wiring};

/// The memo that says what a place is a copy of.
const COPY_OF: &str = "copy-of";

/// How many names of files that stayed behind are printed.
const TAKEN_PRINTED_MAX: usize = 20;

/// How often progress is shown on a terminal, and elsewhere.
const SHOWN_EVERY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// Flags of `lectern import`.
#[derive(Args, Debug)]
pub struct Import {
    /// The folder whose files are taken over, with versions and grants if it was served before
    #[arg(value_name = "FOLDER")]
    pub from: PathBuf,
    /// Where to put them, as names joined by `/`; the top, if nothing is said. Made if it is not there
    #[arg(long, value_name = "CONTAINER")]
    pub into: Option<String>,
    #[command(flatten)]
    pub(crate) folder: FolderFlag,
}

/// Flags of `lectern export`.
#[derive(Args, Debug)]
pub struct Export {
    /// The folder to write to; it can be served afterwards
    #[arg(value_name = "FOLDER")]
    pub to: PathBuf,
    #[command(flatten)]
    pub(crate) replace: Replace,
    #[command(flatten)]
    pub(crate) folder: FolderFlag,
}

/// Flags of `lectern migrate`.
#[derive(Args, Debug)]
pub struct Migrate {
    /// What to carry: a folder that was served, or a settings file that says where documents and records are
    #[arg(long, value_name = "PLACE")]
    pub from: PathBuf,
    /// Where to: a folder, or a settings file
    #[arg(long, value_name = "PLACE")]
    pub to: PathBuf,
    #[command(flatten)]
    pub(crate) replace: Replace,
}

/// Flags of `lectern backup`.
#[derive(Args, Debug)]
pub struct Backup {
    /// The directory that holds the copy; what did not change since the last time is left alone
    #[arg(value_name = "DIRECTORY")]
    pub to: PathBuf,
    #[command(flatten)]
    pub(crate) replace: Replace,
    #[command(flatten)]
    pub(crate) folder: FolderFlag,
}

/// Flags of `lectern restore`.
#[derive(Args, Debug)]
pub struct Restore {
    /// The directory with the copy that `lectern backup` made
    #[arg(value_name = "DIRECTORY")]
    pub from: PathBuf,
    #[command(flatten)]
    pub(crate) replace: Replace,
    #[command(flatten)]
    pub(crate) folder: FolderFlag,
}

/// Whether other documents may go.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct Replace {
    /// Take away what is there already, though it is no copy of the same documents
    #[arg(long)]
    pub replace: bool,
}

impl Import {
    pub(super) async fn run<W: Wiring>(self, wiring: &W, out: Out<'_>) -> Result<(), Trouble> {
        let from = folder_place(&self.from)?;
        must_be_a_folder(&from)?;
        let into = self.into.as_deref().unwrap_or_default();
        let mut path = TreePath::root();
        for name in into.split('/').filter(|name| !name.is_empty()) {
            let name = FileName::parse(name).map_err(|why| {
                Trouble::new(format!("`{}` can be no container", plain(into))).because(why.to_string())
            })?;
            path = path.join(&name);
        }
        let ends = Ends { from, to: self.folder.place()?, served: Served::Refused };
        ends.carry(wiring, How::Beside(path), out).await
    }
}

impl Export {
    pub(super) async fn run<W: Wiring>(self, wiring: &W, out: Out<'_>) -> Result<(), Trouble> {
        let ends = Ends { from: self.folder.place()?, to: folder_place(&self.to)?, served: Served::Allowed };
        ends.carry(wiring, How::Mirror(self.replace), out).await
    }
}

impl Migrate {
    pub(super) async fn run<W: Wiring>(self, wiring: &W, out: Out<'_>) -> Result<(), Trouble> {
        let ends = Ends { from: named_place(&self.from)?, to: named_place(&self.to)?, served: Served::Refused };
        ends.carry(wiring, How::Mirror(self.replace), out).await
    }
}

impl Backup {
    pub(super) async fn run<W: Wiring>(self, wiring: &W, out: Out<'_>) -> Result<(), Trouble> {
        let ends = Ends { from: self.folder.place()?, to: copy_place(&self.to)?, served: Served::Allowed };
        ends.carry(wiring, How::Mirror(self.replace), out).await
    }
}

impl Restore {
    pub(super) async fn run<W: Wiring>(self, wiring: &W, out: Out<'_>) -> Result<(), Trouble> {
        let from = copy_place(&self.from)?;
        if !from.database().is_file() {
            return Err(Trouble::new(format!("there is no copy in `{}`", shown(&self.from)))
                .hint("name the directory that `lectern backup` wrote to"));
        }
        let ends = Ends { from, to: self.folder.place()?, served: Served::Refused };
        ends.carry(wiring, How::Mirror(self.replace), out).await
    }
}

/// A folder, without the settings of anything else.
fn folder_place(folder: &Path) -> Result<Place, Trouble> {
    Place::of(Settings::default(), Some(folder.to_owned()), &Whereabouts::default())
}

/// A folder, or what a settings file says.
fn named_place(path: &Path) -> Result<Place, Trouble> {
    if path.is_file() {
        return Place::find(None, &Whereabouts { config: Some(path.to_owned()), ..Whereabouts::default() });
    }
    folder_place(path)
}

/// A copy: a directory of objects, and records beside it.
fn copy_place(directory: &Path) -> Result<Place, Trouble> {
    let directory = std::path::absolute(directory).or_trouble(|| format!("cannot find `{}`", directory.display()))?;
    let objects = url::Url::from_directory_path(directory.join("objects"));
    let objects = objects.map_err(|()| Trouble::new(format!("cannot use `{}`", directory.display())))?;
    let whereabouts = Whereabouts {
        objects: Some(objects.to_string()),
        state: Some(directory.join("records")),
        ..Whereabouts::default()
    };
    Place::of(Settings::default(), None, &whereabouts)
}

fn must_be_a_folder(place: &Place) -> Result<(), Trouble> {
    if place.folder.is_dir() {
        return Ok(());
    }
    Err(Trouble::new(format!("there is no folder `{}`", place.folder_shown())))
}

/// What happens to what is there.
enum How {
    Mirror(Replace),
    Beside(TreePath),
}

/// Whether the place that is carried from may be served meanwhile.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Served {
    Allowed,
    Refused,
}

struct Ends {
    from: Place,
    to: Place,
    served: Served,
}

impl Ends {
    async fn carry<W: Wiring>(self, wiring: &W, how: How, out: Out<'_>) -> Result<(), Trouble> {
        let Self { from, to, served } = self;
        // A folder that was never served gets its records now, as it would by being served: that is what makes a second
        // run go on where the first one ended.
        let is_plain = from.has_folder() && from.folder.is_dir() && !from.state.is_dir();
        if !is_plain {
            from.must_be_there()?;
        }
        from.make_state()?;
        let (source, _from_lock) = if from.keeps_state && ServeLock::is_taken(&from.state) {
            if served == Served::Refused {
                return Err(Trouble::new(format!("`{}` is being served", from.documents_shown()))
                    .because("what is saved meanwhile would stay behind")
                    .hint("stop its `lectern serve` first"));
            }
            (Source::Served, None)
        } else if from.keeps_state {
            (Source::Alone, Some(ServeLock::take(&from.state)?))
        } else {
            // Whether other nodes work on it cannot be seen from here.
            (Source::Served, None)
        };
        if to.has_folder() {
            std::fs::create_dir_all(&to.folder)
                .or_trouble(|| format!("cannot make the folder `{}`", to.folder_shown()))?;
        } else if to.keeps_state
            && let Some(above) = to.state.parent()
        {
            std::fs::create_dir_all(above).or_trouble(|| format!("cannot make `{}`", shown(above)))?;
        }
        to.make_state()?;
        let _to_lock = if to.keeps_state { Some(ServeLock::take(&to.state)?) } else { None };

        let there = wiring.open_host(&Known::of(&to)?.premises(to.clone())).await?;
        let carried = async {
            let here = wiring.open_host(&Known::of(&from)?.premises(from.clone())).await?;
            let carried = work(&here, &there, source, &how, &to).await;
            here.close.await;
            carried
        }
        .await;
        there.close.await;
        let carried = carried?;
        print(out, &said(&carried, &to))?;
        match carried.taken.len() {
            0 => Ok(()),
            behind => {
                Err(Trouble::new(format!("{}: left behind, because the name is taken", many(behind as u64, "file")))
                    .hint("rename one of each two, and run it again; or choose another place with --into"))
            }
        }
    }
}

async fn work(here: &OpenHost, there: &OpenHost, source: Source, how: &How, to: &Place) -> Result<Carried, Trouble> {
    let cannot = || "cannot carry the documents over".to_owned();
    // What stands in a folder that nobody served yet is not known before it was looked through.
    there.host.recover().await.or_trouble(cannot)?;
    there.host.scan().await.or_trouble(cannot)?;
    let meeting = match how {
        How::Mirror(replace) => {
            mark(here, there, *replace, to).await?;
            Meeting::Mirror
        }
        How::Beside(path) => {
            let container = container_at(&there.host, path).await;
            Meeting::Beside(container.or_trouble(|| format!("cannot make `{path}` there"))?)
        }
    };
    let mut bar = Bar::new();
    let carried = carry(&here.host, &there.host, source, meeting, &mut |carried| bar.show(carried)).await;
    bar.end();
    carried.map_err(|refusal| {
        Trouble::new(cannot())
            .because(refusal.to_string())
            .hint("what was carried by now stays; run it again, and it goes on from there")
    })
}

/// Writes down what the place becomes a copy of; refuses one that holds other documents.
async fn mark(here: &OpenHost, there: &OpenHost, replace: Replace, to: &Place) -> Result<(), Trouble> {
    let cannot = || "cannot compare the two places".to_owned();
    let root = here.host.ports().registry.root().await.or_trouble(cannot)?.id;
    let (registry, now) = (&there.host.ports().registry, there.host.now());
    let copy_of = registry.memo(COPY_OF, now).await.or_trouble(cannot)?;
    let usage = registry.usage().await.or_trouble(cannot)?;
    let is_empty = usage.files.count == 0 && usage.versions.count == 0 && usage.deleted.count == 0;
    let is_copy = copy_of.as_ref().is_some_and(|memo| memo.value == root.as_str().as_bytes());
    if !is_copy && !is_empty && !replace.replace {
        return Err(Trouble::new(format!("there are other documents in `{}`", to.documents_shown()))
            .because(format!("{} files, which are no copy of these", usage.files.count))
            .hint("choose an empty place; or take them away with --replace; or put these beside them with `lectern import`"));
    }
    let seen = copy_of.map(|memo| memo.revision);
    let put = registry.put_memo(COPY_OF, seen, root.as_str().as_bytes(), Timestamp(i64::MAX), now).await;
    match put {
        Ok(_) => Ok(()),
        Err(RegistryError::Conflict) => Err(Trouble::new("somebody else carries documents to the same place")),
        Err(error) => Err(error).or_trouble(cannot),
    }
}

fn said(carried: &Carried, to: &Place) -> String {
    let Carried { containers, files, same, versions, rescued, people, shares, bytes, removed, taken, .. } = carried;
    let mut text = format!(
        "carried {} with {}, {}, to {}; each byte was read again and compared\n",
        many(*files, "file"),
        many(*versions, "old version"),
        size(*bytes),
        plain(&to.documents_shown())
    );
    text += &format!(
        "also {}, {}, {}, {}\n",
        many(*containers, "container"),
        many(*people, "user or group"),
        many(*shares, "grant or link"),
        many(*rescued, "refused save")
    );
    if *same > 0 {
        text += &format!("{}: there already, the same to the hash\n", many(*same, "file"));
    }
    if *removed > 0 {
        text += &format!("{}: taken away, not there any more\n", many(*removed, "file or container"));
    }
    for path in taken.iter().take(TAKEN_PRINTED_MAX) {
        text += &format!("stayed behind: {}\n", plain(path));
    }
    if taken.len() > TAKEN_PRINTED_MAX {
        text += &format!("and {} more\n", taken.len() - TAKEN_PRINTED_MAX);
    }
    text
}

/// A number of things.
fn many(count: u64, one: &str) -> String {
    match (count, one.split_once(" or ")) {
        (1, _) => format!("1 {one}"),
        (_, Some((one, other))) => format!("{count} {one}s or {other}s"),
        (_, None) => format!("{count} {one}s"),
    }
}

/// How far it has come: a bar on a terminal, a line now and then elsewhere.
struct Bar {
    terminal: bool,
    shown: Option<Instant>,
    started: Instant,
}

impl Bar {
    fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), shown: None, started: Instant::now() }
    }

    fn show(&mut self, carried: &Carried) {
        let every = if self.terminal { SHOWN_EVERY.0 } else { SHOWN_EVERY.1 };
        let since = self.shown.unwrap_or(self.started);
        if since.elapsed() < every {
            return;
        }
        self.shown = Some(Instant::now());
        let line = bar_line(carried);
        if self.terminal {
            eprint!("\r{line}\u{1b}[K");
            let _ = std::io::stderr().flush();
        } else {
            eprintln!("{line}");
        }
    }

    fn end(&self) {
        if self.terminal && self.shown.is_some() {
            eprint!("\r\u{1b}[K");
        }
    }
}

fn bar_line(carried: &Carried) -> String {
    const WIDTH: u64 = 30;
    let all = carried.all_bytes.max(1);
    let filled = (carried.looked_at_bytes.min(all) as u128 * u128::from(WIDTH) / u128::from(all)) as usize;
    let percent = carried.looked_at_bytes.min(all) as u128 * 100 / u128::from(all);
    format!(
        "[{}{}] {percent:>3} %  {} of {}, {} files",
        "#".repeat(filled),
        ".".repeat(WIDTH as usize - filled),
        size(carried.looked_at_bytes),
        size(carried.all_bytes),
        carried.files + carried.same
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_a_bar_of_bytes() {
        let carried = Carried { all_bytes: 4 << 20, looked_at_bytes: 1 << 20, files: 3, same: 4, ..Carried::default() };
        assert_eq!(bar_line(&carried), "[#######.......................]  25 %  1.0 MiB of 4.0 MiB, 7 files");
        // What came since the beginning is more than was counted then.
        let carried = Carried { all_bytes: 0, looked_at_bytes: 9, ..Carried::default() };
        assert!(bar_line(&carried).contains("100 %"));
    }
}
