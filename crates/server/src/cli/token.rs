//! `lectern token`

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use clap::Args;
use lectern_accounts::TOKEN_LIFETIME;
use lectern_host::clients::{Wanted, choose};
use lectern_host::ids;
use lectern_host::ports::{TokenClaims, TokenResource, TreePath};
use lectern_host::records::{Session, Timestamp};
use lectern_host::wopi::FileName;
use serde_json::json;

use super::known::Known;
use super::page::{self, Opening};
use super::{Out, plain, print, print_json, table, time};
use crate::config::values::{ClientName, PublicUrl};
use crate::people;
use crate::place::{FolderFlag, Place};
use crate::trouble::{OrTrouble, Trouble};
use crate::wiring::{ActionUrl, Wiring};

/// How long a token for the bootstrapper is good: a phone keeps it.
const BOOTSTRAPPER_LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What the sessions of this command are called.
const SESSION_LABEL: &str = "lectern token";

/// Flags of `lectern token`.
#[derive(Args, Debug)]
pub struct Token {
    /// The file, as it is called in the folder of documents
    #[arg(value_name = "FILE", required_unless_present = "bootstrapper")]
    pub file: Option<PathBuf>,
    /// A bearer token for the bootstrapper instead, with which Office on phones, or a tool, gets tokens for everything
    #[arg(long, conflicts_with_all = ["file", "page"])]
    pub bootstrapper: bool,
    /// Whose token: an administrator, if nobody is named
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// A token that may only read
    #[arg(long, conflicts_with = "edit")]
    pub view: bool,
    /// A token that may also write, if the user may (the default)
    #[arg(long)]
    pub edit: bool,
    /// The client it is for, whose proofs will be asked for; `none`: a tool on this machine, which shows no proofs
    /// [default: the client that is offered first for the file, none if no client is known]
    #[arg(long, value_name = "NAME")]
    pub client: Option<String>,
    /// Where the server is reached, if not where the running one says
    #[arg(long, value_name = "URL")]
    pub public_url: Option<PublicUrl>,
    /// Write a page that opens the file in the client when a browser shows it. It holds the token: keep it to yourself
    #[arg(long, value_name = "FILE.html")]
    pub page: Option<PathBuf>,
    /// Print JSON: wopi_src, access_token, access_token_ttl, client, action_urls, access_tokens, curl
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub(crate) folder: FolderFlag,
}

impl Token {
    pub(super) async fn run<W: Wiring>(self, wiring: &W, out: Out<'_>) -> Result<(), Trouble> {
        let place = self.folder.place()?;
        place.must_be_there()?;
        let path = self.file.as_deref().map(|file| path_in(&place, file)).transpose()?;
        let mut known = Known::of(&place)?;
        if let Some(public_url) = self.public_url {
            known.public_url = public_url;
        }
        let named = self.client.as_deref().map(|name| client(name, &known)).transpose()?;
        if !known.running && place.keeps_state {
            eprintln!("note: no `lectern serve` is running on these documents; the token will be good when one is");
        }

        let parts = wiring.open(&known.premises(place.clone())).await?;
        let (registry, now) = (&*parts.registry, parts.clock.now());
        people::settle(registry, &place.settings.users, &*parts.clock, &*parts.random).await?;
        let user = match &self.user {
            Some(name) => people::named(registry, name).await?,
            None => people::anybody(registry).await?,
        };
        if user.disabled {
            return Err(Trouble::new(format!("cannot make a token for `{}`", user.name))
                .because("the user is shut out")
                .hint(format!("`lectern user enable {}` lets them in again", user.name)));
        }
        let may_edit = !self.view && user.role.edits_everything();
        if self.edit && !may_edit {
            eprintln!("note: {} is a {}, so the token may only read", plain(&user.name), user.role.as_str());
        }

        let session = Session {
            id: ids::new_session_id(&*parts.random),
            user: user.id.clone(),
            label: SESSION_LABEL.to_owned(),
            created_at: now,
            expires_at: now.plus(if path.is_some() { TOKEN_LIFETIME } else { BOOTSTRAPPER_LIFETIME }),
            revoked_at: None,
            guest: None,
        };
        let Some(path) = path else {
            registry.create_session(&session).await.or_trouble(|| "cannot open a session".to_owned())?;
            let claims = TokenClaims {
                session: session.id,
                user: user.id,
                may_edit,
                // Requests to the bootstrapper are not signed; the tokens it hands out are for whom this one is for.
                client: named.flatten(),
                expires_at: session.expires_at,
            };
            let token = parts.tokens.seal(&claims, &TokenResource::Bootstrapper);
            return bootstrapper(&known, &user.name, &token, claims.expires_at, self.json, out);
        };
        let file = parts.documents.file_at(&path).await?;
        registry.create_session(&session).await.or_trouble(|| "cannot open a session".to_owned())?;
        let wopi_src = known.public_url.join(&format!("/wopi/files/{}", file.id));
        let actions = parts.documents.actions(&file, &wopi_src).await?;
        // Without a word about the client: the one that is offered first.
        let client = named.unwrap_or_else(|| {
            let offered = actions.first().map(|action| action.client.clone());
            offered.or_else(|| known.clients.first().map(|client| client.name.as_str().to_owned()))
        });
        let seal = |client: Option<&str>| {
            let claims = TokenClaims {
                session: session.id.clone(),
                user: user.id.clone(),
                may_edit,
                client: client.map(str::to_owned),
                expires_at: session.expires_at,
            };
            parts.tokens.seal(&claims, &TokenResource::File(file.id.clone()))
        };
        let token = seal(client.as_deref());
        // A curl cannot sign, so it gets a token of its own.
        let curl =
            format!("curl '{wopi_src}?access_token={}'", if client.is_none() { token.clone() } else { seal(None) });

        if let Some(page) = &self.page {
            let wanted = if may_edit { Wanted::Edit } else { Wanted::View };
            let offered = actions.iter().map(|action| (action.client.as_str(), action.action.as_str()));
            // A page for no client at all opens nothing.
            let whose = Some(client.as_deref().unwrap_or_default());
            let action = choose(&offered, whose, wanted, file.content.size == 0).and_then(|at| actions.get(at));
            let action = action.ok_or_else(|| {
                Trouble::new("there is nothing to open the file with")
                    .because("no client offers an action for it, or its discovery document was not fetched yet")
                    .hint("`lectern check` tells which clients there are and what is the matter with them")
            })?;
            page::write(
                page,
                &Opening {
                    title: file.name.as_str(),
                    action_url: &action.url,
                    access_token: &token,
                    access_token_ttl: session.expires_at.0,
                },
            )?;
        }

        if self.json {
            let mut urls = serde_json::Map::new();
            for ActionUrl { client, action, url } in &actions {
                urls.entry(client).or_insert_with(|| json!({}))[action] = json!(url);
            }
            let tokens: serde_json::Map<_, _> = known
                .clients
                .iter()
                .map(|client| (client.name.as_str().to_owned(), json!(seal(Some(client.name.as_str())))))
                .collect();
            return print_json(
                out,
                &json!({
                    "wopi_src": wopi_src,
                    "access_token": token,
                    "access_token_ttl": session.expires_at.0,
                    "client": client,
                    "action_urls": urls,
                    "access_tokens": tokens,
                    "curl": curl,
                }),
            );
        }
        let may = if may_edit { "edit" } else { "view" };
        let mut text = format!(
            "{}, for {}, to {may}, until {}\n\n",
            plain(path.as_str()),
            plain(&user.name),
            time(session.expires_at)
        );
        text += &table(&[
            vec!["WOPISrc".to_owned(), wopi_src.clone()],
            vec!["access_token".to_owned(), token.clone()],
            vec!["access_token_ttl".to_owned(), session.expires_at.0.to_string()],
        ]);
        if let Some(client) = &client {
            text += &format!("\nThe token is for {}: requests need its proof if it signs.\n", plain(client));
        }
        text += &format!("\nTry it (this one needs no proof):\n  {curl}\n");
        text += &match &self.page {
            Some(page) => format!("\nOpen {} in a browser.\n", page.display()),
            None => opening(&actions, &known),
        };
        print(out, &text)
    }
}

/// What is printed of a token for the bootstrapper.
fn bootstrapper(
    known: &Known,
    user: &str,
    token: &str,
    expires_at: Timestamp,
    json: bool,
    out: Out<'_>,
) -> Result<(), Trouble> {
    let url = known.public_url.join("/wopibootstrapper");
    let curl = format!("curl -H 'Authorization: Bearer {token}' '{url}'");
    if json {
        return print_json(
            out,
            &json!({ "bootstrapper": url, "bearer_token": token, "expires_at": expires_at.0, "curl": curl }),
        );
    }
    let rows = [vec!["bootstrapper".to_owned(), url], vec!["bearer token".to_owned(), token.to_owned()]];
    let text = format!(
        "the bootstrapper, for {}, until {}\n\n{}\nTry it:\n  {curl}\n",
        plain(user),
        time(expires_at),
        table(&rows)
    );
    print(out, &text)
}

/// How the clients open the file.
fn opening(actions: &[ActionUrl], known: &Known) -> String {
    if known.clients.is_empty() {
        return "\nNo client is known. `lectern serve --client URL` adds an office server.\n".to_owned();
    }
    if actions.is_empty() {
        return "\nNo client opens such a file, or none was reached yet: `lectern check` tells which.\n".to_owned();
    }
    let rows: Vec<_> = actions
        .iter()
        .map(|action| vec![format!("  {}", plain(&action.client)), plain(&action.action), plain(&action.url)])
        .collect();
    format!(
        "\n`--page FILE.html` writes a page that opens it. Clients offer (`--client NAME` makes a token for another one):\n{}",
        table(&rows)
    )
}

/// The client of this name; `None` for a tool of the operator's.
fn client(name: &str, known: &Known) -> Result<Option<String>, Trouble> {
    if name == ClientName::NONE {
        return Ok(None);
    }
    if known.clients.iter().any(|client| client.name.as_str() == name) {
        return Ok(Some(name.to_owned()));
    }
    let trouble = Trouble::new(format!("there is no client `{name}`"));
    let names: Vec<_> = known.clients.iter().map(|client| client.name.as_str()).collect();
    Err(match names.as_slice() {
        [] => {
            trouble.hint("no client is known: start `lectern serve --client URL`, or add a [[client]] to the settings")
        }
        names => trouble.hint(format!("known are: {}", names.join(", "))),
    })
}

/// The path of a file in the folder of documents: as it is called there, or as it is found from here.
pub(super) fn path_in(place: &Place, file: &Path) -> Result<TreePath, Trouble> {
    let below = if !place.has_folder() {
        // A path in an object store is what the records say.
        file.is_relative().then(|| file.to_owned())
    } else if file.is_absolute() {
        below(place, file)
    } else if place.folder.join(file).exists() {
        Some(file.to_owned())
    } else {
        below(place, file)
    };
    let not_there = || {
        Trouble::new(format!("there is no file `{}` in `{}`", file.display(), place.documents_shown()))
            .hint("name it as it is called in the folder, with the folders it is in: `letters/2026.odt`")
    };
    let mut path = TreePath::root();
    for component in below.ok_or_else(not_there)?.components() {
        let name = match component {
            Component::CurDir => continue,
            Component::Normal(name) => name.to_str().and_then(|name| FileName::parse(name).ok()),
            _ => None,
        };
        path = path.join(&name.ok_or_else(not_there)?);
    }
    if place.folder.join(path.as_str()).is_dir() {
        return Err(Trouble::new(format!("`{}` is a folder", file.display())).hint("name a file in it"));
    }
    Ok(path)
}

/// The part of a path below the folder of documents, if it is there and lies in it.
fn below(place: &Place, file: &Path) -> Option<PathBuf> {
    let (folder, file) = (place.folder.canonicalize().ok()?, file.canonicalize().ok()?);
    file.strip_prefix(folder).ok().map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use lectern_accounts::TokenKeys;
    use lectern_host::ports::Tokens;
    use lectern_host::records::{Role, Timestamp};
    use lectern_host::wopi::FileId;

    use super::super::testing::{InMemory, served_folder, text};
    use super::*;
    use crate::place::Whereabouts;
    use crate::serve_lock::ServeLock;
    use crate::serving::Serving;
    use crate::system::SystemRandom;

    /// What a token says, and whether its session is there.
    async fn claims(program: &InMemory, folder: &Path, printed: &serde_json::Value) -> TokenClaims {
        let keys = folder.join(".lectern/token-keys.json");
        let keys = TokenKeys::load_or_create(&keys, Timestamp(0), &SystemRandom).unwrap();
        let id = printed["wopi_src"].as_str().unwrap().rsplit('/').next().unwrap();
        let file = TokenResource::File(FileId::parse(id).unwrap());
        let claims = keys.open(printed["access_token"].as_str().unwrap(), &file, Timestamp(0)).unwrap();
        assert_eq!(printed["access_token_ttl"].as_i64(), Some(claims.expires_at.0));
        let session = program.registry.session(&claims.session).await.unwrap();
        assert_eq!((session.user, session.label.as_str()), (claims.user.clone(), "lectern token"));
        claims
    }

    #[tokio::test]
    async fn a_token_is_for_the_first_administrator_and_a_tool_if_nothing_is_said() {
        let (program, folder) = (InMemory::default(), served_folder());
        let printed = program.json(&["token", "report.docx", "--json", "--folder", text(folder.path())]).await;
        assert!(printed["wopi_src"].as_str().unwrap().starts_with("http://127.0.0.1:8080/wopi/files/"), "{printed}");
        assert_eq!(printed["action_urls"], json!({}));
        let claims = claims(&program, folder.path(), &printed).await;
        assert!(claims.may_edit);
        assert_eq!(claims.client, None);
        let user = program.registry.user(&claims.user).await.unwrap();
        assert_eq!((user.name.as_str(), user.role), ("admin", Role::Administrator));

        let again = program.run(&["token", "report.docx", "--folder", text(folder.path())]).await.unwrap();
        let src = printed["wopi_src"].as_str().unwrap();
        assert!(again.contains(&format!("curl '{src}?access_token=v4.local.")), "{again}");
        assert!(again.starts_with("report.docx, for admin, to edit, until "), "{again}");
    }

    #[tokio::test]
    async fn beside_a_running_server_the_token_has_its_urls_and_clients() {
        let (program, folder) = (InMemory::default(), served_folder());
        let state = folder.path().join(".lectern");
        let serving = Serving {
            public_url: "https://documents.example.org/x".parse().unwrap(),
            listen: "127.0.0.1:9999".to_owned(),
            process_id: 1,
            since_ms: 0,
            clients: vec!["office=https://office.example.org".parse().unwrap()],
            run: String::new(),
        };
        serving.write(&state).unwrap();
        let _lock = ServeLock::take(&state).unwrap();
        let run = ["token", "report.docx", "--json", "--client", "office", "--view", "--folder", text(folder.path())];
        let printed = program.json(&run).await;
        let src = printed["wopi_src"].as_str().unwrap();
        assert!(src.starts_with("https://documents.example.org/x/wopi/files/"), "{src}");
        assert_eq!(
            printed["action_urls"]["office"]["edit"],
            json!(format!("https://office.example.org/edit.docx?WOPISrc={src}"))
        );
        let claims = claims(&program, folder.path(), &printed).await;
        assert_eq!((claims.client.as_deref(), claims.may_edit), (Some("office"), false));

        let moved = ["token", "report.docx", "--json", "--client", "none", "--public-url", "http://h", "--folder"];
        let moved = program.json(&[&moved[..], &[text(folder.path())]].concat()).await;
        assert!(moved["wopi_src"].as_str().unwrap().starts_with("http://h/wopi/files/"));

        let unknown = ["token", "report.docx", "--client", "offce", "--folder", text(folder.path())];
        let told = program.run(&unknown).await.unwrap_err().to_string();
        assert!(told.contains("no client `offce`") && told.contains("known are: office"), "{told}");
    }

    #[tokio::test]
    async fn a_viewer_and_one_who_is_shut_out() {
        let (program, folder) = (InMemory::default(), served_folder());
        let at = ["--folder", text(folder.path())];
        let run = async |words: &[&str]| program.run(&[words, &at].concat()).await;
        run(&["user", "add", "Vera", "--role", "viewer"]).await.unwrap();
        let printed =
            program.json(&[&["token", "report.docx", "--user", "vera", "--edit", "--json"][..], &at].concat()).await;
        assert!(!claims(&program, folder.path(), &printed).await.may_edit);
        run(&["user", "disable", "vera"]).await.unwrap();
        let told = run(&["token", "report.docx", "--user", "vera"]).await.unwrap_err().to_string();
        assert!(told.contains("shut out") && told.contains("user enable Vera"), "{told}");
        let told = run(&["token", "report.docx", "--user", "nobody"]).await.unwrap_err().to_string();
        assert!(told.contains("no user `nobody`"), "{told}");
    }

    #[test]
    fn a_file_is_named_as_in_the_folder_or_as_it_is_found_from_here() {
        let folder = served_folder();
        std::fs::write(folder.path().join("letters/a b.odt"), "").unwrap();
        std::os::unix::fs::symlink("/etc/hostname", folder.path().join("away.txt")).unwrap();
        let place = Place::find(Some(folder.path().to_owned()), &Whereabouts::default()).unwrap();
        let path = |file: &str| path_in(&place, Path::new(file)).map(|path| path.as_str().to_owned());
        for (file, found) in [
            ("report.docx", "report.docx"),
            ("./report.docx", "report.docx"),
            ("letters/a b.odt", "letters/a b.odt"),
            (text(&folder.path().join("letters/a b.odt")), "letters/a b.odt"),
        ] {
            assert_eq!(path(file).unwrap(), found);
        }
        for bad in ["missing.docx", "../etc/passwd", "letters/../report.docx", "/etc/hostname", "", "letters", "."] {
            let told = path(bad).unwrap_err().to_string();
            assert!(told.contains("hint: "), "{bad}: {told}");
        }
    }
}
