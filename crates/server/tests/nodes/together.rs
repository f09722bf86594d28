//! What is begun at one node and goes on at another: people who sign in, tries of passwords, files that are read at the
//! store; and nodes that are replaced one after the other. That documents can be edited at any node is what the official cases show over three of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::campaign;
use super::client::path_of;
use super::common::http::{Connection, Request, once};
use super::common::wopi_client::File;
use super::common::{self, Answer, Token};
use super::world::{NODES, Wanted, World};

/// Tries of a password that are surely too many for one name, at one node or at all of them together, and too few for
/// each of them alone.
const TRIES: usize = 12;

async fn ask(world: &World, node: usize, request: &Request) -> Answer {
    once(world.nodes[node].address, request).await.unwrap()
}

/// What the store at this URL answers for a path.
async fn at_store(url: &str, path: &str) -> Answer {
    let host = url["http://".len()..].split('/').next().unwrap();
    let store: SocketAddr = host.parse().unwrap();
    once(store, &Request::get(path).host(host)).await.unwrap()
}

/// So many new files, which hold `first`.
fn files(world: &World, count: usize) -> Vec<File> {
    let names: Vec<String> = (0..count).map(|number| format!("Plan {number}.txt")).collect();
    let folder = tempfile::tempdir().unwrap();
    for name in &names {
        std::fs::write(folder.path().join(name), "first").unwrap();
    }
    world.operator(&["import", folder.path().to_str().unwrap()]);
    let file = |name: &String| {
        let printed = world.operator_json(&["token", name, "--client", "none", "--json"]);
        File::of(&Token {
            wopi_src: printed["wopi_src"].as_str().unwrap().to_owned(),
            access_token: printed["access_token"].as_str().unwrap().to_owned(),
            expires_at_ms: printed["access_token_ttl"].as_u64().unwrap(),
        })
    };
    names.iter().map(file).collect()
}

/// A form as a browser sends it from a page of ours.
fn form(target: &str, fields: &str) -> Request {
    let post = Request::post(target).header("Sec-Fetch-Site", "same-origin");
    post.header("Content-Type", "application/x-www-form-urlencoded").body(fields)
}

#[test]
fn who_signs_in_at_one_node_is_signed_in_at_all_until_signing_out_at_another() {
    common::run(120, async {
        let Some(world) = World::start(&campaign::program(), &Wanted::default()).await else { return };
        world.operator(&["user", "add", "ada", "--role", "editor"]);
        let password = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(password.path(), "a long enough password\n").unwrap();
        world.operator(&["user", "password", "ada", "--password-file", password.path().to_str().unwrap()]);

        let answer = ask(&world, 0, &form("/sign-in", "name=ada&password=a+long+enough+password")).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        let cookie = answer.header("Set-Cookie").unwrap().split(';').next().unwrap().to_owned();
        let home = || Request::get("/account").header("Cookie", &cookie);
        for node in 0..NODES {
            let answer = ask(&world, node, &home()).await;
            assert_eq!(answer.status, 200, "node {node}: {answer:?}");
            assert!(String::from_utf8_lossy(&answer.body).contains("ada"), "node {node}");
        }
        let answer = ask(&world, 2, &form("/sign-out", "").header("Cookie", &cookie)).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        for node in 0..NODES {
            let answer = ask(&world, node, &home()).await;
            assert_eq!(answer.status, 303, "node {node}: {answer:?}");
        }

        // Whoever guesses is not let guess as often again at each of the nodes.
        let mut too_many = 0;
        for at in 0..TRIES {
            let answer = ask(&world, at % NODES, &form("/sign-in", "name=ada&password=wrong+password")).await;
            assert!([401, 429].contains(&answer.status), "{answer:?}");
            too_many += usize::from(answer.status == 429);
        }
        assert!(too_many > 0, "{TRIES} tries and none is one too many");
    });
}

#[test]
fn a_file_url_leads_to_the_store_at_every_node_and_to_what_was_saved_last() {
    common::run(120, async {
        let more = "[wopi]\nfile_url = true\ndirect_reads = true\n";
        let wanted = Wanted { more, ..Wanted::default() };
        let Some(world) = World::start(&campaign::program(), &wanted).await else { return };
        let file = files(&world, 1).swap_remove(0);
        let info = ask(&world, 0, &file.check_file_info()).await.json();
        let file_url = path_of(info["FileUrl"].as_str().unwrap());
        let read = async |node: usize| {
            let answer = ask(&world, node, &Request::get(&file_url)).await;
            assert_eq!(answer.status, 302, "{answer:?}");
            assert_eq!(answer.header("Cache-Control"), Some("no-store"));
            let location = answer.header("Location").unwrap().to_owned();
            let answer = at_store(&location, &path_of(&location)).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            (String::from_utf8(answer.body).unwrap(), location)
        };
        let (bytes, old) = read(1).await;
        assert_eq!(bytes, "first");

        let saved = ask(&world, 2, &file.operation("LOCK").header("X-WOPI-Lock", "a")).await;
        assert_eq!(saved.status, 200, "{saved:?}");
        let saved = ask(&world, 1, &file.put_file().header("X-WOPI-Lock", "a").body("second")).await;
        assert_eq!(saved.status, 200, "{saved:?}");
        for node in 0..NODES {
            assert_eq!(read(node).await.0, "second", "node {node}");
        }

        // What the store signed is good for that content, and for a minute.
        assert!(old.contains("X-Amz-Expires=60"), "{old}");
        let (path, query) = (path_of(&old), old.split_once('?').unwrap().1);
        let path = path.split_once('?').unwrap().0;
        let other = read(0).await.1;
        let other = path_of(other.split_once('?').unwrap().0);
        for changed in [path.to_owned(), format!("{other}?{query}")] {
            let answer = at_store(&old, &changed).await;
            assert_eq!(answer.status, 403, "{changed}: {answer:?}");
        }
    });
}

/// How often the load balancer asks who is ready.
const ASKED_EVERY: Duration = Duration::from_millis(50);

/// Saves at least, after each node that was replaced, until the next one is.
const SAVES_BETWEEN: usize = 30;

/// The connections that are kept to each node, and since when it was ready.
type Kept = [Option<(usize, Connection)>; NODES];

/// A load balancer as simple as they come: it asks everybody all the time who is ready, passes a request on to one of
/// those, tries another one if nobody opens, and nothing else if something goes wrong after that.
struct Balancer {
    world: World,
    /// How often each node was ready anew; 0 while it is not.
    ready: [AtomicUsize; NODES],
    next: AtomicUsize,
    saves: AtomicUsize,
    is_over: AtomicBool,
}

impl Balancer {
    async fn look(&self) {
        let mut times = 1;
        while !self.is_over.load(Ordering::Relaxed) {
            for (node, ready) in self.world.nodes.iter().zip(&self.ready) {
                let answer = once(node.address, &Request::get("/health/ready")).await;
                let is_ready = answer.is_ok_and(|answer| answer.status == 200);
                if is_ready != (ready.load(Ordering::Relaxed) > 0) {
                    times += 1;
                    ready.store(if is_ready { times } else { 0 }, Ordering::Relaxed);
                }
            }
            tokio::time::sleep(ASKED_EVERY).await;
        }
    }

    /// Passes a request on, over connections that are kept until their node goes.
    async fn pass(&self, kept: &mut Kept, request: &Request) -> Result<Answer, String> {
        for _ in 0..100 {
            let node = self.next.fetch_add(1, Ordering::Relaxed) % NODES;
            let since = self.ready[node].load(Ordering::Relaxed);
            if since == 0 {
                continue;
            }
            let mut connection = match kept[node].take() {
                Some((known, connection)) if known == since => connection,
                _ => match self.world.nodes[node].connect().await {
                    Ok(connection) => connection,
                    Err(_) => continue,
                },
            };
            let answer = connection.send(request).await.map_err(|error| format!("node {node}: {error}"))?;
            if answer.header("Connection").is_none() {
                kept[node] = Some((since, connection));
            }
            return Ok(answer);
        }
        Err("no node is ready".to_owned())
    }

    /// Saves a file all the time. What it holds in the end.
    async fn work(&self, file: File, number: usize) -> Result<String, String> {
        let mut kept = [const { None }; NODES];
        let lock = format!("lock {number}");
        let expect = |answer: Answer| if answer.status == 200 { Ok(()) } else { Err(format!("{answer:?}")) };
        expect(self.pass(&mut kept, &file.operation("LOCK").header("X-WOPI-Lock", &lock)).await?)?;
        let mut text = String::new();
        while !self.is_over.load(Ordering::Relaxed) {
            text = format!("save {} of {number}", self.saves.fetch_add(1, Ordering::Relaxed));
            expect(self.pass(&mut kept, &file.put_file().header("X-WOPI-Lock", &lock).body(&*text)).await?)?;
        }
        let answer = self.pass(&mut kept, &file.get_file()).await?;
        let there = String::from_utf8_lossy(&answer.body);
        if there == text { Ok(text) } else { Err(format!("{there:?} instead of {text:?}")) }
    }
}

#[test]
fn nodes_are_replaced_one_after_the_other_without_a_save_that_fails() {
    common::run(240, async {
        let wanted = Wanted { server: "shutdown_notice = \"2s\"\n", sweep: "1h", ..Wanted::default() };
        let Some(world) = World::start(&campaign::program(), &wanted).await else { return };
        let files = files(&world, 6);
        let balancer = Arc::new(Balancer {
            world,
            ready: [const { AtomicUsize::new(1) }; NODES],
            next: AtomicUsize::new(0),
            saves: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
        });
        let looking = Arc::clone(&balancer);
        let looking = tokio::spawn(async move { looking.look().await });
        let mut working = tokio::task::JoinSet::new();
        for (number, file) in files.into_iter().enumerate() {
            let balancer = Arc::clone(&balancer);
            working.spawn(async move { balancer.work(file, number).await });
        }
        for node in 0..NODES {
            let before = balancer.saves.load(Ordering::Relaxed);
            while balancer.saves.load(Ordering::Relaxed) < before + SAVES_BETWEEN {
                if let Some(ended) = working.try_join_next() {
                    panic!("before node {node} is replaced: {:?}", ended.unwrap());
                }
                tokio::time::sleep(ASKED_EVERY).await;
            }
            balancer.world.nodes[node].stop().await.unwrap();
            balancer.world.nodes[node].start().await;
            balancer.world.all_are_ready().await.unwrap();
        }
        balancer.is_over.store(true, Ordering::Relaxed);
        looking.await.unwrap();
        while let Some(ended) = working.join_next().await {
            let saves = balancer.saves.load(Ordering::Relaxed);
            assert!(saves >= NODES * SAVES_BETWEEN);
            ended.unwrap().unwrap_or_else(|why| panic!("after {saves} saves: {why}"));
        }
    });
}
