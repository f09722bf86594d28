//! The desk over the memory ports: where files live in no folder, names are only in the registry.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http_body_util::BodyExt as _;
use wopi::ItemVersion;

use super::*;
use crate::doubles::{TestClock, host_over};
use crate::memory::contents::MemoryContents;
use crate::memory::registry::MemoryRegistry;
use crate::sharing::Principal;
use crate::{HostSettings, full};

struct World {
    host: Host,
    clock: Arc<TestClock>,
}

impl World {
    async fn new() -> Self {
        let clock = TestClock::at(1_700_000_000_000);
        let (registry, contents) = (Arc::new(MemoryRegistry::new()), Arc::new(MemoryContents::new()));
        let host = host_over(registry, contents, clock.clone(), HostSettings::new("https://h.example")).await;
        Self { host, clock }
    }

    async fn person(&self, name: &str, role: Role) -> (Desk<'_>, UserId) {
        let user = self.host.add_user(name, name, role).await.unwrap();
        let session = self.host.open_session(&user.id, "test", Duration::from_secs(3600)).await.unwrap();
        (self.host.desk(&session.id).await.unwrap(), user.id)
    }

    /// A desk of the same person, by a session of today.
    async fn again(&self, desk: &Desk<'_>) -> Desk<'_> {
        let session = self.host.open_session(desk.person().id(), "test", Duration::from_secs(3600)).await.unwrap();
        self.host.desk(&session.id).await.unwrap()
    }

    fn second(&self) {
        self.clock.0.fetch_add(1000, Ordering::SeqCst);
    }
}

async fn text(download: Download) -> String {
    String::from_utf8(download.bytes.body.collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

async fn names(desk: &Desk<'_>, container: &ContainerId) -> Vec<String> {
    let listing = desk.list(container, Order::default(), None, 100).await.unwrap();
    listing.entries.iter().map(|entry| entry.name().to_string()).collect()
}

#[tokio::test]
async fn a_file_lives_moves_dies_and_comes_back_without_a_folder() {
    let world = World::new().await;
    let (alice, _) = world.person("alice", Role::Editor).await;
    let root = alice.root().await.unwrap().id;
    let inner = alice.new_container(&root, "in").await.unwrap().id;
    let id = alice.upload(&root, "a.txt", full("one"), IfTaken::Refuse).await.unwrap().id;
    world.second();
    alice.upload_version(&id, full("two")).await.unwrap();
    alice.rename_file(&id, "b.txt").await.unwrap();
    assert_eq!(alice.move_file(&id, &inner).await.unwrap().container, inner);
    assert_eq!(
        (names(&alice, &root).await, names(&alice, &inner).await),
        (vec!["in".to_owned()], vec!["b.txt".into()])
    );
    world.second();
    assert_eq!(alice.restore_version(&id, ItemVersion(1)).await.unwrap().version, ItemVersion(3));
    assert_eq!(text(alice.download(&id, None).await.unwrap()).await, "one");
    let copy = alice.copy_file(&id, &inner).await.unwrap();
    assert_eq!(copy.name.as_str(), "b (2).txt");

    alice.delete_container(&inner).await.unwrap();
    assert_eq!(names(&alice, &root).await, [] as [String; 0]);
    let binned = alice.bin(None, 9).await.unwrap().entries;
    assert_eq!(binned.len(), 1);
    let back = alice.put_back(&binned[0].id, None).await.unwrap();
    assert_eq!((back.item, back.missing), (Item::Container(inner.clone()), 0));
    assert_eq!(names(&alice, &inner).await, ["b.txt", "b (2).txt"]);
    assert_eq!(text(alice.open_version(&id, ItemVersion(2), None).await.unwrap()).await, "two");

    alice.delete_file(&copy.id).await.unwrap();
    assert_eq!(alice.empty_bin().await.unwrap(), 1);
    assert_eq!(alice.file_entry(&copy.id).await.unwrap_err().why, Why::NotFound);
}

/// How many contents there are.
async fn contents(world: &World) -> usize {
    use futures_util::StreamExt as _;
    world.host.ports.contents.ids().count().await
}

#[tokio::test]
async fn copies_restored_versions_and_refused_saves_put_back_share_bytes_and_outlive_each_other() {
    let world = World::new().await;
    let (alice, alice_id) = world.person("alice", Role::Editor).await;
    let root = alice.root().await.unwrap().id;
    let inner = alice.new_container(&root, "in").await.unwrap().id;
    let id = alice.upload(&root, "a.txt", full("one"), IfTaken::Refuse).await.unwrap().id;
    world.second();
    alice.upload_version(&id, full("two")).await.unwrap();
    assert_eq!(contents(&world).await, 2);

    let copy = alice.copy_file(&id, &inner).await.unwrap();
    alice.copy_container(&inner, &root).await.unwrap();
    world.second();
    let restored = alice.restore_version(&id, ItemVersion(1)).await.unwrap();
    assert_eq!(restored.version, ItemVersion(3));
    let refused = world.host.new_content_id();
    let stored = world.host.ports.contents.put(&refused, full("refused"), 99).await.unwrap();
    let save = crate::records::RescuedSave {
        content: refused,
        file: id.clone(),
        file_name: wopi::FileName::parse("a.txt").unwrap(),
        user: alice_id,
        client: None,
        size: stored.size,
        sha256: stored.sha256,
        reason: String::new(),
        at: world.host.now(),
    };
    world.host.ports.registry.add_rescued(&save).await.unwrap();
    let back = alice.put_rescued_back(&refused, None).await.unwrap();
    assert_eq!(alice.rescued().await.unwrap(), []);
    assert_eq!(contents(&world).await, 3, "nothing was copied");

    // The original goes, with all its history; what shares its bytes does not notice.
    world.second();
    alice.upload_version(&id, full("three")).await.unwrap();
    alice.delete_file(&id).await.unwrap();
    assert_eq!(alice.empty_bin().await.unwrap(), 1);
    world.clock.0.fetch_add(400 * 24 * 60 * 60 * 1000, Ordering::SeqCst);
    assert_eq!(world.host.sweep().await.unwrap().contents, 2, "`one` and `three`, which nobody has any more");
    let alice = world.again(&alice).await;
    assert_eq!(text(alice.download(&copy.id, None).await.unwrap()).await, "two");
    assert_eq!(text(alice.download(&back.id, None).await.unwrap()).await, "refused");
    assert_eq!(names(&alice, &root).await, ["in", "in (2)", "a (2).txt"]);
}

#[tokio::test]
async fn bytes_that_were_condemned_meanwhile_are_not_pointed_to_again() {
    let world = World::new().await;
    let (alice, _) = world.person("alice", Role::Editor).await;
    let registry = &world.host.ports.registry;
    let root = alice.root().await.unwrap().id;
    let id = alice.upload(&root, "a.txt", full("one"), IfTaken::Refuse).await.unwrap().id;
    world.second();
    alice.upload_version(&id, full("two")).await.unwrap();
    let one = registry.versions(&id).await.unwrap().remove(0).content;
    let shared = world.host.shared(&one.id, one.size, one.sha256).unwrap();
    assert_eq!(registry.condemn(&[one.id], world.host.now()).await.unwrap(), [], "the history has it");
    registry.remove_versions(&id, &[ItemVersion(1)]).await.unwrap();
    assert_eq!(registry.condemn(&[one.id], world.host.now()).await.unwrap(), [one.id]);

    // Restored, and copied, by somebody who read of it before.
    let at = alice.at_file(&id, Right::Edit).await.unwrap();
    assert!(alice.save_free(&at.caller(&alice.person), &shared).await.is_err());
    let at = alice.at_container(&root, Right::Edit).await.unwrap();
    let near = crate::files::NewName::Near(wopi::FileName::parse("b.txt").unwrap());
    let placed = world.host.place(&at.caller(&alice.person), &root, &near, &shared, &Default::default()).await;
    assert!(placed.is_err());
    assert_eq!(names(&alice, &root).await, ["a.txt"]);
    assert_eq!(text(alice.download(&id, None).await.unwrap()).await, "two");
}

#[tokio::test]
async fn what_is_taken_back_is_gone_for_a_desk_that_is_opened_next() {
    let world = World::new().await;
    let (admin, _) = world.person("admin", Role::Administrator).await;
    let (bob, bob_id) = world.person("bob", Role::Member).await;
    let root = admin.root().await.unwrap().id;
    let id = admin.upload(&root, "a.txt", full("a"), IfTaken::Refuse).await.unwrap().id;
    let (item, to) = (Item::File(id.clone()), Principal::User(bob_id));
    assert_eq!(bob.root().await.unwrap_err().why, Why::NotFound);
    for (right, expected) in [(Right::View, Why::NotAllowed), (Right::Comment, Why::NotAllowed)] {
        admin.share(&item, &to, right).await.unwrap();
        assert_eq!(bob.file_entry(&id).await.unwrap().1, right);
        assert_eq!(bob.rename_file(&id, "b.txt").await.unwrap_err().why, expected);
        assert_eq!(bob.editor_token(&id, None, true).await.unwrap().may_edit, right == Right::Comment);
    }
    admin.share(&item, &to, Right::Edit).await.unwrap();
    bob.rename_file(&id, "b.txt").await.unwrap();
    assert_eq!(bob.shared_with_me().await.unwrap().len(), 1);
    admin.unshare(&item, &to).await.unwrap();
    assert_eq!(bob.download(&id, None).await.err().unwrap().why, Why::NotFound);
    let (link, secret) = admin.new_link(&item, &NewLink::default()).await.unwrap();
    let offer = world.host.link_offer(&secret.0).await.unwrap();
    let session = world.host.enter_by_link(&offer, "Guest", Duration::from_secs(60)).await.unwrap();
    let guest = world.host.desk(&session.id).await.unwrap();
    assert_eq!((guest.person().shown_as(), guest.person().link().map(|link| &link.id)), ("Guest", Some(&link)));
    assert_eq!(text(guest.download(&id, None).await.unwrap()).await, "a");
    admin.revoke_link(&link).await.unwrap();
    assert_eq!(world.host.desk(&session.id).await.unwrap_err().why, Why::SignedOut);
}

#[tokio::test]
async fn a_listing_that_is_too_large_for_another_order_is_by_name_and_says_so() {
    let world = World::new().await;
    let (admin, _) = world.person("admin", Role::Administrator).await;
    let root = admin.root().await.unwrap().id;
    let sample = admin.upload(&root, "sample.txt", full("x"), IfTaken::Refuse).await.unwrap().id;
    let sample = world.host.file(&sample).await.unwrap();
    let many: Vec<FileRecord> = (0..listing::SORTED_MAX)
        .map(|number| FileRecord {
            id: FileId::parse(&format!("f{number}")).unwrap(),
            name: wopi::FileName::parse(&format!("{number}.txt")).unwrap(),
            ..sample.clone()
        })
        .collect();
    let order = Order { sort: crate::ports::Sort::Size, descending: true };
    world.host.ports.registry.create_files(&many[1..]).await.unwrap();
    assert_eq!(admin.list(&root, order, None, 1).await.unwrap().order, order);
    world.host.ports.registry.create_files(&many[..1]).await.unwrap();
    let by_name = Order { sort: crate::ports::Sort::Name, descending: true };
    assert_eq!(admin.list(&root, order, None, 1).await.unwrap().order, by_name);
}
