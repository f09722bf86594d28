//! Headers that are missing, doubled, not ASCII, or too long.

use super::common::{self, Request};
use super::{LOCK, Scene, assert_refused, wrong_refusal};

#[test]
fn a_header_that_is_missing_doubled_or_not_ascii_is_refused_by_name() {
    common::run(120, async {
        let mut scene = Scene::begin().await;
        let operation = |name: &str| scene.file.operation(name);
        let relative = |target: &[u8]| operation("PUT_RELATIVE").header("X-WOPI-RelativeTarget", target).body("new");
        let cases: Vec<(&str, Request, &[u16])> = vec![
            ("Lock without id", operation("LOCK"), &[400]),
            ("Lock with an empty id", operation("LOCK").header("X-WOPI-Lock", ""), &[400]),
            ("RefreshLock without id", operation("REFRESH_LOCK"), &[400]),
            ("Unlock without id", operation("UNLOCK"), &[400]),
            ("UnlockAndRelock without id", operation("LOCK").header("X-WOPI-OldLock", LOCK), &[400]),
            (
                "Lock with two ids",
                operation("LOCK").header("X-WOPI-Lock", LOCK).header("X-WOPI-Lock", "another"),
                &[400],
            ),
            ("Unlock with two ids", operation("UNLOCK").header("X-WOPI-Lock", LOCK).header("X-WOPI-Lock", "b"), &[400]),
            ("Lock with an id in UTF-8", operation("LOCK").header("X-WOPI-Lock", "Schloß"), &[400]),
            ("Lock with an id in Latin-1", operation("LOCK").header("X-WOPI-Lock", b"Schlo\xdf"), &[400]),
            ("Unlock with a tab in the id", operation("UNLOCK").header("X-WOPI-Lock", "a\tb"), &[400]),
            ("PutRelativeFile without target", operation("PUT_RELATIVE").body("new"), &[400]),
            (
                "PutRelativeFile with both targets",
                relative(b"a.wopitest").header("X-WOPI-SuggestedTarget", ".wopitest"),
                &[400, 501],
            ),
            ("PutRelativeFile with a target not in ASCII", relative(b"\xff\xfe.wopitest"), &[400]),
            (
                "PutRelativeFile with two targets",
                relative(b"a.wopitest").header("X-WOPI-RelativeTarget", "b.wopitest"),
                &[400],
            ),
            (
                "GetFile with a limit that is no number",
                scene.file.get_file().header("X-WOPI-MaxExpectedSize", "many"),
                &[400],
            ),
            ("RenameFile without name", operation("RENAME_FILE").header("X-WOPI-Lock", LOCK), &[400]),
            ("an operation without name", Request::post(&scene.file.target()), &[400, 501]),
            ("an operation nobody knows", operation("MAKE_COFFEE"), &[501]),
            (
                "an operation not in ASCII",
                Request::post(&scene.file.target()).header("X-WOPI-Override", b"\xff"),
                &[400, 501],
            ),
            (
                "two operations",
                operation("UNLOCK").header("X-WOPI-Override", "DELETE").header("X-WOPI-Lock", LOCK),
                &[400, 501],
            ),
            ("no token", Request::get(scene.token.path()), &[401]),
            ("an empty token", Request::get(&format!("{}?access_token=", scene.token.path())), &[401]),
            ("a token that is none", Request::get(&format!("{}?access_token=%00%ff%", scene.token.path())), &[401]),
            (
                "a token of 10,000 characters",
                Request::get(&format!("{}?access_token={}", scene.token.path(), "x".repeat(10_000))),
                &[401],
            ),
            ("a file id that cannot be one", Request::get("/wopi/files/..%2f..%2fetc?access_token=x"), &[401, 404]),
            (
                "a file id of 300 characters",
                Request::get(&format!("/wopi/files/{}?access_token=x", "x".repeat(300))),
                &[401, 404],
            ),
        ];
        let mut failures = Vec::new();
        for (what, request, statuses) in &cases {
            let answer = scene.send(request).await;
            failures.extend(wrong_refusal(&answer, statuses).map(|wrong| format!("{what}: {wrong}")));
        }
        assert!(failures.is_empty(), "{} of {} cases:\n{}", failures.len(), cases.len(), failures.join("\n"));
        scene.nothing_is_lost("bad headers").await;
    });
}

#[test]
fn a_suggested_target_that_is_not_ascii_or_cut_is_bent_and_not_refused() {
    common::run(60, async {
        let mut scene = Scene::begin().await;
        for target in [&b"\xff\xfe.wopitest"[..], b"caf\xc3\xa9.wopitest", b"a+AF", b"+", b".", b"+2D0-.wopitest"] {
            let suggested = scene.file.operation("PUT_RELATIVE").header("X-WOPI-SuggestedTarget", target).body("new");
            let answer = scene.send(&suggested).await;
            assert_eq!(answer.status, 200, "{target:?}: {answer:?}");
            let name = answer.json()["Name"].as_str().unwrap().to_owned();
            assert_eq!(std::fs::read(scene.folder().join(name)).unwrap(), b"new");
        }
        scene.nothing_is_lost("strange suggestions").await;
    });
}

#[test]
fn a_lock_id_has_1024_characters_at_most_and_comes_back_unchanged() {
    common::run(60, async {
        let mut scene = Scene::begin().await;
        let mut client = scene.client().await;
        let longest: String = (0..1024_u32).map(|n| char::from_u32(0x21 + n % 0x5e).expect("ASCII")).collect();
        let too_long = format!("{longest}x");

        let answer = client.unlock_and_relock(LOCK, &too_long).await.unwrap();
        assert_refused(&answer, &[400], "an id of 1025 characters");
        scene.nothing_is_lost("an id of 1025 characters").await;

        assert_eq!(client.unlock_and_relock(LOCK, &longest).await.unwrap().status, 200);
        assert_eq!(client.held().await, longest);
        let answer = client.unlock(&too_long).await.unwrap();
        assert_refused(&answer, &[400], "an id of 1025 characters");
        assert_eq!(client.lock(&too_long).await.unwrap().status, 400);
        assert_eq!(client.held().await, longest);
        assert_eq!(client.unlock_and_relock(&longest, LOCK).await.unwrap().status, 200);
        scene.nothing_is_lost("an id of 1024 characters").await;
    });
}

#[test]
fn an_endless_head_is_cut_off() {
    common::run(60, async {
        let mut scene = Scene::begin().await;
        let mut request = scene.file.check_file_info();
        for n in 0..80 {
            request = request.header(&format!("X-Endless-{n}"), "x".repeat(1000));
        }
        // 80 KB; the limit is 64 KiB. The connection may be closed before all of it was taken.
        let connection = common::Connection::open(scene.lectern.address()).await.unwrap();
        if let Ok(answer) = connection.write_and_answer(&request.encode()).await {
            assert!(matches!(answer.status, 400 | 431), "{answer:?}");
        }
        scene.nothing_is_lost("an endless head").await;
    });
}
