//! Locks: who holds a file, for how long, and what the others are told.

use std::time::Duration;

use crate::world::World;

const LIFETIME: Duration = Duration::from_secs(30 * 60);
const MILLISECOND: Duration = Duration::from_millis(1);

/// The table of protocol/files.md 3: what each operation with the id `A` is answered, and who holds the file afterwards.
/// A refusal carries the lock held; a free file has the empty one.
#[tokio::test]
async fn the_state_table_of_locks() {
    for (held, operation, answered, afterwards) in [
        ("", "Lock", "200", "A"),
        ("", "RefreshLock", "409 ", ""),
        ("", "Unlock", "409 ", ""),
        ("", "UnlockAndRelock", "409 ", ""),
        ("", "PutFile", "409 ", ""),
        ("A", "Lock", "200", "A"),
        ("A", "RefreshLock", "200", "A"),
        ("A", "Unlock", "200", ""),
        ("A", "UnlockAndRelock", "200", "N"),
        ("A", "PutFile", "200", "A"),
        ("B", "Lock", "409 B", "B"),
        ("B", "RefreshLock", "409 B", "B"),
        ("B", "Unlock", "409 B", "B"),
        ("B", "UnlockAndRelock", "409 B", "B"),
        ("B", "PutFile", "409 B", "B"),
    ] {
        let world = World::with_file("report.docx", b"first").await;
        let file = world.alice().await.opens("report.docx").await;
        if !held.is_empty() {
            file.lock(held).await.ok();
        }
        let answer = match operation {
            "Lock" => file.lock("A"),
            "RefreshLock" => file.refresh_lock("A"),
            "Unlock" => file.unlock("A"),
            "UnlockAndRelock" => file.unlock_and_relock("A", "N"),
            _ => file.put_file(b"second").under("A"),
        }
        .await;
        match answered.strip_prefix("409 ") {
            None => assert!(!answer.ok().version().is_empty()),
            Some(lock) => drop(answer.refused_with(lock)),
        }
        file.get_lock().await.holds(afterwards);
        let saved = operation == "PutFile" && answered == "200";
        assert_eq!(file.bytes().await, if saved { &b"second"[..] } else { b"first" }, "{held} {operation}");
    }
}

#[tokio::test]
async fn a_lock_that_ran_out_is_no_lock_for_any_operation() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    for operation in ["RefreshLock", "Unlock", "UnlockAndRelock", "PutFile"] {
        file.lock("A").await.ok();
        world.passes(LIFETIME);
        let question = match operation {
            "RefreshLock" => file.refresh_lock("A"),
            "Unlock" => file.unlock("A"),
            "UnlockAndRelock" => file.unlock_and_relock("A", "N"),
            _ => file.put_file(b"second").under("A"),
        };
        question.await.refused_with("");
        file.get_lock().await.holds("");
    }
    file.lock("B").await.ok();
}

#[tokio::test]
async fn a_lock_runs_out_at_the_exact_millisecond() {
    let world = World::with_file("report.docx", b"first").await;
    let (alice, bob) = (world.alice().await, world.bob().await);
    let (hers, his) = (alice.opens("report.docx").await, bob.opens("report.docx").await);
    hers.lock("A").await.ok();
    world.passes(LIFETIME - MILLISECOND);
    hers.get_lock().await.holds("A");
    his.lock("B").await.refused_with("A");
    world.passes(MILLISECOND);
    hers.get_lock().await.holds("");
    his.lock("B").await.ok();
    hers.put_file(b"too late").under("A").await.refused_with("B");
}

/// Collabora renews only by Lock with the same id (protocol/clients.md 1, row 8), the others by RefreshLock.
#[tokio::test]
async fn whatever_renews_a_lock_starts_its_half_hour_again_and_a_save_does_not() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    file.lock("A").await.ok();
    for renewed_by in ["Lock", "RefreshLock", "UnlockAndRelock"] {
        world.passes(LIFETIME - MILLISECOND);
        match renewed_by {
            "Lock" => file.lock("A"),
            "RefreshLock" => file.refresh_lock("A"),
            _ => file.unlock_and_relock("A", "A"),
        }
        .await
        .ok();
    }
    world.passes(LIFETIME - MILLISECOND);
    file.put_file(b"second").under("A").await.ok();
    world.passes(MILLISECOND);
    file.get_lock().await.holds("");
}

#[tokio::test]
async fn a_lock_belongs_to_the_file_and_not_to_who_took_it() {
    let world = World::with_file("report.docx", b"first").await;
    let (alice, bob) = (world.alice().await, world.bob().await);
    let (hers, his) = (alice.opens("report.docx").await, bob.opens("report.docx").await);
    hers.lock("A").await.ok();
    his.refresh_lock("A").await.ok();
    his.put_file(b"of both").under("A").await.ok();
    his.unlock_and_relock("A", "B").await.ok();
    hers.put_file(b"of both, again").under("B").await.ok();
    his.unlock("B").await.ok();
    hers.get_lock().await.holds("");
}

/// The id of Word's save and unlock differs from the one it took in all but `S` (protocol/clients.md 9).
#[tokio::test]
async fn words_ids_are_one_lock_as_long_as_their_session_is_the_same() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    let (short, long) = (r#"{"S":"8f1c","F":4}"#, r#"{"S":"8f1c","F":6,"E":2,"M":"WA"}"#);
    file.lock(short).await.ok();
    file.lock(long).await.ok();
    file.get_lock().await.holds(long);
    file.put_file(b"second").under(short).await.ok();
    file.put_file(b"third").under(r#"{"S":"another","F":4}"#).await.refused_with(long);
    file.put_file(b"third").under("8f1c").await.refused_with(long);
    file.unlock(short).await.ok();
    file.get_lock().await.holds("");
}

#[tokio::test]
async fn other_ids_are_compared_byte_for_byte() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    let longest = "x".repeat(1024);
    file.lock(&longest).await.ok();
    file.get_lock().await.holds(&longest);
    file.unlock(&longest[1..]).await.refused_with(&longest);
    file.unlock(&longest).await.ok();
    file.lock("abc").await.ok();
    for other in ["ABC", "abc.", "ab", r#"{"S":"abc"}"#] {
        file.refresh_lock(other).await.refused_with("abc");
    }
}

#[tokio::test]
async fn an_operation_on_a_lock_without_a_usable_id_is_a_bad_request_and_says_which_header() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    file.lock("A").await.ok();
    let too_long = "x".repeat(1025);
    for id in ["", &too_long, "\u{e4}"] {
        for question in [file.lock(id), file.refresh_lock(id), file.unlock(id)] {
            let answer = question.await.answered(400);
            assert!(answer.header("X-WOPI-ServerError").unwrap().contains("X-WOPI-Lock"), "{answer:?}");
        }
    }
    file.post("", "LOCK").await.answered(400);
    file.lock("A").under("B").await.answered(400);
    file.get_lock().await.holds("A");
}

/// An empty `X-WOPI-OldLock` counts as none (protocol/files.md 8).
#[tokio::test]
async fn a_lock_with_an_empty_old_lock_is_a_plain_lock() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    file.unlock_and_relock("", "A").await.ok();
    file.get_lock().await.holds("A");
}

#[tokio::test]
async fn locks_survive_a_restart_and_a_crash() {
    let world = World::with_file("report.docx", b"first").await;
    let (alice, bob) = (world.alice().await, world.bob().await);
    let (hers, his) = (alice.opens("report.docx").await, bob.opens("report.docx").await);
    hers.lock("A").await.ok();
    world.restarts().await;
    his.lock("B").await.refused_with("A");
    hers.put_file(b"second").under("A").await.ok();
    world.crashes().await;
    his.lock("B").await.refused_with("A");
    hers.unlock("A").await.ok();
    world.crashes().await;
    his.lock("B").await.ok();
    assert_eq!(his.bytes().await, b"second");
}

/// Office on phones takes this version for the one it has (protocol/clients.md 3.2).
#[tokio::test]
async fn lock_and_unlock_tell_the_version_that_check_file_info_tells() {
    let world = World::with_file("report.docx", b"first").await;
    let file = world.alice().await.opens("report.docx").await;
    assert_eq!(file.lock("A").await.ok().version(), file.version().await);
    file.put_file(b"second").under("A").await.ok();
    assert_eq!(file.refresh_lock("A").await.ok().version(), file.version().await);
    assert_eq!(file.unlock_and_relock("A", "B").await.ok().version(), file.version().await);
    assert_eq!(file.unlock("B").await.ok().version(), file.version().await);
    world.neighbour().writes("report.docx", b"changed by another program");
    let locked = file.lock("C").await.ok();
    assert_eq!(locked.version(), file.version().await, "whoever opens the file has to know what is true now");
}

#[tokio::test]
async fn a_viewer_learns_who_holds_a_file_but_cannot_hold_it() {
    let world = World::with_file("report.docx", b"first").await;
    let hers = world.alice().await.opens("report.docx").await;
    let theirs = world.vera().await.opens("report.docx").await;
    hers.lock("A").await.ok();
    theirs.get_lock().await.holds("A");
    for question in [theirs.lock("V"), theirs.refresh_lock("A"), theirs.unlock("A"), theirs.unlock_and_relock("A", "V")]
    {
        question.await.answered(404);
    }
    hers.get_lock().await.holds("A");
}

#[tokio::test]
async fn every_file_has_a_lock_of_its_own() {
    let world = World::with_file("one.docx", b"one").await;
    world.neighbour().writes("two.docx", b"two");
    let alice = world.alice().await;
    let (one, two) = (alice.opens("one.docx").await, alice.opens("two.docx").await);
    one.lock("A").await.ok();
    two.lock("A").await.ok();
    one.unlock("A").await.ok();
    two.get_lock().await.holds("A");
}
