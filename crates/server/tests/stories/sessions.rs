//! Whole sessions, as each client was seen to hold them (protocol/clients.md 3 to 5, 11 and 12).

use std::time::Duration;

use http::Method;

use crate::doors::{Container, Door, File};
use crate::doubles::{discovery, key};
use crate::world::{SIGNING_CLIENT, World};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn two_people_in_collabora() {
    let world = World::with_file("report.odt", b"first").await;
    let (alice, bob) = (world.alice().await, world.bob().await);
    let hers = alice.opens("report.odt").await.through(Door::token_in_both);
    let mut time = hers.time().await;
    assert_eq!(hers.bytes().await, b"first");
    hers.lock("cool-lock1a2b3c4d").await.ok();
    // Bob joins: a CheckFileInfo of his own, and the time has to be the one that is known.
    let his = bob.opens("report.odt").await.through(Door::token_in_both);
    assert_eq!((his.time().await, his.address()), (time.clone(), hers.address()));
    for (number, file) in [&hers, &his, &his, &hers].into_iter().enumerate() {
        world.passes(5 * MINUTE);
        let save = file.put_file(format!("autosave {number}").as_bytes()).under("cool-lock1a2b3c4d");
        let save = save.with("X-COOL-WOPI-Timestamp", &time).with("X-COOL-WOPI-IsAutosave", "true");
        time = save.await.ok().text("/LastModifiedTime");
        world.passes(10 * MINUTE);
        // Collabora refreshes only in this way.
        file.lock("cool-lock1a2b3c4d").await.ok();
    }
    // Bob gives it another name, and Collabora sends the whole document along.
    let renamed = his.rename("minutes").under("cool-lock1a2b3c4d").body(b"the whole document").await.ok();
    let his = File::new(Door::at(&world, &renamed.text("/Url")));
    assert_eq!((his.address(), his.time().await), (hers.address(), time.clone()));
    // The last one closes an untouched document.
    let save = hers.put_file(b"autosave 3").under("cool-lock1a2b3c4d").with("X-COOL-WOPI-Timestamp", &time);
    let save = save.with("X-COOL-WOPI-IsModifiedByUser", "false").with("X-COOL-WOPI-IsExitSave", "true");
    assert_eq!(save.await.ok().text("/LastModifiedTime"), time);
    hers.unlock("cool-lock1a2b3c4d").await.ok();
    assert_eq!(world.neighbour().lists(""), ["minutes.odt"]);
    assert_eq!(world.history(&hers.file_id()).await.len(), 4);
}

/// It never looks at why a lock was refused, and never sends a refused save again.
#[tokio::test]
async fn a_new_document_in_onlyoffice_and_a_save_that_comes_too_late() {
    let world = World::with_file("new.docx", b"").await;
    let alice = world.alice().await;
    let file = alice.opens("new.docx").await;
    assert_eq!(file.info().await["Size"], 0);
    let mut time = file.put_file(b"a blank template").await.ok().text("/LastModifiedTime");
    let lock = file.id().to_owned();
    file.lock(&lock).await.ok();
    assert_eq!(file.bytes().await, b"a blank template");
    for _ in 0..3 {
        world.passes(10 * MINUTE);
        file.refresh_lock(&lock).await.ok();
    }
    // A connection is lost, and comes back: the same lock again.
    file.lock(&lock).await.ok();
    let save = file.put_file(b"all that was typed").under(&lock).with("X-WOPI-Editors", alice.user.id.as_str());
    time = save.with("X-LOOL-WOPI-Timestamp", &time).await.ok().text("/LastModifiedTime");
    assert_eq!(file.time().await, time);
    // The machine sleeps; somebody else works on the file meanwhile.
    world.passes(40 * MINUTE);
    let his = world.bob().await.opens("new.docx").await;
    his.saves(b"of bob").await;
    let late = file.put_file(b"typed before the machine slept").under(&lock).with("X-LOOL-WOPI-Timestamp", &time);
    late.await.refused_with("");
    assert_eq!(world.rescued().await[0].1, b"typed before the machine slept");
    assert_eq!(file.bytes().await, b"of bob");
}

#[tokio::test]
async fn word_on_an_office_online_server() {
    let world = World::planned(|plan| plan.add_signing_client(Some(discovery(Some(key(0)), None)))).await;
    world.neighbour().writes("report.docx", b"first");
    let open = async |person: &crate::people::Person| {
        let file = person.opens_in(Some(SIGNING_CLIENT), "report.docx").await;
        file.through(|door| door.signed_with(key(0), key(0)).token_in_both())
    };
    let (alice, bob) = (world.alice().await, world.bob().await);
    let (hers, his) = (open(&alice).await, open(&bob).await);
    let (short, long) = (r#"{"S":"5b2c","F":4}"#, r#"{"S":"5b2c","F":6,"E":2,"M":"OOS1","P":"W"}"#);
    hers.check_file_info().with("X-WOPI-SessionContext", "from=mail").await.ok();
    hers.lock(short).await.ok();
    hers.get_file().with("X-WOPI-MaxExpectedSize", "104857600").await.ok();
    hers.unlock_and_relock(short, long).await.ok();
    his.check_file_info().await.ok();
    for minutes in 0..20 {
        world.passes(MINUTE / 2);
        let editors = format!("{},{}", alice.user.id, bob.user.id);
        // Whoever typed last saves for both.
        let file = if minutes % 2 == 0 { &hers } else { &his };
        let save = file.put_file(format!("after {minutes} half minutes").as_bytes()).under(long);
        let saved = save.with("X-WOPI-Editors", editors).await.ok();
        assert_eq!(saved.version(), file.version().await);
    }
    // A probe that asks who holds it, by an id that nobody has.
    his.refresh_lock("{probe}").await.refused_with(long);
    his.refresh_lock(long).await.ok();
    world.passes(25 * MINUTE);
    his.unlock(short).await.ok();
    assert_eq!(world.neighbour().sees("report.docx"), b"after 19 half minutes");
    assert_eq!(world.history(&hers.file_id()).await.len(), 20);
}

#[tokio::test]
async fn a_document_that_is_made_on_a_phone() {
    let world = World::new().await;
    world.neighbour().makes_folder("letters");
    let alice = world.alice().await;
    let bootstrapper = alice.bootstrapper();
    Door::new(&world, &bootstrapper.address(), "").without_token().get("").await.answered(401);
    bootstrapper.get("").await.ok();
    let question = bootstrapper.question(Method::POST, "").with("X-WOPI-EcosystemOperation", "GET_ROOT_CONTAINER");
    let root = question.await.ok().text("/RootContainerInfo/ContainerPointer/Url");
    let root = Container::new(Door::at(&world, &root));
    let letters = root.enters("letters").await;
    letters.check_container_info().await.ok();
    let made = letters.create_file_near("letter.docx").await.ok();
    let file = File::new(Door::at(&world, &made.text("/Url")));
    file.check_file_info().await.ok();
    file.get_lock().await.holds("");
    file.lock("phone").await.ok();
    file.put_file(b"dear bob").under("phone").await.ok();
    file.unlock("phone").await.ok();
    // Hours later the token has run out; the one of the bootstrapper is of a new sign-in.
    world.passes(alice.token_lifetime());
    file.check_file_info().await.answered(401);
    let again = world.person_again("alice").await.bootstrapper();
    let question = again.question(Method::POST, "").with("X-WOPI-EcosystemOperation", "GET_NEW_ACCESS_TOKEN");
    let told = question.with("X-WOPI-WopiSrc", file.address()).await.ok();
    let file = File::new(file.with_token(&told.text("/AccessTokenInfo/AccessToken")));
    assert_eq!(file.bytes().await, b"dear bob");
    let above = file.ancestors().await.ok();
    assert_eq!(crate::doors::names(&above.json()["AncestorsWithRootFirst"]), ["documents", "letters"]);
}

#[tokio::test]
async fn an_old_document_is_converted() {
    let world = World::with_file("report.doc", b"old format").await;
    let file = world.alice().await.opens("report.doc").await;
    file.check_file_info().await.ok();
    file.get_file().await.ok();
    let converted = file.put_near(".docx", b"new format").with("X-WOPI-FileConversion", "true");
    let converted = converted.with("X-WOPI-Size", "10").await.ok();
    let page = converted.text("/HostEditUrl");
    let new = File::new(Door::at(&world, &converted.text("/Url")));
    assert!(page.contains(new.id()), "{page}");
    new.lock("A").await.ok();
    new.put_file(b"new format, edited").under("A").await.ok();
    assert_eq!(world.neighbour().lists(""), ["report.doc", "report.docx"]);
}
