//! `lectern user`

use std::io::{BufRead, IsTerminal, Read};
use std::path::PathBuf;

use clap::Subcommand;
use lectern_accounts::Passwords;
use lectern_host::ports::Clock;
use lectern_host::records::{Role, User};
use serde_json::json;

use super::known::Known;
use super::serve::quoted;
use super::{Out, plain, print, print_json, table, time};
use crate::config::{PERSON_NAME_LENGTH_MAX, RoleName, is_person_name};
use crate::people;
use crate::place::FolderFlag;
use crate::system::SystemClock;
use crate::trouble::{OrTrouble, Trouble, WithHint};
use crate::wiring::{Parts, Wiring};

/// Largest file that a password is read from, in bytes.
const PASSWORD_FILE_BYTES_MAX: u64 = 4096;

/// Commands of `lectern user`.
#[derive(Subcommand, Debug)]
pub enum UserCommand {
    /// List everybody
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        #[expect(missing_docs, reason = "a text here would replace that of the command")]
        folder: FolderFlag,
    },
    /// Add a user
    Add {
        /// What they are called; letter case does not matter
        name: String,
        /// What clients show to others; the name, if nothing is said
        #[arg(long, value_name = "TEXT")]
        display_name: Option<String>,
        /// What they may do
        #[arg(long, value_enum, default_value_t = RoleName::Editor)]
        role: RoleName,
        #[command(flatten)]
        #[expect(missing_docs, reason = "a text here would replace that of the command")]
        folder: FolderFlag,
    },
    /// Shut a user out: their tokens stop working at once
    Disable {
        /// Who
        name: String,
        /// Also the last administrator who is not shut out
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        #[expect(missing_docs, reason = "a text here would replace that of the command")]
        folder: FolderFlag,
    },
    /// Let a user in again who was shut out
    Enable {
        /// Who
        name: String,
        #[command(flatten)]
        #[expect(missing_docs, reason = "a text here would replace that of the command")]
        folder: FolderFlag,
    },
    /// Change what a user may do; tokens that they have follow at once
    Role {
        /// Who
        name: String,
        /// What they may do from now on
        #[arg(value_enum)]
        role: RoleName,
        /// Also the last administrator who is not shut out
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        #[expect(missing_docs, reason = "a text here would replace that of the command")]
        folder: FolderFlag,
    },
    /// Set a user's password: asked for, or the first line of standard input or of a file
    Password {
        /// Whose
        name: String,
        /// Read it from the first line of this file
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        #[command(flatten)]
        #[expect(missing_docs, reason = "a text here would replace that of the command")]
        folder: FolderFlag,
    },
    /// End all sessions of a user: every token they have stops working at once
    RevokeSessions {
        /// Whose
        name: String,
        #[command(flatten)]
        #[expect(missing_docs, reason = "a text here would replace that of the command")]
        folder: FolderFlag,
    },
}

impl UserCommand {
    fn folder(&self) -> &FolderFlag {
        match self {
            Self::List { folder, .. }
            | Self::Add { folder, .. }
            | Self::Disable { folder, .. }
            | Self::Enable { folder, .. }
            | Self::Role { folder, .. }
            | Self::Password { folder, .. }
            | Self::RevokeSessions { folder, .. } => folder,
        }
    }

    pub(super) async fn run<W: Wiring>(self, wiring: &W, out: Out<'_>) -> Result<(), Trouble> {
        let place = self.folder().place()?;
        place.must_be_there()?;
        let parts = wiring.open(&Known::of(&place)?.premises(place.clone())).await?;
        people::settle(&*parts.registry, &place.settings.users, &*parts.clock, &*parts.random).await?;
        self.act(&parts, out).await
    }

    async fn act(self, parts: &Parts, out: Out<'_>) -> Result<(), Trouble> {
        let registry = &*parts.registry;
        match self {
            Self::List { json, .. } => {
                let everybody = registry.users().await.or_trouble(|| "cannot list the users".to_owned())?;
                if json {
                    print_json(out, &everybody.iter().map(as_json).collect())
                } else {
                    print(out, &listed(&everybody))
                }
            }
            Self::Add { name, display_name, role, .. } => {
                let shown_as = display_name.as_deref().unwrap_or(&name);
                for text in [name.as_str(), shown_as] {
                    if !is_person_name(text) {
                        return Err(Trouble::new(format!("{text:?} cannot be a name")).because(format!(
                            "a name has 1 to {PERSON_NAME_LENGTH_MAX} characters, no control characters, no blanks around them"
                        )));
                    }
                }
                let added = people::add(registry, &name, shown_as, role.into(), &*parts.clock, &*parts.random).await?;
                print(
                    out,
                    &format!(
                        "added {} as {}; `lectern token FILE --user {}` makes a token for them\n",
                        plain(&added.name),
                        added.role.as_str(),
                        quoted(&added.name)
                    ),
                )
            }
            Self::Disable { name, force, .. } => {
                if !force {
                    people::must_leave_an_administrator(registry, &name).await?;
                }
                let user = people::change(registry, &name, |user| user.disabled = true).await?;
                print(out, &format!("{} is shut out; their tokens do not work any more\n", plain(&user.name)))
            }
            Self::Enable { name, .. } => {
                let user = people::change(registry, &name, |user| user.disabled = false).await?;
                print(out, &format!("{} is let in again\n", plain(&user.name)))
            }
            Self::Role { name, role, force, .. } => {
                if !force && Role::from(role) != Role::Administrator {
                    people::must_leave_an_administrator(registry, &name).await?;
                }
                let user = people::change(registry, &name, |user| user.role = Role::from(role)).await?;
                print(out, &format!("{} is {} now\n", plain(&user.name), user.role.as_str()))
            }
            Self::Password { name, password_file, .. } => {
                // Asked before the password is: a wrong name should not cost typing it twice.
                people::named(registry, &name).await?;
                let password = read_password(password_file)?;
                let hash = Passwords::default().hash(&password, &*parts.random).await;
                let hash = hash.or_trouble(|| format!("cannot set the password of `{name}`"))?;
                let user = people::change(registry, &name, |user| user.password = Some(hash.clone())).await?;
                print(out, &format!("the password of {} is set\n", plain(&user.name)))
            }
            Self::RevokeSessions { name, .. } => {
                let user = people::named(registry, &name).await?;
                let cannot = || format!("cannot end the sessions of `{name}`");
                let now = SystemClock.now();
                let live = registry.sessions(&user.id).await.or_trouble(cannot)?;
                let live = live.iter().filter(|session| session.revoked_at.is_none() && now < session.expires_at);
                let mut ended = 0;
                for session in live {
                    registry.revoke_session(&session.id, now).await.or_trouble(cannot)?;
                    ended += 1;
                }
                print(
                    out,
                    &format!("ended {ended} sessions of {}; their tokens do not work any more\n", plain(&user.name)),
                )
            }
        }
    }
}

fn as_json(user: &User) -> serde_json::Value {
    json!({
        "id": user.id.as_str(),
        "name": user.name,
        "display_name": user.display_name,
        "role": user.role.as_str(),
        "disabled": user.disabled,
        "has_password": user.password.is_some(),
        "created_at_ms": user.created_at.0,
    })
}

fn listed(everybody: &[User]) -> String {
    let heading = ["name", "shown as", "role", "", "since"].map(str::to_owned).to_vec();
    let rows = everybody.iter().map(|user| {
        vec![
            plain(&user.name),
            plain(&user.display_name),
            user.role.as_str().to_owned(),
            if user.disabled { "shut out" } else { "" }.to_owned(),
            time(user.created_at),
        ]
    });
    table(&std::iter::once(heading).chain(rows).collect::<Vec<_>>())
}

/// The password: from a file, typed twice without being shown, or the first line of what is piped in.
fn read_password(file: Option<PathBuf>) -> Result<String, Trouble> {
    let stdin = std::io::stdin();
    if let Some(path) = file {
        let cannot = || format!("cannot read the password file `{}`", path.display());
        let mut text = String::new();
        let file = std::fs::File::open(&path).or_trouble(cannot)?;
        file.take(PASSWORD_FILE_BYTES_MAX).read_to_string(&mut text).or_trouble(cannot)?;
        return Ok(text.lines().next().unwrap_or_default().to_owned());
    }
    if !stdin.is_terminal() {
        return read_line(&mut stdin.lock().take(PASSWORD_FILE_BYTES_MAX));
    }
    let first = ask("New password: ")?;
    if ask("Once more: ")? == first {
        Ok(first)
    } else {
        Err(Trouble::new("the two passwords are not the same"))
            .with_hint(|| "nothing was changed; try again".to_owned())
    }
}

fn read_line(from: &mut dyn BufRead) -> Result<String, Trouble> {
    let mut line = String::new();
    from.read_line(&mut line).or_trouble(|| "cannot read the password".to_owned())?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Asks on the terminal, whose echo is off meanwhile.
fn ask(question: &str) -> Result<String, Trouble> {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    let cannot = || "cannot ask for the password on this terminal".to_owned();
    let stdin = std::io::stdin();
    let before = tcgetattr(&stdin).or_trouble(cannot)?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    eprint!("{question}");
    tcsetattr(&stdin, OptionalActions::Flush, &silent).or_trouble(cannot)?;
    let line = read_line(&mut stdin.lock().take(PASSWORD_FILE_BYTES_MAX));
    let restored = tcsetattr(&stdin, OptionalActions::Flush, &before).or_trouble(cannot);
    eprintln!();
    restored.and(line)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{InMemory, served_folder, text};
    use super::*;
    use lectern_host::records::{Session, SessionId, Timestamp};

    #[tokio::test]
    async fn people_are_added_changed_shut_out_and_listed() {
        let (program, folder) = (InMemory::default(), served_folder());
        let at = ["--folder", text(folder.path())];
        let run = async |words: &[&str]| program.run(&[words, &at].concat()).await;
        run(&["user", "add", "Ada", "--display-name", "Ada Lovelace"]).await.unwrap();
        let told = run(&["user", "add", "ADA"]).await.unwrap_err().to_string();
        assert!(told.contains("somebody has that name"), "{told}");
        for bad in ["", " ada", "a\u{7}", &"x".repeat(101)] {
            assert!(run(&["user", "add", bad]).await.unwrap_err().to_string().contains("cannot be a name"), "{bad:?}");
        }
        run(&["user", "role", "ada", "administrator"]).await.unwrap();
        run(&["user", "disable", "ada"]).await.unwrap();
        let list = program.json(&[&["user", "list", "--json"][..], &at].concat()).await;
        let ada = list.as_array().unwrap().iter().find(|user| user["name"] == "Ada").unwrap();
        assert_eq!(
            (&ada["display_name"], &ada["role"], &ada["disabled"], &ada["has_password"]),
            (&json!("Ada Lovelace"), &json!("administrator"), &json!(true), &json!(false))
        );
        assert!(list.as_array().unwrap().iter().any(|user| user["name"] == "admin"), "{list}");
        assert!(run(&["user", "list"]).await.unwrap().contains("shut out"));
        // The last one who administers is not shut out by mistake.
        for last in [["user", "disable", "admin"].as_slice(), &["user", "role", "admin", "viewer"]] {
            let told = run(last).await.unwrap_err().to_string();
            assert!(told.contains("the only administrator") && told.contains("--force"), "{told}");
        }
        run(&["user", "role", "admin", "administrator"]).await.unwrap();
        run(&["user", "disable", "admin", "--force"]).await.unwrap();
        run(&["user", "disable", "admin"]).await.unwrap();
        run(&["user", "enable", "admin"]).await.unwrap();
        run(&["user", "enable", "ada"]).await.unwrap();
        assert!(!run(&["user", "list"]).await.unwrap().contains("shut out"));
    }

    #[tokio::test]
    async fn a_password_is_read_from_the_first_line_of_a_file() {
        let (program, folder) = (InMemory::default(), served_folder());
        let file = folder.path().join("password");
        let set = ["user", "password", "admin", "--password-file", text(&file), "--folder", text(folder.path())];
        std::fs::write(&file, "correct horse\r\nanother line\n").unwrap();
        program.run(&set).await.unwrap();
        let hash = program.registry.user_named("admin").await.unwrap().password;
        assert!(Passwords::default().matches("correct horse", hash.as_deref()).await.unwrap());
        std::fs::write(&file, "short\n").unwrap();
        assert!(program.run(&set).await.unwrap_err().to_string().contains("fewer than 8"));
        assert_eq!(program.registry.user_named("admin").await.unwrap().password, hash);
    }

    #[tokio::test]
    async fn sessions_that_live_are_ended() {
        let (program, folder) = (InMemory::default(), served_folder());
        let at = ["--folder", text(folder.path())];
        program.run(&[&["user", "add", "ada"][..], &at].concat()).await.unwrap();
        let user = program.registry.user_named("ada").await.unwrap().id;
        for (id, expires_at) in [("live", i64::MAX), ("over", 1)] {
            let session = Session {
                id: SessionId(id.to_owned()),
                user: user.clone(),
                label: String::new(),
                created_at: Timestamp(0),
                expires_at: Timestamp(expires_at),
                revoked_at: None,
                guest: None,
            };
            program.registry.create_session(&session).await.unwrap();
        }
        let revoke = [&["user", "revoke-sessions", "ada"][..], &at].concat();
        assert!(program.run(&revoke).await.unwrap().starts_with("ended 1 sessions of ada"));
        assert!(program.registry.session(&SessionId("live".to_owned())).await.unwrap().revoked_at.is_some());
        assert!(program.run(&revoke).await.unwrap().starts_with("ended 0 sessions"));
    }
}
