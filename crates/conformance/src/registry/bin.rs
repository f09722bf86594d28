//! What was deleted and may come back.

use lectern_host::access::Right;
use lectern_host::ports::BinEntry;
use lectern_host::records::{ContainerRecord, FileRecord, Revision, Timestamp};
use lectern_host::sharing::{BinId, Grant, Item, Principal};

use super::files::{commit, root};
use super::samples::{container, container_id, file, file_id, fingerprint, name, user_id};
use super::{Fresh, No, no};

fn entry(id: &str, item: Item, at: i64) -> BinEntry {
    BinEntry {
        id: BinId::parse(id).unwrap(),
        item,
        name: name("Gelöschtes 'x'.docx"),
        container: container_id("where"),
        by: user_id("alice"),
        at: Timestamp(at),
    }
}

/// Deletions come back with every field, latest first, a page at a time, until they are forgotten.
pub async fn deletions_are_remembered_latest_first(registry: Fresh) {
    let entries = [
        entry("a", Item::File(file_id("f")), 10),
        entry("c", Item::Container(container_id("c")), 30),
        entry("b", Item::File(file_id("g")), 30),
        entry("d", Item::File(file_id("h")), -5),
    ];
    for entry in &entries {
        registry.add_to_bin(entry, &[]).await.unwrap();
        assert_eq!(no(registry.add_to_bin(entry, &[]).await), No::Conflict);
        assert_eq!(registry.bin_entry(&entry.id).await.unwrap(), *entry);
    }
    assert_eq!(no(registry.bin_entry(&BinId::parse("x").unwrap()).await), No::NotFound);
    for limit in 1..5 {
        let (mut seen, mut after): (Vec<BinEntry>, _) = (Vec::new(), None);
        loop {
            let page = registry.bin(after.as_ref(), limit).await.unwrap();
            assert!(page.len() <= limit && seen.len() <= entries.len());
            seen.extend(page.iter().cloned());
            match page.into_iter().next_back() {
                Some(last) => after = Some(last),
                None => break,
            }
        }
        let ids: Vec<&str> = seen.iter().map(|entry| entry.id.as_str()).collect();
        assert_eq!(ids, ["c", "b", "a", "d"]);
    }
    for _ in 0..2 {
        registry.remove_from_bin(&entries[1].id).await.unwrap();
    }
    assert_eq!(registry.prune_bin(Timestamp(10)).await.unwrap(), 1);
    let left: Vec<BinEntry> = registry.bin(None, 9).await.unwrap();
    assert_eq!(left, [entries[2].clone(), entries[0].clone()]);
}

/// The containers of a deletion come back in their order, and what is shared of them is not forgotten before they are.
pub async fn containers_in_the_bin_are_remembered_with_what_is_shared(registry: Fresh) {
    let root = root(&registry).await;
    let outer = ContainerRecord { seen: Some(fingerprint(1)), ..container("z", &root, "außen") };
    let inner = ContainerRecord { revision: Revision(7), ..container("a", &outer.id, "innen") };
    let deletion = entry("d", Item::Container(outer.id.clone()), 10);
    registry.add_to_bin(&deletion, &[outer.clone(), inner.clone()]).await.unwrap();
    let bare = |record: ContainerRecord| ContainerRecord { revision: Revision::default(), seen: None, ..record };
    assert_eq!(registry.bin_containers(&deletion.id).await.unwrap(), [bare(outer.clone()), bare(inner.clone())]);
    let grant = Grant {
        item: Item::Container(inner.id.clone()),
        to: Principal::User(user_id("bob")),
        right: Right::View,
        by: user_id("alice"),
        at: Timestamp(1),
    };
    registry.put_grant(&grant).await.unwrap();
    assert_eq!(registry.prune_shares(Timestamp(0)).await.unwrap(), 0);
    assert_eq!(registry.prune_bin(Timestamp(11)).await.unwrap(), 1);
    assert_eq!(registry.bin_containers(&deletion.id).await.unwrap(), []);
    assert_eq!(registry.prune_shares(Timestamp(0)).await.unwrap(), 1);
}

/// Deleted files are found by the container they were in, whether that is there or not.
pub async fn deleted_files_are_found_by_their_container(registry: Fresh) {
    let root = root(&registry).await;
    let inner = registry.create_container(&container("c", &root, "c")).await.unwrap();
    for id in ["a", "b", "there"] {
        let record = registry.create_file(&file(id, &inner.id, id)).await.unwrap();
        if id != "there" {
            let deleted = FileRecord { deleted_at: Some(Timestamp(1)), ..record };
            registry.commit_file(&commit(&deleted)).await.unwrap();
        }
    }
    let found = async || {
        let files = registry.files_deleted_in(&inner.id).await.unwrap();
        let mut ids: Vec<String> = files.into_iter().map(|file| file.id.to_string()).collect();
        ids.sort();
        ids
    };
    assert_eq!(found().await, ["a", "b"]);
    let there = registry.file(&file_id("there")).await.unwrap();
    registry.remove_file(&there.id, there.revision).await.unwrap();
    registry.remove_container(&inner.id, inner.revision).await.unwrap();
    assert_eq!(found().await, ["a", "b"]);
    assert_eq!(registry.files_deleted_in(&root).await.unwrap(), []);
}
