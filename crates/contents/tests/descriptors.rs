//! A process that has no file descriptor left. Alone in its file, because the limit is the whole process's.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use std::sync::Arc;

use lectern_conformance::contents::{bytes, fresh_id, in_frames, put};
use lectern_conformance::tree::{Ground, path};
use lectern_contents::Folder;
use lectern_host::ports::{Contents as _, ContentsError, Tree as _, TreeError};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[tokio::test]
async fn having_no_descriptor_left_is_passing_trouble() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = Folder::open(scratch.path(), &scratch.path().join(Folder::STATE_NAME)).unwrap();
    let root = scratch.path().to_owned();
    let ground = Ground { tree: Arc::new(folder.clone()), contents: Arc::new(folder.clone()), root };
    std::fs::create_dir(ground.root.join("x")).unwrap();
    ground.write("x/a.txt", "abc");
    let seen = ground.fingerprint("x/a.txt");
    let (id, staged) = ground.stage("new").await;

    let before = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(0), ..before }).unwrap();
    let refused_put = folder.put(&fresh_id(), in_frames(&bytes(9, 1), 9), 9).await;
    let refused_open = ground.tree.open(&path("x/a.txt"), &seen, 0..9).await.map(|body| body.is_some());
    let refused_look = folder.look(&path("x/a.txt"));
    let refused_publish = folder.publish(&path("x/a.txt"), &id, &staged, Some(&fresh_id())).await;
    let refused_list = folder.list(&path("x")).await;
    setrlimit(Resource::Nofile, before).unwrap();

    assert!(matches!(refused_put, Err(ContentsError::Unavailable(_))), "{refused_put:?}");
    assert!(matches!(refused_open, Err(TreeError::Unavailable(_))), "{refused_open:?}");
    assert!(matches!(refused_look, Err(TreeError::Unavailable(_))), "{refused_look:?}");
    assert!(matches!(refused_publish, Err(TreeError::Unavailable(_))), "{refused_publish:?}");
    assert!(matches!(refused_list, Err(TreeError::Unavailable(_))), "{refused_list:?}");
    folder.publish(&path("x/a.txt"), &id, &staged, Some(&fresh_id())).await.unwrap();
    put(&folder, &fresh_id(), "abc").await;
    assert_eq!(ground.on_disk("x/a.txt").as_deref(), Some(&b"new"[..]));
}
