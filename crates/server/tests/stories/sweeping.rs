//! What is thrown away, and when.

use std::time::Duration;

use crate::doors::{File, slow_body};
use crate::world::World;

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The report as alice opens it now: a day later the token of yesterday has run out.
async fn today(world: &World) -> File {
    world.person_again("alice").await.opens("report.docx").await
}

fn bytes(history: Vec<(u64, Vec<u8>)>) -> Vec<String> {
    history.into_iter().map(|(_, bytes)| String::from_utf8(bytes).unwrap()).collect()
}

#[tokio::test]
async fn every_version_is_kept_for_a_month_then_one_a_day_then_none() {
    let world = World::with_file("report.docx", b"day 0, morning").await;
    for (day, times) in [(0, &["noon", "evening"][..]), (1, &["morning", "evening"]), (40, &["morning"])] {
        let start = world.day();
        world.passes(DAY * (day - start));
        for time in times {
            world.passes(HOUR);
            today(&world).await.saves(format!("day {day}, {time}").as_bytes()).await;
        }
        world.midnight();
    }
    let file = today(&world).await.file_id();
    // It is the 41st day now, and everything of the first two days is older than thirty days.
    let all = ["day 1, evening", "day 1, morning", "day 0, evening", "day 0, noon", "day 0, morning"];
    assert_eq!(bytes(world.history(&file).await), all);
    let swept = world.sweeps().await;
    assert_eq!((swept.versions, swept.contents), (3, 3));
    assert_eq!(bytes(world.history(&file).await), ["day 1, evening", "day 0, evening"]);
    assert_eq!(world.sweeps().await, Default::default(), "a second sweep finds nothing to do");
    world.passes(365 * DAY);
    let swept = world.sweeps().await;
    assert_eq!((swept.versions, swept.contents), (2, 2));
    assert_eq!(bytes(world.history(&file).await), Vec::<String>::new());
    assert_eq!(world.neighbour().sees("report.docx"), b"day 40, morning");
}

#[tokio::test]
async fn young_versions_are_all_kept() {
    let world = World::with_file("report.docx", b"0").await;
    let file = today(&world).await;
    for number in 1..10 {
        file.saves(number.to_string().as_bytes()).await;
    }
    world.passes(29 * DAY);
    assert_eq!(world.sweeps().await.versions, 0);
    assert_eq!(world.history(&file.file_id()).await.len(), 9);
}

#[tokio::test]
async fn refused_saves_are_kept_for_a_month() {
    let world = World::with_file("report.docx", b"first").await;
    let file = today(&world).await;
    file.lock("A").await.ok();
    file.put_file(b"refused on the first day").under("B").await.refused_with("A");
    world.passes(20 * DAY);
    today(&world).await.put_file(b"refused on the twentieth").under("B").await.refused_with("");
    world.passes(10 * DAY);
    assert_eq!(world.sweeps().await.rescued, 0);
    world.passes(Duration::from_millis(1));
    assert_eq!(world.sweeps().await.rescued, 1);
    assert_eq!(world.rescued().await[0].1, b"refused on the twentieth");
    world.passes(20 * DAY);
    assert_eq!(world.sweeps().await.rescued, 1);
    assert_eq!((world.rescued().await, world.kept_contents().await), (vec![], 0));
}

#[tokio::test]
async fn refused_saves_take_no_more_room_than_they_may_and_the_oldest_go_first() {
    let world = World::planned(|plan| plan.settings.rescued_bytes_max = 10).await;
    world.neighbour().writes("report.docx", b"first");
    let file = today(&world).await;
    for save in [b"aaaa", b"bbbb", b"cccc"] {
        file.put_file(save).under("B").await.refused_with("");
        world.passes(HOUR);
    }
    let swept = world.sweeps().await;
    assert_eq!((swept.rescued, swept.contents), (1, 0), "bytes of today are not looked at yet");
    let rescued: Vec<_> = world.rescued().await.into_iter().map(|(_, bytes)| bytes).collect();
    assert_eq!(rescued, [b"cccc", b"bbbb"]);
    assert_eq!(world.kept_contents().await, 3);
    world.passes(DAY);
    assert_eq!(world.sweeps().await.contents, 1);
    assert_eq!((world.rescued().await.len(), world.kept_contents().await), (2, 2));
}

#[tokio::test]
async fn a_deleted_file_is_kept_with_its_history_for_a_month() {
    let world = World::with_file("report.docx", b"first").await;
    let file = today(&world).await;
    file.saves(b"second").await;
    file.delete().await.ok();
    world.passes(30 * DAY);
    assert_eq!(world.sweeps().await.files, 0);
    assert_eq!(world.history(&file.file_id()).await, [(1, b"first".to_vec())]);
    world.passes(DAY);
    let swept = world.sweeps().await;
    assert_eq!((swept.files, swept.contents), (1, 2));
    assert_eq!(world.kept_contents().await, 0);
}

#[tokio::test]
async fn whatever_is_needed_stays_however_often_it_is_swept() {
    let world = World::with_file("report.docx", b"first").await;
    let file = today(&world).await;
    file.saves(b"second").await;
    file.lock("A").await.ok();
    file.put_file(b"refused").under("B").await.refused_with("A");
    world.neighbour().replaces("report.docx", b"replaced");
    file.put_file(b"third").under("A").await.ok();
    world.passes(2 * DAY);
    for _ in 0..3 {
        assert_eq!(world.sweeps().await.contents, 0);
        world.restarts().await;
    }
    let file = today(&world).await;
    assert_eq!(file.bytes().await, b"third");
    // What another program wrote over was never ours to keep.
    assert_eq!(bytes(world.history(&file.file_id()).await), ["replaced", "first"]);
    assert_eq!(world.rescued().await[0].1, b"refused");
}

/// The bytes of a save that is not yet decided belong to nobody.
#[tokio::test]
async fn a_save_that_is_on_its_way_is_not_swept_away() {
    let world = World::with_file("report.docx", b"first").await;
    let file = today(&world).await;
    file.lock("A").await.ok();
    let (send, body) = slow_body();
    send.send(Ok(b"sec")).unwrap();
    let save = tokio::spawn(file.put_file(b"").streaming(body).under("A").into_future());
    assert_eq!(file.bytes().await, b"first");
    world.passes(Duration::from_secs(20 * 60));
    world.sweeps().await;
    send.send(Ok(b"ond")).unwrap();
    drop(send);
    save.await.unwrap().ok();
    assert_eq!(file.bytes().await, b"second");
}

#[tokio::test]
async fn a_save_that_the_folder_does_not_show_yet_is_not_swept_away() {
    let world = World::planned(|plan| plan.background = false).await;
    world.neighbour().writes("report.docx", b"first");
    let file = today(&world).await;
    file.saves(b"second").await;
    world.passes(2 * DAY);
    assert_eq!(world.sweeps().await.contents, 0);
    world.crashes().await;
    let file = today(&world).await;
    assert_eq!(
        (file.bytes().await, bytes(world.history(&file.file_id()).await)),
        (b"second".to_vec(), vec!["first".to_owned()])
    );
}

#[tokio::test]
async fn sessions_that_ran_out_are_forgotten_a_week_later() {
    let world = World::with_file("report.docx", b"first").await;
    let file = today(&world).await;
    world.passes(10 * HOUR + 7 * DAY);
    assert_eq!(world.sweeps().await.sessions, 0);
    world.passes(Duration::from_millis(1));
    assert_eq!(world.sweeps().await.sessions, 1);
    file.check_file_info().await.answered(401);
}
