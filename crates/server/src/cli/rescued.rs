//! `lectern rescued`

use std::path::PathBuf;

use clap::Subcommand;
use lectern_host::records::{ContentId, RescuedSave};
use serde_json::json;

use super::fetch::{Wanted, fetch};
use super::known::Known;
use super::{Out, plain, print, print_json, size, table, time};
use crate::people;
use crate::place::FolderFlag;
use crate::trouble::{OrTrouble, Trouble};
use crate::wiring::{Parts, Wiring};

/// Commands of `lectern rescued`.
#[derive(Subcommand, Debug)]
pub enum Rescued {
    /// List the saves that were refused and whose bytes are still here, latest first
    List {
        /// Only those of this user
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        #[expect(missing_docs, reason = "a text here would replace that of the command")]
        folder: FolderFlag,
    },
    /// Fetch the bytes of one
    Get {
        /// Its id, or the first characters of it, as `lectern rescued list` prints it
        id: String,
        /// Where to write it; standard output, if nothing is said
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
        #[command(flatten)]
        #[expect(missing_docs, reason = "a text here would replace that of the command")]
        folder: FolderFlag,
    },
}

impl Rescued {
    pub(super) async fn run<W: Wiring>(self, wiring: &W, out: Out<'_>) -> Result<(), Trouble> {
        let (Self::List { folder, .. } | Self::Get { folder, .. }) = &self;
        let place = folder.place()?;
        place.must_be_there()?;
        let parts = wiring.open(&Known::of(&place)?.premises(place)).await?;
        self.act(&parts, out).await
    }

    async fn act(self, parts: &Parts, out: Out<'_>) -> Result<(), Trouble> {
        match self {
            Self::List { user, json, .. } => {
                let user = match user {
                    Some(name) => Some(people::named(&*parts.registry, &name).await?),
                    None => None,
                };
                let saves = parts.registry.rescued(user.as_ref().map(|user| &user.id)).await;
                let saves = saves.or_trouble(|| "cannot list the rescued saves".to_owned())?;
                if json {
                    return print_json(out, &saves.iter().map(as_json).collect());
                }
                print(out, &listed(&saves, parts).await)
            }
            Self::Get { id, to, .. } => {
                let save = find(&id, parts).await?;
                let wanted = Wanted { content: &save.content, size: save.size };
                let written = fetch(&*parts.contents, &wanted, to.as_deref(), out).await?;
                match (written, to) {
                    (Some(bytes), Some(to)) => print(out, &format!("wrote {} to {}\n", size(bytes), to.display())),
                    _ => Ok(()),
                }
            }
        }
    }
}

async fn find(id: &str, parts: &Parts) -> Result<RescuedSave, Trouble> {
    let saves = parts.registry.rescued(None).await.or_trouble(|| "cannot list the rescued saves".to_owned())?;
    let spelled = |content: &ContentId| content.to_string();
    let mut found = saves.into_iter().filter(|save| !id.is_empty() && spelled(&save.content).starts_with(id));
    let hint = "`lectern rescued list` shows them";
    match (found.next(), found.next()) {
        (Some(save), None) => Ok(save),
        (None, _) => Err(Trouble::new(format!("there is no rescued save `{id}`")).hint(hint)),
        (Some(_), Some(_)) => Err(Trouble::new(format!("several rescued saves begin with `{id}`")).hint(hint)),
    }
}

fn as_json(save: &RescuedSave) -> serde_json::Value {
    json!({
        "id": save.content.to_string(),
        "file": save.file.as_str(),
        "file_name": save.file_name.as_str(),
        "user": save.user.as_str(),
        "client": save.client,
        "size": save.size,
        "reason": save.reason,
        "at_ms": save.at.0,
    })
}

async fn listed(saves: &[RescuedSave], parts: &Parts) -> String {
    if saves.is_empty() {
        return "no save had to be refused, or none is kept any more\n".to_owned();
    }
    let mut rows = vec![["id", "when", "file", "by", "size", "why"].map(str::to_owned).to_vec()];
    for save in saves {
        let by = match parts.registry.user(&save.user).await {
            Ok(user) => user.name,
            Err(_) => save.user.to_string(),
        };
        rows.push(vec![
            save.content.to_string(),
            time(save.at),
            plain(save.file_name.as_str()),
            plain(&by),
            size(save.size),
            plain(&save.reason),
        ]);
    }
    table(&rows) + "\n`lectern rescued get ID --to FILE` fetches one\n"
}

#[cfg(test)]
mod tests {
    use lectern_host::records::Timestamp;
    use lectern_host::wopi::{FileId, FileName, UserId};

    use super::super::testing::{BYTES, InMemory, served_folder, text};
    use super::*;

    fn save(seed: u8, size: u64) -> RescuedSave {
        RescuedSave {
            content: ContentId([seed; 16]),
            file: FileId::parse("f").unwrap(),
            file_name: FileName::parse("report.docx").unwrap(),
            user: UserId::parse("somebody").unwrap(),
            client: None,
            size,
            sha256: [0; 32],
            reason: "held by \u{1b}[31manother".to_owned(),
            at: Timestamp(1_767_225_600_000),
        }
    }

    #[tokio::test]
    async fn refused_saves_are_listed_and_fetched() {
        let (program, folder) = (InMemory::default(), served_folder());
        let at = ["--folder", text(folder.path())];
        let run = async |words: &[&str]| program.run(&[words, &at].concat()).await;
        assert!(run(&["rescued", "list"]).await.unwrap().starts_with("no save had to be refused"));
        for save in [save(0x11, BYTES.len() as u64), save(0x12, 5000)] {
            program.registry.add_rescued(&save).await.unwrap();
        }
        let list = run(&["rescued", "list"]).await.unwrap();
        assert!(list.contains("2026-01-01") && list.contains("\\u{1b}[31manother"), "{list}");

        let to = folder.path().join("out.docx");
        let told = run(&["rescued", "get", "11", "--to", text(&to)]).await.unwrap();
        assert!(told.starts_with("wrote 9 B to "), "{told}");
        assert_eq!(std::fs::read(&to).unwrap(), BYTES);
        assert_eq!(run(&["rescued", "get", "11", "--to", "-"]).await.unwrap().as_bytes(), BYTES);

        for (id, why) in [("13", "no rescued save"), ("", "no rescued save"), ("1", "several")] {
            assert!(run(&["rescued", "get", id, "--to", "-"]).await.unwrap_err().to_string().contains(why), "{id}");
        }
    }

    #[tokio::test]
    async fn nothing_is_written_over_and_half_a_document_is_not_left() {
        let (program, folder) = (InMemory::default(), served_folder());
        let to = folder.path().join("out.docx");
        let get = ["rescued", "get", "12", "--to", text(&to), "--folder", text(folder.path())];
        program.registry.add_rescued(&save(0x12, 5000)).await.unwrap();
        assert!(program.run(&get).await.unwrap_err().to_string().contains("9 bytes of 5000"));
        assert!(!to.exists());
        std::fs::write(&to, "mine").unwrap();
        assert!(program.run(&get).await.unwrap_err().to_string().contains("not taken"));
        assert_eq!(std::fs::read(&to).unwrap(), b"mine");
    }
}
