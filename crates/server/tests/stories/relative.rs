//! PutRelativeFile: a file beside another one, by a name that the host may adapt or by exactly this one.

use std::time::Duration;

use crate::answer::Answer;
use crate::doors::{Door, File};
use crate::world::World;

/// The new file that an answer leads to.
#[track_caller]
fn new_file(world: &World, answer: &Answer) -> File {
    File::new(Door::at(world, &answer.text("/Url")))
}

#[tokio::test]
async fn a_suggested_extension_takes_the_name_of_the_file_at_hand() {
    let world = World::with_file("report.doc", b"old format").await;
    let file = world.alice().await.opens("report.doc").await;
    let made = file.put_near(".docx", b"new format").with("X-WOPI-FileConversion", "true").await.ok();
    assert_eq!(made.text("/Name"), "report.docx");
    let converted = new_file(&world, &made);
    assert_eq!((converted.name().await, converted.bytes().await), ("report.docx".into(), b"new format".to_vec()));
    assert_eq!(world.neighbour().sees("report.docx"), b"new format");
    assert_eq!(file.bytes().await, b"old format");
    assert_eq!(made.text("/HostEditUrl"), format!("https://docs.example/open/{}/edit", converted.id()));
    assert_eq!(made.text("/HostViewUrl"), format!("https://docs.example/open/{}/view", converted.id()));
}

#[tokio::test]
async fn a_suggested_name_is_taken_as_it_is_or_with_a_number() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    for (suggested, name) in [
        ("copy.docx", "copy.docx"),
        ("copy.docx", "copy (2).docx"),
        ("copy.docx", "copy (3).docx"),
        ("report.docx", "report (2).docx"),
        (".docx", "report (3).docx"),
        ("Übersicht 1+1.docx", "Übersicht 1+1.docx"),
        ("without extension", "without extension.docx"),
    ] {
        let made = file.put_near(suggested, name.as_bytes()).await.ok();
        assert_eq!(made.text("/Name"), name, "{suggested}");
        assert_eq!(world.neighbour().sees(name), name.as_bytes());
    }
    assert_eq!(file.bytes().await, b"first");
}

/// A suggestion is never refused (protocol/files.md 10): Collabora passes on paths, people type anything.
#[tokio::test]
async fn whatever_is_suggested_becomes_a_name_in_the_same_container() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    let long = "x".repeat(530);
    for suggested in
        ["/etc/passwd", "../../escape.docx", r"C:\temp\copy.docx", "a:b?.docx", ".hidden", "CON", "..", "\u{7}", &long]
    {
        let made = file.put_near(suggested, suggested.as_bytes()).await.ok();
        let name = made.text("/Name");
        assert_eq!(world.neighbour().sees(&name), suggested.as_bytes(), "{suggested} became {name}");
        assert!(!name.starts_with('.') && !name.contains(['/', '\\', ':', '?']), "{suggested} became {name}");
        assert_eq!(new_file(&world, &made).bytes().await, suggested.as_bytes());
    }
    assert!(!world.elsewhere().join("escape.docx").exists());
}

#[tokio::test]
async fn an_exact_name_is_this_one_or_a_conflict_that_tells_a_free_one() {
    let world = World::with_file("report.docx", b"first").await;
    world.neighbour().writes("taken.docx", b"taken");
    let file = world.alice().await.opens("report.docx").await;
    let made = file.put_exactly("exact.docx", b"exact").await.ok();
    assert_eq!(made.text("/Name"), "exact.docx");
    for overwrite in [None, Some("false")] {
        let question = file.put_exactly("taken.docx", b"mine");
        let question = match overwrite {
            Some(value) => question.with("X-WOPI-OverwriteRelativeTarget", value),
            None => question,
        };
        let refused = question.await.answered(409);
        assert_eq!(refused.valid_target(), "taken (2).docx");
        assert_eq!(refused.header("X-WOPI-Lock"), None, "nobody holds it");
    }
    assert_eq!(world.neighbour().sees("taken.docx"), b"taken");
    assert_eq!(world.kept_contents().await, 0, "the bytes of a refused file are not kept");
}

#[tokio::test]
async fn an_exact_name_may_be_that_of_a_file_nobody_told_us_of() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    world.neighbour().writes("unknown.docx", b"of another program");
    assert_eq!(file.put_exactly("unknown.docx", b"mine").await.answered(409).valid_target(), "unknown (2).docx");
    assert_eq!(file.put_near("unknown.docx", b"mine").await.ok().text("/Name"), "unknown (2).docx");
    assert_eq!(world.neighbour().sees("unknown.docx"), b"of another program");
}

#[tokio::test]
async fn overwriting_keeps_the_id_and_makes_the_old_bytes_a_version() {
    let world = World::with_file("report.docx", b"first").await;
    world.neighbour().writes("target.docx", b"before");
    let alice = world.alice().await;
    let (file, target) = (alice.opens("report.docx").await, alice.opens("target.docx").await);
    let version = target.version().await;
    let question = file.put_exactly("target.docx", b"after").with("X-WOPI-OverwriteRelativeTarget", "true");
    let made = question.await.ok();
    assert_eq!(new_file(&world, &made).id(), target.id());
    assert_eq!((target.bytes().await, world.neighbour().sees("target.docx")), (b"after".to_vec(), b"after".to_vec()));
    assert_ne!(target.version().await, version);
    assert_eq!(world.history(&target.file_id()).await, [(1, b"before".to_vec())]);
}

#[tokio::test]
async fn a_file_that_somebody_holds_is_not_overwritten_and_its_lock_is_told() {
    let world = World::with_file("report.docx", b"first").await;
    world.neighbour().writes("target.docx", b"before");
    let alice = world.alice().await;
    let (file, target) = (alice.opens("report.docx").await, alice.opens("target.docx").await);
    let overwrite = |name: &str| file.put_exactly(name, b"after").with("X-WOPI-OverwriteRelativeTarget", "true");
    target.lock("T").await.ok();
    overwrite("target.docx").await.refused_with("T");
    file.lock("F").await.ok();
    overwrite("report.docx").await.refused_with("F");
    assert_eq!((target.bytes().await, file.bytes().await), (b"before".to_vec(), b"first".to_vec()));
    world.passes(Duration::from_secs(30 * 60));
    overwrite("target.docx").await.ok();
}

#[tokio::test]
async fn a_container_is_never_overwritten() {
    let world = World::with_file("report.docx", b"first").await;
    world.neighbour().makes_folder("letters");
    let file = world.alice().await.opens("report.docx").await;
    let question = file.put_exactly("letters", b"x").with("X-WOPI-OverwriteRelativeTarget", "true");
    assert_eq!(question.await.answered(409).valid_target(), "letters (2)");
    assert_eq!(file.put_near("letters", b"x").await.ok().text("/Name"), "letters.docx");
}

#[tokio::test]
async fn an_illegal_exact_name_is_refused_with_a_reason_and_a_name_that_works() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    let long = format!("{}.docx", "x".repeat(300));
    for name in ["a/b.docx", "..", "what?.docx", ".hidden.docx", "~$report.docx", "NUL.docx", "trailing.", &long] {
        let refused = file.put_exactly(name, b"bytes").await.answered(400);
        assert!(refused.header("X-WOPI-InvalidFileNameError").is_some_and(|why| !why.is_empty()), "{name}");
        let instead = refused.valid_target();
        let made = file.put_exactly(&instead, b"bytes").await.ok();
        assert_eq!(made.text("/Name"), instead, "instead of {name}");
    }
    assert_eq!(world.neighbour().lists("").len(), 9);
}

#[tokio::test]
async fn both_targets_or_none_are_a_bad_request() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    file.put_near("a.docx", b"x").with("X-WOPI-RelativeTarget", "b.docx").await.answered(400);
    file.post("", "PUT_RELATIVE").body(b"x").await.answered(400);
    file.put_exactly("a.docx", b"x").with("X-WOPI-OverwriteRelativeTarget", "perhaps").await.answered(400);
    assert_eq!(world.neighbour().lists(""), ["report.docx"]);
}

#[tokio::test]
async fn bytes_that_are_not_as_many_as_announced_make_no_file() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    for size in ["3", "5", "many"] {
        let refused = file.put_near("copy.docx", b"four").with("X-WOPI-Size", size).await.answered(400);
        assert!(refused.header("X-WOPI-ServerError").unwrap().contains("X-WOPI-Size"));
    }
    assert_eq!((world.neighbour().lists(""), world.kept_contents().await), (vec!["report.docx".to_owned()], 0));
    file.put_near("copy.docx", b"four").with("X-WOPI-Size", "4").await.ok();
}

/// `UserCanNotWriteRelative` promises 501 (protocol/files.md 10).
#[tokio::test]
async fn whoever_may_not_write_is_told_that_it_is_not_supported() {
    let world = World::with_file("report.docx", b"first").await;
    for file in [world.vera().await.opens("report.docx").await, world.alice().await.views("report.docx").await] {
        file.put_near("copy.docx", b"x").await.answered(501);
        file.put_exactly("copy.docx", b"x").await.answered(501);
    }
    assert_eq!(world.neighbour().lists(""), ["report.docx"]);
}

#[tokio::test]
async fn the_token_of_the_new_file_ends_when_the_callers_does_and_is_for_this_file_only() {
    let world = World::with_file("report.docx", b"first").await;
    let alice = world.alice().await;
    let file = alice.opens("report.docx").await;
    world.passes(alice.token_lifetime() - Duration::from_millis(1));
    let copy = new_file(&world, &file.put_near("copy.docx", b"x").await.ok());
    copy.lock("A").await.ok();
    file.with_token(&copy.token).get("").await.answered(401);
    copy.with_token(&file.token).get("").await.answered(401);
    world.passes(Duration::from_millis(1));
    copy.check_file_info().await.answered(401);
}

#[tokio::test]
async fn a_copy_lies_beside_the_file_and_belongs_to_who_made_it() {
    let world = World::new().await;
    world.neighbour().makes_folder("letters");
    world.neighbour().writes("letters/one.docx", b"one");
    let alice = world.alice().await;
    let file = alice.opens("letters/one.docx").await;
    let copy = new_file(&world, &file.put_near("two.docx", b"two").await.ok());
    assert_eq!(world.neighbour().sees("letters/two.docx"), b"two");
    let info = copy.info().await;
    assert_eq!((&info["OwnerId"], &info["Version"]), (&alice.user.id.as_str().into(), &"1".into()));
    world.crashes().await;
    assert_eq!(copy.bytes().await, b"two");
}

#[tokio::test]
async fn a_copy_that_is_too_large_is_refused() {
    let world = World::planned(|plan| plan.settings.body_bytes_max = 10).await;
    world.neighbour().writes("report.docx", b"first");
    let file = world.alice().await.opens("report.docx").await;
    file.put_near("copy.docx", b"eleven byte").await.answered(413);
    assert_eq!((world.neighbour().lists(""), world.kept_contents().await), (vec!["report.docx".to_owned()], 0));
}
