//! Fetching bytes that a command found: into a new file, or to standard output.

use std::io::{IsTerminal, Write};
use std::path::Path;

use http_body_util::BodyExt;
use lectern_host::ports::Contents;
use lectern_host::records::Content;
use lectern_host::records::ContentId;

use super::Out;
use crate::trouble::{OrTrouble, Trouble, WithHint};

/// Which bytes, and how many there must be.
pub(super) struct Wanted<'a> {
    pub(super) content: &'a ContentId,
    pub(super) size: u64,
}

impl<'a> From<&'a Content> for Wanted<'a> {
    fn from(content: &'a Content) -> Self {
        Self { content: &content.id, size: content.size }
    }
}

/// Writes the bytes to a file that must not be there yet; to standard output for `-` or nothing, unless a person would
/// see them there.
pub(super) async fn fetch(
    contents: &dyn Contents,
    wanted: &Wanted<'_>,
    to: Option<&Path>,
    out: Out<'_>,
) -> Result<Option<u64>, Trouble> {
    match to.filter(|path| *path != Path::new("-")) {
        Some(path) => {
            let cannot = || format!("cannot write `{}`", path.display());
            let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(path).or_trouble(cannot);
            if file.is_err() && path.exists() {
                file = file.with_hint(|| "choose a name that is not taken; nothing is written over".to_owned());
            }
            let mut file = file?;
            let written = copy(contents, wanted, &mut file).await.and_then(|written| {
                file.sync_all().or_trouble(cannot)?;
                Ok(written)
            });
            if written.is_err() {
                // Half a document must not look like a whole one.
                let _ = std::fs::remove_file(path);
            }
            written.map(Some)
        }
        None if to.is_none() && std::io::stdout().is_terminal() => {
            Err(Trouble::new("a document is not for a terminal to show")
                .hint("say where to write it with --to FILE, or pipe the output somewhere"))
        }
        None => copy(contents, wanted, out).await.map(|_| None),
    }
}

async fn copy(contents: &dyn Contents, wanted: &Wanted<'_>, to: &mut (dyn Write + Send)) -> Result<u64, Trouble> {
    let cannot = || "cannot fetch the bytes".to_owned();
    let mut body = contents.open(wanted.content, 0..wanted.size).await.or_trouble(cannot)?;
    let mut written = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Trouble::new(cannot()).caused_by(&*error))?;
        if let Some(data) = frame.data_ref() {
            to.write_all(data).or_trouble(cannot)?;
            written += data.len() as u64;
        }
    }
    to.flush().or_trouble(cannot)?;
    if written == wanted.size {
        Ok(written)
    } else {
        Err(Trouble::new(cannot()).because(format!("there are {written} bytes of {}", wanted.size)))
    }
}
