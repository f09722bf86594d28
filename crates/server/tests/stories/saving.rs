//! Saving: what a file is after PutFile, what is kept of what it was, and what becomes of a save that is refused.

use std::time::Duration;

use crate::doors::slow_body;
use crate::world::World;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_save_is_in_the_folder_and_what_was_there_is_a_version() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    file.saves(b"second").await;
    assert_eq!(world.neighbour().sees("report.docx"), b"second");
    assert_eq!(file.bytes().await, b"second");
    file.saves(b"third").await;
    assert_eq!(world.neighbour().sees("report.docx"), b"third");
    assert_eq!(world.history(&file.file_id()).await, [(2, b"second".to_vec()), (1, b"first".to_vec())]);
    assert_eq!(world.neighbour().lists(""), ["report.docx"], "and nothing else lies around");
}

/// Collabora and ONLYOFFICE take the time for the precondition of their next save, Office on phones the version.
#[tokio::test]
async fn a_save_answers_the_time_and_version_that_check_file_info_will_tell() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    let (time, version) = (file.time().await, file.version().await);
    world.passes(SECOND);
    file.lock("A").await.ok();
    let saved = file.put_file(b"second").under("A").await.ok();
    assert_eq!(saved.json(), serde_json::json!({ "LastModifiedTime": file.time().await }));
    assert_eq!(saved.version(), file.version().await);
    assert_ne!((time, version), (file.time().await, file.version().await));
    let info = file.info().await;
    world.crashes().await;
    assert_eq!(file.info().await, info, "and so it does after a crash");
}

#[tokio::test]
async fn two_saves_in_one_millisecond_have_two_times() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    file.lock("A").await.ok();
    let second = file.put_file(b"second").under("A").await.ok();
    let third = file.put_file(b"third").under("A").await.ok();
    assert!(second.text("/LastModifiedTime") < third.text("/LastModifiedTime"));
}

// ── the rule of the empty file ──

#[tokio::test]
async fn an_empty_file_that_nobody_holds_is_saved_without_a_lock() {
    let world = World::with_file("new.docx", b"").await;
    let file = world.alice().await.opens("new.docx").await;
    file.put_file(b"a template").await.ok();
    assert_eq!(file.bytes().await, b"a template");
    assert_eq!(world.history(&file.file_id()).await, [], "nothing is no version");
    file.put_file(b"more").await.refused_with("");
    assert_eq!(file.bytes().await, b"a template");
}

#[tokio::test]
async fn an_empty_file_that_somebody_holds_wants_the_lock() {
    let world = World::with_file("new.docx", b"").await;
    let file = world.alice().await.opens("new.docx").await;
    file.lock("A").await.ok();
    file.put_file(b"a template").await.refused_with("A");
    file.put_file(b"a template").under("B").await.refused_with("A");
    file.put_file(b"a template").under("A").await.ok();
}

/// ONLYOFFICE keeps sending the lock of a session whose lock ran out while it filled a new file.
#[tokio::test]
async fn an_empty_file_that_nobody_holds_is_saved_whatever_lock_is_named() {
    let world = World::with_file("new.docx", b"").await;
    let file = world.alice().await.opens("new.docx").await;
    file.put_file(b"a template").under("A").await.ok();
    file.get_lock().await.holds("");
}

#[tokio::test]
async fn a_file_may_be_emptied_and_is_a_new_one_then() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    file.saves(b"").await;
    assert_eq!((file.bytes().await, world.neighbour().sees("report.docx")), (vec![], vec![]));
    assert_eq!(world.history(&file.file_id()).await, [(1, b"first".to_vec())]);
    file.put_file(b"second").await.ok();
    assert_eq!(world.history(&file.file_id()).await, [(1, b"first".to_vec())]);
}

// ── the same bytes again ──

/// Collabora saves untouched documents when they are closed (protocol/clients.md 9).
#[tokio::test]
async fn the_same_bytes_make_a_new_version_but_no_new_time_and_no_history() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    let (time, version) = (file.time().await, file.version().await);
    world.passes(SECOND);
    let saved = file.saves(b"first").await;
    assert_eq!(saved.text("/LastModifiedTime"), time);
    assert_ne!(saved.version(), version);
    assert_eq!((file.time().await, file.version().await), (time, saved.version().to_owned()));
    assert_eq!(world.history(&file.file_id()).await, []);
    assert_eq!(world.kept_contents().await, 0, "and no bytes are kept for it");
}

#[tokio::test]
async fn bytes_that_come_back_after_others_are_a_version_of_their_own() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    file.saves(b"second").await;
    file.saves(b"first").await;
    assert_eq!(world.history(&file.file_id()).await, [(2, b"second".to_vec()), (1, b"first".to_vec())]);
    assert_eq!(world.neighbour().sees("report.docx"), b"first");
}

// ── the timestamp of Collabora and ONLYOFFICE ──

#[tokio::test]
async fn a_save_that_names_an_older_time_is_a_conflict_in_collaboras_words() {
    let world = World::with_file("report.docx", b"first").await;
    let (alice, bob) = (world.alice().await, world.bob().await);
    let (hers, his) = (alice.opens("report.docx").await, bob.opens("report.docx").await);
    let seen = hers.time().await;
    world.passes(SECOND);
    his.saves(b"his").await;
    hers.lock("A").await.ok();
    for header in ["X-COOL-WOPI-Timestamp", "X-LOOL-WOPI-Timestamp"] {
        let refused = hers.put_file(b"hers").under("A").with(header, &seen).await.answered(409);
        assert_eq!(&*refused.body, br#"{"COOLStatusCode":1010,"LOOLStatusCode":1010}"#, "{header}");
        assert_eq!(refused.header("Content-Type"), Some("application/json"));
    }
    assert_eq!(hers.bytes().await, b"his");
    // "Overwrite", says alice: once more, without the time.
    hers.put_file(b"hers").under("A").await.ok();
    assert_eq!(hers.bytes().await, b"hers");
    assert_eq!(world.history(&hers.file_id()).await[0], (2, b"his".to_vec()));
}

#[tokio::test]
async fn each_save_may_name_the_time_that_the_one_before_answered() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    let mut time = file.time().await;
    file.lock("A").await.ok();
    for bytes in [&b"second"[..], b"second", b"third", b"fourth"] {
        world.passes(SECOND);
        let saved = file.put_file(bytes).under("A").with("X-COOL-WOPI-Timestamp", &time).await.ok();
        time = saved.text("/LastModifiedTime");
    }
    // The same moment in other words.
    let other = time.replace('Z', "+00:00");
    file.put_file(b"fifth").under("A").with("X-COOL-WOPI-Timestamp", &other).await.ok();
}

#[tokio::test]
async fn a_time_that_is_none_is_a_conflict_and_not_a_way_around() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    file.lock("A").await.ok();
    for time in ["yesterday", "1970-01-01T00:00:00.0000000Z", "0"] {
        file.put_file(b"second").under("A").with("X-COOL-WOPI-Timestamp", time).await.answered(409);
    }
    file.put_file(b"second").under("A").with("X-COOL-WOPI-Timestamp", "").await.ok();
}

#[tokio::test]
async fn a_wrong_lock_is_told_before_an_old_time() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    file.lock("A").await.ok();
    let save = file.put_file(b"second").under("B").with("X-COOL-WOPI-Timestamp", "yesterday");
    assert!(save.await.refused_with("A").body.is_empty());
}

// ── what is known of a save ──

#[tokio::test]
async fn who_saved_and_who_wrote_are_kept_with_the_bytes() {
    let world = World::with_file("report.docx", b"first").await;
    let (alice, bob) = (world.alice().await, world.bob().await);
    let (hers, his) = (alice.opens("report.docx").await, bob.opens("report.docx").await);
    hers.lock("A").await.ok();
    let editors = format!("{}, {},,{}", alice.user.id, bob.user.id, bob.user.id);
    let save = hers.put_file(b"second").under("A").with("X-WOPI-Editors", &editors);
    save.with("X-COOL-WOPI-IsAutosave", "true").await.ok();
    let content = world.file_at("report.docx").await.unwrap().content;
    assert_eq!(content.editors, [alice.user.id.to_string(), bob.user.id.to_string()]);
    assert_eq!((content.saved_by, content.autosave), (Some(alice.user.id.clone()), true));

    his.put_file(b"third").under("A").await.ok();
    let content = world.file_at("report.docx").await.unwrap().content;
    assert_eq!((content.saved_by, content.autosave, content.editors), (Some(bob.user.id), false, vec![]));
    let history = world.host().ports().registry.versions(&hers.file_id()).await.unwrap();
    assert_eq!(history[0].content.saved_by.as_ref(), Some(&alice.user.id));
    assert_eq!((history[0].content.autosave, history[0].content.editors.len()), (true, 2));
    assert_eq!(history[1].content.saved_by, None, "the first one was another program's");
}

// ── saves that are refused ──

#[tokio::test]
async fn a_refused_save_is_among_the_rescued_ones_with_its_bytes() {
    let world = World::with_file("report.docx", b"first").await;
    let (alice, bob) = (world.alice().await, world.bob().await);
    let (hers, his) = (alice.opens("report.docx").await, bob.opens("report.docx").await);
    his.lock("B").await.ok();
    hers.put_file(b"of alice").under("A").await.refused_with("B");
    world.passes(SECOND);
    his.put_file(b"of bob").under("B").with("X-COOL-WOPI-Timestamp", "yesterday").await.answered(409);
    his.unlock("B").await.ok();
    world.passes(SECOND);
    hers.put_file(b"of alice, later").under("A").await.refused_with("");
    let rescued = world.rescued().await;
    let bytes: Vec<&[u8]> = rescued.iter().map(|(_, bytes)| &bytes[..]).collect();
    assert_eq!(bytes, [&b"of alice, later"[..], b"of bob", b"of alice"]);
    assert!(rescued.iter().all(|(reason, _)| !reason.is_empty()), "{rescued:?}");
    assert_eq!(hers.bytes().await, b"first");
    world.crashes().await;
    assert_eq!(world.rescued().await, rescued);
}

#[tokio::test]
async fn a_refused_save_that_holds_nothing_new_is_not_kept() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    file.check_file_info().await.ok();
    file.lock("A").await.ok();
    file.put_file(b"first").under("B").await.refused_with("A");
    file.put_file(b"").under("B").await.refused_with("A");
    assert_eq!((world.rescued().await, world.kept_contents().await), (vec![], 0));
}

#[tokio::test]
async fn a_file_that_is_too_large_is_refused_announced_or_not_and_leaves_nothing() {
    let world = World::planned(|plan| plan.settings.body_bytes_max = 10).await;
    world.neighbour().writes("report.docx", b"first");
    let file = world.alice().await.opens("report.docx").await;
    file.lock("A").await.ok();
    file.put_file(b"eleven byte").under("A").await.answered(413);
    let (send, body) = slow_body();
    for part in [&b"eleven"[..], b" bytes, and more"] {
        send.send(Ok(part)).unwrap();
    }
    drop(send);
    file.put_file(b"").streaming(body).under("A").await.answered(413);
    assert_eq!(file.bytes().await, b"first");
    assert_eq!((world.rescued().await, world.kept_contents().await), (vec![], 0));
    file.put_file(b"ten bytes.").under("A").await.ok();
}

#[tokio::test]
async fn a_body_that_breaks_off_changes_nothing_and_leaves_nothing() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    file.lock("A").await.ok();
    let version = file.version().await;
    let (send, body) = slow_body();
    send.send(Ok(b"the first half")).unwrap();
    send.send(Err("connection reset".into())).unwrap();
    file.put_file(b"").streaming(body).under("A").await.answered(400);
    assert_eq!((file.bytes().await, file.version().await), (b"first".to_vec(), version));
    assert_eq!((world.rescued().await, world.kept_contents().await), (vec![], 0));
}

// ── while it happens ──

#[tokio::test]
async fn whoever_began_to_read_before_a_save_finishes_with_the_old_bytes() {
    let old = vec![b'o'; 3 << 20];
    let world = World::with_file("report.docx", &old).await;
    let file = world.alice().await.opens("report.docx").await;
    let mut reading = file.get_file().begins().await;
    let mut read = reading.some().await;
    assert!(read.len() < old.len(), "the story wants somebody in the middle of the file");
    file.saves(&vec![b'n'; 3 << 20]).await;
    file.saves(b"and once more").await;
    read.extend(reading.rest().await);
    assert!(read == old, "{} bytes, and not the old ones", read.len());
    assert_eq!(file.bytes().await, b"and once more");
}

#[tokio::test]
async fn while_a_save_is_on_its_way_everybody_sees_the_old_file() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    file.lock("A").await.ok();
    let (send, body) = slow_body();
    send.send(Ok(b"sec")).unwrap();
    let save = tokio::spawn(file.put_file(b"").streaming(body).under("A").into_future());
    let version = file.version().await;
    assert_eq!((file.bytes().await, world.neighbour().sees("report.docx")), (b"first".to_vec(), b"first".to_vec()));
    send.send(Ok(b"ond")).unwrap();
    drop(send);
    save.await.unwrap().ok();
    assert_eq!((file.bytes().await, world.neighbour().sees("report.docx")), (b"second".to_vec(), b"second".to_vec()));
    assert_ne!(file.version().await, version);
}

/// The decision is made when the bytes are there, not when they begin to come.
#[tokio::test]
async fn a_lock_that_is_lost_while_the_bytes_come_refuses_them() {
    let world = World::with_file("report.docx", b"first").await;
    let (alice, bob) = (world.alice().await, world.bob().await);
    let (hers, his) = (alice.opens("report.docx").await, bob.opens("report.docx").await);
    hers.lock("A").await.ok();
    let (send, body) = slow_body();
    send.send(Ok(b"sec")).unwrap();
    let save = tokio::spawn(hers.put_file(b"").streaming(body).under("A").into_future());
    // By now the gate has let the save in.
    assert_eq!(his.bytes().await, b"first");
    his.unlock("A").await.ok();
    his.lock("B").await.ok();
    send.send(Ok(b"ond")).unwrap();
    drop(send);
    save.await.unwrap().refused_with("B");
    assert_eq!(world.rescued().await[0].1, b"second");
}

/// Nor is anybody refused for what was true when they began.
#[tokio::test]
async fn a_lock_that_is_taken_while_the_bytes_come_takes_them() {
    let world = World::with_file("report.docx", b"first").await;
    let (alice, bob) = (world.alice().await, world.bob().await);
    let (hers, his) = (alice.opens("report.docx").await, bob.opens("report.docx").await);
    his.lock("B").await.ok();
    let (send, body) = slow_body();
    send.send(Ok(b"sec")).unwrap();
    let save = tokio::spawn(hers.put_file(b"").streaming(body).under("A").into_future());
    assert_eq!(his.bytes().await, b"first");
    his.unlock("B").await.ok();
    hers.lock("A").await.ok();
    send.send(Ok(b"ond")).unwrap();
    drop(send);
    save.await.unwrap().ok();
    assert_eq!(his.bytes().await, b"second");
}

#[tokio::test]
async fn a_save_that_was_answered_survives_a_crash_before_the_folder_was_made_durable() {
    let world = World::planned(|plan| plan.background = false).await;
    world.neighbour().writes("report.docx", b"first");
    let file = world.alice().await.opens("report.docx").await;
    for bytes in [&b"second"[..], b"third"] {
        file.saves(bytes).await;
        world.crashes().await;
        assert_eq!((file.bytes().await, world.neighbour().sees("report.docx")), (bytes.to_vec(), bytes.to_vec()));
    }
    assert_eq!(world.history(&file.file_id()).await, [(2, b"second".to_vec()), (1, b"first".to_vec())]);
}

#[tokio::test]
async fn a_viewer_and_a_token_for_viewing_cannot_save() {
    let world = World::with_file("new.docx", b"").await;
    world.vera().await.opens("new.docx").await.put_file(b"hers").await.answered(404);
    world.alice().await.views("new.docx").await.put_file(b"hers").await.answered(404);
    assert_eq!(world.neighbour().sees("new.docx"), b"");
}
