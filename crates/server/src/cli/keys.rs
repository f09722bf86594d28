//! `lectern keys`

use clap::Subcommand;
use lectern_accounts::{OldKeys, rotate, rotate_shared};
use lectern_host::ports::Clock;

use super::known::Known;
use super::{Out, print};
use crate::place::FolderFlag;
use crate::system::{SystemClock, SystemRandom};
use crate::trouble::{OrTrouble, Trouble};
use crate::wiring::Wiring;

/// Commands of `lectern keys`.
#[derive(Subcommand, Debug)]
pub enum Keys {
    /// Seal new tokens with a new key. A running server takes it up by itself; tokens that are out go on working
    Rotate {
        /// Forget the old keys at once: every token that is out stops working. For keys that somebody may have seen
        #[arg(long)]
        drop_old: bool,
        #[command(flatten)]
        #[expect(missing_docs, reason = "a text here would replace that of the command")]
        folder: FolderFlag,
    },
}

impl Keys {
    pub(super) async fn run<W: Wiring>(self, wiring: &W, out: Out<'_>) -> Result<(), Trouble> {
        let Self::Rotate { drop_old, folder } = self;
        let place = folder.place()?;
        place.must_be_there()?;
        let old = if drop_old { OldKeys::Drop } else { OldKeys::Keep };
        let (now, cannot) = (SystemClock.now(), || "cannot rotate the keys of the access tokens".to_owned());
        let rotated = match place.token_keys_file() {
            Some(path) => rotate(&path, old, now, &SystemRandom).or_trouble(cannot)?,
            None => {
                let parts = wiring.open(&Known::of(&place)?.premises(place)).await?;
                rotate_shared(&*parts.registry, old, now, &SystemRandom).await.or_trouble(cannot)?
            }
        };
        let mut text = format!("new tokens are sealed with the key {}\n", rotated.sealing);
        for id in rotated.kept {
            text += &format!("the key {id} still opens its tokens, until the last of them has run out\n");
        }
        for id in rotated.dropped {
            text += &format!("the key {id} is forgotten\n");
        }
        print(out, &text)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{InMemory, served_folder, text};

    #[tokio::test]
    async fn keys_are_rotated_and_dropped() {
        let (program, folder) = (InMemory::default(), served_folder());
        let at = ["--folder", text(folder.path())];
        let run = async |words: &[&str]| program.run(&[words, &at].concat()).await;
        assert!(
            run(&["keys", "rotate"]).await.unwrap_err().to_string().contains("token-keys.json"),
            "there are none yet"
        );
        run(&["token", "report.docx"]).await.unwrap();
        let told = run(&["keys", "rotate"]).await.unwrap();
        assert!(told.contains("are sealed with the key") && told.contains("still opens its tokens"), "{told}");
        let told = run(&["keys", "rotate", "--drop-old"]).await.unwrap();
        assert_eq!(told.matches("is forgotten").count(), 2, "{told}");
    }
}
