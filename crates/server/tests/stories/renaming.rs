//! RenameFile.

use crate::doors::{Door, File, slow_body};
use crate::world::World;

#[tokio::test]
async fn a_file_gets_the_name_and_keeps_its_extension_its_id_and_its_bytes() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    let (id, version) = (file.id().to_owned(), file.version().await);
    let renamed = file.rename("minutes").await.ok();
    assert_eq!(renamed.text("/Name"), "minutes", "without extension");
    assert_eq!((file.name().await, file.id()), ("minutes.docx".into(), id.as_str()));
    assert_eq!((file.bytes().await, file.version().await), (b"first".to_vec(), version));
    assert_eq!(world.neighbour().lists(""), ["minutes.docx"]);
}

/// Collabora reloads every session from `Url` (protocol/clients.md 4.5).
#[tokio::test]
async fn the_url_of_the_answer_is_the_same_wopi_src_with_a_token_that_works() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    let again = File::new(Door::at(&world, &file.rename("minutes").await.ok().text("/Url")));
    assert_eq!(again.address(), file.address());
    assert_eq!(again.name().await, "minutes.docx");
    again.saves(b"second").await;
    assert_eq!(world.neighbour().sees("minutes.docx"), b"second");
}

#[tokio::test]
async fn a_name_that_is_taken_gets_a_number() {
    let world = World::with_file("report.docx", b"first").await;
    world.neighbour().writes("minutes.docx", b"taken");
    let file = world.alice().await.opens("report.docx").await;
    assert_eq!(file.rename("minutes").await.ok().text("/Name"), "minutes (2)");
    // This one came a moment ago, and nobody told us.
    world.neighbour().writes("notes.docx", b"taken, too");
    assert_eq!(file.rename("notes").await.ok().text("/Name"), "notes (2)");
    assert_eq!(world.neighbour().lists(""), ["minutes.docx", "notes (2).docx", "notes.docx"]);
    assert_eq!(world.neighbour().sees("notes.docx"), b"taken, too");
}

#[tokio::test]
async fn the_name_it_has_already_is_no_conflict() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    assert_eq!(file.rename("report").await.ok().text("/Name"), "report");
    assert_eq!(file.rename("Report").await.ok().text("/Name"), "Report");
    assert_eq!(world.neighbour().lists(""), ["Report.docx"]);
}

/// The open specification calls the name a full file name; nobody shall get `report.docx.docx`.
#[tokio::test]
async fn an_extension_that_came_along_is_not_doubled() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    assert_eq!(file.rename("minutes.docx").await.ok().text("/Name"), "minutes");
    assert_eq!(file.rename("notes.DOCX").await.ok().text("/Name"), "notes");
    assert_eq!(file.rename("notes v1.2").await.ok().text("/Name"), "notes v1.2");
    assert_eq!(world.neighbour().lists(""), ["notes v1.2.docx"]);
}

#[tokio::test]
async fn a_file_that_is_held_is_renamed_only_under_its_lock() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    file.lock("A").await.ok();
    file.rename("minutes").await.refused_with("A");
    file.rename("minutes").under("B").await.refused_with("A");
    assert_eq!(world.neighbour().lists(""), ["report.docx"]);
    file.rename("minutes").under("A").await.ok();
    file.get_lock().await.holds("A");
    file.put_file(b"second").under("A").await.ok();
    assert_eq!(world.neighbour().sees("minutes.docx"), b"second");
}

#[tokio::test]
async fn a_free_file_is_renamed_whatever_lock_is_named() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    file.rename("minutes").under("A").await.ok();
    file.get_lock().await.holds("");
}

/// Collabora sends the whole document with a rename (protocol/clients.md 4.5): it is no save.
#[tokio::test]
async fn a_body_that_comes_along_is_read_and_forgotten() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    file.rename("minutes").body(&vec![b'x'; 5 << 20]).await.ok();
    assert_eq!(file.bytes().await, b"first");
    let (send, body) = slow_body();
    for _ in 0..1000 {
        send.send(Ok(&[b'y'; 4096])).unwrap();
    }
    drop(send);
    file.rename("notes").streaming(body).await.ok();
    assert_eq!((file.bytes().await, world.kept_contents().await), (b"first".to_vec(), 0));
}

/// What LibreOffice Online sends for `renamed ö` (measured, protocol/clients.md 12).
#[tokio::test]
async fn a_name_that_is_cut_in_its_last_character_is_taken_as_far_as_it_goes() {
    let world = World::with_file("report.odt", b"first").await;
    let file = world.alice().await.opens("report.odt").await;
    let rename = |raw: &str| file.post("", "RENAME_FILE").with("X-WOPI-RequestedName", raw);
    assert_eq!(rename("renamed +AP").await.ok().text("/Name"), "renamed");
    assert_eq!(rename("renamed +APY-").await.ok().text("/Name"), "renamed ö");
    rename("half a pair +2D0- in the middle").await.answered(400);
    rename("").await.answered(400);
    file.post("", "RENAME_FILE").await.answered(400);
    assert_eq!(world.neighbour().lists(""), ["renamed ö.odt"]);
}

#[tokio::test]
async fn what_is_no_name_becomes_one_or_is_refused_with_the_reason() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    for (wanted, name) in [("a/b", "a-b"), ("what?", "what-"), (".hidden", "hidden"), ("CON", "CON-"), ("x. ", "x")] {
        assert_eq!(file.rename(wanted).await.ok().text("/Name"), name, "{wanted}");
        assert_eq!(world.neighbour().lists(""), [format!("{name}.docx")]);
    }
    for wanted in ["/", "..", " . ", ".docx"] {
        let refused = file.rename(wanted).await.answered(400);
        assert!(refused.header("X-WOPI-InvalidFileNameError").is_some(), "{wanted}: {refused:?}");
    }
    assert_eq!(file.name().await, "x.docx");
}

#[tokio::test]
async fn whoever_may_not_rename_finds_nothing() {
    let world = World::with_file("report.docx", b"first").await;
    world.vera().await.opens("report.docx").await.rename("minutes").await.answered(404);
    world.alice().await.views("report.docx").await.rename("minutes").await.answered(404);
    assert_eq!(world.neighbour().lists(""), ["report.docx"]);
}

#[tokio::test]
async fn a_rename_that_was_answered_survives_a_crash_before_the_folder_was_made_durable() {
    let world = World::planned(|plan| plan.background = false).await;
    world.neighbour().writes("report.docx", b"first");
    let file = world.alice().await.opens("report.docx").await;
    file.rename("minutes").await.ok();
    file.saves(b"second").await;
    file.rename("notes").await.ok();
    world.crashes().await;
    assert_eq!((file.name().await, file.bytes().await), ("notes.docx".into(), b"second".to_vec()));
    assert_eq!(world.neighbour().lists(""), ["notes.docx"]);
    assert_eq!(world.history(&file.file_id()).await, [(1, b"first".to_vec())]);
}
