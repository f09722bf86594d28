//! `lectern versions`

use std::path::PathBuf;

use clap::Args;
use lectern_host::records::{FileRecord, Timestamp, VersionEntry};
use serde_json::json;

use super::fetch::{Wanted, fetch};
use super::known::Known;
use super::token::path_in;
use super::{Out, plain, print, print_json, size, table, time};
use crate::place::FolderFlag;
use crate::trouble::{OrTrouble, Trouble};
use crate::wiring::{Parts, Wiring};

/// Flags of `lectern versions`.
#[derive(Args, Debug)]
pub struct Versions {
    /// The file, as it is called in the folder of documents
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Fetch the bytes of this version
    #[arg(long, value_name = "VERSION")]
    pub get: Option<String>,
    /// Where to write them; standard output, if nothing is said
    #[arg(long, value_name = "FILE", requires = "get")]
    pub to: Option<PathBuf>,
    /// Print JSON: the versions that were replaced, latest first
    #[arg(long, conflicts_with = "get")]
    pub json: bool,
    #[command(flatten)]
    pub(crate) folder: FolderFlag,
}

impl Versions {
    pub(super) async fn run<W: Wiring>(self, wiring: &W, out: Out<'_>) -> Result<(), Trouble> {
        let place = self.folder.place()?;
        place.must_be_there()?;
        let path = path_in(&place, &self.file)?;
        let parts = wiring.open(&Known::of(&place)?.premises(place)).await?;
        let file = parts.documents.file_at(&path).await?;
        let versions = parts.registry.versions(&file.id).await;
        let versions = versions.or_trouble(|| format!("cannot read the history of `{path}`"))?;
        match &self.get {
            None if self.json => print_json(out, &versions.iter().map(as_json).collect()),
            None => print(out, &listed(&file, &versions, &parts).await),
            Some(wanted) => {
                let found = versions.iter().find(|entry| entry.version.0.to_string() == *wanted);
                let Some(entry) = found else {
                    let trouble = Trouble::new(format!("`{path}` has no old version {wanted}"));
                    return Err(if file.version.0.to_string() == *wanted {
                        trouble.because("it is the current one").hint("its bytes are the file itself")
                    } else {
                        trouble.hint("without --get, all of them are listed")
                    });
                };
                let written = fetch(&*parts.contents, &Wanted::from(&entry.content), self.to.as_deref(), out).await?;
                match (written, &self.to) {
                    (Some(bytes), Some(to)) => print(out, &format!("wrote {} to {}\n", size(bytes), to.display())),
                    _ => Ok(()),
                }
            }
        }
    }
}

fn as_json(entry: &VersionEntry) -> serde_json::Value {
    json!({
        "version": entry.version.0.to_string(),
        "size": entry.content.size,
        "modified_at_ms": entry.content.modified_at.0 / 10_000,
        "saved_by": entry.content.saved_by.as_ref().map(lectern_host::wopi::UserId::as_str),
        "autosave": entry.content.autosave,
        "label": entry.label,
        "keep": entry.keep,
    })
}

async fn listed(file: &FileRecord, versions: &[VersionEntry], parts: &Parts) -> String {
    let mut rows = vec![["version", "when", "by", "size", ""].map(str::to_owned).to_vec()];
    let contents =
        versions.iter().map(|entry| (entry.version, &entry.content, entry.label.as_deref().unwrap_or_default()));
    for (version, content, note) in std::iter::once((file.version, &file.content, "current")).chain(contents) {
        let by = match &content.saved_by {
            None => "another program".to_owned(),
            Some(id) => parts.registry.user(id).await.map_or_else(|_| id.to_string(), |user| user.name),
        };
        rows.push(vec![
            version.0.to_string(),
            time(Timestamp(content.modified_at.0 / 10_000)),
            plain(&by),
            size(content.size),
            plain(note),
        ]);
    }
    let next = if versions.is_empty() { "" } else { "\n`lectern versions FILE --get VERSION --to OUT` fetches one\n" };
    table(&rows) + next
}

#[cfg(test)]
mod tests {
    use lectern_host::ports::FileCommit;
    use lectern_host::wopi::{FileName, ItemVersion};

    use super::super::testing::{BYTES, InMemory, content, served_folder, text};
    use super::*;

    #[tokio::test]
    async fn old_versions_are_listed_and_fetched() {
        let (program, folder) = (InMemory::default(), served_folder());
        let at = ["--folder", text(folder.path())];
        let run = async |words: &[&str]| program.run(&[words, &at].concat()).await;
        let json = async || program.json(&[&["versions", "report.docx", "--json"][..], &at].concat()).await;
        assert_eq!(json().await, json!([]));

        let root = program.registry.root().await.unwrap().id;
        let name = FileName::parse("report.docx").unwrap();
        let mut record = program.registry.file_named(&root, &name).await.unwrap();
        let replaced = VersionEntry {
            file: record.id.clone(),
            version: record.version,
            content: content(BYTES.len() as u64),
            label: Some("first draft".to_owned()),
            keep: false,
        };
        record.version = ItemVersion(2);
        program.registry.commit_file(&FileCommit { record, replaced: Some(replaced) }).await.unwrap();

        let listed = json().await;
        assert_eq!((&listed[0]["version"], &listed[0]["size"]), (&json!("1"), &json!(BYTES.len())));
        let list = run(&["versions", "report.docx"]).await.unwrap();
        assert!(list.contains("current") && list.contains("first draft") && list.contains("--get"), "{list}");
        assert_eq!(run(&["versions", "report.docx", "--get", "1", "--to", "-"]).await.unwrap().as_bytes(), BYTES);
        for (version, why) in [("2", "it is the current one"), ("3", "no old version 3"), ("x", "no old version x")] {
            let told = run(&["versions", "report.docx", "--get", version]).await.unwrap_err().to_string();
            assert!(told.contains(why), "{told}");
        }
    }
}
